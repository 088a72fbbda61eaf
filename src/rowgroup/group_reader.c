/*-------------------------------------------------------------------------
 *
 * group_reader.c
 *	  Random access to the vectors of a row group, column by column.
 *
 * Opening a group reads the footer's header.  A column's footer entry and chunk
 * header are read when the column is first asked for, its dictionary and units
 * when a vector needs them.
 *
 * Memory: what belongs to a column is in a context of its own, which is reset
 * when the reader turns to another group.  Room for a unit and for a vector stays,
 * for single rows are fetched now from this group, now from that; the values of a
 * vector are in a context of their own, reset for each vector and group.  All of
 * the columns is in a context that can be reset (RetlGroupReaderFreeRoom).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "utils/datum.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "base/compat.h"
#include "base/errors.h"
#include "base/freed_memory.h"
#include "rowgroup/footer_format.h"
#include "rowgroup/group_reader_state.h"
#include "rowgroup/read_context.h"
#include "rowgroup/vector_cache.h"

/* See group_reader.h. */
RetlGroupReader *
RetlGroupReaderCreate(Relation rel, BufferAccessStrategy strategy, RetlReadStats *stats)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "retldb row group reader",
												  ALLOCSET_DEFAULT_SIZES);
	RetlGroupReader *reader = MemoryContextAllocZero(context, sizeof(RetlGroupReader));

	RetlKeepFreedMemory();
	reader->rel = rel;
	reader->tupdesc = RelationGetDescr(rel);
	reader->strategy = strategy;
	reader->stats = stats != NULL ? stats : &reader->ownStats;
	reader->context = context;
	reader->stored.context = context;
	reader->groupContext = AllocSetContextCreate(context, "retldb row group",
												 ALLOCSET_SMALL_SIZES);
	reader->columnsContext = AllocSetContextCreate(context, "retldb columns",
												   ALLOCSET_SMALL_SIZES);
	reader->scratchContext = AllocSetContextCreate(context, "retldb filter",
												   ALLOCSET_DEFAULT_SIZES);
	reader->room.context = reader->columnsContext;
	reader->room.scratchContext = reader->scratchContext;
	reader->columnCapacity = Max(RelationGetNumberOfAttributes(rel), 1);
	reader->columns = MemoryContextAllocZero(context,
											 reader->columnCapacity * sizeof(RetlColumnReader *));
	return reader;
}

/* Before anything is read: see rows through another descriptor than rel's. */
void
RetlGroupReaderSetDescriptor(RetlGroupReader *reader, TupleDesc tupdesc)
{
	Assert(!reader->open);
	reader->tupdesc = tupdesc;
}

/* Raise what is wrong with the footer or a column. */
pg_noreturn static void
ReportProblem(RetlGroupReader *reader, const char *columnName, const char *problem,
			  bool unsupported)
{
	if (unsupported)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("row group %llu of table \"%s\" cannot be read: %s",
						(unsigned long long) reader->entry.groupId,
						RelationGetRelationName(reader->rel), problem),
				 errhint("It was written by a newer version of retldb.")));
	RetlReportDamagedGroup(reader->rel, reader->entry.groupId, columnName, problem);
}

/* Give up what columns have read ahead. */
static void
StopStreams(RetlGroupReader *reader)
{
	for (int i = 0; reader->streams && i < reader->columnCapacity; i++)
	{
		RetlColumnReader *column = reader->columns[i];

		if (column != NULL && column->opened && column->present)
			RetlChunkUseStreams(&column->chunk, false);
	}
}

/* Forget the group the reader was at. */
void
RetlGroupReaderClose(RetlGroupReader *reader)
{
	StopStreams(reader);
	reader->open = false;
	reader->blockCount = 0;
	for (int i = 0; i < reader->columnCapacity; i++)
	{
		RetlColumnReader *column = reader->columns[i];

		if (column != NULL)
		{
			column->opened = false;
			if (column->pins != NULL)
				RetlCachePinsRelease(column->pins);
			RetlVectorBuilderForget(&column->builder);
			MemoryContextReset(column->context);
		}
	}
	if (reader->pins != NULL)
		RetlCachePinsRelease(reader->pins);
	MemoryContextReset(reader->groupContext);
}

