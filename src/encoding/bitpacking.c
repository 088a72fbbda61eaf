/*-------------------------------------------------------------------------
 *
 * bitpacking.c
 *	  Arrays of small unsigned numbers in few bits; shared by the encodings.
 *	  Pure C.
 *
 * Unpacking is what scans spend their time on.  There is one function for each
 * pair of destination type and width, made by macros: with a constant width,
 * eight numbers become eight loads, shifts and masks whose distances are all
 * constants.  They read words of eight bytes and so up to nine bytes past the
 * numbers they need; RetlBitsUnpack runs them only as far as the source allows
 * and gives them the rest in a padded copy.  Where the processor has AVX2, the
 * functions of simd.c do most of the work.
 *
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "encoding/bitpacking.h"
#include "encoding/simd.h"
#include "encoding/valueops.h"

/* Numbers handled at a time where a buffer on the stack is needed. */
#define BLOCK_NUMBERS		512

/* Bytes that an unpack function may read past its last group's. */
#define UNPACK_SLACK		9

/* ---------------------------------------------------------------------
 * Unpack functions: "groups" groups of 8 numbers each
 * ---------------------------------------------------------------------
 */

typedef void (*UnpackFunction) (const uint8_t *src, uint64_t base,
								uint8_t *dst, uint32_t groups);

/*
 * Number j of a group.  Where it spans nine bytes, the ninth is added; the
 * conditions are constants.
 */
#define UNPACK_WORD(W, j) \
	(RetlLoad64(src + ((j) * (W) >> 3)) >> ((j) * (W) & 7))
#define UNPACK_REST(W, j) \
	((((j) * (W) & 7) + (W) > 64) ? \
	 (uint64_t) src[((j) * (W) >> 3) + 8] << ((64 - ((j) * (W) & 7)) & 63) : 0)
#define UNPACK_ONE(T, W, j) \
	number = (T) (((UNPACK_WORD(W, j) | UNPACK_REST(W, j)) & (UINT64_MAX >> (64 - (W)))) + base); \
	memcpy(dst + (j) * sizeof(T), &number, sizeof(T))

#define UNPACK_FUNCTION(T, W) \
static void \
Unpack_##T##_##W(const uint8_t *restrict src, uint64_t base, \
				 uint8_t *restrict dst, uint32_t groups) \
{ \
	for (; groups > 0; groups--) \
	{ \
		T		number; \
		UNPACK_ONE(T, W, 0); \
		UNPACK_ONE(T, W, 1); \
		UNPACK_ONE(T, W, 2); \
		UNPACK_ONE(T, W, 3); \
		UNPACK_ONE(T, W, 4); \
		UNPACK_ONE(T, W, 5); \
		UNPACK_ONE(T, W, 6); \
		UNPACK_ONE(T, W, 7); \
		src += (W); \
		dst += 8 * sizeof(T); \
	} \
}

/* M(T, W) for all widths of 1 to 8, 9 to 16, 17 to 32, and 33 to 64. */
#define WIDTHS_1_8(M, T) \
	M(T, 1) M(T, 2) M(T, 3) M(T, 4) M(T, 5) M(T, 6) M(T, 7) M(T, 8)
#define WIDTHS_9_16(M, T) \
	M(T, 9) M(T, 10) M(T, 11) M(T, 12) M(T, 13) M(T, 14) M(T, 15) M(T, 16)
#define WIDTHS_17_32(M, T) \
	M(T, 17) M(T, 18) M(T, 19) M(T, 20) M(T, 21) M(T, 22) M(T, 23) M(T, 24) \
	M(T, 25) M(T, 26) M(T, 27) M(T, 28) M(T, 29) M(T, 30) M(T, 31) M(T, 32)
#define WIDTHS_33_64(M, T) \
	M(T, 33) M(T, 34) M(T, 35) M(T, 36) M(T, 37) M(T, 38) M(T, 39) M(T, 40) \
	M(T, 41) M(T, 42) M(T, 43) M(T, 44) M(T, 45) M(T, 46) M(T, 47) M(T, 48) \
	M(T, 49) M(T, 50) M(T, 51) M(T, 52) M(T, 53) M(T, 54) M(T, 55) M(T, 56) \
	M(T, 57) M(T, 58) M(T, 59) M(T, 60) M(T, 61) M(T, 62) M(T, 63) M(T, 64)

