/*-------------------------------------------------------------------------
 *
 * bare_pages.c
 *	  Pages of the row store without rows, which scans need not read.
 *
 * Compaction and DELETE leave pages to which rows will come again: heap knows them
 * from the free space map.  Until then scans would read them in vain.  So the header
 * has runs of blocks in which VACUUM has found no page of the row store with a row
 * (anchors and stubs are none).  What ends that for a page is the bit of the visibility
 * map that says all-visible: whoever puts a row on a page clears it, in the same WAL
 * record, and nobody but VACUUM sets it for a page with rows.  So inserters need not
 * know of any of this.
 *
 * A scan may pass over a page that is in a run and whose bit is set:
 *
 * - A row that its snapshot sees came before the snapshot was taken, and cleared the bit
 *   before that, as index-only scans rely on.  (The command's own rows, and those that
 *   come later, it does not see.)
 * - The bit is not set again while the runs stand: VACUUM makes the header forget them
 *   before it sets any bits, and notes new ones in the end.  The scan reads the runs, then
 *   the bits, and then looks whether the runs are still the same.  So the bits are not
 *   those of a later VACUUM.
 * - VACUUM notes a page that had no row, under its lock, and whose bit was set at that
 *   time.  If a row comes afterwards, before the runs are written or later, the bit is
 *   cleared.
 *
 * All of it is logged, in this order, so a standby may go by it, too: rows that a query
 * there sees are not removed before the query is cancelled.  After a crash a run may be
 * forgotten, or have pages whose bits are clear: they are read.
 *
 * The map must be as its own WAL says, and that of a restored incremental backup may not
 * be.  So nothing is noted while incremental backups can be made, nor is what was noted
 * before gone by; a server that was restored is one of these as long as it is configured
 * like the one that was backed up.
 *
 * Who must see more than an MVCC snapshot does reads all pages.  So do serializable
 * transactions: an inserter looks for their locks before he inserts, with the page
 * locked, and then they must not pass over the page without looking for him.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/visibilitymap.h"
#include "access/xact.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "storage/freespace.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/compat.h"
#include "base/settings.h"
#include "storage/column_page.h"
#include "storage/table_header.h"
#include "visibility/anchor.h"
#include "visibility/bare_pages.h"
#include "visibility/row_store.h"
#include "visibility/stub.h"

/*
 * Of a row store that has more pages than this number and this share of the file, VACUUM
 * looks at those only that have at least so much room by the free space map.
 */
#define FEW_PAGES		256
#define FEW_FRACTION	8
#define MIN_ROOM		(BLCKSZ / 4 * 3)

/* Fewer pages without rows are read, rather than the visibility map. */
#define MIN_PAGES	4

/* A run that is being collected, with pages that are owned in between. */
typedef struct BareRun
{
	RetlRun		run;
	uint32		pages;			/* of it that are of the row store */
} BareRun;

/* Those with the most pages so far, in the order of the file. */
typedef struct BareRuns
{
	BareRun		best[RETLDB_BARE_RUNS + 1]; /* room for the one to be dropped */
	int			count;
} BareRuns;

/* See bare_pages.h. */
bool
RetlPageHasNoRow(Page page)
{
	for (OffsetNumber offset = FirstOffsetNumber; offset <= PageGetMaxOffsetNumber(page); offset++)
	{
		ItemId		lp = PageGetItemId(page, offset);

		if (!ItemIdIsUsed(lp))
			continue;
		if (!ItemIdIsNormal(lp) || !RetlLinePointerIsSound(lp) ||
			!RetlTupleIsMarked((HeapTupleHeader) PageGetItem(page, lp)))
			return false;
	}
	return true;
}

/* See bare_pages.h. */
bool
RetlBareRunsHave(const RetlBareRuns *bare, BlockNumber block)
{
	for (int i = 0; i < RETLDB_BARE_RUNS; i++)
	{
		if (block >= bare->runs[i].start && block - bare->runs[i].start < bare->runs[i].length)
			return true;
	}
	return false;
}

/* ---------------------------------------------------------------------
 * VACUUM
 * ---------------------------------------------------------------------
 */

/* See bare_pages.h. */
void
RetlBarePagesForget(Relation rel)
{
	RetlDirectorySetBare(rel, NULL, 0);
}

/*
 * Is a page that nobody owns one that may be noted?  The free space map spares us the
 * reading of a large row store full of rows.  It knows too little after a crash, or on a
 * standby that has become a primary.
 */
static bool
PageIsBare(Relation rel, BlockNumber block, bool many, Buffer *mapBuffer,
		   BufferAccessStrategy strategy)
{
	Buffer		buffer;
	Page		page;
	bool		bare;

	if (!VM_ALL_VISIBLE(rel, block, mapBuffer) ||
		(many && GetRecordedFreeSpace(rel, block) < MIN_ROOM))
		return false;
	buffer = ReadBufferExtended(rel, MAIN_FORKNUM, block, RBM_NORMAL, strategy);
	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	page = BufferGetPage(buffer);
	/* with the page locked, what the map says of it holds */
	bare = !PageIsNew(page) && !RetlPageIsColumnPage(page) && PageIsAllVisible(page) &&
		VM_ALL_VISIBLE(rel, block, mapBuffer) && RetlPageHasNoRow(page);
	UnlockReleaseBuffer(buffer);
	return bare;
}

/*
 * A run is complete: keep it, unless there are enough with more pages.
 */
