/*-------------------------------------------------------------------------
 *
 * directory_read.c
 *	  Reading the directory of row groups.
 *
 * Nothing that is read here is trusted: every entry is checked against the
 * limits of the format and the length of the fork before anybody follows it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "base/errors.h"
#include "base/settings.h"
#include "storage/column_page.h"
#include "storage/directory.h"
#include "storage/table_header.h"

/*
 * Do these runs lie within the fork, past the header page?
 */
static bool
RunsAreSound(const RetlRun *runs, int count, BlockNumber nblocks)
{
	for (int i = 0; i < count; i++)
	{
		if (runs[i].start == RETLDB_HEADER_BLOCK || runs[i].length == 0 ||
			(uint64) runs[i].start + runs[i].length > nblocks)
			return false;
	}
	return true;
}

/*
 * Is this entry plausible in itself?  NULL or a static text.
 */
const char *
RetlGroupEntryProblem(const RetlGroupEntry *entry, BlockNumber nblocks)
{
	if (entry->state > RETL_GROUP_FREE)
		return "an invalid state";
	if (entry->state == RETL_GROUP_UNUSED)
		return NULL;
	if (entry->location != RETL_LOCATION_FORK)
		return "an unsupported location";
	if (entry->runCount > RETLDB_INLINE_RUNS + RETLDB_RUN_LIST_CAPACITY ||
		!RunsAreSound(entry->runs, Min(entry->runCount, RETLDB_INLINE_RUNS), nblocks))
		return "page runs outside the table";
	if (entry->runListBlock == RETLDB_NO_BLOCK
		? entry->runCount > RETLDB_INLINE_RUNS
		: entry->runListBlock >= nblocks)
		return "an invalid run list";
	if (entry->state == RETL_GROUP_FREE)
		return NULL;
	if (entry->groupId == 0)
		return "no group id";
	if (entry->rowBase % RETLDB_ROWS_PER_BLOCK != 0 ||
		entry->rowBase > RETLDB_MAX_ROW_NUMBER ||
		entry->rowCapacity > RETLDB_MAX_GROUP_ROWS ||
		entry->rowCount > entry->rowCapacity)
		return "invalid row numbers";
	if (entry->anchorBlock == RETLDB_HEADER_BLOCK || entry->anchorBlock >= nblocks ||
		entry->anchorOffset == 0)
		return "an anchor outside the table";
	if (entry->stubMapRoot != RETLDB_NO_BLOCK &&
		(entry->stubMapRoot == RETLDB_HEADER_BLOCK || entry->stubMapRoot >= nblocks))
		return "a stub map outside the table";
	if (entry->deleteVersionRoot != RETLDB_NO_BLOCK)
		return "unsupported versions of deletions";
	if (entry->state == RETL_GROUP_LOADING)
		return NULL;
	if (entry->rowCount == 0)
		return "no rows";
	if (entry->vectorRows < RETLDB_MIN_VECTOR_ROWS || entry->vectorRows > RETLDB_MAX_VECTOR_ROWS)
		return "an invalid vector size";
	if (entry->dataLength > (uint64) entry->pageCount * RETLDB_PAYLOAD_SIZE ||
		entry->footerOffset > entry->dataLength ||
		entry->footerLength != entry->dataLength - entry->footerOffset)
		return "invalid lengths";
	return NULL;
}

/*
 * Report a damaged directory page; with retldb.skip_damaged_groups as a
 * warning.
 */
static void
ReportDamagedDirectory(Relation rel, BlockNumber block, const char *problem)
{
	if (!retldb_skip_damaged_groups)
		RetlReportDamagedPage(rel, block, problem);
	ereport(WARNING,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("skipping damaged directory page in block %u of table \"%s\"",
					block, RelationGetRelationName(rel)),
			 errdetail("The page has %s.", problem)));
}

/*
 * Is the content of a directory page usable?
 */
