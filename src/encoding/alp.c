/*-------------------------------------------------------------------------
 *
 * alp.c
 *	  ALP: floating-point numbers that are decimals, as integers.  Pure C.
 *
 * Serves RETL_PHYS_FLOAT.  Most floating-point numbers in tables were decimals
 * with few digits before they became binary.  For each piece an exponent e is
 * found such that the values are the numbers nearest to n / 10^e for integers n,
 * which then are packed as BITPACK does it.  Values for which that is not true
 * to the last bit (-0, infinities, NaN, numbers with too many digits) are
 * exceptions.
 *
 * The idea is that of Afroozeh, Kuffo and Boncz, "ALP: Adaptive Lossless
 * Floating-Point Compression" (SIGMOD 2023).  They multiply by 10^-e, which is
 * not exact, and search for pairs of exponents for which the errors cancel out.
 * Here one exponent is enough, since a division is exact enough: n and 10^e have
 * no rounding error, so the quotient is the double nearest to the decimal.
 * Values rise with their n, and so filters compare integers.
 *
 * Payload, empty if there are no values:
 *
 *	OFFSET	SIZE	DESCRIPTION
 *	0		1		e, -22 to 22
 *	1		...		the integers n and the exceptions (numbers.h); integers have at
 *					most 51 bits above a smallest one between -2^50 and 2^50
 *
 * A value is n / 10^e, or n * 10^-e if e is negative, as IEEE doubles, rounded
 * once; for values of 4 bytes the double is then rounded to a float.
 *
 * Example: the float8 values 0.5, 1.25 are 02 | 07 32 00 00 00 00 00 00 00 | 80
 * 25 | 00 00 00 00: e is 2; 7 bits, smallest integer 50, differences 0 and 75;
 * no exception.
 *
 *-------------------------------------------------------------------------
 */
#include <math.h>

#include "encoding/descriptors.h"
#include "encoding/filtering.h"
#include "encoding/numbers.h"
#include "encoding/valueops.h"

#define MAX_EXPONENT		22		/* of a power of ten that is an exact double */
#define ALP_HEADER			1

/* Integers: at most so many bits above the smallest, which is in between. */
#define MAX_BITS			51
#define INTEGER_LIMIT		(INT64_C(1) << 50)

/*
 * Writers keep below these: up to there the integer next to value * 10^e is the
 * right one, in spite of the value's own rounding error.
 */
#define DOUBLE_LIMIT		((double) INTEGER_LIMIT)
#define FLOAT_LIMIT			((double) (1 << 23))

/* Values looked at to find the exponent of a piece, and to see if ALP is any good. */
#define EXPONENT_SAMPLE		64
#define ANALYSE_SAMPLE		32

/* Bits of an exception, with its position. */
#define EXCEPTION_BITS(width)	(8 * (width) + 12)

/* Values handled at a time. */
#define BLOCK_VALUES		512

/* Exponents of values that any or no exponent suits. */
#define ANY_EXPONENT		(-MAX_EXPONENT - 1)
#define NO_EXPONENT			(MAX_EXPONENT + 1)

static const double powersOfTen[MAX_EXPONENT + 1] = {
	1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
	1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22
};

/* The payload of a piece with at least one value. */
typedef struct AlpPiece
{
	int			exponent;
	RetlNumbers numbers;
} AlpPiece;

/* PostgreSQL's floating-point types. */
static bool
AlpApplies(RetlPhysType type, uint16_t width)
{
	return type == RETL_PHYS_FLOAT && (width == 4 || width == 8);
}

/* The value that an integer stands for, as a double. */
static inline double
ValueOf(int64_t number, int exponent, uint16_t width)
{
	double		value = (double) number;

	if (exponent >= 0)
		value /= powersOfTen[exponent];
	else
		value *= powersOfTen[-exponent];
	return width == 4 ? (double) (float) value : value;
}

/* value * 10^exponent, about. */
static inline double
Scale(double value, int exponent)
{
	return exponent >= 0 ? value * powersOfTen[exponent] : value / powersOfTen[-exponent];
}

