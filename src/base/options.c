/*-------------------------------------------------------------------------
 *
 * options.c
 *	  Options of tables and columns: WITH (...), ALTER COLUMN ... SET (...).
 *
 * Messages are worded as those of PostgreSQL's own options (reloptions.c).
 * README.md has the same list for users; keep both together.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/reloptions.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_class.h"
#include "commands/defrem.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "base/options.h"
#include "base/order_by.h"
#include "base/settings.h"
#include "compress/compress.h"
#include "encoding/encoding.h"

typedef enum OptionKind
{
	OPTION_COMPRESSION,
	OPTION_ENCODING,
	OPTION_BLOOM,
	OPTION_BOOLEAN,
	OPTION_INTEGER,
	OPTION_POWER_OF_TWO,
	OPTION_KILOBYTES,
	OPTION_ORDER_BY,
	OPTION_NAME
} OptionKind;

typedef struct OptionDefinition
{
	const char *name;
	OptionKind	kind;
	int			targets;		/* RetlOptionTarget, more than one */
	int			min;
	int			max;
	size_t		tableOffset;	/* in RetlTableOptions */
	size_t		columnOffset;	/* in RetlColumnOptions */
} OptionDefinition;

#define TABLES		(RETL_OPTION_TABLE | RETL_OPTION_PARTITIONED)
#define EVERYWHERE	(TABLES | RETL_OPTION_COLUMN)
#define IN_TABLE(field)		offsetof(RetlTableOptions, field)
#define IN_COLUMN(field)	offsetof(RetlColumnOptions, field)

static const OptionDefinition definitions[] = {
	{"compression", OPTION_COMPRESSION, EVERYWHERE, 0, 0,
	IN_TABLE(compression), IN_COLUMN(compression)},
	{"compression_level", OPTION_INTEGER, EVERYWHERE,
		RETLDB_MIN_COMPRESSION_LEVEL, RETLDB_MAX_COMPRESSION_LEVEL,
	IN_TABLE(compressionLevel), IN_COLUMN(compressionLevel)},
	{"encoding", OPTION_ENCODING, RETL_OPTION_COLUMN, 0, 0, 0, IN_COLUMN(encoding)},
	{"bloom", OPTION_BLOOM, EVERYWHERE, 0, 0, IN_TABLE(bloom), IN_COLUMN(bloom)},
	{"row_group_rows", OPTION_INTEGER, TABLES,
		RETLDB_MIN_SETTING_GROUP_ROWS, RETLDB_MAX_GROUP_ROWS,
	IN_TABLE(groupRows), 0},
	{"row_group_size", OPTION_KILOBYTES, TABLES,
		RETLDB_MIN_SETTING_GROUP_SIZE, RETLDB_MAX_SETTING_GROUP_SIZE,
	IN_TABLE(groupSize), 0},
	{"vector_rows", OPTION_POWER_OF_TWO, TABLES,
		RETLDB_MIN_VECTOR_ROWS, RETLDB_MAX_VECTOR_ROWS,
	IN_TABLE(vectorRows), 0},
	{"row_store_rows", OPTION_INTEGER, TABLES, 0, INT_MAX, IN_TABLE(rowStoreRows), 0},
	{"suppress_noop", OPTION_BOOLEAN, TABLES, 0, 0, IN_TABLE(suppressNoop), 0},
	{"autocompact", OPTION_BOOLEAN, TABLES, 0, 0, IN_TABLE(autocompact), 0},
	{"autocompact_threshold", OPTION_INTEGER, TABLES, 1, INT_MAX, IN_TABLE(autocompactThreshold), 0},
	{RETLDB_OPTION_ORDER_BY, OPTION_ORDER_BY, TABLES, 0, 0, IN_TABLE(orderBy), 0},
	{RETLDB_OPTION_ACCESS_METHOD, OPTION_NAME, RETL_OPTION_PARTITIONED, 0, 0,
	IN_TABLE(accessMethod), 0},
};

/* Names of RetlBloomChoice. */
static const char *const bloomNames[] = {"auto", "off", "on"};

/* ---------------------------------------------------------------------
 * Names
 * ---------------------------------------------------------------------
 */

