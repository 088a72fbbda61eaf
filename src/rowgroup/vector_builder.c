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
 * Often only some rows are wanted.  Pieces without such rows are not read, few
 * values are fetched one by one, and of a piece that is decoded only wanted
 * values of variable length are copied.  What was built stays where it is when
 * more rows of the vector are wanted later.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/tupmacs.h"
#include "catalog/pg_type.h"
#include "utils/memutils.h"

#include "base/compat.h"
#include "rowgroup/vector_builder.h"

#define MAX_WORDS	(RETLDB_MAX_VECTOR_ROWS / 64)

/* A piece, and what of it is being built; builder->rows and values list the rows. */
typedef struct PieceRows
{
	RetlPieceView piece;
	uint32		row;			/* of the vector, where the piece begins */
	uint32		count;			/* rows listed, all not null */
	const uint64 *wanted;		/* see RetlDecoded */
} PieceRows;

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
	builder->rows = palloc(vectorRows * sizeof(uint16));
	builder->values = palloc(vectorRows * sizeof(uint16));
	builder->alignment = AlignmentOf(type->align);
	if (type->typeLength == -1)
		builder->alignment = Max(builder->alignment, ALIGNOF_INT);
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
	memset(builder->built, 0, RetlSelectionWords(rowCount) * sizeof(uint64));
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
		/* pieces that were built before have none */
		vector->nulls = builder->nulls;
		memset(vector->nulls, 0, vector->rowCount * sizeof(bool));
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
BuildFixed(RetlVectorBuilder *builder, RetlChunkReader *chunk, const PieceRows *part,
		   const RetlArena *arena)
{
	const RetlPieceView *piece = &part->piece;
	char	   *start = builder->fixed + (Size) part->row * builder->type.width;
	RetlDecoded decoded;
	const char *problem;

	memset(&decoded, 0, sizeof(decoded));
	decoded.fixed = (uint8 *) start;
	decoded.wanted = part->wanted;
	problem = RetlChunkDecodePiece(chunk, piece, &decoded, arena);
	if (problem != NULL)
		return problem;
	if (piece->nulls != NULL)
		SpreadFixed(piece, start, builder->type.width);
	if (builder->strided != NULL)
		AlignFixed(builder, part->row, piece->rowCount);
	return NULL;
}

