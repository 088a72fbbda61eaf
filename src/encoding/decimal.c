/*-------------------------------------------------------------------------
 *
 * decimal.c
 *	  DECIMAL: numeric values as scaled integers.  Pure C.
 *
 * Serves RETL_PHYS_BYTES whose values are PostgreSQL's numeric.  For each piece
 * a scale s is found, and a value is stored as the integer value * 10^s, packed
 * as BITPACK does it, and its display scale, which is the same for all values of
 * most columns and takes no space then.  s may be less than the display scales,
 * if the last decimal places are zero.  Values that are no such integer, or that
 * would not come back with the same bytes (NaN, infinities, long heads, zero
 * digits at either end), are exceptions.  Since all integers of a piece have the
 * same scale, filters compare them.
 *
 * Payload, empty if there are no values:
 *
 *	OFFSET	SIZE	DESCRIPTION
 *	0		1		s, 0 to 16
 *	1		n		the display scales, 0 to 63: a packed array of count numbers
 *	1 + n	...		the integers and the exceptions (numbers.h)
 *
 * A value that is no exception has the short head and no zero digit at either
 * end: that is how PostgreSQL writes it.
 *
 * Example: 12.50 and 0.01 are 02 | 00 02 00 00 00 | 0B 01 00 00 00 00 00 00 00 |
 * E1 04 00 | 00 00 00 00: scale 2; display scales of 0 bits, base 2; 11 bits,
 * smallest integer 1, differences 1249 and 0; no exception.
 *
 *-------------------------------------------------------------------------
 */
#include "encoding/descriptors.h"
#include "encoding/filtering.h"
#include "encoding/numbers.h"
#include "encoding/numeric_bytes.h"
#include "encoding/valueops.h"

#define MAX_SCALE			16
#define DECIMAL_HEADER		1

/* Decimal digits of a digit to the base 10000. */
#define DIGIT_PLACES		4

/* Bytes kept for each value decoded; they take 2 + 2 * 6 at most. */
#define VALUE_ROOM			16

/* Bits of an exception, about. */
#define EXCEPTION_BITS		120

/* Values handled at a time; a multiple of 64. */
#define BLOCK_VALUES		512

static const uint64_t powersOfTen[] = {
	UINT64_C(1), UINT64_C(10), UINT64_C(100), UINT64_C(1000), UINT64_C(10000),
	UINT64_C(100000), UINT64_C(1000000), UINT64_C(10000000), UINT64_C(100000000),
	UINT64_C(1000000000), UINT64_C(10000000000), UINT64_C(100000000000),
	UINT64_C(1000000000000), UINT64_C(10000000000000), UINT64_C(100000000000000),
	UINT64_C(1000000000000000), UINT64_C(10000000000000000)
};

/* The payload of a piece with at least one value. */
typedef struct DecimalPiece
{
	unsigned	scale;
	RetlPacked	displayScales;
	RetlNumbers numbers;
} DecimalPiece;

/* Byte strings; whether they are numeric, the values say. */
static bool
DecimalApplies(RetlPhysType type, uint16_t width)
{
	return type == RETL_PHYS_BYTES && width == 0;
}

/* ---------------------------------------------------------------------
 * Writing
 * ---------------------------------------------------------------------
 */

/* A value as an integer with the smallest scale; an exception if scale > MAX_SCALE. */
typedef struct ScaledValue
{
	int64_t		number;
	unsigned	scale;
	uint32_t	displayScale;
} ScaledValue;

/* What there is of the values with one scale. */
typedef struct ScaleClass
{
	uint32_t	count;
	int64_t		smallest;
	int64_t		largest;
} ScaleClass;

/*
 * The digits as one integer of the smallest scale, which is *scale; false if
 * there is none, or zero digits at either end.  There is at least one digit.
 */
