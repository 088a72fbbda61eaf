/*-------------------------------------------------------------------------
 *
 * am_analyze.c
 *	  Table access method: sampling for ANALYZE.
 *
 * ANALYZE picks blocks of the main fork at random and extrapolates from the
 * rows they have.  Blocks of the row store are sampled by heap's functions.
 * To make the sample of row groups unbiased, every data page of a group is
 * given an equal share of the group's rows: of P pages and N rows, page i has
 * rows [i * N / P, (i + 1) * N / P).  All other column pages have none.
 *
 * ANALYZE looks at every row of a sampled block but keeps only a few, so columns
 * are not read before it takes a copy of the row.  At first it keeps all, until the
 * sample is full: then the rows of a block are read together.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/relscan.h"
#include "storage/bufmgr.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "am/retldb_am.h"
#include "am/slot.h"
#include "rowgroup/group_reader.h"
#include "storage/column_page.h"
#include "storage/directory.h"
#include "storage/stub_map.h"
#include "visibility/anchor.h"
#include "visibility/row_fetch.h"
#include "visibility/stub.h"

/* A run of data pages of a group. */
typedef struct PageOwner
{
	RetlRun		run;
	uint32		firstPage;		/* of the group */
	RetlGroup  *group;
} PageOwner;

typedef struct RetlAnalyzeScan
{
	TableScanDescData base;
	TableScanDesc heapScan;
	TupleTableSlot *heapSlot;	/* what heap's functions take */
	RetlDirectory *directory;
	int			ownerCount;
	PageOwner  *owners;			/* by start of the run */
	BufferAccessStrategy strategy;	/* columns must not flush the buffers */
	RetlGroupReader *reader;
	RetlSlotSource source;		/* of columns of the current row */
	RetlHiddenRows touched;		/* rows of a group that have an entry in its stub map */

	/* the current block */
	PageOwner  *owner;			/* NULL: a block of the row store */
	uint32		nextRow;
	uint32		endRow;
	bool		stateKnown;		/* of the group's anchor: */
	bool		own;
	HTSV_Result state;

	/* the current row */
	RetlGroup  *group;
	uint32		row;
	uint32		rowEnd;			/* of the block's rows */
	uint32		readTo;			/* rows that were read last end there */
	RetlSelection selection;	/* those rows of the vector */
	HeapTupleHeaderData anchor;
} RetlAnalyzeScan;

static void GetColumns(RetlSlotSource *source, int from, int to, Datum *values, bool *isnull);

/* qsort() callback: by first block. */
static int
CompareOwners(const void *a, const void *b)
{
	const PageOwner *left = a;
	const PageOwner *right = b;

	return left->run.start < right->run.start ? -1 : left->run.start > right->run.start;
}

/*
 * List the runs of all complete groups whose anchors stand.
 */
static void
ListOwners(RetlAnalyzeScan *scan, Relation rel)
{
	int			capacity = RETLDB_INLINE_RUNS * scan->directory->groupCount + 1;

	scan->owners = palloc(sizeof(PageOwner) * capacity);
	for (int i = 0; i < scan->directory->groupCount; i++)
	{
		RetlGroup  *group = &scan->directory->groups[i];
		int			runCount;
		RetlRun    *runs;
		uint32		firstPage = 0;

		if (group->entry.state != RETL_GROUP_COMPLETE || !RetlAnchorExists(rel, &group->entry))
			continue;
		runs = RetlGroupGetKnownRuns(rel, &group->entry, &runCount);
		if (scan->ownerCount + runCount > capacity)
		{
			capacity = 2 * (scan->ownerCount + runCount);
			scan->owners = repalloc(scan->owners, sizeof(PageOwner) * capacity);
		}
		for (int j = 0; j < runCount; j++)
		{
			scan->owners[scan->ownerCount++] = (PageOwner) {runs[j], firstPage, group};
			firstPage += runs[j].length;
		}
		pfree(runs);
	}
	qsort(scan->owners, scan->ownerCount, sizeof(PageOwner), CompareOwners);
}

/*
 * Begin a scan for ANALYZE; own rows have been flushed.
 */
TableScanDesc
RetlAnalyzeBegin(Relation rel)
{
	RetlAnalyzeScan *scan = palloc0(sizeof(RetlAnalyzeScan));

	RelationIncrementReferenceCount(rel);
	scan->base.rs_rd = rel;
	scan->base.rs_flags = SO_TYPE_ANALYZE;
	scan->heapScan = heap_beginscan(rel, NULL, 0, NULL, NULL, SO_TYPE_ANALYZE);
	scan->heapSlot = MakeSingleTupleTableSlot(RelationGetDescr(rel), &TTSOpsBufferHeapTuple);
	scan->directory = RetlDirectoryRead(rel);
	scan->strategy = GetAccessStrategy(BAS_VACUUM);
	scan->reader = RetlGroupReaderCreate(rel, scan->strategy, NULL);
	scan->source.getColumns = GetColumns;
	RetlHiddenRowsInit(&scan->touched, CurrentMemoryContext);
	ListOwners(scan, rel);
	return (TableScanDesc) scan;
}

