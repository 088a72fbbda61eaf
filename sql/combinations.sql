-- What tables have, all at once: partitions of several layouts, triggers for rows and
-- statements with transition tables, policies, generated columns, a foreign key that
-- cascades, checks at the end of a transaction; UPDATE, DELETE, MERGE and upserts of rows that
-- go from partition to partition.  Rows are in the row store, in row groups, touched, in
-- groups of which others were deleted as a whole, or compacted.  As of heap; see setup.sql.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS retldb;
CREATE ROLE regress_retldb_mixed;
GRANT USAGE ON SCHEMA twin_heap, twin_retldb TO regress_retldb_mixed;
CREATE TABLE mixed_results (state text, number int, command text, result text) USING heap;

-- New twins with rows in such a state; what belongs to them is made afterwards, so that
-- groups can be deleted as a whole.
CREATE FUNCTION mixed_make(state text, noop text) RETURNS SETOF text LANGUAGE plpgsql SET debug_discard_caches = 0 AS $$
DECLARE
	command text;
	commands text[] := ARRAY[
		'CREATE TABLE told (what text) USING heap',
		'GRANT ALL ON told TO regress_retldb_mixed',
		'CREATE TABLE m (id int, k int, v text DEFAULT ''none'', owner text DEFAULT current_user, twice int GENERATED ALWAYS AS (id * 2) STORED, PRIMARY KEY (id, k)) PARTITION BY LIST (k)',
		'CREATE TABLE m1 PARTITION OF m FOR VALUES IN (1)',
		'CREATE TABLE m2 (twice int GENERATED ALWAYS AS (id * 2) STORED, owner text DEFAULT ''second'', gone text, k int NOT NULL, v text, id int NOT NULL)',
		'ALTER TABLE m2 DROP gone',
		'ALTER TABLE m ATTACH PARTITION m2 FOR VALUES IN (2)',
		'CREATE TABLE m3 PARTITION OF m FOR VALUES IN (3) PARTITION BY RANGE (id)',
		'CREATE TABLE m31 PARTITION OF m3 FOR VALUES FROM (0) TO (300)',
		'CREATE TABLE m32 PARTITION OF m3 FOR VALUES FROM (300) TO (100000) USING heap',
		'CREATE TABLE r (id int, k int, at int)',
		'INSERT INTO m (id, k, v, owner) SELECT i, 1 + i % 3, ''v'' || i % 7, CASE WHEN i % 5 = 0 THEN ''somebody'' ELSE ''regress_retldb_mixed'' END FROM generate_series(1, 600) i',
		'INSERT INTO r SELECT id, k, 0 FROM m WHERE id % 2 = 0'];
	touches text[] := ARRAY[
		'UPDATE m SET v = v WHERE id % 4 = 0',
		'UPDATE r SET at = at WHERE id % 3 = 0',
		'DO ''BEGIN UPDATE m SET v = v WHERE id % 4 = 1; DELETE FROM m WHERE id % 4 = 2; DELETE FROM r; PERFORM 1 / 0; END''',
		'SELECT FROM m WHERE id % 4 = 3 FOR SHARE'];
	deletes text[] := ARRAY[
		'DO ''BEGIN DELETE FROM m; DELETE FROM r; PERFORM 1 / 0; END''',
		'CREATE TABLE saved USING heap AS SELECT id, k, v, owner FROM m',
		'DELETE FROM m',
		'DELETE FROM r',
		'INSERT INTO m (id, k, v, owner) SELECT * FROM saved',
		'INSERT INTO r SELECT id, k, 0 FROM saved WHERE id % 2 = 0',
		'DROP TABLE saved'];
	rest text[] := ARRAY[
		'ALTER TABLE r ADD FOREIGN KEY (id, k) REFERENCES m ON UPDATE CASCADE ON DELETE CASCADE DEFERRABLE',
		'CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS ''
		 BEGIN
			IF tg_level = ''''STATEMENT'''' THEN
				IF tg_op <> ''''INSERT'''' THEN
					INSERT INTO told SELECT tg_name || '''' old '''' || o::text FROM olds o;
				END IF;
				IF tg_op <> ''''DELETE'''' THEN
					INSERT INTO told SELECT tg_name || '''' new '''' || n::text FROM news n;
				END IF;
				RETURN NULL;
			END IF;
			INSERT INTO told VALUES (concat_ws('''' '''', tg_name, tg_op, tg_table_name, CASE WHEN tg_op <> ''''INSERT'''' THEN old::text END, CASE WHEN tg_op <> ''''DELETE'''' THEN new::text END,
				(SELECT count(*) FROM m WHERE m.id = coalesce(old.id, new.id))));
			IF tg_when = ''''BEFORE'''' AND tg_op <> ''''DELETE'''' THEN
				IF new.v = ''''leave out'''' THEN
					RETURN NULL;
				ELSIF new.v = ''''forbid'''' THEN
					new.v := ''''forbidden'''';
				END IF;
			END IF;
			RETURN coalesce(new, old);
		 END''',
		'CREATE TRIGGER before_row BEFORE INSERT OR UPDATE OR DELETE ON m FOR EACH ROW EXECUTE FUNCTION tell()',
		'CREATE TRIGGER after_row AFTER INSERT OR UPDATE OR DELETE ON m FOR EACH ROW EXECUTE FUNCTION tell()',
		'CREATE CONSTRAINT TRIGGER at_end AFTER UPDATE OR DELETE ON m DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION tell()',
		'CREATE TRIGGER inserted AFTER INSERT ON m REFERENCING NEW TABLE AS news EXECUTE FUNCTION tell()',
		'CREATE TRIGGER updated AFTER UPDATE ON m REFERENCING OLD TABLE AS olds NEW TABLE AS news EXECUTE FUNCTION tell()',
		'CREATE TRIGGER deleted AFTER DELETE ON m REFERENCING OLD TABLE AS olds EXECUTE FUNCTION tell()',
		'CREATE TRIGGER updated_2 AFTER UPDATE ON m2 REFERENCING OLD TABLE AS olds NEW TABLE AS news EXECUTE FUNCTION tell()',
		'GRANT ALL ON m, m2, r TO regress_retldb_mixed',
		'ALTER TABLE m ENABLE ROW LEVEL SECURITY',
		'CREATE POLICY own ON m USING (owner = current_user) WITH CHECK (v <> ''forbidden'')',
		'CREATE POLICY not_nine ON m AS RESTRICTIVE FOR UPDATE USING (id <> 9)',
		'CREATE VIEW low AS SELECT * FROM m WHERE id < 100 WITH CHECK OPTION',
		'CREATE VIEW invoker WITH (security_invoker) AS SELECT * FROM m WHERE id < 100',
		'GRANT ALL ON low, invoker TO regress_retldb_mixed'];
BEGIN
	PERFORM twins('DROP TABLE IF EXISTS m, r, told CASCADE'), twins('DROP FUNCTION IF EXISTS tell');
	PERFORM set_config('retldb.row_store_rows', CASE WHEN state IN ('store', 'compacted') THEN '100000' ELSE '0' END, false),
		set_config('retldb.suppress_noop', noop, false);
	commands := commands || CASE WHEN state IN ('touched', 'compacted') THEN touches WHEN state = 'deleted' THEN deletes ELSE '{}' END || rest;
	FOREACH command IN ARRAY commands LOOP
		RETURN QUERY SELECT command || ': ' || r FROM twins(command) r WHERE r !~ '^(ok|refused 22012)';
	END LOOP;
END $$;

-- What is done to them, by a user to whom policies apply and by their owner.
CREATE FUNCTION mixed_run(state text) RETURNS SETOF text LANGUAGE plpgsql SET debug_discard_caches = 0 AS $$
DECLARE
	command text;
	number int := 0;
	returned text := 'WITH c AS (%s RETURNING tableoid::regclass, *) INSERT INTO told SELECT ''returned '' || c::text FROM c';
	by_user text[] := ARRAY[
		format(returned, 'UPDATE m SET v = ''user'' WHERE id < 60'),
		'UPDATE m SET v = ''forbid'' WHERE id = 61',
		'UPDATE m SET owner = ''somebody'' WHERE id = 62',
		format(returned, 'UPDATE m SET k = 1 + k % 3 WHERE id BETWEEN 60 AND 90'),
		'UPDATE m SET v = ''leave out'' WHERE id BETWEEN 91 AND 120',
		'UPDATE m2 SET v = ''second'' WHERE id < 60',
		format(returned, 'DELETE FROM m WHERE id BETWEEN 121 AND 150'),
		format(returned, 'INSERT INTO m (id, k, v) SELECT i, 1 + i % 3, ''new'' FROM generate_series(151, 181) i WHERE i % 5 > 0 ON CONFLICT (id, k) DO UPDATE SET v = m.v || excluded.v'),
		'INSERT INTO m (id, k, v) SELECT i, 1 + i % 3, ''new'' FROM generate_series(151, 181) i ON CONFLICT (id, k) DO UPDATE SET v = m.v || excluded.v',
		'INSERT INTO m (id, k, v) SELECT 9, 1, ''new'' ON CONFLICT (id, k) DO UPDATE SET v = m.v || excluded.v',
		'INSERT INTO m (id, k, v) SELECT i, 1 + i % 3, ''forbid'' FROM generate_series(590, 610) i ON CONFLICT (id, k) DO UPDATE SET v = ''x''',
		'INSERT INTO m (id, k, v) SELECT i, 1 + i % 3, ''x'' FROM generate_series(601, 610) i ON CONFLICT (id, k) DO UPDATE SET v = ''forbid''',
		'INSERT INTO m (id, k, v) SELECT i, 1 + i % 3, ''x'' FROM generate_series(601, 609) i ON CONFLICT (id, k) DO UPDATE SET v = ''forbid''',
		'INSERT INTO m (id, k, v) SELECT i, 1 + i % 3, ''leave out'' FROM generate_series(595, 620) i ON CONFLICT (id, k) DO UPDATE SET v = m.v',
		'INSERT INTO m (id, k, v) SELECT i, 1 + i % 3, v FROM generate_series(182, 204) i, LATERAL (SELECT ''v'' || i % 7) x(v) WHERE i % 5 > 0 ON CONFLICT (id, k) DO UPDATE SET v = excluded.v',
		'INSERT INTO m (id, k, v) SELECT i, 1 + i % 3, ''n'' FROM generate_series(205, 230) i ON CONFLICT DO NOTHING',
		'MERGE INTO m USING generate_series(231, 260) s ON m.id = s WHEN MATCHED AND s % 4 = 0 THEN DELETE WHEN MATCHED AND s % 4 = 1 THEN UPDATE SET k = 1 + k % 3, v = ''merged'' WHEN MATCHED AND s % 4 = 2 THEN UPDATE SET v = v'
			|| ' WHEN MATCHED THEN DO NOTHING WHEN NOT MATCHED THEN INSERT (id, k, v) VALUES (s + 1000, 3, ''merged'')',
		'INSERT INTO low (id, k, v) SELECT i, 1 + i % 3, ''low'' FROM generate_series(92, 99) i WHERE i % 5 > 0 ON CONFLICT (id, k) DO UPDATE SET v = excluded.v',
		'UPDATE low SET id = id + 100 WHERE id = 98',
		'UPDATE invoker SET v = ''invoker'' WHERE id BETWEEN 92 AND 99',
		'WITH l AS (SELECT id FROM m WHERE id BETWEEN 261 AND 280 FOR UPDATE) INSERT INTO told SELECT ''locked '' || id FROM l',
		'DO ''DECLARE c CURSOR FOR SELECT * FROM m WHERE id BETWEEN 281 AND 300; BEGIN FOR i IN c LOOP IF i.id % 2 = 0 THEN UPDATE m SET v = ''''current'''', id = id + 2000 WHERE CURRENT OF c; ELSE DELETE FROM m WHERE CURRENT OF c; END IF; END LOOP; END'''];
	by_owner text[] := ARRAY[
		'UPDATE m SET id = id + 5000 WHERE id BETWEEN 310 AND 340',
		'UPDATE m SET k = 3, id = id + 7000 WHERE id % 50 = 1 AND id < 1000',
		'DO ''BEGIN BEGIN DELETE FROM m WHERE id BETWEEN 341 AND 360; UPDATE m SET k = 1 + k % 3 WHERE id BETWEEN 361 AND 370; PERFORM 1 / 0; EXCEPTION WHEN division_by_zero THEN UPDATE m SET v = ''''after'''' WHERE id BETWEEN 351 AND 365; END; END''',
		'DO ''BEGIN SET CONSTRAINTS r_id_k_fkey DEFERRED; DELETE FROM m WHERE id = 372; INSERT INTO m (id, k) VALUES (372, 1); SET CONSTRAINTS r_id_k_fkey IMMEDIATE; END''',
		'DO ''BEGIN SET CONSTRAINTS r_id_k_fkey DEFERRED; INSERT INTO r VALUES (9999, 1); UPDATE r SET at = 1 WHERE id = 9999; SET CONSTRAINTS r_id_k_fkey IMMEDIATE; END''',
		'INSERT INTO m (id, k, v) SELECT i, 3, ''heap'' FROM generate_series(290, 310) i ON CONFLICT (id, k) DO UPDATE SET v = excluded.v, id = m.id + 20000',
		'INSERT INTO m (id, k, v) SELECT i, 1 + i % 3, ''twice'' FROM generate_series(400, 420) i, generate_series(1, 2) ON CONFLICT (id, k) DO UPDATE SET v = excluded.v',
		'ALTER TABLE m ADD COLUMN added int DEFAULT 7',
		'INSERT INTO m (id, k, v) SELECT i, 1 + i % 3, ''added'' FROM generate_series(421, 440) i ON CONFLICT (id, k) DO UPDATE SET added = m.added + 1',
		'UPDATE m SET added = NULL WHERE id BETWEEN 441 AND 460',
		'MERGE INTO m USING r ON m.id = r.id AND m.k = r.k WHEN MATCHED AND m.id % 20 = 0 THEN DELETE WHEN MATCHED AND m.id % 20 = 10 THEN UPDATE SET v = ''of r'', added = r.at',
		'DELETE FROM m WHERE id > 480 AND k = 1',
		'ALTER TABLE m DISABLE TRIGGER USER',
		'DELETE FROM m WHERE id > 480',
		'INSERT INTO m (id, k, v) SELECT i, 1 + i % 3, ''last'' FROM generate_series(1, 600) i ON CONFLICT (id, k) DO UPDATE SET v = m.v || excluded.v'];
