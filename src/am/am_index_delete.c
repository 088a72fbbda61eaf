/*-------------------------------------------------------------------------
 *
 * am_index_delete.c
 *	  Table access method: which entries of an index page may be deleted.
 *
 * Index methods ask when a page is about to be split.  Entries of rows of the row
 * store are left to heap; those of rows of row groups are decided here, by anchor,
 * map and stub.  The index page is locked meanwhile, so nothing is written.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/tableam.h"
#include "access/transam.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "am/retldb_am.h"
#include "visibility/row_dead.h"
#include "visibility/row_fetch.h"

/* So many rows are looked at in vain before bottom-up deletion is given up. */
#define MAX_FRUITLESS		100

/*
 * Take the entries of rows of row groups out of the operation; what is left is
 * heap's.  Returns them, palloc'd.
 */
static TM_IndexDelete *
TakeColumnar(TM_IndexDeleteOp *op, int *count)
{
	TM_IndexDelete *columnar = palloc(sizeof(TM_IndexDelete) * op->ndeltids);
	int			kept = 0;

	*count = 0;
	for (int i = 0; i < op->ndeltids; i++)
	{
		if (RetlTidIsColumnar(&op->deltids[i].tid))
			columnar[(*count)++] = op->deltids[i];
		else
			op->deltids[kept++] = op->deltids[i];
	}
	op->ndeltids = kept;
	return columnar;
}

/*
 * Is there an entry that the index knows to be deletable?
 */
static bool
KnowsDeletable(const TM_IndexDeleteOp *op)
{
	for (int i = 0; i < op->ndeltids; i++)
	{
		if (op->status[op->deltids[i].id].knowndeletable)
			return true;
	}
	return false;
}

/*
 * Let heap decide on the entries of rows of the row store.  It counts on finding
 * one, unless it is asked to try.
 */
static TransactionId
DeleteFromRowStore(Relation rel, TM_IndexDeleteOp *op)
{
	if (op->ndeltids > 0 && (op->bottomup || KnowsDeletable(op)))
		return heap_index_delete_tuples(rel, op);
	op->ndeltids = 0;
	return InvalidTransactionId;
}

/*
 * Look up the rows of the first entries, as many as are looked up together.
 */
static void
LookUpRows(Relation rel, const TM_IndexDeleteOp *op, TM_IndexDelete *columnar, int count,
		   RetlDeadRows *rows, Snapshot nonVacuumable, TransactionId *horizon)
{
	rows->count = Min(count, RETLDB_DEAD_ROWS);
	for (int i = 0; i < rows->count; i++)
	{
		rows->rowNumbers[i] = RetlTidGetRowNumber(&columnar[i].tid);
		rows->known[i] = op->status[columnar[i].id].knowndeletable;
	}
	RetlDeadRowsLookUp(rows, rel, nonVacuumable, horizon);
}

/*
 * Decide on the entries of rows of row groups, in the order of the index: each one
 * looks at anchor, map and stub.  Returns how many of them are to be handed back,
 * the last one being deletable.
 */
static int
DeleteColumnar(Relation rel, const TM_IndexDeleteOp *op, TM_IndexDelete *columnar, int count,
			   TransactionId *horizon)
{
	SnapshotData nonVacuumable;
	RetlDeadRows rows;
	int			freed = 0;
	int			fruitless = 0;
	int			result = 0;

	InitNonVacuumableSnapshot(nonVacuumable, GlobalVisTestFor(rel));
	for (int i = 0; i < count; i++)
	{
		TM_IndexStatus *status = &op->status[columnar[i].id];
		int			index = i % RETLDB_DEAD_ROWS;
		bool		dead;

		if (index == 0)
			LookUpRows(rel, op, columnar + i, count - i, &rows, &nonVacuumable, horizon);
		dead = RetlDeadRowsIsDead(&rows, index, rel, &nonVacuumable, horizon);
		if (dead && !status->knowndeletable)
		{
			freed += status->freespace;
			status->knowndeletable = true;
			fruitless = 0;
		}
		else if (!dead)
			fruitless++;
		if (status->knowndeletable)
			result = i + 1;
		if (op->bottomup && (freed >= op->bottomupfreespace || fruitless >= MAX_FRUITLESS))
			break;
	}
	return result;
}

/*
 * Which of these index entries may be deleted?  Returns the horizon for conflicts
 * with queries on standbys.
 */
TransactionId
retldb_index_delete_tuples(Relation rel, TM_IndexDeleteOp *delstate)
{
	int			count;
	TM_IndexDelete *columnar = TakeColumnar(delstate, &count);
	TransactionId horizon = DeleteFromRowStore(rel, delstate);
	TransactionId columnarHorizon = InvalidTransactionId;

	count = DeleteColumnar(rel, delstate, columnar, count, &columnarHorizon);
	memcpy(delstate->deltids + delstate->ndeltids, columnar, sizeof(TM_IndexDelete) * count);
	delstate->ndeltids += count;
	pfree(columnar);
	if (!TransactionIdIsValid(horizon) ||
		(TransactionIdIsValid(columnarHorizon) && TransactionIdFollows(columnarHorizon, horizon)))
		horizon = columnarHorizon;
	return horizon;
}
