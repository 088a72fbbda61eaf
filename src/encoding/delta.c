/*-------------------------------------------------------------------------
 *
 * delta.c
 *	  DELTA: differences of neighbouring integers.  Pure C.
 *
 * Serves RETL_PHYS_INT of 2, 4 and 8 bytes: keys that rise, timestamps,
 * sequences.  The numbers stored are differences of neighbours, or differences
 * of those, each less the smallest of the piece, in blocks of 128 that have a
 * bit width each, so that one jump does not widen all.  All arithmetic is modulo
 * 2^(8 * width): there is no overflow, and every input comes back exactly.
 *
 * Payload, empty if there are no values:
 *
 *	OFFSET			SIZE	DESCRIPTION
 *	0				1		kind: 0 sequence, 1 differences, 2 differences of
 *							differences
 *	1				width	v, kind 0: the first value; else what the first
 *							difference is added to
 *	1 + width		width	s, kind 0 and 1: added for every value
 *							d, kind 2: the difference before the first
 *
 *	kind 2:
 *	1 + 2 * width	width	s, added to the difference for every value
 *
 *	kinds 1 and 2:
 *	h = 1 + (1 + kind) * width
 *	h				b		bit widths of the b = ceil(count / 128) blocks
 *	h + b			...		the blocks: 128 numbers n (in the last the rest) as
 *							bits (bitpacking.h), a whole number of bytes each
 *
 * Value i is, by kind: 0: v + i * s; 1: v += s + n; 2: d += s + n, v += d.
 *
 * Examples: the int2 values 10, 13, 16 are 00 | 0A 00 | 03 00.  The values 10,
 * 11, 13 are 01 | 09 00 | 01 00 | 01 | 04 - one bit each: numbers 0, 0, 1.
 *
 *-------------------------------------------------------------------------
 */
#include "encoding/bitpacking.h"
#include "encoding/descriptors.h"
#include "encoding/valueops.h"

/* Numbers in a block; a multiple of 64. */
#define BLOCK_NUMBERS		128

/* Pieces that analyse looks at. */
#define SAMPLE_PIECES		8

#define KIND_SEQUENCE		0
#define KIND_DIFFERENCES	1
#define KIND_SECOND			2

/* ---------------------------------------------------------------------
 * Writing
 * ---------------------------------------------------------------------
 */

/* Integers but those of one byte, which bit packing serves well. */
static bool
DeltaApplies(RetlPhysType type, uint16_t width)
{
	return type == RETL_PHYS_INT && (width == 2 || width == 4 || width == 8);
}

/* Number of blocks. */
static inline uint32_t
BlockCount(uint32_t count)
{
	return (count + BLOCK_NUMBERS - 1) / BLOCK_NUMBERS;
}

/* Numbers of a block. */
static inline uint32_t
BlockSize(uint32_t count, uint32_t block)
{
	uint32_t	rest = count - block * BLOCK_NUMBERS;

	return rest < BLOCK_NUMBERS ? rest : BLOCK_NUMBERS;
}

/* A number modulo 2^(8 * width), with its sign. */
static inline int64_t
Wrap(uint64_t number, uint16_t width)
{
	unsigned	shift = 64 - 8 * width;

	return (int64_t) (number << shift) >> shift;
}

/* Bytes before the bit widths of the blocks. */
static inline size_t
HeaderSize(unsigned kind, uint16_t width)
{
	return 1 + (kind == KIND_SECOND ? 3 : 2) * (size_t) width;
}

/* Differences of a block's values from those before them, and of these differences. */
typedef struct Differences
{
	int64_t		first[BLOCK_NUMBERS];	/* undefined for value 0 */
	int64_t		second[BLOCK_NUMBERS];	/* undefined for values 0 and 1 */
} Differences;

/* TakeDifferences in a loop of constant width. */
static inline void
TakeDifferencesOf(const RetlValues *values, uint16_t width, uint32_t start, uint32_t count,
				  Differences *result)
{
	uint64_t	numbers[BLOCK_NUMBERS + 2] = {0};
	uint32_t	i;

	/* The two values before the block, as far as there are any, come first. */
	for (i = start >= 2 ? 0 : 2 - start; i < count + 2; i++)
		numbers[i] = (uint64_t) RetlLoadInt(values->fixed + ((size_t) start + i - 2) * width, width);
	for (i = 0; i < count; i++)
	{
		uint64_t	before = numbers[i + 1] - numbers[i];
		uint64_t	difference = numbers[i + 2] - numbers[i + 1];

		result->first[i] = Wrap(difference, width);
		result->second[i] = Wrap(difference - before, width);
	}
}

