/*-------------------------------------------------------------------------
 *
 * distinct.c
 *	  The distinct values of an array, for the dictionary encoding.  Pure C.
 *
 * A hash table with linear probing, half full at most, that doubles from the
 * arena: what it leaves behind there is no more than what it ends with.  Hash
 * values never reach the disk.
 *
 * Sorting is a bottom-up merge sort over pairs of a sort key (the start of the
 * value as a number) and the value's number, so that most comparisons do not
 * touch the values.  Its time does not depend on the values.
 *
 *-------------------------------------------------------------------------
 */
#include "encoding/distinct.h"
#include "encoding/valueops.h"

#define FIRST_SLOTS			1024

/* Of a sample of so many values, how many may differ. */
#define SAMPLE_VALUES		4096
#define SAMPLE_MAX_DISTINCT	(SAMPLE_VALUES / 32 * 31)

#define HASH_MULTIPLIER		UINT64_C(0x9FB21C651E98DF25)
#define HASH_SEED			UINT64_C(0xD6E8FEB86659FD93)

/* A slot of the hash table; number 0 is an empty one. */
typedef struct Slot
{
	uint32_t	hash;
	uint32_t	number;			/* of the distinct value, plus 1 */
} Slot;

typedef struct HashTable
{
	Slot	   *slots;
	uint32_t	slotCount;		/* a power of two */
	uint32_t	capacity;		/* entries that "firsts" has room for */
} HashTable;

/* Value with its sort key. */
typedef struct SortItem
{
	uint64_t	key;
	uint32_t	number;
} SortItem;

/* One step of the hash: take in eight bytes. */
static inline uint64_t
HashMix(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * HASH_MULTIPLIER;
	return hash ^ (hash >> 29);
}

/* Hash of a byte string; reads nothing outside it. */
static inline uint64_t
HashBytes(const uint8_t *value, uint32_t length)
{
	uint64_t	hash = HashMix(HASH_SEED, length);
	uint32_t	done;

	if (length >= 8)
	{
		for (done = 0; done + 8 <= length; done += 8)
			hash = HashMix(hash, RetlLoad64(value + done));

		/* The last eight, some of them once more. */
		return HashMix(hash, RetlLoad64(value + length - 8));
	}
	if (length >= 4)
		return HashMix(hash, RetlLoad32(value) |
					   (uint64_t) RetlLoad32(value + length - 4) << 32);
	if (length > 0)
		return HashMix(hash, value[0] | (uint64_t) value[length / 2] << 8 |
					   (uint64_t) value[length - 1] << 16);
	return hash;
}

/* Hash of one value, of which the table uses 32 bits. */
static inline uint32_t
HashValue(const uint8_t *value, uint32_t length)
{
	uint64_t	hash = HashMix(HashBytes(value, length), 0);

	return (uint32_t) (hash >> 32);
}

/* Make the table, or make it twice as large; entries are put in again. */
static void
GrowTable(HashTable *table, const RetlArena *arena)
{
	uint32_t	slotCount = table->slotCount == 0 ? FIRST_SLOTS : table->slotCount * 2;
	size_t		size = sizeof(Slot) * slotCount;
	Slot	   *slots = RetlArenaAlloc(arena, size);
	uint32_t	i;

	memset(slots, 0, size);
	for (i = 0; i < table->slotCount; i++)
	{
		uint32_t	at = table->slots[i].hash & (slotCount - 1);

		if (table->slots[i].number == 0)
			continue;
		while (slots[at].number != 0)
			at = (at + 1) & (slotCount - 1);
		slots[at] = table->slots[i];
	}
	table->slots = slots;
	table->slotCount = slotCount;
}

/* Room for more distinct values: half as many as there are slots. */
static void
GrowFirsts(RetlDistinct *distinct, HashTable *table, const RetlArena *arena)
{
	uint32_t	capacity = table->slotCount / 2;
	uint32_t   *firsts = RetlArenaAlloc(arena, sizeof(uint32_t) * capacity);

	if (distinct->count > 0)
		memcpy(firsts, distinct->firsts, sizeof(uint32_t) * distinct->count);
	distinct->firsts = firsts;
	table->capacity = capacity;
}

