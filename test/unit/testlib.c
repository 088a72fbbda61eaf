/*-------------------------------------------------------------------------
 *
 * testlib.c
 *	  What the unit tests, the fuzzers and the benchmark share.
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "testlib.h"

#include "encoding/simd.h"

#define LENGTH(array) ((int) (sizeof(array) / sizeof((array)[0])))

/* Longest value that a pattern of byte strings makes. */
#define MAX_TEXT		5000

/* ---------------------------------------------------------------------
 * Arena
 * ---------------------------------------------------------------------
 */

/* RetlArena.allocate */
static void *
Allocate(void *context, size_t size)
{
	TestArena  *arena = context;
	void	   *block;

	if (arena->limitBytes != 0 && size > arena->limitBytes - arena->totalBytes)
	{
		fprintf(stderr, "arena: %zu bytes asked for, %zu in use\n", size, arena->totalBytes);
		abort();
	}
	if (arena->blockCount == arena->blockCapacity)
	{
		arena->blockCapacity = arena->blockCapacity * 2 + 64;
		arena->blocks = realloc(arena->blocks, arena->blockCapacity * sizeof(void *));
		if (arena->blocks == NULL)
			abort();
	}
	block = malloc(size);
	if (block == NULL)
		abort();
	arena->blocks[arena->blockCount++] = block;
	arena->totalBytes += size;
	return block;
}

/* Make an empty arena. */
void
TestArenaInit(TestArena *arena)
{
	memset(arena, 0, sizeof(*arena));
	arena->arena.allocate = Allocate;
	arena->arena.context = arena;
}

/* Free everything that came from the arena. */
void
TestArenaReset(TestArena *arena)
{
	size_t		i;

	for (i = 0; i < arena->blockCount; i++)
		free(arena->blocks[i]);
	free(arena->blocks);
	arena->blocks = NULL;
	arena->blockCount = 0;
	arena->blockCapacity = 0;
	arena->totalBytes = 0;
}

/* A copy in memory of exactly that size. */
uint8_t *
TestCopy(const void *data, size_t length, const RetlArena *arena)
{
	uint8_t    *copy = RetlArenaAlloc(arena, length);

	if (length > 0)
		memcpy(copy, data, length);
	return copy;
}

/* splitmix64 */
uint64_t
TestRandom(uint64_t *seed)
{
	uint64_t	z = (*seed += UINT64_C(0x9E3779B97F4A7C15));

	z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
	return z ^ (z >> 31);
}

/* ---------------------------------------------------------------------
 * Types and patterns
 * ---------------------------------------------------------------------
 */

const TestType testTypes[] = {
	{"int1", RETL_PHYS_INT, 1},
	{"int2", RETL_PHYS_INT, 2},
	{"int4", RETL_PHYS_INT, 4},
	{"int8", RETL_PHYS_INT, 8},
	{"float4", RETL_PHYS_FLOAT, 4},
	{"float8", RETL_PHYS_FLOAT, 8},
	{"fixed1", RETL_PHYS_FIXED, 1},
	{"fixed2", RETL_PHYS_FIXED, 2},
	{"fixed3", RETL_PHYS_FIXED, 3},
	{"fixed6", RETL_PHYS_FIXED, 6},
	{"fixed12", RETL_PHYS_FIXED, 12},
	{"fixed16", RETL_PHYS_FIXED, 16},
	{"fixed64", RETL_PHYS_FIXED, 64},
	{"fixed321", RETL_PHYS_FIXED, 321},
	{"bytes", RETL_PHYS_BYTES, 0},
};
const int	testTypeCount = LENGTH(testTypes);

/* Makes value i; returns its length (a fixed-width type's is its width). */
typedef size_t (*MakeFunction) (uint8_t *dst, const TestType *type, uint32_t i,
								uint32_t count, uint64_t *seed);

/* Turn a number into a value of any type, such that different numbers mostly differ. */
static size_t
FromNumber(uint8_t *dst, const TestType *type, uint64_t number)
{
	uint16_t	k;
	double		real;
	float		narrow;

	switch (type->type)
	{
		case RETL_PHYS_INT:
			memcpy(dst, &number, type->width);
			return type->width;
		case RETL_PHYS_FLOAT:
			real = (double) (int64_t) number / 8;
			narrow = (float) real;
			if (type->width == 4)
				memcpy(dst, &narrow, 4);
			else
				memcpy(dst, &real, 8);
			return type->width;
		case RETL_PHYS_FIXED:
			for (k = 0; k < type->width; k++)
				dst[k] = (uint8_t) (number >> (8 * (k % 8))) ^ (uint8_t) (k / 8);
			return type->width;
		default:
			return (size_t) sprintf((char *) dst, "%lld", (long long) number);
	}
}

static size_t
MakeEqual(uint8_t *dst, const TestType *type, uint32_t i, uint32_t count, uint64_t *seed)
{
	(void) i, (void) count, (void) seed;
	return FromNumber(dst, type, 1234567);
}

static size_t
MakeZero(uint8_t *dst, const TestType *type, uint32_t i, uint32_t count, uint64_t *seed)
{
	(void) i, (void) count, (void) seed;
	return type->type == RETL_PHYS_BYTES ? 0 : FromNumber(dst, type, 0);
}

static size_t
MakeRising(uint8_t *dst, const TestType *type, uint32_t i, uint32_t count, uint64_t *seed)
{
	(void) count, (void) seed;
	return FromNumber(dst, type, (uint64_t) i * 3 - 1000);
}

