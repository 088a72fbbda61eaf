/*-------------------------------------------------------------------------
 *
 * order_by.h
 *	  The option order_by: 'account_id, created DESC NULLS LAST'.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_ORDER_BY_H
#define RETLDB_ORDER_BY_H

#include "postgres.h"

#include "access/tupdesc.h"
#include "nodes/pg_list.h"

/* A column of the option's text. */
typedef struct RetlOrderColumn
{
	char	   *name;
	bool		descending;
	bool		nullsFirst;
} RetlOrderColumn;

/* A column to sort by. */
typedef struct RetlSortKey
{
	AttrNumber	attnum;
	Oid			sortOperator;	/* btree's < or > of the column's type */
	bool		nullsFirst;
} RetlSortKey;

/*
 * Parse the text to a list of RetlOrderColumn, which may be empty.  Returns
 * false, with what is wrong in *problem, if it cannot be.  columns may be NULL.
 */
extern bool RetlOrderByParse(const char *text, List **columns, const char **problem);

/* The text again. */
extern char *RetlOrderByFormat(List *columns);

/*
 * The sort keys of a table of this descriptor, palloc'd; their number in
 * *count.  What cannot be sorted by is reported with elevel; below ERROR the
 * result is then no keys at all.
 */
extern RetlSortKey *RetlOrderByResolve(List *columns, TupleDesc tupdesc, int elevel, int *count);

#endif							/* RETLDB_ORDER_BY_H */
