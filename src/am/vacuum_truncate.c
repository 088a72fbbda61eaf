/*-------------------------------------------------------------------------
 *
 * vacuum_truncate.c
 *	  VACUUM gives the end of a table back to the operating system.
 *
 * What may go are pages at the end of the fork that nobody needs: free ones of
 * dead groups, pages of the row store without a tuple, and column pages that
 * nobody owns, which crashes leave.  The header is never among them; the directory is
 * brought to free pages before.
 *
 * As in heap's VACUUM the table is locked exclusively for it, if that can be had
 * soon.  Under that lock nobody appends pages or has unwritten groups, so a page
 * without an owner is nobody's.  Entries of the directory let go of the pages
 * before the file does: a crash between the two leaves pages without an owner.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/storage.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/bufmgr.h"
#include "storage/latch.h"
#include "storage/lmgr.h"
#include "utils/rel.h"
#include "utils/wait_event.h"

#include "am/vacuum_truncate.h"
#include "base/settings.h"
#include "storage/column_page.h"
#include "storage/directory.h"

/* As for heap: pages that make it worth the lock, and how long to wait for it. */
#define MINIMUM_PAGES		1000
#define MINIMUM_FRACTION	16
#define LOCK_WAIT_MS		50

/* Pages that are read under the lock between looks at whether somebody waits for it. */
#define WAITER_PAGES		32

/*
 * The first block behind all that are owned by the header, the directory (unless that
 * can be moved) and groups that are not FREE, and behind the anchors that these name.
 * The runs of those that are FREE go to *freeRuns.  Unless the table is locked, writers
 * may have taken entries since the directory was read, run list pages included; what is
 * found then is an estimate.
 */
static BlockNumber
OwnedEnd(Relation rel, const RetlDirectory *directory, bool locked, bool movable,
		 RetlRuns *freeRuns)
{
	BlockNumber end = RETLDB_HEADER_BLOCK + 1;

	*freeRuns = (RetlRuns) {0, NULL};
	for (int i = 0; i < directory->pageCount && !movable; i++)
	{
		end = Max(end, directory->header->directoryBlocks[i] + 1);
		end = Max(end, directory->pages[i].zoneStart + directory->pages[i].zonePageCount);
	}
	for (int i = 0; i < directory->groupCount; i++)
	{
		const RetlGroupEntry *entry = &directory->groups[i].entry;
		int			count;
		RetlRun    *runs = locked ? RetlGroupGetRuns(rel, entry, &count) :
			RetlGroupGetKnownRuns(rel, entry, &count);

		if (entry->runListBlock != RETLDB_NO_BLOCK)
			end = Max(end, entry->runListBlock + 1);
		if (entry->state == RETL_GROUP_FREE)
			RetlRunsAdd(freeRuns, runs, count);
		else
		{
			/* it may be gone, while somebody is at work on the group's rows */
			end = Max(end, entry->anchorBlock + 1);
			for (int j = 0; j < count; j++)
				end = Max(end, runs[j].start + runs[j].length);
		}
		pfree(runs);
	}
	RetlRunsSort(freeRuns);
	return end;
}

/*
 * Is there no tuple on a page?  True for column pages, too: the caller knows
 * that they have no owner.
 */
static bool
PageIsBare(Relation rel, BlockNumber block)
{
	Buffer		buffer = ReadBufferExtended(rel, MAIN_FORKNUM, block, RBM_NORMAL, NULL);
	Page		page;
	bool		bare = true;

	CHECK_FOR_INTERRUPTS();
	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	page = BufferGetPage(buffer);
	if (!PageIsNew(page))
	{
		for (OffsetNumber offset = FirstOffsetNumber; offset <= PageGetMaxOffsetNumber(page); offset++)
		{
			if (ItemIdIsUsed(PageGetItemId(page, offset)))
				bare = false;
		}
	}
	UnlockReleaseBuffer(buffer);
	return bare;
}

/*
 * How many blocks of the table are needed.  What has just been found FREE is not
 * read.  If the table is locked and somebody waits for that, what has been found
 * so far must do.  If the directory is movable, it counts as standing elsewhere.
 */
static BlockNumber
FindNeeded(Relation rel, bool locked, bool movable)
{
	RetlDirectory *directory = RetlDirectoryRead(rel);
	RetlRuns	freeRuns;
	BlockNumber end = OwnedEnd(rel, directory, locked, movable, &freeRuns);
	BlockNumber needed = RelationGetNumberOfBlocks(rel);
	int			i = freeRuns.count - 1;
	uint32		read = 0;

	while (needed > end)
	{
		if (locked && ++read % WAITER_PAGES == 0 &&
			LockHasWaitersRelation(rel, AccessExclusiveLock))
			break;
		while (i >= 0 && freeRuns.runs[i].start >= needed)
			i--;
		if (i >= 0 && freeRuns.runs[i].start + freeRuns.runs[i].length >= needed)
			needed = Max(freeRuns.runs[i].start, end);
		else if (PageIsBare(rel, needed - 1))
			needed--;
		else
			break;
	}
	return needed;
}

/*
 * Get the exclusive lock, unless others have the table for too long.
 */
static bool
LockTable(Relation rel, int attempts)
{
	for (int attempt = 0; attempt < attempts; attempt++)
	{
		if (ConditionalLockRelation(rel, AccessExclusiveLock))
			return true;
		CHECK_FOR_INTERRUPTS();
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 LOCK_WAIT_MS, WAIT_EVENT_VACUUM_TRUNCATE);
		ResetLatch(MyLatch);
	}
	return false;
}

/* See vacuum_truncate.h. */
bool
RetlVacuumTruncate(Relation rel, int attempts)
{
	BlockNumber before = RelationGetNumberOfBlocks(rel);
	BlockNumber removable;
	BlockNumber needed;
	RetlRuns	freeRuns;

	/* what has an owner might be unknown */
	if (retldb_skip_damaged_groups)
		return true;
	removable = before - FindNeeded(rel, false, true);
	if (removable < MINIMUM_PAGES && removable < Max(before / MINIMUM_FRACTION, 1))
		return true;
	if (!LockTable(rel, attempts))
	{
		ereport(DEBUG1,
				(errmsg_internal("table \"%s\": stopping truncate due to conflicting lock request",
								 RelationGetRelationName(rel))));
		return false;
	}

	/* others may have used it meanwhile */
	before = RelationGetNumberOfBlocks(rel);
	needed = FindNeeded(rel, true, true);
	RetlDirectoryMoveDown(rel, needed);
	needed = Max(needed, OwnedEnd(rel, RetlDirectoryRead(rel), true, false, &freeRuns));
	if (needed < before)
	{
		RetlDirectoryCutFree(rel, needed);
		RelationTruncate(rel, needed);
		ereport(DEBUG1,
				(errmsg_internal("table \"%s\": truncated %u to %u pages",
								 RelationGetRelationName(rel), before, needed)));
	}
	/* kept no longer than needed; a standby replays the truncation under its lock */
	UnlockRelation(rel, AccessExclusiveLock);
	return true;
}
