/*-------------------------------------------------------------------------
 *
 * directory.c
 *	  The directory of row groups: reservation, completion, release.
 *
 * All changes are WAL-logged as generic records, one for each step, so that
 * the directory is consistent after each of them.  What a crash between two
 * steps leaves is an entry in state LOADING whose anchor is dead: VACUUM gives
 * its pages back.
 *
 * Reading is in directory_read.c, FREE entries in directory_free.c, zone maps in
 * zone_map.c.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/generic_xlog.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "utils/rel.h"

#include "base/errors.h"
#include "storage/column_page.h"
#include "storage/directory.h"
#include "storage/directory_change.h"
#include "storage/page_alloc.h"
#include "storage/table_header.h"

/* ---------------------------------------------------------------------
 * Reservation
 * ---------------------------------------------------------------------
 */

/*
 * Reserve a group id and row numbers.  Both are used up whatever happens next,
 * but see RetlDirectoryComplete.
 */
void
RetlDirectoryReserve(Relation rel, uint32 rowCapacity, uint64 *groupId, uint64 *rowBase)
{
	RetlDirectoryChange change;
	RetlFileHeader *header;
	uint64		capacity = TYPEALIGN64(RETLDB_ROWS_PER_BLOCK, (uint64) rowCapacity);
	RetlFileHeader checked;

	RetlHeaderRead(rel, &checked);	/* refuse versions that we do not know */

	RetlChangeBegin(&change, rel);
	header = RetlChangeHeader(&change);
	if (header->nextRowNumber + capacity > RETLDB_MAX_ROW_NUMBER)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("table \"%s\" has used up its row numbers",
						RelationGetRelationName(rel)),
				 errdetail("Rows of row groups have numbers that are never used again."),
				 errhint("VACUUM FULL numbers rows anew.")));
	*groupId = header->nextGroupId++;
	*rowBase = header->nextRowNumber;
	header->nextRowNumber += capacity;
	RetlChangeFinish(&change);
}

/* ---------------------------------------------------------------------
 * Slots
 * ---------------------------------------------------------------------
 */

/*
 * Look through one directory page for an unused slot with zone maps for "columns"
 * columns.
 */
static bool
SearchPage(Relation rel, BlockNumber block, uint32 pageIndex, int columns, RetlSlot *slot)
{
	Buffer		buffer = RetlPageRead(rel, block, RETL_PAGE_DIRECTORY, 0, pageIndex,
									  BUFFER_LOCK_SHARE, NULL);
	RetlDirectoryPage *page = (RetlDirectoryPage *) RetlPageGetPayload(BufferGetPage(buffer));
	bool		found = false;

	for (int i = 0; i < page->slotCapacity && page->zoneColumns >= columns && !found; i++)
	{
		if (page->slots[i].state == RETL_GROUP_UNUSED)
		{
			*slot = (RetlSlot) {block, pageIndex, i};
			found = true;
		}
	}
	UnlockReleaseBuffer(buffer);
	return found;
}

/* See directory_change.h. */
bool
RetlFindUnusedSlot(Relation rel, int columns, RetlSlot *slot)
{
	RetlFileHeader header;

	RetlHeaderRead(rel, &header);
	for (uint32 i = 0; i < header.directoryPageCount; i++)
	{
		if (SearchPage(rel, header.directoryBlocks[i], i, columns, slot))
			return true;
	}
	return false;
}

/*
 * Make the images of a directory page and its zone map pages.
 */
static char *
MakeDirectoryImages(uint32 pageIndex, int columns, uint32 *imageCount)
{
	int			slots = pageIndex == 0 ? RETLDB_FIRST_DIRECTORY_SLOTS : RETLDB_DIRECTORY_SLOTS;
	int			perPage = RETLDB_PAYLOAD_SIZE / (slots * sizeof(RetlZoneEntry));
	int			zonePages = (Max(columns, 1) + perPage - 1) / perPage;
	char	   *images = palloc((Size) (1 + zonePages) * BLCKSZ);
	RetlDirectoryPage *directory;

	RetlPageInit((Page) images, RETL_PAGE_DIRECTORY, 0, pageIndex);
	RetlPageGetHeader((Page) images)->used = sizeof(RetlDirectoryPage);
	directory = (RetlDirectoryPage *) RetlPageGetPayload((Page) images);
	directory->zonePageCount = zonePages;
	directory->zoneColumns = zonePages * perPage;
	directory->zoneColumnsPerPage = perPage;
	directory->slotCapacity = slots;

	for (int i = 0; i < zonePages; i++)
	{
		Page		page = (Page) (images + (Size) (1 + i) * BLCKSZ);

		RetlPageInit(page, RETL_PAGE_ZONE_MAP, 0, pageIndex << 16 | i);
		RetlPageGetHeader(page)->used = perPage * slots * sizeof(RetlZoneEntry);
	}
	*imageCount = 1 + zonePages;
	return images;
}

