/*-------------------------------------------------------------------------
 *
 * vector_builder.c
 *	  Turns the pieces of a chunk into vectors.
 *
 * Values of fixed width are decoded into their place and, where there are
 * nulls, spread out from the back.  Values of variable length get their header
 * and a place in one allocation for each piece.  Large values are either left
 * to be read when somebody needs them (see overflow.c) or read at once.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/tupmacs.h"
#include "catalog/pg_type.h"
#include "utils/memutils.h"

#include "rowgroup/vector_builder.h"

/* Alignment in bytes that a pg_type.typalign stands for. */
static Size
AlignmentOf(char align)
{
	switch (align)
	{
		case TYPALIGN_CHAR:
			return 1;
		case TYPALIGN_SHORT:
			return ALIGNOF_SHORT;
		case TYPALIGN_INT:
			return ALIGNOF_INT;
		default:
			return ALIGNOF_DOUBLE;
	}
}

/* See vector_builder.h. */
void
RetlVectorBuilderInit(RetlVectorBuilder *builder, const RetlColumnType *type,
					  uint32 vectorRows, MemoryContext context)
{
	MemoryContext oldContext = MemoryContextSwitchTo(context);

	memset(builder, 0, sizeof(*builder));
	builder->type = *type;
	builder->dataContext = AllocSetContextCreate(context, "retldb vector",
												 ALLOCSET_DEFAULT_SIZES);
	builder->vector.typeLength = type->typeLength;
	builder->vector.byValue = type->byValue;
	builder->nulls = palloc(vectorRows * sizeof(bool));
	if (type->typeLength < 0)
	{
		builder->starts = palloc(vectorRows * sizeof(uint32));
		builder->lengths = palloc(vectorRows * sizeof(uint32));
		builder->pointers = palloc(vectorRows * sizeof(char *));
	}
	else
	{
		builder->stride = (uint32) TYPEALIGN(AlignmentOf(type->align), type->width);
		builder->fixed = palloc((Size) vectorRows * type->width);
		if (!type->byValue && builder->stride != type->width)
		{
			builder->strided = palloc0((Size) vectorRows * builder->stride);
			builder->pointers = palloc(vectorRows * sizeof(char *));
		}
	}
	MemoryContextSwitchTo(oldContext);
}

/* Start a vector of these rows. */
static RetlVector *
BeginVector(RetlVectorBuilder *builder, uint32 firstRow, uint32 rowCount)
{
	RetlVector *vector = &builder->vector;

	MemoryContextReset(builder->dataContext);
	vector->firstRow = firstRow;
	vector->rowCount = rowCount;
	vector->nulls = NULL;
	vector->fixed = builder->strided == NULL ? builder->fixed : NULL;
	vector->pointers = builder->pointers;
	return vector;
}

/* Note which rows of a piece, which begins at "row" of the vector, are null. */
static void
SetNulls(RetlVectorBuilder *builder, const RetlPieceView *piece, uint32 row)
{
	RetlVector *vector = &builder->vector;

	if (piece->nulls == NULL)
	{
		if (vector->nulls != NULL)
			memset(vector->nulls + row, 0, piece->rowCount * sizeof(bool));
		return;
	}
	if (vector->nulls == NULL)
	{
		vector->nulls = builder->nulls;
		memset(vector->nulls, 0, row * sizeof(bool));
	}
	for (uint32 i = 0; i < piece->rowCount; i++)
		vector->nulls[row + i] = RetlPieceIsNull(piece, i);
}

/* Move "width" bytes; the sizes that matter without a call. */
static inline void
MoveValue(char *dst, const char *src, uint32 width)
{
	if (width == 8)
		memcpy(dst, src, 8);
	else if (width == 4)
		memcpy(dst, src, 4);
	else
		memmove(dst, src, width);
}

/* Spread the piece's values, which stand densely at its start, over its rows. */
static void
SpreadFixed(const RetlPieceView *piece, char *start, uint32 width)
{
	uint32		value = piece->valueCount;

	for (uint32 row = piece->rowCount; row-- > 0;)
	{
		if (RetlPieceIsNull(piece, row))
			memset(start + (Size) row * width, 0, width);
		else
		{
			value--;
			if (value == row)
				break;			/* there is no null before this one */
			MoveValue(start + (Size) row * width, start + (Size) value * width, width);
		}
	}
}

