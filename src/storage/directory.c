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
 * Reading is in directory_read.c, zone maps in zone_map.c.
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
#include "storage/page_alloc.h"
#include "storage/table_header.h"

/* Free pages fewer than these are left to the group that has them. */
#define MIN_SURPLUS_PAGES	16

/* Pages of FREE entries that are put together although they are not adjacent. */
#define MAX_MERGED_PAGES	64

/* A change of a directory page (and perhaps the header) in progress. */
typedef struct DirectoryChange
{
	Relation	rel;
	GenericXLogState *xlog;
	int			count;
	Buffer		buffers[MAX_GENERIC_XLOG_PAGES];
	Page		pages[MAX_GENERIC_XLOG_PAGES];
} DirectoryChange;

/* ---------------------------------------------------------------------
 * Changing pages
 * ---------------------------------------------------------------------
 */

static void
BeginChange(DirectoryChange *change, Relation rel)
{
	change->rel = rel;
	change->xlog = GenericXLogStart(rel);
	change->count = 0;
}

/*
 * Lock a page for the change; returns its payload to be modified.  The order
 * must be: header, directory pages by position, run list page.
 */
static void *
ChangePage(DirectoryChange *change, BlockNumber blkno, RetlPageKind kind,
		   uint64 groupId, uint32 sequence)
{
	int			i = change->count++;

	Assert(i < MAX_GENERIC_XLOG_PAGES);
	change->buffers[i] = RetlPageRead(change->rel, blkno, kind, groupId, sequence,
									  BUFFER_LOCK_EXCLUSIVE, NULL);
	change->pages[i] = GenericXLogRegisterBuffer(change->xlog, change->buffers[i], 0);
	return RetlPageGetPayload(change->pages[i]);
}

static RetlFileHeader *
ChangeHeader(DirectoryChange *change)
{
	RetlFileHeader *header = ChangePage(change, RETLDB_HEADER_BLOCK, RETL_PAGE_HEADER, 0, 0);

	header->generation++;
	return header;
}

static RetlGroupEntry *
ChangeEntry(DirectoryChange *change, const RetlSlot *slot)
{
	RetlDirectoryPage *page = ChangePage(change, slot->block, RETL_PAGE_DIRECTORY,
										 0, slot->pageIndex);

	return &page->slots[slot->slot];
}

/*
 * Log and release.
 */
static void
FinishChange(DirectoryChange *change)
{
	for (int i = 0; i < change->count; i++)
		RetlPageSetChecksum(change->pages[i], BufferGetBlockNumber(change->buffers[i]));
	GenericXLogFinish(change->xlog);
	for (int i = 0; i < change->count; i++)
		UnlockReleaseBuffer(change->buffers[i]);
}

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
	DirectoryChange change;
	RetlFileHeader *header;
	uint64		capacity = TYPEALIGN64(RETLDB_ROWS_PER_BLOCK, (uint64) rowCapacity);
	RetlFileHeader checked;

	RetlHeaderRead(rel, &checked);	/* refuse versions that we do not know */

	BeginChange(&change, rel);
	header = ChangeHeader(&change);
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
	FinishChange(&change);
}

/* ---------------------------------------------------------------------
 * Slots
 * ---------------------------------------------------------------------
 */

/* Where a new entry may go, and whose pages it may have. */
typedef struct SlotSearch
{
	bool		found;
	RetlSlot	target;
	uint32		wanted;			/* pages that will probably be needed */
	bool		foundFree;
	RetlSlot	freeSlot;
	RetlGroupEntry freeEntry;
	bool		freeHasColumns; /* its slot has zone maps for the columns */
} SlotSearch;

/*
 * Where the pages of a FREE entry end.
 */
static BlockNumber
EndOfRuns(Relation rel, const RetlGroupEntry *entry)
{
	int			count;
	RetlRun    *runs = RetlGroupGetKnownRuns(rel, entry, &count);
	BlockNumber end = 0;

	for (int i = 0; i < count; i++)
		end = Max(end, runs[i].start + runs[i].length);
	pfree(runs);
	return end;
}

/*
 * Is a FREE entry better than the best so far?  One with enough pages is, and of
 * those the first in the file, so that free pages gather at its end; else the
 * largest.
 */
