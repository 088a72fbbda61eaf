/*-------------------------------------------------------------------------
 *
 * stub_map.c
 *	  Stub maps: which rows of a row group were touched, and their stubs.
 *
 * The pages of a map are pages of its group, past those of the byte string, so
 * they are found, freed and reused with it.  A map begins as one leaf for all
 * rows.  When a leaf is full its range of segments is divided; when that happens
 * to the first leaf, its page becomes the root, so the group's entry need not
 * change.  A segment has fewer rows than a leaf has room for, so there is always
 * something to divide.
 *
 * Division moves entries between pages in one WAL record with all of them
 * locked.  A reader that comes from the root with an old idea finds a leaf that
 * does not have the segment any more, and asks the root again.
 *
 * Locks, in this order: the map's page lock, buffers of root, leaf, new leaf.
 * Division is done under the page lock of the header (as everything that takes
 * new pages), not of the map.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "utils/rel.h"

#include "base/compat.h"
#include "base/errors.h"
#include "storage/column_page.h"
#include "storage/page_alloc.h"
#include "storage/page_patch.h"
#include "storage/stub_map.h"
#include "storage/stub_numbers.h"

/* Pages that are taken at once, as a share of the leaves in use, and at most. */
#define SPARE_SHARE		4
#define MAX_SPARE_PAGES	32

#define ROW_MASK		((UINT64_C(1) << RETL_STUB_ROW_BITS) - 1)
#define BLOCK_MASK		((UINT64_C(1) << RETL_STUB_BLOCK_BITS) - 1)
#define OFFSET_MASK		((UINT64_C(1) << RETL_STUB_OFFSET_BITS) - 1)
#define OFFSET_SHIFT	(RETL_STUB_ROW_BITS + RETL_STUB_BLOCK_BITS)

/* Fewer rows than that are looked for in a leaf one by one. */
#define SEARCHED_ROWS	8

/* Entries that are compared with a row at once. */
#define COMPARED_ENTRIES	32

#define PAGE_HEADER_LENGTH	offsetof(RetlStubMapPage, u)

StaticAssertDecl(RETL_STUB_ROW_BITS <= 32, "the low half of an entry has the row");
/* Stub number pages of a group, at most. */
#define MAX_NUMBER_PAGES	\
	((RETLDB_MAX_GROUP_ROWS + RETLDB_STUB_NUMBERS_CAPACITY - 1) / RETLDB_STUB_NUMBERS_CAPACITY)

StaticAssertDecl(MaxHeapTuplesPerPage < (1 << RETL_STUB_OFFSET_BITS),
				 "line pointers fit stub map entries");

/* How entries are changed. */
typedef enum EntryChange
{
	SET_DEAD,
	SET_RETIRED,
	FORGET_RETIRED
} EntryChange;

static inline uint32
SegmentOf(uint32 row)
{
	return row / RETLDB_STUB_SEGMENT_ROWS;
}

static inline uint32
SegmentCount(const RetlGroupEntry *entry)
{
	return (entry->rowCount + RETLDB_STUB_SEGMENT_ROWS - 1) / RETLDB_STUB_SEGMENT_ROWS;
}

/* ---------------------------------------------------------------------
 * Entries
 * ---------------------------------------------------------------------
 */

static uint64
PackEntry(const RetlStubEntry *entry)
{
	if (entry->dead)
		return entry->row | RETL_STUB_DEAD;
	Assert(!entry->retired);
	return entry->row | (entry->shared ? RETL_STUB_SHARED : 0) |
		(uint64) ItemPointerGetBlockNumber(&entry->stub) << RETL_STUB_ROW_BITS |
		(uint64) ItemPointerGetOffsetNumber(&entry->stub) << OFFSET_SHIFT;
}

/*
 * What a shared stub carries is to be found out then: see FindNumbers.
 */
static void
UnpackEntry(uint64 packed, const RetlGroupEntry *group, RetlStubEntry *entry)
{
	entry->row = packed & ROW_MASK;
	entry->dead = (packed & RETL_STUB_DEAD) != 0;
	entry->shared = (packed & RETL_STUB_SHARED) != 0;
	entry->retired = (packed & RETL_STUB_RETIRED) != 0;
	entry->number = group->rowBase + entry->row;
	if (entry->dead)
		ItemPointerSetInvalid(&entry->stub);
	else
		ItemPointerSet(&entry->stub, (packed >> RETL_STUB_ROW_BITS) & BLOCK_MASK,
					   (packed >> OFFSET_SHIFT) & OFFSET_MASK);
}

/* ---------------------------------------------------------------------
 * Pages
 * ---------------------------------------------------------------------
 */

static RetlStubMapPage *
ContentOf(Buffer buffer)
{
	return (RetlStubMapPage *) RetlPageGetPayload(BufferGetPage(buffer));
}

/*
 * Is the content of a page possible?  NULL or a static text.
 */
static const char *
ContentProblem(const RetlStubMapPage *content, const RetlGroupEntry *entry)
{
	uint32		segments = SegmentCount(entry);

	if ((content->kind != RETL_STUB_MAP_LEAF && content->kind != RETL_STUB_MAP_ROOT) ||
		content->segmentCount == 0 ||
		content->firstSegment + content->segmentCount > segments)
		return "an invalid stub map";
	if (content->kind == RETL_STUB_MAP_ROOT
		? content->segmentCount != segments
		: content->count > RETLDB_STUB_LEAF_CAPACITY || content->spareCount > MAX_NUMBER_PAGES)
		return "an invalid stub map";
	return NULL;
}

/*
 * Read and lock a page of the map.  Its checksum is left to verification: it
 * would take longer than everything else.
 */
