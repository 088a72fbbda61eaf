/*-------------------------------------------------------------------------
 *
 * chunk_reader.h
 *	  Reads the pieces of one chunk.
 *
 * Functions that return text answer NULL, or say what is wrong with the chunk;
 * the caller reports it.  The text is static.  Errors of page reads are raised.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_CHUNK_READER_H
#define RETLDB_CHUNK_READER_H

#include "postgres.h"

#include "encoding/encoding.h"
#include "rowgroup/chunk_format.h"
#include "rowgroup/group_cache.h"
#include "rowgroup/group_reader.h"
#include "rowgroup/overflow.h"
#include "rowgroup/read_cache.h"
#include "storage/group_bytes.h"

/* Room for bytes, made as large as needed. */
typedef struct RetlRoom
{
	MemoryContext context;
	uint8	   *bytes;
	uint32		capacity;
} RetlRoom;

/*
 * Room for units, which may serve one chunk after the other.  Units as they are read are
 * there only until they are decompressed, so all open chunks may use the same room for
 * them: it stays in the processor's cache.
 */
typedef struct RetlChunkBuffers
{
	RetlRoom	raw;
	RetlRoom   *stored;			/* as read */
} RetlChunkBuffers;

typedef struct RetlChunkReader
{
	/* fixed for the chunk */
	RetlBytesReader *bytes;
	RetlFooterColumn column;
	RetlOverflowArea overflow;
	uint64		overflowLength;
	RetlReadStats *stats;		/* never NULL */
	MemoryContext context;		/* lives as long as the chunk is open */

	/* the cache of what was read */
	RetlCachePins *pins;		/* the caller's; NULL: it is not used */
	bool		admit;			/* may entries be added? */
	RetlCacheKey cacheKey;		/* all but the part */

	RetlCachedChunk *known;		/* the header there; NULL: it is not */
	bool		passCounted;	/* see vector_cache.c */

	/*
	 * Whoever wants single rows: of units that were checked before, no more than
	 * the piece is read.
	 */
	bool		single;

	/* the header */
	RetlChunkView view;

	/* the dictionary, opened with the first piece */
	const RetlEncoding *encoding;	/* of the chunk */
	const RetlEncodingState *state;
	bool		dictionaryOpen;
	const uint8_t *dictionary;	/* its bytes, if they were read without opening it */
	const RetlEncodingState *peeked;	/* what serves some uses until it is open */
	uint32		peekedFetches;	/* values fetched with that */

	/* the unit read last; it is in one of the buffers, or in the cache */
	uint32		unitIndex;		/* UINT32_MAX: none */
	const uint8 *unit;			/* decompressed */
	uint32		unitLength;
	const uint32 *pieceStarts;	/* where its pieces begin */

	/*
	 * If only a part of the payload of the piece found last is in memory, at
	 * "partial": where it begins in the group, and how many bytes of it are there.
	 */
	uint8	   *partial;		/* NULL: all of it is there */
	uint64		partialOffset;
	uint32		partialLoaded;

	/* prefetching, see LoadUnit */
	uint64		prefetchedTo;	/* offset from the chunk's start */
	bool		streams;		/* may pages come from a stream? */
	bool		missing;		/* are they not in shared buffers? */
	bool		ahead;			/* does the stream go on to the chunk's end? */
	RetlPageStream *stream;		/* or NULL */

	/* buffers */
	RetlChunkBuffers *buffers;	/* ownBuffers, or the caller's */
	RetlChunkBuffers ownBuffers;
	RetlRoom	ownStored;
	uint32	   *starts;			/* [view.piecesPerUnit] */
} RetlChunkReader;

/*
 * Read and check the header of a chunk whose footer entry was checked.  All
 * memory comes from "context".
 */
extern const char *RetlChunkOpen(RetlChunkReader *chunk, RetlBytesReader *bytes,
								 const RetlFooterHeader *footer,
								 const RetlFooterColumn *column, const char *columnName,
								 RetlReadStats *stats, MemoryContext context);

