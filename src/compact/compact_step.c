/*-------------------------------------------------------------------------
 *
 * compact_step.c
 *	  A step of compaction: rows are written to new groups and taken away where
 *	  they were, in the current transaction.
 *
 * Nothing is changed before the first group is complete in memory, but for the
 * TOAST values of moved rows.  If the step gives up, or fails, its transaction is
 * rolled back: the new groups' anchors are then dead, and the old rows as they
 * were.
 *
 * Others may change rows all the time.  What has become of the rows of old groups is
 * found out at the very end (group_move.h); from then on some have to wait for us.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "storage/predicate.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/tuplesort.h"

#include "base/compat.h"
#include "compact/compact.h"
#include "compact/compact_stats.h"
#include "rowgroup/group_reader.h"
#include "visibility/anchor.h"
#include "visibility/stub_retire.h"
#include "visibility/touch.h"

/* Rows between looks at whether somebody waits. */
#define YIELD_ROWS	1024

/* Where rows go. */
typedef struct Sink
{
	RetlCompaction *compaction;
	Relation	rel;
	const RetlCompactPlan *plan;
	RetlGroupWriter *writer;
	RetlWriteMemory memory;
	Tuplesortstate *sort;		/* NULL if rows stay in order */
	TupleTableSlot *slot;		/* of the row on its way; with "sort", its source is the last column */
	FullTransactionId newestXid;	/* of those that inserted the rows */
	uint64		rows;
	uint64	   *sources;		/* of the rows that the writer has, Source() */
	uint32		sourceCapacity;
	RetlMove   *move;			/* where rows of old groups have gone, and the groups written, */
	uint32	   *lastOrder;		/* and which row has come to each place of the last one; or NULL */
	bool		yielded;		/* somebody waits: all is in vain */
} Sink;

/* Where a row comes from: a group of the plan and its row there, or the row store. */
#define SOURCE_ROW_STORE	PG_UINT64_MAX

static inline uint64
Source(int group, uint32 row)
{
	return (uint64) group << 32 | row;
}

/* ---------------------------------------------------------------------
 * Writing
 * ---------------------------------------------------------------------
 */

/*
 * The columns of a table, and one for where a row comes from.
 */
static TupleDesc
DescriptorWithSource(TupleDesc tupdesc)
{
	TupleDesc	result = CreateTemplateTupleDesc(tupdesc->natts + 1);

	for (int i = 1; i <= tupdesc->natts; i++)
		TupleDescCopyEntry(result, i, tupdesc, i);
	TupleDescInitEntry(result, tupdesc->natts + 1, "source", INT8OID, -1, 0);
	return result;
}

/*
 * Prepare to take rows.  They are sorted here, rather than by the writer, if
 * they are more than a group.
 */
static void
BeginSink(Sink *sink, RetlCompaction *compaction, Relation rel, RetlCompactPlan *plan)
{
	TupleDesc	tupdesc = RelationGetDescr(rel);
	int			keyCount = plan->options.sortKeyCount;

	memset(sink, 0, sizeof(*sink));
	sink->compaction = compaction;
	sink->rel = rel;
	sink->plan = plan;
	sink->move = &plan->move;
	sink->writer = RetlGroupWriterCreate(tupdesc, &plan->options, CurrentMemoryContext);
	RetlWriteMemoryInit(&sink->memory, CurrentMemoryContext);
	if (plan->clustering)
		tupdesc = DescriptorWithSource(tupdesc);
	sink->slot = MakeSingleTupleTableSlot(tupdesc, &TTSOpsVirtual);
	if (plan->clustering)
	{
		AttrNumber *attnums = palloc(sizeof(AttrNumber) * keyCount);
		Oid		   *operators = palloc(sizeof(Oid) * keyCount);
		Oid		   *collations = palloc(sizeof(Oid) * keyCount);
		bool	   *nullsFirst = palloc(sizeof(bool) * keyCount);

		for (int i = 0; i < keyCount; i++)
		{
			const RetlSortKey *key = &plan->options.sortKeys[i];

			attnums[i] = key->attnum;
			operators[i] = key->sortOperator;
			collations[i] = TupleDescAttr(tupdesc, key->attnum - 1)->attcollation;
			nullsFirst[i] = key->nullsFirst;
		}
		sink->sort = tuplesort_begin_heap(tupdesc, keyCount, attnums, operators, collations,
										  nullsFirst, maintenance_work_mem, NULL,
										  TUPLESORT_NONE);
	}
}

