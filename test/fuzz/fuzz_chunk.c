/*-------------------------------------------------------------------------
 *
 * fuzz_chunk.c
 *	  Fuzz target: damaged chunks, from the header down to the values.
 *
 * Input:
 *
 *	OFFSET	SIZE	DESCRIPTION
 *	0		1		type, an index into testTypes, modulo their number
 *	1		1		encoding of the chunk, modulo their number
 *	2		1		vector rows: 64 << (this modulo 7)
 *	3		1		bit 0: make the header's checksum right
 *	4		4		rows of the group, modulo RETLDB_MAX_GROUP_ROWS, and 1
 *	8		2		length of the chunk header
 *	10		2		length of the group's overflow area, in 100 bytes
 *	12		...		the chunk; its group has id 1 and its column id 1
 *
 * Units are taken as stored, whatever raw length they claim.  Nothing of it may
 * make a reader crash, read or write where it should not, or take more memory
 * than the number of rows justifies.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>
#include <string.h>

#include "testlib.h"

#include "format/checksum.h"
#include "rowgroup/chunk_format.h"

#define HEADER			12
#define MEMORY_LIMIT	(64 << 20)

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A chunk being read. */
typedef struct Input
{
	const TestType *type;
	const RetlEncoding *encoding;
	uint64_t	overflowLength;
	RetlChunkExpect expect;
	RetlChunkView view;
	const uint8_t *chunk;
	RetlEncodingState *state;
} Input;

/* Die unless the parser kept its promise. */
static void
Require(bool condition)
{
	if (!condition)
		abort();
}

/* A copy of exact size, aligned as malloc does. */
static uint8_t *
Copy(const uint8_t *data, size_t size, const RetlArena *arena)
{
	uint8_t    *copy = RetlArenaAlloc(arena, size);

	if (size > 0)
		memcpy(copy, data, size);
	return copy;
}

/* Decode a piece as the reader does. */
static void
DecodePiece(const Input *input, const RetlPieceView *piece, const RetlArena *arena)
{
	const RetlEncoding *encoding = RetlEncodingById((int) piece->encoding);
	RetlDecoded decoded;
	const char *error = NULL;

	if (encoding == NULL || !encoding->applies(input->type->type, input->type->width) ||
		piece->valueCount == 0)
		return;
	if (encoding->open != NULL && (encoding != input->encoding || input->state == NULL))
		return;
	memset(&decoded, 0, sizeof(decoded));
	decoded.fixed = RetlArenaAlloc(arena, (size_t) piece->valueCount * input->type->width);
	decoded.starts = RetlArenaAlloc(arena, piece->valueCount * sizeof(uint32_t));
	decoded.lengths = RetlArenaAlloc(arena, piece->valueCount * sizeof(uint32_t));
	if (!encoding->decode(encoding->open != NULL ? input->state : NULL,
						  piece->payload, piece->payloadLength,
						  input->type->type, input->type->width, piece->valueCount,
						  &decoded, arena, &error))
		Require(error != NULL);
}

/* Read all pieces of a unit. */
static void
ReadUnit(const Input *input, uint32_t unitIndex)
{
	const RetlUnit *unit = &input->view.units[input->view.dictionaryUnits + unitIndex];
	uint32_t	pieceCount = RetlUnitPieceCount(&input->view, unitIndex);
	size_t		left = unit->storedLength;
	TestArena	arena;
	const uint8_t *bytes;

	TestArenaInit(&arena);
	arena.limitBytes = MEMORY_LIMIT;
	bytes = Copy(input->chunk + unit->offset, left, &arena.arena);
	for (uint32_t i = 0; i < pieceCount; i++)
	{
		uint32_t	rows = RetlPieceRowCount(&input->view,
											 unitIndex * input->view.piecesPerUnit + i);
		RetlPieceView piece;
		uint32_t	nulls = 0;

		if (RetlPieceParse(bytes, left, rows, input->overflowLength, &piece) != NULL)
			break;
		Require(rows > 0 && rows <= input->view.vectorRows && piece.length <= left);
		for (uint32_t row = 0; row < rows; row++)
			nulls += RetlPieceIsNull(&piece, row);
		Require(nulls == rows - piece.valueCount);
		for (uint32_t j = 0; j < piece.overflowCount; j++)
		{
			RetlOverflowRef ref = RetlPieceOverflow(&piece, j);

			Require(ref.valueIndex < piece.valueCount &&
					ref.offset + ref.storedLength <= input->overflowLength);
		}
		DecodePiece(input, &piece, &arena.arena);
		bytes += piece.length;
		left -= piece.length;
	}
	TestArenaReset(&arena);
}

/* Open the dictionary, as far as there is one. */
static void
OpenDictionary(Input *input, const RetlArena *arena)
{
	const RetlUnit *unit = &input->view.units[0];
	const char *error = NULL;

	if (input->view.dictionaryUnits == 0 || input->encoding->open == NULL ||
		!input->encoding->applies(input->type->type, input->type->width))
		return;
	input->state = input->encoding->open(Copy(input->chunk + unit->offset, unit->storedLength,
											  arena),
										 unit->storedLength, input->type->type,
										 input->type->width, arena, &error);
	Require(input->state != NULL || error != NULL);
}

/* Understand an input; false if there is nothing to do. */
static bool
ReadInput(Input *input, const uint8_t *data, size_t size, const RetlArena *arena)
{
	uint8_t    *chunk;
	uint32_t	rowCount;
	uint32_t	checksum;

	if (size < HEADER)
		return false;
	memset(input, 0, sizeof(*input));
	input->type = &testTypes[data[0] % testTypeCount];
	input->encoding = RetlEncodingById(data[1] % RETL_ENCODING_COUNT);
	memcpy(&rowCount, data + 4, sizeof(rowCount));
	if (input->encoding == NULL)
		return false;
	input->expect.groupId = 1;
	input->expect.columnId = 1;
	input->expect.rowCount = rowCount % RETLDB_MAX_GROUP_ROWS + 1;
	input->expect.vectorRows = 64U << (data[2] % 7);
	input->expect.chunkHeaderLength = (uint32_t) (data[8] | data[9] << 8);
	input->expect.chunkLength = size - HEADER;
	if (input->type->type == RETL_PHYS_BYTES)
		input->overflowLength = (uint64_t) (data[10] | data[11] << 8) * 100;

	chunk = Copy(data + HEADER, size - HEADER, arena);
	input->chunk = chunk;
	if ((data[3] & 1) != 0 && input->expect.chunkHeaderLength >= sizeof(RetlChunkHeader) &&
		input->expect.chunkHeaderLength <= input->expect.chunkLength)
	{
		checksum = RetlCrc32cWithout(0, chunk, input->expect.chunkHeaderLength,
									 offsetof(RetlChunkHeader, checksum));
		memcpy(chunk + offsetof(RetlChunkHeader, checksum), &checksum, sizeof(checksum));
	}
	return true;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	TestArena	arena;
	Input		input;

	TestArenaInit(&arena);
	arena.limitBytes = MEMORY_LIMIT;
	if (ReadInput(&input, data, size, &arena.arena) &&
		RetlChunkParse(input.chunk, &input.expect, &input.view) == NULL)
	{
		OpenDictionary(&input, &arena.arena);
		for (uint32_t i = 0; i < input.view.unitCount; i++)
			ReadUnit(&input, i);
	}
	TestArenaReset(&arena);
	return 0;
}