static bool
IsBetterFree(Relation rel, const SlotSearch *search, const RetlGroupEntry *entry)
{
	bool		fits = entry->pageCount >= search->wanted;
	bool		bestFits = search->freeEntry.pageCount >= search->wanted;

	if (!search->foundFree || fits != bestFits)
		return !search->foundFree || fits;
	if (!fits)
		return entry->pageCount > search->freeEntry.pageCount;
	return EndOfRuns(rel, entry) < EndOfRuns(rel, &search->freeEntry);
}

/*
 * Look through one directory page for an unused slot with zone maps for
 * "columns" columns, and for the best FREE entry.
 */
static void
SearchPage(Relation rel, BlockNumber block, uint32 pageIndex, int columns, SlotSearch *search)
{
	Buffer		buffer = RetlPageRead(rel, block, RETL_PAGE_DIRECTORY, 0, pageIndex,
									  BUFFER_LOCK_SHARE, NULL);
	RetlDirectoryPage *page = (RetlDirectoryPage *) RetlPageGetPayload(BufferGetPage(buffer));

	for (int i = 0; i < page->slotCapacity; i++)
	{
		RetlSlot	here = {block, pageIndex, i};
		RetlGroupEntry *entry = &page->slots[i];

		if (entry->state == RETL_GROUP_UNUSED && !search->found && page->zoneColumns >= columns)
		{
			search->found = true;
			search->target = here;
		}
		if (entry->state == RETL_GROUP_FREE && IsBetterFree(rel, search, entry))
		{
			search->foundFree = true;
			search->freeSlot = here;
			search->freeEntry = *entry;
			search->freeHasColumns = page->zoneColumns >= columns;
		}
	}
	UnlockReleaseBuffer(buffer);
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
	DirectoryChange change;
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

	BeginChange(&change, rel);
	header = ChangeHeader(&change);
	directory = ChangePage(&change, run.start, RETL_PAGE_DIRECTORY, 0, pageIndex);
	directory->zoneStart = run.start + 1;
	header->directoryBlocks[pageIndex] = run.start;
	header->directoryPageCount = pageIndex + 1;
	header->ownedPages += run.length;
	FinishChange(&change);

	slot.block = run.start;
	slot.pageIndex = pageIndex;
	slot.slot = 0;
	return slot;
}

/*
 * Find or make the slot for a new entry of so many rows, and pages for it: as many
 * as wanted, or, if that is 0, as other groups have for so many rows.  Caller holds
 * the page lock.
 */
static void
FindSlot(Relation rel, int columns, uint32 rows, uint32 wanted, SlotSearch *search)
{
	RetlFileHeader header;

	memset(search, 0, sizeof(SlotSearch));
	RetlHeaderRead(rel, &header);
	search->wanted = wanted;
	if (wanted == 0 && header.completeRows > 0)
		search->wanted = Min((double) header.ownedPages / header.completeRows * rows,
							 RETLDB_FIRST_ROW_BLOCK);
	for (uint32 i = 0; i < header.directoryPageCount; i++)
		SearchPage(rel, header.directoryBlocks[i], i, columns, search);
	/* with room for the columns it is the best slot itself */
	if (search->foundFree && search->freeHasColumns)
	{
		search->found = true;
		search->target = search->freeSlot;
	}
	if (!search->found)
	{
		search->target = AddDirectoryPage(rel, header.directoryPageCount, columns);
		search->found = true;
	}
}

/* ---------------------------------------------------------------------
 * Entries
 * ---------------------------------------------------------------------
 */

/*
 * Give the pages of a FREE entry to a new one, and the slot back if it is not
 * the new one's.  A run list page changes its owner.
 */
static void
TakeOverPages(DirectoryChange *change, const SlotSearch *search, RetlGroupEntry *to)
{
	const RetlGroupEntry *from = &search->freeEntry;

	to->runCount = from->runCount;
	to->pageCount = from->pageCount;
	to->runListBlock = from->runListBlock;
	memcpy(to->runs, from->runs, sizeof(to->runs));

	if (search->freeSlot.block != search->target.block)
		memset(ChangeEntry(change, &search->freeSlot), 0, sizeof(RetlGroupEntry));
	if (from->runListBlock != RETLDB_NO_BLOCK)
	{
		(void) ChangePage(change, from->runListBlock, RETL_PAGE_RUN_LIST, from->groupId, 0);
		RetlPageGetHeader(change->pages[change->count - 1])->groupId = to->groupId;
	}
}

