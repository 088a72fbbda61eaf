-- The columnar scan: when it is chosen, what it reads, and that it answers like
-- a scan of a heap table.
SET retldb.cache_size = 0;	-- counters do not depend on what was read before
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS retldb;
RESET client_min_messages;

SET retldb.row_store_rows = 0;
SET retldb.row_group_rows = 1000;
SET retldb.vector_rows = 128;

-- EXPLAIN of a query that is run, without what changes from run to run
CREATE FUNCTION explain_run(query text) RETURNS SETOF text
LANGUAGE plpgsql AS $$
DECLARE
    line text;
BEGIN
    FOR line IN EXECUTE 'EXPLAIN (ANALYZE, BUFFERS OFF, COSTS OFF, TIMING OFF, SUMMARY OFF) ' || query LOOP
        CONTINUE WHEN line ~ '^ *(Buckets|Memory|Sort Method|Cache Mode|Hits):?';
        RETURN NEXT regexp_replace(plan_line(line), 'Bytes Read: \d+ kB', 'Bytes Read: N kB');
    END LOOP;
END $$;

CREATE TABLE sales (id int, customer text, amount numeric(10,2), at date, gone int, note text, "Odd Name" float8) USING retldb;
INSERT INTO sales
SELECT i, 'customer ' || i % 50, (i % 1000) / 4.0, date '2020-01-01' + i / 10, i,
       CASE WHEN i % 3 = 0 THEN repeat('note ', i % 40) END, i / 7.0
  FROM generate_series(1, 5000) i;
ALTER TABLE sales DROP COLUMN gone;
SET retldb.row_store_rows = 1000;
INSERT INTO sales VALUES (5001, 'customer 1', 9.99, '2021-05-15', NULL, 0), (5002, NULL, NULL, NULL, 'none', 'NaN');
ANALYZE sales;

-- only the columns that are needed
EXPLAIN (COSTS OFF) SELECT id FROM sales;
EXPLAIN (COSTS OFF) SELECT sum(amount) FROM sales WHERE at > '2021-01-01';
EXPLAIN (COSTS OFF) SELECT count(*) FROM sales;
EXPLAIN (COSTS OFF) SELECT * FROM sales;
EXPLAIN (COSTS OFF) SELECT sales FROM sales;
EXPLAIN (COSTS OFF) SELECT "Odd Name" FROM sales ORDER BY note;
EXPLAIN (COSTS OFF, VERBOSE) SELECT upper(customer), id + 1 FROM sales WHERE id < 10;
SELECT explain_run('SELECT sum(amount) FROM sales WHERE at > ''2021-01-01''');
SELECT explain_run('SELECT count(*) FROM sales');
SELECT explain_run('SELECT note FROM sales WHERE customer = ''nobody''');
SELECT explain_run('SELECT id FROM sales LIMIT 3');
DO $$
DECLARE
    plan jsonb;
    line record;
BEGIN
    EXECUTE 'EXPLAIN (ANALYZE, BUFFERS OFF, COSTS OFF, TIMING OFF, SUMMARY OFF, FORMAT JSON) SELECT id FROM sales WHERE at > ''2021-01-01'' AND id > 0' INTO plan;
    FOR line IN SELECT key, value FROM jsonb_each(plan->0->'Plan') WHERE key NOT IN ('Bytes Read', 'Disabled') ORDER BY key COLLATE "C" LOOP
        RAISE NOTICE '%: %', line.key, regexp_replace(line.value::text, '\.00$', '');
    END LOOP;
END $$;
SELECT plan('SELECT id FROM sales WHERE id = 5', 'COSTS OFF, FORMAT YAML');
SELECT plan('SELECT count(*) FROM sales', 'COSTS OFF, FORMAT XML');

-- values
SELECT count(*), count(customer), sum(amount), min(at), max(at), sum(length(note)), count(DISTINCT customer) FROM sales;
SELECT * FROM sales WHERE id IN (1, 999, 1000, 1001, 5000, 5001, 5002) ORDER BY id;
SELECT sales FROM sales WHERE id >= 5001 OR id = 9 ORDER BY id;
SELECT s.*, s FROM sales s WHERE id = 3;
SELECT (SELECT max(s.customer) FROM sales s WHERE s.id < o.id), o.id FROM sales o WHERE o.id % 1250 = 0 ORDER BY 2;
SELECT customer, count(*), sum(amount) FROM sales GROUP BY 1 ORDER BY 1 DESC LIMIT 3;
SELECT id, note IS NULL FROM sales ORDER BY "Odd Name" DESC, id LIMIT 3;
SELECT 1 FROM sales WHERE id = 1 AND customer ~ 'customer';
SELECT count(*) FROM sales a JOIN sales b USING (id) WHERE a.at < '2020-02-01';
SELECT count(*) FROM (SELECT id FROM sales EXCEPT ALL SELECT generate_series(1, 5002)) d;

