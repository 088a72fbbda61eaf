# Compaction next to sessions that never pause: merging, sorting and rewriting of
# groups, of which every row may be changed at any moment, ends; money is neither made
# nor lost, each key is there once, what deferred triggers are told is right, and
# nobody waits long; through crashes, and on a standby.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use RetldbTest;

my $rounds = $ENV{RETLDB_CRASH_ROUNDS} || 3;
my $seconds = $ENV{RETLDB_SECONDS} || 5;
my $clients = 4;
my $rows = 12000;
seed_random();

my $primary = new_server('primary', allows_streaming => 1, conf => q(
wal_consistency_checking = 'heap, btree, generic'
autovacuum = off
checkpoint_timeout = 30s
max_wal_size = 256MB
retldb.vector_rows = 128
max_connections = 40
deadlock_timeout = 100ms
));
$primary->start;
$primary->safe_psql('postgres', q(
CREATE EXTENSION retldb;
CREATE EXTENSION amcheck;
CREATE TABLE accounts (id int PRIMARY KEY, place int, balance bigint, version int) USING retldb
	WITH (row_store_rows = 0, row_group_rows = 2500, order_by = 'place');
CREATE INDEX accounts_place ON accounts (place);
CREATE TABLE bookings (id int REFERENCES accounts, client int) USING retldb WITH (row_store_rows = 0, row_group_rows = 2500);
CREATE TABLE waits (client int, what text, milliseconds float) USING heap;
CREATE TABLE completed (at timestamptz DEFAULT clock_timestamp()) USING heap;
CREATE TABLE ending (at timestamptz) USING heap;
CREATE TABLE heard (id int, op text, old bigint, new bigint) USING heap;
CREATE FUNCTION hear() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	-- the queue names rows by their places; what is fetched must be the right one
	IF tg_op = 'UPDATE' AND (old.id <> new.id OR old.version + 1 <> new.version) THEN
		RAISE 'trigger was told of % and %', old, new;
	END IF;
	INSERT INTO heard VALUES (old.id, tg_op, old.balance, CASE tg_op WHEN 'UPDATE' THEN new.balance ELSE 0 END);
	RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER hearing AFTER UPDATE ON accounts DEFERRABLE INITIALLY DEFERRED
	FOR EACH ROW WHEN (new.id % 50 = 0) EXECUTE FUNCTION hear();
-- Who waits for another that replaces a row finds it deleted, and does not see the new one;
-- so it is on heap.  It must have been replaced, then, since its version was read.
CREATE PROCEDURE must_be_replaced(ids int[], versions int[]) LANGUAGE plpgsql AS $$
BEGIN
	IF (SELECT array_agg(version ORDER BY id) FROM accounts WHERE id = ANY (ids)) IS NOT DISTINCT FROM versions THEN
		RAISE 'row % or % was not found, and nobody has replaced it', ids[1], ids[2];
	END IF;
	INSERT INTO waits VALUES (0, 'replaced meanwhile', 0);
END $$;
-- a transfer, in the order of keys, so that there is no deadlock; and other things
CREATE PROCEDURE work(client int, how int, a int, b int) LANGUAGE plpgsql AS $$
DECLARE
	began timestamptz := clock_timestamp();
	first int := least(a, b);
	second int := greatest(a, b);
	names text[] := '{transfer,replace,upsert,lock,reference,undo,range}';
	versions int[];
	locked int[];
	changed int;
BEGIN
	IF first = second THEN RETURN; END IF;
	IF how IN (0, 4) THEN
		SELECT array_agg(version ORDER BY id) INTO versions FROM accounts WHERE id IN (first, second);
	END IF;
	CASE how
	WHEN 0 THEN
		UPDATE accounts SET balance = balance - 1, version = version + 1 WHERE id = first;
		IF NOT FOUND THEN
			CALL must_be_replaced(ARRAY[first, second], versions);
		ELSE
			UPDATE accounts SET balance = balance + 1, version = version + 1 WHERE id = second;
			IF NOT FOUND THEN
				UPDATE accounts SET balance = balance + 1, version = version + 1 WHERE id = first;
				CALL must_be_replaced(ARRAY[second, second], versions[2:2]);
			END IF;
		END IF;
	WHEN 1 THEN
		BEGIN
			WITH gone AS (DELETE FROM accounts WHERE id = first RETURNING *)
				INSERT INTO accounts SELECT id, (place * 7 + 1) % 1000, balance, version + 1 FROM gone;
		EXCEPTION WHEN unique_violation OR foreign_key_violation THEN NULL;
		END;
	WHEN 2 THEN
		INSERT INTO accounts VALUES (first, 0, 0, 0) ON CONFLICT (id) DO UPDATE SET balance = accounts.balance - 5, version = accounts.version + 1;
		INSERT INTO accounts VALUES (second, 0, 0, 0) ON CONFLICT (id) DO UPDATE SET balance = accounts.balance + 5, version = accounts.version + 1;
	WHEN 3 THEN
		PERFORM FROM accounts WHERE id IN (first, second) ORDER BY id FOR UPDATE;
		UPDATE accounts SET place = (place + 13) % 1000, version = version + 1 WHERE id = second;
	WHEN 4 THEN
		BEGIN
			INSERT INTO bookings SELECT id, client FROM accounts WHERE id IN (first, second);
		EXCEPTION WHEN foreign_key_violation THEN
			CALL must_be_replaced(ARRAY[first, second], versions);
		END;
		DELETE FROM bookings bk WHERE bk.client = work.client AND bk.id % 3 = first % 3;
	WHEN 5 THEN
		BEGIN
			UPDATE accounts SET balance = balance - 100, version = version + 1 WHERE id = first;
			RAISE 'undo';
		EXCEPTION WHEN raise_exception THEN NULL;
		END;
	ELSE
		-- one after the other by an index
		SELECT array_agg(id) INTO locked FROM (SELECT id FROM accounts WHERE id BETWEEN first AND first + 20 ORDER BY id FOR NO KEY UPDATE) l;
		IF locked @> ARRAY[first, first + 1] THEN
			UPDATE accounts SET balance = balance + CASE id WHEN first THEN -3 ELSE 3 END, version = version + 1 WHERE id IN (first, first + 1);
			GET DIAGNOSTICS changed = ROW_COUNT;
			IF changed <> 2 THEN RAISE '% of two locked rows were changed', changed; END IF;
		END IF;
	END CASE;
	INSERT INTO waits VALUES (client, names[how + 1], 1000 * extract(epoch FROM clock_timestamp() - began));
END $$;
CREATE PROCEDURE writer(client int, seconds float) LANGUAGE plpgsql AS $$
DECLARE until timestamptz := clock_timestamp() + seconds * interval '1s';
BEGIN
	WHILE clock_timestamp() < until AND NOT EXISTS (SELECT FROM ending) LOOP
		CALL work(client, (random() * 6)::int, 1 + (random() * 11999)::int, 1 + (random() * 11999)::int);
		COMMIT;
	END LOOP;
END $$;
-- makes groups all the time
CREATE PROCEDURE loader(seconds float) LANGUAGE plpgsql AS $$
DECLARE until timestamptz := clock_timestamp() + seconds * interval '1s';
BEGIN
	WHILE clock_timestamp() < until AND NOT EXISTS (SELECT FROM ending) LOOP
		INSERT INTO accounts SELECT 100000 + i, random() * 1000, 0, 0 FROM generate_series(1, 300) i ON CONFLICT DO NOTHING;
		COMMIT;
		DELETE FROM accounts WHERE id > 100000 AND id % 3 = 0;
		COMMIT;
	END LOOP;
END $$;
SELECT pg_create_physical_replication_slot('standby');
));
$primary->safe_psql('postgres', "INSERT INTO accounts SELECT i, random() * 1000, 1000, 0 FROM generate_series($_ * 600 + 1, $_ * 600 + 600) i") for 0 .. $rows / 600 - 1;
my $standby = start_standby('standby', $primary, "primary_slot_name = 'standby'\nmax_standby_streaming_delay = 30s");

