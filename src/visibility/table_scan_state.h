/*-------------------------------------------------------------------------
 *
 * table_scan_state.h
 *	  What the files that make up the scan of a table share.
 *
 * table_scan.c moves the cursor; scan_claim.c hands out the parts of a parallel
 * scan; scan_skip.c says which groups, vectors and rows need not be looked at,
 * scan_range.c which are outside a range of TIDs; scan_rows.c makes rows of columns;
 * scan_units.c and scan_places.c go to rows by their place; scan_store.c turns rows of
 * the row store away; scan_damage.c passes over damaged groups; scan_delete.c deletes
 * whole groups.  Nobody else includes this.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_TABLE_SCAN_STATE_H
#define RETLDB_TABLE_SCAN_STATE_H

#include "postgres.h"

#include "storage/bufmgr.h"
#include "utils/rel.h"

#include "storage/directory.h"
#include "storage/page_stream.h"
#include "visibility/row_fetch.h"
#include "visibility/row_store.h"
#include "visibility/stub.h"
#include "visibility/table_scan.h"

/* What is known of a group's visibility. */
#define VISIBILITY_UNKNOWN	0
#define VISIBILITY_YES		1
#define VISIBILITY_NO		2

/* Where the cursor stands. */
typedef enum CursorState
{
	CURSOR_FRESH,				/* not moved yet: at the end that it starts from */
	CURSOR_BEFORE,				/* before the first item */
	CURSOR_IN_ROW_STORE,
	CURSOR_IN_GROUP,
	CURSOR_AFTER				/* past the last item */
} CursorState;

/*
 * Some rows of the current vector, turned from columns into rows.  Taking them
 * out of the vectors one at a time would touch as many places in memory as there
 * are columns for each of them, and ask the same questions of each column again.
 */
typedef struct RowBatch
{
	uint64		stamp;			/* the scan's when it was made */
	uint32		firstRow;		/* of the vector */
	uint32		rowCount;
	int			columnCount;	/* columns [0, columnCount) are there */
	int			natts;			/* values in a row */
	uint32		capacity;		/* rows */
	Datum	   *values;			/* [capacity * natts] */
	bool	   *isnull;
} RowBatch;

/* Conditions on rows of the row store: scan_store.c. */
typedef struct RetlStoreFilter RetlStoreFilter;

struct RetlTableScan
{
	/* unchanging */
	Relation	rel;
	Snapshot	snapshot;
	Bitmapset  *columns;
	const RetlZoneFilter *filter;
	const RetlScanConditions *conditions;	/* NULL: none on vectors */
	RetlRuntimeConditions *runtime; /* NULL: none so far */
	bool		selects;		/* there are some of either kind */
	void		(*prepare) (void *arg); /* makes filter and conditions ready, or NULL */
	void	   *prepareArg;
	bool		filtersStore;	/* conditions are tested on rows of the row store, too, */
	RetlStoreFilter *storeFilter;	/* by these tests; NULL: not made in this (re)scan */
	RetlIndexRows *indexRows;	/* NULL, or what says which rows of groups there are */
	RetlParallelScan *parallel;
	MemoryContext context;		/* of the scan */
	MemoryContext startContext; /* of what a (re)scan makes, reset by the next */
	RetlGroupReader *reader;
	BufferAccessStrategy strategy;

	bool		rescanned;

	/* made at the start of each scan, in startContext */
	bool		started;
	RetlDirectory *directory;
	BlockNumber nblocks;
	RetlRun    *runs;			/* of the row store */
	uint64	   *runsBefore;		/* [runCount + 1]: blocks in runs before this one */
	int			runCount;
	int			runNext;		/* the run to be prefetched next, see PrefetchRun */
	RetlGroup **groupOfSlot;	/* parallel: by position in the directory */
	uint64	   *vectorsFrom;	/* parallel: of the groups from a position on */
	RetlDirectory *seen;		/* dirty snapshot: the directory when it was read last, or NULL */
	uint8	   *visibility;		/* of each group, VISIBILITY_..., or NULL: ask each time */
	RetlZoneEntry ***zones;		/* [attnum - 1][directory page], read when needed */

