/*-------------------------------------------------------------------------
 *
 * test_key_bytes.c
 *	  Zone map keys: the order of keys is that of the values, and exact keys are
 *	  equal only for equal values.
 *
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "testlib.h"

#include "rowgroup/key_bytes.h"

#include <cmocka.h>

typedef struct Key
{
	uint8_t		bytes[RETLDB_KEY_LENGTH];
	bool		exact;
} Key;

/* Do the keys of two values agree with how the values compare? */
static void
CheckOrder(const Key *a, const Key *b, int order)
{
	int			keyOrder = memcmp(a->bytes, b->bytes, RETLDB_KEY_LENGTH);

	if (order < 0)
		assert_true(keyOrder <= 0);
	else if (order > 0)
		assert_true(keyOrder >= 0);
	else
		assert_int_equal(keyOrder, 0);
	if (order != 0 && a->exact && b->exact)
		assert_int_not_equal(keyOrder, 0);
}

static void
test_integers(void **state)
{
	uint64_t	seed = 1;

	(void) state;
	for (int i = 0; i < 20000; i++)
	{
		uint64_t	a = TestRandom(&seed) >> (TestRandom(&seed) % 64);
		uint64_t	b = TestRandom(&seed) >> (TestRandom(&seed) % 64);
		Key			x = {.exact = true};
		Key			y = {.exact = true};

		if (i % 2)
			b = a + (uint64_t) (i % 5) - 2;
		RetlKeyFromUint(a, x.bytes);
		RetlKeyFromUint(b, y.bytes);
		CheckOrder(&x, &y, (a > b) - (a < b));
		RetlKeyFromInt((int64_t) a, x.bytes);
		RetlKeyFromInt((int64_t) b, y.bytes);
		CheckOrder(&x, &y, ((int64_t) a > (int64_t) b) - ((int64_t) a < (int64_t) b));
	}
}

/* PostgreSQL's order: NaN equals NaN and is above all. */
static int
CompareFloats(double a, double b)
{
	if (isnan(a) || isnan(b))
		return (isnan(a) ? 1 : 0) - (isnan(b) ? 1 : 0);
	return (a > b) - (a < b);
}

static void
test_floats(void **state)
{
	const double values[] = {0.0, -0.0, 1, -1, INFINITY, -INFINITY, NAN, -NAN, 5e-324, -5e-324,
	2.2e-308, 1.7e308, -1.7e308, 0.1, 0.1f, -2.5, 1e10, 3};
	const int	count = sizeof(values) / sizeof(values[0]);

	(void) state;
	for (int i = 0; i < count; i++)
		for (int j = 0; j < count; j++)
		{
			Key			x = {.exact = true};
			Key			y = {.exact = true};

			RetlKeyFromFloat(values[i], x.bytes);
			RetlKeyFromFloat(values[j], y.bytes);
			CheckOrder(&x, &y, CompareFloats(values[i], values[j]));
		}
}

/* Bytewise, the shorter one first. */
static int
CompareBytes(const uint8_t *a, size_t aLength, const uint8_t *b, size_t bLength)
{
	int			order = memcmp(a, b, aLength < bLength ? aLength : bLength);

	return order != 0 ? order : (aLength > bLength) - (aLength < bLength);
}

static size_t
TrimmedLength(const uint8_t *data, size_t length)
{
	while (length > 0 && data[length - 1] == ' ')
		length--;
	return length;
}

/* A string of few different bytes, so that many agree; of exact size for ASan. */
static uint8_t *
MakeString(uint64_t *seed, size_t *length)
{
	static const uint8_t letters[] = {0, 1, ' ', 'a', 255};
	uint8_t    *data;

	*length = TestRandom(seed) % 20;
	data = malloc(*length > 0 ? *length : 1);
	for (size_t i = 0; i < *length; i++)
		data[i] = TestRandom(seed) % 8 ? 'a' : letters[TestRandom(seed) % sizeof(letters)];
	return data;
}

static void
test_strings(void **state)
{
	uint64_t	seed = 3;

	(void) state;
	for (int i = 0; i < 100000; i++)
	{
		size_t		aLength;
		size_t		bLength;
		uint8_t    *a = MakeString(&seed, &aLength);
		uint8_t    *b = MakeString(&seed, &bLength);
		Key			x;
		Key			y;

		x.exact = RetlKeyFromBytes(a, aLength, x.bytes);
		y.exact = RetlKeyFromBytes(b, bLength, y.bytes);
		CheckOrder(&x, &y, CompareBytes(a, aLength, b, bLength));
		x.exact = RetlKeyFromPadded(a, aLength, x.bytes);
		y.exact = RetlKeyFromPadded(b, bLength, y.bytes);
		CheckOrder(&x, &y, CompareBytes(a, TrimmedLength(a, aLength),
										b, TrimmedLength(b, bLength)));
		free(a);
		free(b);
	}
}

/* A numeric as PostgreSQL has it; class: -2 -infinity, 2 infinity, 3 NaN, else the sign. */
typedef struct Numeric
{
	int			class;
	int			weight;
	int			digitCount;		/* the first and last digits are not zero */
	int			digits[12];
} Numeric;

