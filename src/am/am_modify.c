/*-------------------------------------------------------------------------
 *
 * am_modify.c
 *	  Table access method: deleting, updating and locking rows.
 *
 * Rows of the row store are heap's.  A row of a row group is changed or locked
 * through its stub (visibility/stub.h), which is made when that first happens.
 * The stub knows nothing of who inserted the row; so the group's anchor is asked
 * first whether the row may be touched at all.  Compaction may be moving the row
 * meanwhile, or have moved it since our snapshot was taken: a row that has a stub has
 * the same one in both places, others get theirs in the new place, where we go on, or to
 * read committed look as if they had been updated.  Or all rows of the group are deleted
 * at once (visibility/group_delete.h), none of which has a stub.
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
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "storage/predicate.h"
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
#include "visibility/group_move.h"
#include "visibility/row_fetch.h"
#include "visibility/row_move.h"
#include "visibility/stub.h"
#include "visibility/touch.h"
#include "visibility/unseen_moves.h"

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
 * A row of the row store that compaction has moved looks as if it was updated: its
 * t_ctid leads to the new place, and VACUUM FULL copies that.  Should it have been lost,
 * the row would look as if it was deleted, and commands whose snapshot is older must not
 * pass over it.
 */
static TM_Result
UnlessMoved(Relation rel, TM_Result result, const TM_FailureData *tmfd)
{
	if (result == TM_Deleted && !IsolationUsesXactSnapshot() && RetlRowWasMovedBy(rel, tmfd->xmax))
		RetlReportMoved(rel);
	return result;
}

/*
 * Is a command to go on with a row that was moved, as if it had found it where it is now?
 * A snapshot of the transaction finds it in its old place again and again.  Read committed
 * takes the move for an update: that gives it the new place, which it needs, for its
 * snapshot goes with the command, and with that what keeps the old place until triggers
 * are called at the end.
 */
static bool
GoesOnWhereMoved(TM_Result result, const ItemPointerData *next)
{
	ItemPointerData place = *next;

	return result == TM_Updated && IsolationUsesXactSnapshot() && RetlTidIsColumnar(&place);
}

/*
 * Wait for the transaction that is changing or moving a row, as the policy says.
 * False if it is not to be waited for.
 */
static bool
WaitForUpdater(Relation rel, LockWaitPolicy policy, TransactionId xid, ItemPointer tid)
{
	switch (policy)
	{
		case LockWaitBlock:
			XactLockTableWait(xid, rel, tid, XLTW_FetchUpdated);
			break;
		case LockWaitSkip:
			return RetlXactLockTableTry(xid, false);
		case LockWaitError:
			if (!RetlXactLockTableTry(xid, true))
				ereport(ERROR,
						(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
						 errmsg("could not obtain lock on row in relation \"%s\"",
								RelationGetRelationName(rel))));
			break;
	}
	return true;
}

/*
 * Set the failure data of a row at a place, without a stub, whose group is being taken
 * away, or was, and say what has become of it.  "result" tells who does that: ourselves
 * (TM_SelfModified), a transaction in progress (TM_BeingModified), or one that has
 * committed.  It was deleted with all rows of the group; or moved by compaction,
 * which to whoever looks for its latest version is an update.
 */
static TM_Result
RowIsLeaving(RetlStubChange *change, const ItemPointerData *place,
			 const RetlAnchorLeaving *leaving, TM_Result result)
{
	change->tmfd->ctid = change->row;
	change->tmfd->xmax = leaving->xid;
	change->tmfd->cmax = leaving->cmax;
	if (result != TM_Updated)
		return result;
	if (leaving->deleted)
		return TM_Deleted;
	/* a row that nobody has touched was moved: never pass over it as deleted */
	if (!RetlFindMovedGroupRow(change->rel, place, &change->tmfd->ctid))
		RetlReportMoved(change->rel);
	return TM_Updated;
}

