-- Conditions with subqueries that depend on nothing else: these run once, but if it can be
-- seen when, then when heap runs them.
SET retldb.row_store_rows = 0;
SET retldb.row_group_rows = 1024;
SET retldb.vector_rows = 1024;

SELECT twins('CREATE TABLE ip (id int, v int)'), twins('CREATE SEQUENCE ip_runs');
CREATE FUNCTION ip_rows() RETURNS bigint LANGUAGE plpgsql AS 'BEGIN RETURN (SELECT count(*) FROM ip WHERE v > 0); END';
CREATE FUNCTION ip_stable() RETURNS bigint LANGUAGE plpgsql STABLE AS 'BEGIN RETURN (SELECT count(*) FROM ip WHERE v > 0); END';

-- fill the table, run a command, and compare
CREATE FUNCTION ip(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text;
BEGIN
    PERFORM twins('TRUNCATE ip'), twins('INSERT INTO ip SELECT i, i FROM generate_series(1, 3072) i'),
            twins('ALTER SEQUENCE ip_runs RESTART');
    result := twins(command);
    RETURN concat_ws(', ', result, same('TABLE ip'), same('SELECT last_value, is_called FROM ip_runs'), faults('twin_retldb.ip') || ' faults');
END $$;

-- the function sees which rows are gone by the time it is called
SELECT ip('DELETE FROM ip WHERE id <= 1500 OR v > (SELECT ip_rows())');
SELECT ip('DELETE FROM ip WHERE CASE WHEN id <= 1500 THEN true ELSE v > (SELECT ip_rows()) END');
SELECT ip('UPDATE ip SET v = -v WHERE id <= 1500 OR v > (SELECT ip_rows())');
SELECT ip('UPDATE ip SET v = -v WHERE CASE WHEN id <= 1500 THEN true ELSE v > (SELECT ip_rows()) END');
-- with others around it
SELECT ip('DELETE FROM ip WHERE CASE WHEN id <= 1500 THEN true ELSE v > (SELECT max(s.n) + 1 FROM (SELECT (SELECT ip_rows()) AS n) s) END');
SELECT ip('DELETE FROM ip WHERE CASE WHEN id <= 1500 THEN true ELSE v > (SELECT (SELECT ip_rows() + i + j FROM generate_series(i, 1) j) FROM generate_series(1, 1) i) END');
SELECT ip('WITH w AS MATERIALIZED (SELECT ip_rows() AS n) DELETE FROM ip WHERE CASE WHEN id <= 1500 THEN true ELSE v > (SELECT n FROM w) END');
SELECT ip('DELETE FROM ip WHERE CASE WHEN id <= 1500 THEN true ELSE v > (WITH w AS MATERIALIZED (SELECT ip_rows() AS n) SELECT n FROM w) END');
SELECT ip('DELETE FROM ip WHERE id <= 1500 OR v = ANY (ARRAY(SELECT ip_rows() + i FROM generate_series(1, 100) i))');
-- with those that see the table as the command does, nothing is different
SELECT ip('DELETE FROM ip WHERE id <= 1500 OR v > (SELECT ip_stable() - 10)');
SELECT ip('DELETE FROM ip WHERE CASE WHEN id <= 1500 THEN true ELSE v > (SELECT count(*) - 10 FROM ip) END');

-- run only if a row gets to it, and once
SELECT ip('SELECT FROM ip WHERE id < 0 AND v > (SELECT nextval(''ip_runs''))');
SELECT ip('SELECT FROM ip WHERE id > 0 AND v > (SELECT nextval(''ip_runs''))');
SELECT ip('SELECT FROM ip JOIN generate_series(-30, -1) k ON id = k WHERE v > (SELECT nextval(''ip_runs''))');
SELECT ip('SELECT FROM (SELECT id, max(v) AS v FROM ip GROUP BY id) s WHERE id > 5000 AND id < (SELECT nextval(''ip_runs''))');

-- which ones are evaluated on vectors
SET search_path = twin_retldb, public;
SELECT query, (SELECT count(*) = 1 FROM plan(query) p WHERE p LIKE '  Vector Filter:%') AS on_vectors FROM (VALUES
    ('SELECT FROM ip WHERE v > (SELECT max(id) FROM ip)'),
    ('SELECT FROM ip WHERE v > (SELECT extract(year FROM now())::int)'),
    ('SELECT FROM ip WHERE v > (WITH w AS MATERIALIZED (SELECT max(id) AS n FROM ip) SELECT n FROM w)'),
    ('SELECT FROM ip WHERE v > (SELECT ip_stable())'),
    ('SELECT FROM ip WHERE v > (SELECT ip_rows())'),
    ('SELECT FROM ip WHERE v > (SELECT id FROM ip LIMIT 1 FOR SHARE)'),
    ('WITH w AS MATERIALIZED (SELECT random()) SELECT FROM ip WHERE v > (SELECT max(id) FROM ip)'),
    ('WITH d AS (DELETE FROM ip RETURNING id) SELECT FROM ip WHERE v > (SELECT max(id) FROM d)')) q(query);
SELECT count(*) AS says_why FROM plan('SELECT FROM ip WHERE v > (SELECT ip_rows())', 'VERBOSE, COSTS OFF') p WHERE p LIKE '%: compared with a subquery of which it is noticed when it runs';
RESET search_path;

DROP FUNCTION ip, ip_rows, ip_stable;
SELECT twins('DROP TABLE ip'), twins('DROP SEQUENCE ip_runs');
