-- UPDATE, DELETE, MERGE and row locks: whatever heap does, on rows of row groups
-- and of the row store alike.  Everything is done to a table and its heap twin.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS retldb;
RESET client_min_messages;
SET retldb.row_store_rows = 0;
SET retldb.row_group_rows = 1000;
SET retldb.vector_rows = 128;

CREATE TABLE r (id int, v text, n numeric, big text) USING retldb;
CREATE TABLE h (id int, v text, n numeric, big text) USING heap;

-- the same on both, with the row counts that the command tags would show
CREATE FUNCTION on_both(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	counts bigint[] := '{}';
	c bigint;
	t text;
BEGIN
	FOREACH t IN ARRAY '{h,r}'::text[] LOOP
		EXECUTE replace(command, '{t}', t);
		GET DIAGNOSTICS c = ROW_COUNT;
		counts := counts || c;
	END LOOP;
	IF counts[1] <> counts[2] OR differences('h', 'r') <> 0 THEN
		RETURN format('heap %s, retldb %s, differences %s', counts[1], counts[2], differences('h', 'r'));
	END IF;
	RETURN format('%s rows', counts[1]);
END $$;

SELECT on_both('INSERT INTO {t} SELECT i, ''v'' || i % 100, i / 4.0, CASE WHEN i % 500 = 0 THEN repeat(md5(i::text), 400) END FROM generate_series(1, 5000) i');
SET retldb.row_store_rows = 1000;
SELECT on_both('INSERT INTO {t} SELECT i, ''row store'', i, NULL FROM generate_series(5001, 5100) i');
SELECT count(*) FROM retldb.row_groups('r');

-- each command touches groups and row store
SELECT on_both('DELETE FROM {t} WHERE id % 10 = 0');
SELECT on_both('UPDATE {t} SET v = ''changed'' WHERE id % 7 = 0');
SELECT on_both('UPDATE {t} SET v = v || ''!'', n = n + 1 WHERE id % 3 = 0');
SELECT on_both('UPDATE {t} SET big = repeat(md5(id::text), 500) WHERE id BETWEEN 990 AND 1010');
SELECT on_both('UPDATE {t} SET big = NULL WHERE id % 1000 = 1');
SELECT on_both('UPDATE {t} SET id = id WHERE id < 50');
SELECT on_both('DELETE FROM {t} WHERE v = ''no such''');
SELECT on_both('DELETE FROM {t} t USING generate_series(1, 100) g WHERE t.id = g * 3');
SELECT on_both('UPDATE {t} t SET v = g.x FROM (SELECT i, ''joined '' || i AS x FROM generate_series(100, 400, 9) i) g WHERE t.id = g.i');
SELECT on_both('UPDATE {t} t SET n = (SELECT max(id) FROM {t} u WHERE u.id < t.id) WHERE id IN (5, 777, 2222, 5050)');
SELECT on_both('MERGE INTO {t} t USING generate_series(2000, 2100) s ON t.id = s
  WHEN MATCHED AND s % 2 = 0 THEN DELETE WHEN MATCHED AND s % 3 = 0 THEN UPDATE SET v = ''merged''
  WHEN NOT MATCHED THEN INSERT VALUES (s, ''new'', 0, NULL)');
SELECT faults('r');

-- conditions are not evaluated on rows that are gone
SELECT on_both('DELETE FROM {t} WHERE id = 4321');
SELECT count(*) FROM h WHERE 1 / (id - 4321) = 0 AND id > 4300;
SELECT count(*) FROM r WHERE 1 / (id - 4321) = 0 AND id > 4300;

-- RETURNING: old rows, new ones, system columns
WITH d AS (DELETE FROM h WHERE id IN (11, 3333, 5011) RETURNING *) SELECT * FROM d ORDER BY id;
WITH d AS (DELETE FROM r WHERE id IN (11, 3333, 5011) RETURNING *) SELECT * FROM d ORDER BY id;
WITH u AS (UPDATE h SET n = -n WHERE id IN (12, 3334, 5012) RETURNING id, n, tableoid::regclass::text <> '' AS t, xmax) SELECT * FROM u ORDER BY id;
WITH u AS (UPDATE r SET n = -n WHERE id IN (12, 3334, 5012) RETURNING id, n, tableoid::regclass::text <> '' AS t, xmax) SELECT * FROM u ORDER BY id;
-- a row that was locked before, as those of upserts are, shows it, also if values go out of line
CREATE FUNCTION locked_before(change text, first int) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	t text;
BEGIN
	FOREACH t IN ARRAY '{h,r}'::text[] LOOP
		EXECUTE format('SELECT FROM %s WHERE id IN (%s, %s) FOR UPDATE', t, first, first + 3400);
		RETURN QUERY EXECUTE format('UPDATE %s SET %s WHERE id IN (%s, %s, %s, %s) RETURNING concat(''%s '', id, '' '', xmax = 0)',
			t, change, first, first + 1, first + 3400, first + 3401, t);
	END LOOP;
END $$;
SELECT * FROM locked_before('n = n', 1303) ORDER BY 1;
SELECT * FROM locked_before('big = repeat(md5(id::text), 500)', 1321) ORDER BY 1;
DROP FUNCTION locked_before;

-- who inserted a row stays known while it is locked
CREATE TABLE x (a int) USING retldb;
SET retldb.row_store_rows = 0;
INSERT INTO x SELECT generate_series(1, 10);
SET retldb.row_store_rows = 1000;
SELECT min(xmin::text) = max(xmin::text) AND min(cmin::text) = '0' AS same FROM x;
BEGIN;
SELECT a FROM x WHERE a < 3 FOR UPDATE;
SELECT count(DISTINCT xmin::text) FROM x;
ROLLBACK;
SELECT count(DISTINCT xmin::text) FROM x;
DROP TABLE x;

-- savepoints: lock, update and delete, taken back
BEGIN;
SELECT on_both('DELETE FROM {t} WHERE id = 100');
SAVEPOINT a;
SELECT on_both('DELETE FROM {t} WHERE id > 2500');
SELECT on_both('UPDATE {t} SET v = ''in savepoint'' WHERE id < 200');
ROLLBACK TO a;
SELECT on_both('SELECT') AS unchanged;
SELECT count(*) FROM (SELECT FROM r WHERE id < 300 FOR KEY SHARE) l;
SAVEPOINT b;
SELECT on_both('UPDATE {t} SET v = ''in savepoint b'' WHERE id < 300');
SAVEPOINT c;
SELECT on_both('UPDATE {t} SET v = v || '' and c'' WHERE id < 150');
RELEASE c;
SELECT on_both('DELETE FROM {t} WHERE v = ''in savepoint b and c''');
ROLLBACK TO b;
SELECT on_both('UPDATE {t} SET v = ''after b'' WHERE id < 300');
COMMIT;
SELECT on_both('SELECT') AS unchanged;

-- a row that one command deletes or updates twice
SELECT on_both('UPDATE {t} t SET v = s.v FROM (VALUES (4000, ''a''), (4000, ''b'')) s (id, v) WHERE t.id = s.id AND s.v < ''b''');
WITH a AS (DELETE FROM r WHERE id = 4001 RETURNING id), b AS (UPDATE r SET v = 'both' WHERE id = 4001 RETURNING id)
SELECT (SELECT count(*) FROM a) + (SELECT count(*) FROM b) AS changed;
DELETE FROM h WHERE id = 4001;
DELETE FROM r WHERE id = 4001;
SELECT on_both('SELECT') AS unchanged;

-- cursors: what they see, and WHERE CURRENT OF
BEGIN;
DECLARE c CURSOR FOR SELECT id FROM r WHERE id IN (1234, 2345, 5099);
SELECT on_both('DELETE FROM {t} WHERE id = 2345');
SELECT on_both('UPDATE {t} SET n = 0 WHERE id = 1234');
FETCH ALL FROM c;
CLOSE c;
DECLARE u CURSOR FOR SELECT id FROM r WHERE id IN (2346, 2347, 5098) FOR UPDATE;
FETCH 1 FROM u;
UPDATE r SET v = 'current' WHERE CURRENT OF u RETURNING v;
UPDATE r SET v = 'current again' WHERE CURRENT OF u RETURNING v;
FETCH 1 FROM u;
DELETE FROM r WHERE CURRENT OF u;
FETCH 1 FROM u;
DELETE FROM r WHERE CURRENT OF u;
COMMIT;
BEGIN;
DECLARE d CURSOR FOR SELECT id FROM r WHERE id = 2348;
FETCH 1 FROM d;
DELETE FROM r WHERE CURRENT OF d RETURNING id;
COMMIT;
-- (few rows: to read them all would be cheaper)
BEGIN;
CREATE TABLE few USING retldb WITH (row_store_rows = 0) AS SELECT i FROM generate_series(1, 3) i;
DECLARE f CURSOR FOR SELECT i FROM few;
FETCH 2 FROM f;
UPDATE few SET i = i + 10 WHERE CURRENT OF f RETURNING i;
ROLLBACK;
DELETE FROM h WHERE id IN (2346, 2347, 2348);
UPDATE h SET v = 'current again' WHERE id = 5098;
SELECT on_both('SELECT') AS unchanged;

-- by TID
SELECT count(*) FROM r WHERE ctid = (SELECT ctid FROM r WHERE id = 2351);
DELETE FROM r WHERE ctid = (SELECT ctid FROM r WHERE id = 2351);
UPDATE r SET v = 'by tid' WHERE ctid = ANY (ARRAY(SELECT ctid FROM r WHERE id IN (2352, 2353))) RETURNING id;
DELETE FROM h WHERE id = 2351;
UPDATE h SET v = 'by tid' WHERE id IN (2352, 2353);
SELECT on_both('SELECT') AS unchanged;
CREATE TEMP TABLE tids AS SELECT ctid AS t FROM r WHERE id = 2354;
-- (in one transaction: pruning takes versions that lead on, as on heap)
BEGIN;
UPDATE r SET v = 'first' WHERE id = 2354;
UPDATE r SET v = 'second' WHERE id = 2354;
SELECT count(*) FROM r, tids WHERE r.ctid = t;
SELECT v FROM r, tids WHERE r.ctid = currtid2('r', t);
COMMIT;
SELECT on_both('DELETE FROM {t} WHERE id = 2354');
SELECT currtid2('r', t) = t FROM tids;

-- vacuum: nothing comes back, whether stubs are there or gone
SELECT on_both('SELECT') AS unchanged;
VACUUM r;
SELECT on_both('SELECT') AS unchanged;
SELECT on_both('DELETE FROM {t} WHERE id % 11 = 0');
VACUUM (FREEZE) r;
SELECT on_both('SELECT') AS unchanged;
ANALYZE r;
SELECT reltuples = (SELECT count(*) FROM r) AS counted FROM pg_class WHERE relname = 'r';
SELECT on_both('DELETE FROM {t} WHERE id BETWEEN 1000 AND 2999');
VACUUM r;
SELECT reltuples = (SELECT count(*) FROM r) AS counted FROM pg_class WHERE relname = 'r';
SELECT on_both('SELECT') AS unchanged;
SELECT faults('r');

-- samples and ranges of TIDs leave out what is gone
SELECT count(*) = (SELECT count(*) FROM h) AS all FROM r TABLESAMPLE system (100);
SELECT count(*) = (SELECT count(*) FROM h) AS all FROM r TABLESAMPLE bernoulli (100);
SELECT count(*) = (SELECT count(*) FROM h) AS all FROM r WHERE ctid >= '(0,0)';

-- VACUUM FULL leaves out dead rows, and takes stubs and maps away
VACUUM FULL r;
SELECT on_both('SELECT') AS unchanged;
SELECT faults('r');
SELECT sum(rows) <= (SELECT count(*) FROM h) AS less FROM retldb.row_groups('r');
SELECT on_both('DELETE FROM {t} WHERE id % 23 = 0');

-- added and dropped columns, rewriting
ALTER TABLE r ADD COLUMN added int DEFAULT 7;
ALTER TABLE h ADD COLUMN added int DEFAULT 7;
SELECT on_both('UPDATE {t} SET n = n * 2 WHERE id % 13 = 0');
SELECT on_both('UPDATE {t} SET added = added + 1 WHERE id % 17 = 0');
ALTER TABLE r DROP COLUMN big;
ALTER TABLE h DROP COLUMN big;
SELECT on_both('DELETE FROM {t} WHERE added = 8 AND id % 2 = 0');
ALTER TABLE r ALTER COLUMN id TYPE bigint;
ALTER TABLE h ALTER COLUMN id TYPE bigint;
SELECT on_both('DELETE FROM {t} WHERE id % 19 = 0');
SELECT faults('r');

-- all of a table
SELECT on_both('DELETE FROM {t}');
SELECT on_both('INSERT INTO {t} SELECT i, ''again'', i, 1 FROM generate_series(1, 3000) i');
VACUUM r;
SELECT on_both('UPDATE {t} SET n = n + 1');
SELECT on_both('UPDATE {t} SET n = n + 1');
SELECT faults('r');
DROP TABLE r, h;

-- the map of a group: from one page to many, and rows in any order
SET retldb.row_store_rows = 0;
SET retldb.row_group_rows = 100000;
CREATE TABLE r (id int) USING retldb;
CREATE TABLE h (id int) USING heap;
SELECT on_both('INSERT INTO {t} SELECT generate_series(1, 30000)');
SELECT on_both('DELETE FROM {t} WHERE id % 29 = 3');
SELECT faults('r');
SELECT on_both('DELETE FROM {t} WHERE id BETWEEN 7000 AND 12000');
SELECT on_both('DELETE FROM {t} WHERE id % 5 < 4 AND id > 15000');
SELECT faults('r');
VACUUM r;
SELECT on_both('SELECT') AS unchanged;
SELECT on_both('DELETE FROM {t} WHERE id % 2 = 0');
BEGIN;
SELECT on_both('DELETE FROM {t}');
ROLLBACK;
SELECT on_both('SELECT') AS unchanged;
SELECT faults('r');
DROP TABLE r, h;

-- temporary and unlogged tables, one made in the same transaction
CREATE TEMP TABLE r (id int) USING retldb ON COMMIT DELETE ROWS;
BEGIN;
INSERT INTO r SELECT generate_series(1, 3000);
DELETE FROM r WHERE id % 2 = 0;
UPDATE r SET id = id + 1;
SELECT count(*), sum(id) FROM r;
COMMIT;
SELECT count(*) FROM r;
DROP TABLE r;
BEGIN;
CREATE UNLOGGED TABLE r (id int) USING retldb;
INSERT INTO r SELECT generate_series(1, 3000);
DELETE FROM r WHERE id % 2 = 0;
SAVEPOINT s;
UPDATE r SET id = id + 1;
ROLLBACK TO s;
UPDATE r SET id = id + 2;
COMMIT;
SELECT count(*), sum(id), faults('r') FROM r;
DROP TABLE r;

-- prepared transactions
CREATE TABLE r (id int, v text) USING retldb;
INSERT INTO r SELECT i, 'x' FROM generate_series(1, 100) i;
BEGIN;
DELETE FROM r WHERE id = 1;
UPDATE r SET v = 'prepared' WHERE id = 2;
SELECT id FROM r WHERE id = 3 FOR UPDATE;
PREPARE TRANSACTION 'row_operations';
SELECT id FROM r WHERE id < 5 ORDER BY id FOR UPDATE SKIP LOCKED;
SELECT id FROM r WHERE id = 2 FOR UPDATE NOWAIT;
COMMIT PREPARED 'row_operations';
SELECT id, v FROM r WHERE id < 5 ORDER BY id FOR UPDATE NOWAIT;
-- xmax and cmax: who has locked, updated or deleted a row
CREATE TABLE h (id int, v text) USING heap;
INSERT INTO h SELECT i, 'x' FROM generate_series(1, 100) i;
CREATE FUNCTION xmaxes(t text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	c refcursor;
	line text;
	result text := '';
BEGIN
	EXECUTE format('UPDATE %I SET v = v WHERE id = 50', t);
	OPEN c FOR EXECUTE format('SELECT concat_ws('' '', id, xmax = pg_current_xact_id()::xid, xmax = 0, cmax::text::int > 0) FROM %I WHERE id IN (10, 11, 12, 13) ORDER BY id', t);
	EXECUTE format('UPDATE %I SET v = ''y'' WHERE id = 10', t);
	EXECUTE format('DELETE FROM %I WHERE id = 11', t);
	EXECUTE format('SELECT FROM %I WHERE id = 12 FOR UPDATE', t);
	LOOP
		FETCH c INTO line;
		EXIT WHEN NOT FOUND;
		result := result || line || '; ';
	END LOOP;
	RETURN result;
END $$;
SELECT xmaxes('h');
SELECT xmaxes('r');
DROP FUNCTION xmaxes;
DROP TABLE h;
DROP TABLE r;
RESET retldb.row_store_rows;
RESET retldb.row_group_rows;
RESET retldb.vector_rows;
DROP FUNCTION on_both(text);
