/*-------------------------------------------------------------------------
 *
 * directory_free.c
 *	  FREE entries of the directory: pages that groups may take.
 *
 * A group takes as many pages as it is about to write, of any entries, those that
 * are first in the file first: so free pages gather at its end, where they are cut
 * off.  Each step is one WAL record, after which every page has one owner.
 *
 * A record has room for four pages, which are the header, the directory pages of
 * two entries, and one run list page.  So of a FREE entry with a run list some runs
 * first go to a FREE entry without one, and to the group from there.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "utils/rel.h"

#include "storage/column_page.h"
#include "storage/directory.h"
#include "storage/directory_change.h"
#include "storage/page_alloc.h"
#include "storage/table_header.h"

/* A group with so many runs takes no more pages: it should not become too fragmented. */
#define MAX_TAKEN_RUNS	500

/* A FREE entry, with all its runs in order. */
typedef struct FreeEntry
{
	RetlGroup	group;
	RetlRun    *runs;
	int			count;
} FreeEntry;

/* All FREE entries, but for those that cannot be used. */
typedef struct FreeEntries
{
	int			count;
	FreeEntry  *entries;
} FreeEntries;

/*
 * Make an empty FREE entry.
 */
static void
InitFreeEntry(RetlGroupEntry *entry, uint64 groupId)
{
	memset(entry, 0, sizeof(*entry));
	entry->state = RETL_GROUP_FREE;
	entry->groupId = groupId;
	entry->stubMapRoot = RETLDB_NO_BLOCK;
	entry->deleteVersionRoot = RETLDB_NO_BLOCK;
	entry->runListBlock = RETLDB_NO_BLOCK;
}

/* ---------------------------------------------------------------------
 * Which there are.  Everything here needs the page lock, under which alone FREE
 * entries change.
 * ---------------------------------------------------------------------
 */

/*
 * Make a run list page that an entry does not need any more one of its pages.
 */
static void
FoldRunList(Relation rel, FreeEntry *entry)
{
	RetlGroupEntry *content = &entry->group.entry;
	RetlDirectoryChange change;

	entry->runs = repalloc(entry->runs, sizeof(RetlRun) * (entry->count + 1));
	entry->runs[entry->count++] = (RetlRun) {content->runListBlock, 1};
	qsort(entry->runs, entry->count, sizeof(RetlRun), RetlRunCompare);
	content->runListBlock = RETLDB_NO_BLOCK;

	RetlChangeBegin(&change, rel);
	RetlChangeHeader(&change)->ownedPages++;
	RetlStoreRuns(content, NULL, entry->runs, entry->count);
	*RetlChangeEntry(&change, &entry->group.slot) = *content;
	RetlChangeFinish(&change);
}

/*
 * Add the FREE entries of a directory page to the array.
 */
static void
CollectFromPage(Relation rel, BlockNumber block, uint32 pageIndex, FreeEntries *found)
{
	Buffer		buffer = RetlPageRead(rel, block, RETL_PAGE_DIRECTORY, 0, pageIndex,
									  BUFFER_LOCK_SHARE, NULL);
	RetlDirectoryPage *page = (RetlDirectoryPage *) RetlPageGetPayload(BufferGetPage(buffer));

	for (int i = 0; i < page->slotCapacity; i++)
	{
		FreeEntry  *entry;

		if (page->slots[i].state != RETL_GROUP_FREE)
			continue;
		if ((found->count & (found->count - 1)) == 0)
			found->entries = found->count == 0 ? palloc(sizeof(FreeEntry)) :
				repalloc(found->entries, sizeof(FreeEntry) * found->count * 2);
		entry = &found->entries[found->count++];
		memset(entry, 0, sizeof(*entry));
		entry->group.entry = page->slots[i];
		entry->group.slot = (RetlSlot) {block, pageIndex, i};
	}
	UnlockReleaseBuffer(buffer);
}