/*
 * Find the group of a row at a place, and see that it may be touched by this command.  If
 * it is being taken away by somebody else, or was, rows that have stubs can be touched
 * all the same, here as well as where they were moved to; a group that is deleted has no
 * such rows, but stubs whose places are remembered and that were retired since: who comes
 * to one of these looks the row up again, and finds the deletion.
 */
static TM_Result
FindTouchableGroup(RetlStubChange *change, ItemPointer place, RetlGroup *group, uint32 *row,
				   RetlAnchorLeaving *leaving)
{
	Relation	rel = change->rel;

	if (!RetlFindRowGroup(rel, place, group, row))
		RetlReportMoved(rel);
	switch (RetlAnchorSatisfiesUpdate(rel, &group->entry, change->cid, leaving))
	{
		case TM_Ok:
			break;
		case TM_Invisible:
			return TM_Invisible;
		case TM_SelfModified:
			return RowIsLeaving(change, place, leaving, TM_SelfModified);
		default:
			/* the anchor is gone, though a snapshot has led here */
			if (!TransactionIdIsValid(leaving->xid))
				RetlReportMoved(rel);
	}
	if (change->crosscheck != InvalidSnapshot &&
		!RetlAnchorIsVisible(rel, &group->entry, change->crosscheck, NULL) &&
		!RetlGroupIsSeenElsewhere(rel, &group->entry, change->crosscheck))
	{
		(void) RowIsDead(&change->row, change->tmfd);
		return TM_Updated;
	}
	return TM_Ok;
}

/*
 * Get ready to change or lock a row of a row group: see that its group may be
 * touched by this command, and that the row has a stub.  On TM_Ok the stub is in
 * change.
 *
 * If it has none and the group is being taken away, wait for whoever does that, as
 * for any updater.  If it has been moved then, its stub is that of its new place.
 */
static TM_Result
TouchRow(RetlStubChange *change, LockWaitPolicy policy)
{
	Relation	rel = change->rel;
	ItemPointerData place = change->row;
	RetlStubEntry stub;

	if (IsInParallelMode())
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TRANSACTION_STATE),
				 errmsg("cannot change or lock rows during a parallel operation")));
	RetlWriteFlushForRead(rel);
	if (change->crosscheck != InvalidSnapshot ||
		!RetlTouchIsKnown(rel, &change->row, change->cid, &stub))
	{
		RetlTouch	touch = RETL_ROW_UNTOUCHED;

		while (touch == RETL_ROW_UNTOUCHED)
		{
			RetlGroup	group;
			uint32		row;
			RetlAnchorLeaving leaving;
			TM_Result	result = FindTouchableGroup(change, &place, &group, &row, &leaving);

			if (result != TM_Ok)
				return result;
			touch = RetlTouchRow(rel, &group, row, change->cid, &stub);
			if (touch == RETL_ROW_DEAD)
				return RowIsDead(&change->row, change->tmfd);
			/* if nobody was at it when we looked, we look again */
			if (touch != RETL_ROW_UNTOUCHED || !TransactionIdIsValid(leaving.xid))
				continue;
			if (TransactionIdIsInProgress(leaving.xid))
			{
				if (!change->wait)
					return RowIsLeaving(change, &place, &leaving, TM_BeingModified);
				if (!WaitForUpdater(rel, policy, leaving.xid, &change->row))
					return TM_WouldBlock;
			}
			else if (TransactionIdDidCommit(leaving.xid))
			{
				result = RowIsLeaving(change, &place, &leaving, TM_Updated);
				if (!GoesOnWhereMoved(result, &change->tmfd->ctid))
					return result;
				place = change->tmfd->ctid;
			}
			CHECK_FOR_INTERRUPTS();
		}
	}
	change->stub = stub.stub;
	change->number = stub.number;
	change->place = place;
	return TM_Ok;
}

/*
 * Was the stub, which TouchRow has found, retired before we came to it?  Then the row is
 * to be touched again, for what it says there counts for nothing; the map says so already,
 * unless a crash, or an error, has kept compaction from telling it.  A row whose stub is
 * gone is dead if the map, when it is asked again, still names that.
 */
