/*-------------------------------------------------------------------------
 *
 * simd.c
 *	  The loops that scans spend their time in, for processors with AVX2.
 *	  Pure C.
 *
 * Unpacking.  A group of 8 numbers of w bits takes w bytes.  Numbers of at most
 * 32 bits go to 8 lanes of 32 bits: each half of the register is loaded from
 * where its first number begins, a byte shuffle brings the four bytes that hold
 * a number into its lane, and a shift with one distance per lane brings its
 * lowest bit to bit 0.  That works as long as no number spans five bytes.
 * Others go to 64-bit lanes in the same way, two numbers for each half; there no
 * number may span nine bytes.  Shuffles and distances come from tables.
 *
 * Selecting.  number - low <= span, unsigned, is min(number - low, span) ==
 * number - low; for 64 bits, where there is no minimum, signed comparison with
 * flipped sign bits.
 *
 * Looking up.  A set of 256 numbers is one register of 8 words.  A permutation brings
 * each number's word into its lane, and a shift to the left its bit to the sign.
 *
 *-------------------------------------------------------------------------
 */
#include "encoding/simd.h"

bool		RetlSimdAllowed = true;

#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))

#include <immintrin.h>
#include <string.h>

#define AVX2			__attribute__((target("avx2,popcnt")))
#define AVX2_INLINE		static inline __attribute__((target("avx2,popcnt"), always_inline))

/* Numbers in a group, and groups in a word of a selection. */
#define GROUP_NUMBERS	8
#define WORD_GROUPS		8

/* See simd.h. */
bool
RetlSimdAvailable(void)
{
	return RetlSimdAllowed && __builtin_cpu_supports("avx2") &&
		__builtin_cpu_supports("popcnt");
}

/* ---------------------------------------------------------------------
 * Tables
 * ---------------------------------------------------------------------
 */

/* How the numbers of a group come into lanes of 32 bits. */
typedef struct NarrowTable
{
	uint8_t		shuffle[32];
	uint32_t	shift[8];
} NarrowTable;

/* And into two registers with lanes of 64 bits. */
typedef struct WideTable
{
	uint8_t		shuffle[64];
	uint64_t	shift[8];
} WideTable;

/* First bit of number j, counted from the byte that its half is loaded from. */
#define NARROW_BIT(W, j)	(((j) & 3) * (W) + ((j) >> 2) * ((4 * (W)) & 7))
#define WIDE_BIT(W, j)		(((j) & 1) * (W) + (((j) >> 1) * 2 * (W) & 7))

#define NARROW_BYTES(W, j) \
	(NARROW_BIT(W, j) >> 3) & 15, ((NARROW_BIT(W, j) >> 3) + 1) & 15, \
	((NARROW_BIT(W, j) >> 3) + 2) & 15, ((NARROW_BIT(W, j) >> 3) + 3) & 15
#define WIDE_BYTES(W, j) \
	(WIDE_BIT(W, j) >> 3) & 15, ((WIDE_BIT(W, j) >> 3) + 1) & 15, \
	((WIDE_BIT(W, j) >> 3) + 2) & 15, ((WIDE_BIT(W, j) >> 3) + 3) & 15, \
	((WIDE_BIT(W, j) >> 3) + 4) & 15, ((WIDE_BIT(W, j) >> 3) + 5) & 15, \
	((WIDE_BIT(W, j) >> 3) + 6) & 15, ((WIDE_BIT(W, j) >> 3) + 7) & 15

/* M(W, j) for all numbers of a group. */
#define ALL_NUMBERS(M, W) \
	M(W, 0), M(W, 1), M(W, 2), M(W, 3), M(W, 4), M(W, 5), M(W, 6), M(W, 7)

#define NARROW_SHIFT(W, j)	NARROW_BIT(W, j) & 7
#define WIDE_SHIFT(W, j)	WIDE_BIT(W, j) & 7
#define NARROW_ENTRY(W) \
	[W] = {{ALL_NUMBERS(NARROW_BYTES, W)}, {ALL_NUMBERS(NARROW_SHIFT, W)}},
