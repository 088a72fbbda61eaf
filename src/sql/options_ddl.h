/*-------------------------------------------------------------------------
 *
 * options_ddl.h
 *	  Our options in CREATE and ALTER commands.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_OPTIONS_DDL_H
#define RETLDB_OPTIONS_DDL_H

#include "postgres.h"

#include "nodes/plannodes.h"

/* What is to be done with options in or after the running utility command. */
typedef struct RetlOptionsCommand
{
	enum
	{
		RETL_OPTIONS_NOTHING,
		RETL_OPTIONS_CREATE,	/* when the relation is created */
		RETL_OPTIONS_ALTER		/* when PostgreSQL has done its part */
	}			what;
	const char *relationName;	/* of the relation to be created */
	Oid			relid;			/* of the altered one */
	List	   *tableOptions;	/* DefElem */
	List	   *columns;		/* ColumnChange */
	bool		altersTable;	/* is it ALTER TABLE? */
} RetlOptionsCommand;

/*
 * Around each utility command: Enter before it; Begin takes our options out of
 * it (returning a changed copy of the statement, if need be), Finish stores
 * what was not stored yet, Leave also if the command fails.
 */
extern RetlOptionsCommand *RetlOptionsEnter(RetlOptionsCommand *command);
extern PlannedStmt *RetlOptionsBegin(RetlOptionsCommand *command, PlannedStmt *pstmt,
									 bool *readOnlyTree);
extern void RetlOptionsFinish(RetlOptionsCommand *command);
extern void RetlOptionsLeave(RetlOptionsCommand *outer);

/* The hook that follows created relations and changed columns. */
extern void RetlInstallOptionsHook(void);

#endif							/* RETLDB_OPTIONS_DDL_H */
