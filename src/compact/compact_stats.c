/*-------------------------------------------------------------------------
 *
 * compact_stats.c
 *	  Cumulative statistics of compaction, in shared memory, and its progress.
 *
 * There is room for a fixed number of tables; the one compacted longest ago makes
 * room for another.  The statistics are lost when the server stops, as nothing but
 * people depend on them: rows that are not vacuumed by compaction are vacuumed by
 * autovacuum.  Without preloading there are none.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "utils/backend_progress.h"
#include "utils/timestamp.h"

#include "base/compat.h"
#include "base/progress.h"
#include "compact/compact_stats.h"

PG_FUNCTION_INFO_V1(retldb_compaction_stats);
PG_FUNCTION_INFO_V1(retldb_compaction_progress);

#define MAX_TABLES	1024

typedef struct TableStats
{
	Oid			database;		/* invalid: unused */
	Oid			relid;
	uint64		manual;			/* runs that have done something */
	uint64		automatic;
	uint64		failures;
	uint64		yields;
	uint64		steps;
	uint64		rowsMoved;
	uint64		rowsRewritten;
	uint64		groupsMerged;
	uint64		groupsWritten;
	uint64		vacuums;
	TimestampTz last;
	int64		lastDuration;	/* milliseconds */
	bool		vacuumDue;
	bool		truncationDue;	/* VACUUM could not lock the table to cut off its end */
	TransactionId lastXid;		/* which has taken rows away */
	int64		inserted;		/* rows and new versions, as seen last, */
	TimestampTz insertedSeen;	/* and when these were another number */
} TableStats;

typedef struct SharedStats
{
	LWLock	   *lock;
	TableStats	tables[MAX_TABLES];
} SharedStats;

static SharedStats *shared = NULL;
static shmem_request_hook_type prevShmemRequest = NULL;
static shmem_startup_hook_type prevShmemStartup = NULL;

static const char *const phaseNames[RETL_PHASE_COUNT] =
{
	"planning", "reading rows", "writing row groups", "removing old rows"
};

/* ---------------------------------------------------------------------
 * Shared memory
 * ---------------------------------------------------------------------
 */

static void
ShmemRequest(void)
{
	if (prevShmemRequest)
		prevShmemRequest();
	RequestAddinShmemSpace(sizeof(SharedStats));
	RequestNamedLWLockTranche("retldb compaction", 1);
}

static void
ShmemStartup(void)
{
	bool		found;

	if (prevShmemStartup)
		prevShmemStartup();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	shared = ShmemInitStruct("retldb compaction", sizeof(SharedStats), &found);
	if (!found)
	{
		memset(shared, 0, sizeof(SharedStats));
		shared->lock = &GetNamedLWLockTranche("retldb compaction")->lock;
	}
	LWLockRelease(AddinShmemInitLock);
}

/* See compact_stats.h. */
void
RetlCompactStatsInstall(void)
{
	prevShmemRequest = shmem_request_hook;
	shmem_request_hook = ShmemRequest;
	prevShmemStartup = shmem_startup_hook;
	shmem_startup_hook = ShmemStartup;
}

/*
 * The entry of a table of this database; NULL if it has none and none is to be
 * made.  The caller holds the lock, exclusively if one is.
 */
static TableStats *
FindTable(Oid relid, bool make)
{
	TableStats *oldest = &shared->tables[0];

	for (int i = 0; i < MAX_TABLES; i++)
	{
		TableStats *table = &shared->tables[i];

		if (table->database == MyDatabaseId && table->relid == relid)
			return table;
		if (OidIsValid(oldest->database) &&
			(!OidIsValid(table->database) || table->last < oldest->last))
			oldest = table;
	}
	if (!make)
		return NULL;
	memset(oldest, 0, sizeof(TableStats));
	oldest->database = MyDatabaseId;
	oldest->relid = relid;
	return oldest;
}

/* ---------------------------------------------------------------------
 * Counting
 * ---------------------------------------------------------------------
 */

/*
 * The table is to be vacuumed when nobody needs any more what a transaction has taken
 * away; if that is invalid, at once.
 */
