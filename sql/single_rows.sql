-- Single rows by key, from group to group and vector to vector: large pieces of which
-- only what a value needs is read, units of several pieces, small caches, against heap.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS retldb;
RESET client_min_messages;
SET max_parallel_workers_per_gather = 0;
SET retldb.row_store_rows = 0;

CREATE TABLE single_heap AS
SELECT i AS id, (i::bigint * 2654435761) % 4294967291 * 1000003 AS big, i % 7 AS small, sin(i) AS float,
       md5(i::text)::uuid AS uuid, 'name ' || (i::bigint * 7919 % 1000003) AS name, repeat(md5((i * 31)::text), 1 + i % 3) AS long,
       (i::bigint * 104729 % 1000000) / 100.0 AS number, CASE WHEN i % 3 <> 0 THEN cos(i) END AS nulls, 'kind ' || i % 50 AS kind,
       CASE WHEN i % 5000 = 77 THEN repeat(md5(i::text), 1000) ELSE md5(i::text) END AS sometimes
  FROM generate_series(0, 32767) i;
ALTER TABLE single_heap ADD PRIMARY KEY (id);
VACUUM ANALYZE single_heap;

-- all columns, one, and three of the rows in an order of keys that jumps
CREATE FUNCTION rows_of(t regclass, columns text, step int, count int) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text;
BEGIN
    EXECUTE format('SELECT md5(string_agg(md5(row::text), '''' ORDER BY g)) FROM (SELECT g, %s AS row FROM generate_series(1, %s) g JOIN %s t ON t.id = g * %s %% 32768) s',
                   columns, count, t, step) INTO result;
    RETURN result;
END $$;
CREATE FUNCTION same_rows(step int, count int) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    RETURN (SELECT bool_and(rows_of('single', c, step, count) = rows_of('single_heap', c, step, count))
              FROM unnest('{t,t.float,"(t.big, t.name, t.nulls)","(t.sometimes, t.uuid)"}'::text[]) c);
END $$;
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SET enable_seqscan = off;
SET enable_bitmapscan = off;
SET enable_material = off;
SET retldb.enable_columnar_scan = off;

CREATE FUNCTION try(compression text, encoding text, vectors int) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text := '';
BEGIN
    PERFORM set_config('retldb.compression', compression, true), set_config('retldb.force_encoding', encoding, true),
            set_config('retldb.vector_rows', vectors::text, true), set_config('retldb.row_group_rows', '8192', true);
    CREATE TABLE single (LIKE single_heap INCLUDING INDEXES) USING retldb;
    INSERT INTO single SELECT * FROM single_heap;
    PERFORM set_config('retldb.cache_size', '32MB', true);
    result := format('%s %s', same_rows(7919, 600), same_rows(12345, 600));
    -- a cache that holds hardly more than headers, and one that is given up meanwhile
    PERFORM set_config('retldb.cache_size', '1MB', true);
    result := format('%s %s', result, same_rows(2741, 600));
    PERFORM set_config('retldb.cache_size', '0', true);
    result := format('%s %s', result, same_rows(2743, 100));
    PERFORM set_config('retldb.cache_size', '256kB', true);
    result := format('%s %s', result, same_rows(2743, 300));
    DROP TABLE single;
    RETURN result;
END $$;
SELECT c AS compression, e AS encoding, v AS vectors, try(c, e, v)
  FROM unnest('{none,lz4,zstd}'::text[]) c, unnest('{auto,plain,fsst,bitpack}'::text[]) e, unnest('{2048,4096}'::int[]) v
 WHERE c = 'none' OR v = 2048
 ORDER BY 1, 2, 3;

-- groups that go while they are remembered
CREATE TABLE single (LIKE single_heap INCLUDING INDEXES) USING retldb;
INSERT INTO single SELECT * FROM single_heap;
SELECT line FROM plan('SELECT t FROM generate_series(1, 9) g JOIN single t ON t.id = g * 7919 % 32768') p(line) WHERE line ~ 'single';
SELECT same_rows(7919, 300);
TRUNCATE single;
SELECT rows_of('single', 't', 7919, 300) IS NULL AS none;
INSERT INTO single SELECT * FROM single_heap;
SELECT same_rows(7919, 300);
VACUUM FULL single;
SELECT same_rows(7919, 300);
ALTER TABLE single ADD COLUMN more int DEFAULT 7, DROP COLUMN small;
ALTER TABLE single_heap ADD COLUMN more int DEFAULT 7, DROP COLUMN small;
SELECT same_rows(7919, 300);

-- the cache keeps within its bound, and lookups count
SELECT hits > 0 AS hits, misses > 0 AS misses, bytes <= max_bytes AS bounded FROM retldb.cache_stats();

DROP TABLE single, single_heap;
DROP FUNCTION rows_of, same_rows, try;
RESET ALL;
