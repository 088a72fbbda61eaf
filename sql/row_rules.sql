-- Triggers, foreign keys, partitions, views, rules and row level security around
-- changes of rows of row groups.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS retldb;
RESET client_min_messages;
SET retldb.row_store_rows = 0;

-- triggers of all kinds, which tell what they see
CREATE TABLE t (id int, v text) USING retldb;
INSERT INTO t SELECT i, 'v' || i FROM generate_series(1, 5) i;
CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	rows text := '';
BEGIN
	IF TG_LEVEL = 'STATEMENT' THEN
		IF TG_WHEN = 'AFTER' AND TG_OP = 'UPDATE' THEN
			SELECT string_agg(o::text || '->' || n::text, ' ' ORDER BY o.id) INTO rows FROM old_rows o JOIN new_rows n USING (id);
		ELSIF TG_WHEN = 'AFTER' AND TG_OP = 'DELETE' THEN
			SELECT string_agg(o::text, ' ' ORDER BY o.id) INTO rows FROM old_rows o;
		END IF;
		RAISE NOTICE '% % %: %', TG_WHEN, TG_OP, TG_LEVEL, rows;
		RETURN NULL;
	END IF;
	RAISE NOTICE '% % %: % %', TG_WHEN, TG_OP, TG_LEVEL,
		CASE WHEN TG_OP <> 'INSERT' THEN OLD::text END, CASE WHEN TG_OP <> 'DELETE' THEN NEW::text END;
	IF TG_WHEN = 'AFTER' THEN
		RETURN NULL;
	ELSIF TG_OP = 'DELETE' THEN
		RETURN CASE WHEN OLD.id = 3 THEN NULL ELSE OLD END;
	END IF;
	NEW.v := NEW.v || '!';
	RETURN NEW;
END $$;
CREATE TRIGGER before_row BEFORE UPDATE OR DELETE ON t FOR EACH ROW EXECUTE FUNCTION tell();
CREATE TRIGGER after_row AFTER UPDATE OR DELETE ON t FOR EACH ROW EXECUTE FUNCTION tell();
CREATE TRIGGER before_all BEFORE UPDATE OR DELETE ON t EXECUTE FUNCTION tell();
CREATE TRIGGER after_update AFTER UPDATE ON t REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows EXECUTE FUNCTION tell();
CREATE TRIGGER after_delete AFTER DELETE ON t REFERENCING OLD TABLE AS old_rows EXECUTE FUNCTION tell();
UPDATE t SET v = 'new' WHERE id < 3;
DELETE FROM t WHERE id IN (2, 3, 4);
SELECT * FROM t ORDER BY id;
DROP TABLE t;

-- a BEFORE trigger that changes the row that is being changed
CREATE TABLE t (id int, v text) USING retldb;
INSERT INTO t VALUES (1, 'one'), (2, 'two');
CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN UPDATE t SET v = 'meddled' WHERE id = OLD.id AND v <> 'meddled'; RETURN coalesce(NEW, OLD); END $$;
CREATE TRIGGER meddle BEFORE UPDATE OR DELETE ON t FOR EACH ROW WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION meddle();
DELETE FROM t WHERE id = 1;
UPDATE t SET v = 'x' WHERE id = 2;
SELECT * FROM t ORDER BY id;
DROP TABLE t;

