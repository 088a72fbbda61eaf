-- What this release cannot do fails by name, with a hint, and harms nothing.
CREATE TABLE t (a int, b text) USING retldb;
INSERT INTO t SELECT i, 'text ' || i FROM generate_series(1, 3000) i;
CREATE TABLE h (a int PRIMARY KEY, b text) USING heap;
INSERT INTO h VALUES (1, 'one'), (5000, 'other');

CREATE INDEX t_a ON t USING brin (a);
CREATE INDEX CONCURRENTLY t_a ON t USING brin (a);
SELECT count(*) FROM pg_index WHERE indrelid = 't'::regclass;
CREATE INDEX h_b ON h USING brin (b);
ALTER TABLE h SET ACCESS METHOD retldb;
CREATE TABLE l (LIKE h INCLUDING ALL) USING retldb;
CREATE TABLE p (a int, b text) PARTITION BY RANGE (a);
CREATE INDEX p_a ON p USING brin (a);
SET default_table_access_method = retldb;
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10000);
RESET default_table_access_method;
ALTER TABLE p ATTACH PARTITION t FOR VALUES FROM (0) TO (10000);
DROP INDEX p_a;
ALTER TABLE p ATTACH PARTITION t FOR VALUES FROM (0) TO (10000);
CREATE INDEX p_a ON p USING brin (a);
ALTER TABLE p DETACH PARTITION t;
DROP TABLE p;
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
