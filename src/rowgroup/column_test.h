/*-------------------------------------------------------------------------
 *
 * column_test.h
 *	  A condition on one column, to be evaluated on vectors.
 *
 * Made by the planner side (src/exec), evaluated by the row group reader on
 * encoded data where an encoding can, else on decoded values.  A test is
 * strict: rows whose value is null do not pass, but for RETL_COLUMN_IS_NULL.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_COLUMN_TEST_H
#define RETLDB_COLUMN_TEST_H

#include "postgres.h"

#include "access/attnum.h"

#include "encoding/filter.h"

typedef enum RetlColumnTestKind
{
	RETL_COLUMN_NEVER,			/* no row passes (a key is null) */
	RETL_COLUMN_IS_NULL,
	RETL_COLUMN_IS_NOT_NULL,
	RETL_COLUMN_FILTER			/* non-null values that pass the filter */
} RetlColumnTestKind;

typedef struct RetlColumnTest
{
	RetlColumnTestKind kind;
	AttrNumber	attnum;

	/*
	 * FILTER: on values as they are stored (no varlena header).  Its predicate
	 * is always set; it may keep scratch memory of its own, and is only called
	 * in a memory context that is reset often.
	 */
	RetlFilter	filter;

	/*
	 * Changes whenever the constants do, and is never 0: a reader's memo of a
	 * chunk counts as long as the generation is the same.
	 */
	uint64		generation;
} RetlColumnTest;

#endif							/* RETLDB_COLUMN_TEST_H */
