/*-------------------------------------------------------------------------
 *
 * encoding.c
 *	  The table of encodings, the choice among them, and what their users need
 *	  to hand values over.  Pure C.
 *
 * The choice.  Every encoding that applies says what the values of the chunk
 * would take; the smallest answer wins, and of equal ones the lower id, which
 * decodes faster.  Three things are not in these sizes and are brought in here:
 *
 *	- Block compression follows.  It does little for numbers, but text shrinks:
 *	  PLAIN text is counted with half its bytes.  An encoding has to beat that,
 *	  for its own output compresses worse.
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

static const RetlEncoding *const encodings[RETL_ENCODING_COUNT] = {
	[RETL_ENCODING_PLAIN] = &RetlPlainEncoding,
	[RETL_ENCODING_CONSTANT] = &RetlConstantEncoding,
	[RETL_ENCODING_RLE] = &RetlRleEncoding,
	[RETL_ENCODING_BITPACK] = &RetlBitpackEncoding,
	[RETL_ENCODING_DICT] = &RetlDictEncoding,
	[RETL_ENCODING_DELTA] = &RetlDeltaEncoding,
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
	return true;
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
	if (encoding->id == RETL_ENCODING_PLAIN && values->type == RETL_PHYS_BYTES)
	{
		uint64_t	text = RetlValuesRawSize(values);

		score -= text - text / RETLDB_TEXT_COMPRESSION;
	}
	if (encoding->id == RETL_ENCODING_DELTA)
		score += score / DELTA_PENALTY_PART;
	return score;
}

/* See encoding.h. */
const RetlEncoding *
RetlEncodingChoose(const RetlValues *values, uint32_t pieceRows, int forced,
				   const RetlArena *arena)
{
	const RetlEncoding *best = RetlEncodingById(forced);
	uint64_t	bestScore;
	int			id;

	if (best != NULL && CanHold(best, values, pieceRows, arena))
		return best;

	best = &RetlPlainEncoding;
	bestScore = ScoreOf(best, values, pieceRows, arena);
	for (id = RETL_ENCODING_PLAIN + 1; id < RETL_ENCODING_COUNT; id++)
	{
		uint64_t	score;

		if (encodings[id] == NULL)
			continue;
		score = ScoreOf(encodings[id], values, pieceRows, arena);
		if (score < bestScore)
		{
			best = encodings[id];
			bestScore = score;
		}

		/* Nothing is smaller than a constant: spare the others' analyses. */
		if (best == &RetlConstantEncoding)
			break;
	}
	return best;
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
