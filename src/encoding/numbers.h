/*-------------------------------------------------------------------------
 *
 * numbers.h
 *	  Integers that stand for values of another type, with exceptions; what
 *	  ALP and DECIMAL have in common.  Pure C.
 *
 * Values that are no such integers are exceptions: their places among the
 * integers hold the smallest one, and they themselves stand aside.
 *
 *	SIZE	DESCRIPTION
 *	n		the integers: a BITPACK payload (bitpack.c) of count values of 8 bytes
 *	4		x, the number of exceptions, at most count
 *	m		where they are, rising: a packed array of x numbers
 *	...		the exceptions: a PLAIN payload (plain.c) of x values of the type
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_NUMBERS_H
#define RETLDB_NUMBERS_H

#include "encoding/bitpacking.h"

/* As found in a source. */
typedef struct RetlNumbers
{
	uint32_t	count;
	unsigned	bitWidth;
	int64_t		smallest;
	const uint8_t *bits;		/* differences from the smallest */
	size_t		bitsSize;

	uint32_t	exceptionCount;
	RetlPacked	positions;
	const uint8_t *exceptions;	/* a PLAIN payload */
	size_t		exceptionsSize;
} RetlNumbers;

/*
 * Append "numbers" for the values, of which there is at least one; those at the
 * rising "positions" are not looked at, the values there are exceptions.
 */
extern void RetlNumbersAppend(RetlBytes *out, const RetlValues *values, int64_t *numbers,
							  const uint32_t *positions, uint32_t exceptionCount);

/* Understand and check what the source holds to its end; count is not 0. */
extern bool RetlNumbersOpen(RetlNumbers *numbers, const uint8_t *src, size_t srcSize,
							RetlPhysType type, uint16_t width, uint32_t count,
							const char **error);

/* Read integers [first, first + count), first being a multiple of 8. */
extern void RetlNumbersRead(const RetlNumbers *numbers, uint32_t first, uint32_t count,
							int64_t *dst);

/* The integer at "index". */
static inline int64_t
RetlNumbersFetch(const RetlNumbers *numbers, uint32_t index)
{
	return (int64_t) ((uint64_t) numbers->smallest +
					  RetlBitsFetch(numbers->bits, index, numbers->bitWidth));
}

/* Is the value at "index" an exception?  Then *which says the how-manieth. */
extern bool RetlNumbersIsException(const RetlNumbers *numbers, uint32_t index,
								   uint32_t *which);

/* Positions of all exceptions, checked; NULL and error if damaged.  There is one. */
extern uint32_t *RetlNumbersPositions(const RetlNumbers *numbers, const RetlArena *arena,
									  const char **error);

/* All exceptions, decoded; "exceptions" needs no preparation.  There is one. */
extern bool RetlNumbersExceptions(const RetlNumbers *numbers, RetlPhysType type,
								  uint16_t width, RetlDecoded *exceptions,
								  const RetlArena *arena, const char **error);

/*
 * Where a constant stands among the values of integers, which rise with them:
 * the first difference from the smallest integer whose value is not below the
 * constant, and the first whose value is above it.
 */
typedef struct RetlPlace
{
	uint64_t	atLeast;
	uint64_t	above;
	bool		noneAtLeast;	/* all are below */
	bool		noneAbove;
} RetlPlace;

/* The place of the first integer not below, and above, the constant. */
extern RetlPlace RetlNumbersPlace(const RetlNumbers *numbers, int64_t atLeast, bool noneAtLeast,
								  int64_t above, bool noneAbove);

/* Finds the place of a constant; its own context. */
typedef RetlPlace (*RetlPlaceFunction) (const void *context, const RetlNumbers *numbers,
										const RetlFilterConstant *constant);

/*
 * RetlEncoding.filter: compares differences, without making values of them.
 * RetlFilterCanCompare holds.
 */
extern bool RetlNumbersFilter(const RetlNumbers *numbers, RetlPhysType type, uint16_t width,
							  const RetlFilter *filter, RetlPlaceFunction place,
							  const void *context, uint64_t *selected,
							  const RetlArena *arena, const char **error);

#endif							/* RETLDB_NUMBERS_H */
