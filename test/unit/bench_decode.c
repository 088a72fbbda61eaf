/*-------------------------------------------------------------------------
 *
 * bench_decode.c
 *	  How fast do the encodings decode, fetch and filter; how fast are the
 *	  checksum and the choice of an encoding?
 *
 * bench_decode [milliseconds per line [plain]]
 *
 * "plain" leaves the processor's vector instructions out.  Cycles are those of
 * the clock that multiplications run at.
 *
 * One piece of 2048 values is decoded again and again, as it is in the caches
 * when a scan has just decompressed it.  "GB/s" counts decoded bytes.
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "testlib.h"

#include "encoding/simd.h"
#include "format/checksum.h"

#define PIECE_ROWS		2048

static double budget = 0.2;		/* seconds for each line */

/* An arena that gives the same memory again after each piece. */
static uint8_t scratch[1 << 22];
static size_t scratchUsed;

/* RetlArena.allocate */
static void *
ScratchAllocate(void *context, size_t size)
{
	void	   *block = scratch + scratchUsed;

	(void) context;
	scratchUsed += (size + 15) & ~(size_t) 15;
	if (scratchUsed > sizeof(scratch))
		abort();
	return block;
}

static const RetlArena scratchArena = {ScratchAllocate, NULL};

static double
Now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double) now.tv_sec + (double) now.tv_nsec / 1e9;
}

static double clockRate;		/* in Hz */

/* How fast does the processor run?  A multiplication waits for the one before: 3 cycles. */
static void
MeasureClock(void)
{
	const long	steps = 100000000;
	volatile uint64_t start = 3;
	uint64_t	number = start;
	double		began = Now();
	long		i;

	for (i = 0; i < steps; i += 4)
	{
		number *= number;
		number *= number;
		number *= number;
		number *= number;
		__asm__ volatile ("" : "+r" (number));
	}
	start = number;
	clockRate = 3.0 * (double) steps / (Now() - began);
}

/* What is measured. */
typedef struct Bench
{
	const RetlEncoding *encoding;
	RetlValues	piece;
	RetlEncodingState *state;
	const uint8_t *src;
	size_t		srcSize;
	RetlDecoded decoded;
	uint64_t	selected[PIECE_ROWS / 64];
	RetlFilterMemo memo;
} Bench;

static void
Die(const char *what)
{
	fprintf(stderr, "%s\n", what);
	exit(1);
}

static void
Decode(Bench *b)
{
	const char *error = "";

	scratchUsed = 0;
	if (!b->encoding->decode(b->state, b->src, b->srcSize, b->piece.type, b->piece.width,
							 b->piece.count, &b->decoded, &scratchArena, &error))
		Die(error);
}

/* Equality with a value that occurs. */
static void
Filter(Bench *b)
{
	static const RetlOrder orders[] = {
		[RETL_PHYS_INT] = RETL_ORDER_SIGNED,[RETL_PHYS_FLOAT] = RETL_ORDER_FLOAT,
		[RETL_PHYS_FIXED] = RETL_ORDER_BYTES,[RETL_PHYS_BYTES] = RETL_ORDER_BYTES
	};
	const char *error = "";
	size_t		length;
	RetlFilterConstant constant = {TestValueAt(&b->piece, 1, &length), 0};
	RetlFilter	filter = {RETL_EQ, orders[b->piece.type], 1, &constant, NULL, NULL};
	bool		answered;

	constant.length = (uint32_t) length;
	scratchUsed = 0;
	b->memo.data = NULL;
	b->memo.arena = &scratchArena;
	memset(b->selected, 0xFF, sizeof(b->selected));
	if (!b->encoding->filter(b->state, b->src, b->srcSize, b->piece.type, b->piece.width,
							 b->piece.count, &filter, &b->memo, b->selected, &answered,
							 &scratchArena, &error))
		Die(error);
	if (!answered)
		Die("filter does not answer");
}

/* Every 16th value. */
static void
Fetch(Bench *b)
{
	const char *error = "";
	uint32_t	i;

	for (i = 0; i < b->piece.count; i += 16)
	{
		scratchUsed = 0;
		if (!b->encoding->fetch(b->state, b->src, b->srcSize, b->piece.type, b->piece.width,
								b->piece.count, i, &b->decoded, &scratchArena, &error))
			Die(error);
	}
}

