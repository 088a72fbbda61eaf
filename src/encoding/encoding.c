/*-------------------------------------------------------------------------
 *
 * encoding.c
 *	  The table of encodings, the choice among them, and what their users need
 *	  to hand values over.  Pure C.
 *
 * The choice.  Every encoding that applies says what a sample of the chunk's
 * values would take: SAMPLE_RUNS stretches of consecutive values, spread evenly.
 * The smallest answer wins, and of equal ones the lower id, which decodes
 * faster.  CONSTANT has to be true of all values and comes first.  A dictionary
 * comes last, for its size does not follow from a sample: it is made of all
 * values, and given up as soon as it is larger than the best of the others; if
 * it wins, it is there already.  Then it is tried first for the next chunks of the
 * column, as long as it is as good.
 *
 * Three things are not in these sizes and are brought in here:
 *
 *	- Block compression may follow.  It does little for numbers, but text
 *	  shrinks: PLAIN text is counted with half its bytes (numerics, and short
 *	  binary values of one length such as network addresses, with all of them).
 *	  An encoding has to beat that, for its own output compresses worse.  FSST's shrinks by a
 *	  quarter more with LZ4 or Snappy; zstd does as well without it unless the
 *	  codes are few.  Without compression FSST has to save a sixth, for
 *	  it has to be decoded and PLAIN has not.
 *	- DELTA has to be smaller by a ninth: its values depend on each other, so that
 *	  reading one of them is slow, and filters have to add all up.
 *	- A forced encoding is used whatever it costs, but only where it can hold
 *	  the values: CONSTANT needs equal ones, and a dictionary has to fit a unit.
 *	  Where it cannot, the choice is free.
 *
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "encoding/descriptors.h"
#include "encoding/valueops.h"

#define MIN_BYTES_CAPACITY		64

/* DELTA is counted with so large a part of its size more. */
#define DELTA_PENALTY_PART		8

/*
 * FSST is not looked at where a dictionary takes a smaller part of the text than
 * this: it never does as well.
 */
#define FSST_BEST_PART			6

/* Pieces that are encoded to estimate a size. */
#define SAMPLE_PIECES			4

/* Values looked at to see if they are text, and how long those are that are not. */
#define BINARY_SAMPLE			32
#define BINARY_LENGTH			64
/* The sample.  Chunks of no more than twice its values are looked at as a whole. */
#define SAMPLE_RUNS				8
#define SAMPLE_RUN_VALUES		1024
#define SAMPLE_VALUES			(SAMPLE_RUNS * SAMPLE_RUN_VALUES)

/*
 * A dictionary that was chosen is tried first for so many chunks of the column, and
 * taken if it has at most three quarters of what others would have had in that one.
 * If it has not, so many choices pass before that is done again.
 */
#define REMEMBERED_CHUNKS		7
#define DISTRUST_CHUNKS			8

static const RetlEncoding *const encodings[RETL_ENCODING_COUNT] = {
	[RETL_ENCODING_PLAIN] = &RetlPlainEncoding,
	[RETL_ENCODING_CONSTANT] = &RetlConstantEncoding,
	[RETL_ENCODING_RLE] = &RetlRleEncoding,
	[RETL_ENCODING_BITPACK] = &RetlBitpackEncoding,
	[RETL_ENCODING_DICT] = &RetlDictEncoding,
	[RETL_ENCODING_FSST] = &RetlFsstEncoding,
	[RETL_ENCODING_DELTA] = &RetlDeltaEncoding,
	[RETL_ENCODING_ALP] = &RetlAlpEncoding,
	[RETL_ENCODING_DECIMAL] = &RetlDecimalEncoding,
	[RETL_ENCODING_SPLIT] = &RetlSplitEncoding,
};

/* See encoding.h. */
const RetlEncoding *
RetlEncodingById(int encodingId)
{
	if (encodingId < 0 || encodingId >= RETL_ENCODING_COUNT)
		return NULL;
	return encodings[encodingId];
}

/* See encoding.h. */
const RetlEncoding *
RetlEncodingByName(const char *name)
{
	int			id;

	for (id = 0; id < RETL_ENCODING_COUNT; id++)
		if (encodings[id] != NULL && strcmp(encodings[id]->name, name) == 0)
			return encodings[id];
	return NULL;
}

/* Can the values be encoded this way at all, never mind the size? */
static bool
CanHold(const RetlEncoding *encoding, const RetlValues *values, uint32_t pieceRows,
		const RetlArena *arena)
{
	if (!encoding->applies(values->type, values->width))
		return false;
	if (encoding->id == RETL_ENCODING_CONSTANT)
		return encoding->analyse(values, pieceRows, arena) != RETLDB_NEVER;
	if (encoding->id == RETL_ENCODING_DICT)
		return values->count <= RETLDB_MAX_GROUP_ROWS &&
			RetlValuesRawSize(values) <= RETLDB_UNIT_RAW_MAX / 2;
	if (encoding->id == RETL_ENCODING_DECIMAL)
		return values->isNumeric;
	return true;
}

