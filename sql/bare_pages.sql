-- Pages of the row store without rows: scans do not read them, heap uses them again,
-- and a row that comes to one is seen at once.

-- pages of shared buffers that a query looks at
CREATE FUNCTION pages(query text) RETURNS int LANGUAGE plpgsql SET debug_discard_caches = 0 AS $$
DECLARE
    plan json;
BEGIN
    EXECUTE 'EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON, TIMING OFF) ' || query INTO plan;
    RETURN (plan->0->'Plan'->>'Shared Hit Blocks')::int + (plan->0->'Plan'->>'Shared Read Blocks')::int;
END $$;
CREATE FUNCTION row_store_pages(t regclass) RETURNS bigint LANGUAGE sql AS 'SELECT row_store_pages FROM retldb.table_info(t)';

-- in pages that compaction has left
CREATE TABLE b (a int, t text) USING retldb WITH (row_store_rows = 1000000);
CREATE TABLE b_heap (a int, t text) USING heap;
INSERT INTO b_heap SELECT i, md5(i::text) FROM generate_series(1, 3000) i;
INSERT INTO b SELECT * FROM b_heap;
CALL quiet();
VACUUM b;
SELECT pages('SELECT sum(a) FROM b') > 24 AS many_pages, row_store_pages('b') > 24 AS many;
CALL retldb.compact('b');
SELECT pages('SELECT sum(a) FROM b') > 24 AS many_pages;
CALL quiet();
VACUUM (TRUNCATE off) b;
SELECT pages('SELECT sum(a) FROM b') < 15 AS few_pages, row_store_pages('b') > 24 AS many;
SELECT pages('SELECT sum(a) FROM b WHERE a < 0') < 15 AS few_pages;
SELECT sum(a), differences('b', 'b_heap'), faults('b') FROM b;
-- whoever must see more than a snapshot does reads them all
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT pages('SELECT sum(a) FROM b') > 24 AS many_pages;
ROLLBACK;
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT pages('SELECT sum(a) FROM b') < 15 AS few_pages;
ROLLBACK;

-- a row that comes there is seen by its own transaction, and by others
BEGIN;
INSERT INTO b VALUES (-1, 'one');
SELECT a, t, (ctid::text::point)[0] < (SELECT pages FROM retldb.table_info('b')) AS in_file FROM b WHERE a < 0;
DECLARE c SCROLL CURSOR FOR SELECT a FROM b WHERE a < 0;
INSERT INTO b VALUES (-2, 'two');
FETCH ALL FROM c;
FETCH BACKWARD ALL FROM c;
SELECT a FROM b WHERE a < 0 ORDER BY a;
COMMIT;
SELECT a FROM b WHERE a < 0 ORDER BY a;
SELECT pages('SELECT sum(a) FROM b') < 15 AS few_pages, row_store_pages('b') > 24 AS many, faults('b');
INSERT INTO b_heap VALUES (-1, 'one'), (-2, 'two');
-- VACUUM says that the page is all-visible now
CALL quiet();
VACUUM (TRUNCATE off) b;
SELECT pages('SELECT sum(a) FROM b') < 15 AS few_pages, differences('b', 'b_heap'), faults('b');
-- rows that were rolled back
BEGIN;
INSERT INTO b SELECT -i, 'gone' FROM generate_series(1, 1500) i;
SELECT count(*) FROM b WHERE t = 'gone';
SAVEPOINT s;
ROLLBACK TO s;
SELECT count(*) FROM b WHERE t = 'gone';
ROLLBACK;
SELECT count(*) FROM b WHERE t = 'gone';
CALL quiet();
VACUUM (TRUNCATE off) b;
SELECT pages('SELECT sum(a) FROM b') < 15 AS few_pages, differences('b', 'b_heap'), faults('b');
-- new versions of rows, and stubs
UPDATE b SET t = 'new' WHERE a % 100 = 1;
UPDATE b_heap SET t = 'new' WHERE a % 100 = 1;
SELECT count(*), differences('b', 'b_heap'), faults('b') FROM b WHERE t = 'new';
CALL quiet();
VACUUM (TRUNCATE off) b;
SELECT count(*), differences('b', 'b_heap'), faults('b') FROM b WHERE t = 'new';
DELETE FROM b WHERE t = 'new';
DELETE FROM b_heap WHERE t = 'new';
CALL quiet();
VACUUM (TRUNCATE off) b;
SELECT pages('SELECT sum(a) FROM b') < 20 AS few_pages, differences('b', 'b_heap'), faults('b');