static size_t
MakeFalling(uint8_t *dst, const TestType *type, uint32_t i, uint32_t count, uint64_t *seed)
{
	(void) seed;
	return FromNumber(dst, type, (uint64_t) (count - i) * 7);
}

static size_t
MakeRandom(uint8_t *dst, const TestType *type, uint32_t i, uint32_t count, uint64_t *seed)
{
	(void) i, (void) count;
	return FromNumber(dst, type, TestRandom(seed));
}

/* Random numbers of random magnitude: every bit width occurs. */
static size_t
MakeMagnitudes(uint8_t *dst, const TestType *type, uint32_t i, uint32_t count, uint64_t *seed)
{
	(void) i, (void) count;
	return FromNumber(dst, type, TestRandom(seed) >> (TestRandom(seed) % 64));
}

static size_t
MakeTwoValues(uint8_t *dst, const TestType *type, uint32_t i, uint32_t count, uint64_t *seed)
{
	(void) i, (void) count;
	return FromNumber(dst, type, TestRandom(seed) % 2 ? 5 : 100000);
}

static size_t
MakeAlternating(uint8_t *dst, const TestType *type, uint32_t i, uint32_t count, uint64_t *seed)
{
	(void) count, (void) seed;
	return FromNumber(dst, type, i % 2 ? UINT64_MAX : 0);
}

static size_t
MakeFewValues(uint8_t *dst, const TestType *type, uint32_t i, uint32_t count, uint64_t *seed)
{
	(void) i, (void) count;
	return FromNumber(dst, type, (TestRandom(seed) % 37) * 0x10001);
}

static size_t
MakeRuns(uint8_t *dst, const TestType *type, uint32_t i, uint32_t count, uint64_t *seed)
{
	(void) count, (void) seed;
	return FromNumber(dst, type, (uint64_t) (i / 29) * 11 % 97);
}

static size_t
MakeOneOutlier(uint8_t *dst, const TestType *type, uint32_t i, uint32_t count, uint64_t *seed)
{
	(void) seed;
	return FromNumber(dst, type, i == count / 2 ? UINT64_C(0x7FFFFFFFFFFFFFFF) : 1);
}

/* The smallest and largest integers, and their neighbours. */
static size_t
MakeExtremes(uint8_t *dst, const TestType *type, uint32_t i, uint32_t count, uint64_t *seed)
{
	uint64_t	sign;
	uint64_t	numbers[6];
	uint64_t	number;

	(void) i, (void) count;
	if (type->type != RETL_PHYS_INT)
		return SIZE_MAX;
	sign = UINT64_C(1) << (8 * type->width - 1);
	numbers[0] = sign;
	numbers[1] = sign - 1;
	numbers[2] = 0;
	numbers[3] = UINT64_MAX;
	numbers[4] = sign + 1;
	numbers[5] = sign - 2;
	number = numbers[TestRandom(seed) % 6];
	memcpy(dst, &number, type->width);
	return type->width;
}

/* Zeroes, infinities, denormals, NaNs with and without payload and sign. */
static size_t
MakeFloatSpecials(uint8_t *dst, const TestType *type, uint32_t i, uint32_t count, uint64_t *seed)
{
	static const uint64_t wide[] = {
		0, UINT64_C(0x8000000000000000), UINT64_C(0x7FF0000000000000),
		UINT64_C(0xFFF0000000000000), UINT64_C(0x7FF8000000000000),
		UINT64_C(0xFFF8000000000000), UINT64_C(0x7FF8000000ABCDEF),
		UINT64_C(0xFFF8000000ABCDEF), 1, UINT64_C(0x8000000000000001),
		UINT64_C(0x7FEFFFFFFFFFFFFF), UINT64_C(0x3FF0000000000000)
	};
	static const uint32_t narrow[] = {
		0, 0x80000000U, 0x7F800000U, 0xFF800000U, 0x7FC00000U, 0xFFC00000U,
		0x7FC0ABCDU, 0xFFC0ABCDU, 1, 0x80000001U, 0x7F7FFFFFU, 0x3F800000U
	};
	uint64_t	k = TestRandom(seed) % LENGTH(wide);

	(void) i, (void) count;
	if (type->type != RETL_PHYS_FLOAT)
		return SIZE_MAX;
	if (type->width == 4)
		memcpy(dst, &narrow[k], 4);
	else
		memcpy(dst, &wide[k], 8);
	return type->width;
}

/* Random bytes, zeroes among them, of random length. */
static size_t
MakeBinary(uint8_t *dst, const TestType *type, uint32_t i, uint32_t count, uint64_t *seed)
{
	size_t		length = TestRandom(seed) % 23;
	size_t		k;

	(void) i, (void) count;
	if (type->type != RETL_PHYS_BYTES)
		length = type->width;
	for (k = 0; k < length; k++)
		dst[k] = (uint8_t) (TestRandom(seed) % 3 == 0 ? 0 : TestRandom(seed));
	return length;
}

/* Strings that differ only late, are prefixes of others, or end in zero bytes. */
static size_t
MakePrefixes(uint8_t *dst, const TestType *type, uint32_t i, uint32_t count, uint64_t *seed)
{
	size_t		length = TestRandom(seed) % 12;

	(void) i, (void) count;
	if (type->type != RETL_PHYS_BYTES)
		return SIZE_MAX;
	memset(dst, 'a', length);
	if (length > 0 && TestRandom(seed) % 2)
		dst[length - 1] = 0;
	if (length > 9)
		dst[9] = (uint8_t) (TestRandom(seed) % 3);
	return length;
}

