/*-------------------------------------------------------------------------
 *
 * read_context.c
 *	  Says what was being read when an error is raised below us.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/rel.h"

#include "rowgroup/read_context.h"

/* The error context callback. */
static void
DescribeRead(void *arg)
{
	RetlReadContext *context = (RetlReadContext *) arg;

	if (context->columnName != NULL)
		errcontext("reading column \"%s\" of row group %llu of table \"%s\"",
				   context->columnName, (unsigned long long) context->groupId,
				   RelationGetRelationName(context->rel));
	else
		errcontext("reading the footer of row group %llu of table \"%s\"",
				   (unsigned long long) context->groupId,
				   RelationGetRelationName(context->rel));
}

/* See read_context.h. */
void
RetlReadContextPush(RetlReadContext *context, Relation rel, uint64 groupId,
					const char *columnName)
{
	context->rel = rel;
	context->groupId = groupId;
	context->columnName = columnName;
	context->callback.callback = DescribeRead;
	context->callback.arg = context;
	context->callback.previous = error_context_stack;
	error_context_stack = &context->callback;
}

/* See read_context.h. */
void
RetlReadContextPop(RetlReadContext *context)
{
	Assert(error_context_stack == &context->callback);
	error_context_stack = context->callback.previous;
}
