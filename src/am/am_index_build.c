/*-------------------------------------------------------------------------
 *
 * am_index_build.c
 *	  Table access method: the rows for new indexes.
 *
 * CREATE INDEX and REINDEX get every row that somebody may see, from the scan of
 * the whole table (table_scan.c).  Of the row store, what heap's
 * index_build_range_scan does is done here: HOT chains are entered by their roots,
 * transactions in progress are waited for if uniqueness is to be checked.  Of row
 * groups, index_rows.c tells what to enter; only the columns that the index
 * needs are decoded.
 *
 * CREATE INDEX CONCURRENTLY builds from an MVCC snapshot, and a second scan enters
 * what the index lacks: its rows come in the order of their TIDs, as those in the
 * index are sorted.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/relscan.h"
#include "access/sysattr.h"
#include "access/xact.h"
#include "catalog/index.h"
#include "catalog/pg_am_d.h"
#include "commands/progress.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "optimizer/optimizer.h"
#include "pgstat.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "storage/procarray.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/tuplesort.h"

#include "am/retldb_am.h"
#include "am/slot.h"
#include "am/write_buffer.h"
#include "base/compat.h"
#include "base/settings.h"
#include "visibility/table_scan.h"

/* What both scans need to make entries. */
typedef struct IndexEntries
{
	Relation	rel;
	Relation	index;
	IndexInfo  *info;
	RetlTableScan *scan;
	Bitmapset  *columns;		/* attribute numbers that the index needs */
	bool		plain;			/* columns only, no expressions, no predicate */
	EState	   *estate;
	ExprContext *econtext;
	ExprState  *predicate;
	TupleTableSlot *heapSlot;	/* for tuples of the row store */
	TupleTableSlot *groupSlot;	/* for rows of row groups; other columns are null */
	uint64		reported;		/* place of the scan */
	Datum		values[INDEX_MAX_KEYS];
	bool		isnull[INDEX_MAX_KEYS];

	/* of the page of the row store that the scan is at */
	BlockNumber rootBlock;
	OffsetNumber rootOffsets[MaxHeapTuplesPerPage];
	bool		inIndex[MaxHeapTuplesPerPage];	/* validation only */
} IndexEntries;

/* ---------------------------------------------------------------------
 * Entries
 * ---------------------------------------------------------------------
 */

/* See retldb_am.h. */
Bitmapset *
RetlIndexColumns(Relation rel, IndexInfo *info)
{
	TupleDesc	tupdesc = RelationGetDescr(rel);
	Bitmapset  *attnums = NULL;
	Bitmapset  *columns = NULL;
	bool		wholeRow;

	pull_varattnos((Node *) info->ii_Expressions, 1, &attnums);
	pull_varattnos((Node *) info->ii_Predicate, 1, &attnums);
	for (int i = 0; i < info->ii_NumIndexAttrs; i++)
	{
		if (info->ii_IndexAttrNumbers[i] != 0)
			attnums = bms_add_member(attnums, info->ii_IndexAttrNumbers[i] -
									 FirstLowInvalidHeapAttributeNumber);
	}
	wholeRow = bms_is_member(0 - FirstLowInvalidHeapAttributeNumber, attnums);
	for (AttrNumber attnum = 1; attnum <= tupdesc->natts; attnum++)
	{
		if (!TupleDescAttr(tupdesc, attnum - 1)->attisdropped &&
			(wholeRow || bms_is_member(attnum - FirstLowInvalidHeapAttributeNumber, attnums)))
			columns = bms_add_member(columns, attnum);
	}
	bms_free(attnums);
	return columns;
}

/* Prepare to make entries for an index; the scan is begun by the caller. */
static void
BeginEntries(IndexEntries *entries, Relation rel, Relation index, IndexInfo *info)
{
	memset(entries, 0, sizeof(IndexEntries));
	entries->rel = rel;
	entries->index = index;
	entries->info = info;
	entries->columns = RetlIndexColumns(rel, info);
	entries->plain = info->ii_Expressions == NIL && info->ii_Predicate == NIL;
	entries->estate = CreateExecutorState();
	entries->econtext = GetPerTupleExprContext(entries->estate);
	entries->heapSlot = MakeSingleTupleTableSlot(RelationGetDescr(rel), &TTSOpsBufferHeapTuple);
	entries->groupSlot = MakeSingleTupleTableSlot(RelationGetDescr(rel), &TTSOpsVirtual);
	memset(entries->groupSlot->tts_isnull, true, sizeof(bool) * RelationGetDescr(rel)->natts);
	entries->groupSlot->tts_tableOid = RelationGetRelid(rel);
	entries->predicate = ExecPrepareQual(info->ii_Predicate, entries->estate);
	entries->reported = PG_UINT64_MAX;
	entries->rootBlock = InvalidBlockNumber;
}

