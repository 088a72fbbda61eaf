/*-------------------------------------------------------------------------
 *
 * scan_exec.c
 *	  Execution of the custom scan "RetldbScan".
 *
 * The node hands out rows of a table scan in a virtual slot that has values
 * for the needed columns and nulls for the others.  Rows of row groups have
 * passed the pushed conditions when they get here; all others have to be
 * checked for them, row by row.  The columns that the plan's qual needs are
 * fetched first; the other ones only for rows that pass, so that they are not
 * even read where no row of a vector does.
 *
 * The table scan begins at the first call for a row: EXPLAIN computes nothing, and
 * by then it is known whether this is a parallel scan.  Keys of skip tests are
 * computed when it comes to the first row group.
 *
 * Values of by-reference columns point into the current vector or into the
 * pinned page of the row store, and are valid until the next row is asked for.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "access/tableam.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/pathnodes.h"
#include "optimizer/optimizer.h"
#include "pgstat.h"
#include "utils/rel.h"

#include "am/write_buffer.h"
#include "base/settings.h"
#include "exec/exec.h"

static void BeginScanNode(CustomScanState *node, EState *estate, int eflags);
static TupleTableSlot *ExecScanNode(CustomScanState *node);
static void EndScanNode(CustomScanState *node);
static void RescanScanNode(CustomScanState *node);

static const CustomExecMethods ScanExecMethods = {
	.CustomName = "RetldbScan",
	.BeginCustomScan = BeginScanNode,
	.ExecCustomScan = ExecScanNode,
	.EndCustomScan = EndScanNode,
	.ReScanCustomScan = RescanScanNode,
	.EstimateDSMCustomScan = RetlScanEstimateShared,
	.InitializeDSMCustomScan = RetlScanInitShared,
	.ReInitializeDSMCustomScan = RetlScanReinitShared,
	.InitializeWorkerCustomScan = RetlScanInitWorker,
	.ShutdownCustomScan = RetlScanShutdown,
	.ExplainCustomScan = RetlScanExplain
};

/* Number of nodes that this backend has begun. */
static uint64 scansBegun = 0;

/* Make the state of a node, to be filled by BeginScanNode. */
Node *
RetlScanCreateState(CustomScan *plan)
{
	RetlScanState *state = (RetlScanState *) newNode(sizeof(RetlScanState), T_CustomScanState);

	state->css.methods = &ScanExecMethods;
	return (Node *) state;
}

/* Is this a node of ours? */
bool
RetlIsScanState(PlanState *node)
{
	return IsA(node, CustomScanState) && ((CustomScanState *) node)->methods == &ScanExecMethods;
}

/* Number of nodes that this backend has begun. */
uint64
RetlScansBegun(void)
{
	return scansBegun;
}

/* ---------------------------------------------------------------------
 * Beginning
 * ---------------------------------------------------------------------
 */

/* Columns an expression of the plan refers to, all of them for a whole row. */
static Bitmapset *
ColumnsOf(Node *node, Index scanrelid, TupleDesc tupdesc)
{
	Bitmapset  *found = NULL;
	Bitmapset  *attnums = NULL;
	int			i;

	pull_varattnos(node, scanrelid, &found);
	for (i = 0; i < tupdesc->natts; i++)
	{
		AttrNumber	attnum = i + 1;

		if (TupleDescAttr(tupdesc, i)->attisdropped)
			continue;
		if (bms_is_member(0 - FirstLowInvalidHeapAttributeNumber, found) ||
			bms_is_member(attnum - FirstLowInvalidHeapAttributeNumber, found))
			attnums = bms_add_member(attnums, attnum);
	}
	bms_free(found);
	return attnums;
}

/* Append columns to those of the node. */
static void
AddColumns(RetlScanState *state, Bitmapset *attnums)
{
	int			attnum = -1;

	while ((attnum = bms_next_member(attnums, attnum)) >= 0)
	{
		state->columns[state->columnCount++].attnum = (AttrNumber) attnum;
		state->lastAttnum = Max(state->lastAttnum, attnum);
	}
}

/* The pushed conditions of a plan. */
static List *
PushedConditions(CustomScan *plan)
{
	int			keyCount = intVal(list_nth(plan->custom_private, RETL_PRIVATE_KEY_COUNT));
	int			count = intVal(list_nth(plan->custom_private, RETL_PRIVATE_PUSHED_COUNT));

	return list_truncate(list_copy_tail(plan->custom_exprs, keyCount), count);
}

