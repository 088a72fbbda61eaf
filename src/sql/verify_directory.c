/*-------------------------------------------------------------------------
 *
 * verify_directory.c
 *	  First phase of retldb.verify: header page, directory pages, entries,
 *	  zone map pages.
 *
 * The directory is copied first and checked at leisure.  Under the page lock
 * of the header block its structure stands still while it is copied; a standby
 * has no such lock, but there the generation tells that something changed, and
 * the copy is made again.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "access/xlog.h"
#include "storage/lmgr.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "sql/verify_internal.h"
#include "storage/column_page.h"
#include "storage/table_header.h"

/* Attempts at a copy that nothing changed under, and the pause between them. */
#define MAX_ATTEMPTS		20
#define ATTEMPT_PAUSE_US	10000L

/* Argument of CopyPage: what to copy where. */
typedef struct PageCopy
{
	BlockNumber block;
	RetlPageKind kind;
	uint64		groupId;
	uint32		sequence;
	uint32		used;
	void	   *payload;		/* room for "used" bytes, or NULL */
	bool		valid;			/* result */
} PageCopy;

/* ---------------------------------------------------------------------
 * Copying
 * ---------------------------------------------------------------------
 */

/*
 * Step: check a page and copy its payload.
 */
static void
CopyPage(RetlVerifyState *state, void *argument)
{
	PageCopy   *copy = argument;
	Buffer		mapBuffer = InvalidBuffer;
	Buffer		buffer;

	buffer = ReadBufferExtended(state->rel, MAIN_FORKNUM, copy->block, RBM_NORMAL,
								state->strategy);
	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	copy->valid = RetlVerifyPage(state, buffer, copy->kind, copy->groupId, copy->sequence,
								 copy->used, &mapBuffer);
	if (copy->valid && copy->payload != NULL)
		memcpy(copy->payload, RetlPageGetPayload(BufferGetPage(buffer)), copy->used);
	UnlockReleaseBuffer(buffer);
	if (BufferIsValid(mapBuffer))
		ReleaseBuffer(mapBuffer);
}

/*
 * Copy the payload of a page; false if it is damaged, which is noted.
 */
static bool
GetPage(RetlVerifyState *state, BlockNumber block, RetlPageKind kind, uint32 sequence,
		uint32 used, void *payload)
{
	PageCopy	copy = {block, kind, 0, sequence, used, payload, false};

	RetlVerifyAt(state, block, 0, 0);
	if (block >= RelationGetNumberOfBlocks(state->rel))
	{
		RetlVerifyFault(state, "block is past the end of the file");
		return false;
	}
	return RetlVerifyStep(state, CopyPage, &copy) && copy.valid;
}

/*
 * Copy the header; false if nothing can be learnt from it.
 */
static bool
GetHeader(RetlVerifyState *state, RetlFileHeader *header)
{
	const char *problem;
	bool		unsupported;

	if (!GetPage(state, RETLDB_HEADER_BLOCK, RETL_PAGE_HEADER, 0, sizeof(RetlFileHeader), header))
		return false;
	problem = RetlHeaderProblem(header, &unsupported);
	if (problem != NULL)
		RetlVerifyFault(state, "table has %s", problem);
	return problem == NULL;
}

/* qsort() callback: by the row numbers, as RetlDirectory has groups. */
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
 * Copy the directory pages and collect the entries of those that are sound,
 * ordered as RetlDirectory has them.
 */