static inline bool
JoinDigits(const RetlNumeric *numeric, uint64_t *magnitude, unsigned *scale)
{
	uint32_t	last = numeric->digitCount - 1;
	uint64_t	joined = 0;
	int			places = ((int) last - numeric->weight) * DIGIT_PLACES;
	uint64_t	factor = RETLDB_NUMERIC_BASE;
	uint32_t	digit = 1;
	uint32_t	i;

	if (last > 5 || numeric->weight > 4 || RetlLoad16(numeric->digits) == 0)
		return false;
	for (i = 0; i <= last; i++)
	{
		digit = RetlLoad16(numeric->digits + sizeof(uint16_t) * i);
		if (i < last &&
			(__builtin_mul_overflow(joined, RETLDB_NUMERIC_BASE, &joined) ||
			 __builtin_add_overflow(joined, digit, &joined)))
			return false;
	}
	if (digit == 0)
		return false;
	for (; places > 0 && digit % 10 == 0; places--)
	{
		digit /= 10;
		factor /= 10;
	}
	if (places > MAX_SCALE ||
		__builtin_mul_overflow(joined, factor, &joined) ||
		__builtin_add_overflow(joined, digit, &joined) ||
		(places < 0 && __builtin_mul_overflow(joined, powersOfTen[-places], &joined)))
		return false;
	*magnitude = joined;
	*scale = places > 0 ? (unsigned) places : 0;
	return true;
}

/* Understand a value; false if it has to be an exception. */
static inline bool
ScaleValue(const uint8_t *bytes, uint32_t length, ScaledValue *value)
{
	RetlNumeric numeric;
	uint64_t	magnitude = 0;

	value->number = 0;
	value->scale = MAX_SCALE + 1;
	value->displayScale = 0;
	RetlNumericParse(&numeric, bytes, length);
	if (numeric.class != RETL_NUMERIC_FINITE || !numeric.shortForm)
		return false;
	if (numeric.digitCount == 0)
	{
		if (numeric.negative || numeric.weight != 0)
			return false;
		value->scale = 0;
	}
	else if (!JoinDigits(&numeric, &magnitude, &value->scale) || magnitude > INT64_MAX)
	{
		value->scale = MAX_SCALE + 1;
		return false;
	}
	value->number = numeric.negative ? -(int64_t) magnitude : (int64_t) magnitude;
	value->displayScale = (uint32_t) numeric.scale;
	return true;
}

/* What the values of these classes take with a scale, in bits, about. */
static double
CostOf(const ScaleClass *classes, uint32_t count, unsigned scale)
{
	double		low = 0;
	double		high = 0;
	uint32_t	good = 0;
	unsigned	bits = 0;
	unsigned	c;

	for (c = 0; c <= scale; c++)
	{
		double		factor = (double) powersOfTen[scale - c];

		if (classes[c].count == 0)
			continue;
		if (good == 0 || (double) classes[c].smallest * factor < low)
			low = (double) classes[c].smallest * factor;
		if (good == 0 || (double) classes[c].largest * factor > high)
			high = (double) classes[c].largest * factor;
		good += classes[c].count;
	}
	if (high - low >= 18446744073709551615.0)
		bits = 64;
	else
		bits = RetlBitWidth((uint64_t) (high - low));
	return (double) count * bits + (double) (count - good) * EXCEPTION_BITS;
}

/* The scale for these values. */
static unsigned
ChooseScale(const ScaledValue *scaled, uint32_t count)
{
	ScaleClass	classes[MAX_SCALE + 2];
	double		bestCost = 0;
	unsigned	best = MAX_SCALE + 1;
	unsigned	c;
	uint32_t	i;

	for (c = 0; c <= MAX_SCALE + 1; c++)
		classes[c] = (ScaleClass) {0, INT64_MAX, INT64_MIN};
	for (i = 0; i < count; i++)
	{
		ScaleClass *class = &classes[scaled[i].scale];

		class->count++;
		class->smallest = scaled[i].number < class->smallest ? scaled[i].number : class->smallest;
		class->largest = scaled[i].number > class->largest ? scaled[i].number : class->largest;
	}
	for (c = 0; c <= MAX_SCALE; c++)
	{
		double		cost;

		if (classes[c].count == 0)
			continue;
		cost = CostOf(classes, count, c);
		if (best > MAX_SCALE || cost < bestCost)
		{
			bestCost = cost;
			best = c;
		}
	}
	return best > MAX_SCALE ? 0 : best;
}

/* Bring a value to a larger scale; false if that is too large. */
static inline bool
Rescale(const ScaledValue *value, unsigned scale, int64_t *number)
{
	*number = 0;
	return value->scale <= scale &&
		!__builtin_mul_overflow(value->number, (int64_t) powersOfTen[scale - value->scale],
								number);
}

