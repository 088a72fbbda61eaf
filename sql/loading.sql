-- Every way of writing, as on heap.
SET retldb.row_store_rows = 10;
SET retldb.row_group_rows = 500;
SET retldb.vector_rows = 64;

CREATE TABLE source (a int, b text, c float8, d date) USING heap;
INSERT INTO source
SELECT i, CASE WHEN i % 5 <> 0 THEN 'text ' || i END, i / 3.0, date '2020-01-01' + i % 500 FROM generate_series(1, 3000) i;

-- COPY in each format
CREATE TEMP TABLE copied AS SELECT current_setting('data_directory') || '/retldb_regress_copy' AS file;
DO $$
DECLARE
    format text;
BEGIN
    FOREACH format IN ARRAY '{text,csv,binary}'::text[] LOOP
        EXECUTE format('COPY source TO %L (FORMAT %s)', (SELECT file FROM copied), format);
        EXECUTE format('CREATE TABLE copy_%s (LIKE source) USING retldb', format);
        EXECUTE format('COPY copy_%1$s FROM %2$L (FORMAT %1$s)', format, (SELECT file FROM copied));
    END LOOP;
END $$;
SELECT differences('copy_text', 'source') AS text, differences('copy_csv', 'source') AS csv, differences('copy_binary', 'source') AS binary;
SELECT groups('copy_text'), groups('copy_csv'), groups('copy_binary');
SELECT faults('copy_text'), faults('copy_csv'), faults('copy_binary');

-- nulls in all places of a batch of rows, in columns of all widths: never, here and there, in stretches, always
CREATE TABLE nulls_heap (a int, b bool, c "char", d int2, e int4, f int8, g uuid, h name, i text, j numeric, k text) USING heap;
INSERT INTO nulls_heap
SELECT n, CASE WHEN n % 2 = 0 THEN n % 3 = 0 END, CASE WHEN n % 3 <> 0 THEN chr(65 + n % 26)::"char" END,
       CASE WHEN n % 64 <> 10 THEN n % 700 END, CASE WHEN n % 64 = 9 THEN n END, CASE WHEN n / 100 % 2 = 0 THEN n END,
       CASE WHEN n / 70 % 3 = 0 THEN md5(n::text)::uuid END, CASE WHEN n % 65 > 1 THEN 'name ' || n END,
       CASE WHEN n % 7 <> 0 THEN repeat('x', n % 40) END, CASE WHEN n / 64 % 2 = 0 THEN n / 8.0 END, NULL
  FROM generate_series(1, 2000) n;
CREATE TABLE nulls (LIKE nulls_heap) USING retldb;
DO $$
BEGIN
    EXECUTE format('COPY nulls_heap TO %L', (SELECT file FROM copied));
    EXECUTE format('COPY nulls FROM %L', (SELECT file FROM copied));
END $$;
SELECT differences('nulls', 'nulls_heap'), faults('nulls'), groups('nulls');

-- COPY of some columns, with WHERE, with FREEZE, with an error
CREATE TABLE partial (a int DEFAULT 42, b text DEFAULT 'default', x int, c float8) USING retldb;
DO $$
BEGIN
    EXECUTE format('COPY source (b, c) TO %L', (SELECT file FROM copied));
    EXECUTE format('COPY partial (b, c) FROM %L WHERE c < 500', (SELECT file FROM copied));
END $$;
SELECT count(*), count(x), min(a), max(a), max(c) FROM partial;
BEGIN;
CREATE TABLE frozen (b text, c float8) USING retldb;
DO $$
BEGIN
    EXECUTE format('COPY frozen FROM %L (FREEZE)', (SELECT file FROM copied));
END $$;
COMMIT;
SELECT count(*), faults('frozen') FROM frozen;
COPY partial (a, b) FROM STDIN;
7	seven
8	eight
nine	nine
\.
SELECT count(*) FROM partial WHERE a < 42;
COPY partial (a, b) FROM STDIN;
7	seven
8	eight
\.
SELECT a, b, x, c FROM partial WHERE a < 42 ORDER BY a;

