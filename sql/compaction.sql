-- Compaction by command.  Heap is the oracle; what groups there are is counted
-- by what a snapshot sees, for VACUUM may come at any time.
CREATE FUNCTION seen(t regclass, OUT groups bigint, OUT grouped bigint, OUT stored bigint)
LANGUAGE plpgsql AS $$
BEGIN
    SELECT count(*), coalesce(sum(rows), 0) INTO groups, grouped FROM retldb.row_groups(t) WHERE visible;
    EXECUTE format('SELECT count(*) - $1 FROM %s', t) INTO stored USING grouped;
END $$;

-- Rows move when every transaction of the database sees them: wait for autovacuum.  If it has
-- analyzed something meanwhile, compaction may have left what it had just written.
CREATE PROCEDURE compact(t regclass) LANGUAGE plpgsql AS $$
DECLARE began timestamptz;
BEGIN
    LOOP
        CALL quiet();
        began := clock_timestamp();
        CALL retldb.compact(t);
        PERFORM pg_stat_clear_snapshot();
        EXIT WHEN NOT EXISTS (SELECT FROM pg_stat_all_tables WHERE last_autoanalyze >= began)
              AND NOT EXISTS (SELECT FROM pg_stat_activity
                               WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_xmin IS NOT NULL);
    END LOOP;
END $$;

-- row store to groups: several inserts, nulls, dropped and added columns
CREATE TABLE c_heap (a int, b text, c numeric, d date, e int[]);
CREATE TABLE c (LIKE c_heap) USING retldb;
INSERT INTO c_heap SELECT i, 'text ' || i % 37, i / 7.0, date '2020-01-01' + i % 100, ARRAY[i, i % 5] FROM generate_series(1, 600) i;
INSERT INTO c SELECT * FROM c_heap;
ALTER TABLE c DROP COLUMN c, ADD COLUMN f text DEFAULT 'missing';
ALTER TABLE c_heap DROP COLUMN c, ADD COLUMN f text DEFAULT 'missing';
INSERT INTO c VALUES (NULL, NULL, NULL, NULL, NULL), (-1, '', '2000-01-01', '{}', NULL);
INSERT INTO c_heap VALUES (NULL, NULL, NULL, NULL, NULL), (-1, '', '2000-01-01', '{}', NULL);
SELECT * FROM seen('c');
CALL compact('c');
SELECT * FROM seen('c'), differences('c', 'c_heap'), faults('c');
-- nothing to do: nothing is written
SELECT max(row_group) AS before FROM retldb.row_groups('c') \gset
CALL compact('c');
SELECT max(row_group) = :before AS unchanged FROM retldb.row_groups('c');

-- small groups and new rows join
SET retldb.row_store_rows = 10;
INSERT INTO c SELECT i, 'more', NULL, NULL, i::text FROM generate_series(601, 900) i;
INSERT INTO c SELECT i, 'more', NULL, NULL, i::text FROM generate_series(901, 1200) i;
INSERT INTO c_heap SELECT i, 'more', NULL, NULL, i::text FROM generate_series(601, 1200) i;
SELECT * FROM seen('c');
CALL compact('c');
SELECT * FROM seen('c'), differences('c', 'c_heap'), faults('c');
VACUUM c;
SELECT * FROM seen('c'), differences('c', 'c_heap'), faults('c');

-- a group has no more rows than it may have, nor bytes
CREATE TABLE c_full (a int, b text) USING retldb WITH (row_group_rows = 1000, vector_rows = 128, row_store_rows = 100000);
INSERT INTO c_full SELECT i, md5(i::text) FROM generate_series(1, 3500) i;
CALL compact('c_full');
SELECT rows FROM retldb.row_groups('c_full') WHERE visible ORDER BY row_number;
ALTER TABLE c_full SET (row_group_rows = 100000, row_group_size = '64kB');
INSERT INTO c_full SELECT i, repeat(md5(i::text), 10) FROM generate_series(3501, 4100) i;
CALL compact('c_full');
SELECT count(*) > 3 AS several, sum(rows) FROM retldb.row_groups('c_full') WHERE visible AND row_number > 3500;
SELECT * FROM seen('c_full');
SELECT count(*), sum(a), count(DISTINCT b), faults('c_full') FROM c_full;

-- small groups are merged as far as they fit
CREATE TABLE c_small (a int) USING retldb WITH (row_group_rows = 1000, row_store_rows = 0);
DO $$ BEGIN FOR i IN 1 .. 12 LOOP INSERT INTO c_small SELECT 100 * i + j FROM generate_series(1, CASE WHEN i = 5 THEN 700 ELSE 150 END) j; END LOOP; END $$;
SELECT * FROM seen('c_small');
CALL compact('c_small');
SELECT rows FROM retldb.row_groups('c_small') WHERE visible ORDER BY rows;
SELECT count(*), sum(a), faults('c_small') FROM c_small;

