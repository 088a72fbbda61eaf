-- Stubs of rows that were only locked: compaction retires them, VACUUM removes them, and
-- the rows are as any that nobody has touched.
CREATE FUNCTION row_store(t regclass) RETURNS bigint LANGUAGE sql AS
    'SELECT row_store_pages FROM retldb.table_info(t)';
CREATE PROCEDURE tidy(t regclass) LANGUAGE plpgsql AS $$
BEGIN
    CALL quiet();
    CALL retldb.compact(t);
    CALL quiet();
END $$;
SET retldb.row_store_rows = 0;

-- a table all of whose rows are referenced
SET enable_seqscan = off;
CREATE TABLE rs_parent (id int PRIMARY KEY, v text) USING retldb WITH (autovacuum_enabled = off);
INSERT INTO rs_parent SELECT i, 'value ' || i FROM generate_series(1, 20000) i;
CREATE TABLE rs_child (id int REFERENCES rs_parent) USING heap;
SELECT row_store('rs_parent') < 5 AS small;
SET debug_discard_caches = 0;
INSERT INTO rs_child SELECT generate_series(1, 20000);
RESET debug_discard_caches;
RESET enable_seqscan;
SELECT row_store('rs_parent') > 80 AS large;
CALL tidy('rs_parent');
SELECT count(*), sum(id), faults('rs_parent') FROM rs_parent;
VACUUM rs_parent;
SELECT row_store('rs_parent') < 60 AS smaller, count(*), sum(id), faults('rs_parent') FROM rs_parent;
-- twice in the same place, and there is room for all of them
VACUUM rs_parent;
SELECT count(*) FROM (SELECT FROM rs_parent FOR KEY SHARE) x;
SELECT pages AS before FROM retldb.table_info('rs_parent') \gset
CALL tidy('rs_parent');
VACUUM rs_parent;
SELECT count(*) FROM (SELECT FROM rs_parent FOR KEY SHARE) x;
SELECT pages <= :before + 20 AS no_larger, faults('rs_parent') FROM retldb.table_info('rs_parent');
CALL tidy('rs_parent');
-- retired, and not gone yet: locks hold, changes are made, nothing is lost
DELETE FROM rs_child WHERE id BETWEEN 101 AND 400;
DELETE FROM rs_parent WHERE id = 50;
UPDATE rs_parent SET id = -id WHERE id = 50;
DELETE FROM rs_parent WHERE id BETWEEN 101 AND 200;
UPDATE rs_parent SET id = -id WHERE id BETWEEN 201 AND 300;
UPDATE rs_parent SET v = v || '!' WHERE id BETWEEN 301 AND 400;
INSERT INTO rs_child VALUES (150);
INSERT INTO rs_child VALUES (250);
INSERT INTO rs_parent VALUES (150, 'again'), (250, 'again');
INSERT INTO rs_parent VALUES (350, 'again') ON CONFLICT (id) DO UPDATE SET v = rs_parent.v || ' and ' || excluded.v;
INSERT INTO rs_parent VALUES (400, 'twice');
SELECT count(*), sum(id), count(*) FILTER (WHERE v LIKE '%!%'), faults('rs_parent') FROM rs_parent;
VACUUM rs_parent;
SELECT count(*), sum(id), count(*) FILTER (WHERE v LIKE '%!%'), faults('rs_parent') FROM rs_parent;
SELECT * FROM rs_parent WHERE id IN (150, 250, 350, -250) ORDER BY id;
CALL tidy('rs_parent');
VACUUM rs_parent;
CALL tidy('rs_parent');
SELECT count(*), sum(id), count(*) FILTER (WHERE v LIKE '%!%'), faults('rs_parent') FROM rs_parent;

