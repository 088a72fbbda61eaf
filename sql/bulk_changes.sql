-- Commands that change or lock many rows of row groups: their stubs are made many
-- at once, and whatever comes between, the table is as its heap twin.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS retldb;
RESET client_min_messages;
SET retldb.row_store_rows = 0;
SET retldb.row_group_rows = 9000;
SET retldb.vector_rows = 2048;

CREATE FUNCTION on_both(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	counts bigint[] := '{}';
	c bigint;
	t text;
	d bigint;
BEGIN
	FOREACH t IN ARRAY '{h,r}'::text[] LOOP
		EXECUTE replace(command, '{t}', t);
		GET DIAGNOSTICS c = ROW_COUNT;
		counts := counts || c;
	END LOOP;
	SELECT count(*) INTO d FROM ((TABLE h EXCEPT ALL TABLE r) UNION ALL (TABLE r EXCEPT ALL TABLE h)) x;
	IF counts[1] <> counts[2] OR d <> 0 THEN
		RETURN format('heap %s, retldb %s, differences %s', counts[1], counts[2], d);
	END IF;
	RETURN format('%s rows', counts[1]);
END $$;

CREATE TABLE r (id int, v text, n int) USING retldb;
CREATE TABLE h (id int, v text, n int) USING heap;
SELECT on_both('INSERT INTO {t} SELECT i, ''v'' || i % 100, i % 1000 FROM generate_series(1, 30000) i');
SET retldb.row_store_rows = 1000;

-- few rows are asked for, few are touched: a page of stubs, one of the map
SELECT pg_relation_size('r') / 8192 AS pages \gset
BEGIN;
SELECT count(*) FROM (SELECT FROM r LIMIT 3 FOR UPDATE) s;
DECLARE c CURSOR FOR SELECT id FROM r WHERE n < 500 FOR UPDATE;
FETCH 2 FROM c;
COMMIT;
SELECT pg_relation_size('r') / 8192 - :pages AS pages;
-- all rows: 30000 stubs fit 133 pages, their entries 30 leaves if these are full
BEGIN;
SELECT count(*) FROM (SELECT FROM r WHERE id > 0 FOR UPDATE) s;
ROLLBACK;
SELECT pg_relation_size('r') / 8192 - :pages BETWEEN 163 AND 230 AS dense;
SELECT faults('r'), differences('h', 'r');

-- again, with the stubs that are there; conditions on vectors, and others
SELECT on_both('DELETE FROM {t} WHERE n < 100');
SELECT on_both('DELETE FROM {t} WHERE id % 9 = 0 AND v LIKE ''%1%''');
SELECT on_both('UPDATE {t} SET v = ''changed'' WHERE n BETWEEN 200 AND 249');
SELECT on_both('UPDATE {t} SET n = n + 1 WHERE id % 10 = 3');
SELECT on_both('SELECT FROM {t} WHERE id % 11 = 0 FOR SHARE');
SELECT on_both('SELECT FROM {t} WHERE id % 11 = 0 FOR NO KEY UPDATE');
SELECT on_both('DELETE FROM {t} WHERE id IN (SELECT id FROM {t} WHERE n % 50 = 7 ORDER BY id DESC LIMIT 500)');
SELECT on_both('DELETE FROM {t} t USING generate_series(10, 30000, 10) g WHERE t.id = g AND t.n > 800');
SELECT on_both('MERGE INTO {t} t USING generate_series(29000, 31000) s ON t.id = s
  WHEN MATCHED AND s % 2 = 0 THEN DELETE WHEN MATCHED THEN UPDATE SET v = ''merged''
  WHEN NOT MATCHED AND s > 30000 THEN INSERT VALUES (s, ''new'', 0)');
SELECT on_both('WITH d AS (DELETE FROM {t} WHERE n > 950 RETURNING id),
  u AS (UPDATE {t} SET v = ''by CTE'' WHERE n BETWEEN 940 AND 950 RETURNING id)
  INSERT INTO {t} SELECT id + 100000, ''moved'', 0 FROM d UNION ALL SELECT id + 200000, ''copied'', 0 FROM u');
SELECT faults('r');

-- subtransactions that are rolled back between and within commands
BEGIN;
SAVEPOINT a;
SELECT on_both('DELETE FROM {t} WHERE id % 2 = 0');
ROLLBACK TO a;
SELECT on_both('UPDATE {t} SET n = -n WHERE id % 2 = 0');
SAVEPOINT b;
SELECT on_both('DELETE FROM {t}');
SELECT count(*) FROM r;
ROLLBACK TO b;
SELECT on_both('UPDATE {t} SET n = -n WHERE id % 2 = 0');
COMMIT;
SELECT on_both('DELETE FROM {t} WHERE 1 / (id - 15000) = 5');
SELECT on_both('DELETE FROM {t} WHERE id % 19 = 4');
SELECT faults('r'), differences('h', 'r');

-- triggers that keep rows, run subtransactions, and change rows that come later
-- (called for thousands of rows, so caches keep what is in them, test/asserts)
CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql SET debug_discard_caches = 0 AS $$
BEGIN
	IF old.id % 4 = 0 THEN
		RETURN NULL;
	END IF;
	IF old.id % 4 = 1 THEN
		BEGIN
			PERFORM 1 / (old.id % 3);
		EXCEPTION WHEN division_by_zero THEN
			NULL;
		END;
	END IF;
	IF tg_op = 'UPDATE' THEN
		RETURN new;
	END IF;
	RETURN old;
END $$;
CREATE TRIGGER meddle BEFORE UPDATE OR DELETE ON r FOR EACH ROW EXECUTE FUNCTION meddle();
CREATE TRIGGER meddle BEFORE UPDATE OR DELETE ON h FOR EACH ROW EXECUTE FUNCTION meddle();
SELECT on_both('DELETE FROM {t} WHERE id BETWEEN 4000 AND 8000');
SELECT on_both('UPDATE {t} SET v = v || ''.'' WHERE id BETWEEN 3000 AND 9000');
DROP TRIGGER meddle ON r;
DROP TRIGGER meddle ON h;
CREATE FUNCTION take_next() RETURNS trigger LANGUAGE plpgsql SET debug_discard_caches = 0 AS $$
BEGIN
	IF old.id % 100 = 50 THEN
		EXECUTE format('DELETE FROM %I WHERE id BETWEEN $1 + 10 AND $1 + 12', tg_table_name) USING old.id;
	END IF;
	RETURN NULL;
END $$;
CREATE TRIGGER take_next AFTER DELETE ON r FOR EACH ROW EXECUTE FUNCTION take_next();
CREATE TRIGGER take_next AFTER DELETE ON h FOR EACH ROW EXECUTE FUNCTION take_next();
SELECT on_both('DELETE FROM {t} WHERE id BETWEEN 9000 AND 12000 AND id % 100 < 55');
DROP TRIGGER take_next ON r;
DROP TRIGGER take_next ON h;
CREATE TRIGGER take_next BEFORE DELETE ON r FOR EACH ROW EXECUTE FUNCTION take_next();
CREATE TRIGGER take_next BEFORE DELETE ON h FOR EACH ROW EXECUTE FUNCTION take_next();
SELECT on_both('DELETE FROM {t} WHERE id BETWEEN 12000 AND 15000');
DROP TRIGGER take_next ON r;
DROP TRIGGER take_next ON h;
SELECT faults('r');

-- a condition that is evaluated once for each row, in any case
CREATE SEQUENCE evaluations;
CREATE FUNCTION counted(i int) RETURNS boolean LANGUAGE plpgsql VOLATILE SET debug_discard_caches = 0 AS
'BEGIN PERFORM nextval(''evaluations''); RETURN i % 2 = 0; END';
CREATE FUNCTION counted_stable(i int) RETURNS boolean LANGUAGE plpgsql STABLE SET debug_discard_caches = 0 AS
'BEGIN PERFORM nextval(''evaluations''); RETURN i % 2 = 0; END';
SELECT on_both('UPDATE {t} SET v = ''volatile'' WHERE id BETWEEN 15001 AND 19000 AND counted(id)');
SELECT currval('evaluations') = 2 * (SELECT count(*) FROM h WHERE id BETWEEN 15001 AND 19000) AS once;
SELECT setval('evaluations', 1, false);
SELECT on_both('UPDATE {t} SET v = ''stable'' WHERE id BETWEEN 15001 AND 19000 AND counted_stable(id)');
SELECT currval('evaluations') = 2 * (SELECT count(*) FROM h WHERE id BETWEEN 15001 AND 19000) AS once;

-- row by row: cursors
CREATE FUNCTION by_cursor(t regclass) RETURNS bigint LANGUAGE plpgsql SET debug_discard_caches = 0 AS $$
DECLARE
	c refcursor;
	id int;
	n bigint := 0;
BEGIN
	OPEN c FOR EXECUTE format('SELECT id FROM %s WHERE n %% 7 = 1 FOR UPDATE', t);
	LOOP
		FETCH c INTO id;
		EXIT WHEN NOT FOUND;
		IF id % 3 = 0 THEN
			EXECUTE format('DELETE FROM %s WHERE CURRENT OF %I', t, c::text);
		ELSIF id % 3 = 1 THEN
			EXECUTE format('UPDATE %s SET v = ''current'' WHERE CURRENT OF %I', t, c::text);
		END IF;
		n := n + 1;
	END LOOP;
	RETURN n;
END $$;
SELECT by_cursor('h') = by_cursor('r') AS same, differences('h', 'r');

-- partitions of both kinds, rows that move between them
CREATE TABLE p (id int, part int, v text) PARTITION BY LIST (part);
CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1) USING retldb;
CREATE TABLE p2 PARTITION OF p FOR VALUES IN (2) USING heap;
CREATE TABLE p3 PARTITION OF p FOR VALUES IN (3) USING retldb;
CREATE TABLE q (id int, part int, v text);
SET retldb.row_store_rows = 0;
INSERT INTO p SELECT i, i % 3 + 1, 'p' FROM generate_series(1, 15000) i;
INSERT INTO q SELECT i, i % 3 + 1, 'p' FROM generate_series(1, 15000) i;
SET retldb.row_store_rows = 1000;
UPDATE p SET part = part % 3 + 1, v = 'moved' WHERE id % 5 < 2;
UPDATE q SET part = part % 3 + 1, v = 'moved' WHERE id % 5 < 2;
DELETE FROM p WHERE id % 7 = 3;
DELETE FROM q WHERE id % 7 = 3;
SELECT count(*) FROM (SELECT id FROM p WHERE v = 'moved' FOR UPDATE) s;
SELECT differences('p', 'q'), faults('p1'), faults('p3');

-- rows that come by an index, or were sorted
CREATE INDEX ON r (id);
CREATE INDEX ON h (id);
ANALYZE r;
SET retldb.enable_columnar_scan = off;
SET enable_seqscan = off;
SELECT on_both('UPDATE {t} SET v = v || '','' WHERE id BETWEEN 20000 AND 23000');
SELECT on_both('DELETE FROM {t} WHERE id BETWEEN 22500 AND 26000');
BEGIN;
SELECT on_both('DELETE FROM {t} WHERE id BETWEEN 26000 AND 26100');
SAVEPOINT a;
SELECT on_both('DELETE FROM {t} WHERE id BETWEEN 26101 AND 26500');
ROLLBACK TO a;
SELECT on_both('UPDATE {t} SET n = 5 WHERE id BETWEEN 26050 AND 26500');
COMMIT;
RESET enable_seqscan;
RESET retldb.enable_columnar_scan;
SELECT on_both('SELECT FROM (SELECT FROM {t} ORDER BY id LIMIT 5000 FOR UPDATE) s');
SELECT on_both('DELETE FROM {t} t USING (SELECT id FROM {t} ORDER BY id LIMIT 3000) s WHERE s.id = t.id');
SELECT faults('r');

-- row security: rows that may not be seen are not touched
CREATE ROLE bulk_reader;
GRANT SELECT, UPDATE, DELETE ON r, h TO bulk_reader;
ALTER TABLE r ENABLE ROW LEVEL SECURITY;
ALTER TABLE h ENABLE ROW LEVEL SECURITY;
CREATE POLICY odd ON r USING (id % 2 = 1);
CREATE POLICY odd ON h USING (id % 2 = 1);
SET ROLE bulk_reader;
UPDATE h SET v = 'by reader' WHERE n < 300;
UPDATE r SET v = 'by reader' WHERE n < 300;
DELETE FROM h WHERE n BETWEEN 300 AND 320;
DELETE FROM r WHERE n BETWEEN 300 AND 320;
RESET ROLE;
SELECT differences('h', 'r'), faults('r');

-- rows that were deleted by others: vacuum, everything once more, and nothing is left
VACUUM r;
SELECT on_both('UPDATE {t} SET n = n');
VACUUM r;
SELECT on_both('DELETE FROM {t}');
VACUUM r;
SELECT count(*), faults('r') FROM r;

DROP TABLE r, h, p, q;
DROP ROLE bulk_reader;
DROP SEQUENCE evaluations;
DROP FUNCTION on_both, meddle, take_next, counted, counted_stable, by_cursor;
RESET retldb.row_store_rows;
RESET retldb.row_group_rows;
RESET retldb.vector_rows;

-- stubs are made together where rows come by a bitmap, and for upserts: one by one, each costs two WAL records
CREATE FUNCTION wal_records(command text) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
	result json;
BEGIN
	EXECUTE 'EXPLAIN (ANALYZE, WAL, TIMING OFF, FORMAT JSON) ' || command INTO result;
	RETURN result->0->'Plan'->>'WAL Records';
END $$;
SET retldb.row_store_rows = 0;
CREATE TABLE w (id int PRIMARY KEY, n int, v text) USING retldb;
INSERT INTO w SELECT i, i % 100, 'v' FROM generate_series(1, 9000) i;
CREATE INDEX ON w (n);
ANALYZE w;
SET retldb.enable_columnar_scan = off;
SET enable_seqscan = off;
SET enable_indexscan = off;
SELECT plan('SELECT FROM w WHERE n < 5 FOR UPDATE');
SELECT wal_records('SELECT FROM w WHERE n < 5 FOR UPDATE') BETWEEN 450 AND 800 AS together;
SELECT wal_records('SELECT FROM w WHERE n = 7 AND id % 4500 = 7 FOR UPDATE') <= 9 AS few;
SET enable_bitmapscan = off;
SET enable_indexscan = on;
SELECT wal_records('SELECT FROM w WHERE n BETWEEN 10 AND 14 FOR UPDATE') >= 1350 AS one_by_one;
RESET retldb.enable_columnar_scan;
RESET enable_seqscan;
RESET enable_bitmapscan;
-- lock, update, and two index entries
SELECT wal_records('INSERT INTO w SELECT i, 0, ''w'' FROM generate_series(16, 9000, 20) i ON CONFLICT (id) DO UPDATE SET v = excluded.v') BETWEEN 1350 AND 2400 AS together;
SET retldb.enable_upsert_batches = off;
SELECT wal_records('INSERT INTO w SELECT i, 0, ''w'' FROM generate_series(17, 9000, 20) i ON CONFLICT (id) DO UPDATE SET v = excluded.v') >= 2690 AS one_by_one;
RESET retldb.enable_upsert_batches;
SELECT count(*) FILTER (WHERE v = 'w'), count(*), faults('w') FROM w;
DROP TABLE w;
DROP FUNCTION wal_records;
