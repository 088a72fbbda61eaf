/*-------------------------------------------------------------------------
 *
 * fuzz_decompress.c
 *	  Fuzz target: damaged compressed units.
 *
 * Input: one byte for the codec (modulo one more than there are), three for the
 * raw size (modulo 64 kB), then the compressed bytes.  Decompression may fail;
 * when it does not, it must have written every byte.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>
#include <string.h>

#include "compress/compress.h"

#define HEADER		4
#define MAX_RAW		(64 * 1024)

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* libFuzzer's entry. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int			codec;
	size_t		rawSize;
	uint8_t    *first;
	uint8_t    *second;
	uint8_t    *src;

	if (size < HEADER)
		return 0;
	codec = data[0] % (RETL_COMPRESSION_COUNT + 1);
	rawSize = ((size_t) data[1] | (size_t) data[2] << 8 | (size_t) data[3] << 16) % (MAX_RAW + 1);
	data += HEADER;
	size -= HEADER;
	src = malloc(size);
	first = malloc(rawSize);
	second = malloc(rawSize);
	if ((size > 0 && src == NULL) || (rawSize > 0 && (first == NULL || second == NULL)))
		abort();
	if (size > 0)
		memcpy(src, data, size);
	if (rawSize > 0)
	{
		memset(first, 0x55, rawSize);
		memset(second, 0xAA, rawSize);
	}
	if (RetlDecompress(codec, first, rawSize, src, size))
	{
		if (!RetlDecompress(codec, second, rawSize, src, size))
			abort();
		if (rawSize > 0 && memcmp(first, second, rawSize) != 0)
			abort();
	}
	free(src);
	free(first);
	free(second);
	return 0;
}
