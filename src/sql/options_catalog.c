/*-------------------------------------------------------------------------
 *
 * options_catalog.c
 *	  Our options in PostgreSQL's catalogs.
 *
 * They stand among PostgreSQL's own in pg_class.reloptions and
 * pg_attribute.attoptions.  PostgreSQL passes over what it does not know when it
 * reads them, and pg_dump and psql show them like the others.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/reloptions.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/indexing.h"
#include "catalog/pg_am.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type_d.h"
#include "commands/defrem.h"
#include "nodes/makefuncs.h"
#include "storage/lmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "am/retldb_am.h"
#include "base/compat.h"
#include "base/options.h"
#include "sql/options_catalog.h"

/* ---------------------------------------------------------------------
 * Access methods and relations
 * ---------------------------------------------------------------------
 */

/* See options_catalog.h. */
bool
RetlAmNameIsOurs(const char *name)
{
	return name != NULL && RetlAmIsOurs(get_am_oid(name, true));
}

/* See options_catalog.h. */
char
RetlRelationKind(Oid relid, bool *ours)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	Form_pg_class form;
	char		kind;
	Oid			amOid;

	*ours = false;
	if (!HeapTupleIsValid(tuple))
		return 0;
	form = (Form_pg_class) GETSTRUCT(tuple);
	kind = form->relkind;
	amOid = form->relam;
	ReleaseSysCache(tuple);

	if (kind == RELKIND_RELATION || kind == RELKIND_MATVIEW)
		*ours = RetlAmIsOurs(amOid);
	else if (kind == RELKIND_PARTITIONED_TABLE)
		*ours = RetlOptionGet(RetlStoredTableOptions(relid), RETLDB_OPTION_ACCESS_METHOD) != NULL;
	return kind;
}

/* See options_catalog.h. */
AttrNumber
RetlRelationColumns(Oid relid)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	AttrNumber	natts;

	if (!HeapTupleIsValid(tuple))
		return 0;
	natts = ((Form_pg_class) GETSTRUCT(tuple))->relnatts;
	ReleaseSysCache(tuple);
	return natts;
}

/* ---------------------------------------------------------------------
 * Lists
 * ---------------------------------------------------------------------
 */

/* See options_catalog.h. */
const char *
RetlOptionGet(List *options, const char *name)
{
	ListCell   *cell;

	foreach(cell, options)
	{
		DefElem    *def = lfirst(cell);

		if (strcmp(def->defname, name) == 0)
			return def->arg != NULL ? strVal(def->arg) : "true";
	}
	return NULL;
}

/* See options_catalog.h. */
List *
RetlOptionRemove(List *options, const char *name)
{
	List	   *result = NIL;
	ListCell   *cell;

	foreach(cell, options)
	{
		DefElem    *def = lfirst(cell);

		if (strcmp(def->defname, name) != 0)
			result = lappend(result, def);
	}
	return result;
}

/* See options_catalog.h. */
List *
RetlOptionSet(List *options, const char *name, const char *value)
{
	return lappend(RetlOptionRemove(options, name),
				   makeDefElem(pstrdup(name), (Node *) makeString(pstrdup(value)), -1));
}

/* Those of a stored array that are ours, or those that are not. */
static List *
FilterOptions(Datum array, RetlOptionTarget target, bool ours)
{
	List	   *result = NIL;
	List	   *all = array != (Datum) 0 ? untransformRelOptions(array) : NIL;
	ListCell   *cell;

	foreach(cell, all)
	{
		DefElem    *def = lfirst(cell);

		if (RetlStoredOptionIsOurs(def->defname, target) == ours)
			result = lappend(result, def);
	}
	return result;
}

/* The array again; 0 for none. */
static Datum
MakeArray(List *options)
{
	ArrayBuildState *state = NULL;
	ListCell   *cell;

	foreach(cell, options)
	{
		DefElem    *def = lfirst(cell);
		char	   *text = psprintf("%s=%s", def->defname,
									def->arg != NULL ? strVal(def->arg) : "true");

		state = accumArrayResult(state, CStringGetTextDatum(text), false, TEXTOID,
								 CurrentMemoryContext);
	}
	return state != NULL ? makeArrayResult(state, CurrentMemoryContext) : (Datum) 0;
}

