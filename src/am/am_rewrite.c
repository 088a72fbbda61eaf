/*-------------------------------------------------------------------------
 *
 * am_rewrite.c
 *	  Table access method: VACUUM FULL and CLUSTER (relation_copy_for_cluster).
 *
 * The table is copied into a new one that nobody else sees; both are locked
 * exclusively.  As with heap, transactions that began before still see after it
 * what they saw before: rows keep their inserter, unless everybody sees them.
 *
 *	1. Rows of the row store are copied as tuples by heap's own rewrite
 *	   module, which keeps transaction ids and chains of updates; so are rows
 *	   of groups that are dead, but not for everybody yet.  That must be first,
 *	   for it writes past the end of the file by its own count.
 *	2. Rows that everybody sees are put into new, full row groups: those of
 *	   all groups, and those of the row store if it has more of them than a
 *	   command may leave there.  The new groups' anchors are frozen.
 *	3. Row groups that not everybody sees yet are copied one by one, and
 *	   their anchors get the old ones' inserters.
 *
 * CLUSTER puts the rows of 2 in the order of the index, or, if there are no row
 * groups and few rows, the tuples of 1; so are those of each group of 3.  By
 * a B-tree this is always done by sorting, whatever the planner thinks: to
 * fetch rows of row groups in any order takes longer.  With other indexes (GiST)
 * rows are fetched in the order in which the index has them, but those of 3 stay
 * in theirs.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/relscan.h"
#include "access/rewriteheap.h"
#include "access/xact.h"
#include "catalog/pg_am_d.h"
#include "commands/progress.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/bufmgr.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/tuplesort.h"

#include "am/retldb_am.h"
#include "am/slot.h"
#include "base/compat.h"
#include "base/errors.h"
#include "base/options.h"
#include "base/settings.h"
#include "rowgroup/group_reader.h"
#include "rowgroup/group_writer.h"
#include "rowgroup/write_options.h"
#include "storage/directory.h"
#include "visibility/anchor.h"
#include "visibility/row_fetch.h"
#include "visibility/row_move.h"
#include "visibility/row_store.h"
#include "visibility/stub.h"

/* What becomes of a tuple of the row store. */
typedef enum TupleFate
{
	TUPLE_NONE,					/* no tuple, or no row */
	TUPLE_DEAD,
	TUPLE_KEEP,					/* somebody may not see it, or may see what it replaced */
	TUPLE_SETTLED				/* everybody sees it, and nobody has to do with it */
} TupleFate;

/* What becomes of a row group. */
typedef enum GroupFate
{
	GROUP_NONE,					/* no complete group */
	GROUP_DEAD,
	GROUP_KEEP,					/* not everybody sees it, or will */
	GROUP_SETTLED
} GroupFate;

/* A group whose rows are fetched one by one. */
typedef struct FetchedGroup
{
	bool		known;
	GroupFate	fate;
	RetlHiddenRows notLive;		/* if it is settled */
} FetchedGroup;

typedef struct Rewrite
{
	Relation	old;
	Relation	new;
	Relation	index;			/* whose order is wanted, or NULL */
	Tuplesortstate *sort;		/* by which rows are put in order, or NULL */
	FetchedGroup *fetched;		/* for each group of the directory, or NULL */
	TransactionId oldestXmin;
	BufferAccessStrategy strategy;
	RetlDirectory *directory;	/* the old table's */
	RetlRun    *runs;			/* its row store */
	int			runCount;
	RewriteState heap;
	bool		moveRows;		/* settled rows of the row store go to row groups */
	Datum	   *values;
	bool	   *isnull;
	TupleFate	fates[MaxHeapTuplesPerPage + 1];	/* of the current page, by offset */
	RetlHiddenRows notLive;		/* rows of the current group */

	/* row groups of the new table */
	RetlWriteOptions options;
	RetlGroupWriter *writer;
	RetlWriteMemory memory;
	MemoryContext context;		/* of the rewrite */
	MemoryContext rowContext;
	FullTransactionId newestXid;	/* of those that inserted the settled rows so far */

	double		rows;			/* copied */
	double		dead;
	double		recentlyDead;
} Rewrite;

