/*-------------------------------------------------------------------------
 *
 * dict_read.c
 *	  DICT: opening a dictionary, or peeking at it, and decoding.  Pure C.
 *
 * The entries of a shortened dictionary are put together when it is opened.  A
 * dictionary that was peeked at is left as it is: single entries are put together
 * when they are fetched, and constants are looked for in it (dict_filter.c).
 *
 *-------------------------------------------------------------------------
 */
#include "encoding/descriptors.h"
#include "encoding/dict_state.h"
#include "encoding/filtering.h"
#include "encoding/valueops.h"

/* Are the entries in strictly rising order? */
static bool
CheckOrder(const RetlEncodingState *state, RetlPhysType type, uint16_t width,
		   const char **error)
{
	uint32_t	i;

	for (i = 1; i < state->entryCount; i++)
	{
		uint32_t	beforeLength;
		uint32_t	length;
		const uint8_t *before = RetlDictEntryAt(state, width, i - 1, &beforeLength);
		const uint8_t *entry = RetlDictEntryAt(state, width, i, &length);

		if (RetlOrderValues(type, width, before, beforeLength, entry, length) >= 0)
			return RetlDamaged(error, "dictionary is not in order");
	}
	return true;
}

/* Read the entries; the source is what follows the dictionary's header. */
static bool
OpenEntries(RetlEncodingState *state, const uint8_t *src, size_t srcSize,
			RetlPhysType type, uint16_t width, const RetlArena *arena,
			const char **error)
{
	uint32_t	count = state->entryCount;
	RetlDecoded entries;

	if (type != RETL_PHYS_BYTES)
	{
		if (srcSize != (uint64_t) count * width)
			return RetlDamaged(error, "dictionary has the wrong length");
		state->fixed = src;
		return true;
	}

	/* Distinct strings: all but one have a byte at least. */
	if (count > 0 && count - 1 > srcSize)
		return RetlDamaged(error, "dictionary has the wrong length");
	state->starts = RetlArenaAlloc(arena, sizeof(uint32_t) * ((size_t) count + 1));
	state->lengths = RetlArenaAlloc(arena, sizeof(uint32_t) * ((size_t) count + 1));
	memset(&entries, 0, sizeof(entries));
	entries.starts = state->starts;
	entries.lengths = state->lengths;
	if (!RetlPlainEncoding.decode(NULL, src, srcSize, type, width, count,
								  &entries, arena, error))
		return false;
	state->bytes = entries.bytes;
	return true;
}

/*
 * Put shortened entries together: of each, "common" bytes of the one before and
 * its rest.  Every entry but the first has a rest, for it is above the one
 * before; this keeps damaged lengths from asking for much memory.
 */
static bool
JoinEntries(RetlEncodingState *state, const uint32_t *common, const RetlDecoded *rests,
			const RetlArena *arena, const char **error)
{
	uint64_t	size = 0;
	uint32_t	before = 0;
	uint8_t    *bytes;
	uint32_t	i;

	for (i = 0; i < state->entryCount; i++)
	{
		if (common[i] > before || (i > 0 && rests->lengths[i] == 0))
			return RetlDamaged(error, "shortened dictionary has impossible lengths");
		state->starts[i] = (uint32_t) size;
		before = common[i] + rests->lengths[i];
		state->lengths[i] = before;
		size += before;
		if (size > RETLDB_UNIT_RAW_MAX)
			return RetlDamaged(error, "shortened dictionary is too long");
	}
	bytes = RetlArenaAlloc(arena, (size_t) size + 1);
	state->bytes = bytes;
	for (i = 0; i < state->entryCount; i++)
	{
		if (common[i] > 0)
			memcpy(bytes, state->bytes + state->starts[i - 1], common[i]);
		if (rests->lengths[i] > 0)
			memcpy(bytes + common[i], rests->bytes + rests->starts[i], rests->lengths[i]);
		bytes += state->lengths[i];
	}
	return true;
}