#define WIDE_ENTRY(W) \
	[W] = {{ALL_NUMBERS(WIDE_BYTES, W)}, {ALL_NUMBERS(WIDE_SHIFT, W)}},

#define WIDTHS_1_32(M) \
	M(1) M(2) M(3) M(4) M(5) M(6) M(7) M(8) M(9) M(10) M(11) M(12) M(13) M(14) \
	M(15) M(16) M(17) M(18) M(19) M(20) M(21) M(22) M(23) M(24) M(25) M(26) \
	M(27) M(28) M(29) M(30) M(31) M(32)
#define WIDTHS_33_64(M) \
	M(33) M(34) M(35) M(36) M(37) M(38) M(39) M(40) M(41) M(42) M(43) M(44) \
	M(45) M(46) M(47) M(48) M(49) M(50) M(51) M(52) M(53) M(54) M(55) M(56) \
	M(57) M(58) M(59) M(60) M(61) M(62) M(63) M(64)

static const NarrowTable narrowTables[33] = {
	WIDTHS_1_32(NARROW_ENTRY)
};
static const WideTable wideTables[65] = {
	WIDTHS_1_32(WIDE_ENTRY)
	WIDTHS_33_64(WIDE_ENTRY)
};

/* Does each number of a group lie in four bytes? */
static inline bool
FitsNarrow(unsigned width)
{
	return width <= 26 || width == 28 || width == 32;
}

/* Does each lie in eight? */
static inline bool
FitsWide(unsigned width)
{
	return width <= 58 || width == 60 || width == 64;
}

/* ---------------------------------------------------------------------
 * Unpacking
 * ---------------------------------------------------------------------
 */

/* A table in registers. */
typedef struct NarrowPlan
{
	__m256i		shuffle;
	__m256i		shift;
	__m256i		mask;
	unsigned	half;			/* byte that the second half is loaded from */
} NarrowPlan;

typedef struct WidePlan
{
	__m256i		shuffle[2];
	__m256i		shift[2];
	__m256i		mask;
	unsigned	quarter[4];
} WidePlan;

/* How numbers of a width that FitsNarrow are taken out of four bytes each. */
AVX2_INLINE NarrowPlan
PlanNarrow(unsigned width)
{
	const NarrowTable *table = &narrowTables[width];
	NarrowPlan	plan;

	plan.shuffle = _mm256_loadu_si256((const __m256i *) table->shuffle);
	plan.shift = _mm256_loadu_si256((const __m256i *) table->shift);
	plan.mask = _mm256_set1_epi32((int) (UINT32_MAX >> (32 - width)));
	plan.half = 4 * width / 8;
	return plan;
}

/* The same for FitsWide and eight bytes. */
AVX2_INLINE WidePlan
PlanWide(unsigned width)
{
	const WideTable *table = &wideTables[width];
	WidePlan	plan;
	unsigned	i;

	for (i = 0; i < 2; i++)
	{
		plan.shuffle[i] = _mm256_loadu_si256((const __m256i *) table->shuffle + i);
		plan.shift[i] = _mm256_loadu_si256((const __m256i *) table->shift + i);
	}
	plan.mask = _mm256_set1_epi64x((long long) (UINT64_MAX >> (64 - width)));
	for (i = 0; i < 4; i++)
		plan.quarter[i] = 2 * i * width / 8;
	return plan;
}

/* Two halves of a register, from two places. */
AVX2_INLINE __m256i
LoadHalves(const uint8_t *low, const uint8_t *high)
{
	return _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128((const __m128i *) low)),
								   _mm_loadu_si128((const __m128i *) high), 1);
}

/* A group as 8 lanes of 32 bits. */
AVX2_INLINE __m256i
UnpackNarrow(const uint8_t *src, const NarrowPlan *plan)
{
	__m256i		bytes = _mm256_shuffle_epi8(LoadHalves(src, src + plan->half), plan->shuffle);

	return _mm256_and_si256(_mm256_srlv_epi32(bytes, plan->shift), plan->mask);
}