/* Note which columns the pushed conditions need. */
static void
SetPushedColumns(RetlScanState *state, Bitmapset *attnums)
{
	int			attnum = -1;

	state->pushedColumns = palloc(sizeof(AttrNumber) * (bms_num_members(attnums) + 1));
	while ((attnum = bms_next_member(attnums, attnum)) >= 0)
	{
		state->pushedColumns[state->pushedColumnCount++] = (AttrNumber) attnum;
		state->lastPushedAttnum = (AttrNumber) attnum;
	}
}

/* Find out which columns are needed, and in which order to fetch them. */
static void
SetColumns(RetlScanState *state)
{
	CustomScan *plan = (CustomScan *) state->css.ss.ps.plan;
	Index		relid = plan->scan.scanrelid;
	TupleDesc	tupdesc = RelationGetDescr(state->css.ss.ss_currentRelation);
	Bitmapset  *inQual = ColumnsOf((Node *) plan->scan.plan.qual, relid, tupdesc);
	Bitmapset  *inResult = ColumnsOf((Node *) plan->scan.plan.targetlist, relid, tupdesc);
	Bitmapset  *inPushed = ColumnsOf((Node *) PushedConditions(plan), relid, tupdesc);
	int			count = bms_num_members(inQual) + bms_num_members(inResult) +
		bms_num_members(inPushed);

	state->columns = palloc0(sizeof(RetlScanColumn) * (count + 1));
	AddColumns(state, inQual);
	state->qualColumnCount = state->columnCount;
	state->lastQualAttnum = state->lastAttnum;
	AddColumns(state, bms_difference(inResult, inQual));
	state->resultColumnCount = state->columnCount;
	state->lastResultAttnum = state->lastAttnum;
	state->attnums = bms_union(inQual, inResult);
	AddColumns(state, bms_difference(inPushed, state->attnums));
	state->attnums = bms_add_members(state->attnums, inPushed);
	SetPushedColumns(state, inPushed);
}

/* Make the slots; columns that are not needed are null in every row. */
static void
SetSlots(RetlScanState *state, EState *estate)
{
	TupleTableSlot *slot = state->css.ss.ss_ScanTupleSlot;

	memset(slot->tts_values, 0, sizeof(Datum) * slot->tts_tupleDescriptor->natts);
	memset(slot->tts_isnull, true, sizeof(bool) * slot->tts_tupleDescriptor->natts);

	state->rowStoreSlot = ExecInitExtraTupleSlot(estate, slot->tts_tupleDescriptor,
												 &TTSOpsHeapTuple);
}

/* Prepare the node; nothing is read yet. */
static void
BeginScanNode(CustomScanState *node, EState *estate, int eflags)
{
	RetlScanState *state = (RetlScanState *) node;
	CustomScan *plan = (CustomScan *) node->ss.ps.plan;
	List	   *tests = (List *) list_nth(plan->custom_private, RETL_PRIVATE_TESTS);
	List	   *pushed = PushedConditions(plan);

	scansBegun++;
	state->qualInAnyOrder = intVal(list_nth(plan->custom_private, RETL_PRIVATE_ANY_ORDER)) != 0;
	SetColumns(state);
	SetSlots(state, estate);
	RetlScanAheadInit(state, estate);

	state->pushedQual = ExecInitQual(pushed, &node->ss.ps);
	state->filtersVectors = pushed != NIL && retldb_enable_vector_filter;
	RetlScanDeletesInit(state, estate);
	if (tests != NIL && (retldb_enable_skipping || state->filtersVectors) &&
		(eflags & EXEC_FLAG_EXPLAIN_ONLY) == 0)
		state->skipKeys = RetlSkipKeysCreate(plan, RelationGetDescr(node->ss.ss_currentRelation),
											 &node->ss.ps, retldb_enable_skipping,
											 state->filtersVectors);
}

/*
 * The table scan has come to a row group, or to rows of the row store that it may turn
 * away: compute the keys of tests, unless it is not the first one of this (re)scan.  They
 * never change while a scan is under way.  Like heap, we do not run a subquery for a table
 * without rows.
 */
