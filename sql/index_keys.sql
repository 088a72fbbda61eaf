-- Keys and indexes of rows in row groups, the row store and stubs, against heap
-- twins (setup.sql): fetching, unique keys, ON CONFLICT, MERGE, foreign keys,
-- exclusion constraints, partitions, loading.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS retldb;
CREATE EXTENSION IF NOT EXISTS btree_gist;
-- Rows that a command returns, in both schemas.
CREATE FUNCTION returned_by(method text, command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    path text := current_setting('search_path');
    one record;
    result text[] := '{}';
BEGIN
    PERFORM set_config('search_path', 'twin_' || method || ', public', false);
    FOR one IN EXECUTE command LOOP
        result := result || one::text;
    END LOOP;
    PERFORM set_config('search_path', path, false);
    RETURN array_to_string(ARRAY(SELECT unnest(result) ORDER BY 1), ' ');
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE || ' ' || SQLERRM;
END $$;
CREATE FUNCTION returned(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    expected text := returned_by('heap', command);
    result text := returned_by('retldb', command);
BEGIN
    RETURN CASE WHEN result = expected THEN result ELSE format('DIFFERENT: heap %s, retldb %s', expected, result) END;
END $$;

-- fetching by every kind of index
SELECT fresh_twins();
SELECT twins('CREATE UNIQUE INDEX t_id ON t (id)'), twins('CREATE INDEX t_nv ON t (n, v DESC) INCLUDE (x)'), twins('CREATE INDEX t_hash ON t USING hash (v)'),
       twins('CREATE INDEX t_part ON t (d) WHERE n = 3'), twins('CREATE INDEX t_lower ON t (lower(v), (id % 10))'),
       twins('CREATE INDEX t_gin ON t USING gin (string_to_array(v, '' ''))'), twins('CREATE INDEX t_gist ON t USING gist (x, d)'), twins('CREATE INDEX t_spgist ON t USING spgist (v)');
SET enable_seqscan = off;
SET enable_bitmapscan = off;
SET jit = off;
SELECT line FROM plan('SELECT * FROM twin_retldb.t WHERE id = 7') p(line);
SELECT same('SELECT * FROM t WHERE id IN (1, 97, 101, 103, 194, 500, 501, 2200, 2201, 2999, 3000, 3001, 3007, 3030, 3100, 3101)');
SELECT same('SELECT * FROM t WHERE id BETWEEN 400 AND 700'), same('SELECT x, id FROM t WHERE n = 2 AND v < ''v3'''), same('SELECT n, v, x FROM t WHERE n = 2 AND v < ''v3'''),
       same('SELECT x FROM t WHERE n IS NULL'), same('SELECT id FROM t WHERE v = ''v42'''), same('SELECT * FROM t WHERE v = ''updated 194''');
SELECT same('SELECT id FROM t WHERE n = 3 AND d > ''2020-11-01'''), same('SELECT * FROM t WHERE lower(v) = ''v7'' AND id % 10 = 7'), same('SELECT v FROM t WHERE v ^@ ''store 3'''),
       same('SELECT id FROM t WHERE x < 3 AND d < ''2020-03-01'''), same('SELECT id, v FROM t ORDER BY id LIMIT 5'), same('SELECT id, v FROM t ORDER BY id DESC LIMIT 105');
SELECT same('SELECT id, x FROM t ORDER BY x <-> 15.5 LIMIT 7'), same('SELECT id, ctid IS NOT NULL, xmin::text <> ''0'', tableoid IS NOT NULL FROM t WHERE id IN (50, 97, 3050)'),
       same('SELECT t FROM t WHERE id IN (50, 97, 103, 3050)'), same('SELECT a.id, b.v, a.v FROM t a JOIN t b ON b.id = a.id + 1 WHERE a.id BETWEEN 90 AND 110'),
       same('SELECT count(*) FROM t a JOIN t b USING (n, v) WHERE a.id < 50'), same('SELECT max(id), min(id) FROM t WHERE n = 5');
SELECT line FROM plan('SELECT n, v FROM twin_retldb.t WHERE n = 2 AND v < ''v3''') p(line);

-- single rows of one vector after another: of units that were read before, only a piece is read
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SELECT same('SELECT t.* FROM generate_series(1, 4000) g JOIN t ON t.id = g::bigint * 7919 % 3100');
RESET enable_hashjoin;
RESET enable_mergejoin;

-- a cursor, back and forth, while rows change
BEGIN;
DECLARE c SCROLL CURSOR FOR SELECT id, v FROM twin_retldb.t WHERE id BETWEEN 95 AND 105 ORDER BY id;
FETCH 3 FROM c;
UPDATE twin_retldb.t SET v = 'by cursor' WHERE CURRENT OF c;
DELETE FROM twin_retldb.t WHERE id = 98;
FETCH BACKWARD 2 FROM c;
FETCH 10 FROM c;
ROLLBACK;

-- a row that a savepoint has taken back, and rows of the same transaction
BEGIN;
SET LOCAL retldb.row_store_rows = 0;
SAVEPOINT s;
SELECT twins('INSERT INTO t (id, n, v) SELECT i, 1, ''gone'' FROM generate_series(5001, 5600) i'), same('SELECT count(*) FROM t WHERE id > 5000'), twins('INSERT INTO t (id) VALUES (5001)');
ROLLBACK TO s;
SELECT same('SELECT count(*) FROM t WHERE id > 5000'), twins('INSERT INTO t (id, n, v) SELECT i, 1, ''here'' FROM generate_series(5501, 5600) i'), same('SELECT count(*) FROM t WHERE id > 5000'),
       twins('UPDATE t SET id = id + 1000 WHERE id > 5550'), same('SELECT * FROM t WHERE id > 5000'), twins('INSERT INTO t (id) VALUES (6560)'), twins('INSERT INTO t (id) VALUES (5560)');
COMMIT;
SELECT same('SELECT * FROM t WHERE id > 5000'), twins('INSERT INTO t (id) VALUES (6561)');

-- unique keys: duplicates of rows in row groups, touched ones, those in memory
SELECT twins('INSERT INTO t (id) VALUES (9000), (1)'), twins('INSERT INTO t (id) VALUES (3007)'), twins('INSERT INTO t (id) VALUES (97)'), twins('INSERT INTO t (id) VALUES (202)'),
       twins('INSERT INTO t (id) VALUES (202)'), twins('UPDATE t SET id = id + 1 WHERE id BETWEEN 10 AND 20'), twins('UPDATE t SET id = 303 WHERE id = 302'), twins('UPDATE t SET id = 302 WHERE id = 303');
SET retldb.row_store_rows = 0;
SELECT twins('INSERT INTO t (id) SELECT 20000 + i % 400 FROM generate_series(1, 800) i'), twins('INSERT INTO t (id) SELECT 20000 - i FROM generate_series(1, 19999) i'),
       same('SELECT * FROM t WHERE id > 10000'), twins('INSERT INTO t (id) SELECT 20000 + i FROM generate_series(1, 700) i'), same('SELECT * FROM t WHERE id > 10000');
SELECT twins_agree();

-- ON CONFLICT
SELECT returned('INSERT INTO t (id, n, v) VALUES (1, 1, ''x''), (97, 2, ''y''), (3007, 3, ''z''), (30000, 4, ''new'') ON CONFLICT DO NOTHING RETURNING id, v');
SELECT returned('INSERT INTO t (id, n, v) VALUES (1, 1, ''x''), (97, 2, ''y''), (3007, 3, ''z''), (30001, 4, ''new'')
                 ON CONFLICT (id) DO UPDATE SET v = excluded.v || '' over '' || t.v, n = t.n + excluded.n RETURNING id, n, v, x');
SELECT returned('INSERT INTO t (id, v) VALUES (2, ''a''), (3, ''b'') ON CONFLICT (id) DO UPDATE SET v = excluded.v WHERE t.id = 3 RETURNING *');
SELECT returned('INSERT INTO t (id, v) VALUES (4, ''a''), (5, ''b''), (4, ''c'') ON CONFLICT (id) DO UPDATE SET v = excluded.v RETURNING *');
SELECT returned('INSERT INTO t (id, v) VALUES (40001, ''a''), (40001, ''c'') ON CONFLICT (id) DO UPDATE SET v = excluded.v RETURNING *');
SELECT returned('INSERT INTO t (id, v) VALUES (40001, ''a''), (40001, ''c'') ON CONFLICT (id) DO NOTHING RETURNING *');
SELECT returned('INSERT INTO t (id, v) SELECT i, ''many'' FROM generate_series(2195, 2205) i ON CONFLICT (id) DO UPDATE SET id = t.id + 50000, v = excluded.v RETURNING id, n, v');
SELECT returned('INSERT INTO t (id, v) VALUES (6, ''k'') ON CONFLICT (id) DO UPDATE SET (v, n) = (SELECT excluded.v || t.v, 77) RETURNING id, n, v, d');
SELECT twins('INSERT INTO t (id, v) VALUES (7, ''k'') ON CONFLICT (v) DO NOTHING'), twins('INSERT INTO t (id, v) VALUES (7, ''k'') ON CONFLICT (id) DO UPDATE SET id = 8');
SELECT twins('INSERT INTO t (id, n) SELECT i, i FROM generate_series(1, 3000) i ON CONFLICT (id) DO UPDATE SET n = excluded.n'), same('SELECT * FROM t WHERE id < 3100');
SELECT twins('INSERT INTO t (id, n) SELECT i, -i FROM generate_series(2000, 9400) i ON CONFLICT DO NOTHING'), same('SELECT count(*), sum(n), sum(x) FROM t'), twins_agree();

-- MERGE, and updates of keys
SELECT twins('MERGE INTO t USING (SELECT i FROM generate_series(9390, 9410) i) s ON t.id = i WHEN MATCHED AND i % 2 = 0 THEN DELETE WHEN MATCHED THEN UPDATE SET v = ''merged''
              WHEN NOT MATCHED THEN INSERT (id, v) VALUES (i, ''not matched'')'), same('SELECT * FROM t WHERE id > 9380');
SELECT twins('MERGE INTO t USING (VALUES (5), (5)) s (i) ON t.id = i WHEN MATCHED THEN UPDATE SET v = ''twice'''), returned('UPDATE t SET id = -id WHERE id BETWEEN 1 AND 5 RETURNING id, v'),
       returned('DELETE FROM t USING generate_series(-3, -1) i WHERE t.id = i RETURNING t.*'), same('SELECT * FROM t WHERE id < 20'), twins_agree();

-- foreign keys between tables in row groups, in both directions, all actions
SELECT twins('CREATE TABLE p (id int PRIMARY KEY, k text UNIQUE, v int)'), twins('INSERT INTO p SELECT i, ''k'' || i, i FROM generate_series(1, 600) i'),
       twins('CREATE TABLE c1 (p int REFERENCES p ON UPDATE CASCADE ON DELETE CASCADE, v text)'), twins('CREATE TABLE c2 (k text REFERENCES p (k) ON UPDATE SET NULL ON DELETE SET NULL, v int)'),
       twins('CREATE TABLE c3 (p int DEFAULT 600 REFERENCES p ON UPDATE SET DEFAULT ON DELETE SET DEFAULT)'), twins('CREATE TABLE c4 (p int REFERENCES p ON DELETE RESTRICT)'),
       twins('CREATE TABLE c5 (p int REFERENCES p DEFERRABLE INITIALLY DEFERRED, q int REFERENCES p (id) ON DELETE NO ACTION)'), twins('CREATE INDEX ON c1 (p)');
SELECT twins('INSERT INTO c1 SELECT i % 200 + 1, ''v'' || i FROM generate_series(1, 1000) i'), twins('INSERT INTO c2 SELECT ''k'' || i, i FROM generate_series(1, 300) i'),
       twins('INSERT INTO c3 SELECT i FROM generate_series(201, 300) i'), twins('INSERT INTO c4 SELECT i FROM generate_series(301, 320) i'), twins('INSERT INTO c5 SELECT i, i + 10 FROM generate_series(401, 420) i');
SELECT twins('INSERT INTO c1 SELECT i FROM generate_series(590, 610) i'), twins('INSERT INTO c1 VALUES (601)'), twins('INSERT INTO c2 VALUES (''k0'')'), twins('INSERT INTO c1 VALUES (NULL, ''null'')');
SELECT twins('DELETE FROM p WHERE id = 5'), twins('UPDATE p SET id = 1006 WHERE id = 6'), twins('UPDATE p SET v = v + 1 WHERE id < 50'), twins('DELETE FROM p WHERE id = 205'), twins('UPDATE p SET id = 1206 WHERE id = 206'),
       twins('UPDATE p SET k = ''K7'' WHERE id = 7'), twins('DELETE FROM p WHERE id = 301'), twins('UPDATE p SET id = 1302 WHERE id = 302'), twins('DELETE FROM p WHERE id = 402; SET CONSTRAINTS ALL IMMEDIATE'), twins('SET CONSTRAINTS ALL DEFERRED; DELETE FROM p WHERE id = 430'), twins('DELETE FROM p WHERE id = 415'), twins('DELETE FROM p WHERE id BETWEEN 100 AND 150');
SELECT same('SELECT * FROM p'), same('SELECT * FROM c1'), same('SELECT * FROM c2'), same('SELECT * FROM c3'), same('SELECT * FROM c4'), same('SELECT * FROM c5');
SELECT twins('INSERT INTO c5 VALUES (700, 600); INSERT INTO p VALUES (700, ''k700'', 0)'), twins('INSERT INTO c5 VALUES (701, 600); SET CONSTRAINTS ALL IMMEDIATE'), twins('SET CONSTRAINTS ALL IMMEDIATE; INSERT INTO c5 VALUES (702, 600)'),
       twins('UPDATE c5 SET p = 703 WHERE p = 410; INSERT INTO p VALUES (703, ''k703'', 0)'), twins('TRUNCATE p'), twins('DROP TABLE p'), twins('ALTER TABLE c1 ADD FOREIGN KEY (p) REFERENCES p (k)'),
       twins('ALTER TABLE c2 ADD FOREIGN KEY (v) REFERENCES p (id) NOT VALID'), twins('DELETE FROM c2 WHERE v NOT IN (SELECT id FROM p)'), twins('ALTER TABLE c2 VALIDATE CONSTRAINT c2_v_fkey');
SELECT twins_agree(), twins('TRUNCATE p CASCADE'), same('SELECT * FROM c1'), twins('DROP TABLE p, c1, c2, c3, c4, c5');
-- one that refers to itself
SELECT twins('CREATE TABLE tree (id int PRIMARY KEY, up int REFERENCES tree ON DELETE CASCADE)'), twins('INSERT INTO tree SELECT i, nullif(i / 2, 0) FROM generate_series(1, 500) i'),
       twins('DELETE FROM tree WHERE id = 3'), same('SELECT * FROM tree'), twins('UPDATE tree SET id = id + 1000'), twins('DELETE FROM tree'), same('SELECT * FROM tree'), twins('DROP TABLE tree');

-- deferrable keys
SELECT twins('CREATE TABLE late (id int PRIMARY KEY DEFERRABLE, v int UNIQUE DEFERRABLE INITIALLY DEFERRED)'), twins('INSERT INTO late SELECT i, i FROM generate_series(1, 700) i');
SELECT twins('UPDATE late SET id = id + 1'), twins('UPDATE late SET id = 701 - id + 1'), twins('INSERT INTO late VALUES (2, 1000)'), twins('INSERT INTO late VALUES (1000, 2)'), twins('INSERT INTO late VALUES (1001, 2); DELETE FROM late WHERE v = 2 AND id <> 1001'),
       twins('INSERT INTO late SELECT i, i % 300 FROM generate_series(2001, 2700) i; UPDATE late SET v = id WHERE id > 2000'), twins('INSERT INTO late SELECT i % 300, i FROM generate_series(3001, 3700) i'), twins_agree();
BEGIN;
SELECT twins('INSERT INTO late SELECT i, 5000 + i % 300 FROM generate_series(4001, 4700) i'), twins('SET CONSTRAINTS ALL IMMEDIATE'), twins('DELETE FROM late WHERE id BETWEEN 4301 AND 4700'), twins('SET CONSTRAINTS ALL IMMEDIATE');
COMMIT;
SELECT twins_agree(), twins('INSERT INTO late VALUES (1, 1) ON CONFLICT (id) DO NOTHING'), twins('INSERT INTO late VALUES (1, 1) ON CONFLICT DO NOTHING'), twins('DROP TABLE late');

-- exclusion constraints, and unique keys on expressions: rows in memory would be asked for
SELECT twins('CREATE TABLE room (n int, during int4range, EXCLUDE USING gist (n WITH =, during WITH &&))'), twins('INSERT INTO room SELECT i % 10, int4range(i * 10, i * 10 + 10) FROM generate_series(1, 900) i');
SELECT twins('INSERT INTO room SELECT 1, int4range(i * 10 + 5, i * 10 + 8) FROM generate_series(1, 900) i'), twins('INSERT INTO room SELECT 1, int4range(i * 10, i * 10 + 15) FROM generate_series(10000, 10900) i'),
       twins('INSERT INTO room VALUES (1, ''[15,16]'') ON CONFLICT DO NOTHING'), twins('INSERT INTO room VALUES (2, ''[15,16]'') ON CONFLICT DO NOTHING'), twins('UPDATE room SET n = 3 WHERE n = 4'), twins('UPDATE room SET n = 3 WHERE n = 1'),
       twins('ALTER TABLE room ADD CONSTRAINT late EXCLUDE USING gist (n WITH =, during WITH -|-) DEFERRABLE INITIALLY DEFERRED'), twins_agree(), groups('twin_retldb.room'), twins('DROP TABLE room');
SELECT twins('CREATE TABLE folded (v text)'), twins('INSERT INTO folded SELECT ''Name '' || i FROM generate_series(1, 900) i'), twins('CREATE UNIQUE INDEX ON folded (lower(v))'),
       twins('INSERT INTO folded SELECT ''name '' || i FROM generate_series(901, 1700) i'), twins('INSERT INTO folded VALUES (''nAME 77'')'), twins('INSERT INTO folded VALUES (''nAME 1077'')');
SELECT returned('INSERT INTO folded VALUES (''nAME 77''), (''naME 1077''), (''none'') ON CONFLICT (lower(v)) DO UPDATE SET v = upper(folded.v) RETURNING *'),
       returned('INSERT INTO folded SELECT ''NAME '' || i FROM generate_series(1, 1700) i ON CONFLICT (lower(v)) DO NOTHING RETURNING *'), twins_agree(), groups('twin_retldb.folded'), twins('DROP TABLE folded');

-- partial unique keys, keys of several columns with nulls
SELECT twins('CREATE TABLE many (a int, b text, c int)'), twins('CREATE UNIQUE INDEX ON many (a, b)'), twins('CREATE UNIQUE INDEX ON many (c) WHERE b = ''one'''), twins('INSERT INTO many SELECT i % 50, ''b'' || i / 50, i FROM generate_series(1, 1000) i');
SELECT twins('INSERT INTO many VALUES (1, ''b1'', 1)'), twins('INSERT INTO many VALUES (NULL, ''b1'', 1), (NULL, ''b1'', 1)'), twins('UPDATE many SET b = ''one'' WHERE c < 20'), twins('UPDATE many SET b = ''one'', a = 100 + c WHERE c < 20'), twins('UPDATE many SET b = ''one'', a = 100 + c WHERE c > 900'),
       twins('UPDATE many SET c = 5 WHERE c = 6'), twins('INSERT INTO many VALUES (7, ''one'', 5) ON CONFLICT (c) WHERE b = ''one'' DO UPDATE SET a = 1000'), twins_agree(), twins('DROP TABLE many');

-- partitions: rows that move between them, keys that are unique in all
SELECT twins('CREATE TABLE part (id int, region int, v text, PRIMARY KEY (id, region)) PARTITION BY LIST (region)'), twins('CREATE TABLE part_1 PARTITION OF part FOR VALUES IN (1)'), twins('CREATE TABLE part_2 PARTITION OF part FOR VALUES IN (2)'),
       twins('CREATE TABLE part_3 PARTITION OF part FOR VALUES IN (3) USING heap'), twins('CREATE TABLE refers (id int, region int, FOREIGN KEY (id, region) REFERENCES part ON UPDATE CASCADE)');
SELECT twins('INSERT INTO part SELECT i, i % 3 + 1, ''v'' || i FROM generate_series(1, 1500) i'), twins('INSERT INTO refers SELECT i, i % 3 + 1 FROM generate_series(1, 1500, 7) i'), twins('INSERT INTO part VALUES (1, 2, ''x'')'), twins('INSERT INTO part VALUES (1, 1, ''x'')'), twins('INSERT INTO part VALUES (1, 1, ''x'')');
SELECT returned('INSERT INTO part VALUES (4, 2, ''x''), (5, 3, ''y''), (6, 1, ''z'') ON CONFLICT (id, region) DO UPDATE SET v = excluded.v || part.v RETURNING *'), twins('UPDATE part SET region = region % 3 + 1 WHERE id BETWEEN 8 AND 14'), twins('UPDATE part SET region = 3 WHERE id = 1'),
       same('SELECT * FROM refers'), twins('DELETE FROM part WHERE id = 15'), twins('DELETE FROM part WHERE id = 16'), twins('INSERT INTO part VALUES (17, 3, ''moved'') ON CONFLICT (id, region) DO UPDATE SET region = 1'),
       same('SELECT tableoid::regclass::text, * FROM part WHERE id < 40'), same('SELECT * FROM part WHERE region = 2 AND id = 400'), twins_agree(), twins('DROP TABLE part, refers');

-- triggers that look up keys of the table that is being loaded
SELECT twins('CREATE TABLE seen (id int PRIMARY KEY, v text)'), twins('CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql SET debug_discard_caches = 0 AS $f$ BEGIN
    IF EXISTS (SELECT FROM seen WHERE id = NEW.id) THEN NEW.id := NEW.id + 10000; NEW.v := (SELECT ''after '' || v FROM seen WHERE id = NEW.id - 10000); END IF; RETURN NEW; END $f$'),
       twins('CREATE TRIGGER look BEFORE INSERT ON seen FOR EACH ROW EXECUTE FUNCTION look()');
SELECT twins('INSERT INTO seen SELECT i % 900, ''v'' || i FROM generate_series(1, 1500) i'), same('SELECT * FROM seen'), twins('INSERT INTO seen SELECT i % 900, ''v'' || i FROM generate_series(1, 1500) i'), twins_agree(), twins('DROP TABLE seen'), twins('DROP FUNCTION look()');

-- COPY
\set SHOW_CONTEXT errors
SET retldb.row_group_rows = 256;
CREATE TABLE copied (id int PRIMARY KEY, v text, late int UNIQUE DEFERRABLE INITIALLY DEFERRED) USING retldb;
CREATE TABLE copied_heap (LIKE copied INCLUDING ALL) USING heap;
\copy copied FROM PROGRAM 'seq 1 1000 | sed "s/.*/&\trow &\t-&/"'
\copy copied_heap FROM PROGRAM 'seq 1 1000 | sed "s/.*/&\trow &\t-&/"'
SELECT groups('copied'), differences('copied', 'copied_heap'), faults('copied');
-- a key twice in one command, in one group and in two; one that is there
\copy copied FROM PROGRAM '(seq 2001 2100; seq 2050 2060) | sed "s/.*/&\tx\t-&/"'
\copy copied FROM PROGRAM '(seq 2001 2600; seq 2050 2060) | sed "s/.*/&\tx\t-&/"'
\copy copied FROM PROGRAM 'seq 2001 -1 1 | sed "s/.*/&\tx\t-&/"'
-- the deferred key
\copy copied FROM PROGRAM 'seq 3001 3600 | sed "s/.*/&\tx\t7/"'
\copy copied FROM PROGRAM 'seq 3001 3600 | sed "s/.*/&\tx\t-&/"'
\copy copied_heap FROM PROGRAM 'seq 3001 3600 | sed "s/.*/&\tx\t-&/"'
BEGIN;
\copy copied FROM PROGRAM 'seq 4001 4600 | sed "s/.*/&\tx\t-1&/"'
SAVEPOINT s;
\copy copied FROM PROGRAM 'seq 4600 4700 | sed "s/.*/&\tx\t-1&/"'
ROLLBACK TO s;
\copy copied FROM PROGRAM 'seq 4601 4700 | sed "s/.*/&\tx\t-1&/"'
UPDATE copied SET v = 'y' WHERE id = 4650;
COMMIT;
\copy copied_heap FROM PROGRAM 'seq 4001 4700 | sed "s/.*/&\tx\t-1&/"'
UPDATE copied_heap SET v = 'y' WHERE id = 4650;
SELECT differences('copied', 'copied_heap'), faults('copied'), check_keys FROM (SELECT count(*) AS check_keys FROM copied a JOIN copied b USING (id)) c;
-- into partitions
CREATE TABLE pieces (id int PRIMARY KEY, v text) PARTITION BY RANGE (id);
CREATE TABLE pieces_1 PARTITION OF pieces FOR VALUES FROM (0) TO (1000) USING retldb;
CREATE TABLE pieces_2 PARTITION OF pieces FOR VALUES FROM (1000) TO (5000) USING retldb;
\copy pieces FROM PROGRAM 'seq 1 3 4000 | sed "s/.*/&\tx/"'
\copy pieces FROM PROGRAM 'seq 2 5 4000 | sed "s/.*/&\tx/"'
\copy pieces FROM PROGRAM 'seq 2 3 4000 | sed "s/.*/&\tx/"'
SELECT tableoid::regclass, count(*), sum(id), count(*) FILTER (WHERE EXISTS (SELECT FROM pieces q WHERE q.id = p.id)) FROM pieces p GROUP BY 1 ORDER BY 1;
SELECT faults('pieces_1'), faults('pieces_2');

-- Entries of dead rows leave an index without VACUUM, before its pages are split; all
-- others stay.  The rows are in several row groups, whose order is not the index's.
CREATE TABLE worn (id int PRIMARY KEY, n int) USING retldb
    WITH (row_group_rows = 4096, autovacuum_enabled = off);
INSERT INTO worn SELECT i, 0 FROM generate_series(0, 19999) i ORDER BY i % 2, i;
CALL retldb.compact('worn');
REINDEX TABLE worn;
SELECT pg_relation_size('worn_pkey') AS size_before \gset
SELECT count(*) > 3 AS several FROM retldb.row_groups('worn') WHERE state = 'complete';
CREATE PROCEDURE wear() LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 0 .. 59 LOOP
		UPDATE worn SET n = n + 1 WHERE id % 20 = 3 * (i % 2);
		COMMIT;
		DELETE FROM worn WHERE id % 1000 = 500 + 2 * i;
		COMMIT;
	END LOOP;
	-- then every row once
	FOR i IN 0 .. 19 LOOP
		UPDATE worn SET n = n + 1 WHERE id % 20 = i;
		COMMIT;
	END LOOP;
END
$$;
CALL wear();
SET enable_bitmapscan = off;
SELECT count(*), count(n), sum(n), sum(n) FILTER (WHERE n NOT IN (1, 31)) AS others
  FROM generate_series(0, 19999) i LEFT JOIN LATERAL (SELECT n FROM worn WHERE id = i OFFSET 0) w ON true;
RESET enable_bitmapscan;
SELECT count(*), sum(n) FROM worn;
SELECT pg_relation_size('worn_pkey') < 1.5 * :size_before AS not_much_larger;
DROP TABLE worn;
DROP PROCEDURE wear();

DROP TABLE copied, copied_heap, pieces;
SELECT twins('DROP TABLE t');
DROP FUNCTION returned_by, returned;
DROP EXTENSION btree_gist;