WIDTHS_1_8(UNPACK_FUNCTION, uint8_t)
WIDTHS_1_8(UNPACK_FUNCTION, uint16_t)
WIDTHS_9_16(UNPACK_FUNCTION, uint16_t)
WIDTHS_1_8(UNPACK_FUNCTION, uint32_t)
WIDTHS_9_16(UNPACK_FUNCTION, uint32_t)
WIDTHS_17_32(UNPACK_FUNCTION, uint32_t)
WIDTHS_1_8(UNPACK_FUNCTION, uint64_t)
WIDTHS_9_16(UNPACK_FUNCTION, uint64_t)
WIDTHS_17_32(UNPACK_FUNCTION, uint64_t)
WIDTHS_33_64(UNPACK_FUNCTION, uint64_t)

#define UNPACK_ENTRY(T, W) [W] = Unpack_##T##_##W,

static const UnpackFunction unpackTo8[9] = {
	WIDTHS_1_8(UNPACK_ENTRY, uint8_t)
};
static const UnpackFunction unpackTo16[17] = {
	WIDTHS_1_8(UNPACK_ENTRY, uint16_t)
	WIDTHS_9_16(UNPACK_ENTRY, uint16_t)
};
static const UnpackFunction unpackTo32[33] = {
	WIDTHS_1_8(UNPACK_ENTRY, uint32_t)
	WIDTHS_9_16(UNPACK_ENTRY, uint32_t)
	WIDTHS_17_32(UNPACK_ENTRY, uint32_t)
};
static const UnpackFunction unpackTo64[65] = {
	WIDTHS_1_8(UNPACK_ENTRY, uint64_t)
	WIDTHS_9_16(UNPACK_ENTRY, uint64_t)
	WIDTHS_17_32(UNPACK_ENTRY, uint64_t)
	WIDTHS_33_64(UNPACK_ENTRY, uint64_t)
};

/* The function for a destination type and width; width is not 0. */
static UnpackFunction
UnpackFunctionFor(unsigned width, unsigned dstWidth)
{
	RetlAssert(width >= 1 && width <= 8 * dstWidth);
	switch (dstWidth)
	{
		case 1:
			return unpackTo8[width];
		case 2:
			return unpackTo16[width];
		case 4:
			return unpackTo32[width];
		default:
			return unpackTo64[width];
	}
}

/* Store "count" integers of dstWidth bytes, all equal to the low bytes of "number". */
static void
FillIntegers(void *dst, uint32_t count, uint64_t number, unsigned dstWidth)
{
	uint8_t    *out = dst;
	uint32_t	i;

	switch (dstWidth)
	{
		case 1:
			memset(out, (int) (number & 0xFF), count);
			break;
		case 2:
			for (i = 0; i < count; i++)
				memcpy(out + (size_t) i * 2, &number, 2);
			break;
		case 4:
			for (i = 0; i < count; i++)
				memcpy(out + (size_t) i * 4, &number, 4);
			break;
		default:
			for (i = 0; i < count; i++)
				memcpy(out + (size_t) i * 8, &number, 8);
			break;
	}
}

/*
 * Unpack the last numbers of a source, which an unpack function would read
 * past the end of, by way of padded buffers.
 */
static void
UnpackTail(UnpackFunction unpack, const uint8_t *src, uint32_t count,
		   unsigned width, uint64_t base, uint8_t *dst, unsigned dstWidth)
{
	uint8_t		padded[8 * 64 + 64 + UNPACK_SLACK];
	uint8_t		numbers[8 * 8 * 8];

	while (count > 0)
	{
		/* At most eight groups of at most 64 bytes. */
		uint32_t	part = count < 64 ? count : 64;
		size_t		size = (size_t) RetlBitsSize(part, width);

		/* A group begun is read whole, and the slack after it. */
		memcpy(padded, src, size);
		memset(padded + size, 0, width + UNPACK_SLACK);
		unpack(padded, base, numbers, (part + 7) / 8);
		memcpy(dst, numbers, (size_t) part * dstWidth);
		src += size;
		dst += (size_t) part * dstWidth;
		count -= part;
	}
}

/* Whole groups among "count" numbers that leave so much slack inside the source. */
static inline uint32_t
GroupsWithSlack(uint32_t count, unsigned width, size_t srcSize, size_t slack)
{
	size_t		groups = srcSize < slack ? 0 : (srcSize - slack) / width;

	return groups < count / 8 ? (uint32_t) groups : count / 8;
}

