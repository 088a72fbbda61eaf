/*-------------------------------------------------------------------------
 *
 * row_move.c
 *	  Rows that everybody sees, and taking them away where they stand.
 *
 * A tuple is taken away as heap_delete does it: the current transaction becomes
 * its xmax.  What differs is the WAL.  A deletion's record would be decoded
 * logically, and compaction is no change of the table.  So a page's tuples are
 * logged together as an image of the page, in a record that says that the page
 * is not all-visible any more: an insertion of no tuples.  Such a record is not
 * decoded, and is replayed by PostgreSQL's own code.  A page taken away has
 * nearly always lost all its tuples, so that an image of it is not more than
 * a record for each tuple would be.
 *
 * t_ctid of a row then leads to a row of a row group, so to a block that the file does not
 * have.  heap's own functions follow it in one case only: heap_lock_tuple, when it
 * has waited for a transaction that it found there.  Those who call it therefore
 * look first, and keep the page pinned (am_modify.c); and rows are taken away only
 * from pages that nobody else has pinned.  The t_ctid of an anchor leads to the
 * links of its group (move_links.h); heap never locks anchors.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/heapam_xlog.h"
#include "access/heaptoast.h"
#include "access/transam.h"
#include "access/visibilitymap.h"
#include "access/xact.h"
#include "access/xloginsert.h"
#include "miscadmin.h"
#include "storage/predicate.h"
#include "storage/procarray.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "base/compat.h"
#include "storage/page_alloc.h"
#include "visibility/anchor.h"
#include "visibility/group_move.h"
#include "visibility/row_move.h"
#include "visibility/row_store.h"

/* How often we try to get a page that others use, and the pauses between (in microseconds). */
#define CLEANUP_TRIES	5
#define CLEANUP_PAUSE	500

/* The table of which this transaction has locked all, for a group was rewritten. */
static Oid	checkedTable = InvalidOid;

/*
 * See row_move.h.  HeapTupleSatisfiesVacuum sets the hint that xmax is invalid
 * when it finds that its transaction, or all lockers, are gone.
 */
bool
RetlTupleIsSettled(HeapTuple tuple, TransactionId oldestXmin, Buffer buffer)
{
	return HeapTupleSatisfiesVacuum(tuple, oldestXmin, buffer) == HEAPTUPLE_LIVE &&
		(tuple->t_data->t_infomask & HEAP_XMAX_INVALID) != 0 &&
		TransactionIdPrecedes(HeapTupleHeaderGetXmin(tuple->t_data), oldestXmin);
}

/* See row_move.h. */
int
RetlRowStoreSettledRows(Relation rel, BlockNumber block, TransactionId oldestXmin,
						BufferAccessStrategy strategy, OffsetNumber *offsets)
{
	Buffer		buffer = ReadBufferExtended(rel, MAIN_FORKNUM, block, RBM_NORMAL, strategy);
	OffsetNumber max;
	int			count = 0;

	if (!ConditionalLockBufferForCleanup(buffer))
	{
		/* they would most likely still be there when the rows are to be taken */
		ReleaseBuffer(buffer);
		return 0;
	}
	max = PageIsNew(BufferGetPage(buffer)) ? 0 : PageGetMaxOffsetNumber(BufferGetPage(buffer));
	for (OffsetNumber offset = FirstOffsetNumber; offset <= max; offset++)
	{
		HeapTupleData tuple;

		if (RetlPageGetTuple(rel, buffer, offset, &tuple) && !RetlTupleIsMarked(tuple.t_data) &&
			RetlTupleIsSettled(&tuple, oldestXmin, buffer))
			offsets[count++] = offset;
	}
	UnlockReleaseBuffer(buffer);
	return count;
}

/*
 * Log that tuples of a page have got an xmax; the page is locked and changed.
 */
