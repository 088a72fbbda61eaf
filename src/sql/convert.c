/*-------------------------------------------------------------------------
 *
 * convert.c
 *	  CALL retldb.convert(table, access method).
 *
 * Converts a table to retldb or back while others read and write it.  In one
 * transaction
 *
 * 1. a lock that keeps out DDL, VACUUM and compaction, but nobody who reads or
 *	  writes rows, and a copy of the rows that a snapshot sees (convert_copy.c)
 *	  in a table that PostgreSQL makes for rewrites;
 * 2. a lock that keeps everybody out, and the copy catches up with what writers
 *	  have done meanwhile;
 * 3. PostgreSQL exchanges the storage of the two tables and builds the indexes, as
 *	  it does at the end of VACUUM FULL and of ALTER TABLE ... SET ACCESS METHOD.
 *
 * The table stays the same to everything that refers to it, because nothing but
 * its storage and access method is exchanged.  An error, a cancel or a crash
 * undoes all, as with any transaction.
 *
 * As after every rewriting ALTER TABLE, transactions whose snapshot is older
 * than the exchange and who look at the table only afterwards find it empty.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/multixact.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/catalog.h"
#include "catalog/pg_am_d.h"
#include "catalog/pg_class.h"
#include "catalog/pg_database.h"
#include "catalog/pg_inherits.h"
#include "commands/cluster.h"
#include "commands/defrem.h"
#include "commands/tablecmds.h"
#include "commands/vacuum.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "pgstat.h"
#include "storage/latch.h"
#include "storage/lmgr.h"
#include "storage/predicate.h"
#include "utils/acl.h"
#include "utils/backend_progress.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/wait_event.h"

#include "am/retldb_am.h"
#include "base/compat.h"
#include "base/progress.h"
#include "base/settings.h"
#include "sql/convert.h"
#include "sql/index_ddl.h"
#include "sql/options_catalog.h"

PG_FUNCTION_INFO_V1(retldb_convert);
PG_FUNCTION_INFO_V1(retldb_conversion_progress);

/*
 * Those who use the table are waited for without making others queue behind us
 * for this long.
 */
#define PATIENCE_MS		10000
#define PATIENCE_STEP	20

/* ---------------------------------------------------------------------
 * What can be converted
 * ---------------------------------------------------------------------
 */

/* The access method of that name; it must be one that keeps rows in TID order. */
static Oid
TargetMethod(const char *name)
{
	Oid			method = get_table_am_oid(name, false);

	if (method != HEAP_TABLE_AM_OID && !RetlAmIsOurs(method))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot convert tables to access method \"%s\"", name),
				 errdetail("Conversion is between \"heap\" and \"retldb\".")));
	return method;
}

/*
 * Raise an error unless the user owns what is to be converted.  What has gone is
 * left to those who open it.
 */
static void
CheckOwner(Oid relid)
{
	char		relkind = get_rel_relkind(relid);

	if (relkind != '\0' && !RetlOwnsRelation(relid))
		aclcheck_error(ACLCHECK_NOT_OWNER, get_relkind_objtype(relkind), get_rel_name(relid));
}

/*
 * Raise an error unless a table can be converted to the access method, by this
 * user, now.
 */
static void
CheckTable(Relation rel, Oid method)
{
	CheckOwner(RelationGetRelid(rel));
	if (rel->rd_rel->relkind != RELKIND_RELATION && rel->rd_rel->relkind != RELKIND_MATVIEW)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is not a table or materialized view",
						RelationGetRelationName(rel))));
	if (IsSystemRelation(rel))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied: \"%s\" is a system catalog",
						RelationGetRelationName(rel))));
	if (RELATION_IS_OTHER_TEMP(rel))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot convert temporary tables of other sessions")));
	if (rel->rd_rel->relam != HEAP_TABLE_AM_OID && !RetlIsRetldbTable(rel))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot convert table \"%s\"", RelationGetRelationName(rel)),
				 errdetail("Conversion is between \"heap\" and \"retldb\".")));
	if (RetlIsRetldbTable(rel) && retldb_skip_damaged_groups)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("cannot convert table \"%s\" while \"%s\" is set",
						RelationGetRelationName(rel), "retldb.skip_damaged_groups"),
				 errdetail("Rows of damaged row groups would be lost.")));
	CheckTableNotInUse(rel, "convert");
	if (RetlAmIsOurs(method))
		RetlRefuseBlockIndexesOf(rel);
}

