# Indexes are built, concurrently and not, while rows of row groups and of the row
# store are inserted, changed and deleted, and the server is killed in the midst of
# it.  Whatever is valid afterwards has an entry for each row of the table (amcheck),
# on the primary and on a standby that compares each replayed page with its image.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use RetldbTest;

my $rounds = $ENV{RETLDB_CRASH_ROUNDS} || 5;
my $clients = 3;
seed_random();

my $primary = new_server('primary', allows_streaming => 1, conf => q(
wal_consistency_checking = 'heap, btree, generic'
autovacuum_naptime = 1s
checkpoint_timeout = 30s
max_wal_size = 256MB
min_parallel_table_scan_size = 0
max_parallel_maintenance_workers = 2
retldb.row_store_rows = 20
retldb.row_group_rows = 3000
retldb.vector_rows = 128
));
$primary->start;
$primary->safe_psql('postgres', q(
CREATE EXTENSION retldb;
CREATE EXTENSION amcheck;
CREATE TABLE r (client int, id int, v text, n numeric) USING retldb WITH (parallel_workers = 2);
INSERT INTO r SELECT i % 3, i, 'row ' || i, i / 8.0 FROM generate_series(1, 30000) i;
CREATE INDEX r_always ON r (client, id) INCLUDE (n);
SELECT pg_create_physical_replication_slot('standby');
));
my $standby = start_standby('standby', $primary, "primary_slot_name = 'standby'\nhot_standby_feedback = on\nwal_receiver_status_interval = 1s");

# A change of some of a client's rows.
sub change
{
	my ($client) = @_;
	my $some = sprintf('client = %d AND id %% 211 = %d', $client, int rand 211);
	my $range = sprintf('client = %d AND id BETWEEN %d AND %d', $client, map { ($_, $_ + 150) } int rand 40000);
	my $where = ($some, $range)[ int rand 2 ];
	my @changes = (
		"UPDATE r SET n = n + 1 WHERE $where",
		"UPDATE r SET v = v || '+' WHERE $where",
		"UPDATE r SET v = repeat('long ', 300), id = id + 1 WHERE $where AND id % 50 = 0",
		"DELETE FROM r WHERE $where",
		sprintf("INSERT INTO r SELECT %d, i, 'new', 0 FROM generate_series(%d, %d) i", $client, map { ($_, $_ + 300) } int rand 40000),
		sprintf("INSERT INTO r VALUES (%d, %d, 'single', -1)", $client, int rand 40000));

	return $changes[ int rand @changes ] . ";\n";
}

# A transaction of a client.
sub transaction
{
	my ($client) = @_;
	my $around = int rand 6;
	my $sql = "BEGIN;\n" . change($client);

	$sql .= "SAVEPOINT s;\n" . change($client) . change($client) . "ROLLBACK TO s;\n" if $around == 0;
	$sql .= "SAVEPOINT s;\n" . change($client) . "RELEASE s;\n" if $around == 1;
	$sql .= change($client);
	return $sql . ($around == 2 ? "ROLLBACK;\n" : "COMMIT;\n");
}

# Builds of many kinds, and checks of what they have built.
my @kinds = ('(n)', '(v, id)', '(lower(v)) WHERE id % 2 = 0', '(client, n DESC) INCLUDE (id)', '((id + 1), v text_pattern_ops)');
my $check = q(SELECT count(bt_index_check(indexrelid, true)::text) FROM pg_index JOIN pg_class i ON i.oid = indexrelid
WHERE indrelid = 'r'::regclass AND indisvalid);

sub builds
{
	my ($count) = @_;
	my $sql = '';

	for my $number (1 .. $count)
	{
		my $kind = $kinds[ int rand @kinds ];
		my $build = int rand 4;

		$sql .= "DROP INDEX IF EXISTS r_one;\nCREATE INDEX " . ($build > 0 ? 'CONCURRENTLY ' : '') . "r_one ON r $kind;\n";
		$sql .= "REINDEX INDEX CONCURRENTLY r_always;\n" if $build == 1;
		$sql .= "REINDEX TABLE r;\n" if $build == 2 && $number % 3 == 0;
		$sql .= "CLUSTER r USING r_always;\n" if $build == 3 && $number % 3 == 0;
		$sql .= "$check;\n\\echo built\n";
	}
	return $sql;
}

