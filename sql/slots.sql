-- Rows in slots of the access method: system columns, rows that outlive the
-- scan's position, whole rows, and batches of rows on their way into columns.
SET retldb.row_store_rows = 3;
SET retldb.row_group_rows = 256;
SET retldb.enable_columnar_scan = off;
SET max_parallel_workers_per_gather = 0;

CREATE TABLE s (a int, b text, c numeric, d timestamptz[], e name, f "char", g uuid) USING retldb;
CREATE TABLE h (LIKE s) USING heap;
INSERT INTO h SELECT i, CASE WHEN i % 7 > 0 THEN repeat('x', i % 50) || i END, CASE WHEN i % 3 > 0 THEN i / 8.0 END,
	ARRAY['2020-01-01 00:00Z'::timestamptz + i * interval '1 s'], 'n' || i, 'f', md5(i::text)::uuid
	FROM generate_series(1, 700) i;

-- RETURNING knows the inserter of every row, in the row store or not
INSERT INTO s SELECT * FROM h WHERE a <= 5 ORDER BY a
	RETURNING a, xmin = pg_current_xact_id()::xid AS own, cmin, xmax, ctid <> '(0,0)' AS placed, tableoid::regclass;
TRUNCATE s;
INSERT INTO s SELECT * FROM h ORDER BY a;
SELECT differences('s', 'h');
SELECT count(*), count(DISTINCT xmin::text), count(DISTINCT ctid), min(cmin::text), max(xmax::text), min(tableoid::regclass::text) FROM s;

-- whole rows, TID scans, self joins, sorts, and set operations keep rows
SELECT s FROM s WHERE a IN (2, 400) ORDER BY a;
SELECT count(*) FROM s one JOIN s two ON one.ctid = two.ctid WHERE one.b IS NOT DISTINCT FROM two.b;
SELECT count(*) FROM (SELECT * FROM s INTERSECT SELECT * FROM h) i;
SELECT a, length(b), c FROM s ORDER BY c DESC NULLS LAST, a LIMIT 3;
SELECT string_agg(DISTINCT left(b, 1), '') FROM s;
SELECT (SELECT r FROM (SELECT s AS r FROM s WHERE a = 300) q)::text = (SELECT h FROM h WHERE a = 300)::text AS same;

-- cursors move in both directions, and outlive their transaction
BEGIN;
DECLARE c SCROLL CURSOR FOR SELECT a, b, xmin IS NOT NULL AS x FROM s;
FETCH 2 FROM c;
MOVE 400 IN c;
FETCH 2 FROM c;
FETCH BACKWARD 3 FROM c;
FETCH ABSOLUTE 2 FROM c;
CLOSE c;
DECLARE w CURSOR WITH HOLD FOR SELECT * FROM s WHERE a > 698;
COMMIT;
FETCH ALL FROM w;
CLOSE w;

-- FOR row variables of functions are copies
CREATE FUNCTION last_two(t regclass) RETURNS text LANGUAGE plpgsql AS $$
DECLARE r record; before record;
BEGIN
	FOR r IN EXECUTE format('SELECT * FROM %s WHERE a > 500', t) LOOP before := r; END LOOP;
	RETURN before::text;
END $$;
SELECT last_two('s') = last_two('h') AS same;

-- triggers see new rows, and may change them; transition tables hold them
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF TG_WHEN = 'BEFORE' THEN NEW.b := 'changed'; RETURN NEW; END IF;
	RAISE NOTICE '% rows, % of them changed', (SELECT count(*) FROM new_rows), (SELECT count(*) FROM new_rows WHERE b = 'changed');
	RETURN NULL;
END $$;
CREATE TRIGGER b BEFORE INSERT ON s FOR EACH ROW WHEN (NEW.a > 710) EXECUTE FUNCTION note();
CREATE TRIGGER a AFTER INSERT ON s REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note();
INSERT INTO s SELECT i, 'y' || i FROM generate_series(701, 720) i;
COPY s (a, b) FROM stdin;
801	plain
705	plain
802	plain
803	plain
804	plain
\.
SELECT a, b, c FROM s WHERE a > 709 AND a <> 715 ORDER BY a;
DROP TRIGGER a ON s;
DROP TRIGGER b ON s;

