-- Rows by place: TID ranges, single TIDs, sampling, cursors in both directions,
-- system columns.  h is a heap copy that remembers where t's rows are.
SET retldb.row_group_rows = 1000;
SET retldb.vector_rows = 128;
SET retldb.row_store_rows = 500;
CREATE TABLE t (a int, b text) USING retldb;
INSERT INTO t SELECT i, 'text ' || i FROM generate_series(1, 3300) i;
INSERT INTO t SELECT i, 'text ' || i FROM generate_series(3301, 3600) i;
-- a group that nobody sees
BEGIN;
INSERT INTO t SELECT -i, 'rolled back' FROM generate_series(1, 1200) i;
ROLLBACK;
CREATE TABLE h USING heap AS SELECT ctid AS tid, * FROM t;

-- ---- TID ranges
SET enable_seqscan = off;
SET jit = off;
SET retldb.enable_columnar_scan = off;
EXPLAIN (COSTS OFF) SELECT count(*) FROM t WHERE ctid > '(3,0)' AND '(2147483650,9)' >= ctid;
SELECT count(*) FROM t WHERE ctid > '(3,0)' AND '(2147483650,9)' >= ctid;
SELECT count(*) FROM h WHERE tid > '(3,0)' AND '(2147483650,9)' >= tid;

-- every bound against every other, both kinds of comparison: rows that one of
-- the tables has and the other does not
CREATE FUNCTION wrong_in_range(low tid, high tid) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    result bigint;
BEGIN
    EXECUTE format('SELECT count(*) FROM (
        (SELECT a FROM t WHERE ctid >= %1$L AND ctid < %2$L EXCEPT ALL SELECT a FROM h WHERE tid >= %1$L AND tid < %2$L)
        UNION ALL
        (SELECT a FROM h WHERE tid > %1$L AND tid <= %2$L EXCEPT ALL SELECT a FROM t WHERE ctid > %1$L AND ctid <= %2$L)) d',
        low, high) INTO result;
    RETURN result;
END $$;
CREATE TABLE bounds AS SELECT tid FROM h WHERE a IN (1, 200, 500, 501, 1500, 1501, 2700, 3300, 3301);
INSERT INTO bounds VALUES ('(0,0)'), ('(0,1)'), ('(2147483647,7)'), ('(2147483648,0)'), ('(2147483650,256)'), ('(2147483650,257)'),
    ('(2147483650,65535)'), ('(4294967295,65535)');
SELECT count(*) AS ranges, sum(wrong_in_range(low.tid, high.tid)) AS wrong FROM bounds low, bounds high;

-- backward, and turning round
BEGIN;
DECLARE c SCROLL CURSOR FOR SELECT a FROM t WHERE ctid >= (SELECT tid FROM h WHERE a = 3599) AND ctid < (SELECT tid FROM h WHERE a = 503);
FETCH ALL c;
FETCH BACKWARD ALL c;
FETCH LAST c;
FETCH BACKWARD 2 c;
FETCH FIRST c;
FETCH ABSOLUTE -2 c;
COMMIT;

-- a parameter that changes from scan to scan
SELECT low.n, x.c FROM (VALUES (1, 10), (2, 501), (3, 3300)) low (n, a) JOIN h ON h.a = low.a,
    LATERAL (SELECT count(*) AS c FROM t WHERE t.ctid > h.tid) x ORDER BY 1;
RESET enable_seqscan;
RESET jit;
RESET retldb.enable_columnar_scan;

-- ---- single TIDs
SELECT t.a, t.b FROM t WHERE ctid = ANY (ARRAY(SELECT tid FROM h WHERE a IN (7, 501, 3300, 3600))) ORDER BY a;
SELECT count(*) FROM t WHERE ctid IN ('(0,1)', '(77777,1)', '(2147483648,0)', '(2147483648,257)', '(2147483900,1)', '(4294967295,1)');
SELECT count(*), count(*) FILTER (WHERE t.a = h.a) AS same FROM h JOIN t ON t.ctid = h.tid;
SELECT currtid2('t', tid) = tid AS same FROM h WHERE a IN (2, 2000);