/* See group_reader.h. */
Size
RetlGroupReaderRoom(const RetlGroupReader *reader)
{
	return MemoryContextMemAllocated(reader->columnsContext, true) + reader->stored.capacity;
}

/* See group_reader.h. */
void
RetlGroupReaderFreeRoom(RetlGroupReader *reader)
{
	RetlGroupReaderClose(reader);
	MemoryContextReset(reader->columnsContext);
	reader->room.capacity = 0;
	memset(reader->columns, 0, reader->columnCapacity * sizeof(RetlColumnReader *));
	if (reader->stored.bytes != NULL)
		pfree(reader->stored.bytes);
	reader->stored.bytes = NULL;
	reader->stored.capacity = 0;
}

/* See group_reader.h. */
void
RetlGroupReaderSetRelation(RetlGroupReader *reader, Relation rel)
{
	reader->rel = rel;
	reader->tupdesc = RelationGetDescr(rel);
	reader->bytes.rel = rel;
}

/* See group_reader.h. */
void
RetlGroupReaderUseCache(RetlGroupReader *reader, const uint8 incarnation[16], bool admit)
{
	memset(&reader->cacheKey, 0, sizeof(reader->cacheKey));
	reader->cacheKey.locator = RetlRelationLocator(reader->rel);
	memcpy(reader->cacheKey.incarnation, incarnation, sizeof(reader->cacheKey.incarnation));
	reader->cached = true;
	reader->admit = admit;
	if (reader->pins == NULL)
		reader->pins = RetlCachePinsCreate(reader->context);
}

/* See group_reader.h. */
void
RetlGroupReaderSetSingle(RetlGroupReader *reader, bool single)
{
	reader->single = single;
}

/* The footer's header from the cache; false if the group is not there. */
static bool
FindCachedGroup(RetlGroupReader *reader)
{
	RetlCacheEntry *cached;

	if (!reader->cached || !RetlCacheIsEnabled())
		return false;
	reader->cacheKey.groupId = reader->entry.groupId;
	reader->cacheKey.columnId = RETLDB_CACHE_GROUP;
	reader->cacheKey.part = RETLDB_CACHE_HEADER;
	cached = RetlCacheLookup(&reader->cacheKey);
	if (cached == NULL)
		return false;
	RetlCachePin(&reader->pins->group, cached);
	reader->footer = *RetlCachedGroupFooter(cached);
	return true;
}

/* After FindCachedGroup in vain: put the group into the cache, if it may enter. */
static void
CacheGroup(RetlGroupReader *reader)
{
	if (reader->cached && reader->admit &&
		RetlCacheAdmits(&reader->cacheKey, sizeof(RetlFooterHeader),
						reader->single ? RETLDB_LOOKUPS_SINGLE : RETLDB_LOOKUPS_OPENED))
		RetlCachePin(&reader->pins->group,
					 RetlCachedGroupCreate(&reader->cacheKey, &reader->footer,
										   reader->groupContext));
}

/* See group_reader.h. */
void
RetlGroupReaderUseStreams(RetlGroupReader *reader, bool use)
{
	StopStreams(reader);
	reader->streams = use;
}

