-- Keys of hash joins become conditions of the scans below: answers do not
-- change, and rows are turned away where that is allowed.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS retldb;
RESET client_min_messages;
SET retldb.cache_size = 0;
SET TimeZone = 'UTC';
SET max_parallel_workers_per_gather = 0;
SET enable_mergejoin = off;
SET enable_nestloop = off;
SET enable_memoize = off;

-- All rows that runtime filters of a plan have turned away; null if it has none.
CREATE FUNCTION removed(plan jsonb) RETURNS bigint LANGUAGE sql AS $$
    SELECT sum((n->>'Rows Removed by Runtime Filter')::bigint)
      FROM jsonb_path_query(plan, 'strict $.**') n
     WHERE jsonb_typeof(n) = 'object' AND n ? 'Runtime Filter' $$;

-- Rows of a query, whether they are the same with and without runtime filters
-- and without columnar scans, and the rows that runtime filters turned away.
CREATE FUNCTION probe(query text, OUT rows bigint, OUT same boolean, OUT removed bigint)
LANGUAGE plpgsql AS $$
DECLARE
    answer text := 'SELECT count(*), md5(string_agg(q::text, '','' ORDER BY q::text)) FROM (%s) q';
    filtered record;
    unfiltered record;
    by_row record;
    plan jsonb;
BEGIN
    EXECUTE format(answer, query) INTO filtered;
    SET LOCAL retldb.enable_runtime_filters = off;
    EXECUTE format(answer, query) INTO unfiltered;
    SET LOCAL retldb.enable_columnar_scan = off;
    EXECUTE format(answer, query) INTO by_row;
    SET LOCAL retldb.enable_columnar_scan = on;
    SET LOCAL retldb.enable_runtime_filters = on;
    EXECUTE 'EXPLAIN (ANALYZE, TIMING OFF, SUMMARY OFF, FORMAT JSON) ' || query INTO plan;
    rows := filtered.count;
    same := filtered IS NOT DISTINCT FROM unfiltered AND filtered IS NOT DISTINCT FROM by_row;
    removed := removed(plan);
END $$;

