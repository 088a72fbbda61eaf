/*-------------------------------------------------------------------------
 *
 * compact_stats.c
 *	  Cumulative statistics of compaction, in shared memory, and its progress.
 *
 * There is room for a fixed number of tables.  Tables that are gone are forgotten when
 * it gets scarce (RetlCompactStatsForgetDropped), and after that the one compacted
 * longest ago makes room for another.  The statistics are lost when the server stops,
 * as nothing but people depend on them: rows that are not vacuumed by compaction are
 * vacuumed by autovacuum.  Without preloading there are none.
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
#include "utils/hsearch.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#include "base/compat.h"
#include "base/progress.h"
#include "compact/compact_stats.h"

PG_FUNCTION_INFO_V1(retldb_compaction_stats);
PG_FUNCTION_INFO_V1(retldb_compaction_progress);

/* There are statistics of so many tables at most, of all databases. */
#define MAX_TABLES	8192

typedef struct TableKey
{
	Oid			database;
	Oid			relid;
} TableKey;

typedef struct TableStats
{
	TableKey	key;			/* must be first */
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
	TimestampTz leftSince;		/* rows were left where they are, for they were read; or 0 */
} TableStats;

static HTAB *shared = NULL;		/* of TableStats, in shared memory */
static LWLock *sharedLock = NULL;
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
	RequestAddinShmemSpace(hash_estimate_size(MAX_TABLES, sizeof(TableStats)));
	RequestNamedLWLockTranche("retldb compaction", 1);
}

