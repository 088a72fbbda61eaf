/*-------------------------------------------------------------------------
 *
 * scan_cost.c
 *	  What a columnar scan costs.
 *
 * The planner's statistics say which share of the vectors zone maps will leave
 * and which share of the rows conditions on vectors; the constants below, what
 * is done for each.  Nothing of the table is read.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_statistic.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "utils/lsyscache.h"
#include "utils/spccache.h"
#include "utils/syscache.h"

#include "base/settings.h"
#include "exec/scan_cost.h"

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
ReadShareOfColumn(const RetlPathContext *context, AttrNumber attnum, List *clauses)
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
double
RetlReadShare(const RetlPathContext *context, const RetlClauseTest *tests, int count)
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
AddConditionCosts(const RetlPathContext *context, const RetlClauseTest *tests, int count,
				  RetlScanWork *work, List **pushed)
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
			Cost	   *sum = tests[i].costClass == RETL_CLASS_FUNCTION ?
				&work->functionCost : &work->pushedCost;

			*sum += cpu_operator_cost * RETLDB_TEST_COST_SHARE *
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
void
RetlEstimateWork(const RetlPathContext *context, List *joinClauses, RetlScanWork *work)
{
	int			baseCount = list_length(context->rel->baserestrictinfo);
	List	   *pushed = NIL;

	memset(work, 0, sizeof(*work));
	work->readShare = RetlReadShare(context, context->tests, baseCount);
	AddConditionCosts(context, context->tests, baseCount, work, &pushed);

	if (joinClauses != NIL)
	{
		int			count = list_length(joinClauses);
		RetlClauseTest *tests = RetlMakeClauseTests(context->root, context->rel, joinClauses,
													NULL);

		work->readShare = Min(work->readShare, RetlReadShare(context, tests, count));
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

/* Vectors that are expected to be read. */
static double
VectorsRead(const RetlPathContext *context, const RetlScanWork *work)
{
	double		vectors = ceil(context->size.groupRows / retldb_vector_rows);

	return Min(vectors, vectors * work->readShare + 1);
}

/* Their rows. */
static double
RowsRead(const RetlPathContext *context, const RetlScanWork *work)
{
	return context->size.groupRows * VectorsRead(context, work) /
		ceil(context->size.groupRows / retldb_vector_rows);
}

/*
 * CPU cost of what is done with row groups and vectors as a whole: to turn to them, test
 * zones, and compare values.
 */
Cost
RetlVectorCost(const RetlPathContext *context, const RetlScanWork *work)
{
	double		columns = context->columnCount;
	double		groups = context->size.groups;
	double		vectors = ceil(context->size.groupRows / retldb_vector_rows);
	double		groupsRead = Min(groups, groups * work->readShare + 1);
	double		operations;

	if (groups == 0 || vectors == 0)
		return 0;
	operations = groupsRead * (RETLDB_GROUP_OPEN_COST + columns * RETLDB_CHUNK_OPEN_COST) +
		VectorsRead(context, work) * columns * RETLDB_VECTOR_OPEN_COST +
		work->zoneTests * (groups * RETLDB_GROUP_TEST_COST +
						   groupsRead * vectors / groups * RETLDB_VECTOR_TEST_COST);

	/* where vectors are picked out, a unit is read for the sake of one of them */
	if (work->readShare < 1.0)
		operations += groupsRead * columns * RETLDB_UNIT_READ_COST;

	return operations * cpu_operator_cost + work->pushedCost * RowsRead(context, work);
}

/*
 * CPU cost of the row groups: only what is not skipped is read, pushed conditions
 * cost little, and all that comes after them concerns only the rows that pass.
 */
static Cost
GroupsCost(const RetlPathContext *context, const RetlScanWork *work)
{
	double		columns = context->columnCount;
	double		rowShare = RETLDB_ROW_COST_SHARE +
		RETLDB_COLUMNS_COST_SHARE * columns / (columns + RETLDB_COLUMNS_FOR_HALF);
	double		rowsPassed;

	if (context->size.groups == 0 || context->size.groupRows == 0)
		return 0;
	rowsPassed = Min(RowsRead(context, work), context->size.groupRows * work->passShare);
	return RetlVectorCost(context, work) + work->functionCost * RowsRead(context, work) +
		(cpu_tuple_cost * rowShare + work->qualCost.per_tuple) * rowsPassed;
}

/*
 * Set rows and costs of a path, after the manner of cost_seqscan(): of row groups
 * only the needed columns' pages are read, and only the share that is not
 * skipped; the row store is read as heap.
 */
void
RetlCostScan(const RetlPathContext *context, Path *path, const RetlScanWork *work)
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
