/*-------------------------------------------------------------------------
 *
 * chunk_reader.c
 *	  Reads the pieces of one chunk.
 *
 * A unit is kept, decompressed, until another one is needed: scans read the
 * pieces of a unit one after the other.  Headers, opened dictionaries and units
 * may also be in the cache (read_cache.h); then they are pinned instead.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "compress/compress.h"
#include "format/bloom.h"
#include "format/checksum.h"
#include "rowgroup/chunk_reader.h"

/*
 * When is something put into the cache?  Headers and dictionaries, which take
 * time to open, when they are needed the second time.  Units are read at
 * several GB/s, or, if they have to be decompressed, at half as much, and new
 * memory may cost far more than that: they must be needed more often.
 */
#define LOOKUPS_COMPRESSED		4
#define LOOKUPS_UNCOMPRESSED	8

/*
 * A dictionary of more bytes than this is not opened for fetching values, until
 * so many were fetched, or it was looked up so often that it goes to the cache.
 * To open one takes as long as a hundred fetches, whatever its size.
 */
#define PEEK_MIN_LENGTH			1024
#define PEEKED_FETCHES_MAX		32
#define LOOKUPS_PEEKED			8

/*
 * A piece of so many bytes or more, of which a single value is wanted, is not read as
 * a whole where the encoding knows what it takes; PIECE_HEAD bytes of it are read to
 * begin with.  To find another page costs about as much as to copy 2 kB.
 */
#define PARTIAL_MIN_LENGTH		4096
#define PIECE_HEAD				64

/*
 * Streams of a group that may read more than was asked for, and hold pins of it
 * between calls; of a scan through a ring of buffers, whose buffers must not all be
 * pinned.
 */
#define MAX_AHEAD		8
#define MAX_AHEAD_RING	1

/* Arena callback: memory of a memory context. */
static void *
AllocateIn(void *context, size_t size)
{
	return MemoryContextAllocHuge((MemoryContext) context, Max(size, 1));
}

/* See chunk_reader.h. */
RetlArena
RetlMemoryContextArena(MemoryContext context)
{
	RetlArena	arena;

	arena.allocate = AllocateIn;
	arena.context = context;
	return arena;
}

/* Set all that does not depend on the footer's entry. */
static void
InitChunk(RetlChunkReader *chunk, RetlBytesReader *bytes, const RetlFooterHeader *footer,
		  const char *columnName, RetlReadStats *stats, MemoryContext context)
{
	memset(chunk, 0, sizeof(*chunk));
	chunk->bytes = bytes;
	chunk->stats = stats;
	chunk->context = context;
	chunk->buffers = &chunk->ownBuffers;
	chunk->ownBuffers.raw.context = context;
	chunk->ownBuffers.stored = &chunk->ownStored;
	chunk->ownStored.context = context;
	chunk->unitIndex = UINT32_MAX;
	chunk->overflow.bytes = bytes;
	chunk->overflow.offset = footer->overflowOffset;
	chunk->overflow.columnName = columnName;
	chunk->overflow.bytesRead = &stats->bytesRead;
}

/* Set what the footer's entry says. */
static void
SetColumn(RetlChunkReader *chunk, const RetlFooterHeader *footer, const RetlFooterColumn *column)
{
	chunk->column = *column;
	chunk->overflowLength = column->physType == RETL_PHYS_BYTES ? footer->overflowLength : 0;
	chunk->encoding = RetlEncodingById(column->encoding);
	Assert(chunk->encoding != NULL);
}

/* See chunk_reader.h. */
const char *
RetlChunkOpen(RetlChunkReader *chunk, RetlBytesReader *bytes,
			  const RetlFooterHeader *footer, const RetlFooterColumn *column,
			  const char *columnName, RetlReadStats *stats, MemoryContext context)
{
	RetlChunkExpect expect;
	const char *problem;
	uint8	   *header;

	InitChunk(chunk, bytes, footer, columnName, stats, context);
	SetColumn(chunk, footer, column);
	expect.groupId = footer->groupId;
	expect.columnId = column->columnId;
	expect.rowCount = footer->rowCount;
	expect.vectorRows = footer->vectorRows;
	expect.chunkLength = column->chunkLength;
	expect.chunkHeaderLength = column->chunkHeaderLength;

	header = MemoryContextAlloc(context, Max(column->chunkHeaderLength, 1));
	RetlBytesReaderRead(bytes, column->chunkOffset, column->chunkHeaderLength, header);
	problem = RetlChunkParse(header, &expect, &chunk->view);
	if (problem != NULL)
		return problem;
	stats->chunksOpened++;
	stats->bytesRead += column->chunkHeaderLength;
	return NULL;
}

/* Give up the stream, if there is one. */
static void
StopStream(RetlChunkReader *chunk)
{
	RetlPageStreamEnd(chunk->stream);
	chunk->stream = NULL;
	if (chunk->ahead)
		chunk->bytes->aheads--;
	chunk->ahead = false;
}

