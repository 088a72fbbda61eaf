/*-------------------------------------------------------------------------
 *
 * retldb_am.h
 *	  The table access method.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_AM_H
#define RETLDB_AM_H

#include "postgres.h"

#include "access/htup_details.h"
#include "access/tableam.h"
#include "executor/tuptable.h"

#include "base/compat.h"
#include "visibility/table_scan.h"

/* The one routine table; compare rel->rd_tableam with it. */
extern const TableAmRoutine *RetlGetTableAmRoutine(void);

/* Is this access method ours? */
extern bool RetlAmIsOurs(Oid amOid);

/* Is this a retldb table? */
static inline bool
RetlIsRetldbTable(Relation rel)
{
	return rel->rd_tableam == RetlGetTableAmRoutine();
}

/* PostgreSQL's heap, whose functions drive the row store. */
extern const TableAmRoutine *RetlHeapRoutine(void);

/*
 * A table of the given name is about to be written anew from what a scan reads: raises
 * ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE if damaged row groups would be passed over.
 */
extern void RetlRefuseLossyRewrite(const char *relationName);

/* ---- callbacks, by file ---- */

/* am_scan.c */
extern const TupleTableSlotOps *retldb_slot_callbacks(Relation rel);
extern TableScanDesc retldb_scan_begin(Relation rel, Snapshot snapshot, int nkeys,
									   struct ScanKeyData *key,
									   ParallelTableScanDesc parallel, uint32 flags);
extern void retldb_scan_end(TableScanDesc scan);
extern void retldb_scan_rescan(TableScanDesc scan, struct ScanKeyData *key, bool set_params,
							   bool allow_strat, bool allow_sync, bool allow_pagemode);
extern RetlParallelScan *RetlScanGetParallel(TableScanDesc scan);
extern bool retldb_scan_getnextslot(TableScanDesc scan, ScanDirection direction,
									TupleTableSlot *slot);
extern void retldb_scan_set_tidrange(TableScanDesc scan, ItemPointer mintid,
									 ItemPointer maxtid);
extern bool retldb_scan_getnextslot_tidrange(TableScanDesc scan, ScanDirection direction,
											 TupleTableSlot *slot);
extern bool retldb_scan_sample_next_block(TableScanDesc scan,
										  struct SampleScanState *scanstate);
extern bool retldb_scan_sample_next_tuple(TableScanDesc scan,
										  struct SampleScanState *scanstate,
										  TupleTableSlot *slot);
extern Size retldb_parallelscan_estimate(Relation rel);
extern Size retldb_parallelscan_initialize(Relation rel, ParallelTableScanDesc pscan);
extern void retldb_parallelscan_reinitialize(Relation rel, ParallelTableScanDesc pscan);
extern bool retldb_tuple_fetch_row_version(Relation rel, ItemPointer tid, Snapshot snapshot,
										   TupleTableSlot *slot);
extern bool retldb_tuple_tid_valid(TableScanDesc scan, ItemPointer tid);
extern bool retldb_tuple_satisfies_snapshot(Relation rel, TupleTableSlot *slot,
											Snapshot snapshot);

/* am_bitmap.c */
#if PG_VERSION_NUM < 180000
extern bool retldb_scan_bitmap_next_block(TableScanDesc scan, struct TBMIterateResult *result);
#endif
extern bool retldb_scan_bitmap_next_tuple(TableScanDesc scan, RETL_BITMAP_TUPLE_ARGS);

/* am_analyze.c */
extern TableScanDesc RetlAnalyzeBegin(Relation rel);
extern void RetlAnalyzeEnd(TableScanDesc scan);
extern bool retldb_scan_analyze_next_block(TableScanDesc scan, RETL_ANALYZE_BLOCK_ARGS);
extern bool retldb_scan_analyze_next_tuple(TableScanDesc scan, TransactionId OldestXmin,
										   double *liverows, double *deadrows,
										   TupleTableSlot *slot);

/* am_insert.c */
extern void retldb_tuple_insert(Relation rel, TupleTableSlot *slot, CommandId cid,
								int options, struct BulkInsertStateData *bistate);
extern void retldb_tuple_insert_speculative(Relation rel, TupleTableSlot *slot, CommandId cid,
											int options,
											struct BulkInsertStateData *bistate,
											uint32 specToken);
