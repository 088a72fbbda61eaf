/*-------------------------------------------------------------------------
 *
 * anchor.c
 *	  Anchors: the heap tuples that make row groups visible.
 *
 * An anchor is a heap tuple without attributes, marked by a bit of t_infomask2
 * that PostgreSQL leaves alone, with the group's id in front of t_hoff.
 * Everything that decides about visibility, from savepoints to freezing, is
 * done to it by heap code.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/transam.h"
#include "access/xact.h"
#include "access/xloginsert.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/bufmgr.h"
#include "storage/freespace.h"
#include "storage/predicate.h"
#include "storage/procarray.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/compat.h"
#include "base/errors.h"
#include "format/checksum.h"
#include "visibility/anchor.h"
#include "visibility/row_move.h"
#include "visibility/row_store.h"

/* Pages of the row store in which room for anchors is looked for. */
#define MAX_ROOM_BLOCKS	1024

StaticAssertDecl(RETLDB_ANCHOR_PAYLOAD_OFFSET == MAXALIGN(SizeofHeapTupleHeader),
				 "the anchor's payload follows the tuple header");
StaticAssertDecl((RETLDB_MARK_BITS & (HEAP_NATTS_MASK | HEAP2_XACT_MASK)) == 0,
				 "marks do not collide with PostgreSQL's bits");

/*
 * Checksum of an anchor's payload.
 */
static uint32
AnchorChecksum(const RetlAnchorPayload *payload)
{
	return RetlCrc32cWithout(0, payload, sizeof(*payload), offsetof(RetlAnchorPayload, checksum));
}

/*
 * Enter a row store page in the free space map.  Heap looks for room there and
 * on the last page of the fork, and the last page soon is a column page: every
 * session would begin a page of its own until the next VACUUM.
 */
static void
AnnounceFreeSpace(Relation rel, BlockNumber block)
{
	Buffer		buffer = ReadBuffer(rel, block);
	Size		space;

	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	space = PageGetHeapFreeSpace(BufferGetPage(buffer));
	UnlockReleaseBuffer(buffer);

	RecordPageWithFreeSpace(rel, block, space);
	FreeSpaceMapVacuumRange(rel, block, block + 1);
}

/* See anchor.h. */
BlockNumber
RetlAnchorFindRoom(Relation rel, const RetlDirectory *directory, int anchors)
{
	Size		needed = anchors * (MAXALIGN(RETLDB_ANCHOR_LENGTH) + sizeof(ItemIdData)) +
		RelationGetTargetPageFreeSpace(rel, HEAP_DEFAULT_FILLFACTOR);
	BlockNumber found = InvalidBlockNumber;
	int			looked = 0;
	int			runCount;
	RetlRun    *runs = RetlRowStoreRuns(rel, directory, RelationGetNumberOfBlocks(rel), &runCount);

	for (int i = 0; i < runCount && looked < MAX_ROOM_BLOCKS && !BlockNumberIsValid(found); i++)
		for (uint32 j = 0; j < runs[i].length && looked < MAX_ROOM_BLOCKS; j++, looked++)
		{
			Buffer		buffer;
			Page		page;
			bool		roomy;

			/* the map may be out of date */
			if (GetRecordedFreeSpace(rel, runs[i].start + j) < needed)
				continue;
			buffer = ReadBuffer(rel, runs[i].start + j);
			LockBuffer(buffer, BUFFER_LOCK_SHARE);
			page = BufferGetPage(buffer);
			roomy = !PageIsNew(page) && PageGetHeapFreeSpace(page) >= needed;
			UnlockReleaseBuffer(buffer);
			if (roomy)
			{
				found = runs[i].start + j;
				break;
			}
		}
	pfree(runs);
	return found;
}

/*
 * Insert the anchor of a group in the current transaction.  It is not decoded
 * logically and does not count as a row.
 */
