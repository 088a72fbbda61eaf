/*-------------------------------------------------------------------------
 *
 * test_distinct.c
 *	  Distinct values: numbers are the same where values are, the order is the
 *	  dictionary's, sketches see each value once.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>
#include <string.h>

#include "testlib.h"

#include "encoding/distinct.h"
#include "encoding/valueops.h"

#include <cmocka.h>

/* Values are found, told apart and put in order. */
static void
Check(const RetlValues *values, const RetlArena *arena)
{
	uint32_t   *codes = RetlArenaAlloc(arena, sizeof(uint32_t) * values->count);
	uint32_t   *order = RetlArenaAlloc(arena, sizeof(uint32_t) * values->count);
	RetlDistinct distinct;
	uint32_t	changes = 1;
	uint32_t	i;

	assert_true(RetlDistinctCollect(&distinct, values, UINT64_MAX, codes, arena));
	assert_true(distinct.count >= 1 && distinct.count <= values->count);
	for (i = 0; i < values->count; i++)
	{
		assert_true(codes[i] < distinct.count);
		assert_true(RetlValuesSame(values, i, distinct.firsts[codes[i]]));
		changes += i > 0 && !RetlValuesSame(values, i, i - 1);
	}
	assert_int_equal(distinct.changes, changes);

	RetlDistinctSort(&distinct, values, order, arena);
	for (i = 0; i < distinct.count; i++)
	{
		uint32_t	aLength;
		uint32_t	bLength;
		const uint8_t *a;
		const uint8_t *b;

		assert_true(order[i] < distinct.count);
		assert_int_equal(codes[distinct.firsts[order[i]]], order[i]);
		if (distinct.inOrder)
			assert_int_equal(order[i], i);
		if (i == 0)
			continue;
		a = RetlValueAt(values, distinct.firsts[order[i - 1]], &aLength);
		b = RetlValueAt(values, distinct.firsts[order[i]], &bLength);
		assert_true(RetlOrderValues(values->type, values->width, a, aLength, b, bLength) < 0);
	}

	/* one byte of distinct values too many */
	if (distinct.bytes > 0)
		assert_false(RetlDistinctCollect(&distinct, values, distinct.bytes - 1, codes, arena));
}

/* Integers of one width, "spread" apart at most, from "base" on, which may wrap. */
static void
CheckIntegers(uint16_t width, uint64_t base, uint64_t spread, uint32_t count)
{
	TestArena	arena;
	RetlValues	values = {RETL_PHYS_INT, width, count, NULL, NULL, NULL, false,
	RETL_COMPRESSION_NONE};
	uint8_t    *fixed;
	uint64_t	seed = base + spread + count;
	uint32_t	i;

	TestArenaInit(&arena);
	fixed = RetlArenaAlloc(&arena.arena, (size_t) width * count);
	for (i = 0; i < count; i++)
	{
		uint64_t	number = base + (i % 3 == 0 ? spread : TestRandom(&seed) % (spread + 1));

		if (i == 1)
			number = base;
		memcpy(fixed + (size_t) i * width, &number, width);
	}
	values.fixed = fixed;
	Check(&values, &arena.arena);
	TestArenaReset(&arena);
}

static void
test_integers(void **state)
{
	static const uint16_t widths[] = {1, 2, 4, 8};
	static const uint64_t spreads[] = {0, 1, 200, 65535, 131071, 131072, UINT64_C(1) << 40};
	static const uint32_t counts[] = {1, 2, 7, 300, 20000};
	size_t		i;
	size_t		j;
	size_t		k;

	(void) state;
	for (i = 0; i < 4; i++)
		for (j = 0; j < sizeof(spreads) / sizeof(spreads[0]); j++)
			for (k = 0; k < sizeof(counts) / sizeof(counts[0]); k++)
			{
				uint64_t	lowest = UINT64_C(1) << (8 * widths[i] - 1);

				CheckIntegers(widths[i], 0, spreads[j], counts[k]);
				CheckIntegers(widths[i], UINT64_MAX - 100, spreads[j], counts[k]);
				CheckIntegers(widths[i], lowest, spreads[j], counts[k]);
				CheckIntegers(widths[i], lowest - 1 - spreads[j], spreads[j], counts[k]);
			}
}

/*
 * Strings with up to "common" bytes in common, of few different bytes, zeros
 * among them, and of many lengths.
 */
static void
CheckStrings(uint32_t common, uint32_t lengths, uint32_t count)
{
	TestArena	arena;
	RetlValues	values = {RETL_PHYS_BYTES, 0, count, NULL, NULL, NULL, false,
	RETL_COMPRESSION_NONE};
	uint64_t	seed = common * 1000 + lengths + count;
	uint32_t   *offsets;
	uint8_t    *bytes;
	uint32_t	i;
	uint32_t	k;

	TestArenaInit(&arena);
	offsets = RetlArenaAlloc(&arena.arena, sizeof(uint32_t) * ((size_t) count + 1));
	bytes = RetlArenaAlloc(&arena.arena, (size_t) count * (common + lengths) + 1);
	offsets[0] = 0;
	for (i = 0; i < count; i++)
	{
		uint32_t	length = (uint32_t) (TestRandom(&seed) % (common + lengths));

		if (i > 0 && i % 5 == 0)
		{
			/* the one before again */
			length = offsets[i] - offsets[i - 1];
			memcpy(bytes + offsets[i], bytes + offsets[i - 1], length);
		}
		else
			for (k = 0; k < length; k++)
				bytes[offsets[i] + k] = k < common ? (uint8_t) (k % 7) :
					(uint8_t) (TestRandom(&seed) % 4 == 0);
		offsets[i + 1] = offsets[i] + length;
	}
	values.offsets = offsets;
	values.bytes = bytes;
	Check(&values, &arena.arena);
	TestArenaReset(&arena);
}

