/*-------------------------------------------------------------------------
 *
 * scan_parallel.c
 *	  Shared state of a parallel columnar scan.
 *
 * It consists of what the table scan needs to hand out the work, and of one
 * place for each worker to report in what it has read.  Workers report
 * whenever they turn to another vector and at their end; the leader adds the
 * reports up when the node is shut down or the workers start anew.  When a
 * query stops early, what a worker does afterwards goes uncounted.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "am/write_buffer.h"
#include "exec/exec.h"

struct RetlSharedScan
{
	RetlParallelScan scan;
	int			workerCount;
	RetlScanStats workers[FLEXIBLE_ARRAY_MEMBER];
};

/* The part of the shared state that the table scan works with. */
RetlParallelScan *
RetlSharedScanGet(RetlSharedScan *shared)
{
	return &shared->scan;
}

/* Add up statistics of scans. */
void
RetlScanStatsAdd(RetlScanStats *sum, const RetlScanStats *stats)
{
	sum->groupsTotal += stats->groupsTotal;
	sum->groupsSkipped += stats->groupsSkipped;
	sum->groupsDamaged += stats->groupsDamaged;
	sum->groupsDeleted += stats->groupsDeleted;
	sum->vectorsTotal += stats->vectorsTotal;
	sum->vectorsSkipped += stats->vectorsSkipped;
	sum->vectorsRead += stats->vectorsRead;
	sum->vectorsEmptied += stats->vectorsEmptied;
	sum->rowStoreRows += stats->rowStoreRows;
	sum->bloomGroups += stats->bloomGroups;
	sum->rowsFiltered += stats->rowsFiltered;
	sum->storeRowsFiltered += stats->storeRowsFiltered;
	sum->rowsRuntimeFiltered += stats->rowsRuntimeFiltered;
	sum->read.chunksOpened += stats->read.chunksOpened;
	sum->read.unitsRead += stats->read.unitsRead;
	sum->read.vectorsDecoded += stats->read.vectorsDecoded;
	sum->read.vectorsFiltered += stats->read.vectorsFiltered;
	sum->read.valuesFetched += stats->read.valuesFetched;
	sum->read.cacheHits += stats->read.cacheHits;
	sum->read.cachedVectors += stats->read.cachedVectors;
	sum->read.bytesRead += stats->read.bytesRead;
}

/* In the leader: take over what the workers have reported. */
static void
CollectReports(RetlScanState *state)
{
	int			i;

	for (i = 0; i < state->shared->workerCount; i++)
	{
		RetlScanStatsAdd(&state->pastStats, &state->shared->workers[i]);
		memset(&state->shared->workers[i], 0, sizeof(RetlScanStats));
	}
}

/* In a worker: report what was counted so far. */
void
RetlScanReportStats(RetlScanState *state)
{
	RetlScanStats stats = state->pastStats;

	if (state->scan != NULL)
		RetlScanStatsAdd(&stats, RetlTableScanGetStats(state->scan));
	*state->workerStats = stats;
}

/* Room needed for the shared state. */
Size
RetlScanEstimateShared(CustomScanState *node, ParallelContext *pcxt)
{
	return add_size(offsetof(RetlSharedScan, workers),
					mul_size(sizeof(RetlScanStats), pcxt->nworkers));
}

/* In the leader, before workers start: initialise the shared state. */
void
RetlScanInitShared(CustomScanState *node, ParallelContext *pcxt, void *coordinate)
{
	RetlScanState *state = (RetlScanState *) node;
	RetlSharedScan *shared = (RetlSharedScan *) coordinate;

	/* a scan from before the workers cannot take part */
	RetlScanEndScan(state);

	RetlWriteFlushForRead(node->ss.ss_currentRelation);
	RetlParallelScanInit(&shared->scan, node->ss.ss_currentRelation, pcxt->nworkers + 1);
	shared->workerCount = pcxt->nworkers;
	memset(shared->workers, 0, sizeof(RetlScanStats) * pcxt->nworkers);
	state->shared = shared;
}

/* In the leader, before workers start again. */
void
RetlScanReinitShared(CustomScanState *node, ParallelContext *pcxt, void *coordinate)
{
	RetlScanState *state = (RetlScanState *) node;
	RetlSharedScan *shared = (RetlSharedScan *) coordinate;

	Assert(state->shared == shared);
	CollectReports(state);
	RetlParallelScanReinit(&shared->scan);
}

/* In a worker: attach to the shared state. */
void
RetlScanInitWorker(CustomScanState *node, shm_toc *toc, void *coordinate)
{
	RetlScanState *state = (RetlScanState *) node;
	RetlSharedScan *shared = (RetlSharedScan *) coordinate;

	state->shared = shared;
	if (ParallelWorkerNumber < shared->workerCount)
		state->workerStats = &shared->workers[ParallelWorkerNumber];
}

/*
 * No more rows will be asked for unless there is a rescan, and the shared
 * memory will go away.  Scans that are not parallel go on if asked: a portal
 * comes here after each FETCH.
 */
void
RetlScanShutdown(CustomScanState *node)
{
	RetlScanState *state = (RetlScanState *) node;

	if (state->shared == NULL)
		return;

	if (state->workerStats != NULL)
		RetlScanReportStats(state);
	else
		CollectReports(state);
	RetlScanEndScan(state);
	state->workerStats = NULL;
	state->shared = NULL;
}