/* See chunk_reader.h. */
void
RetlChunkUseBuffers(RetlChunkReader *chunk, RetlChunkBuffers *buffers)
{
	Assert(chunk->ownBuffers.raw.bytes == NULL && chunk->ownStored.bytes == NULL);
	chunk->buffers = buffers;
}

/* See chunk_reader.h. */
void
RetlChunkUseStreams(RetlChunkReader *chunk, bool use)
{
	chunk->streams = use;
	if (!use)
		StopStream(chunk);
}

/* ---------------------------------------------------------------------
 * The cache
 * ---------------------------------------------------------------------
 */

/* A dictionary. */
typedef struct CachedDictionary
{
	const RetlEncodingState *state;
} CachedDictionary;

/* What the header in the cache knows of a part of the chunk; NULL: nothing. */
static RetlCachedPart *
KnownPart(RetlChunkReader *chunk, uint64 part)
{
	if (chunk->known == NULL)
		return NULL;
	return part == RETLDB_CACHE_DICTIONARY ? &chunk->known->dictionary :
		&chunk->known->units[part - RETLDB_CACHE_FIRST_UNIT];
}

/* The entry of a part of the chunk, or NULL. */
static RetlCacheEntry *
LookUp(RetlChunkReader *chunk, uint64 part)
{
	if (chunk->pins == NULL)
		return NULL;
	chunk->cacheKey.part = part;
	return RetlCachedPartFind(KnownPart(chunk, part), &chunk->cacheKey);
}

/* The same before it is put there. */
static RetlCacheEntry *
LookUpAgain(RetlChunkReader *chunk, uint64 part)
{
	chunk->cacheKey.part = part;
	return RetlCachedPartRecheck(KnownPart(chunk, part), &chunk->cacheKey);
}

/* Put a part into the cache. */
static RetlCacheEntry *
Insert(RetlChunkReader *chunk, uint64 part, MemoryContext context, const void *data)
{
	RetlCacheEntry *entry;

	chunk->cacheKey.part = part;
	entry = RetlCacheInsert(&chunk->cacheKey, context, data);
	RetlCachedPartSet(KnownPart(chunk, part), entry);
	return entry;
}

/*
 * After a lookup in vain: a context for the part to be read into, or NULL if it
 * is not for the cache.
 */
static MemoryContext
ContextToCache(RetlChunkReader *chunk, uint64 part, Size size, int lookups)
{
	if (chunk->pins == NULL || !chunk->admit)
		return NULL;
	chunk->cacheKey.part = part;
	if (!RetlCacheAdmits(&chunk->cacheKey, size, lookups))
		return NULL;
	return AllocSetContextCreate(chunk->context, "retldb cache entry", ALLOCSET_SMALL_SIZES);
}

/* See chunk_reader.h. */
void
RetlChunkOpenCached(RetlChunkReader *chunk, RetlBytesReader *bytes,
					const RetlFooterHeader *footer, RetlCachedChunk *known,
					const RetlCacheKey *key, bool admit, RetlCachePins *pins,
					const char *columnName, RetlReadStats *stats, MemoryContext context)
{
	InitChunk(chunk, bytes, footer, columnName, stats, context);
	chunk->pins = pins;
	chunk->cacheKey = *key;
	chunk->admit = admit;
	SetColumn(chunk, footer, &known->column);
	chunk->view = known->view;
	chunk->known = known;
}

/* See chunk_reader.h. */
void
RetlChunkUseCache(RetlChunkReader *chunk, RetlCacheEntry *group, const RetlCacheKey *key,
				  bool admit, RetlCachePins *pins)
{
	chunk->pins = pins;
	chunk->cacheKey = *key;
	chunk->admit = admit;
	if (group == NULL || !admit)
		return;
	chunk->cacheKey.part = RETLDB_CACHE_HEADER;
	if (!RetlCacheAdmits(&chunk->cacheKey, chunk->column.chunkHeaderLength,
						 chunk->single ? RETLDB_LOOKUPS_SINGLE : RETLDB_LOOKUPS_OPENED))
		return;
	chunk->known = RetlCachedGroupAddChunk(group, &chunk->column, &chunk->view);
	chunk->view = chunk->known->view;
}

/* ---------------------------------------------------------------------
 * Units and dictionaries
 * ---------------------------------------------------------------------
 */

/* Make room for so many bytes; what was there is lost. */
static void
EnsureRoom(RetlRoom *room, uint32 size)
{
	if (size <= room->capacity)
		return;
	if (room->bytes != NULL)
		pfree(room->bytes);
	room->bytes = NULL;
	room->capacity = 0;
	room->bytes = MemoryContextAlloc(room->context, size);
	room->capacity = size;
}

/* Room for so many bytes of a unit. */
static void
EnsureRaw(RetlChunkReader *chunk, uint32 size)
{
	EnsureRoom(&chunk->buffers->raw, size);
}

/* Room for so many bytes of a unit as it is stored. */
static void
EnsureStored(RetlChunkReader *chunk, uint32 size)
{
	EnsureRoom(chunk->buffers->stored, size);
}

/*
 * Read, check and decompress a unit, which was prefetched if that is wanted, into
 * dst, which has room for it.
 */