/* What FSST's estimate is worth, by the compression that follows. */
static uint64_t
ScoreOfFsst(uint64_t estimate, RetlCompressionId compression)
{
	switch (compression)
	{
		case RETL_COMPRESSION_NONE:
			return estimate + estimate / 5;
		case RETL_COMPRESSION_ZSTD:
			return estimate + estimate / 16;
		default:
			return estimate - estimate / 4;
	}
}

/* See descriptors.h. */
uint64_t
RetlEstimateBySample(const RetlEncoding *encoding, const RetlValues *values,
					 uint32_t pieceRows, const RetlArena *arena)
{
	uint32_t	pieces = values->count / pieceRows + (values->count % pieceRows != 0);
	uint32_t	step = pieces > SAMPLE_PIECES ? pieces / SAMPLE_PIECES : 1;
	uint64_t	taken = 0;
	RetlBytes	out;
	uint32_t	i;

	if (values->count == 0)
		return 0;
	RetlBytesInit(&out, arena, (size_t) pieceRows * 8);
	for (i = 0; i < pieces && i / step < SAMPLE_PIECES; i += step)
	{
		uint32_t	first = i * pieceRows;
		uint32_t	rest = values->count - first;
		RetlValues	piece = RetlValuesSlice(values, first, rest < pieceRows ? rest : pieceRows);

		encoding->encode(NULL, &piece, first, &out);
		taken += piece.count;
	}
	return (uint64_t) ((double) out.length / (double) taken * values->count + 0.5);
}

/*
 * Are these short byte strings of one length, and no text?  Block compression
 * finds little in addresses and the like.
 */
static bool
LooksBinary(const RetlValues *values)
{
	uint32_t	count = values->count < BINARY_SAMPLE ? values->count : BINARY_SAMPLE;
	uint32_t	length = 0;
	uint32_t	controls = 0;
	uint32_t	i;
	uint32_t	k;

	for (i = 0; i < count; i++)
	{
		uint32_t	at = RetlSamplePosition(i, count, values->count);
		uint32_t	valueLength;
		const uint8_t *value = RetlValueAt(values, at, &valueLength);

		if (valueLength > BINARY_LENGTH || (i > 0 && valueLength != length))
			return false;
		length = valueLength;
		for (k = 0; k < length; k++)
			controls += value[k] < ' ';
	}
	return controls * 8 > count * length;
}

/* What the encoding is worth, in bytes; the smallest wins. */
static uint64_t
ScoreOf(const RetlEncoding *encoding, const RetlValues *values, uint32_t pieceRows,
		const RetlArena *arena)
{
	uint64_t	score;

	if (!encoding->applies(values->type, values->width))
		return RETLDB_NEVER;
	score = encoding->analyse(values, pieceRows, arena);
	if (score == RETLDB_NEVER)
		return score;
	if (encoding->id == RETL_ENCODING_DELTA)
		return score + score / DELTA_PENALTY_PART;
	if (values->type != RETL_PHYS_BYTES)
		return score;
	if (encoding->id == RETL_ENCODING_PLAIN && values->compression != RETL_COMPRESSION_NONE &&
		!values->isNumeric && !LooksBinary(values))
	{
		uint64_t	text = RetlValuesRawSize(values);

		score -= text - text / RETLDB_TEXT_COMPRESSION;
	}
	if (encoding->id == RETL_ENCODING_FSST)
		score = ScoreOfFsst(score, values->compression);
	return score;
}

/* Copy "count" values from "first" on behind the values of a sample. */
static void
AddToSample(RetlValues *sample, const RetlValues *values, uint32_t first, uint32_t count)
{
	uint32_t   *offsets;
	uint32_t	i;

	if (values->type != RETL_PHYS_BYTES)
		memcpy((uint8_t *) sample->fixed + (size_t) sample->count * values->width,
			   values->fixed + (size_t) first * values->width, (size_t) count * values->width);
	else
	{
		offsets = (uint32_t *) sample->offsets + sample->count;
		memcpy((uint8_t *) sample->bytes + offsets[0], values->bytes + values->offsets[first],
			   values->offsets[first + count] - values->offsets[first]);
		for (i = 1; i <= count; i++)
			offsets[i] = offsets[0] + (values->offsets[first + i] - values->offsets[first]);
	}
	sample->count += count;
}

/* Is the chunk so small that all of it is looked at? */
static bool
SampleIsAll(const RetlValues *values)
{
	return values->count <= 2 * SAMPLE_VALUES;
}