/* ---------------------------------------------------------------------
 * Locks
 * ---------------------------------------------------------------------
 */

/*
 * Get a lock that keeps everybody out.  For a while only when it is free, so that
 * nobody who comes later has to wait for those that we wait for; then in line.
 *
 * There is no weaker lock in between, for writers only: a transaction that has
 * read the table and waits for that lock to write it would be in the way of the
 * stronger one.
 */
static void
KeepEverybodyOut(Relation rel)
{
	Oid			relid = RelationGetRelid(rel);
	bool		locked = false;

	pgstat_progress_update_param(RETL_CONVERT_PHASE, RETL_CONVERTING_WAIT);
	for (int waited = 0; !locked && waited < PATIENCE_MS; waited += PATIENCE_STEP)
	{
		locked = ConditionalLockRelationOid(relid, AccessExclusiveLock);
		if (!locked)
		{
			(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
							 PATIENCE_STEP, PG_WAIT_EXTENSION);
			ResetLatch(MyLatch);
		}
		CHECK_FOR_INTERRUPTS();
	}
	if (!locked)
		LockRelationOid(relid, AccessExclusiveLock);
	/* triggers that wait for the end of the transaction know rows by their TIDs */
	CheckTableNotInUse(rel, "convert");
}

/* ---------------------------------------------------------------------
 * Converting
 * ---------------------------------------------------------------------
 */

/*
 * Fill the new table.  On return everybody is kept out, and it has all rows.
 * Returns their number.
 */
static double
Fill(Relation from, Relation to)
{
	Snapshot	before = RegisterSnapshot(GetLatestSnapshot());
	Snapshot	after;
	double		rows;

	pgstat_progress_update_param(RETL_CONVERT_PHASE, RETL_CONVERTING_COPY);
	/* out-of-line values are fetched as of it */
	PushActiveSnapshot(before);
	rows = RetlConvertCopy(from, to, before);
	PopActiveSnapshot();

	KeepEverybodyOut(from);

	pgstat_progress_update_param(RETL_CONVERT_PHASE, RETL_CONVERTING_CATCH_UP);
	after = RegisterSnapshot(GetLatestSnapshot());
	PushActiveSnapshot(after);
	rows += RetlConvertCatchUp(from, to, before, after);
	PopActiveSnapshot();
	UnregisterSnapshot(after);
	UnregisterSnapshot(before);
	return rows;
}

/*
 * Take options of ours away from a table that is ours no more.
 */
static void
DropOptions(Oid relid)
{
	AttrNumber	natts = RetlRelationColumns(relid);

	if (RetlStoredTableOptions(relid) != NIL)
		RetlStoreTableOptions(relid, NIL);
	for (AttrNumber attnum = 1; attnum <= natts; attnum++)
	{
		if (RetlStoredColumnOptions(relid, attnum) != NIL)
			RetlStoreColumnOptions(relid, attnum, NIL);
	}
}

/*
 * Put the storage of the new table in the place of the old one's, which goes with
 * the new table.  Everybody is kept out of both.
 */
static void
Exchange(Oid relid, Oid newRelid, char persistence)
{
	PushActiveSnapshot(GetLatestSnapshot());
	finish_heap_swap(relid, newRelid, false, false, true, true,
					 RecentXmin, ReadNextMultiXactId(), persistence);
	PopActiveSnapshot();
}

/*
 * Convert one table, in the current transaction.
 */
static void
ConvertTable(Oid relid, Oid method)
{
	Relation	rel;
	char		persistence;
	Relation	new;
	Oid			newRelid;
	double		rows;

	/* catalogs may have values that are out of line; a commit has left no snapshot */
	PushActiveSnapshot(GetTransactionSnapshot());
	/* others' tables must not even be locked; under the lock the owner is looked at again */
	CheckOwner(relid);
	rel = table_open(relid, ShareUpdateExclusiveLock);
	CheckTable(rel, method);
	persistence = rel->rd_rel->relpersistence;
	if (rel->rd_rel->relam == method)
	{
		ereport(NOTICE,
				(errmsg("table \"%s\" has access method \"%s\" already",
						RelationGetRelationName(rel), get_am_name(method))));
		table_close(rel, NoLock);
		PopActiveSnapshot();
		return;
	}

	pgstat_progress_start_command(RETL_COMMAND_CONVERT, relid);
	pgstat_progress_update_param(RETL_CONVERT_ROWS_EXPECTED,
								 Max((int64) rel->rd_rel->reltuples, 0));
	newRelid = make_new_heap(relid, rel->rd_rel->reltablespace, method, persistence,
							 ShareUpdateExclusiveLock);
	new = table_open(newRelid, AccessExclusiveLock);
	rows = Fill(rel, new);
	RetlUpdateRelstats(new, RelationGetNumberOfBlocks(new), rows, 0, 0);
	CommandCounterIncrement();
	/* predicate locks on rows are on the whole table from now on */
	TransferPredicateLocksToHeapRelation(rel);
	table_close(new, NoLock);
	table_close(rel, NoLock);

	Exchange(relid, newRelid, persistence);
	if (!RetlAmIsOurs(method))
		DropOptions(relid);
	pgstat_progress_end_command();
	PopActiveSnapshot();
}