/* The differences of values [start, start + count), at most a block. */
static void
TakeDifferences(const RetlValues *values, uint32_t start, uint32_t count, Differences *result)
{
	switch (values->width)
	{
		case 2:
			TakeDifferencesOf(values, 2, start, count, result);
			break;
		case 4:
			TakeDifferencesOf(values, 4, start, count, result);
			break;
		default:
			TakeDifferencesOf(values, 8, start, count, result);
			break;
	}
}

/* What the differences of a piece look like. */
typedef struct Summary
{
	unsigned	kind;			/* the smallest one */
	uint64_t	size;			/* of the payload */
	int64_t		smallest[3];	/* by kind */
} Summary;

/* Lower "smallest" to the smallest of some numbers, and raise "largest". */
static inline void
Extend(const int64_t *numbers, uint32_t first, uint32_t count, int64_t *smallest,
	   int64_t *largest)
{
	int64_t		low = *smallest;
	int64_t		high = *largest;
	uint32_t	i;

	for (i = first; i < count; i++)
	{
		low = numbers[i] < low ? numbers[i] : low;
		high = numbers[i] > high ? numbers[i] : high;
	}
	*smallest = low;
	*largest = high;
}

/* Bits that the block's numbers of a kind need; skip is the first that counts. */
static inline unsigned
BlockWidth(const int64_t *numbers, uint32_t skip, uint32_t count, int64_t smallest)
{
	uint64_t	bits = 0;
	uint32_t	i;

	for (i = skip; i < count; i++)
		bits |= (uint64_t) numbers[i] - (uint64_t) smallest;
	return RetlBitWidth(bits);
}

/* Bytes of a piece of differences. */
static void
MeasureBlocks(const RetlValues *values, const int64_t *smallest, uint64_t *sizes)
{
	uint32_t	block;

	for (block = 0; block < BlockCount(values->count); block++)
	{
		uint32_t	start = block * BLOCK_NUMBERS;
		uint32_t	count = BlockSize(values->count, block);
		Differences differences;

		TakeDifferences(values, start, count, &differences);
		sizes[KIND_DIFFERENCES] += 1 +
			RetlBitsSize(count, BlockWidth(differences.first, start == 0 ? 1 : 0, count,
										   smallest[KIND_DIFFERENCES]));
		sizes[KIND_SECOND] += 1 +
			RetlBitsSize(count, BlockWidth(differences.second, start == 0 ? 2 : 0, count,
										   smallest[KIND_SECOND]));
	}
}

/* Look at a piece of at least one value. */
static Summary
Summarise(const RetlValues *values)
{
	Summary		summary = {KIND_SEQUENCE, HeaderSize(KIND_SEQUENCE, values->width), {0}};
	int64_t		smallest[3] = {0, INT64_MAX, INT64_MAX};
	int64_t		largest[3] = {0, INT64_MIN, INT64_MIN};
	uint64_t	sizes[3] = {0, HeaderSize(KIND_DIFFERENCES, values->width),
	HeaderSize(KIND_SECOND, values->width)};
	uint32_t	block;

	for (block = 0; block < BlockCount(values->count); block++)
	{
		uint32_t	count = BlockSize(values->count, block);
		Differences differences;

		TakeDifferences(values, block * BLOCK_NUMBERS, count, &differences);
		Extend(differences.first, block == 0 ? 1 : 0, count,
			   &smallest[KIND_DIFFERENCES], &largest[KIND_DIFFERENCES]);
		Extend(differences.second, block == 0 ? 2 : 0, count,
			   &smallest[KIND_SECOND], &largest[KIND_SECOND]);
	}
	if (values->count < 2)
		return summary;
	summary.smallest[KIND_SEQUENCE] = smallest[KIND_DIFFERENCES];
	if (smallest[KIND_DIFFERENCES] == largest[KIND_DIFFERENCES])
		return summary;
	MeasureBlocks(values, smallest, sizes);
	summary.kind = sizes[KIND_SECOND] < sizes[KIND_DIFFERENCES] ? KIND_SECOND : KIND_DIFFERENCES;
	summary.size = sizes[summary.kind];
	summary.smallest[summary.kind] = smallest[summary.kind];
	return summary;
}

/*
 * RetlEncoding.analyse: of a few pieces spread evenly, and exact if there are no
 * others.
 */
