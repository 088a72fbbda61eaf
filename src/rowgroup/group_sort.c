/*-------------------------------------------------------------------------
 *
 * group_sort.c
 *	  Brings the rows of a row group into an order before it is written.
 *
 * First the row numbers are sorted, by PostgreSQL's own comparison functions of
 * the key columns' types and collations; then each column is copied into the
 * new order, one after the other.  What it takes beside the rows: the key
 * columns as Datums, and a second copy of one column at a time.
 *
 * Values in the overflow area are not read back: they count as greater than all
 * others and equal to each other, in either direction, but stand before NULLs
 * that come last.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/sortsupport.h"

#include "base/compat.h"
#include "rowgroup/group_sort.h"

/* Rows between looks at whether the user wants us to stop. */
#define INTERRUPT_ROWS	8192

/* What a row has in a key column. */
typedef enum KeyClass
{
	KEY_VALUE,
	KEY_LARGE,					/* in the overflow area */
	KEY_NULL
} KeyClass;

typedef struct SortColumn
{
	SortSupportData support;
	bool		abbreviated;	/* the leading column only: see SortRow.key */
	Datum	   *datums;			/* [rowCount] */
	uint8	   *classes;		/* [rowCount], KeyClass */
} SortColumn;

/* A row being sorted; the leading key is here for speed. */
typedef struct SortRow
{
	Datum		key;			/* datum, or its abbreviation */
	uint32		row;
	uint8		keyClass;
} SortRow;

typedef struct SortState
{
	int			columnCount;
	SortColumn *columns;
} SortState;

/* ---------------------------------------------------------------------
 * Keys
 * ---------------------------------------------------------------------
 */

/* Allocate an array that may be large. */
static void *
AllocateArray(Size count, Size size)
{
	return MemoryContextAllocHuge(CurrentMemoryContext, Max(count, 1) * size);
}

/* Make the Datum of a by-value type from bytes that need not be aligned. */
static Datum
ByValueDatum(const uint8 *data, uint32 width)
{
	int16		two;
	int32		four;
	int64		eight;

	switch (width)
	{
		case 1:
			return CharGetDatum((char) *data);
		case 2:
			memcpy(&two, data, sizeof(two));
			return Int16GetDatum(two);
		case 4:
			memcpy(&four, data, sizeof(four));
			return Int32GetDatum(four);
		default:
			Assert(width == 8);
			memcpy(&eight, data, sizeof(eight));
			return Int64GetDatum(eight);
	}
}

/* Make the Datum of a fixed-width value; by-reference ones are copied, aligned. */
static Datum
FixedDatum(const RetlColumnType *type, const uint8 *data, char **copies)
{
	char	   *copy = *copies;

	if (type->byValue)
		return ByValueDatum(data, type->width);
	memcpy(copy, data, type->width);
	*copies += MAXALIGN(type->width);
	return PointerGetDatum(copy);
}

/* Make the Datum of a variable-length value. */
static Datum
VariableDatum(const uint8 *data, Size length, char **copies)
{
	char	   *copy = *copies;

	SET_VARSIZE(copy, VARHDRSZ + length);
	memcpy(VARDATA(copy), data, length);
	*copies += MAXALIGN(VARHDRSZ + length);
	return PointerGetDatum(copy);
}

/* Bytes that the copies of a column's values may take. */
static Size
SizeOfCopies(const RetlColumnBuffer *buffer)
{
	if (buffer->type.physType == RETL_PHYS_BYTES)
		return buffer->bytesLength + (Size) buffer->valueCount * (VARHDRSZ + MAXIMUM_ALIGNOF);
	if (buffer->type.byValue)
		return 0;
	return (Size) buffer->valueCount * MAXALIGN(buffer->type.width);
}

