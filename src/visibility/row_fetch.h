/*-------------------------------------------------------------------------
 *
 * row_fetch.h
 *	  Single rows of row groups by their TID.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_ROW_FETCH_H
#define RETLDB_ROW_FETCH_H

#include "postgres.h"

#include "access/htup_details.h"
#include "storage/itemptr.h"
#include "utils/relcache.h"
#include "utils/snapshot.h"

#include "format/format.h"
#include "storage/directory.h"

/* Does a TID name a row of a row group (rather than a heap tuple)? */
static inline bool
RetlTidIsColumnar(ItemPointer tid)
{
	return ItemPointerGetBlockNumberNoCheck(tid) >= RETLDB_FIRST_ROW_BLOCK &&
		ItemPointerGetBlockNumberNoCheck(tid) != InvalidBlockNumber &&
		ItemPointerGetOffsetNumberNoCheck(tid) >= 1 &&
		ItemPointerGetOffsetNumberNoCheck(tid) <= RETLDB_ROWS_PER_BLOCK;
}

static inline void
RetlTidFromRowNumber(ItemPointer tid, uint64 rowNumber)
{
	ItemPointerSet(tid, RETLDB_FIRST_ROW_BLOCK + (BlockNumber) (rowNumber / RETLDB_ROWS_PER_BLOCK),
				   rowNumber % RETLDB_ROWS_PER_BLOCK + 1);
}

static inline uint64
RetlTidGetRowNumber(ItemPointer tid)
{
	return (uint64) (ItemPointerGetBlockNumber(tid) - RETLDB_FIRST_ROW_BLOCK) * RETLDB_ROWS_PER_BLOCK +
		ItemPointerGetOffsetNumber(tid) - 1;
}

/* What has become of fetching a row. */
typedef enum RetlFetched
{
	RETL_FETCHED_NONE,			/* it is not there for the snapshot */
	RETL_FETCHED_ROW,
	RETL_FETCHED_UNWRITTEN		/* it is, but its columns are in the memory of the backend that inserts it */
} RetlFetched;

/*
 * Is this columnar row there for the snapshot?  If so, the anchor's tuple header
 * is put into *anchor.  Else *allDead (which may be NULL) says whether it is sure
 * that nobody will ever see it again.  Of a dirty snapshot xmin, xmax and token
 * are set.  Of a group that is LOADING all row numbers that it has reserved count
 * as rows.
 */
extern RetlFetched RetlFetchRow(Relation rel, ItemPointer tid, Snapshot snapshot,
								HeapTupleHeader anchor, bool *allDead);

/*
 * The same for a row of any state, visible to anybody or not; false only if its
 * group is not there, or LOADING.
 */
extern bool RetlFetchAnyRow(Relation rel, ItemPointer tid, HeapTupleHeader anchor);

/*
 * The same for a row whose group's anchor is gone, while its pages are there still
 * (vacuum_index.c says how long); the anchor's header is made up then.
 */
extern bool RetlFetchLostRow(Relation rel, ItemPointer tid, HeapTupleHeader anchor);

/*
 * Turn to a row of a table, whoever sees it, to fetch its columns.  Only if the
 * answer is RETL_FETCHED_ROW, and until the next call of a function of this file,
 * the two functions below may be called.  What is fetched by reference lives as
 * long.
 */
extern RetlFetched RetlFetchOpen(Relation rel, ItemPointer tid);

/*
 * These columns of the row, up to RETLDB_ANTICIPATED_MAX, are going to be asked for.
 */
extern void RetlFetchAnticipate(const AttrNumber *attnums, int count);

/* A column of the row, which is not a dropped one. */
extern Datum RetlFetchColumn(AttrNumber attnum, bool *isnull);

/* Let a copy of the header of the row's anchor say who inserted the row. */
extern void RetlFetchInserter(HeapTupleHeader header);

/* Has compaction written a group, which is COMPLETE? */
extern bool RetlGroupWasCompacted(Relation rel, const RetlGroupEntry *entry);

/* A copy of the COMPLETE group that has a row, and the row's number in it. */
extern bool RetlFindRowGroup(Relation rel, ItemPointer tid, RetlGroup *group, uint32 *row);

/*
 * Has the transaction that deleted a row of the row store only moved it to a row
 * group?  It has ended, but some snapshot of ours does not see that.
 */
extern bool RetlRowWasMovedBy(Relation rel, TransactionId xid);

/* Forget what is remembered; after errors, and when a table is emptied. */
extern void RetlFetchCacheReset(void);

#endif							/* RETLDB_ROW_FETCH_H */
