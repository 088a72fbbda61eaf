/*-------------------------------------------------------------------------
 *
 * compact_plan.c
 *	  What a step of compaction is about.
 *
 * A step does one of these, the first for which there is something to do:
 *
 *	- rows of the row store, as many as fit a row group, together with the
 *	  latest small groups, go to one group;
 *	- small groups that fit one group are merged;
 *	- a group with many dead rows is rewritten without them;
 *	- groups of a table with an order, whose ranges overlap, are rewritten to
 *	  as many groups that do not;
 *	- the last groups of a file with many free pages move to some of them.
 *
 * Before that, stubs that nobody needs are retired.
 *
 * Only rows and groups that everybody sees take part (row_move.h), and of which no
 * serializable transaction may depend on where they are (compact_reads.h).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_collation.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/memutils.h"
#include "utils/pg_locale.h"
#include "utils/rel.h"

#include "base/compat.h"
#include "base/settings.h"
#include "compact/compact.h"
#include "rowgroup/group_reader.h"
#include "rowgroup/write_options.h"
#include "visibility/anchor.h"
#include "visibility/row_store.h"
#include "visibility/stub_retire.h"

/* Groups that are rewritten together because they overlap. */
#define MAX_CLUSTERED_GROUPS	8

/*
 * If it is to pay, a group joins others only if it is at most so many times as
 * large as all of them: then a row is rewritten as often as its group has grown
 * by a factor.
 */
#define MAX_GROWTH	2

/* If it is to pay, so many groups are merged at least, but for the row store's rows. */
#define MIN_MERGED_GROUPS	4

/* Share of dead rows from which on a group is rewritten: for that was asked, or by itself. */
#define DEAD_SHARE_FULL	0.1
#define DEAD_SHARE		0.2

/*
 * Rows of the row store are worth a group whatever the settings say if their pages are
 * this share of the file, and so many.
 */
#define ROW_STORE_SHARE		0.0625
#define MIN_SHARE_PAGES		64
#define MIN_SHARE_ROWS		1000

/* Share of free pages, of so many at least, from which on groups are brought to them. */
#define FREE_SHARE		0.05
#define MIN_RELOCATION_PAGES	256

/* Groups that are brought to free pages together. */
#define MAX_RELOCATED_GROUPS	8

/*
 * Stubs of a group are worth retiring if there are so many.  By itself that happens only
 * to rows that were left alone for a while, in transactions: others will soon be locked
 * again.
 */
#define MIN_RETIRED_FULL	100
#define MIN_RETIRED			1000
#define RETIRE_AGE			100000

/* Not counted yet. */
#define DEAD_ROWS_UNKNOWN	INT64CONST(-2)

/* A group that may be rewritten. */
typedef struct Candidate
{
	RetlGroup  *group;
	uint64		rawBytes;		/* of small groups: before encoding */
	const RetlZone *zone;		/* of overlapping ones: of the first column of the order */
	int			width;			/* of overlapping ones: how many begin within it */
} Candidate;

/* ---------------------------------------------------------------------
 * The row store
 * ---------------------------------------------------------------------
 */

/*
 * Leave out those of the rows of a block that serializable transactions have read.
 * Returns how many remain.
 */
static int
LeaveReadRows(RetlCompactPlan *plan, BlockNumber block, OffsetNumber *offsets, int count)
{
	int			remaining = 0;

	for (int i = 0; i < count; i++)
	{
		if (RetlRowWasRead(&plan->reads, block, offsets[i]))
			plan->left = true;
		else
			offsets[remaining++] = offsets[i];
	}
	return remaining;
}

/*
 * Add the settled rows of a block to the plan, but for those that were read.
 */
static void
AddBlock(RetlCompactPlan *plan, Relation rel, BlockNumber block, BufferAccessStrategy strategy)
{
	OffsetNumber offsets[MaxHeapTuplesPerPage];
	int			count = RetlRowStoreSettledRows(rel, block, plan->oldestXmin, strategy, offsets);
	RetlPageRows *page;

	count = LeaveReadRows(plan, block, offsets, count);
	if (count == 0)
		return;
	page = palloc0(RetlPageRowsSize(count));
	page->block = block;
	page->count = count;
	for (int i = 0; i < count; i++)
		page->rows[i].offset = offsets[i];
	if ((plan->pageCount & (plan->pageCount - 1)) == 0)
	{
		Size		capacity = Max(plan->pageCount * 2, 64);

		plan->pages = plan->pages == NULL ? palloc(sizeof(RetlPageRows *) * capacity) :
			repalloc_huge(plan->pages, sizeof(RetlPageRows *) * capacity);
	}
	plan->pages[plan->pageCount++] = page;
	plan->rowStoreRows += count;
}

