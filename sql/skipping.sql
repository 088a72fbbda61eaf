-- Skipping of row groups and vectors: what is skipped, and that nothing is
-- missing from the answer.
SET retldb.cache_size = 0;	-- counters do not depend on what was read before
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS retldb;
RESET client_min_messages;

SET retldb.row_store_rows = 0;
SET retldb.row_group_rows = 512;
SET retldb.vector_rows = 64;
SET TimeZone = 'UTC';

-- Rows that meet a condition in a retldb table and its heap twin, whether they
-- are the same ones with and without skipping, and what was read for it.
CREATE FUNCTION probe(tab text, condition text, OUT rows bigint, OUT same boolean,
                      OUT groups_read bigint, OUT vectors_read bigint)
LANGUAGE plpgsql AS $$
DECLARE
    query text := 'SELECT count(*), md5(string_agg(id::text, '','' ORDER BY id)) FROM %s WHERE %s';
    plan json;
    skipping record;
    reading record;
    row_wise record;
    twin record;
BEGIN
    EXECUTE format(query, tab, condition) INTO skipping;
    SET LOCAL retldb.enable_skipping = off;
    EXECUTE format(query, tab, condition) INTO reading;
    SET LOCAL retldb.enable_columnar_scan = off;
    EXECUTE format(query, tab, condition) INTO row_wise;
    EXECUTE format(query, tab || '_twin', condition) INTO twin;
    SET LOCAL retldb.enable_columnar_scan = on;
    SET LOCAL retldb.enable_skipping = on;
    EXECUTE format('EXPLAIN (ANALYZE, TIMING OFF, SUMMARY OFF, FORMAT JSON) SELECT id FROM %s WHERE %s', tab, condition) INTO plan;
    rows := twin.count;
    same := skipping IS NOT DISTINCT FROM twin AND reading IS NOT DISTINCT FROM twin AND row_wise IS NOT DISTINCT FROM twin;
    groups_read := plan->0->'Plan'->'Row Groups Read';
    vectors_read := plan->0->'Plan'->'Vectors Read';
END $$;

-- EXPLAIN of a query that is run, without what changes from run to run
CREATE FUNCTION explain_run(query text) RETURNS SETOF text
LANGUAGE plpgsql AS $$
DECLARE
    line text;
BEGIN
    FOR line IN EXECUTE 'EXPLAIN (ANALYZE, BUFFERS OFF, COSTS OFF, TIMING OFF, SUMMARY OFF) ' || query LOOP
        CONTINUE WHEN line ~ '^ *(Buckets|Memory|Sort Method|Cache Mode|Hits):?';
        RETURN NEXT regexp_replace(plan_line(line), 'Bytes Read: \d+ kB', 'Bytes Read: N kB');
    END LOOP;
END $$;