/* The definition of an option of this target, or NULL. */
static const OptionDefinition *
FindDefinition(const char *name, RetlOptionTarget target)
{
	for (int i = 0; i < (int) lengthof(definitions); i++)
		if ((definitions[i].targets & target) != 0 && strcmp(definitions[i].name, name) == 0)
			return &definitions[i];
	return NULL;
}

/* See options.h. */
bool
RetlOptionIsOurs(const char *name, RetlOptionTarget target)
{
	return FindDefinition(name, target) != NULL;
}

/*
 * See options.h.  The lock level of an option is the one thing PostgreSQL tells
 * about it by name; there is none for a name it does not know.
 */
bool
RetlOptionIsCore(const char *name)
{
	DefElem		def = {.type = T_DefElem,.defname = unconstify(char *, name)};

	return AlterTableGetRelOptionsLockLevel(list_make1(&def)) != NoLock;
}

/*
 * See options.h.  Names that begin with "pg_" are PostgreSQL's: 15.20 keeps
 * versions of columns in attoptions, under such a name, which is no option that
 * a user could set.
 */
bool
RetlStoredOptionIsOurs(const char *name, RetlOptionTarget target)
{
	if (RetlOptionIsOurs(name, target))
		return true;
	return strncmp(name, "pg_", 3) != 0 && !RetlOptionIsCore(name);
}

/* See options.h. */
void
RetlReportUnknownOption(const char *name, RetlOptionTarget target)
{
	StringInfoData names;

	initStringInfo(&names);
	for (int i = 0; i < (int) lengthof(definitions); i++)
		if ((definitions[i].targets & target) != 0)
			appendStringInfo(&names, "%s\"%s\"", names.len > 0 ? ", " : "", definitions[i].name);
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unrecognized parameter \"%s\"", name),
			 errhint("Parameters of retldb %s are %s.",
					 target == RETL_OPTION_COLUMN ? "columns" : "tables", names.data)));
	pg_unreachable();
}

/* ---------------------------------------------------------------------
 * Values
 * ---------------------------------------------------------------------
 */

/* Find a value of one of the three enumerated kinds; false if there is none. */
static bool
ParseEnum(OptionKind kind, const char *value, int *result)
{
	const char *name;

	if (kind == OPTION_COMPRESSION)
	{
		for (int id = 0; (name = RetlCompressionName(id)) != NULL; id++)
			if (pg_strcasecmp(name, value) == 0)
			{
				*result = id;
				return true;
			}
	}
	else if (kind == OPTION_ENCODING)
	{
		for (int id = 0; id < RETL_ENCODING_COUNT; id++)
			if (RetlEncodingById(id) != NULL &&
				pg_strcasecmp(RetlEncodingById(id)->name, value) == 0)
			{
				*result = id;
				return true;
			}
		*result = -1;
		return pg_strcasecmp(value, "auto") == 0;
	}
	else
	{
		bool		on;

		*result = RETL_BLOOM_AUTO;
		if (pg_strcasecmp(value, bloomNames[RETL_BLOOM_AUTO]) == 0)
			return true;
		if (parse_bool(value, &on))
		{
			*result = on ? RETL_BLOOM_ON : RETL_BLOOM_OFF;
			return true;
		}
	}
	return false;
}

/* The values of an enumerated kind, for a message. */
static char *
EnumValues(OptionKind kind)
{
	StringInfoData names;
	const char *name;

	initStringInfo(&names);
	if (kind == OPTION_COMPRESSION)
	{
		for (int id = 0; (name = RetlCompressionName(id)) != NULL; id++)
			appendStringInfo(&names, "%s\"%s\"", id > 0 ? ", " : "", name);
	}
	else if (kind == OPTION_ENCODING)
	{
		appendStringInfoString(&names, "\"auto\"");
		for (int id = 0; id < RETL_ENCODING_COUNT; id++)
			if (RetlEncodingById(id) != NULL)
				appendStringInfo(&names, ", \"%s\"", RetlEncodingById(id)->name);
	}
	else
		appendStringInfoString(&names, "\"on\", \"off\", \"auto\"");
	return names.data;
}

/* Parse a value of an enumerated kind; if it is none, say so unless !report. */
static bool
ParseEnumOption(const OptionDefinition *definition, const char *value, bool report, int *result)
{
	if (ParseEnum(definition->kind, value, result))
		return true;
	if (report)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid value for enum option \"%s\": %s", definition->name, value),
				 errdetail("Valid values are %s.", EnumValues(definition->kind))));
	return false;
}

