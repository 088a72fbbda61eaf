/*-------------------------------------------------------------------------
 *
 * convert.h
 *	  Converting a table from one access method to another while it is used.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_CONVERT_H
#define RETLDB_CONVERT_H

#include "postgres.h"

#include "commands/progress.h"
#include "utils/rel.h"
#include "utils/snapshot.h"

/*
 * What progress is reported about.  PostgreSQL's own code, which exchanges the
 * storage and builds the indexes, reports phases and indexes as of CLUSTER, so
 * these are its parameters; the others are ours.
 */
typedef enum RetlConvertProgress
{
	RETL_CONVERT_PHASE = PROGRESS_CLUSTER_PHASE,
	RETL_CONVERT_ROWS_EXPECTED = PROGRESS_CLUSTER_TOTAL_HEAP_BLKS,
	RETL_CONVERT_ROWS_COPIED = PROGRESS_CLUSTER_HEAP_TUPLES_WRITTEN,
	RETL_CONVERT_INDEXES = PROGRESS_CLUSTER_INDEX_REBUILD_COUNT,
	RETL_CONVERT_ROWS_COMPARED = 17,
	RETL_CONVERT_ROWS_REMOVED,
	RETL_CONVERT_ROWS_ADDED
} RetlConvertProgress;

/* Phases beside those of CLUSTER. */
typedef enum RetlConvertPhase
{
	RETL_CONVERTING_COPY = PROGRESS_CLUSTER_PHASE_SEQ_SCAN_HEAP,
	RETL_CONVERTING_SWAP = PROGRESS_CLUSTER_PHASE_SWAP_REL_FILES,
	RETL_CONVERTING_INDEXES = PROGRESS_CLUSTER_PHASE_REBUILD_INDEX,
	RETL_CONVERTING_CLEANUP = PROGRESS_CLUSTER_PHASE_FINAL_CLEANUP,
	RETL_CONVERTING_WAIT = 20,
	RETL_CONVERTING_CATCH_UP
} RetlConvertPhase;

/*
 * Copy all rows of a table that a snapshot sees to an empty one with the same
 * columns, in the order of their TIDs.  Returns their number.  The snapshot must
 * stay registered until the copy has caught up.
 */
extern uint64 RetlConvertCopy(Relation from, Relation to, Snapshot snapshot);

/*
 * Make the copy, which has the rows that one snapshot sees, have those that a
 * later one sees.  Returns the change of their number.
 */
extern int64 RetlConvertCatchUp(Relation from, Relation to, Snapshot before, Snapshot after);

#endif							/* RETLDB_CONVERT_H */
