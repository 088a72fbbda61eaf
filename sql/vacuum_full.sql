-- VACUUM FULL: nothing changes but places and space.  full_heap is the twin.
SET retldb.row_group_rows = 1000;
SET retldb.vector_rows = 128;
SET retldb.row_store_rows = 100;
CREATE TABLE full_t (a int, gone text, b text, c numeric, d int[]) USING retldb;
INSERT INTO full_t SELECT i, 'x', 'text ' || i, i / 7.0, ARRAY[i, NULL, -i] FROM generate_series(1, 3300) i;
BEGIN;
INSERT INTO full_t SELECT -i, 'x', repeat('aborted', 10) FROM generate_series(1, 3000) i;
ROLLBACK;
ALTER TABLE full_t DROP COLUMN gone;
ALTER TABLE full_t ADD COLUMN e int DEFAULT 7, ADD COLUMN f text DEFAULT 'missing in old groups';
INSERT INTO full_t SELECT i, 'small', i, '{}', NULL, 'x' FROM generate_series(4000, 4020) i;
-- long values: in the row store out of line, in groups
INSERT INTO full_t SELECT i, string_agg(md5((i * n)::text), ''), i FROM generate_series(5001, 5010) i, generate_series(1, 800) n GROUP BY i;
INSERT INTO full_t SELECT i, repeat('long ', 5000 + i), i FROM generate_series(6001, 6150) i;
CREATE TABLE full_heap USING heap AS SELECT * FROM full_t;
SELECT differences('full_t', 'full_heap'), groups('full_t') > 6 AS many_groups;
CREATE TEMP TABLE before AS SELECT pg_table_size('full_t') AS size;
VACUUM FULL full_t;
SELECT differences('full_t', 'full_heap'), faults('full_t'), pg_table_size('full_t') < size AS smaller FROM before;
SELECT sum(rows) AS rows_in_groups, max(rows) AS largest, count(*) AS groups FROM retldb.row_groups('full_t');
SELECT reltuples, relpages = pg_relation_size('full_t') / 8192 AS pages_are_right FROM pg_class WHERE relname = 'full_t';
-- all rows are older than anything: no row looks as if VACUUM FULL had inserted it
SELECT DISTINCT xmin FROM full_t;
-- it is a table like any other after it
INSERT INTO full_t SELECT i, 'after' FROM generate_series(7001, 9000) i;
INSERT INTO full_heap SELECT i, 'after', NULL, NULL, 7, 'missing in old groups' FROM generate_series(7001, 9000) i;
VACUUM full_t;
SELECT differences('full_t', 'full_heap'), faults('full_t');
VACUUM FULL full_t;
VACUUM (FREEZE) full_t;
SELECT differences('full_t', 'full_heap'), faults('full_t');
SELECT count(*) FROM full_t WHERE e = 7 AND f = 'missing in old groups' AND a <= 3300;
-- with an order, in other settings, and with ANALYZE
ALTER TABLE full_t SET (order_by = 'c DESC', row_group_rows = 4000, compression = none);
VACUUM (FULL, ANALYZE) full_t;
SELECT differences('full_t', 'full_heap'), faults('full_t'), groups('full_t');
SELECT reltuples FROM pg_class WHERE relname = 'full_t';
SELECT count(*) AS out_of_order FROM (SELECT ctid AS place, c, lag(c) OVER (ORDER BY ctid) AS before FROM full_t
    WHERE ctid < (SELECT ctid FROM full_t OFFSET 4000 LIMIT 1)) o WHERE c > before;

-- a few rows stay rows, with their inserter
RESET retldb.row_store_rows;
CREATE TABLE few (a int, b text) USING retldb;
INSERT INTO few VALUES (1, 'one'), (2, repeat('two', 3000));
CREATE TEMP TABLE inserter AS SELECT DISTINCT xmin::text AS x FROM few;
VACUUM FULL few;
SELECT few.a, length(b), few.xmin::text = x AS same FROM few, inserter;
SELECT groups('few'), faults('few');
-- nothing at all
TRUNCATE few;
VACUUM FULL few;
SELECT count(*), faults('few') FROM few;
CREATE TABLE no_columns () USING retldb;
INSERT INTO no_columns SELECT FROM generate_series(1, 1500);
VACUUM FULL no_columns;
SELECT count(*), faults('no_columns') FROM no_columns;

-- unlogged, materialized, temporary, partitioned
CREATE UNLOGGED TABLE unlogged USING retldb AS SELECT * FROM full_t;
VACUUM FULL unlogged;
SELECT differences('unlogged', 'full_heap'), faults('unlogged');
CREATE MATERIALIZED VIEW view_of_it USING retldb AS SELECT * FROM full_t;
VACUUM FULL view_of_it;
SELECT differences('view_of_it', 'full_heap'), faults('view_of_it');
CREATE TEMP TABLE temporary USING retldb AS SELECT * FROM full_t;
VACUUM FULL temporary;
SELECT count(*), faults('temporary') FROM temporary;
CREATE TABLE parted (a int, b text) PARTITION BY RANGE (a);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (1500) USING retldb;
CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM (1500) TO (3000) USING heap;
INSERT INTO parted SELECT i, 'p' FROM generate_series(1, 2999) i;
VACUUM FULL parted;
SELECT tableoid::regclass, count(*), sum(a) FROM parted GROUP BY 1 ORDER BY 1;

-- CLUSTER needs an index
CLUSTER full_t;
CLUSTER full_t USING no_such_index;
ALTER TABLE full_t SET WITHOUT CLUSTER;
CLUSTER;

DROP MATERIALIZED VIEW view_of_it;
DROP TABLE full_t, full_heap, before, few, inserter, no_columns, unlogged, temporary, parted;
RESET retldb.row_group_rows;
RESET retldb.vector_rows;
