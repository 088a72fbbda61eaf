-- Verification and inspection functions.
SET retldb.row_store_rows = 0;
SET retldb.row_group_rows = 500;
SET retldb.vector_rows = 64;
CREATE SCHEMA vt;
SET search_path = vt, public;

SELECT retldb.version();

--
-- Sound tables have no faults
--
CREATE TABLE empty_table (a int, b text) USING retldb;
SELECT * FROM retldb.verify('empty_table');
SELECT * FROM retldb.verify('empty_table', false);

CREATE TABLE t (a int, b text, c numeric, d float8, e bool) USING retldb WITH (autovacuum_enabled = off);
INSERT INTO t SELECT i, 'text ' || i % 100, i / 7.0, i, i % 2 = 0 FROM generate_series(1, 2300) i;
SELECT * FROM retldb.verify('t');
SELECT * FROM retldb.verify('t', false);
SELECT * FROM retldb.verify('t', NULL);

-- rows of the row store between the row groups
SET retldb.row_store_rows = 1000000;
INSERT INTO t SELECT i, repeat('row store ', 30), i, i, NULL FROM generate_series(1, 300) i;
SET retldb.row_store_rows = 0;
INSERT INTO t SELECT i, NULL, i, 'NaN', NULL FROM generate_series(1, 600) i;
SELECT * FROM retldb.verify('t');

-- loads that were rolled back, as a whole or in part
BEGIN;
INSERT INTO t SELECT i, 'aborted' FROM generate_series(1, 1200) i;
SELECT * FROM retldb.verify('t');
ROLLBACK;
SELECT * FROM retldb.verify('t');
BEGIN;
INSERT INTO t SELECT i, 'kept' FROM generate_series(1, 700) i;
SAVEPOINT s;
INSERT INTO t SELECT i, 'aborted' FROM generate_series(1, 700) i;
ROLLBACK TO s;
INSERT INTO t SELECT i, 'kept' FROM generate_series(1, 700) i;
SELECT * FROM retldb.verify('t');
COMMIT;
SELECT * FROM retldb.verify('t');
SELECT count(*), count(*) FILTER (WHERE visible) AS visible FROM retldb.row_groups('t');
VACUUM t;
SELECT * FROM retldb.verify('t');
SELECT state, count(*) FROM retldb.row_groups('t') GROUP BY state ORDER BY state;
INSERT INTO t SELECT i, 'on released pages' FROM generate_series(1, 3000) i;
VACUUM FREEZE t;
SELECT * FROM retldb.verify('t');
SELECT sum(rows) = (SELECT count(*) - 300 FROM t) AS all_rows
  FROM retldb.row_groups('t') WHERE visible;

-- columns that came and went
ALTER TABLE t DROP COLUMN c, ADD COLUMN f date DEFAULT '2026-01-01', ADD COLUMN g text;
INSERT INTO t SELECT i, 'later', i, true, NULL, 'g' FROM generate_series(1, 600) i;
SELECT * FROM retldb.verify('t');
ALTER TABLE t DROP COLUMN g;
SELECT * FROM retldb.verify('t');
BEGIN;
ALTER TABLE t ADD COLUMN h int, ADD COLUMN i text;
INSERT INTO t (a, h, i) SELECT i, i, 'never' FROM generate_series(1, 600) i;
SELECT * FROM retldb.verify('t');
ROLLBACK;
SELECT * FROM retldb.verify('t');
ALTER TABLE t ADD COLUMN h text;
SELECT * FROM retldb.verify('t');

-- committed with hint bits set before the commit
BEGIN;
CREATE TABLE frozen (a int) USING retldb;
COPY frozen FROM STDIN WITH (FREEZE);
1
2
3
\.
SELECT * FROM retldb.verify('frozen');
COMMIT;
SELECT * FROM retldb.verify('frozen');

-- large values, in the chunks and outside of them
CREATE TABLE large (a int, b text, c bytea) USING retldb;
INSERT INTO large SELECT i, repeat(md5(i::text), i * 60), decode(repeat(md5(i::text), 20 * i * i), 'hex')
  FROM generate_series(1, 40) i;
SELECT * FROM retldb.verify('large');

