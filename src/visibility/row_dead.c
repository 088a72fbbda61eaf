/*-------------------------------------------------------------------------
 *
 * row_dead.c
 *	  Which rows of row groups are dead for everybody.
 *
 * A row is, if its group's anchor is, or if it was touched and its stub is dead
 * for everybody or gone.  Another session may have found that out with a newer
 * horizon than ours: then we only ask what queries on a standby conflict with.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/heapam_xlog.h"
#include "storage/bufmgr.h"
#include "utils/rel.h"

#include "base/compat.h"
#include "visibility/anchor.h"
#include "visibility/row_dead.h"
#include "visibility/row_fetch.h"
#include "visibility/stub.h"

/*
 * Is a tuple on a locked page dead for everybody?  Without a snapshot it
 * counts as dead: the horizon is what is wanted.
 */
static bool
TupleIsDead(HeapTuple tuple, Buffer buffer, Snapshot nonVacuumable, TransactionId *horizon)
{
	if (nonVacuumable != NULL && HeapTupleSatisfiesVisibility(tuple, nonVacuumable, buffer))
		return false;
	RetlAdvanceConflictHorizon(tuple->t_data, horizon);
	return true;
}

/*
 * The same of a group's anchor; one that is gone is dead.  If rows of the group are
 * "known" to be dead, the anchor may be what made them so for whoever knows it.
 */
static bool
AnchorIsDead(Relation rel, const RetlGroupEntry *entry, bool known, Snapshot nonVacuumable,
			 TransactionId *horizon)
{
	Buffer		buffer;
	HeapTupleData tuple;
	bool		dead;

	if (!RetlAnchorLock(rel, entry, &buffer, &tuple))
		return true;
	dead = TupleIsDead(&tuple, buffer, nonVacuumable, horizon);
	if (known && !dead)
		RetlAdvanceConflictHorizon(tuple.t_data, horizon);
	UnlockReleaseBuffer(buffer);
	return dead;
}

/*
 * The same of a row's stub.
 */
static bool
StubIsDead(Relation rel, const RetlStubEntry *stub, Snapshot nonVacuumable,
		   TransactionId *horizon)
{
	Buffer		buffer;
	HeapTupleData tuple;
	bool		dead;
	RetlStubSeen seen = RetlStubLook(rel, stub, BUFFER_LOCK_SHARE, &buffer, &tuple);

	/* a row whose stub has been retired was alive then */
	if (seen != RETL_STUB_STANDS)
		return seen == RETL_STUB_GONE;
	dead = TupleIsDead(&tuple, buffer, nonVacuumable, horizon);
	UnlockReleaseBuffer(buffer);
	return dead;
}

/* A row to be looked up. */
typedef struct RowPlace
{
	uint64		rowNumber;
	int			index;			/* in RetlDeadRows */
} RowPlace;

/* qsort() callback: by row number. */
static int
ComparePlaces(const void *a, const void *b)
{
	const RowPlace *left = a;
	const RowPlace *right = b;

	if (left->rowNumber != right->rowNumber)
		return left->rowNumber < right->rowNumber ? -1 : 1;
	return 0;
}

/*
 * Ask the map of a group, whose anchor is not dead, for rows of it; rising.
 */
static void
LookUpInMap(RetlDeadRows *rows, Relation rel, const RetlGroupEntry *entry,
			const RowPlace *places, int count)
{
	RetlStubEntry entries[RETLDB_DEAD_ROWS];
	RetlTouch	touches[RETLDB_DEAD_ROWS];
	int			room;

	if (entry->stubMapRoot == RETLDB_NO_BLOCK)
		return;
	for (int i = 0; i < count; i++)
		entries[i].row = places[i].rowNumber - entry->rowBase;
	for (int i = 0; i < count;)
		i += RetlStubMapLookupRows(rel, entry, entries + i, touches + i, count - i, &room);
	for (int i = 0; i < count; i++)
	{
		/* of a row that comes twice, one was looked up */
		if (i > 0 && entries[i].row == entries[i - 1].row)
		{
			touches[i] = touches[i - 1];
			entries[i] = entries[i - 1];
		}
		if (touches[i] == RETL_ROW_DEAD)
			rows->lives[places[i].index] = RETL_LIFE_DEAD;
		else if (touches[i] == RETL_ROW_HAS_STUB)
		{
			rows->lives[places[i].index] = RETL_LIFE_STUB;
			rows->stubs[places[i].index] = entries[i];
		}
	}
}

/*
 * Look up those of the rows, which rise, that are in the group of the first one.
 * Returns their number, at least 1.
 */
static int
LookUpGroup(RetlDeadRows *rows, Relation rel, const RowPlace *places, int count,
			Snapshot nonVacuumable, TransactionId *horizon)
{
	ItemPointerData tid;
	RetlGroup	group;
	uint32		row;
	bool		known = rows->known[places[0].index];
	int			inGroup = 1;

	RetlTidFromRowNumber(&tid, places[0].rowNumber);
	if (!RetlFindRowGroup(rel, &tid, &group, &row))
		return 1;
	while (inGroup < count &&
		   places[inGroup].rowNumber - group.entry.rowBase < group.entry.rowCount)
		known |= rows->known[places[inGroup++].index];
	if (AnchorIsDead(rel, &group.entry, known, nonVacuumable, horizon))
	{
		for (int i = 0; i < inGroup; i++)
			rows->lives[places[i].index] = RETL_LIFE_DEAD;
	}
	else
		LookUpInMap(rows, rel, &group.entry, places, inGroup);
	return inGroup;
}

/*
 * See row_dead.h.
 */
void
RetlDeadRowsLookUp(RetlDeadRows *rows, Relation rel, Snapshot nonVacuumable,
				   TransactionId *horizon)
{
	RowPlace	places[RETLDB_DEAD_ROWS];

	Assert(rows->count <= RETLDB_DEAD_ROWS);
	for (int i = 0; i < rows->count; i++)
	{
		rows->lives[i] = RETL_LIFE_ALIVE;
		places[i].rowNumber = rows->rowNumbers[i];
		places[i].index = i;
	}
	qsort(places, rows->count, sizeof(RowPlace), ComparePlaces);
	for (int i = 0; i < rows->count;)
		i += LookUpGroup(rows, rel, places + i, rows->count - i, nonVacuumable, horizon);
}

/*
 * See row_dead.h.
 */
bool
RetlDeadRowsIsDead(const RetlDeadRows *rows, int index, Relation rel, Snapshot nonVacuumable,
				   TransactionId *horizon)
{
	bool		known = rows->known[index];

	Assert(index < rows->count);
	if (rows->lives[index] != RETL_LIFE_STUB)
		return known || rows->lives[index] == RETL_LIFE_DEAD;
	return StubIsDead(rel, &rows->stubs[index], known ? NULL : nonVacuumable, horizon);
}
