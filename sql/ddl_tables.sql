-- Commands about tables: retldb and heap twins (setup.sql) must come to the same
-- end, in catalogs and rows.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE ROLE regress_retldb_owner;
CREATE ROLE regress_retldb_user;
GRANT ALL ON SCHEMA twin_heap, twin_retldb TO regress_retldb_owner;
GRANT USAGE ON SCHEMA twin_heap, twin_retldb TO regress_retldb_user;
GRANT CREATE ON SCHEMA public TO regress_retldb_owner;

-- inheritance: children with other columns in another order, of both methods
SELECT fresh_twins();
SELECT twins('CREATE TABLE child (extra text, v text, id int, x numeric(12,2), d date, n int)'), twins('ALTER TABLE child INHERIT t');
SELECT twins('INSERT INTO child SELECT ''e'' || i, ''v'' || i % 10, i, i / 100.0, ''2020-01-01'', i % 5 FROM generate_series(10001, 12500) i');
SELECT twins('CREATE TABLE ordinary (more int DEFAULT 3) INHERITS (t) USING heap'), twins('INSERT INTO ordinary (id, v) SELECT i, ''v'' || i % 10 FROM generate_series(13001, 13100) i');
SELECT twins('CREATE TABLE grandchild (z int) INHERITS (child)'), twins('INSERT INTO grandchild (id, v, z) SELECT i, ''v'' || i % 10, i FROM generate_series(14001, 16000) i');
SELECT same('SELECT * FROM t'), same('SELECT * FROM ONLY t'), same('SELECT id, v FROM t WHERE v = ''v3'''), same('SELECT count(*), sum(id), max(n) FROM t GROUP BY v');
SELECT twins('UPDATE t SET v = ''changed'' WHERE id % 500 = 7'), twins('DELETE FROM t WHERE id % 500 = 8'), twins('UPDATE ONLY t SET x = 1 WHERE id < 100');
SELECT same('SELECT id FROM t WHERE v = ''changed'''), twins_agree();
SELECT twins('ALTER TABLE t ADD COLUMN added int DEFAULT 11'), twins('ALTER TABLE t RENAME v TO vv'), twins('ALTER TABLE child RENAME n TO nn'),
       twins('ALTER TABLE t ALTER n TYPE bigint'), twins('ALTER TABLE ONLY t ADD CHECK (id > 0)'), twins('ALTER TABLE t ADD CONSTRAINT positive CHECK (id > 0)'),
       twins('ALTER TABLE t ALTER id SET NOT NULL');
SELECT same('SELECT id, added FROM t WHERE added = 11'), same('SELECT * FROM child WHERE n = 3 AND extra > ''e'''), twins_agree();
SELECT twins('ALTER TABLE child DROP COLUMN added'), twins('ALTER TABLE t DROP COLUMN added'), twins('ALTER TABLE ONLY t DROP COLUMN d'), twins('ALTER TABLE child DROP COLUMN d');
SELECT same('SELECT * FROM t'), same('SELECT * FROM grandchild'), twins_agree();
SELECT twins('ALTER TABLE child NO INHERIT t'), twins('ALTER TABLE child DROP CONSTRAINT positive'), twins('ALTER TABLE child INHERIT t'), same('SELECT * FROM t');
SELECT twins('ALTER TABLE ordinary SET ACCESS METHOD retldb'), same('SELECT * FROM t'), twins('ALTER TABLE ordinary SET ACCESS METHOD heap');
SELECT twins('TRUNCATE t'), same('SELECT * FROM t'), twins('DROP TABLE t'), twins('DROP TABLE t CASCADE'), twins('DROP TABLE IF EXISTS child, ordinary, grandchild CASCADE');

