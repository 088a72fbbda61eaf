/*-------------------------------------------------------------------------
 *
 * compat.h
 *	  The only place that knows of differences between server versions.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_COMPAT_H
#define RETLDB_COMPAT_H

#include "postgres.h"

#include "access/tableam.h"
#include "storage/bufmgr.h"
#include "storage/lockdefs.h"
#include "storage/smgr.h"
#include "utils/rel.h"
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif
#if PG_VERSION_NUM >= 170000
#include "postmaster/walsummarizer.h"
#include "storage/read_stream.h"
#endif

/* 18 took these out of commands/explain.h: for those who have included that. */
#if PG_VERSION_NUM >= 180000 && defined(EXPLAIN_H)
#include "commands/explain_format.h"
#include "commands/explain_state.h"
#endif

#if PG_VERSION_NUM < 150000
#error "retldb needs PostgreSQL 15 or later"
#endif

/* 18 put it before the declaration. */
#ifndef pg_noreturn
#define pg_noreturn		_Noreturn
#endif

/* 16 renamed RelFileNode to RelFileLocator. */
#if PG_VERSION_NUM >= 160000
#define RETL_AM_SET_NEW_FILE		relation_set_new_filelocator
typedef RelFileLocator RetlFileLocator;
#define RetlSmgrLocator(smgr)		(&(smgr)->smgr_rlocator.locator)
#define RetlRelationLocator(rel)	((rel)->rd_locator)
#define RetlLocatorEquals(a, b)		RelFileLocatorEquals(a, b)
#define RetlBufferTagLocatorIs(tag, locator) \
	BufTagMatchesRelFileLocator(&(tag), &(locator))
#else
#define RETL_AM_SET_NEW_FILE		relation_set_new_filenode
typedef RelFileNode RetlFileLocator;
#define RetlSmgrLocator(smgr)		(&(smgr)->smgr_rnode.node)
#define RetlRelationLocator(rel)	((rel)->rd_node)
#define RetlLocatorEquals(a, b)		RelFileNodeEquals(a, b)
#define RetlBufferTagLocatorIs(tag, locator) \
	RelFileNodeEquals((tag).rnode, locator)
#endif

/*
 * 18 has generated columns that are computed when they are read.  What is stored of
 * them is null, whatever type they had then: ALTER TYPE leaves it as it is.
 */
#if PG_VERSION_NUM >= 180000
#define RetlIsVirtual(att)			((att)->attgenerated == ATTRIBUTE_GENERATED_VIRTUAL)
#else
#define RetlIsVirtual(att)			false
#endif

/* 17 removed old_snapshot_threshold. */
#if PG_VERSION_NUM >= 170000
#define RetlTestForOldSnapshot(snapshot, rel, page)		((void) 0)
#define RetlSnapshotsGrowOld()							false
#else
#define RetlTestForOldSnapshot(snapshot, rel, page)		TestForOldSnapshot(snapshot, rel, page)
#define RetlSnapshotsGrowOld()							OldSnapshotThresholdActive()
#endif

/*
 * 17 has incremental backups.  Before 17.12 and 18.6 they miss that bits of the visibility
 * map were cleared: what is restored says all-visible of pages to which rows have come.
 * Who restores may have another minor release than who made the backup.
 */
#if PG_VERSION_NUM >= 170000
#define RetlBackupsAreIncremental()						summarize_wal
#else
#define RetlBackupsAreIncremental()						false
#endif

/* 16 replaced pg_class_ownercheck by object_ownercheck. */
#if PG_VERSION_NUM >= 160000
#define RetlOwnsRelation(relid)		object_ownercheck(RelationRelationId, relid, GetUserId())
#define RetlOwnsDatabase(dboid)		object_ownercheck(DatabaseRelationId, dboid, GetUserId())
#else
#define RetlOwnsRelation(relid)		pg_class_ownercheck(relid, GetUserId())
#define RetlOwnsDatabase(dboid)		pg_database_ownercheck(dboid, GetUserId())
#endif

/* May the user vacuum a table?  17 has a right for that, which owners have, too.  Needs utils/acl.h. */
#if PG_VERSION_NUM >= 170000
#define RetlMayMaintain(relid) \
	(pg_class_aclcheck(relid, GetUserId(), ACL_MAINTAIN) == ACLCHECK_OK)
