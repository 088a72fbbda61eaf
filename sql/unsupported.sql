-- What this release cannot do fails by name, with a hint, and harms nothing.
CREATE TABLE t (a int, b text) USING retldb;
INSERT INTO t SELECT i, 'text ' || i FROM generate_series(1, 3000) i;
CREATE TABLE h (a int PRIMARY KEY, b text) USING heap;
INSERT INTO h VALUES (1, 'one'), (5000, 'other');

UPDATE t SET b = 'x' WHERE a = 1;
UPDATE t SET b = 'x' WHERE a = 2500;
UPDATE t SET b = h.b FROM h WHERE h.a = t.a;
DELETE FROM t WHERE a = 1;
DELETE FROM t WHERE a = 2500;
DELETE FROM t USING h WHERE h.a = t.a;
SELECT * FROM t WHERE a = 1 FOR UPDATE;
SELECT * FROM t WHERE a = 2500 FOR NO KEY UPDATE;
SELECT * FROM t WHERE a = 2500 FOR SHARE;
SELECT * FROM t WHERE a = 1 FOR KEY SHARE SKIP LOCKED;
INSERT INTO t VALUES (0, 'zero') ON CONFLICT (a) DO UPDATE SET b = 'x';
MERGE INTO t USING h ON t.a = h.a WHEN MATCHED THEN UPDATE SET b = h.b;
MERGE INTO t USING h ON t.a = h.a WHEN MATCHED THEN DELETE;
CREATE INDEX t_a ON t (a);
CREATE INDEX CONCURRENTLY t_a ON t (a);
SELECT count(*) FROM pg_index WHERE indrelid = 't'::regclass;
CREATE UNIQUE INDEX t_a ON t (a);
ALTER TABLE t ADD PRIMARY KEY (a);
ALTER TABLE t ADD UNIQUE (a);
ALTER TABLE t ADD EXCLUDE (a WITH =);
CREATE TABLE with_key (a int PRIMARY KEY) USING retldb;
CREATE TABLE with_unique (a int UNIQUE) USING retldb;
CLUSTER t USING t_a;
CLUSTER t;

BEGIN;
DECLARE c CURSOR FOR SELECT * FROM t;
FETCH 1 FROM c;
UPDATE t SET b = 'x' WHERE CURRENT OF c;
ROLLBACK;

-- nor through views, functions, partitions
CREATE VIEW v AS SELECT * FROM t;
UPDATE v SET b = 'x' WHERE a = 1;
WITH d AS (DELETE FROM t RETURNING a) SELECT count(*) FROM d;
CREATE TABLE p (a int, b text) PARTITION BY RANGE (a);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (1000) USING retldb;
CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (1000) TO (5000) USING heap;
INSERT INTO p SELECT * FROM t;
UPDATE p SET b = 'x' WHERE a = 1;
UPDATE p SET b = 'x' WHERE a = 1500;
DELETE FROM p WHERE a = 2;
CREATE INDEX ON p (a);
-- moving a row from heap into the table is an insert
UPDATE p SET a = 500 WHERE a = 1501;
SELECT count(*) FROM p1 WHERE a = 500;

-- a foreign key from it is checked by inserts; the check on the other side
-- would have to lock rows
CREATE TABLE child (a int REFERENCES h) USING retldb;
INSERT INTO child VALUES (1);
INSERT INTO child VALUES (2);
DELETE FROM h WHERE a = 1;
DELETE FROM h WHERE a = 5000;
UPDATE h SET b = 'free to change' WHERE a = 1;
DROP TABLE child;
INSERT INTO h VALUES (5000, 'other') ON CONFLICT DO NOTHING;

-- what looks alike and works
INSERT INTO t VALUES (0, 'zero') ON CONFLICT DO NOTHING;
MERGE INTO t USING h ON t.a = h.a WHEN NOT MATCHED THEN INSERT VALUES (h.a, h.b);
SELECT count(*) FROM t WHERE a IN (0, 5000);
BEGIN;
LOCK TABLE t IN EXCLUSIVE MODE;
ROLLBACK;
REINDEX TABLE t;
SELECT count(*), sum(a), count(*) FILTER (WHERE b = 'x') AS changed, faults('t') FROM t;

-- settings are checked
SET retldb.compression = 'gzip';
SET retldb.vector_rows = 1000;
SET retldb.row_group_rows = 1;
SET retldb.no_such_setting = 1;
SELECT * FROM retldb.verify('h');
SELECT * FROM retldb.row_groups('h');
SELECT * FROM retldb.column_chunks('h');
SELECT count(*) FROM retldb.verify('v');

DROP TABLE t, p CASCADE;
DROP TABLE h;
