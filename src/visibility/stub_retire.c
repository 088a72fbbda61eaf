/*-------------------------------------------------------------------------
 *
 * stub_retire.c
 *	  Retiring stubs that nobody needs any more.
 *
 * The stub of a row that was only locked, or whose change was rolled back, says nothing
 * once all that is over.  Still the map names it, and whoever has read the map, or
 * remembers the place, may come to the stub at any time: if it was not there the row would
 * be dead for him, and if he changed it and the map did not name it any more the
 * change would be lost.  So it goes in these steps, of which each is right by itself:
 *
 *	1. The stub is marked as retired, under a cleanup lock.  Whoever changes a stub has its
 *	   page pinned from when he recognises it until he is done, so nobody is in between; who
 *	   comes later sees the mark, under the page's lock, and neither waits nor changes
 *	   anything, but asks the map again.  If that still names the stub, the row is
 *	   untouched.  There was nothing in the stub, so nothing is lost.
 *	2. The map says that the row is untouched.  Who touches it then makes another stub.
 *	3. The transaction that does this commits.  It is the xmax of the stub, so that heap's
 *	   rules say when that goes: when there is no snapshot any more from before the commit,
 *	   on a standby neither.  Who has read the map before 2 has such a snapshot.
 *	4. VACUUM removes the stub as any dead one, and the map forgets where it stood.
 *
 * 1 and 2 are not transactional.  If the transaction aborts, or the server crashes in
 * between, there are retired stubs that are never removed, and some that maps name.  These
 * are right as they are, and taken for retiring once more.
 *
 * While a snapshot does not see what was done to the row after it was taken, what is done
 * through another stub is no matter to it: so MVCC snapshots take a row whose stub they
 * find retired as one that is there, and need not ask the map again.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/multixact.h"
#include "access/transam.h"
#include "access/xact.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "base/compat.h"
#include "storage/stub_map.h"
#include "visibility/anchor.h"
#include "visibility/row_move.h"
#include "visibility/row_store.h"
#include "visibility/stub.h"
#include "visibility/stub_retire.h"

/*
 * Has a settled stub, whose page is locked, been left alone for so many transactions?
 * What is left of its xmax tells.
 */
static bool
IsLeftAlone(const HeapTupleHeaderData *stub, uint32 age)
{
	TransactionId xmax = HeapTupleHeaderGetRawXmax(stub);

	if (age == 0 || !TransactionIdIsNormal(xmax))
		return true;
	if ((stub->t_infomask & HEAP_XMAX_IS_MULTI) != 0)
		return (int32) (ReadNextMultiXactId() - xmax) >= (int32) age;
	return (int32) (XidFromFullTransactionId(ReadNextFullTransactionId()) - xmax) >= (int32) age;
}

/*
 * Find the stubs that nobody needs on the page of the first of some entries, which are
 * ordered by place.  Their entries come first then.  Returns how many of the entries are
 * of this page.
 */
static int
FindUnneeded(Relation rel, RetlStubEntry *entries, int count, TransactionId oldestXmin,
			 uint32 age, int *unneeded)
{
	BlockNumber block = ItemPointerGetBlockNumberNoCheck(&entries[0].stub);
	Buffer		buffer = InvalidBuffer;
	int			i = 0;

	*unneeded = 0;
	if (!RetlStubPageIsCutOff(rel, block))
	{
		buffer = ReadBuffer(rel, block);
		LockBuffer(buffer, BUFFER_LOCK_SHARE);
	}
	for (; i < count && ItemPointerGetBlockNumberNoCheck(&entries[i].stub) == block; i++)
	{
		HeapTupleData tuple;

		/* one that is retired: if we can retire it once more, that was rolled back */
		if (buffer != InvalidBuffer &&
			RetlStubFind(rel, buffer, ItemPointerGetOffsetNumberNoCheck(&entries[i].stub),
						 entries[i].number, &tuple) != RETL_STUB_GONE &&
			RetlTupleIsSettled(&tuple, oldestXmin, buffer) && IsLeftAlone(tuple.t_data, age))
			entries[(*unneeded)++] = entries[i];
	}
	if (buffer != InvalidBuffer)
		UnlockReleaseBuffer(buffer);
	return i;
}