/*
 * Add the entry of a reserved group.
 */
void
RetlDirectoryAddGroup(Relation rel, uint64 groupId, uint64 rowBase, uint32 rowCapacity,
					  ItemPointer anchorTid, uint64 writerXid, uint32 wantedPages,
					  RetlGroup *group)
{
	SlotSearch	search;
	DirectoryChange change;
	RetlGroupEntry *entry = &group->entry;
	RetlGroupEntry *onPage;

	LockPage(rel, RETLDB_HEADER_BLOCK, ExclusiveLock);
	FindSlot(rel, RelationGetDescr(rel)->natts, rowCapacity, wantedPages, &search);

	memset(group, 0, sizeof(RetlGroup));
	group->slot = search.target;
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

	BeginChange(&change, rel);
	(void) ChangeHeader(&change);
	onPage = ChangeEntry(&change, &search.target);
	if (search.foundFree)
		TakeOverPages(&change, &search, entry);
	*onPage = *entry;
	FinishChange(&change);
	UnlockPage(rel, RETLDB_HEADER_BLOCK, ExclusiveLock);
}

/* ---------------------------------------------------------------------
 * Runs
 * ---------------------------------------------------------------------
 */

/*
 * Make an empty run list page for a group.
 */
static BlockNumber
AddRunListPage(Relation rel, uint64 groupId)
{
	PGAlignedBlock image;
	Page		page = (Page) image.data;
	RetlRunListPage *list;

	RetlPageInit(page, RETL_PAGE_RUN_LIST, groupId, 0);
	RetlPageGetHeader(page)->used = sizeof(RetlRunListPage);
	list = (RetlRunListPage *) RetlPageGetPayload(page);
	list->next = RETLDB_NO_BLOCK;
	return RetlPagesAppend(rel, image.data, 1, NULL).start;
}

/*
 * Put an array of runs into an entry and, where they do not fit, its run list
 * page, whose content "list" is (NULL if the entry has none).
 */
static void
StoreRuns(RetlGroupEntry *entry, RetlRunListPage *list, const RetlRun *runs, int count)
{
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

/*
 * The content of an entry's run list page for a change, or NULL.
 */
static RetlRunListPage *
ChangeRunList(DirectoryChange *change, const RetlGroupEntry *entry)
{
	if (entry->runListBlock == RETLDB_NO_BLOCK)
		return NULL;
	return ChangePage(change, entry->runListBlock, RETL_PAGE_RUN_LIST, entry->groupId, 0);
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
	DirectoryChange change;
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
						RelationGetRelationName(rel))));
	if (count > RETLDB_INLINE_RUNS && entry->runListBlock == RETLDB_NO_BLOCK)
		entry->runListBlock = AddRunListPage(rel, entry->groupId);

	BeginChange(&change, rel);
	ChangeHeader(&change)->ownedPages += run.length;
	onPage = ChangeEntry(&change, &group->slot);
	StoreRuns(entry, ChangeRunList(&change, entry), runs, count);
	*onPage = *entry;
	FinishChange(&change);
	pfree(runs);
}

/*
 * Append a run to a COMPLETE group.
 */
RetlRun
RetlDirectoryAppendPages(Relation rel, RetlGroup *group, char *images, uint32 count)
{
	RetlRun		run;

	LockPage(rel, RETLDB_HEADER_BLOCK, ExclusiveLock);
	RetlDirectoryRefresh(rel, group);
	run = RetlPagesAppend(rel, images, count, NULL);
	RetlDirectoryAddRun(rel, group, run);
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
	DirectoryChange change;

	RetlHeaderRead(rel, &current);
	if ((current.incompatFlags & flags) == flags)
		return;
	BeginChange(&change, rel);
	ChangeHeader(&change)->incompatFlags |= flags;
	FinishChange(&change);
}

/* ---------------------------------------------------------------------
 * Completion and release
 * ---------------------------------------------------------------------
 */

/*
 * Cut an array of runs after "keep" pages.  What is behind goes to "rest" as
 * far as it fits; what does not stays.  Returns how many runs are left.
 */