/* Find out what each row has in a key column. */
static void
LoadKeys(const RetlColumnBuffer *buffer, uint32 rowCount, SortColumn *column)
{
	char	   *copies = AllocateArray(SizeOfCopies(buffer), 1);
	uint32		value = 0;
	uint32		overflow = 0;

	column->datums = AllocateArray(rowCount, sizeof(Datum));
	column->classes = AllocateArray(rowCount, sizeof(uint8));
	for (uint32 row = 0; row < rowCount; row++)
	{
		column->datums[row] = (Datum) 0;
		if (buffer->nullCount > 0 && RetlColumnBufferIsNull(buffer, row))
		{
			column->classes[row] = KEY_NULL;
			continue;
		}
		column->classes[row] = KEY_VALUE;
		if (overflow < buffer->overflowCount &&
			buffer->overflow[overflow].ref.valueIndex == value)
		{
			column->classes[row] = KEY_LARGE;
			overflow++;
		}
		else if (buffer->type.physType == RETL_PHYS_BYTES)
			column->datums[row] = VariableDatum(buffer->bytes + buffer->offsets[value],
												buffer->offsets[value + 1] - buffer->offsets[value],
												&copies);
		else
			column->datums[row] = FixedDatum(&buffer->type,
											 buffer->fixed + (Size) value * buffer->type.width,
											 &copies);
		value++;
	}
	Assert(value == buffer->valueCount);
}

/* Prepare a key column. */
static void
BeginColumn(SortColumn *column, const RetlSortKey *key, const RetlColumnBuffer *buffer,
			Form_pg_attribute att, uint32 rowCount, bool leading)
{
	SortSupport support = &column->support;

	memset(column, 0, sizeof(*column));
	support->ssup_cxt = CurrentMemoryContext;
	support->ssup_collation = att->attcollation;
	support->ssup_nulls_first = key->nullsFirst;
	support->ssup_attno = att->attnum;
	support->abbreviate = leading;
	PrepareSortSupportFromOrderingOp(key->sortOperator, support);
	column->abbreviated = leading && support->abbrev_converter != NULL;
	LoadKeys(buffer, rowCount, column);
}

/* ---------------------------------------------------------------------
 * Comparing
 * ---------------------------------------------------------------------
 */

/* Compare what is not two values: see the head of the file. */
static int
CompareClasses(uint8 one, uint8 other, SortSupport support)
{
	if (one == other)
		return 0;
	if (one == KEY_NULL)
		return support->ssup_nulls_first ? -1 : 1;
	if (other == KEY_NULL)
		return support->ssup_nulls_first ? 1 : -1;
	return one == KEY_LARGE ? 1 : -1;
}

/* Compare two rows by one key column, abbreviations aside. */
static int
CompareColumn(SortColumn *column, uint32 one, uint32 other)
{
	SortSupport support = &column->support;

	if (column->classes[one] != KEY_VALUE || column->classes[other] != KEY_VALUE)
		return CompareClasses(column->classes[one], column->classes[other], support);
	if (column->abbreviated)
		return ApplySortAbbrevFullComparator(column->datums[one], false,
											 column->datums[other], false, support);
	return ApplySortComparator(column->datums[one], false,
							   column->datums[other], false, support);
}

/* Compare two rows; equal ones by where they stand now, so that no two are equal. */
static int
CompareRows(const void *left, const void *right, void *arg)
{
	const SortRow *one = left;
	const SortRow *other = right;
	SortState  *state = arg;
	SortSupport leading = &state->columns[0].support;
	int			result;

	if (one->keyClass != KEY_VALUE || other->keyClass != KEY_VALUE)
		result = CompareClasses(one->keyClass, other->keyClass, leading);
	else
	{
		result = ApplySortComparator(one->key, false, other->key, false, leading);
		if (result == 0 && state->columns[0].abbreviated)
			result = CompareColumn(&state->columns[0], one->row, other->row);
	}
	for (int i = 1; result == 0 && i < state->columnCount; i++)
		result = CompareColumn(&state->columns[i], one->row, other->row);
	if (result != 0)
		return result;
	return one->row < other->row ? -1 : 1;
}

