-- What others see of INSERT ... ON CONFLICT DO UPDATE of many rows, which are looked up together, and in which order: triggers, RETURNING, sequences,
-- generated columns, policies, partitions.  As of heap; see setup.sql.
SET retldb.row_store_rows = 0;
SET retldb.row_group_rows = 300;
SET retldb.vector_rows = 128;

CREATE FUNCTION effects_trigger() RETURNS trigger LANGUAGE plpgsql SET debug_discard_caches = 0 AS $$
BEGIN
	INSERT INTO seen (what) VALUES (concat_ws(' ', tg_when, tg_op, CASE WHEN tg_op = 'UPDATE' THEN old::text END, new));
	IF tg_when = 'BEFORE' THEN
		-- some rows are left out, some go elsewhere
		IF new.id % 50 = 7 THEN
			RETURN NULL;
		ELSIF tg_op = 'INSERT' AND new.id % 50 = 8 THEN
			new.id := new.id + 1;
		END IF;
		new.at := nextval('calls');
		RETURN new;
	END IF;
	RETURN NULL;
END $$;
-- a trigger that changes the row itself, and other ones, in subtransactions
CREATE FUNCTION effects_others() RETURNS trigger LANGUAGE plpgsql SET debug_discard_caches = 0 AS $$
BEGIN
	IF new.id % 10 = 3 THEN
		BEGIN
			UPDATE t SET n = n + 1 WHERE id = new.id + 1 AND NOT EXISTS (SELECT FROM s WHERE id = new.id + 1);
			IF new.id % 20 = 3 THEN
				RAISE division_by_zero;
			END IF;
		EXCEPTION WHEN division_by_zero THEN
			NULL;
		END;
		INSERT INTO t (id, v) SELECT new.id + 5000 + i, 'x' FROM generate_series(1, 9) i ON CONFLICT (id) DO UPDATE SET n = t.n + 1;
	END IF;
	RETURN new;
END $$;
CREATE FUNCTION effects_statement() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF tg_op = 'INSERT' THEN
		INSERT INTO seen (what) SELECT concat('inserted ', n) FROM new_rows n;
	ELSE
		INSERT INTO seen (what) SELECT concat('updated ', o) FROM old_rows o;
		INSERT INTO seen (what) SELECT concat('to ', n) FROM new_rows n;
	END IF;
	RETURN NULL;
END $$;

SET client_min_messages = warning;
-- rows that exist, in row groups and in the row store, and a source in no order with some that do not
CREATE FUNCTION effects_twins(noop text, VARIADIC more text[] DEFAULT '{}') RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	command text;
BEGIN
	RETURN QUERY SELECT r || ' ' || c FROM unnest(ARRAY['DROP TABLE IF EXISTS t, seen, s CASCADE',
		'CREATE TABLE seen (pos serial, what text) USING heap',
		'DROP SEQUENCE IF EXISTS calls', 'CREATE SEQUENCE calls',
		'CREATE TABLE t (id int PRIMARY KEY, v text, n int DEFAULT 0, at int, twice int GENERATED ALWAYS AS (n * 2) STORED, CHECK (n < 1000))',
		'INSERT INTO t SELECT i, ''v'' || i, i % 100 FROM generate_series(1, 1000) i',
		'UPDATE t SET v = v WHERE id % 7 = 0',
		'CREATE TABLE s USING heap AS SELECT i * 919 % 1201 AS id, ''v'' || i * 919 % 1201 AS v, i * 919 % 1201 % 100 + (i % 13 = 0)::int AS n, i FROM generate_series(1, 400) i ORDER BY i']) c, twins(c) r WHERE r NOT LIKE 'ok%';
	EXECUTE format('ALTER TABLE twin_retldb.t SET (suppress_noop = %s)', noop);
	FOREACH command IN ARRAY more LOOP
		RETURN NEXT twins(command);
	END LOOP;
	FOREACH command IN ARRAY ARRAY[
		'INSERT INTO t SELECT id, v, n FROM s ON CONFLICT (id) DO UPDATE SET n = excluded.n, v = excluded.v',
		'WITH r AS (INSERT INTO t SELECT id, v, n + (id % 5 = 0)::int FROM s ON CONFLICT (id) DO UPDATE SET n = excluded.n RETURNING *, xmax = 0 AS is_new, tableoid::regclass) INSERT INTO seen (what) SELECT r::text FROM r',
		'INSERT INTO t (id, v) SELECT id, v FROM s ON CONFLICT (id) DO UPDATE SET n = nextval(''seen_pos_seq'') % 1000 WHERE t.n % 2 = 0',
		'INSERT INTO t SELECT id, ''z'', n FROM s WHERE id > 1000 OR id % 10 = 0 ON CONFLICT (id) DO UPDATE SET v = excluded.v || t.twice || coalesce(excluded.twice, -1) WHERE t.id <> 500',
		'INSERT INTO t SELECT id, v, 1000 FROM s ON CONFLICT (id) DO UPDATE SET v = excluded.v',
		'INSERT INTO t SELECT id, v, n FROM s ON CONFLICT (id) DO UPDATE SET n = 1000 + t.n',
		'INSERT INTO t SELECT id, v, n FROM s UNION ALL SELECT id, v, n FROM s ON CONFLICT (id) DO UPDATE SET n = t.n + 1']
	LOOP
		RETURN NEXT twins(command);
	END LOOP;
	RETURN NEXT same('SELECT pos, what FROM seen');
	RETURN NEXT same('SELECT * FROM t');
	RETURN NEXT faults('twin_retldb.t') || ' faults';