static const char *
DirectoryPageProblem(const RetlDirectoryPage *page, BlockNumber nblocks)
{
	if (page->slotCapacity == 0 || page->slotCapacity > RETLDB_DIRECTORY_SLOTS)
		return "an invalid number of slots";
	if (page->zoneColumnsPerPage == 0 ||
		page->zoneColumnsPerPage * page->slotCapacity * sizeof(RetlZoneEntry) > RETLDB_PAYLOAD_SIZE ||
		page->zoneColumns != page->zoneColumnsPerPage * page->zonePageCount ||
		(uint64) page->zoneStart + page->zonePageCount > nblocks)
		return "an invalid zone map";
	return NULL;
}

/*
 * Copy the used entries of a directory page to the array.
 */
static void
CollectEntries(Relation rel, RetlDirectory *directory, const RetlDirectoryPage *page,
			   BlockNumber block, int pageIndex, BlockNumber nblocks)
{
	for (int i = 0; i < page->slotCapacity; i++)
	{
		const RetlGroupEntry *entry = &page->slots[i];
		const char *problem = RetlGroupEntryProblem(entry, nblocks);
		RetlGroup  *group;

		if (problem != NULL)
		{
			if (!retldb_skip_damaged_groups)
				RetlReportDamagedGroup(rel, entry->groupId, NULL, psprintf("%s in the directory", problem));
			ereport(WARNING,
					(errcode(ERRCODE_DATA_CORRUPTED),
					 errmsg("skipping damaged row group %llu of table \"%s\"",
							(unsigned long long) entry->groupId, RelationGetRelationName(rel)),
					 errdetail("Its directory entry has %s.", problem)));
			continue;
		}
		if (entry->state == RETL_GROUP_UNUSED)
			continue;
		group = &directory->groups[directory->groupCount++];
		group->entry = *entry;
		group->slot.block = block;
		group->slot.pageIndex = pageIndex;
		group->slot.slot = i;
	}
}

/*
 * Read one directory page.  A damaged one leaves nothing, if that is wanted.
 */
static void
ReadDirectoryPage(Relation rel, RetlDirectory *directory, int pageIndex)
{
	BlockNumber block = directory->header->directoryBlocks[pageIndex];
	BlockNumber nblocks = RelationGetNumberOfBlocks(rel);
	RetlZoneMapRef *ref = &directory->pages[pageIndex];
	RetlDirectoryPage *content;
	PGAlignedBlock copy;
	Page		page = (Page) copy.data;
	Buffer		buffer;
	const char *problem;

	if (block == RETLDB_HEADER_BLOCK || block >= nblocks)
	{
		ReportDamagedDirectory(rel, RETLDB_HEADER_BLOCK, "an invalid directory block");
		return;
	}
	buffer = RetlReadSinglePage(rel, block, NULL);
	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	memcpy(page, BufferGetPage(buffer), BLCKSZ);
	UnlockReleaseBuffer(buffer);

	/* its entries may name blocks that were added just before we copied it */
	nblocks = RelationGetNumberOfBlocks(rel);
	content = (RetlDirectoryPage *) RetlPageGetPayload(page);
	problem = RetlPageProblem(page, block, RETL_PAGE_DIRECTORY, 0, pageIndex, true);
	if (problem == NULL)
		problem = DirectoryPageProblem(content, nblocks);
	if (problem != NULL)
	{
		ReportDamagedDirectory(rel, block, problem);
		return;
	}
	ref->zoneStart = content->zoneStart;
	ref->zonePageCount = content->zonePageCount;
	ref->zoneColumns = content->zoneColumns;
	ref->zoneColumnsPerPage = content->zoneColumnsPerPage;
	ref->slotCapacity = content->slotCapacity;
	CollectEntries(rel, directory, content, block, pageIndex, nblocks);
}

static int
CompareGroups(const void *a, const void *b)
{
	const RetlGroup *left = a;
	const RetlGroup *right = b;

	if (left->entry.rowBase != right->entry.rowBase)
		return left->entry.rowBase < right->entry.rowBase ? -1 : 1;
	return 0;
}