/* Half a group, the first or the second, as 4 lanes of 64 bits. */
AVX2_INLINE __m256i
UnpackWide(const uint8_t *src, const WidePlan *plan, unsigned part)
{
	__m256i		bytes = _mm256_shuffle_epi8(LoadHalves(src + plan->quarter[2 * part],
													   src + plan->quarter[2 * part + 1]),
											plan->shuffle[part]);

	return _mm256_and_si256(_mm256_srlv_epi64(bytes, plan->shift[part]), plan->mask);
}

/* See simd.h. */
bool
RetlSimdUnpacks(unsigned width, unsigned dstWidth)
{
	if (width == 0 || !RetlSimdAvailable())
		return false;
	if (dstWidth == 4)
		return width <= 32 && FitsWide(width);
	return dstWidth == 8 && FitsWide(width);
}

/* To integers of 4 bytes. */
AVX2 static void
UnpackTo32(const uint8_t *src, unsigned width, uint32_t groups, uint32_t base, uint8_t *dst)
{
	const __m256i add = _mm256_set1_epi32((int) base);
	const __m256i even = _mm256_setr_epi32(0, 2, 4, 6, 0, 2, 4, 6);

	if (FitsNarrow(width))
	{
		NarrowPlan	plan = PlanNarrow(width);

		for (; groups > 0; groups--, src += width, dst += GROUP_NUMBERS * 4)
			_mm256_storeu_si256((__m256i *) dst,
								_mm256_add_epi32(UnpackNarrow(src, &plan), add));
	}
	else
	{
		WidePlan	plan = PlanWide(width);

		for (; groups > 0; groups--, src += width, dst += GROUP_NUMBERS * 4)
		{
			__m256i		low = _mm256_permutevar8x32_epi32(UnpackWide(src, &plan, 0), even);
			__m256i		high = _mm256_permutevar8x32_epi32(UnpackWide(src, &plan, 1), even);

			_mm256_storeu_si256((__m256i *) dst,
								_mm256_add_epi32(_mm256_blend_epi32(low, high, 0xF0), add));
		}
	}
}

/* To integers of 8 bytes. */
AVX2 static void
UnpackTo64(const uint8_t *src, unsigned width, uint32_t groups, uint64_t base, uint8_t *dst)
{
	const __m256i add = _mm256_set1_epi64x((long long) base);
	WidePlan	plan = PlanWide(width);

	for (; groups > 0; groups--, src += width, dst += GROUP_NUMBERS * 8)
	{
		_mm256_storeu_si256((__m256i *) dst,
							_mm256_add_epi64(UnpackWide(src, &plan, 0), add));
		_mm256_storeu_si256((__m256i *) dst + 1,
							_mm256_add_epi64(UnpackWide(src, &plan, 1), add));
	}
}

/* See simd.h. */
void
RetlSimdUnpack(const uint8_t *src, unsigned width, uint32_t groups, uint64_t base,
			   uint8_t *dst, unsigned dstWidth)
{
	if (dstWidth == 4)
		UnpackTo32(src, width, groups, (uint32_t) base, dst);
	else
		UnpackTo64(src, width, groups, base, dst);
}

/* ---------------------------------------------------------------------
 * Selecting
 * ---------------------------------------------------------------------
 */

/* Which of 32 numbers of 8 bits lie in the range?  One bit each. */
AVX2_INLINE uint64_t
Range8(__m256i numbers, __m256i low, __m256i span)
{
	__m256i		difference = _mm256_sub_epi8(numbers, low);

	return (uint32_t) _mm256_movemask_epi8(_mm256_cmpeq_epi8(_mm256_min_epu8(difference, span),
															 difference));
}

/* All ones in the lanes of 16 bits that lie in the range. */
AVX2_INLINE __m256i
Range16(__m256i numbers, __m256i low, __m256i span)
{
	__m256i		difference = _mm256_sub_epi16(numbers, low);

	return _mm256_cmpeq_epi16(_mm256_min_epu16(difference, span), difference);
}