-- system columns: ctid and tableoid are there, the others need the tuple header
EXPLAIN (COSTS OFF) SELECT ctid, tableoid, id FROM sales;
SELECT tableoid::regclass, count(*), count(DISTINCT ctid) FROM sales GROUP BY 1;
SELECT count(*) FROM sales a WHERE EXISTS (SELECT FROM sales b WHERE b.ctid = a.ctid AND b.id = a.id);
SELECT s.id FROM sales s WHERE s.ctid = (SELECT ctid FROM sales WHERE id = 2345);
EXPLAIN (COSTS OFF) SELECT xmin, id FROM sales;
EXPLAIN (COSTS OFF) SELECT id FROM sales WHERE cmin = '0';
SELECT count(*), count(DISTINCT xmin::text) FROM sales;

-- not offered for samples, but to commands that lock rows
EXPLAIN (COSTS OFF) SELECT id FROM sales TABLESAMPLE bernoulli (10);
EXPLAIN (COSTS OFF) SELECT id FROM sales FOR UPDATE;
EXPLAIN (COSTS OFF) SELECT a.id FROM sales a, sales b WHERE a.id = b.id FOR SHARE OF b;
SET retldb.enable_columnar_scan = off;
EXPLAIN (COSTS OFF) SELECT id FROM sales;
SELECT count(*), count(customer), sum(amount), min(at), max(at), sum(length(note)), count(DISTINCT customer) FROM sales;
RESET retldb.enable_columnar_scan;
SET enable_seqscan = off;
EXPLAIN (COSTS OFF) SELECT id FROM sales;
RESET enable_seqscan;

