/*-------------------------------------------------------------------------
 *
 * index_rows.h
 *	  Rows of a row group as CREATE INDEX sees them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_INDEX_ROWS_H
#define RETLDB_INDEX_ROWS_H

#include "postgres.h"

#include "storage/directory.h"
#include "visibility/stub.h"

/*
 * Which rows of a group are entered in a new index: all that somebody may see,
 * now or when the transactions that are at work have ended.
 */
typedef struct RetlIndexRows
{
	TransactionId oldestXmin;	/* what was deleted before is dead for everybody */
	bool		wait;			/* for other transactions, as unique indexes need it */

	/* of the group that was asked for last */
	RetlHiddenRows dead;		/* for everybody: not entered */
	RetlHiddenRows notAlive;	/* of those entered: not to be checked for uniqueness */
	bool		noneAlive;		/* that is all of them */
} RetlIndexRows;

/*
 * Somebody is inserting or deleting a row of a table of which an index is built.
 * Is it our own transaction?  The lock on the table lets nobody else do that, so
 * others are worth a warning, as in heap.
 */
extern bool RetlIndexChangeIsOwn(Relation rel, TransactionId xid, const char *what);

extern RetlIndexRows *RetlIndexRowsCreate(TransactionId oldestXmin, bool wait);

/*
 * Find the rows of a COMPLETE group.  False if there is none.  The caller holds
 * a lock on the table that keeps writers out, but for those of its own transaction.
 */
extern bool RetlIndexRowsRead(RetlIndexRows *rows, Relation rel, const RetlGroupEntry *entry);

/* Is a row that is entered alive? */
static inline bool
RetlIndexRowIsAlive(const RetlIndexRows *rows, uint32 row)
{
	return !rows->noneAlive &&
		(rows->notAlive.count == 0 || !RetlRowIsHidden(&rows->notAlive, row));
}

#endif							/* RETLDB_INDEX_ROWS_H */
