/*-------------------------------------------------------------------------
 *
 * compact_worker.h
 *	  Compaction that runs by itself.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_COMPACT_WORKER_H
#define RETLDB_COMPACT_WORKER_H

#include "postgres.h"

#include "nodes/pg_list.h"

/*
 * Register the launcher, and ask for shared memory; called when the library is
 * loaded, does nothing unless it is being preloaded.
 */
extern void RetlInstallCompaction(void);

/* compact_command.c: all retldb tables that the user may compact. */
extern List *RetlCompactAllTables(bool temporary);

#endif							/* RETLDB_COMPACT_WORKER_H */