-- large and compressed values, in and out of line; TOAST is given back
CREATE TABLE c_large_heap (a int, b text, c text);
CREATE TABLE c_large (LIKE c_large_heap) USING retldb;
ALTER TABLE c_large ALTER b SET STORAGE EXTERNAL;
INSERT INTO c_large_heap SELECT i, repeat(md5(i::text), 30 * i), repeat('c', 20000 * (i % 3)) FROM generate_series(1, 40) i;
INSERT INTO c_large SELECT i, repeat(md5(i::text), 30 * i), repeat('c', 20000 * (i % 3)) FROM generate_series(1, 40) i;
SELECT reltoastrelid::regclass AS toast FROM pg_class WHERE oid = 'c_large'::regclass \gset
SELECT count(*) > 0 AS toasted FROM :toast;
CALL compact('c_large');
SELECT count(*) AS toasted FROM :toast;
SELECT * FROM seen('c_large'), differences('c_large', 'c_large_heap'), faults('c_large');

-- order_by: sorted in groups, and groups do not overlap
CREATE TABLE c_order_heap (k int, v text);
INSERT INTO c_order_heap SELECT CASE WHEN i % 50 > 0 THEN i * 7919 % 10007 END, 'v' || i FROM generate_series(1, 12000) i;
CREATE TABLE c_order (LIKE c_order_heap) USING retldb WITH (order_by = 'k', row_group_rows = 500, vector_rows = 64, row_store_rows = 300);
INSERT INTO c_order SELECT * FROM c_order_heap LIMIT 7000;
INSERT INTO c_order SELECT * FROM c_order_heap OFFSET 7000;
CREATE FUNCTION overlapping(t regclass, col text) RETURNS bigint LANGUAGE sql AS $$
    SELECT count(*) FROM retldb.column_chunks(t) x JOIN retldb.column_chunks(t) y
        ON x.column_name = col AND y.column_name = col AND x.row_group < y.row_group
       AND x.min_key < y.max_key AND y.min_key < x.max_key AND x.min_key < x.max_key AND y.min_key < y.max_key $$;
SELECT overlapping('c_order', 'k') > 100 AS before;
CALL compact('c_order');
SELECT overlapping('c_order', 'k');
SELECT stored, differences('c_order', 'c_order_heap'), faults('c_order') FROM seen('c_order');
SELECT count(*) FROM c_order WHERE k BETWEEN 1000 AND 1100;
SELECT count(*) FROM c_order_heap WHERE k BETWEEN 1000 AND 1100;
-- few different keys, descending, and a collation that zones do not follow
CREATE TABLE c_keys (k int, v text COLLATE "POSIX", w numeric) USING retldb WITH (order_by = 'k DESC, w', row_group_rows = 256, row_store_rows = 0);
INSERT INTO c_keys SELECT i % 3, i % 11, i / 3.0 FROM generate_series(1, 3000) i;
CALL compact('c_keys');
SELECT overlapping('c_keys', 'k'), count(*), sum(k), sum(w), faults('c_keys') FROM c_keys;
ALTER TABLE c_keys SET (order_by = 'v');
CALL compact('c_keys');
SELECT overlapping('c_keys', 'v'), count(*), sum(k), sum(w), faults('c_keys') FROM c_keys;

-- links of moved groups go to free pages, if there are some: the file does not grow
CREATE TABLE c_linked (a int, b text) USING retldb WITH (row_store_rows = 0, row_group_rows = 10000, vacuum_truncate = off);
BEGIN;
INSERT INTO c_linked SELECT i, md5(i::text) FROM generate_series(1, 20000) i;
ROLLBACK;
VACUUM c_linked;
INSERT INTO c_linked SELECT i, md5(i::text) FROM generate_series(1, 2000) i;
INSERT INTO c_linked SELECT i, md5(i::text) FROM generate_series(2001, 4000) i;
BEGIN;
SELECT count(*) FROM (SELECT FROM c_linked WHERE a % 1000 = 0 FOR UPDATE) x;
COMMIT;
SELECT pg_relation_size('c_linked') AS before \gset
CALL compact('c_linked');
SELECT pg_relation_size('c_linked') = :before AS no_growth, groups, faults('c_linked') FROM seen('c_linked');
SELECT count(*), sum(a) FROM c_linked;
DROP TABLE c_linked;

-- rows that are not committed stay, those of aborted transactions are nobody's
BEGIN;
INSERT INTO c_full SELECT -i, 'undone' FROM generate_series(1, 100) i;
ROLLBACK;
CALL compact('c_full');
SELECT count(*) FROM c_full WHERE a < 0;

