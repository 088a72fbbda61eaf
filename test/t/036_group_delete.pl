# Row groups that are deleted as a whole: crashes, prepared transactions, a standby,
# old snapshots, VACUUM and VACUUM FULL, compaction of the same groups at the same time,
# and logical decoding, which has to be told of each row.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use RetldbTest;

my $node = new_server('primary', allows_streaming => 1, conf => q(
autovacuum = off
wal_consistency_checking = all
));
$node->start;
$node->safe_psql('postgres', q(
CREATE EXTENSION retldb;
CREATE EXTENSION pageinspect;
CREATE FUNCTION groups_deleted(command text) RETURNS int LANGUAGE plpgsql AS $$
DECLARE plan json;
BEGIN
	EXECUTE 'EXPLAIN (ANALYZE, FORMAT JSON) ' || command INTO plan;
	RETURN plan->0->'Plan'->'Plans'->0->>'Row Groups Deleted';
END $$;
CREATE TABLE t (id int PRIMARY KEY, part int, v text) USING retldb WITH (row_group_rows = 1000, row_store_rows = 0, autovacuum_enabled = off);
CREATE PROCEDURE fill(first int, last int) LANGUAGE sql AS $$
	INSERT INTO t SELECT i, i / 1000, 'v' || i FROM generate_series(first * 1000, last * 1000 + 999) i $$;
CALL fill(0, 9);
));
my $standby = start_standby('standby', $node, "hot_standby_feedback = off\nmax_standby_streaming_delay = -1\n");
my $parts = q(SELECT string_agg(part || ':' || n, ' ' ORDER BY part) FROM (SELECT part, count(*) n FROM t GROUP BY part) p);
my $all = join(' ', map { "$_:1000" } 0 .. 9);

sub parts_are
{
	my ($expected, $what) = @_;
	is($node->safe_psql('postgres', $parts), $expected, $what);
	is($node->safe_psql('postgres', "SET enable_seqscan = off; SET retldb.enable_columnar_scan = off; $parts"),
		$expected, "$what, by another scan");
	return;
}
sub standby_parts_are
{
	my ($expected, $what) = @_;
	$node->wait_for_catchup($standby);
	is($standby->safe_psql('postgres', $parts), $expected, $what);
	return;
}
sub range { my ($first, $last) = @_; return join(' ', map { "$_:1000" } $first .. $last); }

# how much is logged: one record, with a page if it is the first after a checkpoint
$node->safe_psql('postgres', 'CHECKPOINT');
is($node->safe_psql('postgres', q(
SELECT pg_current_wal_insert_lsn() AS before \gset
BEGIN;
SELECT groups_deleted('DELETE FROM t WHERE part < 5');
ROLLBACK;
SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), :'before') < 60000;
)), "5\nt", 'groups are deleted with little WAL');
parts_are($all, 'rolled back');

# a crash before the commit, and one after
my $session = $node->background_psql('postgres');
$session->query_safe('BEGIN; DELETE FROM t WHERE part IN (0, 1)');
$node->safe_psql('postgres', 'DELETE FROM t WHERE part = 2');
$node->stop('immediate');
$node->start;
$session->quit;
parts_are('0:1000 1:1000 ' . range(3, 9), 'a crash undoes what was not committed');
$node->safe_psql('postgres', q(UPDATE t SET v = 'updated' WHERE id = 5; BEGIN; SELECT FROM t WHERE id BETWEEN 1000 AND 1100 FOR UPDATE; ROLLBACK));
is($node->safe_psql('postgres', q(SELECT groups_deleted('DELETE FROM t WHERE part = 3'))), '1', 'after a crash, too');
verify_clean($node, 't', 'crash');
standby_parts_are('0:1000 1:1000 ' . range(4, 9), 'the standby agrees');

# prepared transactions
$node->safe_psql('postgres', q(BEGIN; DELETE FROM t WHERE part IN (4, 5); PREPARE TRANSACTION 'gone'));
my %waiting = (
	update => "UPDATE t SET v = v || ' waited' WHERE id = 4100 RETURNING v",
	lock => 'SELECT v FROM t WHERE id = 4200 FOR KEY SHARE',
	insert => "INSERT INTO t VALUES (4300, 4, 'inserted') RETURNING v",
	upsert => "INSERT INTO t VALUES (4400, 4, 'proposed') ON CONFLICT (id) DO UPDATE SET v = t.v || ' upserted' RETURNING v",
	delete => 'DELETE FROM t WHERE part = 5',
	repeatable => "BEGIN ISOLATION LEVEL REPEATABLE READ; UPDATE t SET v = v || ' waited' WHERE id = 4500 RETURNING v; COMMIT");
