/*-------------------------------------------------------------------------
 *
 * rewrite_order.c
 *	  Making a table anew: rows in the order of an index (CLUSTER).
 *
 * By a B-tree this is always done by sorting, whatever the planner thinks: to
 * fetch rows of row groups in any order takes longer.  With other indexes (GiST)
 * rows are fetched in the order in which the index has them.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/relscan.h"
#include "catalog/pg_am_d.h"
#include "commands/progress.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "am/rewrite_state.h"
#include "am/slot.h"
#include "base/compat.h"
#include "visibility/row_fetch.h"

/* ---------------------------------------------------------------------
 * Sorting
 * ---------------------------------------------------------------------
 */

/* Is the order that of a B-tree, by which one can sort? */
static bool
CanSort(const RetlRewrite *rewrite)
{
	return rewrite->index != NULL && rewrite->index->rd_rel->relam == BTREE_AM_OID;
}

/* Is it the order in which an index has the rows? */
bool
RetlRewriteMustFetch(const RetlRewrite *rewrite)
{
	return rewrite->index != NULL && !CanSort(rewrite);
}

/*
 * From now on rows, or tuples, are put in order if we can sort; until RetlRewriteSortEnd.
 */
void
RetlRewriteSortBegin(RetlRewrite *rewrite)
{
	if (CanSort(rewrite))
		rewrite->sort = tuplesort_begin_cluster(RelationGetDescr(rewrite->old), rewrite->index,
												maintenance_work_mem, NULL, TUPLESORT_NONE);
}

/* See rewrite_state.h. */
void
RetlRewriteSortRow(RetlRewrite *rewrite, uint32 row)
{
	HeapTuple	tuple = heap_form_tuple(RelationGetDescr(rewrite->old), rewrite->values,
										rewrite->isnull);

	RetlTidFromRowNumber(&tuple->t_self, row);
	tuplesort_putheaptuple(rewrite->sort, tuple);
	heap_freetuple(tuple);
}

/*
 * Hand everything that was given to the sort over, in order.
 */
void
RetlRewriteSortEnd(RetlRewrite *rewrite, void (*take) (RetlRewrite *, HeapTuple))
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

/* ---------------------------------------------------------------------
 * Fetching
 * ---------------------------------------------------------------------
 */

/*
 * The group of a row, and what becomes of it; NULL if there is none.
 */
static RetlFetchedGroup *
FindFetchedGroup(RetlRewrite *rewrite, uint64 rowNumber, uint32 *row)
{
	const RetlGroup *group = RetlDirectoryFindRow(rewrite->directory, rowNumber);
	RetlFetchedGroup *fetched;

	if (group == NULL || group->entry.state != RETL_GROUP_COMPLETE)
		return NULL;
	*row = (uint32) (rowNumber - group->entry.rowBase);
	fetched = &rewrite->fetched[group - rewrite->directory->groups];
	if (!fetched->known)
	{
		HeapTupleHeaderData anchor;
		HTSV_Result state;

		fetched->known = true;
		fetched->fate = RetlRewriteDecideGroup(rewrite, group, &state, &anchor);
		RetlHiddenRowsInit(&fetched->notLive, rewrite->context);
		if (fetched->fate == RETL_GROUP_SETTLED)
		{
			RetlHiddenRowsNotLive(&fetched->notLive, rewrite->old, &group->entry,
								  rewrite->oldestXmin);
			RetlRewriteNoteWriter(rewrite, FullTransactionIdFromU64(group->entry.writerXid));
		}
	}
	return fetched;
}

/*
 * Copy a row of a row group, if everybody sees it.
 */
static void
CopyFetchedRow(RetlRewrite *rewrite, TupleTableSlot *slot)
{
	TupleDesc	tupdesc = RelationGetDescr(rewrite->old);
	uint32		row;
	RetlFetchedGroup *fetched = FindFetchedGroup(rewrite, RetlTidGetRowNumber(&slot->tts_tid), &row);

	if (fetched == NULL || fetched->fate != RETL_GROUP_SETTLED ||
		(fetched->notLive.count > 0 && RetlRowIsHidden(&fetched->notLive, row)))
		return;
	slot_getallattrs(slot);
	for (int i = 0; i < tupdesc->natts; i++)
	{
		rewrite->values[i] = slot->tts_values[i];
		rewrite->isnull[i] = slot->tts_isnull[i] || TupleDescAttr(tupdesc, i)->attisdropped;
	}
	RetlRewriteAddSettled(rewrite);
	RetlRewriteCountRow(rewrite);
}

/*
 * Copy a tuple of the row store.
 */
static void
CopyFetchedTuple(RetlRewrite *rewrite, TupleTableSlot *slot, bool tuples)
{
	Buffer		buffer;
	HeapTuple	tuple = RetlSlotGetBufferTuple(slot, &buffer);
	double		recentlyDead = rewrite->recentlyDead;
	RetlTupleFate	fate;

	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	fate = RetlRewriteDecideTuple(rewrite, tuple, buffer);
	LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
	if (!tuples)
		rewrite->recentlyDead = recentlyDead;
	RetlRewriteCopyTuple(rewrite, tuple, fate, tuples);
}

/*
 * Copy what the index leads to: tuples of the row store only, or only rows that
 * go to row groups.
 */
void
RetlRewriteCopyInIndexOrder(RetlRewrite *rewrite, bool tuples)
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
