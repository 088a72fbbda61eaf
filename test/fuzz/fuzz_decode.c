/*-------------------------------------------------------------------------
 *
 * fuzz_decode.c
 *	  Fuzz target: damaged pieces and dictionaries of all encodings.
 *
 * Input:
 *
 *	OFFSET	SIZE	DESCRIPTION
 *	0		1		encoding, modulo their number
 *	1		1		type, an index into testTypes, modulo their number
 *	2		2		count of values, modulo one more than the most a piece has
 *	4		2		d, bytes of the dictionary (as many as there are)
 *	6		1		operation of the filter, modulo their number, plus 16 for
 *					unsigned integers and for numerics
 *	7		1		c, bytes of its first constant (as many as there are)
 *	8		c		the constant; a second one is zero
 *	8 + c	d		the dictionary
 *	...		...		the payload of the piece
 *
 * Nothing of it may make a reader crash, read or write where it should not, or
 * take more memory than the count justifies.  What decode accepts, fetch must
 * answer with the same values.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>
#include <string.h>

#include "testlib.h"

#define HEADER			8
#define MEMORY_LIMIT	(32 << 20)

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What an input says. */
typedef struct Input
{
	const RetlEncoding *encoding;
	const TestType *type;
	uint32_t	count;
	RetlFilterOp op;
	bool		isUnsigned;
	const uint8_t *constant;
	size_t		constantSize;
	const uint8_t *dictionary;
	size_t		dictionarySize;
	const uint8_t *piece;
	size_t		pieceSize;
} Input;

/* Take the next bytes, as many as there are; a copy of exact size. */
static const uint8_t *
Take(const uint8_t **data, size_t *size, size_t *wanted, const RetlArena *arena)
{
	const uint8_t *taken;

	if (*wanted > *size)
		*wanted = *size;
	taken = TestCopy(*data, *wanted, arena);
	*data += *wanted;
	*size -= *wanted;
	return taken;
}

/* Understand an input; false if there is nothing to do. */
static bool
ReadInput(Input *input, const uint8_t *data, size_t size, const RetlArena *arena)
{
	if (size < HEADER)
		return false;
	input->encoding = RetlEncodingById(data[0] % RETL_ENCODING_COUNT);
	input->type = &testTypes[data[1] % testTypeCount];
	input->count = (data[2] | data[3] << 8) % (RETLDB_MAX_VECTOR_ROWS + 1);
	input->dictionarySize = data[4] | data[5] << 8;
	input->op = (RetlFilterOp) (data[6] % 16 % (RETL_PREDICATE + 1));
	input->isUnsigned = (data[6] & 16) != 0;
	input->constantSize = data[7];
	data += HEADER;
	size -= HEADER;
	input->constant = Take(&data, &size, &input->constantSize, arena);
	input->dictionary = Take(&data, &size, &input->dictionarySize, arena);
	input->pieceSize = size;
	input->piece = Take(&data, &size, &input->pieceSize, arena);
	return input->encoding != NULL && input->encoding->applies(input->type->type, input->type->width);
}

/* Fetch some values, and compare them with those decoded, if they could be. */
static void
CheckFetch(const Input *in, const RetlEncodingState *state, const RetlDecoded *decoded,
		   const RetlArena *arena)
{
	RetlDecoded one;
	const char *error = NULL;
	uint32_t	i;

	TestDecodedInit(&one, in->type->type, in->type->width, 1, arena);
	for (i = 0; i <= in->count; i += 1 + in->count / 7)
	{
		size_t		length;
		size_t		expectedLength;
		const uint8_t *value;
		const uint8_t *expected;

		if (!in->encoding->fetch(state, in->piece, in->pieceSize, in->type->type,
								 in->type->width, in->count, i, &one, arena, &error))
		{
			if (error == NULL || (decoded != NULL && i < in->count))
				abort();
			continue;
		}
		if (i >= in->count)
			abort();
		value = TestDecodedAt(&one, in->type->type, in->type->width, 0, &length);
		if (decoded == NULL)
		{
			free(memcpy(malloc(length + 1), value, length));
			continue;
		}
		expected = TestDecodedAt(decoded, in->type->type, in->type->width, i, &expectedLength);
		if (length != expectedLength || memcmp(value, expected, length) != 0)
			abort();
	}
}