static bool
StubWasRetired(RetlStubChange *change, ItemPointer gone)
{
	RetlStubEntry entry = {.stub = change->stub};
	RetlGroup	group;

	if (*change->seen == RETL_STUB_STANDS ||
		(*change->seen == RETL_STUB_GONE && ItemPointerIsValid(gone) &&
		 ItemPointerEquals(gone, &change->stub)))
		return false;
	CHECK_FOR_INTERRUPTS();
	RetlTouchForgetStub(change->rel, RetlTidGetRowNumber(&change->row));
	RetlTouchForgetStub(change->rel, RetlTidGetRowNumber(&change->place));
	*gone = change->stub;
	if (*change->seen == RETL_STUB_GONE)
		return true;
	ItemPointerSetInvalid(gone);
	if (!RetlFindRowGroup(change->rel, &change->place, &group, &entry.row))
		RetlReportMoved(change->rel);
	if (RetlDirectoryReadStubMapRoot(change->rel, &group))
		RetlStubMapSetRetired(change->rel, &group.entry, &entry, 1);
	return true;
}

/*
 * A row was changed through its stub, which compaction may have let a new group
 * have.  A serializable transaction that has read it there has locked it there.
 * Those that will see what we have done.
 */
static void
CheckConflictWhereMoved(Relation rel, const ItemPointerData *tid)
{
	ItemPointerData place = *tid;

	if (!IsolationIsSerializable())
		return;
	while (RetlFindMovedGroupRow(rel, &place, &place))
		CheckForSerializableConflictIn(rel, &place, ItemPointerGetBlockNumber(&place));
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
	RetlStubSeen seen;
	ItemPointerData gone = {0};
	RetlStubChange change = {.rel = rel, .cid = cid, .crosscheck = crosscheck, .wait = wait,
	.tmfd = tmfd,.seen = &seen};
	TM_Result	result;

	change.row = *tid;
	if (!RetlTidIsColumnar(tid))
	{
		result = RetlHeapRoutine()->tuple_delete(rel, tid, cid, snapshot, crosscheck, wait, tmfd,
												 changingPart);
		if (!GoesOnWhereMoved(result, &tmfd->ctid))
			return UnlessMoved(rel, result, tmfd);
		change.row = tmfd->ctid;
	}
	do
	{
		result = TouchRow(&change, LockWaitBlock);
		if (result == TM_Invisible)
			ReportInvisible("delete");
		if (result != TM_Ok)
			return result;
		if (HasReplicaIdentity(rel))
			change.oldKey = ReplicaIdentity(rel, FormOldTuple(rel, &change.row, NULL), true);
		result = RetlStubDelete(&change, changingPart);
	} while (StubWasRetired(&change, &gone));
	if (result == TM_Ok)
		CheckConflictWhereMoved(rel, &change.row);
	return result;
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
	ItemPointerData gone = {0};
	TM_Result	result;

	do
	{
		result = TouchRow(change, LockWaitBlock);
		if (result == TM_Invisible)
			ReportInvisible("update");
		*lockmode = LockTupleExclusive;
		if (result != TM_Ok)
			return result;
		*lockmode = CompareVersions(change, new);
		result = RetlStubUpdate(change, new, *lockmode);
	} while (StubWasRetired(change, &gone));
	if (result == TM_Ok)
		CheckConflictWhereMoved(change->rel, &change->row);
	return result;
}

