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
#include "catalog/pg_statistic.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "optimizer/paths.h"
#include "optimizer/plancat.h"
#include "optimizer/restrictinfo.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/spccache.h"
#include "utils/syscache.h"

#include "am/retldb_am.h"
#include "am/table_size.h"
#include "base/settings.h"
#include "exec/exec.h"
#include "exec/retldb_exec.h"

/*
 * What a row of a vector costs, as a share of what forming a tuple does: from
 * the first with no column to almost the sum of both with many.
 */
#define RETLDB_ROW_COST_SHARE			0.25
#define RETLDB_COLUMNS_COST_SHARE		0.6
#define RETLDB_COLUMNS_FOR_HALF			8

/* A comparison on a vector, as a share of calling an operator. */
#define RETLDB_TEST_COST_SHARE			0.04

/*
 * What else a scan does, in units of cpu_operator_cost; docs/internals/reading.md
 * says where the numbers come from.
 */
#define RETLDB_RESCAN_COST				40	/* to begin, again or for the first time */
#define RETLDB_GROUP_TEST_COST			1	/* a column's zone of a row group */
#define RETLDB_GROUP_OPEN_COST			100 /* to turn to a row group that is read */
#define RETLDB_CHUNK_OPEN_COST			40	/* ... and to a column of it */
#define RETLDB_VECTOR_TEST_COST			0.6 /* a column's zone of a vector */
#define RETLDB_VECTOR_OPEN_COST			20	/* to turn to a vector of a column */
#define RETLDB_UNIT_READ_COST			600 /* to read a unit of a column for one of its
											 * vectors only, the others not being needed */

/* What a heap tuple takes beside its values: line pointer, header, padding. */
#define RETLDB_HEAP_TUPLE_OVERHEAD		32

/* Parameterised paths are made only if they read less than this share. */
#define RETLDB_MAX_PARAMETERISED_SHARE	0.5

/*
 * ... and are taken to cost this many times what they are thought to: how often
 * they run is often underestimated, by orders of magnitude, and then a hash join
 * would have been far better.
 */
#define RETLDB_PARAMETERISED_CAUTION	4

/* ... and no more of them for a table than this. */
#define RETLDB_MAX_PARAMETERISED_PATHS	8

/* Width taken for a variable-length column nothing is known of. */
#define RETLDB_UNKNOWN_WIDTH			32

static set_rel_pathlist_hook_type previousPathlistHook = NULL;

/* What the paths of one table have in common. */
typedef struct PathContext
{
	PlannerInfo *root;
	RelOptInfo *rel;
	RangeTblEntry *rte;
	int			columnCount;	/* needed columns */
	double		columnShare;	/* of the table's bytes in them */
	RetlTableSize size;
	double		rowStoreRows;
	double		width;			/* of a row */
	RetlClauseTest *tests;		/* of rel->baserestrictinfo */
} PathContext;

/* What a scan under certain clauses has to do. */
typedef struct ScanWork
{
	double		readShare;		/* of the vectors that are not skipped */
	int			zoneTests;		/* tests that may skip */
	double		passShare;		/* of the rows that pass pushed conditions */
	Cost		pushedCost;		/* of pushed conditions, for each row of vectors */
	QualCost	qualCost;		/* of the others, for each row that passes */
	QualCost	rowQualCost;	/* of all, for each row of the row store */
} ScanWork;

/*
 * Is the relation a retldb table?  The planner holds a lock on it.  If so, the
 * context is told about its size and the columns in attnums (offset by
 * FirstLowInvalidHeapAttributeNumber).
 */
static bool
IsColumnarTable(PathContext *context, Bitmapset *attnums)
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

/* Correlation of a column with the order of the rows; 0 if not known. */
double
RetlColumnCorrelation(Oid relid, AttrNumber attnum)
{
	HeapTuple	tuple = SearchSysCache3(STATRELATTINH, ObjectIdGetDatum(relid),
										Int16GetDatum(attnum), BoolGetDatum(false));
	AttStatsSlot slot;
	double		correlation = 0;

	if (!HeapTupleIsValid(tuple))
		return 0;
	if (get_attstatsslot(&slot, tuple, STATISTIC_KIND_CORRELATION, InvalidOid,
						 ATTSTATSSLOT_NUMBERS))
	{
		if (slot.nnumbers == 1)
			correlation = slot.numbers[0];
		free_attstatsslot(&slot);
	}
	ReleaseSysCache(tuple);
	return correlation;
}

/*
 * Share of the table that will be read if a column is tested with these
 * clauses.  As with indexes, the truth is taken to lie between two extremes by
 * the square of the correlation: the matching rows stand together, or are
 * spread over all vectors.
 */
static double
ReadShareOfColumn(const PathContext *context, AttrNumber attnum, List *clauses)
{
	double		correlation = RetlColumnCorrelation(context->rte->relid, attnum);
	double		weight = correlation * correlation;
	double		tuples = Max(context->rel->tuples, 1.0);
	double		together;

	if (weight < 0.01)
		return 1.0;

	/* at both ends a vector is read for the sake of a part of it */
	together = clauselist_selectivity(context->root, clauses, context->rel->relid,
									  JOIN_INNER, NULL) +
		retldb_vector_rows / tuples;
	return weight * Min(together, 1.0) + (1.0 - weight);
}

