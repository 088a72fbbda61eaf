/*-------------------------------------------------------------------------
 *
 * page_alloc.c
 *	  Putting finished column pages into the table's main fork.
 *
 * Pages are made in local memory and copied to shared buffers in batches of as
 * many as one WAL record takes (32).  A page never exists in the fork without
 * its final content, but for the moment between extension and copying, during
 * which we hold its lock; what a crash or an error leaves then are pages of
 * zeroes, which vacuum gives to the row store.
 *
 * The visibility map bits are set together with PD_ALL_VISIBLE, for otherwise
 * the first vacuum would read, and with checksums log, all pages again.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/visibilitymap.h"
#include "access/xlog.h"
#include "access/xloginsert.h"
#include "access/xlogrecord.h"
#include "catalog/pg_control.h"
#include "miscadmin.h"
#include "storage/freespace.h"
#include "storage/lmgr.h"
#include "utils/rel.h"

#include "base/compat.h"
#include "storage/column_page.h"
#include "storage/page_alloc.h"

/* Pages to a WAL record. */
#define BATCH_PAGES		XLR_MAX_BLOCK_ID

/*
 * Log locked, filled buffers in one record; the caller has made sure of room for it.
 */
static void
LogPages(Relation rel, Buffer *buffers, int count)
{
	bool		needsWal = RelationNeedsWAL(rel);

	START_CRIT_SECTION();
	if (needsWal)
		XLogBeginInsert();
	for (int i = 0; i < count; i++)
	{
		MarkBufferDirty(buffers[i]);
		if (needsWal)
			XLogRegisterBuffer(i, buffers[i], REGBUF_FORCE_IMAGE | REGBUF_STANDARD);
	}
	if (needsWal)
	{
		XLogRecPtr	lsn = XLogInsert(RM_XLOG_ID, XLOG_FPI);

		for (int i = 0; i < count; i++)
			PageSetLSN(BufferGetPage(buffers[i]), lsn);
	}
	END_CRIT_SECTION();
}

/*
 * Pin the pages of the visibility map that consecutive pages need, two at most, and make
 * sure of room for a WAL record.  It may extend and read the map, so no buffer may be locked.
 */
static void
PrepareBatch(Relation rel, BlockNumber first, int count, Buffer *mapBuffers)
{
	mapBuffers[0] = mapBuffers[1] = InvalidBuffer;
	visibilitymap_pin(rel, first, &mapBuffers[0]);
	if (!visibilitymap_pin_ok(first + count - 1, mapBuffers[0]))
		visibilitymap_pin(rel, first + count - 1, &mapBuffers[1]);
	if (RelationNeedsWAL(rel))
		XLogEnsureRecordSpace(BATCH_PAGES - 1, 0);
}

/*
 * Release what PrepareBatch has pinned.
 */
static void
ReleaseMap(Buffer *mapBuffers)
{
	for (int i = 0; i < 2; i++)
	{
		if (BufferIsValid(mapBuffers[i]))
			ReleaseBuffer(mapBuffers[i]);
	}
}

/*
 * Set the visibility map bits of locked, filled pages.  The map pages must
 * have been pinned: two of them at most for a batch.
 */
static void
SetAllVisible(Relation rel, Buffer *buffers, int count, Buffer *mapBuffers)
{
	for (int i = 0; i < count; i++)
	{
		BlockNumber blkno = BufferGetBlockNumber(buffers[i]);
		Buffer		map = visibilitymap_pin_ok(blkno, mapBuffers[0]) ? mapBuffers[0] : mapBuffers[1];

		visibilitymap_set(rel, blkno, buffers[i], InvalidXLogRecPtr, map,
						  InvalidTransactionId,
						  VISIBILITYMAP_ALL_VISIBLE | VISIBILITYMAP_ALL_FROZEN);
	}
}

/*
 * Write up to BATCH_PAGES consecutive pages from "first" on.  If they are to be
 * new, "first" is the length of the fork and the caller holds the extension
 * lock.
 */
static void
WriteBatch(Relation rel, BlockNumber first, bool extend, char *images, int count,
		   BufferAccessStrategy strategy)
{
	Buffer		buffers[BATCH_PAGES];
	Buffer		mapBuffers[2];

	PrepareBatch(rel, first, count, mapBuffers);

	for (int i = 0; i < count; i++)
	{
		buffers[i] = ReadBufferExtended(rel, MAIN_FORKNUM, extend ? P_NEW : first + i,
										RBM_ZERO_AND_LOCK, strategy);
		if (BufferGetBlockNumber(buffers[i]) != first + i)
			elog(ERROR, "table \"%s\" grew while its extension lock was held",
				 RelationGetRelationName(rel));
		/* at once: if we fail below, nobody may take an inherited page for a new one */
		PageSetAllVisible(images + (Size) i * BLCKSZ);
		RetlPageSetChecksum(images + (Size) i * BLCKSZ, first + i);
		memcpy(BufferGetPage(buffers[i]), images + (Size) i * BLCKSZ, BLCKSZ);
	}

	LogPages(rel, buffers, count);
	SetAllVisible(rel, buffers, count, mapBuffers);

	for (int i = 0; i < count; i++)
		UnlockReleaseBuffer(buffers[i]);
	ReleaseMap(mapBuffers);
}

/*
 * Write pages from "first" on, batch by batch.
 */
