/*-------------------------------------------------------------------------
 *
 * stub_map.h
 *	  Stub maps: which rows of a row group were touched, and their stubs.
 *
 * A row that was ever locked, updated or deleted has an entry for good: it
 * names the stub, a heap tuple that tells what has become of the row, or says
 * that the row is dead for everybody, or that its stub has been retired
 * (visibility/stub_retire.h) and it is untouched again.  Entries are not
 * transactional and never go away while the group is there.
 *
 * Whoever adds entries holds the map's lock and has found, after taking it, that
 * the rows are untouched.  Readers need no lock.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_STUB_MAP_H
#define RETLDB_STUB_MAP_H

#include "postgres.h"

#include "storage/itemptr.h"
#include "utils/relcache.h"

#include "storage/directory.h"

/* What the map says of a row. */
typedef enum RetlTouch
{
	RETL_ROW_UNTOUCHED,
	RETL_ROW_HAS_STUB,			/* or had one: whether it is there has to be seen */
	RETL_ROW_DEAD				/* for everybody */
} RetlTouch;

typedef struct RetlStubEntry
{
	uint32		row;			/* within the group */
	bool		dead;
	bool		shared;			/* the stub was made when the row was in another group */
	bool		retired;		/* the row is untouched */
	ItemPointerData stub;		/* invalid if dead */
	uint64		number;			/* row number that the stub carries */
} RetlStubEntry;

/* Look up a row. */
extern RetlTouch RetlStubMapLookup(Relation rel, const RetlGroupEntry *entry, uint32 row,
								   RetlStubEntry *stub);

/*
 * Look up rows, rising, in the leaf of the first one: fills touches[] and the rest
 * of rows[].  Returns how many of them belong to it, at least 1; *room is that of
 * the leaf, 0 if there is no map.
 */
extern int	RetlStubMapLookupRows(Relation rel, const RetlGroupEntry *entry,
								  RetlStubEntry *rows, RetlTouch *touches, int count, int *room);

/* Forget what this backend knows of maps; before a file begins anew. */
extern void RetlStubMapForget(void);

/* All entries of touched rows of a group, palloc'd, in no order. */
extern RetlStubEntry *RetlStubMapRead(Relation rel, const RetlGroupEntry *entry, int *count);

/* Is every row of a group untouched?  That stays so while the map's lock is held. */
extern bool RetlStubMapIsUntouched(Relation rel, const RetlGroupEntry *entry);

/* Those whose stubs have been retired and may still stand where they say. */
extern RetlStubEntry *RetlStubMapReadRetired(Relation rel, const RetlGroupEntry *entry, int *count);

/* The lock of a group's map; held for page changes only. */
extern void RetlStubMapLock(Relation rel, const RetlGroupEntry *entry);
extern void RetlStubMapUnlock(Relation rel, const RetlGroupEntry *entry);

/*
 * Make sure that the map has room for one more entry, of this row; called
 * without the map's lock.  Makes the map, and tells group->entry, if the group
 * has none.  Somebody else may take the room: see RetlStubMapRoom.
 */
extern void RetlStubMapReserve(Relation rel, RetlGroup *group, uint32 row);

/* For how many more entries is there room in the leaf of a row? */
extern int	RetlStubMapRoom(Relation rel, const RetlGroupEntry *entry, uint32 row);

/*
 * Add entries for rows that belong to one leaf, which has room for them; caller
 * holds the map's lock.
 */
extern void RetlStubMapAdd(Relation rel, const RetlGroupEntry *entry,
						   const RetlStubEntry *entries, int count);

/*
 * Add entries, which rise by row, to the map of a group that only the current
 * transaction knows; "number" of shared ones is kept.  Called once for a group, before
 * which its map may have got entries that are not shared.
 */
extern void RetlStubMapInherit(Relation rel, RetlGroup *group, RetlStubEntry *entries, int count);

/*
 * Say of rows whose stubs are gone that they are dead for everybody (VACUUM).  No
 * index has an entry of them any more.
 */
extern void RetlStubMapSetDead(Relation rel, const RetlGroupEntry *entry,
							   const RetlStubEntry *entries, int count);

/*
 * Say of rows whose stubs have been retired that they are untouched, where entries
 * still name the same places.  RETL_INCOMPAT_RETIRED_STUBS is set already.
 */
extern void RetlStubMapSetRetired(Relation rel, const RetlGroupEntry *entry,
								  const RetlStubEntry *entries, int count);

/* Forget where retired stubs stood, which are gone (VACUUM). */
extern void RetlStubMapForgetRetired(Relation rel, const RetlGroupEntry *entry,
									 const RetlStubEntry *entries, int count);

/* What is wrong with the map of a group, or NULL (palloc'd). */
extern char *RetlStubMapProblem(Relation rel, const RetlGroupEntry *entry);

#endif							/* RETLDB_STUB_MAP_H */
