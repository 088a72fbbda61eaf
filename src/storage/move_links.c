/*-------------------------------------------------------------------------
 *
 * move_links.c
 *	  Where the rows of a row group have gone.
 *
 * Rows that are merged with those of other groups stay together, but for dead
 * ones between them; so a page of runs is enough for most groups.  Where it is
 * not, because rows were sorted, each row has its place.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/rel.h"

#include "base/errors.h"
#include "storage/column_page.h"
#include "storage/move_links.h"

/* ---------------------------------------------------------------------
 * Writing
 * ---------------------------------------------------------------------
 */

/*
 * Make the image of a page of links.
 */
static RetlLinkPage *
InitPage(char *image, uint64 groupId, uint32 sequence, RetlLinkKind kind, uint64 base)
{
	RetlLinkPage *content;

	RetlPageInit((Page) image, RETL_PAGE_LINKS, groupId, sequence);
	RetlPageGetHeader((Page) image)->used = sizeof(RetlLinkPage);
	content = (RetlLinkPage *) RetlPageGetPayload((Page) image);
	content->kind = kind;
	content->base = base;
	return content;
}

/*
 * Put rows that have stayed together on a page; false if they do not fit.
 */
static bool
PutRuns(RetlLinkPage *page, const uint32 *places, uint32 rowCount)
{
	for (uint32 row = 0; row < rowCount; row++)
	{
		RetlLinkRun *last = page->count > 0 ? &page->u.runs[page->count - 1] : NULL;

		if (places[row] == RETLDB_NO_LINK)
			continue;
		if (last != NULL && last->row + last->length == row &&
			last->place + last->length == places[row])
		{
			last->length++;
			continue;
		}
		if (page->count == RETLDB_LINK_RUNS_CAPACITY)
			return false;
		last = &page->u.runs[page->count++];
		last->row = row;
		last->length = 1;
		last->place = places[row];
	}
	return true;
}