/*
 * A group is to be written: a place for it among those that were.
 */
static RetlGroup *
NextGroup(RetlMove *move)
{
	if ((move->newCount & (move->newCount - 1)) == 0)
	{
		Size		size = sizeof(RetlGroup) * Max(move->newCount * 2, 4);

		move->new = move->new == NULL ? palloc(size) : repalloc(move->new, size);
	}
	return &move->new[move->newCount];
}

/*
 * A group has got these row numbers: note which rows of old groups have gone to
 * which of them.  They are not far from each other, unless billions of rows are
 * loaded meanwhile.
 */
static void
NotePlaces(Sink *sink, uint64 rowBase, uint32 rows)
{
	RetlMove   *move = sink->move;
	uint64		first;

	if (move->newCount == 0)
		move->base = rowBase;
	first = rowBase - move->base;
	if (first + rows >= RETLDB_NO_LINK)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("too many rows were added to table \"%s\" while it was compacted",
						RelationGetRelationName(sink->rel))));
	for (uint32 place = 0; place < rows; place++)
	{
		uint64		source = sink->sources[sink->lastOrder != NULL ? sink->lastOrder[place] : place];

		if (source != SOURCE_ROW_STORE)
			move->old[source >> 32].places[(uint32) source] = first + place;
	}
}

/* Is anybody waiting for a lock that ours keeps him from? */
static bool
MustYield(RetlCompaction *compaction, Relation rel)
{
	return compaction->mayYield && LockHasWaitersRelation(rel, RETLDB_COMPACT_LOCK);
}

/*
 * Write what the writer has as a row group.
 */
static void
WriteGroup(Sink *sink)
{
	uint64		groupId;
	uint64		rowBase;
	ItemPointerData anchor;
	RetlGroup  *group;
	uint32		rows = RetlGroupWriterRowCount(sink->writer);

	if (rows == 0 || sink->yielded)
		return;
	if (MustYield(sink->compaction, sink->rel))
	{
		sink->yielded = true;
		return;
	}
	sink->lastOrder = NULL;
	if (sink->plan->options.sortKeyCount > 0 && sink->sort == NULL)
		RetlGroupWriterSort(sink->writer, &sink->lastOrder);
	RetlDirectoryReserve(sink->rel, rows, &groupId, &rowBase);
	NotePlaces(sink, rowBase, rows);
	group = NextGroup(sink->move);
	if (BlockNumberIsValid(sink->plan->anchorBlock))
		RelationSetTargetBlock(sink->rel, sink->plan->anchorBlock);
	anchor = RetlAnchorInsert(sink->rel, groupId, GetCurrentCommandId(true), false);
	RetlDirectoryAddGroup(sink->rel, groupId, rowBase, rows, &anchor,
						  U64FromFullTransactionId(sink->newestXid), group);
	RetlGroupWriterWrite(sink->writer, sink->rel, group, &sink->memory);
	RetlGroupWriterReset(sink->writer);
	RetlCompactMakeEntries(sink->rel, group);
	sink->move->newCount++;
}

/*
 * Hand the row in the slot to the writer.
 */
