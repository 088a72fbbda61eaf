/*-------------------------------------------------------------------------
 *
 * test_decimals.c
 *	  What is special to ALP, DECIMAL and SPLIT: which values they hold as
 *	  integers, how small they get, their documented bytes, decoding of some
 *	  values only; and the comparison of numerics.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>
#include <string.h>

#include "testlib.h"

#include <cmocka.h>

#include "encoding/numeric_bytes.h"

#define LENGTH(array) ((int) (sizeof(array) / sizeof((array)[0])))

/* ---------------------------------------------------------------------
 * Numerics
 * ---------------------------------------------------------------------
 */

/* A numeric for tables of tests. */
typedef struct Sample
{
	uint8_t		bytes[40];
	size_t		length;
} Sample;

static Sample
Numeric(int64_t number, unsigned scale, unsigned displayScale)
{
	Sample		sample;

	sample.length = TestMakeNumeric(sample.bytes, number, scale, displayScale);
	return sample;
}

static Sample
Special(uint16_t head)
{
	Sample		sample = {{(uint8_t) head, (uint8_t) (head >> 8)}, 2};

	return sample;
}

/* In rising order, all different. */
static int
MakeRisingNumerics(Sample *samples)
{
	int			n = 0;

	samples[n++] = Special(RETLDB_NUMERIC_MINUS_INFINITY);
	samples[n++] = Numeric(INT64_MIN, 0, 0);
	samples[n++] = Numeric(-1000000, 2, 2);
	samples[n++] = Numeric(-999999, 2, 2);
	samples[n++] = Numeric(-1, 0, 0);
	samples[n++] = Numeric(-1, 30, 30);
	samples[n++] = Numeric(0, 0, 0);
	samples[n++] = Numeric(1, 30, 70);	/* long form */
	samples[n++] = Numeric(1, 2, 2);
	samples[n++] = Numeric(10001, 4, 4);
	samples[n++] = Numeric(99999999, 4, 4);
	samples[n++] = Numeric(10000, 0, 0);
	samples[n++] = Numeric(100000001, 4, 4);
	samples[n++] = Numeric(INT64_MAX, 0, 5);
	samples[n++] = Special(RETLDB_NUMERIC_INFINITY);
	samples[n++] = Special(RETLDB_NUMERIC_NAN);
	return n;
}

static int
SignOf(int number)
{
	return (number > 0) - (number < 0);
}

static void
test_compare_numeric(void **state)
{
	static const uint8_t zeroDigits[] = {0x01, 0x80, 0, 0, 5, 0, 0, 0};	/* 0000 0005 . 0000 */
	Sample		samples[20];
	int			count = MakeRisingNumerics(samples);
	Sample		five = Numeric(500, 2, 2);
	Sample		broken = {{0x01}, 1};
	int			a;
	int			b;

	(void) state;
	for (a = 0; a < count; a++)
		for (b = 0; b < count; b++)
			assert_int_equal(SignOf(RetlCompareNumeric(samples[a].bytes, samples[a].length,
													   samples[b].bytes, samples[b].length)),
							 SignOf(a - b));
	assert_int_equal(RetlCompareNumeric(zeroDigits, sizeof(zeroDigits), five.bytes, five.length), 0);
	assert_true(RetlCompareNumeric(broken.bytes, broken.length,
								   samples[0].bytes, samples[0].length) < 0);
	assert_int_equal(RetlCompareNumeric(NULL, 0, broken.bytes, broken.length), 0);
}

