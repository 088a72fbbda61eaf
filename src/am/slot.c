/*-------------------------------------------------------------------------
 *
 * slot.c
 *	  Slots of the table access method.
 *
 * The type extends PostgreSQL's buffer heap slots: while a slot has a heap
 * tuple (base.tuple is set), everything is left to theirs.  The difference is in
 * slots without one.  COPY fills slots with values and wants them to be kept;
 * theirs would form a heap tuple, which we would have to take apart again to put
 * the values into columns.  Scans store rows that come as columns, and whoever
 * reads them seldom needs a heap tuple either.
 *
 * Rows that were fetched by their TID are of the fourth kind: the slot knows where
 * they are, and reads columns when they are asked for.  What is read by reference
 * is copied at once, for the place it was read from serves other fetches.  So
 * nothing ends the life of such a row but that of the slot's content.
 *
 * TTS_FLAG_SHOULDFREE is about the heap tuple only, as in theirs.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "access/tupmacs.h"
#include "access/xact.h"
#include "storage/bufmgr.h"
#include "utils/expandeddatum.h"
#include "utils/memutils.h"

#include "am/slot.h"
#include "am/write_buffer.h"
#include "base/compat.h"
#include "base/copy_bytes.h"
#include "rowgroup/row_batch.h"
#include "visibility/row_fetch.h"
#include "visibility/stub.h"

/* Room for copied values: at first, and at most while the slot is empty. */
#define FIRST_DATA_SIZE		256
#define KEPT_DATA_SIZE		8192

/* Room that values were copied to before it became too small for more. */
typedef struct FullRoom
{
	struct FullRoom *next;
	char	   *data;
} FullRoom;

/* A by-reference attribute. */
typedef struct SlotRef
{
	int			index;			/* from 0 */
	uint16		alignment;		/* in bytes */
	int16		length;			/* pg_attribute.attlen */
} SlotRef;

typedef struct RetlTupleSlot
{
	BufferHeapTupleTableSlot heap;

	/* all that follows is for rows without a heap tuple */
	bool		hasHeader;		/* the row has system columns */
	bool		copied;			/* by-reference values are in "data" */
	char	   *data;			/* RETLDB_VALUE_PADDING more bytes are there */
	Size		dataSize;
	Size		dataUsed;
	FullRoom   *full;
	TupleDesc	refsOf;			/* the descriptor that "refs" is about */
	SlotRef    *refs;			/* its by-reference attributes */
	int			refCount;

	RetlTableScan *scan;		/* whose current row this is, or NULL */
	TupleTableSlot **holder;

	Relation	fetchFrom;		/* where the row is, by its TID, or NULL */
	const Bitmapset *needed;	/* attributes that anybody will ask for; NULL: all */
	bool		incomplete;		/* others that came before those are not there */

	RetlSlotSource *source;		/* who gives the columns, or NULL */

	HeapTupleHeaderData header; /* if hasHeader; of variable length, so last */
} RetlTupleSlot;

/* What buffer heap slots do. */
#define HEAP_SLOT_OPS	(&TTSOpsBufferHeapTuple)

/* Does the slot hold a heap tuple? */
static inline bool
HasTuple(const TupleTableSlot *slot)
{
	return ((const BufferHeapTupleTableSlot *) slot)->base.tuple != NULL;
}

/* The row no longer depends on a scan. */
static inline void
Unlink(RetlTupleSlot *slot)
{
	if (slot->scan == NULL)
		return;
	Assert(*slot->holder == (TupleTableSlot *) slot);
	*slot->holder = NULL;
	slot->holder = NULL;
	slot->scan = NULL;
}

/* ---------------------------------------------------------------------
 * Copied values
 * ---------------------------------------------------------------------
 */

/* No value is in the slot's room any more. */
static inline void
EmptyRoom(RetlTupleSlot *slot)
{
	slot->dataUsed = 0;
	while (unlikely(slot->full != NULL))
	{
		FullRoom   *full = slot->full;

		slot->full = full->next;
		pfree(full->data);
		pfree(full);
	}
}