/* End the scan that RetlAnalyzeBegin has begun. */
void
RetlAnalyzeEnd(TableScanDesc sscan)
{
	RetlAnalyzeScan *scan = (RetlAnalyzeScan *) sscan;

	ExecDropSingleTupleTableSlot(scan->heapSlot);
	heap_endscan(scan->heapScan);
	RetlGroupReaderFree(scan->reader);
	FreeAccessStrategy(scan->strategy);
	RelationDecrementReferenceCount(sscan->rs_rd);
	pfree(scan);
}

/*
 * The owner of a block, or NULL.
 */
static PageOwner *
FindOwner(RetlAnalyzeScan *scan, BlockNumber blockno)
{
	int			low = 0;
	int			high = scan->ownerCount;

	while (low < high)
	{
		int			middle = (low + high) / 2;

		if (scan->owners[middle].run.start <= blockno)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0)
		return NULL;
	low--;
	return blockno < scan->owners[low].run.start + scan->owners[low].run.length
		? &scan->owners[low] : NULL;
}

/*
 * Hand a pinned block of the row store to heap's function for its rows, which
 * gives it up after the last one; see heapam_scan_analyze_next_block.
 */
static void
TurnToHeapBlock(RetlAnalyzeScan *scan, Buffer buffer)
{
	HeapScanDesc heapScan = (HeapScanDesc) scan->heapScan;

	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	heapScan->rs_cbuf = buffer;
	heapScan->rs_cblock = BufferGetBlockNumber(buffer);
	heapScan->rs_cindex = FirstOffsetNumber;
}

/*
 * Turn to the next block; false if there is none.
 */
bool
retldb_scan_analyze_next_block(TableScanDesc sscan, RETL_ANALYZE_BLOCK_ARGS)
{
	RetlAnalyzeScan *scan = (RetlAnalyzeScan *) sscan;
	Buffer		buffer = RetlAnalyzeNextBuffer(sscan->rs_rd);
	const RetlGroupEntry *entry;
	uint64		page;
	uint64		pages;

	if (!BufferIsValid(buffer))
		return false;
	scan->owner = FindOwner(scan, BufferGetBlockNumber(buffer));
	scan->stateKnown = false;
	if (scan->owner == NULL)
	{
		TurnToHeapBlock(scan, buffer);
		return true;
	}

	entry = &scan->owner->group->entry;
	page = scan->owner->firstPage + (BufferGetBlockNumber(buffer) - scan->owner->run.start);
	ReleaseBuffer(buffer);
	pages = (entry->dataLength + RETLDB_PAYLOAD_SIZE - 1) / RETLDB_PAYLOAD_SIZE;
	if (page >= pages)
		scan->nextRow = scan->endRow = 0;
	else
	{
		scan->nextRow = page * entry->rowCount / pages;
		scan->endRow = (page + 1) * entry->rowCount / pages;
	}
	return true;
}

/*
 * The next row of a block of the row store.  Heap counts anchors as rows.
 */
static bool
NextHeapTuple(RetlAnalyzeScan *scan, TransactionId oldestXmin, double *liverows,
			  double *deadrows, TupleTableSlot *slot)
{
	while (RetlHeapRoutine()->scan_analyze_next_tuple(scan->heapScan, oldestXmin,
													  liverows, deadrows, scan->heapSlot))
	{
		BufferHeapTupleTableSlot *found = (BufferHeapTupleTableSlot *) scan->heapSlot;

		if (!RetlTupleIsMarked(found->base.tuple->t_data))
		{
			RetlSlotStoreHeapTuple(slot, found->base.tuple, found->buffer);
			return true;
		}
		*liverows -= 1;
	}

	/* nothing may keep a pin on the page */
	ExecClearTuple(slot);
	return false;
}

/*
 * Choose the rows of the current vector to be read: the current one, and if the row
 * before it was read, too, all that the block has there.
 */
static void
SelectRows(RetlAnalyzeScan *scan, uint32 vectorIndex, uint32 vectorRows)
{
	RetlSelection *selection = &scan->selection;
	uint32		first = vectorIndex * vectorRows;
	uint32		end = scan->row + 1;

	selection->rowCount = Min(vectorRows, scan->group->entry.rowCount - first);
	if (scan->row == scan->readTo)
		end = Min(scan->rowEnd, first + selection->rowCount);
	memset(selection->words, 0, RetlSelectionWords(selection->rowCount) * sizeof(uint64));
	for (uint32 row = scan->row; row < end; row++)
		selection->words[(row - first) / 64] |= UINT64CONST(1) << ((row - first) % 64);
	selection->count = end - scan->row;
	scan->readTo = end;
}

/*
 * RetlSlotSource.getColumns: read columns of the current row.
 */