/* Calls of "function" in a second. */
static double
Rate(void (*function) (Bench *), Bench *b)
{
	double		start = Now();
	double		end;
	long		calls = 0;

	do
	{
		int			k;

		for (k = 0; k < 64; k++)
			function(b);
		calls += 64;
		end = Now();
	} while (end - start < budget);
	return (double) calls / (end - start);
}

/* Decoding and filtering of one piece; no end of line. */
static void
PrintRates(Bench *b, const char *typeName, const char *patternName)
{
	double		decodes = Rate(Decode, b) * PIECE_ROWS;
	double		filters;

	printf("%-9s %-8s %-13s %6.2f bits  decode %6.2f Gvalues/s %6.2f cycles %6.1f GB/s",
		   b->encoding->name, typeName, patternName, b->srcSize * 8.0 / PIECE_ROWS,
		   decodes / 1e9, clockRate / decodes,
		   decodes / PIECE_ROWS * RetlValuesRawSize(&b->piece) / 1e9);
	if (b->encoding->filter == NULL)
		return;
	filters = Rate(Filter, b) * PIECE_ROWS;
	printf("  filter %6.2f Gvalues/s %6.2f cycles", filters / 1e9, clockRate / filters);
}

/* One line of the table. */
static void
Line(int encodingId, const char *typeName, const char *patternName)
{
	TestArena	arena;
	RetlBytes	out;
	Bench		b;
	const char *error = "";
	int			t;
	int			pattern;
	RetlEncodingState *writeState = NULL;

	memset(&b, 0, sizeof(b));
	TestArenaInit(&arena);
	RetlBytesInit(&out, &arena.arena, 0);
	b.encoding = RetlEncodingById(encodingId);
	for (t = 0; strcmp(testTypes[t].name, typeName) != 0; t++)
		;
	for (pattern = 0; strcmp(TestPatternName(pattern), patternName) != 0; pattern++)
		;
	if (!TestMakeValues(&b.piece, pattern, &testTypes[t], PIECE_ROWS, &arena.arena))
		Die("no such values");
	if (b.encoding->prepare != NULL)
	{
		writeState = b.encoding->prepare(&b.piece, &arena.arena, &out);
		b.state = b.encoding->open(TestCopy(out.data, out.length, &arena.arena), out.length,
								   b.piece.type, b.piece.width, &arena.arena, &error);
	}
	RetlBytesReset(&out);
	b.encoding->encode(writeState, &b.piece, 0, &out);
	b.src = TestCopy(out.data, out.length, &arena.arena);
	b.srcSize = out.length;
	TestDecodedInit(&b.decoded, b.piece.type, b.piece.width, PIECE_ROWS, &arena.arena);

	PrintRates(&b, typeName, patternName);
	printf("  fetch %6.0f ns\n", 1e9 / (Rate(Fetch, &b) * PIECE_ROWS / 16));
	TestArenaReset(&arena);
}

/* BITPACK by width of the differences. */
static void
BitpackLines(const TestType *type, unsigned step)
{
	const RetlEncoding *encoding = RetlEncodingById(RETL_ENCODING_BITPACK);
	unsigned	width;

	for (width = step; width <= 8U * type->width; width += step)
	{
		TestArena	arena;
		RetlBytes	out;
		Bench		b;
		uint64_t	seed = width;
		uint8_t    *fixed;
		uint32_t	i;
		char		name[20];

		memset(&b, 0, sizeof(b));
		TestArenaInit(&arena);
		RetlBytesInit(&out, &arena.arena, 0);
		fixed = RetlArenaAlloc(&arena.arena, PIECE_ROWS * 8);
		for (i = 0; i < PIECE_ROWS; i++)
		{
			uint64_t	number = i == 0 ? 0 : i == 1 ? UINT64_MAX : TestRandom(&seed);

			number >>= 64 - width;
			if (width == 8U * type->width)	/* the whole range of signed values */
				number ^= UINT64_C(1) << (width - 1);
			memcpy(fixed + (size_t) i * type->width, &number, type->width);
		}
		b.encoding = encoding;
		b.piece.type = type->type;
		b.piece.width = type->width;
		b.piece.count = PIECE_ROWS;
		b.piece.fixed = fixed;
		encoding->encode(NULL, &b.piece, 0, &out);
		b.src = out.data;
		b.srcSize = out.length;
		TestDecodedInit(&b.decoded, type->type, type->width, PIECE_ROWS, &arena.arena);
		snprintf(name, sizeof(name), "width %u", width);
		PrintRates(&b, type->name, name);
		printf("\n");
		TestArenaReset(&arena);
	}
}