BEGIN
	PERFORM set_config('role', 'regress_retldb_mixed', false);
	CREATE TEMP TABLE mixed_now (number int, command text, result text) USING heap;
	FOREACH command IN ARRAY by_user || by_owner LOOP
		number := number + 1;
		IF number = cardinality(by_user) + 1 THEN
			PERFORM set_config('role', 'none', false);
		END IF;
		INSERT INTO mixed_now VALUES (number, command, twins(command));
		-- (those of one schema)
		PERFORM twins('SET CONSTRAINTS at_end IMMEDIATE'), twins('SET CONSTRAINTS at_end DEFERRED');
	END LOOP;
	INSERT INTO mixed_results SELECT mixed_run.state, n.* FROM mixed_now n;
	DROP TABLE mixed_now;
	RETURN QUERY SELECT r.command || ': ' || r.result FROM mixed_results r WHERE r.state = mixed_run.state AND r.result LIKE 'DIFFERENT%';
	-- whatever the state, the same
	RETURN QUERY SELECT r.command || ': ' || r.result || ', not ' || s.result FROM mixed_results r JOIN mixed_results s USING (number)
		WHERE r.state = mixed_run.state AND s.state = 'store' AND s.result <> r.result;
	RETURN NEXT twins_agree();
	RETURN NEXT same('SELECT * FROM m');
	RETURN NEXT same('SELECT v, count(*), sum(id), sum(twice), sum(added) FROM m WHERE id < 450 AND k <> 2 GROUP BY v');
	RETURN NEXT same('SELECT m.*, r.at FROM m JOIN r USING (id, k)');
