/*-------------------------------------------------------------------------
 *
 * planner.c
 *	  Offers columnar scans to the planner.
 *
 * The hook adds paths to those of core and takes none away: a plain one, a
 * partial one for parallel plans, and ones parameterised by other tables where
 * zone maps promise that most of the table can be skipped.
 *
 * Not offered are
 *	- scans that need system columns other than ctid and tableoid, for rows of
 *	  a columnar scan have no tuple header;
 *	- samples;
 *	- scans for WHERE CURRENT OF, which only a TID scan can do: up to version 17 it
 *	  is the cheapest by far, from 18 on core makes no other path;
 *	- any scan of a table with indexes while enable_seqscan is off, for that
 *	  setting asks for the index, and a columnar scan is a sequential one.
 *
 * Planning reads nothing of the table but its header page.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "access/sysattr.h"
#include "access/table.h"
#include "catalog/pg_class.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "optimizer/paths.h"
#include "optimizer/plancat.h"
#include "optimizer/restrictinfo.h"
#include "utils/rel.h"

#include "am/retldb_am.h"
#include "base/compat.h"
#include "base/settings.h"
#include "exec/exec.h"
#include "exec/retldb_exec.h"
#include "exec/scan_cost.h"
#include "exec/upsert.h"

/* What a heap tuple takes beside its values: line pointer, header, padding. */
#define RETLDB_HEAP_TUPLE_OVERHEAD		32

/* Parameterised paths are made only if they read less than this share. */
#define RETLDB_MAX_PARAMETERISED_SHARE	0.5

/*
 * ... and are taken to cost this many times what they are thought to, or as much as the
 * table read as a whole: how often they run is often underestimated, by orders of
 * magnitude, and then a hash join would have been far better, but a nested loop over all
 * of the table still worse.
 */
#define RETLDB_PARAMETERISED_CAUTION	16

/* ... and no more of them for a table than this. */
#define RETLDB_MAX_PARAMETERISED_PATHS	8

/*
 * The cost of what is done with vectors as a whole is worth so many times less time than
 * that of what is done with a row, when it is compared with what workers take to start.
 */
#define RETLDB_VECTOR_COST_WORTH		4

/* Width taken for a variable-length column nothing is known of. */
#define RETLDB_UNKNOWN_WIDTH			32

static set_rel_pathlist_hook_type previousPathlistHook = NULL;

/*
 * Is the relation a retldb table?  The planner holds a lock on it.  If so, the
 * context is told about its size and the columns in attnums (offset by
 * FirstLowInvalidHeapAttributeNumber).
 */
static bool
IsColumnarTable(RetlPathContext *context, Bitmapset *attnums)
{
	RelOptInfo *rel = context->rel;
	Relation	relation = table_open(context->rte->relid, NoLock);
	TupleDesc	tupdesc = RelationGetDescr(relation);
	bool		all = bms_is_member(0 - FirstLowInvalidHeapAttributeNumber, attnums);
	double		needed = 0;
	int			i;

	if (relation->rd_tableam != RetlGetTableAmRoutine())
	{
		table_close(relation, NoLock);
		return false;
	}

	for (i = 0; i < tupdesc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(tupdesc, i);
		int32		width = rel->attr_widths[attribute->attnum - rel->min_attr];

		if (attribute->attisdropped)
			continue;
		if (width <= 0)
			width = attribute->attlen > 0 ? attribute->attlen : RETLDB_UNKNOWN_WIDTH;
		context->width += width;
		if (all || bms_is_member(attribute->attnum - FirstLowInvalidHeapAttributeNumber, attnums))
		{
			needed += width;
			context->columnCount++;
		}
	}
	if (!retldb_skip_damaged_groups)
		RetlGetTableSize(relation, &context->size);
	else
	{
		/* core has been warned of a damaged header, which is enough */
		context->size.pages = rel->pages;
		context->size.groups = 1;
		context->size.groupRows = rel->tuples;
	}
	table_close(relation, NoLock);

	context->rowStoreRows = Max(rel->tuples - context->size.groupRows, 0);
	context->columnShare = context->width > 0 ? needed / context->width : 1.0;
	return true;
}