/*
 * Decode one value in "step" only, and compare these with all that were decoded,
 * if they could be.
 */
static void
CheckWanted(const Input *in, const RetlEncodingState *state, const RetlDecoded *decoded,
			uint32_t step, const RetlArena *arena)
{
	uint32_t	words = RetlSelectionWords(in->count);
	uint64_t   *wanted = RetlArenaAlloc(arena, words * sizeof(uint64_t));
	RetlDecoded some;
	const char *error = NULL;
	uint32_t	i;

	memset(wanted, 0, words * sizeof(uint64_t));
	for (i = in->count / 3; i < in->count; i += step)
		wanted[i / 64] |= UINT64_C(1) << (i % 64);
	TestDecodedInit(&some, in->type->type, in->type->width, in->count, arena);
	some.wanted = wanted;
	if (!in->encoding->decode(state, in->piece, in->pieceSize, in->type->type, in->type->width,
							  in->count, &some, arena, &error))
	{
		if (error == NULL || decoded != NULL)
			abort();
		return;
	}
	for (i = in->count / 3; i < in->count; i += step)
	{
		size_t		length;
		size_t		expectedLength;
		const uint8_t *value = TestDecodedAt(&some, in->type->type, in->type->width, i, &length);
		const uint8_t *expected;

		if (decoded == NULL)
		{
			free(memcpy(malloc(length + 1), value, length));
			continue;
		}
		expected = TestDecodedAt(decoded, in->type->type, in->type->width, i, &expectedLength);
		if (length != expectedLength || memcmp(value, expected, length) != 0)
			abort();
	}
}

/* RetlFilter.predicate: looks at both ends of the value. */
static bool
EndsAreEqual(void *context, const uint8_t *value, size_t length)
{
	(void) context;
	return length > 0 && value[0] == value[length - 1];
}

/*
 * Filter with a state, and see what it excludes.  Returns the selection that is
 * left, or NULL if the filter failed or did not answer.
 */
static uint64_t *
RunFilter(const Input *in, const RetlEncodingState *state, const RetlFilter *filter,
		  bool *excludes, const RetlArena *arena)
{
	uint32_t	words = RetlSelectionWords(in->count);
	uint64_t   *selected = RetlArenaAlloc(arena, words * sizeof(uint64_t));
	RetlFilterMemo memo = {NULL, arena};
	const char *error = NULL;
	bool		answered = false;
	bool		good;

	*excludes = state != NULL && in->encoding->excludes != NULL &&
		in->encoding->excludes(state, in->type->type, in->type->width, filter, &memo);
	memset(selected, 0xFF, words * sizeof(uint64_t));
	if (in->count % 64 != 0)
		selected[words - 1] = (UINT64_C(1) << (in->count % 64)) - 1;
	good = in->encoding->filter(state, in->piece, in->pieceSize, in->type->type,
								in->type->width, in->count, filter, &memo, selected,
								&answered, arena, &error);
	if (!good && error == NULL)
		abort();
	if (in->count % 64 != 0 && selected[words - 1] >> (in->count % 64) != 0)
		abort();
	return good && answered ? selected : NULL;
}

/*
 * Filter, with a selection of exact size, with the state and with one that was
 * only peeked at: what an opened one answers, the other may leave, but not answer
 * in another way.
 */
