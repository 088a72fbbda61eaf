/*-------------------------------------------------------------------------
 *
 * group_cache.c
 *	  What the cache keeps of a row group: its footer and the headers of its chunks.
 *
 * A chunk's header points to the entries of its dictionary, units and vectors, and these
 * point back (RetlCacheSetPlace), so that whichever goes first is forgotten by the
 * other.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "rowgroup/group_cache.h"

typedef struct CachedGroup
{
	RetlFooterHeader footer;
	MemoryContext context;
	MemoryContextCallback callback;
	uint32		capacity;
	RetlCachedChunk **chunks;	/* [capacity], by column id - 1 */
} CachedGroup;

/* The data of an entry. */
static CachedGroup *
GroupOf(const RetlCacheEntry *entry)
{
	return unconstify(CachedGroup *, (const CachedGroup *) RetlCacheData(entry));
}

/* Let the entry of a part forget us. */
static void
ForgetPart(RetlCachedPart *part)
{
	if (part->entry != NULL)
		RetlCacheForgetPlace(part->entry);
}

/* Memory context callback: the entry goes. */
static void
ForgetParts(void *arg)
{
	CachedGroup *group = arg;

	for (uint32 i = 0; i < group->capacity; i++)
	{
		RetlCachedChunk *chunk = group->chunks[i];

		if (chunk == NULL)
			continue;
		ForgetPart(&chunk->dictionary);
		for (uint32 j = 0; j < chunk->view.unitCount; j++)
			ForgetPart(&chunk->units[j]);
		for (uint32 j = 0; chunk->vectors != NULL && j < chunk->view.vectorCount; j++)
			ForgetPart(&chunk->vectors[j]);
	}
}

/* See group_cache.h. */
RetlCacheEntry *
RetlCachedGroupCreate(const RetlCacheKey *key, const RetlFooterHeader *footer,
					  MemoryContext parent)
{
	MemoryContext context = AllocSetContextCreate(parent, "retldb cached row group",
												  ALLOCSET_SMALL_SIZES);
	CachedGroup *group = MemoryContextAllocZero(context, sizeof(CachedGroup));

	group->footer = *footer;
	group->context = context;
	group->callback.func = ForgetParts;
	group->callback.arg = group;
	MemoryContextRegisterResetCallback(context, &group->callback);
	return RetlCacheInsert(key, context, group);
}

/* See group_cache.h. */
const RetlFooterHeader *
RetlCachedGroupFooter(const RetlCacheEntry *group)
{
	return &GroupOf(group)->footer;
}

/* See group_cache.h. */
RetlCachedChunk *
RetlCachedGroupChunk(const RetlCacheEntry *group, uint32 columnId)
{
	const CachedGroup *cached = GroupOf(group);

	return columnId <= cached->capacity ? cached->chunks[columnId - 1] : NULL;
}

/* Make room for a column's chunk. */
static void
Extend(CachedGroup *group, uint32 columnId)
{
	uint32		capacity = Max(columnId, Min(group->footer.columnCount, RETLDB_MAX_COLUMNS));
	RetlCachedChunk **chunks;

	if (columnId <= group->capacity)
		return;
	chunks = MemoryContextAllocZero(group->context, capacity * sizeof(RetlCachedChunk *));
	if (group->capacity > 0)
	{
		memcpy(chunks, group->chunks, group->capacity * sizeof(RetlCachedChunk *));
		pfree(group->chunks);
	}
	group->chunks = chunks;
	group->capacity = capacity;
}

/* See group_cache.h. */
RetlCachedChunk *
RetlCachedGroupAddChunk(RetlCacheEntry *group, const RetlFooterColumn *column,
						const RetlChunkView *view)
{
	CachedGroup *cached = GroupOf(group);
	Size		unitsLength = (view->dictionaryUnits + view->unitCount + view->bloomUnits) *
		sizeof(RetlUnit);
	Size		zonesLength = view->zones != NULL ? view->vectorCount * sizeof(RetlZone) : 0;
	RetlCachedChunk *chunk;
	char	   *copies;

	Assert(RetlCachedGroupChunk(group, column->columnId) == NULL);
	Extend(cached, column->columnId);
	chunk = MemoryContextAllocZero(cached->context, MAXALIGN(sizeof(RetlCachedChunk)) +
								   view->unitCount * sizeof(RetlCachedPart) +
								   unitsLength + zonesLength + view->pieceCount * sizeof(uint32));
	copies = (char *) chunk + MAXALIGN(sizeof(RetlCachedChunk));
	chunk->column = *column;
	chunk->view = *view;
	chunk->units = (RetlCachedPart *) copies;
	copies += view->unitCount * sizeof(RetlCachedPart);
	chunk->view.units = memcpy(copies, view->units, unitsLength);
	copies += unitsLength;
	if (zonesLength > 0)
		chunk->view.zones = memcpy(copies, view->zones, zonesLength);
	copies += zonesLength;
	chunk->pieceStarts = (uint32 *) copies;
	cached->chunks[column->columnId - 1] = chunk;
	RetlCacheGrew(group);
	return chunk;
}

/* See group_cache.h. */
void
RetlCachedGroupAddVectors(RetlCacheEntry *group, RetlCachedChunk *chunk)
{
	Assert(chunk->vectors == NULL);
	chunk->vectors = MemoryContextAllocZero(GroupOf(group)->context,
											chunk->view.vectorCount * sizeof(RetlCachedPart));
	RetlCacheGrew(group);
}

/* See group_cache.h. */
RetlCacheEntry *
RetlCachedPartFind(RetlCachedPart *known, const RetlCacheKey *key)
{
	RetlCacheEntry *entry;

	if (known != NULL && known->entry != NULL)
		return RetlCacheUse(known->entry);
	if (known != NULL && known->missing)
	{
		RetlCacheCountMiss();
		return NULL;
	}
	entry = RetlCacheLookup(key);
	if (known != NULL && entry != NULL)
		RetlCachedPartSet(known, entry);
	else if (known != NULL)
		known->missing = true;
	return entry;
}

/* See group_cache.h. */
RetlCacheEntry *
RetlCachedPartRecheck(RetlCachedPart *known, const RetlCacheKey *key)
{
	if (known == NULL || !known->missing)
		return NULL;
	known->missing = false;
	return RetlCachedPartFind(known, key);
}

/* See group_cache.h. */
void
RetlCachedPartSet(RetlCachedPart *known, RetlCacheEntry *entry)
{
	if (known == NULL)
		return;
	known->missing = false;
	RetlCacheSetPlace(entry, &known->entry);
}
