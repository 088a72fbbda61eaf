/*-------------------------------------------------------------------------
 *
 * compress.c
 *	  LZ4, Snappy, zstd and none behind one pair of functions.  Pure C.
 *
 * One table has a pair of functions for each codec; the extern functions check
 * what all codecs have in common and call through it.
 *
 * Memory: the states of LZ4 and LZ4 HC are static (the latter's 256 kB cost
 * nothing until first used), the contexts of zstd are created at first use and
 * kept.  Snappy allocates and frees its own scratch memory in each call to
 * compress.  A zstd context that cannot be had makes compression answer "not
 * smaller" and decompression fail; the next call tries again.
 *
 * Levels: LZ4 has its fast mode for levels 0 to 2, and the levels of LZ4 HC
 * from 3 on (12 is the highest it has).  Snappy has none.  zstd's default is 3.
 *
 *-------------------------------------------------------------------------
 */
#include <limits.h>
#include <string.h>

#include <lz4.h>
#include <lz4hc.h>
#include <snappy-c.h>
#include <zstd.h>

#include "compress/compress.h"

#define LZ4_FIRST_HC_LEVEL		3
#define LZ4_FAST_ACCELERATION	1
#define ZSTD_LEVEL_DEFAULT		3

typedef struct Codec
{
	const char *name;

	/* Largest input; more is not compressed. */
	size_t		maxSrcSize;

	/* Worst-case size; srcSize <= maxSrcSize. */
	size_t		(*bound) (size_t srcSize);

	/* Compressed size, or 0 on any failure; srcSize <= maxSrcSize. */
	size_t		(*compress) (int level, void *dst, size_t dstCapacity,
							 const void *src, size_t srcSize);

	/* Did src give exactly rawSize bytes?  Neither size is 0. */
	bool		(*decompress) (void *dst, size_t rawSize,
							   const void *src, size_t srcSize);
} Codec;

static LZ4_stream_t lz4State;
static LZ4_streamHC_t lz4HcState;
static ZSTD_CCtx *zstdCompressor = NULL;
static ZSTD_DCtx *zstdDecompressor = NULL;

/* Codec.bound for LZ4. */
static size_t
Lz4Bound(size_t srcSize)
{
	return (size_t) LZ4_compressBound((int) srcSize);
}

/* Codec.compress for LZ4 and LZ4 HC. */
static size_t
Lz4Compress(int level, void *dst, size_t dstCapacity, const void *src, size_t srcSize)
{
	int			capacity = dstCapacity > INT_MAX ? INT_MAX : (int) dstCapacity;
	int			size;

	if (level < LZ4_FIRST_HC_LEVEL)
		size = LZ4_compress_fast_extState(&lz4State, src, dst, (int) srcSize,
										  capacity, LZ4_FAST_ACCELERATION);
	else
		size = LZ4_compress_HC_extStateHC(&lz4HcState, src, dst, (int) srcSize,
										  capacity,
										  level > LZ4HC_CLEVEL_MAX ? LZ4HC_CLEVEL_MAX : level);
	return size > 0 ? (size_t) size : 0;
}

/* Codec.decompress for LZ4. */
static bool
Lz4Decompress(void *dst, size_t rawSize, const void *src, size_t srcSize)
{
	if (srcSize > INT_MAX || rawSize > INT_MAX)
		return false;
	return LZ4_decompress_safe(src, dst, (int) srcSize, (int) rawSize) == (int) rawSize;
}

/* Codec.bound for Snappy. */
static size_t
SnappyBound(size_t srcSize)
{
	return snappy_max_compressed_length(srcSize);
}

/* Codec.compress for Snappy, which insists on room for the worst case. */
static size_t
SnappyCompress(int level, void *dst, size_t dstCapacity, const void *src, size_t srcSize)
{
	size_t		size = dstCapacity;

	(void) level;
	if (snappy_compress(src, srcSize, dst, &size) != SNAPPY_OK)
		return 0;
	return size;
}

/* Codec.decompress for Snappy: the size it claims decides before it writes. */
static bool
SnappyDecompress(void *dst, size_t rawSize, const void *src, size_t srcSize)
{
	size_t		size;

	if (snappy_uncompressed_length(src, srcSize, &size) != SNAPPY_OK || size != rawSize)
		return false;
	if (snappy_uncompress(src, srcSize, dst, &size) != SNAPPY_OK)
		return false;
	return size == rawSize;
}