/* See bitpacking.h. */
void
RetlBitsUnpack(const uint8_t *src, size_t srcSize, uint32_t first,
			   uint32_t count, unsigned width, uint64_t base,
			   void *dst, unsigned dstWidth)
{
	size_t		start = (size_t) (first / 8) * width;
	uint8_t    *out = dst;
	UnpackFunction unpack;
	uint32_t	groups;

	RetlAssert(first % 8 == 0);
	RetlAssert(RetlBitsSize((uint64_t) first + count, width) <= srcSize);
	if (width == 0 || count == 0)
	{
		FillIntegers(dst, count, base, dstWidth);
		return;
	}
	unpack = UnpackFunctionFor(width, dstWidth);
	src += start;
	srcSize -= start;
	if (RetlSimdUnpacks(width, dstWidth))
	{
		groups = GroupsWithSlack(count, width, srcSize, RETLDB_SIMD_SLACK);
		RetlSimdUnpack(src, width, groups, base, out, dstWidth);
		src += (size_t) groups * width;
		srcSize -= (size_t) groups * width;
		out += (size_t) groups * 8 * dstWidth;
		count -= groups * 8;
	}
	groups = GroupsWithSlack(count, width, srcSize, UNPACK_SLACK);
	unpack(src, base, out, groups);
	UnpackTail(unpack, src + (size_t) groups * width, count - groups * 8, width, base,
			   out + (size_t) groups * 8 * dstWidth, dstWidth);
}

/* RetlBitsSelect for numbers from "first" on, a multiple of 64. */
static void
SelectUnpacked(const uint8_t *src, size_t srcSize, uint32_t first, uint32_t count,
			   unsigned width, const RetlRange *range, uint64_t *selected)
{
	uint64_t	block[BLOCK_NUMBERS];

	for (; first < count; first += BLOCK_NUMBERS)
	{
		uint32_t	part = count - first < BLOCK_NUMBERS ? count - first : BLOCK_NUMBERS;

		if (!RetlSelectionAny(selected, first, part))
			continue;
		if (width <= 32)
		{
			RetlBitsUnpack(src, srcSize, first, part, width, 0, block, sizeof(uint32_t));
			RetlSelectRange32((uint32_t *) block, part, range, selected + first / 64);
		}
		else
		{
			RetlBitsUnpack(src, srcSize, first, part, width, 0, block, sizeof(uint64_t));
			RetlSelectRange64(block, part, range, selected + first / 64);
		}
	}
}

/* See bitpacking.h. */
void
RetlBitsSelect(const uint8_t *src, size_t srcSize, uint32_t count, unsigned width,
			   const RetlRange *range, uint64_t *selected)
{
	uint32_t	words = 0;

	if (RetlRangeIsTrivial(range))
	{
		if (!range->negate)
			RetlSelectionClear(selected, 0, count);
		return;
	}
	if (RetlSimdUnpacks(width, width <= 32 ? 4 : 8))
	{
		words = GroupsWithSlack(count, width, srcSize, RETLDB_SIMD_SLACK) / 8;
		RetlSimdSelectPacked(src, width, words, range->low, range->high - range->low,
							 range->negate, selected);
	}
	SelectUnpacked(src, srcSize, words * 64, count, width, range, selected);
}

/* See bitpacking.h. */
uint64_t
RetlBitsFetchAny(const uint8_t *src, uint32_t index, unsigned width)
{
	uint64_t	bit = (uint64_t) index * width;
	unsigned	shift = (unsigned) (bit & 7);
	size_t		first = (size_t) (bit >> 3);
	size_t		end = (size_t) ((bit + width + 7) >> 3);
	uint64_t	number = 0;

	if (width == 0)
		return 0;
	if (end > 8)
	{
		/* Eight bytes that end with the number's: nothing after them is touched. */
		number = RetlLoad64(src + end - 8);
		if (first + 8 >= end)
			number >>= bit - 8 * (end - 8);
		else
			number = number << (8 - shift) | src[first] >> shift;
	}
	else
	{
		memcpy(&number, src + first, end - first);
		number >>= shift;
	}
	return number & RetlBitMask(width);
}

