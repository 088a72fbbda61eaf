/*-------------------------------------------------------------------------
 *
 * encoding.h
 *	  The contract between encodings and their users.  Pure C.
 *
 * An encoding turns an array of non-null values of one physical type into
 * bytes and back.  It knows nothing of tables, nulls or pages.  One file per
 * encoding, each with one RetlEncoding descriptor; the table of them is in
 * encoding.c.  Adding one: a file, a RetlEncodingId, a line in the table.
 *
 * Life cycle, which is also the order of the descriptor's fields:
 *
 *	analyse		how small would these values get?
 *	prepare		chunk-wide state (a dictionary), once for each chunk
 *	attempt		both at once (optional)
 *	encode		the values of one piece -> bytes
 *	open		chunk-wide state from the bytes on disk, once for each chunk
 *	peek		the same in a hurry, not for decode (optional)
 *	decode		bytes -> the values of one piece
 *	fetch		bytes -> one value of a piece
 *	needs		which of the bytes are enough for that (optional)
 *	filter		which values of a piece pass a filter, without decoding them all
 *				(optional, NULL = decode and compare)
 *	excludes	does no value of the chunk pass a filter? (optional)
 *
 * Input to decode, fetch, filter and open comes from disk and is not trusted:
 * every length, count and offset is checked; what is wrong is answered with
 * false, and "error" then says what (a static string).  They never read
 * outside the source nor write outside what the caller gave.
 *
 * Memory comes from the caller through RetlArena and is never freed here; the
 * caller drops all of it at once.  An arena's allocator does not return on
 * failure (palloc raises an error; the tests abort).
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_ENCODING_H
#define RETLDB_ENCODING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "encoding/filter.h"
#include "format/format.h"

/*
 * An array of non-null values.
 *
 * Fixed-width types: count * width bytes in "fixed", no alignment promised.
 * RETL_PHYS_BYTES: value i is bytes[offsets[i] .. offsets[i + 1]), offsets has
 * count + 1 entries, rising; offsets[0] need not be 0.
 */
typedef struct RetlValues
{
	RetlPhysType type;
	uint16_t	width;			/* 0 for RETL_PHYS_BYTES */
	uint32_t	count;
	const uint8_t *fixed;
	const uint32_t *offsets;
	const uint8_t *bytes;
	bool		isNumeric;		/* RETL_PHYS_BYTES: values are PostgreSQL's numeric,
								 * without varlena header; a hint for the choice */
	RetlCompressionId compression;	/* what follows; another hint for it */
} RetlValues;

/*
 * Where decode puts its result.
 *
 * Fixed-width: "fixed" has room for count * width bytes (the caller's).
 * RETL_PHYS_BYTES: decode sets "bytes" to memory of the arena, of the source,
 * or of the chunk state, whichever needs no copy; values need not lie in order
 * nor side by side: value i is bytes[starts[i] .. starts[i] + lengths[i]).
 */
typedef struct RetlDecoded
{
	uint8_t    *fixed;
	const uint8_t *bytes;
	uint32_t   *starts;			/* room for count entries (the caller's) */
	uint32_t   *lengths;		/* room for count entries (the caller's) */
	const uint64_t *wanted;		/* NULL, or bits of the values the caller is going
								 * to use (bits past the last are clear): decode
								 * may leave others undefined, and what is wrong
								 * with them unsaid */
	const uint32_t *few;		/* NULL, or the indexes, in no descending order, of
								 * the only values that are wanted, whatever
								 * "wanted" says */
	uint32_t	fewCount;		/* so many */
	bool		takesCodes;		/* RETL_PHYS_BYTES: DICT is to answer with codes */
	bool		hasCodes;		/* it does: value i is entry starts[i] of the
								 * dictionary, lengths and bytes are not set */
} RetlDecoded;

/* A part of a source. */
typedef struct RetlSpan
{
	uint64_t	offset;
	uint64_t	length;
} RetlSpan;

/* A growing byte string in an arena. */
typedef struct RetlBytes
{
	uint8_t    *data;
	size_t		length;
	size_t		capacity;
	const RetlArena *arena;
} RetlBytes;

extern void RetlBytesInit(RetlBytes *bytes, const RetlArena *arena, size_t capacity);
extern void RetlBytesReset(RetlBytes *bytes);

