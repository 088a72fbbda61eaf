/*-------------------------------------------------------------------------
 *
 * scan_places.c
 *	  Rows of row groups by their place, for bitmap scans.
 *
 * The places of a block of TIDs are rows of one group, for groups begin at
 * multiples of RETLDB_ROWS_PER_BLOCK.  Which of them are there for the snapshot
 * is found out when the block is opened; only these are decoded, when somebody
 * asks for a column of one.
 *
 * A bitmap may have one row of each group or most rows of the table.  So a few
 * rows of a group are looked up in its stub map one by one, and for more of them
 * the map is read as a whole.
 *
 * Nobody tells a scan by place that its bitmap is at its end.  But from the last row of a
 * block to the next block no row is handed out.  A scan that rests there gives up the
 * memory of its columns when another one begins, for it may be one of many partitions.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "port/pg_bitutils.h"
#include "storage/predicate.h"

#include "visibility/anchor.h"
#include "visibility/row_move.h"
#include "visibility/table_scan_state.h"
#include "visibility/touch.h"
#include "visibility/unseen_moves.h"

/* So many rows of a group are looked up before its map is read. */
#define MAX_LOOKUPS		64

#define PLACE_WORDS		(RETLDB_ROWS_PER_BLOCK / 64)

StaticAssertDecl(RETLDB_MIN_VECTOR_ROWS % 64 == 0 && RETLDB_ROWS_PER_BLOCK % 64 == 0,
				 "vectors and blocks of TIDs are whole words of a selection");

/* The scan that has come to the end of a block last, and to no other since; or NULL. */
static RetlTableScan *restingScan = NULL;

/* Memory context callback: a scan that has rested is gone. */
static void
ForgetResting(void *arg)
{
	if (restingScan == arg)
		restingScan = NULL;
}

/* The last row of a block was given up, and the next block may never come. */
static void
Rest(RetlTableScan *scan)
{
	if (scan->restCallback.arg == NULL)
	{
		scan->restCallback.func = ForgetResting;
		scan->restCallback.arg = scan;
		MemoryContextRegisterResetCallback(scan->context, &scan->restCallback);
	}
	restingScan = scan;
}

/* Another scan begins, or the same one goes on. */
static void
EndRest(const RetlTableScan *scan)
{
	if (restingScan != NULL && restingScan != scan)
	{
		restingScan->placeGroup = NULL;
		RetlScanFreeRoom(restingScan);
	}
	restingScan = NULL;
}

/*
 * The scan is asked for rows by place only.
 */
void
RetlTableScanSetByPlace(RetlTableScan *scan)
{
	Assert(scan->state == CURSOR_FRESH && scan->parallel == NULL);
	scan->byPlace = true;
}

/*
 * The command changes or locks the rows that it gets.
 */
void
RetlTableScanSetPlacesTouched(RetlTableScan *scan)
{
	scan->placesTouched = true;
}

/*
 * Which columns will be asked for.
 */
void
RetlTableScanSetColumns(RetlTableScan *scan, const Bitmapset *columns)
{
	MemoryContext oldContext = MemoryContextSwitchTo(scan->context);

	Assert(scan->byPlace);
	scan->columns = bms_copy(columns);
	MemoryContextSwitchTo(oldContext);
}

/*
 * Make the group that has the first row of a block the open one.  False if there
 * is no such group, or if the snapshot does not see it.
 */
static bool
OpenGroupOfBlock(RetlTableScan *scan, BlockNumber block)
{
	uint64		rowNumber = (uint64) (block - RETLDB_FIRST_ROW_BLOCK) * RETLDB_ROWS_PER_BLOCK;
	RetlGroup  *group = scan->placeGroup;

	if (!scan->started || restingScan == scan)
		EndRest(scan);
	if (!scan->started)
	{
		RetlScanStart(scan);
		group = NULL;
	}
	if (group == NULL || rowNumber < group->entry.rowBase ||
		rowNumber - group->entry.rowBase >= group->entry.rowCount)
	{
		/* one of which the snapshot sees rows was COMPLETE before the directory was read */
		group = RetlDirectoryFindRow(scan->directory, rowNumber);
		scan->placeGroup = NULL;
		if (group == NULL || group->entry.state != RETL_GROUP_COMPLETE)
			return false;
		scan->placeGroupIsThere = RetlScanOpenGroup(scan, group) > 0;
		scan->placeGroup = group;
		scan->placesAsked = 0;
		scan->placeDenseVector = -1;
	}
	scan->state = CURSOR_IN_GROUP;
	scan->placeFirstRow = rowNumber - group->entry.rowBase;
	return scan->placeGroupIsThere;
}

