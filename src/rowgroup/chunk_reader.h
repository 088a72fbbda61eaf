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
#include "rowgroup/group_reader.h"
#include "rowgroup/overflow.h"
#include "storage/group_bytes.h"

typedef struct RetlChunkReader
{
	/* fixed for the chunk */
	RetlBytesReader *bytes;
	RetlFooterColumn column;
	RetlOverflowArea overflow;
	uint64		overflowLength;
	RetlReadStats *stats;		/* never NULL */
	MemoryContext context;		/* lives as long as the chunk is open */

	/* the header */
	RetlChunkView view;
	uint8	   *header;

	/* the dictionary, opened with the first piece */
	const RetlEncoding *encoding;	/* of the chunk */
	RetlEncodingState *state;
	bool		dictionaryOpen;

	/* the unit read last */
	uint32		unitIndex;		/* UINT32_MAX: none */
	uint8	   *unit;			/* decompressed */
	uint32		unitLength;
	uint32		unitCapacity;
	uint8	   *stored;			/* as read */
	uint32		storedCapacity;
	uint32	   *pieceStarts;	/* [view.piecesPerUnit]: where its pieces begin */
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

/* An arena in a memory context. */
extern RetlArena RetlMemoryContextArena(MemoryContext context);

#endif							/* RETLDB_CHUNK_READER_H */