/* Now and then a very long string. */
static size_t
MakeLong(uint8_t *dst, const TestType *type, uint32_t i, uint32_t count, uint64_t *seed)
{
	size_t		length = TestRandom(seed) % 11 == 0 ? TestRandom(seed) % MAX_TEXT : 3;

	(void) count;
	if (type->type != RETL_PHYS_BYTES)
		return SIZE_MAX;
	memset(dst, 'A' + (int) (i % 26), length);
	return length;
}

/* Mostly empty strings. */
static size_t
MakeMostlyEmpty(uint8_t *dst, const TestType *type, uint32_t i, uint32_t count, uint64_t *seed)
{
	if (type->type == RETL_PHYS_BYTES && TestRandom(seed) % 5 != 0)
		return 0;
	return MakeFewValues(dst, type, i, count, seed);
}

/* Integers that rise by small uneven steps, with a jump here and there. */
static size_t
MakeSteps(uint8_t *dst, const TestType *type, uint32_t i, uint32_t count, uint64_t *seed)
{
	(void) count;
	if (type->type != RETL_PHYS_INT)
		return SIZE_MAX;
	return FromNumber(dst, type, (uint64_t) i * 5 + TestRandom(seed) % 5 +
					  i / 300 * (UINT64_C(1) << (8 * type->width - 4)));
}

/* Integers whose differences grow, so that they go around and around. */
static size_t
MakeSquares(uint8_t *dst, const TestType *type, uint32_t i, uint32_t count, uint64_t *seed)
{
	(void) count;
	if (type->type != RETL_PHYS_INT)
		return SIZE_MAX;
	return FromNumber(dst, type, (uint64_t) i * i * (UINT64_C(1) << (8 * type->width - 8)) +
					  TestRandom(seed) % 2);
}

/* Random integers of a small range. */
static size_t
MakeSmall(uint8_t *dst, const TestType *type, uint32_t i, uint32_t count, uint64_t *seed)
{
	(void) i, (void) count;
	if (type->type != RETL_PHYS_INT)
		return SIZE_MAX;
	return FromNumber(dst, type, TestRandom(seed) % 100000);
}

/* A sequence over the end of the signed, and that of the unsigned integers. */
static size_t
MakeWrapping(uint8_t *dst, const TestType *type, uint32_t i, uint32_t count, uint64_t *seed)
{
	(void) count, (void) seed;
	if (type->type != RETL_PHYS_INT)
		return SIZE_MAX;
	return FromNumber(dst, type, UINT64_C(0x7777777777777777) + i * UINT64_C(0x0123456789ABCDEF));
}

/* See testlib.h.  Goes through decimal digits, unlike the encoding. */
size_t
TestMakeNumeric(uint8_t *dst, int64_t number, unsigned scale, unsigned displayScale)
{
	char		decimal[100];
	bool		negative = number < 0;
	unsigned long long magnitude = negative ? 0ULL - (unsigned long long) number : (unsigned long long) number;
	int			whole = snprintf(decimal, sizeof(decimal), "%0*llu", (int) scale + 1, magnitude) - (int) scale;
	int			place = -((4 - whole % 4) % 4);
	int			weight = (whole + 3) / 4 - 1;
	uint16_t	digits[30];
	int			count = 0;
	int			first = 0;
	size_t		length = 2;

	for (; place < whole + (int) scale; place += 4)
	{
		int			k;

		digits[count] = 0;
		for (k = place; k < place + 4; k++)
			digits[count] = (uint16_t) (digits[count] * 10 +
										(k >= 0 && k < whole + (int) scale ? decimal[k] - '0' : 0));
		count++;
	}
	for (; first < count && digits[first] == 0; first++)
		weight--;
	while (count > first && digits[count - 1] == 0)
		count--;
	if (count == first)
	{
		weight = 0;
		negative = false;
	}
	if (displayScale <= 63)
	{
		uint16_t	head = (uint16_t) (0x8000 | (negative ? 0x2000 : 0) | displayScale << 7 |
									   ((unsigned) weight & 0x7F));

		memcpy(dst, &head, 2);
	}
	else
	{
		uint16_t	head[2] = {(uint16_t) ((negative ? 0x4000 : 0) | displayScale),
		(uint16_t) weight};

		memcpy(dst, head, 4);
		length = 4;
	}
	for (; first < count; first++, length += 2)
		memcpy(dst + length, &digits[first], 2);
	return length;
}

/* Numerics of two decimal places, most of them shown. */
static size_t
MakePrices(uint8_t *dst, const TestType *type, uint32_t i, uint32_t count, uint64_t *seed)
{
	uint64_t	random = TestRandom(seed);

	(void) i, (void) count;
	if (type->type != RETL_PHYS_BYTES)
		return SIZE_MAX;
	return TestMakeNumeric(dst, (int64_t) (random % 20000000) - 1000000, 2, 2);
}

