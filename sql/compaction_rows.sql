-- Compaction of tables whose rows were changed, and of tables with indexes, next
-- to heap twins.
CREATE FUNCTION groups_of(t regclass, OUT groups bigint, OUT grouped bigint) LANGUAGE sql AS $$
    SELECT count(*), coalesce(sum(rows), 0) FROM retldb.row_groups(t) WHERE visible $$;
CREATE PROCEDURE compact(t regclass) LANGUAGE plpgsql AS $$
BEGIN
    CALL quiet();
    CALL retldb.compact(t);
END $$;
SET retldb.row_store_rows = 10;

-- groups with dead and with locked rows
CREATE TABLE cr_heap (a int, b text, c numeric);
CREATE TABLE cr (LIKE cr_heap) USING retldb WITH (autovacuum_enabled = off);
INSERT INTO cr_heap SELECT i, 'text ' || i % 37, i / 7.0 FROM generate_series(1, 2000) i;
INSERT INTO cr SELECT * FROM cr_heap;
SELECT groups FROM groups_of('cr');
-- too few to pay
DELETE FROM cr WHERE a % 50 = 0;
DELETE FROM cr_heap WHERE a % 50 = 0;
CALL compact('cr');
CALL compact('cr');
SELECT groups, differences('cr', 'cr_heap'), faults('cr') FROM groups_of('cr');
-- rows deleted, updated, locked, and left alone
BEGIN;
SELECT count(*) FROM (SELECT FROM cr WHERE a % 7 = 0 FOR UPDATE) x;
COMMIT;
BEGIN;
DELETE FROM cr WHERE a % 3 = 0;
ROLLBACK;
UPDATE cr SET b = 'updated' WHERE a % 11 = 0;
UPDATE cr_heap SET b = 'updated' WHERE a % 11 = 0;
DELETE FROM cr WHERE a % 5 = 0;
DELETE FROM cr_heap WHERE a % 5 = 0;
CALL compact('cr');
SELECT g.*, (SELECT count(*) FROM cr) AS rows, differences('cr', 'cr_heap'), faults('cr') FROM groups_of('cr') g;
VACUUM cr;
SELECT g.*, differences('cr', 'cr_heap'), faults('cr') FROM groups_of('cr') g;
UPDATE cr SET c = -c WHERE a % 13 = 0;
UPDATE cr_heap SET c = -c WHERE a % 13 = 0;
CALL compact('cr');
SELECT g.*, (SELECT count(*) FROM cr) AS rows, differences('cr', 'cr_heap'), faults('cr') FROM groups_of('cr') g;
-- all rows of a group
DELETE FROM cr;
CALL compact('cr');
SELECT *, faults('cr') FROM groups_of('cr');
VACUUM cr;
-- small groups with dead rows are merged, in order
CREATE TABLE cr_order (k int, v text) USING retldb WITH (order_by = 'k', autovacuum_enabled = off);
INSERT INTO cr_order SELECT i * 37 % 1000, 'v' || i FROM generate_series(1, 400) i;
INSERT INTO cr_order SELECT i * 41 % 1000, 'v' || i FROM generate_series(401, 800) i;
DELETE FROM cr_order WHERE k % 4 = 0;
UPDATE cr_order SET v = v || '!' WHERE k % 4 = 1;
CALL compact('cr_order');
CALL compact('cr_order');
SELECT g.*, count(*), sum(k), count(DISTINCT v), faults('cr_order') FROM cr_order, groups_of('cr_order') g GROUP BY g.groups, g.grouped;

-- indexes: plain, unique, partial, on expressions, of other kinds
CREATE TABLE ci_heap (a int, b text, c numeric, d int[], p point);
CREATE TABLE ci (LIKE ci_heap) USING retldb WITH (autovacuum_enabled = off);
SET retldb.row_store_rows = 10000;
CREATE UNIQUE INDEX ci_a ON ci (a);
CREATE INDEX ci_b ON ci (b) INCLUDE (c);
CREATE INDEX ci_part ON ci (c) WHERE a % 10 = 0;
CREATE INDEX ci_expr ON ci (upper(b), (a + 1));
CREATE INDEX ci_hash ON ci USING hash (a);
CREATE INDEX ci_gin ON ci USING gin (d);
CREATE INDEX ci_gist ON ci USING gist (p);
INSERT INTO ci_heap SELECT i, 'text ' || i % 37, i / 7.0, ARRAY[i, i % 5], point(i, -i) FROM generate_series(1, 1000) i;
INSERT INTO ci SELECT * FROM ci_heap;
UPDATE ci SET b = 'updated' WHERE a % 11 = 0;
UPDATE ci_heap SET b = 'updated' WHERE a % 11 = 0;
DELETE FROM ci WHERE a % 17 = 0;
DELETE FROM ci_heap WHERE a % 17 = 0;
CREATE FUNCTION index_answers(t regclass) RETURNS TABLE (query int, n bigint, total numeric) LANGUAGE plpgsql
    SET enable_seqscan = off SET enable_bitmapscan = off SET retldb.enable_columnar_scan = off AS $$