-- CREATE TABLE AS, SELECT INTO, materialized views
CREATE TABLE ctas USING retldb AS SELECT * FROM source;
SELECT differences('ctas', 'source'), groups('ctas') > 1 AS has_groups;
CREATE TABLE ctas_empty USING retldb AS SELECT * FROM source WITH NO DATA;
SELECT count(*) FROM ctas_empty;
SET default_table_access_method = retldb;
SELECT * INTO into_table FROM source WHERE a > 1000;
CREATE TABLE by_default (a int);
RESET default_table_access_method;
SELECT relname, amname FROM pg_class c JOIN pg_am a ON a.oid = relam WHERE relname IN ('into_table', 'by_default', 'ctas_empty') ORDER BY 1;
SELECT count(*), groups('into_table') > 1 AS has_groups FROM into_table;
CREATE MATERIALIZED VIEW matview USING retldb AS SELECT a, b FROM source WITH NO DATA;
SELECT * FROM matview;
REFRESH MATERIALIZED VIEW matview;
SELECT count(*), sum(a), groups('matview') > 1 AS has_groups FROM matview;
INSERT INTO source VALUES (3001, 'new', 0, NULL);
REFRESH MATERIALIZED VIEW matview;
SELECT count(*), sum(a), faults('matview') FROM matview;
DELETE FROM source WHERE a = 3001;
-- rows of a row store that go on to row groups stay as they are
CREATE TABLE few USING retldb AS SELECT a, b FROM source WHERE a <= 10;
BEGIN;
CREATE TABLE few_copied USING retldb WITH (row_store_rows = 0) AS SELECT * FROM few;
SELECT count(*) FROM few_copied;
SELECT groups('few'), groups('few_copied'), count(*), count(*) FILTER (WHERE few.xmin = pg_current_xact_id()::xid) AS changed FROM few;
ROLLBACK;
DROP TABLE few;

-- constraints
CREATE TABLE constrained (a int NOT NULL, b text CHECK (length(b) < 12), CHECK (a > 0 OR b IS NOT NULL)) USING retldb;
INSERT INTO constrained SELECT a, b FROM source;
INSERT INTO constrained SELECT a, b || 'too long' FROM source;
INSERT INTO constrained SELECT nullif(a, 2500), b FROM source;
INSERT INTO constrained SELECT a - 2000, b FROM source;
SELECT count(*), faults('constrained') FROM constrained;
ALTER TABLE constrained ADD CHECK (a < 2000);
ALTER TABLE constrained ADD CHECK (a < 2000) NOT VALID;
INSERT INTO constrained VALUES (2001, 'x');
ALTER TABLE constrained VALIDATE CONSTRAINT constrained_a_check;
ALTER TABLE constrained ALTER b SET NOT NULL;
ALTER TABLE constrained ALTER a DROP NOT NULL;
INSERT INTO constrained VALUES (NULL, 'x');
SELECT count(*) FROM constrained;

-- defaults, generated and identity columns
CREATE TABLE defaults (id int GENERATED ALWAYS AS IDENTITY, s serial, a int, twice int GENERATED ALWAYS AS (a * 2) STORED,
                       day date DEFAULT '2022-02-22', t text DEFAULT 'd') USING retldb;
INSERT INTO defaults (a) SELECT a FROM source;
INSERT INTO defaults (a, day, t) VALUES (-1, DEFAULT, NULL), (-2, '2000-01-01', DEFAULT);
SELECT count(*), count(DISTINCT id), max(id), max(s), sum(twice) - 2 * sum(a) AS zero, min(day), count(t) FROM defaults;
INSERT INTO defaults (id, a) VALUES (1, 1);
INSERT INTO defaults (a, twice) VALUES (1, 1);

-- domains
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE TABLE domains (p positive, q positive NOT NULL) USING retldb;
INSERT INTO domains SELECT a, a FROM source;
INSERT INTO domains SELECT a - 1000, a FROM source;
INSERT INTO domains SELECT a, nullif(a, 2000) FROM source;
SELECT count(*), sum(p) FROM domains;

