/*-------------------------------------------------------------------------
 *
 * am_modify.c
 *	  Table access method: deleting, updating and locking rows.
 *
 * Rows of the row store are heap's.  A row of a row group is changed or locked
 * through its stub (visibility/stub.h), which is made when that first happens.
 * The stub knows nothing of who inserted the row; so the group's anchor is asked
 * first whether the row may be touched at all.
 *
 * A new version of a row always goes to the row store, and the stub's t_ctid
 * leads to it, so from there on chains of versions are heap's.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/sysattr.h"
#include "access/transam.h"
#include "access/xact.h"
#include "catalog/catalog.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "storage/procarray.h"
#include "utils/datum.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "am/retldb_am.h"
#include "am/slot.h"
#include "am/write_buffer.h"
#include "base/compat.h"
#include "visibility/anchor.h"
#include "visibility/row_fetch.h"
#include "visibility/stub.h"
#include "visibility/touch.h"

/* ---------------------------------------------------------------------
 * Touching rows of row groups
 * ---------------------------------------------------------------------
 */

/*
 * Set the failure data of a row that is there for nobody.
 */
static TM_Result
RowIsDead(ItemPointer tid, TM_FailureData *tmfd)
{
	tmfd->ctid = *tid;
	tmfd->xmax = InvalidTransactionId;
	tmfd->cmax = InvalidCommandId;
	return TM_Deleted;
}

/*
 * A row has been moved by a transaction that we do not see.
 */
static void
ReportMoved(Relation rel)
{
	ereport(ERROR,
			(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
			 errmsg("could not serialize access due to concurrent rewriting of rows of table \"%s\"",
					RelationGetRelationName(rel))));
}

/*
 * A row of the row store that compaction has moved looks as if it was deleted.
 * Most commands lock the table before they take their snapshot, and so find it in
 * its new place; but COPY of a query, EXPLAIN of a prepared command and cursors
 * do not, and must not pass over it.
 */
static TM_Result
UnlessMoved(Relation rel, TM_Result result, const TM_FailureData *tmfd)
{
	if (result == TM_Deleted && !IsolationUsesXactSnapshot() && RetlRowWasMovedBy(rel, tmfd->xmax))
		ReportMoved(rel);
	return result;
}

/*
 * Get ready to change or lock a row of a row group: see that its group may be
 * touched by this command, and that the row has a stub.  On TM_Ok the place of
 * the stub is in change->stub.
 *
 * A group that is being removed, or was, has been rewritten under a lock that
 * keeps writers out; only a transaction whose snapshot is older can get here.
 */
static TM_Result
TouchRow(RetlStubChange *change)
{
	Relation	rel = change->rel;
	RetlGroup	group;
	uint32		row;
	TM_Result	result;

	if (IsInParallelMode())
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TRANSACTION_STATE),
				 errmsg("cannot change or lock rows during a parallel operation")));
	RetlWriteFlushForRead(rel);
	if (change->crosscheck == InvalidSnapshot &&
		RetlTouchIsKnown(rel, &change->row, change->cid, &change->stub))
		return TM_Ok;
	if (!RetlFindRowGroup(rel, &change->row, &group, &row))
		result = TM_Deleted;
	else
		result = RetlAnchorSatisfiesUpdate(rel, &group.entry, change->cid);

	switch (result)
	{
		case TM_Ok:
			break;
		case TM_Invisible:
			return TM_Invisible;
		default:
			ReportMoved(rel);
	}
	if (change->crosscheck != InvalidSnapshot &&
		!RetlAnchorIsVisible(rel, &group.entry, change->crosscheck, NULL))
	{
		(void) RowIsDead(&change->row, change->tmfd);
		return TM_Updated;
	}
	if (RetlTouchRow(rel, &group, row, change->cid, &change->stub) == RETL_ROW_DEAD)
		return RowIsDead(&change->row, change->tmfd);
	return TM_Ok;
}

/*
 * A change of a row that the command cannot even see.
 */
static void
ReportInvisible(const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("attempted to %s invisible tuple", what)));
}

