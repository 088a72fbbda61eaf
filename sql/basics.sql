-- First steps: create, fill, read; small commands go to the row store, large
-- ones to row groups, and nobody can tell the difference.
CREATE TABLE basics (id int, name text, amount numeric(10,2), at timestamptz) USING retldb;
SELECT amname FROM pg_class c JOIN pg_am a ON a.oid = relam WHERE relname = 'basics';
SELECT count(*) FROM basics;
SELECT groups('basics'), faults('basics');

-- row store
INSERT INTO basics VALUES (1, 'one', 1.10, '2020-01-01 00:00+00'), (2, NULL, 2.20, NULL), (3, 'three', NULL, 'infinity');
SELECT * FROM basics ORDER BY id;
SELECT groups('basics');

-- row groups
INSERT INTO basics
SELECT i, CASE WHEN i % 7 <> 0 THEN 'name ' || i % 100 END, i / 100.0, timestamptz '2021-01-01 00:00+00' + i * interval '1 minute'
  FROM generate_series(1001, 11000) i;
SELECT count(*), count(name), sum(amount), min(at), max(id) FROM basics;
SELECT groups('basics') > 0 AS has_groups, faults('basics');
SELECT * FROM basics WHERE id IN (1, 2000, 2001, 9999, 11000, 11001) ORDER BY id;
SELECT id, name FROM basics WHERE name IS NULL ORDER BY id LIMIT 3;

-- more row groups at once, by settings
CREATE TABLE twin (LIKE basics) USING heap;
INSERT INTO twin SELECT * FROM basics;
CREATE TABLE many (LIKE basics) USING retldb;
SET retldb.row_store_rows = 0;
SET retldb.row_group_rows = 1000;
SET retldb.vector_rows = 64;
INSERT INTO many SELECT * FROM twin;
SELECT groups('many'), faults('many'), differences('many', 'twin');
RESET retldb.row_store_rows;
RESET retldb.row_group_rows;
RESET retldb.vector_rows;

-- all ways of reading
SELECT count(*) FROM many a JOIN many b USING (id) WHERE a.name = 'name 1';
SELECT tableoid::regclass, count(*) FROM many GROUP BY 1;
SELECT count(DISTINCT ctid) = count(*) AS distinct_tids FROM many;
SELECT count(*) FROM many WHERE xmin IS NOT NULL AND cmin IS NOT NULL;
SELECT bool_and(m.ctid = (SELECT ctid FROM many WHERE ctid = m.ctid)) FROM many m WHERE id % 1000 = 0;
SELECT many FROM many WHERE id = 5000;
SELECT (many).* FROM many WHERE id = 5001;
SELECT id, lag(id) OVER (ORDER BY id) FROM many WHERE id BETWEEN 4000 AND 4002;
SELECT EXISTS (SELECT FROM many WHERE id = 10), EXISTS (SELECT FROM many WHERE id = 1010);
COPY (SELECT id, name FROM many WHERE id < 1003 ORDER BY id) TO STDOUT;
SELECT count(*) FROM many WHERE (id, name) > (10990, 'name');

SET retldb.enable_columnar_scan = off;
SELECT count(*), sum(id), max(name) FROM many;
SELECT differences('many', 'twin');
RESET retldb.enable_columnar_scan;

-- in parallel
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SELECT count(*), sum(id), max(name) FROM many;
SELECT count(*) FROM many a JOIN twin b USING (id) WHERE b.amount > 50;
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET min_parallel_table_scan_size;

-- cursors, in both directions
BEGIN;
DECLARE c SCROLL CURSOR FOR SELECT id FROM many;
SELECT count(*) FROM many;
MOVE FORWARD ALL IN c;
FETCH BACKWARD 2 FROM c;
MOVE ABSOLUTE 0 IN c;
FETCH FORWARD 2 FROM c;
MOVE FORWARD 2000 IN c;
FETCH FORWARD 1 FROM c;
FETCH BACKWARD 1 FROM c;
FETCH RELATIVE -1000 FROM c;
FETCH LAST FROM c;
FETCH FIRST FROM c;
INSERT INTO many VALUES (0, 'not seen by the cursor');
MOVE LAST IN c;
FETCH NEXT FROM c;
ROLLBACK;
BEGIN;
DECLARE h CURSOR WITH HOLD FOR SELECT id FROM many WHERE id > 10997 ORDER BY id;
COMMIT;
FETCH ALL FROM h;
CLOSE h;

-- prepared statements with parameters known at run time only
SET plan_cache_mode = force_generic_plan;
PREPARE p (int, int) AS SELECT count(*), min(id), max(id) FROM many WHERE id BETWEEN $1 AND $2;
EXECUTE p (1, 3);
EXECUTE p (3, 1500);
EXECUTE p (10999, 20000);
EXECUTE p (NULL, 5);
DEALLOCATE p;
RESET plan_cache_mode;
SELECT v, n FROM (VALUES (1), (1500), (11000), (11001)) v (v), LATERAL (SELECT count(*) AS n FROM many WHERE id = v) x ORDER BY v;

-- sees what it inserts, and not what it is inserting
BEGIN;
INSERT INTO many SELECT id + 100000, name, amount, at FROM many;
SELECT count(*) FROM many;
INSERT INTO many SELECT id + 200000, name, amount, at FROM many;
SELECT count(*) FROM many;
ROLLBACK;
SELECT count(*) FROM many;

WITH w AS (INSERT INTO many SELECT i, 'w' FROM generate_series(20001, 22500) i RETURNING id)
SELECT count(*), min(id), max(id) FROM w;
SELECT count(*) FROM many WHERE name = 'w';
SELECT faults('many');

-- statistics
ANALYZE many;
SELECT reltuples FROM pg_class WHERE relname = 'many';
SELECT null_frac > 0.1 AND null_frac < 0.5 AS null_frac, n_distinct > 50 AS n_distinct
  FROM pg_stats WHERE tablename = 'many' AND attname = 'name';
VACUUM ANALYZE many;
SELECT reltuples FROM pg_class WHERE relname = 'many';
SELECT count(*) FROM many;
VACUUM (FREEZE) many;
SELECT count(*), faults('many') FROM many;

DROP TABLE basics, many, twin;