static void
LogTakenAway(Buffer buffer, bool allVisibleCleared)
{
	xl_heap_multi_insert record;
	XLogRecPtr	end;

	memset(&record, 0, sizeof(record));
	record.flags = allVisibleCleared ? XLH_INSERT_ALL_VISIBLE_CLEARED : 0;
	record.ntuples = 0;
	XLogBeginInsert();
	XLogRegisterData((char *) &record, SizeOfHeapMultiInsert);
	XLogRegisterBuffer(0, buffer, REGBUF_STANDARD | REGBUF_FORCE_IMAGE);
	end = XLogInsert(RM_HEAP2_ID, XLOG_HEAP2_MULTI_INSERT);
	PageSetLSN(BufferGetPage(buffer), end);
}

/*
 * Lock a pinned page for writing.  If it is for rows, only when nobody else has it
 * pinned; who reads is gone soon, so we try a few times.
 */
static bool
LockForTaking(Buffer buffer, RetlLeavingKind kind)
{
	if (kind == RETL_LEAVING_ANCHORS)
	{
		LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
		return true;
	}
	for (int i = 0; i < CLEANUP_TRIES; i++)
	{
		if (i > 0)
			pg_usleep(CLEANUP_PAUSE);
		if (ConditionalLockBufferForCleanup(buffer))
			return true;
	}
	return false;
}

/*
 * Pin and lock a page for writing, and pin its page of the visibility map if it
 * is all-visible.  InvalidBuffer if others use the page.
 */
static Buffer
LockPageAndMap(Relation rel, BlockNumber block, RetlLeavingKind kind, Buffer *vmBuffer)
{
	Buffer		buffer = ReadBuffer(rel, block);

	*vmBuffer = InvalidBuffer;
	if (PageIsAllVisible(BufferGetPage(buffer)))
		visibilitymap_pin(rel, block, vmBuffer);
	while (LockForTaking(buffer, kind))
	{
		if (*vmBuffer != InvalidBuffer || !PageIsAllVisible(BufferGetPage(buffer)))
			return buffer;
		/* not with the page locked, for it may take a read */
		LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
		visibilitymap_pin(rel, block, vmBuffer);
	}
	ReleaseBuffer(buffer);
	if (*vmBuffer != InvalidBuffer)
		ReleaseBuffer(*vmBuffer);
	return InvalidBuffer;
}

/*
 * Give a tuple of a locked page an xmax, and say where it has gone.
 */
static void
SetXmax(HeapTuple tuple, TransactionId xid, CommandId cid, const ItemPointerData *next)
{
	HeapTupleHeader header = tuple->t_data;

	header->t_infomask &= ~(HEAP_XMAX_BITS | HEAP_MOVED);
	header->t_infomask2 |= HEAP_KEYS_UPDATED;
	HeapTupleHeaderClearHotUpdated(header);
	HeapTupleHeaderSetXmax(header, xid);
	HeapTupleHeaderSetCmax(header, cid, false);
	header->t_ctid = *next;
}

/*
 * Set "taken" of those tuples of a locked page that are settled and need not stay, and
 * point to them.  Returns how many.
 */
static int
FindSettled(Relation rel, Buffer buffer, RetlPageRows *rows, RetlLeavingKind kind,
			TransactionId oldestXmin, HeapTuple tuples)
{
	int			taken = 0;

	for (int i = 0; i < rows->count; i++)
	{
		RetlLeavingTuple *row = &rows->rows[i];

		row->taken = kind == RETL_LEAVING_STUBS ?
			RetlStubFind(rel, buffer, row->offset, row->number, &tuples[i]) != RETL_STUB_GONE :
			RetlPageGetTuple(rel, buffer, row->offset, &tuples[i]);
		row->taken = row->taken && !row->stays && RetlTupleIsSettled(&tuples[i], oldestXmin, buffer);
		row->external = row->taken && HeapTupleHasExternal(&tuples[i]);
		if (row->taken)
			taken++;
	}
	return taken;
}

/*
 * Write xmax and new place of the taken tuples of a locked page.
 */