/* See stub_retire.h. */
uint64
RetlStubsCountUnneeded(Relation rel, const RetlGroupEntry *entry, TransactionId oldestXmin,
					   uint32 age)
{
	int			count;
	RetlStubEntry *entries = RetlStubsReadSorted(rel, entry, &count);
	uint64		found = 0;
	int			i = 0;

	while (i < count && entries[i].dead)
		i++;
	while (i < count)
	{
		int			unneeded;

		CHECK_FOR_INTERRUPTS();
		i += FindUnneeded(rel, entries + i, count - i, oldestXmin, age, &unneeded);
		found += unneeded;
	}
	if (entries != NULL)
		pfree(entries);
	return found;
}

/*
 * Retire the stubs of entries, which are on one page.  Those entries come first then;
 * returns how many they are.
 */
static int
RetirePage(Relation rel, RetlStubEntry *entries, int count, TransactionId oldestXmin)
{
	RetlPageRows *stubs = palloc0(RetlPageRowsSize(count));
	int			retired = 0;

	stubs->block = ItemPointerGetBlockNumberNoCheck(&entries[0].stub);
	stubs->count = count;
	for (int i = 0; i < count; i++)
	{
		stubs->rows[i].offset = ItemPointerGetOffsetNumberNoCheck(&entries[i].stub);
		stubs->rows[i].number = entries[i].number;
	}
	(void) RetlTuplesTakeAway(rel, stubs, RETL_LEAVING_STUBS, 0, oldestXmin);
	for (int i = 0; i < count; i++)
		if (stubs->rows[i].taken)
			entries[retired++] = entries[i];
	pfree(stubs);
	return retired;
}

/* See stub_retire.h. */
uint64
RetlStubsRetire(Relation rel, const RetlGroupEntry *entry, TransactionId oldestXmin, uint32 age)
{
	int			count;
	RetlStubEntry *entries;
	int			retired = 0;
	int			i = 0;

	/* before anybody can have found the map without it: our xid, and what the format knows */
	(void) GetCurrentTransactionId();
	RetlDirectorySetIncompat(rel, RETL_INCOMPAT_RETIRED_STUBS);
	entries = RetlStubsReadSorted(rel, entry, &count);
	while (i < count && entries[i].dead)
		i++;
	while (i < count)
	{
		int			unneeded;
		int			onPage = FindUnneeded(rel, entries + i, count - i, oldestXmin, age, &unneeded);
		int			done;

		CHECK_FOR_INTERRUPTS();
		done = unneeded == 0 ? 0 : RetirePage(rel, entries + i, unneeded, oldestXmin);
		/* the first ones of the array are all that were retired */
		memmove(entries + retired, entries + i, sizeof(RetlStubEntry) * done);
		retired += done;
		i += onPage;
	}
	RetlStubMapSetRetired(rel, entry, entries, retired);
	if (entries != NULL)
		pfree(entries);
	return retired;
}

/*
 * Does a retired stub stand at the place of an entry, whatever row it stood for?
 */
static bool
StandsThere(Relation rel, const RetlStubEntry *entry)
{
	BlockNumber block = ItemPointerGetBlockNumberNoCheck(&entry->stub);
	Buffer		buffer;
	HeapTupleData tuple;
	bool		stands;

	if (RetlStubPageIsCutOff(rel, block))
		return false;
	buffer = ReadBuffer(rel, block);
	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	stands = RetlPageGetTuple(rel, buffer, ItemPointerGetOffsetNumberNoCheck(&entry->stub),
							  &tuple) &&
		RetlTupleIsMarked(tuple.t_data) && RetlStubIsSound(&tuple) && RetlStubIsRetired(&tuple);
	UnlockReleaseBuffer(buffer);
	return stands;
}

/* See stub_retire.h. */
void
RetlStubsForgetRetired(Relation rel, const RetlGroupEntry *entry)
{
	int			count;
	RetlStubEntry *entries = RetlStubMapReadRetired(rel, entry, &count);
	int			gone = 0;

	for (int i = 0; i < count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (!StandsThere(rel, &entries[i]))
			entries[gone++] = entries[i];
	}
	RetlStubMapForgetRetired(rel, entry, entries, gone);
	if (entries != NULL)
		pfree(entries);
}
