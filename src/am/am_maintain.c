/*-------------------------------------------------------------------------
 *
 * am_maintain.c
 *	  Table access method: truncation, VACUUM.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/multixact.h"
#include "access/visibilitymap.h"
#include "commands/vacuum.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/pgstat_internal.h"
#include "utils/rel.h"

#include "am/retldb_am.h"
#include "am/vacuum_index.h"
#include "am/vacuum_map.h"
#include "am/vacuum_reclaim.h"
#include "am/vacuum_truncate.h"
#include "am/write_buffer.h"
#include "base/compat.h"
#include "base/settings.h"
#include "storage/column_page.h"
#include "storage/directory.h"
#include "storage/table_header.h"
#include "visibility/anchor.h"
#include "visibility/bare_pages.h"
#include "visibility/row_fetch.h"
#include "visibility/row_store.h"
#include "visibility/stub.h"
#include "visibility/touch.h"

/* Pages of the row store that are looked at to estimate its rows. */
#define SAMPLE_PAGES	100

/* How often VACUUM tries to lock the table for truncation, as heap's does. */
#define TRUNCATE_ATTEMPTS	100

/* See retldb_am.h. */
uint64		retldb_vacuums = 0;
bool		retldb_truncation_missed = false;

/*
 * TRUNCATE of a table made in the same transaction, ON COMMIT DELETE ROWS.
 */
void
retldb_relation_nontransactional_truncate(Relation rel)
{
	RetlWriteDiscard(rel);
	RetlFetchCacheReset();
	RetlTouchForget();
	RetlHeaderReset(rel);
}

/* ---------------------------------------------------------------------
 * VACUUM
 * ---------------------------------------------------------------------
 */

/*
 * Does VACUUM count a tuple as a row?  What is no row of the table's own does not,
 * nor what is deleted but still needed by somebody: heap's pass, which was before,
 * has noted on the tuple that the deleter committed.
 */
static bool
CountsAsRow(HeapTupleHeader tuple)
{
	return !RetlTupleIsMarked(tuple) &&
		((tuple->t_infomask & HEAP_XMAX_COMMITTED) == 0 || HEAP_XMAX_IS_LOCKED_ONLY(tuple->t_infomask));
}

/*
 * Rows of the row store, estimated from evenly spaced pages.
 */
static double
EstimateRowStore(Relation rel, const RetlDirectory *directory)
{
	int			runCount;
	RetlRun    *runs = RetlRowStoreRuns(rel, directory, RelationGetNumberOfBlocks(rel), &runCount);
	uint64		blocks = 0;
	uint64		step;
	uint64		looked = 0;
	double		tuples = 0;

	for (int i = 0; i < runCount; i++)
		blocks += runs[i].length;
	step = Max(blocks / SAMPLE_PAGES, 1);
	for (uint64 n = 0, before = 0, run = 0; n < blocks; n += step)
	{
		Buffer		buffer;
		Page		page;

		while (n >= before + runs[run].length)
			before += runs[run++].length;
		buffer = ReadBuffer(rel, runs[run].start + (n - before));
		LockBuffer(buffer, BUFFER_LOCK_SHARE);
		page = BufferGetPage(buffer);
		for (OffsetNumber offset = FirstOffsetNumber; offset <= PageGetMaxOffsetNumber(page); offset++)
		{
			ItemId		lp = PageGetItemId(page, offset);

			if (ItemIdIsNormal(lp) && CountsAsRow((HeapTupleHeader) PageGetItem(page, lp)))
				tuples++;
		}
		UnlockReleaseBuffer(buffer);
		looked++;
	}
	pfree(runs);
	return looked > 0 ? tuples / looked * blocks : 0;
}

/*
 * Put right how many rows the cumulative statistics take the table to have, and how
 * many of them are dead: those of groups that were deleted as a whole count as one to
 * heap's VACUUM.  Reporting a VACUUM once more would count it twice.
 */
static void
SetTuples(Relation rel, double tuples, double dying)
{
	PgStat_StatTabEntry *stats;
	PgStat_EntryRef *entry;

	if (!pgstat_track_counts || rel->rd_rel->relisshared)
		return;
	entry = pgstat_get_entry_ref_locked(PGSTAT_KIND_RELATION, MyDatabaseId,
										RelationGetRelid(rel), false);
	stats = &((PgStatShared_Relation *) entry->shared_stats)->stats;
	RetlLiveTuples(stats) = (PgStat_Counter) tuples;
	RetlDeadTuples(stats) += (PgStat_Counter) dying;
	pgstat_unlock_entry(entry);
}

/*
 * Heap's VACUUM has counted anchors and stubs and extrapolated over column pages:
 * put right what it wrote to pg_class and to the cumulative statistics.
 */
static void
UpdateStatistics(Relation rel, double tuples, double dying)
{
	BlockNumber allVisible;
	BlockNumber allFrozen;

	visibilitymap_count(rel, &allVisible, &allFrozen);
	RetlUpdateRelstats(rel, RelationGetNumberOfBlocks(rel), tuples, allVisible, allFrozen);
	RetlVacuumIndexStatistics(rel, tuples);
	SetTuples(rel, tuples, dying);
}

/*
 * VACUUM: the row store, anchors, stubs and freezing are heap's; then follow what
 * indexes, maps and the directory know of dead rows, and pages of dead groups are
 * given back, to other groups or to the operating system.  Heap's truncation must
 * not happen: to it column pages look empty.  In the end scans are told which pages have
 * no rows.
 */
void
retldb_relation_vacuum(Relation rel, struct VacuumParams *params, BufferAccessStrategy bstrategy)
{
	VacuumParams heapParams = *params;
	double		rowStoreRows;
	double		groupRows;
	double		dyingRows;

	heapParams.truncate = VACOPTVALUE_DISABLED;
	RetlBarePagesForget(rel);
	/* without indexes heap lets go of all dead line pointers */
	if (rel->rd_rel->relhasindex && !RetlVacuumIsUrgent(rel))
		RetlStubsReap(rel, RetlDirectoryRead(rel), bstrategy);
	heap_vacuum_rel(rel, &heapParams, bstrategy);
	rowStoreRows = EstimateRowStore(rel, RetlDirectoryRead(rel));
	groupRows = RetlVacuumRowGroups(rel, params, bstrategy, rowStoreRows, &dyingRows);
	if (!retldb_skip_damaged_groups)
		RetlDirectoryMergeFree(rel);
	retldb_truncation_missed = params->truncate != VACOPTVALUE_DISABLED &&
		!RetlVacuumTruncate(rel, TRUNCATE_ATTEMPTS);
	RetlVacuumReclaim(rel, bstrategy);
	RetlVacuumMap(rel, bstrategy);
	RetlBarePagesNote(rel, bstrategy);
	UpdateStatistics(rel, rowStoreRows + groupRows, dyingRows);
	retldb_vacuums++;
}
