/*-------------------------------------------------------------------------
 *
 * index_ddl.c
 *	  Commands that would give a retldb table an index it cannot have.
 *
 * That is BRIN.  Building the index refuses it as well, which is how it comes out
 * for partitions and copied definitions; this is for commands that would
 * leave an invalid index behind (CREATE INDEX CONCURRENTLY) or find out after
 * hours (ALTER TABLE ... SET ACCESS METHOD).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/tableam.h"
#include "catalog/namespace.h"
#include "catalog/pg_am_d.h"
#include "nodes/parsenodes.h"
#include "utils/rel.h"

#include "am/retldb_am.h"
#include "sql/index_ddl.h"
#include "sql/options_catalog.h"

/*
 * Open the table that a command names; NULL if there is none, which the command
 * itself will say.
 */
static Relation
OpenNamed(RangeVar *name)
{
	Oid			relid = RangeVarGetRelid(name, AccessShareLock, true);

	return OidIsValid(relid) ? relation_open(relid, NoLock) : NULL;
}

/*
 * Has a table an index of an access method?
 */
static bool
HasIndexOf(Relation rel, Oid amOid)
{
	List	   *indexes = RelationGetIndexList(rel);
	bool		found = false;
	ListCell   *cell;

	foreach(cell, indexes)
	{
		Relation	index = relation_open(lfirst_oid(cell), AccessShareLock);

		found = found || index->rd_rel->relam == amOid;
		relation_close(index, NoLock);
	}
	list_free(indexes);
	return found;
}

/* See index_ddl.h. */
void
RetlRefuseBlockIndexesOf(Relation rel)
{
	if (HasIndexOf(rel, BRIN_AM_OID))
		RetlRefuseBlockIndex(rel);
}

/*
 * CREATE INDEX ... USING brin
 */
static void
RefuseCreate(IndexStmt *stmt)
{
	Relation	rel;

	if (stmt->relation == NULL || stmt->accessMethod == NULL ||
		strcmp(stmt->accessMethod, "brin") != 0)
		return;
	rel = OpenNamed(stmt->relation);
	if (rel == NULL)
		return;
	if (RetlIsRetldbTable(rel))
		RetlRefuseBlockIndex(rel);
	relation_close(rel, AccessShareLock);
}

/*
 * ALTER TABLE ... SET ACCESS METHOD retldb
 */
static void
RefuseAlter(AlterTableStmt *stmt)
{
	ListCell   *cell;

	foreach(cell, stmt->cmds)
	{
		AlterTableCmd *cmd = lfirst(cell);
		const char *name;
		Relation	rel;

		if (cmd->subtype != AT_SetAccessMethod)
			continue;
		/* DEFAULT has no name */
		name = cmd->name != NULL ? cmd->name : default_table_access_method;
		if (!RetlAmNameIsOurs(name))
			continue;
		rel = OpenNamed(stmt->relation);
		if (rel == NULL)
			return;
		if (RELKIND_HAS_TABLE_AM(rel->rd_rel->relkind))
			RetlRefuseBlockIndexesOf(rel);
		relation_close(rel, AccessShareLock);
	}
}

/*
 * Refuse the utility command if it would give a retldb table a BRIN index.
 */
void
RetlRefuseIndexes(Node *statement)
{
	if (IsA(statement, IndexStmt))
		RefuseCreate((IndexStmt *) statement);
	else if (IsA(statement, AlterTableStmt))
		RefuseAlter((AlterTableStmt *) statement);
}