/* ---------------------------------------------------------------------
 * Row groups of the new table
 * ---------------------------------------------------------------------
 */

/*
 * Write the rows that are in memory as a group with the given inserter, or, if
 * that is NULL, one that everybody sees.
 */
static void
WriteGroup(Rewrite *rewrite, const HeapTupleHeaderData *inserter, uint64 writerXid)
{
	uint32		rows = RetlGroupWriterRowCount(rewrite->writer);
	uint64		groupId;
	uint64		rowBase;
	ItemPointerData anchor;
	RetlGroup	group;

	if (rows == 0)
		return;
	RetlDirectoryReserve(rewrite->new, rows, &groupId, &rowBase);
	anchor = RetlAnchorInsertAs(rewrite->new, groupId, inserter);
	RetlDirectoryAddGroup(rewrite->new, groupId, rowBase, rows, &anchor, writerXid, &group);
	if (rewrite->options.sortKeyCount > 0)
		RetlGroupWriterSort(rewrite->writer, NULL);
	RetlGroupWriterWrite(rewrite->writer, rewrite->new, &group, &rewrite->memory);
	RetlGroupWriterReset(rewrite->writer);
}

/*
 * Note who inserted settled rows.
 */
static void
NoteWriter(Rewrite *rewrite, FullTransactionId xid)
{
	if (FullTransactionIdPrecedes(rewrite->newestXid, xid))
		rewrite->newestXid = xid;
}

/*
 * Write the rows that are in memory as a group that everybody sees.  Compaction
 * may make their writer's id visible later: it is not ours, which is no row's.
 */
static void
WriteSettledGroup(Rewrite *rewrite)
{
	WriteGroup(rewrite, NULL, U64FromFullTransactionId(rewrite->newestXid));
}

/* ---------------------------------------------------------------------
 * Order
 * ---------------------------------------------------------------------
 */

/* Is the order that of a B-tree, by which one can sort? */
static bool
CanSort(const Rewrite *rewrite)
{
	return rewrite->index != NULL && rewrite->index->rd_rel->relam == BTREE_AM_OID;
}

/* Is it the order in which an index has the rows? */
static bool
MustFetch(const Rewrite *rewrite)
{
	return rewrite->index != NULL && !CanSort(rewrite);
}

/*
 * From now on rows, or tuples, are put in order if we can sort; until SortEnd.
 */
static void
SortBegin(Rewrite *rewrite)
{
	if (CanSort(rewrite))
		rewrite->sort = tuplesort_begin_cluster(RelationGetDescr(rewrite->old), rewrite->index,
												maintenance_work_mem, NULL, TUPLESORT_NONE);
}

/*
 * Give the row in values and isnull to the sort.
 */
static void
SortRow(Rewrite *rewrite)
{
	HeapTuple	tuple = heap_form_tuple(RelationGetDescr(rewrite->old), rewrite->values,
										rewrite->isnull);

	tuplesort_putheaptuple(rewrite->sort, tuple);
	heap_freetuple(tuple);
}

/*
 * Hand everything that was given to the sort over, in order.
 */
static void
SortEnd(Rewrite *rewrite, void (*take) (Rewrite *, HeapTuple))
{
	Tuplesortstate *sort = rewrite->sort;
	MemoryContext oldContext;
	HeapTuple	tuple;

	if (sort == NULL)
		return;
	rewrite->sort = NULL;
	pgstat_progress_update_param(PROGRESS_CLUSTER_PHASE, PROGRESS_CLUSTER_PHASE_SORT_TUPLES);
	tuplesort_performsort(sort);
	pgstat_progress_update_param(PROGRESS_CLUSTER_PHASE, PROGRESS_CLUSTER_PHASE_WRITE_NEW_HEAP);
	oldContext = MemoryContextSwitchTo(rewrite->rowContext);
	while ((tuple = tuplesort_getheaptuple(sort, true)) != NULL)
	{
		CHECK_FOR_INTERRUPTS();
		take(rewrite, tuple);
		MemoryContextReset(rewrite->rowContext);
	}
	MemoryContextSwitchTo(oldContext);
	tuplesort_end(sort);
	pgstat_progress_update_param(PROGRESS_CLUSTER_PHASE, PROGRESS_CLUSTER_PHASE_SEQ_SCAN_HEAP);
}

