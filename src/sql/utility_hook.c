/*-------------------------------------------------------------------------
 *
 * utility_hook.c
 *	  The one hook around utility commands; it calls those who have a say.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "tcop/utility.h"

#include "am/retldb_am.h"
#include "am/write_buffer.h"
#include "sql/index_ddl.h"
#include "sql/options_ddl.h"
#include "sql/utility_hook.h"

static ProcessUtility_hook_type prevProcessUtility = NULL;

/* Run the command itself. */
static void
CallNext(PlannedStmt *pstmt, const char *queryString, bool readOnlyTree,
		 ProcessUtilityContext context, ParamListInfo params,
		 QueryEnvironment *queryEnv, DestReceiver *dest, QueryCompletion *qc)
{
	if (prevProcessUtility)
		prevProcessUtility(pstmt, queryString, readOnlyTree, context, params,
						   queryEnv, dest, qc);
	else
		standard_ProcessUtility(pstmt, queryString, readOnlyTree, context, params,
								queryEnv, dest, qc);
}

/*
 * What is refused, first; options are taken out of the command before
 * PostgreSQL sees them; what COPY has buffered is written before it ends.
 */
static void
RetlProcessUtility(PlannedStmt *pstmt, const char *queryString, bool readOnlyTree,
				   ProcessUtilityContext context, ParamListInfo params,
				   QueryEnvironment *queryEnv, DestReceiver *dest, QueryCompletion *qc)
{
	RetlWriteUtility write;
	RetlOptionsCommand *outer;
	RetlOptionsCommand command;

	RetlRefuseIndexes(pstmt->utilityStmt);
	RetlWriteBeginUtility(pstmt->utilityStmt, &write);
	outer = RetlOptionsEnter(&command);
	PG_TRY();
	{
		pstmt = RetlOptionsBegin(&command, pstmt, &readOnlyTree);
		CallNext(pstmt, queryString, readOnlyTree, context, params, queryEnv, dest, qc);
		RetlOptionsFinish(&command);
		RetlWriteFinishUtility();
	}
	PG_FINALLY();
	{
		RetlOptionsLeave(outer);
		RetlWriteLeaveUtility(&write);
	}
	PG_END_TRY();
}

/* See utility_hook.h. */
void
RetlInstallUtilityHook(void)
{
	prevProcessUtility = ProcessUtility_hook;
	ProcessUtility_hook = RetlProcessUtility;
	RetlInstallOptionsHook();
}