static void
WriteRow(Sink *sink, uint64 source)
{
	uint32		row;

	if (RetlGroupWriterIsFull(sink->writer))
		WriteGroup(sink);
	if (sink->yielded)
		return;
	row = RetlGroupWriterRowCount(sink->writer);
	if (row >= sink->sourceCapacity)
	{
		sink->sourceCapacity = Max(sink->sourceCapacity * 2, 1024);
		sink->sources = sink->sources == NULL ?
			palloc(sizeof(uint64) * sink->sourceCapacity) :
			repalloc_huge(sink->sources, sizeof(uint64) * sink->sourceCapacity);
	}
	sink->sources[row] = source;
	RetlGroupWriterAppend(sink->writer, sink->slot->tts_values, sink->slot->tts_isnull);
}

/*
 * Take the row whose values are in the slot.
 */
static void
PutRow(Sink *sink, uint64 source)
{
	if (++sink->rows % YIELD_ROWS == 0)
	{
		CHECK_FOR_INTERRUPTS();
		RetlCompactProgressSet(RETL_PROGRESS_STEP_ROWS_READ, sink->rows);
		if (MustYield(sink->compaction, sink->rel))
			sink->yielded = true;
	}
	if (sink->sort == NULL)
		WriteRow(sink, source);
	else
	{
		sink->slot->tts_values[RelationGetDescr(sink->rel)->natts] = Int64GetDatum(source);
		sink->slot->tts_isnull[RelationGetDescr(sink->rel)->natts] = false;
		ExecStoreVirtualTuple(sink->slot);
		tuplesort_puttupleslot(sink->sort, sink->slot);
		ExecClearTuple(sink->slot);
	}
}

/*
 * All rows were put: sort and write what is left.
 */
static void
FinishSink(Sink *sink)
{
	if (sink->sort != NULL && !sink->yielded)
	{
		TupleDesc	tupdesc = CreateTupleDescCopy(sink->slot->tts_tupleDescriptor);

		ExecDropSingleTupleTableSlot(sink->slot);
		sink->slot = MakeSingleTupleTableSlot(tupdesc, &TTSOpsMinimalTuple);
		tuplesort_performsort(sink->sort);
		while (!sink->yielded &&
			   tuplesort_gettupleslot(sink->sort, true, false, sink->slot, NULL))
		{
			CHECK_FOR_INTERRUPTS();
			slot_getallattrs(sink->slot);
			WriteRow(sink, DatumGetInt64(sink->slot->tts_values[tupdesc->natts - 1]));
		}
	}
	if (!sink->yielded)
		WriteGroup(sink);
}

/*
 * Release what is not memory.
 */
static void
EndSink(Sink *sink)
{
	if (sink->sort != NULL)
		tuplesort_end(sink->sort);
	ExecDropSingleTupleTableSlot(sink->slot);
	RetlGroupWriterFree(sink->writer);
}

/* ---------------------------------------------------------------------
 * Reading
 * ---------------------------------------------------------------------
 */

/*
 * Note who inserted rows.
 */
static void
NoteWriter(Sink *sink, FullTransactionId xid)
{
	if (FullTransactionIdPrecedes(sink->newestXid, xid))
		sink->newestXid = xid;
}

/*
 * Read the rows of a vector of a group of the plan, but for dead ones.
 */
static void
PutVector(Sink *sink, RetlGroupReader *reader, const RetlHiddenRows *dead, int group, uint32 index)
{
	TupleDesc	tupdesc = RelationGetDescr(sink->rel);
	const RetlVector **vectors = palloc0(sizeof(RetlVector *) * Max(tupdesc->natts, 1));
	uint32		vectorRows = RetlGroupReaderVectorRows(reader);
	uint32		rows = Min(vectorRows, RetlGroupReaderRowCount(reader) - index * vectorRows);

	for (int i = 0; i < tupdesc->natts; i++)
		if (!TupleDescAttr(tupdesc, i)->attisdropped)
			vectors[i] = RetlGroupReaderGetVector(reader, (AttrNumber) (i + 1), index);
	for (uint32 row = 0; row < rows && !sink->yielded; row++)
	{
		if (dead->count > 0 && RetlRowIsHidden(dead, index * vectorRows + row))
			continue;
		for (int i = 0; i < tupdesc->natts; i++)
		{
			sink->slot->tts_isnull[i] = true;
			sink->slot->tts_values[i] = (Datum) 0;
			if (vectors[i] != NULL)
				sink->slot->tts_values[i] = RetlVectorGetDatum(vectors[i], row,
															   &sink->slot->tts_isnull[i]);
		}
		PutRow(sink, Source(group, index * vectorRows + row));
	}
	pfree(vectors);
}