/*
 * Take the row in values and isnull, one that everybody sees.
 */
static void
AddSettledRow(Rewrite *rewrite)
{
	if (rewrite->sort != NULL)
	{
		SortRow(rewrite);
		return;
	}
	RetlGroupWriterAppend(rewrite->writer, rewrite->values, rewrite->isnull);
	if (RetlGroupWriterIsFull(rewrite->writer))
		WriteSettledGroup(rewrite);
}

static void
CountRow(Rewrite *rewrite)
{
	rewrite->rows++;
	pgstat_progress_update_param(PROGRESS_CLUSTER_HEAP_TUPLES_SCANNED, (int64) rewrite->rows);
	pgstat_progress_update_param(PROGRESS_CLUSTER_HEAP_TUPLES_WRITTEN, (int64) rewrite->rows);
}

/* ---------------------------------------------------------------------
 * The row store
 * ---------------------------------------------------------------------
 */

/*
 * Point to a tuple of the old table's row store.  False if there is none.
 */
static bool
GetTuple(Rewrite *rewrite, Buffer buffer, OffsetNumber offset, HeapTuple tuple)
{
	Page		page = BufferGetPage(buffer);
	ItemId		lp = PageGetItemId(page, offset);

	if (!ItemIdIsNormal(lp))
		return false;
	if (!RetlLinePointerIsSound(lp))
		RetlReportDamagedPage(rewrite->old, BufferGetBlockNumber(buffer), "an invalid line pointer");
	tuple->t_data = (HeapTupleHeader) PageGetItem(page, lp);
	tuple->t_len = ItemIdGetLength(lp);
	tuple->t_tableOid = RelationGetRelid(rewrite->old);
	ItemPointerSet(&tuple->t_self, BufferGetBlockNumber(buffer), offset);
	return !RetlTupleIsMarked(tuple->t_data);
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
static TupleFate
DecideTuple(Rewrite *rewrite, HeapTuple tuple, Buffer buffer)
{
	switch (HeapTupleSatisfiesVacuum(tuple, rewrite->oldestXmin, buffer))
	{
		case HEAPTUPLE_DEAD:
			return TUPLE_DEAD;
		case HEAPTUPLE_LIVE:
			return IsSettled(tuple, rewrite->oldestXmin) ? TUPLE_SETTLED : TUPLE_KEEP;
		case HEAPTUPLE_INSERT_IN_PROGRESS:
			if (!TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetXmin(tuple->t_data)))
				elog(WARNING, "concurrent insert in progress within table \"%s\"",
					 RelationGetRelationName(rewrite->old));
			return TUPLE_KEEP;
		case HEAPTUPLE_DELETE_IN_PROGRESS:
			if (!TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetUpdateXid(tuple->t_data)))
				elog(WARNING, "concurrent delete in progress within table \"%s\"",
					 RelationGetRelationName(rewrite->old));
			/* FALLTHROUGH */
		case HEAPTUPLE_RECENTLY_DEAD:
			rewrite->recentlyDead++;
			return TUPLE_KEEP;
	}
	elog(ERROR, "unexpected HeapTupleSatisfiesVacuum result");
	return TUPLE_NONE;
}

/*
 * Read a page of the row store and decide what becomes of its tuples.  It stays
 * pinned; nobody else can change it.
 */
static Buffer
DecidePage(Rewrite *rewrite, BlockNumber block, OffsetNumber *max)
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
			DecideTuple(rewrite, &tuple, buffer) : TUPLE_NONE;
	}
	LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
	return buffer;
}

/*
 * Has the row store more settled rows than a command would leave in it?
 */
static bool
RowStoreIsLarge(Rewrite *rewrite)
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
				settled += rewrite->fates[offset] == TUPLE_SETTLED;
		}
	}
	rewrite->recentlyDead = 0;
	return settled > limit;
}

/*
 * Take a tuple apart.  Dropped columns become null.
 */
static void
DeformTuple(Rewrite *rewrite, HeapTuple tuple)
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
 * SortEnd: take a row that everybody sees, or one of an unsettled group.
 */
