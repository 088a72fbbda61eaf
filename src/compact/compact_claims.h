/*-------------------------------------------------------------------------
 *
 * compact_claims.h
 *	  The workers of automatic compaction, and the tables that they are at.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_COMPACT_CLAIMS_H
#define RETLDB_COMPACT_CLAIMS_H

#include "postgres.h"

/* Ask for shared memory; called when the library is preloaded. */
extern void RetlCompactClaimsInstall(void);

/*
 * Enter this process as a worker for a database, until it ends.  False if there are as many
 * as there may be, of all databases.  "launcher" is the one that has started it.
 */
extern bool RetlCompactWorkerEnter(Oid database, pid_t launcher);

/* How many workers are there that another launcher, which is gone, has started? */
extern int	RetlCompactWorkersLeftBehind(pid_t launcher);

/*
 * Claim a table of the worker's database; false if another worker is at it.  A worker has one
 * at most, which it gives back when it is done with it, or ends.
 */
extern bool RetlCompactClaim(Oid relid);
extern void RetlCompactUnclaim(void);

#endif							/* RETLDB_COMPACT_CLAIMS_H */
