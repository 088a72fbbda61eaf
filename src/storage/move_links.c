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
	first = RetlDirectoryAppendPages(rel, group, images, pages).start;
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
	Buffer		buffer;

	if (block == RETLDB_HEADER_BLOCK || block >= RETLDB_FIRST_ROW_BLOCK)
		RetlReportDamagedGroup(rel, entry->groupId, NULL, "a page of its links is outside the table");
	buffer = RetlPageRead(rel, block, RETL_PAGE_LINKS, entry->groupId, sequence,
						  BUFFER_LOCK_SHARE, NULL);
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
