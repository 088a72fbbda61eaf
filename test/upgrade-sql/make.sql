-- What is to be upgraded: twin tables (see sql/setup.sql) with all that a retldb
-- table can have, and the functions that look at them before and afterwards.
-- Comes after sql/setup.sql and the first table of sql/types.sql.
SET retldb.row_store_rows = 100;
SET retldb.row_group_rows = 2000;
SET retldb.vector_rows = 128;
CREATE EXTENSION amcheck;
CREATE EXTENSION btree_gist;
CREATE EXTENSION pg_trgm;

-- Everything that must be the same afterwards: a line for each retldb table,
-- with its options and what is in it, and for each index, column and so on.
CREATE FUNCTION report() RETURNS SETOF text
LANGUAGE plpgsql AS $$
DECLARE
    t record;
    rows bigint;
    content text;
BEGIN
    FOR t IN SELECT c.oid, c.oid::regclass AS name, relkind, relpersistence, relispopulated, coalesce(spcname, '-') AS space,
                    -- that of a partitioned table may be an option
                    coalesce(amname, substring(reloptions::text from 'access_method=(\w+)')) AS method,
                    (SELECT string_agg(o, ',' ORDER BY o) FROM unnest(reloptions) o WHERE o !~ '^access_method=') AS options,
                    -- names with pg_ are PostgreSQL's
                    (SELECT string_agg(concat_ws(' ', attname, attstorage, (SELECT string_agg(o, ' ' ORDER BY o) FROM unnest(attoptions) o WHERE o NOT LIKE 'pg\_%')), ',' ORDER BY attnum)
                       FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped) AS columns,
                    (SELECT string_agg(indexrelid::regclass || ' ' || indisvalid || pg_get_indexdef(indexrelid), ',' ORDER BY indexrelid::regclass::text)
                       FROM pg_index WHERE indrelid = c.oid) AS indexes,
                    (SELECT string_agg(conname || ' ' || pg_get_constraintdef(k.oid), ',' ORDER BY conname)
                       FROM pg_constraint k WHERE conrelid = c.oid AND contype <> 'n') AS constraints
               FROM pg_class c LEFT JOIN pg_am a ON a.oid = relam LEFT JOIN pg_tablespace s ON s.oid = reltablespace
              WHERE (amname = 'retldb' OR reloptions::text ~ 'access_method=retldb') AND relkind IN ('r', 'm', 'p')
              ORDER BY c.oid::regclass::text LOOP
        rows := 0;
        content := '';
        IF t.relispopulated THEN
            EXECUTE format('SELECT count(*), md5(string_agg(m, '''' ORDER BY m COLLATE "C")) FROM (SELECT md5(t::text) AS m FROM %s t) s', t.name)
               INTO rows, content;
        END IF;
        RETURN NEXT concat_ws('; ', t.name, t.relkind, t.relpersistence, t.method, t.space, t.options, rows, content,
                              t.columns, t.indexes, t.constraints);
    END LOOP;
END $$;

-- What is wrong with tables and indexes.
CREATE FUNCTION unsound() RETURNS SETOF text
LANGUAGE plpgsql AS $$
DECLARE
    t record;
BEGIN
    FOR t IN SELECT c.oid::regclass AS name, h.oid::regclass AS twin
               FROM pg_class c JOIN pg_am a ON a.oid = relam AND amname = 'retldb'
                    LEFT JOIN pg_class h ON h.relname = c.relname AND h.relkind = c.relkind AND h.relnamespace = 'twin_heap'::regnamespace
                                            AND c.relnamespace = 'twin_retldb'::regnamespace
              WHERE c.relkind = 'r' OR c.relkind = 'm' AND c.relispopulated LOOP
        RETURN QUERY SELECT format('%s: %s', t.name, v) FROM retldb.verify(t.name) v;
        CONTINUE WHEN t.twin IS NULL;
        IF differences(t.name, t.twin) <> 0 THEN
            RETURN NEXT format('%s and %s differ', t.name, t.twin);
        END IF;
    END LOOP;
    PERFORM bt_index_check(i.oid, true)
       FROM pg_index JOIN pg_class i ON i.oid = indexrelid JOIN pg_am b ON b.oid = i.relam AND b.amname = 'btree'
            JOIN pg_class c ON c.oid = indrelid JOIN pg_am a ON a.oid = c.relam AND a.amname = 'retldb'
      WHERE i.relkind = 'i' AND indisvalid;
END $$;

-- Queries by all kinds of indexes, told apart from heap's answers.
CREATE FUNCTION index_queries() RETURNS SETOF text
LANGUAGE plpgsql SET enable_seqscan = off SET retldb.enable_columnar_scan = off AS $$
DECLARE
    query text;
    plan text;
BEGIN
    FOREACH query IN ARRAY ARRAY[
        'SELECT * FROM facts WHERE id BETWEEN 4000 AND 4100', 'SELECT * FROM facts WHERE id IN (97, 194, 5000, 30001)',
        'SELECT * FROM facts WHERE day = ''2020-02-01''', 'SELECT * FROM facts WHERE word = ''word 77''',
        'SELECT * FROM facts WHERE tags @> ''{t5,u3}''', 'SELECT * FROM facts WHERE word LIKE ''%rd 99%''',
        'SELECT * FROM facts WHERE place <@ ''(20,20),(0,0)''::box', 'SELECT * FROM facts WHERE span @> 700',
        'SELECT id FROM facts WHERE lower(word) = ''word 5''', 'SELECT id FROM facts WHERE amount > 399 AND id % 2 = 0',
        'SELECT customer, amount FROM facts WHERE customer = 7', 'SELECT * FROM customers WHERE name = ''name 12''',
        'SELECT * FROM bookings WHERE room = 3 AND during && ''[30,60)''', 'SELECT * FROM parts WHERE a BETWEEN 990 AND 1010',
        'SELECT * FROM totals WHERE customer = 9', 'SELECT id, length(body), md5(body) FROM big WHERE id IN (1, 5, 7)'] LOOP
        FOR plan IN EXECUTE 'EXPLAIN ' || regexp_replace(query, 'FROM ', 'FROM twin_retldb.') LOOP
            EXIT WHEN plan ~ 'Index';
        END LOOP;
        IF plan !~ 'Index' THEN
            RETURN NEXT 'no index: ' || query;
        END IF;
        IF same(query) !~ '^[1-9]\d* rows$' THEN
            RETURN NEXT query || ': ' || same(query);
        END IF;
    END LOOP;