/* Have room for "size" more bytes, aligned; what is there stays where it is. */
static void
MakeRoom(RetlTupleSlot *slot, Size size)
{
	MemoryContext context = slot->heap.base.base.tts_mcxt;
	char	   *data;

	size = Max(Max(slot->dataSize * 2, size), FIRST_DATA_SIZE);
	data = MemoryContextAllocHuge(context, size + RETLDB_VALUE_PADDING);
	if (slot->dataUsed > 0)
	{
		FullRoom   *full = MemoryContextAlloc(context, sizeof(FullRoom));

		full->next = slot->full;
		full->data = slot->data;
		slot->full = full;
	}
	else if (slot->data != NULL)
		pfree(slot->data);
	slot->data = data;
	slot->dataSize = size;
	slot->dataUsed = 0;
}

/* List the by-reference attributes of the slot's descriptor. */
static void
ListReferences(RetlTupleSlot *slot)
{
	TupleDesc	tupdesc = slot->heap.base.base.tts_tupleDescriptor;

	if (slot->refs != NULL)
		pfree(slot->refs);
	slot->refsOf = NULL;
	slot->refs = MemoryContextAlloc(slot->heap.base.base.tts_mcxt,
									sizeof(SlotRef) * Max(tupdesc->natts, 1));
	slot->refCount = 0;
	for (int i = 0; i < tupdesc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(tupdesc, i);
		SlotRef    *ref = &slot->refs[slot->refCount];

		if (att->attbyval)
			continue;
		ref->index = i;
		ref->alignment = (uint16) Max(att_align_nominal(1, att->attalign), 1);
		ref->length = att->attlen;
		slot->refCount++;
	}
	slot->refsOf = tupdesc;
}

/* Copy a by-reference value to the slot's room.  Expanded objects are flattened. */
static inline void
CopyValue(RetlTupleSlot *slot, int index)
{
	TupleTableSlot *base = &slot->heap.base.base;
	Form_pg_attribute att = TupleDescAttr(base->tts_tupleDescriptor, index);
	Datum		value = base->tts_values[index];
	char	   *pointer = DatumGetPointer(value);
	bool		expanded = att->attlen == -1 && VARATT_IS_EXTERNAL_EXPANDED(pointer);
	Size		length = expanded ? EOH_get_flat_size(DatumGetEOHP(value))
		: att_addlength_datum(0, att->attlen, value);
	Size		start = att_align_nominal(slot->dataUsed, att->attalign);
	char	   *dst;

	if (unlikely(start + length > slot->dataSize))
	{
		MakeRoom(slot, length);
		start = 0;
	}
	dst = slot->data + start;
	if (expanded)
		EOH_flatten_into(DatumGetEOHP(value), dst, length);
	else
		memcpy(dst, pointer, length);
	slot->dataUsed = start + length;
	base->tts_values[index] = PointerGetDatum(dst);
}

/*
 * Copy all by-reference values to the slot's room, in which there are none.  COPY
 * does this with every row, and most of its values have ordinary varlena headers:
 * for those this is CopyValue, but all that can be kept from value to value is.
 */
static void
CopyValues(RetlTupleSlot *slot)
{
	TupleTableSlot *base = &slot->heap.base.base;
	Datum	   *values = base->tts_values;
	const bool *isnull = base->tts_isnull;
	const SlotRef *refs;
	int			count;
	Size		used = 0;

	Assert(slot->dataUsed == 0 && slot->full == NULL);
	if (slot->refsOf != base->tts_tupleDescriptor)
		ListReferences(slot);
	refs = slot->refs;
	count = slot->refCount;
	while (count > 0 && refs[count - 1].index >= base->tts_nvalid)
		count--;
	for (int i = 0; i < count; i++)
	{
		int			index = refs[i].index;
		const char *pointer = DatumGetPointer(values[index]);
		Size		start = TYPEALIGN(refs[i].alignment, used);
		Size		length;

		if (isnull[index])
			continue;
		if (likely(refs[i].length == -1 && VARATT_IS_4B(pointer)))
			length = VARSIZE_4B(pointer);
		else if (refs[i].length > 0)
			length = refs[i].length;
		else
			length = slot->dataSize + 1;	/* left to CopyValue */
		if (unlikely(start + length > slot->dataSize))
		{
			slot->dataUsed = used;
			CopyValue(slot, index);
			used = slot->dataUsed;
			continue;
		}
		RetlCopyBytes(slot->data + start, pointer, length);
		values[index] = PointerGetDatum(slot->data + start);
		used = start + length;
	}
	slot->dataUsed = used;
	slot->copied = true;
}

