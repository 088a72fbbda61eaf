-- What the planner expects of a table: rows, next to those of a heap twin, and
-- the plans that follow.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS retldb;
RESET client_min_messages;

CREATE FUNCTION planned_rows(tab text) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    plan json;
BEGIN
    EXECUTE format('EXPLAIN (FORMAT JSON) SELECT * FROM %s', tab) INTO plan;
    RETURN plan->0->'Plan'->'Plan Rows';
END $$;

-- rows that are there, rows that are expected of a table and of its twin
CREATE FUNCTION compare(tab text, OUT rows bigint, OUT planned bigint, OUT twin bigint)
LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('SELECT count(*) FROM %s', tab) INTO rows;
    planned := planned_rows(tab);
    twin := planned_rows(tab || '_twin');
END $$;

CREATE TABLE small (id int, name char(25), note text) USING retldb WITH (autovacuum_enabled = off);
CREATE TABLE small_twin (LIKE small) USING heap WITH (autovacuum_enabled = off);

-- new tables are taken to have ten pages
SELECT planned = twin AS as_heap FROM compare('small');
INSERT INTO small SELECT i, 'name ' || i, repeat('x', i % 70) FROM generate_series(1, 25) i;
INSERT INTO small_twin SELECT * FROM small;
SELECT planned = twin AS as_heap FROM compare('small');

-- a part of a page
VACUUM small, small_twin;
SELECT * FROM compare('small');
ANALYZE small, small_twin;
SELECT * FROM compare('small');

-- more of the same, not counted yet
INSERT INTO small SELECT i, 'name ' || i, repeat('x', i % 70) FROM generate_series(26, 950) i;
INSERT INTO small_twin SELECT * FROM small WHERE id > 25;
SELECT rows, planned = twin AS as_heap FROM compare('small');
ANALYZE small, small_twin;
SELECT * FROM compare('small');
VACUUM small, small_twin;
SELECT * FROM compare('small');

-- row groups beside the row store
SET retldb.row_store_rows = 500;
SET retldb.row_group_rows = 2048;
INSERT INTO small SELECT i, 'name ' || i, repeat('x', i % 70) FROM generate_series(1000, 20000) i;
INSERT INTO small_twin SELECT * FROM small WHERE id >= 1000;
SELECT rows, planned BETWEEN rows * 0.95 AND rows * 1.05 AS planned, groups('small') FROM compare('small');
ANALYZE small, small_twin;
SELECT * FROM compare('small');
VACUUM small;
SELECT * FROM compare('small');
SET retldb.row_store_rows = 0;
INSERT INTO small SELECT i, 'name ' || i, '' FROM generate_series(20001, 40000) i;
SELECT rows, planned BETWEEN rows * 0.98 AND rows * 1.02 AS planned FROM compare('small');

-- row groups of a load that failed count as dead rows of a heap do, until VACUUM
BEGIN;
INSERT INTO small SELECT i, 'name ' || i, '' FROM generate_series(40001, 50000) i;
ROLLBACK;
SELECT rows, planned > rows * 1.2 AS too_many FROM compare('small');
VACUUM small;
SELECT rows, planned FROM compare('small');

-- without row groups, without rows
TRUNCATE small;
VACUUM ANALYZE small;
SELECT planned_rows('small');
CREATE TABLE columnar (id int, n int) USING retldb WITH (autovacuum_enabled = off);
INSERT INTO columnar SELECT i, i FROM generate_series(1, 5000) i;
SELECT planned_rows('columnar'), groups('columnar');
VACUUM ANALYZE columnar;
SELECT planned_rows('columnar');

