-- An upgraded cluster is used: changes of all kinds, the same on the heap twins.
SET retldb.row_store_rows = 100;
SET retldb.row_group_rows = 2000;
SELECT twins('UPDATE facts SET amount = amount + 1 WHERE id % 7 = 0');
SELECT twins('DELETE FROM facts WHERE id % 11 = 0');
SELECT twins('UPDATE facts SET word = ''79'' WHERE id IN (79, 97, 83, 101, 194)');
SELECT twins('INSERT INTO facts (id, customer, day) VALUES (5, 1, ''2020-01-01''), (200001, 1, ''2020-01-01'') ON CONFLICT (id) DO UPDATE SET day = excluded.day + 1');
SELECT twins('INSERT INTO facts (id, customer) VALUES (200002, 100000)');
SELECT twins('INSERT INTO customers VALUES (1, ''twice'')');
SELECT twins('DELETE FROM customers WHERE id % 500 = 0');
SELECT twins('UPDATE customers SET id = 10000 + id WHERE id % 499 = 0');
SELECT twins('DELETE FROM referenced WHERE id = 1');
SELECT twins('DELETE FROM referenced WHERE id BETWEEN 2001 AND 2100');
SELECT twins('UPDATE referenced SET v = v || ''+'' WHERE id % 3 = 0');
SELECT twins('INSERT INTO referencing SELECT i FROM generate_series(1500, 1700) i');
SELECT twins('INSERT INTO referencing VALUES (2050)');
SELECT twins('INSERT INTO bookings VALUES (3, ''[31,35)'')');
SELECT twins('MERGE INTO quiet q USING (SELECT i, i % 10 AS v FROM generate_series(2500, 3500) i) s ON q.id = s.i
                WHEN MATCHED THEN UPDATE SET v = s.v WHEN NOT MATCHED THEN INSERT VALUES (s.i, s.v)');
SELECT twins('INSERT INTO typed SELECT * FROM types_heap');
SELECT twins('UPDATE typed SET t_text = ''new'' WHERE id % 10 = 0');
SELECT twins('UPDATE big SET body = body || body WHERE id % 3 = 0');
SELECT twins('DELETE FROM compacted WHERE id % 7 = 1');
SELECT twins('UPDATE elsewhere SET v = ''e'' WHERE id % 9 = 0');
SELECT twins('DELETE FROM scratch WHERE id % 9 = 0');
SELECT twins('INSERT INTO numbered (v) VALUES (1)');
SELECT twins('UPDATE numbered SET v = 0 WHERE id > 490');
SELECT twins('UPDATE parts SET a = a + 1000 WHERE a % 13 = 0');
SELECT twins('CREATE TABLE parts5 PARTITION OF parts FOR VALUES FROM (10000) TO (20000)');
SELECT twins('CREATE TABLE parts22 PARTITION OF parts2 FOR VALUES IN (''b9'')');
SELECT twins('INSERT INTO parts SELECT i, ''b9'' FROM generate_series(10000, 13000) i');
SELECT twins('ALTER TABLE facts ADD COLUMN later text DEFAULT ''later''');
SELECT twins('CREATE INDEX facts_added ON facts (added)');
SELECT twins('REINDEX TABLE sorted');
COPY twin_heap.sorted TO :'file';
COPY twin_heap.sorted FROM :'file';
COPY twin_retldb.sorted FROM :'file';
REFRESH MATERIALIZED VIEW CONCURRENTLY twin_retldb.totals;
REFRESH MATERIALIZED VIEW twin_heap.totals;
REFRESH MATERIALIZED VIEW twin_retldb.not_yet;
-- new partitions are as their parents say
SELECT 'wrong access method: ' || c.oid::regclass FROM pg_class c JOIN pg_am a ON a.oid = relam
 WHERE c.oid IN ('twin_retldb.parts5'::regclass, 'twin_retldb.parts22'::regclass) AND (amname <> 'retldb' OR reloptions::text !~ 'zstd');
SELECT 'parent of unknown access method: ' || c.oid::regclass FROM pg_class c
 WHERE c.oid IN ('twin_retldb.parts'::regclass, 'twin_retldb.parts2'::regclass) AND coalesce(reloptions::text, '') !~ 'access_method=retldb'
   AND relam IS DISTINCT FROM (SELECT oid FROM pg_am WHERE amname = 'retldb');
-- updates that change nothing still write nothing
BEGIN;
UPDATE twin_retldb.quiet SET v = v;
SELECT 'written for nothing: ' || count(*) FROM twin_retldb.quiet WHERE xmin = pg_current_xact_id()::xid HAVING count(*) > 0;
COMMIT;
ALTER TABLE twin_retldb.facts SET (compression = lz4), RESET (bloom);
SELECT 'options: ' || reloptions::text FROM pg_class
 WHERE oid = 'twin_retldb.facts'::regclass AND NOT (reloptions @> '{compression=lz4,fillfactor=90,row_group_rows=3000}' AND reloptions::text !~ 'bloom');
SELECT unsound();
SELECT index_queries();
-- what maintenance makes of it
CALL retldb.compact();
SELECT unsound();
VACUUM (FREEZE, ANALYZE);
SELECT unsound();
SELECT index_queries();
SELECT 'old transaction ids: ' || oid::regclass FROM pg_class
 WHERE relkind IN ('r', 'm') AND relnamespace = 'twin_retldb'::regnamespace AND age(relfrozenxid) > 1000;
VACUUM FULL twin_retldb.facts;
ALTER TABLE twin_retldb.compacted SET ACCESS METHOD heap;
CALL retldb.convert('twin_retldb.compacted');
SELECT unsound();
SELECT count(*) > 0 AS "told about" FROM retldb.tables \g /dev/null
SELECT retldb.version() \g /dev/null
SELECT 'update wanted: ' || installed_version FROM pg_available_extensions WHERE name = 'retldb' AND installed_version <> default_version;
