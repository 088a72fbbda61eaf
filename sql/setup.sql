-- What the other tests use.
CREATE EXTENSION retldb;
CREATE EXTENSION hstore;

-- Number of rows that are in one of two tables with equal columns and not in
-- the other; values are compared by what their types' send functions make of
-- them, so that NaN payloads, -0 and numeric scales count.
CREATE FUNCTION differences(one regclass, other regclass) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    list text;
    result bigint;
BEGIN
    SELECT string_agg(CASE WHEN p.oid IS NULL THEN format('md5(%I::text)', attname)
                           WHEN a.typtype <> 'p' THEN format('md5(%s(%I::%s))', p.proname, attname, proargtypes[0]::regtype)
                           ELSE format('md5(%s(%I))', p.proname, attname) END, ', ' ORDER BY attnum)
      INTO list
      FROM pg_attribute JOIN pg_type t ON t.oid = atttypid LEFT JOIN pg_proc p ON p.oid = t.typsend
           LEFT JOIN pg_type a ON a.oid = p.proargtypes[0]
     WHERE attrelid = one AND attnum > 0 AND NOT attisdropped;
    EXECUTE format('SELECT count(*) FROM ((SELECT %1$s FROM %2$s EXCEPT ALL SELECT %1$s FROM %3$s)
                    UNION ALL (SELECT %1$s FROM %3$s EXCEPT ALL SELECT %1$s FROM %2$s)) d', list, one, other)
       INTO result;
    RETURN result;
END $$;

-- Row groups of a table, and faults that verification finds in it.
CREATE FUNCTION groups(t regclass) RETURNS bigint
LANGUAGE sql AS 'SELECT count(*) FROM retldb.row_groups(t)';
CREATE FUNCTION faults(t regclass) RETURNS bigint
LANGUAGE sql AS 'SELECT count(*) FROM retldb.verify(t)';

-- A line of EXPLAIN as PostgreSQL 15 writes it: from 16 on equalities of joins
-- have the scanned column first, from 18 on numbers of rows have decimals, and
-- some formats say that nothing is disabled.
CREATE FUNCTION plan_line(line text) RETURNS text
LANGUAGE sql AS $$
    SELECT regexp_replace(regexp_replace(coalesce(regexp_replace(line, 'rows=\d+\.\d\d', 'rows=' || round((regexp_match(line, 'rows=(\d+\.\d\d)'))[1]::numeric)), line),
                                         '\((\w+) = (\w+\.\w+)\)', '(\2 = \1)'),
                          '\n *(Disabled: false|<Disabled>false</Disabled>)', '', 'g')
$$;
CREATE FUNCTION plan(query text, options text DEFAULT 'COSTS OFF') RETURNS SETOF text
LANGUAGE plpgsql AS $$
DECLARE
    line text;
BEGIN
    FOR line IN EXECUTE format('EXPLAIN (%s) %s', options, query) LOOP
        RETURN NEXT plan_line(line);
    END LOOP;
END $$;

-- Rows move, and stubs are removed, when every transaction of the database sees what they
-- wait for: wait for autovacuum, say.
CREATE PROCEDURE quiet()
LANGUAGE plpgsql AS $$
BEGIN
    FOR i IN 1 .. 600 LOOP
        EXIT WHEN NOT EXISTS (SELECT FROM pg_stat_activity
                               WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_xmin IS NOT NULL);
        PERFORM pg_sleep(0.1), pg_stat_clear_snapshot();
    END LOOP;
END $$;

