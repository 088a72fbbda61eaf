/*-------------------------------------------------------------------------
 *
 * directory_change.c
 *	  Changes of the directory: generic WAL records over its pages.
 *
 * Nothing is changed before RetlChangeFinish, so errors before it leave the
 * directory as it was.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "storage/bufmgr.h"
#include "utils/rel.h"

#include "storage/column_page.h"
#include "storage/directory_change.h"

/* See directory_change.h. */
void
RetlChangeBegin(RetlDirectoryChange *change, Relation rel)
{
	change->rel = rel;
	change->xlog = GenericXLogStart(rel);
	change->count = 0;
}

/* See directory_change.h. */
void *
RetlChangePage(RetlDirectoryChange *change, BlockNumber blkno, RetlPageKind kind,
			   uint64 groupId, uint32 sequence)
{
	int			i = change->count++;

	Assert(i < MAX_GENERIC_XLOG_PAGES);
	change->buffers[i] = RetlPageRead(change->rel, blkno, kind, groupId, sequence,
									  BUFFER_LOCK_EXCLUSIVE, NULL);
	change->pages[i] = GenericXLogRegisterBuffer(change->xlog, change->buffers[i], 0);
	return RetlPageGetPayload(change->pages[i]);
}

/* See directory_change.h. */
RetlFileHeader *
RetlChangeHeader(RetlDirectoryChange *change)
{
	RetlFileHeader *header = RetlChangePage(change, RETLDB_HEADER_BLOCK, RETL_PAGE_HEADER, 0, 0);

	header->generation++;
	return header;
}

/* See directory_change.h. */
RetlGroupEntry *
RetlChangeEntry(RetlDirectoryChange *change, const RetlSlot *slot)
{
	RetlDirectoryPage *page = RetlChangePage(change, slot->block, RETL_PAGE_DIRECTORY,
											 0, slot->pageIndex);

	return &page->slots[slot->slot];
}

/* See directory_change.h. */
void
RetlChangeEntries(RetlDirectoryChange *change, const RetlSlot *one, const RetlSlot *other,
				  RetlGroupEntry **oneEntry, RetlGroupEntry **otherEntry)
{
	if (one->pageIndex > other->pageIndex)
	{
		RetlChangeEntries(change, other, one, otherEntry, oneEntry);
		return;
	}
	*oneEntry = RetlChangeEntry(change, one);
	if (one->pageIndex == other->pageIndex)
		*otherEntry = *oneEntry + ((int) other->slot - (int) one->slot);
	else
		*otherEntry = RetlChangeEntry(change, other);
}

/* See directory_change.h. */
RetlRunListPage *
RetlChangeRunList(RetlDirectoryChange *change, const RetlGroupEntry *entry)
{
	if (entry->runListBlock == RETLDB_NO_BLOCK)
		return NULL;
	return RetlChangePage(change, entry->runListBlock, RETL_PAGE_RUN_LIST, entry->groupId, 0);
}

/* See directory_change.h. */
void
RetlStoreRuns(RetlGroupEntry *entry, RetlRunListPage *list, const RetlRun *runs, int count)
{
	Assert(count <= RETLDB_INLINE_RUNS || list != NULL);
	memset(entry->runs, 0, sizeof(entry->runs));
	entry->runCount = count;
	entry->pageCount = 0;
	if (list != NULL)
	{
		memset(list->runs, 0, sizeof(list->runs));
		list->count = Max(count - RETLDB_INLINE_RUNS, 0);
	}
	for (int i = 0; i < count; i++)
	{
		entry->pageCount += runs[i].length;
		if (i < RETLDB_INLINE_RUNS)
			entry->runs[i] = runs[i];
		else
			list->runs[i - RETLDB_INLINE_RUNS] = runs[i];
	}
}

/* See directory_change.h. */
void
RetlChangeFinish(RetlDirectoryChange *change)
{
	for (int i = 0; i < change->count; i++)
		RetlPageSetChecksum(change->pages[i], BufferGetBlockNumber(change->buffers[i]));
	GenericXLogFinish(change->xlog);
	for (int i = 0; i < change->count; i++)
		UnlockReleaseBuffer(change->buffers[i]);
}