/* Make room for "extra" more bytes; returns where they begin.  Length is unchanged. */
extern uint8_t *RetlBytesReserve(RetlBytes *bytes, size_t extra);
extern void RetlBytesAppend(RetlBytes *bytes, const void *data, size_t length);

/* Chunk-wide state of an encoding, its own business. */
typedef struct RetlEncodingState RetlEncodingState;

/* Not applicable, or so bad that nobody wants it. */
#define RETLDB_NEVER	UINT64_MAX

typedef struct RetlEncoding
{
	RetlEncodingId id;
	const char *name;			/* as EXPLAIN, views and settings show it */

	/* Is it for values of this type and width at all? */
	bool		(*applies) (RetlPhysType type, uint16_t width);

	/*
	 * Bytes that encoding these values in pieces of pieceRows would take,
	 * before compression; RETLDB_NEVER if it should not be used.  They are a
	 * sample of a large chunk's values, or all values of a small one.  An
	 * estimate is allowed, but must be deterministic.
	 */
	uint64_t	(*analyse) (const RetlValues *values, uint32_t pieceRows,
							const RetlArena *arena);

	/*
	 * Chunk-wide state for encode over all values of the chunk, and its bytes
	 * for the disk appended to "out".  NULL where an encoding has none: then
	 * state is NULL everywhere.
	 */
	RetlEncodingState *(*prepare) (const RetlValues *values, const RetlArena *arena,
								   RetlBytes *out);

	/*
	 * Optional, for an encoding that can tell its size only by doing what
	 * prepare does: analyse and prepare in one.  NULL, with nothing appended,
	 * if all pieces and the state together would take maxBytes or more.
	 * "sample" is a part of the values (or all of them) to judge by first, or
	 * NULL if analyse has already been asked about it.
	 */
	RetlEncodingState *(*attempt) (const RetlValues *values, const RetlValues *sample,
								   uint32_t pieceRows, uint64_t maxBytes,
								   const RetlArena *arena, RetlBytes *out);

	/*
	 * Append the encoded form of a piece to "out".  "values" are those of the
	 * piece; "first" is the index of its first value among the chunk's.
	 */
	void		(*encode) (RetlEncodingState *state, const RetlValues *values,
						   uint32_t first, RetlBytes *out);

	/* The state again from what prepare appended; NULL and error if damaged. */
	RetlEncodingState *(*open) (const uint8_t *src, size_t srcSize,
								RetlPhysType type, uint16_t width,
								const RetlArena *arena, const char **error);

	/*
	 * Optional: a state that takes less time to make, for few calls of fetch, and
	 * for filter and excludes; what they do with it takes longer, and filter may
	 * not answer.  It is not for decode.  It refers to the source.  NULL if there
	 * is damage, which open will report; it does not find all that open does.
	 */
	RetlEncodingState *(*peek) (const uint8_t *src, size_t srcSize,
								RetlPhysType type, uint16_t width,
								const RetlArena *arena);

	/* Decode exactly "count" values from exactly srcSize bytes. */
	bool		(*decode) (const RetlEncodingState *state,
						   const uint8_t *src, size_t srcSize,
						   RetlPhysType type, uint16_t width, uint32_t count,
						   RetlDecoded *result, const RetlArena *arena,
						   const char **error);

	/*
	 * Does decode take the wanted values one by one if they are few
	 * (RetlDecodedIsFew), without going through the others?
	 */
	bool		takesFew;

	/* Decode value "index" of "count" into result's entry 0. */
	bool		(*fetch) (const RetlEncodingState *state,
						  const uint8_t *src, size_t srcSize,
						  RetlPhysType type, uint16_t width, uint32_t count,
						  uint32_t index,
						  RetlDecoded *result, const RetlArena *arena,
						  const char **error);

	/*
	 * Optional: which bytes of the source does fetch of value "index" look at?
	 * Asked with step 0, 1, 2, ..., it answers with one part after the other, and
	 * with false when there is no more (or something is damaged, which fetch will
	 * report).  The bytes named before are there when it is asked again, others
	 * need not be: their content is undefined.  What is named may reach beyond
	 * the source's end.
	 */
	bool		(*needs) (const uint8_t *src, size_t srcSize,
						  RetlPhysType type, uint16_t width, uint32_t count,
						  uint32_t index, uint32_t step, RetlSpan *span);

	/*
	 * Clear bit i of "selected" for each value i that does not pass the
	 * filter.  selected has RetlSelectionWords(count) words; bits past the last
	 * value are clear before and after.  Values whose bit is clear on entry need
	 * not be looked at, and stay clear.  With a filter this encoding cannot
	 * answer by itself, it says so in *answered = false and leaves selected
	 * alone; then the caller decodes and compares.  memo is what the encoding
	 * may keep from piece to piece of a chunk, see filter.h.
	 */
	bool		(*filter) (const RetlEncodingState *state,
						   const uint8_t *src, size_t srcSize,
						   RetlPhysType type, uint16_t width, uint32_t count,
						   const RetlFilter *filter, RetlFilterMemo *memo,
						   uint64_t *selected, bool *answered,
						   const RetlArena *arena, const char **error);

	/*
	 * Optional: does the chunk-wide state say that no value of the chunk passes
	 * the filter?  It knows all values, those of pieces with another encoding,
	 * too.  The state may be one that was peeked at; false if it cannot tell.  What
	 * was found out is kept in the memo, for filter.
	 */
	bool		(*excludes) (const RetlEncodingState *state,
							 RetlPhysType type, uint16_t width,
							 const RetlFilter *filter, RetlFilterMemo *memo);
} RetlEncoding;