/*
 * Begin to note where the rows of a group of the plan go.
 */
static void
InitMoved(RetlMovedGroup *moved, RetlGroup *group)
{
	uint32		rows = group->entry.rowCount;

	moved->group = group;
	moved->links = RETLDB_NO_BLOCK;
	moved->places = palloc_extended(sizeof(uint32) * Max(rows, 1), MCXT_ALLOC_HUGE);
	memset(moved->places, 0xFF, sizeof(uint32) * rows);
}

/*
 * Read the groups of the plan.  Rows that are dead now are so for whoever sees the
 * new groups.
 */
static void
PutGroups(Sink *sink, RetlCompactPlan *plan)
{
	RetlGroupReader *reader = RetlGroupReaderCreate(sink->rel, NULL, NULL);
	RetlHiddenRows dead;

	RetlHiddenRowsInit(&dead, CurrentMemoryContext);
	plan->move.old = palloc_extended(sizeof(RetlMovedGroup) * Max(plan->groupCount, 1),
									 MCXT_ALLOC_HUGE);
	plan->move.oldCount = plan->groupCount;
	for (int i = 0; i < plan->groupCount; i++)
		InitMoved(&plan->move.old[i], plan->groups[i]);
	for (int i = 0; i < plan->groupCount && !sink->yielded; i++)
	{
		const RetlGroupEntry *entry = &plan->groups[i]->entry;

		RetlHiddenRowsDead(&dead, sink->rel, entry, plan->oldestXmin);
		NoteWriter(sink, FullTransactionIdFromU64(entry->writerXid));
		RetlGroupReaderOpen(reader, entry);
		for (uint32 index = 0; index < RetlGroupReaderVectorCount(reader) && !sink->yielded; index++)
			PutVector(sink, reader, &dead, i, index);
		sink->compaction->rowsRewritten += entry->rowCount - dead.count;
		if (plan->relocating)
			WriteGroup(sink);
	}
	RetlGroupReaderFree(reader);
}

/*
 * Read a row of the row store, whose buffer is pinned; its values that are out
 * of line are copied.
 */
static void
PutTuple(Sink *sink, HeapTuple tuple)
{
	NoteWriter(sink, RetlFullXid(HeapTupleHeaderGetRawXmin(tuple->t_data)));
	heap_deform_tuple(tuple, RelationGetDescr(sink->rel), sink->slot->tts_values,
					  sink->slot->tts_isnull);
	PutRow(sink, SOURCE_ROW_STORE);
}

/*
 * Read rows of a page of the row store, until the group is full.  Returns how
 * many were read.
 */
static int
PutPage(Sink *sink, RetlPageRows *rows, BufferAccessStrategy strategy)
{
	Buffer		buffer = ReadBufferExtended(sink->rel, MAIN_FORKNUM, rows->block, RBM_NORMAL,
											strategy);
	int			done = 0;

	for (; done < rows->count && !sink->yielded; done++)
	{
		HeapTupleData tuple;
		ItemId		lp;

		if (sink->sort == NULL && RetlGroupWriterIsFull(sink->writer))
			break;
		rows->rows[done].newRow = RetlGroupWriterRowCount(sink->writer);
		/*
		 * It was live when we had a snapshot already, so it is not removed before
		 * we are done, whatever others do to it, and stays where it is while it is
		 * pinned.
		 */
		LockBuffer(buffer, BUFFER_LOCK_SHARE);
		lp = PageGetItemId(BufferGetPage(buffer), rows->rows[done].offset);
		if (!ItemIdIsNormal(lp))
			elog(ERROR, "row (%u,%u) of table \"%s\" has vanished", rows->block,
				 rows->rows[done].offset, RelationGetRelationName(sink->rel));
		tuple.t_data = (HeapTupleHeader) PageGetItem(BufferGetPage(buffer), lp);
		tuple.t_len = ItemIdGetLength(lp);
		tuple.t_tableOid = RelationGetRelid(sink->rel);
		ItemPointerSet(&tuple.t_self, rows->block, rows->rows[done].offset);
		LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
		PutTuple(sink, &tuple);
	}
	ReleaseBuffer(buffer);
	return done;
}