static void
TakeSettledRow(Rewrite *rewrite, HeapTuple tuple)
{
	DeformTuple(rewrite, tuple);
	AddSettledRow(rewrite);
}

static void
TakeGroupRow(Rewrite *rewrite, HeapTuple tuple)
{
	DeformTuple(rewrite, tuple);
	RetlGroupWriterAppend(rewrite->writer, rewrite->values, rewrite->isnull);
}

/*
 * Copy a tuple with its transaction ids; also for SortEnd.
 */
static void
KeepTuple(Rewrite *rewrite, HeapTuple tuple)
{
	HeapTuple	copy;

	if (rewrite->sort != NULL)
	{
		tuplesort_putheaptuple(rewrite->sort, tuple);
		return;
	}
	DeformTuple(rewrite, tuple);
	copy = heap_form_tuple(RelationGetDescr(rewrite->new), rewrite->values, rewrite->isnull);
	rewrite_heap_tuple(rewrite->heap, tuple, copy);
	heap_freetuple(copy);
}

/*
 * Copy a tuple of a pinned page: as a tuple, or if it goes to a row group.
 */
static void
CopyTuple(Rewrite *rewrite, HeapTuple tuple, TupleFate fate, bool tuples)
{
	if (!tuples)
	{
		if (fate != TUPLE_SETTLED)
			return;
		NoteWriter(rewrite, RetlFullXid(HeapTupleHeaderGetRawXmin(tuple->t_data)));
		DeformTuple(rewrite, tuple);
		AddSettledRow(rewrite);
		CountRow(rewrite);
	}
	else if (fate == TUPLE_DEAD)
	{
		rewrite->dead++;
		if (rewrite_heap_dead_tuple(rewrite->heap, tuple))
		{
			/* a tuple that was taken for recently dead is dead */
			rewrite->dead++;
			rewrite->recentlyDead--;
		}
	}
	else if (fate == TUPLE_KEEP || !rewrite->moveRows)
	{
		KeepTuple(rewrite, tuple);
		CountRow(rewrite);
	}
}

/*
 * Copy one page of the row store: tuples only, or only rows that go to row
 * groups.
 */
static void
CopyPage(Rewrite *rewrite, BlockNumber block, bool tuples)
{
	OffsetNumber max;
	Buffer		buffer = DecidePage(rewrite, block, &max);

	for (OffsetNumber offset = FirstOffsetNumber; offset <= max; offset++)
	{
		HeapTupleData tuple;

		if (rewrite->fates[offset] != TUPLE_NONE && GetTuple(rewrite, buffer, offset, &tuple))
			CopyTuple(rewrite, &tuple, rewrite->fates[offset], tuples);
	}
	ReleaseBuffer(buffer);
}

/*
 * Copy the row store: tuples only, or only rows that go to row groups.
 */
static void
CopyRowStore(Rewrite *rewrite, bool tuples)
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
static void
ReadGroupRow(Rewrite *rewrite, RetlGroupReader *reader, uint32 row)
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
 */
static void
KeepTouchedRow(Rewrite *rewrite, HeapTupleHeader stub, ItemPointer tid,
			   const HeapTupleHeaderData *anchor)
{
	HeapTupleData old;
	HeapTuple	copy = heap_form_tuple(RelationGetDescr(rewrite->new), rewrite->values,
									   rewrite->isnull);

	stub->t_infomask = (stub->t_infomask & ~HEAP_XMIN_FROZEN) |
		(anchor->t_infomask & HEAP_XMIN_FROZEN);
	HeapTupleHeaderSetXmin(stub, HeapTupleHeaderGetRawXmin(anchor));
	old.t_data = stub;
	old.t_len = RETLDB_STUB_LENGTH;
	old.t_self = *tid;
	old.t_tableOid = RelationGetRelid(rewrite->old);
	rewrite_heap_tuple(rewrite->heap, &old, copy);
	heap_freetuple(copy);
	rewrite->recentlyDead++;
	CountRow(rewrite);
}

/*
 * Copy those touched rows of a group that are dead, but not for everybody.
 */