END $$;

SELECT effects_twins('off');
SELECT effects_twins('on');
SELECT effects_twins(noop, 'CREATE TRIGGER b BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION effects_trigger()',
	'CREATE TRIGGER a AFTER INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION effects_trigger()') FROM (VALUES ('off'), ('on')) v(noop);
SELECT effects_twins(noop, 'CREATE TRIGGER i AFTER INSERT ON t REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION effects_statement()',
	'CREATE TRIGGER u AFTER UPDATE ON t REFERENCING NEW TABLE AS new_rows OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION effects_statement()') FROM (VALUES ('off'), ('on')) v(noop);
SELECT effects_twins(noop, 'CREATE TRIGGER b BEFORE INSERT ON t FOR EACH ROW WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION effects_others()') FROM (VALUES ('off'), ('on')) v(noop);
SELECT effects_twins(noop, 'CREATE TRIGGER a AFTER UPDATE ON t FOR EACH ROW WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION effects_others()') FROM (VALUES ('off'), ('on')) v(noop);
-- in several batches
SET work_mem = '64kB';
SELECT effects_twins(noop, 'CREATE TRIGGER b BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION effects_trigger()',
	'INSERT INTO s SELECT i * 2 + 3000, repeat(''w'', 100), 1 FROM generate_series(1, 1000) i', 'INSERT INTO t SELECT id, v FROM s WHERE id > 4000') FROM (VALUES ('off'), ('on')) v(noop);
RESET work_mem;

-- views that check rows, and policies (newer minor versions look first whether the row in the way can be seen by the view, 55000)
SELECT replace(effects_twins('on', 'CREATE VIEW w AS SELECT id, v, n FROM t WHERE n < 50 WITH CHECK OPTION',
	'INSERT INTO w SELECT id, v, n FROM s ON CONFLICT (id) DO UPDATE SET n = excluded.n',
	'INSERT INTO w SELECT id, v, n FROM s WHERE n < 50 ON CONFLICT (id) DO UPDATE SET n = excluded.n + 10',
	'INSERT INTO w SELECT id, v, n FROM s WHERE n < 40 ON CONFLICT (id) DO UPDATE SET n = excluded.n + 10'), '55000', '44000') AS effects_twins;