static void
CheckFilter(const Input *in, const RetlEncodingState *state, const RetlEncodingState *peeked,
			const RetlArena *arena)
{
	static const RetlOrder orders[] = {
		[RETL_PHYS_INT] = RETL_ORDER_SIGNED,[RETL_PHYS_FLOAT] = RETL_ORDER_FLOAT,
		[RETL_PHYS_FIXED] = RETL_ORDER_BYTES,[RETL_PHYS_BYTES] = RETL_ORDER_BYTES
	};
	static const uint8_t zero[64];
	RetlFilterConstant constants[2] = {{in->constant, (uint32_t) in->constantSize},
	{zero, in->type->width <= sizeof(zero) ? in->type->width : 0}};
	RetlFilter	filter = {in->op, orders[in->type->type], 1, constants, EndsAreEqual, NULL};
	uint64_t   *opened;
	uint64_t   *unopened;
	bool		excludes[2];

	if (in->encoding->filter == NULL)
		return;
	if (in->isUnsigned && in->type->type == RETL_PHYS_INT)
		filter.order = RETL_ORDER_UNSIGNED;
	if (in->isUnsigned && in->type->type == RETL_PHYS_BYTES)
		filter.order = RETL_ORDER_NUMERIC;
	if (in->op == RETL_BETWEEN || in->op == RETL_IN)
		filter.constantCount = 2;
	opened = RunFilter(in, state, &filter, &excludes[0], arena);
	if (peeked == NULL)
		return;
	unopened = RunFilter(in, peeked, &filter, &excludes[1], arena);
	if (state == NULL)
		return;
	if (excludes[0] != excludes[1] ||
		(opened != NULL && unopened != NULL &&
		 memcmp(opened, unopened, RetlSelectionWords(in->count) * sizeof(uint64_t)) != 0))
		abort();
}

/* libFuzzer's entry. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	TestArena	arena;
	Input		in;
	RetlEncodingState *state = NULL;
	RetlEncodingState *peeked = NULL;
	RetlDecoded decoded;
	const char *error = NULL;
	bool		good;
	uint32_t	i;

	TestArenaInit(&arena);
	arena.limitBytes = MEMORY_LIMIT;
	if (!ReadInput(&in, data, size, &arena.arena))
		goto done;
	if (in.encoding->peek != NULL)
		peeked = in.encoding->peek(in.dictionary, in.dictionarySize, in.type->type,
								   in.type->width, &arena.arena);
	if (in.encoding->open != NULL)
	{
		state = in.encoding->open(in.dictionary, in.dictionarySize, in.type->type,
								  in.type->width, &arena.arena, &error);
		if (state == NULL)
		{
			if (error == NULL)
				abort();
			CheckFilter(&in, NULL, peeked, &arena.arena);
			if (peeked != NULL)
				CheckFetch(&in, peeked, NULL, &arena.arena);
			goto done;
		}
		if (in.encoding->peek != NULL && peeked == NULL)
			abort();
	}
	TestDecodedInit(&decoded, in.type->type, in.type->width, in.count, &arena.arena);
	good = in.encoding->decode(state, in.piece, in.pieceSize, in.type->type, in.type->width,
							   in.count, &decoded, &arena.arena, &error);
	if (!good && error == NULL)
		abort();
	for (i = 0; good && i < in.count; i++)
	{
		size_t		length;
		const uint8_t *value = TestDecodedAt(&decoded, in.type->type, in.type->width, i, &length);
		volatile uint8_t last = length > 0 ? value[0] ^ value[length - 1] : 0;

		(void) last;
	}
	CheckFetch(&in, state, good ? &decoded : NULL, &arena.arena);
	CheckWanted(&in, state, good ? &decoded : NULL, 2, &arena.arena);
	CheckWanted(&in, state, good ? &decoded : NULL, 50, &arena.arena);
	if (peeked != NULL)
		CheckFetch(&in, peeked, good ? &decoded : NULL, &arena.arena);
	CheckFilter(&in, state, peeked, &arena.arena);
done:
	TestArenaReset(&arena);
	return 0;
}