/* RetlEncoding.encode. */
static void
DecimalEncode(RetlEncodingState *state, const RetlValues *values, uint32_t first,
			  RetlBytes *out)
{
	uint32_t	count = values->count;
	ScaledValue *scaled;
	int64_t    *numbers;
	uint32_t   *positions;
	uint32_t   *displayScales;
	uint32_t	displayScale = 0;
	uint32_t	exceptionCount = 0;
	unsigned	scale;
	uint8_t		header;
	uint32_t	i;

	(void) state;
	(void) first;
	if (count == 0)
		return;
	scaled = RetlArenaAlloc(out->arena, sizeof(ScaledValue) * count);
	numbers = RetlArenaAlloc(out->arena, sizeof(int64_t) * count);
	positions = RetlArenaAlloc(out->arena, sizeof(uint32_t) * count);
	displayScales = RetlArenaAlloc(out->arena, sizeof(uint32_t) * count);
	for (i = 0; i < count; i++)
	{
		uint32_t	length;
		const uint8_t *bytes = RetlValueAt(values, i, &length);

		(void) ScaleValue(bytes, length, &scaled[i]);
	}
	scale = ChooseScale(scaled, count);
	for (i = 0; i < count; i++)
	{
		positions[exceptionCount] = i;
		if (Rescale(&scaled[i], scale, &numbers[i]))
			displayScale = scaled[i].displayScale;
		else
			exceptionCount++;

		/* An exception's has no meaning: that of a neighbour costs nothing. */
		displayScales[i] = displayScale;
	}
	/* ... and before the first value that is none, that of the last one. */
	for (i = 0; i < exceptionCount && positions[i] == i; i++)
		displayScales[i] = exceptionCount < count ? displayScale : 0;
	header = (uint8_t) scale;
	RetlBytesAppend(out, &header, DECIMAL_HEADER);
	RetlPackedAppend(out, displayScales, count);
	RetlNumbersAppend(out, values, numbers, positions, exceptionCount);
}

/* RetlEncoding.analyse: from some of the pieces. */
static uint64_t
DecimalAnalyse(const RetlValues *values, uint32_t pieceRows, const RetlArena *arena)
{
	if (!values->isNumeric)
		return RETLDB_NEVER;
	return RetlEstimateBySample(&RetlDecimalEncoding, values, pieceRows, arena);
}

/* ---------------------------------------------------------------------
 * Reading
 * ---------------------------------------------------------------------
 */

/* Understand and check a payload; count is not 0.  Display scales are not looked at. */
static bool
OpenPiece(DecimalPiece *piece, const uint8_t *src, size_t srcSize, uint32_t count,
		  const char **error)
{
	if (srcSize < DECIMAL_HEADER)
		return RetlDamaged(error, "piece of numerics is truncated");
	piece->scale = src[0];
	if (piece->scale > MAX_SCALE)
		return RetlDamaged(error, "piece of numerics has an impossible scale");
	src += DECIMAL_HEADER;
	srcSize -= DECIMAL_HEADER;
	if (!RetlPackedOpen(&piece->displayScales, src, srcSize, count, error))
		return false;
	return RetlNumbersOpen(&piece->numbers, src + piece->displayScales.size,
						   srcSize - piece->displayScales.size, RETL_PHYS_BYTES, 0,
						   count, error);
}

/* How the integers of a piece are cut into digits. */
typedef struct DigitLayout
{
	uint64_t	padding;		/* brings the scale to whole digits */
	uint64_t	limit;			/* larger integers times the padding are too large */
	uint64_t	divisor;		/* 10^scale */
	int			fractionDigits;
} DigitLayout;

/* The layout of a scale. */
static DigitLayout
LayoutOf(unsigned scale)
{
	DigitLayout layout;

	layout.fractionDigits = (int) ((scale + DIGIT_PLACES - 1) / DIGIT_PLACES);
	layout.padding = powersOfTen[(unsigned) layout.fractionDigits * DIGIT_PLACES - scale];
	layout.limit = UINT64_MAX / layout.padding;
	layout.divisor = powersOfTen[scale];
	return layout;
}

/* Write a head. */
static inline void
StoreHead(uint8_t *dst, bool negative, uint32_t displayScale, int weight)
{
	uint16_t	head = (uint16_t) (RETLDB_NUMERIC_SHORT |
								   (negative ? RETLDB_NUMERIC_SHORT_NEGATIVE : 0) |
								   (displayScale << RETLDB_NUMERIC_SCALE_SHIFT) |
								   ((unsigned) weight & 0x7F));

	memcpy(dst, &head, sizeof(head));
}

/*
 * Write the digits of a number that does not end in a zero digit at dst, where
 * there is room for 10 bytes; returns how many digits they are.
 */
