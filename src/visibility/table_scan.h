/*-------------------------------------------------------------------------
 *
 * table_scan.h
 *	  The scan of a whole table: row store first, then the row groups.
 *
 * Both the table access method's scans and the custom scan node are thin
 * users of this.  The current row is either a heap tuple of the row store or a
 * row of a vector; users ask for columns of the latter one by one, and only
 * what is asked for is read.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_TABLE_SCAN_H
#define RETLDB_TABLE_SCAN_H

#include "postgres.h"

#include "access/htup_details.h"
#include "access/sdir.h"
#include "access/tupdesc.h"
#include "port/atomics.h"
#include "utils/snapshot.h"

#include "rowgroup/column_test.h"
#include "rowgroup/group_reader.h"
#include "rowgroup/zone_filter.h"
#include "visibility/index_rows.h"

typedef struct RetlTableScan RetlTableScan;

/* State shared by the processes of a parallel scan. */
typedef struct RetlParallelScan
{
	BlockNumber nblocks;		/* of the fork when the scan began */
	uint32		slotCount;		/* of the directory then */
	uint64		maxGroupId;		/* groups beyond are not ours to read */
	uint32		shares;			/* what is left is divided into, see scan_claim.c */
	pg_atomic_uint64 nextBlock; /* next stretch of the row store */
	pg_atomic_uint64 nextVector;	/* slot of the directory, and vector of its group */
} RetlParallelScan;

typedef struct RetlScanStats
{
	uint64		groupsTotal;	/* visible groups come upon; where several processes share
								 * one, by whom its first vector fell to */
	uint64		groupsSkipped;	/* by zone maps */
	uint64		groupsDamaged;	/* passed over by retldb.skip_damaged_groups */
	uint64		groupsDeleted;	/* as a whole, instead of handing out their rows */
	uint64		vectorsTotal;	/* of all visible groups */
	uint64		vectorsSkipped; /* by zone maps, those of skipped groups included */
	uint64		vectorsRead;	/* vectors of which a row was returned or looked at */
	uint64		vectorsEmptied; /* of vectorsRead: conditions left no row */
	uint64		rowStoreRows;	/* visible rows of the row store */
	uint64		bloomGroups;	/* of groupsSkipped: by blooms */
	uint64		rowsFiltered;	/* rows of row groups that conditions on vectors
								 * turned away */
	uint64		rowsRuntimeFiltered;	/* ... and that runtime conditions did */
	uint64		storeRowsFiltered;	/* of rowStoreRows: conditions turned them away */
	RetlReadStats read;
} RetlScanStats;

/* The current row. */
typedef struct RetlScanRow
{
	ItemPointerData tid;
	bool		inRowStore;
	/* row store: the tuple and the pinned buffer it is in */
	HeapTuple	tuple;
	Buffer		buffer;
	/* row group: position, and the anchor that says who inserted it */
	uint32		vectorIndex;
	uint32		vectorRow;
	HeapTupleHeader anchor;
} RetlScanRow;

/*
 * Conditions evaluated on vectors.  Rows of row groups that fail one are not
 * returned; rows of the row store may be, for the caller to check.
 */
typedef struct RetlScanConditions
{
	int			count;			/* ANDed, in this order */
	const RetlZoneFilter **trees;	/* every leaf has a column test */
} RetlScanConditions;

/*
 * Evaluate these on vectors; before the first row.  Both the array and the trees
 * must live as long as the scan; constants may be changed in place before a
 * rescan.
 */
extern void RetlTableScanSetConditions(RetlTableScan *scan,
									   const RetlScanConditions *conditions);

/*
 * Have "prepare" called each time before a row group that is there, or a page of the
 * row store with a row, is compared with the filter and the conditions, so that their
 * constants can be computed when they are needed.
 */
extern void RetlTableScanSetPrepare(RetlTableScan *scan, void (*prepare) (void *arg), void *arg);

