/*-------------------------------------------------------------------------
 *
 * vacuum_reclaim.h
 *	  VACUUM gives pages that rows have left to row groups.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_VACUUM_RECLAIM_H
#define RETLDB_VACUUM_RECLAIM_H

#include "postgres.h"

#include "storage/bufmgr.h"
#include "utils/relcache.h"

/*
 * Put free entries of the directory together, and make free pages for row groups of
 * pages of the row store without a tuple, if groups have few and the row store has
 * many.  The caller holds VACUUM's lock.
 */
extern void RetlVacuumReclaim(Relation rel, BufferAccessStrategy strategy);

#endif							/* RETLDB_VACUUM_RECLAIM_H */