/* ---------------------------------------------------------------------
 * Catalogs
 * ---------------------------------------------------------------------
 */

/* A catalog tuple's column, or 0. */
static Datum
OptionsOfTuple(int cacheId, HeapTuple tuple, AttrNumber attnum)
{
	bool		isNull;
	Datum		datum = SysCacheGetAttr(cacheId, tuple, attnum, &isNull);

	return isNull ? (Datum) 0 : datum;
}

/* See options_catalog.h. */
List *
RetlStoredTableOptions(Oid relid)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	List	   *result;

	if (!HeapTupleIsValid(tuple))
		return NIL;
	result = FilterOptions(OptionsOfTuple(RELOID, tuple, Anum_pg_class_reloptions),
						   RETL_OPTION_PARTITIONED, true);
	ReleaseSysCache(tuple);
	return result;
}

/* See options_catalog.h. */
List *
RetlStoredColumnOptions(Oid relid, AttrNumber attnum)
{
	HeapTuple	tuple = SearchSysCache2(ATTNUM, ObjectIdGetDatum(relid), Int16GetDatum(attnum));
	List	   *result;

	if (!HeapTupleIsValid(tuple))
		return NIL;
	result = FilterOptions(OptionsOfTuple(ATTNUM, tuple, Anum_pg_attribute_attoptions),
						   RETL_OPTION_COLUMN, true);
	ReleaseSysCache(tuple);
	return result;
}

/*
 * Replace our options in this column of a catalog's tuple.
 */
static void
UpdateTuple(Relation catalog, int cacheId, HeapTuple tuple, AttrNumber column,
			RetlOptionTarget target, List *options)
{
	int			natts = RelationGetNumberOfAttributes(catalog);
	Datum		old = OptionsOfTuple(cacheId, tuple, column);
	List	   *kept = FilterOptions(old, target, false);
	Datum		datum = MakeArray(list_concat_copy(kept, options));
	Datum	   *values = palloc0(natts * sizeof(Datum));
	bool	   *nulls = palloc0(natts * sizeof(bool));
	bool	   *replace = palloc0(natts * sizeof(bool));
	HeapTuple	changed;

	values[column - 1] = datum;
	nulls[column - 1] = datum == (Datum) 0;
	replace[column - 1] = true;
	changed = heap_modify_tuple(tuple, RelationGetDescr(catalog), values, nulls, replace);
	CatalogTupleUpdate(catalog, &tuple->t_self, changed);
	heap_freetuple(changed);
}

/* See options_catalog.h. */
void
RetlStoreTableOptions(Oid relid, List *options)
{
	Relation	catalog = table_open(RelationRelationId, RowExclusiveLock);
	HeapTuple	tuple = RetlLockClassTuple(relid);

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for relation %u", relid);
	UpdateTuple(catalog, RELOID, tuple, Anum_pg_class_reloptions, RETL_OPTION_PARTITIONED, options);
	RetlUnlockClassTuple(catalog, tuple);
	ReleaseSysCache(tuple);
	table_close(catalog, RowExclusiveLock);
	CommandCounterIncrement();
}

/* See options_catalog.h. */
void
RetlStoreColumnOptions(Oid relid, AttrNumber attnum, List *options)
{
	Relation	catalog = table_open(AttributeRelationId, RowExclusiveLock);
	HeapTuple	tuple = SearchSysCache2(ATTNUM, ObjectIdGetDatum(relid), Int16GetDatum(attnum));

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for attribute %d of relation %u", attnum, relid);
	UpdateTuple(catalog, ATTNUM, tuple, Anum_pg_attribute_attoptions, RETL_OPTION_COLUMN, options);
	ReleaseSysCache(tuple);
	table_close(catalog, RowExclusiveLock);
	CommandCounterIncrement();
}