CREATE COLLATION runtime_blind (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE DOMAIN runtime_small AS int CHECK (VALUE < 1000000000);
CREATE FUNCTION runtime_rows(first int, last int)
RETURNS TABLE (id int, i2 int2, i4 int4, i8 int8, dom runtime_small, wide int8, f4 float4, f8 float8, n numeric, t text,
               v varchar(20), c char(12), na name, by bytea, u uuid, d date, ts timestamptz,
               o oid, ch "char", bo bool, iv interval) LANGUAGE sql AS $$
    SELECT i, (k % 30000)::int2, k, k * 1000::int8, k, hashint8extended(k, 0), k / 4.0, CASE k % 50 WHEN 1 THEN 'NaN' WHEN 2 THEN '-0' ELSE k / 8.0 END,
           CASE k % 70 WHEN 1 THEN 'NaN' ELSE k / 10.0 END, 'text ' || k, 'v ' || k, 'c ' || k, ('name ' || k)::name, decode(md5(k::text), 'hex'),
           md5(k::text)::uuid, date '2000-01-01' + k, timestamptz '2000-01-01' + k * interval '1 minute', k::oid, (33 + k % 90)::"char",
           k % 2 = 0, k * interval '1 hour'
      FROM generate_series(first, last) i, LATERAL (SELECT CASE WHEN i % 13 > 0 THEN i / 10 END AS k) x $$;

CREATE TABLE facts USING retldb WITH (row_store_rows = 100, row_group_rows = 4096, vector_rows = 256, autovacuum_enabled = off)
    AS SELECT *, t COLLATE runtime_blind AS bl FROM runtime_rows(1, 20000);
-- keys in another order, some of them not in facts, some null, some twice
CREATE TABLE dims WITH (autovacuum_enabled = off) AS SELECT *, t COLLATE runtime_blind AS bl, id / 10 % 3 AS g FROM runtime_rows(12000, 16000) WHERE id % 10 = 3
    UNION ALL SELECT *, t, 4 FROM runtime_rows(12390, 12393) UNION ALL SELECT *, t, 5 FROM runtime_rows(900000, 900100) WHERE id % 10 = 5;
VACUUM ANALYZE facts, dims;

-- every kind of key
SELECT name, p.* FROM unnest('{i2,i4,i8,dom,wide,f4,f8,n,t,v,c,bl,na,by,u,d,ts,o,ch,iv}'::text[]) name,
       probe(format('SELECT f.id, d.id FROM facts f JOIN dims d USING (%I)', name)) p;

-- two types
SELECT name, p.* FROM unnest('{"f.i4 = d.i8 / 1000","f.i8 = d.i4","f.i2 = d.i8","f.i4 = d.i2","f.dom = d.i4","f.f4 = d.f8","f.f8 = d.f4","f.t = d.v","f.v = d.t",
                               "f.na = d.t","f.d = d.ts","f.ts = d.d","f.i4 = d.n","f.c = d.t","f.wide = d.i4"}'::text[]) name,
       probe('SELECT f.id, d.id FROM facts f JOIN dims d ON ' || name) p;

-- what is joined how
SELECT name, p.* FROM unnest('{"facts f JOIN dims d USING (i4)","facts f LEFT JOIN dims d USING (i4)","dims d LEFT JOIN facts f USING (i4)",
                               "facts f FULL JOIN dims d USING (i4)","facts f RIGHT JOIN dims d USING (i4)","facts f JOIN dims d USING (i4, t)",
                               "facts f JOIN dims d ON f.i4 = d.i4 AND f.id < d.id","facts f JOIN dims d ON f.i4 + 1 = d.i4",
                               "facts f JOIN dims d ON f.i4 = d.i4 + 1","facts f JOIN dims d ON f.t COLLATE runtime_blind = d.t"}'::text[]) name,
       probe('SELECT f.id, d.id FROM ' || name) p;
SELECT name, p.* FROM unnest('{"EXISTS (SELECT FROM dims d WHERE d.i4 = f.i4)","NOT EXISTS (SELECT FROM dims d WHERE d.i4 = f.i4)",
                               "f.i4 IN (SELECT i4 FROM dims WHERE g = 1)","f.i4 NOT IN (SELECT i4 FROM dims WHERE i4 IS NOT NULL)"}'::text[]) name,
       probe('SELECT f.id FROM facts f WHERE ' || name) p;

-- few keys, keys in other row groups, no key, null keys only
SELECT name, p.* FROM unnest('{"d.id = 12003","d.id BETWEEN 12100 AND 12120","d.g = 5","d.i4 IS NULL","d.id = -1","d.g = 2 AND f.id % 2 = 0 AND f.f8 > 100"}'::text[]) name,
       probe('SELECT f.id, d.id FROM facts f JOIN dims d USING (i4) WHERE ' || name) p;

-- more than one join, joins between, partitions
CREATE TABLE facts_by_part (LIKE facts) PARTITION BY RANGE (id);
CREATE TABLE facts_1 PARTITION OF facts_by_part FOR VALUES FROM (MINVALUE) TO (8000) USING retldb WITH (row_store_rows = 0, vector_rows = 256);
CREATE TABLE facts_2 PARTITION OF facts_by_part FOR VALUES FROM (8000) TO (12050) USING heap;
CREATE TABLE facts_3 PARTITION OF facts_by_part FOR VALUES FROM (12050) TO (MAXVALUE) USING retldb WITH (row_store_rows = 0, vector_rows = 256);
INSERT INTO facts_by_part SELECT * FROM facts;
CREATE TABLE other AS SELECT DISTINCT i2 % 100 AS k, 'other ' || i2 % 100 AS name FROM facts WHERE i2 % 100 < 60;
ANALYZE facts_by_part, other;
SELECT name, p.* FROM unnest('{"facts f JOIN dims d USING (i4) JOIN dims e ON e.t = f.t","facts_by_part f JOIN dims d USING (i4)",
                               "(facts f LEFT JOIN other o ON o.k = f.i2) JOIN dims d USING (i4)","(facts f JOIN facts g USING (id)) JOIN dims d ON d.i4 = f.i4",
                               "(facts f FULL JOIN other o ON o.k = f.i2) JOIN dims d USING (i4)","(SELECT * FROM facts ORDER BY id LIMIT 12020) f JOIN dims d USING (i4)",
                               "(SELECT i4, count(*) AS id FROM facts GROUP BY i4) f JOIN dims d USING (i4)"}'::text[]) name,
       probe('SELECT f.id, d.id FROM ' || name) p;

-- functions that would notice
CREATE SEQUENCE runtime_sequence;
SELECT removed FROM probe('SELECT f.id FROM facts f JOIN dims d USING (i4) WHERE random() * f.id >= 0');
SELECT count(*) FROM facts f JOIN dims d USING (i4) WHERE nextval('runtime_sequence') + f.id > 0;
SELECT last_value FROM runtime_sequence;
SET join_collapse_limit = 1;
SELECT setval('runtime_sequence', 1, false);
SELECT count(*) FROM (facts f CROSS JOIN LATERAL generate_series(1, 1 + 0 * nextval('runtime_sequence') + 0 * f.id)) JOIN dims d USING (i4);
SELECT last_value FROM runtime_sequence;
-- ... or run at all: there are no rows of the row store to see to that, and the table of the join above is
-- made first, for it is cheaper
CREATE TABLE grouped USING retldb WITH (row_store_rows = 0, row_group_rows = 4096, autovacuum_enabled = off) AS SELECT id, i4 FROM facts;
CREATE TABLE few WITH (autovacuum_enabled = off) AS SELECT 90009 AS i4;
CREATE TABLE inner_side WITH (autovacuum_enabled = off) AS SELECT generate_series(1, 200) AS x;
VACUUM ANALYZE grouped, few, inner_side;
SELECT setval('runtime_sequence', 1, false);
SELECT count(*) FROM (grouped f JOIN (SELECT nextval('runtime_sequence') AS n, x FROM inner_side) y ON f.id = y.x) JOIN few d USING (i4);
SELECT last_value FROM runtime_sequence;
WITH y AS MATERIALIZED (SELECT nextval('runtime_sequence') AS n, x FROM inner_side WHERE x <= 5)
SELECT count(*) FROM (grouped f JOIN y ON f.id = y.x) JOIN generate_series(90009, 90009) d (i4) USING (i4);
SELECT last_value FROM runtime_sequence;
BEGIN;
SELECT count(*) FROM (grouped f JOIN (SELECT x FROM inner_side FOR UPDATE) y ON f.id = y.x) JOIN few d USING (i4);
SELECT count(*) FROM inner_side WHERE xmax <> 0;
ROLLBACK;
-- each CTE is looked at once, however many ways there are to it
SELECT rows, same FROM probe((
    SELECT 'WITH c0 AS MATERIALIZED (SELECT x FROM inner_side), ' ||
           string_agg(format('c%s AS MATERIALIZED (SELECT x FROM c%s UNION ALL SELECT x FROM c%2$s WHERE x < 0)', i, i - 1), ', ') ||
           ' SELECT f.id FROM (grouped f JOIN (SELECT x FROM c30 LIMIT 5) y ON f.id = y.x) JOIN few d USING (i4)'
    FROM generate_series(1, 30) i));
DROP TABLE inner_side, grouped, few;
RESET join_collapse_limit;

-- rescans: with another hash table each time, with the same one, below a limit
SELECT * FROM probe('SELECT g, (SELECT count(*) FROM facts f JOIN dims d USING (i4) WHERE d.g = x.g) FROM generate_series(0, 6) x(g)');
SELECT * FROM probe('SELECT g, (SELECT count(*) FROM facts f JOIN dims d USING (i4) WHERE f.id > x.g) FROM generate_series(11990, 16100, 400) x(g)');
SELECT * FROM probe('SELECT g, (SELECT min(id) FROM (SELECT f.id FROM facts f JOIN dims d USING (i4) WHERE d.g = x.g LIMIT 1) y) > 0 FROM generate_series(0, 6) x(g)');
BEGIN;
DECLARE c SCROLL CURSOR FOR SELECT f.id FROM facts f JOIN dims d USING (i4) WHERE d.id BETWEEN 12000 AND 12020 ORDER BY f.id;
FETCH 3 FROM c;
FETCH LAST FROM c;
FETCH -2 FROM c;
COMMIT;
PREPARE p (int) AS SELECT count(*) FROM facts f JOIN dims d USING (i4) WHERE d.g = $1;
SET plan_cache_mode = force_generic_plan;
EXECUTE p (1);
EXECUTE p (5);
SET retldb.enable_runtime_filters = off;
EXECUTE p (1);
RESET retldb.enable_runtime_filters;
RESET plan_cache_mode;

-- rows of this transaction
BEGIN;
INSERT INTO facts SELECT *, t FROM runtime_rows(12000, 12010);
SELECT rows, same FROM probe('SELECT f.id, d.id FROM facts f JOIN dims d USING (i4)');
ROLLBACK;

-- a hash table in batches is not all in memory
CREATE TABLE many AS SELECT i AS i4, repeat('x', 100) AS filler FROM generate_series(1, 40000, 40) i;
ANALYZE many;
SET work_mem = '64kB';
SET hash_mem_multiplier = 1;
SELECT * FROM probe('SELECT f.id, m.filler FROM facts f JOIN many m USING (i4)');
RESET work_mem;
RESET hash_mem_multiplier;
SELECT * FROM probe('SELECT f.id, m.filler FROM facts f JOIN many m USING (i4)');

-- most keys are there: not worth the trouble
SELECT removed FROM probe('SELECT f.id FROM facts f JOIN facts g ON g.id = f.id');

-- parallel plans, with a hash table for each process and with a shared one
SET max_parallel_workers_per_gather = 2;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SELECT rows, same, removed > 2000 AS removed FROM probe('SELECT f.id, d.id FROM facts f JOIN dims d USING (i4)');
SELECT rows, same, removed > 2000 AS removed FROM probe('SELECT f.id, d.id FROM facts f JOIN dims d USING (t)');
SET enable_parallel_hash = off;
SELECT rows, same, removed > 2000 AS removed FROM probe('SELECT f.id, d.id FROM facts f JOIN dims d USING (i4)');
SELECT rows, same, removed > 2000 AS removed FROM probe('SELECT f.id, d.id FROM facts_by_part f JOIN dims d USING (i4)');
RESET enable_parallel_hash;
SET parallel_leader_participation = off;
SELECT rows, same, removed > 2000 AS removed FROM probe('SELECT f.id, d.id FROM facts f JOIN dims d USING (i4)');
RESET parallel_leader_participation;
RESET max_parallel_workers_per_gather;
SET max_parallel_workers_per_gather = 0;

-- EXPLAIN
EXPLAIN (COSTS OFF) SELECT f.id FROM facts f JOIN dims d USING (i4) WHERE f.id > 10;
SELECT plan('SELECT f.id FROM facts f JOIN (SELECT i4 FROM dims LIMIT 20) d USING (i4)',
            'ANALYZE, BUFFERS OFF, COSTS OFF, TIMING OFF, SUMMARY OFF');
SET retldb.enable_skipping = off;
SELECT * FROM probe('SELECT f.id, d.id FROM facts f JOIN dims d USING (i4)');
RESET retldb.enable_skipping;
SET retldb.enable_runtime_filters = off;
EXPLAIN (COSTS OFF) SELECT f.id FROM facts f JOIN dims d USING (i4) WHERE f.id > 10;

RESET ALL;
SET client_min_messages = warning;
DROP TABLE facts, dims, facts_by_part, other, many;
DROP FUNCTION probe, removed, runtime_rows;
DROP DOMAIN runtime_small;
DROP COLLATION runtime_blind;
DROP SEQUENCE runtime_sequence;