-- typed tables
SELECT twins('CREATE TYPE shape AS (a int, b text)'), twins('CREATE TABLE shaped OF shape (a WITH OPTIONS DEFAULT 7 CHECK (a < 5000))');
SELECT twins('INSERT INTO shaped SELECT i, ''b'' || i FROM generate_series(1, 2000) i'), twins('INSERT INTO shaped (b) VALUES (''default'')'), twins('INSERT INTO shaped VALUES (5000)');
SELECT twins('ALTER TYPE shape ADD ATTRIBUTE c numeric'), twins('ALTER TYPE shape ADD ATTRIBUTE c numeric CASCADE'), twins('ALTER TYPE shape ALTER ATTRIBUTE a TYPE bigint CASCADE'),
       twins('ALTER TYPE shape RENAME ATTRIBUTE b TO bb CASCADE'), twins('ALTER TABLE shaped ADD COLUMN d int');
SELECT same('SELECT * FROM shaped WHERE c IS NULL'), twins('UPDATE shaped SET c = a WHERE a < 100'), same('SELECT * FROM shaped WHERE bb = ''b50'''), twins_agree();
SELECT twins('ALTER TYPE shape DROP ATTRIBUTE bb CASCADE'), same('SELECT * FROM shaped'), twins('ALTER TABLE shaped NOT OF'), twins('ALTER TABLE shaped OF shape'),
       twins('ALTER TABLE shaped NOT OF'), twins('ALTER TABLE shaped ADD COLUMN d int DEFAULT 4'), twins('DROP TYPE shape'), same('SELECT * FROM shaped WHERE d = 4');
SELECT twins_agree(), twins('DROP TABLE shaped');

-- CREATE TABLE LIKE
SELECT fresh_twins();
SELECT twins('ALTER TABLE t ADD CHECK (id > 0), ALTER n SET DEFAULT 5, ALTER v SET STORAGE EXTERNAL, ALTER v SET COMPRESSION pglz, ADD COLUMN g int GENERATED ALWAYS AS (n + 1) STORED'),
       twins('ALTER TABLE t ADD COLUMN i bigint GENERATED ALWAYS AS IDENTITY'), twins('COMMENT ON COLUMN t.v IS ''a value'''), twins('CREATE STATISTICS st ON n, v FROM t'),
       twins('ALTER TABLE t DROP COLUMN i');
SELECT twins('CREATE TABLE l1 (LIKE t)'), twins('CREATE TABLE l2 (LIKE t INCLUDING ALL)'), twins('CREATE TABLE l3 (first int, LIKE t INCLUDING DEFAULTS INCLUDING GENERATED, last int)'),
       twins('CREATE TABLE l4 (LIKE t INCLUDING ALL EXCLUDING CONSTRAINTS EXCLUDING STATISTICS) USING heap');
SELECT twins('INSERT INTO l2 (id, v) SELECT id, v FROM t'), twins('INSERT INTO l2 (id) VALUES (-1)'), twins('INSERT INTO l3 SELECT 1, id, n, v, d, x FROM t'), twins_agree();
SELECT twins('DROP TABLE l1, l2, l3, l4');

-- rules, comments, triggers, statistics, names, schemas
SELECT twins('CREATE TABLE log (what text, id int)'), twins('CREATE RULE tell AS ON UPDATE TO t DO ALSO INSERT INTO log VALUES (''updated'', OLD.id)'),
       twins('CREATE RULE keep AS ON DELETE TO t WHERE OLD.id < 10 DO INSTEAD INSERT INTO log VALUES (''kept'', OLD.id)'),
       twins('CREATE RULE elsewhere AS ON INSERT TO t WHERE NEW.id > 100000 DO INSTEAD INSERT INTO log VALUES (''elsewhere'', NEW.id)');
SELECT twins('UPDATE t SET n = n + 1 WHERE id % 50 = 0'), twins('DELETE FROM t WHERE id < 20'), twins('INSERT INTO t (id) SELECT i FROM generate_series(99001, 101000) i'),
       twins('ALTER TABLE t DISABLE RULE tell'), twins('UPDATE t SET n = 0 WHERE id % 50 = 1'), twins('ALTER RULE tell ON t RENAME TO told'), twins('DROP RULE keep ON t');