static int
CutRuns(RetlRun *runs, int count, uint32 keep, RetlGroupEntry *rest)
{
	uint32		before = 0;		/* pages of the runs before the last one */

	for (int i = 0; i < count - 1; i++)
		before += runs[i].length;

	while (count > 0 && rest->runCount < RETLDB_INLINE_RUNS && before + runs[count - 1].length > keep)
	{
		RetlRun    *last = &runs[count - 1];
		uint32		stay = keep > before ? keep - before : 0;
		RetlRun    *target = &rest->runs[rest->runCount++];

		target->start = last->start + stay;
		target->length = last->length - stay;
		rest->pageCount += target->length;
		last->length = stay;
		if (stay > 0)
			break;
		count--;
		if (count > 0)
			before -= runs[count - 1].length;
	}
	return count;
}

/*
 * Find an unused slot for a FREE entry, on pages that exist.
 */
static bool
FindUnusedSlot(Relation rel, RetlSlot *slot)
{
	RetlFileHeader header;
	SlotSearch	search;

	memset(&search, 0, sizeof(search));
	RetlHeaderRead(rel, &header);
	for (uint32 i = 0; i < header.directoryPageCount && !search.found; i++)
		SearchPage(rel, header.directoryBlocks[i], i, 0, &search);
	*slot = search.target;
	return search.found;
}

/*
 * Give back pages of a group past the used ones, as an entry of their own in
 * state FREE.  In one step with shortening the group's runs.
 */
static void
ReleaseSurplus(Relation rel, RetlGroup *group, uint32 usedPages)
{
	RetlGroupEntry *entry = &group->entry;
	RetlGroupEntry rest;
	RetlSlot	restSlot;
	DirectoryChange change;
	RetlGroupEntry *onPage;
	int			count;
	RetlRun    *runs;

	if (!FindUnusedSlot(rel, &restSlot))
		return;

	memset(&rest, 0, sizeof(rest));
	rest.state = RETL_GROUP_FREE;
	rest.groupId = entry->groupId;
	rest.stubMapRoot = RETLDB_NO_BLOCK;
	rest.deleteVersionRoot = RETLDB_NO_BLOCK;
	rest.runListBlock = RETLDB_NO_BLOCK;
	runs = RetlGroupGetRuns(rel, entry, &count);
	count = CutRuns(runs, count, usedPages, &rest);

	BeginChange(&change, rel);
	(void) ChangeHeader(&change);
	onPage = ChangeEntry(&change, &group->slot);
	if (restSlot.block == group->slot.block)
		onPage[(int) restSlot.slot - (int) group->slot.slot] = rest;
	else
		*ChangeEntry(&change, &restSlot) = rest;
	StoreRuns(entry, ChangeRunList(&change, entry), runs, count);
	*onPage = *entry;
	FinishChange(&change);
	pfree(runs);
}

/*
 * Publish a group: from now on it is there for everybody who sees its anchor.
 * Row numbers that were reserved and not used are given back if nobody has
 * reserved any since.
 */
void
RetlDirectoryComplete(Relation rel, RetlGroup *group, uint32 usedPages)
{
	RetlGroupEntry *entry = &group->entry;
	DirectoryChange change;
	RetlFileHeader *header;
	uint64		used = TYPEALIGN64(RETLDB_ROWS_PER_BLOCK, (uint64) entry->rowCount);

	Assert(entry->state == RETL_GROUP_LOADING);
	Assert(entry->rowCount > 0 && entry->rowCount <= entry->rowCapacity);
	Assert(usedPages <= entry->pageCount);

	LockPage(rel, RETLDB_HEADER_BLOCK, ExclusiveLock);
	if (entry->pageCount - usedPages >= MIN_SURPLUS_PAGES)
		ReleaseSurplus(rel, group, usedPages);

	entry->state = RETL_GROUP_COMPLETE;
	BeginChange(&change, rel);
	header = ChangeHeader(&change);
	if (header->nextRowNumber == entry->rowBase + entry->rowCapacity)
	{
		entry->rowCapacity = used;
		header->nextRowNumber = entry->rowBase + used;
	}
	header->completeRows += entry->rowCount;
	header->completeGroups++;
	*ChangeEntry(&change, &group->slot) = *entry;
	FinishChange(&change);
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
	DirectoryChange change;
	RetlFileHeader *header;
	RetlGroupEntry *entry;

	LockPage(rel, RETLDB_HEADER_BLOCK, ExclusiveLock);
	BeginChange(&change, rel);
	header = ChangeHeader(&change);
	entry = ChangeEntry(&change, &group->slot);
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
	FinishChange(&change);
	UnlockPage(rel, RETLDB_HEADER_BLOCK, ExclusiveLock);
}

