/*-------------------------------------------------------------------------
 *
 * stub_retire.h
 *	  Retiring stubs that nobody needs any more.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_STUB_RETIRE_H
#define RETLDB_STUB_RETIRE_H

#include "postgres.h"

#include "utils/relcache.h"

#include "storage/directory.h"

/*
 * How many rows of a group have a stub that nobody needs, and were left alone for "age"
 * transactions.
 */
extern uint64 RetlStubsCountUnneeded(Relation rel, const RetlGroupEntry *entry,
									 TransactionId oldestXmin, uint32 age);

/*
 * Retire these stubs in the current transaction, but for those on pages that somebody
 * uses; returns how many were.  The caller holds a lock on the table that excludes VACUUM
 * and compaction, and has seen that no other group's map, through which somebody may
 * come, names these stubs.
 */
extern uint64 RetlStubsRetire(Relation rel, const RetlGroupEntry *entry,
							  TransactionId oldestXmin, uint32 age);

/* Make the map of a group forget where retired stubs stood that are gone (VACUUM). */
extern void RetlStubsForgetRetired(Relation rel, const RetlGroupEntry *entry);

#endif							/* RETLDB_STUB_RETIRE_H */
