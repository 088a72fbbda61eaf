/*-------------------------------------------------------------------------
 *
 * unseen_moves.h
 *	  Rows that compaction has moved while a snapshot does not see that.
 *
 * The snapshot sees such a row in its old place.  Whoever changes it, ourselves
 * included, does so in the new one.  See docs/internals/compaction.md.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_UNSEEN_MOVES_H
#define RETLDB_UNSEEN_MOVES_H

#include "postgres.h"

#include "access/htup_details.h"
#include "access/parallel.h"
#include "access/xact.h"
#include "storage/bufmgr.h"
#include "utils/relcache.h"
#include "utils/snapmgr.h"

#include "base/compat.h"
#include "storage/directory.h"
#include "visibility/row_move.h"
#include "visibility/stub.h"

/* Has this transaction changed a row of a row group?  (unseen_moves.c) */
extern bool RetlRowsWereChanged;

/* The current transaction has updated or deleted rows of a row group. */
static inline void
RetlNoteChange(void)
{
	RetlRowsWereChanged = true;
}

/* The transaction has ended. */
extern void RetlForgetChanges(void);

/*
 * May the snapshot have to be told what the current transaction has done to rows in
 * places that it does not see?  Parallel workers do not know what their leader has done.
 */
static inline bool
RetlOwnChangesMatter(Snapshot snapshot)
{
	return (RetlRowsWereChanged ||
			(IsParallelWorker() && TransactionIdIsValid(GetTopTransactionIdIfAny()))) &&
		IsMVCCSnapshot(snapshot);
}

/*
 * The same for rows of a group that the snapshot sees, by a copy of its anchor's header.
 */
static inline bool
RetlOwnChangesMatterTo(const HeapTupleHeaderData *anchor, Snapshot snapshot)
{
	return RetlOwnChangesMatter(snapshot) && (anchor->t_infomask & HEAP_XMAX_INVALID) == 0;
}

/* The same as the function below, of a row that has been moved or is being moved. */
extern bool RetlMovedRowStays(Relation rel, HeapTuple tuple, Buffer buffer, Snapshot snapshot,
							  bool byPlace);

/*
 * A snapshot has found a row of the row store, whose page is pinned and not locked.  If
 * it has been moved, or is being moved, look for serializable conflicts there, too; false
 * if the current transaction has changed it there, so that it is not there for the
 * snapshot.  byPlace: the row alone was read, so it is locked.
 */
static inline bool
RetlStoreRowStays(Relation rel, HeapTuple tuple, Buffer buffer, Snapshot snapshot, bool byPlace)
{
	return !TransactionIdIsValid(RetlTupleMover(tuple->t_data)) ||
		RetlMovedRowStays(rel, tuple, buffer, snapshot, byPlace);
}

/*
 * The snapshot sees a row of a group, to which changes of our own may matter: false if it
 * is not there, for it was moved and we have changed it where it is now.
 */
extern bool RetlGroupRowStays(Relation rel, const RetlGroupEntry *entry, uint32 row,
							  Snapshot snapshot);

/* The same for all rows of the group: those that are not there are hidden. */
extern void RetlHideOwnChanges(RetlHiddenRows *hidden, Relation rel, const RetlGroupEntry *entry,
							   Snapshot snapshot);

/*
 * Does an MVCC snapshot see that a row was inserted, in this place or the one that it had before?
 * The row number is that of a stub, so the row was in this group when somebody came to it for
 * the first time.
 */
extern bool RetlRowWasInserted(Relation rel, uint64 rowNumber, Snapshot snapshot);

/*
 * The snapshot does not see the group of a row.  Has compaction written it, and does the
 * snapshot see all of its rows where they were before, but for those that were deleted or
 * updated since?
 */
extern bool RetlGroupIsSeenElsewhere(Relation rel, const RetlGroupEntry *entry,
									 Snapshot snapshot);

/*
 * Does the snapshot, which does not see a row of a row group in this place, see it in the
 * one that it had before?
 */
extern bool RetlRowIsSeenElsewhere(Relation rel, const ItemPointerData *tid, Snapshot snapshot);

/* A row has been moved by a transaction that we do not see, and cannot be found. */
pg_noreturn extern void RetlReportMoved(Relation rel);

#endif							/* RETLDB_UNSEEN_MOVES_H */