static const char *
ReadUnit(RetlChunkReader *chunk, const RetlUnit *unit, uint8 *dst)
{
	uint8	   *stored = dst;

	CHECK_FOR_INTERRUPTS();
	if (unit->storedLength < unit->rawLength)
	{
		EnsureStored(chunk, unit->storedLength);
		stored = chunk->buffers->stored->bytes;
	}
	RetlBytesReaderReadStream(chunk->bytes, chunk->stream,
							  chunk->column.chunkOffset + unit->offset,
							  unit->storedLength, stored);
	if (RetlCrc32c(0, stored, unit->storedLength) != unit->checksum)
		return "unit has a wrong checksum";
	if (stored != dst &&
		!RetlDecompress(chunk->column.compression, dst, unit->rawLength,
						stored, unit->storedLength))
		return "unit cannot be decompressed";
	chunk->stats->unitsRead++;
	chunk->stats->bytesRead += unit->storedLength;
	return NULL;
}

/* Ask for the pages of one unit. */
static void
PrefetchUnit(RetlChunkReader *chunk, const RetlUnit *unit)
{
	if (RetlBytesReaderDistance(chunk->bytes) > 0)
		RetlBytesReaderPrefetch(chunk->bytes, chunk->column.chunkOffset + unit->offset,
								unit->storedLength);
}

/* Open the dictionary with memory of "context", reading it if need be. */
static const char *
ReadDictionary(RetlChunkReader *chunk, MemoryContext context)
{
	const RetlUnit *unit = &chunk->view.units[0];
	RetlArena	arena = RetlMemoryContextArena(context);
	const uint8 *bytes = chunk->dictionary;
	const char *problem = NULL;

	if (chunk->encoding->open == NULL)
		return "chunk has an unexpected dictionary";

	/* The state may refer to these bytes. */
	if (bytes == NULL || context != chunk->context)
	{
		uint8	   *copy = MemoryContextAlloc(context, unit->rawLength);

		if (bytes != NULL)
			memcpy(copy, bytes, unit->rawLength);
		else
		{
			PrefetchUnit(chunk, unit);
			problem = ReadUnit(chunk, unit, copy);
		}
		bytes = copy;
	}
	if (problem != NULL)
		return problem;
	chunk->state = chunk->encoding->open(bytes, unit->rawLength, chunk->column.physType,
										 chunk->column.width, &arena, &problem);
	if (chunk->state == NULL)
		return problem != NULL ? problem : "dictionary is damaged";
	return NULL;
}

/* Use the dictionary of the cache, if there is one. */
static bool
UseDictionary(RetlChunkReader *chunk, RetlCacheEntry *entry)
{
	if (entry == NULL)
		return false;
	RetlCachePin(&chunk->pins->dictionary, entry);
	chunk->state = ((const CachedDictionary *) RetlCacheData(entry))->state;
	return true;
}

/* Is the opened dictionary in the cache?  Then it is used. */
static bool
UseCachedDictionary(RetlChunkReader *chunk)
{
	return UseDictionary(chunk, LookUp(chunk, RETLDB_CACHE_DICTIONARY));
}

/* Find the dictionary in the cache, or read it. */
static const char *
LoadDictionary(RetlChunkReader *chunk)
{
	MemoryContext context;
	CachedDictionary *cached;
	const char *problem;

	if (UseCachedDictionary(chunk))
		return NULL;
	context = ContextToCache(chunk, RETLDB_CACHE_DICTIONARY, chunk->view.units[0].rawLength,
							 RETLDB_LOOKUPS_OPENED);
	if (context != NULL && UseDictionary(chunk, LookUpAgain(chunk, RETLDB_CACHE_DICTIONARY)))
		return NULL;
	problem = ReadDictionary(chunk, context != NULL ? context : chunk->context);
	if (problem != NULL || context == NULL)
		return problem;

	cached = MemoryContextAlloc(context, sizeof(CachedDictionary));
	cached->state = chunk->state;
	RetlCachePin(&chunk->pins->dictionary,
				 Insert(chunk, RETLDB_CACHE_DICTIONARY, context, cached));
	return NULL;
}

/* See chunk_reader.h. */
const char *
RetlChunkOpenDictionary(RetlChunkReader *chunk)
{
	if (chunk->view.dictionaryUnits > 0 && !chunk->dictionaryOpen)
	{
		const char *problem = LoadDictionary(chunk);

		if (problem != NULL)
			return problem;
	}
	chunk->dictionaryOpen = true;
	return NULL;
}

/* Read the dictionary's bytes, which are not opened. */
static const char *
ReadDictionaryBytes(RetlChunkReader *chunk)
{
	const RetlUnit *unit = &chunk->view.units[0];
	uint8	   *bytes = MemoryContextAlloc(chunk->context, unit->rawLength);
	const char *problem;

	PrefetchUnit(chunk, unit);
	problem = ReadUnit(chunk, unit, bytes);
	if (problem == NULL)
		chunk->dictionary = bytes;
	return problem;
}

