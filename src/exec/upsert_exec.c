/*-------------------------------------------------------------------------
 *
 * upsert_exec.c
 *	  Execution of the custom scan "RetldbUpsert".
 *
 * The executor does an INSERT ... ON CONFLICT DO UPDATE row by row: it looks for a
 * row with the same key, locks it, and updates it.  Nothing is known then of the rows
 * that come next.
 *
 * The node takes as many rows from its source as work_mem holds, looks up what is
 * there of them (upsert_lookup.c), and hands them on as they came, so that rows are
 * locked, triggers called and rows returned in the order of the source.  Of each row
 * that is in conflict with one of a row group it says so before: then the stubs of
 * others that will be touched are made with its own (visibility/touch.h).  With
 * suppress_noop, rows that would change nothing are not handed on (upsert_compare.c).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "commands/explain.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/extensible.h"
#include "utils/memutils.h"

#include "base/compat.h"
#include "exec/upsert.h"

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

/* Prepare the node; nothing is read yet. */
static void
BeginNode(CustomScanState *node, EState *estate, int eflags)
{
	RetlUpsertState *state = (RetlUpsertState *) node;

	outerPlanState(node) = ExecInitNode(outerPlan(node->ss.ps.plan), estate, eflags);
	if ((eflags & EXEC_FLAG_EXPLAIN_ONLY) != 0)
		return;
	state->slot = ExecInitExtraTupleSlot(estate, ExecGetResultType(outerPlanState(node)),
										 &TTSOpsMinimalTuple);
	state->batchContext = AllocSetContextCreate(CurrentMemoryContext, "retldb upsert batch",
												ALLOCSET_DEFAULT_SIZES);
	/* ModifyTable has opened the table before its source is begun */
	RetlUpsertBeginTargets(state);
}

/* Release what the node holds. */
static void
EndNode(CustomScanState *node)
{
	RetlUpsertState *state = (RetlUpsertState *) node;

	if (state->batches > 0)
		RetlTouchForget();
	RetlUpsertEndTargets(state);
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
 * Batches
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
		return;
	}
	state->rowCapacity *= 2;
	state->rows = repalloc_huge(state->rows, sizeof(RetlUpsertRow) * state->rowCapacity);
}

/*
 * Take a row of the source into the batch.  Returns the memory that this takes.
 */
static Size
TakeRow(RetlUpsertState *state, TupleTableSlot *source)
{
	RetlUpsertTarget *target = RetlUpsertFindTarget(state, source);
	MemoryContext oldContext = MemoryContextSwitchTo(state->batchContext);
	RetlUpsertRow *row;

	EnlargeBatch(state);
	row = &state->rows[state->rowCount++];
	memset(row, 0, sizeof(*row));
	row->tuple = ExecCopySlotMinimalTuple(source);
	row->target = target;
	row->found = RETL_NO_ROW;
	MemoryContextSwitchTo(oldContext);
	return row->tuple->t_len + sizeof(RetlUpsertRow) + sizeof(Datum) * state->keyCount +
		sizeof(RetlUpsertPlace) + sizeof(RetlExpectedRow) + sizeof(uint32);
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
		TupleTableSlot *slot = ExecProcNode(source);

		if (TupIsNull(slot))
		{
			state->sourceDone = true;
			return;
		}
		used += TakeRow(state, slot);
		if (state->lastTarget->endsBatch)
			return;
	}
}

/*
 * Make a new batch.
 */
static void
MakeBatch(RetlUpsertState *state)
{
	ExecClearTuple(state->slot);
	/* the last row that was handed out goes with it */
	if (state->batches > 0)
		RetlTouchForget();
	MemoryContextReset(state->batchContext);
	state->rowCount = state->rowCapacity = state->nextRow = 0;
	ReadSource(state);
	if (state->rowCount >= RETL_UPSERT_FEW_ROWS || (state->rowCount > 0 && state->leavesRows))
		RetlUpsertLookUp(state);
}

/*
 * The next row of the batch that is to be handed on, or NULL.
 */
static RetlUpsertRow *
NextRow(RetlUpsertState *state)
{
	while (state->nextRow < state->rowCount)
	{
		RetlUpsertRow *row = &state->rows[state->nextRow++];

		if (!row->stays)
			return row;
		RetlUpsertPassRow(row->target->compare, row);
	}
	return NULL;
}

/* The next row for ModifyTable. */
static TupleTableSlot *
ExecNode(CustomScanState *node)
{
	RetlUpsertState *state = (RetlUpsertState *) node;
	RetlUpsertRow *row;

	while ((row = NextRow(state)) == NULL)
	{
		if (state->sourceDone)
			return NULL;
		CHECK_FOR_INTERRUPTS();
		MakeBatch(state);
	}
	if (row->found != RETL_NO_ROW)
		RetlTouchExpectRow(&row->target->touched, row->found);
	return ExecStoreMinimalTuple(row->tuple, state->slot, false);
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
	if (state->leavesRows)
		ExplainPropertyUInteger("Rows Left as They Are", NULL, state->left, es);
}
