/*-------------------------------------------------------------------------
 *
 * fuzz_roundtrip.c
 *	  Fuzz target: any values, through every encoding and back.
 *
 * Input:
 *
 *	OFFSET	SIZE	DESCRIPTION
 *	0		1		type, an index into testTypes, modulo their number
 *	1		2		rows of a piece, modulo the most it has, plus 1
 *	3		1		how the rest becomes values: bit 0: each value is repeated as
 *					often as the low two bits of its first byte say; bit 1: only
 *					the low three bits of each byte are used; bit 2: byte strings
 *					are said to be numeric
 *	4		...		fixed-width types: values one after the other; byte strings:
 *					each a length of one byte and so many bytes
 *
 * Every encoding that applies, and the one that would be chosen, must return
 * exactly these values, and filter as brute force does.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>
#include <string.h>

#include "testlib.h"

#define HEADER			4
#define MAX_VALUES		6000

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Make values of the input's bytes. */
static void
ReadValues(RetlValues *values, const TestType *type, uint8_t mode, const uint8_t *data,
		   size_t size, const RetlArena *arena)
{
	uint32_t   *offsets = RetlArenaAlloc(arena, sizeof(uint32_t) * (MAX_VALUES + 1));
	RetlBytes	bytes;
	uint32_t	count = 0;

	RetlBytesInit(&bytes, arena, size);
	offsets[0] = 0;
	while (size > 0 && count + 4 <= MAX_VALUES)
	{
		uint8_t		value[512];
		size_t		length = type->width;
		size_t		k;
		int			times;

		if (type->type == RETL_PHYS_BYTES)
		{
			length = *data++;
			size--;
			if (length > size)
				length = size;
		}
		else if (length > size)
			break;
		for (k = 0; k < length; k++)
			value[k] = (mode & 2) ? data[k] & 7 : data[k];
		times = (mode & 1) && length > 0 ? 1 + (data[0] & 3) : 1;
		data += length;
		size -= length;
		for (; times > 0; times--)
		{
			RetlBytesAppend(&bytes, value, length);
			offsets[++count] = (uint32_t) bytes.length;
		}
	}
	memset(values, 0, sizeof(*values));
	values->type = type->type;
	values->width = type->width;
	values->count = count;
	values->isNumeric = type->type == RETL_PHYS_BYTES && (mode & 4) != 0;
	if (type->type == RETL_PHYS_BYTES)
	{
		values->offsets = offsets;
		values->bytes = TestCopy(bytes.data, bytes.length, arena);
	}
	else
		values->fixed = TestCopy(bytes.data, bytes.length, arena);
}

/* Compare the answers of filters, and values that are wanted, with brute force. */
static void
CheckFilter(const TestFilterSubject *subject)
{
	const RetlValues *piece = subject->piece;
	size_t		aLength;
	size_t		bLength;
	const uint8_t *a;
	const uint8_t *b;

	if (piece->count == 0)
		return;
	a = TestValueAt(piece, piece->count / 2, &aLength);
	b = TestValueAt(piece, piece->count / 3, &bLength);
	if (TestFilters(subject, a, aLength, b, bLength) != NULL || TestWanted(subject) != NULL)
		abort();
}

/* Decode a piece and compare it with what it was made of. */
static void
CheckPiece(const RetlEncoding *encoding, const RetlEncodingState *state, const RetlValues *piece,
		   const uint8_t *src, size_t srcSize, const RetlArena *arena)
{
	RetlDecoded decoded;
	const char *error = NULL;
	uint32_t	i;

	TestDecodedInit(&decoded, piece->type, piece->width, piece->count, arena);
	if (!encoding->decode(state, src, srcSize, piece->type, piece->width, piece->count,
						  &decoded, arena, &error))
		abort();
	for (i = 0; i < piece->count; i++)
	{
		size_t		length;
		size_t		expectedLength;
		const uint8_t *value = TestDecodedAt(&decoded, piece->type, piece->width, i, &length);
		const uint8_t *expected = TestValueAt(piece, i, &expectedLength);

		if (length != expectedLength || memcmp(value, expected, length) != 0)
			abort();
	}
}

/* One encoding, all pieces. */
static void
CheckEncoding(const RetlEncoding *encoding, const RetlValues *values, uint32_t pieceRows,
			  const RetlArena *arena)
{
	RetlEncodingState *writeState = NULL;
	TestFilterSubject subject = {.encoding = encoding,.arena = arena,.chunk = values};
	RetlEncodingState *readState = NULL;
	const char *error = NULL;
	RetlBytes	out;
	uint32_t	first;

	RetlBytesInit(&out, arena, 0);
	if (encoding->prepare != NULL)
	{
		writeState = encoding->prepare(values, arena, &out);
		subject.dictionary = TestCopy(out.data, out.length, arena);
		subject.dictionarySize = out.length;
		readState = encoding->open(subject.dictionary, subject.dictionarySize,
								   values->type, values->width, arena, &error);
		if (readState == NULL)
			abort();
		subject.state = readState;
	}
	for (first = 0; first < values->count; first += pieceRows)
	{
		uint32_t	rest = values->count - first;
		RetlValues	piece = RetlValuesSlice(values, first, rest < pieceRows ? rest : pieceRows);
		const uint8_t *src;

		RetlBytesReset(&out);
		encoding->encode(writeState, &piece, first, &out);
		src = TestCopy(out.data, out.length, arena);
		CheckPiece(encoding, readState, &piece, src, out.length, arena);
		subject.piece = &piece;
		subject.src = src;
		subject.srcSize = out.length;
		if (first == 0)
			CheckFilter(&subject);
	}
}

/* libFuzzer's entry. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	TestArena	arena;
	RetlValues	values;
	uint32_t	pieceRows;
	int			id;

	if (size < HEADER)
		return 0;
	TestArenaInit(&arena);
	pieceRows = (data[1] | data[2] << 8) % RETLDB_MAX_VECTOR_ROWS + 1;
	ReadValues(&values, &testTypes[data[0] % testTypeCount], data[3], data + HEADER,
			   size - HEADER, &arena.arena);
	(void) RetlEncodingChoose(&values, pieceRows, -1, &arena.arena);
	for (id = 0; id < RETL_ENCODING_COUNT; id++)
	{
		const RetlEncoding *encoding = RetlEncodingById(id);

		if (encoding != NULL &&
			RetlEncodingChoose(&values, pieceRows, id, &arena.arena) == encoding)
			CheckEncoding(encoding, &values, pieceRows, &arena.arena);
	}
	TestArenaReset(&arena);
	return 0;
}