/* Codec.bound for zstd. */
static size_t
ZstdBound(size_t srcSize)
{
	return ZSTD_compressBound(srcSize);
}

/* Codec.compress for zstd. */
static size_t
ZstdCompress(int level, void *dst, size_t dstCapacity, const void *src, size_t srcSize)
{
	size_t		size;

	if (zstdCompressor == NULL)
		zstdCompressor = ZSTD_createCCtx();
	if (zstdCompressor == NULL)
		return 0;
	size = ZSTD_compressCCtx(zstdCompressor, dst, dstCapacity, src, srcSize,
							 level == 0 ? ZSTD_LEVEL_DEFAULT : level);
	return ZSTD_isError(size) ? 0 : size;
}

/* Codec.decompress for zstd. */
static bool
ZstdDecompress(void *dst, size_t rawSize, const void *src, size_t srcSize)
{
	size_t		size;

	if (zstdDecompressor == NULL)
		zstdDecompressor = ZSTD_createDCtx();
	if (zstdDecompressor == NULL)
		return false;
	size = ZSTD_decompressDCtx(zstdDecompressor, dst, rawSize, src, srcSize);
	return !ZSTD_isError(size) && size == rawSize;
}

static const Codec codecs[RETL_COMPRESSION_COUNT] = {
	[RETL_COMPRESSION_NONE] = {"none", 0, NULL, NULL, NULL},
	[RETL_COMPRESSION_LZ4] = {"lz4", LZ4_MAX_INPUT_SIZE, Lz4Bound, Lz4Compress, Lz4Decompress},
	[RETL_COMPRESSION_SNAPPY] = {"snappy", UINT32_MAX, SnappyBound, SnappyCompress, SnappyDecompress},
	[RETL_COMPRESSION_ZSTD] = {"zstd", RETLDB_UNIT_RAW_MAX, ZstdBound, ZstdCompress, ZstdDecompress},
};

/* See compress.h. */
const char *
RetlCompressionName(int compressionId)
{
	if (compressionId < 0 || compressionId >= RETL_COMPRESSION_COUNT)
		return NULL;
	return codecs[compressionId].name;
}

/* See compress.h.  What is not compressed is stored in srcSize bytes. */
size_t
RetlCompressBound(RetlCompressionId id, size_t srcSize)
{
	if (id == RETL_COMPRESSION_NONE || RetlCompressionName(id) == NULL ||
		srcSize > codecs[id].maxSrcSize)
		return srcSize;
	return codecs[id].bound(srcSize);
}

/* See compress.h. */
size_t
RetlCompress(RetlCompressionId id, int level, void *dst, size_t dstCapacity,
			 const void *src, size_t srcSize)
{
	size_t		size;

	if (id == RETL_COMPRESSION_NONE || RetlCompressionName(id) == NULL)
		return 0;
	if (srcSize == 0 || srcSize > codecs[id].maxSrcSize)
		return 0;
	if (level < RETLDB_MIN_COMPRESSION_LEVEL)
		level = RETLDB_MIN_COMPRESSION_LEVEL;
	if (level > RETLDB_MAX_COMPRESSION_LEVEL)
		level = RETLDB_MAX_COMPRESSION_LEVEL;
	size = codecs[id].compress(level, dst, dstCapacity, src, srcSize);
	return size < srcSize ? size : 0;
}

/* See compress.h. */
bool
RetlDecompress(int compressionId, void *dst, size_t rawSize,
			   const void *src, size_t srcSize)
{
	if (RetlCompressionName(compressionId) == NULL)
		return false;
	if (compressionId == RETL_COMPRESSION_NONE)
	{
		if (rawSize != srcSize)
			return false;
		if (rawSize > 0)
			memcpy(dst, src, rawSize);
		return true;
	}

	/* Nothing is never compressed. */
	if (rawSize == 0 || srcSize == 0)
		return false;
	return codecs[compressionId].decompress(dst, rawSize, src, srcSize);
}

/* See compress.h. */
bool
RetlDecompressBeginning(int compressionId, void *dst, size_t rawSize, size_t wanted,
						const void *src, size_t srcSize)
{
	if (compressionId != RETL_COMPRESSION_LZ4 || wanted == 0 || wanted >= rawSize ||
		srcSize > INT32_MAX || rawSize > INT32_MAX)
		return RetlDecompress(compressionId, dst, rawSize, src, srcSize);
	return LZ4_decompress_safe_partial(src, dst, (int) srcSize, (int) wanted,
									   (int) rawSize) >= (int) wanted;
}
