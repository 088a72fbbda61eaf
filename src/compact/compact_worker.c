/*-------------------------------------------------------------------------
 *
 * compact_worker.c
 *	  A worker of automatic compaction, started for a database by the launcher.
 *
 * It looks at the retldb tables of its database, compacts those for which it pays,
 * and vacuums what it has moved rows from, once no snapshot needs these any more: the
 * row store would grow as long as its pages are not used again.  It claims each table, and
 * passes over those that another worker is at.
 *
 * To others a worker is what an autovacuum worker is: whoever waits for a lock
 * that it holds cancels it after deadlock_timeout (it looks for them itself, but
 * not while a group is encoded), and DROP DATABASE ends it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/xact.h"
#include "commands/dbcommands.h"
#include "commands/extension.h"
#include "commands/vacuum.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lmgr.h"
#include "storage/lwlock.h"
#include "storage/proc.h"
#include "storage/procarray.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "am/retldb_am.h"
#include "am/vacuum_truncate.h"
#include "base/compat.h"
#include "base/options.h"
#include "base/settings.h"
#include "compact/compact.h"
#include "compact/compact_claims.h"
#include "compact/compact_stats.h"
#include "compact/compact_worker.h"

extern PGDLLEXPORT void RetlCompactWorkerMain(Datum arg);

/* Rounds of a worker over the tables of its database, at most. */
#define MAX_ROUNDS	10

/*
 * After so many naptimes without new rows no more groups than these may overlap, and a
 * share of the threshold's rows is worth it, one in so many.
 */
#define QUIET_NAPTIMES	3
#define QUIET_OVERLAP	2
#define QUIET_SHARE		5

/*
 * The latter after so many naptimes if the table has indexes, which VACUUM may have to
 * read for these rows.
 */
#define QUIET_NAPTIMES_INDEXED	30

/*
 * Naptimes after which rows are moved that serializable transactions have read, if there have
 * been such rows all the time.
 */
#define PATIENCE_NAPTIMES	10

/* How often it tries to lock a table whose end is to be cut off, 50 ms apart. */
#define TRUNCATE_ATTEMPTS	10

/* Pause between rounds. */
#define ROUND_DELAY_MS	100L

/* ---------------------------------------------------------------------
 * A table
 * ---------------------------------------------------------------------
 */

/* The table being worked on, for messages; NULL if none is. */
static const char *tableName = NULL;

/* Error context: the table that is being compacted. */
static void
AddContext(void *arg)
{
	(void) arg;
	if (tableName != NULL)
		errcontext("automatic compaction of table \"%s\"", tableName);
}

/*
 * Sleep, outside of transactions.
 */
static void
Pause(long milliseconds)
{
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
					 milliseconds, PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
}

/*
 * A step was done: let others have the disk.
 */
static void
Commit(void)
{
	CommitTransactionCommand();
	/* before VACUUM tells of the table: what it has removed would count as dead for ever */
	pgstat_report_stat(true);
	if (retldb_autocompact_delay > 0)
		Pause(retldb_autocompact_delay);
	StartTransactionCommand();
}

/* Callback: a step is given up. */
static void
Rollback(void)
{
	AbortCurrentTransaction();
	StartTransactionCommand();
}

/*
 * So many naptimes in milliseconds.
 */
static int
Naptimes(int naptimes)
{
	return Min(retldb_autocompact_naptime, INT_MAX / 1000 / naptimes) * 1000 * naptimes;
}

/*
 * Has no row come into the table, or got a new version, for so many naptimes?
 */
static bool
IsQuiet(Relation rel, int naptimes)
{
	PgStat_StatTabEntry *statistics = pgstat_fetch_stat_tabentry(RelationGetRelid(rel));

	return statistics != NULL &&
		RetlCompactStatsIsQuiet(RelationGetRelid(rel),
								statistics->tuples_inserted + statistics->tuples_updated,
								Naptimes(naptimes));
}

/*
 * How many groups may overlap of a table with an order.  While rows come in, it does not
 * pay to rewrite groups for a few of them; afterwards readers are all there is.
 */
