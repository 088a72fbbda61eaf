/*-------------------------------------------------------------------------
 *
 * page_stream.h
 *	  Pages of a table that are read one after the other.
 *
 * The caller numbers the pages; a function tells the block of each.  From
 * PostgreSQL 17 on they are a read stream of the server, which reads several at
 * once and, from 18 on, before they are asked for.  Older versions read them one
 * by one.  Whoever wants the kernel to fetch pages ahead asks for that himself,
 * with every version.
 *
 * A stream may hold pins of pages that it was not asked for yet, by the resource
 * owner that was current when it was asked last.  An error releases them; after
 * that the stream must not be touched any more.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_PAGE_STREAM_H
#define RETLDB_PAGE_STREAM_H

#include "postgres.h"

#include "storage/bufmgr.h"
#include "utils/relcache.h"

typedef struct RetlPageStream RetlPageStream;

/* The block of page "page". */
typedef BlockNumber (*RetlPageBlock) (void *source, uint64 page);

/*
 * A stream of pages [first, end), palloc'd in the current context.  "all": they
 * will all be asked for, so there is no need to begin with small reads.
 */
extern RetlPageStream *RetlPageStreamBegin(Relation rel, BufferAccessStrategy strategy,
										   RetlPageBlock block, void *source,
										   uint64 first, uint64 end, bool all);

/* Is this the next page of the stream, which may be NULL? */
extern bool RetlPageStreamIsAt(const RetlPageStream *stream, uint64 page);

/* The next page, which there must be, pinned. */
extern Buffer RetlPageStreamNext(RetlPageStream *stream);

/* Release what the stream, which may be NULL, holds; then it is gone. */
extern void RetlPageStreamEnd(RetlPageStream *stream);

#endif							/* RETLDB_PAGE_STREAM_H */