/*
 * The tables that a name stands for: itself, or the partitions that have storage
 * of a kind that can be converted.
 */
static List *
TablesOf(Oid relid)
{
	List	   *tables = NIL;
	ListCell   *cell;

	if (get_rel_relkind(relid) != RELKIND_PARTITIONED_TABLE)
		return list_make1_oid(relid);
	CheckOwner(relid);
	foreach(cell, find_all_inheritors(relid, AccessShareLock, NULL))
	{
		if (get_rel_relkind(lfirst_oid(cell)) == RELKIND_RELATION)
			tables = lappend_oid(tables, lfirst_oid(cell));
	}
	return tables;
}

/* A partition may have gone while others were converted. */
static bool
TableExists(Oid relid)
{
	return get_rel_relkind(relid) != '\0';
}

/*
 * CALL retldb.convert(table, access method).  Partitions are converted one by one, in
 * transactions of their own if that is possible.
 */
Datum
retldb_convert(PG_FUNCTION_ARGS)
{
	bool		atomic = fcinfo->context == NULL || !IsA(fcinfo->context, CallContext) ||
		castNode(CallContext, fcinfo->context)->atomic;
	MemoryContext context;
	MemoryContext oldContext;
	Oid			method;
	List	   *tables;
	ListCell   *cell;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("arguments of %s must not be null", "retldb.convert()")));
	PreventCommandDuringRecovery("retldb.convert()");
	PreventCommandIfReadOnly("retldb.convert()");

	SPI_connect_ext(atomic ? 0 : SPI_OPT_NONATOMIC);
	/* what outlives the transactions */
	context = AllocSetContextCreate(PortalContext, "retldb conversion", ALLOCSET_SMALL_SIZES);
	oldContext = MemoryContextSwitchTo(context);
	method = TargetMethod(NameStr(*PG_GETARG_NAME(1)));
	tables = TablesOf(PG_GETARG_OID(0));
	foreach(cell, tables)
	{
		if (foreach_current_index(cell) > 0 && !atomic)
			SPI_commit();
		if (foreach_current_index(cell) == 0 || TableExists(lfirst_oid(cell)))
			ConvertTable(lfirst_oid(cell), method);
	}
	MemoryContextSwitchTo(oldContext);
	MemoryContextDelete(context);
	SPI_finish();
	PG_RETURN_VOID();
}

/* ---------------------------------------------------------------------
 * Progress
 * ---------------------------------------------------------------------
 */

/*
 * The name of a phase.
 */
static const char *
PhaseName(int64 phase)
{
	switch ((RetlConvertPhase) phase)
	{
		case RETL_CONVERTING_COPY:
			return "copying rows";
		case RETL_CONVERTING_WAIT:
			return "waiting for others";
		case RETL_CONVERTING_CATCH_UP:
			return "catching up";
		case RETL_CONVERTING_SWAP:
			return "exchanging storage";
		case RETL_CONVERTING_INDEXES:
			return "building indexes";
		case RETL_CONVERTING_CLEANUP:
			return "cleaning up";
	}
	return "initializing";
}

/*
 * One row for each backend that is converting.
 */
Datum
retldb_conversion_progress(PG_FUNCTION_ARGS)
{
	static const int counters[] = {RETL_CONVERT_ROWS_EXPECTED, RETL_CONVERT_ROWS_COPIED,
		RETL_CONVERT_ROWS_COMPARED, RETL_CONVERT_ROWS_REMOVED, RETL_CONVERT_ROWS_ADDED,
	RETL_CONVERT_INDEXES};
	static const RetlProgressLayout layout = {RETL_COMMAND_CONVERT, RETL_CONVERT_PHASE, PhaseName,
	counters, lengthof(counters)};

	RetlProgressRows(fcinfo, &layout);
	return (Datum) 0;
}