/*
 * Open a chunk whose header is in the cache.  The key's part is of no meaning here and
 * below.  "admit" says whether other parts may be added to the cache.  The caller has
 * pinned the group; what else the chunk needs of the cache is pinned by "pins", whose
 * owner releases them when the chunk is not used any more.
 */
extern void RetlChunkOpenCached(RetlChunkReader *chunk, RetlBytesReader *bytes,
								const RetlFooterHeader *footer, RetlCachedChunk *known,
								const RetlCacheKey *key, bool admit, RetlCachePins *pins,
								const char *columnName, RetlReadStats *stats,
								MemoryContext context);

/*
 * After opening, and before a piece is asked for: read into these buffers.  That for raw
 * units no other open chunk may use.
 */
extern void RetlChunkUseBuffers(RetlChunkReader *chunk, RetlChunkBuffers *buffers);

/*
 * After RetlChunkOpen: use the cache from now on.  "group" is the group's entry, pinned
 * by the caller, or NULL if it has none.
 */
extern void RetlChunkUseCache(RetlChunkReader *chunk, RetlCacheEntry *group,
							  const RetlCacheKey *key, bool admit, RetlCachePins *pins);

/*
 * From now on, or no longer, read from streams, which may hold pins between calls;
 * so whoever wants it stops it before the chunk, or the resource owner, goes.
 */
extern void RetlChunkUseStreams(RetlChunkReader *chunk, bool use);

/* Start reading what a piece is read from, but for the header, in the background. */
extern void RetlChunkPrefetchPiece(RetlChunkReader *chunk, uint32 pieceIndex);

/*
 * Find piece "pieceIndex" of the chunk, reading its unit if need be.  The piece
 * is good until a piece of another unit is asked for.
 */
extern const char *RetlChunkGetPiece(RetlChunkReader *chunk, uint32 pieceIndex,
									 RetlPieceView *piece);

/* Open the dictionary if there is one; decoding does it when it needs it. */
extern const char *RetlChunkOpenDictionary(RetlChunkReader *chunk);

/* Decode the non-null values of a piece; scratch memory comes from the arena. */
extern const char *RetlChunkDecodePiece(RetlChunkReader *chunk, const RetlPieceView *piece,
										RetlDecoded *decoded, const RetlArena *arena);

/* Decode one non-null value of a piece into decoded's entry 0. */
extern const char *RetlChunkFetchValue(RetlChunkReader *chunk, const RetlPieceView *piece,
									   uint32 valueIndex, RetlDecoded *decoded,
									   const RetlArena *arena);

/*
 * Deselect the non-null values of a piece that do not pass the filter.  If the
 * piece's encoding cannot tell, *answered is false and selected is as it was.
 * Overflow values must not be selected: only empty ones stand for them here.
 */
extern const char *RetlChunkFilterPiece(RetlChunkReader *chunk, const RetlPieceView *piece,
										const RetlFilter *filter, RetlFilterMemo *memo,
										uint64 *selected, bool *answered,
										const RetlArena *arena);

/*
 * Does the dictionary say that no value of the chunk passes the filter?  Then no
 * piece needs to be looked at.  *excludes is false where nothing is known.  The
 * memo is the one for RetlChunkFilterPiece.
 */
extern const char *RetlChunkExcludes(RetlChunkReader *chunk, const RetlFilter *filter,
									 RetlFilterMemo *memo, bool *excludes);

/*
 * Is fetching a few values of the piece one by one a way around opening a large
 * dictionary, which decoding would do?
 */
extern bool RetlChunkAvoidsOpening(const RetlChunkReader *chunk, const RetlPieceView *piece);

/*
 * May the chunk have a value with this hash?  *may is true if it has no Bloom
 * filter, or one for another kind of keys.
 */
extern const char *RetlChunkBloomMayContain(RetlChunkReader *chunk, RetlKeyKind keyKind,
											uint64 hash, bool *may);

/* Read and check a partition of the Bloom filter into dst, which has room for it. */
extern const char *RetlChunkReadBloom(RetlChunkReader *chunk, uint32 partition, uint8 *dst);

/* An arena in a memory context. */
extern RetlArena RetlMemoryContextArena(MemoryContext context);

#endif							/* RETLDB_CHUNK_READER_H */