static Buffer
ReadMapPage(Relation rel, const RetlGroupEntry *entry, BlockNumber block, int lockMode)
{
	Buffer		buffer = RetlPageReadNamed(rel, block, RETL_PAGE_STUB_MAP, entry->groupId, 0,
										   lockMode, false, "its stub map");
	const char *problem = ContentProblem(ContentOf(buffer), entry);

	if (problem != NULL)
		RetlReportDamagedPage(rel, block, problem);
	return buffer;
}

/*
 * The row that was looked up last.  Whoever changes a row looks it up several times,
 * and entries of a leaf stay where they are and are only added to, until the leaf is
 * divided: then it has fewer segments, for ever.
 */
typedef struct LastLookup
{
	RetlFileLocator locator;
	uint64		groupId;		/* 0: none */
	uint32		row;
	BlockNumber block;			/* of the leaf */
	uint16		firstSegment;
	uint16		segmentCount;
	uint16		searched;		/* entries that are not the row's */
} LastLookup;

static LastLookup lastLookup;

/*
 * Forget it.
 */
void
RetlStubMapForget(void)
{
	lastLookup.groupId = 0;
}

/*
 * The page to begin with to find the leaf of a segment: the leaf that was looked at
 * last, if it had it then, or the root.
 */
static BlockNumber
BeginAt(Relation rel, const RetlGroupEntry *entry, uint32 segment)
{
	if (lastLookup.groupId == entry->groupId && segment >= lastLookup.firstSegment &&
		segment - lastLookup.firstSegment < lastLookup.segmentCount &&
		RetlLocatorEquals(lastLookup.locator, RetlRelationLocator(rel)))
		return lastLookup.block;
	return entry->stubMapRoot;
}

/*
 * Read and lock the leaf of a segment.  With an exclusive lock nobody divides it
 * until the caller is done.
 */
static Buffer
ReadLeaf(Relation rel, const RetlGroupEntry *entry, uint32 segment, int lockMode)
{
	BlockNumber block;
	bool		isLeaf;			/* nobody makes a root of the page, or nobody had */

	if (segment >= SegmentCount(entry))
		elog(ERROR, "row group has no segment %u", segment);
	block = BeginAt(rel, entry, segment);
	isLeaf = block != entry->stubMapRoot;
	for (;;)
	{
		/* everybody looks at the root, which nobody changes here */
		int			mode = isLeaf ? lockMode : BUFFER_LOCK_SHARE;
		Buffer		buffer = ReadMapPage(rel, entry, block, mode);
		const RetlStubMapPage *content = ContentOf(buffer);

		isLeaf = content->kind == RETL_STUB_MAP_LEAF;
		if (isLeaf && segment >= content->firstSegment &&
			segment - content->firstSegment < content->segmentCount)
		{
			if (mode == lockMode)
				return buffer;
		}
		else
		{
			/* a leaf that was divided sends us back to the root */
			block = isLeaf ? entry->stubMapRoot : content->u.leaves[segment];
			isLeaf = !isLeaf;
		}
		UnlockReleaseBuffer(buffer);
		CHECK_FOR_INTERRUPTS();
	}
}

/*
 * Is one of some entries that of a row?  Without branches, so that compilers compare
 * several of them at once; to leave the loop takes longer than to compare.
 */
static inline bool
HasEntry(const uint64 *entries, uint32 row)
{
	uint32		found = 0;

	for (int i = 0; i < COMPARED_ENTRIES; i++)
		found |= ((uint32) entries[i] & (uint32) ROW_MASK) == row ? UINT32_MAX : 0;
	return found != 0;
}

/*
 * The position of a row's entry in a leaf, which is not among the first ones, or -1.
 */
static int
FindEntry(const RetlStubMapPage *leaf, uint32 row, int first)
{
	int			i = first;

	while (i + COMPARED_ENTRIES <= leaf->count && !HasEntry(&leaf->u.entries[i], row))
		i += COMPARED_ENTRIES;
	for (; i < leaf->count; i++)
	{
		if ((leaf->u.entries[i] & ROW_MASK) == row)
			return i;
	}
	return -1;
}

/*
 * The position of a row's entry in a locked leaf, or -1.
 */
static int
FindEntryAgain(Relation rel, const RetlGroupEntry *entry, Buffer buffer, uint32 row)
{
	const RetlStubMapPage *leaf = ContentOf(buffer);
	bool		again = lastLookup.groupId == entry->groupId && lastLookup.row == row &&
		lastLookup.block == BufferGetBlockNumber(buffer) &&
		lastLookup.firstSegment == leaf->firstSegment &&
		lastLookup.segmentCount == leaf->segmentCount && lastLookup.searched <= leaf->count &&
		RetlLocatorEquals(lastLookup.locator, RetlRelationLocator(rel));
	int			position = FindEntry(leaf, row, again ? lastLookup.searched : 0);

	lastLookup.locator = RetlRelationLocator(rel);
	lastLookup.groupId = entry->groupId;
	lastLookup.row = row;
	lastLookup.block = BufferGetBlockNumber(buffer);
	lastLookup.firstSegment = leaf->firstSegment;
	lastLookup.segmentCount = leaf->segmentCount;
	lastLookup.searched = position >= 0 ? position : leaf->count;
	return position;
}

/* ---------------------------------------------------------------------
 * Reading
 * ---------------------------------------------------------------------
 */

/*
 * Where a leaf says that the group's stub numbers are.
 */
static RetlRun
NumberPages(const RetlStubMapPage *leaf)
{
	return (RetlRun) {leaf->spareBlock, leaf->spareCount};
}

/*
 * Find out what stubs carry that are shared; no page is locked by the caller.
 */
static void
FindNumbers(Relation rel, const RetlGroupEntry *entry, RetlRun pages, RetlStubEntry *entries,
			int count)
{
	for (int i = 0; i < count; i++)
		if (entries[i].shared)
			entries[i].number = RetlStubNumberFind(rel, entry, pages, entries[i].row);
}

/*
 * The same for many entries.
 */
