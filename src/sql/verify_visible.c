/*-------------------------------------------------------------------------
 *
 * verify_visible.c
 *	  Is a page of the row store all-visible and all-frozen, if it is said to be?
 *
 * Scans do not ask who has inserted or deleted the tuples of an all-visible page, and
 * vacuum never freezes those of an all-frozen one.  Whoever inserts, deletes or locks
 * clears the bits with the page locked, and vacuum sets them so.  So what a page says
 * while it is locked must fit them at that moment.
 *
 * All-visible means visible to every snapshot, and so to the verification's own.  That
 * spares us the horizon that vacuum had when it set the bit, which cannot be found out:
 * what is computed later may be before it (a standby's feedback, say).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/visibilitymap.h"
#include "access/xlog.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "sql/verify_internal.h"
#include "visibility/row_store.h"

/*
 * Does everybody see a tuple of a locked page, as far as we can know?
 *
 * To a standby a transaction that has ended with its primary's crash goes on, until it
 * is told that no older one does.  What such a one has deleted is there.
 */
static bool
IsVisibleToAll(HeapTuple tuple, Buffer buffer)
{
	TransactionId deadAfter;
	HTSV_Result result = HeapTupleSatisfiesVacuumHorizon(tuple, buffer, &deadAfter);

	return (result == HEAPTUPLE_LIVE ||
			(result == HEAPTUPLE_DELETE_IN_PROGRESS && RecoveryInProgress())) &&
		(!ActiveSnapshotSet() || HeapTupleSatisfiesVisibility(tuple, GetActiveSnapshot(), buffer));
}

/*
 * Check what a line pointer names; false if there is a fault.
 */
static bool
CheckItem(RetlVerifyState *state, Buffer buffer, OffsetNumber offset, bool allFrozen)
{
	ItemId		item = PageGetItemId(BufferGetPage(buffer), offset);
	HeapTupleData tuple;

	if (ItemIdIsDead(item))
	{
		RetlVerifyFault(state, "line pointer %u is dead, but the page is marked all-visible", offset);
		return false;
	}
	if (!ItemIdIsNormal(item))
		return true;
	RetlPageSetTuple(state->rel, BufferGetPage(buffer), state->block, offset, &tuple);
	if (!IsVisibleToAll(&tuple, buffer))
	{
		RetlVerifyFault(state, "tuple at offset %u is not visible to everybody, but the page is marked all-visible",
						offset);
		return false;
	}
	if (allFrozen && heap_tuple_needs_eventual_freeze(tuple.t_data))
	{
		RetlVerifyFault(state, "tuple at offset %u is not frozen, but the visibility map says that all of the page are",
						offset);
		return false;
	}
	return true;
}

/*
 * See verify_internal.h.  One fault of a page is enough.  On a standby nobody goes by the
 * mark of the page.
 */
void
RetlVerifyVisible(RetlVerifyState *state, Buffer buffer, Buffer *mapBuffer)
{
	Page		page = BufferGetPage(buffer);
	uint8		status = visibilitymap_get_status(state->rel, BufferGetBlockNumber(buffer), mapBuffer);

	if (!PageIsAllVisible(page) && status != 0)
		RetlVerifyFault(state, "page is not marked all-visible but its visibility map bits are set");
	else if (status == VISIBILITYMAP_ALL_FROZEN)
		RetlVerifyFault(state, "visibility map says that the page is all-frozen but not all-visible");
	else if (status != 0 || (PageIsAllVisible(page) && !RecoveryInProgress()))
	{
		OffsetNumber offset = FirstOffsetNumber;

		while (offset <= PageGetMaxOffsetNumber(page) &&
			   CheckItem(state, buffer, offset, (status & VISIBILITYMAP_ALL_FROZEN) != 0))
			offset++;
	}
}
