/*-------------------------------------------------------------------------
 *
 * stub.c
 *	  Stubs: the heap tuples that stand for rows of row groups once these are
 *	  locked, updated or deleted.
 *
 * A stub is a heap tuple without attributes, marked by a bit of t_infomask2 that
 * PostgreSQL leaves alone, with its row number in front of t_hoff.  Its inserter
 * is frozen from the start: it says nothing about who inserted the row, which is
 * the anchor's matter, and it stays whatever becomes of the transaction that made
 * it.  What its xmax says is done and read by heap code.
 *
 * How they are made: touch.c.  How those that nobody needs any more go: stub_retire.c.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/xact.h"
#include "miscadmin.h"
#include "storage/predicate.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/compat.h"
#include "base/errors.h"
#include "format/checksum.h"
#include "visibility/anchor.h"
#include "visibility/row_store.h"
#include "visibility/stub.h"
#include "visibility/touch.h"

StaticAssertDecl(RETLDB_STUB_PAYLOAD_OFFSET == MAXALIGN(SizeofHeapTupleHeader),
				 "the stub's payload follows the tuple header");

#define ROW_NUMBER_MASK		((UINT64CONST(1) << RETL_STUB_ROW_NUMBER_BITS) - 1)

/* ---------------------------------------------------------------------
 * Form
 * ---------------------------------------------------------------------
 */

/*
 * What the stub of a row carries.
 */
uint64
RetlStubPayload(uint64 rowNumber)
{
	uint64		check = RetlCrc32c(0, &rowNumber, sizeof(rowNumber)) & 0xFFFFFF;

	return rowNumber | check << RETL_STUB_ROW_NUMBER_BITS;
}

/*
 * What a retired stub carries: the check is the other way round.
 */
static uint64
RetiredPayload(uint64 rowNumber)
{
	return RetlStubPayload(rowNumber) ^ ~ROW_NUMBER_MASK;
}

static uint64
PayloadOf(const HeapTupleData *tuple)
{
	uint64		payload;

	memcpy(&payload, (char *) tuple->t_data + RETLDB_STUB_PAYLOAD_OFFSET, sizeof(payload));
	return payload;
}

/*
 * The row number that a sound stub carries.
 */
uint64
RetlStubGetRowNumber(const HeapTupleData *tuple)
{
	return PayloadOf(tuple) & ROW_NUMBER_MASK;
}

/*
 * Has a sound stub been retired?
 */
bool
RetlStubIsRetired(const HeapTupleData *tuple)
{
	return PayloadOf(tuple) == RetiredPayload(RetlStubGetRowNumber(tuple));
}

/*
 * Mark a stub as retired.
 */
void
RetlStubSetRetired(HeapTuple tuple)
{
	uint64		payload = RetiredPayload(RetlStubGetRowNumber(tuple));

	memcpy((char *) tuple->t_data + RETLDB_STUB_PAYLOAD_OFFSET, &payload, sizeof(payload));
}

/*
 * Has a tuple the form of a stub?
 */
bool
RetlStubIsSound(const HeapTupleData *tuple)
{
	return (tuple->t_data->t_infomask2 & RETLDB_MARK_BITS) == RETLDB_STUB_BIT &&
		tuple->t_len == RETLDB_STUB_LENGTH &&
		tuple->t_data->t_hoff == RETLDB_STUB_LENGTH &&
		HeapTupleHeaderGetNatts(tuple->t_data) == 0 &&
		HeapTupleHeaderXminFrozen(tuple->t_data) &&
		(PayloadOf(tuple) == RetlStubPayload(RetlStubGetRowNumber(tuple)) ||
		 RetlStubIsRetired(tuple));
}

/*
 * Is the tuple at a locked page's offset the stub of a row?  What stands there
 * may be another tuple that got the line pointer, but a damaged stub must not
 * make its row vanish, nor must a lost mark.
 */
RetlStubSeen
RetlStubFind(Relation rel, Buffer buffer, OffsetNumber offset, uint64 rowNumber, HeapTuple tuple)
{
	BlockNumber block = BufferGetBlockNumber(buffer);

	if (!RetlPageGetTuple(rel, buffer, offset, tuple))
		return RETL_STUB_GONE;
	if (tuple->t_len == RETLDB_STUB_LENGTH && HeapTupleHeaderGetNatts(tuple->t_data) == 0 &&
		(PayloadOf(tuple) == RetlStubPayload(rowNumber) ||
		 PayloadOf(tuple) == RetiredPayload(rowNumber)))
	{
		if (!RetlStubIsSound(tuple))
			RetlReportDamagedPage(rel, block, "a damaged stub");
		return RetlStubIsRetired(tuple) ? RETL_STUB_IS_RETIRED : RETL_STUB_STANDS;
	}
	if ((tuple->t_data->t_infomask2 & RETLDB_STUB_BIT) != 0 && !RetlStubIsSound(tuple))
		RetlReportDamagedPage(rel, block, "a damaged stub");
	return RETL_STUB_GONE;
}

