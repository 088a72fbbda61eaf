/*-------------------------------------------------------------------------
 *
 * am_scan.c
 *	  Table access method: sequential scans and fetches by TID.
 *
 * Slots are of our own type, see slot.c: rows of the row store are stored as heap
 * does it; of columnar rows a scan stores no more than a reference, and columns
 * are fetched when somebody asks for them.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/relscan.h"
#include "access/tsmapi.h"
#include "access/valid.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "pgstat.h"
#include "storage/bufmgr.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "am/retldb_am.h"
#include "am/scan_desc.h"
#include "am/slot.h"
#include "am/write_buffer.h"
#include "storage/column_page.h"
#include "visibility/anchor.h"
#include "visibility/row_fetch.h"
#include "visibility/row_move.h"
#include "visibility/table_scan.h"
#include "visibility/unseen_moves.h"

/* Shared part of a parallel scan through the table access method. */
typedef struct RetlParallelScanDescData
{
	ParallelTableScanDescData base;
	RetlParallelScan scan;
} RetlParallelScanDescData;

/*
 * The type of slot that all functions of the access method accept.
 */
const TupleTableSlotOps *
retldb_slot_callbacks(Relation rel)
{
	(void) rel;
	return &RetlSlotOps;
}

/* ---------------------------------------------------------------------
 * Sequential scans
 * ---------------------------------------------------------------------
 */

/*
 * Begin a scan of any kind.  What is buffered for the table in this backend is
 * written first.
 */
TableScanDesc
retldb_scan_begin(Relation rel, Snapshot snapshot, int nkeys, struct ScanKeyData *key,
				  ParallelTableScanDesc parallel, uint32 flags)
{
	RetlScanDesc scan;

	RetlWriteFlushForRead(rel);
	if (flags & SO_TYPE_ANALYZE)
		return RetlAnalyzeBegin(rel);

	RelationIncrementReferenceCount(rel);
	scan = palloc0(sizeof(RetlScanDescData));
	scan->base.rs_rd = rel;
	scan->base.rs_snapshot = snapshot;
	scan->base.rs_nkeys = nkeys;
	scan->base.rs_flags = flags;
	scan->base.rs_parallel = parallel;
	if (nkeys > 0)
	{
		scan->base.rs_key = palloc(sizeof(ScanKeyData) * nkeys);
		if (key != NULL)
			memcpy(scan->base.rs_key, key, sizeof(ScanKeyData) * nkeys);
	}
	if (parallel != NULL)
		scan->parallel = &((RetlParallelScanDescData *) parallel)->scan;

	/* TID scans have a scan descriptor only to check TIDs */
	if (flags & (SO_TYPE_SEQSCAN | SO_TYPE_SAMPLESCAN | SO_TYPE_TIDRANGESCAN | SO_TYPE_BITMAPSCAN))
		scan->scan = RetlTableScanBegin(rel, snapshot, NULL, NULL, scan->parallel);
	if (flags & SO_TYPE_BITMAPSCAN)
		RetlBitmapBegin(scan);
	if (flags & (SO_TYPE_SEQSCAN | SO_TYPE_SAMPLESCAN))
		pgstat_count_heap_scan(rel);
	return (TableScanDesc) scan;
}

/*
 * What the processes of a parallel scan share; NULL if it is not parallel.
 */
RetlParallelScan *
RetlScanGetParallel(TableScanDesc scan)
{
	return ((RetlScanDesc) scan)->parallel;
}

void
retldb_scan_end(TableScanDesc sscan)
{
	RetlScanDesc scan = (RetlScanDesc) sscan;

	if (sscan->rs_flags & SO_TYPE_ANALYZE)
	{
		/* it is a heap scan descriptor's wrapper, see am_analyze.c */
		RetlAnalyzeEnd(sscan);
		return;
	}
	RetlScanLeaveRow(scan);
	if (scan->bitmap != NULL)
		RetlBitmapEnd(scan);
	if (scan->scan != NULL)
		RetlTableScanEnd(scan->scan);
	if (sscan->rs_flags & SO_TEMP_SNAPSHOT)
		UnregisterSnapshot(sscan->rs_snapshot);
	RelationDecrementReferenceCount(sscan->rs_rd);
	if (sscan->rs_key != NULL)
		pfree(sscan->rs_key);
	pfree(scan);
}

