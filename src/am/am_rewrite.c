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
 *	4. Rows that compaction has moved, and that were copied from both of their
 *	   places, get links from the old to the new one (rewrite_links.c).
 *
 * CLUSTER puts the rows of 2 in the order of the index, or, if there are no row
 * groups and few rows, the tuples of 1; and, by a B-tree, those of each group of 3
 * (rewrite_order.c).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/xact.h"
#include "commands/progress.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/bufmgr.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "am/retldb_am.h"
#include "am/rewrite_state.h"
#include "base/settings.h"
#include "visibility/anchor.h"
#include "visibility/row_fetch.h"
#include "visibility/row_store.h"

/* ---------------------------------------------------------------------
 * Row groups of the new table
 * ---------------------------------------------------------------------
 */

/*
 * Write the rows that are in memory as a group with the given inserter, or, if
 * that is NULL, one that everybody sees.
 */
static void
WriteGroup(RetlRewrite *rewrite, const HeapTupleHeaderData *inserter, uint64 writerXid)
{
	uint32		rows = RetlGroupWriterRowCount(rewrite->writer);
	uint64		groupId;
	uint64		rowBase;
	ItemPointerData anchor;
	RetlGroup	group;
	uint32	   *order = NULL;

	if (rows == 0)
		return;
	RetlDirectoryReserve(rewrite->new, rows, &groupId, &rowBase);
	anchor = RetlAnchorInsertAs(rewrite->new, groupId, inserter);
	RetlDirectoryAddGroup(rewrite->new, groupId, rowBase, rows, &anchor, writerXid, &group);
	if (rewrite->options.sortKeyCount > 0)
		RetlGroupWriterSort(rewrite->writer, &order);
	RetlGroupWriterWrite(rewrite->writer, rewrite->new, &group, &rewrite->memory);
	RetlGroupWriterReset(rewrite->writer);
	RetlRewriteNoteGroup(rewrite, &group, order);
	if (order != NULL)
		pfree(order);
}

/*
 * Note who inserted settled rows.
 */
void
RetlRewriteNoteWriter(RetlRewrite *rewrite, FullTransactionId xid)
{
	if (FullTransactionIdPrecedes(rewrite->newestXid, xid))
		rewrite->newestXid = xid;
}

/*
 * Write the rows that are in memory as a group that everybody sees.  Compaction
 * may make their writer's id visible later: it is not ours, which is no row's.
 */
static void
WriteSettled(RetlRewrite *rewrite)
{
	WriteGroup(rewrite, NULL, U64FromFullTransactionId(rewrite->newestXid));
}

/*
 * Take the row in values and isnull, one that everybody sees.
 */
void
RetlRewriteAddSettled(RetlRewrite *rewrite)
{
	if (rewrite->sort != NULL)
	{
		RetlRewriteSortRow(rewrite, 0);
		return;
	}
	RetlGroupWriterAppend(rewrite->writer, rewrite->values, rewrite->isnull);
	if (RetlGroupWriterIsFull(rewrite->writer))
		WriteSettled(rewrite);
}

void
RetlRewriteCountRow(RetlRewrite *rewrite)
{
	rewrite->rows++;
	pgstat_progress_update_param(PROGRESS_CLUSTER_HEAP_TUPLES_SCANNED, (int64) rewrite->rows);
	pgstat_progress_update_param(PROGRESS_CLUSTER_HEAP_TUPLES_WRITTEN, (int64) rewrite->rows);
}

/* ---------------------------------------------------------------------
 * Row groups of the old table
 * ---------------------------------------------------------------------
 */

/*
 * RetlRewriteSortEnd: take a row that everybody sees.
 */
static void
TakeSettledRow(RetlRewrite *rewrite, HeapTuple tuple)
{
	RetlRewriteDeformTuple(rewrite, tuple);
	RetlRewriteAddSettled(rewrite);
}

/*
 * Append the row in values and isnull, which has this number in an unsettled group.
 */
static void
AppendRow(RetlRewrite *rewrite, uint32 row)
{
	RetlRewriteNoteRow(rewrite, row);
	RetlGroupWriterAppend(rewrite->writer, rewrite->values, rewrite->isnull);
}

/* The same, as RetlRewriteSortEnd hands it over. */
static void
TakeGroupRow(RetlRewrite *rewrite, HeapTuple tuple)
{
	RetlRewriteDeformTuple(rewrite, tuple);
	AppendRow(rewrite, (uint32) RetlTidGetRowNumber(&tuple->t_self));
}

/*
 * Add the live rows of a group of the old table; settled ones may fill several
 * groups together, others must stay together.
 */