/* Which of 8 numbers of 32 bits? */
AVX2_INLINE uint64_t
Range32(__m256i numbers, __m256i low, __m256i span)
{
	__m256i		difference = _mm256_sub_epi32(numbers, low);
	__m256i		inside = _mm256_cmpeq_epi32(_mm256_min_epu32(difference, span), difference);

	return (unsigned) _mm256_movemask_ps(_mm256_castsi256_ps(inside));
}

/* Which of 4 numbers of 64 bits?  The sign bit of "span" is flipped; "low" is less by 2^63. */
AVX2_INLINE uint64_t
Range64(__m256i numbers, __m256i low, __m256i span)
{
	__m256i		outside = _mm256_cmpgt_epi64(_mm256_sub_epi64(numbers, low), span);

	return (unsigned) _mm256_movemask_pd(_mm256_castsi256_pd(outside)) ^ 0xF;
}

/* Which of 8 numbers below 256 are in the set? */
AVX2_INLINE uint64_t
LookUp(__m256i numbers, __m256i set)
{
	__m256i		words = _mm256_permutevar8x32_epi32(set, _mm256_srli_epi32(numbers, 5));
	__m256i		distances = _mm256_andnot_si256(numbers, _mm256_set1_epi32(31));

	return (unsigned) _mm256_movemask_ps(_mm256_castsi256_ps(_mm256_sllv_epi32(words, distances)));
}

/*
 * Which numbers of a packed group pass?  Plan and operands are what the test wants: a
 * NarrowPlan or a WidePlan, low and span of a range or a set.
 */
typedef uint64_t (*GroupTest) (const uint8_t *group, const void *plan, const __m256i *operands);

/* GroupTest: a range, lanes of 32 bits. */
AVX2_INLINE uint64_t
NarrowInRange(const uint8_t *group, const void *plan, const __m256i *operands)
{
	return Range32(UnpackNarrow(group, plan), operands[0], operands[1]);
}

/* GroupTest: a range as Range64 wants it, lanes of 64 bits. */
AVX2_INLINE uint64_t
WideInRange(const uint8_t *group, const void *plan, const __m256i *operands)
{
	return Range64(UnpackWide(group, plan, 0), operands[0], operands[1]) |
		Range64(UnpackWide(group, plan, 1), operands[0], operands[1]) << 4;
}

/* GroupTest: a set, lanes of 32 bits. */
AVX2_INLINE uint64_t
NarrowInSet(const uint8_t *group, const void *plan, const __m256i *operands)
{
	return LookUp(UnpackNarrow(group, plan), operands[0]);
}

/* Test packed numbers; a function of its own for each constant test. */
AVX2_INLINE void
SelectGroups(const uint8_t *src, unsigned width, uint32_t words, GroupTest test,
			 const void *plan, const __m256i *operands, uint64_t flip, uint64_t *selected)
{
	uint32_t	word;

	for (word = 0; word < words; word++)
	{
		uint64_t	passing = 0;
		unsigned	i;

		if (selected[word] != 0)
			for (i = 0; i < WORD_GROUPS; i++)
				passing |= test(src + i * width, plan, operands) << (8 * i);
		selected[word] &= passing ^ flip;
		src += WORD_GROUPS * width;
	}
}

/* A range of packed numbers that fit lanes of 32 bits. */
AVX2 static void
SelectNarrow(const uint8_t *src, unsigned width, uint32_t words, uint32_t low, uint32_t span,
			 uint64_t flip, uint64_t *selected)
{
	const __m256i operands[] = {_mm256_set1_epi32((int) low), _mm256_set1_epi32((int) span)};
	const NarrowPlan plan = PlanNarrow(width);

	SelectGroups(src, width, words, NarrowInRange, &plan, operands, flip, selected);
}

/* A range of packed numbers that fit lanes of 64 bits. */
AVX2 static void
SelectWide(const uint8_t *src, unsigned width, uint32_t words, uint64_t low, uint64_t span,
		   uint64_t flip, uint64_t *selected)
{
	const uint64_t sign = UINT64_C(1) << 63;
	const __m256i operands[] = {
		_mm256_set1_epi64x((long long) (low - sign)),
		_mm256_set1_epi64x((long long) (span ^ sign))
	};
	const WidePlan plan = PlanWide(width);

	SelectGroups(src, width, words, WideInRange, &plan, operands, flip, selected);
}

