# What is not in shared buffers: each answer is that of a heap twin, whether pages
# come one by one or, from PostgreSQL 17 on, from read streams; and these leave no
# pins behind in commands that end early, cursors and subtransactions.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use RetldbTest;

my $node = new_server('cold', conf => 'shared_buffers = 4MB');
$node->start;
$node->safe_psql('postgres', q(
CREATE EXTENSION retldb;
CREATE TABLE groups_heap USING heap AS
	SELECT i, md5(i::text) AS t, (i::bigint * 2654435761 % 1000003)::int AS r FROM generate_series(1, 150000) i;
CREATE TABLE rows_heap USING heap AS SELECT * FROM groups_heap WHERE i % 5 = 0;
CREATE TABLE groups USING retldb AS SELECT * FROM groups_heap ORDER BY i;
SET retldb.row_store_rows = 100000;
CREATE TABLE rows USING retldb AS SELECT * FROM rows_heap ORDER BY i;
CREATE INDEX ON groups (r);
CREATE TABLE groups_empty USING retldb AS SELECT * FROM groups LIMIT 0;
VACUUM ANALYZE groups, rows;
));

# first_answer(TABLE, QUERY): the first answer of a server that has just started
sub first_answer
{
	my ($table, $query) = @_;

	$node->restart;
	return $node->safe_psql('postgres', $query =~ s/:table/$table/gr);
}

my %queries = (
	'all columns' => 'SELECT count(*), sum(i), sum(r), sum(hashtext(t)::bigint) FROM :table',
	'one column' => 'SELECT sum(r) FROM :table',
	'a filter' => 'SELECT count(t), min(t) FROM :table WHERE r < 500000',
	'nothing asked of the kernel' => 'SET effective_io_concurrency = 0; SELECT sum(i), max(t) FROM :table',
	'through a ring of buffers' => 'SELECT count(DISTINCT t), count(DISTINCT r) FROM :table',
	'a bitmap' => q(SET enable_seqscan = off; SET enable_indexscan = off; SET retldb.enable_columnar_scan = off;
		SELECT count(*), sum(i), sum(hashtext(t)::bigint) FROM :table WHERE r < 3000),
);
for my $name (sort keys %queries)
{
	my $query = $queries{$name};

	for my $table ('groups', 'rows')
	{
		is(first_answer($table, $query), first_answer("${table}_heap", $query), "$name of $table");
	}
}

# Commands that end before their scans do.  Warnings tell of pins that are left.
sub quiet
{
	my ($name, $sql, $expected) = @_;
	my ($status, $out, $err);

	$node->restart;
	($status, $out, $err) = $node->psql('postgres', $sql);
	is($status, 0, "$name: no error");
	is($err, '', "$name: no warning");
	is($out, $expected, "$name: rows");
}

quiet('LIMIT', 'SELECT i FROM groups LIMIT 1 OFFSET 40000; SELECT i FROM rows LIMIT 1 OFFSET 2000', "40001\n10005");
quiet('cursor in subtransactions', q(
BEGIN;
DECLARE c CURSOR FOR SELECT i, r, t FROM groups;
MOVE 50000 IN c;
SAVEPOINT s;
MOVE 10000 IN c;
ROLLBACK TO s;
MOVE 30000 IN c;
FETCH 1 IN c;
COMMIT), first_answer('groups_heap', 'SELECT * FROM :table WHERE i = 90001') =~ s/^(\d+)\|(.*)\|(\d+)$/$1|$3|$2/r);
quiet('scrolling', q(
BEGIN;
DECLARE c SCROLL CURSOR FOR SELECT i FROM rows;
MOVE 20000 IN c;
FETCH BACKWARD 1 IN c;
MOVE BACKWARD 15000 IN c;
FETCH 1 IN c;
FETCH LAST IN c;
FETCH FIRST IN c;
COMMIT), "99995\n25000\n150000\n5");
quiet('damaged groups to be skipped from now on', q(
BEGIN;
DECLARE c CURSOR FOR SELECT i, r, t FROM groups;
MOVE 50000 IN c;
SET LOCAL retldb.skip_damaged_groups = on;
MOVE 99999 IN c;
FETCH 1 IN c;
COMMIT), first_answer('groups_heap', 'SELECT i, r, t FROM :table WHERE i = 150000'));
quiet('rescans', 'SELECT sum(x) FROM (SELECT (SELECT i FROM rows WHERE i > n LIMIT 1) AS x FROM generate_series(1, 20) n) s', '270');

# Read streams read several pages at once; older versions one by one.  18 counts
# calls, 17 pages: there, the kernel tells.  It does not know on 18, where I/O workers
# read, and how often a backend is woken up is among what it counts.  With as few
# buffers as above 18 lets a backend pin one page of a stream only.
SKIP:
{
	my $version = $node->safe_psql('postgres', 'SHOW server_version_num');
	my $pages = $node->safe_psql('postgres', q(SELECT sum(bytes)::int / 8192 FROM retldb.column_chunks('groups')));
	my $calls = $version < 180000
	  ? q((regexp_match(pg_read_file('/proc/self/io'), E'syscr: ([0-9]+)'))[1]::int)
	  : q((SELECT sum(reads)::int FROM pg_stat_io WHERE backend_type = 'client backend'));
	my $reads;

	skip 'needs PostgreSQL 17, and /proc/PID/io there', 1
	  if $version < 170000 || ($version < 180000 && !-r '/proc/self/io');
	$node->append_conf('postgresql.conf', 'shared_buffers = 64MB');
	$node->restart;
	$reads = $node->safe_psql('postgres', qq(
SET max_parallel_workers_per_gather = 0;
SELECT sum(hashtext(t)::bigint), sum(i), sum(r), $calls FROM groups_empty \\g /dev/null
SELECT pg_stat_force_next_flush() \\g /dev/null
SELECT $calls AS before \\gset
SELECT sum(hashtext(t)::bigint), sum(i), sum(r) FROM groups \\g /dev/null
SELECT pg_stat_force_next_flush() \\g /dev/null
SELECT $calls - :before));
	cmp_ok($reads, '<', $pages * 3 / 4, "$reads calls read $pages pages");
}

is(log_complaints($node), '', 'nothing in the log');

done_testing();