/*
 * Add a directory page with zone maps for "columns" columns; returns its first
 * slot.  Caller holds the page lock.
 */
static RetlSlot
AddDirectoryPage(Relation rel, uint32 pageIndex, int columns)
{
	uint32		imageCount;
	char	   *images;
	RetlRun		run;
	RetlDirectoryChange change;
	RetlFileHeader *header;
	RetlDirectoryPage *directory;
	RetlSlot	slot;

	if (pageIndex >= RETLDB_MAX_DIRECTORY_PAGES)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("table \"%s\" has too many row groups", RelationGetRelationName(rel)),
				 errhint("CALL retldb.compact() merges small row groups; VACUUM FULL rewrites the table.")));

	images = MakeDirectoryImages(pageIndex, columns, &imageCount);
	run = RetlPagesAppend(rel, images, imageCount, NULL);
	pfree(images);

	RetlChangeBegin(&change, rel);
	header = RetlChangeHeader(&change);
	directory = RetlChangePage(&change, run.start, RETL_PAGE_DIRECTORY, 0, pageIndex);
	directory->zoneStart = run.start + 1;
	header->directoryBlocks[pageIndex] = run.start;
	header->directoryPageCount = pageIndex + 1;
	header->ownedPages += run.length;
	RetlChangeFinish(&change);

	slot.block = run.start;
	slot.pageIndex = pageIndex;
	slot.slot = 0;
	return slot;
}

/*
 * Find or make the slot for a new entry.  Caller holds the page lock.
 */
static RetlSlot
FindSlot(Relation rel, int columns)
{
	RetlFileHeader header;
	RetlSlot	slot;

	if (RetlFindUnusedSlot(rel, columns, &slot))
		return slot;
	/* FREE entries may need fewer */
	RetlMergeFreeEntries(rel);
	if (RetlFindUnusedSlot(rel, columns, &slot))
		return slot;
	RetlHeaderRead(rel, &header);
	return AddDirectoryPage(rel, header.directoryPageCount, columns);
}

/* ---------------------------------------------------------------------
 * Entries
 * ---------------------------------------------------------------------
 */

/*
 * Add the entry of a reserved group.
 */
void
RetlDirectoryAddGroup(Relation rel, uint64 groupId, uint64 rowBase, uint32 rowCapacity,
					  ItemPointer anchorTid, uint64 writerXid, RetlGroup *group)
{
	RetlDirectoryChange change;
	RetlGroupEntry *entry = &group->entry;

	LockPage(rel, RETLDB_HEADER_BLOCK, ExclusiveLock);
	memset(group, 0, sizeof(RetlGroup));
	group->slot = FindSlot(rel, RelationGetDescr(rel)->natts);
	entry->groupId = groupId;
	entry->rowBase = rowBase;
	entry->writerXid = writerXid;
	entry->rowCapacity = TYPEALIGN(RETLDB_ROWS_PER_BLOCK, rowCapacity);
	entry->anchorBlock = ItemPointerGetBlockNumber(anchorTid);
	entry->anchorOffset = ItemPointerGetOffsetNumber(anchorTid);
	entry->state = RETL_GROUP_LOADING;
	entry->location = RETL_LOCATION_FORK;
	entry->stubMapRoot = RETLDB_NO_BLOCK;
	entry->deleteVersionRoot = RETLDB_NO_BLOCK;
	entry->runListBlock = RETLDB_NO_BLOCK;

	RetlChangeBegin(&change, rel);
	(void) RetlChangeHeader(&change);
	*RetlChangeEntry(&change, &group->slot) = *entry;
	RetlChangeFinish(&change);
	UnlockPage(rel, RETLDB_HEADER_BLOCK, ExclusiveLock);
}

/* ---------------------------------------------------------------------
 * Runs
 * ---------------------------------------------------------------------
 */

/* See directory_change.h. */
void
RetlMakeRunList(Page image, uint64 groupId)
{
	RetlPageInit(image, RETL_PAGE_RUN_LIST, groupId, 0);
	RetlPageGetHeader(image)->used = sizeof(RetlRunListPage);
	((RetlRunListPage *) RetlPageGetPayload(image))->next = RETLDB_NO_BLOCK;
}