extern void retldb_tuple_complete_speculative(Relation rel, TupleTableSlot *slot,
											  uint32 specToken, bool succeeded);
extern void retldb_multi_insert(Relation rel, TupleTableSlot **slots, int nslots,
								CommandId cid, int options,
								struct BulkInsertStateData *bistate);
extern void retldb_finish_bulk_insert(Relation rel, int options);

/* am_index.c */
extern struct IndexFetchTableData *retldb_index_fetch_begin(Relation rel);
extern void retldb_index_fetch_reset(struct IndexFetchTableData *data);
extern void retldb_index_fetch_end(struct IndexFetchTableData *data);
extern bool retldb_index_fetch_tuple(struct IndexFetchTableData *data, ItemPointer tid,
									 Snapshot snapshot, TupleTableSlot *slot,
									 bool *call_again, bool *all_dead);

/* am_index_build.c */
extern double retldb_index_build_range_scan(Relation table_rel, Relation index_rel,
											struct IndexInfo *index_info, bool allow_sync,
											bool anyvisible, bool progress,
											BlockNumber start_blockno, BlockNumber numblocks,
											IndexBuildCallback callback, void *callback_state,
											TableScanDesc scan);
extern void retldb_index_validate_scan(Relation table_rel, Relation index_rel,
									   struct IndexInfo *index_info, Snapshot snapshot,
									   struct ValidateIndexState *state);

/* The attribute numbers of the columns that an index needs. */
extern struct Bitmapset *RetlIndexColumns(Relation rel, struct IndexInfo *info);

/* Refuse a BRIN index. */
pg_noreturn extern void RetlRefuseBlockIndex(Relation rel);

/* am_modify.c */
extern TM_Result retldb_tuple_delete(Relation rel, ItemPointer tid, CommandId cid,
									 Snapshot snapshot, Snapshot crosscheck, bool wait,
									 TM_FailureData *tmfd, bool changingPart);
extern TM_Result retldb_tuple_update(Relation rel, ItemPointer otid, TupleTableSlot *slot,
									 CommandId cid, Snapshot snapshot, Snapshot crosscheck,
									 bool wait, TM_FailureData *tmfd, LockTupleMode *lockmode,
									 RetlUpdateIndexes *update_indexes);
extern TM_Result retldb_tuple_lock(Relation rel, ItemPointer tid, Snapshot snapshot,
								   TupleTableSlot *slot, CommandId cid, LockTupleMode mode,
								   LockWaitPolicy wait_policy, uint8 flags,
								   TM_FailureData *tmfd);
extern void retldb_tuple_get_latest_tid(TableScanDesc scan, ItemPointer tid);

/* am_rewrite.c */
extern void retldb_relation_copy_for_cluster(Relation OldTable, Relation NewTable,
											 Relation OldIndex, bool use_sort,
											 TransactionId OldestXmin,
											 TransactionId *xid_cutoff,
											 MultiXactId *multi_cutoff,
											 double *num_tuples, double *tups_vacuumed,
											 double *tups_recently_dead);

/* am_maintain.c */
extern void retldb_relation_nontransactional_truncate(Relation rel);
extern void retldb_relation_vacuum(Relation rel, struct VacuumParams *params,
								   BufferAccessStrategy bstrategy);

/* How many tables this backend has vacuumed: VACUUM (SKIP_LOCKED) does not tell. */
extern uint64 retldb_vacuums;

/* Has the last one failed to lock the table, to cut off its end? */
extern bool retldb_truncation_missed;

/* table_size.c */
extern void retldb_relation_estimate_size(Relation rel, int32 *attr_widths,
										  BlockNumber *pages, double *tuples,
										  double *allvisfrac);

/* am_index_delete.c */
extern TransactionId retldb_index_delete_tuples(Relation rel, TM_IndexDeleteOp *delstate);

/* ---- am_noop.c ---- */

/* Are updates of a table to be suppressed if they change nothing? */
extern bool RetlSuppressesNoop(Relation rel);

/*
 * Does an update of a row change nothing, and is the row to be left as it is then?
 * If so, the slot has got the identity of the row that is there.
 */
extern bool RetlUpdateIsNoop(Relation rel, ItemPointer tid, TupleTableSlot *slot, CommandId cid);

#endif							/* RETLDB_AM_H */
