/*-------------------------------------------------------------------------
 *
 * compact_launcher.c
 *	  The launcher of automatic compaction: which database gets a worker, and when.
 *
 * Databases stand in a queue.  The first one gets a worker a naptime after one was
 * started for it, or has ended in it, last, and goes to the queue's end.  So a database
 * whose worker has not come to its end after a naptime gets another one, and none can
 * keep others from their turn, however few workers there may be.
 *
 * Workers outlive their launcher.  The next one counts those that it finds.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_database.h"
#include "commands/dbcommands.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "base/compat.h"
#include "base/settings.h"
#include "compact/compact_claims.h"
#include "compact/compact_stats.h"
#include "compact/compact_worker.h"

pg_noreturn extern PGDLLEXPORT void RetlCompactLauncherMain(Datum arg);

typedef struct Database
{
	Oid			oid;
	TimestampTz since;			/* a worker was started, or has ended, last; 0: never */
} Database;

typedef struct Worker
{
	BackgroundWorkerHandle *handle;
	Oid			database;
} Worker;

/* The queue, of Database; it and all in it are in the launcher's context. */
static List *queue = NIL;

/* Workers that it has started, and not seen ending yet. */
static Worker workers[RETLDB_MAX_AUTOCOMPACT_WORKERS];
static int	workerCount = 0;

/* ---------------------------------------------------------------------
 * The queue
 * ---------------------------------------------------------------------
 */

/*
 * The databases to which one can connect, in the current context.
 */
static List *
Databases(void)
{
	MemoryContext context = CurrentMemoryContext;
	List	   *databases = NIL;
	Relation	catalog;
	TableScanDesc scan;
	HeapTuple	tuple;

	StartTransactionCommand();
	(void) GetTransactionSnapshot();
	catalog = table_open(DatabaseRelationId, AccessShareLock);
	scan = table_beginscan_catalog(catalog, 0, NULL);
	while ((tuple = heap_getnext(scan, ForwardScanDirection)) != NULL)
	{
		Form_pg_database form = (Form_pg_database) GETSTRUCT(tuple);
		MemoryContext oldContext;

		if (!form->datallowconn || form->datistemplate || RetlDatabaseIsInvalid(form))
			continue;
		oldContext = MemoryContextSwitchTo(context);
		databases = lappend_oid(databases, form->oid);
		MemoryContextSwitchTo(oldContext);
	}
	table_endscan(scan);
	table_close(catalog, AccessShareLock);
	CommitTransactionCommand();
	MemoryContextSwitchTo(context);
	return databases;
}

/*
 * Let the queue have the databases that there are.  Those that are new come first.
 */
static void
UpdateQueue(void)
{
	List	   *databases = Databases();
	List	   *changed = NIL;
	ListCell   *cell;

	foreach(cell, queue)
	{
		Database   *database = lfirst(cell);

		if (list_member_oid(databases, database->oid))
		{
			changed = lappend(changed, database);
			databases = list_delete_oid(databases, database->oid);
		}
		else
			pfree(database);
	}
	list_free(queue);
	queue = NIL;
	foreach(cell, databases)
	{
		Database   *database = palloc(sizeof(Database));

		database->oid = lfirst_oid(cell);
		database->since = 0;
		queue = lappend(queue, database);
	}
	queue = list_concat(queue, changed);
	list_free(changed);
	list_free(databases);
}

/*
 * A worker was started for a database, or has ended: the queue's end is its place.
 */
static void
MoveToEnd(Oid oid)
{
	ListCell   *cell;

	foreach(cell, queue)
	{
		Database   *database = lfirst(cell);

		if (database->oid != oid)
			continue;
		database->since = GetCurrentTimestamp();
		queue = lappend(list_delete_ptr(queue, database), database);
		break;
	}
}

/*
 * Somebody may have set the clock back: nothing has happened later than now.  All of the
 * queue at once, or each database would wait for a naptime after the one before it.
 */
static void
ForgetFuture(TimestampTz now)
{
	ListCell   *cell;

	foreach(cell, queue)
	{
		Database   *database = lfirst(cell);

		database->since = Min(database->since, now);
	}
}

/*
 * Milliseconds until the turn of the first database comes.
 */
static long
UntilNextTurn(void)
{
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz turn;
	Database   *first;

	if (queue == NIL)
		return retldb_autocompact_naptime * 1000L;
	first = linitial(queue);
	if (first->since == 0)
		return 0;
	ForgetFuture(now);
	turn = TimestampTzPlusMilliseconds(first->since, retldb_autocompact_naptime * INT64CONST(1000));
	return TimestampDifferenceMilliseconds(now, turn);
}

/* ---------------------------------------------------------------------
 * Workers
 * ---------------------------------------------------------------------
 */

/*
 * No background worker is free.  That is told once, until there are more than there were then.
 */
