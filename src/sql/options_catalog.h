/*-------------------------------------------------------------------------
 *
 * options_catalog.h
 *	  Our options in PostgreSQL's catalogs.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_OPTIONS_CATALOG_H
#define RETLDB_OPTIONS_CATALOG_H

#include "postgres.h"

#include "access/attnum.h"
#include "nodes/pg_list.h"

/* Is the access method of this name, which may be an unknown one, ours? */
extern bool RetlAmNameIsOurs(const char *name);

/* What kind of relation it is: relkind, or 0 if there is none; *ours if it is our table. */
extern char RetlRelationKind(Oid relid, bool *ours);

/* Number of its columns, dropped ones included. */
extern AttrNumber RetlRelationColumns(Oid relid);

/*
 * Our options of a relation or column, as a list of DefElem with String
 * arguments; and put others in their place, leaving PostgreSQL's own alone.
 * Changes are visible to the next catalog look-up.
 */
extern List *RetlStoredTableOptions(Oid relid);
extern List *RetlStoredColumnOptions(Oid relid, AttrNumber attnum);
extern void RetlStoreTableOptions(Oid relid, List *options);
extern void RetlStoreColumnOptions(Oid relid, AttrNumber attnum, List *options);

/* Work on such lists: the value of an option or NULL; set; remove. */
extern const char *RetlOptionGet(List *options, const char *name);
extern List *RetlOptionSet(List *options, const char *name, const char *value);
extern List *RetlOptionRemove(List *options, const char *name);

#endif							/* RETLDB_OPTIONS_CATALOG_H */
