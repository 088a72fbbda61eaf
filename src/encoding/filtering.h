/*-------------------------------------------------------------------------
 *
 * filtering.h
 *	  What the filters of encodings share: conditions on single values and on
 *	  arrays of them, ranges of numbers, selections.  Pure C.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_FILTERING_H
#define RETLDB_FILTERING_H

#include "encoding/encoding.h"

/* ---------------------------------------------------------------------
 * Selections
 * ---------------------------------------------------------------------
 */

/* Clear bits [first, first + count). */
extern void RetlSelectionClear(uint64_t *selected, uint32_t first, uint32_t count);

/* Is one of the bits [first, first + count) set? */
extern bool RetlSelectionAny(const uint64_t *selected, uint32_t first, uint32_t count);

/* How many of "count" bits are set?  Bits past the last are clear. */
extern uint32_t RetlSelectionCount(const uint64_t *selected, uint32_t count);

/*
 * To take one packed number takes as long as to unpack about so many of them with
 * vector instructions.
 */
#define RETLDB_SPARSE_SHARE		32

/*
 * Are so few of "count" bits set, at most one in RETLDB_SPARSE_SHARE, that their
 * values are rather taken one by one than all unpacked?  NULL stands for all bits.
 */
extern bool RetlSelectionIsSparse(const uint64_t *selected, uint32_t count);

/* Entries that RetlSelectionList may write past those of the bits that are set. */
#define RETLDB_LIST_SLACK		4

/*
 * The numbers of the bits that are set, in rising order; returns how many.  Whoever
 * goes through a selection of few bits more than once had better make a list: how many
 * bits there are in each word no processor can predict.
 */
extern uint32_t RetlSelectionList(const uint64_t *selected, uint32_t count, uint32_t *list);

/*
 * Are few of the "count" values wanted?  Then decoded->few lists them, now if it did
 * not before.
 */
extern bool RetlDecodedIsFew(RetlDecoded *decoded, uint32_t count, const RetlArena *arena);

/* The first of the bits [from, count) that is set, or count. */
static inline uint32_t
RetlNextSelected(const uint64_t *selected, uint32_t from, uint32_t count)
{
	uint32_t	word = from / 64;
	uint64_t	left;

	if (from >= count)
		return count;
	left = selected[word] >> (from % 64);
	if (left != 0)
		return from + (uint32_t) __builtin_ctzll(left);
	for (word++; word < RetlSelectionWords(count); word++)
		if (selected[word] != 0)
			return word * 64 + (uint32_t) __builtin_ctzll(selected[word]);
	return count;
}

/*
 * Loop over the bits that are set, i (a variable) being the number of each; bits
 * past "count" are clear.  Quicker than RetlNextSelected where all are visited.
 */
#define RETL_FOR_SELECTED(i, selected, count) \
	for (uint32_t word_ = 0; word_ < RetlSelectionWords(count); word_++) \
		for (uint64_t left_ = (selected)[word_]; \
			 left_ != 0 && ((i) = word_ * 64 + (uint32_t) __builtin_ctzll(left_), true); \
			 left_ &= left_ - 1)

/* How many bits of a word are set, without an instruction for it. */
static inline uint32_t
RetlCountBits(uint64_t word)
{
	word -= word >> 1 & UINT64_C(0x5555555555555555);
	word = (word & UINT64_C(0x3333333333333333)) + (word >> 2 & UINT64_C(0x3333333333333333));
	word = (word + (word >> 4)) & UINT64_C(0x0F0F0F0F0F0F0F0F);
	return (uint32_t) (word * UINT64_C(0x0101010101010101) >> 56);
}

/* ---------------------------------------------------------------------
 * Values
 * ---------------------------------------------------------------------
 */

/*
 * Can values of this type be compared with the filter's constants?  No if only
 * the predicate knows the order, or a constant is not a value of this type.
 */
extern bool RetlFilterCanCompare(const RetlFilter *filter, RetlPhysType type,
								 uint16_t width);

/* Can a value be tested at all: by comparing, or by the predicate? */
extern bool RetlFilterCanTest(const RetlFilter *filter, RetlPhysType type,
							  uint16_t width);

/* Does a value pass?  RetlFilterCanTest holds. */
extern bool RetlFilterTest(const RetlFilter *filter, RetlPhysType type, uint16_t width,
						   const uint8_t *value, size_t length);

/*
 * Clear the bits of those of "count" decoded values that do not pass; bits that
 * are clear already spare the look at their values.  RetlFilterCanTest holds.
 */
extern void RetlFilterDecoded(const RetlFilter *filter, RetlPhysType type,
							  uint16_t width, uint32_t count,
							  const RetlDecoded *values, uint64_t *selected);

/* ---------------------------------------------------------------------
 * Numbers
 * ---------------------------------------------------------------------
 */

/* A condition on a number n: (low <= n <= high) != negate; low > high is the empty range. */
typedef struct RetlRange
{
	uint64_t	low;
	uint64_t	high;
	bool		negate;
} RetlRange;

/* No number is in it, or every one is: nothing needs comparing. */
static inline bool
RetlRangeIsTrivial(const RetlRange *range)
{
	return range->low > range->high;
}

/*
 * Clear bit i for each number i outside the range.  Numbers whose 64 bits are
 * all clear are not looked at.
 */
extern void RetlSelectRange32(const uint32_t *numbers, uint32_t count,
							  const RetlRange *range, uint64_t *selected);
extern void RetlSelectRange64(const uint64_t *numbers, uint32_t count,
							  const RetlRange *range, uint64_t *selected);

/*
 * A condition on an integer of 8 * width bits, whatever its order: v passes if
 * ((v - start) modulo its size <= span) != negate.  Empty: no v is inside.
 */
typedef struct RetlIntRange
{
	uint64_t	start;
	uint64_t	span;
	bool		empty;
	bool		negate;
} RetlIntRange;

/*
 * The filter as a range, if it is one; RetlFilterCanCompare holds.  Of
 * RETL_PHYS_INT values as they are, of RETL_PHYS_FLOAT values' keys: the key of a
 * float are its bits, all but the highest flipped if that is set.  Keys of
 * numbers rise with them as signed integers.  False for other types and for IN
 * of several constants.
 */
extern bool RetlFilterIntRange(const RetlFilter *filter, RetlPhysType type,
							   uint16_t width, RetlIntRange *range);

/*
 * The same condition for differences d = v - base (modulo the size of v) that
 * lie between 0 and "largest".
 */
extern RetlRange RetlIntRangeOfDifferences(const RetlIntRange *range, uint16_t width,
										   uint64_t base, uint64_t largest);

#endif							/* RETLDB_FILTERING_H */