/*
 * Append an empty run list page for a group.
 */
static BlockNumber
AddRunListPage(Relation rel, uint64 groupId)
{
	PGAlignedBlock image;

	RetlMakeRunList((Page) image.data, groupId);
	return RetlPagesAppend(rel, image.data, 1, NULL).start;
}

/*
 * Read the entry of a group once more.
 */
void
RetlDirectoryRefresh(Relation rel, RetlGroup *group)
{
	const RetlSlot *slot = &group->slot;
	uint64		groupId = group->entry.groupId;
	Buffer		buffer = RetlPageRead(rel, slot->block, RETL_PAGE_DIRECTORY, 0, slot->pageIndex,
									  BUFFER_LOCK_SHARE, NULL);
	RetlDirectoryPage *page = (RetlDirectoryPage *) RetlPageGetPayload(BufferGetPage(buffer));

	group->entry = page->slots[slot->slot];
	UnlockReleaseBuffer(buffer);
	if (group->entry.groupId != groupId || group->entry.state != RETL_GROUP_COMPLETE)
		elog(ERROR, "row group %llu of table \"%s\" has gone",
			 (unsigned long long) groupId, RelationGetRelationName(rel));
}

/*
 * Has the group a stub map by now?
 */
bool
RetlDirectoryReadStubMapRoot(Relation rel, RetlGroup *group)
{
	const RetlSlot *slot = &group->slot;
	Buffer		buffer = RetlPageRead(rel, slot->block, RETL_PAGE_DIRECTORY, 0, slot->pageIndex,
									  BUFFER_LOCK_SHARE, NULL);
	RetlDirectoryPage *page = (RetlDirectoryPage *) RetlPageGetPayload(BufferGetPage(buffer));
	const RetlGroupEntry *entry = &page->slots[slot->slot];
	bool		found = entry->groupId == group->entry.groupId &&
		entry->state == RETL_GROUP_COMPLETE;

	if (found)
		group->entry.stubMapRoot = entry->stubMapRoot;
	UnlockReleaseBuffer(buffer);
	return found;
}

/*
 * Append a run to a group, in memory and on disk.
 */
void
RetlDirectoryAddRun(Relation rel, RetlGroup *group, RetlRun run)
{
	RetlGroupEntry *entry = &group->entry;
	RetlDirectoryChange change;
	RetlGroupEntry *onPage;
	int			count;
	RetlRun    *runs = RetlGroupGetRuns(rel, entry, &count);

	if (count > 0 && runs[count - 1].start + runs[count - 1].length == run.start)
		runs[count - 1].length += run.length;
	else
	{
		runs = repalloc(runs, sizeof(RetlRun) * (count + 1));
		runs[count++] = run;
	}
	if (count > RETLDB_INLINE_RUNS + RETLDB_RUN_LIST_CAPACITY)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("row group of table \"%s\" is too fragmented",
						RelationGetRelationName(rel)),
				 errhint("Lower retldb.row_group_size, or VACUUM FULL the table.")));
	if (count > RETLDB_INLINE_RUNS && entry->runListBlock == RETLDB_NO_BLOCK)
		entry->runListBlock = AddRunListPage(rel, entry->groupId);

	RetlChangeBegin(&change, rel);
	RetlChangeHeader(&change)->ownedPages += run.length;
	onPage = RetlChangeEntry(&change, &group->slot);
	RetlStoreRuns(entry, RetlChangeRunList(&change, entry), runs, count);
	*onPage = *entry;
	RetlChangeFinish(&change);
	pfree(runs);
}

/*
 * See directory.h.
 */
void
RetlDirectorySetStubMapRoot(Relation rel, RetlGroup *group, BlockNumber root)
{
	RetlDirectoryChange change;

	group->entry.stubMapRoot = root;
	RetlChangeBegin(&change, rel);
	(void) RetlChangeHeader(&change);
	*RetlChangeEntry(&change, &group->slot) = group->entry;
	RetlChangeFinish(&change);
}

/*
 * Write one more run of a COMPLETE group.  Pages that it takes are its own before they are
 * written, so a crash between leaves pages of it that mean nothing.
 */
