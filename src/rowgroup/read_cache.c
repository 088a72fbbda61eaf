/*-------------------------------------------------------------------------
 *
 * read_cache.c
 *	  What this backend has read of row groups and may soon need again.
 *
 * Entries are found by a hash table and stand in one of two lists, that of decoded
 * vectors or that of all else, about by their last use: not each use moves an entry to
 * the list's head, for that costs more than the use.
 * Time is a counter of lookups.  Of keys that are not cached, a table of fixed
 * size remembers how often they were asked for, and when; each may be in one of
 * a few places, which forget what was not asked for for the longest time.
 *
 * The cache outlives transactions.  Pins end with a memory context of the
 * reader that took them, so errors leave none behind.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/parallel.h"
#include "common/hashfn.h"
#include "lib/ilist.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

#include "base/settings.h"
#include "rowgroup/read_cache.h"

/*
 * Keys whose last lookup is remembered, and places that a key may be in, side by side
 * in a line of the cache; both are powers of two.  A scan that reads more parts than
 * there are places for would have its own parts forgotten before it comes again.
 */
#define GHOSTS			16384
#define GHOST_PLACES	4

/* An entry may take this part of the cache at most, and all vectors together that. */
#define MAX_SHARE			8
#define MAX_VECTORS_SHARE	2

struct RetlCacheEntry
{
	RetlCacheKey key;			/* first: the hash table's */
	dlist_node	node;			/* in "used" or "usedVectors" */
	MemoryContext context;
	const void *data;
	Size		size;
	uint64		lastUse;
	uint64		moved;			/* to the head of the list */
	int			pins;
	RetlCacheEntry **place;		/* see RetlCacheSetPlace */
};

typedef struct Ghost
{
	uint32		tag;			/* of the key */
	int			lookups;		/* 0: none */
	uint64		lastUse;
} Ghost;

static HTAB *entries = NULL;
static MemoryContext cacheContext = NULL;
static dlist_head used = DLIST_STATIC_INIT(used);	/* last used first */
static dlist_head usedVectors = DLIST_STATIC_INIT(usedVectors);
static uint64 vectorBytes = 0;	/* of statistics.bytes */
static Ghost ghosts[GHOSTS] pg_attribute_aligned(64);
static uint64 now = 0;
static RetlCacheStats statistics;