/* Understand a shortened dictionary; the source is what follows the header. */
static bool
FindShortened(RetlDictShortened *shortened, uint32_t count, uint32_t symbolsSize,
			  const uint8_t *src, size_t srcSize, const RetlArena *arena,
			  const char **error)
{
	/* As with those in full: all but one have a byte at least. */
	if (symbolsSize > srcSize || (count > 0 && count - 1 > srcSize))
		return RetlDamaged(error, "dictionary has the wrong length");
	shortened->symbols = RetlFsstEncoding.open(src, symbolsSize, RETL_PHYS_BYTES, 0, arena, error);
	if (shortened->symbols == NULL)
		return false;
	src += symbolsSize;
	srcSize -= symbolsSize;
	if (!RetlPackedOpen(&shortened->common, src, srcSize, count, error))
		return false;
	shortened->rests = src + shortened->common.size;
	shortened->restsSize = srcSize - shortened->common.size;
	return true;
}

/* Put the entries of a shortened dictionary together. */
static bool
OpenShort(RetlEncodingState *state, const RetlDictShortened *shortened,
		  const RetlArena *arena, const char **error)
{
	uint32_t	count = state->entryCount;
	size_t		size = sizeof(uint32_t) * ((size_t) count + 1);
	uint32_t   *common = RetlArenaAlloc(arena, size);
	RetlDecoded rests;

	RetlPackedRead(&shortened->common, 0, count, common);
	state->starts = RetlArenaAlloc(arena, size);
	state->lengths = RetlArenaAlloc(arena, size);
	memset(&rests, 0, sizeof(rests));
	rests.starts = RetlArenaAlloc(arena, size);
	rests.lengths = RetlArenaAlloc(arena, size);
	return RetlFsstEncoding.decode(shortened->symbols, shortened->rests, shortened->restsSize,
								   RETL_PHYS_BYTES, 0, count, &rests, arena, error) &&
		JoinEntries(state, common, &rests, arena, error);
}

/*
 * A state with all that is found in the dictionary's bytes without putting
 * entries together or looking at their order.  NULL and error if it is damaged.
 */
static RetlEncodingState *
FindEntries(const uint8_t *src, size_t srcSize, RetlPhysType type, uint16_t width,
			const RetlArena *arena, const char **error)
{
	RetlEncodingState *state;
	RetlDictShortened *shortened;
	uint32_t	count;
	bool		isShort;

	*error = NULL;
	if (srcSize < RETLDB_DICT_HEADER)
	{
		*error = "dictionary is truncated";
		return NULL;
	}
	isShort = type == RETL_PHYS_BYTES && (RetlLoad32(src) & RETLDB_DICTIONARY_SHORT) != 0;
	count = isShort ? RetlLoad32(src) & ~RETLDB_DICTIONARY_SHORT : RetlLoad32(src);
	if (count > RETLDB_MAX_GROUP_ROWS)
	{
		*error = "dictionary has too many entries";
		return NULL;
	}
	if (isShort && srcSize < RETLDB_DICT_SHORT_HEADER)
	{
		*error = "dictionary is truncated";
		return NULL;
	}
	state = RetlArenaAlloc(arena, sizeof(RetlEncodingState));
	memset(state, 0, sizeof(*state));
	state->entryCount = count;
	if (!isShort)
		return OpenEntries(state, src + RETLDB_DICT_HEADER, srcSize - RETLDB_DICT_HEADER,
						   type, width, arena, error) ? state : NULL;
	shortened = RetlArenaAlloc(arena, sizeof(RetlDictShortened));
	state->shortened = shortened;
	return FindShortened(shortened, count, RetlLoad32(src + RETLDB_DICT_HEADER),
						 src + RETLDB_DICT_SHORT_HEADER, srcSize - RETLDB_DICT_SHORT_HEADER,
						 arena, error) ? state : NULL;
}