/* Numerics of all kinds, some of which no writer would make. */
static size_t
MakeNumerics(uint8_t *dst, const TestType *type, uint32_t i, uint32_t count, uint64_t *seed)
{
	static const uint8_t specials[][8] = {
		{0x00, 0xC0}, {0x00, 0xD0}, {0x00, 0xF0}, {0x00, 0x80}, {0x00, 0xA0},	/* -0 */
		{0x01, 0x80}, {0}, {0x00, 0x80, 0, 0}, {0x00, 0x80, 1, 0, 0, 0}, {0x00, 0x80, 0xFF, 0xFF},
		{0x40, 0x80, 1, 0}, {0x3F, 0x80, 1, 0}, {0x00, 0x40, 0xFF, 0x7F, 1, 0}, {7}, {5, 0x80, 9}
	};
	static const uint8_t lengths[] = {2, 2, 2, 2, 2, 2, 0, 4, 6, 4, 4, 4, 6, 1, 3};
	uint64_t	random = TestRandom(seed);
	unsigned	scale = (unsigned) (random >> 8) % 21;
	int64_t		number = (int64_t) (TestRandom(seed) >> (random >> 16) % 64);

	(void) i, (void) count;
	if (type->type != RETL_PHYS_BYTES)
		return SIZE_MAX;
	if (random % 8 == 0)
	{
		unsigned	k = (unsigned) (random >> 24) % LENGTH(specials);

		memcpy(dst, specials[k], lengths[k]);
		return lengths[k];
	}
	if (random % 8 == 1)
		return TestMakeNumeric(dst, number, scale, (unsigned) (random >> 24) % 70);
	if (random % 8 == 2)
		number = number % INT64_C(100000000000000) * 10000;
	return TestMakeNumeric(dst, random & 16 ? number : -(number % 100000), scale % 6,
						   scale % 6 + (random >> 30) % 3);
}

/* Floating-point numbers that are decimals, now and then one that is not. */
static size_t
MakeDecimals(uint8_t *dst, const TestType *type, uint32_t i, uint32_t count, uint64_t *seed)
{
	uint64_t	random = TestRandom(seed);
	double		real = (double) ((int64_t) (random % 2000000) - 100000) / 100;
	float		narrow = (float) real;

	if (type->type != RETL_PHYS_FLOAT)
		return SIZE_MAX;
	if (random >> 32 == 0 || i % 41 == 3)
		return MakeFloatSpecials(dst, type, i, count, seed);
	if (type->width == 4)
		memcpy(dst, &narrow, 4);
	else
		memcpy(dst, &real, 8);
	return type->width;
}

/* Six bytes of which the first ones are the same, as addresses of one network. */
static size_t
MakeAddresses(uint8_t *dst, const TestType *type, uint32_t i, uint32_t count, uint64_t *seed)
{
	uint64_t	random = TestRandom(seed);
	size_t		length = type->type == RETL_PHYS_BYTES ? 6 : type->width;

	(void) i, (void) count;
	if (type->type != RETL_PHYS_BYTES && type->type != RETL_PHYS_FIXED)
		return SIZE_MAX;
	memset(dst, 7, length);
	if (length >= 6)
	{
		dst[3] = (uint8_t) (random >> 24);
		dst[4] = (uint8_t) (random % 3 + 254);
		dst[5] = (uint8_t) (random >> 8);
		dst[length - 1] = (uint8_t) (random >> 16 & 127);
	}
	return length;
}

struct TestPattern
{
	const char *name;
	MakeFunction make;
	bool		isNumeric;
};

static const TestPattern patterns[] = {
	{"equal", MakeEqual, false},
	{"zero", MakeZero, false},
	{"rising", MakeRising, false},
	{"falling", MakeFalling, false},
	{"random", MakeRandom, false},
	{"magnitudes", MakeMagnitudes, false},
	{"two values", MakeTwoValues, false},
	{"alternating", MakeAlternating, false},
	{"few values", MakeFewValues, false},
	{"runs", MakeRuns, false},
	{"one outlier", MakeOneOutlier, false},
	{"extremes", MakeExtremes, false},
	{"float specials", MakeFloatSpecials, false},
	{"binary", MakeBinary, false},
	{"prefixes", MakePrefixes, false},
	{"long", MakeLong, false},
	{"mostly empty", MakeMostlyEmpty, false},
	{"prices", MakePrices, true},
	{"numerics", MakeNumerics, true},
	{"decimals", MakeDecimals, false},
	{"addresses", MakeAddresses, false},
	{"steps", MakeSteps, false},
	{"squares", MakeSquares, false},
	{"wrapping", MakeWrapping, false},
	{"small", MakeSmall, false},
};
const int	testPatternCount = LENGTH(patterns);

/* Its name. */
const char *
TestPatternName(int pattern)
{
	return patterns[pattern].name;
}

/* See testlib.h.  Byte strings do not begin at offset 0, to catch who thinks so. */
bool
TestMakeValues(RetlValues *values, int pattern, const TestType *type,
			   uint32_t count, const RetlArena *arena)
{
	const uint32_t firstOffset = 3;
	uint64_t	seed = (uint64_t) pattern * 1000003 + count;
	bool		isBytes = type->type == RETL_PHYS_BYTES;
	uint8_t		value[MAX_TEXT + 32];
	uint32_t   *offsets = RetlArenaAlloc(arena, sizeof(uint32_t) * ((size_t) count + 1));
	RetlBytes	bytes;
	uint32_t	i;

	memset(values, 0, sizeof(*values));
	RetlBytesInit(&bytes, arena, 64);
	if (isBytes)
		RetlBytesAppend(&bytes, "???", firstOffset);
	offsets[0] = (uint32_t) bytes.length;
	for (i = 0; i < count; i++)
	{
		size_t		length = patterns[pattern].make(value, type, i, count, &seed);

		if (length == SIZE_MAX)
			return false;
		RetlBytesAppend(&bytes, value, length);
		offsets[i + 1] = (uint32_t) bytes.length;
	}
	memset(values, 0, sizeof(*values));
	values->type = type->type;
	values->width = type->width;
	values->count = count;
	values->offsets = isBytes ? offsets : NULL;
	values->bytes = isBytes ? TestCopy(bytes.data, bytes.length, arena) : NULL;
	values->fixed = isBytes ? NULL : TestCopy(bytes.data, bytes.length, arena);
	values->isNumeric = patterns[pattern].isNumeric;
	return true;
}