CREATE ROLE retldb_upserter;
GRANT USAGE ON SCHEMA twin_heap, twin_retldb TO retldb_upserter;
SELECT effects_twins('on', 'GRANT ALL ON t, s TO retldb_upserter', 'ALTER TABLE t ENABLE ROW LEVEL SECURITY',
	'CREATE POLICY p ON t USING (n < 50) WITH CHECK (n < 60)', 'SET LOCAL ROLE retldb_upserter',
	'INSERT INTO t SELECT id, v, n FROM s ON CONFLICT (id) DO UPDATE SET n = excluded.n',
	'INSERT INTO t SELECT id, v, n FROM s WHERE n < 50 ON CONFLICT (id) DO UPDATE SET n = excluded.n',
	'INSERT INTO t SELECT id, v, n FROM s WHERE n < 50 AND id % 7 <> 0 ON CONFLICT (id) DO UPDATE SET n = excluded.n + 20',
	'INSERT INTO t SELECT id, v, n FROM s WHERE n < 40 AND id % 5 <> 0 ON CONFLICT (id) DO UPDATE SET n = excluded.n + 20',
	'RESET ROLE');
SELECT twins('DROP TABLE t, s CASCADE');
REVOKE USAGE ON SCHEMA twin_heap, twin_retldb FROM retldb_upserter;
DROP ROLE retldb_upserter;