/*
 * The columns of a row of a row group as a heap tuple; with a set of columns
 * (offset by FirstLowInvalidHeapAttributeNumber), only these, the others null.
 */
static HeapTuple
FormOldTuple(Relation rel, ItemPointer tid, const Bitmapset *columns)
{
	TupleDesc	tupdesc = RelationGetDescr(rel);
	Datum	   *values = palloc0(sizeof(Datum) * Max(tupdesc->natts, 1));
	bool	   *isnull = palloc(sizeof(bool) * Max(tupdesc->natts, 1));
	HeapTuple	tuple;

	if (RetlFetchOpen(rel, tid) != RETL_FETCHED_ROW)
		elog(ERROR, "could not find the old version of a row of table \"%s\"",
			 RelationGetRelationName(rel));
	for (int i = 0; i < tupdesc->natts; i++)
	{
		isnull[i] = true;
		if (!TupleDescAttr(tupdesc, i)->attisdropped &&
			(columns == NULL ||
			 bms_is_member(i + 1 - FirstLowInvalidHeapAttributeNumber, columns)))
			values[i] = RetlFetchColumn(i + 1, &isnull[i]);
	}
	tuple = heap_form_tuple(tupdesc, values, isnull);
	pfree(values);
	pfree(isnull);
	return tuple;
}

/*
 * Does one of some columns (offset by FirstLowInvalidHeapAttributeNumber) differ
 * between two versions of a row, byte for byte?
 */
static bool
ColumnsDiffer(Relation rel, Bitmapset *columns, HeapTuple old, HeapTuple new)
{
	TupleDesc	tupdesc = RelationGetDescr(rel);
	int			i = -1;

	while ((i = bms_next_member(columns, i)) >= 0)
	{
		AttrNumber	attnum = i + FirstLowInvalidHeapAttributeNumber;
		Form_pg_attribute attribute;
		Datum		oldValue;
		Datum		newValue;
		bool		oldNull;
		bool		newNull;

		/* as heap_update: a whole row counts as changed, a system column does not */
		if (attnum == 0)
			return true;
		if (attnum < 0)
			continue;
		attribute = TupleDescAttr(tupdesc, attnum - 1);
		oldValue = heap_getattr(old, attnum, tupdesc, &oldNull);
		newValue = heap_getattr(new, attnum, tupdesc, &newNull);
		if (oldNull != newNull ||
			(!oldNull && !datumIsEqual(oldValue, newValue, attribute->attbyval, attribute->attlen)))
			return true;
	}
	return false;
}

/*
 * May logical decoding have to be told anything of the old row?
 */
static bool
HasReplicaIdentity(Relation rel)
{
	return RelationIsLogicallyLogged(rel) &&
		(rel->rd_rel->relreplident == REPLICA_IDENTITY_FULL ||
		 (rel->rd_rel->relreplident != REPLICA_IDENTITY_NOTHING &&
		  !bms_is_empty(RelationGetIndexAttrBitmap(rel, INDEX_ATTR_BITMAP_IDENTITY_KEY))));
}

/*
 * What logical decoding is to tell of the old row, as ExtractReplicaIdentity has
 * it; NULL if nothing.
 */
static HeapTuple
ReplicaIdentity(Relation rel, HeapTuple old, bool keyRequired)
{
	TupleDesc	tupdesc = RelationGetDescr(rel);
	Bitmapset  *columns;
	Datum	   *values;
	bool	   *isnull;

	if (!HasReplicaIdentity(rel))
		return NULL;
	if (rel->rd_rel->relreplident == REPLICA_IDENTITY_FULL)
		return old;
	columns = RelationGetIndexAttrBitmap(rel, INDEX_ATTR_BITMAP_IDENTITY_KEY);
	if (!keyRequired || bms_is_empty(columns))
		return NULL;

	values = palloc(sizeof(Datum) * tupdesc->natts);
	isnull = palloc(sizeof(bool) * tupdesc->natts);
	heap_deform_tuple(old, tupdesc, values, isnull);
	for (int i = 0; i < tupdesc->natts; i++)
	{
		if (!bms_is_member(i + 1 - FirstLowInvalidHeapAttributeNumber, columns))
			isnull[i] = true;
	}
	return heap_form_tuple(tupdesc, values, isnull);
}

