/*-------------------------------------------------------------------------
 *
 * compact_stats.h
 *	  Cumulative statistics of compaction, in shared memory, and its progress.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_COMPACT_STATS_H
#define RETLDB_COMPACT_STATS_H

#include "postgres.h"

#include "datatype/timestamp.h"

#include "compact/compact.h"

/* Parameters of the progress of a compaction. */
typedef enum RetlCompactProgress
{
	RETL_PROGRESS_PHASE,		/* RetlCompactPhase */
	RETL_PROGRESS_STEPS,		/* completed ones */
	RETL_PROGRESS_STEP_ROWS,	/* that this step is about */
	RETL_PROGRESS_STEP_ROWS_READ,
	RETL_PROGRESS_ROWS_MOVED,	/* by completed steps, from the row store */
	RETL_PROGRESS_ROWS_REWRITTEN,	/* and from row groups */
	RETL_PROGRESS_GROUPS_WRITTEN,
	RETL_PROGRESS_COUNT
} RetlCompactProgress;

typedef enum RetlCompactPhase
{
	RETL_PHASE_PLANNING,
	RETL_PHASE_READING,
	RETL_PHASE_WRITING,
	RETL_PHASE_REMOVING,
	RETL_PHASE_COUNT
} RetlCompactPhase;

extern void RetlCompactProgressBegin(const RetlCompaction *compaction);
extern void RetlCompactProgressSet(RetlCompactProgress parameter, uint64 value);

/* Ask for shared memory; called when the library is preloaded. */
extern void RetlCompactStatsInstall(void);

/*
 * Forget tables and databases that are gone, if room for others gets scarce.  Called in a
 * transaction.
 */
extern void RetlCompactStatsForgetDropped(void);

/* Count what a compaction has done; by whom, and since when it ran. */
extern void RetlCompactStatsReport(const RetlCompaction *compaction, bool automatic,
								   TimestampTz started);

/* Count one that has failed, or was cancelled. */
extern void RetlCompactStatsReportFailure(Oid relid, bool cancelled);

/*
 * Are there rows that compaction has taken away since the table was vacuumed by
 * it, and does nobody need them any more?
 */
extern bool RetlCompactStatsVacuumIsDue(Oid relid, TransactionId oldestXmin);

/* Are there such rows at all? */
extern bool RetlCompactStatsVacuumIsPending(Oid relid);

/*
 * Has nothing come into the table for a while, going by the rows that have been inserted,
 * or have got new versions, so far?
 */
extern bool RetlCompactStatsIsQuiet(Oid relid, int64 inserted, int milliseconds);

/* Were rows left where they are when a compaction ended, for they were read? */
extern void RetlCompactStatsLeft(Oid relid, bool left);

/* Were some left each time, for so long by now? */
extern bool RetlCompactStatsWasLeft(Oid relid, int milliseconds);

/* It was vacuumed; but its end could not be cut off, for others have used the table? */
extern void RetlCompactStatsVacuumed(Oid relid, bool truncationDue);

/* Has the end of the table still to be cut off; it was. */
extern bool RetlCompactStatsTruncationIsDue(Oid relid);
extern void RetlCompactStatsTruncated(Oid relid);

#endif							/* RETLDB_COMPACT_STATS_H */