static uint64_t
DeltaAnalyse(const RetlValues *values, uint32_t pieceRows, const RetlArena *arena)
{
	uint32_t	pieces = values->count / pieceRows + (values->count % pieceRows != 0);
	uint32_t	step = (pieces + SAMPLE_PIECES - 1) / SAMPLE_PIECES;
	uint64_t	size = 0;
	uint64_t	seen = 0;
	uint32_t	i;

	(void) arena;
	for (i = 0; i < pieces; i += step)
	{
		uint32_t	first = i * pieceRows;
		uint32_t	rest = values->count - first;
		RetlValues	piece = RetlValuesSlice(values, first, rest < pieceRows ? rest : pieceRows);

		size += Summarise(&piece).size;
		seen += piece.count;
	}
	return seen == values->count ? size : size * values->count / seen;
}

/* Append a number of "width" bytes. */
static uint8_t *
StoreNumber(uint8_t *dst, uint64_t number, uint16_t width)
{
	memcpy(dst, &number, width);	/* little-endian: the low bytes */
	return dst + width;
}

/* Write the blocks of a piece: their widths at "widths", their numbers at dst. */
static void
WriteBlocks(const RetlValues *values, const Summary *summary, uint8_t *widths, uint8_t *dst)
{
	uint64_t	smallest = (uint64_t) summary->smallest[summary->kind];
	uint32_t	block;

	for (block = 0; block < BlockCount(values->count); block++)
	{
		uint32_t	count = BlockSize(values->count, block);
		uint32_t	skip = block == 0 ? summary->kind : 0;
		Differences differences;
		const int64_t *source = summary->kind == KIND_SECOND ? differences.second
			: differences.first;
		uint64_t	numbers[BLOCK_NUMBERS] = {0};
		uint32_t	i;

		TakeDifferences(values, block * BLOCK_NUMBERS, count, &differences);
		for (i = skip; i < count; i++)
			numbers[i] = (uint64_t) source[i] - smallest;
		widths[block] = (uint8_t) BlockWidth(source, skip, count, (int64_t) smallest);
		RetlBitsPack(dst, numbers, count, widths[block]);
		dst += RetlBitsSize(count, widths[block]);
	}
}

/* RetlEncoding.encode. */
static void
DeltaEncode(RetlEncodingState *state, const RetlValues *values, uint32_t first,
			RetlBytes *out)
{
	uint16_t	width = values->width;
	Summary		summary;
	uint64_t	step;
	uint64_t	value;
	uint64_t	difference;
	uint8_t    *dst;

	(void) state;
	(void) first;
	if (values->count == 0)
		return;
	summary = Summarise(values);
	step = (uint64_t) summary.smallest[summary.kind];
	dst = RetlBytesReserve(out, (size_t) summary.size);
	out->length += (size_t) summary.size;
	value = (uint64_t) RetlLoadInt(values->fixed, width);
	*dst++ = (uint8_t) summary.kind;
	if (summary.kind == KIND_SEQUENCE)
		dst = StoreNumber(dst, value, width);
	else if (summary.kind == KIND_DIFFERENCES)
		dst = StoreNumber(dst, value - step, width);
	else
	{
		/* The first two numbers are 0, so two steps lead to the real difference. */
		difference = (uint64_t) RetlLoadInt(values->fixed + width, width) - value - 2 * step;
		dst = StoreNumber(dst, value - (difference + step), width);
		dst = StoreNumber(dst, difference, width);
	}
	dst = StoreNumber(dst, step, width);
	if (summary.kind != KIND_SEQUENCE)
		WriteBlocks(values, &summary, dst, dst + BlockCount(values->count));
}

/* ---------------------------------------------------------------------
 * Reading
 * ---------------------------------------------------------------------
 */

/* The payload of a piece with at least one value, and how far it has been read. */
typedef struct DeltaPiece
{
	unsigned	kind;
	uint16_t	width;
	uint32_t	count;
	uint64_t	value;			/* the last one read */
	uint64_t	difference;		/* of kind 2, the last one read */
	uint64_t	step;
	const uint8_t *widths;		/* of the blocks */
	uint32_t	block;			/* the next one */
	const uint8_t *bits;		/* its numbers */
	size_t		bitsSize;		/* until the end of the payload */
} DeltaPiece;

