/*-------------------------------------------------------------------------
 *
 * rewrite_links.c
 *	  Making a table anew: where moved rows have gone.
 *
 * Compaction has moved rows, and some snapshot does not see that yet: then the row is
 * copied from both of its places, and the copy of the old one leads to that of the new
 * one, as before.  Tuples of the row store do so by t_ctid, groups by their links.
 *
 * A row in its old place is copied before it is known where the new place will be.  So
 * it is noted which row each row of a group has become, and the links are made at the
 * end.
 *
 * A row that was deleted or updated in its new place is copied from there only, as a tuple
 * that was there for everybody (RetlRewriteKeepTouchedRows): whoever does not see that it
 * was moved does not see the deletion either, but for our own, and finds that tuple.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/transam.h"
#include "access/xloginsert.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "storage/bufpage.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "am/rewrite_state.h"
#include "storage/move_links.h"
#include "visibility/anchor.h"
#include "visibility/row_fetch.h"
#include "visibility/row_move.h"

/* ---------------------------------------------------------------------
 * Before rows are copied
 * ---------------------------------------------------------------------
 */

/*
 * The group of the old table that has a row, and the row's number in it.  NULL if there is
 * none, or none that is copied as a group of its own with rows that were moved.
 */
static RetlKeptGroup *
FindKept(const RetlRewrite *rewrite, uint64 rowNumber, uint32 *row)
{
	const RetlGroup *group = RetlDirectoryFindRow(rewrite->directory, rowNumber);

	if (group == NULL)
		return NULL;
	*row = (uint32) (rowNumber - group->entry.rowBase);
	return rewrite->kept[group - rewrite->directory->groups];
}

/*
 * Is the row of the old table one that was moved there, and deleted or updated since?
 */
static bool
IsNotLive(const RetlRewrite *rewrite, uint64 rowNumber)
{
	uint32		row;
	RetlKeptGroup *kept = FindKept(rewrite, rowNumber, &row);

	return kept != NULL && kept->notLive.count > 0 && RetlRowIsHidden(&kept->notLive, row);
}

/*
 * Rows of a group that are not live where they have gone are not live here.
 */
static void
HideMoved(RetlRewrite *rewrite, const RetlGroupEntry *entry, RetlKeptGroup *kept)
{
	uint64		base;
	uint32	   *places = RetlLinksRead(rewrite->old, entry, kept->links, &base);

	for (uint32 row = 0; row < entry->rowCount; row++)
	{
		if (places[row] == RETLDB_NO_LINK || !IsNotLive(rewrite, base + places[row]))
			continue;
		if (kept->notLive.count == 0)
			RetlHiddenRowsClear(&kept->notLive, entry);
		if (!RetlRowIsHidden(&kept->notLive, row))
			RetlHiddenRowsAdd(&kept->notLive, row);
	}
	pfree(places);
}

/*
 * See rewrite_state.h.  Row numbers rise when rows move, so places that they have gone to
 * are looked at first.
 */
void
RetlRewriteFindMoves(RetlRewrite *rewrite)
{
	for (int i = rewrite->directory->groupCount - 1; i >= 0; i--)
	{
		const RetlGroup *group = &rewrite->directory->groups[i];
		HeapTupleHeaderData anchor;
		HTSV_Result state;
		BlockNumber links;
		RetlKeptGroup *kept;

		CHECK_FOR_INTERRUPTS();
		if (RetlRewriteDecideGroup(rewrite, group, &state, &anchor) != RETL_GROUP_KEEP)
			continue;
		if (!RetlAnchorHasLeft(rewrite->old, &group->entry, &links))
			links = RETLDB_NO_BLOCK;
		if (links == RETLDB_NO_BLOCK && !RetlGroupWasCompacted(rewrite->old, &group->entry))
			continue;
		kept = palloc0(sizeof(RetlKeptGroup));
		kept->links = links;
		RetlHiddenRowsInit(&kept->notLive, rewrite->context);
		RetlHiddenRowsNotLive(&kept->notLive, rewrite->old, &group->entry, rewrite->oldestXmin);
		if (links != RETLDB_NO_BLOCK)
			HideMoved(rewrite, &group->entry, kept);
		rewrite->kept[i] = kept;
	}
}

/* ---------------------------------------------------------------------
 * While rows are copied
 * ---------------------------------------------------------------------
 */