TM_Result
retldb_tuple_update(Relation rel, ItemPointer otid, TupleTableSlot *slot, CommandId cid,
					Snapshot snapshot, Snapshot crosscheck, bool wait,
					TM_FailureData *tmfd, LockTupleMode *lockmode,
					RetlUpdateIndexes *update_indexes)
{
	RetlStubSeen seen;
	RetlStubChange change = {.rel = rel, .cid = cid, .crosscheck = crosscheck, .wait = wait,
	.tmfd = tmfd,.seen = &seen};
	bool		shouldFree;
	HeapTuple	tuple;
	TM_Result	result;

	if (crosscheck == InvalidSnapshot && RetlUpdateIsNoop(rel, otid, slot, cid))
	{
		*lockmode = LockTupleNoKeyExclusive;
		*update_indexes = RETL_UPDATE_NO_INDEXES;
		return TM_Ok;
	}
	change.row = *otid;
	if (!RetlTidIsColumnar(otid))
	{
		result = RetlHeapRoutine()->tuple_update(rel, otid, slot, cid, snapshot, crosscheck, wait,
												 tmfd, lockmode, update_indexes);
		if (!GoesOnWhereMoved(result, &tmfd->ctid))
			return UnlessMoved(rel, result, tmfd);
		change.row = tmfd->ctid;
	}

	/* as heapam_tuple_update */
	tuple = ExecFetchSlotHeapTuple(slot, true, &shouldFree);
	slot->tts_tableOid = RelationGetRelid(rel);
	tuple->t_tableOid = slot->tts_tableOid;
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
 * Lock a row of a row group through its stub.
 */
static TM_Result
LockStub(const LockRequest *request, const ItemPointerData *tid)
{
	RetlStubSeen seen;
	ItemPointerData gone = {0};
	RetlStubChange change = {.rel = request->rel, .row = *tid, .cid = request->cid,
	.crosscheck = InvalidSnapshot, .wait = true, .tmfd = request->tmfd,.seen = &seen};
	TM_Result	result;

	do
	{
		result = TouchRow(&change, request->waitPolicy);
		if (result != TM_Ok)
			return result;
		result = RetlStubLockRow(&change, request->mode, request->waitPolicy,
								 (request->flags & TUPLE_LOCK_FLAG_LOCK_UPDATE_IN_PROGRESS) != 0);
	} while (StubWasRetired(&change, &gone));
	return result;
}

/*
 * Lock a row of a row group, and put it into the slot.
 */
static TM_Result
LockColumnarRow(const LockRequest *request, ItemPointer tid)
{
	TM_Result	result = LockStub(request, tid);

	/* nobody looks at a row that could not be locked, but for one he cannot see */
	if (result == TM_Ok || result == TM_Invisible)
		StoreColumnarRow(request->rel, tid, request->slot);
	return result;
}

/*
 * If the tuple at a place of a pinned page is being moved, the transaction that
 * does it.
 */
static TransactionId
MoverInProgress(Buffer buffer, ItemPointer tid)
{
	Page		page = BufferGetPage(buffer);
	TransactionId mover = InvalidTransactionId;
	ItemId		lp;

	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	lp = PageGetItemId(page, ItemPointerGetOffsetNumber(tid));
	if (ItemIdIsNormal(lp))
		mover = RetlTupleMover((HeapTupleHeader) PageGetItem(page, lp));
	LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
	return TransactionIdIsValid(mover) && TransactionIdIsInProgress(mover) ?
		mover : InvalidTransactionId;
}

/*
 * Has the tuple at a place of a pinned page been moved, and has lost where to?  VACUUM FULL
 * leaves such a copy only of a row that nobody sees.  FOR KEY SHARE would pass there.
 */
static bool
IsCopyOfMovedRow(Relation rel, Buffer buffer, ItemPointer tid)
{
	Page		page = BufferGetPage(buffer);
	TransactionId xmax = InvalidTransactionId;
	ItemId		lp;

	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	lp = PageGetItemId(page, ItemPointerGetOffsetNumber(tid));
	if (ItemIdIsNormal(lp))
	{
		HeapTupleHeader header = (HeapTupleHeader) PageGetItem(page, lp);

		if ((header->t_infomask & (HEAP_XMAX_INVALID | HEAP_XMAX_IS_MULTI)) == 0 &&
			!HEAP_XMAX_IS_LOCKED_ONLY(header->t_infomask) &&
			ItemPointerEquals(&header->t_ctid, tid))
			xmax = HeapTupleHeaderGetRawXmax(header);
	}
	LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
	return TransactionIdIsValid(xmax) && !TransactionIdIsInProgress(xmax) &&
		TransactionIdDidCommit(xmax) && RetlRowWasMovedBy(rel, xmax);
}

/*
 * Lock a row of the row store, and put it into the slot.
 *
 * heap_lock_tuple must not find that the row is being moved: it would wait, and
 * then look for its next version in a block that is not there.  Once the row has
 * been moved it does not.  As long as we pin the page nobody begins to move rows
 * of it.
 */
static TM_Result
LockHeapRow(const LockRequest *request, ItemPointer tid)
{
	Buffer		pin = ReadBuffer(request->rel, ItemPointerGetBlockNumber(tid));
	HeapTupleData tuple;
	Buffer		buffer;
	TransactionId mover;
	TM_Result	result;

	while (TransactionIdIsValid(mover = MoverInProgress(pin, tid)))
	{
		if (!WaitForUpdater(request->rel, request->waitPolicy, mover, tid))
		{
			ReleaseBuffer(pin);
			return TM_WouldBlock;
		}
	}
	if (request->mode == LockTupleKeyShare && IsCopyOfMovedRow(request->rel, pin, tid))
		RetlReportMoved(request->rel);
	tuple.t_self = *tid;
	result = heap_lock_tuple(request->rel, &tuple, request->cid, request->mode,
							 request->waitPolicy,
							 (request->flags & TUPLE_LOCK_FLAG_LOCK_UPDATE_IN_PROGRESS) != 0,
							 &buffer, request->tmfd);
	tuple.t_tableOid = RelationGetRelid(request->rel);
	RetlSlotStoreHeapTuple(request->slot, &tuple, buffer);
	ReleaseBuffer(buffer);
	ReleaseBuffer(pin);
	if (GoesOnWhereMoved(result, &request->tmfd->ctid))
	{
		/* the slot has the row as it is in its old place */
		return LockStub(request, &request->tmfd->ctid);
	}
	return UnlessMoved(request->rel, result, request->tmfd);
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
		/* moved to a row group: what has become of it there is seen when it is locked */
		if (RetlTidIsColumnar(tid))
			return TM_Ok;
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
				if (!WaitForUpdater(rel, request->waitPolicy, dirty.xmax, tid))
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

/* A step along a chain of versions. */
typedef struct Version
{
	bool		visible;		/* for the snapshot */
	ItemPointerData next;		/* invalid: this is the last one */
	TransactionId xmax;			/* who should have made the next one */
} Version;

/*
 * Where a tuple of a locked page leads to.
 */
static void
FindNext(HeapTuple tuple, Version *version)
{
	HeapTupleHeader header = tuple->t_data;

	ItemPointerSetInvalid(&version->next);
	if ((header->t_infomask & HEAP_XMAX_INVALID) != 0 || HeapTupleHeaderIsOnlyLocked(header) ||
		HeapTupleHeaderIndicatesMovedPartitions(header) ||
		ItemPointerEquals(&tuple->t_self, &header->t_ctid))
		return;
	version->next = header->t_ctid;
	version->xmax = HeapTupleHeaderGetUpdateXid(header);
}

/*
 * Look at a version in the row store that priorXmax, if valid, should have made.
 * False if there is none.
 */
static bool
LookAtHeapVersion(Relation rel, ItemPointer tid, Snapshot snapshot, TransactionId priorXmax,
				  Version *version)
{
	HeapTupleData tuple = {.t_self = *tid};
	Buffer		buffer;
	bool		found;

	if (!heap_fetch(rel, SnapshotAny, &tuple, &buffer, false))
		return false;
	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	found = !RetlTupleIsMarked(tuple.t_data) &&
		(!TransactionIdIsValid(priorXmax) ||
		 TransactionIdEquals(HeapTupleHeaderGetXmin(tuple.t_data), priorXmax));
	if (found)
	{
		version->visible = HeapTupleSatisfiesVisibility(&tuple, snapshot, buffer);
		HeapCheckForSerializableConflictOut(version->visible, rel, &tuple, buffer, snapshot);
		FindNext(&tuple, version);
	}
	UnlockReleaseBuffer(buffer);
	return found;
}

/*
 * Look at a row of a row group.  Nobody else ever gets its TID, so it need not be
 * asked who made it.  False if it is not there.
 *
 * A row that was moved is in no other version than there, and what its stub here leads
 * to, the same stub leads to there.  If that is not visible, because who has updated the
 * row has not committed, the snapshot may see the row where it is now: *tid then says
 * where.
 */
static bool
LookAtColumnarVersion(Relation rel, ItemPointer tid, Snapshot snapshot, Version *version)
{
	HeapTupleHeaderData anchor;
	RetlGroup	group;
	uint32		row;
	RetlStubEntry stub;
	Buffer		buffer;
	HeapTupleData tuple;
	ItemPointerData place = *tid;

	if (!RetlFindRowGroup(rel, tid, &group, &row))
		return false;
	version->visible = RetlFetchRow(rel, tid, snapshot, &anchor, NULL) !=
		RETL_FETCHED_NONE;
	ItemPointerSetInvalid(&version->next);
	if (RetlStubMapLookup(rel, &group.entry, row, &stub) == RETL_ROW_HAS_STUB &&
		RetlStubLock(rel, &stub, BUFFER_LOCK_SHARE, &buffer, &tuple))
	{
		FindNext(&tuple, version);
		UnlockReleaseBuffer(buffer);
	}
	if (!ItemPointerIsValid(&version->next))
	{
		(void) RetlFindMovedGroupRow(rel, tid, &version->next);
		return true;
	}
	while (!version->visible && RetlFindMovedGroupRow(rel, &place, &place))
	{
		version->visible = RetlFetchRow(rel, &place, snapshot, &anchor, NULL) !=
			RETL_FETCHED_NONE;
		if (version->visible)
			*tid = place;
	}
	return true;
}

/*
 * A row must not be passed over that was moved, should it have lost where to.
 * A row that has, or had, a stub is deleted: a group without living rows has no links
 * either, and VACUUM FULL copies a deleted row as a tuple.  The t_ctid of a group that
 * was deleted looks like an update.
 */
static void
CheckNotMoved(Relation rel, ItemPointer tid)
{
	HeapTupleData tuple = {.t_self = *tid};
	Buffer		buffer;
	TransactionId xmax = InvalidTransactionId;
	RetlGroup	group;
	uint32		row;
	RetlStubEntry stub;
	RetlAnchorLeaving leaving;

	if (RetlTidIsColumnar(tid))
	{
		if (RetlFindRowGroup(rel, tid, &group, &row) &&
			RetlStubMapLookup(rel, &group.entry, row, &stub) == RETL_ROW_UNTOUCHED &&
			RetlAnchorSatisfiesUpdate(rel, &group.entry, GetCurrentCommandId(false),
									  &leaving) == TM_Deleted)
			RetlReportMoved(rel);
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
		RetlReportMoved(rel);
}

/*
 * Follow the chain of updates and moves to the latest version that the scan's
 * snapshot sees; if there is none, *tid stays as it is.  As heap_get_latest_tid,
 * which would not find rows of row groups.
 */
void
retldb_tuple_get_latest_tid(TableScanDesc scan, ItemPointer tid)
{
	Relation	rel = scan->rs_rd;
	ItemPointerData at = *tid;
	TransactionId priorXmax = InvalidTransactionId;
	bool		found = false;

	RetlWriteFlushForRead(rel);
	for (;;)
	{
		Version		version = {0};

		CHECK_FOR_INTERRUPTS();
		if (!(RetlTidIsColumnar(&at) ?
			  LookAtColumnarVersion(rel, &at, scan->rs_snapshot, &version) :
			  LookAtHeapVersion(rel, &at, scan->rs_snapshot, priorXmax, &version)))
			break;
		if (version.visible)
		{
			*tid = at;
			found = true;
		}
		if (!ItemPointerIsValid(&version.next))
			break;
		at = version.next;
		priorXmax = version.xmax;
	}
	if (!found)
		CheckNotMoved(rel, &at);
}
