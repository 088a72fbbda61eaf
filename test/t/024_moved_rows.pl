# Compaction between sessions that change, lock and upsert rows of tables with
# indexes, through crashes: every transaction does the same to heap twins, which are
# equal to the tables in every snapshot, on a standby as well; no key is there twice
# or lost, no reference without its row; nobody gets an error that heap has not.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use RetldbTest;

my $rounds = $ENV{RETLDB_CRASH_ROUNDS} || 6;
my $clients = 4;
seed_random();

# not of hash indexes: see 022_indexes.pl
my $primary = new_server('primary', allows_streaming => 1, conf => q(
wal_consistency_checking = 'heap, btree, generic'
autovacuum_naptime = 1s
checkpoint_timeout = 30s
max_wal_size = 256MB
retldb.row_store_rows = 50
retldb.row_group_rows = 3000
retldb.vector_rows = 128
));
$primary->start;
$primary->safe_psql('postgres', q(
CREATE EXTENSION retldb;
CREATE EXTENSION amcheck;
CREATE TABLE r (client int, id int, v text, n numeric) USING retldb;
CREATE TABLE h (client int, id int, v text, n numeric) USING heap;
CREATE INDEX r_id ON r (id);
CREATE INDEX r_v ON r (upper(v), client);
CREATE INDEX r_n ON r (n) WHERE client = 1;
CREATE INDEX r_hash ON r USING hash (id);
CREATE TABLE ru (k int PRIMARY KEY, n bigint) USING retldb;
CREATE TABLE hu (k int PRIMARY KEY, n bigint) USING heap;
CREATE TABLE rf (id int, k int REFERENCES ru) USING retldb;
CREATE TABLE log (client int, number int) USING heap;
CREATE TABLE completed (round int) USING heap;
SELECT pg_create_physical_replication_slot('standby');
));
my $difference = make_twins($primary, 'r', 'h');
my $standby = start_standby('standby', $primary, "primary_slot_name = 'standby'\nmax_standby_streaming_delay = 100ms");

$primary->safe_psql('postgres', q(
CALL on_both('INSERT INTO {t} SELECT i % 4, i, ''row '' || i, i / 8.0 FROM generate_series(1, 20000) i');
CALL on_both('INSERT INTO {t}u SELECT i, 0 FROM generate_series(1, 3000) i')));

# A change of some rows: of the client's own, or of keys that all clients change.
sub change
{
	my ($client) = @_;
	my $key = int rand 4000;
	return "CALL change_key($key, 'UPDATE {t} SET n = n + 1 WHERE k = $key');\n" if rand() < 0.125;
	my $upsert = "INSERT INTO {t}u SELECT i, 1 FROM generate_series($key, $key + 20) i ON CONFLICT (k) DO UPDATE SET n = {t}u.n + 1";

	return random_change($client, [ random_range(30000, 100) ],
		"UPDATE {t} SET v = repeat(''long '', 800), id = id + 1 WHERE {where} AND id % 20 = 0",
		'DELETE FROM {t} WHERE {where} AND n::int % 2 = 0',
		random_rows($client, 30000, 40),
		$upsert, $upsert);
}

# A transaction of a client; a line "done" follows when it is committed.
sub transaction
{
	my ($client, $number) = @_;
	my $around = int rand 6;
	my $key = int rand 4000;
	my $sql = "BEGIN;\n";

	$sql .= "SAVEPOINT s;\n" . change($client) . "ROLLBACK TO s;\n" if $around == 0;
	$sql .= "SELECT count(*) FROM (SELECT FROM r WHERE client = $client AND id % 50 = 3 FOR UPDATE) l;\n" if $around == 2;
	# shared keys last, so that nobody waits for somebody who waits for him
	$sql .= change($client);
	$sql .= "INSERT INTO log VALUES ($client, $number);\nCOMMIT;\n\\echo done $client $number\n";
	$sql .= "BEGIN;\n" . change($client) . "ROLLBACK;\n" if $around == 4;
	$sql .= "DO \$\$ BEGIN INSERT INTO rf VALUES ($number, $key); EXCEPTION WHEN foreign_key_violation THEN NULL; END \$\$;\n" if $around == 1;
	$sql .= "CALL delete_key($key);\n" if $around == 3;
	return $sql;
}

# both twins or none; whether a key is referenced depends on rf only
$primary->safe_psql('postgres', q(
-- Between the two commands another one may commit a new row of the key, which only the second
-- would find.  Who changes both twins' rows changes ru's first; so the row of hu is the same
-- as long as that of ru is.
CREATE PROCEDURE change_key(key int, command text) LANGUAGE plpgsql AS $$
DECLARE
	before text := (SELECT format('%s %s', xmin, ctid) FROM hu WHERE k = key);
	changed int;
BEGIN
	EXECUTE replace(command, '{t}', 'ru');
	GET DIAGNOSTICS changed = ROW_COUNT;
	IF changed > 0 THEN
		EXECUTE replace(command, '{t}', 'hu');
	ELSIF before = (SELECT format('%s %s', xmin, ctid) FROM hu WHERE k = key) THEN
		RAISE 'key % was not found', key;
	END IF;
END $$;
CREATE PROCEDURE delete_key(key int) LANGUAGE plpgsql AS $$
BEGIN
	CALL change_key(key, 'DELETE FROM {t} WHERE k = ' || key);
EXCEPTION WHEN foreign_key_violation THEN NULL;
END $$));

