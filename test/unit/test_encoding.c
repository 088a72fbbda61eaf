/*-------------------------------------------------------------------------
 *
 * test_encoding.c
 *	  Every pattern, in every encoding, type and piece size: what goes in comes
 *	  out, by decode (of all values and of some) and by fetch, and filters agree with brute force.  Then
 *	  the choice among encodings and the helpers of encoding.c.
 *
 * RETLDB_TEST_QUICK=1 takes fewer sizes, for Valgrind.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>
#include <string.h>

#include "testlib.h"

#include "encoding/simd.h"

#include <cmocka.h>

#define LENGTH(array) ((int) (sizeof(array) / sizeof((array)[0])))

/* One combination. */
typedef struct Round
{
	const RetlEncoding *encoding;
	const TestType *type;
	const char *pattern;
	uint32_t	pieceRows;
	const RetlValues *values;
	RetlEncodingState *readState;
	RetlEncodingState *peekState;	/* NULL: there is none */
	const RetlArena *arena;
	const uint8_t *dictionary;
	size_t		dictionarySize;
} Round;

/* Stop with a message that names the combination. */
#define FAIL_ROUND(round, what) \
	fail_msg("%s of %s, pattern \"%s\", %u values in pieces of %u: %s", \
			 (round)->encoding->name, (round)->type->name, (round)->pattern, \
			 (round)->values->count, (round)->pieceRows, what)

static bool
Quick(void)
{
	return getenv("RETLDB_TEST_QUICK") != NULL;
}

/* Is value "index" of a piece what was decoded as entry "at"? */
static bool
Same(const RetlValues *piece, uint32_t index, const RetlDecoded *decoded, uint32_t at)
{
	size_t		length;
	size_t		expectedLength;
	const uint8_t *value = TestDecodedAt(decoded, piece->type, piece->width, at, &length);
	const uint8_t *expected = TestValueAt(piece, index, &expectedLength);

	return length == expectedLength && (length == 0 || memcmp(value, expected, length) == 0);
}

/* Decode a piece and compare it. */
static void
CheckDecodeOnce(const Round *round, const RetlValues *piece, const uint8_t *src, size_t srcSize)
{
	RetlDecoded decoded;
	const char *error = NULL;
	uint32_t	i;

	TestDecodedInit(&decoded, piece->type, piece->width, piece->count, round->arena);
	if (!round->encoding->decode(round->readState, src, srcSize, piece->type, piece->width,
								 piece->count, &decoded, round->arena, &error))
		FAIL_ROUND(round, error);
	for (i = 0; i < piece->count; i++)
		if (!Same(piece, i, &decoded, i))
			FAIL_ROUND(round, "decoded value differs");
}

/* Codes that a decoder answered with become the values of these entries. */
static void
ReplaceCode(const Round *round, const RetlDictEntries *entries, RetlDecoded *decoded, uint32_t index)
{
	uint32_t	code = decoded->starts[index];

	if (code >= entries->count)
		FAIL_ROUND(round, "code is out of range");
	decoded->starts[index] = entries->starts[code];
	decoded->lengths[index] = entries->lengths[code];
}

/* DICT can answer with codes of byte strings; others do not mind being asked. */
static void
CheckCodes(const Round *round, const RetlValues *piece, const uint8_t *src, size_t srcSize)
{
	RetlDecoded decoded;
	RetlDictEntries entries;
	const char *error = NULL;
	uint32_t	i;

	if (piece->type != RETL_PHYS_BYTES || piece->count == 0)
		return;
	TestDecodedInit(&decoded, piece->type, piece->width, piece->count, round->arena);
	decoded.takesCodes = true;
	if (!round->encoding->decode(round->readState, src, srcSize, piece->type, piece->width,
								 piece->count, &decoded, round->arena, &error))
		FAIL_ROUND(round, error);
	if (decoded.hasCodes != (round->encoding->id == RETL_ENCODING_DICT))
		FAIL_ROUND(round, "codes come from another encoding, or do not come");
	if (decoded.hasCodes)
	{
		RetlDictGetEntries(round->readState, &entries);
		decoded.bytes = entries.bytes;
		for (i = 0; i < piece->count; i++)
			ReplaceCode(round, &entries, &decoded, i);
	}
	for (i = 0; i < piece->count; i++)
		if (!Same(piece, i, &decoded, i))
			FAIL_ROUND(round, "value of a code differs");
}