/* See slot.h. */
bool
RetlSlotIsPadded(const TupleTableSlot *slot)
{
	return RetlIsSlot(slot) && !HasTuple(slot) && ((const RetlTupleSlot *) slot)->copied &&
		slot->tts_nvalid == slot->tts_tupleDescriptor->natts;
}

/* ---------------------------------------------------------------------
 * Rows fetched by TID
 * ---------------------------------------------------------------------
 */

/*
 * Turn to the row in the slot to read columns.  False if they cannot be read: its
 * group is in the memory of another backend, and whoever was shown such a row waits
 * for that one and asks again, instead of looking at columns.
 */
static bool
OpenFetched(RetlTupleSlot *slot)
{
	Relation	rel = slot->fetchFrom;
	RetlFetched result = RetlFetchOpen(rel, &slot->heap.base.base.tts_tid);

	if (result == RETL_FETCHED_UNWRITTEN)
	{
		if (!TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetXmin(&slot->header)))
			return false;
		RetlWriteFlushForRead(rel);
		result = RetlFetchOpen(rel, &slot->heap.base.base.tts_tid);
	}
	if (result != RETL_FETCHED_ROW)
		elog(ERROR, "could not find the columns of a row of table \"%s\"",
			 RelationGetRelationName(rel));
	return true;
}

/* Read a column of the row that was turned to. */
static void
FetchValue(RetlTupleSlot *slot, int index, bool readable)
{
	TupleTableSlot *base = &slot->heap.base.base;
	Form_pg_attribute att = TupleDescAttr(base->tts_tupleDescriptor, index);

	base->tts_values[index] = (Datum) 0;
	base->tts_isnull[index] = true;
	if (!readable || att->attisdropped)
		return;
	base->tts_values[index] = RetlFetchColumn(index + 1, &base->tts_isnull[index]);
	if (!att->attbyval && !base->tts_isnull[index])
		CopyValue(slot, index);
}

/* Is this attribute one that somebody will ask for? */
static inline bool
IsNeeded(const RetlTupleSlot *slot, int index)
{
	return slot->needed == NULL || bms_is_member(index + 1, slot->needed);
}

/*
 * Some of the needed attributes from "first" on are going to be fetched.  Returns the
 * first one that is not among them, or natts.
 */
static int
Anticipate(RetlTupleSlot *slot, int first, int natts)
{
	AttrNumber	attnums[RETLDB_ANTICIPATED_MAX];
	int			count = 0;
	int			i;

	for (i = first; i < natts && count < RETLDB_ANTICIPATED_MAX; i++)
		if (IsNeeded(slot, i))
			attnums[count++] = i + 1;
	if (count > 1)
		RetlFetchAnticipate(attnums, count);
	return i;
}

/*
 * Read columns up to natts.  Those before it that nobody will ask for are left
 * out, and look as if they were null.
 */
static void
FetchValues(RetlTupleSlot *slot, int natts)
{
	TupleTableSlot *base = &slot->heap.base.base;
	bool		readable = OpenFetched(slot);
	int			anticipated = base->tts_nvalid;

	for (int i = base->tts_nvalid; i < natts; i++)
	{
		if (readable && i == anticipated)
			anticipated = Anticipate(slot, i, natts);
		if (IsNeeded(slot, i))
			FetchValue(slot, i, readable);
		else
		{
			base->tts_values[i] = (Datum) 0;
			base->tts_isnull[i] = true;
			slot->incomplete = true;
		}
	}
	base->tts_nvalid = natts;
}

/*
 * Read all there is to know of the row, because it is going to be copied.
 */
static void
CompleteFetched(RetlTupleSlot *slot)
{
	TupleTableSlot *base = &slot->heap.base.base;
	bool		readable = OpenFetched(slot);

	for (int i = 0; i < base->tts_tupleDescriptor->natts; i++)
	{
		if (i >= base->tts_nvalid || (slot->incomplete && !IsNeeded(slot, i)))
			FetchValue(slot, i, readable);
	}
	base->tts_nvalid = base->tts_tupleDescriptor->natts;
	if (readable)
		RetlFetchInserter(&slot->header);
	slot->fetchFrom = NULL;
	slot->incomplete = false;
	slot->copied = true;
}

/* All attributes are wanted, to be copied. */
static inline void
GetAllAttrs(TupleTableSlot *slot)
{
	if (RetlIsSlot(slot) && ((RetlTupleSlot *) slot)->fetchFrom != NULL)
		CompleteFetched((RetlTupleSlot *) slot);
	else
		slot_getallattrs(slot);
}