/* See testlib.h. */
const uint8_t *
TestValueAt(const RetlValues *values, uint32_t index, size_t *length)
{
	if (values->type == RETL_PHYS_BYTES)
	{
		*length = values->offsets[index + 1] - values->offsets[index];
		return values->bytes + values->offsets[index];
	}
	*length = values->width;
	return values->fixed + (size_t) index * values->width;
}

/* -1, 0, 1 */
static int
Order(RetlPhysType type, uint16_t width, const uint8_t *a, size_t aLength,
	  const uint8_t *b, size_t bLength)
{
	size_t		i;

	if (type == RETL_PHYS_INT)
	{
		/* The sign is in the last byte. */
		int			top = width - 1;

		if ((int8_t) a[top] != (int8_t) b[top])
			return (int8_t) a[top] < (int8_t) b[top] ? -1 : 1;
		while (--top >= 0)
			if (a[top] != b[top])
				return a[top] < b[top] ? -1 : 1;
		return 0;
	}
	if (type == RETL_PHYS_FLOAT)
	{
		double		x;
		double		y;
		float		f;

		memcpy(&x, a, sizeof(x) < width ? sizeof(x) : width);
		memcpy(&y, b, sizeof(y) < width ? sizeof(y) : width);
		if (width == 4)
		{
			memcpy(&f, a, 4);
			x = f;
			memcpy(&f, b, 4);
			y = f;
		}
		if (__builtin_isnan(x))
			return __builtin_isnan(y) ? 0 : 1;
		if (__builtin_isnan(y))
			return -1;
		return x < y ? -1 : x > y ? 1 : 0;
	}
	for (i = 0; i < aLength && i < bLength; i++)
		if (a[i] != b[i])
			return a[i] < b[i] ? -1 : 1;
	return aLength < bLength ? -1 : aLength > bLength ? 1 : 0;
}

/* Order of unsigned integers. */
static int
UnsignedOrder(uint16_t width, const uint8_t *a, const uint8_t *b)
{
	int			i;

	for (i = width - 1; i >= 0; i--)
		if (a[i] != b[i])
			return a[i] < b[i] ? -1 : 1;
	return 0;
}

/* What stands before, among and after the numbers: broken, -infinity; infinity, NaN. */
static int
NumericClass(const uint8_t *value, size_t length)
{
	size_t		i;

	if (length < 2)
		return 0;
	if ((value[1] & 0xC0) == 0xC0)
		return (value[1] & 0xF0) == 0xF0 ? 1 : (value[1] & 0xF0) == 0xD0 ? 3 : 4;
	if (length % 2 != 0)
		return 0;
	if (length < 4 && (value[1] & 0x80) == 0)
		return 0;
	for (i = (value[1] & 0x80) ? 2 : 4; i < length; i += 2)
		if ((value[i] | value[i + 1] << 8) > 9999)
			return 0;
	return 2;
}

/* A numeric that is a number: sign, weight of the first digit, digits. */
typedef struct Number
{
	int			sign;
	int			weight;
	int			count;
	const uint8_t *digits;
} Number;

static Number
ReadNumber(const uint8_t *value, size_t length)
{
	Number		number;
	bool		isShort = (value[1] & 0x80) != 0;

	number.sign = (value[1] & (isShort ? 0x20 : 0x40)) != 0 ? -1 : 1;
	if (isShort)
		number.weight = (value[0] & 0x40) ? (value[0] & 0x3F) - 64 : (value[0] & 0x3F);
	else
		number.weight = (int16_t) (value[2] | value[3] << 8);
	number.digits = value + (isShort ? 2 : 4);
	number.count = (int) (length - (isShort ? 2 : 4)) / 2;
	return number;
}

/* The digit of 10000 ^ place, which is 0 where there is none. */
static int
DigitOf(const Number *number, int place)
{
	int			at = number->weight - place;

	if (at < 0 || at >= number->count)
		return 0;
	return number->sign * (number->digits[2 * at] | number->digits[2 * at + 1] << 8);
}

/* Order of numerics: the digits of both, place by place. */
static int
NumericOrder(const uint8_t *a, size_t aLength, const uint8_t *b, size_t bLength)
{
	int			aClass = NumericClass(a, aLength);
	int			bClass = NumericClass(b, bLength);
	Number		x;
	Number		y;
	int			i = 0;
	int			j = 0;

	if (aClass != bClass || aClass != 2)
		return (aClass > bClass) - (aClass < bClass);
	x = ReadNumber(a, aLength);
	y = ReadNumber(b, bLength);
	while (i < x.count || j < y.count)
	{
		bool		takeX = j >= y.count || (i < x.count && x.weight - i >= y.weight - j);
		int			place = takeX ? x.weight - i : y.weight - j;
		int			xDigit = DigitOf(&x, place);
		int			yDigit = DigitOf(&y, place);

		if (xDigit != yDigit)
			return xDigit < yDigit ? -1 : 1;
		i += i < x.count && x.weight - i == place;
		j += j < y.count && y.weight - j == place;
	}
	return 0;
}

