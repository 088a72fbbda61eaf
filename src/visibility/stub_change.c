/*-------------------------------------------------------------------------
 *
 * stub_change.c
 *	  Locking, deleting and updating rows that have stubs.
 *
 * These do to a stub what heap_delete, heap_update and heap_lock_tuple do to a
 * tuple, and log it in the same records.  heap_delete and heap_update themselves
 * cannot be used: they would look at the stub's columns, which it has not, for
 * the replica identity and for columns that change, and might put the new version
 * into a HOT chain behind the stub.
 *
 * Waiting is left to heap_lock_tuple.  Whoever finds that he has to wait locks the
 * stub by it first, as strongly as the change needs; afterwards nobody but
 * holders of FOR KEY SHARE can come between.  Their locks are carried over to the
 * new version, as heap_update does it.
 *
 * The page of the stub stays pinned from the moment it has been recognised, when
 * the page is locked for the first time, so the stub is not pruned away and its
 * place not used again.
 *
 * NextXmax, MultiHints and InfoBits follow compute_new_xmax_infomask,
 * GetMultiXactIdHintBits and compute_infobits of PostgreSQL's heapam.c, which
 * are static there.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/heapam_xlog.h"
#include "access/heaptoast.h"
#include "access/hio.h"
#include "access/multixact.h"
#include "access/transam.h"
#include "access/visibilitymap.h"
#include "access/xact.h"
#include "access/xloginsert.h"
#include "catalog/catalog.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/predicate.h"
#include "storage/procarray.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/compat.h"
#include "storage/page_alloc.h"
#include "visibility/row_fetch.h"
#include "visibility/stub.h"
#include "visibility/unseen_moves.h"

/* What becomes of t_xmax. */
typedef struct Xmax
{
	TransactionId xmax;
	uint16		infomask;
	uint16		infomask2;
} Xmax;

/* A change under way: what is locked and pinned. */
typedef struct Progress
{
	const RetlStubChange *change;
	LockTupleMode mode;
	Buffer		buffer;			/* of the stub; pinned throughout */
	Buffer		mapBuffer;		/* visibility map page of the stub's page */
	Buffer		newBuffer;		/* update: of the new version; may be the same */
	Buffer		newMapBuffer;
	HeapTupleData stub;
	bool		recognised;		/* the stub was there */
	bool		locked;			/* we hold a sufficient lock by heap_lock_tuple */
	bool		hadLock;		/* we had locked the row before */
} Progress;

/* ---------------------------------------------------------------------
 * From heapam.c
 * ---------------------------------------------------------------------
 */

/*
 * Infomask bits for a multixact as xmax.
 */
static void
MultiHints(MultiXactId multi, Xmax *result)
{
	MultiXactMember *members;
	int			count = GetMultiXactIdMembers(multi, &members, false, false);
	bool		hasUpdate = false;
	MultiXactStatus strongest = MultiXactStatusForKeyShare;

	result->xmax = multi;
	result->infomask = HEAP_XMAX_IS_MULTI;
	result->infomask2 = 0;
	for (int i = 0; i < count; i++)
	{
		MultiXactStatus status = members[i].status;

		if (ISUPDATE_from_mxstatus(status))
			hasUpdate = true;
		if (status == MultiXactStatusForUpdate || status == MultiXactStatusUpdate)
			result->infomask2 |= HEAP_KEYS_UPDATED;
		/* an update is as strong a lock as FOR UPDATE or FOR NO KEY UPDATE */
		if (status == MultiXactStatusUpdate)
			status = MultiXactStatusForUpdate;
		else if (status == MultiXactStatusNoKeyUpdate)
			status = MultiXactStatusForNoKeyUpdate;
		strongest = Max(strongest, status);
	}
	if (strongest == MultiXactStatusForUpdate || strongest == MultiXactStatusForNoKeyUpdate)
		result->infomask |= HEAP_XMAX_EXCL_LOCK;
	else if (strongest == MultiXactStatusForShare)
		result->infomask |= HEAP_XMAX_SHR_LOCK;
	else
		result->infomask |= HEAP_XMAX_KEYSHR_LOCK;
	if (!hasUpdate)
		result->infomask |= HEAP_XMAX_LOCK_ONLY;
	if (count > 0)
		pfree(members);
}

