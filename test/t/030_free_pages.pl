# Free pages are given to groups whoever had them, and to one group each: in many short
# runs, from entries with a run list and without, next to aborted loads and VACUUM, when
# the server is killed, and on a standby.  Pages that a crash has left without an owner
# are given to groups, too.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use RetldbTest;

my $rounds = $ENV{RETLDB_CRASH_ROUNDS} || 4;
seed_random();

my $primary = new_server('primary', allows_streaming => 1, conf => q(
wal_consistency_checking = 'heap, btree, generic'
autovacuum = off
checkpoint_timeout = 30s
max_wal_size = 256MB
retldb.row_store_rows = 0
retldb.compression = none
));
$primary->start;
$primary->safe_psql('postgres', "SELECT pg_create_physical_replication_slot('standby')");
create_batches($primary);
my $standby = start_standby('standby', $primary, "primary_slot_name = 'standby'");

sub pages
{
	my ($table, $what) = @_;
	return $primary->safe_psql('postgres', "SELECT $what FROM retldb.table_info('$table')");
}

# a group of so many thousand rows, 7 pages each; they stay or are rolled back
sub load
{
	my ($thousands, $stays) = @_;
	my $sql = 'INSERT INTO f SELECT i, md5(i::text) || md5((-i)::text) FROM generate_series(1, 1000 * ' . $thousands . ') i';
	$primary->safe_psql('postgres', $stays ? $sql : "BEGIN; $sql; ROLLBACK");
	return;
}

# runs of free pages between groups
$primary->safe_psql('postgres', 'CREATE TABLE f (a int, b text) USING retldb WITH (autocompact = off)');
for (1 .. 12)
{
	load(1, 0);
	load(1, 1);
}
$primary->safe_psql('postgres', 'VACUUM f');
my $rows = 12000;
my $all = pages('f', 'pages');
my $free = pages('f', 'free_pages');
my $one = int($free / 12);
cmp_ok($free, '>=', 60, "free pages are there, $one to a group");
verify_clean($primary, 'f', 'pages between groups');

# one group takes them, and needs a run list; it is rolled back, and they are one entry
load(11, 0);
cmp_ok(pages('f', 'pages'), '==', $all, 'a large group takes pages of all entries');
is($primary->safe_psql('postgres', "SELECT max(runs) > 4 FROM retldb.row_groups('f') WHERE state <> 'free' AND NOT visible"), 't', 'in more runs than its entry has room for');
verify_clean($primary, 'f', 'a group in many runs');
$primary->safe_psql('postgres', 'VACUUM f');
cmp_ok(pages('f', 'pages'), '==', $all, 'they are given back');
cmp_ok(pages('f', 'free_pages'), '==', $free, 'all of them, with its run list');
verify_clean($primary, 'f', 'an entry with a run list');
# small ones take some of them each
for (1 .. 5)
{
	load(1, 1);
	$rows += 1000;
	load(1, 0);
}
verify_clean($primary, 'f', 'an entry that was divided');
cmp_ok(pages('f', 'pages'), '==', $all, 'small groups take pages of one entry');
$primary->safe_psql('postgres', 'VACUUM f');
# a large one, and what it does not find is appended
load(12, 1);
$rows += 12000;
cmp_ok(pages('f', 'pages'), '>', $all, 'what is missing is appended');
cmp_ok(pages('f', 'free_pages'), '==', 0, 'nothing is left');
is($primary->safe_psql('postgres', 'SELECT count(*), sum(a), bool_and(b = md5(a::text) || md5((-a)::text)) FROM f'),
	"$rows|" . (17 * 500500 + 72006000) . '|t', 'all rows are there');
verify_clean($primary, 'f', 'a group in free and new pages');

# groups at the end of the file go to free pages of any length before them
$primary->safe_psql('postgres', 'CREATE TABLE r (a int, b text) USING retldb WITH (autocompact = off, row_group_rows = 6000)');
for (1 .. 12)
{
	$primary->safe_psql('postgres', "BEGIN; INSERT INTO r SELECT i, md5(i::text) || md5((-i)::text) FROM generate_series(1, 2000) i; ROLLBACK");
	$primary->safe_psql('postgres', "INSERT INTO r SELECT i, md5(i::text) || md5((-i)::text) FROM generate_series(1, 3000) i");
}
$primary->safe_psql('postgres', 'VACUUM r');
my $before = pages('r', 'pages');
for (1 .. 8)
{
	$primary->safe_psql('postgres', 'CALL retldb.compact(\'r\'); VACUUM r');
}
my $needed = pages('r', 'row_group_pages');
cmp_ok(pages('r', 'pages'), '<=', 1.15 * $needed, "of $before pages the last ones are cut off, for $needed are needed");
is($primary->safe_psql('postgres', 'SELECT count(*), sum(a), bool_and(b = md5(a::text) || md5((-a)::text)) FROM r'), '36000|54018000|t', 'all rows are there');
verify_clean($primary, 'r', 'cut off');