/*
 * The header is damaged and other data are to be rescued: look for directory
 * pages in the whole fork.  What is found is what a scan needs of the header.
 */
static void
FindDirectoryPages(Relation rel, RetlFileHeader *header)
{
	BlockNumber nblocks = RelationGetNumberOfBlocks(rel);

	memset(header, 0, sizeof(RetlFileHeader));
	header->nextGroupId = PG_UINT64_MAX;
	for (BlockNumber block = RETLDB_HEADER_BLOCK + 1; block < nblocks; block++)
	{
		Buffer		buffer;
		uint32		index;

		CHECK_FOR_INTERRUPTS();
		buffer = ReadBuffer(rel, block);
		LockBuffer(buffer, BUFFER_LOCK_SHARE);
		index = RetlPageGetHeader(BufferGetPage(buffer))->sequence;
		if (index < RETLDB_MAX_DIRECTORY_PAGES &&
			RetlPageProblem(BufferGetPage(buffer), block, RETL_PAGE_DIRECTORY, 0, index, true) == NULL)
		{
			header->directoryBlocks[index] = block;
			header->directoryPageCount = Max(header->directoryPageCount, index + 1);
		}
		UnlockReleaseBuffer(buffer);
	}
}

/*
 * Read the directory.
 */
RetlDirectory *
RetlDirectoryRead(Relation rel)
{
	RetlDirectory *directory = palloc0(sizeof(RetlDirectory));

	directory->header = palloc0(sizeof(RetlFileHeader));
	if (!RetlHeaderTryRead(rel, directory->header))
		FindDirectoryPages(rel, directory->header);

	directory->pageCount = directory->header->directoryPageCount;
	directory->pages = palloc0(sizeof(RetlZoneMapRef) * Max(directory->pageCount, 1));
	directory->groups = MemoryContextAllocHuge(CurrentMemoryContext,
											   sizeof(RetlGroup) * RETLDB_DIRECTORY_SLOTS *
											   Max(directory->pageCount, 1));
	for (int i = 0; i < directory->pageCount; i++)
		ReadDirectoryPage(rel, directory, i);
	qsort(directory->groups, directory->groupCount, sizeof(RetlGroup), CompareGroups);
	return directory;
}

/*
 * Read the runs of a group past its inline ones from its run list page.  NULL,
 * or what is wrong with the page.
 */
static const char *
ReadRunList(Relation rel, const RetlGroupEntry *entry, RetlRun *runs, int count)
{
	Buffer		buffer = RetlReadSinglePage(rel, entry->runListBlock, NULL);
	Page		page = BufferGetPage(buffer);
	RetlRunListPage *list = (RetlRunListPage *) RetlPageGetPayload(page);
	const char *problem;

	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	problem = RetlPageProblem(page, entry->runListBlock, RETL_PAGE_RUN_LIST,
							  entry->groupId, 0, true);
	/* it may have grown since the entry was copied: stub maps take further pages */
	if (problem == NULL &&
		(list->count < count || list->count > RETLDB_RUN_LIST_CAPACITY ||
		 list->next != RETLDB_NO_BLOCK))
		problem = "an unexpected number of page runs";
	if (problem == NULL)
		memcpy(runs, list->runs, sizeof(RetlRun) * count);
	UnlockReleaseBuffer(buffer);

	if (problem == NULL && !RunsAreSound(runs, count, RelationGetNumberOfBlocks(rel)))
		problem = "page runs outside the table";
	return problem;
}

/*
 * The runs of a group, palloc'd with room for one more; *problem tells what is
 * wrong with its run list page, or is NULL.
 */
static RetlRun *
GetRuns(Relation rel, const RetlGroupEntry *entry, int *runCount, const char **problem)
{
	RetlRun    *runs = palloc(sizeof(RetlRun) * (entry->runCount + 1));
	int			inlineCount = Min(entry->runCount, RETLDB_INLINE_RUNS);

	Assert(entry->runCount <= RETLDB_INLINE_RUNS + RETLDB_RUN_LIST_CAPACITY);
	memcpy(runs, entry->runs, sizeof(RetlRun) * inlineCount);
	*runCount = entry->runCount;
	*problem = NULL;
	if (entry->runCount > inlineCount)
		*problem = ReadRunList(rel, entry, runs + inlineCount, entry->runCount - inlineCount);
	return runs;
}

