/*-------------------------------------------------------------------------
 *
 * exec.h
 *	  The custom scan "RetldbScan": what its files share.
 *
 *	planner.c		which tables get a path, and which paths
 *	scan_cost.c		what a path costs
 *	index_paths.c	costs of core's index and bitmap paths
 *	skip_tests.c	at planning: conditions -> trees of tests
 *	clause_push.c	at planning: which conditions are evaluated on vectors
 *	skip_keys.c		at execution: trees of tests -> filters with their keys
 *	column_filter.c a test and its key -> RetlColumnTest
 *	time_keys.c		keys of another date or time type than their column
 *	prefix.c		patterns -> what matching strings begin with
 *	scan_plan.c		path -> CustomScan
 *	scan_exec.c		the node
 *	scan_parallel.c the node's shared state
 *	runtime_filter.c keys of hash joins -> conditions, while the scan runs
 *	explain.c		what EXPLAIN shows of it
 *
 * The node "RetldbUpsert" has a header of its own, upsert.h.
 *
 * A condition is "pushed" if it is evaluated on vectors: rows of row groups that
 * are returned by the table scan meet it.  The others are the plan's qual.
 *
 * The plan of a scan carries
 *
 *	custom_exprs	the keys of the tests, that is, the expressions that columns
 *					are compared with; after them the pushed conditions, in the
 *					order of the plan; after them the skip conditions
 *					(implicitly ANDed), which are there for EXPLAIN only
 *	custom_private	a member for each RETL_PRIVATE_... below
 *
 * A tree of tests is a List, whose first member is an IntList with the
 * RETL_SKIP_... fields below and whose others are the arguments of AND and OR,
 * trees themselves.  In this shape copyObject() and nodeToString() know it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_EXEC_H
#define RETLDB_EXEC_H

#include "postgres.h"

#include "access/parallel.h"
#include "fmgr.h"
#include "nodes/execnodes.h"
#include "nodes/extensible.h"
#include "nodes/pathnodes.h"

#include "rowgroup/column_test.h"
#include "rowgroup/zone_filter.h"
#include "vector/vector.h"
#include "visibility/table_scan.h"

/* Fields of a test in its list of integers. */
#define RETL_SKIP_KIND			0	/* RetlZoneTestKind; ALWAYS: zones do not help */
#define RETL_SKIP_ATTNUM		1	/* column */
#define RETL_SKIP_KEY_KIND		2	/* RetlKeyKind */
#define RETL_SKIP_KEY_INDEX		3	/* of the key in custom_exprs; -1: none */
#define RETL_SKIP_KEY_TYPE		4	/* its type (of an element), domains resolved */
#define RETL_SKIP_ARRAY			5	/* RetlArrayUse */
#define RETL_SKIP_CLASS			6	/* RetlTestClass */
#define RETL_SKIP_OP			7	/* RetlFilterOp; PREDICATE: the function says */
#define RETL_SKIP_FUNCTION		8	/* the operator's, or InvalidOid */
#define RETL_SKIP_COLLATION		9	/* its input collation */
#define RETL_SKIP_FIELDS		10

/* How the key is used. */
typedef enum RetlArrayUse
{
	RETL_ARRAY_NONE,			/* column op key */
	RETL_ARRAY_ANY,				/* column op ANY (key) */
	RETL_ARRAY_ALL				/* column op ALL (key) */
} RetlArrayUse;

/* How a test is evaluated on vectors. */
typedef enum RetlTestClass
{
	RETL_CLASS_NONE,			/* not at all */
	RETL_CLASS_NULL_TEST,
	RETL_CLASS_SIGNED,			/* comparisons of values in these orders */
	RETL_CLASS_UNSIGNED,
	RETL_CLASS_FLOAT,
	RETL_CLASS_BYTES,
	RETL_CLASS_PADDED,			/* bytes but for trailing blanks */
	RETL_CLASS_NUMERIC,
	RETL_CLASS_FUNCTION			/* the operator's function is called */
} RetlTestClass;

/* Members of custom_private. */
#define RETL_PRIVATE_TESTS		0	/* the tree of tests, NIL if there is none: an
									 * AND with an argument for each condition that
									 * can be tested */