#else
#define RetlMayMaintain(relid)		RetlOwnsRelation(relid)
#endif

/* Minor releases of August 2023 began to mark databases whose DROP was interrupted. */
#ifdef DATCONNLIMIT_INVALID_DB
#define RetlDatabaseIsInvalid(form)	database_is_invalid_form(form)
#else
#define RetlDatabaseIsInvalid(form)	false
#endif

/*
 * Add to the dead tuples of a table, for autovacuum, without counting deletions.
 * 16 renamed the counters.  Needs pgstat.h.
 */
#if PG_VERSION_NUM >= 160000
#define RetlCountDeadTuples(rel, count) \
	do { \
		if (pgstat_should_count_relation(rel)) \
			(rel)->pgstat_info->counts.delta_dead_tuples += (count); \
	} while (0)
#else
#define RetlCountDeadTuples(rel, count) \
	do { \
		if (pgstat_should_count_relation(rel)) \
			(rel)->pgstat_info->t_counts.t_delta_dead_tuples += (count); \
	} while (0)
#endif

/*
 * Set the number of live tuples in the cumulative statistics.  16 renamed the
 * counter.  Needs pgstat.h and utils/pgstat_internal.h.
 */
#if PG_VERSION_NUM >= 160000
#define RetlLiveTuples(stats)		((stats)->live_tuples)
#define RetlDeadTuples(stats)		((stats)->dead_tuples)
#else
#define RetlLiveTuples(stats)		((stats)->n_live_tuples)
#define RetlDeadTuples(stats)		((stats)->n_dead_tuples)
#endif

/* 17 renamed the counters of transaction ids. */
#if PG_VERSION_NUM >= 170000
#define RetlOldestClogXid()			(TransamVariables->oldestClogXid)
#else
#define RetlOldestClogXid()			(ShmemVariableCache->oldestClogXid)
#endif

/* 16 renamed the function, and VACUUM wants a context. */
#if PG_VERSION_NUM >= 160000
#define RetlGetBackendEntry(i)		pgstat_get_local_beentry_by_index(i)
#define RetlVacuum(relations, params, strategy) \
	vacuum(relations, params, strategy, \
		   AllocSetContextCreate(PortalContext, "Vacuum", ALLOCSET_DEFAULT_SIZES), true)
#define RETLDB_VACOPT_PROCESS_MAIN	VACOPT_PROCESS_MAIN
#else
#define RetlGetBackendEntry(i)		pgstat_fetch_stat_local_beentry(i)
#define RetlVacuum(relations, params, strategy)		vacuum(relations, params, strategy, true)
#define RETLDB_VACOPT_PROCESS_MAIN	0
#endif

/* 16 can read and write without the kernel's cache, which wants aligned memory. */
#if PG_VERSION_NUM >= 160000
typedef PGIOAlignedBlock RetlIOBlock;
#else
typedef PGAlignedBlock RetlIOBlock;
#endif

/*
 * 17 has read streams (see storage/page_stream.c); 18 may ask for the next blocks
 * while it collects I/O, as our function for that takes no locks.
 */
#if PG_VERSION_NUM >= 180000
#define RETL_READ_STREAM_FLAGS		READ_STREAM_USE_BATCHING
#elif PG_VERSION_NUM >= 170000
#define RETL_READ_STREAM_FLAGS		READ_STREAM_DEFAULT
#endif

/*
 * The arguments by which ANALYZE gives a block, and the block, pinned; invalid
 * after the last one.  17 hands over a stream of buffers and asks until it ends,
 * older versions name block by block.
 */
#if PG_VERSION_NUM >= 170000
#define RETL_ANALYZE_BLOCK_ARGS		ReadStream *stream
#define RetlAnalyzeNextBuffer(rel)	read_stream_next_buffer(stream, NULL)
#else
#define RETL_ANALYZE_BLOCK_ARGS		BlockNumber blockno, BufferAccessStrategy bstrategy
#define RetlAnalyzeNextBuffer(rel) \
	ReadBufferExtended(rel, MAIN_FORKNUM, blockno, RBM_NORMAL, bstrategy)
#endif

/*
 * What a bitmap scan is asked for: up to 17 the rows of a block that was named
 * before, from 18 on the rows of all blocks.
 */
