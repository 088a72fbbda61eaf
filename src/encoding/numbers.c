/*-------------------------------------------------------------------------
 *
 * numbers.c
 *	  Integers that stand for values of another type, with exceptions; what
 *	  ALP and DECIMAL have in common.  Pure C.
 *
 * See numbers.h for the bytes.
 *
 *-------------------------------------------------------------------------
 */
#include "encoding/descriptors.h"
#include "encoding/filtering.h"
#include "encoding/numbers.h"
#include "encoding/valueops.h"

/* ---------------------------------------------------------------------
 * Writing
 * ---------------------------------------------------------------------
 */

/* Put the smallest number in the place of the exceptions. */
static void
FillExceptions(int64_t *numbers, uint32_t count, const uint32_t *positions,
			   uint32_t exceptionCount)
{
	int64_t		smallest = exceptionCount < count ? INT64_MAX : 0;
	uint32_t	next = 0;
	uint32_t	i;

	for (i = 0; i < count; i++)
	{
		if (next < exceptionCount && positions[next] == i)
			next++;
		else
			smallest = numbers[i] < smallest ? numbers[i] : smallest;
	}
	for (i = 0; i < exceptionCount; i++)
		numbers[positions[i]] = smallest;
}

/* Append the exceptions themselves. */
static void
AppendExceptions(RetlBytes *out, const RetlValues *values, const uint32_t *positions,
				 uint32_t exceptionCount)
{
	RetlValues	exceptions = *values;
	uint32_t   *offsets = RetlArenaAlloc(out->arena, sizeof(uint32_t) * ((size_t) exceptionCount + 1));
	RetlBytes	bytes;
	uint32_t	i;

	RetlBytesInit(&bytes, out->arena, (size_t) exceptionCount * 16);
	offsets[0] = 0;
	for (i = 0; i < exceptionCount; i++)
	{
		uint32_t	length;
		const uint8_t *value = RetlValueAt(values, positions[i], &length);

		RetlBytesAppend(&bytes, value, length);
		offsets[i + 1] = (uint32_t) bytes.length;
	}
	exceptions.count = exceptionCount;
	if (values->type == RETL_PHYS_BYTES)
	{
		exceptions.offsets = offsets;
		exceptions.bytes = bytes.data;
	}
	else
		exceptions.fixed = bytes.data;
	RetlPlainEncoding.encode(NULL, &exceptions, 0, out);
}

/* See numbers.h. */
void
RetlNumbersAppend(RetlBytes *out, const RetlValues *values, int64_t *numbers,
				  const uint32_t *positions, uint32_t exceptionCount)
{
	RetlValues	integers;

	FillExceptions(numbers, values->count, positions, exceptionCount);
	memset(&integers, 0, sizeof(integers));
	integers.type = RETL_PHYS_INT;
	integers.width = sizeof(int64_t);
	integers.count = values->count;
	integers.fixed = (const uint8_t *) numbers;
	RetlBitpackEncoding.encode(NULL, &integers, 0, out);
	RetlBytesAppend(out, &exceptionCount, sizeof(exceptionCount));
	if (exceptionCount == 0)
		return;
	RetlPackedAppend(out, positions, exceptionCount);
	AppendExceptions(out, values, positions, exceptionCount);
}

/* ---------------------------------------------------------------------
 * Reading
 * ---------------------------------------------------------------------
 */

/* Understand the integers; *size is how many bytes they take. */
static bool
OpenIntegers(RetlNumbers *numbers, const uint8_t *src, size_t srcSize, size_t *size,
			 const char **error)
{
	const size_t header = 1 + sizeof(int64_t);
	uint64_t	bitsSize;

	if (srcSize < header)
		return RetlDamaged(error, "integers of a piece are truncated");
	numbers->bitWidth = src[0];
	if (numbers->bitWidth > 64)
		return RetlDamaged(error, "integers of a piece have an impossible bit width");
	numbers->smallest = (int64_t) RetlLoad64(src + 1);
	bitsSize = RetlBitsSize(numbers->count, numbers->bitWidth);
	if (bitsSize > srcSize - header)
		return RetlDamaged(error, "integers of a piece are truncated");
	numbers->bits = src + header;
	numbers->bitsSize = (size_t) bitsSize;
	*size = header + numbers->bitsSize;
	return true;
}

/* Understand the exceptions, which the source holds to its end. */
static bool
OpenExceptions(RetlNumbers *numbers, const uint8_t *src, size_t srcSize,
			   RetlPhysType type, uint16_t width, const char **error)
{
	if (srcSize < sizeof(uint32_t))
		return RetlDamaged(error, "exceptions of a piece are truncated");
	numbers->exceptionCount = RetlLoad32(src);
	src += sizeof(uint32_t);
	srcSize -= sizeof(uint32_t);
	if (numbers->exceptionCount > numbers->count)
		return RetlDamaged(error, "piece has more exceptions than values");
	if (!RetlPackedOpen(&numbers->positions, src, srcSize, numbers->exceptionCount, error))
		return false;
	numbers->exceptions = src + numbers->positions.size;
	numbers->exceptionsSize = srcSize - numbers->positions.size;
	if ((numbers->exceptionCount == 0 && numbers->exceptionsSize != 0) ||
		(type != RETL_PHYS_BYTES &&
		 numbers->exceptionsSize != (uint64_t) numbers->exceptionCount * width))
		return RetlDamaged(error, "exceptions of a piece have the wrong length");
	return true;
}