/*
 * Have a look at the dictionary without opening it, unless the cache has it open.
 * Damage is left for opening it to report.
 */
static const char *
PeekDictionary(RetlChunkReader *chunk)
{
	RetlArena	arena = RetlMemoryContextArena(chunk->context);
	const char *problem = NULL;

	if (chunk->dictionaryOpen || chunk->peeked != NULL)
		return NULL;
	if (UseCachedDictionary(chunk))
	{
		chunk->dictionaryOpen = true;
		return NULL;
	}
	if (chunk->dictionary == NULL)
		problem = ReadDictionaryBytes(chunk);
	if (problem == NULL)
		chunk->peeked = chunk->encoding->peek(chunk->dictionary, chunk->view.units[0].rawLength,
											  chunk->column.physType, chunk->column.width, &arena);
	return problem;
}

/*
 * See chunk_reader.h.  To open a large dictionary takes tens of times as long
 * as to look for a value in its bytes.
 */
const char *
RetlChunkExcludes(RetlChunkReader *chunk, const RetlFilter *filter, RetlFilterMemo *memo,
				  bool *excludes)
{
	const RetlEncodingState *state;
	const char *problem;

	*excludes = false;

	/* overflow values are not in the dictionary */
	if (chunk->encoding->excludes == NULL || chunk->view.dictionaryUnits == 0 ||
		chunk->overflowLength > 0)
		return NULL;
	problem = PeekDictionary(chunk);
	state = chunk->dictionaryOpen ? chunk->state : chunk->peeked;
	if (problem == NULL && state != NULL)
		*excludes = chunk->encoding->excludes(state, chunk->column.physType, chunk->column.width,
											  filter, memo);
	return problem;
}

/* See chunk_reader.h. */
bool
RetlChunkAvoidsOpening(const RetlChunkReader *chunk, const RetlPieceView *piece)
{
	return piece->encoding == (uint32) chunk->encoding->id && chunk->encoding->peek != NULL &&
		chunk->view.dictionaryUnits > 0 && !chunk->dictionaryOpen &&
		chunk->view.units[0].rawLength >= PEEK_MIN_LENGTH &&
		chunk->peekedFetches < PEEKED_FETCHES_MAX;
}

/*
 * A value is about to be fetched: see to it that a look at the dictionary will
 * do, if it is large and not needed often.
 */
static const char *
PrepareFetch(RetlChunkReader *chunk, const RetlPieceView *piece)
{
	const char *problem;

	if (!RetlChunkAvoidsOpening(chunk, piece))
		return chunk->peeked != NULL && chunk->peekedFetches >= PEEKED_FETCHES_MAX ?
			RetlChunkOpenDictionary(chunk) : NULL;
	problem = PeekDictionary(chunk);
	if (problem != NULL || chunk->dictionaryOpen)
		return problem;
	if (chunk->peekedFetches++ == 0 && chunk->pins != NULL && chunk->admit)
	{
		chunk->cacheKey.part = RETLDB_CACHE_DICTIONARY;
		if (RetlCacheAdmits(&chunk->cacheKey, chunk->view.units[0].rawLength, LOOKUPS_PEEKED))
			return RetlChunkOpenDictionary(chunk);
	}
	return NULL;
}

/* Find where the pieces of a unit begin. */
static const char *
FindPieces(RetlChunkReader *chunk, uint32 unitIndex, const uint8 *unit, uint32 unitLength,
		   uint32 *starts)
{
	uint32		firstPiece = unitIndex * chunk->view.piecesPerUnit;
	uint32		pieceCount = RetlUnitPieceCount(&chunk->view, unitIndex);
	uint32		position = 0;

	for (uint32 i = 0; i < pieceCount; i++)
	{
		RetlPieceView piece;
		const char *problem;

		problem = RetlPieceParse(unit + position, unitLength - position,
								 RetlPieceRowCount(&chunk->view, firstPiece + i),
								 chunk->overflowLength, &piece);
		if (problem != NULL)
			return problem;
		starts[i] = position;
		position += (uint32) piece.length;
	}
	if (position != unitLength)
		return "unit has bytes after its last piece";
	if (chunk->known != NULL && !chunk->known->units[unitIndex].checked)
	{
		memcpy(chunk->known->pieceStarts + firstPiece, starts, pieceCount * sizeof(uint32));
		chunk->known->units[unitIndex].checked = true;
	}
	return NULL;
}

/* Make a unit of the cache the current one. */
static void
UseCachedUnit(RetlChunkReader *chunk, uint32 unitIndex, RetlCacheEntry *entry)
{
	const RetlCachedUnit *cached = RetlCacheData(entry);

	RetlCachePin(&chunk->pins->unit, entry);
	chunk->unit = (const uint8 *) cached +
		RetlCachedUnitHead(RetlUnitPieceCount(&chunk->view, unitIndex));
	chunk->unitLength = cached->length;
	chunk->pieceStarts = cached->pieceStarts;
}