static void
WriteAll(Relation rel, BlockNumber first, bool extend, char *images, uint32 count,
		 BufferAccessStrategy strategy)
{
	for (uint32 done = 0; done < count; done += BATCH_PAGES)
	{
		/* pages that are appended are nobody's until their run is entered */
		if (!extend)
			CHECK_FOR_INTERRUPTS();
		WriteBatch(rel, first + done, extend, images + (Size) done * BLCKSZ,
				   Min(BATCH_PAGES, count - done), strategy);
	}
}

/*
 * Add pages at the end of the fork, in one run.
 */
RetlRun
RetlPagesAppend(Relation rel, char *images, uint32 count, BufferAccessStrategy strategy)
{
	bool		needLock = !RELATION_IS_LOCAL(rel);
	RetlRun		run;

	if (needLock)
		LockRelationForExtension(rel, ExclusiveLock);

	run.start = RelationGetNumberOfBlocks(rel);
	run.length = count;

	/* the upper half of the block space names rows of row groups */
	if ((uint64) run.start + count > RETLDB_FIRST_ROW_BLOCK)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("cannot extend table \"%s\" beyond %u blocks",
						RelationGetRelationName(rel), RETLDB_FIRST_ROW_BLOCK)));

	WriteAll(rel, run.start, true, images, count, strategy);

	if (needLock)
		UnlockRelationForExtension(rel, ExclusiveLock);
	return run;
}

/*
 * Write over existing column pages that nobody reads any more.
 */
void
RetlPagesOverwrite(Relation rel, BlockNumber first, char *images, uint32 count,
				   BufferAccessStrategy strategy)
{
	WriteAll(rel, first, false, images, count, strategy);
}

/* See page_alloc.h. */
bool
RetlPageIsBareHeap(Page page)
{
	if (PageIsNew(page) || RetlPageIsColumnPage(page))
		return false;
	for (OffsetNumber offset = FirstOffsetNumber; offset <= PageGetMaxOffsetNumber(page); offset++)
	{
		if (ItemIdIsUsed(PageGetItemId(page, offset)))
			return false;
	}
	return true;
}

/*
 * Pin and lock heap pages without a tuple, which nobody else has pinned.  Returns
 * how many there are from the first on.
 */
static int
LockBarePages(Relation rel, BlockNumber first, int count, Buffer *buffers)
{
	for (int i = 0; i < count; i++)
	{
		buffers[i] = ReadBuffer(rel, first + i);
		if (!ConditionalLockBufferForCleanup(buffers[i]))
		{
			ReleaseBuffer(buffers[i]);
			return i;
		}
		if (!RetlPageIsBareHeap(BufferGetPage(buffers[i])))
		{
			UnlockReleaseBuffer(buffers[i]);
			return i;
		}
	}
	return count;
}

/* See page_alloc.h. */
uint32
RetlPagesTakeFromHeap(Relation rel, BlockNumber first, uint32 wanted, uint64 groupId)
{
	int			count = Min(wanted, BATCH_PAGES);
	Buffer		buffers[BATCH_PAGES];
	Buffer		mapBuffers[2];
	int			taken;

	PrepareBatch(rel, first, count, mapBuffers);

	taken = LockBarePages(rel, first, count, buffers);
	if (taken > 0)
	{
		START_CRIT_SECTION();
		for (int i = 0; i < taken; i++)
		{
			Page		page = BufferGetPage(buffers[i]);

			RetlPageInit(page, RETL_PAGE_DATA, groupId, 0);
			PageSetAllVisible(page);
			RetlPageSetChecksum(page, first + i);
		}
		LogPages(rel, buffers, taken);
		END_CRIT_SECTION();
		SetAllVisible(rel, buffers, taken, mapBuffers);
	}
	for (int i = 0; i < taken; i++)
		UnlockReleaseBuffer(buffers[i]);
	ReleaseMap(mapBuffers);
	/* heap looks for room elsewhere */
	for (int i = 0; i < taken; i++)
		RecordPageWithFreeSpace(rel, first + i, 0);
	if (taken > 0)
		FreeSpaceMapVacuumRange(rel, first, first + taken);
	return taken;
}

/* See page_alloc.h. */
void
RetlPageGiveToHeap(Relation rel, BlockNumber block)
{
	Buffer		buffer = ReadBufferExtended(rel, MAIN_FORKNUM, block, RBM_ZERO_AND_LOCK, NULL);
	Page		page = BufferGetPage(buffer);

	START_CRIT_SECTION();
	PageInit(page, BLCKSZ, 0);
	/* as the visibility map says of it; who inserts a tuple clears both */
	PageSetAllVisible(page);
	MarkBufferDirty(buffer);
	if (RelationNeedsWAL(rel))
		log_newpage_buffer(buffer, true);
	END_CRIT_SECTION();
	UnlockReleaseBuffer(buffer);

	RecordPageWithFreeSpace(rel, block, BLCKSZ - SizeOfPageHeaderData);
	FreeSpaceMapVacuumRange(rel, block, block + 1);
}

/* See page_alloc.h. */
void
RetlPageClearAllVisible(Relation rel, Buffer buffer, Buffer mapBuffer)
{
	PageClearAllVisible(BufferGetPage(buffer));
	visibilitymap_clear(rel, BufferGetBlockNumber(buffer), mapBuffer, VISIBILITYMAP_VALID_BITS);
	if (!RetlBackupsAreIncremental() || !RelationNeedsWAL(rel))
		return;
	LockBuffer(mapBuffer, BUFFER_LOCK_EXCLUSIVE);
	MarkBufferDirty(mapBuffer);
	log_newpage_buffer(mapBuffer, false);
	LockBuffer(mapBuffer, BUFFER_LOCK_UNLOCK);
}