/*
 * Has the page that a map entry names been cut off by VACUUM?  Then the stub was
 * gone before.  The file gets shorter under locks only that keep us out, and
 * whoever makes it shorter has a length that we remember forgotten: so what is
 * within that is there.
 */
bool
RetlStubPageIsCutOff(Relation rel, BlockNumber block)
{
	BlockNumber remembered = RelationGetSmgr(rel)->smgr_cached_nblocks[MAIN_FORKNUM];

	if (remembered != InvalidBlockNumber && block < remembered)
		return false;
	return block >= RelationGetNumberOfBlocks(rel);
}

/*
 * Pin and lock the page of a row's stub and find it.
 */
RetlStubSeen
RetlStubLook(Relation rel, const RetlStubEntry *stub, int lockMode, Buffer *buffer,
			 HeapTuple tuple)
{
	RetlStubSeen seen;
	BlockNumber block = ItemPointerGetBlockNumberNoCheck(&stub->stub);

	*buffer = InvalidBuffer;
	if (RetlStubPageIsCutOff(rel, block))
		return RETL_STUB_GONE;
	*buffer = ReadBuffer(rel, block);
	LockBuffer(*buffer, lockMode);
	seen = RetlStubFind(rel, *buffer, ItemPointerGetOffsetNumberNoCheck(&stub->stub), stub->number,
						tuple);
	if (seen == RETL_STUB_STANDS)
		return seen;
	UnlockReleaseBuffer(*buffer);
	*buffer = InvalidBuffer;
	return seen;
}

/* ---------------------------------------------------------------------
 * Visibility
 * ---------------------------------------------------------------------
 */

/*
 * Does the snapshot see a row that has, or had, a stub?  If not, *dead says
 * whether nobody ever will.  Neither is said if the stub has been retired.
 */
static RetlStubSeen
LookAtStub(Relation rel, const RetlStubEntry *stub, Snapshot snapshot, bool *visible, bool *dead)
{
	Buffer		buffer;
	HeapTupleData tuple;
	RetlStubSeen seen = RetlStubLook(rel, stub, BUFFER_LOCK_SHARE, &buffer, &tuple);

	*visible = false;
	*dead = true;
	if (seen != RETL_STUB_STANDS)
		return seen;
	RetlTestForOldSnapshot(snapshot, rel, BufferGetPage(buffer));
	*visible = HeapTupleSatisfiesVisibility(&tuple, snapshot, buffer);
	HeapCheckForSerializableConflictOut(*visible, rel, &tuple, buffer, snapshot);
	*dead = !*visible && HeapTupleIsSurelyDead(&tuple, GlobalVisTestFor(rel));
	UnlockReleaseBuffer(buffer);
	return seen;
}

/*
 * Ask the map again for a row whose stub was found retired or gone.  If it still names
 * that, the row is untouched, or dead.
 */
static RetlTouch
LookUpAgain(Relation rel, const RetlGroupEntry *entry, uint32 row, RetlStubSeen seen,
			RetlStubEntry *stub)
{
	ItemPointerData before = stub->stub;
	RetlGroup  *group;
	RetlTouch	touch;

	RetlTouchForgetStub(rel, entry->rowBase + row);
	/* if its place was remembered, the entry may be from before the group had a map */
	if (entry->stubMapRoot == RETLDB_NO_BLOCK)
	{
		group = RetlDirectoryFindRow(RetlDirectoryRead(rel), entry->rowBase + row);
		if (group == NULL)
			elog(ERROR, "row group of table \"%s\" has gone", RelationGetRelationName(rel));
		entry = &group->entry;
	}
	touch = RetlStubMapLookup(rel, entry, row, stub);
	if (touch == RETL_ROW_HAS_STUB && ItemPointerEquals(&stub->stub, &before))
		return seen == RETL_STUB_IS_RETIRED ? RETL_ROW_UNTOUCHED : RETL_ROW_DEAD;
	return touch;
}

/*
 * Is a row of a group that the snapshot sees there for it?  If not, is it dead for
 * everybody?
 */