/*
 * May the constants of conditions be computed as soon as there is a row of the row store?
 * Then such rows are turned away as well if a look is enough.  No until said so; after
 * the conditions were set, and after each rescan, for constants may have changed.
 */
extern void RetlTableScanFilterRowStore(RetlTableScan *scan, bool filters);

/* A condition on a column that became known while the scan ran. */
typedef struct RetlRuntimeTest
{
	RetlColumnTest test;

	/* kept by the scan, which gives it up if it does not turn away enough */
	bool		useless;
	uint64		rowsTested;
	uint64		rowsRemoved;
} RetlRuntimeTest;

/*
 * Conditions that the caller would rather have, but does not rely on: rows that
 * fail one may be returned or not.
 */
typedef struct RetlRuntimeConditions
{
	RetlZoneFilter *zones;		/* what they imply for zones; NULL: nothing */
	int			count;
	RetlRuntimeTest *tests;
} RetlRuntimeConditions;

/*
 * Take these into account from the next row on; NULL: no longer.  They must live
 * as long as the scan or until the next call, for there may be several.
 */
extern void RetlTableScanSetRuntimeConditions(RetlTableScan *scan,
											  RetlRuntimeConditions *conditions);

/*
 * Begin.  filter may be NULL and may be changed in place before a rescan.
 * columns: attribute numbers the caller may ask for (NULL = all); used to
 * prefetch and, when damaged groups are to be skipped, to check beforehand.
 * parallel may be NULL.  The snapshot must stay registered or active.
 */
extern RetlTableScan *RetlTableScanBegin(Relation rel, Snapshot snapshot,
										 Bitmapset *columns, const RetlZoneFilter *filter,
										 RetlParallelScan *parallel);
/* See rows through another descriptor than the relation's; before the first row. */
extern void RetlTableScanSetDescriptor(RetlTableScan *scan, TupleDesc tupdesc);
extern void RetlTableScanRescan(RetlTableScan *scan);
extern void RetlTableScanEnd(RetlTableScan *scan);

/* Go to the next row in a direction; NULL at the end. */
extern RetlScanRow *RetlTableScanNext(RetlTableScan *scan, ScanDirection direction);

/*
 * For a scan with SnapshotAny that builds an index: of row groups return the rows
 * that "rows" tells, which must live as long as the scan; before the first row.
 * Of the row store all tuples are returned, for the caller to look at.
 */
extern void RetlTableScanSetIndexRows(RetlTableScan *scan, RetlIndexRows *rows);

/* In such a scan: is the current row, which is one of a row group, alive? */
extern bool RetlTableScanRowIsAlive(const RetlTableScan *scan);

/* Blocks of the file, and how many of them the scan, by all processes, has turned to. */
extern BlockNumber RetlTableScanBlocks(RetlTableScan *scan);
extern BlockNumber RetlTableScanBlocksDone(RetlTableScan *scan);

/* The page of the row store, or the row group, that the current row is in: a number. */
extern uint64 RetlTableScanPlace(const RetlTableScan *scan);

/*
 * Return rows with TIDs from min to max only, whose blocks and groups alone are
 * read; before the first row, or after a rescan.  Not for parallel scans.
 */
extern void RetlTableScanSetTidRange(RetlTableScan *scan, ItemPointer min, ItemPointer max);

/*
 * For sampling, a table is a row of units: the blocks of the row store, then
 * stretches of RETLDB_ROWS_PER_BLOCK rows of the row groups, one for each block
 * number of their TIDs.  OpenUnit turns to one of them and returns how many
 * offsets there are, from 1 on, and the block number; GetUnitRow the row at an
 * offset, or NULL if the snapshot sees none there.
 */
extern uint64 RetlTableScanCountUnits(RetlTableScan *scan);
extern uint32 RetlTableScanOpenUnit(RetlTableScan *scan, uint64 unit, BlockNumber *block);
extern RetlScanRow *RetlTableScanGetUnitRow(RetlTableScan *scan, OffsetNumber offset);

