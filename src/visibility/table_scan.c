/*-------------------------------------------------------------------------
 *
 * table_scan.c
 *	  The scan of a whole table: row store first, then the row groups.
 *
 * The scan is a cursor over "items": the blocks of the row store, in order,
 * then the row groups by row number.  An open item has rows; the cursor moves
 * over them in either direction and opens the next item where one ends.  A
 * parallel scan claims its items from shared state instead, forward only.
 *
 * The directory is read when the scan starts, after the snapshot was taken:
 * every group that the snapshot can see is in it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/xact.h"
#include "miscadmin.h"
#include "port/pg_bitutils.h"
#include "storage/bufmgr.h"
#include "storage/predicate.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/resowner.h"

#include "base/settings.h"
#include "storage/directory.h"
#include "storage/group_bytes.h"
#include "visibility/anchor.h"
#include "visibility/row_fetch.h"
#include "visibility/row_store.h"
#include "visibility/stub.h"
#include "visibility/table_scan.h"

/* Blocks of the row store that a process of a parallel scan claims at once. */
#define PARALLEL_STRETCH	32

/* A runtime condition that turned away less than 1/16 of so many rows is given up. */
#define RUNTIME_TRIAL_ROWS	32768
#define RUNTIME_MIN_SHARE	16

/*
 * Runs of the row store up to this length are asked for in one go; in longer
 * ones the kernel reads ahead, which for short ones would go far beyond them.
 */
#define PREFETCH_RUN		256

/* Rows that are made at once, for users who want all columns: see RowBatch. */
#define BATCH_ROWS			64
#define BATCH_VALUES		1024

/* What is known of a group's visibility. */
#define VISIBILITY_UNKNOWN	0
#define VISIBILITY_YES		1
#define VISIBILITY_NO		2

/* Where the cursor stands. */
typedef enum CursorState
{
	CURSOR_FRESH,				/* not moved yet: at the end that it starts from */
	CURSOR_BEFORE,				/* before the first item */
	CURSOR_IN_ROW_STORE,
	CURSOR_IN_GROUP,
	CURSOR_AFTER				/* past the last item */
} CursorState;

/*
 * Some rows of the current vector, turned from columns into rows.  Taking them
 * out of the vectors one at a time would touch as many places in memory as there
 * are columns for each of them, and ask the same questions of each column again.
 */
typedef struct RowBatch
{
	uint64		stamp;			/* the scan's when it was made */
	uint32		firstRow;		/* of the vector */
	uint32		rowCount;
	int			columnCount;	/* columns [0, columnCount) are there */
	int			natts;			/* values in a row */
	uint32		capacity;		/* rows */
	Datum	   *values;			/* [capacity * natts] */
	bool	   *isnull;
} RowBatch;

struct RetlTableScan
{
	/* unchanging */
	Relation	rel;
	Snapshot	snapshot;
	Bitmapset  *columns;
	const RetlZoneFilter *filter;
	const RetlScanConditions *conditions;	/* NULL: none on vectors */
	RetlRuntimeConditions *runtime; /* NULL: none so far */
	bool		selects;		/* there are some of either kind */
	RetlParallelScan *parallel;
	MemoryContext context;		/* of the scan */
	MemoryContext startContext; /* of what a (re)scan makes, reset by the next */
	RetlGroupReader *reader;
	BufferAccessStrategy strategy;

	/* made at the start of each scan, in startContext */
	bool		started;
	RetlDirectory *directory;
	BlockNumber nblocks;
	RetlRun    *runs;			/* of the row store */
	uint64	   *runsBefore;		/* [runCount + 1]: blocks in runs before this one */
	int			runCount;
	int			runNext;		/* the run to be prefetched next, see PrefetchRun */
	RetlGroup **groupOfSlot;	/* parallel: by position in the directory */
	uint8	   *visibility;		/* of each group, VISIBILITY_..., or NULL: ask each time */
	RetlZoneEntry ***zones;		/* [attnum - 1][directory page], read when needed */

	/* TIDs outside are not returned, if there is a range */
	bool		hasTidRange;
	ItemPointerData minTid;
	ItemPointerData maxTid;
	uint64		minRowNumber;	/* the same for rows of row groups */
	uint64		endRowNumber;

	/* units of sampling: unitsBefore[i] of groups before group i */
	uint64	   *unitsBefore;	/* [groupCount + 1], made when needed */
	int64		openUnitItem;	/* item of the open unit, -1: none */
	uint32		unitFirstRow;	/* of the open unit in its group */

	/* the cursor */
	CursorState state;
	int64		item;			/* row store blocks, then groups */
	int64		rowInItem;
	int64		firstRow;		/* rows of the item that may be returned */
	int64		endRow;
	RetlRowStorePage page;
	RetlGroup  *group;			/* open one, in state IN_GROUP */
	uint32		groupRows;
	int			vectorShift;	/* rows of a vector, as a power of two */
	int64		checkedVector;	/* whose zones were looked at last, -1 = none */
	bool		checkedSkip;
	RetlHiddenRows hidden;		/* of the open group, or one before it */
	bool		hides;			/* the open group has rows that we must not return */
	RetlSelection selection;	/* of checkedVector: rows that are there and pass the
								 * conditions; kept if there are either */
	int64		countedVector;	/* of the group, in the statistics already, or -1 */
	uint64		countedRuntime; /* its part of rowsRuntimeFiltered */
	HeapTupleHeader anchor;		/* of the open group */
	bool		anchorIsRead;	/* since we turned to the group */
	RetlScanRow row;

	/* claimed stretch of a parallel scan */
	BlockNumber stretchNext;
	BlockNumber stretchEnd;

	/* current vector of each column, valid while its stamp is the scan's */
	uint64		stamp;
	uint64	   *vectorStamps;
	const RetlVector **vectors;
	RowBatch	batch;

	RetlScanStats stats;
};

/* ---------------------------------------------------------------------
 * Begin, start, end
 * ---------------------------------------------------------------------
 */

/*
 * What is large is read through a ring of buffers, as heap scans do it.  Of a
 * table only the pages of needed columns are read, which are taken to have the
 * same size.
 */
static BufferAccessStrategy
ChooseStrategy(Relation rel, const Bitmapset *columns)
{
	uint64		blocks = RelationGetNumberOfBlocks(rel);
	int			natts = RelationGetDescr(rel)->natts;

	if (columns != NULL && natts > 0)
		blocks = blocks * Min(bms_num_members(columns), natts) / natts;
	if (RelationUsesLocalBuffers(rel) || blocks <= (uint64) NBuffers / 4)
		return NULL;
	return GetAccessStrategy(BAS_BULKREAD);
}