-- what says something stays: locks, also of prepared transactions, and changes
CREATE TABLE rs_kept (a int, b text) USING retldb WITH (autovacuum_enabled = off);
INSERT INTO rs_kept SELECT i, 'v' FROM generate_series(1, 1000) i;
BEGIN;
SELECT count(*) FROM (SELECT FROM rs_kept FOR KEY SHARE) x;
COMMIT;
BEGIN;
UPDATE rs_kept SET b = 'rolled back' WHERE a <= 500;
ROLLBACK;
BEGIN;
SELECT a FROM rs_kept WHERE a IN (10, 20) ORDER BY a FOR UPDATE;
SAVEPOINT s;
DELETE FROM rs_kept WHERE a = 30;
ROLLBACK TO s;
SELECT a FROM rs_kept WHERE a = 40 FOR SHARE;
DELETE FROM rs_kept WHERE a = 60;
PREPARE TRANSACTION 'rs';
CALL tidy('rs_kept');
SELECT a FROM rs_kept WHERE a IN (10, 20, 30, 40, 50, 60) ORDER BY a FOR UPDATE SKIP LOCKED;
SELECT a FROM rs_kept WHERE a = 40 FOR UPDATE NOWAIT;
SELECT a FROM rs_kept WHERE a IN (30, 40, 50) ORDER BY a FOR KEY SHARE NOWAIT;
COMMIT PREPARED 'rs';
SELECT count(*), sum(a), count(*) FILTER (WHERE b <> 'v') AS updated, faults('rs_kept') FROM rs_kept;
VACUUM rs_kept;
SELECT count(*), sum(a), faults('rs_kept') FROM rs_kept;
-- in a transaction that has seen rows before: cursors, and its own changes
BEGIN;
DECLARE c CURSOR FOR SELECT * FROM rs_kept WHERE a IN (100, 200) FOR UPDATE;
FETCH c;
UPDATE rs_kept SET b = 'current' WHERE CURRENT OF c;
FETCH c;
DELETE FROM rs_kept WHERE CURRENT OF c;
SELECT count(*), sum(a) FROM rs_kept;
COMMIT;
-- groups with retired stubs are written anew, sampled, indexed and copied
CREATE INDEX rs_kept_a ON rs_kept (a);
ANALYZE rs_kept;
DELETE FROM rs_kept WHERE a % 4 = 0;
CALL tidy('rs_kept');
SELECT count(*), sum(a), faults('rs_kept') FROM rs_kept;
VACUUM FULL rs_kept;
SELECT count(*), sum(a), faults('rs_kept') FROM rs_kept;

-- groups whose stubs were all retired are deleted as a whole, and only these
SET retldb.row_group_rows = 500;
SET retldb.retire_stubs = 1;
CREATE TABLE rs_whole (a int PRIMARY KEY, b text) USING retldb WITH (autovacuum_enabled = off);
INSERT INTO rs_whole SELECT i, 'v' FROM generate_series(1, 2000) i;
CREATE FUNCTION groups_deleted(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE plan json;
BEGIN
    EXECUTE 'EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, FORMAT JSON) ' || command INTO plan;
    RETURN (plan->0->'Plan'->'Plans'->0->>'Row Groups Deleted');
END $$;
SELECT count(*) FROM (SELECT FROM rs_whole FOR KEY SHARE) x;
BEGIN;
DELETE FROM rs_whole WHERE a > 400 AND a < 600;
ROLLBACK;
BEGIN;
SELECT groups_deleted('DELETE FROM rs_whole');
SELECT count(*) FROM rs_whole;
ROLLBACK;
CALL tidy('rs_whole');
BEGIN;
SELECT groups_deleted('DELETE FROM rs_whole');
SELECT count(*) FROM rs_whole;
SAVEPOINT s;
INSERT INTO rs_whole SELECT i, 'new' FROM generate_series(1, 500) i;
ROLLBACK TO s;
ROLLBACK;
SELECT count(*), sum(a), faults('rs_whole') FROM rs_whole;
VACUUM rs_whole;
-- one row of the first group is touched again, one of the third is deleted
SELECT a FROM rs_whole WHERE a = 7 FOR UPDATE;
DELETE FROM rs_whole WHERE a = 1400;
SELECT groups_deleted('DELETE FROM rs_whole WHERE a <= 1000');
SELECT count(*), min(a), faults('rs_whole') FROM rs_whole;
SELECT groups_deleted('DELETE FROM rs_whole WHERE b = ''v''');
INSERT INTO rs_whole SELECT i, 'again' FROM generate_series(900, 1100) i;
SELECT count(*), sum(a), faults('rs_whole') FROM rs_whole;
VACUUM rs_whole;
CALL tidy('rs_whole');
SELECT count(*), sum(a), faults('rs_whole') FROM rs_whole;
RESET retldb.retire_stubs;
RESET retldb.row_group_rows;

RESET retldb.row_store_rows;
DROP TABLE rs_child, rs_parent, rs_kept, rs_whole;
DROP FUNCTION row_store, groups_deleted;
DROP PROCEDURE tidy;