static void
FindAllNumbers(Relation rel, const RetlGroupEntry *entry, RetlRun pages, RetlStubEntry *entries,
			   int count)
{
	uint32		numberCount;
	RetlStubNumber *numbers = RetlStubNumbersRead(rel, entry, pages, &numberCount);

	for (int i = 0; i < count; i++)
		if (entries[i].shared)
			entries[i].number = RetlStubNumberAmong(rel, entry, numbers, numberCount,
													entries[i].row);
	pfree(numbers);
}

/*
 * What an entry says of its row.  Where a retired stub stands is nobody's business who
 * looks a row up.
 */
static RetlTouch
TakeEntry(uint64 packed, const RetlGroupEntry *group, RetlStubEntry *entry)
{
	UnpackEntry(packed, group, entry);
	if (entry->retired)
	{
		ItemPointerSetInvalid(&entry->stub);
		return RETL_ROW_UNTOUCHED;
	}
	return entry->dead ? RETL_ROW_DEAD : RETL_ROW_HAS_STUB;
}

/*
 * Look up a row.
 */
RetlTouch
RetlStubMapLookup(Relation rel, const RetlGroupEntry *entry, uint32 row, RetlStubEntry *stub)
{
	Buffer		buffer;
	RetlRun		numbers;
	RetlTouch	touch = RETL_ROW_UNTOUCHED;
	int			position;

	memset(stub, 0, sizeof(*stub));
	stub->row = row;
	if (entry->stubMapRoot == RETLDB_NO_BLOCK)
		return RETL_ROW_UNTOUCHED;
	buffer = ReadLeaf(rel, entry, SegmentOf(row), BUFFER_LOCK_SHARE);
	position = FindEntryAgain(rel, entry, buffer, row);
	if (position >= 0)
		touch = TakeEntry(ContentOf(buffer)->u.entries[position], entry, stub);
	numbers = NumberPages(ContentOf(buffer));
	UnlockReleaseBuffer(buffer);
	if (touch == RETL_ROW_HAS_STUB)
		FindNumbers(rel, entry, numbers, stub, 1);
	return touch;
}

/*
 * The position of a row in an array that rises, or -1.
 */
static int
FindRow(const RetlStubEntry *rows, int count, uint32 row)
{
	int			low = 0;
	int			high = count;

	if (row < rows[0].row || row > rows[count - 1].row)
		return -1;
	while (low < high)
	{
		int			middle = (low + high) / 2;

		if (rows[middle].row < row)
			low = middle + 1;
		else
			high = middle;
	}
	return rows[low].row == row ? low : -1;
}

/*
 * Look up rows in a leaf, one by one.
 */
static void
FindEach(Relation rel, const RetlGroupEntry *entry, Buffer buffer, RetlStubEntry *rows,
		 RetlTouch *touches, int count)
{
	const RetlStubMapPage *leaf = ContentOf(buffer);

	for (int i = 0; i < count; i++)
	{
		int			position = FindEntryAgain(rel, entry, buffer, rows[i].row);

		if (position < 0)
			continue;
		touches[i] = TakeEntry(leaf->u.entries[position], entry, &rows[i]);
	}
}

/*
 * Look up rows, rising, in a leaf: each of its entries is looked for among them.
 */
static void
FindAll(const RetlStubMapPage *leaf, const RetlGroupEntry *entry, RetlStubEntry *rows,
		RetlTouch *touches, int count)
{
	for (int i = 0; i < leaf->count; i++)
	{
		int			found = FindRow(rows, count, leaf->u.entries[i] & ROW_MASK);

		if (found < 0)
			continue;
		touches[found] = TakeEntry(leaf->u.entries[i], entry, &rows[found]);
	}
}

/*
 * Look up rows in the leaf of the first one.
 */
int
RetlStubMapLookupRows(Relation rel, const RetlGroupEntry *entry, RetlStubEntry *rows,
					  RetlTouch *touches, int count, int *room)
{
	Buffer		buffer;
	RetlStubMapPage *leaf;
	RetlRun		numbers;
	int			inLeaf;

	for (int i = 0; i < count; i++)
	{
		touches[i] = RETL_ROW_UNTOUCHED;
		rows[i].shared = false;
	}
	*room = 0;
	if (entry->stubMapRoot == RETLDB_NO_BLOCK)
		return 1;
	buffer = ReadLeaf(rel, entry, SegmentOf(rows[0].row), BUFFER_LOCK_SHARE);
	leaf = ContentOf(buffer);
	for (inLeaf = 1; inLeaf < count; inLeaf++)
	{
		if (SegmentOf(rows[inLeaf].row) - leaf->firstSegment >= leaf->segmentCount)
			break;
	}
	if (inLeaf < SEARCHED_ROWS)
		FindEach(rel, entry, buffer, rows, touches, inLeaf);
	else
		FindAll(leaf, entry, rows, touches, inLeaf);
	*room = RETLDB_STUB_LEAF_CAPACITY - leaf->count;
	numbers = NumberPages(leaf);
	UnlockReleaseBuffer(buffer);
	FindNumbers(rel, entry, numbers, rows, inLeaf);
	return inLeaf;
}

/*
 * The entries of a group: those of touched rows, or of retired stubs that may still be
 * there.
 */
