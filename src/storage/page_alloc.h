/*-------------------------------------------------------------------------
 *
 * page_alloc.h
 *	  Putting finished column pages into the table's main fork.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_PAGE_ALLOC_H
#define RETLDB_PAGE_ALLOC_H

#include "postgres.h"

#include "storage/block.h"
#include "storage/bufmgr.h"
#include "utils/relcache.h"

#include "format/format.h"

/*
 * Add "count" pages, given as consecutive images in memory, at the end of the
 * fork, in one run.  Sets their checksums in place.  The pages are WAL-logged
 * with their final content, and all-visible for vacuum.  Takes the relation
 * extension lock; the caller holds no buffer lock.
 */
extern RetlRun RetlPagesAppend(Relation rel, char *images, uint32 count,
							   BufferAccessStrategy strategy);

/*
 * Same over existing column pages that nobody reads any more, which stand at
 * [first, first + count).
 */
extern void RetlPagesOverwrite(Relation rel, BlockNumber first, char *images, uint32 count,
							   BufferAccessStrategy strategy);

/*
 * Make column pages, of no content, of heap pages without a tuple that stand from
 * "first" on: of as many as are wanted, but a batch at most.  Stops at the first one
 * that is in use, or is none; returns how many were made.
 */
extern uint32 RetlPagesTakeFromHeap(Relation rel, BlockNumber first, uint32 wanted,
									uint64 groupId);

/*
 * Make an empty heap page of a column page that nobody owns.  To a scan that takes the
 * page for a column page, tuples that come there are like those of pages appended later.
 */
extern void RetlPageGiveToHeap(Relation rel, BlockNumber block);

/*
 * A locked heap page is not all-visible any more; its page of the visibility map is pinned.
 * In a critical section, whose WAL record has the flag that clears both, but says nothing
 * of the map.  So the map's page is logged here where an incremental backup has to know of it.
 */
extern void RetlPageClearAllVisible(Relation rel, Buffer buffer, Buffer mapBuffer);

/* Is this locked page a heap page without a tuple? */
extern bool RetlPageIsBareHeap(Page page);

#endif							/* RETLDB_PAGE_ALLOC_H */
