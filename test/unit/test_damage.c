/*-------------------------------------------------------------------------
 *
 * test_damage.c
 *	  Damaged pieces and dictionaries: cut off at every length, lengthened, every
 *	  byte changed.  Readers may answer false or other values; they may not read
 *	  outside the source, write outside the result or ask for much memory.  Runs
 *	  under ASan and Valgrind for that, with all memory of exact size.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>
#include <string.h>

#include "testlib.h"

#include <cmocka.h>

#define LENGTH(array) ((int) (sizeof(array) / sizeof((array)[0])))

/* Memory that reading a piece of these tests may take at most. */
#define MEMORY_LIMIT	(64 << 20)

/* One piece with its dictionary. */
typedef struct Subject
{
	const RetlEncoding *encoding;
	RetlValues	values;
	uint8_t    *piece;
	size_t		pieceSize;
	uint8_t    *dictionary;
	size_t		dictionarySize;
} Subject;

/* Look at every byte of a decoded piece, so that ASan and Valgrind do. */
static void
Touch(const RetlDecoded *decoded, RetlPhysType type, uint16_t width, uint32_t count)
{
	volatile uint8_t sink = 0;
	uint32_t	i;

	for (i = 0; i < count; i++)
	{
		size_t		length;
		const uint8_t *value = TestDecodedAt(decoded, type, width, i, &length);

		if (length > 0)
			sink = (uint8_t) (sink + value[0] + value[length - 1]);
	}
	(void) sink;
}

/* A predicate that looks at the whole value. */
static bool
LastByteIsOdd(void *context, const uint8_t *value, size_t length)
{
	(void) context;
	return length > 0 && ((value[0] ^ value[length - 1]) & 1) != 0;
}

/* Filter in memory of exact size; what comes out is of no interest. */
static void
FilterDamaged(const RetlEncoding *encoding, const RetlEncodingState *state,
			  const uint8_t *src, size_t srcSize, const RetlValues *values,
			  const RetlArena *arena)
{
	static const RetlFilterOp ops[] = {RETL_NE, RETL_BETWEEN, RETL_IN, RETL_PREDICATE};
	static const RetlOrder orders[] = {
		[RETL_PHYS_INT] = RETL_ORDER_SIGNED,[RETL_PHYS_FLOAT] = RETL_ORDER_FLOAT,
		[RETL_PHYS_FIXED] = RETL_ORDER_BYTES,[RETL_PHYS_BYTES] = RETL_ORDER_BYTES
	};
	static const uint8_t zero[400];
	uint32_t	words = RetlSelectionWords(values->count);
	uint8_t		high[400];
	RetlFilterConstant constants[2] = {{zero, values->width}, {high, values->width}};
	int			k;

	memset(high, 0x7F, sizeof(high));
	for (k = 0; k < LENGTH(ops); k++)
	{
		RetlFilter	filter = {ops[k], orders[values->type], ops[k] == RETL_NE ? 1 : 2, constants,
		LastByteIsOdd, NULL};
		RetlFilterMemo memo = {NULL, arena};
		uint64_t   *selected = RetlArenaAlloc(arena, words * sizeof(uint64_t));
		const char *error = NULL;
		bool		answered;

		memset(selected, 0xFF, words * sizeof(uint64_t));
		if (values->count % 64 != 0)
			selected[words - 1] = (UINT64_C(1) << (values->count % 64)) - 1;
		if (!encoding->filter(state, src, srcSize, values->type, values->width, values->count,
							  &filter, &memo, selected, &answered, arena, &error))
			assert_non_null(error);
		else if (values->count % 64 != 0)
			assert_true(selected[words - 1] >> (values->count % 64) == 0);
	}
}

/* Fetch and filter with a state, which may be one that was peeked at. */
static void
ReadSome(const Subject *subject, const RetlEncodingState *state, const uint8_t *src,
		 size_t srcSize, const RetlArena *arena)
{
	const RetlEncoding *encoding = subject->encoding;
	const RetlValues *values = &subject->values;
	RetlDecoded decoded;
	uint32_t	i;

	TestDecodedInit(&decoded, values->type, values->width, 1, arena);
	for (i = 0; i <= values->count; i += 1 + values->count / 5)
	{
		const char *error = NULL;

		uint32_t	step = 0;
		RetlSpan	span;

		while (encoding->needs != NULL && step < 10 &&
			   encoding->needs(src, srcSize, values->type, values->width, values->count, i,
							   step, &span))
			step++;
		assert_true(step < 10);
		if (encoding->fetch(state, src, srcSize, values->type, values->width, values->count, i,
							&decoded, arena, &error))
			Touch(&decoded, values->type, values->width, 1);
		else
			assert_non_null(error);
	}
	if (encoding->filter != NULL)
		FilterDamaged(encoding, state, src, srcSize, values, arena);
}

