-- INSERT ... ON CONFLICT DO UPDATE of many rows: they are looked up together, and with suppress_noop rows that would change nothing are left alone.
SET retldb.row_store_rows = 0;
SET retldb.row_group_rows = 1000;
SET retldb.vector_rows = 128;

-- which commands get the node
CREATE TABLE up (id int PRIMARY KEY, v text, n int) USING retldb;
CREATE TABLE up_noop (id int PRIMARY KEY, v text, n int) USING retldb WITH (suppress_noop = on);
CREATE TABLE up_source AS SELECT i AS id, 'v' || i AS v, i AS n FROM generate_series(1, 200) i;
ANALYZE up_source;
CREATE FUNCTION batched(command text) RETURNS boolean LANGUAGE sql AS
'SELECT bool_or(p LIKE ''%RetldbUpsert%'') FROM plan(command) p';
SELECT plan('INSERT INTO up TABLE up_source ON CONFLICT (id) DO UPDATE SET v = excluded.v', 'VERBOSE, COSTS OFF');
SELECT batched('INSERT INTO up TABLE up_source ON CONFLICT ON CONSTRAINT up_pkey DO UPDATE SET v = excluded.v WHERE up.n > 0') AS yes;
SELECT batched('INSERT INTO up_noop VALUES (1, ''v1'', 1) ON CONFLICT (id) DO UPDATE SET v = excluded.v') AS yes;
CREATE FUNCTION up_volatile() RETURNS text LANGUAGE plpgsql AS 'BEGIN RETURN ''v''; END';
CREATE SEQUENCE up_sequence;
SELECT batched('INSERT INTO up_noop SELECT nextval(''up_sequence''), v, n FROM up_source ON CONFLICT (id) DO UPDATE SET v = excluded.v') AS yes;
SELECT batched('INSERT INTO up TABLE up_source ON CONFLICT (id) DO UPDATE SET n = nextval(''up_sequence'') WHERE nextval(''up_sequence'') > 0') AS yes;
SELECT batched('INSERT INTO up_noop SELECT nextval(''up_sequence''), v, n FROM up_source ON CONFLICT (id) DO UPDATE SET n = currval(''up_sequence'')') AS last_number;
SELECT batched('INSERT INTO up_noop SELECT nextval(''up_sequence''), v, n FROM up_source ON CONFLICT (id) DO UPDATE SET v = excluded.v RETURNING lastval()') AS last_number;
DROP SEQUENCE up_sequence;
SELECT batched('INSERT INTO up VALUES (1, ''v1'', 1) ON CONFLICT (id) DO UPDATE SET v = excluded.v') AS few_rows;
SELECT batched('INSERT INTO up TABLE up_source ON CONFLICT (id) DO NOTHING') AS nothing;
SELECT batched('INSERT INTO up TABLE up_source ON CONFLICT (id) DO UPDATE SET v = excluded.v RETURNING id, random()') AS yes;
SELECT batched('WITH s AS (TABLE up_source), u AS (INSERT INTO up TABLE s ON CONFLICT (id) DO UPDATE SET v = excluded.v RETURNING id) TABLE u') AS yes;
SELECT batched('INSERT INTO up SELECT id, clock_timestamp()::text || gen_random_uuid(), (random() * 10)::int FROM up_source ON CONFLICT (id) DO UPDATE SET v = excluded.v') AS yes;
SELECT batched('INSERT INTO up SELECT id, up_volatile(), n FROM up_source ON CONFLICT (id) DO UPDATE SET v = excluded.v') AS volatile_source;
SELECT batched('INSERT INTO up SELECT id, v, n FROM (SELECT *, up_volatile() FROM up_source) s ORDER BY up_volatile ON CONFLICT (id) DO UPDATE SET v = excluded.v') AS volatile_source;
SELECT batched('INSERT INTO up TABLE up_source ON CONFLICT (id) DO UPDATE SET n = (random() * 10)::int') AS yes;
SELECT batched('WITH d AS (DELETE FROM up_source RETURNING *) INSERT INTO up TABLE d ON CONFLICT (id) DO UPDATE SET n = 1') AS changing;
SELECT batched('WITH d AS (DELETE FROM up_source RETURNING *), u AS (INSERT INTO up TABLE d ON CONFLICT (id) DO UPDATE SET n = 1) SELECT') AS changing;
SELECT batched('WITH s AS (SELECT id, up_volatile(), n FROM up_source), u AS (INSERT INTO up TABLE s ON CONFLICT (id) DO UPDATE SET n = 1) SELECT') AS volatile_source;
SELECT batched('INSERT INTO up SELECT * FROM up_source FOR UPDATE ON CONFLICT (id) DO UPDATE SET n = 1') AS locking;
SET retldb.enable_upsert_batches = off;
SELECT batched('INSERT INTO up TABLE up_source ON CONFLICT (id) DO UPDATE SET v = excluded.v') AS off;
RESET retldb.enable_upsert_batches;
CREATE FUNCTION up_trigger() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
CREATE TRIGGER t AFTER UPDATE ON up FOR EACH ROW EXECUTE FUNCTION up_trigger();
SELECT batched('INSERT INTO up TABLE up_source ON CONFLICT (id) DO UPDATE SET v = excluded.v') AS yes;
DROP TRIGGER t ON up;
CREATE TRIGGER t AFTER UPDATE ON up REFERENCING NEW TABLE AS o FOR EACH STATEMENT EXECUTE FUNCTION up_trigger();
SELECT batched('INSERT INTO up TABLE up_source ON CONFLICT (id) DO UPDATE SET v = excluded.v') AS yes;
DROP TRIGGER t ON up;
CREATE TRIGGER t AFTER UPDATE ON up FOR EACH STATEMENT EXECUTE FUNCTION up_trigger();
SELECT batched('INSERT INTO up TABLE up_source ON CONFLICT (id) DO UPDATE SET v = excluded.v') AS yes;
DROP TRIGGER t ON up;
CREATE UNIQUE INDEX up_part ON up (n) WHERE id > 0;
SELECT batched('INSERT INTO up TABLE up_source ON CONFLICT (n) WHERE id > 0 DO UPDATE SET v = excluded.v') AS partial;
DROP INDEX up_part;
CREATE UNIQUE INDEX up_expression ON up ((n + 1));
SELECT batched('INSERT INTO up TABLE up_source ON CONFLICT ((n + 1)) DO UPDATE SET v = excluded.v') AS expression;
DROP INDEX up_expression;
-- rows exchange unique keys, in one order only
CREATE TABLE up_swap (id int PRIMARY KEY, code text UNIQUE, n int) USING retldb;
INSERT INTO up_swap VALUES (1, 'a', 1), (2, 'b', 2), (3, 'c', 3), (101, 'd', 4);
SELECT batched('INSERT INTO up_swap SELECT id, v, n FROM up_source ON CONFLICT (id) DO UPDATE SET n = excluded.n') AS yes;
SELECT batched('INSERT INTO up_swap SELECT id, v, n FROM up_source ON CONFLICT (id) DO UPDATE SET id = excluded.id, n = excluded.n') AS yes;
SELECT batched('INSERT INTO up_swap SELECT id, v, n FROM up_source ON CONFLICT (id) DO UPDATE SET code = excluded.code') AS yes;
SELECT batched('INSERT INTO up_swap SELECT id, v, n FROM up_source ON CONFLICT (id) DO UPDATE SET id = excluded.id + 100') AS yes;
SET retldb.suppress_noop = on;
INSERT INTO up_swap VALUES (2, 'z', 2), (1, 'b', 1) ON CONFLICT (id) DO UPDATE SET code = excluded.code;
INSERT INTO up_swap SELECT * FROM (VALUES (101, 'x', 0), (1, 'y', 0)) v ON CONFLICT (id) DO UPDATE SET id = up_swap.id + 100;
RESET retldb.suppress_noop;
SELECT * FROM up_swap ORDER BY id;
DROP TABLE up_swap;
-- keys that are equal to the arbiter, but not to another index
CREATE COLLATION up_nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TABLE up_case (k text COLLATE up_nocase, j int, PRIMARY KEY (k, j)) USING retldb;
CREATE UNIQUE INDEX up_case_c ON up_case (k COLLATE "C");
INSERT INTO up_case VALUES ('ab', 1), ('aB', 2);
INSERT INTO up_case SELECT CASE i WHEN 1 THEN 'Ab' WHEN 2 THEN 'aB' ELSE 'x' || i END, 3 - i FROM generate_series(1, 20) i
ON CONFLICT (k, j) DO UPDATE SET k = excluded.k;
SELECT * FROM up_case WHERE k = 'ab' ORDER BY j;
DROP TABLE up_case;
DROP COLLATION up_nocase;
CREATE VIEW up_view AS SELECT * FROM up WHERE n > 0 WITH CHECK OPTION;
SELECT batched('INSERT INTO up_view TABLE up_source ON CONFLICT (id) DO UPDATE SET v = excluded.v') AS yes;
DROP VIEW up_view;
CREATE TABLE up_generated (id int PRIMARY KEY, v text, n int, twice int GENERATED ALWAYS AS (n * 2) STORED) USING retldb;
SELECT batched('INSERT INTO up_generated TABLE up_source ON CONFLICT (id) DO UPDATE SET v = excluded.v') AS yes;
DROP TABLE up_generated;