/*
 * Collect rows of the row store, up to what a group holds.  A row takes more
 * room in the row store than in memory of the writer, but for what is out of
 * line; the step stops when the group is full.
 */
static void
CollectRows(RetlCompaction *compaction, Relation rel, const RetlDirectory *directory,
			RetlCompactPlan *plan)
{
	BlockNumber nblocks = Min(RelationGetNumberOfBlocks(rel), compaction->endBlock);
	BufferAccessStrategy strategy = GetAccessStrategy(BAS_BULKREAD);
	int			runCount;
	RetlRun    *runs = RetlRowStoreRuns(rel, directory, nblocks, &runCount);

	plan->nextBlock = nblocks;
	for (int i = 0; i < runCount; i++)
	{
		BlockNumber end = runs[i].start + runs[i].length;

		for (BlockNumber block = Max(runs[i].start, compaction->nextBlock); block < end; block++)
		{
			CHECK_FOR_INTERRUPTS();
			AddBlock(plan, rel, block, strategy);
			if (plan->rowStoreRows >= plan->options.groupRows ||
				(Size) plan->pageCount * BLCKSZ >= 2 * plan->options.groupBytes)
			{
				plan->nextBlock = block + 1;
				FreeAccessStrategy(strategy);
				return;
			}
		}
	}
	FreeAccessStrategy(strategy);
}

/* ---------------------------------------------------------------------
 * Small groups
 * ---------------------------------------------------------------------
 */

/*
 * How many rows are worth a group of their own, whatever else there is.
 */
static double
RowsWorthGroup(const RetlCompaction *compaction, const RetlDirectory *directory,
			   const RetlCompactPlan *plan)
{
	double		rows = compaction->minRows +
		compaction->scaleFactor * directory->header->completeRows;

	return Min(rows, plan->options.groupRows);
}

/*
 * Are the rows of the row store worth a group?  While more of them come, it is better to
 * wait for those.  Each scan reads all of them, so when no more come, or they take up
 * much of the file, a few are.
 */
static bool
RowsAreWorthIt(const RetlCompaction *compaction, Relation rel, const RetlDirectory *directory,
			   const RetlCompactPlan *plan)
{
	uint64		rows = plan->rowStoreRows;

	if (rows == 0)
		return false;
	if (rows >= RowsWorthGroup(compaction, directory, plan))
		return true;
	if (rows >= MIN_SHARE_ROWS &&
		plan->pageCount >= Max(MIN_SHARE_PAGES, RelationGetNumberOfBlocks(rel) * ROW_STORE_SHARE))
		return true;
	return compaction->isQuiet != NULL && rows >= compaction->quietRows &&
		compaction->isQuiet(rel);
}

/*
 * How many rows of a group will be dead for who sees it written anew.
 */
static uint32
ReadDeadRows(Relation rel, const RetlGroup *group, const RetlCompactPlan *plan)
{
	MemoryContext context;
	MemoryContext oldContext;
	RetlHiddenRows dead;

	if (group->entry.stubMapRoot == RETLDB_NO_BLOCK)
		return 0;
	context = AllocSetContextCreate(CurrentMemoryContext, "retldb stubs", ALLOCSET_DEFAULT_SIZES);
	oldContext = MemoryContextSwitchTo(context);
	RetlHiddenRowsInit(&dead, context);
	RetlHiddenRowsDead(&dead, rel, &group->entry, plan->oldestXmin);
	MemoryContextSwitchTo(oldContext);
	MemoryContextDelete(context);
	return dead.count;
}

/*
 * The same; several searches ask for it.
 */