/* Decode values that are listed, some of them twice, as they are or as codes. */
static void
CheckFew(const Round *round, const RetlValues *piece, const uint8_t *src, size_t srcSize,
		 bool takesCodes)
{
	uint32_t	few[20];
	RetlDecoded decoded;
	RetlDictEntries entries;
	const char *error = NULL;
	uint32_t	i;

	if (!round->encoding->takesFew || piece->count == 0)
		return;
	TestDecodedInit(&decoded, piece->type, piece->width, piece->count, round->arena);
	for (i = 0; i < LENGTH(few); i++)
		few[i] = i == LENGTH(few) - 1 ? piece->count - 1 :
			(uint32_t) ((uint64_t) i * piece->count / LENGTH(few));
	decoded.few = few;
	decoded.fewCount = LENGTH(few);
	decoded.takesCodes = takesCodes;
	if (!round->encoding->decode(round->readState, src, srcSize, piece->type, piece->width,
								 piece->count, &decoded, round->arena, &error))
		FAIL_ROUND(round, error);
	if (decoded.hasCodes != (takesCodes && piece->type == RETL_PHYS_BYTES &&
							 round->encoding->id == RETL_ENCODING_DICT))
		FAIL_ROUND(round, "codes of few values come unasked, or do not come");
	if (decoded.hasCodes)
	{
		RetlDictGetEntries(round->readState, &entries);
		decoded.bytes = entries.bytes;
	}
	for (i = 0; i < LENGTH(few); i++)
	{
		if (decoded.hasCodes && (i == 0 || few[i] != few[i - 1]))
			ReplaceCode(round, &entries, &decoded, few[i]);
		if (!Same(piece, few[i], &decoded, few[i]))
			FAIL_ROUND(round, "one of few values differs");
	}
}

/* The same with and without the processor's vector instructions. */
static void
CheckDecode(const Round *round, const RetlValues *piece, const uint8_t *src, size_t srcSize)
{
	CheckDecodeOnce(round, piece, src, srcSize);
	RetlSimdAllowed = false;
	CheckDecodeOnce(round, piece, src, srcSize);
	RetlSimdAllowed = true;
	CheckCodes(round, piece, src, srcSize);
	CheckFew(round, piece, src, srcSize, false);
	CheckFew(round, piece, src, srcSize, true);
}

/*
 * A copy of the piece in which nothing is right but the bytes that fetching the
 * value needs.
 */
static uint8_t *
CopyNeeded(const Round *round, const RetlValues *piece, const uint8_t *src, size_t srcSize,
		   uint32_t index)
{
	uint8_t    *copy = memset(RetlArenaAlloc(round->arena, srcSize + 1), 0xA5, srcSize + 1);
	uint32_t	step = 0;
	RetlSpan	span;

	while (round->encoding->needs(copy, srcSize, piece->type, piece->width, piece->count, index,
								  step++, &span))
	{
		if (span.offset < srcSize)
			memcpy(copy + span.offset, src + span.offset,
				   span.length < srcSize - span.offset ? span.length : srcSize - span.offset);
		if (step > 10)
			FAIL_ROUND(round, "there is no end of what a value needs");
	}
	return copy;
}

/* Fetch a value from nothing but the bytes it needs. */
static void
CheckNeeds(const Round *round, const RetlEncodingState *state, const RetlValues *piece,
		   const uint8_t *src, size_t srcSize, uint32_t index)
{
	const uint8_t *copy = CopyNeeded(round, piece, src, srcSize, index);
	RetlDecoded decoded;
	const char *error = NULL;

	TestDecodedInit(&decoded, piece->type, piece->width, 1, round->arena);
	if (!round->encoding->fetch(state, copy, srcSize, piece->type, piece->width, piece->count,
								index, &decoded, round->arena, &error))
		FAIL_ROUND(round, error);
	if (!Same(piece, index, &decoded, 0))
		FAIL_ROUND(round, "value fetched from what it needs differs");
}

/* Fetch all values of a small piece, and some of a large one, with a state. */
static void
CheckFetchWith(const Round *round, const RetlEncodingState *state, const RetlValues *piece,
			   const uint8_t *src, size_t srcSize)
{
	RetlDecoded decoded;
	const char *error = NULL;
	uint32_t	step = piece->count < 80 ? 1 : piece->count / 37;
	uint32_t	i;

	TestDecodedInit(&decoded, piece->type, piece->width, 1, round->arena);
	for (i = 0; i < piece->count; i += step)
	{
		if (!round->encoding->fetch(state, src, srcSize, piece->type, piece->width,
									piece->count, i, &decoded, round->arena, &error))
			FAIL_ROUND(round, error);
		if (!Same(piece, i, &decoded, 0))
			FAIL_ROUND(round, "fetched value differs");
		if (round->encoding->needs != NULL)
			CheckNeeds(round, state, piece, src, srcSize, i);
	}
	if (round->encoding->fetch(state, src, srcSize, piece->type, piece->width,
							   piece->count, piece->count, &decoded, round->arena, &error))
		FAIL_ROUND(round, "fetched a value past the end");
}

