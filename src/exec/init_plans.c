/*-------------------------------------------------------------------------
 *
 * init_plans.c
 *	  Subqueries that depend on nothing else, and whether it is noticed when they run.
 *
 * The planner replaces such a subquery by a parameter.  It runs once, when somebody
 * first asks for the parameter: on heap, for the first row whose condition comes to
 * it.  A columnar scan would like to know the value when it comes to the first row
 * group, and before it changes a row.  That makes a difference only if the subquery
 * calls volatile functions, which may look at what the command has changed, or have
 * effects of their own, or if it locks or changes rows.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "nodes/nodeFuncs.h"
#include "nodes/pathnodes.h"
#include "optimizer/optimizer.h"

#include "exec/exec.h"

static bool RunIsNoticed(Node *node, void *context);

/*
 * The query whose result a parameter is; NULL if it is that of no subquery that
 * depends on nothing else.
 */
static PlannerInfo *
QueryOfParam(PlannerInfo *root, int paramid)
{
	for (; root != NULL; root = root->parent_root)
	{
		ListCell   *lc;

		foreach(lc, root->init_plans)
		{
			const SubPlan *plan = lfirst_node(SubPlan, lc);

			if (list_member_int(plan->setParam, paramid))
				return list_nth(root->glob->subroots, plan->plan_id - 1);
		}
	}
	return NULL;
}

/*
 * Is it noticed when a query runs, or one that it asks?
 */
static bool
QueryIsNoticed(PlannerInfo *root)
{
	return contain_volatile_functions((Node *) root->parse) ||
		RunIsNoticed((Node *) root->parse, root);
}

/*
 * Is there a query in WITH whose run is noticed?  Which one is meant is not looked at,
 * and other subqueries are taken for such.
 */
static bool
AnyWithIsNoticed(PlannerInfo *root)
{
	ListCell   *lc;

	foreach(lc, root->glob->subroots)
	{
		Node	   *query = (Node *) lfirst_node(PlannerInfo, lc)->parse;

		if (contain_volatile_functions(query) || RunIsNoticed(query, NULL))
			return true;
	}
	return false;
}

/*
 * Does a query or an expression lock or change rows, or ask for the result of another
 * query whose run is noticed?  The context is the PlannerInfo that it belongs to; NULL:
 * other queries do not count.  Volatile functions are looked for elsewhere.
 */
static bool
RunIsNoticed(Node *node, void *context)
{
	PlannerInfo *root = context;

	if (node == NULL)
		return false;
	if (IsA(node, Query))
	{
		Query	   *query = (Query *) node;

		return query->commandType != CMD_SELECT || query->rowMarks != NIL ||
			query_tree_walker(query, RunIsNoticed, context, QTW_EXAMINE_RTES_BEFORE);
	}
	if (IsA(node, RangeTblEntry))
		return root != NULL && ((RangeTblEntry *) node)->rtekind == RTE_CTE &&
			AnyWithIsNoticed(root);
	if (root != NULL && IsA(node, Param) && ((Param *) node)->paramkind == PARAM_EXEC)
	{
		PlannerInfo *query = QueryOfParam(root, ((Param *) node)->paramid);

		return query != NULL && QueryIsNoticed(query);
	}
	if (root != NULL && IsA(node, SubPlan) &&
		QueryIsNoticed(list_nth(root->glob->subroots, ((SubPlan *) node)->plan_id - 1)))
		return true;
	return expression_tree_walker(node, RunIsNoticed, context);
}

/* See exec.h. */
bool
RetlAsksNoticedQuery(PlannerInfo *root, Node *node)
{
	return RunIsNoticed(node, root);
}