/*
 * Columns that a scan has to hand out or look at, offset by
 * FirstLowInvalidHeapAttributeNumber.
 */
static Bitmapset *
NeededColumns(RelOptInfo *rel)
{
	Bitmapset  *attnums = NULL;
	ListCell   *lc;

	pull_varattnos((Node *) rel->reltarget->exprs, rel->relid, &attnums);
	foreach(lc, rel->baserestrictinfo)
		pull_varattnos((Node *) lfirst_node(RestrictInfo, lc)->clause, rel->relid, &attnums);
	return attnums;
}

/* Are there system columns among them that a columnar scan does not have? */
static bool
NeedsTupleHeader(Bitmapset *attnums)
{
	int			i = -1;

	while ((i = bms_next_member(attnums, i)) >= 0)
	{
		int			attnum = i + FirstLowInvalidHeapAttributeNumber;

		if (attnum >= 0)
			break;
		if (attnum != SelfItemPointerAttributeNumber && attnum != TableOidAttributeNumber)
			return true;
	}
	return false;
}

/* A path of the scan; its costs are not set. */
static CustomPath *
MakePath(const RetlPathContext *context, Relids requiredOuter, int parallelWorkers)
{
	CustomPath *path = makeNode(CustomPath);
	RelOptInfo *rel = context->rel;

	path->path.pathtype = T_CustomScan;
	path->path.parent = rel;
	path->path.pathtarget = rel->reltarget;
	path->path.param_info = get_baserel_parampathinfo(context->root, rel, requiredOuter);
	path->path.parallel_aware = parallelWorkers > 0;
	path->path.parallel_safe = rel->consider_parallel;
	path->path.parallel_workers = parallelWorkers;
	path->path.pathkeys = NIL;
	path->flags = CUSTOMPATH_SUPPORT_BACKWARD_SCAN | CUSTOMPATH_SUPPORT_PROJECTION;
	path->methods = &RetlScanPathMethods;
	return path;
}

/*
 * Number of workers for a parallel scan, by the pages that the table would have
 * as a heap: there is as much to do, it only takes fewer pages.
 */
static int
ParallelWorkers(const RetlPathContext *context)
{
	double		heapPages = ceil(context->rel->tuples *
								 (context->width + RETLDB_HEAP_TUPLE_OVERHEAD) / BLCKSZ);

	return compute_parallel_worker(context->rel, Max(heapPages, context->rel->pages), -1,
								   max_parallel_workers_per_gather);
}

/*
 * Until workers run, a few milliseconds pass, in which a columnar scan by itself may be
 * done.  parallel_setup_cost stands for what a heap scan does in less than that, and it is
 * the user's: so it counts twice.  It is made up for by what is done for each row, by
 * aggregates say, but hardly by what is done for whole vectors, whose costs are worth less
 * time.  Core's partial paths have to wait as long, and must not look better for it.  Not
 * in plans of several tables, which wait for workers only once.
 */
static void
AddPartialPath(const RetlPathContext *context, Path *path, const RetlScanWork *work)
{
	ListCell   *lc;
	Cost		saved = RetlVectorCost(context, work) * (1.0 - 1.0 / RetlParallelDivisor(path));
	bool		alone = context->rel->reloptkind == RELOPT_BASEREL &&
		bms_membership(context->root->all_baserels) == BMS_SINGLETON;

	if (alone)
		path->total_cost += saved - saved / RETLDB_VECTOR_COST_WORTH;
	add_partial_path(context->rel, path);
	if (!alone)
		return;
	foreach(lc, context->rel->partial_pathlist)
	{
		Path	   *partial = lfirst(lc);

		partial->startup_cost += parallel_setup_cost;
		partial->total_cost += parallel_setup_cost;
	}
}

/*
 * The plain path, and the partial one for parallel plans.  Returns what the former costs.
 */
