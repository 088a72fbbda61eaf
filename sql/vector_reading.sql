-- Reading of vectors: conditions on encoded data, single selected rows, the
-- cache of what was read.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS retldb;
RESET client_min_messages;

SET max_parallel_workers_per_gather = 0;
SET retldb.row_store_rows = 0;

-- every type under every encoding, with and without nulls, units of several
-- vectors and vectors of several units, against a heap table
CREATE TABLE read_heap AS
SELECT i AS id,
       (i % 100)::int2 AS small, i / 7 AS runs, (i * 7919 % 10007)::int8 AS big, i % 2 = 0 AS flag,
       (i % 400)::oid AS number, chr(65 + i % 20)::"char" AS letter,
       (i % 50 / 4.0)::float4 AS single,
       (ARRAY['NaN', '-0', '0', '-Infinity', 'Infinity', '1.5'])[1 + i % 6]::float8 AS double,
       (i % 70 / 8.0)::numeric(10,3) AS amount, date '2020-01-01' + i / 3 AS day,
       timestamptz '2020-01-01 UTC' + i * interval '1 minute' AS at,
       'name ' || i % 300 AS name, md5(i::text)::uuid AS uid, repeat('x', i % 90) AS text,
       CASE WHEN i % 500 = 17 THEN repeat(md5(i::text), 600) ELSE 'short' END AS long,
       jsonb_build_object('k', i % 5) AS doc
  FROM generate_series(1, 3000) i;
CREATE TABLE read_nulls AS
SELECT id, CASE WHEN id % 3 > 0 THEN small END AS small, CASE WHEN id % 200 > 99 THEN runs END AS runs,
       CASE WHEN id % 5 = 0 THEN big END AS big, CASE WHEN id % 7 > 0 THEN flag END AS flag,
       CASE WHEN id % 64 > 0 THEN number END AS number, CASE WHEN id % 2 = 0 THEN letter END AS letter,
       CASE WHEN id < 1000 THEN single END AS single, CASE WHEN id % 11 > 4 THEN double END AS double,
       CASE WHEN id % 3 = 1 THEN amount END AS amount, CASE WHEN id % 9 > 0 THEN day END AS day,
       CASE WHEN id > 2500 THEN at END AS at, CASE WHEN id % 4 > 0 THEN name END AS name,
       CASE WHEN id % 6 > 0 THEN uid END AS uid, CASE WHEN id % 130 > 2 THEN text END AS text,
       CASE WHEN id % 8 > 0 THEN long END AS long, CASE WHEN id % 10 > 0 THEN doc END AS doc
  FROM read_heap;

CREATE TABLE conditions (condition text);
INSERT INTO conditions VALUES
    ('small = 7'), ('small <> 7'), ('small < 3 AND runs > 100'), ('runs = 200'), ('runs BETWEEN 100 AND 120'),
    ('runs IN (1, 5, 400)'), ('big > 9000'), ('big = 5'), ('big <= 3 OR big >= 10000'), ('flag'), ('NOT flag'),
    ('flag AND small = 50'), ('number > 395'), ('letter = ''C'''), ('single = 2.5'), ('single > 12'),
    ('double = ''NaN'''), ('double = 0'), ('double > 1'), ('double < 0'), ('amount = 3.5'), ('amount > 8.3'),
    ('day = ''2021-05-05'''), ('day < ''2020-01-05'''), ('at > ''2020-01-03 UTC'''),
    ('name = ''name 77'''), ('name > ''name 98'''), ('name LIKE ''name 29%'''), ('name IN (''name 1'', ''name 299'', ''none'')'),
    ('uid = md5(''1234'')::uuid'), ('text = ''xxx'''), ('text = '''''), ('length(text) = 80'),
    ('long <> ''short'''), ('long = repeat(md5(''517''), 600)'), ('long > ''f'''), ('long < ''5'' OR small = 1'), ('length(long) > 10'),
    ('doc = ''{"k": 3}'''), ('doc @> ''{"k": 4}'' AND small = 4'),
    ('small IS NULL'), ('small IS NOT NULL AND runs IS NULL'), ('name IS NULL OR amount > 8.5'), ('at IS NULL AND flag'),
    ('(small = 1 OR name = ''name 5'') AND (runs > 300 OR double = 1.5)'), ('small = NULL'), ('id = 1777'), ('id > 2990');

