-- The option suppress_noop: an update that changes nothing leaves the row as it is.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS retldb;
RESET client_min_messages;
SET retldb.row_store_rows = 0;
SET retldb.row_group_rows = 1000;
SET retldb.vector_rows = 128;

CREATE TABLE t (id int, v text, n numeric, f float8, big text, gone int, twice int GENERATED ALWAYS AS (id * 2) STORED)
	USING retldb WITH (suppress_noop = on);
CREATE TABLE plain (id int, v text) USING retldb;
INSERT INTO t SELECT i, 'v' || i, i / 4.0, i, CASE WHEN i % 100 = 0 THEN repeat(md5(i::text), 300) END FROM generate_series(1, 2000) i;
SET retldb.row_store_rows = 1000;
INSERT INTO t SELECT i, 'store ' || i, i / 4.0, i, CASE WHEN i % 100 = 0 THEN repeat(md5(i::text), 300) END FROM generate_series(2001, 2200) i;
INSERT INTO plain SELECT i, 'v' || i FROM generate_series(1, 100) i;
ALTER TABLE t DROP COLUMN gone;
ALTER TABLE t ADD COLUMN later int DEFAULT 7;
SELECT reloptions FROM pg_class WHERE relname = 't';
ALTER TABLE t SET (suppress_noop = perhaps);

CREATE TABLE before AS SELECT ctid AS tid, xmin AS x, * FROM t;
CREATE FUNCTION moved() RETURNS bigint LANGUAGE sql AS
'SELECT count(*) FROM before b FULL JOIN t ON t.ctid = b.tid WHERE t.id IS DISTINCT FROM b.id OR t.xmin <> b.x';
CREATE FUNCTION wrote() RETURNS boolean LANGUAGE sql VOLATILE AS 'SELECT pg_current_xact_id_if_assigned() IS NOT NULL';

-- nothing is written, not even a transaction id; rows count as updated
BEGIN;
UPDATE t SET v = v;
SELECT wrote(), moved();
COMMIT;
WITH u AS (UPDATE t SET v = 'v' || id, n = id / 4.0, later = 7 WHERE id <= 2000 RETURNING *) SELECT count(*), sum(id), sum(twice) FROM u;
SELECT moved();
UPDATE t SET v = 'v7', n = 7 / 4.0 WHERE id = 7 RETURNING ctid = (SELECT tid FROM before WHERE id = 7) AS place, xmin = (SELECT x FROM before WHERE id = 7) AS inserter, tableoid::regclass, v;
UPDATE t SET v = 'store 2007' WHERE id = 2007 RETURNING ctid = (SELECT tid FROM before WHERE id = 2007) AS place, xmin = (SELECT x FROM before WHERE id = 2007) AS inserter, tableoid::regclass, v;
-- long values are compared by what they are
UPDATE t SET big = repeat(md5(id::text), 300) WHERE id % 100 = 0;
SELECT moved();
-- without the option everything is written
BEGIN;
UPDATE plain SET v = v WHERE id < 3;
SELECT wrote();
ROLLBACK;
-- the setting counts where there is no option, and only there
SET retldb.suppress_noop = on;
BEGIN;
UPDATE plain SET v = v WHERE id < 3;
SELECT wrote();
ROLLBACK;
ALTER TABLE plain SET (suppress_noop = off);
BEGIN;
UPDATE plain SET v = v WHERE id < 3;
SELECT wrote();
ROLLBACK;
RESET retldb.suppress_noop;
-- a change of the option counts from the next command on
BEGIN;
ALTER TABLE t RESET (suppress_noop);
UPDATE t SET v = v WHERE id IN (5, 2005);
SELECT moved();
ROLLBACK;