-- partitions: two levels, columns in another order, one of heap's, and one that is full of triggers
CREATE FUNCTION parts_twins(noop text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	command text;
BEGIN
	RETURN QUERY SELECT r || ' ' || c FROM unnest(ARRAY['DROP TABLE IF EXISTS t, seen, s CASCADE',
		'CREATE TABLE seen (pos serial, what text) USING heap',
		'DROP SEQUENCE IF EXISTS calls', 'CREATE SEQUENCE calls',
		'CREATE TABLE t (gone int, id int, v text, n int DEFAULT 0, at int, PRIMARY KEY (id), CONSTRAINT small CHECK (n < 1000)) PARTITION BY RANGE (id)',
		'ALTER TABLE t DROP gone',
		'CREATE TABLE p1 PARTITION OF t FOR VALUES FROM (0) TO (200)',
		'CREATE TABLE p2 (n int, v text, more int, at int, id int NOT NULL, CONSTRAINT small CHECK (n < 1000))',
		'ALTER TABLE p2 DROP more',
		'ALTER TABLE t ATTACH PARTITION p2 FOR VALUES FROM (200) TO (400)',
		'CREATE TABLE p3 PARTITION OF t FOR VALUES FROM (400) TO (600) USING heap',
		'CREATE TABLE p4 PARTITION OF t FOR VALUES FROM (600) TO (1000) PARTITION BY RANGE (id)',
		'CREATE TABLE p41 PARTITION OF p4 FOR VALUES FROM (600) TO (800)',
		'CREATE TABLE p42 (at int, n int, id int NOT NULL, v text, CONSTRAINT small CHECK (n < 1000))',
		'ALTER TABLE p4 ATTACH PARTITION p42 FOR VALUES FROM (800) TO (1000)',
		'CREATE TABLE p5 PARTITION OF t FOR VALUES FROM (1000) TO (1150)',
		'INSERT INTO t SELECT i, ''v'' || i, i % 100 FROM generate_series(0, 1099) i',
		'CREATE TRIGGER b BEFORE INSERT OR UPDATE ON p5 FOR EACH ROW EXECUTE FUNCTION effects_trigger()',
		'UPDATE t SET v = v WHERE id % 7 = 0',
		'CREATE TABLE s USING heap AS SELECT i * 919 % 1201 AS id, ''v'' || i * 919 % 1201 AS v, i * 919 % 1201 % 100 + (i % 13 = 0)::int AS n, i FROM generate_series(1, 400) i ORDER BY i']) c, twins(c) r WHERE r NOT LIKE 'ok%';
	FOREACH command IN ARRAY '{p1, p2, p41, p42, p5}'::text[] LOOP
		EXECUTE format('ALTER TABLE twin_retldb.%s SET (suppress_noop = %s)', command, noop);
	END LOOP;
	FOREACH command IN ARRAY ARRAY[
		'INSERT INTO t SELECT id, v, n FROM s WHERE id < 1150 ON CONFLICT (id) DO UPDATE SET n = excluded.n, v = excluded.v',
		'WITH r AS (INSERT INTO t SELECT id, v, n + (id % 5 = 0)::int FROM s WHERE id < 1150 ON CONFLICT (id) DO UPDATE SET n = excluded.n RETURNING *, xmax = 0 AS is_new, tableoid::regclass) INSERT INTO seen (what) SELECT r::text FROM r',
		'INSERT INTO t SELECT id, v, n FROM s WHERE id < 1150 ON CONFLICT (id) DO UPDATE SET v = excluded.v || t.n WHERE t.n % 2 = 0 AND t IS DISTINCT FROM excluded',
		'INSERT INTO t SELECT id, v, n FROM s WHERE id < 1150 ON CONFLICT (id) DO UPDATE SET (v, n) = (SELECT excluded.v, excluded.n + 1)',
		'INSERT INTO p4 SELECT id, v, n FROM s WHERE id BETWEEN 600 AND 999 ON CONFLICT (id) DO UPDATE SET n = excluded.n',
		'INSERT INTO t SELECT id, v, n FROM s ON CONFLICT (id) DO UPDATE SET n = excluded.n',
		'INSERT INTO p4 SELECT id, v, n FROM s ON CONFLICT (id) DO UPDATE SET n = excluded.n',
		'INSERT INTO t SELECT id, v, 1000 FROM s WHERE id < 1150 ON CONFLICT (id) DO UPDATE SET v = excluded.v',
		'INSERT INTO t SELECT id, v, n FROM s WHERE id < 1150 ON CONFLICT (id) DO UPDATE SET id = t.id + 500',
		'INSERT INTO t SELECT id, v, n FROM s WHERE id < 950 ON CONFLICT (id) DO UPDATE SET id = t.id + 20000']
	LOOP
		RETURN NEXT twins(command);
	END LOOP;
	RETURN NEXT same('SELECT pos, what FROM seen');
	RETURN NEXT same('SELECT tableoid::regclass, * FROM t');
	RETURN NEXT (SELECT sum(faults(p::regclass)) FROM unnest('{twin_retldb.p1, twin_retldb.p2, twin_retldb.p41, twin_retldb.p42, twin_retldb.p5}'::text[]) p) || ' faults';
END $$;
SELECT parts_twins('off');
SELECT parts_twins('on');
-- what the node says of them
SELECT plan('INSERT INTO twin_retldb.t SELECT i, ''v'' || i, i % 100 FROM generate_series(1, 999) i ON CONFLICT (id) DO UPDATE SET n = excluded.n', 'ANALYZE, BUFFERS OFF, COSTS OFF, TIMING OFF, SUMMARY OFF');
-- of partitions of heap's only there is nothing to be known
CREATE TABLE effects_heap (id int PRIMARY KEY, v text) PARTITION BY RANGE (id);
CREATE TABLE effects_heap_1 PARTITION OF effects_heap FOR VALUES FROM (0) TO (1000) USING heap;
SELECT plan('INSERT INTO effects_heap SELECT i, i FROM generate_series(1, 100) i ON CONFLICT (id) DO UPDATE SET v = excluded.v');
CREATE TABLE effects_heap_2 PARTITION OF effects_heap FOR VALUES FROM (1000) TO (2000) USING retldb;
SELECT plan('INSERT INTO effects_heap SELECT i, i FROM generate_series(1, 100) i ON CONFLICT (id) DO UPDATE SET v = excluded.v');
DROP TABLE effects_heap;

-- more partitions than are remembered, in turn
SELECT twins(c) FROM (VALUES
	('CREATE TABLE many (id int PRIMARY KEY, v text, n int) PARTITION BY HASH (id)'),
	('DO $d$ BEGIN FOR i IN 0..69 LOOP EXECUTE format(''CREATE TABLE many_%s PARTITION OF many FOR VALUES WITH (MODULUS 70, REMAINDER %s)'', i, i); END LOOP; END $d$'),
	('INSERT INTO many SELECT i, ''v'' || i, i FROM generate_series(1, 5000) i'),
	('INSERT INTO many SELECT i * 919 % 6007, ''w'', i FROM generate_series(1, 3000) i ON CONFLICT (id) DO UPDATE SET n = many.n + excluded.n, v = many.v || excluded.v'),
	('INSERT INTO many SELECT i * 919 % 6007, ''x'', i FROM generate_series(1, 3000) i ON CONFLICT (id) DO UPDATE SET n = many.n + excluded.n')) v(c);
SET debug_discard_caches = 0;
SELECT same('SELECT tableoid::regclass, * FROM many');
RESET debug_discard_caches;
SELECT twins('DROP TABLE t, seen, s, many');

-- numbers of sequences: whoever asks for the last one while a row is inserted gets that of the row
CREATE FUNCTION effects_last() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN new.n := lastval(); RETURN new; END';
SELECT r || ' ' || c FROM unnest(ARRAY['CREATE SEQUENCE numbers',
	'CREATE TABLE last (id int PRIMARY KEY, number int DEFAULT nextval(''numbers''), also int GENERATED ALWAYS AS IDENTITY, n int)',
	'INSERT INTO last SELECT i FROM generate_series(1, 50) i']) c, twins(c) r WHERE r NOT LIKE 'ok%';
SELECT twins('INSERT INTO last SELECT i FROM generate_series(10, 60) i ON CONFLICT (id) DO UPDATE SET number = excluded.number, n = currval(''numbers'')');
SELECT twins('CREATE TRIGGER l BEFORE INSERT OR UPDATE ON last FOR EACH ROW EXECUTE FUNCTION effects_last()');
SELECT twins('INSERT INTO last SELECT i FROM generate_series(30, 70) i ON CONFLICT (id) DO UPDATE SET number = excluded.number');
SELECT same('SELECT * FROM last');
SELECT r || ' ' || c FROM unnest(ARRAY['DROP TABLE last',
	'CREATE TABLE last (id int PRIMARY KEY, number int DEFAULT nextval(''numbers''), n int) PARTITION BY RANGE (id)',
	'CREATE TABLE last1 PARTITION OF last FOR VALUES FROM (0) TO (40)', 'CREATE TABLE last2 PARTITION OF last FOR VALUES FROM (40) TO (1000)',
	'INSERT INTO last SELECT i FROM generate_series(1, 50) i',
	'CREATE TRIGGER l BEFORE INSERT OR UPDATE ON last2 FOR EACH ROW EXECUTE FUNCTION effects_last()',
	'INSERT INTO last SELECT i * 7 % 71 FROM generate_series(0, 70) i ON CONFLICT (id) DO UPDATE SET number = excluded.number']) c, twins(c) r WHERE r NOT LIKE 'ok%';
SELECT same('SELECT * FROM last');
SELECT twins('DROP TABLE last');
SELECT twins('DROP SEQUENCE numbers');
-- a subquery that depends on nothing is evaluated when the first row needs it, and what it calls sees the rows before
CREATE FUNCTION effects_count() RETURNS bigint LANGUAGE plpgsql AS 'BEGIN RETURN (SELECT count(*) FROM t); END';
SELECT r || ' ' || c FROM unnest(ARRAY['CREATE TABLE t (id int PRIMARY KEY, n int)', 'INSERT INTO t SELECT i, i FROM generate_series(1, 500) i']) c, twins(c) r WHERE r NOT LIKE 'ok%';
ALTER TABLE twin_retldb.t SET (suppress_noop = on);
SELECT twins('INSERT INTO t SELECT 600 - i, 0 FROM generate_series(1, 150) i ON CONFLICT (id) DO UPDATE SET n = (SELECT effects_count())');
SELECT twins('INSERT INTO t SELECT 650 - i, 0 FROM generate_series(1, 150) i ON CONFLICT (id) DO UPDATE SET n = excluded.n WHERE (SELECT effects_count()) > 600');
SELECT same('SELECT * FROM t');
SELECT twins('DROP TABLE t');
DROP FUNCTION effects_twins, parts_twins, effects_count, effects_trigger, effects_others, effects_statement, effects_last;