static uint32
CountDeadRows(Relation rel, const RetlGroup *group, const RetlCompactPlan *plan)
{
	int64	   *known = &plan->deadRows[group - plan->firstGroup];

	if (*known == DEAD_ROWS_UNKNOWN)
		*known = ReadDeadRows(rel, group, plan);
	return (uint32) *known;
}

/*
 * May the group be rewritten at all?  Those that others have made since we began are
 * for another time: there may always be more of them.
 */
static bool
IsCandidate(Relation rel, const RetlGroup *group, const RetlCompactPlan *plan)
{
	const RetlCompaction *compaction = plan->compaction;
	bool		known = group->entry.groupId < compaction->endGroupId;

	for (int i = 0; i < compaction->ownCount && !known; i++)
		known = compaction->ownGroups[i] == group->entry.groupId;
	return known && group->entry.state == RETL_GROUP_COMPLETE &&
		RetlAnchorIsSettled(rel, &group->entry, plan->oldestXmin);
}

/*
 * Has a serializable transaction read rows of a group by their place, now or when an
 * earlier step was about to move them?
 */
static bool
WasRead(const RetlGroup *group, const RetlCompactPlan *plan)
{
	const RetlCompaction *compaction = plan->compaction;

	if (compaction->moveRead)
		return false;
	for (int i = 0; i < compaction->readCount; i++)
	{
		if (compaction->readGroups[i] == group->entry.groupId)
			return true;
	}
	return RetlGroupWasRead(&plan->reads, &group->entry);
}

/*
 * May the group's rows be moved?
 */
static bool
MayMove(Relation rel, const RetlGroup *group, RetlCompactPlan *plan)
{
	if (!IsCandidate(rel, group, plan))
		return false;
	if (!WasRead(group, plan))
		return true;
	plan->left = true;
	return false;
}

/*
 * Bytes of a group before encoding.
 */
static uint64
RawBytes(RetlGroupReader *reader, const RetlGroup *group)
{
	uint64		bytes = 0;

	RetlGroupReaderOpen(reader, &group->entry);
	for (uint32 i = 0; i < RetlGroupReaderColumnCount(reader); i++)
	{
		RetlChunkInfo info;

		RetlGroupReaderGetChunkInfo(reader, i, &info);
		bytes += info.column.rawLength;
	}
	return bytes;
}

/*
 * The small groups: two of them fit one group, by rows and by bytes.  In order
 * of their row numbers.
 */
static Candidate *
FindSmallGroups(Relation rel, const RetlDirectory *directory, RetlCompactPlan *plan, int *count)
{
	Candidate  *small = palloc(sizeof(Candidate) * Max(directory->groupCount, 1));
	RetlGroupReader *reader = RetlGroupReaderCreate(rel, NULL, NULL);

	*count = 0;
	for (int i = 0; i < directory->groupCount; i++)
	{
		RetlGroup  *group = &directory->groups[i];
		Candidate  *candidate = &small[*count];

		CHECK_FOR_INTERRUPTS();
		if (group->entry.rowCount >= plan->options.groupRows / 2 ||
			!MayMove(rel, group, plan))
			continue;
		candidate->group = group;
		candidate->rawBytes = RawBytes(reader, group);
		if (candidate->rawBytes < plan->options.groupBytes / 2)
			(*count)++;
	}
	RetlGroupReaderFree(reader);
	return small;
}

/*
 * Choose small groups to go into a group with "rows" rows of the row store:
 * neighbours, from "last" back.  Returns how many.
 */
static int
ChooseNeighbours(const RetlCompaction *compaction, const RetlCompactPlan *plan,
				 const Candidate *small, int last, uint64 rows)
{
	uint64		bytes = 0;
	int			chosen = 0;

	for (int i = last; i >= 0; i--)
	{
		uint64		groupRows = small[i].group->entry.rowCount;

		if (rows + groupRows > plan->options.groupRows ||
			bytes + small[i].rawBytes > plan->options.groupBytes)
			break;
		if (!compaction->full && rows > 0 && groupRows > rows * MAX_GROWTH)
			break;
		rows += groupRows;
		bytes += small[i].rawBytes;
		chosen++;
	}
	return chosen;
}

/*
 * Add small groups to the plan, in order.
 */
