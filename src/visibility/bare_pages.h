/*-------------------------------------------------------------------------
 *
 * bare_pages.h
 *	  Pages of the row store without rows, which scans need not read.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_BARE_PAGES_H
#define RETLDB_BARE_PAGES_H

#include "postgres.h"

#include "storage/bufmgr.h"
#include "utils/relcache.h"
#include "utils/snapshot.h"

#include "storage/directory.h"

/* VACUUM calls this before anything of it may set bits of the visibility map. */
extern void RetlBarePagesForget(Relation rel);

/* VACUUM calls this when it has done everything else. */
extern void RetlBarePagesNote(Relation rel, BufferAccessStrategy strategy);

/*
 * Leave those pages out of the row store's runs which a scan need not read, by a
 * directory that was read after the snapshot was taken.  Returns the runs, palloc'd or
 * the ones that were given, and sets *runCount.
 */
extern RetlRun *RetlBarePagesLeaveOut(Relation rel, Snapshot snapshot,
									  const RetlDirectory *directory, RetlRun *runs,
									  int *runCount);

/* Has this locked heap page no row, nor damage? */
extern bool RetlPageHasNoRow(Page page);

/* Is a block in one of these runs? */
extern bool RetlBareRunsHave(const RetlBareRuns *bare, BlockNumber block);

#endif							/* RETLDB_BARE_PAGES_H */
