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
	uint32_t   *firsts;			/* of each, the index of its first occurrence */
	uint64_t	bytes;			/* of the distinct values together */
	uint32_t	changes;		/* values that differ from the one before, and 1 */
} RetlDistinct;

/*
 * Find the distinct values, numbered in the order of their first occurrence.
 * "codes", with room for all values, gets the number of each.  Returns false,
 * having given up, when it turns out that their bytes and codes together take
 * more than maxBytes.
 */
extern bool RetlDistinctCollect(RetlDistinct *distinct, const RetlValues *values,
								uint64_t maxBytes, uint32_t *codes,
								const RetlArena *arena);

/*
 * Is it pointless to look at all values, because nearly all of an evenly spread
 * sample are different?  Always false for short arrays.
 */
extern bool RetlDistinctHopeless(const RetlValues *values, const RetlArena *arena);

/* A well mixed hash of value "index", for estimates; it never reaches the disk. */
extern uint32_t RetlValueHash(const RetlValues *values, uint32_t index);

/*
 * The distinct values in dictionary order (valueops.h): order[i] is the number
 * of the i-th smallest.  "order" has room for distinct->count entries.
 */
extern void RetlDistinctSort(const RetlDistinct *distinct, const RetlValues *values,
							 uint32_t *order, const RetlArena *arena);

#endif							/* RETLDB_DISTINCT_H */