END $$;

-- all types, in row groups and the row store
CREATE TABLE twin_heap.typed (LIKE types_heap);
CREATE TABLE twin_retldb.typed (LIKE types_heap) USING retldb;
SELECT twins('INSERT INTO typed SELECT * FROM types_heap');
SELECT twins('INSERT INTO typed SELECT * FROM types_heap WHERE id <= 50');
SELECT twins('UPDATE typed SET t_int4 = 5 WHERE id % 100 = 0');

-- keys, indexes, options, columns that are gone or came later
SELECT twins('CREATE TABLE customers (id int PRIMARY KEY, name text NOT NULL, doc jsonb, UNIQUE (name) DEFERRABLE)');
SELECT twins('INSERT INTO customers SELECT i, ''name '' || i, jsonb_build_object(''n'', i) FROM generate_series(1, 5000) i');
SELECT twins('CREATE TABLE facts (id bigint, gone text, customer int REFERENCES customers ON DELETE CASCADE ON UPDATE CASCADE, day date, amount numeric(12,2) CHECK (amount > -1000),
                                  word text, tags text[], place point, span int4range, twice numeric GENERATED ALWAYS AS (amount * 2) STORED)');
ALTER TABLE twin_retldb.facts SET (compression = zstd, compression_level = 2, bloom = on, row_group_rows = 3000, fillfactor = 90, autovacuum_enabled = off),
    ALTER word SET (encoding = dict, compression = none), ALTER amount SET (n_distinct = -0.5, bloom = off);