-- what differs is written: bytes count, not equality
UPDATE t SET n = n::numeric(10,4), f = -f + 0 WHERE id = 8;
UPDATE t SET f = 0 WHERE id IN (9, 2009);
UPDATE t SET f = '-0' WHERE id IN (9, 2009);
SELECT id, n, f FROM t WHERE id IN (8, 9, 2009) ORDER BY id;
UPDATE t SET big = NULL WHERE id = 100;
UPDATE t SET big = '' WHERE id = 101;
UPDATE t SET big = big || 'x' WHERE id = 200;
SELECT id, length(big) FROM t WHERE id IN (100, 101, 200) ORDER BY id;
SELECT moved();
-- and again nothing
BEGIN;
UPDATE t SET f = '-0' WHERE id IN (9, 2009);
UPDATE t SET big = '' WHERE id = 101;
SELECT wrote();
COMMIT;
-- rows that the same transaction has changed, locked, or inserted
BEGIN;
UPDATE t SET v = 'changed' WHERE id IN (11, 2011);
UPDATE t SET v = 'changed' WHERE id IN (11, 2011);
SELECT count(*) FROM (SELECT FROM t WHERE id IN (12, 2012) FOR UPDATE) s;
UPDATE t SET v = v WHERE id IN (12, 2012);
SELECT count(*) FROM t JOIN before b ON t.ctid = b.tid WHERE t.id IN (12, 2012);
INSERT INTO t VALUES (3000, 'new');
UPDATE t SET v = 'new' WHERE id = 3000;
SELECT xmin = xmax, v FROM t WHERE id = 3000;
ROLLBACK;

-- triggers see an update: BEFORE may make it one that changes something, or nothing
CREATE FUNCTION log_row() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	RAISE NOTICE '% % %: % -> %', tg_when, tg_level, tg_op, old.v, new.v;
	IF tg_when = 'BEFORE' AND new.id = 14 THEN
		new.v := 'by trigger';
	ELSIF tg_when = 'BEFORE' AND new.id = 15 THEN
		new.v := old.v;
	END IF;
	RETURN new;
END $$;
CREATE FUNCTION log_statement() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	RAISE NOTICE 'old % new % same %', (SELECT count(*) FROM o), (SELECT count(*) FROM n), (SELECT count(*) FROM (TABLE o INTERSECT TABLE n) s);
	RETURN NULL;
END $$;
CREATE TRIGGER a BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION log_row();
CREATE TRIGGER b AFTER UPDATE ON t FOR EACH ROW EXECUTE FUNCTION log_row();
CREATE TRIGGER c AFTER UPDATE ON t REFERENCING OLD TABLE AS o NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION log_statement();
UPDATE t SET v = v WHERE id IN (13, 14, 2013);
UPDATE t SET v = 'other' WHERE id = 15;
SELECT id, v FROM t WHERE id IN (13, 14, 15, 2013) ORDER BY id;
DROP TRIGGER a ON t;
DROP TRIGGER b ON t;
DROP TRIGGER c ON t;

-- MERGE, updates that join, and partitions that a row stays in
MERGE INTO t USING (SELECT id, v FROM before WHERE id BETWEEN 20 AND 30 UNION ALL SELECT 31, 'merged' UNION ALL SELECT 9999, 'inserted') s ON t.id = s.id
	WHEN MATCHED THEN UPDATE SET v = s.v WHEN NOT MATCHED THEN INSERT (id, v) VALUES (s.id, s.v);
SELECT count(*) FROM t JOIN before b ON t.ctid = b.tid WHERE t.id BETWEEN 20 AND 31;
UPDATE t SET v = s.v FROM before s WHERE s.id = t.id AND t.id BETWEEN 40 AND 60;
SELECT count(*) FROM t JOIN before b ON t.ctid = b.tid WHERE t.id BETWEEN 40 AND 60;
CREATE TABLE p (id int, part int, v text) PARTITION BY LIST (part);
CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1) USING retldb WITH (suppress_noop = on);
CREATE TABLE p2 PARTITION OF p FOR VALUES IN (2) USING retldb WITH (suppress_noop = on);
INSERT INTO p SELECT i, i % 2 + 1, 'p' FROM generate_series(1, 10) i;
BEGIN;
UPDATE p SET part = part;
SELECT wrote();
UPDATE p SET part = 2 WHERE id < 5;
SELECT tableoid::regclass, count(*) FROM p GROUP BY 1 ORDER BY 1;
ROLLBACK;

