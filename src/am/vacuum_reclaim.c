/*-------------------------------------------------------------------------
 *
 * vacuum_reclaim.c
 *	  VACUUM gives pages that rows have left to row groups.
 *
 * Pages of the row store without a tuple are used for rows again, and so they are
 * where rows come as fast as compaction moves them away.  But a table that was
 * filled quickly keeps as many of them as it had rows outside of row groups at
 * once.  If groups have no free pages to take, they get those that the row store
 * has beyond a reserve: then the file grows by no more than the groups do.
 *
 * Such a page becomes a column page: it has no room for tuples then, so heap,
 * which may have it from the free space map, passes on.  Nobody has it pinned when
 * that happens.
 *
 * On the way column pages are found that have no owner: a crash between appending
 * pages and entering them leaves such.  They are given to groups as well.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "utils/rel.h"

#include "am/vacuum_reclaim.h"
#include "base/settings.h"
#include "storage/column_page.h"
#include "storage/directory.h"
#include "storage/page_alloc.h"
#include "visibility/row_store.h"

/* Pages to be taken at once that make it worth while, as a number and as a share of the file. */
#define MIN_PAGES		16
#define MIN_FRACTION	32

/* The row store keeps so many, and this share of the file. */
#define RESERVE_PAGES		16
#define RESERVE_FRACTION	64

/* Groups have few free pages if it is less than this share of the file, or so many. */
#define FREE_FRACTION	8
#define MIN_FREE_PAGES	32

/* Entries to be made, of a few runs each. */
#define MAX_ENTRIES		8

/* Runs of bare pages. */
typedef struct BareRuns
{
	int			count;
	int			capacity;
	RetlRun    *runs;
	uint64		pages;			/* in them */
	uint64		wanted;			/* of these: so many more */
	int			next;			/* runs before that were taken, or are in use */
	bool		begun;			/* the first pages of that one were */
} BareRuns;

/*
 * Add a page to the runs.
 */
static void
AddPage(BareRuns *bare, BlockNumber block)
{
	RetlRun    *last = bare->count > 0 ? &bare->runs[bare->count - 1] : NULL;

	bare->pages++;
	if (last != NULL && last->start + last->length == block)
	{
		last->length++;
		return;
	}
	if (bare->count == bare->capacity)
	{
		bare->capacity = bare->capacity == 0 ? 64 : 2 * bare->capacity;
		bare->runs = bare->runs == NULL ? palloc(sizeof(RetlRun) * bare->capacity) :
			repalloc_huge(bare->runs, sizeof(RetlRun) * bare->capacity);
	}
	bare->runs[bare->count++] = (RetlRun) {block, 1};
}

/*
 * Find heap pages without a tuple, and column pages that nobody owns.
 */
static void
FindPages(Relation rel, const RetlDirectory *directory, BareRuns *bare, BareRuns *orphans,
		  BufferAccessStrategy strategy)
{
	int			runCount;
	RetlRun    *runs = RetlRowStoreRuns(rel, directory, RelationGetNumberOfBlocks(rel), &runCount);

	memset(bare, 0, sizeof(*bare));
	memset(orphans, 0, sizeof(*orphans));
	for (int i = 0; i < runCount; i++)
		for (uint32 j = 0; j < runs[i].length; j++)
		{
			Buffer		buffer = ReadBufferExtended(rel, MAIN_FORKNUM, runs[i].start + j, RBM_NORMAL,
													strategy);

			CHECK_FOR_INTERRUPTS();
			LockBuffer(buffer, BUFFER_LOCK_SHARE);
			if (RetlPageIsBareHeap(BufferGetPage(buffer)))
				AddPage(bare, runs[i].start + j);
			else if (RetlPageIsColumnPage(BufferGetPage(buffer)))
				AddPage(orphans, runs[i].start + j);
			UnlockReleaseBuffer(buffer);
		}
	pfree(runs);
}

static int
CompareLengths(const void *one, const void *other)
{
	uint32		left = ((const RetlRun *) one)->length;
	uint32		right = ((const RetlRun *) other)->length;

	return left > right ? -1 : left < right;
}

/*
 * Leave out the first pages: rows had better go there than to the end of the file.
 */
static void
KeepFirst(BareRuns *bare, uint64 pages)
{
	for (int i = 0; i < bare->count && pages > 0; i++)
	{
		uint32		kept = Min(bare->runs[i].length, pages);

		bare->runs[i].start += kept;
		bare->runs[i].length -= kept;
		pages -= kept;
	}
}

/*
 * Take some of the pages that are wanted, from the longest runs.  What is behind a
 * page in use stays.
 */
