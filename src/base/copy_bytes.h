/*-------------------------------------------------------------------------
 *
 * copy_bytes.h
 *	  Copying a few bytes without calling anybody.
 *
 * What rows consist of is seldom longer than 32 bytes, and a call of memcpy takes
 * longer than copying so many.  The pieces of a value that are copied overlap, so
 * nothing outside it is read or written, and lengths of one size class take one way.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_COPY_BYTES_H
#define RETLDB_COPY_BYTES_H

#include "postgres.h"

/* Copy "length" bytes; the two places do not overlap. */
static inline void
RetlCopyBytes(void *dst, const void *src, Size length)
{
	char	   *to = dst;
	const char *from = src;

	if (length > 32)
		memcpy(to, from, length);
	else if (length > 16)
	{
		uint64		words[4];

		memcpy(words, from, 16);
		memcpy(words + 2, from + length - 16, 16);
		memcpy(to, words, 16);
		memcpy(to + length - 16, words + 2, 16);
	}
	else if (length >= 8)
	{
		uint64		start;
		uint64		end;

		memcpy(&start, from, 8);
		memcpy(&end, from + length - 8, 8);
		memcpy(to, &start, 8);
		memcpy(to + length - 8, &end, 8);
	}
	else if (length >= 4)
	{
		uint32		start;
		uint32		end;

		memcpy(&start, from, 4);
		memcpy(&end, from + length - 4, 4);
		memcpy(to, &start, 4);
		memcpy(to + length - 4, &end, 4);
	}
	else if (length > 0)
	{
		to[0] = from[0];
		to[length / 2] = from[length / 2];
		to[length - 1] = from[length - 1];
	}
}

#endif							/* RETLDB_COPY_BYTES_H */
