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

#include "access/genam.h"
#include "access/relation.h"
#include "access/tableam.h"
#include "catalog/namespace.h"
#include "nodes/parsenodes.h"
#include "storage/lmgr.h"
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

static double
retldb_index_build_range_scan(Relation table_rel, Relation index_rel,
							  struct IndexInfo *index_info, bool allow_sync,
							  bool anyvisible, bool progress, BlockNumber start_blockno,
							  BlockNumber numblocks, IndexBuildCallback callback,
							  void *callback_state, TableScanDesc scan)
{
	(void) index_rel;
	(void) index_info;
	(void) allow_sync;
	(void) anyvisible;
	(void) progress;
	(void) start_blockno;
	(void) numblocks;
	(void) callback;
	(void) callback_state;
	(void) scan;
	ReportUnsupported(table_rel, "CREATE INDEX");
}

static void
retldb_index_validate_scan(Relation table_rel, Relation index_rel,
						   struct IndexInfo *index_info, Snapshot snapshot,
						   struct ValidateIndexState *state)
{
	(void) index_rel;
	(void) index_info;
	(void) snapshot;
	(void) state;
	ReportUnsupported(table_rel, "CREATE INDEX");
}

/*
 * Refuse utility commands that would leave something behind if the access
 * method refused them: CREATE INDEX CONCURRENTLY has committed an invalid index
 * by the time it asks for the rows.
 */
void
RetlRefuseUtility(Node *statement)
{
	IndexStmt  *stmt = (IndexStmt *) statement;
	Oid			relid;
	Relation	rel;

	if (!IsA(statement, IndexStmt) || !stmt->concurrent || stmt->relation == NULL)
		return;
	relid = RangeVarGetRelid(stmt->relation, AccessShareLock, true);
	if (!OidIsValid(relid))
		return;
	rel = relation_open(relid, NoLock);
	if (RetlIsRetldbTable(rel))
		ReportUnsupported(rel, "CREATE INDEX");
	relation_close(rel, AccessShareLock);
}

/*
 * Put all of them into the routine table.
 */
void
RetlSetUnsupported(TableAmRoutine *routine)
{
	routine->index_delete_tuples = retldb_index_delete_tuples;
	routine->index_build_range_scan = retldb_index_build_range_scan;
	routine->index_validate_scan = retldb_index_validate_scan;
}