/* See group_reader.h. */
void
RetlGroupReaderOpen(RetlGroupReader *reader, const RetlGroupEntry *entry)
{
	RetlReadContext readContext;
	MemoryContext oldContext;
	const char *problem;
	bool		unsupported;
	bool		found;

	if (reader->open && memcmp(&reader->entry, entry, sizeof(*entry)) == 0)
		return;
	RetlGroupReaderClose(reader);
	reader->entry = *entry;
	if (entry->footerLength < sizeof(RetlFooterHeader) ||
		entry->footerLength > entry->dataLength ||
		entry->footerOffset != entry->dataLength - entry->footerLength)
		ReportProblem(reader, NULL, "footer is outside the row group", false);

	RetlReadContextPush(&readContext, reader->rel, entry->groupId, NULL);
	oldContext = MemoryContextSwitchTo(reader->groupContext);
	RetlBytesReaderInit(&reader->bytes, reader->rel, entry, reader->strategy);
	found = FindCachedGroup(reader);
	if (!found)
		RetlBytesReaderRead(&reader->bytes, entry->footerOffset, sizeof(reader->footer),
							&reader->footer);
	MemoryContextSwitchTo(oldContext);
	RetlReadContextPop(&readContext);

	problem = RetlFooterHeaderProblem(&reader->footer, entry, &unsupported);
	if (problem != NULL)
		ReportProblem(reader, NULL, problem, unsupported);
	if (!found)
		CacheGroup(reader);
	reader->open = true;
}

/* See group_reader.h. */
void
RetlGroupReaderFree(RetlGroupReader *reader)
{
	StopStreams(reader);
	MemoryContextDelete(reader->context);
}

/* See group_reader.h. */
uint32
RetlGroupReaderRowCount(const RetlGroupReader *reader)
{
	Assert(reader->open);
	return reader->footer.rowCount;
}

bool
RetlGroupReaderIsCompacted(const RetlGroupReader *reader)
{
	Assert(reader->open);
	return (reader->footer.flags & RETL_FOOTER_COMPACTED) != 0;
}

/* See group_reader.h. */
uint32
RetlGroupReaderVectorRows(const RetlGroupReader *reader)
{
	Assert(reader->open);
	return reader->footer.vectorRows;
}

/* See group_reader.h. */
uint32
RetlGroupReaderVectorCount(const RetlGroupReader *reader)
{
	Assert(reader->open);
	return RetlVectorCount(reader->footer.rowCount, reader->footer.vectorRows);
}

/* See group_reader_state.h. */
const RetlFooterColumn *
RetlGroupReaderRawColumn(RetlGroupReader *reader, uint32 i)
{
	Assert(reader->open && i < reader->footer.columnCount);

	if (i < reader->blockFirst || i >= reader->blockFirst + reader->blockCount)
	{
		uint32		first = i / RETLDB_FOOTER_BLOCK * RETLDB_FOOTER_BLOCK;
		uint32		count = Min(reader->footer.columnCount - first, RETLDB_FOOTER_BLOCK);

		reader->blockCount = 0;
		RetlBytesReaderRead(&reader->bytes,
							reader->entry.footerOffset + sizeof(RetlFooterHeader) +
							first * sizeof(RetlFooterColumn),
							count * sizeof(RetlFooterColumn), reader->block);
		reader->blockFirst = first;
		reader->blockCount = count;
	}
	return &reader->block[i - reader->blockFirst];
}

/*
 * Entries are ordered by column id, and ids begin at 1, so the entry is at
 * index columnId - 1 or, if columns had been dropped, some places before.
 */
bool
RetlGroupReaderFindColumn(RetlGroupReader *reader, uint32 columnId,
						  RetlFooterColumn *column, const char **problem, bool *unsupported)
{
	uint32		i = Min(columnId, reader->footer.columnCount);

	while (i-- > 0)
	{
		*column = *RetlGroupReaderRawColumn(reader, i);
		*problem = RetlFooterColumnProblem(column, &reader->footer,
										   reader->entry.footerOffset, unsupported);
		if (*problem != NULL)
			return false;
		if (column->columnId == columnId)
			return true;
		if (column->columnId < columnId)
			return false;
	}
	*problem = NULL;
	return false;
}

/* Name of an attribute, also of a dropped one. */
static const char *
ColumnName(RetlGroupReader *reader, AttrNumber attnum)
{
	return NameStr(TupleDescAttr(reader->tupdesc, attnum - 1)->attname);
}