/*
 * The status in a multixact of a single locker that is in progress.
 */
static MultiXactStatus
LockerStatus(const HeapTupleHeaderData *stub)
{
	if (HEAP_XMAX_IS_KEYSHR_LOCKED(stub->t_infomask))
		return MultiXactStatusForKeyShare;
	if (HEAP_XMAX_IS_SHR_LOCKED(stub->t_infomask))
		return MultiXactStatusForShare;
	return (stub->t_infomask2 & HEAP_KEYS_UPDATED) != 0 ?
		MultiXactStatusForUpdate : MultiXactStatusForNoKeyUpdate;
}

/*
 * xmax of a stub that xid updates or deletes.  Other updaters have been waited
 * for and did not commit; lockers that do not conflict may be there.
 */
static void
NextXmax(const HeapTupleHeaderData *stub, TransactionId xid, LockTupleMode mode, Xmax *result)
{
	TransactionId xmax = HeapTupleHeaderGetRawXmax(stub);
	uint16		infomask = stub->t_infomask;
	MultiXactStatus status = mode == LockTupleExclusive ?
		MultiXactStatusUpdate : MultiXactStatusNoKeyUpdate;

	if ((infomask & HEAP_XMAX_INVALID) == 0 && !HEAP_LOCKED_UPGRADED(infomask))
	{
		if ((infomask & HEAP_XMAX_IS_MULTI) != 0)
		{
			/* without a member that runs or has updated it need not be kept */
			if (MultiXactIdIsRunning(xmax, HEAP_XMAX_IS_LOCKED_ONLY(infomask)))
			{
				MultiHints(MultiXactIdExpand((MultiXactId) xmax, xid, status), result);
				return;
			}
		}
		else if (HEAP_XMAX_IS_LOCKED_ONLY(infomask) && TransactionIdIsInProgress(xmax))
		{
			MultiXactStatus old = LockerStatus(stub);

			if (xmax != xid)
			{
				MultiHints(MultiXactIdCreate(xmax, old, xid, status), result);
				return;
			}
			/* of two locks of the same transaction the stronger one */
			if (old == MultiXactStatusForUpdate)
				mode = LockTupleExclusive;
		}
	}
	result->xmax = xid;
	result->infomask = 0;
	result->infomask2 = mode == LockTupleExclusive ? HEAP_KEYS_UPDATED : 0;
}

/*
 * The lockers of a multixact but for ourselves, as xmax.  Those that do not conflict with
 * an update only lock the key.
 */
static void
CarryOtherLockers(MultiXactId multi, Xmax *result)
{
	MultiXactMember *members;
	int			count = GetMultiXactIdMembers(multi, &members, false, false);
	int			others = 0;

	for (int i = 0; i < count; i++)
	{
		if (TransactionIdIsInProgress(members[i].xid) &&
			!TransactionIdIsCurrentTransactionId(members[i].xid))
			members[others++] = members[i];
	}
	if (others > 1)
		MultiHints(MultiXactIdCreateFromMembers(others, members), result);
	else if (others == 1)
	{
		result->xmax = members[0].xid;
		result->infomask = HEAP_XMAX_KEYSHR_LOCK | HEAP_XMAX_LOCK_ONLY;
	}
	if (count > 0)
		pfree(members);
}

/*
 * xmax of the new version of an updated row: lockers of the old one lock it, too.
 */