static void
WantVacuum(TableStats *table, TransactionId xid)
{
	if (!table->vacuumDue || TransactionIdIsValid(xid))
		table->lastXid = xid;
	table->vacuumDue = true;
}

/* See compact_stats.h. */
void
RetlCompactStatsReport(const RetlCompaction *compaction, bool automatic, TimestampTz started)
{
	TableStats *table;

	if (shared == NULL || (compaction->steps == 0 && compaction->yields == 0))
		return;
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	table = FindTable(compaction->relid, true);
	table->yields += compaction->yields;
	/* pages of groups that were rolled back are nobody's at once */
	if (compaction->groupsAbandoned > 0)
		WantVacuum(table, InvalidTransactionId);
	if (compaction->steps > 0)
	{
		if (automatic)
			table->automatic++;
		else
			table->manual++;
		table->steps += compaction->steps;
		table->rowsMoved += compaction->rowsMoved;
		table->rowsRewritten += compaction->rowsRewritten;
		table->groupsMerged += compaction->groupsMerged;
		table->groupsWritten += compaction->groupsWritten;
		table->last = GetCurrentTimestamp();
		table->lastDuration = TimestampDifferenceMilliseconds(started, table->last);
		WantVacuum(table, compaction->lastXid);
	}
	LWLockRelease(shared->lock);
}

/* See compact_stats.h. */
void
RetlCompactStatsReportFailure(Oid relid, bool cancelled)
{
	TableStats *table;

	if (shared == NULL)
		return;
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	table = FindTable(relid, true);
	table->failures++;
	/* it may have written groups, and what fails in other ways fails again */
	if (cancelled)
		WantVacuum(table, InvalidTransactionId);
	LWLockRelease(shared->lock);
}

/*
 * Has a table rows that wait for VACUUM?  *lastXid is the one that took them away.
 */
static bool
VacuumIsPending(Oid relid, TransactionId *lastXid)
{
	TableStats *table;
	bool		pending;

	if (shared == NULL)
		return false;
	LWLockAcquire(shared->lock, LW_SHARED);
	table = FindTable(relid, false);
	pending = table != NULL && table->vacuumDue;
	*lastXid = pending ? table->lastXid : InvalidTransactionId;
	LWLockRelease(shared->lock);
	return pending;
}

/* See compact_stats.h. */
bool
RetlCompactStatsVacuumIsDue(Oid relid, TransactionId oldestXmin)
{
	TransactionId lastXid;

	return VacuumIsPending(relid, &lastXid) && TransactionIdPrecedes(lastXid, oldestXmin);
}

/* See compact_stats.h. */
bool
RetlCompactStatsVacuumIsPending(Oid relid)
{
	TransactionId lastXid;

	return VacuumIsPending(relid, &lastXid);
}

/* See compact_stats.h. */
void
RetlCompactStatsVacuumed(Oid relid, bool truncationDue)
{
	TableStats *table;

	if (shared == NULL)
		return;
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	table = FindTable(relid, true);
	table->vacuumDue = false;
	table->truncationDue = truncationDue;
	table->vacuums++;
	LWLockRelease(shared->lock);
}

/* See compact_stats.h. */
bool
RetlCompactStatsIsQuiet(Oid relid, int64 inserted, int milliseconds)
{
	TimestampTz now = GetCurrentTimestamp();
	TableStats *table;
	bool		quiet;

	if (shared == NULL)
		return false;
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	table = FindTable(relid, true);
	if (table->inserted != inserted || table->insertedSeen == 0)
	{
		table->inserted = inserted;
		table->insertedSeen = now;
	}
	quiet = TimestampDifferenceExceeds(table->insertedSeen, now, milliseconds);
	LWLockRelease(shared->lock);
	return quiet;
}

/* See compact_stats.h. */
bool
RetlCompactStatsTruncationIsDue(Oid relid)
{
	TableStats *table;
	bool		due;

	if (shared == NULL)
		return false;
	LWLockAcquire(shared->lock, LW_SHARED);
	table = FindTable(relid, false);
	due = table != NULL && table->truncationDue;
	LWLockRelease(shared->lock);
	return due;
}