/* The column's reader, made if it is not there yet. */
static RetlColumnReader *
GetColumn(RetlGroupReader *reader, AttrNumber attnum)
{
	RetlColumnReader *column;

	Assert(reader->open);
	Assert(attnum > 0 && attnum <= reader->tupdesc->natts);

	if (attnum > reader->columnCapacity)
	{
		int			natts = reader->tupdesc->natts;

		reader->columns = repalloc(reader->columns, natts * sizeof(RetlColumnReader *));
		memset(reader->columns + reader->columnCapacity, 0,
			   (natts - reader->columnCapacity) * sizeof(RetlColumnReader *));
		reader->columnCapacity = natts;
	}
	column = reader->columns[attnum - 1];
	if (column == NULL)
	{
		column = MemoryContextAllocZero(reader->columnsContext, sizeof(RetlColumnReader));
		RetlColumnTypeInit(&column->type,
						   TupleDescAttr(reader->tupdesc, attnum - 1));
		column->context = AllocSetContextCreate(reader->columnsContext, "retldb column",
												ALLOCSET_SMALL_SIZES);
		column->name = MemoryContextStrdup(reader->columnsContext, ColumnName(reader, attnum));
		column->buffers.raw.context = reader->columnsContext;
		column->buffers.stored = &reader->stored;
		reader->columns[attnum - 1] = column;
	}
	return column;
}

/* The value of all rows of a column that the group has not. */
static void
OpenMissing(RetlGroupReader *reader, RetlColumnReader *column, AttrNumber attnum)
{
	TupleDesc	tupdesc = reader->tupdesc;

	column->present = false;
	column->missing = (Datum) 0;
	column->missingIsNull = true;
	if (TupleDescAttr(tupdesc, attnum - 1)->attisdropped)
		return;
	column->missing = getmissingattr(tupdesc, attnum, &column->missingIsNull);
	if (!column->missingIsNull)
	{
		MemoryContext oldContext = MemoryContextSwitchTo(column->context);

		column->missing = datumCopy(column->missing, column->type.byValue,
									column->type.typeLength);
		MemoryContextSwitchTo(oldContext);
	}
}

/* Open the column's chunk from the cache.  False if its header is not there. */
static bool
OpenCached(RetlGroupReader *reader, RetlColumnReader *column, AttrNumber attnum)
{
	RetlCachedChunk *known;

	if (!reader->cached || !RetlCacheIsEnabled())
		return false;
	if (column->pins == NULL)
		column->pins = RetlCachePinsCreate(reader->columnsContext);
	reader->cacheKey.groupId = reader->entry.groupId;
	reader->cacheKey.columnId = (uint32) attnum;
	known = reader->pins->group == NULL ? NULL :
		RetlCachedGroupChunk(reader->pins->group, (uint32) attnum);
	if (known == NULL)
	{
		RetlCacheCountMiss();
		return false;
	}
	RetlCacheCountHit();
	RetlChunkOpenCached(&column->chunk, &reader->bytes, &reader->footer, known,
						&reader->cacheKey, reader->admit, column->pins, column->name,
						reader->stats, column->context);
	return true;
}

/* Find the column in the group and read its chunk header. */
static const char *
OpenChunk(RetlGroupReader *reader, RetlColumnReader *column, AttrNumber attnum)
{
	RetlFooterColumn entry;
	const char *problem;
	bool		unsupported = false;

	column->present = RetlGroupReaderFindColumn(reader, (uint32) attnum, &entry, &problem,
												&unsupported);
	if (problem != NULL)
		ReportProblem(reader, column->name, problem, unsupported);
	if (!column->present)
		return NULL;
	problem = RetlChunkOpen(&column->chunk, &reader->bytes, &reader->footer, &entry, column->name,
							reader->stats, column->context);
	column->chunk.single = reader->single;
	if (problem == NULL && reader->cached && RetlCacheIsEnabled())
		RetlChunkUseCache(&column->chunk, reader->pins->group, &reader->cacheKey,
						  reader->admit, column->pins);
	return problem;
}