-- many columns, none, nulls only
DO $$
BEGIN
    EXECUTE (SELECT 'CREATE TABLE many (' || string_agg('c' || i || CASE i % 3 WHEN 0 THEN ' int' WHEN 1 THEN ' text' ELSE ' float4' END, ', ')
             || ') USING retldb' FROM generate_series(1, 1600) i);
END $$;
INSERT INTO many (c1, c3, c1599) SELECT 'text', i, i FROM generate_series(1, 600) i;
SELECT * FROM retldb.verify('many');
CREATE TABLE none () USING retldb;
INSERT INTO none SELECT FROM generate_series(1, 600);
SELECT * FROM retldb.verify('none');
CREATE TABLE nulls (a int, b text) USING retldb;
INSERT INTO nulls SELECT FROM generate_series(1, 600);
SELECT * FROM retldb.verify('nulls');

-- temporary, unlogged, materialized, of a partitioned table
CREATE TEMP TABLE temporary (a int, b text) USING retldb;
INSERT INTO temporary SELECT i, i FROM generate_series(1, 1200) i;
SELECT * FROM retldb.verify('temporary');
CREATE TEMP TABLE temporary_delete (a int) USING retldb ON COMMIT DELETE ROWS;
INSERT INTO temporary_delete SELECT i FROM generate_series(1, 1200) i;
SELECT * FROM retldb.verify('temporary_delete');
CREATE UNLOGGED TABLE unlogged (a int, b text) USING retldb;
INSERT INTO unlogged SELECT i, i FROM generate_series(1, 1200) i;
SELECT * FROM retldb.verify('unlogged');
CREATE MATERIALIZED VIEW materialized USING retldb AS SELECT * FROM t;
SELECT * FROM retldb.verify('materialized');
SET default_table_access_method = retldb;
CREATE TABLE partitioned (a int, b text) PARTITION BY RANGE (a);
CREATE TABLE part PARTITION OF partitioned FOR VALUES FROM (0) TO (10000);
RESET default_table_access_method;
INSERT INTO partitioned SELECT i, i FROM generate_series(1, 1200) i;
SELECT * FROM retldb.verify('part');

-- truncated, also where the next transaction does not see it
TRUNCATE unlogged;
SELECT * FROM retldb.verify('unlogged');
BEGIN;
TRUNCATE t;
INSERT INTO t SELECT i FROM generate_series(1, 600) i;
SELECT * FROM retldb.verify('t');
ROLLBACK;
SELECT * FROM retldb.verify('t');

-- inside of functions, and of their exception blocks
DO $$
DECLARE
    faults bigint;
BEGIN
    BEGIN
        SELECT count(*) INTO faults FROM retldb.verify('vt.t');
        RAISE division_by_zero;
    EXCEPTION WHEN division_by_zero THEN
        RAISE NOTICE '% faults', faults;
    END;
    SELECT count(*) INTO faults FROM retldb.verify('vt.t', false);
    RAISE NOTICE '% faults', faults;
END $$;
SELECT relname, (SELECT count(*) FROM retldb.verify(c.oid)) AS faults
  FROM pg_class c JOIN pg_am a ON a.oid = relam
 WHERE amname = 'retldb' AND relnamespace = 'vt'::regnamespace ORDER BY relname;

--
-- Inspection
--
CREATE TABLE i (a int, b text, c bool, d float8) USING retldb WITH (autovacuum_enabled = off);
SELECT format_version, created <= now() AS created, incarnation IS NOT NULL AS incarnation, row_groups,
       row_group_rows, pages, row_store_pages, directory_pages, row_group_pages, loading_pages, free_pages
  FROM retldb.table_info('i');
SELECT * FROM retldb.row_groups('i');
SELECT * FROM retldb.column_chunks('i');

SET retldb.compression = none;
INSERT INTO i SELECT n, 'same', n % 10 = 0, NULL FROM generate_series(1, 500) n;
SET retldb.compression = zstd;
INSERT INTO i SELECT n, repeat('long ', 100), NULL, n / 4.0 FROM generate_series(501, 700) n;
RESET retldb.compression;
SELECT row_groups, row_group_rows, row_store_pages, loading_pages, free_pages,
       pages = row_store_pages + directory_pages + row_group_pages AS complete
  FROM retldb.table_info('i');
SELECT row_group, state, visible, row_number, rows, bytes > 0 AS bytes, pages > 0 AS pages, runs,
       writer_xid IS NOT NULL AS writer, anchor IS NOT NULL AS anchor, columns, vector_rows
  FROM retldb.row_groups('i');
