/*-------------------------------------------------------------------------
 *
 * bloom.c
 *	  Bloom filters of the values of a chunk, and their hash.  Pure C.
 *
 *-------------------------------------------------------------------------
 */
#include "format/bloom.h"

#include <string.h>

#define PRIME_1		UINT64_C(0x9E3779B185EBCA87)
#define PRIME_2		UINT64_C(0xC2B2AE3D27D4EB4F)
#define PRIME_3		UINT64_C(0x165667B19E3779F9)
#define PRIME_4		UINT64_C(0x85EBCA77C2B2AE63)
#define PRIME_5		UINT64_C(0x27D4EB2F165667C5)

#define STRIPE		32			/* bytes the hash takes in at once */

#define BLOCK_WORDS	8

/* One for each word of a block. */
static const uint32_t salts[BLOCK_WORDS] = {
	0x47B6137B, 0x44974D91, 0x8824AD5B, 0xA2B7289D,
	0x705495C7, 0x2DF1424B, 0x9EFC4947, 0x5C6BFB31
};

/* Eight bytes, at any address. */
static uint64_t
Load64(const uint8_t *src)
{
	uint64_t	word;

	memcpy(&word, src, sizeof(word));
	return word;
}

/* Four bytes, at any address. */
static uint32_t
Load32(const uint8_t *src)
{
	uint32_t	word;

	memcpy(&word, src, sizeof(word));
	return word;
}

/* Bits that leave a word at the top come in at the bottom. */
static uint64_t
Rotate(uint64_t word, unsigned bits)
{
	return word << bits | word >> (64 - bits);
}

/* Take eight bytes into a lane of the hash. */
static uint64_t
Round(uint64_t lane, uint64_t word)
{
	return Rotate(lane + word * PRIME_2, 31) * PRIME_1;
}

/* Hash of whole stripes, with four lanes; *src moves on. */
static uint64_t
HashStripes(const uint8_t **src, size_t stripes)
{
	uint64_t	lanes[4] = {PRIME_1 + PRIME_2, PRIME_2, 0, UINT64_C(0) - PRIME_1};
	uint64_t	hash;
	int			i;

	for (; stripes > 0; stripes--, *src += STRIPE)
		for (i = 0; i < 4; i++)
			lanes[i] = Round(lanes[i], Load64(*src + 8 * i));
	hash = Rotate(lanes[0], 1) + Rotate(lanes[1], 7) + Rotate(lanes[2], 12) + Rotate(lanes[3], 18);
	for (i = 0; i < 4; i++)
		hash = (hash ^ Round(0, lanes[i])) * PRIME_1 + PRIME_4;
	return hash;
}

/* See bloom.h. */
uint64_t
RetlHash64(const void *data, size_t length)
{
	const uint8_t *src = data;
	uint64_t	hash = PRIME_5;
	size_t		rest = length % STRIPE;

	if (length >= STRIPE)
		hash = HashStripes(&src, length / STRIPE);
	hash += length;
	for (; rest >= 8; rest -= 8, src += 8)
		hash = Rotate(hash ^ Round(0, Load64(src)), 27) * PRIME_1 + PRIME_4;
	if (rest >= 4)
	{
		hash = Rotate(hash ^ Load32(src) * PRIME_1, 23) * PRIME_2 + PRIME_3;
		src += 4;
		rest -= 4;
	}
	for (; rest > 0; rest--, src++)
		hash = Rotate(hash ^ *src * PRIME_5, 11) * PRIME_1;
	hash = (hash ^ hash >> 33) * PRIME_2;
	hash = (hash ^ hash >> 29) * PRIME_3;
	return hash ^ hash >> 32;
}

/* See bloom.h. */
void
RetlBloomHeaderInit(RetlBloomHeader *header, uint32_t valueCount, unsigned bitsPerValue)
{
	uint64_t	blocks = (uint64_t) valueCount * bitsPerValue / (8 * RETLDB_BLOOM_BLOCK) + 1;
	uint64_t	partitions = (blocks - 1) / RETLDB_BLOOM_PARTITION_BLOCKS + 1;

	memset(header, 0, sizeof(*header));
	header->hashVersion = RETLDB_BLOOM_HASH;
	if (partitions > RETLDB_BLOOM_MAX_PARTITIONS)
		partitions = RETLDB_BLOOM_MAX_PARTITIONS;
	blocks = (blocks - 1) / partitions + 1;
	if (blocks > RETLDB_BLOOM_PARTITION_BLOCKS)
		blocks = RETLDB_BLOOM_PARTITION_BLOCKS;
	header->partitionBlocks = (uint16_t) blocks;
	header->partitionCount = (uint32_t) partitions;
	header->valueCount = valueCount;
}

/* See bloom.h. */
const char *
RetlBloomHeaderProblem(const RetlBloomHeader *header)
{
	if (header->hashVersion != RETLDB_BLOOM_HASH || header->reserved != 0)
		return "Bloom filter has an unknown hash";
	if (header->partitionCount == 0 || header->partitionCount > RETLDB_BLOOM_MAX_PARTITIONS ||
		header->partitionBlocks == 0 || header->partitionBlocks > RETLDB_BLOOM_PARTITION_BLOCKS)
		return "Bloom filter has an impossible size";
	return NULL;
}

/* See bloom.h. */
uint32_t
RetlBloomPartitionSize(const RetlBloomHeader *header)
{
	return (uint32_t) header->partitionBlocks * RETLDB_BLOOM_BLOCK;
}

/* See bloom.h. */
uint64_t
RetlBloomSize(const RetlBloomHeader *header)
{
	return (uint64_t) RetlBloomPartitionSize(header) * header->partitionCount;
}

/* The block of a hash, counted through all partitions. */
static uint64_t
BlockOf(const RetlBloomHeader *header, uint64_t hash)
{
	uint64_t	blocks = (uint64_t) header->partitionCount * header->partitionBlocks;

	return (hash >> 32) * blocks >> 32;
}

/* See bloom.h. */
void
RetlBloomAdd(const RetlBloomHeader *header, uint8_t *filter, uint64_t hash)
{
	uint8_t    *block = filter + BlockOf(header, hash) * RETLDB_BLOOM_BLOCK;
	int			i;

	for (i = 0; i < BLOCK_WORDS; i++)
	{
		uint32_t	bit = (uint32_t) hash * salts[i] >> 27;

		block[4 * i + bit / 8] |= (uint8_t) (1 << (bit % 8));
	}
}

/* See bloom.h. */
uint32_t
RetlBloomPartition(const RetlBloomHeader *header, uint64_t hash)
{
	return (uint32_t) (BlockOf(header, hash) / header->partitionBlocks);
}

/* See bloom.h. */
bool
RetlBloomMayContain(const RetlBloomHeader *header, const uint8_t *partition, uint64_t hash)
{
	const uint8_t *block = partition +
		BlockOf(header, hash) % header->partitionBlocks * RETLDB_BLOOM_BLOCK;
	int			i;

	for (i = 0; i < BLOCK_WORDS; i++)
	{
		uint32_t	bit = (uint32_t) hash * salts[i] >> 27;

		if ((block[4 * i + bit / 8] >> (bit % 8) & 1) == 0)
			return false;
	}
	return true;
}
