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

/*
 * Is a columnar row dead for everybody, as a snapshot made by
 * InitNonVacuumableSnapshot sees it?  If so, *horizon becomes at least the
 * transaction whose deletion queries on a standby might not see yet; what was
 * removed before has had its conflict.  False for rows that are not written, and
 * for TIDs that no group has.
 */
extern bool RetlRowIsDeadForAll(Relation rel, ItemPointer tid, Snapshot nonVacuumable,
								TransactionId *horizon);

/*
 * The same *horizon for a row that somebody has found to be dead for everybody.
 * Our own idea of what everybody sees may be older than his.
 */
extern void RetlRowAdvanceHorizon(Relation rel, ItemPointer tid, TransactionId *horizon);

#endif							/* RETLDB_ROW_DEAD_H */
