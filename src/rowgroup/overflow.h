/*-------------------------------------------------------------------------
 *
 * overflow.h
 *	  Large values: compressed frame by frame, kept outside of the chunks.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_OVERFLOW_H
#define RETLDB_OVERFLOW_H

#include "postgres.h"

#include "format/format.h"
#include "storage/group_bytes.h"

/* ---- writing ---- */

/* Finished frames in memory, in the order in which they go to disk. */
typedef struct RetlOverflowList
{
	struct RetlOverflowNode *first;
	struct RetlOverflowNode *last;
	uint64		length;			/* bytes of all frames */
} RetlOverflowList;

/*
 * Compress a value and append its frames, allocated in "context".  If this
 * raises an error the list holds some frames of the value.
 */
extern void RetlOverflowPack(RetlOverflowList *list, const void *data, uint32 length,
							 RetlCompressionId compression, int level,
							 MemoryContext context);

/* Move all frames of "from" to the end of "into". */
extern void RetlOverflowMove(RetlOverflowList *into, RetlOverflowList *from);

/*
 * Bring the values into another order: that of refs, which names all values of
 * the list.  The references' offsets are changed accordingly.
 */
extern void RetlOverflowReorder(RetlOverflowList *list, RetlOverflowRef **refs, uint32 count);

/* Free all frames. */
extern void RetlOverflowDiscard(RetlOverflowList *list);

/* Append all frames to the group's byte string; returns where they begin. */
extern uint64 RetlOverflowWrite(const RetlOverflowList *list, RetlBytesWriter *writer);

/* ---- reading ---- */

/* Whose overflow values are read. */
typedef struct RetlOverflowArea
{
	RetlBytesReader *bytes;
	uint64		offset;			/* of the area in the group's byte string */
	const char *columnName;		/* for messages */
	uint64	   *bytesRead;		/* counter, or NULL */
} RetlOverflowArea;

/*
 * Read a value into dst, which has room for ref->rawLength bytes.  The
 * reference is a checked one (RetlPieceParse).  Returns NULL or what is wrong.
 */
extern const char *RetlOverflowRead(const RetlOverflowArea *area, const RetlOverflowRef *ref,
									void *dst);

/*
 * A read-only expanded object that reads the value when it is flattened.  It is
 * allocated in "context" and refers to the area, which must live as long.
 */
extern char *RetlOverflowMakeLazy(const RetlOverflowArea *area, const RetlOverflowRef *ref,
								  MemoryContext context);

/* May values of this type be such objects?  (No code must take them for its own.) */
extern bool RetlOverflowTypeIsLazy(Oid baseType);

#endif							/* RETLDB_OVERFLOW_H */