/* Read a unit into a context that the cache then takes over, and use it. */
static const char *
ReadUnitToCache(RetlChunkReader *chunk, uint32 unitIndex, const RetlUnit *unit,
				MemoryContext context)
{
	Size		headLength = RetlCachedUnitHead(RetlUnitPieceCount(&chunk->view, unitIndex));
	RetlCachedUnit *cached = MemoryContextAlloc(context, headLength + unit->rawLength);
	uint8	   *bytes = (uint8 *) cached + headLength;
	const char *problem = ReadUnit(chunk, unit, bytes);

	if (problem == NULL)
		problem = FindPieces(chunk, unitIndex, bytes, unit->rawLength, cached->pieceStarts);
	if (problem != NULL)
		return problem;
	cached->length = unit->rawLength;
	UseCachedUnit(chunk, unitIndex,
				  Insert(chunk, RETLDB_CACHE_FIRST_UNIT + unitIndex, context, cached));
	return NULL;
}

/* Read a unit into the buffer, and use it. */
static const char *
ReadUnitToBuffer(RetlChunkReader *chunk, uint32 unitIndex, const RetlUnit *unit)
{
	const char *problem;

	if (chunk->starts == NULL)
		chunk->starts = MemoryContextAlloc(chunk->context,
										   chunk->view.piecesPerUnit * sizeof(uint32));
	EnsureRaw(chunk, unit->rawLength);
	problem = ReadUnit(chunk, unit, chunk->buffers->raw.bytes);
	if (problem == NULL)
		problem = FindPieces(chunk, unitIndex, chunk->buffers->raw.bytes, unit->rawLength,
							 chunk->starts);
	chunk->unit = chunk->buffers->raw.bytes;
	chunk->unitLength = unit->rawLength;
	chunk->pieceStarts = chunk->starts;
	return problem;
}

/*
 * Units are being read one after the other: see to it that this and the next ones
 * are on the way, half the distance before they are needed.
 */
static void
PrefetchAfter(RetlChunkReader *chunk, const RetlUnit *unit)
{
	uint64		end = (uint64) unit->offset + unit->storedLength;
	uint64		from = Max(unit->offset, chunk->prefetchedTo);
	uint64		distance = RetlBytesReaderDistance(chunk->bytes);
	uint64		to = Min(end + distance, chunk->column.chunkLength);

	if (from > end + distance / 2 || from >= to)
		return;
	chunk->missing = RetlBytesReaderPrefetch(chunk->bytes, chunk->column.chunkOffset + from,
											 to - from);
	chunk->prefetchedTo = to;
}

/*
 * Prefetch a unit that is about to be read, and what is likely to follow: nothing
 * before a second unit was read right after another, for scans that skip do not
 * need what is between.
 */
static void
PrefetchForUnit(RetlChunkReader *chunk, const RetlUnit *unit, bool isNext)
{
	uint64		end = (uint64) unit->offset + unit->storedLength;

	if (RetlBytesReaderDistance(chunk->bytes) == 0)
		return;
	if (isNext)
		PrefetchAfter(chunk, unit);
	else
	{
		chunk->missing = RetlBytesReaderPrefetch(chunk->bytes,
												 chunk->column.chunkOffset + unit->offset,
												 unit->storedLength);
		chunk->prefetchedTo = end;
	}
}

/*
 * Have a unit that is about to be read, and is not in memory, come from a stream:
 * from one that goes on to the end of the chunk, if units are being read one after
 * the other and not too many streams do that already.
 */
static void
StreamUnit(RetlChunkReader *chunk, const RetlUnit *unit, bool isNext)
{
	uint64		offset = chunk->column.chunkOffset + unit->offset;
	uint64		length = unit->storedLength;
	MemoryContext oldContext;

	if (!chunk->streams || (chunk->ahead && RetlBytesStreamIsNear(chunk->stream, offset)))
		return;
	StopStream(chunk);
	if (!chunk->missing && RetlBytesReaderDistance(chunk->bytes) > 0)
		return;
	if (isNext && chunk->bytes->aheads < (chunk->bytes->strategy == NULL ? MAX_AHEAD : MAX_AHEAD_RING))
	{
		length = chunk->column.chunkLength - unit->offset;
		chunk->ahead = true;
		chunk->bytes->aheads++;
	}
	oldContext = MemoryContextSwitchTo(chunk->context);
	chunk->stream = RetlBytesReaderBeginStream(chunk->bytes, offset, length);
	MemoryContextSwitchTo(oldContext);
}

/* See chunk_reader.h. */
void
RetlChunkPrefetchPiece(RetlChunkReader *chunk, uint32 pieceIndex)
{
	uint32		unitIndex = pieceIndex / chunk->view.piecesPerUnit;

	if (chunk->unitIndex == unitIndex)
		return;
	if (chunk->view.dictionaryUnits > 0 && !chunk->dictionaryOpen && chunk->dictionary == NULL)
		PrefetchUnit(chunk, &chunk->view.units[0]);
	PrefetchUnit(chunk, &chunk->view.units[chunk->view.dictionaryUnits + unitIndex]);
}