static RetlStubEntry *
ReadEntries(Relation rel, const RetlGroupEntry *entry, bool retired, int *count)
{
	int			capacity = RETLDB_STUB_LEAF_CAPACITY;
	RetlStubEntry *entries;
	RetlRun		numbers = {0, 0};
	bool		shared = false;
	uint32		segment = 0;

	*count = 0;
	if (entry->stubMapRoot == RETLDB_NO_BLOCK)
		return NULL;
	entries = palloc(sizeof(RetlStubEntry) * capacity);
	while (segment < SegmentCount(entry))
	{
		Buffer		buffer = ReadLeaf(rel, entry, segment, BUFFER_LOCK_SHARE);
		RetlStubMapPage *leaf = ContentOf(buffer);

		if (*count + leaf->count > capacity)
		{
			capacity = Max(2 * capacity, *count + leaf->count);
			entries = repalloc_huge(entries, sizeof(RetlStubEntry) * capacity);
		}
		/* if the leaf begins before the segment, it was read when it was another's half */
		for (int i = 0; i < leaf->count; i++)
		{
			RetlStubEntry *to = &entries[*count];

			UnpackEntry(leaf->u.entries[i], entry, to);
			shared |= to->shared;
			if (to->row >= entry->rowCount)
				RetlReportDamagedGroup(rel, entry->groupId, NULL, "its stub map has invalid rows");
			if (SegmentOf(to->row) >= segment && to->retired == retired &&
				(!retired || ItemPointerGetOffsetNumberNoCheck(&to->stub) != 0))
				(*count)++;
		}
		segment = leaf->firstSegment + leaf->segmentCount;
		numbers = NumberPages(leaf);
		UnlockReleaseBuffer(buffer);
	}
	if (shared)
		FindAllNumbers(rel, entry, numbers, entries, *count);
	return entries;
}

/*
 * All entries of touched rows of a group.
 */
RetlStubEntry *
RetlStubMapRead(Relation rel, const RetlGroupEntry *entry, int *count)
{
	return ReadEntries(rel, entry, false, count);
}

/*
 * Those of retired stubs.
 */
RetlStubEntry *
RetlStubMapReadRetired(Relation rel, const RetlGroupEntry *entry, int *count)
{
	return ReadEntries(rel, entry, true, count);
}

/*
 * Do all entries of a leaf say that their rows are untouched?
 */
static bool
LeafIsUntouched(const RetlStubMapPage *leaf)
{
	uint64		all = RETL_STUB_RETIRED;

	for (int i = 0; i < leaf->count; i++)
		all &= leaf->u.entries[i];
	return all != 0;
}

/* See stub_map.h. */
bool
RetlStubMapIsUntouched(Relation rel, const RetlGroupEntry *entry)
{
	uint32		segment = 0;
	bool		untouched = true;

	if (entry->stubMapRoot == RETLDB_NO_BLOCK)
		return true;
	while (untouched && segment < SegmentCount(entry))
	{
		Buffer		buffer = ReadLeaf(rel, entry, segment, BUFFER_LOCK_SHARE);
		RetlStubMapPage *leaf = ContentOf(buffer);

		untouched = LeafIsUntouched(leaf);
		segment = leaf->firstSegment + leaf->segmentCount;
		UnlockReleaseBuffer(buffer);
	}
	return untouched;
}

/* ---------------------------------------------------------------------
 * Locks
 * ---------------------------------------------------------------------
 */

/* The block that stands for the map: that of the group's first row. */
static BlockNumber
LockBlock(const RetlGroupEntry *entry)
{
	return RETLDB_FIRST_ROW_BLOCK + (BlockNumber) (entry->rowBase / RETLDB_ROWS_PER_BLOCK);
}

void
RetlStubMapLock(Relation rel, const RetlGroupEntry *entry)
{
	LockPage(rel, LockBlock(entry), ExclusiveLock);
}

void
RetlStubMapUnlock(Relation rel, const RetlGroupEntry *entry)
{
	UnlockPage(rel, LockBlock(entry), ExclusiveLock);
}

/* ---------------------------------------------------------------------
 * New pages
 * ---------------------------------------------------------------------
 */

/*
 * Make the image of a page of the map.
 */
static RetlStubMapPage *
InitMapPage(char *image, uint64 groupId)
{
	RetlStubMapPage *content;

	RetlPageInit((Page) image, RETL_PAGE_STUB_MAP, groupId, 0);
	RetlPageGetHeader((Page) image)->used = sizeof(RetlStubMapPage);
	content = (RetlStubMapPage *) RetlPageGetPayload((Page) image);
	content->kind = RETL_STUB_MAP_LEAF;
	content->segmentCount = 1;
	return content;
}

/*
 * Write empty leaves and add them to the group's pages: on free pages, if there are some,
 * else at the end of the file.  The first one becomes the root if there is none yet.  The
 * caller holds the header's page lock, and group->entry is fresh.
 */
static RetlRun
AddLeaves(Relation rel, RetlGroup *group, uint32 count, uint32 segmentCount)
{
	bool		isRoot = group->entry.stubMapRoot == RETLDB_NO_BLOCK;
	char	   *images = palloc((Size) count * BLCKSZ);
	RetlRun		run;

	for (uint32 i = 0; i < count; i++)
		InitMapPage(images + (Size) i * BLCKSZ, group->entry.groupId)->segmentCount = segmentCount;
	if (RetlDirectoryTakeRun(rel, group, count, &run))
	{
		/* they are the group's before they are its map */
		RetlPagesOverwrite(rel, run.start, images, count, NULL);
		if (isRoot)
			RetlDirectorySetStubMapRoot(rel, group, run.start);
	}
	else
	{
		run = RetlPagesAppend(rel, images, count, NULL);
		if (isRoot)
			group->entry.stubMapRoot = run.start;
		RetlDirectoryAddRun(rel, group, run);
	}
	pfree(images);
	return run;
}

/*
 * Make the map of a group that has none.
 */
static void
CreateMap(Relation rel, RetlGroup *group)
{
	LockPage(rel, RETLDB_HEADER_BLOCK, ExclusiveLock);
	RetlDirectoryRefresh(rel, group);
	if (group->entry.stubMapRoot == RETLDB_NO_BLOCK)
		(void) AddLeaves(rel, group, 1, SegmentCount(&group->entry));
	UnlockPage(rel, RETLDB_HEADER_BLOCK, ExclusiveLock);
}

/* ---------------------------------------------------------------------
 * Division
 * ---------------------------------------------------------------------
 */

