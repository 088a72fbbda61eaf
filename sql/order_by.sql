-- order_by: rows of a row group are stored in an order, where their TIDs are nobody's business.
-- Rows of t that are not where sorting by "keys", then by arrival, puts them (0 = sorted).
CREATE FUNCTION misplaced(t regclass, keys text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    result bigint;
BEGIN
    EXECUTE format('SELECT count(*) FROM (SELECT row_number() OVER (ORDER BY ctid) AS place,
                    row_number() OVER (ORDER BY %s n) AS target FROM %s) d WHERE place <> target',
                   keys || CASE keys WHEN '' THEN '' ELSE ',' END, t) INTO result;
    RETURN result;
END $$;
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE DOMAIN score AS numeric CHECK (value <> 17);
CREATE TYPE pair AS (one int, two text);
CREATE TABLE source USING heap AS
SELECT n,
       nullif(hashint4(n) % 100, 5) AS i,
       nullif((hashint4(n) % 30000)::int2, 7::int2) AS i2,
       nullif(hashint8(n)::int8 * 1000003, 0) AS i8,
       (ARRAY['NaN', '-0', '0', 'Infinity', '-Infinity', '1.5', '-2.25', NULL]::float8[])[1 + n % 8] AS f,
       (ARRAY['NaN', '0', '0.0', 'Infinity', '-Infinity', '1.50', '1.5', '-2.25', '1e40', NULL]::numeric[])[1 + hashint4(n) % 5 + 5 * (n % 2)] AS num,
       CASE WHEN n % 11 > 0 THEN chr(65 + (n * 7) % 26 + CASE n % 2 WHEN 0 THEN 32 ELSE 0 END) || chr(228 + n % 3) || n % 50 END AS t,
       (CASE WHEN n % 3 > 0 THEN md5((n % 100)::text) ELSE '' END)::bytea AS y,
       n % 3 = 0 AS b,
       '2024-01-01'::timestamptz - hashint4(n) % 1000 * interval '1 hour' AS ts,
       (hashint4(n) % 40) * interval '1 day' + (n % 5) * interval '23 hours' AS iv,
       md5((n % 300)::text)::uuid AS u,
       (ARRAY['ok', 'sad', 'happy', NULL]::mood[])[1 + hashint4(n) % 2 + 2 * (n % 2)] AS e,
       ARRAY[n % 5, nullif(n % 3, 1), n % 2] AS a,
       (CASE WHEN n % 4 > 0 THEN n % 13 END)::score AS d,
       ROW(n % 3, 'x' || n % 5)::pair AS r,
       jsonb_build_object('k', n % 9) AS j,
       ('name' || n % 21)::name AS nm,
       int4range(n % 5, 5 + n % 7) AS rg,
       '10.0.0.0'::inet + n % 17 AS ip,
       nullif((n % 10)::text, '3')::char(5) AS c,
       time with time zone '10:00+02' + (n % 5) * interval '1 minute' AS tz,
       'padding ' || n AS p
  FROM generate_series(1, 3000) n;
CREATE TABLE sorted (LIKE source) USING retldb WITH (row_store_rows = 0);

-- each type, each direction
CREATE PROCEDURE try_all(columns text[]) LANGUAGE plpgsql AS $$
DECLARE
    col text;
    dir text;
    wrong bigint;
    changed bigint;
BEGIN
    FOREACH col IN ARRAY columns LOOP
        FOREACH dir IN ARRAY '{"", " DESC", " NULLS FIRST", " desc nulls last"}'::text[] LOOP
            EXECUTE format('ALTER TABLE sorted SET (order_by = %L)', col || dir);
            TRUNCATE sorted;
            INSERT INTO sorted SELECT * FROM source WHERE n <= 400 ORDER BY n;
            wrong := misplaced('sorted', col || dir);
            SELECT count(*) INTO changed FROM source JOIN sorted USING (n) WHERE source::text <> sorted::text;
            IF wrong > 0 OR changed > 0 OR (SELECT count(*) FROM sorted) <> 400 OR faults('sorted') > 0
               OR groups('sorted') <> 1 OR misplaced('sorted', '') = 0 THEN
                RAISE WARNING '%: % misplaced, % changed', col || dir, wrong, changed;
            END IF;
        END LOOP;
    END LOOP;
END $$;
CALL try_all('{i,i2,i8,f,num,t,y,b,ts,iv,u,e,a,d,r,j,nm,rg,ip,c,tz}');
CALL try_all('{"i, f","t desc, i","b,e,u","num,d","a , j, r","iv, ts"}');

-- in the column's collation
ALTER TABLE sorted RESET (order_by);
ALTER TABLE sorted ALTER t TYPE text COLLATE "C", ALTER p TYPE text COLLATE "und-x-icu";
CALL try_all('{t,p,"t, i","e,t"}');

