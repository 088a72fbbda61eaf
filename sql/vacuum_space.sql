-- VACUUM gives the end of a table back, and leaves right statistics.
SET retldb.row_group_rows = 50000;
CREATE TABLE space (a int, b text) USING retldb;
INSERT INTO space SELECT i, md5(i::text) FROM generate_series(1, 30000) i;
INSERT INTO space SELECT i, 'last rows of the row store' FROM generate_series(30001, 30100) i;
CREATE TEMP TABLE heap_twin USING heap AS SELECT * FROM space;
VACUUM space;
CREATE TEMP TABLE sizes AS SELECT pg_relation_size('space') AS size;
-- an aborted load leaves nothing
BEGIN;
INSERT INTO space SELECT i, md5(i::text) FROM generate_series(1, 200000) i;
ROLLBACK;
SELECT pg_relation_size('space') > 4 * size AS has_grown FROM sizes;
VACUUM (TRUNCATE off) space;
SELECT pg_relation_size('space') > 4 * size AS still FROM sizes;
VACUUM space;
SELECT pg_relation_size('space') <= 1.1 * size AS as_before, faults('space'), differences('space', 'heap_twin') FROM sizes;
SELECT relpages = pg_relation_size('space') / 8192 AS pages_are_right FROM pg_class WHERE relname = 'space';
-- a gap before rows that stay is used again, its end is not cut off
BEGIN;
INSERT INTO space SELECT i, md5(i::text) FROM generate_series(1, 200000) i;
SAVEPOINT s;
ROLLBACK;
INSERT INTO space SELECT i, 'behind the gap' FROM generate_series(40001, 42000) i;
INSERT INTO heap_twin SELECT i, 'behind the gap' FROM generate_series(40001, 42000) i;
VACUUM space;
SELECT pg_relation_size('space') > 4 * size AS gap, faults('space'), differences('space', 'heap_twin') FROM sizes;
INSERT INTO space SELECT i, md5(i::text) FROM generate_series(50001, 150000) i;
INSERT INTO heap_twin SELECT i, md5(i::text) FROM generate_series(50001, 150000) i;
VACUUM space;
SELECT faults('space'), differences('space', 'heap_twin');
-- loads and VACUUM in turn; a part of what is free is cut off, the rest reused
DO $$
BEGIN
    FOR round IN 1 .. 4 LOOP
        BEGIN
            INSERT INTO space SELECT i, md5(i::text) FROM generate_series(1, 50000) i;
            RAISE EXCEPTION 'undo';
        EXCEPTION WHEN raise_exception THEN
            NULL;
        END;
        INSERT INTO space SELECT i, md5(i::text) FROM generate_series(1, 2500) i;
        INSERT INTO heap_twin SELECT i, md5(i::text) FROM generate_series(1, 2500) i;
    END LOOP;
END $$;
VACUUM space;
SELECT faults('space'), differences('space', 'heap_twin');
VACUUM space;
INSERT INTO space SELECT i, md5(i::text) FROM generate_series(1, 60000) i;
INSERT INTO heap_twin SELECT i, md5(i::text) FROM generate_series(1, 60000) i;
VACUUM space;
SELECT faults('space'), differences('space', 'heap_twin');
-- all of it, but for header and directory
CREATE TABLE nothing (a int, b text) USING retldb;
BEGIN;
INSERT INTO nothing SELECT i, md5(i::text) FROM generate_series(1, 100000) i;
ROLLBACK;
VACUUM nothing;
SELECT pg_relation_size('nothing') / 8192 < 20 AS small, count(*), faults('nothing') FROM nothing;
INSERT INTO nothing SELECT i, md5(i::text) FROM generate_series(1, 50000) i;
SELECT count(*), faults('nothing') FROM nothing;
ALTER TABLE nothing SET (vacuum_truncate = off);
BEGIN;
INSERT INTO nothing SELECT i, md5(i::text) FROM generate_series(1, 100000) i;
ROLLBACK;
CREATE TEMP TABLE before AS SELECT pg_relation_size('nothing') AS size;
VACUUM nothing;
SELECT pg_relation_size('nothing') >= size AS not_cut FROM before;

