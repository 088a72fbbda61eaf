-- Bloom filters: row groups are skipped that cannot have a value, and nothing is
-- missing from the answer.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS retldb;
RESET client_min_messages;
SET retldb.row_store_rows = 0;
SET retldb.row_group_rows = 10000;

-- Values in no order, each in one row; row groups of 10000 rows.
CREATE TABLE bloomy (id int, t text COLLATE "C", v varchar(40) COLLATE "C", c char(40) COLLATE "C", u uuid,
                     i bigint, i4 int, n numeric, f float8, b bytea, na name)
    USING retldb WITH (bloom = on);
INSERT INTO bloomy
    SELECT g, md5(g::text), 'v' || md5(g::text), 'c' || left(md5(g::text), 20), md5('u' || g)::uuid,
           hashint8(g)::bigint * 1000003, hashint8(g), hashint8(g) / 1000.0,
           CASE WHEN g % 5000 = 0 THEN '-0' WHEN g % 5000 = 1 THEN 'NaN' ELSE hashint8(g) * 0.5 END,
           decode(md5(g::text), 'hex'), left(md5(g::text), 20)
    FROM generate_series(1, 50000) g;
INSERT INTO bloomy (id, n) VALUES (50001, NULL), (50002, 'NaN'), (50003, 'Infinity'), (50004, 0.000);
SELECT * FROM retldb.verify('bloomy');

-- What is found, whether skipping makes a difference, and how many groups
-- Bloom filters ruled out.
CREATE FUNCTION bloom_probe(condition text, tab text DEFAULT 'bloomy',
                            OUT ids text, OUT same boolean, OUT by_blooms int)
LANGUAGE plpgsql AS $$
DECLARE
    query text := format('SELECT string_agg(id::text, '','' ORDER BY id) FROM %s WHERE %s', tab, condition);
    all_ids text;
    plan json;
BEGIN
    EXECUTE query INTO ids;
    SET LOCAL retldb.enable_skipping = off;
    EXECUTE query INTO all_ids;
    SET LOCAL retldb.enable_skipping = on;
    same := ids IS NOT DISTINCT FROM all_ids;
    EXECUTE format('EXPLAIN (ANALYZE, TIMING OFF, SUMMARY OFF, FORMAT JSON) SELECT id FROM %s WHERE %s', tab, condition) INTO plan;
    by_blooms := plan->0->'Plan'->'Row Groups Skipped by Blooms';
    IF length(ids) > 60 THEN
        ids := left(ids, 60) || '...';
    END IF;
END $$;

SELECT c.condition, p.* FROM (VALUES
    ('t = md5(''777'')'), ('t = ''absent'''), ('t = '''''),
    ('t IN (md5(''777''), md5(''30000''), ''absent'')'),
    ('t = md5(''777'') OR u = md5(''u40000'')::uuid'),
    ('t = md5(''777'') AND u = md5(''u40000'')::uuid'),
    ('t <> md5(''777'') AND id < 3'),
    ('v = ''v'' || md5(''778'')'), ('v = ''absent'''),
    ('c = (''c'' || left(md5(''779''), 20))::char(40)'), ('c = (''c'' || left(md5(''779''), 20))::char(25)'), ('c = ''absent''::char(7)'),
    ('u = md5(''u780'')::uuid'), ('u = md5(''absent'')::uuid'),
    ('i = hashint8(781)::bigint * 1000003'), ('i = 1'), ('i = 1::int'),
    ('i4 = hashint8(782)::bigint'), ('i4 = 1::int8'),
    ('n = hashint8(783) / 1000.0'), ('n = (hashint8(783) / 1000.0)::numeric(20,9)'), ('n = 0.5'),
    ('n = 0'), ('n = ''NaN'''), ('n = ''Infinity'''), ('n = ''-Infinity'''),
    ('f = hashint8(784) * 0.5'), ('f = 0'), ('f = ''-0'''), ('f = ''NaN'''), ('f = 0.25'),
    ('b = decode(md5(''785''), ''hex'')'), ('b = ''absent'''),
    ('na = left(md5(''786''), 20)::name'), ('na = ''absent''')
) c(condition), bloom_probe(c.condition) p;

-- keys of a nested loop and of a prepared statement
PREPARE look_up(text) AS SELECT id FROM bloomy WHERE t = $1;
SET plan_cache_mode = force_generic_plan;
EXECUTE look_up(md5('4711'));
EXECUTE look_up('absent');
EXECUTE look_up(NULL);
RESET plan_cache_mode;
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SELECT g, id FROM generate_series(10000, 40000, 10000) g LEFT JOIN bloomy ON t = md5(g::text) ORDER BY g;
RESET enable_hashjoin;
RESET enable_mergejoin;

-- By default where it pays: not for few different values, nor for those in order.
CREATE TABLE choosy (id int, t text COLLATE "C", few text COLLATE "C", ordered text COLLATE "C", u uuid, off text COLLATE "C") USING retldb;
ALTER TABLE choosy ALTER COLUMN off SET (bloom = off);
INSERT INTO choosy SELECT g, md5(g::text) || md5('x' || g), md5((g % 1000)::text), to_char(g, 'FM000000'),
    md5('u' || g)::uuid, md5(g::text) || md5('y' || g) FROM generate_series(1, 50000) g;
SELECT c.condition, p.* FROM (VALUES
    ('t = ''5'''), ('few = ''5'''), ('ordered = ''0250001'''), ('u = md5(''5'')::uuid'), ('off = ''5'''),
    ('id = 250001')) c(condition), bloom_probe(c.condition, 'choosy') p;
SELECT * FROM retldb.verify('choosy');

-- Values in the overflow area: no filter.
CREATE TABLE large (id int, t text) USING retldb WITH (bloom = on);
ALTER TABLE large ALTER COLUMN t SET STORAGE EXTERNAL;
INSERT INTO large SELECT g, CASE WHEN g = 7 THEN repeat('x', 20000) ELSE md5(g::text) END FROM generate_series(1, 10000) g;
SELECT bloom_probe('t = ''absent''', 'large'), bloom_probe('t = repeat(''x'', 20000)', 'large');
SELECT * FROM retldb.verify('large');

DROP TABLE bloomy, choosy, large;
DROP FUNCTION bloom_probe;
