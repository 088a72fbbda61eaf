/*-------------------------------------------------------------------------
 *
 * row_batch.c
 *	  Rows of several slots into columns, column by column.
 *
 * Loading spends much of its time here, so what can be known for all rows of a
 * batch is found out once: which columns have nulls in it, some or nothing else,
 * by adding up the null flags of whole rows, eight columns at a time.  The loops
 * over the rows of a column then have no branch that depends on nulls.
 *
 * Values are written behind the ends of the columns.  As long as the counts are
 * not changed nobody sees them there, so an error in the middle of a batch
 * leaves the columns as they were.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/compat.h"
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

	/* for each column 1 or 0, with room for whole words: is a row null, are all? */
	uint8	   *anyNull;
	uint8	   *allNull;
};

/* See row_batch.h. */
RetlRowBatch *
RetlRowBatchCreate(int columnCount)
{
	RetlRowBatch *batch = palloc0(sizeof(RetlRowBatch));
	Size		padded = TYPEALIGN(sizeof(uint64), Max(columnCount, 1));

	batch->columnCount = columnCount;
	batch->columns = palloc0(Max(columnCount, 1) * sizeof(BatchColumn));
	batch->anyNull = palloc0(padded);
	batch->allNull = palloc0(padded);
	return batch;
}

/* Look up where the rows' values are, and which columns have nulls. */
static void
LookAtRows(RetlRowBatch *batch, TupleTableSlot **slots)
{
	int			columnCount = batch->columnCount;

	for (uint32 i = 0; i < batch->rowCount; i++)
	{
		batch->values[i] = slots[i]->tts_values;
		batch->isnull[i] = slots[i]->tts_isnull;
	}
	for (int first = 0; first < columnCount; first += sizeof(uint64))
	{
		Size		length = Min(sizeof(uint64), (Size) (columnCount - first));
		uint64		any = 0;
		uint64		all = PG_UINT64_MAX;

		for (uint32 i = 0; i < batch->rowCount; i++)
		{
			uint64		flags = 0;

			if (length == sizeof(flags))
				memcpy(&flags, batch->isnull[i] + first, sizeof(flags));
			else
				memcpy(&flags, batch->isnull[i] + first, length);
			any |= flags;
			all &= flags;
		}
		memcpy(batch->anyNull + first, &any, sizeof(any));
		memcpy(batch->allNull + first, &all, sizeof(all));
	}
}

/* A bit for each row: is column "index" null? */
static uint64
NullBits(const RetlRowBatch *batch, int index)
{
	uint64		bits = 0;

	if (batch->allNull[index])
		return PG_UINT64_MAX >> (RETLDB_BATCH_ROWS - batch->rowCount);
	if (batch->anyNull[index])
		for (uint32 i = 0; i < batch->rowCount; i++)
			bits |= (uint64) batch->isnull[i][index] << i;
	return bits;
}

/* The datums of column "index" that are not null; returns their number. */
static inline uint32
GatherDatums(const RetlRowBatch *batch, int index, Datum datums[RETLDB_BATCH_ROWS])
{
	uint32		count = 0;

	if (!batch->anyNull[index])
	{
		for (uint32 i = 0; i < batch->rowCount; i++)
			datums[i] = batch->values[i][index];
		return batch->rowCount;
	}
	for (uint32 i = 0; i < batch->rowCount; i++)
	{
		datums[count] = batch->values[i][index];
		count += !batch->isnull[i][index];
	}
	return count;
}

/* Copy datums to an array of a C type; a macro, for there is one loop for each. */
#define COPY_DATUMS(type) \
	do { \
		type	   *dst = (type *) column->fixed + column->valueCount; \
		for (uint32 i = 0; i < count; i++) \
			dst[i] = (type) datums[i]; \
	} while (0)

/* Stage values of fixed width. */
static void
StageFixed(RetlColumnBuffer *column, const Datum *datums, uint32 count)
{
	uint16		width = column->type.width;

	RetlColumnBufferReserveMany(column, count, 0);
	if (!column->type.byValue)
		for (uint32 i = 0; i < count; i++)
			memcpy(column->fixed + (Size) (column->valueCount + i) * width,
				   DatumGetPointer(datums[i]), width);
	else if (width == 1)
		COPY_DATUMS(uint8);
	else if (width == 2)
		COPY_DATUMS(uint16);
	else if (width == 4)
		COPY_DATUMS(uint32);
	else
		COPY_DATUMS(uint64);
}

