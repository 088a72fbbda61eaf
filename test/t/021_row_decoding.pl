# Logical decoding of updates and deletions: of rows in row groups it tells what it
# tells of heap rows, with each kind of replica identity that a table without
# indexes can have.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use RetldbTest;

my $node = new_server('decoding', allows_streaming => 'logical', conf => "autovacuum = off\nretldb.row_store_rows = 0");
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION retldb');

# What is decoded of some changes of a table with this access method.
sub decoded
{
	my ($method, $identity) = @_;

	$node->safe_psql('postgres', qq(
CREATE TABLE t (id int, v text, gone int, n numeric) USING $method;
INSERT INTO t SELECT i, 'v' || i, 0, CASE WHEN i % 3 > 0 THEN i / 4.0 END FROM generate_series(1, 20) i;
INSERT INTO t SELECT 1000 + i, 'many', 0, i FROM generate_series(1, 5000) i;
ALTER TABLE t DROP COLUMN gone;
ALTER TABLE t ADD COLUMN added int DEFAULT 9;
ALTER TABLE t REPLICA IDENTITY $identity;
SELECT pg_create_logical_replication_slot('slot', 'test_decoding')));
	$node->safe_psql('postgres', q(
UPDATE t SET v = 'x' WHERE id = 1;
DELETE FROM t WHERE id = 2;
UPDATE t SET v = 'again' WHERE id = 1;
BEGIN;
UPDATE t SET n = NULL, added = NULL WHERE id IN (3, 4);
SAVEPOINT a;
DELETE FROM t WHERE id = 5;
ROLLBACK TO a;
SELECT FROM t WHERE id < 9 FOR UPDATE;
UPDATE t SET v = repeat('long ', 3000) WHERE id = 6;
COMMIT;
BEGIN;
DELETE FROM t WHERE id = 7;
ROLLBACK;
DELETE FROM t WHERE id > 2500;
UPDATE t SET v = 'many changed' WHERE id % 2 = 0 AND id > 1000;
DELETE FROM t WHERE id > 1000 AND id % 2 = 1;
MERGE INTO t USING generate_series(10, 12) s ON id = s WHEN MATCHED AND s = 11 THEN DELETE WHEN MATCHED THEN UPDATE SET v = 'merged';
));
	my $changes = $node->safe_psql('postgres', q(
SELECT md5(data), left(data, 200) FROM pg_logical_slot_get_changes('slot', NULL, NULL, 'include-xids', 'off')));
	$node->safe_psql('postgres', "SELECT pg_drop_replication_slot('slot'); DROP TABLE t");
	return $changes;
}

for my $identity ('DEFAULT', 'NOTHING', 'FULL')
{
	my $heap = decoded('heap', $identity);

	like($heap, qr/UPDATE.*DELETE/s, "replica identity $identity: heap's changes are decoded");
	is(decoded('retldb', $identity), $heap, "replica identity $identity: the same of rows in row groups");
}
# conversions move all rows, and nothing of that is decoded
$node->safe_psql('postgres', q(
CREATE TABLE t (id int, v text) USING heap;
ALTER TABLE t REPLICA IDENTITY FULL;
INSERT INTO t SELECT i, 'v' || i FROM generate_series(1, 3000) i;
SELECT pg_create_logical_replication_slot('slot', 'test_decoding');
CALL retldb.convert('t');
UPDATE t SET v = 'x' WHERE id = 1;
CALL retldb.convert('t', 'heap');
DELETE FROM t WHERE id = 2;
));
is($node->safe_psql('postgres', q(SELECT data FROM pg_logical_slot_get_changes('slot', NULL, NULL, 'include-xids', 'off') WHERE data !~ '^(BEGIN|COMMIT)')),
	"table public.t: UPDATE: old-key: id[integer]:1 v[text]:'v1' new-tuple: id[integer]:1 v[text]:'x'\ntable public.t: DELETE: id[integer]:2 v[text]:'v2'",
	'conversions are not decoded');