/*
 * Read the row store's rows of the plan, as far as they fit; the plan then
 * names those that were.
 */
static void
PutRowStore(Sink *sink, RetlCompactPlan *plan)
{
	BufferAccessStrategy strategy = GetAccessStrategy(BAS_BULKREAD);
	uint64		read = 0;

	for (int i = 0; i < plan->pageCount && !sink->yielded; i++)
	{
		RetlPageRows *rows = plan->pages[i];
		int			done = PutPage(sink, rows, strategy);

		read += done;
		if (done < rows->count)
		{
			plan->nextBlock = rows->block;
			rows->count = done;
			plan->pageCount = done > 0 ? i + 1 : i;
			break;
		}
	}
	plan->rowStoreRows = read;
	FreeAccessStrategy(strategy);
}

/* ---------------------------------------------------------------------
 * Taking away
 * ---------------------------------------------------------------------
 */

/*
 * The last group written, which has all rows of the row store.
 */
static RetlGroup *
LastGroup(const Sink *sink)
{
	return &sink->move->new[sink->move->newCount - 1];
}

/*
 * Say where the rows of the row store have come to when the group was sorted.
 */
static void
FollowOrder(const RetlCompactPlan *plan, const Sink *sink)
{
	uint32		count;
	uint32	   *places;

	if (sink->lastOrder == NULL || plan->pageCount == 0)
		return;
	count = LastGroup(sink)->entry.rowCount;
	places = palloc_extended(sizeof(uint32) * count, MCXT_ALLOC_HUGE);
	for (uint32 i = 0; i < count; i++)
		places[sink->lastOrder[i]] = i;
	for (int i = 0; i < plan->pageCount; i++)
		for (int j = 0; j < plan->pages[i]->count; j++)
			plan->pages[i]->rows[j].newRow = places[plan->pages[i]->rows[j].newRow];
	pfree(places);
}

/*
 * Take the rows of the row store away.  Those that somebody has changed or locked
 * since they were read stay, and the copies in the new group are dead.  Returns how
 * many were taken.
 */
static uint64
TakeRowsAway(Relation rel, RetlCompactPlan *plan, Sink *sink)
{
	uint64		taken = 0;

	for (int i = 0; i < plan->pageCount; i++)
	{
		RetlPageRows *page = plan->pages[i];
		RetlGroup  *group = LastGroup(sink);

		CHECK_FOR_INTERRUPTS();
		taken += RetlTuplesTakeAway(rel, page, RETL_LEAVING_ROWS, group->entry.rowBase,
									plan->oldestXmin);
		for (int j = 0; j < page->count; j++)
			if (!page->rows[j].taken)
				RetlRowSetDead(rel, group, page->rows[j].newRow);
	}
	return taken;
}

/*
 * Have serializable transactions read rows since the plan was made?  Those of the row
 * store stay.  False if rows of a group were read, which can only stay as a whole.
 */
static bool
LeaveRowsReadSince(Relation rel, RetlCompactPlan *plan)
{
	RetlReadPlacesFind(rel, &plan->reads);
	for (int i = 0; i < plan->groupCount; i++)
	{
		if (RetlGroupWasRead(&plan->reads, &plan->groups[i]->entry))
			return false;
	}
	for (int i = 0; i < plan->pageCount; i++)
	{
		RetlPageRows *page = plan->pages[i];

		for (int j = 0; j < page->count; j++)
		{
			page->rows[j].stays = RetlRowWasRead(&plan->reads, page->block, page->rows[j].offset);
			plan->left |= page->rows[j].stays;
		}
	}
	return true;
}

