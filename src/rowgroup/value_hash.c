/*-------------------------------------------------------------------------
 *
 * value_hash.c
 *	  Hashes of values for Bloom filters.  Pure C.
 *
 *-------------------------------------------------------------------------
 */
#include "rowgroup/value_hash.h"

#include <stdbool.h>
#include <string.h>

#include "format/bloom.h"

/* Heads of numerics, see utils/adt/numeric.c. */
#define NUMERIC_SIGN_MASK		0xC000
#define NUMERIC_SPECIAL			0xC000
#define NUMERIC_SHORT			0x8000
#define NUMERIC_NEG				0x4000
#define NUMERIC_EXT_SIGN_MASK	0xF000
#define NUMERIC_SHORT_SIGN		0x2000
#define NUMERIC_SHORT_WEIGHT	0x007F

/* Digits of a numeric that are hashed; the others make no difference. */
#define MAX_DIGITS				64

/* See value_hash.h. */
uint64_t
RetlHashInt(int64_t value)
{
	return RetlHash64(&value, sizeof(value));
}

/* See value_hash.h.  -0 is 0, and there is one NaN. */
uint64_t
RetlHashFloat(double value)
{
	uint64_t	bits = UINT64_C(0x7FF8000000000000);

	if (value == value)
	{
		value = value == 0 ? 0 : value;
		memcpy(&bits, &value, sizeof(bits));
	}
	return RetlHash64(&bits, sizeof(bits));
}

/* See value_hash.h. */
uint64_t
RetlHashBytes(const uint8_t *data, size_t length)
{
	return RetlHash64(data, length);
}

/* A byte string whose trailing blanks do not count. */
static uint64_t
HashPadded(const uint8_t *data, size_t length)
{
	while (length > 0 && data[length - 1] == ' ')
		length--;
	return RetlHash64(data, length);
}

/* See value_hash.h. */
uint64_t
RetlHashName(const uint8_t *data, size_t length)
{
	const uint8_t *end = memchr(data, 0, length);

	return RetlHash64(data, end != NULL ? (size_t) (end - data) : length);
}

/* Two bytes, at any address. */
static uint16_t
GetWord(const uint8_t *data, size_t offset)
{
	uint16_t	word;

	memcpy(&word, data + offset, sizeof(word));
	return word;
}

/*
 * Sign (0 or 1) and weight of a finite numeric, two bytes each, then its digits
 * from the first that is not zero to the last; zero has neither weight nor sign.
 */
static uint64_t
HashDigits(bool negative, int32_t weight, const uint8_t *digits, size_t count)
{
	uint8_t		canonical[4 + 2 * MAX_DIGITS];
	uint16_t	head[2];

	while (count > 0 && GetWord(digits, 2 * (count - 1)) == 0)
		count--;
	for (; count > 0 && GetWord(digits, 0) == 0; digits += 2, weight--)
		count--;
	if (count > MAX_DIGITS)
		count = MAX_DIGITS;
	head[0] = count > 0 && negative ? 1 : 0;
	head[1] = count > 0 ? (uint16_t) weight : 0;
	memcpy(canonical, head, sizeof(head));
	if (count > 0)
		memcpy(canonical + sizeof(head), digits, 2 * count);
	return RetlHash64(canonical, sizeof(head) + 2 * count);
}

/* See value_hash.h. */
uint64_t
RetlHashNumeric(const uint8_t *data, size_t length)
{
	uint16_t	head;
	int32_t		weight;

	if (length < 2)
		return RetlHash64(data, length);
	head = GetWord(data, 0);
	if ((head & NUMERIC_SIGN_MASK) == NUMERIC_SPECIAL)
	{
		head &= NUMERIC_EXT_SIGN_MASK;
		return RetlHash64(&head, sizeof(head));
	}
	if ((head & NUMERIC_SIGN_MASK) == NUMERIC_SHORT)
	{
		weight = ((head & NUMERIC_SHORT_WEIGHT) ^ 0x40) - 0x40;
		return HashDigits((head & NUMERIC_SHORT_SIGN) != 0, weight, data + 2, (length - 2) / 2);
	}
	if (length < 4)
		return RetlHash64(data, length);
	weight = (int16_t) GetWord(data, 2);
	return HashDigits((head & NUMERIC_SIGN_MASK) == NUMERIC_NEG, weight, data + 4,
					  (length - 4) / 2);
}

/* A stored integer, extended by its sign if it has one. */
static int64_t
StoredInt(const uint8_t *data, uint16_t width, bool isSigned)
{
	unsigned	shift = 64 - 8 * (unsigned) width;
	uint64_t	bits = 0;

	memcpy(&bits, data, width);
	return isSigned ? (int64_t) (bits << shift) >> shift : (int64_t) bits;
}

/* See value_hash.h. */
uint64_t
RetlHashStored(RetlKeyKind kind, RetlPhysType physType, uint16_t width,
			   const uint8_t *data, size_t length)
{
	float		narrow;
	double		number;

	switch (kind)
	{
		case RETL_KEY_INT:
		case RETL_KEY_UINT:
			return RetlHashInt(StoredInt(data, width, kind == RETL_KEY_INT));
		case RETL_KEY_FLOAT:
			if (width == sizeof(narrow))
			{
				memcpy(&narrow, data, sizeof(narrow));
				return RetlHashFloat(narrow);
			}
			memcpy(&number, data, sizeof(number));
			return RetlHashFloat(number);
		case RETL_KEY_BPCHAR:
			return HashPadded(data, length);
		case RETL_KEY_NUMERIC:
			return RetlHashNumeric(data, length);
		case RETL_KEY_TEXT:
			if (physType == RETL_PHYS_FIXED)
				return RetlHashName(data, length);
			break;
		default:
			break;
	}
	return RetlHashBytes(data, length);
}