static void
AddGroups(RetlCompactPlan *plan, const Candidate *candidates, int count)
{
	plan->groups = palloc(sizeof(RetlGroup *) * Max(count, 1));
	for (int i = 0; i < count; i++)
		plan->groups[i] = candidates[i].group;
	plan->groupCount = count;
}

/*
 * Plan to move rows of the row store, or to merge small groups, or both.  Rows
 * are not worth a group of their own if there are few of them.
 */
static bool
PlanMerge(const RetlCompaction *compaction, Relation rel, const RetlDirectory *directory,
		  RetlCompactPlan *plan)
{
	int			minGroups = compaction->full ? 2 : MIN_MERGED_GROUPS;
	int			count;
	Candidate  *small = FindSmallGroups(rel, directory, plan, &count);

	if (RowsAreWorthIt(compaction, rel, directory, plan))
	{
		int			chosen = ChooseNeighbours(compaction, plan, small, count - 1, plan->rowStoreRows);

		AddGroups(plan, small + count - chosen, chosen);
		return true;
	}
	plan->otherPageCount = plan->pageCount;
	plan->pageCount = 0;
	plan->rowStoreRows = 0;
	for (int last = count - 1; last >= 0; last--)
	{
		int			chosen = ChooseNeighbours(compaction, plan, small, last, 0);

		if (chosen >= minGroups)
		{
			AddGroups(plan, small + last + 1 - chosen, chosen);
			return true;
		}
	}
	return false;
}

/* ---------------------------------------------------------------------
 * Groups with dead rows
 * ---------------------------------------------------------------------
 */

/*
 * Plan to rewrite a group of whose rows so many are dead that it pays.
 */
static bool
PlanShrinking(const RetlCompaction *compaction, Relation rel, const RetlDirectory *directory,
			  RetlCompactPlan *plan)
{
	double		share = compaction->full ? DEAD_SHARE_FULL : DEAD_SHARE;

	for (int i = 0; i < directory->groupCount; i++)
	{
		RetlGroup  *group = &directory->groups[i];

		CHECK_FOR_INTERRUPTS();
		if (group->entry.stubMapRoot == RETLDB_NO_BLOCK ||
			group->entry.groupId >= compaction->endGroupId ||
			!MayMove(rel, group, plan) ||
			CountDeadRows(rel, group, plan) < share * group->entry.rowCount)
			continue;
		plan->groups = palloc(sizeof(RetlGroup *));
		plan->groups[0] = group;
		plan->groupCount = 1;
		return true;
	}
	return false;
}

/* ---------------------------------------------------------------------
 * Free pages
 * ---------------------------------------------------------------------
 */

/* Where a group ends in the file. */
typedef struct Place
{
	RetlGroup  *group;
	BlockNumber end;
} Place;

static int
CompareEnds(const void *one, const void *other)
{
	BlockNumber left = ((const Place *) one)->end;
	BlockNumber right = ((const Place *) other)->end;

	return left > right ? -1 : left < right;
}

/*
 * The groups by where they end, or their anchors are, the last one first, and the runs
 * of free pages in order.
 */
static Place *
FindPlaces(Relation rel, const RetlDirectory *directory, const RetlCompactPlan *plan,
		   int *placeCount, RetlRuns *freeRuns)
{
	Place	   *places = palloc(sizeof(Place) * Max(directory->groupCount, 1));

	*placeCount = 0;
	*freeRuns = (RetlRuns) {0, NULL};
	for (int i = 0; i < directory->groupCount; i++)
	{
		RetlGroup  *group = &directory->groups[i];
		BlockNumber end = 0;
		int			count;
		RetlRun    *runs = RetlGroupGetKnownRuns(rel, &group->entry, &count);

		CHECK_FOR_INTERRUPTS();
		if (group->entry.state == RETL_GROUP_FREE)
			RetlRunsAdd(freeRuns, runs, count);
		else
		{
			for (int j = 0; j < count; j++)
				end = Max(end, runs[j].start + runs[j].length);
			/* the new one's anchor goes to the block that the plan names */
			if (plan->anchorBlock < group->entry.anchorBlock)
				end = Max(end, group->entry.anchorBlock + 1);
			places[(*placeCount)++] = (Place) {group, end};
		}
		pfree(runs);
	}
	qsort(places, *placeCount, sizeof(Place), CompareEnds);
	RetlRunsSort(freeRuns);
	return places;
}

