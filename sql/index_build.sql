-- Building indexes: of rows in the row store, in row groups, and of touched ones;
-- index_heap is the twin.
CREATE EXTENSION amcheck;
SET retldb.row_group_rows = 1000;
SET retldb.vector_rows = 128;
SET retldb.row_store_rows = 100;
CREATE TABLE index_t (a int, gone text, b text, c numeric, d int[], p point, r int4range) USING retldb;
INSERT INTO index_t SELECT (i * 37) % 4001, 'x', CASE WHEN i % 10 > 0 THEN 'text ' || i % 100 END, i / 7.0, ARRAY[i % 7, i % 11], point(i % 83, i % 71),
    int4range(i * 10, i * 10 + 5) FROM generate_series(1, 4000) i;
ALTER TABLE index_t DROP COLUMN gone;
ALTER TABLE index_t ADD COLUMN e int DEFAULT 7;
INSERT INTO index_t SELECT i, 'small', i, '{}', point(i, i), int4range(i * 10, i * 10 + 5), NULL FROM generate_series(5000, 5050) i;
CREATE TABLE index_heap (LIKE index_t INCLUDING DEFAULTS) USING heap;
INSERT INTO index_heap SELECT * FROM index_t;
-- the same is done to both
CREATE FUNCTION on_both(command text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE replace(command, 'TABLE', 'index_t');
    EXECUTE replace(command, 'TABLE', 'index_heap');
END $$;
SELECT on_both('DELETE FROM TABLE WHERE a % 17 = 0');
SELECT on_both('UPDATE TABLE SET b = ''updated '' || a WHERE a % 13 = 0');
SELECT on_both('UPDATE TABLE SET c = -c WHERE a > 5020');
BEGIN;
SELECT on_both('DELETE FROM TABLE WHERE a % 19 = 0');
ROLLBACK;
SELECT differences('index_t', 'index_heap'), faults('index_t');
-- In how many ways (index scan, bitmap scan) an index finds the rows of a
-- condition, and whether they are those that heap finds without one.
CREATE FUNCTION by_index(condition text, OUT ways int, OUT same boolean, OUT rows bigint) LANGUAGE plpgsql AS $$
DECLARE
    query text := 'SELECT count(*), coalesce(md5(string_agg(t::text, '','' ORDER BY t::text)), '''') FROM TABLE t WHERE ' || condition;
    line text;
    one record;
    other record;
BEGIN
    EXECUTE replace(query, 'TABLE', 'index_heap') INTO other;
    SET LOCAL enable_seqscan = off;
    SET LOCAL retldb.enable_columnar_scan = off;
    ways := 0;
    same := true;
    FOR i IN 0 .. 1 LOOP
        PERFORM set_config('enable_indexscan', (i = 0)::text, true), set_config('enable_bitmapscan', (i = 1)::text, true);
        FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || replace(query, 'TABLE', 'index_t') LOOP
            ways := ways + (line ~ 'Index Scan (Backward )?(using|on) ')::int;
        END LOOP;
        EXECUTE replace(query, 'TABLE', 'index_t') INTO one;
        same := same AND one = other;
    END LOOP;
    RESET enable_seqscan;
    RESET enable_indexscan;
    RESET enable_bitmapscan;
    RESET retldb.enable_columnar_scan;
    rows := one.count;
END $$;
-- Every B-tree of a table, checked against the table.
CREATE FUNCTION check_indexes(t regclass) RETURNS bigint LANGUAGE sql AS $$
    SELECT count(bt_index_parent_check(indexrelid, true, true)::text)
      FROM pg_index JOIN pg_class i ON i.oid = indexrelid JOIN pg_am m ON m.oid = relam
     WHERE indrelid = t AND amname = 'btree'
$$;

CREATE INDEX index_a ON index_t (a);
CREATE INDEX index_ba ON index_t (b DESC NULLS LAST, a) INCLUDE (c);
CREATE INDEX index_expression ON index_t ((a % 1000), lower(b)) WHERE a > 100;
CREATE INDEX index_missing ON index_t (e, c);
CREATE INDEX index_hash ON index_t USING hash (b);
CREATE INDEX index_gist ON index_t USING gist (p);
CREATE INDEX index_spgist ON index_t USING spgist (p);
CREATE INDEX index_gin ON index_t USING gin (d) WITH (fastupdate = on);
CREATE INDEX index_pattern ON index_t (b text_pattern_ops) WHERE b IS NOT NULL;
SELECT check_indexes('index_t');
SELECT * FROM by_index('a = 1234');
SELECT * FROM by_index('a BETWEEN 100 AND 200');
SELECT * FROM by_index('a BETWEEN 5010 AND 5030');
SELECT * FROM by_index('b = ''text 7'' AND a < 2000');
SELECT * FROM by_index('b IS NULL AND a < 1000');
SELECT * FROM by_index('a % 1000 = 77 AND a > 200');
SELECT * FROM by_index('e IS NULL AND c < 0');
DROP INDEX index_ba;
SELECT * FROM by_index('b = ''updated 26''');
SELECT * FROM by_index('b LIKE ''upd%'' AND b LIKE ''%3''');
SELECT * FROM by_index('p <@ box ''(10,10),(15,15)''');
SELECT * FROM by_index('d @> ''{5}'' AND d <@ ''{5,6}''');
DROP INDEX index_gist;
SELECT * FROM by_index('p <@ box ''(10,10),(15,15)''');
-- what the planner and ANALYZE know of the table's size is right
SELECT reltuples = (SELECT count(*) FROM index_t) AS tuples, relpages = pg_relation_size('index_t') / 8192 AS pages
    FROM pg_class WHERE relname = 'index_t';

