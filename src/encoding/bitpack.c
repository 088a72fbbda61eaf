/*-------------------------------------------------------------------------
 *
 * bitpack.c
 *	  BITPACK: frame of reference and bit packing of integers.  Pure C.
 *
 * Serves RETL_PHYS_INT.  Each piece stores its smallest value and, in as few
 * bits as the largest needs, the differences from it; they are unsigned and
 * have at most 8 * width bits.
 *
 * Payload, empty if there are no values:
 *
 *	OFFSET		SIZE	DESCRIPTION
 *	0			1		b, the bits of a difference, 0 to 8 * width
 *	1			width	the smallest value
 *	1 + width	...		count differences of b bits (bitpacking.h, "Bits"):
 *						(count * b + 7) / 8 bytes
 *
 * Example: the int2 values -1, 0, 2 are 02 | FF FF | 34 - differences 0, 1, 3
 * in two bits each: binary 11 01 00.
 *
 *-------------------------------------------------------------------------
 */
#include "encoding/bitpacking.h"
#include "encoding/descriptors.h"
#include "encoding/filtering.h"
#include "encoding/valueops.h"

/* Values handled at a time; a multiple of 8. */
#define BLOCK_VALUES		512

/* The payload of a piece with at least one value. */
typedef struct BitpackPiece
{
	const uint8_t *bits;
	size_t		bitsSize;
	unsigned	bitWidth;
	int64_t		smallest;
} BitpackPiece;

/* Integers of PostgreSQL's widths. */
static bool
BitpackApplies(RetlPhysType type, uint16_t width)
{
	return type == RETL_PHYS_INT &&
		(width == 1 || width == 2 || width == 4 || width == 8);
}

/* Smallest and largest of "count" values, in a loop of constant width. */
static inline void
RangeOf(const uint8_t *fixed, uint16_t width, uint32_t count,
		int64_t *smallest, int64_t *largest)
{
	int64_t		low = INT64_MAX;
	int64_t		high = INT64_MIN;
	uint32_t	i;

	for (i = 0; i < count; i++)
	{
		int64_t		value = RetlLoadInt(fixed + (size_t) i * width, width);

		low = value < low ? value : low;
		high = value > high ? value : high;
	}
	*smallest = low;
	*largest = high;
}

/* Smallest and largest of the values; there is at least one. */
static void
ValueRange(const RetlValues *values, int64_t *smallest, int64_t *largest)
{
	switch (values->width)
	{
		case 1:
			RangeOf(values->fixed, 1, values->count, smallest, largest);
			break;
		case 2:
			RangeOf(values->fixed, 2, values->count, smallest, largest);
			break;
		case 4:
			RangeOf(values->fixed, 4, values->count, smallest, largest);
			break;
		default:
			RangeOf(values->fixed, 8, values->count, smallest, largest);
			break;
	}
}

/* Bits of the differences between these two values. */
static unsigned
DifferenceBits(int64_t smallest, int64_t largest)
{
	return RetlBitWidth((uint64_t) largest - (uint64_t) smallest);
}

/* RetlEncoding.analyse: exact. */
static uint64_t
BitpackAnalyse(const RetlValues *values, uint32_t pieceRows, const RetlArena *arena)
{
	uint64_t	size = 0;
	uint32_t	first;
	uint32_t	part;

	(void) arena;
	for (first = 0; first < values->count; first += part)
	{
		RetlValues	piece;
		int64_t		smallest;
		int64_t		largest;

		part = values->count - first < pieceRows ? values->count - first : pieceRows;
		piece = RetlValuesSlice(values, first, part);
		ValueRange(&piece, &smallest, &largest);
		size += 1 + values->width +
			RetlBitsSize(part, DifferenceBits(smallest, largest));
	}
	return size;
}

/* Differences of "count" values from the smallest. */
static void
Differences(const uint8_t *fixed, uint16_t width, uint32_t count, int64_t smallest,
			uint64_t *differences)
{
	uint32_t	i;

	for (i = 0; i < count; i++)
		differences[i] = (uint64_t) RetlLoadInt(fixed + (size_t) i * width, width) -
			(uint64_t) smallest;
}