RetlTableScan *
RetlTableScanBegin(Relation rel, Snapshot snapshot, Bitmapset *columns,
				   const RetlZoneFilter *filter, RetlParallelScan *parallel)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "retldb scan",
												  ALLOCSET_SMALL_SIZES);
	MemoryContext oldContext = MemoryContextSwitchTo(context);
	RetlTableScan *scan = palloc0(sizeof(RetlTableScan));
	int			natts = RelationGetDescr(rel)->natts;

	scan->rel = rel;
	scan->snapshot = snapshot;
	scan->columns = bms_copy(columns);
	scan->filter = filter;
	scan->parallel = parallel;
	scan->context = context;
	scan->startContext = AllocSetContextCreate(context, "retldb scan start",
											   ALLOCSET_SMALL_SIZES);
	scan->strategy = ChooseStrategy(rel, columns);
	scan->reader = RetlGroupReaderCreate(rel, scan->strategy, &scan->stats.read);
	scan->anchor = palloc0(sizeof(HeapTupleHeaderData));
	scan->vectorStamps = palloc0(sizeof(uint64) * Max(natts, 1));
	scan->vectors = palloc0(sizeof(RetlVector *) * Max(natts, 1));
	scan->stamp = 1;
	RetlHiddenRowsInit(&scan->hidden, context);
	RetlRowStorePageInit(&scan->page, rel, snapshot, scan->strategy);
	MemoryContextSwitchTo(oldContext);
	return scan;
}

/*
 * Count the blocks before each run of the row store.
 */
static void
CountRuns(RetlTableScan *scan)
{
	scan->runsBefore = palloc(sizeof(uint64) * (scan->runCount + 1));
	scan->runsBefore[0] = 0;
	scan->runNext = 0;
	for (int i = 0; i < scan->runCount; i++)
		scan->runsBefore[i + 1] = scan->runsBefore[i] + scan->runs[i].length;
}

/*
 * Order the groups by their position in the directory, which is the same for
 * all processes of a parallel scan.
 */
static void
ArrangeSlots(RetlTableScan *scan)
{
	uint32		count = scan->parallel->slotCount;

	scan->groupOfSlot = palloc0(sizeof(RetlGroup *) * Max(count, 1));
	for (int i = 0; i < scan->directory->groupCount; i++)
	{
		RetlGroup  *group = &scan->directory->groups[i];
		uint32		position = group->slot.pageIndex * RETLDB_DIRECTORY_SLOTS + group->slot.slot;

		if (position < count && group->entry.groupId <= scan->parallel->maxGroupId)
			scan->groupOfSlot[position] = group;
	}
}

/*
 * Read the directory; the cursor is before the first row.
 */
static void
StartScan(RetlTableScan *scan)
{
	MemoryContext oldContext;

	MemoryContextReset(scan->startContext);
	oldContext = MemoryContextSwitchTo(scan->startContext);

	if (IsMVCCSnapshot(scan->snapshot))
		PredicateLockRelation(scan->rel, scan->snapshot);

	scan->directory = RetlDirectoryRead(scan->rel);
	if (!retldb_skip_damaged_groups)
		RetlGroupReaderUseCache(scan->reader, scan->directory->header->incarnation,
								scan->strategy == NULL);
	scan->nblocks = RelationGetNumberOfBlocks(scan->rel);
	if (scan->parallel != NULL)
		scan->nblocks = scan->parallel->nblocks;
	scan->runs = RetlRowStoreRuns(scan->rel, scan->directory, scan->nblocks, &scan->runCount);
	CountRuns(scan);
	if (scan->parallel != NULL)
		ArrangeSlots(scan);
	scan->visibility = NULL;
	if (IsMVCCSnapshot(scan->snapshot))
		scan->visibility = palloc0(Max(scan->directory->groupCount, 1));
	scan->zones = palloc0(sizeof(RetlZoneEntry **) * Max(RelationGetDescr(scan->rel)->natts, 1));
	scan->unitsBefore = NULL;
	scan->openUnitItem = -1;
	MemoryContextSwitchTo(oldContext);

	scan->hidden.groupId = 0;
	scan->started = true;
}

/*
 * While ALTER TABLE rewrites a table, the relation's descriptor is the new one
 * already, without the missing values of the old one: only the slot of the
 * caller tells what the rows are.
 */
void
RetlTableScanSetDescriptor(RetlTableScan *scan, TupleDesc tupdesc)
{
	RetlGroupReaderSetDescriptor(scan->reader, tupdesc);
}

/*
 * Rows of row groups that fail these are passed over from now on.
 */
void
RetlTableScanSetConditions(RetlTableScan *scan, const RetlScanConditions *conditions)
{
	Assert(scan->state == CURSOR_FRESH);
	scan->conditions = conditions != NULL && conditions->count > 0 ? conditions : NULL;
	scan->selects = scan->conditions != NULL;
}

/*
 * See table_scan.h.  The current vector is looked at again, with the new
 * conditions in addition: its columns have values at least for the rows that
 * were selected before.
 */
void
RetlTableScanSetRuntimeConditions(RetlTableScan *scan, RetlRuntimeConditions *conditions)
{
	scan->runtime = conditions;
	if (conditions == NULL || conditions->count == 0)
		return;
	scan->selects = true;
	if (scan->state == CURSOR_IN_GROUP && !scan->checkedSkip)
		scan->checkedVector = -1;
}

/*
 * How many row numbers are before a TID of any value, one that counts itself (0)
 * or not (1).
 */
static uint64
RowNumberAtTid(ItemPointer tid, int exclude)
{
	BlockNumber block = ItemPointerGetBlockNumberNoCheck(tid);
	int			offset = ItemPointerGetOffsetNumberNoCheck(tid);

	if (block < RETLDB_FIRST_ROW_BLOCK)
		return 0;
	return (uint64) (block - RETLDB_FIRST_ROW_BLOCK) * RETLDB_ROWS_PER_BLOCK +
		Min(Max(offset - exclude, 0), RETLDB_ROWS_PER_BLOCK);
}

/*
 * Rows outside this range of TIDs are passed over from now on.
 */
void
RetlTableScanSetTidRange(RetlTableScan *scan, ItemPointer min, ItemPointer max)
{
	Assert(scan->state == CURSOR_FRESH && scan->parallel == NULL);
	scan->hasTidRange = true;
	scan->minTid = *min;
	scan->maxTid = *max;
	scan->minRowNumber = RowNumberAtTid(min, 1);
	scan->endRowNumber = RowNumberAtTid(max, 0);
}

/*
 * Start over.  What an MVCC snapshot sees does not change, so the directory
 * need not be read again for it.
 */
void
RetlTableScanRescan(RetlTableScan *scan)
{
	RetlRowStorePageRelease(&scan->page);
	if (!IsMVCCSnapshot(scan->snapshot))
		scan->started = false;
	scan->stretchNext = scan->stretchEnd = 0;
	scan->state = CURSOR_FRESH;
	scan->openUnitItem = -1;
	scan->stamp++;
}

