/*-------------------------------------------------------------------------
 *
 * bitpacking.h
 *	  Arrays of small unsigned numbers in few bits; shared by the encodings.
 *	  Pure C.
 *
 * Bits.  "count" numbers of "width" bits (0 to 64) take RetlBitsSize bytes:
 * bit b of the array is bit (b % 8) of byte (b / 8), number i occupies the bits
 * [i * width, (i + 1) * width), lowest first; the bits left over in the last
 * byte are zero when written and ignored when read.  Eight numbers always begin
 * at a byte boundary.
 *
 * Packed array.  Numbers of 32 bits with their frame of reference:
 *
 *	OFFSET	SIZE	DESCRIPTION
 *	0		1		width of the differences in bits, 0 to 32
 *	1		4		base, the smallest number
 *	5		...		bits of (number - base)
 *
 * A packed array of no numbers has no bytes at all.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_BITPACKING_H
#define RETLDB_BITPACKING_H

#include <string.h>

#include "encoding/encoding.h"
#include "encoding/filtering.h"

/* Bytes of a packed array before its bits. */
#define RETLDB_PACKED_HEADER	5

/* More numbers than this no array has; readers refuse them. */
#define RETLDB_MAX_PACKED		RETLDB_MAX_GROUP_ROWS

/* Bits that "number" needs: 0 for 0, 64 for the largest. */
static inline unsigned
RetlBitWidth(uint64_t number)
{
	return number == 0 ? 0 : 64 - (unsigned) __builtin_clzll(number);
}

/* The largest number of so many bits. */
static inline uint64_t
RetlBitMask(unsigned width)
{
	return width == 0 ? 0 : UINT64_MAX >> (64 - width);
}

/* Bytes that "count" numbers of "width" bits take. */
static inline uint64_t
RetlBitsSize(uint64_t count, unsigned width)
{
	return (count * width + 7) / 8;
}

/*
 * Write numbers, none longer than width bits, into the RetlBitsSize bytes at
 * dst.  May be called for parts of an array whose counts, but the last one,
 * are multiples of 8.
 */
extern void RetlBitsPack(uint8_t *dst, const uint64_t *numbers, uint32_t count,
						 unsigned width);

/*
 * Read numbers [first, first + count) of the bits at src, add base to each
 * (modulo the destination's size), and store them as integers of dstWidth
 * (1, 2, 4 or 8) bytes.  "first" is a multiple of 8, width at most 8 *
 * dstWidth, and src holds srcSize >= RetlBitsSize(first + count, width) bytes.
 */
extern void RetlBitsUnpack(const uint8_t *src, size_t srcSize, uint32_t first,
						   uint32_t count, unsigned width, uint64_t base,
						   void *dst, unsigned dstWidth);

/*
 * Have some numbers, given by their indexes, come into the cache.  Those who take few
 * numbers out of cold memory and do much with each would wait for one after the other.
 */
static inline void
RetlBitsPrefetch(const uint8_t *src, unsigned width, const uint32_t *indexes, uint32_t count)
{
	uint32_t	i;

	for (i = 0; i < count; i++)
		__builtin_prefetch(src + ((uint64_t) indexes[i] * width >> 3));
}

/* RetlBitsFetch for all cases. */
extern uint64_t RetlBitsFetchAny(const uint8_t *src, uint32_t index, unsigned width);

/*
 * Number "index" of the bits at src, which reach at least that far.  Where eight
 * bytes that end with the number's hold it, they are read: nothing after them is
 * touched.
 */
static inline uint64_t
RetlBitsFetch(const uint8_t *src, uint32_t index, unsigned width)
{
	uint64_t	bit = (uint64_t) index * width;
	size_t		end = (size_t) ((bit + width + 7) >> 3);
	uint64_t	word;

	if (end < 8 || width > 57)
		return RetlBitsFetchAny(src, index, width);
	memcpy(&word, src + end - 8, sizeof(word));
	return word >> (bit - 8 * (end - 8)) & (UINT64_MAX >> (64 - width));
}

/*
 * Clear bit i for each number i outside the range, of the "count" numbers at
 * src, which has srcSize >= RetlBitsSize(count, width) bytes.  Numbers whose 64
 * bits are all clear are not looked at.
 */
extern void RetlBitsSelect(const uint8_t *src, size_t srcSize, uint32_t count,
						   unsigned width, const RetlRange *range, uint64_t *selected);

/* A packed array as found in a source. */
typedef struct RetlPacked
{
	const uint8_t *bits;
	size_t		bitsSize;		/* exactly what count and width need */
	uint32_t	count;
	uint32_t	base;
	unsigned	width;
	size_t		size;			/* bytes of the whole packed array */
} RetlPacked;

/* Bytes of a packed array of numbers between these two. */
extern uint64_t RetlPackedSize(uint32_t count, uint32_t smallest, uint32_t largest);

/* Append a packed array. */
extern void RetlPackedAppend(RetlBytes *out, const uint32_t *numbers, uint32_t count);

/* The same of at least one number, of which the smallest (base) and the largest are known. */
extern void RetlPackedAppendRange(RetlBytes *out, const uint32_t *numbers, uint32_t count,
								  uint32_t base, uint32_t largest);

/*
 * Understand the packed array of "count" numbers that the source begins with;
 * false and error if it is damaged or does not fit the source.
 */
extern bool RetlPackedOpen(RetlPacked *packed, const uint8_t *src, size_t srcSize,
						   uint32_t count, const char **error);

/* Numbers [first, first + count), first being a multiple of 8. */
extern void RetlPackedRead(const RetlPacked *packed, uint32_t first, uint32_t count,
						   uint32_t *numbers);

/* Clear bit i for each number i outside the range. */
extern void RetlPackedSelect(const RetlPacked *packed, const RetlRange *range,
							 uint64_t *selected);

/* A set of numbers below RETLDB_SET_NUMBERS. */
#define RETLDB_SET_NUMBERS		256

typedef struct RetlNumberSet
{
	uint32_t	words[RETLDB_SET_NUMBERS / 32]; /* bit n % 32 of word n / 32 */
} RetlNumberSet;

/* Is a number in the set? */
static inline bool
RetlSetHas(const RetlNumberSet *set, uint32_t number)
{
	return number < RETLDB_SET_NUMBERS && (set->words[number / 32] >> (number % 32) & 1) != 0;
}

/*
 * Clear bit i for each number i that is not in the set.  Numbers whose 64 bits are all
 * clear are not looked at.
 */
extern void RetlPackedLookUp(const RetlPacked *packed, const RetlNumberSet *set,
							 uint64_t *selected);

/* Number "index". */
static inline uint32_t
RetlPackedFetch(const RetlPacked *packed, uint32_t index)
{
	return (uint32_t) RetlBitsFetch(packed->bits, index, packed->width) + packed->base;
}

/* Sum of the first "count" numbers. */
extern uint64_t RetlPackedSum(const RetlPacked *packed, uint32_t count);

/*
 * RetlEncoding.needs for a source that begins with "header" bytes and the packed
 * lengths of strings, the bytes of which follow: the head, then the lengths up to
 * the string's, then the string.
 */
extern bool RetlPackedStringNeeds(const uint8_t *src, size_t srcSize, size_t header,
								  uint32_t count, uint32_t index, uint32_t step, RetlSpan *span);

/*
 * The numbers are lengths of consecutive runs: which run holds position
 * "index"?  False if the runs end before it.
 */
extern bool RetlPackedFindRun(const RetlPacked *packed, uint64_t index, uint32_t *run);

#endif							/* RETLDB_BITPACKING_H */