/*
 * How many free pages are before a block.
 */
static uint64
FreeBefore(const RetlRuns *freeRuns, BlockNumber end)
{
	uint64		pages = 0;

	for (int i = 0; i < freeRuns->count && freeRuns->runs[i].start < end; i++)
		pages += Min(freeRuns->runs[i].length, end - freeRuns->runs[i].start);
	return pages;
}

/*
 * Is nobody to come who sees the group?  VACUUM will give its pages away anyway.
 */
static bool
IsDying(Relation rel, const RetlGroup *group, const RetlCompactPlan *plan)
{
	bool		own;
	HTSV_Result state = RetlAnchorVacuumState(rel, &group->entry, plan->oldestXmin, &own);

	return state == HEAPTUPLE_DEAD || state == HEAPTUPLE_RECENTLY_DEAD;
}

/*
 * Plan to move the rows of the row store, however few they are.
 */
static void
PlanAllRows(RetlCompactPlan *plan)
{
	plan->pageCount = plan->otherPageCount;
	plan->rowStoreRows = 0;
	for (int i = 0; i < plan->pageCount; i++)
		plan->rowStoreRows += plan->pages[i]->count;
}

/*
 * Plan to bring the last groups of the file to free pages before them, if there are
 * many: then VACUUM can cut off the end.  New groups take the first free pages of the
 * file, so they end before the old ones.  If it is rows of the row store that stand
 * last, these are moved to a group.
 */
static bool
PlanRelocation(Relation rel, const RetlDirectory *directory, RetlCompactPlan *plan)
{
	BlockNumber pages = RelationGetNumberOfBlocks(rel);
	uint64		needed = 0;
	uint64		freePages;
	RetlRuns	freeRuns;
	int			count;
	Place	   *places = FindPlaces(rel, directory, plan, &count, &freeRuns);

	freePages = FreeBefore(&freeRuns, pages);
	if (pages < MIN_RELOCATION_PAGES || freePages < pages * FREE_SHARE)
		return false;
	if (plan->otherPageCount > 0 &&
		(count == 0 || plan->pages[plan->otherPageCount - 1]->block >= places[0].end))
	{
		PlanAllRows(plan);
		return true;
	}
	plan->groups = palloc(sizeof(RetlGroup *) * MAX_RELOCATED_GROUPS);
	for (int i = 0; i < count && plan->groupCount < MAX_RELOCATED_GROUPS; i++)
	{
		RetlGroup  *group = places[i].group;

		CHECK_FOR_INTERRUPTS();
		/* those that we have written have got the first free pages: not again and again */
		if (group->entry.groupId >= plan->compaction->endGroupId || IsDying(rel, group, plan))
			continue;
		/* with a run list, perhaps; one that grows has got other options meanwhile */
		needed += group->entry.pageCount + 1;
		if (needed > FreeBefore(&freeRuns, places[i].end) ||
			!MayMove(rel, group, plan))
			break;
		plan->groups[plan->groupCount++] = group;
		if (freePages - needed < pages * FREE_SHARE)
			break;
	}
	plan->relocating = plan->groupCount > 0;
	return plan->relocating;
}

/* ---------------------------------------------------------------------
 * Overlapping groups
 * ---------------------------------------------------------------------
 */

/*
 * Do zones of this column follow the order in which the table is sorted?
 */
static bool
ZonesFollowOrder(Relation rel, AttrNumber attnum, uint8 keyKind)
{
	Form_pg_attribute att = TupleDescAttr(RelationGetDescr(rel), attnum - 1);

	switch (keyKind)
	{
		case RETL_KEY_NONE:
			return false;
		case RETL_KEY_TEXT:
		case RETL_KEY_BPCHAR:
			return RetlCollatesAsC(att->attcollation);
		default:
			return true;
	}
}

/*
 * Of groups with fewer rows than this the overlap does not matter, if they can be merged.
 */
static double
RowsWorthOrder(const RetlDirectory *directory, const RetlCompactPlan *plan)
{
	double		rows = RowsWorthGroup(plan->compaction, directory, plan);

	if (plan->compaction->full)
		return 0;
	return Min(rows, plan->options.groupRows / MIN_MERGED_GROUPS);
}