-- other kinds of scans
SELECT count(*) FROM b TABLESAMPLE SYSTEM (100);
SELECT count(*) FROM b WHERE ctid >= '(1,1)' AND ctid < '(2147483648,1)';
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET max_parallel_workers_per_gather = 2;
SELECT count(*), sum(a) FROM b;
SELECT pages('SELECT sum(a) FROM b') < 45 AS few_pages;
RESET max_parallel_workers_per_gather;
CREATE INDEX CONCURRENTLY ON b (a);
SELECT differences('b', 'b_heap'), faults('b');
ANALYZE b;

-- filled again, in the same pages, and emptied by DELETE
CREATE TEMP TABLE size AS SELECT pages FROM retldb.table_info('b');
INSERT INTO b SELECT i, 'again' FROM generate_series(20001, 22000) i;
SELECT i.pages <= s.pages AS no_larger, count FROM retldb.table_info('b') i, size s, (SELECT count(*) FROM b WHERE t = 'again') x;
CALL quiet();
VACUUM (TRUNCATE off) b;
SELECT count(*), faults('b') FROM b WHERE t = 'again';
DELETE FROM b WHERE t = 'again';
CALL quiet();
VACUUM (TRUNCATE off) b;
SELECT pages('SELECT sum(a) FROM b') < 20 AS few_pages, differences('b', 'b_heap'), faults('b');
-- what is cut off comes again
CALL quiet();
VACUUM b;
INSERT INTO b SELECT i, 'third' FROM generate_series(30001, 36000) i;
SELECT count(*), faults('b') FROM b WHERE t = 'third';
CALL quiet();
VACUUM b;
SELECT count(*), faults('b') FROM b WHERE t = 'third';
TRUNCATE b;
INSERT INTO b SELECT * FROM b_heap;
SELECT differences('b', 'b_heap'), faults('b');
VACUUM FULL b;
SELECT differences('b', 'b_heap'), faults('b');

-- rows with other pages in between: more runs than the header has room for
CREATE TABLE b_runs (a int, t text) USING retldb WITH (row_store_rows = 1000000, fillfactor = 100);
INSERT INTO b_runs SELECT i, repeat('x', 500) FROM generate_series(1, 3000) i;
DELETE FROM b_runs WHERE a % 300 > 20 + a / 300;
CALL quiet();
VACUUM b_runs;
SELECT pages('SELECT sum(a) FROM b_runs') < row_store_pages('b_runs') / 2 AS few_pages, count(*), sum(a), faults('b_runs') FROM b_runs;
INSERT INTO b_runs SELECT -i, 'y' FROM generate_series(1, 3000) i;
SELECT count(*), sum(a), faults('b_runs') FROM b_runs;

-- temporary and unlogged tables
CREATE TEMP TABLE b_temp USING retldb WITH (row_store_rows = 1000000) AS SELECT i AS a, md5(i::text) AS t FROM generate_series(1, 5000) i;
DELETE FROM b_temp WHERE a > 10;
VACUUM (TRUNCATE off) b_temp;
INSERT INTO b_temp VALUES (0, 'x');
SELECT count(*), sum(a), faults('b_temp') FROM b_temp;
CREATE UNLOGGED TABLE b_unlogged USING retldb WITH (row_store_rows = 1000000) AS SELECT i AS a, md5(i::text) AS t FROM generate_series(1, 5000) i;
DELETE FROM b_unlogged WHERE a > 10;
CALL quiet();
VACUUM (TRUNCATE off) b_unlogged;
-- (from 16 on, pages that the file was extended by and nobody has used are read: 22 more)
SELECT pages('SELECT sum(a) FROM b_unlogged') < 35 AS few_pages;
INSERT INTO b_unlogged VALUES (0, 'x');
SELECT count(*), sum(a), faults('b_unlogged') FROM b_unlogged;
DROP TABLE b, b_heap, b_runs, b_unlogged, size;
DROP FUNCTION pages(text);
DROP FUNCTION row_store_pages(regclass);
