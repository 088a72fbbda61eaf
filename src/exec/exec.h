/*-------------------------------------------------------------------------
 *
 * exec.h
 *	  The custom scan "RetldbScan": what its files share.
 *
 *	planner.c		which tables get a path, which paths, at what cost
 *	skip_tests.c	at planning: conditions -> tree of skip tests
 *	skip_keys.c		at execution: tree of skip tests -> RetlZoneFilter
 *	scan_plan.c		path -> CustomScan
 *	scan_exec.c		the node
 *	scan_parallel.c the node's shared state
 *	explain.c		what EXPLAIN shows of it
 *
 * The plan of a scan carries
 *
 *	custom_exprs	the keys of the skip tests, that is, the expressions that
 *					columns are compared with; after them the skip conditions
 *					(implicitly ANDed), which are there for EXPLAIN only
 *	custom_private	(1) the tree of skip tests, NIL if there is none
 *					(2) the number of keys in custom_exprs
 *
 * A tree of skip tests is a List, whose first member is an IntList with the
 * RETL_SKIP_... fields below and whose others are the arguments of AND and OR,
 * trees themselves.  In this shape copyObject() and nodeToString() know it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_EXEC_H
#define RETLDB_EXEC_H

#include "postgres.h"

#include "access/parallel.h"
#include "nodes/execnodes.h"
#include "nodes/extensible.h"
#include "nodes/pathnodes.h"

#include "rowgroup/zone_filter.h"
#include "vector/vector.h"
#include "visibility/table_scan.h"

/* Fields of a skip test in its list of integers. */
#define RETL_SKIP_KIND			0	/* RetlZoneTestKind */
#define RETL_SKIP_ATTNUM		1	/* column */
#define RETL_SKIP_KEY_KIND		2	/* RetlKeyKind; NONE: test without key */
#define RETL_SKIP_KEY_INDEX		3	/* of the key in custom_exprs */
#define RETL_SKIP_KEY_TYPE		4	/* its type (of an element), domains resolved */
#define RETL_SKIP_KEY_IS_ARRAY	5	/* column op ANY (key) */

/* Members of custom_private. */
#define RETL_PRIVATE_TESTS		0
#define RETL_PRIVATE_KEY_COUNT	1

/* ---- skip_tests.c ---- */

typedef struct RetlSkipTests
{
	List	   *tree;			/* NIL: nothing can be skipped */
	List	   *keys;			/* expressions, referred to by index */
	List	   *conditions;		/* what the tree stands for */
} RetlSkipTests;

/*
 * Make skip tests of a scan's clauses (RestrictInfos, implicitly ANDed); those
 * that no test can be made of are passed over.
 */
extern void RetlMakeSkipTests(PlannerInfo *root, RelOptInfo *rel, List *clauses,
							  RetlSkipTests *tests);

/*
 * The column a clause can be tested on, if that is a single one; else
 * InvalidAttrNumber.  Used for costs.
 */
extern AttrNumber RetlSkipTestColumn(PlannerInfo *root, RelOptInfo *rel, RestrictInfo *rinfo);

/* ---- skip_keys.c ---- */

typedef struct RetlSkipKeys RetlSkipKeys;

/* Build the filter for a tree of tests; its keys are not there yet. */
extern RetlSkipKeys *RetlSkipKeysCreate(List *tree, List *keyExprs, PlanState *parent);

/* Compute the keys and put them into the filter. */
extern void RetlSkipKeysEvaluate(RetlSkipKeys *keys, ExprContext *econtext);

/* May the keys differ from one rescan to the next? */
extern bool RetlSkipKeysMayChange(const RetlSkipKeys *keys);

/* The filter, the same one at any time. */
extern const RetlZoneFilter *RetlSkipKeysGetFilter(const RetlSkipKeys *keys);

/* ---- scan_plan.c ---- */

extern const CustomPathMethods RetlScanPathMethods;
extern const CustomScanMethods RetlScanPlanMethods;

/* ---- scan_exec.c ---- */

/* A column that the scan hands out, and its values in the current vector. */
typedef struct RetlScanColumn
{
	AttrNumber	attnum;
	const RetlVector *vector;	/* NULL: not asked for yet */
} RetlScanColumn;

typedef struct RetlSharedScan RetlSharedScan;

typedef struct RetlScanState
{
	CustomScanState css;

	/* fixed after the beginning */
	RetlSkipKeys *skipKeys;		/* NULL: no skip tests */
	Bitmapset  *attnums;		/* of all columns needed */
	int			columnCount;
	int			qualColumnCount;	/* the first ones, which conditions need */
	RetlScanColumn *columns;
	AttrNumber	lastQualAttnum; /* highest attribute number among them */
	AttrNumber	lastAttnum;		/* among all columns */
	TupleTableSlot *rowStoreSlot;	/* to take tuples of the row store apart */

	/* the scan */
	RetlTableScan *scan;		/* NULL: not begun */
	bool		keysValid;		/* the filter has the keys of this (re)scan */
	uint64		vectorBase;		/* position of the current vector's first row */
	bool		hasVector;		/* vectorBase is valid */

	/* rechecks of single rows for EvalPlanQual */
	TupleTableSlot *recheckSlot;

	/* parallel scans */
	RetlSharedScan *shared;		/* NULL: this is none, or it has ended */
	RetlScanStats *workerStats; /* in a worker: where to report */

	/* of scans that ended and of workers */
	RetlScanStats pastStats;
} RetlScanState;

extern Node *RetlScanCreateState(CustomScan *plan);

/* End the running scan, if any; what it counted is kept. */
extern void RetlScanEndScan(RetlScanState *state);

/* ---- scan_parallel.c ---- */

extern Size RetlScanEstimateShared(CustomScanState *node, ParallelContext *pcxt);
extern void RetlScanInitShared(CustomScanState *node, ParallelContext *pcxt, void *coordinate);
extern void RetlScanReinitShared(CustomScanState *node, ParallelContext *pcxt, void *coordinate);
extern void RetlScanInitWorker(CustomScanState *node, shm_toc *toc, void *coordinate);
extern void RetlScanShutdown(CustomScanState *node);

/* The part of the shared state that the table scan works with. */
extern RetlParallelScan *RetlSharedScanGet(RetlSharedScan *shared);

/* In a worker: report what was counted so far. */
extern void RetlScanReportStats(RetlScanState *state);

extern void RetlScanStatsAdd(RetlScanStats *sum, const RetlScanStats *stats);

/* ---- explain.c ---- */

extern void RetlScanExplain(CustomScanState *node, List *ancestors, struct ExplainState *es);

#endif							/* RETLDB_EXEC_H */