/* Where the bytes of each value are, and how many; false if they cannot just be copied. */
static bool
FindBytes(const RetlColumnBuffer *column, const Datum *datums, uint32 count,
		  const char **data, uint32 *lengths)
{
	for (uint32 i = 0; i < count; i++)
	{
		const char *pointer = DatumGetPointer(datums[i]);
		Size		length;

		if (column->type.typeLength != -1)
		{
			data[i] = pointer;
			length = strlen(pointer);
		}
		else if (VARATT_IS_4B_U(pointer))
		{
			data[i] = VARDATA_4B(pointer);
			length = VARSIZE_4B(pointer) - VARHDRSZ;
		}
		else if (VARATT_IS_4B_C(pointer) || VARATT_IS_1B_E(pointer))
			return false;
		else
		{
			data[i] = VARDATA_1B(pointer);
			length = VARSIZE_1B(pointer) - VARHDRSZ_SHORT;
		}
		if (length > RETLDB_OVERFLOW_THRESHOLD)
			return false;
		lengths[i] = (uint32) length;
	}
	return true;
}

/* Copy a few bytes, most often less than 16, without calling anybody for those. */
static inline void
CopyBytes(uint8 *dst, const char *src, uint32 length)
{
	if (length > 16)
		memcpy(dst, src, length);
	else if (length >= 8)
	{
		uint64		start;
		uint64		end;

		memcpy(&start, src, 8);
		memcpy(&end, src + length - 8, 8);
		memcpy(dst, &start, 8);
		memcpy(dst + length - 8, &end, 8);
	}
	else if (length >= 4)
	{
		uint32		start;
		uint32		end;

		memcpy(&start, src, 4);
		memcpy(&end, src + length - 4, 4);
		memcpy(dst, &start, 4);
		memcpy(dst + length - 4, &end, 4);
	}
	else if (length > 0)
	{
		dst[0] = (uint8) src[0];
		dst[length / 2] = (uint8) src[length / 2];
		dst[length - 1] = (uint8) src[length - 1];
	}
}

/* Stage values of variable length; false if one of them cannot just be copied. */
static bool
StageVariable(RetlColumnBuffer *column, BatchColumn *staged, const Datum *datums)
{
	const char *data[RETLDB_BATCH_ROWS];
	uint32		lengths[RETLDB_BATCH_ROWS];
	uint32		count = staged->valueCount;
	Size		bytes = 0;
	uint32		end;
	uint32	   *offsets;

	if (!FindBytes(column, datums, count, data, lengths))
		return false;
	for (uint32 i = 0; i < count; i++)
		bytes += lengths[i];
	RetlColumnBufferReserveMany(column, count, bytes);
	end = (uint32) column->bytesLength;
	offsets = column->offsets + column->valueCount;
	for (uint32 i = 0; i < count; i++)
	{
		CopyBytes(column->bytes + end, data[i], lengths[i]);
		end += lengths[i];
		offsets[i + 1] = end;
	}
	staged->bytes = bytes;
	return true;
}

/* See row_batch.h. */
bool
RetlRowBatchStage(RetlRowBatch *batch, RetlColumnBuffer *columns,
				  TupleTableSlot **slots, uint32 count, uint32 firstRow)
{
	Assert(count > 0 && count <= RETLDB_BATCH_ROWS);

	batch->rowCount = count;
	batch->firstRow = firstRow;
	LookAtRows(batch, slots);
	for (int i = 0; i < batch->columnCount; i++)
	{
		RetlColumnBuffer *column = &columns[i];
		BatchColumn *staged = &batch->columns[i];
		Datum		datums[RETLDB_BATCH_ROWS];

		if (column->context == NULL)
			continue;			/* dropped */
		staged->nulls = NullBits(batch, i);
		staged->valueCount = 0;
		staged->bytes = 0;
		if (staged->nulls != 0)
			RetlColumnBufferReserveNull(column, firstRow + NULL_BITS_TOUCHED);
		if (batch->allNull[i])
			continue;
		staged->valueCount = GatherDatums(batch, i, datums);
		if (column->type.typeLength >= 0)
			StageFixed(column, datums, staged->valueCount);
		else if (!StageVariable(column, staged, datums))
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
