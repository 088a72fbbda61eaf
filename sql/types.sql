-- Every type comes back as it went in, from the row store and from row groups,
-- under every compression and encoding.
SET datestyle = 'ISO, MDY';
SET intervalstyle = 'postgres';
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE TYPE pair AS (a int, b text);
CREATE TYPE nested AS (p pair, list pair[], r int4range);
CREATE DOMAIN percentage AS numeric(5,2) CHECK (VALUE BETWEEN 0 AND 100);
CREATE DOMAIN many_pairs AS pair[];
CREATE TYPE textrange AS RANGE (subtype = text);

CREATE TABLE types_heap (
    id int,
    t_int2 int2, t_int4 int4, t_int8 int8, t_char1 "char", t_float4 float4, t_float8 float8, t_bool bool,
    t_numeric numeric, t_numeric_scaled numeric(12,3), t_money money, t_oid oid, t_regclass regclass, t_xid xid, t_xid8 xid8, t_cid cid,
    t_tid tid, t_name name, t_text text, t_varchar varchar(40), t_bpchar bpchar(10), t_bytea bytea,
    t_date date, t_time time, t_timetz timetz, t_timestamp timestamp, t_timestamptz timestamptz, t_interval interval,
    t_uuid uuid, t_inet inet, t_cidr cidr, t_macaddr macaddr, t_macaddr8 macaddr8,
    t_bit bit(5), t_varbit varbit, t_json json, t_jsonb jsonb, t_jsonpath jsonpath, t_hstore hstore, t_xml xml,
    t_mood mood, t_pair pair, t_nested nested, t_percentage percentage, t_many_pairs many_pairs,
    t_int4range int4range, t_numrange numrange, t_textrange textrange, t_tstzmultirange tstzmultirange,
    t_int_array int[], t_text_array text[], t_numeric_array numeric[], t_bool_array bool[], t_mood_array mood[],
    t_int2vector int2vector, t_oidvector oidvector,
    t_point point, t_line line, t_lseg lseg, t_box box, t_path path, t_polygon polygon, t_circle circle,
    t_tsvector tsvector, t_tsquery tsquery, t_pg_lsn pg_lsn, t_snapshot pg_snapshot, t_txid_snapshot txid_snapshot,
    t_refcursor refcursor, t_all_null text, t_constant text, t_increasing int8
) USING heap;

