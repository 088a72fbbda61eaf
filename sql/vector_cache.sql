-- Decoded vectors in the session's cache: answers are the same, the bound is kept.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS retldb;
RESET client_min_messages;

SET max_parallel_workers_per_gather = 0;
SET retldb.row_store_rows = 0;

CREATE DOMAIN short_text AS varchar(40);
CREATE TABLE twin AS
SELECT i AS id, 'line ' || i * 7919 % 100003 || ' of the comments' AS line, md5(i::text) AS plain, (i * 37 % 9973 / 100.0)::numeric(10,2) AS amount,
       CASE WHEN i % 7 > 0 THEN 'some ' || md5((i / 2)::text) END AS part, CASE WHEN i > 1200 THEN repeat('y', i % 300) || i END AS late,
       ('d' || i * 31 % 5003)::short_text AS dom, ('c' || i % 4001)::char(12) AS padded, md5(i::text)::bytea AS bin,
       jsonb_build_object('k', i) AS doc, ARRAY[i, i * 2, NULL] AS list, ARRAY['a' || i, NULL] AS words,
       CASE WHEN i % 750 = 3 THEN repeat(md5(i::text), 600) ELSE 'inline ' || i END AS long,
       'word ' || i % 5 AS few, i / 10 || ' runs' AS runs, repeat(i::text, 60) AS broad, i % 3 AS number
  FROM generate_series(1, 3000) i;
CREATE TABLE small AS SELECT * FROM twin WHERE id BETWEEN 900 AND 1900;
CREATE FUNCTION digest(of text, condition text DEFAULT 'true') RETURNS text LANGUAGE plpgsql SET debug_discard_caches = 0 AS $$
DECLARE
    answer text;
BEGIN
    EXECUTE format('SELECT count(*) || ''/'' || coalesce(md5(string_agg(r::text, '';'' ORDER BY id)), '''') FROM %s r WHERE %s', of, condition) INTO answer;
    RETURN answer;
END $$;
CREATE FUNCTION cached(query text) RETURNS int LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    plan json;
BEGIN
    EXECUTE 'EXPLAIN (ANALYZE, BUFFERS OFF, COSTS OFF, TIMING OFF, SUMMARY OFF, FORMAT json) ' || query INTO plan;
    RETURN substring(plan::text FROM '"Vectors from Cache": (\d+)');
END $$;

-- every encoding, with vectors of several pieces and pieces of several vectors; what was scanned
-- ten times comes from the cache, for whole scans, filters, and backwards
DO $$
DECLARE
    encoding text;
    size int;
    condition text;
    wanted text;
BEGIN
    FOR encoding IN SELECT unnest(enumvals) FROM pg_settings WHERE name = 'retldb.force_encoding' LOOP
        FOREACH size IN ARRAY ARRAY[64, 2048] LOOP
            PERFORM set_config('retldb.force_encoding', encoding, true), set_config('retldb.vector_rows', size::text, true),
                set_config('retldb.row_group_rows', '600', true);
            CREATE TABLE col USING retldb AS SELECT * FROM small;
            wanted := digest('small');
            FOR i IN 1..12 LOOP
                IF digest('col') <> wanted THEN
                    RAISE WARNING '% % %: differs', encoding, size, i;
                END IF;
            END LOOP;
            RAISE NOTICE '% %: from the cache: %', encoding, size, cached('SELECT * FROM col WHERE id > 0') > 0;
            FOREACH condition IN ARRAY ARRAY['number = 1', 'id = 1321', 'id % 100 = 7', 'id BETWEEN 1450 AND 1550', 'line LIKE ''%77%''', 'amount = 50.5',
                                             'part IS NULL', 'late > ''yyy''', 'long > ''inline 6''', 'id IN (900, 1499, 1500)'] LOOP
                IF digest('col', condition) <> digest('small', condition) THEN
                    RAISE WARNING '% % %: differs', encoding, size, condition;
                END IF;
            END LOOP;
            DROP TABLE col;
        END LOOP;
    END LOOP;
END $$;

-- texts, numerics and the like are cached; dictionaries, runs, values of fixed width and vectors with
-- large values are not
SET retldb.row_group_rows = 2000;
SET retldb.cache_size = 0;
SELECT entries, bytes FROM retldb.cache_stats();
RESET retldb.cache_size;
CREATE TABLE col USING retldb AS SELECT * FROM twin;
CREATE TABLE counts (name text, cached bool);
DO $$
DECLARE
    col name;
BEGIN
    FOR col IN SELECT attname FROM pg_attribute WHERE attrelid = 'col'::regclass AND attnum > 0 ORDER BY attnum LOOP
        FOR i IN 1..11 LOOP
            EXECUTE format('SELECT %I FROM col WHERE id > 0', col);
        END LOOP;
        INSERT INTO counts VALUES (col, cached(format('SELECT %I FROM col WHERE id > 0', col)) > 0);
    END LOOP;
