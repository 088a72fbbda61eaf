/*-------------------------------------------------------------------------
 *
 * verify_step.c
 *	  Faults, and how errors about damaged data become faults.
 *
 * A fault is noted at the place where the verification stands.  Noted faults
 * are kept apart until the caller decides to report or to forget them: a fault
 * of something that changed meanwhile is none.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/resowner.h"

#include "sql/verify_internal.h"

/* Columns of retldb.verify. */
#define FAULT_COLUMNS	4

typedef struct Fault
{
	BlockNumber block;
	uint64		groupId;
	AttrNumber	column;
	char	   *text;
} Fault;

/*
 * Say where the verification stands.
 */
void
RetlVerifyAt(RetlVerifyState *state, BlockNumber block, uint64 groupId, AttrNumber column)
{
	state->block = block;
	state->groupId = groupId;
	state->column = column;
}

/*
 * Note a fault with a finished text.
 */
static void
AddFault(RetlVerifyState *state, const char *text)
{
	MemoryContext oldContext = MemoryContextSwitchTo(state->faultContext);
	Fault	   *fault = palloc(sizeof(Fault));

	fault->block = state->block;
	fault->groupId = state->groupId;
	fault->column = state->column;
	fault->text = pstrdup(text);
	state->faults = lappend(state->faults, fault);
	MemoryContextSwitchTo(oldContext);
}

/*
 * Note a fault at the place where the verification stands.
 */
void
RetlVerifyFault(RetlVerifyState *state, const char *format,...)
{
	StringInfoData text;

	initStringInfo(&text);
	for (;;)
	{
		va_list		args;
		int			needed;

		va_start(args, format);
		needed = appendStringInfoVA(&text, format, args);
		va_end(args);
		if (needed == 0)
			break;
		enlargeStringInfo(&text, needed);
	}
	AddFault(state, text.data);
	pfree(text.data);
}

/*
 * Return one fault as a row.  Columns that were dropped have no name.
 */
static void
PutFault(RetlVerifyState *state, const Fault *fault)
{
	TupleDesc	columns = RelationGetDescr(state->rel);
	Datum		values[FAULT_COLUMNS] = {0};
	bool		nulls[FAULT_COLUMNS] = {true, true, true, false};

	if (BlockNumberIsValid(fault->block))
	{
		values[0] = Int64GetDatum((int64) fault->block);
		nulls[0] = false;
	}
	if (fault->groupId != 0)
	{
		values[1] = Int64GetDatum((int64) fault->groupId);
		nulls[1] = false;
	}
	if (fault->column > 0 && fault->column <= columns->natts &&
		!TupleDescAttr(columns, fault->column - 1)->attisdropped)
	{
		values[2] = CStringGetTextDatum(NameStr(TupleDescAttr(columns, fault->column - 1)->attname));
		nulls[2] = false;
	}
	values[3] = CStringGetTextDatum(fault->text);
	tuplestore_putvalues(state->tupstore, state->tupdesc, values, nulls);
}

/*
 * Return the noted faults as rows.
 */
void
RetlVerifyReport(RetlVerifyState *state)
{
	MemoryContext oldContext = MemoryContextSwitchTo(state->faultContext);
	ListCell   *cell;

	foreach(cell, state->faults)
		PutFault(state, (Fault *) lfirst(cell));
	MemoryContextSwitchTo(oldContext);
	RetlVerifyForget(state);
}

/*
 * Forget the noted faults.
 */
void
RetlVerifyForget(RetlVerifyState *state)
{
	state->faults = NIL;
	MemoryContextReset(state->faultContext);
}

/*
 * Does the error tell of damaged data?  A transaction status that is not there
 * (undefined file) comes of a damaged transaction id.
 */
static bool
TellsOfDamage(const ErrorData *error)
{
	switch (error->sqlerrcode)
	{
		case ERRCODE_DATA_CORRUPTED:
		case ERRCODE_INDEX_CORRUPTED:
		case ERRCODE_IO_ERROR:
		case ERRCODE_UNDEFINED_FILE:
		case ERRCODE_FEATURE_NOT_SUPPORTED: /* unknown versions and ids */
			return true;
		default:
			return false;
	}
}

/*
 * Note an error as a fault.
 */
static void
AddError(RetlVerifyState *state, const ErrorData *error)
{
	StringInfoData text;

	initStringInfo(&text);
	appendStringInfoString(&text, error->message);
	if (error->detail != NULL)
		appendStringInfo(&text, ": %s", error->detail);
	AddFault(state, text.data);
	pfree(text.data);
}

/*
 * Run a step in a subtransaction of its own, in the caller's memory context.
 * Errors that do not tell of damage are raised again after the subtransaction
 * has been rolled back, so that whoever catches them finds his own level.
 */
bool
RetlVerifyStep(RetlVerifyState *state, RetlVerifyFunction function, void *argument)
{
	MemoryContext oldContext = CurrentMemoryContext;
	ResourceOwner oldOwner = CurrentResourceOwner;
	ErrorData  *volatile error = NULL;

	CHECK_FOR_INTERRUPTS();
	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(oldContext);

	PG_TRY();
	{
		function(state, argument);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(oldContext);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
	}
	PG_END_TRY();

	MemoryContextSwitchTo(oldContext);
	CurrentResourceOwner = oldOwner;

	if (error == NULL)
		return true;
	if (!TellsOfDamage(error))
		ReThrowError(error);
	AddError(state, error);
	FreeErrorData(error);
	return false;
}