/*
 * All FREE entries and their runs.  Those that do not make sense are left alone.
 */
static void
CollectFree(Relation rel, FreeEntries *found)
{
	BlockNumber nblocks = RelationGetNumberOfBlocks(rel);
	RetlFileHeader header;
	int			kept = 0;

	memset(found, 0, sizeof(*found));
	RetlHeaderRead(rel, &header);
	for (uint32 i = 0; i < header.directoryPageCount; i++)
		CollectFromPage(rel, header.directoryBlocks[i], i, found);
	for (int i = 0; i < found->count; i++)
	{
		FreeEntry  *entry = &found->entries[i];
		const RetlGroupEntry *content = &entry->group.entry;

		if (RetlGroupEntryProblem(content, nblocks) != NULL)
			continue;
		entry->runs = RetlGroupGetKnownRuns(rel, content, &entry->count);
		if (entry->count != content->runCount)
			continue;
		qsort(entry->runs, entry->count, sizeof(RetlRun), RetlRunCompare);
		if (entry->count < RETLDB_INLINE_RUNS && content->runListBlock != RETLDB_NO_BLOCK)
			FoldRunList(rel, entry);
		if (entry->count > 0)
			found->entries[kept++] = *entry;
	}
	found->count = kept;
}

/*
 * The entry that begins first in the file, and where the one after it does.
 */
static FreeEntry *
FirstEntry(const FreeEntries *found, BlockNumber *next)
{
	FreeEntry  *first = NULL;

	*next = InvalidBlockNumber;
	for (int i = 0; i < found->count; i++)
	{
		FreeEntry  *entry = &found->entries[i];

		if (first == NULL || entry->runs[0].start < first->runs[0].start)
		{
			if (first != NULL)
				*next = Min(*next, first->runs[0].start);
			first = entry;
		}
		else
			*next = Min(*next, entry->runs[0].start);
	}
	return first;
}

/* ---------------------------------------------------------------------
 * Taking pages
 * ---------------------------------------------------------------------
 */

/*
 * An entry is not to be used.
 */
static void
DropEntry(FreeEntries *found, FreeEntry *entry)
{
	*entry = found->entries[--found->count];
}

/*
 * Give the first runs of an entry with a run list to a new one without, which is
 * added to the array.  False if there is no slot for it.
 */
static bool
SplitEntry(Relation rel, FreeEntries *found, FreeEntry *entry)
{
	RetlGroupEntry *content = &entry->group.entry;
	int			rest = entry->count - RETLDB_INLINE_RUNS;
	RetlRunListPage *list;
	RetlDirectoryChange change;
	RetlFileHeader *header;
	RetlGroupEntry *onPage;
	RetlGroupEntry *newOnPage;
	FreeEntry	new;

	memset(&new, 0, sizeof(new));
	if (!RetlFindUnusedSlot(rel, 0, &new.group.slot))
		return false;
	InitFreeEntry(&new.group.entry, content->groupId);
	new.count = RETLDB_INLINE_RUNS;
	new.runs = palloc(sizeof(RetlRun) * (RETLDB_INLINE_RUNS + 1));
	memcpy(new.runs, entry->runs, sizeof(RetlRun) * RETLDB_INLINE_RUNS);
	RetlStoreRuns(&new.group.entry, NULL, new.runs, new.count);
	memmove(entry->runs, entry->runs + RETLDB_INLINE_RUNS, sizeof(RetlRun) * rest);
	entry->count = rest;

	RetlChangeBegin(&change, rel);
	header = RetlChangeHeader(&change);
	RetlChangeEntries(&change, &entry->group.slot, &new.group.slot, &onPage, &newOnPage);
	if (rest < RETLDB_INLINE_RUNS)
	{
		/* the list is a page like others then */
		entry->runs[entry->count++] = (RetlRun) {content->runListBlock, 1};
		qsort(entry->runs, entry->count, sizeof(RetlRun), RetlRunCompare);
		content->runListBlock = RETLDB_NO_BLOCK;
		header->ownedPages++;
	}
	list = RetlChangeRunList(&change, content);
	RetlStoreRuns(content, list, entry->runs, entry->count);
	*onPage = *content;
	*newOnPage = new.group.entry;
	RetlChangeFinish(&change);

	found->entries = repalloc(found->entries, sizeof(FreeEntry) * (found->count + 1));
	found->entries[found->count++] = new;
	return true;
}