END $$;
SELECT cached, string_agg(name, ' ') FROM counts GROUP BY 1 ORDER BY 1;
-- all of a column; other conditions use them as well, also those of single rows
SELECT cached('SELECT line FROM col WHERE number >= 0'), cached('SELECT line FROM col WHERE number = 1'), cached('SELECT line FROM col WHERE id = 17');
CREATE UNIQUE INDEX ON col (id);
SET enable_seqscan = off;
SET retldb.enable_columnar_scan = off;
SELECT id, line, amount, part FROM col WHERE id IN (7, 1999, 2001, 2999) ORDER BY id;
DROP INDEX col_id_idx;
RESET enable_seqscan;
RESET retldb.enable_columnar_scan;

-- the setting, which also keeps what is there from being used
SET retldb.cache_vectors = off;
SELECT cached('SELECT line FROM col WHERE id > 0'), digest('col') = digest('twin') AS same;
RESET retldb.cache_vectors;
SELECT cached('SELECT line FROM col WHERE id > 0') > 0 AS cached;

-- a cursor keeps its row while others have the vector evicted
BEGIN;
DECLARE there SCROLL CURSOR FOR SELECT id, line, amount FROM col;
FETCH ABSOLUTE 1100 FROM there;
SET LOCAL retldb.cache_size = '64kB';
SELECT digest('col') = digest('twin') AS same FROM generate_series(1, 3);
FETCH RELATIVE 0 FROM there;
FETCH PRIOR FROM there;
FETCH NEXT FROM there;
FETCH ABSOLUTE 2500 FROM there;
COMMIT;

-- the next vector is evicted when it is found that the setting was lowered
DO $$ BEGIN FOR i IN 1..12 LOOP PERFORM line FROM col WHERE id > 0; END LOOP; END $$;
BEGIN;
DECLARE there CURSOR FOR SELECT line FROM col;
MOVE 2000 FROM there;
FETCH 1 FROM there;
CLOSE there;
SET LOCAL retldb.vector_rows = 64;
CREATE TABLE narrow USING retldb AS SELECT line FROM twin ORDER BY id;
DO $$ BEGIN FOR i IN 1..12 LOOP PERFORM length(line) FROM narrow; END LOOP; END $$;
DECLARE there CURSOR FOR SELECT line FROM narrow;
MOVE 64 FROM there;
SET LOCAL retldb.cache_size = '16kB';
FETCH 1 FROM there;
SELECT line FROM twin WHERE id = 65;
CLOSE there;
SET LOCAL retldb.cache_size = 0;
SELECT entries, bytes FROM retldb.cache_stats();
ROLLBACK;

-- vectors take half of the cache at most, also if there is room for more
SET retldb.row_group_rows = 20480;
SET retldb.vector_rows = 512;
CREATE TABLE halves USING retldb AS SELECT i AS id, 'line ' || i * 7919 % 100003 || ' of the comments' || repeat('.', 60) AS line FROM generate_series(1, 20480) i;
RESET retldb.vector_rows;
SET retldb.row_group_rows = 2000;
SET retldb.cache_size = 0;
SELECT entries, bytes FROM retldb.cache_stats();
SET retldb.cache_size = '1600kB';
DO $$ BEGIN FOR i IN 1..20 LOOP PERFORM line FROM halves; END LOOP; END $$;
SELECT vectors * 512 * (least + 9) <= max_bytes / 2 AS bounded, vectors * 512 * (least + 9) > max_bytes / 3 AS used,
       bytes + 4 * 512 * (least + 9) < max_bytes AS room
  FROM (SELECT cached('SELECT line FROM halves WHERE id > 0') AS vectors) v, (SELECT min(length(line)) AS least FROM halves) l, retldb.cache_stats();
DROP TABLE halves;

-- and give way
SET retldb.cache_size = 0;
SELECT entries, bytes FROM retldb.cache_stats();
SET retldb.cache_size = '4MB';
DO $$ BEGIN FOR i IN 1..12 LOOP PERFORM digest('col'); END LOOP; END $$;
SELECT cached('SELECT * FROM col WHERE id > 0') > 5 AS cached, digest('col') = digest('twin') AS same;
SELECT bytes <= max_bytes AS bounded, entries > 0 AS entries FROM retldb.cache_stats();
SET retldb.cache_size = '1MB';
SELECT bytes <= max_bytes AS bounded FROM retldb.cache_stats();
DO $$ BEGIN FOR i IN 1..14 LOOP PERFORM digest('col'), length(line) FROM col WHERE id = i; END LOOP; END $$;
SELECT digest('col') = digest('twin') AS same;
SELECT bytes <= max_bytes AS bounded, evictions > 0 AS evictions FROM retldb.cache_stats();
SET retldb.cache_size = '16kB';
DO $$ BEGIN FOR i IN 1..12 LOOP PERFORM digest('col'); END LOOP; END $$;
SELECT cached('SELECT * FROM col WHERE id > 0'), digest('col') = digest('twin') AS same;
SELECT bytes <= max_bytes AS bounded FROM retldb.cache_stats();
RESET retldb.cache_size;

