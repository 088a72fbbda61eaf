/* sql/retldb--0.1--0.2.sql */

-- complain if script is sourced in psql, rather than via CREATE EXTENSION
\echo Use "ALTER EXTENSION retldb UPDATE TO '0.2'" to load this file. \quit

--
-- Looking inside.  Views need no right on the tables; functions have the
-- checks of those that they use.
--

CREATE VIEW retldb.tables AS
SELECT c.oid::regclass AS name,
       c.relkind = 'm' AS materialized_view,
       c.relpersistence AS persistence,
       c.reltuples AS rows_estimate,
       pg_relation_size(c.oid) AS bytes,
       pg_total_relation_size(c.oid) AS total_bytes,
       c.reloptions AS options
  FROM pg_class c JOIN pg_am a ON a.oid = c.relam
 WHERE a.amname = 'retldb' AND c.relkind IN ('r', 'm');
COMMENT ON VIEW retldb.tables IS 'retldb tables and materialized views of this database';
GRANT SELECT ON retldb.tables TO PUBLIC;

CREATE VIEW retldb.settings AS
SELECT name, setting, unit, source, boot_val AS default_setting, short_desc AS description
  FROM pg_settings
 WHERE name LIKE 'retldb.%';
COMMENT ON VIEW retldb.settings IS 'settings of retldb in this session';
GRANT SELECT ON retldb.settings TO PUBLIC;

CREATE FUNCTION retldb.columns(rel regclass,
    OUT column_name text,
    OUT attnum integer,
    OUT type regtype,
    OUT row_groups bigint,
    OUT encodings text[],
    OUT compressions text[],
    OUT rows bigint,
    OUT nulls bigint,
    OUT raw_bytes bigint,
    OUT bytes bigint,
    OUT ratio numeric)
RETURNS SETOF record
LANGUAGE sql VOLATILE STRICT PARALLEL RESTRICTED
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT min(c.column_name), c.attnum, c.type, count(*),
           array_agg(DISTINCT c.encoding ORDER BY c.encoding),
           array_agg(DISTINCT c.compression ORDER BY c.compression),
           sum(c.rows)::bigint, sum(c.nulls)::bigint, sum(c.raw_bytes)::bigint, sum(c.bytes)::bigint,
           round(sum(c.raw_bytes) / nullif(sum(c.bytes), 0), 2)
      FROM retldb.column_chunks(rel) c
     GROUP BY c.attnum, c.type
     ORDER BY c.attnum, c.type
$$;
COMMENT ON FUNCTION retldb.columns(regclass)
    IS 'columns of a retldb table, added up over its visible row groups';