-- triggers
CREATE TABLE audit (what text, n bigint);
CREATE FUNCTION row_trigger() RETURNS trigger LANGUAGE plpgsql SET debug_discard_caches = 0 AS $$
BEGIN
    IF TG_WHEN = 'BEFORE' THEN
        IF NEW.a % 3 = 0 THEN
            RETURN NULL;
        END IF;
        NEW.b := 'changed';
        RETURN NEW;
    END IF;
    IF NEW.a % 500 = 1 THEN
        INSERT INTO audit VALUES (TG_WHEN || ' ' || TG_LEVEL || ' ' || NEW.b, NEW.a);
    END IF;
    RETURN NULL;
END $$;
CREATE FUNCTION statement_trigger() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_WHEN = 'AFTER' THEN
        INSERT INTO audit SELECT 'transition table', count(*) FROM inserted;
        INSERT INTO audit SELECT 'whole table', count(*) FROM triggered;
    ELSE
        INSERT INTO audit SELECT 'before statement', count(*) FROM triggered;
    END IF;
    RETURN NULL;
END $$;
CREATE TABLE triggered (a int, b text) USING retldb;
CREATE TRIGGER before_row BEFORE INSERT ON triggered FOR EACH ROW EXECUTE FUNCTION row_trigger();
CREATE TRIGGER after_row AFTER INSERT ON triggered FOR EACH ROW EXECUTE FUNCTION row_trigger();
CREATE TRIGGER before_statement BEFORE INSERT ON triggered FOR EACH STATEMENT EXECUTE FUNCTION statement_trigger();
CREATE TRIGGER after_statement AFTER INSERT ON triggered REFERENCING NEW TABLE AS inserted FOR EACH STATEMENT EXECUTE FUNCTION statement_trigger();
INSERT INTO triggered SELECT a, b FROM source;
SELECT * FROM audit ORDER BY what, n;
TRUNCATE audit;
DROP TRIGGER before_row ON triggered;
DO $$
BEGIN
    EXECUTE format('COPY (SELECT a, b FROM source) TO %L', (SELECT file FROM copied));
    EXECUTE format('COPY triggered FROM %L', (SELECT file FROM copied));
END $$;
SELECT * FROM audit ORDER BY what, n;
SELECT count(*), count(*) FILTER (WHERE b = 'changed') AS changed, faults('triggered') FROM triggered;
-- a deferred constraint trigger fetches rows at commit
TRUNCATE audit;
CREATE CONSTRAINT TRIGGER deferred AFTER INSERT ON triggered DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION row_trigger();
BEGIN;
INSERT INTO triggered SELECT a, 'deferred' FROM source WHERE a > 1000;
SELECT count(*) FROM audit;
COMMIT;
SELECT * FROM audit ORDER BY what, n;
TRUNCATE triggered;
-- INSTEAD OF a view on it
CREATE VIEW triggered_view AS SELECT a, b FROM triggered;
INSERT INTO triggered_view SELECT a, b FROM source WHERE a <= 1000;
SELECT count(*) FROM triggered;

-- foreign keys from it
CREATE TABLE parent (id int PRIMARY KEY) USING heap;
INSERT INTO parent SELECT generate_series(1, 2000);
CREATE TABLE child (id int REFERENCES parent ON DELETE RESTRICT, x text) USING retldb;
INSERT INTO child SELECT a, b FROM source WHERE a <= 2000;
INSERT INTO child SELECT a, b FROM source;
SELECT count(*) FROM child;
INSERT INTO child VALUES (2001, 'no parent');
CREATE TABLE child_later (id int) USING retldb;
INSERT INTO child_later SELECT a FROM source;
ALTER TABLE child_later ADD FOREIGN KEY (id) REFERENCES parent;
INSERT INTO parent SELECT generate_series(2001, 3000);
ALTER TABLE child_later ADD FOREIGN KEY (id) REFERENCES parent;

