# Autovacuum comes to retldb tables when it would come to heap tables: after so many
# rows were deleted, updated, rolled back, or moved by compaction, and not before;
# and autoanalyze after changes.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use RetldbTest;

my $node = new_server('primary', conf => q(
autovacuum_naptime = 1s
autovacuum_max_workers = 5
));
my $limits = 'autovacuum_vacuum_threshold = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_insert_threshold = -1';
my $never = 'autovacuum_analyze_threshold = 1000000000';

$node->start;
$node->safe_psql('postgres', qq(
CREATE EXTENSION retldb;
CREATE TABLE deleted (a int, b text) USING retldb WITH ($limits, $never);
CREATE TABLE updated (LIKE deleted) USING retldb WITH ($limits, $never);
CREATE TABLE undone (LIKE deleted) USING retldb WITH ($limits, $never);
CREATE TABLE moved (LIKE deleted) USING retldb WITH ($limits, $never, row_store_rows = 1000);
CREATE TABLE inserted (LIKE deleted) USING retldb WITH (autovacuum_vacuum_insert_threshold = 500, autovacuum_vacuum_insert_scale_factor = 0, $never);
CREATE TABLE analyzed (LIKE deleted) USING retldb WITH (autovacuum_analyze_threshold = 50, autovacuum_analyze_scale_factor = 0, autovacuum_vacuum_insert_threshold = -1);
CREATE TABLE few (LIKE deleted) USING retldb WITH ($limits, autovacuum_analyze_threshold = 500, autovacuum_analyze_scale_factor = 0);
INSERT INTO deleted SELECT i, 'row ' || i FROM generate_series(1, 10000) i;
INSERT INTO updated SELECT i, 'row ' || i FROM generate_series(1, 10000) i;
INSERT INTO moved SELECT i, 'row ' || i FROM generate_series(1, 100) i;
INSERT INTO few SELECT i, 'row ' || i FROM generate_series(1, 400) i;
));

# rows come when all have seen them
sub vacuums
{
	my ($table, $what) = @_;
	ok($node->poll_query_until('postgres', "SELECT $what > 0 FROM pg_stat_user_tables WHERE relname = '$table'"), "$table: $what");
	return;
}

# too few changes
$node->safe_psql('postgres', 'DELETE FROM few WHERE a <= 40');
# enough of them
$node->safe_psql('postgres', 'DELETE FROM deleted WHERE a <= 100');
vacuums('deleted', 'autovacuum_count');
is($node->safe_psql('postgres', "SELECT n_live_tup FROM pg_stat_user_tables WHERE relname = 'deleted'"), '9900', 'living rows are counted');
ok($node->poll_query_until('postgres', "SELECT n_dead_tup = 0 OR autovacuum_count > 1 FROM pg_stat_user_tables WHERE relname = 'deleted'"), 'dead ones are gone');
is($node->safe_psql('postgres', "SELECT reltuples FROM pg_class WHERE relname = 'deleted'"), '9900', 'so says pg_class');
$node->safe_psql('postgres', "UPDATE updated SET b = 'updated' WHERE a % 100 = 0");
vacuums('updated', 'autovacuum_count');
$node->safe_psql('postgres', "BEGIN; INSERT INTO undone SELECT i, 'undone' FROM generate_series(1, 5000) i; ROLLBACK");
vacuums('undone', 'autovacuum_count');
$node->safe_psql('postgres', "INSERT INTO inserted SELECT i, 'inserted' FROM generate_series(1, 5000) i");
vacuums('inserted', 'autovacuum_count');
is($node->safe_psql('postgres', "SELECT autovacuum_count FROM pg_stat_user_tables WHERE relname = 'moved'"), '0', 'rows that were only inserted do not count');
$node->safe_psql('postgres', "CALL retldb.compact('moved')");
vacuums('moved', 'autovacuum_count');
is($node->safe_psql('postgres', "SELECT n_live_tup, n_tup_del, n_tup_upd FROM pg_stat_user_tables WHERE relname = 'moved'"), '100|0|0', 'moved rows are not changed ones');
$node->safe_psql('postgres', "INSERT INTO analyzed SELECT i, 'row ' || i FROM generate_series(1, 100) i");
vacuums('analyzed', 'autoanalyze_count');
# (it is counted before it commits)
ok($node->poll_query_until('postgres', "SELECT count(*) = 2 FROM pg_stats WHERE tablename = 'analyzed'"), 'there are statistics');
# several naptimes have passed
is($node->safe_psql('postgres', "SELECT autovacuum_count, autoanalyze_count, n_dead_tup FROM pg_stat_user_tables WHERE relname = 'few'"), '0|0|40', 'few changes are left alone');

# pages that rows have left are given to row groups, when these need pages; and groups
# at the end of the file are brought to free pages before them
without_autovacuum($node);
$node->safe_psql('postgres', q(
CREATE TABLE space (a int, b text) USING retldb WITH (row_store_rows = 0, row_group_rows = 20000, autovacuum_enabled = off);
INSERT INTO space SELECT i, repeat(md5(i::text), 5) FROM generate_series(1, 20000) i;
ALTER TABLE space SET (row_store_rows = 1000000);
INSERT INTO space SELECT i, repeat(md5(i::text), 5) FROM generate_series(20001, 60000) i));
my $info = 'FROM retldb.table_info(\'space\')';
my $full = $node->safe_psql('postgres', "SELECT row_store_pages $info");
$node->safe_psql('postgres', "CALL retldb.compact('space')");
my $tries = 0;
do
{
	$node->safe_psql('postgres', 'VACUUM space');
} while ($node->safe_psql('postgres', "SELECT free_pages < $full / 2 $info") eq 't' && ++$tries < 20);
cmp_ok($node->safe_psql('postgres', "SELECT free_pages $info"), '>=', $full / 2, "of $full pages of the row store most become free pages");
verify_clean($node, 'space', 'reclaimed');
my $size = $node->safe_psql('postgres', "SELECT pages $info");
$node->safe_psql('postgres', "ALTER TABLE space SET (row_store_rows = 0); INSERT INTO space SELECT i, repeat(md5(i::text), 5) FROM generate_series(60001, 80000) i");
is($node->safe_psql('postgres', "SELECT pages $info"), $size, 'a new group uses them');
is($node->safe_psql('postgres', 'SELECT count(*), sum(a) FROM space'), '80000|3200040000', 'all rows are there');
for (1 .. 10)
{
	$node->safe_psql('postgres', "CALL retldb.compact('space'); VACUUM space");
}
cmp_ok($node->safe_psql('postgres', "SELECT pages $info"), '<', $size * 0.5, "the file of $size pages is cut off in the end");
is($node->safe_psql('postgres', 'SELECT count(*), sum(a), count(DISTINCT b) FROM space'), '80000|3200040000|80000', 'all rows are still there');
$node->safe_psql('postgres', "ALTER TABLE space SET (row_store_rows = 1000000); INSERT INTO space SELECT i, repeat(md5(i::text), 5) FROM generate_series(80001, 81000) i");
is($node->safe_psql('postgres', 'SELECT count(*), sum(a) FROM space'), '81000|3280540500', 'rows find other pages');
verify_clean($node, 'space', 'cut off');
is(log_complaints($node), '', 'no complaint in the log');
$node->stop;

done_testing();
