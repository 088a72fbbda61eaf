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
 * the values decide.  A value like the one before is not looked up at all.
 *
 * Integers that lie close together need neither keys nor hash table, see
 * distinct_range.c.
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

/* Distinct values after which the size so far is looked at. */
#define CHECK_INTERVAL		1024

/* Keys that are made before any of them is looked up. */
#define BLOCK_KEYS			64
/* A table with more slots than 2 to this is not in the nearest cache. */
#define FAR_SLOT_BITS		12

#define HASH_MULTIPLIER		UINT64_C(0x9FB21C651E98DF25)
#define HASH_SEED			UINT64_C(0xD6E8FEB86659FD93)

/* In the key of a byte string: it is a hash, below its length. */
#define KEY_IS_HASH			(UINT64_C(1) << 63)
#define KEY_LENGTH_SHIFT	48
/* Lengths from here on look alike in keys. */
#define KEY_LENGTH_MAX		UINT64_C(0x7FFF)
/* Strings of so many bytes are their keys, with their length on top. */
#define KEY_BYTES_MAX		7

/* Of a block, if more values than this repeat others, and more do not, all are looked up. */
#define FEW_OF_BLOCK		6

/* A slot of the hash table; number 0 is an empty one. */
typedef struct Slot
{
	uint64_t	key;
	uint32_t	number;			/* of the distinct value, plus 1 */
	uint32_t	start;			/* of byte strings, where the first occurrence begins */
} Slot;

typedef struct HashTable
{
	Slot	   *slots;
	unsigned	slotBits;		/* there are 2^slotBits */
	uint32_t	capacity;		/* entries that "firsts" has room for */
} HashTable;

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
		return HashBytes(value, length) >> (64 - KEY_LENGTH_SHIFT) | KEY_IS_HASH |
			(length < KEY_LENGTH_MAX ? length : KEY_LENGTH_MAX) << KEY_LENGTH_SHIFT;
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

/*
 * Room for more distinct values: half as many as there are slots, of small tables a
 * quarter, so that most values are where they are looked for first.
 */
static void
GrowFirsts(RetlDistinct *distinct, HashTable *table, const RetlArena *arena)
{
	uint32_t	capacity = UINT32_C(1) << (table->slotBits - (table->slotBits <= FAR_SLOT_BITS ? 2 : 1));
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
	if (values->type == RETL_PHYS_BYTES)
		table->slots[at].start = values->offsets[index];
	distinct->firsts[distinct->count] = index;
	distinct->bytes += length;
	if (++distinct->count == table->capacity)
	{
		GrowTable(table, arena);
		GrowFirsts(distinct, table, arena);
	}
	return distinct->count - 1;
}

/* Are byte strings of the same length, at least 8, the same? */
static inline bool
SameLong(const uint8_t *a, const uint8_t *b, uint32_t length)
{
	uint32_t	done;

	if (RetlLoad64(a) != RetlLoad64(b) ||
		RetlLoad64(a + length - 8) != RetlLoad64(b + length - 8))
		return false;
	for (done = 8; done + 8 < length; done += 8)
		if (RetlLoad64(a + done) != RetlLoad64(b + done))
			return false;
	return true;
}

/* Is value "index", which has the key of this slot, the one that is there? */
static inline __attribute__((always_inline)) bool
IsInSlot(const RetlDistinct *distinct, const Slot *slot, const RetlValues *values,
		 KeyKind kind, uint32_t index, uint64_t key)
{
	uint64_t	length = (key & ~KEY_IS_HASH) >> KEY_LENGTH_SHIFT;

	if (KeyIsExact(kind, key))
		return true;
	if (kind == KEY_BYTES && length < KEY_LENGTH_MAX)
		return SameLong(values->bytes + slot->start, values->bytes + values->offsets[index],
						(uint32_t) length);
	return RetlValuesSame(values, distinct->firsts[slot->number - 1], index);
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
		const Slot *slot = &table->slots[at];

		if (slot->key == key && IsInSlot(distinct, slot, values, kind, index, key))
			return slot->number - 1;
	}
	return AddNew(distinct, table, values, index, key, at, arena);
}

/*
 * The keys of "count" byte strings from "first" on, and whether each repeats the one
 * before it, of which *before is the key.  Returns how many do.
 */
static uint32_t
MakeBytesKeys(const RetlValues *values, uint32_t first, uint32_t count, uint64_t *before,
			  uint64_t *keys, bool *repeats)
{
	const uint32_t *offsets = values->offsets + first;
	const uint8_t *end = values->bytes + values->offsets[values->count];
	uint32_t	beforeLength = first > 0 ? offsets[0] - offsets[-1] : 0;
	uint64_t	key = *before;
	uint32_t	repeated = 0;
	uint32_t	i;

	for (i = 0; i < count; i++)
	{
		const uint8_t *value = values->bytes + offsets[i];
		uint32_t	length = offsets[i + 1] - offsets[i];

		if (length <= KEY_BYTES_MAX)
		{
			keys[i] = KeyOfBytes(value, length, end);
			repeats[i] = keys[i] == key;
		}
		else
		{
			repeats[i] = length == beforeLength && SameLong(value - length, value, length);
			keys[i] = repeats[i] ? key : KeyOfBytes(value, length, end);
		}
		repeated += repeats[i];
		key = keys[i];
		beforeLength = length;
	}
	*before = key;
	return repeated;
}

/* Is value "index", which has this key, the same as the one before with its key? */
static inline __attribute__((always_inline)) bool
Repeats(const RetlValues *values, KeyKind kind, uint32_t index, uint64_t key, uint64_t before)
{
	return key == before &&
		(KeyIsExact(kind, key) || RetlValuesSame(values, index - 1, index));
}

