# Those who do not read with a snapshot of their own moment: logical replication that
# looks for rows to change, checks of exclusion constraints, and serializable
# transactions whose rows have been rewritten since they began.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use RetldbTest;

my $node = new_server('primary', allows_streaming => 'logical', conf => q(
autovacuum = off
max_logical_replication_workers = 4
));
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION retldb');

# Changes that a subscription applies to rows of row groups and of the row store.  A
# command within one server cannot make the slot that it waits for, so that is made
# before.
$node->safe_psql('postgres', 'CREATE DATABASE publisher');
my $tables = q(
CREATE TABLE keyed (a int PRIMARY KEY, b int, c text) USING %1$s;
CREATE TABLE whole (a int, b int, c text) USING %1$s;
ALTER TABLE whole REPLICA IDENTITY FULL;
INSERT INTO keyed SELECT i, 0, 'row ' || i FROM generate_series(1, 5000) i;
INSERT INTO whole SELECT i, 0, 'row ' || i FROM generate_series(1, 5000) i;
);
$node->safe_psql('publisher', sprintf($tables, 'heap') . q(
CREATE PUBLICATION p FOR TABLE keyed, whole;
SELECT pg_create_logical_replication_slot('s', 'pgoutput')));
$node->safe_psql('postgres', sprintf($tables, 'retldb'));
$node->safe_psql('postgres', "CALL retldb.compact('$_')") for qw(keyed whole);
$node->safe_psql('postgres', sprintf(
	q(CREATE SUBSCRIPTION s CONNECTION $$%s$$ PUBLICATION p WITH (create_slot = false, copy_data = false, slot_name = 's')),
	$node->connstr('publisher')));

my $contents = q(SELECT count(*), sum(a), sum(b), md5(string_agg(a || ' ' || b || ' ' || c, ',' ORDER BY a)) FROM %s);
sub applied
{
	my ($what) = @_;
	$node->wait_for_catchup('s');
	for my $table (qw(keyed whole))
	{
		my $query = sprintf($contents, $table);
		is($node->safe_psql('postgres', $query), $node->safe_psql('publisher', $query), "$what: $table");
	}
}
my $change = q(
UPDATE keyed SET b = b + 1 WHERE a % 100 = 7;
UPDATE keyed SET a = a + 10000 WHERE a % 500 = 9;
DELETE FROM keyed WHERE a % 500 = 11;
UPDATE whole SET b = b + 1 WHERE a % 500 = 7;
DELETE FROM whole WHERE a % 1000 = 11;
);
$node->safe_psql('publisher', $change);
applied('rows of groups are changed');
$node->safe_psql('publisher', $change);
applied('rows of the row store');
$node->safe_psql('postgres', "CALL retldb.compact('$_')") for qw(keyed whole);
$node->safe_psql('publisher', $change);
applied('rows that were moved');

# A row is moved while it is looked for, by a scan of the whole table.  Comparing the
# first row waits for a lock.
my $gated = q(
CREATE TYPE gated;
CREATE FUNCTION gated_in(cstring) RETURNS gated LANGUAGE internal IMMUTABLE STRICT AS 'int4in';
CREATE FUNCTION gated_out(gated) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'int4out';
CREATE TYPE gated (INPUT = gated_in, OUTPUT = gated_out, LIKE = int4);
CREATE CAST (int AS gated) WITHOUT FUNCTION AS ASSIGNMENT;
CREATE CAST (gated AS int) WITHOUT FUNCTION;
CREATE FUNCTION gated_hash(gated) RETURNS int LANGUAGE internal IMMUTABLE STRICT AS 'hashint4';
CREATE FUNCTION gated_equal(x gated, y gated) RETURNS boolean LANGUAGE plpgsql IMMUTABLE STRICT AS $$
BEGIN
	IF x::int = 1 OR y::int = 1 THEN PERFORM pg_advisory_xact_lock_shared(7); END IF;
	RETURN x::int = y::int;
END $$;
CREATE OPERATOR = (LEFTARG = gated, RIGHTARG = gated, FUNCTION = gated_equal);
CREATE OPERATOR CLASS gated_ops DEFAULT FOR TYPE gated USING hash AS OPERATOR 1 =, FUNCTION 1 gated_hash(gated);
CREATE TABLE slow (a gated, b int) USING %s;
ALTER TABLE slow REPLICA IDENTITY FULL;
INSERT INTO slow SELECT i, 0 FROM generate_series(1, 1000) i;
);
$node->safe_psql('publisher', sprintf($gated, 'heap'));
$node->safe_psql('postgres', sprintf($gated, 'retldb'));
$node->safe_psql('publisher', 'ALTER PUBLICATION p ADD TABLE slow');
$node->safe_psql('postgres', 'ALTER SUBSCRIPTION s REFRESH PUBLICATION WITH (copy_data = false)');
my $control = $node->background_psql('postgres');
$control->query_safe('SELECT pg_advisory_lock(7)');
$node->safe_psql('publisher', 'UPDATE slow SET b = 1 WHERE a::int = 1000');
my $waiting = q(SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted);
ok($node->poll_query_until('postgres', $waiting), 'a row is being looked for');
$node->safe_psql('postgres', "CALL retldb.compact('slow')");
is($node->safe_psql('postgres', 'SELECT ctid >= \'(2147483648,0)\' FROM slow WHERE a::int = 1000'), 't', 'it has been moved');
$control->query_safe('SELECT pg_advisory_unlock(7)');
$node->wait_for_catchup('s');
is($node->safe_psql('postgres', 'SELECT b FROM slow WHERE a::int = 1000'), '1', 'and is found');
$node->safe_psql('postgres', 'DROP SUBSCRIPTION s');

