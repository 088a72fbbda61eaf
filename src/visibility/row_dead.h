/*-------------------------------------------------------------------------
 *
 * row_dead.h
 *	  Which rows of row groups are dead for everybody.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_ROW_DEAD_H
#define RETLDB_ROW_DEAD_H

#include "postgres.h"

#include "access/transam.h"
#include "storage/itemptr.h"
#include "utils/relcache.h"
#include "utils/snapshot.h"

#include "storage/stub_map.h"

/* So many rows are looked up together. */
#define RETLDB_DEAD_ROWS	128

/* What the directory and the maps of stubs say of some rows. */
typedef enum RetlRowLife
{
	RETL_LIFE_ALIVE,			/* or not known */
	RETL_LIFE_DEAD,				/* for everybody */
	RETL_LIFE_STUB				/* the stub decides */
} RetlRowLife;

typedef struct RetlDeadRows
{
	int			count;
	uint64		rowNumbers[RETLDB_DEAD_ROWS];
	bool		known[RETLDB_DEAD_ROWS];	/* somebody has found it dead for everybody */
	RetlRowLife lives[RETLDB_DEAD_ROWS];
	RetlStubEntry stubs[RETLDB_DEAD_ROWS];	/* where the stub decides */
} RetlDeadRows;

/*
 * Look up rows, whose numbers are given in any order, and what is known of them: a
 * group and a page of its map are turned to once for all of their rows.
 */
extern void RetlDeadRowsLookUp(RetlDeadRows *rows, Relation rel, Snapshot nonVacuumable,
							   TransactionId *horizon);

/*
 * Is row "index", which was looked up, dead for everybody, as a snapshot made by
 * InitNonVacuumableSnapshot sees it?  If so, *horizon becomes at least the
 * transaction whose deletion queries on a standby might not see yet; what was
 * removed before has had its conflict.  False for rows that are not written, and
 * for numbers that no group has.  True if it is known: our own idea of what
 * everybody sees may be older than that of whoever found it out.
 */
extern bool RetlDeadRowsIsDead(const RetlDeadRows *rows, int index, Relation rel,
							   Snapshot nonVacuumable, TransactionId *horizon);

#endif							/* RETLDB_ROW_DEAD_H */