static void
KeepTouchedRows(Rewrite *rewrite, RetlGroupReader *reader, const RetlGroup *group)
{
	HeapTupleHeaderData anchor;
	int			count;
	RetlStubEntry *entries = RetlStubMapRead(rewrite->old, &group->entry, &count);

	if (!RetlAnchorIsVisible(rewrite->old, &group->entry, SnapshotAny, &anchor))
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
			!RetlStubLock(rewrite->old, &entries[i].stub, group->entry.rowBase + entries[i].row,
						  BUFFER_LOCK_SHARE, &buffer, &tuple))
			continue;
		state = HeapTupleSatisfiesVacuum(&tuple, rewrite->oldestXmin, buffer);
		memcpy(stub.bytes, tuple.t_data, RETLDB_STUB_LENGTH);
		UnlockReleaseBuffer(buffer);
		if (state != HEAPTUPLE_RECENTLY_DEAD && state != HEAPTUPLE_DELETE_IN_PROGRESS)
			continue;
		ReadGroupRow(rewrite, reader, entries[i].row);
		KeepTouchedRow(rewrite, &stub.header, &tuple.t_self, &anchor);
	}
}

/*
 * The same for all groups.
 */
static void
KeepTouchedRowsOfGroups(Rewrite *rewrite)
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

/* ---------------------------------------------------------------------
 * Row groups
 * ---------------------------------------------------------------------
 */

/*
 * Add the live rows of a group of the old table; settled ones may fill several
 * groups together, others must stay together.
 */
static void
AddGroupRows(Rewrite *rewrite, RetlGroupReader *reader, const RetlGroup *group, bool settled)
{
	uint32		vectorRows;

	RetlGroupReaderOpen(reader, &group->entry);
	if (settled)
		NoteWriter(rewrite, FullTransactionIdFromU64(group->entry.writerXid));
	RetlGroupWriterSetCompacted(rewrite->writer, !settled && RetlGroupReaderIsCompacted(reader));
	RetlHiddenRowsNotLive(&rewrite->notLive, rewrite->old, &group->entry, rewrite->oldestXmin);
	vectorRows = RetlGroupReaderVectorRows(reader);
	for (uint32 row = 0; row < RetlGroupReaderRowCount(reader); row++)
	{
		if (row % vectorRows == 0)
			CHECK_FOR_INTERRUPTS();
		if (rewrite->notLive.count > 0 && RetlRowIsHidden(&rewrite->notLive, row))
			continue;
		ReadGroupRow(rewrite, reader, row);
		if (rewrite->sort != NULL)
			SortRow(rewrite);
		else if (settled)
			AddSettledRow(rewrite);
		else
			RetlGroupWriterAppend(rewrite->writer, rewrite->values, rewrite->isnull);
		CountRow(rewrite);
	}
}

/*
 * Freeze an inserter that everybody sees, as heap's rewrite does with tuples: the
 * table is going to be taken to have no transaction ids from before the horizon.
 * The group is no settled one if compaction has taken it away since.
 */
static void
FreezeInserter(const Rewrite *rewrite, HeapTupleHeader anchor)
{
	TransactionId xmin = HeapTupleHeaderGetRawXmin(anchor);

	if (TransactionIdIsNormal(xmin) && TransactionIdPrecedes(xmin, rewrite->oldestXmin))
		HeapTupleHeaderSetXminFrozen(anchor);
}

/*
 * What becomes of a group.  If it lives on, also its state and a copy of its
 * anchor's header.
 */
static GroupFate
DecideGroup(Rewrite *rewrite, const RetlGroup *group, HTSV_Result *state,
			HeapTupleHeader anchor)
{
	bool		own;

	if (group->entry.state != RETL_GROUP_COMPLETE)
		return GROUP_NONE;
	*state = RetlAnchorVacuumState(rewrite->old, &group->entry, rewrite->oldestXmin, &own);
	if (*state == HEAPTUPLE_DEAD)
		return GROUP_DEAD;
	if (!RetlAnchorIsVisible(rewrite->old, &group->entry, SnapshotAny, anchor))
		return GROUP_NONE;
	if (*state == HEAPTUPLE_LIVE && (anchor->t_infomask & HEAP_XMAX_INVALID) != 0 &&
		(HeapTupleHeaderXminFrozen(anchor) ||
		 TransactionIdPrecedes(HeapTupleHeaderGetRawXmin(anchor), rewrite->oldestXmin)))
		return GROUP_SETTLED;
	return GROUP_KEEP;
}

