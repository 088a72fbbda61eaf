/*-------------------------------------------------------------------------
 *
 * dict.c
 *	  DICT: codes into a dictionary of the chunk's distinct values.  This file has
 *	  the format and the writer.  Pure C.
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
#include "encoding/dict_state.h"
#include "encoding/distinct.h"
#include "encoding/valueops.h"

/* Fewer bytes of entries are not worth the symbols. */
#define MIN_SHORT_BYTES		4096

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
	uint64_t	asCodes = pieces * (RETLDB_DICT_KIND_SIZE + RETLDB_PACKED_HEADER) +
		RetlBitsSize(count, codeWidth);
	uint64_t	asRuns = pieces * (RETLDB_DICT_RUNS_HEADER + 2 * RETLDB_PACKED_HEADER) +
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
		return RETLDB_DICT_HEADER;
	if (values->count > RETLDB_MAX_GROUP_ROWS || RetlDistinctHopeless(values, arena))
		return RETLDB_NEVER;
	codes = RetlArenaAlloc(arena, sizeof(uint32_t) * values->count);
	if (!RetlDistinctCollect(&distinct, values, EntriesLimit(values), codes, arena))
		return RETLDB_NEVER;
	return RETLDB_DICT_HEADER + EntriesSize(&distinct, values) +
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
	RetlBytesAppend(out, header, RETLDB_DICT_SHORT_HEADER);
	symbols = RetlFsstEncoding.prepare(&rests, arena, out);
	header[1] = (uint32_t) (out->length - start - RETLDB_DICT_SHORT_HEADER);
	memcpy(out->data + start, header, RETLDB_DICT_SHORT_HEADER);
	RetlPackedAppend(out, common, entries->count);
	RetlFsstEncoding.encode(symbols, &rests, 0, out);
}

/* Append the dictionary of these entries, shortened if that saves a quarter. */
static void
AppendEntries(const RetlValues *entries, const RetlArena *arena, RetlBytes *out)
{
	RetlBytes	shorter;

	RetlBytesAppend(out, &entries->count, RETLDB_DICT_HEADER);
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
		RETLDB_DICT_HEADER + EntriesSize(&distinct, values) +
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

/* Bytes of runs of codes of which the longest has this length. */
static uint64_t
RunsSize(const CodesSummary *summary, uint32_t longest)
{
	return sizeof(summary->runCount) + RetlPackedSize(summary->runCount, 1, longest) +
		RetlPackedSize(summary->runCount, summary->smallest, summary->largest);
}

/*
 * Is the piece smaller as runs?  Unless each code is a run of its own, a length
 * takes a bit at least where there are more runs than half the codes; that
 * answers it for most pieces.  The length of the longest run is between two limits, so
 * most others need not be looked at, either.
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
	if (RunsSize(summary, (count - 1) / summary->runCount + 1) >= asCodes)
		return false;
	if (RunsSize(summary, count - summary->runCount + 1) < asCodes)
		return true;
	return RunsSize(summary, LongestRun(codes, count)) < asCodes;
}

/* Append a piece of kind 1. */
static void
AppendRuns(const uint32_t *codes, uint32_t count, uint32_t runCount, RetlBytes *out)
{
	uint32_t   *lengths = RetlArenaAlloc(out->arena, sizeof(uint32_t) * runCount);
	uint32_t   *runCodes = RetlArenaAlloc(out->arena, sizeof(uint32_t) * runCount);
	const uint8_t kind = RETLDB_DICT_RUNS;
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
	RetlBytesAppend(out, &kind, RETLDB_DICT_KIND_SIZE);
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
	const uint8_t kind = RETLDB_DICT_CODES;
	CodesSummary summary;

	if (values->count == 0)
		return;
	summary = SummariseCodes(codes, values->count);
	if (RunsAreSmaller(&summary, codes, values->count))
	{
		AppendRuns(codes, values->count, summary.runCount, out);
		return;
	}
	RetlBytesAppend(out, &kind, RETLDB_DICT_KIND_SIZE);
	RetlPackedAppendRange(out, codes, values->count, summary.smallest, summary.largest);
}

const RetlEncoding RetlDictEncoding = {
	.id = RETL_ENCODING_DICT,
	.name = "dict",
	.applies = DictApplies,
	.analyse = DictAnalyse,
	.prepare = DictPrepare,
	.attempt = DictAttempt,
	.encode = DictEncode,
	.open = RetlDictOpen,
	.peek = RetlDictPeek,
	.decode = RetlDictDecode,
	.takesFew = true,
	.fetch = RetlDictFetch,
	.filter = RetlDictFilter,
	.excludes = RetlDictExcludes,
};