#define RETL_PRIVATE_KEY_COUNT	1	/* of keys in custom_exprs */
#define RETL_PRIVATE_PUSHED_COUNT 2 /* of pushed conditions in custom_exprs */
#define RETL_PRIVATE_PUSHED		3	/* IntList: arguments of the tree that are pushed
									 * conditions, in the order of evaluation */
#define RETL_PRIVATE_REASONS	4	/* String for each condition of the plan's qual:
									 * why it is not pushed */
#define RETL_PRIVATE_ANY_ORDER	5	/* nobody can tell when, and for which rows, the
									 * plan's qual is evaluated */

/* ---- skip_tests.c ---- */

/* What is known of one condition of a scan. */
typedef struct RetlClauseTest
{
	RestrictInfo *rinfo;
	List	   *tree;			/* NIL: nothing can be tested */
	Expr	   *skipCondition;	/* what zones are asked; NULL: nothing */
	bool		exact;			/* the tree is the whole condition on vectors */
	bool		mayFail;		/* could raise an error for some value */
	int			costClass;		/* of the dearest test, RetlTestClass */
	AttrNumber	attnum;			/* the single column zones are asked about, or
								 * InvalidAttrNumber */
	const char *reason;			/* !exact: why, for EXPLAIN */
} RetlClauseTest;

/*
 * Make tests of a scan's clauses (RestrictInfos, implicitly ANDed), one entry
 * for each.  Keys are appended to *keys, which may be NULL if the trees are not
 * to be kept.
 */
extern RetlClauseTest *RetlMakeClauseTests(PlannerInfo *root, RelOptInfo *rel, List *clauses,
										   List **keys);

/* The root of a tree of tests, an AND, without arguments. */
extern List *RetlMakeAndNode(void);

/*
 * The kind of keys by which a hash and zone maps know whether a value of a
 * column's type and one of another type are equal in the sense of an operator;
 * RETL_KEY_NONE if they do not know it.  Types may be domains.
 */
extern RetlKeyKind RetlEqualityKeyKind(Oid opno, Oid collation, Oid columnType, Oid keyType);

/* ---- init_plans.c ---- */

/*
 * Does an expression, that of a scan that is being planned, ask for the result of a
 * subquery of which it is noticed when it runs?
 */
extern bool RetlAsksNoticedQuery(PlannerInfo *root, Node *node);

/* ---- clause_push.c ---- */

/*
 * Which of these conditions, which are in the order of the plan, are evaluated
 * on vectors?  Returns their indexes in the order of evaluation; the others get
 * a reason.
 */
extern List *RetlChoosePushed(PlannerInfo *root, RelOptInfo *rel, RetlClauseTest *tests,
							  int count);

/* What evaluating a test on a value costs, against a comparison of integers. */
extern double RetlTestClassCost(int class);

/* ---- prefix.c ---- */

/* Is this LIKE, a regular expression, or starts_with? */
extern bool RetlIsPatternFunction(Oid function);

/* Does it match strings that begin with something its key tells? */
extern bool RetlHasPrefix(Oid function, Node *key);

/*
 * What all strings that match begin with: *prefix, palloc'd, and its length.
 * False if nothing is known.  The pattern is detoasted.
 */
extern bool RetlPatternPrefix(Oid function, Oid collation, Datum pattern,
							  uint8 **prefix, Size *length);

/* Can a match with this key raise an error? */
extern bool RetlPatternMayFail(Oid function, Node *key);

/* ---- time_keys.c ---- */

/* A key, made one of the column's type. */
typedef struct RetlTimeKey
{
	RetlFilterOp op;			/* may be another one then */
	Datum		value;
	bool		never;			/* no value compares so */
	bool		always;			/* every value does */
	int64		widen;			/* may be off by so much in either direction, in
								 * units of the column's type; 0: exact */
} RetlTimeKey;

/* Are these two of date, timestamp and timestamptz, and different ones? */
extern bool RetlAreTimeTypes(Oid columnType, Oid keyType);

/* Is "column op key" decided by the converted key exactly? */
extern bool RetlTimeKeyIsExact(Oid columnType, Oid keyType);

extern void RetlConvertTimeKey(Oid columnType, Oid keyType, RetlFilterOp op, Datum value,
							   RetlTimeKey *key);

/* ---- column_filter.c ---- */

