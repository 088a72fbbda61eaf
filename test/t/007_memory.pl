# One session that loads and queries again and again does not grow.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use RetldbTest;

my $rounds = $ENV{RETLDB_MEMORY_ROUNDS} || 200;

my $node = new_server('memory', conf => q(
autovacuum = off
jit = off
retldb.row_store_rows = 50
retldb.row_group_rows = 1000
retldb.cache_size = 256kB
));
$node->start;
$node->safe_psql('postgres', q(CREATE EXTENSION retldb;
CREATE TABLE t (a int, b text, c numeric, large text) USING retldb;
CREATE TABLE p (a int, b text) PARTITION BY LIST (a);));
$node->safe_psql('postgres', "CREATE TABLE p$_ PARTITION OF p FOR VALUES IN ($_) USING retldb") for 0 .. 9;

# what a session may do in a day, failures included
my $work = q(
INSERT INTO t SELECT i, 'text ' || i, i / 3.0, CASE WHEN i % 500 = 0 THEN repeat('large', 10000) END FROM generate_series(1, 2500) i;
SELECT count(*), sum(a), max(b), sum(c), max(length(large)) FROM t;
SELECT count(*) FROM t WHERE a BETWEEN 100 AND 200;
SET retldb.enable_columnar_scan = off;
SELECT count(*), max(b) FROM t;
RESET retldb.enable_columnar_scan;
INSERT INTO p SELECT i % 10, 'row' FROM generate_series(1, 3000) i;
SELECT count(*) FROM p;
BEGIN;
INSERT INTO t SELECT i, 'undone' FROM generate_series(1, 2500) i;
SAVEPOINT s;
INSERT INTO t SELECT i, 'undone' FROM generate_series(1, 1500) i;
ROLLBACK TO s;
ROLLBACK;
\set ON_ERROR_STOP off
INSERT INTO t SELECT 1 / (2000 - i) FROM generate_series(1, 2500) i;
SELECT count(*) FROM t WHERE 1 / (a - 300) = 1;
COPY t (a, b) FROM STDIN;
1	one
x	fails
\.
\set ON_ERROR_STOP on
BEGIN;
DECLARE c SCROLL CURSOR FOR SELECT * FROM t;
MOVE FORWARD 1500 IN c;
MOVE BACKWARD 700 IN c;
COMMIT;
SELECT count(*) FROM retldb.verify('t');
SELECT count(*) FROM retldb.row_groups('t'), retldb.column_chunks('t');
CREATE TEMP TABLE temporary USING retldb AS SELECT a, b FROM t LIMIT 1500;
DROP TABLE temporary;
TRUNCATE t, p;
VACUUM t;
ANALYZE t;
);

my $measure = q(SELECT 'MEASURED ' || (SELECT sum(total_bytes) FROM pg_backend_memory_contexts) || ' '
    || (regexp_match(pg_read_file('/proc/self/status'), 'RssAnon:\s+(\d+)'))[1];
);
my $quarter = int($rounds / 4);
my $out = finish_script(start_script($node, join '', map { ($work x $quarter, $measure) } 1 .. 4));
my @contexts = $out =~ /MEASURED (\d+) \d+/g;
my @rss = $out =~ /MEASURED \d+ (\d+)/g;

is(scalar @rss, 4, "all $rounds rounds were run");
note("bytes of memory contexts: @contexts; kB of private memory: @rss");
# the first half fills the server's own caches, as it does with heap tables
cmp_ok($contexts[3], '<=', $contexts[1] + 200_000, 'memory contexts do not grow');
cmp_ok($rss[3], '<=', $rss[1] + 4_000, 'private memory does not grow');

# one long transaction, and one command with many savepoints
my $loop = q(DO $$
BEGIN
    FOR i IN 1 .. %d LOOP
        BEGIN
            INSERT INTO t SELECT n, 'text' FROM generate_series(1, 1200) n;
            IF i %% 2 = 0 THEN
                RAISE EXCEPTION 'undo';
            END IF;
        EXCEPTION WHEN raise_exception THEN
            NULL;
        END;
        PERFORM count(*) FROM t WHERE a < 3;
    END LOOP;
END $$;
);
$out = finish_script(start_script($node, "BEGIN;\n" . join('', map { sprintf($loop, 20) . $measure } 1 .. 4) . "COMMIT;\n"));
@contexts = $out =~ /MEASURED (\d+) \d+/g;
is(scalar @contexts, 4, 'all subtransactions were run');
note("bytes of memory contexts in one transaction: @contexts");
cmp_ok($contexts[3], '<=', $contexts[0] + 1_000_000, 'subtransactions leave little behind');
verify_clean($node, 't', 'after all');