/*
 * Open, decode, fetch and filter, all in memory of exact size; says whether
 * open and decode succeeded.
 */
static bool
Read(const Subject *subject, const uint8_t *piece, size_t pieceSize,
	 const uint8_t *dictionary, size_t dictionarySize)
{
	const RetlEncoding *encoding = subject->encoding;
	RetlPhysType type = subject->values.type;
	uint16_t	width = subject->values.width;
	uint32_t	count = subject->values.count;
	RetlEncodingState *state = NULL;
	uint8_t    *src;
	RetlDecoded decoded;
	TestArena	arena;
	const char *error = NULL;
	bool		good;

	TestArenaInit(&arena);
	arena.limitBytes = MEMORY_LIMIT;
	src = TestCopy(piece, pieceSize, &arena.arena);
	if (encoding->peek != NULL)
	{
		state = encoding->peek(TestCopy(dictionary, dictionarySize, &arena.arena), dictionarySize,
							   type, width, &arena.arena);
		if (state != NULL)
			ReadSome(subject, state, src, pieceSize, &arena.arena);
	}
	if (encoding->open != NULL)
	{
		state = encoding->open(TestCopy(dictionary, dictionarySize, &arena.arena), dictionarySize,
							   type, width, &arena.arena, &error);
		if (state == NULL)
		{
			assert_non_null(error);
			TestArenaReset(&arena);
			return false;
		}
	}
	TestDecodedInit(&decoded, type, width, count, &arena.arena);
	good = encoding->decode(state, src, pieceSize, type, width, count, &decoded,
							&arena.arena, &error);
	if (good)
		Touch(&decoded, type, width, count);
	else
		assert_non_null(error);
	ReadSome(subject, state, src, pieceSize, &arena.arena);
	TestArenaReset(&arena);
	return good;
}

/* A byte string may be cut off or lengthened without the encoding noticing. */
static bool
AnyLengthIsGood(const Subject *subject)
{
	return subject->encoding->id == RETL_ENCODING_CONSTANT &&
		subject->values.type == RETL_PHYS_BYTES;
}

/* Cut off and lengthened pieces and dictionaries are refused. */
static void
CheckLengths(const Subject *s)
{
	uint8_t    *longer = malloc(s->pieceSize + s->dictionarySize + 1);
	size_t		size;

	for (size = 0; size < s->pieceSize; size++)
		if (Read(s, s->piece, size, s->dictionary, s->dictionarySize) && !AnyLengthIsGood(s))
			fail_msg("%s: %zu of %zu bytes are accepted", s->encoding->name, size, s->pieceSize);
	for (size = 0; size < s->dictionarySize; size++)
		if (Read(s, s->piece, s->pieceSize, s->dictionary, size))
			fail_msg("%s: %zu of %zu bytes of the dictionary are accepted",
					 s->encoding->name, size, s->dictionarySize);

	memset(longer, 0, s->pieceSize + s->dictionarySize + 1);
	if (s->pieceSize > 0)
		memcpy(longer, s->piece, s->pieceSize);
	if (Read(s, longer, s->pieceSize + 1, s->dictionary, s->dictionarySize) && !AnyLengthIsGood(s))
		fail_msg("%s: a byte more is accepted", s->encoding->name);
	if (s->dictionarySize > 0)
	{
		memcpy(longer, s->dictionary, s->dictionarySize);
		longer[s->dictionarySize] = 0;
		if (Read(s, s->piece, s->pieceSize, longer, s->dictionarySize + 1))
			fail_msg("%s: a byte more of the dictionary is accepted", s->encoding->name);
	}
	free(longer);
}

/* Change each byte in turn, the first ones to anything. */
static void
CheckChanges(const Subject *s)
{
	static const uint8_t masks[] = {0x01, 0x02, 0x10, 0x80, 0xFF};
	size_t		i;
	int			k;

	for (i = 0; i < s->pieceSize + s->dictionarySize; i++)
	{
		bool		inPiece = i < s->pieceSize;
		size_t		offset = inPiece ? i : i - s->pieceSize;
		uint8_t    *byte = (inPiece ? s->piece : s->dictionary) + offset;
		uint8_t		before = *byte;

		for (k = 0; k < (offset < 12 ? 256 : LENGTH(masks)); k++)
		{
			*byte = offset < 12 ? (uint8_t) k : before ^ masks[k];
			(void) Read(s, s->piece, s->pieceSize, s->dictionary, s->dictionarySize);
		}
		*byte = before;
	}
}