bool
RetlRowIsVisibleOrDead(Relation rel, const RetlGroupEntry *entry, uint32 row,
					   Snapshot snapshot, bool *allDead)
{
	RetlStubEntry stub;
	RetlTouch	touch;
	bool		dirty = snapshot->snapshot_type == SNAPSHOT_DIRTY;
	TransactionId anchorXmin;
	TransactionId anchorXmax;
	bool		dead = true;
	bool		visible = false;

	if (allDead != NULL)
		*allDead = false;
	/* a row that a snapshot of ours has seen is there, in some state */
	if (snapshot->snapshot_type == SNAPSHOT_ANY &&
		RetlTouchWasHandedOut(rel, entry->rowBase + row))
		return true;
	/* what the map says of a row that has a stub stays so */
	touch = RetlTouchKnowsStub(rel, entry->rowBase + row, &stub) ? RETL_ROW_HAS_STUB :
		RetlStubMapLookup(rel, entry, row, &stub);
	if (touch == RETL_ROW_UNTOUCHED)
		return true;
	anchorXmin = dirty ? snapshot->xmin : InvalidTransactionId;
	anchorXmax = dirty ? snapshot->xmax : InvalidTransactionId;
	if (dirty)
	{
		snapshot->xmin = snapshot->xmax = InvalidTransactionId;
		snapshot->speculativeToken = 0;
	}
	while (touch == RETL_ROW_HAS_STUB)
	{
		RetlStubSeen seen = LookAtStub(rel, &stub, snapshot, &visible, &dead);

		CHECK_FOR_INTERRUPTS();
		if (seen == RETL_STUB_STANDS)
			break;
		touch = LookUpAgain(rel, entry, row, seen, &stub);
		visible = touch == RETL_ROW_UNTOUCHED;
	}
	if (dirty && visible)
	{
		snapshot->xmin = anchorXmin;
		if (TransactionIdIsValid(anchorXmax))
			snapshot->xmax = anchorXmax;
	}
	if (allDead != NULL)
		*allDead = !visible && dead;
	return visible;
}

/*
 * Is a row of a group that the snapshot sees there for it?
 */
bool
RetlRowIsVisible(Relation rel, const RetlGroupEntry *entry, uint32 row, Snapshot snapshot)
{
	return RetlRowIsVisibleOrDead(rel, entry, row, snapshot, NULL);
}

/*
 * Where an entry is in the order of places; dead ones come first.
 */
static inline uint64
PlaceOf(const RetlStubEntry *entry)
{
	if (entry->dead)
		return 0;
	return (uint64) ItemPointerGetBlockNumberNoCheck(&entry->stub) << 16 |
		ItemPointerGetOffsetNumberNoCheck(&entry->stub);
}

static inline int
ComparePlaces(const RetlStubEntry *a, const RetlStubEntry *b)
{
	uint64		left = PlaceOf(a);
	uint64		right = PlaceOf(b);

	return left < right ? -1 : left > right;
}

#define ST_SORT SortByPlace
#define ST_ELEMENT_TYPE RetlStubEntry
#define ST_COMPARE(a, b) ComparePlaces(a, b)
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

/*
 * The entries of a group's map: dead ones first, then by the place of the stub.
 */
RetlStubEntry *
RetlStubsReadSorted(Relation rel, const RetlGroupEntry *entry, int *count)
{
	RetlStubEntry *entries = RetlStubMapRead(rel, entry, count);

	if (*count > 1)
		SortByPlace(entries, *count);
	return entries;
}

void
RetlHiddenRowsInit(RetlHiddenRows *hidden, MemoryContext context)
{
	memset(hidden, 0, sizeof(*hidden));
	hidden->context = context;
}

/*
 * Make room for the rows of a group, of which none is hidden yet.
 */
void
RetlHiddenRowsClear(RetlHiddenRows *hidden, const RetlGroupEntry *entry)
{
	Size		words = (entry->rowCount + 63) / 64;

	if (words > hidden->capacity)
	{
		if (hidden->words != NULL)
			pfree(hidden->words);
		hidden->words = MemoryContextAlloc(hidden->context, words * sizeof(uint64));
		hidden->capacity = words;
	}
	memset(hidden->words, 0, words * sizeof(uint64));
	hidden->count = 0;
}

/*
 * Hide those rows of entries whose stubs are on the same block as the first one's
 * and not visible.  Returns the number of these entries.
 */