sub start_waiting
{
	my $count = keys %waiting;
	my %scripts = map { $_ => start_script($node, "$waiting{$_};\n") } keys %waiting;

	ok($node->poll_query_until('postgres', "SELECT count(*) = $count FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'"), "$count sessions wait");
	return %scripts;
}
my %scripts = start_waiting();
my ($state) = sqlstate($node, 'SELECT FROM t WHERE id = 4001 FOR SHARE NOWAIT');
is($state, '55P03', 'NOWAIT does not wait');
is($node->safe_psql('postgres', 'SELECT id FROM t WHERE id IN (1500, 4001, 6001) ORDER BY id FOR UPDATE SKIP LOCKED'), "1500\n6001", 'SKIP LOCKED passes over them');
$node->safe_psql('postgres', "ROLLBACK PREPARED 'gone'");
my %out = map { $_ => finish_script($scripts{$_}) } keys %scripts;
chomp %out;
is($out{update}, 'v4100 waited', 'rolled back: UPDATE goes on');
is($out{lock}, 'v4200', 'and a lock');
is($out{upsert}, 'v4400 upserted', 'and an upsert');
is($out{repeatable}, 'v4500 waited', 'repeatable read as well');
like($scripts{insert}{err}, qr/duplicate key/, 'the key is there');
is($scripts{$_}{err}, '', "no error: $_") for qw(update lock upsert delete repeatable);
parts_are('0:1000 1:1000 4:1000 ' . range(6, 9), 'the other deletion has happened');

$node->safe_psql('postgres', 'DELETE FROM t WHERE part = 4; CALL fill(4, 5)');
$node->safe_psql('postgres', q(BEGIN; SAVEPOINT s; DELETE FROM t WHERE part IN (4, 5); RELEASE s; PREPARE TRANSACTION 'gone'));
$node->stop('immediate');
$node->start;
parts_are('0:1000 1:1000 ' . range(4, 9), 'prepared, after a crash');
%scripts = start_waiting();
$node->safe_psql('postgres', "COMMIT PREPARED 'gone'");
%out = map { $_ => finish_script($scripts{$_}) } keys %scripts;
chomp %out;
is($out{update}, '', 'committed: UPDATE finds no row');
is($out{lock}, '', 'nor does a lock');
is($out{insert}, 'inserted', 'the key is free');
is($out{upsert}, 'proposed', 'for an upsert, too');
like($scripts{repeatable}{err}, qr/could not serialize access due to concurrent (delete|update)/, 'repeatable read fails');
is($scripts{$_}{err}, '', "no error: $_") for qw(update lock insert upsert delete);
parts_are('0:1000 1:1000 4:2 ' . range(6, 9), 'what is left');
standby_parts_are('0:1000 1:1000 4:2 ' . range(6, 9), 'on the standby as well');
verify_clean($node, 't', 'two-phase commit');

# old snapshots here and there; VACUUM, which must not take what they see
$node->safe_psql('postgres', 'TRUNCATE t; CALL fill(0, 9); VACUUM t');
$node->wait_for_catchup($standby);
my $old = $node->background_psql('postgres');
$old->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1');
my $reading = $node->background_psql('postgres');
$reading->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1');
my $reader = $standby->background_psql('postgres');
$reader->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1');
is($node->safe_psql('postgres', q(SELECT groups_deleted('DELETE FROM t WHERE part < 4'))), '4', 'next to old snapshots');
$node->safe_psql('postgres', 'VACUUM (ANALYZE) t');
is($node->safe_psql('postgres', q(SELECT reltuples, pg_stat_get_live_tuples(oid), pg_stat_get_dead_tuples(oid) >= 4000 FROM pg_class WHERE relname = 't')),
	'6000|6000|t', 'VACUUM and ANALYZE count the rows');
