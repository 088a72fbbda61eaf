/*-------------------------------------------------------------------------
 *
 * directory.h
 *	  The directory of row groups: reservation, completion, release; reading.
 *
 * Life of a group's entry: RetlDirectoryReserve hands out id and row numbers,
 * the caller inserts the anchor, RetlDirectoryAddGroup makes the entry
 * (LOADING), the page writer adds runs to it, RetlDirectoryComplete publishes
 * it (COMPLETE).  VACUUM calls RetlDirectoryFree for groups whose anchor is
 * gone.  None of this is transactional: whether a group exists for somebody is
 * the anchor's business alone.
 *
 * Locking: structure (slots, header counters) is changed under LockPage() of
 * the header block in ExclusiveLock, taken here and held briefly; the order is
 * page lock, then relation extension lock, then buffer locks: header,
 * directory page.  A LOADING entry's runs are changed only by its writer, those
 * of a COMPLETE one grow (for its stub map) under the page lock.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_DIRECTORY_H
#define RETLDB_DIRECTORY_H

#include "postgres.h"

#include "storage/block.h"
#include "storage/bufmgr.h"
#include "storage/itemptr.h"
#include "utils/relcache.h"

#include "format/format.h"

/* Where an entry stands. */
typedef struct RetlSlot
{
	BlockNumber block;			/* the directory page */
	uint16		pageIndex;		/* its index */
	uint16		slot;			/* the slot on it */
} RetlSlot;

typedef struct RetlGroup
{
	RetlGroupEntry entry;
	RetlSlot	slot;
} RetlGroup;

/* What is needed to find a directory page's zone maps. */
typedef struct RetlZoneMapRef
{
	BlockNumber zoneStart;
	uint32		zonePageCount;
	uint16		zoneColumns;
	uint16		zoneColumnsPerPage;
	uint16		slotCapacity;
} RetlZoneMapRef;

/* A copy of the directory at one moment, palloc'd in one context. */
typedef struct RetlDirectory
{
	RetlFileHeader *header;
	int			pageCount;
	RetlZoneMapRef *pages;		/* [pageCount]; zoneColumns = 0 if the page is damaged (rescue) */
	int			groupCount;
	RetlGroup  *groups;			/* all but UNUSED ones, ordered by rowBase */
} RetlDirectory;

/*
 * Read the directory.  Take the snapshot first: a group that is visible to the
 * snapshot is then sure to be in it.  With retldb.skip_damaged_groups, damaged
 * directory pages are passed over with a warning.
 */
extern RetlDirectory *RetlDirectoryRead(Relation rel);

/*
 * The group that a row number belongs to, COMPLETE or LOADING, or NULL.  One that
 * is LOADING has all numbers that it has reserved, whether or not there are rows.
 */
extern RetlGroup *RetlDirectoryFindRow(const RetlDirectory *directory, uint64 rowNumber);

/* All page runs of a group, palloc'd; checks the run list page. */
extern RetlRun *RetlGroupGetRuns(Relation rel, const RetlGroupEntry *entry, int *runCount);

/* Those that its byte string is in, which are the first ones; all of them if it is too long. */
extern RetlRun *RetlGroupGetDataRuns(Relation rel, const RetlGroupEntry *entry, int *runCount);

/*
 * The same for an entry that may be out of date, or damaged: only the inline
 * runs if the run list page does not go with it.  Never raises corruption.
 */
extern RetlRun *RetlGroupGetKnownRuns(Relation rel, const RetlGroupEntry *entry, int *runCount);

/* qsort() comparator of page runs: in the order of the file. */
extern int	RetlRunCompare(const void *one, const void *other);

/* Runs that are collected, of several entries; {0, NULL}: none yet. */
typedef struct RetlRuns
{
	int			count;
	RetlRun    *runs;
} RetlRuns;

/* Add some, and bring all into the order of the file. */
extern void RetlRunsAdd(RetlRuns *all, const RetlRun *runs, int count);
extern void RetlRunsSort(RetlRuns *all);

/* Is this entry plausible in itself?  NULL or a static text. */
extern const char *RetlGroupEntryProblem(const RetlGroupEntry *entry, BlockNumber nblocks);

/* Reserve a group id and rowCapacity row numbers (rounded up to 256). */
extern void RetlDirectoryReserve(Relation rel, uint32 rowCapacity,
								 uint64 *groupId, uint64 *rowBase);

/* Add the entry of a reserved group whose anchor stands at anchorTid; it has no pages yet. */
extern void RetlDirectoryAddGroup(Relation rel, uint64 groupId, uint64 rowBase,
								  uint32 rowCapacity, ItemPointer anchorTid,
								  uint64 writerXid, RetlGroup *group);

/*
 * Give pages of FREE entries to a LOADING group, up to as many as wanted, those first
 * in the file first; the caller is the group's writer.  Returns how many there were.
 * They are added to the end of the group's runs, and their content is anything.
 */
extern uint32 RetlDirectoryTakeFree(Relation rel, RetlGroup *group, uint32 wanted);