/* The same with the opened state and with one that was only peeked at. */
static void
CheckFetch(const Round *round, const RetlValues *piece, const uint8_t *src, size_t srcSize)
{
	CheckFetchWith(round, round->readState, piece, src, srcSize);
	if (round->peekState != NULL)
		CheckFetchWith(round, round->peekState, piece, src, srcSize);
}

/* Decode some of the values. */
static void
CheckWanted(const Round *round, const RetlValues *piece, const uint8_t *src, size_t srcSize)
{
	TestFilterSubject subject = {round->encoding, round->readState, piece, src, srcSize,
	round->arena, NULL, NULL, 0};
	const char *wrong = TestWanted(&subject);

	if (wrong != NULL)
		FAIL_ROUND(round, wrong);
}

/* Filter by constants that occur, are near, or far out. */
static void
CheckFilter(const Round *round, const RetlValues *piece, const uint8_t *src, size_t srcSize)
{
	TestFilterSubject subject = {round->encoding, round->readState, piece, src, srcSize,
	round->arena, round->values, round->dictionary, round->dictionarySize};
	uint8_t		near[512];
	uint8_t		far[512];
	size_t		farLength = piece->type == RETL_PHYS_BYTES ? 0 : piece->width;
	const char *wrong = NULL;
	int			k;

	if (piece->count == 0)
	{
		wrong = TestFilters(&subject, memset(near, 1, farLength), farLength, far, farLength);
		if (wrong != NULL)
			FAIL_ROUND(round, wrong);
		return;
	}
	for (k = 0; k < (piece->count > 100 ? 1 : 3) && wrong == NULL; k++)
	{
		uint32_t	index = k == 0 ? 0 : k == 1 ? piece->count / 2 : piece->count - 1;
		size_t		length;
		size_t		nearLength;
		const uint8_t *value = TestValueAt(piece, index, &length);

		/* The next one, with another highest byte the last time; and one far out. */
		nearLength = length < sizeof(near) ? length : sizeof(near);
		memcpy(near, value, nearLength);
		if (nearLength > 0)
		{
			near[0]++;
			near[nearLength - 1] ^= k == 2 ? 0x80 : 0;
		}
		memset(far, k == 0 ? 0x7F : k == 1 ? 0xFF : 0x80, farLength);
		wrong = TestFilters(&subject, value, length, near, nearLength);
		if (wrong == NULL)
			wrong = TestFilters(&subject, far, farLength, value, length);
	}
	if (wrong != NULL)
		FAIL_ROUND(round, wrong);
}

/* Encode, then check every piece. */
static void
CheckRound(Round *round)
{
	const RetlEncoding *encoding = round->encoding;
	const RetlValues *values = round->values;
	RetlEncodingState *writeState = NULL;
	RetlBytes	out;
	const char *error = NULL;
	uint32_t	first = 0;

	RetlBytesInit(&out, round->arena, 64);
	round->peekState = NULL;
	round->readState = NULL;
	if (encoding->prepare != NULL)
	{
		writeState = encoding->prepare(values, round->arena, &out);
		round->dictionary = TestCopy(out.data, out.length, round->arena);
		round->dictionarySize = out.length;
		round->readState = encoding->open(round->dictionary, round->dictionarySize,
										  values->type, values->width, round->arena, &error);
		if (encoding->peek != NULL)
			round->peekState = encoding->peek(round->dictionary, round->dictionarySize,
											  values->type, values->width, round->arena);
		if (encoding->peek != NULL && round->peekState == NULL)
			FAIL_ROUND(round, "dictionary cannot be peeked at");
		if (round->readState == NULL)
			FAIL_ROUND(round, error);
	}
	do
	{
		uint32_t	rest = values->count - first;
		uint32_t	count = rest < round->pieceRows ? rest : round->pieceRows;
		RetlValues	piece = RetlValuesSlice(values, first, count);
		uint8_t    *src;

		RetlBytesReset(&out);
		encoding->encode(writeState, &piece, first, &out);
		src = TestCopy(out.data, out.length, round->arena);
		CheckDecode(round, &piece, src, out.length);
		CheckFetch(round, &piece, src, out.length);
		CheckWanted(round, &piece, src, out.length);
		if (first < (count > 100 ? 1 : 2) * round->pieceRows)
			CheckFilter(round, &piece, src, out.length);
		first += count;
	} while (first < values->count);
}