void
RetlTableScanEnd(RetlTableScan *scan)
{
	RetlRowStorePageRelease(&scan->page);
	RetlGroupReaderFree(scan->reader);
	if (scan->strategy != NULL)
		FreeAccessStrategy(scan->strategy);
	MemoryContextDelete(scan->context);
}

const RetlScanStats *
RetlTableScanGetStats(const RetlTableScan *scan)
{
	return &scan->stats;
}

/* ---------------------------------------------------------------------
 * Zone maps
 * ---------------------------------------------------------------------
 */

/*
 * Zone of a column of the current group from the directory's zone maps.
 */
static bool
GroupZone(void *context, AttrNumber attnum, RetlZone *zone, uint32 *rowCount)
{
	RetlTableScan *scan = context;
	int			pageIndex = scan->group->slot.pageIndex;
	RetlZoneEntry **pages = scan->zones[attnum - 1];
	RetlZoneEntry *entry;

	if (pages == NULL)
		pages = scan->zones[attnum - 1] =
			MemoryContextAllocZero(scan->startContext,
								   sizeof(RetlZoneEntry *) * scan->directory->pageCount);
	if (pages[pageIndex] == NULL)
	{
		RetlZoneEntry *entries = MemoryContextAllocZero(scan->startContext,
														sizeof(RetlZoneEntry) * RETLDB_DIRECTORY_SLOTS);

		(void) RetlZoneMapRead(scan->rel, scan->directory, pageIndex, attnum, entries);
		pages[pageIndex] = entries;
	}
	entry = &pages[pageIndex][scan->group->slot.slot];
	if (entry->groupIdLow != (uint32) scan->group->entry.groupId || entry->rowCount == 0)
		return false;
	*zone = entry->zone;
	*rowCount = entry->rowCount;
	return true;
}

/*
 * Zone of a column of the vector that checkedVector names.
 */
static bool
VectorZone(void *context, AttrNumber attnum, RetlZone *zone, uint32 *rowCount)
{
	RetlTableScan *scan = context;

	return RetlGroupReaderGetVectorZone(scan->reader, attnum, scan->checkedVector, zone, rowCount);
}

/*
 * What runtime conditions imply for zones; NULL if nothing.
 */
static const RetlZoneFilter *
RuntimeZones(const RetlTableScan *scan)
{
	return scan->runtime != NULL ? scan->runtime->zones : NULL;
}

/*
 * Can no row of the current group match?
 */
static bool
SkipGroup(RetlTableScan *scan)
{
	/* zone maps may be what is damaged */
	if (!retldb_enable_skipping || retldb_skip_damaged_groups)
		return false;
	return !RetlZoneFilterMayMatch(scan->filter, GroupZone, scan) ||
		!RetlZoneFilterMayMatch(RuntimeZones(scan), GroupZone, scan);
}

/*
 * RetlBloomSource of the current group.
 */
static bool
GroupBloom(void *context, AttrNumber attnum, RetlKeyKind keyKind, uint64 hash)
{
	RetlTableScan *scan = context;

	return RetlGroupReaderBloomMayContain(scan->reader, attnum, keyKind, hash);
}

/*
 * Do Bloom filters of the current group rule out a match?
 */
static bool
BloomsExclude(RetlTableScan *scan, const RetlZoneFilter *filter)
{
	return filter != NULL && RetlZoneFilterHasHash(filter) &&
		!RetlZoneFilterMayMatchBloom(filter, GroupZone, GroupBloom, scan);
}

/*
 * Same as SkipGroup, for an open group that zone maps do not rule out: do its
 * Bloom filters?
 */
static bool
SkipGroupByBlooms(RetlTableScan *scan)
{
	if (!retldb_enable_skipping || retldb_skip_damaged_groups)
		return false;
	return BloomsExclude(scan, scan->filter) || BloomsExclude(scan, RuntimeZones(scan));
}

/*
 * Let runtime conditions deselect rows of checkedVector.  A vector that is looked
 * at again must not get rows back, so all of them are asked then.
 */
static void
ApplyRuntimeTests(RetlTableScan *scan, bool again)
{
	RetlSelection *selection = &scan->selection;
	uint32		before = selection->count;

	for (int i = 0; i < scan->runtime->count && selection->count > 0; i++)
	{
		RetlRuntimeTest *test = &scan->runtime->tests[i];
		uint32		tested = selection->count;

		if (test->useless && !again)
			continue;
		RetlGroupReaderFilter(scan->reader, &test->test, (uint32) scan->checkedVector, selection);
		test->rowsTested += tested;
		test->rowsRemoved += tested - selection->count;
		test->useless = test->rowsTested >= RUNTIME_TRIAL_ROWS &&
			test->rowsRemoved * RUNTIME_MIN_SHARE < test->rowsTested;
	}
	if (again)
		scan->stats.rowsRuntimeFiltered -= scan->countedRuntime;
	scan->countedRuntime = before - selection->count;
	scan->stats.rowsRuntimeFiltered += scan->countedRuntime;
}

/*
 * Is there a condition of either kind that is worth asking?
 */
static bool
HasConditions(const RetlTableScan *scan)
{
	if (scan->conditions != NULL)
		return true;
	for (int i = 0; scan->runtime != NULL && i < scan->runtime->count; i++)
	{
		if (!scan->runtime->tests[i].useless)
			return true;
	}
	return false;
}

/*
 * Take rows that are not there for the snapshot out of a selection of rows of the
 * open group, from firstRow on.
 */
static void
DeselectHidden(const RetlTableScan *scan, uint32 firstRow, RetlSelection *selection)
{
	const uint64 *hidden = &scan->hidden.words[firstRow / 64];

	for (uint32 i = 0; i < RetlSelectionWords(selection->rowCount); i++)
		selection->words[i] &= ~hidden[i];
	RetlSelectionRecount(selection);
}

/*
 * Find the rows of checkedVector that are there and pass the conditions, which
 * may raise errors and so never see others.  False if there is none.
 */
static bool
SelectRows(RetlTableScan *scan, bool again)
{
	RetlSelection *selection = &scan->selection;
	uint32		firstRow = (uint32) scan->checkedVector << scan->vectorShift;
	uint32		there;

	CHECK_FOR_INTERRUPTS();
	RetlSelectAll(selection, Min(1U << scan->vectorShift, scan->groupRows - firstRow));
	if (scan->hides)
		DeselectHidden(scan, firstRow, selection);
	there = selection->count;
	for (int i = 0; scan->conditions != NULL && i < scan->conditions->count && selection->count > 0; i++)
		RetlGroupReaderFilterTree(scan->reader, scan->conditions->trees[i],
								  (uint32) scan->checkedVector, selection);
	if (!again)
		scan->stats.rowsFiltered += there - selection->count;
	if (scan->runtime != NULL)
		ApplyRuntimeTests(scan, again);
	if (selection->count == 0 && !again)
		scan->stats.vectorsEmptied++;
	return selection->count > 0;
}

