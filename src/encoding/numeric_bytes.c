/*-------------------------------------------------------------------------
 *
 * numeric_bytes.c
 *	  PostgreSQL's numeric as it is stored: understanding and comparing the
 *	  bytes.  Pure C.
 *
 * Canonical form (no zero digits at either end, the short head where it is
 * enough) is not relied on.
 *
 *-------------------------------------------------------------------------
 */
#include "encoding/numeric_bytes.h"
#include "encoding/valueops.h"

#define LONG_NEGATIVE		0x4000
#define LONG_SCALE_MASK		0x3FFF
#define WEIGHT_MASK			0x003F
#define WEIGHT_SIGN			0x0040

/* Decimal digits of a digit. */
#define DIGIT_PLACES		4

/* Read a head and what belongs to it; returns how many bytes that is, 0 if too few. */
static size_t
ParseHead(RetlNumeric *numeric, const uint8_t *bytes, size_t length)
{
	uint16_t	head;

	if (length < sizeof(uint16_t))
		return 0;
	head = RetlLoad16(bytes);
	numeric->class = RETL_NUMERIC_FINITE;
	if ((head & RETLDB_NUMERIC_SPECIAL) == RETLDB_NUMERIC_SPECIAL)
	{
		switch (head & 0xF000)
		{
			case RETLDB_NUMERIC_INFINITY:
				numeric->class = RETL_NUMERIC_INFINITY;
				break;
			case RETLDB_NUMERIC_MINUS_INFINITY:
				numeric->class = RETL_NUMERIC_MINUS_INFINITY;
				break;
			default:
				numeric->class = RETL_NUMERIC_NAN;
				break;
		}
		return length;
	}
	if (head & RETLDB_NUMERIC_SHORT)
	{
		numeric->shortForm = true;
		numeric->negative = (head & RETLDB_NUMERIC_SHORT_NEGATIVE) != 0;
		numeric->scale = (head >> RETLDB_NUMERIC_SCALE_SHIFT) & RETLDB_NUMERIC_SHORT_SCALE;
		numeric->weight = (head & WEIGHT_MASK) - (head & WEIGHT_SIGN ? WEIGHT_SIGN : 0);
		return sizeof(uint16_t);
	}
	if (length < 2 * sizeof(uint16_t))
		return 0;
	numeric->negative = (head & LONG_NEGATIVE) != 0;
	numeric->scale = head & LONG_SCALE_MASK;
	numeric->weight = (int16_t) RetlLoad16(bytes + sizeof(uint16_t));
	return 2 * sizeof(uint16_t);
}

/* Digit i. */
static inline uint16_t
DigitAt(const RetlNumeric *numeric, uint32_t i)
{
	return RetlLoad16(numeric->digits + sizeof(uint16_t) * (size_t) i);
}

/* See numeric_bytes.h. */
void
RetlNumericParse(RetlNumeric *numeric, const uint8_t *bytes, size_t length)
{
	size_t		headSize;
	uint32_t	i;

	memset(numeric, 0, sizeof(*numeric));
	headSize = ParseHead(numeric, bytes, length);
	if (headSize == 0 || (length - headSize) % sizeof(uint16_t) != 0)
	{
		numeric->class = RETL_NUMERIC_BROKEN;
		return;
	}
	numeric->digits = bytes + headSize;
	numeric->digitCount = (uint32_t) ((length - headSize) / sizeof(uint16_t));
	for (i = 0; i < numeric->digitCount; i++)
		if (DigitAt(numeric, i) >= RETLDB_NUMERIC_BASE)
			numeric->class = RETL_NUMERIC_BROKEN;
}

/* Leave out zero digits at either end. */
static void
TrimDigits(RetlNumeric *numeric)
{
	while (numeric->digitCount > 0 && DigitAt(numeric, 0) == 0)
	{
		numeric->digits += sizeof(uint16_t);
		numeric->digitCount--;
		numeric->weight--;
	}
	while (numeric->digitCount > 0 && DigitAt(numeric, numeric->digitCount - 1) == 0)
		numeric->digitCount--;
}