static void
MarkTaken(Relation rel, Buffer buffer, Buffer vmBuffer, RetlPageRows *rows, HeapTuple tuples,
		  RetlLeavingKind kind, uint64 firstRowNumber)
{
	TransactionId xid = GetCurrentTransactionId();
	CommandId	cid = GetCurrentCommandId(true);
	Page		page = BufferGetPage(buffer);
	bool		allVisible = PageIsAllVisible(page);

	START_CRIT_SECTION();
	PageSetPrunable(page, xid);
	if (allVisible)
		RetlPageClearAllVisible(rel, buffer, vmBuffer);
	for (int i = 0; i < rows->count; i++)
	{
		ItemPointerData next = tuples[i].t_self;

		if (!rows->rows[i].taken)
			continue;
		if (kind == RETL_LEAVING_ROWS)
			RetlTidFromRowNumber(&next, firstRowNumber + rows->rows[i].newRow);
		else if (kind == RETL_LEAVING_STUBS)
			RetlStubSetRetired(&tuples[i]);
		else if (rows->rows[i].links != RETLDB_NO_BLOCK)
			ItemPointerSet(&next, rows->rows[i].links, FirstOffsetNumber);
		SetXmax(&tuples[i], xid, cid, &next);
	}
	MarkBufferDirty(buffer);
	if (RelationNeedsWAL(rel))
		LogTakenAway(buffer, allVisible);
	END_CRIT_SECTION();
}

/*
 * Delete what the taken rows of a pinned page have out of line.  What is deleted
 * by us stays where it is.
 */
static void
DeleteExternal(Relation rel, const RetlPageRows *rows, HeapTuple tuples)
{
	for (int i = 0; i < rows->count; i++)
		if (rows->rows[i].external)
			heap_toast_delete(rel, &tuples[i], false);
}

/* See row_move.h. */
int
RetlTuplesTakeAway(Relation rel, RetlPageRows *rows, RetlLeavingKind kind,
				   uint64 firstRowNumber, TransactionId oldestXmin)
{
	HeapTupleData *tuples = palloc(sizeof(HeapTupleData) * Max(rows->count, 1));
	Buffer		vmBuffer;
	Buffer		buffer;
	int			taken;

	/* no xid is assigned with a page locked */
	(void) GetCurrentTransactionId();
	buffer = LockPageAndMap(rel, rows->block, kind, &vmBuffer);
	if (buffer == InvalidBuffer)
	{
		for (int i = 0; i < rows->count; i++)
			rows->rows[i].taken = rows->rows[i].external = false;
		pfree(tuples);
		return 0;
	}
	taken = FindSettled(rel, buffer, rows, kind, oldestXmin, tuples);
	if (taken > 0)
		MarkTaken(rel, buffer, vmBuffer, rows, tuples, kind, firstRowNumber);
	LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
	DeleteExternal(rel, rows, tuples);
	ReleaseBuffer(buffer);
	if (vmBuffer != InvalidBuffer)
		ReleaseBuffer(vmBuffer);
	pfree(tuples);
	return taken;
}

/*
 * Look for a serializable conflict with whoever has deleted all rows of a group by its
 * anchor, whose page is locked, or is doing so, although the snapshot may not even see
 * that it was inserted.  If he was over when our snapshots were taken, there is none.
 */
static void
CheckDeleter(Relation rel, HeapTuple anchor, Buffer buffer, Snapshot snapshot)
{
	if (!TransactionIdPrecedes(HeapTupleHeaderGetRawXmax(anchor->t_data), TransactionXmin))
		HeapCheckForSerializableConflictOut(true, rel, anchor, buffer, snapshot);
}

/*
 * Is somebody moving the rows of a group to others, or has done so?  If they are
 * deleted at once, look for the conflict.
 */
static bool
AnchorIsMoved(Relation rel, const RetlGroupEntry *entry, Snapshot snapshot)
{
	Buffer		buffer;
	HeapTupleData tuple;
	bool		deleted;
	bool		leaving;

	if (!RetlAnchorLock(rel, entry, &buffer, &tuple))
		return true;
	deleted = RetlAnchorIsDeleted(tuple.t_data);
	leaving = (tuple.t_data->t_infomask & HEAP_XMAX_INVALID) == 0;
	if (deleted)
		CheckDeleter(rel, &tuple, buffer, snapshot);
	UnlockReleaseBuffer(buffer);
	return leaving && !deleted;
}

