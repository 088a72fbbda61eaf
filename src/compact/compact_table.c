/*-------------------------------------------------------------------------
 *
 * compact_table.c
 *	  Compaction of a table: its steps, a transaction for each.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/xact.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/lmgr.h"
#include "storage/procarray.h"
#include "utils/guc.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "am/retldb_am.h"
#include "base/compat.h"
#include "compact/compact.h"
#include "compact/compact_stats.h"

/*
 * Lock the table: if no writer is there, to do everything, else to move rows; once
 * these have been moved, writers have to be waited for.  False if it is locked by
 * others.
 */
static bool
LockTable(RetlCompaction *compaction)
{
	compaction->lockMode = RETLDB_REWRITE_LOCK;
	if ((!compaction->crowded || (compaction->mustRewrite && !compaction->wait)) &&
		ConditionalLockRelationOid(compaction->relid, RETLDB_REWRITE_LOCK))
		return true;
	if (!compaction->mustRewrite)
	{
		compaction->lockMode = RETLDB_MOVE_LOCK;
		if (ConditionalLockRelationOid(compaction->relid, RETLDB_MOVE_LOCK))
			return true;
	}
	if (!compaction->wait)
		return false;

	/*
	 * A VACUUM may wait for a page that a cursor has pinned, and whoever has the
	 * cursor for a lock that we would keep from him if we queued behind that
	 * VACUUM: nobody would notice the deadlock.  So see first that there is none.
	 */
	if (compaction->lockMode == RETLDB_REWRITE_LOCK)
		LockRelationOid(compaction->relid, RETLDB_MOVE_LOCK);
	LockRelationOid(compaction->relid, compaction->lockMode);
	return true;
}

/*
 * Open the table; NULL if it is gone, locked by others, or none that can be
 * compacted.  It may have become another between two steps.
 */
static Relation
OpenTable(RetlCompaction *compaction)
{
	Relation	rel;

	if (!LockTable(compaction))
		return NULL;
	rel = try_relation_open(compaction->relid, NoLock);
	if (rel == NULL)
		return NULL;
	if (rel->rd_rel->relkind == RELKIND_PARTITIONED_TABLE || !RetlIsRetldbTable(rel) ||
		RELATION_IS_OTHER_TEMP(rel))
	{
		relation_close(rel, NoLock);
		return NULL;
	}
	return rel;
}

/*
 * Do a step with the rights of the table's owner: expressions of indexes and
 * comparisons of user-defined types may be anybody's functions.
 */
static RetlStepResult
StepAsOwner(RetlCompaction *compaction, Relation rel)
{
	RetlStepResult result;
	Oid			user;
	int			context;
	int			level;

	GetUserIdAndSecContext(&user, &context);
	SetUserIdAndSecContext(rel->rd_rel->relowner, context | SECURITY_RESTRICTED_OPERATION);
	level = NewGUCNestLevel();
	RetlRestrictSearchPath();
	result = RetlCompactStep(compaction, rel);
	AtEOXact_GUC(false, level);
	SetUserIdAndSecContext(user, context);
	return result;
}

/* See compact.h. */
bool
RetlCompactTable(RetlCompaction *compaction, const RetlCompactTransactions *transactions)
{
	compaction->mayYield = true;
	for (;;)
	{
		Relation	rel;
		RetlStepResult result;

		/* a serializable transaction would conflict with readers over nothing */
		XactIsoLevel = XACT_READ_COMMITTED;
		rel = OpenTable(compaction);
		if (rel == NULL)
		{
			transactions->rollback();
			return compaction->steps > 0;
		}
		RetlCompactProgressBegin(compaction);
		/* before we have a snapshot, whose xmin other databases determine, too */
		InvalidateCatalogSnapshot();
		compaction->oldestXmin = GetOldestNonRemovableTransactionId(rel);
		PushActiveSnapshot(GetTransactionSnapshot());
		result = StepAsOwner(compaction, rel);
		PopActiveSnapshot();
		relation_close(rel, NoLock);

		if (result == RETL_STEP_DONE)
		{
			transactions->commit();
			compaction->steps++;
			compaction->mayYield = true;
			if (compaction->unfinished)
				return true;
			continue;
		}
		transactions->rollback();
		if (result == RETL_STEP_NOTHING)
		{
			if (compaction->lockMode == RETLDB_REWRITE_LOCK || !compaction->mustRewrite)
				return true;
			/* and what could not be moved because it was in use */
			compaction->nextBlock = 0;
			continue;
		}
		compaction->yields++;
		if (compaction->lockMode == RETLDB_REWRITE_LOCK && !compaction->mustRewrite)
		{
			/* next to those who wait, then */
			compaction->crowded = true;
			continue;
		}
		if (!compaction->wait)
			return true;
		/* two that yield to each other would never get anywhere */
		compaction->mayYield = false;
	}
}