/* See bitpacking.h. */
void
RetlBitsPack(uint8_t *dst, const uint64_t *numbers, uint32_t count, unsigned width)
{
	uint64_t	word = 0;
	unsigned	filled = 0;
	uint32_t	i;

	if (width == 0)
		return;
	for (i = 0; i < count; i++)
	{
		RetlAssert(numbers[i] <= RetlBitMask(width));
		word |= numbers[i] << filled;
		if (filled + width >= 64)
		{
			unsigned	taken = 64 - filled;

			memcpy(dst, &word, 8);
			dst += 8;
			word = taken < 64 ? numbers[i] >> taken : 0;
			filled = width - taken;
		}
		else
			filled += width;
	}
	memcpy(dst, &word, (filled + 7) / 8);
}

/* ---------------------------------------------------------------------
 * Packed arrays
 * ---------------------------------------------------------------------
 */

/* See bitpacking.h. */
uint64_t
RetlPackedSize(uint32_t count, uint32_t smallest, uint32_t largest)
{
	if (count == 0)
		return 0;
	return RETLDB_PACKED_HEADER + RetlBitsSize(count, RetlBitWidth(largest - smallest));
}

/* See bitpacking.h. */
void
RetlPackedAppend(RetlBytes *out, const uint32_t *numbers, uint32_t count)
{
	uint32_t	smallest = UINT32_MAX;
	uint32_t	largest = 0;
	uint32_t	i;

	for (i = 0; i < count; i++)
	{
		smallest = numbers[i] < smallest ? numbers[i] : smallest;
		largest = numbers[i] > largest ? numbers[i] : largest;
	}
	if (count > 0)
		RetlPackedAppendRange(out, numbers, count, smallest, largest);
}

/* See bitpacking.h. */
void
RetlPackedAppendRange(RetlBytes *out, const uint32_t *numbers, uint32_t count,
					  uint32_t base, uint32_t largest)
{
	uint64_t	block[BLOCK_NUMBERS];
	unsigned	width = RetlBitWidth(largest - base);
	size_t		size = (size_t) RetlPackedSize(count, base, largest);
	uint8_t    *dst;
	uint32_t	i;

	dst = RetlBytesReserve(out, size);
	out->length += size;
	*dst = (uint8_t) width;
	RetlStore32(dst + 1, base);
	dst += RETLDB_PACKED_HEADER;
	while (count > 0)
	{
		uint32_t	part = count < BLOCK_NUMBERS ? count : BLOCK_NUMBERS;

		for (i = 0; i < part; i++)
			block[i] = numbers[i] - base;
		RetlBitsPack(dst, block, part, width);
		dst += RetlBitsSize(part, width);
		numbers += part;
		count -= part;
	}
}

/* See bitpacking.h. */
bool
RetlPackedOpen(RetlPacked *packed, const uint8_t *src, size_t srcSize,
			   uint32_t count, const char **error)
{
	uint64_t	bitsSize;

	memset(packed, 0, sizeof(*packed));
	packed->count = count;
	packed->bits = src;
	if (count == 0)
		return true;
	if (count > RETLDB_MAX_PACKED)
		return RetlDamaged(error, "packed array has too many numbers");
	if (srcSize < RETLDB_PACKED_HEADER)
		return RetlDamaged(error, "packed array is truncated");
	packed->width = src[0];
	packed->base = RetlLoad32(src + 1);
	if (packed->width > 32)
		return RetlDamaged(error, "packed array has an impossible bit width");
	bitsSize = RetlBitsSize(count, packed->width);
	if (bitsSize > srcSize - RETLDB_PACKED_HEADER)
		return RetlDamaged(error, "packed array is truncated");
	packed->bits = src + RETLDB_PACKED_HEADER;
	packed->bitsSize = (size_t) bitsSize;
	packed->size = RETLDB_PACKED_HEADER + packed->bitsSize;
	return true;
}

/* See bitpacking.h. */
void
RetlPackedRead(const RetlPacked *packed, uint32_t first, uint32_t count, uint32_t *numbers)
{
	RetlBitsUnpack(packed->bits, packed->bitsSize, first, count, packed->width,
				   packed->base, numbers, sizeof(uint32_t));
}

/* See bitpacking.h. */
void
RetlPackedSelect(const RetlPacked *packed, const RetlRange *range, uint64_t *selected)
{
	const uint64_t most = RetlBitMask(packed->width);
	RetlRange	differences = {1, 0, range->negate};

	if (!RetlRangeIsTrivial(range) && range->high >= packed->base &&
		(range->low <= packed->base || range->low - packed->base <= most))
	{
		differences.low = range->low > packed->base ? range->low - packed->base : 0;
		differences.high = range->high - packed->base;
		if (differences.high >= most)
			differences.high = most;
		if (differences.low == 0 && differences.high == most)
			differences = (RetlRange) {1, 0, !range->negate};
	}
	RetlBitsSelect(packed->bits, packed->bitsSize, packed->count, packed->width,
				   &differences, selected);
}