-- uniqueness: dead rows do not count
CREATE UNIQUE INDEX index_unique ON index_t (a);
INSERT INTO index_t (a) VALUES (1234);
DROP INDEX index_unique;
SELECT on_both('UPDATE TABLE SET a = 7 WHERE a = 9');
CREATE UNIQUE INDEX index_unique ON index_t (a);
SELECT on_both('UPDATE TABLE SET a = 9 WHERE a = 7 AND c < 200');
CREATE UNIQUE INDEX index_unique ON index_t (a);
CREATE UNIQUE INDEX index_unique2 ON index_t (e);
CREATE UNIQUE INDEX index_unique2 ON index_t (c);
CREATE UNIQUE INDEX index_nulls ON index_t (b) WHERE b IS NULL;
CREATE UNIQUE INDEX index_nulls2 ON index_t (b) NULLS NOT DISTINCT WHERE b IS NULL;
CREATE UNIQUE INDEX CONCURRENTLY index_invalid ON index_t (e);
SELECT indisvalid FROM pg_index WHERE indexrelid = 'index_invalid'::regclass;
DROP INDEX CONCURRENTLY index_invalid;
ALTER TABLE index_t ADD CONSTRAINT key UNIQUE (c) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE index_t ADD CONSTRAINT pkey PRIMARY KEY USING INDEX index_unique;
ALTER TABLE index_t ADD EXCLUDE USING gist (r WITH &&);
SELECT on_both('UPDATE TABLE SET e = 2 WHERE a IN (2, 5002, 5003)');
ALTER TABLE index_t ADD EXCLUDE USING btree (e WITH =) WHERE (a > 4990);
SELECT on_both('UPDATE TABLE SET e = 3 WHERE a = 5003');
ALTER TABLE index_t ADD EXCLUDE USING btree (e WITH =) WHERE (a > 4990);
UPDATE index_t SET e = 3 WHERE a = 5002;
ALTER TABLE index_t DROP CONSTRAINT index_t_e_excl;
SELECT differences('index_t', 'index_heap'), faults('index_t');
-- a whole row as a key
CREATE TABLE index_row (a int, b text) USING retldb;
INSERT INTO index_row SELECT i, i FROM generate_series(1, 2000) i;
CREATE UNIQUE INDEX index_row_row ON index_row ((index_row.*));
SELECT check_indexes('index_row');
INSERT INTO index_row VALUES (1000, 1000);
DROP TABLE index_row;