SELECT same('SELECT * FROM log'), twins_agree();
SELECT twins('COMMENT ON TABLE t IS ''rows'''), twins('COMMENT ON RULE told ON t IS ''a rule'''), twins('COMMENT ON CONSTRAINT t_id_check ON t IS ''positive'''),
       twins('CREATE FUNCTION count_row() RETURNS trigger LANGUAGE plpgsql SET debug_discard_caches = 0 AS ''BEGIN INSERT INTO log VALUES (TG_OP || TG_WHEN, NEW.id); RETURN NEW; END'''),
       twins('CREATE TRIGGER counted AFTER UPDATE OF v ON t FOR EACH ROW WHEN (NEW.id < 100) EXECUTE FUNCTION count_row()'),
       twins('UPDATE t SET v = ''u'' WHERE id % 20 = 3'), twins('ALTER TABLE t DISABLE TRIGGER counted'), twins('UPDATE t SET v = ''w'' WHERE id % 20 = 3'),
       twins('ALTER TRIGGER counted ON t RENAME TO counter');
SELECT twins('ALTER TABLE t RENAME TO renamed'), twins('ALTER TABLE renamed CLUSTER ON nope'), twins('ALTER TABLE renamed SET WITHOUT CLUSTER'),
       twins('ALTER TABLE renamed RENAME TO t'), twins('ALTER TABLE t ALTER n SET STATISTICS 200, ALTER v SET (n_distinct = -0.5), ALTER v RESET (n_distinct)'),
       twins('ALTER TABLE t REPLICA IDENTITY FULL'), twins('ALTER TABLE t ENABLE ROW LEVEL SECURITY'), twins('ALTER TABLE t DISABLE ROW LEVEL SECURITY'), twins('ALTER TABLE t SET (fillfactor = 90)');
SELECT same('SELECT * FROM log'), twins_agree();
SELECT twins('DROP TABLE log CASCADE'), twins('DROP FUNCTION count_row CASCADE');

-- privileges: of tables and columns, COPY, inspection
SELECT fresh_twins();
SELECT twins('ALTER TABLE t OWNER TO regress_retldb_owner'), twins('GRANT SELECT (id, v), UPDATE (v), INSERT (id) ON t TO regress_retldb_user');
SET ROLE regress_retldb_user;
SELECT same('SELECT id FROM t WHERE v = ''v7'''), same('SELECT count(*) FROM t'), twins('SELECT * FROM t'), twins('SELECT id FROM t WHERE n = 3'), twins('SELECT id FROM t ORDER BY x LIMIT 1'),
       twins('SELECT ctid FROM t'), twins('UPDATE t SET v = ''mine'' WHERE id = 7'), twins('UPDATE t SET n = 1 WHERE id = 7'), twins('UPDATE t SET v = v || n WHERE id = 7'),
       twins('DELETE FROM t WHERE id = 7'), twins('SELECT id FROM t WHERE id = 7 FOR UPDATE'), twins('INSERT INTO t (id) VALUES (20000)'), twins('INSERT INTO t (id, n) VALUES (1, 1)'),
       twins('TRUNCATE t'), twins('LOCK TABLE t IN EXCLUSIVE MODE'), twins('ALTER TABLE t ADD COLUMN no int'), twins('DROP TABLE t'), twins('COMMENT ON TABLE t IS ''no''');
