/*-------------------------------------------------------------------------
 *
 * vacuum_map.c
 *	  VACUUM sets bits of the visibility map that column pages have lost.
 *
 * Column pages get their bits when they are written.  A map that was truncated
 * (pg_truncate_visibility_map), or of which a damaged page was replaced by zeroes,
 * has them no more.  Heap's VACUUM takes a column page for an empty one, of which
 * it sets the bits only if the page itself is not marked all-visible; so it would
 * read all of them each time.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/visibilitymap.h"
#include "commands/vacuum.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/rel.h"

#include "am/vacuum_map.h"
#include "base/compat.h"
#include "storage/column_page.h"
#include "storage/directory.h"
#include "visibility/row_store.h"

/*
 * Set the bits of a page if it is a column page that is marked all-visible.  The map's
 * page comes first, for reading it must not wait under the page's lock.
 */
static void
SetBits(Relation rel, BlockNumber block, Buffer *map, BufferAccessStrategy strategy)
{
	Buffer		buffer;
	Page		page;

	RetlVacuumDelay();
	visibilitymap_pin(rel, block, map);
	buffer = ReadBufferExtended(rel, MAIN_FORKNUM, block, RBM_NORMAL, strategy);
	LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
	page = BufferGetPage(buffer);
	if (RetlPageIsColumnPage(page) && PageIsAllVisible(page) &&
		visibilitymap_get_status(rel, block, map) == 0)
	{
		/* it is logged, and with hint bits gets the record's LSN, which must come to disk */
		MarkBufferDirty(buffer);
		visibilitymap_set(rel, block, buffer, InvalidXLogRecPtr, *map, InvalidTransactionId,
						  VISIBILITYMAP_ALL_VISIBLE | VISIBILITYMAP_ALL_FROZEN);
	}
	UnlockReleaseBuffer(buffer);
}

/* See vacuum_map.h. */
void
RetlVacuumMap(Relation rel, BufferAccessStrategy strategy)
{
	BlockNumber nblocks = RelationGetNumberOfBlocks(rel);
	BlockNumber block = 0;
	BlockNumber allVisible;
	BlockNumber allFrozen;
	Buffer		map = InvalidBuffer;
	RetlRun    *runs;
	int			runCount;

	visibilitymap_count(rel, &allVisible, &allFrozen);
	if (allVisible >= nblocks)
		return;

	/* what stands between the runs of the row store */
	runs = RetlRowStoreRuns(rel, RetlDirectoryRead(rel), nblocks, &runCount);
	for (int i = 0; i <= runCount; i++)
	{
		BlockNumber end = i < runCount ? runs[i].start : nblocks;

		for (; block < end; block++)
		{
			if (visibilitymap_get_status(rel, block, &map) == 0)
				SetBits(rel, block, &map, strategy);
		}
		if (i < runCount)
			block = end + runs[i].length;
	}
	if (BufferIsValid(map))
		ReleaseBuffer(map);
	pfree(runs);
}
