/*-------------------------------------------------------------------------
 *
 * valueops.h
 *	  Small helpers the encodings share: unaligned access, comparison and
 *	  ordering of single values.  Pure C, all inline.
 *
 * Two orders of values appear:
 *
 *	comparison order	what users mean by "<": numeric for INT and FLOAT (-0
 *				equals 0; NaN equals NaN and is above all), bytewise with the
 *				shorter one first for FIXED and BYTES.  RetlCompareValues.
 *	dictionary order	a total order on the bytes that agrees with it: values
 *				that compare equal without having the same bytes (-0 and 0,
 *				different NaNs) stand side by side.  RetlOrderValues.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_VALUEOPS_H
#define RETLDB_VALUEOPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "encoding/encoding.h"

/* Contracts of our own, checked in test builds (-DRETLDB_ASSERT_CHECKING). */
#ifdef RETLDB_ASSERT_CHECKING
#include <assert.h>
#define RetlAssert(condition) assert(condition)
#else
#define RetlAssert(condition) ((void) 0)
#endif

/* Say what is wrong with the source, and return "false". */
static inline bool
RetlDamaged(const char **error, const char *what)
{
	*error = what;
	return false;
}

static inline uint16_t
RetlLoad16(const uint8_t *src)
{
	uint16_t	value;

	memcpy(&value, src, sizeof(value));
	return value;
}

static inline uint32_t
RetlLoad32(const uint8_t *src)
{
	uint32_t	value;

	memcpy(&value, src, sizeof(value));
	return value;
}

static inline uint64_t
RetlLoad64(const uint8_t *src)
{
	uint64_t	value;

	memcpy(&value, src, sizeof(value));
	return value;
}

static inline void
RetlStore32(uint8_t *dst, uint32_t value)
{
	memcpy(dst, &value, sizeof(value));
}

/* A RETL_PHYS_INT value; width is 1, 2, 4 or 8. */
static inline int64_t
RetlLoadInt(const uint8_t *src, uint16_t width)
{
	switch (width)
	{
		case 1:
			return (int8_t) src[0];
		case 2:
			return (int16_t) RetlLoad16(src);
		case 4:
			return (int32_t) RetlLoad32(src);
		default:
			return (int64_t) RetlLoad64(src);
	}
}

/* The same bytes as an unsigned number. */
static inline uint64_t
RetlLoadUnsigned(const uint8_t *src, uint16_t width)
{
	switch (width)
	{
		case 1:
			return src[0];
		case 2:
			return RetlLoad16(src);
		case 4:
			return RetlLoad32(src);
		default:
			return RetlLoad64(src);
	}
}

/* A RETL_PHYS_FLOAT value; width is 4 or 8. */
static inline double
RetlLoadFloat(const uint8_t *src, uint16_t width)
{
	double		value;

	if (width == 4)
	{
		float		narrow;

		memcpy(&narrow, src, sizeof(narrow));
		return narrow;
	}
	memcpy(&value, src, sizeof(value));
	return value;
}

/* Where value "index" begins, and its length. */
static inline const uint8_t *
RetlValueAt(const RetlValues *values, uint32_t index, uint32_t *length)
{
	if (values->type == RETL_PHYS_BYTES)
	{
		*length = values->offsets[index + 1] - values->offsets[index];
		return values->bytes + values->offsets[index];
	}
	*length = values->width;
	return values->fixed + (size_t) index * values->width;
}

/*
 * Position of member "i" of a sample of the values: spread over all of them, but
 * not evenly, lest a period of the values hides them.
 */
static inline uint32_t
RetlSamplePosition(uint32_t i, uint32_t sampleCount, uint32_t count)
{
	uint32_t	start = (uint32_t) ((uint64_t) i * count / sampleCount);
	uint32_t	end = (uint32_t) ((uint64_t) (i + 1) * count / sampleCount);

	return start + (i * UINT32_C(2654435761) >> 8) % (end - start);
}

