/*-------------------------------------------------------------------------
 *
 * test_bitpacking.c
 *	  Bit packing of every width against a bit-by-bit reading of its
 *	  definition; packed arrays; matching.
 *
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "testlib.h"

#include "encoding/bitpacking.h"
#include "encoding/simd.h"
#include "encoding/filtering.h"

#include <cmocka.h>

#define LENGTH(array) ((int) (sizeof(array) / sizeof((array)[0])))

static const uint32_t counts[] = {0, 1, 2, 7, 8, 9, 63, 64, 65, 511, 512, 513, 2048, 3001};

/* Number "index", bit by bit. */
static uint64_t
NaiveFetch(const uint8_t *src, uint32_t index, unsigned width)
{
	uint64_t	number = 0;
	unsigned	k;

	for (k = 0; k < width; k++)
	{
		uint64_t	bit = (uint64_t) index * width + k;

		number |= (uint64_t) ((src[bit / 8] >> (bit % 8)) & 1) << k;
	}
	return number;
}

/* Numbers of at most so many bits, the largest among them. */
static void
FillNumbers(uint64_t *numbers, uint32_t count, unsigned width)
{
	uint64_t	seed = width * 1000 + count;
	uint32_t	i;

	for (i = 0; i < count; i++)
		numbers[i] = TestRandom(&seed) & RetlBitMask(width);
	if (count > 0)
		numbers[count - 1] = RetlBitMask(width);
}

/* Unpack to integers of one size, from all starts in the source worth trying. */
static void
CheckUnpack(const uint8_t *src, size_t srcSize, const uint64_t *numbers, uint32_t count,
			unsigned width, unsigned dstWidth, const RetlArena *arena)
{
	const uint64_t base = UINT64_C(0xFEDCBA9876543210);
	uint32_t	first;

	for (first = 0; first <= count; first += first < 64 ? 8 : 512)
	{
		uint8_t    *dst = RetlArenaAlloc(arena, (size_t) (count - first) * dstWidth);
		uint32_t	i;

		RetlBitsUnpack(src, srcSize, first, count - first, width, base, dst, dstWidth);
		for (i = first; i < count; i++)
		{
			uint64_t	expected = numbers[i] + base;

			if (memcmp(dst + (size_t) (i - first) * dstWidth, &expected, dstWidth) != 0)
				fail_msg("width %u to %u bytes, %u numbers from %u: number %u differs",
						 width, dstWidth, count, first, i);
		}
	}
}

static void
test_bits(void **state)
{
	unsigned	width;
	int			c;

	(void) state;
	for (width = 0; width <= 64; width++)
		for (c = 0; c < LENGTH(counts); c++)
		{
			TestArena	arena;
			uint32_t	count = counts[c];
			size_t		size = (size_t) RetlBitsSize(count, width);
			uint64_t   *numbers;
			uint8_t    *src;
			unsigned	dstWidth;
			uint32_t	i;

			TestArenaInit(&arena);
			numbers = RetlArenaAlloc(&arena.arena, sizeof(uint64_t) * count);
			FillNumbers(numbers, count, width);
			src = RetlArenaAlloc(&arena.arena, size);
			RetlBitsPack(src, numbers, count, width);
			for (i = 0; i < count; i++)
			{
				assert_true(NaiveFetch(src, i, width) == numbers[i]);
				assert_true(RetlBitsFetch(src, i, width) == numbers[i]);
			}
			for (dstWidth = 1; dstWidth <= 8; dstWidth *= 2)
				if (width <= 8 * dstWidth)
					CheckUnpack(src, size, numbers, count, width, dstWidth, &arena.arena);
			TestArenaReset(&arena);
		}
}

/* Packing in parts gives the same bytes. */
static void
test_pack_in_parts(void **state)
{
	uint64_t	numbers[100];
	uint8_t		whole[800];
	uint8_t		parts[800];
	unsigned	width;

	(void) state;
	for (width = 1; width <= 64; width++)
	{
		FillNumbers(numbers, 100, width);
		RetlBitsPack(whole, numbers, 100, width);
		RetlBitsPack(parts, numbers, 40, width);
		RetlBitsPack(parts + 5 * width, numbers + 40, 60, width);
		assert_memory_equal(whole, parts, RetlBitsSize(100, width));
	}
}

