/*-------------------------------------------------------------------------
 *
 * vector_builder.c
 *	  Turns the pieces of a chunk into vectors.
 *
 * Values of fixed width are decoded into their place and, where there are
 * nulls, spread out from the back.  Values of variable length get their header
 * (the short one where the type's functions take it as it is) and a place in one
 * allocation for each piece; rows that have the same one may share it.  Entries
 * of a dictionary become values once for the chunk, and rows point to them.
 * Large values are either left to be read when somebody needs them (see
 * overflow.c) or read at once.
 *
 * Often only some rows are wanted.  Pieces without such rows are not read, few
 * values are taken one by one, and of a piece that is decoded only wanted
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
#include "encoding/filtering.h"
#include "rowgroup/vector_builder.h"

#define MAX_WORDS	(RETLDB_MAX_VECTOR_ROWS / 64)

/* So many values of a piece are fetched where decoding does not take few. */
#define RETLDB_FETCHED_VALUES	4

/* Up to so many entries for each wanted value, a dictionary's entries are kept. */
#define ENTRIES_PER_VALUE	16

/* Memory for such entries that is taken at once. */
#define ENTRY_ROOM			8192

/* A piece, and what of it is being built. */
typedef struct PieceRows
{
	RetlPieceView piece;
	uint32		row;			/* of the vector, where the piece begins */
	bool		isFirst;		/* no row of it was built before */
	uint32		count;			/* rows to be built that are not null */
	const uint32 *rows;			/* list of them, rising, if it was needed, */
	const uint32 *values;		/* and of their values' indexes */
	const uint64 *wanted;		/* see RetlDecoded */
	bool		isFew;			/* these values are all that are wanted, and few */
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

/* Make lists for so many rows. */
static void
EnsureLists(RetlBuilderRoom *room, uint32 vectorRows)
{
	uint32		length = vectorRows + RETLDB_LIST_SLACK;

	if (vectorRows <= room->capacity)
		return;
	if (room->capacity > 0)
		pfree(room->rows);
	room->capacity = 0;
	room->rows = MemoryContextAlloc(room->context, 4 * length * sizeof(uint32));
	room->values = room->rows + length;
	room->starts = room->values + length;
	room->lengths = room->starts + length;
	room->capacity = vectorRows;
}

/* Take "size" bytes from the buffers, aligned: their place, counted from the start. */
static Size
Reserve(Size *total, Size size)
{
	Size		place = *total;

	*total += MAXALIGN(size);
	return place;
}

/* Make buffers for so many rows, instead of those that are there. */
static void
MakeBuffers(RetlVectorBuilder *builder, uint32 vectorRows)
{
	const RetlColumnType *type = &builder->type;
	bool		strided = type->typeLength >= 0 && !type->byValue && builder->stride != type->width;
	Size		stridedSize = strided ? (Size) vectorRows * builder->stride : 0;
	Size		total = 0;
	Size		pointersPlace = Reserve(&total, strided || type->typeLength < 0 ?
										vectorRows * sizeof(char *) : 0);
	Size		fixedPlace = Reserve(&total, type->typeLength >= 0 ?
									 (Size) vectorRows * type->width : 0);
	Size		stridedPlace = Reserve(&total, stridedSize);
	Size		nullsPlace = Reserve(&total, vectorRows * sizeof(bool));

	if (builder->capacity > 0)
		pfree(builder->buffers);
	builder->capacity = 0;
	builder->buffers = MemoryContextAlloc(builder->room->context, total);
	if (strided || type->typeLength < 0)
		builder->pointers = (char **) (builder->buffers + pointersPlace);
	if (type->typeLength >= 0)
		builder->fixed = builder->buffers + fixedPlace;
	if (strided)
		builder->strided = memset(builder->buffers + stridedPlace, 0, stridedSize);
	builder->nulls = (bool *) (builder->buffers + nullsPlace);
	builder->capacity = vectorRows;
}

/* Set what is the same for all chunks of the column. */
static void
InitBuilder(RetlVectorBuilder *builder, const RetlColumnType *type, RetlBuilderRoom *room)
{
	builder->type = *type;
	builder->vector.typeLength = type->typeLength;
	builder->vector.byValue = type->byValue;
	builder->alignment = AlignmentOf(type->align);
	if (type->typeLength == -1)
		builder->alignment = Max(builder->alignment, ALIGNOF_INT);
	if (type->typeLength >= 0)
		builder->stride = (uint32) TYPEALIGN(AlignmentOf(type->align), type->width);

	/* values of fixed width are in the buffers */
	builder->dataContext = type->typeLength >= 0 ? room->scratchContext :
		AllocSetContextCreate(room->context, "retldb vector", ALLOCSET_DEFAULT_SIZES);
	builder->room = room;
}

/* See vector_builder.h. */
void
RetlVectorBuilderBegin(RetlVectorBuilder *builder, const RetlColumnType *type,
					   uint32 vectorRows, RetlBuilderRoom *room, MemoryContext context)
{
	if (builder->room == NULL)
		InitBuilder(builder, type, room);
	Assert(builder->room == room);
	EnsureLists(room, vectorRows);
	if (vectorRows > builder->capacity)
		MakeBuffers(builder, vectorRows);
	builder->context = context;
	memset(&builder->dictionary, 0, sizeof(builder->dictionary));
	builder->entries = NULL;
	builder->entryPlace = NULL;
	builder->entryEnd = NULL;
}

/* See vector_builder.h. */
void
RetlVectorBuilderForget(RetlVectorBuilder *builder)
{
	if (builder->room != NULL)
		MemoryContextReset(builder->dataContext);
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
	builder->isFresh = true;
	builder->isComplete = false;
	builder->isCostly = builder->type.typeLength < 0;
	builder->placedBytes = 0;
	vector->fixed = builder->strided == NULL ? builder->fixed : NULL;
	vector->pointers = builder->pointers;
	return vector;
}

/* A bool for each of "count" bits, eight at a time. */
static void
ExpandBits(bool *dst, const uint8 *bits, uint32 count)
{
	const uint64 ones = UINT64CONST(0x0101010101010101);
	uint32		i = 0;

	for (; i + 8 <= count; i += 8)
	{
		/* byte k keeps bit k alone; adding 0x7F brings it to the highest bit */
		uint64		each = bits[i / 8] * ones & UINT64CONST(0x8040201008040201);
		uint64		bytes = (each + 0x7F * ones) >> 7 & ones;

		memcpy(dst + i, &bytes, sizeof(bytes));
	}
	for (; i < count; i++)
		dst[i] = (bits[i / 8] >> (i % 8) & 1) != 0;
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
	ExpandBits(vector->nulls + row, piece->nulls, piece->rowCount);
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

/* Say what is wanted of a piece that is decoded. */
static void
SetWanted(RetlDecoded *decoded, const PieceRows *part)
{
	memset(decoded, 0, sizeof(*decoded));
	decoded->wanted = part->wanted;
	if (part->isFew)
	{
		decoded->few = part->values;
		decoded->fewCount = part->count;
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

	SetWanted(&decoded, part);
	decoded.fixed = (uint8 *) start;
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
		uint32		row = part->row + part->rows[i];
		RetlDecoded decoded;
		const char *problem;

		memset(&decoded, 0, sizeof(decoded));
		decoded.fixed = (uint8 *) builder->fixed + (Size) row * builder->type.width;
		problem = RetlChunkFetchValue(chunk, &part->piece, part->values[i], &decoded, arena);
		if (problem != NULL)
			return problem;
		if (builder->strided != NULL)
			AlignFixed(builder, row, 1);
	}
	return NULL;
}

/* Does a value of so many bytes get the short header, which needs no alignment? */
static inline bool
IsShort(const RetlVectorBuilder *builder, uint32 length)
{
	return builder->type.shortHeader && length <= VARATT_SHORT_MAX - VARHDRSZ_SHORT;
}

/* Bytes a value takes at most, with what is left free before it. */
static inline Size
PlaceSize(const RetlVectorBuilder *builder, uint32 length)
{
	if (IsShort(builder, length))
		return VARHDRSZ_SHORT + (Size) length;
	return builder->alignment - 1 + (Size) length +
		(builder->type.typeLength == -1 ? VARHDRSZ : 1);
}

/* memcpy without a call for what is short, as most values are. */
static inline void
CopyBytes(char *dst, const uint8 *src, uint32 length)
{
	if (length > 16)
		memcpy(dst, src, length);
	else if (length >= 8)
	{
		uint64		first;
		uint64		last;

		/* they may overlap */
		memcpy(&first, src, sizeof(first));
		memcpy(&last, src + length - sizeof(last), sizeof(last));
		memcpy(dst, &first, sizeof(first));
		memcpy(dst + length - sizeof(last), &last, sizeof(last));
	}
	else if (length >= 4)
	{
		uint32		first;
		uint32		last;

		memcpy(&first, src, sizeof(first));
		memcpy(&last, src + length - sizeof(last), sizeof(last));
		memcpy(dst, &first, sizeof(first));
		memcpy(dst + length - sizeof(last), &last, sizeof(last));
	}
	else
	{
		for (uint32 i = 0; i < length; i++)
			dst[i] = (char) src[i];
	}
}

/*
 * Make a value, with header or terminator, at *place or a little behind; *place
 * is moved past it.
 */
static inline char *
PlaceValue(const RetlVectorBuilder *builder, char **place, const uint8 *data, uint32 length)
{
	char	   *value = *place;

	if (IsShort(builder, length))
	{
		SET_VARSIZE_SHORT(value, VARHDRSZ_SHORT + length);
		CopyBytes(VARDATA_SHORT(value), data, length);
		*place = value + VARHDRSZ_SHORT + length;
		return value;
	}
	value = (char *) TYPEALIGN(builder->alignment, value);
	if (builder->type.typeLength == -1)
	{
		SET_VARSIZE(value, VARHDRSZ + length);
		CopyBytes(VARDATA(value), data, length);
		*place = value + VARHDRSZ + length;
	}
	else
	{
		CopyBytes(value, data, length);
		value[length] = '\0';
		*place = value + length + 1;
	}
	return value;
}

/*
 * Make values of what was decoded.  Long ones would be overflow values, so
 * there is a limit to what is allocated.  Where a value is the same bytes as the
 * one before (in runs, of constants) both are one.
 */
static const char *
PlaceValues(RetlVectorBuilder *builder, const PieceRows *part, const RetlDecoded *decoded)
{
	char	  **pointers = builder->pointers + part->row;
	Size		size = 0;
	char	   *place;
	char	   *last = NULL;
	uint32		lastStart = 0;
	uint32		lastLength = 0;

	for (uint32 i = 0; i < part->count; i++)
	{
		uint32		length = decoded->lengths[part->values[i]];

		if (length > RETLDB_OVERFLOW_THRESHOLD)
			return "value is too long";
		size += PlaceSize(builder, length);
	}
	place = MemoryContextAllocHuge(builder->dataContext, Max(size, 1));
	builder->placedBytes += size;
	for (uint32 i = 0; i < part->count; i++)
	{
		uint32		start = decoded->starts[part->values[i]];
		uint32		length = decoded->lengths[part->values[i]];

		if (last == NULL || start != lastStart || length != lastLength)
			last = PlaceValue(builder, &place, decoded->bytes + start, length);
		pointers[part->rows[i]] = last;
		lastStart = start;
		lastLength = length;
	}
	return NULL;
}

/* ---------------------------------------------------------------------
 * Entries of a dictionary
 * ---------------------------------------------------------------------
 */

/*
 * Is the piece to be made of the dictionary's entries, each of which becomes a
 * value once?  Not where entries are so many that most would be used for one
 * value of this piece, if at all: then keeping track of them costs more.
 */
static bool
WantsEntries(RetlVectorBuilder *builder, RetlChunkReader *chunk, const PieceRows *part,
			 const char **problem)
{
	*problem = NULL;
	if (part->piece.encoding != RETL_ENCODING_DICT ||
		chunk->encoding->id != RETL_ENCODING_DICT || part->piece.overflowCount > 0)
		return false;
	*problem = RetlChunkOpenDictionary(chunk);
	if (*problem != NULL || chunk->state == NULL)
		return false;
	if (builder->entries == NULL)
	{
		RetlDictGetEntries(chunk->state, &builder->dictionary);
		if (builder->dictionary.count > part->count * ENTRIES_PER_VALUE)
			return false;
		builder->entries = MemoryContextAllocZero(builder->context,
												  Max(builder->dictionary.count, 1) * sizeof(char *));
	}
	return true;
}

/* Make an entry of the dictionary a value, to be kept as long as the chunk is open. */
static char *
MakeEntry(RetlVectorBuilder *builder, uint32 code)
{
	uint32		length = builder->dictionary.lengths[code];
	Size		size = PlaceSize(builder, length);

	if (length > RETLDB_OVERFLOW_THRESHOLD)
		return NULL;
	if (builder->entryPlace == NULL || size > (Size) (builder->entryEnd - builder->entryPlace))
	{
		Size		room = Max(size, ENTRY_ROOM);

		builder->entryPlace = MemoryContextAlloc(builder->context, room);
		builder->entryEnd = builder->entryPlace + room;
	}
	builder->entries[code] = PlaceValue(builder, &builder->entryPlace,
										builder->dictionary.bytes + builder->dictionary.starts[code],
										length);
	return builder->entries[code];
}

/* Make the listed rows values of the dictionary. */
static const char *
PlaceEntries(RetlVectorBuilder *builder, const PieceRows *part, const uint32 *codes)
{
	char	  **pointers = builder->pointers + part->row;

	for (uint32 i = 0; i < part->count; i++)
	{
		uint32		code = codes[part->values[i]];
		char	   *value = builder->entries[code];

		if (unlikely(value == NULL))
		{
			value = MakeEntry(builder, code);
			if (value == NULL)
				return "value is too long";
		}
		pointers[part->rows[i]] = value;
	}
	return NULL;
}

/* ---------------------------------------------------------------------
 * Large values, and pieces of variable length
 * ---------------------------------------------------------------------
 */

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

	if (part->piece.overflowCount > 0)
		builder->isCostly = false;
	for (uint32 i = 0; i < part->piece.overflowCount; i++)
	{
		RetlOverflowRef ref = RetlPieceOverflow(&part->piece, i);
		const char *problem;

		while (listed < part->count && part->values[listed] < ref.valueIndex)
			listed++;
		if (listed == part->count)
			break;
		if (part->values[listed] != ref.valueIndex)
			continue;
		if (builder->room->lengths[ref.valueIndex] != 0)
			return "overflow reference has another value in its place";
		problem = FetchOverflow(builder, chunk, &ref,
								&builder->pointers[part->row + part->rows[listed]]);
		if (problem != NULL)
			return problem;
	}
	return NULL;
}

/*
 * Null rows have no value to point to: see to it for those of "rows" that are not in
 * "present".  Nobody looks at the pointers of rows that were not asked for.
 */
static void
ClearNullPointers(RetlVectorBuilder *builder, const PieceRows *part, const uint64 *rows,
				  const uint64 *present)
{
	char	  **pointers = builder->pointers + part->row;

	/* all rows, as a rule */
	if (part->isFirst && part->count == part->piece.valueCount)
	{
		memset(pointers, 0, part->piece.rowCount * sizeof(char *));
		return;
	}
	for (uint32 i = 0; i < RetlSelectionWords(part->piece.rowCount); i++)
	{
		for (uint64 nulls = rows[i] & ~present[i]; nulls != 0; nulls &= nulls - 1)
			pointers[i * 64 + pg_rightmost_one_pos64(nulls)] = NULL;
	}
}

/* Decode a piece of a variable-length type and make the listed values. */
static const char *
BuildVariable(RetlVectorBuilder *builder, RetlChunkReader *chunk, const PieceRows *part,
			  const RetlArena *arena)
{
	RetlDecoded decoded;
	const char *problem;

	SetWanted(&decoded, part);
	decoded.starts = builder->room->starts;
	decoded.lengths = builder->room->lengths;
	decoded.takesCodes = WantsEntries(builder, chunk, part, &problem);
	if (problem == NULL)
		problem = RetlChunkDecodePiece(chunk, &part->piece, &decoded, arena);
	if (problem != NULL)
		return problem;
	if (decoded.hasCodes || part->piece.encoding == RETL_ENCODING_RLE ||
		part->piece.encoding == RETL_ENCODING_CONSTANT)
		builder->isCostly = false;
	if (decoded.hasCodes)
		return PlaceEntries(builder, part, decoded.starts);
	problem = PlaceValues(builder, part, &decoded);
	if (problem == NULL)
		problem = FetchOverflows(builder, chunk, part);
	return problem;
}

/* Fetch the listed values of a variable-length type one by one. */
static const char *
FetchVariable(RetlVectorBuilder *builder, RetlChunkReader *chunk, const PieceRows *part,
			  const RetlArena *arena)
{
	for (uint32 i = 0; i < part->count; i++)
	{
		uint32		value = part->values[i];
		uint32	   *length = &builder->room->lengths[value];
		RetlDecoded decoded;
		const char *problem;
		char	   *place;

		memset(&decoded, 0, sizeof(decoded));
		decoded.starts = &builder->room->starts[value];
		decoded.lengths = length;
		problem = RetlChunkFetchValue(chunk, &part->piece, value, &decoded, arena);
		if (problem == NULL && *length > RETLDB_OVERFLOW_THRESHOLD)
			problem = "value is too long";
		if (problem != NULL)
			return problem;
		place = MemoryContextAlloc(builder->dataContext, PlaceSize(builder, *length));
		builder->placedBytes += PlaceSize(builder, *length);
		builder->pointers[part->row + part->rows[i]] =
			PlaceValue(builder, &place, decoded.bytes + builder->room->starts[value], *length);
	}
	return FetchOverflows(builder, chunk, part);
}

/* ---------------------------------------------------------------------
 * Pieces and vectors
 * ---------------------------------------------------------------------
 */

/* Rows of these bits that are not null; "present" may be NULL. */
static uint32
CountRows(const uint64 *rows, const uint64 *present, uint32 rowCount)
{
	uint64		both[MAX_WORDS];

	if (present == NULL)
		return RetlSelectionCount(rows, rowCount);
	for (uint32 i = 0; i < RetlSelectionWords(rowCount); i++)
		both[i] = rows[i] & present[i];
	return RetlSelectionCount(both, rowCount);
}

/* List the rows of these bits, of a piece without nulls: rows and values are the same. */
static void
ListAllRows(RetlVectorBuilder *builder, PieceRows *part, const uint64 *rows)
{
	uint32		count PG_USED_FOR_ASSERTS_ONLY;

	count = RetlSelectionList(rows, part->piece.rowCount, builder->room->values);
	Assert(count == part->count);
	part->rows = part->values = builder->room->values;
}

/* List the rows of these bits that are not null, and their values' indexes. */
static void
ListRows(RetlVectorBuilder *builder, PieceRows *part, const uint64 *rows, const uint64 *present)
{
	uint32		words = RetlSelectionWords(part->piece.rowCount);
	uint32	   *rowList = builder->room->rows;
	uint32	   *valueList = builder->room->values;
	uint32		count = 0;
	uint32		before = 0;		/* values of the words before */

	for (uint32 i = 0; i < words; i++)
	{
		uint64		mask = present[i];
		uint64		bits = rows[i] & mask;

		if (bits == mask)
		{
			/* all values there are: no need to count those before each one */
			for (; bits != 0; bits &= bits - 1)
			{
				rowList[count] = i * 64 + pg_rightmost_one_pos64(bits);
				valueList[count++] = before++;
			}
			continue;
		}
		for (; bits != 0; bits &= bits - 1)
		{
			uint32		bit = pg_rightmost_one_pos64(bits);

			rowList[count] = i * 64 + bit;
			valueList[count++] = before + pg_popcount64(mask & ((UINT64CONST(1) << bit) - 1));
		}
		before += pg_popcount64(mask);
	}
	Assert(count == part->count);
	part->rows = rowList;
	part->values = valueList;
}

/* Does decoding a piece take the wanted values out of it, if they are few? */
static bool
TakesFew(const RetlPieceView *piece)
{
	const RetlEncoding *encoding = RetlEncodingById((int) piece->encoding);

	return encoding != NULL && encoding->takesFew;
}

/*
 * Are the listed values of a piece to be fetched, each by a call of its own?
 * Decoding that takes few has to look at the piece's head only once; otherwise it
 * goes through the whole piece: 1 to 4 us for 2048 values, against 0.1 to 0.5 us
 * for each fetch.  A large dictionary need not be opened for fetches.
 */
static bool
FetchesValues(const RetlChunkReader *chunk, const PieceRows *part)
{
	return part->count <= 1 ||
		(part->count <= RETLDB_FETCHED_VALUES &&
		 (!TakesFew(&part->piece) || RetlChunkAvoidsOpening(chunk, &part->piece)));
}

/* Build "rows" of a piece; "wanted" are these and the ones that are there already. */
static const char *
BuildPiece(RetlVectorBuilder *builder, RetlChunkReader *chunk, PieceRows *part,
		   const uint64 *rows, const uint64 *wanted)
{
	const RetlPieceView *piece = &part->piece;
	RetlArena	arena = RetlMemoryContextArena(builder->dataContext);
	bool		variable = builder->type.typeLength < 0;
	bool		fetch;
	bool		list;
	uint64		present[MAX_WORDS];
	uint64		values[MAX_WORDS];

	if (part->isFirst)
		SetNulls(builder, piece, part->row);
	if (piece->nulls != NULL)
		RetlPiecePresent(piece, present);
	part->count = CountRows(rows, piece->nulls != NULL ? present : NULL, piece->rowCount);
	if (variable && piece->nulls != NULL)
		ClearNullPointers(builder, part, rows, present);
	fetch = FetchesValues(chunk, part);
	part->isFew = part->isFirst && part->count <= piece->valueCount / RETLDB_SPARSE_SHARE &&
		TakesFew(piece);
	list = fetch || variable || part->isFew;
	if (list && piece->nulls != NULL)
		ListRows(builder, part, rows, present);
	else if (list)
		ListAllRows(builder, part, rows);
	if (fetch)
		return variable ? FetchVariable(builder, chunk, part, &arena) :
			FetchFixed(builder, chunk, part, &arena);

	part->wanted = NULL;
	if (part->count < piece->valueCount)
	{
		if (piece->nulls != NULL)
			RetlSelectionCompress(wanted, present, RetlSelectionWords(piece->rowCount), values);
		part->wanted = piece->nulls != NULL ? values : wanted;
		if (part->isFew ||
			(TakesFew(piece) && RetlSelectionIsSparse(part->wanted, piece->valueCount)))
			chunk->stats->valuesFetched += part->count;
	}
	return variable ? BuildVariable(builder, chunk, part, &arena) :
		BuildFixed(builder, chunk, part, &arena);
}

/*
 * Find out which rows of a piece are to be built ("rows"), which are then there
 * ("wanted"), and whether there were any before (*isFirst).  False if there is
 * nothing to do.
 */
static bool
FindRows(RetlVectorBuilder *builder, const RetlSelection *selection, uint32 row, uint32 rowCount,
		 uint64 *rows, uint64 *wanted, bool *isFirst)
{
	uint32		shift = row % 64;
	uint64		any = 0;
	uint64		before = 0;

	for (uint32 i = 0; i < RetlSelectionWords(rowCount); i++)
	{
		uint64		mask = RetlRowsMask(Min(rowCount - i * 64, 64)) << shift;
		uint64	   *built = &builder->built[row / 64 + i];
		uint64		more = selection != NULL ? selection->words[row / 64 + i] & mask : mask;

		before |= *built & mask;
		rows[i] = (more & ~*built) >> shift;
		wanted[i] = ((more | *built) & mask) >> shift;
		any |= rows[i];
		*built |= more;
	}
	*isFirst = before == 0;
	return any != 0;
}

/* The same where nothing is there yet and the piece is made of whole words of the selection. */
static bool
FindFreshRows(RetlVectorBuilder *builder, const uint64 *selected, uint32 row, uint32 rowCount)
{
	uint32		words = RetlSelectionWords(rowCount);
	uint64		any = 0;

	for (uint32 i = 0; i < words; i++)
		any |= selected[i];
	if (any != 0)
		memcpy(&builder->built[row / 64], selected, words * sizeof(uint64));
	return any != 0;
}

/* Is nothing there yet of the piece that has these rows of the vector? */
static bool
IsUnbuilt(const RetlVectorBuilder *builder, uint32 row, uint32 rowCount)
{
	uint32		end = row + rowCount;

	for (uint32 i = row / 64; i * 64 < end; i++)
	{
		uint64		mask = RetlRowsMask(Min(end - i * 64, 64));

		if (i * 64 < row)
			mask &= ~RetlRowsMask(row - i * 64);
		if ((builder->built[i] & mask) != 0)
			return false;
	}
	return true;
}

/*
 * Build one row of the vector that is not there yet: what BuildRows does, without
 * going through all the others.
 */
static const char *
BuildRow(RetlVectorBuilder *builder, RetlChunkReader *chunk, uint32 row)
{
	const RetlChunkView *view = &chunk->view;
	uint32		pieceIndex = (builder->vector.firstRow + row) / view->pieceRows;
	uint32		within = (builder->vector.firstRow + row) % view->pieceRows;
	RetlArena	arena = RetlMemoryContextArena(builder->dataContext);
	PieceRows	part;
	const char *problem = RetlChunkGetPiece(chunk, pieceIndex, &part.piece);

	if (problem != NULL)
		return problem;
	part.row = row - within;
	part.isFirst = IsUnbuilt(builder, part.row, part.piece.rowCount);
	part.wanted = NULL;
	part.isFew = false;
	part.count = 0;
	builder->isFresh = false;
	builder->built[row / 64] |= UINT64CONST(1) << (row % 64);
	if (part.isFirst)
		SetNulls(builder, &part.piece, part.row);
	if (RetlPieceIsNull(&part.piece, within))
	{
		if (builder->type.typeLength < 0)
			builder->pointers[row] = NULL;
	}
	else
	{
		uint32		nulls = 0;

		if (part.piece.nulls != NULL)
			nulls = (uint32) pg_popcount((const char *) part.piece.nulls, within / 8) +
				pg_popcount32(part.piece.nulls[within / 8] & ((1U << (within % 8)) - 1));
		part.count = 1;
		builder->room->rows[0] = within;
		builder->room->values[0] = within - nulls;
		part.rows = builder->room->rows;
		part.values = builder->room->values;
	}
	chunk->stats->vectorsDecoded++;
	return builder->type.typeLength < 0 ? FetchVariable(builder, chunk, &part, &arena) :
		FetchFixed(builder, chunk, &part, &arena);
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
	bool		fresh = builder->isFresh && selection != NULL && view->pieceRows >= 64;

	builder->isFresh = false;
	for (uint32 row = 0; row < vector->rowCount; row += view->pieceRows)
	{
		uint32		pieceIndex = (vector->firstRow + row) / view->pieceRows;
		uint32		rowCount = RetlPieceRowCount(view, pieceIndex);
		uint64		rows[MAX_WORDS];
		uint64		wanted[MAX_WORDS];
		const uint64 *selected = fresh ? &selection->words[row / 64] : NULL;
		PieceRows	part;
		const char *problem;

		part.row = row;
		part.isFirst = true;
		if (!(fresh ? FindFreshRows(builder, selected, row, rowCount) :
			  FindRows(builder, selection, row, rowCount, rows, wanted, &part.isFirst)))
			continue;
		problem = RetlChunkGetPiece(chunk, pieceIndex, &part.piece);
		if (problem == NULL)
			problem = BuildPiece(builder, chunk, &part, fresh ? selected : rows,
								 fresh ? selected : wanted);
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
	if (selection != NULL && selection->count == 1)
		return BuildRow(builder, chunk, RetlSelectionNext(selection, 0));
	return BuildRows(builder, chunk, selection);
}

/* See vector_builder.h. */
bool
RetlVectorHasRows(RetlVectorBuilder *builder, const RetlSelection *selection)
{
	uint32		words = RetlSelectionWords(builder->vector.rowCount);

	/* whoever fetches row after row asks for each of them */
	if (builder->isComplete)
		return true;
	for (uint32 i = 0; i < words; i++)
	{
		uint64		wanted = selection != NULL ? selection->words[i] :
			RetlRowsMask(Min(builder->vector.rowCount - i * 64, 64));

		if ((wanted & ~builder->built[i]) != 0)
			return false;
	}
	builder->isComplete = selection == NULL;
	return true;
}

/* See vector_builder.h. */
const char *
RetlVectorBuildMore(RetlVectorBuilder *builder, RetlChunkReader *chunk,
					const RetlSelection *selection)
{
	uint32		row;

	if (selection == NULL || selection->count != 1)
		return BuildRows(builder, chunk, selection);
	row = RetlSelectionNext(selection, 0);
	if ((builder->built[row / 64] >> (row % 64) & 1) != 0)
		return NULL;
	return BuildRow(builder, chunk, row);
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