-- Text for a page of HTML and XML alike, in ASCII where the encoding tells
-- what the characters are.
CREATE FUNCTION retldb.escape_html(value text)
RETURNS text
LANGUAGE sql STABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce(string_agg(CASE
               WHEN c IN ('<', '>', '&', '"', '''') THEN '&#' || ascii(c) || ';'
               WHEN c = '' THEN c
               WHEN c < ' ' COLLATE "C" OR c = chr(127) THEN '?'
               WHEN c > '~' COLLATE "C" AND getdatabaseencoding() = 'UTF8' THEN '&#' || ascii(c) || ';'
               ELSE c END, '' ORDER BY i), '')
      FROM regexp_split_to_table(value, '') WITH ORDINALITY s(c, i)
$$;
COMMENT ON FUNCTION retldb.escape_html(text) IS 'a text as it must be written in a page of HTML';

-- Pictures are SVG: 0..900 from left to right.
CREATE FUNCTION retldb.storage_report(rel regclass)
RETURNS text
LANGUAGE sql VOLATILE STRICT PARALLEL RESTRICTED
SET search_path = pg_catalog, pg_temp
AS $report$
WITH info AS MATERIALIZED (
    SELECT i.*, greatest(i.pages, 1) AS all_pages FROM retldb.table_info(rel) i
), chunks AS MATERIALIZED (
    SELECT * FROM retldb.column_chunks(rel)
), groups AS MATERIALIZED (
    SELECT row_group, rows, row_number() OVER (ORDER BY row_number) - 1 AS place, count(*) OVER () AS total
      FROM retldb.row_groups(rel)
     WHERE visible
), columns AS MATERIALIZED (
    SELECT attnum, coalesce(min(column_name), '(dropped column ' || attnum || ')') AS name, min(column_name) IS NULL AS dropped,
           string_agg(DISTINCT format_type(type, NULL), ', ') AS types,
           string_agg(DISTINCT encoding, ', ') AS encodings, string_agg(DISTINCT compression, ', ') AS compressions,
           sum(nulls) AS nulls, sum(raw_bytes) AS raw, sum(bytes) AS bytes,
           row_number() OVER (ORDER BY sum(bytes) DESC, attnum) - 1 AS place,
           max(sum(bytes)) OVER () AS largest, sum(sum(bytes)) OVER () AS total,
           count(*) OVER () AS columns
      FROM chunks
     GROUP BY attnum
),
-- use of pages
uses AS (
    SELECT u.*, coalesce(sum(u.pages) OVER (ORDER BY u.place ROWS UNBOUNDED PRECEDING EXCLUDE CURRENT ROW), 0) AS before,
           info.all_pages
      FROM info, LATERAL (VALUES (0, 'row groups', 'g', info.row_group_pages),
                                 (1, 'row store', 's', info.row_store_pages),
                                 (2, 'directory', 'd', info.directory_pages),
                                 (3, 'being loaded', 'l', info.loading_pages),
                                 (4, 'free', 'f', info.free_pages)) u(place, name, class, pages)
), use_picture AS (
    SELECT string_agg(format(
               '<rect class="%1$s" x="%2$s" y="0" width="%3$s" height="30"><title>%4$s: %5$s pages</title></rect>'
               '<rect class="%1$s" x="%6$s" y="40" width="12" height="12"/><text x="%7$s" y="51">%4$s %8$s %%</text>',
               class, round(900.0 * before / all_pages, 2), round(900.0 * pages / all_pages, 2), name, pages,
               place * 180, place * 180 + 18, round(100.0 * pages / all_pages, 1)), E'\n' ORDER BY place) AS svg
      FROM uses
),
-- bytes by column, the 40 largest
column_picture AS (
    SELECT string_agg(format(
               '<text class="name" x="195" y="%1$s">%2$s</text>'
               '<rect class="g" x="200" y="%3$s" width="%4$s" height="14"><title>%2$s: %5$s</title></rect>'
               '<text x="%6$s" y="%1$s">%5$s, %7$s %%</text>',
               place * 20 + 13, retldb.escape_html(left(name, 30)), place * 20 + 2,
               greatest(round(540.0 * bytes / greatest(largest, 1), 2), 1), pg_size_pretty(bytes),
               206 + greatest(round(540.0 * bytes / greatest(largest, 1), 2), 1),
               round(100.0 * bytes / greatest(total, 1), 1)), E'\n' ORDER BY place) AS svg,
           coalesce(max(place) + 1, 0) * 20 + 5 AS height
      FROM columns
     WHERE place < 40
), column_table AS (
    SELECT string_agg(format('<tr><td>%s</td><td>%s</td><td>%s</td><td>%s</td><td class="n">%s</td><td class="n">%s</td><td class="n">%s</td><td class="n">%s</td></tr>',
               retldb.escape_html(name), retldb.escape_html(types), encodings, compressions, to_char(nulls, 'FM999,999,999,999,990'),
               pg_size_pretty(raw), pg_size_pretty(bytes), round(raw / nullif(bytes, 0), 1)), E'\n' ORDER BY place) AS html
      FROM columns
),
-- clustering: how many groups have begun, and how many have ended, at each bound
bounds AS (
    SELECT attnum, row_group, min_key AS key, true AS is_min FROM chunks WHERE min_key IS NOT NULL
    UNION ALL
    SELECT attnum, row_group, max_key, false FROM chunks WHERE min_key IS NOT NULL
), counted AS (
    SELECT attnum, row_group,
           count(*) FILTER (WHERE is_min) OVER by_key AS begun,
           count(*) FILTER (WHERE NOT is_min) OVER by_key - count(*) FILTER (WHERE NOT is_min) OVER same_key AS ended
      FROM bounds
    WINDOW by_key AS (PARTITION BY attnum ORDER BY key), same_key AS (PARTITION BY attnum, key)
), ranges AS (
    SELECT attnum, row_group, min(ended) AS low, max(begun) AS high
      FROM counted
     GROUP BY attnum, row_group
),
-- at most 300 bars: neighbours are drawn as one
bars AS (
    SELECT attnum, g.place * least(g.total, 300) / g.total AS bar, least(g.total, 300) AS bars, g.total,
           min(low) AS low, max(high) AS high, sum(high - low) AS overlapping, count(*) AS with_range,
           max(max(high)) OVER (PARTITION BY attnum) AS highest
      FROM ranges JOIN groups g USING (row_group)
     GROUP BY attnum, bar, bars, g.total
), cluster_columns AS (
    SELECT attnum, string_agg(format('<rect class="g" x="%s" y="%s" width="%s" height="%s"/>',
               round(500.0 * bar / bars, 2), round(60 - 60.0 * high / highest, 2),
               round(greatest(500.0 / bars - CASE WHEN bars > 100 THEN 0 ELSE 1 END, 0.5), 2),
               round(greatest(60.0 * (high - low) / highest, 1), 2)), '' ORDER BY bar) AS svg,
           sum(overlapping) / sum(with_range) AS overlapping, max(total) AS total
      FROM bars
     GROUP BY attnum
), cluster_picture AS (
    SELECT string_agg(format('<tr><td>%s</td><td><svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 500 60" width="500" height="60">'
               '<rect class="b" x="0" y="0" width="500" height="60"/>%s</svg></td><td class="n">%s of %s</td></tr>',
               retldb.escape_html(name), svg, round(overlapping, 1), c.total), E'\n' ORDER BY columns.attnum) AS html
      FROM cluster_columns c JOIN columns USING (attnum)
     WHERE c.total > 1 AND NOT dropped
)
SELECT format($page$<!DOCTYPE html>
<html xmlns="http://www.w3.org/1999/xhtml" lang="en">
<head>
<meta charset="utf-8"/>
<title>Storage of %1$s</title>
<style>
body { font: 14px sans-serif; margin: 2em auto; max-width: 940px; color: #222; }
h1 { font-size: 22px; } h2 { font-size: 17px; margin-top: 2em; }
table { border-collapse: collapse; } th, td { padding: 2px 10px 2px 0; text-align: left; } td:first-child { overflow-wrap: anywhere; }
th { border-bottom: 1px solid #999; } th, .n { white-space: nowrap; } .n { text-align: right; }
svg text { font: 12px sans-serif; fill: #222; } svg .name { text-anchor: end; }
.g { fill: #2a6f97; } .s { fill: #e09f3e; } .d { fill: #777; } .l { fill: #9e2a2b; } .f { fill: #ccc; } .b { fill: #f2f2f2; }
</style>
</head>
<body>
<h1>Storage of %1$s</h1>
<p>%2$s rows in %3$s row groups; %4$s pages, %5$s. Columns: %6$s uncompressed, %7$s stored. Row store: %8$s %% of the pages. Made %9$s.</p>
<h2>What the pages are used for</h2>
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 900 56" width="900" height="56">
%10$s
</svg>
%11$s
</body>
</html>
$page$,
    retldb.escape_html(rel::text),
    (SELECT to_char(coalesce(sum(rows), 0), 'FM999,999,999,999,990') FROM groups), (SELECT to_char(count(*), 'FM999,990') FROM groups),
    (SELECT to_char(coalesce(max(pages), 0), 'FM9,999,999,990') FROM info), pg_size_pretty(pg_relation_size(rel)),
    pg_size_pretty(coalesce((SELECT sum(raw) FROM columns), 0)), pg_size_pretty(coalesce((SELECT sum(bytes) FROM columns), 0)),
    coalesce((SELECT round(100.0 * row_store_pages / all_pages, 1) FROM info), 0),
    to_char(now(), 'YYYY-MM-DD HH24:MI TZH:TZM'),
    (SELECT svg FROM use_picture),
    CASE WHEN (SELECT count(*) FROM groups) = 0 THEN
        '<p>The table has no row groups: rows of small commands stay in the row store until the table is compacted.</p>'
    ELSE
        format($columns$<h2>Bytes by column</h2>
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 900 %1$s" width="900" height="%1$s">
%2$s
</svg>
<table>
<tr><th>column</th><th>type</th><th>encodings</th><th>compression</th><th class="n">nulls</th><th class="n">uncompressed</th><th class="n">stored</th><th class="n">ratio</th></tr>
%3$s
</table>
<p>Stored bytes include dictionaries and Bloom filters.%4$s</p>
$columns$, (SELECT height FROM column_picture), (SELECT svg FROM column_picture), (SELECT html FROM column_table),
               CASE WHEN (SELECT count(*) FROM columns) > 40 THEN ' The picture has the 40 largest columns.' ELSE '' END ||
               CASE WHEN (SELECT bool_or(dropped) FROM columns) THEN ' Dropped columns stay until their row groups are written anew.' ELSE '' END)
    END || coalesce((SELECT format($ranges$<h2>Clustering by row group</h2>
<p>Row groups from left to right. A bar shows where a group's values, from smallest to largest, lie among those of all groups: it begins above the groups
that end below it, and is as long as there are groups whose ranges overlap its own. Short bars are good, for a query for one value must look at the groups
whose bars are at its height. The last column says how many groups these are on average, the group itself included. Columns without an order that statistics follow are not shown.</p>
<table>
<tr><th>column</th><th>ranges</th><th class="n">overlapping groups</th></tr>
%s
</table>
$ranges$, html) FROM cluster_picture WHERE html IS NOT NULL), ''))
$report$;
COMMENT ON FUNCTION retldb.storage_report(regclass)
    IS 'how a retldb table is stored: a page of HTML with pictures, complete in itself';

--
-- Compaction
--

CREATE PROCEDURE retldb.compact(rel regclass DEFAULT NULL)
AS 'MODULE_PATHNAME', 'retldb_compact'
LANGUAGE C;
COMMENT ON PROCEDURE retldb.compact(regclass) IS 'compact a retldb table, the partitions of one, or all tables of the database';

CREATE FUNCTION retldb.compaction_stats(
    OUT relid oid,
    OUT compactions bigint,
    OUT autocompactions bigint,
    OUT failures bigint,
    OUT yields bigint,
    OUT steps bigint,
    OUT rows_moved bigint,
    OUT rows_rewritten bigint,
    OUT row_groups_merged bigint,
    OUT row_groups_written bigint,
    OUT vacuums bigint,
    OUT last_compaction timestamptz,
    OUT last_duration double precision)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'retldb_compaction_stats'
LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED;
COMMENT ON FUNCTION retldb.compaction_stats() IS 'what compaction has done in this database since the server was started';

CREATE FUNCTION retldb.compaction_progress(
    OUT pid integer,
    OUT datid oid,
    OUT relid oid,
    OUT phase text,
    OUT steps bigint,
    OUT step_rows bigint,
    OUT step_rows_read bigint,
    OUT rows_moved bigint,
    OUT rows_rewritten bigint,
    OUT row_groups_written bigint)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'retldb_compaction_progress'
LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED;
COMMENT ON FUNCTION retldb.compaction_progress() IS 'compaction that is going on in this server';

CREATE VIEW retldb.compaction AS
    SELECT c.oid AS relid, n.nspname AS schemaname, c.relname,
           coalesce(compactions, 0) AS compactions, coalesce(autocompactions, 0) AS autocompactions,
           coalesce(failures, 0) AS failures, coalesce(yields, 0) AS yields, coalesce(steps, 0) AS steps,
           coalesce(rows_moved, 0) AS rows_moved, coalesce(rows_rewritten, 0) AS rows_rewritten,
           coalesce(row_groups_merged, 0) AS row_groups_merged, coalesce(row_groups_written, 0) AS row_groups_written,
           coalesce(vacuums, 0) AS vacuums, last_compaction, last_duration
      FROM pg_catalog.pg_class c
      JOIN pg_catalog.pg_namespace n ON n.oid = relnamespace
      JOIN pg_catalog.pg_am a ON a.oid = relam AND amname = 'retldb'
      LEFT JOIN retldb.compaction_stats() s ON s.relid = c.oid
     WHERE relkind IN ('r', 'm');
COMMENT ON VIEW retldb.compaction IS 'tables, and what compaction has done with them since the server was started';

CREATE VIEW retldb.progress_compact AS
    SELECT pid, p.datid, datname, relid, phase, steps, step_rows, step_rows_read, rows_moved, rows_rewritten, row_groups_written
      FROM retldb.compaction_progress() p LEFT JOIN pg_catalog.pg_database d ON d.oid = datid;
COMMENT ON VIEW retldb.progress_compact IS 'compaction that is going on in this server';

GRANT SELECT ON retldb.compaction, retldb.progress_compact TO PUBLIC;

--
-- Conversion
--

CREATE PROCEDURE retldb.convert(rel regclass, access_method name DEFAULT 'retldb')
AS 'MODULE_PATHNAME', 'retldb_convert'
LANGUAGE C;
COMMENT ON PROCEDURE retldb.convert(regclass, name)
    IS 'convert a table, materialized view or all partitions of a table between heap and retldb, while they are used';

CREATE FUNCTION retldb.conversion_progress(
    OUT pid integer,
    OUT datid oid,
    OUT relid oid,
    OUT phase text,
    OUT rows_expected bigint,
    OUT rows_copied bigint,
    OUT rows_compared bigint,
    OUT rows_removed bigint,
    OUT rows_added bigint,
    OUT indexes_built bigint)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'retldb_conversion_progress'
LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED;
COMMENT ON FUNCTION retldb.conversion_progress() IS 'conversion that is going on in this server';

CREATE VIEW retldb.progress_convert AS
    SELECT pid, p.datid, datname, relid, phase, rows_expected, rows_copied, rows_compared, rows_removed, rows_added, indexes_built
      FROM retldb.conversion_progress() p LEFT JOIN pg_catalog.pg_database d ON d.oid = datid;
COMMENT ON VIEW retldb.progress_convert IS 'conversion that is going on in this server';
GRANT SELECT ON retldb.progress_convert TO PUBLIC;
