/*-------------------------------------------------------------------------
 *
 * retldb_am.c
 *	  The table access method: its routine table, and whether one is ours.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/multixact.h"
#include "catalog/pg_am.h"
#include "catalog/storage.h"
#include "catalog/storage_xlog.h"
#include "fmgr.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "am/retldb_am.h"
#include "am/write_buffer.h"
#include "base/compat.h"
#include "storage/table_header.h"

PG_FUNCTION_INFO_V1(retldb_handler);

/*
 * PostgreSQL's heap.
 */
const TableAmRoutine *
RetlHeapRoutine(void)
{
	return GetHeapamTableAmRoutine();
}

/*
 * Create the table's file with its header page; see heapam_relation_set_new_filenode.
 */
static void
retldb_relation_set_new_filenode(Relation rel, const RetlFileLocator *newlocator,
								 char persistence, TransactionId *freezeXid,
								 MultiXactId *minmulti)
{
	SMgrRelation smgr;

	*freezeXid = RecentXmin;
	*minmulti = GetOldestMultiXactId();

	smgr = RelationCreateStorage(*newlocator, persistence, true);
	RetlHeaderCreate(smgr, MAIN_FORKNUM, persistence, RelationGetDescr(rel));

	if (persistence == RELPERSISTENCE_UNLOGGED)
	{
		Assert(rel->rd_rel->relkind == RELKIND_RELATION ||
			   rel->rd_rel->relkind == RELKIND_MATVIEW ||
			   rel->rd_rel->relkind == RELKIND_TOASTVALUE);
		smgrcreate(smgr, INIT_FORKNUM, false);
		log_smgrcreate(newlocator, INIT_FORKNUM);
		RetlHeaderCreate(smgr, INIT_FORKNUM, persistence, RelationGetDescr(rel));
		smgrimmedsync(smgr, INIT_FORKNUM);
	}
	smgrclose(smgr);
}

/* ALTER TABLE ... SET TABLESPACE: pages are copied as they are. */
static void
retldb_relation_copy_data(Relation rel, const RetlFileLocator *newlocator)
{
	RetlWriteFlushForRead(rel);
	RetlHeapRoutine()->relation_copy_data(rel, newlocator);
}

/*
 * Values of the row store are toasted into an ordinary toast table.
 */
static bool
retldb_relation_needs_toast_table(Relation rel)
{
	return RetlHeapRoutine()->relation_needs_toast_table(rel);
}

/* TOAST tables are heap tables ... */
static Oid
retldb_relation_toast_am(Relation rel)
{
	(void) rel;
	return HEAP_TABLE_AM_OID;
}

/* ... so heap knows how to read them. */
static void
retldb_relation_fetch_toast_slice(Relation toastrel, Oid valueid, int32 attrsize,
								  int32 sliceoffset, int32 slicelength,
								  struct varlena *result)
{
	RetlHeapRoutine()->relation_fetch_toast_slice(toastrel, valueid, attrsize,
												  sliceoffset, slicelength, result);
}

static const TableAmRoutine retldb_methods = {
	.type = T_TableAmRoutine,

	.slot_callbacks = retldb_slot_callbacks,

	.scan_begin = retldb_scan_begin,
	.scan_end = retldb_scan_end,
	.scan_rescan = retldb_scan_rescan,
	.scan_getnextslot = retldb_scan_getnextslot,

	.scan_set_tidrange = retldb_scan_set_tidrange,
	.scan_getnextslot_tidrange = retldb_scan_getnextslot_tidrange,

	.parallelscan_estimate = retldb_parallelscan_estimate,
	.parallelscan_initialize = retldb_parallelscan_initialize,
	.parallelscan_reinitialize = retldb_parallelscan_reinitialize,

	.index_fetch_begin = retldb_index_fetch_begin,
	.index_fetch_reset = retldb_index_fetch_reset,
	.index_fetch_end = retldb_index_fetch_end,
	.index_fetch_tuple = retldb_index_fetch_tuple,
	.index_delete_tuples = retldb_index_delete_tuples,
	.index_build_range_scan = retldb_index_build_range_scan,
	.index_validate_scan = retldb_index_validate_scan,

	.tuple_fetch_row_version = retldb_tuple_fetch_row_version,
	.tuple_tid_valid = retldb_tuple_tid_valid,
	.tuple_get_latest_tid = retldb_tuple_get_latest_tid,
	.tuple_satisfies_snapshot = retldb_tuple_satisfies_snapshot,

	.tuple_delete = retldb_tuple_delete,
	.tuple_update = retldb_tuple_update,
	.tuple_lock = retldb_tuple_lock,

	.tuple_insert = retldb_tuple_insert,
	.tuple_insert_speculative = retldb_tuple_insert_speculative,
	.tuple_complete_speculative = retldb_tuple_complete_speculative,
	.multi_insert = retldb_multi_insert,
	.finish_bulk_insert = retldb_finish_bulk_insert,

	.RETL_AM_SET_NEW_FILE = retldb_relation_set_new_filenode,
	.relation_nontransactional_truncate = retldb_relation_nontransactional_truncate,
	.relation_copy_data = retldb_relation_copy_data,
	.relation_copy_for_cluster = retldb_relation_copy_for_cluster,
	.relation_vacuum = retldb_relation_vacuum,
	.scan_analyze_next_block = retldb_scan_analyze_next_block,
	.scan_analyze_next_tuple = retldb_scan_analyze_next_tuple,

	.relation_size = table_block_relation_size,
	.relation_needs_toast_table = retldb_relation_needs_toast_table,
	.relation_toast_am = retldb_relation_toast_am,
	.relation_fetch_toast_slice = retldb_relation_fetch_toast_slice,

#if PG_VERSION_NUM < 180000
	.scan_bitmap_next_block = retldb_scan_bitmap_next_block,
#endif
	.scan_bitmap_next_tuple = retldb_scan_bitmap_next_tuple,

	.scan_sample_next_block = retldb_scan_sample_next_block,
	.scan_sample_next_tuple = retldb_scan_sample_next_tuple,

	.relation_estimate_size = retldb_relation_estimate_size,
};

/*
 * The one routine table.
 */
const TableAmRoutine *
RetlGetTableAmRoutine(void)
{
	return &retldb_methods;
}

/* See retldb_am.h. */
bool
RetlAmIsOurs(Oid amOid)
{
	HeapTuple	tuple;
	Oid			handler = InvalidOid;

	if (amOid == HEAP_TABLE_AM_OID || !OidIsValid(amOid))
		return false;
	tuple = SearchSysCache1(AMOID, ObjectIdGetDatum(amOid));
	if (!HeapTupleIsValid(tuple))
		return false;
	if (((Form_pg_am) GETSTRUCT(tuple))->amtype == AMTYPE_TABLE)
		handler = ((Form_pg_am) GETSTRUCT(tuple))->amhandler;
	ReleaseSysCache(tuple);
	return OidIsValid(handler) && GetTableAmRoutine(handler) == RetlGetTableAmRoutine();
}

/* Handler of the access method. */
Datum
retldb_handler(PG_FUNCTION_ARGS)
{
	PG_RETURN_POINTER(RetlGetTableAmRoutine());
}