RetlRun
RetlDirectoryAddPages(Relation rel, RetlGroup *group, char *images, uint32 count)
{
	RetlRun		run;

	LockPage(rel, RETLDB_HEADER_BLOCK, ExclusiveLock);
	RetlDirectoryRefresh(rel, group);
	if (RetlDirectoryTakeRun(rel, group, count, &run))
		RetlPagesOverwrite(rel, run.start, images, count, NULL);
	else
	{
		run = RetlPagesAppend(rel, images, count, NULL);
		RetlDirectoryAddRun(rel, group, run);
	}
	UnlockPage(rel, RETLDB_HEADER_BLOCK, ExclusiveLock);
	return run;
}

/*
 * Note in the header that the table has something which libraries without it
 * would misread.
 */
void
RetlDirectorySetIncompat(Relation rel, uint32 flags)
{
	RetlFileHeader current;
	RetlDirectoryChange change;

	RetlHeaderRead(rel, &current);
	if ((current.incompatFlags & flags) == flags)
		return;
	RetlChangeBegin(&change, rel);
	RetlChangeHeader(&change)->incompatFlags |= flags;
	RetlChangeFinish(&change);
}

/* See directory.h. */
void
RetlDirectorySetBare(Relation rel, const RetlRun *runs, int count)
{
	RetlFileHeader current;
	RetlFileHeader *header;
	RetlDirectoryChange change;

	Assert(count <= RETLDB_BARE_RUNS);
	/* of a damaged header, which is passed over, nobody reads them */
	if (!RetlHeaderTryRead(rel, &current) || (count == 0 && current.bare.runs[0].length == 0))
		return;
	RetlChangeBegin(&change, rel);
	header = RetlChangeHeader(&change);
	header->incompatFlags |= RETL_INCOMPAT_BARE_RUNS;
	header->bare.version++;
	memset(header->bare.runs, 0, sizeof(header->bare.runs));
	if (count > 0)
		memcpy(header->bare.runs, runs, sizeof(RetlRun) * count);
	RetlChangeFinish(&change);
}

/* ---------------------------------------------------------------------
 * Completion and release
 * ---------------------------------------------------------------------
 */

/*
 * Publish a group: from now on it is there for everybody who sees its anchor.
 * Row numbers that were reserved and not used are given back if nobody has
 * reserved any since.
 */
void
RetlDirectoryComplete(Relation rel, RetlGroup *group)
{
	RetlGroupEntry *entry = &group->entry;
	RetlDirectoryChange change;
	RetlFileHeader *header;
	uint64		used = TYPEALIGN64(RETLDB_ROWS_PER_BLOCK, (uint64) entry->rowCount);

	Assert(entry->state == RETL_GROUP_LOADING);
	Assert(entry->rowCount > 0 && entry->rowCount <= entry->rowCapacity);

	LockPage(rel, RETLDB_HEADER_BLOCK, ExclusiveLock);
	entry->state = RETL_GROUP_COMPLETE;
	RetlChangeBegin(&change, rel);
	header = RetlChangeHeader(&change);
	if (header->nextRowNumber == entry->rowBase + entry->rowCapacity)
	{
		entry->rowCapacity = used;
		header->nextRowNumber = entry->rowBase + used;
	}
	header->completeRows += entry->rowCount;
	header->completeGroups++;
	*RetlChangeEntry(&change, &group->slot) = *entry;
	RetlChangeFinish(&change);
	UnlockPage(rel, RETLDB_HEADER_BLOCK, ExclusiveLock);
}

/*
 * Release a group whose anchor is gone for everybody, if it is still the one
 * the caller saw.  Its pages may be reused from now on: whatever removed the
 * anchor has told standbys to cancel queries that might still read them.
 */
void
RetlDirectoryFree(Relation rel, const RetlGroup *group)
{
	RetlDirectoryChange change;
	RetlFileHeader *header;
	RetlGroupEntry *entry;

	LockPage(rel, RETLDB_HEADER_BLOCK, ExclusiveLock);
	RetlChangeBegin(&change, rel);
	header = RetlChangeHeader(&change);
	entry = RetlChangeEntry(&change, &group->slot);
	if (entry->groupId == group->entry.groupId &&
		(entry->state == RETL_GROUP_LOADING || entry->state == RETL_GROUP_COMPLETE))
	{
		if (entry->state == RETL_GROUP_COMPLETE)
		{
			header->completeRows -= entry->rowCount;
			header->completeGroups--;
		}
		if (entry->runCount == 0)
			memset(entry, 0, sizeof(RetlGroupEntry));
		else
		{
			entry->state = RETL_GROUP_FREE;
			entry->rowCount = 0;
		}
	}
	RetlChangeFinish(&change);
	UnlockPage(rel, RETLDB_HEADER_BLOCK, ExclusiveLock);
}