static int
MaxOverlap(Relation rel)
{
	if (retldb_autocompact_overlap > QUIET_OVERLAP && IsQuiet(rel, QUIET_NAPTIMES))
		return QUIET_OVERLAP;
	return retldb_autocompact_overlap;
}

/*
 * Callback: is the table quiet enough for a few rows to be moved?
 */
static bool
IsQuietForRows(Relation rel)
{
	return IsQuiet(rel, rel->rd_rel->relhasindex ? QUIET_NAPTIMES_INDEXED : QUIET_NAPTIMES);
}

/*
 * Find name, thresholds and horizon of a table; false if there is nothing to do
 * with it.
 */
static bool
Examine(Oid relid, MemoryContext context, RetlCompaction *compaction, TransactionId *oldestXmin)
{
	Relation	rel;
	RetlTableOptions options;

	if (!ConditionalLockRelationOid(relid, AccessShareLock))
		return false;
	rel = try_relation_open(relid, NoLock);
	if (rel == NULL)
		return false;
	RetlTableOptionsRead(rel, &options, 0);
	tableName = MemoryContextStrdup(context, psprintf("%s.%s.%s", get_database_name(MyDatabaseId),
													  get_namespace_name(RelationGetNamespace(rel)),
													  RelationGetRelationName(rel)));
	*oldestXmin = GetOldestNonRemovableTransactionId(rel);
	memset(compaction, 0, sizeof(*compaction));
	compaction->relid = relid;
	compaction->minRows = options.autocompactThreshold != RETLDB_UNSET ?
		options.autocompactThreshold : retldb_autocompact_threshold;
	compaction->scaleFactor = retldb_autocompact_scale_factor;
	compaction->quietRows = compaction->minRows / QUIET_SHARE;
	compaction->isQuiet = IsQuietForRows;
	compaction->maxOverlap = options.orderBy != NULL ? MaxOverlap(rel) : retldb_autocompact_overlap;
	compaction->moveRead = retldb_compact_read_rows;
	compaction->moveReadAtLast = RetlCompactStatsWasLeft(relid, Naptimes(PATIENCE_NAPTIMES));
	relation_close(rel, AccessShareLock);
	return options.autocompact != 0;
}

/*
 * Tell the log what was done.
 */
static void
LogCompaction(const RetlCompaction *compaction, TimestampTz started)
{
	TimestampTz now = GetCurrentTimestamp();

	if (compaction->steps == 0 || retldb_log_autocompact_min_duration < 0 ||
		!TimestampDifferenceExceeds(started, now, retldb_log_autocompact_min_duration))
		return;
	ereport(LOG,
			(errmsg("automatic compaction of table \"%s\": rows: %llu from the row store, %llu from row groups; "
					"row groups: %llu merged, %llu written; steps: %llu%s; elapsed: %.2f s",
					tableName,
					(unsigned long long) compaction->rowsMoved,
					(unsigned long long) compaction->rowsRewritten,
					(unsigned long long) compaction->groupsMerged,
					(unsigned long long) compaction->groupsWritten,
					(unsigned long long) compaction->steps,
					compaction->yields > 0 ? ", given up for others" : "",
					TimestampDifferenceMilliseconds(started, now) / 1000.0),
			 errhidecontext(true)));
}

/*
 * Vacuum a table, unless others have it locked.  Ends transactions.
 */
static void
Vacuum(Oid relid)
{
	VacuumParams params;
	BufferAccessStrategy strategy = GetAccessStrategy(BAS_VACUUM);
	VacuumRelation *relation = makeVacuumRelation(NULL, relid, NIL);
	uint64		before = retldb_vacuums;

	memset(&params, 0, sizeof(params));
	params.options = VACOPT_VACUUM | VACOPT_SKIP_LOCKED | VACOPT_PROCESS_TOAST | RETLDB_VACOPT_PROCESS_MAIN;
	params.freeze_min_age = -1;
	params.freeze_table_age = -1;
	params.multixact_freeze_min_age = -1;
	params.multixact_freeze_table_age = -1;
	params.log_min_duration = -1;
	params.index_cleanup = VACOPTVALUE_UNSPECIFIED;
	params.truncate = VACOPTVALUE_UNSPECIFIED;
	params.nworkers = -1;
	RetlVacuum(list_make1(relation), &params, strategy);
	FreeAccessStrategy(strategy);
	if (retldb_vacuums > before)
		RetlCompactStatsVacuumed(relid, retldb_truncation_missed);
}

