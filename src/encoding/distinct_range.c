/*-------------------------------------------------------------------------
 *
 * distinct_range.c
 *	  The distinct values among integers that lie close together.  Pure C.
 *
 * They are found with a table that has an entry for each integer from the
 * smallest to the largest.  Three passes without a branch that depends on the
 * data are faster than a hash table, and leave the values in order: find the
 * range; mark what occurs, by its index; after the marks have been replaced by
 * numbers, look up the number of each value.
 *
 *-------------------------------------------------------------------------
 */
#include "encoding/bitpacking.h"
#include "encoding/distinct.h"
#include "encoding/valueops.h"

/* The table has so many entries at most, and so many for each value. */
#define ENTRIES_MAX			(UINT32_C(1) << 17)
#define ENTRIES_PER_VALUE	8

/* The functions for integers of a C type. */
#define RANGE_FUNCTIONS(type) \
static void \
FindRange_##type(const RetlValues *values, int64_t *smallest, int64_t *largest) \
{ \
	type		low; \
	type		high; \
	uint32_t	i; \
	memcpy(&low, values->fixed, sizeof(low)); \
	high = low; \
	for (i = 1; i < values->count; i++) \
	{ \
		type		value; \
		memcpy(&value, values->fixed + (size_t) i * sizeof(value), sizeof(value)); \
		low = value < low ? value : low; \
		high = value > high ? value : high; \
	} \
	*smallest = low; \
	*largest = high; \
} \
static uint32_t \
Mark_##type(const RetlValues *values, int64_t smallest, uint32_t *numbers) \
{ \
	type		before; \
	uint32_t	changes = 1; \
	uint32_t	i; \
	memcpy(&before, values->fixed, sizeof(before)); \
	for (i = 0; i < values->count; i++) \
	{ \
		type		value; \
		memcpy(&value, values->fixed + (size_t) i * sizeof(value), sizeof(value)); \
		changes += value != before; \
		before = value; \
		numbers[(uint64_t) value - (uint64_t) smallest] = i + 1; \
	} \
	return changes; \
} \
static void \
Assign_##type(const RetlValues *values, int64_t smallest, const uint32_t *numbers, \
			  uint32_t *codes) \
{ \
	uint32_t	i; \
	for (i = 0; i < values->count; i++) \
	{ \
		type		value; \
		memcpy(&value, values->fixed + (size_t) i * sizeof(value), sizeof(value)); \
		codes[i] = numbers[(uint64_t) value - (uint64_t) smallest]; \
	} \
}

RANGE_FUNCTIONS(int8_t)
RANGE_FUNCTIONS(int16_t)
RANGE_FUNCTIONS(int32_t)
RANGE_FUNCTIONS(int64_t)

/* Smallest and largest value. */
static void
FindRange(const RetlValues *values, int64_t *smallest, int64_t *largest)
{
	switch (values->width)
	{
		case 1:
			FindRange_int8_t(values, smallest, largest);
			return;
		case 2:
			FindRange_int16_t(values, smallest, largest);
			return;
		case 4:
			FindRange_int32_t(values, smallest, largest);
			return;
		default:
			FindRange_int64_t(values, smallest, largest);
			return;
	}
}

/* Put 1 + the index of its last occurrence into each value's entry; returns the changes. */
static uint32_t
Mark(const RetlValues *values, int64_t smallest, uint32_t *numbers)
{
	switch (values->width)
	{
		case 1:
			return Mark_int8_t(values, smallest, numbers);
		case 2:
			return Mark_int16_t(values, smallest, numbers);
		case 4:
			return Mark_int32_t(values, smallest, numbers);
		default:
			return Mark_int64_t(values, smallest, numbers);
	}
}

/* See distinct.h. */
bool
RetlDistinctInRange(RetlDistinct *distinct, const RetlValues *values, uint32_t **numbers,
					const RetlArena *arena)
{
	int64_t		smallest;
	int64_t		largest;
	uint64_t	entries;
	uint64_t	i;

	if (values->type != RETL_PHYS_INT || values->count == 0)
		return false;
	FindRange(values, &smallest, &largest);
	entries = (uint64_t) largest - (uint64_t) smallest;
	if (entries >= ENTRIES_MAX || entries >= (uint64_t) values->count * ENTRIES_PER_VALUE)
		return false;
	entries++;

	*numbers = RetlArenaAlloc(arena, sizeof(uint32_t) * (size_t) entries);
	memset(*numbers, 0, sizeof(uint32_t) * (size_t) entries);
	memset(distinct, 0, sizeof(*distinct));
	distinct->inOrder = true;
	distinct->changes = Mark(values, smallest, *numbers);
	for (i = 0; i < entries; i++)
		distinct->count += (*numbers)[i] != 0;
	distinct->bytes = (uint64_t) distinct->count * values->width;
	distinct->firsts = RetlArenaAlloc(arena, sizeof(uint32_t) * distinct->count);
	distinct->count = 0;
	for (i = 0; i < entries; i++)
		if ((*numbers)[i] != 0)
		{
			distinct->firsts[distinct->count] = (*numbers)[i] - 1;
			(*numbers)[i] = distinct->count++;
		}
	return true;
}

/* See distinct.h.  The first of the values in order is the smallest. */
void
RetlDistinctRangeCodes(const RetlDistinct *distinct, const RetlValues *values,
					   const uint32_t *numbers, uint32_t *codes)
{
	uint32_t	length;
	int64_t		smallest = RetlLoadInt(RetlValueAt(values, distinct->firsts[0], &length),
									   values->width);

	switch (values->width)
	{
		case 1:
			Assign_int8_t(values, smallest, numbers, codes);
			return;
		case 2:
			Assign_int16_t(values, smallest, numbers, codes);
			return;
		case 4:
			Assign_int32_t(values, smallest, numbers, codes);
			return;
		default:
			Assign_int64_t(values, smallest, numbers, codes);
			return;
	}
}

/* See distinct.h. */
bool
RetlDistinctIsTooLarge(const RetlDistinct *distinct, uint64_t maxBytes)
{
	uint64_t	codeWidth = RetlBitWidth(distinct->count - 1);

	return distinct->bytes + distinct->changes * codeWidth / 8 > maxBytes;
}
