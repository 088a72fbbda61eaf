# Logical replication in all its forms: what a subscription makes of the same changes
# must be the same, whichever access method the tables of both sides have.  Initial
# copies, row filters and column lists, partitioned tables published by their root, large
# transactions that are streamed, prepared ones, truncation, values that are not
# sent since they have not changed, triggers of the subscriber, and conflicts that disable
# a subscription until they are skipped.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use RetldbTest;

my $node = new_server('replicas', allows_streaming => 'logical', conf => q(
autovacuum = off
logical_decoding_work_mem = 64kB
max_logical_replication_workers = 30
max_sync_workers_per_subscription = 4
max_worker_processes = 40
max_prepared_transactions = 20
max_replication_slots = 40
max_wal_senders = 40
wal_retrieve_retry_interval = 100ms
wal_sender_timeout = 0
wal_receiver_timeout = 0
retldb.row_store_rows = 0
retldb.row_group_rows = 500
retldb.vector_rows = 64
));
$node->start;

my @methods = qw(heap retldb);

# Tables of both sides; those that are there before the copy have rows of all kinds: of
# row groups, locked and updated ones, and some of a group that was deleted as a whole.
my $tables = q(
CREATE TABLE keyed (a int PRIMARY KEY, b int, c text, big text);
ALTER TABLE keyed ALTER big SET STORAGE EXTERNAL;
CREATE TABLE whole (gone int, a int, b int, c text);
ALTER TABLE whole DROP gone;
ALTER TABLE whole REPLICA IDENTITY FULL;
CREATE TABLE indexed (a int, b int NOT NULL, c text);
CREATE UNIQUE INDEX indexed_b ON indexed (b);
ALTER TABLE indexed REPLICA IDENTITY USING INDEX indexed_b;
CREATE TABLE filtered (a int PRIMARY KEY, b int, c text);
ALTER TABLE filtered REPLICA IDENTITY FULL;
CREATE TABLE chosen (a int PRIMARY KEY, secret text, c text);
);
my %rooted = (publisher => q(
CREATE TABLE rooted (a int PRIMARY KEY, b int, c text) PARTITION BY RANGE (a);
CREATE TABLE rooted_1 PARTITION OF rooted FOR VALUES FROM (0) TO (1000);
CREATE TABLE rooted_2 (c text, gone int, b int, a int NOT NULL);
ALTER TABLE rooted_2 DROP gone;
ALTER TABLE rooted ATTACH PARTITION rooted_2 FOR VALUES FROM (1000) TO (100000);
CREATE TABLE triggered (a int PRIMARY KEY, b int, c text);
), subscriber => q(
CREATE TABLE rooted (a int PRIMARY KEY, b int, c text) PARTITION BY HASH (a);
CREATE TABLE rooted_1 PARTITION OF rooted FOR VALUES WITH (modulus 2, remainder 0);
CREATE TABLE rooted_2 (c text, a int NOT NULL, b int);
ALTER TABLE rooted ATTACH PARTITION rooted_2 FOR VALUES WITH (modulus 2, remainder 1);
CREATE TABLE triggered (own text DEFAULT 'own', c text, b int, a int PRIMARY KEY, twice int GENERATED ALWAYS AS (b * 2) STORED);
CREATE TABLE told (what text) USING heap;
CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO public.told VALUES (concat_ws(' ', tg_when, tg_op, CASE WHEN tg_op <> 'INSERT' THEN old::text END, CASE WHEN tg_op <> 'DELETE' THEN new::text END));
	IF tg_when = 'BEFORE' AND tg_op <> 'DELETE' THEN
		new.own := 'triggered';
	END IF;
	RETURN coalesce(new, old);
END $$;
CREATE TRIGGER before_row BEFORE INSERT OR UPDATE OR DELETE ON triggered FOR EACH ROW EXECUTE FUNCTION tell();
CREATE TRIGGER after_row AFTER INSERT OR UPDATE OR DELETE ON triggered FOR EACH ROW EXECUTE FUNCTION tell();
ALTER TABLE triggered ENABLE ALWAYS TRIGGER before_row, ENABLE REPLICA TRIGGER after_row;
));
my $rows = q(
INSERT INTO keyed SELECT i, i % 7, 'c' || i, CASE WHEN i % 50 = 0 THEN repeat(md5(i::text), 300) END FROM generate_series(1, 2000) i;
INSERT INTO whole SELECT i, i % 7, 'c' || i FROM generate_series(1, 2000) i;
INSERT INTO whole SELECT 5000, 1, 'twice' FROM generate_series(1, 2);
INSERT INTO indexed SELECT i, i, 'c' || i FROM generate_series(1, 2000) i;
INSERT INTO filtered SELECT i, i % 20, 'c' || i FROM generate_series(1, 2000) i;
INSERT INTO chosen SELECT i, 'secret', 'c' || i FROM generate_series(1, 2000) i;
INSERT INTO rooted SELECT i, i % 7, 'c' || i FROM generate_series(1, 2000) i;
INSERT INTO triggered SELECT i, i, 'c' || i FROM generate_series(1, 600) i;
DELETE FROM keyed WHERE a BETWEEN 401 AND 1100;
UPDATE keyed SET c = 'touched' WHERE a % 10 = 3;
UPDATE whole SET c = 'touched' WHERE a % 10 = 3;
UPDATE filtered SET b = 1 WHERE a % 10 = 3;
UPDATE rooted SET a = a + 3000 WHERE a % 100 = 5;
BEGIN;
DELETE FROM whole;
ROLLBACK;
);
my @pairs;
for my $publisher (@methods)
{
	$node->safe_psql('postgres', "CREATE DATABASE $publisher");
	$node->safe_psql('postgres', "ALTER DATABASE $publisher SET default_table_access_method = $publisher");
	$node->safe_psql($publisher, 'CREATE EXTENSION retldb');
	$node->safe_psql($publisher, $tables . $rooted{publisher} . $rows . q(
CREATE PUBLICATION p FOR TABLE keyed, whole, indexed, filtered WHERE (b > 9), chosen (a, c), rooted, triggered
	WITH (publish_via_partition_root = true)));
	for my $subscriber (@methods)
	{
		my $pair = "${publisher}_$subscriber";

		push @pairs, $pair;
		$node->safe_psql($publisher, "SELECT pg_create_logical_replication_slot('$pair', 'pgoutput', false, true)");
		$node->safe_psql('postgres', "CREATE DATABASE $pair");
		$node->safe_psql('postgres', "ALTER DATABASE $pair SET default_table_access_method = $subscriber");
		$node->safe_psql($pair, 'CREATE EXTENSION retldb');
		$node->safe_psql($pair, $tables . $rooted{subscriber} . sprintf(
			q(CREATE SUBSCRIPTION %s CONNECTION $$%s$$ PUBLICATION p
			  WITH (create_slot = false, slot_name = '%1$s', two_phase = true, streaming = true, disable_on_error = true)),
			$pair, $node->connstr($publisher)));
	}
}
is($node->safe_psql('retldb', "SELECT count(*) > 0 FROM retldb.row_groups('keyed')"), 't', 'there are row groups before anything is decoded');