/* RetlEncoding.open: the entries stay in the source, unless they are shortened. */
RetlEncodingState *
RetlDictOpen(const uint8_t *src, size_t srcSize, RetlPhysType type, uint16_t width,
			 const RetlArena *arena, const char **error)
{
	RetlEncodingState *state = FindEntries(src, srcSize, type, width, arena, error);

	if (state == NULL ||
		(state->shortened != NULL && !OpenShort(state, state->shortened, arena, error)) ||
		!CheckOrder(state, type, width, error))
		return NULL;
	state->shortened = NULL;
	return state;
}

/* RetlEncoding.peek. */
RetlEncodingState *
RetlDictPeek(const uint8_t *src, size_t srcSize, RetlPhysType type, uint16_t width,
			 const RetlArena *arena)
{
	const char *error;

	return FindEntries(src, srcSize, type, width, arena, &error);
}

/* See dict_state.h. */
bool
RetlDictCheckCall(const RetlEncodingState *state, size_t srcSize, uint32_t count,
		  const char **error)
{
	if (state == NULL)
		return RetlDamaged(error, "chunk has no dictionary");
	if (count > RETLDB_MAX_PACKED)
		return RetlDamaged(error, "dictionary codes are too many");
	if (count == 0 && srcSize != 0)
		return RetlDamaged(error, "dictionary codes have the wrong length");
	return true;
}

/* See dict_state.h. */
bool
RetlDictOpenPiece(RetlDictPiece *piece, const uint8_t *src, size_t srcSize, uint32_t count,
		  const char **error)
{
	const uint8_t *end = src + srcSize;
	uint32_t	codeCount = count;

	piece->runCount = 0;
	if (srcSize < RETLDB_DICT_KIND_SIZE)
		return RetlDamaged(error, "dictionary codes are truncated");
	if (src[0] == RETLDB_DICT_RUNS)
	{
		if (srcSize < RETLDB_DICT_RUNS_HEADER)
			return RetlDamaged(error, "dictionary codes are truncated");
		codeCount = RetlLoad32(src + RETLDB_DICT_KIND_SIZE);
		if (codeCount == 0 || codeCount > count)
			return RetlDamaged(error, "dictionary codes have an impossible number of runs");
		piece->runCount = codeCount;
		src += RETLDB_DICT_RUNS_HEADER;
		if (!RetlPackedOpen(&piece->lengths, src, (size_t) (end - src), codeCount, error))
			return false;
		src += piece->lengths.size;
	}
	else if (src[0] == RETLDB_DICT_CODES)
		src += RETLDB_DICT_KIND_SIZE;
	else
		return RetlDamaged(error, "dictionary codes are of an unknown kind");
	if (!RetlPackedOpen(&piece->codes, src, (size_t) (end - src), codeCount, error))
		return false;
	if (piece->codes.size != (size_t) (end - src))
		return RetlDamaged(error, "dictionary codes have the wrong length");
	return true;
}

/*
 * See dict_state.h.  A code that is not below the number of entries makes the
 * difference negative, or is itself beyond any number of entries; either way
 * the highest bit shows it, in a loop that every processor can vectorise.
 */
bool
RetlDictCheckCodes(const RetlEncodingState *state, const uint32_t *codes, uint32_t count,
		   const char **error)
{
	uint32_t	last = state->entryCount - 1;
	uint32_t	bad = 0;
	uint32_t	i;

	for (i = 0; i < count; i++)
		bad |= codes[i] | (last - codes[i]);
	if (bad >> 31 || state->entryCount == 0)
		return RetlDamaged(error, "dictionary code is out of range");
	return true;
}