-- ---- sampling
SELECT count(*), count(DISTINCT a), count(*) FILTER (WHERE b = 'text ' || a) AS right FROM t TABLESAMPLE bernoulli (100);
SELECT count(*), count(DISTINCT a), count(*) FILTER (WHERE b = 'text ' || a) AS right FROM t TABLESAMPLE system (100);
SELECT count(*) FROM t TABLESAMPLE bernoulli (0);
SELECT count(*) FROM t TABLESAMPLE system (0);
-- the same seed, the same rows, also in another order of asking
SELECT count(*) AS different FROM (SELECT a FROM t TABLESAMPLE bernoulli (20) REPEATABLE (7) EXCEPT SELECT a FROM t TABLESAMPLE bernoulli (20) REPEATABLE (7)) d;
SELECT count(*) AS different FROM (SELECT ctid FROM t TABLESAMPLE system (40) REPEATABLE (7) EXCEPT SELECT ctid FROM t TABLESAMPLE system (40) REPEATABLE (7)) d;
-- unbiased: rows of row store and row groups have the same chance
SELECT round(avg(x.store) / 800, 2) AS store, round(avg(x.groups) / 2800, 2) AS groups FROM generate_series(1, 200) seed,
    LATERAL (SELECT count(*) FILTER (WHERE ctid < '(2147483648,0)') AS store, count(*) FILTER (WHERE ctid >= '(2147483648,0)') AS groups
             FROM t TABLESAMPLE bernoulli (10) REPEATABLE (seed)) x;
SELECT abs(avg(x.c) / 3600 - 0.5) < 0.05 AS half FROM generate_series(1, 200) seed,
    LATERAL (SELECT count(*) AS c FROM t TABLESAMPLE system (50) REPEATABLE (seed)) x;
-- rows of this transaction, and those of an aborted part of it
BEGIN;
INSERT INTO t SELECT i, 'new' FROM generate_series(5001, 6000) i;
SAVEPOINT s;
INSERT INTO t SELECT i, 'newer' FROM generate_series(7001, 8000) i;
SELECT count(*) FILTER (WHERE a > 5000) FROM t TABLESAMPLE system (100);
ROLLBACK TO s;
SELECT count(*) FILTER (WHERE a > 5000) FROM t TABLESAMPLE bernoulli (100);
ROLLBACK;
-- a cursor, a rescan
BEGIN;
DECLARE c CURSOR FOR SELECT count(*) FROM t TABLESAMPLE bernoulli (30) REPEATABLE (1);
FETCH 1 FROM c;
COMMIT;
SELECT count(*) FROM t TABLESAMPLE bernoulli (30) REPEATABLE (1);
SELECT n, (SELECT count(*) FROM t TABLESAMPLE system (100) WHERE a > n) FROM generate_series(0, 3000, 1000) n;
CREATE TABLE empty (a int) USING retldb;
SELECT count(*) FROM empty TABLESAMPLE system (100);
SELECT count(*) FROM empty TABLESAMPLE bernoulli (100);

-- ---- scrollable cursors
BEGIN;
DECLARE c SCROLL CURSOR FOR SELECT a, b FROM t;
DECLARE d SCROLL CURSOR FOR SELECT a, b, xmin IS NOT NULL FROM t;
DECLARE e SCROLL CURSOR FOR SELECT a, b FROM t WHERE a % 1000 = 1;
EXPLAIN (COSTS OFF) SELECT a, b FROM t;
FETCH BACKWARD 1 FROM c;
FETCH LAST FROM c;
FETCH PRIOR FROM c;
FETCH ABSOLUTE 801 FROM c;
FETCH PRIOR FROM c;
FETCH PRIOR FROM c;
FETCH RELATIVE 3 FROM c;
FETCH NEXT FROM c;
MOVE ABSOLUTE 1800 IN c;
FETCH FORWARD 2 FROM c;
FETCH BACKWARD 3 FROM c;
FETCH LAST FROM d;
FETCH ABSOLUTE 801 FROM d;
FETCH PRIOR FROM d;
FETCH PRIOR FROM d;
FETCH ALL FROM e;
FETCH NEXT FROM e;
FETCH BACKWARD ALL FROM e;
FETCH PRIOR FROM e;
FETCH NEXT FROM e;
MOVE FORWARD ALL IN c;
FETCH PRIOR FROM c;
COMMIT;
-- the whole way back is the whole way forth in reverse
CREATE FUNCTION both_ways(query text) RETURNS TABLE (forth bigint, back bigint, reversed bool) LANGUAGE plpgsql SET debug_discard_caches = 0 AS $$
DECLARE
    c refcursor;
    value int;
    one int[];
    other int[];
