/*-------------------------------------------------------------------------
 *
 * upsert.h
 *	  The custom scan "RetldbUpsert": what its files share.
 *
 *	upsert_plan.c		which commands get the node
 *	upsert_exec.c		the node: batches of rows, and looking them up
 *	upsert_compare.c	rows that would change nothing
 *
 * The node stands between INSERT ... ON CONFLICT DO UPDATE and the rows that are
 * proposed for insertion.  What it knows of the rows that are there is a hint: for
 * each row that it hands on the executor does all it does without the node.  Only
 * rows of tables with suppress_noop that would change nothing are not handed on.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_UPSERT_H
#define RETLDB_UPSERT_H

#include "postgres.h"

#include "access/genam.h"
#include "nodes/execnodes.h"
#include "utils/sortsupport.h"

#include "rowgroup/group_reader.h"
#include "storage/directory.h"
#include "storage/stub_map.h"

/* Members of the plan's custom_private. */
#define RETL_UPSERT_NUMBERS		0	/* a list of the numbers below */
#define RETL_UPSERT_ARBITER		1	/* a list of one OID: of the index */
#define RETL_UPSERT_SET			2	/* ModifyTable's onConflictSet */
#define RETL_UPSERT_SET_COLUMNS	3	/* its onConflictCols */
#define RETL_UPSERT_WHERE		4	/* its onConflictWhere */

/* Numbers of the plan. */
#define RETL_UPSERT_RELID		0	/* of the table in the range table */
#define RETL_UPSERT_SET_TAG		1	/* are rows counted? */

/* Fewer rows are not worth it, unless rows are to stay as they are. */
#define RETL_UPSERT_FEW_ROWS	8

/* There is no row with this number. */
#define RETL_NO_ROW				PG_UINT64_MAX

/* A row that is proposed for insertion. */
typedef struct RetlUpsertRow
{
	MinimalTuple tuple;
	uint64		found;			/* the row of a row group that it conflicts with, or
								 * RETL_NO_ROW */
	bool		repeated;		/* the batch has another one with the same key */
	bool		stays;			/* the row that is there stays as it is: not to be
								 * handed on */
} RetlUpsertRow;

/* A row of a row group that may be in conflict with a proposed one. */
typedef struct RetlUpsertPlace
{
	uint64		rowNumber;
	uint32		index;			/* of the proposed row in the batch */
} RetlUpsertPlace;

/* What it takes to find out that a row stays as it is. */
typedef struct RetlUpsertCompare
{
	Relation	rel;
	EState	   *estate;
	ResultRelInfo *resultRelInfo;
	ExprContext *econtext;
	ExprState  *where;			/* NULL: none */
	ProjectionInfo *set;
	TupleTableSlot *existing;	/* the row that is there: needed columns only */
	TupleTableSlot *proposed;	/* a row as the table has them */
	int			setCount;
	AttrNumber *setColumns;
	int			neededCount;	/* columns of the row that is there */
	AttrNumber *needed;
	const RetlVector **vectors; /* of these */
	RetlGroupReader *reader;
	uint64		openGroup;		/* id; 0: none */
	bool		setTag;
	uint64		left;			/* rows that stay */
} RetlUpsertCompare;

/* State of the node. */
typedef struct RetlUpsertState
{
	CustomScanState css;
	Relation	rel;
	Relation	arbiter;
	IndexScanDesc scan;			/* of the arbiter; NULL before the first batch */
	int			keyCount;
	SortSupport sortKeys;
	RetlUpsertCompare *compare; /* NULL: rows are handed on whatever they change */
	TupleTableSlot *slot;		/* rows of the source, as they are handed on */
	bool		sourceDone;

	/* the batch */
	MemoryContext batchContext;
	uint32		rowCount;
	uint32		rowCapacity;
	RetlUpsertRow *rows;		/* as they came from the source */
	Datum	   *keys;			/* [rowCapacity * keyCount] */
	uint32		placeCount;
	uint32		placeCapacity;
	RetlUpsertPlace *places;
	uint32		outputCount;
	uint32	   *outputs;		/* rows to be handed on, in this order */
	uint32		nextOutput;
	uint64		expectedTo;		/* rows before that were expected to be touched */

	/* for EXPLAIN */
	uint64		batches;
	uint64		found;
} RetlUpsertState;

/* ---- upsert_plan.c ---- */

/* Called once at load time. */
extern void RetlInstallUpserts(void);

/* ---- upsert_exec.c ---- */

extern Node *RetlUpsertCreateState(CustomScan *plan);

/* ---- upsert_compare.c ---- */

/* NULL if it cannot be told beforehand what the command would do. */
extern RetlUpsertCompare *RetlUpsertCompareCreate(Relation rel, CustomScan *plan, EState *estate,
												  ExprContext *econtext);

/*
 * Find those of proposed rows that would change nothing: rows[places[i].index], for
 * places of one group whose rows are there and changed by nobody.  These rows are
 * marked, counted, and checked as the executor would.
 */
extern void RetlUpsertCompareRows(RetlUpsertCompare *compare, const RetlGroup *group,
								  RetlUpsertRow *rows, const RetlUpsertPlace *places, int count);

/*
 * The same for one proposed row and what the index has for its key: a row of the
 * row store, which may or may not be there.
 */
extern void RetlUpsertCompareStoreRow(RetlUpsertCompare *compare, const ItemPointerData *tid,
									  RetlUpsertRow *row);

#endif							/* RETLDB_UPSERT_H */