-- Joins.  A table in the order of a key is asked for few keys in a nested loop,
-- and read as a whole for many of them; what is kept by row counts in each loop.
CREATE TABLE items (item int, price numeric, note text) USING retldb WITH (autovacuum_enabled = off, row_group_rows = 16384);
INSERT INTO items SELECT i / 4, i, 'note ' || i FROM generate_series(1, 200000) i;
CREATE TABLE wanted AS SELECT i * 97 AS item FROM generate_series(1, 1000) i;
VACUUM ANALYZE items, wanted;
SELECT plan('SELECT sum(price) FROM items JOIN (SELECT item FROM wanted ORDER BY 1 LIMIT 3) w USING (item)');
SELECT plan('SELECT sum(price) FROM items JOIN wanted w USING (item)');
SELECT plan('SELECT sum(price) FROM items JOIN (SELECT item FROM wanted ORDER BY 1 LIMIT 10) w USING (item)');
SELECT plan('SELECT sum(price) FROM items JOIN (SELECT item FROM wanted ORDER BY 1 LIMIT 40) w USING (item)');
SET retldb.row_store_rows = 40000;
CREATE TABLE items_by_row USING retldb WITH (autovacuum_enabled = off) AS SELECT * FROM items ORDER BY item;
VACUUM ANALYZE items_by_row;
SELECT groups('items_by_row');
SELECT plan('SELECT sum(price) FROM items_by_row JOIN (SELECT item FROM wanted ORDER BY 1 LIMIT 10) w USING (item)');

-- statistics are as good as heap's
CREATE TABLE stats_twin (id int, few int, several text, wide text, gaps numeric) USING heap WITH (autovacuum_enabled = off);
INSERT INTO stats_twin SELECT i, i % 7, 'some ' || i % 300, md5(i::text), CASE WHEN i % 4 > 0 THEN i / 3 END FROM generate_series(1, 20000) i;
SET retldb.row_store_rows = 1000;
CREATE TABLE stats USING retldb WITH (autovacuum_enabled = off) AS SELECT * FROM stats_twin;
ANALYZE stats, stats_twin;
SELECT attname, a.null_frac = b.null_frac AS null_frac, a.avg_width = b.avg_width AS avg_width,
       a.n_distinct = b.n_distinct AS n_distinct, abs(a.correlation - b.correlation) < 0.001 AS correlation,
       a.histogram_bounds::text IS NOT DISTINCT FROM b.histogram_bounds::text AS histogram,
       (SELECT sum(f) FROM unnest(a.most_common_freqs) f) IS NOT DISTINCT FROM (SELECT sum(f) FROM unnest(b.most_common_freqs) f) AS common
  FROM pg_stats a JOIN pg_stats b USING (attname)
 WHERE a.tablename = 'stats' AND b.tablename = 'stats_twin' ORDER BY 1;

DROP TABLE small, small_twin, columnar, items, items_by_row, wanted, stats, stats_twin;
DROP FUNCTION compare, planned_rows;

-- A sample smaller than the table: rows of all of it, counted exactly, with their
-- own values.
SET retldb.row_group_rows = 4096;
SET retldb.vector_rows = 256;
CREATE TABLE sampled (gone int, i int, odd text, name text) USING retldb;
INSERT INTO sampled SELECT 1, i, CASE WHEN i % 2 = 1 THEN 'odd' END, 'row ' || i FROM generate_series(1, 30000) i;
RESET retldb.row_group_rows;
RESET retldb.vector_rows;
ALTER TABLE sampled DROP COLUMN gone, ADD COLUMN later int DEFAULT 7;
DELETE FROM sampled WHERE i BETWEEN 10001 AND 15000;
SET default_statistics_target = 4;
ANALYZE sampled;
RESET default_statistics_target;
SELECT reltuples FROM pg_class WHERE oid = 'sampled'::regclass;
SELECT attname, null_frac BETWEEN 0.4 AND 0.6 AS half_null, n_distinct, most_common_vals, round(correlation::numeric, 3) AS correlation
  FROM pg_stats WHERE tablename = 'sampled' AND attname <> 'name' ORDER BY attname;
SELECT count(*), count(*) FILTER (WHERE EXISTS (SELECT FROM sampled WHERE name = b)) AS found
  FROM pg_stats, unnest(histogram_bounds::text::text[]) b WHERE tablename = 'sampled' AND attname = 'name';
SELECT min(b) < 5000 AS first, count(*) FILTER (WHERE b BETWEEN 10001 AND 15000) AS deleted, max(b) > 25000 AS last
  FROM pg_stats, unnest(histogram_bounds::text::int[]) b WHERE tablename = 'sampled' AND attname = 'i';
DROP TABLE sampled;