/* Free what BeginEntries has made. */
static void
EndEntries(IndexEntries *entries)
{
	ExecDropSingleTupleTableSlot(entries->heapSlot);
	ExecDropSingleTupleTableSlot(entries->groupSlot);
	FreeExecutorState(entries->estate);

	/* these were made in what has just been freed */
	entries->info->ii_ExpressionsState = NIL;
	entries->info->ii_PredicateState = NULL;
}

/*
 * Make the entry of the row in a slot.  False if the predicate excludes it.
 */
static bool
FormEntry(IndexEntries *entries, TupleTableSlot *slot)
{
	entries->econtext->ecxt_scantuple = slot;
	if (entries->predicate != NULL && !ExecQual(entries->predicate, entries->econtext))
		return false;
	FormIndexDatum(entries->info, slot, entries->estate, entries->values, entries->isnull);
	return true;
}

/*
 * Make the entry of a tuple of the row store.
 */
static bool
FormHeapEntry(IndexEntries *entries, RetlScanRow *row)
{
	MemoryContextReset(entries->econtext->ecxt_per_tuple_memory);
	ExecStoreBufferHeapTuple(row->tuple, entries->heapSlot, row->buffer);
	return FormEntry(entries, entries->heapSlot);
}

/*
 * Make the entry of the current row, one of a row group.
 */
static bool
FormGroupEntry(IndexEntries *entries, RetlScanRow *row)
{
	TupleTableSlot *slot = entries->groupSlot;
	int			attnum = -1;

	if (entries->plain)
	{
		for (int i = 0; i < entries->info->ii_NumIndexAttrs; i++)
		{
			const RetlVector *vector =
				RetlTableScanGetVector(entries->scan, entries->info->ii_IndexAttrNumbers[i]);

			entries->values[i] = RetlVectorGetDatum(vector, row->vectorRow, &entries->isnull[i]);
		}
		return true;
	}

	MemoryContextReset(entries->econtext->ecxt_per_tuple_memory);
	ExecClearTuple(slot);
	while ((attnum = bms_next_member(entries->columns, attnum)) >= 0)
		slot->tts_values[attnum - 1] =
			RetlVectorGetDatum(RetlTableScanGetVector(entries->scan, attnum), row->vectorRow,
							   &slot->tts_isnull[attnum - 1]);
	ExecStoreVirtualTuple(slot);
	slot->tts_tid = row->tid;
	return FormEntry(entries, slot);
}

/*
 * Go to the next row.  With "progress", tell how far the scan is when it has come
 * to another page of the row store or to another row group.
 */
static RetlScanRow *
NextRow(IndexEntries *entries, bool progress)
{
	RetlScanRow *row = RetlTableScanNext(entries->scan, ForwardScanDirection);
	uint64		place;

	CHECK_FOR_INTERRUPTS();
	if (row == NULL)
		return NULL;
	place = RetlTableScanPlace(entries->scan);
	pgstat_count_heap_getnext(entries->rel);
	if (progress && place != entries->reported)
		pgstat_progress_update_param(PROGRESS_SCAN_BLOCKS_DONE,
									 RetlTableScanBlocksDone(entries->scan));
	entries->reported = place;
	return row;
}

/* ---------------------------------------------------------------------
 * HOT chains
 * ---------------------------------------------------------------------
 */

/*
 * Find the roots of the HOT chains of the page that the scan is at.
 */
static void
ReadRoots(IndexEntries *entries, Buffer buffer)
{
	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	heap_get_root_tuples(BufferGetPage(buffer), entries->rootOffsets);
	LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
	entries->rootBlock = BufferGetBlockNumber(buffer);
}

/*
 * The TID by which a tuple of the row store is entered: that of the root of its
 * HOT chain.  The page stays pinned since the tuple was found, so nothing is
 * pruned; but without a lock that keeps writers out, chains may have grown since
 * the roots were read.
 */
static void
GetRootTid(IndexEntries *entries, const RetlScanRow *row, ItemPointer tid)
{
	OffsetNumber offset = ItemPointerGetOffsetNumber(&row->tuple->t_self);

	*tid = row->tuple->t_self;
	if (!HeapTupleIsHeapOnly(row->tuple))
		return;
	if (entries->rootOffsets[offset - 1] == InvalidOffsetNumber)
		ReadRoots(entries, row->buffer);
	if (!OffsetNumberIsValid(entries->rootOffsets[offset - 1]))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg_internal("failed to find parent tuple for heap-only tuple at (%u,%u) in table \"%s\"",
								 ItemPointerGetBlockNumber(tid), offset,
								 RelationGetRelationName(entries->rel))));
	ItemPointerSetOffsetNumber(tid, entries->rootOffsets[offset - 1]);
}