/*
 * Finish a change that has taken pages from a FREE entry.
 */
static void
WriteRest(RetlDirectoryChange *change, FreeEntry *entry, RetlGroupEntry *onPage)
{
	RetlRunListPage *list = RetlChangeRunList(change, &entry->group.entry);

	RetlStoreRuns(&entry->group.entry, list, entry->runs, entry->count);
	if (entry->count > 0 || list != NULL)
		*onPage = entry->group.entry;
	else
		memset(onPage, 0, sizeof(RetlGroupEntry));
	RetlChangeFinish(change);
}

/*
 * Take pages off the beginning of one of an entry's runs.
 */
static RetlRun
CutRun(FreeEntry *entry, int index, uint32 wanted)
{
	RetlRun    *run = &entry->runs[index];
	RetlRun		taken = {run->start, Min(run->length, wanted)};

	run->start += taken.length;
	run->length -= taken.length;
	if (run->length == 0)
		memmove(run, run + 1, sizeof(RetlRun) * (--entry->count - index));
	return taken;
}

/*
 * Write what a group has by now, and what is left of the entry from which it has it.
 */
static void
WriteTaken(Relation rel, RetlGroup *group, const RetlRun *runs, int count, FreeEntry *entry)
{
	RetlDirectoryChange change;
	RetlGroupEntry *onPage;
	RetlGroupEntry *groupOnPage;

	RetlChangeBegin(&change, rel);
	(void) RetlChangeHeader(&change);
	RetlChangeEntries(&change, &entry->group.slot, &group->slot, &onPage, &groupOnPage);
	RetlStoreRuns(&group->entry, RetlChangeRunList(&change, &group->entry), runs, count);
	*groupOnPage = group->entry;
	WriteRest(&change, entry, onPage);
}

/*
 * How many runs there is room for in a group's entry and its run list, if it has one.
 */
static int
RunCapacity(const RetlGroup *group)
{
	return group->entry.runListBlock != RETLDB_NO_BLOCK ?
		RETLDB_INLINE_RUNS + RETLDB_RUN_LIST_CAPACITY : RETLDB_INLINE_RUNS;
}

/*
 * The first page of an entry becomes the run list of a group that has none.
 */
static void
TakeRunList(Relation rel, RetlGroup *group, FreeEntry *entry)
{
	BlockNumber block = CutRun(entry, 0, 1).start;
	PGAlignedBlock image;
	RetlDirectoryChange change;
	RetlGroupEntry *onPage;
	RetlGroupEntry *groupOnPage;

	/* as long as it is free, its content does not matter */
	RetlMakeRunList((Page) image.data, group->entry.groupId);
	RetlPagesOverwrite(rel, block, image.data, 1, NULL);

	RetlChangeBegin(&change, rel);
	RetlChangeHeader(&change)->ownedPages--;
	RetlChangeEntries(&change, &entry->group.slot, &group->slot, &onPage, &groupOnPage);
	group->entry.runListBlock = block;
	*groupOnPage = group->entry;
	WriteRest(&change, entry, onPage);
}

/*
 * Give pages of an entry to the group, up to as many as wanted, and those that are
 * before a block.  Returns how many there were.
 */
