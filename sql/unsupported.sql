-- What this release cannot do fails by name, with a hint, and harms nothing.
CREATE TABLE t (a int, b text) USING retldb;
INSERT INTO t SELECT i, 'text ' || i FROM generate_series(1, 3000) i;
CREATE TABLE h (a int PRIMARY KEY, b text) USING heap;
INSERT INTO h VALUES (1, 'one'), (5000, 'other');

INSERT INTO t VALUES (0, 'zero') ON CONFLICT (a) DO UPDATE SET b = 'x';
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

DROP TABLE t;
DROP TABLE h;