/* A comparison as the plan has it, and what it takes to evaluate it. */
typedef struct RetlComparison
{
	AttrNumber	attnum;
	RetlTestClass class;
	RetlFilterOp op;
	Oid			columnType;		/* domains resolved */
	int16		columnLength;	/* attlen */
	bool		columnByValue;
	Oid			keyType;
	Oid			collation;
	FmgrInfo	function;		/* FUNCTION, NUMERIC */
	MemoryContext context;		/* of scratch memory */
	char	   *scratch;		/* a value put together, room for scratchSize */
	Size		scratchSize;
} RetlComparison;

/*
 * Make a column test of a comparison with a key (not null, detoasted), in the
 * current memory context, which must live as long as the test is used.
 */
extern void RetlColumnTestSet(RetlColumnTest *test, RetlComparison *comparison, Datum key);

/* Same for "= ANY" (anyOf) and "<> ALL" (!anyOf) with one key or more. */
extern void RetlColumnTestSetList(RetlColumnTest *test, RetlComparison *comparison,
								  const Datum *keys, int count, bool anyOf);

/* Make a test that does not depend on a key. */
extern void RetlColumnTestSetKind(RetlColumnTest *test, RetlColumnTestKind kind,
								  AttrNumber attnum);

/* Make a test that is a predicate (RetlFilter.predicate) and nothing else. */
extern void RetlColumnTestSetPredicate(RetlColumnTest *test, AttrNumber attnum,
									   bool (*predicate) (void *context, const uint8 *value,
														  size_t length),
									   void *context);

/*
 * Make the first test the AND of both, if together they are a range of one
 * column.  False if they are not; then nothing has changed.
 */
extern bool RetlColumnTestFuse(RetlColumnTest *test, const RetlColumnTest *other);

/* ---- skip_keys.c ---- */

typedef struct RetlSkipKeys RetlSkipKeys;

/*
 * Build filters for the tests of a plan in the current memory context, which
 * must live as long as the node; their keys are not there yet.  The zone filter
 * is made if "skipping", the conditions on vectors if "filtering".
 */
extern RetlSkipKeys *RetlSkipKeysCreate(CustomScan *plan, TupleDesc tupdesc, PlanState *parent,
										bool skipping, bool filtering);

/* Compute the keys and put them into the filters. */
extern void RetlSkipKeysEvaluate(RetlSkipKeys *keys, ExprContext *econtext);

/* Are all keys there, with nothing left to compute that might be noticed? */
extern bool RetlSkipKeysAreKnown(const RetlSkipKeys *keys, ExprContext *econtext);

/* May the keys differ from one rescan to the next? */
extern bool RetlSkipKeysMayChange(const RetlSkipKeys *keys);

/* The zone filter, the same one at any time; NULL if there is none. */
extern const RetlZoneFilter *RetlSkipKeysGetFilter(const RetlSkipKeys *keys);

/* The conditions on vectors, the same ones at any time. */
extern const RetlScanConditions *RetlSkipKeysGetConditions(const RetlSkipKeys *keys);

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
typedef struct RetlRuntimeFilter RetlRuntimeFilter;