/*
 * Note the rows that are asked for, as far as the group has them.
 */
static void
NotePlaces(RetlTableScan *scan, const OffsetNumber *offsets, int count)
{
	uint32		rows = Min(scan->groupRows - scan->placeFirstRow, RETLDB_ROWS_PER_BLOCK);

	memset(scan->placeRows, 0, sizeof(scan->placeRows));
	if (count < 0)
	{
		for (uint32 row = 0; row < rows; row++)
			scan->placeRows[row / 64] |= UINT64CONST(1) << (row % 64);
		return;
	}
	for (int i = 0; i < count; i++)
	{
		uint32		row = offsets[i] - FirstOffsetNumber;

		if (offsets[i] >= FirstOffsetNumber && row < rows)
			scan->placeRows[row / 64] |= UINT64CONST(1) << (row % 64);
	}
}

/* How many rows of the block are to be returned. */
static uint32
CountPlaces(const RetlTableScan *scan)
{
	uint32		count = 0;

	for (int i = 0; i < PLACE_WORDS; i++)
		count += pg_popcount64(scan->placeRows[i]);
	return count;
}

/*
 * Does an MVCC snapshot see a row of the open group?
 */
static bool
RowIsSeen(RetlTableScan *scan, uint32 row)
{
	const RetlGroupEntry *entry = &scan->placeGroup->entry;

	return RetlRowIsVisible(scan->rel, entry, row, scan->snapshot) &&
		(!RetlOwnChangesMatterTo(scan->anchor, scan->snapshot) ||
		 RetlGroupRowStays(scan->rel, entry, row, scan->snapshot));
}

/*
 * Is a row of the open group there?  A serializable transaction locks it then, and
 * looks once more: who changed it in between has not seen the lock.
 */
static bool
PlaceIsThere(RetlTableScan *scan, uint32 row)
{
	RetlGroup  *group = scan->placeGroup;
	ItemPointerData tid;

	if (!IsMVCCSnapshot(scan->snapshot))
		return RetlScanRowIsThere(scan, row);
	if (!IsolationIsSerializable())
		return RowIsSeen(scan, row);

	if (!RetlDirectoryReadStubMapRoot(scan->rel, group) || !RowIsSeen(scan, row))
		return false;
	RetlTidFromRowNumber(&tid, group->entry.rowBase + row);
	PredicateLockTID(scan->rel, &tid, scan->snapshot, HeapTupleHeaderGetXmin(scan->anchor));
	RetlCheckRewrittenRow(scan->rel, &group->entry, row, scan->snapshot);
	return RetlDirectoryReadStubMapRoot(scan->rel, group) && RowIsSeen(scan, row);
}

/*
 * Leave out the noted rows that are not there for the snapshot.
 */
static void
DropHiddenPlaces(RetlTableScan *scan, uint32 count)
{
	RetlGroup  *group = scan->placeGroup;
	bool		oneByOne = !IsMVCCSnapshot(scan->snapshot) || IsolationIsSerializable();

	if (!oneByOne && !RetlScanMayHideRows(scan, group))
		return;
	if (!oneByOne && scan->hidden.groupId != group->entry.groupId)
	{
		oneByOne = scan->placesAsked + count <= MAX_LOOKUPS;
		if (oneByOne)
			scan->placesAsked += count;
		else
			RetlScanFindHiddenRows(scan, group);
	}
	if (oneByOne)
	{
		for (uint32 row = 0; row < RETLDB_ROWS_PER_BLOCK; row++)
		{
			uint64		bit = UINT64CONST(1) << (row % 64);

			if ((scan->placeRows[row / 64] & bit) != 0 &&
				!PlaceIsThere(scan, scan->placeFirstRow + row))
				scan->placeRows[row / 64] &= ~bit;
		}
	}
	else if (scan->hidden.count > 0)
	{
		uint32		firstWord = scan->placeFirstRow / 64;
		uint32		lastWord = (scan->groupRows - 1) / 64;

		for (uint32 i = 0; i < PLACE_WORDS && firstWord + i <= lastWord; i++)
			scan->placeRows[i] &= ~scan->hidden.words[firstWord + i];
	}
}

