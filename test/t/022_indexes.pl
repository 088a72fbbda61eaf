# Kill the server at random moments of upserts, deletions, loads that are committed
# or aborted, vacuum and compaction of a table with a primary key and secondary indexes, again
# and again.  Every transaction does the same to a heap twin.  After each recovery
# all ways to the rows lead to the same ones, no key is there twice, and amcheck finds
# an entry for each row.  Meanwhile this server and a standby, which compares each replayed
# page with its image, are asked by several ways in one snapshot.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use RetldbTest;

my $rounds = $ENV{RETLDB_CRASH_ROUNDS} || 6;
my $clients = 3;
seed_random();

# not of hash indexes: their records of VACUUM then have an image of a page that is not
# locked, so that its checksum may be wrong, in any table
my $primary = new_server('primary', allows_streaming => 1, conf => q(
wal_consistency_checking = 'heap, btree, gin, generic'
autovacuum_naptime = 1s
checkpoint_timeout = 30s
max_wal_size = 256MB
retldb.row_store_rows = 20
retldb.row_group_rows = 3000
retldb.vector_rows = 128
));
$primary->start;
my $amcheck = $primary->safe_psql('postgres', q(SELECT count(*) FROM pg_available_extensions WHERE name = 'amcheck'));
$primary->safe_psql('postgres', q(
CREATE EXTENSION retldb;
CREATE TABLE r (client int, id int PRIMARY KEY, v text, n numeric) USING retldb;
CREATE TABLE h (client int, id int PRIMARY KEY, v text, n numeric) USING heap;
CREATE INDEX r_n ON r (n);
CREATE INDEX r_v ON r USING hash (v);
CREATE INDEX r_words ON r USING gin (string_to_array(v, ' '));
CREATE TABLE log (client int, number int) USING heap;
CREATE TABLE asked (round int) USING heap;
-- how often the key is refused
CREATE FUNCTION refused(command text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE command;
	RETURN 'accepted';
EXCEPTION WHEN unique_violation THEN
	RETURN 'refused';
END $$;
SELECT pg_create_physical_replication_slot('standby');
));
my $difference = make_twins($primary, 'r', 'h');
$primary->safe_psql('postgres', 'CREATE EXTENSION amcheck') if $amcheck;
my $standby = start_standby('standby', $primary, "primary_slot_name = 'standby'\nhot_standby_feedback = on\nwal_receiver_status_interval = 1s");

$primary->safe_psql('postgres',
	q(CALL on_both('INSERT INTO {t} SELECT i % 3, i, ''row '' || i % 1000, i / 8.0 FROM generate_series(1, 30000) i')));

# Keys of a client from a place on: two clients never change the same rows in
# different orders.
sub keys_of
{
	my ($client, $first, $count) = @_;

	return sprintf('SELECT %d, i, \'\'new \'\' || i %% 1000, 0 FROM generate_series(%d, %d, %d) i',
		$client, $first - $first % $clients + $client, $first + $count * $clients, $clients);
}

# A change of some of a client's rows.
sub change
{
	my ($client, $number) = @_;
	my $first = int rand 40000;
	my $range = sprintf('client = %d AND id BETWEEN %d AND %d', $client, $first, $first + 150);
	my @changes = (
		"INSERT INTO {t} AS m " . keys_of($client, $first, 50) . " ON CONFLICT (id) DO UPDATE SET n = m.n + 1, v = EXCLUDED.v",
		"INSERT INTO {t} AS m " . keys_of($client, $first, 400) . " ON CONFLICT (id) DO UPDATE SET n = m.n + 1 WHERE m.id % 2 = 0",
		"INSERT INTO {t} " . keys_of($client, $first, 50) . " ON CONFLICT DO NOTHING",
		"UPDATE {t} SET n = n + 1 WHERE $range",
		"UPDATE {t} SET v = v || ''+'' WHERE $range",
		"DELETE FROM {t} WHERE $range",
		"MERGE INTO {t} m USING (" . keys_of($client, $first, 60) . ") s(client, id, v, n) ON m.id = s.id "
		  . "WHEN MATCHED AND m.id % 5 = 0 THEN DELETE WHEN MATCHED THEN UPDATE SET n = -m.n WHEN NOT MATCHED THEN INSERT VALUES (s.client, s.id, s.v, s.n)");

	return "CALL on_both('" . $changes[ int rand @changes ] . "');\n";
}

# A load of rows with new keys, or the same one, which comes to nothing.
sub load
{
	my ($client, $number) = @_;
	my $rows = (10, 200, 1500, 4000)[ int rand 4 ];
	my $program = "perl -e 'printf qq($client\\t%d\\tload %d\\t0.5\\n), 1000000 + 10000 * $number + \$_, \$_ % 100 for 1 .. $rows'";

	return join '', map { "COPY $_ FROM PROGRAM \$\$$program\$\$;\n" } 'r', 'h';
}

# A transaction of a client; a line "done" follows when it is committed.
sub transaction
{
	my ($client, $number) = @_;
	my $around = int rand 7;
	my $sql = "BEGIN;\n" . change($client);

	$sql .= "SAVEPOINT s;\n" . load($client, $number) . "ROLLBACK TO s;\n" if $around == 0;
	$sql .= "SAVEPOINT s;\n" . change($client) . change($client) . "ROLLBACK TO s;\n" if $around == 1;
	$sql .= "SAVEPOINT s;\n" . change($client) . "RELEASE s;\n" if $around == 2;
	$sql .= load($client, $number) if $around == 3 || rand() < 0.1;
	# a key that is there is refused, by both
	$sql .= sprintf("SELECT 'differ' WHERE refused('INSERT INTO r SELECT %d, max(id) FROM r WHERE client = %d AND id < 50000') <> "
		  . "refused('INSERT INTO h SELECT %d, max(id) FROM h WHERE client = %d AND id < 50000');\n", ($client) x 4)
	  if rand() < 0.2;
	$sql .= "INSERT INTO log VALUES ($client, $number);\n";
	return $sql . ($around == 4 ? "PREPARE TRANSACTION 'client_${client}_$number';\nCOMMIT PREPARED 'client_${client}_$number';\n" : "COMMIT;\n")
	  . "\\echo done $client $number\n"
	  . ($around == 5 ? "BEGIN;\n" . load($client, $number + 5000) . change($client) . "ROLLBACK;\n" : '');
}

my $summary = q(SELECT count(*), count(DISTINCT id), sum(id::bigint), sum(n), sum(length(v)) FROM r);
# the same rows by one way each
my %ways = (
	index => "SET enable_seqscan = off; SET enable_bitmapscan = off; $summary WHERE id > 0",
	bitmap => "SET enable_seqscan = off; SET enable_indexscan = off; $summary WHERE id > 0",
	other => "SET enable_seqscan = off; SET enable_indexscan = off; $summary WHERE n IS NOT NULL AND n > -1e9",
	words => "SET enable_seqscan = off; $summary WHERE string_to_array(v, ' ') && ARRAY['row', 'new', 'load']",
	columnar => "SET enable_indexscan = off; SET enable_bitmapscan = off; $summary");

# All ways to the rows of a server lead to the same ones.
sub ways_agree
{
	my ($node, $what) = @_;
	my $expected = $node->safe_psql('postgres', $summary =~ s/FROM r/FROM h/r);

	is($node->safe_psql('postgres', $ways{$_}), $expected, "$what: $_ finds the twin's rows") for sort keys %ways;
	is($node->safe_psql('postgres', $difference), '0', "$what: table and twin are equal");
}

# What both servers are asked all the time: several ways in one snapshot.
my $question = join ";\n", 'BEGIN ISOLATION LEVEL REPEATABLE READ', "SELECT 'question'",
  map({ my $sql = $ways{$_}; $sql =~ s/SET /SET LOCAL /g; $sql } 'index'), 'SET LOCAL enable_seqscan = on',
  map({ my $sql = $ways{$_}; $sql =~ s/SET /SET LOCAL /g; $sql } 'columnar'),
  "SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = on; $summary WHERE n IS NOT NULL AND n > -1e9", 'COMMIT;';

my %acknowledged;
my @answers = (0, 0);
my %answers;
my $next = 1;

for my $round (1 .. $rounds)
{
	my @scripts;
	for my $client (0 .. $clients - 1)
	{
		my $sql = '';
		$sql .= transaction($client, $next++) for 1 .. 40;
		push @scripts, start_script($primary, $sql);
	}
	push @scripts, start_script($primary, "VACUUM r;\nSELECT pg_sleep(0.05);\nCHECKPOINT;\nCALL retldb.compact('r');\nVACUUM (INDEX_CLEANUP ON) r;\n" x 50);
	my @readers = (start_script($standby, "$question\n" x 10), start_script($primary, "$question\nINSERT INTO asked VALUES ($round);\n" x 10));
	select(undef, undef, undef, 0.5 + rand 3);
	# a slow machine may not have answered anything by then
	$primary->poll_query_until('postgres', 'SELECT count(*) > 0 FROM asked') if $round == $rounds;
	crash_and_restart($primary, sub {
		for my $script (@scripts)
		{
			my $out = finish_script($script);
			$acknowledged{"$1|$2"} = 1 while $out =~ /^done (\d+) (\d+)$/mg;
			is(errors_of($script), '', "round $round: no error of a session");
			unlike($out, qr/differ/, "round $round: keys are refused as in heap");
		}
	});
	# whoever was prepared still has his locks
	my @prepared = split /\n/, $primary->safe_psql('postgres', 'SELECT gid FROM pg_prepared_xacts');
	$primary->safe_psql('postgres', "COMMIT PREPARED '$_'") for @prepared;

	ways_agree($primary, "round $round");
	my %there = map { $_ => 1 } split /\n/, $primary->safe_psql('postgres', 'SELECT client, number FROM log');
	my @lost = grep { !$there{$_} } keys %acknowledged;
	is("@lost", '', "round $round: all " . keys(%acknowledged) . ' acknowledged transactions are there');
	verify_clean($primary, 'r', "round $round");
	is($primary->safe_psql('postgres', "SELECT bt_index_parent_check('r_pkey', true), bt_index_check('r_n', true)"), '|',
		"round $round: B-trees have all rows") if $amcheck;

	for my $reader (@readers)
	{
		for my $answer (split /^question$/m, finish_script($reader))
		{
			my @lines = grep { length } split /\n/, $answer;
			next if @lines < 3;
			$answers{$reader}++;
			is("@lines[1, 2]", "$lines[0] $lines[0]", "round $round: answers in one snapshot agree");
		}
		$answers[ $reader == $readers[0] ? 0 : 1 ] += $answers{$reader} // 0;
		is(errors_of($reader), '', "round $round: no other error of a reader");
	}
}
cmp_ok(scalar(keys %acknowledged), '>', $rounds, 'transactions were committed');
cmp_ok($answers[0], '>', 0, 'the standby has answered');
cmp_ok($answers[1], '>', 0, 'the primary has answered');
cmp_ok($primary->safe_psql('postgres', q(SELECT count(*) FROM retldb.row_groups('r'))), '>', 5, 'there are row groups');

# what VACUUM leaves: entries of rows that are there, and no others
$primary->safe_psql('postgres', 'VACUUM (FREEZE, INDEX_CLEANUP ON) r');
ways_agree($primary, 'after VACUUM');
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));
ways_agree($standby, 'standby');
verify_clean($standby, 'r', 'standby');
is($standby->safe_psql('postgres', "SELECT bt_index_check('r_pkey', true), bt_index_check('r_n', true)"), '|', 'B-trees of the standby have all rows')
  if $amcheck;

is(log_complaints($standby), '', 'no complaint in the log of the standby');
is(log_complaints($primary), '', 'no complaint in the log of the primary');

done_testing();
