/*-------------------------------------------------------------------------
 *
 * write_buffer.h
 *	  Where inserted rows go: the row store, or a row group in memory.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_WRITE_BUFFER_H
#define RETLDB_WRITE_BUFFER_H

#include "postgres.h"

#include "executor/tuptable.h"
#include "nodes/nodes.h"
#include "utils/relcache.h"

/*
 * How many of the next "count" rows of the current command, from the first on,
 * go to the row store.  Counts them as seen.
 */
extern int	RetlWriteRouteRows(Relation rel, CommandId cid, int count);

/*
 * Put rows into the table's open row group (beginning groups as need be) and set
 * their TIDs in the slots.  options are those of table_tuple_insert.
 */
extern void RetlWriteRows(Relation rel, TupleTableSlot **slots, int count, CommandId cid,
						  int options);

/*
 * Write the table's open row group, because somebody is about to read the
 * table.  The rest of the command goes to the row store.
 */
extern void RetlWriteFlushForRead(Relation rel);

/* The command that called finish_bulk_insert is done with this table. */
extern void RetlWriteFinishBulkInsert(Relation rel);

/* Drop what is buffered for a table that is being emptied. */
extern void RetlWriteDiscard(Relation rel);

/* What the enclosing command is, while a utility command runs. */
typedef struct RetlWriteUtility
{
	bool		inCopyCommand;
	bool		commandIgnoresTids;
} RetlWriteUtility;

/*
 * Around each utility command: Begin before it, Finish after it, Leave also if
 * it fails.  COPY ends in Finish; no other utility command may find rows
 * unwritten that an enclosing COPY has buffered for another table.
 */
extern void RetlWriteBeginUtility(Node *statement, RetlWriteUtility *outer);
extern void RetlWriteFinishUtility(void);
extern void RetlWriteLeaveUtility(const RetlWriteUtility *outer);

/* Executor and transaction hooks; called once at library load. */
extern void RetlInstallWriteHooks(void);

#endif							/* RETLDB_WRITE_BUFFER_H */
