# Compaction that runs by itself: when it starts, what it leaves alone, that it
# makes way, what it shows, and that it keeps up with writers.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use RetldbTest;

my $node = new_server('primary', conf => q(
retldb.autocompact = on
retldb.autocompact_naptime = 1
retldb.autocompact_threshold = 500
retldb.autocompact_scale_factor = 0
retldb.autocompact_delay = 0
retldb.log_autocompact_min_duration = 0
autovacuum = off
deadlock_timeout = 200ms
));
$node->start;
create_batches($node);
$node->safe_psql('postgres', q(
CREATE FUNCTION stored(t regclass) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE result bigint; BEGIN
    EXECUTE format('SELECT count(*) - (SELECT coalesce(sum(rows), 0) FROM retldb.row_groups(%L) WHERE visible) FROM %s', t, t) INTO result;
    RETURN result;
END $$;
CREATE TABLE few (a int) USING retldb;
CREATE TABLE many (a int) USING retldb;
CREATE TABLE lowered (a int) USING retldb WITH (autocompact_threshold = 50);
CREATE TABLE never (a int) USING retldb WITH (autocompact = off);
CREATE MATERIALIZED VIEW view USING retldb AS SELECT generate_series(1, 600) a;
INSERT INTO few SELECT generate_series(1, 90);
INSERT INTO many SELECT generate_series(1, 600);
INSERT INTO lowered SELECT generate_series(1, 60);
INSERT INTO never SELECT generate_series(1, 600)));

# thresholds and options
ok($node->poll_query_until('postgres', "SELECT count(*) = 3 FROM retldb.compaction WHERE autocompactions > 0 AND vacuums > 0"),
	'tables past their thresholds are compacted, and vacuumed');
is($node->safe_psql('postgres', 'SELECT relname, rows_moved FROM retldb.compaction WHERE autocompactions > 0 ORDER BY 1'),
	"lowered|60\nmany|600\nview|600", 'these, and all of their rows');
is($node->safe_psql('postgres', "SELECT stored('few'), stored('many'), stored('lowered'), stored('never')"), '90|0|0|600',
	'the others are not');
is($node->safe_psql('postgres', 'SELECT sum(failures) FROM retldb.compaction'), '0', 'without a failure');
like(slurp_file($node->logfile),
	qr/LOG:  automatic compaction of table "postgres\.public\.many": rows: 600 from the row store, 0 from row groups; row groups: 0 merged, 1 written; steps: 1; elapsed/,
	'the log says so');

# a fifth of the threshold is enough once no more rows come; later, if there is an index to be vacuumed
my $made = time;
$node->safe_psql('postgres', q(
CREATE TABLE calm (a int) USING retldb;
CREATE TABLE indexed (a int PRIMARY KEY) USING retldb;
INSERT INTO calm SELECT generate_series(1, 110);
INSERT INTO indexed SELECT generate_series(1, 110)));
ok($node->poll_query_until('postgres', "SELECT stored('calm') = 0"), 'rows of a table that is left alone are moved');
SKIP:
{
	my $left = $node->safe_psql('postgres', "SELECT stored('indexed')");
	skip 'the machine is too slow to tell', 1 if time - $made > 25;
	is($left, '110', 'not those of one with an index, yet');
}
is($node->safe_psql('postgres', "SELECT stored('few'), stored('lowered'), stored('never')"), '90|0|600', 'fewer stay');

# the groups that they become are too small to be sorted together with large ones
$node->safe_psql('postgres', q(
CREATE TABLE sorted (a int) USING retldb WITH (order_by = 'a', row_group_rows = 2000);
SET retldb.row_store_rows = 0;
INSERT INTO sorted SELECT generate_series(1, 6000)));
for my $rows (400, 110)
{
	$node->safe_psql('postgres', "INSERT INTO sorted SELECT i * 10 FROM generate_series(1, $rows) i");
	ok($node->poll_query_until('postgres', "SELECT stored('sorted') = 0"), "$rows rows are moved");
}
$node->poll_query_until('postgres', "SELECT rows_moved = 510 FROM retldb.compaction WHERE relname = 'sorted'");
select(undef, undef, undef, 2.5);
is($node->safe_psql('postgres', "SELECT rows_moved, rows_rewritten FROM retldb.compaction WHERE relname = 'sorted'"), '510|0', 'no row of a group is');
is($node->safe_psql('postgres', "SELECT count(*), sum(a) FROM sorted"), '6510|' . (3000 * 6001 + 10 * (400 * 401 + 110 * 111) / 2), 'all rows are there');