static void
test_bit_width(void **state)
{
	(void) state;
	assert_int_equal(RetlBitWidth(0), 0);
	assert_int_equal(RetlBitWidth(1), 1);
	assert_int_equal(RetlBitWidth(255), 8);
	assert_int_equal(RetlBitWidth(256), 9);
	assert_int_equal(RetlBitWidth(UINT64_MAX), 64);
	assert_true(RetlBitMask(0) == 0);
	assert_true(RetlBitMask(1) == 1);
	assert_true(RetlBitMask(64) == UINT64_MAX);
}

/* Numbers between two given ones, both of them included if there is room. */
static void
FillBetween(uint32_t *numbers, uint32_t count, uint32_t low, uint32_t high)
{
	uint64_t	seed = low;
	uint32_t	i;

	for (i = 0; i < count; i++)
		numbers[i] = low + (uint32_t) (TestRandom(&seed) % ((uint64_t) high - low + 1));
	if (count > 0)
		numbers[0] = low;
	if (count > 1)
		numbers[count - 1] = high;
}

static void
test_packed_arrays(void **state)
{
	static const struct
	{
		uint32_t	low;
		uint32_t	high;
	}			ranges[] = {{0, 0}, {5, 5}, {UINT32_MAX, UINT32_MAX}, {0, UINT32_MAX}, {1, 2},
	{1000, 1063}, {UINT32_MAX - 7, UINT32_MAX}};
	int			r;
	int			c;

	(void) state;
	for (r = 0; r < LENGTH(ranges); r++)
		for (c = 0; c < LENGTH(counts); c++)
		{
			TestArena	arena;
			RetlBytes	out;
			RetlPacked	packed;
			uint32_t	count = counts[c];
			uint32_t   *numbers;
			uint32_t   *again;
			uint64_t	sum = 0;
			const char *error = NULL;
			uint32_t	i;
			size_t		size;

			TestArenaInit(&arena);
			numbers = RetlArenaAlloc(&arena.arena, sizeof(uint32_t) * count);
			again = RetlArenaAlloc(&arena.arena, sizeof(uint32_t) * count);
			FillBetween(numbers, count, ranges[r].low, ranges[r].high);
			RetlBytesInit(&out, &arena.arena, 0);
			RetlPackedAppend(&out, numbers, count);
			if (count != 1)
				assert_int_equal(out.length, RetlPackedSize(count, ranges[r].low, ranges[r].high));
			assert_true(RetlPackedOpen(&packed, TestCopy(out.data, out.length, &arena.arena),
									   out.length, count, &error));
			assert_int_equal(packed.size, out.length);
			RetlPackedRead(&packed, 0, count, again);
			for (i = 0; i < count; i++)
			{
				uint32_t	run;

				assert_int_equal(again[i], numbers[i]);
				assert_int_equal(RetlPackedFetch(&packed, i), numbers[i]);
				if (numbers[i] > 0 && i % 61 == 0)
				{
					assert_true(RetlPackedFindRun(&packed, sum, &run));
					assert_int_equal(run, i);
					assert_true(RetlPackedFindRun(&packed, sum + numbers[i] - 1, &run));
					assert_int_equal(run, i);
					assert_true(RetlPackedSum(&packed, i) == sum);
				}
				sum += numbers[i];
			}
			assert_true(RetlPackedSum(&packed, count) == sum);
			assert_false(RetlPackedFindRun(&packed, sum, &i));
			for (size = 0; size < out.length; size++)
				assert_false(RetlPackedOpen(&packed, TestCopy(out.data, size, &arena.arena),
											size, count, &error));
			TestArenaReset(&arena);
		}
}

static void
test_packed_refuses(void **state)
{
	static const uint8_t tooWide[] = {33, 0, 0, 0, 0, 1, 2, 3, 4, 5};
	static const uint8_t noBits[] = {0, 0, 0, 0, 0};
	RetlPacked	packed;
	const char *error = NULL;

	(void) state;
	assert_false(RetlPackedOpen(&packed, tooWide, sizeof(tooWide), 1, &error));
	assert_non_null(error);
	assert_true(RetlPackedOpen(&packed, noBits, sizeof(noBits), RETLDB_MAX_PACKED, &error));
	assert_false(RetlPackedOpen(&packed, noBits, sizeof(noBits), RETLDB_MAX_PACKED + 1, &error));
	assert_false(RetlPackedOpen(&packed, noBits, sizeof(noBits), UINT32_MAX, &error));
	assert_true(RetlPackedOpen(&packed, NULL, 0, 0, &error));
	assert_int_equal(packed.size, 0);
}

