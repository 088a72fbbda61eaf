/*-------------------------------------------------------------------------
 *
 * recent_pages.h
 *	  Where pages of row groups were found in shared buffers.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_RECENT_PAGES_H
#define RETLDB_RECENT_PAGES_H

#include "postgres.h"

#include "storage/buf.h"
#include "storage/block.h"
#include "utils/relcache.h"

/*
 * The buffer in which this backend found a page last time, or InvalidBuffer.  It
 * may have another page now.
 */
extern Buffer RetlRecentBuffer(Relation rel, BlockNumber block);

/*
 * A page will be wanted: have the processor bring, first, what says where it was found
 * last, and, when that has come, the beginning of the page and the line at an offset of
 * its payload.
 */
extern void RetlPrefetchRecentBuffer(Relation rel, BlockNumber block);
extern void RetlPrefetchRecentPage(Relation rel, BlockNumber block, uint32 within);

/*
 * Is the page in shared buffers, where it was last time?  Good enough to tell whether to
 * ask for it beforehand, which costs a lookup if it is there.
 */
extern bool RetlRecentBufferIsLikely(Relation rel, BlockNumber block);

/* Pin such a buffer, if it has the page. */
extern bool RetlPinRecentBuffer(Relation rel, BlockNumber block, Buffer buffer);

/* A page was found in a buffer. */
extern void RetlRememberBuffer(Relation rel, BlockNumber block, Buffer buffer);

#endif							/* RETLDB_RECENT_PAGES_H */
