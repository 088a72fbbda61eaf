/*-------------------------------------------------------------------------
 *
 * compact_reads.c
 *	  Which rows of a table serializable transactions have read by their place.
 *
 * PostgreSQL has one way to ask for predicate locks: what pg_locks shows, which copies
 * all of the server's.  So that is done a few times in a step, not for each row.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/itemptr.h"
#include "storage/predicate.h"
#include "storage/predicate_internals.h"
#include "utils/rel.h"

#include "compact/compact_reads.h"
#include "visibility/row_fetch.h"

/* Is a lock one of a row or a page of the table? */
static bool
IsPlaceOf(Relation rel, const PREDICATELOCKTARGETTAG *tag)
{
	return GET_PREDICATELOCKTARGETTAG_DB(*tag) == MyDatabaseId &&
		GET_PREDICATELOCKTARGETTAG_RELATION(*tag) == RelationGetRelid(rel) &&
		GET_PREDICATELOCKTARGETTAG_TYPE(*tag) != PREDLOCKTAG_RELATION;
}

/* qsort() callback. */
static int
ComparePlaces(const void *one, const void *other)
{
	return ItemPointerCompare(unconstify(ItemPointerData *, (const ItemPointerData *) one),
							  unconstify(ItemPointerData *, (const ItemPointerData *) other));
}

/* See compact_reads.h. */
void
RetlReadPlacesFind(Relation rel, RetlReadPlaces *reads)
{
	PredicateLockData *locks = GetPredicateLockStatusData();

	reads->places = palloc_extended(sizeof(ItemPointerData) * Max(locks->nelements, 1),
									MCXT_ALLOC_HUGE);
	reads->count = 0;
	for (int i = 0; i < locks->nelements; i++)
	{
		const PREDICATELOCKTARGETTAG *tag = &locks->locktags[i];

		if (!IsPlaceOf(rel, tag))
			continue;
		ItemPointerSet(&reads->places[reads->count], GET_PREDICATELOCKTARGETTAG_PAGE(*tag),
					   GET_PREDICATELOCKTARGETTAG_TYPE(*tag) == PREDLOCKTAG_TUPLE ?
					   GET_PREDICATELOCKTARGETTAG_OFFSET(*tag) : InvalidOffsetNumber);
		reads->count++;
	}
	pfree(locks->locktags);
	pfree(locks->xacts);
	pfree(locks);
	qsort(reads->places, reads->count, sizeof(ItemPointerData), ComparePlaces);
}

/*
 * Where the places of a block, or of later ones, begin.
 */
static int
FirstOfBlock(const RetlReadPlaces *reads, BlockNumber block)
{
	int			low = 0;
	int			high = reads->count;

	while (low < high)
	{
		int			middle = low + (high - low) / 2;

		if (ItemPointerGetBlockNumberNoCheck(&reads->places[middle]) < block)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/*
 * Is a place from "first" to "last", which are rows, among them, or their page?
 */
static bool
HavePlaceBetween(const RetlReadPlaces *reads, const ItemPointerData *first,
				 const ItemPointerData *last)
{
	for (int i = FirstOfBlock(reads, ItemPointerGetBlockNumber(first)); i < reads->count; i++)
	{
		const ItemPointerData *place = &reads->places[i];

		if (ComparePlaces(place, last) > 0)
			break;
		if (ItemPointerGetOffsetNumberNoCheck(place) == InvalidOffsetNumber ||
			ComparePlaces(place, first) >= 0)
			return true;
	}
	return false;
}

/* See compact_reads.h. */
bool
RetlRowWasRead(const RetlReadPlaces *reads, BlockNumber block, OffsetNumber offset)
{
	ItemPointerData place;

	if (reads->count == 0)
		return false;
	ItemPointerSet(&place, block, offset);
	return HavePlaceBetween(reads, &place, &place);
}

/* See compact_reads.h. */
bool
RetlGroupWasRead(const RetlReadPlaces *reads, const RetlGroupEntry *entry)
{
	ItemPointerData first;
	ItemPointerData last;

	if (reads->count == 0 || entry->rowCount == 0)
		return false;
	RetlTidFromRowNumber(&first, entry->rowBase);
	RetlTidFromRowNumber(&last, entry->rowBase + entry->rowCount - 1);
	return HavePlaceBetween(reads, &first, &last);
}