static void
KeepRun(BareRuns *runs, const BareRun *run)
{
	int			least = 0;

	if (run->pages == 0)
		return;
	runs->best[runs->count++] = *run;
	if (runs->count <= RETLDB_BARE_RUNS)
		return;
	for (int i = 1; i < runs->count; i++)
	{
		if (runs->best[i].pages < runs->best[least].pages)
			least = i;
	}
	runs->count--;
	memmove(&runs->best[least], &runs->best[least + 1],
			sizeof(BareRun) * (runs->count - least));
}

/* Blocks in runs. */
static uint64
CountBlocks(const RetlRun *runs, int count)
{
	uint64		blocks = 0;

	for (int i = 0; i < count; i++)
		blocks += runs[i].length;
	return blocks;
}

/*
 * Find runs without a row.  What is owned does not end a run: scans do not read it as
 * part of the row store, and when it comes to the row store it has no rows.
 */
static void
FindRuns(Relation rel, BareRuns *found, BufferAccessStrategy strategy)
{
	RetlDirectory *directory = RetlDirectoryRead(rel);
	BlockNumber nblocks = RelationGetNumberOfBlocks(rel);
	int			runCount;
	RetlRun    *runs = RetlRowStoreRuns(rel, directory, nblocks, &runCount);
	bool		many = CountBlocks(runs, runCount) > Max(FEW_PAGES, nblocks / FEW_FRACTION);
	Buffer		mapBuffer = InvalidBuffer;
	BareRun		current = {{0, 0}, 0};

	found->count = 0;
	for (int i = 0; i < runCount; i++)
		for (BlockNumber block = runs[i].start; block < runs[i].start + runs[i].length; block++)
		{
			CHECK_FOR_INTERRUPTS();
			if (!PageIsBare(rel, block, many, &mapBuffer, strategy))
			{
				KeepRun(found, &current);
				current.pages = 0;
				continue;
			}
			if (current.pages++ == 0)
				current.run.start = block;
			current.run.length = block + 1 - current.run.start;
		}
	KeepRun(found, &current);
	if (BufferIsValid(mapBuffer))
		ReleaseBuffer(mapBuffer);
	pfree(runs);
}

/* See bare_pages.h. */
void
RetlBarePagesNote(Relation rel, BufferAccessStrategy strategy)
{
	BareRuns	found;
	RetlRun		runs[RETLDB_BARE_RUNS];
	uint64		pages = 0;

	/* what has an owner might be unknown */
	if (retldb_skip_damaged_groups || RetlBackupsAreIncremental())
		return;
	FindRuns(rel, &found, strategy);
	for (int i = 0; i < found.count; i++)
	{
		runs[i] = found.best[i].run;
		pages += found.best[i].pages;
	}
	if (pages >= MIN_PAGES)
		RetlDirectorySetBare(rel, runs, found.count);
}

/* ---------------------------------------------------------------------
 * Scans
 * ---------------------------------------------------------------------
 */

/*
 * May this scan pass over pages without rows?  With old_snapshot_threshold one that is
 * too old is told by the pages that it reads.
 */
static bool
MayLeaveOut(Relation rel, Snapshot snapshot)
{
	return snapshot->snapshot_type == SNAPSHOT_MVCC && !IsolationIsSerializable() &&
		!RetlSnapshotsGrowOld() && !RetlBackupsAreIncremental() && !retldb_skip_damaged_groups;
}

/* Add blocks [start, end) to runs, the last of which may end there. */
static void
AddBlocks(RetlRuns *runs, uint64 start, uint64 end)
{
	RetlRun    *last = runs->count > 0 ? &runs->runs[runs->count - 1] : NULL;
	RetlRun		run = {(BlockNumber) start, (uint32) (end - start)};

	if (start >= end)
		return;
	if (last != NULL && last->start + last->length == start)
		last->length += run.length;
	else
		RetlRunsAdd(runs, &run, 1);
}

/* Add what is to be read of a run of the row store. */
static void
AddRest(Relation rel, const RetlBareRuns *bare, const RetlRun *run, RetlRuns *left,
		Buffer *mapBuffer)
{
	uint64		next = run->start;
	uint64		end = (uint64) run->start + run->length;

	for (int i = 0; i < RETLDB_BARE_RUNS; i++)
	{
		uint64		bareStart = Max(bare->runs[i].start, next);
		uint64		bareEnd = Min((uint64) bare->runs[i].start + bare->runs[i].length, end);

		if (bareStart >= bareEnd)
			continue;
		AddBlocks(left, next, bareStart);
		for (next = bareStart; next < bareEnd; next++)
		{
			if (!VM_ALL_VISIBLE(rel, (BlockNumber) next, mapBuffer))
				AddBlocks(left, next, next + 1);
		}
	}
	AddBlocks(left, next, end);
}

/* See bare_pages.h. */
RetlRun *
RetlBarePagesLeaveOut(Relation rel, Snapshot snapshot, const RetlDirectory *directory,
					  RetlRun *runs, int *runCount)
{
	const RetlBareRuns *bare = &directory->header->bare;
	RetlRuns	left = {0, NULL};
	Buffer		mapBuffer = InvalidBuffer;

	if (bare->runs[0].length == 0 || !MayLeaveOut(rel, snapshot))
		return runs;
	for (int i = 0; i < *runCount; i++)
		AddRest(rel, bare, &runs[i], &left, &mapBuffer);
	if (BufferIsValid(mapBuffer))
		ReleaseBuffer(mapBuffer);
	if (!RetlHeaderBareIs(rel, bare))
		return runs;
	*runCount = left.count;
	return left.runs;
}