/*
 * Copy the groups of the old table that everybody sees.
 */
static void
CopySettledGroups(Rewrite *rewrite)
{
	RetlGroupReader *reader = RetlGroupReaderCreate(rewrite->old, rewrite->strategy, NULL);

	for (int i = 0; i < rewrite->directory->groupCount; i++)
	{
		RetlGroup  *group = &rewrite->directory->groups[i];
		HeapTupleHeaderData anchor;
		HTSV_Result state;
		GroupFate	fate = DecideGroup(rewrite, group, &state, &anchor);

		if (fate == GROUP_DEAD)
			rewrite->dead += group->entry.rowCount;
		else if (fate == GROUP_SETTLED)
			AddGroupRows(rewrite, reader, group, true);
	}
	RetlGroupReaderFree(reader);
}

/*
 * Copy the groups that not everybody sees, each to one.
 */
static void
KeepGroups(Rewrite *rewrite)
{
	RetlGroupReader *reader = RetlGroupReaderCreate(rewrite->old, rewrite->strategy, NULL);

	for (int i = 0; i < rewrite->directory->groupCount; i++)
	{
		RetlGroup  *group = &rewrite->directory->groups[i];
		HeapTupleHeaderData anchor;
		HTSV_Result state;

		if (DecideGroup(rewrite, group, &state, &anchor) != GROUP_KEEP)
			continue;
		if (state == HEAPTUPLE_RECENTLY_DEAD || state == HEAPTUPLE_DELETE_IN_PROGRESS)
			rewrite->recentlyDead += group->entry.rowCount;
		SortBegin(rewrite);
		AddGroupRows(rewrite, reader, group, false);
		SortEnd(rewrite, TakeGroupRow);
		FreezeInserter(rewrite, &anchor);
		WriteGroup(rewrite, &anchor, group->entry.writerXid);
	}
	RetlGroupReaderFree(reader);
}

/* ---------------------------------------------------------------------
 * Rows in the order of an index that we cannot sort by
 * ---------------------------------------------------------------------
 */

/*
 * The group of a row, and what becomes of it; NULL if there is none.
 */
static FetchedGroup *
FindFetchedGroup(Rewrite *rewrite, uint64 rowNumber, uint32 *row)
{
	const RetlDirectory *directory = rewrite->directory;
	int			low = 0;
	int			high = directory->groupCount;
	FetchedGroup *fetched;
	const RetlGroup *group;

	/* the last group that begins at or before the row */
	while (low < high)
	{
		int			middle = (low + high) / 2;

		if (directory->groups[middle].entry.rowBase <= rowNumber)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0)
		return NULL;
	group = &directory->groups[low - 1];
	if (rowNumber - group->entry.rowBase >= group->entry.rowCount)
		return NULL;
	*row = (uint32) (rowNumber - group->entry.rowBase);
	fetched = &rewrite->fetched[low - 1];
	if (!fetched->known)
	{
		HeapTupleHeaderData anchor;
		HTSV_Result state;

		fetched->known = true;
		fetched->fate = DecideGroup(rewrite, group, &state, &anchor);
		RetlHiddenRowsInit(&fetched->notLive, rewrite->context);
		if (fetched->fate == GROUP_SETTLED)
		{
			RetlHiddenRowsNotLive(&fetched->notLive, rewrite->old, &group->entry,
								  rewrite->oldestXmin);
			NoteWriter(rewrite, FullTransactionIdFromU64(group->entry.writerXid));
		}
	}
	return fetched;
}

/*
 * Copy a row of a row group, if everybody sees it.
 */
