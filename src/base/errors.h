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

/* Damaged page: raises ERRCODE_DATA_CORRUPTED. */
extern void RetlReportDamagedPage(Relation rel, BlockNumber blkno, const char *problem)
			pg_attribute_noreturn();

/*
 * Damaged row group: raises ERRCODE_DATA_CORRUPTED.  columnName may be NULL
 * (footer and the like).
 */
extern void RetlReportDamagedGroup(Relation rel, uint64 groupId, const char *columnName,
								   const char *problem) pg_attribute_noreturn();

#endif							/* RETLDB_ERRORS_H */
