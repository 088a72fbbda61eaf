/*-------------------------------------------------------------------------
 *
 * dict.c
 *	  DICT: codes into a dictionary of the chunk's distinct values.  Pure C.
 *
 * Serves every type.  The dictionary holds each distinct value (by its bytes)
 * once, in dictionary order (valueops.h): numeric for INT and FLOAT, bytewise
 * for others.  The order lets a filter turn a comparison of values into one
 * range of codes.
 *
 * Chunk-wide state:
 *
 *	OFFSET	SIZE	DESCRIPTION
 *	0		4		d, the number of distinct values
 *	4		...		the values in strictly rising dictionary order: a PLAIN
 *					payload (plain.c) of d values
 *
 * or, for byte strings, shortened: each one without the bytes it has in common
 * with the one before, and what is left as substring codes (fsst.c):
 *
 *	OFFSET	SIZE	DESCRIPTION
 *	0		4		d + 2^31
 *	4		4		t, bytes of the symbols
 *	8		t		symbols: chunk-wide state of FSST
 *	8 + t	n		of each value, how many bytes it has in common: a packed array
 *					of d numbers
 *	...		...		the values without those: an FSST payload of d values
 *
 * Payload of a piece, empty if there are no values; every code is below d:
 *
 *	OFFSET	SIZE	DESCRIPTION
 *	0		1		kind: 0 codes, 1 runs of codes
 *
 *	kind 0:
 *	1		...		the codes: a packed array (bitpacking.h) of count numbers
 *
 *	kind 1:
 *	1		4		r, the number of runs, 1 to count
 *	5		n		their lengths, each at least 1, together count: a packed
 *					array of r numbers
 *	5 + n	...		their codes: a packed array of r numbers
 *
 * The writer takes the smaller kind for each piece.  Example: with the
 * dictionary "no", "yes", which is 02 00 00 00 | 01 02 00 00 00 02 | 6E 6F 79
 * 65 73, the values "yes", "no", "yes" are 00 | 01 00 00 00 00 | 05.
 *
 *-------------------------------------------------------------------------
 */
#include "encoding/bitpacking.h"
#include "encoding/descriptors.h"
#include "encoding/distinct.h"
#include "encoding/filtering.h"
#include "encoding/valueops.h"

#define DICT_HEADER			4
#define SHORT_HEADER		8

/* Fewer bytes of entries are not worth the symbols. */
#define MIN_SHORT_BYTES		4096
#define PIECE_KIND_SIZE		1
#define PIECE_RUNS_HEADER	5

#define PIECE_CODES			0
#define PIECE_RUNS			1

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
};

/* The payload of a piece with at least one value. */
typedef struct DictPiece
{
	uint32_t	runCount;		/* 0: no runs, a code for each value */
	RetlPacked	lengths;
	RetlPacked	codes;
} DictPiece;

/* ---------------------------------------------------------------------
 * Writing
 * ---------------------------------------------------------------------
 */

/* Any type. */
static bool
DictApplies(RetlPhysType type, uint16_t width)
{
	return RetlPlainEncoding.applies(type, width);
}

/*
 * Bytes that the codes take, about: in every piece codes of the whole width, or
 * runs of which the changes say how many there are.
 */
static uint64_t
CodesSize(const RetlDistinct *distinct, uint32_t count, uint32_t pieceRows)
{
	uint64_t	pieces = count / pieceRows + (count % pieceRows != 0);
	unsigned	codeWidth = RetlBitWidth(distinct->count - 1);
	uint64_t	runs = distinct->changes + pieces - 1;
	unsigned	lengthWidth = RetlBitWidth(count / runs * 4);
	uint64_t	asCodes = pieces * (PIECE_KIND_SIZE + RETLDB_PACKED_HEADER) +
		RetlBitsSize(count, codeWidth);
	uint64_t	asRuns = pieces * (PIECE_RUNS_HEADER + 2 * RETLDB_PACKED_HEADER) +
		RetlBitsSize(runs, codeWidth + lengthWidth);

	return asRuns < asCodes ? asRuns : asCodes;
}

/* Is it worth trying to shorten entries of so many bytes? */
static bool
MayShorten(const RetlValues *values, uint64_t entriesBytes)
{
	return values->type == RETL_PHYS_BYTES && !values->isNumeric &&
		entriesBytes >= MIN_SHORT_BYTES;
}

/*
 * Bytes of the entries, about.  Shortened, they lose half at least; for their
 * lengths two bytes each will do.
 */
static uint64_t
EntriesSize(const RetlDistinct *distinct, const RetlValues *values)
{
	uint64_t	bytes = distinct->bytes;

	if (MayShorten(values, bytes))
		bytes /= 2;
	if (values->type == RETL_PHYS_BYTES)
		bytes += RETLDB_PACKED_HEADER + UINT64_C(2) * distinct->count;
	return bytes;
}

/* Distinct values of more bytes than this cannot pay. */
static uint64_t
EntriesLimit(const RetlValues *values)
{
	uint64_t	limit = RetlValuesRawSize(values);

	return limit < RETLDB_UNIT_RAW_MAX / 2 ? limit : RETLDB_UNIT_RAW_MAX / 2;
}

/*
 * RetlEncoding.analyse: close.  Gives up where the distinct values alone are
 * more than the values would be without a dictionary.
 */