#if PG_VERSION_NUM >= 180000
#define RETL_BITMAP_TUPLE_ARGS \
	TupleTableSlot *slot, bool *recheck, uint64 *lossy_pages, uint64 *exact_pages
#else
#define RETL_BITMAP_TUPLE_ARGS	struct TBMIterateResult *result, TupleTableSlot *slot
#endif

/* 16 renamed the function that raises the horizon for conflicts on standbys (heapam_xlog.h). */
#if PG_VERSION_NUM >= 160000
#define RetlAdvanceConflictHorizon(tuple, horizon) \
	HeapTupleHeaderAdvanceConflictHorizon(tuple, horizon)
#else
#define RetlAdvanceConflictHorizon(tuple, horizon) \
	HeapTupleHeaderAdvanceLatestRemovedXid(tuple, horizon)
#endif

/* 16 tells index methods of the table, too, and asks for wraparound by a struct (commands/vacuum.h). */
#if PG_VERSION_NUM >= 160000
#define RetlVacuumInfoSetTable(info, table)		((info)->heaprel = (table))
#define RetlVacuumIsUrgent(rel) \
	vacuum_xid_failsafe_check(&(struct VacuumCutoffs) { \
		.relfrozenxid = (rel)->rd_rel->relfrozenxid, .relminmxid = (rel)->rd_rel->relminmxid})
#else
#define RetlVacuumInfoSetTable(info, table)		((void) (table))
#define RetlVacuumIsUrgent(rel) \
	vacuum_xid_failsafe_check((rel)->rd_rel->relfrozenxid, (rel)->rd_rel->relminmxid)
#endif

/*
 * Log that line pointers of a heap page were made dead, with the horizon for
 * conflicts on standbys, and that dead ones were made unused; in a critical section.
 * 17 has one record for both.  Need heapam_xlog.h and xloginsert.h.
 */
#if PG_VERSION_NUM >= 170000
#define RetlLogDeadItems(rel, buffer, horizon, items, count) \
	log_heap_prune_and_freeze(rel, buffer, horizon, true, PRUNE_ON_ACCESS, \
							  NULL, 0, NULL, 0, items, count, NULL, 0)
#define RetlLogUnusedItems(rel, buffer, items, count) \
	log_heap_prune_and_freeze(rel, buffer, InvalidTransactionId, false, PRUNE_VACUUM_CLEANUP, \
							  NULL, 0, NULL, 0, NULL, 0, items, count)
#else
#if PG_VERSION_NUM >= 160000
#define RETL_PRUNE_RECORD(rel, horizon, count) \
	{.snapshotConflictHorizon = (horizon), .ndead = (count), \
	 .isCatalogRel = RelationIsAccessibleInLogicalDecoding(rel)}
#else
#define RETL_PRUNE_RECORD(rel, horizon, count) \
	{.latestRemovedXid = (horizon), .ndead = (count)}
#endif
#define RetlLogDeadItems(rel, buffer, horizon, items, count) \
	do { \
		xl_heap_prune record = RETL_PRUNE_RECORD(rel, horizon, count); \
		XLogRecPtr	lsn; \
\
		XLogBeginInsert(); \
		XLogRegisterData((char *) &record, SizeOfHeapPrune); \
		XLogRegisterBuffer(0, buffer, REGBUF_STANDARD); \
		XLogRegisterBufData(0, (char *) (items), (count) * sizeof(OffsetNumber)); \
		lsn = XLogInsert(RM_HEAP2_ID, XLOG_HEAP2_PRUNE); \
		PageSetLSN(BufferGetPage(buffer), lsn); \
	} while (0)
#define RetlLogUnusedItems(rel, buffer, items, count) \
	do { \
		xl_heap_vacuum record = {.nunused = (count)}; \
		XLogRecPtr	lsn; \
\
		XLogBeginInsert(); \
		XLogRegisterData((char *) &record, SizeOfHeapVacuum); \
		XLogRegisterBuffer(0, buffer, REGBUF_STANDARD); \
		XLogRegisterBufData(0, (char *) (items), (count) * sizeof(OffsetNumber)); \
		lsn = XLogInsert(RM_HEAP2_ID, XLOG_HEAP2_VACUUM); \
		PageSetLSN(BufferGetPage(buffer), lsn); \
	} while (0)
#endif