static void
CopyFetchedRow(Rewrite *rewrite, TupleTableSlot *slot)
{
	TupleDesc	tupdesc = RelationGetDescr(rewrite->old);
	uint32		row;
	FetchedGroup *fetched = FindFetchedGroup(rewrite, RetlTidGetRowNumber(&slot->tts_tid), &row);

	if (fetched == NULL || fetched->fate != GROUP_SETTLED ||
		(fetched->notLive.count > 0 && RetlRowIsHidden(&fetched->notLive, row)))
		return;
	slot_getallattrs(slot);
	for (int i = 0; i < tupdesc->natts; i++)
	{
		rewrite->values[i] = slot->tts_values[i];
		rewrite->isnull[i] = slot->tts_isnull[i] || TupleDescAttr(tupdesc, i)->attisdropped;
	}
	AddSettledRow(rewrite);
	CountRow(rewrite);
}

/*
 * Copy a tuple of the row store.
 */
static void
CopyFetchedTuple(Rewrite *rewrite, TupleTableSlot *slot, bool tuples)
{
	Buffer		buffer;
	HeapTuple	tuple = RetlSlotGetBufferTuple(slot, &buffer);
	double		recentlyDead = rewrite->recentlyDead;
	TupleFate	fate;

	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	fate = DecideTuple(rewrite, tuple, buffer);
	LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
	if (!tuples)
		rewrite->recentlyDead = recentlyDead;
	CopyTuple(rewrite, tuple, fate, tuples);
}

/*
 * Copy what the index leads to: tuples of the row store only, or only rows that
 * go to row groups.
 */
static void
CopyInIndexOrder(Rewrite *rewrite, bool tuples)
{
	IndexScanDesc scan = RetlIndexBeginScan(rewrite->old, rewrite->index, SnapshotAny);
	TupleTableSlot *slot = table_slot_create(rewrite->old, NULL);
	MemoryContext oldContext = MemoryContextSwitchTo(rewrite->rowContext);

	pgstat_progress_update_param(PROGRESS_CLUSTER_PHASE, PROGRESS_CLUSTER_PHASE_INDEX_SCAN_HEAP);
	index_rescan(scan, NULL, 0, NULL, 0);
	while (index_getnext_slot(scan, ForwardScanDirection, slot))
	{
		CHECK_FOR_INTERRUPTS();
		if (scan->xs_recheck)
			elog(ERROR, "CLUSTER does not support lossy index conditions");
		if (!RetlTidIsColumnar(&slot->tts_tid))
			CopyFetchedTuple(rewrite, slot, tuples);
		else if (!tuples)
			CopyFetchedRow(rewrite, slot);
		MemoryContextReset(rewrite->rowContext);
	}
	MemoryContextSwitchTo(oldContext);
	ExecDropSingleTupleTableSlot(slot);
	index_endscan(scan);
	pgstat_progress_update_param(PROGRESS_CLUSTER_PHASE, PROGRESS_CLUSTER_PHASE_SEQ_SCAN_HEAP);
}

/* ---------------------------------------------------------------------
 * All of it
 * ---------------------------------------------------------------------
 */

/*
 * Copy what stays in the row store.
 */
static void
CopyTuples(Rewrite *rewrite, TransactionId freezeLimit, MultiXactId multiCutoff)
{
	rewrite->heap = begin_heap_rewrite(rewrite->old, rewrite->new, rewrite->oldestXmin,
									   freezeLimit, multiCutoff);
	if (MustFetch(rewrite))
		CopyInIndexOrder(rewrite, true);
	else
	{
		SortBegin(rewrite);
		CopyRowStore(rewrite, true);
		SortEnd(rewrite, KeepTuple);
	}
	KeepTouchedRowsOfGroups(rewrite);
	end_heap_rewrite(rewrite->heap);
}

/*
 * Copy the rows that everybody sees to new groups.
 */
static void
CopySettledRows(Rewrite *rewrite)
{
	double		recentlyDead = rewrite->recentlyDead;

	if (MustFetch(rewrite))
		CopyInIndexOrder(rewrite, false);
	else
	{
		SortBegin(rewrite);
		if (rewrite->moveRows)
			CopyRowStore(rewrite, false);
		/* these have been counted */
		rewrite->recentlyDead = recentlyDead;
		CopySettledGroups(rewrite);
		SortEnd(rewrite, TakeSettledRow);
	}
	WriteSettledGroup(rewrite);
}

/*
 * Does the old table have row groups?
 */