static void
CarryLockers(const HeapTupleHeaderData *stub, bool lockIsOurs, Xmax *result)
{
	TransactionId xmax = HeapTupleHeaderGetRawXmax(stub);

	result->xmax = InvalidTransactionId;
	result->infomask = HEAP_XMAX_INVALID;
	result->infomask2 = 0;
	if ((stub->t_infomask & HEAP_XMAX_INVALID) != 0 || HEAP_LOCKED_UPGRADED(stub->t_infomask) ||
		!TransactionIdIsValid(xmax))
		return;
	if ((stub->t_infomask & HEAP_XMAX_IS_MULTI) != 0)
	{
		/*
		 * A lock that was only taken in order to wait would look like one that is stronger
		 * than the others'.  Otherwise its members may all be gone; heap_update keeps it then,
		 * too.
		 */
		if (lockIsOurs)
			CarryOtherLockers((MultiXactId) xmax, result);
		else
			MultiHints((MultiXactId) xmax, result);
		return;
	}
	/* a lock that was only taken in order to wait */
	if (lockIsOurs && TransactionIdIsCurrentTransactionId(xmax))
		return;
	/* a locker that has ended meanwhile is none; the hint may not be set yet */
	if (!TransactionIdIsInProgress(xmax))
		return;
	result->xmax = xmax;
	result->infomask = HEAP_XMAX_KEYSHR_LOCK | HEAP_XMAX_LOCK_ONLY;
}

/*
 * Infomask bits in the form that WAL records have.
 */
static uint8
InfoBits(const HeapTupleHeaderData *tuple)
{
	return ((tuple->t_infomask & HEAP_XMAX_IS_MULTI) != 0 ? XLHL_XMAX_IS_MULTI : 0) |
		((tuple->t_infomask & HEAP_XMAX_LOCK_ONLY) != 0 ? XLHL_XMAX_LOCK_ONLY : 0) |
		((tuple->t_infomask & HEAP_XMAX_EXCL_LOCK) != 0 ? XLHL_XMAX_EXCL_LOCK : 0) |
		((tuple->t_infomask & HEAP_XMAX_KEYSHR_LOCK) != 0 ? XLHL_XMAX_KEYSHR_LOCK : 0) |
		((tuple->t_infomask2 & HEAP_KEYS_UPDATED) != 0 ? XLHL_KEYS_UPDATED : 0);
}

/* ---------------------------------------------------------------------
 * Getting hold of the stub
 * ---------------------------------------------------------------------
 */

/*
 * Say why a row could not be changed, from the state of its stub, which is
 * locked.
 */
static void
FillFailure(const Progress *progress, TM_Result result)
{
	TM_FailureData *tmfd = progress->change->tmfd;
	HeapTupleHeader header = progress->stub.t_data;

	tmfd->ctid = header->t_ctid;
	tmfd->xmax = HeapTupleHeaderGetUpdateXid(header);
	tmfd->cmax = result == TM_SelfModified ? HeapTupleHeaderGetCmax(header) : InvalidCommandId;
}

/*
 * To the outside a row's own TID is the place of its last version, not that of
 * its stub.
 */
static TM_Result
Failed(const RetlStubChange *change, TM_Result result)
{
	if (ItemPointerEquals(&change->tmfd->ctid, unconstify(ItemPointerData *, &change->stub)))
		change->tmfd->ctid = change->row;
	return result;
}

/*
 * The stub is not there, so the row is dead for everybody; or it is retired, and this
 * does not count.
 */
static TM_Result
StubIsGone(const RetlStubChange *change)
{
	change->tmfd->ctid = change->row;
	change->tmfd->xmax = InvalidTransactionId;
	change->tmfd->cmax = InvalidCommandId;
	return TM_Deleted;
}

/*
 * Pin the page of the stub.  False if it is gone.
 */
static bool
PinStub(Progress *progress, const RetlStubChange *change)
{
	BlockNumber block = ItemPointerGetBlockNumberNoCheck(&change->stub);

	memset(progress, 0, sizeof(*progress));
	progress->change = change;
	*change->seen = RETL_STUB_GONE;
	if (RetlStubPageIsCutOff(change->rel, block))
		return false;
	progress->buffer = ReadBuffer(change->rel, block);
	return true;
}

/*
 * Find the stub on its locked page.  While we pin the page nobody can prune or retire
 * it, so it is there if it was there before.
 */
