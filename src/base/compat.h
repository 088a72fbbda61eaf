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

#include "storage/lockdefs.h"
#include "storage/smgr.h"
#include "utils/rel.h"

#if PG_VERSION_NUM < 150000
#error "retldb needs PostgreSQL 15 or later"
#endif

/* 16 renamed RelFileNode to RelFileLocator. */
#if PG_VERSION_NUM >= 160000
typedef RelFileLocator RetlFileLocator;
#define RetlSmgrLocator(smgr)		(&(smgr)->smgr_rlocator.locator)
#define RetlRelationLocator(rel)	((rel)->rd_locator)
#define RetlLocatorEquals(a, b)		RelFileLocatorEquals(a, b)
#else
typedef RelFileNode RetlFileLocator;
#define RetlSmgrLocator(smgr)		(&(smgr)->smgr_rnode.node)
#define RetlRelationLocator(rel)	((rel)->rd_node)
#define RetlLocatorEquals(a, b)		RelFileNodeEquals(a, b)
#endif

/* 17 removed old_snapshot_threshold. */
#if PG_VERSION_NUM >= 170000
#define RetlTestForOldSnapshot(snapshot, rel, page)		((void) 0)
#else
#define RetlTestForOldSnapshot(snapshot, rel, page)		TestForOldSnapshot(snapshot, rel, page)
#endif

/* 16 replaced pg_class_ownercheck by object_ownercheck. */
#if PG_VERSION_NUM >= 160000
#define RetlOwnsRelation(relid)		object_ownercheck(RelationRelationId, relid, GetUserId())
#define RetlOwnsDatabase(dboid)		object_ownercheck(DatabaseRelationId, dboid, GetUserId())
#else
#define RetlOwnsRelation(relid)		pg_class_ownercheck(relid, GetUserId())
#define RetlOwnsDatabase(dboid)		pg_database_ownercheck(dboid, GetUserId())
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

/* Minor releases of November 2024 began to lock tuples of pg_class that are updated. */
#ifdef InplaceUpdateTupleLock
#define RetlLockClassTuple(relid)	SearchSysCacheLocked1(RELOID, ObjectIdGetDatum(relid))
#define RetlUnlockClassTuple(catalog, tuple) \
	UnlockTuple(catalog, &(tuple)->t_self, InplaceUpdateTupleLock)
#else
#define RetlLockClassTuple(relid)	SearchSysCache1(RELOID, ObjectIdGetDatum(relid))
#define RetlUnlockClassTuple(catalog, tuple)	((void) 0)
#endif

#endif							/* RETLDB_COMPAT_H */
