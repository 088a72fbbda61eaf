/*-------------------------------------------------------------------------
 *
 * scan_store.c
 *	  Conditions on rows of the row store.
 *
 * The caller of a scan checks rows of the row store itself.  But most of them fail, and
 * to hand out a row in a slot takes several times as long as to compare one of its
 * columns.  So rows are turned away, a page at a time, that fail a condition which is a
 * comparison of integers, or of bytes with those of a constant; others are left to the
 * caller, who looks at all conditions of the rows that are left.
 *
 * To know the constants before the caller needs them must not matter (they may be
 * results of subqueries, which heap does not run if another condition fails for all
 * rows), so this is done only where the caller says so.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "utils/rel.h"

#include "base/compat.h"
#include "encoding/filtering.h"
#include "visibility/table_scan_state.h"

/* A condition on a column that is easily tested. */
typedef struct StoreTest
{
	AttrNumber	attnum;
	const RetlFilter *filter;	/* of bytes; NULL: integers, */
	RetlIntRange range;			/* these */
	uint64		mask;			/* and their size */
} StoreTest;

struct RetlStoreFilter
{
	bool		never;			/* no row passes */
	int			count;
	StoreTest	tests[FLEXIBLE_ARRAY_MEMBER];
};

/* ---------------------------------------------------------------------
 * Which conditions
 * ---------------------------------------------------------------------
 */

/*
 * Make a test of a condition; false if it is none that is easily tested.
 */
static bool
MakeTest(const RetlTableScan *scan, const RetlColumnTest *condition, StoreTest *test)
{
	const RetlFilter *filter = &condition->filter;
	Form_pg_attribute att;

	if (condition->kind != RETL_COLUMN_FILTER)
		return false;
	att = TupleDescAttr(RelationGetDescr(scan->rel), condition->attnum - 1);
	test->attnum = condition->attnum;
	test->filter = NULL;
	switch (filter->order)
	{
		case RETL_ORDER_SIGNED:
		case RETL_ORDER_UNSIGNED:
			test->mask = att->attbyval ? ~UINT64CONST(0) >> (64 - 8 * att->attlen) : 0;
			return att->attbyval && RetlFilterCanCompare(filter, RETL_PHYS_INT, att->attlen) &&
				RetlFilterIntRange(filter, RETL_PHYS_INT, att->attlen, &test->range);
		case RETL_ORDER_BYTES:
			test->filter = filter;
			return att->attlen == -1 && RetlFilterCanCompare(filter, RETL_PHYS_BYTES, 0);
		default:
			return false;
	}
}

/*
 * Find the tests of a (re)scan, whose constants are known.
 */
static RetlStoreFilter *
MakeFilter(RetlTableScan *scan)
{
	int			count = scan->conditions->count;
	RetlStoreFilter *made = MemoryContextAlloc(scan->context, offsetof(RetlStoreFilter, tests) +
											   sizeof(StoreTest) * count);

	made->never = false;
	made->count = 0;
	for (int i = 0; i < count; i++)
	{
		const RetlColumnTest *condition = scan->conditions->trees[i]->test;

		if (condition == NULL)
			continue;
		if (condition->kind == RETL_COLUMN_NEVER)
			made->never = true;
		else if (MakeTest(scan, condition, &made->tests[made->count]))
			made->count++;
	}
	return made;
}

/* See table_scan.h. */
void
RetlTableScanFilterRowStore(RetlTableScan *scan, bool filters)
{
	scan->filtersStore = filters && scan->conditions != NULL && IsMVCCSnapshot(scan->snapshot);
	if (scan->storeFilter != NULL)
		pfree(scan->storeFilter);
	scan->storeFilter = NULL;
}

/* ---------------------------------------------------------------------
 * Rows
 * ---------------------------------------------------------------------
 */

/*
 * Does a value pass?  One that is compressed or out of line may.
 */
static inline bool
Passes(const StoreTest *test, Datum value)
{
	struct varlena *bytes;

	if (test->filter == NULL)
	{
		const RetlIntRange *range = &test->range;
		bool		inside = !range->empty &&
			(((uint64) value - range->start) & test->mask) <= range->span;

		return inside != range->negate;
	}
	bytes = (struct varlena *) DatumGetPointer(value);
	return VARATT_IS_EXTERNAL(bytes) || VARATT_IS_COMPRESSED(bytes) ||
		RetlFilterTest(test->filter, RETL_PHYS_BYTES, 0, (const uint8 *) VARDATA_ANY(bytes),
					   VARSIZE_ANY_EXHDR(bytes));
}

/*
 * Turn away rows of the open page that fail a test.  Tests are strict.
 */
static void
RunTest(RetlRowStorePage *page, TupleDesc tupdesc, const StoreTest *test)
{
	int			left = 0;

	for (int i = 0; i < page->tupleCount; i++)
	{
		OffsetNumber offset = page->offsets[i];
		bool		isnull;
		Datum		value;

		RetlRowStorePageSetTuple(page, offset);
		value = heap_getattr(&page->tuple, test->attnum, tupdesc, &isnull);
		if (!isnull && Passes(test, value))
			page->offsets[left++] = offset;
	}
	page->tupleCount = left;
}

/* See table_scan_state.h. */
void
RetlScanFilterPage(RetlTableScan *scan)
{
	RetlRowStorePage *page = &scan->page;
	int			before = page->tupleCount;

	if (before == 0)
		return;
	if (scan->storeFilter == NULL)
	{
		if (scan->prepare != NULL)
			scan->prepare(scan->prepareArg);
		scan->storeFilter = MakeFilter(scan);
	}
	if (scan->storeFilter->never)
		page->tupleCount = 0;
	for (int i = 0; i < scan->storeFilter->count && page->tupleCount > 0; i++)
		RunTest(page, RelationGetDescr(scan->rel), &scan->storeFilter->tests[i]);
	scan->stats.rowStoreRows += before - page->tupleCount;
	scan->stats.storeRowsFiltered += before - page->tupleCount;
}