/* Expand the runs of a piece into a code for each of its "count" values. */
static bool
ExpandRuns(const RetlDictPiece *piece, const uint32_t *runCodes, uint32_t count,
		   uint32_t *codes, const RetlArena *arena, const char **error)
{
	uint32_t   *lengths = RetlArenaAlloc(arena, sizeof(uint32_t) * piece->runCount);
	uint32_t	done = 0;
	uint32_t	run;

	RetlPackedRead(&piece->lengths, 0, piece->runCount, lengths);
	for (run = 0; run < piece->runCount; run++)
	{
		uint32_t	end;

		if (lengths[run] == 0 || lengths[run] > count - done)
			return RetlDamaged(error, "lengths of code runs do not add up");
		for (end = done + lengths[run]; done < end; done++)
			codes[done] = runCodes[run];
	}
	if (done != count)
		return RetlDamaged(error, "lengths of code runs do not add up");
	return true;
}

/* The code of each value of a piece, all of them valid; count is not 0. */
static bool
ReadCodes(const RetlEncodingState *state, const RetlDictPiece *piece, uint32_t count,
		  uint32_t *codes, const RetlArena *arena, const char **error)
{
	uint32_t   *runCodes;

	if (piece->runCount == 0)
	{
		RetlPackedRead(&piece->codes, 0, count, codes);
		return RetlDictCheckCodes(state, codes, count, error);
	}
	runCodes = RetlArenaAlloc(arena, sizeof(uint32_t) * piece->runCount);
	RetlPackedRead(&piece->codes, 0, piece->runCount, runCodes);
	return RetlDictCheckCodes(state, runCodes, piece->runCount, error) &&
		ExpandRuns(piece, runCodes, count, codes, arena, error);
}

/* Copy the entry of each code; W is a constant where that is faster. */
#define GATHER_LOOP(W) \
	for (i = 0; i < count; i++) \
		memcpy(dst + (size_t) i * (W), entries + (size_t) codes[i] * (W), (W))

/* Replace valid codes by fixed-width values. */
static void
GatherFixed(uint8_t *restrict dst, const uint8_t *restrict entries, uint16_t width,
			const uint32_t *restrict codes, uint32_t count)
{
	uint32_t	i;

	switch (width)
	{
		case 1:
			GATHER_LOOP(1);
			break;
		case 2:
			GATHER_LOOP(2);
			break;
		case 4:
			GATHER_LOOP(4);
			break;
		case 8:
			GATHER_LOOP(8);
			break;
		case 16:
			GATHER_LOOP(16);
			break;
		default:
			GATHER_LOOP(width);
			break;
	}
}

/* Make a value that of a code, if there is such a code. */
static inline bool
TakeEntry(const RetlEncodingState *state, RetlPhysType type, uint16_t width, uint32_t code,
		  uint32_t index, RetlDecoded *result)
{
	if (code >= state->entryCount)
		return false;
	if (result->hasCodes)
		result->starts[index] = code;
	else if (type == RETL_PHYS_BYTES)
	{
		result->starts[index] = state->starts[code];
		result->lengths[index] = state->lengths[code];
	}
	else
		memcpy(result->fixed + (size_t) index * width, state->fixed + (size_t) code * width,
			   width);
	return true;
}

/* Decode the wanted values, which are few, of a piece with a code for each value. */
static bool
DecodeFew(const RetlEncodingState *state, const RetlDictPiece *piece, RetlPhysType type,
		  uint16_t width, RetlDecoded *result, const char **error)
{
	uint32_t	which;

	for (which = 0; which < result->fewCount; which++)
	{
		uint32_t	i = result->few[which];

		if (!TakeEntry(state, type, width, RetlPackedFetch(&piece->codes, i), i, result))
			return RetlDamaged(error, "dictionary code is out of range");
	}
	return true;
}