static void
Checksum(Bench *b)
{
	/* Kept, so that the compiler cannot leave it out. */
	b->selected[0] ^= RetlCrc32c(0, b->src, b->srcSize);
}

static void
ChecksumLine(size_t size)
{
	Bench		b;

	memset(&b, 0, sizeof(b));
	b.src = scratch;
	b.srcSize = size;
	printf("crc-32c   %6zu bytes  %.1f GB/s\n", size, Rate(Checksum, &b) * (double) size / 1e9);
}

/* The cost of choosing for a whole chunk. */
static void
ChooseLine(const char *typeName, const char *patternName)
{
	const uint32_t count = 131072;
	TestArena	arena;
	RetlValues	values;
	int			t;
	int			pattern;
	double		start;
	const RetlEncoding *encoding;

	TestArenaInit(&arena);
	for (t = 0; strcmp(testTypes[t].name, typeName) != 0; t++)
		;
	for (pattern = 0; strcmp(TestPatternName(pattern), patternName) != 0; pattern++)
		;
	if (!TestMakeValues(&values, pattern, &testTypes[t], count, &arena.arena))
		Die("no such values");
	start = Now();
	encoding = RetlEncodingChoose(&values, PIECE_ROWS, -1, &arena.arena);
	printf("choose    %-8s %-13s -> %-8s %.1f ns/value\n", typeName, patternName,
		   encoding->name, (Now() - start) * 1e9 / count);
	TestArenaReset(&arena);
}

int
main(int argc, char **argv)
{
	int			t;

	if (argc > 1)
		budget = atof(argv[1]) / 1000;
	RetlSimdAllowed = argc < 3 || strcmp(argv[2], "plain") != 0;
	MeasureClock();
	printf("%.2f GHz\n", clockRate / 1e9);
	for (t = 0; t < testTypeCount; t++)
		if (testTypes[t].type == RETL_PHYS_INT)
			BitpackLines(&testTypes[t], testTypes[t].width <= 2 ? 2 : testTypes[t].width == 4 ? 3 : 8);
	Line(RETL_ENCODING_PLAIN, "int8", "random");
	Line(RETL_ENCODING_PLAIN, "bytes", "random");
	Line(RETL_ENCODING_CONSTANT, "int8", "equal");
	Line(RETL_ENCODING_CONSTANT, "bytes", "equal");
	Line(RETL_ENCODING_RLE, "int4", "runs");
	Line(RETL_ENCODING_RLE, "int8", "runs");
	Line(RETL_ENCODING_RLE, "int8", "few values");
	Line(RETL_ENCODING_RLE, "bytes", "runs");
	Line(RETL_ENCODING_DICT, "int4", "few values");
	Line(RETL_ENCODING_DICT, "int8", "few values");
	Line(RETL_ENCODING_DICT, "int8", "random");
	Line(RETL_ENCODING_DICT, "float8", "few values");
	Line(RETL_ENCODING_DICT, "bytes", "few values");
	Line(RETL_ENCODING_DICT, "bytes", "runs");
	Line(RETL_ENCODING_DELTA, "int4", "rising");
	Line(RETL_ENCODING_DELTA, "int4", "steps");
	Line(RETL_ENCODING_DELTA, "int8", "rising");
	Line(RETL_ENCODING_DELTA, "int8", "steps");
	Line(RETL_ENCODING_DELTA, "int8", "squares");
	Line(RETL_ENCODING_BITPACK, "int1", "two values");
	Line(RETL_ENCODING_RLE, "int1", "runs");
	ChecksumLine(64);
	ChecksumLine(8144);
	ChecksumLine(65536);
	ChooseLine("int4", "rising");
	ChooseLine("int8", "random");
	ChooseLine("int8", "few values");
	ChooseLine("float8", "random");
	ChooseLine("bytes", "few values");
	ChooseLine("bytes", "random");
	ChooseLine("bytes", "runs");
	return 0;
}