-- dropped and added columns, and a rewrite
TRUNCATE s;
INSERT INTO s SELECT * FROM h;
ALTER TABLE s DROP COLUMN c, ADD COLUMN j text DEFAULT 'missing';
INSERT INTO s (a, j) SELECT i, 'there' FROM generate_series(1001, 1010) i;
SELECT a, e, j, s.xmin IS NOT NULL AS x FROM s WHERE a IN (1, 699, 1001, 1010) ORDER BY a;
ALTER TABLE s ALTER a TYPE bigint USING a * 2;
SELECT a, e, j FROM s WHERE a IN (2, 1398, 2002, 2020) ORDER BY a;
ANALYZE s;
SELECT attname, n_distinct FROM pg_stats WHERE tablename = 's' AND attname IN ('a', 'j') ORDER BY 1;
COPY (SELECT count(*) FROM s) TO stdout;

-- batches with values that need more than copying: large, compressed, expanded
CREATE TABLE big (i int, t text, v int[]) USING retldb;
CREATE TABLE big_h (LIKE big) USING heap;
INSERT INTO big_h SELECT i, CASE i % 10 WHEN 0 THEN repeat('long ' || i, 5000) WHEN 1 THEN repeat('z', 3000) WHEN 2 THEN NULL ELSE 'short' END,
	array_fill(i, ARRAY[i % 30]) || i FROM generate_series(1, 600) i;
INSERT INTO big SELECT * FROM big_h;
SELECT differences('big', 'big_h');
CREATE TABLE big_c USING retldb AS SELECT * FROM big;
SELECT differences('big_c', 'big_h'), faults('big'), faults('big_c');

-- large dictionaries are in order, whatever their values have in common
CREATE TABLE many (i int, t text, n numeric, f float8, u uuid) USING retldb;
CREATE TABLE many_h (LIKE many) USING heap;
SET retldb.row_group_rows = 100000;
INSERT INTO many_h SELECT (i * 7919) % 30011 - 15000, 'http://example.org/' || (i * 7919) % 2003 || CASE WHEN i % 2 = 0 THEN '/' ELSE '' END,
	((i * 31) % 1500) / 4.0, ((i * 17) % 900) / -3.0, md5((i % 1100)::text)::uuid FROM generate_series(1, 40000) i;
INSERT INTO many SELECT * FROM many_h;
SELECT differences('many', 'many_h'), faults('many');
SELECT count(*) FROM many WHERE t = 'http://example.org/77/' OR n = 13.25 OR u = md5('7')::uuid;
SELECT count(*) FROM many_h WHERE t = 'http://example.org/77/' OR n = 13.25 OR u = md5('7')::uuid;

-- whole rows are made some at a time out of all columns, dropped and added ones among them
SET retldb.vector_rows = 64;
SET retldb.row_group_rows = 200;
CREATE TABLE cols (i int, b bool, s smallint, l bigint, gone text, t text, v varchar, n numeric, c "char", z timetz, m macaddr,
	p point, e int[], y text COLLATE "C", x bytea, r real, d date, u name) USING retldb;
CREATE TABLE cols_h (LIKE cols) USING heap;
INSERT INTO cols_h SELECT i, i % 3 = 0, NULLIF(i % 5, 2), i * 10000000000, 'gone', CASE WHEN i % 4 > 0 THEN 'same ' || i % 7 END,
	repeat('v', 120 + i % 12), CASE WHEN i % 9 > 0 THEN (i % 6) / 4.0 END, 'c', ('10:' || 10 + i % 50 || '+01')::timetz,
	('08:00:2b:01:02:' || 10 + i % 80)::macaddr, point(i, -i), ARRAY[i % 2], repeat('y', i % 3), decode(md5(i::text), 'hex'),
	i / 8.0, CASE WHEN i % 64 = 63 THEN date '2024-01-01' + i END, 'name ' || i FROM generate_series(1, 500) i;
INSERT INTO cols SELECT * FROM cols_h;
ALTER TABLE cols DROP COLUMN gone, ADD COLUMN later text DEFAULT 'later';
ALTER TABLE cols_h DROP COLUMN gone, ADD COLUMN later text DEFAULT 'later';
SELECT differences('cols', 'cols_h');
SELECT count(*) FROM cols one JOIN cols_h other USING (i) WHERE one::text = other::text;
-- the first columns of all rows, the others of some
SELECT md5(string_agg(one::text, ',')) = (SELECT md5(string_agg(other::text, ',')) FROM cols_h other WHERE s = 3 AND i % 50 > 40) AS same
	FROM cols one WHERE s = 3 AND i % 50 > 40;
BEGIN;
DECLARE c SCROLL CURSOR FOR SELECT i, t, length(v), n, z, m, later FROM cols;
MOVE 190 IN c;
FETCH 2 FROM c;
MOVE BACKWARD 70 IN c;
FETCH BACKWARD 2 FROM c;
COMMIT;

DROP TABLE s, h, big, big_h, big_c, many, many_h, cols, cols_h;
DROP FUNCTION last_two, note;