static void
AddGroupRows(RetlRewrite *rewrite, RetlGroupReader *reader, const RetlGroup *group, bool settled)
{
	RetlHiddenRows *notLive = &rewrite->notLive;
	uint32		vectorRows;

	RetlGroupReaderOpen(reader, &group->entry);
	if (settled)
		RetlRewriteNoteWriter(rewrite, FullTransactionIdFromU64(group->entry.writerXid));
	else
		RetlRewriteBeginGroup(rewrite, group);
	RetlGroupWriterSetCompacted(rewrite->writer, !settled && RetlGroupReaderIsCompacted(reader));
	if (rewrite->current != NULL)
		notLive = &rewrite->current->notLive;
	else
		RetlHiddenRowsNotLive(notLive, rewrite->old, &group->entry, rewrite->oldestXmin);
	vectorRows = RetlGroupReaderVectorRows(reader);
	for (uint32 row = 0; row < RetlGroupReaderRowCount(reader); row++)
	{
		if (row % vectorRows == 0)
			CHECK_FOR_INTERRUPTS();
		if (notLive->count > 0 && RetlRowIsHidden(notLive, row))
			continue;
		RetlRewriteReadGroupRow(rewrite, reader, row);
		if (rewrite->sort != NULL)
			RetlRewriteSortRow(rewrite, row);
		else if (settled)
			RetlRewriteAddSettled(rewrite);
		else
			AppendRow(rewrite, row);
		RetlRewriteCountRow(rewrite);
	}
}

/*
 * Freeze an inserter that everybody sees, as heap's rewrite does with tuples: the
 * table is going to be taken to have no transaction ids from before the horizon.
 * The group is no settled one if compaction has taken it away since.
 */
static void
FreezeInserter(const RetlRewrite *rewrite, HeapTupleHeader anchor)
{
	TransactionId xmin = HeapTupleHeaderGetRawXmin(anchor);

	if (TransactionIdIsNormal(xmin) && TransactionIdPrecedes(xmin, rewrite->oldestXmin))
		HeapTupleHeaderSetXminFrozen(anchor);
}

/*
 * What becomes of a group.  If it lives on, also its state and a copy of its
 * anchor's header.
 */
RetlGroupFate
RetlRewriteDecideGroup(RetlRewrite *rewrite, const RetlGroup *group, HTSV_Result *state,
			HeapTupleHeader anchor)
{
	bool		own;

	if (group->entry.state != RETL_GROUP_COMPLETE)
		return RETL_GROUP_NONE;
	*state = RetlAnchorVacuumState(rewrite->old, &group->entry, rewrite->oldestXmin, &own);
	if (*state == HEAPTUPLE_DEAD)
		return RETL_GROUP_DEAD;
	if (!RetlAnchorIsVisible(rewrite->old, &group->entry, SnapshotAny, anchor))
		return RETL_GROUP_NONE;
	if (*state == HEAPTUPLE_LIVE && (anchor->t_infomask & HEAP_XMAX_INVALID) != 0 &&
		(HeapTupleHeaderXminFrozen(anchor) ||
		 TransactionIdPrecedes(HeapTupleHeaderGetRawXmin(anchor), rewrite->oldestXmin)))
		return RETL_GROUP_SETTLED;
	return RETL_GROUP_KEEP;
}

/*
 * Copy the groups of the old table that everybody sees.
 */
static void
CopySettledGroups(RetlRewrite *rewrite)
{
	RetlGroupReader *reader = RetlGroupReaderCreate(rewrite->old, rewrite->strategy, NULL);

	for (int i = 0; i < rewrite->directory->groupCount; i++)
	{
		RetlGroup  *group = &rewrite->directory->groups[i];
		HeapTupleHeaderData anchor;
		HTSV_Result state;
		RetlGroupFate	fate = RetlRewriteDecideGroup(rewrite, group, &state, &anchor);

		if (fate == RETL_GROUP_DEAD)
			rewrite->dead += group->entry.rowCount;
		else if (fate == RETL_GROUP_SETTLED)
			AddGroupRows(rewrite, reader, group, true);
	}
	RetlGroupReaderFree(reader);
}

/*
 * Copy the groups that not everybody sees, each to one.
 */
static void
KeepGroups(RetlRewrite *rewrite)
{
	RetlGroupReader *reader = RetlGroupReaderCreate(rewrite->old, rewrite->strategy, NULL);

	for (int i = 0; i < rewrite->directory->groupCount; i++)
	{
		RetlGroup  *group = &rewrite->directory->groups[i];
		HeapTupleHeaderData anchor;
		HTSV_Result state;

		if (RetlRewriteDecideGroup(rewrite, group, &state, &anchor) != RETL_GROUP_KEEP)
			continue;
		if (state == HEAPTUPLE_RECENTLY_DEAD || state == HEAPTUPLE_DELETE_IN_PROGRESS)
			rewrite->recentlyDead += group->entry.rowCount;
		RetlRewriteSortBegin(rewrite);
		AddGroupRows(rewrite, reader, group, false);
		RetlRewriteSortEnd(rewrite, TakeGroupRow);
		FreezeInserter(rewrite, &anchor);
		WriteGroup(rewrite, &anchor, group->entry.writerXid);
		RetlRewriteEndGroup(rewrite);
	}
	RetlGroupReaderFree(reader);
}

