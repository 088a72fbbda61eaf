/*-------------------------------------------------------------------------
 *
 * selection.c
 *	  Selections of rows as selections of the non-null values, and back.
 *
 * Encodings know values only, which stand densely: a selection of rows is
 * compressed to one of values by dropping the bits of null rows, and what
 * remains of it is expanded again.  Both are one instruction for 64 rows where
 * the processor has BMI2 (pext, pdep).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "vector/selection.h"

#if defined(__x86_64__) && defined(__GNUC__)
#define HAVE_BMI2	1
#include <immintrin.h>
#endif

typedef uint64 (*WordFunction) (uint64 bits, uint64 mask);

/* The bits at the places of the mask, side by side from the lowest on. */
static uint64
CompressWordPortable(uint64 bits, uint64 mask)
{
	uint64		result = 0;

	for (bits &= mask; bits != 0; bits &= bits - 1)
		result |= UINT64CONST(1) << pg_popcount64(mask & ((bits & -bits) - 1));
	return result;
}

/* The lowest bits, one for each place of the mask, at these places. */
static uint64
ExpandWordPortable(uint64 bits, uint64 mask)
{
	uint64		result = 0;

	for (; mask != 0; mask &= mask - 1, bits >>= 1)
	{
		if (bits & 1)
			result |= mask & -mask;
	}
	return result;
}

#ifdef HAVE_BMI2
/* CompressWordPortable by one instruction. */
__attribute__((target("bmi2")))
static uint64
CompressWordBmi2(uint64 bits, uint64 mask)
{
	return _pext_u64(bits, mask);
}

/* ExpandWordPortable by one instruction. */
__attribute__((target("bmi2")))
static uint64
ExpandWordBmi2(uint64 bits, uint64 mask)
{
	return _pdep_u64(bits, mask);
}
#endif

static WordFunction compressWord = NULL;
static WordFunction expandWord = NULL;

/* Choose the implementation, once. */
static void
Initialise(void)
{
	compressWord = CompressWordPortable;
	expandWord = ExpandWordPortable;
#ifdef HAVE_BMI2
	__builtin_cpu_init();
	if (__builtin_cpu_supports("bmi2"))
	{
		compressWord = CompressWordBmi2;
		expandWord = ExpandWordBmi2;
	}
#endif
}

/* See selection.h. */
void
RetlSelectionCompress(const uint64 *rows, const uint64 *present, uint32 words, uint64 *values)
{
	uint32		filled = 0;		/* bits */

	if (compressWord == NULL)
		Initialise();
	memset(values, 0, words * sizeof(uint64));
	for (uint32 i = 0; i < words; i++)
	{
		uint64		mask = present[i];
		uint64		word = mask == PG_UINT64_MAX ? rows[i] : compressWord(rows[i], mask);
		uint32		shift = filled % 64;

		values[filled / 64] |= word << shift;
		if (shift != 0 && word >> (64 - shift) != 0)
			values[filled / 64 + 1] |= word >> (64 - shift);
		filled += (uint32) pg_popcount64(mask);
		if (filled == words * 64)
			break;				/* there was no null at all */
	}
}

/* See selection.h. */
void
RetlSelectionExpand(const uint64 *values, const uint64 *present, uint32 words, uint64 *rows)
{
	uint32		used = 0;		/* bits */

	if (expandWord == NULL)
		Initialise();
	for (uint32 i = 0; i < words; i++)
	{
		uint64		mask = present[i];
		uint32		shift = used % 64;
		uint64		word = used / 64 < words ? values[used / 64] >> shift : 0;

		if (shift != 0 && used / 64 + 1 < words)
			word |= values[used / 64 + 1] << (64 - shift);
		rows[i] = mask == PG_UINT64_MAX ? word : expandWord(word, mask);
		used += (uint32) pg_popcount64(mask);
	}
}