# Subscriptions have got all that is committed.
sub caught_up
{
	my ($what) = @_;

	for my $pair (@pairs)
	{
		$node->poll_query_until($pair, q(SELECT bool_and(srsubstate = 'r') FROM pg_subscription_rel)) or die "$what: $pair is not copied";
		$node->wait_for_catchup($pair);
	}
	return;
}

# All subscribers have the same, and of what no filter leaves out and no trigger changes
# it is what the publishers have.
my @published = qw(keyed whole indexed chosen rooted);
my %sums = map { my $set = $_; $set => join(' UNION ALL ', map {
	my $columns = $_ eq 'told' ? 'what' : $_ eq 'triggered' ? '*' : 'a, c';
	"SELECT '$_ ' || md5(string_agg(t::text, ',' ORDER BY t::text)) || ' ' || count(*) FROM (SELECT $columns FROM $_) t"
	} $set eq 'published' ? @published : qw(filtered triggered told)) . ' ORDER BY 1' } qw(published others);
sub alike
{
	my ($what) = @_;

	caught_up($what);
	my $published = $node->safe_psql('heap', $sums{published});
	my $others = $node->safe_psql('heap_heap', $sums{others});
	is($node->safe_psql('retldb', $sums{published}), $published, "$what: publishers");
	for my $pair (@pairs)
	{
		is($node->safe_psql($pair, $sums{published}), $published, "$what: $pair has what is published");
		is($node->safe_psql($pair, $sums{others}), $others, "$what: $pair has what is filtered and what triggers do");
	}
	return;
}

