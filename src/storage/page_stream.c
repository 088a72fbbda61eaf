/*-------------------------------------------------------------------------
 *
 * page_stream.c
 *	  Pages of a table that are read one after the other.
 *
 * What serves versions with read streams and those without stands here; compat.h
 * says which these are.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/rel.h"

#include "base/compat.h"
#include "storage/page_stream.h"

struct RetlPageStream
{
	Relation	rel;
	BufferAccessStrategy strategy;
	RetlPageBlock block;
	void	   *source;
	uint64		next;			/* the page to be given next */
	uint64		end;
#ifdef RETL_READ_STREAM_FLAGS
	uint64		asked;			/* the page that the server is told next */
	ReadStream *stream;
#endif
};

#ifdef RETL_READ_STREAM_FLAGS

/* ReadStreamBlockNumberCB */
static BlockNumber
NextBlock(ReadStream *stream, void *data, void *pageData)
{
	RetlPageStream *pages = data;

	if (pages->asked >= pages->end)
		return InvalidBlockNumber;
	return pages->block(pages->source, pages->asked++);
}

#endif

/* See page_stream.h. */
RetlPageStream *
RetlPageStreamBegin(Relation rel, BufferAccessStrategy strategy, RetlPageBlock block,
					void *source, uint64 first, uint64 end, bool all)
{
	RetlPageStream *pages = palloc(sizeof(RetlPageStream));

	Assert(first < end);
	pages->rel = rel;
	pages->strategy = strategy;
	pages->block = block;
	pages->source = source;
	pages->next = first;
	pages->end = end;
#ifdef RETL_READ_STREAM_FLAGS
	pages->asked = first;
	pages->stream = read_stream_begin_relation(RETL_READ_STREAM_FLAGS | (all ? READ_STREAM_FULL : 0),
											   strategy, rel, MAIN_FORKNUM, NextBlock, pages, 0);
#endif
	return pages;
}

/* See page_stream.h. */
bool
RetlPageStreamIsAt(const RetlPageStream *pages, uint64 page)
{
	return pages != NULL && pages->next == page && page < pages->end;
}

/* See page_stream.h. */
Buffer
RetlPageStreamNext(RetlPageStream *pages)
{
	Buffer		buffer;

	Assert(pages->next < pages->end);
#ifdef RETL_READ_STREAM_FLAGS
	buffer = read_stream_next_buffer(pages->stream, NULL);
	if (!BufferIsValid(buffer))
		elog(ERROR, "read stream of table \"%s\" has ended too early",
			 RelationGetRelationName(pages->rel));
#else
	buffer = ReadBufferExtended(pages->rel, MAIN_FORKNUM, pages->block(pages->source, pages->next),
								RBM_NORMAL, pages->strategy);
#endif
	pages->next++;
	return buffer;
}

/* See page_stream.h. */
void
RetlPageStreamEnd(RetlPageStream *pages)
{
	if (pages == NULL)
		return;
#ifdef RETL_READ_STREAM_FLAGS
	read_stream_end(pages->stream);
#endif
	pfree(pages);
}