/* 12.3 at several scales, the limits, and what is beyond them. */
static void
test_numeric_floor(void **state)
{
	static const struct
	{
		int64_t		number;
		unsigned	scale;
		unsigned	at;
		int			beyond;
		int64_t		floor;
		bool		exact;
	}			cases[] = {
		{123, 1, 0, 0, 12, false}, {123, 1, 1, 0, 123, true}, {123, 1, 5, 0, 1230000, true},
		{-123, 1, 0, 0, -13, false}, {-123, 1, 1, 0, -123, true}, {0, 3, 4, 0, 0, true},
		{1, 9, 4, 0, 0, false}, {-1, 9, 4, 0, -1, false}, {10000, 0, 2, 0, 1000000, true},
		{INT64_MAX, 0, 0, 0, INT64_MAX, true}, {INT64_MIN, 0, 0, 0, INT64_MIN, true},
		{INT64_MAX, 0, 1, 1, 0, false}, {INT64_MIN, 0, 1, -1, 0, false},
		{INT64_MAX, 1, 0, 0, INT64_MAX / 10, false}, {1, 0, 16, 0, INT64_C(10000000000000000), true}
	};
	int			i;

	(void) state;
	for (i = 0; i < LENGTH(cases); i++)
	{
		Sample		sample = Numeric(cases[i].number, cases[i].scale, 20);
		int64_t		floor;
		bool		exact;
		int			beyond = RetlNumericFloor(sample.bytes, sample.length, cases[i].at, &floor, &exact);

		assert_int_equal(beyond, cases[i].beyond);
		if (beyond == 0)
		{
			assert_int_equal(floor, cases[i].floor);
			assert_int_equal(exact, cases[i].exact);
		}
	}
}

/* ---------------------------------------------------------------------
 * Sizes, bytes, parts
 * ---------------------------------------------------------------------
 */

/* Encode all values as one piece; the bytes. */
static RetlBytes
EncodeOne(RetlEncodingId id, const RetlValues *values, const RetlArena *arena)
{
	RetlBytes	out;

	RetlBytesInit(&out, arena, 0);
	RetlEncodingById((int) id)->encode(NULL, values, 0, &out);
	return out;
}

/* The example of numeric values, and their documented bytes. */
static void
test_documented_bytes(void **state)
{
	static const double floats[] = {0.5, 1.25};
	static const uint8_t alpBytes[] = {2, 7, 0x32, 0, 0, 0, 0, 0, 0, 0, 0x80, 0x25, 0, 0, 0, 0};
	static const uint8_t decimalBytes[] = {2, 0, 2, 0, 0, 0, 0x0B, 1, 0, 0, 0, 0, 0, 0, 0,
	0xE1, 4, 0, 0, 0, 0, 0};
	static const uint8_t splitBytes[] = {1, 4, 1, 0x84, 3, 1, 0x0A, 0x20, 2, 0x20};
	static const uint8_t addresses[] = {2, 0x20, 0x0A, 1, 2, 0x20, 0x0A, 5};
	static const uint32_t addressOffsets[] = {0, 4, 8};
	uint8_t		numericBytes[64];
	uint32_t	numericOffsets[3] = {0};
	RetlValues	values = {.type = RETL_PHYS_FLOAT,.width = 8,.count = 2,.fixed = (const uint8_t *) floats};
	TestArena	arena;
	RetlBytes	out;

	(void) state;
	TestArenaInit(&arena);
	out = EncodeOne(RETL_ENCODING_ALP, &values, &arena.arena);
	assert_int_equal(out.length, sizeof(alpBytes));
	assert_memory_equal(out.data, alpBytes, sizeof(alpBytes));

	numericOffsets[1] = (uint32_t) TestMakeNumeric(numericBytes, 1250, 2, 2);
	numericOffsets[2] = numericOffsets[1] +
		(uint32_t) TestMakeNumeric(numericBytes + numericOffsets[1], 1, 2, 2);
	values = (RetlValues) {.type = RETL_PHYS_BYTES,.count = 2,.offsets = numericOffsets,.bytes = numericBytes,.isNumeric = true};
	out = EncodeOne(RETL_ENCODING_DECIMAL, &values, &arena.arena);
	assert_int_equal(out.length, sizeof(decimalBytes));
	assert_memory_equal(out.data, decimalBytes, sizeof(decimalBytes));

	values = (RetlValues) {.type = RETL_PHYS_BYTES,.count = 2,.offsets = addressOffsets,.bytes = addresses};
	out = EncodeOne(RETL_ENCODING_SPLIT, &values, &arena.arena);
	assert_int_equal(out.length, sizeof(splitBytes));
	assert_memory_equal(out.data, splitBytes, sizeof(splitBytes));
	TestArenaReset(&arena);
}