void
retldb_scan_rescan(TableScanDesc sscan, struct ScanKeyData *key, bool set_params,
				   bool allow_strat, bool allow_sync, bool allow_pagemode)
{
	RetlScanDesc scan = (RetlScanDesc) sscan;

	(void) set_params;
	(void) allow_strat;
	(void) allow_sync;
	(void) allow_pagemode;

	if (key != NULL && sscan->rs_nkeys > 0)
		memcpy(sscan->rs_key, key, sizeof(ScanKeyData) * sscan->rs_nkeys);
	RetlWriteFlushForRead(sscan->rs_rd);
	RetlScanLeaveRow(scan);
	if (scan->bitmap != NULL)
		RetlBitmapRescan(scan);
	if (scan->scan != NULL)
	{
		RetlTableScanRescan(scan->scan);
		if (sscan->rs_flags & (SO_TYPE_SEQSCAN | SO_TYPE_SAMPLESCAN))
			pgstat_count_heap_scan(sscan->rs_rd);
	}
	scan->nextUnit = 0;
}

/*
 * Does the row in the slot satisfy the scan keys?
 */
static bool
MatchesKeys(TableScanDesc scan, TupleTableSlot *slot)
{
	for (int i = 0; i < scan->rs_nkeys; i++)
	{
		ScanKey		key = &scan->rs_key[i];
		bool		isnull;
		Datum		value;

		if (key->sk_flags & SK_ISNULL)
			return false;
		value = slot_getattr(slot, key->sk_attno, &isnull);
		if (isnull ||
			!DatumGetBool(FunctionCall2Coll(&key->sk_func, key->sk_collation, value,
											key->sk_argument)))
			return false;
	}
	return true;
}

bool
retldb_scan_getnextslot(TableScanDesc sscan, ScanDirection direction, TupleTableSlot *slot)
{
	RetlScanDesc scan = (RetlScanDesc) sscan;
	RetlScanRow *row;

	if (!scan->described)
	{
		/* in a table that is being rewritten rs_rd has the new columns already */
		RetlTableScanSetDescriptor(scan->scan, slot->tts_tupleDescriptor);
		scan->described = true;
	}
	for (;;)
	{
		/* what is in the slot is given up, in other slots it is not */
		if (scan->dependent == slot)
			ExecClearTuple(slot);
		RetlScanLeaveRow(scan);
		row = RetlTableScanNext(scan->scan, direction);
		if (row == NULL)
			break;
		RetlScanStoreRow(scan, row, slot);
		if (MatchesKeys(sscan, slot))
		{
			pgstat_count_heap_getnext(sscan->rs_rd);
			return true;
		}
	}
	ExecClearTuple(slot);
	return false;
}

/* ---------------------------------------------------------------------
 * Ranges of TIDs
 * ---------------------------------------------------------------------
 */

void
retldb_scan_set_tidrange(TableScanDesc sscan, ItemPointer mintid, ItemPointer maxtid)
{
	RetlTableScanSetTidRange(((RetlScanDesc) sscan)->scan, mintid, maxtid);
}

bool
retldb_scan_getnextslot_tidrange(TableScanDesc sscan, ScanDirection direction,
								 TupleTableSlot *slot)
{
	return retldb_scan_getnextslot(sscan, direction, slot);
}

/* ---------------------------------------------------------------------
 * TABLESAMPLE
 * ---------------------------------------------------------------------
 */

/*
 * Turn to the next unit of sampling that the method wants.
 */
bool
retldb_scan_sample_next_block(TableScanDesc sscan, struct SampleScanState *scanstate)
{
	RetlScanDesc scan = (RetlScanDesc) sscan;
	TsmRoutine *method = scanstate->tsmroutine;
	uint64		units;
	uint64		unit;

	RetlScanLeaveRow(scan);
	units = RetlTableScanCountUnits(scan->scan);
	if (units == 0)
		return false;
	if (method->NextSampleBlock)
	{
		BlockNumber chosen = method->NextSampleBlock(scanstate, units);

		if (chosen == InvalidBlockNumber)
			return false;
		unit = chosen;
	}
	else if (scan->nextUnit < units)
		unit = scan->nextUnit++;
	else
		return false;
	scan->unitOffsets = RetlTableScanOpenUnit(scan->scan, unit, &scan->unitBlock);
	return true;
}

/*
 * The next row of the unit that the method wants and the snapshot sees.
 */
bool
retldb_scan_sample_next_tuple(TableScanDesc sscan, struct SampleScanState *scanstate,
							  TupleTableSlot *slot)
{
	RetlScanDesc scan = (RetlScanDesc) sscan;

	if (scan->dependent == slot)
		ExecClearTuple(slot);
	RetlScanLeaveRow(scan);
	for (;;)
	{
		OffsetNumber offset;
		RetlScanRow *row;

		CHECK_FOR_INTERRUPTS();
		offset = scanstate->tsmroutine->NextSampleTuple(scanstate, scan->unitBlock,
														scan->unitOffsets);
		if (!OffsetNumberIsValid(offset))
			break;
		row = RetlTableScanGetUnitRow(scan->scan, offset);
		if (row != NULL)
		{
			RetlScanStoreRow(scan, row, slot);
			pgstat_count_heap_getnext(sscan->rs_rd);
			return true;
		}
	}
	ExecClearTuple(slot);
	return false;
}