/*
 * Do statistics of checkedVector rule out a match?
 */
static bool
ZonesExcludeVector(RetlTableScan *scan)
{
	return retldb_enable_skipping &&
		(!RetlZoneFilterMayMatch(scan->filter, VectorZone, scan) ||
		 !RetlZoneFilterMayMatch(RuntimeZones(scan), VectorZone, scan));
}

/*
 * Is there no row to return in this vector of the current group?
 */
static bool
SkipVector(RetlTableScan *scan, uint32 vectorIndex)
{
	bool		again = scan->countedVector == vectorIndex;

	if (scan->checkedVector == vectorIndex)
		return scan->checkedSkip;
	scan->checkedVector = vectorIndex;
	scan->checkedSkip = ZonesExcludeVector(scan);
	if (!again && scan->checkedSkip)
		scan->stats.vectorsSkipped++;
	else if (!again)
		scan->stats.vectorsRead++;
	if (!again)
		scan->countedRuntime = 0;
	scan->countedVector = vectorIndex;
	if (!scan->checkedSkip && (scan->selects || scan->hides))
		scan->checkedSkip = !SelectRows(scan, again);
	return scan->checkedSkip;
}

/* ---------------------------------------------------------------------
 * Damaged groups
 * ---------------------------------------------------------------------
 */

/*
 * See whether the current group is visible, and if so check all that the caller
 * may ask of it; NULL or what is wrong.
 */
static char *
CheckGroup(RetlTableScan *scan, bool *visible)
{
	TupleDesc	tupdesc = RelationGetDescr(scan->rel);

	*visible = RetlAnchorIsVisible(scan->rel, &scan->group->entry, scan->snapshot, scan->anchor);
	if (!*visible)
		return NULL;
	RetlGroupReaderOpen(scan->reader, &scan->group->entry);
	for (AttrNumber attnum = 1; attnum <= tupdesc->natts; attnum++)
	{
		char	   *problem;

		if (TupleDescAttr(tupdesc, attnum - 1)->attisdropped ||
			(scan->columns != NULL && !bms_is_member(attnum, scan->columns)))
			continue;
		problem = RetlGroupReaderVerifyColumn(scan->reader, attnum);
		if (problem != NULL)
			return psprintf("column \"%s\": %s",
							NameStr(TupleDescAttr(tupdesc, attnum - 1)->attname), problem);
	}
	return NULL;
}

/*
 * Give up the reader: one that has raised an error cannot be used again.
 */
static void
RenewReader(RetlTableScan *scan)
{
	MemoryContext oldContext = MemoryContextSwitchTo(scan->context);

	RetlGroupReaderFree(scan->reader);
	scan->reader = RetlGroupReaderCreate(scan->rel, scan->strategy, &scan->stats.read);
	MemoryContextSwitchTo(oldContext);
}

/*
 * For retldb.skip_damaged_groups: is the current group sound, and visible?
 * Errors that are raised by damage count, too, and are caught in a
 * subtransaction.
 */
static bool
GroupIsSound(RetlTableScan *scan, bool *visible)
{
	MemoryContext oldContext = CurrentMemoryContext;
	ResourceOwner oldOwner = CurrentResourceOwner;
	char	   *problem = NULL;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(oldContext);
	PG_TRY();
	{
		problem = CheckGroup(scan, visible);
		ReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(oldContext);
		CurrentResourceOwner = oldOwner;
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(oldContext);
		error = CopyErrorData();
		if (error->sqlerrcode != ERRCODE_DATA_CORRUPTED)
			PG_RE_THROW();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(oldContext);
		CurrentResourceOwner = oldOwner;
		problem = error->message;
		RenewReader(scan);
	}
	PG_END_TRY();

	if (problem == NULL)
		return true;
	ereport(WARNING,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("skipping damaged row group %llu of table \"%s\"",
					(unsigned long long) scan->group->entry.groupId,
					RelationGetRelationName(scan->rel)),
			 errdetail("Found: %s.", problem)));
	scan->stats.groupsDamaged++;
	return false;
}

/* ---------------------------------------------------------------------
 * Opening items
 * ---------------------------------------------------------------------
 */

/*
 * Block of the row store by its number in the row store.
 */
static BlockNumber
RowStoreBlock(RetlTableScan *scan, uint64 n)
{
	int			low = 0;
	int			high = scan->runCount - 1;

	while (low < high)
	{
		int			middle = (low + high + 1) / 2;

		if (scan->runsBefore[middle] <= n)
			low = middle;
		else
			high = middle - 1;
	}
	return scan->runs[low].start + (n - scan->runsBefore[low]);
}

/*
 * Leave out the rows of the open block that are outside the range of TIDs.
 */
static void
ClipBlock(RetlTableScan *scan)
{
	while (scan->firstRow < scan->endRow &&
		   ItemPointerCompare(&RetlRowStorePageGetTuple(&scan->page, scan->firstRow)->t_self,
							  &scan->minTid) < 0)
		scan->firstRow++;
	while (scan->endRow > scan->firstRow &&
		   ItemPointerCompare(&RetlRowStorePageGetTuple(&scan->page, scan->endRow - 1)->t_self,
							  &scan->maxTid) > 0)
		scan->endRow--;
}

/*
 * Open a block of the row store.  Returns the number of its visible rows.
 */
static int64
OpenBlock(RetlTableScan *scan, BlockNumber block)
{
	RetlRowStorePageRead(&scan->page, block);
	scan->state = CURSOR_IN_ROW_STORE;
	scan->firstRow = 0;
	scan->endRow = scan->page.tupleCount;
	if (scan->hasTidRange)
		ClipBlock(scan);
	return scan->page.tupleCount;
}

/*
 * Leave out the rows of the open group that are outside the range of TIDs.
 */
static void
ClipGroup(RetlTableScan *scan)
{
	uint64		rowBase = scan->group->entry.rowBase;

	if (scan->minRowNumber > rowBase)
		scan->firstRow = Min(scan->minRowNumber - rowBase, (uint64) scan->groupRows);
	if (scan->endRowNumber < rowBase + scan->groupRows)
		scan->endRow = scan->endRowNumber > rowBase ? scan->endRowNumber - rowBase : 0;
}

/*
 * Is the group visible?  For an MVCC snapshot that stays as it is, so rescans
 * need not look at the anchors of groups again; those that are then read do,
 * for the anchor's header.
 */