static uint32
TakeRuns(Relation rel, RetlGroup *group, FreeEntry *entry, uint32 wanted, BlockNumber end)
{
	uint32		taken = 0;
	int			count;
	RetlRun    *runs = RetlGroupGetRuns(rel, &group->entry, &count);
	int			capacity = RunCapacity(group);

	runs = repalloc(runs, sizeof(RetlRun) * (count + entry->count + 1));
	while (taken < wanted && entry->count > 0 && entry->runs[0].start < end)
	{
		bool		adjacent = count > 0 &&
			runs[count - 1].start + runs[count - 1].length == entry->runs[0].start;
		RetlRun		cut;

		if (!adjacent && count == capacity)
			break;
		cut = CutRun(entry, 0, wanted - taken);
		if (adjacent)
			runs[count - 1].length += cut.length;
		else
			runs[count++] = cut;
		taken += cut.length;
	}

	WriteTaken(rel, group, runs, count, entry);
	pfree(runs);
	return taken;
}

/*
 * Would this entry's first run be one more of the group than its own entry has room
 * for?
 */
static bool
NeedsRunList(const RetlGroup *group, const FreeEntry *entry)
{
	const RetlRun *last = &group->entry.runs[RETLDB_INLINE_RUNS - 1];

	return group->entry.runListBlock == RETLDB_NO_BLOCK &&
		group->entry.runCount == RETLDB_INLINE_RUNS &&
		last->start + last->length != entry->runs[0].start;
}

/*
 * The entry that begins first in the file, without a run list.  NULL if there is none.
 * *next is where the one after it begins.
 */
static FreeEntry *
FirstSimpleEntry(Relation rel, FreeEntries *found, BlockNumber *next)
{
	FreeEntry  *entry;

	while ((entry = FirstEntry(found, next)) != NULL &&
		   entry->group.entry.runListBlock != RETLDB_NO_BLOCK)
	{
		if (!SplitEntry(rel, found, entry))
			DropEntry(found, entry);
	}
	return entry;
}

static void
FreeFound(FreeEntries *found)
{
	for (int i = 0; i < found->count; i++)
		pfree(found->entries[i].runs);
	if (found->entries != NULL)
		pfree(found->entries);
}

/* See directory.h. */
uint32
RetlDirectoryTakeFree(Relation rel, RetlGroup *group, uint32 wanted)
{
	uint32		taken = 0;
	FreeEntries found;

	LockPage(rel, RETLDB_HEADER_BLOCK, ExclusiveLock);
	CollectFree(rel, &found);
	while (taken < wanted && group->entry.runCount < MAX_TAKEN_RUNS)
	{
		BlockNumber next;
		FreeEntry  *entry = FirstSimpleEntry(rel, &found, &next);

		if (entry == NULL)
			break;
		if (NeedsRunList(group, entry))
			TakeRunList(rel, group, entry);
		else
			taken += TakeRuns(rel, group, entry, wanted - taken, next);
		if (entry->count == 0)
			DropEntry(&found, entry);
	}
	UnlockPage(rel, RETLDB_HEADER_BLOCK, ExclusiveLock);
	FreeFound(&found);
	return taken;
}

/*
 * The run of so many pages or more that is first in the file, of an entry without a run
 * list.  NULL if there is none.
 */
static FreeEntry *
FirstRunOf(const FreeEntries *found, uint32 length, int *index)
{
	FreeEntry  *first = NULL;

	for (int i = 0; i < found->count; i++)
	{
		FreeEntry  *entry = &found->entries[i];
		int			j = 0;

		if (entry->group.entry.runListBlock != RETLDB_NO_BLOCK)
			continue;
		while (j < entry->count && entry->runs[j].length < length)
			j++;
		if (j < entry->count &&
			(first == NULL || entry->runs[j].start < first->runs[*index].start))
		{
			first = entry;
			*index = j;
		}
	}
	return first;
}