# the directory was made behind the pages of a row store: it does not keep them
$primary->safe_psql('postgres', 'CREATE TABLE d (a int, b text) USING retldb WITH (autocompact = off, row_store_rows = 1000000)');
$primary->safe_psql('postgres', 'INSERT INTO d SELECT i, md5(i::text) || md5((-i)::text) FROM generate_series(1, 50000) i');
my $filled = pages('d', 'pages');
for (1 .. 6)
{
	$primary->safe_psql('postgres', 'CALL retldb.compact(\'d\'); VACUUM d');
}
cmp_ok(pages('d', 'pages'), '<', 0.7 * $filled, "of $filled pages, the directory behind them, the last ones are cut off");
is($primary->safe_psql('postgres', 'SELECT count(*), sum(a), bool_and(b = md5(a::text) || md5((-a)::text)) FROM d'), '50000|1250025000|t', 'all rows are there');
verify_clean($primary, 'd', 'directory moved');
$primary->safe_psql('postgres', 'INSERT INTO d SELECT i, md5(i::text) || md5((-i)::text) FROM generate_series(50001, 51000) i; CALL retldb.compact(\'d\')');
is($primary->safe_psql('postgres', 'SELECT count(*), sum(a), bool_and(b = md5(a::text) || md5((-a)::text)) FROM d'), '51000|1300525500|t', 'rows go there, too');
verify_clean($primary, 'd', 'after directory moved');

# A group that was moved, whose anchor is gone, stays while somebody is at work on a row that
# it has had.  He ends when VACUUM is about to cut off the page that the anchor was on.
my $wide = 'md5(i::text) || md5((-i)::text)';
$primary->safe_psql('postgres', $_) for "CREATE TABLE e (a int, b text) USING retldb WITH (autocompact = off); CREATE TABLE vacuumed () USING heap",
  "INSERT INTO e SELECT -1, $wide FROM generate_series(1, 6000) i", 'DELETE FROM e', 'VACUUM (TRUNCATE off) e',
  # rows that leave no room for anchors, but on the last page
  "ALTER TABLE e SET (row_store_rows = 1000); INSERT INTO e SELECT -1, left($wide, 48) FROM generate_series(1, 900) i;"
  . "ALTER TABLE e SET (row_store_rows = 0); INSERT INTO e SELECT i, $wide FROM generate_series(1, 300) i; INSERT INTO e SELECT i, $wide FROM generate_series(301, 600) i",
  'DELETE FROM e WHERE a < 0', 'VACUUM e', 'SELECT FROM e WHERE a = 100 FOR KEY SHARE', "CALL retldb.compact('e')";
my $moved = "SELECT max((anchor::text::point)[0]) FROM retldb.row_groups('e') WHERE state = 'complete' AND NOT visible";
my $end = pages('e', 'pages');
is($primary->safe_psql('postgres', $moved), $end - 1, 'the anchor of a moved group is on the last page');
my $deleter = start_script($primary, q(
BEGIN;
DELETE FROM e WHERE a = 100;
DO $$ BEGIN
	WHILE NOT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event = 'VacuumTruncate') AND NOT EXISTS (SELECT FROM vacuumed) LOOP
		PERFORM pg_sleep(0.01), pg_stat_clear_snapshot();
	END LOOP;
END $$;
COMMIT;
));
$primary->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE query LIKE 'DO %' AND state = 'active'");
$primary->safe_psql('postgres', 'VACUUM e');
$primary->safe_psql('postgres', 'INSERT INTO vacuumed DEFAULT VALUES');
finish_script($deleter);
is($deleter->{err}, '', 'the row is deleted');
isnt($primary->safe_psql('postgres', $moved), '', 'the group stays');
is($primary->safe_psql('postgres', 'SELECT count(*), sum(a) FROM e'), '599|180200', 'the other rows are there');
verify_clean($primary, 'e', 'a group without anchor');
$primary->safe_psql('postgres', 'VACUUM e');
is($primary->safe_psql('postgres', $moved), '', 'VACUUM gives it back later');
cmp_ok(pages('e', 'pages'), '<', $end - 5, 'and cuts off the end');
verify_clean($primary, 'e', 'cut off later');

