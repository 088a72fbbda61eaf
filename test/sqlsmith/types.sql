-- The database of test/sqlsmith/run: tables by the default access method.
SET client_min_messages = warning;
SET retldb.row_store_rows = 20;

CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE TYPE pair AS (a int, b text);
CREATE DOMAIN small AS int2 CHECK (VALUE < 1000);

CREATE TABLE everything (
	id int PRIMARY KEY, i2 int2, i4 int4, i8 int8, f4 float4, f8 float8, n numeric, nd numeric(12,3), bo bool,
	t text, vc varchar(20), ch char(8), c "char", na name, ba bytea, d date, ti time, tz timetz, ts timestamp, tstz timestamptz, iv interval,
	u uuid, ip inet, ci cidr, ma macaddr, mo money, bi bit(7), vb varbit, js json, jb jsonb, xm xml, ai int[], at text[],
	r4 int4range, rn numrange, rd daterange, mr int4multirange, po point, bx box, ci2 circle, pg polygon, ls lseg, tv tsvector, tq tsquery,
	o oid, e mood, p pair, dm small, g int GENERATED ALWAYS AS (i4 % 7) STORED);
INSERT INTO everything
SELECT i, i % 100, i * 7, i::int8 * 10000000000, i / 3.0, sqrt(i), i / 7.0, (i % 50) * 1.25, i % 3 = 0,
	'text ' || i % 40, left(md5(i::text), i % 20), 'ab' || i % 5, chr(65 + i % 20)::"char", ('name' || i % 9)::name, decode(md5(i::text), 'hex'),
	date '2000-01-01' + i, time '00:00' + i * interval '1 second', ('12:00:00+' || i % 12)::timetz, timestamp '2001-01-01' + i * interval '1 hour',
	timestamptz '2001-01-01' + i * interval '1 minute', i * interval '1 minute', md5((i % 300)::text)::uuid, ('10.0.' || i % 256 || '.1')::inet,
	('10.' || i % 256 || '.0.0/16')::cidr, '08:00:2b:01:02:03', (i % 1000)::money, (i % 128)::bit(7), (i % 16)::bit(4)::varbit, json_build_array(i, 'x'),
	jsonb_build_object('a', i, 'b', i % 3), ('<a>' || i || '</a>')::xml, ARRAY[i, NULL, i % 3], ARRAY['a' || i % 9, NULL], int4range(i, i + 5),
	numrange(i, i + 1.5), daterange(date '2000-01-01' + i, NULL), int4multirange(int4range(i, i + 2), int4range(i + 5, i + 7)), point(i, 1), box(point(i, 0), point(i + 2, 2)),
	circle(point(i, i), 2), polygon(box(point(i, 0), point(i + 2, 2))), lseg(point(i, 0), point(0, i)), to_tsvector('simple', 'w' || i % 9), to_tsquery('simple', 'w' || i % 9),
	i + 3000000000, (ARRAY['sad', 'ok', 'happy'])[1 + i % 3]::mood, ROW(i, 'x')::pair, i % 9
FROM generate_series(1, 2000) i;
-- nulls, values out of line, dead and moved rows
UPDATE everything SET i2 = NULL, i4 = NULL, i8 = NULL, f4 = 'NaN', f8 = NULL, n = 'NaN', nd = NULL, bo = NULL, t = NULL, vc = NULL, ch = NULL, c = NULL, na = NULL,
	ba = NULL, d = 'infinity', ti = NULL, ts = '-infinity', iv = NULL, u = NULL, ip = NULL, js = NULL, jb = NULL, xm = NULL, ai = '{}', at = NULL, r4 = 'empty', po = NULL, tv = NULL, e = NULL, p = NULL, dm = NULL
	WHERE id % 11 = 0;
UPDATE everything SET t = repeat(md5(id::text), 300), ba = decode(repeat(md5(id::text), 300), 'hex') WHERE id % 200 = 1;
DELETE FROM everything WHERE id % 13 = 0;
CREATE INDEX ON everything (i4);
CREATE INDEX ON everything (t, i8);
CREATE INDEX ON everything USING hash (u);
CREATE INDEX ON everything USING gin (ai);
CREATE INDEX ON everything USING gin (jb);
CREATE INDEX ON everything USING gin (tv);
CREATE INDEX ON everything USING gist (r4);
CREATE INDEX ON everything USING gist (po);
CREATE INDEX ON everything USING spgist (ip inet_ops);
CREATE INDEX ON everything USING spgist (bx);
CREATE INDEX ON everything ((n::int8 % 10)) WHERE n <> 'NaN';
CREATE INDEX ON everything (d) INCLUDE (ts);

CREATE TABLE parent (id int PRIMARY KEY, name text UNIQUE, v numeric);
INSERT INTO parent SELECT i, 'parent ' || i, i / 4.0 FROM generate_series(1, 300) i;
CREATE TABLE child (id int PRIMARY KEY, pid int REFERENCES parent ON DELETE CASCADE ON UPDATE CASCADE, day date NOT NULL DEFAULT '2020-01-01', note text CHECK (length(note) < 50));
INSERT INTO child SELECT i, 1 + i % 300, date '2020-01-01' + i, 'note ' || i FROM generate_series(1, 900) i;
CREATE INDEX ON child (pid);

CREATE TABLE parts (id int, day date, amount numeric(10,2), what text, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (MINVALUE) TO ('2020-06-01');
CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM ('2020-06-01') TO ('2021-01-01') USING heap;
CREATE TABLE parts_3 PARTITION OF parts DEFAULT PARTITION BY HASH (id);
CREATE TABLE parts_3a PARTITION OF parts_3 FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE parts_3b PARTITION OF parts_3 FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO parts SELECT i, date '2020-01-01' + i, i / 3.0, 'part ' || i % 7 FROM generate_series(1, 900) i;
CREATE INDEX ON parts (amount);

-- columns added, dropped and changed after rows were there
CREATE TABLE changed (a int, gone text, b text);
INSERT INTO changed SELECT i, 'gone', 'b' || i FROM generate_series(1, 500) i;
ALTER TABLE changed ADD COLUMN c int DEFAULT 7, DROP COLUMN gone, ADD COLUMN d date;
INSERT INTO changed SELECT i, 'b' || i, i, date '2020-01-01' + i FROM generate_series(501, 600) i;
CREATE TABLE empty_one (LIKE everything INCLUDING ALL);
CREATE TABLE inherited (extra text) INHERITS (changed);
INSERT INTO inherited SELECT i, 'b' || i, 2, NULL, 'extra' FROM generate_series(1, 50) i;
CREATE UNLOGGED TABLE unlogged_one AS SELECT i AS x, i % 5 AS y, ARRAY[i] AS z FROM generate_series(1, 400) i;
CREATE MATERIALIZED VIEW summary AS SELECT i2, count(*) AS n, sum(i4) AS s FROM everything GROUP BY i2;
CREATE VIEW joined AS SELECT c.id, p.name, c.day, p.v FROM child c JOIN parent p ON p.id = c.pid;

CREATE FUNCTION note_change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.note := left(NEW.note, 40); RETURN NEW; END $$;
CREATE TRIGGER note BEFORE INSERT OR UPDATE ON child FOR EACH ROW EXECUTE FUNCTION note_change();
