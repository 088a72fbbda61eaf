/*-------------------------------------------------------------------------
 *
 * scan_index.c
 *	  Scans for building indexes: which rows, and how far they are.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/snapmgr.h"

#include "visibility/table_scan_state.h"

/*
 * Return the rows of row groups that are entered in a new index.
 */
void
RetlTableScanSetIndexRows(RetlTableScan *scan, RetlIndexRows *rows)
{
	Assert(scan->state == CURSOR_FRESH && scan->snapshot == SnapshotAny);
	scan->indexRows = rows;
}

/*
 * Is the current row of such a scan alive?
 */
bool
RetlTableScanRowIsAlive(const RetlTableScan *scan)
{
	Assert(scan->state == CURSOR_IN_GROUP && scan->indexRows != NULL);
	return RetlIndexRowIsAlive(scan->indexRows, (uint32) scan->rowInItem);
}

/*
 * Data pages of a group.
 */
static uint64
GroupPages(const RetlGroup *group)
{
	return (group->entry.dataLength + RETLDB_PAYLOAD_SIZE - 1) / RETLDB_PAYLOAD_SIZE;
}

/*
 * What all processes of a parallel scan have claimed.
 */
static uint64
BlocksClaimed(const RetlTableScan *scan)
{
	uint64		blocks = pg_atomic_read_u64(&scan->parallel->nextBlock);
	uint64		slots = Min(RetlParallelScanSlot(scan->parallel), scan->parallel->slotCount);
	uint64		done = 0;

	for (int i = 0; i < scan->runCount && scan->runs[i].start < blocks; i++)
		done += Min(blocks - scan->runs[i].start, scan->runs[i].length);
	for (uint64 slot = 0; slot < slots; slot++)
	{
		if (scan->groupOfSlot[slot] != NULL)
			done += GroupPages(scan->groupOfSlot[slot]);
	}
	return done;
}

/*
 * What a scan by one process has turned to.
 */
static uint64
BlocksPassed(const RetlTableScan *scan)
{
	int64		blocks = scan->runsBefore[scan->runCount];
	uint64		done = Min(scan->item + 1, blocks);

	for (int64 i = blocks; i <= scan->item; i++)
		done += GroupPages(&scan->directory->groups[i - blocks]);
	return done;
}

/*
 * Blocks of the file.
 */
BlockNumber
RetlTableScanBlocks(RetlTableScan *scan)
{
	if (!scan->started)
		RetlScanStart(scan);
	return scan->nblocks;
}

/*
 * How many blocks the scan has turned to.  Blocks that no row is in are not among
 * them, so this ends below the number of blocks.
 */
BlockNumber
RetlTableScanBlocksDone(RetlTableScan *scan)
{
	uint64		done = scan->parallel != NULL ? BlocksClaimed(scan) : BlocksPassed(scan);

	return (BlockNumber) Min(done, scan->nblocks);
}

/*
 * See table_scan.h.
 */
uint64
RetlTableScanPlace(const RetlTableScan *scan)
{
	if (scan->state == CURSOR_IN_ROW_STORE)
		return scan->page.block;
	Assert(scan->state == CURSOR_IN_GROUP);
	return (uint64) MaxBlockNumber + scan->group->entry.groupId;
}