/*
 * Give one run of free pages to a COMPLETE group, the first in the file; false if there is
 * none, or no room for it in the group's entry.  The caller holds the header's page lock,
 * and has refreshed the entry.
 */
extern bool RetlDirectoryTakeRun(Relation rel, RetlGroup *group, uint32 length, RetlRun *run);

/*
 * Make a page of the row store of the first free page, if that is before a block.
 * Returns it, or InvalidBlockNumber.  The caller holds ShareUpdateExclusiveLock: VACUUM
 * would take the page for one without an owner as long as it has no tuple.
 */
extern BlockNumber RetlDirectoryGiveToHeap(Relation rel, BlockNumber before);

/*
 * Append a run of pages to a LOADING group's entry (and to *group), or to a
 * COMPLETE one's: then under the header's page lock, after RetlDirectoryRefresh.
 * What else the caller has changed in group->entry is written with it.
 */
extern void RetlDirectoryAddRun(Relation rel, RetlGroup *group, RetlRun run);

/*
 * Write pages, given as images, for a COMPLETE group, past those of its byte string: to
 * free pages, if there are as many side by side, else to the end of the file.  Takes the
 * header's page lock.
 */
extern RetlRun RetlDirectoryAddPages(Relation rel, RetlGroup *group, char *images, uint32 count);

/*
 * Enter the root of a COMPLETE group's stub map, which is one of its pages.  The caller
 * holds the header's page lock, and has refreshed the entry.
 */
extern void RetlDirectorySetStubMapRoot(Relation rel, RetlGroup *group, BlockNumber root);

/* Set incompatFlags of the table's header. */
extern void RetlDirectorySetIncompat(Relation rel, uint32 flags);

/*
 * Write to the header where there are pages without rows (VACUUM only); count 0: nobody
 * knows.
 */
extern void RetlDirectorySetBare(Relation rel, const RetlRun *runs, int count);

/*
 * Read the entry of a group once more.  The caller holds the header's page lock,
 * so a COMPLETE entry does not change after that.  It is an error if the group
 * is not there any more.
 */
extern void RetlDirectoryRefresh(Relation rel, RetlGroup *group);

/*
 * Tell group->entry whether the group has a stub map by now.  False if it is not
 * there any more.
 */
extern bool RetlDirectoryReadStubMapRoot(Relation rel, RetlGroup *group);

/*
 * Publish a group; the caller has set rowCount, vectorRows, dataLength,
 * footerOffset and footerLength in group->entry and written all pages and zone entries.
 */
extern void RetlDirectoryComplete(Relation rel, RetlGroup *group);

/* Release the pages of a group whose anchor is gone (VACUUM only). */
extern void RetlDirectoryFree(Relation rel, const RetlGroup *group);

/*
 * Make a FREE entry of pages that have no owner.  "take" makes column pages of some
 * of them, at most a batch, for the given group id; they are entered before it is
 * called again, so that an error or a crash loses no more than a batch.  If "newRun" is
 * not set, they must follow those it took before.  It is called if there is a slot for
 * the entry, with the header's page lock held, and returns false if there are no more
 * pages.  RetlDirectoryAddFree returns false if there is no slot, or no page was taken.
 */
typedef bool (*RetlTakePages) (Relation rel, uint64 groupId, bool newRun, RetlRun *taken,
							   void *context);
extern bool RetlDirectoryAddFree(Relation rel, RetlTakePages take, void *context);

/*
 * Put FREE entries together, neighbours in the file, as far as their runs fit one
 * entry without a run list (VACUUM): they take slots.  Run lists of others move to the
 * first page of the entry.
 */
extern void RetlDirectoryMergeFree(Relation rel);

/*
 * Bring directory pages that do not stand before a block, with their zone maps, to the
 * first free pages that are in one run.  Their old pages are nobody's then, and about to
 * be cut off (VACUUM, under AccessExclusiveLock).
 */
extern void RetlDirectoryMoveDown(Relation rel, BlockNumber end);

/*
 * Let FREE entries go of all pages from block "end" on, which are about to be
 * cut off (VACUUM, under AccessExclusiveLock).
 */
extern void RetlDirectoryCutFree(Relation rel, BlockNumber end);

/* ---- zone maps ---- */

/*
 * Write the entries of a group, one for each column id 1..columnCount; before
 * RetlDirectoryComplete.
 */
extern void RetlZoneMapWrite(Relation rel, const RetlGroup *group,
							 const RetlZoneEntry *entries, int columnCount);

/*
 * Read a column's entries of all slots of a directory page into
 * entries[RETLDB_DIRECTORY_SLOTS].  False if there is no room for this column
 * (then nothing is known).  An entry counts only if its groupIdLow is the
 * group's and rowCount is not 0.
 */
extern bool RetlZoneMapRead(Relation rel, const RetlDirectory *directory, int pageIndex,
							uint32 columnId, RetlZoneEntry *entries);

#endif							/* RETLDB_DIRECTORY_H */
