/*-------------------------------------------------------------------------
 *
 * read_context.h
 *	  Says what was being read when an error is raised below us.
 *
 * The buffer manager knows block numbers only.  While a RetlReadContext is
 * pushed, errors also name table, row group and column.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_READ_CONTEXT_H
#define RETLDB_READ_CONTEXT_H

#include "postgres.h"

#include "utils/relcache.h"

typedef struct RetlReadContext
{
	ErrorContextCallback callback;
	Relation	rel;
	uint64		groupId;
	const char *columnName;		/* NULL: the footer */
} RetlReadContext;

/* The context stays the caller's; every Push needs its Pop, but after an error. */
extern void RetlReadContextPush(RetlReadContext *context, Relation rel, uint64 groupId,
								const char *columnName);
extern void RetlReadContextPop(RetlReadContext *context);

#endif							/* RETLDB_READ_CONTEXT_H */
