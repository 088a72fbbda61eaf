# Row groups that are just being written anew by compaction: who reads their rows sees
# them, who touches one for the first time waits and goes on with the moved row, and
# rows that were touched before are changed at once.  And groups whose move was given
# up, whose anchors lead to links that count for nothing.
#
# A commit that waits for a synchronous standby is not seen as one by others: so the
# groups are taken away by a transaction that is in progress, as long as we like.

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
synchronous_commit = on
wal_consistency_checking = all
));
$node->start;
$node->safe_psql('postgres', q(
CREATE EXTENSION retldb;
CREATE EXTENSION pageinspect;
CREATE EXTENSION amcheck;
CREATE TABLE moving (a int PRIMARY KEY, b text, EXCLUDE USING hash (b WITH =)) USING retldb WITH (row_store_rows = 0, row_group_rows = 1000);
CREATE TABLE referencing (a int REFERENCES moving) USING heap;
-- the exclusion constraint keeps rows that are being inserted out of groups
INSERT INTO moving SELECT i, 'row ' || i FROM generate_series(1, 100) i;
CALL retldb.compact('moving');
INSERT INTO moving SELECT i, 'row ' || i FROM generate_series(101, 120) i;
CALL retldb.compact('moving');
VACUUM moving;
));

# rows with stubs: locked once, locked now, being deleted, being updated
$node->safe_psql('postgres', 'BEGIN; SELECT FROM moving WHERE a IN (20, 21, 22, 23) FOR UPDATE; ROLLBACK; DELETE FROM moving WHERE a BETWEEN 24 AND 45');
my $holder = $node->background_psql('postgres');
$holder->query_safe("SET synchronous_commit = local; BEGIN; DELETE FROM moving WHERE a = 50; UPDATE moving SET b = 'changed' WHERE a = 51");
$holder->query_safe('SELECT FROM moving WHERE a = 52 FOR UPDATE');