my $invariants = "SELECT count(*) FILTER (WHERE id <= $rows), sum(balance), count(*) - count(DISTINCT id) FROM accounts";
my $right = "$rows|" . $rows * 1000 . '|0';
my $look = "SELECT CASE WHEN (n, s, d) = ($rows, ${\($rows * 1000)}, 0) THEN 'right' ELSE format('WRONG %s %s %s', n, s, d) END FROM ($invariants) x(n, s, d);\n";
my $reader = ("BEGIN ISOLATION LEVEL REPEATABLE READ;\n${look}SELECT pg_sleep(0.05);\n${look}COMMIT;\nSET enable_seqscan = off; SET retldb.enable_columnar_scan = off;\n"
	. "SELECT CASE WHEN count(*) = $rows THEN 'right' ELSE 'WRONG by index ' || count(*) END FROM accounts WHERE id BETWEEN 1 AND $rows;\nRESET enable_seqscan; RESET retldb.enable_columnar_scan;\n") x 400;
my ($looks, $slowest) = (0, 0);

sub check
{
	my ($node, $what) = @_;
	is($node->safe_psql('postgres', $invariants), $right, "$what: sum and keys are right");
	is($node->safe_psql('postgres', "SELECT count(*) FROM bookings b WHERE NOT EXISTS (SELECT FROM accounts a WHERE a.id = b.id)"), '0', "$what: no reference without its row");
	return;
}

