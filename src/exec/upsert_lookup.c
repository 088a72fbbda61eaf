/*-------------------------------------------------------------------------
 *
 * upsert_lookup.c
 *	  Looking up the rows of a batch of an upsert.
 *
 * The rows of each target are sorted by key, and their keys looked up in its arbiter
 * index, one after the other.  Rows of row groups that are found there, and that
 * nobody is changing, are expected to be touched: the target has them in their order.
 * With suppress_noop they are compared with what is proposed, a vector at a time.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/xact.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "am/write_buffer.h"
#include "base/compat.h"
#include "exec/upsert.h"
#include "visibility/row_fetch.h"
#include "visibility/row_free.h"

/* ---------------------------------------------------------------------
 * Keys
 * ---------------------------------------------------------------------
 */

/*
 * Set the key of a row.  False if it is not looked up: it has a null, so that nothing is
 * in conflict with it, or not looked for.
 */
static bool
SetKey(RetlUpsertState *state, uint32 index)
{
	TupleTableSlot *slot = state->slot;
	const RetlUpsertTarget *target = state->rows[index].target;

	if (target->arbiter == NULL)
		return false;
	ExecStoreMinimalTuple(state->rows[index].tuple, slot, false);
	for (int i = 0; i < state->keyCount; i++)
	{
		bool		isnull;

		state->keys[(Size) index * state->keyCount + i] =
			slot_getattr(slot, target->keyColumns[i], &isnull);
		if (isnull)
			return false;
	}
	return true;
}

/*
 * Compare the keys of two rows of one target.
 */
static int
CompareKeys(RetlUpsertState *state, uint32 left, uint32 right)
{
	SortSupport sortKeys = state->rows[left].target->sortKeys;

	for (int i = 0; i < state->keyCount; i++)
	{
		int			order = ApplySortComparator(state->keys[(Size) left * state->keyCount + i], false,
												state->keys[(Size) right * state->keyCount + i], false,
												&sortKeys[i]);

		if (order != 0)
			return order;
	}
	return 0;
}

/*
 * qsort_arg() comparator of rows by their targets and keys, then as they came.
 */
static int
CompareRows(const void *a, const void *b, void *arg)
{
	RetlUpsertState *state = arg;
	uint32		left = *(const uint32 *) a;
	uint32		right = *(const uint32 *) b;
	uint32		leftTarget = state->rows[left].target->number;
	uint32		rightTarget = state->rows[right].target->number;
	int			order;

	if (leftTarget != rightTarget)
		return leftTarget < rightTarget ? -1 : 1;
	order = CompareKeys(state, left, right);
	if (order != 0)
		return order;
	return left < right ? -1 : left > right;
}

/*
 * The rows to be looked up, by these; those with equal keys are marked.
 */
static uint32 *
SortByKey(RetlUpsertState *state, uint32 *count)
{
	uint32	   *order = palloc_extended(sizeof(uint32) * Max(state->rowCount, 1),
										MCXT_ALLOC_HUGE);

	*count = 0;
	for (uint32 i = 0; i < state->rowCount; i++)
	{
		if (SetKey(state, i))
			order[(*count)++] = i;
	}
	ExecClearTuple(state->slot);
	qsort_arg(order, *count, sizeof(uint32), CompareRows, state);
	for (uint32 i = 1; i < *count; i++)
	{
		RetlUpsertRow *left = &state->rows[order[i - 1]];
		RetlUpsertRow *right = &state->rows[order[i]];

		if (left->target == right->target && CompareKeys(state, order[i - 1], order[i]) == 0)
			left->repeated = right->repeated = true;
	}
	return order;
}

/* ---------------------------------------------------------------------
 * Places
 * ---------------------------------------------------------------------
 */

/*
 * Look a key up, and note the rows of row groups that the index has for it.  Rows
 * of the row store are compared at once.
 */