/* One type: all patterns, sizes and encodings. */
static void
RoundTripType(const TestType *type)
{
	static const uint32_t allSizes[] = {1, 2, 3, 4, 7, 8, 9, 63, 64, 65, 100, 512, 1000, 2048, 4096};
	static const uint32_t fewSizes[] = {1, 7, 64, 513};
	const uint32_t *sizes = Quick() ? fewSizes : allSizes;
	int			sizeCount = Quick() ? LENGTH(fewSizes) : LENGTH(allSizes);
	int			pattern;

	for (pattern = 0; pattern < testPatternCount; pattern++)
	{
		int			s;

		for (s = 0; s < sizeCount; s++)
		{
			uint32_t	counts[] = {0, 1, sizes[s] - 1, sizes[s], sizes[s] + 1, 2 * sizes[s] + 5};
			int			c;

			/* of no value and of one there is one piece, whatever its size may be */
			for (c = Quick() ? 3 : s > 0 ? 2 : 0; c < LENGTH(counts); c++)
			{
				TestArena	arena;
				RetlValues	values;
				int			id;

				TestArenaInit(&arena);
				if (TestMakeValues(&values, pattern, type, counts[c], &arena.arena))
					for (id = 0; id < RETL_ENCODING_COUNT; id++)
					{
						Round		round = {RetlEncodingById(id), type, TestPatternName(pattern),
						sizes[s], &values, NULL, NULL, &arena.arena, NULL, 0};

						if (round.encoding == NULL || !round.encoding->applies(type->type, type->width))
							continue;
						if (id == RETL_ENCODING_CONSTANT &&
							round.encoding->analyse(&values, sizes[s], &arena.arena) == RETLDB_NEVER)
							continue;
						CheckRound(&round);
					}
				TestArenaReset(&arena);
			}
		}
	}
}

/* Round trips of one group of types each, so that failures show where. */
static void
RoundTripsOf(RetlPhysType physType)
{
	int			t;

	for (t = 0; t < testTypeCount; t++)
		if (testTypes[t].type == physType)
			RoundTripType(&testTypes[t]);
}

static void
test_round_trips_int(void **state)
{
	(void) state;
	RoundTripsOf(RETL_PHYS_INT);
}

static void
test_round_trips_float(void **state)
{
	(void) state;
	RoundTripsOf(RETL_PHYS_FLOAT);
}

static void
test_round_trips_fixed(void **state)
{
	(void) state;
	RoundTripsOf(RETL_PHYS_FIXED);
}

static void
test_round_trips_bytes(void **state)
{
	(void) state;
	RoundTripsOf(RETL_PHYS_BYTES);
}

/* ---------------------------------------------------------------------
 * Analysis and choice
 * ---------------------------------------------------------------------
 */

/* Bytes that an encoding really takes. */
static uint64_t
RealSize(const RetlEncoding *encoding, const RetlValues *values, uint32_t pieceRows,
		 const RetlArena *arena)
{
	RetlEncodingState *state = NULL;
	RetlBytes	out;
	uint32_t	first;

	RetlBytesInit(&out, arena, 64);
	if (encoding->prepare != NULL)
		state = encoding->prepare(values, arena, &out);
	for (first = 0; first < values->count; first += pieceRows)
	{
		uint32_t	rest = values->count - first;
		RetlValues	piece = RetlValuesSlice(values, first, rest < pieceRows ? rest : pieceRows);

		encoding->encode(state, &piece, first, &out);
	}
	return out.length;
}

