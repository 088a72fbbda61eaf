/*-------------------------------------------------------------------------
 *
 * scan_units.c
 *	  Rows of a scan by their place: units of sampling.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "visibility/table_scan_state.h"

/*
 * How many units there are.  Groups that the snapshot does not see have theirs,
 * too, as blocks have that are all dead.
 */
uint64
RetlTableScanCountUnits(RetlTableScan *scan)
{
	RetlDirectory *directory;

	if (!scan->started)
		RetlScanStart(scan);
	directory = scan->directory;
	if (scan->unitsBefore == NULL)
	{
		scan->unitsBefore = MemoryContextAlloc(scan->startContext,
											   sizeof(uint64) * (directory->groupCount + 1));
		scan->unitsBefore[0] = 0;
		for (int i = 0; i < directory->groupCount; i++)
		{
			const RetlGroupEntry *entry = &directory->groups[i].entry;
			uint32		rows = entry->state == RETL_GROUP_COMPLETE ? entry->rowCount : 0;

			scan->unitsBefore[i + 1] = scan->unitsBefore[i] +
				(rows + RETLDB_ROWS_PER_BLOCK - 1) / RETLDB_ROWS_PER_BLOCK;
		}
	}
	return scan->runsBefore[scan->runCount] + scan->unitsBefore[directory->groupCount];
}

/*
 * The group that has a unit, counted from the first one of all groups.
 */
static int
GroupOfUnit(RetlTableScan *scan, uint64 unit)
{
	int			low = 0;
	int			high = scan->directory->groupCount - 1;

	while (low < high)
	{
		int			middle = (low + high + 1) / 2;

		if (scan->unitsBefore[middle] <= unit)
			low = middle;
		else
			high = middle - 1;
	}
	return low;
}

/*
 * Turn to a unit, one of those counted.
 */
uint32
RetlTableScanOpenUnit(RetlTableScan *scan, uint64 unit, BlockNumber *block)
{
	uint64		blocks = scan->runsBefore[scan->runCount];
	int			index;
	int64		item;
	RetlGroup  *group;

	if (unit < blocks)
	{
		*block = RetlScanRowStoreBlock(scan, unit);
		scan->openUnitItem = -1;
		(void) RetlScanOpenBlock(scan, *block);
		return PageGetMaxOffsetNumber(BufferGetPage(scan->page.buffer));
	}

	RetlRowStorePageRelease(&scan->page);
	index = GroupOfUnit(scan, unit - blocks);
	item = blocks + index;
	group = &scan->directory->groups[index];
	scan->unitFirstRow = (unit - blocks - scan->unitsBefore[index]) * RETLDB_ROWS_PER_BLOCK;
	*block = RETLDB_FIRST_ROW_BLOCK +
		(BlockNumber) ((group->entry.rowBase + scan->unitFirstRow) / RETLDB_ROWS_PER_BLOCK);

	/* the last one's group is often this one's, too */
	if (scan->openUnitItem != item)
	{
		scan->openUnitItem = item;
		scan->endRow = 0;
		(void) RetlScanOpenGroup(scan, group);
	}
	return scan->endRow > scan->unitFirstRow ?
		Min(scan->endRow - scan->unitFirstRow, RETLDB_ROWS_PER_BLOCK) : 0;
}

/*
 * The row at an offset of the open unit.
 */
RetlScanRow *
RetlTableScanGetUnitRow(RetlTableScan *scan, OffsetNumber offset)
{
	if (scan->state == CURSOR_IN_GROUP)
	{
		uint32		index = scan->unitFirstRow + offset - 1;

		if (scan->hides ? RetlRowIsHidden(&scan->hidden, index) :
			!IsMVCCSnapshot(scan->snapshot) && !RetlScanRowIsThere(scan, index))
			return NULL;
		RetlScanSetGroupRow(scan, index);
		return &scan->row;
	}
	for (int i = 0; i < scan->page.tupleCount; i++)
	{
		if (scan->page.offsets[i] >= offset)
		{
			if (scan->page.offsets[i] > offset)
				break;
			RetlScanSetPageRow(scan, i);
			return &scan->row;
		}
	}
	return NULL;
}