/* Do the blocks take exactly the bytes there are? */
static bool
CheckBlocks(const DeltaPiece *piece, const char **error)
{
	uint64_t	size = 0;
	uint32_t	block;

	for (block = 0; block < BlockCount(piece->count); block++)
	{
		if (piece->widths[block] > 8U * piece->width)
			return RetlDamaged(error, "differences have an impossible bit width");
		size += RetlBitsSize(BlockSize(piece->count, block), piece->widths[block]);
	}
	if (size != piece->bitsSize)
		return RetlDamaged(error, "differences have the wrong length");
	return true;
}

/* Understand and check a payload; count is not 0. */
static bool
OpenPiece(DeltaPiece *piece, const uint8_t *src, size_t srcSize, uint16_t width,
		  uint32_t count, const char **error)
{
	size_t		header;

	if (count > RETLDB_MAX_PACKED)
		return RetlDamaged(error, "differences are too many");
	if (srcSize < 1)
		return RetlDamaged(error, "differences are truncated");
	if (src[0] > KIND_SECOND)
		return RetlDamaged(error, "differences are of an unknown kind");
	memset(piece, 0, sizeof(*piece));
	piece->kind = src[0];
	piece->width = width;
	piece->count = count;
	header = HeaderSize(piece->kind, width);
	if (srcSize < header)
		return RetlDamaged(error, "differences are truncated");
	piece->value = (uint64_t) RetlLoadInt(src + 1, width);
	piece->step = (uint64_t) RetlLoadInt(src + header - width, width);
	if (piece->kind == KIND_SEQUENCE)
	{
		if (srcSize != header)
			return RetlDamaged(error, "differences have the wrong length");
		return true;
	}
	if (piece->kind == KIND_SECOND)
		piece->difference = (uint64_t) RetlLoadInt(src + 1 + width, width);
	if (srcSize - header < BlockCount(count))
		return RetlDamaged(error, "differences are truncated");
	piece->widths = src + header;
	piece->bits = piece->widths + BlockCount(count);
	piece->bitsSize = srcSize - header - BlockCount(count);
	return CheckBlocks(piece, error);
}

/* Is the payload of no values what it must be? */
static bool
CheckEmpty(size_t srcSize, const char **error)
{
	if (srcSize != 0)
		return RetlDamaged(error, "differences have the wrong length");
	return true;
}

/* One set of functions for each size of integers. */
#define RESTORE_FUNCTIONS(U) \
/* Values of a sequence. */ \
static void \
Sequence_##U(uint8_t *dst, uint32_t count, uint64_t value, uint64_t step) \
{ \
	uint32_t	i; \
\
	for (i = 0; i < count; i++) \
	{ \
		U		result = (U) ((U) value + (U) i * (U) step); \
\
		memcpy(dst + (size_t) i * sizeof(U), &result, sizeof(U)); \
	} \
} \
\
/* Differences become values. */ \
static uint64_t \
SumUp_##U(uint8_t *numbers, uint32_t count, uint64_t value) \
{ \
	U			sum = (U) value; \
	uint32_t	i; \
\
	for (i = 0; i < count; i++) \
	{ \
		U		number; \
\
		memcpy(&number, numbers + (size_t) i * sizeof(U), sizeof(U)); \
		sum = (U) (sum + number); \
		memcpy(numbers + (size_t) i * sizeof(U), &sum, sizeof(U)); \
	} \
	return sum; \
} \
\
/* Differences of differences become values. */ \
static uint64_t \
SumUpTwice_##U(uint8_t *numbers, uint32_t count, uint64_t value, uint64_t *difference) \
{ \
	U			sum = (U) value; \
	U			step = (U) *difference; \
	uint32_t	i; \
\
	for (i = 0; i < count; i++) \
	{ \
		U		number; \
\
		memcpy(&number, numbers + (size_t) i * sizeof(U), sizeof(U)); \
		step = (U) (step + number); \
		sum = (U) (sum + step); \
		memcpy(numbers + (size_t) i * sizeof(U), &sum, sizeof(U)); \
	} \
	*difference = step; \
	return sum; \
}

RESTORE_FUNCTIONS(uint16_t)
RESTORE_FUNCTIONS(uint32_t)
RESTORE_FUNCTIONS(uint64_t)

