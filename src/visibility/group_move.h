/*-------------------------------------------------------------------------
 *
 * group_move.h
 *	  Moving the rows of row groups to new ones, next to those who change them.
 *
 * The caller has written living rows of old groups to new ones, all in the current
 * transaction, and holds a lock on the table that excludes VACUUM and others who
 * move rows.  See docs/internals/compaction.md for why this is right.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_GROUP_MOVE_H
#define RETLDB_GROUP_MOVE_H

#include "postgres.h"

#include "storage/itemptr.h"
#include "utils/relcache.h"

#include "storage/directory.h"

/* A group whose rows have been written to others. */
typedef struct RetlMovedGroup
{
	RetlGroup  *group;
	uint32	   *places;			/* for each row its new row number less "base"; RETLDB_NO_LINK: it
								 * was dead */
	BlockNumber links;			/* once they are written; RETLDB_NO_BLOCK: all rows were dead */
} RetlMovedGroup;

/* What is moved by a transaction. */
typedef struct RetlMove
{
	uint64		base;
	int			oldCount;
	RetlMovedGroup *old;
	int			newCount;
	RetlGroup  *new;			/* rising by row number */
} RetlMove;

/* Write the links of the old groups. */
extern void RetlMoveWriteLinks(Relation rel, RetlMove *move);

/*
 * Take the old groups away, and let the new ones have the stubs of their rows.  From
 * the beginning of this until the transaction ends, whoever touches a row of these
 * groups for the first time waits for it; so the caller commits soon, and waits for
 * nobody before.  False if one of them is being deleted as a whole, or was: the caller
 * has to roll back.
 */
extern bool RetlMoveTakeAway(Relation rel, RetlMove *move, TransactionId oldestXmin);

/*
 * Where a row of a group goes by what the anchor says, whether who has moved it has committed,
 * rolled back, or is at it.  False if the anchor names no links, or none for the row.
 */
extern bool RetlFindLeavingRow(Relation rel, const RetlGroupEntry *entry, uint32 row,
							   ItemPointer place);

/*
 * Where a row of a group was moved by a transaction that has committed.  False if it
 * was not, or was dead, or the group is gone.
 */
extern bool RetlFindMovedGroupRow(Relation rel, const ItemPointerData *tid, ItemPointer place);

#endif							/* RETLDB_GROUP_MOVE_H */