static void
test_strings(void **state)
{
	static const uint32_t commons[] = {0, 1, 7, 8, 9, 64, 126, 300};
	static const uint32_t lengths[] = {1, 3, 9, 18, 40};
	static const uint32_t counts[] = {1, 2, 60, 255, 4000};
	size_t		i;
	size_t		j;
	size_t		k;

	(void) state;
	for (i = 0; i < sizeof(commons) / sizeof(commons[0]); i++)
		for (j = 0; j < sizeof(lengths) / sizeof(lengths[0]); j++)
			for (k = 0; k < sizeof(counts) / sizeof(counts[0]); k++)
				CheckStrings(commons[i], lengths[j], counts[k]);
}

/* Strings that are numbered 0 to count - 1 by "which" of "strings" of these lengths. */
static void
CheckChosen(const uint8_t *const *strings, const uint32_t *lengths, const uint32_t *which,
			uint32_t count, size_t size)
{
	TestArena	arena;
	RetlValues	values = {RETL_PHYS_BYTES, 0, count, NULL, NULL, NULL, false,
	RETL_COMPRESSION_NONE};
	uint32_t   *offsets;
	uint8_t    *bytes;
	uint32_t	i;

	TestArenaInit(&arena);
	offsets = RetlArenaAlloc(&arena.arena, sizeof(uint32_t) * ((size_t) count + 1));
	bytes = RetlArenaAlloc(&arena.arena, size);
	offsets[0] = 0;
	for (i = 0; i < count; i++)
	{
		memcpy(bytes + offsets[i], strings[which[i]], lengths[which[i]]);
		offsets[i + 1] = offsets[i] + lengths[which[i]];
	}
	values.offsets = offsets;
	values.bytes = bytes;
	Check(&values, &arena.arena);
	TestArenaReset(&arena);
}

/* Strings that are longer than keys can tell, and differ in one byte or in length. */
static void
test_long_strings(void **state)
{
	enum
	{
		longest = 33000
	};
	static uint8_t same[longest];
	static uint8_t other[longest];
	const uint8_t *strings[] = {same, other, same, same, other};
	const uint32_t lengths[] = {32767, 32767, 32768, 32766, longest};
	uint32_t	which[200];
	uint64_t	seed = 7;
	uint32_t	i;

	(void) state;
	other[16000] = 1;
	for (i = 0; i < 200; i++)
		which[i] = (uint32_t) (TestRandom(&seed) % 5);
	CheckChosen(strings, lengths, which, 200, (size_t) 200 * longest);
}

/* One step of distinct.c's hash. */
static uint64_t
HashStep(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * UINT64_C(0x9FB21C651E98DF25);
	return hash ^ (hash >> 29);
}

/*
 * Different strings with the same hash: the second word makes up for the first.  With
 * another hash this is a test of strings like others.
 */
static void
test_collisions(void **state)
{
	enum
	{
		count = 300,
		different = 20
	};
	uint64_t	words[different][3];
	const uint8_t *strings[different];
	uint32_t	lengths[different];
	uint32_t	which[count];
	uint64_t	start = HashStep(UINT64_C(0xD6E8FEB86659FD93), sizeof(words[0]));
	uint64_t	seed = 3;
	uint32_t	i;

	(void) state;
	for (i = 0; i < different; i++)
	{
		words[i][0] = TestRandom(&seed);
		words[i][1] = UINT64_C(12345) ^ HashStep(start, words[i][0]);
		words[i][2] = 77;
		strings[i] = (const uint8_t *) words[i];
		lengths[i] = sizeof(words[0]);
	}
	for (i = 0; i < count; i++)
		which[i] = (uint32_t) (TestRandom(&seed) % different);
	CheckChosen(strings, lengths, which, count, count * sizeof(words[0]));
}

/* Only what is distinct raises registers, and no register is beyond its highest. */
static void
test_sketch(void **state)
{
	enum
	{
		bits = 10,
		count = 3000
	};
	int64_t		numbers[2 * count];
	RetlValues	values = {RETL_PHYS_INT, 8, count, (const uint8_t *) numbers, NULL, NULL, false,
	RETL_COMPRESSION_NONE};
	uint8_t		once[1 << bits] = {0};
	uint8_t		twice[1 << bits] = {0};
	uint64_t	seed = 1;
	uint32_t	empty = 0;
	uint32_t	i;

	(void) state;
	for (i = 0; i < count; i++)
		numbers[i] = numbers[count + i] = (int64_t) TestRandom(&seed);
	RetlDistinctSketch(&values, once, bits);
	values.count = 2 * count;
	RetlDistinctSketch(&values, twice, bits);
	assert_memory_equal(once, twice, sizeof(once));
	for (i = 0; i < 1 << bits; i++)
	{
		assert_true(once[i] <= 33 - bits);
		empty += once[i] == 0;
	}
	/* 1024 * exp(-3000 / 1024) = 54.7 are to be expected */
	assert_true(empty >= 25 && empty <= 95);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_integers),
		cmocka_unit_test(test_strings),
		cmocka_unit_test(test_long_strings),
		cmocka_unit_test(test_collisions),
		cmocka_unit_test(test_sketch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
