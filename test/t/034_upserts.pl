# Upserts of many rows, which are looked up together, next to each other, to commands
# that change and lock the same rows, to compaction and to VACUUM, at each isolation
# level: no increment is lost or done twice, whether rows that would not change are
# left alone (suppress_noop) or not, and as on heap; also in partitions of all of these,
# with triggers in subtransactions between the rows of a batch.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use RetldbTest;

my $seconds = $ENV{RETLDB_UPSERT_SECONDS} // 4;
my $node = new_server('upserts', conf => 'autovacuum = off');
$node->start;

my %tables = (
	noop => 'USING retldb WITH (suppress_noop = on, row_group_rows = 3000, row_store_rows = 100)',
	plain => 'USING retldb WITH (row_group_rows = 3000, row_store_rows = 100)',
	heap => 'USING heap',
	parted => 'PARTITION BY RANGE (k)');
my @parts = (
	"CREATE TABLE parted_noop PARTITION OF parted FOR VALUES FROM (0) TO (3000) $tables{noop}",
	"CREATE TABLE parted_plain PARTITION OF parted FOR VALUES FROM (3000) TO (8000) $tables{plain}",
	'CREATE TABLE parted_heap PARTITION OF parted FOR VALUES FROM (8000) TO (20000) USING heap',
	"CREATE FUNCTION passing() RETURNS trigger LANGUAGE plpgsql AS
		'BEGIN BEGIN PERFORM 1 / (new.k % 7); EXCEPTION WHEN division_by_zero THEN NULL; END; RETURN new; END'",
	'CREATE TRIGGER passing BEFORE INSERT OR UPDATE ON parted_plain FOR EACH ROW EXECUTE FUNCTION passing()');
my @checked = qw(noop plain parted_noop parted_plain);
my @names = sort keys %tables;
$node->safe_psql('postgres', join ";\n", 'CREATE EXTENSION retldb', 'CREATE EXTENSION amcheck',
	'CREATE TABLE log (added int) USING heap',
	(map { "CREATE TABLE $_ (k int PRIMARY KEY, n int, v text) $tables{$_}" } @names), @parts,
	map { ("INSERT INTO $_ SELECT i, 0, 'v' || i FROM generate_series(1, 10000) i") } @names);

# every "share"-th row gets one more, the others stay as they are
my $upsert = PostgreSQL::Test::Utils::tempdir() . '/upsert.sql';
my $rows = 'generate_series(:first, :first + :step * 100, :step) i';
append_to_file($upsert, join "\n",
	'\set first random(1, 9000)', '\set step random(1, 9)', '\set share random(2, 7)',
	'BEGIN;',
	(map { "INSERT INTO $_ SELECT i, 0, 'v' || i FROM $rows ON CONFLICT (k) DO UPDATE SET n = $_.n + (excluded.k % :share = 0)::int, v = excluded.v;" } @names),
	"INSERT INTO log SELECT count(*) FROM $rows WHERE i % :share = 0;",
	'COMMIT;', '');
my $other = PostgreSQL::Test::Utils::tempdir() . '/other.sql';
append_to_file($other, join "\n",
	'\set k random(1, 10000)',
	'BEGIN;',
	(map { ("UPDATE $_ SET v = v WHERE k BETWEEN :k AND :k + 20;", "SELECT k FROM $_ WHERE k BETWEEN :k AND :k + 5 ORDER BY k FOR UPDATE;") } @names),
	'COMMIT;', '');

for my $level ('read committed', 'repeatable read', 'serializable')
{
	(my $value = $level) =~ s/ /\\ /;
	my $before = $node->safe_psql('postgres', 'SELECT count(*) FROM log');
	my ($out, $err) = ('', '');
	my $run;
	{
		local $ENV{PGOPTIONS} = "-c default_transaction_isolation=$value";
		$run = IPC::Run::start([ 'pgbench', '-n', '-c', 4, '-T', $seconds, '--max-tries=1000',
				'-f', "$upsert\@4", '-f', "$other\@1", $node->connstr('postgres') ],
			'<', '/dev/null', '>', \$out, '2>', \$err);
	}
	my $end = time + $seconds;
	while (time < $end)
	{
		# a deadlock with pgbench's sessions may end any of these
		$node->psql('postgres', "CALL retldb.compact('$_')") for qw(noop plain parted);
		$node->psql('postgres', "VACUUM $_") for @names;
	}
	ok($run->finish, "$level: pgbench ends well") or diag($err);
	my $done = $node->safe_psql('postgres', 'SELECT count(*) FROM log') - $before;
	cmp_ok($done, '>', 0, "$level: transactions were done");
	note("$level: $done transactions");

	my $added = $node->safe_psql('postgres', 'SELECT sum(added) FROM log');
	is($node->safe_psql('postgres', "SELECT count(*), count(DISTINCT k), sum(n), sum(('v' || k <> v)::int) FROM $_"),
		"10000|10000|$added|0", "$level: $_ has what was added") for @names;
	is($node->safe_psql('postgres', "SELECT count(*) FROM (TABLE heap EXCEPT TABLE $_) d"), 0,
		"$level: $_ has heap's rows") for qw(noop plain parted);
	verify_clean($node, $_, $level) for @checked;
	$node->safe_psql('postgres', "SELECT bt_index_check('${_}_pkey', true)") for 'heap', @checked;
}
# a row that is moved meanwhile is counted once
$node->safe_psql('postgres', join ";\n", 'CREATE TABLE counted (k int PRIMARY KEY, n int) USING retldb WITH (suppress_noop = on, row_group_rows = 2000)',
	'INSERT INTO counted SELECT i, 0 FROM generate_series(1, 30000) i',
	<<'SQL');
CREATE PROCEDURE count_rows(seconds int) LANGUAGE plpgsql AS $$
DECLARE
	began timestamptz := clock_timestamp();
	counted bigint;
BEGIN
	WHILE clock_timestamp() < began + seconds * interval '1 second' LOOP
		BEGIN
			INSERT INTO counted SELECT i, 0 FROM generate_series(1, 30000) i ON CONFLICT (k) DO UPDATE SET k = excluded.k;
			GET DIAGNOSTICS counted = ROW_COUNT;
			IF counted = 30000 AND random() < 0.5 THEN
				WITH u AS (INSERT INTO counted SELECT i, 0 FROM generate_series(1, 30000) i ON CONFLICT (k) DO UPDATE SET k = excluded.k RETURNING k)
				SELECT count(DISTINCT k) FROM u INTO counted;
			END IF;
			IF counted <> 30000 THEN
				RAISE '% of 30000 rows counted', counted;
			END IF;
		EXCEPTION WHEN deadlock_detected THEN
			NULL;
		END;
		COMMIT;
	END LOOP;
END $$
SQL
my ($said, $wrong) = ('', '');
my $counting = IPC::Run::start([ 'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('postgres'), '-c',
		'CALL count_rows(' . 3 * $seconds . ')' ], '<', '/dev/null', '>', \$said, '2>', \$wrong);
my $share = 0;
while ($counting->pumpable && $share++ < 1000)
{
	$node->psql('postgres', 'UPDATE counted SET n = n + 1 WHERE k % 7 = ' . $share % 7);
	$node->psql('postgres', "CALL retldb.compact('counted')");
	$counting->pump_nb;
}
ok($counting->finish, 'all rows are counted once') or diag($wrong);

is(log_complaints($node), '', 'nothing in the log');

$node->stop;
done_testing();