/* How a value compares with a constant of the filter. */
static int
FilterOrder(const RetlFilter *filter, RetlPhysType type, uint16_t width,
			const uint8_t *value, size_t length, uint32_t which)
{
	const RetlFilterConstant *constant = &filter->constants[which];

	if (filter->order == RETL_ORDER_UNSIGNED)
		return UnsignedOrder(width, value, constant->data);
	if (filter->order == RETL_ORDER_NUMERIC)
		return NumericOrder(value, length, constant->data, constant->length);
	return Order(type, width, value, length, constant->data, constant->length);
}

/* See testlib.h. */
bool
TestFilterPasses(const RetlFilter *filter, RetlPhysType type, uint16_t width,
				 const uint8_t *value, size_t length)
{
	int			order;
	uint32_t	i;

	if (filter->op == RETL_PREDICATE || filter->order == RETL_ORDER_NONE ||
		(filter->order == RETL_ORDER_NUMERIC && type != RETL_PHYS_BYTES))
		return filter->predicate(filter->predicateContext, value, length);
	if (filter->op == RETL_IN)
	{
		for (i = 0; i < filter->constantCount; i++)
			if (FilterOrder(filter, type, width, value, length, i) == 0)
				return true;
		return false;
	}
	order = FilterOrder(filter, type, width, value, length, 0);
	switch (filter->op)
	{
		case RETL_LT:
			return order < 0;
		case RETL_LE:
			return order <= 0;
		case RETL_EQ:
			return order == 0;
		case RETL_GE:
			return order >= 0;
		case RETL_GT:
			return order > 0;
		case RETL_BETWEEN:
			return order >= 0 && FilterOrder(filter, type, width, value, length, 1) <= 0;
		default:
			return order != 0;
	}
}

/* Can values of this type be tested at all? */
static bool
CanTest(const RetlFilter *filter, RetlPhysType type)
{
	return filter->predicate != NULL ||
		(filter->op != RETL_PREDICATE && filter->order != RETL_ORDER_NONE &&
		 (filter->order != RETL_ORDER_NUMERIC || type == RETL_PHYS_BYTES));
}

/* One filter at work on one piece. */
typedef struct FilterCase
{
	const TestFilterSubject *subject;
	const RetlFilter *filter;
	uint64_t   *passing;		/* what brute force selects of all; NULL: not known yet */
	int			anyPasses;		/* of the chunk; -1: not known yet */
} FilterCase;

/* The values of the piece that pass by brute force, which is asked once. */
static const uint64_t *
Passing(FilterCase *c)
{
	const RetlValues *piece = c->subject->piece;
	size_t		size = RetlSelectionWords(piece->count) * sizeof(uint64_t);
	uint32_t	i;

	if (c->passing != NULL)
		return c->passing;
	c->passing = RetlArenaAlloc(c->subject->arena, size);
	memset(c->passing, 0, size);
	for (i = 0; i < piece->count; i++)
	{
		size_t		length;
		const uint8_t *value = TestValueAt(piece, i, &length);

		if (TestFilterPasses(c->filter, piece->type, piece->width, value, length))
			c->passing[i / 64] |= UINT64_C(1) << (i % 64);
	}
	return c->passing;
}

/*
 * Filter with a state and a selection, and compare with brute force; says what is
 * wrong.
 */
static const char *
CheckSelection(FilterCase *c, const RetlEncodingState *state, RetlFilterMemo *memo,
			   uint64_t *selected)
{
	const TestFilterSubject *s = c->subject;
	const RetlValues *piece = s->piece;
	uint32_t	words = RetlSelectionWords(piece->count);
	uint64_t   *before = (uint64_t *) TestCopy(selected, words * sizeof(uint64_t), s->arena);
	bool		answered = false;
	const char *error = NULL;
	uint32_t	i;

	if (!s->encoding->filter(state, s->src, s->srcSize, piece->type, piece->width,
							 piece->count, c->filter, memo, selected, &answered,
							 s->arena, &error))
		return error != NULL ? error : "filter failed without saying why";
	if (!answered)
	{
		if (words > 0 && memcmp(before, selected, words * sizeof(uint64_t)) != 0)
			return "filter did not answer, but changed the selection";
		return NULL;
	}
	if (!CanTest(c->filter, piece->type))
		return "filter answered what it cannot know";
	for (i = 0; i < words; i++)
		if (selected[i] != (before[i] & Passing(c)[i]))
			return "filter is wrong";
	return NULL;
}

/* Select all, half, few, or none of "count" values. */
static uint64_t *
MakeSelection(uint32_t count, int kind, const RetlArena *arena)
{
	uint32_t	words = RetlSelectionWords(count);
	uint64_t   *selected = RetlArenaAlloc(arena, words * sizeof(uint64_t));
	uint64_t	seed = count;
	uint32_t	i;

	for (i = 0; i < words; i++)
	{
		selected[i] = UINT64_MAX;
		if (kind >= 1)
			selected[i] = TestRandom(&seed);
		if (kind >= 2)
			selected[i] &= i % 2 == 0 ? 0 : TestRandom(&seed) & TestRandom(&seed);
		if (kind >= 3)
			selected[i] = 0;
	}
	if (count % 64 != 0)
		selected[words - 1] &= (UINT64_C(1) << (count % 64)) - 1;
	return selected;
}