ItemPointerData
RetlAnchorInsert(Relation rel, uint64 groupId, CommandId cid, bool frozen)
{
	HeapTuple	tuple = palloc0(HEAPTUPLESIZE + RETLDB_ANCHOR_LENGTH);
	RetlAnchorPayload *payload;
	ItemPointerData tid;

	tuple->t_len = RETLDB_ANCHOR_LENGTH;
	tuple->t_data = (HeapTupleHeader) ((char *) tuple + HEAPTUPLESIZE);
	tuple->t_data->t_hoff = RETLDB_ANCHOR_LENGTH;
	tuple->t_data->t_infomask2 = RETLDB_ANCHOR_BIT;
	payload = (RetlAnchorPayload *) ((char *) tuple->t_data + RETLDB_ANCHOR_PAYLOAD_OFFSET);
	payload->magic = RETLDB_ANCHOR_MAGIC;
	payload->groupId = groupId;
	payload->checksum = AnchorChecksum(payload);

	heap_insert(rel, tuple, cid,
				HEAP_INSERT_NO_LOGICAL | (frozen ? HEAP_INSERT_FROZEN : 0), NULL);
	pgstat_count_heap_insert(rel, -1);

	tid = tuple->t_self;
	pfree(tuple);
	AnnounceFreeSpace(rel, ItemPointerGetBlockNumber(&tid));
	return tid;
}

/*
 * Insert the anchor of a group in a table that nobody else sees yet, as if
 * whoever is named in another tuple's header had done it; with NULL, as one that
 * has always been there.  Whoever has taken that away, or deleted it, has done so with
 * this one.
 *
 * Logged as an image of the page: generic WAL would be a difference to a page that
 * replay makes without command ids, which wal_consistency_checking reports.
 */
ItemPointerData
RetlAnchorInsertAs(Relation rel, uint64 groupId, const HeapTupleHeaderData *inserter)
{
	ItemPointerData tid = RetlAnchorInsert(rel, groupId, GetCurrentCommandId(true), true);
	Buffer		buffer = ReadBuffer(rel, ItemPointerGetBlockNumber(&tid));
	Page		page;
	HeapTupleHeader header;

	LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
	page = BufferGetPage(buffer);
	header = (HeapTupleHeader) PageGetItem(page, PageGetItemId(page, ItemPointerGetOffsetNumber(&tid)));

	START_CRIT_SECTION();
	if (inserter != NULL)
	{
		header->t_choice.t_heap = inserter->t_choice.t_heap;
		header->t_infomask = (header->t_infomask & ~HEAP_XACT_MASK) |
			(inserter->t_infomask & HEAP_XACT_MASK);
		header->t_infomask2 |= inserter->t_infomask2 & HEAP2_XACT_MASK;
		if (HeapTupleHeaderIndicatesMovedPartitions(inserter))
			HeapTupleHeaderSetMovedPartitions(header);
	}
	else
		HeapTupleHeaderSetXmin(header, FrozenTransactionId);
	MarkBufferDirty(buffer);
	if (RelationNeedsWAL(rel))
		log_newpage_buffer(buffer, true);
	END_CRIT_SECTION();

	UnlockReleaseBuffer(buffer);
	return tid;
}

/*
 * Has a marked tuple the form and the checksum of an anchor?
 */
bool
RetlAnchorIsSound(HeapTuple tuple)
{
	RetlAnchorPayload *payload =
		(RetlAnchorPayload *) ((char *) tuple->t_data + RETLDB_ANCHOR_PAYLOAD_OFFSET);

	return tuple->t_len == RETLDB_ANCHOR_LENGTH &&
		tuple->t_data->t_hoff == RETLDB_ANCHOR_LENGTH &&
		payload->magic == RETLDB_ANCHOR_MAGIC &&
		payload->checksum == AnchorChecksum(payload);
}

/*
 * Has an unmarked tuple been an anchor, by its length, attributes and magic?
 */
bool
RetlAnchorHasLostMark(const HeapTupleData *tuple)
{
	RetlAnchorPayload *payload =
		(RetlAnchorPayload *) ((char *) tuple->t_data + RETLDB_ANCHOR_PAYLOAD_OFFSET);

	return tuple->t_len == RETLDB_ANCHOR_LENGTH &&
		HeapTupleHeaderGetNatts(tuple->t_data) == 0 &&
		payload->magic == RETLDB_ANCHOR_MAGIC;
}

