/*-------------------------------------------------------------------------
 *
 * dict_state.h
 *	  What the parts of the dictionary encoding share: dict.c (format, writing),
 *	  dict_read.c, dict_filter.c.  Pure C.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_DICT_STATE_H
#define RETLDB_DICT_STATE_H

#include "encoding/bitpacking.h"
#include "encoding/encoding.h"

#define RETLDB_DICT_HEADER			4
#define RETLDB_DICT_SHORT_HEADER	8
#define RETLDB_DICT_KIND_SIZE		1
#define RETLDB_DICT_RUNS_HEADER		5

/* Kinds of pieces. */
#define RETLDB_DICT_CODES			0
#define RETLDB_DICT_RUNS			1

/* The entries of a shortened dictionary, not put together. */
typedef struct RetlDictShortened
{
	const RetlEncodingState *symbols;	/* of FSST */
	RetlPacked	common;
	const uint8_t *rests;
	size_t		restsSize;
} RetlDictShortened;

/* Of a writer: the first two and nothing else.  Of a reader: the rest. */
struct RetlEncodingState
{
	const uint32_t *codes;		/* of all values of the chunk */
	RetlValues	entries;

	uint32_t	entryCount;
	const uint8_t *fixed;		/* the entries of a fixed-width type, or */
	const uint8_t *bytes;		/* entry i: bytes[starts[i] .. + lengths[i]) */
	uint32_t   *starts;
	uint32_t   *lengths;

	/* or, if the dictionary was not opened but peeked at, this may be all there is */
	const RetlDictShortened *shortened;
};

/* The payload of a piece with at least one value. */
typedef struct RetlDictPiece
{
	uint32_t	runCount;		/* 0: no runs, a code for each value */
	RetlPacked	lengths;
	RetlPacked	codes;
} RetlDictPiece;

/* Where an entry begins, and its length; there is no "shortened". */
static inline const uint8_t *
RetlDictEntryAt(const RetlEncodingState *state, uint16_t width, uint32_t code, uint32_t *length)
{
	if (state->starts == NULL)
	{
		*length = width;
		return state->fixed + (size_t) code * width;
	}
	*length = state->lengths[code];
	return state->bytes + state->starts[code];
}

/* Check what decode and filter were given, before memory is asked for. */
extern bool RetlDictCheckCall(const RetlEncodingState *state, size_t srcSize, uint32_t count,
							  const char **error);

/* Understand a payload; count is not 0.  Lengths and codes are not looked at yet. */
extern bool RetlDictOpenPiece(RetlDictPiece *piece, const uint8_t *src, size_t srcSize,
							  uint32_t count, const char **error);

/* Are all codes below the number of entries? */
extern bool RetlDictCheckCodes(const RetlEncodingState *state, const uint32_t *codes,
							   uint32_t count, const char **error);

/* The functions of the descriptor that stand in dict_read.c, */
extern RetlEncodingState *RetlDictOpen(const uint8_t *src, size_t srcSize, RetlPhysType type,
									   uint16_t width, const RetlArena *arena,
									   const char **error);
extern RetlEncodingState *RetlDictPeek(const uint8_t *src, size_t srcSize, RetlPhysType type,
									   uint16_t width, const RetlArena *arena);
extern bool RetlDictDecode(const RetlEncodingState *state, const uint8_t *src, size_t srcSize,
						   RetlPhysType type, uint16_t width, uint32_t count,
						   RetlDecoded *result, const RetlArena *arena, const char **error);
extern bool RetlDictFetch(const RetlEncodingState *state, const uint8_t *src, size_t srcSize,
						  RetlPhysType type, uint16_t width, uint32_t count, uint32_t index,
						  RetlDecoded *result, const RetlArena *arena, const char **error);

/* and in dict_filter.c. */
extern bool RetlDictFilter(const RetlEncodingState *state, const uint8_t *src, size_t srcSize,
						   RetlPhysType type, uint16_t width, uint32_t count,
						   const RetlFilter *filter, RetlFilterMemo *memo,
						   uint64_t *selected, bool *answered,
						   const RetlArena *arena, const char **error);
extern bool RetlDictExcludes(const RetlEncodingState *state, RetlPhysType type, uint16_t width,
							 const RetlFilter *filter, RetlFilterMemo *memo);

#endif							/* RETLDB_DICT_STATE_H */