/* Open a column of the group. */
static void
OpenColumn(RetlGroupReader *reader, RetlColumnReader *column, AttrNumber attnum)
{
	const char *problem = NULL;

	MemoryContextReset(column->context);
	if (column->pins != NULL)
		RetlCachePinsRelease(column->pins);
	column->builderReady = false;
	column->vectorIndex = UINT32_MAX;
	column->cachedVector = NULL;
	column->memos = NULL;
	column->present = false;
	if (!TupleDescAttr(reader->tupdesc, attnum - 1)->attisdropped &&
		!RetlIsVirtual(TupleDescAttr(reader->tupdesc, attnum - 1)))
	{
		column->present = true;
		if (!OpenCached(reader, column, attnum))
			problem = OpenChunk(reader, column, attnum);
	}
	if (!column->present)
		OpenMissing(reader, column, attnum);
	else if (problem == NULL &&
			 (column->chunk.column.physType != column->type.physType ||
			  column->chunk.column.width != column->type.width))
		problem = "stored type does not match the column's type";
	if (problem != NULL)
		ReportProblem(reader, column->name, problem, false);
	if (column->present)
	{
		RetlChunkUseBuffers(&column->chunk, &column->buffers);
		RetlChunkUseStreams(&column->chunk, reader->streams && !reader->single);
	}
	column->opened = true;
}

/* See group_reader_state.h. */
void
RetlGroupReaderReportColumn(RetlGroupReader *reader, AttrNumber attnum, const char *problem)
{
	ReportProblem(reader, ColumnName(reader, attnum), problem, false);
}

/* See group_reader_state.h. */
RetlColumnReader *
RetlGroupReaderUseColumn(RetlGroupReader *reader, AttrNumber attnum)
{
	RetlColumnReader *column = GetColumn(reader, attnum);

	if (!column->opened)
	{
		RetlReadContext readContext;

		RetlReadContextPush(&readContext, reader->rel, reader->entry.groupId,
							ColumnName(reader, attnum));
		OpenColumn(reader, column, attnum);
		RetlReadContextPop(&readContext);
	}
	return column;
}

/* See group_reader.h.  What is wrong with the footer is said when the column is opened. */
void
RetlGroupReaderPrefetch(RetlGroupReader *reader, AttrNumber attnum)
{
	RetlColumnReader *column = GetColumn(reader, attnum);
	uint64		distance;
	RetlReadContext readContext;
	RetlFooterColumn entry;
	const char *problem;
	bool		unsupported;

	if (column->opened)
		return;
	distance = RetlBytesReaderDistance(&reader->bytes);
	if (distance == 0)
		return;
	RetlReadContextPush(&readContext, reader->rel, reader->entry.groupId,
						ColumnName(reader, attnum));
	if (RetlGroupReaderFindColumn(reader, (uint32) attnum, &entry, &problem, &unsupported))
		RetlBytesReaderPrefetch(&reader->bytes, entry.chunkOffset,
								Min(distance, entry.chunkLength));
	RetlReadContextPop(&readContext);
}

/* Start reading the header of a column's chunk, as RetlGroupReaderPrefetch. */
static void
PrefetchHeader(RetlGroupReader *reader, AttrNumber attnum)
{
	RetlReadContext readContext;
	RetlFooterColumn entry;
	const char *problem;
	bool		unsupported;

	RetlReadContextPush(&readContext, reader->rel, reader->entry.groupId,
						ColumnName(reader, attnum));
	if (RetlGroupReaderFindColumn(reader, (uint32) attnum, &entry, &problem, &unsupported))
		RetlBytesReaderPrefetch(&reader->bytes, entry.chunkOffset, entry.chunkHeaderLength);
	RetlReadContextPop(&readContext);
}

/* See group_reader.h. */
void
RetlGroupReaderExpect(RetlGroupReader *reader, const Bitmapset *columns, uint32 index)
{
	int			natts = reader->tupdesc->natts;

	if (!reader->bytes.missing || columns == NULL ||
		RetlBytesReaderDistance(&reader->bytes) == 0)
		return;

	/* the headers of all of them at once, then the units that these name */
	for (int pass = 0; pass < 2; pass++)
	{
		for (AttrNumber attnum = 1; attnum <= natts; attnum++)
		{
			RetlColumnReader *column;

			if (TupleDescAttr(reader->tupdesc, attnum - 1)->attisdropped ||
				!bms_is_member(attnum, columns))
				continue;
			column = GetColumn(reader, attnum);
			if (pass == 0 && !column->opened)
				PrefetchHeader(reader, attnum);
			if (pass == 1)
			{
				column = RetlGroupReaderUseColumn(reader, attnum);
				if (column->present)
					RetlChunkPrefetchPiece(&column->chunk, index * reader->footer.vectorRows /
										   column->chunk.view.pieceRows);
			}
		}
	}
}