/* The descriptor, or NULL for an id this version does not know. */
extern const RetlEncoding *RetlEncodingById(int encodingId);

/* The descriptor by name, or NULL. */
extern const RetlEncoding *RetlEncodingByName(const char *name);

/*
 * The encoding whose analysis promises the fewest bytes (ties: the one that
 * decodes faster, which is the lower id), or "forced" where it applies and
 * forced >= 0.  Never NULL: PLAIN serves all.
 */
extern const RetlEncoding *RetlEncodingChoose(const RetlValues *values,
											  uint32_t pieceRows, int forced,
											  const RetlArena *arena);

/*
 * What the choice for one chunk tells the next chunk of the same column: a dictionary
 * was the best, and up to which size it would have been by far.  All zero at first.
 */
typedef struct RetlChoiceMemory
{
	uint32_t	chunks;			/* for so many more chunks this holds */
	double		share;			/* bytes of a dictionary, of each byte of the values */
	uint32_t	distrust;		/* so many more times a dictionary is not remembered */
} RetlChoiceMemory;

/*
 * Choose in the same way, and prepare: *state is the chosen encoding's, and its
 * bytes are appended to "out".  What the state needs is in "arena", the rest in
 * "scratch".  With a memory (or NULL) a dictionary may be taken without a look at
 * the others, if it is as small as in the column's chunks before.
 */
extern const RetlEncoding *RetlEncodingChooseAndPrepare(const RetlValues *values,
														uint32_t pieceRows, int forced,
														RetlChoiceMemory *memory,
														const RetlArena *scratch,
														const RetlArena *arena,
														RetlEncodingState **state,
														RetlBytes *out);

/*
 * What the writer's state of the dictionary encoding has, for statistics: the
 * entries in dictionary order, and the code of each value of the chunk.
 */
extern void RetlDictGetWritten(const RetlEncodingState *state, RetlValues *entries,
							   const uint32_t **codes);

/* The entries of a dictionary of byte strings. */
typedef struct RetlDictEntries
{
	uint32_t	count;
	const uint8_t *bytes;		/* entry i: bytes[starts[i] .. + lengths[i]) */
	const uint32_t *starts;
	const uint32_t *lengths;
} RetlDictEntries;

/* What the reader's state of the dictionary encoding has, of type RETL_PHYS_BYTES. */
extern void RetlDictGetEntries(const RetlEncodingState *state, RetlDictEntries *entries);

/* Part of an array of values. */
extern RetlValues RetlValuesSlice(const RetlValues *values, uint32_t first, uint32_t count);

/* Bytes of the values themselves. */
extern uint64_t RetlValuesRawSize(const RetlValues *values);

#endif							/* RETLDB_ENCODING_H */
