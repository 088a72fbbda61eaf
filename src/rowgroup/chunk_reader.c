/*-------------------------------------------------------------------------
 *
 * chunk_reader.c
 *	  Reads the pieces of one chunk.
 *
 * A unit is kept, decompressed, until another one is needed: scans read the
 * pieces of a unit one after the other.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "compress/compress.h"
#include "format/checksum.h"
#include "rowgroup/chunk_reader.h"

/* Arena callback: memory of a memory context. */
static void *
AllocateIn(void *context, size_t size)
{
	return MemoryContextAllocHuge((MemoryContext) context, Max(size, 1));
}

/* See chunk_reader.h. */
RetlArena
RetlMemoryContextArena(MemoryContext context)
{
	RetlArena	arena;

	arena.allocate = AllocateIn;
	arena.context = context;
	return arena;
}

/* See chunk_reader.h. */
const char *
RetlChunkOpen(RetlChunkReader *chunk, RetlBytesReader *bytes,
			  const RetlFooterHeader *footer, const RetlFooterColumn *column,
			  const char *columnName, RetlReadStats *stats, MemoryContext context)
{
	RetlChunkExpect expect;
	const char *problem;

	memset(chunk, 0, sizeof(*chunk));
	chunk->bytes = bytes;
	chunk->column = *column;
	chunk->stats = stats;
	chunk->context = context;
	chunk->unitIndex = UINT32_MAX;
	chunk->overflow.bytes = bytes;
	chunk->overflow.offset = footer->overflowOffset;
	chunk->overflow.columnName = columnName;
	chunk->overflow.bytesRead = &stats->bytesRead;
	chunk->overflowLength = column->physType == RETL_PHYS_BYTES ? footer->overflowLength : 0;
	chunk->encoding = RetlEncodingById(column->encoding);
	Assert(chunk->encoding != NULL);

	expect.groupId = footer->groupId;
	expect.columnId = column->columnId;
	expect.rowCount = footer->rowCount;
	expect.vectorRows = footer->vectorRows;
	expect.chunkLength = column->chunkLength;
	expect.chunkHeaderLength = column->chunkHeaderLength;

	chunk->header = MemoryContextAlloc(context, Max(column->chunkHeaderLength, 1));
	RetlBytesReaderRead(bytes, column->chunkOffset, column->chunkHeaderLength, chunk->header);
	problem = RetlChunkParse(chunk->header, &expect, &chunk->view);
	if (problem != NULL)
		return problem;
	chunk->pieceStarts = MemoryContextAlloc(context, chunk->view.piecesPerUnit * sizeof(uint32));
	stats->chunksOpened++;
	stats->bytesRead += column->chunkHeaderLength;
	return NULL;
}

/* Make a buffer large enough; its content is lost. */
static void
EnsureBuffer(RetlChunkReader *chunk, uint8 **buffer, uint32 *capacity, uint32 size)
{
	if (size <= *capacity)
		return;
	if (*buffer != NULL)
		pfree(*buffer);
	*buffer = NULL;
	*capacity = 0;
	*buffer = MemoryContextAlloc(chunk->context, size);
	*capacity = size;
}

/* Read, check and decompress a unit into dst, which has room for it. */
static const char *
ReadUnit(RetlChunkReader *chunk, const RetlUnit *unit, uint8 *dst)
{
	uint8	   *stored = dst;

	CHECK_FOR_INTERRUPTS();
	if (unit->storedLength < unit->rawLength)
	{
		EnsureBuffer(chunk, &chunk->stored, &chunk->storedCapacity, unit->storedLength);
		stored = chunk->stored;
	}
	RetlBytesReaderRead(chunk->bytes, chunk->column.chunkOffset + unit->offset,
						unit->storedLength, stored);
	if (RetlCrc32c(0, stored, unit->storedLength) != unit->checksum)
		return "unit has a wrong checksum";
	if (stored != dst &&
		!RetlDecompress(chunk->column.compression, dst, unit->rawLength,
						stored, unit->storedLength))
		return "unit cannot be decompressed";
	chunk->stats->unitsRead++;
	chunk->stats->bytesRead += unit->storedLength;
	return NULL;
}

/* See chunk_reader.h. */
const char *
RetlChunkOpenDictionary(RetlChunkReader *chunk)
{
	const RetlUnit *unit = &chunk->view.units[0];
	RetlArena	arena = RetlMemoryContextArena(chunk->context);
	const char *problem = NULL;
	uint8	   *bytes;

	if (chunk->view.dictionaryUnits > 0 && !chunk->dictionaryOpen)
	{
		if (chunk->encoding->open == NULL)
			return "chunk has an unexpected dictionary";

		/* The state may refer to these bytes. */
		bytes = MemoryContextAlloc(chunk->context, unit->rawLength);
		problem = ReadUnit(chunk, unit, bytes);
		if (problem != NULL)
			return problem;
		chunk->state = chunk->encoding->open(bytes, unit->rawLength, chunk->column.physType,
											 chunk->column.width, &arena, &problem);
		if (chunk->state == NULL)
			return problem != NULL ? problem : "dictionary is damaged";
	}
	chunk->dictionaryOpen = true;
	return NULL;
}

