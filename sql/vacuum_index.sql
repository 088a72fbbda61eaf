-- VACUUM and the index entries of rows in row groups.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS retldb;
-- entries that an index has for a condition, whether the rows are there or not
CREATE FUNCTION entries(condition text) RETURNS bigint LANGUAGE plpgsql
SET enable_seqscan = off SET enable_indexscan = off SET enable_indexonlyscan = off SET max_parallel_workers_per_gather = 0 AS $$
DECLARE
    plan json;
BEGIN
    EXECUTE 'EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, FORMAT json) SELECT FROM ' || condition INTO plan;
    RETURN (plan->0->'Plan'->'Plans'->0->>'Actual Rows')::numeric;
END $$;
SET retldb.row_store_rows = 100;
CREATE TABLE v (id int PRIMARY KEY, k int, b text) USING retldb WITH (autovacuum_enabled = off);
CREATE INDEX v_k ON v (k);
CREATE INDEX v_part ON v (id) WHERE k = 3;
CREATE INDEX v_words ON v USING gin (string_to_array(b, ' '));
INSERT INTO v SELECT i, i % 50, i % 10 || ' x' FROM generate_series(1, 20000) i;
SELECT entries('v WHERE id > 0');

-- deleted and updated rows lose their entries, in all indexes, also when many keys are alike
DELETE FROM v WHERE id BETWEEN 501 AND 1500;
UPDATE v SET b = 'new' WHERE id BETWEEN 1501 AND 2000;
SELECT entries('v WHERE id > 0') > 19500;
VACUUM v;
SELECT entries('v WHERE id > 0');
SELECT entries('v WHERE k >= 0'), entries('v WHERE string_to_array(b, '' '') && ARRAY[''x'', ''new'']');
SELECT relname, reltuples FROM pg_class WHERE relname IN ('v', 'v_pkey', 'v_k', 'v_part', 'v_words') ORDER BY 1;

-- deletions that are rolled back change nothing
BEGIN;
DELETE FROM v WHERE id BETWEEN 2001 AND 3000;
ROLLBACK;
VACUUM (INDEX_CLEANUP ON) v;
SELECT entries('v WHERE id > 0');

-- without index cleanup nothing is forgotten, and done next time
DELETE FROM v WHERE id BETWEEN 2001 AND 3000;
VACUUM (INDEX_CLEANUP OFF) v;
VACUUM (INDEX_CLEANUP OFF) v;
SELECT entries('v WHERE id > 0');
VACUUM (INDEX_CLEANUP ON) v;
SELECT entries('v WHERE id > 0');

-- few dead rows wait for more, unless index cleanup is asked for
DELETE FROM v WHERE id = 3001;
VACUUM v;
SELECT entries('v WHERE id > 0');
VACUUM (INDEX_CLEANUP ON) v;
SELECT entries('v WHERE id > 0');

-- loads that were rolled back: written, and still in memory when that happened
SET retldb.row_group_rows = 4000;
BEGIN;
SAVEPOINT s;
INSERT INTO v SELECT i, i % 50, 'undone' FROM generate_series(30001, 40000) i;
ROLLBACK TO s;
COMMIT;
RESET retldb.row_group_rows;
DO $$
BEGIN
    INSERT INTO v SELECT i, i % 50, 'undone' FROM generate_series(40001, 45000) i WHERE 1 / (i - 44990) < 5;
EXCEPTION WHEN division_by_zero THEN
    NULL;
END $$;
SELECT entries('v WHERE id > 0') > 30000;
VACUUM (INDEX_CLEANUP OFF) v;
SELECT count(*) FROM retldb.row_groups('v') WHERE state <> 'free';
SELECT entries('v WHERE id > 0') > 30000;
VACUUM v;
SELECT count(*) FROM retldb.row_groups('v') WHERE state <> 'free';
SELECT entries('v WHERE id > 0');
-- the keys are free
INSERT INTO v SELECT i, i % 50, i % 10 || ' x' FROM generate_series(30001, 31000) i;

-- all ways lead to the same rows
SET enable_seqscan = off;
SELECT count(*), sum(id) FROM v WHERE id > 0;
SELECT count(*), sum(id) FROM v WHERE k >= 0;
SELECT count(*), sum(id) FROM v WHERE string_to_array(b, ' ') && ARRAY['x', 'new'];
SELECT count(*), sum(id) FROM v WHERE k = 3 AND id > 0;
RESET enable_seqscan;
SET enable_indexscan = off;
SET enable_bitmapscan = off;
SET enable_indexonlyscan = off;
SELECT count(*), sum(id) FROM v;
SELECT count(*), sum(id) FROM v WHERE k = 3;
SELECT faults('v');

RESET enable_indexscan;
RESET enable_bitmapscan;
RESET enable_indexonlyscan;

-- memory for a few groups only: indexes are scanned several times
CREATE TABLE w (id int PRIMARY KEY) USING retldb WITH (autovacuum_enabled = off);
SET retldb.row_group_rows = 20000;
INSERT INTO w SELECT generate_series(1, 200000);
RESET retldb.row_group_rows;
DELETE FROM w WHERE id % 1000 > 0;
SET maintenance_work_mem = '1MB';
VACUUM (INDEX_CLEANUP ON) w;
SELECT entries('w WHERE id > 0');
SELECT count(*), sum(id) FROM w;

-- stubs have no entries: a few deleted rows do not make VACUUM scan the index, more of
-- them make it scan it once, were stubs pruned before or not
CREATE FUNCTION index_blocks(t regclass) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_stat_clear_snapshot();
    RETURN (SELECT sum(idx_blks_read + idx_blks_hit) FROM pg_statio_user_indexes WHERE relid = t);
END $$;
CREATE TABLE x (id int PRIMARY KEY) USING retldb WITH (autovacuum_enabled = off);
SET retldb.row_store_rows = 0;
INSERT INTO x SELECT generate_series(1, 200000);
VACUUM x;
DELETE FROM x WHERE id % 100 = 7;
SELECT pg_stat_force_next_flush();
SELECT index_blocks('x') AS before \gset
VACUUM x;
SELECT pg_stat_force_next_flush();
SELECT index_blocks('x') - :before < 100;
DELETE FROM x WHERE id % 100 = 8;
SET enable_seqscan = on;
SELECT count(*) FROM x;
SELECT pg_stat_force_next_flush();
SELECT index_blocks('x') AS before \gset
VACUUM x;
SELECT pg_stat_force_next_flush();
SELECT index_blocks('x') - :before BETWEEN 300 AND 800;
SELECT faults('x');
DROP TABLE v, w, x;
DROP FUNCTION entries, index_blocks;
