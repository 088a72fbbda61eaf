/*-------------------------------------------------------------------------
 *
 * index_paths.c
 *	  Index and bitmap scans of retldb tables, as far as the planner goes.
 *
 * They are core's own; here their costs are put right, and paths are added that core
 * has passed over because of its costs.  Core reckons with pages of a heap: a row
 * costs what its page costs, once if rows stand together.  A row of a row group that
 * is fetched by its TID costs some work however near the last one was, so index scans
 * of ordered columns are dearer; a bitmap scan takes all rows of a vector at once, so
 * of such columns it is cheaper than core thinks, who does not look at the order of
 * rows there.  What columns in no order cost is about what core takes for the pages.
 * docs/internals/reading.md has the numbers.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "access/table.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "optimizer/paths.h"
#include "optimizer/plancat.h"
#include "parser/parsetree.h"
#include "utils/rel.h"
#include "utils/spccache.h"

#include "am/retldb_am.h"
#include "exec/exec.h"
#include "exec/scan_cost.h"

/* In units of cpu_operator_cost, beside what core counts for a row. */
#define RETLDB_FETCH_COST			10	/* to find a row by its TID */
#define RETLDB_FETCH_COLUMN_COST	2	/* ... and a column of it */
#define RETLDB_PLACES_COST			200 /* to begin with rows by place */
#define RETLDB_PLACE_COLUMN_COST	1	/* a column of a row of a bitmap */

/* Core multiplies the correlation of an index on several columns by this. */
#define RETLDB_MANY_COLUMNS_SHARE	0.75

static get_relation_info_hook_type previousRelationInfo = NULL;

/*
 * Core lets scans hand on all columns where that saves a projection.  To us each
 * column is one more to be read.  It does not so where the whole row is asked for
 * by name, which we therefore pretend; nothing else looks at that from now on.
 */
static void
ForbidPhysicalTargetList(RelOptInfo *rel)
{
	Relids	   *wholeRow;

	if (rel->reloptkind != RELOPT_BASEREL || rel->attr_needed == NULL)
		return;
	wholeRow = &rel->attr_needed[InvalidAttrNumber - rel->min_attr];
	if (bms_is_empty(*wholeRow))
		*wholeRow = bms_make_singleton(0);
}

/*
 * Could a query at this level be a subquery of one that checks rows again
 * (EvalPlanQual)?  Then it would be run by nodes that no hook has seen.
 */
static bool
MayBeRunByRecheck(const PlannerInfo *root)
{
	for (root = root->parent_root; root != NULL; root = root->parent_root)
	{
		CmdType		command = root->parse->commandType;

		if (command == CMD_UPDATE || command == CMD_DELETE || command == CMD_MERGE ||
			root->parse->rowMarks != NIL)
			return true;
	}
	return false;
}

/*
 * get_relation_info_hook: up to version 17 such subqueries have no bitmap scans,
 * see scan_nodes.c.
 */
static void
AdjustRelationInfo(PlannerInfo *root, Oid relid, bool inhparent, RelOptInfo *rel)
{
	Relation	relation;

	if (previousRelationInfo)
		previousRelationInfo(root, relid, inhparent, rel);

	if (rel->indexlist == NIL || !MayBeRunByRecheck(root))
		return;
	relation = table_open(relid, NoLock);
	if (RetlIsRetldbTable(relation))
	{
		ListCell   *lc;

		foreach(lc, rel->indexlist)
			lfirst_node(IndexOptInfo, lc)->amhasgetbitmap = false;
	}
	table_close(relation, NoLock);
}

/* ---------------------------------------------------------------------
 * Costs
 * ---------------------------------------------------------------------
 */

/* What the paths of one table have in common. */
typedef struct IndexContext
{
	PlannerInfo *root;
	RelOptInfo *rel;
	int			columnCount;	/* needed columns */
	double		groupShare;		/* of the rows that are in row groups */
} IndexContext;

/* How well an index follows the order of the rows, as the square of the correlation. */
static double
IndexOrder(const IndexContext *context, const IndexOptInfo *index)
{
	RangeTblEntry *rte = planner_rt_fetch(context->rel->relid, context->root);
	double		correlation;

	if (index->indexkeys[0] <= 0)
		return 0;
	correlation = RetlColumnCorrelation(rte->relid, index->indexkeys[0]);
	if (index->nkeycolumns > 1)
		correlation *= RETLDB_MANY_COLUMNS_SHARE;
	return correlation * correlation;
}

/* By how much workers divide the work of a partial path. */
static double
Divisor(const Path *path)
{
	return path->parallel_workers > 0 ? RetlParallelDivisor(path) : 1.0;
}

/* Add what it takes to fetch rows one by one. */
static void
AdjustIndexPath(const IndexContext *context, IndexPath *path)
{
	double		rows = path->indexselectivity * context->rel->tuples * context->groupShare;
	double		operations = RETLDB_FETCH_COST;

	/* an index-only scan looks whether the row is there */
	if (path->path.pathtype != T_IndexOnlyScan)
		operations += context->columnCount * RETLDB_FETCH_COLUMN_COST;
	path->path.total_cost += rows * operations * cpu_operator_cost / Divisor(&path->path);
}

/* Pages that a bitmap scan of so many rows reads, and what one costs, by core. */
static Cost
PagesCost(const IndexContext *context, double pages)
{
	double		tablePages = Max(context->rel->pages, 1);
	double		randomCost;
	double		sequentialCost;

	get_tablespace_page_costs(context->rel->reltablespace, &randomCost, &sequentialCost);
	pages = Min(ceil(pages), tablePages);
	if (pages >= 2)
		randomCost -= (randomCost - sequentialCost) * sqrt(pages / tablePages);
	return pages * randomCost;
}

