/*-------------------------------------------------------------------------
 *
 * slot.h
 *	  Slots of the table access method.
 *
 * A slot holds one of
 *
 *	- a heap tuple, in a pinned buffer or of its own, like a buffer heap slot,
 *	- values, somewhere else or copied, like a virtual slot, but with system
 *	  columns if they are known,
 *	- the current row of a scan, of which columns are fetched when they are
 *	  asked for.  When the scan moves on, the row is copied,
 *	- a row of a row group that was fetched by its TID: the same, but it depends
 *	  on nothing but the table, which must stay open,
 *	- a row whose columns somebody else gives when they are asked for, and who
 *	  clears the slot before they are gone.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_SLOT_H
#define RETLDB_SLOT_H

#include "postgres.h"

#include "access/htup_details.h"
#include "executor/tuptable.h"
#include "nodes/bitmapset.h"
#include "storage/buf.h"
#include "utils/relcache.h"

#include "visibility/table_scan.h"

extern const TupleTableSlotOps RetlSlotOps;

/* Is this a slot of the access method? */
static inline bool
RetlIsSlot(const TupleTableSlot *slot)
{
	return slot->tts_ops == &RetlSlotOps;
}

/* How many such slots were made in this process: have nodes of retldb tables been? */
extern uint64 RetlSlotsMade(void);

/*
 * Have all values of this slot, of any kind, been copied to its room, where
 * RETLDB_VALUE_PADDING bytes may be read from the beginning of each, and after its end?
 */
extern bool RetlSlotIsPadded(const TupleTableSlot *slot);

/* All functions below take such slots only. */

/* Store a heap tuple that is in a pinned buffer; the slot pins it as well. */
extern void RetlSlotStoreHeapTuple(TupleTableSlot *slot, const HeapTupleData *tuple,
								   Buffer buffer);

/* The heap tuple and its buffer, if it has one that is in a buffer. */
extern HeapTuple RetlSlotGetBufferTuple(TupleTableSlot *slot, Buffer *buffer);

/*
 * Store a row of a row group that is there for the caller, by its TID; no column
 * is read now.
 */
extern void RetlSlotStoreFetchedRow(TupleTableSlot *slot, Relation rel,
									const ItemPointerData *tid,
									const HeapTupleHeaderData *anchor);

/* Who gives the columns of a row: from number "from" (from 0) to "to", the latter excluded. */
typedef struct RetlSlotSource
{
	void		(*getColumns) (struct RetlSlotSource *source, int from, int to,
							   Datum *values, bool *isnull);
} RetlSlotSource;

/* Store a row of a row group whose columns the source gives as long as it is in the slot. */
extern void RetlSlotStoreSourceRow(TupleTableSlot *slot, RetlSlotSource *source,
								   const ItemPointerData *tid, Oid tableOid,
								   const HeapTupleHeaderData *anchor);

/*
 * Of rows that are fetched by TID, nobody will ever ask this (empty) slot for
 * others than these attributes, but for copies of whole rows; NULL: for all.  The
 * set must live as long as the slot.
 */
extern void RetlSlotSetNeeded(TupleTableSlot *slot, const Bitmapset *needed);

/*
 * Store the current row of a scan, one of a row group.  *holder is set to the
 * slot as long as it depends on the scan: before the scan moves or ends, its
 * user calls RetlSlotLeaveScan for that slot.
 */
extern void RetlSlotStoreScanRow(TupleTableSlot *slot, RetlTableScan *scan,
								 const RetlScanRow *row, Oid tableOid,
								 TupleTableSlot **holder);

/* Make the slot independent of its scan. */
extern void RetlSlotLeaveScan(TupleTableSlot *slot);

/* Give the values in the slot the identity of a row that is there, and its inserter. */
extern void RetlSlotSetStored(TupleTableSlot *slot, const ItemPointerData *tid, Oid tableOid,
							  const HeapTupleHeaderData *header);

/* Say who inserted the row in the slot. */
extern void RetlSlotSetInserted(TupleTableSlot *slot, const ItemPointerData *tid, Oid tableOid,
								TransactionId xid, CommandId cid);

#endif							/* RETLDB_SLOT_H */
