/*-------------------------------------------------------------------------
 *
 * rewrite_tuples.c
 *	  Making a table anew: tuples of the row store.
 *
 * Here is decided what becomes of each tuple, in the way of heap's
 * relation_copy_for_cluster; those that stay tuples are copied by heap's own
 * rewrite module.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/xact.h"
#include "access/xloginsert.h"
#include "commands/progress.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/bufmgr.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "am/rewrite_state.h"
#include "base/options.h"
#include "base/settings.h"
#include "visibility/anchor.h"
#include "visibility/group_move.h"
#include "visibility/row_move.h"
#include "visibility/row_store.h"

/*
 * Point to a tuple of the old table's row store.  False if there is none.
 */
static bool
GetTuple(RetlRewrite *rewrite, Buffer buffer, OffsetNumber offset, HeapTuple tuple)
{
	return RetlPageGetTuple(rewrite->old, buffer, offset, tuple) &&
		!RetlTupleIsMarked(tuple->t_data);
}

/*
 * Is a tuple that is alive seen by everybody, and by nobody locked?
 */
static bool
IsSettled(HeapTuple tuple, TransactionId oldestXmin)
{
	HeapTupleHeader header = tuple->t_data;

	return (header->t_infomask & HEAP_XMAX_INVALID) != 0 &&
		(HeapTupleHeaderXminFrozen(header) ||
		 TransactionIdPrecedes(HeapTupleHeaderGetXmin(header), oldestXmin));
}

/*
 * What becomes of a tuple, on a page that is locked; as heap's
 * relation_copy_for_cluster decides it.
 */
RetlTupleFate
RetlRewriteDecideTuple(RetlRewrite *rewrite, HeapTuple tuple, Buffer buffer)
{
	switch (HeapTupleSatisfiesVacuum(tuple, rewrite->oldestXmin, buffer))
	{
		case HEAPTUPLE_DEAD:
			return RETL_TUPLE_DEAD;
		case HEAPTUPLE_LIVE:
			return IsSettled(tuple, rewrite->oldestXmin) ? RETL_TUPLE_SETTLED : RETL_TUPLE_KEEP;
		case HEAPTUPLE_INSERT_IN_PROGRESS:
			if (!TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetXmin(tuple->t_data)))
				elog(WARNING, "concurrent insert in progress within table \"%s\"",
					 RelationGetRelationName(rewrite->old));
			return RETL_TUPLE_KEEP;
		case HEAPTUPLE_DELETE_IN_PROGRESS:
			if (!TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetUpdateXid(tuple->t_data)))
				elog(WARNING, "concurrent delete in progress within table \"%s\"",
					 RelationGetRelationName(rewrite->old));
			/* FALLTHROUGH */
		case HEAPTUPLE_RECENTLY_DEAD:
			rewrite->recentlyDead++;
			return RETL_TUPLE_KEEP;
	}
	elog(ERROR, "unexpected HeapTupleSatisfiesVacuum result");
	return RETL_TUPLE_NONE;
}

/*
 * Read a page of the row store and decide what becomes of its tuples.  It stays
 * pinned; nobody else can change it.
 */
static Buffer
DecidePage(RetlRewrite *rewrite, BlockNumber block, OffsetNumber *max)
{
	Buffer		buffer = ReadBufferExtended(rewrite->old, MAIN_FORKNUM, block, RBM_NORMAL,
											rewrite->strategy);

	CHECK_FOR_INTERRUPTS();
	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	*max = PageGetMaxOffsetNumber(BufferGetPage(buffer));
	for (OffsetNumber offset = FirstOffsetNumber; offset <= *max; offset++)
	{
		HeapTupleData tuple;

		rewrite->fates[offset] = GetTuple(rewrite, buffer, offset, &tuple) ?
			RetlRewriteDecideTuple(rewrite, &tuple, buffer) : RETL_TUPLE_NONE;
	}
	LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
	return buffer;
}

/*
 * Has the row store more settled rows than a command would leave in it?
 */