/*
 * The rows of the open block are about to be handed out to a command that touches
 * them.
 */
static void
ExpectTouches(const RetlTableScan *scan)
{
	RetlSelection rows;

	rows.rowCount = Min(scan->groupRows - scan->placeFirstRow, RETLDB_ROWS_PER_BLOCK);
	rows.count = scan->placeCount;
	memcpy(rows.words, scan->placeRows, RetlSelectionWords(rows.rowCount) * sizeof(uint64));
	RetlTouchExpect(scan->rel, &scan->placeGroup->entry, scan->placeFirstRow, 0, &rows);
}

/*
 * See table_scan.h.
 */
bool
RetlTableScanOpenPlaces(RetlTableScan *scan, BlockNumber block, const OffsetNumber *offsets,
						int count)
{
	Assert(block >= RETLDB_FIRST_ROW_BLOCK && scan->byPlace);

	CHECK_FOR_INTERRUPTS();
	scan->placeCount = 0;
	scan->placeNext = RETLDB_ROWS_PER_BLOCK;
	if (!OpenGroupOfBlock(scan, block))
		return false;
	NotePlaces(scan, offsets, count);
	DropHiddenPlaces(scan, CountPlaces(scan));
	scan->placeCount = CountPlaces(scan);
	scan->placeNext = 0;
	scan->checkedVector = -1;
	if (scan->placesTouched && scan->placeCount > 0)
		ExpectTouches(scan);
	return scan->placeCount > 0;
}

/*
 * Select those rows of a vector that the open block has.  Where two blocks of one
 * vector are taken almost completely, others probably are, too: then the rest of
 * the vector is decoded at once.
 */
static void
SelectPlaces(RetlTableScan *scan, uint32 vectorIndex)
{
	RetlSelection *selection = &scan->selection;
	uint32		firstRow = vectorIndex << scan->vectorShift;
	bool		dense = scan->placeCount >= RETLDB_ROWS_PER_BLOCK / 2;

	RetlGroupReaderExpect(scan->reader, scan->columns, vectorIndex);
	scan->checkedVector = vectorIndex;
	scan->checkedSkip = false;
	scan->selects = true;
	scan->stamp++;
	selection->rowCount = Min(1U << scan->vectorShift, scan->groupRows - firstRow);
	if (dense && scan->placeDenseVector == vectorIndex)
	{
		RetlSelectAll(selection, selection->rowCount);
		return;
	}
	if (dense)
		scan->placeDenseVector = vectorIndex;
	for (uint32 i = 0; i < RetlSelectionWords(selection->rowCount); i++)
	{
		uint32		row = firstRow + i * 64;

		selection->words[i] = row >= scan->placeFirstRow &&
			row < scan->placeFirstRow + RETLDB_ROWS_PER_BLOCK ?
			scan->placeRows[(row - scan->placeFirstRow) / 64] : 0;
	}
	RetlSelectionRecount(selection);
}

/*
 * See table_scan.h.
 */
RetlScanRow *
RetlTableScanNextPlace(RetlTableScan *scan)
{
	while (scan->placeNext < RETLDB_ROWS_PER_BLOCK)
	{
		uint64		word = scan->placeRows[scan->placeNext / 64] >> (scan->placeNext % 64);
		uint32		row;

		if (word == 0)
		{
			scan->placeNext = (scan->placeNext / 64 + 1) * 64;
			continue;
		}
		scan->placeNext += pg_rightmost_one_pos64(word);
		row = scan->placeFirstRow + scan->placeNext++;
		if (scan->checkedVector != row >> scan->vectorShift)
			SelectPlaces(scan, row >> scan->vectorShift);
		RetlScanSetGroupRow(scan, row);
		return &scan->row;
	}
	Rest(scan);
	return NULL;
}