/* ---------------------------------------------------------------------
 * Writing
 * ---------------------------------------------------------------------
 */

/* The integer that stands for a value; false if none does. */
static inline bool
ToInteger(double value, int exponent, uint16_t width, int64_t *number)
{
	double		scaled = Scale(value, exponent);
	double		back;
	double		rest;

	*number = 0;
	if (!(fabs(scaled) < (width == 4 ? FLOAT_LIMIT : DOUBLE_LIMIT)))
		return false;
	*number = (int64_t) scaled;
	rest = scaled - (double) *number;
	*number += (rest >= 0.5) - (rest <= -0.5);
	back = ValueOf(*number, exponent, width);
	return memcmp(&back, &value, sizeof(value)) == 0;
}

/*
 * The smallest exponent with which an integer stands for the value.  With larger
 * ones there is an integer too, as long as it is not too large.
 */
static int
SmallestExponent(double value, uint16_t width)
{
	const double limit = width == 4 ? FLOAT_LIMIT : DOUBLE_LIMIT;
	int			low = -MAX_EXPONENT;
	int			high = MAX_EXPONENT;
	int64_t		number;

	if (value == 0)
		return signbit(value) ? NO_EXPONENT : ANY_EXPONENT;
	while (high > low && !(fabs(Scale(value, high)) < limit))
		high--;
	if (!ToInteger(value, high, width, &number))
		return NO_EXPONENT;
	while (low < high)
	{
		/* rounded down, of negative numbers too */
		int			middle = low + (high - low) / 2;

		if (ToInteger(value, middle, width, &number))
			high = middle;
		else
			low = middle + 1;
	}
	return high;
}

/* What values of a sample would take with an exponent, in bits. */
static double
CostOf(const double *sample, const int *smallest, uint32_t count, uint16_t width, int exponent)
{
	const double limit = width == 4 ? FLOAT_LIMIT : DOUBLE_LIMIT;
	double		low = 0;
	double		high = 0;
	uint32_t	good = 0;
	uint32_t	i;
	int			bits;

	for (i = 0; i < count; i++)
	{
		if (smallest[i] > exponent || !(fabs(Scale(sample[i], exponent)) < limit))
			continue;
		low = good == 0 || sample[i] < low ? sample[i] : low;
		high = good == 0 || sample[i] > high ? sample[i] : high;
		good++;
	}
	(void) frexp(Scale(high - low, exponent), &bits);
	return (double) count * (bits > 0 ? bits : 0) +
		(double) (count - good) * EXCEPTION_BITS(width);
}

/* The exponent for these values, of which there is at least one; from a sample. */
static int
ChooseExponent(const RetlValues *values)
{
	double		sample[EXPONENT_SAMPLE];
	int			smallest[EXPONENT_SAMPLE];
	uint32_t	count = values->count < EXPONENT_SAMPLE ? values->count : EXPONENT_SAMPLE;
	bool		tried[2 * MAX_EXPONENT + 1] = {false};
	double		bestCost = INFINITY;
	int			best = 0;
	uint32_t	i;

	for (i = 0; i < count; i++)
	{
		uint32_t	at = RetlSamplePosition(i, count, values->count);

		sample[i] = RetlLoadFloat(values->fixed + (size_t) at * values->width, values->width);
		smallest[i] = SmallestExponent(sample[i], values->width);
	}
	for (i = 0; i < count; i++)
	{
		int			exponent = smallest[i];
		double		cost;

		if (exponent == ANY_EXPONENT || exponent == NO_EXPONENT ||
			tried[exponent + MAX_EXPONENT])
			continue;
		tried[exponent + MAX_EXPONENT] = true;
		cost = CostOf(sample, smallest, count, values->width, exponent);
		if (cost < bestCost || (cost == bestCost && exponent < best))
		{
			bestCost = cost;
			best = exponent;
		}
	}
	return best;
}