	/* TIDs outside are not returned, if there is a range */
	bool		hasTidRange;
	ItemPointerData minTid;
	ItemPointerData maxTid;
	uint64		minRowNumber;	/* the same for rows of row groups */
	uint64		endRowNumber;

	/* units of sampling: unitsBefore[i] of groups before group i */
	uint64	   *unitsBefore;	/* [groupCount + 1], made when needed */
	int64		openUnitItem;	/* item of the open unit, -1: none */
	uint32		unitFirstRow;	/* of the open unit in its group */

	/* rows by place, see scan_places.c */
	bool		byPlace;
	RetlGroup  *placeGroup;		/* the group that is open, NULL: none */
	bool		placeGroupIsThere;	/* the snapshot sees it */
	uint32		placeFirstRow;	/* of the block in the group */
	uint64		placeRows[RETLDB_ROWS_PER_BLOCK / 64];	/* those to be returned */
	uint32		placeCount;
	uint32		placeNext;		/* of the block, to be looked at next */
	uint32		placesAsked;	/* rows of the group, one by one */
	int64		placeDenseVector;	/* where a block was taken almost completely */
	bool		placesTouched;	/* by the command */
	MemoryContextCallback restCallback; /* arg is NULL until the scan rests */

	/* the cursor */
	CursorState state;
	int64		item;			/* row store blocks, then groups */
	int64		rowInItem;
	int64		firstRow;		/* rows of the item that may be returned */
	int64		endRow;
	RetlRowStorePage page;
	RetlPageStream *blocks;		/* of the row store, or NULL */
	RetlGroup  *group;			/* open one, in state IN_GROUP */
	uint32		groupRows;
	int			vectorShift;	/* rows of a vector, as a power of two */
	int64		checkedVector;	/* whose zones were looked at last, -1 = none */
	bool		checkedSkip;
	RetlHiddenRows hidden;		/* of the open group, or one before it */
	bool		hides;			/* the open group has rows that we must not return */
	RetlSelection selection;	/* of checkedVector: rows that are there and pass the
								 * conditions; kept if there are either */
	int64		countedVector;	/* of the group, in the statistics already, or -1 */
	uint64		countedRuntime; /* its part of rowsRuntimeFiltered */
	HeapTupleHeader anchor;		/* of the open group */
	bool		anchorIsRead;	/* since we turned to the group */
	RetlScanRow row;

	/* claimed stretch of a parallel scan */
	BlockNumber stretchNext;
	BlockNumber stretchEnd;

	/* current vector of each column, valid while its stamp is the scan's */
	uint64		stamp;
	uint64	   *vectorStamps;
	const RetlVector **vectors;
	RowBatch	batch;

	RetlScanStats stats;
};

/* ---- table_scan.c ---- */

/* Read the directory; the cursor is before the first row. */
extern void RetlScanStart(RetlTableScan *scan);

/*
 * No row is handed out, and the scan is likely to be at its end: the memory of many
 * columns is given up.
 */
extern void RetlScanFreeRoom(RetlTableScan *scan);

/* Block of the row store by its number in the row store. */
extern BlockNumber RetlScanRowStoreBlock(RetlTableScan *scan, uint64 n);

/* Open a block of the row store; returns the number of its visible rows. */
extern int64 RetlScanOpenBlock(RetlTableScan *scan, BlockNumber block);

/* May there be rows of an open group that an MVCC snapshot does not see? */
extern bool RetlScanMayHideRows(const RetlTableScan *scan, const RetlGroup *group);

/* Find out which rows of an open group an MVCC snapshot does not see. */
extern void RetlScanFindHiddenRows(RetlTableScan *scan, const RetlGroup *group);

/* Vectors of a row group; 0 as long as it is being written. */
extern uint32 RetlScanGroupVectors(const RetlGroup *group);

/* Open a row group; returns the number of its rows, 0 if it is not to be read. */
extern int64 RetlScanOpenGroup(RetlTableScan *scan, RetlGroup *group);