/*
 * Is this tuple the anchor of the group?  A marked tuple may be another group's
 * that got the line pointer of a dead one, but it must be sound: a group must
 * not vanish because its anchor is damaged.
 */
static bool
IsAnchorOf(Relation rel, const RetlGroupEntry *entry, HeapTuple tuple)
{
	bool		marked = (tuple->t_data->t_infomask2 & RETLDB_ANCHOR_BIT) != 0;
	RetlAnchorPayload *payload;

	if (!marked && !RetlAnchorHasLostMark(tuple))
		return false;
	if (!marked || !RetlAnchorIsSound(tuple))
		RetlReportDamagedGroup(rel, entry->groupId, NULL,
							   psprintf("no sound anchor at (%u,%u)", entry->anchorBlock,
										entry->anchorOffset));
	payload = (RetlAnchorPayload *) ((char *) tuple->t_data + RETLDB_ANCHOR_PAYLOAD_OFFSET);
	return payload->groupId == entry->groupId;
}

/* See anchor.h. */
bool
RetlAnchorFind(Relation rel, const RetlGroupEntry *entry, Buffer buffer, HeapTuple tuple)
{
	return RetlPageGetTuple(rel, buffer, entry->anchorOffset, tuple) &&
		IsAnchorOf(rel, entry, tuple);
}

/*
 * Lock the anchor's page and find the anchor on it.
 */
bool
RetlAnchorLock(Relation rel, const RetlGroupEntry *entry, Buffer *buffer, HeapTuple tuple)
{
	*buffer = ReadBuffer(rel, entry->anchorBlock);
	LockBuffer(*buffer, BUFFER_LOCK_SHARE);
	if (RetlAnchorFind(rel, entry, *buffer, tuple))
		return true;
	UnlockReleaseBuffer(*buffer);
	return false;
}

/* See anchor.h.  Logged as by RetlAnchorInsertAs. */
void
RetlAnchorSetLinks(Relation rel, const RetlGroupEntry *entry, BlockNumber links)
{
	Buffer		buffer = ReadBuffer(rel, entry->anchorBlock);
	HeapTupleData tuple;

	LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
	if (!RetlAnchorFind(rel, entry, buffer, &tuple))
		elog(ERROR, "row group of table \"%s\" has gone", RelationGetRelationName(rel));
	START_CRIT_SECTION();
	ItemPointerSet(&tuple.t_data->t_ctid, links, FirstOffsetNumber);
	MarkBufferDirty(buffer);
	if (RelationNeedsWAL(rel))
		log_newpage_buffer(buffer, true);
	END_CRIT_SECTION();
	UnlockReleaseBuffer(buffer);
}

/*
 * Is the group visible to the snapshot?  If not, is it dead for everybody?
 */
bool
RetlAnchorIsVisibleOrDead(Relation rel, const RetlGroupEntry *entry, Snapshot snapshot,
						  HeapTupleHeader header, bool *allDead)
{
	Buffer		buffer;
	HeapTupleData tuple;
	bool		visible;

	if (!RetlAnchorLock(rel, entry, &buffer, &tuple))
	{
		if (allDead != NULL)
			*allDead = true;
		return false;
	}
	RetlTestForOldSnapshot(snapshot, rel, BufferGetPage(buffer));
	visible = HeapTupleSatisfiesVisibility(&tuple, snapshot, buffer);
	HeapCheckForSerializableConflictOut(visible, rel, &tuple, buffer, snapshot);
	if (visible && header != NULL)
		memcpy(header, tuple.t_data, SizeofHeapTupleHeader);
	if (allDead != NULL)
		*allDead = !visible && HeapTupleIsSurelyDead(&tuple, GlobalVisTestFor(rel));
	UnlockReleaseBuffer(buffer);
	return visible;
}

/*
 * Is the group visible to the snapshot?
 */
