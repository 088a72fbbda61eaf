/*-------------------------------------------------------------------------
 *
 * key_bytes.c
 *	  Zone map keys from plain values.  Pure C.
 *
 * INT, UINT and FLOAT keys are 8 bytes big-endian, the rest zero:
 *
 *	INT		the value with its sign bit flipped
 *	UINT	the value
 *	FLOAT	the bits of the double; all flipped if it is negative, else the sign
 *			bit alone; -0 counts as 0, and every NaN is the quiet NaN 0x7ff8...,
 *			which comes out above infinity
 *
 * A NUMERIC key:
 *
 *	OFFSET	SIZE	DESCRIPTION
 *	0		1		class: 0 -infinity, 1 negative, 2 zero, 3 positive,
 *					4 infinity, 5 NaN
 *	1		2		weight + 32768 of the first digit, big-endian
 *	3		12		the first six digits to the base 10000, two bytes each,
 *					big-endian, zero where there are fewer
 *	15		1		zero
 *
 * Bytes 1 to 14 are zero for classes 0, 2, 4 and 5, and complemented for class
 * 1.  Digits past the sixth are cut off, which keeps the order, for it cuts
 * magnitudes; trailing zero digits make no difference, so 1.0 and 1.00 have
 * the same key, as they are equal.
 *
 *-------------------------------------------------------------------------
 */
#include "rowgroup/key_bytes.h"

#include <string.h>

/* The format of a numeric, see PostgreSQL's numeric.c. */
#define NUMERIC_SIGN_MASK			0xC000
#define NUMERIC_NEG					0x4000
#define NUMERIC_SHORT				0x8000
#define NUMERIC_SPECIAL				0xC000
#define NUMERIC_EXT_SIGN_MASK		0xF000
#define NUMERIC_PINF				0xD000
#define NUMERIC_NINF				0xF000
#define NUMERIC_SHORT_SIGN_MASK		0x2000
#define NUMERIC_SHORT_WEIGHT_SIGN	0x0040
#define NUMERIC_SHORT_WEIGHT_MASK	0x003F

#define KEY_CLASS_NINF		0
#define KEY_CLASS_NEGATIVE	1
#define KEY_CLASS_ZERO		2
#define KEY_CLASS_POSITIVE	3
#define KEY_CLASS_PINF		4
#define KEY_CLASS_NAN		5

#define KEY_DIGITS			6

/* Write a 64-bit value big-endian, and zero the rest of the key. */
static void
PutKey(uint64_t value, uint8_t key[RETLDB_KEY_LENGTH])
{
	for (int i = 0; i < 8; i++)
		key[i] = (uint8_t) (value >> (56 - 8 * i));
	memset(key + 8, 0, RETLDB_KEY_LENGTH - 8);
}

/* See key_bytes.h. */
void
RetlKeyFromInt(int64_t value, uint8_t key[RETLDB_KEY_LENGTH])
{
	PutKey((uint64_t) value ^ (UINT64_C(1) << 63), key);
}

/* See key_bytes.h. */
void
RetlKeyFromUint(uint64_t value, uint8_t key[RETLDB_KEY_LENGTH])
{
	PutKey(value, key);
}

/* See key_bytes.h. */
void
RetlKeyFromFloat(double value, uint8_t key[RETLDB_KEY_LENGTH])
{
	uint64_t	bits;

	if (value != value)
		bits = UINT64_C(0x7ff8000000000000);
	else if (value == 0)
		bits = 0;
	else
		memcpy(&bits, &value, sizeof(bits));

	if ((bits >> 63) != 0)
		bits = ~bits;
	else
		bits ^= UINT64_C(1) << 63;
	PutKey(bits, key);
}

/*
 * The key of a string is padded with zeros, so a string that ends in a zero
 * byte has the key of the one without it and is not exact.
 */
bool
RetlKeyFromBytes(const uint8_t *data, size_t length, uint8_t key[RETLDB_KEY_LENGTH])
{
	if (length >= RETLDB_KEY_LENGTH)
		memcpy(key, data, RETLDB_KEY_LENGTH);
	else
	{
		memset(key, 0, RETLDB_KEY_LENGTH);
		if (length > 0)
			memcpy(key, data, length);
	}
	return length <= RETLDB_KEY_LENGTH && (length == 0 || data[length - 1] != 0);
}