static void
ComputeKeys(void *arg)
{
	RetlScanState *state = arg;
	PlanState  *ps = &state->css.ss.ps;
	MemoryContext oldContext;

	if (state->keysValid)
		return;
	oldContext = MemoryContextSwitchTo(ps->state->es_query_cxt);
	RetlSkipKeysEvaluate(state->skipKeys, ps->ps_ExprContext);
	MemoryContextSwitchTo(oldContext);
	state->keysValid = true;
}

/*
 * Let the table scan turn rows of the row store away if the keys are known already: then
 * it cannot be told that nobody has asked for them yet.
 */
static void
FilterRowStore(RetlScanState *state)
{
	RetlTableScanFilterRowStore(state->scan, state->filtersVectors &&
								RetlSkipKeysAreKnown(state->skipKeys, state->css.ss.ps.ps_ExprContext));
}

/* Begin the table scan, with filters whose keys are computed when they are needed. */
static void
BeginTableScan(RetlScanState *state)
{
	ScanState  *ss = &state->css.ss;
	const RetlZoneFilter *filter = NULL;

	/* an empty set would mean all columns; 0 is none */
	Bitmapset  *attnums = state->attnums != NULL ? state->attnums : bms_make_singleton(0);

	if (state->skipKeys != NULL)
		filter = RetlSkipKeysGetFilter(state->skipKeys);
	state->scan = RetlTableScanBegin(ss->ss_currentRelation, ss->ps.state->es_snapshot,
									 attnums, filter,
									 state->shared ? RetlSharedScanGet(state->shared) : NULL);
	if (state->filtersVectors)
		RetlTableScanSetConditions(state->scan, RetlSkipKeysGetConditions(state->skipKeys));
	if (state->skipKeys != NULL)
		RetlTableScanSetPrepare(state->scan, ComputeKeys, state);
	FilterRowStore(state);
	state->rowsFilteredSeen = 0;
	state->rowsTaken = 0;
	state->rowsReported = 0;
	pgstat_count_heap_scan(ss->ss_currentRelation);
}

/*
 * Begin the table scan.
 */
static void
StartScan(RetlScanState *state)
{
	ScanState  *ss = &state->css.ss;
	MemoryContext oldContext;

	/* rows this backend has buffered may be visible to our snapshot */
	RetlWriteFlushForRead(ss->ss_currentRelation);

	oldContext = MemoryContextSwitchTo(ss->ps.state->es_query_cxt);
	BeginTableScan(state);
	MemoryContextSwitchTo(oldContext);
}

/* ---------------------------------------------------------------------
 * Rows
 * ---------------------------------------------------------------------
 */

/* Forget what is known of the current vector. */
void
RetlScanForgetVectors(RetlScanState *state)
{
	int			i;

	for (i = 0; i < state->columnCount; i++)
		state->columns[i].vector = NULL;
	state->hasVector = false;
}

/*
 * Tell the cumulative statistics of rows that were read: those returned and those
 * that conditions on vectors turned away.
 */
static void
ReportRowsRead(RetlScanState *state)
{
	const RetlScanStats *stats = RetlTableScanGetStats(state->scan);
	uint64		rows = state->rowsTaken + stats->rowsFiltered + stats->rowsRuntimeFiltered +
		stats->storeRowsFiltered;

	/* the field is the same for tables, for which there is no macro that adds many */
	pgstat_count_index_tuples(state->css.ss.ss_currentRelation, rows - state->rowsReported);
	state->rowsReported = rows;
}

/* What counts as removed by the filter: rows that the table scan filtered out. */
static void
CountFilteredRows(RetlScanState *state)
{
	const RetlScanStats *stats = RetlTableScanGetStats(state->scan);
	uint64		filtered = stats->rowsFiltered + stats->storeRowsFiltered;

	InstrCountFiltered1(&state->css.ss, filtered - state->rowsFilteredSeen);
	state->rowsFilteredSeen = filtered;
}

/*
 * The scan has turned to a row of a row group: is it in the vector we know?
 *
 * The slot's TID is put together anew instead of copied: a load of four bytes
 * that were just stored as two and two would have to wait for both stores.
 */
