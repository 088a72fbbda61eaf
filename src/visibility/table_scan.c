/*-------------------------------------------------------------------------
 *
 * table_scan.c
 *	  The scan of a whole table: row store first, then the row groups.
 *
 * The scan is a cursor over "items": the blocks of the row store, in order,
 * then the row groups by row number.  An open item has rows; the cursor moves
 * over them in either direction and opens the next item where one ends.  A
 * parallel scan claims its items from shared state instead, forward only
 * (scan_claim.c).
 *
 * The directory is read when the scan starts, after the snapshot was taken:
 * every group that the snapshot can see is in it.  A dirty snapshot sees what
 * comes later, too: for it the directory is read again after the row store, lest
 * rows be missed that compaction moves meanwhile.
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

#include "base/settings.h"
#include "storage/directory.h"
#include "storage/group_bytes.h"
#include "visibility/anchor.h"
#include "visibility/bare_pages.h"
#include "visibility/row_move.h"
#include "visibility/table_scan_state.h"
#include "visibility/touch.h"
#include "visibility/unseen_moves.h"

/*
 * Runs of the row store up to this length are asked for in one go; in longer
 * ones the kernel reads ahead, which for short ones would go far beyond them.
 */
#define PREFETCH_RUN		256

/* A row store of fewer blocks is read one by one. */
#define STREAM_BLOCKS		8

/* Bytes that the columns of a scan at its end may take. */
#define ROOM_AT_END			(256 * 1024)

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
 * Read the directory; the cursor is before the first row.
 */
