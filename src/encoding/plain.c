/*-------------------------------------------------------------------------
 *
 * plain.c
 *	  PLAIN: the values as they are.  Pure C.
 *
 * Serves every type, and what nothing better is known for.
 *
 * Payload of fixed-width types:
 *
 *	OFFSET	SIZE			DESCRIPTION
 *	0		count * width	the values, one after the other
 *
 * Payload of RETL_PHYS_BYTES:
 *
 *	OFFSET	SIZE			DESCRIPTION
 *	0		n				the lengths: a packed array (bitpacking.h) of count
 *							numbers, n = 0 if count is 0
 *	n		...				the bytes of all values, one after the other
 *
 * The payload ends where the last value ends.  Example: the texts "a", "",
 * "bc" are 02 00 00 00 00 | 21 | 61 62 63 - lengths 1, 0, 2 with base 0 in two
 * bits each: binary 10 00 01.
 *
 *-------------------------------------------------------------------------
 */
#include "encoding/bitpacking.h"
#include "encoding/descriptors.h"
#include "encoding/filtering.h"
#include "encoding/valueops.h"

/* Any type. */
static bool
PlainApplies(RetlPhysType type, uint16_t width)
{
	if (type == RETL_PHYS_BYTES)
		return width == 0;
	return width > 0;
}

/* Smallest and largest length of values [first, first + count). */
static void
LengthRange(const RetlValues *values, uint32_t first, uint32_t count,
			uint32_t *smallest, uint32_t *largest)
{
	const uint32_t *offsets = values->offsets + first;
	uint32_t	i;

	*smallest = UINT32_MAX;
	*largest = 0;
	for (i = 0; i < count; i++)
	{
		uint32_t	length = offsets[i + 1] - offsets[i];

		*smallest = length < *smallest ? length : *smallest;
		*largest = length > *largest ? length : *largest;
	}
}

/* RetlEncoding.analyse: exact. */
static uint64_t
PlainAnalyse(const RetlValues *values, uint32_t pieceRows, const RetlArena *arena)
{
	uint64_t	size = RetlValuesRawSize(values);
	uint32_t	first;
	uint32_t	part;

	(void) arena;
	if (values->type != RETL_PHYS_BYTES)
		return size;
	for (first = 0; first < values->count; first += part)
	{
		uint32_t	smallest;
		uint32_t	largest;

		part = values->count - first < pieceRows ? values->count - first : pieceRows;
		LengthRange(values, first, part, &smallest, &largest);
		size += RetlPackedSize(part, smallest, largest);
	}
	return size;
}

/* Append the packed lengths of the values. */
static void
AppendLengths(const RetlValues *values, RetlBytes *out)
{
	uint32_t   *lengths = RetlArenaAlloc(out->arena, sizeof(uint32_t) * values->count);
	uint32_t	i;

	for (i = 0; i < values->count; i++)
		lengths[i] = values->offsets[i + 1] - values->offsets[i];
	RetlPackedAppend(out, lengths, values->count);
}

/* RetlEncoding.encode. */
static void
PlainEncode(RetlEncodingState *state, const RetlValues *values, uint32_t first,
			RetlBytes *out)
{
	(void) state;
	(void) first;
	if (values->count == 0)
		return;
	if (values->type != RETL_PHYS_BYTES)
	{
		RetlBytesAppend(out, values->fixed, (size_t) values->count * values->width);
		return;
	}
	AppendLengths(values, out);
	RetlBytesAppend(out, values->bytes + values->offsets[0],
					(size_t) RetlValuesRawSize(values));
}

/* Is the payload of fixed-width values as long as it must be? */
static bool
CheckFixedSize(size_t srcSize, uint16_t width, uint32_t count, const char **error)
{
	if (srcSize != (uint64_t) count * width)
		return RetlDamaged(error, "plain values have the wrong length");
	return true;
}

/*
 * Understand the lengths of a payload of byte strings, and check what can be
 * without reading them all.
 */
static bool
OpenLengths(RetlPacked *lengths, const uint8_t *src, size_t srcSize, uint32_t count,
			const char **error)
{
	if (srcSize > UINT32_MAX)
		return RetlDamaged(error, "plain values are too long");
	return RetlPackedOpen(lengths, src, srcSize, count, error);
}

