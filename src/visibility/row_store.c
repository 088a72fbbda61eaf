/*-------------------------------------------------------------------------
 *
 * row_store.c
 *	  Reading the row store: the heap pages among the pages of a table.
 *
 * Written anew rather than using heap_getnextslot: that one cannot pass over
 * the runs of column pages in both scan directions, and knows nothing of
 * anchors.  What it does for a page is the same: prune, look at all tuples
 * under one lock, keep the pin.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/heapam.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "storage/predicate.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/compat.h"
#include "base/errors.h"
#include "base/settings.h"
#include "storage/column_page.h"
#include "visibility/anchor.h"
#include "visibility/row_move.h"
#include "visibility/row_store.h"
#include "visibility/stub.h"
#include "visibility/unseen_moves.h"

/* A stub that says that somebody has changed a row, or is doing so, unseen by the snapshot. */
typedef struct ChangedStub
{
	uint64		rowNumber;
	OffsetNumber offset;
} ChangedStub;

void
RetlRowStorePageInit(RetlRowStorePage *page, Relation rel, Snapshot snapshot,
					 BufferAccessStrategy strategy)
{
	page->rel = rel;
	page->snapshot = snapshot;
	page->strategy = strategy;
	page->buffer = InvalidBuffer;
	page->block = InvalidBlockNumber;
	page->tupleCount = 0;
}

/* See row_store.h. */
bool
RetlPageGetTuple(Relation rel, Buffer buffer, OffsetNumber offset, HeapTuple tuple)
{
	Page		page = BufferGetPage(buffer);
	BlockNumber block = BufferGetBlockNumber(buffer);
	ItemId		lp;

	if (offset < FirstOffsetNumber || offset > PageGetMaxOffsetNumber(page))
		return false;
	lp = PageGetItemId(page, offset);
	if (!ItemIdIsNormal(lp))
		return false;
	if (!RetlLinePointerIsSound(lp))
		RetlReportDamagedPage(rel, block, "an invalid line pointer");
	RetlPageSetTuple(rel, page, block, offset, tuple);
	return true;
}

/*
 * A line pointer leads nowhere: an error, or a warning if damage is to be passed
 * over.
 */
static void
ReportLinePointer(Relation rel, BlockNumber block, OffsetNumber offset)
{
	if (!retldb_skip_damaged_groups)
		RetlReportDamagedPage(rel, block, "an invalid line pointer");
	ereport(WARNING,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("skipping damaged row (%u,%u) of table \"%s\"",
					block, offset, RelationGetRelationName(rel)),
			 errdetail("Its line pointer is invalid.")));
}

/*
 * Of the visible rows of the page, which is pinned, those from "first" on that are, or are
 * being, moved: look at them in their new places, and leave out those that are not
 * there.
 */
static void
LookAtMovedRows(RetlRowStorePage *page, int first)
{
	int			left = first;

	for (int i = first; i < page->tupleCount; i++)
	{
		RetlRowStorePageSetTuple(page, page->offsets[i]);
		if (RetlStoreRowStays(page->rel, &page->tuple, page->buffer, page->snapshot, false))
			page->offsets[left++] = page->offsets[i];
	}
	page->tupleCount = left;
}

/*
 * May a visible stub say that its row was changed by somebody whom the snapshot does not
 * see?  Its page is locked.
 */
static inline bool
StubIsChanged(HeapTuple tuple)
{
	return (tuple->t_data->t_infomask2 & RETLDB_STUB_BIT) != 0 &&
		(tuple->t_data->t_infomask & HEAP_XMAX_INVALID) == 0 &&
		!HEAP_XMAX_IS_LOCKED_ONLY(tuple->t_data->t_infomask) &&
		RetlStubIsSound(tuple);
}

/*
 * Look for serializable conflicts with those who have changed rows of groups through
 * stubs of the page, which is pinned and not locked.  Of a row whose insertion the
 * snapshot does not see, the conflict is with the inserter, whom its anchor names, as it is
 * with any tuple.  Who changes a row from now on finds our lock of the table.
 */
static void
CheckChangedStubs(RetlRowStorePage *page, const ChangedStub *stubs, int count)
{
	bool		seen[MaxHeapTuplesPerPage];

	for (int i = 0; i < count; i++)
		seen[i] = RetlRowWasInserted(page->rel, stubs[i].rowNumber, page->snapshot);
	LockBuffer(page->buffer, BUFFER_LOCK_SHARE);
	for (int i = 0; i < count; i++)
	{
		if (!seen[i])
			continue;
		RetlRowStorePageSetTuple(page, stubs[i].offset);
		HeapCheckForSerializableConflictOut(true, page->rel, &page->tuple, page->buffer,
											page->snapshot);
	}
	LockBuffer(page->buffer, BUFFER_LOCK_UNLOCK);
}

/*
 * Turn to a block and collect its visible rows.
 *
 * That a page is all-visible is good enough for MVCC snapshots only, and, on a
 * standby, only for those that were taken after the primary said so.
 */
