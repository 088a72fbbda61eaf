/* sql/retldb--0.1.sql */

-- complain if script is sourced in psql, rather than via CREATE EXTENSION
\echo Use "CREATE EXTENSION retldb" to load this file. \quit

CREATE SCHEMA retldb;
COMMENT ON SCHEMA retldb IS 'columnar tables: inspection and verification';
GRANT USAGE ON SCHEMA retldb TO PUBLIC;

--
-- The table access method
--

CREATE FUNCTION retldb.handler(internal)
RETURNS table_am_handler
AS 'MODULE_PATHNAME', 'retldb_handler'
LANGUAGE C STRICT;
COMMENT ON FUNCTION retldb.handler(internal) IS 'columnar table access method handler';

CREATE ACCESS METHOD retldb TYPE TABLE HANDLER retldb.handler;
COMMENT ON ACCESS METHOD retldb IS 'columnar table access method';

--
-- Inspection.  These functions, and the one below, check by themselves that
-- their caller may read the table or is a member of pg_stat_scan_tables.
--

CREATE FUNCTION retldb.version()
RETURNS text
AS 'MODULE_PATHNAME', 'retldb_version'
LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION retldb.version() IS 'version of the extension and of its storage format';

CREATE FUNCTION retldb.table_info(rel regclass,
    OUT format_version integer,
    OUT created timestamptz,
    OUT incarnation uuid,
    OUT generation bigint,
    OUT row_groups bigint,
    OUT row_group_rows bigint,
    OUT pages bigint,
    OUT row_store_pages bigint,
    OUT directory_pages bigint,
    OUT row_group_pages bigint,
    OUT loading_pages bigint,
    OUT free_pages bigint)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'retldb_table_info'
LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED ROWS 1;
COMMENT ON FUNCTION retldb.table_info(regclass) IS 'header of a retldb table and use of its pages';

CREATE FUNCTION retldb.row_groups(rel regclass,
    OUT row_group bigint,
    OUT state text,
    OUT visible boolean,
    OUT row_number bigint,
    OUT rows bigint,
    OUT bytes bigint,
    OUT pages bigint,
    OUT runs bigint,
    OUT writer_xid xid8,
    OUT anchor tid,
    OUT columns integer,
    OUT vector_rows integer)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'retldb_row_groups'
LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED;
COMMENT ON FUNCTION retldb.row_groups(regclass) IS 'row groups of a retldb table';

CREATE FUNCTION retldb.column_chunks(rel regclass,
    OUT row_group bigint,
    OUT column_name text,
    OUT attnum integer,
    OUT type regtype,
    OUT encoding text,
    OUT compression text,
    OUT rows bigint,
    OUT nulls bigint,
    OUT distinct_estimate bigint,
    OUT raw_bytes bigint,
    OUT bytes bigint,
    OUT min_key bytea,
    OUT max_key bytea)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'retldb_column_chunks'
LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED;
COMMENT ON FUNCTION retldb.column_chunks(regclass) IS 'columns of the visible row groups of a retldb table';

CREATE FUNCTION retldb.cache_stats(
    OUT hits bigint,
    OUT misses bigint,
    OUT admissions bigint,
    OUT evictions bigint,
    OUT entries bigint,
    OUT bytes bigint,
    OUT max_bytes bigint)
RETURNS record
AS 'MODULE_PATHNAME', 'retldb_cache_stats'
LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED;
COMMENT ON FUNCTION retldb.cache_stats() IS 'use and content of this session''s cache';

--
-- Verification
--

CREATE FUNCTION retldb.verify(rel regclass, deep boolean DEFAULT true,
    OUT block bigint,
    OUT row_group bigint,
    OUT column_name text,
    OUT fault text)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'retldb_verify'
LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION retldb.verify(regclass, boolean) IS 'damage found in a retldb table, one row for each fault';