/* Is no more than half of a few of the values a decimal? */
static bool
IsHopeless(const RetlValues *values)
{
	uint32_t	count = values->count < ANALYSE_SAMPLE ? values->count : ANALYSE_SAMPLE;
	uint32_t	bad = 0;
	uint32_t	i;

	for (i = 0; i < count && bad * 2 < count; i++)
	{
		uint32_t	at = RetlSamplePosition(i, count, values->count);
		double		value = RetlLoadFloat(values->fixed + (size_t) at * values->width,
										  values->width);

		bad += SmallestExponent(value, values->width) == NO_EXPONENT;
	}
	return count > 0 && bad * 2 >= count;
}

/* RetlEncoding.analyse: from some of the pieces. */
static uint64_t
AlpAnalyse(const RetlValues *values, uint32_t pieceRows, const RetlArena *arena)
{
	uint64_t	size;

	if (IsHopeless(values))
		return RETLDB_NEVER;
	size = RetlEstimateBySample(&RetlAlpEncoding, values, pieceRows, arena);

	/* Little gain is not worth the time. */
	return size > RetlValuesRawSize(values) / 8 * 7 ? RETLDB_NEVER : size;
}

/* RetlEncoding.encode. */
static void
AlpEncode(RetlEncodingState *state, const RetlValues *values, uint32_t first,
		  RetlBytes *out)
{
	uint32_t	count = values->count;
	int64_t    *numbers;
	uint32_t   *positions;
	uint32_t	exceptionCount = 0;
	int			exponent;
	int8_t		header;
	uint32_t	i;

	(void) state;
	(void) first;
	if (count == 0)
		return;
	numbers = RetlArenaAlloc(out->arena, sizeof(int64_t) * count);
	positions = RetlArenaAlloc(out->arena, sizeof(uint32_t) * count);
	exponent = ChooseExponent(values);
	for (i = 0; i < count; i++)
	{
		double		value = RetlLoadFloat(values->fixed + (size_t) i * values->width,
										  values->width);

		positions[exceptionCount] = i;
		exceptionCount += !ToInteger(value, exponent, values->width, &numbers[i]);
	}
	header = (int8_t) exponent;
	RetlBytesAppend(out, &header, ALP_HEADER);
	RetlNumbersAppend(out, values, numbers, positions, exceptionCount);
}

/* ---------------------------------------------------------------------
 * Reading
 * ---------------------------------------------------------------------
 */

/* Understand and check a payload; count is not 0. */
static bool
OpenPiece(AlpPiece *piece, const uint8_t *src, size_t srcSize, uint16_t width,
		  uint32_t count, const char **error)
{
	if (srcSize < ALP_HEADER)
		return RetlDamaged(error, "piece of decimals is truncated");
	piece->exponent = (int8_t) src[0];
	if (piece->exponent < -MAX_EXPONENT || piece->exponent > MAX_EXPONENT)
		return RetlDamaged(error, "piece of decimals has an impossible exponent");
	if (!RetlNumbersOpen(&piece->numbers, src + ALP_HEADER, srcSize - ALP_HEADER,
						 RETL_PHYS_FLOAT, width, count, error))
		return false;
	if (piece->numbers.bitWidth > MAX_BITS ||
		piece->numbers.smallest < -INTEGER_LIMIT || piece->numbers.smallest > INTEGER_LIMIT)
		return RetlDamaged(error, "piece of decimals has impossible integers");
	return true;
}

/*
 * Make values of integers between -2^51 and 2^51: added to the bits of 1.5 * 2^52
 * they make the bits of a double that is as much larger.  Processors convert
 * whole vectors this way that have no instruction for it.
 */
static void
MakeValues(const int64_t *restrict numbers, uint32_t count, int exponent, double *restrict dst)
{
	const double shift = 6755399441055744.0;
	const int64_t shiftBits = INT64_C(0x4338000000000000);
	const double divisor = exponent >= 0 ? powersOfTen[exponent] : 1;
	const double factor = exponent < 0 ? powersOfTen[-exponent] : 1;
	uint32_t	i;

	if (exponent > 0)
		for (i = 0; i < count; i++)
		{
			int64_t		bits = numbers[i] + shiftBits;
			double		number;

			memcpy(&number, &bits, sizeof(number));
			dst[i] = (number - shift) / divisor;
		}
	else
		for (i = 0; i < count; i++)
		{
			int64_t		bits = numbers[i] + shiftBits;
			double		number;

			memcpy(&number, &bits, sizeof(number));
			dst[i] = (number - shift) * factor;
		}
}