static Cost
AddPlainPaths(const RetlPathContext *context)
{
	RelOptInfo *rel = context->rel;
	CustomPath *path = MakePath(context, rel->lateral_relids, 0);
	RetlScanWork	work;
	Cost		plainCost;
	int			workers;

	RetlEstimateWork(context, path->path.param_info ? path->path.param_info->ppi_clauses : NIL, &work);
	RetlCostScan(context, &path->path, &work);
	plainCost = path->path.total_cost;
	add_path(rel, &path->path);

	/* processes could not agree on which groups are damaged */
	if (!rel->consider_parallel || rel->lateral_relids != NULL || retldb_skip_damaged_groups)
		return plainCost;

	workers = ParallelWorkers(context);
	if (workers <= 0)
		return plainCost;
	path = MakePath(context, NULL, workers);
	RetlCostScan(context, &path->path, &work);
	AddPartialPath(context, &path->path, &work);
	return plainCost;
}

/* The column of the table that an equivalence member is, or InvalidAttrNumber. */
static AttrNumber
MemberColumn(RelOptInfo *rel, EquivalenceMember *member)
{
	Node	   *node = (Node *) member->em_expr;

	while (node != NULL && IsA(node, RelabelType))
		node = (Node *) ((RelabelType *) node)->arg;
	if (node == NULL || !IsA(node, Var) || ((Var *) node)->varno != (int) rel->relid)
		return InvalidAttrNumber;
	return Max(((Var *) node)->varattno, InvalidAttrNumber);
}

/* Is an equivalence member the column asked for? */
static bool
MemberIsColumn(PlannerInfo *root, RelOptInfo *rel, EquivalenceClass *ec,
			   EquivalenceMember *member, void *attnum)
{
	return MemberColumn(rel, member) == *(AttrNumber *) attnum;
}

/* Columns of the table that are in equivalence classes. */
static Bitmapset *
EquivalenceColumns(const RetlPathContext *context)
{
	Bitmapset  *attnums = NULL;
	int			i = -1;

	while ((i = bms_next_member(context->rel->eclass_indexes, i)) >= 0)
	{
		EquivalenceClass *ec = list_nth_node(EquivalenceClass, context->root->eq_classes, i);
		ListCell   *lc;

		if (ec->ec_has_const)
			continue;
		foreach(lc, RetlEquivalenceMembers(ec, context->rel->relid))
		{
			AttrNumber	attnum = MemberColumn(context->rel, lfirst_node(EquivalenceMember, lc));

			if (attnum != InvalidAttrNumber)
				attnums = bms_add_member(attnums, attnum);
		}
	}
	return attnums;
}

/* Join clauses that could be moved into the scan, and might let it skip. */
static List *
FindJoinClauses(const RetlPathContext *context)
{
	RelOptInfo *rel = context->rel;
	List	   *clauses = NIL;
	ListCell   *lc;

	foreach(lc, rel->joininfo)
	{
		RestrictInfo *rinfo = lfirst_node(RestrictInfo, lc);

		if (join_clause_is_movable_to(rinfo, rel))
			clauses = lappend(clauses, rinfo);
	}

	if (rel->has_eclass_joins)
	{
		Bitmapset  *attnums = EquivalenceColumns(context);
		int			i = -1;

		while ((i = bms_next_member(attnums, i)) >= 0)
		{
			AttrNumber	attnum = (AttrNumber) i;

			clauses = list_concat(clauses,
								  generate_implied_equalities_for_column(context->root, rel,
																		 MemberIsColumn,
																		 &attnum,
																		 rel->lateral_referencers));
		}
	}
	return clauses;
}

/* Is a set of relations among these? */
static bool
IsAmongSets(List *sets, Relids relids)
{
	ListCell   *lc;

	foreach(lc, sets)
	{
		if (bms_equal((Relids) lfirst(lc), relids))
			return true;
	}
	return false;
}

/*
 * Paths to be run again and again with keys from other tables.  They pay only
 * where the table is ordered by the column, so that zone maps find the few
 * vectors a key may be in.  "plainCost" is that of the plain path.
 */
