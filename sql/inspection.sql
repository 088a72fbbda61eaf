-- Looking inside: views, columns, the storage report.
SET retldb.row_store_rows = 100;
SET retldb.compression = none;
CREATE TABLE inspected (id int, "a<b>&""c'" int, t text, j json, n numeric) USING retldb WITH (row_group_rows = 1000);
COMMENT ON TABLE inspected IS 'ids arrive in order, the second column is all over the place';
INSERT INTO inspected
SELECT i, i * 7919 % 10007, 'text ' || i % 10, '{}', CASE WHEN i % 2 = 0 THEN i END FROM generate_series(1, 10100) i;
CREATE MATERIALIZED VIEW inspected_view USING retldb AS SELECT 1 AS one;
CREATE TABLE not_inspected (i int);

SELECT name, materialized_view, persistence, bytes = pg_relation_size(name) AS size, options
  FROM retldb.tables WHERE name::text LIKE '%inspected%' ORDER BY name::text;
SELECT name, setting, default_setting FROM retldb.settings WHERE name IN ('retldb.compression', 'retldb.row_store_rows') ORDER BY name;
SELECT count(*) > 10 AS all_settings, count(*) FILTER (WHERE description IS NULL) AS undescribed FROM retldb.settings;
SELECT attnum, column_name, type, row_groups, rows, nulls, raw_bytes, bytes < raw_bytes AS smaller, ratio > 1 AS ratio,
       encodings[1] IS NOT NULL AS encodings, compressions FROM retldb.columns('inspected');
SELECT sum(bytes) = (SELECT sum(bytes) FROM retldb.column_chunks('inspected')) AS all_bytes,
       count(*) FROM retldb.columns('inspected_view');

SELECT retldb.escape_html(E'<a href="x">&''\x01\x7f'), retldb.escape_html(''), retldb.escape_html(NULL),
       retldb.escape_html(convert_from('\xc3a4f09f9881', 'UTF8'));

-- The report is HTML that is well-formed XML, too.
CREATE TABLE report AS SELECT retldb.storage_report('inspected')::xml AS page;
CREATE FUNCTION found(path text) RETURNS text[] LANGUAGE sql AS $$
    SELECT xpath(path, page, ARRAY[ARRAY['h', 'http://www.w3.org/1999/xhtml'], ARRAY['s', 'http://www.w3.org/2000/svg']])::text[] FROM report
$$;
SELECT xml_is_well_formed_document(page::text) AS well_formed, octet_length(page::text) BETWEEN 8000 AND 60000 AS size,
       page::text ~ '[^\x01-\x7e]' AS beyond_ascii, page::text ~ '(src|href)=|url\(|@import' AS refers_to_others
  FROM report;
SELECT found('/h:html/h:head/h:title/text()'), found('//h:h2/text()');
SELECT regexp_replace((found('//h:p/text()'))[1], '; [0-9]+ pages.*', '');
-- every page has a use
SELECT sum(regexp_replace(title, '\D', '', 'g')::int) = pg_relation_size('inspected') / current_setting('block_size')::int AS all_pages
  FROM unnest(found('//s:svg[1]/s:rect/s:title/text()')) title WHERE title LIKE '%pages';
-- a bar for each column, the largest first and longest
SELECT cardinality(found('//s:svg[@height="105"]/s:rect')) AS bars,
       (SELECT array_agg(w::float ORDER BY o DESC) = array_agg(w::float ORDER BY w::float) AND max(w::float) = 540
          FROM unnest(found('//s:svg[@height="105"]/s:rect/@width')) WITH ORDINALITY s(w, o)) AS sorted;