static void
TellOfLack(bool lack)
{
	static int	toldAt = -1;	/* so many workers there were */

	if (!lack && workerCount > toldAt)
		toldAt = -1;
	if (lack && (toldAt < 0 || workerCount < toldAt))
	{
		ereport(LOG,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("no background worker is free for automatic compaction"),
				 errhint("You might need to increase max_worker_processes.")));
		toldAt = workerCount;
	}
}

/*
 * Start a worker for a database, if a background worker is free.
 */
static bool
StartWorker(Oid database)
{
	BackgroundWorker worker = {0};
	Worker	   *started = &workers[workerCount];

	Assert(workerCount < RETLDB_MAX_AUTOCOMPACT_WORKERS);
	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = BGW_NEVER_RESTART;
	worker.bgw_main_arg = ObjectIdGetDatum(database);
	/* the postmaster tells when it begins and when it ends */
	worker.bgw_notify_pid = MyProcPid;
	strlcpy(worker.bgw_library_name, "retldb", sizeof(worker.bgw_library_name));
	strlcpy(worker.bgw_function_name, "RetlCompactWorkerMain", sizeof(worker.bgw_function_name));
	snprintf(worker.bgw_name, BGW_MAXLEN, "retldb compaction worker for database %u", database);
	strlcpy(worker.bgw_type, "retldb compaction worker", BGW_MAXLEN);

	if (!RegisterDynamicBackgroundWorker(&worker, &started->handle))
	{
		TellOfLack(true);
		return false;
	}
	started->database = database;
	workerCount++;
	TellOfLack(false);
	return true;
}

/*
 * Forget workers that have ended, or could not begin.
 */
static void
ReapWorkers(void)
{
	for (int i = workerCount - 1; i >= 0; i--)
	{
		pid_t		pid;

		if (GetBackgroundWorkerPid(workers[i].handle, &pid) != BGWH_STOPPED)
			continue;
		MoveToEnd(workers[i].database);
		pfree(workers[i].handle);
		workers[i] = workers[--workerCount];
	}
}

/*
 * Start workers for databases whose turn it is, as many as there may be.  Returns how long
 * to wait for something else to do, unless a worker ends: milliseconds.
 */
static long
StartWorkers(void)
{
	long		naptime = retldb_autocompact_naptime * 1000L;

	/* nobody tells us when those end that were left behind */
	if (workerCount + RetlCompactWorkersLeftBehind(MyProcPid) >= retldb_autocompact_max_workers)
		return naptime;
	UpdateQueue();
	while (workerCount + RetlCompactWorkersLeftBehind(MyProcPid) < retldb_autocompact_max_workers)
	{
		long		wait = UntilNextTurn();
		Database   *first;

		/* and there may be new databases */
		if (wait > 0)
			return Min(wait, naptime);
		first = linitial(queue);
		if (!StartWorker(first->oid))
			break;
		MoveToEnd(first->oid);
	}
	return naptime;
}

/* ---------------------------------------------------------------------
 * The launcher
 * ---------------------------------------------------------------------
 */

/*
 * Wait for a while, or until something happens; go if the launcher is to end.  That is
 * not for the log, as die() would have it: an error at each shutdown of a server.  The
 * status lets the postmaster start another one.
 */
static void
Wait(long milliseconds)
{
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_EXIT_ON_PM_DEATH | WL_TIMEOUT,
					 milliseconds, PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
	if (ShutdownRequestPending)
		proc_exit(1);
}

/*
 * Main function of the launcher.
 */
void
RetlCompactLauncherMain(Datum arg)
{
	long		wait = retldb_autocompact_naptime * 1000L;
	MemoryContext context;

	(void) arg;
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, SignalHandlerForShutdownRequest);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnection(NULL, NULL, 0);
	context = AllocSetContextCreate(TopMemoryContext, "retldb compaction launcher",
									ALLOCSET_DEFAULT_SIZES);
	for (;;)
	{
		Wait(wait);
		if (ConfigReloadPending)
		{
			ConfigReloadPending = false;
			ProcessConfigFile(PGC_SIGHUP);
		}
		MemoryContextSwitchTo(context);
		ReapWorkers();
		wait = retldb_autocompact ? StartWorkers() : retldb_autocompact_naptime * 1000L;
	}
}

/* See compact_worker.h. */
void
RetlInstallCompaction(void)
{
	BackgroundWorker launcher = {0};

	if (!process_shared_preload_libraries_in_progress)
		return;
	RetlCompactStatsInstall();
	RetlCompactClaimsInstall();
	if (IsBinaryUpgrade)
		return;
	launcher.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	launcher.bgw_start_time = BgWorkerStart_RecoveryFinished;
	launcher.bgw_restart_time = 10;
	strlcpy(launcher.bgw_library_name, "retldb", sizeof(launcher.bgw_library_name));
	strlcpy(launcher.bgw_function_name, "RetlCompactLauncherMain",
			sizeof(launcher.bgw_function_name));
	strlcpy(launcher.bgw_name, "retldb compaction launcher", BGW_MAXLEN);
	strlcpy(launcher.bgw_type, "retldb compaction launcher", BGW_MAXLEN);
	RegisterBackgroundWorker(&launcher);
}
