/*-------------------------------------------------------------------------
 *
 * scan_plan.c
 *	  From the path of a columnar scan to its plan node.
 *
 * The node projects, and checks all of the scan's clauses itself; skip tests
 * only spare it rows.  Columns of other tables in keys (of parameterised
 * paths) and parameters are replaced by the planner, which looks at
 * custom_exprs.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "nodes/makefuncs.h"
#include "optimizer/restrictinfo.h"

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

/* Put skip tests into the plan node; see exec.h for the form. */
static void
AddSkipTests(CustomScan *plan, const RetlSkipTests *tests)
{
	plan->custom_exprs = list_concat_copy(tests->keys, tests->conditions);
	plan->custom_private = list_make2(tests->tree, makeInteger(list_length(tests->keys)));
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
	RetlSkipTests tests = {0};

	Assert(customPlans == NIL);

	if (retldb_enable_skipping)
		RetlMakeSkipTests(root, rel, clauses, &tests);

	plan->scan.plan.targetlist = tlist;
	plan->scan.plan.qual = extract_actual_clauses(clauses, false);
	plan->scan.scanrelid = rel->relid;
	plan->flags = path->flags;
	plan->methods = &RetlScanPlanMethods;
	AddSkipTests(plan, &tests);

	return &plan->scan.plan;
}