/* See numbers.h. */
bool
RetlNumbersOpen(RetlNumbers *numbers, const uint8_t *src, size_t srcSize,
				RetlPhysType type, uint16_t width, uint32_t count, const char **error)
{
	size_t		size;

	memset(numbers, 0, sizeof(*numbers));
	if (count > RETLDB_MAX_PACKED)
		return RetlDamaged(error, "piece has too many values");
	numbers->count = count;
	return OpenIntegers(numbers, src, srcSize, &size, error) &&
		OpenExceptions(numbers, src + size, srcSize - size, type, width, error);
}

/* See numbers.h. */
void
RetlNumbersRead(const RetlNumbers *numbers, uint32_t first, uint32_t count, int64_t *dst)
{
	RetlBitsUnpack(numbers->bits, numbers->bitsSize, first, count, numbers->bitWidth,
				   (uint64_t) numbers->smallest, dst, sizeof(int64_t));
}

/* See numbers.h. */
bool
RetlNumbersIsException(const RetlNumbers *numbers, uint32_t index, uint32_t *which)
{
	uint32_t	low = 0;
	uint32_t	high = numbers->exceptionCount;

	while (low < high)
	{
		uint32_t	middle = low + (high - low) / 2;

		if (RetlPackedFetch(&numbers->positions, middle) < index)
			low = middle + 1;
		else
			high = middle;
	}
	*which = low;
	return low < numbers->exceptionCount &&
		RetlPackedFetch(&numbers->positions, low) == index;
}

/* See numbers.h. */
uint32_t *
RetlNumbersPositions(const RetlNumbers *numbers, const RetlArena *arena, const char **error)
{
	uint32_t   *positions = RetlArenaAlloc(arena, sizeof(uint32_t) * numbers->exceptionCount);
	uint32_t	i;

	RetlPackedRead(&numbers->positions, 0, numbers->exceptionCount, positions);
	for (i = 0; i < numbers->exceptionCount; i++)
		if (positions[i] >= numbers->count || (i > 0 && positions[i] <= positions[i - 1]))
		{
			*error = "positions of exceptions are out of order";
			return NULL;
		}
	return positions;
}

/* See numbers.h. */
bool
RetlNumbersExceptions(const RetlNumbers *numbers, RetlPhysType type, uint16_t width,
					  RetlDecoded *exceptions, const RetlArena *arena, const char **error)
{
	uint32_t	count = numbers->exceptionCount;

	memset(exceptions, 0, sizeof(*exceptions));
	if (type != RETL_PHYS_BYTES)
	{
		exceptions->fixed = (uint8_t *) numbers->exceptions;	/* not written to */
		return true;
	}
	exceptions->starts = RetlArenaAlloc(arena, sizeof(uint32_t) * count);
	exceptions->lengths = RetlArenaAlloc(arena, sizeof(uint32_t) * count);
	return RetlPlainEncoding.decode(NULL, numbers->exceptions, numbers->exceptionsSize,
									type, width, count, exceptions, arena, error);
}

/* ---------------------------------------------------------------------
 * Filtering
 * ---------------------------------------------------------------------
 */

/* The first difference of an integer not below "number"; false if there is none. */
static bool
DifferenceOf(const RetlNumbers *numbers, int64_t number, uint64_t *difference)
{
	*difference = 0;
	if (number > numbers->smallest)
		*difference = (uint64_t) number - (uint64_t) numbers->smallest;
	return *difference <= RetlBitMask(numbers->bitWidth);
}

/* See numbers.h. */
RetlPlace
RetlNumbersPlace(const RetlNumbers *numbers, int64_t atLeast, bool noneAtLeast,
				 int64_t above, bool noneAbove)
{
	RetlPlace	place;

	place.noneAtLeast = !DifferenceOf(numbers, atLeast, &place.atLeast) || noneAtLeast;
	place.noneAbove = !DifferenceOf(numbers, above, &place.above) || noneAbove;
	return place;
}

/* The differences from one place's constant to another one's, both included. */
static RetlRange
RangeBetween(const RetlNumbers *numbers, const RetlPlace *from, const RetlPlace *to)
{
	const RetlRange none = {1, 0, false};
	RetlRange	range = {from->atLeast, RetlBitMask(numbers->bitWidth), false};

	if (from->noneAtLeast)
		return none;
	if (!to->noneAbove)
	{
		if (to->above <= from->atLeast)
			return none;
		range.high = to->above - 1;
	}
	return range;
}

