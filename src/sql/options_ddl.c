/*-------------------------------------------------------------------------
 *
 * options_ddl.c
 *	  Our options in CREATE and ALTER commands.
 *
 * PostgreSQL refuses options it does not know, and extensions cannot add any for
 * tables.  So ours are taken out of a command before PostgreSQL sees it, and put
 * into the catalog, beside its own, afterwards:
 *
 * - CREATE TABLE, CREATE TABLE AS, CREATE MATERIALIZED VIEW: at the moment the
 *   relation enters the catalog (object access hook), so that they are there
 *   before the first row;
 * - ALTER: when PostgreSQL has done its part, or has come to rewriting the table.
 *   Options of ours that stand in the catalog are taken away meanwhile, because
 *   SET and RESET check all of them again.
 *
 * A partitioned table has no access method before PostgreSQL 17.  PARTITION BY
 * ... USING retldb is kept as an option of its own, access_method; partitions are
 * then created with that access method and with the parent's options.
 *
 * Nested commands each have a RetlOptionsCommand of their own.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/reloptions.h"
#include "access/relation.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/objectaccess.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_class.h"
#include "commands/defrem.h"
#include "commands/tablecmds.h"
#include "nodes/makefuncs.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "am/retldb_am.h"
#include "base/options.h"
#include "base/order_by.h"
#include "base/settings.h"
#include "encoding/encoding.h"
#include "rowgroup/column_type.h"
#include "sql/options_catalog.h"
#include "sql/options_ddl.h"

/* The options that a column is to have. */
typedef struct ColumnChange
{
	char	   *name;
	List	   *options;		/* DefElem */
} ColumnChange;

/* Of the innermost utility command. */
static RetlOptionsCommand *current = NULL;

static object_access_hook_type prevObjectAccess = NULL;

/* ---------------------------------------------------------------------
 * Options in a command
 * ---------------------------------------------------------------------
 */

/* Is an option, as written, ours?  Raises an error if it is nobody's. */
static bool
IsOurs(const DefElem *def, RetlOptionTarget target)
{
	if (def->defnamespace != NULL)
		return target != RETL_OPTION_COLUMN && strcmp(def->defnamespace, "retldb") == 0;
	if (RetlOptionIsOurs(def->defname, target))
		return true;
	if (!RetlOptionIsCore(def->defname) && strcmp(def->defname, "oids") != 0)
		RetlReportUnknownOption(def->defname, target);
	return false;
}

/* Take our options out of the list of a command, checked. */
static List *
TakeOptions(List **list, RetlOptionTarget target)
{
	List	   *taken = NIL;
	List	   *left = NIL;
	ListCell   *cell;

	foreach(cell, *list)
	{
		DefElem    *def = lfirst(cell);
		char	   *value;

		if (!IsOurs(def, target))
		{
			left = lappend(left, def);
			continue;
		}
		value = def->arg != NULL ? defGetString(def) : pstrdup("true");
		RetlOptionCheck(def->defname, value, target);
		if (RetlOptionGet(taken, def->defname) != NULL)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("parameter \"%s\" specified more than once", def->defname)));
		taken = RetlOptionSet(taken, def->defname, value);
	}
	*list = left;
	return taken;
}

/* Take our options out of the list of a RESET; the others are left. */
static List *
TakeNames(List **list, RetlOptionTarget target)
{
	List	   *taken = NIL;
	List	   *left = NIL;
	ListCell   *cell;

	foreach(cell, *list)
	{
		DefElem    *def = lfirst(cell);

		if (def->defnamespace != NULL ? strcmp(def->defnamespace, "retldb") != 0 :
			!RetlStoredOptionIsOurs(def->defname, target))
			left = lappend(left, def);
		else if (def->arg != NULL)
			ereport(ERROR,
					(errcode(ERRCODE_SYNTAX_ERROR),
					 errmsg("RESET must not include values for parameters")));
		else
			taken = lappend(taken, def);
	}
	*list = left;
	return taken;
}