/* ---------------------------------------------------------------------
 * DELETE
 * ---------------------------------------------------------------------
 */

TM_Result
retldb_tuple_delete(Relation rel, ItemPointer tid, CommandId cid, Snapshot snapshot,
					Snapshot crosscheck, bool wait, TM_FailureData *tmfd, bool changingPart)
{
	RetlStubChange change = {.rel = rel, .cid = cid, .crosscheck = crosscheck, .wait = wait,
	.tmfd = tmfd};
	TM_Result	result;

	if (!RetlTidIsColumnar(tid))
	{
		result = RetlHeapRoutine()->tuple_delete(rel, tid, cid, snapshot, crosscheck, wait, tmfd,
												 changingPart);
		return UnlessMoved(rel, result, tmfd);
	}
	change.row = *tid;
	result = TouchRow(&change);
	if (result == TM_Invisible)
		ReportInvisible("delete");
	if (result != TM_Ok)
		return result;
	if (HasReplicaIdentity(rel))
		change.oldKey = ReplicaIdentity(rel, FormOldTuple(rel, tid, NULL), true);
	return RetlStubDelete(&change, changingPart);
}

/* ---------------------------------------------------------------------
 * UPDATE
 * ---------------------------------------------------------------------
 */

/*
 * Compare the versions of a row, as far as it matters: how strongly must the old
 * one be locked, and what is to be logged of it?
 */
static LockTupleMode
CompareVersions(RetlStubChange *change, HeapTuple new)
{
	Relation	rel = change->rel;
	Bitmapset  *keys = RelationGetIndexAttrBitmap(rel, INDEX_ATTR_BITMAP_KEY);
	bool		logical = HasReplicaIdentity(rel);
	HeapTuple	old;

	if (bms_is_empty(keys) && !logical)
		return LockTupleNoKeyExclusive;
	old = FormOldTuple(rel, &change->row, logical ? NULL : keys);
	if (logical)
		change->oldKey =
			ReplicaIdentity(rel, old,
							ColumnsDiffer(rel, RelationGetIndexAttrBitmap(rel, INDEX_ATTR_BITMAP_IDENTITY_KEY),
										  old, new));
	return ColumnsDiffer(rel, keys, old, new) ? LockTupleExclusive : LockTupleNoKeyExclusive;
}

/*
 * Update a row of a row group.
 */
static TM_Result
UpdateColumnarRow(RetlStubChange *change, HeapTuple new, LockTupleMode *lockmode)
{
	TM_Result	result = TouchRow(change);

	if (result == TM_Invisible)
		ReportInvisible("update");
	*lockmode = LockTupleExclusive;
	if (result != TM_Ok)
		return result;
	*lockmode = CompareVersions(change, new);
	return RetlStubUpdate(change, new, *lockmode);
}

TM_Result
retldb_tuple_update(Relation rel, ItemPointer otid, TupleTableSlot *slot, CommandId cid,
					Snapshot snapshot, Snapshot crosscheck, bool wait,
					TM_FailureData *tmfd, LockTupleMode *lockmode,
					RetlUpdateIndexes *update_indexes)
{
	RetlStubChange change = {.rel = rel, .cid = cid, .crosscheck = crosscheck, .wait = wait,
	.tmfd = tmfd};
	bool		shouldFree;
	HeapTuple	tuple;
	TM_Result	result;

	if (!RetlTidIsColumnar(otid))
	{
		result = RetlHeapRoutine()->tuple_update(rel, otid, slot, cid, snapshot, crosscheck, wait,
												 tmfd, lockmode, update_indexes);
		return UnlessMoved(rel, result, tmfd);
	}

	/* as heapam_tuple_update */
	tuple = ExecFetchSlotHeapTuple(slot, true, &shouldFree);
	slot->tts_tableOid = RelationGetRelid(rel);
	tuple->t_tableOid = slot->tts_tableOid;
	change.row = *otid;
	result = UpdateColumnarRow(&change, tuple, lockmode);
	if (result == TM_Ok)
		ItemPointerCopy(&tuple->t_self, &slot->tts_tid);
	*update_indexes = result == TM_Ok ? RETL_UPDATE_ALL_INDEXES : RETL_UPDATE_NO_INDEXES;
	if (shouldFree)
		pfree(tuple);
	return result;
}