-- Properties of a columnar scan in EXPLAIN ANALYZE, those whose names match.
CREATE FUNCTION scan_properties(query text, names text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    plan jsonb;
BEGIN
    EXECUTE 'EXPLAIN (ANALYZE, TIMING OFF, SUMMARY OFF, FORMAT JSON) ' || query INTO plan;
    RETURN (SELECT string_agg(key || ': ' || value, ', ' ORDER BY key COLLATE "C")
              FROM jsonb_path_query(plan, 'strict $.**?(@."Custom Plan Provider" == "RetldbScan")') node, jsonb_each(node)
             WHERE key ~ names);
END $$;

-- Is a command refused for what it asks of a table?  The message is that of the
-- server's version.
CREATE FUNCTION refused(command text) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE command;
    RAISE EXCEPTION 'undo' USING ERRCODE = 'RT001';
EXCEPTION
    WHEN SQLSTATE 'RT001' THEN RETURN false;
    WHEN invalid_parameter_value OR wrong_object_type OR undefined_object OR feature_not_supported THEN RETURN true;
END $$;

-- Twins: tables of the same names in schemas twin_heap and twin_retldb.  A
-- command is run in both and must come to the same end, with the same message
-- (shown is its SQLSTATE only, since messages depend on the version); a query
-- must find the same rows, however retldb's table is read.
CREATE SCHEMA twin_heap;
CREATE SCHEMA twin_retldb;

-- Run a command with one of the schemas first in the search path.
CREATE FUNCTION twin_run(method text, command text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    path text := current_setting('search_path');
    default_method text := current_setting('default_table_access_method');
    found bigint;
    detail text;
    hint text;
    result text;
BEGIN
    PERFORM set_config('search_path', 'twin_' || method || ', public', false),
            set_config('default_table_access_method', method, false);
    BEGIN
        EXECUTE command;
        GET DIAGNOSTICS found = ROW_COUNT;
        result := 'ok' || coalesce(' ' || nullif(found, 0), '');
    EXCEPTION WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
        result := SQLSTATE || ' ' || SQLERRM || coalesce('; ' || nullif(detail, ''), '') || coalesce('; ' || nullif(hint, ''), '');
    END;
    PERFORM set_config('search_path', path, false),
            set_config('default_table_access_method', default_method, false);
    RETURN regexp_replace(result, '\mtwin_(heap|retldb)\M', 'twin', 'g');
END $$;
CREATE FUNCTION twins(command text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    expected text := twin_run('heap', command);
    result text := twin_run('retldb', command);
BEGIN
    RETURN CASE WHEN result <> expected THEN format('DIFFERENT: heap %s, retldb %s', expected, result)
                WHEN result LIKE 'ok%' THEN result
                -- 18 has a code of its own for RESTRICT
                ELSE 'refused ' || replace(left(result, 5), '23001', '23503') END;
END $$;

-- Rows of a query in one schema, in no order.
CREATE FUNCTION twin_rows(method text, query text) RETURNS text[]
LANGUAGE plpgsql AS $$
DECLARE
    path text := current_setting('search_path');
    result text[];
BEGIN
    PERFORM set_config('search_path', 'twin_' || method || ', public', false);
    EXECUTE format('SELECT coalesce(array_agg(q::text ORDER BY q::text COLLATE "C"), ''{}'') FROM (%s) q', query) INTO result;
    PERFORM set_config('search_path', path, false);
    RETURN result;
END $$;
CREATE FUNCTION same(query text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    expected text[] := twin_rows('heap', query);
    ways text[] := ARRAY['retldb.enable_columnar_scan=on', 'retldb.enable_columnar_scan=off', 'max_parallel_workers_per_gather=2'];
    way text;
    before text;
    result text[];
BEGIN
    FOREACH way IN ARRAY ways LOOP
        before := current_setting(split_part(way, '=', 1));
        PERFORM set_config(split_part(way, '=', 1), split_part(way, '=', 2), false);
        result := twin_rows('retldb', query);
        PERFORM set_config(split_part(way, '=', 1), before, false);
        IF result <> expected THEN
            RETURN format('DIFFERENT with %s: %s rows, heap %s; %s and %s', way, cardinality(result), cardinality(expected),
                          (SELECT string_agg(r, ' ') FROM (SELECT unnest(result) EXCEPT SELECT unnest(expected) LIMIT 3) d(r)),
                          (SELECT string_agg(r, ' ') FROM (SELECT unnest(expected) EXCEPT SELECT unnest(result) LIMIT 3) d(r)));
        END IF;
    END LOOP;
    RETURN cardinality(expected) || ' rows';
END $$;

-- What catalogs say of the tables of one schema.  Caches have nothing to do with
-- it, and it takes minutes to plan if they forget all (test/asserts).
CREATE FUNCTION twin_catalog(method text) RETURNS SETOF text
LANGUAGE sql SET debug_discard_caches = 0 AS $$
    SELECT regexp_replace(said, '\mtwin_(heap|retldb)\M', 'twin', 'g')
      FROM pg_namespace n JOIN pg_class c ON relnamespace = n.oid, LATERAL (
           SELECT concat_ws(' ', relname, relkind, relpersistence, relhastriggers, relhasrules, relhassubclass, relispartition, relnatts,
                            relreplident, relrowsecurity, relacl, obj_description(c.oid, 'pg_class'), reloftype::regtype, pg_get_partkeydef(c.oid),
                            pg_get_expr(relpartbound, c.oid), (SELECT spcname FROM pg_tablespace s WHERE s.oid = reltablespace),
                            (SELECT array_agg(inhparent::regclass ORDER BY inhseqno) FROM pg_inherits WHERE inhrelid = c.oid))
           UNION ALL
           SELECT concat_ws(' ', relname, attnum, attname, format_type(atttypid, atttypmod), attnotnull, atthasdef, atthasmissing, attmissingval,
                            attidentity, attgenerated, attisdropped, attislocal, attinhcount, attstorage, attcompression, attstattarget, attacl,
                            (SELECT collname FROM pg_collation l WHERE l.oid = attcollation),
                            pg_get_expr(d.adbin, d.adrelid), col_description(attrelid, attnum),
                            CASE WHEN NOT attisdropped THEN pg_get_serial_sequence(attrelid::regclass::text, attname) END)
             FROM pg_attribute LEFT JOIN pg_attrdef d ON adrelid = attrelid AND adnum = attnum
            WHERE attrelid = c.oid AND attnum > 0
           UNION ALL
           SELECT concat_ws(' ', relname, conname, pg_get_constraintdef(o.oid), convalidated, conislocal, coninhcount, connoinherit)
             FROM pg_constraint o WHERE conrelid = c.oid
           UNION ALL
           SELECT concat_ws(' ', relname, pg_get_triggerdef(g.oid), tgenabled) FROM pg_trigger g WHERE tgrelid = c.oid AND NOT tgisinternal
           UNION ALL
           SELECT concat_ws(' ', relname, definition) FROM pg_rules WHERE schemaname = nspname AND tablename = relname
           UNION ALL
           SELECT concat_ws(' ', relname, pg_get_statisticsobjdef(s.oid)) FROM pg_statistic_ext s WHERE stxrelid = c.oid) a(said)
     WHERE nspname = 'twin_' || method AND relkind IN ('r', 'm', 'p', 'v', 'S', 'i') $$;

-- Do all tables of both schemas agree, in catalogs and rows, and are they sound?
CREATE FUNCTION twins_agree() RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    result text;
    tables bigint := 0;
    name text;
    ours boolean;
BEGIN
    SELECT string_agg(t.line, E'\n') INTO result
      FROM ((SELECT 'only heap: ' || c FROM (SELECT twin_catalog('heap') EXCEPT ALL SELECT twin_catalog('retldb')) a(c))
            UNION ALL
            (SELECT 'only retldb: ' || c FROM (SELECT twin_catalog('retldb') EXCEPT ALL SELECT twin_catalog('heap')) a(c))) t(line);
    FOR name, ours IN SELECT quote_ident(relname), relam = (SELECT oid FROM pg_am WHERE amname = 'retldb')
                        FROM pg_class WHERE relnamespace = 'twin_retldb'::regnamespace AND relkind IN ('r', 'm') LOOP
        tables := tables + 1;
        IF differences(('twin_heap.' || name)::regclass, ('twin_retldb.' || name)::regclass) > 0 THEN
            result := concat_ws(E'\n', result, 'rows of ' || name);
        END IF;
        IF ours AND faults(('twin_retldb.' || name)::regclass) > 0 THEN
            result := concat_ws(E'\n', result, 'faults of ' || name);
        END IF;
    END LOOP;
    RETURN coalesce(result, tables || ' agree');
END $$;

-- A table t in both, which has everything: rows in row groups, some of them
-- touched, rows in the row store, and dropped columns.
CREATE FUNCTION fresh_twins() RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    store text := current_setting('retldb.row_store_rows');
BEGIN
    PERFORM twins('DROP TABLE IF EXISTS t CASCADE');
    PERFORM twins('CREATE TABLE t (gone int, id int, n int, also_gone text DEFAULT ''x'', v text, d date, x numeric(12,2))');
    PERFORM set_config('retldb.row_store_rows', '0', false), set_config('retldb.row_group_rows', '500', false),
            set_config('retldb.vector_rows', '64', false);
    PERFORM twins('INSERT INTO t SELECT -i, i, i % 7, ''y'', ''v'' || i % 100, date ''2020-01-01'' + i % 365, i / 100.0 FROM generate_series(1, 2200) i');
    PERFORM twins('ALTER TABLE t DROP COLUMN gone');
    PERFORM twins('INSERT INTO t (id, n, v, d, x) SELECT i, nullif(i % 7, 3), ''V'' || i % 100, date ''2022-01-01'' + i % 365, i / 100.0
                     FROM generate_series(2201, 3000) i');
    PERFORM set_config('retldb.row_store_rows', '1000', false);
    PERFORM twins('INSERT INTO t SELECT i, i % 7, NULL, ''store '' || i, date ''2024-01-01'', i FROM generate_series(3001, 3100) i');
    PERFORM twins('ALTER TABLE t DROP COLUMN also_gone');
    PERFORM twins('UPDATE t SET v = ''updated '' || id WHERE id % 97 = 0');
    PERFORM twins('DELETE FROM t WHERE id % 101 = 0');
    PERFORM twins('SELECT FROM t WHERE id % 103 = 0 FOR UPDATE');
    PERFORM set_config('retldb.row_store_rows', store, false), set_config('retldb.row_group_rows', '131072', false),
            set_config('retldb.vector_rows', '2048', false);
    RETURN twins_agree();
END $$;