static inline uint32_t
StoreDigits(uint8_t *dst, uint64_t number)
{
	const uint64_t two = UINT64_C(100000000);
	uint64_t	high = number / two;
	uint32_t	low = (uint32_t) (number % two);
	uint64_t	lowDigits = low / RETLDB_NUMERIC_BASE | (uint64_t) (low % RETLDB_NUMERIC_BASE) << 16;
	uint64_t	digits;
	uint16_t	top;

	if (high == 0)
	{
		bool		isOne = low < RETLDB_NUMERIC_BASE;

		digits = isOne ? low : lowDigits;
		memcpy(dst, &digits, sizeof(digits));
		return isOne ? 1 : 2;
	}
	if (high < RETLDB_NUMERIC_BASE)
	{
		digits = high | lowDigits << 16;
		memcpy(dst, &digits, sizeof(digits));
		return 3;
	}
	digits = (high % two) / RETLDB_NUMERIC_BASE | (high % RETLDB_NUMERIC_BASE) << 16 |
		lowDigits << 32;
	if (high < two)
	{
		memcpy(dst, &digits, sizeof(digits));
		return 4;
	}
	top = (uint16_t) (high / two);
	memcpy(dst, &top, sizeof(top));
	memcpy(dst + sizeof(top), &digits, sizeof(digits));
	return 5;
}

/* BuildNumeric for integers that are too large to be padded. */
static uint32_t
BuildLarge(uint8_t *dst, uint64_t magnitude, bool negative, uint32_t displayScale,
		   const DigitLayout *layout)
{
	uint64_t	whole = magnitude / layout->divisor;
	uint64_t	fraction = magnitude % layout->divisor * layout->padding;
	uint16_t	digits[8];
	int			count = 0;
	int			first = 0;
	int			i;

	/* The last digit first. */
	for (; count < layout->fractionDigits; fraction /= RETLDB_NUMERIC_BASE)
		digits[count++] = (uint16_t) (fraction % RETLDB_NUMERIC_BASE);
	for (; whole > 0; whole /= RETLDB_NUMERIC_BASE)
		digits[count++] = (uint16_t) (whole % RETLDB_NUMERIC_BASE);
	while (digits[first] == 0)
		first++;
	while (digits[count - 1] == 0)
		count--;
	StoreHead(dst, negative, displayScale, count - 1 - layout->fractionDigits);
	for (i = count - 1; i >= first; i--)
		memcpy(dst + sizeof(uint16_t) * (size_t) (count - i), &digits[i], sizeof(uint16_t));
	return (uint32_t) (sizeof(uint16_t) * (size_t) (1 + count - first));
}

/* Write the value of an integer into VALUE_ROOM bytes; returns its length. */
static inline uint32_t
BuildNumeric(uint8_t *dst, int64_t number, uint32_t displayScale, const DigitLayout *layout)
{
	bool		negative = number < 0;
	uint64_t	magnitude = negative ? 0 - (uint64_t) number : (uint64_t) number;
	int			lastWeight = -layout->fractionDigits;
	uint32_t	digitCount;

	if (magnitude == 0)
	{
		StoreHead(dst, false, displayScale, 0);
		return sizeof(uint16_t);
	}
	if (magnitude > layout->limit)
		return BuildLarge(dst, magnitude, negative, displayScale, layout);
	magnitude *= layout->padding;
	while (magnitude % RETLDB_NUMERIC_BASE == 0)
	{
		magnitude /= RETLDB_NUMERIC_BASE;
		lastWeight++;
	}
	digitCount = StoreDigits(dst + sizeof(uint16_t), magnitude);
	StoreHead(dst, negative, displayScale, lastWeight + (int) digitCount - 1);
	return (uint32_t) sizeof(uint16_t) * (1 + digitCount);
}

/* Read display scales [first, first + count), and check them. */
static bool
ReadDisplayScales(const DecimalPiece *piece, uint32_t first, uint32_t count, uint32_t *scales,
				  const char **error)
{
	uint32_t	largest = 0;
	uint32_t	i;

	RetlPackedRead(&piece->displayScales, first, count, scales);
	for (i = 0; i < count; i++)
		largest |= scales[i];
	if (largest > RETLDB_NUMERIC_SHORT_SCALE)
		return RetlDamaged(error, "piece of numerics has an impossible display scale");
	return true;
}

