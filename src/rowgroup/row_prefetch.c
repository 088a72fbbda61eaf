/*-------------------------------------------------------------------------
 *
 * row_prefetch.c
 *	  Memory that single rows will need comes into the processor's cache.
 *
 * A row that is fetched by its TID is in another place for each column, and nothing
 * of that is in the processor's cache, unless it was there by chance: the chunk's
 * header, what is known of the unit, the unit in our cache or the buffer with its
 * page, and the value.  Each place is found through the one before, so a column waits
 * for memory four or five times, which takes longer than all the rest.  But columns do
 * not depend on each other.  So before the first column of a row is fetched, we go
 * along these ways for all of them, step by step: while one waits, the others do.
 *
 * Nothing is read here that is not surely there, and nothing is pinned, checked or
 * counted.  What is wrong does no harm: addresses are only hints to the processor.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "port/pg_bitutils.h"
#include "storage/bufmgr.h"

#include "rowgroup/group_cache.h"
#include "rowgroup/group_reader_state.h"
#include "storage/recent_pages.h"

/* Bytes of a cache line. */
#define LINE			64

/* Pages that are looked at for a column. */
#define PAGES_MAX		3

/* A column on its way. */
typedef struct Way
{
	const RetlCachedChunk *chunk;
	uint32		unit;
	uint32		piece;
	uint32		pageCount;		/* pages it needs; 0: its unit is in our cache */
	uint64		places[PAGES_MAX];	/* bytes of the group, each on another page */
} Way;

/* Have some bytes come. */
static inline void
PrefetchBytes(const void *start, Size length)
{
	for (Size i = 0; i < length; i += LINE)
		__builtin_prefetch((const char *) start + i);
}

/* Which of two parts of a unit or a chunk, that have a power of two of rows, has the row? */
static inline uint32
PartOf(uint32 row, uint32 rows)
{
	return row >> pg_rightmost_one_pos32(rows);
}

/* The chunk's header has come: what it knows of the unit and the piece. */
static void
PrefetchUnit(Way *way, uint32 row)
{
	const RetlChunkView *view = &way->chunk->view;

	way->unit = PartOf(row, view->unitRows);
	way->piece = PartOf(row, view->pieceRows);
	__builtin_prefetch(&way->chunk->units[way->unit]);
	__builtin_prefetch(&view->units[view->dictionaryUnits + way->unit]);
	__builtin_prefetch(&way->chunk->pieceStarts[way->piece]);
}

/*
 * Where in its unit the piece begins, and where the value is, about, if all values
 * are of the same length.  The unit is checked.
 */
static void
FindValue(const Way *way, uint32 row, uint32 rawLength, uint32 *start, uint32 *value)
{
	const RetlChunkView *view = &way->chunk->view;
	uint32		end = rawLength;

	*start = way->chunk->pieceStarts[way->piece];
	if (way->piece + 1 < view->pieceCount && (way->piece + 1) % view->piecesPerUnit != 0)
		end = way->chunk->pieceStarts[way->piece + 1];
	*value = *start + (uint32) ((uint64) (end - *start) * (row % view->pieceRows) / view->pieceRows);
}

/* Add a place, unless it is on the page of the last one. */
static void
AddPlace(Way *way, uint64 place)
{
	if (way->pageCount == PAGES_MAX ||
		(way->pageCount > 0 &&
		 way->places[way->pageCount - 1] / RETLDB_PAYLOAD_SIZE == place / RETLDB_PAYLOAD_SIZE))
		return;
	way->places[way->pageCount++] = place;
}

/* It is known what is there of the unit: its entry in our cache, or what says where pages are. */
static void
PrefetchPlaces(RetlGroupReader *reader, Way *way, uint32 row)
{
	const RetlCachedChunk *chunk = way->chunk;
	const RetlUnit *unit = &chunk->view.units[chunk->view.dictionaryUnits + way->unit];
	uint64		offset = chunk->column.chunkOffset + unit->offset;
	uint32		start;
	uint32		value;

	if (chunk->dictionary.entry != NULL)
		RetlCachePrefetch(chunk->dictionary.entry);
	if (chunk->units[way->unit].entry != NULL)
	{
		RetlCachePrefetch(chunk->units[way->unit].entry);
		return;
	}
	if (!chunk->units[way->unit].checked)
		return;
	if (unit->storedLength == unit->rawLength)
	{
		FindValue(way, row, unit->rawLength, &start, &value);
		AddPlace(way, offset + start);
		AddPlace(way, offset + value);
	}
	else
	{
		for (uint32 i = 0; i < unit->storedLength; i += RETLDB_PAYLOAD_SIZE)
			AddPlace(way, offset + i);
		AddPlace(way, offset + unit->storedLength - 1);
	}
	for (uint32 i = 0; i < way->pageCount; i++)
		RetlPrefetchRecentBuffer(reader->rel,
								 RetlBytesReaderBlock(&reader->bytes,
													  (uint32) (way->places[i] / RETLDB_PAYLOAD_SIZE)));
}

/* What is left: bytes of the unit, in our cache or on pages. */
static void
PrefetchValue(RetlGroupReader *reader, const Way *way, uint32 row)
{
	const RetlCachedChunk *chunk = way->chunk;
	const RetlCacheEntry *entry = chunk->units[way->unit].entry;

	if (entry != NULL)
	{
		const RetlCachedUnit *cached = RetlCacheData(entry);
		const RetlUnit *unit = &chunk->view.units[chunk->view.dictionaryUnits + way->unit];
		const uint8 *bytes = (const uint8 *) cached +
			RetlCachedUnitHead(RetlUnitPieceCount(&chunk->view, way->unit));
		uint32		start;
		uint32		value;

		__builtin_prefetch(cached);
		if (!chunk->units[way->unit].checked)
			return;
		FindValue(way, row, unit->rawLength, &start, &value);
		__builtin_prefetch(bytes + start);
		__builtin_prefetch(bytes + value);
		return;
	}
	for (uint32 i = 0; i < way->pageCount; i++)
		RetlPrefetchRecentPage(reader->rel,
							   RetlBytesReaderBlock(&reader->bytes,
													(uint32) (way->places[i] / RETLDB_PAYLOAD_SIZE)),
							   way->places[i] % RETLDB_PAYLOAD_SIZE);
}

/* See group_reader.h. */
void
RetlGroupReaderAnticipate(RetlGroupReader *reader, const AttrNumber *attnums, int count,
						  uint32 row)
{
	Way			ways[RETLDB_ANTICIPATED_MAX];
	int			wayCount = 0;

	Assert(reader->open && count <= RETLDB_ANTICIPATED_MAX);

	if (!reader->cached || reader->pins->group == NULL)
		return;
	for (int i = 0; i < count; i++)
	{
		const RetlCachedChunk *chunk = RetlCachedGroupChunk(reader->pins->group, attnums[i]);

		if (chunk == NULL)
			continue;
		PrefetchBytes(chunk, sizeof(RetlCachedChunk));
		ways[wayCount].chunk = chunk;
		ways[wayCount++].pageCount = 0;
	}
	for (int i = 0; i < wayCount; i++)
		PrefetchUnit(&ways[i], row);
	for (int i = 0; i < wayCount; i++)
		PrefetchPlaces(reader, &ways[i], row);
	for (int i = 0; i < wayCount; i++)
		PrefetchValue(reader, &ways[i], row);
}
