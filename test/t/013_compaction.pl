# Compaction between four writers, while readers look on, and the server is
# killed at random moments: what was acknowledged is there once, readers never
# see a row twice or not at all, a standby has the same, and logical decoding
# sees nothing of it.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use RetldbTest;

my $rounds = $ENV{RETLDB_CRASH_ROUNDS} || 6;
seed_random();

my $primary = new_server('primary', allows_streaming => 1, conf => q(
wal_consistency_checking = 'heap, btree, generic'
autovacuum_naptime = 1s
checkpoint_timeout = 30s
max_wal_size = 256MB
retldb.row_store_rows = 100
retldb.row_group_rows = 2000
retldb.vector_rows = 128
));
$primary->start;
$primary->safe_psql('postgres', "SELECT pg_create_physical_replication_slot('standby')");
create_batches($primary);
$primary->safe_psql('postgres', 'ALTER TABLE batches ALTER payload SET STORAGE EXTERNAL');
my $standby = start_standby('standby', $primary, "primary_slot_name = 'standby'\nmax_standby_streaming_delay = 100ms");

# what a reader does: table and log agree in one snapshot, and again
my $look = q(
DO $$ DECLARE faults bigint; BEGIN
    SELECT count(*) INTO faults
      FROM (SELECT client, batch, count(*) AS n, sum(i) AS total FROM batches WHERE batch > 0 GROUP BY 1, 2) b
      FULL JOIN batch_log l USING (client, batch)
     WHERE b.n IS DISTINCT FROM l.n OR total <> l.n::bigint * (l.n + 1) / 2;
    IF faults > 0 THEN RAISE 'reader has found % faults', faults; END IF;
END $$;
);
my $reader = "\\set ON_ERROR_STOP 0\n" . ("BEGIN ISOLATION LEVEL REPEATABLE READ;\n$look\nSELECT pg_sleep(0.05);\n$look\nCOMMIT;\n" x 200);
my (%acknowledged, $next, $compacted);

for my $round (1 .. $rounds)
{
	my (@writers, @others);

	$primary->safe_psql('postgres', "ALTER TABLE batches SET (order_by = 'day, i')") if $round == 1 + int($rounds / 2);
	for my $client (1 .. 4)
	{
		my $sql = '';
		$sql .= batch_sql($client, ++$next) for 1 .. 60;
		push @writers, start_script($primary, $sql);
	}
	push @others, start_script($primary, "CALL retldb.compact('batches');\n\\echo compacted\n" x 200);
	push @others, start_script($primary, "CALL retldb.compact();\nSELECT pg_sleep(0.1);\n" x 200);
	push @others, start_script($primary, "VACUUM batches;\nSELECT pg_sleep(0.05);\nCHECKPOINT;\n" x 50);
	push @others, start_script($primary, $reader);
	push @others, start_script($standby, $reader);
	select(undef, undef, undef, 0.5 + rand 2);
	crash_and_restart($primary, sub {
		for my $script (@writers)
		{
			my $out = finish_script($script);
			$acknowledged{"$1|$2"} = 1 while $out =~ /^done (\d+) (\d+)$/mg;
		}
		for my $script (@others[0 .. 3])
		{
			my $out = finish_script($script);
			$compacted++ while $out =~ /^compacted$/mg;
			unlike($script->{err}, qr/found \d+ faults|concurrent changes|XX\d\d\d|internal/, "round $round: nothing is wrong on the primary");
		}
		$others[4]{run}->kill_kill;
		my $errors = slurp_file("$others[4]{base}.err");
		unlike($errors, qr/found \d+ faults/, "round $round: nothing is wrong on the standby");
	});
	$primary->safe_psql('postgres', "COMMIT PREPARED '$_'")
	  for split /\n/, $primary->safe_psql('postgres', 'SELECT gid FROM pg_prepared_xacts');

	batches_agree($primary, "round $round");
	my %there = map { $_ => 1 } split /\n/, $primary->safe_psql('postgres', 'SELECT client, batch FROM batch_log');
	my @lost = grep { !$there{$_} } keys %acknowledged;
	is("@lost", '', "round $round: all " . keys(%acknowledged) . ' acknowledged batches are there');
	verify_clean($primary, 'batches', "round $round");
}
# how many end before the server is killed is a matter of luck; 024_moved_rows asserts that some do
note(($compacted // 0) . ' compactions were completed next to four writers');

# in the end nothing is left to move, and the standby has the same
without_autovacuum($primary);
patient_standby($standby);
$primary->safe_psql('postgres', 'CALL retldb.compact()');
is($primary->safe_psql('postgres', "SELECT count(*) - (SELECT sum(rows) FROM retldb.row_groups('batches') WHERE visible) FROM batches"),
	'0', 'all rows are in row groups');
$primary->safe_psql('postgres', 'VACUUM batches');
batches_agree($primary, 'compacted');
verify_clean($primary, 'batches', 'compacted');
# a page of anchors, for groups that everybody sees
$primary->safe_psql('postgres', 'VACUUM FULL batches');
batches_agree($primary, 'rewritten');
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));
batches_agree($standby, 'standby');
my $checksum = q(SELECT count(*), md5(string_agg(b::text, ' ' ORDER BY client, batch, i)) FROM batches b);
is($standby->safe_psql('postgres', $checksum), $primary->safe_psql('postgres', $checksum), 'standby equals primary');
verify_clean($standby, 'batches', 'standby');
my ($state, $message) = sqlstate($standby, "CALL retldb.compact('batches')");
is($state, '25006', 'a standby does not compact');
is(log_complaints($standby), '', 'no complaint in the log of the standby');
is(log_complaints($primary), '', 'no complaint in the log of the primary');
$standby->stop;

# it can be cancelled, and the table is as it was
$primary->safe_psql('postgres', q(
CREATE TABLE long (a int, b text) USING retldb WITH (row_store_rows = 10000000, row_group_rows = 1000000);
INSERT INTO long SELECT i, repeat(md5(i::text), 5) FROM generate_series(1, 60000) i));
($state) = sqlstate($primary, "SET statement_timeout = '20ms'; CALL retldb.compact('long')");
is($state, '57014', 'compaction was cancelled');
is($primary->safe_psql('postgres', 'SELECT count(*), sum(a), count(DISTINCT b) FROM long'),
	'60000|1800030000|60000', 'and all rows are there');
verify_clean($primary, 'long', 'cancelled');
$primary->stop;

# logical decoding
my $logical = new_server('logical', allows_streaming => 'logical');
$logical->start;
$logical->safe_psql('postgres', q(
CREATE EXTENSION retldb;
CREATE TABLE decoded (a int, b text) USING retldb WITH (row_store_rows = 10000);
ALTER TABLE decoded ALTER b SET STORAGE EXTERNAL;
INSERT INTO decoded SELECT i, repeat(md5(i::text), 100) FROM generate_series(1, 200) i;
VACUUM decoded;
SELECT pg_create_logical_replication_slot('changes', 'test_decoding');
INSERT INTO decoded VALUES (0, 'decoded')));
$logical->safe_psql('postgres', "CALL retldb.compact('decoded')");
is($logical->safe_psql('postgres', "SELECT count(*) FROM retldb.row_groups('decoded')"), '1', 'compacted');
is($logical->safe_psql('postgres', "SELECT data FROM pg_logical_slot_get_changes('changes', NULL, NULL, 'skip-empty-xacts', '1', 'include-xids', '0')"),
	"BEGIN\ntable public.decoded: INSERT: a[integer]:0 b[text]:'decoded'\nCOMMIT", 'logical decoding sees the insert only');
$logical->stop;

done_testing();
