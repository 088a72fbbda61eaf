/*-------------------------------------------------------------------------
 *
 * row_free.h
 *	  Rows that are there and that nobody is changing.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_ROW_FREE_H
#define RETLDB_ROW_FREE_H

#include "postgres.h"

#include "access/htup.h"
#include "storage/buf.h"
#include "utils/relcache.h"

#include "storage/directory.h"

/*
 * Is the row that a tuple of a locked page stands for there, and does nobody change
 * it?  Locks that an update of no key column would not wait for do not matter, nor
 * do our own.
 */
extern bool RetlTupleIsFree(HeapTuple tuple, CommandId cid, Buffer buffer);

/*
 * The same for rows of a COMPLETE group, which rise; "rows" is overwritten.  What
 * is said of each of them was true at some moment of the call.
 */
extern void RetlRowsFindFree(Relation rel, const RetlGroup *group, RetlStubEntry *rows, int count,
							 CommandId cid, bool *isFree);

#endif							/* RETLDB_ROW_FREE_H */
