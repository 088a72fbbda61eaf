/*-------------------------------------------------------------------------
 *
 * group_cache.h
 *	  What the cache keeps of a row group: its footer and the headers of its chunks.
 *
 * All of it is one entry of the cache (read_cache.h), so that whoever turns to a
 * group looks up one thing, however many columns he needs.  Opened dictionaries, units
 * and decoded vectors are entries of their own; a chunk's header says where they are.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_GROUP_CACHE_H
#define RETLDB_GROUP_CACHE_H

#include "postgres.h"

#include "rowgroup/chunk_format.h"
#include "rowgroup/read_cache.h"

/* Another part of a chunk in the cache. */
typedef struct RetlCachedPart
{
	RetlCacheEntry *entry;		/* NULL: it is not known to be there */
	bool		missing;		/* it was not when it was looked up last */
	bool		checked;		/* of a unit: it was read, checked, and its pieces found */
} RetlCachedPart;

/* A chunk that was opened.  Readers fill in what they find out. */
typedef struct RetlCachedChunk
{
	RetlFooterColumn column;
	RetlChunkView view;
	RetlCachedPart dictionary;
	RetlCachedPart *units;		/* [view.unitCount] */
	uint32	   *pieceStarts;	/* [view.pieceCount], within the unit, if it is checked */

	/* see vector_cache.c */
	RetlCachedPart *vectors;	/* [view.vectorCount], or NULL: none was cached */
	uint32		passes;			/* times that vectors of the chunk were built */
	uint64		lastPass;		/* when (RetlCacheNow), */
	uint64		passBefore;		/* and the time before */
} RetlCachedChunk;

/* A unit in the cache; its bytes follow where pieces begin. */
typedef struct RetlCachedUnit
{
	uint32		length;
	uint32		pieceStarts[FLEXIBLE_ARRAY_MEMBER];
} RetlCachedUnit;

/* Bytes before those of a unit. */
static inline Size
RetlCachedUnitHead(uint32 pieceCount)
{
	return offsetof(RetlCachedUnit, pieceStarts) + pieceCount * sizeof(uint32);
}

/*
 * Put a group into the cache, after RetlCacheAdmits; the entry is pinned.  "parent" is
 * where its memory is until it is complete.
 */
extern RetlCacheEntry *RetlCachedGroupCreate(const RetlCacheKey *key,
											 const RetlFooterHeader *footer,
											 MemoryContext parent);

extern const RetlFooterHeader *RetlCachedGroupFooter(const RetlCacheEntry *group);

/* The chunk of a column, or NULL.  Good as long as the group is pinned. */
extern RetlCachedChunk *RetlCachedGroupChunk(const RetlCacheEntry *group, uint32 columnId);

/* Add a chunk, which is not there, after RetlCacheAdmits. */
extern RetlCachedChunk *RetlCachedGroupAddChunk(RetlCacheEntry *group,
												const RetlFooterColumn *column,
												const RetlChunkView *view);

/* Let a chunk of the group know of decoded vectors. */
extern void RetlCachedGroupAddVectors(RetlCacheEntry *group, RetlCachedChunk *chunk);

/*
 * The entry of a part, pinned, or NULL.  "known" may be NULL: then it is looked up by
 * its key in any case.
 */
extern RetlCacheEntry *RetlCachedPartFind(RetlCachedPart *known, const RetlCacheKey *key);

/*
 * The same before the part is inserted: others, who do not know the chunk's entry, may
 * have done that meanwhile.
 */
extern RetlCacheEntry *RetlCachedPartRecheck(RetlCachedPart *known, const RetlCacheKey *key);

/* The part was inserted. */
extern void RetlCachedPartSet(RetlCachedPart *known, RetlCacheEntry *entry);

#endif							/* RETLDB_GROUP_CACHE_H */