bool
RetlRewriteRowStoreIsLarge(RetlRewrite *rewrite)
{
	RetlTableOptions options;
	uint64		limit;
	uint64		settled = 0;

	RetlTableOptionsRead(rewrite->old, &options, 0);
	limit = options.rowStoreRows != RETLDB_UNSET ? options.rowStoreRows : retldb_row_store_rows;
	for (int i = 0; i < rewrite->runCount && settled <= limit; i++)
	{
		for (uint32 n = 0; n < rewrite->runs[i].length && settled <= limit; n++)
		{
			OffsetNumber max;

			ReleaseBuffer(DecidePage(rewrite, rewrite->runs[i].start + n, &max));
			for (OffsetNumber offset = FirstOffsetNumber; offset <= max; offset++)
				settled += rewrite->fates[offset] == RETL_TUPLE_SETTLED;
		}
	}
	rewrite->recentlyDead = 0;
	return settled > limit;
}

/*
 * Take a tuple apart.  Dropped columns become null.
 */
void
RetlRewriteDeformTuple(RetlRewrite *rewrite, HeapTuple tuple)
{
	TupleDesc	tupdesc = RelationGetDescr(rewrite->old);

	heap_deform_tuple(tuple, tupdesc, rewrite->values, rewrite->isnull);
	for (int i = 0; i < tupdesc->natts; i++)
	{
		if (TupleDescAttr(tupdesc, i)->attisdropped)
			rewrite->isnull[i] = true;
	}
}

/*
 * Give the copy of a tuple to heap's rewrite module.  That does not copy that its xmax has
 * taken the key away, without which heap would let FOR KEY SHARE pass.  What it leaves
 * alone is the bit of stubs, of which the new table has none (RestoreOnPage).
 */
static void
WriteTuple(RetlRewrite *rewrite, HeapTuple tuple, HeapTuple copy)
{
	HeapTupleHeader header = tuple->t_data;

	if ((header->t_infomask2 & HEAP_KEYS_UPDATED) != 0 &&
		(header->t_infomask & HEAP_XMAX_INVALID) == 0 &&
		!HEAP_XMAX_IS_LOCKED_ONLY(header->t_infomask))
	{
		copy->t_data->t_infomask2 |= RETLDB_STUB_BIT;
		rewrite->keysGone = true;
	}
	rewrite_heap_tuple(rewrite->heap, tuple, copy);
}

/*
 * Let the tuples of a page that were marked so have lost their keys.
 */
static void
RestoreOnPage(RetlRewrite *rewrite, BlockNumber block)
{
	Buffer		buffer = ReadBufferExtended(rewrite->new, MAIN_FORKNUM, block, RBM_NORMAL,
											rewrite->strategy);
	Page		page = BufferGetPage(buffer);
	HeapTupleHeader headers[MaxHeapTuplesPerPage];
	int			count = 0;

	LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
	for (OffsetNumber offset = FirstOffsetNumber; offset <= PageGetMaxOffsetNumber(page); offset++)
	{
		ItemId		lp = PageGetItemId(page, offset);

		if (ItemIdIsNormal(lp) &&
			(((HeapTupleHeader) PageGetItem(page, lp))->t_infomask2 & RETLDB_STUB_BIT) != 0)
			headers[count++] = (HeapTupleHeader) PageGetItem(page, lp);
	}
	if (count > 0)
	{
		START_CRIT_SECTION();
		for (int i = 0; i < count; i++)
			headers[i]->t_infomask2 = (headers[i]->t_infomask2 & ~RETLDB_STUB_BIT) |
				HEAP_KEYS_UPDATED;
		MarkBufferDirty(buffer);
		if (RelationNeedsWAL(rewrite->new))
			log_newpage_buffer(buffer, true);
		END_CRIT_SECTION();
	}
	UnlockReleaseBuffer(buffer);
}

/* See rewrite_state.h. */
void
RetlRewriteRestoreKeysGone(RetlRewrite *rewrite)
{
	BlockNumber blocks = RelationGetNumberOfBlocks(rewrite->new);

	for (BlockNumber block = 0; block < blocks && rewrite->keysGone; block++)
	{
		CHECK_FOR_INTERRUPTS();
		RestoreOnPage(rewrite, block);
	}
}

/*
 * Copy a tuple with its transaction ids; also for RetlRewriteSortEnd.
 */
void
RetlRewriteKeepTuple(RetlRewrite *rewrite, HeapTuple tuple)
{
	HeapTuple	copy;

	if (rewrite->sort != NULL)
	{
		tuplesort_putheaptuple(rewrite->sort, tuple);
		return;
	}
	RetlRewriteDeformTuple(rewrite, tuple);
	copy = heap_form_tuple(RelationGetDescr(rewrite->new), rewrite->values, rewrite->isnull);
	if (RetlRewriteIsMoved(tuple))
		RetlRewriteMovedTuple(rewrite, tuple, copy);
	else
		WriteTuple(rewrite, tuple, copy);
	heap_freetuple(copy);
}