END $$;

SET retldb.row_group_rows = 64;
SET retldb.vector_rows = 64;
SELECT mixed_make('store', 'off');
SELECT mixed_run('store');
SELECT number, result, left(command, 60) AS command FROM mixed_results ORDER BY number;
SELECT mixed_make('groups', 'off');
SELECT mixed_run('groups');
SELECT mixed_make('touched', 'off');
SELECT mixed_run('touched');
SELECT mixed_make('deleted', 'off');
SELECT mixed_run('deleted');
SELECT mixed_make('compacted', 'off');
CALL quiet();
CALL retldb.compact('twin_retldb.m');
CALL retldb.compact('twin_retldb.r');
SELECT groups('twin_retldb.m1') > 0 AND groups('twin_retldb.m2') > 0 AND groups('twin_retldb.m31') > 0 AND groups('twin_retldb.r') > 0 AS groups;
SELECT mixed_run('compacted');
-- with updates that change nothing left out, and without batches
DELETE FROM mixed_results WHERE state <> 'store';
SELECT mixed_make('touched', 'on');
SELECT mixed_run('touched');
SET retldb.enable_upsert_batches = off;
SELECT mixed_make('groups', 'on');
SELECT mixed_run('groups');

SELECT twins('DROP TABLE m, r, told CASCADE'), twins('DROP FUNCTION tell');
RESET ALL;
DROP TABLE mixed_results;
DROP FUNCTION mixed_make, mixed_run;
REVOKE USAGE ON SCHEMA twin_heap, twin_retldb FROM regress_retldb_mixed;
DROP ROLE regress_retldb_mixed;