static void
ShmemStartup(void)
{
	HASHCTL		control = {0};

	if (prevShmemStartup)
		prevShmemStartup();
	control.keysize = sizeof(TableKey);
	control.entrysize = sizeof(TableStats);
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	/* all of it at once: nobody is to run out of shared memory later */
	shared = ShmemInitHash("retldb compaction", MAX_TABLES, MAX_TABLES, &control,
						   HASH_ELEM | HASH_BLOBS);
	sharedLock = &GetNamedLWLockTranche("retldb compaction")->lock;
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
 * Make room for a table: forget the one that was compacted longest ago.  The caller
 * holds the lock exclusively.
 */
static void
EvictOldest(void)
{
	HASH_SEQ_STATUS scan;
	TableStats *table;
	TableStats *oldest = NULL;

	hash_seq_init(&scan, shared);
	while ((table = hash_seq_search(&scan)) != NULL)
	{
		if (oldest == NULL || table->last < oldest->last)
			oldest = table;
	}
	if (oldest != NULL)
		(void) hash_search(shared, &oldest->key, HASH_REMOVE, NULL);
}

/*
 * The entry of a table of this database; NULL if it has none and none is to be
 * made.  The caller holds the lock, exclusively if one is.
 */
static TableStats *
FindTable(Oid relid, bool make)
{
	TableKey	key = {MyDatabaseId, relid};
	TableStats *table = hash_search(shared, &key, HASH_FIND, NULL);

	if (table != NULL || !make)
		return table;
	if (hash_get_num_entries(shared) >= MAX_TABLES)
		EvictOldest();
	table = hash_search(shared, &key, HASH_ENTER, NULL);
	memset(table, 0, sizeof(TableStats));
	table->key = key;
	return table;
}

/*
 * A copy of all entries, in the current context, and their number.
 */
static TableStats *
CopyTables(int *count)
{
	HASH_SEQ_STATUS scan;
	TableStats *copy;
	const TableStats *table;

	*count = 0;
	LWLockAcquire(sharedLock, LW_SHARED);
	copy = palloc(sizeof(TableStats) * Max(hash_get_num_entries(shared), 1));
	hash_seq_init(&scan, shared);
	while ((table = hash_seq_search(&scan)) != NULL)
		copy[(*count)++] = *table;
	LWLockRelease(sharedLock);
	return copy;
}

/*
 * Is there such a table, as far as this database knows?
 */
static bool
TableExists(const TableKey *key)
{
	if (key->database == MyDatabaseId)
		return SearchSysCacheExists1(RELOID, ObjectIdGetDatum(key->relid));
	return SearchSysCacheExists1(DATABASEOID, ObjectIdGetDatum(key->database));
}

/* See compact_stats.h. */
void
RetlCompactStatsForgetDropped(void)
{
	TableStats *copy;
	int			count;

	if (shared == NULL)
		return;
	copy = CopyTables(&count);
	for (int i = 0; count > MAX_TABLES / 2 && i < count; i++)
	{
		if (TableExists(&copy[i].key))
			continue;
		LWLockAcquire(sharedLock, LW_EXCLUSIVE);
		(void) hash_search(shared, &copy[i].key, HASH_REMOVE, NULL);
		LWLockRelease(sharedLock);
	}
	pfree(copy);
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
	LWLockAcquire(sharedLock, LW_EXCLUSIVE);
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
	LWLockRelease(sharedLock);
}

/* See compact_stats.h. */
void
RetlCompactStatsReportFailure(Oid relid, bool cancelled)
{
	TableStats *table;

	if (shared == NULL)
		return;
	LWLockAcquire(sharedLock, LW_EXCLUSIVE);
	table = FindTable(relid, true);
	table->failures++;
	/* it may have written groups, and what fails in other ways fails again */
	if (cancelled)
		WantVacuum(table, InvalidTransactionId);
	LWLockRelease(sharedLock);
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
	LWLockAcquire(sharedLock, LW_SHARED);
	table = FindTable(relid, false);
	pending = table != NULL && table->vacuumDue;
	*lastXid = pending ? table->lastXid : InvalidTransactionId;
	LWLockRelease(sharedLock);
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
	LWLockAcquire(sharedLock, LW_EXCLUSIVE);
	table = FindTable(relid, true);
	table->vacuumDue = false;
	table->truncationDue = truncationDue;
	table->vacuums++;
	LWLockRelease(sharedLock);
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
	LWLockAcquire(sharedLock, LW_EXCLUSIVE);
	table = FindTable(relid, true);
	/* the last: somebody has set the clock back */
	if (table->inserted != inserted || table->insertedSeen == 0 || table->insertedSeen > now)
	{
		table->inserted = inserted;
		table->insertedSeen = now;
	}
	quiet = TimestampDifferenceExceeds(table->insertedSeen, now, milliseconds);
	LWLockRelease(sharedLock);
	return quiet;
}

/* See compact_stats.h. */
void
RetlCompactStatsLeft(Oid relid, bool left)
{
	TimestampTz now = GetCurrentTimestamp();
	TableStats *table;

	if (shared == NULL)
		return;
	LWLockAcquire(sharedLock, LW_EXCLUSIVE);
	table = FindTable(relid, left);
	if (table != NULL && !left)
		table->leftSince = 0;
	/* the last: somebody has set the clock back */
	else if (table != NULL && (table->leftSince == 0 || table->leftSince > now))
		table->leftSince = now;
	LWLockRelease(sharedLock);
}

/* See compact_stats.h. */
bool
RetlCompactStatsWasLeft(Oid relid, int milliseconds)
{
	TableStats *table;
	bool		left;

	if (shared == NULL)
		return false;
	LWLockAcquire(sharedLock, LW_SHARED);
	table = FindTable(relid, false);
	left = table != NULL && table->leftSince != 0 &&
		TimestampDifferenceExceeds(table->leftSince, GetCurrentTimestamp(), milliseconds);
	LWLockRelease(sharedLock);
	return left;
}

/* See compact_stats.h. */
bool
RetlCompactStatsTruncationIsDue(Oid relid)
{
	TableStats *table;
	bool		due;

	if (shared == NULL)
		return false;
	LWLockAcquire(sharedLock, LW_SHARED);
	table = FindTable(relid, false);
	due = table != NULL && table->truncationDue;
	LWLockRelease(sharedLock);
	return due;
}

/* See compact_stats.h. */
void
RetlCompactStatsTruncated(Oid relid)
{
	TableStats *table;

	LWLockAcquire(sharedLock, LW_EXCLUSIVE);
	table = FindTable(relid, false);
	if (table != NULL)
		table->truncationDue = false;
	LWLockRelease(sharedLock);
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
	int			count;

	InitMaterializedSRF(fcinfo, 0);
	if (shared == NULL)
		return (Datum) 0;
	copy = CopyTables(&count);
	for (int i = 0; i < count; i++)
	{
		const TableStats *table = &copy[i];
		Datum		values[13];
		bool		nulls[13] = {false};
		int			n = 0;

		if (table->key.database != MyDatabaseId ||
			(table->last == 0 && table->failures == 0 && table->yields == 0))
			continue;
		values[n++] = ObjectIdGetDatum(table->key.relid);
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