# inserts are decoded for plugins that do not know publications, without one
sub inserted
{
	my ($method) = @_;
	my $back = $method eq 'heap' ? '' : "CALL retldb.convert('loaded', 'heap');";

	$node->safe_psql('postgres', qq(
SELECT pg_create_logical_replication_slot('slot', 'test_decoding');
CREATE TABLE loaded (id int, v text) USING $method;
INSERT INTO loaded SELECT i, 'v' || i FROM generate_series(1, 3000) i;
COPY loaded (id) FROM PROGRAM 'seq 3001 5000';
CREATE TABLE made USING $method AS SELECT * FROM loaded;
ALTER TABLE made ALTER id TYPE bigint;
$back
CALL retldb.convert('loaded')));
	my $changes = $node->safe_psql('postgres', q(
SELECT data FROM pg_logical_slot_get_changes('slot', NULL, NULL, 'include-xids', 'off', 'skip-empty-xacts', 'on')));
	my $groups = $node->safe_psql('postgres', q(
SELECT count(*) FROM retldb.row_groups('loaded')));
	$node->safe_psql('postgres', "SELECT pg_drop_replication_slot('slot'); DROP TABLE loaded, made");
	cmp_ok($groups, '>', 0, "$method: conversions write row groups all the same");
	return $changes;
}

$node->safe_psql('postgres', "SELECT pg_drop_replication_slot('slot'); DROP TABLE t");
$node->safe_psql('template1', "CREATE DATABASE other");
my $heap = inserted('heap');
is(scalar(() = $heap =~ /INSERT/g), 10000, "heap's inserts are decoded");
is(inserted('retldb'), $heap, "so are ours");

# without such a slot in the database, and a publication, they go to row groups
sub loads_into_groups
{
	my ($what, $want) = @_;

	$node->safe_psql('postgres', 'CREATE TABLE loaded (id int) USING retldb; INSERT INTO loaded SELECT generate_series(1, 3000)');
	is($node->safe_psql('postgres', "SELECT count(*) > 0 FROM retldb.row_groups('loaded')"), $want, $what);
	$node->safe_psql('postgres', 'DROP TABLE loaded');
}
$node->safe_psql('other', "SELECT pg_create_logical_replication_slot('other', 'test_decoding')");
$node->safe_psql('postgres', "SELECT pg_create_logical_replication_slot('publications', 'pgoutput')");
loads_into_groups('slots of other databases, and for publications, keep nothing in the row store', 't');
$node->safe_psql('postgres', "CREATE PUBLICATION everything FOR ALL TABLES");
loads_into_groups('publications do', 'f');
$node->safe_psql('postgres', "DROP PUBLICATION everything");
$node->safe_psql($_->[0], "SELECT pg_drop_replication_slot('$_->[1]')") for (['other', 'other'], ['postgres', 'publications']);

# a command that is about to insert rows when publication and slot come, and whose transaction
# has no id for them to wait for, inserts them so that they are decoded
for my $way ('publication', 'slot')
{
	my ($locker, $loader);

	$node->safe_psql('postgres', 'CREATE TABLE loaded (id int) USING retldb');
	$locker = start_script($node, 'SELECT pg_advisory_lock(1); SELECT pg_sleep(600)');
	$node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory'") or die 'no lock';
	$loader = start_script($node, q(
INSERT INTO loaded SELECT i FROM (SELECT pg_advisory_lock_shared(1) OFFSET 0) l, generate_series(1, 3000) i));
	$node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event = 'advisory'")
	  or die 'it does not wait';
	$node->safe_psql('postgres', $way eq 'publication' ? 'CREATE PUBLICATION p FOR TABLE loaded' :
		"SELECT pg_create_logical_replication_slot('late', 'test_decoding')");
	$node->poll_query_until('postgres', "SELECT count(pg_cancel_backend(pid)) > 0 FROM pg_stat_activity WHERE wait_event = 'PgSleep'") or die 'no sleeper';
	finish_script($_) for ($locker, $loader);
	is($node->safe_psql('postgres', "SELECT count(*), (SELECT count(*) FROM retldb.row_groups('loaded')) FROM loaded"),
		'3000|0', "a $way that comes during a command counts");
	$node->safe_psql('postgres', $way eq 'publication' ? 'DROP PUBLICATION p' : "SELECT pg_drop_replication_slot('late')");
	$node->safe_psql('postgres', 'DROP TABLE loaded');
}
is(log_complaints($node), '', 'no complaint in the log');

done_testing();
