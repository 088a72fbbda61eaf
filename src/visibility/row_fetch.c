/*-------------------------------------------------------------------------
 *
 * row_fetch.c
 *	  Single rows of row groups by their TID.
 *
 * Updates, triggers and TID scans ask for rows one by one.  One table's
 * directory and reader are kept between calls, as long as the header's
 * generation says that nothing has changed, and at most until the end of the
 * (sub)transaction.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/subtrans.h"
#include "access/transam.h"
#include "access/xact.h"
#include "storage/predicate.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/compat.h"
#include "base/settings.h"
#include "rowgroup/group_reader.h"
#include "storage/directory.h"
#include "storage/table_header.h"
#include "visibility/anchor.h"
#include "visibility/row_fetch.h"
#include "visibility/stub.h"

typedef struct FetchCache
{
	MemoryContext context;		/* NULL: nothing is cached */
	Oid			relid;
	RetlFileLocator locator;
	uint64		generation;
	int			natts;
	RetlDirectory *directory;
	RetlGroupReader *reader;
	RetlGroup  *openGroup;
	uint32		lastVector;		/* of openGroup, from which a row was fetched */
} FetchCache;

static FetchCache cache;

/*
 * Forget what is cached.  The memory may be gone already.
 */
void
RetlFetchCacheReset(void)
{
	if (cache.context != NULL)
		MemoryContextDelete(cache.context);
	memset(&cache, 0, sizeof(cache));
}

/*
 * Make the cache that of the current state of a table.
 */
static void
UseCache(Relation rel)
{
	MemoryContext oldContext;

	if (cache.context != NULL &&
		cache.relid == RelationGetRelid(rel) &&
		RetlLocatorEquals(cache.locator, RetlRelationLocator(rel)) &&
		cache.generation == RetlHeaderGeneration(rel) &&
		cache.natts == RelationGetDescr(rel)->natts)
	{
		RetlGroupReaderSetRelation(cache.reader, rel);
		return;
	}

	RetlFetchCacheReset();
	cache.context = AllocSetContextCreate(TopTransactionContext, "retldb row fetch",
										  ALLOCSET_DEFAULT_SIZES);
	oldContext = MemoryContextSwitchTo(cache.context);
	cache.relid = RelationGetRelid(rel);
	cache.locator = RetlRelationLocator(rel);
	cache.natts = RelationGetDescr(rel)->natts;
	cache.directory = RetlDirectoryRead(rel);
	cache.generation = cache.directory->header->generation;
	cache.reader = RetlGroupReaderCreate(rel, NULL, NULL);
	if (!retldb_skip_damaged_groups)
		RetlGroupReaderUseCache(cache.reader, cache.directory->header->incarnation, true);
	MemoryContextSwitchTo(oldContext);
}

/*
 * Are the rows of a group, which is not FREE, in its pages?
 */
static inline bool
IsWritten(const RetlGroup *group)
{
	return group->entry.state == RETL_GROUP_COMPLETE;
}

/*
 * The group that has a row number, or NULL.  One that is LOADING has all numbers
 * that it has reserved, whether or not there are rows.
 */
static RetlGroup *
FindGroup(const RetlDirectory *directory, uint64 rowNumber)
{
	int			low = 0;
	int			high = directory->groupCount;

	/* the last group that begins at or before the row */
	while (low < high)
	{
		int			middle = (low + high) / 2;

		if (directory->groups[middle].entry.rowBase <= rowNumber)
			low = middle + 1;
		else
			high = middle;
	}
	/* free entries may have taken any row base: look back past them */
	for (int i = low - 1; i >= 0; i--)
	{
		RetlGroup  *group = &directory->groups[i];

		if (group->entry.state == RETL_GROUP_FREE)
			continue;
		if (rowNumber - group->entry.rowBase <
			(IsWritten(group) ? group->entry.rowCount : group->entry.rowCapacity))
			return group;
		break;
	}
	return NULL;
}

/*
 * The same, but a COMPLETE one.
 */
static RetlGroup *
FindWrittenGroup(const RetlDirectory *directory, uint64 rowNumber)
{
	RetlGroup  *group = FindGroup(directory, rowNumber);

	return group != NULL && IsWritten(group) ? group : NULL;
}

/*
 * The vector of a column, with at least this row of it.  The first row of a
 * vector is fetched alone; whoever comes again gets the whole vector, for
 * triggers go through it row by row.
 */
static const RetlVector *
GetVector(AttrNumber attnum, uint32 vector, uint32 vectorRow, bool again)
{
	uint32		vectorRows = RetlGroupReaderVectorRows(cache.reader);
	RetlSelection selection;

	if (again)
		return RetlGroupReaderGetVector(cache.reader, attnum, vector);
	memset(&selection, 0, sizeof(selection));
	selection.rowCount = Min(vectorRows,
							 RetlGroupReaderRowCount(cache.reader) - vector * vectorRows);
	selection.count = 1;
	selection.words[vectorRow / 64] = UINT64CONST(1) << (vectorRow % 64);
	return RetlGroupReaderGetSelected(cache.reader, attnum, vector, &selection);
}

/*
 * Fill in all columns of a row of the group.
 */