/* Have two values of an array the same bytes? */
static inline bool
RetlValuesSame(const RetlValues *values, uint32_t a, uint32_t b)
{
	uint32_t	aLength;
	uint32_t	bLength;
	const uint8_t *aBytes = RetlValueAt(values, a, &aLength);
	const uint8_t *bBytes = RetlValueAt(values, b, &bLength);

	switch (values->width)
	{
		case 1:
			return aBytes[0] == bBytes[0];
		case 2:
			return RetlLoad16(aBytes) == RetlLoad16(bBytes);
		case 4:
			return RetlLoad32(aBytes) == RetlLoad32(bBytes);
		case 8:
			return RetlLoad64(aBytes) == RetlLoad64(bBytes);
		default:
			return aLength == bLength &&
				(aLength == 0 || memcmp(aBytes, bBytes, aLength) == 0);
	}
}

/* Bytewise, the shorter one first. */
static inline int
RetlCompareBytes(const uint8_t *a, size_t aLength, const uint8_t *b, size_t bLength)
{
	size_t		common = aLength < bLength ? aLength : bLength;
	int			cmp = common > 0 ? memcmp(a, b, common) : 0;

	if (cmp != 0)
		return cmp;
	return (aLength > bLength) - (aLength < bLength);
}

/* Comparison order.  INT and FLOAT values have "width" bytes whatever the lengths say. */
static inline int
RetlCompareValues(RetlPhysType type, uint16_t width,
				  const uint8_t *a, size_t aLength, const uint8_t *b, size_t bLength)
{
	if (type == RETL_PHYS_INT)
	{
		int64_t		x = RetlLoadInt(a, width);
		int64_t		y = RetlLoadInt(b, width);

		return (x > y) - (x < y);
	}
	if (type == RETL_PHYS_FLOAT)
	{
		double		x = RetlLoadFloat(a, width);
		double		y = RetlLoadFloat(b, width);

		if (x != x || y != y)
			return (x != x) - (y != y);
		return (x > y) - (x < y);
	}
	return RetlCompareBytes(a, aLength, b, bLength);
}

/*
 * The start of a value as a number whose order is the dictionary order as far
 * as it goes: values with different keys are ordered by them.
 */
static inline uint64_t
RetlSortKey(RetlPhysType type, uint16_t width, const uint8_t *value, size_t length)
{
	const uint64_t sign = UINT64_C(1) << 63;
	uint64_t	key;

	if (type == RETL_PHYS_INT)
		return (uint64_t) RetlLoadInt(value, width) ^ sign;
	if (type == RETL_PHYS_FLOAT)
	{
		double		number = RetlLoadFloat(value, width);

		memcpy(&key, &number, sizeof(key));
		if (number != number)
			return key | sign;
		return (key & sign) ? ~key : (key | sign);
	}
	key = 0;
	if (length > 0)
		memcpy(&key, value, length < sizeof(key) ? length : sizeof(key));
	return __builtin_bswap64(key);
}

/* Dictionary order. */
static inline int
RetlOrderValues(RetlPhysType type, uint16_t width,
				const uint8_t *a, size_t aLength, const uint8_t *b, size_t bLength)
{
	uint64_t	aKey = RetlSortKey(type, width, a, aLength);
	uint64_t	bKey = RetlSortKey(type, width, b, bLength);

	if (aKey != bKey)
		return aKey < bKey ? -1 : 1;
	return RetlCompareBytes(a, aLength, b, bLength);
}

/* Does "value op constant" hold when the two compare as cmp? */
static inline bool
RetlCompareHolds(RetlFilterOp op, int cmp)
{
	switch (op)
	{
		case RETL_LT:
			return cmp < 0;
		case RETL_LE:
			return cmp <= 0;
		case RETL_EQ:
			return cmp == 0;
		case RETL_GE:
			return cmp >= 0;
		case RETL_GT:
			return cmp > 0;
		default:
			return cmp != 0;
	}
}

/* Is the constant of a filter long enough to be a value of this type? */
static inline bool
RetlConstantFits(RetlPhysType type, uint16_t width, size_t constantLength)
{
	if (type == RETL_PHYS_INT || type == RETL_PHYS_FLOAT)
		return constantLength == width;
	return true;
}

#endif							/* RETLDB_VALUEOPS_H */