/* Analyses are exact for the simple encodings and close for the others. */
static void
test_analyse(void **state)
{
	const uint32_t counts[] = {0, 1, 100, 20000};
	int			t;
	int			pattern;
	int			c;
	int			id;

	(void) state;
	for (t = 0; t < testTypeCount; t++)
		for (pattern = 0; pattern < testPatternCount; pattern++)
			for (c = 0; c < (Quick() ? 3 : LENGTH(counts)); c++)
			{
				TestArena	arena;
				RetlValues	values;

				TestArenaInit(&arena);
				if (TestMakeValues(&values, pattern, &testTypes[t], counts[c], &arena.arena))
					for (id = 0; id < RETL_ENCODING_COUNT; id++)
					{
						const RetlEncoding *encoding = RetlEncodingById(id);
						uint64_t	estimate;
						uint64_t	real;

						if (encoding == NULL || !encoding->applies(values.type, values.width))
							continue;
						estimate = encoding->analyse(&values, 2048, &arena.arena);
						if (estimate == RETLDB_NEVER)
							continue;
						real = RealSize(encoding, &values, 2048, &arena.arena);
						/* a shortened dictionary may be much smaller than thought */
						if (id == RETL_ENCODING_DICT && real < estimate)
							continue;
						if (id < RETL_ENCODING_RLE || id == RETL_ENCODING_BITPACK
							? estimate != real
							: estimate > real * 3 + 200 || real > estimate * 3 + 200)
							fail_msg("%s of %s, pattern \"%s\", %u values: %llu bytes, not %llu",
									 encoding->name, testTypes[t].name, TestPatternName(pattern),
									 counts[c], (unsigned long long) real,
									 (unsigned long long) estimate);
					}
				TestArenaReset(&arena);
			}
}

/* The encoding chosen for a pattern. */
static RetlEncodingId
Chosen(const char *typeName, const char *patternName, uint32_t count, int forced)
{
	TestArena	arena;
	RetlValues	values;
	RetlEncodingId id = RETL_ENCODING_COUNT;
	int			t;
	int			pattern;

	TestArenaInit(&arena);
	for (t = 0; t < testTypeCount; t++)
		for (pattern = 0; pattern < testPatternCount; pattern++)
			if (strcmp(testTypes[t].name, typeName) == 0 &&
				strcmp(TestPatternName(pattern), patternName) == 0)
			{
				assert_true(TestMakeValues(&values, pattern, &testTypes[t], count, &arena.arena));
				id = RetlEncodingChoose(&values, 2048, forced, &arena.arena)->id;
			}
	TestArenaReset(&arena);
	return id;
}

static void
test_choose(void **state)
{
	(void) state;
	assert_int_equal(Chosen("int8", "equal", 20000, -1), RETL_ENCODING_CONSTANT);
	assert_int_equal(Chosen("bytes", "equal", 20000, -1), RETL_ENCODING_CONSTANT);
	assert_int_equal(Chosen("int4", "rising", 20000, -1), RETL_ENCODING_DELTA);
	assert_int_equal(Chosen("int8", "steps", 20000, -1), RETL_ENCODING_DELTA);
	assert_int_equal(Chosen("int8", "squares", 20000, -1), RETL_ENCODING_DELTA);
	assert_int_equal(Chosen("int4", "small", 20000, -1), RETL_ENCODING_BITPACK);
	assert_int_equal(Chosen("int8", "random", 20000, -1), RETL_ENCODING_PLAIN);
	assert_int_equal(Chosen("int8", "few values", 20000, -1), RETL_ENCODING_DICT);
	assert_int_equal(Chosen("int8", "runs", 20000, -1), RETL_ENCODING_RLE);
	assert_int_equal(Chosen("float8", "few values", 20000, -1), RETL_ENCODING_DICT);
	assert_int_equal(Chosen("float8", "random", 20000, -1), RETL_ENCODING_PLAIN);
	assert_int_equal(Chosen("bytes", "few values", 20000, -1), RETL_ENCODING_DICT);
	assert_int_equal(Chosen("bytes", "random", 20000, -1), RETL_ENCODING_FSST);
	assert_int_equal(Chosen("bytes", "random", 20, -1), RETL_ENCODING_PLAIN);
	assert_int_equal(Chosen("fixed16", "random", 20000, -1), RETL_ENCODING_PLAIN);
	assert_int_equal(Chosen("int4", "equal", 0, -1), RETL_ENCODING_PLAIN);
}

/* The encoding chosen for a pattern of "int8" with a memory; *size is its chunk-wide state's. */
static RetlEncodingId
ChosenNext(const char *patternName, uint32_t count, RetlChoiceMemory *memory, size_t *size)
{
	TestArena	arena;
	RetlValues	values;
	RetlEncodingState *writeState;
	RetlBytes	out;
	RetlEncodingId id;
	int			t = 0;
	int			pattern = 0;

	while (strcmp(testTypes[t].name, "int8") != 0)
		t++;
	while (strcmp(TestPatternName(pattern), patternName) != 0)
		pattern++;
	TestArenaInit(&arena);
	RetlBytesInit(&out, &arena.arena, 0);
	assert_true(TestMakeValues(&values, pattern, &testTypes[t], count, &arena.arena));
	id = RetlEncodingChooseAndPrepare(&values, 2048, -1, memory, &arena.arena, &arena.arena,
									  &writeState, &out)->id;
	*size = out.length;
	TestArenaReset(&arena);
	return id;
}