for my $round (1 .. $rounds)
{
	my $crash = $round < $rounds;
	my @writers = map { start_script($primary, "CALL writer($_, 0.2);\n" x 2000 . "\\echo ended\n") } 1 .. $clients;
	my @others = (
		start_script($primary, "CALL loader(0.2);\n" x 2000),
		start_script($primary, "\\timing\n" . "CALL retldb.compact('accounts');\nINSERT INTO completed DEFAULT VALUES;\n" x 500 . "CALL retldb.compact('bookings');\n"),
		start_script($primary, "VACUUM accounts;\nVACUUM bookings;\nSELECT pg_sleep(0.1);\n" x 300),
		start_script($primary, $reader),
		start_script($standby, $reader));
	select(undef, undef, undef, $crash ? 1 + rand $seconds : $seconds + 1);
	my $between = sub {
		for my $script (@writers, @others)
		{
			$script->{run}->kill_kill unless $crash && $script != $others[4];
			my $out = finish_script($script);
			is(errors_of($script), '', "round $round: no error of a session");
			unlike($out, qr/WRONG/, "round $round: what was read is right");
			$looks++ while $out =~ /^right/mg;
			next if $script != $others[1];
			$slowest = $1 > $slowest ? $1 : $slowest while $out =~ /^Time: ([\d.]+) ms/mg;
		}
	};
	if ($crash) { crash_and_restart($primary, $between) }
	else
	{
		# on a busy machine a call may take longer than that
		$primary->poll_query_until('postgres', 'SELECT count(*) > 1 FROM completed');
		$primary->safe_psql('postgres', 'INSERT INTO ending VALUES (now())');
		$_->{run}->finish for @writers;
		like(slurp_file("$_->{base}.out"), qr/ended/, 'a writer has come to its end') for @writers;
		$between->();
	}
	check($primary, "round $round");
	verify_clean($primary, $_, "round $round") for 'accounts', 'bookings';
}
my $calls = $primary->safe_psql('postgres', 'SELECT count(*) FROM completed WHERE at < (SELECT at FROM ending)');
cmp_ok($calls, '>', 1, "$calls compactions were completed next to the writers, the slowest in $slowest ms");
note("$looks looks; " . $primary->safe_psql('postgres', "SELECT string_agg(format('%s: %s times, at most %s ms', what, n, m), '; ') FROM (SELECT what, count(*) AS n, max(milliseconds)::int AS m FROM waits GROUP BY what) w"));
cmp_ok($primary->safe_psql('postgres', 'SELECT coalesce(max(milliseconds), 0) FROM waits'), '<', 10000, 'nobody has waited long');

$primary->safe_psql('postgres', "CALL retldb.compact(); VACUUM accounts; VACUUM bookings");
check($primary, 'compacted');
verify_clean($primary, $_, 'compacted') for 'accounts', 'bookings';
is($primary->safe_psql('postgres', "SELECT bt_index_parent_check(c, true) FROM unnest(ARRAY['accounts_pkey', 'accounts_place']::regclass[]) c"), "\n", 'amcheck finds nothing');
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));
check($standby, 'standby');
my $contents = 'SELECT md5(string_agg(a::text, \' \' ORDER BY id)) FROM accounts a';
is($standby->safe_psql('postgres', $contents), $primary->safe_psql('postgres', $contents), 'standby equals primary');
is(log_complaints($standby), '', 'no complaint in the log of the standby');
is(log_complaints($primary), '', 'no complaint in the log of the primary');
$standby->stop;
$primary->stop;

done_testing();
