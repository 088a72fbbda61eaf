/*-------------------------------------------------------------------------
 *
 * compact_reads.h
 *	  Which rows of a table serializable transactions have read by their place.
 *
 * Such a row is not moved, if that can wait: whoever changes it where it is now looks
 * for the predicate lock there, not where it was, so the lock would have to become one on
 * the whole table.  A transaction that has ended counts as long as others that ran next
 * to it do, for so long its locks are there.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_COMPACT_READS_H
#define RETLDB_COMPACT_READS_H

#include "postgres.h"

#include "storage/itemptr.h"
#include "utils/relcache.h"

#include "storage/directory.h"

/* Places with a predicate lock.  All zeroes: none. */
typedef struct RetlReadPlaces
{
	int			count;
	ItemPointerData *places;	/* [count], in order; a whole page has offset 0 */
} RetlReadPlaces;

/*
 * Find those that there are at the moment, of rows and of pages, in the row store and in
 * row groups.  Locks on the whole table do not count: they hold wherever rows are.
 */
extern void RetlReadPlacesFind(Relation rel, RetlReadPlaces *reads);

/* Is a row of the row store among them? */
extern bool RetlRowWasRead(const RetlReadPlaces *reads, BlockNumber block, OffsetNumber offset);

/* Is a row of a group? */
extern bool RetlGroupWasRead(const RetlReadPlaces *reads, const RetlGroupEntry *entry);

#endif							/* RETLDB_COMPACT_READS_H */