void
RetlScanStart(RetlTableScan *scan)
{
	MemoryContext oldContext;

	MemoryContextReset(scan->startContext);
	oldContext = MemoryContextSwitchTo(scan->startContext);

	/* rows by place are locked one by one */
	if (IsMVCCSnapshot(scan->snapshot) && !scan->byPlace)
		PredicateLockRelation(scan->rel, scan->snapshot);

	scan->directory = RetlDirectoryRead(scan->rel);
	if (!retldb_skip_damaged_groups)
	{
		RetlGroupReaderUseCache(scan->reader, scan->directory->header->incarnation,
								scan->strategy == NULL);
		RetlGroupReaderUseStreams(scan->reader, !scan->byPlace);
	}
	scan->nblocks = RelationGetNumberOfBlocks(scan->rel);
	if (scan->parallel != NULL)
		scan->nblocks = scan->parallel->nblocks;
	if (!scan->byPlace)
	{
		scan->runs = RetlRowStoreRuns(scan->rel, scan->directory, scan->nblocks, &scan->runCount);
		scan->runs = RetlBarePagesLeaveOut(scan->rel, scan->snapshot, scan->directory, scan->runs,
										   &scan->runCount);
		CountRuns(scan);
	}
	if (scan->parallel != NULL)
		RetlScanArrangeSlots(scan);
	scan->visibility = NULL;
	if (IsMVCCSnapshot(scan->snapshot))
		scan->visibility = palloc0(Max(scan->directory->groupCount, 1));
	scan->zones = palloc0(sizeof(RetlZoneEntry **) * Max(RelationGetDescr(scan->rel)->natts, 1));
	scan->unitsBefore = NULL;
	scan->openUnitItem = -1;
	scan->placeGroup = NULL;
	scan->seen = NULL;
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
 * See table_scan.h.
 */
void
RetlTableScanSetPrepare(RetlTableScan *scan, void (*prepare) (void *arg), void *arg)
{
	scan->prepare = prepare;
	scan->prepareArg = arg;
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

/* The row store is not read on. */
static void
StopBlocks(RetlTableScan *scan)
{
	RetlPageStreamEnd(scan->blocks);
	scan->blocks = NULL;
}

/*
 * Start over.  What an MVCC snapshot sees does not change, so the directory
 * need not be read again for it.
 */
void
RetlTableScanRescan(RetlTableScan *scan)
{
	RetlRowStorePageRelease(&scan->page);
	StopBlocks(scan);
	if (!IsMVCCSnapshot(scan->snapshot))
		scan->started = false;
	scan->stretchNext = scan->stretchEnd = 0;
	scan->state = CURSOR_FRESH;
	scan->openUnitItem = -1;
	scan->stamp++;
	scan->rescanned = true;
}

void
RetlTableScanEnd(RetlTableScan *scan)
{
	RetlRowStorePageRelease(&scan->page);
	StopBlocks(scan);
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
 * Opening items
 * ---------------------------------------------------------------------
 */

/*
 * Block of the row store by its number in the row store.
 */
BlockNumber
RetlScanRowStoreBlock(RetlTableScan *scan, uint64 n)
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
 * Open a block of the row store.  Returns the number of its visible rows, but for those that
 * conditions turn away.  The buffer is the block's, pinned, or invalid.
 */
static int64
OpenBlock(RetlTableScan *scan, BlockNumber block, Buffer buffer)
{
	RetlRowStorePageRead(&scan->page, block, buffer);
	if (scan->filtersStore && !scan->hasTidRange)
		RetlScanFilterPage(scan);
	scan->state = CURSOR_IN_ROW_STORE;
	scan->firstRow = 0;
	scan->endRow = scan->page.tupleCount;
	if (scan->hasTidRange)
		RetlScanClipBlock(scan);
	return scan->page.tupleCount;
}

/* Open a block of the row store that was not read yet. */
int64
RetlScanOpenBlock(RetlTableScan *scan, BlockNumber block)
{
	return OpenBlock(scan, block, InvalidBuffer);
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
	if (scan->indexRows != NULL)
		return RetlIndexRowsRead(scan->indexRows, scan->rel, &group->entry);
	if (known != NULL && *known != VISIBILITY_UNKNOWN)
		return *known == VISIBILITY_YES;
	visible = RetlAnchorIsVisible(scan->rel, &group->entry, scan->snapshot, scan->anchor);
	scan->anchorIsRead = true;
	if (known != NULL)
		*known = visible ? VISIBILITY_YES : VISIBILITY_NO;
	return visible;
}

/*
 * The group that is going to be read after this one, as far as one can tell now.
 */
static RetlGroup *
FollowingGroup(RetlTableScan *scan, RetlGroup *group)
{
	if (scan->parallel != NULL)
		return RetlScanUnclaimedGroup(scan);
	return group + 1 < scan->directory->groups + scan->directory->groupCount ? group + 1 : NULL;
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
	skip = RetlScanSkipGroup(scan);
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
 * May the group, which is visible and whose anchor has been read, have rows that are not
 * there for an MVCC snapshot?
 */
bool
RetlScanMayHideRows(const RetlTableScan *scan, const RetlGroup *group)
{
	return IsMVCCSnapshot(scan->snapshot) &&
		(group->entry.stubMapRoot != RETLDB_NO_BLOCK ||
		 RetlOwnChangesMatterTo(scan->anchor, scan->snapshot));
}

/*
 * Find out which rows of the group, which is visible, are not there.  What an
 * MVCC snapshot does not see it never will, so this is done once; other
 * snapshots are asked for each row, see RetlScanRowIsThere.
 */
void
RetlScanFindHiddenRows(RetlTableScan *scan, const RetlGroup *group)
{
	if (scan->indexRows != NULL)
	{
		scan->hides = scan->indexRows->dead.count > 0;
		return;
	}
	scan->hides = false;
	if (!RetlScanMayHideRows(scan, group))
		return;
	if (scan->hidden.groupId != group->entry.groupId)
	{
		RetlHiddenRowsRead(&scan->hidden, scan->rel, &group->entry, scan->snapshot);
		if (unlikely(RetlOwnChangesMatterTo(scan->anchor, scan->snapshot)))
			RetlHideOwnChanges(&scan->hidden, scan->rel, &group->entry, scan->snapshot);
	}
	scan->hides = scan->hidden.count > 0;
}

/*
 * Is a row of the open group there for a snapshot that is not MVCC?  The group
 * itself is asked again, too: a dirty snapshot tells who is at work on the row.
 */
bool
RetlScanRowIsThere(RetlTableScan *scan, uint32 row)
{
	if (scan->snapshot->snapshot_type == SNAPSHOT_DIRTY)
	{
		scan->snapshot->xmin = scan->snapshot->xmax = InvalidTransactionId;
		scan->snapshot->speculativeToken = 0;
	}
	/* in this order: compaction gives a group its map before its end, which the anchor tells */
	return RetlAnchorIsVisible(scan->rel, &scan->group->entry, scan->snapshot, scan->anchor) &&
		RetlDirectoryReadStubMapRoot(scan->rel, scan->group) &&
		RetlRowIsVisible(scan->rel, &scan->group->entry, row, scan->snapshot);
}

/*
 * Of the open group, the rows of these vectors may be returned.
 */
static void
SetPart(RetlTableScan *scan, uint32 firstVector, uint32 endVector)
{
	scan->firstRow = (int64) firstVector << scan->vectorShift;
	scan->endRow = Min((int64) endVector << scan->vectorShift, (int64) scan->groupRows);
}

/*
 * Open a row group, or some of its vectors.  Returns the number of its rows, 0 if it is
 * not to be read.  A group counts with its first vector.
 */
int64
RetlScanOpenPart(RetlTableScan *scan, RetlGroup *group, uint32 firstVector, uint32 endVector)
{
	uint64		vectors = endVector - firstVector;
	uint64		groups = firstVector == 0 ? 1 : 0;
	bool		visible;

	scan->state = CURSOR_IN_GROUP;
	scan->group = group;
	scan->checkedVector = -1;
	scan->countedVector = -1;
	scan->selects = RetlScanHasConditions(scan);
	scan->stamp++;

	if (group->entry.state != RETL_GROUP_COMPLETE)
		return 0;
	scan->anchorIsRead = true;
	if (!retldb_skip_damaged_groups || IsInParallelMode())
		visible = GroupIsVisible(scan, group);
	else if (!RetlScanGroupIsSound(scan, &visible))
		return 0;
	if (!visible)
		return 0;
	/* its rows may have been moved, and changed there */
	if (!scan->byPlace && scan->indexRows == NULL && IsMVCCSnapshot(scan->snapshot))
		RetlCheckRewrittenGroup(scan->rel, &group->entry, scan->snapshot);

	CHECK_FOR_INTERRUPTS();
	if (scan->prepare != NULL)
		scan->prepare(scan->prepareArg);
	scan->stats.groupsTotal += groups;
	scan->stats.vectorsTotal += vectors;
	if (RetlScanSkipGroup(scan))
	{
		scan->stats.groupsSkipped += groups;
		scan->stats.vectorsSkipped += vectors;
		return 0;
	}

	if (!scan->anchorIsRead)
		(void) RetlAnchorIsVisible(scan->rel, &group->entry, scan->snapshot, scan->anchor);
	scan->hides = false;
	if (!scan->byPlace)
		RetlScanFindHiddenRows(scan, group);
	RetlGroupReaderOpen(scan->reader, &group->entry);
	if (RetlGroupReaderIsCompacted(scan->reader))
		RetlAnchorSetInserter(scan->anchor, &group->entry);
	if (RetlScanSkipGroupByBlooms(scan))
	{
		scan->stats.groupsSkipped += groups;
		scan->stats.bloomGroups += groups;
		scan->stats.vectorsSkipped += vectors;
		return 0;
	}
	if (!scan->byPlace)
	{
		PrefetchColumns(scan);
		PrefetchNextGroup(scan, group);
	}
	scan->groupRows = RetlGroupReaderRowCount(scan->reader);
	scan->vectorShift = pg_leftmost_one_pos32(RetlGroupReaderVectorRows(scan->reader));
	SetPart(scan, firstVector, endVector);
	if (scan->hasTidRange)
		RetlScanClipGroup(scan);
	return scan->groupRows;
}

/*
 * Go on with other vectors of the open group, of which rows are returned.
 */
void
RetlScanContinuePart(RetlTableScan *scan, uint32 firstVector, uint32 endVector)
{
	Assert(scan->state == CURSOR_IN_GROUP && !scan->hasTidRange);
	scan->selects = RetlScanHasConditions(scan);
	scan->stats.vectorsTotal += endVector - firstVector;
	SetPart(scan, firstVector, endVector);
}

/*
 * The vectors of a row group; none as long as it is being written.
 */
uint32
RetlScanGroupVectors(const RetlGroup *group)
{
	const RetlGroupEntry *entry = &group->entry;

	if (entry->state != RETL_GROUP_COMPLETE)
		return 0;
	return (entry->rowCount + entry->vectorRows - 1) / entry->vectorRows;
}

/*
 * Open a row group as a whole.
 */
int64
RetlScanOpenGroup(RetlTableScan *scan, RetlGroup *group)
{
	return RetlScanOpenPart(scan, group, 0, RetlScanGroupVectors(group));
}

/*
 * Have blocks [start, end) begin to come, those in memory excepted.
 */
void
RetlScanPrefetchBlocks(RetlTableScan *scan, BlockNumber start, BlockNumber end)
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
		RetlScanPrefetchBlocks(scan, run->start, run->start + run->length);
}

/* RetlPageBlock: a block of the row store by its number there. */
static BlockNumber
BlockOfNumber(void *source, uint64 n)
{
	return RetlScanRowStoreBlock(source, n);
}

/*
 * Read a block of the row store, by its number there; from the first one on they are
 * a stream.
 */
static int64
OpenBlockOfRun(RetlTableScan *scan, int64 n)
{
	uint64		blocks = scan->runsBefore[scan->runCount];
	Buffer		buffer = InvalidBuffer;

	PrefetchRun(scan, n);
	if (n == 0 && blocks >= STREAM_BLOCKS && !scan->hasTidRange)
	{
		MemoryContext oldContext = MemoryContextSwitchTo(scan->context);

		StopBlocks(scan);
		scan->blocks = RetlPageStreamBegin(scan->rel, scan->strategy, BlockOfNumber, scan,
										   0, blocks, false);
		MemoryContextSwitchTo(oldContext);
	}
	if (RetlPageStreamIsAt(scan->blocks, n))
		buffer = RetlPageStreamNext(scan->blocks);
	return OpenBlock(scan, RetlScanRowStoreBlock(scan, n), buffer);
}

/*
 * Open an item by number; returns its rows.
 */
static int64
OpenItem(RetlTableScan *scan, int64 item)
{
	uint64		blocks = scan->runsBefore[scan->runCount];

	if (item < blocks)
		return OpenBlockOfRun(scan, item);
	RetlRowStorePageRelease(&scan->page);
	StopBlocks(scan);
	return RetlScanOpenGroup(scan, &scan->directory->groups[item - blocks]);
}

/*
 * Leave those groups of a directory that were not COMPLETE in an older one.
 */
static void
LeaveNewGroups(RetlDirectory *directory, const RetlDirectory *older)
{
	int			left = 0;
	int			old = 0;

	for (int i = 0; i < directory->groupCount; i++)
	{
		const RetlGroupEntry *entry = &directory->groups[i].entry;
		bool		known = false;

		/* both are ordered by row numbers, which are not used again */
		while (old < older->groupCount && older->groups[old].entry.rowBase < entry->rowBase)
			old++;
		for (int j = old; j < older->groupCount && !known; j++)
		{
			if (older->groups[j].entry.rowBase != entry->rowBase)
				break;
			known = older->groups[j].entry.groupId == entry->groupId &&
				older->groups[j].entry.state == RETL_GROUP_COMPLETE;
		}
		if (entry->state == RETL_GROUP_COMPLETE && !known)
			directory->groups[left++] = directory->groups[i];
	}
	directory->groupCount = left;
}

/*
 * The row store, or then the groups, have been read with a dirty snapshot: see which
 * groups there are now, or have come since.  A row that was moved before it was looked
 * at is in one of them, which was COMPLETE before.
 */
static void
ReadGroupsAgain(RetlTableScan *scan, bool newOnes)
{
	MemoryContext oldContext = MemoryContextSwitchTo(scan->startContext);
	RetlDirectory *whole = RetlDirectoryRead(scan->rel);

	Assert(scan->visibility == NULL && scan->parallel == NULL);
	scan->directory = palloc(sizeof(RetlDirectory));
	*scan->directory = *whole;
	scan->directory->groups = palloc(sizeof(RetlGroup) * Max(whole->groupCount, 1));
	memcpy(scan->directory->groups, whole->groups, sizeof(RetlGroup) * whole->groupCount);
	if (newOnes)
		LeaveNewGroups(scan->directory, scan->seen);
	scan->seen = whole;
	scan->zones = palloc0(sizeof(RetlZoneEntry **) * Max(RelationGetDescr(scan->rel)->natts, 1));
	MemoryContextSwitchTo(oldContext);
}

/*
 * Open the next or previous item that has rows.  False at the end of the scan.
 */
static bool
StepItem(RetlTableScan *scan, int step)
{
	int64		blocks = scan->runsBefore[scan->runCount];
	int64		count = blocks + scan->directory->groupCount;
	int64		item;

	if (scan->state == CURSOR_FRESH)
		scan->state = step > 0 ? CURSOR_BEFORE : CURSOR_AFTER;
	if (scan->state == CURSOR_BEFORE)
		item = step > 0 ? 0 : -1;
	else if (scan->state == CURSOR_AFTER)
		item = step > 0 ? count : count - 1;
	else
		item = scan->item + step;

	for (;; item += step)
	{
		int64		rows;

		if (step > 0 && scan->snapshot->snapshot_type == SNAPSHOT_DIRTY &&
			((item == blocks && scan->seen == NULL) || (item == count && scan->seen != NULL)))
		{
			ReadGroupsAgain(scan, scan->seen != NULL);
			item = blocks;
			count = blocks + scan->directory->groupCount;
		}
		if (item < 0 || item >= count)
			break;
		if (scan->hasTidRange && !RetlScanItemInTidRange(scan, item))
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

/* ---------------------------------------------------------------------
 * Rows
 * ---------------------------------------------------------------------
 */

/*
 * Move to the next row within the open block of the row store.
 */
static bool
StepInPage(RetlTableScan *scan, int step)
{
	int64		next = scan->rowInItem + step;

	if (next < scan->firstRow || next >= scan->endRow)
		return false;
	RetlScanSetPageRow(scan, next);
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

		if (RetlScanSkipVector(scan, vectorIndex))
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
 * Move to the next row within the open group.
 */
static bool
StepInGroup(RetlTableScan *scan, int step)
{
	int64		next = FindRow(scan, scan->rowInItem + step, step);

	if (unlikely(!IsMVCCSnapshot(scan->snapshot)) && scan->indexRows == NULL)
	{
		while (next >= 0 && !RetlScanRowIsThere(scan, next))
			next = FindRow(scan, next + step, step);
	}
	if (next < 0)
		return false;
	RetlScanSetGroupRow(scan, next);
	return true;
}

/*
 * See table_scan_state.h.  There may be many more scans in the query, of partitions, which
 * will not be read again before it ends, either.  After a rescan there will be others.
 */
void
RetlScanFreeRoom(RetlTableScan *scan)
{
	if (scan->rescanned || RetlGroupReaderRoom(scan->reader) <= ROOM_AT_END)
		return;
	RetlGroupReaderFreeRoom(scan->reader);
	scan->stamp++;
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
		RetlScanStart(scan);
	for (;;)
	{
		if (scan->state == CURSOR_IN_GROUP && StepInGroup(scan, step))
			return &scan->row;
		if (scan->state == CURSOR_IN_ROW_STORE && StepInPage(scan, step))
			return &scan->row;
		if (scan->parallel != NULL
			? scan->state == CURSOR_AFTER || !RetlScanClaimItem(scan)
			: !StepItem(scan, step))
		{
			RetlScanFreeRoom(scan);
			return NULL;
		}
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

/*
 * Rows of the current vector will be touched.
 */
void
RetlTableScanExpectTouches(RetlTableScan *scan, const RetlSelection *rows)
{
	Assert(scan->state == CURSOR_IN_GROUP && !scan->row.inRowStore);
	RetlTouchExpect(scan->rel, &scan->group->entry, scan->row.vectorIndex << scan->vectorShift,
					scan->row.vectorRow, rows);
}

/*
 * The rows of the current vector that are handed out.
 */
void
RetlTableScanGetSelection(const RetlTableScan *scan, RetlSelection *rows)
{
	uint32		firstRow = scan->row.vectorIndex << scan->vectorShift;

	Assert(scan->state == CURSOR_IN_GROUP && !scan->row.inRowStore);
	if (scan->selects || scan->hides)
		*rows = scan->selection;
	else
		RetlSelectAll(rows, Min(1U << scan->vectorShift, scan->groupRows - firstRow));
}