/* See directory.h. */
bool
RetlDirectoryTakeRun(Relation rel, RetlGroup *group, uint32 length, RetlRun *run)
{
	FreeEntries found;
	FreeEntry  *entry;
	int			index = 0;
	int			count;
	RetlRun    *runs = RetlGroupGetRuns(rel, &group->entry, &count);

	CollectFree(rel, &found);
	entry = count < Min(RunCapacity(group), MAX_TAKEN_RUNS) ?
		FirstRunOf(&found, length, &index) : NULL;
	if (entry != NULL)
	{
		*run = CutRun(entry, index, length);
		runs = repalloc(runs, sizeof(RetlRun) * (count + 1));
		runs[count++] = *run;
		WriteTaken(rel, group, runs, count, entry);
	}
	pfree(runs);
	FreeFound(&found);
	return entry != NULL;
}

/* See directory.h. */
BlockNumber
RetlDirectoryGiveToHeap(Relation rel, BlockNumber before)
{
	BlockNumber block = InvalidBlockNumber;
	BlockNumber next;
	FreeEntries found;
	FreeEntry  *entry;

	Assert(CheckRelationLockedByMe(rel, ShareUpdateExclusiveLock, true));

	LockPage(rel, RETLDB_HEADER_BLOCK, ExclusiveLock);
	CollectFree(rel, &found);
	entry = FirstEntry(&found, &next);
	if (entry != NULL && entry->runs[0].start < before)
	{
		RetlDirectoryChange change;
		RetlGroupEntry *onPage;

		block = CutRun(entry, 0, 1).start;
		RetlChangeBegin(&change, rel);
		RetlChangeHeader(&change)->ownedPages--;
		onPage = RetlChangeEntry(&change, &entry->group.slot);
		WriteRest(&change, entry, onPage);
		/* a crash before this leaves a page without an owner */
		RetlPageGiveToHeap(rel, block);
	}
	UnlockPage(rel, RETLDB_HEADER_BLOCK, ExclusiveLock);
	FreeFound(&found);
	return block;
}

/* ---------------------------------------------------------------------
 * VACUUM
 * ---------------------------------------------------------------------
 */

/*
 * Write a FREE entry with the runs that it has by now, "added" pages more than before.
 */
static void
WriteFreeEntry(Relation rel, const RetlSlot *slot, RetlGroupEntry *entry, const RetlRun *runs,
			   int count, uint32 added)
{
	RetlDirectoryChange change;

	RetlChangeBegin(&change, rel);
	RetlChangeHeader(&change)->ownedPages += added;
	RetlStoreRuns(entry, NULL, runs, count);
	*RetlChangeEntry(&change, slot) = *entry;
	RetlChangeFinish(&change);
}

