/*-------------------------------------------------------------------------
 *
 * directory_change.h
 *	  Changes of the directory, as the modules that make them share them.
 *
 * A change is one generic WAL record over at most four pages.  They are locked
 * in this order: header, directory pages by position, run list page.  Whoever
 * changes an entry that is not his own holds the header's page lock.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_DIRECTORY_CHANGE_H
#define RETLDB_DIRECTORY_CHANGE_H

#include "postgres.h"

#include "access/generic_xlog.h"

#include "storage/directory.h"

/* A change of directory pages (and perhaps the header) in progress. */
typedef struct RetlDirectoryChange
{
	Relation	rel;
	GenericXLogState *xlog;
	int			count;
	Buffer		buffers[MAX_GENERIC_XLOG_PAGES];
	Page		pages[MAX_GENERIC_XLOG_PAGES];
} RetlDirectoryChange;

extern void RetlChangeBegin(RetlDirectoryChange *change, Relation rel);

/*
 * Lock a page for the change; returns its payload to be modified.
 */
extern void *RetlChangePage(RetlDirectoryChange *change, BlockNumber blkno, RetlPageKind kind,
							uint64 groupId, uint32 sequence);

/* The same for the header, whose generation grows. */
extern RetlFileHeader *RetlChangeHeader(RetlDirectoryChange *change);

/* The same for an entry's slot, and for two of them, whether or not they share a page. */
extern RetlGroupEntry *RetlChangeEntry(RetlDirectoryChange *change, const RetlSlot *slot);
extern void RetlChangeEntries(RetlDirectoryChange *change, const RetlSlot *one,
							  const RetlSlot *other, RetlGroupEntry **oneEntry,
							  RetlGroupEntry **otherEntry);

/* The same for an entry's run list page; NULL if it has none. */
extern RetlRunListPage *RetlChangeRunList(RetlDirectoryChange *change, const RetlGroupEntry *entry);

/*
 * Put an array of runs into an entry and, where they do not fit, its run list
 * page, whose content "list" is (NULL if the entry has none).
 */
extern void RetlStoreRuns(RetlGroupEntry *entry, RetlRunListPage *list, const RetlRun *runs,
						  int count);

/* Log and release. */
extern void RetlChangeFinish(RetlDirectoryChange *change);

/*
 * directory.c: find an unused slot with zone maps for so many columns, on pages that
 * exist.  The caller holds the header's page lock.
 */
extern bool RetlFindUnusedSlot(Relation rel, int columns, RetlSlot *slot);

/* directory.c: make the image of an empty run list page for a group. */
extern void RetlMakeRunList(Page image, uint64 groupId);

/*
 * directory_free.c: RetlDirectoryMergeFree; the caller holds the header's page lock.
 */
extern void RetlMergeFreeEntries(Relation rel);

#endif							/* RETLDB_DIRECTORY_CHANGE_H */