/*
 * The segment from which on a leaf's entries go to another, so that both get
 * about the same number.
 */
static uint32
DivisionOf(const RetlStubMapPage *leaf)
{
	uint16		perSegment[RETLDB_STUB_MAX_SEGMENTS] = {0};
	int			before = 0;
	uint32		segment;

	Assert(leaf->segmentCount > 1);
	for (int i = 0; i < leaf->count; i++)
		perSegment[SegmentOf(leaf->u.entries[i] & ROW_MASK) - leaf->firstSegment]++;
	for (segment = 0; segment < leaf->segmentCount - 2U; segment++)
	{
		before += perSegment[segment];
		if (2 * before >= leaf->count)
			break;
	}
	return leaf->firstSegment + segment + 1;
}

/*
 * Fill the content of a leaf with those entries of another that belong to a
 * range of segments.  What is behind them is zero.
 */
static void
CopyRange(RetlStubMapPage *to, const RetlStubMapPage *from, uint32 firstSegment,
		  uint32 segmentCount)
{
	memset(to, 0, sizeof(*to));
	to->kind = RETL_STUB_MAP_LEAF;
	to->firstSegment = firstSegment;
	to->segmentCount = segmentCount;
	to->spareBlock = from->spareBlock;
	to->spareCount = from->spareCount;
	for (int i = 0; i < from->count; i++)
	{
		uint32		segment = SegmentOf(from->u.entries[i] & ROW_MASK);

		if (segment >= firstSegment && segment < firstSegment + segmentCount)
			to->u.entries[to->count++] = from->u.entries[i];
	}
}

/*
 * Write a leaf anew: as much of it as it has, or had.
 */
static void
PatchLeaf(RetlPatch *patch, Buffer buffer, const RetlStubMapPage *content)
{
	int			entries = Max(content->count, ContentOf(buffer)->count);
	int			page = RetlPatchAddPage(patch, buffer);

	RetlPatchWrite(patch, page, 0, content, PAGE_HEADER_LENGTH + sizeof(uint64) * entries);
}

/*
 * The first leaf is full: two new leaves take its entries, and its page becomes
 * the root.  Caller holds the header's page lock.
 */
static void
DivideFirstLeaf(Relation rel, RetlGroup *group)
{
	const RetlGroupEntry *entry = &group->entry;
	RetlRun		run = AddLeaves(rel, group, 2, 1);
	Buffer		buffers[3];
	RetlStubMapPage *old;
	RetlStubMapPage *contents = palloc0(sizeof(RetlStubMapPage) * 3);
	RetlPatch	patch;
	uint32		division;

	buffers[0] = ReadMapPage(rel, entry, entry->stubMapRoot, BUFFER_LOCK_EXCLUSIVE);
	buffers[1] = ReadMapPage(rel, entry, run.start, BUFFER_LOCK_EXCLUSIVE);
	buffers[2] = ReadMapPage(rel, entry, run.start + 1, BUFFER_LOCK_EXCLUSIVE);
	old = ContentOf(buffers[0]);
	division = DivisionOf(old);

	CopyRange(&contents[1], old, 0, division);
	CopyRange(&contents[2], old, division, old->segmentCount - division);
	contents[0].kind = RETL_STUB_MAP_ROOT;
	contents[0].segmentCount = old->segmentCount;
	for (uint32 i = 0; i < old->segmentCount; i++)
		contents[0].u.leaves[i] = i < division ? run.start : run.start + 1;

	RetlPatchBegin(&patch, rel);
	RetlPatchWrite(&patch, RetlPatchAddPage(&patch, buffers[0]), 0, &contents[0],
				   sizeof(RetlStubMapPage));
	PatchLeaf(&patch, buffers[1], &contents[1]);
	PatchLeaf(&patch, buffers[2], &contents[2]);
	RetlPatchFinish(&patch);
	for (int i = 0; i < 3; i++)
		UnlockReleaseBuffer(buffers[i]);
	pfree(contents);
}

/*
 * How many leaves a root names.
 */
static uint32
CountLeaves(const RetlStubMapPage *root)
{
	uint32		count = 1;

	for (int i = 1; i < root->segmentCount; i++)
		count += root->u.leaves[i] != root->u.leaves[i - 1];
	return count;
}

/*
 * A page for a new leaf: one of the spare ones, which are replenished.  Caller
 * holds the header's page lock, under which alone they change.
 */
static BlockNumber
TakeSparePage(Relation rel, RetlGroup *group, RetlStubMapPage *rootCopy)
{
	Buffer		buffer = ReadMapPage(rel, &group->entry, group->entry.stubMapRoot,
									 BUFFER_LOCK_SHARE);

	memcpy(rootCopy, ContentOf(buffer), sizeof(RetlStubMapPage));
	UnlockReleaseBuffer(buffer);
	if (rootCopy->spareCount == 0)
	{
		uint32		count = Min(CountLeaves(rootCopy) / SPARE_SHARE + 1, MAX_SPARE_PAGES);
		RetlRun		run = AddLeaves(rel, group, count, 1);

		rootCopy->spareBlock = run.start;
		rootCopy->spareCount = run.length;
	}
	rootCopy->spareCount--;
	return rootCopy->spareBlock++;
}

/*
 * A leaf is full: another one takes the upper part of its segments.  Caller
 * holds the header's page lock.
 */