/* See directory.h. */
bool
RetlDirectoryAddFree(Relation rel, RetlTakePages take, void *context)
{
	RetlRun		runs[RETLDB_INLINE_RUNS];
	RetlRun		taken;
	RetlGroupEntry entry;
	RetlSlot	slot;
	uint64		groupId;
	uint64		rowBase;
	int			count = 0;

	/* an id to mark the pages with; there will be no rows */
	RetlDirectoryReserve(rel, 0, &groupId, &rowBase);
	InitFreeEntry(&entry, groupId);

	LockPage(rel, RETLDB_HEADER_BLOCK, ExclusiveLock);
	if (RetlFindUnusedSlot(rel, 0, &slot))
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
CompareFreeEntries(const void *one, const void *other)
{
	return RetlRunCompare(((const FreeEntry *) one)->runs, ((const FreeEntry *) other)->runs);
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
	qsort(runs, count, sizeof(RetlRun), RetlRunCompare);
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
	RetlDirectoryChange change;
	RetlGroupEntry *onPage;
	RetlGroupEntry *fromOnPage;

	RetlChangeBegin(&change, rel);
	(void) RetlChangeHeader(&change);
	RetlChangeEntries(&change, &into->slot, &from->slot, &onPage, &fromOnPage);
	RetlStoreRuns(&into->entry, NULL, runs, count);
	*onPage = into->entry;
	memset(fromOnPage, 0, sizeof(RetlGroupEntry));
	RetlChangeFinish(&change);
}

/* See directory_change.h. */
void
RetlMergeFreeEntries(Relation rel)
{
	FreeEntries found;
	RetlGroup  *into = NULL;

	CollectFree(rel, &found);
	qsort(found.entries, found.count, sizeof(FreeEntry), CompareFreeEntries);
	for (int i = 0; i < found.count; i++)
	{
		RetlGroup  *entry = &found.entries[i].group;
		RetlRun		runs[2 * RETLDB_INLINE_RUNS];
		int			runCount;

		if (entry->entry.runListBlock != RETLDB_NO_BLOCK)
			continue;
		runCount = into == NULL ? 0 : JoinRuns(&into->entry, &entry->entry, runs);
		if (runCount > 0 && runCount <= RETLDB_INLINE_RUNS)
			MergeFreeEntry(rel, into, entry, runs, runCount);
		else
			into = entry;
	}
}

/*
 * Exchange the run list page of an entry for its first page, if that is before it: it
 * would keep the end of the file from being cut off.
 */
static void
MoveRunList(Relation rel, FreeEntry *entry)
{
	RetlGroupEntry *content = &entry->group.entry;
	BlockNumber old = content->runListBlock;
	PGAlignedBlock image;
	RetlDirectoryChange change;

	if (old == RETLDB_NO_BLOCK || entry->runs[0].start > old)
		return;
	content->runListBlock = CutRun(entry, 0, 1).start;
	entry->runs = repalloc(entry->runs, sizeof(RetlRun) * (entry->count + 1));
	entry->runs[entry->count++] = (RetlRun) {old, 1};
	qsort(entry->runs, entry->count, sizeof(RetlRun), RetlRunCompare);

	/* as long as it is free, its content does not matter */
	RetlMakeRunList((Page) image.data, content->groupId);
	RetlStoreRuns(content, (RetlRunListPage *) RetlPageGetPayload((Page) image.data),
				  entry->runs, entry->count);
	RetlPagesOverwrite(rel, content->runListBlock, image.data, 1, NULL);
	RetlChangeBegin(&change, rel);
	(void) RetlChangeHeader(&change);
	*RetlChangeEntry(&change, &entry->group.slot) = *content;
	RetlChangeFinish(&change);
}

/* See directory.h. */
void
RetlDirectoryMergeFree(Relation rel)
{
	FreeEntries found;

	LockPage(rel, RETLDB_HEADER_BLOCK, ExclusiveLock);
	RetlMergeFreeEntries(rel);
	CollectFree(rel, &found);
	for (int i = 0; i < found.count; i++)
	{
		FreeEntry  *entry = &found.entries[i];

		if (entry->count < RETLDB_INLINE_RUNS + RETLDB_RUN_LIST_CAPACITY)
			MoveRunList(rel, entry);
	}
	UnlockPage(rel, RETLDB_HEADER_BLOCK, ExclusiveLock);
}

/*
 * Take a run of so many pages before a block off a FREE entry, the first one in the
 * file.  They are nobody's then.  InvalidBlockNumber if there is none.
 */
static BlockNumber
TakeWholeRun(Relation rel, uint32 pages, BlockNumber end)
{
	FreeEntries found;
	FreeEntry  *best = NULL;
	int			bestRun = 0;
	BlockNumber start;
	RetlDirectoryChange change;
	RetlGroupEntry *onPage;

	CollectFree(rel, &found);
	for (int i = 0; i < found.count; i++)
		for (int j = 0; j < found.entries[i].count; j++)
		{
			const RetlRun *run = &found.entries[i].runs[j];

			if (run->length >= pages && run->start + pages <= end &&
				(best == NULL || run->start < best->runs[bestRun].start))
			{
				best = &found.entries[i];
				bestRun = j;
			}
		}
	if (best == NULL)
		return InvalidBlockNumber;

	start = best->runs[bestRun].start;
	best->runs[bestRun].start += pages;
	best->runs[bestRun].length -= pages;
	if (best->runs[bestRun].length == 0)
	{
		best->count--;
		memmove(&best->runs[bestRun], &best->runs[bestRun + 1],
				sizeof(RetlRun) * (best->count - bestRun));
	}
	RetlChangeBegin(&change, rel);
	RetlChangeHeader(&change)->ownedPages -= pages;
	onPage = RetlChangeEntry(&change, &best->group.slot);
	WriteRest(&change, best, onPage);
	FreeFound(&found);
	return start;
}

/*
 * Copy a directory page and its zone map pages to other blocks.
 */
static void
CopyDirectoryPage(Relation rel, BlockNumber from, BlockNumber to, uint32 zonePages)
{
	char	   *images = palloc((Size) (1 + zonePages) * BLCKSZ);

	for (uint32 i = 0; i <= zonePages; i++)
	{
		Buffer		buffer = ReadBuffer(rel, from + i);

		LockBuffer(buffer, BUFFER_LOCK_SHARE);
		memcpy(images + (Size) i * BLCKSZ, BufferGetPage(buffer), BLCKSZ);
		UnlockReleaseBuffer(buffer);
	}
	((RetlDirectoryPage *) RetlPageGetPayload((Page) images))->zoneStart = to + 1;
	RetlPagesOverwrite(rel, to, images, 1 + zonePages, NULL);
	pfree(images);
}

/*
 * Make column pages of no content of those where a directory page was: nobody may take
 * them for one.
 */
static void
BlankPages(Relation rel, BlockNumber first, uint32 count)
{
	char	   *images = palloc((Size) count * BLCKSZ);

	for (uint32 i = 0; i < count; i++)
		RetlPageInit((Page) (images + (Size) i * BLCKSZ), RETL_PAGE_DATA, 0, 0);
	RetlPagesOverwrite(rel, first, images, count, NULL);
	pfree(images);
}

/* See directory.h. */
void
RetlDirectoryMoveDown(Relation rel, BlockNumber end)
{
	RetlDirectory *directory;

	LockPage(rel, RETLDB_HEADER_BLOCK, ExclusiveLock);
	directory = RetlDirectoryRead(rel);
	for (int i = 0; i < directory->pageCount; i++)
	{
		BlockNumber from = directory->header->directoryBlocks[i];
		uint32		zonePages = directory->pages[i].zonePageCount;
		BlockNumber to;
		RetlDirectoryChange change;

		/* zone maps right behind it, as they always are */
		if (from + 1 + zonePages <= end || directory->pages[i].zoneStart != from + 1)
			continue;
		to = TakeWholeRun(rel, 1 + zonePages, from);
		if (!BlockNumberIsValid(to))
			break;
		CopyDirectoryPage(rel, from, to, zonePages);
		RetlChangeBegin(&change, rel);
		RetlChangeHeader(&change)->directoryBlocks[i] = to;
		RetlChangeFinish(&change);
		BlankPages(rel, from, 1 + zonePages);
	}
	UnlockPage(rel, RETLDB_HEADER_BLOCK, ExclusiveLock);
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
	RetlDirectoryChange change;
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

	RetlChangeBegin(&change, rel);
	header = RetlChangeHeader(&change);
	onPage = RetlChangeEntry(&change, &group->slot);
	RetlStoreRuns(entry, RetlChangeRunList(&change, entry), runs, kept);
	header->ownedPages -= before - entry->pageCount;
	if (kept == 0 && entry->runListBlock == RETLDB_NO_BLOCK)
		memset(onPage, 0, sizeof(RetlGroupEntry));
	else
		*onPage = *entry;
	RetlChangeFinish(&change);
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