static bool
GroupIsVisible(RetlTableScan *scan, RetlGroup *group)
{
	uint8	   *known = scan->visibility == NULL ? NULL :
		&scan->visibility[group - scan->directory->groups];
	bool		visible;

	scan->anchorIsRead = false;
	if (known != NULL && *known != VISIBILITY_UNKNOWN)
		return *known == VISIBILITY_YES;
	visible = RetlAnchorIsVisible(scan->rel, &group->entry, scan->snapshot, scan->anchor);
	scan->anchorIsRead = true;
	if (known != NULL)
		*known = visible ? VISIBILITY_YES : VISIBILITY_NO;
	return visible;
}

/*
 * The group that is going to be read after this one, as far as one can tell now:
 * in a parallel scan, that nobody has claimed yet.
 */
static RetlGroup *
FollowingGroup(RetlTableScan *scan, RetlGroup *group)
{
	uint64		slot;

	if (scan->parallel == NULL)
		return group + 1 < scan->directory->groups + scan->directory->groupCount ? group + 1 : NULL;
	for (slot = pg_atomic_read_u64(&scan->parallel->nextSlot);
		 slot < scan->parallel->slotCount; slot++)
	{
		if (scan->groupOfSlot[slot] != NULL)
			return scan->groupOfSlot[slot];
	}
	return NULL;
}

/*
 * While a group is being read, the footer of the next one may be fetched, unless
 * zone maps tell that it is not needed.
 */
static void
PrefetchNextGroup(RetlTableScan *scan, RetlGroup *group)
{
	RetlGroup  *next = FollowingGroup(scan, group);
	bool		skip;

	if (next == NULL || next->entry.state != RETL_GROUP_COMPLETE ||
		RetlPrefetchDistance(scan->rel) == 0)
		return;
	scan->group = next;
	skip = SkipGroup(scan);
	scan->group = group;
	if (!skip)
		RetlGroupPrefetchFooter(scan->rel, &next->entry);
}

/*
 * Without a filter all of the group's columns that the caller named are needed
 * from their first row on: have all of them begin to come, instead of one after
 * the other.
 */
static void
PrefetchColumns(RetlTableScan *scan)
{
	int			natts = RelationGetDescr(scan->rel)->natts;

	if (scan->filter != NULL || scan->conditions != NULL || scan->runtime != NULL ||
		scan->columns == NULL)
		return;
	for (AttrNumber attnum = 1; attnum <= natts; attnum++)
	{
		if (bms_is_member(attnum, scan->columns))
			RetlGroupReaderPrefetch(scan->reader, attnum);
	}
}

/*
 * Find out which rows of the group, which is visible, are not there.  What an
 * MVCC snapshot does not see it never will, so this is done once; other
 * snapshots are asked for each row, see RowIsThere.
 */
static void
FindHiddenRows(RetlTableScan *scan, const RetlGroup *group)
{
	scan->hides = false;
	if (group->entry.stubMapRoot == RETLDB_NO_BLOCK || !IsMVCCSnapshot(scan->snapshot))
		return;
	if (scan->hidden.groupId != group->entry.groupId)
		RetlHiddenRowsRead(&scan->hidden, scan->rel, &group->entry, scan->snapshot);
	scan->hides = scan->hidden.count > 0;
}

/*
 * Is a row of the open group there for a snapshot that is not MVCC?  The group
 * itself is asked again, too: a dirty snapshot tells who is at work on the row.
 */
static bool
RowIsThere(RetlTableScan *scan, uint32 row)
{
	if (scan->snapshot->snapshot_type == SNAPSHOT_DIRTY)
	{
		scan->snapshot->xmin = scan->snapshot->xmax = InvalidTransactionId;
		scan->snapshot->speculativeToken = 0;
	}
	return RetlDirectoryReadStubMapRoot(scan->rel, scan->group) &&
		RetlAnchorIsVisible(scan->rel, &scan->group->entry, scan->snapshot, scan->anchor) &&
		RetlRowIsVisible(scan->rel, &scan->group->entry, row, scan->snapshot);
}

/*
 * Open a row group.  Returns the number of its rows, 0 if it is not to be read.
 */
static int64
OpenGroup(RetlTableScan *scan, RetlGroup *group)
{
	uint64		vectors;
	bool		visible;

	scan->state = CURSOR_IN_GROUP;
	scan->group = group;
	scan->checkedVector = -1;
	scan->countedVector = -1;
	scan->selects = HasConditions(scan);
	scan->stamp++;

	if (group->entry.state != RETL_GROUP_COMPLETE)
		return 0;
	scan->anchorIsRead = true;
	if (!retldb_skip_damaged_groups || IsInParallelMode())
		visible = GroupIsVisible(scan, group);
	else if (!GroupIsSound(scan, &visible))
		return 0;
	if (!visible)
		return 0;

	CHECK_FOR_INTERRUPTS();
	vectors = (group->entry.rowCount + group->entry.vectorRows - 1) / group->entry.vectorRows;
	scan->stats.groupsTotal++;
	scan->stats.vectorsTotal += vectors;
	if (SkipGroup(scan))
	{
		scan->stats.groupsSkipped++;
		scan->stats.vectorsSkipped += vectors;
		return 0;
	}

	if (!scan->anchorIsRead)
		(void) RetlAnchorIsVisible(scan->rel, &group->entry, scan->snapshot, scan->anchor);
	FindHiddenRows(scan, group);
	RetlGroupReaderOpen(scan->reader, &group->entry);
	if (RetlGroupReaderIsCompacted(scan->reader))
		RetlAnchorSetInserter(scan->anchor, &group->entry);
	if (SkipGroupByBlooms(scan))
	{
		scan->stats.groupsSkipped++;
		scan->stats.bloomGroups++;
		scan->stats.vectorsSkipped += vectors;
		return 0;
	}
	PrefetchColumns(scan);
	PrefetchNextGroup(scan, group);
	scan->groupRows = RetlGroupReaderRowCount(scan->reader);
	scan->vectorShift = pg_leftmost_one_pos32(RetlGroupReaderVectorRows(scan->reader));
	scan->firstRow = 0;
	scan->endRow = scan->groupRows;
	if (scan->hasTidRange)
		ClipGroup(scan);
	return scan->groupRows;
}

/*
 * Have blocks [start, end) begin to come, those in memory excepted.
 */
static void
PrefetchBlocks(RetlTableScan *scan, BlockNumber start, BlockNumber end)
{
	if (RetlPrefetchDistance(scan->rel) == 0)
		return;
	for (BlockNumber block = start; block < end; block++)
		(void) PrefetchBuffer(scan->rel, MAIN_FORKNUM, block);
}

/*
 * The scan turns to a block of the row store, by its number there.  If a short
 * run begins with it, all of the run will be needed, unless TIDs are given.
 */