/* Call the function for integers of this width. */
#define BY_WIDTH(WIDTH, FUNCTION, ...) \
	((WIDTH) == 2 ? FUNCTION##_uint16_t(__VA_ARGS__) \
	 : (WIDTH) == 4 ? FUNCTION##_uint32_t(__VA_ARGS__) \
	 : FUNCTION##_uint64_t(__VA_ARGS__))

/* Read the next block; returns how many values it has. */
static uint32_t
ReadBlock(DeltaPiece *piece, uint8_t *dst)
{
	uint32_t	count = BlockSize(piece->count, piece->block);
	size_t		size;

	if (piece->kind == KIND_SEQUENCE)
	{
		BY_WIDTH(piece->width, Sequence, dst, count,
				 piece->value + (uint64_t) piece->block * BLOCK_NUMBERS * piece->step,
				 piece->step);
		piece->block++;
		return count;
	}
	RetlBitsUnpack(piece->bits, piece->bitsSize, 0, count, piece->widths[piece->block],
				   piece->step, dst, piece->width);
	if (piece->kind == KIND_DIFFERENCES)
		piece->value = BY_WIDTH(piece->width, SumUp, dst, count, piece->value);
	else
		piece->value = BY_WIDTH(piece->width, SumUpTwice, dst, count, piece->value,
								&piece->difference);
	size = (size_t) RetlBitsSize(count, piece->widths[piece->block]);
	piece->bits += size;
	piece->bitsSize -= size;
	piece->block++;
	return count;
}

/* RetlEncoding.decode. */
static bool
DeltaDecode(const RetlEncodingState *state, const uint8_t *src, size_t srcSize,
			RetlPhysType type, uint16_t width, uint32_t count,
			RetlDecoded *result, const RetlArena *arena, const char **error)
{
	DeltaPiece	piece;
	uint32_t	done;

	(void) state;
	(void) type;
	(void) arena;
	if (count == 0)
		return CheckEmpty(srcSize, error);
	if (!OpenPiece(&piece, src, srcSize, width, count, error))
		return false;
	for (done = 0; done < count;)
		done += ReadBlock(&piece, result->fixed + (size_t) done * width);
	return true;
}

/* RetlEncoding.fetch: reads what is before the value. */
static bool
DeltaFetch(const RetlEncodingState *state, const uint8_t *src, size_t srcSize,
		   RetlPhysType type, uint16_t width, uint32_t count, uint32_t index,
		   RetlDecoded *result, const RetlArena *arena, const char **error)
{
	uint64_t	block[BLOCK_NUMBERS];
	DeltaPiece	piece;

	(void) state;
	(void) type;
	(void) arena;
	if (index >= count)
		return RetlDamaged(error, "value index is out of range");
	if (!OpenPiece(&piece, src, srcSize, width, count, error))
		return false;
	if (piece.kind == KIND_SEQUENCE)
	{
		piece.value += index * piece.step;
		memcpy(result->fixed, &piece.value, width);
		return true;
	}
	do
	{
		(void) ReadBlock(&piece, (uint8_t *) block);
	} while (piece.block <= index / BLOCK_NUMBERS);
	memcpy(result->fixed, (uint8_t *) block + (size_t) (index % BLOCK_NUMBERS) * width, width);
	return true;
}

/* RetlEncoding.filter: block by block of decoded values, as far as any is selected. */
static bool
DeltaFilter(const RetlEncodingState *state, const uint8_t *src, size_t srcSize,
			RetlPhysType type, uint16_t width, uint32_t count,
			const RetlFilter *filter, RetlFilterMemo *memo,
			uint64_t *selected, bool *answered,
			const RetlArena *arena, const char **error)
{
	uint64_t	block[BLOCK_NUMBERS];
	RetlDecoded decoded = {.fixed = (uint8_t *) block};
	DeltaPiece	piece;
	uint32_t	first;
	uint32_t	part;

	(void) state;
	(void) memo;
	(void) arena;
	*answered = RetlFilterCanTest(filter, type, width);
	if (!*answered)
		return true;
	if (count == 0)
		return CheckEmpty(srcSize, error);
	if (!OpenPiece(&piece, src, srcSize, width, count, error))
		return false;
	for (first = 0; first < count; first += part)
	{
		if (!RetlSelectionAny(selected, first, count - first))
			break;
		part = ReadBlock(&piece, (uint8_t *) block);
		RetlFilterDecoded(filter, type, width, part, &decoded, selected + first / 64);
	}
	return true;
}

const RetlEncoding RetlDeltaEncoding = {
	.id = RETL_ENCODING_DELTA,
	.name = "delta",
	.applies = DeltaApplies,
	.analyse = DeltaAnalyse,
	.encode = DeltaEncode,
	.decode = DeltaDecode,
	.fetch = DeltaFetch,
	.filter = DeltaFilter,
};
