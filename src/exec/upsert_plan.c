/*-------------------------------------------------------------------------
 *
 * upsert_plan.c
 *	  Which INSERT ... ON CONFLICT DO UPDATE get a node "RetldbUpsert".
 *
 * The node takes many rows from its source before the first of them is inserted,
 * and hands them on in another order.  So that nobody can tell, there must be
 * neither row triggers nor volatile functions nor RETURNING, and no row may get a
 * unique key that another one had before the command or is about to get.  The
 * planner has no place for a node right below ModifyTable, so it is put into the
 * finished plan.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/table.h"
#include "catalog/pg_am.h"
#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "nodes/extensible.h"
#include "nodes/makefuncs.h"
#include "optimizer/optimizer.h"
#include "optimizer/planner.h"
#include "parser/parsetree.h"
#include "utils/rel.h"

#include "am/retldb_am.h"
#include "base/settings.h"
#include "exec/exec.h"
#include "exec/upsert.h"


static planner_hook_type previousPlanner = NULL;

static const CustomScanMethods UpsertPlanMethods = {
	.CustomName = "RetldbUpsert",
	.CreateCustomScanState = RetlUpsertCreateState
};

/*
 * May the rows of a command be inserted in another order than its source has them?
 * The source may ask a sequence for all of them first, but not SET or WHERE, whose
 * numbers would tell the order.
 */
static bool
OrderIsFree(Query *query)
{
	return query->commandType == CMD_INSERT && query->onConflict != NULL &&
		query->onConflict->action == ONCONFLICT_UPDATE &&
		query->returningList == NIL && !query->hasModifyingCTE &&
		!contain_volatile_functions_not_nextval((Node *) query) &&
		!contain_volatile_functions((Node *) query->onConflict->onConflictSet) &&
		!contain_volatile_functions(query->onConflict->onConflictWhere);
}

/*
 * Does a table do anything for each row that is inserted or updated?  Foreign keys
 * look at the rows when all is done.
 */
static bool
HasRowTriggers(Relation rel)
{
	const TriggerDesc *triggers = rel->trigdesc;

	if (triggers == NULL)
		return false;
	for (int i = 0; i < triggers->numtriggers; i++)
	{
		const Trigger *trigger = &triggers->triggers[i];

		if (!TRIGGER_FOR_INSERT(trigger->tgtype) && !TRIGGER_FOR_UPDATE(trigger->tgtype))
			continue;
		if (trigger->tgoldtable != NULL || trigger->tgnewtable != NULL)
			return true;
		if (TRIGGER_FOR_ROW(trigger->tgtype) &&
			!(trigger->tgisinternal && RI_FKey_trigger_type(trigger->tgfoid) != RI_TRIGGER_NONE))
			return true;
	}
	return false;
}

/*
 * Is an index one of plain columns, which has all rows?
 */
static bool
IsPlainIndex(Oid indexOid)
{
	Relation	index = index_open(indexOid, AccessShareLock);
	bool		plain = index->rd_rel->relam == BTREE_AM_OID &&
		RelationGetIndexPredicate(index) == NIL && RelationGetIndexExpressions(index) == NIL;

	index_close(index, AccessShareLock);
	return plain;
}

/*
 * The columns that SET changes, offset by FirstLowInvalidHeapAttributeNumber.  One of
 * the arbiter's keys that is set to what was proposed stays as it is to the arbiter, for
 * the rows are in conflict because these are equal; other indexes may tell them apart
 * ("arbiter" NULL).
 */
static Bitmapset *
ChangedColumns(const ModifyTable *plan, Relation arbiter)
{
	Bitmapset  *changed = NULL;
	ListCell   *lcSet;
	ListCell   *lcColumn;

	forboth(lcSet, plan->onConflictSet, lcColumn, plan->onConflictCols)
	{
		Expr	   *expr = lfirst_node(TargetEntry, lcSet)->expr;
		int			attnum = lfirst_int(lcColumn);
		bool		isKey = false;

		for (int i = 0; arbiter != NULL && i < IndexRelationGetNumberOfKeyAttributes(arbiter); i++)
			isKey |= arbiter->rd_index->indkey.values[i] == attnum;
		if (!isKey || !IsA(expr, Var) || ((Var *) expr)->varno != INNER_VAR ||
			((Var *) expr)->varattno != attnum)
			changed = bms_add_member(changed, attnum - FirstLowInvalidHeapAttributeNumber);
	}
	return changed;
}

/*
 * Do the entries of an index depend on one of these columns?
 */
static bool
IndexHasColumn(Relation index, const Bitmapset *columns)
{
	Bitmapset  *attnums = NULL;

	for (int i = 0; i < index->rd_index->indnkeyatts; i++)
		attnums = bms_add_member(attnums, index->rd_index->indkey.values[i] -
								 FirstLowInvalidHeapAttributeNumber);
	pull_varattnos((Node *) RelationGetIndexExpressions(index), 1, &attnums);
	pull_varattnos((Node *) RelationGetIndexPredicate(index), 1, &attnums);
	return bms_overlap(attnums, columns);
}

/*
 * Could it depend on the order of the rows whether a key is unique?  Not if no row that
 * is there gets another one.  Constraints that are checked at the end do not matter.
 */