SELECT row_group, column_name, attnum, type, encoding, compression, rows, nulls, distinct_estimate, raw_bytes, bytes > 0 AS bytes
  FROM retldb.column_chunks('i') ORDER BY row_group, attnum;
SELECT row_group, column_name, min_key, max_key FROM retldb.column_chunks('i') ORDER BY row_group, attnum;

-- one's own load is visible, one that was rolled back is not
BEGIN ISOLATION LEVEL REPEATABLE READ;
INSERT INTO i SELECT n FROM generate_series(1, 10) n;
SELECT row_group, state, visible, rows FROM retldb.row_groups('i');
ROLLBACK;
SELECT row_group, state, visible, rows, columns FROM retldb.row_groups('i');
SELECT DISTINCT row_group FROM retldb.column_chunks('i') ORDER BY 1;

-- dropped columns have no name
ALTER TABLE i DROP COLUMN b;
SELECT row_group, column_name, attnum, type FROM retldb.column_chunks('i') ORDER BY row_group, attnum;

--
-- Other relations
--
CREATE TABLE heap_table (a int PRIMARY KEY) USING heap;
CREATE VIEW a_view AS SELECT 1 AS a;
CREATE SEQUENCE a_sequence;
SELECT * FROM retldb.verify('heap_table');
\set VERBOSITY sqlstate
SELECT * FROM retldb.verify('heap_table_pkey');
\set VERBOSITY default
SELECT * FROM retldb.verify('a_view');
SELECT * FROM retldb.verify('a_sequence');
SELECT * FROM retldb.verify('partitioned');
SELECT * FROM retldb.verify('pg_class');
SELECT * FROM retldb.verify(0);
SELECT * FROM retldb.row_groups('heap_table');
SELECT * FROM retldb.column_chunks('a_view');
SELECT * FROM retldb.table_info('partitioned');

--
-- Permissions
--
CREATE ROLE regress_retldb_nobody;
CREATE ROLE regress_retldb_reader;
CREATE ROLE regress_retldb_column;
CREATE ROLE regress_retldb_monitor IN ROLE pg_stat_scan_tables;
CREATE ROLE regress_retldb_owner;
GRANT USAGE, CREATE ON SCHEMA vt TO regress_retldb_nobody, regress_retldb_reader, regress_retldb_column,
    regress_retldb_monitor, regress_retldb_owner;
GRANT SELECT ON i TO regress_retldb_reader;
GRANT SELECT (a) ON i TO regress_retldb_column;

SET ROLE regress_retldb_nobody;
SELECT * FROM retldb.verify('i');
SELECT * FROM retldb.row_groups('i');
SELECT * FROM retldb.column_chunks('i');
SELECT * FROM retldb.table_info('i');
SELECT retldb.version();
SET ROLE regress_retldb_column;
SELECT * FROM retldb.verify('i');
SELECT * FROM retldb.column_chunks('i');

-- who may read sees everything
SET ROLE regress_retldb_reader;
SELECT * FROM retldb.verify('i');
SELECT count(*), count(min_key), count(max_key) FROM retldb.column_chunks('i');

-- monitoring sees the storage, but no values
SET ROLE regress_retldb_monitor;
SELECT * FROM retldb.verify('i');
SELECT count(*) FROM retldb.row_groups('i');
SELECT count(*), count(min_key), count(max_key) FROM retldb.column_chunks('i');

-- an owner without rights
RESET ROLE;
ALTER TABLE i OWNER TO regress_retldb_owner;
REVOKE ALL ON i FROM regress_retldb_owner;
SET ROLE regress_retldb_owner;
SELECT * FROM retldb.verify('i');

-- row-level security hides values
RESET ROLE;
ALTER TABLE i ENABLE ROW LEVEL SECURITY;
SET ROLE regress_retldb_reader;
SELECT * FROM retldb.verify('i');
SELECT count(*), count(min_key), count(max_key) FROM retldb.column_chunks('i');
RESET ROLE;

SET client_min_messages = warning;
DROP SCHEMA vt CASCADE;
DROP ROLE regress_retldb_nobody, regress_retldb_reader, regress_retldb_column,
    regress_retldb_monitor, regress_retldb_owner;