/* 18 tells whether ANALYZE waits. */
#if PG_VERSION_NUM >= 180000
#define RetlVacuumDelay()			vacuum_delay_point(false)
#else
#define RetlVacuumDelay()			vacuum_delay_point()
#endif

/* 18 counts frozen pages in pg_class. */
#if PG_VERSION_NUM >= 180000
#define RetlUpdateRelstats(rel, pages, tuples, allVisible, allFrozen) \
	vac_update_relstats(rel, pages, tuples, allVisible, allFrozen, (rel)->rd_rel->relhasindex, \
						InvalidTransactionId, InvalidMultiXactId, NULL, NULL, false)
#else
#define RetlUpdateRelstats(rel, pages, tuples, allVisible, allFrozen) \
	vac_update_relstats(rel, pages, tuples, allVisible, (rel)->rd_rel->relhasindex, \
						InvalidTransactionId, InvalidMultiXactId, NULL, NULL, false)
#endif

/* 18 names the file that a parallel scan reads, older versions the table. */
#if PG_VERSION_NUM >= 180000
#define RetlParallelSetRelation(pscan, rel)		((pscan)->phs_locator = (rel)->rd_locator)
#else
#define RetlParallelSetRelation(pscan, rel)		((pscan)->phs_relid = RelationGetRelid(rel))
#endif

/* 18 can make minimal tuples with room in front: one more argument. */
#if PG_VERSION_NUM >= 180000
#define RETL_MINIMAL_TUPLE_PARAM	, Size extra
#define RETL_MINIMAL_TUPLE_ARG		, extra
#else
#define RETL_MINIMAL_TUPLE_PARAM
#define RETL_MINIMAL_TUPLE_ARG
#endif

/* 17 asks slots who has inserted their row: an entry of TupleTableSlotOps. */
#if PG_VERSION_NUM >= 170000
#define RETL_SLOT_IS_CURRENT(function)	.is_current_xact_tuple = function,
#else
#define RETL_SLOT_IS_CURRENT(function)
#endif

/* 18 lost the argument that says whether a plan is run only once. */
#if PG_VERSION_NUM >= 180000
#define RETL_EXECUTE_ONCE_PARAM
#define RETL_EXECUTE_ONCE_ARG
#else
#define RETL_EXECUTE_ONCE_PARAM		, bool executeOnce
#define RETL_EXECUTE_ONCE_ARG		, executeOnce
#endif

/* 18 shows what it knows of a collation's order (include utils/pg_locale.h, which needs ICU's headers). */
#if PG_VERSION_NUM >= 180000
#define RetlCollatesAsC(collation)	(pg_newlocale_from_collation(collation)->collate_is_c)
#else
#define RetlCollatesAsC(collation)	lc_collate_is_c(collation)
#endif

/*
 * Has a transaction ended?  18 logs failures of NOWAIT if the user wants that.
 * Needs storage/lmgr.h and storage/lock.h.
 */
#if PG_VERSION_NUM >= 180000
#define RetlXactLockTableTry(xid, nowait) \
	ConditionalXactLockTableWait(xid, (nowait) && log_lock_failures)
#else
#define RetlXactLockTableTry(xid, nowait)		ConditionalXactLockTableWait(xid)
#endif

/* Minor releases of November 2024 began to lock tuples of pg_class that are updated. */
#ifdef InplaceUpdateTupleLock
#define RetlLockClassTuple(relid)	SearchSysCacheLocked1(RELOID, ObjectIdGetDatum(relid))
#define RetlUnlockClassTuple(catalog, tuple) \
	UnlockTuple(catalog, &(tuple)->t_self, InplaceUpdateTupleLock)
#else
#define RetlLockClassTuple(relid)	SearchSysCache1(RELOID, ObjectIdGetDatum(relid))
#define RetlUnlockClassTuple(catalog, tuple)	((void) 0)
#endif

/* 16 added a number of pages by which to extend, and pages to the count of updates. */
#if PG_VERSION_NUM >= 160000
#define RetlGetBufferForTuple(rel, len, other, options, vmbuffer, vmbufferOther) \
	RelationGetBufferForTuple(rel, len, other, options, NULL, vmbuffer, vmbufferOther, 0)