static inline void
TurnToVectorRow(RetlScanState *state, TupleTableSlot *slot, const RetlScanRow *row)
{
	/* rises by one from row to row */
	uint64		position = (uint64) ItemPointerGetBlockNumberNoCheck(&row->tid) *
		RETLDB_ROWS_PER_BLOCK + ItemPointerGetOffsetNumberNoCheck(&row->tid) - 1;
	uint64		base = position - row->vectorRow;

	ItemPointerSet(&slot->tts_tid, position / RETLDB_ROWS_PER_BLOCK,
				   position % RETLDB_ROWS_PER_BLOCK + 1);

	if (unlikely(!state->hasVector || base != state->vectorBase))
	{
		RetlScanForgetVectors(state);
		state->vectorBase = base;
		state->hasVector = true;
		if (state->filtersVectors)
			CountFilteredRows(state);
		if (state->workerStats != NULL)
			RetlScanReportStats(state);
		if (state->touches)
			RetlScanLookAhead(state, slot, row);
	}
}

/* The scan has turned to a row of the row store. */
static void
TurnToRowStoreRow(RetlScanState *state, TupleTableSlot *slot, const RetlScanRow *row)
{
	slot->tts_tid = row->tid;
	if (state->hasVector)
		RetlScanForgetVectors(state);
	if (state->filtersVectors)
		CountFilteredRows(state);
	/* the scan keeps the page pinned */
	ExecStoreHeapTuple(row->tuple, state->rowStoreSlot, false);
}

/* Put columns [from, to) of a row of the row store into the scan slot. */
static void
FetchFromRowStore(RetlScanState *state, TupleTableSlot *slot, int from, int to,
				  AttrNumber lastAttnum)
{
	TupleTableSlot *source = state->rowStoreSlot;
	int			i;

	slot_getsomeattrs(source, lastAttnum);
	for (i = from; i < to; i++)
	{
		int			column = state->columns[i].attnum - 1;

		slot->tts_values[column] = source->tts_values[column];
		slot->tts_isnull[column] = source->tts_isnull[column];
	}
}

/*
 * Put the columns that the pushed conditions need into the scan slot: most rows
 * of the row store fail them, and their other columns need not be taken apart.
 */
static void
FetchPushedFromRowStore(RetlScanState *state, TupleTableSlot *slot)
{
	TupleTableSlot *source = state->rowStoreSlot;

	slot_getsomeattrs(source, state->lastPushedAttnum);
	for (int i = 0; i < state->pushedColumnCount; i++)
	{
		int			column = state->pushedColumns[i] - 1;

		slot->tts_values[column] = source->tts_values[column];
		slot->tts_isnull[column] = source->tts_isnull[column];
	}
}

/* Put columns [from, to) of a row of a row group into the scan slot. */
static inline void
FetchFromVector(RetlScanState *state, TupleTableSlot *slot, const RetlScanRow *row,
				int from, int to)
{
	int			i;

	for (i = from; i < to; i++)
	{
		RetlScanColumn *column = &state->columns[i];
		int			index = column->attnum - 1;

		if (unlikely(column->vector == NULL))
			column->vector = RetlTableScanGetVector(state->scan, column->attnum);
		slot->tts_values[index] = RetlVectorGetDatum(column->vector, row->vectorRow,
													 &slot->tts_isnull[index]);
	}
}

/* Put columns [from, to) of the current row into the scan slot. */
static inline void
FetchColumns(RetlScanState *state, TupleTableSlot *slot, const RetlScanRow *row, int from,
			 int to, AttrNumber lastAttnum)
{
	if (likely(!row->inRowStore))
		FetchFromVector(state, slot, row, from, to);
	else
		FetchFromRowStore(state, slot, from, to, lastAttnum);
}

/*
 * Does the current row, which did not come by vectors, meet the pushed
 * conditions?  Columns that only they need are null again afterwards.
 */
static bool
MeetsPushedConditions(RetlScanState *state, TupleTableSlot *slot, const RetlScanRow *row)
{
	bool		meets;

	if (row->inRowStore)
		FetchPushedFromRowStore(state, slot);
	else
		FetchFromVector(state, slot, row, 0, state->columnCount);
	meets = ExecQual(state->pushedQual, state->css.ss.ps.ps_ExprContext);
	for (int i = state->resultColumnCount; i < state->columnCount; i++)
		slot->tts_isnull[state->columns[i].attnum - 1] = true;
	return meets;
}

/*
 * Turn to a row of the scan, and check the conditions that have not been
 * checked.  Of a row that passes all columns to be handed out are in the slot.
 */