/* Build values [first, first + count), or those wanted; first is a multiple of 64. */
static bool
BuildBlock(const DecimalPiece *piece, uint32_t first, uint32_t count, uint8_t *buffer,
		   RetlDecoded *result, const char **error)
{
	const DigitLayout layout = LayoutOf(piece->scale);
	int64_t		numbers[BLOCK_VALUES];
	uint32_t	scales[BLOCK_VALUES];
	uint32_t	i;

	if (!ReadDisplayScales(piece, first, count, scales, error))
		return false;
	RetlNumbersRead(&piece->numbers, first, count, numbers);
	for (i = 0; i < count; i++)
	{
		size_t		start = (size_t) (first + i) * VALUE_ROOM;

		if (result->wanted != NULL)
		{
			uint64_t	left = result->wanted[(first + i) / 64] >> (i % 64);

			/* Go to the next one wanted, or to the end of the word. */
			if (left == 0)
			{
				i |= 63;
				continue;
			}
			i += (uint32_t) __builtin_ctzll(left);
			if (i >= count)
				break;
			start = (size_t) (first + i) * VALUE_ROOM;
		}
		result->starts[first + i] = (uint32_t) start;
		result->lengths[first + i] = BuildNumeric(buffer + start, numbers[i], scales[i], &layout);
	}
	return true;
}

/* Build the wanted values, which are few, side by side in the buffer. */
static bool
BuildFew(const DecimalPiece *piece, uint8_t *buffer, RetlDecoded *result, const char **error)
{
	const DigitLayout layout = LayoutOf(piece->scale);
	size_t		start = 0;
	uint32_t	which;

	RetlBitsPrefetch(piece->numbers.bits, piece->numbers.bitWidth, result->few, result->fewCount);
	for (which = 0; which < result->fewCount; which++)
	{
		uint32_t	i = result->few[which];
		uint32_t	displayScale = RetlPackedFetch(&piece->displayScales, i);

		if (displayScale > RETLDB_NUMERIC_SHORT_SCALE)
			return RetlDamaged(error, "piece of numerics has an impossible display scale");
		result->starts[i] = (uint32_t) start;
		result->lengths[i] = BuildNumeric(buffer + start, RetlNumbersFetch(&piece->numbers, i),
										  displayScale, &layout);
		start += VALUE_ROOM;
	}
	return true;
}

/* Build all values, or at least those wanted, each at its place in the buffer. */
static bool
BuildAll(const DecimalPiece *piece, uint32_t count, uint8_t *buffer, RetlDecoded *result,
		 const char **error)
{
	uint32_t	first;
	uint32_t	part;

	for (first = 0; first < count; first += part)
	{
		part = count - first < BLOCK_VALUES ? count - first : BLOCK_VALUES;
		if (result->wanted != NULL && !RetlSelectionAny(result->wanted, first, part))
			continue;
		if (!BuildBlock(piece, first, part, buffer, result, error))
			return false;
	}
	return true;
}

/* Put the exceptions in their places, with their bytes at "offset" of the buffer. */
static bool
PlaceExceptions(const DecimalPiece *piece, uint8_t *buffer, size_t offset,
				RetlDecoded *result, const RetlArena *arena, const char **error)
{
	const RetlNumbers *numbers = &piece->numbers;
	RetlDecoded exceptions;
	uint32_t   *positions;
	uint32_t	i;

	if (numbers->exceptionCount == 0)
		return true;
	positions = RetlNumbersPositions(numbers, arena, error);
	if (positions == NULL ||
		!RetlNumbersExceptions(numbers, RETL_PHYS_BYTES, 0, &exceptions, arena, error))
		return false;
	for (i = 0; i < numbers->exceptionCount; i++)
	{
		uint32_t	length = exceptions.lengths[i];

		if (length > 0)
			memcpy(buffer + offset, exceptions.bytes + exceptions.starts[i], length);
		result->starts[positions[i]] = (uint32_t) offset;
		result->lengths[positions[i]] = length;
		offset += length;
	}
	return true;
}

/* RetlEncoding.decode. */
static bool
DecimalDecode(const RetlEncodingState *state, const uint8_t *src, size_t srcSize,
			  RetlPhysType type, uint16_t width, uint32_t count,
			  RetlDecoded *result, const RetlArena *arena, const char **error)
{
	DecimalPiece piece;
	bool		few = RetlDecodedIsFew(result, count, arena);
	size_t		room = (size_t) (few ? result->fewCount : count) * VALUE_ROOM;
	uint8_t    *buffer;

	(void) state;
	(void) type;
	(void) width;
	result->bytes = src;
	if (count == 0)
		return srcSize == 0 || RetlDamaged(error, "piece of numerics has the wrong length");
	if (!OpenPiece(&piece, src, srcSize, count, error))
		return false;
	buffer = RetlArenaAlloc(arena, room + piece.numbers.exceptionsSize);
	result->bytes = buffer;
	if (!(few ? BuildFew(&piece, buffer, result, error) :
		  BuildAll(&piece, count, buffer, result, error)))
		return false;
	return PlaceExceptions(&piece, buffer, room, result, arena, error);
}