/* Put options over others. */
static List *
MergeOptions(List *options, List *over)
{
	ListCell   *cell;

	foreach(cell, over)
	{
		DefElem    *def = lfirst(cell);

		options = RetlOptionSet(options, def->defname, strVal(def->arg));
	}
	return options;
}

/* The change of a column in a command, made if there is none yet. */
static ColumnChange *
GetColumn(RetlOptionsCommand *command, const char *name)
{
	ColumnChange *column;
	ListCell   *cell;

	foreach(cell, command->columns)
	{
		column = lfirst(cell);
		if (strcmp(column->name, name) == 0)
			return column;
	}
	column = palloc(sizeof(ColumnChange));
	column->name = pstrdup(name);
	column->options = NIL;
	command->columns = lappend(command->columns, column);
	return column;
}

/* ---------------------------------------------------------------------
 * Storing
 * ---------------------------------------------------------------------
 */

/* Raise an error if a relation cannot be in the order its options ask for. */
static void
CheckOrder(Oid relid, const char *orderBy)
{
	Relation	rel;
	List	   *columns;
	const char *problem;
	int			count;

	if (orderBy == NULL || !RetlOrderByParse(orderBy, &columns, &problem))
		return;
	rel = relation_open(relid, AccessShareLock);
	(void) RetlOrderByResolve(columns, RelationGetDescr(rel), ERROR, &count);
	relation_close(rel, AccessShareLock);
}

/* Store the options of a command, for the relation and its columns. */
static void
StoreOptions(RetlOptionsCommand *command, Oid relid)
{
	ListCell   *cell;

	CheckOrder(relid, RetlOptionGet(command->tableOptions, RETLDB_OPTION_ORDER_BY));
	RetlStoreTableOptions(relid, command->tableOptions);
	foreach(cell, command->columns)
	{
		ColumnChange *column = lfirst(cell);
		AttrNumber	attnum = get_attnum(relid, column->name);

		if (attnum > 0)
			RetlStoreColumnOptions(relid, attnum, column->options);
	}
}

/* Refuse to rewrite a retldb table, to whatever access method, if rows would be left out. */
static void
RefuseLossyRewrite(Oid relid)
{
	HeapTuple	tuple;
	Oid			oldRelid;
	Form_pg_class form;

	CommandCounterIncrement();
	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	if (!HeapTupleIsValid(tuple))
		return;
	oldRelid = ((Form_pg_class) GETSTRUCT(tuple))->relrewrite;
	ReleaseSysCache(tuple);
	if (!OidIsValid(oldRelid))
		return;
	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(oldRelid));
	if (!HeapTupleIsValid(tuple))
		return;
	form = (Form_pg_class) GETSTRUCT(tuple);
	if (RetlAmIsOurs(form->relam))
		RetlRefuseLossyRewrite(NameStr(form->relname));
	ReleaseSysCache(tuple);
}

/*
 * A relation has entered the catalog.  If it is the one of the running command,
 * it gets its options.
 */
static void
RelationCreated(Oid relid)
{
	HeapTuple	tuple;
	Form_pg_class form;
	bool		isIt;
	bool		isRewrite;
	bool		ours;

	if (current == NULL)
		return;
	if (current->altersTable && retldb_skip_damaged_groups)
		RefuseLossyRewrite(relid);
	if (current->what == RETL_OPTIONS_NOTHING)
		return;
	/* as StoreConstraints does, which comes next: make the tuple visible */
	CommandCounterIncrement();
	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	if (!HeapTupleIsValid(tuple))
		return;
	form = (Form_pg_class) GETSTRUCT(tuple);
	isRewrite = current->what == RETL_OPTIONS_ALTER && form->relrewrite == current->relid;
	isIt = current->what == RETL_OPTIONS_CREATE &&
		(form->relkind == RELKIND_RELATION || form->relkind == RELKIND_MATVIEW ||
		 form->relkind == RELKIND_PARTITIONED_TABLE) &&
		!OidIsValid(form->relrewrite) &&
		strcmp(NameStr(form->relname), current->relationName) == 0;
	ours = form->relkind == RELKIND_PARTITIONED_TABLE || RetlAmIsOurs(form->relam);
	ReleaseSysCache(tuple);

	if (isRewrite && ours)
		RetlStoreTableOptions(relid, current->tableOptions);
	if (isRewrite)
		RetlOptionsFinish(current);
	if (isIt && ours)
	{
		RetlOptionsCommand *command = current;

		command->what = RETL_OPTIONS_NOTHING;
		StoreOptions(command, relid);
	}
}

