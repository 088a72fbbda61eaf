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
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/heapam_xlog.h"
#include "access/visibilitymap.h"
#include "access/xact.h"
#include "access/xloginsert.h"
#include "miscadmin.h"
#include "utils/rel.h"

#include "base/compat.h"
#include "base/errors.h"
#include "visibility/anchor.h"
#include "visibility/row_move.h"
#include "visibility/row_store.h"

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

/*
 * Point "tuple" to the tuple at an offset of a locked page; false if there is
 * none.
 */
static bool
GetTuple(Relation rel, Buffer buffer, OffsetNumber offset, HeapTuple tuple)
{
	Page		page = BufferGetPage(buffer);
	ItemId		lp;

	if (offset > PageGetMaxOffsetNumber(page))
		return false;
	lp = PageGetItemId(page, offset);
	if (!ItemIdIsNormal(lp))
		return false;
	if (!RetlLinePointerIsSound(lp))
		RetlReportDamagedPage(rel, BufferGetBlockNumber(buffer), "an invalid line pointer");
	tuple->t_data = (HeapTupleHeader) PageGetItem(page, lp);
	tuple->t_len = ItemIdGetLength(lp);
	tuple->t_tableOid = RelationGetRelid(rel);
	ItemPointerSet(&tuple->t_self, BufferGetBlockNumber(buffer), offset);
	return true;
}

/* See row_move.h. */
int
RetlRowStoreSettledRows(Relation rel, BlockNumber block, TransactionId oldestXmin,
						BufferAccessStrategy strategy, OffsetNumber *offsets)
{
	Buffer		buffer = ReadBufferExtended(rel, MAIN_FORKNUM, block, RBM_NORMAL, strategy);
	OffsetNumber max;
	int			count = 0;

	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	max = PageIsNew(BufferGetPage(buffer)) ? 0 : PageGetMaxOffsetNumber(BufferGetPage(buffer));
	for (OffsetNumber offset = FirstOffsetNumber; offset <= max; offset++)
	{
		HeapTupleData tuple;

		if (GetTuple(rel, buffer, offset, &tuple) && !RetlTupleIsMarked(tuple.t_data) &&
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
 * Pin and lock a page for writing, and pin its page of the visibility map if it
 * is all-visible.
 */
static Buffer
LockPageAndMap(Relation rel, BlockNumber block, Buffer *vmBuffer)
{
	Buffer		buffer = ReadBuffer(rel, block);

	*vmBuffer = InvalidBuffer;
	if (PageIsAllVisible(BufferGetPage(buffer)))
		visibilitymap_pin(rel, block, vmBuffer);
	LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
	while (*vmBuffer == InvalidBuffer && PageIsAllVisible(BufferGetPage(buffer)))
	{
		/* not with the page locked, for it may take a read */
		LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
		visibilitymap_pin(rel, block, vmBuffer);
		LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
	}
	return buffer;
}

/*
 * Give a tuple of a locked page an xmax.
 */
static void
SetXmax(HeapTuple tuple, TransactionId xid, CommandId cid)
{
	HeapTupleHeader header = tuple->t_data;

	header->t_infomask &= ~(HEAP_XMAX_BITS | HEAP_MOVED);
	header->t_infomask2 |= HEAP_KEYS_UPDATED;
	HeapTupleHeaderClearHotUpdated(header);
	HeapTupleHeaderSetXmax(header, xid);
	HeapTupleHeaderSetCmax(header, cid, false);
	header->t_ctid = tuple->t_self;
}

/* See row_move.h. */
void
RetlTuplesTakeAway(Relation rel, BlockNumber block, const OffsetNumber *offsets, int count,
				   TransactionId oldestXmin)
{
	TransactionId xid = GetCurrentTransactionId();
	CommandId	cid = GetCurrentCommandId(true);
	Buffer		vmBuffer;
	Buffer		buffer = LockPageAndMap(rel, block, &vmBuffer);
	Page		page = BufferGetPage(buffer);
	bool		allVisible = PageIsAllVisible(page);
	HeapTupleData *tuples = palloc(sizeof(HeapTupleData) * Max(count, 1));

	for (int i = 0; i < count; i++)
		if (!GetTuple(rel, buffer, offsets[i], &tuples[i]) ||
			!RetlTupleIsSettled(&tuples[i], oldestXmin, buffer))
			ereport(ERROR,
					(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
					 errmsg("could not compact table \"%s\" due to concurrent changes",
							RelationGetRelationName(rel))));

	START_CRIT_SECTION();
	PageSetPrunable(page, xid);
	if (allVisible)
	{
		PageClearAllVisible(page);
		visibilitymap_clear(rel, block, vmBuffer, VISIBILITYMAP_VALID_BITS);
	}
	for (int i = 0; i < count; i++)
		SetXmax(&tuples[i], xid, cid);
	MarkBufferDirty(buffer);
	if (RelationNeedsWAL(rel))
		LogTakenAway(buffer, allVisible);
	END_CRIT_SECTION();

	UnlockReleaseBuffer(buffer);
	if (vmBuffer != InvalidBuffer)
		ReleaseBuffer(vmBuffer);
	pfree(tuples);
}

/* See row_move.h. */
FullTransactionId
RetlFullXid(TransactionId xid)
{
	FullTransactionId next = ReadNextFullTransactionId();

	return FullTransactionIdFromU64(U64FromFullTransactionId(next) -
									(uint32) (XidFromFullTransactionId(next) - xid));
}