/* The same of a piece of runs. */
static bool
DecodeFewOfRuns(const RetlEncodingState *state, const RetlDictPiece *piece, RetlPhysType type,
				uint16_t width, RetlDecoded *result,
				const RetlArena *arena, const char **error)
{
	uint32_t   *lengths = RetlArenaAlloc(arena, sizeof(uint32_t) * piece->runCount);
	uint64_t	end = 0;
	uint32_t	run = 0;		/* the next one */
	uint32_t	which;

	RetlPackedRead(&piece->lengths, 0, piece->runCount, lengths);
	for (which = 0; which < result->fewCount; which++)
	{
		uint32_t	i = result->few[which];

		while (end <= i && run < piece->runCount)
			end += lengths[run++];
		if (end <= i)
			return RetlDamaged(error, "lengths of code runs do not add up");
		if (!TakeEntry(state, type, width, RetlPackedFetch(&piece->codes, run - 1), i, result))
			return RetlDamaged(error, "dictionary code is out of range");
	}
	return true;
}

/* RetlEncoding.decode.  Byte strings stay in the dictionary, or codes will do. */
bool
RetlDictDecode(const RetlEncodingState *state, const uint8_t *src, size_t srcSize,
		   RetlPhysType type, uint16_t width, uint32_t count,
		   RetlDecoded *result, const RetlArena *arena, const char **error)
{
	RetlDictPiece	piece;
	uint32_t   *codes;
	uint32_t	i;

	if (!RetlDictCheckCall(state, srcSize, count, error))
		return false;
	if (count == 0)
		return true;
	if (state->shortened != NULL)
		return RetlDamaged(error, "dictionary is not open");
	if (!RetlDictOpenPiece(&piece, src, srcSize, count, error))
		return false;
	result->bytes = state->bytes;
	if (RetlDecodedIsFew(result, count, arena))
	{
		result->hasCodes = result->takesCodes && type == RETL_PHYS_BYTES;
		return piece.runCount > 0
			? DecodeFewOfRuns(state, &piece, type, width, result, arena, error)
			: DecodeFew(state, &piece, type, width, result, error);
	}

	/* The codes of byte strings become the starts where they are. */
	if (type == RETL_PHYS_BYTES)
		codes = result->starts;
	else
		codes = RetlArenaAlloc(arena, sizeof(uint32_t) * count);
	if (!ReadCodes(state, &piece, count, codes, arena, error))
		return false;
	if (type != RETL_PHYS_BYTES)
	{
		GatherFixed(result->fixed, state->fixed, width, codes, count);
		return true;
	}
	if (result->takesCodes)
	{
		result->hasCodes = true;
		return true;
	}
	for (i = 0; i < count; i++)
	{
		uint32_t	code = codes[i];

		result->lengths[i] = state->lengths[code];
		result->starts[i] = state->starts[code];
	}
	return true;
}

/* See encoding.h. */
void
RetlDictGetEntries(const RetlEncodingState *state, RetlDictEntries *entries)
{
	entries->count = state->entryCount;
	entries->bytes = state->bytes;
	entries->starts = state->starts;
	entries->lengths = state->lengths;
}

/* RetlEncoding.fetch. */
bool
RetlDictFetch(const RetlEncodingState *state, const uint8_t *src, size_t srcSize,
		  RetlPhysType type, uint16_t width, uint32_t count, uint32_t index,
		  RetlDecoded *result, const RetlArena *arena, const char **error)
{
	RetlDictPiece	piece;
	uint32_t	code;

	if (state == NULL)
		return RetlDamaged(error, "chunk has no dictionary");
	if (index >= count)
		return RetlDamaged(error, "value index is out of range");
	if (!RetlDictOpenPiece(&piece, src, srcSize, count, error))
		return false;
	if (piece.runCount > 0 && !RetlPackedFindRun(&piece.lengths, index, &index))
		return RetlDamaged(error, "lengths of code runs do not add up");
	code = RetlPackedFetch(&piece.codes, index);
	if (code >= state->entryCount)
		return RetlDamaged(error, "dictionary code is out of range");
	if (state->shortened != NULL)
		return RetlFsstFetchShortened(state->shortened->symbols, state->shortened->rests,
									  state->shortened->restsSize, &state->shortened->common,
									  code, result, arena, error);
	result->bytes = state->bytes;
	return TakeEntry(state, type, width, code, 0, result);
}
