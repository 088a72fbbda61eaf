/*-------------------------------------------------------------------------
 *
 * scan_range.c
 *	  Scans of a range of TIDs.
 *
 * The order of a scan is that of TIDs, so a range is a stretch of it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "visibility/table_scan_state.h"

/*
 * How many row numbers are before a TID of any value, one that counts itself (0)
 * or not (1).
 */
static uint64
RowNumberAtTid(ItemPointer tid, int exclude)
{
	BlockNumber block = ItemPointerGetBlockNumberNoCheck(tid);
	int			offset = ItemPointerGetOffsetNumberNoCheck(tid);

	if (block < RETLDB_FIRST_ROW_BLOCK)
		return 0;
	return (uint64) (block - RETLDB_FIRST_ROW_BLOCK) * RETLDB_ROWS_PER_BLOCK +
		Min(Max(offset - exclude, 0), RETLDB_ROWS_PER_BLOCK);
}

/*
 * Rows outside this range of TIDs are passed over from now on.
 */
void
RetlTableScanSetTidRange(RetlTableScan *scan, ItemPointer min, ItemPointer max)
{
	Assert(scan->state == CURSOR_FRESH && scan->parallel == NULL);
	scan->hasTidRange = true;
	scan->minTid = *min;
	scan->maxTid = *max;
	scan->minRowNumber = RowNumberAtTid(min, 1);
	scan->endRowNumber = RowNumberAtTid(max, 0);
}

/*
 * Leave out the rows of the open block that are outside the range of TIDs.
 */
void
RetlScanClipBlock(RetlTableScan *scan)
{
	while (scan->firstRow < scan->endRow &&
		   ItemPointerCompare(&RetlRowStorePageGetTuple(&scan->page, scan->firstRow)->t_self,
							  &scan->minTid) < 0)
		scan->firstRow++;
	while (scan->endRow > scan->firstRow &&
		   ItemPointerCompare(&RetlRowStorePageGetTuple(&scan->page, scan->endRow - 1)->t_self,
							  &scan->maxTid) > 0)
		scan->endRow--;
}

/*
 * Leave out the rows of the open group that are outside the range of TIDs.
 */
void
RetlScanClipGroup(RetlTableScan *scan)
{
	uint64		rowBase = scan->group->entry.rowBase;

	if (scan->minRowNumber > rowBase)
		scan->firstRow = Min(scan->minRowNumber - rowBase, (uint64) scan->groupRows);
	if (scan->endRowNumber < rowBase + scan->groupRows)
		scan->endRow = scan->endRowNumber > rowBase ? scan->endRowNumber - rowBase : 0;
}

/*
 * May an item have rows in the range of TIDs?
 */
bool
RetlScanItemInTidRange(RetlTableScan *scan, int64 item)
{
	uint64		blocks = scan->runsBefore[scan->runCount];
	const RetlGroupEntry *entry;

	if (item < blocks)
	{
		BlockNumber block = RetlScanRowStoreBlock(scan, item);

		return block >= ItemPointerGetBlockNumberNoCheck(&scan->minTid) &&
			block <= ItemPointerGetBlockNumberNoCheck(&scan->maxTid);
	}
	entry = &scan->directory->groups[item - blocks].entry;
	return entry->rowBase < scan->endRowNumber &&
		entry->rowBase + entry->rowCount > scan->minRowNumber;
}
