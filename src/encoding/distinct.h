/*-------------------------------------------------------------------------
 *
 * distinct.h
 *	  The distinct values of an array, for the dictionary encoding.  Pure C.
 *
 * Values are the same if their bytes are.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_DISTINCT_H
#define RETLDB_DISTINCT_H

#include "encoding/encoding.h"

typedef struct RetlDistinct
{
	uint32_t	count;			/* distinct values */
	uint32_t   *firsts;			/* of each, the index of an occurrence */
	uint64_t	bytes;			/* of the distinct values together */
	uint32_t	changes;		/* values that differ from the one before, and 1 */
	bool		inOrder;		/* they are numbered in dictionary order */
} RetlDistinct;

/*
 * Find the distinct values and number them.  "codes", with room for all values,
 * gets the number of each.  Returns false, having given up, when it turns out
 * that their bytes and codes together take more than maxBytes.
 */
extern bool RetlDistinctCollect(RetlDistinct *distinct, const RetlValues *values,
								uint64_t maxBytes, uint32_t *codes,
								const RetlArena *arena);

/* Is a dictionary of what was found already larger than maxBytes? */
extern bool RetlDistinctIsTooLarge(const RetlDistinct *distinct, uint64_t maxBytes);

/*
 * For integers that lie close together (false if they do not, or are none): find
 * the distinct ones.  *numbers is then for RetlDistinctRangeCodes, which says the
 * number of each value.
 */
extern bool RetlDistinctInRange(RetlDistinct *distinct, const RetlValues *values,
								uint32_t **numbers, const RetlArena *arena);
extern void RetlDistinctRangeCodes(const RetlDistinct *distinct, const RetlValues *values,
								   const uint32_t *numbers, uint32_t *codes);

/*
 * Is it pointless to look at all values, because nearly all of an evenly spread
 * sample are different?  Always false for short arrays.
 */
extern bool RetlDistinctHopeless(const RetlValues *values, const RetlArena *arena);

/*
 * Raise the registers of a HyperLogLog sketch, of which there are 2^bits, by the
 * values; bits is 1 to 31.
 */
extern void RetlDistinctSketch(const RetlValues *values, uint8_t *registers, unsigned bits);

/*
 * The distinct values in dictionary order (valueops.h): order[i] is the number
 * of the i-th smallest.  "order" has room for distinct->count entries.
 */
extern void RetlDistinctSort(const RetlDistinct *distinct, const RetlValues *values,
							 uint32_t *order, const RetlArena *arena);

#endif							/* RETLDB_DISTINCT_H */
