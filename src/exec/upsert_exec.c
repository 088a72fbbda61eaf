/*-------------------------------------------------------------------------
 *
 * upsert_exec.c
 *	  Execution of the custom scan "RetldbUpsert".
 *
 * The executor does an INSERT ... ON CONFLICT DO UPDATE row by row: it looks for a
 * row with the same key, locks it, and updates it.  Where keys come in no order,
 * each of them finds cold pages of the index, another row group, and nothing that
 * is known of the rows that come next.
 *
 * The node takes as many rows from its source as work_mem holds, sorts them by key
 * and looks the keys up in the arbiter index.  Rows that are in conflict with rows
 * of row groups are handed on in the order of these, so that groups and vectors are
 * read one after the other, and it is known which rows are touched next: their
 * stubs are made together (visibility/touch.h).  All other rows follow in the order
 * in which they came.  With suppress_noop, rows that would change nothing are not
 * handed on at all (upsert_compare.c).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "commands/explain.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/extensible.h"
#include "parser/parsetree.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "am/retldb_am.h"
#include "am/write_buffer.h"
#include "base/compat.h"
#include "exec/upsert.h"
#include "visibility/row_fetch.h"
#include "visibility/row_free.h"
#include "visibility/touch.h"

static void BeginNode(CustomScanState *node, EState *estate, int eflags);
static TupleTableSlot *ExecNode(CustomScanState *node);
static void EndNode(CustomScanState *node);
static void RescanNode(CustomScanState *node);
static void ExplainNode(CustomScanState *node, List *ancestors, ExplainState *es);

static const CustomExecMethods UpsertExecMethods = {
	.CustomName = "RetldbUpsert",
	.BeginCustomScan = BeginNode,
	.ExecCustomScan = ExecNode,
	.EndCustomScan = EndNode,
	.ReScanCustomScan = RescanNode,
	.ExplainCustomScan = ExplainNode
};

/* Make the state of a node. */
Node *
RetlUpsertCreateState(CustomScan *plan)
{
	RetlUpsertState *state = (RetlUpsertState *) newNode(sizeof(RetlUpsertState),
														 T_CustomScanState);

	state->css.methods = &UpsertExecMethods;
	return (Node *) state;
}

/* ---------------------------------------------------------------------
 * Beginning and end
 * ---------------------------------------------------------------------
 */

/*
 * Prepare to compare keys as the index does.
 */
static void
InitSortKeys(RetlUpsertState *state)
{
	Relation	index = state->arbiter;

	state->keyCount = IndexRelationGetNumberOfKeyAttributes(index);
	state->sortKeys = palloc0(sizeof(SortSupportData) * state->keyCount);
	for (int i = 0; i < state->keyCount; i++)
	{
		SortSupport key = &state->sortKeys[i];
		Oid			less = get_opfamily_member(index->rd_opfamily[i], index->rd_opcintype[i],
											   index->rd_opcintype[i], BTLessStrategyNumber);

		if (!OidIsValid(less))
			elog(ERROR, "missing operator of index \"%s\"", RelationGetRelationName(index));
		key->ssup_cxt = CurrentMemoryContext;
		key->ssup_collation = index->rd_indcollation[i];
		key->ssup_attno = i + 1;
		PrepareSortSupportFromOrderingOp(less, key);
	}
}

