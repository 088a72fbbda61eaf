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

/* Make room for row number "row", null or not, of "length" bytes. */
extern void RetlColumnBufferReserve(RetlColumnBuffer *buffer, uint32 row, bool isnull,
									Size length, bool overflowed);

/* Bytes a column's arena may have; the group counts as full before. */
#define RETLDB_COLUMN_BYTES_MAX		((Size) 2 * 1024 * 1024 * 1024)

extern void RetlColumnBufferAddNull(RetlColumnBuffer *buffer, uint32 row);
extern void RetlColumnBufferAddFixed(RetlColumnBuffer *buffer, const void *data);
extern void RetlColumnBufferAddBytes(RetlColumnBuffer *buffer, const void *data, Size length);

/* The value's index is filled in here. */
extern void RetlColumnBufferAddOverflow(RetlColumnBuffer *buffer, const RetlOverflowValue *value);

/* All values, as the encodings take them. */
extern RetlValues RetlColumnBufferGetValues(const RetlColumnBuffer *buffer);

static inline bool
RetlColumnBufferIsNull(const RetlColumnBuffer *buffer, uint32 row)
{
	return row < buffer->nullCapacity && (buffer->nulls[row / 8] & (1 << (row % 8))) != 0;
}

#endif							/* RETLDB_COLUMN_BUFFER_H */