/* Parse a truth value; if it is none, say so unless !report. */
static bool
ParseBooleanOption(const OptionDefinition *definition, const char *value, bool report, int *result)
{
	bool		on;

	if (!parse_bool(value, &on))
	{
		if (report)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("invalid value for boolean option \"%s\": %s",
							definition->name, value)));
		return false;
	}
	*result = on ? 1 : 0;
	return true;
}

/* Parse a number; if it is none, or out of range, say so unless !report. */
static bool
ParseNumberOption(const OptionDefinition *definition, const char *value, bool report, int *result)
{
	const char *hint = NULL;
	int			flags = definition->kind == OPTION_KILOBYTES ? GUC_UNIT_KB : 0;

	if (!parse_int(value, result, flags, &hint))
	{
		if (report)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("invalid value for integer option \"%s\": %s",
							definition->name, value),
					 hint ? errhint("%s", _(hint)) : 0));
		return false;
	}
	if (*result < definition->min || *result > definition->max)
	{
		if (report)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("value %s out of bounds for option \"%s\"", value, definition->name),
					 errdetail("Valid values are between \"%d%s\" and \"%d%s\".",
							   definition->min, flags != 0 ? "kB" : "",
							   definition->max, flags != 0 ? "kB" : "")));
		return false;
	}
	if (definition->kind == OPTION_POWER_OF_TWO && (*result & (*result - 1)) != 0)
	{
		if (report)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("invalid value for integer option \"%s\": %s",
							definition->name, value),
					 errdetail("The value must be a power of two.")));
		return false;
	}
	return true;
}

/* Check the text of an order; if it is wrong, say so unless !report. */
static bool
ParseOrderOption(const OptionDefinition *definition, const char *value, bool report)
{
	const char *problem;

	if (RetlOrderByParse(value, NULL, &problem))
		return true;
	if (report)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid value for option \"%s\": %s", definition->name, value),
				 errdetail_internal("%s", _(problem)),
				 errhint("Name columns, separated by commas, each with ASC or DESC and NULLS FIRST or NULLS LAST where needed.")));
	return false;
}

/*
 * Parse a value, to *number or *text.  Returns false if it is none; with report
 * that is an error instead.
 */
static bool
ParseOption(const OptionDefinition *definition, const char *value, bool report,
			int *number, const char **text)
{
	*number = RETLDB_UNSET;
	*text = NULL;
	switch (definition->kind)
	{
		case OPTION_COMPRESSION:
		case OPTION_ENCODING:
		case OPTION_BLOOM:
			return ParseEnumOption(definition, value, report, number);
		case OPTION_BOOLEAN:
			return ParseBooleanOption(definition, value, report, number);
		case OPTION_INTEGER:
		case OPTION_POWER_OF_TWO:
		case OPTION_KILOBYTES:
			return ParseNumberOption(definition, value, report, number);
		case OPTION_ORDER_BY:
			*text = value;
			return ParseOrderOption(definition, value, report);
		case OPTION_NAME:
			*text = value;
			return true;
	}
	return false;
}

/* See options.h. */
void
RetlOptionCheck(const char *name, const char *value, RetlOptionTarget target)
{
	const OptionDefinition *definition = FindDefinition(name, target);
	int			number;
	const char *text;

	if (definition == NULL)
		RetlReportUnknownOption(name, target);
	(void) ParseOption(definition, value, true, &number, &text);
}

/* ---------------------------------------------------------------------
 * Reading
 * ---------------------------------------------------------------------
 */

/* Say that a stored option is not understood. */
static void
ReportIgnored(int elevel, const char *name, const char *value, const char *relationName)
{
	if (elevel == 0)
		return;
	ereport(elevel,
			(errcode(ERRCODE_WARNING),
			 errmsg("option \"%s\" of table \"%s\" is ignored", name, relationName),
			 errdetail("This version of retldb does not understand \"%s=%s\".", name, value)));
}

/*
 * Put an option from the catalog where it belongs: into a RetlTableOptions or a
 * RetlColumnOptions.  Returns whether that was done.
 */