# without a crash: everything is done, and right
my @scripts;
for my $client (0 .. $clients - 1)
{
	push @scripts, start_script($primary, join('', map { transaction($client) } 1 .. 120));
}
push @scripts, start_script($primary, builds(12));
push @scripts, start_script($primary, "VACUUM r;\nSELECT pg_sleep(0.1);\n" x 20);
push @scripts, start_script($primary, "CALL retldb.compact('r');\nSELECT pg_sleep(0.2);\n" x 20);
my @output = map { finish_script($_) } @scripts;
is(join('', map { $_->{err} =~ /^.*ERROR.*$/mg } @scripts), '', 'no session had an error');
is(() = $output[$clients] =~ /^built$/mg, 12, 'all indexes were built while rows changed');

# All indexes, checked with a lock on the table; and the same answer by an index as
# without one.
sub check_indexes
{
	my ($node, $what) = @_;

	like($node->safe_psql('postgres', $check), qr/^[1-9]/, "$what: indexes have entries for all rows");
	my @answers = map {
		$node->safe_psql('postgres', "SET enable_seqscan = $_; SET retldb.enable_columnar_scan = $_; SET enable_bitmapscan = off;"
			  . 'SELECT count(*), sum(id), sum(n), count(v) FROM r WHERE client = 1 AND id BETWEEN 5000 AND 25000')
	} ('off', 'on');
	is($answers[0], $answers[1], "$what: the same rows by an index as without");
}

check_indexes($primary, 'after changes');

for my $round (1 .. $rounds)
{
	@scripts = ();
	for my $client (0 .. $clients - 1)
	{
		push @scripts, start_script($primary, join('', map { transaction($client) } 1 .. 100));
	}
	push @scripts, start_script($primary, builds(50));
	push @scripts, start_script($primary, "VACUUM r;\nSELECT pg_sleep(0.05);\nCHECKPOINT;\n" x 50);
	push @scripts, start_script($primary, "CALL retldb.compact('r');\nSELECT pg_sleep(0.1);\n" x 50);
	select(undef, undef, undef, 0.3 + rand 2);
	crash_and_restart($primary, sub {
		for my $script (@scripts)
		{
			finish_script($script);
			is(errors_of($script), '', "round $round: no error of a session");
		}
	});

	check_indexes($primary, "round $round");
	verify_clean($primary, 'r', "round $round");
	# what a build has left unfinished can be taken away, or finished
	$primary->safe_psql('postgres', $round % 2 ? 'REINDEX TABLE CONCURRENTLY r' : 'DROP INDEX IF EXISTS r_one');
	my $unfinished = $primary->safe_psql('postgres',
		q(SELECT string_agg(format('DROP INDEX %s', indexrelid::regclass), '; ') FROM pg_index WHERE indrelid = 'r'::regclass AND NOT indisvalid));
	$primary->safe_psql('postgres', $unfinished) if $unfinished;
	$primary->safe_psql('postgres', 'DROP INDEX IF EXISTS r_one; CREATE INDEX r_one ON r (n)');
	is($primary->safe_psql('postgres', q(SELECT count(bt_index_parent_check(indexrelid, true, true)::text) FROM pg_index WHERE indrelid = 'r'::regclass)),
		2, "round $round: rebuilt and checked");
}

$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));
check_indexes($standby, 'standby');
my $contents = q(SELECT count(*), md5(string_agg(r::text, ' ' ORDER BY client, id, v, n)) FROM r);
is($standby->safe_psql('postgres', $contents), $primary->safe_psql('postgres', $contents), 'the standby has the same rows');
my $by_index = 'SET enable_seqscan = off; SET retldb.enable_columnar_scan = off; SELECT count(*), sum(id) FROM r WHERE n BETWEEN 100 AND 900';
is($standby->safe_psql('postgres', $by_index), $primary->safe_psql('postgres', $by_index), 'the standby reads by a new index');
is(log_complaints($primary), '', 'nothing bad in the log of the primary');
is(log_complaints($standby), '', 'nothing bad in the log of the standby');

$standby->stop;
$primary->stop;
done_testing();