INSERT INTO types_heap
SELECT i,
    ('{-32768,32767,0,-1,1,NULL}'::int2[])[1 + i % 6],
    ('{-2147483648,2147483647,0,-1,1,123456,NULL}'::int4[])[1 + i % 7],
    ('{-9223372036854775808,9223372036854775807,0,-1,1,4294967296,NULL}'::int8[])[1 + i % 7],
    (ARRAY['a', '', '\377', NULL]::"char"[])[1 + i % 4],
    ('{NaN,-0,0,Infinity,-Infinity,1e-45,3.4028235e38,0.1,NULL}'::float4[])[1 + i % 9],
    CASE WHEN i % 3 = 0 THEN i / 100.0 ELSE ('{NaN,-0,0,Infinity,-Infinity,5e-324,1.7976931348623157e308,0.1,NULL}'::float8[])[1 + (i / 3) % 9] END,
    ('{t,f,NULL}'::bool[])[1 + i % 3],
    (ARRAY['NaN', 'Infinity', '-Infinity', '0', '0.000', '-1.10', '1.1', '1.100', '123456789012345678901234567890.123456789',
           '1e-1000', '1e2000', '10000', '-0.00000001', NULL]::numeric[])[1 + i % 14],
    i / 7.0,
    (i * 1.37)::numeric::money,
    ('{0,1,4294967295,NULL}'::oid[])[1 + i % 4],
    (ARRAY['pg_class', 'pg_type', NULL]::regclass[])[1 + i % 3],
    ('{0,3,4294967295,NULL}'::xid[])[1 + i % 4],
    (ARRAY['0', '18446744073709551615', NULL]::xid8[])[1 + i % 3],
    ('{0,4294967295}'::cid[])[1 + i % 2],
    ('{"(0,1)","(4294967295,65535)",NULL}'::tid[])[1 + i % 3],
    ('name_' || i % 50)::name,
    CASE WHEN i % 6 <> 0 THEN repeat('text ' || i % 100, i % 20) END,
    ('varchar ' || i)::varchar(40),
    (ARRAY['', 'a', 'ab  ', 'zehn zeich', NULL]::bpchar[])[1 + i % 5],
    decode(md5(i::text), 'hex') || '\x00ff'::bytea,
    (ARRAY['infinity', '-infinity', '4713-01-01 BC', '5874897-12-31', '2000-01-01', NULL]::date[])[1 + i % 6],
    ('{00:00:00,24:00:00,12:34:56.789012,NULL}'::time[])[1 + i % 4],
    (ARRAY['00:00:00+15:59', '24:00:00-15:59', '12:34:56.789012+02', NULL]::timetz[])[1 + i % 4],
    (ARRAY['infinity', '-infinity', '4713-01-01 00:00:00 BC', '294276-12-31 23:59:59.999999', NULL]::timestamp[])[1 + i % 5],
    timestamptz '2000-01-01 00:00+00' + i * interval '17 seconds',
    (ARRAY['1 year 2 mons 3 days 04:05:06.7', '-178000000 years', '0', '24:00:00', '1 day', NULL]::interval[])[1 + i % 6],
    md5(i::text)::uuid,
    (ARRAY['0.0.0.0/0', '192.168.1.5/24', '::1', '2001:db8::/32', NULL]::inet[])[1 + i % 5],
    (ARRAY['10.0.0.0/8', '2001:db8::/32', NULL]::cidr[])[1 + i % 3],
    (ARRAY['08:00:2b:01:02:03', 'ff:ff:ff:ff:ff:ff', NULL]::macaddr[])[1 + i % 3],
    (ARRAY['08:00:2b:01:02:03:04:05', NULL]::macaddr8[])[1 + i % 2],
    (i % 32)::bit(5),
    (ARRAY['', '1', '010101010101', NULL]::varbit[])[1 + i % 4],
    json_build_object('a', i, 'b', ARRAY[i % 3, NULL], ' a ', 'text'),
    jsonb_build_object('b', 1.10, 'n', i % 10, 'deep', jsonb_build_array(1, 'x', NULL, true, '{}'::jsonb)),
    (ARRAY['$.a[*] ? (@ > 1)', '$', NULL]::jsonpath[])[1 + i % 3],
    hstore(ARRAY['key', 'n', 'null'], ARRAY['value ' || i % 10, (i % 7)::text, NULL]),
    (ARRAY['<a b="c">text</a>', 'x<y/>', NULL]::xml[])[1 + i % 3],
    ('{sad,ok,happy,NULL}'::mood[])[1 + i % 4],
    CASE i % 4 WHEN 0 THEN NULL WHEN 1 THEN ROW(NULL, NULL)::pair WHEN 2 THEN ROW(i, '')::pair ELSE ROW(1, 'x y "z"')::pair END,
    CASE WHEN i % 3 > 0 THEN ROW(ROW(i % 5, 'p')::pair, ARRAY[ROW(1, NULL)::pair, NULL], '[1,5)')::nested END,
    (i % 101)::percentage,
    CASE WHEN i % 3 > 0 THEN ARRAY[ROW(i, 'd')::pair]::many_pairs END,
    (ARRAY['empty', '[1,10)', '(,5)', '[7,)', '(,)', NULL]::int4range[])[1 + i % 6],
    (ARRAY['empty', '[1.5,2.50]', NULL]::numrange[])[1 + i % 3],
    (ARRAY['[a,b]', '(x,)', NULL]::textrange[])[1 + i % 3],
    (ARRAY['{}', '{[2020-01-01 00:00+00,2020-02-01 00:00+00),[2021-01-01 00:00+00,)}', NULL]::tstzmultirange[])[1 + i % 3],
    CASE i % 5 WHEN 0 THEN NULL WHEN 1 THEN '{}'::int[] WHEN 2 THEN ARRAY[i, NULL, -i] WHEN 3 THEN '{{1,2},{3,NULL}}'::int[] ELSE '[-1:1]={7,8,9}'::int[] END,
    CASE i % 4 WHEN 0 THEN NULL WHEN 1 THEN '{"",NULL,"NULL"}'::text[] WHEN 2 THEN ARRAY[repeat('x', i % 300)] ELSE '{{{a},{b}}}'::text[] END,
    ARRAY[i / 3.0, NULL, 'NaN'],
    ARRAY[i % 2 = 0, NULL],
    ARRAY['happy', 'sad']::mood[],
    '1 2 3'::int2vector,
    '10 20'::oidvector,
    point(i, -i), '{1,2,3}'::line, '[(0,0),(1,1)]'::lseg, '((2,2),(0,0))'::box,
    CASE WHEN i % 2 = 0 THEN '[(0,0),(1,1),(2,0)]'::path ELSE '((0,0),(1,1))'::path END,
    '((0,0),(1,1),(2,0))'::polygon, '<(1,2),3>'::circle,
    to_tsvector('simple', 'word' || i % 30 || ' other words'), 'a & (b | !c:*)'::tsquery,
    ('{0/0,FFFFFFFF/FFFFFFFF,16/B374D848,NULL}'::pg_lsn[])[1 + i % 4],
    '10:20:10,14,15'::pg_snapshot, '10:20:10,14,15'::txid_snapshot,
    'cursor'::refcursor, NULL, 'always the same', 1000000000000 + i * 3
  FROM generate_series(1, 1500) i;