/*
 * Build the selected rows of the vector (NULL: all), with everything that must
 * be there before.
 */
static void
BuildVector(RetlGroupReader *reader, RetlColumnReader *column, AttrNumber attnum, uint32 index,
			const RetlSelection *selection)
{
	uint32		vectorRows = reader->footer.vectorRows;
	bool		more = column->vectorIndex == index;
	const char *problem = NULL;

	if (!column->builderReady)
	{
		RetlVectorBuilderBegin(&column->builder, &column->type,
							   Min(vectorRows, reader->footer.rowCount),
							   &reader->room, column->context);
		column->builderReady = true;
	}
	column->vectorIndex = UINT32_MAX;
	column->chunk.single = reader->single;
	if (!column->present)
		RetlVectorBuildConstant(&column->builder, column->missing, column->missingIsNull,
								index * vectorRows,
								Min(vectorRows, reader->footer.rowCount - index * vectorRows));
	else if (more)
		problem = RetlVectorBuildMore(&column->builder, &column->chunk, selection);
	else
		problem = RetlVectorBuild(&column->builder, &column->chunk, index, selection);
	if (problem != NULL)
		ReportProblem(reader, ColumnName(reader, attnum), problem, false);
	column->vectorIndex = index;
	if (column->present && !more && selection == NULL && reader->cached)
		RetlCachedVectorOffer(&column->chunk, reader->pins->group, &column->builder, index);
}

/*
 * Have the selected values of a vector of the cache come into the processor's: they are far
 * apart, and whoever takes one after the other would wait for each pointer and each value.
 * (Always inline: gcc takes a function that only prefetches for one without effect.)
 */
static pg_attribute_always_inline void
PrefetchValues(const RetlVector *vector, const RetlSelection *selection)
{
	uint32		words = RetlSelectionWords(selection->rowCount);

	for (uint32 i = 0; i < words; i++)
		for (uint64 rows = selection->words[i]; rows != 0; rows &= rows - 1)
			__builtin_prefetch(&vector->pointers[i * 64 + pg_rightmost_one_pos64(rows)]);
	for (uint32 i = 0; i < words; i++)
		for (uint64 rows = selection->words[i]; rows != 0; rows &= rows - 1)
			__builtin_prefetch(vector->pointers[i * 64 + pg_rightmost_one_pos64(rows)]);
}

/*
 * Turn to a vector of the cache, which has all rows, if it is there.  Some of them will be
 * taken, as in GetVector.
 */
static bool
FindCachedVector(RetlColumnReader *column, uint32 index, const RetlSelection *selection)
{
	/* should making the next one fail, this one is not there either */
	column->vectorIndex = UINT32_MAX;
	column->cachedVector = column->present ?
		RetlCachedVectorFind(&column->chunk, &column->type, index) : NULL;
	if (column->cachedVector == NULL)
		return false;
	column->vectorIndex = index;
	if (selection != NULL && selection->count > 1)
		PrefetchValues(column->cachedVector, selection);
	return true;
}

/* The vector with at least the selected rows (NULL: all). */
static const RetlVector *
GetVector(RetlGroupReader *reader, AttrNumber attnum, uint32 index,
		  const RetlSelection *selection)
{
	RetlColumnReader *column = GetColumn(reader, attnum);
	RetlReadContext readContext;

	Assert(index < RetlGroupReaderVectorCount(reader));

	if (column->opened && column->vectorIndex == index)
	{
		if (column->cachedVector != NULL)
			return column->cachedVector;
		if (RetlVectorHasRows(&column->builder, selection))
			return &column->builder.vector;
	}

	RetlReadContextPush(&readContext, reader->rel, reader->entry.groupId,
						ColumnName(reader, attnum));
	if (!column->opened)
		OpenColumn(reader, column, attnum);
	if (column->vectorIndex == index || !FindCachedVector(column, index, selection))
		BuildVector(reader, column, attnum, index, selection);
	RetlReadContextPop(&readContext);
	return column->cachedVector != NULL ? column->cachedVector : &column->builder.vector;
}