/* Doubles made by "make"; how many bytes 2048 of them take as one piece. */
static size_t
AlpSize(double (*make) (uint32_t i), uint16_t width, bool *never)
{
	uint8_t		fixed[2048 * 8];
	RetlValues	values = {.type = RETL_PHYS_FLOAT,.width = width,.count = 2048,.fixed = fixed};
	TestArena	arena;
	size_t		size;
	uint32_t	i;

	for (i = 0; i < 2048; i++)
	{
		double		value = make(i);
		float		narrow = (float) value;

		memcpy(fixed + (size_t) i * width, width == 4 ? (void *) &narrow : (void *) &value, width);
	}
	TestArenaInit(&arena);
	*never = RetlEncodingById(RETL_ENCODING_ALP)->analyse(&values, 2048, &arena.arena) == RETLDB_NEVER;
	size = EncodeOne(RETL_ENCODING_ALP, &values, &arena.arena).length;
	TestArenaReset(&arena);
	return size;
}

static double
Cents(uint32_t i)
{
	return (double) (i * 7919 % 16384) / 100;
}

static double
Thousands(uint32_t i)
{
	return (double) (i % 16) * 1e18;
}

static double
ManyDigits(uint32_t i)
{
	return (double) (i % 1024) + 0.123456789;
}

static double
Repeating(uint32_t i)
{
	return (i + 1) / 77.0;
}

/* Decimals take the bits of their integers, others are not for ALP. */
static void
test_alp_sizes(void **state)
{
	const size_t header = 14;
	bool		never;

	(void) state;
	assert_int_equal(AlpSize(Cents, 8, &never), header + 2048 * 14 / 8);
	assert_false(never);
	assert_int_equal(AlpSize(Cents, 4, &never), header + 2048 * 14 / 8);
	assert_false(never);
	assert_int_equal(AlpSize(Thousands, 8, &never), header + 2048 * 4 / 8);
	assert_int_equal(AlpSize(ManyDigits, 8, &never), header + 2048 * 40 / 8);
	assert_false(never);
	(void) AlpSize(Repeating, 8, &never);
	assert_true(never);
	(void) AlpSize(Repeating, 4, &never);
	assert_true(never);
}

/* Index of a pattern and of a type. */
static void
MakeNamed(RetlValues *values, const char *typeName, const char *patternName, uint32_t count,
		  const RetlArena *arena)
{
	int			t = 0;
	int			pattern = 0;

	while (strcmp(testTypes[t].name, typeName) != 0)
		t++;
	while (strcmp(TestPatternName(pattern), patternName) != 0)
		pattern++;
	assert_true(TestMakeValues(values, pattern, &testTypes[t], count, arena));
}

/* Each encoding is chosen for what it was made for. */
static void
test_choose(void **state)
{
	static const struct
	{
		const char *type;
		const char *pattern;
		RetlEncodingId id;
	}			cases[] = {
		{"bytes", "prices", RETL_ENCODING_DECIMAL},
		{"float8", "decimals", RETL_ENCODING_ALP}, {"float4", "decimals", RETL_ENCODING_ALP},
		{"bytes", "addresses", RETL_ENCODING_SPLIT}, {"fixed16", "addresses", RETL_ENCODING_SPLIT}
	};
	int			i;

	(void) state;
	for (i = 0; i < LENGTH(cases); i++)
	{
		TestArena	arena;
		RetlValues	values;

		TestArenaInit(&arena);
		MakeNamed(&values, cases[i].type, cases[i].pattern, 20000, &arena.arena);
		assert_int_equal(RetlEncodingChoose(&values, 2048, -1, &arena.arena)->id, cases[i].id);

		/* Whether values are numeric nobody but the caller knows. */
		values.isNumeric = false;
		assert_int_not_equal(RetlEncodingChoose(&values, 2048, RETL_ENCODING_DECIMAL, &arena.arena)->id,
							 RETL_ENCODING_DECIMAL);
		TestArenaReset(&arena);
	}
}

