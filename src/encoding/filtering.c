/*-------------------------------------------------------------------------
 *
 * filtering.c
 *	  What the filters of encodings share: conditions on single values and on
 *	  arrays of them, ranges of numbers, selections.  Pure C.
 *
 * Arrays are compared 64 values at a time: one flag of a byte for each, in loops
 * that compilers turn into vector instructions, then a word of 64 bits.
 *
 *-------------------------------------------------------------------------
 */
#include "encoding/filtering.h"
#include "encoding/numeric_bytes.h"
#include "encoding/simd.h"
#include "encoding/valueops.h"

/* Values that one word of a selection stands for. */
#define WORD_VALUES		64

/* ---------------------------------------------------------------------
 * Selections
 * ---------------------------------------------------------------------
 */

/* The bits of word "word" that lie in [first, end). */
static inline uint64_t
WordMask(uint32_t word, uint32_t first, uint32_t end)
{
	uint32_t	start = word * WORD_VALUES;
	uint64_t	mask = UINT64_MAX;

	if (first > start)
		mask &= UINT64_MAX << (first - start);
	if (end - start < WORD_VALUES)
		mask &= (UINT64_C(1) << (end - start)) - 1;
	return mask;
}

/* See filtering.h. */
void
RetlSelectionClear(uint64_t *selected, uint32_t first, uint32_t count)
{
	uint32_t	end = first + count;
	uint32_t	word;

	if (count == 0)
		return;
	for (word = first / WORD_VALUES; word <= (end - 1) / WORD_VALUES; word++)
		selected[word] &= ~WordMask(word, first, end);
}

/* See filtering.h. */
bool
RetlSelectionAny(const uint64_t *selected, uint32_t first, uint32_t count)
{
	uint32_t	end = first + count;
	uint32_t	word;

	if (count == 0)
		return false;
	for (word = first / WORD_VALUES; word <= (end - 1) / WORD_VALUES; word++)
		if ((selected[word] & WordMask(word, first, end)) != 0)
			return true;
	return false;
}

/* See filtering.h. */
uint32_t
RetlSelectionCount(const uint64_t *selected, uint32_t count)
{
	uint32_t	words = RetlSelectionWords(count);
	uint32_t	result = 0;
	uint32_t	word;

	if (RetlSimdAvailable())
		return RetlSimdCountBits(selected, words);
	for (word = 0; word < words; word++)
		result += RetlCountBits(selected[word]);
	return result;
}

/* See filtering.h. */
bool
RetlSelectionIsSparse(const uint64_t *selected, uint32_t count)
{
	return selected != NULL &&
		RetlSelectionCount(selected, count) <= count / RETLDB_SPARSE_SHARE;
}

/* See filtering.h.  Four at a time are written, for more are seldom in one word. */
uint32_t
RetlSelectionList(const uint64_t *selected, uint32_t count, uint32_t *list)
{
	const uint64_t guard = UINT64_C(1) << 63;	/* there must be a bit to find */
	uint32_t   *end = list;
	uint32_t	word;

	for (word = 0; word < RetlSelectionWords(count); word++)
	{
		uint64_t	left = selected[word];
		uint32_t	first = word * WORD_VALUES;
		uint32_t   *next = end;

		end += RetlCountBits(left);
		do
		{
			int			i;

			for (i = 0; i < RETLDB_LIST_SLACK; i++)
			{
				next[i] = first + (uint32_t) __builtin_ctzll(left | guard);
				left &= left - 1;
			}
			next += RETLDB_LIST_SLACK;
		} while (next < end);
	}
	return (uint32_t) (end - list);
}

/* See filtering.h. */
bool
RetlDecodedIsFew(RetlDecoded *decoded, uint32_t count, const RetlArena *arena)
{
	uint32_t   *list;

	if (decoded->few != NULL)
		return true;
	if (!RetlSelectionIsSparse(decoded->wanted, count))
		return false;
	list = RetlArenaAlloc(arena, sizeof(uint32_t) *
						  (count / RETLDB_SPARSE_SHARE + RETLDB_LIST_SLACK));
	decoded->fewCount = RetlSelectionList(decoded->wanted, count, list);
	decoded->few = list;
	return true;
}

