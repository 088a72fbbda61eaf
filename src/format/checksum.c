/*-------------------------------------------------------------------------
 *
 * checksum.c
 *	  CRC-32C (Castagnoli, reflected polynomial 0x82F63B78).  Pure C.
 *
 * Two implementations give the same result; which one runs is decided at the
 * first call:
 *
 *	- On x86-64 processors with SSE 4.2 the crc32 instruction.  It has a
 *	  latency of three cycles but starts every cycle, so long inputs are cut
 *	  into three lanes that are computed side by side and then combined.
 *	- Elsewhere tables, eight bytes at a time ("slicing by 8").
 *
 * The tables are computed at the first call.  That is not safe against two
 * first calls from different threads; callers run in processes of one thread,
 * or call RetlCrc32c once before they start threads.
 *
 * Internally the register is kept inverted, as the definition has it; only the
 * two extern functions invert.
 *
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "format/checksum.h"
#include "format/checksum_internal.h"

#define CASTAGNOLI			0x82F63B78U

/* Bytes of a lane of the three-lane loop; a multiple of 8. */
#define LANE_BYTES			512

#if defined(__x86_64__) && defined(__GNUC__)
#define HAVE_CRC_INSTRUCTION	1
#include <nmmintrin.h>
#endif

typedef uint32_t (*CrcFunction) (uint32_t crc, const uint8_t *data, size_t length);

static uint32_t CrcByTable(uint32_t crc, const uint8_t *data, size_t length);
#ifdef HAVE_CRC_INSTRUCTION
static uint32_t CrcByInstruction(uint32_t crc, const uint8_t *data, size_t length);
#endif

/* Set by Initialise. */
static CrcFunction crcFunction = NULL;

/* sliceTable[k][b]: register after byte b and then k zero bytes. */
static uint32_t sliceTable[8][256];

#ifdef HAVE_CRC_INSTRUCTION
/* laneTable[k][b]: what byte k of a register, being b, is after LANE_BYTES zero bytes. */
static uint32_t laneTable[4][256];
#endif

/* Eight bytes from any address. */
static inline uint64_t
Load64(const uint8_t *data)
{
	uint64_t	word;

	memcpy(&word, data, sizeof(word));
	return word;
}

/* Compute sliceTable, bit by bit and then each row from the one before. */
static void
BuildSliceTable(void)
{
	uint32_t	byte;
	int			k;

	for (byte = 0; byte < 256; byte++)
	{
		uint32_t	crc = byte;
		int			bit;

		for (bit = 0; bit < 8; bit++)
			crc = (crc >> 1) ^ ((crc & 1) ? CASTAGNOLI : 0);
		sliceTable[0][byte] = crc;
	}
	for (k = 1; k < 8; k++)
		for (byte = 0; byte < 256; byte++)
		{
			uint32_t	crc = sliceTable[k - 1][byte];

			sliceTable[k][byte] = (crc >> 8) ^ sliceTable[0][crc & 0xFF];
		}
}

#ifdef HAVE_CRC_INSTRUCTION
/*
 * Compute laneTable.  Appending zero bytes is linear in the register, so that
 * what becomes of each of its 32 bits says what becomes of all values.  Needs
 * sliceTable.
 */
static void
BuildLaneTable(void)
{
	uint32_t	image[32];
	int			bit;
	int			k;
	uint32_t	byte;

	for (bit = 0; bit < 32; bit++)
	{
		uint32_t	crc = UINT32_C(1) << bit;
		int			i;

		for (i = 0; i < LANE_BYTES; i++)
			crc = (crc >> 8) ^ sliceTable[0][crc & 0xFF];
		image[bit] = crc;
	}
	for (k = 0; k < 4; k++)
		for (byte = 0; byte < 256; byte++)
		{
			uint32_t	crc = 0;

			for (bit = 0; bit < 8; bit++)
				if (byte & (1U << bit))
					crc ^= image[8 * k + bit];
			laneTable[k][byte] = crc;
		}
}
#endif

