/*-------------------------------------------------------------------------
 *
 * column_buffer.c
 *	  The values of one column that wait to be written.
 *
 * Nothing is allocated for a column before it needs it, and all arrays grow by
 * doubling: tables of many columns, most of them empty, stay small.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/memutils.h"

#include "rowgroup/column_buffer.h"

#define FIRST_VALUES	32
#define FIRST_NULLS		256
#define FIRST_BYTES		256

/* See column_buffer.h. */
void
RetlColumnBufferInit(RetlColumnBuffer *buffer, const RetlColumnType *type,
					 MemoryContext context)
{
	memset(buffer, 0, sizeof(*buffer));
	buffer->type = *type;
	buffer->context = context;
}

/* See column_buffer.h. */
void
RetlColumnBufferReset(RetlColumnBuffer *buffer)
{
	buffer->valueCount = 0;
	buffer->nullCount = 0;
	buffer->bytesLength = 0;
	buffer->overflowCount = 0;
	if (buffer->nulls != NULL)
		memset(buffer->nulls, 0, buffer->nullCapacity / 8);
}

/* Allocate or enlarge an array. */
static void *
Resize(RetlColumnBuffer *buffer, void *array, Size size)
{
	if (array == NULL)
		return MemoryContextAllocHuge(buffer->context, size);
	return repalloc_huge(array, size);
}

/* See column_buffer.h. */
void
RetlColumnBufferReserveNull(RetlColumnBuffer *buffer, uint32 row)
{
	uint32		capacity = Max(buffer->nullCapacity, FIRST_NULLS);

	if (row < buffer->nullCapacity)
		return;
	while (capacity <= row)
		capacity *= 2;
	buffer->nulls = Resize(buffer, buffer->nulls, capacity / 8);
	memset(buffer->nulls + buffer->nullCapacity / 8, 0, (capacity - buffer->nullCapacity) / 8);
	buffer->nullCapacity = capacity;
}

/* Make room for more values, but for the bytes of those of variable length. */
static void
GrowValues(RetlColumnBuffer *buffer)
{
	uint32		capacity = Max(buffer->valueCapacity * 2, FIRST_VALUES);

	if (buffer->type.physType == RETL_PHYS_BYTES)
	{
		buffer->offsets = Resize(buffer, buffer->offsets, ((Size) capacity + 1) * sizeof(uint32));
		if (buffer->valueCapacity == 0)
			buffer->offsets[0] = 0;
	}
	else
		buffer->fixed = Resize(buffer, buffer->fixed, (Size) capacity * buffer->type.width);
	buffer->valueCapacity = capacity;
}

/* Make room for the bytes of a value. */
static void
GrowBytes(RetlColumnBuffer *buffer, Size length)
{
	Size		capacity = Max(buffer->bytesCapacity, FIRST_BYTES);

	if (buffer->bytesLength + length > PG_UINT32_MAX)
		elog(ERROR, "column buffer is too large");
	while (capacity < buffer->bytesLength + length)
		capacity *= 2;
	buffer->bytes = Resize(buffer, buffer->bytes, capacity);
	buffer->bytesCapacity = capacity;
}

/* Make room for more overflow values. */
static void
GrowOverflow(RetlColumnBuffer *buffer)
{
	uint32		capacity = Max(buffer->overflowCapacity * 2, 4);

	buffer->overflow = Resize(buffer, buffer->overflow, capacity * sizeof(RetlOverflowValue));
	buffer->overflowCapacity = capacity;
}

/* See column_buffer.h. */
void
RetlColumnBufferReserve(RetlColumnBuffer *buffer, Size length, bool overflowed)
{
	if (buffer->valueCount >= buffer->valueCapacity)
		GrowValues(buffer);
	if (overflowed)
	{
		if (buffer->overflowCount >= buffer->overflowCapacity)
			GrowOverflow(buffer);
	}
	else if (buffer->type.physType == RETL_PHYS_BYTES &&
			 buffer->bytesLength + length > buffer->bytesCapacity)
		GrowBytes(buffer, length);
}

/* See column_buffer.h. */
void
RetlColumnBufferReserveMany(RetlColumnBuffer *buffer, uint32 count, Size bytes)
{
	while (buffer->valueCount + count > buffer->valueCapacity)
		GrowValues(buffer);
	if (buffer->type.physType == RETL_PHYS_BYTES &&
		buffer->bytesLength + bytes > buffer->bytesCapacity)
		GrowBytes(buffer, bytes);
}

/* See column_buffer.h. */
void
RetlColumnBufferAddOverflow(RetlColumnBuffer *buffer, const RetlOverflowValue *value)
{
	Assert(buffer->overflowCount < buffer->overflowCapacity);
	buffer->overflow[buffer->overflowCount] = *value;
	buffer->overflow[buffer->overflowCount].ref.valueIndex = buffer->valueCount;
	buffer->overflowCount++;
	RetlColumnBufferAddBytes(buffer, NULL, 0);
}

/* See column_buffer.h. */
RetlValues
RetlColumnBufferGetValues(const RetlColumnBuffer *buffer)
{
	static const uint32 noOffsets[1] = {0};
	static const uint8 noBytes[1] = {0};
	RetlValues	values;

	memset(&values, 0, sizeof(values));
	values.type = buffer->type.physType;
	values.width = buffer->type.width;
	values.count = buffer->valueCount;
	if (values.type == RETL_PHYS_BYTES)
	{
		values.offsets = buffer->offsets != NULL ? buffer->offsets : noOffsets;
		values.bytes = buffer->bytes != NULL ? buffer->bytes : noBytes;
		values.isNumeric = buffer->type.baseType == NUMERICOID;
	}
	else
		values.fixed = buffer->fixed != NULL ? buffer->fixed : noBytes;
	return values;
}
