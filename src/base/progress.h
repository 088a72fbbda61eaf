/*-------------------------------------------------------------------------
 *
 * progress.h
 *	  How far our commands are, in PostgreSQL's progress reporting.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_PROGRESS_H
#define RETLDB_PROGRESS_H

#include "postgres.h"

#include "fmgr.h"
#include "utils/backend_progress.h"

/* Ours among PostgreSQL's commands that report progress. */
#define RETL_COMMAND_COMPACT	((ProgressCommandType) 0x5254)
#define RETL_COMMAND_CONVERT	((ProgressCommandType) 0x5255)

/* What a command reports: parameters of PostgreSQL's, by number. */
typedef struct RetlProgressLayout
{
	ProgressCommandType command;
	int			phase;
	const char *(*phaseName) (int64 phase);
	const int  *counters;
	int			counterCount;
} RetlProgressLayout;

/*
 * The result of a set-returning function: a row for each backend that runs the
 * command, of process, database, table, phase and counters.  As in PostgreSQL's
 * own progress views, what others do is for those who may read all statistics.
 */
extern void RetlProgressRows(FunctionCallInfo fcinfo, const RetlProgressLayout *layout);

#endif							/* RETLDB_PROGRESS_H */