-- NULLs only, one value only, no rows, rows that are in order already
CREATE TABLE few (n int, k int, v text) USING retldb WITH (row_store_rows = 0, order_by = 'k');
INSERT INTO few SELECT n, NULL, n FROM generate_series(1, 100) n;
SELECT misplaced('few', '') AS moved;
TRUNCATE few;
INSERT INTO few SELECT n, 1, n FROM generate_series(1, 100) n;
SELECT misplaced('few', '') AS moved;
TRUNCATE few;
INSERT INTO few SELECT n, n, n FROM generate_series(1, 100) n WHERE n > 100;
INSERT INTO few VALUES (1, 2, 'one');
INSERT INTO few SELECT n, n / 2, n FROM generate_series(2, 100) n;
SELECT misplaced('few', '') AS moved;
-- a null at the very end comes first, and back
TRUNCATE few;
ALTER TABLE few SET (order_by = 'k NULLS FIRST');
INSERT INTO few SELECT n, CASE WHEN n < 1000 THEN 1000 - n END, CASE WHEN n > 3 THEN n END FROM generate_series(1, 1000) n;
SELECT misplaced('few', 'k NULLS FIRST'), count(*), count(v), sum(v::int) FROM few;
TRUNCATE few;
ALTER TABLE few SET (order_by = 'k');
INSERT INTO few SELECT n, CASE WHEN n > 1 THEN n END, CASE WHEN n > 3 THEN n END FROM generate_series(1, 1000) n;
SELECT misplaced('few', 'k'), count(*), count(v), sum(v::int) FROM few;
DROP TABLE few;

-- large values move with their rows; as keys they come last
CREATE TABLE large_source AS SELECT n, hashint4(n) % 50 AS k,
       CASE WHEN n % 5 = 0 THEN repeat(md5(n::text), 1000) WHEN n % 7 > 0 THEN 'v' || n END AS v,
       CASE WHEN n % 3 = 0 THEN repeat('x' || n, 9000)::bytea ELSE '' END AS w FROM generate_series(1, 400) n;
CREATE TABLE large (LIKE large_source) USING retldb WITH (row_store_rows = 0, order_by = 'k');
INSERT INTO large SELECT * FROM large_source;
SELECT misplaced('large', 'k'), differences('large', 'large_source'), faults('large');
TRUNCATE large;
ALTER TABLE large SET (order_by = 'v DESC NULLS LAST, k');
INSERT INTO large SELECT * FROM large_source;
SELECT misplaced('large', 'CASE WHEN length(v) > 16000 THEN 2 WHEN v IS NULL THEN 3 ELSE 1 END, CASE WHEN length(v) < 16000 THEN v END DESC, k'),
       differences('large', 'large_source'), faults('large');
DROP TABLE large, large_source;

-- queries skip more
CREATE TABLE skip (n int, k int) USING retldb WITH (row_store_rows = 0, order_by = 'k');
INSERT INTO skip SELECT n, (n * 7919) % 50000 FROM generate_series(1, 50000) n;
SELECT plan('SELECT sum(n) FROM skip WHERE k BETWEEN 100 AND 200', 'ANALYZE, BUFFERS OFF, COSTS OFF, TIMING OFF, SUMMARY OFF');
DROP TABLE skip;

-- wherever rows come in bulk: each group by itself
ALTER TABLE sorted SET (order_by = 'i, f', row_group_rows = 1000);
TRUNCATE sorted;
INSERT INTO sorted SELECT * FROM source;
SELECT groups('sorted'), differences('sorted', 'source'), faults('sorted');
SELECT count(*) FILTER (WHERE disorder) AS steps_back FROM
    (SELECT (lag(i) OVER w) > i OR (lag(i) OVER w IS NULL AND i IS NOT NULL) AS disorder FROM sorted WINDOW w AS (ORDER BY ctid)) s;
CREATE TABLE copied (n int, k int) USING retldb WITH (row_store_rows = 0, order_by = 'k');
COPY copied FROM PROGRAM 'seq 3000 | awk ''{print $1 "\t" ($1 * 7919) % 3001}''';
SELECT misplaced('copied', 'k'), count(*), count(DISTINCT k), count(*) FILTER (WHERE k <> (n * 7919) % 3001) AS wrong FROM copied;
DROP TABLE copied;
CREATE TABLE made USING retldb WITH (row_store_rows = 100, order_by = 'i DESC, f') AS SELECT n, i, f FROM source ORDER BY n;
SELECT misplaced('made', 'n > 100, CASE WHEN n <= 100 THEN n END, i DESC, f');
CREATE MATERIALIZED VIEW viewed USING retldb WITH (row_store_rows = 0, order_by = 't') AS SELECT n, t FROM source ORDER BY n;
SELECT misplaced('viewed', 't');
ALTER MATERIALIZED VIEW viewed SET (order_by = 't DESC');
REFRESH MATERIALIZED VIEW viewed;
SELECT misplaced('viewed', 't DESC');
DROP MATERIALIZED VIEW viewed;
ALTER TABLE made SET (order_by = 'f', row_store_rows = 0), ALTER n TYPE int8;
SELECT misplaced('made', '') > 0 AS moved, count(DISTINCT n) FROM made;
DROP TABLE made;
CREATE TABLE parted (n int, i int, f float8) PARTITION BY RANGE (n) USING retldb WITH (row_store_rows = 0, order_by = 'i');
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (1500);
CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM (1500) TO (5000) WITH (order_by = 'f');
INSERT INTO parted SELECT n, i, f FROM source ORDER BY n;
SELECT misplaced('parted_1', 'i'), misplaced('parted_2', 'f');
CREATE FUNCTION fill() RETURNS void LANGUAGE sql AS 'INSERT INTO parted SELECT n, i, f FROM source ORDER BY n';
TRUNCATE parted;
SELECT fill();
SELECT plan('INSERT INTO parted_1 SELECT n, i, f FROM source WHERE n < 0', 'ANALYZE, BUFFERS OFF, COSTS OFF, TIMING OFF, SUMMARY OFF');
SELECT misplaced('parted_1', 'i'), misplaced('parted_2', 'f');

