/*-------------------------------------------------------------------------
 *
 * scan_rows.c
 *	  Whole rows for users of a scan who want all columns: made some at a time.
 *
 * Rows by place are made one by one, for their neighbours are seldom wanted.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "visibility/table_scan_state.h"

/* Rows that are made at once: see RowBatch. */
#define BATCH_ROWS			64
#define BATCH_VALUES		1024

/* Make room for rows of so many columns. */
static void
AllocateBatch(RetlTableScan *scan, int natts)
{
	RowBatch   *batch = &scan->batch;

	batch->natts = natts;
	batch->capacity = Max(Min(BATCH_VALUES / Max(natts, 1), BATCH_ROWS), 1);
	batch->values = MemoryContextAllocHuge(scan->context,
										   sizeof(Datum) * batch->capacity * Max(natts, 1));
	batch->isnull = MemoryContextAllocHuge(scan->context,
										   sizeof(bool) * batch->capacity * Max(natts, 1));
}

/* Put values of a vector, of TYPE, into a column of the batch. */
#define SPREAD_VALUES(TYPE, TO_DATUM) \
	do { \
		const TYPE *from = (const TYPE *) vector->fixed + batch->firstRow; \
		for (uint32 row = 0; row < rowCount; row++) \
			values[row * natts] = TO_DATUM(from[row]); \
	} while (0)

/* Put values of a vector into a column of the batch; null rows get any value. */
static void
SpreadVector(RowBatch *batch, const RetlVector *vector, Datum *values)
{
	const Size	natts = batch->natts;
	const uint32 rowCount = batch->rowCount;

	if (vector->pointers != NULL)
	{
		char	   *const *from = vector->pointers + batch->firstRow;

		for (uint32 row = 0; row < rowCount; row++)
		{
			/* values of all columns together may be too many for the nearest caches */
			__builtin_prefetch(from[row]);
			values[row * natts] = PointerGetDatum(from[row]);
		}
	}
	else if (!vector->byValue)
	{
		char	   *from = vector->fixed + (Size) batch->firstRow * vector->typeLength;

		for (uint32 row = 0; row < rowCount; row++)
			values[row * natts] = PointerGetDatum(from + (Size) row * vector->typeLength);
	}
	else if (vector->typeLength == sizeof(Datum))
		SPREAD_VALUES(Datum, (Datum));
	else if (vector->typeLength == sizeof(int32))
		SPREAD_VALUES(int32, Int32GetDatum);
	else if (vector->typeLength == sizeof(int16))
		SPREAD_VALUES(int16, Int16GetDatum);
	else
		SPREAD_VALUES(char, CharGetDatum);
}

/* Fill a column of the batch. */
static void
FillBatchColumn(RetlTableScan *scan, int column, bool dropped)
{
	RowBatch   *batch = &scan->batch;
	const Size	natts = batch->natts;
	const uint32 rowCount = batch->rowCount;
	Datum	   *values = batch->values + column;
	bool	   *isnull = batch->isnull + column;
	const RetlVector *vector;

	if (dropped)
	{
		for (uint32 row = 0; row < rowCount; row++)
		{
			values[row * natts] = (Datum) 0;
			isnull[row * natts] = true;
		}
		return;
	}
	vector = RetlTableScanGetVector(scan, column + 1);
	SpreadVector(batch, vector, values);
	if (vector->nulls != NULL)
	{
		const bool *from = vector->nulls + batch->firstRow;

		for (uint32 row = 0; row < rowCount; row++)
			isnull[row * natts] = from[row];
	}
	else
	{
		for (uint32 row = 0; row < rowCount; row++)
			isnull[row * natts] = false;
	}
}

/* Make the batch one that has the current row, with its first "to" columns. */
static void
FillBatch(RetlTableScan *scan, TupleDesc tupdesc, int to)
{
	RowBatch   *batch = &scan->batch;
	uint32		row = scan->row.vectorRow;

	if (batch->values == NULL)
		AllocateBatch(scan, tupdesc->natts);
	Assert(batch->natts == tupdesc->natts);
	if (batch->stamp != scan->stamp || row - batch->firstRow >= batch->rowCount)
	{
		uint32		vectorRows = Min(1U << scan->vectorShift,
									 scan->groupRows - (scan->row.vectorIndex << scan->vectorShift));

		batch->columnCount = 0;
		batch->firstRow = row / batch->capacity * batch->capacity;
		batch->rowCount = Min(batch->capacity, vectorRows - batch->firstRow);
		batch->stamp = scan->stamp;
	}
	for (; batch->columnCount < to; batch->columnCount++)
		FillBatchColumn(scan, batch->columnCount,
						TupleDescAttr(tupdesc, batch->columnCount)->attisdropped);
}

/*
 * Columns of a row by place; of those that nobody is going to look at, null.
 */
static void
GetPlaceColumns(RetlTableScan *scan, TupleDesc tupdesc, int from, int to,
				Datum *values, bool *isnull)
{
	for (int i = from; i < to; i++)
	{
		if (TupleDescAttr(tupdesc, i)->attisdropped ||
			(scan->columns != NULL && !bms_is_member(i + 1, scan->columns)))
		{
			values[i] = (Datum) 0;
			isnull[i] = true;
		}
		else
			values[i] = RetlVectorGetDatum(RetlTableScanGetVector(scan, i + 1),
										   scan->row.vectorRow, &isnull[i]);
	}
}

/*
 * Columns [from, to) of the current row, which is one of a row group; "tupdesc"
 * is that of the rows, the same in all calls for a scan.  Dropped columns are
 * null.
 */
void
RetlTableScanGetColumns(RetlTableScan *scan, TupleDesc tupdesc, int from, int to,
						Datum *values, bool *isnull)
{
	RowBatch   *batch = &scan->batch;
	uint32		row = scan->row.vectorRow;
	Size		start;

	Assert(scan->state == CURSOR_IN_GROUP && !scan->row.inRowStore);
	Assert(scan->conditions == NULL && to <= tupdesc->natts);

	if (scan->byPlace)
	{
		GetPlaceColumns(scan, tupdesc, from, to, values, isnull);
		return;
	}
	if (batch->stamp != scan->stamp || row - batch->firstRow >= batch->rowCount ||
		batch->columnCount < to)
		FillBatch(scan, tupdesc, to);
	start = (Size) (row - batch->firstRow) * batch->natts + from;
	memcpy(values + from, batch->values + start, sizeof(Datum) * (to - from));
	memcpy(isnull + from, batch->isnull + start, sizeof(bool) * (to - from));
}