BEGIN
    RETURN QUERY EXECUTE format('SELECT 1, count(*), sum(c) FROM %s WHERE a BETWEEN 100 AND 300', t);
    RETURN QUERY EXECUTE format('SELECT 2, count(*), sum(c) FROM %s WHERE b = ''text 7''', t);
    RETURN QUERY EXECUTE format('SELECT 3, count(*), sum(c) FROM %s WHERE a %% 10 = 0 AND c > 50', t);
    RETURN QUERY EXECUTE format('SELECT 4, count(*), sum(c) FROM %s WHERE upper(b) = ''UPDATED''', t);
    RETURN QUERY EXECUTE format('SELECT 5, count(*), sum(c) FROM %s WHERE a = 400', t);
    SET LOCAL enable_bitmapscan = on;
    RETURN QUERY EXECUTE format('SELECT 6, count(*), sum(c) FROM %s WHERE d @> ARRAY[3]', t);
    RETURN QUERY EXECUTE format('SELECT 7, count(*), sum(c) FROM %s WHERE p <@ box ''((100,-100),(200,-200))''', t);
END $$;
CALL compact('ci');
SELECT *, faults('ci') FROM groups_of('ci');
SELECT * FROM index_answers('ci') EXCEPT SELECT * FROM index_answers('ci_heap');
SELECT * FROM index_answers('ci');
-- one row of each key
INSERT INTO ci VALUES (400);
INSERT INTO ci VALUES (400, 'upserted') ON CONFLICT (a) DO UPDATE SET b = excluded.b;
INSERT INTO ci_heap VALUES (1400);
INSERT INTO ci VALUES (1400) ON CONFLICT DO NOTHING;
UPDATE ci_heap SET b = 'upserted' WHERE a = 400;
VACUUM ci;
SELECT * FROM index_answers('ci') EXCEPT SELECT * FROM index_answers('ci_heap');
SELECT differences('ci', 'ci_heap'), faults('ci');
-- groups are rewritten with their entries
DELETE FROM ci WHERE a % 3 = 0;
DELETE FROM ci_heap WHERE a % 3 = 0;
CALL compact('ci');
SELECT *, faults('ci') FROM groups_of('ci');
SELECT * FROM index_answers('ci') EXCEPT SELECT * FROM index_answers('ci_heap');
VACUUM ci;
SELECT * FROM index_answers('ci') EXCEPT SELECT * FROM index_answers('ci_heap');
INSERT INTO ci VALUES (300);
INSERT INTO ci VALUES (301);
DELETE FROM ci WHERE a = 300;
SELECT differences('ci', 'ci_heap'), faults('ci');
-- foreign keys in both directions
CREATE TABLE c_pk (id int PRIMARY KEY, t text) USING retldb WITH (autovacuum_enabled = off);
CREATE TABLE c_fk (id int REFERENCES c_pk ON DELETE CASCADE) USING retldb WITH (autovacuum_enabled = off);
INSERT INTO c_pk SELECT i, 'pk' FROM generate_series(1, 100) i;
INSERT INTO c_fk SELECT i FROM generate_series(1, 100) i;
CALL compact('c_pk');
CALL compact('c_fk');
INSERT INTO c_fk VALUES (50), (51);
INSERT INTO c_fk VALUES (101);
DELETE FROM c_pk WHERE id < 10;
SELECT count(*), min(id) FROM c_fk;

-- indexes' functions run with the rights of the table's owner
CREATE ROLE regress_compact_owner;
CREATE FUNCTION who(int) RETURNS text IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN RETURN current_user || $1; END $$;
CREATE TABLE c_owner (a int) USING retldb WITH (autovacuum_enabled = off);
CREATE INDEX ON c_owner (who(a));
ALTER TABLE c_owner OWNER TO regress_compact_owner;
INSERT INTO c_owner SELECT generate_series(1, 20);
CALL compact('c_owner');
SET enable_seqscan = off;
SET retldb.enable_columnar_scan = off;
SELECT count(*) FROM c_owner WHERE who(a) = 'regress_compact_owner7';
RESET enable_seqscan;
RESET retldb.enable_columnar_scan;

DROP TABLE cr, cr_heap, cr_order, ci, ci_heap, c_pk, c_fk, c_owner CASCADE;
DROP ROLE regress_compact_owner;
DROP FUNCTION groups_of, index_answers, who;
DROP PROCEDURE compact;
