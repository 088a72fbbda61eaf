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
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "am/retldb_am.h"
#include "base/compat.h"
#include "compact/compact.h"
#include "compact/compact_stats.h"

/*
 * Open the table; NULL if it is gone, locked by others, or none that can be
 * compacted.  It may have become another between two steps.
 */
static Relation
OpenTable(RetlCompaction *compaction)
{
	Relation	rel;

	if (compaction->wait)
		LockRelationOid(compaction->relid, RETLDB_COMPACT_LOCK);
	else if (!ConditionalLockRelationOid(compaction->relid, RETLDB_COMPACT_LOCK))
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

/*
 * Nothing else is left to do: is it the turn of rows that were read?
 */
static bool
TurnToReadRows(RetlCompaction *compaction)
{
	if (!compaction->left || !compaction->moveReadAtLast || compaction->moveRead)
		return false;
	compaction->moveRead = true;
	compaction->left = false;
	/* those of the row store, too */
	compaction->nextBlock = 0;
	return true;
}

/*
 * Do steps until nothing is left; false if the table was passed over.
 */
static bool
RunSteps(RetlCompaction *compaction, const RetlCompactTransactions *transactions)
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
			if (TurnToReadRows(compaction))
				continue;
			return true;
		}
		compaction->yields++;
		/* it will be the turn of groups that are read while they are written, at last */
		if (!compaction->wait && !(result == RETL_STEP_READ && compaction->moveReadAtLast))
			return true;
		/* two that yield to each other would never get anywhere */
		if (result == RETL_STEP_YIELDED)
			compaction->mayYield = false;
	}
}

/* See compact.h. */
bool
RetlCompactTable(RetlCompaction *compaction, const RetlCompactTransactions *transactions)
{
	bool		done;

	compaction->context = AllocSetContextCreate(PortalContext, "retldb compaction of a table",
												ALLOCSET_SMALL_SIZES);
	done = RunSteps(compaction, transactions);
	MemoryContextDelete(compaction->context);
	compaction->ownGroups = NULL;
	compaction->readGroups = NULL;
	return done;
}
