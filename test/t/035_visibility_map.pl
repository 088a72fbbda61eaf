# VACUUM looks at the visibility map first and at the page later.  Stubs that are made
# between the two are frozen: the page must not lose its bits to them, or VACUUM would set
# that for all-frozen alone, and it would stay when unfrozen tuples come.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use RetldbTest;

my $node = new_server('node', allows_streaming => 1, conf => q(
autovacuum = off
retldb.autocompact = off
wal_consistency_checking = all
wal_log_hints = off
));
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION IF NOT EXISTS retldb');
my $file;

# how many pages there are by their bits in the map, and whether the page agrees
sub map_bits
{
	my ($map, $pages) = (slurp_file("${file}_vm"), slurp_file($file));
	my %count;
	for my $block (0 .. length($pages) / 8192 - 1)
	{
		my $bits = (ord(substr($map, 24 + int($block / 4), 1)) >> 2 * ($block % 4)) & 3;
		my $visible = unpack('v', substr($pages, 8192 * $block + 10, 2)) & 4;
		$count{ $bits . ($bits == 0 || $visible ? '' : ' but not on the page') }++;
	}
	return \%count;
}

# a busy machine may let VACUUM come to its end too early: then once more, with a longer way
my $on_its_way = 0;
for (my $rows = 2000; !$on_its_way && $rows <= 6000; $rows += 1000)
{
	$node->safe_psql('postgres', $_) for 'DROP TABLE IF EXISTS t', qq(
CREATE TABLE t (a int) USING retldb WITH (row_store_rows = 1000000);
INSERT INTO t SELECT -i FROM generate_series(1, $rows) i;
ALTER TABLE t SET (row_store_rows = 0);
INSERT INTO t SELECT i FROM generate_series(1, 20000) i;
DELETE FROM t WHERE a < 0), 'VACUUM FREEZE t';
	$file = $node->data_dir . '/' . $node->safe_psql('postgres', q(SELECT pg_relation_filepath('t')));
	$node->safe_psql('postgres', 'CHECKPOINT');
	cmp_ok(map_bits()->{3}, '>=', 8, 'pages without a row are all-frozen');

	# VACUUM has looked at the map of all pages, and is on its way through them
	my $vacuum = start_script($node, "SET vacuum_cost_delay = 100; SET vacuum_cost_limit = 1; VACUUM t; SELECT 'done';");
	for (1 .. 1800)
	{
		last if $node->safe_psql('postgres', 'SELECT count(*) FROM pg_stat_progress_vacuum WHERE heap_blks_scanned > 0') || !$vacuum->{run}->pumpable;
		select(undef, undef, undef, 0.1);
	}
	# more stubs are made than rows are touched
	$node->safe_psql('postgres', 'BEGIN; DECLARE c CURSOR FOR SELECT * FROM t FOR UPDATE; MOVE 600 FROM c; COMMIT');
	$on_its_way = $node->safe_psql('postgres', q(SELECT count(*) FROM pg_stat_progress_vacuum WHERE phase = 'scanning heap'));
	is(finish_script($vacuum), "done\n", 'VACUUM is done');
}
is($on_its_way, '1', 'VACUUM was still on its way');
$node->safe_psql('postgres', 'CHECKPOINT');
my $bits = map_bits();
is(join(', ', grep { $_ =~ /^2|not/ } sort keys %$bits), '', 'no page is all-frozen that is not all-visible');
verify_clean($node, 't', 'stubs next to VACUUM');

# replay makes pages that were empty anew
$node->safe_psql('postgres', 'BEGIN; DECLARE c CURSOR FOR SELECT * FROM t WHERE a > 4000 FOR UPDATE; MOVE 600 FROM c; COMMIT');
$node->stop('immediate');
$node->start;
$node->safe_psql('postgres', 'CHECKPOINT');
$bits = map_bits();
is(join(', ', grep { $_ =~ /^2|not/ } sort keys %$bits), '', 'nor after recovery');
verify_clean($node, 't', 'recovered');
is($node->safe_psql('postgres', 'DELETE FROM t WHERE a <= 1000; SELECT count(*), sum(a) FROM t'), '19000|199509500', 'all rows are there');