SELECT twins('INSERT INTO facts SELECT i, ''gone '' || i, 1 + i % 5000, date ''2020-01-01'' + i / 200, i / 50.0, ''word '' || i % 100,
                                       ARRAY[''t'' || i % 10, ''u'' || i % 7], point(i % 100, i / 100), int4range(i, i + 5)
                FROM generate_series(1, 20000) i');
SELECT twins('ALTER TABLE facts ADD PRIMARY KEY (id)');
SELECT twins('ALTER TABLE facts DROP COLUMN gone');
SELECT twins('ALTER TABLE facts ADD COLUMN added int DEFAULT 7');
SELECT twins('INSERT INTO facts (id, customer, day, amount, word, added) SELECT i, 1 + i % 5000, date ''2021-01-01'', 1, ''late'', i FROM generate_series(30001, 33000) i');
SELECT twins('CREATE INDEX facts_day ON facts (day, id DESC)'), twins('CREATE INDEX facts_hash ON facts USING hash (word)'), twins('CREATE INDEX facts_gin ON facts USING gin (tags)'),
       twins('CREATE INDEX facts_trgm ON facts USING gin (word gin_trgm_ops)'), twins('CREATE INDEX facts_gist ON facts USING gist (place)'),
       twins('CREATE INDEX facts_spgist ON facts USING spgist (span)'), twins('CREATE INDEX facts_lower ON facts (lower(word))'),
       twins('CREATE INDEX facts_partial ON facts (amount) WHERE id % 2 = 0'), twins('CREATE INDEX facts_include ON facts (customer) INCLUDE (amount)');
SELECT twins('CREATE STATISTICS facts_stat (ndistinct, dependencies, mcv) ON day, word FROM facts');
-- rows that were updated, deleted, locked, all of it also in vain, and by several (sub)transactions
SELECT twins('UPDATE facts SET amount = amount + 1, word = ''updated'' WHERE id % 101 = 0');
SELECT twins('DELETE FROM facts WHERE id % 103 = 0');
SELECT twins('DO $do$ BEGIN PERFORM FROM facts WHERE id % 97 = 0 FOR KEY SHARE;
                            BEGIN UPDATE facts SET amount = 0 WHERE id % 194 = 0; EXCEPTION WHEN division_by_zero THEN NULL; END;
                            BEGIN DELETE FROM facts WHERE id % 89 = 0; PERFORM 1 / 0; EXCEPTION WHEN division_by_zero THEN NULL; END; END $do$');
SELECT twins('DO $do$ BEGIN PERFORM FROM facts WHERE id % 83 = 0 FOR UPDATE; END $do$');
BEGIN;
SELECT id FROM twin_retldb.facts WHERE id = 79 FOR KEY SHARE;
SAVEPOINT s;
SELECT id FROM twin_retldb.facts WHERE id = 79 FOR NO KEY UPDATE;
COMMIT;
BEGIN;
INSERT INTO twin_retldb.facts (id) SELECT generate_series(100001, 105000);
UPDATE twin_retldb.facts SET customer = NULL WHERE id < 1000;
ROLLBACK;

-- in an order of their own; overflow and TOAST; no changes; unlogged; compacted; another tablespace
SELECT twins('CREATE TABLE sorted (a int, b text, c float8)');
ALTER TABLE twin_retldb.sorted SET (order_by = 'b DESC NULLS LAST, a', vector_rows = 64);
SELECT twins('INSERT INTO sorted SELECT i, CASE WHEN i % 11 > 0 THEN ''b'' || i * 7919 % 1000 END, i / 3.0 FROM generate_series(1, 5000) i');
SELECT twins('ALTER TABLE sorted RENAME COLUMN b TO "B b"');
SELECT twins('CREATE TABLE big (id int PRIMARY KEY, body text, bin bytea, always text DEFAULT ''x'')');
SELECT twins('ALTER TABLE big ALTER bin SET STORAGE EXTERNAL');
SELECT twins('INSERT INTO big SELECT i, (SELECT string_agg(md5(i || '' '' || k), '''') FROM generate_series(1, 200 * (i % 7) + i * 20) k), decode(repeat(md5(i::text), 5000), ''hex'')
                FROM generate_series(1, 150) i');
SELECT twins('UPDATE big SET always = ''y'' WHERE id % 5 = 0');
SELECT twins('CREATE TABLE quiet (id int PRIMARY KEY, v text)');
ALTER TABLE twin_retldb.quiet SET (suppress_noop = on, autocompact = off);
SELECT twins('INSERT INTO quiet SELECT i, i % 10 FROM generate_series(1, 3000) i');
SELECT twins('UPDATE quiet SET v = v');
SELECT twins('CREATE UNLOGGED TABLE scratch (id int PRIMARY KEY, v text)');
SELECT twins('INSERT INTO scratch SELECT i, i FROM generate_series(1, 3000) i');
SELECT twins('CREATE TABLE compacted (id int PRIMARY KEY, v text)');
SELECT twins(format('INSERT INTO compacted SELECT i, md5(i::text) FROM generate_series(%s, %s) i', n * 500, n * 500 + 499)) FROM generate_series(0, 19) n;
SELECT twins('DELETE FROM compacted WHERE id % 3 = 0');
SELECT twins('UPDATE compacted SET v = ''new'' WHERE id % 50 = 1');
SELECT twins('CREATE TABLE elsewhere (id int PRIMARY KEY USING INDEX TABLESPACE space, v text) TABLESPACE space');
SELECT twins('INSERT INTO elsewhere SELECT i, i % 10 FROM generate_series(1, 3000) i');
SELECT twins('CREATE TABLE bookings (room int, during int4range, EXCLUDE USING gist (room WITH =, during WITH &&))');
SELECT twins('INSERT INTO bookings SELECT i % 10, int4range(i * 10, i * 10 + 9) FROM generate_series(1, 1000) i');
SELECT twins('CREATE TABLE empty (a int)');
SELECT twins('CREATE TABLE numbered (id int GENERATED ALWAYS AS IDENTITY, v int)');
SELECT twins('INSERT INTO numbered (v) SELECT i FROM generate_series(1, 500) i');
CREATE FUNCTION changed() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.v := NEW.v + 1; RETURN NEW; END';
SELECT twins('CREATE TRIGGER changed BEFORE UPDATE ON numbered FOR EACH ROW EXECUTE FUNCTION public.changed()');
SELECT twins('ALTER TABLE quiet REPLICA IDENTITY FULL');
CREATE PUBLICATION published FOR TABLE twin_retldb.quiet, twin_retldb.facts;

-- materialized views
CREATE MATERIALIZED VIEW twin_heap.totals AS SELECT customer, count(*), sum(amount) FROM twin_heap.facts GROUP BY 1;
CREATE MATERIALIZED VIEW twin_retldb.totals USING retldb WITH (compression = zstd, row_store_rows = 0) AS
    SELECT customer, count(*), sum(amount) FROM twin_retldb.facts GROUP BY 1;
SELECT twins('CREATE UNIQUE INDEX totals_customer ON totals (customer)');
CREATE MATERIALIZED VIEW twin_retldb.not_yet USING retldb WITH (compression = none) AS SELECT * FROM twin_retldb.totals WITH NO DATA;

-- partitions, at two levels
CREATE TABLE twin_heap.parts (a int, b text, PRIMARY KEY (a, b)) PARTITION BY RANGE (a);
CREATE TABLE twin_retldb.parts (a int, b text, PRIMARY KEY (a, b)) PARTITION BY RANGE (a) USING retldb WITH (compression = zstd, row_store_rows = 0);
ALTER TABLE twin_retldb.parts ALTER b SET (encoding = dict);
SELECT twins('CREATE TABLE parts1 PARTITION OF parts FOR VALUES FROM (0) TO (1000)');
SELECT twins('CREATE TABLE parts2 PARTITION OF parts FOR VALUES FROM (1000) TO (2000) PARTITION BY LIST (b)');
SELECT twins('CREATE TABLE parts21 PARTITION OF parts2 FOR VALUES IN (''b1'')');
SELECT twins('CREATE TABLE parts2d PARTITION OF parts2 DEFAULT');
SELECT twins('CREATE TABLE partsd PARTITION OF parts DEFAULT');
SELECT twins('INSERT INTO parts SELECT i, ''b'' || i % 4 FROM generate_series(1, 4000) i');

-- rows that were only locked, by several, too: stubs that were retired stand there, or have gone, or are new
SELECT twins('CREATE TABLE referenced (id int PRIMARY KEY, v text)');
SELECT twins('INSERT INTO referenced SELECT i, ''v'' || i FROM generate_series(1, 4000) i');
SELECT twins('CREATE TABLE referencing (id int REFERENCES referenced)');
SELECT twins('INSERT INTO referencing SELECT i FROM generate_series(1, 1000) i');
SET retldb.retire_stubs = 1;
CALL retldb.compact('twin_retldb.referenced');
VACUUM twin_retldb.referenced;
BEGIN;
SELECT count(*) FROM (SELECT FROM twin_retldb.referenced WHERE id BETWEEN 500 AND 2000 FOR KEY SHARE) l;
SAVEPOINT s;
SELECT count(*) FROM (SELECT FROM twin_retldb.referenced WHERE id BETWEEN 1000 AND 2500 FOR NO KEY UPDATE) l;
COMMIT;
CALL retldb.compact('twin_retldb.referenced');
RESET retldb.retire_stubs;
SELECT twins('UPDATE referenced SET v = ''new'' WHERE id % 10 = 0');
SELECT count(*) FROM (SELECT FROM twin_retldb.referenced WHERE id % 10 = 1 FOR KEY SHARE) l;

-- some of it is frozen, some vacuumed, most not even looked at again
CALL retldb.compact('twin_retldb.compacted');
VACUUM twin_retldb.compacted;
VACUUM (FREEZE) twin_retldb.sorted;
VACUUM ANALYZE twin_retldb.customers;
ANALYZE twin_retldb.facts;
DO $$
BEGIN
    IF (SELECT groups('twin_retldb.typed') * groups('twin_retldb.facts') * groups('twin_retldb.big') * groups('twin_retldb.compacted') *
               groups('twin_retldb.totals') * groups('twin_retldb.parts1') * groups('twin_retldb.elsewhere') * groups('twin_retldb.scratch')) = 0 THEN
        RAISE EXCEPTION 'tables have no row groups';
    END IF;
END $$;
