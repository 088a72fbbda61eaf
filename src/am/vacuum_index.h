/*-------------------------------------------------------------------------
 *
 * vacuum_index.h
 *	  VACUUM of row groups: index entries, stub maps, pages.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_VACUUM_INDEX_H
#define RETLDB_VACUUM_INDEX_H

#include "postgres.h"

#include "commands/vacuum.h"
#include "storage/bufmgr.h"
#include "utils/relcache.h"

/*
 * After heap's part of VACUUM: find rows and groups that are dead for everybody,
 * remove their entries from the indexes, and then let stub maps and directory
 * forget them.  Returns the number of rows that are left in row groups; *dyingRows is how
 * many were deleted with their groups, but not for everybody.
 */
extern double RetlVacuumRowGroups(Relation rel, const VacuumParams *params,
								  BufferAccessStrategy strategy, double rowStoreRows,
								  double *dyingRows);

/*
 * Put right what heap's part wrote about the sizes of indexes, for it has counted
 * tuples of the file only.
 */
extern void RetlVacuumIndexStatistics(Relation rel, double tuples);

#endif							/* RETLDB_VACUUM_INDEX_H */