/* A dictionary is remembered for some chunks, until one has none. */
static void
test_choose_remembered(void **state)
{
	RetlChoiceMemory memory = {0};
	size_t		size;
	size_t		again;
	int			i;

	(void) state;
	assert_int_equal(ChosenNext("few values", 1000, &memory, &size), RETL_ENCODING_DICT);
	assert_int_equal(memory.chunks, 0);
	assert_int_equal(ChosenNext("few values", 20000, &memory, &size), RETL_ENCODING_DICT);
	assert_int_equal(memory.chunks, 7);
	for (i = 6; i >= 0; i--)
	{
		assert_int_equal(ChosenNext("few values", 20000, &memory, &again), RETL_ENCODING_DICT);
		assert_int_equal(memory.chunks, i);
		assert_int_equal(again, size);
	}
	/* all are looked at again */
	assert_int_equal(ChosenNext("few values", 20000, &memory, &again), RETL_ENCODING_DICT);
	assert_int_equal(memory.chunks, 7);
	assert_int_equal(ChosenNext("equal", 20000, &memory, &again), RETL_ENCODING_CONSTANT);
	assert_int_equal(memory.chunks, 7);
	assert_int_equal(ChosenNext("random", 20000, &memory, &again), RETL_ENCODING_PLAIN);
	assert_int_equal(again, 0);
	assert_int_equal(memory.chunks, 0);
	for (i = 0; i < 8; i++)
	{
		assert_int_equal(ChosenNext("few values", 20000, &memory, &again), RETL_ENCODING_DICT);
		assert_int_equal(memory.chunks, 0);
		assert_int_equal(again, size);
	}
	assert_int_equal(ChosenNext("few values", 20000, &memory, &again), RETL_ENCODING_DICT);
	assert_int_equal(memory.chunks, 7);
}

static void
test_choose_forced(void **state)
{
	(void) state;
	assert_int_equal(Chosen("int8", "random", 2000, RETL_ENCODING_DICT), RETL_ENCODING_DICT);
	assert_int_equal(Chosen("int8", "random", 2000, RETL_ENCODING_RLE), RETL_ENCODING_RLE);
	assert_int_equal(Chosen("int8", "equal", 2000, RETL_ENCODING_PLAIN), RETL_ENCODING_PLAIN);
	assert_int_equal(Chosen("int8", "equal", 2000, RETL_ENCODING_CONSTANT), RETL_ENCODING_CONSTANT);
	/* cannot hold the values, or not of this type: free choice */
	assert_int_equal(Chosen("int8", "random", 2000, RETL_ENCODING_CONSTANT), RETL_ENCODING_PLAIN);
	assert_int_equal(Chosen("bytes", "random", 20, RETL_ENCODING_BITPACK), RETL_ENCODING_PLAIN);
	assert_int_equal(Chosen("bytes", "random", 20, RETL_ENCODING_COUNT), RETL_ENCODING_PLAIN);
	assert_int_equal(Chosen("bytes", "equal", 20, RETL_ENCODING_FSST), RETL_ENCODING_FSST);
}

static void
test_table(void **state)
{
	int			id;

	(void) state;
	for (id = 0; id < RETL_ENCODING_COUNT; id++)
	{
		const RetlEncoding *encoding = RetlEncodingById(id);

		if (encoding == NULL)	/* an id kept for later */
			continue;
		assert_int_equal(encoding->id, id);
		assert_ptr_equal(RetlEncodingByName(encoding->name), encoding);
		assert_int_equal(encoding->prepare == NULL, encoding->open == NULL);
	}
	assert_null(RetlEncodingById(-1));
	assert_null(RetlEncodingById(RETL_ENCODING_COUNT));
	assert_null(RetlEncodingByName("nonsense"));
	assert_false(RetlEncodingById(RETL_ENCODING_BITPACK)->applies(RETL_PHYS_INT, 3));
	assert_false(RetlEncodingById(RETL_ENCODING_BITPACK)->applies(RETL_PHYS_FLOAT, 8));
	assert_false(RetlEncodingById(RETL_ENCODING_PLAIN)->applies(RETL_PHYS_FIXED, 0));
	assert_false(RetlEncodingById(RETL_ENCODING_PLAIN)->applies(RETL_PHYS_BYTES, 4));
}

