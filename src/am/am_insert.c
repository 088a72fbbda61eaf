/*-------------------------------------------------------------------------
 *
 * am_insert.c
 *	  Table access method: inserting rows.
 *
 * write_buffer.c says which rows go where; here they are handed over.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/xact.h"
#include "utils/rel.h"

#include "am/retldb_am.h"
#include "am/slot.h"
#include "am/write_buffer.h"

/*
 * Make the slot's row look inserted, for RETURNING system columns: the row
 * itself is in the row group.
 */
static void
FinishSlot(Relation rel, TupleTableSlot *slot, CommandId cid)
{
	ItemPointerData tid = slot->tts_tid;

	if (RetlIsSlot(slot))
		RetlSlotSetInserted(slot, &tid, RelationGetRelid(rel), GetCurrentTransactionId(), cid);
}

/*
 * Insert one row.
 */
void
retldb_tuple_insert(Relation rel, TupleTableSlot *slot, CommandId cid, int options,
					struct BulkInsertStateData *bistate)
{
	bool		shouldFree;
	HeapTuple	tuple;

	if (RetlWriteRouteRows(rel, cid, 1) == 0)
	{
		RetlWriteRows(rel, &slot, 1, cid, options);
		FinishSlot(rel, slot, cid);
		return;
	}

	/* as heapam_tuple_insert */
	tuple = ExecFetchSlotHeapTuple(slot, true, &shouldFree);
	slot->tts_tableOid = RelationGetRelid(rel);
	tuple->t_tableOid = slot->tts_tableOid;
	heap_insert(rel, tuple, cid, options, bistate);
	ItemPointerCopy(&tuple->t_self, &slot->tts_tid);
	if (shouldFree)
		pfree(tuple);
}

/*
 * Insert a row that others take for a promise until it is completed, for INSERT
 * ... ON CONFLICT.  It goes to the row store, whose tuples have room for the
 * token; as heapam_tuple_insert_speculative.
 */
void
retldb_tuple_insert_speculative(Relation rel, TupleTableSlot *slot, CommandId cid, int options,
								struct BulkInsertStateData *bistate, uint32 specToken)
{
	bool		shouldFree;
	HeapTuple	tuple = ExecFetchSlotHeapTuple(slot, true, &shouldFree);

	slot->tts_tableOid = RelationGetRelid(rel);
	tuple->t_tableOid = slot->tts_tableOid;
	HeapTupleHeaderSetSpeculativeToken(tuple->t_data, specToken);
	heap_insert(rel, tuple, cid, options | HEAP_INSERT_SPECULATIVE, bistate);
	ItemPointerCopy(&tuple->t_self, &slot->tts_tid);
	if (shouldFree)
		pfree(tuple);
}

/*
 * The promise is kept, or there was a conflict and the row never was.
 */
void
retldb_tuple_complete_speculative(Relation rel, TupleTableSlot *slot, uint32 specToken,
								  bool succeeded)
{
	(void) specToken;
	if (succeeded)
		heap_finish_speculative(rel, &slot->tts_tid);
	else
		heap_abort_speculative(rel, &slot->tts_tid);
}

/*
 * Insert many rows.
 */
void
retldb_multi_insert(Relation rel, TupleTableSlot **slots, int nslots, CommandId cid,
					int options, struct BulkInsertStateData *bistate)
{
	int			rowStore = RetlWriteRouteRows(rel, cid, nslots);

	if (rowStore > 0)
		heap_multi_insert(rel, slots, rowStore, cid, options, bistate);
	if (rowStore < nslots)
		RetlWriteRows(rel, slots + rowStore, nslots - rowStore, cid, options);
}

/*
 * A bulk insert into this table is done.
 */
void
retldb_finish_bulk_insert(Relation rel, int options)
{
	(void) options;
	RetlWriteFinishBulkInsert(rel);
}
