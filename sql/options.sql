-- Options of tables and columns: WITH (...), ALTER ... SET and RESET.
CREATE VIEW options AS
    SELECT c.oid::regclass::text AS relation, c.relkind, am.amname,
           (SELECT array_agg(o ORDER BY o) FROM unnest(c.reloptions) o) AS options,
           (SELECT string_agg(attname || ': ' || o, ', ' ORDER BY attnum, o)
              FROM pg_attribute, unnest(attoptions) o
             WHERE attrelid = c.oid AND attnum > 0 AND o NOT LIKE 'pg\_%') AS columns
      FROM pg_class c LEFT JOIN pg_am am ON am.oid = c.relam;
CREATE FUNCTION storage(t regclass) RETURNS TABLE (groups bigint, largest bigint, stored text)
LANGUAGE sql AS $$
    SELECT count(DISTINCT row_group), max(rows)::bigint,
           (SELECT string_agg(d, ', ' ORDER BY d)
              FROM (SELECT DISTINCT column_name || ' ' || compression || CASE WHEN encoding = 'plain' AND column_name = 'b' THEN ' plain' ELSE '' END AS d
                      FROM retldb.column_chunks(t)) s)
      FROM retldb.column_chunks(t) $$;

-- in CREATE TABLE, among PostgreSQL's own
CREATE TABLE o1 (a int, b text, c float8) USING retldb
    WITH (compression = zstd, fillfactor = 90, compression_level = 3, row_group_rows = 2000,
          toast.autovacuum_enabled = off, retldb.row_store_rows = 10, order_by = 'b, a DESC');
\d+ o1
SELECT options FROM options WHERE relation = 'o1';
INSERT INTO o1 SELECT i, 'b' || i % 10, i FROM generate_series(1, 5010) i;
SELECT * FROM storage('o1');
SELECT options FROM options WHERE relation IN (SELECT reltoastrelid::regclass::text FROM pg_class WHERE relname = 'o1');

-- settings count where the table says nothing
SET retldb.compression = snappy;
SET retldb.row_group_rows = 1000;
CREATE TABLE o2 (a int, b text) USING retldb WITH (row_store_rows = 0);
INSERT INTO o2 SELECT i, 'b' || i FROM generate_series(1, 3000) i;
SELECT * FROM storage('o2');
INSERT INTO o1 SELECT i, 'b' || i % 10, i FROM generate_series(1, 2010) i;
SELECT * FROM storage('o1');
RESET retldb.compression;
RESET retldb.row_group_rows;

-- SET and RESET, alone and mixed with PostgreSQL's
ALTER TABLE o1 SET (compression = none);
ALTER TABLE o1 SET (fillfactor = 80);
ALTER TABLE o1 SET (row_group_size = '1MB', fillfactor = 70, bloom = off);
SELECT options FROM options WHERE relation = 'o1';
ALTER TABLE o1 RESET (fillfactor, compression_level, no_such_option);
ALTER TABLE o1 RESET (fillfactor), SET (vector_rows = 128), SET (parallel_workers = 2);
SELECT options FROM options WHERE relation = 'o1';
TRUNCATE o1;
INSERT INTO o1 SELECT i, 'b' || i % 10, i FROM generate_series(1, 2010) i;
SELECT * FROM storage('o1');
ALTER TABLE o1 RESET (row_group_rows, row_group_size, bloom, vector_rows, row_store_rows, order_by, parallel_workers, compression);
SELECT options FROM options WHERE relation = 'o1';

-- of columns
ALTER TABLE o1 ALTER COLUMN b SET (compression = zstd, compression_level = 9, encoding = plain, n_distinct = 10),
               ALTER b SET (bloom = on), ALTER COLUMN a SET (encoding = auto), SET (row_store_rows = 0);
SELECT options, columns FROM options WHERE relation = 'o1';
TRUNCATE o1;
INSERT INTO o1 SELECT i, 'b' || i % 10, i FROM generate_series(1, 2000) i;
SELECT * FROM storage('o1');
ALTER TABLE o1 ALTER b RESET (encoding, n_distinct), ALTER b SET (compression = snappy);
INSERT INTO o1 SELECT i, 'b' || i % 10, i FROM generate_series(1, 2000) i;
SELECT * FROM storage('o1');
SELECT columns FROM options WHERE relation = 'o1';
ALTER TABLE o1 ALTER b SET (n_distinct_inherited = 5);
SELECT columns FROM options WHERE relation = 'o1';
-- large values follow their column
CREATE TABLE large (a int, b text, c text) USING retldb WITH (row_store_rows = 0, compression = none);
ALTER TABLE large ALTER c SET (compression = zstd);
INSERT INTO large SELECT i, repeat('b', 200000), repeat('c', 200000) FROM generate_series(1, 20) i;
SELECT column_name, compression, bytes < 5000 AS small FROM retldb.column_chunks('large');
SELECT pg_relation_size('large') BETWEEN 20 * 200000 AND 21 * 200000 AS half_compressed;
DROP TABLE large;