/* The number of value "index", which is added if it is new. */
static uint32_t
FindOrAdd(RetlDistinct *distinct, HashTable *table, const RetlValues *values,
		  uint32_t index, const RetlArena *arena)
{
	uint32_t	length;
	const uint8_t *value = RetlValueAt(values, index, &length);
	uint32_t	hash = HashValue(value, length);
	uint32_t	at = hash & (table->slotCount - 1);

	for (; table->slots[at].number != 0; at = (at + 1) & (table->slotCount - 1))
	{
		uint32_t	number = table->slots[at].number - 1;

		if (table->slots[at].hash == hash &&
			RetlValuesSame(values, distinct->firsts[number], index))
			return number;
	}
	table->slots[at].hash = hash;
	table->slots[at].number = distinct->count + 1;
	distinct->firsts[distinct->count] = index;
	distinct->bytes += length;
	if (++distinct->count == table->capacity)
	{
		GrowTable(table, arena);
		GrowFirsts(distinct, table, arena);
	}
	return distinct->count - 1;
}

/* See distinct.h. */
bool
RetlDistinctCollect(RetlDistinct *distinct, const RetlValues *values,
					uint64_t maxBytes, uint32_t *codes, const RetlArena *arena)
{
	HashTable	table = {NULL, 0, 0};
	uint32_t	number = 0;
	uint32_t	i;

	memset(distinct, 0, sizeof(*distinct));
	GrowTable(&table, arena);
	GrowFirsts(distinct, &table, arena);
	for (i = 0; i < values->count; i++)
	{
		if (i == 0 || !RetlValuesSame(values, i - 1, i))
		{
			number = FindOrAdd(distinct, &table, values, i, arena);
			distinct->changes++;
			if (distinct->bytes > maxBytes)
				return false;
		}
		if (codes != NULL)
			codes[i] = number;
	}
	return true;
}

/* See distinct.h. */
bool
RetlDistinctHopeless(const RetlValues *values, const RetlArena *arena)
{
	RetlDistinct distinct;
	HashTable	table = {NULL, 0, 0};
	uint32_t	step = values->count / SAMPLE_VALUES;
	uint32_t	i;

	if (step < 2)
		return false;
	memset(&distinct, 0, sizeof(distinct));
	GrowTable(&table, arena);
	GrowFirsts(&distinct, &table, arena);
	for (i = 0; i < SAMPLE_VALUES; i++)
		(void) FindOrAdd(&distinct, &table, values, i * step, arena);
	return distinct.count > SAMPLE_MAX_DISTINCT;
}

/* Is item a to stand before item b?  Distinct values are never equal. */
static inline bool
SortsBefore(const SortItem *a, const SortItem *b, const RetlDistinct *distinct,
			const RetlValues *values)
{
	const uint8_t *aValue;
	const uint8_t *bValue;
	uint32_t	aLength;
	uint32_t	bLength;

	if (a->key != b->key)
		return a->key < b->key;
	aValue = RetlValueAt(values, distinct->firsts[a->number], &aLength);
	bValue = RetlValueAt(values, distinct->firsts[b->number], &bLength);
	return RetlCompareBytes(aValue, aLength, bValue, bLength) < 0;
}

/* Merge the sorted items [0, middle) and [middle, count) of "from" into "to". */
static void
Merge(SortItem *to, const SortItem *from, uint32_t middle, uint32_t count,
	  const RetlDistinct *distinct, const RetlValues *values)
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
		else
			takeRight = SortsBefore(&from[right], &from[left], distinct, values);
		to[i] = takeRight ? from[right++] : from[left++];
	}
}

/* See distinct.h. */
void
RetlDistinctSort(const RetlDistinct *distinct, const RetlValues *values,
				 uint32_t *order, const RetlArena *arena)
{
	uint32_t	count = distinct->count;
	SortItem   *items;
	SortItem   *spare;
	uint32_t	run;
	uint32_t	i;

	if (count == 0)
		return;
	items = RetlArenaAlloc(arena, sizeof(SortItem) * count);
	spare = RetlArenaAlloc(arena, sizeof(SortItem) * count);
	for (i = 0; i < count; i++)
	{
		uint32_t	length;
		const uint8_t *value = RetlValueAt(values, distinct->firsts[i], &length);

		items[i].key = RetlSortKey(values->type, values->width, value, length);
		items[i].number = i;
	}
	for (run = 1; run < count; run *= 2)
	{
		SortItem   *sorted = spare;

		for (i = 0; i < count; i += 2 * run)
		{
			uint32_t	rest = count - i;

			Merge(spare + i, items + i, run < rest ? run : rest,
				  2 * run < rest ? 2 * run : rest, distinct, values);
		}
		spare = items;
		items = sorted;
	}
	for (i = 0; i < count; i++)
		order[i] = items[i].number;
}
