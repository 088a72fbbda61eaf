/*-------------------------------------------------------------------------
 *
 * row_batch.c
 *	  Rows of several slots into columns, column by column.
 *
 * Loading spends much of its time here.  The null flags of whole rows are made bits
 * of columns first, eight rows of eight columns at a time.  The loops over the rows
 * of a column then go from value to value, with no branch that depends on nulls.
 *
 * Values are written behind the ends of the columns.  As long as the counts are
 * not changed nobody sees them there, so an error in the middle of a batch
 * leaves the columns as they were.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "port/pg_bitutils.h"

#include "base/compat.h"
#include "base/copy_bytes.h"
#include "format/format.h"
#include "rowgroup/row_batch.h"

/* Bits of the null map beyond the first row that a commit may write to. */
#define NULL_BITS_TOUCHED	(RETLDB_BATCH_ROWS + 8)

/* What a column is going to have more. */
typedef struct BatchColumn
{
	uint64		nulls;			/* bit i: row i of the batch is null */
	uint32		valueCount;		/* the others */
	Size		bytes;			/* of values of variable length */
} BatchColumn;

struct RetlRowBatch
{
	int			columnCount;
	uint32		rowCount;
	uint32		firstRow;
	const Datum *values[RETLDB_BATCH_ROWS]; /* of each row */
	const bool *isnull[RETLDB_BATCH_ROWS];
	BatchColumn *columns;		/* [columnCount] */
};

/* See row_batch.h. */
RetlRowBatch *
RetlRowBatchCreate(int columnCount)
{
	RetlRowBatch *batch = palloc0(sizeof(RetlRowBatch));

	batch->columnCount = columnCount;
	batch->columns = palloc0(Max(columnCount, 1) * sizeof(BatchColumn));
	return batch;
}

/* A bit for each row of the batch. */
static inline uint64
AllRows(const RetlRowBatch *batch)
{
	return PG_UINT64_MAX >> (RETLDB_BATCH_ROWS - batch->rowCount);
}

/*
 * The null flags of up to eight columns from "first" on, of up to eight rows from
 * "row" on: byte c of the result is about column first + c, its bit r about row
 * row + r.
 */
static inline uint64
NullSquare(const RetlRowBatch *batch, int first, Size columns, uint32 row, uint32 rows)
{
	uint64		square = 0;

	for (uint32 r = 0; r < rows; r++)
	{
		uint64		flags = 0;

		if (columns == sizeof(flags))
			memcpy(&flags, batch->isnull[row + r] + first, sizeof(flags));
		else
			memcpy(&flags, batch->isnull[row + r] + first, columns);
		square |= flags << r;
	}
	return square;
}

/* Look up where the rows' values are, and which of them are null. */
static void
LookAtRows(RetlRowBatch *batch, TupleTableSlot **slots)
{
	int			columnCount = batch->columnCount;

	for (uint32 i = 0; i < batch->rowCount; i++)
	{
		batch->values[i] = slots[i]->tts_values;
		batch->isnull[i] = slots[i]->tts_isnull;
	}
	for (int first = 0; first < columnCount; first += 8)
	{
		Size		columns = Min(8, columnCount - first);
		uint64		nulls[8] = {0};

		for (uint32 row = 0; row < batch->rowCount; row += 8)
		{
			uint64		square = NullSquare(batch, first, columns, row,
											Min(8, batch->rowCount - row));

			for (Size c = 0; square != 0 && c < columns; c++)
				nulls[c] |= (square >> (8 * c) & 0xFF) << row;
		}
		for (Size c = 0; c < columns; c++)
			batch->columns[first + c].nulls = nulls[c];
	}
}

/* Copy datums to an array of a C type; a macro, for there is one loop for each. */
#define COPY_DATUMS(type) \
	do { \
		type	   *dst = (type *) column->fixed + column->valueCount; \
		if (rows == AllRows(batch)) \
			for (uint32 i = 0; i < batch->rowCount; i++) \
				dst[i] = (type) batch->values[i][index]; \
		else \
			for (; rows != 0; rows &= rows - 1) \
				*dst++ = (type) batch->values[pg_rightmost_one_pos64(rows)][index]; \
	} while (0)

/* Stage values of fixed width, those of column "index" in these rows. */
static void
StageFixed(const RetlRowBatch *batch, RetlColumnBuffer *column, int index, uint64 rows,
		   uint32 count)
{
	uint16		width = column->type.width;

	RetlColumnBufferReserveMany(column, count, 0);
	if (!column->type.byValue)
	{
		uint8	   *dst = column->fixed + (Size) column->valueCount * width;

		for (; rows != 0; rows &= rows - 1, dst += width)
			memcpy(dst, DatumGetPointer(batch->values[pg_rightmost_one_pos64(rows)][index]),
				   width);
	}
	else if (width == 1)
		COPY_DATUMS(uint8);
	else if (width == 2)
		COPY_DATUMS(uint16);
	else if (width == 4)
		COPY_DATUMS(uint32);
	else
		COPY_DATUMS(uint64);
}