# loads large and small, aborted ones, VACUUM and compaction, and the server is killed
my ($next, %acknowledged);
for my $round (1 .. $rounds)
{
	my @scripts;
	for my $client (1 .. 3)
	{
		my $sql = '';
		for (1 .. 40)
		{
			$next++;
			$sql .= batch_sql($client, $next, n => 1 + int rand((300, 3000, 30000)[ int rand 3 ]));
			$sql .= "BEGIN;\nINSERT INTO batches SELECT $client, -1, i, md5(i::text) FROM generate_series(1, " . int(rand 12000) . ") i;\nROLLBACK;\n";
		}
		push @scripts, start_script($primary, $sql);
	}
	push @scripts, start_script($primary, "VACUUM batches;\nSELECT pg_sleep(0.1);\nCHECKPOINT;\n" x 50);
	push @scripts, start_script($primary, "CALL retldb.compact('batches');\nSELECT pg_sleep(0.1);\n" x 50);
	select(undef, undef, undef, 1 + rand 3);
	crash_and_restart($primary, sub {
		for my $script (@scripts)
		{
			my $out = finish_script($script);
			$acknowledged{"$1|$2"} = 1 while $out =~ /^done (\d+) (\d+)$/mg;
			unlike($script->{err}, qr/XX\d\d\d|internal|damaged|corrupt/, "round $round: nothing is wrong");
		}
	});
	$primary->safe_psql('postgres', "COMMIT PREPARED '$_'")
	  for split /\n/, $primary->safe_psql('postgres', 'SELECT gid FROM pg_prepared_xacts');
	batches_agree($primary, "round $round");
	my %there = map { $_ => 1 } split /\n/, $primary->safe_psql('postgres', 'SELECT client, batch FROM batch_log');
	my @lost = grep { !$there{$_} } keys %acknowledged;
	is("@lost", '', "round $round: all " . keys(%acknowledged) . ' acknowledged batches are there');
	verify_clean($primary, 'batches', "round $round");
}
is($primary->safe_psql('postgres', "SELECT count(*) > 0 FROM retldb.row_groups('batches') WHERE runs > 4"), 't', 'some groups are in many runs');

# the standby has replayed all of it, each page compared with its image
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));
batches_agree($standby, 'standby');
verify_clean($standby, $_, 'standby') foreach qw(batches f r d);
is(log_complaints($standby), '', 'no complaint in the log of the standby');
$standby->stop;

# pages that were appended and not entered when the server was killed
my $orphans = 32;
$primary->safe_psql('postgres', 'CREATE TABLE o (a int, b text) USING retldb WITH (autocompact = off)');
my $insert = 'INSERT INTO o SELECT i, md5(i::text) || md5((-i)::text) FROM generate_series(1, 5000) i';
$primary->safe_psql('postgres', $insert);
$primary->safe_psql('postgres', $insert);
my $file = $primary->data_dir . '/' . $primary->safe_psql('postgres', "SELECT pg_relation_filepath('o')");
$primary->stop;
without_checksums($primary);
open my $fh, '+<:raw', $file or die "$file: $!";
my $blocks = (-s $file) / 8192;
seek $fh, 8192 * ($blocks - 2), 0;
read($fh, my $page, 8192) == 8192 or die 'short read';
seek $fh, 8192 * $blocks, 0;
for my $block ($blocks .. $blocks + $orphans - 1)
{
	# checksums of pages depend on their place
	substr($page, 28, 4) = pack 'V', 0;
	substr($page, 28, 4) = pack 'V', RetldbTest::crc32c(pack('V', $block) . substr($page, 24));
	print $fh $page;
}
close $fh or die "$file: $!";
$primary->start;
$primary->safe_psql('postgres', $insert);
cmp_ok(pages('o', 'pages'), '>', $blocks + $orphans, 'a group is behind pages without an owner');
$primary->safe_psql('postgres', 'VACUUM o');
cmp_ok(pages('o', 'free_pages'), '==', $orphans, 'VACUUM finds them');
verify_clean($primary, 'o', 'pages that had no owner');
$all = pages('o', 'pages');
$primary->safe_psql('postgres', 'INSERT INTO o SELECT i, md5(i::text) || md5((-i)::text) FROM generate_series(1, 4000) i');
cmp_ok(pages('o', 'pages'), '==', $all, 'a group takes them');
is($primary->safe_psql('postgres', 'SELECT count(*), sum(a), bool_and(b = md5(a::text) || md5((-a)::text)) FROM o'),
	'19000|' . (3 * 12502500 + 8002000) . '|t', 'all rows are there');
verify_clean($primary, 'o', 'a group in pages that had no owner');
is(log_complaints($primary), '', 'no complaint in the log of the primary');
$primary->stop;

done_testing();