static void
FetchColumns(Relation rel, RetlGroup *group, uint32 row, Datum *values, bool *isnull)
{
	TupleDesc	tupdesc = RelationGetDescr(rel);
	uint32		vectorRows;
	uint32		vector;
	bool		again;

	if (cache.openGroup != group)
	{
		cache.openGroup = NULL;
		RetlGroupReaderOpen(cache.reader, &group->entry);
		cache.openGroup = group;
		cache.lastVector = PG_UINT32_MAX;
	}
	vectorRows = RetlGroupReaderVectorRows(cache.reader);
	vector = row / vectorRows;
	again = cache.lastVector == vector;
	cache.lastVector = vector;
	for (int i = 0; i < tupdesc->natts; i++)
	{
		if (TupleDescAttr(tupdesc, i)->attisdropped)
		{
			values[i] = (Datum) 0;
			isnull[i] = true;
		}
		else
			values[i] = RetlVectorGetDatum(GetVector(i + 1, vector, row % vectorRows, again),
										   row % vectorRows, &isnull[i]);
	}
}

/*
 * The same, and let the copy of the anchor's header, if there is one, say who
 * inserted the row.
 */
static void
FetchRow(Relation rel, RetlGroup *group, uint32 row, Datum *values, bool *isnull,
		 HeapTupleHeader anchor)
{
	FetchColumns(rel, group, row, values, isnull);
	if (anchor != NULL && RetlGroupReaderIsCompacted(cache.reader))
		RetlAnchorSetInserter(anchor, &group->entry);
}

/*
 * A copy of the group that has a row.
 */
bool
RetlFindRowGroup(Relation rel, ItemPointer tid, RetlGroup *group, uint32 *row)
{
	uint64		rowNumber = RetlTidGetRowNumber(tid);
	RetlGroup  *found;

	Assert(RetlTidIsColumnar(tid));
	UseCache(rel);
	found = FindWrittenGroup(cache.directory, rowNumber);
	if (found == NULL)
		return false;
	*group = *found;
	*row = rowNumber - found->entry.rowBase;
	return true;
}

/*
 * Fetch a columnar row, if the snapshot sees it.
 */
RetlFetched
RetlFetchRow(Relation rel, ItemPointer tid, Snapshot snapshot, Datum *values, bool *isnull,
			 HeapTupleHeader anchor)
{
	uint64		rowNumber = RetlTidGetRowNumber(tid);
	RetlGroup  *group;
	uint32		row;

	Assert(RetlTidIsColumnar(tid));
	if (snapshot->snapshot_type == SNAPSHOT_DIRTY)
	{
		/* what an earlier row has left there must not count for this one */
		snapshot->xmin = snapshot->xmax = InvalidTransactionId;
		snapshot->speculativeToken = 0;
	}
	UseCache(rel);
	group = FindGroup(cache.directory, rowNumber);
	if (group == NULL)
		return RETL_FETCHED_NONE;
	row = rowNumber - group->entry.rowBase;
	if (!RetlAnchorIsVisible(rel, &group->entry, snapshot, anchor))
		return RETL_FETCHED_NONE;
	/* as heap_fetch, and before the map is looked at: a change after that sees our lock */
	PredicateLockTID(rel, tid, snapshot, HeapTupleHeaderGetXmin(anchor));
	if (!RetlRowIsVisible(rel, &group->entry, row, snapshot))
		return RETL_FETCHED_NONE;
	if (!IsWritten(group))
		return RETL_FETCHED_UNWRITTEN;
	if (values != NULL)
		FetchRow(rel, group, row, values, isnull, anchor);
	return RETL_FETCHED_ROW;
}

/*
 * Fetch a columnar row of any state.
 */
bool
RetlFetchAnyRow(Relation rel, ItemPointer tid, Datum *values, bool *isnull,
				HeapTupleHeader anchor)
{
	uint64		rowNumber = RetlTidGetRowNumber(tid);
	RetlGroup  *group;

	Assert(RetlTidIsColumnar(tid));
	UseCache(rel);
	group = FindWrittenGroup(cache.directory, rowNumber);
	if (group == NULL || !RetlAnchorIsVisible(rel, &group->entry, SnapshotAny, anchor))
		return false;
	FetchRow(rel, group, rowNumber - group->entry.rowBase, values, isnull, anchor);
	return true;
}

/*
 * Did a transaction move rows?  Compaction inserts the anchors of its groups, but
 * writers of these are those whose rows it has moved.
 */
bool
RetlRowWasMovedBy(Relation rel, TransactionId xid)
{
	TransactionId top;

	if (!TransactionIdIsNormal(xid) || TransactionIdPrecedes(xid, TransactionXmin))
		return false;
	top = SubTransGetTopmostTransaction(xid);
	UseCache(rel);
	for (int i = 0; i < cache.directory->groupCount; i++)
	{
		const RetlGroupEntry *entry = &cache.directory->groups[i].entry;
		HeapTupleHeaderData anchor;

		if (entry->state == RETL_GROUP_COMPLETE &&
			!TransactionIdEquals((TransactionId) entry->writerXid, top) &&
			RetlAnchorIsVisible(rel, entry, SnapshotAny, &anchor) &&
			TransactionIdEquals(HeapTupleHeaderGetRawXmin(&anchor), xid))
			return true;
	}
	return false;
}