static uint64_t
DictAnalyse(const RetlValues *values, uint32_t pieceRows, const RetlArena *arena)
{
	RetlDistinct distinct;
	uint32_t   *codes;

	if (values->count == 0)
		return DICT_HEADER;
	if (values->count > RETLDB_MAX_GROUP_ROWS || RetlDistinctHopeless(values, arena))
		return RETLDB_NEVER;
	codes = RetlArenaAlloc(arena, sizeof(uint32_t) * values->count);
	if (!RetlDistinctCollect(&distinct, values, EntriesLimit(values), codes, arena))
		return RETLDB_NEVER;
	return DICT_HEADER + EntriesSize(&distinct, values) +
		CodesSize(&distinct, values->count, pieceRows);
}

/* The distinct values in order, as an array of their own. */
static RetlValues
CollectEntries(const RetlDistinct *distinct, const RetlValues *values,
			   const uint32_t *order, const RetlArena *arena)
{
	RetlValues	entries = *values;
	uint8_t    *bytes = RetlArenaAlloc(arena, distinct->bytes > 0 ? (size_t) distinct->bytes : 1);
	uint32_t   *offsets = NULL;
	size_t		size = 0;
	uint32_t	i;

	if (values->type == RETL_PHYS_BYTES)
		offsets = RetlArenaAlloc(arena, sizeof(uint32_t) * ((size_t) distinct->count + 1));
	for (i = 0; i < distinct->count; i++)
	{
		uint32_t	length;
		const uint8_t *value = RetlValueAt(values, distinct->firsts[order[i]], &length);

		if (offsets != NULL)
			offsets[i] = (uint32_t) size;
		if (length > 0)
			memcpy(bytes + size, value, length);
		size += length;
	}
	if (offsets != NULL)
		offsets[distinct->count] = (uint32_t) size;
	entries.count = distinct->count;
	entries.fixed = offsets == NULL ? bytes : NULL;
	entries.offsets = offsets;
	entries.bytes = offsets != NULL ? bytes : NULL;
	return entries;
}

/* How many bytes have entry i and the one before in common at the start? */
static uint32_t
CommonBytes(const RetlValues *entries, uint32_t i)
{
	uint32_t	length;
	uint32_t	beforeLength;
	const uint8_t *entry = RetlValueAt(entries, i, &length);
	const uint8_t *before = RetlValueAt(entries, i - 1, &beforeLength);
	uint32_t	common = 0;

	while (common < length && common < beforeLength && entry[common] == before[common])
		common++;
	return common;
}

/* Append the shortened dictionary of these entries. */
static void
AppendShort(const RetlValues *entries, const RetlArena *arena, RetlBytes *out)
{
	uint32_t	header[2] = {entries->count | RETLDB_DICTIONARY_SHORT, 0};
	uint32_t   *common = RetlArenaAlloc(arena, sizeof(uint32_t) * entries->count);
	uint32_t   *offsets = RetlArenaAlloc(arena, sizeof(uint32_t) * ((size_t) entries->count + 1));
	uint8_t    *bytes = RetlArenaAlloc(arena, (size_t) RetlValuesRawSize(entries) + 1);
	RetlValues	rests = *entries;
	RetlEncodingState *symbols;
	size_t		start = out->length;
	uint32_t	i;

	offsets[0] = 0;
	for (i = 0; i < entries->count; i++)
	{
		uint32_t	length;
		const uint8_t *entry = RetlValueAt(entries, i, &length);

		common[i] = i == 0 ? 0 : CommonBytes(entries, i);
		memcpy(bytes + offsets[i], entry + common[i], length - common[i]);
		offsets[i + 1] = offsets[i] + length - common[i];
	}
	rests.offsets = offsets;
	rests.bytes = bytes;
	RetlBytesAppend(out, header, SHORT_HEADER);
	symbols = RetlFsstEncoding.prepare(&rests, arena, out);
	header[1] = (uint32_t) (out->length - start - SHORT_HEADER);
	memcpy(out->data + start, header, SHORT_HEADER);
	RetlPackedAppend(out, common, entries->count);
	RetlFsstEncoding.encode(symbols, &rests, 0, out);
}

/* Append the dictionary of these entries, shortened if that saves a quarter. */
static void
AppendEntries(const RetlValues *entries, const RetlArena *arena, RetlBytes *out)
{
	RetlBytes	shorter;

	RetlBytesAppend(out, &entries->count, DICT_HEADER);
	RetlPlainEncoding.encode(NULL, entries, 0, out);
	if (!MayShorten(entries, RetlValuesRawSize(entries)))
		return;
	RetlBytesInit(&shorter, arena, out->length);
	AppendShort(entries, arena, &shorter);
	if (shorter.length < out->length - out->length / 4)
	{
		RetlBytesReset(out);
		RetlBytesAppend(out, shorter.data, shorter.length);
	}
}