/* See group_reader.h. */
const RetlVector *
RetlGroupReaderGetVector(RetlGroupReader *reader, AttrNumber attnum, uint32 index)
{
	return GetVector(reader, attnum, index, NULL);
}

/* See group_reader.h. */
const RetlVector *
RetlGroupReaderGetSelected(RetlGroupReader *reader, AttrNumber attnum, uint32 index,
						   const RetlSelection *selection)
{
	return GetVector(reader, attnum, index,
					 selection->count < selection->rowCount ? selection : NULL);
}

/*
 * Where the chunk has no statistics of its vectors, those of the chunk stand
 * for each; its null count is the vector's if all rows are alike.
 */
static bool
ZoneOfChunk(const RetlChunkReader *chunk, uint32 rowCount, RetlZone *zone)
{
	*zone = chunk->column.zone;
	if (chunk->view.vectorCount == 1 || zone->nullCount == 0)
		return true;
	if (zone->nullCount != chunk->view.rowCount)
		return false;
	zone->nullCount = rowCount;
	return true;
}

/* See group_reader.h. */
bool
RetlGroupReaderGetVectorZone(RetlGroupReader *reader, AttrNumber attnum,
							 uint32 index, RetlZone *zone, uint32 *rowCount)
{
	RetlColumnReader *column = RetlGroupReaderUseColumn(reader, attnum);
	const char *problem;

	Assert(index < RetlGroupReaderVectorCount(reader));

	if (!column->present)
		return false;

	*rowCount = Min(reader->footer.vectorRows,
					reader->footer.rowCount - index * reader->footer.vectorRows);
	if (column->chunk.view.zones == NULL)
		return ZoneOfChunk(&column->chunk, *rowCount, zone);
	*zone = column->chunk.view.zones[index];
	problem = RetlZoneProblem(zone, *rowCount);
	if (problem == NULL && zone->keyKind != column->chunk.column.zone.keyKind)
		problem = "statistics of a vector have a wrong key kind";
	if (problem != NULL)
		ReportProblem(reader, ColumnName(reader, attnum), problem, false);
	return true;
}

/* See group_reader.h. */
bool
RetlGroupReaderBloomMayContain(RetlGroupReader *reader, AttrNumber attnum,
							   RetlKeyKind keyKind, uint64 hash)
{
	RetlColumnReader *column = RetlGroupReaderUseColumn(reader, attnum);
	const char *problem;
	bool		may;

	if (!column->present)
		return true;
	problem = RetlChunkBloomMayContain(&column->chunk, keyKind, hash, &may);
	if (problem != NULL)
		ReportProblem(reader, ColumnName(reader, attnum), problem, false);
	return may;
}

/* See group_reader.h. */
uint32
RetlGroupReaderColumnCount(const RetlGroupReader *reader)
{
	Assert(reader->open);
	return reader->footer.columnCount;
}

/* See group_reader.h. */
void
RetlGroupReaderGetChunkInfo(RetlGroupReader *reader, uint32 i, RetlChunkInfo *info)
{
	RetlReadContext readContext;
	const char *problem;
	bool		unsupported;

	RetlReadContextPush(&readContext, reader->rel, reader->entry.groupId, NULL);
	info->column = *RetlGroupReaderRawColumn(reader, i);
	RetlReadContextPop(&readContext);
	problem = RetlFooterColumnProblem(&info->column, &reader->footer,
									  reader->entry.footerOffset, &unsupported);
	if (problem != NULL)
		ReportProblem(reader, NULL, problem, unsupported);
}