/*
 * Write a FREE entry with the runs that it has by now, "added" pages more than before.
 */
static void
WriteFreeEntry(Relation rel, const RetlSlot *slot, RetlGroupEntry *entry, const RetlRun *runs,
			   int count, uint32 added)
{
	DirectoryChange change;

	BeginChange(&change, rel);
	ChangeHeader(&change)->ownedPages += added;
	StoreRuns(entry, NULL, runs, count);
	*ChangeEntry(&change, slot) = *entry;
	FinishChange(&change);
}

/* See directory.h. */
bool
RetlDirectoryAddFree(Relation rel, RetlTakePages take, void *context)
{
	RetlRun		runs[RETLDB_INLINE_RUNS];
	RetlRun		taken;
	RetlGroupEntry entry;
	RetlSlot	slot;
	uint64		rowBase;
	int			count = 0;

	memset(&entry, 0, sizeof(entry));
	entry.state = RETL_GROUP_FREE;
	entry.stubMapRoot = RETLDB_NO_BLOCK;
	entry.deleteVersionRoot = RETLDB_NO_BLOCK;
	entry.runListBlock = RETLDB_NO_BLOCK;
	RetlDirectoryReserve(rel, 1, &entry.groupId, &rowBase);

	LockPage(rel, RETLDB_HEADER_BLOCK, ExclusiveLock);
	if (FindUnusedSlot(rel, &slot))
	{
		/* pages that were taken and not entered are lost */
		HOLD_INTERRUPTS();
		while (take(rel, entry.groupId, count < RETLDB_INLINE_RUNS, &taken, context))
		{
			if (count > 0 && runs[count - 1].start + runs[count - 1].length == taken.start)
				runs[count - 1].length += taken.length;
			else
				runs[count++] = taken;
			WriteFreeEntry(rel, &slot, &entry, runs, count, taken.length);
			RESUME_INTERRUPTS();
			CHECK_FOR_INTERRUPTS();
			HOLD_INTERRUPTS();
		}
		RESUME_INTERRUPTS();
	}
	UnlockPage(rel, RETLDB_HEADER_BLOCK, ExclusiveLock);
	return count > 0;
}

static int
CompareRunStarts(const void *one, const void *other)
{
	BlockNumber left = ((const RetlRun *) one)->start;
	BlockNumber right = ((const RetlRun *) other)->start;

	return left < right ? -1 : left > right;
}

static int
CompareFreeEntries(const void *one, const void *other)
{
	return CompareRunStarts(&(*(RetlGroup *const *) one)->entry.runs[0],
							&(*(RetlGroup *const *) other)->entry.runs[0]);
}

/*
 * Put the runs of two entries together, in order; returns how many there are then.
 */
static int
JoinRuns(const RetlGroupEntry *one, const RetlGroupEntry *other, RetlRun *runs)
{
	int			count = one->runCount + other->runCount;
	int			joined = 0;

	memcpy(runs, one->runs, sizeof(RetlRun) * one->runCount);
	memcpy(runs + one->runCount, other->runs, sizeof(RetlRun) * other->runCount);
	qsort(runs, count, sizeof(RetlRun), CompareRunStarts);
	for (int i = 1; i < count; i++)
	{
		if (runs[joined].start + runs[joined].length == runs[i].start)
			runs[joined].length += runs[i].length;
		else
			runs[++joined] = runs[i];
	}
	return joined + 1;
}

/*
 * Give the pages of a FREE entry to another one, whose runs these are then.  Caller
 * holds the page lock.
 */
static void
MergeFreeEntry(Relation rel, RetlGroup *into, const RetlGroup *from, const RetlRun *runs, int count)
{
	DirectoryChange change;
	RetlGroupEntry *onPage;

	BeginChange(&change, rel);
	(void) ChangeHeader(&change);
	onPage = ChangeEntry(&change, &into->slot);
	StoreRuns(&into->entry, NULL, runs, count);
	*onPage = into->entry;
	if (from->slot.block == into->slot.block)
		memset(&onPage[(int) from->slot.slot - (int) into->slot.slot], 0, sizeof(RetlGroupEntry));
	else
		memset(ChangeEntry(&change, &from->slot), 0, sizeof(RetlGroupEntry));
	FinishChange(&change);
}