/* ---------------------------------------------------------------------
 * Building
 * ---------------------------------------------------------------------
 */

typedef struct IndexBuild
{
	IndexEntries entries;
	TransactionId oldestXmin;	/* invalid: an MVCC snapshot decides */
	bool		unique;			/* or an exclusion constraint */
	double		tuples;			/* rows that count as alive */
} IndexBuild;

/* What is to be done with a tuple of the row store. */
typedef enum TupleUse
{
	USE_NOT,
	USE_ALIVE,
	USE_NOT_ALIVE,				/* enter it, but do not check uniqueness */
	USE_AFTER_WAIT				/* look again when a transaction has ended */
} TupleUse;

/*
 * A tuple is dead, but not for everybody, or being deleted by our own
 * transaction.  Of a HOT chain only the live tuple is entered, so those who could
 * see this one must not use the index.
 */
static TupleUse
UseDyingTuple(IndexBuild *build, HeapTuple tuple)
{
	if (!HeapTupleIsHotUpdated(tuple))
		return USE_NOT_ALIVE;
	build->entries.info->ii_BrokenHotChain = true;
	return USE_NOT;
}

/*
 * What is to be done with a tuple on a locked page, and for which transaction
 * we have to wait before we know.  Counts what ANALYZE counts.
 */
static TupleUse
DecideTuple(IndexBuild *build, HeapTuple tuple, Buffer buffer, TransactionId *xid)
{
	switch (HeapTupleSatisfiesVacuum(tuple, build->oldestXmin, buffer))
	{
		case HEAPTUPLE_DEAD:
			return USE_NOT;
		case HEAPTUPLE_LIVE:
			build->tuples++;
			return USE_ALIVE;
		case HEAPTUPLE_RECENTLY_DEAD:
			return UseDyingTuple(build, tuple);
		case HEAPTUPLE_INSERT_IN_PROGRESS:
			*xid = HeapTupleHeaderGetXmin(tuple->t_data);
			if (RetlIndexChangeIsOwn(build->entries.rel, *xid, "insert"))
				build->tuples++;
			else if (build->unique)
				return USE_AFTER_WAIT;
			return USE_ALIVE;
		case HEAPTUPLE_DELETE_IN_PROGRESS:
			*xid = HeapTupleHeaderGetUpdateXid(tuple->t_data);
			if (RetlIndexChangeIsOwn(build->entries.rel, *xid, "delete"))
				return UseDyingTuple(build, tuple);
			if (build->unique || HeapTupleIsHotUpdated(tuple))
				return USE_AFTER_WAIT;
			build->tuples++;
			return USE_NOT_ALIVE;
	}
	elog(ERROR, "unexpected HeapTupleSatisfiesVacuum result");
	return USE_NOT;
}

/*
 * The same with waiting.  The pin on the page keeps the tuple where it is.
 */
static TupleUse
DecideTupleAndWait(IndexBuild *build, RetlScanRow *row)
{
	for (;;)
	{
		TransactionId xid = InvalidTransactionId;
		TupleUse	use;

		LockBuffer(row->buffer, BUFFER_LOCK_SHARE);
		use = DecideTuple(build, row->tuple, row->buffer, &xid);
		LockBuffer(row->buffer, BUFFER_LOCK_UNLOCK);
		if (use != USE_AFTER_WAIT)
			return use;
		XactLockTableWait(xid, build->entries.rel, &row->tuple->t_self, XLTW_InsertIndexUnique);
		CHECK_FOR_INTERRUPTS();
	}
}

/*
 * Enter a tuple of the row store.
 */
static void
BuildHeapTuple(IndexBuild *build, RetlScanRow *row, IndexBuildCallback callback, void *state)
{
	IndexEntries *entries = &build->entries;
	TupleUse	use = USE_ALIVE;
	ItemPointerData tid;

	if (BufferGetBlockNumber(row->buffer) != entries->rootBlock)
		ReadRoots(entries, row->buffer);
	if (TransactionIdIsValid(build->oldestXmin))
		use = DecideTupleAndWait(build, row);
	else
		build->tuples++;
	if (use == USE_NOT || !FormHeapEntry(entries, row))
		return;
	GetRootTid(entries, row, &tid);
	callback(entries->index, &tid, entries->values, entries->isnull, use == USE_ALIVE, state);
}

/*
 * Enter a row of a row group.
 */