# groups of which four do not fit a group, by rows or by bytes, will not be merged: they do count
$node->safe_psql('postgres', q(
CREATE TABLE halves (a int) USING retldb WITH (order_by = 'a', row_group_rows = 600);
CREATE TABLE broad (a int, b text) USING retldb WITH (order_by = 'a', row_group_rows = 100000, row_group_size = '1MB');
SET retldb.row_store_rows = 0;) .
	join('', map { "INSERT INTO halves SELECT i * 10 FROM generate_series(1, 400) i;\n" .
		"INSERT INTO broad SELECT i * 10, repeat(md5(i::text), 32) FROM generate_series(1, 400) i;\n" } 1 .. 8));
for my $table ('halves', 'broad')
{
	ok($node->poll_query_until('postgres', "SELECT rows_rewritten > 0 FROM retldb.compaction WHERE relname = '$table'"),
		"groups of table $table that overlap are sorted together");
	is($node->safe_psql('postgres', "SELECT count(*), sum(a) FROM $table"), '3200|6416000', 'all rows are there');
}

# the space is used again
my $before = $node->safe_psql('postgres', "SELECT pg_relation_size('many')");
for my $i (1 .. 4)
{
	$node->safe_psql('postgres', 'INSERT INTO many SELECT generate_series(1, 600)');
	my $done = $i + 1;
	$node->poll_query_until('postgres', "SELECT autocompactions >= $done AND vacuums >= $done FROM retldb.compaction WHERE relname = 'many'");
}
is($node->safe_psql('postgres', "SELECT count(*), sum(a) FROM many"), '3000|901500', 'all rows are there');
cmp_ok($node->safe_psql('postgres', "SELECT pg_relation_size('many')"), '<=', $before + 8 * 8192, 'pages of moved rows are used again');

# an old snapshot keeps rows where they are, but not the worker
my $old = $node->background_psql('postgres');
$old->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM few');
$node->safe_psql('postgres', 'INSERT INTO lowered SELECT generate_series(1001, 1100)');
select(undef, undef, undef, 2.5);
is($node->safe_psql('postgres', "SELECT stored('lowered')"), '100', 'rows that not everybody sees stay');
$old->query_safe('COMMIT');
$old->quit;
ok($node->poll_query_until('postgres', "SELECT stored('lowered') = 0"), 'until everybody does');

# whoever wants the table's lock gets it soon, also when it waits for the worker
$node->safe_psql('postgres', q(
CREATE TABLE slow (a int, b text) USING retldb WITH (row_store_rows = 10000000, row_group_rows = 1000000, compression = zstd, compression_level = 19);
INSERT INTO slow SELECT i, string_agg(md5((i * j)::text), '') FROM generate_series(1, 40000) i, generate_series(1, 10) j GROUP BY i));
ok($node->poll_query_until('postgres', "SELECT count(*) > 0 FROM retldb.progress_compact WHERE relid = 'slow'::regclass AND step_rows > 0"),
	'the progress view shows it at work');