static bool
FindStub(Progress *progress)
{
	const RetlStubChange *change = progress->change;
	RetlStubSeen seen = RetlStubFind(change->rel, progress->buffer,
									 ItemPointerGetOffsetNumberNoCheck(&change->stub),
									 change->number, &progress->stub);

	*change->seen = seen;
	if (seen == RETL_STUB_STANDS)
	{
		progress->recognised = true;
		return true;
	}
	if (progress->recognised)
		elog(ERROR, "a stub of table \"%s\" was removed while it was in use",
			 RelationGetRelationName(change->rel));
	return false;
}

/*
 * Lock the pages that the change needs, that of the stub and for an update one
 * with room for the new version, and find the stub.  False if it is gone.
 */
static bool
LockPages(Progress *progress, HeapTuple newTuple)
{
	Relation	rel = progress->change->rel;
	Page		page = BufferGetPage(progress->buffer);
	BlockNumber block = BufferGetBlockNumber(progress->buffer);

	for (;;)
	{
		if (PageIsAllVisible(page))
			visibilitymap_pin(rel, block, &progress->mapBuffer);
		if (newTuple == NULL)
			LockBuffer(progress->buffer, BUFFER_LOCK_EXCLUSIVE);
		else
			progress->newBuffer = RetlGetBufferForTuple(rel, newTuple->t_len, progress->buffer, 0,
														&progress->newMapBuffer,
														&progress->mapBuffer);
		if (!PageIsAllVisible(page) || visibilitymap_pin_ok(block, progress->mapBuffer))
			break;
		LockBuffer(progress->buffer, BUFFER_LOCK_UNLOCK);
		if (newTuple != NULL && progress->newBuffer != progress->buffer)
			UnlockReleaseBuffer(progress->newBuffer);
	}
	return FindStub(progress);
}

/*
 * Unlock the pages; the stub's stays pinned.
 */
static void
UnlockPages(Progress *progress)
{
	LockBuffer(progress->buffer, BUFFER_LOCK_UNLOCK);
	if (BufferIsValid(progress->newBuffer) && progress->newBuffer != progress->buffer)
		UnlockReleaseBuffer(progress->newBuffer);
	progress->newBuffer = InvalidBuffer;
}

/*
 * Let go of all pins.
 */
static void
ReleasePins(Progress *progress)
{
	ReleaseBuffer(progress->buffer);
	if (BufferIsValid(progress->mapBuffer))
		ReleaseBuffer(progress->mapBuffer);
	if (BufferIsValid(progress->newMapBuffer))
		ReleaseBuffer(progress->newMapBuffer);
}

/*
 * Lock the stub by heap_lock_tuple, and wait for whoever keeps us from it.
 */
static TM_Result
WaitForLock(Progress *progress, LockWaitPolicy policy, bool followUpdates)
{
	const RetlStubChange *change = progress->change;
	HeapTupleData tuple;
	Buffer		buffer;
	TM_Result	result;

	tuple.t_self = progress->stub.t_self;
	result = heap_lock_tuple(change->rel, &tuple, change->cid, progress->mode, policy,
							 followUpdates, &buffer, change->tmfd);
	ReleaseBuffer(buffer);
	return result;
}

/*
 * Is the only one who is at a stub, whose page is locked, a locker, and that ourselves?
 */
static bool
IsOnlyLockedByUs(const HeapTupleHeaderData *stub)
{
	return (stub->t_infomask & (HEAP_XMAX_INVALID | HEAP_XMAX_IS_MULTI)) == 0 &&
		HEAP_XMAX_IS_LOCKED_ONLY(stub->t_infomask) &&
		TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetRawXmax(stub));
}

/*
 * May the stub, whose page is locked, be changed right away?  TM_BeingModified if
 * somebody has to be waited for, or a lock to be taken.
 */