static void
GetColumns(RetlSlotSource *source, int from, int to, Datum *values, bool *isnull)
{
	RetlAnalyzeScan *scan = (RetlAnalyzeScan *) ((char *) source - offsetof(RetlAnalyzeScan, source));
	TupleDesc	tupdesc = RelationGetDescr(scan->base.rs_rd);
	uint32		vectorRows = scan->group->entry.vectorRows;
	uint32		vectorIndex = scan->row / vectorRows;

	RetlGroupReaderOpen(scan->reader, &scan->group->entry);
	SelectRows(scan, vectorIndex, vectorRows);
	for (int i = from; i < to; i++)
	{
		values[i] = (Datum) 0;
		isnull[i] = true;
		if (!TupleDescAttr(tupdesc, i)->attisdropped)
			values[i] = RetlVectorGetDatum(RetlGroupReaderGetSelected(scan->reader, i + 1, vectorIndex,
																	  &scan->selection),
										   scan->row % vectorRows, &isnull[i]);
	}
}

/*
 * Put a row of the current group into the slot.
 */
static void
StoreGroupRow(RetlAnalyzeScan *scan, uint32 row, TupleTableSlot *slot)
{
	RetlGroup  *group = scan->owner->group;
	ItemPointerData tid;

	if (group != scan->group)
		scan->readTo = UINT32_MAX;
	scan->group = group;
	scan->row = row;
	scan->rowEnd = scan->endRow;
	RetlTidFromRowNumber(&tid, group->entry.rowBase + row);
	RetlSlotStoreSourceRow(slot, &scan->source, &tid, RelationGetRelid(scan->base.rs_rd),
						   &scan->anchor);
}

/*
 * Was the row ever touched?  What is touched once the group is being sampled counts
 * as it did before.
 */
static bool
IsTouched(RetlAnalyzeScan *scan, const RetlGroupEntry *entry, uint32 row)
{
	RetlHiddenRows *touched = &scan->touched;

	if (touched->groupId != entry->groupId)
	{
		int			count;
		RetlStubEntry *entries = RetlStubMapRead(scan->base.rs_rd, entry, &count);

		touched->groupId = 0;
		touched->count = 0;
		RetlHiddenRowsClear(touched, entry);
		for (int i = 0; i < count; i++)
			RetlHiddenRowsAdd(touched, entries[i].row);
		if (entries != NULL)
			pfree(entries);
		touched->groupId = entry->groupId;
	}
	return RetlRowIsHidden(touched, row);
}

/*
 * Is a row of the current group, which counts, to be sampled?  In the way of
 * heap: one that another transaction is deleting still counts.  Rows that do not
 * are counted as dead where their stubs are.
 */
static bool
RowCounts(RetlAnalyzeScan *scan, uint32 row, TransactionId oldestXmin)
{
	const RetlGroupEntry *entry = &scan->owner->group->entry;
	bool		own;
	HTSV_Result state;

	if (entry->stubMapRoot == RETLDB_NO_BLOCK || !IsTouched(scan, entry, row))
		return true;
	state = RetlRowVacuumState(scan->base.rs_rd, entry, row, oldestXmin, &own);
	return state == HEAPTUPLE_LIVE || (state == HEAPTUPLE_DELETE_IN_PROGRESS && !own);
}

/*
 * The state of the anchor of the current block's group.
 */
static HTSV_Result
GroupState(RetlAnalyzeScan *scan, TransactionId oldestXmin)
{
	if (!scan->stateKnown)
	{
		scan->state = RetlAnchorVacuumState(scan->base.rs_rd, &scan->owner->group->entry,
											oldestXmin, &scan->own);
		scan->stateKnown = true;
	}
	return scan->state;
}

/*
 * The next row to be sampled of the current block, in the way of heap: rows that a
 * transaction in progress inserts count for that one only, those that it deletes
 * for all others.
 */
bool
retldb_scan_analyze_next_tuple(TableScanDesc sscan, TransactionId OldestXmin,
							   double *liverows, double *deadrows, TupleTableSlot *slot)
{
	RetlAnalyzeScan *scan = (RetlAnalyzeScan *) sscan;
	HTSV_Result state;

	if (scan->owner == NULL)
		return NextHeapTuple(scan, OldestXmin, liverows, deadrows, slot);

	while (scan->nextRow < scan->endRow)
	{
		state = GroupState(scan, OldestXmin);
		if (state == HEAPTUPLE_LIVE || (state == HEAPTUPLE_INSERT_IN_PROGRESS && scan->own) ||
			(state == HEAPTUPLE_DELETE_IN_PROGRESS && !scan->own))
		{
			uint32		row = scan->nextRow++;

			if (!RowCounts(scan, row, OldestXmin))
				continue;
			*liverows += 1;
			StoreGroupRow(scan, row, slot);
			return true;
		}
		if (state != HEAPTUPLE_INSERT_IN_PROGRESS)
			*deadrows += scan->endRow - scan->nextRow;
		scan->nextRow = scan->endRow;
	}
	ExecClearTuple(slot);
	return false;
}