$difference .= q(
    + (SELECT count(*) FROM (TABLE ru EXCEPT ALL TABLE hu) c) + (SELECT count(*) FROM (TABLE hu EXCEPT ALL TABLE ru) d)
    + (SELECT count(*) FROM rf WHERE NOT EXISTS (SELECT FROM ru WHERE ru.k = rf.k)));
my $look = "DO \$\$ BEGIN IF ($difference) > 0 THEN RAISE 'reader has found % differences', ($difference); END IF; END \$\$;\n";
my $reader = "\\set ON_ERROR_STOP 0\n" . ("BEGIN ISOLATION LEVEL REPEATABLE READ;\n${look}SELECT pg_sleep(0.05);\n${look}COMMIT;\n" x 200);
my $contents = q(SELECT count(*), md5(string_agg(r::text, ' ' ORDER BY client, id, v, n)) FROM r);
my %acknowledged;
my $next = 1;

sub check
{
	my ($node, $what) = @_;

	is($node->safe_psql('postgres', $difference), '0', "$what: tables and twins are equal");
	# what the indexes say
	is($node->safe_psql('postgres', q(
SET enable_seqscan = off; SET retldb.enable_columnar_scan = off; SET enable_bitmapscan = off;
SELECT (SELECT count(*) FROM r WHERE id > 0) - (SELECT count(*) FROM h WHERE id > 0) + (SELECT count(*) FROM r WHERE upper(v) > '') - (SELECT count(*) FROM h WHERE upper(v) > '')
     + (SELECT count(*) FROM r WHERE client = 1 AND n > -1) - (SELECT count(*) FROM h WHERE client = 1 AND n > -1)
     + (SELECT count(*) FROM generate_series(1, 4100) i WHERE (SELECT n FROM ru WHERE k = i) IS DISTINCT FROM (SELECT n FROM hu WHERE k = i)))),
		'0', "$what: the indexes find the same");
	return;
}

for my $round (1 .. $rounds)
{
	my @writers;
	my @others;

	for my $client (0 .. $clients - 1)
	{
		my $sql = '';
		$sql .= transaction($client, $next++) for 1 .. 300;
		push @writers, start_script($primary, $sql);
	}
	push @others, start_script($primary, "CALL retldb.compact('r');\nINSERT INTO completed VALUES ($round);\nCALL retldb.compact('ru');\nCALL retldb.compact('rf');\n" x 200);
	push @others, start_script($primary, "VACUUM r, ru, rf;\nSELECT pg_sleep(0.1);\nCHECKPOINT;\n" x 50);
	push @others, start_script($primary, $reader);
	push @others, start_script($standby, $reader);
	select(undef, undef, undef, 0.5 + rand 2);
	# a slow machine may not have compacted anything by then
	$primary->poll_query_until('postgres', 'SELECT count(*) > 0 FROM completed') if $round == $rounds;
	crash_and_restart($primary, sub {
		for my $script (@writers)
		{
			my $out = finish_script($script);
			$acknowledged{"$1|$2"} = 1 while $out =~ /^done (\d+) (\d+)$/mg;
			is(errors_of($script), '', "round $round: no error of a session");
		}
		for my $script (@others[0 .. 2])
		{
			finish_script($script);
			is(errors_of($script), '', "round $round: nothing is wrong on the primary");
		}
		$others[3]{run}->kill_kill;
		unlike(slurp_file("$others[3]{base}.err"), qr/found \d+ differences/, "round $round: nothing is wrong on the standby");
	});
	check($primary, "round $round");
	my %there = map { $_ => 1 } split /\n/, $primary->safe_psql('postgres', 'SELECT client, number FROM log');
	my @lost = grep { !$there{$_} } keys %acknowledged;
	is("@lost", '', "round $round: all " . keys(%acknowledged) . ' acknowledged transactions are there');
	verify_clean($primary, $_, "round $round") for 'r', 'ru', 'rf';
}
my $compacted = $primary->safe_psql('postgres', 'SELECT count(*) FROM completed');
cmp_ok($compacted, '>', 0, "$compacted compactions were completed next to the writers");

# in the end everything can be moved, and dead rows vanish
without_autovacuum($primary);
patient_standby($standby);
$primary->safe_psql('postgres', "CALL retldb.compact(); VACUUM r, ru, rf");
check($primary, 'compacted');
verify_clean($primary, $_, 'compacted') for 'r', 'ru', 'rf';
# groups of which less than a tenth is dead are not rewritten
is($primary->safe_psql('postgres', "SELECT (SELECT sum(rows) FROM retldb.row_groups('r') WHERE visible) BETWEEN count(*) AND count(*) / 0.85 FROM r"), 't', 'all rows are in row groups, with few dead ones');
is($primary->safe_psql('postgres', "SELECT bt_index_parent_check(c, true) FROM unnest(ARRAY['r_id', 'r_v', 'r_n', 'ru_pkey']::regclass[]) c"), "\n\n\n", 'amcheck finds nothing');
$primary->safe_psql('postgres', 'VACUUM FULL r');
check($primary, 'rewritten');
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));
check($standby, 'standby');
is($standby->safe_psql('postgres', $contents), $primary->safe_psql('postgres', $contents), 'standby equals primary');
is(log_complaints($standby), '', 'no complaint in the log of the standby');
is(log_complaints($primary), '', 'no complaint in the log of the primary');
$standby->stop;
$primary->stop;

done_testing();