/* Append the dictionary, and make codes of the numbers of the distinct values. */
static RetlEncodingState *
BuildState(const RetlDistinct *distinct, const RetlValues *values, uint32_t *codes,
		   const RetlArena *arena, RetlBytes *out)
{
	RetlEncodingState *state = RetlArenaAlloc(arena, sizeof(RetlEncodingState));
	uint32_t   *order = RetlArenaAlloc(arena, sizeof(uint32_t) * ((size_t) distinct->count + 1));
	uint32_t   *rank;
	uint32_t	i;

	RetlDistinctSort(distinct, values, order, arena);
	if (!distinct->inOrder)
	{
		rank = RetlArenaAlloc(arena, sizeof(uint32_t) * ((size_t) distinct->count + 1));
		for (i = 0; i < distinct->count; i++)
			rank[order[i]] = i;
		for (i = 0; i < values->count; i++)
			codes[i] = rank[codes[i]];
	}

	memset(state, 0, sizeof(*state));
	state->codes = codes;
	state->entries = CollectEntries(distinct, values, order, arena);
	AppendEntries(&state->entries, arena, out);
	return state;
}

/* RetlEncoding.prepare: the dictionary, and the code of every value of the chunk. */
static RetlEncodingState *
DictPrepare(const RetlValues *values, const RetlArena *arena, RetlBytes *out)
{
	uint32_t   *codes = RetlArenaAlloc(arena, sizeof(uint32_t) * ((size_t) values->count + 1));
	RetlDistinct distinct;

	(void) RetlDistinctCollect(&distinct, values, UINT64_MAX, codes, arena);
	return BuildState(&distinct, values, codes, arena, out);
}

/* Could a dictionary of values like this sample be smaller than maxBytes? */
static bool
MayPay(const RetlValues *values, const RetlValues *sample, uint32_t pieceRows,
	   uint64_t maxBytes, const RetlArena *arena)
{
	RetlDistinct distinct;
	uint32_t   *codes = RetlArenaAlloc(arena, sizeof(uint32_t) * sample->count);
	uint64_t	codesSize;

	if (sample->count == values->count)
		return true;
	if (!RetlDistinctCollect(&distinct, sample, maxBytes, codes, arena))
		return false;
	if (distinct.count > sample->count / 2 && RetlDistinctHopeless(values, arena))
		return false;

	/* The chunk has at least the distinct values of its sample. */
	codesSize = CodesSize(&distinct, sample->count, pieceRows);
	codesSize = codesSize * values->count / sample->count;
	return EntriesSize(&distinct, values) + codesSize < maxBytes;
}

/* RetlEncoding.attempt.  If there is no sample, somebody has judged it. */
static RetlEncodingState *
DictAttempt(const RetlValues *values, const RetlValues *sample, uint32_t pieceRows,
			uint64_t maxBytes, const RetlArena *arena, RetlBytes *out)
{
	uint64_t	limit = EntriesLimit(values);
	uint64_t	maxEntries = MayShorten(values, limit) ? maxBytes * 2 : maxBytes;
	RetlDistinct distinct;
	uint32_t   *codes;

	if (values->count == 0 || values->count > RETLDB_MAX_GROUP_ROWS ||
		(sample != NULL && !MayPay(values, sample, pieceRows, maxBytes, arena)))
		return NULL;
	codes = RetlArenaAlloc(arena, sizeof(uint32_t) * values->count);
	if (!RetlDistinctCollect(&distinct, values, maxEntries, codes, arena) ||
		distinct.bytes > limit ||
		DICT_HEADER + EntriesSize(&distinct, values) +
		CodesSize(&distinct, values->count, pieceRows) >= maxBytes)
		return NULL;
	return BuildState(&distinct, values, codes, arena, out);
}

/* See encoding.h. */
void
RetlDictGetWritten(const RetlEncodingState *state, RetlValues *entries, const uint32_t **codes)
{
	*entries = state->entries;
	*codes = state->codes;
}

/* What a writer looks at before it chooses the kind of a piece. */
typedef struct CodesSummary
{
	uint32_t	smallest;
	uint32_t	largest;
	uint32_t	runCount;
} CodesSummary;

/* Look at the codes of a piece, at least one; a loop that compilers vectorise. */
static CodesSummary
SummariseCodes(const uint32_t *codes, uint32_t count)
{
	CodesSummary summary = {codes[0], codes[0], 1};
	uint32_t	i;

	for (i = 1; i < count; i++)
	{
		summary.smallest = codes[i] < summary.smallest ? codes[i] : summary.smallest;
		summary.largest = codes[i] > summary.largest ? codes[i] : summary.largest;
		summary.runCount += codes[i] != codes[i - 1];
	}
	return summary;
}

/* How long is the longest run of equal codes? */
static uint32_t
LongestRun(const uint32_t *codes, uint32_t count)
{
	uint32_t	longest = 0;
	uint32_t	start = 0;
	uint32_t	i;

	for (i = 1; i <= count; i++)
		if (i == count || codes[i] != codes[i - 1])
		{
			longest = i - start > longest ? i - start : longest;
			start = i;
		}
	return longest;
}

/*
 * Is the piece smaller as runs?  Unless each code is a run of its own, a length
 * takes a bit at least where there are more runs than half the codes; that
 * answers it for most pieces.
 */
static bool
RunsAreSmaller(const CodesSummary *summary, const uint32_t *codes, uint32_t count)
{
	uint64_t	asCodes = RetlPackedSize(count, summary->smallest, summary->largest);
	uint64_t	width = RetlBitWidth(summary->largest - summary->smallest);
	uint64_t	runCount = summary->runCount;

	if (runCount > count / 2 &&
		(runCount == count || runCount * (width + 1) >= count * width))
		return false;
	return sizeof(summary->runCount) +
		RetlPackedSize(summary->runCount, 1, LongestRun(codes, count)) +
		RetlPackedSize(summary->runCount, summary->smallest, summary->largest) < asCodes;
}

