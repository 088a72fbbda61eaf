/*-------------------------------------------------------------------------
 *
 * table_access.c
 *	  Opening a retldb table for the inspection and verification functions.
 *
 * These functions show how a table is stored and in part what is stored, so
 * they ask for the right to read it.  Members of pg_stat_scan_tables, the role
 * that monitoring uses, may look at the storage but not at values.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "access/xlog.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_class.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/rel.h"
#include "utils/rls.h"

#include "am/retldb_am.h"
#include "base/compat.h"
#include "sql/table_access.h"

/*
 * Refuse whatever has no storage of ours.
 */
static void
CheckIsOurs(Relation rel)
{
	if (rel->rd_rel->relkind == RELKIND_PARTITIONED_TABLE)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is a partitioned table", RelationGetRelationName(rel)),
				 errhint("Name one of its partitions instead.")));
	if (rel->rd_tableam != RetlGetTableAmRoutine())
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is not a retldb table", RelationGetRelationName(rel)),
				 errhint("Only tables and materialized views made with USING retldb can be examined.")));
}

/*
 * May the user read the whole table?  Its owner always may unless he took the
 * right away from himself, which then counts for nothing here.
 */
static bool
UserMayRead(Relation rel)
{
	Oid			relid = RelationGetRelid(rel);

	return pg_class_aclcheck(relid, GetUserId(), ACL_SELECT) == ACLCHECK_OK ||
		RetlOwnsRelation(relid);
}

/* See table_access.h. */
Relation
RetlTableOpen(Oid relid)
{
	Relation	rel = table_open(relid, AccessShareLock);

	CheckIsOurs(rel);
	if (!UserMayRead(rel) && !has_privs_of_role(GetUserId(), ROLE_PG_STAT_SCAN_TABLES))
		aclcheck_error(ACLCHECK_NO_PRIV, get_relkind_objtype(rel->rd_rel->relkind),
					   RelationGetRelationName(rel));
	if (RELATION_IS_OTHER_TEMP(rel))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot access temporary tables of other sessions")));
	return rel;
}

/* See table_access.h. */
bool
RetlTableShowsValues(Relation rel)
{
	return UserMayRead(rel) &&
		check_enable_rls(RelationGetRelid(rel), InvalidOid, true) != RLS_ENABLED;
}

/* See table_access.h. */
bool
RetlTableIsReadable(Relation rel)
{
	if (RelationNeedsWAL(rel) || rel->rd_rel->relpersistence != RELPERSISTENCE_UNLOGGED ||
		!RecoveryInProgress())
		return true;
	ereport(NOTICE,
			(errcode(ERRCODE_READ_ONLY_SQL_TRANSACTION),
			 errmsg("unlogged table \"%s\" has no contents during recovery, skipping",
					RelationGetRelationName(rel))));
	return false;
}