/* ---------------------------------------------------------------------
 * Creating
 * ---------------------------------------------------------------------
 */

/* Copy the options of a relation's columns. */
static void
CopyColumnOptions(RetlOptionsCommand *command, Oid relid)
{
	AttrNumber	natts = RetlRelationColumns(relid);

	for (AttrNumber attnum = 1; attnum <= natts; attnum++)
	{
		List	   *options = RetlStoredColumnOptions(relid, attnum);
		char	   *name = get_attname(relid, attnum, true);
		ColumnChange *column;

		if (options == NIL || name == NULL)
			continue;
		column = GetColumn(command, name);
		column->options = MergeOptions(column->options, options);
	}
}

/* Copy the options of a retldb table, or of a partitioned one. */
static void
CopyOptions(RetlOptionsCommand *command, Oid relid)
{
	command->tableOptions = MergeOptions(command->tableOptions, RetlStoredTableOptions(relid));
	CopyColumnOptions(command, relid);
}

/* LIKE ... INCLUDING STORAGE copies options. */
static void
CopyLikeOptions(RetlOptionsCommand *command, List *elements)
{
	ListCell   *cell;

	foreach(cell, elements)
	{
		TableLikeClause *like = lfirst(cell);
		Oid			relid;
		bool		ours;

		if (!IsA(like, TableLikeClause) || (like->options & CREATE_TABLE_LIKE_STORAGE) == 0)
			continue;
		relid = RangeVarGetRelid(like->relation, NoLock, true);
		if (OidIsValid(relid) && RetlRelationKind(relid, &ours) != 0 && ours)
			CopyOptions(command, relid);
	}
}

/*
 * What a partition inherits: the access method, if the command does not name
 * one (NULL if the parent has none), and the options.
 */
static const char *
InheritOptions(RetlOptionsCommand *command, CreateStmt *stmt)
{
	Oid			parent;
	bool		ours;

	if (stmt->partbound == NULL || stmt->inhRelations == NIL)
		return NULL;
	parent = RangeVarGetRelid(linitial(stmt->inhRelations), NoLock, true);
	if (!OidIsValid(parent) || RetlRelationKind(parent, &ours) != RELKIND_PARTITIONED_TABLE ||
		!ours)
		return NULL;
	CopyOptions(command, parent);
	return RetlOptionGet(command->tableOptions, RETLDB_OPTION_ACCESS_METHOD);
}

/* Is there something to store when the relation is created? */
static void
ExpectRelation(RetlOptionsCommand *command, RangeVar *relation)
{
	if (command->tableOptions == NIL && command->columns == NIL)
		return;
	command->what = RETL_OPTIONS_CREATE;
	command->relationName = relation->relname;
}

/*
 * CREATE TABLE ... PARTITION BY: the access method becomes an option.  Without
 * one of ours, the table is none of our business.
 */