/* Append a piece of kind 1. */
static void
AppendRuns(const uint32_t *codes, uint32_t count, uint32_t runCount, RetlBytes *out)
{
	uint32_t   *lengths = RetlArenaAlloc(out->arena, sizeof(uint32_t) * runCount);
	uint32_t   *runCodes = RetlArenaAlloc(out->arena, sizeof(uint32_t) * runCount);
	const uint8_t kind = PIECE_RUNS;
	uint32_t	run = 0;
	uint32_t	start = 0;
	uint32_t	i;

	for (i = 1; i <= count; i++)
		if (i == count || codes[i] != codes[i - 1])
		{
			lengths[run] = i - start;
			runCodes[run++] = codes[start];
			start = i;
		}
	RetlBytesAppend(out, &kind, PIECE_KIND_SIZE);
	RetlBytesAppend(out, &runCount, sizeof(runCount));
	RetlPackedAppend(out, lengths, runCount);
	RetlPackedAppend(out, runCodes, runCount);
}

/* RetlEncoding.encode: of the state's codes; the values are not looked at. */
static void
DictEncode(RetlEncodingState *state, const RetlValues *values, uint32_t first,
		   RetlBytes *out)
{
	const uint32_t *codes = state->codes + first;
	const uint8_t kind = PIECE_CODES;
	CodesSummary summary;

	if (values->count == 0)
		return;
	summary = SummariseCodes(codes, values->count);
	if (RunsAreSmaller(&summary, codes, values->count))
	{
		AppendRuns(codes, values->count, summary.runCount, out);
		return;
	}
	RetlBytesAppend(out, &kind, PIECE_KIND_SIZE);
	RetlPackedAppend(out, codes, values->count);
}

/* ---------------------------------------------------------------------
 * Reading
 * ---------------------------------------------------------------------
 */

/* Where an entry of the dictionary begins, and its length. */
static const uint8_t *
EntryAt(const RetlEncodingState *state, uint16_t width, uint32_t code, uint32_t *length)
{
	if (state->starts == NULL)
	{
		*length = width;
		return state->fixed + (size_t) code * width;
	}
	*length = state->lengths[code];
	return state->bytes + state->starts[code];
}

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
		const uint8_t *before = EntryAt(state, width, i - 1, &beforeLength);
		const uint8_t *entry = EntryAt(state, width, i, &length);

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

/* Read shortened entries; the source is what follows the header. */
static bool
OpenShort(RetlEncodingState *state, uint32_t symbolsSize, const uint8_t *src, size_t srcSize,
		  const RetlArena *arena, const char **error)
{
	uint32_t	count = state->entryCount;
	RetlEncodingState *symbols;
	RetlPacked	packed;
	RetlDecoded rests;
	uint32_t   *common;

	/* As with those in full: all but one have a byte at least. */
	if (symbolsSize > srcSize || (count > 0 && count - 1 > srcSize))
		return RetlDamaged(error, "dictionary has the wrong length");
	symbols = RetlFsstEncoding.open(src, symbolsSize, RETL_PHYS_BYTES, 0, arena, error);
	if (symbols == NULL)
		return false;
	src += symbolsSize;
	srcSize -= symbolsSize;
	if (!RetlPackedOpen(&packed, src, srcSize, count, error))
		return false;
	common = RetlArenaAlloc(arena, sizeof(uint32_t) * ((size_t) count + 1));
	RetlPackedRead(&packed, 0, count, common);
	state->starts = RetlArenaAlloc(arena, sizeof(uint32_t) * ((size_t) count + 1));
	state->lengths = RetlArenaAlloc(arena, sizeof(uint32_t) * ((size_t) count + 1));
	memset(&rests, 0, sizeof(rests));
	rests.starts = RetlArenaAlloc(arena, sizeof(uint32_t) * ((size_t) count + 1));
	rests.lengths = RetlArenaAlloc(arena, sizeof(uint32_t) * ((size_t) count + 1));
	return RetlFsstEncoding.decode(symbols, src + packed.size, srcSize - packed.size,
								   RETL_PHYS_BYTES, 0, count, &rests, arena, error) &&
		JoinEntries(state, common, &rests, arena, error);
}

/* RetlEncoding.open: the entries stay in the source, unless they are shortened. */
static RetlEncodingState *
DictOpen(const uint8_t *src, size_t srcSize, RetlPhysType type, uint16_t width,
		 const RetlArena *arena, const char **error)
{
	RetlEncodingState *state;
	uint32_t	count;
	bool		isShort;
	bool		good;

	if (srcSize < DICT_HEADER)
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
	if (isShort && srcSize < SHORT_HEADER)
	{
		*error = "dictionary is truncated";
		return NULL;
	}
	state = RetlArenaAlloc(arena, sizeof(RetlEncodingState));
	memset(state, 0, sizeof(*state));
	state->entryCount = count;
	good = isShort
		? OpenShort(state, RetlLoad32(src + DICT_HEADER), src + SHORT_HEADER,
					srcSize - SHORT_HEADER, arena, error)
		: OpenEntries(state, src + DICT_HEADER, srcSize - DICT_HEADER, type, width,
					  arena, error);
	if (!good ||
		!CheckOrder(state, type, width, error))
		return NULL;
	return state;
}

