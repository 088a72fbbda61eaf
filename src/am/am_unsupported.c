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

static void
retldb_tuple_insert_speculative(Relation rel, TupleTableSlot *slot, CommandId cid,
								int options, struct BulkInsertStateData *bistate,
								uint32 specToken)
{
	(void) slot;
	(void) cid;
	(void) options;
	(void) bistate;
	(void) specToken;
	ReportUnsupported(rel, "INSERT ... ON CONFLICT");
}

static void
retldb_tuple_complete_speculative(Relation rel, TupleTableSlot *slot, uint32 specToken,
								  bool succeeded)
{
	(void) slot;
	(void) specToken;
	(void) succeeded;
	ReportUnsupported(rel, "INSERT ... ON CONFLICT");
}

static TransactionId
retldb_index_delete_tuples(Relation rel, TM_IndexDeleteOp *delstate)
{
	(void) delstate;
	ReportUnsupported(rel, "an index");
}

static struct IndexFetchTableData *
retldb_index_fetch_begin(Relation rel)
{
	ReportUnsupported(rel, "an index scan");
}

static void
retldb_index_fetch_reset(struct IndexFetchTableData *data)
{
	ReportUnsupported(data->rel, "an index scan");
}

static void
retldb_index_fetch_end(struct IndexFetchTableData *data)
{
	ReportUnsupported(data->rel, "an index scan");
}

static bool
retldb_index_fetch_tuple(struct IndexFetchTableData *scan, ItemPointer tid,
						 Snapshot snapshot, TupleTableSlot *slot, bool *call_again,
						 bool *all_dead)
{
	(void) tid;
	(void) snapshot;
	(void) slot;
	(void) call_again;
	(void) all_dead;
	ReportUnsupported(scan->rel, "an index scan");
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
	routine->tuple_insert_speculative = retldb_tuple_insert_speculative;
	routine->tuple_complete_speculative = retldb_tuple_complete_speculative;
	routine->index_fetch_begin = retldb_index_fetch_begin;
	routine->index_fetch_reset = retldb_index_fetch_reset;
	routine->index_fetch_end = retldb_index_fetch_end;
	routine->index_fetch_tuple = retldb_index_fetch_tuple;
	routine->index_delete_tuples = retldb_index_delete_tuples;
	routine->index_build_range_scan = retldb_index_build_range_scan;
	routine->index_validate_scan = retldb_index_validate_scan;
}