SELECT found('//h:tr/h:td[1]/text()') AS names;
-- ten groups for each of the columns with an order: id, a, n, and t in byte order
SELECT cardinality(found('//s:svg[@height="60"]')) AS columns, cardinality(found('//s:svg[@height="60"]/s:rect[@class="g"]')) AS bars;
-- each group has ids of its own, the others overlap
SELECT found('//h:tr[h:td/s:svg]/h:td[3]/text()') AS overlapping;
-- ids climb from the lower left to the upper right
SELECT bool_and(x > before_x AND y < before_y) AS climbs
  FROM (SELECT x, y, lag(x, 1, -1) OVER (ORDER BY o) AS before_x, lag(y, 1, 61) OVER (ORDER BY o) AS before_y
          FROM ROWS FROM (unnest(found('(//s:svg[@height="60"])[1]/s:rect[@class="g"]/@x')::float[]),
                          unnest(found('(//s:svg[@height="60"])[1]/s:rect[@class="g"]/@y')::float[])) WITH ORDINALITY r(x, y, o)) p;

-- nothing is there
CREATE TABLE uninspected (i int) USING retldb;
CREATE TABLE columnless () USING retldb;
SELECT xml_is_well_formed_document(retldb.storage_report('uninspected')), xml_is_well_formed_document(retldb.storage_report('columnless')),
       retldb.storage_report('uninspected') ~ '<p>0 rows in 0 row groups; 1 pages' AS empty;
SELECT * FROM retldb.columns('uninspected');
SELECT retldb.storage_report('not_inspected');
SELECT retldb.storage_report(NULL) IS NULL AS strict;
-- more groups than bars
SET retldb.row_group_rows = 64;
CREATE TABLE inspected_much USING retldb AS SELECT i FROM generate_series(1, 20000) i;
RESET retldb.row_group_rows;
UPDATE report SET page = retldb.storage_report('inspected_much')::xml;
SELECT cardinality(found('//s:svg[@height="60"]/s:rect[@class="g"]')) AS bars, found('//h:tr[h:td/s:svg]/h:td[3]/text()');
-- more columns than bars: 40 of 50 and, for one row group only, no ranges
SELECT format('CREATE TABLE inspected_wide (%s) USING retldb', string_agg('c' || i || ' int', ', ')) FROM generate_series(1, 50) i \gexec
SELECT format('INSERT INTO inspected_wide SELECT %s FROM generate_series(1, 500) i', string_agg('i', ', ')) FROM generate_series(1, 50) \gexec
UPDATE report SET page = retldb.storage_report('inspected_wide')::xml;
SELECT cardinality(found('//s:svg[@height="805"]/s:rect')) AS bars, cardinality(found('//h:tr/h:td[1]')) AS lines, found('//h:h2/text()');
-- what is left of a dropped column is told, its ranges are not
ALTER TABLE inspected DROP COLUMN id;
UPDATE report SET page = retldb.storage_report('inspected')::xml;
SELECT found('//h:tr/h:td[1]/text()') AS names, (found('//h:p/text()'))[2] AS note;
-- a row store alone
INSERT INTO uninspected VALUES (1);
UPDATE report SET page = retldb.storage_report('uninspected')::xml;
SELECT found('//h:h2/text()'), (found('//h:p/text()'))[2] AS note;

-- who may
CREATE ROLE retldb_nobody;
CREATE ROLE retldb_monitor IN ROLE pg_monitor;
CREATE ROLE retldb_reader;
GRANT SELECT ON inspected TO retldb_reader;
SET ROLE retldb_nobody;
SELECT count(*) >= 5 AS tables FROM retldb.tables;
SELECT count(*) > 10 AS settings FROM retldb.settings;
SELECT count(*) FROM retldb.columns('inspected');
SELECT length(retldb.storage_report('inspected'));
SET ROLE retldb_monitor;
SELECT count(*) FROM retldb.columns('inspected');
SELECT retldb.storage_report('inspected') LIKE '%height="60"%' AS ranges, retldb.storage_report('inspected') LIKE '%>text<%' AS columns;
SET ROLE retldb_reader;
SELECT count(*) FROM retldb.columns('inspected');
SELECT retldb.storage_report('inspected') LIKE '%height="60"%' AS ranges;
RESET ROLE;
DROP TABLE inspected, inspected_much, inspected_wide, not_inspected, uninspected, columnless, report;
DROP MATERIALIZED VIEW inspected_view;
DROP FUNCTION found;
DROP ROLE retldb_nobody, retldb_monitor, retldb_reader;
