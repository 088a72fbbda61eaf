/*-------------------------------------------------------------------------
 *
 * am_bitmap.c
 *	  Table access method: bitmap scans.
 *
 * A bitmap names blocks and, unless it has become lossy, offsets in them.  Blocks
 * of the row store are looked at as heap does it.  Blocks of row groups are
 * RETLDB_ROWS_PER_BLOCK rows of one group: see scan_places.c.
 *
 * Up to version 17 the executor asks for block after block, and prefetches blocks
 * of the file on its own, which fails for those that are none: so prefetching is
 * switched off in its nodes (exec/scan_nodes.c).  It also answers from the
 * visibility map alone where no column is needed: blocks of row groups are beyond
 * the map, so that they never count as all visible.  Version 18 leaves blocks to
 * the access method.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/relscan.h"
#include "access/xact.h"
#include "nodes/tidbitmap.h"
#include "pgstat.h"
#include "storage/bufmgr.h"
#include "storage/predicate.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "am/retldb_am.h"
#include "am/scan_desc.h"
#include "am/slot.h"
#include "base/compat.h"
#include "visibility/anchor.h"
#include "visibility/row_move.h"
#include "visibility/row_store.h"
#include "visibility/touch.h"
#include "visibility/unseen_moves.h"

struct RetlBitmapScan
{
	bool		inRowStore;		/* where the current block is */
	BlockNumber nblocks;		/* of the file, at least */
	Buffer		buffer;			/* of the row store, pinned, or invalid */
	int			count;			/* rows of the current block of the row store */
	int			next;
	OffsetNumber offsets[MaxHeapTuplesPerPage];
	HeapTupleData tuple;
	bool		recheck;		/* version 18: of the current block */
	bool		touched;		/* the command changes or locks the rows */
};

/*
 * Begin a bitmap scan.
 */
void
RetlBitmapBegin(RetlScanDesc scan)
{
	scan->bitmap = palloc0(sizeof(RetlBitmapScan));
	scan->bitmap->buffer = InvalidBuffer;
	scan->bitmap->inRowStore = true;
	RetlTableScanSetByPlace(scan->scan);
}

/*
 * Leave the current block.
 */
static void
LeaveBlock(RetlBitmapScan *bitmap)
{
	if (BufferIsValid(bitmap->buffer))
		ReleaseBuffer(bitmap->buffer);
	bitmap->buffer = InvalidBuffer;
	bitmap->count = bitmap->next = 0;
	bitmap->inRowStore = true;
}

/* The scan begins again, with a bitmap of its own. */
void
RetlBitmapRescan(RetlScanDesc scan)
{
	LeaveBlock(scan->bitmap);
}

/* The scan ends. */
void
RetlBitmapEnd(RetlScanDesc scan)
{
	LeaveBlock(scan->bitmap);
	if (scan->bitmap->touched)
		RetlTouchForget();
	pfree(scan->bitmap);
	scan->bitmap = NULL;
}

/* See scan_desc.h. */
void
RetlBitmapSetTouched(TableScanDesc scan)
{
	((RetlScanDesc) scan)->bitmap->touched = true;
	RetlTableScanSetPlacesTouched(((RetlScanDesc) scan)->scan);
}

/* See scan_desc.h. */
void
RetlBitmapSetColumns(TableScanDesc scan, const Bitmapset *columns)
{
	RetlTableScanSetColumns(((RetlScanDesc) scan)->scan, columns);
}

/* ---------------------------------------------------------------------
 * Blocks of the row store
 * ---------------------------------------------------------------------
 */

/*
 * Point bitmap->tuple to the tuple at an offset of the pinned page.
 */
static void
SetTuple(RetlBitmapScan *bitmap, Relation rel, OffsetNumber offset)
{
	RetlPageSetTuple(rel, BufferGetPage(bitmap->buffer), BufferGetBlockNumber(bitmap->buffer),
					 offset, &bitmap->tuple);
}

/*
 * Collect the visible rows at some offsets of the locked page: each is the
 * beginning of a HOT chain.
 */
static void
FindRows(RetlBitmapScan *bitmap, Relation rel, Snapshot snapshot, const OffsetNumber *offsets,
		 int count)
{
	for (int i = 0; i < count; i++)
	{
		ItemPointerData tid;
		HeapTupleData tuple;

		ItemPointerSet(&tid, BufferGetBlockNumber(bitmap->buffer), offsets[i]);
		if (heap_hot_search_buffer(&tid, rel, bitmap->buffer, snapshot, &tuple, NULL, true) &&
			!RetlTupleIsMarked(tuple.t_data))
			bitmap->offsets[bitmap->count++] = ItemPointerGetOffsetNumber(&tid);
	}
}

/*
 * Collect all visible rows of the locked page.
 */
static void
FindAllRows(RetlBitmapScan *bitmap, Relation rel, Snapshot snapshot)
{
	Page		page = BufferGetPage(bitmap->buffer);
	OffsetNumber max = PageGetMaxOffsetNumber(page);

	for (OffsetNumber offset = FirstOffsetNumber; offset <= max; offset++)
	{
		HeapTuple	tuple = &bitmap->tuple;
		bool		visible;

		if (!RetlPageGetTuple(rel, bitmap->buffer, offset, tuple))
			continue;
		/* an anchor is looked at when its group is */
		if (RetlTupleIsMarked(tuple->t_data))
			continue;
		visible = HeapTupleSatisfiesVisibility(tuple, snapshot, bitmap->buffer);
		if (visible)
		{
			bitmap->offsets[bitmap->count++] = offset;
			PredicateLockTID(rel, &tuple->t_self, snapshot, HeapTupleHeaderGetXmin(tuple->t_data));
		}
		HeapCheckForSerializableConflictOut(visible, rel, tuple, bitmap->buffer, snapshot);
	}
}