COPY twin_retldb.t TO STDOUT;
COPY (SELECT id, v FROM twin_retldb.t WHERE id < 4 ORDER BY id) TO STDOUT;
COPY twin_retldb.t (id, n) TO STDOUT;
CALL retldb.compact('twin_retldb.t');
SELECT * FROM retldb.verify('twin_retldb.t');
SELECT count(*) FROM retldb.row_groups('twin_retldb.t');
SELECT count(*) FROM retldb.columns('twin_retldb.t');
SELECT length(retldb.storage_report('twin_retldb.t'));
SELECT count(*) FROM retldb.tables WHERE name = 'twin_retldb.t'::regclass;
RESET ROLE;
GRANT pg_stat_scan_tables TO regress_retldb_user;
SET ROLE regress_retldb_user;
SELECT count(*) FROM retldb.verify('twin_retldb.t');
SELECT count(*) > 0 AS groups, bool_and(rows > 0) AS rows FROM retldb.row_groups('twin_retldb.t');
SELECT count(*) FROM retldb.column_chunks('twin_retldb.t') WHERE min_key IS NOT NULL OR max_key IS NOT NULL;
SELECT count(*) > 0 AS columns FROM retldb.columns('twin_retldb.t');
SELECT length(retldb.storage_report('twin_retldb.t')) > 1000 AS report;
CALL retldb.compact('twin_retldb.t');
RESET ROLE;
REVOKE pg_stat_scan_tables FROM regress_retldb_user;
GRANT pg_monitor TO regress_retldb_user;
SET ROLE regress_retldb_user;
SELECT count(*) FROM retldb.verify('twin_retldb.t');
SELECT count(*) >= 0 AS progress FROM retldb.progress_compact;
SELECT count(*) >= 0 AS compaction FROM retldb.compaction;
RESET ROLE;
REVOKE pg_monitor FROM regress_retldb_user;
SELECT twins('REVOKE ALL (v) ON t FROM regress_retldb_user'), twins('GRANT SELECT, DELETE ON t TO regress_retldb_user WITH GRANT OPTION');
SET ROLE regress_retldb_user;
SELECT same('SELECT * FROM t'), twins('DELETE FROM t WHERE id < 10'), twins('UPDATE t SET v = ''no''');
RESET ROLE;
SET ROLE regress_retldb_owner;
CALL retldb.compact('twin_retldb.t');
SELECT twins('ALTER TABLE t ADD COLUMN own int DEFAULT 1'), twins('VACUUM t'), twins('REVOKE ALL ON t FROM regress_retldb_owner'), twins('SELECT * FROM t'), twins('INSERT INTO t (id) VALUES (1)');
RESET ROLE;
SELECT twins_agree();

-- event triggers
SELECT fresh_twins();
CREATE TABLE events (n int GENERATED ALWAYS AS IDENTITY, event text, tag text, object text, schema text) USING heap;
CREATE FUNCTION event() RETURNS event_trigger LANGUAGE plpgsql AS $$
DECLARE
    r record;
BEGIN
    IF TG_EVENT = 'table_rewrite' THEN
        INSERT INTO public.events (event, tag, object, schema)
            SELECT TG_EVENT || ' ' || pg_event_trigger_table_rewrite_reason(), TG_TAG, relname, nspname
              FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE c.oid = pg_event_trigger_table_rewrite_oid();
    ELSIF TG_EVENT = 'sql_drop' THEN
        INSERT INTO public.events (event, tag, object, schema)
            SELECT TG_EVENT || ' ' || original::text || ' ' || normal::text, TG_TAG, object_type || ' ' || regexp_replace(object_identity, 'twin_\w+', 'twin', 'g'), schema_name
              FROM pg_event_trigger_dropped_objects();
    ELSIF TG_EVENT = 'ddl_command_end' THEN
        INSERT INTO public.events (event, tag, object, schema)
            SELECT TG_EVENT, TG_TAG, command_tag || ' ' || object_type || ' ' || regexp_replace(object_identity, 'twin_\w+', 'twin', 'g'), schema_name
              FROM pg_event_trigger_ddl_commands();
    ELSE
        INSERT INTO public.events (event, tag, schema) VALUES (TG_EVENT, TG_TAG, current_schema());
    END IF;
