/*-------------------------------------------------------------------------
 *
 * am_index.c
 *	  Table access method: fetching the rows that index entries name.
 *
 * Rows of the row store are fetched as heap does it, HOT chains included; anchors
 * and stubs are no rows.  A row of a row group is there if anchor and stub say so,
 * for snapshots of any kind: its columns are not looked at for that.
 *
 * A row may be asked for while its group is in the memory of the backend that
 * inserts it.  Its anchor decides then as well.  Snapshots that do not see such a
 * row belong to others; a dirty one is told whom to wait for.  Of the inserting
 * backend's own snapshots, those for queries have the group written.  Unique
 * checks ask while an index page is locked, when nothing may be written; but they
 * do not look at columns.
 *
 * A scan with a dirty snapshot may have read the index before compaction made its
 * entries, and look at the row when it has been moved: it finds the row where the
 * links lead.  It may meet it twice, which does no harm to those who look for
 * conflicts, or for one row.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/relscan.h"
#include "storage/bufmgr.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "am/retldb_am.h"
#include "am/slot.h"
#include "am/write_buffer.h"
#include "visibility/anchor.h"
#include "visibility/group_move.h"
#include "visibility/row_fetch.h"
#include "visibility/stub.h"
#include "visibility/row_move.h"
#include "visibility/unseen_moves.h"

/* What fetches for one index scan share. */
typedef struct RetlIndexFetch
{
	IndexFetchTableData base;
	Buffer		buffer;			/* of the row store, pinned, or invalid */
} RetlIndexFetch;

/*
 * Begin to fetch.  Called with an index page locked at times.
 */
struct IndexFetchTableData *
retldb_index_fetch_begin(Relation rel)
{
	RetlIndexFetch *fetch = palloc0(sizeof(RetlIndexFetch));

	fetch->base.rel = rel;
	fetch->buffer = InvalidBuffer;
	return &fetch->base;
}

void
retldb_index_fetch_reset(struct IndexFetchTableData *data)
{
	RetlIndexFetch *fetch = (RetlIndexFetch *) data;

	if (BufferIsValid(fetch->buffer))
		ReleaseBuffer(fetch->buffer);
	fetch->buffer = InvalidBuffer;
}

void
retldb_index_fetch_end(struct IndexFetchTableData *data)
{
	RetlIndexFetch *fetch = (RetlIndexFetch *) data;

	retldb_index_fetch_reset(data);
	pfree(fetch);
}

/*
 * Fetch a row of the row store, as heapam_index_fetch_tuple.
 */
static bool
FetchHeapRow(RetlIndexFetch *fetch, ItemPointer tid, Snapshot snapshot, TupleTableSlot *slot,
			 bool *call_again, bool *all_dead)
{
	Relation	rel = fetch->base.rel;
	HeapTupleData tuple;
	bool		found;

	if (!*call_again)
	{
		Buffer		previous = fetch->buffer;

		fetch->buffer = ReleaseAndReadBuffer(fetch->buffer, rel, ItemPointerGetBlockNumber(tid));
		if (fetch->buffer != previous)
			RetlPagePruneOpt(rel, fetch->buffer);
	}
	LockBuffer(fetch->buffer, BUFFER_LOCK_SHARE);
	found = heap_hot_search_buffer(tid, rel, fetch->buffer, snapshot, &tuple, all_dead,
								   !*call_again) &&
		!RetlTupleIsMarked(tuple.t_data);
	LockBuffer(fetch->buffer, BUFFER_LOCK_UNLOCK);

	/* with other snapshots, several versions of a HOT chain may be visible */
	*call_again = found && !IsMVCCSnapshot(snapshot);
	if (found && !RetlStoreRowStays(rel, &tuple, fetch->buffer, snapshot, true))
		found = false;
	if (found)
	{
		tuple.t_self = *tid;
		tuple.t_tableOid = RelationGetRelid(rel);
		RetlSlotStoreHeapTuple(slot, &tuple, fetch->buffer);
	}
	return found;
}

/*
 * Fetch a row of a row group.  A group that is still in memory is written if one
 * of our own queries sees it; what others cannot see, their queries do not get.
 */
static bool
FetchColumnarRow(Relation rel, ItemPointer tid, Snapshot snapshot, TupleTableSlot *slot,
				 bool *all_dead)
{
	HeapTupleHeaderData anchor;
	RetlFetched result = RetlFetchRow(rel, tid, snapshot, &anchor, all_dead);

	if (result == RETL_FETCHED_NONE)
		return false;
	if (result == RETL_FETCHED_UNWRITTEN && IsMVCCSnapshot(snapshot))
		RetlWriteFlushForRead(rel);
	RetlSlotStoreFetchedRow(slot, rel, tid, &anchor);
	return true;
}

/*
 * A dirty snapshot has not found a row of a row group: fetch it where it has been
 * moved, if it was.
 */
static bool
FetchMovedRow(Relation rel, const ItemPointerData *tid, Snapshot snapshot, TupleTableSlot *slot)
{
	ItemPointerData place = *tid;

	while (RetlFindMovedGroupRow(rel, &place, &place))
	{
		if (FetchColumnarRow(rel, &place, snapshot, slot, NULL))
			return true;
	}
	return false;
}

bool
retldb_index_fetch_tuple(struct IndexFetchTableData *data, ItemPointer tid, Snapshot snapshot,
						 TupleTableSlot *slot, bool *call_again, bool *all_dead)
{
	RetlIndexFetch *fetch = (RetlIndexFetch *) data;
	ItemPointerData moved;

	if (!RetlTidIsColumnar(tid))
	{
		bool		first = !*call_again;

		if (FetchHeapRow(fetch, tid, snapshot, slot, call_again, all_dead))
			return true;
		/* the index entry is that of the old place, so all_dead is, too */
		return first && snapshot->snapshot_type == SNAPSHOT_DIRTY &&
			RetlFindMovedRow(fetch->base.rel, fetch->buffer, tid, &moved) &&
			(FetchColumnarRow(fetch->base.rel, &moved, snapshot, slot, NULL) ||
			 FetchMovedRow(fetch->base.rel, &moved, snapshot, slot));
	}
	*call_again = false;
	return FetchColumnarRow(fetch->base.rel, tid, snapshot, slot, all_dead) ||
		(snapshot->snapshot_type == SNAPSHOT_DIRTY &&
		 FetchMovedRow(fetch->base.rel, tid, snapshot, slot));
}
