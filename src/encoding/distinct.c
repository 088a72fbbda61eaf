/*-------------------------------------------------------------------------
 *
 * distinct.c
 *	  The distinct values of an array, for the dictionary encoding.  Pure C.
 *
 * A hash table with linear probing, half full at most, that doubles from the
 * arena: what it leaves behind there is no more than what it ends with.  Hash
 * values never reach the disk.
 *
 * A value is looked up by its key, a number of 64 bits.  Integers and short
 * strings are their keys, so that no two of them have the same one, and most
 * columns never touch a value twice.  The key of anything longer is a hash, and
 * the values decide.
 *
 * Sorted are pairs of a sort key (the start of the value as a number) and the
 * value's number, so that most comparisons do not touch the values: few of them
 * by a bottom-up merge sort; many by the bytes of their keys, and then those with
 * equal keys by merge sorts.
 *
 *-------------------------------------------------------------------------
 */
#include "encoding/bitpacking.h"
#include "encoding/distinct.h"
#include "encoding/valueops.h"

#define FIRST_SLOT_BITS		9

/* Of a sample of so many values, how many may differ. */
#define SAMPLE_VALUES		4096
#define SAMPLE_MAX_DISTINCT	(SAMPLE_VALUES / 32 * 31)

/* So many items are sorted by the bytes of their keys. */
#define RADIX_MIN			256

/* Distinct values after which the size so far is looked at. */
#define CHECK_INTERVAL		1024

#define HASH_MULTIPLIER		UINT64_C(0x9FB21C651E98DF25)
#define HASH_SEED			UINT64_C(0xD6E8FEB86659FD93)

/* In the key of a byte string: it is a hash. */
#define KEY_IS_HASH			(UINT64_C(1) << 63)
/* Strings of so many bytes are their keys, with their length on top. */
#define KEY_BYTES_MAX		7

/* A slot of the hash table; number 0 is an empty one. */
typedef struct Slot
{
	uint64_t	key;
	uint32_t	number;			/* of the distinct value, plus 1 */
} Slot;

typedef struct HashTable
{
	Slot	   *slots;
	unsigned	slotBits;		/* there are 2^slotBits */
	uint32_t	capacity;		/* entries that "firsts" has room for */
} HashTable;

/* Value with its sort key. */
typedef struct SortItem
{
	uint64_t	key;
	uint32_t	number;
} SortItem;

/* How the keys of an array's values are made. */
typedef enum KeyKind
{
	KEY_FIXED1,
	KEY_FIXED2,
	KEY_FIXED4,
	KEY_FIXED8,
	KEY_FIXED_HASH,				/* fixed width, but none of these */
	KEY_BYTES
} KeyKind;

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

/* Which keys these values have. */
static KeyKind
KeyKindOf(const RetlValues *values)
{
	if (values->type == RETL_PHYS_BYTES)
		return KEY_BYTES;
	switch (values->width)
	{
		case 1:
			return KEY_FIXED1;
		case 2:
			return KEY_FIXED2;
		case 4:
			return KEY_FIXED4;
		case 8:
			return KEY_FIXED8;
		default:
			return KEY_FIXED_HASH;
	}
}

/* Key of a byte string that lies before "end", the end of all of them. */
static inline uint64_t
KeyOfBytes(const uint8_t *value, uint32_t length, const uint8_t *end)
{
	uint64_t	word = 0;

	if (length > KEY_BYTES_MAX)
		return HashBytes(value, length) | KEY_IS_HASH;
	if (end - value >= 8)
		word = RetlLoad64(value) & ((UINT64_C(1) << (8 * length)) - 1);
	else if (length > 0)
		memcpy(&word, value, length);
	return word | (uint64_t) length << 56;
}

/* Key of value "index"; kind is a constant where it matters. */
static inline __attribute__((always_inline)) uint64_t
KeyOf(const RetlValues *values, KeyKind kind, uint32_t index)
{
	switch (kind)
	{
		case KEY_FIXED1:
			return values->fixed[index];
		case KEY_FIXED2:
			return RetlLoad16(values->fixed + (size_t) index * 2);
		case KEY_FIXED4:
			return RetlLoad32(values->fixed + (size_t) index * 4);
		case KEY_FIXED8:
			return RetlLoad64(values->fixed + (size_t) index * 8);
		case KEY_FIXED_HASH:
			return HashBytes(values->fixed + (size_t) index * values->width, values->width);
		default:
			return KeyOfBytes(values->bytes + values->offsets[index],
							  values->offsets[index + 1] - values->offsets[index],
							  values->bytes + values->offsets[values->count]);
	}
}