-- foreign keys on the referencing side: all actions, deferred, checks in between
CREATE TABLE p (id int PRIMARY KEY) USING heap;
CREATE TABLE cascades (p int REFERENCES p ON UPDATE CASCADE ON DELETE CASCADE) USING retldb;
CREATE TABLE nulls (p int REFERENCES p ON UPDATE SET NULL ON DELETE SET NULL, v int) USING retldb;
CREATE TABLE defaults (p int DEFAULT 100 REFERENCES p ON UPDATE SET DEFAULT ON DELETE SET DEFAULT) USING retldb;
CREATE TABLE restricts (p int REFERENCES p ON DELETE RESTRICT) USING retldb;
CREATE TABLE refuses (p int REFERENCES p DEFERRABLE INITIALLY DEFERRED) USING retldb;
INSERT INTO p SELECT generate_series(1, 100);
INSERT INTO cascades SELECT 1 + i % 10 FROM generate_series(1, 50) i;
INSERT INTO nulls SELECT 1 + i % 10, i FROM generate_series(1, 50) i;
INSERT INTO defaults SELECT 1 + i % 10 FROM generate_series(1, 50) i;
INSERT INTO restricts VALUES (20), (21);
INSERT INTO refuses VALUES (30), (31);
DELETE FROM p WHERE id = 1;
UPDATE p SET id = 200 WHERE id = 2;
DELETE FROM p WHERE id = 200;
DELETE FROM p WHERE id = 3;
SELECT (SELECT count(*) || ' ' || min(p) FROM cascades) AS cascades, (SELECT count(*) || ' ' || count(p) FROM nulls) AS nulls,
	(SELECT count(*) || ' ' || sum(p) FROM defaults) AS defaults;
-- (18 has an error of its own for it)
DO $$
BEGIN
	DELETE FROM p WHERE id = 20;
EXCEPTION WHEN foreign_key_violation OR restrict_violation THEN
	RAISE NOTICE 'restricted';
END $$;
DELETE FROM restricts WHERE p = 20;
DELETE FROM p WHERE id = 20;
DELETE FROM p WHERE id = 30;
BEGIN;
DELETE FROM p WHERE id = 30;
UPDATE refuses SET p = 31 WHERE p = 30;
COMMIT;
BEGIN;
UPDATE refuses SET p = 1000 WHERE p = 31;
DELETE FROM refuses WHERE p = 1000;
COMMIT;
UPDATE cascades SET p = 999 WHERE p = 4;
UPDATE cascades SET p = 5 WHERE p = 4;
BEGIN ISOLATION LEVEL REPEATABLE READ;
DELETE FROM p WHERE id = 5;
COMMIT;
SELECT count(*), min(p) FROM cascades;
SELECT faults('cascades') + faults('nulls') + faults('defaults') + faults('restricts') + faults('refuses') AS faults;
DROP TABLE cascades, nulls, defaults, restricts, refuses, p;

-- rows that move between partitions, of retldb and heap
CREATE TABLE parted (id int, v text) PARTITION BY RANGE (id);
CREATE TABLE parted_a PARTITION OF parted FOR VALUES FROM (0) TO (100) USING retldb;
CREATE TABLE parted_b PARTITION OF parted FOR VALUES FROM (100) TO (200) USING heap;
CREATE TABLE parted_c PARTITION OF parted FOR VALUES FROM (200) TO (300) USING retldb;
INSERT INTO parted SELECT i, 'v' || i FROM generate_series(0, 299) i;
UPDATE parted SET id = id + 100 WHERE id % 50 = 7 AND id < 200 RETURNING tableoid::regclass, *;
UPDATE parted SET id = 299 - id WHERE id % 100 < 2 RETURNING tableoid::regclass, *;
DELETE FROM parted WHERE id % 3 = 0;
UPDATE parted SET v = 'same place' WHERE id % 10 = 1;
SELECT tableoid::regclass, count(*), sum(id), count(*) FILTER (WHERE v = 'same place') AS same FROM parted GROUP BY 1 ORDER BY 1;
MERGE INTO parted t USING generate_series(50, 260, 10) s ON t.id = s WHEN MATCHED AND s < 150 THEN UPDATE SET v = 'merged'
	WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT VALUES (s, 'inserted');
SELECT tableoid::regclass, v, count(*), sum(id) FROM parted WHERE v IN ('merged', 'inserted') GROUP BY 1, 2 ORDER BY 1, 2;
SELECT id FROM parted WHERE id BETWEEN 98 AND 102 OR id > 295 ORDER BY id FOR UPDATE;
DROP TABLE parted;