/* See rewrite_state.h. */
bool
RetlRewriteIsMoved(HeapTuple tuple)
{
	TransactionId mover = RetlTupleMover(tuple->t_data);

	return TransactionIdIsValid(mover) && TransactionIdDidCommit(mover);
}

/* See rewrite_state.h. */
bool
RetlRewriteIsCopiedWhereMoved(RetlRewrite *rewrite, HeapTuple tuple)
{
	ItemPointerData place = tuple->t_data->t_ctid;

	return RetlRewriteIsMoved(tuple) && IsNotLive(rewrite, RetlTidGetRowNumber(&place));
}

/*
 * See rewrite_state.h.  heap's rewrite module would keep the copy in memory until the end,
 * for it never meets the place that t_ctid leads to.  So it gets a header that leads
 * nowhere.
 */
void
RetlRewriteMovedTuple(RetlRewrite *rewrite, HeapTuple tuple, HeapTuple copy)
{
	HeapTupleData alone = *tuple;
	HeapTupleHeaderData header;
	ItemPointerData place = tuple->t_data->t_ctid;
	RetlMovedTuple *moved;

	memcpy(&header, tuple->t_data, SizeofHeapTupleHeader);
	header.t_ctid = tuple->t_self;
	alone.t_data = &header;
	rewrite_heap_tuple(rewrite->heap, &alone, copy);
	if (rewrite->movedCount == rewrite->movedCapacity)
	{
		rewrite->movedCapacity = Max(rewrite->movedCapacity * 2, 1024);
		rewrite->moved = rewrite->moved == NULL ?
			MemoryContextAlloc(rewrite->context, sizeof(RetlMovedTuple) * rewrite->movedCapacity) :
			repalloc_huge(rewrite->moved, sizeof(RetlMovedTuple) * rewrite->movedCapacity);
	}
	moved = &rewrite->moved[rewrite->movedCount++];
	moved->copy = copy->t_self;
	moved->rowNumber = RetlTidGetRowNumber(&place);
}

/*
 * Memory for a number of each row of a group, RETLDB_NO_LINK at first.
 */
static uint32 *
AllocatePlaces(const RetlRewrite *rewrite, uint32 rowCount)
{
	Size		size = sizeof(uint32) * Max(rowCount, 1);
	uint32	   *places = MemoryContextAllocHuge(rewrite->context, size);

	memset(places, 0xFF, size);
	return places;
}

/* See rewrite_state.h. */
void
RetlRewriteBeginGroup(RetlRewrite *rewrite, const RetlGroup *group)
{
	RetlKeptGroup *kept = rewrite->kept[group - rewrite->directory->groups];

	if (kept == NULL)
		return;
	kept->places = AllocatePlaces(rewrite, group->entry.rowCount);
	rewrite->taken = AllocatePlaces(rewrite, group->entry.rowCount);
	rewrite->current = kept;
}

/* See rewrite_state.h. */
void
RetlRewriteNoteRow(RetlRewrite *rewrite, uint32 row)
{
	if (rewrite->current != NULL)
		rewrite->taken[RetlGroupWriterRowCount(rewrite->writer)] = row;
}

/* See rewrite_state.h. */
void
RetlRewriteNoteGroup(RetlRewrite *rewrite, const RetlGroup *group, const uint32 *order)
{
	RetlKeptGroup *kept = rewrite->current;

	if (kept == NULL)
		return;
	kept->group = *group;
	for (uint32 i = 0; i < group->entry.rowCount; i++)
		kept->places[rewrite->taken[order != NULL ? order[i] : i]] = i;
}

/* See rewrite_state.h. */
void
RetlRewriteEndGroup(RetlRewrite *rewrite)
{
	if (rewrite->current == NULL)
		return;
	pfree(rewrite->taken);
	rewrite->taken = NULL;
	rewrite->current = NULL;
}

/* ---------------------------------------------------------------------
 * At the end
 * ---------------------------------------------------------------------
 */

/*
 * Which row of the new table the row of a group of the old one, where another row has gone,
 * has become.  False if its group has gone, so that nobody sees it in any place: it is
 * none that everybody sees, for not everybody sees the move.
 */
static bool
FindPlace(RetlRewrite *rewrite, uint64 rowNumber, uint64 *place)
{
	uint32		row;
	const RetlKeptGroup *kept = FindKept(rewrite, rowNumber, &row);

	if (kept == NULL || kept->places[row] == RETLDB_NO_LINK)
		return false;
	*place = kept->group.entry.rowBase + kept->places[row];
	return true;
}