/* The condition "value op constants" on differences; op is not RETL_IN. */
static RetlRange
RangeOf(const RetlNumbers *numbers, RetlFilterOp op, const RetlPlace *first,
		const RetlPlace *second)
{
	const RetlPlace belowAll = {0, 0, false, false};
	const RetlPlace aboveAll = {0, 0, true, true};
	RetlPlace	after = {first->above, 0, first->noneAbove, true};
	RetlPlace	before = {0, first->atLeast, false, first->noneAtLeast};
	RetlRange	range;

	switch (op)
	{
		case RETL_LT:
			return RangeBetween(numbers, &belowAll, &before);
		case RETL_LE:
			return RangeBetween(numbers, &belowAll, first);
		case RETL_GE:
			return RangeBetween(numbers, first, &aboveAll);
		case RETL_GT:
			return RangeBetween(numbers, &after, &aboveAll);
		case RETL_BETWEEN:
			return RangeBetween(numbers, first, second);
		default:
			range = RangeBetween(numbers, first, first);
			range.negate = (op == RETL_NE);
			return range;
	}
}

/* Clear the bits of numbers outside the range. */
static void
SelectRange(const RetlNumbers *numbers, const RetlRange *range, uint64_t *selected)
{
	if (!RetlRangeIsTrivial(range) &&
		range->low == 0 && range->high == RetlBitMask(numbers->bitWidth))
	{
		if (range->negate)
			RetlSelectionClear(selected, 0, numbers->count);
		return;
	}
	RetlBitsSelect(numbers->bits, numbers->bitsSize, numbers->count, numbers->bitWidth,
				   range, selected);
}

/* Clear the bits of numbers that are not among the constants. */
static void
SelectAmong(const RetlNumbers *numbers, const RetlFilter *filter, RetlPlaceFunction place,
			const void *context, uint64_t *selected, const RetlArena *arena)
{
	uint32_t	words = RetlSelectionWords(numbers->count);
	uint64_t   *found = RetlArenaAlloc(arena, sizeof(uint64_t) * words);
	uint64_t   *some = RetlArenaAlloc(arena, sizeof(uint64_t) * words);
	uint32_t	c;
	uint32_t	i;

	memset(found, 0, sizeof(uint64_t) * words);
	for (c = 0; c < filter->constantCount; c++)
	{
		RetlPlace	at = place(context, numbers, &filter->constants[c]);
		RetlRange	range = RangeBetween(numbers, &at, &at);

		if (RetlRangeIsTrivial(&range))
			continue;
		for (i = 0; i < words; i++)
			some[i] = selected[i] & ~found[i];
		SelectRange(numbers, &range, some);
		for (i = 0; i < words; i++)
			found[i] |= some[i];
	}
	memcpy(selected, found, sizeof(uint64_t) * words);
}

/* Filter the numbers, exceptions or not. */
static void
SelectNumbers(const RetlNumbers *numbers, const RetlFilter *filter, RetlPlaceFunction place,
			  const void *context, uint64_t *selected, const RetlArena *arena)
{
	RetlPlace	first;
	RetlPlace	second;
	RetlRange	range;

	if (filter->op == RETL_IN)
	{
		SelectAmong(numbers, filter, place, context, selected, arena);
		return;
	}
	first = place(context, numbers, &filter->constants[0]);
	second = first;
	if (filter->op == RETL_BETWEEN)
		second = place(context, numbers, &filter->constants[1]);
	range = RangeOf(numbers, filter->op, &first, &second);
	SelectRange(numbers, &range, selected);
}

/* See numbers.h.  The exceptions' bits are set aside while the numbers are filtered. */
bool
RetlNumbersFilter(const RetlNumbers *numbers, RetlPhysType type, uint16_t width,
				  const RetlFilter *filter, RetlPlaceFunction place,
				  const void *context, uint64_t *selected,
				  const RetlArena *arena, const char **error)
{
	uint32_t	words = RetlSelectionWords(numbers->exceptionCount);
	uint32_t   *positions = NULL;
	uint64_t   *passing = NULL;
	RetlDecoded exceptions;
	uint32_t	i;

	if (numbers->exceptionCount > 0)
	{
		positions = RetlNumbersPositions(numbers, arena, error);
		if (positions == NULL ||
			!RetlNumbersExceptions(numbers, type, width, &exceptions, arena, error))
			return false;
		passing = RetlArenaAlloc(arena, sizeof(uint64_t) * words);
		memset(passing, 0, sizeof(uint64_t) * words);
		for (i = 0; i < numbers->exceptionCount; i++)
			if (RetlIsSelected(selected, positions[i]))
				passing[i / 64] |= UINT64_C(1) << (i % 64);
		RetlFilterDecoded(filter, type, width, numbers->exceptionCount, &exceptions, passing);
	}
	SelectNumbers(numbers, filter, place, context, selected, arena);
	for (i = 0; i < numbers->exceptionCount; i++)
	{
		uint64_t	bit = UINT64_C(1) << (positions[i] % 64);

		if (RetlIsSelected(passing, i))
			selected[positions[i] / 64] |= bit;
		else
			selected[positions[i] / 64] &= ~bit;
	}
	return true;
}