/* Prepare the node; nothing is read yet. */
static void
BeginNode(CustomScanState *node, EState *estate, int eflags)
{
	RetlUpsertState *state = (RetlUpsertState *) node;
	CustomScan *plan = (CustomScan *) node->ss.ps.plan;
	List	   *numbers = list_nth(plan->custom_private, RETL_UPSERT_NUMBERS);
	List	   *arbiter = list_nth(plan->custom_private, RETL_UPSERT_ARBITER);
	Index		relid = list_nth_int(numbers, RETL_UPSERT_RELID);

	outerPlanState(node) = ExecInitNode(outerPlan(plan), estate, eflags);
	if ((eflags & EXEC_FLAG_EXPLAIN_ONLY) != 0)
		return;

	/* ModifyTable has opened it before its source is begun */
	state->rel = estate->es_result_relations[relid - 1]->ri_RelationDesc;
	state->arbiter = index_open(linitial_oid(arbiter), RowExclusiveLock);
	InitSortKeys(state);
	state->slot = ExecInitExtraTupleSlot(estate, ExecGetResultType(outerPlanState(node)),
										 &TTSOpsMinimalTuple);
	if (RetlSuppressesNoop(state->rel))
		state->compare = RetlUpsertCompareCreate(state->rel, plan, estate,
												 node->ss.ps.ps_ExprContext);
	state->batchContext = AllocSetContextCreate(CurrentMemoryContext, "retldb upsert batch",
												ALLOCSET_DEFAULT_SIZES);
}

/* Release what the node holds. */
static void
EndNode(CustomScanState *node)
{
	RetlUpsertState *state = (RetlUpsertState *) node;

	if (state->scan != NULL)
	{
		index_endscan(state->scan);
		RetlTouchForget();
	}
	if (state->arbiter != NULL)
		index_close(state->arbiter, NoLock);
	if (state->compare != NULL)
		RetlGroupReaderFree(state->compare->reader);
	ExecEndNode(outerPlanState(node));
}

/* ModifyTable never begins its source again. */
static void
RescanNode(CustomScanState *node)
{
	(void) node;
	elog(ERROR, "an upsert cannot be started over");
}

/* ---------------------------------------------------------------------
 * Rows of the source
 * ---------------------------------------------------------------------
 */

/*
 * Make room for one more row.
 */
static void
EnlargeBatch(RetlUpsertState *state)
{
	if (state->rowCount < state->rowCapacity)
		return;
	if (state->rowCapacity == 0)
	{
		state->rowCapacity = 64;
		state->rows = palloc(sizeof(RetlUpsertRow) * state->rowCapacity);
		state->keys = palloc(sizeof(Datum) * state->rowCapacity * state->keyCount);
		return;
	}
	state->rowCapacity *= 2;
	state->rows = repalloc_huge(state->rows, sizeof(RetlUpsertRow) * state->rowCapacity);
	state->keys = repalloc_huge(state->keys,
								sizeof(Datum) * state->rowCapacity * state->keyCount);
}

/*
 * Take a row of the source into the batch.  Returns its size.
 */
static Size
TakeRow(RetlUpsertState *state, TupleTableSlot *source)
{
	RetlUpsertRow *row;

	EnlargeBatch(state);
	row = &state->rows[state->rowCount++];
	row->tuple = ExecCopySlotMinimalTuple(source);
	row->found = RETL_NO_ROW;
	row->repeated = row->stays = false;
	return row->tuple->t_len + sizeof(RetlUpsertRow) + sizeof(Datum) * state->keyCount +
		sizeof(RetlUpsertPlace) + 2 * sizeof(uint32);
}

/*
 * Read rows of the source, as many as work_mem holds.
 */
static void
ReadSource(RetlUpsertState *state)
{
	PlanState  *source = outerPlanState(state);
	Size		limit = work_mem * (Size) 1024;
	Size		used = 0;

	while (used < limit && state->rowCount < PG_INT32_MAX / 2)
	{
		/* what the source allocates must not go with the batch */
		TupleTableSlot *slot = ExecProcNode(source);
		MemoryContext oldContext;

		if (TupIsNull(slot))
		{
			state->sourceDone = true;
			return;
		}
		oldContext = MemoryContextSwitchTo(state->batchContext);
		used += TakeRow(state, slot);
		MemoryContextSwitchTo(oldContext);
	}
}

/* ---------------------------------------------------------------------
 * Keys
 * ---------------------------------------------------------------------
 */

/*
 * Set the key of a row.  False if it has a null, so that nothing is in conflict
 * with it, or is not looked for.
 */