-- xmin is that of the last who inserted a row, not of the compaction
CREATE TABLE c_xmin (a int) USING retldb;
INSERT INTO c_xmin VALUES (1);
INSERT INTO c_xmin VALUES (2);
SELECT max(xmin::text::bigint) AS newest FROM c_xmin \gset
CALL compact('c_xmin');
SELECT a, xmin::text::bigint = :newest AS of_inserter, cmin FROM c_xmin ORDER BY a;
SELECT xmin::text::bigint = :newest AS of_inserter FROM c_xmin WHERE ctid = '(2147483648,1)';
SELECT writer_xid::text::bigint = :newest AS of_inserter FROM retldb.row_groups('c_xmin') WHERE visible;
INSERT INTO c_xmin VALUES (3);
CALL compact('c_xmin');
SELECT count(DISTINCT xmin::text), min(xmin::text::bigint) > :newest AS grown FROM c_xmin;
DROP TABLE c_xmin;

-- statistics: no row was changed
SELECT pg_stat_force_next_flush();
SELECT n_tup_ins, n_tup_upd, n_tup_del FROM pg_stat_user_tables WHERE relid = 'c_small'::regclass;

-- all kinds of tables
CREATE TEMP TABLE c_temp (a int) USING retldb;
INSERT INTO c_temp SELECT generate_series(1, 500);
CALL compact('c_temp');
SELECT * FROM seen('c_temp');
CREATE UNLOGGED TABLE c_unlogged (a int) USING retldb;
INSERT INTO c_unlogged SELECT generate_series(1, 500);
CREATE MATERIALIZED VIEW c_view USING retldb AS SELECT a FROM c_unlogged;
CREATE TABLE c_parts (a int) PARTITION BY RANGE (a) USING retldb;
CREATE TABLE c_part1 PARTITION OF c_parts FOR VALUES FROM (0) TO (100);
CREATE TABLE c_part2 PARTITION OF c_parts FOR VALUES FROM (100) TO (200) PARTITION BY RANGE (a);
CREATE TABLE c_part21 PARTITION OF c_part2 FOR VALUES FROM (100) TO (200);
CREATE TABLE c_part3 PARTITION OF c_parts DEFAULT USING heap;
INSERT INTO c_parts SELECT generate_series(1, 250);
CALL compact('c_parts');
SELECT * FROM seen('c_part1') UNION ALL SELECT * FROM seen('c_part21');
SELECT * FROM seen('c_unlogged');
CALL compact(NULL);
SELECT * FROM seen('c_unlogged') UNION ALL SELECT * FROM seen('c_view');
SELECT count(*), sum(a) FROM c_parts;

-- what is refused
CALL retldb.compact('c_heap');
CALL retldb.compact('c_part3');
BEGIN;
CALL retldb.compact('c');
ROLLBACK;
DO $$ BEGIN CALL retldb.compact('c'); END $$;
DO $$ BEGIN BEGIN CALL retldb.compact('c'); EXCEPTION WHEN undefined_table THEN NULL; END; END $$;
SET default_transaction_read_only = on;
CALL retldb.compact('c');
RESET default_transaction_read_only;
SET retldb.skip_damaged_groups = on;
CALL retldb.compact('c');
RESET retldb.skip_damaged_groups;
CREATE ROLE regress_compact;
SET ROLE regress_compact;
CALL retldb.compact('c');
-- passes over what is not his
CALL retldb.compact();
RESET ROLE;
ALTER TABLE c_small OWNER TO regress_compact;
SET ROLE regress_compact;
CALL retldb.compact('c_small');
RESET ROLE;
-- from PostgreSQL 17 on there is a right for it; before, as the owner's member
DO $$ BEGIN
IF current_setting('server_version_num')::int >= 170000 THEN
	EXECUTE 'GRANT MAINTAIN ON c_large TO regress_compact';
ELSE
	EXECUTE format('GRANT %I TO regress_compact', current_user);
END IF;
END $$;
SET ROLE regress_compact;
CALL retldb.compact('c_large');
RESET ROLE;
DO $$ BEGIN
IF current_setting('server_version_num')::int < 170000 THEN
	EXECUTE format('REVOKE %I FROM regress_compact', current_user);
END IF;
END $$;

-- in the isolation level of the session
SET default_transaction_isolation = serializable;
INSERT INTO c_small VALUES (0);
CALL compact('c_small');
SELECT * FROM seen('c_small');
RESET default_transaction_isolation;

DROP TABLE c, c_heap, c_full, c_small, c_large, c_large_heap, c_order, c_order_heap, c_keys, c_temp, c_unlogged, c_parts CASCADE;
DROP ROLE regress_compact;
DROP FUNCTION seen, overlapping;
DROP PROCEDURE compact;