# A standby takes a transaction that ended with the primary's crash for one that goes on, as
# long as an older one does: that one is prepared.  It has deleted a row of a page that is
# all-visible again when VACUUM has come.
$node->safe_psql('postgres', q(
CREATE EXTENSION pg_visibility;
CREATE TABLE d (a int) USING retldb WITH (row_store_rows = 1000000);
INSERT INTO d SELECT generate_series(1, 10);
VACUUM d));
my $standby = start_standby('standby', $node, '');
$node->safe_psql('postgres', q(BEGIN; INSERT INTO t VALUES (0); PREPARE TRANSACTION 'older'));
my $deleter = $node->background_psql('postgres');
$deleter->query_safe('BEGIN; DELETE FROM d WHERE a = 5');
$node->safe_psql('postgres', 'CREATE TABLE flushed ()');
$node->stop('immediate');
$node->start;
$deleter->quit;
$node->safe_psql('postgres', 'VACUUM d');
$node->wait_for_catchup($standby, 'replay', $node->lsn('insert'));
is($standby->safe_psql('postgres', q(SELECT all_visible FROM pg_visibility_map('d', (SELECT (ctid::text::point)[0]::bigint FROM d WHERE a = 5)))), 't', 'a page is all-visible on the standby');
verify_clean($_, 'd', $_->name) for $node, $standby;
is($standby->safe_psql('postgres', 'SELECT count(*), sum(a) FROM d'), '10|55', 'all rows are there');
$node->safe_psql('postgres', q(ROLLBACK PREPARED 'older'));

# a map that was truncated is whole again after VACUUM
$node->safe_psql('postgres', q(
CREATE TABLE m USING retldb AS SELECT i AS a, md5(i::text) AS b FROM generate_series(1, 20000) i;
VACUUM m;
SELECT pg_truncate_visibility_map('m');
VACUUM (FREEZE) m));
my $whole = q(SELECT all_visible = all_frozen, all_frozen = pg_relation_size('m') / current_setting('block_size')::int FROM pg_visibility_map_summary('m'));
is($node->safe_psql('postgres', $whole), 't|t', 'all pages are in the map again');
$node->wait_for_catchup($standby, 'replay', $node->lsn('insert'));
is($standby->safe_psql('postgres', $whole), 't|t', 'on the standby, too');
verify_clean($_, 'm', $_->name) for $node, $standby;
is(log_complaints($_), '', 'no complaint in the log of ' . $_->name) for $node, $standby;
$standby->stop;

# pages that are logged for it, as they are with hint bits, keep the LSN that they got
$node->append_conf('postgresql.conf', 'wal_log_hints = on');
$node->restart;
$node->safe_psql('postgres', q(
CREATE EXTENSION pageinspect;
CHECKPOINT;
SELECT pg_truncate_visibility_map('m');
CREATE TABLE start AS SELECT pg_current_wal_lsn() AS lsn;
VACUUM (FREEZE) m));
is($node->safe_psql('postgres', $whole), 't|t', 'with hint bits: all pages are in the map again');
my $lsns = q(SELECT string_agg(lsn::text, ' ') FROM generate_series(0, pg_relation_size('m') / current_setting('block_size')::int - 1) b, page_header(get_raw_page('m', b::int)));
my $before = $node->safe_psql('postgres', $lsns);
is($node->safe_psql('postgres', "SELECT count(*) FROM start, string_to_table('$before', ' ') l WHERE l::pg_lsn <= lsn"), '0', 'all are logged');
$node->restart;
is($node->safe_psql('postgres', $lsns), $before, 'and have the LSNs of that after a restart');
$node->stop;

done_testing();
