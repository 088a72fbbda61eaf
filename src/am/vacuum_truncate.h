/*-------------------------------------------------------------------------
 *
 * vacuum_truncate.h
 *	  VACUUM gives the end of a table back to the operating system.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_VACUUM_TRUNCATE_H
#define RETLDB_VACUUM_TRUNCATE_H

#include "postgres.h"

#include "utils/relcache.h"

/*
 * Cut off the pages at the end of the table that nobody needs, if they are many
 * enough and the table can be locked exclusively soon: that is tried so many times,
 * 50 ms apart.  False if it failed.  For VACUUM, and others who hold
 * ShareUpdateExclusiveLock, after dead groups were freed.
 */
extern bool RetlVacuumTruncate(Relation rel, int attempts);

#endif							/* RETLDB_VACUUM_TRUNCATE_H */