/* Share of the table that will be read under these tests: the best column's. */
static double
ReadShare(const PathContext *context, const RetlClauseTest *tests, int count)
{
	Bitmapset  *done = NULL;
	double		share = 1.0;
	int			i;
	int			j;

	if (!retldb_enable_skipping)
		return share;

	/* for each column, at its first clause, those of its clauses there are */
	for (i = 0; i < count; i++)
	{
		AttrNumber	attnum = tests[i].attnum;
		List	   *sameColumn = NIL;

		if (attnum == InvalidAttrNumber || bms_is_member(attnum, done))
			continue;
		done = bms_add_member(done, attnum);
		for (j = i; j < count; j++)
		{
			if (tests[j].attnum == attnum)
				sameColumn = lappend(sameColumn, tests[j].rinfo);
		}
		share = Min(share, ReadShareOfColumn(context, attnum, sameColumn));
	}
	return share;
}

/*
 * Add what conditions cost.  They are evaluated one after the other, each on
 * the rows that those before have left; in which order is not known here, so
 * each is taken to find a middling share of them.
 */
static void
AddConditionCosts(const PathContext *context, const RetlClauseTest *tests, int count,
				  ScanWork *work, List **pushed)
{
	for (int i = 0; i < count; i++)
	{
		QualCost	cost;

		cost_qual_eval_node(&cost, (Node *) tests[i].rinfo, context->root);
		work->rowQualCost.startup += cost.startup;
		work->rowQualCost.per_tuple += cost.per_tuple;
		if (tests[i].skipCondition != NULL && retldb_enable_skipping)
			work->zoneTests++;
		if (tests[i].exact && retldb_enable_vector_filter)
		{
			work->pushedCost += cpu_operator_cost * RETLDB_TEST_COST_SHARE *
				RetlTestClassCost(tests[i].costClass);
			*pushed = lappend(*pushed, tests[i].rinfo);
			continue;
		}
		work->qualCost.startup += cost.startup;
		work->qualCost.per_tuple += cost.per_tuple;
	}
}

/*
 * What a scan has to do under the clauses of the table and, if given, others of
 * a parameterised path.
 */
static void
EstimateWork(const PathContext *context, List *joinClauses, ScanWork *work)
{
	int			baseCount = list_length(context->rel->baserestrictinfo);
	List	   *pushed = NIL;

	memset(work, 0, sizeof(*work));
	work->readShare = ReadShare(context, context->tests, baseCount);
	AddConditionCosts(context, context->tests, baseCount, work, &pushed);

	if (joinClauses != NIL)
	{
		int			count = list_length(joinClauses);
		RetlClauseTest *tests = RetlMakeClauseTests(context->root, context->rel, joinClauses,
													NULL);

		work->readShare = Min(work->readShare, ReadShare(context, tests, count));
		AddConditionCosts(context, tests, count, work, &pushed);
	}
	work->passShare = pushed == NIL ? 1.0 :
		clauselist_selectivity(context->root, pushed, context->rel->relid, JOIN_INNER, NULL);
}

/* By how much workers divide the work; as core reckons. */
double
RetlParallelDivisor(const Path *path)
{
	double		divisor = path->parallel_workers;

	if (parallel_leader_participation)
		divisor += Max(0.0, 1.0 - 0.3 * path->parallel_workers);
	return divisor;
}

/*
 * CPU cost of the row groups: only what is not skipped is read, pushed conditions
 * cost little, and all that comes after them concerns only the rows that pass.
 */
static Cost
GroupsCost(const PathContext *context, const ScanWork *work)
{
	double		columns = context->columnCount;
	double		rowShare = RETLDB_ROW_COST_SHARE +
		RETLDB_COLUMNS_COST_SHARE * columns / (columns + RETLDB_COLUMNS_FOR_HALF);
	double		groups = context->size.groups;
	double		vectors = ceil(context->size.groupRows / retldb_vector_rows);
	double		groupsRead = Min(groups, groups * work->readShare + 1);
	double		vectorsRead = Min(vectors, vectors * work->readShare + 1);
	double		rowsRead;
	double		rowsPassed;
	double		operations;

	if (groups == 0 || vectors == 0)
		return 0;
	rowsRead = context->size.groupRows * vectorsRead / vectors;
	rowsPassed = Min(rowsRead, context->size.groupRows * work->passShare);

	operations = groupsRead * (RETLDB_GROUP_OPEN_COST + columns * RETLDB_CHUNK_OPEN_COST) +
		vectorsRead * columns * RETLDB_VECTOR_OPEN_COST +
		work->zoneTests * (groups * RETLDB_GROUP_TEST_COST +
						   groupsRead * vectors / groups * RETLDB_VECTOR_TEST_COST);

	/* where vectors are picked out, a unit is read for the sake of one of them */
	if (work->readShare < 1.0)
		operations += groupsRead * columns * RETLDB_UNIT_READ_COST;

	return operations * cpu_operator_cost + work->pushedCost * rowsRead +
		(cpu_tuple_cost * rowShare + work->qualCost.per_tuple) * rowsPassed;
}