void
RetlRowStorePageRead(RetlRowStorePage *page, BlockNumber block, Buffer buffer)
{
	Snapshot	snapshot = page->snapshot;
	Page		dp;
	bool		allVisible;
	bool		serializable = CheckForSerializableConflictOutNeeded(page->rel, snapshot);
	bool		follows = serializable || RetlOwnChangesMatter(snapshot);
	int			firstMoved = -1;
	ChangedStub changed[MaxHeapTuplesPerPage];
	int			changedCount = 0;
	OffsetNumber max;

	RetlRowStorePageRelease(page);
	CHECK_FOR_INTERRUPTS();
	page->buffer = BufferIsValid(buffer) ? buffer :
		ReadBufferExtended(page->rel, MAIN_FORKNUM, block, RBM_NORMAL, page->strategy);
	page->block = block;
	RetlPagePruneOpt(page->rel, page->buffer);

	LockBuffer(page->buffer, BUFFER_LOCK_SHARE);
	dp = BufferGetPage(page->buffer);
	RetlTestForOldSnapshot(snapshot, page->rel, dp);
	allVisible = PageIsAllVisible(dp) && IsMVCCSnapshot(snapshot) && !snapshot->takenDuringRecovery;
	max = PageGetMaxOffsetNumber(dp);

	for (OffsetNumber offset = FirstOffsetNumber; offset <= max; offset++)
	{
		bool		valid;

		if (!ItemIdIsNormal(PageGetItemId(dp, offset)))
			continue;
		if (unlikely(!RetlLinePointerIsSound(PageGetItemId(dp, offset))))
		{
			ReportLinePointer(page->rel, block, offset);
			continue;
		}
		RetlRowStorePageSetTuple(page, offset);
		valid = allVisible ||
			HeapTupleSatisfiesVisibility(&page->tuple, snapshot, page->buffer);
		/* also of anchors: a group that is being loaded is not looked at else */
		if (unlikely(serializable))
		{
			if (valid && StubIsChanged(&page->tuple))
				changed[changedCount++] = (ChangedStub) {RetlStubGetRowNumber(&page->tuple), offset};
			else
				HeapCheckForSerializableConflictOut(valid, page->rel, &page->tuple, page->buffer,
													snapshot);
		}
		if (valid && !RetlTupleIsMarked(page->tuple.t_data))
		{
			if (unlikely(follows) && firstMoved < 0 &&
				TransactionIdIsValid(RetlTupleMover(page->tuple.t_data)))
				firstMoved = page->tupleCount;
			page->offsets[page->tupleCount++] = offset;
		}
	}
	LockBuffer(page->buffer, BUFFER_LOCK_UNLOCK);
	if (unlikely(changedCount > 0))
		CheckChangedStubs(page, changed, changedCount);
	if (firstMoved >= 0)
		LookAtMovedRows(page, firstMoved);
}

/*
 * Let go of the buffer.
 */
void
RetlRowStorePageRelease(RetlRowStorePage *page)
{
	if (BufferIsValid(page->buffer))
		ReleaseBuffer(page->buffer);
	page->buffer = InvalidBuffer;
	page->tupleCount = 0;
}

/* ---------------------------------------------------------------------
 * Which blocks to look at
 * ---------------------------------------------------------------------
 */

/* See row_store.h. */
RetlRun *
RetlOwnedRuns(Relation rel, const RetlDirectory *directory, bool locked, int *ownedCount)
{
	int			capacity = 1 + 2 * directory->pageCount +
		(1 + RETLDB_INLINE_RUNS) * directory->groupCount;
	RetlRun    *owned = palloc(sizeof(RetlRun) * capacity);
	int			count = 0;

	owned[count++] = (RetlRun) {RETLDB_HEADER_BLOCK, 1};
	for (int i = 0; i < directory->pageCount; i++)
	{
		owned[count++] = (RetlRun) {directory->header->directoryBlocks[i], 1};
		owned[count++] = (RetlRun) {directory->pages[i].zoneStart, directory->pages[i].zonePageCount};
	}
	for (int i = 0; i < directory->groupCount; i++)
	{
		const RetlGroupEntry *entry = &directory->groups[i].entry;
		int			runCount;
		RetlRun    *runs = locked ? RetlGroupGetRuns(rel, entry, &runCount) :
			RetlGroupGetKnownRuns(rel, entry, &runCount);

		if (count + runCount + 1 > capacity)
		{
			capacity = 2 * (count + runCount + 1);
			owned = repalloc_huge(owned, sizeof(RetlRun) * capacity);
		}
		memcpy(owned + count, runs, sizeof(RetlRun) * runCount);
		count += runCount;
		if (entry->runListBlock != RETLDB_NO_BLOCK)
			owned[count++] = (RetlRun) {entry->runListBlock, 1};
		pfree(runs);
	}
	qsort(owned, count, sizeof(RetlRun), RetlRunCompare);
	*ownedCount = count;
	return owned;
}

/*
 * The runs of blocks below nblocks that nobody owns.  What is missing from the
 * list of owners (a page that a crash orphaned, a list that grew meanwhile) only
 * makes us look at column pages, which are empty to us.
 */
RetlRun *
RetlRowStoreRuns(Relation rel, const RetlDirectory *directory, BlockNumber nblocks, int *runCount)
{
	int			ownedCount;
	RetlRun    *owned = RetlOwnedRuns(rel, directory, false, &ownedCount);
	RetlRun    *runs = palloc(sizeof(RetlRun) * (ownedCount + 1));
	uint64		next = 0;
	int			count = 0;

	for (int i = 0; i < ownedCount; i++)
	{
		if (owned[i].start > next)
			runs[count++] = (RetlRun) {next, Min(owned[i].start, nblocks) - next};
		next = Max(next, (uint64) owned[i].start + owned[i].length);
		if (next >= nblocks)
			break;
	}
	if (next < nblocks)
		runs[count++] = (RetlRun) {next, nblocks - next};
	pfree(owned);
	*runCount = count;
	return runs;
}