/* ---------------------------------------------------------------------
 * Slot operations
 * ---------------------------------------------------------------------
 */

static uint64 slotsMade = 0;

/* See slot.h. */
uint64
RetlSlotsMade(void)
{
	return slotsMade;
}

/* TupleTableSlotOps.init: the memory is zero, which is all it takes. */
static void
SlotInit(TupleTableSlot *slot)
{
	slotsMade++;
	HEAP_SLOT_OPS->init(slot);
}

/* TupleTableSlotOps.release: the slot has been cleared. */
static void
SlotRelease(TupleTableSlot *slot)
{
	RetlTupleSlot   *rslot = (RetlTupleSlot *) slot;

	EmptyRoom(rslot);
	if (rslot->data != NULL)
		pfree(rslot->data);
	if (rslot->refs != NULL)
		pfree(rslot->refs);
	rslot->data = NULL;
	rslot->dataSize = 0;
	rslot->refs = NULL;
	rslot->refsOf = NULL;
	HEAP_SLOT_OPS->release(slot);
}

/* TupleTableSlotOps.clear: the room for values is kept unless it is large. */
static void
SlotClear(TupleTableSlot *slot)
{
	RetlTupleSlot   *rslot = (RetlTupleSlot *) slot;

	Unlink(rslot);
	rslot->source = NULL;
	rslot->fetchFrom = NULL;
	rslot->incomplete = false;
	rslot->hasHeader = false;
	rslot->copied = false;
	EmptyRoom(rslot);
	if (rslot->dataSize > KEPT_DATA_SIZE)
	{
		pfree(rslot->data);
		rslot->data = NULL;
		rslot->dataSize = 0;
	}
	HEAP_SLOT_OPS->clear(slot);
}

/*
 * TupleTableSlotOps.getsomeattrs.  Values that were stored are all there; those
 * copied from a narrower slot lack some, which the caller fills in.
 */
static void
SlotGetSomeAttrs(TupleTableSlot *slot, int natts)
{
	RetlTupleSlot   *rslot = (RetlTupleSlot *) slot;

	if (HasTuple(slot))
		HEAP_SLOT_OPS->getsomeattrs(slot, natts);
	else if (rslot->fetchFrom != NULL)
		FetchValues(rslot, natts);
	else if (rslot->scan != NULL)
	{
		RetlTableScanGetColumns(rslot->scan, slot->tts_tupleDescriptor, slot->tts_nvalid, natts,
								slot->tts_values, slot->tts_isnull);
		slot->tts_nvalid = natts;
	}
	else if (rslot->source != NULL)
	{
		rslot->source->getColumns(rslot->source, slot->tts_nvalid, natts,
								  slot->tts_values, slot->tts_isnull);
		slot->tts_nvalid = natts;
	}
}

/* Make a heap tuple header look like that of the row. */
static void
CopyHeader(const RetlTupleSlot *slot, HeapTuple tuple)
{
	const TupleTableSlot *base = &slot->heap.base.base;

	tuple->t_self = base->tts_tid;
	tuple->t_tableOid = base->tts_tableOid;
	if (!slot->hasHeader)
		return;
	tuple->t_data->t_choice.t_heap = slot->header.t_choice.t_heap;
	tuple->t_data->t_infomask |= slot->header.t_infomask & HEAP_XACT_MASK;
	tuple->t_data->t_ctid = base->tts_tid;
}

/*
 * Find out who has locked, updated or deleted the row of a row group that is in
 * the slot.  Only who asks for it pays for it.
 */
static void
FindXmax(RetlTupleSlot *slot)
{
	TupleTableSlot *base = &slot->heap.base.base;
	Relation	rel;
	RetlGroup	group;
	uint32		row;

	if (!RetlTidIsColumnar(&base->tts_tid) || !OidIsValid(base->tts_tableOid))
		return;
	rel = RelationIdGetRelation(base->tts_tableOid);
	if (!RelationIsValid(rel))
		return;
	if (RetlFindRowGroup(rel, &base->tts_tid, &group, &row))
		RetlRowGetXmax(rel, &group.entry, row, &slot->header);
	RelationClose(rel);
}