/* ---------------------------------------------------------------------
 * Parallel scans
 * ---------------------------------------------------------------------
 */

Size
retldb_parallelscan_estimate(Relation rel)
{
	(void) rel;
	return sizeof(RetlParallelScanDescData);
}

Size
retldb_parallelscan_initialize(Relation rel, ParallelTableScanDesc pscan)
{
	RetlParallelScanDescData *parallel = (RetlParallelScanDescData *) pscan;

	RetlWriteFlushForRead(rel);
	RetlParallelSetRelation(&parallel->base, rel);
	parallel->base.phs_syncscan = false;
	RetlParallelScanInit(&parallel->scan, rel, 0);
	return sizeof(RetlParallelScanDescData);
}

void
retldb_parallelscan_reinitialize(Relation rel, ParallelTableScanDesc pscan)
{
	(void) rel;
	RetlParallelScanReinit(&((RetlParallelScanDescData *) pscan)->scan);
}

/* ---------------------------------------------------------------------
 * By TID
 * ---------------------------------------------------------------------
 */

/*
 * Fetch a heap tuple by TID; anchors are no rows.
 */
static bool
FetchHeapRow(Relation rel, ItemPointer tid, Snapshot snapshot, TupleTableSlot *slot)
{
	HeapTupleData tuple;
	Buffer		buffer;
	bool		isRow;

	tuple.t_self = *tid;
	if (!heap_fetch(rel, snapshot, &tuple, &buffer, false))
		return false;
	isRow = !RetlTupleIsMarked(tuple.t_data) &&
		RetlStoreRowStays(rel, &tuple, buffer, snapshot, true);
	if (isRow)
		RetlSlotStoreHeapTuple(slot, &tuple, buffer);
	ReleaseBuffer(buffer);
	return isRow;
}

bool
retldb_tuple_fetch_row_version(Relation rel, ItemPointer tid, Snapshot snapshot,
							   TupleTableSlot *slot)
{
	HeapTupleHeaderData anchor;

	if (!RetlTidIsColumnar(tid))
		return ItemPointerGetBlockNumberNoCheck(tid) < RETLDB_FIRST_ROW_BLOCK &&
			FetchHeapRow(rel, tid, snapshot, slot);

	RetlWriteFlushForRead(rel);
	if (RetlFetchRow(rel, tid, snapshot, &anchor, NULL) != RETL_FETCHED_ROW &&
		!(snapshot->snapshot_type == SNAPSHOT_ANY && RetlFetchLostRow(rel, tid, &anchor)))
		return false;
	RetlSlotStoreFetchedRow(slot, rel, tid, &anchor);
	return true;
}

/*
 * Might there be a row with this TID?  The header's block has none.
 */
bool
retldb_tuple_tid_valid(TableScanDesc scan, ItemPointer tid)
{
	if (RetlTidIsColumnar(tid))
		return true;
	return ItemPointerIsValid(tid) &&
		ItemPointerGetBlockNumber(tid) != RETLDB_HEADER_BLOCK &&
		ItemPointerGetBlockNumber(tid) < RelationGetNumberOfBlocks(scan->rs_rd);
}

/*
 * Does the heap tuple in the slot, in a pinned buffer, satisfy a snapshot?
 */
static bool
HeapRowSatisfies(TupleTableSlot *slot, Snapshot snapshot)
{
	Buffer		buffer;
	HeapTuple	tuple = RetlSlotGetBufferTuple(slot, &buffer);
	bool		satisfies;

	if (tuple == NULL)
		elog(ERROR, "row to be checked is not in a buffer");
	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	satisfies = HeapTupleSatisfiesVisibility(tuple, snapshot, buffer);
	LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
	return satisfies;
}

/*
 * Does the row in the slot, which came from this table, satisfy a snapshot?  Upserts ask
 * this of rows that they have found by others: one that was moved since is the row that
 * the snapshot sees.
 */
bool
retldb_tuple_satisfies_snapshot(Relation rel, TupleTableSlot *slot, Snapshot snapshot)
{
	HeapTupleHeaderData anchor;

	if (!RetlTidIsColumnar(&slot->tts_tid))
		return HeapRowSatisfies(slot, snapshot);
	RetlWriteFlushForRead(rel);
	return RetlFetchRow(rel, &slot->tts_tid, snapshot, &anchor, NULL) == RETL_FETCHED_ROW ||
		RetlRowIsSeenElsewhere(rel, &slot->tts_tid, snapshot);
}