static void
GetDirectoryPages(RetlVerifyState *state, RetlCopiedDirectory *directory)
{
	uint32		count = directory->header.directoryPageCount;

	directory->pageCount = count;
	directory->pages = palloc0(Max(count, 1) * sizeof(RetlCopiedPage));
	directory->groups = palloc_extended(Max(count, 1) * RETLDB_DIRECTORY_SLOTS * sizeof(RetlGroup),
										MCXT_ALLOC_HUGE);
	directory->groupSound = palloc0(Max(count, 1) * RETLDB_DIRECTORY_SLOTS);

	for (uint32 i = 0; i < count; i++)
	{
		RetlCopiedPage *page = &directory->pages[i];

		page->block = directory->header.directoryBlocks[i];
		page->content = palloc(sizeof(RetlDirectoryPage));
		page->valid = GetPage(state, page->block, RETL_PAGE_DIRECTORY, i,
							  sizeof(RetlDirectoryPage), page->content);
		for (int slot = 0; page->valid && slot < RETLDB_DIRECTORY_SLOTS; slot++)
		{
			RetlGroup  *group = &directory->groups[directory->groupCount];

			if (page->content->slots[slot].state == RETL_GROUP_UNUSED)
				continue;
			group->entry = page->content->slots[slot];
			group->slot.block = page->block;
			group->slot.pageIndex = i;
			group->slot.slot = slot;
			directory->groupCount++;
		}
	}
	qsort(directory->groups, directory->groupCount, sizeof(RetlGroup), CompareGroups);
}

/*
 * Copy the directory once, in its own memory context.
 */
static RetlCopiedDirectory *
CopyOnce(RetlVerifyState *state)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "retldb verify directory",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext oldContext = MemoryContextSwitchTo(context);
	RetlCopiedDirectory *directory = palloc0(sizeof(RetlCopiedDirectory));

	directory->context = context;
	directory->headerValid = GetHeader(state, &directory->header);
	if (directory->headerValid)
	{
		GetDirectoryPages(state, directory);
		directory->view.header = &directory->header;
		directory->view.pageCount = directory->pageCount;
		directory->view.pages = palloc0(Max(directory->pageCount, 1) * sizeof(RetlZoneMapRef));
		directory->view.groupCount = directory->groupCount;
		directory->view.groups = directory->groups;
	}
	directory->blockCount = RelationGetNumberOfBlocks(state->rel);
	MemoryContextSwitchTo(oldContext);
	return directory;
}

/*
 * Is the generation still that of the copy?  Faults of the header are noted
 * again and are the caller's to forget.
 */
static bool
IsCurrent(RetlVerifyState *state, const RetlCopiedDirectory *directory)
{
	RetlFileHeader header;

	return !directory->headerValid ||
		(GetHeader(state, &header) && header.generation == directory->header.generation);
}

/*
 * A copy of the directory as it was at one moment.  If it changes all the time
 * the last copy has to do.
 */
RetlCopiedDirectory *
RetlVerifyDirectoryCopy(RetlVerifyState *state)
{
	bool		lock = !RecoveryInProgress();
	int			faults = list_length(state->faults);

	for (int attempt = 1;; attempt++)
	{
		RetlCopiedDirectory *directory;
		bool		current;
		int			copyFaults;

		if (lock)
			LockPage(state->rel, RETLDB_HEADER_BLOCK, ShareLock);
		directory = CopyOnce(state);
		copyFaults = list_length(state->faults);
		current = IsCurrent(state, directory);
		if (lock)
			UnlockPage(state->rel, RETLDB_HEADER_BLOCK, ShareLock);

		/* of the header's faults once is enough */
		state->faults = list_truncate(state->faults, copyFaults);
		if (current || attempt == MAX_ATTEMPTS)
			return directory;
		state->faults = list_truncate(state->faults, faults);
		RetlVerifyDirectoryDrop(directory);
		CHECK_FOR_INTERRUPTS();
		pg_usleep(ATTEMPT_PAUSE_US);
	}
}

/* Free a copy of a directory. */
void
RetlVerifyDirectoryDrop(RetlCopiedDirectory *directory)
{
	MemoryContextDelete(directory->context);
}

/* Argument of CompareEntry. */
typedef struct EntryCheck
{
	const RetlGroup *group;
	bool		same;			/* result */
} EntryCheck;

/*
 * Step: is a group's entry as it was?
 */
