# Options survive pg_dump and pg_restore in every form, and a server upgrade's
# way of dumping; and what happens in sessions that did not preload the library.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use RetldbTest;

my $node = new_server('options');
$node->start;
my $dir = $node->basedir;

$node->safe_psql('postgres', q(
CREATE DATABASE one;
));
$node->safe_psql('one', q(
CREATE EXTENSION retldb;
CREATE SCHEMA s;
CREATE TABLE s.t (account_id int, created timestamptz, "odd ""name" text, payload text) USING retldb
	WITH (compression = zstd, compression_level = 3, suppress_noop = on, row_group_rows = 2000, vector_rows = 512, row_group_size = '8MB',
		order_by = 'account_id, created DESC NULLS LAST, "odd ""name"', bloom = auto, row_store_rows = 0,
		fillfactor = 90, toast.autovacuum_enabled = off);
ALTER TABLE s.t ALTER payload SET (compression = none, encoding = plain, n_distinct = -1), ALTER account_id SET (bloom = off);
INSERT INTO s.t SELECT i % 100, timestamptz '2024-01-01' + i * interval '1 min', 'o' || i % 7, 'p' || i FROM generate_series(1, 5000) i;
CREATE TABLE plain (a int) USING retldb;
INSERT INTO plain SELECT generate_series(1, 3000);
CREATE TABLE heap (a int) WITH (fillfactor = 50);
CREATE MATERIALIZED VIEW v USING retldb WITH (compression = snappy, row_store_rows = 0) AS SELECT account_id, payload FROM s.t;
CREATE TABLE p (a int, b text) PARTITION BY RANGE (a) USING retldb WITH (compression = zstd, order_by = 'b', row_store_rows = 0);
ALTER TABLE p ALTER b SET (compression = snappy);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (1000);
CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (1000) TO (2000) PARTITION BY LIST (b) WITH (compression = lz4);
CREATE TABLE p21 PARTITION OF p2 DEFAULT;
CREATE TABLE p3 PARTITION OF p FOR VALUES FROM (2000) TO (3000) USING heap;
INSERT INTO p SELECT i, 'b' || i % 10 FROM generate_series(0, 2999) i;
));

# Everything that a dump must bring back: as psql shows it, and in the catalog.
sub description
{
	my ($database) = @_;
	my $shown = $node->safe_psql($database, "\\pset tuples_only off\n\\d+ s.t\n\\d+ plain\n\\d+ heap\n\\d+ v\n\\d+ p\n\\d+ p1\n\\d+ p2\n\\d+ p21\n\\d+ p3\n");
	my $catalog = $node->safe_psql($database, q(
SELECT c.oid::regclass, amname, reloptions,
       (SELECT string_agg(attname || o, ' ' ORDER BY attnum, o) FROM pg_attribute, unnest(attoptions) o
         WHERE attrelid = c.oid AND o NOT LIKE 'pg\_%')
  FROM pg_class c LEFT JOIN pg_am a ON a.oid = relam
 WHERE relkind IN ('r', 'p', 'm') AND relnamespace IN ('public'::regnamespace, 's'::regnamespace) ORDER BY c.oid::regclass::text));
	return "$shown\n$catalog";
}

# What was written with the options: compression by column, and the rows.
sub contents
{
	my ($database) = @_;
	return $node->safe_psql($database, q(
SELECT DISTINCT 't', column_name, compression FROM retldb.column_chunks('s.t') ORDER BY 2;
SELECT DISTINCT 'p21', column_name, compression FROM retldb.column_chunks('p21') ORDER BY 2;
SELECT DISTINCT 'v', column_name, compression FROM retldb.column_chunks('v') ORDER BY 2;
SELECT count(*), max(rows) FROM retldb.column_chunks('s.t');
SELECT count(*), sum(hashtext(t::text)) FROM s.t;
SELECT count(*), sum(hashtext(p::text)) FROM p;
SELECT count(*), sum(hashtext(v::text)) FROM v;
));
}

my $before = description('one');
my $contents = contents('one');
like($before, qr/^Options: fillfactor=90, compression=zstd, compression_level=3/m, 'options are shown');
like($contents, qr/^t\|payload\|none$/m, 'options are heeded');

