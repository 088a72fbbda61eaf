/*-------------------------------------------------------------------------
 *
 * scan_delete.c
 *	  Scans whose command deletes all rows that it is handed: whole row groups.
 *
 * If all rows of a group pass, none needs to be handed out: the group is deleted
 * by its anchor (group_delete.h), and the scan goes on behind it.  So conditions have
 * to be evaluated for the whole group before its first row is handed out, which is
 * given up at the first vector that has a row which fails.  The last vector is asked
 * first, for in a table that is ordered by what the condition is about it is that
 * one which tells groups at the edge from others.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/settings.h"
#include "visibility/group_delete.h"
#include "visibility/table_scan_state.h"

/*
 * Was no row of the open group touched when we last looked?
 */
static bool
IsUntouched(const RetlTableScan *scan)
{
	const RetlGroupEntry *entry = &scan->group->entry;

	return entry->stubMapRoot == RETLDB_NO_BLOCK ||
		(scan->hidden.groupId == entry->groupId && scan->hidden.touched == 0);
}

/*
 * See table_scan.h.  Damaged groups may be among those that are passed over.
 */
bool
RetlTableScanIsAtWholeGroup(const RetlTableScan *scan)
{
	return scan->state == CURSOR_IN_GROUP && scan->rowInItem == 0 && !scan->byPlace &&
		scan->parallel == NULL && scan->indexRows == NULL && IsMVCCSnapshot(scan->snapshot) &&
		scan->firstRow == 0 && scan->endRow == scan->groupRows && !scan->hides &&
		IsUntouched(scan) && !retldb_skip_damaged_groups;
}

/*
 * Do all rows of a vector of the open group pass?  If so, its first row is the current
 * one while "passes" is asked.
 */
static bool
WholeVectorPasses(RetlTableScan *scan, uint32 vectorIndex, RetlVectorPasses passes, void *arg)
{
	if (RetlScanSkipVector(scan, vectorIndex) ||
		(scan->selects && scan->selection.count < scan->selection.rowCount))
		return false;
	if (passes == NULL)
		return true;
	RetlScanSetGroupRow(scan, (int64) vectorIndex << scan->vectorShift);
	return passes(arg, &scan->row,
				  Min(1U << scan->vectorShift,
					  scan->groupRows - (vectorIndex << scan->vectorShift)));
}

/*
 * Do all rows of the open group pass?
 */
static bool
WholeGroupPasses(RetlTableScan *scan, RetlVectorPasses passes, void *arg)
{
	uint32		last = (scan->groupRows - 1) >> scan->vectorShift;

	/* the first one's conditions have been evaluated, for the scan has come here */
	if ((scan->selects && scan->selection.count < scan->selection.rowCount) ||
		!WholeVectorPasses(scan, last, passes, arg))
		return false;
	for (uint32 vectorIndex = 0; vectorIndex < last; vectorIndex++)
		if (!WholeVectorPasses(scan, vectorIndex, passes, arg))
			return false;
	return true;
}

/* See table_scan.h. */
bool
RetlTableScanWholeGroupPasses(RetlTableScan *scan, RetlVectorPasses passes, void *arg)
{
	RetlScanStats stats = scan->stats;
	bool		result;

	if (!scan->selects && passes == NULL)
		return true;
	result = WholeGroupPasses(scan, passes, arg);

	/* as if we had not looked ahead, but for what was read */
	stats.read = scan->stats.read;
	if (scan->checkedVector != 0)
		(void) RetlScanCheckVector(scan, 0);
	scan->countedVector = 0;
	scan->stats = stats;
	RetlScanSetGroupRow(scan, 0);
	return result;
}

/* See table_scan.h. */
uint32
RetlTableScanDeleteGroup(RetlTableScan *scan, CommandId cid)
{
	if (!RetlGroupDelete(scan->rel, scan->group, cid))
		return 0;
	scan->stats.groupsDeleted++;
	/* StepInGroup finds no more rows */
	scan->rowInItem = scan->endRow - 1;
	return scan->groupRows;
}