/* The set of the differences from "base" of the numbers in a set. */
static RetlNumberSet
SetOfDifferences(const RetlNumberSet *set, uint32_t base)
{
	RetlNumberSet result;
	uint32_t	i;

	if (base == 0)
		return *set;
	memset(&result, 0, sizeof(result));
	for (i = base; i < RETLDB_SET_NUMBERS; i++)
		if (RetlSetHas(set, i))
			result.words[(i - base) / 32] |= UINT32_C(1) << ((i - base) % 32);
	return result;
}

/* See bitpacking.h. */
void
RetlPackedLookUp(const RetlPacked *packed, const RetlNumberSet *set, uint64_t *selected)
{
	uint32_t	word = 0;

	if (packed->width <= 8 && RetlSimdUnpacks(packed->width, sizeof(uint32_t)))
	{
		RetlNumberSet differences = SetOfDifferences(set, packed->base);

		word = GroupsWithSlack(packed->count, packed->width, packed->bitsSize,
							   RETLDB_SIMD_SLACK) / 8;
		RetlSimdLookUpPacked(packed->bits, packed->width, word, differences.words, selected);
	}
	for (; word < RetlSelectionWords(packed->count); word++)
	{
		uint64_t	left;

		for (left = selected[word]; left != 0; left &= left - 1)
		{
			unsigned	bit = (unsigned) __builtin_ctzll(left);
			bool		has = RetlSetHas(set, RetlPackedFetch(packed, word * 64 + bit));

			/* whether it is there is hard to predict: no branch */
			selected[word] &= ~((uint64_t) !has << bit);
		}
	}
}

/* See bitpacking.h. */
uint64_t
RetlPackedSum(const RetlPacked *packed, uint32_t count)
{
	uint32_t	numbers[BLOCK_NUMBERS];
	uint64_t	sum = 0;
	uint32_t	first;

	RetlAssert(count <= packed->count);
	if (packed->width == 0)
		return (uint64_t) count * packed->base;
	for (first = 0; first < count; first += BLOCK_NUMBERS)
	{
		uint32_t	part = count - first < BLOCK_NUMBERS ? count - first : BLOCK_NUMBERS;
		uint32_t	i;

		RetlPackedRead(packed, first, part, numbers);
		for (i = 0; i < part; i++)
			sum += numbers[i];
	}
	return sum;
}

/* See bitpacking.h. */
bool
RetlPackedStringNeeds(const uint8_t *src, size_t srcSize, size_t header, uint32_t count,
					  uint32_t index, uint32_t step, RetlSpan *span)
{
	RetlPacked	lengths;
	const char *error;

	if (step == 0)
	{
		*span = (RetlSpan) {0, header + RETLDB_PACKED_HEADER};
		return true;
	}
	if (step > 2 || index >= count || srcSize < header ||
		!RetlPackedOpen(&lengths, src + header, srcSize - header, count, &error))
		return false;
	if (step == 1)
	{
		*span = (RetlSpan) {header + RETLDB_PACKED_HEADER, RetlBitsSize((uint64_t) index + 1, lengths.width)};
		return true;
	}
	*span = (RetlSpan) {header + lengths.size + RetlPackedSum(&lengths, index),
	RetlPackedFetch(&lengths, index)};
	return true;
}

/* See bitpacking.h. */
bool
RetlPackedFindRun(const RetlPacked *packed, uint64_t index, uint32_t *run)
{
	uint32_t	numbers[BLOCK_NUMBERS];
	uint64_t	end = 0;
	uint32_t	first;

	for (first = 0; first < packed->count; first += BLOCK_NUMBERS)
	{
		uint32_t	rest = packed->count - first;
		uint32_t	part = rest < BLOCK_NUMBERS ? rest : BLOCK_NUMBERS;
		uint32_t	i;

		RetlPackedRead(packed, first, part, numbers);
		for (i = 0; i < part; i++)
		{
			end += numbers[i];
			if (index < end)
			{
				*run = first + i;
				return true;
			}
		}
	}
	return false;
}