static bool
TakePages(Relation rel, uint64 groupId, bool newRun, RetlRun *taken, void *context)
{
	BareRuns   *bare = context;

	while (bare->next < bare->count && bare->wanted > 0 && (newRun || bare->begun) &&
		   bare->runs[bare->next].length > 0)
	{
		RetlRun    *run = &bare->runs[bare->next];

		taken->start = run->start;
		taken->length = RetlPagesTakeFromHeap(rel, run->start, Min(run->length, bare->wanted),
											  groupId);
		run->start += taken->length;
		run->length -= taken->length;
		bare->wanted -= taken->length;
		bare->begun = taken->length > 0 && run->length > 0;
		if (!bare->begun)
			bare->next++;
		if (taken->length > 0)
			return true;
	}
	return false;
}

/* ---------------------------------------------------------------------
 * Orphans
 * ---------------------------------------------------------------------
 */

/*
 * Leave only those pages that nobody owns.
 */
static void
RemoveOwned(Relation rel, const RetlDirectory *directory, bool locked, BareRuns *pages)
{
	BareRuns	left;
	int			ownedCount;
	RetlRun    *owned = RetlOwnedRuns(rel, directory, locked, &ownedCount);
	int			next = 0;

	memset(&left, 0, sizeof(left));
	for (int i = 0; i < pages->count; i++)
		for (BlockNumber block = pages->runs[i].start;
			 block < pages->runs[i].start + pages->runs[i].length; block++)
		{
			while (next < ownedCount && owned[next].start + owned[next].length <= block)
				next++;
			if (next == ownedCount || owned[next].start > block)
				AddPage(&left, block);
		}
	pfree(owned);
	*pages = left;
}

/*
 * Which of these pages are orphans?  With the page lock and the extension lock nobody
 * is between appending pages and entering them in the directory, so what has no owner
 * then never gets one, but from VACUUM.
 */
static void
FindOrphans(Relation rel, const RetlDirectory *directory, BareRuns *orphans)
{
	if (orphans->count > 0)
		RemoveOwned(rel, directory, false, orphans);
	if (orphans->count == 0)
		return;
	LockPage(rel, RETLDB_HEADER_BLOCK, ExclusiveLock);
	LockRelationForExtension(rel, ExclusiveLock);
	RemoveOwned(rel, RetlDirectoryRead(rel), true, orphans);
	UnlockRelationForExtension(rel, ExclusiveLock);
	UnlockPage(rel, RETLDB_HEADER_BLOCK, ExclusiveLock);
	orphans->wanted = orphans->pages;
	if (orphans->pages > 0)
		ereport(DEBUG1,
				(errmsg_internal("table \"%s\": %llu pages without an owner can be used",
								 RelationGetRelationName(rel), (unsigned long long) orphans->pages)));
}

/*
 * Take some orphans: they are column pages already.
 */
static bool
TakeOrphans(Relation rel, uint64 groupId, bool newRun, RetlRun *taken, void *context)
{
	BareRuns   *orphans = context;

	(void) rel;
	(void) groupId;
	if (!newRun || orphans->next == orphans->count)
		return false;
	*taken = orphans->runs[orphans->next++];
	return true;
}

/* ---------------------------------------------------------------------
 * All of it
 * ---------------------------------------------------------------------
 */

/* See vacuum_reclaim.h. */
void
RetlVacuumReclaim(Relation rel, BufferAccessStrategy strategy)
{
	RetlDirectory *directory;
	BlockNumber nblocks = RelationGetNumberOfBlocks(rel);
	uint64		worth = Max(MIN_PAGES, nblocks / MIN_FRACTION);
	uint64		reserve = Max(RESERVE_PAGES, nblocks / RESERVE_FRACTION);
	uint64		freePages = 0;
	BareRuns	bare;
	BareRuns	orphans;

	/* what has an owner might be unknown */
	if (retldb_skip_damaged_groups)
		return;
	directory = RetlDirectoryRead(rel);
	for (int i = 0; i < directory->groupCount; i++)
		if (directory->groups[i].entry.state == RETL_GROUP_FREE)
			freePages += directory->groups[i].entry.pageCount;
	if (freePages >= Max(MIN_FREE_PAGES, nblocks / FREE_FRACTION))
		return;
	FindPages(rel, directory, &bare, &orphans, strategy);
	FindOrphans(rel, directory, &orphans);
	for (int i = 0; i < MAX_ENTRIES && RetlDirectoryAddFree(rel, TakeOrphans, &orphans); i++)
		CHECK_FOR_INTERRUPTS();
	if (bare.pages < reserve + worth)
		return;
	bare.wanted = bare.pages - reserve;
	KeepFirst(&bare, reserve);
	qsort(bare.runs, bare.count, sizeof(RetlRun), CompareLengths);
	for (int i = 0; i < MAX_ENTRIES && RetlDirectoryAddFree(rel, TakePages, &bare); i++)
		CHECK_FOR_INTERRUPTS();
}