/* If the cache has this unit, make it the current one. */
static bool
UseUnitOfCache(RetlChunkReader *chunk, uint32 unitIndex, RetlCacheEntry *entry)
{
	if (entry == NULL)
		return false;
	UseCachedUnit(chunk, unitIndex, entry);
	chunk->stats->cacheHits++;
	chunk->unitIndex = unitIndex;
	return true;
}

/* Leave the current unit for this one, if the cache has that. */
static bool
TurnToUnitOfCache(RetlChunkReader *chunk, uint32 unitIndex)
{
	chunk->unitIndex = UINT32_MAX;
	if (chunk->pins != NULL)
		RetlCachePin(&chunk->pins->unit, NULL);
	return UseUnitOfCache(chunk, unitIndex, LookUp(chunk, RETLDB_CACHE_FIRST_UNIT + unitIndex));
}

/*
 * Read the beginning of a piece, which is longer than that, of a unit that was
 * checked before and is not compressed.  Parts of the payload are read when it is
 * known which; all of it at once if there is something else between.
 */
static const char *
ReadPieceHead(RetlChunkReader *chunk, uint32 pieceIndex, uint64 offset, uint32 length,
			  RetlPieceView *piece)
{
	uint8	   *bytes = chunk->buffers->raw.bytes;
	RetlPieceHeader header;
	const char *problem;

	RetlBytesReaderReadVerified(chunk->bytes, offset, PIECE_HEAD, bytes);
	memcpy(&header, bytes, sizeof(header));
	if (header.flags != 0)
		RetlBytesReaderReadVerified(chunk->bytes, offset + PIECE_HEAD, length - PIECE_HEAD,
									bytes + PIECE_HEAD);
	chunk->stats->bytesRead += header.flags != 0 ? length : PIECE_HEAD;
	problem = RetlPieceParse(bytes, length, RetlPieceRowCount(&chunk->view, pieceIndex),
							 chunk->overflowLength, piece);
	if (problem == NULL && header.flags == 0)
	{
		chunk->partial = unconstify(uint8 *, piece->payload);
		chunk->partialOffset = offset + (piece->payload - bytes);
		chunk->partialLoaded = Min(PIECE_HEAD - (uint32) (piece->payload - bytes),
								   piece->payloadLength);
	}
	return problem;
}

/* See to it that a part of the payload is in memory; it may reach beyond the end. */
static void
LoadPayload(RetlChunkReader *chunk, const RetlPieceView *piece, RetlSpan span)
{
	uint64		offset = Max(span.offset, chunk->partialLoaded);
	uint64		end;

	if (span.length > piece->payloadLength)
		span.length = piece->payloadLength;
	if (span.offset >= piece->payloadLength)
		return;
	end = Min(span.offset + span.length, piece->payloadLength);
	if (offset >= end)
		return;
	RetlBytesReaderReadVerified(chunk->bytes, chunk->partialOffset + offset, end - offset,
								chunk->partial + offset);
	chunk->stats->bytesRead += end - offset;
	if (span.offset <= chunk->partialLoaded)
		chunk->partialLoaded = (uint32) end;
}

/* See to it that all of the payload is in memory. */
static void
LoadWholePayload(RetlChunkReader *chunk, const RetlPieceView *piece)
{
	if (chunk->partial == NULL || chunk->partial != piece->payload)
		return;
	LoadPayload(chunk, piece, (RetlSpan) {0, piece->payloadLength});
	chunk->partial = NULL;
}

/* See to it that what fetching a value looks at is in memory. */
static void
LoadForFetch(RetlChunkReader *chunk, const RetlPieceView *piece, const RetlEncoding *encoding,
			 uint32 valueIndex)
{
	RetlSpan	span;
	uint32		step = 0;

	if (chunk->partial == NULL || chunk->partial != piece->payload)
		return;
	if (encoding->needs == NULL)
	{
		LoadWholePayload(chunk, piece);
		return;
	}
	while (encoding->needs(piece->payload, piece->payloadLength, chunk->column.physType,
						   chunk->column.width, piece->valueCount, valueIndex, step++, &span))
		LoadPayload(chunk, piece, span);
}

/*
 * Read a piece of a unit that was checked before, and nothing else if the unit is
 * not compressed.  That the bytes are still what was checked is for the pages to say.
 */