/*
 * Is a group so small that it will be merged with others like it?  By its rows, and by
 * its bytes: of rows that are wide, few fill a group.
 */
static bool
WillBeMerged(RetlGroupReader *reader, const RetlGroup *group, const RetlCompactPlan *plan,
			 double rows)
{
	return group->entry.rowCount < rows &&
		RawBytes(reader, group) < plan->options.groupBytes / MIN_MERGED_GROUPS;
}

/*
 * The groups with a range of the first column of the order.  Those that have one
 * key only cannot overlap others: they would not become smaller.  If it is to pay,
 * groups with fewer rows than the row store may keep do not count, either: they take
 * readers little time, and will be merged with others before large ones are rewritten
 * for their sake.  That is not so of those that are too large to be merged.
 */
static Candidate *
FindRanges(Relation rel, const RetlDirectory *directory, RetlCompactPlan *plan, int *count)
{
	AttrNumber	attnum = plan->options.sortKeys[0].attnum;
	double		minRows = RowsWorthOrder(directory, plan);
	RetlGroupReader *reader = RetlGroupReaderCreate(rel, NULL, NULL);
	Candidate  *ranges = palloc(sizeof(Candidate) * Max(directory->groupCount, 1));
	RetlZoneEntry **pages = palloc0(sizeof(RetlZoneEntry *) * Max(directory->pageCount, 1));

	*count = 0;
	for (int i = 0; i < directory->groupCount; i++)
	{
		RetlGroup  *group = &directory->groups[i];
		RetlZoneEntry **page = &pages[group->slot.pageIndex];
		RetlZoneEntry *entry;

		CHECK_FOR_INTERRUPTS();
		if (*page == NULL)
		{
			*page = palloc0(sizeof(RetlZoneEntry) * RETLDB_DIRECTORY_SLOTS);
			(void) RetlZoneMapRead(rel, directory, group->slot.pageIndex, attnum, *page);
		}
		entry = &(*page)[group->slot.slot];
		if (entry->groupIdLow != (uint32) group->entry.groupId || entry->rowCount == 0 ||
			(entry->zone.flags & RETL_ZONE_HAS_RANGE) == 0 ||
			!ZonesFollowOrder(rel, attnum, entry->zone.keyKind) ||
			memcmp(entry->zone.min, entry->zone.max, RETLDB_KEY_LENGTH) >= 0 ||
			!MayMove(rel, group, plan) ||
			WillBeMerged(reader, group, plan, minRows))
			continue;
		ranges[*count].group = group;
		ranges[*count].zone = &entry->zone;
		(*count)++;
	}
	RetlGroupReaderFree(reader);
	return ranges;
}

static int
CompareKeys(const void *one, const void *other)
{
	return memcmp(*(const uint8 *const *) one, *(const uint8 *const *) other, RETLDB_KEY_LENGTH);
}

static int
CompareWidths(const void *one, const void *other)
{
	int			left = ((const Candidate *) one)->width;
	int			right = ((const Candidate *) other)->width;

	return left > right ? -1 : left < right;
}

static int
CompareRowBases(const void *one, const void *other)
{
	uint64		left = ((const Candidate *) one)->group->entry.rowBase;
	uint64		right = ((const Candidate *) other)->group->entry.rowBase;

	return left < right ? -1 : left > right;
}

/*
 * The keys at which ranges begin, or end, in order.
 */
static const uint8 **
SortedKeys(const Candidate *ranges, int count, bool ends)
{
	const uint8 **keys = palloc(sizeof(uint8 *) * Max(count, 1));

	for (int i = 0; i < count; i++)
		keys[i] = ends ? ranges[i].zone->max : ranges[i].zone->min;
	qsort(keys, count, sizeof(uint8 *), CompareKeys);
	return keys;
}

/*
 * How many of the sorted keys are less than this one.
 */
static int
Rank(const uint8 **keys, int count, const uint8 *key)
{
	int			low = 0;

	while (low < count)
	{
		int			middle = (low + count) / 2;

		if (memcmp(keys[middle], key, RETLDB_KEY_LENGTH) < 0)
			low = middle + 1;
		else
			count = middle;
	}
	return low;
}

