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
    SELECT regexp_replace(regexp_replace(regexp_replace(line, 'rows=(\d+)\.00', 'rows=\1'),
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