/* Selecting of both number sizes against one comparison at a time. */
static void
CheckRange(const uint64_t *numbers, uint32_t count, uint64_t low, uint64_t high, bool negate)
{
	RetlRange	wide = {low, high, negate};
	RetlRange	narrow = {(uint32_t) low, (uint32_t) high, negate};
	uint32_t	narrowNumbers[1100];
	uint64_t	wideBits[20];
	uint64_t	narrowBits[20];
	uint32_t	i;

	for (i = 0; i < count; i++)
		narrowNumbers[i] = (uint32_t) numbers[i];
	memset(wideBits, 0, sizeof(wideBits));
	for (i = 0; i < count; i++)
		if (i % 5 != 0 && (i < 64 || i >= 128))
			wideBits[i / 64] |= UINT64_C(1) << (i % 64);
	memcpy(narrowBits, wideBits, sizeof(wideBits));
	RetlSelectRange64(numbers, count, &wide, wideBits);
	RetlSelectRange32(narrowNumbers, count, &narrow, narrowBits);
	for (i = 0; i < sizeof(wideBits) * 8; i++)
	{
		bool		inside = i < count && i % 5 != 0 && (i < 64 || i >= 128);
		bool		expected;

		expected = inside && (numbers[i] >= low && numbers[i] <= high) != negate;
		assert_int_equal(RetlIsSelected(wideBits, i), expected);
		expected = inside && (narrowNumbers[i] >= (uint32_t) low &&
							  narrowNumbers[i] <= (uint32_t) high) != negate;
		assert_int_equal(RetlIsSelected(narrowBits, i), expected);
	}
}

static void
test_select_range(void **state)
{
	static const uint64_t bounds[] = {0, 1, 50, 99, 100, 0x7FFFFFFF, 0x80000000U, UINT32_MAX,
		UINT64_C(0x7FFFFFFFFFFFFFFF), UINT64_C(0x8000000000000000), UINT64_MAX};
	uint64_t	numbers[1100];
	uint64_t	seed = 1;
	int			low;
	int			high;
	int			c;
	uint32_t	i;

	(void) state;
	for (i = 0; i < 1100; i++)
		numbers[i] = i % 3 == 0 ? bounds[i % LENGTH(bounds)] : TestRandom(&seed) % 101;
	for (low = 0; low < LENGTH(bounds); low++)
		for (high = 0; high < LENGTH(bounds); high++)
			for (c = 0; c < LENGTH(counts) && counts[c] <= 1100; c++)
			{
				CheckRange(numbers, counts[c], bounds[low], bounds[high], false);
				CheckRange(numbers, counts[c], bounds[low], bounds[high], true);
			}
}

/* Looking up against one number at a time, with and without vector instructions. */
static void
CheckLookUp(const RetlPacked *packed, const uint32_t *numbers, const RetlNumberSet *set,
			const RetlArena *arena)
{
	uint32_t	words = RetlSelectionWords(packed->count);
	uint64_t   *selected = RetlArenaAlloc(arena, sizeof(uint64_t) * words);
	uint32_t	i;

	memset(selected, 0, sizeof(uint64_t) * words);
	for (i = 0; i < packed->count; i++)
		if (i % 5 != 0 && (i < 64 || i >= 128))
			selected[i / 64] |= UINT64_C(1) << (i % 64);
	RetlPackedLookUp(packed, set, selected);
	for (i = 0; i < words * 64; i++)
		assert_int_equal(RetlIsSelected(selected, i),
						 i < packed->count && i % 5 != 0 && (i < 64 || i >= 128) &&
						 numbers[i] < RETLDB_SET_NUMBERS &&
						 (set->words[numbers[i] / 32] & UINT32_C(1) << (numbers[i] % 32)) != 0);
}

