/*-------------------------------------------------------------------------
 *
 * constant.c
 *	  CONSTANT: all values of the chunk are the same.  Pure C.
 *
 * Serves every type, but only values with the same bytes (0 and -0 are not);
 * analyse answers RETLDB_NEVER for others and encode must not be given them.
 *
 * Payload:
 *
 *	OFFSET	SIZE	DESCRIPTION
 *	0		n		the value: width bytes, or all of a byte string
 *
 * A piece of no values has an empty payload; so has one of empty strings.
 *
 *-------------------------------------------------------------------------
 */
#include "encoding/bitpacking.h"
#include "encoding/descriptors.h"
#include "encoding/filtering.h"
#include "encoding/valueops.h"

/* Any type. */
static bool
ConstantApplies(RetlPhysType type, uint16_t width)
{
	if (type == RETL_PHYS_BYTES)
		return width == 0;
	return width > 0;
}

/* RetlEncoding.analyse: exact. */
static uint64_t
ConstantAnalyse(const RetlValues *values, uint32_t pieceRows, const RetlArena *arena)
{
	uint32_t	pieces;
	uint32_t	length;
	uint32_t	i;

	(void) arena;
	if (values->count == 0)
		return 0;
	for (i = 1; i < values->count; i++)
		if (!RetlValuesSame(values, 0, i))
			return RETLDB_NEVER;
	pieces = values->count / pieceRows + (values->count % pieceRows != 0);
	(void) RetlValueAt(values, 0, &length);
	return (uint64_t) pieces * length;
}

/* RetlEncoding.encode: the values are all the same. */
static void
ConstantEncode(RetlEncodingState *state, const RetlValues *values, uint32_t first,
			   RetlBytes *out)
{
	const uint8_t *value;
	uint32_t	length;

	(void) state;
	(void) first;
	if (values->count == 0)
		return;
	RetlAssert(RetlValuesSame(values, 0, values->count - 1));
	value = RetlValueAt(values, 0, &length);
	RetlBytesAppend(out, value, length);
}

/* Is the payload as long as it must be? */
static bool
CheckSize(RetlPhysType type, uint16_t width, uint32_t count, size_t srcSize,
		  const char **error)
{
	if (count == 0 ? srcSize != 0 : type != RETL_PHYS_BYTES && srcSize != width)
		return RetlDamaged(error, "constant has the wrong length");
	if (srcSize > UINT32_MAX)
		return RetlDamaged(error, "constant is too long");
	return true;
}

/* Store "count" copies of a value of "width" bytes. */
static void
Repeat(uint8_t *dst, const uint8_t *value, uint16_t width, uint32_t count)
{
	size_t		total = (size_t) count * width;
	size_t		filled = width;

	if (width == 1)
	{
		memset(dst, value[0], count);
		return;
	}
	memcpy(dst, value, width);
	while (filled < total)
	{
		size_t		more = filled < total - filled ? filled : total - filled;

		memcpy(dst + filled, dst, more);
		filled += more;
	}
}

/* RetlEncoding.decode. */
static bool
ConstantDecode(const RetlEncodingState *state, const uint8_t *src, size_t srcSize,
			   RetlPhysType type, uint16_t width, uint32_t count,
			   RetlDecoded *result, const RetlArena *arena, const char **error)
{
	uint32_t	i;

	(void) state;
	(void) arena;
	if (!CheckSize(type, width, count, srcSize, error))
		return false;
	if (type != RETL_PHYS_BYTES)
	{
		if (count > 0)
			Repeat(result->fixed, src, width, count);
		return true;
	}
	result->bytes = src;
	for (i = 0; i < count; i++)
	{
		result->starts[i] = 0;
		result->lengths[i] = (uint32_t) srcSize;
	}
	return true;
}

/* RetlEncoding.fetch. */
static bool
ConstantFetch(const RetlEncodingState *state, const uint8_t *src, size_t srcSize,
			  RetlPhysType type, uint16_t width, uint32_t count, uint32_t index,
			  RetlDecoded *result, const RetlArena *arena, const char **error)
{
	if (index >= count)
		return RetlDamaged(error, "value index is out of range");
	if (!CheckSize(type, width, count, srcSize, error))
		return false;
	return ConstantDecode(state, src, srcSize, type, width, 1, result, arena, error);
}

/* RetlEncoding.filter: one test decides. */
static bool
ConstantFilter(const RetlEncodingState *state, const uint8_t *src, size_t srcSize,
			   RetlPhysType type, uint16_t width, uint32_t count,
			   const RetlFilter *filter, RetlFilterMemo *memo,
			   uint64_t *selected, bool *answered,
			   const RetlArena *arena, const char **error)
{
	(void) state;
	(void) memo;
	(void) arena;
	*answered = RetlFilterCanTest(filter, type, width);
	if (!*answered)
		return true;
	if (!CheckSize(type, width, count, srcSize, error))
		return false;
	if (RetlSelectionAny(selected, 0, count) &&
		!RetlFilterTest(filter, type, width, src, srcSize))
		RetlSelectionClear(selected, 0, count);
	return true;
}

const RetlEncoding RetlConstantEncoding = {
	.id = RETL_ENCODING_CONSTANT,
	.name = "constant",
	.applies = ConstantApplies,
	.analyse = ConstantAnalyse,
	.encode = ConstantEncode,
	.decode = ConstantDecode,
	.fetch = ConstantFetch,
	.filter = ConstantFilter,
};