-- row level security
CREATE ROLE regress_retldb_user;
CREATE TABLE secured (owner text, n int) USING retldb;
GRANT ALL ON secured, source TO regress_retldb_user;
INSERT INTO secured SELECT CASE WHEN a % 2 = 0 THEN 'regress_retldb_user' ELSE 'other' END, a FROM source;
ALTER TABLE secured ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON secured USING (owner = current_user);
CREATE FUNCTION leak(int) RETURNS bool LANGUAGE plpgsql COST 0.0001 AS $$
BEGIN
    IF $1 IN (1, 2999) THEN
        RAISE NOTICE 'leaked %', $1;
    END IF;
    RETURN true;
END $$;
SET ROLE regress_retldb_user;
SELECT count(*), count(*) FILTER (WHERE owner = 'other') AS foreign_rows FROM secured;
INSERT INTO secured SELECT 'regress_retldb_user', a FROM source;
INSERT INTO secured SELECT 'other', a FROM source;
SELECT count(*) FROM secured WHERE leak(n) AND n > 0;
RESET ROLE;
SELECT count(*) FROM secured;
DROP FUNCTION leak(int);
DROP TABLE secured;

-- insert from itself, with other commands in between
CREATE TABLE self (a int, b text) USING retldb;
INSERT INTO self SELECT a, b FROM source WHERE a <= 100;
INSERT INTO self SELECT a + 100, b FROM self;
INSERT INTO self SELECT a + 200, b FROM self;
INSERT INTO self SELECT a + 400, b FROM self;
INSERT INTO self SELECT a + 800, b FROM self;
SELECT count(*), count(DISTINCT a), max(a), faults('self') FROM self;

-- a function that reads the table while it is loaded
CREATE FUNCTION self_count() RETURNS bigint LANGUAGE sql VOLATILE AS 'SELECT count(*) FROM self';
INSERT INTO self SELECT self_count(), 'counted' FROM generate_series(1, 50);
SELECT min(a), max(a), count(*) FROM self WHERE b = 'counted';
CREATE FUNCTION self_insert(int) RETURNS int LANGUAGE sql VOLATILE SET debug_discard_caches = 0 AS
    $$INSERT INTO self VALUES (-$1, 'nested'); SELECT $1$$;
INSERT INTO self SELECT self_insert(a), 'outer' FROM generate_series(1, 1000) a;
SELECT b, count(*), sum(a) FROM self WHERE b IN ('nested', 'outer') GROUP BY b ORDER BY b;

-- savepoints
CREATE TABLE saved (a int) USING retldb;
BEGIN;
INSERT INTO saved SELECT generate_series(1, 1000);
SAVEPOINT one;
INSERT INTO saved SELECT generate_series(1001, 2000);
SAVEPOINT two;
INSERT INTO saved SELECT generate_series(2001, 3000);
SELECT count(*), max(a) FROM saved;
ROLLBACK TO two;
SELECT count(*), max(a) FROM saved;
INSERT INTO saved SELECT generate_series(5001, 6000);
RELEASE two;
ROLLBACK TO one;
SELECT count(*), max(a) FROM saved;
INSERT INTO saved SELECT generate_series(7001, 8000);
COMMIT;
SELECT count(*), max(a), faults('saved') FROM saved;
DO $$
BEGIN
    FOR i IN 1 .. 20 LOOP
        BEGIN
            INSERT INTO saved SELECT 10000 + i FROM generate_series(1, 100);
            IF i % 2 = 0 THEN
                RAISE EXCEPTION 'undo';
            END IF;
        EXCEPTION WHEN raise_exception THEN
            NULL;
        END;
    END LOOP;
END $$;
SELECT count(*), count(DISTINCT a), faults('saved') FROM saved WHERE a > 10000;
BEGIN;
INSERT INTO saved SELECT generate_series(1, 1000);
ROLLBACK;
SELECT count(*), faults('saved') FROM saved;

-- an error after many rows leaves nothing
INSERT INTO saved SELECT 1 / (2000 - i) FROM generate_series(1, 3000) i;
SELECT count(*), faults('saved') FROM saved;

