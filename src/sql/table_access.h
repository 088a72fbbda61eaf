/*-------------------------------------------------------------------------
 *
 * table_access.h
 *	  Opening a retldb table for the inspection and verification functions.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_TABLE_ACCESS_H
#define RETLDB_TABLE_ACCESS_H

#include "postgres.h"

#include "utils/relcache.h"

/*
 * Open a table under AccessShareLock, kept until the end of the transaction.
 * Raises ERRCODE_WRONG_OBJECT_TYPE for whatever is no retldb table,
 * ERRCODE_INSUFFICIENT_PRIVILEGE unless the user may read the table or is a
 * member of pg_stat_scan_tables, and ERRCODE_FEATURE_NOT_SUPPORTED for
 * temporary tables of other sessions.  Close with table_close(rel, NoLock).
 */
extern Relation RetlTableOpen(Oid relid);

/*
 * May the user see values of the table, for instance the bounds of its zone
 * maps?  Not with pg_stat_scan_tables alone, nor under row-level security.
 */
extern bool RetlTableShowsValues(Relation rel);

/*
 * Can the table's pages be read at all?  Unlogged tables have none on a
 * standby: then says so in a NOTICE and returns false.
 */
extern bool RetlTableIsReadable(Relation rel);

#endif							/* RETLDB_TABLE_ACCESS_H */