static bool
SetKey(RetlUpsertState *state, uint32 index)
{
	TupleTableSlot *slot = state->slot;

	ExecStoreMinimalTuple(state->rows[index].tuple, slot, false);
	for (int i = 0; i < state->keyCount; i++)
	{
		AttrNumber	attnum = state->arbiter->rd_index->indkey.values[i];
		bool		isnull;

		state->keys[(Size) index * state->keyCount + i] = slot_getattr(slot, attnum, &isnull);
		if (isnull)
			return false;
	}
	return true;
}

/*
 * Compare the keys of two rows.
 */
static int
CompareKeys(RetlUpsertState *state, uint32 left, uint32 right)
{
	for (int i = 0; i < state->keyCount; i++)
	{
		int			order = ApplySortComparator(state->keys[(Size) left * state->keyCount + i], false,
												state->keys[(Size) right * state->keyCount + i], false,
												&state->sortKeys[i]);

		if (order != 0)
			return order;
	}
	return 0;
}

/*
 * qsort_arg() comparator of rows by their keys, then as they came.
 */
static int
CompareRows(const void *a, const void *b, void *arg)
{
	uint32		left = *(const uint32 *) a;
	uint32		right = *(const uint32 *) b;
	int			order = CompareKeys(arg, left, right);

	if (order != 0)
		return order;
	return left < right ? -1 : left > right;
}

/*
 * The rows that have keys, by these; those with equal keys are marked.
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
		if (CompareKeys(state, order[i - 1], order[i]) == 0)
			state->rows[order[i - 1]].repeated = state->rows[order[i]].repeated = true;
	}
	return order;
}

/*
 * Look a key up, and note the rows of row groups that the index has for it.  Rows
 * of the row store are compared at once.
 */