/* PlainDecode for byte strings: they stay in the source. */
static bool
DecodeBytes(const uint8_t *src, size_t srcSize, uint32_t count,
			RetlDecoded *result, const char **error)
{
	RetlPacked	lengths;
	uint64_t	position;
	uint32_t	i;

	if (!OpenLengths(&lengths, src, srcSize, count, error))
		return false;
	RetlPackedRead(&lengths, 0, count, result->lengths);

	/* Starts may wrap around meanwhile: the sum decides. */
	position = lengths.size;
	for (i = 0; i < count; i++)
	{
		result->starts[i] = (uint32_t) position;
		position += result->lengths[i];
	}
	if (position != srcSize)
		return RetlDamaged(error, "lengths of plain values do not add up");
	result->bytes = src;
	return true;
}

/* RetlEncoding.decode. */
static bool
PlainDecode(const RetlEncodingState *state, const uint8_t *src, size_t srcSize,
			RetlPhysType type, uint16_t width, uint32_t count,
			RetlDecoded *result, const RetlArena *arena, const char **error)
{
	(void) state;
	(void) arena;
	if (type == RETL_PHYS_BYTES)
		return DecodeBytes(src, srcSize, count, result, error);
	if (!CheckFixedSize(srcSize, width, count, error))
		return false;
	if (srcSize > 0)
		memcpy(result->fixed, src, srcSize);
	return true;
}

/* RetlEncoding.fetch. */
static bool
PlainFetch(const RetlEncodingState *state, const uint8_t *src, size_t srcSize,
		   RetlPhysType type, uint16_t width, uint32_t count, uint32_t index,
		   RetlDecoded *result, const RetlArena *arena, const char **error)
{
	RetlPacked	lengths;
	uint64_t	start;
	uint32_t	length;

	(void) state;
	(void) arena;
	if (index >= count)
		return RetlDamaged(error, "value index is out of range");
	if (type != RETL_PHYS_BYTES)
	{
		if (!CheckFixedSize(srcSize, width, count, error))
			return false;
		memcpy(result->fixed, src + (size_t) index * width, width);
		return true;
	}
	if (!OpenLengths(&lengths, src, srcSize, count, error))
		return false;
	start = lengths.size + RetlPackedSum(&lengths, index);
	length = RetlPackedFetch(&lengths, index);
	if (start > srcSize || length > srcSize - start)
		return RetlDamaged(error, "lengths of plain values do not add up");
	result->bytes = src;
	result->starts[0] = (uint32_t) start;
	result->lengths[0] = length;
	return true;
}

/* RetlEncoding.needs. */
static bool
PlainNeeds(const uint8_t *src, size_t srcSize, RetlPhysType type, uint16_t width, uint32_t count,
		   uint32_t index, uint32_t step, RetlSpan *span)
{
	if (type == RETL_PHYS_BYTES)
		return RetlPackedStringNeeds(src, srcSize, 0, count, index, step, span);
	*span = (RetlSpan) {(uint64_t) index * width, width};
	return step == 0;
}

/* RetlEncoding.filter: the values are compared where they are. */
static bool
PlainFilter(const RetlEncodingState *state, const uint8_t *src, size_t srcSize,
			RetlPhysType type, uint16_t width, uint32_t count,
			const RetlFilter *filter, RetlFilterMemo *memo,
			uint64_t *selected, bool *answered,
			const RetlArena *arena, const char **error)
{
	RetlDecoded values;

	(void) state;
	(void) memo;
	*answered = RetlFilterCanTest(filter, type, width);
	if (!*answered)
		return true;
	memset(&values, 0, sizeof(values));
	if (type == RETL_PHYS_BYTES)
	{
		if (count > RETLDB_MAX_PACKED)
			return RetlDamaged(error, "plain values are too many");
		values.starts = RetlArenaAlloc(arena, sizeof(uint32_t) * count);
		values.lengths = RetlArenaAlloc(arena, sizeof(uint32_t) * count);
		if (!DecodeBytes(src, srcSize, count, &values, error))
			return false;
		RetlFilterDecoded(filter, type, width, count, &values, selected);
		return true;
	}
	if (!CheckFixedSize(srcSize, width, count, error))
		return false;
	values.fixed = (uint8_t *) src;	/* not written to */
	RetlFilterDecoded(filter, type, width, count, &values, selected);
	return true;
}

const RetlEncoding RetlPlainEncoding = {
	.id = RETL_ENCODING_PLAIN,
	.name = "plain",
	.applies = PlainApplies,
	.analyse = PlainAnalyse,
	.encode = PlainEncode,
	.decode = PlainDecode,
	.fetch = PlainFetch,
	.needs = PlainNeeds,
	.filter = PlainFilter,
};