/* Whatever the payload, claims about the count do no harm. */
static void
CheckCounts(Subject *s)
{
	static const uint32_t counts[] = {0, 1, 2, 7, 9, 64, 4096, 65535, RETLDB_MAX_GROUP_ROWS + 1};
	uint32_t	before = s->values.count;
	int			k;

	for (k = 0; k < LENGTH(counts); k++)
	{
		if (s->values.width > 16 && counts[k] > 65535)
			continue;
		s->values.count = counts[k];
		(void) Read(s, s->piece, s->pieceSize, s->dictionary, s->dictionarySize);
	}
	s->values.count = before;
}

/* All kinds of damage to one piece. */
static void
DamagePiece(const RetlEncoding *encoding, const TestType *type, int pattern, uint32_t count)
{
	TestArena	arena;
	Subject		subject;
	RetlBytes	out;
	RetlEncodingState *state = NULL;

	memset(&subject, 0, sizeof(subject));
	subject.encoding = encoding;
	TestArenaInit(&arena);
	if (TestMakeValues(&subject.values, pattern, type, count, &arena.arena) &&
		!(encoding->id == RETL_ENCODING_CONSTANT &&
		  encoding->analyse(&subject.values, count, &arena.arena) == RETLDB_NEVER))
	{
		RetlBytesInit(&out, &arena.arena, 0);
		if (encoding->prepare != NULL)
		{
			state = encoding->prepare(&subject.values, &arena.arena, &out);
			subject.dictionary = TestCopy(out.data, out.length, &arena.arena);
			subject.dictionarySize = out.length;
			RetlBytesReset(&out);
		}
		encoding->encode(state, &subject.values, 0, &out);
		subject.piece = TestCopy(out.data, out.length, &arena.arena);
		subject.pieceSize = out.length;
		assert_true(Read(&subject, subject.piece, subject.pieceSize,
						 subject.dictionary, subject.dictionarySize));
		CheckLengths(&subject);
		CheckChanges(&subject);
		CheckCounts(&subject);
	}
	TestArenaReset(&arena);
}

/* One encoding: all types, patterns of all kinds. */
static void
Damage(RetlEncodingId id)
{
	static const char *const names[] = {"equal", "few values", "runs", "magnitudes", "mostly empty",
	"steps", "squares", "prices", "numerics", "decimals", "addresses"};
	static const uint32_t counts[] = {0, 1, 13, 70};
	const RetlEncoding *encoding = RetlEncodingById(id);
	bool		quick = getenv("RETLDB_TEST_QUICK") != NULL;
	int			t;
	int			pattern;
	int			n;
	int			c;

	for (t = 0; t < testTypeCount; t++)
	{
		if (!encoding->applies(testTypes[t].type, testTypes[t].width))
			continue;
		if (quick && testTypes[t].width != 0 && testTypes[t].width != 3 && testTypes[t].width != 4)
			continue;
		for (pattern = 0; pattern < testPatternCount; pattern++)
			for (n = 0; n < LENGTH(names); n++)
				for (c = 0; c < LENGTH(counts); c++)
				{
					if (strcmp(TestPatternName(pattern), names[n]) != 0)
						continue;
					if (testTypes[t].width > 16 && counts[c] > 13)
						continue;
					if (quick && counts[c] > 13 && strcmp(names[n], "runs") != 0)
						continue;
					DamagePiece(encoding, &testTypes[t], pattern, counts[c]);
				}
	}
}

static void
test_plain(void **state)
{
	(void) state;
	Damage(RETL_ENCODING_PLAIN);
}

static void
test_constant(void **state)
{
	(void) state;
	Damage(RETL_ENCODING_CONSTANT);
}

static void
test_rle(void **state)
{
	(void) state;
	Damage(RETL_ENCODING_RLE);
}

static void
test_bitpack(void **state)
{
	(void) state;
	Damage(RETL_ENCODING_BITPACK);
}

static void
test_dict(void **state)
{
	(void) state;
	Damage(RETL_ENCODING_DICT);
}

static void
test_fsst(void **state)
{
	(void) state;
	Damage(RETL_ENCODING_FSST);
}