static void
LookUp(RetlUpsertState *state, ScanKey scanKeys, uint32 index)
{
	ItemPointer tid;

	for (int i = 0; i < state->keyCount; i++)
		scanKeys[i].sk_argument = state->keys[(Size) index * state->keyCount + i];
	index_rescan(state->scan, scanKeys, state->keyCount, NULL, 0);
	while ((tid = index_getnext_tid(state->scan, ForwardScanDirection)) != NULL)
	{
		RetlUpsertPlace *place;

		if (!RetlTidIsColumnar(tid))
		{
			/* of several versions, one after the other was there: it counts once */
			if (state->compare != NULL && !state->rows[index].stays)
				RetlUpsertCompareStoreRow(state->compare, tid, &state->rows[index]);
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
 * Find the rows of row groups that may be in conflict with rows of the batch.
 */
static void
FindPlaces(RetlUpsertState *state)
{
	ScanKey		scanKeys = palloc(sizeof(ScanKeyData) * state->keyCount);
	uint32		count;
	uint32	   *order = SortByKey(state, &count);

	for (int i = 0; i < state->keyCount; i++)
	{
		Oid			equal = get_opfamily_member(state->arbiter->rd_opfamily[i],
												state->arbiter->rd_opcintype[i],
												state->arbiter->rd_opcintype[i],
												BTEqualStrategyNumber);

		ScanKeyEntryInitialize(&scanKeys[i], 0, i + 1, BTEqualStrategyNumber, InvalidOid,
							   state->arbiter->rd_indcollation[i], get_opcode(equal), (Datum) 0);
	}
	state->placeCapacity = state->rowCount + 1;
	state->places = palloc_extended(sizeof(RetlUpsertPlace) * state->placeCapacity,
									MCXT_ALLOC_HUGE);
	for (uint32 i = 0; i < count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		/* the second one may find what the first one has made of the row */
		if (!state->rows[order[i]].repeated)
			LookUp(state, scanKeys, order[i]);
	}
	qsort(state->places, state->placeCount, sizeof(RetlUpsertPlace), ComparePlaces);
	pfree(order);
	pfree(scanKeys);
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
IsSeen(RetlUpsertState *state, uint64 rowNumber)
{
	HeapTupleHeaderData anchor;
	ItemPointerData tid;

	if (!IsolationUsesXactSnapshot())
		return true;
	RetlTidFromRowNumber(&tid, rowNumber);
	return RetlFetchRow(state->rel, &tid, state->css.ss.ps.state->es_snapshot, &anchor, NULL) ==
		RETL_FETCHED_ROW;
}

/*
 * Places of one group: note those whose rows are there, and compare these.
 */
static void
LookAtGroup(RetlUpsertState *state, const RetlGroup *group, const RetlUpsertPlace *places,
			int count)
{
	RetlStubEntry *entries = palloc_extended(sizeof(RetlStubEntry) * count, MCXT_ALLOC_HUGE);
	bool	   *isFree = palloc_extended(sizeof(bool) * count, MCXT_ALLOC_HUGE);
	RetlUpsertPlace *toCompare = palloc_extended(sizeof(RetlUpsertPlace) * count,
												 MCXT_ALLOC_HUGE);
	int			compared = 0;

	for (int i = 0; i < count; i++)
		entries[i].row = places[i].rowNumber - group->entry.rowBase;
	RetlRowsFindFree(state->rel, group, entries, count, state->css.ss.ps.state->es_output_cid,
					 isFree);
	for (int i = 0; i < count; i++)
	{
		RetlUpsertRow *row = &state->rows[places[i].index];

		/*
		 * A row that was moved since its key was looked up has two places, and both
		 * were free when we came to them.  What was found first holds.
		 */
		if (!isFree[i] || row->stays || row->found != RETL_NO_ROW)
			continue;
		row->found = places[i].rowNumber;
		state->found++;
		if (state->compare != NULL && IsSeen(state, places[i].rowNumber))
			toCompare[compared++] = places[i];
	}
	if (compared > 0)
		RetlUpsertCompareRows(state->compare, group, state->rows, toCompare, compared);
	pfree(toCompare);
	pfree(isFree);
	pfree(entries);
}

/*
 * Look at the rows of all places, group by group.
 */
static void
LookAtPlaces(RetlUpsertState *state)
{
	for (uint32 i = 0; i < state->placeCount;)
	{
		ItemPointerData tid;
		RetlGroup	group;
		uint32		row;
		int			inGroup = 1;

		RetlTidFromRowNumber(&tid, state->places[i].rowNumber);
		if (RetlFindRowGroup(state->rel, &tid, &group, &row))
		{
			uint64		end = group.entry.rowBase + group.entry.rowCount;

			while (i + inGroup < state->placeCount && state->places[i + inGroup].rowNumber < end)
				inGroup++;
			LookAtGroup(state, &group, state->places + i, inGroup);
		}
		i += inGroup;
	}
}

/* ---------------------------------------------------------------------
 * Handing on
 * ---------------------------------------------------------------------
 */

/*
 * Set which rows are handed on, and in which order: first those that are in
 * conflict with rows of row groups, in the order of these.
 */
static void
SetOutputs(RetlUpsertState *state)
{
	state->outputs = palloc_extended(sizeof(uint32) * Max(state->rowCount, 1), MCXT_ALLOC_HUGE);
	state->outputCount = state->nextOutput = 0;
	for (uint32 i = 0; i < state->placeCount; i++)
	{
		const RetlUpsertPlace *place = &state->places[i];
		const RetlUpsertRow *row = &state->rows[place->index];

		if (row->found == place->rowNumber && !row->stays)
			state->outputs[state->outputCount++] = place->index;
	}
	for (uint32 i = 0; i < state->rowCount; i++)
	{
		if (state->rows[i].found == RETL_NO_ROW && !state->rows[i].stays)
			state->outputs[state->outputCount++] = i;
	}
}

/*
 * A row that is in conflict is about to be handed on: say which rows of its group
 * will be touched from here on.
 */
static void
ExpectTouches(RetlUpsertState *state, uint64 rowNumber)
{
	ItemPointerData tid;
	RetlGroup	group;
	uint32		firstRow;
	RetlSelection rows;

	RetlTidFromRowNumber(&tid, rowNumber);
	if (!RetlFindRowGroup(state->rel, &tid, &group, &firstRow))
		return;
	rows.rowCount = Min(RETLDB_MAX_VECTOR_ROWS, group.entry.rowCount - firstRow);
	memset(rows.words, 0, RetlSelectionWords(rows.rowCount) * sizeof(uint64));
	state->expectedTo = rowNumber + rows.rowCount;
	for (uint32 i = state->nextOutput; i < state->outputCount; i++)
	{
		uint64		found = state->rows[state->outputs[i]].found;

		/* larger than all others if there is none */
		if (found >= state->expectedTo)
			break;
		rows.words[(found - rowNumber) / 64] |= UINT64CONST(1) << ((found - rowNumber) % 64);
	}
	RetlSelectionRecount(&rows);
	RetlTouchExpect(state->rel, &group.entry, firstRow, 0, &rows);
}

/*
 * Hand the next row of the batch on.
 */
static TupleTableSlot *
HandOn(RetlUpsertState *state)
{
	const RetlUpsertRow *row = &state->rows[state->outputs[state->nextOutput]];

	if (row->found != RETL_NO_ROW && row->found >= state->expectedTo)
		ExpectTouches(state, row->found);
	state->nextOutput++;
	return ExecStoreMinimalTuple(row->tuple, state->slot, false);
}

/*
 * Find out what is there of the rows of the batch.
 */
static void
LookRowsUp(RetlUpsertState *state)
{
	MemoryContext oldContext;

	/* rows that this backend has buffered have index entries already */
	RetlWriteFlushForRead(state->rel);
	if (state->scan == NULL)
		state->scan = RetlIndexBeginKeyScan(state->rel, state->arbiter, SnapshotAny,
											state->keyCount);
	oldContext = MemoryContextSwitchTo(state->batchContext);
	FindPlaces(state);
	LookAtPlaces(state);
	MemoryContextSwitchTo(oldContext);
	state->batches++;
}

/*
 * Make a new batch.
 */
static void
MakeBatch(RetlUpsertState *state)
{
	MemoryContext oldContext;

	ExecClearTuple(state->slot);
	MemoryContextReset(state->batchContext);
	state->rowCount = state->rowCapacity = 0;
	state->placeCount = 0;
	state->outputCount = state->nextOutput = 0;
	state->expectedTo = 0;
	ReadSource(state);
	if (state->rowCount >= RETL_UPSERT_FEW_ROWS ||
		(state->rowCount > 0 && state->compare != NULL))
		LookRowsUp(state);
	oldContext = MemoryContextSwitchTo(state->batchContext);
	SetOutputs(state);
	MemoryContextSwitchTo(oldContext);
}

/* The next row for ModifyTable. */
static TupleTableSlot *
ExecNode(CustomScanState *node)
{
	RetlUpsertState *state = (RetlUpsertState *) node;

	while (state->nextOutput >= state->outputCount)
	{
		if (state->sourceDone)
			return NULL;
		CHECK_FOR_INTERRUPTS();
		MakeBatch(state);
	}
	return HandOn(state);
}

/* ---------------------------------------------------------------------
 * EXPLAIN
 * ---------------------------------------------------------------------
 */

/* Show the node's own properties. */
static void
ExplainNode(CustomScanState *node, List *ancestors, ExplainState *es)
{
	RetlUpsertState *state = (RetlUpsertState *) node;

	(void) ancestors;
	if (!es->analyze)
		return;
	ExplainPropertyUInteger("Batches", NULL, state->batches, es);
	ExplainPropertyUInteger("Rows Found in Row Groups", NULL, state->found, es);
	if (state->compare != NULL)
		ExplainPropertyUInteger("Rows Left as They Are", NULL, state->compare->left, es);
}