/* Copy by-reference values of a piece to aligned places. */
static void
AlignFixed(RetlVectorBuilder *builder, uint32 row, uint32 count)
{
	for (uint32 i = row; i < row + count; i++)
	{
		builder->pointers[i] = builder->strided + (Size) i * builder->stride;
		memcpy(builder->pointers[i], builder->fixed + (Size) i * builder->type.width,
			   builder->type.width);
	}
}

/* Decode a piece of a fixed-width type to where its rows belong. */
static const char *
BuildFixed(RetlVectorBuilder *builder, RetlChunkReader *chunk, const RetlPieceView *piece,
		   uint32 row, const RetlArena *arena)
{
	char	   *start = builder->fixed + (Size) row * builder->type.width;
	RetlDecoded decoded;
	const char *problem;

	memset(&decoded, 0, sizeof(decoded));
	decoded.fixed = (uint8 *) start;
	problem = RetlChunkDecodePiece(chunk, piece, &decoded, arena);
	if (problem != NULL)
		return problem;
	if (piece->nulls != NULL)
		SpreadFixed(piece, start, builder->type.width);
	if (builder->strided != NULL)
		AlignFixed(builder, row, piece->rowCount);
	return NULL;
}

/* Bytes a value takes in a vector. */
static inline Size
PlaceSize(const RetlVectorBuilder *builder, Size alignment, uint32 length)
{
	if (builder->type.typeLength == -1)
		return TYPEALIGN(alignment, VARHDRSZ + (Size) length);
	return TYPEALIGN(alignment, (Size) length + 1);
}

/* Complete a value of "length" bytes at "place", header or terminator. */
static inline char *
PlaceValue(const RetlVectorBuilder *builder, char *place, const uint8 *data, uint32 length)
{
	if (builder->type.typeLength == -1)
	{
		SET_VARSIZE(place, VARHDRSZ + length);
		memcpy(VARDATA(place), data, length);
	}
	else
	{
		memcpy(place, data, length);
		place[length] = '\0';
	}
	return place;
}

/*
 * Make values of what was decoded; values[] gets the piece's non-null ones.
 * Long ones would be overflow values, so there is a limit to what is allocated.
 */
static const char *
PlaceValues(RetlVectorBuilder *builder, uint32 count, const RetlDecoded *decoded,
			char **values)
{
	Size		alignment = AlignmentOf(builder->type.align);
	Size		size = 0;
	char	   *place;

	if (builder->type.typeLength == -1)
		alignment = Max(alignment, ALIGNOF_INT);
	for (uint32 i = 0; i < count; i++)
	{
		if (decoded->lengths[i] > RETLDB_OVERFLOW_THRESHOLD)
			return "value is too long";
		size += PlaceSize(builder, alignment, decoded->lengths[i]);
	}
	place = MemoryContextAllocHuge(builder->dataContext, Max(size, 1));
	for (uint32 i = 0; i < count; i++)
	{
		values[i] = PlaceValue(builder, place, decoded->bytes + decoded->starts[i],
							   decoded->lengths[i]);
		place += PlaceSize(builder, alignment, decoded->lengths[i]);
	}
	return NULL;
}

/* Read a large value, or promise to. */
static const char *
FetchOverflow(RetlVectorBuilder *builder, RetlChunkReader *chunk, const RetlOverflowRef *ref,
			  char **value)
{
	bool		varlena = builder->type.typeLength == -1;
	const char *problem;
	char	   *place;

	if (ref->rawLength > MaxAllocSize - VARHDRSZ)
		return "overflow value is too long";
	if (varlena && RetlOverflowTypeIsLazy(builder->type.baseType))
	{
		*value = RetlOverflowMakeLazy(&chunk->overflow, ref, builder->dataContext);
		return NULL;
	}

	place = MemoryContextAllocHuge(builder->dataContext, VARHDRSZ + (Size) ref->rawLength);
	if (varlena)
		SET_VARSIZE(place, VARHDRSZ + ref->rawLength);
	else
		place[ref->rawLength] = '\0';
	problem = RetlOverflowRead(&chunk->overflow, ref, varlena ? VARDATA(place) : place);
	*value = place;
	return problem;
}