static bool
ChangesUniqueKeys(Relation rel, const ModifyTable *plan)
{
	Relation	arbiter = index_open(linitial_oid(plan->arbiterIndexes), AccessShareLock);
	Bitmapset  *changedKeys = ChangedColumns(plan, arbiter);
	Bitmapset  *changed = ChangedColumns(plan, NULL);
	List	   *indexes = RelationGetIndexList(rel);
	bool		changes = false;
	ListCell   *lc;

	index_close(arbiter, AccessShareLock);
	foreach(lc, indexes)
	{
		Relation	index = index_open(lfirst_oid(lc), AccessShareLock);
		Form_pg_index form = index->rd_index;

		if (form->indimmediate && (form->indisunique || form->indisexclusion))
			changes |= IndexHasColumn(index, lfirst_oid(lc) == linitial_oid(plan->arbiterIndexes) ?
									  changedKeys : changed);
		index_close(index, AccessShareLock);
	}
	list_free(indexes);
	return changes;
}

/*
 * Is the node of use for a command of a free order?
 */
static bool
IsOfUse(const PlannedStmt *command)
{
	ModifyTable *plan = (ModifyTable *) command->planTree;
	RangeTblEntry *rte;
	Relation	rel;
	bool		useful;

	if (!IsA(plan, ModifyTable) || plan->operation != CMD_INSERT ||
		plan->onConflictAction != ONCONFLICT_UPDATE ||
		list_length(plan->resultRelations) != 1 || list_length(plan->arbiterIndexes) != 1 ||
		plan->withCheckOptionLists != NIL || plan->returningLists != NIL ||
		outerPlan(plan) == NULL)
		return false;
	rte = rt_fetch(linitial_int(plan->resultRelations), command->rtable);
	if (rte->relkind != RELKIND_RELATION)
		return false;
	/* the planner has a lock */
	rel = table_open(rte->relid, NoLock);
	useful = RetlIsRetldbTable(rel) && !HasRowTriggers(rel) &&
		!(rel->rd_att->constr != NULL && rel->rd_att->constr->has_generated_stored) &&
		(outerPlan(plan)->plan_rows >= RETL_UPSERT_FEW_ROWS || RetlSuppressesNoop(rel)) &&
		IsPlainIndex(linitial_oid(plan->arbiterIndexes)) && !ChangesUniqueKeys(rel, plan);
	table_close(rel, NoLock);
	return useful;
}

/*
 * A target list that refers to all columns of another.  Nulls stay what they are:
 * ModifyTable wants to see them in the place of dropped columns.
 */
static List *
ReferTo(List *targetList, int varno, bool keepNulls)
{
	List	   *result = NIL;
	ListCell   *lc;

	foreach(lc, targetList)
	{
		TargetEntry *entry = lfirst_node(TargetEntry, lc);
		Expr	   *expr = entry->expr;

		if (!keepNulls || !IsA(expr, Const) || !((Const *) expr)->constisnull)
			expr = (Expr *) makeVarFromTargetEntry(varno, entry);
		result = lappend(result, makeTargetEntry(expr, entry->resno, entry->resname,
												 entry->resjunk));
	}
	return result;
}

/*
 * Make the node for a ModifyTable.
 */
static CustomScan *
MakeNode(const ModifyTable *plan)
{
	CustomScan *node = makeNode(CustomScan);
	Plan	   *source = outerPlan(plan);

	node->scan.plan.startup_cost = source->startup_cost;
	node->scan.plan.total_cost = source->total_cost;
	node->scan.plan.plan_rows = source->plan_rows;
	node->scan.plan.plan_width = source->plan_width;
	node->scan.plan.plan_node_id = source->plan_node_id;
	node->scan.plan.extParam = bms_copy(source->extParam);
	node->scan.plan.allParam = bms_copy(source->allParam);
	node->scan.plan.targetlist = ReferTo(source->targetlist, INDEX_VAR, true);
	node->scan.plan.lefttree = source;
	node->custom_scan_tlist = ReferTo(source->targetlist, OUTER_VAR, false);
	node->methods = &UpsertPlanMethods;
	node->custom_private =
		list_make5(list_make2_int(linitial_int(plan->resultRelations), plan->canSetTag),
				   list_make1_oid(linitial_oid(plan->arbiterIndexes)),
				   copyObject(plan->onConflictSet),
				   copyObject(plan->onConflictCols),
				   copyObject(plan->onConflictWhere));
	return node;
}

/* planner_hook */
static PlannedStmt *
PlanCommand(Query *query, const char *queryString, int cursorOptions, ParamListInfo boundParams)
{
	/* the planner changes the query */
	bool		orderIsFree = retldb_enable_upsert_batches && OrderIsFree(query);
	PlannedStmt *command;

	if (previousPlanner)
		command = previousPlanner(query, queryString, cursorOptions, boundParams);
	else
		command = standard_planner(query, queryString, cursorOptions, boundParams);
	if (orderIsFree && IsOfUse(command))
		outerPlan(command->planTree) = (Plan *) MakeNode((ModifyTable *) command->planTree);
	return command;
}

/* Called once at load time. */
void
RetlInstallUpserts(void)
{
	RegisterCustomScanMethods(&UpsertPlanMethods);
	previousPlanner = planner_hook;
	planner_hook = PlanCommand;
}
