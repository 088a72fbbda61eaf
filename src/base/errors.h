/*-------------------------------------------------------------------------
 *
 * errors.h
 *	  Errors that many places raise, said the same way everywhere.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_ERRORS_H
#define RETLDB_ERRORS_H

#include "postgres.h"

#include "storage/block.h"
#include "utils/relcache.h"

#include "base/compat.h"

/* Damaged page: raises ERRCODE_DATA_CORRUPTED. */
pg_noreturn extern void RetlReportDamagedPage(Relation rel, BlockNumber blkno,
											  const char *problem);

/*
 * Damaged row group: raises ERRCODE_DATA_CORRUPTED.  columnName may be NULL
 * (footer and the like).
 */
pg_noreturn extern void RetlReportDamagedGroup(Relation rel, uint64 groupId,
											   const char *columnName, const char *problem);

#endif							/* RETLDB_ERRORS_H */
