/*-------------------------------------------------------------------------
 *
 * verify_anchor.c
 *	  Third phase of retldb.verify: the row store and the anchors in it.
 *
 * Blocks that nobody claimed are heap pages.  Of the tuples on them anchors and
 * stubs are ours to check: each has the form of one, and an anchor that is
 * committed has a COMPLETE directory entry that points back to it.  And a page is
 * what the visibility map says of it (verify_visible.c), and has no rows if the header
 * tells scans to pass over it (bare_pages.c).  Groups
 * whose anchor is missing are no fault: that is how aborted loads look.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/visibilitymap.h"
#include "access/transam.h"
#include "miscadmin.h"
#include "storage/itemptr.h"
#include "storage/lwlock.h"
#include "storage/procarray.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "base/compat.h"
#include "sql/verify_internal.h"
#include "storage/column_page.h"
#include "storage/table_header.h"
#include "visibility/anchor.h"
#include "visibility/bare_pages.h"
#include "visibility/row_store.h"
#include "visibility/stub.h"

/* A live anchor that the copied directory does not know. */
typedef struct Suspect
{
	ItemPointerData tid;
	uint64		groupId;
} Suspect;

/* Progress through the row store, kept over steps that end in errors. */
typedef struct RowStoreScan
{
	BlockNumber block;
	BlockNumber end;
	const RetlGroupEntry **entries; /* COMPLETE ones, sorted by id */
	int			entryCount;
	List	   *suspects;
	MemoryContext context;		/* of the suspects */
} RowStoreScan;

/* ---------------------------------------------------------------------
 * COMPLETE entries by id
 * ---------------------------------------------------------------------
 */

static int
CompareIds(const void *a, const void *b)
{
	const RetlGroupEntry *left = *(RetlGroupEntry *const *) a;
	const RetlGroupEntry *right = *(RetlGroupEntry *const *) b;

	return left->groupId < right->groupId ? -1 : left->groupId > right->groupId;
}

static void
CollectEntries(const RetlCopiedDirectory *directory, RowStoreScan *scan)
{
	scan->entries = palloc_extended(Max(directory->groupCount, 1) * sizeof(RetlGroupEntry *),
									MCXT_ALLOC_HUGE);
	scan->entryCount = 0;
	for (int i = 0; i < directory->groupCount; i++)
	{
		if (directory->groups[i].entry.state == RETL_GROUP_COMPLETE)
			scan->entries[scan->entryCount++] = &directory->groups[i].entry;
	}
	qsort(scan->entries, scan->entryCount, sizeof(RetlGroupEntry *), CompareIds);
}

/*
 * The COMPLETE entry of a group whose anchor stands at tid, or NULL.
 */
static const RetlGroupEntry *
FindEntry(const RowStoreScan *scan, uint64 groupId, const ItemPointerData *tid)
{
	int			low = 0,
				high = scan->entryCount;

	while (low < high)
	{
		int			middle = low + (high - low) / 2;
		const RetlGroupEntry *entry = scan->entries[middle];

		if (entry->groupId < groupId)
			low = middle + 1;
		else if (entry->groupId > groupId)
			high = middle;
		else
			return entry->anchorBlock == ItemPointerGetBlockNumberNoCheck(tid) &&
				entry->anchorOffset == ItemPointerGetOffsetNumberNoCheck(tid) ? entry : NULL;
	}
	return NULL;
}

/* ---------------------------------------------------------------------
 * One tuple
 * ---------------------------------------------------------------------
 */

static const RetlAnchorPayload *
PayloadOf(HeapTupleHeader header)
{
	return (const RetlAnchorPayload *) ((char *) header + RETLDB_ANCHOR_PAYLOAD_OFFSET);
}

/*
 * Is the tuple header of an anchor as it may be?  Nothing updates or locks
 * anchors; compaction takes them away, and lets t_ctid lead to their links, and DELETE
 * of a whole group marks it there, which stays if it is rolled back; hint bits change.
 */
static bool
HeaderIsSound(HeapTuple tuple)
{
	HeapTupleHeader header = tuple->t_data;
	uint16		xmaxHints = HEAP_XMAX_INVALID | HEAP_XMAX_COMMITTED;
	bool		takenAway = TransactionIdIsValid(HeapTupleHeaderGetRawXmax(header));

	return (header->t_infomask2 & ~HEAP_KEYS_UPDATED) == RETLDB_ANCHOR_BIT &&
		(header->t_infomask & ~(HEAP_XMIN_FROZEN | xmaxHints)) == 0 &&
		(takenAway || (header->t_infomask & xmaxHints) == HEAP_XMAX_INVALID) &&
		(ItemPointerEquals(&header->t_ctid, &tuple->t_self) ||
		 HeapTupleHeaderIndicatesMovedPartitions(header) ||
		 (ItemPointerGetBlockNumberNoCheck(&header->t_ctid) < RETLDB_FIRST_ROW_BLOCK &&
		  ItemPointerGetOffsetNumberNoCheck(&header->t_ctid) == FirstOffsetNumber)) &&
		header->t_bits[0] == 0;
}