static int
HideRowsOfBlock(RetlHiddenRows *hidden, Relation rel, const RetlStubEntry *entries, int count,
				Snapshot snapshot)
{
	BlockNumber block = ItemPointerGetBlockNumberNoCheck(&entries[0].stub);
	Buffer		buffer;
	int			i = 0;

	if (RetlStubPageIsCutOff(rel, block))
	{
		for (; i < count && ItemPointerGetBlockNumberNoCheck(&entries[i].stub) == block; i++)
			RetlHiddenRowsAdd(hidden, entries[i].row);
		return i;
	}
	buffer = ReadBuffer(rel, block);
	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	RetlTestForOldSnapshot(snapshot, rel, BufferGetPage(buffer));
	for (; i < count && ItemPointerGetBlockNumberNoCheck(&entries[i].stub) == block; i++)
	{
		HeapTupleData tuple;
		bool		visible = false;

		switch (RetlStubFind(rel, buffer, ItemPointerGetOffsetNumberNoCheck(&entries[i].stub),
							 entries[i].number, &tuple))
		{
			case RETL_STUB_GONE:
				break;
			case RETL_STUB_STANDS:
				visible = HeapTupleSatisfiesVisibility(&tuple, snapshot, buffer);
				HeapCheckForSerializableConflictOut(visible, rel, &tuple, buffer, snapshot);
				break;
			case RETL_STUB_IS_RETIRED:
				/* what was done to the row after that the snapshot does not see */
				visible = true;
				break;
		}
		if (!visible)
			RetlHiddenRowsAdd(hidden, entries[i].row);
	}
	UnlockReleaseBuffer(buffer);
	return i;
}

/*
 * Find the hidden rows of a group.
 */
void
RetlHiddenRowsRead(RetlHiddenRows *hidden, Relation rel, const RetlGroupEntry *entry,
				   Snapshot snapshot)
{
	RetlStubEntry *entries;
	int			count;
	int			i = 0;

	Assert(IsMVCCSnapshot(snapshot));
	hidden->groupId = 0;
	hidden->count = 0;
	entries = RetlStubsReadSorted(rel, entry, &count);
	hidden->touched = count;
	if (count > 0)
		RetlHiddenRowsClear(hidden, entry);
	for (; i < count && entries[i].dead; i++)
		RetlHiddenRowsAdd(hidden, entries[i].row);
	while (i < count)
	{
		CHECK_FOR_INTERRUPTS();
		i += HideRowsOfBlock(hidden, rel, entries + i, count - i, snapshot);
	}
	if (entries != NULL)
		pfree(entries);
	hidden->groupId = entry->groupId;
}

/*
 * The state of the row of an entry, as VACUUM sees it.
 */
HTSV_Result
RetlStubState(Relation rel, const RetlStubEntry *entry, TransactionId oldestXmin)
{
	Buffer		buffer;
	HeapTupleData tuple;
	HTSV_Result state;
	RetlStubSeen seen = entry->dead ? RETL_STUB_GONE :
		RetlStubLook(rel, entry, BUFFER_LOCK_SHARE, &buffer, &tuple);

	if (seen != RETL_STUB_STANDS)
		return seen == RETL_STUB_GONE ? HEAPTUPLE_DEAD : HEAPTUPLE_LIVE;
	state = HeapTupleSatisfiesVacuum(&tuple, oldestXmin, buffer);
	UnlockReleaseBuffer(buffer);
	return state;
}

/*
 * Hide the rows of a group that are dead, and if "deleting", those that somebody is
 * deleting.
 */
static void
HideByState(RetlHiddenRows *hidden, Relation rel, const RetlGroupEntry *entry,
			TransactionId oldestXmin, bool deleting)
{
	int			count;
	RetlStubEntry *entries = RetlStubsReadSorted(rel, entry, &count);

	hidden->groupId = 0;
	hidden->count = 0;
	if (count > 0)
		RetlHiddenRowsClear(hidden, entry);
	for (int i = 0; i < count; i++)
	{
		HTSV_Result state;

		CHECK_FOR_INTERRUPTS();
		state = RetlStubState(rel, &entries[i], oldestXmin);
		if (state != HEAPTUPLE_LIVE && (deleting || state != HEAPTUPLE_DELETE_IN_PROGRESS))
			RetlHiddenRowsAdd(hidden, entries[i].row);
	}
	if (entries != NULL)
		pfree(entries);
	hidden->groupId = entry->groupId;
}

/*
 * Find the rows of a group that are not alive.
 */
void
RetlHiddenRowsNotLive(RetlHiddenRows *hidden, Relation rel, const RetlGroupEntry *entry,
					  TransactionId oldestXmin)
{
	HideByState(hidden, rel, entry, oldestXmin, true);
}