END $$;
CREATE EVENT TRIGGER started ON ddl_command_start EXECUTE FUNCTION event();
CREATE EVENT TRIGGER ended ON ddl_command_end EXECUTE FUNCTION event();
CREATE EVENT TRIGGER rewriting ON table_rewrite EXECUTE FUNCTION event();
CREATE EVENT TRIGGER dropped ON sql_drop EXECUTE FUNCTION event();
SELECT twins('ALTER TABLE t ADD COLUMN a int DEFAULT 1'), twins('ALTER TABLE t ALTER n TYPE bigint'), twins('ALTER TABLE t DROP COLUMN x'), twins('ALTER TABLE t SET UNLOGGED'),
       twins('CREATE TABLE made AS SELECT * FROM t'), twins('SELECT id INTO into_made FROM t'), twins('ALTER TABLE made SET (fillfactor = 90)'), twins('DROP TABLE made'),
       twins('CREATE MATERIALIZED VIEW m AS SELECT count(*) FROM t'), twins('REFRESH MATERIALIZED VIEW m'), twins('ALTER TABLE t ADD COLUMN r float8 DEFAULT random()'),
       twins('DROP TABLE t CASCADE'), twins('DROP TABLE into_made');
-- the events of commands with options of ours are those of such with PostgreSQL's
SELECT twin_run('heap', 'CREATE TABLE o (a int) WITH (fillfactor = 90)'), twin_run('retldb', 'CREATE TABLE o (a int) WITH (compression = zstd)'),
       twin_run('heap', 'ALTER TABLE o SET (fillfactor = 80), ALTER a SET (n_distinct = 3)'), twin_run('retldb', 'ALTER TABLE o SET (compression = lz4), ALTER a SET (compression = none)'),
       twin_run('heap', 'CREATE TABLE o2 WITH (fillfactor = 90) AS SELECT * FROM o'), twin_run('retldb', 'CREATE TABLE o2 WITH (row_store_rows = 5) AS SELECT * FROM o'),
       twin_run('heap', 'ALTER TABLE o ALTER a TYPE bigint, RESET (fillfactor)'), twin_run('retldb', 'ALTER TABLE o ALTER a TYPE bigint, RESET (compression)'),
       twin_run('heap', 'DROP TABLE o, o2'), twin_run('retldb', 'DROP TABLE o, o2');
DROP EVENT TRIGGER started;
DROP EVENT TRIGGER ended;
DROP EVENT TRIGGER rewriting;
DROP EVENT TRIGGER dropped;
-- one after the other, since each twin's commands stand in one schema
SELECT event, tag, object, count(*) FILTER (WHERE schema = 'twin_heap') AS heap, count(*) FILTER (WHERE schema = 'twin_retldb') AS retldb
  FROM events GROUP BY event, tag, object HAVING count(*) FILTER (WHERE schema = 'twin_heap') <> count(*) FILTER (WHERE schema = 'twin_retldb');
SELECT count(*) > 50 AS events, count(DISTINCT event) AS kinds FROM events;
DROP TABLE events;
DROP FUNCTION event;

-- SET ACCESS METHOD, TABLESPACE, LOGGED, in the middle of a transaction as well
SELECT fresh_twins();
SELECT twins('ALTER TABLE t ADD COLUMN def text DEFAULT ''def'', ADD CHECK (id > 0), ADD COLUMN gen int GENERATED ALWAYS AS (n * 2) STORED, ADD COLUMN ide int GENERATED ALWAYS AS IDENTITY (START 100)'),
       twins('UPDATE t SET v = def WHERE id % 31 = 0'), twins('ALTER TABLE t DROP COLUMN ide');
