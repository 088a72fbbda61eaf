# Rows that are just being moved by compaction: who reads sees them, who wants to
# change or lock them waits, and goes on with the moved row.  And rows whose move was
# given up, which have links that lead nowhere.
#
# A commit that waits for a synchronous standby is not seen as one by others: so the
# rows are marked as moved by a transaction that is in progress, as long as we like.

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
CREATE TABLE moving (a int PRIMARY KEY, b text) USING retldb;
CREATE TABLE referencing (a int REFERENCES moving) USING heap;
INSERT INTO moving SELECT i, 'row ' || i FROM generate_series(1, 200) i));

# a writer who is there does not matter
my $writer = $node->background_psql('postgres');
$writer->query_safe("BEGIN; LOCK TABLE moving IN ROW EXCLUSIVE MODE");
pause_commits($node);
my $compaction = start_script($node, "CALL retldb.compact('moving');\n");
ok($node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND query LIKE 'CALL%'"), 'rows are being moved');
like($node->safe_psql('postgres', "SELECT t_ctid FROM heap_page_items(get_raw_page('moving', (SELECT (ctid::text::point)[0]::int FROM moving WHERE a = 50))) WHERE lp = (SELECT (ctid::text::point)[1] FROM moving WHERE a = 50)"),
	qr/^\(2147483648,\d+\)$/, 'they have links');

is($node->safe_psql('postgres', 'SELECT count(*), sum(a), count(DISTINCT b) FROM moving'), '200|20100|200', 'who reads sees each once');
is($node->safe_psql('postgres', 'SET enable_seqscan = off; SET retldb.enable_columnar_scan = off; SELECT b FROM moving WHERE a = 50'), 'row 50', 'by an index as well');
is($node->safe_psql('postgres', 'SELECT * FROM moving WHERE a = 50 FOR UPDATE SKIP LOCKED'), '', 'SKIP LOCKED passes over them');
my ($state) = sqlstate($node, 'SELECT * FROM moving WHERE a = 50 FOR KEY SHARE NOWAIT');
is($state, '55P03', 'NOWAIT does not wait');

# these do
my $local = "SET synchronous_commit = local;\n";
my %waiting = (
	update => "UPDATE moving SET b = b || ' updated' WHERE a = 1 RETURNING b",
	delete => 'DELETE FROM moving WHERE a = 2 RETURNING b',
	lock => 'SELECT b FROM moving WHERE a = 3 FOR UPDATE',
	share => 'SELECT b FROM moving WHERE a = 4 FOR KEY SHARE',
	upsert => "INSERT INTO moving VALUES (5, 'inserted') ON CONFLICT (a) DO UPDATE SET b = moving.b || ' upserted' RETURNING b",
	nothing => "INSERT INTO moving VALUES (6, 'inserted') ON CONFLICT DO NOTHING RETURNING b",
	duplicate => "INSERT INTO moving VALUES (7, 'inserted')",
	merge => "MERGE INTO moving m USING (VALUES (8)) v(a) ON m.a = v.a WHEN MATCHED THEN UPDATE SET b = m.b || ' merged'",
	reference => 'INSERT INTO referencing VALUES (9)',
	repeatable => "BEGIN ISOLATION LEVEL REPEATABLE READ; UPDATE moving SET b = b || ' repeatable' WHERE a = 10 RETURNING b; SELECT b FROM moving WHERE a = 10; COMMIT");
my %scripts = map { $_ => start_script($node, $local . $waiting{$_} . ";\n") } keys %waiting;
my $count = keys %waiting;
ok($node->poll_query_until('postgres', "SELECT count(*) = $count FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'"), "$count sessions wait");

resume_commits($node);
my %out = map { $_ => finish_script($scripts{$_}) } keys %scripts;
chomp %out;
finish_script($compaction);
is($compaction->{err}, '', 'compaction is done');
is($out{update}, 'row 1 updated', 'UPDATE goes on');
is($out{delete}, 'row 2', 'DELETE goes on');
is($out{lock}, 'row 3', 'FOR UPDATE goes on');
is($out{share}, 'row 4', 'FOR KEY SHARE goes on');
is($out{upsert}, 'row 5 upserted', 'an upsert finds the moved row');
is($out{nothing}, '', 'ON CONFLICT DO NOTHING, too');
like($scripts{duplicate}{err}, qr/duplicate key value violates unique constraint/, 'and so does a unique check');
is($scripts{$_}{err}, '', "no error: $_") for qw(update delete lock share upsert nothing merge reference repeatable);
is($out{repeatable}, "row 10 repeatable\nrow 10 repeatable", 'repeatable read goes on, and sees what it has done');
is($node->safe_psql('postgres', "SELECT string_agg(b, ',' ORDER BY a) FROM moving WHERE a <= 10"),
	'row 1 updated,row 3,row 4,row 5 upserted,row 6,row 7,row 8 merged,row 9,row 10 repeatable', 'all is as it should be');
is($node->safe_psql('postgres', 'SELECT count(*), sum(a) FROM moving'), '199|20098', 'each row once');
($state) = sqlstate($node, 'DELETE FROM moving WHERE a = 9');
is($state, '23503', 'the moved row is referenced');
verify_clean($node, 'moving', 'moved');
$writer->query_safe('COMMIT');
$writer->quit;

# moves that were given up, at some moment after rows had been marked
$node->safe_psql('postgres', q{
CREATE TABLE stayed (a int, b text) USING retldb WITH (row_store_rows = 1000000);
INSERT INTO stayed SELECT i, 'row ' || i FROM generate_series(1, 60000) i;
CREATE TABLE stayed_heap USING heap AS TABLE stayed;
CREATE VIEW links AS SELECT block, lp FROM generate_series(1, pg_relation_size('stayed') / 8192 - 1) block,
	LATERAL heap_page_items(get_raw_page('stayed', block::int)) WHERE t_ctid::text LIKE '(21%';});
my $difference = make_twins($node, 'stayed', 'stayed_heap');
my ($links) = give_up_moves($node, 500, "TRUNCATE stayed; INSERT INTO stayed TABLE stayed_heap");
cmp_ok($links, '>', 500, "$links rows have links of an aborted move");
is($node->safe_psql('postgres', $difference), '0', 'they are where they were');
my $rows = 'ctid IN (SELECT format(\'(%s,%s)\', block, lp)::tid FROM links)';
my @linked = split /\n/, $node->safe_psql('postgres', "SELECT a FROM stayed WHERE $rows ORDER BY a LIMIT 400");
sub among { my ($n) = @_; return 'a IN (' . join(', ', grep { $_ % 5 == $n } @linked) . ')'; }
my $expected = grep { $_ % 5 == 0 } @linked;
is($node->safe_psql('postgres', 'BEGIN; SELECT count(*) FROM (SELECT FROM stayed WHERE ' . among(0) . ' FOR KEY SHARE) x; COMMIT'), $expected, 'they can be locked');
$node->safe_psql('postgres', "CALL on_both('UPDATE {t} SET b = b || ''!'' WHERE " . among(1) . "')");
$node->safe_psql('postgres', "CALL on_both('DELETE FROM {t} WHERE " . among(2) . "')");
my ($current) = grep { $_ % 5 == 3 } @linked;
$node->safe_psql('postgres', "BEGIN; DECLARE c CURSOR FOR SELECT * FROM stayed WHERE a = $current FOR NO KEY UPDATE; FETCH c; UPDATE stayed SET b = 'current' WHERE CURRENT OF c; COMMIT;
	BEGIN; DECLARE c CURSOR FOR SELECT * FROM stayed WHERE a = $current + 5; FETCH c; UPDATE stayed SET b = 'current' WHERE CURRENT OF c; COMMIT;
	UPDATE stayed_heap SET b = 'current' WHERE a IN ($current, $current + 5)");
is($node->safe_psql('postgres', $difference), '0', 'and changed');
verify_clean($node, 'stayed', 'given up');
$node->safe_psql('postgres', 'VACUUM (FREEZE) stayed');
is($node->safe_psql('postgres', $difference), '0', 'vacuumed');
$node->safe_psql('postgres', 'CALL retldb.compact(\'stayed\')');
is($node->safe_psql('postgres', $difference), '0', 'moved');
is($node->safe_psql('postgres', "SELECT sum(rows) - (SELECT count(*) FROM stayed_heap) FROM retldb.row_groups('stayed') WHERE visible"), '0', 'all of them');
verify_clean($node, 'stayed', 'moved');
is(log_complaints($node), '', 'no complaint in the log');
$node->stop;

done_testing();