-- conditions whose answers differ
CREATE FUNCTION differing(twin text) RETURNS SETOF text LANGUAGE plpgsql SET debug_discard_caches = 0 AS $$
DECLARE
    c text;
    q text := 'SELECT count(*) || ''/'' || coalesce(md5(string_agg(r::text, '';'' ORDER BY id)), '''') FROM %s r WHERE %s';
    one text;
    other text;
BEGIN
    FOR c IN SELECT condition FROM conditions LOOP
        EXECUTE format(q, 'read_columnar', c) INTO one;
        EXECUTE format(q, twin, c) INTO other;
        IF one <> other THEN
            RETURN NEXT c || ': ' || one || ' instead of ' || other;
        END IF;
    END LOOP;
END $$;

-- more than one encoding is there, and not one differs
SELECT count(*) > 5 AS encodings FROM (SELECT unnest(enumvals) FROM pg_settings WHERE name = 'retldb.force_encoding') e;
DO $$
DECLARE
    encoding text;
    size int;
    twin text;
    difference text;
BEGIN
    FOR encoding IN SELECT unnest(enumvals) FROM pg_settings WHERE name = 'retldb.force_encoding' LOOP
        FOREACH size IN ARRAY ARRAY[64, 2048] LOOP
            FOREACH twin IN ARRAY ARRAY['read_heap', 'read_nulls'] LOOP
                PERFORM set_config('retldb.force_encoding', encoding, true), set_config('retldb.vector_rows', size::text, true);
                EXECUTE 'CREATE TABLE read_columnar USING retldb AS SELECT * FROM ' || twin;
                FOR difference IN SELECT * FROM differing(twin) LOOP
                    RAISE WARNING '% % %: %', encoding, size, twin, difference;
                END LOOP;
                DROP TABLE read_columnar;
            END LOOP;
        END LOOP;
    END LOOP;
END $$;

-- added and dropped columns; conditions on values that no row group has
CREATE TABLE read_columnar (LIKE read_nulls) USING retldb;
SET retldb.row_group_rows = 500;
INSERT INTO read_columnar SELECT * FROM read_nulls WHERE id <= 2000;
CREATE TABLE read_twin AS SELECT * FROM read_nulls WHERE id <= 2000;
ALTER TABLE read_columnar ADD COLUMN added text DEFAULT 'seven', ADD COLUMN later int, DROP COLUMN runs, ADD COLUMN runs int DEFAULT 150;
ALTER TABLE read_twin ADD COLUMN added text DEFAULT 'seven', ADD COLUMN later int, DROP COLUMN runs, ADD COLUMN runs int DEFAULT 150;
INSERT INTO read_columnar SELECT id, small, big, flag, number, letter, single, double, amount, day, at, name, uid, text, long, doc, name, small, runs
  FROM read_nulls WHERE id > 2000;
INSERT INTO read_twin SELECT id, small, big, flag, number, letter, single, double, amount, day, at, name, uid, text, long, doc, name, small, runs
  FROM read_nulls WHERE id > 2000;
INSERT INTO conditions VALUES ('added = ''seven'''), ('added <> ''seven'''), ('added LIKE ''sev%'' AND id > 1990'), ('later = 5'), ('later IS NULL AND small = 5'),
    ('added IS NULL'), ('runs = 150 AND small = 9');
SELECT * FROM differing('read_twin');

-- a scan that turns round passes over the same rows
BEGIN;
DECLARE there SCROLL CURSOR FOR SELECT id, name FROM read_columnar WHERE small = 7 AND id > 2500;
FETCH 3 FROM there;
FETCH BACKWARD 2 FROM there;
FETCH LAST FROM there;
FETCH PRIOR FROM there;
MOVE FORWARD ALL FROM there;
FETCH BACKWARD 2 FROM there;
COMMIT;

-- rescans with other constants
SELECT k, (SELECT count(*) FROM read_columnar WHERE small = k) AS same, (SELECT count(*) FROM read_twin WHERE small = k) AS twin
  FROM generate_series(0, 6) k;
SELECT n, (SELECT id FROM read_columnar WHERE name = n AND id > 2700) FROM (VALUES ('name 1'), (NULL), ('name 3'), ('nobody')) v(n);