/* See compact_stats.h. */
void
RetlCompactStatsTruncated(Oid relid)
{
	TableStats *table;

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	table = FindTable(relid, false);
	if (table != NULL)
		table->truncationDue = false;
	LWLockRelease(shared->lock);
}

/* ---------------------------------------------------------------------
 * Progress
 * ---------------------------------------------------------------------
 */

/* See compact_stats.h. */
void
RetlCompactProgressBegin(const RetlCompaction *compaction)
{
	pgstat_progress_start_command(RETL_COMMAND_COMPACT, compaction->relid);
	RetlCompactProgressSet(RETL_PROGRESS_STEPS, compaction->steps);
	RetlCompactProgressSet(RETL_PROGRESS_ROWS_MOVED, compaction->rowsMoved);
	RetlCompactProgressSet(RETL_PROGRESS_ROWS_REWRITTEN, compaction->rowsRewritten);
	RetlCompactProgressSet(RETL_PROGRESS_GROUPS_WRITTEN, compaction->groupsWritten);
}

/* See compact_stats.h. */
void
RetlCompactProgressSet(RetlCompactProgress parameter, uint64 value)
{
	pgstat_progress_update_param(parameter, (int64) value);
}

/* ---------------------------------------------------------------------
 * SQL functions
 * ---------------------------------------------------------------------
 */

/*
 * One row for each table of this database that has statistics.
 */
Datum
retldb_compaction_stats(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	TableStats *copy;

	InitMaterializedSRF(fcinfo, 0);
	if (shared == NULL)
		return (Datum) 0;
	copy = palloc(sizeof(shared->tables));
	LWLockAcquire(shared->lock, LW_SHARED);
	memcpy(copy, shared->tables, sizeof(shared->tables));
	LWLockRelease(shared->lock);

	for (int i = 0; i < MAX_TABLES; i++)
	{
		const TableStats *table = &copy[i];
		Datum		values[13];
		bool		nulls[13] = {false};
		int			n = 0;

		if (table->database != MyDatabaseId ||
			(table->last == 0 && table->failures == 0 && table->yields == 0))
			continue;
		values[n++] = ObjectIdGetDatum(table->relid);
		values[n++] = Int64GetDatum(table->manual);
		values[n++] = Int64GetDatum(table->automatic);
		values[n++] = Int64GetDatum(table->failures);
		values[n++] = Int64GetDatum(table->yields);
		values[n++] = Int64GetDatum(table->steps);
		values[n++] = Int64GetDatum(table->rowsMoved);
		values[n++] = Int64GetDatum(table->rowsRewritten);
		values[n++] = Int64GetDatum(table->groupsMerged);
		values[n++] = Int64GetDatum(table->groupsWritten);
		values[n++] = Int64GetDatum(table->vacuums);
		nulls[n] = nulls[n + 1] = table->last == 0;
		values[n++] = TimestampTzGetDatum(table->last);
		values[n++] = Float8GetDatum((double) table->lastDuration);
		Assert(n == lengthof(values));
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/*
 * The name of a phase; whatever else is there is taken for the nearest one.
 */
static const char *
PhaseName(int64 phase)
{
	return phaseNames[Min(Max(phase, 0), RETL_PHASE_COUNT - 1)];
}

/*
 * One row for each backend that is compacting.
 */
Datum
retldb_compaction_progress(PG_FUNCTION_ARGS)
{
	static const int counters[] = {RETL_PROGRESS_STEPS, RETL_PROGRESS_STEP_ROWS,
		RETL_PROGRESS_STEP_ROWS_READ, RETL_PROGRESS_ROWS_MOVED, RETL_PROGRESS_ROWS_REWRITTEN,
	RETL_PROGRESS_GROUPS_WRITTEN};
	static const RetlProgressLayout layout = {RETL_COMMAND_COMPACT, RETL_PROGRESS_PHASE, PhaseName,
	counters, lengthof(counters)};

	RetlProgressRows(fcinfo, &layout);
	return (Datum) 0;
}
