-- Numerics, floating-point numbers and byte strings of one length, under the
-- encodings that are made for them: the same bytes come back.
SET client_min_messages = warning;
CREATE DOMAIN price AS numeric(12,2);
CREATE TABLE decimals_heap (
    id int, n_price numeric(12,2), n_free numeric, n_whole numeric(20,0), n_domain price, n_tiny numeric, n_special numeric,
    f8 float8, f8_mixed float8, f8_random float8, f4 float4, f4_mixed float4,
    u uuid, u_rising uuid, t interval, tz timetz, mac macaddr, net inet, nets cidr, code text
) USING heap;
INSERT INTO decimals_heap
SELECT i,
    (i * 7919 % 1000003 - 20000) / 100.0,
    CASE i % 7 WHEN 0 THEN 1.0 WHEN 1 THEN 1.00 WHEN 2 THEN 1 WHEN 3 THEN i / 8.0 WHEN 4 THEN -i WHEN 5 THEN 0.00 ELSE i * 10000 END,
    i::numeric * 1000000007,
    (i % 5000) * 0.25,
    (i % 300) * 1e-14 * CASE WHEN i % 2 = 0 THEN -1 ELSE 1 END,
    (ARRAY['NaN', 'Infinity', '-Infinity', '0', '0.0000', '1e100', '-1e-100', '9223372036854775807', '-9223372036854775808',
           '9223372036854775808', '12345678901234567890.12', '0.00000000000000001', '1.0', '1.00', NULL]::numeric[])[1 + i % 15],
    (i * 37 % 100000) / 100.0,
    (ARRAY['NaN', 'Infinity', '-Infinity', '0', '-0', '1e300', '5e-324', '0.1', '123456.789', '1e22', '1e15', NULL]::float8[])[1 + i % 12],
    sin(i), (i % 997) / 10.0,
    (ARRAY['NaN', 'Infinity', '-Infinity', '0', '-0', '3.4e38', '1e-45', '0.1', '59.8', '16777216', NULL]::float4[])[1 + i % 11],
    md5(i::text)::uuid, ('018f4a2c-' || lpad(to_hex(i / 256), 4, '0') || '-7000-8000-0000000000' || lpad(to_hex(i % 256), 2, '0'))::uuid,
    i * interval '1 minute' + (i % 3) * interval '1 day', ('12:00:00+00'::timetz + i * interval '1 second'),
    ('08:00:2b:01:' || lpad(to_hex(i / 256), 2, '0') || ':' || lpad(to_hex(i % 256), 2, '0'))::macaddr,
    ('10.20.' || i / 256 || '.' || i % 256)::inet, ('10.' || i % 100 || '.0.0/16')::cidr,
    'A' || lpad((i * 31 % 100000)::text, 6, '0')
  FROM generate_series(1, 6000) i;

SET retldb.row_store_rows = 0;
SET retldb.row_group_rows = 4000;
CREATE FUNCTION round_trip(encoding text, compression text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text;
BEGIN
    PERFORM set_config('retldb.force_encoding', encoding, true);
    PERFORM set_config('retldb.compression', compression, true);
    DROP TABLE IF EXISTS decimals;
    CREATE TABLE decimals USING retldb AS SELECT * FROM decimals_heap;
    SELECT format('%s, %s: %s groups, %s differences, %s faults', encoding, compression, groups('decimals'),
                  differences('decimals', 'decimals_heap'), faults('decimals'))
      INTO result;
    RETURN result;
END $$;
SELECT round_trip('plain', 'none');
SELECT round_trip('alp', 'none');
SELECT round_trip('decimal', 'none');
SELECT round_trip('split', 'none');
SELECT round_trip('alp', 'zstd');
SELECT round_trip('decimal', 'zstd');
SELECT round_trip('split', 'zstd');
SELECT round_trip('auto', 'lz4');

-- what is chosen
SELECT column_name, min(encoding) AS encoding, count(DISTINCT encoding) AS kinds
  FROM retldb.column_chunks('decimals') GROUP BY column_name ORDER BY min(attnum);

-- comparisons, the same as in heap
CREATE FUNCTION same_answers(conditions text[]) RETURNS TABLE (condition text, rows bigint, same boolean) LANGUAGE plpgsql AS $$
DECLARE
    heap_rows bigint;
BEGIN
    FOREACH condition IN ARRAY conditions LOOP
        EXECUTE 'SELECT count(*), sum(id) IS NOT DISTINCT FROM (SELECT sum(id) FROM decimals_heap WHERE ' || condition ||
                ') FROM decimals WHERE ' || condition INTO rows, same;
        RETURN NEXT;
    END LOOP;
END $$;
SELECT * FROM same_answers(ARRAY[
    'n_price < 0', 'n_price = 52.53', 'n_price >= 9999.995', 'n_price BETWEEN 100 AND 200.005', 'n_price <> 1', 'n_price < ''NaN''',
    'n_price > ''-Infinity''', 'n_price IN (52.53, 131.72, 0.001)', 'n_free = 1', 'n_free > 1.0', 'n_free = 0', 'n_free < -5999.5',
    'n_whole > 5999000000000', 'n_domain = 1.250', 'n_tiny = 1e-14', 'n_tiny > 2.985e-12', 'n_tiny < 0',
    'n_special = ''NaN''', 'n_special > 9223372036854775807', 'n_special < -9223372036854775807.5', 'n_special = 1', 'n_special >= ''Infinity''',
    'n_special <= ''-Infinity''', 'n_special > 0 AND n_special < 0.1',
    'f8 = 0.37', 'f8 < 1.005', 'f8 BETWEEN 10 AND 10.5', 'f8 <> 0.37', 'f8 > ''NaN''', 'f8_mixed = ''NaN''', 'f8_mixed = 0', 'f8_mixed > 1e21',
    'f8_mixed < 0.2', 'f8_random > 0.99', 'f4 = 59.8::float4', 'f4 < 0.15', 'f4_mixed >= ''Infinity''', 'f4_mixed = 0',
    'u = ''c4ca4238-a0b9-2382-0dcc-509a6f75849b''', 'u_rising = ''018f4a2c-0001-7000-8000-000000000001''', 't = ''01:00:00''', 't > ''100:00:00''',
    'mac = ''08:00:2b:01:01:01''', 'net = ''10.20.1.1''', 'net << ''10.20.3.0/24''', 'nets = ''10.7.0.0/16''', 'code = ''A000031''', 'code < ''A001'''
]) WHERE NOT same OR rows = 0;

-- much of it takes less space than it did without these encodings
SELECT column_name, sum(raw_bytes)::float8 / sum(bytes) >= 2 AS half
  FROM retldb.column_chunks('decimals') WHERE column_name IN ('n_price', 'n_domain', 'f8', 'f4', 't', 'net', 'u_rising', 'mac') GROUP BY 1 ORDER BY 1;

RESET retldb.row_store_rows;
RESET retldb.row_group_rows;
DROP TABLE decimals, decimals_heap;
DROP FUNCTION round_trip, same_answers;
DROP DOMAIN price;
RESET client_min_messages;