/* The same to return rows of vectors [firstVector, endVector) only. */
extern int64 RetlScanOpenPart(RetlTableScan *scan, RetlGroup *group, uint32 firstVector,
							  uint32 endVector);

/* Turn to others of a group that is open so, and had rows. */
extern void RetlScanContinuePart(RetlTableScan *scan, uint32 firstVector, uint32 endVector);

/* Have blocks [start, end) begin to come. */
extern void RetlScanPrefetchBlocks(RetlTableScan *scan, BlockNumber start, BlockNumber end);

/* Is a row of the open group there for a snapshot that is not MVCC? */
extern bool RetlScanRowIsThere(RetlTableScan *scan, uint32 row);

/* ---- scan_claim.c ---- */

/* Get ready to claim groups of the directory, which has been read. */
extern void RetlScanArrangeSlots(RetlTableScan *scan);

/* Claim and open something of a parallel scan; false if nothing is left. */
extern bool RetlScanClaimItem(RetlTableScan *scan);

/* The next group of which no process has claimed anything, or NULL. */
extern RetlGroup *RetlScanUnclaimedGroup(const RetlTableScan *scan);

/* ---- scan_skip.c ---- */

/* Can no row of the current group match? */
extern bool RetlScanSkipGroup(RetlTableScan *scan);

/* The same for an open group, by its Bloom filters. */
extern bool RetlScanSkipGroupByBlooms(RetlTableScan *scan);

/* Is there a condition on vectors that is worth asking? */
extern bool RetlScanHasConditions(const RetlTableScan *scan);

/* Make checkedVector this one, and find out whether it has a row to return. */
extern bool RetlScanCheckVector(RetlTableScan *scan, uint32 vectorIndex);

/* ---- scan_store.c ---- */

/* Turn away rows of the open block that fail a condition, if the scan filtersStore. */
extern void RetlScanFilterPage(RetlTableScan *scan);

/* ---- scan_range.c ---- */

/* Leave out the rows of the open block, or group, that are outside the range of TIDs. */
extern void RetlScanClipBlock(RetlTableScan *scan);
extern void RetlScanClipGroup(RetlTableScan *scan);

/* May an item have rows in the range of TIDs? */
extern bool RetlScanItemInTidRange(RetlTableScan *scan, int64 item);

/* ---- scan_damage.c ---- */

/* For retldb.skip_damaged_groups: is the current group sound, and visible? */
extern bool RetlScanGroupIsSound(RetlTableScan *scan, bool *visible);

/* ---- here, for they are called for each row ---- */

/*
 * Is there no row to return in this vector of the current group?
 */
static inline bool
RetlScanSkipVector(RetlTableScan *scan, uint32 vectorIndex)
{
	return scan->checkedVector == vectorIndex ? scan->checkedSkip :
		RetlScanCheckVector(scan, vectorIndex);
}

/*
 * Make a row of the open block the current one.
 */
static inline void
RetlScanSetPageRow(RetlTableScan *scan, int64 index)
{
	RetlScanRow *row = &scan->row;

	scan->rowInItem = index;
	scan->stats.rowStoreRows++;
	row->inRowStore = true;
	row->tuple = RetlRowStorePageGetTuple(&scan->page, index);
	row->buffer = scan->page.buffer;
	row->tid = row->tuple->t_self;
}

/*
 * Make a row of the open group the current one.
 */
static inline void
RetlScanSetGroupRow(RetlTableScan *scan, int64 index)
{
	uint32		vectorIndex = index >> scan->vectorShift;
	RetlScanRow *row = &scan->row;

	if (row->inRowStore || row->vectorIndex != vectorIndex)
		scan->stamp++;
	scan->rowInItem = index;
	row->inRowStore = false;
	row->vectorIndex = vectorIndex;
	row->vectorRow = index - ((int64) vectorIndex << scan->vectorShift);
	row->anchor = scan->anchor;
	RetlTidFromRowNumber(&row->tid, scan->group->entry.rowBase + index);
}

#endif							/* RETLDB_TABLE_SCAN_STATE_H */
