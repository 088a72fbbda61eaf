/*-------------------------------------------------------------------------
 *
 * chunk_format.h
 *	  Parsing of chunk headers and pieces.  Pure C.
 *
 * What is parsed here comes from disk and is not trusted: every count, length
 * and offset is checked before it is used.  The functions answer with NULL, or
 * with a static text that says what is wrong.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_CHUNK_FORMAT_H
#define RETLDB_CHUNK_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format/format.h"

/* What the footer says of a chunk, and its header must agree with. */
typedef struct RetlChunkExpect
{
	uint64_t	groupId;
	uint32_t	columnId;
	uint32_t	rowCount;		/* of the group; > 0 */
	uint32_t	vectorRows;		/* of the group; a power of two */
	uint64_t	chunkLength;
	uint32_t	chunkHeaderLength;
} RetlChunkExpect;

/* A parsed chunk header; the arrays point into the bytes it was parsed from. */
typedef struct RetlChunkView
{
	uint32_t	rowCount;
	uint32_t	vectorRows;
	uint32_t	unitRows;
	uint32_t	pieceRows;		/* rows of each piece but the last */
	uint32_t	piecesPerUnit;	/* of each unit but the last */
	uint32_t	pieceCount;		/* of the chunk */
	uint32_t	vectorCount;
	uint32_t	unitCount;		/* without the dictionary and the Bloom filter */
	uint32_t	dictionaryUnits;	/* 0 or 1; the dictionary is units[0] */
	uint32_t	bloomUnits;		/* partitions of the Bloom filter, the last units */
	const RetlUnit *units;		/* [dictionaryUnits + unitCount + bloomUnits] */
	const RetlZone *zones;		/* [vectorCount], or NULL */
	RetlBloomHeader bloom;		/* if bloomUnits > 0 */
} RetlChunkView;

/* A parsed piece; all pointers are into its unit, and not aligned. */
typedef struct RetlPieceView
{
	uint32_t	encoding;
	uint32_t	rowCount;
	uint32_t	valueCount;
	const uint8_t *nulls;		/* bitmap, or NULL */
	uint32_t	overflowCount;
	const uint8_t *overflow;	/* overflowCount RetlOverflowRef */
	const uint8_t *payload;
	uint32_t	payloadLength;
	size_t		length;			/* of the whole piece */
} RetlPieceView;

/* Length of a chunk header. */
extern uint64_t RetlChunkHeaderLength(uint64_t unitCount, uint64_t zoneCount, bool hasBloom);

/* Longest chunk header that a group of this many rows may have. */
extern uint64_t RetlChunkHeaderMaxLength(uint32_t rowCount, uint32_t vectorRows);

/* Vectors of a group. */
extern uint32_t RetlVectorCount(uint32_t rowCount, uint32_t vectorRows);

/* Parse src[0 .. expect->chunkHeaderLength), 8-byte aligned, checksum included. */
extern const char *RetlChunkParse(const uint8_t *src, const RetlChunkExpect *expect,
								  RetlChunkView *view);

/* Rows of a piece of the chunk. */
extern uint32_t RetlPieceRowCount(const RetlChunkView *view, uint32_t pieceIndex);

/* Pieces of a unit (not counting the dictionary among the units). */
extern uint32_t RetlUnitPieceCount(const RetlChunkView *view, uint32_t unitIndex);

/*
 * Parse the piece at the start of src, which must have rowCount rows.
 * overflowLength is that of the group's overflow area; 0 where the type allows
 * no overflow values.
 */
extern const char *RetlPieceParse(const uint8_t *src, size_t srcSize, uint32_t rowCount,
								  uint64_t overflowLength, RetlPieceView *piece);

/* An overflow reference of a parsed piece. */
extern RetlOverflowRef RetlPieceOverflow(const RetlPieceView *piece, uint32_t i);

/* Is this row null? */
static inline bool
RetlPieceIsNull(const RetlPieceView *piece, uint32_t row)
{
	return piece->nulls != NULL && (piece->nulls[row / 8] & (1 << (row % 8))) != 0;
}

/* Bits of the first "count" (1 to 64) rows of a word. */
static inline uint64_t
RetlRowsMask(uint32_t count)
{
	return UINT64_MAX >> (64 - count);
}

/* Set the bits of the rows that are not null, in whole words; there is a null bitmap. */
extern void RetlPiecePresent(const RetlPieceView *piece, uint64_t *present);

#endif							/* RETLDB_CHUNK_FORMAT_H */