/* Where the bytes of a value are, and how many; false if they cannot just be copied. */
static inline bool
FindBytes(int16 typeLength, const char *pointer, const char **data, Size *length)
{
	if (typeLength != -1)
	{
		*data = pointer;
		*length = strlen(pointer);
	}
	else if (likely(VARATT_IS_4B_U(pointer)))
	{
		*data = VARDATA_4B(pointer);
		*length = VARSIZE_4B(pointer) - VARHDRSZ;
	}
	else if (VARATT_IS_4B_C(pointer) || VARATT_IS_1B_E(pointer))
		return false;
	else
	{
		*data = VARDATA_1B(pointer);
		*length = VARSIZE_1B(pointer) - VARHDRSZ_SHORT;
	}
	return *length <= RETLDB_OVERFLOW_THRESHOLD;
}

/*
 * Copy a value.  Of padded ones as many bytes as may be read are copied, if that is
 * enough: the lengths of values are hard to guess for processors, so that a choice
 * by length takes longer.
 */
static inline void
CopyValue(uint8 *dst, const char *data, Size length, bool padded)
{
	if (!padded)
		RetlCopyBytes(dst, data, length);
	else if (likely(length <= RETLDB_VALUE_PADDING))
		memcpy(dst, data, RETLDB_VALUE_PADDING);
	else
		memcpy(dst, data, length);
}

/*
 * Stage values of variable length, those of column "index" in these rows; false if
 * one of them cannot just be copied.
 */
static bool
StageVariable(const RetlRowBatch *batch, RetlColumnBuffer *column, int index, uint64 rows,
			  bool padded, BatchColumn *staged)
{
	int16		typeLength = column->type.typeLength;
	Size		end = column->bytesLength;
	uint32	   *offsets;

	RetlColumnBufferReserveMany(column, staged->valueCount, 0);
	offsets = column->offsets + column->valueCount;
	for (; rows != 0; rows &= rows - 1)
	{
		Datum		datum = batch->values[pg_rightmost_one_pos64(rows)][index];
		const char *data;
		Size		length;

		if (!FindBytes(typeLength, DatumGetPointer(datum), &data, &length))
			return false;
		if (unlikely(end + length + RETLDB_VALUE_PADDING > column->bytesCapacity))
			RetlColumnBufferReserveMany(column, 0, end + length + RETLDB_VALUE_PADDING -
										column->bytesLength);
		CopyValue(column->bytes + end, data, length, padded);
		end += length;
		*++offsets = (uint32) end;
	}
	staged->bytes = end - column->bytesLength;
	return true;
}

/* See row_batch.h. */
bool
RetlRowBatchStage(RetlRowBatch *batch, RetlColumnBuffer *columns,
				  TupleTableSlot **slots, uint32 count, uint32 firstRow,
				  bool padded)
{
	Assert(count > 0 && count <= RETLDB_BATCH_ROWS);

	batch->rowCount = count;
	batch->firstRow = firstRow;
	LookAtRows(batch, slots);
	for (int i = 0; i < batch->columnCount; i++)
	{
		RetlColumnBuffer *column = &columns[i];
		BatchColumn *staged = &batch->columns[i];
		uint64		rows = AllRows(batch) & ~staged->nulls;

		if (column->context == NULL)
			continue;			/* dropped */
		staged->valueCount = pg_popcount64(rows);
		staged->bytes = 0;
		if (staged->nulls != 0)
			RetlColumnBufferReserveNull(column, firstRow + NULL_BITS_TOUCHED);
		if (rows == 0)
			continue;
		if (column->type.typeLength >= 0)
			StageFixed(batch, column, i, rows, staged->valueCount);
		else if (!StageVariable(batch, column, i, rows, padded, staged))
			return false;
	}
	return true;
}

/* Set bits from number "position" on. */
static void
SetBits(uint8 *map, uint32 position, uint64 bits)
{
	uint8	   *start = map + position / 8;
	unsigned	shift = position % 8;
	uint64		word;

	memcpy(&word, start, sizeof(word));
	word |= bits << shift;
	memcpy(start, &word, sizeof(word));
	if (shift > 0)
		start[sizeof(word)] |= (uint8) (bits >> (64 - shift));
}

/* See row_batch.h. */
Size
RetlRowBatchCommit(RetlRowBatch *batch, RetlColumnBuffer *columns)
{
	Size		total = 0;

	for (int i = 0; i < batch->columnCount; i++)
	{
		RetlColumnBuffer *column = &columns[i];
		const BatchColumn *staged = &batch->columns[i];

		if (column->context == NULL)
			continue;			/* dropped */
		if (staged->nulls != 0)
		{
			Assert(batch->firstRow + NULL_BITS_TOUCHED < column->nullCapacity);
			SetBits(column->nulls, batch->firstRow, staged->nulls);
		}
		column->nullCount += batch->rowCount - staged->valueCount;
		column->valueCount += staged->valueCount;
		column->bytesLength += staged->bytes;
		total += staged->bytes + (Size) staged->valueCount * column->type.width;
	}
	return total;
}