# loads are bounded by the setting, however large rows and groups are
$out = finish_script(start_script($node, q(TRUNCATE t;
SET retldb.write_memory = '16MB';
SET retldb.row_group_rows = 1000000;
SET retldb.row_group_size = '1GB';
INSERT INTO t SELECT i, repeat(md5(i::text), 20), i FROM generate_series(1, 200000) i;
SELECT 'PEAK ' || (regexp_match(pg_read_file('/proc/self/status'), 'VmHWM:\s+(\d+)'))[1];
)));
my ($peak) = $out =~ /PEAK (\d+)/;
note("kB of memory at the peak of a load of 128 MB: $peak");
cmp_ok($peak, '<=', 250_000, 'a load keeps to its memory');
is(rows($node, 't'), '200000', 'and is complete');

# scans take memory for a unit and a vector of each column, whatever the table's size
$node->safe_psql('postgres', 'CREATE TABLE wide (' . join(', ', map { "c$_ text" } 1 .. 100) . ') USING retldb;
SET retldb.row_group_rows = 10000;
INSERT INTO wide SELECT ' . join(', ', map { "md5((i + $_)::text)" } 1 .. 100) . ' FROM generate_series(1, 40000) i;');
my $anon = q(SELECT 'ANON ' || (regexp_match(pg_read_file('/proc/self/status'), 'RssAnon:\s+(\d+)'))[1];
);
for my $columnar ('on', 'off')
{
	$out = finish_script(start_script($node, "SET retldb.enable_columnar_scan = $columnar;
BEGIN;
DECLARE c CURSOR FOR SELECT * FROM wide WHERE c100 IS NOT NULL;
MOVE FORWARD 9500 IN c;
$anon
MOVE FORWARD 30000 IN c;
$anon
MOVE FORWARD ALL IN c;
COMMIT;
"));
	my ($before, $after) = $out =~ /ANON (\d+)/g;
	note("kB of private memory in a scan of 100 columns: $before, then $after");
	cmp_ok($before, '<=', 80_000, "a scan of many columns keeps to its memory (columnar $columnar)");
	cmp_ok($after, '<=', $before + 4_000, 'however large the table');
}
# nor with the number of partitions: a scan that is at its end keeps no room for many columns, and of
# tables that rows were fetched from by an index, only some do
my $partitions = 30;
$node->safe_psql('postgres', 'CREATE TABLE parts (id int, ' . join(', ', map { "c$_ text" } 1 .. 60) . ') PARTITION BY LIST (id);');
$node->safe_psql('postgres', join '', map { "CREATE TABLE parts$_ PARTITION OF parts FOR VALUES IN ($_) USING retldb;\n" } 1 .. $partitions);
$node->safe_psql('postgres', "SET retldb.row_store_rows = 0;
SET retldb.row_group_rows = 2500;
INSERT INTO parts SELECT p, " . join(', ', map { "'text ' || i * $_" } 1 .. 60) . " FROM generate_series(1, $partitions) p, generate_series(1, 2500) i;
CREATE INDEX ON parts (c1);");
my $ours = q(SELECT 'OURS ' || sum(total_bytes) FROM pg_backend_memory_contexts WHERE name LIKE 'retldb%';
);
my %ways = ('columnar scans' => '', 'sequential scans' => 'SET retldb.enable_columnar_scan = off; SET enable_bitmapscan = off;',
	'bitmap scans' => 'SET retldb.enable_columnar_scan = off; SET enable_seqscan = off;');
for my $way (sort keys %ways)
{
	my $count = $way eq 'bitmap scans' ? $partitions : 2500 * $partitions;
	my $condition = ($way eq 'bitmap scans' ? q(c1 = 'text 7' AND ) : '') . q(p::text <> '');
	$out = finish_script(start_script($node, "SET enable_indexscan = off; $ways{$way}
BEGIN;
DECLARE c CURSOR FOR SELECT * FROM parts p WHERE $condition;
MOVE FORWARD " . ($count - 1) . " IN c;
$ours
FETCH 1 FROM c;
COMMIT;
"));
	my ($bytes) = $out =~ /OURS (\d+)/;
	note("bytes of memory contexts in $way of $partitions partitions of 60 columns: $bytes");
	cmp_ok($bytes, '<=', 15_000_000, "$way of partitions keep to their memory");
	like($out, qr/$partitions\|text [0-9]+\|/, 'and come to the last row');
}
$out = finish_script(start_script($node, "SET retldb.enable_columnar_scan = off; SET enable_seqscan = off; SET enable_bitmapscan = off;
SELECT 'ROWS ' || count(p::text) FROM parts p WHERE c1 = 'text 7';
SELECT 'ROWS ' || count(p::text) FROM parts p WHERE c1 = 'text 2010';
$ours"));
my ($kept) = $out =~ /OURS (\d+)/;
note("bytes of memory contexts after fetches from $partitions partitions of 60 columns: $kept");
cmp_ok($kept, '<=', 90_000_000, 'fetches from partitions keep to their memory');
is(join(' ', $out =~ /ROWS (\d+)/g), "$partitions $partitions", 'and find their rows');

is(log_complaints($node), '', 'no complaint in the log');

done_testing();
