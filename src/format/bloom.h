/*-------------------------------------------------------------------------
 *
 * bloom.h
 *	  Bloom filters of the values of a chunk.  Pure C.
 *
 * A filter is a series of blocks of 256 bits, cut into partitions of equal
 * size, of which a look-up reads one.  The upper half of a value's hash says
 * which block is its own, the lower half which bit in each of the block's eight
 * words.  The layout is that of Parquet's split-block Bloom filters.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_BLOOM_H
#define RETLDB_BLOOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format/format.h"

/* Bytes of a block; of a partition at most. */
#define RETLDB_BLOOM_BLOCK				32
#define RETLDB_BLOOM_PARTITION_BLOCKS	254

/* More partitions than this no filter has; readers refuse them. */
#define RETLDB_BLOOM_MAX_PARTITIONS		1024

/* Nor more than one, and one for each so many rows. */
#define RETLDB_BLOOM_PARTITION_ROWS		2048

/* XXH64 with seed 0. */
extern uint64_t RetlHash64(const void *data, size_t length);

/* Describe a filter for so many different values; at most as large as can be. */
extern void RetlBloomHeaderInit(RetlBloomHeader *header, uint32_t valueCount,
								unsigned bitsPerValue);

/* What is wrong with a header read from disk, or NULL. */
extern const char *RetlBloomHeaderProblem(const RetlBloomHeader *header);

/* Bytes of a partition, and of the whole filter. */
extern uint32_t RetlBloomPartitionSize(const RetlBloomHeader *header);
extern uint64_t RetlBloomSize(const RetlBloomHeader *header);

/* Add a hash to a whole filter, whose partitions lie side by side. */
extern void RetlBloomAdd(const RetlBloomHeader *header, uint8_t *filter, uint64_t hash);

/* The partition that a hash belongs to, and whether the hash may be in it. */
extern uint32_t RetlBloomPartition(const RetlBloomHeader *header, uint64_t hash);
extern bool RetlBloomMayContain(const RetlBloomHeader *header, const uint8_t *partition,
								uint64_t hash);

#endif							/* RETLDB_BLOOM_H */
