/*-------------------------------------------------------------------------
 *
 * write_buffer.c
 *	  Where inserted rows go: the row store, or a row group in memory.
 *
 * The first retldb.row_store_rows rows that a command inserts into a table are
 * ordinary heap tuples; what comes after is collected in memory and written as
 * row groups.  A row's TID is final when it is given out: the group's row
 * numbers are reserved, and its anchor inserted, before the first row is taken.
 *
 * A row group belongs to one command of one subtransaction, for its anchor has
 * one xmin and one cmin.  It is written when it is full, when its command ends
 * (executor and utility hooks), at the latest before the subtransaction ends,
 * and earlier if the table is about to be read.  On abort it is forgotten:
 * whatever pages it has are given back by VACUUM, since its anchor is dead.
 *
 * Writing a group is not transactional in itself, so it does not matter in
 * which subtransaction it happens.  If it fails, the group remembers: a
 * transaction that has caught the error cannot commit without these rows.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/relation.h"
#include "access/xact.h"
#include "catalog/pg_index.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "tcop/dest.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "am/decoding.h"
#include "am/retldb_am.h"
#include "am/slot.h"
#include "am/write_buffer.h"
#include "base/compat.h"
#include "base/options.h"
#include "base/settings.h"
#include "rowgroup/group_writer.h"
#include "rowgroup/write_options.h"
#include "storage/directory.h"
#include "visibility/anchor.h"
#include "visibility/row_fetch.h"
#include "visibility/row_move.h"
#include "visibility/touch.h"
#include "visibility/unseen_moves.h"

/* A table whose row group had to be written with fewer rows goes on in the row store. */
#define MIN_FLUSHED_ROWS	1000

/* What the backend knows of inserts into a table. */
typedef struct WriteState
{
	Oid			relid;			/* hash key */
	RetlFileLocator locator;
	SubTransactionId subid;
	CommandId	cid;
	int			level;			/* of executor nesting */
	uint64		rowsSeen;		/* of this command */
	uint64		rowStoreRows;	/* how many of them go to the row store */
	bool		rowStoreOnly;	/* for the rest of this command */
	bool		begun;			/* there has been a group */
	bool		failed;			/* writing the open group has failed once */
	bool		open;			/* there is a group, with rows in the writer */
	bool		mayMove;		/* nobody keeps the TIDs of its rows */
	RetlGroup	group;
	RetlWriteOptions options;	/* of the writer */
	RetlGroupWriter *writer;	/* may be kept, empty, for the next group */
} WriteState;

static HTAB *states = NULL;		/* lives in stateContext */
static MemoryContext stateContext = NULL;	/* child of TopTransactionContext */
static RetlWriteMemory writeMemory; /* in stateContext, made when first needed */

static int	executorLevel = 0;
static bool loadedInTransaction = false;	/* and it has not ended yet */
static bool inCopyCommand = false;	/* the innermost utility command is COPY */

/* The innermost command, executor or utility, does not look at TIDs of rows it inserts. */
static bool commandIgnoresTids = false;

static ExecutorRun_hook_type prevExecutorRun = NULL;
static ExecutorFinish_hook_type prevExecutorFinish = NULL;

/* ---------------------------------------------------------------------
 * States
 * ---------------------------------------------------------------------
 */

static WriteState *
LookupState(Oid relid)
{
	if (states == NULL)
		return NULL;
	return hash_search(states, &relid, HASH_FIND, NULL);
}

/*
 * Make the table of states, for this transaction.
 */
