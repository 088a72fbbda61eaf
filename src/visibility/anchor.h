/*-------------------------------------------------------------------------
 *
 * anchor.h
 *	  Anchors: the heap tuples that make row groups visible.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_ANCHOR_H
#define RETLDB_ANCHOR_H

#include "postgres.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/tableam.h"
#include "utils/snapshot.h"

#include "storage/directory.h"

/* Is this heap tuple one of ours (anchor or stub), not a row of the table? */
static inline bool
RetlTupleIsMarked(HeapTupleHeader tuple)
{
	return (tuple->t_infomask2 & RETLDB_MARK_BITS) != 0;
}

/*
 * Same, in a table that nobody else sees yet: as if the inserter named in a
 * tuple's header had done it, or, with NULL, an anchor that everybody sees.
 */
extern ItemPointerData RetlAnchorInsertAs(Relation rel, uint64 groupId,
										  const HeapTupleHeaderData *inserter);

/*
 * The same table: the rows of the group were moved, its links begin at this block.
 */
extern void RetlAnchorSetLinks(Relation rel, const RetlGroupEntry *entry, BlockNumber links);

/* Has a marked tuple the form and the checksum of an anchor? */
extern bool RetlAnchorIsSound(HeapTuple tuple);

/* Has an unmarked tuple been an anchor, by its length, attributes and magic? */
extern bool RetlAnchorHasLostMark(const HeapTupleData *tuple);

/*
 * Insert the anchor of a group in the current transaction; returns its TID.
 * frozen: as COPY FREEZE wants it.
 */
extern ItemPointerData RetlAnchorInsert(Relation rel, uint64 groupId, CommandId cid, bool frozen);

/*
 * The first page of the row store with room for so many anchors; InvalidBlockNumber
 * if there is none among the first pages.  Anchors at the end of the file would keep
 * it from being cut off.
 */
extern BlockNumber RetlAnchorFindRoom(Relation rel, const RetlDirectory *directory, int anchors);

/*
 * Is the group visible to the snapshot?  If so, and header is not NULL, a copy
 * of the anchor's tuple header is put there (xmin, cmin of all its rows).
 * Takes part in serializable conflict detection.
 */
extern bool RetlAnchorIsVisible(Relation rel, const RetlGroupEntry *entry, Snapshot snapshot,
								HeapTupleHeader header);

/*
 * The same, and unless allDead is NULL, say whether it is sure that no snapshot
 * will ever see the group again.
 */
extern bool RetlAnchorIsVisibleOrDead(Relation rel, const RetlGroupEntry *entry,
									  Snapshot snapshot, HeapTupleHeader header,
									  bool *allDead);

/*
 * The same of a group that compaction has written, by whatever says that its rows are
 * deleted: the snapshot need not see who moved them there, but he has committed.
 */
extern bool RetlAnchorIsVisibleAsMoved(Relation rel, const RetlGroupEntry *entry,
									   Snapshot snapshot);

/*
 * Make the copy of an anchor's header say who inserted the rows, rather than who
 * has compacted them: the newest of the inserters.
 */
extern void RetlAnchorSetInserter(HeapTupleHeader header, const RetlGroupEntry *entry);

/* Who is taking the anchor of a group away, or has done so. */
typedef struct RetlAnchorLeaving
{
	TransactionId xid;			/* InvalidTransactionId: nobody, or it is gone */
	bool		deleted;		/* with all its rows (group_delete.h), which are moved otherwise */
	BlockNumber links;			/* where the rows have gone; RETLDB_NO_BLOCK: not known */
	CommandId	cmax;			/* of our own deletion, if a later command than ours made it */
} RetlAnchorLeaving;

/*
 * May the command change rows of the group, as far as their insertion goes?  As
 * HeapTupleSatisfiesUpdate says of the anchor; TM_Deleted if it is gone.
 */
extern TM_Result RetlAnchorSatisfiesUpdate(Relation rel, const RetlGroupEntry *entry,
										   CommandId cid, RetlAnchorLeaving *leaving);

/* Is nobody taking the anchor away, or has done so? */
extern bool RetlAnchorStays(Relation rel, const RetlGroupEntry *entry);

/*
 * Has a transaction that has committed taken the anchor away, which still stands?
 * If so, where are the links (or RETLDB_NO_BLOCK)?
 */
extern bool RetlAnchorHasLeft(Relation rel, const RetlGroupEntry *entry, BlockNumber *links);

/*
 * Find a group's anchor.  If it is there, returns true with its page share-locked
 * and pinned; else nothing is locked or pinned.
 */
extern bool RetlAnchorLock(Relation rel, const RetlGroupEntry *entry, Buffer *buffer,
						   HeapTuple tuple);

/*
 * Find a group's anchor on its page, which the caller has locked.
 */
extern bool RetlAnchorFind(Relation rel, const RetlGroupEntry *entry, Buffer buffer,
						   HeapTuple tuple);

/*
 * Has a tuple that is an anchor an xmax which deletes the group's rows, rather than
 * one that moves them?  (whatever has become of that transaction)
 */
static inline bool
RetlAnchorIsDeleted(HeapTupleHeader anchor)
{
	return (anchor->t_infomask & HEAP_XMAX_INVALID) == 0 &&
		HeapTupleHeaderIndicatesMovedPartitions(anchor);
}

/* Does the anchor still stand, whoever may see it?  (VACUUM, verification) */
extern bool RetlAnchorExists(Relation rel, const RetlGroupEntry *entry);

/*
 * The anchor's state as VACUUM and ANALYZE see it; HEAPTUPLE_DEAD if it is
 * gone.  *own tells whether it is the current transaction that is inserting or
 * deleting it.
 */
extern HTSV_Result RetlAnchorVacuumState(Relation rel, const RetlGroupEntry *entry,
										 TransactionId oldestXmin, bool *own);

/*
 * Has an anchor that still stands been taken away by a transaction which has
 * committed?  *deleted tells whether the rows were deleted with it.
 */
extern bool RetlAnchorIsDying(Relation rel, const RetlGroupEntry *entry,
							  TransactionId oldestXmin, bool *deleted);

/*
 * The same as RetlAnchorVacuumState; *xid is the transaction, or one of its subtransactions, that is
 * inserting or deleting it.
 */
extern HTSV_Result RetlAnchorStateAndXid(Relation rel, const RetlGroupEntry *entry,
										 TransactionId oldestXmin, TransactionId *xid);

#endif							/* RETLDB_ANCHOR_H */