static void
BeginCreatePartitioned(RetlOptionsCommand *command, CreateStmt *stmt, const char *inherited)
{
	List	   *options = stmt->options;
	List	   *own = NIL;
	const char *method = stmt->accessMethod;
	ListCell   *cell;

	foreach(cell, options)
	{
		DefElem    *def = lfirst(cell);

		if (method == NULL && def->defnamespace == NULL && def->arg != NULL &&
			strcmp(def->defname, RETLDB_OPTION_ACCESS_METHOD) == 0)
			method = defGetString(def);
	}
	if (method == NULL)
		method = inherited;
	if (!RetlAmNameIsOurs(method))
		return;

	own = TakeOptions(&options, RETL_OPTION_PARTITIONED);
	stmt->options = options;
	stmt->accessMethod = NULL;
	CopyLikeOptions(command, stmt->tableElts);
	command->tableOptions = MergeOptions(command->tableOptions, own);
	command->tableOptions = RetlOptionSet(command->tableOptions, RETLDB_OPTION_ACCESS_METHOD,
										  method);
	ExpectRelation(command, stmt->relation);
}

/*
 * Options of ours for a table with heap as access method, which PostgreSQL would refuse
 * without telling what they are for.  Of a table that is there it looks at none.
 */
static void
RefuseOptionsOfHeap(const List *options, const char *method, bool ifNotExists)
{
	ListCell   *cell;

	if (ifNotExists || strcmp(method, "heap") != 0)
		return;
	foreach(cell, options)
	{
		const DefElem *def = lfirst(cell);

		if (def->defnamespace == NULL && RetlOptionIsOurs(def->defname, RETL_OPTION_TABLE) &&
			!RetlOptionIsCore(def->defname))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("unrecognized parameter \"%s\"", def->defname),
					 errhint("This is an option of tables that are created with USING retldb.")));
	}
}

/*
 * Will a table that is created be one of ours?  "method" is the access method that the
 * command names, or NULL.  Raises an error if it will be heap's and has options of ours.
 */
static bool
WillBeOurs(const char *method, const List *options, bool ifNotExists)
{
	if (method == NULL)
		method = default_table_access_method;
	if (RetlAmNameIsOurs(method))
		return true;
	RefuseOptionsOfHeap(options, method, ifNotExists);
	return false;
}

/* CREATE TABLE. */
static void
BeginCreate(RetlOptionsCommand *command, CreateStmt *stmt)
{
	const char *inherited = InheritOptions(command, stmt);
	List	   *own;

	if (stmt->partspec != NULL)
	{
		BeginCreatePartitioned(command, stmt, inherited);
		return;
	}
	if (stmt->accessMethod == NULL && inherited != NULL)
		stmt->accessMethod = pstrdup(inherited);
	if (!WillBeOurs(stmt->accessMethod, stmt->options, stmt->if_not_exists))
		return;

	own = TakeOptions(&stmt->options, RETL_OPTION_TABLE);
	CopyLikeOptions(command, stmt->tableElts);
	command->tableOptions = RetlOptionRemove(command->tableOptions, RETLDB_OPTION_ACCESS_METHOD);
	command->tableOptions = MergeOptions(command->tableOptions, own);
	ExpectRelation(command, stmt->relation);
}

/* CREATE TABLE AS, CREATE MATERIALIZED VIEW. */
static void
BeginCreateAs(RetlOptionsCommand *command, CreateTableAsStmt *stmt)
{
	IntoClause *into = stmt->into;

	if (!WillBeOurs(into->accessMethod, into->options, stmt->if_not_exists))
		return;
	command->tableOptions = TakeOptions(&into->options, RETL_OPTION_TABLE);
	ExpectRelation(command, into->rel);
}

/* ---------------------------------------------------------------------
 * Altering
 * ---------------------------------------------------------------------
 */

/* Does a command touch options or access method? */
static bool
TouchesOptions(AlterTableStmt *stmt)
{
	ListCell   *cell;

	if (stmt->objtype != OBJECT_TABLE && stmt->objtype != OBJECT_MATVIEW)
		return false;
	foreach(cell, stmt->cmds)
	{
		AlterTableCmd *cmd = lfirst(cell);

		switch (cmd->subtype)
		{
			case AT_SetRelOptions:
			case AT_ResetRelOptions:
			case AT_SetOptions:
			case AT_ResetOptions:
			case AT_SetAccessMethod:
				return true;
			default:
				break;
		}
	}
	return false;
}