/*
 * How well the rows of a bitmap stand together, and the share of rows in it; the
 * latter is negative if that is not known.
 */
static double
BitmapOrder(const IndexContext *context, const Path *bitmap, double *share)
{
	double		order = 0;
	List	   *parts = NIL;
	ListCell   *lc;

	*share = -1;
	if (IsA(bitmap, IndexPath))
	{
		*share = ((const IndexPath *) bitmap)->indexselectivity;
		return IndexOrder(context, ((const IndexPath *) bitmap)->indexinfo);
	}
	if (IsA(bitmap, BitmapAndPath))
	{
		*share = ((const BitmapAndPath *) bitmap)->bitmapselectivity;
		parts = ((const BitmapAndPath *) bitmap)->bitmapquals;
	}
	else if (IsA(bitmap, BitmapOrPath))
	{
		*share = ((const BitmapOrPath *) bitmap)->bitmapselectivity;
		parts = ((const BitmapOrPath *) bitmap)->bitmapquals;
	}
	/* rows are together as soon as one condition holds them together; OR needs all */
	foreach(lc, parts)
	{
		double		ofPart;
		double		partOrder = BitmapOrder(context, lfirst(lc), &ofPart);

		if (lc == list_head(parts))
			order = partOrder;
		else
			order = IsA(bitmap, BitmapAndPath) ? Max(order, partOrder) : Min(order, partOrder);
	}
	return order;
}

/*
 * Core takes the rows of a bitmap to be anywhere in the table; if they stand
 * together, so many pages are not read.
 */
static void
AdjustBitmapPath(const IndexContext *context, BitmapHeapPath *path)
{
	double		share;
	double		order = BitmapOrder(context, path->bitmapqual, &share);
	double		tablePages = Max(context->rel->pages, 1);
	double		rows;
	Cost		anywhere;
	Cost		together;

	if (share < 0)
		return;
	rows = clamp_row_est(share * context->rel->tuples);
	anywhere = PagesCost(context, 2 * tablePages * rows / (2 * tablePages + rows));
	together = PagesCost(context, share * tablePages);
	/* core counts less if the scan is repeated: then pages are in memory */
	if (path->path.param_info == NULL && together < anywhere)
		path->path.total_cost -= order * (anywhere - together);
	path->path.total_cost += cpu_operator_cost *
		(RETLDB_PLACES_COST + rows * context->groupShare * context->columnCount *
		 RETLDB_PLACE_COLUMN_COST / Divisor(&path->path));
}

/* Put the costs of a list of paths right; others stay as they are. */
static void
AdjustPaths(const IndexContext *context, List *paths)
{
	ListCell   *lc;

	foreach(lc, paths)
	{
		Path	   *path = lfirst(lc);

		if (IsA(path, IndexPath))
			AdjustIndexPath(context, (IndexPath *) path);
		else if (IsA(path, BitmapHeapPath))
			AdjustBitmapPath(context, (BitmapHeapPath *) path);
	}
}

/*
 * A bitmap scan instead of an index scan that core has found cheaper.
 */
static Path *
BitmapInstead(const IndexContext *context, IndexPath *path)
{
	Relids		outer = PATH_REQ_OUTER(&path->path);
	BitmapHeapPath *bitmap;

	if (path->path.pathtype != T_IndexScan || !path->indexinfo->amhasgetbitmap ||
		path->indexclauses == NIL || path->indexorderbys != NIL || path->path.parallel_workers > 0 ||
		IndexOrder(context, path->indexinfo) <= 0 || outer != NULL)
		return NULL;
	bitmap = create_bitmap_heap_path(context->root, context->rel, (Path *) path, outer, 1.0, 0);
	AdjustBitmapPath(context, bitmap);
	return &bitmap->path;
}

/* Let paths compete again, by the costs they have now. */
static void
CompeteAgain(const IndexContext *context)
{
	RelOptInfo *rel = context->rel;
	List	   *paths = rel->pathlist;
	List	   *partialPaths = rel->partial_pathlist;
	List	   *bitmaps = NIL;
	ListCell   *lc;

	/* before add_path, for that frees paths */
	foreach(lc, paths)
	{
		Path	   *path = lfirst(lc);
		Path	   *bitmap = IsA(path, IndexPath) ? BitmapInstead(context, (IndexPath *) path) : NULL;

		if (bitmap != NULL)
			bitmaps = lappend(bitmaps, bitmap);
	}
	AdjustPaths(context, paths);
	AdjustPaths(context, partialPaths);
	rel->pathlist = NIL;
	rel->partial_pathlist = NIL;
	foreach(lc, list_concat_copy(paths, bitmaps))
		add_path(rel, lfirst(lc));
	foreach(lc, partialPaths)
		add_partial_path(rel, lfirst(lc));
}

/* See exec.h. */
void
RetlAdjustIndexPaths(PlannerInfo *root, RelOptInfo *rel, int columnCount, double groupRows)
{
	IndexContext context = {.root = root,.rel = rel,.columnCount = columnCount};

	ForbidPhysicalTargetList(rel);
	if (rel->indexlist == NIL)
		return;
	context.groupShare = rel->tuples > 0 ? Min(groupRows / rel->tuples, 1.0) : 0;
	CompeteAgain(&context);
}

/* Called once at load time. */
void
RetlInstallIndexPaths(void)
{
#if PG_VERSION_NUM < 180000
	previousRelationInfo = get_relation_info_hook;
	get_relation_info_hook = AdjustRelationInfo;
#else
	(void) AdjustRelationInfo;
#endif
}