/* Put large values in the place of the empty ones that stand for them. */
static const char *
FetchOverflows(RetlVectorBuilder *builder, RetlChunkReader *chunk, const RetlPieceView *piece,
			   const RetlDecoded *decoded, char **values)
{
	for (uint32 i = 0; i < piece->overflowCount; i++)
	{
		RetlOverflowRef ref = RetlPieceOverflow(piece, i);
		const char *problem;

		if (decoded->lengths[ref.valueIndex] != 0)
			return "overflow reference has another value in its place";
		problem = FetchOverflow(builder, chunk, &ref, &values[ref.valueIndex]);
		if (problem != NULL)
			return problem;
	}
	return NULL;
}

/* Spread the pointers to the piece's values over its rows. */
static void
SpreadPointers(const RetlPieceView *piece, char **start)
{
	uint32		value = piece->valueCount;

	for (uint32 row = piece->rowCount; row-- > 0;)
	{
		if (RetlPieceIsNull(piece, row))
			start[row] = NULL;
		else
			start[row] = start[--value];
	}
}

/* Decode a piece of a variable-length type to where its rows belong. */
static const char *
BuildVariable(RetlVectorBuilder *builder, RetlChunkReader *chunk, const RetlPieceView *piece,
			  uint32 row, const RetlArena *arena)
{
	char	  **values = builder->pointers + row;
	RetlDecoded decoded;
	const char *problem;

	memset(&decoded, 0, sizeof(decoded));
	decoded.starts = builder->starts;
	decoded.lengths = builder->lengths;
	problem = RetlChunkDecodePiece(chunk, piece, &decoded, arena);
	if (problem != NULL)
		return problem;
	problem = PlaceValues(builder, piece->valueCount, &decoded, values);
	if (problem != NULL)
		return problem;
	problem = FetchOverflows(builder, chunk, piece, &decoded, values);
	if (problem != NULL)
		return problem;
	if (piece->nulls != NULL)
		SpreadPointers(piece, values);
	return NULL;
}

/* See vector_builder.h. */
const char *
RetlVectorBuild(RetlVectorBuilder *builder, RetlChunkReader *chunk, uint32 index)
{
	const RetlChunkView *view = &chunk->view;
	uint32		firstRow = index * view->vectorRows;
	uint32		rowCount = Min(view->vectorRows, view->rowCount - firstRow);
	RetlArena	arena = RetlMemoryContextArena(builder->dataContext);

	Assert(index < view->vectorCount);

	BeginVector(builder, firstRow, rowCount);
	for (uint32 row = 0; row < rowCount; row += view->pieceRows)
	{
		RetlPieceView piece;
		const char *problem;

		problem = RetlChunkGetPiece(chunk, (firstRow + row) / view->pieceRows, &piece);
		if (problem != NULL)
			return problem;
		SetNulls(builder, &piece, row);
		if (builder->type.typeLength < 0)
			problem = BuildVariable(builder, chunk, &piece, row, &arena);
		else
			problem = BuildFixed(builder, chunk, &piece, row, &arena);
		if (problem != NULL)
			return problem;
	}
	chunk->stats->vectorsDecoded++;
	return NULL;
}

/* See vector_builder.h. */
void
RetlVectorBuildConstant(RetlVectorBuilder *builder, Datum value, bool isnull,
						uint32 firstRow, uint32 rowCount)
{
	RetlVector *vector = BeginVector(builder, firstRow, rowCount);
	uint32		width = builder->type.width;

	if (isnull)
	{
		vector->nulls = builder->nulls;
		memset(vector->nulls, true, rowCount * sizeof(bool));
		if (builder->fixed != NULL)
			memset(builder->fixed, 0, (Size) rowCount * width);
		if (builder->pointers != NULL)
			memset(builder->pointers, 0, rowCount * sizeof(char *));
		return;
	}
	for (uint32 i = 0; i < rowCount; i++)
	{
		if (vector->pointers != NULL)
			vector->pointers[i] = DatumGetPointer(value);
		else if (builder->type.byValue)
			store_att_byval(builder->fixed + (Size) i * width, value, builder->type.typeLength);
		else
			memcpy(builder->fixed + (Size) i * width, DatumGetPointer(value), width);
	}
}