/*
 * For bitmap scans: rows of row groups by their place.  SetByPlace comes before
 * the first row, and then nothing else is asked for.  OpenPlaces turns to a block
 * of TIDs of row groups, at some offsets or, if count is negative, at all;
 * NextPlace returns those rows that the snapshot sees, one after the other, NULL
 * after the last one.  Serializable transactions lock these rows, not the table.
 * SetPlacesTouched says that the command changes or locks them.
 */
extern void RetlTableScanSetByPlace(RetlTableScan *scan);
extern void RetlTableScanSetPlacesTouched(RetlTableScan *scan);
extern bool RetlTableScanOpenPlaces(RetlTableScan *scan, BlockNumber block,
									const OffsetNumber *offsets, int count);
extern RetlScanRow *RetlTableScanNextPlace(RetlTableScan *scan);

/*
 * Columns the caller will ask for, as for RetlTableScanBegin; GetColumns gives
 * null for others.  For scans by place only; NULL: all.
 */
extern void RetlTableScanSetColumns(RetlTableScan *scan, const Bitmapset *columns);

/*
 * Columns [from, to) (0-based) of the current row, which is one of a row group,
 * into the same places of the arrays; dropped ones are null.  For scans without
 * conditions only.  "tupdesc" is the descriptor of the rows, the same in all
 * calls.  By-reference values are good as long as the scan is at this row.
 */
extern void RetlTableScanGetColumns(RetlTableScan *scan, TupleDesc tupdesc, int from, int to,
									Datum *values, bool *isnull);

/*
 * The vector of a column that the current row of a row group is in (its entry
 * vectorRow).  Valid until the scan turns to a row of another vector.  With
 * conditions, entries of rows that fail them are undefined.
 */
extern const RetlVector *RetlTableScanGetVector(RetlTableScan *scan, AttrNumber attnum);

/* The rows of the vector of the current row, one of a row group, that are handed out. */
extern void RetlTableScanGetSelection(const RetlTableScan *scan, RetlSelection *rows);

/*
 * These rows of the vector of the current row, which is the first of them, are
 * going to be touched by the command (touch.h).
 */
extern void RetlTableScanExpectTouches(RetlTableScan *scan, const RetlSelection *rows);

/*
 * For commands that delete all rows which pass: is the current row the first one of a
 * group none of whose rows has been touched, so that it might be deleted as a whole?
 */
extern bool RetlTableScanIsAtWholeGroup(const RetlTableScan *scan);

/* Do the rows of a vector pass, of which there are "count", the first being the current row? */
typedef bool (*RetlVectorPasses) (void *arg, const RetlScanRow *first, uint32 count);

/*
 * Do all rows of that group pass the conditions on vectors and, unless it is NULL,
 * "passes"?  The current row stays what it was.
 */
extern bool RetlTableScanWholeGroupPasses(RetlTableScan *scan, RetlVectorPasses passes, void *arg);

/*
 * Delete all rows of that group, for the command with this id, and go behind it.
 * Returns their number; 0 if that cannot be done, and its rows are to be handed out.
 */
extern uint32 RetlTableScanDeleteGroup(RetlTableScan *scan, CommandId cid);

extern const RetlScanStats *RetlTableScanGetStats(const RetlTableScan *scan);

/*
 * Fill the state that up to so many processes will share (0: not known); the snapshot
 * must have been taken.  Reinit lets the scan begin anew.
 */
extern void RetlParallelScanInit(RetlParallelScan *parallel, Relation rel, int processes);
extern void RetlParallelScanReinit(RetlParallelScan *parallel);

/* The first slot of the directory whose group is not claimed, or not as a whole. */
extern uint64 RetlParallelScanSlot(RetlParallelScan *parallel);

#endif							/* RETLDB_TABLE_SCAN_H */
