/*-------------------------------------------------------------------------
 *
 * unseen_moves.c
 *	  Rows that compaction has moved while a snapshot does not see that.
 *
 * A moved row is one row in both of its places, and what its stub in the new one says
 * is true of it.  Commands that are to change it go there.  A snapshot which does not
 * see the move does not see what others do there either, for they came later.  What is
 * left are changes of the current transaction, whose command ids the snapshot may see:
 * so who finds a row in its old place looks in the new one, once this transaction has
 * changed any row of a row group.
 *
 * While a snapshot lives that does not see a move, the rows are not moved again, for the
 * new group's anchor is not settled before everybody sees it.  So there is one step to
 * go, and nothing in the old place or the new one goes away meanwhile.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/transam.h"
#include "miscadmin.h"
#include "storage/predicate.h"
#include "storage/procarray.h"
#include "utils/rel.h"

#include "base/errors.h"
#include "storage/move_links.h"
#include "visibility/anchor.h"
#include "visibility/group_move.h"
#include "visibility/row_fetch.h"
#include "visibility/row_move.h"
#include "visibility/unseen_moves.h"

bool		RetlRowsWereChanged = false;

/* See unseen_moves.h. */
void
RetlForgetChanges(void)
{
	RetlRowsWereChanged = false;
}

/* See unseen_moves.h. */
void
RetlReportMoved(Relation rel)
{
	ereport(ERROR,
			(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
			 errmsg("could not serialize access due to concurrent rewriting of rows of table \"%s\"",
					RelationGetRelationName(rel))));
}

/* ---------------------------------------------------------------------
 * From the old place to the new one
 * ---------------------------------------------------------------------
 */

/*
 * Is a row, which the snapshot sees in its old place, there for it by what its new place
 * says of deletions and updates?
 */
static bool
StaysWhereMoved(Relation rel, const ItemPointerData *place, Snapshot snapshot)
{
	ItemPointerData tid = *place;
	RetlGroup	group;
	uint32		row;

	return RetlFindRowGroup(rel, &tid, &group, &row) &&
		RetlAnchorIsVisibleAsMoved(rel, &group.entry, snapshot) &&
		RetlRowIsVisible(rel, &group.entry, row, snapshot);
}

/* See unseen_moves.h. */
bool
RetlMovedRowStays(Relation rel, HeapTuple tuple, Buffer buffer, Snapshot snapshot, bool byPlace)
{
	bool		ownMatter = RetlOwnChangesMatter(snapshot);
	TransactionId mover;
	ItemPointerData place;

	if (!ownMatter && !CheckForSerializableConflictOutNeeded(rel, snapshot))
		return true;
	/* if the mover has aborted, others may be at the tuple */
	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	mover = RetlTupleMover(tuple->t_data);
	place = tuple->t_data->t_ctid;
	LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
	if (!TransactionIdIsValid(mover))
		return true;
	RetlCheckMovedRow(rel, &place, snapshot, byPlace);
	return !ownMatter || TransactionIdIsInProgress(mover) || !TransactionIdDidCommit(mover) ||
		StaysWhereMoved(rel, &place, snapshot);
}

/* See unseen_moves.h. */
bool
RetlGroupRowStays(Relation rel, const RetlGroupEntry *entry, uint32 row, Snapshot snapshot)
{
	ItemPointerData tid;

	RetlTidFromRowNumber(&tid, entry->rowBase + row);
	return !RetlFindMovedGroupRow(rel, &tid, &tid) || StaysWhereMoved(rel, &tid, snapshot);
}

/*
 * The lowest row number, from "from" on, that one of the links leads to.
 */
static bool
NextPlace(const uint32 *places, uint32 rowCount, uint64 base, uint64 from, uint64 *next)
{
	bool		found = false;

	for (uint32 row = 0; row < rowCount; row++)
	{
		uint64		rowNumber = base + places[row];

		if (places[row] == RETLDB_NO_LINK || rowNumber < from || (found && rowNumber >= *next))
			continue;
		*next = rowNumber;
		found = true;
	}
	return found;
}

/*
 * Hide those rows that have gone to one of the new groups and are not there for the
 * snapshot.  "changed" is memory to work in.
 */