/* Find where the pieces of the unit just read begin. */
static const char *
FindPieces(RetlChunkReader *chunk, uint32 unitIndex)
{
	uint32		firstPiece = unitIndex * chunk->view.piecesPerUnit;
	uint32		pieceCount = RetlUnitPieceCount(&chunk->view, unitIndex);
	uint32		position = 0;

	for (uint32 i = 0; i < pieceCount; i++)
	{
		RetlPieceView piece;
		const char *problem;

		problem = RetlPieceParse(chunk->unit + position, chunk->unitLength - position,
								 RetlPieceRowCount(&chunk->view, firstPiece + i),
								 chunk->overflowLength, &piece);
		if (problem != NULL)
			return problem;
		chunk->pieceStarts[i] = position;
		position += (uint32) piece.length;
	}
	if (position != chunk->unitLength)
		return "unit has bytes after its last piece";
	return NULL;
}

/* Make this the current unit. */
static const char *
LoadUnit(RetlChunkReader *chunk, uint32 unitIndex)
{
	const RetlUnit *unit = &chunk->view.units[chunk->view.dictionaryUnits + unitIndex];
	const char *problem;

	if (chunk->unitIndex == unitIndex)
		return NULL;
	chunk->unitIndex = UINT32_MAX;
	EnsureBuffer(chunk, &chunk->unit, &chunk->unitCapacity, unit->rawLength);
	problem = ReadUnit(chunk, unit, chunk->unit);
	if (problem != NULL)
		return problem;
	chunk->unitLength = unit->rawLength;
	problem = FindPieces(chunk, unitIndex);
	if (problem == NULL)
		chunk->unitIndex = unitIndex;
	return problem;
}

/* See chunk_reader.h. */
const char *
RetlChunkGetPiece(RetlChunkReader *chunk, uint32 pieceIndex, RetlPieceView *piece)
{
	const char *problem;
	uint32		start;

	Assert(pieceIndex < chunk->view.pieceCount);

	problem = LoadUnit(chunk, pieceIndex / chunk->view.piecesPerUnit);
	if (problem != NULL)
		return problem;
	start = chunk->pieceStarts[pieceIndex % chunk->view.piecesPerUnit];
	return RetlPieceParse(chunk->unit + start, chunk->unitLength - start,
						  RetlPieceRowCount(&chunk->view, pieceIndex),
						  chunk->overflowLength, piece);
}

/*
 * The encoding of a piece that has values, checked, with its dictionary if it
 * needs one.
 */
static const char *
FindEncoding(RetlChunkReader *chunk, const RetlPieceView *piece,
			 const RetlEncoding **found, const RetlEncodingState **state)
{
	const RetlEncoding *encoding = RetlEncodingById((int) piece->encoding);
	const char *problem;

	*found = encoding;
	*state = NULL;
	if (encoding == NULL)
		return "piece has an unsupported encoding";
	if (!encoding->applies(chunk->column.physType, chunk->column.width))
		return "piece has an encoding that is not for its type";
	if (piece->valueCount == 0)
		return NULL;
	if (encoding == chunk->encoding)
	{
		problem = RetlChunkOpenDictionary(chunk);
		if (problem != NULL)
			return problem;
	}
	if (encoding->open != NULL)
	{
		if (encoding != chunk->encoding || chunk->state == NULL)
			return "piece needs a dictionary that the chunk has not";
		*state = chunk->state;
	}
	return NULL;
}

/* See chunk_reader.h. */
const char *
RetlChunkDecodePiece(RetlChunkReader *chunk, const RetlPieceView *piece,
					 RetlDecoded *decoded, const RetlArena *arena)
{
	const RetlEncoding *encoding;
	const RetlEncodingState *state;
	const char *problem = FindEncoding(chunk, piece, &encoding, &state);

	if (problem != NULL || piece->valueCount == 0)
		return problem;
	if (!encoding->decode(state, piece->payload, piece->payloadLength,
						  chunk->column.physType, chunk->column.width, piece->valueCount,
						  decoded, arena, &problem))
		return problem != NULL ? problem : "piece cannot be decoded";
	return NULL;
}

/* See chunk_reader.h. */
const char *
RetlChunkFetchValue(RetlChunkReader *chunk, const RetlPieceView *piece, uint32 valueIndex,
					RetlDecoded *decoded, const RetlArena *arena)
{
	const RetlEncoding *encoding;
	const RetlEncodingState *state;
	const char *problem = FindEncoding(chunk, piece, &encoding, &state);

	Assert(valueIndex < piece->valueCount);

	if (problem != NULL)
		return problem;
	if (!encoding->fetch(state, piece->payload, piece->payloadLength,
						 chunk->column.physType, chunk->column.width, piece->valueCount,
						 valueIndex, decoded, arena, &problem))
		return problem != NULL ? problem : "value of a piece cannot be decoded";
	chunk->stats->valuesFetched++;
	return NULL;
}

/* See chunk_reader.h. */
const char *
RetlChunkFilterPiece(RetlChunkReader *chunk, const RetlPieceView *piece,
					 const RetlFilter *filter, RetlFilterMemo *memo,
					 uint64 *selected, bool *answered, const RetlArena *arena)
{
	RetlFilterMemo none = {NULL, arena};
	const RetlEncoding *encoding;
	const RetlEncodingState *state;
	const char *problem = FindEncoding(chunk, piece, &encoding, &state);

	*answered = false;
	if (problem != NULL || encoding->filter == NULL)
		return problem;

	/* what is kept from piece to piece belongs to the chunk's encoding */
	*answered = true;
	if (!encoding->filter(state, piece->payload, piece->payloadLength,
						  chunk->column.physType, chunk->column.width, piece->valueCount,
						  filter, encoding == chunk->encoding ? memo : &none,
						  selected, answered, arena, &problem))
		return problem != NULL ? problem : "piece cannot be filtered";
	return NULL;
}