-- rows that would change nothing are not touched: no transaction id, no lock
INSERT INTO up_noop TABLE up_source;
CREATE FUNCTION up_wrote() RETURNS boolean LANGUAGE sql VOLATILE AS 'SELECT pg_current_xact_id_if_assigned() IS NOT NULL';
BEGIN;
SELECT plan($$INSERT INTO up_noop TABLE up_source ON CONFLICT (id) DO UPDATE SET v = excluded.v, n = excluded.n$$, 'ANALYZE, BUFFERS OFF, COSTS OFF, TIMING OFF, SUMMARY OFF');
INSERT INTO up_noop SELECT id, 'other', n FROM up_source ON CONFLICT (id) DO UPDATE SET v = excluded.v WHERE excluded.v <> 'other';
INSERT INTO up_noop VALUES (7, 'v7', 7) ON CONFLICT (id) DO UPDATE SET v = excluded.v;
DO $$ BEGIN
	FOR i IN 1..50 LOOP
		INSERT INTO up_noop VALUES (i, 'v' || i, i) ON CONFLICT (id) DO UPDATE SET v = excluded.v, n = up_noop.n;
	END LOOP;
END $$;
SELECT up_wrote();
COMMIT;
SELECT plan($$INSERT INTO up_noop SELECT id, CASE WHEN id % 10 = 0 THEN 'x' ELSE v END, n FROM up_source ON CONFLICT (id) DO UPDATE SET v = excluded.v$$, 'ANALYZE, BUFFERS OFF, COSTS OFF, TIMING OFF, SUMMARY OFF');
SELECT count(*) FILTER (WHERE v = 'x'), count(*) FROM up_noop;
-- a prepared command goes with the option
PREPARE up_prepared AS INSERT INTO up_noop TABLE up_source ON CONFLICT (id) DO UPDATE SET n = excluded.n;
BEGIN;
EXECUTE up_prepared;
SELECT up_wrote();
COMMIT;
ALTER TABLE up_noop SET (suppress_noop = off);
BEGIN;
EXECUTE up_prepared;
SELECT up_wrote();
ROLLBACK;
-- rows need not satisfy all constraints: an update says so
ALTER TABLE up_noop SET (suppress_noop = on);
ALTER TABLE up_noop ADD CONSTRAINT small CHECK (n < 100) NOT VALID;
INSERT INTO up_noop SELECT id, v, 0 FROM up_source WHERE id BETWEEN 50 AND 99 ON CONFLICT (id) DO UPDATE SET v = up_noop.v;
INSERT INTO up_noop SELECT id, v, 0 FROM up_source WHERE id = 150 ON CONFLICT (id) DO UPDATE SET v = up_noop.v;
ALTER TABLE up_noop DROP CONSTRAINT small;
BEGIN;
INSERT INTO up_noop SELECT id, v, 0 FROM up_source ON CONFLICT (id) DO UPDATE SET v = up_noop.v;
SELECT up_wrote();
COMMIT;
DROP TABLE up, up_noop, up_source;
DROP FUNCTION batched, up_wrote;
DROP FUNCTION up_trigger, up_volatile;