/*
 * If a group that the snapshot does not see is deleted as a whole, look for the
 * conflict.
 */
static void
CheckUnseenDeletion(Relation rel, const RetlGroupEntry *entry, Snapshot snapshot)
{
	Buffer		buffer;
	HeapTupleData tuple;

	if (!RetlAnchorLock(rel, entry, &buffer, &tuple))
		return;
	if (RetlAnchorIsDeleted(tuple.t_data) &&
		!HeapTupleSatisfiesVisibility(&tuple, snapshot, buffer))
		CheckDeleter(rel, &tuple, buffer, snapshot);
	UnlockReleaseBuffer(buffer);
}

/*
 * Does the snapshot not see a group, of whose rows it may see some where they were
 * before?  Only compaction writes such groups.
 */
static bool
IsUnseenMove(Relation rel, const RetlGroupEntry *entry, Snapshot snapshot)
{
	Buffer		buffer;
	HeapTupleData tuple;
	bool		seen;

	if (!RetlAnchorLock(rel, entry, &buffer, &tuple))
		return false;
	seen = HeapTupleSatisfiesVisibility(&tuple, snapshot, buffer);
	UnlockReleaseBuffer(buffer);
	return !seen && RetlGroupWasCompacted(rel, entry);
}

/*
 * Look for serializable conflicts with those who have changed rows of groups that
 * the snapshot does not see.
 */
static void
CheckUnseenGroups(Relation rel, Snapshot snapshot)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "retldb unseen groups",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext oldContext = MemoryContextSwitchTo(context);
	RetlDirectory *directory = RetlDirectoryRead(rel);
	RetlHiddenRows hidden;

	RetlHiddenRowsInit(&hidden, context);
	for (int i = 0; i < directory->groupCount; i++)
	{
		const RetlGroupEntry *entry = &directory->groups[i].entry;

		if (entry->state != RETL_GROUP_COMPLETE || !IsUnseenMove(rel, entry, snapshot))
			continue;
		CheckUnseenDeletion(rel, entry, snapshot);
		/* looking at stubs does it */
		if (entry->stubMapRoot != RETLDB_NO_BLOCK)
			RetlHiddenRowsRead(&hidden, rel, entry, snapshot);
	}
	MemoryContextSwitchTo(oldContext);
	MemoryContextDelete(context);
}

/*
 * Lock the whole table, which whoever changes a row from now on finds; and then look at
 * all changes that might be of a row that was moved.  Once is enough for a transaction.
 */
static void
CheckWholeTable(Relation rel, Snapshot snapshot)
{
	PredicateLockRelation(rel, snapshot);
	CheckUnseenGroups(rel, snapshot);
	checkedTable = RelationGetRelid(rel);
}

/* See row_move.h. */
void
RetlCheckRewrittenGroup(Relation rel, const RetlGroupEntry *entry, Snapshot snapshot)
{
	if (CheckForSerializableConflictOutNeeded(rel, snapshot) &&
		AnchorIsMoved(rel, entry, snapshot) && checkedTable != RelationGetRelid(rel))
		CheckWholeTable(rel, snapshot);
}

/*
 * Look for serializable conflicts with whoever has changed a row in the place to which it
 * was moved, or is being moved.  byPlace: the row alone was read, so it is locked there.
 * False if the place is not there: whoever was to move the row has rolled back.
 *
 * A transaction that changes the row there does not see whoever has read it where it was,
 * nor does its change show there.
 */
