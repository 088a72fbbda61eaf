/*-------------------------------------------------------------------------
 *
 * verify.c
 *	  retldb.verify: look for damage in a table.
 *
 * Each fault is returned as a row; a sound table returns none.  Everything is
 * read through shared buffers under AccessShareLock, so that a verification
 * runs beside other work, and on standbys.  Nothing is ever changed.
 *
 * What is checked is in verify_internal.h and in the files of the phases.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "sql/table_access.h"
#include "sql/verify_internal.h"
#include "storage/column_page.h"

PG_FUNCTION_INFO_V1(retldb_verify);

/*
 * Step: check the header page in the init fork of an unlogged table, which
 * becomes the table after a crash.
 */
static void
CheckInitFork(RetlVerifyState *state, void *argument)
{
	Buffer		buffer;
	const char *problem;

	(void) argument;
	buffer = ReadBufferExtended(state->rel, INIT_FORKNUM, RETLDB_HEADER_BLOCK, RBM_NORMAL,
								state->strategy);
	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	problem = RetlPageProblem(BufferGetPage(buffer), RETLDB_HEADER_BLOCK,
							  RETL_PAGE_HEADER, 0, 0, true);
	if (problem != NULL)
		RetlVerifyFault(state, "header page of the init fork has %s", problem);
	UnlockReleaseBuffer(buffer);
}

/*
 * All phases.
 */
static void
Verify(RetlVerifyState *state)
{
	if (state->rel->rd_rel->relpersistence == RELPERSISTENCE_UNLOGGED)
	{
		RetlVerifyAt(state, RETLDB_HEADER_BLOCK, 0, 0);
		(void) RetlVerifyStep(state, CheckInitFork, NULL);
	}
	if (!RetlVerifyDirectoryPhase(state))
		return;
	RetlVerifyGroupPhase(state);
	RetlVerifyAnchorPhase(state);

	if (state->orphanCount > 0)
		ereport(DEBUG1,
				(errmsg_internal("table \"%s\" has %llu column pages that belong to nothing",
								 RelationGetRelationName(state->rel),
								 (unsigned long long) state->orphanCount)));
}

/*
 * retldb.verify(rel regclass, deep boolean)
 */
Datum
retldb_verify(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	MemoryContext context;
	MemoryContext oldContext;
	RetlVerifyState state = {0};

	InitMaterializedSRF(fcinfo, 0);
	state.rel = RetlTableOpen(PG_GETARG_OID(0));
	state.deep = PG_GETARG_BOOL(1);
	state.tupstore = result->setResult;
	state.tupdesc = result->setDesc;
	if (!RetlTableIsReadable(state.rel))
	{
		table_close(state.rel, NoLock);
		return (Datum) 0;
	}

	context = AllocSetContextCreate(CurrentMemoryContext, "retldb verify",
									ALLOCSET_DEFAULT_SIZES);
	oldContext = MemoryContextSwitchTo(context);
	state.strategy = GetAccessStrategy(BAS_BULKREAD);
	state.faultContext = AllocSetContextCreate(context, "retldb verify faults",
											   ALLOCSET_DEFAULT_SIZES);
	Verify(&state);
	MemoryContextSwitchTo(oldContext);
	MemoryContextDelete(context);

	table_close(state.rel, NoLock);
	return (Datum) 0;
}