static void
test_bytes_grow(void **state)
{
	TestArena	arena;
	RetlBytes	bytes;
	uint32_t	i;

	(void) state;
	TestArenaInit(&arena);
	RetlBytesInit(&bytes, &arena.arena, 0);
	for (i = 0; i < 10000; i++)
		RetlBytesAppend(&bytes, &i, sizeof(i));
	assert_int_equal(bytes.length, 40000);
	for (i = 0; i < 10000; i++)
		assert_memory_equal(bytes.data + 4 * i, &i, sizeof(i));
	memset(RetlBytesReserve(&bytes, 1000000), 0xAB, 1000000);
	assert_int_equal(bytes.length, 40000);
	RetlBytesReset(&bytes);
	assert_int_equal(bytes.length, 0);
	RetlBytesAppend(&bytes, NULL, 0);
	assert_int_equal(bytes.length, 0);
	TestArenaReset(&arena);
}

/* Values that are not wanted need not be decoded, the others are. */
static void
test_fsst_wanted(void **state)
{
	const RetlEncoding *fsst = RetlEncodingById(RETL_ENCODING_FSST);
	TestArena	arena;
	RetlValues	values;
	RetlBytes	out;
	RetlDecoded decoded;
	RetlEncodingState *reader;
	RetlEncodingState *writer;
	const char *error = NULL;
	uint64_t	wanted[2] = {UINT64_C(0x8000000000000421), 1};
	int			pattern = 0;
	uint32_t	i;

	(void) state;
	TestArenaInit(&arena);
	while (strcmp(TestPatternName(pattern), "prefixes") != 0)
		pattern++;
	assert_true(TestMakeValues(&values, pattern, &testTypes[testTypeCount - 1], 100, &arena.arena));
	assert_int_equal(values.type, RETL_PHYS_BYTES);
	RetlBytesInit(&out, &arena.arena, 0);
	writer = fsst->prepare(&values, &arena.arena, &out);
	reader = fsst->open(TestCopy(out.data, out.length, &arena.arena), out.length,
						RETL_PHYS_BYTES, 0, &arena.arena, &error);
	assert_non_null(reader);
	RetlBytesReset(&out);
	fsst->encode(writer, &values, 0, &out);
	TestDecodedInit(&decoded, RETL_PHYS_BYTES, 0, 100, &arena.arena);
	decoded.wanted = wanted;
	assert_true(fsst->decode(reader, TestCopy(out.data, out.length, &arena.arena), out.length,
							 RETL_PHYS_BYTES, 0, 100, &decoded, &arena.arena, &error));
	for (i = 0; i < 100; i++)
		if (RetlIsSelected(wanted, i))
			assert_true(Same(&values, i, &decoded, i));
		else
			assert_int_equal(decoded.lengths[i], 0);
	TestArenaReset(&arena);
}