static void
test_look_up(void **state)
{
	static const struct
	{
		uint32_t	low;
		uint32_t	high;
	}			ranges[] = {{0, 0}, {5, 5}, {0, 1}, {0, 49}, {0, 255}, {3, 200}, {200, 300}, {0, 256},
	{256, 511}, {0, 1000}, {300, 300}, {UINT32_MAX - 7, UINT32_MAX}, {0, UINT32_MAX}};
	uint64_t	seed = 11;
	int			r;
	int			c;

	(void) state;
	for (r = 0; r < LENGTH(ranges); r++)
		for (c = 0; c < LENGTH(counts) && counts[c] <= 5000; c++)
		{
			TestArena	arena;
			RetlBytes	out;
			RetlPacked	packed;
			RetlNumberSet set;
			uint32_t	count = counts[c];
			uint32_t   *numbers;
			const char *error = NULL;
			uint32_t	i;

			TestArenaInit(&arena);
			numbers = RetlArenaAlloc(&arena.arena, sizeof(uint32_t) * count);
			FillBetween(numbers, count, ranges[r].low, ranges[r].high);
			RetlBytesInit(&out, &arena.arena, 0);
			RetlPackedAppend(&out, numbers, count);
			assert_true(RetlPackedOpen(&packed, TestCopy(out.data, out.length, &arena.arena),
									   out.length, count, &error));
			for (i = 0; i < LENGTH(set.words); i++)
				set.words[i] = (uint32_t) TestRandom(&seed);
			CheckLookUp(&packed, numbers, &set, &arena.arena);
			RetlSimdAllowed = false;
			CheckLookUp(&packed, numbers, &set, &arena.arena);
			RetlSimdAllowed = true;
			TestArenaReset(&arena);
		}
}

static void
test_selection(void **state)
{
	uint32_t	first;
	uint32_t	count;
	uint32_t	i;

	(void) state;
	for (first = 0; first < 130; first++)
		for (count = 0; count < 140; count++)
		{
			uint64_t	bits[5];

			memset(bits, 0xFF, sizeof(bits));
			RetlSelectionClear(bits, first, count);
			for (i = 0; i < 320; i++)
				assert_int_equal(RetlIsSelected(bits, i), i < first || i >= first + count);
			assert_false(RetlSelectionAny(bits, first, count));
			assert_true(RetlSelectionAny(bits, first, count + 1));
			if (first > 0)
				assert_true(RetlSelectionAny(bits, first - 1, count + 1));
		}
}

/* Counting, visiting and judging selections, with and without vector instructions. */
static void
test_selections(void **unused)
{
	uint64_t	selected[8];
	uint32_t	list[512 + RETLDB_LIST_SLACK];
	uint64_t	seed = 7;
	int			round;

	(void) unused;
	for (round = 0; round < 2000; round++)
	{
		uint32_t	count = 1 + (uint32_t) (TestRandom(&seed) % 512);
		uint32_t	words = RetlSelectionWords(count);
		uint32_t	expected = 0;
		uint32_t	visited = 0;
		uint32_t	last = 0;
		uint32_t	i;

		for (i = 0; i < words; i++)
			selected[i] = round % 4 == 0 ? UINT64_MAX :
				round % 4 == 1 ? TestRandom(&seed) :
				TestRandom(&seed) & TestRandom(&seed) & TestRandom(&seed) & TestRandom(&seed) & TestRandom(&seed);
		if (count % 64 != 0)
			selected[words - 1] &= (UINT64_C(1) << (count % 64)) - 1;
		for (i = 0; i < count; i++)
			expected += RetlIsSelected(selected, i);
		RETL_FOR_SELECTED(i, selected, count)
		{
			assert_true(RetlIsSelected(selected, i) && (visited == 0 || i > last) && i < count);
			last = i;
			visited++;
		}
		assert_int_equal(visited, expected);
		assert_int_equal(RetlSelectionList(selected, count, list), expected);
		for (i = 0; i < expected; i++)
		{
			assert_true(RetlIsSelected(selected, list[i]));
			assert_true(i == 0 || list[i] > list[i - 1]);
		}
		assert_int_equal(RetlSelectionCount(selected, count), expected);
		assert_true(RetlSelectionIsSparse(selected, count) == (expected <= count / RETLDB_SPARSE_SHARE));
		RetlSimdAllowed = false;
		assert_int_equal(RetlSelectionCount(selected, count), expected);
		RetlSimdAllowed = true;
	}
	assert_false(RetlSelectionIsSparse(NULL, 512));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bit_width),
		cmocka_unit_test(test_bits),
		cmocka_unit_test(test_pack_in_parts),
		cmocka_unit_test(test_packed_arrays),
		cmocka_unit_test(test_packed_refuses),
		cmocka_unit_test(test_select_range),
		cmocka_unit_test(test_look_up),
		cmocka_unit_test(test_selection),
		cmocka_unit_test(test_selections),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
