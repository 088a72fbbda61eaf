-- Many columns, many nulls, and rows at heap's limits.
SET retldb.row_store_rows = 0;
SET retldb.row_group_rows = 500;
SET retldb.vector_rows = 64;
DO $$
BEGIN
    EXECUTE (SELECT format('CREATE TABLE wide_heap (%s) USING heap', string_agg('c' || i || ' ' || (ARRAY['int2', 'text', 'bool', 'float4'])[1 + i % 4], ', '))
               FROM generate_series(1, 1600) i);
    EXECUTE 'CREATE TABLE wide (LIKE wide_heap) USING retldb';
    -- each row has 40 values of its own, the others are null
    FOR i IN 0 .. 39 LOOP
        EXECUTE (SELECT format('INSERT INTO wide_heap (%s) SELECT %s FROM generate_series(1, 10) n',
                               string_agg('c' || k, ', '),
                               string_agg(CASE k % 4 WHEN 0 THEN 'n' WHEN 1 THEN '''text '' || n' WHEN 2 THEN 'n % 2 = 0' ELSE 'n / 3.0' END, ', '))
                   FROM generate_series(40 * i + 1, 40 * i + 40) k);
    END LOOP;
END $$;
INSERT INTO wide SELECT * FROM wide_heap;
INSERT INTO wide SELECT * FROM wide_heap;
INSERT INTO wide_heap SELECT * FROM wide_heap;
SELECT count(*), count(c1), sum(c1600), max(c801), groups('wide') > 0 AS has_groups, faults('wide') FROM wide;
SELECT count(*) FROM ((SELECT md5(w::text) FROM wide w EXCEPT ALL SELECT md5(h::text) FROM wide_heap h)
            UNION ALL (SELECT md5(h::text) FROM wide_heap h EXCEPT ALL SELECT md5(w::text) FROM wide w)) d;
SELECT count(*) FROM wide WHERE c1600 = 5;
ALTER TABLE wide ADD COLUMN c1601 int;
DROP TABLE wide, wide_heap;

-- columns can be dropped and added until heap's limit is reached
CREATE TABLE narrow (a int) USING retldb;
DO $$
BEGIN
    FOR i IN 1 .. 100 LOOP
        EXECUTE format('ALTER TABLE narrow ADD COLUMN x%s int DEFAULT %s', i, i);
        IF i % 20 = 0 THEN
            EXECUTE 'INSERT INTO narrow SELECT generate_series(1, 600)';
        END IF;
        IF i % 10 <> 0 THEN
            EXECUTE format('ALTER TABLE narrow DROP COLUMN x%s', i);
        END IF;
    END LOOP;
END $$;
SELECT count(*), sum(a), sum(x10), sum(x20), sum(x100), faults('narrow') FROM narrow;
SELECT * FROM narrow WHERE a = 1;
DROP TABLE narrow;

-- a row that heap would refuse is refused
DO $$
BEGIN
    EXECUTE (SELECT format('CREATE TABLE fat (%s) USING retldb', string_agg('c' || i || ' int8', ', ')) FROM generate_series(1, 1200) i);
END $$;
INSERT INTO fat (c1) SELECT generate_series(1, 1000);
INSERT INTO fat SELECT (jsonb_populate_record(NULL::fat, (SELECT jsonb_object_agg('c' || k, k) FROM generate_series(1, 1200) k))).*;
SELECT count(*), faults('fat') FROM fat;
DROP TABLE fat;

-- nothing but nulls; no columns at all; one row
CREATE TABLE nulls (a int, b text, c numeric, d int[]) USING retldb;
INSERT INTO nulls SELECT NULL, NULL, NULL, NULL FROM generate_series(1, 2000);
SELECT count(*), count(a), count(b), count(c), count(d), faults('nulls') FROM nulls;
SELECT count(*) FROM nulls WHERE a = 1;
SELECT count(*) FROM nulls WHERE a IS NULL;
CREATE TABLE columnless () USING retldb;
INSERT INTO columnless SELECT FROM generate_series(1, 2000);
SELECT count(*), faults('columnless') FROM columnless;
CREATE TABLE single (a text) USING retldb;
INSERT INTO single SELECT 'alone';
SELECT *, groups('single'), faults('single') FROM single;
DROP TABLE nulls, columnless, single;

-- row groups end at a size in bytes, too
SET retldb.row_group_rows = 100000;
SET retldb.row_group_size = '1MB';
CREATE TABLE sized (t text) USING retldb;
INSERT INTO sized SELECT repeat('x', 10000) FROM generate_series(1, 1000);
SELECT count(*), sum(length(t)), groups('sized') BETWEEN 8 AND 12 AS about_ten_groups, faults('sized') FROM sized;
DROP TABLE sized;

-- values out of line are read while a sort copies its rows
CREATE TABLE sorted (id int, t text) USING retldb;
INSERT INTO sorted SELECT i, repeat(md5(i::text), 800) FROM generate_series(1, 1300) i;
SELECT count(*), count(*) FILTER (WHERE t = repeat(md5(id::text), 800)) AS right, groups('sorted') > 0 AS groups
    FROM (SELECT * FROM sorted ORDER BY id DESC OFFSET 0) s;
DROP TABLE sorted;
