/*-------------------------------------------------------------------------
 *
 * scan_skip.c
 *	  Which groups, vectors and rows a scan need not look at.
 *
 * Zone maps of the directory and Bloom filters decide for groups, those of the
 * chunks for vectors; conditions on vectors for rows.  Of the cursor, group and
 * checkedVector say what is asked about.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "base/settings.h"
#include "visibility/table_scan_state.h"

/* A runtime condition that turned away less than 1/16 of so many rows is given up. */
#define RUNTIME_TRIAL_ROWS	32768
#define RUNTIME_MIN_SHARE	16

/*
 * Zone of a column of the current group from the directory's zone maps.
 */
static bool
GroupZone(void *context, AttrNumber attnum, RetlZone *zone, uint32 *rowCount)
{
	RetlTableScan *scan = context;
	int			pageIndex = scan->group->slot.pageIndex;
	RetlZoneEntry **pages = scan->zones[attnum - 1];
	RetlZoneEntry *entry;

	if (pages == NULL)
		pages = scan->zones[attnum - 1] =
			MemoryContextAllocZero(scan->startContext,
								   sizeof(RetlZoneEntry *) * scan->directory->pageCount);
	if (pages[pageIndex] == NULL)
	{
		RetlZoneEntry *entries = MemoryContextAllocZero(scan->startContext,
														sizeof(RetlZoneEntry) * RETLDB_DIRECTORY_SLOTS);

		(void) RetlZoneMapRead(scan->rel, scan->directory, pageIndex, attnum, entries);
		pages[pageIndex] = entries;
	}
	entry = &pages[pageIndex][scan->group->slot.slot];
	if (entry->groupIdLow != (uint32) scan->group->entry.groupId || entry->rowCount == 0)
		return false;
	*zone = entry->zone;
	*rowCount = entry->rowCount;
	return true;
}

/*
 * Zone of a column of the vector that checkedVector names.
 */
static bool
VectorZone(void *context, AttrNumber attnum, RetlZone *zone, uint32 *rowCount)
{
	RetlTableScan *scan = context;

	return RetlGroupReaderGetVectorZone(scan->reader, attnum, scan->checkedVector, zone, rowCount);
}

/*
 * What runtime conditions imply for zones; NULL if nothing.
 */
static const RetlZoneFilter *
RuntimeZones(const RetlTableScan *scan)
{
	return scan->runtime != NULL ? scan->runtime->zones : NULL;
}

/*
 * Can no row of the current group match?
 */
bool
RetlScanSkipGroup(RetlTableScan *scan)
{
	/* zone maps may be what is damaged */
	if (!retldb_enable_skipping || retldb_skip_damaged_groups)
		return false;
	return !RetlZoneFilterMayMatch(scan->filter, GroupZone, scan) ||
		!RetlZoneFilterMayMatch(RuntimeZones(scan), GroupZone, scan);
}

/*
 * RetlBloomSource of the current group.
 */
static bool
GroupBloom(void *context, AttrNumber attnum, RetlKeyKind keyKind, uint64 hash)
{
	RetlTableScan *scan = context;

	return RetlGroupReaderBloomMayContain(scan->reader, attnum, keyKind, hash);
}

/*
 * Do Bloom filters of the current group rule out a match?
 */
static bool
BloomsExclude(RetlTableScan *scan, const RetlZoneFilter *filter)
{
	return filter != NULL && RetlZoneFilterHasHash(filter) &&
		!RetlZoneFilterMayMatchBloom(filter, GroupZone, GroupBloom, scan);
}

/*
 * Same as RetlScanSkipGroup, for an open group that zone maps do not rule out: do its
 * Bloom filters?
 */
bool
RetlScanSkipGroupByBlooms(RetlTableScan *scan)
{
	if (!retldb_enable_skipping || retldb_skip_damaged_groups)
		return false;
	return BloomsExclude(scan, scan->filter) || BloomsExclude(scan, RuntimeZones(scan));
}

/*
 * Let runtime conditions deselect rows of checkedVector.  A vector that is looked
 * at again must not get rows back, so all of them are asked then.
 */