/* Build the tables and choose the implementation. */
static void
Initialise(void)
{
	CrcFunction chosen = CrcByTable;

	BuildSliceTable();
#ifdef HAVE_CRC_INSTRUCTION
	BuildLaneTable();
	__builtin_cpu_init();
	if (__builtin_cpu_supports("sse4.2"))
		chosen = CrcByInstruction;
#endif
	crcFunction = chosen;
}

/* Continue the register over the data with tables, eight bytes at a time. */
static uint32_t
CrcByTable(uint32_t crc, const uint8_t *data, size_t length)
{
	while (length >= 8)
	{
		uint64_t	word = Load64(data) ^ crc;

		crc = sliceTable[7][word & 0xFF] ^
			sliceTable[6][(word >> 8) & 0xFF] ^
			sliceTable[5][(word >> 16) & 0xFF] ^
			sliceTable[4][(word >> 24) & 0xFF] ^
			sliceTable[3][(word >> 32) & 0xFF] ^
			sliceTable[2][(word >> 40) & 0xFF] ^
			sliceTable[1][(word >> 48) & 0xFF] ^
			sliceTable[0][word >> 56];
		data += 8;
		length -= 8;
	}
	while (length-- > 0)
		crc = (crc >> 8) ^ sliceTable[0][(crc ^ *data++) & 0xFF];
	return crc;
}

#ifdef HAVE_CRC_INSTRUCTION
/* The register after LANE_BYTES further zero bytes. */
static inline uint32_t
SkipLane(uint32_t crc)
{
	return laneTable[0][crc & 0xFF] ^
		laneTable[1][(crc >> 8) & 0xFF] ^
		laneTable[2][(crc >> 16) & 0xFF] ^
		laneTable[3][crc >> 24];
}

/*
 * Continue the register over the data with the crc32 instruction.  Lanes two
 * and three begin with an empty register; the lane before each is moved past
 * it and added.
 */
__attribute__((target("sse4.2")))
static uint32_t
CrcByInstruction(uint32_t crc, const uint8_t *data, size_t length)
{
	uint64_t	first = crc;

	while (length >= 3 * LANE_BYTES)
	{
		uint64_t	second = 0;
		uint64_t	third = 0;
		int			i;

		for (i = 0; i < LANE_BYTES; i += 8)
		{
			first = _mm_crc32_u64(first, Load64(data + i));
			second = _mm_crc32_u64(second, Load64(data + LANE_BYTES + i));
			third = _mm_crc32_u64(third, Load64(data + 2 * LANE_BYTES + i));
		}
		second ^= SkipLane((uint32_t) first);
		first = third ^ SkipLane((uint32_t) second);
		data += 3 * LANE_BYTES;
		length -= 3 * LANE_BYTES;
	}
	while (length >= 8)
	{
		first = _mm_crc32_u64(first, Load64(data));
		data += 8;
		length -= 8;
	}
	while (length-- > 0)
		first = _mm_crc32_u8((uint32_t) first, *data++);
	return (uint32_t) first;
}
#endif

/* See checksum.h. */
uint32_t
RetlCrc32c(uint32_t crc, const void *data, size_t length)
{
	if (crcFunction == NULL)
		Initialise();
	return ~crcFunction(~crc, data, length);
}

/* See checksum.h.  The field must lie inside the data. */
uint32_t
RetlCrc32cWithout(uint32_t crc, const void *data, size_t length,
				  size_t fieldOffset)
{
	static const uint8_t zeroes[4] = {0, 0, 0, 0};
	const uint8_t *bytes = data;
	size_t		after = fieldOffset + sizeof(zeroes);

	crc = RetlCrc32c(crc, bytes, fieldOffset);
	crc = RetlCrc32c(crc, zeroes, sizeof(zeroes));
	return RetlCrc32c(crc, bytes + after, length - after);
}

/* See checksum_internal.h. */
uint32_t
RetlCrc32cPortable(uint32_t crc, const void *data, size_t length)
{
	if (crcFunction == NULL)
		Initialise();
	return ~CrcByTable(~crc, data, length);
}