/* The sample of a chunk's values: runs of consecutive ones, evenly spread. */
static RetlValues
TakeSample(const RetlValues *values, const RetlArena *arena)
{
	RetlValues	sample = *values;
	uint64_t	rest = values->count - SAMPLE_RUN_VALUES;
	uint64_t	bytes = 1;
	uint32_t	run;

	if (SampleIsAll(values))
		return sample;
	sample.count = 0;
	if (values->type != RETL_PHYS_BYTES)
		sample.fixed = RetlArenaAlloc(arena, (size_t) SAMPLE_VALUES * values->width);
	else
	{
		for (run = 0; run < SAMPLE_RUNS; run++)
		{
			uint32_t	first = (uint32_t) (rest * run / (SAMPLE_RUNS - 1));

			bytes += values->offsets[first + SAMPLE_RUN_VALUES] - values->offsets[first];
		}
		sample.bytes = RetlArenaAlloc(arena, (size_t) bytes);
		sample.offsets = RetlArenaAlloc(arena, sizeof(uint32_t) * (SAMPLE_VALUES + 1));
		((uint32_t *) sample.offsets)[0] = 0;
	}
	for (run = 0; run < SAMPLE_RUNS; run++)
		AddToSample(&sample, values, (uint32_t) (rest * run / (SAMPLE_RUNS - 1)),
					SAMPLE_RUN_VALUES);
	return sample;
}

/*
 * The best encoding of a sample, those left out that have to see all values, and
 * FSST if it is not wanted.
 */
static const RetlEncoding *
BestOfSample(const RetlValues *sample, uint32_t pieceRows, bool withFsst,
			 const RetlArena *arena, uint64_t *bestScore)
{
	const RetlEncoding *best = &RetlPlainEncoding;
	int			id;

	*bestScore = ScoreOf(best, sample, pieceRows, arena);
	for (id = RETL_ENCODING_PLAIN + 1; id < RETL_ENCODING_COUNT; id++)
	{
		uint64_t	score;

		if (encodings[id] == NULL || encodings[id] == &RetlConstantEncoding ||
			encodings[id]->attempt != NULL || (id == RETL_ENCODING_FSST && !withFsst))
			continue;
		score = ScoreOf(encodings[id], sample, pieceRows, arena);
		if (score < *bestScore)
		{
			best = encodings[id];
			*bestScore = score;
		}
	}
	return best;
}

/* Does a sample of text say that a dictionary is the thing, whatever FSST would do? */
static bool
DictionarySuits(const RetlValues *sample, uint32_t pieceRows, const RetlArena *arena)
{
	return sample->type == RETL_PHYS_BYTES && !sample->isNumeric && sample->count > 0 &&
		RetlDictEncoding.analyse(sample, pieceRows, arena) <
		RetlValuesRawSize(sample) / FSST_BEST_PART;
}

/* Prepare the encoding, if it needs that. */
static const RetlEncoding *
Prepare(const RetlEncoding *encoding, const RetlValues *values, const RetlArena *arena,
		RetlEncodingState **state, RetlBytes *out)
{
	*state = encoding->prepare != NULL ? encoding->prepare(values, arena, out) : NULL;
	return encoding;
}

/*
 * The dictionary, if the column's chunks before had one and it is small in this
 * chunk, too.
 */
static RetlEncodingState *
AttemptRemembered(const RetlValues *values, uint32_t pieceRows, RetlChoiceMemory *memory,
				  const RetlArena *arena, RetlBytes *out)
{
	RetlEncodingState *state;

	if (memory == NULL || memory->chunks == 0 || SampleIsAll(values))
		return NULL;
	memory->chunks--;
	state = RetlDictEncoding.attempt(values, NULL, pieceRows,
									 (uint64_t) (memory->share * (double) RetlValuesRawSize(values)),
									 arena, out);
	if (state == NULL)
	{
		memory->chunks = 0;
		memory->distrust = DISTRUST_CHUNKS;
	}
	return state;
}

/*
 * A dictionary was chosen, where others would have taken so many bytes; FSST was not
 * looked at if it suits.
 */
static void
RememberDictionary(RetlChoiceMemory *memory, const RetlValues *values, uint64_t othersScore,
				   bool suits)
{
	if (memory == NULL || SampleIsAll(values))
		return;
	if (memory->distrust > 0)
	{
		memory->distrust--;
		return;
	}
	memory->chunks = REMEMBERED_CHUNKS;
	memory->share = (double) othersScore * 0.75 / (double) RetlValuesRawSize(values);
	if (suits && memory->share > 1.0 / FSST_BEST_PART)
		memory->share = 1.0 / FSST_BEST_PART;
}