static inline bool
TakeRow(RetlScanState *state, TupleTableSlot *slot, const RetlScanRow *row)
{
	ExprState  *qual = state->css.ss.ps.qual;
	bool		passedPushed = state->pushedQual == NULL;

	if (likely(!row->inRowStore))
	{
		TurnToVectorRow(state, slot, row);
		passedPushed |= state->filtersVectors;
	}
	else
		TurnToRowStoreRow(state, slot, row);

	if (!passedPushed && !MeetsPushedConditions(state, slot, row))
		return false;
	if (state->passing != NULL && !row->inRowStore)
	{
		if (!RetlIsSelected(state->passing->words, row->vectorRow))
			return false;
		FetchColumns(state, slot, row, 0, state->qualColumnCount, state->lastQualAttnum);
	}
	else if (qual != NULL)
	{
		FetchColumns(state, slot, row, 0, state->qualColumnCount, state->lastQualAttnum);
		if (!ExecQual(qual, state->css.ss.ps.ps_ExprContext))
			return false;
	}
	FetchColumns(state, slot, row, state->qualColumnCount, state->resultColumnCount,
				 state->lastResultAttnum);
	return true;
}

/* What the node returns for the row in the scan slot. */
static inline TupleTableSlot *
ProjectRow(RetlScanState *state, TupleTableSlot *slot)
{
	ProjectionInfo *projection = state->css.ss.ps.ps_ProjInfo;

	return projection != NULL ? ExecProject(projection) : slot;
}

/* What the node returns at the end. */
static TupleTableSlot *
NoRow(RetlScanState *state)
{
	ProjectionInfo *projection = state->css.ss.ps.ps_ProjInfo;

	ExecClearTuple(state->css.ss.ss_ScanTupleSlot);
	if (projection != NULL)
		return ExecClearTuple(projection->pi_state.resultslot);
	return state->css.ss.ss_ScanTupleSlot;
}

/* Make an empty scan slot hold the row that its columns are filled with. */
static inline void
OpenSlot(RetlScanState *state, TupleTableSlot *slot)
{
	ExecClearTuple(slot);
	ExecStoreVirtualTuple(slot);
	slot->tts_tableOid = RelationGetRelid(state->css.ss.ss_currentRelation);
	state->css.ss.ps.ps_ExprContext->ecxt_scantuple = slot;
}

/* The next row that meets the conditions. */
static TupleTableSlot *
NextRow(RetlScanState *state)
{
	ScanState  *ss = &state->css.ss;
	ExprContext *econtext = ss->ps.ps_ExprContext;
	TupleTableSlot *slot = ss->ss_ScanTupleSlot;
	ScanDirection direction = ss->ps.state->es_direction;

	ResetExprContext(econtext);
	if (unlikely(state->scan == NULL))
		StartScan(state);
	if (unlikely(state->runtimeFilter != NULL) && RetlRuntimeFilterIsPending(state->runtimeFilter))
		RetlRuntimeFilterLook(state);

	OpenSlot(state, slot);
	for (;;)
	{
		RetlScanRow *row;

		CHECK_FOR_INTERRUPTS();

		row = RetlTableScanNext(state->scan, direction);
		if (row == NULL)
		{
			CountFilteredRows(state);
			RetlScanForgetVectors(state);
			ExecClearTuple(state->rowStoreSlot);
			return NoRow(state);
		}
		state->rowsTaken++;
		if (unlikely(state->deletes) && !row->inRowStore && RetlScanDeleteGroup(state))
			continue;
		if (TakeRow(state, slot, row))
			return ProjectRow(state, slot);
		InstrCountFiltered1(ss, 1);
		ResetExprContext(econtext);
	}
}

/* ---------------------------------------------------------------------
 * EvalPlanQual
 * ---------------------------------------------------------------------
 */

/* Are we to deliver a certain row of this table, for a recheck of conditions? */
static bool
IsRecheck(RetlScanState *state)
{
	EPQState   *epq = state->css.ss.ps.state->es_epq_active;
	Index		index = ((Scan *) state->css.ss.ps.plan)->scanrelid - 1;

	return epq != NULL && (epq->relsubs_done[index] || epq->relsubs_slot[index] != NULL ||
						   epq->relsubs_rowmark[index] != NULL);
}