/* Round doubles to floats; dst is not aligned. */
static void
NarrowValues(const double *restrict values, uint32_t count, uint8_t *restrict dst)
{
	uint32_t	i;

	for (i = 0; i < count; i++)
	{
		float		narrow = (float) values[i];

		memcpy(dst + (size_t) i * sizeof(narrow), &narrow, sizeof(narrow));
	}
}

/* Put the exceptions in their places. */
static bool
PlaceExceptions(const AlpPiece *piece, uint16_t width, uint8_t *dst, const RetlArena *arena,
				const char **error)
{
	const RetlNumbers *numbers = &piece->numbers;
	uint32_t   *positions;
	uint32_t	i;

	if (numbers->exceptionCount == 0)
		return true;
	positions = RetlNumbersPositions(numbers, arena, error);
	if (positions == NULL)
		return false;
	for (i = 0; i < numbers->exceptionCount; i++)
		memcpy(dst + (size_t) positions[i] * width, numbers->exceptions + (size_t) i * width,
			   width);
	return true;
}

/* Store the value of an integer; dst is not aligned. */
static inline void
StoreValue(int64_t number, int exponent, uint16_t width, uint8_t *dst)
{
	double		value;

	MakeValues(&number, 1, exponent, &value);
	if (width == 4)
		NarrowValues(&value, 1, dst);
	else
		memcpy(dst, &value, sizeof(value));
}

/* Decode the wanted values, which are few, exceptions left aside. */
static void
DecodeFew(const AlpPiece *piece, uint16_t width, RetlDecoded *result)
{
	uint32_t	i;

	for (i = 0; i < result->fewCount; i++)
		StoreValue(RetlNumbersFetch(&piece->numbers, result->few[i]), piece->exponent, width,
				   result->fixed + (size_t) result->few[i] * width);
}

/* RetlEncoding.decode. */
static bool
AlpDecode(const RetlEncodingState *state, const uint8_t *src, size_t srcSize,
		  RetlPhysType type, uint16_t width, uint32_t count,
		  RetlDecoded *result, const RetlArena *arena, const char **error)
{
	AlpPiece	piece;
	uint32_t	first;
	uint32_t	part;

	(void) state;
	(void) type;
	if (count == 0)
		return srcSize == 0 || RetlDamaged(error, "piece of decimals has the wrong length");
	if (!OpenPiece(&piece, src, srcSize, width, count, error))
		return false;
	if (RetlDecodedIsFew(result, count, arena))
	{
		DecodeFew(&piece, width, result);
		return PlaceExceptions(&piece, width, result->fixed, arena, error);
	}
	for (first = 0; first < count; first += part)
	{
		int64_t		numbers[BLOCK_VALUES];
		double		values[BLOCK_VALUES];
		uint8_t    *dst = result->fixed + (size_t) first * width;

		part = count - first < BLOCK_VALUES ? count - first : BLOCK_VALUES;
		if (result->wanted != NULL && !RetlSelectionAny(result->wanted, first, part))
			continue;
		RetlNumbersRead(&piece.numbers, first, part, numbers);
		MakeValues(numbers, part, piece.exponent, values);
		if (width == 4)
			NarrowValues(values, part, dst);
		else
			memcpy(dst, values, part * sizeof(double));
	}
	return PlaceExceptions(&piece, width, result->fixed, arena, error);
}