# A row is moved while an exclusion constraint is checked: the index has been read,
# and the expression of the index waits for a lock when another row is looked at.
$node->safe_psql('postgres', q(
CREATE FUNCTION gate(p polygon) RETURNS polygon LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE calls text := current_setting('test.calls', true);
BEGIN
	IF calls <> '' THEN
		PERFORM set_config('test.calls', calls || 'x', false);
		IF calls = 'xx' THEN PERFORM pg_advisory_xact_lock_shared(7); END IF;
	END IF;
	RETURN p;
END $$;
CREATE TABLE apart (a int, p polygon, EXCLUDE USING gist (gate(p) WITH &&)) USING retldb;
INSERT INTO apart VALUES (1, '((0,0),(10,0),(0,10))');
INSERT INTO apart SELECT 100 + i, format('((%s,1000),(%s.5,1000),(%s.5,1001))', i, i, i)::polygon FROM generate_series(1, 200) i;
INSERT INTO apart VALUES (2, '((8,8),(10,8),(10,10))')));
$control->query_safe('SELECT pg_advisory_lock(7)');
my $insert = start_script($node, "SET test.calls = 'x'; INSERT INTO apart VALUES (3, '((9,9),(9.5,9.5),(9.5,9))');\n");
ok($node->poll_query_until('postgres', $waiting), 'a constraint is being checked');
$node->safe_psql('postgres', "CALL retldb.compact('apart')");
is($node->safe_psql('postgres', 'SELECT ctid >= \'(2147483648,0)\' FROM apart WHERE a = 2'), 't', 'the row that conflicts has been moved');
$control->query_safe('SELECT pg_advisory_unlock(7)');
finish_script($insert);
like($insert->{err}, qr/conflicting key value violates exclusion constraint/, 'and is found');
$control->quit;

# Write skew, with rows whose groups are rewritten after the first transaction has begun.
# How the first one reads the row, and whether it does so before the other changes it.
for my $read ('index', 'bitmap', 'place')
{
	for my $first (1, 0)
	{
		$node->safe_psql('postgres', q(
DROP TABLE IF EXISTS rewritten, other;
CREATE TABLE rewritten (a int PRIMARY KEY, b int) USING retldb WITH (row_store_rows = 0);
INSERT INTO rewritten SELECT i, 0 FROM generate_series(1, 1000) i;
INSERT INTO rewritten SELECT i, 0 FROM generate_series(1001, 2000) i;
CREATE TABLE other (a int, b int) USING heap;
INSERT INTO other VALUES (1, 0)));
		my $place = $node->safe_psql('postgres', 'SELECT ctid FROM rewritten WHERE a = 5');
		my $query = 'SELECT b FROM rewritten WHERE ' . ($read eq 'place' ? "ctid = '$place'" : 'a = 5');
		my $reader = $node->background_psql('postgres', on_error_stop => 0);
		my $delete = 'BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT b FROM other; DELETE FROM rewritten WHERE a = 5; COMMIT';

		$reader->query_safe('SET enable_seqscan = off; SET retldb.enable_columnar_scan = off; SET enable_'
			  . ($read eq 'bitmap' ? 'indexscan = off; SET enable_indexonlyscan' : 'bitmapscan') . ' = off');
		$reader->query_safe('BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT 1 FROM pg_class LIMIT 1');
		$node->safe_psql('postgres', "CALL retldb.compact('rewritten')");
		$node->safe_psql('postgres', $delete) unless $first;
		is(answer($reader, $query), '0', "$read, first $first: the row is there");
		$node->safe_psql('postgres', $delete) if $first;
		$reader->query('UPDATE other SET b = 1');
		$reader->query('COMMIT');
		$reader->quit;
		is($node->safe_psql('postgres', 'SELECT (SELECT count(*) FROM rewritten), (SELECT b FROM other)'), '1999|0',
			"$read, first $first: only one of the two commits");
	}
}
# Groups are merged while a writer is in the middle of something.
$node->safe_psql('postgres', q(
CREATE TABLE busy (a int) USING retldb WITH (row_store_rows = 0);
INSERT INTO busy SELECT generate_series(1, 1000);
INSERT INTO busy SELECT generate_series(1, 1000);
CALL retldb.compact('busy');
INSERT INTO busy SELECT generate_series(1, 1000)));
my $writer = $node->background_psql('postgres');
$writer->query_safe('BEGIN; LOCK TABLE busy IN ROW EXCLUSIVE MODE; DELETE FROM busy WHERE a = 7');
my ($state) = sqlstate($node, "SET statement_timeout = '60s'; CALL retldb.compact('busy')");
is($state, '', 'compaction does not wait for the writer');
is($node->safe_psql('postgres', "SELECT count(*) FROM retldb.row_groups('busy') WHERE visible"), '1', 'the groups are merged');
$writer->query_safe('COMMIT');
$writer->quit;
is($node->safe_psql('postgres', 'SELECT count(*), sum(a) FROM busy'), '2997|1501479', 'what he has deleted is gone');
verify_clean($node, 'busy', 'merged');
is(log_complaints($node), '', 'no complaint in the log');
$node->stop;

done_testing();