static void
CompareEntry(RetlVerifyState *state, void *argument)
{
	EntryCheck *check = argument;
	const RetlSlot *slot = &check->group->slot;
	Buffer		buffer = RetlPageRead(state->rel, slot->block, RETL_PAGE_DIRECTORY, 0,
									  slot->pageIndex, BUFFER_LOCK_SHARE, state->strategy);
	RetlDirectoryPage *page = (RetlDirectoryPage *) RetlPageGetPayload(BufferGetPage(buffer));

	check->same = memcmp(&page->slots[slot->slot], &check->group->entry,
						 sizeof(RetlGroupEntry)) == 0;
	UnlockReleaseBuffer(buffer);
}

/*
 * Does the directory still say the same about a group?
 */
bool
RetlVerifyGroupUnchanged(RetlVerifyState *state, const RetlGroup *group)
{
	EntryCheck	check = {group, true};

	(void) RetlVerifyStep(state, CompareEntry, &check);
	return check.same;
}

/* ---------------------------------------------------------------------
 * Checks within the header and the directory pages
 * ---------------------------------------------------------------------
 */

/*
 * Are the totals of the header those of the entries?  Asked only if all
 * directory pages could be read.
 */
static void
CheckTotals(RetlVerifyState *state, const RetlCopiedDirectory *directory)
{
	const RetlFileHeader *header = &directory->header;
	uint64		rows = 0,
				groups = 0,
				pages = 0;

	for (uint32 i = 0; i < directory->pageCount; i++)
	{
		if (!directory->pages[i].valid)
			return;
		pages += 1 + directory->pages[i].content->zonePageCount;
	}
	for (int i = 0; i < directory->groupCount; i++)
	{
		const RetlGroupEntry *entry = &directory->groups[i].entry;

		pages += entry->pageCount;
		if (entry->state != RETL_GROUP_COMPLETE)
			continue;
		rows += entry->rowCount;
		groups++;
	}
	if (header->completeRows != rows || header->completeGroups != groups ||
		header->ownedPages != pages)
		RetlVerifyFault(state, "header counts %llu row groups with %llu rows and %llu owned pages, the directory has %llu with %llu rows and %llu pages",
						(unsigned long long) header->completeGroups,
						(unsigned long long) header->completeRows,
						(unsigned long long) header->ownedPages,
						(unsigned long long) groups,
						(unsigned long long) rows,
						(unsigned long long) pages);
}

/*
 * Is the shape of a directory page and its zone maps possible?
 */
static bool
CheckPageShape(RetlVerifyState *state, uint32 index, const RetlDirectoryPage *page)
{
	uint32		slots = index == 0 ? RETLDB_FIRST_DIRECTORY_SLOTS : RETLDB_DIRECTORY_SLOTS;

	if (page->slotCapacity != slots)
	{
		RetlVerifyFault(state, "directory page has %u slots, expected %u",
						page->slotCapacity, slots);
		return false;
	}
	if (page->zoneColumnsPerPage == 0 ||
		(Size) page->zoneColumnsPerPage * slots * sizeof(RetlZoneEntry) > RETLDB_PAYLOAD_SIZE ||
		(uint64) page->zonePageCount * page->zoneColumnsPerPage != page->zoneColumns ||
		page->zonePageCount > RETLDB_MAX_COLUMNS)
	{
		RetlVerifyFault(state, "directory page has zone maps of an impossible shape");
		return false;
	}
	return true;
}

/*
 * Entries of slots that the page does not have, and states that do not exist.
 */
static void
CheckSlots(RetlVerifyState *state, const RetlDirectoryPage *page)
{
	for (int slot = 0; slot < RETLDB_DIRECTORY_SLOTS; slot++)
	{
		uint8		entryState = page->slots[slot].state;

		if (entryState > RETL_GROUP_FREE)
			RetlVerifyFault(state, "directory slot %d has unknown state %u", slot, entryState);
		else if (slot >= page->slotCapacity && entryState != RETL_GROUP_UNUSED)
			RetlVerifyFault(state, "directory slot %d is in use past the page's last one", slot);
	}
}