-- a transaction that sees its own changes, and one that is older than the index
BEGIN;
SELECT on_both('INSERT INTO TABLE SELECT i, ''own'', i FROM generate_series(10001, 10300) i');
SELECT on_both('DELETE FROM TABLE WHERE a % 11 = 0');
SAVEPOINT s;
INSERT INTO index_t SELECT i, 'gone', i FROM generate_series(20001, 20300) i;
DELETE FROM index_t WHERE a % 3 = 0;
ROLLBACK TO s;
CREATE UNIQUE INDEX index_own ON index_t ((a + 1));
SELECT * FROM by_index('a + 1 BETWEEN 10100 AND 10250');
COMMIT;
SELECT * FROM by_index('a + 1 BETWEEN 10100 AND 10250');
SELECT * FROM by_index('a + 1 < 500');
SELECT check_indexes('index_t'), differences('index_t', 'index_heap');
DROP INDEX index_own;

-- by several processes
SET min_parallel_table_scan_size = 0;
SET max_parallel_maintenance_workers = 2;
ALTER TABLE index_t SET (parallel_workers = 2);
CREATE UNIQUE INDEX index_parallel ON index_t (a) INCLUDE (c);
CREATE INDEX index_parallel2 ON index_t (abs(a), e) WHERE a % 2 = 0;
CREATE INDEX CONCURRENTLY index_parallel3 ON index_t (c DESC);
-- (the duplicate may be found by a worker)
\set SHOW_CONTEXT never
CREATE UNIQUE INDEX index_parallel4 ON index_t (e);
\set SHOW_CONTEXT errors
SELECT check_indexes('index_t');
SELECT * FROM by_index('abs(a) BETWEEN 100 AND 600 AND a % 2 = 0');
SELECT reltuples = (SELECT count(*) FROM index_t) AS tuples FROM pg_class WHERE relname = 'index_t';
ALTER TABLE index_t RESET (parallel_workers);
RESET min_parallel_table_scan_size;
RESET max_parallel_maintenance_workers;

-- concurrently, and again
CREATE INDEX CONCURRENTLY index_cic ON index_t (e, (c * 2)) WHERE e IS NOT NULL;
CREATE INDEX CONCURRENTLY index_cic_gist ON index_t USING gist (p);
SELECT * FROM by_index('p <@ box ''(10,10),(15,15)''');
REINDEX INDEX index_a;
REINDEX INDEX CONCURRENTLY index_cic;
REINDEX TABLE index_t;
REINDEX TABLE CONCURRENTLY index_t;
SELECT check_indexes('index_t'), count(*) AS indexes, bool_and(indisvalid) AS valid FROM pg_index WHERE indrelid = 'index_t'::regclass;
DROP INDEX CONCURRENTLY index_cic;
SELECT * FROM by_index('a = 1234');
SELECT * FROM by_index('c = 5');

-- what makes the table anew makes its indexes anew
VACUUM FULL index_t;
SELECT check_indexes('index_t'), differences('index_t', 'index_heap'), faults('index_t');
SELECT on_both('alter table TABLE ALTER c TYPE double precision');
SELECT check_indexes('index_t'), differences('index_t', 'index_heap');
SELECT * FROM by_index('c BETWEEN 5 AND 20');
ALTER TABLE index_t SET ACCESS METHOD heap;
SELECT check_indexes('index_t'), differences('index_t', 'index_heap');
ALTER TABLE index_t SET ACCESS METHOD retldb;
SELECT check_indexes('index_t'), differences('index_t', 'index_heap'), groups('index_t') > 2 AS groups;
SELECT * FROM by_index('c BETWEEN 5 AND 20');
BEGIN;
TRUNCATE index_t;
SELECT * FROM index_t WHERE a = 1234;
INSERT INTO index_t SELECT * FROM index_heap WHERE a < 1000;
CREATE INDEX index_again ON index_t (a, b);
SELECT count(*) FROM index_t WHERE a = 234;
ROLLBACK;
SELECT check_indexes('index_t'), differences('index_t', 'index_heap');