/* TupleTableSlotOps.getsysattr */
static Datum
SlotGetSysAttr(TupleTableSlot *slot, int attnum, bool *isnull)
{
	RetlTupleSlot   *rslot = (RetlTupleSlot *) slot;
	HeapTupleData tuple;

	/* without either, the error is theirs */
	if (HasTuple(slot) || !rslot->hasHeader)
		return HEAP_SLOT_OPS->getsysattr(slot, attnum, isnull);
	if (rslot->fetchFrom != NULL && OpenFetched(rslot))
		RetlFetchInserter(&rslot->header);
	if (attnum == MaxTransactionIdAttributeNumber || attnum == MaxCommandIdAttributeNumber)
		FindXmax(rslot);
	tuple.t_len = SizeofHeapTupleHeader;
	tuple.t_self = slot->tts_tid;
	tuple.t_tableOid = slot->tts_tableOid;
	tuple.t_data = &rslot->header;
	return heap_getsysattr(&tuple, attnum, slot->tts_tupleDescriptor, isnull);
}

/*
 * TupleTableSlotOps.is_current_xact_tuple: was the row inserted by the running
 * transaction?  Foreign keys of PostgreSQL 17 and later ask the slot itself.
 */
static bool pg_attribute_unused()
SlotIsCurrentXactTuple(TupleTableSlot *slot)
{
	bool		isnull;
	Datum		xmin = SlotGetSysAttr(slot, MinTransactionIdAttributeNumber, &isnull);

	return TransactionIdIsCurrentTransactionId(DatumGetTransactionId(xmin));
}

/* TupleTableSlotOps.materialize */
static void
SlotMaterialize(TupleTableSlot *slot)
{
	RetlTupleSlot   *rslot = (RetlTupleSlot *) slot;

	Assert(!TTS_EMPTY(slot));
	if (HasTuple(slot))
		HEAP_SLOT_OPS->materialize(slot);
	else if (rslot->fetchFrom != NULL)
		CompleteFetched(rslot);
	else if (!rslot->copied)
	{
		if (rslot->scan != NULL || rslot->source != NULL)
			slot_getallattrs(slot);
		CopyValues(rslot);
		Unlink(rslot);
		rslot->source = NULL;
	}
}

/* TupleTableSlotOps.copy_heap_tuple */
static HeapTuple
SlotCopyHeapTuple(TupleTableSlot *slot)
{
	HeapTuple	tuple;

	Assert(!TTS_EMPTY(slot));
	if (HasTuple(slot))
		return HEAP_SLOT_OPS->copy_heap_tuple(slot);
	GetAllAttrs(slot);
	tuple = heap_form_tuple(slot->tts_tupleDescriptor, slot->tts_values, slot->tts_isnull);
	CopyHeader((RetlTupleSlot *) slot, tuple);
	return tuple;
}

/* TupleTableSlotOps.get_heap_tuple: from now on the slot has a heap tuple. */
static HeapTuple
SlotGetHeapTuple(TupleTableSlot *slot)
{
	RetlTupleSlot   *rslot = (RetlTupleSlot *) slot;

	Assert(!TTS_EMPTY(slot));
	if (!HasTuple(slot))
	{
		MemoryContext oldContext = MemoryContextSwitchTo(slot->tts_mcxt);
		HeapTuple	tuple = SlotCopyHeapTuple(slot);

		MemoryContextSwitchTo(oldContext);
		Unlink(rslot);
		rslot->source = NULL;
		rslot->copied = false;
		EmptyRoom(rslot);
		rslot->heap.base.tuple = tuple;
		rslot->heap.base.off = 0;
		slot->tts_nvalid = 0;
		slot->tts_flags |= TTS_FLAG_SHOULDFREE;
	}
	return rslot->heap.base.tuple;
}

/* TupleTableSlotOps.copy_minimal_tuple */
static MinimalTuple
SlotCopyMinimalTuple(TupleTableSlot *slot RETL_MINIMAL_TUPLE_PARAM)
{
	Assert(!TTS_EMPTY(slot));
	if (HasTuple(slot))
		return HEAP_SLOT_OPS->copy_minimal_tuple(slot RETL_MINIMAL_TUPLE_ARG);
	GetAllAttrs(slot);
	return heap_form_minimal_tuple(slot->tts_tupleDescriptor, slot->tts_values,
								   slot->tts_isnull RETL_MINIMAL_TUPLE_ARG);
}

/*
 * TupleTableSlotOps.copyslot.  Heap tuples are copied, or referred to in their
 * buffer, so that system columns are kept; of all others the values are copied.
 */