/* Are values with this key the same for certain? */
static inline __attribute__((always_inline)) bool
KeyIsExact(KeyKind kind, uint64_t key)
{
	if (kind == KEY_BYTES)
		return (key & KEY_IS_HASH) == 0;
	return kind != KEY_FIXED_HASH;
}

/* Where the search for a key begins. */
static inline uint32_t
FirstSlot(uint64_t key, unsigned slotBits)
{
	uint64_t	hash = (key ^ (key >> 32)) * HASH_MULTIPLIER;

	return (uint32_t) (hash >> (64 - slotBits));
}

/* Make the table, or make it twice as large; entries are put in again. */
static void
GrowTable(HashTable *table, const RetlArena *arena)
{
	unsigned	slotBits = table->slots == NULL ? FIRST_SLOT_BITS : table->slotBits + 1;
	uint32_t	slotCount = UINT32_C(1) << slotBits;
	size_t		size = sizeof(Slot) * slotCount;
	Slot	   *slots = RetlArenaAlloc(arena, size);
	uint32_t	i;

	memset(slots, 0, size);
	for (i = 0; table->slots != NULL && i < slotCount / 2; i++)
	{
		uint32_t	at;

		if (table->slots[i].number == 0)
			continue;
		at = FirstSlot(table->slots[i].key, slotBits);
		while (slots[at].number != 0)
			at = (at + 1) & (slotCount - 1);
		slots[at] = table->slots[i];
	}
	table->slots = slots;
	table->slotBits = slotBits;
}

/* Room for more distinct values: half as many as there are slots. */
static void
GrowFirsts(RetlDistinct *distinct, HashTable *table, const RetlArena *arena)
{
	uint32_t	capacity = UINT32_C(1) << (table->slotBits - 1);
	uint32_t   *firsts = RetlArenaAlloc(arena, sizeof(uint32_t) * capacity);

	if (distinct->count > 0)
		memcpy(firsts, distinct->firsts, sizeof(uint32_t) * distinct->count);
	distinct->firsts = firsts;
	table->capacity = capacity;
}