/*
 * Does a marked tuple have the form of an anchor?
 */
static bool
IsWellFormed(HeapTuple tuple)
{
	return RetlAnchorIsSound(tuple) && HeaderIsSound(tuple);
}

/*
 * Can the status of a transaction be looked up?  Holds XactTruncationLock if
 * so; the caller releases it.
 */
static bool
LockStatusOf(TransactionId xid)
{
	if (!TransactionIdIsNormal(xid))
		return false;
	LWLockAcquire(XactTruncationLock, LW_SHARED);
	if (TransactionIdPrecedes(xid, RetlOldestClogXid()) ||
		TransactionIdFollowsOrEquals(xid, XidFromFullTransactionId(ReadNextFullTransactionId())))
	{
		LWLockRelease(XactTruncationLock);
		return false;
	}
	return true;
}

/*
 * Do the hint bits of an anchor say about its inserter what the commit log
 * says, as far as that reaches back?  COPY FREEZE marks its anchors as
 * committed before they are.
 */
static void
CheckHints(RetlVerifyState *state, HeapTupleHeader header, OffsetNumber offset)
{
	TransactionId xmin = HeapTupleHeaderGetRawXmin(header);
	bool		committed;

	if ((header->t_infomask & (HEAP_XMIN_COMMITTED | HEAP_XMIN_INVALID)) == 0 ||
		TransactionIdIsInProgress(xmin) || !LockStatusOf(xmin))
		return;
	committed = TransactionIdDidCommit(xmin);
	LWLockRelease(XactTruncationLock);

	if (committed != HeapTupleHeaderXminCommitted(header))
		RetlVerifyFault(state, "anchor at offset %u is marked as %s, but transaction %u %s",
						offset,
						HeapTupleHeaderXminCommitted(header) ? "committed" : "aborted",
						xmin, committed ? "committed" : "did not");
}

/*
 * Note that a live anchor has no entry; whether that is still so is asked
 * later.
 */
static void
AddSuspect(RowStoreScan *scan, const HeapTupleData *tuple, uint64 groupId)
{
	MemoryContext oldContext = MemoryContextSwitchTo(scan->context);
	Suspect    *suspect = palloc(sizeof(Suspect));

	suspect->tid = tuple->t_self;
	suspect->groupId = groupId;
	scan->suspects = lappend(scan->suspects, suspect);
	MemoryContextSwitchTo(oldContext);
}

/*
 * Can the inserter of an anchor be the writer of its group, or a
 * subtransaction of it, whose id then is larger?  VACUUM FULL makes groups of
 * rows that have had several writers.
 */
static bool
IsOfWriter(TransactionId xmin, uint64 writerXid)
{
	uint64		fullXmin = writerXid + (TransactionId) (xmin - (TransactionId) writerXid);

	return xmin == FrozenTransactionId || fullXmin < U64FromFullTransactionId(ReadNextFullTransactionId());
}

/*
 * Check a well-formed anchor against the directory.
 */
static void
CheckAnchor(RetlVerifyState *state, RowStoreScan *scan, HeapTuple tuple, Buffer buffer)
{
	uint64		groupId = PayloadOf(tuple->t_data)->groupId;
	TransactionId xmin = HeapTupleHeaderGetRawXmin(tuple->t_data);
	OffsetNumber offset = ItemPointerGetOffsetNumber(&tuple->t_self);
	const RetlGroupEntry *entry;
	TransactionId deadAfter;

	state->groupId = groupId;
	CheckHints(state, tuple->t_data, offset);
	entry = FindEntry(scan, groupId, &tuple->t_self);
	if (entry != NULL)
	{
		if (!IsOfWriter(xmin, entry->writerXid))
			RetlVerifyFault(state, "anchor at offset %u was inserted by transaction %u, but its writer is transaction %llu",
							offset, xmin, (unsigned long long) entry->writerXid);
	}
	else if (HeapTupleSatisfiesVacuumHorizon(tuple, buffer, &deadAfter) == HEAPTUPLE_LIVE)
		AddSuspect(scan, tuple, groupId);
}

/*
 * Check a stub.  Whether the map of its group names it is the map's matter: one
 * that no map names is what a crash leaves, and stands for nothing.
 */
