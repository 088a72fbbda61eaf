# Kill the server at random moments of updates, deletions, locks and vacuum of
# rows in row groups and in the row store, again and again.  Every transaction
# does the same to a heap twin, so the two are equal after each recovery; what was
# acknowledged is there; and a standby, which compares each replayed page with its
# image, has the same in the end.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use RetldbTest;

my $rounds = $ENV{RETLDB_CRASH_ROUNDS} || 8;
my $clients = 3;
seed_random();

my $primary = new_server('primary', allows_streaming => 1, conf => q(
wal_consistency_checking = 'heap, btree, generic'
autovacuum_naptime = 1s
checkpoint_timeout = 30s
max_wal_size = 256MB
retldb.row_store_rows = 20
retldb.row_group_rows = 3000
retldb.vector_rows = 128
));
$primary->start;
$primary->safe_psql('postgres', q(
CREATE EXTENSION retldb;
CREATE TABLE r (client int, id int, v text, n numeric) USING retldb;
CREATE TABLE h (client int, id int, v text, n numeric) USING heap;
CREATE TABLE log (client int, number int) USING heap;
SELECT pg_create_physical_replication_slot('standby', true);
));
my $difference = make_twins($primary, 'r', 'h');
my $standby = start_standby('standby', $primary, "primary_slot_name = 'standby'\nhot_standby_feedback = on\nwal_receiver_status_interval = 1s");

$primary->safe_psql('postgres',
	q(CALL on_both('INSERT INTO {t} SELECT i % 3, i, ''row '' || i, i / 8.0 FROM generate_series(1, 30000) i')));

# A change of some of a client's rows.
sub change
{
	my ($client) = @_;
	my $some = 'id % 211 = ' . int rand 211;
	my $range = random_range(40000, 150);
	# the last two are of so many that their stubs are made many at once
	my @conditions = ($some, $range, $some, $range, 'id % 5 = ' . int rand 5, random_range(40000, 4000));

	return random_change($client, \@conditions,
		"UPDATE {t} SET v = repeat(''long '', 800), id = id + 1 WHERE {where} AND id % 50 = 0",
		'DELETE FROM {t} WHERE {where}',
		'DELETE FROM {t} WHERE {where} AND n::int % 2 = 0',
		random_rows($client, 40000, 300));
}

# A transaction of a client; a line "done" follows when it is committed.
sub transaction
{
	my ($client, $number) = @_;
	my $around = int rand 6;
	my $sql = "BEGIN;\n" . change($client);

	$sql .= "SAVEPOINT s;\n" . change($client) . change($client) . "ROLLBACK TO s;\n" if $around == 0;
	$sql .= "SAVEPOINT s;\n" . change($client) . "RELEASE s;\n" if $around == 1;
	$sql .= "SELECT count(*) FROM (SELECT FROM r WHERE client = $client AND id % 50 = 3 FOR UPDATE) l;\n" . change($client) if $around == 2;
	$sql .= change($client);
	# last, for nobody must wait for somebody while he holds these
	$sql .= sprintf("SELECT count(*) FROM (SELECT FROM r WHERE id BETWEEN %d AND %d FOR KEY SHARE SKIP LOCKED) l;\n", map { ($_, $_ + 40) } int rand 40000)
	  if rand() < 0.3;
	$sql .= "INSERT INTO log VALUES ($client, $number);\n";
	return $sql . ($around == 3 ? "PREPARE TRANSACTION 'client_${client}_$number';\nCOMMIT PREPARED 'client_${client}_$number';\n" : "COMMIT;\n")
	  . "\\echo done $client $number\n"
	  . ($around == 4 ? "BEGIN;\n" . change($client) . change($client) . "ROLLBACK;\n" : '');
}

my $contents = q(SELECT count(*), md5(string_agg(r::text, ' ' ORDER BY client, id, v, n)) FROM r);
my %acknowledged;
my $next = 1;

for my $round (1 .. $rounds)
{
	my @scripts;
	for my $client (0 .. $clients - 1)
	{
		my $sql = '';
		$sql .= transaction($client, $next++) for 1 .. 60;
		push @scripts, start_script($primary, $sql);
	}
	push @scripts, start_script($primary, "VACUUM r;\nSELECT pg_sleep(0.05);\nCHECKPOINT;\nSELECT count(*) FROM r;\n" x 50);
	select(undef, undef, undef, 0.3 + rand 2);
	# a slow machine may not have committed anything by then
	$primary->poll_query_until('postgres', "SELECT count(*) > 2 * $rounds FROM log") if $round == $rounds;
	crash_and_restart($primary, sub {
		for my $script (@scripts)
		{
			my $out = finish_script($script);
			$acknowledged{"$1|$2"} = 1 while $out =~ /^done (\d+) (\d+)$/mg;
			is(errors_of($script), '', "round $round: no error of a session");
		}
	});
	# whoever was prepared still has his locks
	my @prepared = split /\n/, $primary->safe_psql('postgres', 'SELECT gid FROM pg_prepared_xacts');
	$primary->safe_psql('postgres', "COMMIT PREPARED '$_'") for @prepared;

	is($primary->safe_psql('postgres', $difference), '0', "round $round: table and twin are equal");
	my %there = map { $_ => 1 } split /\n/, $primary->safe_psql('postgres', 'SELECT client, number FROM log');
	my @lost = grep { !$there{$_} } keys %acknowledged;
	is("@lost", '', "round $round: all " . keys(%acknowledged) . ' acknowledged transactions are there');
	verify_clean($primary, 'r', "round $round");
}
cmp_ok(scalar(keys %acknowledged), '>', $rounds, 'transactions were committed');
cmp_ok($primary->safe_psql('postgres', q(SELECT count(*) FROM retldb.row_groups('r'))), '>', 5, 'there are row groups');

# nothing comes back when everything dead is gone
$primary->safe_psql('postgres', 'VACUUM (FREEZE) r');
is($primary->safe_psql('postgres', $difference), '0', 'table and twin are equal after VACUUM');
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));
is($standby->safe_psql('postgres', $difference), '0', 'table and twin are equal on the standby');
is($standby->safe_psql('postgres', $contents), $primary->safe_psql('postgres', $contents), 'standby equals primary');
verify_clean($standby, 'r', 'standby');

# a snapshot of the standby keeps what it sees; the primary knows of it soon
my $reader = $standby->background_psql('postgres', on_error_stop => 0);
my $before = answer($reader, "BEGIN ISOLATION LEVEL REPEATABLE READ; $contents");
sleep 3;
$primary->safe_psql('postgres', "CALL on_both('DELETE FROM {t} WHERE id % 2 = 0'); CALL on_both('UPDATE {t} SET n = -1 WHERE id % 3 = 0')");
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));
is(answer($reader, $contents), $before, 'a snapshot of the standby does not change');
$reader->query_safe('COMMIT');
$reader->quit;
is($standby->safe_psql('postgres', $difference), '0', 'a new one sees the changes');

is(log_complaints($standby), '', 'no complaint in the log of the standby');
is(log_complaints($primary), '', 'no complaint in the log of the primary');

done_testing();
