/*-------------------------------------------------------------------------
 *
 * row_free.c
 *	  Rows that are there and that nobody is changing.
 *
 * Commands that find out that they would change nothing leave such rows alone
 * (suppress_noop), and upserts expect to touch them.  Nothing is locked and nothing
 * is waited for: a row of which anything else is true is left to those who do.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/xact.h"
#include "storage/bufmgr.h"
#include "utils/rel.h"

#include "storage/stub_map.h"
#include "visibility/anchor.h"
#include "visibility/row_free.h"
#include "visibility/stub.h"

/*
 * See row_free.h.
 */
bool
RetlTupleIsFree(HeapTuple tuple, CommandId cid, Buffer buffer)
{
	TM_Result	result = HeapTupleSatisfiesUpdate(tuple, cid, buffer);
	uint16		infomask = tuple->t_data->t_infomask;

	if (result == TM_Ok)
		return true;
	return result == TM_BeingModified && (infomask & HEAP_XMAX_IS_MULTI) == 0 &&
		HEAP_XMAX_IS_LOCKED_ONLY(infomask) &&
		(HEAP_XMAX_IS_KEYSHR_LOCKED(infomask) ||
		 TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetRawXmax(tuple->t_data)));
}

/*
 * Is a row free that has, or had, a stub?
 */
static bool
StubIsFree(Relation rel, const RetlStubEntry *row, CommandId cid)
{
	Buffer		buffer;
	HeapTupleData tuple;
	bool		isFree;

	if (!RetlStubLock(rel, row, BUFFER_LOCK_SHARE, &buffer, &tuple))
		return false;
	isFree = RetlTupleIsFree(&tuple, cid, buffer);
	UnlockReleaseBuffer(buffer);
	return isFree;
}

/*
 * See row_free.h.
 */
void
RetlRowsFindFree(Relation rel, const RetlGroup *group, RetlStubEntry *rows, int count,
				 CommandId cid, bool *isFree)
{
	RetlAnchorLeaving leaving;
	RetlGroup	now = *group;
	RetlTouch  *touches;
	int			done = 0;

	memset(isFree, 0, sizeof(bool) * count);
	if (RetlAnchorSatisfiesUpdate(rel, &group->entry, cid, &leaving) != TM_Ok)
		return;
	/* compaction, whose end the anchor may have told us, has given it the map before */
	if (now.entry.stubMapRoot == RETLDB_NO_BLOCK && !RetlDirectoryReadStubMapRoot(rel, &now))
		return;
	touches = palloc(sizeof(RetlTouch) * Max(count, 1));
	while (done < count)
	{
		int			room;
		int			inLeaf = RetlStubMapLookupRows(rel, &now.entry, rows + done, touches,
												   count - done, &room);

		for (int i = 0; i < inLeaf; i++)
			isFree[done + i] = touches[i] == RETL_ROW_UNTOUCHED ||
				(touches[i] == RETL_ROW_HAS_STUB &&
				 StubIsFree(rel, &rows[done + i], cid));
		done += inLeaf;
	}
	pfree(touches);
}