-- the same end as heap's, whatever is there: see setup.sql
CREATE FUNCTION up_twins(noop text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	command text;
BEGIN
	RETURN NEXT fresh_twins();
	PERFORM twins('ALTER TABLE t ADD COLUMN later text DEFAULT ''later''');
	PERFORM twins('ALTER TABLE t ADD CONSTRAINT low CHECK (n < 100), ALTER v SET DEFAULT ''none''');
	PERFORM twins('DELETE FROM t a USING t b WHERE a.id = b.id AND a.ctid < b.ctid');
	PERFORM twins('ALTER TABLE t ADD PRIMARY KEY (id)');
	PERFORM twins('CREATE UNIQUE INDEX two ON t (v, id)');
	PERFORM twins('CREATE UNLOGGED TABLE IF NOT EXISTS s (k int, id int, n int, v text, d date, x numeric)');
	EXECUTE format('ALTER TABLE twin_retldb.t SET (suppress_noop = %s)', noop);
	FOREACH command IN ARRAY ARRAY[
		'TRUNCATE s',
		'INSERT INTO s SELECT k, id, n, v, d, x FROM (SELECT (id * 7919) % 100003 AS k, * FROM t) o WHERE id % 3 = 0 ORDER BY k',
		'INSERT INTO s SELECT i, i, 1, ''new'', date ''2025-01-01'', i FROM generate_series(4000, 4100) i',
		-- nothing differs but for new rows
		'INSERT INTO t SELECT id, n, v, d, x FROM s ORDER BY k ON CONFLICT (id) DO UPDATE SET n = excluded.n, v = excluded.v, d = excluded.d, x = excluded.x',
		-- some differ
		'INSERT INTO t SELECT id, n, CASE WHEN id % 100 = 0 THEN ''w'' ELSE v END, d, x FROM s ORDER BY k ON CONFLICT (id) DO UPDATE SET v = excluded.v, x = excluded.x',
		-- what is set is computed from both rows
		'INSERT INTO t SELECT id, n, v, d, x FROM s ORDER BY k ON CONFLICT (id) DO UPDATE SET n = greatest(t.n, excluded.n), later = t.later, (d, x) = (t.d + t.n % 2, excluded.x) WHERE t.v <> ''w''',
		'INSERT INTO t SELECT id, n, v, d, x FROM s ON CONFLICT (id) DO UPDATE SET v = (t).v || (excluded).n, x = t.x',
		'INSERT INTO t SELECT id, n, v, d, x FROM s ON CONFLICT (id) DO UPDATE SET v = (SELECT max(v) FROM s b WHERE b.id < excluded.id AND b.id < 50)',
		'INSERT INTO t SELECT id, n, ''u'', d, x FROM s ON CONFLICT (id) DO UPDATE SET v = excluded.v WHERE t IS DISTINCT FROM excluded',
		-- by two columns, of which one has nulls
		'INSERT INTO t SELECT 10000 + id, n, v, d, x FROM s ON CONFLICT (v, id) DO UPDATE SET n = excluded.n',
		'INSERT INTO t SELECT id, n, v, d, x + 1 FROM t o WHERE id % 5 = 0 ON CONFLICT (v, id) DO UPDATE SET n = excluded.n, x = excluded.x',
		'INSERT INTO t SELECT 20000 + id, n, NULL, d, x FROM s ON CONFLICT (v, id) DO UPDATE SET n = excluded.n',
		-- errors: a constraint that the proposed row breaks, a row proposed twice, a value that cannot be computed
		'INSERT INTO t SELECT id, 100, v, d, x FROM s ON CONFLICT (id) DO UPDATE SET v = excluded.v',
		'INSERT INTO t SELECT id, 100, v, d, x FROM s ON CONFLICT (id) DO UPDATE SET v = t.v',
		'INSERT INTO t SELECT id, n, v || i, d, x FROM s, generate_series(1, 2) i WHERE id < 300 ON CONFLICT (id) DO UPDATE SET v = excluded.v',
		'INSERT INTO t SELECT id, n, v, d, x FROM s ON CONFLICT (id) DO UPDATE SET n = 1 / (excluded.id - 1500)',
		'INSERT INTO t SELECT NULL, n, v, d, x FROM s ON CONFLICT (id) DO UPDATE SET n = 1',
		'INSERT INTO t SELECT id, n, v, d, x FROM s ON CONFLICT (id) DO UPDATE SET id = t.id + 1',
		-- the key changes
		'INSERT INTO t SELECT id, n, v, d, x FROM s WHERE id % 2 = 0 ON CONFLICT (id) DO UPDATE SET id = t.id + 50000',
		'WITH c AS (SELECT * FROM s WHERE id > 1000) INSERT INTO t SELECT id, n, v, d, x FROM c ON CONFLICT (id) DO UPDATE SET v = ''from c'' WHERE excluded.id < 2000']
	LOOP
		RETURN NEXT twins(command);
	END LOOP;
	RETURN NEXT twins_agree();
	RETURN NEXT same('SELECT id, v, n, x, d, later FROM t');
END $$;
SELECT up_twins('off');
SELECT up_twins('on');
-- in many small batches
SET work_mem = '64kB';
SELECT up_twins('on');
RESET work_mem;
-- as PostgreSQL does it
SET retldb.enable_upsert_batches = off;
SELECT up_twins('on');
RESET retldb.enable_upsert_batches;

-- long values, a foreign key on both sides, a domain, a partition, and a statement trigger
SELECT twins(c) FROM (VALUES
	('CREATE TABLE wide (id text COLLATE "C" PRIMARY KEY, big text, small text)'),
	('INSERT INTO wide SELECT md5(i::text), repeat(md5(i::text), 400), ''s'' FROM generate_series(1, 300) i'),
	('CREATE TABLE child (id int PRIMARY KEY, wide text REFERENCES wide ON UPDATE CASCADE, at int)'),
	('INSERT INTO child SELECT i, md5(i::text), i FROM generate_series(1, 300) i'),
	('CREATE DOMAIN even AS int CHECK (value % 2 = 0)'),
	('CREATE TABLE part (id int, kind even, v text, PRIMARY KEY (id)) '),
	('CREATE TABLE parted (id int, kind even, v text, PRIMARY KEY (id)) PARTITION BY RANGE (id)'),
	('INSERT INTO part SELECT i, i * 2, ''p'' FROM generate_series(1, 200) i'),
	('ALTER TABLE parted ATTACH PARTITION part FOR VALUES FROM (0) TO (1000)')) v(c);
ALTER TABLE twin_retldb.wide SET (suppress_noop = on);
ALTER TABLE twin_retldb.child SET (suppress_noop = on);
ALTER TABLE twin_retldb.part SET (suppress_noop = on);
SELECT twins(c) FROM (VALUES
	('INSERT INTO wide SELECT md5(i::text), repeat(md5(i::text), 400), ''s'' FROM generate_series(1, 310) i ON CONFLICT (id) DO UPDATE SET big = excluded.big, small = excluded.small'),
	('INSERT INTO wide SELECT md5(i::text), repeat(md5((i + i / 100 * 5)::text), 400), ''s'' FROM generate_series(1, 310) i ON CONFLICT (id) DO UPDATE SET big = excluded.big'),
	('INSERT INTO wide SELECT o.id, o.big, ''t'' FROM wide o ON CONFLICT (id) DO UPDATE SET big = excluded.big, small = CASE WHEN wide.id < ''5'' THEN wide.small ELSE excluded.small END'),
	('INSERT INTO wide SELECT md5(i::text), ''x'', ''s'' FROM generate_series(1, 20) i ON CONFLICT (id) DO UPDATE SET id = upper(excluded.id)'),
	('INSERT INTO child SELECT i, md5(i::text), i FROM generate_series(30, 300) i ON CONFLICT (id) DO UPDATE SET wide = excluded.wide, at = excluded.at'),
	('INSERT INTO child SELECT i, ''nowhere'', i FROM generate_series(30, 300) i ON CONFLICT (id) DO UPDATE SET wide = excluded.wide, at = excluded.at'),
	('INSERT INTO child SELECT i, ''nowhere'', i FROM generate_series(30, 300) i ON CONFLICT (id) DO UPDATE SET at = excluded.at'),
	('INSERT INTO part SELECT i, i * 2, ''p'' FROM generate_series(1, 200) i ON CONFLICT (id) DO UPDATE SET v = excluded.v'),
	('INSERT INTO part SELECT i, i * 2, ''p'' FROM generate_series(900, 1100) i ON CONFLICT (id) DO UPDATE SET v = excluded.v'),
	('INSERT INTO part SELECT i, i, ''p'' FROM generate_series(1, 200) i ON CONFLICT (id) DO UPDATE SET v = excluded.v'),
	('INSERT INTO part SELECT i, 2, ''q'' FROM generate_series(1, 200) i ON CONFLICT (id) DO UPDATE SET kind = part.kind + excluded.id % 2'),
	('INSERT INTO parted SELECT i, i * 2, ''q'' FROM generate_series(1, 200) i ON CONFLICT (id) DO UPDATE SET v = excluded.v')) v(c);
SELECT twins_agree();
SELECT twins('DROP TABLE t, s, wide, child, parted CASCADE'), twins('DROP DOMAIN even');
DROP FUNCTION up_twins;
