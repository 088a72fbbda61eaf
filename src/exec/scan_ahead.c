/*-------------------------------------------------------------------------
 *
 * scan_ahead.c
 *	  Scans whose rows are changed or locked by the command.
 *
 * Such a scan tells which rows of a vector it is going to hand out, so that their
 * stubs are made together (visibility/touch.h).  The plan's qual, which is not
 * evaluated on vectors, may turn most of them away; so if all rows that pass it
 * are going to be changed, it is evaluated for the whole vector first.
 *
 * That is done only if the order of evaluation cannot be told: without volatile
 * functions, subplans and subqueries with such functions (init_plans.c), and right below
 * the node that changes the rows, which asks for all of them.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/executor.h"
#include "miscadmin.h"
#include "utils/rel.h"

#include "exec/exec.h"
#include "visibility/touch.h"

/*
 * Are rows of a table of the range table handed out to be changed or locked?
 */
bool
RetlRowsAreTouched(Index relid, EState *estate)
{
	ExecRowMark *mark = ExecFindRowMark(estate, relid, true);

	return list_member_int(estate->es_plannedstmt->resultRelations, (int) relid) ||
		(mark != NULL && RowMarkRequiresRowShareLock(mark->markType));
}

/*
 * Does a plan change all rows that a node returns?
 */
static bool
ChangesAllRows(Plan *plan, const Plan *node)
{
	Plan	   *source;
	ListCell   *lc;

	if (plan == NULL || !IsA(plan, ModifyTable))
		return false;
	source = outerPlan(plan);
	if (source == node)
		return true;
	if (source == NULL || !IsA(source, Append))
		return false;
	foreach(lc, ((Append *) source)->appendplans)
	{
		if (lfirst(lc) == node)
			return true;
	}
	return false;
}

/*
 * What part of a command, whose subplans may change rows, too, changes all rows that a
 * node returns?  NULL if none does.
 */
const ModifyTable *
RetlFindChange(const PlannedStmt *command, const Plan *node)
{
	ListCell   *lc;

	if (ChangesAllRows(command->planTree, node))
		return (const ModifyTable *) command->planTree;
	foreach(lc, command->subplans)
	{
		if (ChangesAllRows(lfirst(lc), node))
			return lfirst(lc);
	}
	return NULL;
}

/*
 * Find out what is to be done for the rows of a node.
 */
void
RetlScanAheadInit(RetlScanState *state, EState *estate)
{
	CustomScan *plan = (CustomScan *) state->css.ss.ps.plan;

	state->touches = RetlRowsAreTouched(plan->scan.scanrelid, estate);
	if (state->touches && plan->scan.plan.qual != NIL && state->qualInAnyOrder &&
		RetlFindChange(estate->es_plannedstmt, &plan->scan.plan) != NULL)
		state->passing = palloc(sizeof(RetlSelection));
}

/*
 * Get ready to evaluate the plan's qual for rows of the current vector of the scan.
 */
static void
GetQualVectors(RetlScanState *state)
{
	for (int i = 0; i < state->qualColumnCount; i++)
		state->columns[i].vector = RetlTableScanGetVector(state->scan, state->columns[i].attnum);
}

/*
 * Does a row of the current vector pass the plan's qual?
 */
bool
RetlScanRowPasses(RetlScanState *state, TupleTableSlot *slot, uint32 vectorRow)
{
	uint64		position = state->vectorBase + vectorRow;
	ExprContext *econtext = state->css.ss.ps.ps_ExprContext;
	bool		passes;

	ItemPointerSet(&slot->tts_tid, position / RETLDB_ROWS_PER_BLOCK,
				   position % RETLDB_ROWS_PER_BLOCK + 1);
	for (int i = 0; i < state->qualColumnCount; i++)
	{
		RetlScanColumn *column = &state->columns[i];
		int			index = column->attnum - 1;

		slot->tts_values[index] = RetlVectorGetDatum(column->vector, vectorRow,
													 &slot->tts_isnull[index]);
	}
	passes = ExecQual(state->css.ss.ps.qual, econtext);
	ResetExprContext(econtext);
	return passes;
}

/*
 * Evaluate the qual for the rows of the current vector from one on: state->passing
 * is left with those that pass it.
 */
static void
EvaluateQual(RetlScanState *state, TupleTableSlot *slot, uint32 firstRow)
{
	RetlSelection *passing = state->passing;

	GetQualVectors(state);
	for (uint32 row = RetlSelectionNext(passing, firstRow); row < passing->rowCount;
		 row = RetlSelectionNext(passing, row + 1))
	{
		CHECK_FOR_INTERRUPTS();
		if (!RetlScanRowPasses(state, slot, row))
			passing->words[row / 64] &= ~(UINT64CONST(1) << (row % 64));
	}
	RetlSelectionRecount(passing);
}

/*
 * Turn to the first row of a vector, to evaluate the plan's qual for its rows.
 */
void
RetlScanTurnToVector(RetlScanState *state, const RetlScanRow *first)
{
	state->vectorBase = (uint64) ItemPointerGetBlockNumberNoCheck(&first->tid) *
		RETLDB_ROWS_PER_BLOCK + ItemPointerGetOffsetNumberNoCheck(&first->tid) - 1;
	GetQualVectors(state);
}

/*
 * The scan has turned to a row of another vector.
 */
void
RetlScanLookAhead(RetlScanState *state, TupleTableSlot *slot, const RetlScanRow *row)
{
	ItemPointerData tid = slot->tts_tid;
	RetlSelection selection;
	RetlSelection *rows = state->passing != NULL ? state->passing : &selection;

	RetlTableScanGetSelection(state->scan, rows);
	if (state->passing != NULL)
	{
		EvaluateQual(state, slot, row->vectorRow);
		slot->tts_tid = tid;
	}
	RetlTableScanExpectTouches(state->scan, rows);
}

/*
 * The scan, whose rows are touched, ends or begins anew.
 */
void
RetlScanForgetAhead(RetlScanState *state)
{
	if (state->touches)
		RetlTouchForget();
}