static void
FindPlacesOfRow(RetlUpsertState *state, RetlUpsertTarget *target, uint32 index)
{
	ItemPointer tid;

	for (int i = 0; i < state->keyCount; i++)
		target->scanKeys[i].sk_argument = state->keys[(Size) index * state->keyCount + i];
	index_rescan(target->scan, target->scanKeys, state->keyCount, NULL, 0);
	while ((tid = index_getnext_tid(target->scan, ForwardScanDirection)) != NULL)
	{
		RetlUpsertPlace *place;

		if (!RetlTidIsColumnar(tid))
		{
			/* of several versions, one after the other was there: it counts once */
			if (target->compare != NULL && !state->rows[index].stays)
				RetlUpsertCompareStoreRow(target->compare, tid, &state->rows[index]);
			continue;
		}
		if (state->placeCount == state->placeCapacity)
		{
			state->placeCapacity *= 2;
			state->places = repalloc_huge(state->places,
										  sizeof(RetlUpsertPlace) * state->placeCapacity);
		}
		place = &state->places[state->placeCount++];
		place->rowNumber = RetlTidGetRowNumber(tid);
		place->index = index;
	}
}

/*
 * qsort() comparator of places: in the order of the rows that are there.
 */
static int
ComparePlaces(const void *a, const void *b)
{
	const RetlUpsertPlace *left = a;
	const RetlUpsertPlace *right = b;

	if (left->rowNumber != right->rowNumber)
		return left->rowNumber < right->rowNumber ? -1 : 1;
	return left->index < right->index ? -1 : left->index > right->index;
}

/*
 * Find the rows of row groups that may be in conflict with rows of one target.
 */
static void
FindPlaces(RetlUpsertState *state, RetlUpsertTarget *target, const uint32 *rows, uint32 count)
{
	/* rows that this backend has buffered have index entries already */
	RetlWriteFlushForRead(target->rel);
	if (target->scan == NULL)
	{
		MemoryContext oldContext = MemoryContextSwitchTo(state->css.ss.ps.state->es_query_cxt);

		target->scan = RetlIndexBeginKeyScan(target->rel, target->arbiter, SnapshotAny,
											 state->keyCount);
		MemoryContextSwitchTo(oldContext);
	}
	state->placeCount = 0;
	for (uint32 i = 0; i < count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		/* the second one may find what the first one has made of the row */
		if (!state->rows[rows[i]].repeated)
			FindPlacesOfRow(state, target, rows[i]);
	}
	qsort(state->places, state->placeCount, sizeof(RetlUpsertPlace), ComparePlaces);
}

/* ---------------------------------------------------------------------
 * Rows that are there
 * ---------------------------------------------------------------------
 */

/*
 * May the command's snapshot not see the row, where that is an error?  To look
 * takes the locks of serializable transactions.
 */
static bool
IsSeen(RetlUpsertState *state, Relation rel, uint64 rowNumber)
{
	HeapTupleHeaderData anchor;
	ItemPointerData tid;

	if (!IsolationUsesXactSnapshot())
		return true;
	RetlTidFromRowNumber(&tid, rowNumber);
	return RetlFetchRow(rel, &tid, state->css.ss.ps.state->es_snapshot, &anchor, NULL) ==
		RETL_FETCHED_ROW;
}

/*
 * A row is expected to be touched.  Its stub is known if it has one.
 */
static void
ExpectRow(RetlUpsertRow *row, uint64 rowNumber, const RetlStubEntry *stub)
{
	RetlTouchBatch *touched = &row->target->touched;
	RetlExpectedRow *expected = &touched->rows[touched->rowCount];

	expected->rowNumber = rowNumber;
	expected->isKnown = ItemPointerIsValid(&stub->stub);
	expected->stub = stub->stub;
	expected->stubNumber = stub->number;
	row->found = touched->rowCount++;
}

/*
 * Places of one group: find those whose rows are there, compare these, and expect that
 * the others are touched.
 */
