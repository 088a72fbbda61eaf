/*-------------------------------------------------------------------------
 *
 * upsert_plan.c
 *	  Which INSERT ... ON CONFLICT DO UPDATE get a node "RetldbUpsert".
 *
 * The node takes many rows from its source before the first of them is inserted, and
 * hands them on in the same order.  So that nobody can tell, the source must neither
 * call functions that see or change anything nor lock or change rows.  The planner has
 * no place for a node right below ModifyTable, so it is put into the finished plan.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/table.h"
#include "catalog/pg_am.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_proc.h"
#include "nodes/extensible.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "optimizer/planner.h"
#include "parser/parsetree.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

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
 * Is it seen when a function is called?  Not if all that it does is to make values, which
 * nobody is promised any order of.
 */
static bool
CallIsSeen(Oid function, void *context)
{
	(void) context;
	switch (function)
	{
		case F_NEXTVAL:
		case RETL_F_RANDOM:
		case F_GEN_RANDOM_UUID:
		case F_CLOCK_TIMESTAMP:
		case F_TIMEOFDAY:
			return false;
		default:
			return func_volatile(function) == PROVOLATILE_VOLATILE;
	}
}

/*
 * Is it seen when a query, or an expression, is evaluated?
 */
static bool
EvaluationIsSeen(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (check_functions_in_node(node, CallIsSeen, context))
		return true;
	if (IsA(node, Query))
		return query_tree_walker((Query *) node, EvaluationIsSeen, context, 0);
	return expression_tree_walker(node, EvaluationIsSeen, context);
}

/* Does a function take a number of a sequence? */
static bool
CallTakesNumber(Oid function, void *context)
{
	(void) context;
	return function == F_NEXTVAL;
}

/*
 * Are numbers of sequences taken when a query, or an expression, is evaluated?
 */
static bool
TakesNumbers(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, NextValueExpr) || check_functions_in_node(node, CallTakesNumber, context))
		return true;
	if (IsA(node, Query))
		return query_tree_walker((Query *) node, TakesNumbers, context, 0);
	return expression_tree_walker(node, TakesNumbers, context);
}

/*
 * Is a query INSERT ... ON CONFLICT DO UPDATE, with a source that may be read ahead?
 */
static bool
IsUpsert(const Query *query)
{
	Query		source = *query;

	if (query->commandType != CMD_INSERT || query->onConflict == NULL ||
		query->onConflict->action != ONCONFLICT_UPDATE || query->hasModifyingCTE)
		return false;
	source.onConflict = NULL;
	source.returningList = NIL;
	source.withCheckOptions = NIL;
	return !EvaluationIsSeen((Node *) &source, NULL);
}

/*
 * Is the one query in WITH that changes anything such an upsert?  Those that it may
 * refer to belong to its source.
 */
static bool
HasUpsertInWith(const Query *query)
{
	int			changing = 0;
	ListCell   *lc;

	if (!query->hasModifyingCTE)
		return false;
	foreach(lc, query->cteList)
	{
		Query	   *with = (Query *) lfirst_node(CommonTableExpr, lc)->ctequery;

		if (with->commandType == CMD_SELECT ? EvaluationIsSeen((Node *) with, NULL) :
			!IsUpsert(with))
			return false;
		changing += with->commandType != CMD_SELECT;
	}
	return changing == 1;
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
 * May rows be left as they are, if their table says so?  The executor must neither
 * return them nor ask policies.
 */
static bool
MayLeaveRows(const ModifyTable *plan)
{
	return plan->returningLists == NIL && plan->withCheckOptionLists == NIL;
}

/*
 * Are enough rows expected, or is each one worth it?
 */
static bool
IsWorthIt(Relation rel, const ModifyTable *plan)
{
	return outerPlan(plan)->plan_rows >= RETL_UPSERT_FEW_ROWS ||
		(RetlIsRetldbTable(rel) && RetlSuppressesNoop(rel) && MayLeaveRows(plan));
}

/*
 * Does a table have rows of ours, itself or in a partition?
 */
static bool
HasOurRows(Relation rel)
{
	bool		ours = RetlIsRetldbTable(rel);
	ListCell   *lc;

	if (rel->rd_rel->relkind != RELKIND_PARTITIONED_TABLE)
		return ours;
	/* whether the partitions are still the same when rows come does not matter */
	foreach(lc, find_all_inheritors(RelationGetRelid(rel), NoLock, NULL))
	{
		HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(lfirst_oid(lc)));

		if (!HeapTupleIsValid(tuple))
			continue;
		ours |= ((Form_pg_class) GETSTRUCT(tuple))->relkind == RELKIND_RELATION &&
			RetlAmIsOurs(((Form_pg_class) GETSTRUCT(tuple))->relam);
		ReleaseSysCache(tuple);
	}
	return ours;
}