/*
 * Let the copy of a group lead to those of the groups that its rows have gone to.
 */
static void
LinkGroup(RetlRewrite *rewrite, const RetlGroupEntry *old, RetlKeptGroup *kept)
{
	uint64		oldBase;
	uint32	   *oldPlaces = RetlLinksRead(rewrite->old, old, kept->links, &oldBase);
	uint32	   *places = AllocatePlaces(rewrite, kept->group.entry.rowCount);
	uint64		base = kept->group.entry.rowBase + kept->group.entry.rowCapacity;
	bool		any = false;

	for (uint32 row = 0; row < old->rowCount; row++)
	{
		uint64		place;

		if (kept->places[row] == RETLDB_NO_LINK || oldPlaces[row] == RETLDB_NO_LINK ||
			!FindPlace(rewrite, oldBase + oldPlaces[row], &place))
			continue;
		/* the groups are copied in the order of their row numbers, which rise when rows move */
		if (place < base || place - base >= RETLDB_NO_LINK)
			elog(ERROR, "links of table \"%s\" would lead out of range",
				 RelationGetRelationName(rewrite->old));
		places[kept->places[row]] = (uint32) (place - base);
		any = true;
	}
	if (any)
		RetlAnchorSetLinks(rewrite->new, &kept->group.entry,
						   RetlLinksWrite(rewrite->new, &kept->group, places, base));
	pfree(places);
	pfree(oldPlaces);
}

/* qsort() callback: in the order of the new table's pages. */
static int
CompareMoved(const void *one, const void *other)
{
	return ItemPointerCompare(unconstify(ItemPointerData *, &((const RetlMovedTuple *) one)->copy),
							  unconstify(ItemPointerData *, &((const RetlMovedTuple *) other)->copy));
}

/*
 * Let copies of tuples, all of one page, lead to new places.  heap's rewrite module has
 * not copied that their keys have gone with them, without which heap would follow t_ctid
 * to lock a key.
 */
static void
LinkTuplesOfPage(Relation rel, const RetlMovedTuple *moved, int count)
{
	Buffer		buffer = ReadBuffer(rel, ItemPointerGetBlockNumber(&moved->copy));
	Page		page = BufferGetPage(buffer);

	LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
	START_CRIT_SECTION();
	for (int i = 0; i < count; i++)
	{
		ItemId		lp = PageGetItemId(page, ItemPointerGetOffsetNumber(&moved[i].copy));
		HeapTupleHeader header = (HeapTupleHeader) PageGetItem(page, lp);

		RetlTidFromRowNumber(&header->t_ctid, moved[i].rowNumber);
		header->t_infomask2 |= HEAP_KEYS_UPDATED;
	}
	MarkBufferDirty(buffer);
	if (RelationNeedsWAL(rel))
		log_newpage_buffer(buffer, true);
	END_CRIT_SECTION();
	UnlockReleaseBuffer(buffer);
}

/*
 * Let the copies of moved tuples lead to the new places.
 */
static void
LinkTuples(RetlRewrite *rewrite)
{
	RetlMovedTuple *moved = rewrite->moved;
	Size		count = 0;

	for (Size i = 0; i < rewrite->movedCount; i++)
	{
		moved[count].copy = moved[i].copy;
		if (FindPlace(rewrite, moved[i].rowNumber, &moved[count].rowNumber))
			count++;
	}
	qsort(moved, count, sizeof(RetlMovedTuple), CompareMoved);
	for (Size i = 0; i < count;)
	{
		BlockNumber block = ItemPointerGetBlockNumber(&moved[i].copy);
		Size		first = i;

		CHECK_FOR_INTERRUPTS();
		while (i < count && ItemPointerGetBlockNumber(&moved[i].copy) == block)
			i++;
		LinkTuplesOfPage(rewrite->new, moved + first, (int) (i - first));
	}
}

/* See rewrite_state.h. */
void
RetlRewriteWriteLinks(RetlRewrite *rewrite)
{
	for (int i = 0; i < rewrite->directory->groupCount; i++)
	{
		RetlKeptGroup *kept = rewrite->kept[i];

		CHECK_FOR_INTERRUPTS();
		if (kept != NULL && kept->links != RETLDB_NO_BLOCK && kept->group.entry.rowCount > 0)
			LinkGroup(rewrite, &rewrite->directory->groups[i].entry, kept);
	}
	LinkTuples(rewrite);
}