static void
MakeNumeric(uint64_t *seed, Numeric *numeric)
{
	memset(numeric, 0, sizeof(*numeric));
	if (TestRandom(seed) % 10 == 0)
	{
		static const int classes[] = {-2, 0, 2, 3};

		numeric->class = classes[TestRandom(seed) % 4];
		return;
	}
	numeric->class = TestRandom(seed) % 2 ? 1 : -1;
	numeric->weight = (int) (TestRandom(seed) % 5) - 2;
	if (TestRandom(seed) % 10 == 0)
		numeric->weight *= TestRandom(seed) % 2 ? 10 : 16000;
	numeric->digitCount = 1 + (int) (TestRandom(seed) % 12);
	for (int i = 0; i < numeric->digitCount; i++)
		numeric->digits[i] = TestRandom(seed) % 3 ? 5000 : (int) (TestRandom(seed) % 10000);
	if (numeric->digits[0] == 0)
		numeric->digits[0] = 1;
	if (numeric->digits[numeric->digitCount - 1] == 0)
		numeric->digits[numeric->digitCount - 1] = 9999;
}

static int
CompareNumerics(const Numeric *a, const Numeric *b)
{
	int			order;

	if (a->class != b->class)
		return a->class < b->class ? -1 : 1;
	if (a->class != 1 && a->class != -1)
		return 0;
	order = (a->weight > b->weight) - (a->weight < b->weight);
	for (int i = 0; i < 12 && order == 0; i++)
		order = (a->digits[i] > b->digits[i]) - (a->digits[i] < b->digits[i]);
	return order * a->class;
}

/* The bytes after the varlena header, in the short form where it serves if "brief". */
static size_t
PutNumeric(const Numeric *numeric, bool brief, uint8_t *dst)
{
	bool		negative = numeric->class == -1;
	uint16_t	words[16];
	int			count = 0;

	if (numeric->class == 3)
		words[count++] = 0xC000;
	else if (numeric->class == 2)
		words[count++] = 0xD000;
	else if (numeric->class == -2)
		words[count++] = 0xF000;
	else if (brief && numeric->weight >= -64 && numeric->weight <= 63)
		words[count++] = (uint16_t) (0x8000 | (negative ? 0x2000 : 0) | 7 << 7 |
									 (numeric->weight & 0x7F));
	else
	{
		words[count++] = (uint16_t) ((negative ? 0x4000 : 0) | 7);
		words[count++] = (uint16_t) numeric->weight;
	}
	for (int i = 0; i < numeric->digitCount; i++)
		words[count++] = (uint16_t) numeric->digits[i];
	memcpy(dst, words, (size_t) count * sizeof(words[0]));
	return (size_t) count * sizeof(words[0]);
}

static void
MakeNumericKey(const Numeric *numeric, bool brief, Key *key)
{
	uint8_t		bytes[40];
	size_t		length = PutNumeric(numeric, brief, bytes);
	uint8_t    *copy = malloc(length);

	memcpy(copy, bytes, length);
	key->exact = RetlKeyFromNumeric(copy, length, key->bytes);
	free(copy);
}

static void
test_numerics(void **state)
{
	uint64_t	seed = 4;

	(void) state;
	for (int i = 0; i < 200000; i++)
	{
		Numeric		a;
		Numeric		b;
		Key			x;
		Key			y;

		MakeNumeric(&seed, &a);
		MakeNumeric(&seed, &b);
		if (i % 3 == 0)
		{
			b = a;
			if (i % 2 && b.digitCount > 0 && b.digits[b.digitCount - 1] != 77)
				b.digits[b.digitCount - 1] = 77;
		}
		MakeNumericKey(&a, i % 5 != 0, &x);
		MakeNumericKey(&b, true, &y);
		CheckOrder(&x, &y, CompareNumerics(&a, &b));
		assert_int_equal(x.exact, a.digitCount <= 6);
	}
}

/* Zeros at either end do not matter, and bytes that are no numeric do no harm. */
static void
test_odd_numerics(void **state)
{
	const uint16_t plain[] = {0x8000, 42};	/* 42 */
	const uint16_t zeros[] = {0x8000 | 1, 0, 42, 0, 0};
	const uint16_t none[] = {0x8000 | 3, 0, 0};
	uint8_t		x[RETLDB_KEY_LENGTH];
	uint8_t		y[RETLDB_KEY_LENGTH];

	(void) state;
	assert_true(RetlKeyFromNumeric((const uint8_t *) plain, sizeof(plain), x));
	assert_true(RetlKeyFromNumeric((const uint8_t *) zeros, sizeof(zeros), y));
	assert_memory_equal(x, y, RETLDB_KEY_LENGTH);
	assert_true(RetlKeyFromNumeric((const uint8_t *) none, sizeof(none), x));
	assert_true(RetlKeyFromNumeric((const uint8_t *) none, 2, y));
	assert_memory_equal(x, y, RETLDB_KEY_LENGTH);
	assert_false(RetlKeyFromNumeric((const uint8_t *) plain, 0, x));
	assert_false(RetlKeyFromNumeric((const uint8_t *) plain, 1, x));
	assert_false(RetlKeyFromNumeric((const uint8_t *) "\0\0", 2, x));
	assert_true(RetlKeyFromNumeric((const uint8_t *) plain, 3, x));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_integers),
		cmocka_unit_test(test_floats),
		cmocka_unit_test(test_strings),
		cmocka_unit_test(test_numerics),
		cmocka_unit_test(test_odd_numerics),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