static void
PrefetchRun(RetlTableScan *scan, int64 n)
{
	RetlRun    *run;

	if (scan->hasTidRange || (n != 0 && n != (int64) scan->runsBefore[scan->runNext]))
		return;
	if (n == 0)
		scan->runNext = 0;
	run = &scan->runs[scan->runNext++];
	if (run->length <= PREFETCH_RUN)
		PrefetchBlocks(scan, run->start, run->start + run->length);
}

/*
 * Open an item by number; returns its rows.
 */
static int64
OpenItem(RetlTableScan *scan, int64 item)
{
	uint64		blocks = scan->runsBefore[scan->runCount];

	if (item < blocks)
	{
		PrefetchRun(scan, item);
		return OpenBlock(scan, RowStoreBlock(scan, item));
	}
	RetlRowStorePageRelease(&scan->page);
	return OpenGroup(scan, &scan->directory->groups[item - blocks]);
}

/*
 * May an item have rows in the range of TIDs?
 */
static bool
ItemInTidRange(RetlTableScan *scan, int64 item)
{
	uint64		blocks = scan->runsBefore[scan->runCount];
	const RetlGroupEntry *entry;

	if (item < blocks)
	{
		BlockNumber block = RowStoreBlock(scan, item);

		return block >= ItemPointerGetBlockNumberNoCheck(&scan->minTid) &&
			block <= ItemPointerGetBlockNumberNoCheck(&scan->maxTid);
	}
	entry = &scan->directory->groups[item - blocks].entry;
	return entry->rowBase < scan->endRowNumber &&
		entry->rowBase + entry->rowCount > scan->minRowNumber;
}

/*
 * Open the next or previous item that has rows.  False at the end of the scan.
 */
static bool
StepItem(RetlTableScan *scan, int step)
{
	int64		count = scan->runsBefore[scan->runCount] + scan->directory->groupCount;
	int64		item;

	if (scan->state == CURSOR_FRESH)
		scan->state = step > 0 ? CURSOR_BEFORE : CURSOR_AFTER;
	if (scan->state == CURSOR_BEFORE)
		item = step > 0 ? 0 : -1;
	else if (scan->state == CURSOR_AFTER)
		item = step > 0 ? count : count - 1;
	else
		item = scan->item + step;

	for (; item >= 0 && item < count; item += step)
	{
		int64		rows;

		if (scan->hasTidRange && !ItemInTidRange(scan, item))
			continue;
		rows = OpenItem(scan, item);
		if (rows > 0)
		{
			scan->item = item;
			scan->rowInItem = step > 0 ? scan->firstRow - 1 : scan->endRow;
			return true;
		}
	}
	RetlRowStorePageRelease(&scan->page);
	scan->state = step > 0 ? CURSOR_AFTER : CURSOR_BEFORE;
	return false;
}

/*
 * Is this block among those that the row store may have?
 */
static bool
InRowStore(RetlTableScan *scan, BlockNumber block)
{
	for (int i = 0; i < scan->runCount; i++)
	{
		if (block < scan->runs[i].start)
			return false;
		if (block < scan->runs[i].start + scan->runs[i].length)
			return true;
	}
	return false;
}

/*
 * Have the blocks of a claimed stretch begin to come that the row store has.
 */
static void
PrefetchStretch(RetlTableScan *scan)
{
	for (int i = 0; i < scan->runCount; i++)
	{
		const RetlRun *run = &scan->runs[i];

		PrefetchBlocks(scan, Max(run->start, scan->stretchNext),
					   Min(run->start + run->length, scan->stretchEnd));
	}
}

/*
 * Claim and open the next item of a parallel scan.
 */
static bool
ClaimItem(RetlTableScan *scan)
{
	RetlParallelScan *parallel = scan->parallel;

	scan->rowInItem = -1;
	for (;;)
	{
		uint64		claimed;

		while (scan->stretchNext < scan->stretchEnd)
		{
			BlockNumber block = scan->stretchNext++;

			if (InRowStore(scan, block) && OpenBlock(scan, block) > 0)
				return true;
		}
		claimed = pg_atomic_read_u64(&parallel->nextBlock);
		if (claimed < parallel->nblocks)
			claimed = pg_atomic_fetch_add_u64(&parallel->nextBlock, PARALLEL_STRETCH);
		if (claimed >= parallel->nblocks)
			break;
		scan->stretchNext = claimed;
		scan->stretchEnd = Min(claimed + PARALLEL_STRETCH, parallel->nblocks);
		PrefetchStretch(scan);
	}

	RetlRowStorePageRelease(&scan->page);
	for (;;)
	{
		uint64		slot = pg_atomic_fetch_add_u64(&parallel->nextSlot, 1);

		if (slot >= parallel->slotCount)
			break;
		if (scan->groupOfSlot[slot] != NULL && OpenGroup(scan, scan->groupOfSlot[slot]) > 0)
			return true;
	}
	scan->state = CURSOR_AFTER;
	return false;
}

/* ---------------------------------------------------------------------
 * Rows
 * ---------------------------------------------------------------------
 */

/*
 * Make a row of the open block the current one.
 */
static void
SetPageRow(RetlTableScan *scan, int64 index)
{
	RetlScanRow *row = &scan->row;

	scan->rowInItem = index;
	scan->stats.rowStoreRows++;
	row->inRowStore = true;
	row->tuple = RetlRowStorePageGetTuple(&scan->page, index);
	row->buffer = scan->page.buffer;
	row->tid = row->tuple->t_self;
}

/*
 * Move to the next row within the open block of the row store.
 */
static bool
StepInPage(RetlTableScan *scan, int step)
{
	int64		next = scan->rowInItem + step;

	if (next < scan->firstRow || next >= scan->endRow)
		return false;
	SetPageRow(scan, next);
	return true;
}

/*
 * The selected row of a vector that is nearest to "row" (of the group) in a
 * direction, or one outside the vector if there is none.
 */
static int64
NearestSelected(RetlTableScan *scan, uint32 vectorIndex, int64 row, int step)
{
	int64		first = (int64) vectorIndex << scan->vectorShift;
	int64		vectorRow = row - first;

	if (RetlIsSelected(scan->selection.words, (uint32) vectorRow))
		return row;
	if (step < 0)
		return first + RetlSelectionPrevious(&scan->selection, (int32) vectorRow);
	vectorRow = RetlSelectionNext(&scan->selection, (uint32) vectorRow);
	return first + (vectorRow < scan->selection.rowCount ? vectorRow :
					INT64CONST(1) << scan->vectorShift);
}

/*
 * The next row to return within the open group, from "row" on in a direction,
 * or -1: vectors in which no row can match, and rows that fail the conditions,
 * are passed over.
 */