/* Make the hash table, at the first use. */
static void
Initialise(void)
{
	HASHCTL		control;

	if (entries != NULL)
		return;
	if (cacheContext == NULL)
		cacheContext = AllocSetContextCreate(TopMemoryContext, "retldb cache",
											 ALLOCSET_DEFAULT_SIZES);
	memset(&control, 0, sizeof(control));
	control.keysize = sizeof(RetlCacheKey);
	control.entrysize = sizeof(RetlCacheEntry);
	control.hcxt = cacheContext;
	entries = hash_create("retldb cache", 256, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

/* Bytes there may be. */
static uint64
Limit(void)
{
	return (uint64) retldb_cache_size * 1024;
}

/* Is what has this key a decoded vector? */
static bool
IsVector(const RetlCacheKey *key)
{
	return key->columnId != RETLDB_CACHE_GROUP && key->part >= RETLDB_CACHE_FIRST_VECTOR;
}

/* Drop an entry that nobody has pinned. */
static void
Evict(RetlCacheEntry *entry)
{
	Assert(entry->pins == 0);
	RetlCacheForgetPlace(entry);
	dlist_delete(&entry->node);
	statistics.bytes -= entry->size;
	if (IsVector(&entry->key))
		vectorBytes -= entry->size;
	statistics.entries--;
	statistics.evictions++;
	MemoryContextDelete(entry->context);
	hash_search(entries, &entry->key, HASH_REMOVE, NULL);
}

/* Let an entry be the last one to be evicted. */
static void
MoveToHead(RetlCacheEntry *entry)
{
	dlist_move_head(IsVector(&entry->key) ? &usedVectors : &used, &entry->node);
	entry->moved = now;
}

/*
 * Evict entries of a list that were not used since "since" until *bytes, which counts
 * them, is at most "limit".  False if there are not enough of them.  Entries that were
 * used after they were moved last are moved now.
 */
static bool
ShrinkList(dlist_head *list, const uint64 *bytes, uint64 limit, uint64 since)
{
	dlist_node *node = dlist_is_empty(list) ? NULL : dlist_tail_node(list);

	while (*bytes > limit && node != NULL)
	{
		RetlCacheEntry *entry = dlist_container(RetlCacheEntry, node, node);

		node = dlist_has_prev(list, node) ? dlist_prev_node(list, node) : NULL;
		if (entry->lastUse >= since)
		{
			if (entry->moved >= entry->lastUse)
				return false;
			MoveToHead(entry);
		}
		else if (entry->pins == 0)
			Evict(entry);
	}
	return *bytes <= limit;
}

/*
 * The same for all entries: of those that were not used since then, vectors go first,
 * for they can be made again without reading anything.
 */
static bool
ShrinkTo(uint64 bytes, uint64 since)
{
	return ShrinkList(&usedVectors, &statistics.bytes, bytes, since) ||
		ShrinkList(&used, &statistics.bytes, bytes, since);
}

/*
 * Workers of parallel queries end too soon to profit.  This is where it is
 * noticed that the setting was lowered.
 */
bool
RetlCacheIsEnabled(void)
{
	if (statistics.bytes > Limit())
		(void) ShrinkTo(Limit(), PG_UINT64_MAX);
	return retldb_cache_size > 0 && !IsParallelWorker();
}

/*
 * Where a key's last lookup is remembered: with no lookups if there was none, or it is
 * forgotten.
 */
static Ghost *
GhostOf(const RetlCacheKey *key)
{
	uint64		hash = hash_bytes_extended((const unsigned char *) key, sizeof(*key), 0);
	uint32		tag = (uint32) (hash >> 32);
	Ghost	   *set = &ghosts[hash % (GHOSTS / GHOST_PLACES) * GHOST_PLACES];
	Ghost	   *oldest = set;

	for (int i = 0; i < GHOST_PLACES; i++)
	{
		if (set[i].tag == tag && set[i].lookups > 0)
			return &set[i];
		if (set[i].lastUse < oldest->lastUse)
			oldest = &set[i];
	}
	oldest->tag = tag;
	oldest->lookups = 0;
	return oldest;
}

/* See read_cache.h. */
RetlCacheEntry *
RetlCacheLookup(const RetlCacheKey *key)
{
	RetlCacheEntry *entry;

	if (!RetlCacheIsEnabled())
		return NULL;
	Initialise();
	entry = hash_search(entries, key, HASH_FIND, NULL);
	if (entry == NULL)
	{
		RetlCacheCountMiss();
		return NULL;
	}
	return RetlCacheUse(entry);
}

/* See read_cache.h. */
RetlCacheEntry *
RetlCacheUse(RetlCacheEntry *entry)
{
	now++;
	statistics.hits++;
	entry->lastUse = now;
	if (now - entry->moved > statistics.entries)
		MoveToHead(entry);
	entry->pins++;
	return entry;
}

/* See read_cache.h. */
void
RetlCachePrefetch(const RetlCacheEntry *entry)
{
	/* from the context to the place */
	__builtin_prefetch(&entry->context);
	__builtin_prefetch(&entry->pins);
}

/* See read_cache.h. */
void
RetlCacheCountHit(void)
{
	statistics.hits++;
}

/* Make room for an entry of about this size, of what was not used since then. */
static bool
MakeRoom(Size size, uint64 since)
{
	if (size > Limit() / MAX_SHARE)
		return false;
	return statistics.bytes + size <= Limit() || ShrinkTo(Limit() - size, since);
}

/* See read_cache.h. */
bool
RetlCacheAdmits(const RetlCacheKey *key, Size size, int lookups)
{
	Ghost	   *ghost;
	uint64		before;

	if (!RetlCacheIsEnabled())
		return false;
	ghost = GhostOf(key);
	before = ghost->lastUse;
	ghost->lookups++;
	ghost->lastUse = now;
	return ghost->lookups >= lookups && MakeRoom(size, before);
}

/* See read_cache.h. */
bool
RetlCacheAdmitsVector(Size size, uint64 since)
{
	uint64		limit = Limit() / MAX_VECTORS_SHARE;

	/* before others go for it */
	if (!RetlCacheIsEnabled() || size > Limit() / MAX_SHARE)
		return false;
	return (vectorBytes + size <= limit ||
			ShrinkList(&usedVectors, &vectorBytes, limit - size, since)) &&
		MakeRoom(size, since);
}

/* See read_cache.h. */
uint64
RetlCacheNow(void)
{
	return now;
}

/* See read_cache.h. */
bool
RetlCacheHasRoom(Size size)
{
	return statistics.bytes + size <= Limit();
}

/* See read_cache.h. */
void
RetlCacheCountMiss(void)
{
	now++;
	statistics.misses++;
}

/* See read_cache.h. */
RetlCacheEntry *
RetlCacheInsert(const RetlCacheKey *key, MemoryContext context, const void *data)
{
	RetlCacheEntry *entry;
	bool		found;

	Initialise();
	entry = hash_search(entries, key, HASH_ENTER, &found);
	Assert(!found);
	entry->context = context;
	entry->data = data;
	entry->size = MemoryContextMemAllocated(context, true) + sizeof(RetlCacheEntry);
	entry->lastUse = now;
	entry->moved = now;
	entry->pins = 1;
	entry->place = NULL;
	dlist_push_head(IsVector(key) ? &usedVectors : &used, &entry->node);
	MemoryContextSetParent(context, cacheContext);
	statistics.bytes += entry->size;
	if (IsVector(key))
		vectorBytes += entry->size;
	statistics.entries++;
	statistics.admissions++;
	return entry;
}

/* See read_cache.h. */
const void *
RetlCacheData(const RetlCacheEntry *entry)
{
	return entry->data;
}

/* See read_cache.h. */
void
RetlCacheGrew(RetlCacheEntry *entry)
{
	Assert(!IsVector(&entry->key));
	statistics.bytes -= entry->size;
	entry->size = MemoryContextMemAllocated(entry->context, true) + sizeof(RetlCacheEntry);
	statistics.bytes += entry->size;
}

/* See read_cache.h. */
void
RetlCacheForgetPlace(RetlCacheEntry *entry)
{
	if (entry->place != NULL)
		*entry->place = NULL;
	entry->place = NULL;
}

/* See read_cache.h. */
void
RetlCacheSetPlace(RetlCacheEntry *entry, RetlCacheEntry **place)
{
	if (entry->place == place)
		return;
	RetlCacheForgetPlace(entry);
	entry->place = place;
	*place = entry;
}

/* See read_cache.h. */
void
RetlCachePin(RetlCacheEntry **pin, RetlCacheEntry *entry)
{
	if (*pin != NULL)
	{
		Assert((*pin)->pins > 0);
		(*pin)->pins--;
	}
	*pin = entry;
}

/* See read_cache.h. */
void
RetlCachePinsRelease(RetlCachePins *pins)
{
	RetlCachePin(&pins->group, NULL);
	RetlCachePin(&pins->dictionary, NULL);
	RetlCachePin(&pins->unit, NULL);
	RetlCachePin(&pins->vector, NULL);
}

/* Memory context callback: the reader is gone. */
static void
ReleasePins(void *arg)
{
	RetlCachePinsRelease(arg);
}

/* See read_cache.h. */
RetlCachePins *
RetlCachePinsCreate(MemoryContext context)
{
	RetlCachePins *pins = MemoryContextAllocZero(context, sizeof(RetlCachePins));

	pins->callback.func = ReleasePins;
	pins->callback.arg = pins;
	MemoryContextRegisterResetCallback(context, &pins->callback);
	return pins;
}

/* See read_cache.h. */
void
RetlCacheGetStats(RetlCacheStats *stats)
{
	(void) RetlCacheIsEnabled();
	*stats = statistics;
}