/*
 * The order of the rows: order[i] is the row that comes to place i.  NULL if
 * they have that order already, as rows often do.
 */
static uint32 *
FindOrder(SortState *state, uint32 rowCount)
{
	SortColumn *leading = &state->columns[0];
	SortRow    *rows = AllocateArray(rowCount, sizeof(SortRow));
	bool		inOrder = true;
	uint32	   *order;

	for (uint32 i = 0; i < rowCount; i++)
	{
		if (i % INTERRUPT_ROWS == 0)
			CHECK_FOR_INTERRUPTS();
		rows[i].row = i;
		rows[i].keyClass = leading->classes[i];
		rows[i].key = leading->datums[i];
		if (leading->abbreviated && rows[i].keyClass == KEY_VALUE)
			rows[i].key = leading->support.abbrev_converter(leading->datums[i],
															&leading->support);
		if (inOrder && i > 0 && CompareRows(&rows[i - 1], &rows[i], state) > 0)
			inOrder = false;
	}
	if (inOrder)
		return NULL;
	qsort_interruptible(rows, rowCount, sizeof(SortRow), CompareRows, state);

	order = AllocateArray(rowCount, sizeof(uint32));
	for (uint32 i = 0; i < rowCount; i++)
		order[i] = rows[i].row;
	pfree(rows);
	return order;
}

/* ---------------------------------------------------------------------
 * Moving
 * ---------------------------------------------------------------------
 */

/*
 * Move the nulls of a column.  The result tells which of its values comes to
 * each place, by their places among the column's non-null values.
 */
static uint32 *
MoveNulls(RetlColumnBuffer *buffer, const uint32 *order, uint32 rowCount)
{
	uint32	   *valueOfRow = AllocateArray(rowCount, sizeof(uint32));
	uint32	   *valueOrder = AllocateArray(buffer->valueCount, sizeof(uint32));
	Size		length = buffer->nullCapacity / 8;
	uint8	   *nulls = MemoryContextAllocHuge(buffer->context, Max(length, 1));
	uint32		value = 0;

	for (uint32 row = 0; row < rowCount; row++)
		valueOfRow[row] = RetlColumnBufferIsNull(buffer, row) ? PG_UINT32_MAX : value++;

	memset(nulls, 0, length);
	value = 0;
	for (uint32 i = 0; i < rowCount; i++)
	{
		if (valueOfRow[order[i]] != PG_UINT32_MAX)
			valueOrder[value++] = valueOfRow[order[i]];
		else
		{
			Assert(i < buffer->nullCapacity);
			nulls[i / 8] |= (uint8) (1 << (i % 8));
		}
	}
	Assert(value == buffer->valueCount);
	pfree(buffer->nulls);
	buffer->nulls = nulls;
	pfree(valueOfRow);
	return valueOrder;
}

/* Move the values of a fixed-width column. */
static void
MoveFixed(RetlColumnBuffer *buffer, const uint32 *order)
{
	uint32		width = buffer->type.width;
	uint8	   *fixed = MemoryContextAllocHuge(buffer->context,
											   (Size) buffer->valueCapacity * width);

	for (uint32 i = 0; i < buffer->valueCount; i++)
	{
		const uint8 *from = buffer->fixed + (Size) order[i] * width;

		if (width == 4)
			memcpy(fixed + (Size) i * 4, from, 4);
		else if (width == 8)
			memcpy(fixed + (Size) i * 8, from, 8);
		else
			memcpy(fixed + (Size) i * width, from, width);
	}
	pfree(buffer->fixed);
	buffer->fixed = fixed;
}