-- inheritance
CREATE TABLE mother (id int, v text) USING retldb;
CREATE TABLE daughter (w int) INHERITS (mother) USING retldb;
INSERT INTO mother SELECT i, 'mother' FROM generate_series(1, 10) i;
INSERT INTO daughter SELECT i, 'daughter', i FROM generate_series(1, 10) i;
UPDATE mother SET v = v || '!' WHERE id < 4;
DELETE FROM ONLY mother WHERE id = 1;
DELETE FROM mother WHERE id = 2;
SELECT tableoid::regclass, count(*), count(*) FILTER (WHERE v LIKE '%!') AS changed FROM mother GROUP BY 1 ORDER BY 1;
DROP TABLE mother, daughter;

-- views, WITH CHECK OPTION, rules
CREATE TABLE t (id int, v text, n int) USING retldb;
INSERT INTO t SELECT i, 'v' || i, i FROM generate_series(1, 20) i;
CREATE VIEW small AS SELECT * FROM t WHERE n < 10 WITH CHECK OPTION;
UPDATE small SET n = n + 1 WHERE id < 5;
UPDATE small SET n = 50 WHERE id = 1;
DELETE FROM small WHERE id IN (2, 15);
SELECT count(*), sum(n) FROM t;
CREATE TABLE log (id int, v text) USING retldb;
CREATE RULE log_changes AS ON UPDATE TO t DO ALSO INSERT INTO log VALUES (OLD.id, OLD.v);
CREATE RULE no_delete AS ON DELETE TO t WHERE OLD.id = 20 DO INSTEAD UPDATE log SET v = 'kept' WHERE id = 3;
UPDATE t SET v = 'changed' WHERE id IN (3, 4);
DELETE FROM t WHERE id >= 19;
SELECT * FROM log ORDER BY id;
SELECT count(*) FROM t WHERE id >= 19;
DROP TABLE t, log CASCADE;

-- row level security
CREATE ROLE retldb_reader;
CREATE TABLE t (id int, who text) USING retldb;
INSERT INTO t SELECT i, CASE WHEN i % 2 = 0 THEN 'retldb_reader' ELSE 'other' END FROM generate_series(1, 10) i;
GRANT SELECT, UPDATE, DELETE ON t TO retldb_reader;
ALTER TABLE t ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON t USING (who = current_user);
SET ROLE retldb_reader;
UPDATE t SET id = id * 10 WHERE id < 5 RETURNING id;
UPDATE t SET who = 'other' WHERE id = 6;
DELETE FROM t WHERE id < 8 RETURNING id;
SELECT id FROM t ORDER BY id FOR UPDATE;
RESET ROLE;
SELECT count(*), sum(id) FROM t;
DROP TABLE t;
DROP ROLE retldb_reader;

-- constraints, generated columns, defaults
CREATE TABLE t (id int NOT NULL, n int CHECK (n > 0), twice int GENERATED ALWAYS AS (n * 2) STORED, d text DEFAULT 'default') USING retldb;
INSERT INTO t SELECT i, i FROM generate_series(1, 10) i;
UPDATE t SET n = n - 1;
UPDATE t SET n = n + 1, d = DEFAULT WHERE id < 4 RETURNING *;
UPDATE t SET id = NULL WHERE id = 10;
SELECT count(*), sum(n), sum(twice) FROM t;
DROP TABLE t;

-- published tables: what an update or deletion tells
CREATE TABLE t (id int, v text) USING retldb;
INSERT INTO t SELECT i, 'v' || i FROM generate_series(1, 3) i;
-- warns unless wal_level is logical
SET client_min_messages = error;
CREATE PUBLICATION row_rules FOR TABLE t;
RESET client_min_messages;
UPDATE t SET v = 'x' WHERE id = 1;
ALTER TABLE t REPLICA IDENTITY FULL;
UPDATE t SET v = 'x' WHERE id = 1;
DELETE FROM t WHERE id = 2;
SELECT * FROM t ORDER BY id;
DROP PUBLICATION row_rules;
DROP TABLE t;
DROP FUNCTION tell, meddle;
RESET retldb.row_store_rows;