/* See stub.h. */
void
RetlHiddenRowsDead(RetlHiddenRows *hidden, Relation rel, const RetlGroupEntry *entry,
				   TransactionId oldestXmin)
{
	HideByState(hidden, rel, entry, oldestXmin, false);
}

/* See stub.h. */
bool
RetlStubsAreInUse(Relation rel, const RetlGroupEntry *entry, TransactionId oldestXmin)
{
	int			count;
	RetlStubEntry *entries = RetlStubsReadSorted(rel, entry, &count);
	bool		inUse = false;

	for (int i = 0; i < count && !inUse; i++)
	{
		CHECK_FOR_INTERRUPTS();
		inUse = RetlStubState(rel, &entries[i], oldestXmin) == HEAPTUPLE_DELETE_IN_PROGRESS;
	}
	if (entries != NULL)
		pfree(entries);
	return inUse;
}

/*
 * Who has locked, updated or deleted a row.
 */
void
RetlRowGetXmax(Relation rel, const RetlGroupEntry *entry, uint32 row, HeapTupleHeader header)
{
	RetlStubEntry stub;
	Buffer		buffer;
	HeapTupleData tuple;

	if (RetlStubMapLookup(rel, entry, row, &stub) != RETL_ROW_HAS_STUB ||
		!RetlStubLock(rel, &stub, BUFFER_LOCK_SHARE, &buffer, &tuple))
		return;
	HeapTupleHeaderSetXmax(header, HeapTupleHeaderGetRawXmax(tuple.t_data));
	header->t_infomask &= ~(HEAP_XMAX_BITS | HEAP_COMBOCID);
	header->t_infomask |= tuple.t_data->t_infomask & HEAP_XMAX_BITS;
	/* whoever only locks a row leaves the inserter's command id there */
	if ((tuple.t_data->t_infomask & HEAP_XMAX_INVALID) == 0 &&
		!HEAP_XMAX_IS_LOCKED_ONLY(tuple.t_data->t_infomask))
		HeapTupleHeaderSetCmax(header, HeapTupleHeaderGetRawCommandId(tuple.t_data), false);
	UnlockReleaseBuffer(buffer);
}

/*
 * The state of a row as ANALYZE sees it.
 */
HTSV_Result
RetlRowVacuumState(Relation rel, const RetlGroupEntry *entry, uint32 row,
				   TransactionId oldestXmin, bool *own)
{
	RetlStubEntry stub;
	RetlTouch	touch = RetlStubMapLookup(rel, entry, row, &stub);
	Buffer		buffer;
	HeapTupleData tuple;
	HTSV_Result result;
	RetlStubSeen seen;

	*own = false;
	if (touch == RETL_ROW_UNTOUCHED)
		return HEAPTUPLE_LIVE;
	seen = touch == RETL_ROW_DEAD ? RETL_STUB_GONE :
		RetlStubLook(rel, &stub, BUFFER_LOCK_SHARE, &buffer, &tuple);
	if (seen != RETL_STUB_STANDS)
		return seen == RETL_STUB_GONE ? HEAPTUPLE_DEAD : HEAPTUPLE_LIVE;
	result = HeapTupleSatisfiesVacuum(&tuple, oldestXmin, buffer);
	if (result == HEAPTUPLE_DELETE_IN_PROGRESS)
		*own = TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetUpdateXid(tuple.t_data));
	UnlockReleaseBuffer(buffer);
	return result;
}

/* ---------------------------------------------------------------------
 * VACUUM
 * ---------------------------------------------------------------------
 */

/*
 * Find rows whose stubs are gone.
 */
RetlStubEntry *
RetlStubsFindGone(Relation rel, const RetlGroupEntry *entry, int *goneCount, uint32 *known)
{
	int			count;
	RetlStubEntry *entries = RetlStubsReadSorted(rel, entry, &count);
	int			gone = 0;

	*known = 0;
	for (int i = 0; i < count; i++)
	{
		Buffer		buffer;
		HeapTupleData tuple;
		RetlStubSeen seen;

		if (entries[i].dead)
		{
			(*known)++;
			continue;
		}
		seen = RetlStubLook(rel, &entries[i], BUFFER_LOCK_SHARE, &buffer, &tuple);
		if (seen == RETL_STUB_STANDS)
			UnlockReleaseBuffer(buffer);
		else if (seen == RETL_STUB_GONE)
			entries[gone++] = entries[i];
		CHECK_FOR_INTERRUPTS();
	}
	*goneCount = gone;
	if (gone > 0)
		return repalloc_huge(entries, sizeof(RetlStubEntry) * gone);
	if (entries != NULL)
		pfree(entries);
	return NULL;
}