-- NaNs with payloads cannot be written in SQL, but in binary COPY
CREATE TEMP TABLE files AS SELECT current_setting('data_directory') || '/retldb_regress_types' AS file;
CREATE TABLE nans_heap (f4 float4, f8 float8) USING heap;
DO $$
DECLARE
    image bytea := '\x5047434f50590aff0d0a00' || '\x0000000000000000'::bytea;
    lo oid;
BEGIN
    FOR i IN 1 .. 300 LOOP
        image := image || '\x0002'::bytea || '\x00000004'::bytea || CASE WHEN i % 2 = 0 THEN '\x7fc01234'::bytea ELSE '\xffc00000'::bytea END
                       || '\x00000008'::bytea || CASE WHEN i % 3 = 0 THEN '\x7ff8000000abcdef'::bytea ELSE '\xfff8000000000001'::bytea END;
    END LOOP;
    lo := lo_from_bytea(0, image || '\xffff'::bytea);
    PERFORM lo_export(lo, (SELECT file FROM files));
    PERFORM lo_unlink(lo);
    EXECUTE format('COPY nans_heap FROM %L (FORMAT binary)', (SELECT file FROM files));
END $$;
SELECT DISTINCT encode(float4send(f4), 'hex') AS f4, encode(float8send(f8), 'hex') AS f8 FROM nans_heap ORDER BY 1, 2;

-- row store
SET retldb.row_store_rows = 1000000;
CREATE TABLE types_rows USING retldb AS SELECT * FROM types_heap;
CREATE TABLE nans_rows USING retldb AS SELECT * FROM nans_heap;
SELECT groups('types_rows'), differences('types_rows', 'types_heap'), differences('nans_rows', 'nans_heap');