is($node->safe_psql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'retldb compaction launcher'"), '1', 'the launcher is there');
like($node->safe_psql('postgres', "SELECT backend_type || ' ' || query FROM pg_stat_activity WHERE query LIKE 'retldb: compact postgres.public.slow'"),
	qr/^retldb compaction worker /, 'and so is the worker');
my $started = time;
$node->safe_psql('postgres', 'ALTER TABLE slow ADD COLUMN c int');
cmp_ok(time - $started, '<=', 10, 'ALTER TABLE does not wait for it');
is($node->safe_psql('postgres', 'SELECT count(*), sum(a) FROM slow'), '40000|800020000', 'the table is as it was');
verify_clean($node, 'slow', 'given up');
ok($node->poll_query_until('postgres', "SELECT yields + failures > 0 FROM retldb.compaction WHERE relname = 'slow'"), 'it has made way');
$node->safe_psql('postgres', 'DROP TABLE slow');

# a database with a worker in it can be dropped, one without the extension is left alone
$node->safe_psql('postgres', 'CREATE DATABASE empty');
# one whose DROP was interrupted: the log, looked at below, would tell if a worker tried it
# (or if one came before it is marked, which nobody may connect to until then)
$node->safe_psql('postgres', 'CREATE DATABASE broken ALLOW_CONNECTIONS false');
$node->safe_psql('postgres', q(UPDATE pg_database SET datconnlimit = -2, datallowconn = true WHERE datname = 'broken'));
$node->safe_psql('postgres', 'CREATE DATABASE filled');
$node->safe_psql('filled', q(
CREATE EXTENSION retldb;
CREATE TABLE t (a int, b text) USING retldb WITH (row_store_rows = 10000000, row_group_rows = 1000000, compression = zstd, compression_level = 19);
INSERT INTO t SELECT i, string_agg(md5((i * j)::text), '') FROM generate_series(1, 40000) i, generate_series(1, 10) j GROUP BY i));
$node->poll_query_until('postgres', "SELECT count(*) > 0 FROM retldb.progress_compact WHERE datname = 'filled'");
drop_database($node, $_) for 'filled', 'empty';

# more tables than there are in most databases: nothing of this is remembered for a few only
$node->safe_psql('postgres', q(DO $$ BEGIN
FOR i IN 1 .. 1100 LOOP
	EXECUTE format('CREATE TABLE one_of_%s (a int) USING retldb', i);
	EXECUTE format('INSERT INTO one_of_%s SELECT generate_series(1, 110)', i);
	IF i % 100 = 0 THEN COMMIT; END IF;
END LOOP;
END $$));
ok($node->poll_query_until('postgres', "SELECT count(*) = 1100 FROM retldb.compaction WHERE relname LIKE 'one\_of\_%' AND autocompactions > 0"),
	'1100 tables are found to be quiet');
$node->safe_psql('postgres', q(DO $$ BEGIN
FOR i IN 1 .. 1100 LOOP
	EXECUTE format('DROP TABLE one_of_%s', i);
	IF i % 100 = 0 THEN COMMIT; END IF;
END LOOP;
END $$));

# four writers, and readers that find each batch whole
my @writers;
for my $client (1 .. 4)
{
	my $sql = '';
	$sql .= batch_sql($client, $_, no_prepare => 1) for 1 .. 100;
	push @writers, start_script($node, $sql);
}
finish_script($_) for @writers;
is(join('', map { $_->{err} } @writers), '', 'no writer had an error');
batches_agree($node, 'four writers');
ok($node->poll_query_until('postgres', "SELECT stored('batches') < 500"), 'the worker has kept up');
batches_agree($node, 'compacted');
verify_clean($node, 'batches', 'compacted');

# switched off
$node->append_conf('postgresql.conf', 'retldb.autocompact = off');
$node->reload;
select(undef, undef, undef, 2);
# a worker that is at it merges groups of "batches" for seconds, and looks at all tables again
ok($node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'retldb compaction worker'"),
	'the last worker comes to its end');
is($node->safe_psql('postgres', "SELECT n_live_tup, n_dead_tup FROM pg_stat_user_tables WHERE relname = 'view'"), '600|0',
	'autovacuum has nothing to do with what was vacuumed');
$node->safe_psql('postgres', 'INSERT INTO many SELECT generate_series(1, 600)');
select(undef, undef, undef, 2.5);
is($node->safe_psql('postgres', "SELECT stored('many')"), '600', 'no worker is started when that is switched off');

# whoever may not read statistics does not see what others compact
$node->safe_psql('postgres', 'CREATE ROLE nobody; CREATE ROLE monitor; GRANT pg_monitor TO monitor');
is($node->safe_psql('postgres', "SET ROLE monitor; SELECT autocompactions > 0 FROM retldb.compaction WHERE relname = 'many'"), 't',
	'monitoring sees statistics');
is($node->safe_psql('postgres', 'SET ROLE nobody; SELECT count(*) FROM retldb.progress_compact'), '0', 'so does everybody');
my @errors = grep { /ERROR|FATAL|PANIC/ && !/canceling statement due to user request|terminating background worker|database \d+ does not exist|is being accessed by other users/ } split /\n/, slurp_file($node->logfile);
is("@errors", '', 'the log has no other errors');
$node->stop;
unlike(slurp_file($node->logfile), qr/FATAL:.*launcher/, 'the launcher ends without one');

# where the launchers take all background workers there are, the log says so, once
my $busy = new_server('busy', conf => q(
max_worker_processes = 2
retldb.autocompact = on
retldb.autocompact_naptime = 1
));
$before = -s $busy->logfile // 0;
$busy->start;
my $said = 0;
for (1 .. 900)
{
	$said = () = slurp_file($busy->logfile, $before) =~ /LOG:  no background worker is free for automatic compaction/g;
	last if $said;
	select(undef, undef, undef, 0.2);
}
select(undef, undef, undef, 2.5);
$said = () = slurp_file($busy->logfile, $before) =~ /LOG:  no background worker is free for automatic compaction/g;
is($said, 1, 'a worker that cannot be started is told of once');
$busy->stop;

done_testing();