/* RetlEncoding.encode. */
static void
BitpackEncode(RetlEncodingState *state, const RetlValues *values, uint32_t first,
			  RetlBytes *out)
{
	uint64_t	block[BLOCK_VALUES];
	int64_t		smallest;
	int64_t		largest;
	unsigned	bitWidth;
	size_t		size;
	uint8_t    *dst;
	uint32_t	done;

	(void) state;
	(void) first;
	if (values->count == 0)
		return;
	ValueRange(values, &smallest, &largest);
	bitWidth = DifferenceBits(smallest, largest);
	size = 1 + values->width + (size_t) RetlBitsSize(values->count, bitWidth);
	dst = RetlBytesReserve(out, size);
	out->length += size;
	*dst++ = (uint8_t) bitWidth;
	memcpy(dst, &smallest, values->width);	/* little-endian: the low bytes */
	dst += values->width;
	for (done = 0; done < values->count; done += BLOCK_VALUES)
	{
		uint32_t	rest = values->count - done;
		uint32_t	part = rest < BLOCK_VALUES ? rest : BLOCK_VALUES;

		Differences(values->fixed + (size_t) done * values->width, values->width,
					part, smallest, block);
		RetlBitsPack(dst, block, part, bitWidth);
		dst += RetlBitsSize(part, bitWidth);
	}
}

/* Understand and check a payload; count is not 0. */
static bool
OpenPiece(BitpackPiece *piece, const uint8_t *src, size_t srcSize, uint16_t width,
		  uint32_t count, const char **error)
{
	if (count > RETLDB_MAX_PACKED)
		return RetlDamaged(error, "bit-packed piece has too many values");
	if (srcSize < 1 + (size_t) width)
		return RetlDamaged(error, "bit-packed piece is truncated");
	piece->bitWidth = src[0];
	if (piece->bitWidth > 8U * width)
		return RetlDamaged(error, "bit-packed piece has an impossible bit width");
	piece->smallest = RetlLoadInt(src + 1, width);
	piece->bits = src + 1 + width;
	piece->bitsSize = srcSize - 1 - width;
	if (piece->bitsSize != RetlBitsSize(count, piece->bitWidth))
		return RetlDamaged(error, "bit-packed piece has the wrong length");
	return true;
}

/* Is the payload of no values what it must be? */
static bool
CheckEmpty(size_t srcSize, const char **error)
{
	if (srcSize != 0)
		return RetlDamaged(error, "bit-packed piece has the wrong length");
	return true;
}

/* Store a value at its place among those of the piece. */
static inline void
StoreValue(const BitpackPiece *piece, uint32_t index, uint16_t width, uint8_t *fixed)
{
	uint64_t	value = (uint64_t) piece->smallest +
		RetlBitsFetch(piece->bits, index, piece->bitWidth);

	if (width == 4)
		memcpy(fixed, &value, 4);
	else if (width == 8)
		memcpy(fixed, &value, 8);
	else
		memcpy(fixed, &value, width);
}

/* Decode the wanted values, which are few. */
static void
DecodeFew(const BitpackPiece *piece, uint16_t width, RetlDecoded *result)
{
	uint32_t	i;

	for (i = 0; i < result->fewCount; i++)
		StoreValue(piece, result->few[i], width,
				   result->fixed + (size_t) result->few[i] * width);
}

/* RetlEncoding.decode. */
static bool
BitpackDecode(const RetlEncodingState *state, const uint8_t *src, size_t srcSize,
			  RetlPhysType type, uint16_t width, uint32_t count,
			  RetlDecoded *result, const RetlArena *arena, const char **error)
{
	BitpackPiece piece;

	(void) state;
	(void) type;
	if (count == 0)
		return CheckEmpty(srcSize, error);
	if (!OpenPiece(&piece, src, srcSize, width, count, error))
		return false;
	if (RetlDecodedIsFew(result, count, arena))
		DecodeFew(&piece, width, result);
	else
		RetlBitsUnpack(piece.bits, piece.bitsSize, 0, count, piece.bitWidth,
					   (uint64_t) piece.smallest, result->fixed, width);
	return true;
}