-- an error leaves nothing pinned
DO $$ BEGIN FOR i IN 1..12 LOOP PERFORM digest('col'); END LOOP; END $$;
SELECT count(line || 1 / (id - 2800)) FROM col;
SELECT cached('SELECT line FROM col WHERE id > 0') > 0 AS cached;
SET retldb.cache_size = 0;
SELECT entries, bytes FROM retldb.cache_stats();
RESET retldb.cache_size;

-- a type that changes without a rewrite, a column that is dropped and one of its name
DO $$ BEGIN FOR i IN 1..12 LOOP PERFORM digest('col'); END LOOP; END $$;
ALTER TABLE col ALTER plain TYPE varchar, ALTER padded TYPE char(12), ALTER dom TYPE text;
ALTER TABLE twin ALTER plain TYPE varchar, ALTER padded TYPE char(12), ALTER dom TYPE text;
SELECT digest('col') = digest('twin') AS same FROM generate_series(1, 2);
CREATE DOMAIN xml_like AS bytea;
ALTER TABLE col ALTER bin TYPE xml_like, DROP COLUMN line, ADD COLUMN line text DEFAULT 'new';
ALTER TABLE twin ALTER bin TYPE xml_like, DROP COLUMN line, ADD COLUMN line text DEFAULT 'new';
DO $$ BEGIN FOR i IN 1..12 LOOP ASSERT digest('col') = digest('twin'); END LOOP; END $$;

-- other rows under the same table: updates, deletes, TRUNCATE, rollbacks
UPDATE col SET plain = 'changed' WHERE id % 1000 = 1;
UPDATE twin SET plain = 'changed' WHERE id % 1000 = 1;
DELETE FROM col WHERE id BETWEEN 100 AND 300;
DELETE FROM twin WHERE id BETWEEN 100 AND 300;
SELECT digest('col') = digest('twin') AS same;
BEGIN;
TRUNCATE col;
INSERT INTO col (id, plain) SELECT i, 'within ' || md5(i::text) FROM generate_series(1, 3000) i;
DO $$ BEGIN FOR i IN 1..12 LOOP PERFORM digest('col'); END LOOP; END $$;
SELECT min(plain), max(plain), cached('SELECT plain FROM col WHERE id > 0') > 0 AS cached FROM col;
ROLLBACK;
SELECT digest('col') = digest('twin') AS same;
CALL retldb.compact('col');
SELECT digest('col') = digest('twin') AS same;
VACUUM FULL col;
SELECT digest('col') = digest('twin') AS same;
TRUNCATE col;
INSERT INTO col (id, plain) SELECT i, 'after ' || md5(i::text) FROM generate_series(1, 3000) i;
SELECT min(plain), max(plain) FROM col;

-- rescans within a query, and parallel workers, which have no cache
CREATE TABLE inner_side USING retldb AS SELECT id, plain AS word FROM twin;
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SET enable_material = off;
SELECT (SELECT sum(length(word) + g) FROM inner_side i WHERE i.id % 10 <> g) FROM generate_series(1, 12) g;
SELECT cached('SELECT word FROM inner_side WHERE id > 0') > 0 AS cached;
RESET enable_hashjoin;
RESET enable_mergejoin;
RESET enable_material;
DO $$ BEGIN FOR i IN 1..12 LOOP PERFORM max(word) FROM inner_side; END LOOP; END $$;
SELECT cached('SELECT word FROM inner_side WHERE id > 0') > 0 AS cached;
SET max_parallel_workers_per_gather = 2;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SELECT md5(string_agg(word, ',' ORDER BY id)) = (SELECT md5(string_agg(plain, ',' ORDER BY id)) FROM twin) AS same FROM inner_side;
SELECT count(DISTINCT word) = (SELECT count(DISTINCT plain) FROM twin) AS same FROM inner_side;
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET min_parallel_table_scan_size;
SET max_parallel_workers_per_gather = 0;

RESET retldb.row_group_rows;
RESET retldb.row_store_rows;
RESET max_parallel_workers_per_gather;
DROP TABLE twin, small, col, counts, inner_side;
DROP FUNCTION digest, cached;
DROP DOMAIN short_text, xml_like;
