/*-------------------------------------------------------------------------
 *
 * recent_pages.c
 *	  Where pages of row groups were found in shared buffers.
 *
 * A row that is fetched by its TID has each of its columns on pages of its own, and
 * to find these in the buffers' hash table is a good part of what it costs: the
 * partition's lock, the bucket, the entry and the buffer's descriptor are each in
 * another place of memory.  So a backend remembers in which buffer it saw a page.
 * The descriptor says if the page is still there.
 *
 * The memory is a table of fixed size.  Pages whose places coincide displace each
 * other, which costs no more than to look them up.  Tables are told apart by their
 * OIDs only: what counts is the descriptor.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "pgstat.h"
#include "storage/buf_internals.h"
#include "storage/bufmgr.h"
#include "utils/rel.h"

#include "base/compat.h"
#include "storage/column_page.h"
#include "storage/recent_pages.h"

/* Pages that are remembered, a power of two: 512 MB of them in 256 kB. */
#define PLACES		65536

/*
 * Zero: nothing is remembered.  Not allocated, which would have all of it touched at once:
 * a parallel worker, or a session's first query, needs few pages of it.
 */
static Buffer places[PLACES];

/* The place of a page; those of pages side by side do not coincide. */
static inline Buffer *
PlaceOf(Relation rel, BlockNumber block)
{
	return &places[(murmurhash32(RelationGetRelid(rel)) + block) % PLACES];
}

/*
 * See recent_pages.h.  Nothing of a temporary table is remembered, and what is in its place
 * may have the same file number.
 */
Buffer
RetlRecentBuffer(Relation rel, BlockNumber block)
{
	return RelationUsesLocalBuffers(rel) ? InvalidBuffer : *PlaceOf(rel, block);
}

/* See recent_pages.h. */
void
RetlPrefetchRecentBuffer(Relation rel, BlockNumber block)
{
	__builtin_prefetch(PlaceOf(rel, block));
}

/* See recent_pages.h. */
void
RetlPrefetchRecentPage(Relation rel, BlockNumber block, uint32 within)
{
	Buffer		buffer = RetlRecentBuffer(rel, block);
	Page		page;

	if (!BufferIsValid(buffer))
		return;
	page = BufferGetPage(buffer);
	__builtin_prefetch(GetBufferDescriptor(buffer - 1));
	__builtin_prefetch(page);
	__builtin_prefetch(RetlPageGetPayload(page) + within);
}

/*
 * See recent_pages.h.  The descriptor is not locked, so it may change at any moment, or
 * be seen half changed.
 */
bool
RetlRecentBufferIsLikely(Relation rel, BlockNumber block)
{
	Buffer		buffer = RetlRecentBuffer(rel, block);
	BufferDesc *desc;

	if (!BufferIsValid(buffer))
		return false;
	desc = GetBufferDescriptor(buffer - 1);
	return desc->tag.blockNum == block &&
		desc->tag.forkNum == MAIN_FORKNUM &&
		RetlBufferTagLocatorIs(desc->tag, RetlRelationLocator(rel)) &&
		(pg_atomic_read_u32(&desc->state) & BM_VALID) != 0;
}

/* See recent_pages.h.  Counted as if it had been looked up. */
bool
RetlPinRecentBuffer(Relation rel, BlockNumber block, Buffer buffer)
{
	if (!ReadRecentBuffer(RetlRelationLocator(rel), MAIN_FORKNUM, block, buffer))
		return false;
	pgstat_count_buffer_read(rel);
	pgstat_count_buffer_hit(rel);
	return true;
}

/* See recent_pages.h.  Not for temporary tables, whose buffers are looked up otherwise. */
void
RetlRememberBuffer(Relation rel, BlockNumber block, Buffer buffer)
{
	if (!BufferIsLocal(buffer))
		*PlaceOf(rel, block) = buffer;
}
