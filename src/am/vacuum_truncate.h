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
 * enough and the table can be locked exclusively soon.  For VACUUM, which holds
 * ShareUpdateExclusiveLock, after dead groups were freed.
 */
extern void RetlVacuumTruncate(Relation rel);

#endif							/* RETLDB_VACUUM_TRUNCATE_H */