# Run something on both publishers, or on all subscribers.
sub publish
{
	my ($sql) = @_;
	$node->safe_psql($_, $sql) for @methods;
	return;
}
sub on_subscribers
{
	my ($sql) = @_;
	$node->safe_psql($_, $sql) for @pairs;
	return;
}
sub compact
{
	my ($databases, $names) = @_;
	for my $database (@$databases)
	{
		$node->safe_psql($database, "CALL retldb.compact('$_')") for @$names;
	}
	return;
}

alike('copied');
# (an apply worker starts anew for it after all tables have been copied)
ok($node->poll_query_until($_, q(SELECT subtwophasestate = 'e' FROM pg_subscription WHERE subname = current_database())), "$_ does two-phase commits")
  for @pairs;
is($node->safe_psql('retldb_retldb', 'SELECT count(*) FROM chosen WHERE secret IS NOT NULL'), '0', 'column lists leave out columns');
is($node->safe_psql('retldb_retldb', 'SELECT count(*) FROM filtered WHERE b <= 9'), '0', 'filters leave out rows');

my $changes = q(
UPDATE keyed SET b = b + 1 WHERE a % 50 IN (0, 3);
UPDATE keyed SET a = a + 10000 WHERE a % 100 = 9 AND a < 2000;
DELETE FROM keyed WHERE a % 100 = 11;
UPDATE keyed SET big = big || 'x' WHERE a % 300 = 0;
INSERT INTO keyed SELECT i, 0, 'upsert', 'b' FROM generate_series(390, 420) i ON CONFLICT (a) DO UPDATE SET c = excluded.c;
UPDATE whole SET b = b + 1 WHERE a % 500 = 7;
UPDATE whole SET c = NULL WHERE a % 500 = 8;
DELETE FROM whole WHERE a % 500 = 9;
DELETE FROM whole WHERE a = 5000 AND ctid = (SELECT min(ctid) FROM whole WHERE a = 5000);
INSERT INTO whole VALUES (5000, 1, 'twice');
UPDATE indexed SET b = -b WHERE a % 100 = 5;
UPDATE indexed SET c = c || '!' WHERE a % 100 < 7;
DELETE FROM indexed WHERE a % 100 = 8;
UPDATE filtered SET b = 20 - b WHERE a % 10 = 4;
UPDATE filtered SET c = c || '?' WHERE a % 10 < 6;
DELETE FROM filtered WHERE a % 20 = 12;
UPDATE chosen SET secret = 'none', c = c || '.' WHERE a % 100 = 6;
DELETE FROM chosen WHERE a % 100 = 7;
UPDATE rooted SET b = b + 1 WHERE a % 100 = 6;
UPDATE rooted SET a = a + 5000 WHERE a % 100 = 7 AND c LIKE 'c%' AND a < 2000;
DELETE FROM rooted WHERE a % 100 = 8;
MERGE INTO rooted USING generate_series(90, 110) s ON a = s WHEN MATCHED AND s % 2 = 0 THEN DELETE WHEN MATCHED THEN UPDATE SET c = 'merged'
	WHEN NOT MATCHED THEN INSERT VALUES (s, 0, 'new');
UPDATE triggered SET b = b + 1000 WHERE a % 20 = 3;
DELETE FROM triggered WHERE a % 20 = 4;
INSERT INTO triggered SELECT i, i, 'new' FROM generate_series(1000, 1010) i ON CONFLICT DO NOTHING;
);
publish($changes);
alike('changed');
compact([qw(heap_retldb retldb_retldb retldb)], [ qw(keyed whole indexed filtered chosen triggered rooted_1 rooted_2) ]);
is($node->safe_psql('retldb_retldb', "SELECT bool_and((SELECT count(*) > 0 FROM retldb.row_groups(t::regclass))) FROM unnest(ARRAY['keyed', 'whole', 'indexed', 'rooted_1']) t"), 't',
	'subscribers have row groups');
