/*-------------------------------------------------------------------------
 *
 * scan_plan.c
 *	  From the path of a columnar scan to its plan node.
 *
 * The node projects and checks the scan's clauses itself: the pushed ones on
 * vectors, the others as the plan's qual.  Columns of other tables in keys (of
 * parameterised paths) and parameters are replaced by the planner, which looks
 * at custom_exprs.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "nodes/makefuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"

#include "base/settings.h"
#include "exec/exec.h"

static Plan *PlanScan(PlannerInfo *root, RelOptInfo *rel, CustomPath *path, List *tlist,
					  List *clauses, List *customPlans);

const CustomPathMethods RetlScanPathMethods = {
	.CustomName = "RetldbScan",
	.PlanCustomPath = PlanScan
};

const CustomScanMethods RetlScanPlanMethods = {
	.CustomName = "RetldbScan",
	.CreateCustomScanState = RetlScanCreateState
};

/* What is put into a plan node. */
typedef struct PlanParts
{
	List	   *tree;			/* arguments of the tree of tests */
	List	   *skipConditions;
	List	   *pushedConditions;
	List	   *pushed;			/* their arguments in the tree */
	List	   *qual;
	List	   *reasons;
	bool		anyOrder;		/* RETL_PRIVATE_ANY_ORDER */
} PlanParts;

/* Sort the clauses; pushedOrder has indexes of clauses. */
static void
SortClauses(RetlClauseTest *tests, int count, List *pushedOrder, PlanParts *parts)
{
	int		   *argument = palloc(sizeof(int) * Max(count, 1));
	ListCell   *lc;

	for (int i = 0; i < count; i++)
	{
		RetlClauseTest *test = &tests[i];

		if (!retldb_enable_skipping)
			test->skipCondition = NULL;
		argument[i] = list_length(parts->tree);
		if (test->rinfo->pseudoconstant)
			continue;
		if (test->exact || test->skipCondition != NULL)
			parts->tree = lappend(parts->tree, test->tree);
		if (test->skipCondition != NULL)
			parts->skipConditions = lappend(parts->skipConditions, test->skipCondition);
		if (test->exact)
			parts->pushedConditions = lappend(parts->pushedConditions, test->rinfo->clause);
		else
		{
			parts->qual = lappend(parts->qual, test->rinfo->clause);
			parts->reasons = lappend(parts->reasons, makeString(pstrdup(test->reason)));
		}
	}
	foreach(lc, pushedOrder)
		parts->pushed = lappend_int(parts->pushed, argument[lfirst_int(lc)]);
}

/* Put the parts into the plan node; see exec.h for the form. */
static void
FillPlan(CustomScan *plan, List *keys, const PlanParts *parts)
{
	List	   *root = RetlMakeAndNode();

	plan->scan.plan.qual = parts->qual;
	plan->custom_exprs = list_concat_copy(keys, parts->pushedConditions);
	plan->custom_exprs = list_concat(plan->custom_exprs, parts->skipConditions);
	plan->custom_private = list_make5(parts->tree == NIL ? NIL : list_concat(root, parts->tree),
									  makeInteger(list_length(keys)),
									  makeInteger(list_length(parts->pushedConditions)),
									  parts->pushed, parts->reasons);
	plan->custom_private = lappend(plan->custom_private, makeInteger(parts->anyOrder));
}

/*
 * Is it all the same when, and for which rows, a qual is evaluated?
 */
static bool
IsInAnyOrder(PlannerInfo *root, List *qual)
{
	return !contain_volatile_functions((Node *) qual) && !contain_subplans((Node *) qual) &&
		!RetlAsksNoticedQuery(root, (Node *) qual);
}

/*
 * Make the plan node.  The clauses are RestrictInfos, those of a parameterised
 * path included, in the order in which they are to be checked.
 */
static Plan *
PlanScan(PlannerInfo *root, RelOptInfo *rel, CustomPath *path, List *tlist, List *clauses,
		 List *customPlans)
{
	CustomScan *plan = makeNode(CustomScan);
	List	   *keys;
	RetlClauseTest *tests = RetlMakeClauseTests(root, rel, clauses, &keys);
	List	   *pushed = RetlChoosePushed(root, rel, tests, list_length(clauses));
	PlanParts	parts = {0};

	Assert(customPlans == NIL);

	SortClauses(tests, list_length(clauses), pushed, &parts);
	parts.anyOrder = IsInAnyOrder(root, parts.qual);
	plan->scan.plan.targetlist = tlist;
	plan->scan.scanrelid = rel->relid;
	plan->flags = path->flags;
	plan->methods = &RetlScanPlanMethods;
	FillPlan(plan, keys, &parts);

	return &plan->scan.plan;
}