sub is_paused
{
	my ($what) = @_;
	ok($node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND query LIKE 'CALL%'"), $what);
	return;
}

# more than a tenth of the group is dead: it is written anew
pause_commits($node);
my $compaction = start_script($node, "CALL retldb.compact('moving');\n");
is_paused('a group is being written anew');
my $anchors = q(SELECT count(*) FROM generate_series(1, pg_relation_size('moving') / 8192 - 1) block,
	LATERAL heap_page_items(get_raw_page('moving', block::int)) WHERE t_infomask2 & 4096 <> 0 AND t_xmax::text <> '0' AND t_ctid <> format('(%s,%s)', block, lp)::tid);
is($node->safe_psql('postgres', $anchors), '1', 'its anchor leads to links');

is($node->safe_psql('postgres', 'SELECT count(*), sum(a), count(DISTINCT b) FROM moving'), '98|6501|98', 'who reads sees each once');
is($node->safe_psql('postgres', 'SET enable_seqscan = off; SET retldb.enable_columnar_scan = off; SELECT b FROM moving WHERE a = 60'), 'row 60', 'by an index as well');
my $local = "SET synchronous_commit = local;\n";
is($node->safe_psql('postgres', $local . 'SELECT a FROM moving WHERE a IN (60, 23, 50, 52) FOR UPDATE SKIP LOCKED'), '23', 'SKIP LOCKED passes over them, but for what was touched');
my ($state) = sqlstate($node, 'SELECT * FROM moving WHERE a = 60 FOR KEY SHARE NOWAIT');
is($state, '55P03', 'NOWAIT does not wait');

# rows that had stubs are changed at once
is($node->safe_psql('postgres', $local . "UPDATE moving SET b = 'at once' WHERE a = 20 RETURNING a"), '20', 'a row with a stub is updated at once');
is($node->safe_psql('postgres', $local . 'DELETE FROM moving WHERE a = 21 RETURNING a'), '21', 'or deleted');
is($node->safe_psql('postgres', $local . 'BEGIN ISOLATION LEVEL SERIALIZABLE; UPDATE moving SET b = b || \'!\' WHERE a = 22 RETURNING b; COMMIT'), 'row 22!', 'at any level');

# these wait
my %waiting = (
	update => "UPDATE moving SET b = b || ' updated' WHERE a = 1 RETURNING b",
	delete => 'DELETE FROM moving WHERE a = 2 RETURNING b',
	lock => 'SELECT b FROM moving WHERE a = 3 FOR UPDATE',
	share => 'SELECT b FROM moving WHERE a = 4 FOR KEY SHARE',
	upsert => "INSERT INTO moving VALUES (5, 'inserted') ON CONFLICT (a) DO UPDATE SET b = moving.b || ' upserted' RETURNING b",
	nothing => "INSERT INTO moving VALUES (6, 'nothing') ON CONFLICT DO NOTHING RETURNING b",
	duplicate => "INSERT INTO moving VALUES (7, 'duplicate')",
	excluded => "INSERT INTO moving VALUES (1007, 'row 7')",
	merge => "MERGE INTO moving m USING (VALUES (8)) v(a) ON m.a = v.a WHEN MATCHED THEN UPDATE SET b = m.b || ' merged'",
	reference => 'INSERT INTO referencing VALUES (9)',
	many => "UPDATE moving SET b = b || ' many' WHERE a BETWEEN 101 AND 110",
	wait => "UPDATE moving SET b = b || ' waited' WHERE a = 51 RETURNING b",
	gone => "DELETE FROM moving WHERE a = 50 RETURNING b",
	repeatable => "BEGIN ISOLATION LEVEL REPEATABLE READ; UPDATE moving SET b = b || ' repeatable' WHERE a = 10 RETURNING b; SELECT b FROM moving WHERE a = 10; COMMIT");
my %scripts = map { $_ => start_script($node, $local . $waiting{$_} . ";\n") } keys %waiting;
my $count = keys %waiting;
ok($node->poll_query_until('postgres', "SELECT count(*) = $count FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'"), "$count sessions wait");

resume_commits($node);
finish_script($compaction);
is($compaction->{err}, '', 'compaction is done');
$holder->query_safe('COMMIT');
my %out = map { $_ => finish_script($scripts{$_}) } keys %scripts;
chomp %out;
is($out{update}, 'row 1 updated', 'UPDATE goes on');
is($out{delete}, 'row 2', 'DELETE goes on');
is($out{lock}, 'row 3', 'FOR UPDATE goes on');
is($out{share}, 'row 4', 'FOR KEY SHARE goes on');
is($out{upsert}, 'row 5 upserted', 'an upsert finds the moved row');
is($out{nothing}, '', 'ON CONFLICT DO NOTHING, too');
is($out{wait}, 'changed waited', 'who waited for the holder of a row goes on with what he left');
is($out{gone}, '', 'and does not find what he deleted');
like($scripts{duplicate}{err}, qr/duplicate key value violates unique constraint/, 'a unique check finds the moved row');
like($scripts{excluded}{err}, qr/conflicting key value violates exclusion constraint/, 'and so does an exclusion constraint');
is($scripts{$_}{err}, '', "no error: $_") for qw(update delete lock share upsert nothing merge reference many wait gone repeatable);
is($out{repeatable}, "row 10 repeatable\nrow 10 repeatable", 'repeatable read goes on, and sees what it has done');
is($node->safe_psql('postgres', "SELECT string_agg(b, ',' ORDER BY a) FROM moving WHERE a <= 23 OR a BETWEEN 49 AND 53 OR a IN (100, 101, 110, 111)"),
	'row 1 updated,row 3,row 4,row 5 upserted,row 6,row 7,row 8 merged,row 9,row 10 repeatable,row 11,row 12,row 13,row 14,row 15,row 16,row 17,row 18,row 19,at once,row 22!,row 23,row 49,changed waited,row 52,row 53,row 100,row 101 many,row 110 many,row 111', 'all is as it should be');
is($node->safe_psql('postgres', 'SELECT count(*), sum(a) FROM moving'), '95|6428', 'each row once');
($state) = sqlstate($node, 'DELETE FROM moving WHERE a = 9');
is($state, '23503', 'the moved row is referenced');
verify_clean($node, 'moving', 'moved');
$holder->quit;

# once more, with the stubs that came along; the server crashes while it is paused
$node->safe_psql('postgres', "DELETE FROM moving WHERE a BETWEEN 60 AND 80; BEGIN; SELECT FROM moving FOR UPDATE; ROLLBACK");
my $before = $node->safe_psql('postgres', 'SELECT count(*), sum(a), md5(string_agg(b, \',\' ORDER BY a)) FROM moving');
pause_commits($node);
$compaction = start_script($node, "CALL retldb.compact('moving');\n");
is_paused('it is written anew once more');
is($node->safe_psql('postgres', $local . 'UPDATE moving SET b = b WHERE a IN (52, 53, 90) RETURNING a'), "52\n53\n90", 'all rows have stubs');
resume_commits($node);
finish_script($compaction);
is($compaction->{err}, '', 'compaction is done');
is($node->safe_psql('postgres', 'SELECT count(*), sum(a), md5(string_agg(b, \',\' ORDER BY a)) FROM moving'), $before, 'the same rows');
$node->stop('immediate');
$node->start;
is($node->safe_psql('postgres', 'SELECT count(*), sum(a), md5(string_agg(b, \',\' ORDER BY a)) FROM moving'), $before, 'after a crash, too');
$node->safe_psql('postgres', 'DELETE FROM moving WHERE a > 100; VACUUM moving');
verify_clean($node, 'moving', 'vacuumed');
$node->safe_psql('postgres', 'CALL retldb.compact(\'moving\'); VACUUM moving');
verify_clean($node, 'moving', 'compacted');
is($node->safe_psql('postgres', 'SELECT count(*) - (SELECT count(*) FROM moving) FROM generate_series(1, 1100) i WHERE EXISTS (SELECT FROM moving WHERE a = i)'), '0', 'the index finds all');
is($node->safe_psql('postgres', "SELECT bt_index_parent_check('moving_pkey', true)"), '', 'amcheck finds nothing');

# moves that were given up, at some moment after groups had been taken away
$node->safe_psql('postgres', q{
CREATE TABLE stayed (a int, b text) USING retldb WITH (row_store_rows = 0, row_group_rows = 20000, order_by = 'a');
CREATE TABLE stayed_heap USING heap AS SELECT (i * 7919::bigint % 60000)::int AS a, 'row ' || i AS b FROM generate_series(1, 60000) i;
INSERT INTO stayed TABLE stayed_heap;
BEGIN; SELECT FROM stayed WHERE a % 3 = 0 FOR UPDATE; ROLLBACK;
CREATE VIEW links AS SELECT block, lp FROM generate_series(1, pg_relation_size('stayed') / 8192 - 1) block,
	LATERAL heap_page_items(get_raw_page('stayed', block::int)) WHERE t_infomask2 & 4096 <> 0 AND t_ctid <> format('(%s,%s)', block, lp)::tid;
});
my $difference = make_twins($node, 'stayed', 'stayed_heap');
my ($links, $times) = give_up_moves($node, 0, "TRUNCATE stayed; INSERT INTO stayed TABLE stayed_heap; BEGIN; SELECT FROM stayed WHERE a % 3 = 0 FOR UPDATE; ROLLBACK");
cmp_ok($links, '>', 0, "$links groups have links of an aborted move, after $times tries");
is($node->safe_psql('postgres', $difference), '0', 'their rows are where they were');
$node->safe_psql('postgres', "CALL on_both('UPDATE {t} SET b = b || ''!'' WHERE a % 10 IN (1, 3)')");
$node->safe_psql('postgres', "CALL on_both('DELETE FROM {t} WHERE a % 10 = 2')");
is($node->safe_psql('postgres', $difference), '0', 'and can be changed');
verify_clean($node, 'stayed', 'given up');
$node->safe_psql('postgres', 'VACUUM (FREEZE) stayed');
is($node->safe_psql('postgres', $difference), '0', 'vacuumed');
verify_clean($node, 'stayed', 'vacuumed');
$node->safe_psql('postgres', 'CALL retldb.compact(\'stayed\')');
is($node->safe_psql('postgres', $difference), '0', 'moved');
verify_clean($node, 'stayed', 'moved');
is(log_complaints($node), '', 'no complaint in the log');
$node->stop;

done_testing();