static void
CheckStub(RetlVerifyState *state, HeapTuple tuple)
{
	OffsetNumber offset = ItemPointerGetOffsetNumber(&tuple->t_self);

	if (!RetlStubIsSound(tuple))
		RetlVerifyFault(state, "tuple at offset %u is marked as a stub but does not have the form of one",
						offset);
	else if (RetlStubGetRowNumber(tuple) >= state->directory->header.nextRowNumber)
		RetlVerifyFault(state, "stub at offset %u stands for row number %llu, which is not below the next one",
						offset, (unsigned long long) RetlStubGetRowNumber(tuple));
}

/*
 * Check a tuple of the row store.
 */
static void
CheckTuple(RetlVerifyState *state, RowStoreScan *scan, HeapTuple tuple, Buffer buffer)
{
	OffsetNumber offset = ItemPointerGetOffsetNumber(&tuple->t_self);

	state->groupId = 0;
	if (!RetlTupleIsMarked(tuple->t_data))
	{
		if (RetlAnchorHasLostMark(tuple))
			RetlVerifyFault(state, "tuple at offset %u has the form of an anchor but is not marked as one",
							offset);
	}
	else if ((tuple->t_data->t_infomask2 & RETLDB_STUB_BIT) != 0)
		CheckStub(state, tuple);
	else if (!IsWellFormed(tuple))
		RetlVerifyFault(state, "tuple at offset %u is marked as an anchor but does not have the form of one",
						offset);
	else
		CheckAnchor(state, scan, tuple, buffer);
}

/* ---------------------------------------------------------------------
 * Pages
 * ---------------------------------------------------------------------
 */

/*
 * Does a line pointer name a piece of the page's tuple area?
 */
static bool
LinePointerIsSound(Page page, ItemId item)
{
	return ItemIdGetLength(item) >= SizeofHeapTupleHeader &&
		ItemIdGetOffset(item) >= ((PageHeader) page)->pd_upper &&
		ItemIdGetOffset(item) == MAXALIGN(ItemIdGetOffset(item)) &&
		ItemIdGetOffset(item) + ItemIdGetLength(item) <= ((PageHeader) page)->pd_special;
}

/*
 * Take the piece that a line pointer names from the tuple area; false if part
 * of it is taken.
 */
static bool
TakeArea(ItemId item, bool *taken, Size *used)
{
	Size		length = MAXALIGN(ItemIdGetLength(item));

	for (Size i = ItemIdGetOffset(item); i < ItemIdGetOffset(item) + length; i += MAXIMUM_ALIGNOF)
	{
		if (taken[i / MAXIMUM_ALIGNOF])
			return false;
		taken[i / MAXIMUM_ALIGNOF] = true;
	}
	*used += length;
	return true;
}

/*
 * Check the tuples of a heap page, whose buffer is locked.  Its tuple area is
 * divided among them without gaps, for pruning leaves none: a gap tells of a
 * line pointer that was lost.  False if tuples cannot be looked at.
 */
static bool
CheckTuples(RetlVerifyState *state, RowStoreScan *scan, Buffer buffer)
{
	Page		page = BufferGetPage(buffer);
	OffsetNumber last = PageGetMaxOffsetNumber(page);
	bool		taken[BLCKSZ / MAXIMUM_ALIGNOF] = {false};
	Size		used = 0;

	for (OffsetNumber offset = FirstOffsetNumber; offset <= last; offset++)
	{
		ItemId		item = PageGetItemId(page, offset);
		HeapTupleData tuple;

		state->groupId = 0;
		if (!ItemIdIsNormal(item))
			continue;
		if (!LinePointerIsSound(page, item) || !TakeArea(item, taken, &used))
		{
			RetlVerifyFault(state, "line pointer %u of the row store is damaged", offset);
			return false;
		}
		RetlPageSetTuple(state->rel, page, state->block, offset, &tuple);
		CheckTuple(state, scan, &tuple, buffer);
	}
	state->groupId = 0;
	if (used != (Size) BLCKSZ - ((PageHeader) page)->pd_upper)
		RetlVerifyFault(state, "line pointers of the row store name %zu of %zu bytes",
						used, (Size) BLCKSZ - ((PageHeader) page)->pd_upper);
	return true;
}

/*
 * Has the page the form of a heap page?
 */
static bool
IsHeapPage(Page page)
{
	PageHeader	header = (PageHeader) page;

	return PageGetPageSize(page) == BLCKSZ &&
		PageGetPageLayoutVersion(page) == PG_PAGE_LAYOUT_VERSION &&
		(header->pd_flags & ~PD_VALID_FLAG_BITS) == 0 &&
		header->pd_lower >= SizeOfPageHeaderData &&
		header->pd_lower <= header->pd_upper &&
		header->pd_upper <= header->pd_special &&
		header->pd_special == BLCKSZ &&
		PageGetMaxOffsetNumber(page) <= MaxHeapTuplesPerPage;
}