/*
 * Cut off the end of a table that VACUUM could not lock, because others used it all
 * the time.
 */
static void
TruncateIfDue(Oid relid)
{
	Relation	rel;

	if (!RetlCompactStatsTruncationIsDue(relid) ||
		!ConditionalLockRelationOid(relid, ShareUpdateExclusiveLock))
		return;
	rel = try_relation_open(relid, NoLock);
	if (rel == NULL)
		return;
	if (!RetlIsRetldbTable(rel) || RetlVacuumTruncate(rel, TRUNCATE_ATTEMPTS))
		RetlCompactStatsTruncated(relid);
	relation_close(rel, NoLock);
}

/*
 * Vacuum the table if rows that compaction took away are nobody's any more.  Ends
 * transactions then.
 */
static bool
VacuumIfDue(Oid relid, MemoryContext context, TransactionId oldestXmin)
{
	if (!RetlCompactStatsVacuumIsDue(relid, oldestXmin))
		return false;
	pgstat_report_activity(STATE_RUNNING, psprintf("retldb: vacuum %s", tableName));
	MemoryContextSwitchTo(context);
	Vacuum(relid);
	return true;
}

/*
 * Do for a table what is due; rewriting groups that overlap takes longest, and needs
 * most room, so one step of it at a time, and only when VACUUM has set the pages of
 * the one before free.  True if there may be more of it.
 */
static bool
WorkOnTable(Oid relid, MemoryContext context)
{
	static const RetlCompactTransactions transactions = {Commit, Rollback};
	TimestampTz started = GetCurrentTimestamp();
	TransactionId oldestXmin;
	RetlCompaction compaction;
	bool		unfinished;

	if (!Examine(relid, context, &compaction, &oldestXmin))
		return false;
	if (VacuumIfDue(relid, context, oldestXmin) &&
		!Examine(relid, context, &compaction, &oldestXmin))
		return false;
	compaction.holdClustering = RetlCompactStatsVacuumIsPending(relid);
	pgstat_report_activity(STATE_RUNNING, psprintf("retldb: compact %s", tableName));
	if (RetlCompactTable(&compaction, &transactions))
		RetlCompactStatsLeft(relid, compaction.left);
	RetlCompactStatsReport(&compaction, true, started);
	LogCompaction(&compaction, started);
	unfinished = compaction.unfinished;

	if (compaction.steps > 0 && !Examine(relid, context, &compaction, &oldestXmin))
		return unfinished;
	if (!VacuumIfDue(relid, context, oldestXmin))
		TruncateIfDue(relid);
	return unfinished;
}

/*
 * The same, unless another worker is at it; an error is reported, and the next table's
 * turn comes.
 */
static bool
TryTable(Oid relid, MemoryContext context)
{
	volatile bool unfinished = false;

	if (!RetlCompactClaim(relid))
		return false;
	PG_TRY();
	{
		StartTransactionCommand();
		unfinished = WorkOnTable(relid, context);
		CommitTransactionCommand();
	}
	PG_CATCH();
	{
		bool		cancelled = geterrcode() == ERRCODE_QUERY_CANCELED;

		HOLD_INTERRUPTS();
		QueryCancelPending = false;
		EmitErrorReport();
		AbortOutOfAnyTransaction();
		FlushErrorState();
		RetlCompactStatsReportFailure(relid, cancelled);
		RESUME_INTERRUPTS();
	}
	PG_END_TRY();
	RetlCompactUnclaim();
	tableName = NULL;
	MemoryContextSwitchTo(context);
	MemoryContextReset(context);
	return unfinished;
}

/* ---------------------------------------------------------------------
 * The worker
 * ---------------------------------------------------------------------
 */

