-- Parallel scans: the processes share the row store and the row groups, or parts of
-- them if there are few; every row comes once, whoever reads it.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS retldb;
RESET client_min_messages;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET max_parallel_workers_per_gather = 3;
SET retldb.row_store_rows = 0;
SET retldb.vector_rows = 64;

-- ---- one row group among several processes

SET retldb.row_group_rows = 4096;
CREATE TABLE one USING retldb WITH (parallel_workers = 2, bloom = on) AS SELECT i AS id, i % 10 AS a, md5(i::text) AS t FROM generate_series(1, 4096) i;
CREATE TABLE tiny USING retldb WITH (parallel_workers = 2) AS SELECT i AS id FROM generate_series(1, 100) i;
VACUUM ANALYZE one, tiny;
SELECT row_group, rows FROM retldb.row_groups('one');

-- who reads a row; with company, each waits at its first row until another process has one
CREATE FUNCTION reader() RETURNS int LANGUAGE plpgsql VOLATILE PARALLEL SAFE AS 'BEGIN RETURN pg_backend_pid(); END';
CREATE FUNCTION with_company(id int) RETURNS boolean LANGUAGE plpgsql VOLATILE PARALLEL SAFE AS $$
BEGIN
    IF id % 64 <> 1 OR EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = 4711 AND pid = pg_backend_pid()) THEN
        RETURN true;
    END IF;
    PERFORM pg_advisory_xact_lock_shared(4711);
    FOR i IN 1 .. 3000 LOOP
        EXIT WHEN (SELECT count(DISTINCT pid) >= 2 FROM pg_locks WHERE locktype = 'advisory' AND objid = 4711);
        PERFORM pg_sleep(0.01);
    END LOOP;
    RETURN true;
END $$;
CREATE FUNCTION shared(name text, condition text, OUT rows bigint, OUT sum bigint, OUT different bigint, OUT readers bigint) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('SELECT count(*), sum(id), count(DISTINCT id), count(DISTINCT pid) FROM (SELECT id, reader() AS pid FROM %s WHERE %s OFFSET 0) s',
                   name, condition) INTO rows, sum, different, readers;
END $$;
SET parallel_leader_participation = off;
SELECT plan('SELECT id, reader() FROM one WHERE with_company(id) OFFSET 0');
-- functions that are called for each row need their caches
SET debug_discard_caches = 0;
SELECT * FROM shared('one', 'with_company(id)');
SELECT * FROM shared('one', 'id > 640 AND a <> 3 AND with_company(id)');
SET retldb.enable_columnar_scan = off;
SELECT * FROM shared('one', 'with_company(id)');
RESET retldb.enable_columnar_scan;
RESET debug_discard_caches;
-- fewer vectors than processes
SELECT rows, sum, different FROM shared('tiny', 'true');
-- one process claims all parts
ALTER TABLE one SET (parallel_workers = 1);
SELECT * FROM shared('one', 'true');
SELECT * FROM shared('one', 'a = 5 AND id < 2000');
RESET parallel_leader_participation;
SELECT rows, sum, different FROM shared('one', 'true');
ALTER TABLE one SET (parallel_workers = 7);
SET max_parallel_workers_per_gather = 7;
SELECT rows, sum, different FROM shared('one', 'true');
SET max_parallel_workers_per_gather = 3;
ALTER TABLE one SET (parallel_workers = 2);

-- the group counts once, its vectors each, whether they are read or not
CREATE FUNCTION parts(query text) RETURNS text LANGUAGE sql AS
    $$ SELECT scan_properties(query, '^(Row Groups (Total|Skipped|Skipped by Blooms|Read)|Vectors (Total|Skipped|Read)|Parallel Aware)$') $$;
SET parallel_leader_participation = off;
SET debug_discard_caches = 0;
SELECT parts('SELECT id FROM one WHERE with_company(id)');
RESET debug_discard_caches;
SELECT parts('SELECT id FROM one WHERE id BETWEEN 1000 AND 1999');
SELECT parts('SELECT id FROM one WHERE id > 5000');
SELECT parts('SELECT id FROM one WHERE t = md5(''no number'')');
RESET parallel_leader_participation;
SELECT parts('SELECT count(*) FROM one');
SELECT parts('SELECT id FROM one WHERE id > 5000');
-- a snapshot that does not see the group
BEGIN;
DELETE FROM one;
SELECT count(*) FROM one;
ROLLBACK;
BEGIN;
DELETE FROM one WHERE id % 2 = 0;
SELECT rows, sum, different FROM shared('one', 'true');
ROLLBACK;

-- ---- groups of many kinds, beside a heap twin

CREATE FUNCTION sizes(vector_rows int, group_rows int, store_rows int) RETURNS void LANGUAGE sql AS $$
    SELECT set_config('retldb.vector_rows', vector_rows::text, false), set_config('retldb.row_group_rows', group_rows::text, false),
           set_config('retldb.row_store_rows', store_rows::text, false);
    SELECT $$;
