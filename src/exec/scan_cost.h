/*-------------------------------------------------------------------------
 *
 * scan_cost.h
 *	  What a columnar scan has to do, as the planner estimates it, and its cost.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_SCAN_COST_H
#define RETLDB_SCAN_COST_H

#include "postgres.h"

#include "nodes/pathnodes.h"

#include "am/table_size.h"
#include "exec/exec.h"

/* What the paths of one table have in common. */
typedef struct RetlPathContext
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
} RetlPathContext;

/* What a scan under certain clauses has to do. */
typedef struct RetlScanWork
{
	double		readShare;		/* of the vectors that are not skipped */
	int			zoneTests;		/* tests that may skip */
	double		passShare;		/* of the rows that pass pushed conditions */
	Cost		pushedCost;		/* of pushed conditions, for each row of vectors: of
								 * comparisons, */
	Cost		functionCost;	/* and of those that call functions */
	QualCost	qualCost;		/* of the others, for each row that passes */
	QualCost	rowQualCost;	/* of all, for each row of the row store */
} RetlScanWork;

/* Correlation of a column with the order of the rows; 0 if not known. */
extern double RetlColumnCorrelation(Oid relid, AttrNumber attnum);

/* By how much the workers of a path divide its work; as core reckons. */
extern double RetlParallelDivisor(const Path *path);

/*
 * Share of the table that will be read under these tests: the best column's.
 */
extern double RetlReadShare(const RetlPathContext *context, const RetlClauseTest *tests,
							int count);

/*
 * What a scan has to do under the clauses of the table and, if given, others of
 * a parameterised path.
 */
extern void RetlEstimateWork(const RetlPathContext *context, List *joinClauses,
							 RetlScanWork *work);

/* The part of a scan's CPU cost that is for row groups, vectors and comparisons on them. */
extern Cost RetlVectorCost(const RetlPathContext *context, const RetlScanWork *work);

/* Set rows and costs of a path, which knows its parameters and workers. */
extern void RetlCostScan(const RetlPathContext *context, Path *path, const RetlScanWork *work);

#endif							/* RETLDB_SCAN_COST_H */