/* -1, 0, 1 as a finite numeric, trimmed, is negative, zero or positive. */
static int
SignOf(const RetlNumeric *numeric)
{
	if (numeric->digitCount == 0)
		return 0;
	return numeric->negative ? -1 : 1;
}

/* Compare two numbers that are trimmed and not zero, without their signs. */
static int
CompareMagnitudes(const RetlNumeric *a, const RetlNumeric *b)
{
	uint32_t	common = a->digitCount < b->digitCount ? a->digitCount : b->digitCount;
	uint32_t	i;

	if (a->weight != b->weight)
		return a->weight < b->weight ? -1 : 1;
	for (i = 0; i < common; i++)
		if (DigitAt(a, i) != DigitAt(b, i))
			return DigitAt(a, i) < DigitAt(b, i) ? -1 : 1;
	return (a->digitCount > b->digitCount) - (a->digitCount < b->digitCount);
}

/* See numeric_bytes.h. */
int
RetlCompareNumeric(const uint8_t *a, size_t aLength, const uint8_t *b, size_t bLength)
{
	RetlNumeric x;
	RetlNumeric y;
	int			xSign;
	int			ySign;

	RetlNumericParse(&x, a, aLength);
	RetlNumericParse(&y, b, bLength);
	if (x.class != y.class)
		return x.class < y.class ? -1 : 1;
	if (x.class != RETL_NUMERIC_FINITE)
		return 0;
	TrimDigits(&x);
	TrimDigits(&y);
	xSign = SignOf(&x);
	ySign = SignOf(&y);
	if (xSign != ySign)
		return xSign < ySign ? -1 : 1;
	return xSign == 0 ? 0 : xSign * CompareMagnitudes(&x, &y);
}

/*
 * The integer part of |numeric| * 10^scale, and whether there is nothing else;
 * false if it is more than 64 bits hold.  Goes through the decimal digits: this
 * is for constants.
 */
static bool
MagnitudeFloor(const RetlNumeric *numeric, unsigned scale, uint64_t *floor, bool *exact)
{
	static const uint16_t places[DIGIT_PLACES] = {1000, 100, 10, 1};
	int			exponent = (numeric->weight + 1) * DIGIT_PLACES + (int) scale;
	uint32_t	i;
	unsigned	k;

	/* "exponent" decimal digits belong to the integer part */
	*floor = 0;
	*exact = true;
	for (i = 0; i < numeric->digitCount; i++)
		for (k = 0; k < DIGIT_PLACES; k++, exponent--)
		{
			unsigned	digit = DigitAt(numeric, i) / places[k] % 10;

			if (exponent <= 0)
				*exact = *exact && digit == 0;
			else if (__builtin_mul_overflow(*floor, 10, floor) ||
					 __builtin_add_overflow(*floor, digit, floor))
				return false;
		}
	for (; exponent > 0 && *floor != 0; exponent--)
		if (__builtin_mul_overflow(*floor, 10, floor))
			return false;
	return true;
}

/* See numeric_bytes.h. */
int
RetlNumericFloor(const uint8_t *bytes, size_t length, unsigned scale, int64_t *floor, bool *exact)
{
	const uint64_t limit = UINT64_C(1) << 63;
	RetlNumeric numeric;
	uint64_t	magnitude;

	*floor = 0;
	*exact = false;
	RetlNumericParse(&numeric, bytes, length);
	if (numeric.class != RETL_NUMERIC_FINITE)
		return numeric.class < RETL_NUMERIC_FINITE ? -1 : 1;
	TrimDigits(&numeric);
	if (!MagnitudeFloor(&numeric, scale, &magnitude, exact))
		return numeric.negative ? -1 : 1;
	if (!numeric.negative)
	{
		*floor = (int64_t) magnitude;
		return magnitude >= limit ? 1 : 0;
	}
	if (magnitude > limit || (magnitude == limit && !*exact))
		return -1;
	*floor = (int64_t) (0 - magnitude - (*exact ? 0 : 1));
	return 0;
}