/* ---------------------------------------------------------------------
 * Values
 * ---------------------------------------------------------------------
 */

/* Do values of this type have this order? */
static bool
OrderFits(RetlOrder order, RetlPhysType type)
{
	switch (order)
	{
		case RETL_ORDER_SIGNED:
		case RETL_ORDER_UNSIGNED:
			return type == RETL_PHYS_INT;
		case RETL_ORDER_FLOAT:
			return type == RETL_PHYS_FLOAT;
		case RETL_ORDER_BYTES:
			return type == RETL_PHYS_FIXED || type == RETL_PHYS_BYTES;
		case RETL_ORDER_NUMERIC:
			return type == RETL_PHYS_BYTES;
		default:
			return false;
	}
}

/* Has the filter as many constants as its operation needs? */
static bool
ConstantCountFits(const RetlFilter *filter)
{
	switch (filter->op)
	{
		case RETL_PREDICATE:
			return false;
		case RETL_IN:
			return true;
		case RETL_BETWEEN:
			return filter->constantCount == 2;
		default:
			return filter->constantCount == 1;
	}
}

/* See filtering.h. */
bool
RetlFilterCanCompare(const RetlFilter *filter, RetlPhysType type, uint16_t width)
{
	uint32_t	i;

	if (!OrderFits(filter->order, type) || !ConstantCountFits(filter))
		return false;
	for (i = 0; i < filter->constantCount; i++)
		if (!RetlConstantFits(type, width, filter->constants[i].length))
			return false;
	return true;
}

/* See filtering.h. */
bool
RetlFilterCanTest(const RetlFilter *filter, RetlPhysType type, uint16_t width)
{
	return filter->predicate != NULL || RetlFilterCanCompare(filter, type, width);
}

/* How a value compares with one of the filter's constants. */
static inline int
CompareWith(const RetlFilter *filter, RetlPhysType type, uint16_t width,
			const uint8_t *value, size_t length, uint32_t which)
{
	const RetlFilterConstant *constant = &filter->constants[which];

	if (filter->order == RETL_ORDER_UNSIGNED)
	{
		uint64_t	x = RetlLoadUnsigned(value, width);
		uint64_t	y = RetlLoadUnsigned(constant->data, width);

		return (x > y) - (x < y);
	}
	if (filter->order == RETL_ORDER_NUMERIC)
		return RetlCompareNumeric(value, length, constant->data, constant->length);
	return RetlCompareValues(type, width, value, length, constant->data, constant->length);
}