static void
HideWhereMoved(RetlHiddenRows *hidden, Relation rel, const RetlGroupEntry *entry,
			   const uint32 *places, uint64 base, const RetlGroupEntry *new,
			   RetlHiddenRows *changed, Snapshot snapshot)
{
	bool		all = !RetlAnchorIsVisibleAsMoved(rel, new, snapshot);

	if (!all)
	{
		if (new->stubMapRoot == RETLDB_NO_BLOCK)
			return;
		RetlHiddenRowsRead(changed, rel, new, snapshot);
		if (changed->count == 0)
			return;
	}
	if (hidden->count == 0)
		RetlHiddenRowsClear(hidden, entry);
	for (uint32 row = 0; row < entry->rowCount; row++)
	{
		uint64		newRow = base + places[row] - new->rowBase;

		if (places[row] != RETLDB_NO_LINK && newRow < new->rowCount &&
			(all || RetlRowIsHidden(changed, (uint32) newRow)) &&
			!RetlRowIsHidden(hidden, row))
			RetlHiddenRowsAdd(hidden, row);
	}
}

/* See unseen_moves.h. */
void
RetlHideOwnChanges(RetlHiddenRows *hidden, Relation rel, const RetlGroupEntry *entry,
				   Snapshot snapshot)
{
	BlockNumber links;
	uint64		base;
	uint32	   *places;
	uint64		next = 0;
	RetlHiddenRows changed;

	if (!RetlAnchorHasLeft(rel, entry, &links) || links == RETLDB_NO_BLOCK)
		return;
	places = RetlLinksRead(rel, entry, links, &base);
	RetlHiddenRowsInit(&changed, CurrentMemoryContext);
	while (NextPlace(places, entry->rowCount, base, next, &next))
	{
		ItemPointerData tid;
		RetlGroup	new;
		uint32		row;

		CHECK_FOR_INTERRUPTS();
		RetlTidFromRowNumber(&tid, next);
		if (!RetlFindRowGroup(rel, &tid, &new, &row))
			RetlReportDamagedGroup(rel, entry->groupId, NULL, "its links lead nowhere");
		HideWhereMoved(hidden, rel, entry, places, base, &new.entry, &changed, snapshot);
		next = new.entry.rowBase + new.entry.rowCount;
	}
	if (changed.words != NULL)
		pfree(changed.words);
	pfree(places);
}

/* ---------------------------------------------------------------------
 * From the new place to the old one
 * ---------------------------------------------------------------------
 */

/*
 * A group that the snapshot does not see: are its rows those that the snapshot saw in their
 * old places when they were moved?  Compaction moves rows of which every snapshot sees that
 * they were inserted.
 */
static bool
HasMovedUnseen(Relation rel, const RetlGroupEntry *entry, Snapshot snapshot)
{
	return RetlGroupWasCompacted(rel, entry) &&
		RetlAnchorIsVisibleAsMoved(rel, entry, snapshot);
}

/*
 * See unseen_moves.h.  Of a group that is gone every snapshot has seen that its rows were
 * inserted, for they were deleted or moved; or its inserter has aborted, and nobody else
 * was ever at its rows.
 */
bool
RetlRowWasInserted(Relation rel, uint64 rowNumber, Snapshot snapshot)
{
	ItemPointerData tid;
	RetlGroup	group;
	uint32		row;
	Buffer		buffer;
	HeapTupleData anchor;
	TransactionId inserter;

	RetlTidFromRowNumber(&tid, rowNumber);
	if (!RetlFindRowGroup(rel, &tid, &group, &row) ||
		!RetlAnchorLock(rel, &group.entry, &buffer, &anchor))
		return true;
	inserter = HeapTupleHeaderGetXmin(anchor.t_data);
	UnlockReleaseBuffer(buffer);
	return !XidInMVCCSnapshot(inserter, snapshot) || RetlGroupWasCompacted(rel, &group.entry);
}

/* See unseen_moves.h.  VACUUM FULL copies where such rows have gone (rewrite_links.c). */
bool
RetlGroupIsSeenElsewhere(Relation rel, const RetlGroupEntry *entry, Snapshot snapshot)
{
	return IsMVCCSnapshot(snapshot) && HasMovedUnseen(rel, entry, snapshot);
}

/* See unseen_moves.h. */
bool
RetlRowIsSeenElsewhere(Relation rel, const ItemPointerData *tid, Snapshot snapshot)
{
	ItemPointerData place = *tid;
	RetlGroup	group;
	uint32		row;

	return RetlFindRowGroup(rel, &place, &group, &row) &&
		RetlGroupIsSeenElsewhere(rel, &group.entry, snapshot) &&
		RetlRowIsVisible(rel, &group.entry, row, snapshot);
}