-- few rows of a vector are fetched one by one, and a vector without any is not touched
CREATE FUNCTION counters(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    line text;
BEGIN
    FOR line IN EXECUTE 'EXPLAIN (ANALYZE, BUFFERS OFF, COSTS OFF, TIMING OFF, SUMMARY OFF) ' || query LOOP
        CONTINUE WHEN line !~ '(Values Fetched|Cache Hits|Vectors|Encoded Filters)';
        RETURN NEXT trim(line);
    END LOOP;
END $$;
SET retldb.cache_size = 0;
SET retldb.enable_skipping = off;
SELECT counters('SELECT name FROM read_columnar WHERE number = 77');
SELECT counters('SELECT name FROM read_columnar WHERE big = -1');

-- the cache: what is needed again and again is kept, as far as there is room
SELECT entries, bytes, max_bytes FROM retldb.cache_stats();
SET retldb.cache_size = '1MB';
CREATE FUNCTION ask() RETURNS bigint LANGUAGE sql AS 'SELECT sum(length(name)) FROM read_columnar WHERE small = 7';
CREATE TABLE before AS SELECT * FROM retldb.cache_stats();
SELECT ask() FROM generate_series(1, 12) GROUP BY 1;
SELECT s.hits > b.hits AS hits, s.misses > b.misses AS misses, s.admissions > b.admissions AS admissions, s.evictions - b.evictions AS evictions,
       s.entries > 0 AS entries, s.bytes BETWEEN 1 AND s.max_bytes AS bytes, s.max_bytes
  FROM retldb.cache_stats() s, before b;
SELECT regexp_replace(counters('SELECT name FROM read_columnar WHERE small = 7'), '\d+$', 'N') AS counters;

-- an error leaves nothing pinned: everything can be evicted
SELECT count(1 / (id - 2800)) FROM read_columnar WHERE small >= 0;
SET retldb.cache_size = '64kB';
SELECT ask();
SELECT bytes <= max_bytes AS bounded FROM retldb.cache_stats();
SET retldb.cache_size = 0;
SELECT ask();
SELECT entries, bytes FROM retldb.cache_stats();

-- what is written into another file of the table is another table's to the cache
SET retldb.cache_size = '1MB';
CREATE TABLE renewed (a int) USING retldb;
INSERT INTO renewed SELECT 1 FROM generate_series(1, 100);
DO $$ BEGIN FOR i IN 1..10 LOOP PERFORM sum(a) FROM renewed; END LOOP; END $$;
TRUNCATE renewed;
INSERT INTO renewed SELECT 2 FROM generate_series(1, 100);
SELECT sum(a) FROM renewed;
BEGIN;
TRUNCATE renewed;
INSERT INTO renewed SELECT 3 FROM generate_series(1, 100);
DO $$ BEGIN FOR i IN 1..10 LOOP PERFORM sum(a) FROM renewed; END LOOP; END $$;
SELECT sum(a) FROM renewed;
ROLLBACK;
SELECT sum(a) FROM renewed;

-- a large dictionary of text, which is opened only if many of its values are asked for
CREATE TABLE names_heap AS
SELECT i AS id, 'name of ' || md5((i / 3)::text) || repeat('-', i % 5) AS name, 'a place called ' || i * 7919 % 4001 AS place
  FROM generate_series(1, 9000) i ORDER BY i % 1000, i;
SET retldb.force_encoding = dict;
SET retldb.row_group_rows = 65536;
CREATE TABLE names USING retldb AS SELECT * FROM names_heap;
RESET retldb.force_encoding;
SELECT count(*) FILTER (WHERE h.r IS DISTINCT FROM c.r) AS different, count(h.r) AS rows
  FROM generate_series(1, 9000, 97) g,
       LATERAL (SELECT CASE g % 3 WHEN 0 THEN name || 'x' ELSE name END AS wanted FROM names_heap WHERE id = g) w,
       LATERAL (SELECT string_agg(r::text, ';' ORDER BY id) AS r FROM names_heap r WHERE name = w.wanted) h,
       LATERAL (SELECT string_agg(r::text, ';' ORDER BY id) AS r FROM names r WHERE name = w.wanted) c;
CREATE FUNCTION names_differ(condition text) RETURNS TABLE (of_names bigint, of_heap bigint, wrong bigint) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('SELECT count(*) FROM names WHERE %s', condition) INTO of_names;
    EXECUTE format('SELECT count(*) FROM names_heap WHERE %s', condition) INTO of_heap;
    EXECUTE format('SELECT count(*) FROM (SELECT * FROM names WHERE %1$s EXCEPT SELECT * FROM names_heap WHERE %1$s) d', condition) INTO wrong;
    RETURN NEXT;
END $$;
SELECT condition, d.*
  FROM unnest(ARRAY['name COLLATE "C" < ''name of 01''', 'name COLLATE "C" >= ''name of ff''',
                    'name IN (''name of '' || md5(''5''), ''none'')', 'place IN (''a place called 1'', ''a place called 4000'')',
                    'place <> ''a place called 17''', 'place LIKE ''a place called 39%''', 'length(place) = 16',
                    'place COLLATE "C" BETWEEN ''a place called 2'' AND ''a place called 201''',
                    'name = ''x'' OR place = ''a place called 0''']) condition, names_differ(condition) d;
DROP TABLE names_heap, names;
DROP FUNCTION names_differ;

RESET retldb.cache_size;
RESET retldb.enable_skipping;
RESET retldb.row_group_rows;
DROP TABLE read_heap, read_nulls, read_columnar, read_twin, conditions, before, renewed;
DROP FUNCTION differing, counters, ask;