/* Fetch values of a fixed-width type one by one. */
static const char *
FetchFixed(RetlVectorBuilder *builder, RetlChunkReader *chunk, const PieceRows *part,
		   const RetlArena *arena)
{
	for (uint32 i = 0; i < part->count; i++)
	{
		uint32		row = part->row + builder->rows[i];
		RetlDecoded decoded;
		const char *problem;

		memset(&decoded, 0, sizeof(decoded));
		decoded.fixed = (uint8 *) builder->fixed + (Size) row * builder->type.width;
		problem = RetlChunkFetchValue(chunk, &part->piece, builder->values[i], &decoded, arena);
		if (problem != NULL)
			return problem;
		if (builder->strided != NULL)
			AlignFixed(builder, row, 1);
	}
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
 * Make values of what was decoded.  Long ones would be overflow values, so
 * there is a limit to what is allocated.
 */
static const char *
PlaceValues(RetlVectorBuilder *builder, const PieceRows *part, const RetlDecoded *decoded)
{
	Size		alignment = builder->alignment;
	char	  **pointers = builder->pointers + part->row;
	Size		size = 0;
	char	   *place;

	for (uint32 i = 0; i < part->count; i++)
	{
		uint32		length = decoded->lengths[builder->values[i]];

		if (length > RETLDB_OVERFLOW_THRESHOLD)
			return "value is too long";
		size += PlaceSize(builder, alignment, length);
	}
	place = MemoryContextAllocHuge(builder->dataContext, Max(size, 1));
	for (uint32 i = 0; i < part->count; i++)
	{
		uint32		value = builder->values[i];

		pointers[builder->rows[i]] = PlaceValue(builder, place,
												decoded->bytes + decoded->starts[value],
												decoded->lengths[value]);
		place += PlaceSize(builder, alignment, decoded->lengths[value]);
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

/*
 * Put large values in the place of the empty ones that stand for them.  Both
 * the references and the listed values are in rising order.
 */
static const char *
FetchOverflows(RetlVectorBuilder *builder, RetlChunkReader *chunk, const PieceRows *part)
{
	uint32		listed = 0;

	for (uint32 i = 0; i < part->piece.overflowCount; i++)
	{
		RetlOverflowRef ref = RetlPieceOverflow(&part->piece, i);
		const char *problem;

		while (listed < part->count && builder->values[listed] < ref.valueIndex)
			listed++;
		if (listed == part->count)
			break;
		if (builder->values[listed] != ref.valueIndex)
			continue;
		if (builder->lengths[ref.valueIndex] != 0)
			return "overflow reference has another value in its place";
		problem = FetchOverflow(builder, chunk, &ref,
								&builder->pointers[part->row + builder->rows[listed]]);
		if (problem != NULL)
			return problem;
	}
	return NULL;
}

/* Null rows have no value to point to. */
static void
ClearNullPointers(RetlVectorBuilder *builder, const PieceRows *part)
{
	for (uint32 i = 0; i < part->piece.rowCount; i++)
	{
		if (RetlPieceIsNull(&part->piece, i))
			builder->pointers[part->row + i] = NULL;
	}
}

/* Decode a piece of a variable-length type and make the listed values. */
static const char *
BuildVariable(RetlVectorBuilder *builder, RetlChunkReader *chunk, const PieceRows *part,
			  const RetlArena *arena)
{
	RetlDecoded decoded;
	const char *problem;

	memset(&decoded, 0, sizeof(decoded));
	decoded.starts = builder->starts;
	decoded.lengths = builder->lengths;
	decoded.wanted = part->wanted;
	problem = RetlChunkDecodePiece(chunk, &part->piece, &decoded, arena);
	if (problem == NULL)
		problem = PlaceValues(builder, part, &decoded);
	if (problem == NULL)
		problem = FetchOverflows(builder, chunk, part);
	if (part->piece.nulls != NULL)
		ClearNullPointers(builder, part);
	return problem;
}

/* Fetch the listed values of a variable-length type one by one. */
static const char *
FetchVariable(RetlVectorBuilder *builder, RetlChunkReader *chunk, const PieceRows *part,
			  const RetlArena *arena)
{
	for (uint32 i = 0; i < part->count; i++)
	{
		uint32		value = builder->values[i];
		uint32	   *length = &builder->lengths[value];
		RetlDecoded decoded;
		const char *problem;
		char	   *place;

		memset(&decoded, 0, sizeof(decoded));
		decoded.starts = &builder->starts[value];
		decoded.lengths = length;
		problem = RetlChunkFetchValue(chunk, &part->piece, value, &decoded, arena);
		if (problem == NULL && *length > RETLDB_OVERFLOW_THRESHOLD)
			problem = "value is too long";
		if (problem != NULL)
			return problem;
		place = MemoryContextAlloc(builder->dataContext,
								   PlaceSize(builder, builder->alignment, *length));
		builder->pointers[part->row + builder->rows[i]] =
			PlaceValue(builder, place, decoded.bytes + builder->starts[value], *length);
	}
	if (part->piece.nulls != NULL)
		ClearNullPointers(builder, part);
	return FetchOverflows(builder, chunk, part);
}

/* ---------------------------------------------------------------------
 * Pieces and vectors
 * ---------------------------------------------------------------------
 */

/* Rows of these bits that are not null. */
static uint32
CountRows(const uint64 *rows, const uint64 *present, uint32 words)
{
	uint32		count = 0;

	for (uint32 i = 0; i < words; i++)
		count += pg_popcount64(present != NULL ? rows[i] & present[i] : rows[i]);
	return count;
}

/* List the rows of these bits that are not null, and their values' indexes. */
static void
ListRows(RetlVectorBuilder *builder, PieceRows *part, const uint64 *rows, const uint64 *present)
{
	uint32		words = RetlSelectionWords(part->piece.rowCount);
	uint32		count = 0;
	uint32		before = 0;		/* values of the words before */

	for (uint32 i = 0; i < words; i++)
	{
		uint64		mask = present == NULL ? PG_UINT64_MAX : present[i];

		for (uint64 bits = rows[i] & mask; bits != 0; bits &= bits - 1)
		{
			uint32		bit = pg_rightmost_one_pos64(bits);

			builder->rows[count] = i * 64 + bit;
			builder->values[count] = present == NULL ? i * 64 + bit :
				before + pg_popcount64(mask & ((UINT64CONST(1) << bit) - 1));
			count++;
		}
		before += pg_popcount64(mask);
	}
	Assert(count == part->count);
}

/*
 * How many values of a piece are rather fetched than all decoded?  Measured:
 * to fetch one takes 50 to 100 ns, to decode a piece of 2048 about 1 us where
 * values have a fixed width, 2 to 4 us elsewhere.  Where an encoding has to go
 * through what is before a value, it is hardly any.
 */
static uint32
FetchLimit(const PieceRows *part, bool variable)
{
	switch (part->piece.encoding)
	{
		case RETL_ENCODING_RLE:
		case RETL_ENCODING_DELTA:
			return 1;
		default:
			return part->piece.valueCount / (variable ? 64 : 128);
	}
}

/* Build "rows" of a piece; "wanted" are these and the ones that are there already. */
static const char *
BuildPiece(RetlVectorBuilder *builder, RetlChunkReader *chunk, PieceRows *part,
		   const uint64 *rows, const uint64 *wanted)
{
	const RetlPieceView *piece = &part->piece;
	uint32		words = RetlSelectionWords(piece->rowCount);
	RetlArena	arena = RetlMemoryContextArena(builder->dataContext);
	bool		variable = builder->type.typeLength < 0;
	bool		fetch;
	uint64		present[MAX_WORDS];
	uint64		values[MAX_WORDS];

	SetNulls(builder, piece, part->row);
	if (piece->nulls != NULL)
		RetlPiecePresent(piece, present);
	part->count = CountRows(rows, piece->nulls != NULL ? present : NULL, words);
	fetch = part->count <= FetchLimit(part, variable);
	if (fetch || variable)
		ListRows(builder, part, rows, piece->nulls != NULL ? present : NULL);
	if (fetch)
		return variable ? FetchVariable(builder, chunk, part, &arena) :
			FetchFixed(builder, chunk, part, &arena);

	part->wanted = NULL;
	if (part->count < piece->valueCount)
	{
		if (piece->nulls != NULL)
			RetlSelectionCompress(wanted, present, words, values);
		part->wanted = piece->nulls != NULL ? values : wanted;
	}
	return variable ? BuildVariable(builder, chunk, part, &arena) :
		BuildFixed(builder, chunk, part, &arena);
}

/*
 * Build those of the selected rows of the vector that are not there yet.
 * Pieces are whole words of the selection, or parts of one.
 */
static const char *
BuildRows(RetlVectorBuilder *builder, RetlChunkReader *chunk, const RetlSelection *selection)
{
	const RetlChunkView *view = &chunk->view;
	RetlVector *vector = &builder->vector;

	for (uint32 row = 0; row < vector->rowCount; row += view->pieceRows)
	{
		uint32		pieceIndex = (vector->firstRow + row) / view->pieceRows;
		uint32		rowCount = RetlPieceRowCount(view, pieceIndex);
		uint32		shift = row % 64;
		uint64		rows[MAX_WORDS];
		uint64		wanted[MAX_WORDS];
		uint64		any = 0;
		PieceRows	part;
		const char *problem;

		for (uint32 i = 0; i < RetlSelectionWords(rowCount); i++)
		{
			uint64		mask = RetlRowsMask(Min(rowCount - i * 64, 64)) << shift;
			uint64	   *built = &builder->built[row / 64 + i];
			uint64		more = selection != NULL ? selection->words[row / 64 + i] & mask : mask;

			rows[i] = (more & ~*built) >> shift;
			wanted[i] = ((more | *built) & mask) >> shift;
			any |= rows[i];
			*built |= more;
		}
		if (any == 0)
			continue;
		part.row = row;
		problem = RetlChunkGetPiece(chunk, pieceIndex, &part.piece);
		if (problem == NULL)
			problem = BuildPiece(builder, chunk, &part, rows, wanted);
		if (problem != NULL)
			return problem;
	}
	chunk->stats->vectorsDecoded++;
	return NULL;
}

/* See vector_builder.h. */
const char *
RetlVectorBuild(RetlVectorBuilder *builder, RetlChunkReader *chunk, uint32 index,
				const RetlSelection *selection)
{
	const RetlChunkView *view = &chunk->view;
	uint32		firstRow = index * view->vectorRows;

	Assert(index < view->vectorCount);

	BeginVector(builder, firstRow, Min(view->vectorRows, view->rowCount - firstRow));
	return BuildRows(builder, chunk, selection);
}

/* See vector_builder.h. */
bool
RetlVectorHasRows(const RetlVectorBuilder *builder, const RetlSelection *selection)
{
	uint32		words = RetlSelectionWords(builder->vector.rowCount);

	for (uint32 i = 0; i < words; i++)
	{
		uint64		wanted = selection != NULL ? selection->words[i] :
			RetlRowsMask(Min(builder->vector.rowCount - i * 64, 64));

		if ((wanted & ~builder->built[i]) != 0)
			return false;
	}
	return true;
}

/* See vector_builder.h. */
const char *
RetlVectorBuildMore(RetlVectorBuilder *builder, RetlChunkReader *chunk,
					const RetlSelection *selection)
{
	return BuildRows(builder, chunk, selection);
}

/* See vector_builder.h. */
void
RetlVectorBuildConstant(RetlVectorBuilder *builder, Datum value, bool isnull,
						uint32 firstRow, uint32 rowCount)
{
	RetlVector *vector = BeginVector(builder, firstRow, rowCount);
	uint32		width = builder->type.width;

	memset(builder->built, 0xFF, sizeof(builder->built));
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