-- rewrites keep them, and use them
ALTER TABLE o1 ALTER COLUMN a TYPE bigint;
SELECT options, columns FROM options WHERE relation = 'o1';
SELECT * FROM storage('o1');
ALTER TABLE o1 ALTER COLUMN a TYPE int, ALTER COLUMN a SET (compression = none), SET (compression = zstd);
SELECT * FROM storage('o1');
-- but a heap table has none
ALTER TABLE o1 SET ACCESS METHOD heap;
SELECT options, columns FROM options WHERE relation = 'o1';
ALTER TABLE o1 SET (compression = zstd);
ALTER TABLE o1 ALTER a SET (compression = zstd);
ALTER TABLE o1 SET (fillfactor = 90);
ALTER TABLE o1 SET ACCESS METHOD retldb, SET (compression = snappy, row_store_rows = 0);
SELECT amname, options, columns FROM options WHERE relation = 'o1';
SELECT * FROM storage('o1');
ALTER TABLE o1 SET ACCESS METHOD heap, SET (compression = lz4);
SELECT amname, options, columns FROM options WHERE relation = 'o1';

-- CREATE TABLE AS and others have them before the first row
CREATE TABLE o3 USING retldb WITH (compression = zstd, row_store_rows = 0) AS
    SELECT i AS a, 'b' || i AS b FROM generate_series(1, 2000) i;
SELECT options, s.* FROM options, storage('o3') s WHERE relation = 'o3';
CREATE MATERIALIZED VIEW o4 USING retldb WITH (compression = none, row_store_rows = 0, fillfactor = 50) AS SELECT * FROM o3;
SELECT options, s.* FROM options, storage('o4') s WHERE relation = 'o4';
ALTER MATERIALIZED VIEW o4 SET (compression = snappy);
ALTER MATERIALIZED VIEW o4 ALTER COLUMN b SET (compression = zstd);
REFRESH MATERIALIZED VIEW o4;
SELECT options, columns, s.* FROM options, storage('o4') s WHERE relation = 'o4';
SELECT plan('CREATE TABLE o5 USING retldb WITH (compression = zstd, row_store_rows = 0) AS SELECT a FROM o3',
            'ANALYZE, BUFFERS OFF, COSTS OFF, TIMING OFF, SUMMARY OFF');
SELECT options, s.* FROM options, storage('o5') s WHERE relation = 'o5';
PREPARE p AS SELECT a FROM o3;
CREATE TABLE o6 USING retldb WITH (compression = zstd) AS EXECUTE p;
SET default_table_access_method = retldb;
CREATE TEMP TABLE o7 (a int) WITH (compression = none) ON COMMIT DROP;
CREATE UNLOGGED TABLE o7 (a int) WITH (compression = none);
SELECT a INTO o8 FROM o3;
SELECT relation, options FROM options WHERE relation IN ('o6', 'o7', 'o8') ORDER BY 1;
RESET default_table_access_method;
DROP TABLE o5, o6, o7, o8;
DROP MATERIALIZED VIEW o4;