/*
 * Settings that a worker must not have, whatever the database's are.
 */
static void
OverrideSettings(void)
{
	SetConfigOption("zero_damaged_pages", "false", PGC_SUSET, PGC_S_OVERRIDE);
	SetConfigOption("statement_timeout", "0", PGC_SUSET, PGC_S_OVERRIDE);
	SetConfigOption("lock_timeout", "0", PGC_SUSET, PGC_S_OVERRIDE);
#if PG_VERSION_NUM >= 170000
	SetConfigOption("transaction_timeout", "0", PGC_SUSET, PGC_S_OVERRIDE);
#endif
	SetConfigOption("idle_in_transaction_session_timeout", "0", PGC_SUSET, PGC_S_OVERRIDE);
	SetConfigOption("default_transaction_isolation", "read committed", PGC_SUSET, PGC_S_OVERRIDE);
	SetConfigOption("default_transaction_read_only", "off", PGC_SUSET, PGC_S_OVERRIDE);
	SetConfigOption("search_path", "", PGC_SUSET, PGC_S_OVERRIDE);
	SetConfigOption("retldb.skip_damaged_groups", "off", PGC_SUSET, PGC_S_OVERRIDE);
	/* as autovacuum: nobody waits for a standby for this */
	if (synchronous_commit > SYNCHRONOUS_COMMIT_LOCAL_FLUSH)
		SetConfigOption("synchronous_commit", "local", PGC_SUSET, PGC_S_OVERRIDE);
}

/*
 * Be an autovacuum worker to those who wait for our locks.
 */
static void
BecomeCancellable(void)
{
	LWLockAcquire(ProcArrayLock, LW_EXCLUSIVE);
	MyProc->statusFlags |= PROC_IS_AUTOVACUUM;
	ProcGlobal->statusFlags[MyProc->pgxactoff] = MyProc->statusFlags;
	LWLockRelease(ProcArrayLock);
}

/*
 * Main function of a worker.
 */
void
RetlCompactWorkerMain(Datum arg)
{
	MemoryContext context;
	MemoryContext tableContext;
	ErrorContextCallback callback;
	List	   *tables = NIL;
	ListCell   *cell;
	bool		unfinished = true;

	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	/* the launcher does not know of those that were about to begin when another one ended */
	if (!RetlCompactWorkerEnter(DatumGetObjectId(arg), MyBgworkerEntry->bgw_notify_pid))
		proc_exit(0);
	BackgroundWorkerInitializeConnectionByOid(DatumGetObjectId(arg), InvalidOid, 0);
	OverrideSettings();
	BecomeCancellable();

	context = AllocSetContextCreate(TopMemoryContext, "retldb compaction worker",
									ALLOCSET_DEFAULT_SIZES);
	tableContext = AllocSetContextCreate(context, "retldb compaction of a table",
										 ALLOCSET_DEFAULT_SIZES);
	/* VACUUM keeps there what outlives its transactions */
	PortalContext = AllocSetContextCreate(context, "retldb compaction portal",
										  ALLOCSET_DEFAULT_SIZES);
	callback.callback = AddContext;
	callback.arg = NULL;
	callback.previous = error_context_stack;
	error_context_stack = &callback;

	StartTransactionCommand();
	if (OidIsValid(get_extension_oid("retldb", true)))
	{
		MemoryContextSwitchTo(context);
		tables = RetlCompactAllTables(false);
		RetlCompactStatsForgetDropped();
	}
	CommitTransactionCommand();
	MemoryContextSwitchTo(tableContext);
	for (int round = 0; unfinished && round < MAX_ROUNDS; round++)
	{
		/* snapshots come and go: VACUUM may be due then */
		if (round > 0)
			Pause(ROUND_DELAY_MS);
		unfinished = false;
		foreach(cell, tables)
		{
			CHECK_FOR_INTERRUPTS();
			if (TryTable(lfirst_oid(cell), tableContext))
				unfinished = true;
			pgstat_report_activity(STATE_IDLE, NULL);
		}
	}
	pgstat_report_stat(true);
	error_context_stack = callback.previous;
}
