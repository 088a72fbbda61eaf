/*-------------------------------------------------------------------------
 *
 * group_move.c
 *	  Moving the rows of row groups to new ones, next to those who change them.
 *
 * A row that has a stub takes it along: the new group's map names the same stub, so
 * whoever locks, updates or deletes the row in either place does it to the same
 * tuple.  After the old group's anchor has got an xmax, under the lock of its map,
 * no row of it gets a stub any more; so what the map says then is all.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "storage/move_links.h"
#include "storage/stub_map.h"
#include "visibility/anchor.h"
#include "visibility/group_move.h"
#include "visibility/row_fetch.h"
#include "visibility/row_move.h"
#include "visibility/stub.h"

/*
 * Anchors of a page that are taken away together, at most.  Each time the page is logged
 * as a whole; and each anchor needs the lock of a map, of which the server has room for a
 * limited number.
 */
#define ANCHORS_AT_ONCE	32

/* The stub of a row that was moved. */
typedef struct MovedStub
{
	uint64		rowNumber;		/* the new one */
	RetlStubEntry entry;
} MovedStub;

/* ---------------------------------------------------------------------
 * Taking away
 * ---------------------------------------------------------------------
 */

/* See group_move.h. */
void
RetlMoveWriteLinks(Relation rel, RetlMove *move)
{
	for (int i = 0; i < move->oldCount; i++)
	{
		RetlMovedGroup *old = &move->old[i];
		uint32		row = 0;

		CHECK_FOR_INTERRUPTS();
		while (row < old->group->entry.rowCount && old->places[row] == RETLDB_NO_LINK)
			row++;
		old->links = row == old->group->entry.rowCount ? RETLDB_NO_BLOCK :
			RetlLinksWrite(rel, old->group, old->places, move->base);
	}
}

static int
CompareAnchors(const void *one, const void *other)
{
	const RetlGroupEntry *left = &((const RetlMovedGroup *) one)->group->entry;
	const RetlGroupEntry *right = &((const RetlMovedGroup *) other)->group->entry;

	if (left->anchorBlock != right->anchorBlock)
		return left->anchorBlock < right->anchorBlock ? -1 : 1;
	return left->anchorOffset < right->anchorOffset ? -1 : left->anchorOffset > right->anchorOffset;
}

/*
 * Take away the anchors of groups, which are on one page, with the locks of their
 * maps held.  Those who hold such a lock wait for nothing but page changes.  False if
 * one of the groups is being deleted as a whole, or was.
 */
static bool
TakeAnchors(Relation rel, const RetlMovedGroup *groups, int count, TransactionId oldestXmin)
{
	RetlPageRows *anchors = palloc0(RetlPageRowsSize(count));
	int			taken;

	/* nothing else may ask for a heavyweight lock while we hold the maps' */
	(void) GetCurrentTransactionId();
	anchors->block = groups[0].group->entry.anchorBlock;
	anchors->count = count;
	for (int i = 0; i < count; i++)
	{
		anchors->rows[i].offset = groups[i].group->entry.anchorOffset;
		anchors->rows[i].links = groups[i].links;
		RetlStubMapLock(rel, &groups[i].group->entry);
	}
	taken = RetlTuplesTakeAway(rel, anchors, RETL_LEAVING_ANCHORS, 0, oldestXmin);
	for (int i = 0; i < count; i++)
		RetlStubMapUnlock(rel, &groups[i].group->entry);
	pfree(anchors);
	return taken == count;
}

/* ---------------------------------------------------------------------
 * Stubs
 * ---------------------------------------------------------------------
 */

/*
 * Add the stubs of the moved rows of a group.  Of rows that are dead for
 * everybody they are left behind, and the row is made one whose stub is gone: it
 * has index entries, which VACUUM then removes.  Those of rows that are dead for whoever sees
 * the new group are not: snapshots that do not see the move ask here, too (unseen_moves.c).
 */
static MovedStub *
AddStubs(Relation rel, const RetlMove *move, const RetlMovedGroup *old, TransactionId oldestXmin,
		 MovedStub *stubs, int *stubCount)
{
	int			count;
	RetlStubEntry *entries;

	if (!RetlDirectoryReadStubMapRoot(rel, old->group))
		elog(ERROR, "row group of table \"%s\" has gone", RelationGetRelationName(rel));
	entries = RetlStubsReadSorted(rel, &old->group->entry, &count);
	if (count == 0)
		return stubs;
	stubs = stubs == NULL ? palloc_extended(sizeof(MovedStub) * count, MCXT_ALLOC_HUGE) :
		repalloc_huge(stubs, sizeof(MovedStub) * (*stubCount + count));
	for (int i = 0; i < count; i++)
	{
		uint32		place = old->places[entries[i].row];
		MovedStub  *stub = &stubs[*stubCount];
		HTSV_Result state;

		CHECK_FOR_INTERRUPTS();
		if (place == RETLDB_NO_LINK)
			continue;
		state = RetlStubState(rel, &entries[i], oldestXmin);
		stub->rowNumber = move->base + place;
		stub->entry = entries[i];
		stub->entry.dead = false;
		stub->entry.shared = state != HEAPTUPLE_DEAD;
		(*stubCount)++;
	}
	pfree(entries);
	return stubs;
}