static TM_Result
TryStub(const Progress *progress)
{
	const RetlStubChange *change = progress->change;
	HeapTuple	stub = unconstify(HeapTupleData *, &progress->stub);
	TM_Result	result = HeapTupleSatisfiesUpdate(stub, change->cid, progress->buffer);

	if (result == TM_BeingModified)
	{
		/* our lock is there */
		if (progress->locked || IsOnlyLockedByUs(stub->t_data))
			result = TM_Ok;
	}
	if (result == TM_Ok && change->crosscheck != InvalidSnapshot &&
		!HeapTupleSatisfiesVisibility(stub, change->crosscheck, progress->buffer))
		result = TM_Updated;
	return result;
}

/*
 * Get hold of the stub for a change.  On TM_Ok the pages are locked, else
 * everything has been released.
 */
static TM_Result
AcquireStub(Progress *progress, HeapTuple newTuple)
{
	const RetlStubChange *change = progress->change;
	TM_Result	result;

	for (;;)
	{
		if (!LockPages(progress, newTuple))
		{
			UnlockPages(progress);
			result = StubIsGone(change);
			break;
		}
		result = TryStub(progress);
		if (result == TM_Ok)
			return TM_Ok;
		if (result != TM_BeingModified || !change->wait)
		{
			FillFailure(progress, result);
			UnlockPages(progress);
			break;
		}
		UnlockPages(progress);
		result = WaitForLock(progress, LockWaitBlock, false);
		if (result != TM_Ok)
			break;
		progress->locked = true;
	}
	ReleasePins(progress);
	return Failed(change, result);
}

/* ---------------------------------------------------------------------
 * Changing it
 * ---------------------------------------------------------------------
 */

/*
 * Write the new xmax to the stub.
 */
static void
MarkStub(HeapTuple stub, const Xmax *xmax, CommandId cid)
{
	HeapTupleHeader header = stub->t_data;

	header->t_infomask &= ~(HEAP_XMAX_BITS | HEAP_MOVED);
	header->t_infomask2 &= ~HEAP_KEYS_UPDATED;
	header->t_infomask |= xmax->infomask;
	header->t_infomask2 |= xmax->infomask2;
	HeapTupleHeaderClearHotUpdated(header);
	HeapTupleHeaderSetXmax(header, xmax->xmax);
	/* the inserter is frozen, so there never is a combo command id */
	HeapTupleHeaderSetCmax(header, cid, false);
	header->t_ctid = stub->t_self;
}

/*
 * A page has no longer only rows that everybody sees.  True if it had.
 */
static bool
ClearVisible(Relation rel, Buffer buffer, Buffer mapBuffer)
{
	if (!PageIsAllVisible(BufferGetPage(buffer)))
		return false;
	RetlPageClearAllVisible(rel, buffer, mapBuffer);
	return true;
}

/*
 * Register the replica identity of the old row with the WAL record.
 */
static void
RegisterOldKey(HeapTuple oldKey, xl_heap_header *header)
{
	if (oldKey == NULL)
		return;
	header->t_infomask2 = oldKey->t_data->t_infomask2;
	header->t_infomask = oldKey->t_data->t_infomask;
	header->t_hoff = oldKey->t_data->t_hoff;
	XLogRegisterData((char *) header, SizeOfHeapHeader);
	XLogRegisterData((char *) oldKey->t_data + SizeofHeapTupleHeader,
					 oldKey->t_len - SizeofHeapTupleHeader);
}

/*
 * Log a deletion, as heap_delete.
 */
