/*-------------------------------------------------------------------------
 *
 * am_unsupported.c
 *	  What a retldb table cannot do yet, said by name.
 *
 * None of these may be left NULL: PostgreSQL only asserts that they exist.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/tableam.h"
#include "utils/rel.h"

#include "am/retldb_am.h"
#include "base/compat.h"

pg_noreturn static void ReportUnsupported(Relation rel, const char *what);

/*
 * "UPDATE is not supported on retldb table ..."
 */
static void
ReportUnsupported(Relation rel, const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("%s is not supported on table \"%s\"", what, RelationGetRelationName(rel)),
			 errdetail("The table uses access method \"retldb\", which has no indexes so far."),
			 errhint("ALTER TABLE ... SET ACCESS METHOD heap makes it an ordinary table.")));
	pg_unreachable();
}

static TransactionId
retldb_index_delete_tuples(Relation rel, TM_IndexDeleteOp *delstate)
{
	(void) delstate;
	ReportUnsupported(rel, "an index");
}

/*
 * Put all of them into the routine table.
 */
void
RetlSetUnsupported(TableAmRoutine *routine)
{
	routine->index_delete_tuples = retldb_index_delete_tuples;
}