static void
ApplyRuntimeTests(RetlTableScan *scan, bool again)
{
	RetlSelection *selection = &scan->selection;
	uint32		before = selection->count;

	for (int i = 0; i < scan->runtime->count && selection->count > 0; i++)
	{
		RetlRuntimeTest *test = &scan->runtime->tests[i];
		uint32		tested = selection->count;

		if (test->useless && !again)
			continue;
		RetlGroupReaderFilter(scan->reader, &test->test, (uint32) scan->checkedVector, selection);
		test->rowsTested += tested;
		test->rowsRemoved += tested - selection->count;
		test->useless = test->rowsTested >= RUNTIME_TRIAL_ROWS &&
			test->rowsRemoved * RUNTIME_MIN_SHARE < test->rowsTested;
	}
	if (again)
		scan->stats.rowsRuntimeFiltered -= scan->countedRuntime;
	scan->countedRuntime = before - selection->count;
	scan->stats.rowsRuntimeFiltered += scan->countedRuntime;
}

/*
 * Is there a condition of either kind that is worth asking?
 */
bool
RetlScanHasConditions(const RetlTableScan *scan)
{
	if (scan->conditions != NULL)
		return true;
	for (int i = 0; scan->runtime != NULL && i < scan->runtime->count; i++)
	{
		if (!scan->runtime->tests[i].useless)
			return true;
	}
	return false;
}

/*
 * The rows of the open group that are not there, if it "hides" some.
 */
static const RetlHiddenRows *
HiddenRows(const RetlTableScan *scan)
{
	return scan->indexRows != NULL ? &scan->indexRows->dead : &scan->hidden;
}

/*
 * Take rows that are not there for the snapshot out of a selection of rows of the
 * open group, from firstRow on.
 */
static void
DeselectHidden(const RetlTableScan *scan, uint32 firstRow, RetlSelection *selection)
{
	const uint64 *hidden = &HiddenRows(scan)->words[firstRow / 64];

	for (uint32 i = 0; i < RetlSelectionWords(selection->rowCount); i++)
		selection->words[i] &= ~hidden[i];
	RetlSelectionRecount(selection);
}

/*
 * Find the rows of checkedVector that are there and pass the conditions, which
 * may raise errors and so never see others.  False if there is none.
 */
static bool
SelectRows(RetlTableScan *scan, bool again)
{
	RetlSelection *selection = &scan->selection;
	uint32		firstRow = (uint32) scan->checkedVector << scan->vectorShift;
	uint32		there;

	CHECK_FOR_INTERRUPTS();
	RetlSelectAll(selection, Min(1U << scan->vectorShift, scan->groupRows - firstRow));
	if (scan->hides)
		DeselectHidden(scan, firstRow, selection);
	there = selection->count;
	for (int i = 0; scan->conditions != NULL && i < scan->conditions->count && selection->count > 0; i++)
		RetlGroupReaderFilterTree(scan->reader, scan->conditions->trees[i],
								  (uint32) scan->checkedVector, selection);
	if (!again)
		scan->stats.rowsFiltered += there - selection->count;
	if (scan->runtime != NULL)
		ApplyRuntimeTests(scan, again);
	if (selection->count == 0 && !again)
		scan->stats.vectorsEmptied++;
	return selection->count > 0;
}

/*
 * Do statistics of checkedVector rule out a match?
 */
static bool
ZonesExcludeVector(RetlTableScan *scan)
{
	return retldb_enable_skipping &&
		(!RetlZoneFilterMayMatch(scan->filter, VectorZone, scan) ||
		 !RetlZoneFilterMayMatch(RuntimeZones(scan), VectorZone, scan));
}

/*
 * Make checkedVector this one, and find out whether it has a row to return.
 */
bool
RetlScanCheckVector(RetlTableScan *scan, uint32 vectorIndex)
{
	bool		again = scan->countedVector == vectorIndex;

	scan->checkedVector = vectorIndex;
	scan->checkedSkip = ZonesExcludeVector(scan);
	if (!again && scan->checkedSkip)
		scan->stats.vectorsSkipped++;
	else if (!again)
		scan->stats.vectorsRead++;
	if (!again)
		scan->countedRuntime = 0;
	scan->countedVector = vectorIndex;
	if (!scan->checkedSkip && (scan->selects || scan->hides))
		scan->checkedSkip = !SelectRows(scan, again);
	return scan->checkedSkip;
}