-- empty tables, tables without columns, temporary tables, materialized views
CREATE TABLE empty (a int, b text) USING retldb;
SELECT * FROM empty;
SELECT count(*) FROM empty WHERE a = 1;
SELECT explain_run('SELECT a FROM empty WHERE b IS NULL');
-- a subquery for a key is run when there are rows, as on heap
CREATE FUNCTION told(int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE 'told %', $1; RETURN $1; END $$;
SELECT count(*) FROM empty WHERE a = (SELECT told(1));
BEGIN;
INSERT INTO empty SELECT i, 'b' FROM generate_series(1, 3000) i;
ROLLBACK;
SELECT count(*) FROM empty WHERE a < (SELECT told(2));
SET retldb.row_store_rows = 0;
INSERT INTO empty SELECT i, 'b' FROM generate_series(1, 3000) i;
RESET retldb.row_store_rows;
SELECT count(*) FROM empty WHERE a < (SELECT told(3));
SELECT v, (SELECT count(*) FROM empty WHERE a < (SELECT told(v))) FROM (VALUES (4), (5)) keys(v);
TRUNCATE empty;
SELECT count(*) FROM empty WHERE a < (SELECT told(6));
DROP FUNCTION told;
CREATE TABLE none () USING retldb;
INSERT INTO none SELECT FROM generate_series(1, 3);
SELECT count(*) FROM none;
SELECT FROM none;
CREATE TEMP TABLE temporary (a int) USING retldb;
INSERT INTO temporary SELECT generate_series(1, 3000);
EXPLAIN (COSTS OFF) SELECT a FROM temporary WHERE a > 5;
SELECT count(*) FROM temporary WHERE a > 2990;
CREATE MATERIALIZED VIEW totals USING retldb AS SELECT customer, sum(amount) FROM sales GROUP BY 1;
EXPLAIN (COSTS OFF) SELECT sum FROM totals;
SELECT * FROM totals ORDER BY customer LIMIT 2;

-- partitions and children
CREATE TABLE parted (id int, what text) PARTITION BY RANGE (id);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (2000) USING retldb;
CREATE TABLE parted_2 (what text, dropped int, id int) USING retldb;
ALTER TABLE parted_2 DROP COLUMN dropped;
ALTER TABLE parted ATTACH PARTITION parted_2 FOR VALUES FROM (2000) TO (4000);
CREATE TABLE parted_3 PARTITION OF parted FOR VALUES FROM (4000) TO (6000) USING heap;
INSERT INTO parted SELECT i, 'what ' || i FROM generate_series(0, 5999) i;
ANALYZE parted;
EXPLAIN (COSTS OFF) SELECT what FROM parted WHERE id = 2500 OR what = 'what 7';
EXPLAIN (COSTS OFF) SELECT what FROM parted WHERE id > 3000 AND id < 5000;
SELECT what FROM parted WHERE id IN (5, 2500, 4500) ORDER BY id;
SELECT tableoid::regclass, count(*), min(what), max(id) FROM parted GROUP BY 1 ORDER BY 1;
SELECT p FROM parted p WHERE id = 2100;
CREATE TABLE child (more int) INHERITS (sales) USING retldb;
INSERT INTO child (id, more) VALUES (7000, 1);
SELECT tableoid::regclass, count(*), max(id) FROM sales GROUP BY 1 ORDER BY 1;
EXPLAIN (COSTS OFF) SELECT id FROM ONLY sales WHERE id = 7000;
DROP TABLE child;

-- cursors: both directions
BEGIN;
DECLARE c SCROLL CURSOR FOR SELECT id, customer FROM sales WHERE amount > 200;
EXPLAIN (COSTS OFF) DECLARE d SCROLL CURSOR FOR SELECT id, customer FROM sales WHERE amount > 200;
FETCH 2 FROM c;
FETCH BACKWARD 2 FROM c;
FETCH 3 FROM c;
MOVE 900 IN c;
FETCH 2 FROM c;
FETCH BACKWARD 3 FROM c;
FETCH LAST FROM c;
FETCH NEXT FROM c;
FETCH PRIOR FROM c;
MOVE BACKWARD 500 IN c;
FETCH PRIOR FROM c;
FETCH NEXT FROM c;
FETCH FIRST FROM c;
FETCH PRIOR FROM c;
FETCH FIRST FROM c;
FETCH ABSOLUTE -3 FROM c;
MOVE FORWARD ALL IN c;
MOVE BACKWARD ALL IN c;
CLOSE c;
DECLARE c CURSOR FOR SELECT id FROM sales WHERE id > 2000;
FETCH 2 FROM c;
FETCH 2 FROM c;
MOVE 2500 IN c;
FETCH 2 FROM c;
COMMIT;
BEGIN;
DECLARE c SCROLL CURSOR WITH HOLD FOR SELECT id FROM sales WHERE id > 4990;
COMMIT;
FETCH LAST FROM c;
FETCH ABSOLUTE 2 FROM c;
CLOSE c;

-- rows of the command itself are not seen, nor those after the snapshot
INSERT INTO empty SELECT i, 'a' FROM generate_series(1, 2000) i;
INSERT INTO empty SELECT a + 2000, b FROM empty WHERE a > 1000;
SELECT count(*), max(a) FROM empty;
BEGIN;
DECLARE c CURSOR FOR SELECT count(*) FROM empty;
INSERT INTO empty SELECT i, 'b' FROM generate_series(1, 2000) i;
FETCH c;
SELECT count(*) FROM empty;
ROLLBACK;

-- in parallel
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET max_parallel_workers_per_gather = 2;
EXPLAIN (COSTS OFF) SELECT count(*), sum(amount) FROM sales WHERE at > '2021-01-01';
SELECT count(*), sum(amount) FROM sales WHERE at > '2021-01-01';
SELECT count(*), count(customer), sum(amount), min(at), max(at), sum(length(note)), count(DISTINCT customer) FROM sales;
-- counters of all processes together, and none lost over rescans
CREATE FUNCTION counters(query text) RETURNS text LANGUAGE sql AS
    $$ SELECT scan_properties(query, '^(Row Groups|Vectors (Total|Skipped|Read)|Row Store|Parallel Aware)') $$;
SELECT counters('SELECT count(*), sum(amount) FROM sales WHERE at > ''2021-01-01''');
SELECT counters('SELECT count(*) FROM sales WHERE id <> 0');
SET parallel_leader_participation = off;
SELECT counters('SELECT count(*) FROM sales WHERE id <> 0');
RESET parallel_leader_participation;
SET plan_cache_mode = force_generic_plan;
PREPARE above(int) AS SELECT count(*) FROM sales WHERE id > $1;
EXECUTE above(4000);
SELECT counters('EXECUTE above(4000)');
RESET plan_cache_mode;
SELECT count(*) FROM sales WHERE id > (SELECT max(a) FROM empty WHERE a < 1000);
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SET enable_material = off;
SELECT x, n FROM (VALUES (1), (2), (3)) v(x) LEFT JOIN LATERAL (SELECT count(*) AS n FROM sales WHERE id > 0 OFFSET 0) s ON true;
SELECT count(*) FROM parted a JOIN parted_1 b USING (id) WHERE b.id < 3;
RESET enable_hashjoin;
RESET enable_mergejoin;
RESET enable_material;
-- force_parallel_mode, debug_parallel_query from 16 on
SELECT name AS parallel_mode FROM pg_settings WHERE name IN ('force_parallel_mode', 'debug_parallel_query') \gset
SET :parallel_mode = on;
SELECT sum(id) FROM sales;
SELECT id FROM sales ORDER BY id LIMIT 2;
RESET :parallel_mode;
SELECT count(*) FROM parted WHERE what > 'what 2';
SELECT count(*) FROM (SELECT id FROM sales LIMIT 10) s;
-- what workers take to start counts more for a scan by itself, not for one of several
SET parallel_setup_cost = 0.25;
CREATE FUNCTION startup_costs(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    plan jsonb;
BEGIN
    EXECUTE 'EXPLAIN (FORMAT JSON) ' || query INTO plan;
    RETURN (SELECT string_agg(DISTINCT round((node ->> 'Startup Cost')::numeric, 2)::text, ' ')
              FROM jsonb_path_query(plan, 'strict $.**?(@."Custom Plan Provider" == "RetldbScan" && @."Parallel Aware" == true)') node);
END $$;
CREATE TABLE alone USING retldb AS SELECT i FROM generate_series(1, 5000) i;
ANALYZE alone;
SELECT startup_costs('SELECT count(*) FROM alone');
SELECT startup_costs('SELECT count(*) FROM alone a JOIN alone b USING (i)');
SET parallel_setup_cost = 1000;
SELECT plan('SELECT count(*) FROM alone');
-- nor is core's parallel scan, which waits as long, taken instead of ours
SET parallel_setup_cost = 30;
SELECT plan('SELECT sum(i), sum(i + 1), sum(i + 2), sum(i + 3), sum(i + 4), sum(i + 5), sum(i + 6), sum(i + 7) FROM alone');
-- comparisons on vectors are done before workers are there, functions and rows are not
CREATE FUNCTION scan_kind(query text) RETURNS text LANGUAGE sql AS
    $$ SELECT substring(line from '(?:Parallel )?\w+ Scan') FROM plan(query) line WHERE line ~ 'Scan' $$;
SET retldb.row_store_rows = 0;
CREATE TABLE columnar USING retldb AS SELECT i, 'text ' || i AS t FROM generate_series(1, 20000) i;
RESET retldb.row_store_rows;
ANALYZE columnar;
SET parallel_setup_cost = 4;
SET retldb.enable_skipping = off;
SELECT scan_kind('SELECT count(*) FROM columnar WHERE i < 0 AND i <> 1 AND i <> 2 AND i <> 3 AND i <> 4 AND i <> 5 AND i <> 6 AND i <> 7 AND i <> 8 AND i <> 9 AND i <> 10 AND i <> 11');
SELECT scan_kind('SELECT count(*) FROM columnar WHERE t LIKE ''%x%'' AND t LIKE ''%y%''');
SELECT scan_kind('SELECT count(*) FROM columnar');
RESET retldb.enable_skipping;
DROP FUNCTION scan_kind;
DROP TABLE columnar;
DROP TABLE alone;
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET min_parallel_table_scan_size;
RESET max_parallel_workers_per_gather;

-- cumulative statistics, as of sequential scans
SET retldb.enable_skipping = off;
SELECT count(*) AS sales_rows FROM sales \gset
SELECT pg_stat_force_next_flush();
BEGIN;
SELECT count(*) FROM sales WHERE id < 0;
SELECT count(id) = :sales_rows AS all_rows FROM sales;
SELECT count(*) FROM (VALUES (1), (2), (3)) v (x), LATERAL (SELECT FROM sales WHERE id + x < 0 OFFSET 0) s;
SELECT seq_scan, seq_tup_read = 5 * :sales_rows AS all_rows_read FROM pg_stat_xact_user_tables WHERE relname = 'sales';
COMMIT;
RESET retldb.enable_skipping;

-- row-level security and security barriers
CREATE ROLE regress_retldb_reader;
GRANT SELECT ON sales TO regress_retldb_reader;
ALTER TABLE sales ENABLE ROW LEVEL SECURITY;
CREATE POLICY few ON sales FOR SELECT USING (id <= 3);
SET ROLE regress_retldb_reader;
EXPLAIN (COSTS OFF) SELECT id FROM sales WHERE amount < 100;
SELECT id FROM sales WHERE amount < 100;
CREATE FUNCTION pg_temp.tell(text) RETURNS boolean LANGUAGE plpgsql COST 0.0001 AS
    'BEGIN RAISE NOTICE ''%'', $1; RETURN true; END';
SELECT id FROM sales WHERE pg_temp.tell(customer);
EXPLAIN (COSTS OFF) SELECT id FROM sales WHERE at = to_date('2020', note);
EXPLAIN (COSTS OFF) SELECT id FROM sales WHERE at = to_date(current_setting('retldb_test.date', true), 'YYYY') AND id = 1;
DROP FUNCTION pg_temp.tell;
RESET ROLE;
ALTER TABLE sales DISABLE ROW LEVEL SECURITY;
DROP POLICY few ON sales;
REVOKE ALL ON sales FROM regress_retldb_reader;
DROP ROLE regress_retldb_reader;

DROP FUNCTION counters, explain_run;
DROP MATERIALIZED VIEW totals;
DROP TABLE sales, empty, none, temporary, parted;