/*
 * Copy a tuple of a pinned page: as a tuple, or if it goes to a row group.
 */
void
RetlRewriteCopyTuple(RetlRewrite *rewrite, HeapTuple tuple, RetlTupleFate fate, bool tuples)
{
	if (!tuples)
	{
		if (fate != RETL_TUPLE_SETTLED)
			return;
		RetlRewriteNoteWriter(rewrite, RetlFullXid(HeapTupleHeaderGetRawXmin(tuple->t_data)));
		RetlRewriteDeformTuple(rewrite, tuple);
		RetlRewriteAddSettled(rewrite);
		RetlRewriteCountRow(rewrite);
	}
	else if (fate == RETL_TUPLE_DEAD)
	{
		rewrite->dead++;
		if (rewrite_heap_dead_tuple(rewrite->heap, tuple))
		{
			/* a tuple that was taken for recently dead is dead */
			rewrite->dead++;
			rewrite->recentlyDead--;
		}
	}
	else if (RetlRewriteIsCopiedWhereMoved(rewrite, tuple))
		rewrite->recentlyDead--;
	else if (fate == RETL_TUPLE_KEEP || !rewrite->moveRows)
	{
		RetlRewriteKeepTuple(rewrite, tuple);
		RetlRewriteCountRow(rewrite);
	}
}

/*
 * Copy one page of the row store: tuples only, or only rows that go to row
 * groups.
 */
static void
CopyPage(RetlRewrite *rewrite, BlockNumber block, bool tuples)
{
	OffsetNumber max;
	Buffer		buffer = DecidePage(rewrite, block, &max);

	for (OffsetNumber offset = FirstOffsetNumber; offset <= max; offset++)
	{
		HeapTupleData tuple;

		if (rewrite->fates[offset] != RETL_TUPLE_NONE && GetTuple(rewrite, buffer, offset, &tuple))
			RetlRewriteCopyTuple(rewrite, &tuple, rewrite->fates[offset], tuples);
	}
	ReleaseBuffer(buffer);
}

/*
 * Copy the row store: tuples only, or only rows that go to row groups.
 */
void
RetlRewriteCopyRowStore(RetlRewrite *rewrite, bool tuples)
{
	MemoryContext oldContext = MemoryContextSwitchTo(rewrite->rowContext);

	for (int i = 0; i < rewrite->runCount; i++)
	{
		for (uint32 n = 0; n < rewrite->runs[i].length; n++)
		{
			CopyPage(rewrite, rewrite->runs[i].start + n, tuples);
			MemoryContextReset(rewrite->rowContext);
			if (tuples)
				pgstat_progress_update_param(PROGRESS_CLUSTER_HEAP_BLKS_SCANNED,
											 rewrite->runs[i].start + n + 1);
		}
	}
	MemoryContextSwitchTo(oldContext);
}

/*
 * Put the columns of a row of the current group of a reader into values and
 * isnull.  Dropped columns become null.
 */
void
RetlRewriteReadGroupRow(RetlRewrite *rewrite, RetlGroupReader *reader, uint32 row)
{
	TupleDesc	tupdesc = RelationGetDescr(rewrite->old);
	uint32		vectorRows = RetlGroupReaderVectorRows(reader);

	for (int i = 0; i < tupdesc->natts; i++)
	{
		if (TupleDescAttr(tupdesc, i)->attisdropped)
		{
			rewrite->values[i] = (Datum) 0;
			rewrite->isnull[i] = true;
		}
		else
			rewrite->values[i] =
				RetlVectorGetDatum(RetlGroupReaderGetVector(reader, i + 1, row / vectorRows),
								   row % vectorRows, &rewrite->isnull[i]);
	}
}

/*
 * A row of a group was deleted or updated, and somebody may still see it: it
 * becomes a tuple, with the group's inserter and the stub's deleter, in the place
 * of the stub in a chain of versions.
 *
 * If the row was moved there, snapshots that do not see the move may see it as well, in
 * its old place, whose copy is left out (IsKeptElsewhere, rewrite_links.c).  When it was
 * moved everybody saw who had inserted it; so the one tuple is there for all who do not
 * see the deletion.
 */