/*
 * Take away what was written anew.  Statistics: it is dead, and nothing else has
 * happened to the table's rows.  Not done if it does not pay, and the step may be given
 * up, or if it must be, for somebody deletes or has read a group of it.
 */
static RetlStepResult
TakeAway(Relation rel, RetlCompactPlan *plan, Sink *sink)
{
	uint64		taken;

	FollowOrder(plan, sink);
	RetlMoveWriteLinks(rel, &plan->move);
	if (!sink->compaction->moveRead && !LeaveRowsReadSince(rel, plan))
		return RETL_STEP_READ;
	/* from here on some wait for us: nothing may take long any more */
	taken = TakeRowsAway(rel, plan, sink);
	/* not again and again, for rows may go on changing, or being read, as fast as we write */
	if (sink->compaction->mayYield && plan->groupCount == 0 && taken < plan->rowStoreRows / 2 &&
		!(plan->left && sink->compaction->moveReadAtLast))
		return RETL_STEP_YIELDED;
	sink->compaction->rowsMoved += taken;
	if (!RetlMoveTakeAway(rel, &plan->move, plan->oldestXmin))
		return RETL_STEP_YIELDED;
	RetlCountDeadTuples(rel, plan->groupCount + taken);
	return RETL_STEP_DONE;
}

/* ---------------------------------------------------------------------
 * The step
 * ---------------------------------------------------------------------
 */

/*
 * Report how much there is to do.
 */
static void
ReportPlan(const RetlCompactPlan *plan)
{
	uint64		rows = plan->rowStoreRows;

	for (int i = 0; i < plan->groupCount; i++)
		rows += plan->groups[i]->entry.rowCount;
	RetlCompactProgressSet(RETL_PROGRESS_STEP_ROWS, rows);
	RetlCompactProgressSet(RETL_PROGRESS_PHASE, RETL_PHASE_READING);
}

/*
 * Remember which groups are ours.
 */
static void
RememberGroups(RetlCompaction *compaction, const RetlMove *move)
{
	Size		size = sizeof(uint64) * (compaction->ownCount + move->newCount);

	if (move->newCount == 0)
		return;
	compaction->ownGroups = compaction->ownGroups == NULL ?
		MemoryContextAllocHuge(compaction->context, size) :
		repalloc_huge(compaction->ownGroups, size);
	for (int i = 0; i < move->newCount; i++)
		compaction->ownGroups[compaction->ownCount++] = move->new[i].entry.groupId;
}

/*
 * Remember which groups of a step are to be left alone, for their rows were read.
 */
static void
RememberReadGroups(RetlCompaction *compaction, const RetlCompactPlan *plan)
{
	Size		size = sizeof(uint64) * (compaction->readCount + plan->groupCount);

	compaction->readGroups = compaction->readGroups == NULL ?
		MemoryContextAllocHuge(compaction->context, size) :
		repalloc_huge(compaction->readGroups, size);
	for (int i = 0; i < plan->groupCount; i++)
	{
		if (RetlGroupWasRead(&plan->reads, &plan->groups[i]->entry))
			compaction->readGroups[compaction->readCount++] = plan->groups[i]->entry.groupId;
	}
}

/*
 * Has a serializable transaction, which may have ended, read by its place a row that was
 * taken away?  Who comes to one later finds the mark, for he looks after he has locked it.
 */
static bool
RowsWereRead(Relation rel, const RetlCompactPlan *plan)
{
	RetlReadPlaces reads;

	RetlReadPlacesFind(rel, &reads);
	for (int i = 0; i < plan->groupCount; i++)
	{
		if (RetlGroupWasRead(&reads, &plan->groups[i]->entry))
			return true;
	}
	for (int i = 0; i < plan->pageCount; i++)
	{
		const RetlPageRows *page = plan->pages[i];

		for (int j = 0; j < page->count; j++)
		{
			if (page->rows[j].taken && RetlRowWasRead(&reads, page->block, page->rows[j].offset))
				return true;
		}
	}
	return false;
}