/* Does any value of the chunk pass, for all that can be known? */
static bool
AnyPasses(FilterCase *c)
{
	const RetlValues *chunk = c->subject->chunk;
	uint32_t	i;

	if (c->anyPasses >= 0)
		return c->anyPasses != 0;
	c->anyPasses = !CanTest(c->filter, chunk->type);
	for (i = 0; i < chunk->count && !c->anyPasses; i++)
	{
		size_t		length;
		const uint8_t *value = TestValueAt(chunk, i, &length);

		c->anyPasses = TestFilterPasses(c->filter, chunk->type, chunk->width, value, length);
	}
	return c->anyPasses != 0;
}

/* Is the order of the constants the one of dictionaries? */
static bool
IsInOrder(const RetlFilter *filter, RetlPhysType type)
{
	return filter->op != RETL_PREDICATE &&
		((filter->order == RETL_ORDER_SIGNED && type == RETL_PHYS_INT) ||
		 (filter->order == RETL_ORDER_BYTES && (type == RETL_PHYS_FIXED || type == RETL_PHYS_BYTES)));
}

/* Does a state, opened or not, exclude the chunk if no value passes, and only then? */
static const char *
CheckExcludes(FilterCase *c, const RetlEncodingState *state, RetlFilterMemo *memo)
{
	const RetlEncoding *encoding = c->subject->encoding;
	const RetlValues *chunk = c->subject->chunk;
	const RetlFilter *filter = c->filter;
	bool		any;
	bool		excludes;

	if (encoding->excludes == NULL || chunk == NULL)
		return NULL;
	any = AnyPasses(c);
	excludes = encoding->excludes(state, chunk->type, chunk->width, filter, memo);
	if (excludes && any)
		return "a chunk with values that pass is excluded";
	if (!excludes && !any && IsInOrder(filter, chunk->type) && filter->op != RETL_NE &&
		(filter->op != RETL_IN || filter->constantCount <= 16))
		return "a chunk without values that pass is not excluded";
	return NULL;
}

/*
 * The same filter with a state that was only peeked at, which may leave it
 * unanswered; what it keeps in the memo must serve the opened one, too.
 */
static const char *
CheckPeeked(FilterCase *c)
{
	const TestFilterSubject *subject = c->subject;
	const RetlEncodingState *peeked;
	RetlFilterMemo memo = {NULL, subject->arena};
	const char *wrong;

	if (subject->encoding->peek == NULL || subject->chunk == NULL)
		return NULL;
	peeked = subject->encoding->peek(subject->dictionary, subject->dictionarySize,
									 subject->chunk->type, subject->chunk->width,
									 subject->arena);
	if (peeked == NULL)
		return "the dictionary cannot be peeked at";
	wrong = CheckExcludes(c, peeked, &memo);
	if (wrong == NULL)
		wrong = CheckSelection(c, peeked, &memo,
							   MakeSelection(subject->piece->count, 1, subject->arena));
	if (wrong == NULL)
		wrong = CheckSelection(c, subject->state, &memo,
							   MakeSelection(subject->piece->count, 1, subject->arena));
	return wrong;
}

/* One filter, with all kinds of selections and one memo. */
static const char *
CheckOneFilter(const TestFilterSubject *subject, const RetlFilter *filter)
{
	FilterCase	c = {subject, filter, NULL, -1};
	RetlFilterMemo memo = {NULL, subject->arena};
	const char *wrong = CheckPeeked(&c);
	int			kind;

	if (wrong == NULL && subject->chunk != NULL)
		wrong = CheckExcludes(&c, subject->state, &memo);

	for (kind = 3; kind >= 0 && wrong == NULL; kind--)
		wrong = CheckSelection(&c, subject->state, &memo,
							   MakeSelection(subject->piece->count, kind, subject->arena));
	RetlSimdAllowed = false;
	if (wrong == NULL)
		wrong = CheckSelection(&c, subject->state, &memo,
							   MakeSelection(subject->piece->count, 1, subject->arena));
	RetlSimdAllowed = true;
	return wrong;
}

/* A predicate: is the sum of the bytes even? */
static bool
SumIsEven(void *context, const uint8_t *value, size_t length)
{
	unsigned	sum = 0;
	size_t		i;

	(*(long *) context)++;
	for (i = 0; i < length; i++)
		sum += value[i];
	return sum % 2 == 0;
}

/* Filters that only a predicate can answer. */
static const char *
CheckPredicates(const TestFilterSubject *subject)
{
	RetlFilterConstant constant = {(const uint8_t *) "12345678", 8};
	RetlFilter	filter = {RETL_PREDICATE, RETL_ORDER_NONE, 0, NULL, SumIsEven, NULL};
	long		calls = 0;
	const char *wrong;

	filter.predicateContext = &calls;
	wrong = CheckOneFilter(subject, &filter);
	filter.op = RETL_LT;
	filter.order = RETL_ORDER_NUMERIC;
	filter.constantCount = 1;
	filter.constants = &constant;
	if (wrong == NULL)
		wrong = CheckOneFilter(subject, &filter);
	filter.predicate = NULL;
	if (wrong == NULL)
		wrong = CheckOneFilter(subject, &filter);
	return wrong;
}