-- IF NOT EXISTS, functions, prepared and repeated statements, schemas
CREATE TABLE IF NOT EXISTS o3 (a int) USING retldb WITH (compression = none);
SELECT options FROM options WHERE relation = 'o3';
CREATE FUNCTION make(name text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    CREATE TABLE made (a int) USING retldb WITH (compression = zstd);
    ALTER TABLE made SET (row_group_rows = 100);
    EXECUTE format('ALTER TABLE made RENAME TO %I', name);
END $$;
SELECT make('made1'), make('made2');
SELECT relation, options FROM options WHERE relation LIKE 'made%' ORDER BY 1;
-- a table that a function makes meanwhile is not meant
CREATE FUNCTION make_inside() RETURNS int LANGUAGE plpgsql AS $$
BEGIN
    CREATE TABLE pg_temp.outside (a int) USING retldb;
    CREATE TABLE inside (a int) USING retldb WITH (compression = snappy);
    RETURN 1;
END $$;
CREATE TABLE outside USING retldb WITH (compression = zstd) AS SELECT make_inside();
SELECT relation, options FROM options WHERE relation LIKE '%side' ORDER BY 1;
CREATE SCHEMA made CREATE TABLE one (a int) USING retldb WITH (compression = zstd)
    CREATE TABLE two (a serial) USING retldb WITH (compression = none, fillfactor = 20);
SELECT relation, options FROM options WHERE relation LIKE 'made.%' AND relkind = 'r' ORDER BY 1;
DROP SCHEMA made CASCADE;
DROP TABLE made1, made2, inside, public.outside, pg_temp.outside;

-- transactions
BEGIN;
ALTER TABLE o3 SET (compression = none);
SAVEPOINT s;
ALTER TABLE o3 SET (compression = lz4, fillfactor = 30), ALTER b SET (encoding = plain);
ROLLBACK TO s;
SELECT options, columns FROM options WHERE relation = 'o3';
ALTER TABLE o3 SET (compression = snappy), ADD COLUMN d int, ADD CHECK (a < 0);
ROLLBACK;
SELECT options, columns FROM options WHERE relation = 'o3';

-- event triggers fire
CREATE FUNCTION seen() RETURNS event_trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE NOTICE '% %: %', tg_event, tg_tag, (SELECT array_agg(object_identity) FROM pg_event_trigger_ddl_commands());
END $$;
CREATE EVENT TRIGGER seen ON ddl_command_end EXECUTE FUNCTION seen();
CREATE TABLE watched (a int) USING retldb WITH (compression = zstd);
ALTER TABLE watched SET (compression = none);
ALTER TABLE watched SET (compression = lz4, fillfactor = 30);
ALTER TABLE watched SET (compression = snappy), ADD COLUMN b int;
DROP EVENT TRIGGER seen;
DROP FUNCTION seen;
SELECT options FROM options WHERE relation = 'watched';
DROP TABLE watched;

-- what is wrong is said
CREATE TABLE bad (a int) USING retldb WITH (compresion = zstd);
CREATE TABLE bad (a int) USING retldb WITH (retldb.compresion = zstd);
CREATE TABLE bad (a int) USING retldb WITH (other.compression = zstd);
CREATE TABLE bad (a int) USING retldb WITH (encoding = plain);
CREATE TABLE bad (a int) USING retldb WITH (access_method = retldb);
CREATE TABLE bad (a int) USING retldb WITH (compression = gzip);
CREATE TABLE bad (a int) USING retldb WITH (compression);
CREATE TABLE bad (a int) USING retldb WITH (compression = lz4, compression = zstd);
CREATE TABLE bad (a int) USING retldb WITH (compression_level = 20);
CREATE TABLE bad (a int) USING retldb WITH (compression_level = high);
CREATE TABLE bad (a int) USING retldb WITH (row_group_rows = 63);
CREATE TABLE bad (a int) USING retldb WITH (row_group_size = '1 MG');
CREATE TABLE bad (a int) USING retldb WITH (row_group_size = '2GB');
CREATE TABLE bad (a int) USING retldb WITH (vector_rows = 1000);
CREATE TABLE bad (a int) USING retldb WITH (row_store_rows = -1);
CREATE TABLE bad (a int) USING retldb WITH (bloom = maybe);
CREATE TABLE bad (a int) USING retldb WITH (fillfactor = 5);
CREATE TABLE bad (a int) USING retldb WITH (order_by = 'b');
CREATE TABLE bad (a int) USING retldb WITH (order_by = 'a, a desc');
CREATE TABLE bad (a int) USING retldb WITH (order_by = 'a,');
CREATE TABLE bad (a int) USING retldb WITH (order_by = 'a up');
CREATE TABLE bad (a int) USING retldb WITH (order_by = 'a NULLS');
CREATE TABLE bad (a int) USING retldb WITH (order_by = '"a');
CREATE TABLE bad (a json) USING retldb WITH (order_by = 'a');
CREATE TABLE bad USING retldb WITH (compression = gzip) AS SELECT 1;
CREATE TABLE bad (a int) USING heap WITH (compression = zstd);
ALTER TABLE o3 SET (compression = gzip);
ALTER TABLE o3 SET (order_by = 'c');
ALTER TABLE o3 SET (compression = zstd, fillfactor = 5);
ALTER TABLE o3 RESET (compression = zstd);
\set VERBOSITY terse
ALTER TABLE o3 ALTER a SET (encoding = zip);
\set VERBOSITY default
ALTER TABLE o3 ALTER b SET (encoding = bitpack);
ALTER TABLE o3 ALTER a SET (row_group_rows = 100);
ALTER TABLE o3 ALTER c SET (compression = zstd);
ALTER TABLE o3 ALTER ctid SET (compression = zstd);
ALTER TABLE no_such_table SET (compression = zstd);
ALTER TABLE IF EXISTS no_such_table SET (compression = zstd);
SELECT to_regclass('bad'), options, columns FROM options WHERE relation = 'o3';
CREATE ROLE regress_options;
GRANT ALL ON o3 TO regress_options;
SET ROLE regress_options;
ALTER TABLE o3 SET (compression = zstd);
ALTER TABLE o3 ALTER a SET (compression = zstd);
RESET ROLE;
BEGIN READ ONLY;
ALTER TABLE o3 SET (compression = zstd);
ROLLBACK;
DROP OWNED BY regress_options;
DROP ROLE regress_options;
-- no stronger lock than need be
BEGIN;
ALTER TABLE o3 SET (compression = zstd), ALTER a SET (encoding = dict);
SELECT mode FROM pg_locks WHERE relation = 'o3'::regclass AND pid = pg_backend_pid() ORDER BY 1;
ROLLBACK;

-- an option of another version is kept, but not heeded
UPDATE pg_class SET reloptions = '{compression=brotli,shape=round,fillfactor=90,row_store_rows=0}' WHERE oid = 'o3'::regclass;
INSERT INTO o3 SELECT i, 'x' FROM generate_series(1, 100) i;
SELECT count(*) FROM o3;
ALTER TABLE o3 SET (bloom = off, fillfactor = 80);
SELECT options FROM options WHERE relation = 'o3';
ALTER TABLE o3 SET (compression = lz4), RESET (shape, bloom, fillfactor);
SELECT options FROM options WHERE relation = 'o3';

-- LIKE copies options with INCLUDING STORAGE
ALTER TABLE o3 ALTER a SET (compression = none, n_distinct = 5), SET (order_by = 'b', fillfactor = 50);
CREATE TABLE like1 (LIKE o3) USING retldb;
CREATE TABLE like2 (LIKE o3 INCLUDING STORAGE) USING retldb WITH (compression = zstd);
CREATE TABLE like3 (x int, LIKE o3 INCLUDING ALL) USING retldb;
CREATE TABLE like4 (LIKE o3 INCLUDING ALL) USING heap;
SELECT relation, options, columns FROM options WHERE relation LIKE 'like_' ORDER BY 1;
DROP TABLE like1, like2, like3, like4;

-- order_by follows its columns
CREATE TABLE o9 (a int, "B c" text, d int) USING retldb WITH (order_by = ' d desc nulls last , "B c" ASC nulls first,a');
ALTER TABLE o9 RENAME COLUMN a TO desc_;
ALTER TABLE o9 RENAME "B c" TO "say ""b""";
SELECT options FROM options WHERE relation = 'o9';
ALTER TABLE o9 ALTER d SET STATISTICS 5, ALTER d SET NOT NULL;
ALTER TABLE o9 DROP COLUMN d;
SELECT options FROM options WHERE relation = 'o9';
INSERT INTO o9 SELECT i, 'x' || i % 10 FROM generate_series(1, 2000) i;
ALTER TABLE o9 DROP COLUMN "say ""b""", DROP COLUMN desc_, ADD COLUMN e int;
SELECT options FROM options WHERE relation = 'o9';
ALTER TABLE o9 ADD COLUMN f int, ADD COLUMN g int, SET (order_by = 'f, g');
ALTER TABLE o9 DROP COLUMN f, SET (compression = zstd);
SELECT options FROM options WHERE relation = 'o9';
ALTER TABLE o9 DROP COLUMN g, RESET (compression);
SELECT options FROM options WHERE relation = 'o9';
ALTER TABLE o9 SET (order_by = e);
ALTER TABLE o9 ALTER e TYPE json USING NULL;
INSERT INTO o9 SELECT NULL FROM generate_series(1, 2000) i;
ALTER TABLE o9 SET (order_by = '');
INSERT INTO o9 SELECT NULL FROM generate_series(1, 2000) i;
DROP TABLE o9;
CREATE TYPE pair AS (one int, two text);
CREATE TABLE typed OF pair USING retldb WITH (order_by = 'two, one');
ALTER TYPE pair RENAME ATTRIBUTE two TO zwei CASCADE;
SELECT options FROM options WHERE relation = 'typed';
ALTER TYPE pair DROP ATTRIBUTE one CASCADE;
SELECT options FROM options WHERE relation = 'typed';
DROP TABLE typed;
DROP TYPE pair;

-- partitions have access method and options from their parents
CREATE TABLE p (a int, b text) PARTITION BY RANGE (a) USING retldb WITH (compression = zstd, order_by = 'b', row_store_rows = 0);
ALTER TABLE p ALTER b SET (encoding = dict);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (1000);
CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (1000) TO (2000) PARTITION BY LIST (b) WITH (compression = snappy);
CREATE TABLE p21 PARTITION OF p2 FOR VALUES IN ('b1') WITH (fillfactor = 40, order_by = 'a');
CREATE TABLE p22 (b text, a int) USING heap;
ALTER TABLE p2 ATTACH PARTITION p22 FOR VALUES IN ('b2');
CREATE TABLE p2d PARTITION OF p2 DEFAULT;
CREATE TABLE p3 PARTITION OF p FOR VALUES FROM (2000) TO (3000) USING heap;
CREATE TABLE p4 (a int, b text);
ALTER TABLE p ATTACH PARTITION p4 FOR VALUES FROM (3000) TO (4000);
CREATE TABLE IF NOT EXISTS p4 PARTITION OF p DEFAULT;
SELECT relation, relkind, amname, options, columns FROM options WHERE relation ~ '^p[1-9d]*$' ORDER BY 1;
\d+ p
INSERT INTO p SELECT i, 'b' || i % 4 FROM generate_series(0, 3999) i;
SELECT count(*), sum(a), count(DISTINCT b) FROM p;
SELECT * FROM storage('p1');
SELECT * FROM storage('p2d');
-- parents' options are those of future partitions
ALTER TABLE p SET (compression = lz4), RESET (order_by), ALTER b RESET (encoding);
CREATE TABLE p5 PARTITION OF p FOR VALUES FROM (4000) TO (5000);
SELECT relation, amname, options, columns FROM options WHERE relation IN ('p', 'p1', 'p5') ORDER BY 1;
ALTER TABLE p RENAME COLUMN b TO c;
SELECT relation, options FROM options WHERE relation ~ '^p[1-9d]*$' AND options::text ~ 'order_by' ORDER BY 1;
ALTER TABLE p DROP COLUMN a;
-- and so is the access method
ALTER TABLE p SET ACCESS METHOD heap;
CREATE TABLE p6 PARTITION OF p FOR VALUES FROM (5000) TO (6000);
SELECT relation, amname, options FROM options WHERE relation IN ('p', 'p6') ORDER BY 1;
ALTER TABLE p SET ACCESS METHOD retldb;
CREATE TABLE p7 PARTITION OF p FOR VALUES FROM (6000) TO (7000);
ALTER TABLE p RESET (access_method);
CREATE TABLE p8 PARTITION OF p FOR VALUES FROM (7000) TO (8000);
ALTER TABLE p SET (access_method = retldb, compression = zstd);
CREATE TABLE p9 PARTITION OF p FOR VALUES FROM (8000) TO (9000);
SELECT relation, amname, options FROM options WHERE relation IN ('p', 'p7', 'p8', 'p9') ORDER BY 1;
SELECT refused('ALTER TABLE p SET (fillfactor = 90)');
ALTER TABLE p SET (compression = gzip);
DROP TABLE p;
-- the form in which pg_dump writes a parent
CREATE TABLE p (a int) PARTITION BY RANGE (a) WITH (access_method = 'retldb', compression = 'zstd');
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (1000);
CREATE TABLE p2 (LIKE p INCLUDING STORAGE) USING retldb;
SELECT relation, amname, options FROM options WHERE relation IN ('p', 'p1', 'p2') ORDER BY 1;
DROP TABLE p, p2;
SET default_table_access_method = retldb;
CREATE TABLE p (a int) PARTITION BY RANGE (a);
SELECT options FROM options WHERE relation = 'p';
RESET default_table_access_method;
SELECT refused('CREATE TABLE bad (a int) PARTITION BY RANGE (a) USING heap') = (current_setting('server_version_num')::int < 170000) AS refused_before_17;
SELECT refused('CREATE TABLE bad (a int) PARTITION BY RANGE (a) USING no_such_method');
SELECT refused('CREATE TABLE bad (a int) PARTITION BY RANGE (a) WITH (compression = zstd)');
SELECT refused('CREATE TABLE bad (a int) PARTITION BY RANGE (a) USING retldb WITH (fillfactor = 90)');
SELECT refused('ALTER TABLE p SET (compression = zstd)');
DROP TABLE p;

DROP TABLE o1, o2, o3;
DROP VIEW options;
DROP FUNCTION make, make_inside;