/* Is a value among the constants, which are in order? */
static bool
IsAmong(const RetlFilter *filter, RetlPhysType type, uint16_t width,
		const uint8_t *value, size_t length)
{
	uint32_t	low = 0;
	uint32_t	high = filter->constantCount;

	while (low < high)
	{
		uint32_t	middle = low + (high - low) / 2;
		int			cmp = CompareWith(filter, type, width, value, length, middle);

		if (cmp == 0)
			return true;
		if (cmp > 0)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

/* RetlFilterTest where RetlFilterCanCompare holds. */
static bool
TestByComparing(const RetlFilter *filter, RetlPhysType type, uint16_t width,
				const uint8_t *value, size_t length)
{
	if (filter->op == RETL_IN)
		return IsAmong(filter, type, width, value, length);
	if (filter->op == RETL_BETWEEN)
		return CompareWith(filter, type, width, value, length, 0) >= 0 &&
			CompareWith(filter, type, width, value, length, 1) <= 0;
	return RetlCompareHolds(filter->op, CompareWith(filter, type, width, value, length, 0));
}

/* See filtering.h. */
bool
RetlFilterTest(const RetlFilter *filter, RetlPhysType type, uint16_t width,
			   const uint8_t *value, size_t length)
{
	if (RetlFilterCanCompare(filter, type, width))
		return TestByComparing(filter, type, width, value, length);
	return filter->predicate(filter->predicateContext, value, length);
}

/* RetlFilterDecoded for (in)equality of byte strings: most differ by their lengths. */
static void
FilterEqualBytes(const RetlFilter *filter, uint32_t count, const RetlDecoded *values,
				 uint64_t *selected)
{
	const RetlFilterConstant *constant = &filter->constants[0];
	bool		wanted = filter->op == RETL_EQ;
	uint32_t	word;

	for (word = 0; word < RetlSelectionWords(count); word++)
	{
		uint64_t	left;

		for (left = selected[word]; left != 0; left &= left - 1)
		{
			unsigned	bit = (unsigned) __builtin_ctzll(left);
			uint32_t	i = word * WORD_VALUES + bit;
			bool		equal = values->lengths[i] == constant->length;

			if (equal && constant->length > 0)
				equal = memcmp(values->bytes + values->starts[i], constant->data,
							   constant->length) == 0;
			if (equal != wanted)
				selected[word] &= ~(UINT64_C(1) << bit);
		}
	}
}

/* RetlFilterDecoded, one selected value after the other. */
static void
FilterOneByOne(const RetlFilter *filter, RetlPhysType type, uint16_t width, uint32_t count,
			   const RetlDecoded *values, uint64_t *selected)
{
	bool		compare = RetlFilterCanCompare(filter, type, width);
	uint32_t	word;

	for (word = 0; word < RetlSelectionWords(count); word++)
	{
		uint64_t	left;

		for (left = selected[word]; left != 0; left &= left - 1)
		{
			unsigned	bit = (unsigned) __builtin_ctzll(left);
			uint32_t	i = word * WORD_VALUES + bit;
			bool		isBytes = type == RETL_PHYS_BYTES;
			const uint8_t *value = isBytes ? values->bytes + values->starts[i]
				: values->fixed + (size_t) i * width;
			size_t		length = isBytes ? values->lengths[i] : width;
			bool		pass;

			pass = compare ? TestByComparing(filter, type, width, value, length)
				: filter->predicate(filter->predicateContext, value, length);
			if (!pass)
				selected[word] &= ~(UINT64_C(1) << bit);
		}
	}
}

/* ---------------------------------------------------------------------
 * Numbers
 * ---------------------------------------------------------------------
 */

/* Eight bytes that are 0 or 1 become the bits of one. */
static inline uint64_t
GatherFlags(const uint8_t *flags)
{
	return (RetlLoad64(flags) * UINT64_C(0x0102040810204080)) >> 56;
}

/* 64 flags become a word. */
static inline uint64_t
FlagsToWord(const uint8_t *flags)
{
	uint64_t	word = 0;
	int			i;

	for (i = 0; i < WORD_VALUES / 8; i++)
		word |= GatherFlags(flags + 8 * i) << (8 * i);
	return word;
}

/*
 * One function for each size of numbers: select those of "count" unaligned
 * numbers that are in a range that may wrap around.  Flipping the sign bits lets
 * compilers use a signed comparison, which every processor has.
 */
#define SELECT_FUNCTION(U, S, NAME, KEY) \
static void \
NAME(const uint8_t *restrict numbers, uint32_t count, uint64_t start, uint64_t span, \
	 bool negate, uint64_t *restrict selected) \
{ \
	const U		sign = (U) ((U) 1 << (8 * sizeof(U) - 1)); \
	const U		low = (U) start; \
	const S		limit = (S) ((U) span ^ sign); \
	const uint64_t flip = negate ? UINT64_MAX : 0; \
	uint32_t	first; \
\
	for (first = 0; first < count; first += WORD_VALUES) \
	{ \
		uint32_t	part = count - first < WORD_VALUES ? count - first : WORD_VALUES; \
		uint8_t		flags[WORD_VALUES]; \
		uint32_t	i; \
\
		if (selected[first / WORD_VALUES] == 0) \
			continue; \
		if (part < WORD_VALUES) \
			memset(flags, 0, sizeof(flags)); \
		for (i = 0; i < part; i++) \
		{ \
			U			number; \
\
			memcpy(&number, numbers + (size_t) (first + i) * sizeof(U), sizeof(U)); \
			flags[i] = (S) ((U) (KEY(U, number, sign) - low) ^ sign) <= limit; \
		} \
		selected[first / WORD_VALUES] &= FlagsToWord(flags) ^ flip; \
	} \
}

/* What is compared: an integer itself, or the key of a float. */
#define INTEGER_KEY(U, number, sign)	(number)
#define FLOAT_KEY(U, number, sign) \
	((number) ^ ((U) (0 - ((number) >> (8 * sizeof(U) - 1))) & (U) ~(sign)))

SELECT_FUNCTION(uint8_t, int8_t, Select8, INTEGER_KEY)
SELECT_FUNCTION(uint16_t, int16_t, Select16, INTEGER_KEY)
SELECT_FUNCTION(uint32_t, int32_t, Select32, INTEGER_KEY)
SELECT_FUNCTION(uint64_t, int64_t, Select64, INTEGER_KEY)
SELECT_FUNCTION(uint32_t, int32_t, SelectFloat32, FLOAT_KEY)
SELECT_FUNCTION(uint64_t, int64_t, SelectFloat64, FLOAT_KEY)

/* The plain loop for numbers of a width. */
static void
SelectPlainly(const uint8_t *numbers, uint16_t width, bool isFloat, uint32_t count,
			  const RetlIntRange *range, uint64_t *selected)
{
	switch (width)
	{
		case 1:
			Select8(numbers, count, range->start, range->span, range->negate, selected);
			break;
		case 2:
			Select16(numbers, count, range->start, range->span, range->negate, selected);
			break;
		case 4:
			(isFloat ? SelectFloat32 : Select32) (numbers, count, range->start, range->span,
												  range->negate, selected);
			break;
		default:
			(isFloat ? SelectFloat64 : Select64) (numbers, count, range->start, range->span,
												  range->negate, selected);
			break;
	}
}

/* Select integers or floats of any width, not aligned. */
static void
SelectNumbers(const uint8_t *numbers, uint16_t width, bool isFloat, uint32_t count,
			  const RetlIntRange *range, uint64_t *selected)
{
	uint32_t	words = 0;

	if (range->empty)
	{
		if (!range->negate)
			RetlSelectionClear(selected, 0, count);
		return;
	}
	if (RetlSimdAvailable())
	{
		words = count / WORD_VALUES;
		RetlSimdSelect(numbers, width, isFloat, words, range->start, range->span,
					   range->negate, selected);
	}
	SelectPlainly(numbers + (size_t) words * WORD_VALUES * width, width, isFloat,
				  count - words * WORD_VALUES, range, selected + words);
}

/* Select aligned numbers of the processor's own. */
static void
SelectAligned(const void *numbers, uint16_t width, uint32_t count, const RetlRange *range,
			  uint64_t *selected)
{
	RetlIntRange intRange = {range->low, range->high - range->low,
	RetlRangeIsTrivial(range), range->negate};

	SelectNumbers(numbers, width, false, count, &intRange, selected);
}

/* See filtering.h. */
void
RetlSelectRange32(const uint32_t *numbers, uint32_t count, const RetlRange *range,
				  uint64_t *selected)
{
	SelectAligned(numbers, sizeof(uint32_t), count, range, selected);
}

/* See filtering.h. */
void
RetlSelectRange64(const uint64_t *numbers, uint32_t count, const RetlRange *range,
				  uint64_t *selected)
{
	SelectAligned(numbers, sizeof(uint64_t), count, range, selected);
}

/* See filtering.h. */
void
RetlFilterDecoded(const RetlFilter *filter, RetlPhysType type, uint16_t width,
				  uint32_t count, const RetlDecoded *values, uint64_t *selected)
{
	bool		compares = RetlFilterCanCompare(filter, type, width);
	RetlIntRange range;

	if (compares && filter->order == RETL_ORDER_BYTES && type == RETL_PHYS_BYTES &&
		(filter->op == RETL_EQ || filter->op == RETL_NE))
		FilterEqualBytes(filter, count, values, selected);
	else if (compares && RetlFilterIntRange(filter, type, width, &range))
		SelectNumbers(values->fixed, width, type == RETL_PHYS_FLOAT, count, &range, selected);
	else
		FilterOneByOne(filter, type, width, count, values, selected);
}

/* The largest number of "width" bytes. */
static inline uint64_t
MaskOfWidth(uint16_t width)
{
	return UINT64_MAX >> (64 - 8 * width);
}

/*
 * The places of a constant among all values of the type, counted in their order
 * from 0: the first and the last of those that compare equal to it.  Places plus
 * *first, modulo the size, are integers, or keys of floats.
 */
static void
PlacesOf(const RetlFilter *filter, RetlPhysType type, uint16_t width, uint32_t which,
		 uint64_t *first, uint64_t *lowest, uint64_t *highest)
{
	const uint64_t most = MaskOfWidth(width);
	const uint64_t sign = most - most / 2;
	const uint64_t infinity = width == 4 ? UINT64_C(0x7F800000) : UINT64_C(0x7FF0000000000000);
	uint64_t	bits = RetlLoadUnsigned(filter->constants[which].data, width);

	if (type == RETL_PHYS_INT)
	{
		*first = filter->order == RETL_ORDER_SIGNED ? sign : 0;
		*lowest = *highest = bits ^ *first;
		return;
	}
	/* Keys begin with minus infinity; all that are not numbers are at the end. */
	*first = ~infinity & most;
	if ((bits & ~sign) > infinity)
	{
		*lowest = (infinity + 1 - *first) & most;
		*highest = most;
	}
	else if ((bits & ~sign) == 0)
	{
		*lowest = (most - *first) & most;
		*highest = (0 - *first) & most;
	}
	else
	{
		bits ^= (bits & sign) != 0 ? most ^ sign : 0;
		*lowest = *highest = (bits - *first) & most;
	}
}

/* See filtering.h. */
bool
RetlFilterIntRange(const RetlFilter *filter, RetlPhysType type, uint16_t width,
				   RetlIntRange *range)
{
	uint64_t	most;
	uint64_t	low = 0;
	uint64_t	high;
	uint64_t	first = 0;
	uint64_t	lowest = 0;
	uint64_t	highest = 0;

	if ((type != RETL_PHYS_INT && type != RETL_PHYS_FLOAT) ||
		(filter->op == RETL_IN && filter->constantCount > 1))
		return false;
	most = MaskOfWidth(width);
	high = most;
	range->empty = filter->op == RETL_IN && filter->constantCount == 0;
	range->negate = filter->op == RETL_NE;
	if (filter->constantCount > 0)
		PlacesOf(filter, type, width, 0, &first, &lowest, &highest);
	switch (filter->op)
	{
		case RETL_LT:
			range->empty = lowest == 0;
			high = lowest - 1;
			break;
		case RETL_LE:
			high = highest;
			break;
		case RETL_GE:
			low = lowest;
			break;
		case RETL_GT:
			range->empty = highest == most;
			low = highest + 1;
			break;
		case RETL_BETWEEN:
			low = lowest;
			PlacesOf(filter, type, width, 1, &first, &lowest, &highest);
			high = highest;
			range->empty = low > high;
			break;
		default:
			low = lowest;
			high = highest;
			break;
	}
	range->start = (low + first) & most;
	range->span = high - low;
	return true;
}

/* See filtering.h. */
RetlRange
RetlIntRangeOfDifferences(const RetlIntRange *range, uint16_t width, uint64_t base,
						  uint64_t largest)
{
	const uint64_t most = MaskOfWidth(width);
	uint64_t	start = (range->start - base) & most;
	RetlRange	result = {1, 0, range->negate};

	if (range->empty)
		return result;
	if (range->span <= most - start)
	{
		/* It does not wrap around. */
		if (start > largest)
			return result;
		result.low = start;
		result.high = range->span < largest - start ? start + range->span : largest;
	}
	else
	{
		uint64_t	end = range->span - (most - start) - 1;

		/* 0 to end, and from start on: what is between them is outside. */
		result.low = end + 1;
		result.high = start <= largest ? start - 1 : largest;
		result.negate = !result.negate;
		if (result.low > largest)
			result.low = UINT64_MAX;
	}
	if (result.low == 0 && result.high == largest)
	{
		result.low = 1;
		result.high = 0;
		result.negate = !result.negate;
	}
	return result;
}