static void
SlotCopySlot(TupleTableSlot *dst, TupleTableSlot *src)
{
	RetlTupleSlot   *rdst = (RetlTupleSlot *) dst;
	RetlTupleSlot   *rsrc = (RetlTupleSlot *) src;
	int			natts = src->tts_tupleDescriptor->natts;

	Assert(natts <= dst->tts_tupleDescriptor->natts);
	ExecClearTuple(dst);
	if (TTS_IS_HEAPTUPLE(src) || TTS_IS_BUFFERTUPLE(src) ||
		(RetlIsSlot(src) && HasTuple(src)))
		HEAP_SLOT_OPS->copyslot(dst, src);
	else
	{
		GetAllAttrs(src);
		memcpy(dst->tts_values, src->tts_values, sizeof(Datum) * natts);
		memcpy(dst->tts_isnull, src->tts_isnull, sizeof(bool) * natts);
		dst->tts_nvalid = natts;
		dst->tts_flags &= ~TTS_FLAG_EMPTY;
		CopyValues(rdst);
		if (RetlIsSlot(src) && rsrc->hasHeader)
		{
			rdst->hasHeader = true;
			rdst->header = rsrc->header;
		}
	}
	dst->tts_tid = src->tts_tid;
	dst->tts_tableOid = src->tts_tableOid;
}

const TupleTableSlotOps RetlSlotOps = {
	.base_slot_size = sizeof(RetlTupleSlot),
	.init = SlotInit,
	.release = SlotRelease,
	.clear = SlotClear,
	.getsomeattrs = SlotGetSomeAttrs,
	.getsysattr = SlotGetSysAttr,
	RETL_SLOT_IS_CURRENT(SlotIsCurrentXactTuple)
	.materialize = SlotMaterialize,
	.copyslot = SlotCopySlot,
	.get_heap_tuple = SlotGetHeapTuple,
	.get_minimal_tuple = NULL,
	.copy_heap_tuple = SlotCopyHeapTuple,
	.copy_minimal_tuple = SlotCopyMinimalTuple,
};

/* ---------------------------------------------------------------------
 * Storing rows
 * ---------------------------------------------------------------------
 */

/* See slot.h.  Consecutive rows are often in the same buffer: the pin is kept then. */
void
RetlSlotStoreHeapTuple(TupleTableSlot *slot, const HeapTupleData *tuple, Buffer buffer)
{
	BufferHeapTupleTableSlot *hslot = (BufferHeapTupleTableSlot *) slot;

	Assert(RetlIsSlot(slot) && BufferIsValid(buffer));
	if (hslot->buffer != buffer)
	{
		ExecClearTuple(slot);
		IncrBufferRefCount(buffer);
		hslot->buffer = buffer;
	}
	hslot->base.tupdata = *tuple;
	hslot->base.tuple = &hslot->base.tupdata;
	hslot->base.off = 0;
	slot->tts_nvalid = 0;
	slot->tts_flags &= ~TTS_FLAG_EMPTY;
	slot->tts_tid = tuple->t_self;
	slot->tts_tableOid = tuple->t_tableOid;
}

/* See slot.h. */
HeapTuple
RetlSlotGetBufferTuple(TupleTableSlot *slot, Buffer *buffer)
{
	BufferHeapTupleTableSlot *hslot = (BufferHeapTupleTableSlot *) slot;

	Assert(RetlIsSlot(slot));
	*buffer = hslot->buffer;
	return BufferIsValid(hslot->buffer) ? hslot->base.tuple : NULL;
}

/* Give the row in the slot the identity and the inserter of a columnar one. */
static void
SetIdentity(RetlTupleSlot *slot, const ItemPointerData *tid, Oid tableOid,
			const HeapTupleHeaderData *anchor)
{
	slot->heap.base.base.tts_tid = *tid;
	slot->heap.base.base.tts_tableOid = tableOid;
	slot->hasHeader = true;
	slot->header.t_choice.t_heap = anchor->t_choice.t_heap;
	slot->header.t_infomask = anchor->t_infomask & HEAP_XACT_MASK;
	slot->header.t_infomask2 = 0;
	slot->header.t_ctid = *tid;
}