/* Move the values of a variable-length column. */
static void
MoveBytes(RetlColumnBuffer *buffer, const uint32 *order)
{
	uint8	   *bytes = MemoryContextAllocHuge(buffer->context, Max(buffer->bytesCapacity, 1));
	uint32	   *offsets = MemoryContextAllocHuge(buffer->context,
												 ((Size) buffer->valueCapacity + 1) * sizeof(uint32));
	uint32		end = 0;

	offsets[0] = 0;
	for (uint32 i = 0; i < buffer->valueCount; i++)
	{
		uint32		start = buffer->offsets[order[i]];
		uint32		length = buffer->offsets[order[i] + 1] - start;

		if (length > 0)
			memcpy(bytes + end, buffer->bytes + start, length);
		end += length;
		offsets[i + 1] = end;
	}
	if (buffer->bytes != NULL)
		pfree(buffer->bytes);
	else
	{
		pfree(bytes);
		bytes = NULL;
	}
	pfree(buffer->offsets);
	buffer->bytes = bytes;
	buffer->offsets = offsets;
}

/* Order of references to overflow values. */
static int
CompareOverflow(const void *left, const void *right)
{
	uint32		one = ((const RetlOverflowValue *) left)->ref.valueIndex;
	uint32		other = ((const RetlOverflowValue *) right)->ref.valueIndex;

	return one < other ? -1 : one > other;
}

/* References to overflow values name a value by its place: follow it. */
static void
MoveOverflow(RetlColumnBuffer *buffer, const uint32 *order)
{
	uint32	   *placeOf = AllocateArray(buffer->valueCount, sizeof(uint32));

	for (uint32 i = 0; i < buffer->valueCount; i++)
		placeOf[order[i]] = i;
	for (uint32 i = 0; i < buffer->overflowCount; i++)
		buffer->overflow[i].ref.valueIndex = placeOf[buffer->overflow[i].ref.valueIndex];
	qsort(buffer->overflow, buffer->overflowCount, sizeof(RetlOverflowValue), CompareOverflow);
	pfree(placeOf);
}

/* Bring a column into the new order. */
static void
MoveColumn(RetlColumnBuffer *buffer, const uint32 *order, uint32 rowCount)
{
	uint32	   *valueOrder = NULL;

	if (buffer->context == NULL || buffer->valueCount == 0)
		return;
	if (buffer->nullCount > 0)
	{
		/* rows past the last null have no bits yet, and may become null */
		RetlColumnBufferReserveNull(buffer, rowCount - 1);
		order = valueOrder = MoveNulls(buffer, order, rowCount);
	}
	if (buffer->type.physType == RETL_PHYS_BYTES)
		MoveBytes(buffer, order);
	else
		MoveFixed(buffer, order);
	if (buffer->overflowCount > 0)
		MoveOverflow(buffer, order);
	if (valueOrder != NULL)
		pfree(valueOrder);
}

/* See group_sort.h. */
uint32 *
RetlGroupSort(RetlColumnBuffer *columns, TupleDesc tupdesc, uint32 rowCount,
			  const RetlSortKey *keys, int keyCount)
{
	MemoryContext sortContext;
	MemoryContext oldContext;
	SortState	state;
	uint32	   *order;
	uint32	   *result = NULL;

	if (keyCount == 0 || rowCount < 2)
		return NULL;
	sortContext = AllocSetContextCreate(CurrentMemoryContext, "retldb row group sort",
										ALLOCSET_DEFAULT_SIZES);
	oldContext = MemoryContextSwitchTo(sortContext);

	state.columnCount = keyCount;
	state.columns = palloc(keyCount * sizeof(SortColumn));
	for (int i = 0; i < keyCount; i++)
		BeginColumn(&state.columns[i], &keys[i], &columns[keys[i].attnum - 1],
					TupleDescAttr(tupdesc, keys[i].attnum - 1), rowCount, i == 0);
	order = FindOrder(&state, rowCount);
	for (int i = 0; order != NULL && i < tupdesc->natts; i++)
	{
		CHECK_FOR_INTERRUPTS();
		MoveColumn(&columns[i], order, rowCount);
	}

	MemoryContextSwitchTo(oldContext);
	if (order != NULL)
	{
		result = AllocateArray(rowCount, sizeof(uint32));
		memcpy(result, order, sizeof(uint32) * rowCount);
	}
	MemoryContextDelete(sortContext);
	return result;
}