/*
 * Check a zone map entry of a COMPLETE group for what needs no footer.
 */
static void
CheckZoneEntry(RetlVerifyState *state, const RetlGroupEntry *group, const RetlZoneEntry *zone)
{
	if (zone->groupIdLow != (uint32) group->groupId || zone->rowCount == 0)
		return;					/* nothing known of this column */
	if (zone->rowCount != group->rowCount)
		RetlVerifyFault(state, "zone map entry is for %u rows instead of %u",
						zone->rowCount, group->rowCount);
	if (zone->zone.nullCount > zone->rowCount)
		RetlVerifyFault(state, "zone map entry has %u null values in %u rows",
						zone->zone.nullCount, zone->rowCount);
	if ((zone->zone.flags & RETL_ZONE_HAS_RANGE) != 0 &&
		memcmp(zone->zone.min, zone->zone.max, RETLDB_KEY_LENGTH) > 0)
		RetlVerifyFault(state, "zone map entry has a minimum above its maximum");
}

/*
 * Check the zone map pages of a directory page; false if one cannot be read.
 */
static bool
CheckZonePages(RetlVerifyState *state, uint32 index, const RetlDirectoryPage *page)
{
	uint32		arrayLength = page->slotCapacity;
	uint32		used = page->zoneColumnsPerPage * arrayLength * sizeof(RetlZoneEntry);
	RetlZoneEntry *zones = palloc(RETLDB_PAYLOAD_SIZE);
	bool		readable = true;

	for (uint32 i = 0; i < page->zonePageCount; i++)
	{
		BlockNumber block = page->zoneStart + i;

		if (!GetPage(state, block, RETL_PAGE_ZONE_MAP, index << 16 | i, used, zones))
		{
			readable = false;
			continue;
		}
		for (uint32 slot = 0; slot < arrayLength; slot++)
		{
			const RetlGroupEntry *group = &page->slots[slot];

			if (group->state != RETL_GROUP_COMPLETE)
				continue;
			for (uint32 column = 0; column < page->zoneColumnsPerPage; column++)
			{
				RetlVerifyAt(state, block, group->groupId,
							 i * page->zoneColumnsPerPage + column + 1);
				CheckZoneEntry(state, group, &zones[column * arrayLength + slot]);
			}
		}
	}
	pfree(zones);
	return readable;
}

/*
 * Let other modules read the zone maps of a directory page.
 */
static void
ShowZoneMaps(RetlCopiedDirectory *directory, uint32 index)
{
	const RetlDirectoryPage *page = directory->pages[index].content;
	RetlZoneMapRef *ref = &directory->view.pages[index];

	ref->zoneStart = page->zoneStart;
	ref->zonePageCount = page->zonePageCount;
	ref->zoneColumns = page->zoneColumns;
	ref->zoneColumnsPerPage = page->zoneColumnsPerPage;
	ref->slotCapacity = page->slotCapacity;
}

/*
 * Check the directory pages, and claim their blocks.
 */
static void
CheckDirectoryPages(RetlVerifyState *state, RetlCopiedDirectory *directory)
{
	for (uint32 i = 0; i < directory->pageCount; i++)
	{
		RetlCopiedPage *page = &directory->pages[i];

		RetlVerifyAt(state, page->block, 0, 0);
		RetlVerifyClaim(state, directory, page->block, 1, RETL_OWNER_DIRECTORY, i);
		if (!page->valid)
			continue;
		CheckSlots(state, page->content);
		if (!CheckPageShape(state, i, page->content))
			continue;
		if (page->content->zonePageCount > 0)
			RetlVerifyClaim(state, directory, page->content->zoneStart,
							page->content->zonePageCount, RETL_OWNER_ZONE_MAP, i);
		if (CheckZonePages(state, i, page->content))
			ShowZoneMaps(directory, i);
	}
}

/* ---------------------------------------------------------------------
 * Checks of entries
 * ---------------------------------------------------------------------
 */

