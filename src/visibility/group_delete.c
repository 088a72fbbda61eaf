/*-------------------------------------------------------------------------
 *
 * group_delete.c
 *	  Deleting all rows of a row group at once.
 *
 * The deleter becomes the xmax of the group's anchor, so that every snapshot finds
 * the rows deleted, or not, as it finds any tuple.  Only a group none of whose rows
 * has a stub is deleted in this way, for what others do to rows they do through stubs,
 * without another look at the anchor.  That there is none, and will be none, is
 * ensured by the lock of the group's map: it is held while the anchor is marked, and
 * whoever makes a stub looks at the anchor once more under it (touch.c).  Stubs that the
 * map says were retired are none: who still comes to one asks the map again.
 *
 * Compaction gives anchors an xmax, too; then the rows have been moved.  That of a
 * deletion is told by t_ctid, which says what heap says of a row that has moved to
 * another partition: it is logged with the deletion, in heap's own record, and
 * neither compaction nor anything else leaves it at an anchor.
 *
 * See docs/internals/row-operations.md for why this is right.
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
#include "pgstat.h"
#include "storage/predicate.h"
#include "utils/rel.h"

#include "storage/page_alloc.h"
#include "storage/stub_map.h"
#include "visibility/anchor.h"
#include "visibility/group_delete.h"
#include "visibility/row_fetch.h"
#include "visibility/unseen_moves.h"

/*
 * Lock the anchor's page for writing, with its page of the visibility map pinned if it
 * is all-visible.
 */
static Buffer
LockAnchorPage(Relation rel, BlockNumber block, Buffer *mapBuffer)
{
	Buffer		buffer = ReadBuffer(rel, block);

	*mapBuffer = InvalidBuffer;
	for (;;)
	{
		/* not with the page locked, for it may take a read */
		if (PageIsAllVisible(BufferGetPage(buffer)))
			visibilitymap_pin(rel, block, mapBuffer);
		LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
		if (!PageIsAllVisible(BufferGetPage(buffer)) || BufferIsValid(*mapBuffer))
			return buffer;
		LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
	}
}

/*
 * May the anchor be deleted?  Its inserter must be over, so that command ids need not
 * be combined; rows that a transaction has inserted itself are deleted one by one.
 */
static bool
MayDelete(HeapTuple anchor, CommandId cid, Buffer buffer)
{
	HeapTupleHeader header = anchor->t_data;

	return HeapTupleSatisfiesUpdate(anchor, cid, buffer) == TM_Ok &&
		(HeapTupleHeaderXminCommitted(header) ||
		 !TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetRawXmin(header)));
}

/*
 * Log the deletion of an anchor, as heap_delete does it.
 */
static void
LogDelete(Buffer buffer, const HeapTupleData *anchor, bool clearedVisible)
{
	xl_heap_delete record;
	XLogRecPtr	end;

	record.flags = XLH_DELETE_IS_PARTITION_MOVE;
	if (clearedVisible)
		record.flags |= XLH_DELETE_ALL_VISIBLE_CLEARED;
	record.infobits_set = XLHL_KEYS_UPDATED;
	record.offnum = ItemPointerGetOffsetNumber(&anchor->t_self);
	record.xmax = HeapTupleHeaderGetRawXmax(anchor->t_data);

	XLogBeginInsert();
	XLogRegisterData((char *) &record, SizeOfHeapDelete);
	XLogRegisterBuffer(0, buffer, REGBUF_STANDARD);
	XLogSetRecordFlags(XLOG_INCLUDE_ORIGIN);
	end = XLogInsert(RM_HEAP_ID, XLOG_HEAP_DELETE);
	PageSetLSN(BufferGetPage(buffer), end);
}

/*
 * Give the anchor, whose page is locked, its xmax.
 */
static void
Mark(Relation rel, Buffer buffer, Buffer mapBuffer, HeapTuple anchor, TransactionId xid,
	 CommandId cid)
{
	Page		page = BufferGetPage(buffer);
	HeapTupleHeader header = anchor->t_data;
	bool		allVisible = PageIsAllVisible(page);

	START_CRIT_SECTION();
	PageSetPrunable(page, xid);
	if (allVisible)
		RetlPageClearAllVisible(rel, buffer, mapBuffer);
	header->t_infomask &= ~(HEAP_XMAX_BITS | HEAP_MOVED);
	header->t_infomask2 |= HEAP_KEYS_UPDATED;
	HeapTupleHeaderClearHotUpdated(header);
	HeapTupleHeaderSetXmax(header, xid);
	HeapTupleHeaderSetCmax(header, cid, false);
	HeapTupleHeaderSetMovedPartitions(header);
	MarkBufferDirty(buffer);
	if (RelationNeedsWAL(rel))
		LogDelete(buffer, anchor, allVisible);
	END_CRIT_SECTION();
}

/*
 * Delete the anchor of a group, the lock of whose map is held, if nobody else is at it.
 */
static bool
DeleteAnchor(Relation rel, const RetlGroupEntry *entry, CommandId cid)
{
	TransactionId xid = GetCurrentTransactionId();
	Buffer		mapBuffer;
	Buffer		buffer = LockAnchorPage(rel, entry->anchorBlock, &mapBuffer);
	HeapTupleData anchor;
	bool		may = RetlAnchorFind(rel, entry, buffer, &anchor) && MayDelete(&anchor, cid, buffer);

	if (may)
		Mark(rel, buffer, mapBuffer, &anchor, xid, cid);
	UnlockReleaseBuffer(buffer);
	if (BufferIsValid(mapBuffer))
		ReleaseBuffer(mapBuffer);
	return may;
}

/*
 * Look for serializable transactions that have read one of the rows.  Whoever reads
 * one from now on finds the deletion, for he looks at the anchor after he has locked
 * the row (RetlCheckRewrittenRow).
 */
static void
CheckConflicts(Relation rel, const RetlGroupEntry *entry)
{
	if (!IsolationIsSerializable())
		return;
	for (uint32 row = 0; row < entry->rowCount; row++)
	{
		ItemPointerData tid;

		CHECK_FOR_INTERRUPTS();
		RetlTidFromRowNumber(&tid, entry->rowBase + row);
		CheckForSerializableConflictIn(rel, &tid, ItemPointerGetBlockNumber(&tid));
	}
}

/* See group_delete.h. */
bool
RetlGroupDelete(Relation rel, const RetlGroup *group, CommandId cid)
{
	RetlGroup	now = *group;
	bool		done;

	/* nothing else may ask for a heavyweight lock while we hold the map's */
	(void) GetCurrentTransactionId();
	RetlStubMapLock(rel, &group->entry);
	done = RetlDirectoryReadStubMapRoot(rel, &now) &&
		RetlStubMapIsUntouched(rel, &now.entry) &&
		DeleteAnchor(rel, &group->entry, cid);
	RetlStubMapUnlock(rel, &group->entry);
	if (!done)
		return false;
	RetlNoteChange();
	CheckConflicts(rel, &group->entry);
	for (uint32 row = 0; row < group->entry.rowCount; row++)
		pgstat_count_heap_delete(rel);
	return true;
}