/* RetlEncoding.fetch. */
static bool
BitpackFetch(const RetlEncodingState *state, const uint8_t *src, size_t srcSize,
			 RetlPhysType type, uint16_t width, uint32_t count, uint32_t index,
			 RetlDecoded *result, const RetlArena *arena, const char **error)
{
	BitpackPiece piece;

	(void) state;
	(void) type;
	(void) arena;
	if (index >= count)
		return RetlDamaged(error, "value index is out of range");
	if (!OpenPiece(&piece, src, srcSize, width, count, error))
		return false;
	StoreValue(&piece, index, width, result->fixed);
	return true;
}

/* RetlEncoding.needs: the head, then the value's bits. */
static bool
BitpackNeeds(const uint8_t *src, size_t srcSize, RetlPhysType type, uint16_t width,
			 uint32_t count, uint32_t index, uint32_t step, RetlSpan *span)
{
	uint64_t	bit;

	(void) type;
	(void) count;
	*span = (RetlSpan) {0, 1 + (uint64_t) width};
	if (step == 0)
		return true;
	if (step > 1 || srcSize < 1)
		return false;
	bit = (uint64_t) index * src[0];
	*span = (RetlSpan) {1 + (uint64_t) width + bit / 8, (bit % 8 + src[0] + 7) / 8};
	return true;
}

/* Select by a filter that is no range, block by block of decoded values. */
static void
SelectDecoded(const BitpackPiece *piece, uint16_t width, uint32_t count,
			  const RetlFilter *filter, uint64_t *selected)
{
	uint64_t	block[BLOCK_VALUES];
	RetlDecoded decoded = {.fixed = (uint8_t *) block};
	uint32_t	first;

	for (first = 0; first < count; first += BLOCK_VALUES)
	{
		uint32_t	part = count - first < BLOCK_VALUES ? count - first : BLOCK_VALUES;

		if (!RetlSelectionAny(selected, first, part))
			continue;
		RetlBitsUnpack(piece->bits, piece->bitsSize, first, part, piece->bitWidth,
					   (uint64_t) piece->smallest, block, width);
		RetlFilterDecoded(filter, RETL_PHYS_INT, width, part, &decoded,
						  selected + first / 64);
	}
}

/* RetlEncoding.filter. */
static bool
BitpackFilter(const RetlEncodingState *state, const uint8_t *src, size_t srcSize,
			  RetlPhysType type, uint16_t width, uint32_t count,
			  const RetlFilter *filter, RetlFilterMemo *memo,
			  uint64_t *selected, bool *answered,
			  const RetlArena *arena, const char **error)
{
	BitpackPiece piece;
	RetlIntRange intRange;
	RetlRange	range;

	(void) state;
	(void) memo;
	(void) arena;
	*answered = RetlFilterCanTest(filter, type, width);
	if (!*answered)
		return true;
	if (count == 0)
		return CheckEmpty(srcSize, error);
	if (!OpenPiece(&piece, src, srcSize, width, count, error))
		return false;
	if (RetlFilterCanCompare(filter, type, width) &&
		RetlFilterIntRange(filter, type, width, &intRange))
	{
		/* Compare differences, without adding the smallest value. */
		range = RetlIntRangeOfDifferences(&intRange, width, (uint64_t) piece.smallest,
										  RetlBitMask(piece.bitWidth));
		RetlBitsSelect(piece.bits, piece.bitsSize, count, piece.bitWidth, &range, selected);
	}
	else
		SelectDecoded(&piece, width, count, filter, selected);
	return true;
}

const RetlEncoding RetlBitpackEncoding = {
	.id = RETL_ENCODING_BITPACK,
	.name = "bitpack",
	.applies = BitpackApplies,
	.analyse = BitpackAnalyse,
	.encode = BitpackEncode,
	.decode = BitpackDecode,
	.takesFew = true,
	.fetch = BitpackFetch,
	.needs = BitpackNeeds,
	.filter = BitpackFilter,
};
