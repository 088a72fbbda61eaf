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

struct TestPattern
{
	const char *name;
	MakeFunction make;
};

static const TestPattern patterns[] = {
	{"equal", MakeEqual},
	{"zero", MakeZero},
	{"rising", MakeRising},
	{"falling", MakeFalling},
	{"random", MakeRandom},
	{"magnitudes", MakeMagnitudes},
	{"two values", MakeTwoValues},
	{"alternating", MakeAlternating},
	{"few values", MakeFewValues},
	{"runs", MakeRuns},
	{"one outlier", MakeOneOutlier},
	{"extremes", MakeExtremes},
	{"float specials", MakeFloatSpecials},
	{"binary", MakeBinary},
	{"prefixes", MakePrefixes},
	{"long", MakeLong},
	{"mostly empty", MakeMostlyEmpty},
	{"steps", MakeSteps},
	{"squares", MakeSquares},
	{"wrapping", MakeWrapping},
	{"small", MakeSmall},
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

/* How a value compares with a constant of the filter. */
static int
FilterOrder(const RetlFilter *filter, RetlPhysType type, uint16_t width,
			const uint8_t *value, size_t length, uint32_t which)
{
	const RetlFilterConstant *constant = &filter->constants[which];

	if (filter->order == RETL_ORDER_UNSIGNED)
		return UnsignedOrder(width, value, constant->data);
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
		filter->order == RETL_ORDER_NUMERIC)
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

/* One filter at work on one piece. */
typedef struct FilterCase
{
	const TestFilterSubject *subject;
	const RetlFilter *filter;
	RetlFilterMemo memo;
} FilterCase;

/* Filter with this selection and compare with brute force; says what is wrong. */
static const char *
CheckSelection(FilterCase *c, uint64_t *selected)
{
	const TestFilterSubject *s = c->subject;
	const RetlValues *piece = s->piece;
	uint32_t	words = RetlSelectionWords(piece->count);
	uint64_t   *before = (uint64_t *) TestCopy(selected, words * sizeof(uint64_t), s->arena);
	bool		canTest = c->filter->predicate != NULL ||
		(c->filter->op != RETL_PREDICATE && c->filter->order != RETL_ORDER_NONE &&
		 c->filter->order != RETL_ORDER_NUMERIC);
	bool		answered = false;
	const char *error = NULL;
	uint32_t	i;

	if (!s->encoding->filter(s->state, s->src, s->srcSize, piece->type, piece->width,
							 piece->count, c->filter, &c->memo, selected, &answered,
							 s->arena, &error))
		return error != NULL ? error : "filter failed without saying why";
	if (!answered)
	{
		if (words > 0 && memcmp(before, selected, words * sizeof(uint64_t)) != 0)
			return "filter did not answer, but changed the selection";
		return NULL;
	}
	if (!canTest)
		return "filter answered what it cannot know";
	for (i = 0; i < words * 64; i++)
	{
		bool		expected = RetlIsSelected(before, i);
		size_t		length;
		const uint8_t *value;

		if (expected)
		{
			value = TestValueAt(piece, i, &length);
			expected = TestFilterPasses(c->filter, piece->type, piece->width, value, length);
		}
		if (RetlIsSelected(selected, i) != expected)
			return "filter is wrong";
	}
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

/* One filter, with all kinds of selections and one memo. */
static const char *
CheckOneFilter(const TestFilterSubject *subject, const RetlFilter *filter)
{
	FilterCase	c = {subject, filter, {NULL, subject->arena}};
	const char *wrong = NULL;
	int			kind;

	for (kind = 3; kind >= 0 && wrong == NULL; kind--)
		wrong = CheckSelection(&c, MakeSelection(subject->piece->count, kind, subject->arena));
	RetlSimdAllowed = false;
	if (wrong == NULL)
		wrong = CheckSelection(&c, MakeSelection(subject->piece->count, 1, subject->arena));
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