static void
DivideLeaf(Relation rel, RetlGroup *group, uint32 segment)
{
	const RetlGroupEntry *entry = &group->entry;
	RetlStubMapPage *contents = palloc0(sizeof(RetlStubMapPage) * 3);
	BlockNumber newBlock = TakeSparePage(rel, group, &contents[0]);
	Buffer		buffers[3];
	RetlStubMapPage *old;
	RetlPatch	patch;
	uint32		division;
	uint32		end;
	int			root;

	buffers[0] = ReadMapPage(rel, entry, entry->stubMapRoot, BUFFER_LOCK_EXCLUSIVE);
	buffers[1] = ReadMapPage(rel, entry, ContentOf(buffers[0])->u.leaves[segment],
							 BUFFER_LOCK_EXCLUSIVE);
	buffers[2] = ReadMapPage(rel, entry, newBlock, BUFFER_LOCK_EXCLUSIVE);
	old = ContentOf(buffers[1]);
	if (old->kind != RETL_STUB_MAP_LEAF || old->segmentCount < 2)
		RetlReportDamagedPage(rel, BufferGetBlockNumber(buffers[1]), "an invalid stub map");
	division = DivisionOf(old);
	end = old->firstSegment + old->segmentCount;

	CopyRange(&contents[1], old, old->firstSegment, division - old->firstSegment);
	CopyRange(&contents[2], old, division, end - division);
	for (uint32 i = division; i < end; i++)
		contents[0].u.leaves[i] = newBlock;

	RetlPatchBegin(&patch, rel);
	root = RetlPatchAddPage(&patch, buffers[0]);
	RetlPatchWrite(&patch, root, 0, &contents[0], PAGE_HEADER_LENGTH);
	RetlPatchWrite(&patch, root, PAGE_HEADER_LENGTH + sizeof(uint32) * division,
				   &contents[0].u.leaves[division], sizeof(uint32) * (end - division));
	PatchLeaf(&patch, buffers[1], &contents[1]);
	PatchLeaf(&patch, buffers[2], &contents[2]);
	RetlPatchFinish(&patch);
	for (int i = 0; i < 3; i++)
		UnlockReleaseBuffer(buffers[i]);
	pfree(contents);
}

/* ---------------------------------------------------------------------
 * Adding
 * ---------------------------------------------------------------------
 */

/*
 * For how many more entries is there room in the leaf of a row?
 */
int
RetlStubMapRoom(Relation rel, const RetlGroupEntry *entry, uint32 row)
{
	Buffer		buffer;
	int			room;

	if (entry->stubMapRoot == RETLDB_NO_BLOCK)
		return 0;
	buffer = ReadLeaf(rel, entry, SegmentOf(row), BUFFER_LOCK_SHARE);
	room = RETLDB_STUB_LEAF_CAPACITY - ContentOf(buffer)->count;
	UnlockReleaseBuffer(buffer);
	return room;
}

/*
 * Note that an entry is to stand at a position of a leaf.
 */
static void
WriteEntry(RetlPatch *patch, int page, int position, uint64 packed)
{
	RetlPatchWrite(patch, page, offsetof(RetlStubMapPage, u.entries) + sizeof(uint64) * position,
				   &packed, sizeof(packed));
}

/*
 * Make sure that there is room for one more entry.
 */
void
RetlStubMapReserve(Relation rel, RetlGroup *group, uint32 row)
{
	if (group->entry.stubMapRoot == RETLDB_NO_BLOCK)
		CreateMap(rel, group);
	while (RetlStubMapRoom(rel, &group->entry, row) == 0)
	{
		Buffer		buffer;
		bool		isRoot;

		LockPage(rel, RETLDB_HEADER_BLOCK, ExclusiveLock);
		RetlDirectoryRefresh(rel, group);
		/* somebody else may have done it while we waited for the lock */
		if (RetlStubMapRoom(rel, &group->entry, row) == 0)
		{
			buffer = ReadMapPage(rel, &group->entry, group->entry.stubMapRoot, BUFFER_LOCK_SHARE);
			isRoot = ContentOf(buffer)->kind == RETL_STUB_MAP_ROOT;
			UnlockReleaseBuffer(buffer);
			if (isRoot)
				DivideLeaf(rel, group, SegmentOf(row));
			else
				DivideFirstLeaf(rel, group);
		}
		UnlockPage(rel, RETLDB_HEADER_BLOCK, ExclusiveLock);
	}
}

/*
 * Has a leaf an entry of a retired stub?
 */
static bool
HasRetired(const RetlStubMapPage *leaf)
{
	uint64		all = 0;

	for (int i = 0; i < leaf->count; i++)
		all |= leaf->u.entries[i];
	return (all & RETL_STUB_RETIRED) != 0;
}

/*
 * Where the entry of a row is, whose stub has been retired; -1 if it has none.
 */
static int
FindRetired(const RetlStubMapPage *leaf, uint32 row)
{
	int			position = FindEntry(leaf, row, 0);

	Assert(position < 0 || (leaf->u.entries[position] & RETL_STUB_RETIRED) != 0);
	return position;
}

/*
 * Add entries for rows of one leaf.  Only holders of the map's lock add entries,
 * so the room that the caller has found is still there.  Those of retired stubs are
 * written over.
 */
void
RetlStubMapAdd(Relation rel, const RetlGroupEntry *entry, const RetlStubEntry *entries, int count)
{
	Buffer		buffer = ReadLeaf(rel, entry, SegmentOf(entries[0].row), BUFFER_LOCK_EXCLUSIVE);
	RetlStubMapPage *leaf = ContentOf(buffer);
	uint64		packed[RETLDB_STUB_LEAF_CAPACITY];
	bool		retired = HasRetired(leaf);
	uint16		added = 0;
	uint16		newCount;
	RetlPatch	patch;
	int			page;

	if (leaf->count + count > RETLDB_STUB_LEAF_CAPACITY)
		elog(ERROR, "no room in the stub map of table \"%s\"", RelationGetRelationName(rel));
	RetlPatchBegin(&patch, rel);
	page = RetlPatchAddPage(&patch, buffer);
	for (int i = 0; i < count; i++)
	{
		uint64		packedEntry = PackEntry(&entries[i]);
		int			position = retired ? FindRetired(leaf, entries[i].row) : -1;

		Assert(SegmentOf(entries[i].row) - leaf->firstSegment < leaf->segmentCount);
		Assert(retired || FindEntry(leaf, entries[i].row, 0) < 0);
		if (position < 0)
			packed[added++] = packedEntry;
		else
			WriteEntry(&patch, page, position, packedEntry);
	}
	newCount = leaf->count + added;
	if (added > 0)
	{
		RetlPatchWrite(&patch, page, offsetof(RetlStubMapPage, count), &newCount, sizeof(newCount));
		RetlPatchWrite(&patch, page,
					   offsetof(RetlStubMapPage, u.entries) + sizeof(uint64) * leaf->count,
					   packed, sizeof(uint64) * added);
	}
	RetlPatchFinish(&patch);
	UnlockReleaseBuffer(buffer);
}

