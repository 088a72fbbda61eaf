/*-------------------------------------------------------------------------
 *
 * row_size.h
 *	  Would heap take this row?
 *
 * A row of a row group becomes a heap tuple when it is updated, so what heap
 * refuses is refused when it is loaded.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_ROW_SIZE_H
#define RETLDB_ROW_SIZE_H

#include "postgres.h"

#include "access/tupdesc.h"
#include "utils/memutils.h"

/* Can there be rows of this table that are too big?  If not, spare the check. */
extern bool RetlRowSizeMatters(TupleDesc tupdesc);

/*
 * Raise ERRCODE_PROGRAM_LIMIT_EXCEEDED if the row is too big for a heap page
 * however much of it is moved to a TOAST table.  Variable-length values must be
 * detoasted.
 */
extern void RetlRowSizeCheck(TupleDesc tupdesc, const Datum *values, const bool *nulls);

/*
 * The same if all values together are more than a tuple in memory can have, for rows
 * whose large values (of RETL_ROW_SIZE_LARGE bytes in all) make that possible.
 */
#define RETL_ROW_SIZE_LARGE		(MaxAllocSize / 2)
extern void RetlRowSizeCheckWhole(TupleDesc tupdesc, const Datum *values, const bool *nulls);

#endif							/* RETLDB_ROW_SIZE_H */