static void
CreateStates(void)
{
	HASHCTL		info = {0};

	stateContext = AllocSetContextCreate(TopTransactionContext, "retldb write buffers",
										 ALLOCSET_DEFAULT_SIZES);
	memset(&writeMemory, 0, sizeof(writeMemory));
	info.keysize = sizeof(Oid);
	info.entrysize = sizeof(WriteState);
	info.hcxt = stateContext;
	states = hash_create("retldb write states", 16, &info,
						 HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

/*
 * Does an index ask for columns of rows that are in the memory of a backend?  Checks
 * of exclusion constraints do, and of uniqueness for ON CONFLICT if the index is
 * on expressions; all others compare index entries.
 */
static bool
AnyIndexReadsRows(Relation rel)
{
	List	   *indexes;
	ListCell   *cell;
	bool		found = false;

	if (!rel->rd_rel->relhasindex)
		return false;
	indexes = RelationGetIndexList(rel);
	foreach(cell, indexes)
	{
		HeapTuple	tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(lfirst_oid(cell)));
		Form_pg_index form;

		if (!HeapTupleIsValid(tuple))
			elog(ERROR, "cache lookup failed for index %u", lfirst_oid(cell));
		form = (Form_pg_index) GETSTRUCT(tuple);
		found |= form->indisexclusion ||
			(form->indisunique && !heap_attisnull(tuple, Anum_pg_index_indexprs, NULL));
		ReleaseSysCache(tuple);
	}
	list_free(indexes);
	return found;
}

/*
 * Must all rows of a command go to the row store?
 */
static bool
NeedsRowStore(Relation rel)
{
	return RetlInsertsAreDecoded(rel) || AnyIndexReadsRows(rel);
}

/*
 * How many rows of a command go to the row store before the others go to row
 * groups.
 */
static uint64
RowStoreRows(Relation rel)
{
	RetlTableOptions options;

	RetlTableOptionsRead(rel, &options, 0);
	return options.rowStoreRows != RETLDB_UNSET ? options.rowStoreRows : retldb_row_store_rows;
}

/*
 * Begin a command.
 */
static void
ResetState(WriteState *state, Relation rel, CommandId cid)
{
	state->locator = RetlRelationLocator(rel);
	state->subid = GetCurrentSubTransactionId();
	state->cid = cid;
	state->level = executorLevel;
	state->rowsSeen = 0;
	state->rowStoreRows = RowStoreRows(rel);
	state->rowStoreOnly = false;
	state->begun = false;
	state->failed = false;
	state->open = false;
	state->writer = NULL;
}

/*
 * Free the writer of a state, with the rows in it.
 */
static void
FreeWriter(WriteState *state)
{
	if (state->writer != NULL)
		RetlGroupWriterFree(state->writer);
	state->writer = NULL;
	state->open = false;
}

/*
 * Write the open group of a state, if there is one.  rel may be NULL.
 */
static void
WriteGroup(WriteState *state, Relation rel)
{
	Relation	opened = NULL;

	if (!state->open)
		return;
	if (state->failed)
		ereport(ERROR,
				(errcode(ERRCODE_IN_FAILED_SQL_TRANSACTION),
				 errmsg("cannot go on with rows that could not be written before"),
				 errdetail("Writing a row group has failed in this transaction.")));

	if (rel == NULL)
		rel = opened = relation_open(state->relid, NoLock);
	if (!RetlLocatorEquals(state->locator, RetlRelationLocator(rel)))
		elog(ERROR, "table \"%s\" was rewritten while rows were buffered for it",
			 RelationGetRelationName(rel));

	if (writeMemory.group == NULL)
		RetlWriteMemoryInit(&writeMemory, stateContext);
	state->failed = true;
	if (state->mayMove)
		RetlGroupWriterSort(state->writer, NULL);
	RetlGroupWriterWrite(state->writer, rel, &state->group, &writeMemory);
	state->failed = false;
	state->open = false;
	if (opened != NULL)
		relation_close(opened, NoLock);
}

/*
 * Write the open group of a state and let go of its memory.
 */
static void
FlushState(WriteState *state, Relation rel)
{
	WriteGroup(state, rel);
	FreeWriter(state);
}

/*
 * The state of the current command for a table.
 */
static WriteState *
GetState(Relation rel, CommandId cid)
{
	Oid			relid = RelationGetRelid(rel);
	WriteState *state;
	bool		found;

	if (states == NULL)
		CreateStates();
	state = hash_search(states, &relid, HASH_ENTER, &found);
	if (!found)
		ResetState(state, rel, cid);
	else if (state->cid != cid ||
			 state->subid != GetCurrentSubTransactionId() ||
			 !RetlLocatorEquals(state->locator, RetlRelationLocator(rel)))
	{
		FlushState(state, rel);
		ResetState(state, rel, cid);
	}
	return state;
}

/*
 * Forget a state and what it holds.
 */
static void
DropState(WriteState *state)
{
	FreeWriter(state);
	hash_search(states, &state->relid, HASH_REMOVE, NULL);
}

/* ---------------------------------------------------------------------
 * Rows
 * ---------------------------------------------------------------------
 */

/*
 * How many of the next rows of the command go to the row store.
 */
int
RetlWriteRouteRows(Relation rel, CommandId cid, int count)
{
	WriteState *state = GetState(rel, cid);
	int			rowStore = count;

	if (state->rowsSeen <= state->rowStoreRows && state->rowsSeen + count > state->rowStoreRows &&
		NeedsRowStore(rel))
		state->rowStoreOnly = true;
	if (!state->rowStoreOnly)
	{
		if (state->rowsSeen >= state->rowStoreRows)
			rowStore = 0;
		else
			rowStore = Min((uint64) count, state->rowStoreRows - state->rowsSeen);
	}
	state->rowsSeen += count;
	return rowStore;
}

/*
 * Make a writer for the groups of a command.
 */
static void
CreateWriter(WriteState *state, Relation rel)
{
	MemoryContext optionContext = AllocSetContextCreate(CurrentMemoryContext,
														"retldb write options",
														ALLOCSET_SMALL_SIZES);
	MemoryContext oldContext = MemoryContextSwitchTo(optionContext);

	RetlWriteOptionsFill(rel, &state->options);
	state->writer = RetlGroupWriterCreate(RelationGetDescr(rel), &state->options, stateContext);
	/* the writer has copies of these */
	state->options.columns = NULL;
	state->options.sortKeys = NULL;
	MemoryContextSwitchTo(oldContext);
	MemoryContextDelete(optionContext);
}

/*
 * May rows that are inserted now get other TIDs than they are given?  Only if
 * nobody keeps those: no index, no AFTER ROW trigger (foreign keys and deferred
 * constraints are such), nothing that comes after in the same command.  The
 * table that replaces another in a rewrite is nobody else's business.
 */
static inline bool
RowsMayMove(Relation rel)
{
	if (OidIsValid(rel->rd_rel->relrewrite))
		return true;
	return commandIgnoresTids && !rel->rd_rel->relhasindex &&
		(rel->trigdesc == NULL || !rel->trigdesc->trig_insert_after_row);
}

/*
 * Begin a row group: reserve its numbers, insert its anchor, make its entry.
 */
static void
BeginGroup(WriteState *state, Relation rel, CommandId cid, int options)
{
	uint64		groupId;
	uint64		rowBase;
	ItemPointerData anchor;
	MemoryContext oldContext = MemoryContextSwitchTo(stateContext);

	if (!state->begun)
		RetlLogUndecodedLoad(rel);
	state->begun = true;

	/* the settings may have changed since a kept writer was made: its own count */
	if (state->writer == NULL)
		CreateWriter(state, rel);

	RetlDirectoryReserve(rel, state->options.groupRows, &groupId, &rowBase);
	anchor = RetlAnchorInsert(rel, groupId, cid, (options & TABLE_INSERT_FROZEN) != 0);
	RetlDirectoryAddGroup(rel, groupId, rowBase, state->options.groupRows, &anchor,
						  U64FromFullTransactionId(GetTopFullTransactionId()), &state->group);
	state->open = true;
	state->mayMove = state->options.sortKeyCount > 0;
	MemoryContextSwitchTo(oldContext);
}

/*
 * Write the largest open groups until all of them together fit the limit.
 */
static void
LimitMemory(void)
{
	Size		limit = (Size) retldb_write_memory * 1024;

	for (;;)
	{
		HASH_SEQ_STATUS scan;
		WriteState *state;
		WriteState *largest = NULL;
		Size		total = 0;

		hash_seq_init(&scan, states);
		while ((state = hash_seq_search(&scan)) != NULL)
		{
			if (state->writer == NULL)
				continue;
			total += RetlGroupWriterMemory(state->writer);
			if (largest == NULL ||
				RetlGroupWriterMemory(state->writer) > RetlGroupWriterMemory(largest->writer))
				largest = state;
		}
		if (total <= limit)
			return;
		/* many tables and little memory: no row groups of a few rows */
		if (largest->open && RetlGroupWriterRowCount(largest->writer) < MIN_FLUSHED_ROWS)
			largest->rowStoreOnly = true;
		FlushState(largest, NULL);
	}
}

/*
 * Put rows into the open row group, and set their TIDs.  There is room for them.
 */
static void
AppendRows(WriteState *state, Relation rel, TupleTableSlot **slots, int count)
{
	uint64		rowNumber = state->group.entry.rowBase + RetlGroupWriterRowCount(state->writer);
	bool		padded = true;

	for (int i = 0; i < count; i++)
		padded = padded && RetlSlotIsPadded(slots[i]);
	RetlGroupWriterAppendMany(state->writer, slots, count, padded);
	for (int i = 0; i < count; i++)
	{
		RetlTidFromRowNumber(&slots[i]->tts_tid, rowNumber + i);
		slots[i]->tts_tableOid = RelationGetRelid(rel);
	}
	pgstat_count_heap_insert(rel, count);
}

/*
 * Put rows into row groups.
 */
void
RetlWriteRows(Relation rel, TupleTableSlot **slots, int count, CommandId cid, int options)
{
	/* rows after which memory is looked at: often enough, and cheap */
	const uint32 checkInterval = 256;
	WriteState *state = LookupState(RelationGetRelid(rel));

	Assert(state != NULL && state->cid == cid);

	for (int done = 0, n; done < count; done += n)
	{
		uint32		before;

		if (!state->open)
			BeginGroup(state, rel, cid, options);
		if (state->mayMove && !RowsMayMove(rel))
			state->mayMove = false;
		before = RetlGroupWriterRowCount(state->writer);
		n = RetlGroupWriterRoom(state->writer, count - done);
		AppendRows(state, rel, slots + done, n);

		if (RetlGroupWriterIsFull(state->writer))
		{
			/* more rows are likely: keep the memory for them */
			WriteGroup(state, rel);
			RetlGroupWriterReset(state->writer);
		}
		else if (before == 0 || before / checkInterval != (before + n) / checkInterval)
			LimitMemory();
	}
}

/* ---------------------------------------------------------------------
 * When to write
 * ---------------------------------------------------------------------
 */

/*
 * Somebody is about to read the table.
 */
void
RetlWriteFlushForRead(Relation rel)
{
	WriteState *state = LookupState(RelationGetRelid(rel));

	if (state == NULL || !state->open)
		return;
	FlushState(state, rel);
	state->rowStoreOnly = true;
}

/*
 * The same for all tables: other processes of this transaction may read them.
 */
static void
FlushAllForRead(void)
{
	HASH_SEQ_STATUS scan;
	WriteState *state;

	if (states == NULL)
		return;
	hash_seq_init(&scan, states);
	while ((state = hash_seq_search(&scan)) != NULL)
	{
		if (!state->open)
			continue;
		FlushState(state, NULL);
		state->rowStoreOnly = true;
	}
}

/*
 * A command is done with this table, for now: COPY calls this again and again
 * for partitions, and has a hook of its own at the end.
 */
void
RetlWriteFinishBulkInsert(Relation rel)
{
	WriteState *state = LookupState(RelationGetRelid(rel));

	if (state == NULL || inCopyCommand)
		return;
	FlushState(state, rel);
	DropState(state);
}

/*
 * Drop what is buffered for a table that is being emptied.
 */
void
RetlWriteDiscard(Relation rel)
{
	WriteState *state = LookupState(RelationGetRelid(rel));

	if (state != NULL)
		DropState(state);
}

/*
 * Write all open groups of commands at an executor level or below, and forget
 * the commands.
 */
static void
FinishLevel(int level)
{
	HASH_SEQ_STATUS scan;
	WriteState *state;

	if (states == NULL)
		return;
	hash_seq_init(&scan, states);
	while ((state = hash_seq_search(&scan)) != NULL)
	{
		if (state->level >= level)
			FlushState(state, NULL);
	}
}

/*
 * Write, or on abort forget, the groups of a subtransaction.
 */
static void
EndSubTransaction(SubTransactionId subid, bool commit)
{
	HASH_SEQ_STATUS scan;
	WriteState *state;

	if (states == NULL)
		return;
	hash_seq_init(&scan, states);
	while ((state = hash_seq_search(&scan)) != NULL)
	{
		if (state->subid != subid)
			continue;
		if (commit)
			FlushState(state, NULL);
		DropState(state);
	}
}

/* ---------------------------------------------------------------------
 * Hooks
 * ---------------------------------------------------------------------
 */

static void
TransactionCallback(XactEvent event, void *arg)
{
	(void) arg;

	switch (event)
	{
		case XACT_EVENT_PRE_COMMIT:
		case XACT_EVENT_PRE_PREPARE:
			FinishLevel(0);
			RetlTouchForget();
			break;
		case XACT_EVENT_ABORT:
			RetlFetchCacheReset();
			/* FALLTHROUGH */
		case XACT_EVENT_COMMIT:
		case XACT_EVENT_PREPARE:
			/* the memory goes with the transaction's */
			states = NULL;
			stateContext = NULL;
			loadedInTransaction = false;
			RetlTouchForget();
			RetlCheckRewrittenForget();
			RetlForgetChanges();
			break;
		default:
			break;
	}
}

static void
SubTransactionCallback(SubXactEvent event, SubTransactionId subid,
					   SubTransactionId parentSubid, void *arg)
{
	(void) parentSubid;
	(void) arg;

	switch (event)
	{
		case SUBXACT_EVENT_PRE_COMMIT_SUB:
			EndSubTransaction(subid, true);
			break;
		case SUBXACT_EVENT_ABORT_SUB:
			EndSubTransaction(subid, false);
			RetlFetchCacheReset();
			RetlTouchForget();
			break;
		default:
			break;
	}
}

/*
 * Does a query forget the TIDs of rows that it inserts?  One that returns
 * nothing and does nothing else does, and so does CREATE TABLE AS.
 */
static bool
QueryIgnoresTids(QueryDesc *queryDesc)
{
	PlannedStmt *plan = queryDesc->plannedstmt;

	if (plan->hasReturning || plan->hasModifyingCTE)
		return false;
	if (plan->commandType == CMD_INSERT)
		return true;
	return plan->commandType == CMD_SELECT && queryDesc->dest != NULL &&
		(queryDesc->dest->mydest == DestIntoRel ||
		 queryDesc->dest->mydest == DestTransientRel);
}

static void
RetlExecutorRun(QueryDesc *queryDesc, ScanDirection direction,
				uint64 count RETL_EXECUTE_ONCE_PARAM)
{
	bool		outerIgnoredTids = commandIgnoresTids;

	/* index scans in workers would come upon rows that are in our memory */
	if (queryDesc->plannedstmt->parallelModeNeeded)
		FlushAllForRead();

	executorLevel++;
	commandIgnoresTids = QueryIgnoresTids(queryDesc);
	PG_TRY();
	{
		if (prevExecutorRun)
			prevExecutorRun(queryDesc, direction, count RETL_EXECUTE_ONCE_ARG);
		else
			standard_ExecutorRun(queryDesc, direction, count RETL_EXECUTE_ONCE_ARG);
	}
	PG_FINALLY();
	{
		executorLevel--;
		commandIgnoresTids = outerIgnoredTids;
	}
	PG_END_TRY();
}

/*
 * Rows must be written before AFTER triggers see them, which
 * standard_ExecutorFinish fires; it may also insert some.
 */
static void
RetlExecutorFinish(QueryDesc *queryDesc)
{
	bool		outerIgnoredTids = commandIgnoresTids;

	/*
	 * A query that was running when the library was loaded (for a partition,
	 * say) counts as level 0; nobody else will write its rows.
	 */
	FinishLevel(loadedInTransaction && executorLevel == 0 && !inCopyCommand ? 0 : executorLevel + 1);

	executorLevel++;
	commandIgnoresTids = false;
	PG_TRY();
	{
		if (prevExecutorFinish)
			prevExecutorFinish(queryDesc);
		else
			standard_ExecutorFinish(queryDesc);
	}
	PG_FINALLY();
	{
		executorLevel--;
		commandIgnoresTids = outerIgnoredTids;
	}
	PG_END_TRY();

	FinishLevel(executorLevel + 1);
}

/* See write_buffer.h. */
void
RetlWriteBeginUtility(Node *statement, RetlWriteUtility *outer)
{
	bool		isCopy = IsA(statement, CopyStmt);

	outer->inCopyCommand = inCopyCommand;
	outer->commandIgnoresTids = commandIgnoresTids;
	inCopyCommand = isCopy;
	commandIgnoresTids = isCopy && ((CopyStmt *) statement)->is_from;
}

/* See write_buffer.h. */
void
RetlWriteFinishUtility(void)
{
	if (inCopyCommand)
		FinishLevel(executorLevel);
}

/* See write_buffer.h. */
void
RetlWriteLeaveUtility(const RetlWriteUtility *outer)
{
	inCopyCommand = outer->inCopyCommand;
	commandIgnoresTids = outer->commandIgnoresTids;
}

void
RetlInstallWriteHooks(void)
{
	loadedInTransaction = IsTransactionState();
	RegisterXactCallback(TransactionCallback, NULL);
	RegisterSubXactCallback(SubTransactionCallback, NULL);
	prevExecutorRun = ExecutorRun_hook;
	ExecutorRun_hook = RetlExecutorRun;
	prevExecutorFinish = ExecutorFinish_hook;
	ExecutorFinish_hook = RetlExecutorFinish;
}