/* The same for values of any kind; kind is a constant where it matters. */
static inline __attribute__((always_inline)) uint32_t
MakeKeys(const RetlValues *values, KeyKind kind, uint32_t first, uint32_t count,
		 uint64_t *before, uint64_t *keys, bool *repeats)
{
	uint32_t	repeated = 0;
	uint32_t	i;

	if (kind == KEY_BYTES)
		return MakeBytesKeys(values, first, count, before, keys, repeats);
	for (i = 0; i < count; i++)
	{
		keys[i] = KeyOf(values, kind, first + i);
		repeats[i] = first + i > 0 && Repeats(values, kind, first + i, keys[i], *before);
		repeated += repeats[i];
		*before = keys[i];
	}
	return repeated;
}

/*
 * Have memory that the lookup of values with these keys needs brought near: slots,
 * and byte strings that may be in them.
 */
static inline __attribute__((always_inline)) void
PrefetchSlots(const HashTable *table, const RetlValues *values, KeyKind kind, uint32_t count,
			  const uint64_t *keys)
{
	uint32_t	i;

	for (i = 0; i < count; i++)
		__builtin_prefetch(&table->slots[FirstSlot(keys[i], table->slotBits)]);
	for (i = 0; kind == KEY_BYTES && i < count; i++)
		__builtin_prefetch(values->bytes +
						   table->slots[FirstSlot(keys[i], table->slotBits)].start);
}

/* RetlDistinctCollect for one kind of keys, which is a constant. */
static inline __attribute__((always_inline)) bool
CollectKind(RetlDistinct *distinct, const RetlValues *values, KeyKind kind,
			uint64_t maxBytes, uint32_t *codes, const RetlArena *arena)
{
	HashTable	table = {NULL, 0, 0};
	uint64_t	keys[BLOCK_KEYS];
	bool		repeats[BLOCK_KEYS];
	uint64_t	before = KEY_IS_HASH;	/* no key */
	uint32_t	number = 0;
	uint32_t	checkAt = CHECK_INTERVAL;
	uint32_t	first;
	uint32_t	i;

	GrowTable(&table, arena);
	GrowFirsts(distinct, &table, arena);
	for (first = 0; first < values->count; first += BLOCK_KEYS)
	{
		uint32_t	rest = values->count - first;
		uint32_t	count = rest < BLOCK_KEYS ? rest : BLOCK_KEYS;

		uint32_t	repeated = MakeKeys(values, kind, first, count, &before, keys, repeats);

		if (table.slotBits > FAR_SLOT_BITS)
			PrefetchSlots(&table, values, kind, count, keys);
		distinct->changes += count - repeated;

		/*
		 * Where some repeat and some do not, looking up all of them is faster than
		 * guessing wrong.
		 */
		if (repeated > FEW_OF_BLOCK && repeated + FEW_OF_BLOCK < count)
			memset(repeats, false, count);
		for (i = 0; i < count; i++)
		{
			if (!repeats[i])
				number = FindOrAdd(distinct, &table, values, kind, first + i, keys[i], arena);
			codes[first + i] = number;
		}
		if (distinct->count >= checkAt)
		{
			if (RetlDistinctIsTooLarge(distinct, maxBytes))
				return false;
			checkAt = distinct->count + CHECK_INTERVAL;
		}
	}
	return !RetlDistinctIsTooLarge(distinct, maxBytes);
}

/* See distinct.h. */
bool
RetlDistinctCollect(RetlDistinct *distinct, const RetlValues *values,
					uint64_t maxBytes, uint32_t *codes, const RetlArena *arena)
{
	uint32_t   *numbers;

	memset(distinct, 0, sizeof(*distinct));
	if (values->count == 0)
		return true;
	if (RetlDistinctInRange(distinct, values, &numbers, arena))
	{
		if (RetlDistinctIsTooLarge(distinct, maxBytes))
			return false;
		RetlDistinctRangeCodes(distinct, values, numbers, codes);
		return true;
	}
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

/* RetlDistinctSketch for one kind of keys, which is a constant. */
static inline __attribute__((always_inline)) void
SketchKind(const RetlValues *values, KeyKind kind, uint8_t *registers, unsigned bits)
{
	uint32_t	i;

	for (i = 0; i < values->count; i++)
	{
		uint64_t	hash = HashMix(HashMix(HASH_SEED, KeyOf(values, kind, i)), 0);
		uint32_t	mixed = (uint32_t) (hash >> 32);
		uint32_t	rest = mixed << bits | UINT32_C(1) << (bits - 1);
		uint8_t		rank = (uint8_t) (1 + __builtin_clz(rest));
		uint8_t    *at = &registers[mixed >> (32 - bits)];

		*at = rank > *at ? rank : *at;
	}
}

/* See distinct.h. */
void
RetlDistinctSketch(const RetlValues *values, uint8_t *registers, unsigned bits)
{
	switch (KeyKindOf(values))
	{
		case KEY_FIXED1:
			SketchKind(values, KEY_FIXED1, registers, bits);
			return;
		case KEY_FIXED2:
			SketchKind(values, KEY_FIXED2, registers, bits);
			return;
		case KEY_FIXED4:
			SketchKind(values, KEY_FIXED4, registers, bits);
			return;
		case KEY_FIXED8:
			SketchKind(values, KEY_FIXED8, registers, bits);
			return;
		case KEY_FIXED_HASH:
			SketchKind(values, KEY_FIXED_HASH, registers, bits);
			return;
		default:
			SketchKind(values, KEY_BYTES, registers, bits);
			return;
	}
}
