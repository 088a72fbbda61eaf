/*-------------------------------------------------------------------------
 *
 * scan_desc.h
 *	  Scan descriptors of the table access method.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_SCAN_DESC_H
#define RETLDB_SCAN_DESC_H

#include "postgres.h"

#include "access/relscan.h"
#include "utils/rel.h"

#include "am/slot.h"
#include "visibility/table_scan.h"

typedef struct RetlBitmapScan RetlBitmapScan;

typedef struct RetlScanDescData
{
	TableScanDescData base;
	RetlTableScan *scan;		/* NULL for ANALYZE and TID scans */
	RetlParallelScan *parallel;
	bool		described;		/* the scan knows the slot's descriptor */
	uint64		nextUnit;		/* of sampling, for methods that take all blocks */
	BlockNumber unitBlock;		/* of the current one */
	uint32		unitOffsets;
	RetlBitmapScan *bitmap;		/* of bitmap scans, else NULL */
	TupleTableSlot *dependent;	/* slot that refers to the current row, or NULL */
} RetlScanDescData;

typedef RetlScanDescData *RetlScanDesc;

/*
 * The scan is about to leave its current row: a slot that refers to it gets a
 * copy.  Most users have cleared theirs by now.
 */
static inline void
RetlScanLeaveRow(RetlScanDesc scan)
{
	if (unlikely(scan->dependent != NULL))
		RetlSlotLeaveScan(scan->dependent);
}

/*
 * Put the current row of a scan into a slot.
 */
static inline void
RetlScanStoreRow(RetlScanDesc scan, RetlScanRow *row, TupleTableSlot *slot)
{
	if (row->inRowStore)
		RetlSlotStoreHeapTuple(slot, row->tuple, row->buffer);
	else
		RetlSlotStoreScanRow(slot, scan->scan, row, RelationGetRelid(scan->base.rs_rd),
							 &scan->dependent);
}

/* am_bitmap.c: what a bitmap scan has beside the scan of the table. */
extern void RetlBitmapBegin(RetlScanDesc scan);
extern void RetlBitmapRescan(RetlScanDesc scan);
extern void RetlBitmapEnd(RetlScanDesc scan);

/*
 * Tell a bitmap scan which columns will be asked for (attribute numbers); the
 * others then read as null.
 */
extern void RetlBitmapSetColumns(TableScanDesc scan, const Bitmapset *columns);

/* Tell a bitmap scan that the command changes or locks the rows that it gets. */
extern void RetlBitmapSetTouched(TableScanDesc scan);

#endif							/* RETLDB_SCAN_DESC_H */