/*
 * Look where rows of the pinned page have been moved to: for serializable conflicts, and
 * for changes of our own.
 */
static void
LookAtMovedRows(RetlBitmapScan *bitmap, Relation rel, Snapshot snapshot)
{
	int			left = 0;

	for (int i = 0; i < bitmap->count; i++)
	{
		SetTuple(bitmap, rel, bitmap->offsets[i]);
		if (RetlStoreRowStays(rel, &bitmap->tuple, bitmap->buffer, snapshot, true))
			bitmap->offsets[left++] = bitmap->offsets[i];
	}
	bitmap->count = left;
}

/*
 * Turn to a block of the row store, at some offsets or, if count is negative, at
 * all.  False if there is no visible row.
 */
static bool
OpenRowStoreBlock(RetlScanDesc scan, BlockNumber block, const OffsetNumber *offsets, int count)
{
	RetlBitmapScan *bitmap = scan->bitmap;
	Relation	rel = scan->base.rs_rd;
	Snapshot	snapshot = scan->base.rs_snapshot;

	if (block >= bitmap->nblocks)
	{
		bitmap->nblocks = RelationGetNumberOfBlocks(rel);
		if (block >= bitmap->nblocks)
			return false;
	}
	bitmap->buffer = ReleaseAndReadBuffer(bitmap->buffer, rel, block);
	RetlPagePruneOpt(rel, bitmap->buffer);

	LockBuffer(bitmap->buffer, BUFFER_LOCK_SHARE);
	RetlTestForOldSnapshot(snapshot, rel, BufferGetPage(bitmap->buffer));
	if (count >= 0)
		FindRows(bitmap, rel, snapshot, offsets, count);
	else
		FindAllRows(bitmap, rel, snapshot);
	LockBuffer(bitmap->buffer, BUFFER_LOCK_UNLOCK);
	if (unlikely(CheckForSerializableConflictOutNeeded(rel, snapshot)) ||
		unlikely(RetlOwnChangesMatter(snapshot)))
		LookAtMovedRows(bitmap, rel, snapshot);
	return bitmap->count > 0;
}

/* ---------------------------------------------------------------------
 * The scan
 * ---------------------------------------------------------------------
 */

/*
 * Turn to a block, at some offsets or, if count is negative, at all.  False if
 * there is no visible row.
 */
static bool
OpenBlock(RetlScanDesc scan, BlockNumber block, const OffsetNumber *offsets, int count)
{
	RetlBitmapScan *bitmap = scan->bitmap;

	RetlScanLeaveRow(scan);
	bitmap->inRowStore = block < RETLDB_FIRST_ROW_BLOCK;
	bitmap->count = bitmap->next = 0;
	if (bitmap->inRowStore)
		return OpenRowStoreBlock(scan, block, offsets, count);
	return RetlTableScanOpenPlaces(scan->scan, block, offsets, count);
}

/*
 * Put the next row of the current block into the slot; false after the last one.
 */
static bool
NextRow(RetlScanDesc scan, TupleTableSlot *slot)
{
	RetlBitmapScan *bitmap = scan->bitmap;

	/* what is in the slot is given up, in other slots it is not */
	if (scan->dependent == slot)
		ExecClearTuple(slot);
	RetlScanLeaveRow(scan);
	if (bitmap->inRowStore)
	{
		if (bitmap->next >= bitmap->count)
			return false;
		SetTuple(bitmap, scan->base.rs_rd, bitmap->offsets[bitmap->next++]);
		RetlSlotStoreHeapTuple(slot, &bitmap->tuple, bitmap->buffer);
	}
	else
	{
		RetlScanRow *row = RetlTableScanNextPlace(scan->scan);

		if (row == NULL)
			return false;
		RetlScanStoreRow(scan, row, slot);
	}
	pgstat_count_heap_fetch(scan->base.rs_rd);
	return true;
}

#if PG_VERSION_NUM >= 180000

/*
 * The next row of the bitmap that the snapshot sees.
 */
bool
retldb_scan_bitmap_next_tuple(TableScanDesc sscan, RETL_BITMAP_TUPLE_ARGS)
{
	RetlScanDesc scan = (RetlScanDesc) sscan;

	while (!NextRow(scan, slot))
	{
		TBMIterateResult result;
		OffsetNumber offsets[TBM_MAX_TUPLES_PER_PAGE];
		int			count = -1;

		CHECK_FOR_INTERRUPTS();
		if (!tbm_iterate(&sscan->st.rs_tbmiterator, &result))
		{
			ExecClearTuple(slot);
			return false;
		}
		if (!result.lossy)
			count = tbm_extract_page_tuple(&result, offsets, TBM_MAX_TUPLES_PER_PAGE);
		if (count < 0)
			(*lossy_pages)++;
		else
			(*exact_pages)++;
		scan->bitmap->recheck = result.recheck;
		(void) OpenBlock(scan, result.blockno, offsets, count);
	}
	*recheck = scan->bitmap->recheck;
	return true;
}

#else

/*
 * Turn to the next block of the bitmap; false if there is no visible row.
 */
bool
retldb_scan_bitmap_next_block(TableScanDesc sscan, TBMIterateResult *result)
{
	return OpenBlock((RetlScanDesc) sscan, result->blockno, result->offsets, result->ntuples);
}

/*
 * The next row of the current block.
 */
bool
retldb_scan_bitmap_next_tuple(TableScanDesc sscan, RETL_BITMAP_TUPLE_ARGS)
{
	(void) result;
	return NextRow((RetlScanDesc) sscan, slot);
}

#endif
