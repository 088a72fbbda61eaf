/*-------------------------------------------------------------------------
 *
 * touch.h
 *	  Touching rows of row groups: making their stubs.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_TOUCH_H
#define RETLDB_TOUCH_H

#include "postgres.h"

#include "storage/itemptr.h"
#include "utils/relcache.h"

#include "base/compat.h"
#include "storage/stub_map.h"
#include "vector/selection.h"

/* How many rows are touched at once, as learnt from how that went. */
typedef struct RetlTouchPace
{
	uint32		ahead;			/* rows to be touched at once; 0 at the beginning */
	uint32		used;			/* rows touched since they were last made at once */
	uint32		passed;			/* rows handed out since then, those included */
} RetlTouchPace;

/* A row of a row group that a command is expected to touch. */
typedef struct RetlExpectedRow
{
	uint64		rowNumber;
	uint64		stubNumber;		/* that its stub carries */
	ItemPointerData stub;
	bool		isKnown;		/* are these two? */
} RetlExpectedRow;

/*
 * Rows of a table that a command is expected to touch, in whatever order.  It has found
 * that it may touch rows of their groups.  The memory is the caller's, and zeroed at
 * first; the pace may be taken along from one batch to the next.
 */
typedef struct RetlTouchBatch
{
	Oid			relid;
	RetlFileLocator locator;
	CommandId	cid;
	uint32		rowCount;
	RetlExpectedRow *rows;		/* rising */
	RetlTouchPace pace;
	uint32		current;		/* the row that is handed out */
	bool		isTouched;		/* has it been touched? */
} RetlTouchBatch;

/*
 * Make sure that a row has a stub or is known to be dead; the caller has found
 * that this command may touch rows of the group.  RETL_ROW_UNTOUCHED: it has none,
 * and the group is being taken away, or was, so it will have none here.
 */
extern RetlTouch RetlTouchRow(Relation rel, RetlGroup *group, uint32 row, CommandId cid,
							  RetlStubEntry *stub);

/*
 * A row of a group that only the current transaction sees is not to be there for
 * anybody.
 */
extern void RetlRowSetDead(Relation rel, RetlGroup *group, uint32 row);

/*
 * Is it known already that this command may touch the row, and where its stub is?
 * Not for commands with a snapshot to cross-check.
 */
extern bool RetlTouchIsKnown(Relation rel, ItemPointer tid, CommandId cid,
							 RetlStubEntry *stub);

/* Where is the stub of a row that is handed out, if that is known? */
extern bool RetlTouchKnowsStub(Relation rel, uint64 rowNumber, RetlStubEntry *stub);

/*
 * The stub of a row was found retired: where it is, if it has another, is to be found
 * out again.
 */
extern void RetlTouchForgetStub(Relation rel, uint64 rowNumber);

/* Is this one of the rows that a scan which is still under way hands out? */
extern bool RetlTouchWasHandedOut(Relation rel, uint64 rowNumber);

/*
 * A scan turns to a vector of a group, which begins at its row firstRow, and will
 * hand out the given rows of it, from nextRow (of the vector) on, to a command
 * that will touch most of them.  A hint only: nothing depends on its being so.
 */
extern void RetlTouchExpect(Relation rel, const RetlGroupEntry *entry, uint32 firstRow,
							uint32 nextRow, const RetlSelection *rows);

/*
 * A row of a batch is handed out.  The batch must stay where it is until another row is
 * handed out or everything is forgotten.  A hint only, too.
 */
extern void RetlTouchExpectRow(RetlTouchBatch *batch, uint32 index);

/*
 * Forget what is known: when scans end, at the end of transactions and
 * subtransactions, and before a file begins anew.
 */
extern void RetlTouchForget(void);

#endif							/* RETLDB_TOUCH_H */