static void
AddParameterisedPaths(const RetlPathContext *context, Cost plainCost)
{
	RelOptInfo *rel = context->rel;
	List	   *made = NIL;
	ListCell   *lc;

	if (!retldb_enable_skipping)
		return;

	foreach(lc, FindJoinClauses(context))
	{
		RestrictInfo *rinfo = lfirst_node(RestrictInfo, lc);
		RetlClauseTest *test = RetlMakeClauseTests(context->root, rel, list_make1(rinfo), NULL);
		Relids		requiredOuter;
		CustomPath *path;
		RetlScanWork	work;

		if (test->attnum == InvalidAttrNumber ||
			RetlReadShare(context, test, 1) > RETLDB_MAX_PARAMETERISED_SHARE)
			continue;

		requiredOuter = bms_union(rinfo->required_relids, rel->lateral_relids);
		requiredOuter = bms_del_member(requiredOuter, rel->relid);
		if (IsAmongSets(made, requiredOuter))
			continue;
		made = lappend(made, requiredOuter);

		path = MakePath(context, requiredOuter, 0);
		RetlEstimateWork(context, path->path.param_info->ppi_clauses, &work);
		RetlCostScan(context, &path->path, &work);
		path->path.total_cost = Min(path->path.total_cost * RETLDB_PARAMETERISED_CAUTION,
									Max(path->path.total_cost, plainCost));
		add_path(rel, &path->path);

		if (list_length(made) >= RETLDB_MAX_PARAMETERISED_PATHS)
			break;
	}
}

/* Is this a relation that might be a retldb table? */
static bool
IsPlainTable(RelOptInfo *rel, RangeTblEntry *rte)
{
	if (rel->reloptkind != RELOPT_BASEREL && rel->reloptkind != RELOPT_OTHER_MEMBER_REL)
		return false;
	if (rte->rtekind != RTE_RELATION || rte->inh || rte->tablesample != NULL)
		return false;
	if (rte->relkind != RELKIND_RELATION && rte->relkind != RELKIND_MATVIEW)
		return false;
	return !IS_DUMMY_REL(rel);
}

/* Is the row of a cursor asked for, which core finds by its TID and in no other way? */
static bool
WantsCurrentOf(RelOptInfo *rel)
{
	ListCell   *cell;

	foreach(cell, rel->baserestrictinfo)
	{
		if (IsA(lfirst_node(RestrictInfo, cell)->clause, CurrentOfExpr))
			return true;
	}
	return false;
}

/* Is a columnar scan to be offered for it? */
static bool
IsCandidate(RelOptInfo *rel)
{
	return retldb_enable_columnar_scan && (enable_seqscan || rel->indexlist == NIL);
}

/* set_rel_pathlist_hook: core has made its paths, add ours. */
static void
AddScanPaths(PlannerInfo *root, RelOptInfo *rel, Index rti, RangeTblEntry *rte)
{
	RetlPathContext context = {.root = root,.rel = rel,.rte = rte};
	Bitmapset  *attnums;

	if (previousPathlistHook)
		previousPathlistHook(root, rel, rti, rte);

	if (!IsPlainTable(rel, rte) || WantsCurrentOf(rel))
		return;
	attnums = NeededColumns(rel);
	if (!IsColumnarTable(&context, attnums))
		return;
	RetlAdjustIndexPaths(root, rel, context.columnCount, context.size.groupRows);
	if (!IsCandidate(rel) || NeedsTupleHeader(attnums))
		return;

	context.tests = RetlMakeClauseTests(root, rel, rel->baserestrictinfo, NULL);
	AddParameterisedPaths(&context, AddPlainPaths(&context));
}

/* Install hooks and custom scan methods; called once at load time. */
void
RetlInstallExecHooks(void)
{
	RegisterCustomScanMethods(&RetlScanPlanMethods);

	previousPathlistHook = set_rel_pathlist_hook;
	set_rel_pathlist_hook = AddScanPaths;
	RetlInstallIndexPaths();
	RetlInstallScanNodes();
	RetlInstallRuntimeFilters();
	RetlInstallUpserts();
}