static void
BuildGroupRow(IndexBuild *build, RetlScanRow *row, IndexBuildCallback callback, void *state)
{
	IndexEntries *entries = &build->entries;
	bool		alive = !TransactionIdIsValid(build->oldestXmin) ||
		RetlTableScanRowIsAlive(entries->scan);

	if (alive)
		build->tuples++;
	if (FormGroupEntry(entries, row))
		callback(entries->index, &row->tid, entries->values, entries->isnull, alive, state);
}

/*
 * Enter all rows.
 */
static void
BuildRows(IndexBuild *build, bool progress, IndexBuildCallback callback, void *state)
{
	IndexEntries *entries = &build->entries;
	RetlScanRow *row;

	if (progress)
		pgstat_progress_update_param(PROGRESS_SCAN_BLOCKS_TOTAL,
									 RetlTableScanBlocks(entries->scan));
	while ((row = NextRow(entries, progress)) != NULL)
	{
		if (row->inRowStore)
			BuildHeapTuple(build, row, callback, state);
		else
			BuildGroupRow(build, row, callback, state);
	}
	if (progress)
		pgstat_progress_update_param(PROGRESS_SCAN_BLOCKS_DONE,
									 RetlTableScanBlocks(entries->scan));
}

/*
 * An index that knows blocks rather than rows would miss rows of row groups,
 * whose TIDs are beyond the file.
 */
void
RetlRefuseBlockIndex(Relation rel)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("table \"%s\" cannot have a BRIN index", RelationGetRelationName(rel)),
			 errdetail("BRIN knows blocks of a table's file, where rows of row groups do not stand one by one."),
			 errhint("Tables that use access method \"retldb\" have zone maps of all columns, which do what BRIN does.")));
}

/*
 * An index that lacks rows of damaged groups would stay when they are no longer
 * passed over.
 */
static void
RefuseWhenSkippingDamage(Relation rel)
{
	if (retldb_skip_damaged_groups)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("cannot read table \"%s\" for an index while \"%s\" is set",
						RelationGetRelationName(rel), "retldb.skip_damaged_groups"),
				 errdetail("The index would lack rows of damaged row groups.")));
}

/*
 * Begin the scan that BuildRows goes through.  Returns the snapshot if it has to
 * be unregistered afterwards.
 *
 * A scan that the caller has begun, which is the case in parallel builds, says
 * which snapshot is used, and what the processes share; the reading is done by
 * one of our own that knows the columns.
 */
static Snapshot
BeginBuildScan(IndexBuild *build, TableScanDesc given)
{
	IndexEntries *entries = &build->entries;
	IndexInfo  *info = entries->info;
	Snapshot	snapshot = SnapshotAny;
	Snapshot	registered = NULL;

	build->unique = info->ii_Unique || info->ii_ExclusionOps != NULL;
	if (!info->ii_Concurrent)
		build->oldestXmin = GetOldestNonRemovableTransactionId(entries->rel);
	if (given != NULL)
		snapshot = given->rs_snapshot;
	else if (info->ii_Concurrent)
		snapshot = registered = RegisterSnapshot(GetTransactionSnapshot());
	Assert(snapshot == SnapshotAny ? !info->ii_Concurrent :
		   IsMVCCSnapshot(snapshot) && info->ii_Concurrent);

	entries->scan = RetlTableScanBegin(entries->rel, snapshot, entries->columns, NULL,
									   given != NULL ? RetlScanGetParallel(given) : NULL);
	if (snapshot == SnapshotAny)
		RetlTableScanSetIndexRows(entries->scan,
								  RetlIndexRowsCreate(build->oldestXmin, build->unique));
	if (given == NULL)
		pgstat_count_heap_scan(entries->rel);
	return registered;
}

/*
 * CREATE INDEX, REINDEX, and checks of an index against its table.  Only BRIN asks
 * for parts of a table, or for rows to be taken as visible.
 */
double
retldb_index_build_range_scan(Relation table_rel, Relation index_rel,
							  struct IndexInfo *index_info, bool allow_sync,
							  bool anyvisible, bool progress, BlockNumber start_blockno,
							  BlockNumber numblocks, IndexBuildCallback callback,
							  void *callback_state, TableScanDesc scan)
{
	IndexBuild *build;
	Snapshot	registered;
	double		tuples;

	(void) allow_sync;
	if (index_rel->rd_rel->relam == BRIN_AM_OID || anyvisible || start_blockno != 0 ||
		numblocks != InvalidBlockNumber)
		RetlRefuseBlockIndex(table_rel);
	RefuseWhenSkippingDamage(table_rel);

	RetlWriteFlushForRead(table_rel);
	build = palloc0(sizeof(IndexBuild));
	BeginEntries(&build->entries, table_rel, index_rel, index_info);
	registered = BeginBuildScan(build, scan);
	BuildRows(build, progress, callback, callback_state);
	RetlTableScanEnd(build->entries.scan);
	if (scan != NULL)
		table_endscan(scan);
	if (registered != NULL)
		UnregisterSnapshot(registered);
	EndEntries(&build->entries);
	tuples = build->tuples;
	pfree(build);
	return tuples;
}