/* ---------------------------------------------------------------------
 * All of it
 * ---------------------------------------------------------------------
 */

/*
 * Copy what stays in the row store.
 */
static void
CopyTuples(RetlRewrite *rewrite, TransactionId freezeLimit, MultiXactId multiCutoff)
{
	rewrite->heap = begin_heap_rewrite(rewrite->old, rewrite->new, rewrite->oldestXmin,
									   freezeLimit, multiCutoff);
	if (RetlRewriteMustFetch(rewrite))
		RetlRewriteCopyInIndexOrder(rewrite, true);
	else
	{
		RetlRewriteSortBegin(rewrite);
		RetlRewriteCopyRowStore(rewrite, true);
		RetlRewriteSortEnd(rewrite, RetlRewriteKeepTuple);
	}
	RetlRewriteKeepTouchedRows(rewrite);
	end_heap_rewrite(rewrite->heap);
	RetlRewriteRestoreKeysGone(rewrite);
}

/*
 * Copy the rows that everybody sees to new groups.
 */
static void
CopySettledRows(RetlRewrite *rewrite)
{
	double		recentlyDead = rewrite->recentlyDead;

	if (RetlRewriteMustFetch(rewrite))
		RetlRewriteCopyInIndexOrder(rewrite, false);
	else
	{
		RetlRewriteSortBegin(rewrite);
		if (rewrite->moveRows)
			RetlRewriteCopyRowStore(rewrite, false);
		/* these have been counted */
		rewrite->recentlyDead = recentlyDead;
		CopySettledGroups(rewrite);
		RetlRewriteSortEnd(rewrite, TakeSettledRow);
	}
	WriteSettled(rewrite);
}

/*
 * Does the old table have row groups?
 */
static bool
HasGroups(const RetlRewrite *rewrite)
{
	for (int i = 0; i < rewrite->directory->groupCount; i++)
	{
		if (rewrite->directory->groups[i].entry.state == RETL_GROUP_COMPLETE)
			return true;
	}
	return false;
}

static void
BeginRewrite(RetlRewrite *rewrite, Relation old, Relation new, Relation index,
			 TransactionId oldestXmin)
{
	int			natts = RelationGetDescr(new)->natts;

	memset(rewrite, 0, sizeof(RetlRewrite));
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
	rewrite->fetched = palloc0(sizeof(RetlFetchedGroup) * Max(rewrite->directory->groupCount, 1));
	rewrite->kept = palloc0(sizeof(RetlKeptGroup *) * Max(rewrite->directory->groupCount, 1));
	RetlWriteOptionsFill(new, &rewrite->options);
	if (index != NULL)
		rewrite->options.sortKeyCount = 0;	/* the index's order is wanted now */
	rewrite->writer = RetlGroupWriterCreate(RelationGetDescr(new), &rewrite->options,
											CurrentMemoryContext);
	RetlWriteMemoryInit(&rewrite->memory, CurrentMemoryContext);
	RetlHiddenRowsInit(&rewrite->notLive, CurrentMemoryContext);
}

/* See retldb_am.h. */
void
RetlRefuseLossyRewrite(const char *relationName)
{
	if (retldb_skip_damaged_groups)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("cannot rewrite table \"%s\" while \"%s\" is set",
						relationName, "retldb.skip_damaged_groups"),
				 errdetail("Rows of damaged row groups would be lost.")));
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
	RetlRewrite *rewrite = palloc(sizeof(RetlRewrite));

	(void) use_sort;
	RetlRefuseLossyRewrite(RelationGetRelationName(OldTable));
	BeginRewrite(rewrite, OldTable, NewTable, OldIndex, OldestXmin);
	pgstat_progress_update_param(PROGRESS_CLUSTER_PHASE, PROGRESS_CLUSTER_PHASE_SEQ_SCAN_HEAP);
	pgstat_progress_update_param(PROGRESS_CLUSTER_TOTAL_HEAP_BLKS,
								 RelationGetNumberOfBlocks(OldTable));

	rewrite->moveRows = RetlRewriteRowStoreIsLarge(rewrite) || (OldIndex != NULL && HasGroups(rewrite));
	RetlRewriteFindMoves(rewrite);
	CopyTuples(rewrite, *xid_cutoff, *multi_cutoff);
	CopySettledRows(rewrite);
	KeepGroups(rewrite);
	RetlRewriteWriteLinks(rewrite);
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