BEGIN
    OPEN c SCROLL FOR EXECUTE query;
    LOOP
        FETCH NEXT FROM c INTO value;
        EXIT WHEN NOT FOUND;
        one := one || value;
    END LOOP;
    LOOP
        FETCH PRIOR FROM c INTO value;
        EXIT WHEN NOT FOUND;
        other := value || other;
    END LOOP;
    forth := cardinality(one);
    back := cardinality(other);
    reversed := one = other;
    RETURN NEXT;
END $$;
SELECT * FROM both_ways('SELECT a FROM t');
SELECT * FROM both_ways('SELECT a FROM t WHERE a BETWEEN 400 AND 700 OR a > 3290');
SELECT * FROM both_ways('SELECT a FROM t WHERE xmax = 0');
SELECT * FROM both_ways('SELECT a FROM t UNION ALL SELECT a FROM h UNION ALL SELECT a FROM t WHERE a < 600');

-- ---- system columns
SELECT tableoid::regclass, count(*), count(DISTINCT ctid) AS places, count(DISTINCT xmin::text) AS transactions,
    count(*) FILTER (WHERE xmax = 0 AND cmax = cmin) AS plain FROM t GROUP BY 1;
BEGIN;
INSERT INTO t SELECT i, 'own' FROM generate_series(9001, 9600) i;
INSERT INTO t SELECT i, 'own' FROM generate_series(9601, 10200) i;
SELECT a / 9601 AS command, count(*), count(DISTINCT cmin::text) AS commands,
    count(*) FILTER (WHERE xmin::text = pg_current_xact_id()::xid::text) AS own FROM t WHERE a > 9000 GROUP BY 1 ORDER BY 1;
ROLLBACK;

-- ---- isolation levels
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT count(*) FROM t TABLESAMPLE system (100);
SELECT count(*) FROM t WHERE ctid > '(0,0)';
COMMIT;
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT count(*) FROM t TABLESAMPLE bernoulli (100);
SELECT count(*) FROM t WHERE ctid > '(0,0)';
SELECT count(*) FROM t WHERE ctid = (SELECT tid FROM h WHERE a = 2000);
SELECT DISTINCT relation::regclass, mode FROM pg_locks WHERE mode = 'SIReadLock' AND relation = 't'::regclass AND locktype = 'relation';
COMMIT;

-- ---- parallel: processes share row store and groups
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET max_parallel_workers_per_gather = 3;
EXPLAIN (COSTS OFF) SELECT count(*), sum(a), min(b) FROM t;
SELECT count(*), sum(a), count(DISTINCT b) FROM t;
SELECT count(*) AS different FROM (SELECT a, b FROM t EXCEPT ALL SELECT a, b FROM h) d;
SET retldb.enable_columnar_scan = off;
EXPLAIN (COSTS OFF) SELECT sum(a), max(b) FROM t;
SELECT sum(a), max(b) FROM t;
SELECT sum(a), max(b) FROM h;
RESET retldb.enable_columnar_scan;
-- rows of this transaction are not written when the plan begins
BEGIN;
INSERT INTO t SELECT i, 'own' FROM generate_series(9001, 10200) i;
SELECT count(*), sum(a) FROM t;
ROLLBACK;
-- temporary tables stay out of workers
CREATE TEMP TABLE temp_t USING retldb AS SELECT * FROM t;
CREATE TEMP TABLE temp_h USING heap AS SELECT * FROM t;
EXPLAIN (COSTS OFF) SELECT count(*) FROM temp_t;
EXPLAIN (COSTS OFF) SELECT count(*) FROM temp_h;
SELECT count(*), sum(a) FROM temp_t;
SELECT count(*) FROM temp_t TABLESAMPLE system (100);
SELECT ltrim(line, ' ->') AS scan FROM plan('SELECT count(*) FROM t JOIN temp_t USING (a)') line
 WHERE line LIKE '%Custom Scan%' ORDER BY ltrim(line, ' ->') COLLATE "C";
SELECT count(*) FROM t JOIN temp_t USING (a);

RESET ALL;
DROP TABLE t, h, bounds, empty, temp_t, temp_h;
DROP FUNCTION wrong_in_range, both_ways;
