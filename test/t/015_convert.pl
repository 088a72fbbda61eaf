# Tables are converted while others change them, while others hold locks, and
# while the conversion is cancelled or the server killed.  Every transaction does
# the same to a heap twin, so the two are equal whatever happens; and a standby
# has the same in the end.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use RetldbTest;

my $rounds = int(($ENV{RETLDB_CRASH_ROUNDS} || 8) / 2) || 1;
my $clients = 3;
seed_random();

my $primary = new_server('converting', allows_streaming => 1, conf => q(
autovacuum_naptime = 1s
retldb.row_store_rows = 20
retldb.row_group_rows = 3000
retldb.vector_rows = 128
));
$primary->start;
$primary->safe_psql('postgres', q(
CREATE EXTENSION retldb;
CREATE TABLE r (client int, id int, v text, n numeric) USING heap;
CREATE TABLE h (client int, id int, v text, n numeric) USING heap;
CREATE INDEX r_id ON r (id);
SELECT pg_create_physical_replication_slot('standby', true);
));
my $difference = make_twins($primary, 'r', 'h');
my $standby = start_standby('converted', $primary, "primary_slot_name = 'standby'\nmax_standby_streaming_delay = -1");

$primary->safe_psql('postgres',
	q(CALL on_both('INSERT INTO {t} SELECT i % 3, i, ''row '' || i, i / 8.0 FROM generate_series(1, 60000) i')));

# A change of some of a client's rows.
sub change
{
	my ($client) = @_;
	my @conditions = ('id % 997 = ' . int rand 997, random_range(60000, 60));

	return random_change($client, \@conditions, 'DELETE FROM {t} WHERE {where}', random_rows($client, 60000, 100));
}

# A client's transactions.
sub transactions
{
	my ($client, $count) = @_;
	my $sql = '';

	for my $number (1 .. $count)
	{
		my $around = int rand 4;

		$sql .= "BEGIN;\n" . change($client);
		$sql .= "SAVEPOINT s;\n" . change($client) . "ROLLBACK TO s;\n" if $around == 0;
		$sql .= change($client) if $around == 1;
		$sql .= $around == 2 ? "ROLLBACK;\n" : "COMMIT;\n";
	}
	return $sql;
}

my $method = q(SELECT amname FROM pg_class c JOIN pg_am a ON a.oid = relam WHERE c.oid = 'r'::regclass);

my $others = q(SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid());

# The twins are equal, and nothing is left of a conversion that did not end.
sub check
{
	my ($what) = @_;

	is($primary->safe_psql('postgres', $difference), '0', "$what: equal");
	is($primary->safe_psql('postgres', "SET enable_seqscan = off; SET retldb.enable_columnar_scan = off;\n"
		. 'SELECT count(*) FROM (SELECT i, (SELECT count(*) FROM r WHERE r.id = i) AS found FROM generate_series(1, 60000, 77) i) r '
		. 'LEFT JOIN (SELECT id, count(*) AS rows FROM h GROUP BY id) h ON h.id = i WHERE found <> coalesce(rows, 0)'),
		'0', "$what: by index");
	is($primary->safe_psql('postgres', q(SELECT count(*) FROM pg_class WHERE relname LIKE 'pg\_temp\_%' OR relrewrite <> 0)),
		'0', "$what: no other table is left");
	is($primary->safe_psql('postgres', 'SELECT count(*) FROM retldb.progress_convert'), '0', "$what: nothing goes on");
	verify_clean($primary, 'r', $what) if $primary->safe_psql('postgres', $method) eq 'retldb';
}

# The other access method.
sub other
{
	return $primary->safe_psql('postgres', $method) eq 'heap' ? 'retldb' : 'heap';
}

# Wait until a conversion is in a phase.
sub wait_for_phase
{
	my ($phase) = @_;

	return $primary->poll_query_until('postgres', "SELECT EXISTS (SELECT FROM retldb.progress_convert WHERE phase = '$phase')");
}

# --- writers that do not stop ---
{
	my @scripts = map { start_script($primary, transactions($_, 200)) } 0 .. $clients - 1;
	my $conversions = 0;
	my %caught_up = (removed => 0, added => 0);

	while ($conversions < 4 || $primary->safe_psql('postgres', $others) > 0)
	{
		my ($result, $out, $err) = $primary->psql('postgres',
			"SET client_min_messages = debug1;\nCALL retldb.convert('r', '" . other() . "')");
		is($result, 0, 'converted under writers') or diag($err);
		if ($err =~ /catches up: (\d+) rows removed, (\d+) added/)
		{
			$caught_up{removed} += $1;
			$caught_up{added} += $2;
		}
		last if ++$conversions >= 40;
	}
	for my $script (@scripts)
	{
		finish_script($script);
		is($script->{err}, '', 'writers had no error');
	}
	note("$conversions conversions, caught up: $caught_up{removed} rows removed, $caught_up{added} added");
	cmp_ok($_, '>', 0, 'there were changes to catch up with') for values %caught_up;
	check('writers');
}

