/*-------------------------------------------------------------------------
 *
 * stub_numbers.h
 *	  The row numbers that shared stubs carry.
 *
 * Rows that compaction moves take their stubs along.  A stub carries the number
 * that its row had when it was made; a group whose rows have such stubs has pages
 * that tell these numbers.  They are written once, by the transaction that writes
 * the group, before the group's stub map refers to them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_STUB_NUMBERS_H
#define RETLDB_STUB_NUMBERS_H

#include "postgres.h"

#include "utils/relcache.h"

#include "storage/directory.h"

/* What the stub of a row carries. */
typedef struct RetlStubNumber
{
	uint32		row;			/* within the group */
	uint64		number;
} RetlStubNumber;

/* Write those of a group, which rise by row; returns where. */
extern RetlRun RetlStubNumbersWrite(Relation rel, RetlGroup *group,
									const RetlStubNumber *numbers, uint32 count);

/* The number that the stub of a row carries, which must be there. */
extern uint64 RetlStubNumberFind(Relation rel, const RetlGroupEntry *entry, RetlRun pages,
								 uint32 row);

/* All of them, palloc'd. */
extern RetlStubNumber *RetlStubNumbersRead(Relation rel, const RetlGroupEntry *entry,
										   RetlRun pages, uint32 *count);

/* The same in an array that rises by row. */
extern uint64 RetlStubNumberAmong(Relation rel, const RetlGroupEntry *entry,
								  const RetlStubNumber *numbers, uint32 count, uint32 row);

/*
 * What is wrong with them, or NULL, where shared[row] says which rows of the group have
 * shared stubs (verification).
 */
extern char *RetlStubNumbersProblem(Relation rel, const RetlGroupEntry *entry, RetlRun pages,
									const bool *shared);

#endif							/* RETLDB_STUB_NUMBERS_H */