-- but not where somebody knows their TIDs: RETURNING
TRUNCATE parted;
CREATE TABLE returned (id tid, n int) USING heap;
WITH i AS (INSERT INTO parted_1 SELECT n, i, f FROM source WHERE n < 1500 ORDER BY n RETURNING ctid, n)
    INSERT INTO returned SELECT * FROM i;
SELECT count(*) FILTER (WHERE p.n = r.n) AS right, count(*) FROM returned r JOIN parted_1 p ON p.ctid = r.id;
SELECT misplaced('parted_1', '') AS moved;
CREATE FUNCTION returning_function() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    known tid[] = '{}';
    one record;
    result bigint;
BEGIN
    FOR one IN INSERT INTO parted_2 SELECT n, i, f FROM source WHERE n >= 1500 ORDER BY n RETURNING ctid AS id, n LOOP
        known[one.n] := one.id;
    END LOOP;
    SELECT count(*) INTO result FROM parted_2 WHERE known[n] = ctid;
    RETURN result;
END $$;
SELECT returning_function();

-- AFTER ROW triggers, foreign keys, deferred constraints
CREATE TABLE log (k serial, n int) USING heap;
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO log (n) VALUES (NEW.n); RETURN NULL; END $$;
CREATE TRIGGER note AFTER INSERT ON parted_1 FOR EACH ROW EXECUTE FUNCTION note();
TRUNCATE parted;
INSERT INTO parted SELECT n, i, f FROM source ORDER BY n;
SELECT misplaced('parted_1', '') AS moved, misplaced('parted_2', 'f'), (SELECT count(*) FROM log WHERE k <> n) AS wrong, (SELECT count(*) FROM log);
DROP TRIGGER note ON parted_1;
CREATE TABLE referenced (i int PRIMARY KEY) USING heap;
INSERT INTO referenced SELECT DISTINCT i FROM source WHERE i IS NOT NULL;
ALTER TABLE parted ADD FOREIGN KEY (i) REFERENCES referenced DEFERRABLE INITIALLY DEFERRED;
TRUNCATE parted;
BEGIN;
INSERT INTO parted SELECT n, i, f FROM source ORDER BY n;
INSERT INTO parted SELECT 1, 100000, 0 FROM generate_series(1, 10);
SAVEPOINT s;
SET CONSTRAINTS ALL IMMEDIATE;
ROLLBACK;
BEGIN;
INSERT INTO parted SELECT n, i, f FROM source ORDER BY n;
COMMIT;
SELECT misplaced('parted_1', '') AS moved, misplaced('parted_2', '') AS moved;
-- statement triggers see tables, not TIDs
ALTER TABLE parted DROP CONSTRAINT parted_i_fkey;
CREATE FUNCTION note_all() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO log (n) SELECT n FROM new_rows; RETURN NULL; END $$;
CREATE TRIGGER note_all AFTER INSERT ON parted_1 REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_all();
TRUNCATE parted, log RESTART IDENTITY;
INSERT INTO parted_1 SELECT n, i, f FROM source WHERE n < 1500 ORDER BY n;
SELECT misplaced('parted_1', 'i'), count(*) FILTER (WHERE k <> n) AS wrong, count(*) FROM log;

-- a command that reads what it has written, and one that fails
CREATE FUNCTION seen() RETURNS bigint LANGUAGE sql VOLATILE AS 'SELECT count(*) FROM parted_2';
TRUNCATE parted;
INSERT INTO parted_2 SELECT n, i, CASE WHEN n = 2500 THEN seen() ELSE f END FROM source WHERE n BETWEEN 1500 AND 2600 ORDER BY n;
SELECT count(*), count(DISTINCT n), count(*) FILTER (WHERE n = 2500 AND f = 1000) FROM parted_2;
INSERT INTO parted_2 SELECT n, i, CASE WHEN n = 3000 THEN 1 / (n - 3000) ELSE f END FROM source WHERE n > 2600 ORDER BY n;
SELECT count(*), faults('parted_2') FROM parted_2;

DROP TABLE parted, returned, log, referenced, sorted, source;
DROP FUNCTION fill, returning_function, note, note_all, seen, misplaced;
DROP PROCEDURE try_all;
DROP DOMAIN score;
DROP TYPE mood, pair;
