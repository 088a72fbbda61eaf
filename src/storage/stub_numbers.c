/*-------------------------------------------------------------------------
 *
 * stub_numbers.c
 *	  The row numbers that shared stubs carry.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "base/errors.h"
#include "storage/column_page.h"
#include "storage/stub_numbers.h"

#define ROW_MASK	((UINT64_C(1) << RETL_STUB_ROW_BITS) - 1)

/* See stub_numbers.h. */
RetlRun
RetlStubNumbersWrite(Relation rel, RetlGroup *group, const RetlStubNumber *numbers, uint32 count)
{
	uint32		pages = (count + RETLDB_STUB_NUMBERS_CAPACITY - 1) / RETLDB_STUB_NUMBERS_CAPACITY;
	char	   *images = palloc_extended((Size) pages * BLCKSZ, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	RetlRun		run;

	Assert(count > 0);
	for (uint32 i = 0; i < pages; i++)
	{
		Page		page = (Page) (images + (Size) i * BLCKSZ);
		uint32		first = i * RETLDB_STUB_NUMBERS_CAPACITY;
		RetlStubNumberPage *content;

		RetlPageInit(page, RETL_PAGE_STUB_NUMBERS, group->entry.groupId, i);
		RetlPageGetHeader(page)->used = sizeof(RetlStubNumberPage);
		content = (RetlStubNumberPage *) RetlPageGetPayload(page);
		content->count = Min(count - first, RETLDB_STUB_NUMBERS_CAPACITY);
		for (uint32 j = 0; j < content->count; j++)
			content->entries[j] = numbers[first + j].row |
				numbers[first + j].number << RETL_STUB_ROW_BITS;
	}
	run = RetlDirectoryAddPages(rel, group, images, pages);
	pfree(images);
	return run;
}

/*
 * Read and lock a page.
 */
static Buffer
ReadPage(Relation rel, const RetlGroupEntry *entry, RetlRun pages, uint32 sequence,
		 const RetlStubNumberPage **content)
{
	/* a page that is not among them is no page of the table's */
	BlockNumber block = sequence < pages.length ? pages.start + sequence : InvalidBlockNumber;
	Buffer		buffer = RetlPageReadNamed(rel, block, RETL_PAGE_STUB_NUMBERS, entry->groupId,
										   sequence, BUFFER_LOCK_SHARE, true,
										   "its stub numbers");

	*content = (const RetlStubNumberPage *) RetlPageGetPayload(BufferGetPage(buffer));
	if ((*content)->count == 0 || (*content)->count > RETLDB_STUB_NUMBERS_CAPACITY)
		RetlReportDamagedPage(rel, block, "invalid stub numbers");
	return buffer;
}

/*
 * The position of the first entry of a page that is of this row or a later one.
 */
static uint32
PositionOf(const RetlStubNumberPage *page, uint32 row)
{
	uint32		low = 0;
	uint32		high = page->count;

	while (low < high)
	{
		uint32		middle = (low + high) / 2;

		if ((page->entries[middle] & ROW_MASK) < row)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void
ReportMissing(Relation rel, const RetlGroupEntry *entry, uint32 row)
{
	RetlReportDamagedGroup(rel, entry->groupId, NULL,
						   psprintf("it has no number of the stub of row %u", row));
}

/* See stub_numbers.h. */
uint64
RetlStubNumberFind(Relation rel, const RetlGroupEntry *entry, RetlRun pages, uint32 row)
{
	uint32		low = 0;
	uint32		high = pages.length;

	while (low < high)
	{
		uint32		middle = (low + high) / 2;
		const RetlStubNumberPage *page;
		Buffer		buffer = ReadPage(rel, entry, pages, middle, &page);
		uint32		position = PositionOf(page, row);
		uint64		found = position < page->count ? page->entries[position] : 0;

		UnlockReleaseBuffer(buffer);
		if (position == page->count)
			low = middle + 1;
		else if ((found & ROW_MASK) == row)
			return found >> RETL_STUB_ROW_BITS;
		else if (position > 0)
			break;
		else
			high = middle;
	}
	ReportMissing(rel, entry, row);
	return 0;
}

/* See stub_numbers.h. */
RetlStubNumber *
RetlStubNumbersRead(Relation rel, const RetlGroupEntry *entry, RetlRun pages, uint32 *count)
{
	RetlStubNumber *numbers = palloc_extended(sizeof(RetlStubNumber) * pages.length *
											  RETLDB_STUB_NUMBERS_CAPACITY, MCXT_ALLOC_HUGE);

	*count = 0;
	for (uint32 i = 0; i < pages.length; i++)
	{
		const RetlStubNumberPage *page;
		Buffer		buffer;

		CHECK_FOR_INTERRUPTS();
		buffer = ReadPage(rel, entry, pages, i, &page);
		for (uint32 j = 0; j < page->count; j++)
		{
			RetlStubNumber *to = &numbers[(*count)++];

			to->row = page->entries[j] & ROW_MASK;
			to->number = page->entries[j] >> RETL_STUB_ROW_BITS;
		}
		UnlockReleaseBuffer(buffer);
	}
	return numbers;
}

/* See stub_numbers.h. */
uint64
RetlStubNumberAmong(Relation rel, const RetlGroupEntry *entry, const RetlStubNumber *numbers,
					uint32 count, uint32 row)
{
	uint32		low = 0;
	uint32		high = count;

	while (low < high)
	{
		uint32		middle = (low + high) / 2;

		if (numbers[middle].row < row)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == count || numbers[low].row != row)
		ReportMissing(rel, entry, row);
	return numbers[low].number;
}

/* ---------------------------------------------------------------------
 * Verification
 * ---------------------------------------------------------------------
 */

/* qsort() callback: by what the stubs carry. */
static int
CompareNumbers(const void *one, const void *other)
{
	uint64		left = ((const RetlStubNumber *) one)->number;
	uint64		right = ((const RetlStubNumber *) other)->number;

	return left < right ? -1 : left > right;
}

/*
 * What is wrong with the numbers themselves.  A stub was made before its row came to the
 * group, so it carries a number that was given out before those of the group.
 */
static char *
NumbersProblem(const RetlGroupEntry *entry, const RetlStubNumber *numbers, uint32 count)
{
	for (uint32 i = 0; i < count; i++)
	{
		if (numbers[i].row >= entry->rowCount || (i > 0 && numbers[i].row <= numbers[i - 1].row))
			return psprintf("stub numbers have row %u in the wrong place", numbers[i].row);
		if (numbers[i].number >= entry->rowBase)
			return psprintf("stub number of row %u is out of range", numbers[i].row);
	}
	return NULL;
}

/*
 * See stub_numbers.h.  Rows that are dead for everybody keep their numbers, as do those
 * whose stubs were retired, even if they have got others.
 */
char *
RetlStubNumbersProblem(Relation rel, const RetlGroupEntry *entry, RetlRun pages,
					   const bool *shared)
{
	uint32		count;
	RetlStubNumber *numbers = RetlStubNumbersRead(rel, entry, pages, &count);
	char	   *problem = NumbersProblem(entry, numbers, count);
	uint32		next = 0;

	for (uint32 row = 0; row < entry->rowCount && problem == NULL; row++)
	{
		bool		found;

		while (next < count && numbers[next].row < row)
			next++;
		found = next < count && numbers[next].row == row;
		if (shared[row] && !found)
			problem = psprintf("stub numbers lack row %u, whose stub is shared", row);
	}
	if (problem == NULL)
		qsort(numbers, count, sizeof(RetlStubNumber), CompareNumbers);
	for (uint32 i = 1; i < count && problem == NULL; i++)
	{
		if (numbers[i].number == numbers[i - 1].number)
			problem = psprintf("stub numbers have number %llu twice",
							   (unsigned long long) numbers[i].number);
	}
	pfree(numbers);
	return problem;
}