static bool
StoreOption(DefElem *def, RetlOptionTarget target, void *options, int elevel,
			const char *relationName)
{
	const OptionDefinition *definition;
	const char *value = def->arg != NULL ? strVal(def->arg) : "true";
	int			number;
	const char *text;
	size_t		offset;

	if (!RetlStoredOptionIsOurs(def->defname, target))
		return false;
	definition = FindDefinition(def->defname, target);
	if (definition == NULL || !ParseOption(definition, value, false, &number, &text))
	{
		ReportIgnored(elevel, def->defname, value, relationName);
		return false;
	}
	offset = target == RETL_OPTION_COLUMN ? definition->columnOffset : definition->tableOffset;
	if (definition->kind == OPTION_ORDER_BY || definition->kind == OPTION_NAME)
		*(const char **) ((char *) options + offset) = text;
	else
		*(int *) ((char *) options + offset) = number;
	return true;
}

/* Options of a table from a list of DefElem, as the catalogs have them. */
static void
TableOptionsFromList(List *list, RetlTableOptions *options, int elevel,
					 const char *relationName)
{
	ListCell   *cell;

	options->compression = RETLDB_UNSET;
	options->compressionLevel = RETLDB_UNSET;
	options->groupRows = RETLDB_UNSET;
	options->groupSize = RETLDB_UNSET;
	options->vectorRows = RETLDB_UNSET;
	options->rowStoreRows = RETLDB_UNSET;
	options->bloom = RETLDB_UNSET;
	options->suppressNoop = RETLDB_UNSET;
	options->autocompact = RETLDB_UNSET;
	options->autocompactThreshold = RETLDB_UNSET;
	options->orderBy = NULL;
	options->accessMethod = NULL;
	foreach(cell, list)
		(void) StoreOption(lfirst(cell), RETL_OPTION_PARTITIONED, options, elevel, relationName);
}

/* See options.h. */
void
RetlTableOptionsRead(Relation rel, RetlTableOptions *options, int elevel)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(RelationGetRelid(rel)));
	List	   *list = NIL;
	Datum		datum;
	bool		isNull = true;

	if (HeapTupleIsValid(tuple))
	{
		datum = SysCacheGetAttr(RELOID, tuple, Anum_pg_class_reloptions, &isNull);
		if (!isNull)
			list = untransformRelOptions(datum);
		ReleaseSysCache(tuple);
	}
	TableOptionsFromList(list, options, elevel, RelationGetRelationName(rel));
}

/* Read the options of one column; false if it has none. */
static bool
ReadColumn(Oid relid, AttrNumber attnum, RetlColumnOptions *options, int elevel,
		   const char *relationName)
{
	HeapTuple	tuple = SearchSysCache2(ATTNUM, ObjectIdGetDatum(relid), Int16GetDatum(attnum));
	List	   *list = NIL;
	ListCell   *cell;
	Datum		datum;
	bool		isNull;
	bool		any = false;

	if (!HeapTupleIsValid(tuple))
		return false;
	datum = SysCacheGetAttr(ATTNUM, tuple, Anum_pg_attribute_attoptions, &isNull);
	if (!isNull)
		list = untransformRelOptions(datum);
	ReleaseSysCache(tuple);

	foreach(cell, list)
		any |= StoreOption(lfirst(cell), RETL_OPTION_COLUMN, options, elevel, relationName);
	return any;
}

/* See options.h. */
RetlColumnOptions *
RetlColumnOptionsRead(Relation rel, int elevel)
{
	/* the table that replaces another in a rewrite has no column options */
	Oid			relid = OidIsValid(rel->rd_rel->relrewrite) ?
	rel->rd_rel->relrewrite : RelationGetRelid(rel);
	int			natts = RelationGetNumberOfAttributes(rel);
	RetlColumnOptions *columns = palloc(Max(natts, 1) * sizeof(RetlColumnOptions));
	bool		any = false;

	for (int i = 0; i < natts; i++)
	{
		columns[i].compression = RETLDB_UNSET;
		columns[i].compressionLevel = RETLDB_UNSET;
		columns[i].encoding = RETLDB_UNSET;
		columns[i].bloom = RETLDB_UNSET;
		if (!TupleDescAttr(RelationGetDescr(rel), i)->attisdropped &&
			ReadColumn(relid, (AttrNumber) (i + 1), &columns[i], elevel,
					   RelationGetRelationName(rel)))
			any = true;
	}
	if (any)
		return columns;
	pfree(columns);
	return NULL;
}
