/*-------------------------------------------------------------------------
 *
 * table_header.h
 *	  The header page, block 0 of every retldb table.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_TABLE_HEADER_H
#define RETLDB_TABLE_HEADER_H

#include "postgres.h"

#include "access/tupdesc.h"
#include "storage/smgr.h"
#include "utils/relcache.h"

#include "format/format.h"

/* Write block 0 of a fork that was just created (MAIN, or INIT if unlogged). */
extern void RetlHeaderCreate(SMgrRelation smgr, ForkNumber fork, char persistence,
							 TupleDesc tupdesc);

/*
 * Make an existing table empty: keep nothing but a fresh header page.  The
 * caller holds AccessExclusiveLock and the relfilenode was made in this
 * transaction (or the table is temporary with ON COMMIT DELETE ROWS).
 */
extern void RetlHeaderReset(Relation rel);

/* A checked copy of the header. Raises ERRCODE_DATA_CORRUPTED or
 * ERRCODE_FEATURE_NOT_SUPPORTED (unknown version or flags). */
extern void RetlHeaderRead(Relation rel, RetlFileHeader *header);

/*
 * The same, but with retldb.skip_damaged_groups a damaged header is answered
 * with a warning and false.
 */
extern bool RetlHeaderTryRead(Relation rel, RetlFileHeader *header);

/* What tells whether a table's directory has changed; compared bytewise. */
typedef struct RetlHeaderState
{
	uint64		generation;
	uint8		incarnation[16];
} RetlHeaderState;

/* Read these alone; cheaper than reading the header. */
extern void RetlHeaderReadState(Relation rel, RetlHeaderState *state);

/* Is this still what the header says of pages without rows?  As cheap. */
extern bool RetlHeaderBareIs(Relation rel, const RetlBareRuns *bare);

/* Why a header cannot be used, or NULL; *unsupported: it is newer, not damaged. */
extern const char *RetlHeaderProblem(const RetlFileHeader *header, bool *unsupported);

/* Fingerprint of names and types of the columns (informational). */
extern uint64 RetlSchemaFingerprint(TupleDesc tupdesc);

#endif							/* RETLDB_TABLE_HEADER_H */