static bool
CheckPlace(Relation rel, const ItemPointerData *place, Snapshot snapshot, bool byPlace)
{
	ItemPointerData tid = *place;
	RetlGroup	group;
	uint32		row;
	RetlStubEntry stub;
	Buffer		buffer;
	HeapTupleData tuple;

	/* before we look at what has become of it: a change after that sees our lock */
	if (byPlace)
		PredicateLockTID(rel, &tid, snapshot, FrozenTransactionId);
	if (!RetlFindRowGroup(rel, &tid, &group, &row))
		return false;
	/* it is moved on when nobody has our snapshot any more */
	RetlCheckRewrittenGroup(rel, &group.entry, snapshot);
	if (RetlStubMapLookup(rel, &group.entry, row, &stub) == RETL_ROW_HAS_STUB &&
		RetlStubLock(rel, &stub, BUFFER_LOCK_SHARE, &buffer, &tuple))
	{
		/* who deleted it may have been over when our snapshot was taken: no conflict */
		HeapCheckForSerializableConflictOut(HeapTupleSatisfiesVisibility(&tuple, snapshot, buffer),
											rel, &tuple, buffer, snapshot);
		UnlockReleaseBuffer(buffer);
	}
	return true;
}

/* See row_move.h. */
void
RetlCheckMovedRow(Relation rel, const ItemPointerData *place, Snapshot snapshot, bool byPlace)
{
	if (CheckForSerializableConflictOutNeeded(rel, snapshot))
		(void) CheckPlace(rel, place, snapshot, byPlace);
}

/*
 * See row_move.h.  The links are there before the anchor names them.  Whoever moves the row
 * after we have looked at the anchor turns our lock of it into one of the table.  A row that
 * has no link was dead to compaction, but maybe not to us.
 */
void
RetlCheckRewrittenRow(Relation rel, const RetlGroupEntry *entry, uint32 row, Snapshot snapshot)
{
	ItemPointerData place;

	if (CheckForSerializableConflictOutNeeded(rel, snapshot) &&
		AnchorIsMoved(rel, entry, snapshot) && checkedTable != RelationGetRelid(rel) &&
		!(RetlFindLeavingRow(rel, entry, row, &place) && CheckPlace(rel, &place, snapshot, true)))
		CheckWholeTable(rel, snapshot);
}

/* See row_move.h. */
void
RetlCheckRewrittenForget(void)
{
	checkedTable = InvalidOid;
}

/*
 * See row_move.h.  The last version of a HOT chain has been moved; what its
 * beginning leads to is found as heap_hot_search_buffer does it.
 */
bool
RetlFindMovedRow(Relation rel, Buffer buffer, const ItemPointerData *tid, ItemPointer place)
{
	OffsetNumber offset = ItemPointerGetOffsetNumberNoCheck(tid);
	TransactionId priorXmax = InvalidTransactionId;
	TransactionId mover = InvalidTransactionId;
	HeapTupleData tuple;
	Page		page = BufferGetPage(buffer);

	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	if (offset <= PageGetMaxOffsetNumber(page) && ItemIdIsRedirected(PageGetItemId(page, offset)))
		offset = ItemIdGetRedirect(PageGetItemId(page, offset));
	while (RetlPageGetTuple(rel, buffer, offset, &tuple) &&
		   (!TransactionIdIsValid(priorXmax) ||
			TransactionIdEquals(HeapTupleHeaderGetXmin(tuple.t_data), priorXmax)))
	{
		mover = RetlTupleMover(tuple.t_data);
		*place = tuple.t_data->t_ctid;
		if (TransactionIdIsValid(mover) || !HeapTupleIsHotUpdated(&tuple))
			break;
		offset = ItemPointerGetOffsetNumber(place);
		priorXmax = HeapTupleHeaderGetUpdateXid(tuple.t_data);
	}
	LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
	return TransactionIdIsValid(mover) && !TransactionIdIsInProgress(mover) &&
		TransactionIdDidCommit(mover);
}

/* See row_move.h. */
FullTransactionId
RetlFullXid(TransactionId xid)
{
	FullTransactionId next = ReadNextFullTransactionId();

	return FullTransactionIdFromU64(U64FromFullTransactionId(next) -
									(uint32) (XidFromFullTransactionId(next) - xid));
}