bool
RetlAnchorIsVisible(Relation rel, const RetlGroupEntry *entry, Snapshot snapshot,
					HeapTupleHeader header)
{
	return RetlAnchorIsVisibleOrDead(rel, entry, snapshot, header, NULL);
}

/* See anchor.h.  Hints are set in the copy only. */
bool
RetlAnchorIsVisibleAsMoved(Relation rel, const RetlGroupEntry *entry, Snapshot snapshot)
{
	HeapTupleHeaderData header;
	Buffer		buffer;
	HeapTupleData tuple;
	bool		visible = false;

	if (!RetlAnchorLock(rel, entry, &buffer, &tuple))
		return false;
	memcpy(&header, tuple.t_data, SizeofHeapTupleHeader);
	if (HeapTupleHeaderXminCommitted(&header) ||
		(!TransactionIdIsInProgress(HeapTupleHeaderGetRawXmin(&header)) &&
		 TransactionIdDidCommit(HeapTupleHeaderGetRawXmin(&header))))
	{
		HeapTupleHeaderSetXminFrozen(&header);
		tuple.t_data = &header;
		visible = HeapTupleSatisfiesVisibility(&tuple, snapshot, buffer);
		HeapCheckForSerializableConflictOut(visible, rel, &tuple, buffer, snapshot);
	}
	UnlockReleaseBuffer(buffer);
	return visible;
}

/*
 * Make the copy of an anchor's header say who inserted the rows.  They were
 * visible to everybody when they were compacted.
 */
void
RetlAnchorSetInserter(HeapTupleHeader header, const RetlGroupEntry *entry)
{
	HeapTupleHeaderSetXmin(header, (TransactionId) entry->writerXid);
	HeapTupleHeaderSetXminFrozen(header);
	header->t_choice.t_heap.t_field3.t_cid = FirstCommandId;
}

/* Nobody takes it away. */
static void
InitLeaving(RetlAnchorLeaving *leaving)
{
	leaving->xid = InvalidTransactionId;
	leaving->deleted = false;
	leaving->links = RETLDB_NO_BLOCK;
	leaving->cmax = InvalidCommandId;
}

/*
 * Who takes an anchor away, and where the links are; its page is locked.
 */
static void
FillLeaving(const HeapTupleData *tuple, RetlAnchorLeaving *leaving)
{
	HeapTupleHeader header = tuple->t_data;

	InitLeaving(leaving);
	if ((header->t_infomask & (HEAP_XMAX_INVALID | HEAP_XMAX_IS_MULTI)) != 0 ||
		HEAP_XMAX_IS_LOCKED_ONLY(header->t_infomask))
		return;
	leaving->xid = HeapTupleHeaderGetRawXmax(header);
	leaving->deleted = RetlAnchorIsDeleted(header);
	if (!leaving->deleted &&
		!ItemPointerEquals(&header->t_ctid, unconstify(ItemPointerData *, &tuple->t_self)))
		leaving->links = ItemPointerGetBlockNumberNoCheck(&header->t_ctid);
}

/*
 * May the command change rows of the group?
 */
TM_Result
RetlAnchorSatisfiesUpdate(Relation rel, const RetlGroupEntry *entry, CommandId cid,
						  RetlAnchorLeaving *leaving)
{
	Buffer		buffer;
	HeapTupleData tuple;
	TM_Result	result;

	InitLeaving(leaving);
	if (!RetlAnchorLock(rel, entry, &buffer, &tuple))
		return TM_Deleted;
	result = HeapTupleSatisfiesUpdate(&tuple, cid, buffer);
	FillLeaving(&tuple, leaving);
	if (result == TM_SelfModified)
		leaving->cmax = HeapTupleHeaderGetCmax(tuple.t_data);
	UnlockReleaseBuffer(buffer);
	return result;
}

/*
 * Who takes the anchor of a group away; false if it is gone.
 */
static bool
ReadLeaving(Relation rel, const RetlGroupEntry *entry, RetlAnchorLeaving *leaving)
{
	Buffer		buffer;
	HeapTupleData tuple;

	if (!RetlAnchorLock(rel, entry, &buffer, &tuple))
		return false;
	FillLeaving(&tuple, leaving);
	UnlockReleaseBuffer(buffer);
	return true;
}

