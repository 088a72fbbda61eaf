# Scans pass over pages of the row store without rows.  A row that comes to one is seen
# while VACUUM says in the visibility map that the page is all-visible, on a standby, and
# after crashes.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use RetldbTest;

my $node = new_server('bare', allows_streaming => 1, conf => q(
autovacuum = off
wal_consistency_checking = all
));
$node->start;
$node->safe_psql('postgres', q(
CREATE EXTENSION retldb;
CREATE TABLE t (a int, b text) USING retldb WITH (row_store_rows = 1000000);
INSERT INTO t SELECT i, md5(i::text) FROM generate_series(1, 3000) i));
$node->safe_psql('postgres', q(CALL retldb.compact('t')));
$node->safe_psql('postgres', 'VACUUM (TRUNCATE off) t');
my $standby = start_standby('standby', $node, '');

# pages of the table that a query on it takes from shared buffers, or reads
sub pages_of_scan
{
	my ($server) = @_;
	my $plan = $server->safe_psql('postgres',
		'EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT sum(a) FROM t');
	my ($hit) = $plan =~ /"Shared Hit Blocks": (\d+)/;
	my ($read) = $plan =~ /"Shared Read Blocks": (\d+)/;
	return $hit + $read;
}

my $query = 'SELECT count(*), sum(a) FROM t';
sub answers_are
{
	my ($expected, $what) = @_;

	is($node->safe_psql('postgres', $query), $expected, $what);
	$node->wait_for_catchup($standby);
	is($standby->safe_psql('postgres', $query), $expected, "$what, on the standby");
}

cmp_ok(pages_of_scan($node), '<', 15, 'pages without rows are not read');
$node->wait_for_catchup($standby);
cmp_ok(pages_of_scan($standby), '<', 15, 'nor on the standby');
answers_are('3000|4501500', 'rows in row groups');

# rows come to those pages
$node->safe_psql('postgres', 'INSERT INTO t SELECT -i, md5(i::text) FROM generate_series(1, 500) i');
answers_are('3500|4376250', 'rows that have come');

# next to a VACUUM that is on its way
my $vacuum = start_script($node, 'SET vacuum_cost_delay = 60; SET vacuum_cost_limit = 1; VACUUM (TRUNCATE off) t;');
$node->poll_query_until('postgres', q(SELECT count(*) = 1 FROM pg_stat_progress_vacuum WHERE heap_blks_scanned > 0))
  or die 'VACUUM does not begin';
my ($wrong, $asked) = (0, 0);
while ($node->safe_psql('postgres', 'SELECT count(*) FROM pg_stat_progress_vacuum') > 0)
{
	$wrong++ if $node->safe_psql('postgres', $query) ne '3500|4376250';
	$wrong++ if $standby->safe_psql('postgres', $query) ne '3500|4376250';
	$asked++;
}
finish_script($vacuum);
cmp_ok($asked, '>', 0, 'there were queries next to VACUUM');
is($wrong, 0, 'all saw all rows');
answers_are('3500|4376250', 'after VACUUM');

# one that is cancelled after it has said that pages are all-visible
$node->safe_psql('postgres', 'INSERT INTO t SELECT -i, md5(i::text) FROM generate_series(501, 1000) i');
$vacuum = start_script($node, 'SET vacuum_cost_delay = 100; SET vacuum_cost_limit = 1; VACUUM (TRUNCATE off) t;');
ok($node->poll_query_until('postgres', q(SELECT count(pg_cancel_backend(pid)) = 1 FROM pg_stat_progress_vacuum WHERE heap_blks_scanned > 10)),
	'VACUUM is cancelled');
finish_script($vacuum);
like($vacuum->{err}, qr/canceling statement/, 'before its end');
answers_are('4000|4001000', 'after a VACUUM that was cancelled');
verify_clean($node, 't', 'cancelled');

