-- Rows that a command has inserted already are there for whoever looks at the
-- table in the middle of it, as on heap; and rewriting a table reads old rows
-- with their old columns.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS retldb;
RESET client_min_messages;
SET retldb.row_store_rows = 0;
SET retldb.row_group_rows = 256;

-- a BEFORE trigger that counts the rows so far, by each kind of scan
CREATE TABLE own_h (i int, seen bigint) USING heap;
CREATE TABLE own_r (i int, seen bigint) USING retldb;
CREATE FUNCTION count_so_far() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('SELECT count(*) FROM %I', TG_TABLE_NAME) INTO NEW.seen;
	RETURN NEW;
END $$;
CREATE TRIGGER count_so_far BEFORE INSERT ON own_h FOR EACH ROW EXECUTE FUNCTION count_so_far();
CREATE TRIGGER count_so_far BEFORE INSERT ON own_r FOR EACH ROW EXECUTE FUNCTION count_so_far();
INSERT INTO own_h SELECT i FROM generate_series(1, 50) i;
INSERT INTO own_r SELECT i FROM generate_series(1, 50) i;
SELECT * FROM own_h EXCEPT ALL SELECT * FROM own_r;
SET retldb.enable_columnar_scan = off;
TRUNCATE own_r;
INSERT INTO own_r SELECT i FROM generate_series(1, 50) i;
SELECT * FROM own_h EXCEPT ALL SELECT * FROM own_r;
RESET retldb.enable_columnar_scan;

-- a volatile function in the query that inserts
CREATE FUNCTION rows_of_own_r() RETURNS bigint LANGUAGE plpgsql VOLATILE AS
$$ BEGIN RETURN (SELECT count(*) FROM own_r); END $$;
CREATE FUNCTION rows_of_own_h() RETURNS bigint LANGUAGE plpgsql VOLATILE AS
$$ BEGIN RETURN (SELECT count(*) FROM own_h); END $$;
DROP TRIGGER count_so_far ON own_h;
DROP TRIGGER count_so_far ON own_r;
TRUNCATE own_h, own_r;
INSERT INTO own_h SELECT i, rows_of_own_h() FROM generate_series(1, 20) i;
INSERT INTO own_r SELECT i, rows_of_own_r() FROM generate_series(1, 20) i;
SELECT * FROM own_h EXCEPT ALL SELECT * FROM own_r;

-- AFTER triggers that look at the new rows by their TIDs
CREATE TABLE own_log (i int, x text);
CREATE FUNCTION log_row() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN INSERT INTO own_log VALUES (NEW.i, TG_NAME); RETURN NULL; END $$;
CREATE TRIGGER after_row AFTER INSERT ON own_r FOR EACH ROW EXECUTE FUNCTION log_row();
CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON own_r DEFERRABLE INITIALLY DEFERRED
	FOR EACH ROW EXECUTE FUNCTION log_row();
INSERT INTO own_r SELECT i FROM generate_series(1, 1000) i;
SELECT x, count(*), sum(i) FROM own_log GROUP BY x ORDER BY x;

-- columns that were added, seen by a command that rewrites the table
CREATE TABLE rewritten (a int) USING retldb;
INSERT INTO rewritten SELECT i FROM generate_series(1, 600) i;
ALTER TABLE rewritten ADD COLUMN b int DEFAULT 7;
ALTER TABLE rewritten ADD COLUMN c text DEFAULT 'seven';
ALTER TABLE rewritten ALTER COLUMN a TYPE bigint;
SELECT count(*), sum(a), sum(b), min(c), max(c) FROM rewritten;
ALTER TABLE rewritten ADD COLUMN d int DEFAULT 8, ALTER COLUMN b TYPE numeric USING b * 1.5;
SELECT count(*), sum(a), sum(b), min(c), max(c), sum(d) FROM rewritten;
ALTER TABLE rewritten ADD COLUMN e int DEFAULT 9;
ALTER TABLE rewritten DROP COLUMN b, ALTER COLUMN e TYPE text USING 'nine ' || e, SET ACCESS METHOD heap;
SELECT count(*), sum(a), min(c), sum(d), min(e) FROM rewritten;
ALTER TABLE rewritten SET ACCESS METHOD retldb;
SELECT count(*), sum(a), min(c), sum(d), min(e) FROM rewritten;
SELECT * FROM retldb.verify('rewritten');

-- settings that change in the middle of a command: it keeps the old ones
CREATE TABLE changed (i int, x text) USING retldb;
SET retldb.row_group_rows = 1024;
INSERT INTO changed SELECT i, CASE WHEN i = 1500 THEN set_config('retldb.row_group_rows', '128', false) END
	FROM generate_series(1, 6000) i;
SELECT count(*), sum(i), count(DISTINCT ctid) FROM changed;
SELECT row_number, rows FROM retldb.row_groups('changed') ORDER BY 1;
SELECT * FROM retldb.verify('changed');

-- many partitions and little memory: neither tiny row groups nor the row store
-- for those that fill whole groups
CREATE TABLE parted (k int, i int, x text) PARTITION BY LIST (k);
SELECT format('CREATE TABLE parted_%s PARTITION OF parted FOR VALUES IN (%s) USING retldb', k, k)
	FROM generate_series(0, 2) k \gexec
SET retldb.write_memory = '4MB';
SET retldb.row_group_rows = 20000;
INSERT INTO parted SELECT i % 3, i, repeat(md5(i::text), 2) FROM generate_series(1, 240000) i;
SELECT count(*), sum(rows) FROM generate_series(0, 2) k, LATERAL retldb.row_groups('parted_' || k);
SELECT count(*), sum(i) FROM parted;
RESET retldb.write_memory;

DROP TABLE own_h, own_r, own_log, rewritten, changed, parted;
DROP FUNCTION count_so_far, rows_of_own_r, rows_of_own_h, log_row;