/* The examples in the banners of the encodings. */
static void
test_documented_bytes(void **state)
{
	static const uint32_t plainOffsets[] = {0, 1, 1, 3};
	static const uint8_t plainBytes[] = {2, 0, 0, 0, 0, 0x21, 'a', 'b', 'c'};
	static const int16_t packValues[] = {-1, 0, 2};
	static const uint8_t packBytes[] = {2, 0xFF, 0xFF, 0x34};
	static const uint8_t rleValues[] = {7, 7, 7, 9};
	static const uint8_t rleBytes[] = {2, 0, 0, 0, 2, 1, 0, 0, 0, 2, 2, 7, 8};
	static const uint32_t dictOffsets[] = {0, 3, 5, 8};
	static const uint8_t dictBytes[] = {2, 0, 0, 0, 1, 2, 0, 0, 0, 2, 'n', 'o', 'y', 'e', 's'};
	static const int16_t evenValues[] = {10, 13, 16};
	static const uint8_t evenBytes[] = {0, 10, 0, 3, 0};
	static const int16_t deltaValues[] = {10, 11, 13};
	static const uint8_t deltaBytes[] = {1, 9, 0, 1, 0, 1, 4};
	static const uint8_t codeBytes[] = {0, 1, 0, 0, 0, 0, 5};
	static const uint8_t symbolBytes[] = {2, 7, 4, 'h', 't', 't', 'p', ':', '/', '/', '.', 'c', 'o', 'm'};
	static const uint8_t fsstBytes[] = {0x0D, 0, 0, 0, 2, 2, 0, 0, 0, 2, 0, 0xFF, 'a', 1, 0xFF, 'b'};
	const RetlEncoding *fsst = RetlEncodingById(RETL_ENCODING_FSST);
	const RetlEncoding *dict = RetlEncodingById(RETL_ENCODING_DICT);
	RetlDecoded decoded = {0};
	uint32_t	starts[2];
	uint32_t	lengths[2];
	const char *error = NULL;
	RetlValues	plain = {.type = RETL_PHYS_BYTES,.count = 3,.offsets = plainOffsets,
	.bytes = (const uint8_t *) "abc"};
	RetlValues	pack = {.type = RETL_PHYS_INT,.width = 2,.count = 3,
	.fixed = (const uint8_t *) packValues};
	RetlValues	rle = {.type = RETL_PHYS_INT,.width = 1,.count = 4,
	.fixed = rleValues};
	RetlValues	words = {.type = RETL_PHYS_BYTES,.count = 3,.offsets = dictOffsets,
	.bytes = (const uint8_t *) "yesnoyes"};
	RetlValues	even = {.type = RETL_PHYS_INT,.width = 2,.count = 3,
	.fixed = (const uint8_t *) evenValues};
	RetlValues	delta = {.type = RETL_PHYS_INT,.width = 2,.count = 3,
	.fixed = (const uint8_t *) deltaValues};
	RetlEncodingState *dictState;
	TestArena	arena;
	RetlBytes	out;

	(void) state;
	TestArenaInit(&arena);
	RetlBytesInit(&out, &arena.arena, 0);
	RetlEncodingById(RETL_ENCODING_PLAIN)->encode(NULL, &plain, 0, &out);
	assert_int_equal(out.length, sizeof(plainBytes));
	assert_memory_equal(out.data, plainBytes, sizeof(plainBytes));
	RetlBytesReset(&out);
	RetlEncodingById(RETL_ENCODING_BITPACK)->encode(NULL, &pack, 0, &out);
	assert_int_equal(out.length, sizeof(packBytes));
	assert_memory_equal(out.data, packBytes, sizeof(packBytes));
	RetlBytesReset(&out);
	RetlEncodingById(RETL_ENCODING_RLE)->encode(NULL, &rle, 0, &out);
	assert_int_equal(out.length, sizeof(rleBytes));
	assert_memory_equal(out.data, rleBytes, sizeof(rleBytes));
	RetlBytesReset(&out);
	RetlEncodingById(RETL_ENCODING_DELTA)->encode(NULL, &even, 0, &out);
	assert_int_equal(out.length, sizeof(evenBytes));
	assert_memory_equal(out.data, evenBytes, sizeof(evenBytes));
	RetlBytesReset(&out);
	RetlEncodingById(RETL_ENCODING_DELTA)->encode(NULL, &delta, 0, &out);
	assert_int_equal(out.length, sizeof(deltaBytes));
	assert_memory_equal(out.data, deltaBytes, sizeof(deltaBytes));
	RetlBytesReset(&out);
	dictState = dict->prepare(&words, &arena.arena, &out);
	assert_int_equal(out.length, sizeof(dictBytes));
	assert_memory_equal(out.data, dictBytes, sizeof(dictBytes));
	RetlBytesReset(&out);
	dict->encode(dictState, &words, 0, &out);
	assert_int_equal(out.length, sizeof(codeBytes));
	assert_memory_equal(out.data, codeBytes, sizeof(codeBytes));
	decoded.starts = starts;
	decoded.lengths = lengths;
	dictState = fsst->open(symbolBytes, sizeof(symbolBytes), RETL_PHYS_BYTES, 0, &arena.arena, &error);
	assert_non_null(dictState);
	assert_true(fsst->decode(dictState, fsstBytes, sizeof(fsstBytes), RETL_PHYS_BYTES, 0, 2,
							 &decoded, &arena.arena, &error));
	assert_int_equal(lengths[0], 12);
	assert_memory_equal(decoded.bytes + starts[0], "http://a.com", 12);
	assert_int_equal(lengths[1], 1);
	assert_memory_equal(decoded.bytes + starts[1], "b", 1);
	TestArenaReset(&arena);
}

/* test_encoding [[-]TEST]: only tests of this name, or (-) all others. */
int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_bytes_grow),
		cmocka_unit_test(test_documented_bytes),
		cmocka_unit_test(test_fsst_wanted),
		cmocka_unit_test(test_analyse),
		cmocka_unit_test(test_choose),
		cmocka_unit_test(test_choose_remembered),
		cmocka_unit_test(test_choose_forced),
		cmocka_unit_test(test_round_trips_int),
		cmocka_unit_test(test_round_trips_float),
		cmocka_unit_test(test_round_trips_fixed),
		cmocka_unit_test(test_round_trips_bytes),
	};

	if (argc > 1 && argv[1][0] == '-')
		cmocka_set_skip_filter(argv[1] + 1);
	else if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