/*
 * Find where most ranges overlap: how many do, and the key after which they do.
 */
static int
FindDepth(const uint8 **starts, const uint8 **ends, int count, const uint8 **where)
{
	int			depth = 0;
	int			maxDepth = 0;

	*where = NULL;
	for (int start = 0, end = 0; start < count; start++)
	{
		while (memcmp(ends[end], starts[start], RETLDB_KEY_LENGTH) <= 0)
		{
			end++;
			depth--;
		}
		depth++;
		if (depth > maxDepth)
		{
			maxDepth = depth;
			*where = starts[start];
		}
	}
	return maxDepth;
}

/*
 * Plan to rewrite groups that overlap where most of them do; if they are too
 * many, the widest ones.  Afterwards they do not overlap each other, and the
 * others not more than before.
 */
static bool
PlanClustering(const RetlCompaction *compaction, Relation rel, const RetlDirectory *directory,
			   RetlCompactPlan *plan)
{
	int			count;
	Candidate  *ranges = FindRanges(rel, directory, plan, &count);
	const uint8 **starts = SortedKeys(ranges, count, false);
	const uint8 **ends = SortedKeys(ranges, count, true);
	const uint8 *where;
	int			chosen = 0;

	if (FindDepth(starts, ends, count, &where) <= compaction->maxOverlap)
		return false;
	for (int i = 0; i < count; i++)
	{
		const RetlZone *zone = ranges[i].zone;

		if (memcmp(zone->min, where, RETLDB_KEY_LENGTH) > 0 ||
			memcmp(zone->max, where, RETLDB_KEY_LENGTH) <= 0)
			continue;
		ranges[i].width = Rank(starts, count, zone->max) - Rank(starts, count, zone->min);
		ranges[chosen++] = ranges[i];
	}
	qsort(ranges, chosen, sizeof(Candidate), CompareWidths);
	chosen = Min(chosen, MAX_CLUSTERED_GROUPS);
	qsort(ranges, chosen, sizeof(Candidate), CompareRowBases);
	AddGroups(plan, ranges, chosen);
	plan->clustering = true;
	return true;
}

/*
 * The same, if the table has an order.  It writes as many pages as it sets free: not
 * again before those that an earlier step has left are free.
 */
static bool
PlanOrder(RetlCompaction *compaction, Relation rel, const RetlDirectory *directory,
		  RetlCompactPlan *plan)
{
	if (plan->options.sortKeyCount == 0 || compaction->noClustering ||
		!PlanClustering(compaction, rel, directory, plan))
		return false;
	if (compaction->holdClustering)
	{
		plan->groupCount = 0;
		plan->clustering = false;
		compaction->unfinished = true;
		return false;
	}
	return true;
}

/*
 * Say where anchors are to go: they must not keep the end of the file from being cut
 * off.  If the row store has room in the second half of the file only, a free page will
 * be made a page of the row store.
 */
static void
AimAnchors(Relation rel, const RetlDirectory *directory, RetlCompactPlan *plan)
{
	BlockNumber half = RelationGetNumberOfBlocks(rel) / 2;
	BlockNumber first = InvalidBlockNumber;

	if (half < MIN_RELOCATION_PAGES / 2 || plan->anchorBlock < half)
		return;
	for (int i = 0; i < directory->groupCount; i++)
	{
		const RetlGroupEntry *entry = &directory->groups[i].entry;

		for (int j = 0; entry->state == RETL_GROUP_FREE && j < Min(entry->runCount, RETLDB_INLINE_RUNS); j++)
			first = Min(first, entry->runs[j].start);
	}
	if (first >= half)
		return;
	plan->anchorBlock = first;
	plan->makeAnchorPage = true;
}

/* ---------------------------------------------------------------------
 * Stubs
 * ---------------------------------------------------------------------
 */

/*
 * Does nobody come to a row but through the map of the group in which it is now?  Of
 * rows that were moved, or copied by a step that was rolled back, two maps name one stub.
 */