/* See encoding.h. */
const RetlEncoding *
RetlEncodingChooseAndPrepare(const RetlValues *values, uint32_t pieceRows, int forced,
							 RetlChoiceMemory *memory,
							 const RetlArena *scratch, const RetlArena *arena,
							 RetlEncodingState **state, RetlBytes *out)
{
	const RetlEncoding *best = RetlEncodingById(forced);
	RetlValues	sample;
	uint64_t	bestScore;
	bool		suits;
	int			id;

	if (best != NULL && CanHold(best, values, pieceRows, scratch))
		return Prepare(best, values, arena, state, out);
	if (values->count > 0 &&
		RetlConstantEncoding.analyse(values, pieceRows, scratch) != RETLDB_NEVER)
		return Prepare(&RetlConstantEncoding, values, arena, state, out);

	if (!SampleIsAll(values) && pieceRows > SAMPLE_RUN_VALUES)
		pieceRows = SAMPLE_RUN_VALUES;
	*state = AttemptRemembered(values, pieceRows, memory, arena, out);
	if (*state != NULL)
		return &RetlDictEncoding;
	sample = TakeSample(values, scratch);
	suits = DictionarySuits(&sample, pieceRows, scratch);
	best = BestOfSample(&sample, pieceRows, !suits, scratch, &bestScore);
	if (sample.count > 0)
		bestScore = (uint64_t) ((double) bestScore * values->count / sample.count);
	for (id = 0; id < RETL_ENCODING_COUNT; id++)
	{
		if (encodings[id] == NULL || encodings[id]->attempt == NULL ||
			!encodings[id]->applies(values->type, values->width))
			continue;
		*state = encodings[id]->attempt(values, suits ? NULL : &sample, pieceRows, bestScore,
										arena, out);
		if (*state != NULL)
		{
			RememberDictionary(memory, values, bestScore, suits);
			return encodings[id];
		}
	}

	/* The sample was wrong: then FSST has its chance. */
	if (suits)
		best = BestOfSample(&sample, pieceRows, true, scratch, &bestScore);
	return Prepare(best, values, arena, state, out);
}

/* See encoding.h. */
const RetlEncoding *
RetlEncodingChoose(const RetlValues *values, uint32_t pieceRows, int forced,
				   const RetlArena *arena)
{
	RetlEncodingState *state;
	RetlBytes	ignored;

	RetlBytesInit(&ignored, arena, 0);
	return RetlEncodingChooseAndPrepare(values, pieceRows, forced, NULL, arena, arena,
										&state, &ignored);
}

/* See encoding.h.  The range lies inside the array. */
RetlValues
RetlValuesSlice(const RetlValues *values, uint32_t first, uint32_t count)
{
	RetlValues	slice = *values;

	RetlAssert(first <= values->count && count <= values->count - first);
	slice.count = count;
	if (values->type == RETL_PHYS_BYTES)
		slice.offsets = values->offsets + first;
	else if (values->fixed != NULL)
		slice.fixed = values->fixed + (size_t) first * values->width;
	return slice;
}

/* See encoding.h. */
uint64_t
RetlValuesRawSize(const RetlValues *values)
{
	if (values->count == 0)
		return 0;
	if (values->type == RETL_PHYS_BYTES)
		return values->offsets[values->count] - values->offsets[0];
	return (uint64_t) values->count * values->width;
}

/* Make an empty byte string with room for "capacity" bytes. */
void
RetlBytesInit(RetlBytes *bytes, const RetlArena *arena, size_t capacity)
{
	bytes->arena = arena;
	bytes->length = 0;
	bytes->capacity = capacity < MIN_BYTES_CAPACITY ? MIN_BYTES_CAPACITY : capacity;
	bytes->data = RetlArenaAlloc(arena, bytes->capacity);
}

/* Empty it, keeping the room. */
void
RetlBytesReset(RetlBytes *bytes)
{
	bytes->length = 0;
}

/*
 * See encoding.h.  The room is at least doubled when it grows, so that the
 * memory left behind in the arena is less than what is in use.
 */
uint8_t *
RetlBytesReserve(RetlBytes *bytes, size_t extra)
{
	if (bytes->capacity - bytes->length < extra)
	{
		size_t		capacity = bytes->capacity * 2;
		uint8_t    *data;

		if (capacity - bytes->length < extra)
			capacity = bytes->length + extra;
		data = RetlArenaAlloc(bytes->arena, capacity);
		memcpy(data, bytes->data, bytes->length);
		bytes->data = data;
		bytes->capacity = capacity;
	}
	return bytes->data + bytes->length;
}

/* Append bytes. */
void
RetlBytesAppend(RetlBytes *bytes, const void *data, size_t length)
{
	uint8_t    *dst = RetlBytesReserve(bytes, length);

	if (length > 0)
		memcpy(dst, data, length);
	bytes->length += length;
}