#define RetlCountHeapUpdate(rel)	pgstat_count_heap_update(rel, false, false)
#else
#define RetlGetBufferForTuple(rel, len, other, options, vmbuffer, vmbufferOther) \
	RelationGetBufferForTuple(rel, len, other, options, NULL, vmbuffer, vmbufferOther)
#define RetlCountHeapUpdate(rel)	pgstat_count_heap_update(rel, false)
#endif

/*
 * The next datum of a sort, to be freed by the caller.  16 added the choice whether it
 * is copied.  Needs utils/tuplesort.h.
 */
#if PG_VERSION_NUM >= 160000
#define RetlTuplesortGetDatum(sort, value, isnull) \
	tuplesort_getdatum(sort, true, true, value, isnull, NULL)
#else
#define RetlTuplesortGetDatum(sort, value, isnull) \
	tuplesort_getdatum(sort, true, value, isnull, NULL)
#endif

/* 18 can count index searches: one more argument.  Needs access/genam.h. */
#if PG_VERSION_NUM >= 180000
#define RetlIndexBeginScan(rel, index, snapshot) \
	index_beginscan(rel, index, snapshot, NULL, 0, 0)
#define RetlIndexBeginKeyScan(rel, index, snapshot, keys) \
	index_beginscan(rel, index, snapshot, NULL, keys, 0)
#else
#define RetlIndexBeginScan(rel, index, snapshot)	index_beginscan(rel, index, snapshot, 0, 0)
#define RetlIndexBeginKeyScan(rel, index, snapshot, keys) \
	index_beginscan(rel, index, snapshot, keys, 0)
#endif

/* 16 made an enum of what an update means to indexes. */
#if PG_VERSION_NUM >= 160000
typedef TU_UpdateIndexes RetlUpdateIndexes;
#define RETL_UPDATE_ALL_INDEXES		TU_All
#define RETL_UPDATE_NO_INDEXES		TU_None
#else
typedef bool RetlUpdateIndexes;
#define RETL_UPDATE_ALL_INDEXES		true
#define RETL_UPDATE_NO_INDEXES		false
#endif

/* 17 has maintenance commands look functions up in a path that is safe. */
#if PG_VERSION_NUM >= 170000
#define RetlRestrictSearchPath()	RestrictSearchPath()
#else
#define RetlRestrictSearchPath()	((void) 0)
#endif

/*
 * Write a message to WAL as a part of the transaction, for those who have included
 * replication/message.h; 17 can flush it.
 */
#if PG_VERSION_NUM >= 170000
#define RetlLogTransactionMessage(prefix, message, size) \
	LogLogicalMessage(prefix, message, size, true, false)
#else
#define RetlLogTransactionMessage(prefix, message, size) \
	LogLogicalMessage(prefix, message, size, true)
#endif

/* random() without arguments, for those who have included utils/fmgroids.h; 17 has others. */
#if PG_VERSION_NUM >= 170000
#define RETL_F_RANDOM	F_RANDOM_
#else
#define RETL_F_RANDOM	F_RANDOM
#endif

/* Is this a worker of autovacuum?  (postmaster/autovacuum.h, miscadmin.h from 17 on) */
#if PG_VERSION_NUM >= 170000
#define RetlIsAutovacuumWorker()	AmAutoVacuumWorkerProcess()
#else
#define RetlIsAutovacuumWorker()	IsAutoVacuumWorkerProcess()
#endif

/* 18 has NOT NULL constraints that rows need not satisfy.  Is a column's one of them? */
#if PG_VERSION_NUM >= 180000
#define RetlNotNullIsInvalid(tupdesc, i) \
	(TupleDescCompactAttr(tupdesc, i)->attnullability == ATTNULLABLE_INVALID)
#else
#define RetlNotNullIsInvalid(tupdesc, i)	false
#endif

/*
 * Members of an equivalence class that concern a table; 18 keeps those of child
 * tables apart.  For those who have included nodes/pathnodes.h.
 */
#ifdef PATHNODES_H
static inline List *
RetlEquivalenceMembers(const EquivalenceClass *ec, Index relid)
{
#if PG_VERSION_NUM >= 180000
	if (ec->ec_childmembers != NULL && (int) relid < ec->ec_childmembers_size)
		return list_concat_copy(ec->ec_members, ec->ec_childmembers[relid]);
#endif
	return ec->ec_members;
}
#endif

#endif							/* RETLDB_COMPAT_H */
