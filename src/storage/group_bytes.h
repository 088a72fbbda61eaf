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
#include "storage/page_stream.h"

typedef struct RetlBytesWriter RetlBytesWriter;

/* Start writing the byte string of a LOADING group; palloc's in the current context. */
extern RetlBytesWriter *RetlBytesWriterBegin(Relation rel, RetlGroup *group);

/* Append; returns the offset where the data begin. */
extern uint64 RetlBytesWriterAppend(RetlBytesWriter *writer, const void *data, Size length);

/*
 * The next "length" bytes are read together: begin them on a new page, if they are
 * then on fewer pages, and if no more than maxGap bytes, which become zero, are lost.
 */
extern void RetlBytesWriterFit(RetlBytesWriter *writer, uint64 length, uint64 maxGap);

/* Offset of the next byte. */
extern uint64 RetlBytesWriterPosition(const RetlBytesWriter *writer);

/* Write what is left: the group then has as many pages as it needs. */
extern void RetlBytesWriterEnd(RetlBytesWriter *writer);

/*
 * Reader over a group's pages; one per open group, cheap.  Zero before it is
 * initialized the first time; what is missing is remembered from group to group.
 */
typedef struct RetlBytesReader
{
	Relation	rel;
	BufferAccessStrategy strategy;	/* NULL = default */
	uint64		groupId;
	uint64		dataLength;
	int			runCount;
	RetlRun    *runs;
	uint64		prefetchDistance;	/* of RetlBytesReaderDistance, once asked for */
	bool		distanceKnown;
	bool		missing;		/* did the pages prefetched last have to be read? */
	int			aheads;			/* streams that read more than was asked for */
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

/*
 * Same for a part of something whose checksum the caller cannot compare: the pages'
 * own checksums are, once for each time a page is read into shared buffers.
 */
extern void RetlBytesReaderReadVerified(RetlBytesReader *reader, uint64 offset, Size length,
										void *dst);

/*
 * Same; pages come from the stream where it is at them.  A stream is of pages that
 * bytes [offset, offset + length) are on, and palloc'd in the current context.  The
 * reader must stay where it is as long as the stream is there.
 */
extern void RetlBytesReaderReadStream(RetlBytesReader *reader, RetlPageStream *stream,
									  uint64 offset, Size length, void *dst);
extern RetlPageStream *RetlBytesReaderBeginStream(RetlBytesReader *reader, uint64 offset,
												  uint64 length);

/* Is the stream, which may be NULL, at the page of this offset, or was it just there? */
extern bool RetlBytesStreamIsNear(const RetlPageStream *stream, uint64 offset);

/*
 * Start reading pages of [offset, offset + length), which may reach beyond the
 * end, in the background.  Answers, and notes, whether they have to be read.
 */
extern bool RetlBytesReaderPrefetch(RetlBytesReader *reader, uint64 offset, uint64 length);

/* How many bytes ahead to prefetch where the table is; 0: it is not wanted. */
extern uint64 RetlPrefetchDistance(Relation rel);

/* Same for an open group: looked up once, and only if somebody asks. */
extern uint64 RetlBytesReaderDistance(RetlBytesReader *reader);

/* Start reading the first page of a COMPLETE group's footer. */
extern void RetlGroupPrefetchFooter(Relation rel, const RetlGroupEntry *entry);

/* Block that holds page "index" of the group. */
extern BlockNumber RetlBytesReaderBlock(const RetlBytesReader *reader, uint32 index);

#endif							/* RETLDB_GROUP_BYTES_H */
