/*-------------------------------------------------------------------------
 *
 * convert_copy.c
 *	  The copy of a table that is being converted, and its catching up.
 *
 * The rows that a snapshot sees are copied in the order of their TIDs, and the
 * copies get TIDs in the same order.  While that snapshot is held, no row that it
 * sees loses its TID, and no TID of such a row is given to another.  So later
 * two scans of the table, under the first and under a later snapshot, merged by
 * TID, tell what has become of each row, and a scan of the copy that keeps
 * step with the first of them tells where the row's copy is.  No key is needed,
 * and nothing has to be written down about changes while they happen.
 *
 * Both kinds of table that are converted, heap and ours, scan in the order of
 * TIDs when scans do not have to begin in the middle (allow_sync), and give
 * ascending TIDs to rows that are added without looking for free space.  That
 * is checked for each row all the same.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "utils/backend_progress.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "sql/convert.h"

/* Rows between reports of progress; a power of two. */
#define REPORT_ROWS		1024

/* Where copies are put. */
typedef struct Sink
{
	Relation	to;
	TupleTableSlot *slot;
	CommandId	cid;
	BulkInsertState bulk;
} Sink;

/* A scan, and the row it is at. */
typedef struct Cursor
{
	TableScanDesc scan;
	TupleTableSlot *slot;
	bool		atRow;			/* false at the end */
} Cursor;

/* ---------------------------------------------------------------------
 * Writing copies
 * ---------------------------------------------------------------------
 */

/* Begin to write rows into the copy. */
static void
BeginSink(Sink *sink, Relation to)
{
	sink->to = to;
	sink->slot = table_slot_create(to, NULL);
	sink->cid = GetCurrentCommandId(true);
	sink->bulk = GetBulkInsertState();
}

/* What was written becomes visible to commands that follow. */
static void
EndSink(Sink *sink)
{
	FreeBulkInsertState(sink->bulk);
	table_finish_bulk_insert(sink->to, TABLE_INSERT_SKIP_FSM);
	ExecDropSingleTupleTableSlot(sink->slot);
	CommandCounterIncrement();
}

/*
 * Copy a row.  Dropped columns become null: of what they were nobody knows the
 * type any more.
 */
static void
CopyRow(Sink *sink, TupleTableSlot *row)
{
	TupleTableSlot *slot = sink->slot;
	TupleDesc	tupdesc = slot->tts_tupleDescriptor;

	ExecClearTuple(slot);
	slot_getallattrs(row);
	memcpy(slot->tts_values, row->tts_values, sizeof(Datum) * tupdesc->natts);
	memcpy(slot->tts_isnull, row->tts_isnull, sizeof(bool) * tupdesc->natts);
	for (int i = 0; i < tupdesc->natts; i++)
	{
		if (TupleDescAttr(tupdesc, i)->attisdropped)
			slot->tts_isnull[i] = true;
	}
	ExecStoreVirtualTuple(slot);
	table_tuple_insert(sink->to, slot, sink->cid, TABLE_INSERT_SKIP_FSM, sink->bulk);
}

/*
 * Raise an error unless the latest copy has a TID beyond the one before.
 */
static void
CheckOrder(Sink *sink, ItemPointer last)
{
	ItemPointer tid = &sink->slot->tts_tid;

	if (ItemPointerIsValid(last) && ItemPointerCompare(last, tid) >= 0)
		elog(ERROR, "copies of rows of table \"%s\" are not in order",
			 RelationGetRelationName(sink->to));
	*last = *tid;
}

/* ---------------------------------------------------------------------
 * Reading
 * ---------------------------------------------------------------------
 */

/* Go to the next row, or the end. */
static void
NextRow(Cursor *cursor)
{
	cursor->atRow = table_scan_getnextslot(cursor->scan, ForwardScanDirection, cursor->slot);
}

/* Begin a scan in the order of TIDs, at its first row. */
static void
BeginCursor(Cursor *cursor, Relation rel, Snapshot snapshot)
{
	cursor->slot = table_slot_create(rel, NULL);
	cursor->scan = table_beginscan_strat(rel, snapshot, 0, NULL, true, false);
	NextRow(cursor);
}

/* End a scan. */
static void
EndCursor(Cursor *cursor)
{
	table_endscan(cursor->scan);
	ExecDropSingleTupleTableSlot(cursor->slot);
}