/*
 * What becomes of an entry: false if it stays.  A row that is dead has no other stub than
 * the one that was found gone: none is made for it, and while VACUUM looks nobody retires
 * one.
 */
static bool
ChangeEntry(EntryChange change, const RetlStubEntry *entry, uint64 old, uint64 *new)
{
	const uint64 place = ((BLOCK_MASK << RETL_STUB_ROW_BITS) | (OFFSET_MASK << OFFSET_SHIFT));
	bool		same = (old & place) ==
		((uint64) ItemPointerGetBlockNumberNoCheck(&entry->stub) << RETL_STUB_ROW_BITS |
		 (uint64) ItemPointerGetOffsetNumberNoCheck(&entry->stub) << OFFSET_SHIFT);

	switch (change)
	{
		case SET_DEAD:
			*new = entry->row | RETL_STUB_DEAD;
			return (old & RETL_STUB_RETIRED) == 0;
		case SET_RETIRED:
			*new = (old & (ROW_MASK | place)) | RETL_STUB_RETIRED;
			return same && (old & (RETL_STUB_DEAD | RETL_STUB_RETIRED)) == 0;
		case FORGET_RETIRED:
			*new = entry->row | RETL_STUB_RETIRED;
			return same && (old & RETL_STUB_RETIRED) != 0;
	}
	return false;
}

/*
 * Change entries of one leaf, of those rows that are among "entries" from
 * *next on (which are ordered by row) and belong to it.
 */
static void
ChangeInLeaf(Relation rel, const RetlGroupEntry *entry, EntryChange change,
			 const RetlStubEntry *entries, int count, int *next)
{
	Buffer		buffer = ReadLeaf(rel, entry, SegmentOf(entries[*next].row), BUFFER_LOCK_EXCLUSIVE);
	RetlStubMapPage *leaf = ContentOf(buffer);
	RetlPatch	patch;
	int			page;

	RetlPatchBegin(&patch, rel);
	page = RetlPatchAddPage(&patch, buffer);
	for (; *next < count; (*next)++)
	{
		uint32		row = entries[*next].row;
		uint64		packed;
		int			position;

		if (SegmentOf(row) - leaf->firstSegment >= leaf->segmentCount)
			break;
		position = FindEntry(leaf, row, 0);
		if (position >= 0 &&
			ChangeEntry(change, &entries[*next], leaf->u.entries[position], &packed))
			WriteEntry(&patch, page, position, packed);
	}
	RetlPatchFinish(&patch);
	UnlockReleaseBuffer(buffer);
}

/*
 * Tell all leaves of a group's map where its stub numbers are.
 */
static void
SetNumberPages(Relation rel, const RetlGroupEntry *entry, RetlRun pages)
{
	uint32		values[2] = {pages.start, pages.length};
	uint32		segment = 0;

	while (segment < SegmentCount(entry))
	{
		Buffer		buffer = ReadLeaf(rel, entry, segment, BUFFER_LOCK_EXCLUSIVE);
		RetlPatch	patch;

		segment = ContentOf(buffer)->firstSegment + ContentOf(buffer)->segmentCount;
		RetlPatchBegin(&patch, rel);
		RetlPatchWrite(&patch, RetlPatchAddPage(&patch, buffer),
					   offsetof(RetlStubMapPage, spareBlock), values, sizeof(values));
		RetlPatchFinish(&patch);
		UnlockReleaseBuffer(buffer);
	}
}

/*
 * Write the numbers that the shared ones of some stubs carry.
 */
static void
WriteNumbers(Relation rel, RetlGroup *group, const RetlStubEntry *entries, int count)
{
	RetlStubNumber *numbers = palloc_extended(sizeof(RetlStubNumber) * count, MCXT_ALLOC_HUGE);
	uint32		shared = 0;

	for (int i = 0; i < count; i++)
		if (entries[i].shared)
			numbers[shared++] = (RetlStubNumber) {entries[i].row, entries[i].number};
	if (shared > 0)
	{
		RetlDirectorySetIncompat(rel, RETL_INCOMPAT_SHARED_STUBS);
		SetNumberPages(rel, &group->entry, RetlStubNumbersWrite(rel, group, numbers, shared));
	}
	pfree(numbers);
}

/*
 * See stub_map.h.  The entries go to leaves as many at once as these have room for.
 */
void
RetlStubMapInherit(Relation rel, RetlGroup *group, RetlStubEntry *entries, int count)
{
	RetlStubEntry *rows = palloc(sizeof(RetlStubEntry) * RETLDB_STUB_LEAF_CAPACITY);
	RetlTouch  *touches = palloc(sizeof(RetlTouch) * RETLDB_STUB_LEAF_CAPACITY);

	if (count > 0)
	{
		RetlStubMapReserve(rel, group, entries[0].row);
		WriteNumbers(rel, group, entries, count);
	}
	for (int done = 0; done < count;)
	{
		int			wanted = Min(count - done, RETLDB_STUB_LEAF_CAPACITY);
		int			room;
		int			inLeaf;

		CHECK_FOR_INTERRUPTS();
		RetlStubMapReserve(rel, group, entries[done].row);
		memcpy(rows, entries + done, sizeof(RetlStubEntry) * wanted);
		RetlStubMapLock(rel, &group->entry);
		inLeaf = RetlStubMapLookupRows(rel, &group->entry, rows, touches, wanted, &room);
		RetlStubMapAdd(rel, &group->entry, entries + done, Min(inLeaf, room));
		RetlStubMapUnlock(rel, &group->entry);
		done += Min(inLeaf, room);
	}
	pfree(rows);
	pfree(touches);
}