SELECT twin_run('retldb', 'ALTER TABLE t SET ACCESS METHOD heap'), twins_agree(), twin_run('retldb', 'ALTER TABLE t SET ACCESS METHOD retldb'), twins_agree();
BEGIN;
SELECT twins('INSERT INTO t (id, def) SELECT i, ''new'' FROM generate_series(1, 2500) i'), twins('DELETE FROM t WHERE id % 3 = 0');
SELECT twin_run('retldb', 'ALTER TABLE t SET ACCESS METHOD heap'), twins('UPDATE t SET n = 8 WHERE id % 5 = 0'), twin_run('retldb', 'ALTER TABLE t SET ACCESS METHOD retldb');
SELECT twins_agree();
SAVEPOINT s;
SELECT twins('ALTER TABLE t SET UNLOGGED'), twins('TRUNCATE t'), twins('INSERT INTO t (id) SELECT i FROM generate_series(1, 3000) i'), twins_agree();
ROLLBACK TO s;
SELECT twins_agree();
COMMIT;
SELECT twins_agree(), twins('ALTER TABLE t SET UNLOGGED'), twins_agree(), twins('ALTER TABLE t SET LOGGED'), twins_agree();
SET allow_in_place_tablespaces = on;
CREATE TABLESPACE regress_retldb_space LOCATION '';
SELECT twins('ALTER TABLE t SET TABLESPACE regress_retldb_space'), twins_agree(), twins('ALTER TABLE t SET TABLESPACE pg_default, ALTER n TYPE bigint'), twins_agree();
BEGIN;
SELECT twins('INSERT INTO t (id) SELECT i FROM generate_series(1, 2500) i'), twins('ALTER TABLE t SET TABLESPACE regress_retldb_space'), twins('DELETE FROM t WHERE id % 2 = 0'), twins_agree();
ROLLBACK;
SELECT twins_agree(), twins('ALTER TABLE t SET TABLESPACE regress_retldb_space, SET UNLOGGED'), twins('ALTER TABLE t SET TABLESPACE pg_default'), twins_agree();
SELECT twins('CREATE TABLE s TABLESPACE regress_retldb_space AS SELECT * FROM t'), twins_agree();
SELECT twins('ALTER TABLE ALL IN TABLESPACE regress_retldb_space SET TABLESPACE pg_default');
SELECT twins_agree(), twins('DROP TABLE s');
DROP TABLESPACE regress_retldb_space;
SELECT twins('ALTER TABLE t SET ACCESS METHOD nope'), twins('ALTER TABLE t SET ACCESS METHOD btree');

-- CREATE TABLE AS, SELECT INTO, materialized views
SELECT twins('CREATE TABLE a1 AS SELECT * FROM t'), twins('CREATE TABLE a2 (x1, x2) AS SELECT id, v FROM t WITH NO DATA'), twins('CREATE TABLE IF NOT EXISTS a1 AS SELECT 1'),
       twins('CREATE UNLOGGED TABLE a4 AS TABLE t'), twins('CREATE TABLE a5 AS VALUES (1, ''a''), (2, NULL)'),
       twins('CREATE TABLE a6 AS SELECT 1 / (id - 2500) AS q FROM t');
SELECT * INTO twin_heap.a3 FROM twin_heap.t WHERE id < 2500;
SET default_table_access_method = retldb;
SELECT * INTO twin_retldb.a3 FROM twin_retldb.t WHERE id < 2500;
RESET default_table_access_method;
SELECT twins_agree();
SELECT twins('CREATE MATERIALIZED VIEW m AS SELECT id, v, count(*) FROM t GROUP BY id, v'), twins('CREATE MATERIALIZED VIEW m2 AS SELECT * FROM t WITH NO DATA'), twins('SELECT * FROM m2');
SELECT twins('DELETE FROM t WHERE id % 7 = 1'), twins('REFRESH MATERIALIZED VIEW m'), twins('REFRESH MATERIALIZED VIEW m2'), twins_agree();
SELECT twins('REFRESH MATERIALIZED VIEW CONCURRENTLY m'), twins('REFRESH MATERIALIZED VIEW m2 WITH NO DATA'), twins('INSERT INTO m VALUES (1)'), twins('DELETE FROM m'),
       twins('ALTER MATERIALIZED VIEW m RENAME id TO idd'), twins('REFRESH MATERIALIZED VIEW m'), same('SELECT idd FROM m WHERE v = ''v7''');
