/*-------------------------------------------------------------------------
 *
 * distinct_sort.c
 *	  Distinct values in dictionary order.  Pure C.
 *
 * Sorted are pairs of a sort key (eight bytes of the value as a number, at first
 * those at its start) and the value's number, so that most comparisons do not
 * touch the values: many pairs by the bytes of their keys, few by a merge sort.
 * Byte strings whose keys are equal get the next eight bytes as their keys and
 * are sorted again, a few times; then, as for all other types, a merge sort
 * compares the values.
 *
 *-------------------------------------------------------------------------
 */
#include "encoding/bitpacking.h"
#include "encoding/distinct.h"
#include "encoding/valueops.h"

/* So many items are sorted by the bytes of their keys. */
#define RADIX_MIN			256

#define KEY_LENGTH			8

/* Times that strings with equal keys get others. */
#define MAX_DEPTH			16

/* Value with its sort key. */
typedef struct SortItem
{
	uint64_t	key;
	uint32_t	number;
} SortItem;

/* What is sorted, and memory to do it in. */
typedef struct Sorter
{
	const RetlDistinct *distinct;
	const RetlValues *values;
	SortItem   *spare;			/* as many as there are items */
} Sorter;

/* Is item a to stand before item b?  Distinct values are never equal. */
static inline bool
SortsBefore(const Sorter *sorter, const SortItem *a, const SortItem *b)
{
	const uint8_t *aValue;
	const uint8_t *bValue;
	uint32_t	aLength;
	uint32_t	bLength;

	if (a->key != b->key)
		return a->key < b->key;
	aValue = RetlValueAt(sorter->values, sorter->distinct->firsts[a->number], &aLength);
	bValue = RetlValueAt(sorter->values, sorter->distinct->firsts[b->number], &bLength);
	return RetlCompareBytes(aValue, aLength, bValue, bLength) < 0;
}

/*
 * Merge the sorted items [0, middle) and [middle, count) of "from" into "to"; by
 * their keys alone unless "byValue".
 */
static inline __attribute__((always_inline)) void
Merge(const Sorter *sorter, SortItem *to, const SortItem *from, uint32_t middle,
	  uint32_t count, bool byValue)
{
	uint32_t	left = 0;
	uint32_t	right = middle;
	uint32_t	i;

	for (i = 0; i < count; i++)
	{
		bool		takeRight;

		if (left == middle)
			takeRight = true;
		else if (right == count)
			takeRight = false;
		else if (byValue)
			takeRight = SortsBefore(sorter, &from[right], &from[left]);
		else
			takeRight = from[right].key < from[left].key;
		to[i] = takeRight ? from[right++] : from[left++];
	}
}

/* Sort items by a merge sort from runs of one on. */
static inline __attribute__((always_inline)) void
MergeSort(const Sorter *sorter, SortItem *items, uint32_t count, bool byValue)
{
	SortItem   *from = items;
	SortItem   *to = sorter->spare;
	uint32_t	run;
	uint32_t	i;

	for (run = 1; run < count; run *= 2)
	{
		SortItem   *sorted = to;

		for (i = 0; i < count; i += 2 * run)
		{
			uint32_t	rest = count - i;

			Merge(sorter, to + i, from + i, run < rest ? run : rest,
				  2 * run < rest ? 2 * run : rest, byValue);
		}
		to = from;
		from = sorted;
	}
	if (from != items)
		memcpy(items, from, sizeof(SortItem) * count);
}

/* Sort items by one byte of their keys, keeping the order of equal ones. */
static void
SortByByte(SortItem *to, const SortItem *from, uint32_t count, unsigned shift)
{
	uint32_t	starts[256] = {0};
	uint32_t	sum = 0;
	uint32_t	i;

	for (i = 0; i < count; i++)
		starts[(from[i].key >> shift) & 0xFF]++;
	for (i = 0; i < 256; i++)
	{
		uint32_t	here = starts[i];

		starts[i] = sum;
		sum += here;
	}
	for (i = 0; i < count; i++)
		to[starts[(from[i].key >> shift) & 0xFF]++] = from[i];
}