static int
CompareRows(const void *a, const void *b)
{
	uint32		left = ((const RetlStubEntry *) a)->row;
	uint32		right = ((const RetlStubEntry *) b)->row;

	return left < right ? -1 : left > right;
}

/*
 * Change entries of a group.
 */
static void
ChangeEntries(Relation rel, const RetlGroupEntry *entry, EntryChange change,
			  const RetlStubEntry *entries, int count)
{
	RetlStubEntry *sorted;
	int			next = 0;

	if (count == 0)
		return;
	sorted = palloc_extended(sizeof(RetlStubEntry) * count, MCXT_ALLOC_HUGE);
	memcpy(sorted, entries, sizeof(RetlStubEntry) * count);
	qsort(sorted, count, sizeof(RetlStubEntry), CompareRows);
	while (next < count)
		ChangeInLeaf(rel, entry, change, sorted, count, &next);
	pfree(sorted);
}

/*
 * Mark entries as dead.
 */
void
RetlStubMapSetDead(Relation rel, const RetlGroupEntry *entry, const RetlStubEntry *entries,
				   int count)
{
	ChangeEntries(rel, entry, SET_DEAD, entries, count);
}

/*
 * See stub_map.h.  Whoever has replaced the stub meanwhile has written over its place,
 * where no other stub comes before the retired one is gone.
 */
void
RetlStubMapSetRetired(Relation rel, const RetlGroupEntry *entry, const RetlStubEntry *entries,
					  int count)
{
	ChangeEntries(rel, entry, SET_RETIRED, entries, count);
}

/*
 * Forget places of retired stubs.
 */
void
RetlStubMapForgetRetired(Relation rel, const RetlGroupEntry *entry,
						 const RetlStubEntry *entries, int count)
{
	ChangeEntries(rel, entry, FORGET_RETIRED, entries, count);
}

/* ---------------------------------------------------------------------
 * Verification
 * ---------------------------------------------------------------------
 */

/* What the leaves of a map say. */
typedef struct MapCheck
{
	bool	   *seen;			/* rows that have an entry */
	bool	   *shared;			/* those whose stubs were made in another group */
	RetlRun		numbers;		/* where leaves with shared stubs say that numbers are */
} MapCheck;

/*
 * What is wrong with the content of a leaf, or NULL.  An entry may name a block
 * past the end: VACUUM cuts off pages whose stubs are gone.
 */
static char *
LeafProblem(const RetlStubMapPage *leaf, const RetlGroupEntry *entry, MapCheck *check)
{
	for (int i = 0; i < RETLDB_STUB_LEAF_CAPACITY; i++)
	{
		RetlStubEntry found;

		if (i >= leaf->count)
		{
			if (leaf->u.entries[i] != 0)
				return "stub map has data past its entries";
			continue;
		}
		UnpackEntry(leaf->u.entries[i], entry, &found);
		if (leaf->u.entries[i] >> 63 != 0 || (found.shared && leaf->spareCount == 0) ||
			(found.dead && leaf->u.entries[i] != (found.row | RETL_STUB_DEAD)) ||
			(found.retired && found.shared) ||
			(!found.dead && leaf->u.entries[i] != (found.row | RETL_STUB_RETIRED) &&
			 (ItemPointerGetBlockNumberNoCheck(&found.stub) == RETLDB_HEADER_BLOCK ||
			  ItemPointerGetOffsetNumberNoCheck(&found.stub) == 0)))
			return psprintf("stub map has an invalid entry for row %u", found.row);
		if (found.row >= entry->rowCount ||
			SegmentOf(found.row) - leaf->firstSegment >= leaf->segmentCount)
			return psprintf("stub map has row %u on the wrong page", found.row);
		if (check->seen[found.row])
			return psprintf("stub map has two entries for row %u", found.row);
		check->seen[found.row] = true;
		check->shared[found.row] = found.shared;
		if (found.shared && check->numbers.length > 0 &&
			(check->numbers.start != leaf->spareBlock || check->numbers.length != leaf->spareCount))
			return "stub map names two places of stub numbers";
		if (found.shared)
			check->numbers = NumberPages(leaf);
	}
	return NULL;
}

/*
 * What is wrong with the map of a group, or NULL.  The caller sees to it that a
 * map which changed meanwhile is looked at again.
 */
char *
RetlStubMapProblem(Relation rel, const RetlGroupEntry *entry)
{
	RetlStubMapPage *copy = palloc(sizeof(RetlStubMapPage));
	Size		rows = Max(entry->rowCount, 1);
	bool	   *marks = palloc0(sizeof(bool) * rows * 2);
	MapCheck	check = {.seen = marks, .shared = marks + rows};
	uint32		segment = 0;
	char	   *problem = NULL;

	while (segment < SegmentCount(entry) && problem == NULL)
	{
		Buffer		buffer = ReadLeaf(rel, entry, segment, BUFFER_LOCK_SHARE);

		memcpy(copy, ContentOf(buffer), sizeof(RetlStubMapPage));
		UnlockReleaseBuffer(buffer);
		if (copy->firstSegment != segment)
			problem = psprintf("stub map has segment %u twice", segment);
		else
			problem = LeafProblem(copy, entry, &check);
		segment = copy->firstSegment + copy->segmentCount;
	}
	if (problem == NULL && check.numbers.length > 0)
		problem = RetlStubNumbersProblem(rel, entry, check.numbers, check.shared);
	pfree(copy);
	pfree(marks);
	return problem;
}