/* Check what decode and filter were given, before memory is asked for. */
static bool
CheckCall(const RetlEncodingState *state, size_t srcSize, uint32_t count,
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

/* Understand a payload; count is not 0.  Lengths and codes are not looked at yet. */
static bool
OpenPiece(DictPiece *piece, const uint8_t *src, size_t srcSize, uint32_t count,
		  const char **error)
{
	const uint8_t *end = src + srcSize;
	uint32_t	codeCount = count;

	piece->runCount = 0;
	if (srcSize < PIECE_KIND_SIZE)
		return RetlDamaged(error, "dictionary codes are truncated");
	if (src[0] == PIECE_RUNS)
	{
		if (srcSize < PIECE_RUNS_HEADER)
			return RetlDamaged(error, "dictionary codes are truncated");
		codeCount = RetlLoad32(src + PIECE_KIND_SIZE);
		if (codeCount == 0 || codeCount > count)
			return RetlDamaged(error, "dictionary codes have an impossible number of runs");
		piece->runCount = codeCount;
		src += PIECE_RUNS_HEADER;
		if (!RetlPackedOpen(&piece->lengths, src, (size_t) (end - src), codeCount, error))
			return false;
		src += piece->lengths.size;
	}
	else if (src[0] == PIECE_CODES)
		src += PIECE_KIND_SIZE;
	else
		return RetlDamaged(error, "dictionary codes are of an unknown kind");
	if (!RetlPackedOpen(&piece->codes, src, (size_t) (end - src), codeCount, error))
		return false;
	if (piece->codes.size != (size_t) (end - src))
		return RetlDamaged(error, "dictionary codes have the wrong length");
	return true;
}

/*
 * Are all codes below the number of entries?  A code that is not makes the
 * difference negative, or is itself beyond any number of entries; either way
 * the highest bit shows it, in a loop that every processor can vectorise.
 */
static bool
CheckCodes(const RetlEncodingState *state, const uint32_t *codes, uint32_t count,
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
ExpandRuns(const DictPiece *piece, const uint32_t *runCodes, uint32_t count,
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
ReadCodes(const RetlEncodingState *state, const DictPiece *piece, uint32_t count,
		  uint32_t *codes, const RetlArena *arena, const char **error)
{
	uint32_t   *runCodes;

	if (piece->runCount == 0)
	{
		RetlPackedRead(&piece->codes, 0, count, codes);
		return CheckCodes(state, codes, count, error);
	}
	runCodes = RetlArenaAlloc(arena, sizeof(uint32_t) * piece->runCount);
	RetlPackedRead(&piece->codes, 0, piece->runCount, runCodes);
	return CheckCodes(state, runCodes, piece->runCount, error) &&
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
	if (type == RETL_PHYS_BYTES)
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
DecodeFew(const RetlEncodingState *state, const DictPiece *piece, RetlPhysType type,
		  uint16_t width, uint32_t count, RetlDecoded *result, const char **error)
{
	uint32_t	i;

	for (i = RetlNextSelected(result->wanted, 0, count); i < count;
		 i = RetlNextSelected(result->wanted, i + 1, count))
		if (!TakeEntry(state, type, width, RetlPackedFetch(&piece->codes, i), i, result))
			return RetlDamaged(error, "dictionary code is out of range");
	return true;
}

/* The same of a piece of runs. */
static bool
DecodeFewOfRuns(const RetlEncodingState *state, const DictPiece *piece, RetlPhysType type,
				uint16_t width, uint32_t count, RetlDecoded *result,
				const RetlArena *arena, const char **error)
{
	uint32_t   *lengths = RetlArenaAlloc(arena, sizeof(uint32_t) * piece->runCount);
	uint64_t	end = 0;
	uint32_t	run = 0;		/* the next one */
	uint32_t	i;

	RetlPackedRead(&piece->lengths, 0, piece->runCount, lengths);
	for (i = RetlNextSelected(result->wanted, 0, count); i < count;
		 i = RetlNextSelected(result->wanted, i + 1, count))
	{
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
static bool
DictDecode(const RetlEncodingState *state, const uint8_t *src, size_t srcSize,
		   RetlPhysType type, uint16_t width, uint32_t count,
		   RetlDecoded *result, const RetlArena *arena, const char **error)
{
	DictPiece	piece;
	uint32_t   *codes;
	uint32_t	i;

	if (!CheckCall(state, srcSize, count, error))
		return false;
	if (count == 0)
		return true;
	if (!OpenPiece(&piece, src, srcSize, count, error))
		return false;
	result->bytes = state->bytes;
	if (RetlSelectionIsSparse(result->wanted, count))
		return piece.runCount > 0
			? DecodeFewOfRuns(state, &piece, type, width, count, result, arena, error)
			: DecodeFew(state, &piece, type, width, count, result, error);

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
static bool
DictFetch(const RetlEncodingState *state, const uint8_t *src, size_t srcSize,
		  RetlPhysType type, uint16_t width, uint32_t count, uint32_t index,
		  RetlDecoded *result, const RetlArena *arena, const char **error)
{
	DictPiece	piece;
	uint32_t	code;

	(void) arena;
	if (state == NULL)
		return RetlDamaged(error, "chunk has no dictionary");
	if (index >= count)
		return RetlDamaged(error, "value index is out of range");
	if (!OpenPiece(&piece, src, srcSize, count, error))
		return false;
	if (piece.runCount > 0 && !RetlPackedFindRun(&piece.lengths, index, &index))
		return RetlDamaged(error, "lengths of code runs do not add up");
	code = RetlPackedFetch(&piece.codes, index);
	result->bytes = state->bytes;
	if (!TakeEntry(state, type, width, code, 0, result))
		return RetlDamaged(error, "dictionary code is out of range");
	return true;
}

/* ---------------------------------------------------------------------
 * Filtering
 * ---------------------------------------------------------------------
 */

/* What is known of an entry. */
typedef enum DictVerdict
{
	VERDICT_UNKNOWN,
	VERDICT_FAIL,
	VERDICT_PASS
} DictVerdict;

/*
 * What a filter's memo holds: which codes pass, as a range or as a verdict for
 * each.  Verdicts are found when a selected value needs them.
 */
typedef struct DictMemo
{
	RetlRange	range;
	uint8_t    *verdicts;		/* NULL: the range says it all */
} DictMemo;

/*
 * The number of entries that compare lower than the constant, or, if
 * "orEqual", lower or equal.
 */
static uint32_t
EntriesBelow(const RetlEncodingState *state, RetlPhysType type, uint16_t width,
			 const RetlFilterConstant *constant, bool orEqual)
{
	uint32_t	low = 0;
	uint32_t	high = state->entryCount;

	while (low < high)
	{
		uint32_t	middle = low + (high - low) / 2;
		uint32_t	length;
		const uint8_t *entry = EntryAt(state, width, middle, &length);
		int			cmp = RetlCompareValues(type, width, entry, length,
											constant->data, constant->length);

		if (cmp < 0 || (orEqual && cmp == 0))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The codes that pass a comparison: equal values are neighbours, so they are a range. */
static RetlRange
RangeOfCodes(const RetlEncodingState *state, RetlPhysType type, uint16_t width,
			 const RetlFilter *filter)
{
	const RetlFilterConstant *first = &filter->constants[0];
	const RetlFilterConstant *last = &filter->constants[filter->constantCount - 1];
	RetlFilterOp op = filter->op;
	RetlRange	range = {1, 0, op == RETL_NE};
	uint32_t	from = 0;
	uint32_t	to = state->entryCount; /* from <= code < to */

	if (op != RETL_LT && op != RETL_LE)
		from = EntriesBelow(state, type, width, first, op == RETL_GT);
	if (op != RETL_GE && op != RETL_GT)
		to = EntriesBelow(state, type, width, last, op != RETL_LT);
	if (from < to)
	{
		range.low = from;
		range.high = to - 1;
	}
	return range;
}

/* Give each code its verdict: does the constant it equals exist? */
static void
MarkAmong(const RetlEncodingState *state, RetlPhysType type, uint16_t width,
		  const RetlFilter *filter, uint8_t *verdicts)
{
	uint32_t	i;

	memset(verdicts, VERDICT_FAIL, state->entryCount);
	for (i = 0; i < filter->constantCount; i++)
	{
		uint32_t	from = EntriesBelow(state, type, width, &filter->constants[i], false);
		uint32_t	to = EntriesBelow(state, type, width, &filter->constants[i], true);

		if (from < to)
			memset(verdicts + from, VERDICT_PASS, to - from);
	}
}

/* The verdicts as a range, if they are one. */
static void
FindRange(DictMemo *memo, uint32_t entryCount)
{
	uint32_t	from = 0;
	uint32_t	to = entryCount;
	uint32_t	i;

	while (from < to && memo->verdicts[from] == VERDICT_FAIL)
		from++;
	while (from < to && memo->verdicts[to - 1] == VERDICT_FAIL)
		to--;
	for (i = from; i < to; i++)
		if (memo->verdicts[i] == VERDICT_FAIL)
			return;
	memo->verdicts = NULL;
	if (from < to)
	{
		memo->range.low = from;
		memo->range.high = to - 1;
	}
}

/* Does the order of the dictionary tell which entries pass? */
static bool
IsInOrder(const RetlFilter *filter, RetlPhysType type, uint16_t width)
{
	bool		equality = filter->op == RETL_EQ || filter->op == RETL_NE ||
		filter->op == RETL_IN;

	/* It is in signed order, which equality does not mind. */
	return RetlFilterCanCompare(filter, type, width) &&
		filter->order != RETL_ORDER_NUMERIC &&
		(equality || filter->order != RETL_ORDER_UNSIGNED);
}

/* The memo of a chunk's first piece. */
static DictMemo *
MakeMemo(const RetlEncodingState *state, RetlPhysType type, uint16_t width,
		 const RetlFilter *filter, const RetlArena *arena)
{
	DictMemo *memo = RetlArenaAlloc(arena, sizeof(DictMemo));
	bool		inOrder = IsInOrder(filter, type, width);

	memset(memo, 0, sizeof(*memo));
	memo->range.low = 1;
	if (inOrder && filter->op != RETL_IN)
	{
		memo->range = RangeOfCodes(state, type, width, filter);
		return memo;
	}
	memo->verdicts = RetlArenaAlloc(arena, (size_t) state->entryCount + 1);
	memset(memo->verdicts, VERDICT_UNKNOWN, state->entryCount);
	if (inOrder)
	{
		MarkAmong(state, type, width, filter, memo->verdicts);
		FindRange(memo, state->entryCount);
	}
	return memo;
}

/* A filter at work on a piece. */
typedef struct DictTest
{
	const RetlEncodingState *state;
	const RetlFilter *filter;
	RetlPhysType type;
	uint16_t	width;
	DictMemo *memo;
} DictTest;

/* Clear the bits of codes, all of them valid, that do not pass. */
static void
SelectCodes(const DictTest *test, const uint32_t *codes, uint32_t count, uint64_t *selected)
{
	uint8_t    *verdicts = test->memo->verdicts;
	uint32_t	word;

	if (verdicts == NULL)
	{
		RetlSelectRange32(codes, count, &test->memo->range, selected);
		return;
	}
	for (word = 0; word < RetlSelectionWords(count); word++)
	{
		uint64_t	left;

		for (left = selected[word]; left != 0; left &= left - 1)
		{
			unsigned	bit = (unsigned) __builtin_ctzll(left);
			uint32_t	code = codes[word * 64 + bit];

			if (verdicts[code] == VERDICT_UNKNOWN)
			{
				uint32_t	length;
				const uint8_t *entry = EntryAt(test->state, test->width, code, &length);

				verdicts[code] = RetlFilterTest(test->filter, test->type, test->width,
												entry, length)
					? VERDICT_PASS : VERDICT_FAIL;
			}
			if (verdicts[code] == VERDICT_FAIL)
				selected[word] &= ~(UINT64_C(1) << bit);
		}
	}
}

/* Codes handled at a time; a multiple of 64. */
#define BLOCK_CODES		512

/* Filter a piece with a code for each value. */
static bool
FilterCodes(const DictTest *test, const DictPiece *piece, uint32_t count,
			uint64_t *selected, const char **error)
{
	uint32_t	block[BLOCK_CODES];
	uint32_t	first;

	/* A code beyond the dictionary does no harm here; decode finds it. */
	if (test->memo->verdicts == NULL)
	{
		RetlPackedSelect(&piece->codes, &test->memo->range, selected);
		return true;
	}
	for (first = 0; first < count; first += BLOCK_CODES)
	{
		uint32_t	part = count - first < BLOCK_CODES ? count - first : BLOCK_CODES;

		if (!RetlSelectionAny(selected, first, part))
			continue;
		RetlPackedRead(&piece->codes, first, part, block);
		if (!CheckCodes(test->state, block, part, error))
			return false;
		SelectCodes(test, block, part, selected + first / 64);
	}
	return true;
}

/* Filter a piece of runs: once for each run with selected values. */
static bool
FilterRuns(const DictTest *test, const DictPiece *piece, uint32_t count,
		   uint64_t *selected, const RetlArena *arena, const char **error)
{
	uint32_t   *lengths = RetlArenaAlloc(arena, sizeof(uint32_t) * piece->runCount);
	uint32_t   *codes = RetlArenaAlloc(arena, sizeof(uint32_t) * piece->runCount);
	uint32_t	start = 0;
	uint32_t	run;

	RetlPackedRead(&piece->lengths, 0, piece->runCount, lengths);
	RetlPackedRead(&piece->codes, 0, piece->runCount, codes);
	if (!CheckCodes(test->state, codes, piece->runCount, error))
		return false;
	for (run = 0; run < piece->runCount; run++)
	{
		uint64_t	passes = 1;

		if (lengths[run] == 0 || lengths[run] > count - start)
			return RetlDamaged(error, "lengths of code runs do not add up");
		if (RetlSelectionAny(selected, start, lengths[run]))
			SelectCodes(test, &codes[run], 1, &passes);
		if (passes == 0)
			RetlSelectionClear(selected, start, lengths[run]);
		start += lengths[run];
	}
	if (start != count)
		return RetlDamaged(error, "lengths of code runs do not add up");
	return true;
}

/* RetlEncoding.filter: codes are compared, not values. */
static bool
DictFilter(const RetlEncodingState *state, const uint8_t *src, size_t srcSize,
		   RetlPhysType type, uint16_t width, uint32_t count,
		   const RetlFilter *filter, RetlFilterMemo *memo,
		   uint64_t *selected, bool *answered,
		   const RetlArena *arena, const char **error)
{
	DictPiece	piece;
	DictTest	test = {state, filter, type, width, NULL};

	if (!CheckCall(state, srcSize, count, error))
		return false;
	*answered = RetlFilterCanTest(filter, type, width);
	if (!*answered || count == 0)
		return true;
	if (!OpenPiece(&piece, src, srcSize, count, error))
		return false;
	if (memo->data == NULL)
		memo->data = MakeMemo(state, type, width, filter, memo->arena);
	test.memo = memo->data;
	if (piece.runCount > 0)
		return FilterRuns(&test, &piece, count, selected, arena, error);
	return FilterCodes(&test, &piece, count, selected, error);
}

/* ---------------------------------------------------------------------
 * Excluding chunks
 * ---------------------------------------------------------------------
 */

/* More constants of IN than this are not looked for one by one. */
#define MAX_SEARCHED	16

/* A dictionary that is searched. */
typedef struct DictSearch
{
	RetlPhysType type;
	uint16_t	width;
	const RetlEncodingState *state; /* its entries, or NULL if it is shortened: */
	uint32_t	entryCount;
	const RetlEncodingState *symbols;
	RetlPacked	common;
	const uint8_t *rests;
	size_t		restsSize;
} DictSearch;

/* Make a dictionary on disk one that can be searched; entries are not put together. */
static bool
OpenSearch(DictSearch *search, const uint8_t *src, size_t srcSize, const RetlArena *arena)
{
	RetlEncodingState *state;
	const char *error;
	uint32_t	count;
	uint32_t	symbolsSize;

	if (srcSize < DICT_HEADER)
		return false;
	count = RetlLoad32(src);
	if (search->type == RETL_PHYS_BYTES && (count & RETLDB_DICTIONARY_SHORT) != 0)
	{
		count &= ~RETLDB_DICTIONARY_SHORT;
		if (srcSize < SHORT_HEADER)
			return false;
		symbolsSize = RetlLoad32(src + DICT_HEADER);
		src += SHORT_HEADER;
		srcSize -= SHORT_HEADER;
		if (symbolsSize > srcSize)
			return false;
		search->symbols = RetlFsstEncoding.open(src, symbolsSize, RETL_PHYS_BYTES, 0, arena, &error);
		if (search->symbols == NULL ||
			!RetlPackedOpen(&search->common, src + symbolsSize, srcSize - symbolsSize, count, &error))
			return false;
		search->rests = src + symbolsSize + search->common.size;
		search->restsSize = srcSize - symbolsSize - search->common.size;
		search->entryCount = count;
		return true;
	}
	if (count > RETLDB_MAX_GROUP_ROWS)
		return false;
	state = RetlArenaAlloc(arena, sizeof(RetlEncodingState));
	memset(state, 0, sizeof(*state));
	state->entryCount = count;
	search->entryCount = count;
	search->state = state;
	return OpenEntries(state, src + DICT_HEADER, srcSize - DICT_HEADER, search->type,
					   search->width, arena, &error);
}

/* Where a constant stands among the entries; false if the dictionary is damaged. */
static bool
FindPlace(const DictSearch *search, const RetlFilterConstant *constant, RetlStringPlace *place)
{
	if (search->state == NULL)
		return RetlFsstFindShortened(search->symbols, search->rests, search->restsSize,
									 &search->common, constant, place);
	place->below = EntriesBelow(search->state, search->type, search->width, constant, false);
	place->equal = EntriesBelow(search->state, search->type, search->width, constant, true) >
		place->below;
	return true;
}

/* Is none of the filter's constants an entry? */
static bool
ExcludesAll(const DictSearch *search, const RetlFilter *filter)
{
	uint32_t	i;

	for (i = 0; i < filter->constantCount; i++)
	{
		RetlStringPlace place;

		if (!FindPlace(search, &filter->constants[i], &place) || place.equal)
			return false;
	}
	return true;
}

/* Does no entry pass a comparison with the place of its constant? */
static bool
ExcludesRange(const DictSearch *search, const RetlFilter *filter)
{
	RetlStringPlace first;
	RetlStringPlace last;

	if (!FindPlace(search, &filter->constants[0], &first))
		return false;
	switch (filter->op)
	{
		case RETL_LT:
			return first.below == 0;
		case RETL_LE:
			return first.below == 0 && !first.equal;
		case RETL_GE:
			return first.below == search->entryCount;
		case RETL_GT:
			/* there may be two of equal floats: zeros, NaNs; then this is not known */
			return first.below == search->entryCount ||
				(first.equal && first.below + 1 == search->entryCount);
		case RETL_BETWEEN:
			return FindPlace(search, &filter->constants[1], &last) &&
				last.below + (last.equal ? 1 : 0) <= first.below;
		default:
			return false;
	}
}

/* RetlEncoding.excludes. */
static bool
DictExcludes(const RetlEncodingState *state, const uint8_t *src, size_t srcSize,
			 RetlPhysType type, uint16_t width, const RetlFilter *filter,
			 const RetlArena *arena)
{
	DictSearch	search = {.type = type,.width = width,.state = state};

	if (!IsInOrder(filter, type, width) || filter->op == RETL_NE ||
		(filter->op == RETL_IN && filter->constantCount > MAX_SEARCHED))
		return false;
	if (state != NULL)
		search.entryCount = state->entryCount;
	else if (!OpenSearch(&search, src, srcSize, arena))
		return false;
	if (filter->op == RETL_EQ || filter->op == RETL_IN)
		return ExcludesAll(&search, filter);
	return ExcludesRange(&search, filter);
}

const RetlEncoding RetlDictEncoding = {
	.id = RETL_ENCODING_DICT,
	.name = "dict",
	.applies = DictApplies,
	.analyse = DictAnalyse,
	.prepare = DictPrepare,
	.attempt = DictAttempt,
	.encode = DictEncode,
	.open = DictOpen,
	.decode = DictDecode,
	.takesFew = true,
	.fetch = DictFetch,
	.filter = DictFilter,
	.excludes = DictExcludes,
};
