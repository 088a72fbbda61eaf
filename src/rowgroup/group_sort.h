/*-------------------------------------------------------------------------
 *
 * group_sort.h
 *	  Brings the rows of a row group into an order before it is written.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_GROUP_SORT_H
#define RETLDB_GROUP_SORT_H

#include "postgres.h"

#include "access/tupdesc.h"

#include "base/order_by.h"
#include "rowgroup/column_buffer.h"

/*
 * Sort the rows of all columns ([natts], zero for dropped ones) by the keys.
 * Rows with equal keys keep their order.  Returns NULL if no row moved, else which
 * row has come to each place, palloc'd.  If this fails, columns may have different
 * orders: the rows cannot be used any more.
 */
extern uint32 *RetlGroupSort(RetlColumnBuffer *columns, TupleDesc tupdesc, uint32 rowCount,
							 const RetlSortKey *keys, int keyCount);

#endif							/* RETLDB_GROUP_SORT_H */