my @ways = (
	[ 'plain', [ 'pg_dump', '-f', "$dir/plain.sql", $node->connstr('one') ],
		sub { [ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', "$dir/plain.sql", '-d', $node->connstr(shift) ] } ],
	[ 'custom', [ 'pg_dump', '-Fc', '-f', "$dir/custom.dump", $node->connstr('one') ],
		sub { [ 'pg_restore', '-e', '-d', $node->connstr(shift), "$dir/custom.dump" ] } ],
	[ 'parallel', [ 'pg_dump', '-Fc', '-f', "$dir/parallel.dump", $node->connstr('one') ],
		sub { [ 'pg_restore', '-e', '-j2', '-d', $node->connstr(shift), "$dir/parallel.dump" ] } ],
	[ 'directory', [ 'pg_dump', '-Fd', '-j2', '-f', "$dir/directory.dump", $node->connstr('one') ],
		sub { [ 'pg_restore', '-e', '-j2', '-d', $node->connstr(shift), "$dir/directory.dump" ] } ],
);
for my $way (@ways)
{
	my ($name, $dump, $restore) = @$way;

	$node->command_ok($dump, "$name: dump");
	$node->safe_psql('postgres', "CREATE DATABASE $name");
	$node->command_ok($restore->($name), "$name: restore");
	is(description($name), $before, "$name: same description");
	is(contents($name), $contents, "$name: same contents, stored the same way");
	is($node->safe_psql($name, q(CREATE TABLE p4 PARTITION OF p FOR VALUES FROM (3000) TO (4000);
		SELECT amname, reloptions FROM pg_class c JOIN pg_am a ON a.oid = relam WHERE relname = 'p4')),
		'retldb|{compression=zstd,order_by=b,row_store_rows=0}', "$name: new partitions inherit");
}
$node->safe_psql('postgres', 'CREATE DATABASE copied TEMPLATE one');
is(description('copied'), $before, 'template: same description');

# Without the library: nothing is silently different where it can be helped.
my $lazy = new_server('lazy', conf => "shared_preload_libraries = ''");
$lazy->start;
$lazy->safe_psql('postgres', 'CREATE EXTENSION retldb');
my ($state, $message) = sqlstate($lazy, 'CREATE TABLE t (a int) USING retldb WITH (compression = zstd)');
is("$state $message", '22023 unrecognized parameter "compression"', 'not loaded: options are refused');
($state, $message) = sqlstate($lazy, 'CREATE TABLE t (a int) USING retldb WITH (retldb.compression = zstd)');
is("$state $message", '22023 unrecognized parameter namespace "retldb"', 'not loaded: options with prefix as well');
($state, $message) = sqlstate($lazy, 'CREATE TABLE p (a int) PARTITION BY RANGE (a) USING retldb');
if ($lazy->safe_psql('postgres', 'SHOW server_version_num') < 170000)
{
	is($message, 'specifying a table access method is not supported on a partitioned table', 'not loaded: partitioned table');
}
else
{
	$lazy->safe_psql('postgres', 'CREATE TABLE p1 PARTITION OF p DEFAULT');
	is($lazy->safe_psql('postgres', q(SELECT amname FROM pg_class c JOIN pg_am a ON a.oid = relam WHERE relname = 'p1')),
		'retldb', 'not loaded: partitioned table');
}
my $script = q(LOAD 'retldb'; CREATE TABLE t (a int, b text) USING retldb WITH (compression = zstd, row_store_rows = 0, fillfactor = 90););
$lazy->safe_psql('postgres', $script);
# the writer loads the library itself, options and all
$lazy->safe_psql('postgres', q(INSERT INTO t SELECT i, i FROM generate_series(1, 2000) i));
is($lazy->safe_psql('postgres', q(SELECT DISTINCT compression FROM retldb.column_chunks('t'))), 'zstd',
	'not loaded: stored options are heeded');
($state, $message) = sqlstate($lazy, 'ALTER TABLE t SET (fillfactor = 80)');
is("$state $message", '22023 unrecognized parameter "compression"', 'not loaded: ALTER is refused');
is($lazy->safe_psql('postgres', q(SELECT reloptions FROM pg_class WHERE relname = 't')),
	'{fillfactor=90,compression=zstd,row_store_rows=0}', 'not loaded: and changes nothing');
$lazy->safe_psql('postgres', q(SELECT 1 FROM t LIMIT 1; ALTER TABLE t SET (fillfactor = 80)));
is($lazy->safe_psql('postgres', q(SELECT reloptions FROM pg_class WHERE relname = 't')),
	'{fillfactor=80,compression=zstd,row_store_rows=0}', 'loaded by a query: ALTER works');
$lazy->safe_psql('postgres', q(ALTER DATABASE postgres SET session_preload_libraries = 'retldb'));
$lazy->safe_psql('postgres', q(CREATE TABLE u (a int) USING retldb WITH (compression = zstd)));
pass('session_preload_libraries is enough');

$lazy->stop;
$node->stop;
done_testing();
