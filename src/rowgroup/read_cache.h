/*-------------------------------------------------------------------------
 *
 * read_cache.h
 *	  What this backend has read of row groups and may soon need again.
 *
 * Row groups do not change, and neither their ids nor those of an incarnation
 * of a table are used twice, so an entry is never wrong: what belongs to a
 * dropped table is not asked for any more and ages out.
 *
 * An entry is a memory context with data that its maker knows.  Whoever can refer
 * to it may keep a pointer that is cleared when the entry goes, instead of looking
 * it up each time.  It stays while it is pinned; otherwise it goes when others need its room
 * (retldb.cache_size).  Room is made only for what is asked for repeatedly, and
 * only if the time before was after the last use of the entry that has to go:
 * scans of a table that does not fit leave in the cache what is there.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_READ_CACHE_H
#define RETLDB_READ_CACHE_H

#include "postgres.h"

#include "base/compat.h"

/* Instead of a column id: what is cached is the group itself. */
#define RETLDB_CACHE_GROUP			0

/*
 * Parts of a chunk that are cached; units and decoded vectors follow.  Headers are not entries, they are
 * in that of their group; the key serves to count how often they are asked for.
 */
#define RETLDB_CACHE_HEADER			0
#define RETLDB_CACHE_DICTIONARY		1
#define RETLDB_CACHE_FIRST_UNIT		2
#define RETLDB_CACHE_FIRST_VECTOR	(UINT64CONST(1) << 32)

/* Compared bytewise: to be zeroed first. */
typedef struct RetlCacheKey
{
	RetlFileLocator locator;
	uint32		columnId;
	uint8		incarnation[16];
	uint64		groupId;
	uint64		part;			/* RETLDB_CACHE_... */
} RetlCacheKey;

typedef struct RetlCacheEntry RetlCacheEntry;

typedef struct RetlCacheStats
{
	uint64		hits;
	uint64		misses;
	uint64		admissions;
	uint64		evictions;
	uint64		entries;		/* now */
	uint64		bytes;			/* now */
} RetlCacheStats;

/*
 * The how-manieth lookup lets in what takes time to open, and the same for those who
 * come back for single rows.
 */
#define RETLDB_LOOKUPS_OPENED		2
#define RETLDB_LOOKUPS_SINGLE		1

/*
 * Is there a cache at all?  If it is larger than it may be, entries that nobody has pinned
 * go: what was known of them is to be asked for after this.
 */
extern bool RetlCacheIsEnabled(void);

/* The entry, pinned, or NULL. */
extern RetlCacheEntry *RetlCacheLookup(const RetlCacheKey *key);

/* Instead of a lookup: an entry that is known.  It is pinned. */
extern RetlCacheEntry *RetlCacheUse(RetlCacheEntry *entry);

/* An entry that is known will be used: have the processor bring it. */
extern void RetlCachePrefetch(const RetlCacheEntry *entry);

/* What is part of an entry that is pinned is used, or is known to be missing. */
extern void RetlCacheCountHit(void);
extern void RetlCacheCountMiss(void);

/*
 * After a lookup in vain, which was the "lookups"th one or a later one: may an
 * entry of about this size be inserted?  If so, there is room for it.
 */
extern bool RetlCacheAdmits(const RetlCacheKey *key, Size size, int lookups);

/*
 * The same for a decoded vector, whose uses the caller counts: is there room, or can it be
 * made of what was not used since then?  All vectors together may take half of the cache.
 */
extern bool RetlCacheAdmitsVector(Size size, uint64 since);

/* The time, by which "since" is meant. */
extern uint64 RetlCacheNow(void);

/* Is there room for an entry of about this size, without taking it from others? */
extern bool RetlCacheHasRoom(Size size);

/*
 * Insert what is in "context", which becomes the cache's, and "data", which is
 * within.  The entry is pinned.  On error, nothing has happened.
 */
extern RetlCacheEntry *RetlCacheInsert(const RetlCacheKey *key, MemoryContext context,
									   const void *data);

extern const void *RetlCacheData(const RetlCacheEntry *entry);

/* More was allocated in an entry's context. */
extern void RetlCacheGrew(RetlCacheEntry *entry);

/*
 * Let *place be the entry as long as it is there, and NULL afterwards.  Of several
 * places of an entry only the last one counts, the others become NULL.
 */
extern void RetlCacheSetPlace(RetlCacheEntry *entry, RetlCacheEntry **place);

/* A place of the entry will be no more. */
extern void RetlCacheForgetPlace(RetlCacheEntry *entry);

/* Pins of a reader, which end with a memory context at the latest. */
typedef struct RetlCachePins
{
	RetlCacheEntry *group;
	RetlCacheEntry *dictionary;
	RetlCacheEntry *unit;
	RetlCacheEntry *vector;
	MemoryContextCallback callback;
} RetlCachePins;

extern RetlCachePins *RetlCachePinsCreate(MemoryContext context);

/* Give up all of them. */
extern void RetlCachePinsRelease(RetlCachePins *pins);

/* Give up a pin, if there is one, and take another. */
extern void RetlCachePin(RetlCacheEntry **pin, RetlCacheEntry *entry);

extern void RetlCacheGetStats(RetlCacheStats *stats);

#endif							/* RETLDB_READ_CACHE_H */
