# Rows that many reference, lock, change, delete and insert again at once, with subtransactions
# and multixacts, while compaction retires their stubs as soon as it can and VACUUM removes
# them.  All the time, and at the end,
#
# - nothing references a row that is not there,
# - no row is there twice, and no change of one is lost.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use RetldbTest;

my $rows = 300;
my $seconds = 8;
my $node = new_server('referenced', conf => "autovacuum = off\nretldb.retire_stubs = 1\ndeadlock_timeout = 50ms");
$node->start;
my $amcheck = $node->psql('postgres', 'CREATE EXTENSION amcheck') == 0;

# a command of its own subtransaction, which may fail as commands do that meet others
sub attempt
{
	my ($name, $declarations, $commands) = @_;

	return "CREATE FUNCTION $name(p int) RETURNS void LANGUAGE plpgsql AS \$\$ DECLARE $declarations BEGIN BEGIN $commands"
	  . " EXCEPTION WHEN foreign_key_violation OR deadlock_detected THEN NULL; END; END \$\$;\n";
}

$node->safe_psql('postgres', qq(
CREATE EXTENSION retldb;
CREATE TABLE parent (id int PRIMARY KEY, n int, v text) USING retldb WITH (row_store_rows = 0, row_group_rows = 100);
INSERT INTO parent SELECT i, 0, 'v' FROM generate_series(1, $rows) i;
CREATE TABLE child (id int REFERENCES parent) USING heap;
CREATE INDEX ON child (id);
CREATE TABLE counted (n int) USING heap;
CREATE TABLE tidied () USING heap;
)
	. attempt('refer', '', 'INSERT INTO child VALUES (p);')
	. attempt('release', '', 'DELETE FROM child WHERE id = p;')
	. attempt('bump', '', 'UPDATE parent SET n = n + 1 WHERE id = p; IF found THEN INSERT INTO counted VALUES (1); END IF;')
	. attempt('remove', 'gone int;', 'DELETE FROM parent WHERE id = p RETURNING n INTO gone; IF found THEN INSERT INTO counted VALUES (-gone); END IF;')
	. attempt('restore', '', "INSERT INTO parent VALUES (p, 0, 'again') ON CONFLICT (id) DO NOTHING;")
	. attempt('undo', '', 'BEGIN DELETE FROM child WHERE id = p; DELETE FROM parent WHERE id = p; RAISE division_by_zero; EXCEPTION WHEN division_by_zero THEN NULL; END; PERFORM FROM parent WHERE id = p FOR SHARE;'));

my %transactions = (
	refer => 'SELECT refer(:p)',
	release => 'SELECT release(:p)',
	both => 'SELECT refer(:p); SELECT bump(:p)',
	bump => 'SELECT bump(:p)',
	remove => 'SELECT release(:p); SELECT remove(:p)',
	remove_later => 'SELECT undo(:p); SELECT remove(:p)',
	restore => 'SELECT restore(:p)',
	undo => 'SELECT undo(:p)',
	share => 'SELECT count(*) FROM (SELECT FROM parent WHERE id BETWEEN :p AND :p + 30 FOR KEY SHARE SKIP LOCKED) x',
	queue => 'SELECT id FROM parent WHERE id BETWEEN :p AND :p + 5 ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED');
my $dir = PostgreSQL::Test::Utils::tempdir();
my @files;
for my $name (sort keys %transactions)
{
	(my $commands = $transactions{$name}) =~ s/;/;\n/g;
	# half of the time one of a few
	append_to_file("$dir/$name.sql", "\\set p random(1, $rows)\n\\set few random(0, 1)\n\\if :few\n\\set p random(1, 5)\n\\endif\nBEGIN;\n$commands;\nEND;\n");
	push @files, '-f', "$dir/$name.sql" . ($name =~ /refer|both|restore/ ? '@3' : '@2');
}

# one snapshot: what references nothing, what is there twice, and changes that were lost
my $faults = q(SELECT (SELECT count(*) FROM child c WHERE NOT EXISTS (SELECT FROM parent p WHERE p.id = c.id))
	+ (SELECT count(*) - count(DISTINCT id) FROM parent) + abs((SELECT coalesce(sum(n), 0) FROM parent) - (SELECT coalesce(sum(n), 0) FROM counted)));
my ($out, $err) = ('', '');
my ($looks, $wrong, $tidied, $retired, $done) = (0, '', 0, 0, 0);
my $keeper = start_script($node, "SET client_min_messages = debug1;\n" . "CALL retldb.compact('parent');\nSELECT pg_sleep(0.01);\nCALL retldb.compact('parent');\nVACUUM parent;\nINSERT INTO tidied DEFAULT VALUES;\n" x 10000);
my $session = $node->background_psql('postgres');
# once, but again on a machine that has not done enough by then
for (my $times = 0; $times < 20 && ($tidied < 2 || $retired < 2 || $done < 100); $times++)
{
	my $pgbench = IPC::Run::start(
		[ 'pgbench', '-n', '-c', 8, '-j', 2, '-T', $seconds, '-M', 'prepared', @files, $node->connstr('postgres') ],
		'<', '/dev/null', '>', \$out, '2>>', \$err);
	my $end = time + $seconds;
	while (time < $end)
	{
		my $way = $looks % 2 ? 'on' : 'off';
		my $found = answer($session, "SET retldb.enable_columnar_scan = $way; SET enable_seqscan = $way; $faults");

		$wrong .= "$found with columnar scans $way; " if $found ne '0';
		$looks++;
	}
	$pgbench->finish;
	$done += $1 if $out =~ /number of transactions actually processed: (\d+)/;
	$tidied = rows($node, 'tidied');
	$retired = () = slurp_file("$keeper->{base}.err") =~ /stubs of \d+ rows were retired/g;
}
$session->quit;
$node->safe_psql('postgres', "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query ~ 'compact|VACUUM|tidied|sleep' AND pid <> pg_backend_pid()");
finish_script($keeper);
unlike($keeper->{err}, qr/ERROR/, "compaction and VACUUM, $tidied times");
cmp_ok($tidied, '>', 1, 'which was more than once');
cmp_ok($retired, '>', 1, "stubs were retired $retired times");
is($err =~ /ERROR|aborted/ ? $err : '', '', 'no error of pgbench');
cmp_ok($done, '>=', 100, 'which did something');
is($wrong, '', "nothing was wrong at any of $looks moments");
is($node->safe_psql('postgres', $faults), '0', 'nor at the end');
verify_clean($node, 'parent', 'at the end');
is($node->psql('postgres', "SELECT bt_index_parent_check('parent_pkey', true)"), 0, 'amcheck finds nothing') if $amcheck;
my $references = $node->safe_psql('postgres', 'SELECT count(DISTINCT id) FROM child');
is($node->safe_psql('postgres', 'WITH d AS (DELETE FROM parent p WHERE NOT EXISTS (SELECT FROM child c WHERE c.id = p.id) RETURNING 1) SELECT 1; SELECT count(*) FROM parent'), "1\n$references",
	'those that nobody references can be deleted');
crash_and_restart($node);
is($node->safe_psql('postgres', 'SELECT count(*), count(DISTINCT id) FROM parent'), "$references|$references", 'after a crash');
verify_clean($node, 'parent', 'after a crash');
is(log_complaints($node), '', 'no complaint in the log');

done_testing();
