/*-------------------------------------------------------------------------
 *
 * compact_command.c
 *	  CALL retldb.compact(table).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_am.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_database.h"
#include "catalog/pg_inherits.h"
#include "commands/defrem.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#include "am/retldb_am.h"
#include "base/compat.h"
#include "base/settings.h"
#include "compact/compact.h"
#include "compact/compact_stats.h"
#include "compact/compact_worker.h"

PG_FUNCTION_INFO_V1(retldb_compact);

/*
 * May the user compact this table?  As for VACUUM: its owner and that of the
 * database, and from 17 on who may maintain it.
 */
static bool
UserMayCompact(Oid relid)
{
	return RetlMayMaintain(relid) || RetlOwnsDatabase(MyDatabaseId);
}

/* See compact_worker.h. */
List *
RetlCompactAllTables(bool temporary)
{
	Relation	catalog = table_open(RelationRelationId, AccessShareLock);
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	TableScanDesc scan = table_beginscan(catalog, snapshot, 0, NULL);
	Oid			method = get_am_oid("retldb", true);
	List	   *tables = NIL;
	HeapTuple	tuple;

	while ((tuple = heap_getnext(scan, ForwardScanDirection)) != NULL)
	{
		Form_pg_class form = (Form_pg_class) GETSTRUCT(tuple);

		if (OidIsValid(method) && form->relam == method &&
			(form->relkind == RELKIND_RELATION || form->relkind == RELKIND_MATVIEW) &&
			(form->relpersistence != RELPERSISTENCE_TEMP ||
			 (temporary && isTempOrTempToastNamespace(form->relnamespace))) &&
			UserMayCompact(form->oid))
			tables = lappend_oid(tables, form->oid);
	}
	table_endscan(scan);
	UnregisterSnapshot(snapshot);
	table_close(catalog, AccessShareLock);
	return tables;
}

/*
 * Raise an error unless a table that the user has named can be compacted, by
 * him.
 */
static void
CheckTable(Oid relid)
{
	Relation	rel = table_open(relid, AccessShareLock);

	if (!UserMayCompact(relid))
		aclcheck_error(ACLCHECK_NOT_OWNER, get_relkind_objtype(rel->rd_rel->relkind),
					   RelationGetRelationName(rel));
	if (rel->rd_rel->relkind != RELKIND_PARTITIONED_TABLE)
	{
		if (!RetlIsRetldbTable(rel))
			ereport(ERROR,
					(errcode(ERRCODE_WRONG_OBJECT_TYPE),
					 errmsg("\"%s\" is not a retldb table", RelationGetRelationName(rel))));
		if (RELATION_IS_OTHER_TEMP(rel))
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("cannot compact temporary tables of other sessions")));
	}
	table_close(rel, AccessShareLock);
}

/*
 * The tables that a name stands for: itself, or its partitions.
 */
static List *
TablesOf(Oid relid)
{
	List	   *tables = NIL;
	ListCell   *cell;

	CheckTable(relid);
	if (get_rel_relkind(relid) != RELKIND_PARTITIONED_TABLE)
		return list_make1_oid(relid);
	foreach(cell, find_all_inheritors(relid, AccessShareLock, NULL))
	{
		char		relkind = get_rel_relkind(lfirst_oid(cell));

		if (relkind == RELKIND_RELATION && UserMayCompact(lfirst_oid(cell)))
			tables = lappend_oid(tables, lfirst_oid(cell));
	}
	return tables;
}

/* Callback: a step is done. */
static void
Commit(void)
{
	SPI_commit();
}

/* Callback: a step is given up. */
static void
Rollback(void)
{
	SPI_rollback();
}

/*
 * Refuse where compaction cannot run.
 */
static void
CheckContext(FunctionCallInfo fcinfo)
{
	PreventCommandDuringRecovery("retldb.compact()");
	PreventCommandIfReadOnly("retldb.compact()");
	if (fcinfo->context == NULL || !IsA(fcinfo->context, CallContext) ||
		castNode(CallContext, fcinfo->context)->atomic)
		ereport(ERROR,
				(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
				 errmsg("%s cannot run inside a transaction block", "retldb.compact()")));
	if (retldb_skip_damaged_groups)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("cannot compact tables while \"%s\" is set",
						"retldb.skip_damaged_groups"),
				 errdetail("Rows of damaged row groups would be lost.")));
}

/*
 * Compact a table, the partitions of one, or all tables of the database.
 */
Datum
retldb_compact(PG_FUNCTION_ARGS)
{
	static const RetlCompactTransactions transactions = {Commit, Rollback};
	MemoryContext context;
	MemoryContext oldContext;
	List	   *tables;
	ListCell   *cell;

	CheckContext(fcinfo);
	SPI_connect_ext(SPI_OPT_NONATOMIC);
	/* what outlives the transactions */
	context = AllocSetContextCreate(PortalContext, "retldb compaction", ALLOCSET_SMALL_SIZES);
	oldContext = MemoryContextSwitchTo(context);
	tables = PG_ARGISNULL(0) ? RetlCompactAllTables(true) : TablesOf(PG_GETARG_OID(0));
	SPI_commit();
	foreach(cell, tables)
	{
		RetlCompaction compaction = {0};
		TimestampTz started = GetCurrentTimestamp();

		compaction.relid = lfirst_oid(cell);
		compaction.full = true;
		compaction.wait = true;
		compaction.minRows = 1;
		compaction.maxOverlap = 1;
		compaction.moveRead = retldb_compact_read_rows;
		(void) RetlCompactTable(&compaction, &transactions);
		RetlCompactStatsReport(&compaction, false, started);
	}
	MemoryContextSwitchTo(oldContext);
	MemoryContextDelete(context);
	SPI_finish();
	PG_RETURN_VOID();
}
