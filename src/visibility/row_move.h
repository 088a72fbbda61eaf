/*-------------------------------------------------------------------------
 *
 * row_move.h
 *	  Rows that everybody sees, and taking them away where they stand.
 *
 * Compaction writes such rows anew and takes the old ones away in the same
 * transaction, so that every snapshot sees either the old or the new ones.
 * The caller holds a lock on the table that excludes VACUUM and all who change
 * or lock rows.
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

#include "storage/directory.h"

/* Heap tuples of one page. */
typedef struct RetlPageRows
{
	BlockNumber block;
	uint16		count;
	OffsetNumber offsets[FLEXIBLE_ARRAY_MEMBER];
} RetlPageRows;

/*
 * Is this tuple visible to every snapshot there is and will be, and is nobody
 * about to change it?  The caller holds a lock on its buffer.
 */
extern bool RetlTupleIsSettled(HeapTuple tuple, TransactionId oldestXmin, Buffer buffer);

/*
 * The settled rows of a row store page into offsets, which has room for
 * MaxHeapTuplesPerPage; returns how many.  Column pages have none.
 */
extern int	RetlRowStoreSettledRows(Relation rel, BlockNumber block, TransactionId oldestXmin,
									BufferAccessStrategy strategy, OffsetNumber *offsets);

/* The same for the anchor of a group. */
extern bool RetlAnchorIsSettled(Relation rel, const RetlGroupEntry *entry,
								TransactionId oldestXmin);

/*
 * Take away tuples, rows or anchors, of one page in the current transaction.
 * Raises ERRCODE_T_R_SERIALIZATION_FAILURE unless all are settled still.
 */
extern void RetlTuplesTakeAway(Relation rel, BlockNumber block, const OffsetNumber *offsets,
							   int count, TransactionId oldestXmin);

/* The 64-bit id of a transaction that is in the past. */
extern FullTransactionId RetlFullXid(TransactionId xid);

#endif							/* RETLDB_ROW_MOVE_H */