/* See simd.h. */
void
RetlSimdSelectPacked(const uint8_t *src, unsigned width, uint32_t words, uint64_t low,
					 uint64_t span, bool negate, uint64_t *selected)
{
	uint64_t	flip = negate ? UINT64_MAX : 0;

	if (FitsNarrow(width))
		SelectNarrow(src, width, words, (uint32_t) low, (uint32_t) span, flip, selected);
	else
		SelectWide(src, width, words, low, span, flip, selected);
}

/* See simd.h. */
AVX2 void
RetlSimdLookUpPacked(const uint8_t *src, unsigned width, uint32_t words, const uint32_t *set,
					 uint64_t *selected)
{
	const __m256i sets = _mm256_loadu_si256((const __m256i *) set);
	const NarrowPlan plan = PlanNarrow(width);

	SelectGroups(src, width, words, NarrowInSet, &plan, &sets, 0, selected);
}

/* Numbers of 1 byte. */
AVX2 static void
Select8(const uint8_t *numbers, uint32_t words, uint8_t low, uint8_t span, uint64_t flip,
		uint64_t *selected)
{
	const __m256i lows = _mm256_set1_epi8((char) low);
	const __m256i spans = _mm256_set1_epi8((char) span);
	uint32_t	word;

	for (word = 0; word < words; word++)
	{
		const __m256i *src = (const __m256i *) numbers + (size_t) word * 2;
		uint64_t	inside = Range8(_mm256_loadu_si256(src), lows, spans) |
			Range8(_mm256_loadu_si256(src + 1), lows, spans) << 32;

		selected[word] &= inside ^ flip;
	}
}

/* Numbers of 2 bytes: two comparisons are packed into bytes; that swaps quarters. */
AVX2 static void
Select16(const uint8_t *numbers, uint32_t words, uint16_t low, uint16_t span, uint64_t flip,
		 uint64_t *selected)
{
	const __m256i lows = _mm256_set1_epi16((short) low);
	const __m256i spans = _mm256_set1_epi16((short) span);
	uint32_t	word;

	for (word = 0; word < words; word++)
	{
		const __m256i *src = (const __m256i *) numbers + (size_t) word * 4;
		uint64_t	inside = 0;
		unsigned	i;

		for (i = 0; i < 2; i++)
		{
			__m256i		first = Range16(_mm256_loadu_si256(src + 2 * i), lows, spans);
			__m256i		second = Range16(_mm256_loadu_si256(src + 2 * i + 1), lows, spans);
			__m256i		both = _mm256_permute4x64_epi64(_mm256_packs_epi16(first, second), 0xD8);

			inside |= (uint64_t) (uint32_t) _mm256_movemask_epi8(both) << (32 * i);
		}
		selected[word] &= inside ^ flip;
	}
}

/* Numbers of 4 bytes. */
AVX2 static void
Select32(const uint8_t *numbers, bool isFloat, uint32_t words, uint32_t low, uint32_t span,
		 uint64_t flip, uint64_t *selected)
{
	const __m256i lows = _mm256_set1_epi32((int) low);
	const __m256i spans = _mm256_set1_epi32((int) span);
	uint32_t	word;

	for (word = 0; word < words; word++)
	{
		const __m256i *src = (const __m256i *) numbers + (size_t) word * 8;
		uint64_t	inside = 0;
		unsigned	i;

		if (selected[word] == 0)
			continue;
		for (i = 0; i < 8; i++)
		{
			__m256i		number = _mm256_loadu_si256(src + i);

			if (isFloat)
				number = _mm256_xor_si256(number, _mm256_srli_epi32(_mm256_srai_epi32(number, 31), 1));
			inside |= Range32(number, lows, spans) << (8 * i);
		}
		selected[word] &= inside ^ flip;
	}
}