-- two-phase commit
BEGIN;
INSERT INTO saved SELECT generate_series(20001, 21000);
PREPARE TRANSACTION 'retldb_one';
SELECT count(*) FROM saved;
BEGIN;
INSERT INTO saved SELECT generate_series(30001, 31000);
PREPARE TRANSACTION 'retldb_two';
SELECT faults('saved');
COMMIT PREPARED 'retldb_one';
ROLLBACK PREPARED 'retldb_two';
SELECT count(*), max(a), faults('saved') FROM saved;

-- procedures that commit in between
CREATE PROCEDURE load_in_steps() LANGUAGE plpgsql AS $$
BEGIN
    FOR i IN 1 .. 6 LOOP
        INSERT INTO saved SELECT 40000 + i FROM generate_series(1, 600);
        IF i % 3 = 0 THEN
            ROLLBACK;
        ELSE
            COMMIT;
        END IF;
    END LOOP;
END $$;
CALL load_in_steps();
SELECT a, count(*) FROM saved WHERE a > 40000 GROUP BY a ORDER BY a;

-- partitions: one command fills many
CREATE TABLE parts (a int, b text) PARTITION BY LIST (a);
DO $$
BEGIN
    FOR i IN 0 .. 19 LOOP
        EXECUTE format('CREATE TABLE parts_%s PARTITION OF parts FOR VALUES IN (%s) USING %s', i, i, CASE WHEN i % 5 = 4 THEN 'heap' ELSE 'retldb' END);
    END LOOP;
END $$;
INSERT INTO parts SELECT i % 20, 'row ' || i FROM generate_series(1, 20000) i;
SELECT count(*), count(DISTINCT tableoid), min(n), max(n) FROM (SELECT tableoid, count(*) OVER (PARTITION BY tableoid) AS n FROM parts) x;
DO $$
BEGIN
    EXECUTE format('COPY (SELECT * FROM parts) TO %L', (SELECT file FROM copied));
END $$;
TRUNCATE parts;
DO $$
BEGIN
    EXECUTE format('COPY parts FROM %L', (SELECT file FROM copied));
END $$;
SELECT count(*), count(DISTINCT b) FROM parts;
SELECT sum(faults(oid)) FROM pg_class WHERE relname ~ '^parts_' AND relam = (SELECT oid FROM pg_am WHERE amname = 'retldb');
SELECT count(*) FROM parts WHERE a = 3;
INSERT INTO parts VALUES (20, 'no partition');
CREATE TABLE detached (a int, b text) USING retldb;
INSERT INTO detached SELECT 20, 'row' FROM generate_series(1, 1000);
INSERT INTO detached VALUES (21, 'row');
ALTER TABLE parts ATTACH PARTITION detached FOR VALUES IN (20);
ALTER TABLE parts ATTACH PARTITION detached FOR VALUES IN (20, 21);
SELECT count(*) FROM parts WHERE a >= 20;
ALTER TABLE parts DETACH PARTITION detached;
SELECT count(*) FROM parts;

-- a tight memory budget, shared by all partitions
SET retldb.write_memory = '1MB';
SET retldb.row_group_rows = 100000;
TRUNCATE parts;
INSERT INTO parts SELECT i % 20, repeat(md5(i::text), 10) FROM generate_series(1, 20000) i;
SELECT count(*), count(DISTINCT b) FROM parts;
SELECT sum(faults(oid)) FROM pg_class WHERE relname ~ '^parts_' AND relam = (SELECT oid FROM pg_am WHERE amname = 'retldb');

DROP TABLE parts, detached, saved, self, child, child_later, parent, triggered, audit, domains, defaults, constrained,
    ctas, ctas_empty, into_table, by_default, partial, frozen, nulls, nulls_heap, copy_text, copy_csv, copy_binary, copied CASCADE;
DROP MATERIALIZED VIEW matview;
DROP TABLE source;
DROP DOMAIN positive;
DROP FUNCTION row_trigger, statement_trigger, self_count, self_insert;
DROP PROCEDURE load_in_steps;
DROP ROLE regress_retldb_user;