/* Make a slot that the access method can store a row in. */
static void
MakeRecheckSlot(RetlScanState *state)
{
	Relation	rel = state->css.ss.ss_currentRelation;
	EState	   *estate = state->css.ss.ps.state;
	MemoryContext oldContext = MemoryContextSwitchTo(estate->es_query_cxt);

	state->recheckSlot = ExecInitExtraTupleSlot(estate, RelationGetDescr(rel),
												table_slot_callbacks(rel));
	MemoryContextSwitchTo(oldContext);
}

/* The row to check, or NULL if there is none. */
static TupleTableSlot *
RowToRecheck(RetlScanState *state)
{
	ScanState  *ss = &state->css.ss;
	EPQState   *epq = ss->ps.state->es_epq_active;
	Index		scanrelid = ((Scan *) ss->ps.plan)->scanrelid;
	TupleTableSlot *slot;

	if (epq->relsubs_done[scanrelid - 1])
		return NULL;
	epq->relsubs_done[scanrelid - 1] = true;

	slot = epq->relsubs_slot[scanrelid - 1];
	if (slot == NULL)
	{
		/* the scan slot is virtual, which the access method does not take */
		if (state->recheckSlot == NULL)
			MakeRecheckSlot(state);
		slot = state->recheckSlot;
		if (!EvalPlanQualFetchRowMark(epq, scanrelid, slot))
			return NULL;
	}
	return TupIsNull(slot) ? NULL : slot;
}

/*
 * ExecScan()'s part for EvalPlanQual.  We do not use ExecScan() for it: our
 * expressions are compiled for the virtual slot, which the row has to be
 * copied into.
 */
static TupleTableSlot *
RecheckRow(RetlScanState *state)
{
	ScanState  *ss = &state->css.ss;
	TupleTableSlot *slot = ss->ss_ScanTupleSlot;
	TupleTableSlot *row = RowToRecheck(state);

	if (row == NULL)
		return NoRow(state);

	ResetExprContext(ss->ps.ps_ExprContext);
	ExecCopySlot(slot, row);
	slot->tts_tid = row->tts_tid;
	slot->tts_tableOid = row->tts_tableOid;
	ss->ps.ps_ExprContext->ecxt_scantuple = slot;

	if (!ExecQual(state->pushedQual, ss->ps.ps_ExprContext) ||
		!ExecQual(ss->ps.qual, ss->ps.ps_ExprContext))
	{
		InstrCountFiltered1(ss, 1);
		return NoRow(state);
	}
	return ProjectRow(state, slot);
}

/* ---------------------------------------------------------------------
 * Callbacks
 * ---------------------------------------------------------------------
 */

/* Return the next row. */
static TupleTableSlot *
ExecScanNode(CustomScanState *node)
{
	RetlScanState *state = (RetlScanState *) node;

	if (unlikely(node->ss.ps.state->es_epq_active != NULL) && IsRecheck(state))
		return RecheckRow(state);
	return NextRow(state);
}

/* End the running scan, if any; what it counted is kept. */
void
RetlScanEndScan(RetlScanState *state)
{
	if (state->scan == NULL)
		return;

	ExecClearTuple(state->rowStoreSlot);
	RetlScanForgetVectors(state);
	ReportRowsRead(state);
	RetlScanStatsAdd(&state->pastStats, RetlTableScanGetStats(state->scan));
	RetlTableScanEnd(state->scan);
	state->scan = NULL;
	RetlScanForgetAhead(state);
}

/* End of the node. */
static void
EndScanNode(CustomScanState *node)
{
	RetlScanEndScan((RetlScanState *) node);
}

/*
 * Start again from the beginning, maybe with other parameters.  Keys are
 * computed when the first row group is there.
 */
static void
RescanScanNode(CustomScanState *node)
{
	RetlScanState *state = (RetlScanState *) node;

	if (state->skipKeys != NULL && RetlSkipKeysMayChange(state->skipKeys))
		state->keysValid = false;
	if (state->runtimeFilter != NULL)
		RetlRuntimeFilterForget(state);

	if (state->scan != NULL)
	{
		ExecClearTuple(state->rowStoreSlot);
		RetlScanForgetVectors(state);
		ReportRowsRead(state);
		RetlTableScanRescan(state->scan);
		FilterRowStore(state);
		pgstat_count_heap_scan(state->css.ss.ss_currentRelation);
		RetlScanForgetAhead(state);
	}
	ExecScanReScan(&node->ss);
}