static const char *
ReadPiece(RetlChunkReader *chunk, uint32 pieceIndex, const RetlUnit *unit, RetlPieceView *piece)
{
	uint32		unitIndex = pieceIndex / chunk->view.piecesPerUnit;
	uint32		next = pieceIndex + 1;
	uint64		offset = chunk->column.chunkOffset + unit->offset;
	uint32		start = chunk->known->pieceStarts[pieceIndex];
	uint32		end = unit->rawLength;
	const uint8 *bytes;

	if (next < unitIndex * chunk->view.piecesPerUnit + RetlUnitPieceCount(&chunk->view, unitIndex))
		end = chunk->known->pieceStarts[next];
	if (unit->storedLength == unit->rawLength)
	{
		EnsureRaw(chunk, end - start);
		if (end - start >= PARTIAL_MIN_LENGTH)
			return ReadPieceHead(chunk, pieceIndex, offset + start, end - start, piece);
		RetlBytesReaderReadVerified(chunk->bytes, offset + start, end - start,
									chunk->buffers->raw.bytes);
		chunk->stats->bytesRead += end - start;
		bytes = chunk->buffers->raw.bytes;
	}
	else
	{
		EnsureRaw(chunk, unit->rawLength);
		EnsureStored(chunk, unit->storedLength);
		RetlBytesReaderReadVerified(chunk->bytes, offset, unit->storedLength,
									chunk->buffers->stored->bytes);
		chunk->stats->bytesRead += unit->storedLength;
		if (!RetlDecompressBeginning(chunk->column.compression, chunk->buffers->raw.bytes,
									 unit->rawLength, end,
									 chunk->buffers->stored->bytes, unit->storedLength))
			return "unit cannot be decompressed";
		bytes = chunk->buffers->raw.bytes + start;
	}
	return RetlPieceParse(bytes, end - start, RetlPieceRowCount(&chunk->view, pieceIndex),
						  chunk->overflowLength, piece);
}

/* Read a unit, into the cache if it is for that, and make it the current one. */
static const char *
LoadUnit(RetlChunkReader *chunk, uint32 unitIndex, const RetlUnit *unit, bool isNext,
		 MemoryContext context)
{
	const char *problem;

	PrefetchForUnit(chunk, unit, isNext);
	StreamUnit(chunk, unit, isNext);
	problem = context != NULL ?
		ReadUnitToCache(chunk, unitIndex, unit, context) :
		ReadUnitToBuffer(chunk, unitIndex, unit);
	if (problem == NULL)
		chunk->unitIndex = unitIndex;
	return problem;
}

/*
 * Have the unit of a piece read, as a whole, and make it the current one, or read no
 * more than the piece for a single row (*isPiece).
 */
static const char *
ReadUnitOrPiece(RetlChunkReader *chunk, uint32 pieceIndex, bool isNext, RetlPieceView *piece,
				bool *isPiece)
{
	uint32		unitIndex = pieceIndex / chunk->view.piecesPerUnit;
	const RetlUnit *unit = &chunk->view.units[chunk->view.dictionaryUnits + unitIndex];
	uint64		part = RETLDB_CACHE_FIRST_UNIT + unitIndex;
	bool		single = chunk->single && chunk->known != NULL &&
		chunk->known->units[unitIndex].checked;
	MemoryContext context = NULL;

	/* for one row it is not worth while to take room from other entries */
	if (!single || RetlCacheHasRoom(unit->rawLength))
		context = ContextToCache(chunk, part, unit->rawLength,
								 unit->storedLength < unit->rawLength ?
								 LOOKUPS_COMPRESSED : LOOKUPS_UNCOMPRESSED);
	if (context != NULL && UseUnitOfCache(chunk, unitIndex, LookUpAgain(chunk, part)))
		return NULL;
	*isPiece = context == NULL && single;
	if (*isPiece)
		return ReadPiece(chunk, pieceIndex, unit, piece);
	return LoadUnit(chunk, unitIndex, unit, isNext, context);
}

/* See chunk_reader.h. */
const char *
RetlChunkGetPiece(RetlChunkReader *chunk, uint32 pieceIndex, RetlPieceView *piece)
{
	uint32		unitIndex = pieceIndex / chunk->view.piecesPerUnit;
	bool		isNext = chunk->unitIndex != UINT32_MAX && unitIndex == chunk->unitIndex + 1;
	uint32		start;

	Assert(pieceIndex < chunk->view.pieceCount);

	chunk->partial = NULL;
	if (chunk->unitIndex != unitIndex && !TurnToUnitOfCache(chunk, unitIndex))
	{
		bool		isPiece = false;
		const char *problem = ReadUnitOrPiece(chunk, pieceIndex, isNext, piece, &isPiece);

		if (problem != NULL || isPiece)
			return problem;
	}
	start = chunk->pieceStarts[pieceIndex % chunk->view.piecesPerUnit];
	return RetlPieceParse(chunk->unit + start, chunk->unitLength - start,
						  RetlPieceRowCount(&chunk->view, pieceIndex),
						  chunk->overflowLength, piece);
}

/*
 * The encoding of a piece that has values, checked, with its dictionary if it
 * needs one: one that was only looked at if there is one and "mayPeek" is set.
 */
static const char *
FindEncoding(RetlChunkReader *chunk, const RetlPieceView *piece, bool mayPeek,
			 const RetlEncoding **found, const RetlEncodingState **state)
{
	const RetlEncoding *encoding = RetlEncodingById((int) piece->encoding);
	const char *problem;

	*found = encoding;
	*state = NULL;
	if (encoding == NULL)
		return "piece has an unsupported encoding";
	if (!encoding->applies(chunk->column.physType, chunk->column.width))
		return "piece has an encoding that is not for its type";
	if (piece->valueCount == 0)
		return NULL;
	if (encoding == chunk->encoding)
	{
		if (mayPeek && chunk->peeked != NULL && !chunk->dictionaryOpen)
		{
			*state = chunk->peeked;
			return NULL;
		}
		problem = RetlChunkOpenDictionary(chunk);
		if (problem != NULL)
			return problem;
	}
	if (encoding->open != NULL)
	{
		if (encoding != chunk->encoding || chunk->state == NULL)
			return "piece needs a dictionary that the chunk has not";
		*state = chunk->state;
	}
	return NULL;
}

