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
#include "access/xact.h"
#include "pgstat.h"
#include "storage/bufmgr.h"
#include "storage/predicate.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/compat.h"
#include "visibility/anchor.h"

StaticAssertDecl(RETLDB_ANCHOR_PAYLOAD_OFFSET == MAXALIGN(SizeofHeapTupleHeader),
				 "the anchor's payload follows the tuple header");
StaticAssertDecl((RETLDB_MARK_BITS & (HEAP_NATTS_MASK | HEAP2_XACT_MASK)) == 0,
				 "marks do not collide with PostgreSQL's bits");

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

	heap_insert(rel, tuple, cid,
				HEAP_INSERT_NO_LOGICAL | (frozen ? HEAP_INSERT_FROZEN : 0), NULL);
	pgstat_count_heap_insert(rel, -1);

	tid = tuple->t_self;
	pfree(tuple);
	return tid;
}

/*
 * Lock the anchor's page and find the anchor on it.  If it is there, returns
 * true with the page share-locked; else nothing is locked or pinned.
 */
static bool
LockAnchor(Relation rel, const RetlGroupEntry *entry, Buffer *buffer, HeapTuple tuple)
{
	Page		page;
	ItemId		lp;

	*buffer = ReadBuffer(rel, entry->anchorBlock);
	LockBuffer(*buffer, BUFFER_LOCK_SHARE);
	page = BufferGetPage(*buffer);

	if (!PageIsNew(page) && entry->anchorOffset <= PageGetMaxOffsetNumber(page))
	{
		lp = PageGetItemId(page, entry->anchorOffset);
		if (ItemIdIsNormal(lp) && ItemIdGetLength(lp) == RETLDB_ANCHOR_LENGTH)
		{
			RetlAnchorPayload *payload;

			tuple->t_data = (HeapTupleHeader) PageGetItem(page, lp);
			tuple->t_len = ItemIdGetLength(lp);
			tuple->t_tableOid = RelationGetRelid(rel);
			ItemPointerSet(&tuple->t_self, entry->anchorBlock, entry->anchorOffset);
			payload = (RetlAnchorPayload *) ((char *) tuple->t_data + RETLDB_ANCHOR_PAYLOAD_OFFSET);
			if ((tuple->t_data->t_infomask2 & RETLDB_ANCHOR_BIT) != 0 &&
				payload->magic == RETLDB_ANCHOR_MAGIC &&
				payload->groupId == entry->groupId)
				return true;
		}
	}
	UnlockReleaseBuffer(*buffer);
	return false;
}

/*
 * Is the group visible to the snapshot?
 */
bool
RetlAnchorIsVisible(Relation rel, const RetlGroupEntry *entry, Snapshot snapshot,
					HeapTupleHeader header)
{
	Buffer		buffer;
	HeapTupleData tuple;
	bool		visible;

	if (!LockAnchor(rel, entry, &buffer, &tuple))
		return false;
	RetlTestForOldSnapshot(snapshot, rel, BufferGetPage(buffer));
	visible = HeapTupleSatisfiesVisibility(&tuple, snapshot, buffer);
	HeapCheckForSerializableConflictOut(visible, rel, &tuple, buffer, snapshot);
	if (visible && header != NULL)
		memcpy(header, tuple.t_data, SizeofHeapTupleHeader);
	UnlockReleaseBuffer(buffer);
	return visible;
}

/*
 * Does the anchor still stand, whoever may see it?
 */
bool
RetlAnchorExists(Relation rel, const RetlGroupEntry *entry)
{
	Buffer		buffer;
	HeapTupleData tuple;

	if (!LockAnchor(rel, entry, &buffer, &tuple))
		return false;
	UnlockReleaseBuffer(buffer);
	return true;
}

/*
 * The anchor's state as VACUUM and ANALYZE see it.
 */
HTSV_Result
RetlAnchorVacuumState(Relation rel, const RetlGroupEntry *entry, TransactionId oldestXmin,
					  bool *own)
{
	Buffer		buffer;
	HeapTupleData tuple;
	HTSV_Result result;

	*own = false;
	if (!LockAnchor(rel, entry, &buffer, &tuple))
		return HEAPTUPLE_DEAD;
	result = HeapTupleSatisfiesVacuum(&tuple, oldestXmin, buffer);
	if (result == HEAPTUPLE_INSERT_IN_PROGRESS)
		*own = TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetXmin(tuple.t_data));
	UnlockReleaseBuffer(buffer);
	return result;
}