static int64
FindRow(RetlTableScan *scan, int64 row, int step)
{
	while (row >= scan->firstRow && row < scan->endRow)
	{
		uint32		vectorIndex = row >> scan->vectorShift;
		int64		first = (int64) vectorIndex << scan->vectorShift;

		if (SkipVector(scan, vectorIndex))
			row = step > 0 ? first + (INT64CONST(1) << scan->vectorShift) : first - 1;
		else if (!scan->selects && !scan->hides)
			return row;
		else
		{
			row = NearestSelected(scan, vectorIndex, row, step);
			if (row >> scan->vectorShift == vectorIndex &&
				row >= scan->firstRow && row < scan->endRow)
				return row;
		}
	}
	return -1;
}

/*
 * Make a row of the open group the current one.
 */
static inline void
SetGroupRow(RetlTableScan *scan, int64 index)
{
	uint32		vectorIndex = index >> scan->vectorShift;
	RetlScanRow *row = &scan->row;

	if (row->inRowStore || row->vectorIndex != vectorIndex)
		scan->stamp++;
	scan->rowInItem = index;
	row->inRowStore = false;
	row->vectorIndex = vectorIndex;
	row->vectorRow = index - ((int64) vectorIndex << scan->vectorShift);
	row->anchor = scan->anchor;
	RetlTidFromRowNumber(&row->tid, scan->group->entry.rowBase + index);
}

/*
 * Move to the next row within the open group.
 */
static bool
StepInGroup(RetlTableScan *scan, int step)
{
	int64		next = FindRow(scan, scan->rowInItem + step, step);

	if (unlikely(!IsMVCCSnapshot(scan->snapshot)))
	{
		while (next >= 0 && !RowIsThere(scan, next))
			next = FindRow(scan, next + step, step);
	}
	if (next < 0)
		return false;
	SetGroupRow(scan, next);
	return true;
}

/*
 * Go to the next row in a direction; NULL at the end.
 */
RetlScanRow *
RetlTableScanNext(RetlTableScan *scan, ScanDirection direction)
{
	int			step = ScanDirectionIsBackward(direction) ? -1 : 1;

	Assert(scan->parallel == NULL || step > 0);

	if (!scan->started)
		StartScan(scan);
	for (;;)
	{
		if (scan->state == CURSOR_IN_GROUP && StepInGroup(scan, step))
			return &scan->row;
		if (scan->state == CURSOR_IN_ROW_STORE && StepInPage(scan, step))
			return &scan->row;
		if (scan->parallel != NULL
			? scan->state == CURSOR_AFTER || !ClaimItem(scan)
			: !StepItem(scan, step))
			return NULL;
	}
}

/*
 * The vector of a column that the current row of a row group is in; with
 * conditions, only rows that pass them have a value there.
 */
const RetlVector *
RetlTableScanGetVector(RetlTableScan *scan, AttrNumber attnum)
{
	int			i = attnum - 1;

	Assert(scan->state == CURSOR_IN_GROUP && !scan->row.inRowStore);

	if (scan->vectorStamps[i] != scan->stamp)
	{
		uint32		index = scan->row.vectorIndex;

		scan->vectors[i] = !scan->selects ?
			RetlGroupReaderGetVector(scan->reader, attnum, index) :
			RetlGroupReaderGetSelected(scan->reader, attnum, index, &scan->selection);
		scan->vectorStamps[i] = scan->stamp;
	}
	return scan->vectors[i];
}

/* ---------------------------------------------------------------------
 * Whole rows
 * ---------------------------------------------------------------------
 */

/* Make room for rows of so many columns. */
static void
AllocateBatch(RetlTableScan *scan, int natts)
{
	RowBatch   *batch = &scan->batch;

	batch->natts = natts;
	batch->capacity = Max(Min(BATCH_VALUES / Max(natts, 1), BATCH_ROWS), 1);
	batch->values = MemoryContextAllocHuge(scan->context,
										   sizeof(Datum) * batch->capacity * Max(natts, 1));
	batch->isnull = MemoryContextAllocHuge(scan->context,
										   sizeof(bool) * batch->capacity * Max(natts, 1));
}

/* Put values of a vector, of TYPE, into a column of the batch. */
#define SPREAD_VALUES(TYPE, TO_DATUM) \
	do { \
		const TYPE *from = (const TYPE *) vector->fixed + batch->firstRow; \
		for (uint32 row = 0; row < rowCount; row++) \
			values[row * natts] = TO_DATUM(from[row]); \
	} while (0)

/* Put values of a vector into a column of the batch; null rows get any value. */
static void
SpreadVector(RowBatch *batch, const RetlVector *vector, Datum *values)
{
	const Size	natts = batch->natts;
	const uint32 rowCount = batch->rowCount;

	if (vector->pointers != NULL)
	{
		char	   *const *from = vector->pointers + batch->firstRow;

		for (uint32 row = 0; row < rowCount; row++)
		{
			/* values of all columns together may be too many for the nearest caches */
			__builtin_prefetch(from[row]);
			values[row * natts] = PointerGetDatum(from[row]);
		}
	}
	else if (!vector->byValue)
	{
		char	   *from = vector->fixed + (Size) batch->firstRow * vector->typeLength;

		for (uint32 row = 0; row < rowCount; row++)
			values[row * natts] = PointerGetDatum(from + (Size) row * vector->typeLength);
	}
	else if (vector->typeLength == sizeof(Datum))
		SPREAD_VALUES(Datum, (Datum));
	else if (vector->typeLength == sizeof(int32))
		SPREAD_VALUES(int32, Int32GetDatum);
	else if (vector->typeLength == sizeof(int16))
		SPREAD_VALUES(int16, Int16GetDatum);
	else
		SPREAD_VALUES(char, CharGetDatum);
}

/* Fill a column of the batch. */
static void
FillBatchColumn(RetlTableScan *scan, int column, bool dropped)
{
	RowBatch   *batch = &scan->batch;
	const Size	natts = batch->natts;
	const uint32 rowCount = batch->rowCount;
	Datum	   *values = batch->values + column;
	bool	   *isnull = batch->isnull + column;
	const RetlVector *vector;

	if (dropped)
	{
		for (uint32 row = 0; row < rowCount; row++)
		{
			values[row * natts] = (Datum) 0;
			isnull[row * natts] = true;
		}
		return;
	}
	vector = RetlTableScanGetVector(scan, column + 1);
	SpreadVector(batch, vector, values);
	if (vector->nulls != NULL)
	{
		const bool *from = vector->nulls + batch->firstRow;

		for (uint32 row = 0; row < rowCount; row++)
			isnull[row * natts] = from[row];
	}
	else
	{
		for (uint32 row = 0; row < rowCount; row++)
			isnull[row * natts] = false;
	}
}