/* Add value "index" in an empty slot, as a new one; returns its number. */
static uint32_t
AddNew(RetlDistinct *distinct, HashTable *table, const RetlValues *values,
	   uint32_t index, uint64_t key, uint32_t at, const RetlArena *arena)
{
	uint32_t	length;

	(void) RetlValueAt(values, index, &length);
	table->slots[at].key = key;
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

/* The number of value "index", which is added if it is new. */
static inline __attribute__((always_inline)) uint32_t
FindOrAdd(RetlDistinct *distinct, HashTable *table, const RetlValues *values,
		  KeyKind kind, uint32_t index, uint64_t key, const RetlArena *arena)
{
	uint32_t	mask = (UINT32_C(1) << table->slotBits) - 1;
	uint32_t	at = FirstSlot(key, table->slotBits);

	for (; table->slots[at].number != 0; at = (at + 1) & mask)
	{
		uint32_t	number = table->slots[at].number - 1;

		if (table->slots[at].key == key &&
			(KeyIsExact(kind, key) ||
			 RetlValuesSame(values, distinct->firsts[number], index)))
			return number;
	}
	return AddNew(distinct, table, values, index, key, at, arena);
}

/* Is a dictionary of what was found already larger than maxBytes? */
static bool
IsTooLarge(const RetlDistinct *distinct, uint64_t maxBytes)
{
	uint64_t	codeWidth = RetlBitWidth(distinct->count - 1);

	return distinct->bytes + distinct->changes * codeWidth / 8 > maxBytes;
}

/* RetlDistinctCollect for one kind of keys, which is a constant. */
static inline __attribute__((always_inline)) bool
CollectKind(RetlDistinct *distinct, const RetlValues *values, KeyKind kind,
			uint64_t maxBytes, uint32_t *codes, const RetlArena *arena)
{
	HashTable	table = {NULL, 0, 0};
	uint64_t	before = 0;
	uint32_t	number = 0;
	uint32_t	checkAt = CHECK_INTERVAL;
	uint32_t	i;

	GrowTable(&table, arena);
	GrowFirsts(distinct, &table, arena);
	for (i = 0; i < values->count; i++)
	{
		uint64_t	key = KeyOf(values, kind, i);

		if (i == 0 || key != before ||
			(!KeyIsExact(kind, key) && !RetlValuesSame(values, i - 1, i)))
		{
			number = FindOrAdd(distinct, &table, values, kind, i, key, arena);
			distinct->changes++;
			before = key;
			if (distinct->count >= checkAt)
			{
				if (IsTooLarge(distinct, maxBytes))
					return false;
				checkAt = distinct->count + CHECK_INTERVAL;
			}
		}
		codes[i] = number;
	}
	return !IsTooLarge(distinct, maxBytes);
}

/* See distinct.h. */
bool
RetlDistinctCollect(RetlDistinct *distinct, const RetlValues *values,
					uint64_t maxBytes, uint32_t *codes, const RetlArena *arena)
{
	memset(distinct, 0, sizeof(*distinct));
	if (values->count == 0)
		return true;
	switch (KeyKindOf(values))
	{
		case KEY_FIXED1:
			return CollectKind(distinct, values, KEY_FIXED1, maxBytes, codes, arena);
		case KEY_FIXED2:
			return CollectKind(distinct, values, KEY_FIXED2, maxBytes, codes, arena);
		case KEY_FIXED4:
			return CollectKind(distinct, values, KEY_FIXED4, maxBytes, codes, arena);
		case KEY_FIXED8:
			return CollectKind(distinct, values, KEY_FIXED8, maxBytes, codes, arena);
		case KEY_FIXED_HASH:
			return CollectKind(distinct, values, KEY_FIXED_HASH, maxBytes, codes, arena);
		default:
			return CollectKind(distinct, values, KEY_BYTES, maxBytes, codes, arena);
	}
}

/* See distinct.h. */
bool
RetlDistinctHopeless(const RetlValues *values, const RetlArena *arena)
{
	RetlDistinct distinct;
	HashTable	table = {NULL, 0, 0};
	KeyKind		kind = KeyKindOf(values);
	uint32_t	step = values->count / SAMPLE_VALUES;
	uint32_t	i;

	if (step < 2)
		return false;
	memset(&distinct, 0, sizeof(distinct));
	GrowTable(&table, arena);
	GrowFirsts(&distinct, &table, arena);
	for (i = 0; i < SAMPLE_VALUES; i++)
		(void) FindOrAdd(&distinct, &table, values, kind, i * step,
						 KeyOf(values, kind, i * step), arena);
	return distinct.count > SAMPLE_MAX_DISTINCT;
}

/* See distinct.h. */
uint32_t
RetlValueHash(const RetlValues *values, uint32_t index)
{
	uint64_t	key = KeyOf(values, KeyKindOf(values), index);

	return (uint32_t) (HashMix(HashMix(HASH_SEED, key), 0) >> 32);
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

/*
 * Sort items by a merge sort from runs of one on.  Returns where they are: in
 * "items" or in "spare".
 */
static SortItem *
MergeSort(SortItem *items, SortItem *spare, uint32_t count, const RetlDistinct *distinct,
		  const RetlValues *values)
{
	uint32_t	run;
	uint32_t	i;

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
	return items;
}

/*
 * Sort items by one byte of their keys, keeping the order of equal ones.  Returns
 * false, having done nothing, if that byte is the same in all of them.
 */
static bool
SortByByte(SortItem *to, const SortItem *from, uint32_t count, unsigned shift)
{
	uint32_t	starts[256] = {0};
	uint32_t	sum = 0;
	uint32_t	i;

	for (i = 0; i < count; i++)
		starts[(from[i].key >> shift) & 0xFF]++;
	if (starts[(from[0].key >> shift) & 0xFF] == count)
		return false;
	for (i = 0; i < 256; i++)
	{
		uint32_t	here = starts[i];

		starts[i] = sum;
		sum += here;
	}
	for (i = 0; i < count; i++)
		to[starts[(from[i].key >> shift) & 0xFF]++] = from[i];
	return true;
}

/*
 * Sort many items: by the bytes of their keys, the last one first, then what has
 * the same key by the values.  Returns where they are.
 */
static SortItem *
RadixSort(SortItem *items, SortItem *spare, uint32_t count, const RetlDistinct *distinct,
		  const RetlValues *values)
{
	unsigned	shift;
	uint32_t	start;
	uint32_t	end;

	for (shift = 0; shift < 64; shift += 8)
		if (SortByByte(spare, items, count, shift))
		{
			SortItem   *sorted = spare;

			spare = items;
			items = sorted;
		}
	for (start = 0; start < count; start = end)
	{
		SortItem   *sorted;

		end = start + 1;
		while (end < count && items[end].key == items[start].key)
			end++;
		sorted = MergeSort(items + start, spare + start, end - start, distinct, values);
		if (sorted != items + start)
			memcpy(items + start, sorted, sizeof(SortItem) * (end - start));
	}
	return items;
}

/* See distinct.h. */
void
RetlDistinctSort(const RetlDistinct *distinct, const RetlValues *values,
				 uint32_t *order, const RetlArena *arena)
{
	uint32_t	count = distinct->count;
	SortItem   *items;
	SortItem   *spare;
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
	if (count < RADIX_MIN)
		items = MergeSort(items, spare, count, distinct, values);
	else
		items = RadixSort(items, spare, count, distinct, values);
	for (i = 0; i < count; i++)
		order[i] = items[i].number;
}
