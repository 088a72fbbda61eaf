/*-------------------------------------------------------------------------
 *
 * row_move.h
 *	  Rows that everybody sees, and taking them away where they stand.
 *
 * Compaction writes such rows anew and takes the old ones away in the same
 * transaction, so that every snapshot sees either the old or the new ones.  Each
 * old tuple's t_ctid leads to the new place.  The caller holds a lock on the
 * table that excludes VACUUM; others may change and lock rows.  How whole groups are
 * moved: group_move.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_ROW_MOVE_H
#define RETLDB_ROW_MOVE_H

#include "postgres.h"

#include "access/htup_details.h"
#include "access/transam.h"
#include "storage/bufmgr.h"
#include "utils/relcache.h"
#include "utils/snapshot.h"

#include "storage/directory.h"
#include "visibility/row_fetch.h"
#include "visibility/stub.h"

/* What is taken away. */
typedef enum RetlLeavingKind
{
	RETL_LEAVING_ROWS,			/* rows of the row store */
	RETL_LEAVING_ANCHORS,
	RETL_LEAVING_STUBS			/* that are retired */
} RetlLeavingKind;

/* A tuple that is to be taken away, or was. */
typedef struct RetlLeavingTuple
{
	OffsetNumber offset;
	bool		stays;			/* whatever it is like */
	bool		taken;
	bool		external;		/* it has values out of line */
	uint32		newRow;			/* of a row: its place in the new row group */
	BlockNumber links;			/* of an anchor: of its group, or RETLDB_NO_BLOCK */
	uint64		number;			/* of a stub: the row number that it carries */
} RetlLeavingTuple;

/* Heap tuples of one page. */
typedef struct RetlPageRows
{
	BlockNumber block;
	uint16		count;
	RetlLeavingTuple rows[FLEXIBLE_ARRAY_MEMBER];
} RetlPageRows;

#define RetlPageRowsSize(count) \
	(offsetof(RetlPageRows, rows) + sizeof(RetlLeavingTuple) * (count))

/*
 * Is this tuple visible to every snapshot there is and will be, and is nobody
 * about to change it?  The caller holds a lock on its buffer.
 */
extern bool RetlTupleIsSettled(HeapTuple tuple, TransactionId oldestXmin, Buffer buffer);

/*
 * The settled rows of a row store page into offsets, which has room for
 * MaxHeapTuplesPerPage; returns how many.  Column pages have none, nor do pages that
 * somebody uses.
 */
extern int	RetlRowStoreSettledRows(Relation rel, BlockNumber block, TransactionId oldestXmin,
									BufferAccessStrategy strategy, OffsetNumber *offsets);

/* The same for the anchor of a group. */
extern bool RetlAnchorIsSettled(Relation rel, const RetlGroupEntry *entry,
								TransactionId oldestXmin);

/*
 * Take away tuples of one page in the current transaction: those that are settled
 * still and do not have to stay, and rows and stubs only if nobody uses the page.  Rows
 * have gone to row number firstRowNumber + newRow.  Sets "taken" of each, and "external" of those that were;
 * returns how many were taken.  Values out of line of rows are deleted.
 */
extern int	RetlTuplesTakeAway(Relation rel, RetlPageRows *tuples, RetlLeavingKind kind,
							   uint64 firstRowNumber, TransactionId oldestXmin);

/*
 * The transaction that has moved, or is moving, the row of a tuple whose t_ctid
 * leads to a row of a row group; else InvalidTransactionId.  It may have aborted.
 */
static inline TransactionId
RetlTupleMover(HeapTupleHeader header)
{
	if ((header->t_infomask & (HEAP_XMAX_INVALID | HEAP_XMAX_IS_MULTI)) != 0 ||
		HEAP_XMAX_IS_LOCKED_ONLY(header->t_infomask) ||
		!RetlTidIsColumnar(&header->t_ctid))
		return InvalidTransactionId;
	return HeapTupleHeaderGetRawXmax(header);
}

/*
 * A snapshot has found a row of the row store that has been moved, or is being
 * moved, to "place": look for serializable conflicts there, too.  byPlace: the row
 * alone was read, so it is locked.  No page is locked by the caller.
 */
extern void RetlCheckMovedRow(Relation rel, const ItemPointerData *place, Snapshot snapshot,
							  bool byPlace);

/*
 * A scan whose snapshot sees a group comes to it: if the group has been rewritten, or is
 * being, look for serializable conflicts with those who have changed rows where they are now,
 * or will; if it is deleted as a whole, with whoever does that.  No page is locked by the
 * caller.
 */
extern void RetlCheckRewrittenGroup(Relation rel, const RetlGroupEntry *entry, Snapshot snapshot);

/* The same for a row of a group, which was found by its place and locked. */
extern void RetlCheckRewrittenRow(Relation rel, const RetlGroupEntry *entry, uint32 row,
								  Snapshot snapshot);

/* A transaction has ended: what it has looked for is to be looked for again. */
extern void RetlCheckRewrittenForget(void);

/*
 * Where the row at a place of a pinned page, of which a snapshot has found no
 * version, was moved by a transaction that has committed.  False if it was not.
 */
extern bool RetlFindMovedRow(Relation rel, Buffer buffer, const ItemPointerData *tid,
							 ItemPointer place);

/* The 64-bit id of a transaction that is in the past. */
extern FullTransactionId RetlFullXid(TransactionId xid);

#endif							/* RETLDB_ROW_MOVE_H */
