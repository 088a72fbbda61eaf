/*-------------------------------------------------------------------------
 *
 * am_rewrite.c
 *	  Table access method: VACUUM FULL (relation_copy_for_cluster).
 *
 * The table is copied into a new one that nobody else sees; both are locked
 * exclusively.  As with heap, transactions that began before still see after it
 * what they saw before: rows keep their inserter, unless everybody sees them.
 *
 *	1. Rows of the row store are copied as tuples by heap's own rewrite
 *	   module, which keeps transaction ids and chains of updates; so are rows
 *	   of groups that are dead, but not for everybody yet.  That must be first, for it writes past the end of the file by its own count.
 *	2. Rows that everybody sees are put into new, full row groups: those of
 *	   all groups, and those of the row store if it has more of them than a
 *	   command may leave there.  The new groups' anchors are frozen.
 *	3. Row groups that not everybody sees yet are copied one by one, and
 *	   their anchors get the old ones' inserters.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/rewriteheap.h"
#include "access/xact.h"
#include "commands/progress.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/bufmgr.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "am/retldb_am.h"
#include "base/errors.h"
#include "base/options.h"
#include "base/settings.h"
#include "rowgroup/group_reader.h"
#include "rowgroup/group_writer.h"
#include "rowgroup/write_options.h"
#include "storage/directory.h"
#include "visibility/anchor.h"
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

typedef struct Rewrite
{
	Relation	old;
	Relation	new;
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
		RetlGroupWriterSort(rewrite->writer);
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

/*
 * Take the row in values and isnull, one that everybody sees.
 */