/*
 * Do what is planned, unless it is given up.  *written is how many groups were
 * written.
 */
static RetlStepResult
CarryOut(RetlCompaction *compaction, Relation rel, RetlCompactPlan *plan, uint64 *written)
{
	Sink		sink;
	RetlStepResult result;

	ReportPlan(plan);
	if (plan->makeAnchorPage)
		plan->anchorBlock = RetlDirectoryGiveToHeap(rel, plan->anchorBlock + 1);
	BeginSink(&sink, compaction, rel, plan);
	PutGroups(&sink, plan);
	PutRowStore(&sink, plan);
	RetlCompactProgressSet(RETL_PROGRESS_PHASE, RETL_PHASE_WRITING);
	FinishSink(&sink);
	EndSink(&sink);
	*written = sink.move->newCount;
	if (sink.yielded)
		return RETL_STEP_YIELDED;
	RetlCompactProgressSet(RETL_PROGRESS_PHASE, RETL_PHASE_REMOVING);
	result = TakeAway(rel, plan, &sink);
	if (result != RETL_STEP_DONE)
		return result;

	/*
	 * Whoever has read a row by its place before it was marked has read what replaces it.
	 * Those who come later find the link (RetlCheckMovedRow).  What others have locked in
	 * indexes and of other rows stays as it is, unless there is one of these.
	 */
	if (RowsWereRead(rel, plan))
		TransferPredicateLocksToHeapRelation(rel);
	compaction->lastXid = GetCurrentTransactionId();
	compaction->groupsMerged += plan->groupCount;
	compaction->groupsWritten += plan->move.newCount;
	RememberGroups(compaction, &plan->move);
	compaction->nextBlock = plan->nextBlock;
	if (plan->clustering)
	{
		compaction->unfinished = !compaction->full;
		if (plan->move.newCount > plan->groupCount)
			compaction->noClustering = true;
	}
	return RETL_STEP_DONE;
}

/*
 * Retire stubs, as it is planned; but for those on pages that somebody uses.
 */
static RetlStepResult
RetireStubs(RetlCompaction *compaction, Relation rel, RetlCompactPlan *plan)
{
	uint64		retired;

	if (MustYield(compaction, rel))
		return RETL_STEP_YIELDED;
	RetlCompactProgressSet(RETL_PROGRESS_PHASE, RETL_PHASE_REMOVING);
	retired = RetlStubsRetire(rel, &plan->retiring->entry, plan->oldestXmin, plan->retireAge);
	RetlCountDeadTuples(rel, retired);
	compaction->lastXid = GetCurrentTransactionId();
	ereport(DEBUG1,
			(errmsg_internal("table \"%s\": stubs of %llu rows were retired",
							 RelationGetRelationName(rel), (unsigned long long) retired)));
	return RETL_STEP_DONE;
}

/* See compact.h. */
RetlStepResult
RetlCompactStep(RetlCompaction *compaction, Relation rel)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "retldb compaction step",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext oldContext = MemoryContextSwitchTo(context);
	RetlCompaction before = *compaction;
	RetlCompactPlan plan;
	RetlStepResult result = RETL_STEP_NOTHING;

	if (RetlCompactMakePlan(compaction, rel, &plan))
	{
		uint64		written = 0;

		if (plan.retiring != NULL)
			result = RetireStubs(compaction, rel, &plan);
		else
			result = CarryOut(compaction, rel, &plan, &written);
		if (result != RETL_STEP_DONE)
		{
			*compaction = before;
			compaction->groupsAbandoned += written;
		}
		if (result == RETL_STEP_READ)
			RememberReadGroups(compaction, &plan);
	}
	/* later steps need not meet them again */
	compaction->left |= plan.left || result == RETL_STEP_READ;
	MemoryContextSwitchTo(oldContext);
	MemoryContextDelete(context);
	return result;
}
