/*-------------------------------------------------------------------------
 *
 * delete_groups.c
 *	  DELETE of all rows of row groups.
 *
 * A scan right below the DELETE that it is for deletes groups all of whose rows pass by
 * itself (visibility/scan_delete.c) and counts their rows, instead of handing them out
 * to be deleted one by one.  That is done only where nobody could tell the
 * difference: no row is asked for by RETURNING, triggers for rows (foreign keys that
 * lead here are such), transition tables or logical decoding, and conditions may be
 * evaluated in any order.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/catalog.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "utils/rel.h"

#include "base/settings.h"
#include "exec/exec.h"

/*
 * Is there a trigger that is to see deleted rows?
 */
static bool
TriggersSeeRows(const ResultRelInfo *table)
{
	const TriggerDesc *triggers = table->ri_TrigDesc;

	return triggers != NULL &&
		(triggers->trig_delete_before_row || triggers->trig_delete_after_row ||
		 triggers->trig_delete_instead_row || triggers->trig_delete_old_table);
}

/*
 * Of a DELETE, is there nobody who has to see each row of a table?
 */
static bool
NobodySeesRows(const ModifyTable *delete, Index relid, EState *estate)
{
	ResultRelInfo *table = estate->es_result_relations[relid - 1];
	ResultRelInfo *root = delete->rootRelation == 0 ? NULL :
		estate->es_result_relations[delete->rootRelation - 1];

	return table != NULL && delete->returningLists == NIL &&
		!RelationIsLogicallyLogged(table->ri_RelationDesc) &&
		!TriggersSeeRows(table) && (root == NULL || !TriggersSeeRows(root));
}

/*
 * Find out whether a node may delete groups.
 */
void
RetlScanDeletesInit(RetlScanState *state, EState *estate)
{
	CustomScan *plan = (CustomScan *) state->css.ss.ps.plan;
	const ModifyTable *change = RetlFindChange(estate->es_plannedstmt, &plan->scan.plan);

	/* a recheck deletes nothing; foreign keys may delete only what another snapshot sees, too */
	if (change == NULL || change->operation != CMD_DELETE || estate->es_epq_active != NULL ||
		estate->es_crosscheck_snapshot != InvalidSnapshot)
		return;
	if (state->pushedQual != NULL && !state->filtersVectors)
		return;
	if (!state->qualInAnyOrder)
		return;
	state->deletes = NobodySeesRows(change, plan->scan.scanrelid, estate);
	state->deletesCount = change->canSetTag;
}

/*
 * RetlVectorPasses: do the rows of a vector pass the plan's qual?
 */
static bool
VectorPasses(void *arg, const RetlScanRow *first, uint32 count)
{
	RetlScanState *state = arg;
	TupleTableSlot *slot = state->css.ss.ss_ScanTupleSlot;

	RetlScanTurnToVector(state, first);
	for (uint32 row = 0; row < count; row++)
	{
		CHECK_FOR_INTERRUPTS();
		if (!RetlScanRowPasses(state, slot, row))
			return false;
	}
	return true;
}

/*
 * The scan has come to a row of a row group: if it is the first one of a group that can
 * be deleted as a whole, do so.  True if that is done.
 */
bool
RetlScanDeleteGroup(RetlScanState *state)
{
	EState	   *estate = state->css.ss.ps.state;
	bool		hasQual = state->css.ss.ps.qual != NULL;
	uint32		rows = 0;

	if (!RetlTableScanIsAtWholeGroup(state->scan))
		return false;
	if (RetlTableScanWholeGroupPasses(state->scan, hasQual ? VectorPasses : NULL, state))
		rows = RetlTableScanDeleteGroup(state->scan, estate->es_output_cid);
	RetlScanForgetVectors(state);
	if (rows == 0)
		return false;
	/* the first one has been counted */
	state->rowsTaken += rows - 1;
	if (state->deletesCount)
		estate->es_processed += rows;
	return true;
}
