/*-------------------------------------------------------------------------
 *
 * am_noop.c
 *	  Table access method: updates that change nothing.
 *
 * With the option suppress_noop such an update leaves the row as it is: nothing is
 * written, no version is made, no lock is left behind.  To everybody else it is as
 * if the update had been done just before somebody else's; to the command it is an
 * update: it is counted and returned, and triggers see an old and a new row, which
 * are the same one.  If a trigger may be called after the command, the row is changed
 * as usual: somebody else might have removed it by then.
 *
 * A row that has been changed, or is being changed, by somebody is not left alone
 * here but goes the ordinary way, which waits and finds out what has become of it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/xact.h"
#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "storage/bufmgr.h"
#include "utils/datum.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/rel.h"

#include "am/retldb_am.h"
#include "am/slot.h"
#include "am/write_buffer.h"
#include "base/options.h"
#include "base/settings.h"
#include "visibility/anchor.h"
#include "visibility/row_fetch.h"
#include "visibility/row_free.h"
#include "visibility/stub.h"

/* ---------------------------------------------------------------------
 * The option
 * ---------------------------------------------------------------------
 */

/* Tables whose option is remembered, each in the place that its OID says. */
#define REMEMBERED	32

typedef struct RememberedOption
{
	Oid			relid;			/* InvalidOid: none */
	int			suppressNoop;	/* as in RetlTableOptions */
} RememberedOption;

static RememberedOption remembered[REMEMBERED];
static bool registered = false;

/*
 * Relcache callback: the options of a table, or of all, may have changed.
 */
static void
ForgetOption(Datum arg, Oid relid)
{
	(void) arg;
	for (int i = 0; i < REMEMBERED; i++)
	{
		if (!OidIsValid(relid) || remembered[i].relid == relid)
			remembered[i].relid = InvalidOid;
	}
}

/*
 * Are updates of a table to be suppressed if they change nothing?
 */
bool
RetlSuppressesNoop(Relation rel)
{
	RememberedOption *option = &remembered[RelationGetRelid(rel) % REMEMBERED];

	if (option->relid != RelationGetRelid(rel))
	{
		RetlTableOptions options;

		if (!registered)
		{
			CacheRegisterRelcacheCallback(ForgetOption, (Datum) 0);
			registered = true;
		}
		option->relid = InvalidOid;
		RetlTableOptionsRead(rel, &options, 0);
		option->suppressNoop = options.suppressNoop;
		option->relid = RelationGetRelid(rel);
	}
	return option->suppressNoop != RETLDB_UNSET ? option->suppressNoop != 0 : retldb_suppress_noop;
}

/*
 * May a trigger want to see updated rows when the command is over?  Nothing keeps a
 * row that was left alone until then.  Triggers of keys are not called for such rows.
 */
static bool
HasLateTriggers(Relation rel)
{
	TriggerDesc *triggers = rel->trigdesc;

	if (triggers == NULL || !triggers->trig_update_after_row)
		return false;
	for (int i = 0; i < triggers->numtriggers; i++)
	{
		const Trigger *trigger = &triggers->triggers[i];

		if (trigger->tgdeferrable && TRIGGER_FOR_ROW(trigger->tgtype) &&
			TRIGGER_FOR_AFTER(trigger->tgtype) && TRIGGER_FOR_UPDATE(trigger->tgtype) &&
			trigger->tgfoid != F_UNIQUE_KEY_RECHECK &&
			RI_FKey_trigger_type(trigger->tgfoid) == RI_TRIGGER_NONE)
			return true;
	}
	return false;
}

/* ---------------------------------------------------------------------
 * Rows
 * ---------------------------------------------------------------------
 */

/*
 * Is a value the same as that of the new row, byte for byte?  How they are
 * compressed, or kept out of line, does not matter.
 */