/*
 * The access method that a relation is going to have: that of the last
 * subcommand that sets one, else "now", which is NULL if it is not ours.
 */
static const char *
NextAccessMethod(AlterTableStmt *stmt, char kind, const char *now)
{
	ListCell   *cell;
	ListCell   *option;

	foreach(cell, stmt->cmds)
	{
		AlterTableCmd *cmd = lfirst(cell);

		if (cmd->subtype == AT_SetAccessMethod)
			now = cmd->name;
		else if (kind == RELKIND_PARTITIONED_TABLE &&
				 (cmd->subtype == AT_SetRelOptions || cmd->subtype == AT_ResetRelOptions))
			foreach(option, (List *) cmd->def)
			{
				DefElem    *def = lfirst(option);

				if (strcmp(def->defname, RETLDB_OPTION_ACCESS_METHOD) != 0)
					continue;
				now = cmd->subtype == AT_SetRelOptions && def->arg != NULL ?
					defGetString(def) : NULL;
			}
	}
	return RetlAmNameIsOurs(now) ? now : NULL;
}

/* Raise an error if an encoding is not for the type of a column. */
static void
CheckEncoding(Oid relid, AttrNumber attnum, List *options)
{
	const char *name = RetlOptionGet(options, "encoding");
	const RetlEncoding *encoding = name != NULL ? RetlEncodingByName(name) : NULL;
	HeapTuple	tuple;
	RetlColumnType type;
	Oid			typeOid;

	if (encoding == NULL)
		return;
	tuple = SearchSysCache2(ATTNUM, ObjectIdGetDatum(relid), Int16GetDatum(attnum));
	if (!HeapTupleIsValid(tuple))
		return;
	typeOid = ((Form_pg_attribute) GETSTRUCT(tuple))->atttypid;
	RetlColumnTypeInit(&type, (Form_pg_attribute) GETSTRUCT(tuple));
	ReleaseSysCache(tuple);
	if (!encoding->applies(type.physType, type.width))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid value for enum option \"encoding\": %s", name),
				 errdetail("This encoding is not for columns of type %s.",
						   format_type_be(typeOid))));
}

/*
 * Take our options out of a subcommand, and set or reset them in the list.  If
 * nothing else is in it, it becomes a RESET of what is hidden then: PostgreSQL
 * has nothing to do, but treats it as it treats any other, with its checks, a
 * weak lock, and event triggers.
 */
static void
ChangeOptions(List **options, AlterTableCmd *cmd, RetlOptionTarget target)
{
	bool		reset = cmd->subtype == AT_ResetRelOptions || cmd->subtype == AT_ResetOptions;
	List	   *left = (List *) cmd->def;
	List	   *taken = reset ? TakeNames(&left, target) : TakeOptions(&left, target);
	ListCell   *cell;

	if (!reset)
		*options = MergeOptions(*options, taken);
	foreach(cell, taken)
	{
		char	   *name = ((DefElem *) lfirst(cell))->defname;

		if (reset)
			*options = RetlOptionRemove(*options, name);
		lfirst(cell) = makeDefElem(name, NULL, -1);
	}
	if (left == NIL)
	{
		cmd->subtype = target == RETL_OPTION_COLUMN ? AT_ResetOptions : AT_ResetRelOptions;
		left = taken;
	}
	cmd->def = (Node *) left;
}