/* A dictionary of shortened entries: impossible lengths, and order. */
static void
test_dict_shortened(void **state)
{
	static const uint8_t good[] = {2, 0, 0, 0x80, 1, 0, 0, 0, 0, 2, 0, 0, 0, 0, 8,
	3, 0, 0, 0, 2, 2, 0, 0, 0, 2, 0xFF, 'a', 0xFF, 'b', 0xFF, 'c'};
	const RetlEncoding *dict = RetlEncodingById(RETL_ENCODING_DICT);
	TestArena	arena;
	const char *error = NULL;
	size_t		size;
	int			k;

	(void) state;
	TestArenaInit(&arena);
	arena.limitBytes = 1 << 26;
	assert_non_null(dict->open(good, sizeof(good), RETL_PHYS_BYTES, 0, &arena.arena, &error));
	assert_null(dict->open(good, sizeof(good), RETL_PHYS_INT, 1, &arena.arena, &error));
	for (size = 0; size < sizeof(good); size++)
		assert_null(dict->open(TestCopy(good, size, &arena.arena), size, RETL_PHYS_BYTES, 0,
							   &arena.arena, &error));
	for (size = 0; size < sizeof(good); size++)
		for (k = 0; k < 256; k++)
		{
			uint8_t    *bad = TestCopy(good, sizeof(good), &arena.arena);

			bad[size] = (uint8_t) k;
			(void) dict->open(bad, sizeof(good), RETL_PHYS_BYTES, 0, &arena.arena, &error);

			/* three bytes in common with an entry of two */
			if (size == 14 && k == 12)
				assert_null(dict->open(bad, sizeof(good), RETL_PHYS_BYTES, 0, &arena.arena, &error));
		}
	TestArenaReset(&arena);
}

static void
test_delta(void **state)
{
	(void) state;
	Damage(RETL_ENCODING_DELTA);
}

static void
test_alp(void **state)
{
	(void) state;
	Damage(RETL_ENCODING_ALP);
}

static void
test_decimal(void **state)
{
	(void) state;
	Damage(RETL_ENCODING_DECIMAL);
}

static void
test_split(void **state)
{
	(void) state;
	Damage(RETL_ENCODING_SPLIT);
}

/* A dictionary of repeated or misplaced entries is refused; pieces need one. */
static void
test_dict_order(void **state)
{
	static const uint8_t twice[] = {2, 0, 0, 0, 5, 5};
	static const uint8_t falling[] = {2, 0, 0, 0, 1, 0xFF};
	static const uint8_t rising[] = {2, 0, 0, 0, 0xFF, 1};
	static const uint8_t tooMany[] = {0xFF, 0xFF, 0xFF, 0xFF, 1};
	static const uint8_t manyEmpty[] = {0, 0, 8, 0, 0, 0, 0, 0, 0};
	const RetlEncoding *dict = RetlEncodingById(RETL_ENCODING_DICT);
	RetlDecoded decoded = {0};
	TestArena	arena;
	const char *error = NULL;
	RetlFilter	filter = {RETL_PREDICATE, RETL_ORDER_NONE, 0, NULL, LastByteIsOdd, NULL};
	RetlFilterMemo memo = {NULL, &arena.arena};
	uint64_t	selected = 1;
	bool		answered;

	(void) state;
	TestArenaInit(&arena);
	arena.limitBytes = 4096;	/* "manyEmpty" must not be believed */
	assert_null(dict->open(twice, 6, RETL_PHYS_INT, 1, &arena.arena, &error));
	assert_null(dict->open(falling, 6, RETL_PHYS_INT, 1, &arena.arena, &error));
	assert_non_null(dict->open(rising, 6, RETL_PHYS_INT, 1, &arena.arena, &error));
	assert_null(dict->open(rising, 6, RETL_PHYS_FIXED, 1, &arena.arena, &error));
	assert_null(dict->open(tooMany, 5, RETL_PHYS_FIXED, 1, &arena.arena, &error));
	assert_null(dict->open(manyEmpty, 9, RETL_PHYS_BYTES, 0, &arena.arena, &error));
	assert_false(dict->decode(NULL, NULL, 0, RETL_PHYS_INT, 1, 0, &decoded, &arena.arena, &error));
	assert_false(dict->fetch(NULL, NULL, 0, RETL_PHYS_INT, 1, 0, 0, &decoded, &arena.arena, &error));
	assert_false(dict->filter(NULL, NULL, 0, RETL_PHYS_INT, 1, 0, &filter, &memo, &selected,
							  &answered, &arena.arena, &error));
	TestArenaReset(&arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_constant),
		cmocka_unit_test(test_rle),
		cmocka_unit_test(test_bitpack),
		cmocka_unit_test(test_dict),
		cmocka_unit_test(test_alp),
		cmocka_unit_test(test_decimal),
		cmocka_unit_test(test_split),
		cmocka_unit_test(test_dict_order),
		cmocka_unit_test(test_dict_shortened),
		cmocka_unit_test(test_fsst),
		cmocka_unit_test(test_delta),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