alike('compacted');
publish($changes);
alike('changed again');

# a transaction larger than decoding keeps in memory is streamed: some of it rolled back
publish(q(
BEGIN;
INSERT INTO keyed SELECT i, 1, 'streamed', NULL FROM generate_series(50001, 54000) i;
SAVEPOINT one;
UPDATE keyed SET c = 'rolled back' WHERE a > 50000;
DELETE FROM whole WHERE a % 2 = 0;
ROLLBACK TO one;
UPDATE keyed SET c = 'updated' WHERE a BETWEEN 51001 AND 53000;
SAVEPOINT two;
DELETE FROM keyed WHERE a > 53500;
RELEASE two;
DELETE FROM whole WHERE a % 25 = 1;
UPDATE rooted SET c = 'streamed';
COMMIT;
BEGIN;
DELETE FROM keyed;
ROLLBACK;
));
alike('streamed');
is($node->safe_psql('postgres', 'SELECT count(*) FROM pg_stat_replication_slots WHERE stream_txns > 0'), '4', 'they were streamed');

# prepared transactions are prepared on the subscriber, with locks
$node->safe_psql($_, qq(
BEGIN;
UPDATE keyed SET c = 'prepared' WHERE a BETWEEN 100 AND 120;
SAVEPOINT one;
DELETE FROM keyed WHERE a BETWEEN 121 AND 130;
ROLLBACK TO one;
DELETE FROM keyed WHERE a BETWEEN 131 AND 140;
INSERT INTO keyed VALUES (30000, 1, 'prepared', 'big');
UPDATE whole SET c = 'prepared' WHERE a BETWEEN 100 AND 110;
PREPARE TRANSACTION 'committed_$_';
BEGIN;
DELETE FROM indexed WHERE a < 500;
UPDATE rooted SET a = a + 20000 WHERE a < 300;
PREPARE TRANSACTION 'rolled_back_$_';
BEGIN;
DELETE FROM chosen;
INSERT INTO chosen SELECT i, 's', 'prepared' FROM generate_series(1, 3000) i;
PREPARE TRANSACTION 'large_$_';
)) for @methods;
caught_up('prepared');
for my $pair (@pairs)
{
	is($node->safe_psql($pair, 'SELECT count(*) FROM pg_prepared_xacts WHERE database = current_database()'), '3', "$pair: transactions are prepared");
	is($node->safe_psql($pair, 'SELECT count(*) FROM (SELECT FROM keyed WHERE a BETWEEN 100 AND 140 FOR UPDATE SKIP LOCKED) k'),
		$node->safe_psql('heap_heap', 'SELECT count(*) FROM (SELECT FROM keyed WHERE a BETWEEN 100 AND 140 FOR UPDATE SKIP LOCKED) k'), "$pair: rows are locked");
}
alike('not committed yet');
$node->safe_psql($_, "COMMIT PREPARED 'committed_$_'; ROLLBACK PREPARED 'rolled_back_$_'; COMMIT PREPARED 'large_$_'") for @methods;
alike('committed');