/* ALTER COLUMN ... SET or RESET. */
static void
AlterColumn(RetlOptionsCommand *command, AlterTableCmd *cmd)
{
	AttrNumber	attnum = get_attnum(command->relid, cmd->name);
	ColumnChange *column;
	ListCell   *cell;
	bool		known = false;

	if (attnum <= 0)
		return;
	foreach(cell, command->columns)
		known |= strcmp(((ColumnChange *) lfirst(cell))->name, cmd->name) == 0;
	column = GetColumn(command, cmd->name);
	if (!known)
		column->options = RetlStoredColumnOptions(command->relid, attnum);
	ChangeOptions(&column->options, cmd, RETL_OPTION_COLUMN);
	CheckEncoding(command->relid, attnum, column->options);
}

/* Take what is ours out of a subcommand; false if PostgreSQL must not see it. */
static bool
AlterSubcommand(RetlOptionsCommand *command, AlterTableCmd *cmd, char kind)
{
	RetlOptionTarget target = kind == RELKIND_PARTITIONED_TABLE ?
	RETL_OPTION_PARTITIONED : RETL_OPTION_TABLE;

	switch (cmd->subtype)
	{
		case AT_SetRelOptions:
		case AT_ResetRelOptions:
			ChangeOptions(&command->tableOptions, cmd, target);
			return true;
		case AT_SetOptions:
		case AT_ResetOptions:
			AlterColumn(command, cmd);
			return true;
		case AT_SetAccessMethod:
			return kind != RELKIND_PARTITIONED_TABLE;
		default:
			return true;
	}
}

/*
 * Take our options out of the catalog: all of them if the table is not going to
 * be ours, else those that PostgreSQL would check.
 */
static void
HideStoredOptions(RetlOptionsCommand *command, bool all)
{
	AttrNumber	natts = RetlRelationColumns(command->relid);
	ListCell   *cell;

	if (RetlStoredTableOptions(command->relid) != NIL)
		RetlStoreTableOptions(command->relid, NIL);
	for (AttrNumber attnum = 1; all && attnum <= natts; attnum++)
		if (RetlStoredColumnOptions(command->relid, attnum) != NIL)
			RetlStoreColumnOptions(command->relid, attnum, NIL);
	foreach(cell, command->columns)
	{
		AttrNumber	attnum = get_attnum(command->relid, ((ColumnChange *) lfirst(cell))->name);

		if (RetlStoredColumnOptions(command->relid, attnum) != NIL)
			RetlStoreColumnOptions(command->relid, attnum, NIL);
	}
}

/* The table is going to be ours: take our options out of the subcommands. */
static void
AlterOurs(RetlOptionsCommand *command, AlterTableStmt *stmt, char kind, const char *method)
{
	List	   *left = NIL;
	ListCell   *cell;

	command->tableOptions = RetlStoredTableOptions(command->relid);
	foreach(cell, stmt->cmds)
		if (AlterSubcommand(command, lfirst(cell), kind))
			left = lappend(left, lfirst(cell));
	stmt->cmds = left;
	if (kind == RELKIND_PARTITIONED_TABLE)
		command->tableOptions = RetlOptionSet(command->tableOptions,
											  RETLDB_OPTION_ACCESS_METHOD, method);
	command->what = RETL_OPTIONS_ALTER;
	if (left != NIL)
		HideStoredOptions(command, false);
}

/*
 * A partitioned table is not to have our access method any more: what remains of
 * the command is what PostgreSQL can do with it.
 */
static void
AlterPartitionedAway(AlterTableStmt *stmt)
{
	List	   *left = NIL;
	ListCell   *cell;

	foreach(cell, stmt->cmds)
	{
		AlterTableCmd *cmd = lfirst(cell);
		List	   *options = (List *) cmd->def;

		if (cmd->subtype == AT_SetAccessMethod)
			continue;
		if (cmd->subtype == AT_ResetRelOptions)
		{
			(void) TakeNames(&options, RETL_OPTION_PARTITIONED);
			cmd->def = (Node *) options;
			if (options == NIL)
				continue;
		}
		left = lappend(left, cmd);
	}
	stmt->cmds = left;
}

