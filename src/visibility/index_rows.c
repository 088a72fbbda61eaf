/*-------------------------------------------------------------------------
 *
 * index_rows.c
 *	  Rows of a row group as CREATE INDEX sees them.
 *
 * What heap's index_build_range_scan decides for each tuple is decided here for
 * a group at once, from the states of its anchor and its stubs.  There are no HOT
 * chains: the new version of a row is in the row store, with entries of its own.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/xact.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "utils/rel.h"

#include "visibility/anchor.h"
#include "visibility/index_rows.h"
#include "visibility/row_fetch.h"

/* Make one, for the arguments that RetlIndexRows explains. */
RetlIndexRows *
RetlIndexRowsCreate(TransactionId oldestXmin, bool wait)
{
	RetlIndexRows *rows = palloc0(sizeof(RetlIndexRows));

	rows->oldestXmin = oldestXmin;
	rows->wait = wait;
	RetlHiddenRowsInit(&rows->dead, CurrentMemoryContext);
	RetlHiddenRowsInit(&rows->notAlive, CurrentMemoryContext);
	return rows;
}

/* See index_rows.h. */
bool
RetlIndexChangeIsOwn(Relation rel, TransactionId xid, const char *what)
{
	if (TransactionIdIsCurrentTransactionId(xid))
		return true;
	elog(WARNING, "concurrent %s in progress within table \"%s\"", what,
		 RelationGetRelationName(rel));
	return false;
}

/*
 * Somebody is inserting or deleting a row.  True if we have waited for their end,
 * so that the states are to be asked for again.
 */
static bool
WaitedFor(const RetlIndexRows *rows, Relation rel, TransactionId xid, uint64 rowNumber,
		  const char *what)
{
	ItemPointerData tid;

	if (RetlIndexChangeIsOwn(rel, xid, what) || !rows->wait)
		return false;
	RetlTidFromRowNumber(&tid, rowNumber);
	XactLockTableWait(xid, rel, &tid, XLTW_InsertIndexUnique);
	CHECK_FOR_INTERRUPTS();
	return true;
}

/*
 * The state of a touched row, and who is deleting it.
 */
static HTSV_Result
TouchedRowState(const RetlIndexRows *rows, Relation rel, const RetlStubEntry *stub,
				TransactionId *xid)
{
	Buffer		buffer;
	HeapTupleData tuple;
	HTSV_Result state;
	RetlStubSeen seen = stub->dead ? RETL_STUB_GONE :
		RetlStubLook(rel, stub, BUFFER_LOCK_SHARE, &buffer, &tuple);

	*xid = InvalidTransactionId;
	if (seen != RETL_STUB_STANDS)
		return seen == RETL_STUB_GONE ? HEAPTUPLE_DEAD : HEAPTUPLE_LIVE;
	state = HeapTupleSatisfiesVacuum(&tuple, rows->oldestXmin, buffer);
	if (state == HEAPTUPLE_DELETE_IN_PROGRESS)
		*xid = HeapTupleHeaderGetUpdateXid(tuple.t_data);
	UnlockReleaseBuffer(buffer);
	return state;
}

/*
 * Sort the touched rows of a group out.  False if we had to wait.
 */
static bool
ReadTouchedRows(RetlIndexRows *rows, Relation rel, const RetlGroupEntry *entry,
				const RetlStubEntry *stubs, int count)
{
	RetlHiddenRowsClear(&rows->dead, entry);
	RetlHiddenRowsClear(&rows->notAlive, entry);
	for (int i = 0; i < count; i++)
	{
		TransactionId xid;
		HTSV_Result state = TouchedRowState(rows, rel, &stubs[i], &xid);

		CHECK_FOR_INTERRUPTS();
		if (state == HEAPTUPLE_DEAD)
			RetlHiddenRowsAdd(&rows->dead, stubs[i].row);
		else if (state != HEAPTUPLE_LIVE)
			RetlHiddenRowsAdd(&rows->notAlive, stubs[i].row);
		if (TransactionIdIsValid(xid) &&
			WaitedFor(rows, rel, xid, entry->rowBase + stubs[i].row, "delete"))
			return false;
	}
	return true;
}

/*
 * The state of a group itself, when nobody has to be waited for any more.
 */
static HTSV_Result
GroupState(const RetlIndexRows *rows, Relation rel, const RetlGroupEntry *entry)
{
	for (;;)
	{
		TransactionId xid;
		HTSV_Result state = RetlAnchorStateAndXid(rel, entry, rows->oldestXmin, &xid);

		if (!TransactionIdIsValid(xid) ||
			!WaitedFor(rows, rel, xid, entry->rowBase,
					   state == HEAPTUPLE_INSERT_IN_PROGRESS ? "insert" : "delete"))
			return state;
	}
}

/*
 * Find the rows of a group.  Rows that are untouched in the entry that we have
 * may have been locked meanwhile, which means nothing here.
 */
bool
RetlIndexRowsRead(RetlIndexRows *rows, Relation rel, const RetlGroupEntry *entry)
{
	HTSV_Result state = GroupState(rows, rel, entry);
	int			count;
	RetlStubEntry *stubs;

	rows->dead.count = rows->notAlive.count = 0;
	if (state == HEAPTUPLE_DEAD)
		return false;
	rows->noneAlive = state == HEAPTUPLE_RECENTLY_DEAD || state == HEAPTUPLE_DELETE_IN_PROGRESS;
	stubs = RetlStubMapRead(rel, entry, &count);
	while (count > 0 && !ReadTouchedRows(rows, rel, entry, stubs, count))
		continue;
	if (stubs != NULL)
		pfree(stubs);
	return rows->dead.count < entry->rowCount;
}
