-- Conditions that turn rows of the row store away before they are handed out: which
-- do, that the answers are heap's, and that nothing is computed that heap does not.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS retldb;
RESET client_min_messages;

-- How many rows of the row store a query turns away, and how many it reads
CREATE FUNCTION filtered(query text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    plan jsonb;
BEGIN
    EXECUTE 'EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF, FORMAT JSON) ' || query INTO plan;
    RETURN (SELECT format('%s of %s', sum((node->>'Row Store Rows Filtered')::int), sum((node->>'Row Store Rows')::int))
              FROM jsonb_path_query(plan, 'strict $.**?(@."Custom Plan Provider" == "RetldbScan")') node);
END $$;

-- The same answer of both tables?  @ stands for them.
CREATE FUNCTION agree(query text) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    answers text[];
    answer text;
    t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['stored', 'stored_heap'] LOOP
        EXECUTE format('SELECT string_agg(q::text, E''\n'' ORDER BY q::text) FROM (%s) q', replace(query, '@', t)) INTO answer;
        answers := answers || coalesce(answer, 'none');
    END LOOP;
    RETURN answers[1] = answers[2];
END $$;

CREATE TABLE stored (id int, small int2, big int8, flag bool, letter "char", object oid, at timestamptz, day date, real float4, double float8,
                     amount numeric, name text, code varchar(40) COLLATE "C", padded char(8), bytes bytea) USING retldb WITH (row_store_rows = 100000);
CREATE TABLE stored_heap (LIKE stored) USING heap;
INSERT INTO stored
SELECT i, i % 7 - 3, (i - 250) * 10000000000, i % 3 = 0, chr(65 + i % 26)::"char", (i::bigint * 8000000)::oid, timestamptz '2024-01-01 00:00+00' + i * interval '1 hour',
       CASE i % 100 WHEN 0 THEN date 'infinity' WHEN 1 THEN date '-infinity' ELSE date '2024-01-01' + i END,
       i / 3.0, CASE WHEN i % 50 = 0 THEN 'NaN' ELSE i / 7.0 END, i / 4.0, repeat('name ' || i % 20, 1 + i % 3), 'code ' || i, 'p' || i % 9, decode(md5(i::text), 'hex')
  FROM generate_series(1, 400) i;
-- nulls, extremes, values that are compressed or out of line
INSERT INTO stored (id) SELECT NULL FROM generate_series(1, 20);
INSERT INTO stored (id, small, big, object) VALUES (2147483647, 32767, 9223372036854775807, 4294967295), (-2147483648, -32768, -9223372036854775808, 0);
INSERT INTO stored (id, name) VALUES (501, repeat('x', 5000)), (502, '');
INSERT INTO stored (id, name) SELECT 503, string_agg(md5(i::text), '') FROM generate_series(1, 500) i;
-- columns that older rows do not have
ALTER TABLE stored ADD COLUMN later int DEFAULT 5, ADD COLUMN word text DEFAULT 'five';
ALTER TABLE stored_heap ADD COLUMN later int DEFAULT 5, ADD COLUMN word text DEFAULT 'five';
INSERT INTO stored (id, later, word) VALUES (601, 6, 'six'), (602, NULL, NULL);
INSERT INTO stored_heap SELECT * FROM stored;
ANALYZE stored;

SELECT condition, filtered('SELECT id FROM stored WHERE ' || condition), agree('SELECT * FROM @ WHERE ' || condition)
  FROM unnest(ARRAY[
    'id = 77', 'id BETWEEN 20 AND 30', 'id > 2147483646', 'id < -2147483647', 'id <> 5', 'id >= 390 AND small < 0', 'id < 0 AND id > 10',
    'id = 3000000000', 'id < 3000000000', 'id = ANY (ARRAY[1, 2, NULL])', 'id IN (7)', 'id = NULL', 'id IS NULL', 'id IS NOT NULL',
    'id = 5 OR id = 6', 'small = -32768', 'small <= -3', 'big > 9000000000000', 'big = 9223372036854775807', 'flag', 'flag = true', 'letter = ''C''', 'object > 3000000000',
    'object = 4294967295', 'at < ''2024-01-02 00:00+00''', 'day = ''infinity''', 'day < ''2024-01-20''', 'day > timestamp ''2025-01-01 12:00''', 'real < 3', 'double = ''NaN''', 'double > 50', 'amount = 5',
    'name = ''name 7''', 'name <> ''name 7''', 'name = ''''', 'name = repeat(''x'', 5000)', 'code = ''code 100''', 'code < ''code 12''', 'padded = ''p3''',
    'bytes = decode(md5(''33''), ''hex'')', 'bytes > ''\xf0''', 'later = 5', 'later = 6', 'later <> 5', 'word = ''five''', 'word = ''six''', 'id % 2 = 0 AND id < 10']) WITH ORDINALITY u (condition, n)
 ORDER BY n;
SELECT agree('SELECT count(*) FROM @ WHERE ctid >= ''(1,1)'' AND id > 0 AND id < 0');

-- statistics count them as read, and EXPLAIN as removed
SELECT plan FROM plan('SELECT id FROM stored WHERE id = 77', 'ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF') plan WHERE plan ~ 'Removed|Row Store';
-- also when the scan does not come to its end
SELECT regexp_replace(plan, '\d+', 'N') FROM plan('SELECT id FROM stored WHERE id > 77 LIMIT 1', 'ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF') plan WHERE plan ~ 'Removed';
BEGIN;
SELECT seq_scan, seq_tup_read FROM pg_stat_xact_user_tables WHERE relname = 'stored' \gset
SELECT count(*) FROM stored WHERE id = 77;
SELECT seq_scan - :seq_scan AS scans, seq_tup_read - :seq_tup_read AS rows_read FROM pg_stat_xact_user_tables WHERE relname = 'stored';
COMMIT;

-- backwards
BEGIN;
DECLARE c SCROLL CURSOR FOR SELECT id FROM stored WHERE id BETWEEN 20 AND 23;
FETCH 3 FROM c;
FETCH BACKWARD ALL FROM c;
FETCH LAST FROM c;
FETCH PRIOR FROM c;
COMMIT;

-- parameters: of prepared statements, of nested loops, changed by rescans
PREPARE p (int) AS SELECT count(*) FROM stored WHERE id < $1;
SET plan_cache_mode = force_generic_plan;
EXECUTE p (11);
EXECUTE p (NULL);
EXECUTE p (21);
SELECT filtered('EXECUTE p (11)');
RESET plan_cache_mode;
SELECT x, c FROM (VALUES (1), (NULL), (300), (5)) v (x), LATERAL (SELECT count(*) c FROM stored WHERE id <= x OFFSET 0) s;
SELECT filtered('SELECT x, c FROM (VALUES (1), (NULL), (300), (5)) v (x), LATERAL (SELECT count(*) c FROM stored WHERE id <= x OFFSET 0) s');
CREATE FUNCTION below(bound int) RETURNS bigint LANGUAGE plpgsql AS
    'BEGIN RETURN (SELECT count(*) FROM stored WHERE id < bound); END';
SELECT below(11), below(NULL);

-- a subquery is not run for its own sake, nor is a function called
SELECT filtered('SELECT id FROM stored WHERE id < (SELECT 5)');
SELECT count(*) FROM stored WHERE small = 30 AND id = (SELECT 1 / (count(*) - count(*)) FROM stored_heap)::int;
SELECT count(*) FROM stored WHERE small = 30 AND id = ('x' || current_setting('retldb_test.none', true))::int;
SELECT count(*) FROM stored WHERE small = 3 AND id = (SELECT 1 / (count(*) - count(*)) FROM stored_heap)::int;

-- one's own rows, rows that others must not see, commands that change rows
BEGIN;
INSERT INTO stored (id) VALUES (701);
DELETE FROM stored WHERE id = 7;
UPDATE stored SET name = 'new' WHERE id BETWEEN 8 AND 9;
SELECT id, name FROM stored WHERE id IN (7) OR id = 701 ORDER BY id;
SELECT id, name FROM stored WHERE id >= 7 AND id < 11 ORDER BY id;
SELECT id FROM stored WHERE id = 10 FOR UPDATE;
ROLLBACK;
SELECT id, name FROM stored WHERE id >= 7 AND id < 11 ORDER BY id;

-- with row groups beside it
SET retldb.row_group_rows = 1000;
ALTER TABLE stored SET (row_store_rows = 0);
INSERT INTO stored SELECT * FROM stored_heap;
ALTER TABLE stored RESET (row_store_rows);
INSERT INTO stored_heap SELECT * FROM stored_heap;
ANALYZE stored;
SELECT groups('stored') > 0 AS has_groups, filtered('SELECT id FROM stored WHERE id < 10'), agree('SELECT * FROM @ WHERE id < 10');
SET retldb.enable_vector_filter = off;
SELECT filtered('SELECT id FROM stored WHERE id < 10'), agree('SELECT * FROM @ WHERE id < 10');
RESET retldb.enable_vector_filter;
SET retldb.enable_skipping = off;
SELECT filtered('SELECT id FROM stored WHERE id < 10'), agree('SELECT * FROM @ WHERE id < 10');
RESET retldb.enable_skipping;
-- in parallel
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SELECT agree('SELECT * FROM @ WHERE id BETWEEN 20 AND 30'), agree('SELECT sum(id) FROM @ WHERE name = ''name 7''');
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET min_parallel_table_scan_size;

DROP FUNCTION filtered, agree, below;
DROP TABLE stored, stored_heap;