/* Argument of ReadRuns. */
typedef struct RunsRead
{
	const RetlGroupEntry *entry;
	RetlRun    *runs;			/* result */
	int			count;
} RunsRead;

/*
 * Step: get all runs of a group.
 */
static void
ReadRuns(RetlVerifyState *state, void *argument)
{
	RunsRead   *read = argument;

	read->runs = RetlGroupGetRuns(state->rel, read->entry, &read->count);
}

/*
 * Check the page with a group's further runs, and claim it; true if there is
 * none.
 */
static bool
CheckRunListPage(RetlVerifyState *state, RetlCopiedDirectory *directory,
				 const RetlGroupEntry *entry)
{
	PageCopy	copy = {entry->runListBlock, RETL_PAGE_RUN_LIST, entry->groupId, 0,
	sizeof(RetlRunListPage), NULL, false};

	if (entry->runListBlock == RETLDB_NO_BLOCK)
		return true;
	RetlVerifyClaim(state, directory, entry->runListBlock, 1, RETL_OWNER_RUN_LIST,
					entry->groupId);
	state->block = entry->runListBlock;
	return RetlVerifyStep(state, CopyPage, &copy) && copy.valid;
}

/*
 * Claim the blocks of a group; false if its runs are not to be had.
 */
static bool
ClaimGroup(RetlVerifyState *state, RetlCopiedDirectory *directory, const RetlGroupEntry *entry)
{
	RunsRead	read = {entry, NULL, 0};
	uint64		pages = 0;

	if (!CheckRunListPage(state, directory, entry) ||
		!RetlVerifyStep(state, ReadRuns, &read))
		return false;
	for (int i = 0; i < read.count; i++)
	{
		RetlVerifyClaim(state, directory, read.runs[i].start, read.runs[i].length,
						RETL_OWNER_GROUP, entry->groupId);
		pages += read.runs[i].length;
	}
	if (pages != entry->pageCount)
		RetlVerifyFault(state, "row group has %llu pages in its runs but %u in its entry",
						(unsigned long long) pages, entry->pageCount);
	return true;
}

/*
 * Check one entry against itself and the header; false if it is of no use.
 */
static bool
CheckEntry(RetlVerifyState *state, const RetlCopiedDirectory *directory, const RetlGroupEntry *entry)
{
	const RetlFileHeader *header = &directory->header;
	const char *problem = RetlGroupEntryProblem(entry, directory->blockCount);

	if (problem != NULL)
	{
		RetlVerifyFault(state, "directory entry has %s", problem);
		return false;
	}
	if (entry->state == RETL_GROUP_FREE)
		return true;
	if (entry->groupId == 0 || entry->groupId >= header->nextGroupId)
		RetlVerifyFault(state, "row group id is not below the next one, %llu",
						(unsigned long long) header->nextGroupId);
	if (entry->rowBase > header->nextRowNumber ||
		entry->rowCapacity > header->nextRowNumber - entry->rowBase)
		RetlVerifyFault(state, "row numbers from %llu to %llu are not below the next one, %llu",
						(unsigned long long) entry->rowBase,
						(unsigned long long) (entry->rowBase + entry->rowCapacity),
						(unsigned long long) header->nextRowNumber);
	return true;
}

/*
 * Check a group's entry and claim its blocks.  The runs of a group that is
 * being loaded may grow after the copy was made: then nothing said here holds.
 */
static void
CheckGroup(RetlVerifyState *state, RetlCopiedDirectory *directory, int index)
{
	const RetlGroup *group = &directory->groups[index];
	int			before = list_length(state->faults);

	RetlVerifyAt(state, group->slot.block, group->entry.groupId, 0);
	directory->groupSound[index] = CheckEntry(state, directory, &group->entry) &&
		ClaimGroup(state, directory, &group->entry);
	if (list_length(state->faults) > before && !RetlVerifyGroupUnchanged(state, group))
		state->faults = list_truncate(state->faults, before);
}