/* See convert.h. */
uint64
RetlConvertCopy(Relation from, Relation to, Snapshot snapshot)
{
	MemoryContext rowContext = AllocSetContextCreate(CurrentMemoryContext, "retldb conversion",
													 ALLOCSET_DEFAULT_SIZES);
	ItemPointerData last;
	uint64		rows = 0;
	Cursor		cursor;
	Sink		sink;

	ItemPointerSetInvalid(&last);
	BeginSink(&sink, to);
	for (BeginCursor(&cursor, from, snapshot); cursor.atRow; NextRow(&cursor))
	{
		MemoryContext oldContext = MemoryContextSwitchTo(rowContext);

		CHECK_FOR_INTERRUPTS();
		CopyRow(&sink, cursor.slot);
		CheckOrder(&sink, &last);
		MemoryContextSwitchTo(oldContext);
		MemoryContextReset(rowContext);
		if (++rows % REPORT_ROWS == 0)
			pgstat_progress_update_param(RETL_CONVERT_ROWS_COPIED, (int64) rows);
	}
	pgstat_progress_update_param(RETL_CONVERT_ROWS_COPIED, (int64) rows);
	EndCursor(&cursor);
	EndSink(&sink);
	MemoryContextDelete(rowContext);
	return rows;
}

/* ---------------------------------------------------------------------
 * Catching up
 * ---------------------------------------------------------------------
 */

/*
 * Which of two cursors has the row with the smaller TID?  Negative: the first.  One
 * of them must be at a row.
 */
static int
CompareCursors(const Cursor *one, const Cursor *other)
{
	if (!one->atRow || !other->atRow)
		return one->atRow ? -1 : 1;
	return ItemPointerCompare(&one->slot->tts_tid, &other->slot->tts_tid);
}

/* The copies are as many as the rows they were made of: else nothing may be changed. */
static void
CheckInStep(const Cursor *row, const Cursor *copy)
{
	if (row->atRow != copy->atRow)
		elog(ERROR, "copies of rows of table \"%s\" do not match",
			 RelationGetRelationName(row->scan->rs_rd));
}

/* See convert.h. */
int64
RetlConvertCatchUp(Relation from, Relation to, Snapshot before, Snapshot after)
{
	MemoryContext rowContext = AllocSetContextCreate(CurrentMemoryContext, "retldb conversion",
													 ALLOCSET_DEFAULT_SIZES);
	Snapshot	copies = RegisterSnapshot(GetLatestSnapshot());
	uint64		compared = 0;
	uint64		removed = 0;
	uint64		added = 0;
	Cursor		old;
	Cursor		new;
	Cursor		copy;
	Sink		sink;

	BeginCursor(&old, from, before);
	BeginCursor(&new, from, after);
	BeginCursor(&copy, to, copies);
	BeginSink(&sink, to);
	for (CheckInStep(&old, &copy); old.atRow || new.atRow; CheckInStep(&old, &copy))
	{
		int			order = CompareCursors(&old, &new);
		MemoryContext oldContext = MemoryContextSwitchTo(rowContext);

		CHECK_FOR_INTERRUPTS();
		if (order < 0)
		{
			simple_table_tuple_delete(to, &copy.slot->tts_tid, copies);
			removed++;
		}
		else if (order > 0)
		{
			CopyRow(&sink, new.slot);
			added++;
		}
		MemoryContextSwitchTo(oldContext);
		MemoryContextReset(rowContext);

		if (order <= 0)
		{
			NextRow(&old);
			NextRow(&copy);
		}
		if (order >= 0)
			NextRow(&new);
		if (++compared % REPORT_ROWS == 0)
			pgstat_progress_update_param(RETL_CONVERT_ROWS_COMPARED, (int64) compared);
	}
	pgstat_progress_update_param(RETL_CONVERT_ROWS_COMPARED, (int64) compared);
	pgstat_progress_update_param(RETL_CONVERT_ROWS_REMOVED, (int64) removed);
	pgstat_progress_update_param(RETL_CONVERT_ROWS_ADDED, (int64) added);
	ereport(DEBUG1,
			(errmsg_internal("conversion of table \"%s\" catches up: %llu rows removed, %llu added",
							 RelationGetRelationName(from), (unsigned long long) removed,
							 (unsigned long long) added)));
	EndCursor(&old);
	EndCursor(&new);
	EndCursor(&copy);
	EndSink(&sink);
	UnregisterSnapshot(copies);
	MemoryContextDelete(rowContext);
	return (int64) added - (int64) removed;
}