/* Make the batch one that has the current row, with its first "to" columns. */
static void
FillBatch(RetlTableScan *scan, TupleDesc tupdesc, int to)
{
	RowBatch   *batch = &scan->batch;
	uint32		row = scan->row.vectorRow;

	if (batch->values == NULL)
		AllocateBatch(scan, tupdesc->natts);
	Assert(batch->natts == tupdesc->natts);
	if (batch->stamp != scan->stamp || row - batch->firstRow >= batch->rowCount)
	{
		uint32		vectorRows = Min(1U << scan->vectorShift,
									 scan->groupRows - (scan->row.vectorIndex << scan->vectorShift));

		batch->columnCount = 0;
		batch->firstRow = row / batch->capacity * batch->capacity;
		batch->rowCount = Min(batch->capacity, vectorRows - batch->firstRow);
		batch->stamp = scan->stamp;
	}
	for (; batch->columnCount < to; batch->columnCount++)
		FillBatchColumn(scan, batch->columnCount,
						TupleDescAttr(tupdesc, batch->columnCount)->attisdropped);
}

/*
 * Columns [from, to) of the current row, which is one of a row group; "tupdesc"
 * is that of the rows, the same in all calls for a scan.  Dropped columns are
 * null.
 */
void
RetlTableScanGetColumns(RetlTableScan *scan, TupleDesc tupdesc, int from, int to,
						Datum *values, bool *isnull)
{
	RowBatch   *batch = &scan->batch;
	uint32		row = scan->row.vectorRow;
	Size		start;

	Assert(scan->state == CURSOR_IN_GROUP && !scan->row.inRowStore);
	Assert(scan->conditions == NULL && to <= tupdesc->natts);

	if (batch->stamp != scan->stamp || row - batch->firstRow >= batch->rowCount ||
		batch->columnCount < to)
		FillBatch(scan, tupdesc, to);
	start = (Size) (row - batch->firstRow) * batch->natts + from;
	memcpy(values + from, batch->values + start, sizeof(Datum) * (to - from));
	memcpy(isnull + from, batch->isnull + start, sizeof(bool) * (to - from));
}

/* ---------------------------------------------------------------------
 * Sampling
 * ---------------------------------------------------------------------
 */

/*
 * How many units there are.  Groups that the snapshot does not see have theirs,
 * too, as blocks have that are all dead.
 */
uint64
RetlTableScanCountUnits(RetlTableScan *scan)
{
	RetlDirectory *directory;

	if (!scan->started)
		StartScan(scan);
	directory = scan->directory;
	if (scan->unitsBefore == NULL)
	{
		scan->unitsBefore = MemoryContextAlloc(scan->startContext,
											   sizeof(uint64) * (directory->groupCount + 1));
		scan->unitsBefore[0] = 0;
		for (int i = 0; i < directory->groupCount; i++)
		{
			const RetlGroupEntry *entry = &directory->groups[i].entry;
			uint32		rows = entry->state == RETL_GROUP_COMPLETE ? entry->rowCount : 0;

			scan->unitsBefore[i + 1] = scan->unitsBefore[i] +
				(rows + RETLDB_ROWS_PER_BLOCK - 1) / RETLDB_ROWS_PER_BLOCK;
		}
	}
	return scan->runsBefore[scan->runCount] + scan->unitsBefore[directory->groupCount];
}

/*
 * The group that has a unit, counted from the first one of all groups.
 */
static int
GroupOfUnit(RetlTableScan *scan, uint64 unit)
{
	int			low = 0;
	int			high = scan->directory->groupCount - 1;

	while (low < high)
	{
		int			middle = (low + high + 1) / 2;

		if (scan->unitsBefore[middle] <= unit)
			low = middle;
		else
			high = middle - 1;
	}
	return low;
}

/*
 * Turn to a unit, one of those counted.
 */
uint32
RetlTableScanOpenUnit(RetlTableScan *scan, uint64 unit, BlockNumber *block)
{
	uint64		blocks = scan->runsBefore[scan->runCount];
	int			index;
	int64		item;
	RetlGroup  *group;

	if (unit < blocks)
	{
		*block = RowStoreBlock(scan, unit);
		scan->openUnitItem = -1;
		(void) OpenBlock(scan, *block);
		return PageGetMaxOffsetNumber(BufferGetPage(scan->page.buffer));
	}

	RetlRowStorePageRelease(&scan->page);
	index = GroupOfUnit(scan, unit - blocks);
	item = blocks + index;
	group = &scan->directory->groups[index];
	scan->unitFirstRow = (unit - blocks - scan->unitsBefore[index]) * RETLDB_ROWS_PER_BLOCK;
	*block = RETLDB_FIRST_ROW_BLOCK +
		(BlockNumber) ((group->entry.rowBase + scan->unitFirstRow) / RETLDB_ROWS_PER_BLOCK);

	/* the last one's group is often this one's, too */
	if (scan->openUnitItem != item)
	{
		scan->openUnitItem = item;
		scan->endRow = 0;
		(void) OpenGroup(scan, group);
	}
	return scan->endRow > scan->unitFirstRow ?
		Min(scan->endRow - scan->unitFirstRow, RETLDB_ROWS_PER_BLOCK) : 0;
}

/*
 * The row at an offset of the open unit.
 */
RetlScanRow *
RetlTableScanGetUnitRow(RetlTableScan *scan, OffsetNumber offset)
{
	if (scan->state == CURSOR_IN_GROUP)
	{
		uint32		index = scan->unitFirstRow + offset - 1;

		if (scan->hides ? RetlRowIsHidden(&scan->hidden, index) :
			!IsMVCCSnapshot(scan->snapshot) && !RowIsThere(scan, index))
			return NULL;
		SetGroupRow(scan, index);
		return &scan->row;
	}
	for (int i = 0; i < scan->page.tupleCount; i++)
	{
		if (scan->page.offsets[i] >= offset)
		{
			if (scan->page.offsets[i] > offset)
				break;
			SetPageRow(scan, i);
			return &scan->row;
		}
	}
	return NULL;
}

/* ---------------------------------------------------------------------
 * Parallel scans
 * ---------------------------------------------------------------------
 */

/*
 * Fill the shared state; the snapshot must have been taken.
 */
void
RetlParallelScanInit(RetlParallelScan *parallel, Relation rel)
{
	RetlDirectory *directory = RetlDirectoryRead(rel);

	parallel->slotCount = directory->pageCount * RETLDB_DIRECTORY_SLOTS;
	parallel->maxGroupId = directory->header->nextGroupId - 1;
	parallel->nblocks = RelationGetNumberOfBlocks(rel);
	pg_atomic_init_u64(&parallel->nextBlock, 0);
	pg_atomic_init_u64(&parallel->nextSlot, 0);
}

void
RetlParallelScanReinit(RetlParallelScan *parallel)
{
	pg_atomic_write_u64(&parallel->nextBlock, 0);
	pg_atomic_write_u64(&parallel->nextSlot, 0);
}