-- ---- cumulative statistics
CREATE TABLE counted (a int) USING retldb WITH (autovacuum_enabled = off);
CREATE TABLE heap_counted (a int) USING heap WITH (autovacuum_enabled = off);
CREATE FUNCTION load(rows int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO counted SELECT generate_series(1, rows);
    INSERT INTO heap_counted SELECT generate_series(1, rows);
END $$;
SELECT load(5000);
BEGIN;
SELECT load(3000);
ROLLBACK;
BEGIN;
SELECT load(10);
SAVEPOINT s;
SELECT load(4000);
ROLLBACK TO s;
COMMIT;
SELECT pg_stat_force_next_flush();
SELECT relname, n_tup_ins, n_live_tup, n_dead_tup, n_mod_since_analyze, n_ins_since_vacuum FROM pg_stat_user_tables WHERE relname IN ('counted', 'heap_counted') ORDER BY 1;
VACUUM counted, heap_counted;
SELECT relname, n_tup_ins, n_live_tup, n_dead_tup, n_ins_since_vacuum, vacuum_count FROM pg_stat_user_tables WHERE relname IN ('counted', 'heap_counted') ORDER BY 1;
SELECT load(2000);
SELECT pg_stat_force_next_flush();
SELECT relname, n_live_tup, n_dead_tup, n_mod_since_analyze, n_ins_since_vacuum FROM pg_stat_user_tables WHERE relname IN ('counted', 'heap_counted') ORDER BY 1;
ANALYZE counted, heap_counted;
SELECT relname, n_live_tup, n_dead_tup, n_mod_since_analyze, analyze_count FROM pg_stat_user_tables WHERE relname IN ('counted', 'heap_counted') ORDER BY 1;
SELECT relname, reltuples FROM pg_class WHERE relname IN ('counted', 'heap_counted') ORDER BY 1;

-- ---- ANALYZE: the statistics of 20 columns are those of heap
CREATE TABLE analyzed (c1 int, c2 bigint, c3 smallint, c4 numeric, c5 float8, c6 float4, c7 text, c8 varchar(20), c9 char(5), c10 date, c11 timestamp, c12 timestamptz,
    c13 time, c14 interval, c15 bool, c16 uuid, c17 bytea, c18 inet, c19 int[], c20 jsonb) USING retldb;
CREATE TABLE heap_analyzed (LIKE analyzed) USING heap;
INSERT INTO heap_analyzed
SELECT i, i % 1000, i % 7, (i % 5000) / 100.0, ln(i), CASE WHEN i % 3 = 0 THEN NULL ELSE i END, 'text ' || i % 300, 'v' || i, 'c' || i % 10, date '2024-01-01' + i % 400,
    timestamp '2024-01-01' + i * interval '1 minute', timestamptz '2024-01-01' + i % 50 * interval '1 hour', time '00:00' + i % 86400 * interval '1 second', i % 90 * interval '1 day',
    i % 11 = 0, md5((i % 2000)::text)::uuid, decode(md5((i / 10)::text), 'hex'), ('10.0.' || i % 250 || '.1')::inet, ARRAY[i % 5, i % 3], jsonb_build_object('k', i % 100)
FROM generate_series(1, 20000) i;
INSERT INTO analyzed SELECT * FROM heap_analyzed;
ANALYZE analyzed, heap_analyzed;
SELECT count(*) AS columns, count(*) FILTER (WHERE r IS DISTINCT FROM h) AS different FROM
    (SELECT attname, (null_frac, avg_width, n_distinct, most_common_vals::text, most_common_freqs, histogram_bounds::text, round(correlation::numeric, 3),
        most_common_elems::text, most_common_elem_freqs, elem_count_histogram)::text AS r FROM pg_stats WHERE tablename = 'analyzed') a
    JOIN (SELECT attname, (null_frac, avg_width, n_distinct, most_common_vals::text, most_common_freqs, histogram_bounds::text, round(correlation::numeric, 3),
        most_common_elems::text, most_common_elem_freqs, elem_count_histogram)::text AS h FROM pg_stats WHERE tablename = 'heap_analyzed') b USING (attname);
-- of a sample of one in seven, nearly
ALTER TABLE analyzed ALTER c1 SET STATISTICS 10, ALTER c2 SET STATISTICS 10;
ALTER TABLE heap_analyzed ALTER c1 SET STATISTICS 10, ALTER c2 SET STATISTICS 10;
ANALYZE analyzed (c1, c2);
ANALYZE heap_analyzed (c1, c2);
SELECT attname, abs(a.null_frac - h.null_frac) < 0.05 AS nulls, a.avg_width = h.avg_width AS width, CASE WHEN a.n_distinct < 0 OR h.n_distinct < 0 THEN a.n_distinct = h.n_distinct
    ELSE a.n_distinct / h.n_distinct BETWEEN 0.8 AND 1.25 END AS distinct, abs(a.correlation - h.correlation) < 0.1 AS correlation
    FROM pg_stats a JOIN pg_stats h USING (attname) WHERE a.tablename = 'analyzed' AND h.tablename = 'heap_analyzed' AND attname IN ('c1', 'c2') ORDER BY 1;
SELECT relname, reltuples BETWEEN 19900 AND 20100 AS rows FROM pg_class WHERE relname IN ('analyzed', 'heap_analyzed') ORDER BY 1;

DROP TABLE space, heap_twin, sizes, nothing, before, counted, heap_counted, analyzed, heap_analyzed;
DROP FUNCTION load;
RESET retldb.row_group_rows;