static void
LogDelete(const Progress *progress, bool clearedVisible, bool changingPart)
{
	const RetlStubChange *change = progress->change;
	HeapTupleHeader header = progress->stub.t_data;
	xl_heap_delete xlrec;
	xl_heap_header keyHeader;
	XLogRecPtr	lsn;

	xlrec.flags = 0;
	if (clearedVisible)
		xlrec.flags |= XLH_DELETE_ALL_VISIBLE_CLEARED;
	if (changingPart)
		xlrec.flags |= XLH_DELETE_IS_PARTITION_MOVE;
	if (change->oldKey != NULL)
		xlrec.flags |= change->rel->rd_rel->relreplident == REPLICA_IDENTITY_FULL ?
			XLH_DELETE_CONTAINS_OLD_TUPLE : XLH_DELETE_CONTAINS_OLD_KEY;
	xlrec.infobits_set = InfoBits(header);
	xlrec.offnum = ItemPointerGetOffsetNumber(&progress->stub.t_self);
	xlrec.xmax = HeapTupleHeaderGetRawXmax(header);

	XLogBeginInsert();
	XLogRegisterData((char *) &xlrec, SizeOfHeapDelete);
	XLogRegisterBuffer(0, progress->buffer, REGBUF_STANDARD);
	RegisterOldKey(change->oldKey, &keyHeader);
	XLogSetRecordFlags(XLOG_INCLUDE_ORIGIN);
	lsn = XLogInsert(RM_HEAP_ID, XLOG_HEAP_DELETE);
	PageSetLSN(BufferGetPage(progress->buffer), lsn);
}

/*
 * Delete a row that has a stub.
 */
TM_Result
RetlStubDelete(const RetlStubChange *change, bool changingPart)
{
	Relation	rel = change->rel;
	ItemPointerData row = change->row;
	TransactionId xid = GetCurrentTransactionId();
	Progress	progress;
	Xmax		xmax;
	bool		clearedVisible;
	TM_Result	result;

	if (!PinStub(&progress, change))
		return StubIsGone(change);
	progress.mode = LockTupleExclusive;
	result = AcquireStub(&progress, NULL);
	if (result != TM_Ok)
		return result;

	CheckForSerializableConflictIn(rel, &row, ItemPointerGetBlockNumber(&row));
	MultiXactIdSetOldestMember();
	NextXmax(progress.stub.t_data, xid, LockTupleExclusive, &xmax);

	START_CRIT_SECTION();
	PageSetPrunable(BufferGetPage(progress.buffer), xid);
	clearedVisible = ClearVisible(rel, progress.buffer, progress.mapBuffer);
	MarkStub(&progress.stub, &xmax, change->cid);
	if (changingPart)
		HeapTupleHeaderSetMovedPartitions(progress.stub.t_data);
	MarkBufferDirty(progress.buffer);
	if (RelationNeedsWAL(rel))
		LogDelete(&progress, clearedVisible, changingPart);
	END_CRIT_SECTION();

	UnlockPages(&progress);
	ReleasePins(&progress);
	pgstat_count_heap_delete(rel);
	RetlNoteChange();
	return TM_Ok;
}

/*
 * Log an update, as log_heap_update.
 */