static void
LookAtGroup(RetlUpsertState *state, RetlUpsertTarget *target, const RetlGroup *group,
			const RetlUpsertPlace *places, int count)
{
	RetlStubEntry *entries = palloc_extended(sizeof(RetlStubEntry) * count,
											 MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	bool	   *isFree = palloc_extended(sizeof(bool) * count, MCXT_ALLOC_HUGE);
	RetlUpsertPlace *toCompare = palloc_extended(sizeof(RetlUpsertPlace) * count,
												 MCXT_ALLOC_HUGE);
	int			compared = 0;

	for (int i = 0; i < count; i++)
		entries[i].row = places[i].rowNumber - group->entry.rowBase;
	RetlRowsFindFree(target->rel, group, entries, count, state->css.ss.ps.state->es_output_cid,
					 isFree);
	for (int i = 0; i < count; i++)
	{
		RetlUpsertRow *row = &state->rows[places[i].index];

		/*
		 * A row that was moved since its key was looked up has two places, and both
		 * were free when we came to them.  What was found first holds.
		 */
		isFree[i] &= !row->stays && !row->isFound;
		if (!isFree[i])
			continue;
		row->isFound = true;
		state->found++;
		if (target->compare != NULL && IsSeen(state, target->rel, places[i].rowNumber))
			toCompare[compared++] = places[i];
	}
	if (compared > 0)
		RetlUpsertCompareRows(target->compare, group, state->rows, toCompare, compared);
	for (int i = 0; i < count; i++)
	{
		RetlUpsertRow *row = &state->rows[places[i].index];

		if (isFree[i] && !row->stays)
			ExpectRow(row, places[i].rowNumber, &entries[i]);
	}
	pfree(toCompare);
	pfree(isFree);
	pfree(entries);
}

/*
 * Look at the rows of all places of a target, group by group.
 */
static void
LookAtPlaces(RetlUpsertState *state, RetlUpsertTarget *target)
{
	target->touched.rows = palloc_extended(sizeof(RetlExpectedRow) * Max(state->placeCount, 1),
										   MCXT_ALLOC_HUGE);
	target->touched.rowCount = 0;
	for (uint32 i = 0; i < state->placeCount;)
	{
		ItemPointerData tid;
		RetlGroup	group;
		uint32		row;
		int			inGroup = 1;

		RetlTidFromRowNumber(&tid, state->places[i].rowNumber);
		if (RetlFindRowGroup(target->rel, &tid, &group, &row))
		{
			uint64		end = group.entry.rowBase + group.entry.rowCount;

			while (i + inGroup < state->placeCount && state->places[i + inGroup].rowNumber < end)
				inGroup++;
			LookAtGroup(state, target, &group, state->places + i, inGroup);
		}
		i += inGroup;
	}
}

/*
 * See upsert.h.
 */
void
RetlUpsertLookUp(RetlUpsertState *state)
{
	MemoryContext oldContext = MemoryContextSwitchTo(state->batchContext);
	uint32		count;
	uint32	   *order;

	state->keys = palloc_extended(sizeof(Datum) * state->rowCount * state->keyCount,
								  MCXT_ALLOC_HUGE);
	order = SortByKey(state, &count);
	state->placeCapacity = count + 1;
	state->places = palloc_extended(sizeof(RetlUpsertPlace) * state->placeCapacity,
									MCXT_ALLOC_HUGE);
	for (uint32 i = 0; i < count;)
	{
		RetlUpsertTarget *target = state->rows[order[i]].target;
		uint32		ofTarget = 1;

		while (i + ofTarget < count && state->rows[order[i + ofTarget]].target == target)
			ofTarget++;
		FindPlaces(state, target, order + i, ofTarget);
		LookAtPlaces(state, target);
		i += ofTarget;
	}
	pfree(state->places);
	pfree(order);
	pfree(state->keys);
	MemoryContextSwitchTo(oldContext);
	state->batches++;
}
