/*-------------------------------------------------------------------------
 *
 * compress.h
 *	  LZ4, Snappy, zstd and none behind one pair of functions.  Pure C.
 *
 * Argument order is zstd's: (dst, dstCapacity, src, srcSize).  Nothing is
 * allocated here but what the libraries allocate for themselves; zstd and LZ4
 * contexts are kept for the life of the process.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_COMPRESS_H
#define RETLDB_COMPRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format/format.h"

/* Level 0 means the codec's default.  Levels a codec has not are clamped. */
#define RETLDB_MIN_COMPRESSION_LEVEL	0
#define RETLDB_MAX_COMPRESSION_LEVEL	19

/* Name as users write it ("lz4"), or NULL for an id this version does not know. */
extern const char *RetlCompressionName(int compressionId);

/* Room that RetlCompress may need for srcSize bytes. */
extern size_t RetlCompressBound(RetlCompressionId id, size_t srcSize);

/*
 * Compress.  Returns the compressed size, or 0 if the result would not be
 * smaller than srcSize (store the bytes as they are then), if it does not fit
 * dstCapacity, or for RETL_COMPRESSION_NONE.
 */
extern size_t RetlCompress(RetlCompressionId id, int level,
						   void *dst, size_t dstCapacity,
						   const void *src, size_t srcSize);

/*
 * Decompress exactly rawSize bytes into dst.  Returns false if src is not what
 * a compressor made of rawSize bytes, or the id is not known; never reads or
 * writes outside the two buffers.
 */
extern bool RetlDecompress(int compressionId, void *dst, size_t rawSize,
						   const void *src, size_t srcSize);

/*
 * Decompress the first "wanted" bytes (more than none) of what was rawSize bytes
 * into dst, which has room for these.  Codecs that cannot stop decompress all of
 * it, for which dst must have room.  False as above, as far as it shows.
 */
extern bool RetlDecompressBeginning(int compressionId, void *dst, size_t rawSize,
									size_t wanted, const void *src, size_t srcSize);

#endif							/* RETLDB_COMPRESS_H */
