/*-------------------------------------------------------------------------
 *
 * vector_cache.c
 *	  Decoded vectors in the cache of what was read.
 *
 * An entry is one allocation: the vector, its array of nulls, its pointers, and the
 * values these point to.
 *
 * How often vectors were built is counted for the chunk, not for each of them: once
 * for each time that it is opened and read.  A table of many vectors would have more
 * keys than the cache remembers, and units would be forgotten for them.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "base/settings.h"
#include "rowgroup/vector_cache.h"

/* The how-manieth scan of the chunk, since its header is in the cache, lets vectors in. */
#define PASSES		8

typedef struct CachedVector
{
	RetlVector	vector;
	RetlColumnType type;		/* whose values these are */
} CachedVector;

/* Are values of one type what values of the other would be?  Types may change without a rewrite. */
static bool
AreAlike(const RetlColumnType *a, const RetlColumnType *b)
{
	return a->baseType == b->baseType && a->typeLength == b->typeLength &&
		a->align == b->align && a->shortHeader == b->shortHeader;
}

/* See vector_cache.h. */
const RetlVector *
RetlCachedVectorFind(RetlChunkReader *chunk, const RetlColumnType *type, uint32 index)
{
	RetlCacheEntry *entry;
	const CachedVector *cached;

	if (chunk->pins == NULL || chunk->known == NULL || chunk->known->vectors == NULL)
		return NULL;
	RetlCachePin(&chunk->pins->vector, NULL);

	/* first: it may evict the entry, which is then forgotten */
	if (!RetlCacheIsEnabled() || !retldb_cache_vectors)
		return NULL;
	entry = chunk->known->vectors[index].entry;
	if (entry == NULL)
		return NULL;
	cached = RetlCacheData(entry);
	if (!AreAlike(&cached->type, type))
		return NULL;
	RetlCachePin(&chunk->pins->vector, RetlCacheUse(entry));
	chunk->stats->cachedVectors++;
	return &cached->vector;
}

/*
 * Count that a vector of the chunk was built.  Are these to be cached?  Then *since is when
 * the chunk was read before.
 */
static bool
CountPass(RetlChunkReader *chunk, uint64 *since)
{
	RetlCachedChunk *known = chunk->known;

	if (!chunk->passCounted)
	{
		chunk->passCounted = true;
		known->passes++;
		known->passBefore = known->lastPass;
		known->lastPass = RetlCacheNow();
	}
	*since = known->passBefore;
	return known->passes >= PASSES;
}

/* Bytes of a value. */
static Size
ValueSize(const RetlColumnType *type, const char *value)
{
	return type->typeLength == -1 ? VARSIZE_ANY(value) : strlen(value) + 1;
}

/*
 * Copy values to "place", which is aligned and has room for what was placed; rows that
 * share one go on sharing it.
 */
static void
CopyValues(const RetlVectorBuilder *builder, char **pointers, char *place)
{
	const char *end PG_USED_FOR_ASSERTS_ONLY = place + builder->placedBytes;
	const RetlVector *vector = &builder->vector;
	const char *last = NULL;
	char	   *copy = NULL;

	for (uint32 i = 0; i < vector->rowCount; i++)
	{
		const char *value = vector->pointers[i];

		if (vector->nulls != NULL && vector->nulls[i])
		{
			pointers[i] = NULL;
			continue;
		}
		if (value != last)
		{
			Size		size = ValueSize(&builder->type, value);

			if (builder->type.typeLength == -2 || !VARATT_IS_SHORT(value))
				place = (char *) TYPEALIGN(builder->alignment, place);
			copy = memcpy(place, value, size);
			place += size;
			last = value;
			Assert(place <= end);
		}
		pointers[i] = copy;
	}
}

/* Copy a vector into a context that will be the cache's. */
static const CachedVector *
CopyVector(const RetlVectorBuilder *builder, MemoryContext context)
{
	const RetlVector *vector = &builder->vector;
	Size		nullsSize = vector->nulls != NULL ? MAXALIGN(vector->rowCount * sizeof(bool)) : 0;
	Size		pointersSize = MAXALIGN(vector->rowCount * sizeof(char *));
	CachedVector *cached = MemoryContextAllocHuge(context, MAXALIGN(sizeof(CachedVector)) +
												  nullsSize + pointersSize + builder->placedBytes);
	char	   *place = (char *) cached + MAXALIGN(sizeof(CachedVector));

	cached->type = builder->type;
	cached->vector = *vector;
	if (vector->nulls != NULL)
		cached->vector.nulls = memcpy(place, vector->nulls, vector->rowCount * sizeof(bool));
	place += nullsSize;
	cached->vector.pointers = (char **) place;
	CopyValues(builder, cached->vector.pointers, place + pointersSize);
	return cached;
}

/* See vector_cache.h. */
void
RetlCachedVectorOffer(RetlChunkReader *chunk, RetlCacheEntry *group,
					  const RetlVectorBuilder *builder, uint32 index)
{
	uint64		since;
	MemoryContext context;
	RetlCachedPart *part;
	RetlCacheEntry *entry;

	if (!builder->isCostly || !chunk->admit || chunk->pins == NULL || chunk->known == NULL ||
		group == NULL || !retldb_cache_vectors || !RetlCacheIsEnabled() ||
		!CountPass(chunk, &since))
		return;
	if (!RetlCacheAdmitsVector(builder->placedBytes +
							   builder->vector.rowCount * sizeof(char *), since))
		return;
	if (chunk->known->vectors == NULL)
		RetlCachedGroupAddVectors(group, chunk->known);
	part = &chunk->known->vectors[index];

	/* it may be there and have been forgotten with the group, or be another type's */
	chunk->cacheKey.part = RETLDB_CACHE_FIRST_VECTOR + index;
	entry = part->entry != NULL ? part->entry : RetlCacheLookup(&chunk->cacheKey);
	if (entry != NULL)
	{
		if (part->entry == NULL)
		{
			RetlCachePin(&chunk->pins->vector, entry);
			RetlCachedPartSet(part, entry);
		}
		return;
	}
	context = AllocSetContextCreate(chunk->context, "retldb cached vector", ALLOCSET_SMALL_SIZES);
	entry = RetlCacheInsert(&chunk->cacheKey, context, CopyVector(builder, context));
	RetlCachePin(&chunk->pins->vector, entry);
	RetlCachedPartSet(part, entry);
}