static void
KeepTouchedRow(RetlRewrite *rewrite, HeapTupleHeader stub, ItemPointer tid,
			   const HeapTupleHeaderData *anchor, bool moved)
{
	HeapTupleData old;
	HeapTuple	copy = heap_form_tuple(RelationGetDescr(rewrite->new), rewrite->values,
									   rewrite->isnull);

	stub->t_infomask = (stub->t_infomask & ~HEAP_XMIN_FROZEN) |
		(moved ? HEAP_XMIN_FROZEN : anchor->t_infomask & HEAP_XMIN_FROZEN);
	HeapTupleHeaderSetXmin(stub, HeapTupleHeaderGetRawXmin(anchor));
	old.t_data = stub;
	old.t_len = RETLDB_STUB_LENGTH;
	old.t_self = *tid;
	old.t_tableOid = RelationGetRelid(rewrite->old);
	WriteTuple(rewrite, &old, copy);
	heap_freetuple(copy);
	rewrite->recentlyDead++;
	RetlRewriteCountRow(rewrite);
}

/*
 * Has a row that was moved to another group the same stub there?
 */
static bool
IsKeptElsewhere(RetlRewrite *rewrite, const RetlGroup *group, const RetlStubEntry *entry)
{
	ItemPointerData tid;
	RetlGroup	newGroup;
	uint32		newRow;
	RetlStubEntry newEntry;

	RetlTidFromRowNumber(&tid, group->entry.rowBase + entry->row);
	return RetlFindMovedGroupRow(rewrite->old, &tid, &tid) &&
		RetlFindRowGroup(rewrite->old, &tid, &newGroup, &newRow) &&
		RetlStubMapLookup(rewrite->old, &newGroup.entry, newRow, &newEntry) == RETL_ROW_HAS_STUB &&
		newEntry.shared && ItemPointerEquals(&newEntry.stub, unconstify(ItemPointerData *, &entry->stub));
}

/*
 * Copy those touched rows of a group that are dead, but not for everybody.
 */
static void
KeepTouchedRows(RetlRewrite *rewrite, RetlGroupReader *reader, const RetlGroup *group)
{
	HeapTupleHeaderData anchor;
	bool		own;
	int			count;
	RetlStubEntry *entries = RetlStubMapRead(rewrite->old, &group->entry, &count);

	/* what was moved for everybody is where it is now */
	if (!RetlAnchorIsVisible(rewrite->old, &group->entry, SnapshotAny, &anchor) ||
		RetlAnchorVacuumState(rewrite->old, &group->entry, rewrite->oldestXmin,
							  &own) == HEAPTUPLE_DEAD)
		return;
	RetlGroupReaderOpen(reader, &group->entry);
	for (int i = 0; i < count; i++)
	{
		Buffer		buffer;
		HeapTupleData tuple;
		HTSV_Result state;
		union
		{
			HeapTupleHeaderData header;
			char		bytes[RETLDB_STUB_LENGTH];
		}			stub;

		CHECK_FOR_INTERRUPTS();
		if (entries[i].dead ||
			!RetlStubLock(rewrite->old, &entries[i], BUFFER_LOCK_SHARE, &buffer, &tuple))
			continue;
		state = HeapTupleSatisfiesVacuum(&tuple, rewrite->oldestXmin, buffer);
		memcpy(stub.bytes, tuple.t_data, RETLDB_STUB_LENGTH);
		UnlockReleaseBuffer(buffer);
		if (state != HEAPTUPLE_RECENTLY_DEAD && state != HEAPTUPLE_DELETE_IN_PROGRESS)
			continue;
		if (IsKeptElsewhere(rewrite, group, &entries[i]))
			continue;
		RetlRewriteReadGroupRow(rewrite, reader, entries[i].row);
		KeepTouchedRow(rewrite, &stub.header, &tuple.t_self, &anchor,
					   RetlGroupReaderIsCompacted(reader));
	}
}

/*
 * The same for all groups.
 */
void
RetlRewriteKeepTouchedRows(RetlRewrite *rewrite)
{
	RetlGroupReader *reader = RetlGroupReaderCreate(rewrite->old, rewrite->strategy, NULL);

	for (int i = 0; i < rewrite->directory->groupCount; i++)
	{
		RetlGroup  *group = &rewrite->directory->groups[i];

		if (group->entry.state == RETL_GROUP_COMPLETE &&
			group->entry.stubMapRoot != RETLDB_NO_BLOCK)
			KeepTouchedRows(rewrite, reader, group);
	}
	RetlGroupReaderFree(reader);
}