static bool
NothingWasMoved(Relation rel, const RetlDirectory *directory, const RetlCompactPlan *plan)
{
	for (int i = 0; i < directory->groupCount; i++)
	{
		const RetlGroupEntry *entry = &directory->groups[i].entry;
		bool		own;
		HTSV_Result state;

		CHECK_FOR_INTERRUPTS();
		if (entry->state == RETL_GROUP_FREE)
			continue;
		state = RetlAnchorVacuumState(rel, entry, plan->oldestXmin, &own);
		if (state != HEAPTUPLE_LIVE && state != HEAPTUPLE_INSERT_IN_PROGRESS)
			return false;
	}
	return true;
}

/* qsort() callback. */
static int
CompareGroupIds(const void *one, const void *other)
{
	uint64		left = (*(RetlGroup *const *) one)->entry.groupId;
	uint64		right = (*(RetlGroup *const *) other)->entry.groupId;

	return left < right ? -1 : left > right;
}

/*
 * How many stubs of a group are worth retiring, and (*age) for how many transactions must
 * they have been left alone?
 */
static uint64
MinRetired(const RetlCompaction *compaction, uint32 *age)
{
	*age = 0;
	if (retldb_retire_stubs >= 0)
		return Max(retldb_retire_stubs, 1);
	if (compaction->full)
		return MIN_RETIRED_FULL;
	*age = RETIRE_AGE;
	return MIN_RETIRED;
}

/*
 * Plan to retire the stubs of a group of which many are not needed any more.  Each group
 * is looked at once, before others are written to which its stubs go.
 */
static bool
PlanRetiring(RetlCompaction *compaction, Relation rel, const RetlDirectory *directory,
			 RetlCompactPlan *plan)
{
	uint64		minStubs = MinRetired(compaction, &plan->retireAge);
	RetlGroup **groups = palloc(sizeof(RetlGroup *) * Max(directory->groupCount, 1));
	int			count = 0;

	for (int i = 0; i < directory->groupCount; i++)
		if (directory->groups[i].entry.stubMapRoot != RETLDB_NO_BLOCK &&
			directory->groups[i].entry.groupId >= compaction->nextRetired)
			groups[count++] = &directory->groups[i];
	if (count > 0 && !NothingWasMoved(rel, directory, plan))
		count = 0;
	qsort(groups, count, sizeof(RetlGroup *), CompareGroupIds);
	for (int i = 0; i < count && plan->retiring == NULL; i++)
	{
		if (IsCandidate(rel, groups[i], plan) &&
			RetlStubsCountUnneeded(rel, &groups[i]->entry, plan->oldestXmin,
								   plan->retireAge) >= minStubs)
			plan->retiring = groups[i];
		compaction->nextRetired = groups[i]->entry.groupId + 1;
	}
	if (plan->retiring == NULL)
		compaction->nextRetired = PG_UINT64_MAX;
	return plan->retiring != NULL;
}

/* See compact.h. */
bool
RetlCompactMakePlan(RetlCompaction *compaction, Relation rel, RetlCompactPlan *plan)
{
	RetlDirectory *directory;

	memset(plan, 0, sizeof(*plan));
	plan->compaction = compaction;
	plan->oldestXmin = compaction->oldestXmin;
	RetlWriteOptionsFill(rel, &plan->options);
	plan->options.compacted = true;
	directory = RetlDirectoryRead(rel);
	plan->firstGroup = directory->groups;
	plan->deadRows = MemoryContextAllocHuge(CurrentMemoryContext,
											sizeof(int64) * Max(directory->groupCount, 1));
	for (int i = 0; i < directory->groupCount; i++)
		plan->deadRows[i] = DEAD_ROWS_UNKNOWN;
	plan->anchorBlock = RetlAnchorFindRoom(rel, directory, MAX_RELOCATED_GROUPS);
	AimAnchors(rel, directory, plan);
	if (compaction->endGroupId == 0)
	{
		compaction->endGroupId = directory->header->nextGroupId;
		compaction->endBlock = RelationGetNumberOfBlocks(rel);
	}
	if (PlanRetiring(compaction, rel, directory, plan))
		return true;
	if (!compaction->moveRead)
		RetlReadPlacesFind(rel, &plan->reads);
	CollectRows(compaction, rel, directory, plan);
	return PlanMerge(compaction, rel, directory, plan) ||
		PlanShrinking(compaction, rel, directory, plan) ||
		PlanOrder(compaction, rel, directory, plan) ||
		PlanRelocation(rel, directory, plan);
}