/* See chunk_reader.h. */
const char *
RetlChunkDecodePiece(RetlChunkReader *chunk, const RetlPieceView *piece,
					 RetlDecoded *decoded, const RetlArena *arena)
{
	const RetlEncoding *encoding;
	const RetlEncodingState *state;
	const char *problem = FindEncoding(chunk, piece, false, &encoding, &state);

	if (problem != NULL || piece->valueCount == 0)
		return problem;
	LoadWholePayload(chunk, piece);
	if (!encoding->decode(state, piece->payload, piece->payloadLength,
						  chunk->column.physType, chunk->column.width, piece->valueCount,
						  decoded, arena, &problem))
		return problem != NULL ? problem : "piece cannot be decoded";
	return NULL;
}

/* See chunk_reader.h. */
const char *
RetlChunkFetchValue(RetlChunkReader *chunk, const RetlPieceView *piece, uint32 valueIndex,
					RetlDecoded *decoded, const RetlArena *arena)
{
	const RetlEncoding *encoding;
	const RetlEncodingState *state;
	const char *problem = PrepareFetch(chunk, piece);

	Assert(valueIndex < piece->valueCount);

	if (problem == NULL)
		problem = FindEncoding(chunk, piece, true, &encoding, &state);
	if (problem != NULL)
		return problem;
	LoadForFetch(chunk, piece, encoding, valueIndex);
	if (!encoding->fetch(state, piece->payload, piece->payloadLength,
						 chunk->column.physType, chunk->column.width, piece->valueCount,
						 valueIndex, decoded, arena, &problem))
		return problem != NULL ? problem : "value of a piece cannot be decoded";
	chunk->stats->valuesFetched++;
	return NULL;
}

/* RetlChunkFilterPiece with or without leave to use a dictionary that is not open. */
static const char *
FilterPiece(RetlChunkReader *chunk, const RetlPieceView *piece, bool mayPeek,
			const RetlFilter *filter, RetlFilterMemo *memo, uint64 *selected, bool *answered,
			const RetlArena *arena)
{
	RetlFilterMemo none = {NULL, arena};
	const RetlEncoding *encoding;
	const RetlEncodingState *state;
	const char *problem = FindEncoding(chunk, piece, mayPeek, &encoding, &state);

	*answered = false;
	if (problem != NULL || encoding->filter == NULL)
		return problem;
	LoadWholePayload(chunk, piece);

	/* what is kept from piece to piece belongs to the chunk's encoding */
	*answered = true;
	if (!encoding->filter(state, piece->payload, piece->payloadLength,
						  chunk->column.physType, chunk->column.width, piece->valueCount,
						  filter, encoding == chunk->encoding ? memo : &none,
						  selected, answered, arena, &problem))
		return problem != NULL ? problem : "piece cannot be filtered";
	return NULL;
}

/* See chunk_reader.h. */
const char *
RetlChunkFilterPiece(RetlChunkReader *chunk, const RetlPieceView *piece,
					 const RetlFilter *filter, RetlFilterMemo *memo,
					 uint64 *selected, bool *answered, const RetlArena *arena)
{
	bool		peeks = chunk->peeked != NULL && !chunk->dictionaryOpen;
	const char *problem;

	problem = FilterPiece(chunk, piece, true, filter, memo, selected, answered, arena);
	if (problem == NULL && !*answered && peeks)
		problem = FilterPiece(chunk, piece, false, filter, memo, selected, answered, arena);
	return problem;
}

/* See chunk_reader.h. */
const char *
RetlChunkReadBloom(RetlChunkReader *chunk, uint32 partition, uint8 *dst)
{
	const RetlChunkView *view = &chunk->view;
	const RetlUnit *unit;

	Assert(partition < view->bloomUnits);
	unit = &view->units[view->dictionaryUnits + view->unitCount + partition];
	PrefetchUnit(chunk, unit);
	return ReadUnit(chunk, unit, dst);
}

/* See chunk_reader.h. */
const char *
RetlChunkBloomMayContain(RetlChunkReader *chunk, RetlKeyKind keyKind, uint64 hash, bool *may)
{
	const RetlBloomHeader *bloom = &chunk->view.bloom;
	uint8		partition[RETLDB_BLOOM_PARTITION_BLOCKS * RETLDB_BLOOM_BLOCK];
	const char *problem;

	*may = true;
	if (chunk->view.bloomUnits == 0 || chunk->column.zone.keyKind != keyKind)
		return NULL;
	problem = RetlChunkReadBloom(chunk, RetlBloomPartition(bloom, hash), partition);
	if (problem == NULL)
		*may = RetlBloomMayContain(bloom, partition, hash);
	return problem;
}