static bool
ValueIsSame(const TupleTableSlot *slot, int column, Datum old, bool oldIsNull)
{
	Form_pg_attribute attribute = TupleDescAttr(slot->tts_tupleDescriptor, column);

	if (oldIsNull || slot->tts_isnull[column])
		return oldIsNull == slot->tts_isnull[column];
	return datum_image_eq(old, slot->tts_values[column], attribute->attbyval, attribute->attlen);
}

/*
 * Has a row of a row group the same columns as the new one?  A copy of its
 * anchor's header is put into *header.
 */
static bool
ColumnarRowIsSame(Relation rel, ItemPointer tid, TupleTableSlot *slot, HeapTupleHeader header)
{
	TupleDesc	tupdesc = RelationGetDescr(rel);

	if (!RetlFetchAnyRow(rel, tid, header) || RetlFetchOpen(rel, tid) != RETL_FETCHED_ROW)
		return false;
	for (int i = 0; i < tupdesc->natts; i++)
	{
		Datum		old;
		bool		isnull;

		if (TupleDescAttr(tupdesc, i)->attisdropped)
			continue;
		old = RetlFetchColumn(i + 1, &isnull);
		if (!ValueIsSame(slot, i, old, isnull))
			return false;
	}
	RetlFetchInserter(header);
	return true;
}

/*
 * Does nobody change a row of a row group that is there?
 */
static bool
ColumnarRowIsFree(Relation rel, ItemPointer tid, CommandId cid)
{
	RetlGroup	group;
	RetlStubEntry row = {0};
	bool		isFree;

	if (!RetlFindRowGroup(rel, tid, &group, &row.row))
		return false;
	RetlRowsFindFree(rel, &group, &row, 1, cid, &isFree);
	return isFree;
}

/*
 * Is an update of a row of the row store one that changes nothing, and nobody else
 * changes it?  If so, the slot gets the row's identity.
 */
static bool
HeapRowStays(Relation rel, ItemPointer tid, TupleTableSlot *slot, CommandId cid)
{
	TupleDesc	tupdesc = RelationGetDescr(rel);
	HeapTupleData tuple = {.t_self = *tid};
	HeapTupleHeaderData header;
	Buffer		buffer;
	bool		stays;

	if (!heap_fetch(rel, SnapshotAny, &tuple, &buffer, false))
		return false;
	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	stays = !RetlTupleIsMarked(tuple.t_data) && RetlTupleIsFree(&tuple, cid, buffer);
	memcpy(&header, tuple.t_data, SizeofHeapTupleHeader);
	LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
	for (int i = 0; i < tupdesc->natts && stays; i++)
	{
		bool		isnull;
		Datum		old;

		if (TupleDescAttr(tupdesc, i)->attisdropped)
			continue;
		old = heap_getattr(&tuple, i + 1, tupdesc, &isnull);
		stays = ValueIsSame(slot, i, old, isnull);
	}
	ReleaseBuffer(buffer);
	if (stays)
		RetlSlotSetStored(slot, tid, RelationGetRelid(rel), &header);
	return stays;
}

/*
 * Does an update change nothing, and is the row to be left as it is then?  If so,
 * the slot with the new row gets the identity of the row that is there.
 */
bool
RetlUpdateIsNoop(Relation rel, ItemPointer tid, TupleTableSlot *slot, CommandId cid)
{
	HeapTupleHeaderData header;

	if (!RetlSuppressesNoop(rel) || !RetlIsSlot(slot) || HasLateTriggers(rel))
		return false;
	ExecMaterializeSlot(slot);
	slot_getallattrs(slot);
	if (!RetlTidIsColumnar(tid))
		return HeapRowStays(rel, tid, slot, cid);
	RetlWriteFlushForRead(rel);
	if (!ColumnarRowIsSame(rel, tid, slot, &header) || !ColumnarRowIsFree(rel, tid, cid))
		return false;
	RetlSlotSetStored(slot, tid, RelationGetRelid(rel), &header);
	return true;
}
