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

#include "utils/memutils.h"

#include "rowgroup/column_buffer.h"

#define FIRST_VALUES	32
#define FIRST_NULLS		256
#define FIRST_BYTES		256

void
RetlColumnBufferInit(RetlColumnBuffer *buffer, const RetlColumnType *type,
					 MemoryContext context)
{
	memset(buffer, 0, sizeof(*buffer));
	buffer->type = *type;
	buffer->context = context;
}

/* Allocate or enlarge an array. */
static void *
Resize(RetlColumnBuffer *buffer, void *array, Size size)
{
	if (array == NULL)
		return MemoryContextAllocHuge(buffer->context, size);
	return repalloc_huge(array, size);
}

/* Make room for a null at "row". */
static void
ReserveNull(RetlColumnBuffer *buffer, uint32 row)
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

/* Make room for another value's slot. */
static void
ReserveSlot(RetlColumnBuffer *buffer)
{
	uint32		capacity = Max(buffer->valueCapacity * 2, FIRST_VALUES);

	if (buffer->valueCount < buffer->valueCapacity)
		return;
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
ReserveBytes(RetlColumnBuffer *buffer, Size length)
{
	Size		capacity = Max(buffer->bytesCapacity, FIRST_BYTES);

	if (buffer->bytesLength + length <= buffer->bytesCapacity)
		return;
	if (buffer->bytesLength + length > PG_UINT32_MAX)
		elog(ERROR, "column buffer is too large");
	while (capacity < buffer->bytesLength + length)
		capacity *= 2;
	buffer->bytes = Resize(buffer, buffer->bytes, capacity);
	buffer->bytesCapacity = capacity;
}

/* Make room for another overflow value. */
static void
ReserveOverflow(RetlColumnBuffer *buffer)
{
	uint32		capacity = Max(buffer->overflowCapacity * 2, 4);

	if (buffer->overflowCount < buffer->overflowCapacity)
		return;
	buffer->overflow = Resize(buffer, buffer->overflow, capacity * sizeof(RetlOverflowValue));
	buffer->overflowCapacity = capacity;
}

void
RetlColumnBufferReserve(RetlColumnBuffer *buffer, uint32 row, bool isnull,
						Size length, bool overflowed)
{
	if (isnull)
	{
		ReserveNull(buffer, row);
		return;
	}
	ReserveSlot(buffer);
	if (overflowed)
		ReserveOverflow(buffer);
	else if (buffer->type.physType == RETL_PHYS_BYTES)
		ReserveBytes(buffer, length);
}

void
RetlColumnBufferAddNull(RetlColumnBuffer *buffer, uint32 row)
{
	Assert(row < buffer->nullCapacity);
	buffer->nulls[row / 8] |= (uint8) (1 << (row % 8));
	buffer->nullCount++;
}

void
RetlColumnBufferAddFixed(RetlColumnBuffer *buffer, const void *data)
{
	Assert(buffer->valueCount < buffer->valueCapacity);
	memcpy(buffer->fixed + (Size) buffer->valueCount * buffer->type.width, data,
		   buffer->type.width);
	buffer->valueCount++;
}

void
RetlColumnBufferAddBytes(RetlColumnBuffer *buffer, const void *data, Size length)
{
	Assert(buffer->valueCount < buffer->valueCapacity);
	Assert(buffer->bytesLength + length <= buffer->bytesCapacity || length == 0);
	if (length > 0)
		memcpy(buffer->bytes + buffer->bytesLength, data, length);
	buffer->bytesLength += length;
	buffer->valueCount++;
	buffer->offsets[buffer->valueCount] = (uint32) buffer->bytesLength;
}

void
RetlColumnBufferAddOverflow(RetlColumnBuffer *buffer, const RetlOverflowValue *value)
{
	Assert(buffer->overflowCount < buffer->overflowCapacity);
	buffer->overflow[buffer->overflowCount] = *value;
	buffer->overflow[buffer->overflowCount].ref.valueIndex = buffer->valueCount;
	buffer->overflowCount++;
	RetlColumnBufferAddBytes(buffer, NULL, 0);
}

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
	}
	else
		values.fixed = buffer->fixed != NULL ? buffer->fixed : noBytes;
	return values;
}