/* ALTER TABLE, ALTER MATERIALIZED VIEW. */
static void
BeginAlter(RetlOptionsCommand *command, AlterTableStmt *stmt)
{
	const char *now = NULL;
	const char *next;
	bool		ours;
	char		kind;

	/* PostgreSQL says no to these */
	if (XactReadOnly || RecoveryInProgress() || IsInParallelMode())
		return;
	/* takes the lock that the command takes, with the same checks */
	command->relid = AlterTableLookupRelation(stmt, AlterTableGetLockLevel(stmt->cmds));
	if (!OidIsValid(command->relid))
		return;
	kind = RetlRelationKind(command->relid, &ours);
	if (kind != RELKIND_RELATION && kind != RELKIND_MATVIEW && kind != RELKIND_PARTITIONED_TABLE)
		return;
	if (ours && kind == RELKIND_PARTITIONED_TABLE)
		now = RetlOptionGet(RetlStoredTableOptions(command->relid), RETLDB_OPTION_ACCESS_METHOD);
	else if (ours)
		now = "retldb";
	next = NextAccessMethod(stmt, kind, now);
	if (next != NULL)
		AlterOurs(command, stmt, kind, next);
	else if (ours)
	{
		HideStoredOptions(command, true);
		if (kind == RELKIND_PARTITIONED_TABLE)
			AlterPartitionedAway(stmt);
	}
}

/* ---------------------------------------------------------------------
 * Columns that are renamed or dropped
 * ---------------------------------------------------------------------
 */

/*
 * Replace a column's name in the order among these options; newName is NULL if
 * the column is going to be dropped.  Returns the same list if it is not there.
 */
static List *
ChangeOrder(List *options, const char *oldName, const char *newName)
{
	const char *text = RetlOptionGet(options, RETLDB_OPTION_ORDER_BY);
	List	   *columns;
	List	   *left = NIL;
	const char *problem;
	bool		found = false;
	ListCell   *cell;

	if (text == NULL || !RetlOrderByParse(text, &columns, &problem))
		return options;
	foreach(cell, columns)
	{
		RetlOrderColumn *column = lfirst(cell);

		if (strcmp(column->name, oldName) == 0)
		{
			found = true;
			if (newName == NULL)
				continue;
			column->name = pstrdup(newName);
		}
		left = lappend(left, column);
	}
	if (!found)
		return options;
	if (left == NIL)
		return RetlOptionRemove(options, RETLDB_OPTION_ORDER_BY);
	return RetlOptionSet(options, RETLDB_OPTION_ORDER_BY, RetlOrderByFormat(left));
}

/* The same for a relation. */
static void
ChangeStoredOrder(Oid relid, const char *oldName, const char *newName)
{
	List	   *options = RetlStoredTableOptions(relid);
	List	   *changed = ChangeOrder(options, oldName, newName);

	if (changed != options)
		RetlStoreTableOptions(relid, changed);
	/* an ALTER of the same relation may have its options in hand */
	if (current != NULL && current->what == RETL_OPTIONS_ALTER && current->relid == relid)
		current->tableOptions = ChangeOrder(current->tableOptions, oldName, newName);
}

/* The name that a column gets by the running command, which look-ups do not see yet. */
static char *
NewColumnName(Oid relid, AttrNumber attnum)
{
	Relation	catalog = table_open(AttributeRelationId, AccessShareLock);
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple	tuple;
	char	   *name = NULL;

	ScanKeyInit(&keys[0], Anum_pg_attribute_attrelid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(relid));
	ScanKeyInit(&keys[1], Anum_pg_attribute_attnum, BTEqualStrategyNumber, F_INT2EQ,
				Int16GetDatum(attnum));
	scan = systable_beginscan(catalog, AttributeRelidNumIndexId, true, SnapshotSelf, 2, keys);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		name = pstrdup(NameStr(((Form_pg_attribute) GETSTRUCT(tuple))->attname));
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	return name;
}

