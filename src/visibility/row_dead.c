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
 * The same of a group's anchor; one that is gone is dead.
 */
static bool
AnchorIsDead(Relation rel, const RetlGroupEntry *entry, Snapshot nonVacuumable,
			 TransactionId *horizon)
{
	Buffer		buffer;
	HeapTupleData tuple;
	bool		dead;

	if (!RetlAnchorLock(rel, entry, &buffer, &tuple))
		return true;
	dead = TupleIsDead(&tuple, buffer, nonVacuumable, horizon);
	UnlockReleaseBuffer(buffer);
	return dead;
}

/*
 * The same of a row's stub.
 */
static bool
StubIsDead(Relation rel, const ItemPointerData *stub, uint64 rowNumber, Snapshot nonVacuumable,
		   TransactionId *horizon)
{
	Buffer		buffer;
	HeapTupleData tuple;
	bool		dead;

	if (!RetlStubLock(rel, stub, rowNumber, BUFFER_LOCK_SHARE, &buffer, &tuple))
		return true;
	dead = TupleIsDead(&tuple, buffer, nonVacuumable, horizon);
	UnlockReleaseBuffer(buffer);
	return dead;
}

/*
 * See row_dead.h.
 */
bool
RetlRowIsDeadForAll(Relation rel, ItemPointer tid, Snapshot nonVacuumable,
					TransactionId *horizon)
{
	RetlGroup	group;
	uint32		row;
	ItemPointerData stub;

	if (!RetlFindRowGroup(rel, tid, &group, &row))
		return false;
	if (AnchorIsDead(rel, &group.entry, nonVacuumable, horizon) && nonVacuumable != NULL)
		return true;
	switch (RetlStubMapLookup(rel, &group.entry, row, &stub))
	{
		case RETL_ROW_UNTOUCHED:
			return false;
		case RETL_ROW_DEAD:
			return true;
		default:
			return StubIsDead(rel, &stub, group.entry.rowBase + row, nonVacuumable, horizon);
	}
}

/*
 * See row_dead.h.
 */
void
RetlRowAdvanceHorizon(Relation rel, ItemPointer tid, TransactionId *horizon)
{
	(void) RetlRowIsDeadForAll(rel, tid, NULL, horizon);
}
