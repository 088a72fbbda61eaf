-- Commands about indexes and constraints that have one, of tables and what
-- depends on them: retldb and heap twins (setup.sql) must come to the same end.
SET client_min_messages = warning;
CREATE FUNCTION by_index(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text;
BEGIN
    PERFORM set_config('enable_seqscan', 'off', false), set_config('retldb.enable_columnar_scan', 'off', false);
    result := CASE WHEN twin_rows('heap', query) = twin_rows('retldb', query) THEN 'same' ELSE 'DIFFERENT' END;
    PERFORM set_config('enable_seqscan', 'on', false), set_config('retldb.enable_columnar_scan', 'on', false);
    RETURN result;
END $$;
SELECT fresh_twins();
-- constraints come, are violated, and go
SELECT twins('ALTER TABLE t ADD PRIMARY KEY (id)'), twins('ALTER TABLE t ADD PRIMARY KEY (x)'), twins('ALTER TABLE t ADD CONSTRAINT u UNIQUE (n)'), twins('ALTER TABLE t ADD CONSTRAINT u UNIQUE (v, id) DEFERRABLE INITIALLY DEFERRED'),
       twins('INSERT INTO t (id) VALUES (17)'), twins('INSERT INTO t (id) VALUES (NULL)'), twins('UPDATE t SET id = 18 WHERE id = 17'), twins('UPDATE t SET id = -id'), twins('UPDATE t SET id = -id'), twins_agree();
SELECT by_index('SELECT * FROM t WHERE id = 97'), by_index('SELECT id FROM t WHERE id BETWEEN 480 AND 530'), by_index('SELECT id FROM t WHERE v = ''v7'''), by_index('SELECT id FROM t WHERE id = 101');
SELECT twins('INSERT INTO t (id, v) VALUES (17, ''v'') ON CONFLICT DO NOTHING'), twins('INSERT INTO t (id, v) VALUES (17, ''v''), (9017, ''new'') ON CONFLICT (id) DO UPDATE SET v = EXCLUDED.v || t.v'),
       twins('INSERT INTO t (id, v) SELECT id + 1500, ''again'' FROM t ON CONFLICT ON CONSTRAINT t_pkey DO NOTHING'), twins_agree();
SELECT twins('ALTER TABLE t DROP CONSTRAINT t_pkey'), twins('INSERT INTO t (id) VALUES (17)'), twins('ALTER TABLE t ADD PRIMARY KEY (id)'), twins('DELETE FROM t WHERE id = 17'), twins('CREATE UNIQUE INDEX pk ON t (id)'),
       twins('ALTER TABLE t ADD CONSTRAINT t_key PRIMARY KEY USING INDEX pk'), twins('ALTER TABLE t DROP CONSTRAINT u'), twins_agree();
-- with columns that change
SELECT twins('CREATE INDEX i1 ON t (v, n)'), twins('CREATE INDEX i2 ON t (lower(v)) WHERE n > 2'), twins('CREATE INDEX i3 ON t USING hash (d)'), twins('CREATE INDEX i4 ON t (x DESC NULLS LAST) INCLUDE (v)'),
       twins('CREATE UNIQUE INDEX i5 ON t ((id * 2), n)'), twins('CREATE INDEX i6 ON t (nope)');
SELECT twins('ALTER TABLE t ALTER n TYPE bigint'), by_index('SELECT id FROM t WHERE v = ''v7'' AND n = 3'), twins('ALTER TABLE t ALTER v TYPE varchar(40)'), by_index('SELECT id FROM t WHERE v = ''V7'''),
       twins('ALTER TABLE t ALTER v TYPE text COLLATE "C"'), by_index('SELECT id FROM t WHERE v >= ''V1'' AND v < ''V3'''), twins('ALTER TABLE t ADD COLUMN a int DEFAULT 7'), twins('CREATE INDEX i7 ON t (a, id)'),
       by_index('SELECT id FROM t WHERE a = 7 AND id < 50'), twins_agree();
SELECT twins('ALTER TABLE t RENAME v TO vv'), twins('ALTER INDEX i1 RENAME TO i1x'), twins('ALTER INDEX i2 ALTER COLUMN 1 SET STATISTICS 50'), twins('ALTER INDEX i4 SET (fillfactor = 70)'), twins('ALTER TABLE t REPLICA IDENTITY USING INDEX t_key'),
       twins('ALTER TABLE t CLUSTER ON t_key'), twins('ALTER TABLE t SET WITHOUT CLUSTER'), twins('ALTER TABLE t DROP COLUMN n'), by_index('SELECT id FROM t WHERE vv = ''v7'''), twins_agree();
SELECT twins('REINDEX TABLE t'), twins('REINDEX INDEX i4'), twins('DROP INDEX i4'), twins('DROP INDEX t_key'), twins('TRUNCATE t'), by_index('SELECT * FROM t WHERE id = 97'), twins('INSERT INTO t (id, vv) SELECT i, ''t'' || i FROM generate_series(1, 3000) i'),
       by_index('SELECT * FROM t WHERE id = 97'), twins_agree();
-- access method, persistence, tablespace: indexes follow
SELECT twin_run('retldb', 'ALTER TABLE t SET ACCESS METHOD heap'), by_index('SELECT * FROM t WHERE id = 97'), twin_run('retldb', 'ALTER TABLE t SET ACCESS METHOD retldb'), by_index('SELECT * FROM t WHERE id BETWEEN 97 AND 200'),
       twins('ALTER TABLE t SET UNLOGGED'), by_index('SELECT id FROM t WHERE d IS NULL AND id < 30'), twins('ALTER TABLE t SET LOGGED'), by_index('SELECT * FROM t WHERE id > 2990'), twins_agree();
VACUUM FULL twin_retldb.t;
SELECT by_index('SELECT * FROM t WHERE id BETWEEN 97 AND 200'), twins_agree();
-- exclusion, NULLs, several at once
SELECT twins('CREATE TABLE e (r int4range, EXCLUDE USING gist (r WITH &&))'), twins('INSERT INTO e SELECT int4range(i * 10, i * 10 + 10) FROM generate_series(1, 500) i'), twins('INSERT INTO e VALUES (''[15,16)'')'),
       twins('INSERT INTO e VALUES (''[5,6)'')'), twins('DELETE FROM e WHERE r @> 20'), twins('INSERT INTO e VALUES (''[22,23)'')'), twins('UPDATE e SET r = ''[22,24)'' WHERE r @> 5'), twins('UPDATE e SET r = ''[24,26)'' WHERE r @> 5'), twins_agree();
SELECT twins('CREATE TABLE u (a int, b int, UNIQUE NULLS NOT DISTINCT (a), UNIQUE (b) DEFERRABLE)'), twins('INSERT INTO u SELECT i, i FROM generate_series(1, 2000) i'), twins('INSERT INTO u VALUES (NULL, NULL)'), twins('INSERT INTO u VALUES (NULL, 0)'),
       twins('UPDATE u SET b = b + 1'), twins('UPDATE u SET a = a + 1'), twins_agree();
-- foreign keys, to and from
SELECT twins('CREATE TABLE parent (id int PRIMARY KEY, v text UNIQUE)'), twins('INSERT INTO parent SELECT i, ''p'' || i FROM generate_series(1, 2500) i'), twins('CREATE TABLE kid (p int REFERENCES parent ON UPDATE CASCADE ON DELETE SET NULL, v text)'),
       twins('INSERT INTO kid SELECT i, ''p'' || i FROM generate_series(1, 2500, 3) i'), twins('INSERT INTO kid VALUES (0)'), twins('ALTER TABLE kid ADD FOREIGN KEY (v) REFERENCES parent (v) NOT VALID'), twins('ALTER TABLE kid VALIDATE CONSTRAINT kid_v_fkey'),
       twins('UPDATE parent SET id = id + 10000 WHERE id % 10 = 1'), twins('DELETE FROM parent WHERE id = 4'), twins('DELETE FROM parent WHERE id = 5'), twins('ALTER TABLE kid DROP CONSTRAINT kid_v_fkey'), twins('DELETE FROM parent WHERE id = 4'),
       twins('TRUNCATE parent'), twins('DROP TABLE parent'), twins('ALTER TABLE parent DROP CONSTRAINT parent_pkey'), twins_agree();
SELECT twins('UPDATE kid SET v = ''nobody'' WHERE p = 7'), twins('ALTER TABLE kid ADD FOREIGN KEY (v) REFERENCES parent (v)'), twins('ALTER TABLE kid ADD FOREIGN KEY (v) REFERENCES parent (v) NOT VALID'), twins('ALTER TABLE kid VALIDATE CONSTRAINT kid_v_fkey'),
       twins('DELETE FROM kid WHERE v NOT IN (SELECT v FROM parent)'), twins('ALTER TABLE kid VALIDATE CONSTRAINT kid_v_fkey'), twins('TRUNCATE parent, kid'), twins('DROP TABLE parent, kid'), twins_agree();
-- LIKE, partitions, materialized views
SELECT twins('DROP TABLE t CASCADE'), fresh_twins();
SELECT twins('ALTER TABLE t ADD PRIMARY KEY (id)'), twins('CREATE INDEX t_v ON t (v) INCLUDE (n) WHERE n IS NOT NULL'), twins('CREATE TABLE l (LIKE t INCLUDING ALL)'), twins('INSERT INTO l SELECT * FROM t'), twins('INSERT INTO l SELECT * FROM t WHERE id = 2'),
       by_index('SELECT * FROM l WHERE id = 97'), twins_agree();
SELECT twins('CREATE TABLE p (id int PRIMARY KEY, n int, v text, d date, x numeric(12,2)) PARTITION BY RANGE (id)'), twins('CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (5000) TO (9000)'), twins('CREATE INDEX p_v ON p (v)'),
       twins('INSERT INTO p (id, v) SELECT i, ''p'' || i % 50 FROM generate_series(5000, 7500) i'), twins('ALTER TABLE p ATTACH PARTITION t FOR VALUES FROM (0) TO (5000)'), by_index('SELECT id FROM p WHERE v = ''v7'''), by_index('SELECT * FROM p WHERE id IN (97, 6000)'),
       twins('INSERT INTO p (id) VALUES (97)'), twins('UPDATE p SET id = id + 4000 WHERE id = 3050'), twins('UPDATE p SET id = id + 3000 WHERE id = 3051'), twins('CREATE UNIQUE INDEX ON p (v)'), twins('ALTER TABLE p ADD UNIQUE (v)'), twins_agree();
SELECT twins('CREATE TABLE refers (p int REFERENCES p)'), twins('INSERT INTO refers VALUES (97), (6000)'), twins('INSERT INTO refers VALUES (4999)'), twins('DELETE FROM p WHERE id = 97'), twins('ALTER TABLE p DETACH PARTITION t'),
       twins('DELETE FROM refers'), twins('ALTER TABLE p DETACH PARTITION t'), by_index('SELECT * FROM t WHERE id = 97'), twins('DROP INDEX p_v'), twins_agree(), twins('DROP TABLE p, refers');
SELECT twins('CREATE MATERIALIZED VIEW m AS SELECT n, d, count(*) AS c, sum(x) AS x FROM t GROUP BY n, d'), twins('CREATE UNIQUE INDEX ON m (n, d)'), twins('UPDATE t SET n = n + 1 WHERE id % 20 = 0'), twins('DELETE FROM t WHERE id < 100'),
       twins('REFRESH MATERIALIZED VIEW CONCURRENTLY m'), same('SELECT * FROM m'), twins('INSERT INTO t (id, n, d) SELECT i, 3, ''2030-01-01'' FROM generate_series(20001, 21500) i'), twins('REFRESH MATERIALIZED VIEW CONCURRENTLY m'), by_index('SELECT * FROM m WHERE n = 3'),
       twins('REFRESH MATERIALIZED VIEW m'), twins_agree();
SELECT twins('DROP MATERIALIZED VIEW m'), twins('DROP TABLE t, l, e, u');
DROP FUNCTION by_index;