-- row groups, in all ways of writing them
SET retldb.row_store_rows = 0;
SET retldb.row_group_rows = 700;
SET retldb.vector_rows = 128;
CREATE FUNCTION check_writing(setting text, value text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text;
BEGIN
    PERFORM set_config(setting, value, true);
    DROP TABLE IF EXISTS types_groups, nans_groups;
    CREATE TABLE types_groups USING retldb AS SELECT * FROM types_heap;
    CREATE TABLE nans_groups USING retldb AS SELECT * FROM nans_heap;
    SELECT format('%s: %s groups, %s and %s differences, %s faults', value, groups('types_groups'), differences('types_groups', 'types_heap'),
                  differences('nans_groups', 'nans_heap'), faults('types_groups') + faults('nans_groups'))
      INTO result;
    RETURN result;
END $$;
SET client_min_messages = warning;
SELECT check_writing('retldb.compression', 'none');
SELECT check_writing('retldb.compression', 'lz4');
SELECT check_writing('retldb.compression', 'snappy');
SELECT check_writing('retldb.compression', 'zstd');
SELECT check_writing('retldb.force_encoding', 'plain');
SELECT check_writing('retldb.force_encoding', 'constant');
SELECT check_writing('retldb.force_encoding', 'rle');
SELECT check_writing('retldb.force_encoding', 'bitpack');
SELECT check_writing('retldb.force_encoding', 'dict');
SELECT check_writing('retldb.force_encoding', 'delta');
SELECT check_writing('retldb.vector_rows', '64');
SELECT check_writing('retldb.vector_rows', '4096');
SELECT check_writing('retldb.compression_level', '9');
RESET client_min_messages;

-- nothing was lost of what text output shows either
SELECT count(*) FROM (SELECT h::text FROM types_heap h EXCEPT SELECT g::text FROM types_groups g) x;
SELECT t_int2, t_float8, t_numeric, t_timestamp, t_interval, t_pair, t_int_array, t_hstore FROM types_groups WHERE id IN (3, 700, 701, 1500) ORDER BY id;

-- operators see the values as they should
SELECT count(*) FROM types_groups WHERE t_float8 = 'NaN';
SELECT count(*) FROM types_groups WHERE t_float8 = 0;
SELECT count(*) FROM types_groups WHERE t_numeric = 1.1;
SELECT count(*) FROM types_groups WHERE t_bpchar = 'ab';
SELECT count(*) FROM types_groups WHERE t_date = 'infinity';
SELECT count(*) FROM types_groups WHERE t_jsonb @> '{"n": 3}';
SELECT count(*) FROM types_groups WHERE t_hstore -> 'n' = '3';
SELECT count(*) FROM types_groups WHERE t_int_array @> '{2}';
SELECT count(*) FROM types_groups WHERE t_mood > 'sad';
SELECT count(*) FROM types_groups WHERE (t_pair).a IS NULL;
SELECT count(*) FROM types_groups WHERE t_int4range @> 3;
SELECT count(*) FROM types_groups WHERE t_xml IS DOCUMENT;

-- binary COPY out of row groups equals that of heap
DO $$
DECLARE
    a text;
    b text;
BEGIN
    EXECUTE format('COPY (SELECT * FROM types_heap ORDER BY id) TO %L (FORMAT binary)', (SELECT file FROM files));
    a := md5(pg_read_binary_file((SELECT file FROM files)));
    EXECUTE format('COPY (SELECT * FROM types_groups ORDER BY id) TO %L (FORMAT binary)', (SELECT file FROM files));
    b := md5(pg_read_binary_file((SELECT file FROM files)));
    RAISE NOTICE 'binary copies are equal: %', a = b;
END $$;

-- large values: overflow runs
CREATE TABLE large_heap (id int, t text, b bytea, j jsonb, a int[]) USING heap;
INSERT INTO large_heap
SELECT i, repeat('large ' || i, n / 8),
       (SELECT string_agg(decode(md5(i || ' ' || k), 'hex'), '') FROM generate_series(1, n / 16) k),
       jsonb_build_object('k', repeat('j', n)), (SELECT array_agg(k * i) FROM generate_series(1, n / 4) k)
  FROM unnest('{10,7000,15990,16000,16001,100000,300000,5000000}'::int[]) WITH ORDINALITY u (n, i);
INSERT INTO large_heap SELECT i, 'small', '\x00', '{}', '{}' FROM generate_series(100, 400) i;
INSERT INTO large_heap VALUES (500, NULL, NULL, NULL, NULL);
CREATE TABLE large_rows USING retldb AS SELECT * FROM large_heap WITH NO DATA;
SET retldb.row_store_rows = 10000;
INSERT INTO large_rows SELECT * FROM large_heap;
SET retldb.row_store_rows = 0;
SELECT groups('large_rows'), differences('large_rows', 'large_heap'), faults('large_rows');
CREATE TABLE large_lz4 USING retldb AS SELECT * FROM large_heap;
SET retldb.compression = 'none';
CREATE TABLE large_none USING retldb AS SELECT * FROM large_heap;
SET retldb.compression = 'zstd';
CREATE TABLE large_zstd USING retldb AS SELECT * FROM large_heap;
SET retldb.compression = 'snappy';
SET retldb.force_encoding = 'dict';
CREATE TABLE large_snappy USING retldb AS SELECT * FROM large_heap;
RESET retldb.compression;
RESET retldb.force_encoding;
SELECT differences('large_lz4', 'large_heap'), differences('large_none', 'large_heap'), differences('large_zstd', 'large_heap'), differences('large_snappy', 'large_heap');
SELECT faults('large_lz4'), faults('large_none'), faults('large_zstd'), faults('large_snappy');
SELECT id, length(t), length(b), length(j ->> 'k'), cardinality(a) FROM large_lz4 WHERE id < 100 ORDER BY id;

-- values that a heap keeps in TOAST go on as values, not as pointers
CREATE TABLE toasted (t text) USING heap;
ALTER TABLE toasted ALTER t SET STORAGE EXTERNAL;
INSERT INTO toasted SELECT repeat('t', 10000) FROM generate_series(1, 50);
CREATE TABLE untoasted USING retldb AS SELECT * FROM toasted;
SELECT differences('untoasted', 'toasted');
TRUNCATE toasted;
SELECT count(*), min(length(t)), max(length(t)) FROM untoasted;

SET client_min_messages = warning;
DROP TABLE types_heap, types_rows, types_groups, nans_heap, nans_rows, nans_groups, large_heap, large_rows, large_lz4, large_none, large_zstd, large_snappy, toasted, untoasted, files;
DROP FUNCTION check_writing;
DROP TYPE mood, pair, nested, textrange CASCADE;
DROP DOMAIN percentage;