/* A column has been altered; if it was renamed, its table's order follows. */
static void
ColumnAltered(Oid relid, AttrNumber attnum)
{
	char	   *oldName;
	char	   *newName;

	if (RetlOptionGet(RetlStoredTableOptions(relid), RETLDB_OPTION_ORDER_BY) == NULL)
		return;
	oldName = get_attname(relid, attnum, true);
	newName = NewColumnName(relid, attnum);
	if (oldName != NULL && newName != NULL && strcmp(oldName, newName) != 0)
		ChangeStoredOrder(relid, oldName, newName);
}

/* A column is going to be dropped: its table is not in its order any more. */
static void
ColumnDropped(Oid relid, AttrNumber attnum)
{
	char	   *name = get_attname(relid, attnum, true);

	if (name != NULL)
		ChangeStoredOrder(relid, name, NULL);
}

/* ---------------------------------------------------------------------
 * Hooks
 * ---------------------------------------------------------------------
 */

/* Follow created relations, and changed columns. */
static void
OptionsObjectAccess(ObjectAccessType access, Oid classId, Oid objectId, int subId, void *arg)
{
	if (prevObjectAccess)
		prevObjectAccess(access, classId, objectId, subId, arg);
	if (classId != RelationRelationId)
		return;
	if (access == OAT_POST_CREATE && subId == 0)
		RelationCreated(objectId);
	else if (access == OAT_POST_ALTER && subId > 0)
		ColumnAltered(objectId, (AttrNumber) subId);
	else if (access == OAT_DROP && subId > 0)
		ColumnDropped(objectId, (AttrNumber) subId);
}

/* See options_ddl.h. */
RetlOptionsCommand *
RetlOptionsEnter(RetlOptionsCommand *command)
{
	RetlOptionsCommand *outer = current;

	memset(command, 0, sizeof(*command));
	current = command;
	return outer;
}

/* The part of a statement that may have options: EXPLAIN may contain a CREATE TABLE AS. */
static Node *
InnerStatement(Node *statement)
{
	if (IsA(statement, ExplainStmt) && IsA(((ExplainStmt *) statement)->query, Query) &&
		((Query *) ((ExplainStmt *) statement)->query)->commandType == CMD_UTILITY)
		return ((Query *) ((ExplainStmt *) statement)->query)->utilityStmt;
	return statement;
}

/* See options_ddl.h. */
PlannedStmt *
RetlOptionsBegin(RetlOptionsCommand *command, PlannedStmt *pstmt, bool *readOnlyTree)
{
	Node	   *statement = InnerStatement(pstmt->utilityStmt);

	command->altersTable = IsA(statement, AlterTableStmt);
	if (!IsA(statement, CreateStmt) && !IsA(statement, CreateTableAsStmt) &&
		!(IsA(statement, AlterTableStmt) && TouchesOptions((AlterTableStmt *) statement)))
		return pstmt;

	/* the tree may be a cached one */
	if (*readOnlyTree)
		pstmt = copyObject(pstmt);
	*readOnlyTree = false;
	statement = InnerStatement(pstmt->utilityStmt);
	if (IsA(statement, CreateStmt))
		BeginCreate(command, (CreateStmt *) statement);
	else if (IsA(statement, CreateTableAsStmt))
		BeginCreateAs(command, (CreateTableAsStmt *) statement);
	else
		BeginAlter(command, (AlterTableStmt *) statement);
	return pstmt;
}

/* See options_ddl.h. */
void
RetlOptionsFinish(RetlOptionsCommand *command)
{
	if (command->what != RETL_OPTIONS_ALTER)
		return;
	command->what = RETL_OPTIONS_NOTHING;
	StoreOptions(command, command->relid);
}

/* See options_ddl.h. */
void
RetlOptionsLeave(RetlOptionsCommand *outer)
{
	current = outer;
}

/* See options_ddl.h. */
void
RetlInstallOptionsHook(void)
{
	prevObjectAccess = object_access_hook;
	object_access_hook = OptionsObjectAccess;
}