/* ---------------------------------------------------------------------
 * Locks
 * ---------------------------------------------------------------------
 */

/* What is locked and how, and where the walk along a chain of versions stands. */
typedef struct LockRequest
{
	Relation	rel;
	TupleTableSlot *slot;
	CommandId	cid;
	LockTupleMode mode;
	LockWaitPolicy waitPolicy;
	uint8		flags;
	TM_FailureData *tmfd;
} LockRequest;

/*
 * Put a row of a row group into a slot, whoever sees it.
 */
static void
StoreColumnarRow(Relation rel, ItemPointer tid, TupleTableSlot *slot)
{
	HeapTupleHeaderData anchor;

	if (!RetlFetchAnyRow(rel, tid, &anchor))
		elog(ERROR, "could not find a locked row of table \"%s\"", RelationGetRelationName(rel));
	RetlSlotStoreFetchedRow(slot, rel, tid, &anchor);
}

/*
 * Lock a row of a row group, and put it into the slot.
 */
static TM_Result
LockColumnarRow(const LockRequest *request, ItemPointer tid)
{
	RetlStubChange change = {.rel = request->rel, .row = *tid, .cid = request->cid,
	.crosscheck = InvalidSnapshot, .wait = true, .tmfd = request->tmfd};
	TM_Result	result = TouchRow(&change);

	if (result == TM_Ok)
		result = RetlStubLockRow(&change, request->mode, request->waitPolicy,
								 (request->flags & TUPLE_LOCK_FLAG_LOCK_UPDATE_IN_PROGRESS) != 0);
	/* nobody looks at a row that could not be locked, but for one he cannot see */
	if (result == TM_Ok || result == TM_Invisible)
		StoreColumnarRow(request->rel, tid, request->slot);
	return result;
}

/*
 * Lock a row of the row store, and put it into the slot.
 */
static TM_Result
LockHeapRow(const LockRequest *request, ItemPointer tid)
{
	HeapTupleData tuple;
	Buffer		buffer;
	TM_Result	result;

	tuple.t_self = *tid;
	result = heap_lock_tuple(request->rel, &tuple, request->cid, request->mode,
							 request->waitPolicy,
							 (request->flags & TUPLE_LOCK_FLAG_LOCK_UPDATE_IN_PROGRESS) != 0,
							 &buffer, request->tmfd);
	tuple.t_tableOid = RelationGetRelid(request->rel);
	RetlSlotStoreHeapTuple(request->slot, &tuple, buffer);
	ReleaseBuffer(buffer);
	return UnlessMoved(request->rel, result, request->tmfd);
}

/*
 * Wait for the transaction that is changing a later version, as the policy says.
 * False if it is not to be waited for.
 */
static bool
WaitForUpdater(const LockRequest *request, TransactionId xid, ItemPointer tid)
{
	switch (request->waitPolicy)
	{
		case LockWaitBlock:
			XactLockTableWait(xid, request->rel, tid, XLTW_FetchUpdated);
			break;
		case LockWaitSkip:
			return RetlXactLockTableTry(xid, false);
		case LockWaitError:
			if (!RetlXactLockTableTry(xid, true))
				ereport(ERROR,
						(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
						 errmsg("could not obtain lock on row in relation \"%s\"",
								RelationGetRelationName(request->rel))));
			break;
	}
	return true;
}

/*
 * A row was updated: go from the version that *tid names, which should have been
 * inserted by priorXmax, to the last one.  TM_Ok: *tid can be locked.  This is the
 * loop of heapam_tuple_lock, where the reasons are given.
 */