/* Values that are wanted are there, whatever the others are. */
static void
CheckWanted(RetlEncodingId id, const char *typeName, const char *patternName, unsigned rarity)
{
	const RetlEncoding *encoding = RetlEncodingById((int) id);
	TestArena	arena;
	RetlValues	values;
	RetlDecoded decoded;
	RetlBytes	out;
	uint64_t	wanted[20];
	uint64_t	seed = rarity;
	const char *error = NULL;
	uint32_t	i;

	TestArenaInit(&arena);
	MakeNamed(&values, typeName, patternName, 1237, &arena.arena);
	out = EncodeOne(id, &values, &arena.arena);
	memset(wanted, 0, sizeof(wanted));
	for (i = 0; i < values.count; i++)
		if (TestRandom(&seed) % rarity == 0)
			wanted[i / 64] |= UINT64_C(1) << (i % 64);
	TestDecodedInit(&decoded, values.type, values.width, values.count, &arena.arena);
	decoded.wanted = wanted;
	assert_true(encoding->decode(NULL, TestCopy(out.data, out.length, &arena.arena), out.length,
								 values.type, values.width, values.count, &decoded,
								 &arena.arena, &error));
	for (i = 0; i < values.count; i++)
	{
		size_t		length;
		size_t		expectedLength;
		const uint8_t *value;
		const uint8_t *expected = TestValueAt(&values, i, &expectedLength);

		if (!RetlIsSelected(wanted, i))
			continue;
		value = TestDecodedAt(&decoded, values.type, values.width, i, &length);
		assert_int_equal(length, expectedLength);
		assert_true(length == 0 || memcmp(value, expected, length) == 0);
	}
	TestArenaReset(&arena);
}

static void
test_wanted(void **state)
{
	static const unsigned rarities[] = {1, 2, 70, 1000, 1000000};
	int			i;

	(void) state;
	for (i = 0; i < LENGTH(rarities); i++)
	{
		CheckWanted(RETL_ENCODING_ALP, "float8", "decimals", rarities[i]);
		CheckWanted(RETL_ENCODING_ALP, "float4", "float specials", rarities[i]);
		CheckWanted(RETL_ENCODING_DECIMAL, "bytes", "prices", rarities[i]);
		CheckWanted(RETL_ENCODING_DECIMAL, "bytes", "numerics", rarities[i]);
		CheckWanted(RETL_ENCODING_SPLIT, "bytes", "addresses", rarities[i]);
		CheckWanted(RETL_ENCODING_SPLIT, "fixed12", "few values", rarities[i]);
	}
}

/* Every number of digits and every scale, with both signs. */
static void
test_every_numeric(void **state)
{
	TestArena	arena;
	uint8_t		bytes[40 * 20 * 32];
	uint32_t	offsets[40 * 20 + 1] = {0};
	RetlValues	values = {.type = RETL_PHYS_BYTES,.offsets = offsets,.bytes = bytes,.isNumeric = true};
	const RetlEncoding *encoding = RetlEncodingById(RETL_ENCODING_DECIMAL);
	unsigned	scale;

	(void) state;
	for (scale = 0; scale <= 16; scale++)
	{
		RetlDecoded decoded;
		RetlBytes	out;
		const char *error = NULL;
		int64_t		number = 1;
		uint32_t	i;

		values.count = 0;
		for (i = 0; i < 37; i++)
		{
			offsets[values.count + 1] = offsets[values.count] +
				(uint32_t) TestMakeNumeric(bytes + offsets[values.count], i % 2 ? -number : number,
										   scale, scale + i % 2);
			values.count++;
			number = i % 2 ? number / 9 * 10 : number * 9 + 7;
			if (number > INT64_MAX / 10)
				break;
		}
		TestArenaInit(&arena);
		out = EncodeOne(RETL_ENCODING_DECIMAL, &values, &arena.arena);
		TestDecodedInit(&decoded, RETL_PHYS_BYTES, 0, values.count, &arena.arena);
		assert_true(encoding->decode(NULL, out.data, out.length, RETL_PHYS_BYTES, 0, values.count,
									 &decoded, &arena.arena, &error));
		for (i = 0; i < values.count; i++)
		{
			assert_int_equal(decoded.lengths[i], offsets[i + 1] - offsets[i]);
			assert_memory_equal(decoded.bytes + decoded.starts[i], bytes + offsets[i],
								decoded.lengths[i]);
		}
		TestArenaReset(&arena);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_compare_numeric),
		cmocka_unit_test(test_numeric_floor),
		cmocka_unit_test(test_documented_bytes),
		cmocka_unit_test(test_alp_sizes),
		cmocka_unit_test(test_choose),
		cmocka_unit_test(test_wanted),
		cmocka_unit_test(test_every_numeric),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