is(answer($reading, $parts), $all, 'the old snapshot sees all');
$reading->query_safe('COMMIT');
standby_parts_are(range(4, 9), 'a new one on the standby does not');
is(answer($reader, $parts), $all, 'an old one there does');
$reader->query_safe('COMMIT');
$node->safe_psql('postgres', 'VACUUM FULL t');
verify_clean($node, 't', 'VACUUM FULL');
is(answer($old, $parts), $all, 'VACUUM FULL keeps the rows for it');
is(answer($old, "SET enable_seqscan = off; SET retldb.enable_columnar_scan = off; $parts"), $all, 'and their index entries');
parts_are(range(4, 9), 'for nobody else');
$old->query_safe(q(CREATE FUNCTION pg_temp.fails(command text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN EXECUTE command; RETURN 'passes'; EXCEPTION WHEN OTHERS THEN RETURN SQLSTATE || ' ' || SQLERRM; END $$));
like(answer($old, "SELECT pg_temp.fails('UPDATE t SET v = v WHERE id = 5')"), qr/^40001 could not serialize access due to concurrent (delete|update)/, 'who sees a row cannot change it');
like(answer($old, "SELECT pg_temp.fails('DELETE FROM t')"), qr/^40001/, 'nor delete all');
$old->query_safe('COMMIT');
$node->safe_psql('postgres', 'VACUUM t');
is($node->safe_psql('postgres', q(SELECT count(*) FROM retldb.row_groups('t') WHERE state = 'complete')), '6', 'then VACUUM takes them');
is($node->safe_psql('postgres', q(SELECT pg_stat_get_dead_tuples('t'::regclass))), '0', 'none is dead any more');
standby_parts_are(range(4, 9), 'the standby sees the rest');
verify_clean($node, 't', 'VACUUM');

# VACUUM FULL, CLUSTER and indexes next to a deletion that a subtransaction has undone
$node->safe_psql('postgres', q(BEGIN; SAVEPOINT s; DELETE FROM t WHERE part < 6; ROLLBACK TO s; CLUSTER t USING t_pkey; COMMIT));
parts_are(range(4, 9), 'CLUSTER after a rollback');
$node->safe_psql('postgres', q(BEGIN; DELETE FROM t WHERE part < 6; ROLLBACK; CREATE INDEX CONCURRENTLY t_part ON t (part)));
$session = $node->background_psql('postgres');
$session->query_safe('BEGIN; DELETE FROM t WHERE part < 6');
my $build = start_script($node, "CREATE UNIQUE INDEX CONCURRENTLY t_both ON t (part, id);\n");
ok($node->poll_query_until('postgres', q(SELECT count(*) = 1 FROM pg_locks WHERE NOT granted AND locktype = 'virtualxid')), 'an index waits for the deleter');
$session->query_safe('ROLLBACK');
finish_script($build);
is($build->{err}, '', 'and is built');
is($node->safe_psql('postgres', 'SET enable_seqscan = off; SET retldb.enable_columnar_scan = off; SELECT count(*) FROM t WHERE part = 4'), '1000', 'with all rows');
verify_clean($node, 't', 'indexes');

# compaction comes to groups that somebody is deleting
$node->safe_psql('postgres', 'DROP INDEX t_part, t_both; TRUNCATE t; CALL fill(0, 2)');
$session->query_safe('BEGIN; DELETE FROM t WHERE part = 0');
$node->safe_psql('postgres', 'DELETE FROM t WHERE id % 3 = 0 AND part > 0');
$node->safe_psql('postgres', q(CALL retldb.compact('t')));
parts_are('0:1000 1:667 2:667', 'compaction passes over what is being deleted');
$session->query_safe('COMMIT');
parts_are('1:667 2:667', 'which then is gone');
$session->query_safe('BEGIN; DELETE FROM t WHERE part = 1; ROLLBACK');
$node->safe_psql('postgres', q(ALTER TABLE t SET (row_group_rows = 5000); CALL retldb.compact('t'); VACUUM t));
is($node->safe_psql('postgres', q(SELECT count(*), sum(rows) FROM retldb.row_groups('t') WHERE state = 'complete')), '1|1334', 'rolled back: compaction takes the groups');
parts_are('1:667 2:667', 'all rows are there');

# a group is deleted while compaction writes it anew: it gives up, and what it has
# written is not there; it stops where it makes index entries
$node->safe_psql('postgres', q(
CREATE FUNCTION gate(part int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
	IF part = 7 THEN PERFORM pg_advisory_xact_lock_shared(9); END IF;
	RETURN part;
END $$;
ALTER TABLE t SET (row_group_rows = 1000);
TRUNCATE t;
CALL fill(6, 8);
CREATE INDEX t_gate ON t (gate(part));
DELETE FROM t WHERE id % 4 = 0 AND part = 8;
ALTER TABLE t SET (row_group_rows = 5000)));
for my $end ('COMMIT', 'ROLLBACK')
{
	my $left = $end eq 'COMMIT' ? '6:1000 8:750' : '6:1000 7:1000 8:750';

	$node->safe_psql('postgres', q(DELETE FROM t WHERE part = 7; ALTER TABLE t SET (row_group_rows = 1000); CALL fill(7, 7); ALTER TABLE t SET (row_group_rows = 5000)));
	$session->query_safe('BEGIN; SELECT pg_advisory_xact_lock(9)');
	my $compaction = start_script($node, "CALL retldb.compact('t');\n");
	ok($node->poll_query_until('postgres', q(SELECT count(*) = 1 FROM pg_locks WHERE NOT granted AND locktype = 'advisory')), 'compaction is at it');
	my $deleter = $node->background_psql('postgres');
	$deleter->query_safe('BEGIN');
	is(answer($deleter, q(SELECT groups_deleted('DELETE FROM t WHERE part = 7'))), '1', 'a group that it reads is deleted');
	$deleter->query_safe('COMMIT') if $end eq 'COMMIT';
	$session->query_safe('COMMIT');
	finish_script($compaction);
	is($compaction->{err}, '', 'compaction goes on without it');
	parts_are('6:1000 7:1000 8:750', 'in doubt all rows are there') if $end ne 'COMMIT';
	$deleter->query_safe($end) if $end ne 'COMMIT';
	$deleter->quit;
	parts_are($left, "$end while the group was written anew");
	verify_clean($node, 't', $end);
	$node->safe_psql('postgres', q(CALL retldb.compact('t'); VACUUM t));
	parts_are($left, 'compacted again');
	verify_clean($node, 't', "compaction after $end");
}

# a serializable transaction that reads a row where it was before compaction moved it
# to a group which it does not see, and which another one deletes
$node->safe_psql('postgres', q(
CREATE TABLE other (n int);
INSERT INTO other VALUES (0);
CREATE TABLE s (id int PRIMARY KEY, v text) USING retldb WITH (row_store_rows = 1000, row_group_rows = 5000)));
sub error_of
{
	my ($background, $sql) = @_;
	$background->query($sql);
	my $error = $background->{stderr};
	$background->{stderr} = '';
	return $error;
}
for my $groups (0, 1)
{
	for my $first ('read', 'delete')
	{
		my $what = ($groups ? 'groups' : 'the row store') . ", $first first";
		my $deleter = $node->background_psql('postgres', on_error_stop => 0);
		my $reading = $node->background_psql('postgres', on_error_stop => 0);

		my $stored = $groups ? 0 : 1000;
		$node->safe_psql('postgres', qq(TRUNCATE s; ALTER TABLE s SET (row_store_rows = $stored);
INSERT INTO s SELECT i, 'v' FROM generate_series(1, 40) i; INSERT INTO s SELECT i, 'v' FROM generate_series(41, 80) i));
		$reading->query_safe('BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT 1; SET enable_seqscan = off; SET enable_bitmapscan = off; SET retldb.enable_columnar_scan = off');
		$node->safe_psql('postgres', q(CALL retldb.compact('s')));
		$deleter->query_safe('BEGIN ISOLATION LEVEL SERIALIZABLE');
		is(answer($deleter, 'SELECT n FROM other'), '0', "moved from $what");
		is(answer($reading, 'SELECT v FROM s WHERE id = 7'), 'v', 'the row is read in its old place') if $first eq 'read';
		is(answer($deleter, q(SELECT groups_deleted('DELETE FROM s'))), '1', 'and deleted with its group');
		if ($first eq 'delete')
		{
			$deleter->query_safe('COMMIT');
			like(error_of($reading, 'SELECT v FROM s WHERE id = 7; UPDATE other SET n = n + 0; COMMIT'), qr/could not serialize access due to read.write dependencies/, 'the reader fails');
		}
		else
		{
			$reading->query_safe('UPDATE other SET n = n + 0; COMMIT');
			like(error_of($deleter, 'COMMIT'), qr/could not serialize access due to read.write dependencies/, 'the deleter fails');
		}
		$_->quit for ($reading, $deleter);
	}
}
$session->quit;
$old->quit;
$reading->quit;
$reader->quit;
standby_parts_are('6:1000 7:1000 8:750', 'the standby at the end');
$standby->stop;
$node->stop;

# logical decoding is told of each row
$node = new_server('decoding', allows_streaming => 'logical', conf => 'autovacuum = off');
$node->start;
is($node->safe_psql('postgres', q(
CREATE EXTENSION retldb;
CREATE TABLE t (id int, v text) USING retldb WITH (row_store_rows = 0);
ALTER TABLE t REPLICA IDENTITY FULL;
INSERT INTO t SELECT i, 'v' || i FROM generate_series(1, 3000) i;
CREATE UNLOGGED TABLE u (id int) USING retldb WITH (row_store_rows = 0);
INSERT INTO u SELECT generate_series(1, 3000);
SELECT FROM pg_create_logical_replication_slot('slot', 'test_decoding');
DELETE FROM t;
DELETE FROM u;
SELECT count(*) FILTER (WHERE data ~ '^table public.t: DELETE: id.integer.:'), count(*) FROM pg_logical_slot_get_changes('slot', NULL, NULL, 'include-xids', '0', 'skip-empty-xacts', '1');
SELECT count(*) FROM t;
)), "3000|3002\n0", 'each row is decoded');
$node->stop;
done_testing();