/*
 * Check a block that nobody claimed.  Pages that a crash left without content
 * or without owner are no fault.
 */
static void
CheckUnclaimedBlock(RetlVerifyState *state, RowStoreScan *scan, Buffer *mapBuffer)
{
	Buffer		buffer;
	Page		page;
	bool		hidesRow = false;

	RetlVerifyAt(state, scan->block, 0, 0);
	buffer = ReadBufferExtended(state->rel, MAIN_FORKNUM, scan->block, RBM_NORMAL,
								state->strategy);
	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	page = BufferGetPage(buffer);
	if (RetlPageIsColumnPage(page))
		state->orphanCount++;
	else if (!PageIsNew(page) && !IsHeapPage(page))
		RetlVerifyFault(state, "page is neither a column page nor a page of the row store");
	else if (!PageIsNew(page) && CheckTuples(state, scan, buffer))
	{
		RetlVerifyVisible(state, buffer, mapBuffer);
		hidesRow = VM_ALL_VISIBLE(state->rel, scan->block, mapBuffer) && !RetlPageHasNoRow(page);
	}
	UnlockReleaseBuffer(buffer);
	/* if the runs were these all the time, they were when the page was locked */
	if (hidesRow && RetlBareRunsHave(&state->directory->header.bare, scan->block) &&
		RetlHeaderBareIs(state->rel, &state->directory->header.bare))
		RetlVerifyFault(state, "page has rows, but scans are told that it has none");
}

/*
 * Step: check the blocks that have not been checked.
 */
static void
CheckRemainingBlocks(RetlVerifyState *state, void *argument)
{
	RowStoreScan *scan = argument;
	Buffer		mapBuffer = InvalidBuffer;

	for (; scan->block < scan->end; scan->block++)
	{
		CHECK_FOR_INTERRUPTS();
		CheckUnclaimedBlock(state, scan, &mapBuffer);
	}
	if (BufferIsValid(mapBuffer))
		ReleaseBuffer(mapBuffer);
}

/*
 * Check a stretch of the row store, going on after each page that cannot be
 * read.
 */
static void
CheckStretch(RetlVerifyState *state, RowStoreScan *scan, BlockNumber start, BlockNumber end)
{
	scan->block = start;
	scan->end = end;
	while (scan->block < end)
	{
		if (!RetlVerifyStep(state, CheckRemainingBlocks, scan))
			scan->block++;
	}
	RetlVerifyReport(state);
}

/* ---------------------------------------------------------------------
 * The phase
 * ---------------------------------------------------------------------
 */

/*
 * Look for the suspects' entries once more: groups may have been completed
 * since the directory was copied.  Faults of the directory were reported.
 */
static void
CheckSuspects(RetlVerifyState *state, RowStoreScan *scan)
{
	RetlCopiedDirectory *directory;
	ListCell   *cell;

	if (scan->suspects == NIL)
		return;
	directory = RetlVerifyDirectoryCopy(state);
	RetlVerifyForget(state);
	CollectEntries(directory, scan);
	foreach(cell, scan->suspects)
	{
		Suspect    *suspect = lfirst(cell);

		if (FindEntry(scan, suspect->groupId, &suspect->tid) != NULL)
			continue;
		RetlVerifyAt(state, ItemPointerGetBlockNumber(&suspect->tid), suspect->groupId, 0);
		RetlVerifyFault(state, "anchor at offset %u stands for a row group that the directory does not have",
						ItemPointerGetOffsetNumber(&suspect->tid));
	}
	RetlVerifyReport(state);
	RetlVerifyDirectoryDrop(directory);
}

/*
 * Verify the row store, which is what lies between the claims.
 */
void
RetlVerifyAnchorPhase(RetlVerifyState *state)
{
	const RetlCopiedDirectory *directory = state->directory;
	RowStoreScan scan = {.context = CurrentMemoryContext};
	BlockNumber next = 0;		/* first block after the claims so far */

	CollectEntries(directory, &scan);
	for (int i = 0; i < directory->claimCount; i++)
	{
		const RetlClaim *claim = &directory->claims[i];

		if (claim->start > next)
			CheckStretch(state, &scan, next, claim->start);
		next = Max(next, claim->end);
	}
	if (next < directory->blockCount)
		CheckStretch(state, &scan, next, directory->blockCount);
	CheckSuspects(state, &scan);
}