/* See move_links.h. */
BlockNumber
RetlLinksWrite(Relation rel, RetlGroup *group, const uint32 *places, uint64 base)
{
	uint32		rowCount = group->entry.rowCount;
	uint32		pages = 1;
	char	   *images = palloc0(BLCKSZ);
	BlockNumber first;

	if (!PutRuns(InitPage(images, group->entry.groupId, 0, RETL_LINKS_RUNS, base), places,
				 rowCount))
	{
		pfree(images);
		pages = (rowCount + RETLDB_LINK_ROWS_CAPACITY - 1) / RETLDB_LINK_ROWS_CAPACITY;
		images = palloc_extended((Size) pages * BLCKSZ, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
		for (uint32 i = 0; i < pages; i++)
		{
			RetlLinkPage *page = InitPage(images + (Size) i * BLCKSZ, group->entry.groupId, i,
										  RETL_LINKS_ROWS, base);
			uint32		firstRow = i * RETLDB_LINK_ROWS_CAPACITY;

			page->count = Min(rowCount - firstRow, RETLDB_LINK_ROWS_CAPACITY);
			memcpy(page->u.places, places + firstRow, sizeof(uint32) * page->count);
		}
	}
	first = RetlDirectoryAddPages(rel, group, images, pages).start;
	pfree(images);
	return first;
}

/* ---------------------------------------------------------------------
 * Reading
 * ---------------------------------------------------------------------
 */

/*
 * Read and lock a page of links.
 */
static Buffer
ReadPage(Relation rel, const RetlGroupEntry *entry, BlockNumber block, uint32 sequence,
		 const RetlLinkPage **content)
{
	Buffer		buffer = RetlPageReadNamed(rel, block, RETL_PAGE_LINKS, entry->groupId, sequence,
										   BUFFER_LOCK_SHARE, true, "its links");

	*content = (const RetlLinkPage *) RetlPageGetPayload(BufferGetPage(buffer));
	if ((*content)->kind == RETL_LINKS_RUNS
		? sequence != 0 || (*content)->count > RETLDB_LINK_RUNS_CAPACITY
		: (*content)->kind != RETL_LINKS_ROWS || (*content)->count > RETLDB_LINK_ROWS_CAPACITY)
		RetlReportDamagedPage(rel, block, "invalid links");
	return buffer;
}

/*
 * The place of a row by a page of runs.
 */
static uint32
FindInRuns(const RetlLinkPage *page, uint32 row)
{
	uint32		low = 0;
	uint32		high = page->count;
	const RetlLinkRun *run;

	/* the last one that begins at or before the row */
	while (low < high)
	{
		uint32		middle = (low + high) / 2;

		if (page->u.runs[middle].row <= row)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0)
		return RETLDB_NO_LINK;
	run = &page->u.runs[low - 1];
	return row - run->row < run->length ? run->place + (row - run->row) : RETLDB_NO_LINK;
}

/* See move_links.h. */
bool
RetlLinksFind(Relation rel, const RetlGroupEntry *entry, BlockNumber links, uint32 row,
			  uint64 *rowNumber)
{
	const RetlLinkPage *page;
	Buffer		buffer = ReadPage(rel, entry, links, 0, &page);
	uint32		place;

	if (page->kind == RETL_LINKS_RUNS)
		place = FindInRuns(page, row);
	else
	{
		uint32		sequence = row / RETLDB_LINK_ROWS_CAPACITY;

		if (sequence > 0)
		{
			UnlockReleaseBuffer(buffer);
			buffer = ReadPage(rel, entry, links + sequence, sequence, &page);
		}
		if (page->kind != RETL_LINKS_ROWS || row % RETLDB_LINK_ROWS_CAPACITY >= page->count)
			RetlReportDamagedPage(rel, links + sequence, "invalid links");
		place = page->u.places[row % RETLDB_LINK_ROWS_CAPACITY];
	}
	*rowNumber = page->base + place;
	UnlockReleaseBuffer(buffer);
	if (place == RETLDB_NO_LINK)
		return false;
	if (*rowNumber >= RETLDB_MAX_ROW_NUMBER)
		RetlReportDamagedGroup(rel, entry->groupId, NULL, "its links have invalid row numbers");
	return true;
}

/*
 * Note where the rows of a page of runs have gone, or say what is wrong with it.
 */
static char *
CollectRuns(const RetlLinkPage *page, uint32 rowCount, uint32 *places)
{
	uint64		next = 0;

	for (uint32 i = 0; i < page->count; i++)
	{
		const RetlLinkRun *run = &page->u.runs[i];

		if (run->row < next || run->length == 0 || (uint64) run->row + run->length > rowCount)
			return psprintf("links have an invalid run of rows from row %u", run->row);
		if ((uint64) run->place + run->length > RETLDB_NO_LINK)
			return psprintf("links lead row %u out of range", run->row);
		for (uint32 j = 0; j < run->length; j++)
			places[run->row + j] = run->place + j;
		next = (uint64) run->row + run->length;
	}
	return NULL;
}

/*
 * Note where all rows of a group have gone, or say what is wrong with a page.  *base is
 * that of all pages.
 */
static char *
CollectPlaces(Relation rel, const RetlGroupEntry *entry, BlockNumber links, uint32 *places,
			  uint64 *base)
{
	uint32		row = 0;
	char	   *problem = NULL;

	for (uint32 sequence = 0; row < entry->rowCount && problem == NULL; sequence++)
	{
		const RetlLinkPage *page;
		Buffer		buffer;

		CHECK_FOR_INTERRUPTS();
		buffer = ReadPage(rel, entry, links + sequence, sequence, &page);
		if (sequence == 0)
			*base = page->base;
		if (page->base != *base)
			problem = pstrdup("links count from two row numbers");
		else if (page->kind == RETL_LINKS_RUNS)
		{
			problem = CollectRuns(page, entry->rowCount, places);
			row = entry->rowCount;
		}
		else if (page->count != Min(entry->rowCount - row, RETLDB_LINK_ROWS_CAPACITY))
			problem = psprintf("links have %u rows on page %u", page->count, sequence);
		else
		{
			memcpy(places + row, page->u.places, sizeof(uint32) * page->count);
			row += page->count;
		}
		UnlockReleaseBuffer(buffer);
	}
	return problem;
}

/*
 * The same, palloc'd.
 */
static uint32 *
ReadPlaces(Relation rel, const RetlGroupEntry *entry, BlockNumber links, uint64 *base,
		   char **problem)
{
	uint32	   *places = palloc_extended(sizeof(uint32) * Max(entry->rowCount, 1),
										 MCXT_ALLOC_HUGE);

	*base = 0;
	memset(places, 0xFF, sizeof(uint32) * entry->rowCount);
	*problem = CollectPlaces(rel, entry, links, places, base);
	return places;
}

/* See move_links.h. */
uint32 *
RetlLinksRead(Relation rel, const RetlGroupEntry *entry, BlockNumber links, uint64 *base)
{
	char	   *problem;
	uint32	   *places = ReadPlaces(rel, entry, links, base, &problem);

	if (problem != NULL)
		RetlReportDamagedGroup(rel, entry->groupId, NULL, problem);
	return places;
}

/* ---------------------------------------------------------------------
 * Verification
 * ---------------------------------------------------------------------
 */

/* qsort() callback */
static int
ComparePlaces(const void *one, const void *other)
{
	uint32		left = *(const uint32 *) one;
	uint32		right = *(const uint32 *) other;

	return left < right ? -1 : left > right;
}

/* See move_links.h.  Rows are moved to groups whose numbers were given out later. */
char *
RetlLinksProblem(Relation rel, const RetlGroupEntry *entry, BlockNumber links,
				 uint64 nextRowNumber)
{
	uint64		base;
	char	   *problem;
	uint32	   *places = ReadPlaces(rel, entry, links, &base, &problem);

	for (uint32 row = 0; row < entry->rowCount && problem == NULL; row++)
	{
		if (places[row] != RETLDB_NO_LINK &&
			(base > nextRowNumber || base + places[row] >= nextRowNumber ||
			 base + places[row] < entry->rowBase + entry->rowCapacity))
			problem = psprintf("links lead row %u out of range", row);
	}
	if (problem == NULL)
		qsort(places, entry->rowCount, sizeof(uint32), ComparePlaces);
	for (uint32 i = 1; i < entry->rowCount && problem == NULL; i++)
	{
		if (places[i] == places[i - 1] && places[i] != RETLDB_NO_LINK)
			problem = psprintf("links lead two rows to row number %llu",
							   (unsigned long long) (base + places[i]));
	}
	pfree(places);
	return problem;
}