/*
 * Set rows and costs of a path, after the manner of cost_seqscan(): of row groups
 * only the needed columns' pages are read, and only the share that is not
 * skipped; the row store is read as heap.
 */
static void
CostScan(const PathContext *context, Path *path, const ScanWork *work)
{
	RelOptInfo *rel = context->rel;
	double		groupPages = context->size.groups > 0 ?
		(double) context->size.pages - context->size.rowStorePages : 0;
	double		pageCost;
	Cost		diskRun;
	Cost		cpuRun;

	path->rows = path->param_info ? path->param_info->ppi_rows : rel->rows;

	get_tablespace_page_costs(rel->reltablespace, NULL, &pageCost);
	diskRun = pageCost * (context->size.rowStorePages +
						  groupPages * context->columnShare * work->readShare);

	cpuRun = RETLDB_RESCAN_COST * cpu_operator_cost + GroupsCost(context, work) +
		(cpu_tuple_cost + work->rowQualCost.per_tuple) * context->rowStoreRows +
		path->pathtarget->cost.per_tuple * path->rows;

	if (path->parallel_workers > 0)
	{
		double		divisor = RetlParallelDivisor(path);

		cpuRun /= divisor;
		path->rows = clamp_row_est(path->rows / divisor);
	}

	path->startup_cost = work->rowQualCost.startup + path->pathtarget->cost.startup;
	path->total_cost = path->startup_cost + cpuRun + diskRun;
}

/* A path of the scan; its costs are not set. */
static CustomPath *
MakePath(const PathContext *context, Relids requiredOuter, int parallelWorkers)
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
ParallelWorkers(const PathContext *context)
{
	double		heapPages = ceil(context->rel->tuples *
								 (context->width + RETLDB_HEAP_TUPLE_OVERHEAD) / BLCKSZ);

	return compute_parallel_worker(context->rel, Max(heapPages, context->rel->pages), -1,
								   max_parallel_workers_per_gather);
}

/* The plain path, and the partial one for parallel plans. */
static void
AddPlainPaths(const PathContext *context)
{
	RelOptInfo *rel = context->rel;
	CustomPath *path = MakePath(context, rel->lateral_relids, 0);
	ScanWork	work;
	int			workers;

	EstimateWork(context, path->path.param_info ? path->path.param_info->ppi_clauses : NIL, &work);
	CostScan(context, &path->path, &work);
	add_path(rel, &path->path);

	/* processes could not agree on which groups are damaged */
	if (!rel->consider_parallel || rel->lateral_relids != NULL || retldb_skip_damaged_groups)
		return;

	workers = ParallelWorkers(context);
	if (workers <= 0)
		return;
	path = MakePath(context, NULL, workers);
	CostScan(context, &path->path, &work);
	add_partial_path(rel, &path->path);
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
EquivalenceColumns(const PathContext *context)
{
	Bitmapset  *attnums = NULL;
	int			i = -1;

	while ((i = bms_next_member(context->rel->eclass_indexes, i)) >= 0)
	{
		EquivalenceClass *ec = list_nth_node(EquivalenceClass, context->root->eq_classes, i);
		ListCell   *lc;

		if (ec->ec_has_const)
			continue;
		foreach(lc, ec->ec_members)
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
FindJoinClauses(const PathContext *context)
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
 * vectors a key may be in.
 */
static void
AddParameterisedPaths(const PathContext *context)
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
		ScanWork	work;

		if (test->attnum == InvalidAttrNumber ||
			ReadShare(context, test, 1) > RETLDB_MAX_PARAMETERISED_SHARE)
			continue;

		requiredOuter = bms_union(rinfo->required_relids, rel->lateral_relids);
		requiredOuter = bms_del_member(requiredOuter, rel->relid);
		if (IsAmongSets(made, requiredOuter))
			continue;
		made = lappend(made, requiredOuter);

		path = MakePath(context, requiredOuter, 0);
		EstimateWork(context, path->path.param_info->ppi_clauses, &work);
		CostScan(context, &path->path, &work);
		path->path.total_cost *= RETLDB_PARAMETERISED_CAUTION;
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
	PathContext context = {.root = root,.rel = rel,.rte = rte};
	Bitmapset  *attnums;

	if (previousPathlistHook)
		previousPathlistHook(root, rel, rti, rte);

	if (!IsPlainTable(rel, rte))
		return;
	attnums = NeededColumns(rel);
	if (!IsColumnarTable(&context, attnums))
		return;
	RetlAdjustIndexPaths(root, rel, context.columnCount, context.size.groupRows);
	if (!IsCandidate(rel) || NeedsTupleHeader(attnums))
		return;

	context.tests = RetlMakeClauseTests(root, rel, rel->baserestrictinfo, NULL);
	AddPlainPaths(&context);
	AddParameterisedPaths(&context);
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
}