/* See key_bytes.h. */
bool
RetlKeyFromPadded(const uint8_t *data, size_t length, uint8_t key[RETLDB_KEY_LENGTH])
{
	while (length > 0 && data[length - 1] == ' ')
		length--;
	return RetlKeyFromBytes(data, length, key);
}

/* A 16-bit word of a numeric. */
static uint32_t
GetWord(const uint8_t *data, size_t offset)
{
	uint16_t	word;

	memcpy(&word, data + offset, sizeof(word));
	return word;
}

/* Key of NaN or an infinity. */
static bool
KeyFromSpecial(uint32_t header, uint8_t key[RETLDB_KEY_LENGTH])
{
	switch (header & NUMERIC_EXT_SIGN_MASK)
	{
		case NUMERIC_PINF:
			key[0] = KEY_CLASS_PINF;
			break;
		case NUMERIC_NINF:
			key[0] = KEY_CLASS_NINF;
			break;
		default:
			key[0] = KEY_CLASS_NAN;
			break;
	}
	return true;
}

/*
 * Key of a number that is not zero: its first digit is not zero, nor is its
 * last.
 */
static bool
KeyFromDigits(bool negative, int32_t weight, const uint8_t *digits, size_t digitCount,
			  uint8_t key[RETLDB_KEY_LENGTH])
{
	uint32_t	biased = weight < -32768 ? 0 : (uint32_t) (weight + 32768);

	key[0] = negative ? KEY_CLASS_NEGATIVE : KEY_CLASS_POSITIVE;
	key[1] = (uint8_t) (biased >> 8);
	key[2] = (uint8_t) biased;
	for (size_t i = 0; i < digitCount && i < KEY_DIGITS; i++)
	{
		uint32_t	digit = GetWord(digits, 2 * i);

		key[3 + 2 * i] = (uint8_t) (digit >> 8);
		key[4 + 2 * i] = (uint8_t) digit;
	}
	if (negative)
	{
		for (int i = 1; i < 3 + 2 * KEY_DIGITS; i++)
			key[i] = (uint8_t) ~key[i];
	}
	return digitCount <= KEY_DIGITS;
}

/* See key_bytes.h. */
bool
RetlKeyFromNumeric(const uint8_t *data, size_t length, uint8_t key[RETLDB_KEY_LENGTH])
{
	uint32_t	header;
	bool		negative;
	int32_t		weight;
	size_t		digitCount;

	memset(key, 0, RETLDB_KEY_LENGTH);
	if (length < 2)
		return false;			/* no numeric */
	header = GetWord(data, 0);
	if ((header & NUMERIC_SIGN_MASK) == NUMERIC_SPECIAL)
		return KeyFromSpecial(header, key);

	if ((header & NUMERIC_SIGN_MASK) == NUMERIC_SHORT)
	{
		negative = (header & NUMERIC_SHORT_SIGN_MASK) != 0;
		weight = (int32_t) (header & NUMERIC_SHORT_WEIGHT_MASK);
		if ((header & NUMERIC_SHORT_WEIGHT_SIGN) != 0)
			weight -= NUMERIC_SHORT_WEIGHT_MASK + 1;
		data += 2;
		length -= 2;
	}
	else
	{
		if (length < 4)
			return false;		/* no numeric */
		negative = (header & NUMERIC_SIGN_MASK) == NUMERIC_NEG;
		weight = (int16_t) GetWord(data, 2);
		data += 4;
		length -= 4;
	}

	/* PostgreSQL strips zero digits at both ends, but what if not? */
	digitCount = length / 2;
	while (digitCount > 0 && GetWord(data, 2 * (digitCount - 1)) == 0)
		digitCount--;
	while (digitCount > 0 && GetWord(data, 0) == 0)
	{
		data += 2;
		digitCount--;
		weight--;
	}
	if (digitCount == 0)
	{
		key[0] = KEY_CLASS_ZERO;
		return true;
	}
	return KeyFromDigits(negative, weight, data, digitCount, key);
}