static bool
HasGroups(const Rewrite *rewrite)
{
	for (int i = 0; i < rewrite->directory->groupCount; i++)
	{
		if (rewrite->directory->groups[i].entry.state == RETL_GROUP_COMPLETE)
			return true;
	}
	return false;
}

static void
BeginRewrite(Rewrite *rewrite, Relation old, Relation new, Relation index,
			 TransactionId oldestXmin)
{
	int			natts = RelationGetDescr(new)->natts;

	memset(rewrite, 0, sizeof(Rewrite));
	rewrite->old = old;
	rewrite->new = new;
	rewrite->index = index;
	rewrite->context = CurrentMemoryContext;
	rewrite->oldestXmin = oldestXmin;
	rewrite->strategy = GetAccessStrategy(BAS_BULKREAD);
	rewrite->directory = RetlDirectoryRead(old);
	rewrite->runs = RetlRowStoreRuns(old, rewrite->directory, RelationGetNumberOfBlocks(old),
									 &rewrite->runCount);
	rewrite->values = palloc(sizeof(Datum) * Max(natts, 1));
	rewrite->isnull = palloc(sizeof(bool) * Max(natts, 1));
	rewrite->rowContext = AllocSetContextCreate(CurrentMemoryContext, "retldb rewrite rows",
												ALLOCSET_DEFAULT_SIZES);
	rewrite->fetched = palloc0(sizeof(FetchedGroup) * Max(rewrite->directory->groupCount, 1));
	RetlWriteOptionsFill(new, &rewrite->options);
	if (index != NULL)
		rewrite->options.sortKeyCount = 0;	/* the index's order is wanted now */
	rewrite->writer = RetlGroupWriterCreate(RelationGetDescr(new), &rewrite->options,
											CurrentMemoryContext);
	RetlWriteMemoryInit(&rewrite->memory, CurrentMemoryContext);
	RetlHiddenRowsInit(&rewrite->notLive, CurrentMemoryContext);
}

/*
 * VACUUM FULL, and CLUSTER if OldIndex is not NULL.  There is one way of ordering
 * for each kind of index, so use_sort does not matter.
 */
void
retldb_relation_copy_for_cluster(Relation OldTable, Relation NewTable, Relation OldIndex,
								 bool use_sort, TransactionId OldestXmin,
								 TransactionId *xid_cutoff, MultiXactId *multi_cutoff,
								 double *num_tuples, double *tups_vacuumed,
								 double *tups_recently_dead)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "retldb rewrite",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext oldContext = MemoryContextSwitchTo(context);
	Rewrite    *rewrite = palloc(sizeof(Rewrite));

	(void) use_sort;
	if (retldb_skip_damaged_groups)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("cannot rewrite table \"%s\" while \"%s\" is set",
						RelationGetRelationName(OldTable), "retldb.skip_damaged_groups"),
				 errdetail("Rows of damaged row groups would be lost.")));

	BeginRewrite(rewrite, OldTable, NewTable, OldIndex, OldestXmin);
	pgstat_progress_update_param(PROGRESS_CLUSTER_PHASE, PROGRESS_CLUSTER_PHASE_SEQ_SCAN_HEAP);
	pgstat_progress_update_param(PROGRESS_CLUSTER_TOTAL_HEAP_BLKS,
								 RelationGetNumberOfBlocks(OldTable));

	rewrite->moveRows = RowStoreIsLarge(rewrite) || (OldIndex != NULL && HasGroups(rewrite));
	CopyTuples(rewrite, *xid_cutoff, *multi_cutoff);
	CopySettledRows(rewrite);
	KeepGroups(rewrite);
	pgstat_progress_update_param(PROGRESS_CLUSTER_HEAP_BLKS_SCANNED,
								 RelationGetNumberOfBlocks(OldTable));

	*num_tuples = rewrite->rows;
	*tups_vacuumed = rewrite->dead;
	*tups_recently_dead = rewrite->recentlyDead;
	RetlGroupWriterFree(rewrite->writer);
	FreeAccessStrategy(rewrite->strategy);
	MemoryContextSwitchTo(oldContext);
	MemoryContextDelete(context);
}