SELECT twins('REFRESH MATERIALIZED VIEW m2'), twins('DROP TABLE t'), twins_agree(), twins('DROP MATERIALIZED VIEW m, m2'), twins('DROP TABLE a1, a2, a3, a4, a5');

-- partitions
SELECT fresh_twins();
SELECT twins('CREATE TABLE p (id int, v text, n int, d date, x numeric(12,2)) PARTITION BY RANGE (id)'), twins('CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (10000) TO (20000)'),
       twins('CREATE TABLE pd PARTITION OF p DEFAULT'), twins('INSERT INTO p (id, v) SELECT i, ''p'' || i % 100 FROM generate_series(8001, 12000) i');
SELECT twins('ALTER TABLE p ATTACH PARTITION t FOR VALUES FROM (0) TO (3000)'), twins('ALTER TABLE p ATTACH PARTITION t FOR VALUES FROM (0) TO (5000)');
SELECT same('SELECT * FROM p'), same('SELECT * FROM p WHERE id BETWEEN 2990 AND 3005'), same('SELECT count(*) FROM p WHERE v = ''p7'''), twins_agree();
SELECT twins('ALTER TABLE p ADD COLUMN a int DEFAULT 6, ALTER n TYPE bigint'), twins('UPDATE p SET id = id + 9000 WHERE id % 200 = 9 AND id < 9000'), same('SELECT * FROM p WHERE a = 6'), twins_agree();
SELECT twins('ALTER TABLE p1 ADD CHECK (id <> 11111)'), twins('ALTER TABLE p ADD CONSTRAINT all_of CHECK (id <> 11111)'), twins('ALTER TABLE p ALTER v SET NOT NULL'),
       twins('UPDATE p SET v = '''' WHERE v IS NULL'), twins('ALTER TABLE p ALTER v SET NOT NULL'), twins('ALTER TABLE t ALTER v DROP NOT NULL');
SELECT twins('ALTER TABLE p DETACH PARTITION pd'), twins('INSERT INTO p (id, v) VALUES (9000, ''nowhere'')'), twins('ALTER TABLE p ATTACH PARTITION pd FOR VALUES FROM (5000) TO (9000)'),
       twins('DELETE FROM pd WHERE id >= 9000'), twins('ALTER TABLE p ATTACH PARTITION pd FOR VALUES FROM (5000) TO (9000)'), twins_agree();
ALTER TABLE twin_heap.p DETACH PARTITION twin_heap.t CONCURRENTLY;
ALTER TABLE twin_retldb.p DETACH PARTITION twin_retldb.t CONCURRENTLY;
SELECT same('SELECT * FROM p'), twins('ALTER TABLE p ATTACH PARTITION t FOR VALUES FROM (0) TO (5000)'), same('SELECT * FROM p'), twins_agree();
SELECT twins('TRUNCATE p1'), twins('TRUNCATE p'), twins('CREATE TABLE sub PARTITION OF p FOR VALUES FROM (20000) TO (30000) PARTITION BY LIST (v)'),
       twins('CREATE TABLE sub_a PARTITION OF sub FOR VALUES IN (''a'')'), twins('CREATE TABLE sub_b PARTITION OF sub FOR VALUES IN (''b'')'),
       twins('INSERT INTO p (id, v) SELECT 20000 + i % 1000, chr(97 + i % 2) FROM generate_series(1, 5000) i'), twins('UPDATE p SET v = ''a'' WHERE id % 9 = 1'), same('SELECT * FROM p'), twins_agree();
SELECT twins('DROP TABLE sub_a'), twins('DROP TABLE p');
DROP OWNED BY regress_retldb_owner, regress_retldb_user;
DROP ROLE regress_retldb_owner, regress_retldb_user;