/* RetlEncoding.fetch. */
static bool
AlpFetch(const RetlEncodingState *state, const uint8_t *src, size_t srcSize,
		 RetlPhysType type, uint16_t width, uint32_t count, uint32_t index,
		 RetlDecoded *result, const RetlArena *arena, const char **error)
{
	AlpPiece	piece;
	uint32_t	which;

	(void) state;
	(void) type;
	(void) arena;
	if (index >= count)
		return RetlDamaged(error, "value index is out of range");
	if (!OpenPiece(&piece, src, srcSize, width, count, error))
		return false;
	if (RetlNumbersIsException(&piece.numbers, index, &which))
	{
		memcpy(result->fixed, piece.numbers.exceptions + (size_t) which * width, width);
		return true;
	}
	StoreValue(RetlNumbersFetch(&piece.numbers, index), piece.exponent, width, result->fixed);
	return true;
}

/* ---------------------------------------------------------------------
 * Filtering
 * ---------------------------------------------------------------------
 */

/* What the places of constants depend on. */
typedef struct PlaceContext
{
	int			exponent;
	uint16_t	width;
} PlaceContext;

/* Is the value of this difference not below (strictly: above) the constant? */
static inline bool
Reaches(const RetlNumbers *numbers, const PlaceContext *context, uint64_t difference,
		double constant, bool strictly)
{
	double		value = ValueOf(numbers->smallest + (int64_t) difference, context->exponent,
								context->width);

	return strictly ? value > constant : value >= constant;
}

/*
 * The first difference whose value reaches a constant, one past the last if none
 * does: looked for by halves, first of all about where it should be.
 */
static uint64_t
FirstReaching(const RetlNumbers *numbers, const PlaceContext *context, double constant,
			  bool strictly)
{
	uint64_t	low = 0;
	uint64_t	high = RetlBitMask(numbers->bitWidth) + 1;
	double		guess = Scale(constant, context->exponent) - (double) numbers->smallest;

	if (guess > 2 && guess < (double) high - 3)
	{
		uint64_t	middle = (uint64_t) guess;

		if (!Reaches(numbers, context, middle - 2, constant, strictly))
			low = middle - 1;
		if (Reaches(numbers, context, middle + 2, constant, strictly))
			high = middle + 2;
	}
	while (low < high)
	{
		uint64_t	middle = low + (high - low) / 2;

		if (Reaches(numbers, context, middle, constant, strictly))
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

/* RetlPlaceFunction; NaN is above all numbers. */
static RetlPlace
PlaceOf(const void *opaque, const RetlNumbers *numbers, const RetlFilterConstant *constant)
{
	const PlaceContext *context = opaque;
	double		value = RetlLoadFloat(constant->data, context->width);
	uint64_t	largest = RetlBitMask(numbers->bitWidth);
	RetlPlace	place = {0, 0, true, true};

	if (value != value)
		return place;
	place.atLeast = FirstReaching(numbers, context, value, false);
	place.above = FirstReaching(numbers, context, value, true);
	place.noneAtLeast = place.atLeast > largest;
	place.noneAbove = place.above > largest;
	return place;
}

/* RetlEncoding.filter. */
static bool
AlpFilter(const RetlEncodingState *state, const uint8_t *src, size_t srcSize,
		  RetlPhysType type, uint16_t width, uint32_t count,
		  const RetlFilter *filter, RetlFilterMemo *memo,
		  uint64_t *selected, bool *answered,
		  const RetlArena *arena, const char **error)
{
	AlpPiece	piece;
	PlaceContext context;

	(void) state;
	(void) memo;
	*answered = RetlFilterCanCompare(filter, type, width);
	if (!*answered)
		return true;
	if (count == 0)
		return srcSize == 0 || RetlDamaged(error, "piece of decimals has the wrong length");
	if (!OpenPiece(&piece, src, srcSize, width, count, error))
		return false;
	context.exponent = piece.exponent;
	context.width = width;
	return RetlNumbersFilter(&piece.numbers, type, width, filter, PlaceOf, &context, selected,
							 arena, error);
}

const RetlEncoding RetlAlpEncoding = {
	.id = RETL_ENCODING_ALP,
	.name = "alp",
	.applies = AlpApplies,
	.analyse = AlpAnalyse,
	.encode = AlpEncode,
	.decode = AlpDecode,
	.takesFew = true,
	.fetch = AlpFetch,
	.filter = AlpFilter,
};
