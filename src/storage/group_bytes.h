/*-------------------------------------------------------------------------
 *
 * group_bytes.h
 *	  A row group's byte string: appended to by one writer, read at random.
 *
 * The callers see offsets; how they map to pages, and the pages' allocation
 * and WAL, is done here.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_GROUP_BYTES_H
#define RETLDB_GROUP_BYTES_H

#include "postgres.h"

#include "storage/directory.h"

typedef struct RetlBytesWriter RetlBytesWriter;

/* Start writing the byte string of a LOADING group; palloc's in the current context. */
extern RetlBytesWriter *RetlBytesWriterBegin(Relation rel, RetlGroup *group);

/* Append; returns the offset where the data begin. */
extern uint64 RetlBytesWriterAppend(RetlBytesWriter *writer, const void *data, Size length);

/* Offset of the next byte. */
extern uint64 RetlBytesWriterPosition(const RetlBytesWriter *writer);

/* Write what is left: the group then has as many pages as it needs. */
extern void RetlBytesWriterEnd(RetlBytesWriter *writer);

/* Reader over a group's pages; one per open group, cheap. */
typedef struct RetlBytesReader
{
	Relation	rel;
	BufferAccessStrategy strategy;	/* NULL = default */
	uint64		groupId;
	uint64		dataLength;
	int			runCount;
	RetlRun    *runs;
	uint64		prefetchDistance;	/* RetlPrefetchDistance where the table is */
} RetlBytesReader;

extern void RetlBytesReaderInit(RetlBytesReader *reader, Relation rel,
								const RetlGroupEntry *entry,
								BufferAccessStrategy strategy);

/*
 * Copy [offset, offset + length) to dst.  A range outside the byte string and
 * pages that are not the group's raise ERRCODE_DATA_CORRUPTED.  The content
 * itself is not verified: units, chunk headers and footers have checksums.
 */
extern void RetlBytesReaderRead(RetlBytesReader *reader, uint64 offset, Size length, void *dst);

/* Same, but the caller has had the range prefetched. */
extern void RetlBytesReaderReadPrefetched(RetlBytesReader *reader, uint64 offset, Size length,
										  void *dst);

/*
 * Start reading pages of [offset, offset + length), which may reach beyond the
 * end, in the background.
 */
extern void RetlBytesReaderPrefetch(const RetlBytesReader *reader, uint64 offset, uint64 length);

/* How many bytes ahead to prefetch where the table is; 0: it is not wanted. */
extern uint64 RetlPrefetchDistance(Relation rel);

/* Start reading the first page of a COMPLETE group's footer. */
extern void RetlGroupPrefetchFooter(Relation rel, const RetlGroupEntry *entry);

/* Block that holds page "index" of the group. */
extern BlockNumber RetlBytesReaderBlock(const RetlBytesReader *reader, uint32 index);

#endif							/* RETLDB_GROUP_BYTES_H */