/* qsort() callback for pointers to entries: by group. */
static int
CompareGroupIds(const void *a, const void *b)
{
	const RetlGroupEntry *left = *(RetlGroupEntry *const *) a;
	const RetlGroupEntry *right = *(RetlGroupEntry *const *) b;

	return left->groupId < right->groupId ? -1 : left->groupId > right->groupId;
}

/* The same by row numbers, and of equal ones by group. */
static int
CompareRowBases(const void *a, const void *b)
{
	const RetlGroupEntry *left = *(RetlGroupEntry *const *) a;
	const RetlGroupEntry *right = *(RetlGroupEntry *const *) b;

	if (left->rowBase != right->rowBase)
		return left->rowBase < right->rowBase ? -1 : 1;
	return CompareGroupIds(a, b);
}

/*
 * Are group ids unique and the row numbers of groups apart from each other?
 * Entries of released groups do not count.
 */
static void
CheckEntriesApart(RetlVerifyState *state, const RetlCopiedDirectory *directory)
{
	const RetlGroupEntry **entries = palloc_extended(Max(directory->groupCount, 1) * sizeof(RetlGroupEntry *),
													 MCXT_ALLOC_HUGE);
	int			count = 0;

	for (int i = 0; i < directory->groupCount; i++)
	{
		if (directory->groups[i].entry.state != RETL_GROUP_FREE)
			entries[count++] = &directory->groups[i].entry;
	}

	qsort(entries, count, sizeof(RetlGroupEntry *), CompareGroupIds);
	for (int i = 1; i < count; i++)
	{
		RetlVerifyAt(state, InvalidBlockNumber, entries[i]->groupId, 0);
		if (entries[i]->groupId == entries[i - 1]->groupId)
			RetlVerifyFault(state, "the directory has two row groups of this id");
	}

	qsort(entries, count, sizeof(RetlGroupEntry *), CompareRowBases);
	for (int i = 1; i < count; i++)
	{
		RetlVerifyAt(state, InvalidBlockNumber, entries[i]->groupId, 0);
		if (entries[i]->rowBase < entries[i - 1]->rowBase + entries[i - 1]->rowCapacity)
			RetlVerifyFault(state, "row group shares row numbers with row group %llu",
							(unsigned long long) entries[i - 1]->groupId);
	}
	pfree(entries);
}

/*
 * Check everything that the copy shows, and claim all blocks.
 */
static void
CheckCopy(RetlVerifyState *state, RetlCopiedDirectory *directory)
{
	RetlVerifyAt(state, RETLDB_HEADER_BLOCK, 0, 0);
	RetlVerifyClaim(state, directory, RETLDB_HEADER_BLOCK, 1, RETL_OWNER_HEADER, 0);
	CheckTotals(state, directory);
	CheckDirectoryPages(state, directory);
	for (int i = 0; i < directory->groupCount; i++)
		CheckGroup(state, directory, i);
	CheckEntriesApart(state, directory);
	RetlVerifyClaims(state, directory);
}

/*
 * Verify the directory.  A fault counts only if the directory did not change
 * while it was looked at; one that changes all the time is believed at last.
 */
bool
RetlVerifyDirectoryPhase(RetlVerifyState *state)
{
	for (int attempt = 1;; attempt++)
	{
		RetlCopiedDirectory *directory = RetlVerifyDirectoryCopy(state);
		int			faults;

		if (directory->headerValid)
			CheckCopy(state, directory);
		state->directory = directory;

		faults = list_length(state->faults);
		if (faults == 0 || attempt == MAX_ATTEMPTS || IsCurrent(state, directory))
		{
			/* of the header's faults once is enough */
			state->faults = list_truncate(state->faults, faults);
			RetlVerifyReport(state);
			return directory->headerValid;
		}
		RetlVerifyForget(state);
		RetlVerifyDirectoryDrop(directory);
		CHECK_FOR_INTERRUPTS();
		pg_usleep(ATTEMPT_PAUSE_US);
	}
}