/* See directory.h. */
void
RetlDirectoryMergeFree(Relation rel)
{
	RetlDirectory *directory;
	RetlGroup **entries;
	RetlGroup  *into = NULL;
	int			count = 0;

	LockPage(rel, RETLDB_HEADER_BLOCK, ExclusiveLock);
	directory = RetlDirectoryRead(rel);
	entries = palloc(sizeof(RetlGroup *) * Max(directory->groupCount, 1));
	for (int i = 0; i < directory->groupCount; i++)
	{
		RetlGroupEntry *entry = &directory->groups[i].entry;

		if (entry->state == RETL_GROUP_FREE && entry->runListBlock == RETLDB_NO_BLOCK &&
			entry->runCount > 0)
			entries[count++] = &directory->groups[i];
	}
	qsort(entries, count, sizeof(RetlGroup *), CompareFreeEntries);
	for (int i = 0; i < count; i++)
	{
		RetlRun		runs[2 * RETLDB_INLINE_RUNS];
		int			runCount = into == NULL ? 0 : JoinRuns(&into->entry, &entries[i]->entry, runs);

		if (runCount > 0 && runCount <= RETLDB_INLINE_RUNS &&
			(runCount < into->entry.runCount + entries[i]->entry.runCount ||
			 into->entry.pageCount + entries[i]->entry.pageCount <= MAX_MERGED_PAGES))
			MergeFreeEntry(rel, into, entries[i], runs, runCount);
		else
			into = entries[i];
	}
	UnlockPage(rel, RETLDB_HEADER_BLOCK, ExclusiveLock);
	pfree(entries);
}

/*
 * Let a FREE entry go of its pages from block "end" on.  An entry that has no
 * page left, not even a run list, becomes an unused slot.
 */
static void
CutFreeEntry(Relation rel, RetlGroup *group, BlockNumber end)
{
	RetlGroupEntry *entry = &group->entry;
	uint32		before = entry->pageCount;
	int			count;
	int			kept = 0;
	RetlRun    *runs = RetlGroupGetRuns(rel, entry, &count);
	DirectoryChange change;
	RetlFileHeader *header;
	RetlGroupEntry *onPage;

	for (int i = 0; i < count; i++)
	{
		if (runs[i].start >= end)
			continue;
		runs[kept].start = runs[i].start;
		runs[kept].length = Min(runs[i].length, end - runs[i].start);
		kept++;
	}

	BeginChange(&change, rel);
	header = ChangeHeader(&change);
	onPage = ChangeEntry(&change, &group->slot);
	StoreRuns(entry, ChangeRunList(&change, entry), runs, kept);
	header->ownedPages -= before - entry->pageCount;
	if (kept == 0 && entry->runListBlock == RETLDB_NO_BLOCK)
		memset(onPage, 0, sizeof(RetlGroupEntry));
	else
		*onPage = *entry;
	FinishChange(&change);
	pfree(runs);
}

/*
 * Let FREE entries go of all pages from block "end" on, which are about to be
 * cut off.  Caller holds AccessExclusiveLock.
 */
void
RetlDirectoryCutFree(Relation rel, BlockNumber end)
{
	RetlDirectory *directory;

	LockPage(rel, RETLDB_HEADER_BLOCK, ExclusiveLock);
	directory = RetlDirectoryRead(rel);
	for (int i = 0; i < directory->groupCount; i++)
	{
		RetlGroup  *group = &directory->groups[i];
		int			count;
		RetlRun    *runs;

		if (group->entry.state != RETL_GROUP_FREE)
			continue;
		runs = RetlGroupGetRuns(rel, &group->entry, &count);
		for (int j = 0; j < count; j++)
		{
			if (runs[j].start + runs[j].length > end)
			{
				CutFreeEntry(rel, group, end);
				break;
			}
		}
		pfree(runs);
	}
	UnlockPage(rel, RETLDB_HEADER_BLOCK, ExclusiveLock);
}