static void
AddSettledRow(Rewrite *rewrite)
{
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
 * Copy a tuple with its transaction ids.
 */
static void
KeepTuple(Rewrite *rewrite, HeapTuple tuple)
{
	HeapTuple	copy;

	DeformTuple(rewrite, tuple);
	copy = heap_form_tuple(RelationGetDescr(rewrite->new), rewrite->values, rewrite->isnull);
	rewrite_heap_tuple(rewrite->heap, tuple, copy);
	heap_freetuple(copy);
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
		TupleFate	fate = rewrite->fates[offset];
		HeapTupleData tuple;

		if (fate == TUPLE_NONE || !GetTuple(rewrite, buffer, offset, &tuple))
			continue;
		if (!tuples)
		{
			if (fate != TUPLE_SETTLED)
				continue;
			NoteWriter(rewrite, RetlFullXid(HeapTupleHeaderGetRawXmin(tuple.t_data)));
			DeformTuple(rewrite, &tuple);
			AddSettledRow(rewrite);
			CountRow(rewrite);
		}
		else if (fate == TUPLE_DEAD)
		{
			rewrite->dead++;
			if (rewrite_heap_dead_tuple(rewrite->heap, &tuple))
			{
				/* a tuple that was taken for recently dead is dead */
				rewrite->dead++;
				rewrite->recentlyDead--;
			}
		}
		else if (fate == TUPLE_KEEP || !rewrite->moveRows)
		{
			KeepTuple(rewrite, &tuple);
			CountRow(rewrite);
		}
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

/*
 * Copy what stays in the row store.
 */
static void
CopyTuples(Rewrite *rewrite, TransactionId freezeLimit, MultiXactId multiCutoff)
{
	rewrite->heap = begin_heap_rewrite(rewrite->old, rewrite->new, rewrite->oldestXmin,
									   freezeLimit, multiCutoff);
	CopyRowStore(rewrite, true);
	KeepTouchedRowsOfGroups(rewrite);
	end_heap_rewrite(rewrite->heap);
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
		if (settled)
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
 * Copy the groups of the old table that everybody sees, or the others.
 */
static void
CopyGroups(Rewrite *rewrite, bool settled)
{
	RetlGroupReader *reader = RetlGroupReaderCreate(rewrite->old, rewrite->strategy, NULL);

	for (int i = 0; i < rewrite->directory->groupCount; i++)
	{
		RetlGroup  *group = &rewrite->directory->groups[i];
		HeapTupleHeaderData anchor;
		bool		own;
		HTSV_Result state;
		bool		isSettled;

		if (group->entry.state != RETL_GROUP_COMPLETE)
			continue;
		state = RetlAnchorVacuumState(rewrite->old, &group->entry, rewrite->oldestXmin, &own);
		if (state == HEAPTUPLE_DEAD)
		{
			if (settled)
				rewrite->dead += group->entry.rowCount;
			continue;
		}
		if (!RetlAnchorIsVisible(rewrite->old, &group->entry, SnapshotAny, &anchor))
			continue;
		isSettled = state == HEAPTUPLE_LIVE && (anchor.t_infomask & HEAP_XMAX_INVALID) != 0 &&
			(HeapTupleHeaderXminFrozen(&anchor) ||
			 TransactionIdPrecedes(HeapTupleHeaderGetRawXmin(&anchor), rewrite->oldestXmin));
		if (isSettled != settled)
			continue;
		if (state == HEAPTUPLE_RECENTLY_DEAD || state == HEAPTUPLE_DELETE_IN_PROGRESS)
			rewrite->recentlyDead += group->entry.rowCount;
		AddGroupRows(rewrite, reader, group, settled);
		if (!settled)
		{
			FreezeInserter(rewrite, &anchor);
			WriteGroup(rewrite, &anchor, group->entry.writerXid);
		}
	}
	RetlGroupReaderFree(reader);
}

/* ---------------------------------------------------------------------
 * All of it
 * ---------------------------------------------------------------------
 */

static void
BeginRewrite(Rewrite *rewrite, Relation old, Relation new, TransactionId oldestXmin)
{
	int			natts = RelationGetDescr(new)->natts;

	memset(rewrite, 0, sizeof(Rewrite));
	rewrite->old = old;
	rewrite->new = new;
	rewrite->oldestXmin = oldestXmin;
	rewrite->strategy = GetAccessStrategy(BAS_BULKREAD);
	rewrite->directory = RetlDirectoryRead(old);
	rewrite->runs = RetlRowStoreRuns(old, rewrite->directory, RelationGetNumberOfBlocks(old),
									 &rewrite->runCount);
	rewrite->values = palloc(sizeof(Datum) * Max(natts, 1));
	rewrite->isnull = palloc(sizeof(bool) * Max(natts, 1));
	rewrite->rowContext = AllocSetContextCreate(CurrentMemoryContext, "retldb rewrite rows",
												ALLOCSET_DEFAULT_SIZES);
	RetlWriteOptionsFill(new, &rewrite->options);
	rewrite->writer = RetlGroupWriterCreate(RelationGetDescr(new), &rewrite->options,
											CurrentMemoryContext);
	RetlWriteMemoryInit(&rewrite->memory, CurrentMemoryContext);
	RetlHiddenRowsInit(&rewrite->notLive, CurrentMemoryContext);
}

/*
 * VACUUM FULL.  There are no indexes, so nothing to cluster on: OldIndex is NULL.
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
	if (OldIndex != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot cluster table \"%s\" on an index", RelationGetRelationName(OldTable)),
				 errhint("Set the table's option order_by, then VACUUM FULL.")));
	if (retldb_skip_damaged_groups)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("cannot rewrite table \"%s\" while \"%s\" is set",
						RelationGetRelationName(OldTable), "retldb.skip_damaged_groups"),
				 errdetail("Rows of damaged row groups would be lost.")));

	BeginRewrite(rewrite, OldTable, NewTable, OldestXmin);
	pgstat_progress_update_param(PROGRESS_CLUSTER_PHASE, PROGRESS_CLUSTER_PHASE_SEQ_SCAN_HEAP);
	pgstat_progress_update_param(PROGRESS_CLUSTER_TOTAL_HEAP_BLKS,
								 RelationGetNumberOfBlocks(OldTable));

	rewrite->moveRows = RowStoreIsLarge(rewrite);
	CopyTuples(rewrite, *xid_cutoff, *multi_cutoff);
	if (rewrite->moveRows)
	{
		double		recentlyDead = rewrite->recentlyDead;

		CopyRowStore(rewrite, false);
		rewrite->recentlyDead = recentlyDead;
	}
	CopyGroups(rewrite, true);
	WriteSettledGroup(rewrite);
	CopyGroups(rewrite, false);
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
