/*-------------------------------------------------------------------------
 *
 * upsert.h
 *	  The custom scan "RetldbUpsert": what its files share.
 *
 *	upsert_plan.c		which commands get the node
 *	upsert_exec.c		the node: batches of rows
 *	upsert_target.c		the tables that rows go to
 *	upsert_lookup.c		looking up the rows of a batch
 *	upsert_compare.c	rows that would change nothing
 *
 * The node stands between INSERT ... ON CONFLICT DO UPDATE and the rows that are
 * proposed for insertion, and hands them on in their order.  What it knows of the rows
 * that are there is a hint: for each row that it hands on the executor does all it does
 * without the node.  Only rows of tables with suppress_noop that would change nothing
 * are not handed on.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_UPSERT_H
#define RETLDB_UPSERT_H

#include "postgres.h"

#include "access/genam.h"
#include "nodes/execnodes.h"
#include "utils/hsearch.h"
#include "utils/sortsupport.h"

#include "rowgroup/group_reader.h"
#include "storage/directory.h"
#include "visibility/touch.h"

/* Members of the plan's custom_private. */
#define RETL_UPSERT_NUMBERS		0	/* a list of the numbers below */
#define RETL_UPSERT_ARBITER		1	/* a list of one OID: of the index */
#define RETL_UPSERT_SET			2	/* ModifyTable's onConflictSet */
#define RETL_UPSERT_SET_COLUMNS	3	/* its onConflictCols */
#define RETL_UPSERT_WHERE		4	/* its onConflictWhere */

/* Numbers of the plan. */
#define RETL_UPSERT_RELID		0	/* of the table in the range table */
#define RETL_UPSERT_SET_TAG		1	/* are rows counted? */
#define RETL_UPSERT_MAY_LEAVE	2	/* may rows be left as they are? */
#define RETL_UPSERT_NEXTVAL		3	/* are numbers of sequences taken? */

/* Fewer rows are not worth it, unless rows are to stay as they are. */
#define RETL_UPSERT_FEW_ROWS	8

/* None of the rows. */
#define RETL_NO_ROW				PG_UINT32_MAX

/* What it takes to find out that rows of a table stay as they are. */
typedef struct RetlUpsertCompare RetlUpsertCompare;

/* A table that rows go to: the one that the command names, or a partition. */
typedef struct RetlUpsertTarget
{
	Oid			relid;			/* key of the hash table */
	uint32		number;			/* counts them */
	ResultRelInfo *resultRelInfo;
	Relation	rel;
	AttrMap    *fromRoot;		/* of the proposed rows' columns; NULL: they are the same */

	/* to look rows up; NULL: this is not done */
	Relation	arbiter;
	IndexScanDesc scan;			/* NULL before the first batch */
	AttrNumber *keyColumns;		/* of proposed rows */
	SortSupport sortKeys;
	ScanKey		scanKeys;
	RetlUpsertCompare *compare; /* NULL: rows are handed on whatever they change */
	bool		endsBatch;		/* no row is read ahead of one that goes here */
	RetlTouchBatch touched;		/* rows of row groups that rows of the batch conflict with */
} RetlUpsertTarget;

/* A row that is proposed for insertion. */
typedef struct RetlUpsertRow
{
	MinimalTuple tuple;
	RetlUpsertTarget *target;
	uint32		found;			/* which of the target's touched rows it conflicts with, or
								 * RETL_NO_ROW */
	bool		isFound;		/* is there such a row at all? */
	bool		repeated;		/* the batch has another one with the same key */
	bool		stays;			/* the row that is there stays as it is: not to be
								 * handed on */
	bool		counts;			/* is it an update to the command? */
} RetlUpsertRow;

/* A row of a row group that may be in conflict with a proposed one. */
typedef struct RetlUpsertPlace
{
	uint64		rowNumber;
	uint32		index;			/* of the proposed row in the batch */
} RetlUpsertPlace;

/* State of the node. */
typedef struct RetlUpsertState
{
	CustomScanState css;
	TupleTableSlot *slot;		/* rows of the source, as they are handed on */
	bool		sourceDone;

	/* where rows go */
	ResultRelInfo *root;		/* of the table that the command names */
	Oid			arbiter;		/* its index */
	int			keyCount;
	HTAB	   *targets;		/* of RetlUpsertTarget, which stay where they are */
	uint32		targetCount;
	RetlUpsertTarget *lastTarget;
	bool		takesNumbers;	/* of sequences, to read the source? */
	bool		leavesRows;		/* may rows of any of them stay as they are? */
	struct ModifyTableState *routingState;	/* NULL: the table is not partitioned */
	struct PartitionTupleRouting *routing;

	/* the batch */
	MemoryContext batchContext;
	uint32		rowCount;
	uint32		rowCapacity;
	RetlUpsertRow *rows;		/* as they came from the source */
	uint32		nextRow;		/* to be handed on */

	/* while it is looked up */
	Datum	   *keys;			/* [rowCount * keyCount] */
	uint32		placeCount;		/* of one target */
	uint32		placeCapacity;
	RetlUpsertPlace *places;

	/* for EXPLAIN */
	uint64		batches;
	uint64		found;
	uint64		left;
} RetlUpsertState;

/* ---- upsert_plan.c ---- */

/* Called once at load time. */
extern void RetlInstallUpserts(void);

/* ---- upsert_exec.c ---- */

extern Node *RetlUpsertCreateState(CustomScan *plan);

/* ---- upsert_target.c ---- */

/* Begin to find targets, whose root ModifyTable has opened. */
extern void RetlUpsertBeginTargets(RetlUpsertState *state);

/* Where does a row of the source go?  An error if there is no partition for it. */
extern RetlUpsertTarget *RetlUpsertFindTarget(RetlUpsertState *state, TupleTableSlot *slot);

/* Close what was opened. */
extern void RetlUpsertEndTargets(RetlUpsertState *state);

/* ---- upsert_lookup.c ---- */

/* Find out what is there of the rows of the batch. */
extern void RetlUpsertLookUp(RetlUpsertState *state);

/* ---- upsert_compare.c ---- */

/*
 * Does a table do anything for each row that is inserted or updated?  Foreign keys
 * look at the rows when all is done.
 */
extern bool RetlUpsertHasRowTriggers(Relation rel);

/* NULL if it cannot be told beforehand what the command would do with rows of a table. */
extern RetlUpsertCompare *RetlUpsertCompareCreate(RetlUpsertState *state,
												  const RetlUpsertTarget *target);

extern void RetlUpsertCompareFree(RetlUpsertCompare *compare);

/*
 * Find those of proposed rows that would change nothing: rows[places[i].index], for
 * places of one group whose rows are there and changed by nobody.  These rows are
 * marked; when it is their turn they have to be passed.
 */
extern void RetlUpsertCompareRows(RetlUpsertCompare *compare, const RetlGroup *group,
								  RetlUpsertRow *rows, const RetlUpsertPlace *places, int count);

/*
 * The same for one proposed row and what the index has for its key: a row of the
 * row store, which may or may not be there.
 */
extern void RetlUpsertCompareStoreRow(RetlUpsertCompare *compare, const ItemPointerData *tid,
									  RetlUpsertRow *row);

/*
 * Instead of handing on a row that would change nothing: check it as the executor would,
 * and count it.
 */
extern void RetlUpsertPassRow(RetlUpsertCompare *compare, const RetlUpsertRow *row);

#endif							/* RETLDB_UPSERT_H */