/*
 * The group that a row number belongs to, by a copy of the directory.
 */
RetlGroup *
RetlDirectoryFindRow(const RetlDirectory *directory, uint64 rowNumber)
{
	int			low = 0;
	int			high = directory->groupCount;

	/* the last group that begins at or before the row */
	while (low < high)
	{
		int			middle = (low + high) / 2;

		if (directory->groups[middle].entry.rowBase <= rowNumber)
			low = middle + 1;
		else
			high = middle;
	}
	/* free entries may have taken any row base: look back past them */
	for (int i = low - 1; i >= 0; i--)
	{
		RetlGroup  *group = &directory->groups[i];
		bool		written = group->entry.state == RETL_GROUP_COMPLETE;

		if (group->entry.state == RETL_GROUP_FREE)
			continue;
		if (rowNumber - group->entry.rowBase <
			(written ? group->entry.rowCount : group->entry.rowCapacity))
			return group;
		break;
	}
	return NULL;
}

/*
 * All page runs of a group.
 */
RetlRun *
RetlGroupGetRuns(Relation rel, const RetlGroupEntry *entry, int *runCount)
{
	const char *problem;
	RetlRun    *runs = GetRuns(rel, entry, runCount, &problem);

	if (problem != NULL)
		RetlReportDamagedPage(rel, entry->runListBlock, problem);
	return runs;
}

/*
 * The page runs of a group's byte string.  Stub maps add runs after these, so the run
 * list page is rarely needed.
 */
RetlRun *
RetlGroupGetDataRuns(Relation rel, const RetlGroupEntry *entry, int *runCount)
{
	int			inlineCount = Min(entry->runCount, RETLDB_INLINE_RUNS);
	uint64		bytes = 0;

	for (int i = 0; i < inlineCount; i++)
	{
		bytes += (uint64) entry->runs[i].length * RETLDB_PAYLOAD_SIZE;
		if (entry->dataLength <= bytes)
		{
			RetlRun    *runs = palloc(sizeof(RetlRun) * (i + 1));

			memcpy(runs, entry->runs, sizeof(RetlRun) * (i + 1));
			*runCount = i + 1;
			return runs;
		}
	}
	return RetlGroupGetRuns(rel, entry, runCount);
}

/*
 * Those page runs of a group that can be found.  The entry may be out of date:
 * the run list page of a group that is being loaded, or was, may have changed or
 * be another's by now.
 */
RetlRun *
RetlGroupGetKnownRuns(Relation rel, const RetlGroupEntry *entry, int *runCount)
{
	const char *problem;
	RetlRun    *runs = GetRuns(rel, entry, runCount, &problem);

	if (problem != NULL)
		*runCount = RETLDB_INLINE_RUNS;
	return runs;
}

/* See directory.h. */
int
RetlRunCompare(const void *one, const void *other)
{
	BlockNumber left = ((const RetlRun *) one)->start;
	BlockNumber right = ((const RetlRun *) other)->start;

	return left < right ? -1 : left > right;
}

/* See directory.h. */
void
RetlRunsAdd(RetlRuns *all, const RetlRun *runs, int count)
{
	if (count == 0)
		return;
	all->runs = all->runs == NULL ? palloc_extended(sizeof(RetlRun) * count, MCXT_ALLOC_HUGE) :
		repalloc_huge(all->runs, sizeof(RetlRun) * (all->count + count));
	memcpy(all->runs + all->count, runs, sizeof(RetlRun) * count);
	all->count += count;
}

/* See directory.h. */
void
RetlRunsSort(RetlRuns *all)
{
	if (all->count > 1)
		qsort(all->runs, all->count, sizeof(RetlRun), RetlRunCompare);
}