/* Sort items by the bytes of their keys that are not the same in all, the last one first. */
static void
RadixSort(const Sorter *sorter, SortItem *items, uint32_t count)
{
	SortItem   *from = items;
	SortItem   *to = sorter->spare;
	uint64_t	different = 0;
	unsigned	shift;
	uint32_t	i;

	for (i = 1; i < count; i++)
		different |= items[i].key ^ items[0].key;
	for (shift = 0; shift < 64; shift += 8)
		if (((different >> shift) & 0xFF) != 0)
		{
			SortItem   *sorted = to;

			SortByByte(to, from, count, shift);
			to = from;
			from = sorted;
		}
	if (from != items)
		memcpy(items, from, sizeof(SortItem) * count);
}

static void SortItems(const Sorter *sorter, SortItem *items, uint32_t count, uint32_t depth);

/*
 * Sort byte strings that have their first "start" bytes in common.  Those that
 * end there differ in zeros at the end only (keys have zeros behind the values),
 * so there is one for each length at most; they come first.
 */
static void
SortRests(const Sorter *sorter, SortItem *items, uint32_t count, uint32_t depth)
{
	uint32_t	start = depth * KEY_LENGTH;
	SortItem	ended[KEY_LENGTH + 1];
	uint32_t	endedCount = 0;
	uint32_t	longerCount = 0;
	uint32_t	i;

	for (i = 0; i < count; i++)
	{
		SortItem	item = items[i];
		uint32_t	length;
		const uint8_t *value = RetlValueAt(sorter->values,
										   sorter->distinct->firsts[item.number], &length);

		if (length > start)
		{
			item.key = RetlSortKey(RETL_PHYS_BYTES, 0, value + start, length - start);
			items[longerCount++] = item;
		}
		else
		{
			item.key = length;
			RetlAssert(endedCount < KEY_LENGTH + 1);
			ended[endedCount++] = item;
		}
	}
	memmove(items + endedCount, items, sizeof(SortItem) * longerCount);
	if (endedCount > 0)
	{
		memcpy(items, ended, sizeof(SortItem) * endedCount);
		MergeSort(sorter, items, endedCount, false);
	}
	SortItems(sorter, items + endedCount, longerCount, depth);
}

/*
 * Sort items whose keys are the bytes from depth * KEY_LENGTH on; those before
 * are the same in all of them.
 */
static void
SortItems(const Sorter *sorter, SortItem *items, uint32_t count, uint32_t depth)
{
	uint32_t	start;
	uint32_t	end;

	if (count < RADIX_MIN)
		MergeSort(sorter, items, count, false);
	else
		RadixSort(sorter, items, count);
	for (start = 0; start < count; start = end)
	{
		end = start + 1;
		while (end < count && items[end].key == items[start].key)
			end++;
		if (end - start == 1)
			continue;
		if (sorter->values->type == RETL_PHYS_BYTES && depth < MAX_DEPTH)
			SortRests(sorter, items + start, end - start, depth + 1);
		else
			MergeSort(sorter, items + start, end - start, true);
	}
}

/* See distinct.h. */
void
RetlDistinctSort(const RetlDistinct *distinct, const RetlValues *values,
				 uint32_t *order, const RetlArena *arena)
{
	uint32_t	count = distinct->count;
	Sorter		sorter = {distinct, values, NULL};
	SortItem   *items;
	uint32_t	i;

	if (distinct->inOrder || count == 0)
	{
		for (i = 0; i < count; i++)
			order[i] = i;
		return;
	}
	items = RetlArenaAlloc(arena, sizeof(SortItem) * count);
	sorter.spare = RetlArenaAlloc(arena, sizeof(SortItem) * count);
	for (i = 0; i < count; i++)
	{
		uint32_t	length;
		const uint8_t *value = RetlValueAt(values, distinct->firsts[i], &length);

		items[i].key = RetlSortKey(values->type, values->width, value, length);
		items[i].number = i;
	}
	SortItems(&sorter, items, count, 0);
	for (i = 0; i < count; i++)
		order[i] = items[i].number;
}