/* Fetch an exception. */
static bool
FetchException(const RetlNumbers *numbers, uint32_t which, RetlDecoded *result,
			   const RetlArena *arena, const char **error)
{
	return RetlPlainEncoding.fetch(NULL, numbers->exceptions, numbers->exceptionsSize,
								   RETL_PHYS_BYTES, 0, numbers->exceptionCount, which,
								   result, arena, error);
}

/* RetlEncoding.fetch. */
static bool
DecimalFetch(const RetlEncodingState *state, const uint8_t *src, size_t srcSize,
			 RetlPhysType type, uint16_t width, uint32_t count, uint32_t index,
			 RetlDecoded *result, const RetlArena *arena, const char **error)
{
	DecimalPiece piece;
	DigitLayout layout;
	uint8_t    *buffer;
	uint32_t	displayScale;
	uint32_t	which;

	(void) state;
	(void) type;
	(void) width;
	if (index >= count)
		return RetlDamaged(error, "value index is out of range");
	if (!OpenPiece(&piece, src, srcSize, count, error))
		return false;
	if (RetlNumbersIsException(&piece.numbers, index, &which))
		return FetchException(&piece.numbers, which, result, arena, error);
	displayScale = RetlPackedFetch(&piece.displayScales, index);
	if (displayScale > RETLDB_NUMERIC_SHORT_SCALE)
		return RetlDamaged(error, "piece of numerics has an impossible display scale");
	layout = LayoutOf(piece.scale);
	buffer = RetlArenaAlloc(arena, VALUE_ROOM);
	result->bytes = buffer;
	result->starts[0] = 0;
	result->lengths[0] = BuildNumeric(buffer, RetlNumbersFetch(&piece.numbers, index),
									  displayScale, &layout);
	return true;
}

/* RetlPlaceFunction; the context is the scale. */
static RetlPlace
PlaceOf(const void *context, const RetlNumbers *numbers, const RetlFilterConstant *constant)
{
	unsigned	scale = *(const unsigned *) context;
	int64_t		floor;
	bool		exact;
	int			beyond = RetlNumericFloor(constant->data, constant->length, scale, &floor, &exact);

	if (beyond < 0)
		return RetlNumbersPlace(numbers, INT64_MIN, false, INT64_MIN, false);
	if (beyond > 0)
		return RetlNumbersPlace(numbers, INT64_MAX, true, INT64_MAX, true);
	if (floor == INT64_MAX)
		return RetlNumbersPlace(numbers, floor, !exact, floor, true);
	return RetlNumbersPlace(numbers, exact ? floor : floor + 1, false, floor + 1, false);
}

/* RetlEncoding.filter. */
static bool
DecimalFilter(const RetlEncodingState *state, const uint8_t *src, size_t srcSize,
			  RetlPhysType type, uint16_t width, uint32_t count,
			  const RetlFilter *filter, RetlFilterMemo *memo,
			  uint64_t *selected, bool *answered,
			  const RetlArena *arena, const char **error)
{
	DecimalPiece piece;

	(void) state;
	(void) memo;
	*answered = filter->order == RETL_ORDER_NUMERIC &&
		RetlFilterCanCompare(filter, type, width);
	if (!*answered)
		return true;
	if (count == 0)
		return srcSize == 0 || RetlDamaged(error, "piece of numerics has the wrong length");
	if (!OpenPiece(&piece, src, srcSize, count, error))
		return false;
	return RetlNumbersFilter(&piece.numbers, type, width, filter, PlaceOf, &piece.scale,
							 selected, arena, error);
}

const RetlEncoding RetlDecimalEncoding = {
	.id = RETL_ENCODING_DECIMAL,
	.name = "decimal",
	.applies = DecimalApplies,
	.analyse = DecimalAnalyse,
	.encode = DecimalEncode,
	.decode = DecimalDecode,
	.takesFew = true,
	.fetch = DecimalFetch,
	.filter = DecimalFilter,
};
