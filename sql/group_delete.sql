-- Groups all of whose rows are deleted by a command: by their anchors, instead of
-- row by row.  Whatever comes before, within or after, the table is as its heap twin.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS retldb;
RESET client_min_messages;

-- ten groups of 1000 rows, ten days each
CREATE TABLE r (id int, day date, v text, n int) USING retldb WITH (row_group_rows = 1000, row_store_rows = 0, vector_rows = 256, autovacuum_enabled = off);
CREATE TABLE h (id int, day date, v text, n int) USING heap;

-- Run a DELETE of table r, in the form of EXPLAIN ANALYZE, and on its twin h: how many
-- groups were deleted as a whole, and is the rest the same?
CREATE FUNCTION deleted_groups(plan json) RETURNS bigint LANGUAGE sql AS $$
  SELECT coalesce((plan->>'Row Groups Deleted')::bigint, 0) +
    coalesce((SELECT sum(deleted_groups(p)) FROM json_array_elements(plan->'Plans') p)::bigint, 0)
$$;
CREATE FUNCTION deleted(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	plan json;
BEGIN
	EXECUTE 'EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, FORMAT JSON) ' || command INTO plan;
	RETURN deleted_groups(plan->0->'Plan') || ' groups';
END $$;
CREATE FUNCTION whole(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	d bigint;
	before bigint := (SELECT count(*) FROM h);
	groups text := deleted(replace(command, '{t}', 'r'));
BEGIN
	EXECUTE replace(command, '{t}', 'h');
	SELECT count(*) INTO d FROM ((TABLE h EXCEPT ALL TABLE r) UNION ALL (TABLE r EXCEPT ALL TABLE h)) x;
	RETURN format('%s, %s rows%s', groups, before - (SELECT count(*) FROM h),
				  coalesce(', DIFFERENCES: ' || nullif(d, 0), ''));
END $$;
CREATE FUNCTION fill() RETURNS void LANGUAGE sql AS $$
  TRUNCATE r, h;
  INSERT INTO r SELECT i, date '2024-01-01' + i / 100, 'v' || i % 7, nullif(i % 1000, 999) FROM generate_series(0, 9999) i;
  INSERT INTO h TABLE r;
$$;
CREATE FUNCTION compared() RETURNS text LANGUAGE sql AS $$
  SELECT format('%s rows, %s differences, %s faults', (SELECT count(*) FROM r), differences('h', 'r'), faults('r'))
$$;

-- what conditions may be
SELECT fill();
SELECT whole('DELETE FROM {t} WHERE day < ''2024-01-16''');
SELECT whole('DELETE FROM {t} WHERE day < ''2024-01-22''');
SELECT whole('DELETE FROM {t} WHERE id BETWEEN 3000 AND 4998');
SELECT whole('DELETE FROM {t} WHERE id % 1000 <= 1000 AND id < 6000');
SELECT whole('DELETE FROM {t} WHERE v LIKE ''v%'' AND day IN (''2024-03-01'') OR id > 8999');
SELECT whole('DELETE FROM {t} WHERE n >= 0');
SELECT whole('DELETE FROM {t} WHERE n IS NULL');
SELECT compared();
SELECT fill();
SELECT whole('DELETE FROM {t} WHERE 10 / (id + 1) >= 0 AND id < 1000');
SELECT whole('DELETE FROM {t} WHERE day < (SELECT min(day) + 20 FROM {t})');
SELECT whole('DELETE FROM {t} WHERE false');
SELECT whole('DELETE FROM {t} WHERE id < 5000 AND random() >= 0');
SELECT whole('DELETE FROM {t} WHERE id < 5300 AND EXISTS (SELECT FROM generate_series(1, 1))');
SELECT whole('DELETE FROM {t} t WHERE id < 5600 AND (SELECT count(*) FROM generate_series(1, 2) g WHERE g = t.id % 2 + 1) > 0');
SELECT whole('DELETE FROM {t} USING generate_series(5000, 5999) g WHERE id = g');
SELECT whole('DELETE FROM {t} WHERE id < 7000 RETURNING id');
SELECT whole('WITH d AS (DELETE FROM {t} WHERE id < 8000) DELETE FROM {t} WHERE id >= 9000');
SELECT compared();
SET retldb.enable_vector_filter = off;
SELECT whole('DELETE FROM {t} WHERE id < 8500');
RESET retldb.enable_vector_filter;
SELECT whole('DELETE FROM {t}');
SELECT compared();
SELECT fill();
SET retldb.enable_skipping = off;
SELECT whole('DELETE FROM {t} WHERE day < ''2024-01-22''');
RESET retldb.enable_skipping;
SET retldb.skip_damaged_groups = on;
SELECT whole('DELETE FROM {t} WHERE day < ''2024-02-01''');
RESET retldb.skip_damaged_groups;
PREPARE retention(date) AS DELETE FROM r WHERE day < $1;
SET plan_cache_mode = force_generic_plan;
SELECT deleted('EXECUTE retention(''2024-03-15'')');
RESET plan_cache_mode;
DELETE FROM h WHERE day < '2024-03-15';
SELECT compared();

-- how many rows commands and statistics report
SELECT fill();
BEGIN;
SELECT pg_stat_get_xact_tuples_deleted('r'::regclass) AS before \gset
DELETE FROM r WHERE id < 3000;
SELECT pg_stat_get_xact_tuples_deleted('r'::regclass) - :before AS deleted;
WITH d AS (DELETE FROM r WHERE id < 5000) SELECT count(*) FROM r;
DO $$ DECLARE n int; BEGIN DELETE FROM r WHERE id < 7000; GET DIAGNOSTICS n = ROW_COUNT; RAISE NOTICE '% rows', n; END $$;
SELECT count(*), min(id) FROM r;
ROLLBACK;
SELECT compared();

-- rolled back, and all kinds of things afterwards
SELECT fill();
BEGIN;
SAVEPOINT one;
DELETE FROM r WHERE id < 5000;
SELECT count(*) FROM r;
SAVEPOINT two;
DELETE FROM r;
ROLLBACK TO two;
SELECT count(*) FROM r;
INSERT INTO r VALUES (1, now(), 'new', 1);
ROLLBACK TO one;
SELECT compared();
DELETE FROM r WHERE id < 2000;
RELEASE one;
SELECT count(*) FROM r;
ROLLBACK;
SELECT compared();
BEGIN; DELETE FROM r; ROLLBACK;
SELECT whole('DELETE FROM {t} WHERE id < 1000');
SELECT count(*) FROM (SELECT FROM r WHERE id < 1010 FOR UPDATE) s;
UPDATE r SET v = 'updated' WHERE id BETWEEN 1990 AND 2010;
UPDATE h SET v = 'updated' WHERE id BETWEEN 1990 AND 2010;
DELETE FROM r WHERE id = 3500;
DELETE FROM h WHERE id = 3500;
SELECT compared();
-- those three have stubs; the updated rows are in the row store
SELECT whole('DELETE FROM {t} WHERE id < 6000');
BEGIN; DELETE FROM r; ROLLBACK;
CALL retldb.compact('r');
SELECT compared();
BEGIN; DELETE FROM r; ROLLBACK;
VACUUM r;
SELECT whole('DELETE FROM {t} WHERE id >= 6000');
SELECT compared();

-- rows that are not there must not be asked, nor be deleted twice
SELECT fill();
DELETE FROM r WHERE id = 500;
DELETE FROM h WHERE id = 500;
SELECT whole('DELETE FROM {t} WHERE 1 / (id - 500) > -10');
SELECT compared();

-- rows of the transaction itself, and of COPY FREEZE
BEGIN;
SELECT fill();
SELECT whole('DELETE FROM {t} WHERE id < 4000');
SAVEPOINT s;
SELECT whole('DELETE FROM {t} WHERE id < 6000');
ROLLBACK TO s;
SELECT compared();
COMMIT;
SELECT compared();
CREATE TABLE frozen (id int) USING retldb WITH (row_store_rows = 0, row_group_rows = 1000);
BEGIN;
TRUNCATE frozen;
COPY frozen FROM PROGRAM 'seq 3000' (FREEZE);
DELETE FROM frozen WHERE id <= 2000;
SELECT count(*) FROM frozen;
SAVEPOINT s;
DELETE FROM frozen;
ROLLBACK TO s;
COMMIT;
SELECT count(*), faults('frozen') FROM frozen;
DROP TABLE frozen;

-- who sees what: cursors of the transaction, and the deleting command itself
SELECT fill();
BEGIN;
DECLARE before SCROLL CURSOR FOR SELECT id FROM r ORDER BY ctid;
DECLARE locking CURSOR FOR SELECT id FROM r FOR UPDATE;
DECLARE reading CURSOR FOR SELECT id FROM r;
FETCH 1 FROM reading;
FETCH 1 FROM before;
SAVEPOINT s;
DELETE FROM r WHERE id < 9000;
FETCH 1 FROM before;
MOVE 8000 FROM before;
FETCH 1 FROM before;
FETCH 1 FROM locking;
DELETE FROM r WHERE CURRENT OF reading;
DECLARE after CURSOR FOR SELECT id FROM r ORDER BY id;
FETCH 1 FROM after;
ROLLBACK TO s;
DELETE FROM r WHERE CURRENT OF reading;
ROLLBACK;
SELECT compared();
CREATE FUNCTION rows_now() RETURNS bigint LANGUAGE sql STABLE AS 'SELECT count(*) FROM r';
SELECT deleted('DELETE FROM r WHERE rows_now() + id >= 10000');
SELECT count(*) FROM r;
-- an outer command that comes to a row which its own function has deleted
SELECT fill();
CREATE FUNCTION delete_all(t regclass) RETURNS int LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'DELETE FROM ' || t; RETURN 1; END $$;
CREATE FUNCTION fails(command text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE command;
	RETURN 'passes';
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE || ' ' || SQLERRM;
END $$;
SELECT t, fails(format('UPDATE %s SET n = delete_all(%L) WHERE id = 5', t, t)),
  fails(format('DELETE FROM %s WHERE id = 5 AND delete_all(%L) = 1', t, t)),
  fails(format('SELECT FROM %s WHERE id = 5 AND delete_all(%L) = 1 FOR UPDATE', t, t)) FROM (VALUES ('h'), ('r')) v(t);
SELECT count(*) FROM h UNION ALL SELECT count(*) FROM r;
DROP FUNCTION rows_now, delete_all, fails;

-- who has to see rows: triggers, transition tables, foreign keys
SELECT fill();
CREATE TABLE seen (what text, n bigint);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql SET debug_discard_caches = 0 AS $$
BEGIN
	INSERT INTO seen VALUES (tg_when || ' ' || tg_level, CASE WHEN tg_level = 'ROW' THEN old.id END);
	RETURN CASE WHEN tg_when = 'AFTER' THEN NULL WHEN old.id % 2 = 0 THEN old END;
END $$;
CREATE FUNCTION note_all() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN INSERT INTO seen SELECT 'OLD', count(*) FROM gone; RETURN NULL; END $$;
CREATE TRIGGER before_statement BEFORE DELETE ON r EXECUTE FUNCTION note();
CREATE TRIGGER after_statement AFTER DELETE ON r EXECUTE FUNCTION note();
SELECT whole('DELETE FROM {t} WHERE id < 1000');
CREATE TRIGGER after_rows AFTER DELETE ON r REFERENCING OLD TABLE AS gone EXECUTE FUNCTION note_all();
SELECT whole('DELETE FROM {t} WHERE id < 2000');
DROP TRIGGER after_rows ON r;
CREATE TRIGGER after_row AFTER DELETE ON r FOR EACH ROW EXECUTE FUNCTION note();
SELECT whole('DELETE FROM {t} WHERE id < 3000');
DROP TRIGGER after_row ON r;
CREATE TRIGGER before_row BEFORE DELETE ON r FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER before_row BEFORE DELETE ON h FOR EACH ROW EXECUTE FUNCTION note();
SELECT whole('DELETE FROM {t} WHERE id < 4000');
SELECT what, count(*), count(n), min(n), max(n) FROM seen GROUP BY what ORDER BY what;
DROP TRIGGER before_row ON r;
DROP TRIGGER before_row ON h;
SELECT compared();
DROP TABLE seen CASCADE;
DROP TRIGGER before_statement ON r;
DROP TRIGGER after_statement ON r;

SELECT fill();
ALTER TABLE r ADD PRIMARY KEY (id);
ALTER TABLE h ADD PRIMARY KEY (id);
CREATE TABLE child (parent int REFERENCES r ON DELETE CASCADE) USING retldb WITH (row_store_rows = 0, row_group_rows = 1000);
-- (thousands of queries check and delete rows one by one)
SET debug_discard_caches = 0;
INSERT INTO child SELECT 500 FROM generate_series(1, 1000);
INSERT INTO child SELECT 1500 FROM generate_series(1, 1000);
-- referenced rows were locked
SELECT whole('DELETE FROM {t} WHERE id < 1000');
RESET debug_discard_caches;
SELECT count(*), min(parent), faults('child') FROM child;
BEGIN;
SELECT deleted('DELETE FROM child WHERE parent < 2000');
ROLLBACK;
BEGIN ISOLATION LEVEL REPEATABLE READ;
DELETE FROM r WHERE id = 1500;
SELECT count(*) FROM child;
ROLLBACK;
SELECT count(*) FROM child;
DROP TABLE child;

-- keys
SELECT whole('DELETE FROM {t} WHERE id < 3000');
BEGIN;
DELETE FROM r WHERE id < 5000;
INSERT INTO r VALUES (3500, '2024-01-01', 'again', 1);
INSERT INTO r VALUES (3500, '2024-01-01', 'again', 1) ON CONFLICT DO NOTHING;
INSERT INTO r VALUES (4500, '2024-01-01', 'again', 1) ON CONFLICT (id) DO UPDATE SET v = 'conflict';
SET LOCAL enable_seqscan = off;
SELECT * FROM r WHERE id BETWEEN 3000 AND 4999 ORDER BY id;
SAVEPOINT s;
INSERT INTO r VALUES (5500, '2024-01-01', 'again', 1);
ROLLBACK TO s;
ROLLBACK;
SET enable_seqscan = off;
SELECT count(*) FROM r WHERE id < 5000;
RESET enable_seqscan;
SELECT compared();

-- tables made anew, and indexes, within the deleting transaction
BEGIN;
DELETE FROM r WHERE id < 6000;
DELETE FROM h WHERE id < 6000;
CREATE INDEX r_n ON r (n);
CREATE UNIQUE INDEX r_id ON r (id, n);
REINDEX TABLE r;
CLUSTER r USING r_n;
SELECT compared();
DELETE FROM r WHERE id < 7000;
DELETE FROM h WHERE id < 7000;
ALTER TABLE r ALTER n TYPE bigint;
ALTER TABLE h ALTER n TYPE bigint;
SELECT compared();
ANALYZE r;
SELECT reltuples FROM pg_class WHERE relname = 'r';
DELETE FROM r WHERE id < 8000;
ALTER TABLE r ALTER n TYPE int;
INSERT INTO r SELECT * FROM r WHERE false;
ROLLBACK;
SELECT compared();
VACUUM FULL r;
SELECT compared();
SELECT whole('DELETE FROM {t} WHERE id < 7000');
VACUUM (ANALYZE) r;
SELECT reltuples FROM pg_class WHERE relname = 'r';
SELECT compared();

-- partitions, views, rules, row-level security; temporary and unlogged tables
DROP TABLE r, h;
CREATE TABLE r (id int, day date, v text) PARTITION BY RANGE (id);
CREATE TABLE r1 PARTITION OF r FOR VALUES FROM (0) TO (2000) USING retldb WITH (row_group_rows = 1000, row_store_rows = 0);
CREATE TABLE r2 PARTITION OF r FOR VALUES FROM (2000) TO (4000) USING heap;
CREATE TABLE r3 PARTITION OF r FOR VALUES FROM (4000) TO (9000) PARTITION BY RANGE (id);
CREATE TABLE r4 PARTITION OF r3 FOR VALUES FROM (4000) TO (9000) USING retldb WITH (row_group_rows = 1000, row_store_rows = 0);
CREATE TABLE h (id int, day date, v text) USING heap;
INSERT INTO r SELECT i, '2024-01-01', 'v' FROM generate_series(0, 8999) i;
INSERT INTO h TABLE r;
SELECT whole('DELETE FROM {t} WHERE id BETWEEN 500 AND 5500');
SELECT whole('DELETE FROM {t} WHERE id BETWEEN 7000 AND 7999');
CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER gone AFTER DELETE ON r REFERENCING OLD TABLE AS gone EXECUTE FUNCTION keep();
SELECT whole('DELETE FROM {t} WHERE id > 8900');
SELECT whole('DELETE FROM {t}');
DROP TABLE r, h;
DROP FUNCTION keep;
CREATE TEMP TABLE r (id int, v int) USING retldb WITH (row_group_rows = 1000, row_store_rows = 0);
CREATE TABLE h (id int, v int) USING heap;
INSERT INTO r SELECT i, i FROM generate_series(1, 3000) i;
INSERT INTO h TABLE r;
SELECT whole('DELETE FROM {t} WHERE id <= 1000');
DROP TABLE r;
CREATE UNLOGGED TABLE r (id int, v int) USING retldb WITH (row_group_rows = 1000, row_store_rows = 0);
INSERT INTO r SELECT i, i FROM generate_series(1001, 3000) i;
SELECT whole('DELETE FROM {t} WHERE id <= 2000');
DROP TABLE r;
CREATE TABLE r (id int, v int) USING retldb WITH (row_group_rows = 1000, row_store_rows = 0);
INSERT INTO r SELECT i, i FROM generate_series(2001, 5000) i;
INSERT INTO h SELECT i, i FROM generate_series(3001, 5000) i;
CREATE VIEW high AS SELECT * FROM r WHERE v > 3000 WITH CHECK OPTION;
SELECT deleted('DELETE FROM high WHERE id <= 4000');
DELETE FROM h WHERE id BETWEEN 3001 AND 4000;
SELECT compared();
CREATE ROLE retldb_deleter;
GRANT ALL ON r TO retldb_deleter;
ALTER TABLE r ENABLE ROW LEVEL SECURITY;
CREATE POLICY low ON r USING (v <= 3000);
SET ROLE retldb_deleter;
DELETE FROM r;
RESET ROLE;
DELETE FROM h WHERE v <= 3000;
SELECT compared();
DROP TABLE r, h CASCADE;
DROP ROLE retldb_deleter;
DROP FUNCTION whole, fill, compared, deleted, deleted_groups, note, note_all;