/* All operations in one order. */
static const char *
CheckOperations(const TestFilterSubject *subject, RetlOrder order,
				const RetlFilterConstant *a, const RetlFilterConstant *b)
{
	RetlFilterConstant constants[2] = {*a, *b};
	RetlFilter	filter = {RETL_LT, order, 1, NULL, NULL, NULL};
	const char *wrong = NULL;
	int			cmp;
	RetlFilterOp op;

	filter.constants = constants;
	for (op = RETL_LT; op <= RETL_NE && wrong == NULL; op++)
	{
		filter.op = op;
		wrong = CheckOneFilter(subject, &filter);
	}
	filter.op = RETL_BETWEEN;
	filter.constantCount = 2;
	if (wrong == NULL)
		wrong = CheckOneFilter(subject, &filter);
	cmp = FilterOrder(&filter, subject->piece->type, subject->piece->width, a->data, a->length, 1);
	if (cmp > 0)
	{
		constants[0] = *b;
		constants[1] = *a;
		if (wrong == NULL)
			wrong = CheckOneFilter(subject, &filter);
	}
	filter.op = RETL_IN;
	for (filter.constantCount = 0; filter.constantCount <= 2 && wrong == NULL; filter.constantCount++)
		if (filter.constantCount < 2 || cmp != 0)
			wrong = CheckOneFilter(subject, &filter);
	return wrong;
}

/* See testlib.h. */
const char *
TestFilters(const TestFilterSubject *subject, const uint8_t *a, size_t aLength,
			const uint8_t *b, size_t bLength)
{
	RetlFilterConstant aConstant = {a, (uint32_t) aLength};
	RetlFilterConstant bConstant = {b, (uint32_t) bLength};
	const char *wrong;

	if (subject->encoding->filter == NULL)
		return NULL;
	wrong = CheckPredicates(subject);
	if (wrong != NULL)
		return wrong;
	switch (subject->piece->type)
	{
		case RETL_PHYS_INT:
			wrong = CheckOperations(subject, RETL_ORDER_UNSIGNED, &aConstant, &bConstant);
			if (wrong != NULL)
				return wrong;
			return CheckOperations(subject, RETL_ORDER_SIGNED, &aConstant, &bConstant);
		case RETL_PHYS_FLOAT:
			return CheckOperations(subject, RETL_ORDER_FLOAT, &aConstant, &bConstant);
		case RETL_PHYS_BYTES:
			wrong = CheckOperations(subject, RETL_ORDER_NUMERIC, &aConstant, &bConstant);
			if (wrong != NULL)
				return wrong;
			return CheckOperations(subject, RETL_ORDER_BYTES, &aConstant, &bConstant);
		default:
			return CheckOperations(subject, RETL_ORDER_BYTES, &aConstant, &bConstant);
	}
}

/* See testlib.h. */
void
TestDecodedInit(RetlDecoded *decoded, RetlPhysType type, uint16_t width,
				uint32_t count, const RetlArena *arena)
{
	memset(decoded, 0, sizeof(*decoded));
	if (type == RETL_PHYS_BYTES)
	{
		decoded->starts = RetlArenaAlloc(arena, sizeof(uint32_t) * count);
		decoded->lengths = RetlArenaAlloc(arena, sizeof(uint32_t) * count);
	}
	else
		decoded->fixed = RetlArenaAlloc(arena, (size_t) count * width);
}

/* See testlib.h. */
const uint8_t *
TestDecodedAt(const RetlDecoded *decoded, RetlPhysType type, uint16_t width,
			  uint32_t index, size_t *length)
{
	if (type == RETL_PHYS_BYTES)
	{
		*length = decoded->lengths[index];
		return decoded->bytes + decoded->starts[index];
	}
	*length = width;
	return decoded->fixed + (size_t) index * width;
}

/* Want one value in "rarity" of "count". */
static uint64_t *
MakeWanted(uint32_t count, unsigned rarity, const RetlArena *arena)
{
	uint32_t	words = RetlSelectionWords(count);
	uint64_t   *wanted = RetlArenaAlloc(arena, words * sizeof(uint64_t));
	uint64_t	seed = count + rarity;
	uint32_t	i;

	memset(wanted, 0, words * sizeof(uint64_t));
	for (i = 0; i < count; i++)
		if (TestRandom(&seed) % rarity == 0)
			wanted[i / 64] |= UINT64_C(1) << (i % 64);
	return wanted;
}

/* Decode the wanted values and compare them. */
static const char *
CheckWanted(const TestFilterSubject *subject, const uint64_t *wanted)
{
	const RetlValues *piece = subject->piece;
	RetlDecoded decoded;
	const char *error = NULL;
	uint32_t	i;

	TestDecodedInit(&decoded, piece->type, piece->width, piece->count, subject->arena);
	decoded.wanted = wanted;
	if (!subject->encoding->decode(subject->state, subject->src, subject->srcSize, piece->type,
								   piece->width, piece->count, &decoded, subject->arena, &error))
		return error;
	for (i = 0; i < piece->count; i++)
	{
		size_t		length;
		size_t		expectedLength;
		const uint8_t *value;
		const uint8_t *expected = TestValueAt(piece, i, &expectedLength);

		if (!RetlIsSelected(wanted, i))
			continue;
		value = TestDecodedAt(&decoded, piece->type, piece->width, i, &length);
		if (length != expectedLength || (length > 0 && memcmp(value, expected, length) != 0))
			return "wanted value differs";
	}
	return NULL;
}

/* See testlib.h. */
const char *
TestWanted(const TestFilterSubject *subject)
{
	static const unsigned rarities[] = {1, 3, 40, 70, 300, 1000000};
	const char *wrong = NULL;
	int			i;

	for (i = 0; i < LENGTH(rarities) && wrong == NULL; i++)
		wrong = CheckWanted(subject, MakeWanted(subject->piece->count, rarities[i],
												subject->arena));
	return wrong;
}