/* ---------------------------------------------------------------------
 * Validation
 * ---------------------------------------------------------------------
 */

/* The sorted TIDs that are in the index. */
typedef struct IndexTids
{
	Tuplesortstate *sort;
	bool		hasTid;			/* false at the end */
	ItemPointerData tid;		/* the current one */
} IndexTids;

/*
 * Go to the next TID.
 */
static void
NextIndexTid(IndexTids *tids)
{
	Datum		value;
	bool		isnull;

	tids->hasTid = RetlTuplesortGetDatum(tids->sort, &value, &isnull);
	if (!tids->hasTid)
		return;
	Assert(!isnull);
	itemptr_decode(&tids->tid, DatumGetInt64(value));
#ifndef USE_FLOAT8_BYVAL
	pfree(DatumGetPointer(value));
#endif
}

/*
 * Is a TID in the index?  They are asked for in ascending order, except that
 * within a page of the row store the roots of HOT chains may come in another one:
 * so those of this page that were passed by are remembered.
 */
static bool
IsInIndex(IndexEntries *entries, IndexTids *tids, ItemPointer tid, bool inRowStore)
{
	while (tids->hasTid && ItemPointerCompare(&tids->tid, tid) < 0)
	{
		if (inRowStore &&
			ItemPointerGetBlockNumber(&tids->tid) == entries->rootBlock)
			entries->inIndex[ItemPointerGetOffsetNumber(&tids->tid) - 1] = true;
		NextIndexTid(tids);
	}
	if (tids->hasTid && ItemPointerEquals(&tids->tid, tid))
		return true;
	return inRowStore && entries->inIndex[ItemPointerGetOffsetNumber(tid) - 1];
}

/*
 * Enter the current row if the index lacks it.
 */
static void
ValidateRow(IndexEntries *entries, IndexTids *tids, RetlScanRow *row,
			struct ValidateIndexState *state)
{
	ItemPointerData tid = row->tid;

	if (row->inRowStore)
	{
		if (BufferGetBlockNumber(row->buffer) != entries->rootBlock)
		{
			ReadRoots(entries, row->buffer);
			memset(entries->inIndex, 0, sizeof(entries->inIndex));
		}
		GetRootTid(entries, row, &tid);
	}
	if (IsInIndex(entries, tids, &tid, row->inRowStore))
		return;
	if (!(row->inRowStore ? FormHeapEntry(entries, row) : FormGroupEntry(entries, row)))
		return;

	/*
	 * Uniqueness is checked although the row may have died since: of a HOT chain
	 * the index gets one entry, for whichever version is alive.
	 */
	index_insert(entries->index, entries->values, entries->isnull, &tid, entries->rel,
				 entries->info->ii_Unique ? UNIQUE_CHECK_YES : UNIQUE_CHECK_NO, false,
				 entries->info);
	state->tups_inserted += 1;
}

/*
 * Last phase of CREATE INDEX CONCURRENTLY: rows that the snapshot sees and the
 * index has not.
 */
void
retldb_index_validate_scan(Relation table_rel, Relation index_rel,
						   struct IndexInfo *index_info, Snapshot snapshot,
						   struct ValidateIndexState *state)
{
	IndexEntries *entries = palloc(sizeof(IndexEntries));
	IndexTids	tids = {.sort = state->tuplesort};
	RetlScanRow *row;

	RefuseWhenSkippingDamage(table_rel);
	RetlWriteFlushForRead(table_rel);
	BeginEntries(entries, table_rel, index_rel, index_info);
	entries->scan = RetlTableScanBegin(table_rel, snapshot, entries->columns, NULL, NULL);
	pgstat_count_heap_scan(table_rel);
	pgstat_progress_update_param(PROGRESS_SCAN_BLOCKS_TOTAL, RetlTableScanBlocks(entries->scan));
	NextIndexTid(&tids);
	while ((row = NextRow(entries, true)) != NULL)
	{
		state->htups += 1;
		ValidateRow(entries, &tids, row, state);
	}
	RetlTableScanEnd(entries->scan);
	EndEntries(entries);
	pfree(entries);
}