SELECT twins('CREATE TABLE p (id int, v text, n numeric)');
SELECT sizes(64, 1024, 0);
SELECT twins('INSERT INTO p SELECT i, ''v'' || i % 500, i * 1.5 FROM generate_series(1, 9000) i');
SELECT sizes(64, 64, 0);
SELECT twins('INSERT INTO p SELECT i, ''v'' || i % 500, NULL FROM generate_series(9001, 9640) i');
SELECT twins('ALTER TABLE p ADD COLUMN later int DEFAULT 7, ADD COLUMN never int');
SELECT sizes(256, 5000, 0);
SELECT twins('INSERT INTO p SELECT i, NULL, 2, i, i FROM generate_series(10001, 17000) i');
-- a group that is rolled back, rows of the row store, and some that are gone
BEGIN;
SELECT twins('INSERT INTO p SELECT i, ''gone'', 2, i FROM generate_series(20001, 23000) i');
ROLLBACK;
SELECT sizes(64, 1024, 1000);
SELECT twins('INSERT INTO p SELECT i, ''store'', 3, i FROM generate_series(30001, 30700) i');
SELECT twins('DELETE FROM p WHERE id BETWEEN 2000 AND 3500 OR id % 17 = 0');
SELECT twins('UPDATE p SET v = v || ''!'', later = 0 WHERE id % 31 = 1');
SELECT twins('ANALYZE p');
SELECT twins('CREATE TABLE d (id int, k text)');
SELECT twins('INSERT INTO d SELECT i * 7, ''k'' || i FROM generate_series(1, 200) i');
SELECT twins('ANALYZE d');

CREATE FUNCTION all_ways() RETURNS TABLE (query text, found text) LANGUAGE sql AS $$
    SELECT q, same(q) FROM unnest(ARRAY[
        'SELECT p FROM p',
        'SELECT count(*), sum(id), count(DISTINCT id), sum(later), count(never), min(v), max(n) FROM p',
        'SELECT id FROM p WHERE id BETWEEN 1500 AND 4100',
        'SELECT id, later FROM p WHERE v = ''v77'' OR v IS NULL AND id % 100 = 3',
        'SELECT id, v FROM p WHERE later = 7 AND n > 9000',
        'SELECT id FROM p WHERE id = 12345',
        'SELECT id FROM p WHERE id < 0',
        'SELECT v, count(*), sum(n) FROM p GROUP BY v',
        'SELECT p.id, d.k FROM p JOIN d USING (id)',
        'SELECT d.id, s.n FROM (VALUES (10), (5000), (12000)) d(id), LATERAL (SELECT count(*) AS n FROM p WHERE p.id > d.id OFFSET 0) s',
        'SELECT count(*) FROM (SELECT id FROM p LIMIT 777) s',
        'SELECT count(*) FROM p a JOIN p b USING (id) WHERE a.later = 7']) q $$;
SELECT plan('SELECT count(*), sum(id) FROM twin_retldb.p');
SELECT * FROM all_ways();
SET parallel_leader_participation = off;
SELECT * FROM all_ways() WHERE found LIKE 'DIFFERENT%';
SET enable_parallel_hash = off;
SELECT * FROM all_ways() WHERE found LIKE 'DIFFERENT%';
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SET enable_material = off;
SELECT same('SELECT d.id, count(p.id) FROM d LEFT JOIN p ON p.id > d.id * 800 WHERE d.id < 50 GROUP BY d.id') AS nested_loop;
RESET enable_hashjoin;
RESET enable_mergejoin;
RESET enable_material;
RESET enable_parallel_hash;
RESET parallel_leader_participation;
-- rows of this transaction
BEGIN;
SELECT sizes(64, 512, 0);
SELECT twins('INSERT INTO p SELECT i, ''own'', 4, i FROM generate_series(40001, 42000) i');
SELECT twins('DELETE FROM p WHERE id BETWEEN 41000 AND 41100 OR id BETWEEN 7000 AND 7100');
SELECT * FROM all_ways() WHERE found LIKE 'DIFFERENT%';
SELECT same('SELECT count(*), sum(id) FROM p');
ROLLBACK;
-- a cursor, which no worker helps, sees what there was
BEGIN;
DECLARE c CURSOR FOR SELECT id FROM twin_retldb.p WHERE id % 1000 = 1;
FETCH 2 FROM c;
DELETE FROM twin_retldb.p;
FETCH ALL FROM c;
ROLLBACK;
SELECT same('SELECT id FROM p WHERE id % 1000 = 1');
-- and after compaction
CALL retldb.compact('twin_retldb.p');
SELECT * FROM all_ways();

RESET ALL;
DROP TABLE one, tiny, twin_heap.p, twin_retldb.p, twin_heap.d, twin_retldb.d;
DROP FUNCTION reader, with_company, shared, parts, sizes, all_ways;