static TM_Result
FindLastVersion(const LockRequest *request, ItemPointer tid, TransactionId priorXmax)
{
	Relation	rel = request->rel;
	SnapshotData dirty;

	InitDirtySnapshot(dirty);
	for (;;)
	{
		HeapTupleData tuple;
		Buffer		buffer;

		if (ItemPointerIndicatesMovedPartitions(tid))
			ereport(ERROR,
					(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
					 errmsg("tuple to be locked was already moved to another partition due to concurrent update")));
		tuple.t_self = *tid;
		if (heap_fetch(rel, &dirty, &tuple, &buffer, true))
		{
			/* the line pointer of a version that was deleted and is another row's now */
			if (!TransactionIdEquals(HeapTupleHeaderGetXmin(tuple.t_data), priorXmax))
			{
				ReleaseBuffer(buffer);
				return TM_Deleted;
			}
			if (TransactionIdIsValid(dirty.xmin))
				ereport(ERROR,
						(errcode(ERRCODE_DATA_CORRUPTED),
						 errmsg_internal("t_xmin %u is uncommitted in tuple (%u,%u) to be updated in table \"%s\"",
										 dirty.xmin, ItemPointerGetBlockNumber(tid),
										 ItemPointerGetOffsetNumber(tid),
										 RelationGetRelationName(rel))));
			if (TransactionIdIsValid(dirty.xmax))
			{
				ReleaseBuffer(buffer);
				if (!WaitForUpdater(request, dirty.xmax, tid))
					return TM_WouldBlock;
				continue;
			}
			/* our own command cannot see what it has inserted */
			if (TransactionIdIsCurrentTransactionId(priorXmax) &&
				HeapTupleHeaderGetCmin(tuple.t_data) >= request->cid)
			{
				request->tmfd->xmax = priorXmax;
				request->tmfd->cmax = HeapTupleHeaderGetCmin(tuple.t_data);
				ReleaseBuffer(buffer);
				return TM_SelfModified;
			}
			ReleaseBuffer(buffer);
			return TM_Ok;
		}

		/* nothing there, or another row: the last version was deleted */
		if (tuple.t_data == NULL)
			return TM_Deleted;
		if (!TransactionIdEquals(HeapTupleHeaderGetXmin(tuple.t_data), priorXmax) ||
			ItemPointerEquals(&tuple.t_self, &tuple.t_data->t_ctid))
		{
			ReleaseBuffer(buffer);
			return TM_Deleted;
		}
		*tid = tuple.t_data->t_ctid;
		priorXmax = HeapTupleHeaderGetUpdateXid(tuple.t_data);
		ReleaseBuffer(buffer);
	}
}

TM_Result
retldb_tuple_lock(Relation rel, ItemPointer tid, Snapshot snapshot, TupleTableSlot *slot,
				  CommandId cid, LockTupleMode mode, LockWaitPolicy wait_policy,
				  uint8 flags, TM_FailureData *tmfd)
{
	LockRequest request = {.rel = rel, .slot = slot, .cid = cid, .mode = mode,
	.waitPolicy = wait_policy, .flags = flags, .tmfd = tmfd};
	TM_Result	result;

	(void) snapshot;
	tmfd->traversed = false;
	for (;;)
	{
		ItemPointerData locked = *tid;

		result = RetlTidIsColumnar(tid) ? LockColumnarRow(&request, tid) : LockHeapRow(&request, tid);
		if (result != TM_Updated || (flags & TUPLE_LOCK_FLAG_FIND_LAST_VERSION) == 0)
			return result;
		if (ItemPointerEquals(&tmfd->ctid, &locked))
			return TM_Deleted;

		ExecClearTuple(slot);
		*tid = tmfd->ctid;
		tmfd->traversed = true;
		result = FindLastVersion(&request, tid, tmfd->xmax);
		if (result != TM_Ok)
			return result;
	}
}

/* ---------------------------------------------------------------------
 * The latest version
 * ---------------------------------------------------------------------
 */