static void
LogUpdate(const Progress *progress, HeapTuple newTuple, bool clearedOld, bool clearedNew)
{
	const RetlStubChange *change = progress->change;
	HeapTupleHeader old = progress->stub.t_data;
	Page		newPage = BufferGetPage(progress->newBuffer);
	bool		logical = RelationIsLogicallyLogged(change->rel);
	bool		init = ItemPointerGetOffsetNumber(&newTuple->t_self) == FirstOffsetNumber &&
		PageGetMaxOffsetNumber(newPage) == FirstOffsetNumber;
	xl_heap_update xlrec;
	xl_heap_header header;
	xl_heap_header keyHeader;
	XLogRecPtr	lsn;

	xlrec.flags = 0;
	if (clearedOld)
		xlrec.flags |= XLH_UPDATE_OLD_ALL_VISIBLE_CLEARED;
	if (clearedNew)
		xlrec.flags |= XLH_UPDATE_NEW_ALL_VISIBLE_CLEARED;
	if (logical)
		xlrec.flags |= XLH_UPDATE_CONTAINS_NEW_TUPLE;
	if (change->oldKey != NULL)
		xlrec.flags |= change->rel->rd_rel->relreplident == REPLICA_IDENTITY_FULL ?
			XLH_UPDATE_CONTAINS_OLD_TUPLE : XLH_UPDATE_CONTAINS_OLD_KEY;
	xlrec.old_offnum = ItemPointerGetOffsetNumber(&progress->stub.t_self);
	xlrec.old_xmax = HeapTupleHeaderGetRawXmax(old);
	xlrec.old_infobits_set = InfoBits(old);
	xlrec.new_offnum = ItemPointerGetOffsetNumber(&newTuple->t_self);
	xlrec.new_xmax = HeapTupleHeaderGetRawXmax(newTuple->t_data);

	XLogBeginInsert();
	XLogRegisterBuffer(0, progress->newBuffer,
					   REGBUF_STANDARD | (init ? REGBUF_WILL_INIT : 0) |
					   (logical ? REGBUF_KEEP_DATA : 0));
	if (progress->newBuffer != progress->buffer)
		XLogRegisterBuffer(1, progress->buffer, REGBUF_STANDARD);
	XLogRegisterData((char *) &xlrec, SizeOfHeapUpdate);

	header.t_infomask2 = newTuple->t_data->t_infomask2;
	header.t_infomask = newTuple->t_data->t_infomask;
	header.t_hoff = newTuple->t_data->t_hoff;
	XLogRegisterBufData(0, (char *) &header, SizeOfHeapHeader);
	XLogRegisterBufData(0, (char *) newTuple->t_data + SizeofHeapTupleHeader,
						newTuple->t_len - SizeofHeapTupleHeader);
	RegisterOldKey(change->oldKey, &keyHeader);

	XLogSetRecordFlags(XLOG_INCLUDE_ORIGIN);
	lsn = XLogInsert(RM_HEAP_ID, XLOG_HEAP_UPDATE | (init ? XLOG_HEAP_INIT_PAGE : 0));
	if (progress->newBuffer != progress->buffer)
		PageSetLSN(BufferGetPage(progress->buffer), lsn);
	PageSetLSN(newPage, lsn);
}

/*
 * Give a new version its inserter; lockers come later.
 */
static void
InitNewTuple(HeapTuple tuple, TransactionId xid, CommandId cid)
{
	tuple->t_data->t_infomask &= ~HEAP_XACT_MASK;
	tuple->t_data->t_infomask2 &= ~HEAP2_XACT_MASK;
	tuple->t_data->t_infomask |= HEAP_UPDATED | HEAP_XMAX_INVALID;
	HeapTupleHeaderSetXmin(tuple->t_data, xid);
	HeapTupleHeaderSetCmin(tuple->t_data, cid);
	HeapTupleHeaderSetXmax(tuple->t_data, InvalidTransactionId);
	HeapTupleClearHeapOnly(tuple);
	HeapTupleClearHotUpdated(tuple);
}

/*
 * Must values of the new version go out of line?
 */
static bool
NeedsToast(Relation rel, HeapTuple tuple)
{
	return (rel->rd_rel->relkind == RELKIND_RELATION || rel->rd_rel->relkind == RELKIND_MATVIEW) &&
		(HeapTupleHasExternal(tuple) || tuple->t_len > TOAST_TUPLE_THRESHOLD);
}

/*
 * Make the change on the locked pages.
 */
static void
PerformUpdate(Progress *progress, HeapTuple tuple, TransactionId xid)
{
	const RetlStubChange *change = progress->change;
	Relation	rel = change->rel;
	Xmax		xmax;
	Xmax		newXmax;
	bool		clearedOld;
	bool		clearedNew = false;

	NextXmax(progress->stub.t_data, xid, progress->mode, &xmax);
	CarryLockers(progress->stub.t_data, progress->locked && !progress->hadLock, &newXmax);
	tuple->t_data->t_infomask &= ~HEAP_XMAX_INVALID;
	tuple->t_data->t_infomask |= newXmax.infomask;
	tuple->t_data->t_infomask2 |= newXmax.infomask2;
	HeapTupleHeaderSetXmax(tuple->t_data, newXmax.xmax);

	START_CRIT_SECTION();
	PageSetPrunable(BufferGetPage(progress->buffer), xid);
	if (progress->newBuffer != progress->buffer)
		PageSetPrunable(BufferGetPage(progress->newBuffer), xid);
	RelationPutHeapTuple(rel, progress->newBuffer, tuple, false);
	MarkStub(&progress->stub, &xmax, change->cid);
	progress->stub.t_data->t_ctid = tuple->t_self;
	clearedOld = ClearVisible(rel, progress->buffer, progress->mapBuffer);
	if (progress->newBuffer != progress->buffer)
	{
		clearedNew = ClearVisible(rel, progress->newBuffer, progress->newMapBuffer);
		MarkBufferDirty(progress->newBuffer);
	}
	MarkBufferDirty(progress->buffer);
	if (RelationNeedsWAL(rel))
		LogUpdate(progress, tuple, clearedOld, clearedNew);
	END_CRIT_SECTION();
}

