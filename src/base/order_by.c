/*-------------------------------------------------------------------------
 *
 * order_by.c
 *	  The option order_by: 'account_id, created DESC NULLS LAST'.
 *
 * The text is kept as the user wrote it, with names as in SQL, so that it means
 * the same after dump and restore; when a column is renamed or dropped, it is
 * written anew (src/sql/options_ddl.c).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_language.h"
#include "catalog/pg_proc.h"
#include "lib/stringinfo.h"
#include "parser/scansup.h"
#include "utils/builtins.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

#include "base/compat.h"
#include "base/order_by.h"

/* ---------------------------------------------------------------------
 * Text
 * ---------------------------------------------------------------------
 */

/* Pass over white space. */
static void
SkipSpace(const char **at)
{
	while (scanner_isspace(**at))
		(*at)++;
}

/* May this byte be part of an identifier without quotes? */
static bool
IsNameByte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		c == '_' || c == '$' || IS_HIGHBIT_SET(c);
}

/* Take an identifier, quoted or not; NULL if there is none. */
static char *
TakeName(const char **at)
{
	StringInfoData name;
	const char *start = *at;

	if (*start != '"')
	{
		while (IsNameByte(**at))
			(*at)++;
		if (*at == start || (*start >= '0' && *start <= '9') || *start == '$')
			return NULL;
		return downcase_truncate_identifier(start, (int) (*at - start), false);
	}

	initStringInfo(&name);
	for ((*at)++; **at != '\0'; (*at)++)
	{
		if (**at == '"' && *++(*at) != '"')
		{
			truncate_identifier(name.data, name.len, false);
			return name.len > 0 ? name.data : NULL;
		}
		appendStringInfoChar(&name, **at);
	}
	return NULL;
}

/* Take this word, in any case, if it is what comes next. */
static bool
TakeWord(const char **at, const char *word)
{
	size_t		length = strlen(word);

	if (pg_strncasecmp(*at, word, length) != 0 || IsNameByte((*at)[length]))
		return false;
	*at += length;
	SkipSpace(at);
	return true;
}

/* Take a column with its direction; false and what is wrong if it is none. */
static bool
TakeColumn(const char **at, RetlOrderColumn *column, const char **problem)
{
	column->name = TakeName(at);
	if (column->name == NULL)
	{
		*problem = gettext_noop("A column name is missing.");
		return false;
	}
	SkipSpace(at);
	column->descending = false;
	if (!TakeWord(at, "asc"))
		column->descending = TakeWord(at, "desc");
	column->nullsFirst = column->descending;
	if (TakeWord(at, "nulls"))
	{
		column->nullsFirst = TakeWord(at, "first");
		if (!column->nullsFirst && !TakeWord(at, "last"))
		{
			*problem = gettext_noop("NULLS must be followed by FIRST or LAST.");
			return false;
		}
	}
	if (**at != '\0' && **at != ',')
	{
		*problem = gettext_noop("A column name is followed by something else than a direction.");
		return false;
	}
	return true;
}

/* See order_by.h. */
bool
RetlOrderByParse(const char *text, List **columns, const char **problem)
{
	const char *at = text;

	if (columns != NULL)
		*columns = NIL;
	SkipSpace(&at);
	if (*at == '\0')
		return true;
	for (;;)
	{
		RetlOrderColumn *column = palloc(sizeof(RetlOrderColumn));

		if (!TakeColumn(&at, column, problem))
			return false;
		if (columns != NULL)
			*columns = lappend(*columns, column);
		if (*at == '\0')
			return true;
		at++;					/* the comma */
		SkipSpace(&at);
	}
}

/* See order_by.h. */
char *
RetlOrderByFormat(List *columns)
{
	StringInfoData text;
	ListCell   *cell;

	initStringInfo(&text);
	foreach(cell, columns)
	{
		RetlOrderColumn *column = lfirst(cell);

		appendStringInfo(&text, "%s%s%s", text.len > 0 ? ", " : "",
						 quote_identifier(column->name), column->descending ? " DESC" : "");
		if (column->nullsFirst != column->descending)
			appendStringInfoString(&text, column->nullsFirst ? " NULLS FIRST" : " NULLS LAST");
	}
	return text.data;
}

/* ---------------------------------------------------------------------
 * Sort keys
 * ---------------------------------------------------------------------
 */

/* The number of a column by its name, or InvalidAttrNumber. */
static AttrNumber
FindColumn(TupleDesc tupdesc, const char *name)
{
	for (int i = 0; i < tupdesc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(tupdesc, i);

		if (!att->attisdropped && strcmp(NameStr(att->attname), name) == 0)
			return att->attnum;
	}
	return InvalidAttrNumber;
}

/*
 * Is this comparison function written in C?  Others may do anything, and rows
 * are sorted while a command or transaction ends.
 */
static bool
IsCompiled(Oid functionId)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(functionId));
	Oid			language;

	if (!HeapTupleIsValid(tuple))
		return false;
	language = ((Form_pg_proc) GETSTRUCT(tuple))->prolang;
	ReleaseSysCache(tuple);
	return language == INTERNALlanguageId || language == ClanguageId;
}

/* Make one key; false if the column cannot be sorted by. */
static bool
ResolveColumn(const RetlOrderColumn *column, TupleDesc tupdesc, int elevel, RetlSortKey *key)
{
	TypeCacheEntry *type;
	Oid			typeOid;

	key->attnum = FindColumn(tupdesc, column->name);
	if (key->attnum == InvalidAttrNumber)
	{
		ereport(elevel,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("column \"%s\" named in option \"order_by\" does not exist",
						column->name)));
		return false;
	}
	if (RetlIsVirtual(TupleDescAttr(tupdesc, key->attnum - 1)))
	{
		ereport(elevel,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("column \"%s\" named in option \"order_by\" is not stored", column->name),
				 errdetail("Virtual columns are computed when they are read.")));
		return false;
	}
	typeOid = TupleDescAttr(tupdesc, key->attnum - 1)->atttypid;
	type = lookup_type_cache(typeOid, TYPECACHE_LT_OPR | TYPECACHE_GT_OPR | TYPECACHE_CMP_PROC);
	key->sortOperator = column->descending ? type->gt_opr : type->lt_opr;
	key->nullsFirst = column->nullsFirst;
	if (!OidIsValid(key->sortOperator) || !OidIsValid(type->cmp_proc) ||
		!IsCompiled(type->cmp_proc))
	{
		ereport(elevel,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("could not identify an ordering operator for type %s",
						format_type_be(typeOid)),
				 errdetail("Rows cannot be stored in the order of column \"%s\".", column->name)));
		return false;
	}
	return true;
}

/* See order_by.h. */
RetlSortKey *
RetlOrderByResolve(List *columns, TupleDesc tupdesc, int elevel, int *count)
{
	RetlSortKey *keys = palloc0(Max(list_length(columns), 1) * sizeof(RetlSortKey));
	ListCell   *cell;

	*count = 0;
	foreach(cell, columns)
	{
		RetlOrderColumn *column = lfirst(cell);

		if (!ResolveColumn(column, tupdesc, elevel, &keys[*count]))
		{
			*count = 0;
			return keys;
		}
		for (int i = 0; i < *count; i++)
			if (keys[i].attnum == keys[*count].attnum)
			{
				ereport(elevel,
						(errcode(ERRCODE_DUPLICATE_COLUMN),
						 errmsg("column \"%s\" appears twice in option \"order_by\"",
								column->name)));
				*count = 0;
				return keys;
			}
		(*count)++;
	}
	return keys;
}