/* Numbers of 8 bytes. */
AVX2 static void
Select64(const uint8_t *numbers, bool isFloat, uint32_t words, uint64_t low, uint64_t span,
		 uint64_t flip, uint64_t *selected)
{
	const uint64_t sign = UINT64_C(1) << 63;
	const __m256i lows = _mm256_set1_epi64x((long long) (low - sign));
	const __m256i spans = _mm256_set1_epi64x((long long) (span ^ sign));
	uint32_t	word;

	for (word = 0; word < words; word++)
	{
		const __m256i *src = (const __m256i *) numbers + (size_t) word * 16;
		uint64_t	inside = 0;
		unsigned	i;

		if (selected[word] == 0)
			continue;
		for (i = 0; i < 16; i++)
		{
			__m256i		number = _mm256_loadu_si256(src + i);

			if (isFloat)
			{
				__m256i		negative = _mm256_cmpgt_epi64(_mm256_setzero_si256(), number);

				number = _mm256_xor_si256(number, _mm256_srli_epi64(negative, 1));
			}
			inside |= Range64(number, lows, spans) << (4 * i);
		}
		selected[word] &= inside ^ flip;
	}
}

/* See simd.h. */
void
RetlSimdSelect(const uint8_t *numbers, unsigned numberWidth, bool isFloat, uint32_t words,
			   uint64_t low, uint64_t span, bool negate, uint64_t *selected)
{
	uint64_t	flip = negate ? UINT64_MAX : 0;

	switch (numberWidth)
	{
		case 1:
			Select8(numbers, words, (uint8_t) low, (uint8_t) span, flip, selected);
			break;
		case 2:
			Select16(numbers, words, (uint16_t) low, (uint16_t) span, flip, selected);
			break;
		case 4:
			Select32(numbers, isFloat, words, (uint32_t) low, (uint32_t) span, flip, selected);
			break;
		default:
			Select64(numbers, isFloat, words, low, span, flip, selected);
			break;
	}
}

/* See simd.h. */
AVX2 uint32_t
RetlSimdCountBits(const uint64_t *words, uint32_t wordCount)
{
	uint64_t	count = 0;
	uint32_t	word;

	for (word = 0; word < wordCount; word++)
		count += (unsigned) __builtin_popcountll(words[word]);
	return (uint32_t) count;
}

#else							/* no AVX2 */

/* See simd.h. */
bool
RetlSimdAvailable(void)
{
	return false;
}

/* See simd.h. */
bool
RetlSimdUnpacks(unsigned width, unsigned dstWidth)
{
	(void) width;
	(void) dstWidth;
	return false;
}

/* Never called. */
void
RetlSimdUnpack(const uint8_t *src, unsigned width, uint32_t groups, uint64_t base,
			   uint8_t *dst, unsigned dstWidth)
{
	(void) src;
	(void) width;
	(void) groups;
	(void) base;
	(void) dst;
	(void) dstWidth;
}

/* Never called. */
void
RetlSimdSelectPacked(const uint8_t *src, unsigned width, uint32_t words, uint64_t low,
					 uint64_t span, bool negate, uint64_t *selected)
{
	(void) src;
	(void) width;
	(void) words;
	(void) low;
	(void) span;
	(void) negate;
	(void) selected;
}

/* Never called. */
void
RetlSimdSelect(const uint8_t *numbers, unsigned numberWidth, bool isFloat, uint32_t words,
			   uint64_t low, uint64_t span, bool negate, uint64_t *selected)
{
	(void) numbers;
	(void) numberWidth;
	(void) isFloat;
	(void) words;
	(void) low;
	(void) span;
	(void) negate;
	(void) selected;
}

/* Never called. */
void
RetlSimdLookUpPacked(const uint8_t *src, unsigned width, uint32_t words, const uint32_t *set,
					 uint64_t *selected)
{
	(void) src;
	(void) width;
	(void) words;
	(void) set;
	(void) selected;
}

/* Never called. */
uint32_t
RetlSimdCountBits(const uint64_t *words, uint32_t wordCount)
{
	(void) words;
	(void) wordCount;
	return 0;
}

#endif