/* See slot.h. */
void
RetlSlotStoreSourceRow(TupleTableSlot *slot, RetlSlotSource *source, const ItemPointerData *tid,
					   Oid tableOid, const HeapTupleHeaderData *anchor)
{
	RetlTupleSlot   *rslot = (RetlTupleSlot *) slot;

	Assert(RetlIsSlot(slot));
	ExecClearTuple(slot);
	slot->tts_flags &= ~TTS_FLAG_EMPTY;
	SetIdentity(rslot, tid, tableOid, anchor);
	rslot->source = source;
}

/* See slot.h. */
void
RetlSlotStoreScanRow(TupleTableSlot *slot, RetlTableScan *scan, const RetlScanRow *row,
					 Oid tableOid, TupleTableSlot **holder)
{
	RetlTupleSlot   *rslot = (RetlTupleSlot *) slot;

	Assert(RetlIsSlot(slot) && !row->inRowStore && *holder == NULL);
	ExecClearTuple(slot);
	slot->tts_flags &= ~TTS_FLAG_EMPTY;
	SetIdentity(rslot, &row->tid, tableOid, row->anchor);
	rslot->scan = scan;
	rslot->holder = holder;
	*holder = slot;
}

/* See slot.h. */
void
RetlSlotStoreFetchedRow(TupleTableSlot *slot, Relation rel, const ItemPointerData *tid,
						const HeapTupleHeaderData *anchor)
{
	RetlTupleSlot   *rslot = (RetlTupleSlot *) slot;
	ItemPointerData place = *tid;	/* may be the slot's own, which is cleared */

	Assert(RetlIsSlot(slot));
	ExecClearTuple(slot);
	slot->tts_flags &= ~TTS_FLAG_EMPTY;
	SetIdentity(rslot, &place, RelationGetRelid(rel), anchor);
	rslot->fetchFrom = rel;
}

/* See slot.h. */
void
RetlSlotSetNeeded(TupleTableSlot *slot, const Bitmapset *needed)
{
	Assert(RetlIsSlot(slot) && TTS_EMPTY(slot));
	((RetlTupleSlot *) slot)->needed = needed;
}

/* See slot.h. */
void
RetlSlotLeaveScan(TupleTableSlot *slot)
{
	if (((RetlTupleSlot *) slot)->scan != NULL)
		SlotMaterialize(slot);
}

/* See slot.h. */
void
RetlSlotSetStored(TupleTableSlot *slot, const ItemPointerData *tid, Oid tableOid,
				  const HeapTupleHeaderData *header)
{
	RetlTupleSlot   *rslot = (RetlTupleSlot *) slot;
	HeapTuple	tuple = rslot->heap.base.tuple;

	Assert(RetlIsSlot(slot) && (tuple == NULL || TTS_SHOULDFREE(slot)));
	SetIdentity(rslot, tid, tableOid, header);
	if (tuple == NULL)
		return;
	/* a tuple, which a trigger has made, has to tell who has locked the row */
	FindXmax(rslot);
	tuple->t_self = *tid;
	tuple->t_tableOid = tableOid;
	tuple->t_data->t_choice.t_heap = rslot->header.t_choice.t_heap;
	tuple->t_data->t_infomask = (tuple->t_data->t_infomask & ~HEAP_XACT_MASK) |
		(rslot->header.t_infomask & HEAP_XACT_MASK);
	tuple->t_data->t_ctid = *tid;
}

/* See slot.h. */
void
RetlSlotSetInserted(TupleTableSlot *slot, const ItemPointerData *tid, Oid tableOid,
					TransactionId xid, CommandId cid)
{
	RetlTupleSlot   *rslot = (RetlTupleSlot *) slot;
	HeapTuple	tuple;
	HeapTupleHeader header;

	Assert(RetlIsSlot(slot));
	/* the row of another table, as its scan found it: not to be written to */
	if (HasTuple(slot) && !TTS_SHOULDFREE(slot))
		SlotMaterialize(slot);
	tuple = rslot->heap.base.tuple;
	header = tuple != NULL ? tuple->t_data : &rslot->header;
	if (tuple == NULL)
	{
		memset(header, 0, SizeofHeapTupleHeader);
		rslot->hasHeader = true;
	}
	else
	{
		tuple->t_self = *tid;
		tuple->t_tableOid = tableOid;
	}
	HeapTupleHeaderSetXmin(header, xid);
	HeapTupleHeaderSetCmin(header, cid);
	HeapTupleHeaderSetXmax(header, InvalidTransactionId);
	slot->tts_tid = *tid;
	slot->tts_tableOid = tableOid;
}