-- CLUSTER
CREATE FUNCTION out_of_order(t regclass, expression text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    result bigint;
BEGIN
    EXECUTE format('SELECT count(*) FROM (SELECT %s AS v, lag(%1$s) OVER (ORDER BY ctid) AS before FROM %s) o WHERE v < before', expression, t) INTO result;
    RETURN result;
END $$;
SELECT out_of_order('index_t', 'a') > 0 AS unordered;
CLUSTER index_t USING index_a;
SELECT out_of_order('index_t', 'a'), check_indexes('index_t'), differences('index_t', 'index_heap'), faults('index_t');
SELECT sum(rows) AS rows_in_groups, max(rows) AS largest FROM retldb.row_groups('index_t');
SELECT on_both('UPDATE TABLE SET c = c + 100000 WHERE a % 5 = 0');
SELECT on_both('INSERT INTO TABLE SELECT i, ''late'' FROM generate_series(-300, -1) i');
SELECT out_of_order('index_t', 'a') > 0 AS unordered;
CLUSTER index_t;
SELECT out_of_order('index_t', 'a'), check_indexes('index_t'), differences('index_t', 'index_heap'), faults('index_t');
CREATE INDEX index_lower ON index_t (lower(b), a DESC);
ALTER TABLE index_t SET (order_by = 'c');
CLUSTER index_t USING index_lower;
SELECT out_of_order('index_t', 'lower(b)'), check_indexes('index_t'), differences('index_t', 'index_heap'), faults('index_t');
CLUSTER index_t USING index_cic_gist;
SELECT check_indexes('index_t'), differences('index_t', 'index_heap'), faults('index_t');
-- rows that are near each other have come near each other, if they have a place at all
SELECT avg(sqrt((p[0] - q[0]) ^ 2 + (p[1] - q[1]) ^ 2)) < 10 AS near
    FROM (SELECT p, lag(p) OVER (ORDER BY ctid) AS q FROM index_t WHERE p IS NOT NULL) o;
CLUSTER index_t USING index_hash;
-- a small table stays in the row store
CREATE TABLE index_small (a int PRIMARY KEY, b text) USING retldb;
INSERT INTO index_small SELECT (i * 37) % 89, repeat('long', 2000) FROM generate_series(0, 88) i;
UPDATE index_small SET b = b || a WHERE a % 3 = 0;
DELETE FROM index_small WHERE a % 7 = 0;
CLUSTER index_small USING index_small_pkey;
SELECT out_of_order('index_small', 'a'), check_indexes('index_small'), count(*), sum(length(b)), groups('index_small') FROM index_small;
-- own rows, which nobody else sees yet, are ordered group by group
BEGIN;
INSERT INTO index_small SELECT (i * 37) % 997 + 1000, i FROM generate_series(1, 996) i;
CLUSTER index_small;
SELECT out_of_order('index_small', 'a') <= groups('index_small') AS ordered, count(*) FROM index_small;
COMMIT;
CLUSTER index_small;
SELECT out_of_order('index_small', 'a'), check_indexes('index_small'), count(*), groups('index_small') FROM index_small;

-- partitions
CREATE TABLE index_part (a int PRIMARY KEY, b text) PARTITION BY RANGE (a);
CREATE INDEX index_part_b ON index_part (b);
CREATE TABLE index_part1 (a int NOT NULL, b text) USING retldb;
INSERT INTO index_part1 SELECT i, 'part ' || i FROM generate_series(1, 3000) i;
ALTER TABLE index_part ATTACH PARTITION index_part1 FOR VALUES FROM (0) TO (10000);
CREATE TABLE index_part2 PARTITION OF index_part FOR VALUES FROM (10000) TO (20000) USING retldb;
INSERT INTO index_part SELECT i, 'part ' || i FROM generate_series(10001, 13000) i;
CREATE INDEX index_part_ab ON index_part (a, b);
SELECT check_indexes('index_part1'), check_indexes('index_part2');
SELECT * FROM index_part WHERE a IN (77, 12077) ORDER BY a;
CLUSTER index_part USING index_part_pkey;
SELECT * FROM index_part WHERE b IN ('part 77', 'part 12077') ORDER BY a;
INSERT INTO index_part VALUES (77);

-- plans
DROP INDEX index_parallel, index_parallel2, index_parallel3, index_a, index_lower;
ANALYZE index_t;
ANALYZE index_part;
SET enable_bitmapscan = off;
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SET enable_seqscan = off;
SET retldb.enable_columnar_scan = off;
SELECT plan('SELECT * FROM index_t WHERE a = 5');
SELECT l FROM plan('SELECT min(a), max(a) FROM index_t') l WHERE l LIKE '%Index%Scan%';
SELECT min(a), max(a) FROM index_t;
SELECT plan('SELECT a FROM index_t ORDER BY a LIMIT 3');
SELECT a FROM index_t ORDER BY a LIMIT 3;
SELECT a FROM index_t ORDER BY a DESC LIMIT 3;
SELECT l FROM plan('SELECT a FROM index_t WHERE a BETWEEN 100 AND 120', 'ANALYZE, COSTS OFF, SUMMARY OFF, TIMING OFF, BUFFERS OFF') l WHERE l LIKE '%Heap%';
SELECT plan('SELECT * FROM index_part p JOIN index_t t ON t.a = p.a WHERE p.a < 10');
SELECT p.a, t.a, t.b FROM index_part p JOIN index_t t ON t.a = p.a WHERE p.a < 10 ORDER BY 1;
PREPARE by_key(int) AS SELECT a, b, e FROM index_t WHERE a = $1;
SET plan_cache_mode = force_generic_plan;
EXPLAIN (COSTS OFF) EXECUTE by_key(1);
EXECUTE by_key(12);
EXECUTE by_key(-12);
EXECUTE by_key(17);
BEGIN;
DECLARE c SCROLL CURSOR FOR SELECT a FROM index_t WHERE a > 3900 ORDER BY a;
FETCH 2 FROM c;
FETCH BACKWARD 1 FROM c;
FETCH LAST FROM c;
FETCH BACKWARD 2 FROM c;
COMMIT;
RESET ALL;

-- free pages in an entry whose row number comes right after that of the first group
CREATE TABLE index_free (a int, p point) USING retldb WITH (vacuum_truncate = off, row_store_rows = 0);
INSERT INTO index_free SELECT i, point(i, i) FROM generate_series(1, 2000) i;
ALTER TABLE index_free SET (row_store_rows = 1000000);
INSERT INTO index_free SELECT -i, point(i, i) FROM generate_series(1, 60000) i;
DELETE FROM index_free WHERE a < 0;
VACUUM index_free;
VACUUM index_free;
SELECT free_pages > 0 AS has_free_pages FROM retldb.table_info('index_free');
CREATE INDEX ON index_free USING gist (p);
CLUSTER index_free USING index_free_p_idx;
SELECT count(*), sum(a) FROM index_free;
DROP TABLE index_free;

DROP TABLE index_t, index_heap, index_small, index_part;
DROP FUNCTION on_both, by_index, check_indexes, out_of_order;
DROP EXTENSION amcheck;