# --- nobody waits while rows are copied, or others are waited for ---
{
	my $writer = start_script($primary, "BEGIN;\nCALL on_both('UPDATE {t} SET n = n + 1 WHERE id = 17');\n"
		. q(DO $$ BEGIN WHILE NOT EXISTS (SELECT FROM pg_class WHERE relname = 'go_on') LOOP PERFORM pg_sleep(0.1); END LOOP; END $$;) . "\nCOMMIT;\n");
	$primary->poll_query_until('postgres', q(SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep')));
	my $converter = start_script($primary, "CALL retldb.convert('r', '" . other() . "');\n");

	ok(wait_for_phase('waiting for others'), 'the conversion waits for a writer');
	is((sqlstate($primary, "SET lock_timeout = '1s'; CALL on_both('UPDATE {t} SET n = n + 1 WHERE id = 18'); SELECT count(*) FROM r"))[0],
		'', 'and nobody for the conversion');
	is((sqlstate($primary, "SET lock_timeout = '1s'; ALTER TABLE r ADD COLUMN x int"))[0], '55P03', 'but DDL');
	$primary->safe_psql('postgres', 'CREATE TABLE go_on ()');
	finish_script($writer);
	finish_script($converter);
	is($converter->{err}, '', 'then it goes on');
	check('waiting');
}

# --- who has read before the exchange and writes then is in nobody's way ---
{
	my $both = start_script($primary, "BEGIN;\nSELECT count(*) FROM r;\nSELECT pg_sleep(12);\nCALL on_both('UPDATE {t} SET n = n + 1 WHERE id = 17');\nCOMMIT;\n");

	$primary->poll_query_until('postgres', q(SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep')));
	my ($state, $message) = sqlstate($primary, "CALL retldb.convert('r', '" . other() . "')");
	is($state, '', 'a reader that becomes a writer: converted') or diag($message);
	finish_script($both);
	is($both->{err}, '', 'and the other had no error');
	check('reader and writer');
}

# --- readers that do not end: lock_timeout, and the conversion is undone ---
{
	my $before = $primary->safe_psql('postgres', $method);
	my $reader = start_script($primary, "BEGIN;\nSELECT count(*) FROM r;\nSELECT pg_sleep(100);\nCOMMIT;\n");

	$primary->poll_query_until('postgres', q(SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep')));
	is((sqlstate($primary, "SET lock_timeout = '500ms'; CALL retldb.convert('r', '" . other() . "')"))[0], '55P03', 'a reader is in the way');
	is($primary->safe_psql('postgres', $method), $before, 'nothing has changed');
	$primary->safe_psql('postgres', q(SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'));
	finish_script($reader);
	check('reader');
}

# --- others than the owner do not come as far as a lock ---
{
	my $locker = start_script($primary, "BEGIN;\nLOCK TABLE r IN SHARE UPDATE EXCLUSIVE MODE;\nSELECT pg_sleep(100);\n");

	$primary->safe_psql('postgres', 'CREATE ROLE stranger');
	$primary->poll_query_until('postgres', q(SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep')));
	is((sqlstate($primary, "SET ROLE stranger; SET lock_timeout = '2s'; CALL retldb.convert('r', '" . other() . "')"))[0], '42501', 'a stranger does not wait');
	$primary->safe_psql('postgres', q(SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'));
	finish_script($locker);
}

# --- cancelled in every phase that lasts ---
for my $phase ('copying rows', 'waiting for others')
{
	my $before = $primary->safe_psql('postgres', $method);
	my $blocker = start_script($primary, "BEGIN;\nCALL on_both('DELETE FROM {t} WHERE id = 19');\nSELECT pg_sleep(100);\n");

	$primary->poll_query_until('postgres', q(SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep')));
	my $converter = start_script($primary, "CALL retldb.convert('r', '" . other() . "');\n");
	wait_for_phase($phase) if $phase ne 'copying rows';
	$primary->poll_query_until('postgres', 'SELECT count(pg_cancel_backend(pid)) > 0 FROM retldb.progress_convert');
	finish_script($converter);
	like($converter->{err}, qr/canceling statement/, "cancelled $phase");
	$primary->safe_psql('postgres', q(SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'));
	finish_script($blocker);
	is($primary->safe_psql('postgres', $method), $before, "cancelled $phase: nothing has changed");
	check("cancelled $phase");
}

# --- killed ---
for my $round (1 .. $rounds)
{
	my @scripts = map { start_script($primary, transactions($_, 100)) } 0 .. $clients - 1;
	push @scripts, start_script($primary, "CALL retldb.convert('r', 'retldb');\nCALL retldb.convert('r', 'heap');\n" x 20);
	select(undef, undef, undef, 0.2 + rand 1.5);
	crash_and_restart($primary, sub { finish_script($_) for @scripts });
	check("killed, round $round");
}

$primary->wait_for_catchup($standby);
is($standby->safe_psql('postgres', $difference), '0', 'standby: equal');
is((sqlstate($standby, "CALL retldb.convert('r', '" . other() . "')"))[0], '25006', 'standby: read-only');
$primary->safe_psql('postgres', "CALL retldb.convert('r', '" . other() . "')");
$primary->wait_for_catchup($standby);
is($standby->safe_psql('postgres', $difference), '0', 'standby: equal after another conversion');
is(log_complaints($primary), '', 'nothing bad in the log');
is(log_complaints($standby), '', 'nor in that of the standby');

done_testing();
