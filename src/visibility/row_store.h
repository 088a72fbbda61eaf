/*-------------------------------------------------------------------------
 *
 * row_store.h
 *	  Reading the row store: the heap pages among the pages of a table.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_ROW_STORE_H
#define RETLDB_ROW_STORE_H

#include "postgres.h"

#include "access/htup_details.h"
#include "storage/bufmgr.h"
#include "utils/rel.h"
#include "utils/snapshot.h"

#include "storage/directory.h"

/* The visible rows of one page. */
typedef struct RetlRowStorePage
{
	Relation	rel;
	Snapshot	snapshot;
	BufferAccessStrategy strategy;
	Buffer		buffer;			/* pinned, or invalid */
	BlockNumber block;			/* which that is */
	int			tupleCount;
	OffsetNumber offsets[MaxHeapTuplesPerPage];
	HeapTupleData tuple;		/* the one asked for last */
} RetlRowStorePage;

extern void RetlRowStorePageInit(RetlRowStorePage *page, Relation rel, Snapshot snapshot,
								 BufferAccessStrategy strategy);

/*
 * Turn to a block and collect its visible rows; anchors and stubs are none.  The
 * buffer is the block's, pinned, and the page's from now on, or invalid.
 */
extern void RetlRowStorePageRead(RetlRowStorePage *page, BlockNumber block, Buffer buffer);

/*
 * Point "tuple" to the one at an offset of a pinned page, where the caller knows
 * that there is one.
 */
static inline void
RetlPageSetTuple(Relation rel, Page page, BlockNumber block, OffsetNumber offset, HeapTuple tuple)
{
	ItemId		lp = PageGetItemId(page, offset);

	tuple->t_data = (HeapTupleHeader) PageGetItem(page, lp);
	tuple->t_len = ItemIdGetLength(lp);
	tuple->t_tableOid = RelationGetRelid(rel);
	ItemPointerSet(&tuple->t_self, block, offset);
}

/*
 * The same on a locked page, of which the caller does not know; false if there is
 * none.  An error if the line pointer is damaged.
 */
extern bool RetlPageGetTuple(Relation rel, Buffer buffer, OffsetNumber offset, HeapTuple tuple);

/* Point page->tuple to the tuple at an offset of the page. */
static inline void
RetlRowStorePageSetTuple(RetlRowStorePage *page, OffsetNumber offset)
{
	RetlPageSetTuple(page->rel, BufferGetPage(page->buffer), page->block, offset, &page->tuple);
}

/* Row "index" of the page; points into the pinned buffer. */
static inline HeapTuple
RetlRowStorePageGetTuple(RetlRowStorePage *page, int index)
{
	Assert(index >= 0 && index < page->tupleCount);
	RetlRowStorePageSetTuple(page, page->offsets[index]);
	return &page->tuple;
}

/* Let go of the buffer. */
extern void RetlRowStorePageRelease(RetlRowStorePage *page);

/*
 * Does a normal line pointer of a heap page point to something that may be a
 * tuple?
 */
static inline bool
RetlLinePointerIsSound(ItemId lp)
{
	return ItemIdGetOffset(lp) >= SizeOfPageHeaderData &&
		ItemIdGetOffset(lp) == MAXALIGN(ItemIdGetOffset(lp)) &&
		ItemIdGetLength(lp) >= SizeofHeapTupleHeader &&
		ItemIdGetOffset(lp) + ItemIdGetLength(lp) <= BLCKSZ;
}

/*
 * The runs of pages that the header, the directory with its zone maps and row groups
 * with their run lists own, in order, palloc'd.  "locked": nobody changes the directory
 * meanwhile; else run lists may have changed, and something may be missing.
 */
extern RetlRun *RetlOwnedRuns(Relation rel, const RetlDirectory *directory, bool locked,
							  int *ownedCount);

/*
 * The runs of blocks below nblocks that no row group, directory or zone map
 * owns, in order, palloc'd.  All heap pages are in them.
 */
extern RetlRun *RetlRowStoreRuns(Relation rel, const RetlDirectory *directory,
								 BlockNumber nblocks, int *runCount);

#endif							/* RETLDB_ROW_STORE_H */
