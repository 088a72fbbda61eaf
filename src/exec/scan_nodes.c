/*-------------------------------------------------------------------------
 *
 * scan_nodes.c
 *	  What core's own scan nodes of retldb tables must be told.
 *
 * Bitmap scans: up to version 17 the executor has blocks of the bitmap prefetched
 * from the file, which fails for those of row groups, as they are not in the file.
 * How far it goes is a field of the node, which is set to nothing before the
 * node runs.  This happens in each process of a parallel query, so nobody makes
 * or takes up the shared state for prefetching.
 *
 * Bitmap and index scans: they learn which columns are needed.  Core deforms all
 * columns up to the last one that is; to us each is a chunk to be read.
 *
 * ExecutorStart_hook sees all nodes but those that are made to check a row again
 * (EvalPlanQual).  These get the rows of locked and changed tables handed; what
 * they run themselves are correlated subqueries, which have no bitmap scans for
 * that reason (index_paths.c).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "executor/executor.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"

#include "am/retldb_am.h"
#include "am/scan_desc.h"
#include "am/slot.h"
#include "exec/exec.h"

static ExecutorStart_hook_type previousExecutorStart = NULL;

/*
 * The columns (attribute numbers) that expressions of a scan's plan refer to;
 * false if these are all.
 */
static bool
FindColumns(const Scan *plan, List *otherQuals, Bitmapset **columns)
{
	Bitmapset  *attnums = NULL;
	int			i = -1;

	pull_varattnos((Node *) plan->plan.targetlist, plan->scanrelid, &attnums);
	pull_varattnos((Node *) plan->plan.qual, plan->scanrelid, &attnums);
	pull_varattnos((Node *) otherQuals, plan->scanrelid, &attnums);
	if (bms_is_member(InvalidAttrNumber - FirstLowInvalidHeapAttributeNumber, attnums))
		return false;
	/* an empty set would be taken for "all" */
	*columns = bms_make_singleton(0);
	while ((i = bms_next_member(attnums, i)) >= 0)
	{
		int			attnum = i + FirstLowInvalidHeapAttributeNumber;

		if (attnum > 0)
			*columns = bms_add_member(*columns, attnum);
	}
	return true;
}

/*
 * Rows of an index scan are fetched for its slot.
 */
static void
PrepareIndexScan(IndexScanState *node)
{
	IndexScan  *plan = (IndexScan *) node->ss.ps.plan;
	List	   *quals = list_concat_copy(plan->indexqualorig, plan->indexorderbyorig);
	Bitmapset  *columns;

	if (FindColumns(&plan->scan, quals, &columns))
		RetlSlotSetNeeded(node->ss.ss_ScanTupleSlot, columns);
}

/*
 * A bitmap scan: no prefetching, its columns, and whether its rows are touched.
 */
static void
PrepareBitmapScan(BitmapHeapScanState *node)
{
	BitmapHeapScan *plan = (BitmapHeapScan *) node->ss.ps.plan;
	Bitmapset  *columns;

#if PG_VERSION_NUM < 180000
	node->prefetch_maximum = 0;
#endif
	if (node->ss.ss_currentScanDesc == NULL)
		return;
	if (FindColumns(&plan->scan, plan->bitmapqualorig, &columns))
		RetlBitmapSetColumns(node->ss.ss_currentScanDesc, columns);
	if (RetlRowsAreTouched(plan->scan.scanrelid, node->ss.ps.state))
		RetlBitmapSetTouched(node->ss.ss_currentScanDesc);
}

/* planstate_tree_walker() callback. */
static bool
PrepareNodes(PlanState *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, BitmapHeapScanState) &&
		RetlIsRetldbTable(((ScanState *) node)->ss_currentRelation))
		PrepareBitmapScan((BitmapHeapScanState *) node);
	else if (IsA(node, IndexScanState) &&
			 RetlIsRetldbTable(((ScanState *) node)->ss_currentRelation))
		PrepareIndexScan((IndexScanState *) node);
	return planstate_tree_walker(node, PrepareNodes, context);
}

/* ExecutorStart_hook: the tree of nodes is there, and none has run. */
static void
StartExecutor(QueryDesc *queryDesc, int eflags)
{
	uint64		slotsBefore = RetlSlotsMade();

	if (previousExecutorStart)
		previousExecutorStart(queryDesc, eflags);
	else
		standard_ExecutorStart(queryDesc, eflags);

	if (RetlSlotsMade() != slotsBefore)
	{
		MemoryContext oldContext = MemoryContextSwitchTo(queryDesc->estate->es_query_cxt);

		(void) PrepareNodes(queryDesc->planstate, NULL);
		MemoryContextSwitchTo(oldContext);
	}
}

/* Called once at load time. */
void
RetlInstallScanNodes(void)
{
	previousExecutorStart = ExecutorStart_hook;
	ExecutorStart_hook = StartExecutor;
}