static int
CompareStubs(const void *one, const void *other)
{
	uint64		left = ((const MovedStub *) one)->rowNumber;
	uint64		right = ((const MovedStub *) other)->rowNumber;

	return left < right ? -1 : left > right;
}

/*
 * Let a new group have its stubs, which rise, of those from *next on.
 */
static void
GiveStubs(Relation rel, RetlGroup *group, const MovedStub *stubs, int count, int *next)
{
	RetlStubEntry *entries;
	int			entryCount = 0;

	RetlDirectoryRefresh(rel, group);
	while (*next + entryCount < count &&
		   stubs[*next + entryCount].rowNumber - group->entry.rowBase < group->entry.rowCount)
		entryCount++;
	if (entryCount == 0)
		return;
	entries = palloc_extended(sizeof(RetlStubEntry) * entryCount, MCXT_ALLOC_HUGE);
	for (int i = 0; i < entryCount; i++)
	{
		const MovedStub *stub = &stubs[*next + i];

		entries[i] = stub->entry;
		entries[i].row = stub->rowNumber - group->entry.rowBase;
		/* where the anchor stands there is no stub */
		if (!entries[i].shared)
			ItemPointerSet(&entries[i].stub, group->entry.anchorBlock, group->entry.anchorOffset);
	}
	RetlStubMapInherit(rel, group, entries, entryCount);
	*next += entryCount;
	pfree(entries);
}

/* See group_move.h. */
bool
RetlMoveTakeAway(Relation rel, RetlMove *move, TransactionId oldestXmin)
{
	MovedStub  *stubs = NULL;
	int			count = 0;
	int			next = 0;

	qsort(move->old, move->oldCount, sizeof(RetlMovedGroup), CompareAnchors);
	for (int i = 0; i < move->oldCount;)
	{
		int			first = i;

		while (i < move->oldCount && i - first < ANCHORS_AT_ONCE &&
			   move->old[i].group->entry.anchorBlock == move->old[first].group->entry.anchorBlock)
			i++;
		if (!TakeAnchors(rel, move->old + first, i - first, oldestXmin))
			return false;
	}
	for (int i = 0; i < move->oldCount; i++)
		stubs = AddStubs(rel, move, &move->old[i], oldestXmin, stubs, &count);
	if (count == 0)
		return true;
	qsort(stubs, count, sizeof(MovedStub), CompareStubs);
	for (int i = 0; i < move->newCount; i++)
		GiveStubs(rel, &move->new[i], stubs, count, &next);
	if (next < count)
		elog(ERROR, "a row of table \"%s\" was moved to no row group",
			 RelationGetRelationName(rel));
	pfree(stubs);
	return true;
}

/* ---------------------------------------------------------------------
 * Following
 * ---------------------------------------------------------------------
 */

/* See group_move.h. */
bool
RetlFindLeavingRow(Relation rel, const RetlGroupEntry *entry, uint32 row, ItemPointer place)
{
	BlockNumber links = RETLDB_NO_BLOCK;
	uint64		rowNumber;

	(void) RetlAnchorHasLeft(rel, entry, &links);
	if (links == RETLDB_NO_BLOCK || !RetlLinksFind(rel, entry, links, row, &rowNumber))
		return false;
	RetlTidFromRowNumber(place, rowNumber);
	return true;
}

/* See group_move.h. */
bool
RetlFindMovedGroupRow(Relation rel, const ItemPointerData *tid, ItemPointer place)
{
	ItemPointerData from = *tid;
	RetlGroup	group;
	uint32		row;
	BlockNumber links;
	uint64		rowNumber;

	if (!RetlFindRowGroup(rel, &from, &group, &row) ||
		!RetlAnchorHasLeft(rel, &group.entry, &links) || links == RETLDB_NO_BLOCK ||
		!RetlLinksFind(rel, &group.entry, links, row, &rowNumber))
		return false;
	RetlTidFromRowNumber(place, rowNumber);
	return true;
}