typedef struct RetlScanState
{
	CustomScanState css;

	/* fixed after the beginning */
	RetlSkipKeys *skipKeys;		/* NULL: no tests */
	bool		qualInAnyOrder;	/* RETL_PRIVATE_ANY_ORDER */
	ExprState  *pushedQual;		/* the pushed conditions, for rows that did not
								 * come by vectors; NULL: none */
	bool		filtersVectors; /* the table scan evaluates the pushed conditions */
	Bitmapset  *attnums;		/* of all columns needed */
	int			columnCount;

	/*
	 * Columns: first those that the plan's qual needs, then the others that are
	 * handed out, then those that only pushed conditions need.
	 */
	int			qualColumnCount;
	int			resultColumnCount;	/* end of the second part */
	RetlScanColumn *columns;
	AttrNumber *pushedColumns;	/* those that pushed conditions need, rising */
	int			pushedColumnCount;
	AttrNumber	lastPushedAttnum;
	AttrNumber	lastQualAttnum; /* highest attribute number in the first part */
	AttrNumber	lastResultAttnum;	/* up to the second */
	AttrNumber	lastAttnum;		/* among all columns */
	TupleTableSlot *rowStoreSlot;	/* to take tuples of the row store apart */

	RetlRuntimeFilter *runtimeFilter;	/* NULL: no hash join has any use for one */

	/* the scan */
	RetlTableScan *scan;		/* NULL: not begun */
	bool		keysValid;		/* the filter has the keys of this (re)scan */
	uint64		vectorBase;		/* position of the current vector's first row */
	bool		hasVector;		/* vectorBase is valid */

	uint64		rowsFilteredSeen;	/* of the running scan's, already counted as
									 * removed by the filter */
	uint64		rowsTaken;		/* rows that the running scan has returned */
	uint64		rowsReported;	/* rows of it that the cumulative statistics know of */

	/* changed or locked rows: scan_ahead.c */
	bool		touches;		/* rows are handed out to be changed or locked */
	RetlSelection *passing;		/* rows of the current vector that pass the plan's
								 * qual; NULL: it is evaluated row by row */
	bool		deletes;		/* groups of which all rows pass are deleted: delete_groups.c */
	bool		deletesCount;	/* their rows are among those that the command reports */

	/* rechecks of single rows for EvalPlanQual */
	TupleTableSlot *recheckSlot;

	/* parallel scans */
	RetlSharedScan *shared;		/* NULL: this is none, or it has ended */
	RetlScanStats *workerStats; /* in a worker: where to report */

	/* of scans that ended and of workers */
	RetlScanStats pastStats;
} RetlScanState;

extern Node *RetlScanCreateState(CustomScan *plan);

/* Is this a node of ours? */
extern bool RetlIsScanState(PlanState *node);

/* Number of nodes that this backend has begun. */
extern uint64 RetlScansBegun(void);

/* End the running scan, if any; what it counted is kept. */
extern void RetlScanEndScan(RetlScanState *state);

/*
 * Scans whose rows are changed or locked: which these are, at the beginning, when the
 * scan has turned to a row of another vector (state->touches), and when it ends.
 */
extern bool RetlRowsAreTouched(Index relid, EState *estate);
extern const ModifyTable *RetlFindChange(const PlannedStmt *command, const Plan *node);
extern void RetlScanAheadInit(RetlScanState *state, EState *estate);
extern void RetlScanLookAhead(RetlScanState *state, TupleTableSlot *slot, const RetlScanRow *row);
extern void RetlScanForgetAhead(RetlScanState *state);

/* The plan's qual, for rows of a vector whose first row the scan has turned to. */
extern void RetlScanTurnToVector(RetlScanState *state, const RetlScanRow *first);
extern bool RetlScanRowPasses(RetlScanState *state, TupleTableSlot *slot, uint32 vectorRow);

/* Forget what is known of the current vector. */
extern void RetlScanForgetVectors(RetlScanState *state);

/* ---- delete_groups.c ---- */

/*
 * Scans below DELETE: whether groups can be deleted as a whole, after all else of the
 * state is there; and delete one, if the scan has turned to its first row (state->deletes).
 */
extern void RetlScanDeletesInit(RetlScanState *state, EState *estate);
extern bool RetlScanDeleteGroup(RetlScanState *state);

/* ---- index_paths.c ---- */

/*
 * Put core's index and bitmap paths of a retldb table right: columnCount columns
 * are needed, groupRows rows are in row groups.
 */
extern void RetlAdjustIndexPaths(PlannerInfo *root, RelOptInfo *rel, int columnCount,
								 double groupRows);

/* Called once at load time. */
extern void RetlInstallIndexPaths(void);

/* ---- scan_nodes.c ---- */

/* Called once at load time. */
extern void RetlInstallScanNodes(void);

/* ---- runtime_filter.c ---- */

/* Called once at load time. */
extern void RetlInstallRuntimeFilters(void);

/* Are there hash tables to be looked at, as soon as they are there? */
extern bool RetlRuntimeFilterIsPending(const RetlRuntimeFilter *filter);

/* Do so; the table scan has begun. */
extern void RetlRuntimeFilterLook(RetlScanState *state);

/* Forget all that came from hash tables, before the scan starts over. */
extern void RetlRuntimeFilterForget(RetlScanState *state);

/* Columns that may get conditions. */
extern Bitmapset *RetlRuntimeFilterColumns(const RetlRuntimeFilter *filter);

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
