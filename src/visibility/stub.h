/*-------------------------------------------------------------------------
 *
 * stub.h
 *	  Stubs: the heap tuples that stand for rows of row groups once these are
 *	  locked, updated or deleted.
 *
 * A row of a visible group is there for a snapshot if it is untouched, or if its
 * stub is there, carries its row number, and is visible.  A touched row whose
 * stub is gone is dead.  A stub that is retired (stub_retire.h) says nothing any more:
 * the row is what the map, asked again, says it is, and if that still names the stub,
 * untouched.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_STUB_H
#define RETLDB_STUB_H

#include "postgres.h"

#include "access/htup_details.h"
#include "access/heapam.h"
#include "access/tableam.h"
#include "storage/bufmgr.h"
#include "utils/snapshot.h"

#include "storage/stub_map.h"

/* Has a tuple the form of a stub?  (whatever row it stands for) */
extern bool RetlStubIsSound(const HeapTupleData *tuple);

/* What the stub of a row carries, behind its header. */
extern uint64 RetlStubPayload(uint64 rowNumber);

/* Has a sound stub been retired, and the mark for that. */
extern bool RetlStubIsRetired(const HeapTupleData *tuple);
extern void RetlStubSetRetired(HeapTuple tuple);

/* The row number that a sound stub carries. */
extern uint64 RetlStubGetRowNumber(const HeapTupleData *tuple);

/*
 * Is there no such page any more as a map entry names?  Then the stub is gone.
 */
extern bool RetlStubPageIsCutOff(Relation rel, BlockNumber block);

/* What stands where a map says that a stub is. */
typedef enum RetlStubSeen
{
	RETL_STUB_GONE,
	RETL_STUB_STANDS,
	RETL_STUB_IS_RETIRED
} RetlStubSeen;

/*
 * Is the tuple at an offset of a locked page a stub that carries this row number?
 * Unless it is gone, *tuple refers to it.
 */
extern RetlStubSeen RetlStubFind(Relation rel, Buffer buffer, OffsetNumber offset,
								 uint64 rowNumber, HeapTuple tuple);

/*
 * Pin the page that a map entry names, lock it, and find the stub on it.  Unless it
 * stands there, nothing is locked or pinned.
 */
extern RetlStubSeen RetlStubLook(Relation rel, const RetlStubEntry *stub, int lockMode,
								 Buffer *buffer, HeapTuple tuple);

/* The same for those to whom a retired stub is as good as none. */
static inline bool
RetlStubLock(Relation rel, const RetlStubEntry *stub, int lockMode, Buffer *buffer,
			 HeapTuple tuple)
{
	return RetlStubLook(rel, stub, lockMode, buffer, tuple) == RETL_STUB_STANDS;
}

/*
 * Is a row of a group that the snapshot sees there for it?  For snapshots of any
 * kind; takes part in serializable conflict detection.  Of a dirty snapshot xmin,
 * xmax and token are as for a heap tuple, what the anchor has said included.
 */
extern bool RetlRowIsVisible(Relation rel, const RetlGroupEntry *entry, uint32 row,
							 Snapshot snapshot);

/*
 * The same, and unless allDead is NULL, say whether it is sure that no snapshot
 * will ever see the row again.
 */
extern bool RetlRowIsVisibleOrDead(Relation rel, const RetlGroupEntry *entry, uint32 row,
								   Snapshot snapshot, bool *allDead);

/*
 * The entries of a group's map, palloc'd: dead ones first, then by the place of the
 * stub.
 */
extern RetlStubEntry *RetlStubsReadSorted(Relation rel, const RetlGroupEntry *entry, int *count);

/* Rows of a group that are not there for a snapshot which sees the group. */
typedef struct RetlHiddenRows
{
	uint64		groupId;		/* 0: of no group */
	uint32		count;			/* hidden rows */
	uint32		touched;		/* by RetlHiddenRowsRead: rows that the map tells something of */
	Size		capacity;		/* words in "words" */
	uint64	   *words;			/* a bit for each row of the group */
	MemoryContext context;		/* of words */
} RetlHiddenRows;

extern void RetlHiddenRowsInit(RetlHiddenRows *hidden, MemoryContext context);

/* Make room for the rows of a group, of which none is hidden yet. */
extern void RetlHiddenRowsClear(RetlHiddenRows *hidden, const RetlGroupEntry *entry);

/* Hide one more row. */
static inline void
RetlHiddenRowsAdd(RetlHiddenRows *hidden, uint32 row)
{
	hidden->words[row / 64] |= UINT64CONST(1) << (row % 64);
	hidden->count++;
}