/*
 * Is the node of use for a command whose source may be read ahead?
 */
static bool
IsOfUse(const PlannedStmt *command, const ModifyTable *plan)
{
	RangeTblEntry *rte;
	Relation	rel;
	bool		useful;

	if (plan->operation != CMD_INSERT || plan->onConflictAction != ONCONFLICT_UPDATE ||
		list_length(plan->resultRelations) != 1 || list_length(plan->arbiterIndexes) != 1 ||
		outerPlan(plan) == NULL || command->rowMarks != NIL)
		return false;
	rte = rt_fetch(linitial_int(plan->resultRelations), command->rtable);
	/* the planner has a lock */
	rel = table_open(rte->relid, NoLock);
	useful = IsWorthIt(rel, plan) && IsPlainIndex(linitial_oid(plan->arbiterIndexes)) &&
		HasOurRows(rel);
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
MakeNode(const ModifyTable *plan, bool takesNumbers)
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
		list_make5(list_make4_int(linitial_int(plan->resultRelations), plan->canSetTag,
								  MayLeaveRows(plan), takesNumbers),
				   list_make1_oid(linitial_oid(plan->arbiterIndexes)),
				   copyObject(plan->onConflictSet),
				   copyObject(plan->onConflictCols),
				   copyObject(plan->onConflictWhere));
	return node;
}

/*
 * Put a node below a plan if that is an upsert.
 */
static void
AddNode(const PlannedStmt *command, Plan *plan, bool takesNumbers)
{
	if (plan != NULL && IsA(plan, ModifyTable) && IsOfUse(command, (ModifyTable *) plan))
		outerPlan(plan) = (Plan *) MakeNode((ModifyTable *) plan, takesNumbers);
}

/* planner_hook */
static PlannedStmt *
PlanCommand(Query *query, const char *queryString, int cursorOptions, ParamListInfo boundParams)
{
	/* the planner changes the query */
	bool		isUpsert = retldb_enable_upsert_batches && IsUpsert(query);
	bool		hasUpsert = retldb_enable_upsert_batches && HasUpsertInWith(query);
	bool		takesNumbers = (isUpsert || hasUpsert) && TakesNumbers((Node *) query, NULL);
	PlannedStmt *command;
	ListCell   *lc;

	/*
	 * What is to be done with each row may ask for the last number of a sequence, which
	 * must not be one that was taken ahead.  Triggers are asked about when it is run.
	 */
	if (takesNumbers && EvaluationIsSeen((Node *) query, NULL))
		isUpsert = hasUpsert = false;
	if (previousPlanner)
		command = previousPlanner(query, queryString, cursorOptions, boundParams);
	else
		command = standard_planner(query, queryString, cursorOptions, boundParams);
	if (isUpsert)
		AddNode(command, command->planTree, takesNumbers);
	if (hasUpsert)
	{
		/* nothing else in WITH changes anything */
		foreach(lc, command->subplans)
			AddNode(command, lfirst(lc), takesNumbers);
	}
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