/* See anchor.h. */
bool
RetlAnchorStays(Relation rel, const RetlGroupEntry *entry)
{
	RetlAnchorLeaving leaving;

	if (!ReadLeaving(rel, entry, &leaving))
		return false;
	return !TransactionIdIsValid(leaving.xid) ||
		(!TransactionIdIsInProgress(leaving.xid) && !TransactionIdDidCommit(leaving.xid));
}

/* See anchor.h. */
bool
RetlAnchorHasLeft(Relation rel, const RetlGroupEntry *entry, BlockNumber *links)
{
	RetlAnchorLeaving leaving;

	if (!ReadLeaving(rel, entry, &leaving))
		return false;
	*links = leaving.links;
	return TransactionIdIsValid(leaving.xid) && !TransactionIdIsInProgress(leaving.xid) &&
		TransactionIdDidCommit(leaving.xid);
}

/*
 * Does the anchor still stand, whoever may see it?
 */
bool
RetlAnchorExists(Relation rel, const RetlGroupEntry *entry)
{
	Buffer		buffer;
	HeapTupleData tuple;

	if (!RetlAnchorLock(rel, entry, &buffer, &tuple))
		return false;
	UnlockReleaseBuffer(buffer);
	return true;
}

/*
 * The anchor's state as VACUUM sees it, and who is at work on it.
 */
HTSV_Result
RetlAnchorStateAndXid(Relation rel, const RetlGroupEntry *entry, TransactionId oldestXmin,
					  TransactionId *xid)
{
	Buffer		buffer;
	HeapTupleData tuple;
	HTSV_Result result;

	*xid = InvalidTransactionId;
	if (!RetlAnchorLock(rel, entry, &buffer, &tuple))
		return HEAPTUPLE_DEAD;
	result = HeapTupleSatisfiesVacuum(&tuple, oldestXmin, buffer);
	if (result == HEAPTUPLE_INSERT_IN_PROGRESS)
		*xid = HeapTupleHeaderGetXmin(tuple.t_data);
	else if (result == HEAPTUPLE_DELETE_IN_PROGRESS)
		*xid = HeapTupleHeaderGetUpdateXid(tuple.t_data);
	UnlockReleaseBuffer(buffer);
	return result;
}

/*
 * The anchor's state as VACUUM and ANALYZE see it.
 */
HTSV_Result
RetlAnchorVacuumState(Relation rel, const RetlGroupEntry *entry, TransactionId oldestXmin,
					  bool *own)
{
	TransactionId xid;
	HTSV_Result result = RetlAnchorStateAndXid(rel, entry, oldestXmin, &xid);

	*own = TransactionIdIsValid(xid) && TransactionIdIsCurrentTransactionId(xid);
	return result;
}

/* See anchor.h. */
bool
RetlAnchorIsDying(Relation rel, const RetlGroupEntry *entry, TransactionId oldestXmin,
				  bool *deleted)
{
	Buffer		buffer;
	HeapTupleData tuple;
	HTSV_Result state;

	*deleted = false;
	if (!RetlAnchorLock(rel, entry, &buffer, &tuple))
		return false;
	state = HeapTupleSatisfiesVacuum(&tuple, oldestXmin, buffer);
	*deleted = RetlAnchorIsDeleted(tuple.t_data);
	UnlockReleaseBuffer(buffer);
	return state == HEAPTUPLE_RECENTLY_DEAD || state == HEAPTUPLE_DEAD;
}

/*
 * Is the anchor visible to every snapshot, and is nobody about to change it?
 */
bool
RetlAnchorIsSettled(Relation rel, const RetlGroupEntry *entry, TransactionId oldestXmin)
{
	Buffer		buffer;
	HeapTupleData tuple;
	bool		settled;

	if (!RetlAnchorLock(rel, entry, &buffer, &tuple))
		return false;
	settled = RetlTupleIsSettled(&tuple, oldestXmin, buffer);
	UnlockReleaseBuffer(buffer);
	return settled;
}
