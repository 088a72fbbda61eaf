/*-------------------------------------------------------------------------
 *
 * column_buffer.h
 *	  The values of one column that wait to be written.
 *
 * Non-null values stand densely one after the other; a bitmap beside them says
 * which rows are null.  Adding is done in two steps: Reserve may run out of
 * memory but changes nothing that counts, Add cannot fail.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_COLUMN_BUFFER_H
#define RETLDB_COLUMN_BUFFER_H

#include "postgres.h"

#include "encoding/encoding.h"
#include "rowgroup/column_type.h"

/* A value that went to the overflow area; it stands in the buffer as an empty one. */
typedef struct RetlOverflowValue
{
	RetlOverflowRef ref;		/* valueIndex counts the column's non-null values */
	uint8		key[RETLDB_KEY_LENGTH];
	bool		keyExact;
} RetlOverflowValue;

typedef struct RetlColumnBuffer
{
	RetlColumnType type;
	MemoryContext context;
	uint32		valueCount;		/* non-null values */
	uint32		nullCount;

	uint8	   *nulls;			/* bit set = null; rows past the end are not null */
	uint32		nullCapacity;	/* rows there are bits for */

	uint32		valueCapacity;
	uint8	   *fixed;			/* fixed-width types */
	uint32	   *offsets;		/* others: [valueCount + 1] */
	uint8	   *bytes;
	Size		bytesLength;
	Size		bytesCapacity;

	RetlOverflowValue *overflow;
	uint32		overflowCount;
	uint32		overflowCapacity;
} RetlColumnBuffer;

extern void RetlColumnBufferInit(RetlColumnBuffer *buffer, const RetlColumnType *type,
								 MemoryContext context);

/* Forget all values but keep the memory; nothing happens to a zeroed buffer. */
extern void RetlColumnBufferReset(RetlColumnBuffer *buffer);

/* Make room for a null at row number "row", or for a value of "length" bytes. */
extern void RetlColumnBufferReserveNull(RetlColumnBuffer *buffer, uint32 row);
extern void RetlColumnBufferReserve(RetlColumnBuffer *buffer, Size length, bool overflowed);

/* Bytes a column's arena may have; the group counts as full before. */
#define RETLDB_COLUMN_BYTES_MAX		((Size) 2 * 1024 * 1024 * 1024)

/* The value's index is filled in here. */
extern void RetlColumnBufferAddOverflow(RetlColumnBuffer *buffer, const RetlOverflowValue *value);

/* Make room for several values of "bytes" bytes together. */
extern void RetlColumnBufferReserveMany(RetlColumnBuffer *buffer, uint32 count, Size bytes);

/* All values, as the encodings take them. */
extern RetlValues RetlColumnBufferGetValues(const RetlColumnBuffer *buffer);

/* Row number "row" is null. */
static inline void
RetlColumnBufferAddNull(RetlColumnBuffer *buffer, uint32 row)
{
	Assert(row < buffer->nullCapacity);
	buffer->nulls[row / 8] |= (uint8) (1 << (row % 8));
	buffer->nullCount++;
}

/* The next value, of a fixed-width type. */
static inline void
RetlColumnBufferAddFixed(RetlColumnBuffer *buffer, const void *data)
{
	uint32		width = buffer->type.width;
	uint8	   *dst = buffer->fixed + (Size) buffer->valueCount * width;

	Assert(buffer->valueCount < buffer->valueCapacity);
	if (width == 4)
		memcpy(dst, data, 4);
	else if (width == 8)
		memcpy(dst, data, 8);
	else
		memcpy(dst, data, width);
	buffer->valueCount++;
}

/* The next value, of a variable-length type. */
static inline void
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

static inline bool
RetlColumnBufferIsNull(const RetlColumnBuffer *buffer, uint32 row)
{
	return row < buffer->nullCapacity && (buffer->nulls[row / 8] & (1 << (row % 8))) != 0;
}

#endif							/* RETLDB_COLUMN_BUFFER_H */