# A conflict disables a subscription: one that the subscriber resolves, and one whose
# transaction is skipped.
sub conflict
{
	my ($number) = @_;

	publish(qq(
BEGIN;
UPDATE whole SET c = 'conflict $number' WHERE a = 20;
INSERT INTO keyed VALUES ($number, 1, 'publisher');
COMMIT;
UPDATE whole SET c = 'after $number' WHERE a = 30;
));
	for my $pair (@pairs)
	{
		$node->poll_query_until($pair, q(SELECT NOT subenabled FROM pg_subscription WHERE subname = current_database()))
		  or die "$pair is not disabled";
	}
	return;
}
on_subscribers(q(INSERT INTO keyed VALUES (40000, 1, 'subscriber'), (40001, 1, 'subscriber')));
conflict(40000);
on_subscribers(q(DELETE FROM keyed WHERE a = 40000));
$node->safe_psql($_, "ALTER SUBSCRIPTION $_ ENABLE") for @pairs;
caught_up('conflict resolved');
is($node->safe_psql($_, q(SELECT string_agg(c, ' ' ORDER BY a) FROM (SELECT a, c FROM whole WHERE a IN (20, 30) UNION ALL SELECT a, c FROM keyed WHERE a IN (40000, 40001)) x)),
	'conflict 40000 after 40000 publisher subscriber', "$_: the conflict is resolved")
  for @pairs;
conflict(40001);
for my $pair (@pairs)
{
	my $origin = 'pg_' . $node->safe_psql($pair, q(SELECT oid FROM pg_subscription WHERE subname = current_database()));
	my ($lsn) = reverse slurp_file($node->logfile) =~ /processing remote data for replication origin "$origin" during .*, finished at ([0-9A-F]+\/[0-9A-F]+)/g;

	$node->safe_psql($pair, "ALTER SUBSCRIPTION $pair SKIP (lsn = '$lsn')");
	$node->safe_psql($pair, "ALTER SUBSCRIPTION $pair ENABLE");
}
caught_up('conflict skipped');
is($node->safe_psql($_, q(SELECT string_agg(c, ' ' ORDER BY a) FROM (SELECT a, c FROM whole WHERE a IN (20, 30) UNION ALL SELECT a, c FROM keyed WHERE a IN (40000, 40001)) x)),
	'conflict 40000 after 40001 publisher subscriber', "$_: the transaction is skipped")
  for @pairs;
# (the old row that the publisher tells of is not there)
publish(q(UPDATE whole SET c = 'same again' WHERE a = 20));
caught_up('nothing to update');
on_subscribers(q(UPDATE whole SET c = 'same again' WHERE a = 20));

# truncation, of several tables
publish(q(TRUNCATE keyed, rooted; INSERT INTO keyed VALUES (1, 1, 'again'); INSERT INTO rooted SELECT i, 1, 'again' FROM generate_series(1, 100) i));
alike('truncated');
for my $pair (@pairs)
{
	next if $pair !~ /_retldb/;
	is($node->safe_psql($pair, "SELECT count(*) FROM pg_class c, retldb.verify(c.oid::regclass) WHERE relkind = 'r' AND relam = (SELECT oid FROM pg_am WHERE amname = 'retldb')"),
		'0', "$pair: tables are sound");
}
$node->safe_psql($_, "ALTER SUBSCRIPTION $_ DISABLE; ALTER SUBSCRIPTION $_ SET (slot_name = NONE); DROP SUBSCRIPTION $_") for @pairs;
is($node->safe_psql('retldb_retldb', q(UPDATE keyed SET c = 'own' WHERE a = 1 RETURNING c)), 'own', 'a subscriber is on its own afterwards');

done_testing();