/*
 * Find the hidden rows of a group for an MVCC snapshot.  What is found holds as
 * long as the snapshot, if the entry was read after it was taken.
 */
extern void RetlHiddenRowsRead(RetlHiddenRows *hidden, Relation rel, const RetlGroupEntry *entry,
							   Snapshot snapshot);

/*
 * Find the rows of a group that were deleted by a transaction which has committed, or
 * whose stubs are gone: they are dead for every snapshot taken from now on.
 */
extern void RetlHiddenRowsDead(RetlHiddenRows *hidden, Relation rel, const RetlGroupEntry *entry,
							   TransactionId oldestXmin);

/* The state of the row of an entry, as HeapTupleSatisfiesVacuum says of its stub. */
extern HTSV_Result RetlStubState(Relation rel, const RetlStubEntry *entry,
								 TransactionId oldestXmin);

/* Is a transaction that has not ended deleting or updating a row of a group? */
extern bool RetlStubsAreInUse(Relation rel, const RetlGroupEntry *entry,
							  TransactionId oldestXmin);

/*
 * Find the rows of a live group that are not alive, in the way of VACUUM: deleted
 * by a transaction that committed or is still at work.
 */
extern void RetlHiddenRowsNotLive(RetlHiddenRows *hidden, Relation rel,
								  const RetlGroupEntry *entry, TransactionId oldestXmin);

static inline bool
RetlRowIsHidden(const RetlHiddenRows *hidden, uint32 row)
{
	return (hidden->words[row / 64] >> (row % 64)) & 1;
}

/*
 * Put into the copy of an anchor's header who has locked, updated or deleted a row
 * of the group: nobody, if the row is untouched.
 */
extern void RetlRowGetXmax(Relation rel, const RetlGroupEntry *entry, uint32 row,
						   HeapTupleHeader header);

/*
 * The state of a row of a live group as ANALYZE and verification see it: as
 * HeapTupleSatisfiesVacuum says of its stub, LIVE if it is untouched, DEAD if the
 * stub is gone.  *own: a deletion in progress is the current transaction's.
 */
extern HTSV_Result RetlRowVacuumState(Relation rel, const RetlGroupEntry *entry, uint32 row,
									  TransactionId oldestXmin, bool *own);

/*
 * Rows of a group whose stubs are gone although the map does not say so: entries
 * of the map, palloc'd, NULL if there are none.  *known: rows that the map knows
 * to be dead.  For VACUUM, which then tells the map.
 */
extern RetlStubEntry *RetlStubsFindGone(Relation rel, const RetlGroupEntry *entry,
										int *goneCount, uint32 *known);

/* ---- stub_reap.c ---- */

/*
 * Prune a pinned, unlocked page of the row store if that is worth it.  Instead of
 * heap_page_prune_opt, since it lets go of the line pointers of dead stubs.
 */
extern void RetlPagePruneOpt(Relation rel, Buffer buffer);

/* Remove the dead stubs of a table (VACUUM). */
extern void RetlStubsReap(Relation rel, const RetlDirectory *directory,
						  BufferAccessStrategy strategy);

/* ---- stub_change.c ---- */

/* What is to be done to a stub. */
typedef struct RetlStubChange
{
	Relation	rel;
	ItemPointerData row;		/* TID of the row */
	ItemPointerData stub;		/* of its stub, */
	uint64		number;			/* and the row number that it carries */
	CommandId	cid;
	Snapshot	crosscheck;		/* or InvalidSnapshot */
	bool		wait;
	HeapTuple	oldKey;			/* replica identity to be logged, or NULL */
	TM_FailureData *tmfd;
	RetlStubSeen *seen;			/* what stands at its place: if it is retired, the result
								 * counts for nothing, and the row is to be touched again */
	ItemPointerData place;		/* of the row, in the group whose map names the stub */
} RetlStubChange;

/* As heap_delete. */
extern TM_Result RetlStubDelete(const RetlStubChange *change, bool changingPart);

/*
 * As heap_update: the new version goes to the row store, mode says how strongly
 * the old one is locked.  newTuple->t_self is set.
 */
extern TM_Result RetlStubUpdate(const RetlStubChange *change, HeapTuple newTuple,
								LockTupleMode mode);

/*
 * As heap_lock_tuple, but *buffer is released.  TM_Deleted if the stub is gone.
 */
extern TM_Result RetlStubLockRow(const RetlStubChange *change, LockTupleMode mode,
								 LockWaitPolicy waitPolicy, bool followUpdates);

#endif							/* RETLDB_STUB_H */