/*
 * The row that is returned has the xmax of the one with values out of line.
 */
static void
SetXmax(HeapTuple tuple, const HeapTupleHeaderData *from)
{
	tuple->t_data->t_infomask &= ~HEAP_XMAX_BITS;
	tuple->t_data->t_infomask |= from->t_infomask & HEAP_XMAX_BITS;
	tuple->t_data->t_infomask2 |= from->t_infomask2 & HEAP_KEYS_UPDATED;
	HeapTupleHeaderSetXmax(tuple->t_data, HeapTupleHeaderGetRawXmax(from));
}

/*
 * Update a row that has a stub.
 */
TM_Result
RetlStubUpdate(const RetlStubChange *change, HeapTuple newTuple, LockTupleMode mode)
{
	Relation	rel = change->rel;
	ItemPointerData row = change->row;
	TransactionId xid = GetCurrentTransactionId();
	Progress	progress;
	HeapTuple	tuple = newTuple;
	TM_Result	result;

	if (!PinStub(&progress, change))
		return StubIsGone(change);
	progress.mode = mode;
	InitNewTuple(newTuple, xid, change->cid);

	if (NeedsToast(rel, newTuple))
	{
		/* what goes out of line must not be for nothing: lock the row first */
		result = AcquireStub(&progress, NULL);
		if (result != TM_Ok)
			return result;
		progress.hadLock = !progress.locked && IsOnlyLockedByUs(progress.stub.t_data);
		UnlockPages(&progress);
		if (!progress.locked)
		{
			result = WaitForLock(&progress, LockWaitBlock, false);
			if (result != TM_Ok)
			{
				ReleasePins(&progress);
				return Failed(change, result);
			}
			progress.locked = true;
		}
		tuple = heap_toast_insert_or_update(rel, newTuple, NULL, 0);
	}

	result = AcquireStub(&progress, tuple);
	if (result != TM_Ok)
		return result;
	CheckForSerializableConflictIn(rel, &row, ItemPointerGetBlockNumber(&row));
	MultiXactIdSetOldestMember();
	PerformUpdate(&progress, tuple, xid);
	UnlockPages(&progress);
	ReleasePins(&progress);
	RetlCountHeapUpdate(rel);
	RetlNoteChange();

	newTuple->t_self = tuple->t_self;
	if (tuple != newTuple)
	{
		SetXmax(newTuple, tuple->t_data);
		heap_freetuple(tuple);
	}
	return TM_Ok;
}

/*
 * Lock a row that has a stub.
 */
TM_Result
RetlStubLockRow(const RetlStubChange *change, LockTupleMode mode, LockWaitPolicy waitPolicy,
				bool followUpdates)
{
	Progress	progress;
	bool		found;
	TM_Result	result;

	if (!PinStub(&progress, change))
		return StubIsGone(change);
	progress.mode = mode;
	LockBuffer(progress.buffer, BUFFER_LOCK_SHARE);
	found = FindStub(&progress);
	LockBuffer(progress.buffer, BUFFER_LOCK_UNLOCK);
	result = found ? WaitForLock(&progress, waitPolicy, followUpdates) : StubIsGone(change);
	ReleasePins(&progress);
	if (result == TM_Ok)
		return TM_Ok;
	return Failed(change, result);
}