# crashes: what has been committed is there, what has not is not, and is passed over
$node->safe_psql('postgres', 'DELETE FROM t WHERE a < 0');
$node->safe_psql('postgres', 'VACUUM (TRUNCATE off) t');
$node->safe_psql('postgres', 'CHECKPOINT; INSERT INTO t VALUES (-1)');
my $open = $node->background_psql('postgres');
$open->query_safe('BEGIN; INSERT INTO t SELECT -2 FROM generate_series(1, 300)');
$node->safe_psql('postgres', q(SELECT pg_switch_wal()));
$node->stop('immediate');
$node->start;
eval { $open->quit; };
answers_are('3001|4501499', 'after a crash');
verify_clean($node, 't', 'crashed');
$node->safe_psql('postgres', 'VACUUM (TRUNCATE off) t; INSERT INTO t VALUES (-3)');
$node->stop('immediate');
$node->start;
answers_are('3002|4501496', 'after another one');
verify_clean($node, 't', 'crashed again');

# the standby goes by it when it is the primary
$standby->promote;
$standby->safe_psql('postgres', 'INSERT INTO t VALUES (-4)');
is($standby->safe_psql('postgres', $query), '3003|4501492', 'on the new primary');
$standby->safe_psql('postgres', 'VACUUM (TRUNCATE off) t');
cmp_ok(pages_of_scan($standby), '<', 17, 'its VACUUM notes pages');
$standby->safe_psql('postgres', 'INSERT INTO t SELECT -5 FROM generate_series(1, 300)');
is($standby->safe_psql('postgres', $query), '3303|4499992', 'rows that have come there');
verify_clean($standby, 't', 'on the new primary');

# where incremental backups can be made, the visibility map may be that of a restored one
if ($standby->safe_psql('postgres', 'SHOW server_version_num') >= 170000)
{
	$standby->safe_psql('postgres', 'DELETE FROM t WHERE a < 0');
	$standby->safe_psql('postgres', 'VACUUM (TRUNCATE off) t');
	cmp_ok(pages_of_scan($standby), '<', 17, 'pages are noted');
	$standby->append_conf('postgresql.conf', 'summarize_wal = on');
	$standby->restart;
	cmp_ok(pages_of_scan($standby), '>', 24, 'all pages are read with summarize_wal');
	$standby->safe_psql('postgres', 'VACUUM (TRUNCATE off) t');

	# who changes rows of groups, moves rows, or deletes a group says what it has cleared
	$standby->safe_psql('postgres', 'CREATE TABLE u (a int) USING retldb WITH (row_store_rows = 0, row_group_rows = 3000)');
	$standby->safe_psql('postgres', 'INSERT INTO u SELECT generate_series(1, 9000)');
	$standby->safe_psql('postgres', 'SELECT count(*) FROM (SELECT * FROM u WHERE a % 100 = 5 AND a < 3000 FOR UPDATE) x');
	$standby->safe_psql('postgres', 'VACUUM (FREEZE, TRUNCATE off) u') for (1 .. 2);
	$standby->backup('full');
	$standby->safe_psql('postgres', 'DELETE FROM u WHERE a % 100 = 5 AND a < 3000');
	$standby->backup('incremental', backup_options => ['--incremental', $standby->backup_dir . '/full/backup_manifest']);
	my $restored = PostgreSQL::Test::Cluster->new('restored');
	$restored->init_from_backup($standby, 'incremental', combine_with_prior => ['full']);
	$restored->start;
	is($restored->safe_psql('postgres', 'SELECT count(*) FROM u'), '8970', 'rows of an incremental backup');
	verify_clean($restored, 'u', 'restored from an incremental backup');
	$restored->stop;

	$standby->append_conf('postgresql.conf', 'summarize_wal = off');
	$standby->restart;
	cmp_ok(pages_of_scan($standby), '>', 24, 'and VACUUM has noted none');
	$standby->safe_psql('postgres', 'VACUUM (TRUNCATE off) t');
	cmp_ok(pages_of_scan($standby), '<', 17, 'but does again');
}

is(log_complaints($node), '', 'no complaint in the log');
is(log_complaints($standby), '', 'nor in the standby\'s');
$standby->stop;
$node->stop;

done_testing();