/*
 * If a row of a row group was updated, the place of its next version.
 */
static bool
NextVersion(Relation rel, ItemPointer tid, ItemPointer next)
{
	RetlGroup	group;
	uint32		row;
	ItemPointerData stub;
	Buffer		buffer;
	HeapTupleData tuple;
	TransactionId xmax;

	if (!RetlFindRowGroup(rel, tid, &group, &row) ||
		RetlStubMapLookup(rel, &group.entry, row, &stub) != RETL_ROW_HAS_STUB ||
		!RetlStubLock(rel, &stub, RetlTidGetRowNumber(tid), BUFFER_LOCK_SHARE, &buffer, &tuple))
		return false;
	*next = tuple.t_data->t_ctid;
	xmax = InvalidTransactionId;
	if ((tuple.t_data->t_infomask & HEAP_XMAX_INVALID) == 0 &&
		!HeapTupleHeaderIsOnlyLocked(tuple.t_data) &&
		!HeapTupleHeaderIndicatesMovedPartitions(tuple.t_data) &&
		!ItemPointerEquals(&tuple.t_self, next))
		xmax = HeapTupleHeaderGetUpdateXid(tuple.t_data);
	UnlockReleaseBuffer(buffer);
	if (!TransactionIdIsValid(xmax))
		return false;

	/* is it still the version that this update has made? */
	tuple.t_self = *next;
	if (!heap_fetch(rel, SnapshotAny, &tuple, &buffer, false))
		return false;
	if (TransactionIdEquals(HeapTupleHeaderGetXmin(tuple.t_data), xmax))
	{
		ReleaseBuffer(buffer);
		return true;
	}
	ReleaseBuffer(buffer);
	return false;
}

/*
 * A cursor's row that compaction has moved has no later version that we could
 * find.
 */
static void
CheckNotMoved(Relation rel, ItemPointer tid)
{
	HeapTupleData tuple = {.t_self = *tid};
	Buffer		buffer;
	TransactionId xmax = InvalidTransactionId;
	RetlGroup	group;
	uint32		row;

	if (RetlTidIsColumnar(tid))
	{
		if (RetlFindRowGroup(rel, tid, &group, &row) &&
			RetlAnchorSatisfiesUpdate(rel, &group.entry, GetCurrentCommandId(false)) == TM_Deleted)
			ReportMoved(rel);
		return;
	}
	if (!heap_fetch(rel, SnapshotAny, &tuple, &buffer, false))
		return;
	if ((tuple.t_data->t_infomask & (HEAP_XMAX_INVALID | HEAP_XMAX_IS_MULTI)) == 0 &&
		!HEAP_XMAX_IS_LOCKED_ONLY(tuple.t_data->t_infomask))
		xmax = HeapTupleHeaderGetRawXmax(tuple.t_data);
	ReleaseBuffer(buffer);
	if (TransactionIdIsValid(xmax) && !TransactionIdIsInProgress(xmax) &&
		TransactionIdDidCommit(xmax) && RetlRowWasMovedBy(rel, xmax))
		ReportMoved(rel);
}

/*
 * Follow the chain of updates to the latest version that the scan's snapshot
 * sees; if there is none, *tid stays as it is.
 */
void
retldb_tuple_get_latest_tid(TableScanDesc scan, ItemPointer tid)
{
	ItemPointerData next;
	HeapTupleData tuple;
	Buffer		buffer;

	if (!RetlTidIsColumnar(tid))
	{
		heap_get_latest_tid(scan, tid);
		CheckNotMoved(scan->rs_rd, tid);
		return;
	}
	RetlWriteFlushForRead(scan->rs_rd);
	CheckNotMoved(scan->rs_rd, tid);
	if (!NextVersion(scan->rs_rd, tid, &next))
		return;
	heap_get_latest_tid(scan, &next);
	tuple.t_self = next;
	if (heap_fetch(scan->rs_rd, scan->rs_snapshot, &tuple, &buffer, false))
	{
		ReleaseBuffer(buffer);
		*tid = next;
	}
}