-- All kinds of keys.  Eight row groups of eight vectors; the third row group is
-- all null, the fifth has a null in every seventh row.
CREATE COLLATION blind (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE DOMAIN small AS int CHECK (VALUE < 1000000000);
CREATE TABLE kinds_twin (
    id int, i2 int2, i4 int4, i8 int8, dom small, f4 float4, f8 float8, n numeric,
    t text COLLATE "C", long text COLLATE "C", icu text COLLATE "und-x-icu", bl text COLLATE blind,
    v varchar(20) COLLATE "C", c char(12) COLLATE "C", b bytea, u uuid, o oid, ch "char", bo bool,
    d date, ts timestamp, tz timestamptz, tm time, mo money, na name, iv interval, a int[]) USING heap;
INSERT INTO kinds_twin
SELECT i, CASE WHEN known THEN i END, CASE WHEN known THEN i * 1000 - 2000000 END,
       CASE WHEN known THEN i * 1000000000000::bigint END, CASE WHEN known THEN i END,
       CASE WHEN known THEN i / 8.0 - 256 END,
       CASE WHEN known THEN CASE i WHEN 1 THEN '-Infinity' WHEN 4095 THEN 'Infinity' WHEN 4096 THEN 'NaN'
                            ELSE (i - 2048) * 1.5e10 END END,
       CASE WHEN known THEN CASE i WHEN 1 THEN '-Infinity' WHEN 4095 THEN 'Infinity' WHEN 4096 THEN 'NaN'
                            ELSE (i - 2048) / 100.0 END END,
       CASE WHEN known THEN 'row ' || lpad(i::text, 6, '0') END,
       CASE WHEN known THEN 'with a common start ' || lpad(i::text, 6, '0') END,
       CASE WHEN known THEN 'row ' || lpad(i::text, 6, '0') END,
       CASE WHEN known THEN 'row ' || lpad(i::text, 6, '0') END,
       CASE WHEN known THEN 'v' || lpad(i::text, 6, '0') END,
       CASE WHEN known THEN 'c' || lpad(i::text, 6, '0') END,
       CASE WHEN known THEN decode(lpad(to_hex(i), 8, '0'), 'hex') END,
       CASE WHEN known THEN lpad(to_hex(i), 32, '0')::uuid END,
       CASE WHEN known THEN (4000000000 + i)::oid END,
       CASE WHEN known THEN chr(32 + i / 50)::"char" END,
       CASE WHEN known THEN i > 2048 END,
       CASE WHEN known THEN date '2000-01-01' + i END,
       CASE WHEN known THEN timestamp '2000-01-01' + i * interval '1 hour' END,
       CASE WHEN known THEN timestamptz '2000-01-01 00:00+00' + i * interval '1 hour' END,
       CASE WHEN known THEN time '00:00' + i * interval '20 seconds' END,
       CASE WHEN known THEN i::numeric::money END,
       CASE WHEN known THEN 'n' || lpad(i::text, 6, '0') END,
       CASE WHEN known THEN i * interval '1 day' END,
       CASE WHEN known THEN ARRAY[i] END
  FROM (SELECT i, i NOT BETWEEN 1025 AND 1536 AND NOT (i BETWEEN 2049 AND 2560 AND i % 7 = 0) AS known
          FROM generate_series(1, 4096) i) s
 ORDER BY i;
CREATE TABLE kinds (LIKE kinds_twin) USING retldb;
INSERT INTO kinds SELECT * FROM kinds_twin ORDER BY id;
ANALYZE kinds;

SELECT condition, p.* FROM (VALUES
    ('true'), ('id = 3000'),
    ('i2 < 100'), ('i2 <= 64'), ('i2 < 65'), ('i2 = 64::smallint'), ('i2 >= 4000'), ('i2 > 4095'), ('i2 > 4096'),
    ('i4 = 0'), ('i4 < -1990000'), ('i4 BETWEEN 100000 AND 200000'), ('i4 < 2'), ('2 > i4'), ('i4 = 1'),
    ('i8 = 2000000000000'), ('i8 > 4095000000000'), ('i8 < 1000000000001'), ('i8 <> 1000000000000'),
    ('dom = 700'), ('dom::int > 4090')) v(condition), probe('kinds', condition) p;

-- comparisons of different types
SELECT condition, p.* FROM (VALUES
    ('i2 = 2000::int8'), ('i4 > 2000000::int8'), ('i4 > 3000000000::int8'), ('i8 < 32000::int2'), ('i8 = 1000'),
    ('i4 = 0.0::numeric'), ('i4 = 0.0::float8'),
    ('f4 > 255.5::float8'), ('f8 < 0.1::float4'), ('f4 = 0.1::float8'),
    ('d > timestamp ''2011-03-01'''), ('ts < date ''2000-01-02'''), ('v = ''v000300''::text'), ('t = ''row 000300''::varchar'),
    ('na = ''n000300''::text'), ('c = ''c000300''::text'), ('o = 4000000007::int8')) v(condition), probe('kinds', condition) p;

-- floating point and numeric: infinities, NaN and zeros of both signs
SELECT condition, p.* FROM (VALUES
    ('f4 < -255'), ('f4 = 0'), ('f4 = ''-0'''), ('f4 > ''-0'' AND f4 < 0.2'), ('f8 = ''-Infinity'''), ('f8 < -3e13'),
    ('f8 = ''Infinity'''), ('f8 = ''NaN'''), ('f8 > ''Infinity'''), ('f8 >= ''NaN'''), ('f8 < ''NaN'''), ('f8 <= ''-Infinity'''),
    ('n = 1'), ('n = 1.00'), ('n < -20.4'), ('n = ''-Infinity'''), ('n = ''Infinity'''), ('n = ''NaN'''), ('n > ''Infinity'''),
    ('n >= 20.45'), ('n = 0'), ('n > 0 AND n < 0.01'), ('n = 0.000000000000000000000000000000001'), ('n = 1e300')
    ) v(condition), probe('kinds', condition) p;

-- text: ranges only in the order of bytes, equality where bytes tell
SELECT condition, p.* FROM (VALUES
    ('t = ''row 000300'''), ('t < ''row 000065'''), ('t >= ''row 004090'''), ('t = ''row 000300 '''), ('t > ''row'' AND t < ''row 0001'''),
    ('t < ''s'''), ('t > ''s'''), ('t = '''''), ('t ~<~ ''row 000065'''), ('t COLLATE "und-x-icu" < ''row 000065'''),
    ('t COLLATE blind = ''ROW 000300'''),
    ('long = ''with a common start 000300'''), ('long < ''with a common start 000065'''), ('long < ''with'''), ('long > ''without'''),
    ('icu = ''row 000300'''), ('icu < ''row 000065'''), ('icu ~<~ ''row 000065'''), ('icu COLLATE "C" < ''row 000065'''),
    ('bl = ''ROW 000300'''), ('bl = ''row 000300'''), ('bl < ''row 000065'''),
    ('v = ''v000300'''), ('v > ''v004090'''), ('v LIKE ''v0003%'''),
    ('c = ''c000300'''), ('c = ''c000300      '''), ('c < ''c000065'''), ('c ~<~ ''c000065'''), ('na = ''n000300''')
    ) v(condition), probe('kinds', condition) p;

-- the others
SELECT condition, p.* FROM (VALUES
    ('b = ''\x00000300'''), ('b < ''\x00000041'''), ('b >= ''\x0000'' AND b < ''\x000001'''),
    ('u = ''00000000-0000-0000-0000-000000000300'''), ('u > ''00000000-0000-0000-0000-000000000ff0'''),
    ('o = 4000000300'), ('o > 4000004090'), ('ch = ''a'''), ('ch < ''$'''), ('ch > ''q'''),
    ('bo'), ('NOT bo'), ('bo = true'), ('bo <> true'), ('bo > false'), ('bo IS TRUE'), ('bo IS FALSE'), ('bo IS NOT TRUE'), ('bo IS NOT FALSE'),
    ('bo IS UNKNOWN'), ('bo IS NOT UNKNOWN'),
    ('d = ''2001-01-01'''), ('d > ''infinity'''), ('d < ''2000-02-01'''), ('ts >= ''2000-06-18'''), ('tz < ''2000-01-02 00:00+00'''),
    ('tz = ''-infinity'''), ('tm < ''00:10'''), ('mo > 4090::money'), ('iv < interval ''10 days'''), ('a = ARRAY[300]'), ('a < ARRAY[10]')
    ) v(condition), probe('kinds', condition) p;

-- nulls
SELECT condition, p.* FROM (VALUES
    ('i4 IS NULL'), ('i4 IS NOT NULL'), ('id IS NULL'), ('id IS NOT NULL'), ('a IS NULL'), ('i4 IS NULL AND id > 2000'),
    ('i4 = NULL'), ('i4 > NULL::int OR id = 5'), ('i4 IS NULL AND i4 = 0'), ('i4 IS NULL OR i4 = 0'), ('i4 IS DISTINCT FROM 0'),
    ('coalesce(i4, 0) = 0'), ('NOT (i4 IS NULL)'), ('NOT i4 > 0')) v(condition), probe('kinds', condition) p;

-- AND, OR and arrays
SELECT condition, p.* FROM (VALUES
    ('id = 10 OR id = 4000'), ('id < 10 OR (id > 4000 AND i4 < 0)'), ('id = 10 OR id % 1000 = 0'), ('(id = 10 AND id % 2 = 0) OR id = 4000'),
    ('id > 100 AND id % 1000 = 0 AND id < 1001'), ('(id < 200 OR id > 4000) AND (d < ''2000-01-10'' OR i8 > 4090000000000)'),
    ('id IN (1, 2, 700)'), ('id IN (1, NULL, 700)'), ('id NOT IN (1, 2)'), ('id = ANY (''{}''::int[])'), ('id = ANY (NULL::int[])'),
    ('id = ANY (''{NULL}''::int[])'), ('id < ANY (ARRAY[5, 10])'), ('id > ALL (ARRAY[5, 4090])'), ('id = ANY (ARRAY[[1, 2], [4000, 4001]])'),
    ('t IN (''row 000001'', ''row 004000'')'), ('i2 = ANY (ARRAY[5, 70000])'), ('n IN (1, 2, 20)'),
    ('id = ANY (ARRAY(SELECT generate_series(1, 64)))'), ('id = ANY (ARRAY(SELECT generate_series(1000, 1100)))'),
    ('id < ANY (ARRAY(SELECT generate_series(1, 100)))'), ('id >= ANY (ARRAY(SELECT generate_series(4000, 4096)))'),
    ('long < ANY (ARRAY(SELECT ''with a common start 0'' || i FROM generate_series(0, 99) i) || ''with a common st''::text)'), ('t = ANY (ARRAY(SELECT ''row 00'' || i FROM generate_series(1000, 1100) i))'),
    ('false'), ('id = 1 AND id = 4000')) v(condition), probe('kinds', condition) p;

-- expressions: stable and immutable ones are keys, volatile ones are not
SELECT condition, p.* FROM (VALUES
    ('tz < to_timestamp(946688400)'), ('id < length(current_database()::text) - length(current_database()::text) + 5'),
    ('d < current_date - 100000'), ('id = 5 + random() * 0'), ('id = (random() * 0)::int + 7'),
    ('id = (SELECT 300)'), ('id = (SELECT max(id) FROM kinds_twin)'), ('id < (SELECT NULL::int)'),
    ('i4 = id * 1000 - 2000000')) v(condition), probe('kinds', condition) p;

-- what EXPLAIN shows
EXPLAIN (COSTS OFF) SELECT t FROM kinds WHERE id > 4000 AND length(t) > 3 AND (d IS NULL OR bo);
EXPLAIN (COSTS OFF, VERBOSE) SELECT t FROM kinds WHERE id = 4000 OR id IN (1, 2);
EXPLAIN (COSTS OFF) SELECT t FROM kinds WHERE id % 2 = 0;
EXPLAIN (COSTS OFF) SELECT t FROM kinds WHERE (id < 5 AND id % 2 = 0) OR (id > 4000 AND length(t) > 3);
SELECT explain_run('SELECT t FROM kinds WHERE id > 4000');
SELECT explain_run('SELECT count(*) FROM kinds WHERE i4 IS NULL');
SELECT explain_run('SELECT id FROM kinds WHERE id BETWEEN 1 AND 4096 AND i2 = 3000');
SET retldb.enable_skipping = off;
SELECT explain_run('SELECT t FROM kinds WHERE id > 4000');
RESET retldb.enable_skipping;

-- prepared statements
SET plan_cache_mode = force_generic_plan;
PREPARE by_id(int) AS SELECT id, t FROM kinds WHERE id = $1;
PREPARE by_ids(int[]) AS SELECT count(*), min(id), max(id) FROM kinds WHERE id = ANY ($1);
PREPARE by_range(date, date) AS SELECT count(*) FROM kinds WHERE d >= $1 AND d < $2;
PREPARE by_text(text) AS SELECT id FROM kinds WHERE t = $1;
EXPLAIN (COSTS OFF) EXECUTE by_id(5);
EXECUTE by_id(5);
EXECUTE by_id(4000);
EXECUTE by_id(NULL);
SELECT explain_run('EXECUTE by_id(4000)');
SELECT explain_run('EXECUTE by_id(NULL)');
EXECUTE by_ids('{1,4096,5000}');
SELECT array_agg(i)::text AS many FROM generate_series(500, 4000, 20) i \gset
EXECUTE by_ids(:'many');
EXECUTE by_ids(NULL);
SELECT explain_run('EXECUTE by_ids(''{1,4096,5000}'')');
EXECUTE by_range('2000-01-02', '2000-01-12');
SELECT explain_run('EXECUTE by_range(''2000-01-02'', ''2000-01-12'')');
EXECUTE by_text('row 000300');
SELECT explain_run('EXECUTE by_text(''row 000300'')');
SET retldb.enable_skipping = off;
EXECUTE by_id(4000);
RESET retldb.enable_skipping;
RESET plan_cache_mode;

-- keys that change from scan to scan: subqueries, lateral references, joins
SELECT explain_run('SELECT o.id, (SELECT count(*) FROM kinds k WHERE k.id <= o.id) FROM kinds_twin o WHERE o.id IN (10, 600)');
SELECT o.id, (SELECT count(*) FROM kinds k WHERE k.i4 < o.i4) AS lower,
       (SELECT max(k.t) FROM kinds k WHERE k.id = o.id + 1) AS following
  FROM kinds_twin o WHERE o.id % 500 = 0 ORDER BY o.id;
SELECT o.id, l.* FROM kinds_twin o, LATERAL (SELECT k.id AS below FROM kinds k WHERE k.id < o.id ORDER BY k.id DESC LIMIT 1) l
 WHERE o.id % 1000 = 0 ORDER BY o.id;
CREATE TABLE wanted (id int, t text COLLATE "C") USING heap;
INSERT INTO wanted SELECT i, 'row ' || lpad(i::text, 6, '0') FROM generate_series(7, 4200, 600) i;
INSERT INTO wanted VALUES (NULL, NULL);
ANALYZE wanted;
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SET enable_material = off;
SET enable_memoize = off;
SELECT explain_run('SELECT w.id, k.i8 FROM wanted w JOIN kinds k ON k.id = w.id');
SELECT w.id, k.i8 FROM wanted w JOIN kinds k ON k.id = w.id ORDER BY 1;
SELECT w.id, k.i8 FROM wanted w LEFT JOIN kinds k ON k.t = w.t AND k.i8 > 0 ORDER BY 1;
SELECT count(*), sum(k.id) FROM wanted w JOIN kinds k ON k.id BETWEEN w.id AND w.id + 2;
SELECT count(*) FROM wanted w WHERE EXISTS (SELECT FROM kinds k WHERE k.id = w.id);
SET retldb.enable_skipping = off;
SELECT w.id, k.i8 FROM wanted w JOIN kinds k ON k.id = w.id ORDER BY 1;
SELECT count(*), sum(k.id) FROM wanted w JOIN kinds k ON k.id BETWEEN w.id AND w.id + 2;
RESET retldb.enable_skipping;
RESET enable_hashjoin;
RESET enable_mergejoin;
RESET enable_material;
RESET enable_memoize;

-- columns that came later than the rows, and types that changed
ALTER TABLE kinds ADD COLUMN extra int DEFAULT 7, ADD COLUMN later text;
ALTER TABLE kinds_twin ADD COLUMN extra int DEFAULT 7, ADD COLUMN later text;
INSERT INTO kinds (id, extra, later) SELECT i, i, 'x' FROM generate_series(5001, 5600) i;
INSERT INTO kinds_twin (id, extra, later) SELECT i, i, 'x' FROM generate_series(5001, 5600) i;
SELECT condition, p.* FROM (VALUES ('extra = 7'), ('extra > 7'), ('extra > 5590'), ('later IS NULL'), ('later = ''x'''), ('later = ''y''')
    ) v(condition), probe('kinds', condition) p;
ALTER TABLE kinds ALTER v TYPE text COLLATE "C";
ALTER TABLE kinds_twin ALTER v TYPE text COLLATE "C";
SELECT condition, p.* FROM (VALUES ('v = ''v000300'''), ('v > ''v004090''')) v(condition), probe('kinds', condition) p;

-- a time zone may be days away
CREATE TABLE zones (id int, at timestamp, day date) USING retldb;
INSERT INTO zones SELECT i, timestamp '2000-01-10' + i * interval '1 hour', date '2000-01-10' + i / 24 FROM generate_series(0, 99) i;
CREATE TABLE zones_twin USING heap AS SELECT * FROM zones;
SET TimeZone = 167;
SELECT condition, p.* FROM (VALUES ('at < timestamptz ''2000-01-09 00:00+00'''), ('at = timestamptz ''2000-01-03 02:00+00'''),
    ('day < timestamptz ''2000-01-05 00:00+00'''), ('day = timestamptz ''2000-01-03 01:00+00''')) v(condition), probe('zones', condition) p;
SET TimeZone = 'X-167:59';
SELECT condition, p.* FROM (VALUES ('at < timestamptz ''2000-01-09 00:00+00''')) v(condition), probe('zones', condition) p;
SET TimeZone = 'X+167:59';
SELECT condition, p.* FROM (VALUES ('at > timestamptz ''2000-01-17 00:00+00'''), ('day > timestamptz ''2000-01-17 00:00+00''')) v(condition), probe('zones', condition) p;
DROP TABLE zones, zones_twin;
SET TimeZone = 'UTC';

-- rows of the row store are always looked at
SET retldb.row_store_rows = 1000;
INSERT INTO kinds (id) VALUES (1), (6000);
INSERT INTO kinds_twin (id) VALUES (1), (6000);
SELECT condition, p.* FROM (VALUES ('id = 1'), ('id = 6000'), ('id > 6000'), ('i4 IS NULL AND id >= 4096')) v(condition), probe('kinds', condition) p;
SET retldb.row_store_rows = 0;

-- Skipping does not hide an error of a key, and security barriers hold: a key
-- that may raise an error is not computed ahead of the barrier.
SELECT count(*) FROM kinds WHERE id = 1 / (SELECT 0);
CREATE VIEW barrier WITH (security_barrier) AS SELECT * FROM kinds WHERE id < 10;
EXPLAIN (COSTS OFF) SELECT id FROM barrier WHERE i2 = 5;
EXPLAIN (COSTS OFF) SELECT id FROM barrier WHERE d = to_date('2000-01-06', current_setting('retldb_test.format', true));
SELECT id FROM barrier WHERE i2 = 5;

DROP VIEW barrier;
DROP TABLE kinds, kinds_twin, wanted;
DROP DOMAIN small;
DROP COLLATION blind;
DROP FUNCTION probe, explain_run;
RESET TimeZone;