-- upserts
CREATE TABLE k (id int PRIMARY KEY, v text, n int) USING retldb WITH (suppress_noop = on);
SET retldb.row_store_rows = 0;
INSERT INTO k SELECT i, 'v' || i, i FROM generate_series(1, 500) i;
SET retldb.row_store_rows = 1000;
INSERT INTO k SELECT i, 'v' || i, i FROM generate_series(501, 600) i;
CREATE TABLE k_before AS SELECT ctid AS tid, xmin AS x, * FROM k;
INSERT INTO k SELECT i, CASE WHEN i % 100 = 3 THEN 'other' ELSE 'v' || i END, i FROM generate_series(401, 610) i
	ON CONFLICT (id) DO UPDATE SET v = excluded.v, n = excluded.n;
SELECT count(*), count(*) FILTER (WHERE k.ctid = b.tid) AS in_place FROM k LEFT JOIN k_before b USING (id);
INSERT INTO k VALUES (1, 'v1', 1), (2, 'two', 2) ON CONFLICT (id) DO UPDATE SET v = excluded.v WHERE excluded.id > 0 RETURNING id, v, ctid IN (SELECT tid FROM k_before) AS in_place;
INSERT INTO k VALUES (3, 'v3', 3), (3, 'v3', 3) ON CONFLICT (id) DO UPDATE SET v = excluded.v;
INSERT INTO k VALUES (4, 'four', 4), (4, 'four', 4) ON CONFLICT (id) DO UPDATE SET v = excluded.v;
-- who asks so whether a row was inserted is told the truth
INSERT INTO k VALUES (5, 'v5', 5), (6, 'six', 6), (550, 'v550', 550), (700, 'v700', 700) ON CONFLICT (id) DO UPDATE SET v = excluded.v RETURNING id, xmax = 0 AS inserted;
-- also if a trigger has made the row
CREATE FUNCTION leave_row() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
CREATE TRIGGER leave BEFORE INSERT OR UPDATE ON k FOR EACH ROW EXECUTE FUNCTION leave_row();
INSERT INTO k VALUES (7, 'v7', 7), (8, 'eight', 8), (551, 'v551', 551), (701, 'v701', 701) ON CONFLICT (id) DO UPDATE SET v = excluded.v RETURNING id, xmax = 0 AS inserted;
DROP TRIGGER leave ON k;
DROP FUNCTION leave_row;
-- foreign keys
CREATE TABLE child (id int, k int REFERENCES k ON UPDATE CASCADE) USING retldb WITH (suppress_noop = on);
INSERT INTO child SELECT i, i FROM generate_series(1, 50) i;
UPDATE k SET id = id WHERE id <= 50;
UPDATE child SET k = k;
UPDATE k SET id = 1001 WHERE id = 1;
SELECT * FROM child WHERE k > 1000;
-- a trigger that may be called at the end needs a row that is kept until then; those of keys are not called
CREATE TABLE late (id int UNIQUE DEFERRABLE INITIALLY DEFERRED, k int REFERENCES k DEFERRABLE INITIALLY DEFERRED, v text) USING retldb WITH (suppress_noop = on);
INSERT INTO late SELECT i, i + 1, 'v' FROM generate_series(1, 10) i;
CREATE TABLE late_before AS SELECT id, ctid AS tid FROM late;
UPDATE late SET v = v;
SELECT count(*) AS in_place FROM late JOIN late_before b USING (id) WHERE late.ctid = b.tid;
CREATE CONSTRAINT TRIGGER log_late AFTER UPDATE ON late DEFERRABLE FOR EACH ROW EXECUTE FUNCTION log_row();
UPDATE late SET v = v WHERE id > 5;
SELECT count(*) AS in_place FROM late JOIN late_before b USING (id) WHERE late.ctid = b.tid;
SELECT faults('t'), faults('k'), faults('p1');

DROP TABLE t, plain, before, p, child, late, late_before, k, k_before;
DROP FUNCTION moved, wrote, log_row, log_statement;
RESET retldb.row_store_rows;
RESET retldb.row_group_rows;
RESET retldb.vector_rows;
