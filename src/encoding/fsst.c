/*-------------------------------------------------------------------------
 *
 * fsst.c
 *	  FSST: byte strings as codes of the substrings they are made of.  Pure C.
 *
 * Serves RETL_PHYS_BYTES.  Each value is written on its own with the table of
 * the chunk (fsst_table.h): one code for each substring, so any value can be
 * read, or compared up to the first difference, without the others.
 *
 * Chunk-wide state:
 *
 *	OFFSET	SIZE	DESCRIPTION
 *	0		1		s, the number of symbols, 0 to 255
 *	1		s		their lengths, each 1 to 8
 *	1 + s	...		their bytes, one symbol after the other
 *
 * Payload of a piece, empty if there are no values:
 *
 *	OFFSET	SIZE	DESCRIPTION
 *	0		4		bytes of all values, decoded
 *	4		n		how many bytes of codes each value has: a packed array
 *					(bitpacking.h) of count numbers
 *	4 + n	...		the codes of all values, one value after the other
 *
 * A code below s stands for that symbol; 255 stands for the byte after it.
 * Other codes are not allowed.  Example: with the symbols "http://" and ".com",
 * which are 02 | 07 04 | 68 74 74 70 3A 2F 2F 2E 63 6F 6D, the values
 * "http://a.com" and "b" are 0D 00 00 00 | 02 02 00 00 00 02 | 00 FF 61 01 | FF
 * 62 - lengths 4 and 2 with base 2 in two bits each.
 *
 * Filters compare values as they are, symbol by symbol; they do not rely on how
 * a writer cut the values into symbols.
 *
 *-------------------------------------------------------------------------
 */
#include "encoding/bitpacking.h"
#include "encoding/descriptors.h"
#include "encoding/filtering.h"
#include "encoding/fsst_table.h"
#include "encoding/valueops.h"

#define TABLE_HEADER	1
#define PIECE_HEADER	4

/* Fewer bytes than this are analysed in full. */
#define COUNTED_BYTES	65536

/* Of a writer: "matcher" and nothing else.  Of a reader: the table. */
struct RetlEncodingState
{
	const RetlFsstMatcher *matcher;
	RetlFsstTable table;
};

/* The payload of a piece with at least one value. */
typedef struct FsstPiece
{
	uint32_t	rawSize;
	RetlPacked	lengths;
	const uint8_t *codes;
	size_t		codesSize;
} FsstPiece;

/* ---------------------------------------------------------------------
 * Writing
 * ---------------------------------------------------------------------
 */

/* Byte strings only. */
static bool
FsstApplies(RetlPhysType type, uint16_t width)
{
	return type == RETL_PHYS_BYTES && width == 0;
}

/* Bytes of all codes: counted for few values, else as a sample says. */
static uint64_t
EstimateCodes(const RetlFsstMatcher *matcher, const RetlValues *values, const RetlArena *arena)
{
	uint64_t	rawSize = RetlValuesRawSize(values);
	RetlFsstSample sample;
	uint64_t	sampleRaw;
	uint64_t	codes = 0;
	uint32_t	i;

	if (rawSize <= COUNTED_BYTES)
	{
		uint8_t    *scratch = RetlArenaAlloc(arena, 2 * (size_t) rawSize + 1);

		for (i = 0; i < values->count; i++)
		{
			uint32_t	length;
			const uint8_t *value = RetlValueAt(values, i, &length);

			codes += RetlFsstCompress(matcher, value, length, value + length, scratch);
		}
		return codes;
	}

	/* Another sample than that of the table, which fits its own too well. */
	RetlFsstSampleTake(&sample, values, true, arena);
	codes = RetlFsstSampleSize(matcher, &sample, &sampleRaw);
	return (uint64_t) ((double) codes / (double) sampleRaw * (double) rawSize);
}

/* RetlEncoding.analyse: close. */
static uint64_t
FsstAnalyse(const RetlValues *values, uint32_t pieceRows, const RetlArena *arena)
{
	uint64_t	pieces = values->count / pieceRows + (values->count % pieceRows != 0);
	RetlFsstSample sample;
	const RetlFsstMatcher *matcher;
	const RetlFsstTable *table;
	uint64_t	codes;
	uint32_t	i;
	uint64_t	size = TABLE_HEADER;

	if (values->isNumeric)
		return RETLDB_NEVER;
	RetlFsstSampleTake(&sample, values, false, arena);
	matcher = RetlFsstBuild(&sample, arena);
	table = RetlFsstTableOf(matcher);
	for (i = 0; i < table->count; i++)
		size += 1 + table->lengths[i];
	if (values->count == 0)
		return size;
	codes = EstimateCodes(matcher, values, arena);

	/* Lengths: mostly below twice their average. */
	return size + codes + pieces * (PIECE_HEADER + RETLDB_PACKED_HEADER) +
		RetlBitsSize(values->count, RetlBitWidth(2 * codes / values->count));
}

/* RetlEncoding.prepare: the table. */
static RetlEncodingState *
FsstPrepare(const RetlValues *values, const RetlArena *arena, RetlBytes *out)
{
	RetlEncodingState *state = RetlArenaAlloc(arena, sizeof(RetlEncodingState));
	const RetlFsstTable *table;
	RetlFsstSample sample;
	uint8_t		count;
	uint32_t	i;

	RetlFsstSampleTake(&sample, values, false, arena);
	state->matcher = RetlFsstBuild(&sample, arena);
	table = RetlFsstTableOf(state->matcher);
	count = (uint8_t) table->count;
	RetlBytesAppend(out, &count, TABLE_HEADER);
	RetlBytesAppend(out, table->lengths, table->count);
	for (i = 0; i < table->count; i++)
		RetlBytesAppend(out, &table->symbols[i], table->lengths[i]);
	return state;
}

/* RetlEncoding.encode. */
static void
FsstEncode(RetlEncodingState *state, const RetlValues *values, uint32_t first,
		   RetlBytes *out)
{
	uint32_t	rawSize = (uint32_t) RetlValuesRawSize(values);
	const uint8_t *readable;
	uint32_t   *lengths;
	uint8_t    *codes;
	size_t		codesSize = 0;
	uint32_t	i;

	(void) first;
	if (values->count == 0)
		return;
	readable = values->bytes + values->offsets[values->count];
	lengths = RetlArenaAlloc(out->arena, sizeof(uint32_t) * values->count);
	codes = RetlArenaAlloc(out->arena, (size_t) rawSize * 2 + 1);
	for (i = 0; i < values->count; i++)
	{
		lengths[i] = (uint32_t) RetlFsstCompress(state->matcher,
												 values->bytes + values->offsets[i],
												 values->offsets[i + 1] - values->offsets[i],
												 readable, codes + codesSize);
		codesSize += lengths[i];
	}
	RetlBytesAppend(out, &rawSize, PIECE_HEADER);
	RetlPackedAppend(out, lengths, values->count);
	RetlBytesAppend(out, codes, codesSize);
}

/* ---------------------------------------------------------------------
 * Reading
 * ---------------------------------------------------------------------
 */

/* Read the table; the source is what follows the number of symbols. */
static bool
OpenTable(RetlFsstTable *table, const uint8_t *src, size_t srcSize, const char **error)
{
	const uint8_t *lengths = src;
	uint32_t	i;

	if (srcSize < table->count)
		return RetlDamaged(error, "symbols are truncated");
	src += table->count;
	srcSize -= table->count;
	for (i = 0; i < table->count; i++)
	{
		uint8_t		length = lengths[i];

		if (length == 0 || length > RETLDB_FSST_SYMBOL_LENGTH)
			return RetlDamaged(error, "symbol has an impossible length");
		if (length > srcSize)
			return RetlDamaged(error, "symbols are truncated");
		memcpy(&table->symbols[i], src, length);
		table->lengths[i] = length;
		src += length;
		srcSize -= length;
	}
	if (srcSize != 0)
		return RetlDamaged(error, "symbols have the wrong length");
	return true;
}

/* RetlEncoding.open. */
static RetlEncodingState *
FsstOpen(const uint8_t *src, size_t srcSize, RetlPhysType type, uint16_t width,
		 const RetlArena *arena, const char **error)
{
	RetlEncodingState *state;

	(void) type;
	(void) width;
	if (srcSize < TABLE_HEADER)
	{
		*error = "symbols are truncated";
		return NULL;
	}
	state = RetlArenaAlloc(arena, sizeof(RetlEncodingState));
	memset(state, 0, sizeof(*state));
	state->table.count = src[0];
	if (!OpenTable(&state->table, src + TABLE_HEADER, srcSize - TABLE_HEADER, error))
		return NULL;
	return state;
}

/* Understand a payload; count is not 0.  Lengths and codes are not looked at yet. */
static bool
OpenPiece(FsstPiece *piece, const RetlEncodingState *state, const uint8_t *src,
		  size_t srcSize, uint32_t count, const char **error)
{
	if (state == NULL)
		return RetlDamaged(error, "chunk has no symbols");
	if (srcSize < PIECE_HEADER || srcSize > UINT32_MAX)
		return RetlDamaged(error, "codes of byte strings have the wrong length");
	piece->rawSize = RetlLoad32(src);
	src += PIECE_HEADER;
	srcSize -= PIECE_HEADER;
	if (!RetlPackedOpen(&piece->lengths, src, srcSize, count, error))
		return false;
	piece->codes = src + piece->lengths.size;
	piece->codesSize = srcSize - piece->lengths.size;
	if (piece->rawSize > (uint64_t) piece->codesSize * RETLDB_FSST_SYMBOL_LENGTH)
		return RetlDamaged(error, "byte strings are longer than their codes can be");
	return true;
}

/*
 * The number of code bytes of each value, from the arena; they are known to add
 * up.  NULL and error if they do not.
 */
static uint32_t *
ReadLengths(const FsstPiece *piece, uint32_t count, const RetlArena *arena,
			const char **error)
{
	uint32_t   *lengths = RetlArenaAlloc(arena, sizeof(uint32_t) * count);
	uint64_t	sum = 0;
	uint32_t	i;

	RetlPackedRead(&piece->lengths, 0, count, lengths);
	for (i = 0; i < count; i++)
		sum += lengths[i];
	if (sum != piece->codesSize)
	{
		*error = "lengths of codes do not add up";
		return NULL;
	}
	return lengths;
}

/* Is one of these four bytes the escape? */
static inline bool
HasEscape(uint32_t word)
{
	uint32_t	inverted = ~word;

	return ((inverted - 0x01010101) & ~inverted & 0x80808080) != 0;
}

/* Append the bytes of a symbol; eight bytes are written, whatever its length. */
#define EXPAND_SYMBOL(code) \
	do { \
		memcpy(dst, &table->symbols[code], sizeof(uint64_t)); \
		dst += table->lengths[code]; \
		unknown |= table->lengths[code] - 1u; \
	} while (0)

/*
 * Write the bytes of a value; eight more may be written after "limit".  Returns
 * their end, or NULL if the codes are damaged or the bytes do not fit.
 */
static uint8_t *
Expand(const RetlFsstTable *table, const uint8_t *src, const uint8_t *end,
	   uint8_t *dst, const uint8_t *limit)
{
	uint32_t	unknown = 0;	/* highest bit: a code without symbol */

	while (src < end)
	{
		uint8_t		code;

		if (end - src >= 4 && limit - dst >= 4 * RETLDB_FSST_SYMBOL_LENGTH &&
			!HasEscape(RetlLoad32(src)))
		{
			EXPAND_SYMBOL(src[0]);
			EXPAND_SYMBOL(src[1]);
			EXPAND_SYMBOL(src[2]);
			EXPAND_SYMBOL(src[3]);
			src += 4;
			continue;
		}
		code = *src++;
		if (code != RETLDB_FSST_ESCAPE)
		{
			if (limit - dst < table->lengths[code])
				return NULL;
			EXPAND_SYMBOL(code);
		}
		else
		{
			if (src == end || dst == limit)
				return NULL;
			*dst++ = *src++;
		}
	}
	return unknown >> 31 ? NULL : dst;
}

/* RetlEncoding.decode.  Values that nobody wants become empty ones. */
static bool
FsstDecode(const RetlEncodingState *state, const uint8_t *src, size_t srcSize,
		   RetlPhysType type, uint16_t width, uint32_t count,
		   RetlDecoded *result, const RetlArena *arena, const char **error)
{
	FsstPiece	piece;
	uint32_t   *lengths;
	uint8_t    *bytes;
	uint8_t    *dst;
	const uint8_t *codes;
	uint32_t	i;

	(void) type;
	(void) width;
	if (count == 0)
		return srcSize == 0 || RetlDamaged(error, "codes of byte strings have the wrong length");
	if (!OpenPiece(&piece, state, src, srcSize, count, error))
		return false;
	lengths = ReadLengths(&piece, count, arena, error);
	if (lengths == NULL)
		return false;
	bytes = RetlArenaAlloc(arena, (size_t) piece.rawSize + RETLDB_FSST_SYMBOL_LENGTH);
	result->bytes = bytes;
	dst = bytes;
	codes = piece.codes;
	for (i = 0; i < count; codes += lengths[i++])
	{
		result->starts[i] = (uint32_t) (dst - bytes);
		if (result->wanted == NULL || RetlIsSelected(result->wanted, i))
			dst = Expand(&state->table, codes, codes + lengths[i], dst, bytes + piece.rawSize);
		if (dst == NULL)
			return RetlDamaged(error, "codes of byte strings are damaged");
		result->lengths[i] = (uint32_t) (dst - bytes) - result->starts[i];
	}
	if (result->wanted == NULL && dst != bytes + piece.rawSize)
		return RetlDamaged(error, "byte strings have the wrong length");
	return true;
}

/*
 * Write the bytes of one value of a payload, whose codes begin at "start", to
 * memory of the arena.  Returns them and their number, or NULL if the codes are
 * damaged.
 */
static uint8_t *
ExpandOne(const FsstPiece *piece, const RetlFsstTable *table, uint64_t start, uint64_t size,
		  uint32_t *length, const RetlArena *arena)
{
	uint64_t	room = size * RETLDB_FSST_SYMBOL_LENGTH;
	uint8_t    *bytes;
	uint8_t    *end;

	if (start > piece->codesSize || size > piece->codesSize - start)
		return NULL;
	room = room < piece->rawSize ? room : piece->rawSize;
	bytes = RetlArenaAlloc(arena, (size_t) room + RETLDB_FSST_SYMBOL_LENGTH);
	end = Expand(table, piece->codes + start, piece->codes + start + size, bytes, bytes + room);
	*length = end == NULL ? 0 : (uint32_t) (end - bytes);
	return end == NULL ? NULL : bytes;
}

/* RetlEncoding.fetch. */
static bool
FsstFetch(const RetlEncodingState *state, const uint8_t *src, size_t srcSize,
		  RetlPhysType type, uint16_t width, uint32_t count, uint32_t index,
		  RetlDecoded *result, const RetlArena *arena, const char **error)
{
	FsstPiece	piece;

	(void) type;
	(void) width;
	if (index >= count)
		return RetlDamaged(error, "value index is out of range");
	if (!OpenPiece(&piece, state, src, srcSize, count, error))
		return false;
	result->bytes = ExpandOne(&piece, &state->table, RetlPackedSum(&piece.lengths, index),
							  RetlPackedFetch(&piece.lengths, index), &result->lengths[0], arena);
	result->starts[0] = 0;
	return result->bytes != NULL || RetlDamaged(error, "codes of byte strings are damaged");
}

/* RetlEncoding.needs. */
static bool
FsstNeeds(const uint8_t *src, size_t srcSize, RetlPhysType type, uint16_t width, uint32_t count,
		  uint32_t index, uint32_t step, RetlSpan *span)
{
	(void) type;
	(void) width;
	return RetlPackedStringNeeds(src, srcSize, PIECE_HEADER, count, index, step, span);
}

/* ---------------------------------------------------------------------
 * Filtering
 * ---------------------------------------------------------------------
 */

/*
 * How do the bytes of a symbol compare with the rest of a constant?  0: it begins
 * so.  *same is how many bytes they have in common.
 */
static inline int
CompareSymbol(uint64_t symbol, uint32_t length, const uint8_t *rest, size_t restLength,
			  uint32_t *same)
{
	uint32_t	common = restLength < length ? (uint32_t) restLength : length;
	uint64_t	word = 0;

	*same = common;
	if (restLength >= sizeof(word))
		word = RetlLoad64(rest);
	else if (restLength > 0)
		memcpy(&word, rest, restLength);
	if (common > 0 && (symbol ^ word) << (64 - 8 * common) != 0)
	{
		*same = (uint32_t) __builtin_ctzll(symbol ^ word) / 8;
		/* Shifted so that the first byte is the highest of what differs. */
		symbol = __builtin_bswap64(symbol << (64 - 8 * common));
		word = __builtin_bswap64(word << (64 - 8 * common));
		return symbol < word ? -1 : 1;
	}
	return common < length ? 1 : 0;
}

/*
 * How does a value compare with a constant, bytewise?  Its codes are read up to
 * the first difference; *same is how many bytes come before it.  False if they
 * are damaged.
 */
static inline bool
CompareCodes(const RetlFsstTable *table, const uint8_t *src, const uint8_t *end,
			 const RetlFilterConstant *constant, int *cmp, size_t *same)
{
	size_t		done = 0;		/* bytes of the constant */

	while (src < end)
	{
		uint8_t		code = *src++;
		uint64_t	symbol = table->symbols[code];
		uint32_t	length = table->lengths[code];
		uint32_t	common;

		if (code == RETLDB_FSST_ESCAPE)
		{
			if (src == end)
				return false;
			symbol = *src++;
			length = 1;
		}
		if (length == 0)
			return false;
		*cmp = CompareSymbol(symbol, length, constant->data + done, constant->length - done,
							 &common);
		done += common;
		*same = done;
		if (*cmp != 0)
			return true;
	}
	*same = done;
	*cmp = done < constant->length ? -1 : 0;
	return true;
}

/* Is a value among the constants of the filter, which rise? */
static bool
IsAmong(const RetlFsstTable *table, const uint8_t *src, const uint8_t *end,
		const RetlFilter *filter, bool *passes)
{
	uint32_t	low = 0;
	uint32_t	high = filter->constantCount;

	*passes = false;
	while (low < high && !*passes)
	{
		uint32_t	middle = low + (high - low) / 2;
		int			cmp;
		size_t		same;

		if (!CompareCodes(table, src, end, &filter->constants[middle], &cmp, &same))
			return false;
		*passes = cmp == 0;
		if (cmp > 0)
			low = middle + 1;
		else
			high = middle;
	}
	return true;
}

/* Does a value pass the filter?  False if its codes are damaged. */
static bool
TestCodes(const RetlFsstTable *table, const uint8_t *src, const uint8_t *end,
		  const RetlFilter *filter, bool *passes)
{
	size_t		size = (size_t) (end - src);
	uint32_t	length;
	size_t		same;
	int			cmp;

	if (filter->op == RETL_IN)
		return IsAmong(table, src, end, filter, passes);
	length = filter->constants[0].length;
	if ((filter->op == RETL_EQ || filter->op == RETL_NE) &&
		(size > 2 * (uint64_t) length || length > RETLDB_FSST_SYMBOL_LENGTH * (uint64_t) size))
	{
		/* No value of this length has so many codes, or so few. */
		*passes = filter->op == RETL_NE;
		return true;
	}
	if (!CompareCodes(table, src, end, &filter->constants[0], &cmp, &same))
		return false;
	*passes = RetlCompareHolds(filter->op == RETL_BETWEEN ? RETL_GE : filter->op, cmp);
	if (filter->op == RETL_BETWEEN && *passes)
	{
		if (!CompareCodes(table, src, end, &filter->constants[1], &cmp, &same))
			return false;
		*passes = cmp <= 0;
	}
	return true;
}

/* RetlEncoding.filter: comparisons only; for the rest values have to be decoded. */
static bool
FsstFilter(const RetlEncodingState *state, const uint8_t *src, size_t srcSize,
		   RetlPhysType type, uint16_t width, uint32_t count,
		   const RetlFilter *filter, RetlFilterMemo *memo,
		   uint64_t *selected, bool *answered,
		   const RetlArena *arena, const char **error)
{
	FsstPiece	piece;
	uint32_t   *lengths;
	const uint8_t *codes;
	uint32_t	i;

	(void) memo;
	*answered = filter->order == RETL_ORDER_BYTES &&
		RetlFilterCanCompare(filter, type, width);
	if (!*answered || count == 0)
		return true;
	if (!OpenPiece(&piece, state, src, srcSize, count, error))
		return false;
	lengths = ReadLengths(&piece, count, arena, error);
	if (lengths == NULL)
		return false;
	codes = piece.codes;
	for (i = 0; i < count; codes += lengths[i++])
	{
		bool		passes = true;

		if (!RetlIsSelected(selected, i))
			continue;
		if (!TestCodes(&state->table, codes, codes + lengths[i], filter, &passes))
			return RetlDamaged(error, "codes of byte strings are damaged");
		if (!passes)
			selected[i / 64] &= ~(UINT64_C(1) << (i % 64));
	}
	return true;
}

/* ---------------------------------------------------------------------
 * Shortened dictionaries
 * ---------------------------------------------------------------------
 */

/* Strings handled at a time. */
#define BLOCK_STRINGS	256

/* A search among shortened strings; all up to the current one are below the constant. */
typedef struct ShortenedSearch
{
	const RetlFsstTable *table;
	const RetlFilterConstant *constant;
	const uint8_t *codes;		/* of the next string */
	const uint8_t *codesEnd;
	size_t		same;			/* bytes that the current one has in common with the
								 * constant */
} ShortenedSearch;

/*
 * Go through some strings, up to the first that is not below the constant:
 * *found is its index among them, or "count".  False if something is damaged.
 *
 * A string that shares more with the one before than that one with the constant
 * differs from the constant where that one does, and need not be looked at.
 */
static bool
SearchBlock(ShortenedSearch *search, const uint32_t *common, const uint32_t *lengths,
			uint32_t count, uint32_t *found, bool *equal)
{
	uint32_t	i;

	for (i = 0; i < count; i++)
	{
		RetlFilterConstant rest = *search->constant;
		const uint8_t *end = search->codes + lengths[i];
		size_t		same;
		int			cmp;

		if (common[i] <= search->same)
		{
			rest.data += common[i];
			rest.length -= common[i];
			if (!CompareCodes(search->table, search->codes, end, &rest, &cmp, &same))
				return false;
			if (cmp >= 0)
			{
				*equal = cmp == 0;
				break;
			}
			search->same = common[i] + same;
		}
		search->codes = end;
	}
	*found = i;
	return true;
}

/* Must one of these strings be looked at?  *size are the codes of all of them. */
static inline bool
NeedsLook(const ShortenedSearch *search, const uint32_t *common, const uint32_t *lengths,
		  uint32_t count, uint64_t *size)
{
	uint32_t	same = (uint32_t) search->same;
	uint32_t	any = 0;
	uint64_t	sum = 0;
	uint32_t	i;

	for (i = 0; i < count; i++)
	{
		any |= common[i] <= same;
		sum += lengths[i];
	}
	*size = sum;
	return any != 0;
}

/* See descriptors.h. */
bool
RetlFsstFindShortened(const RetlEncodingState *symbols, const uint8_t *rests, size_t restsSize,
					  const RetlPacked *common, const RetlFilterConstant *constant,
					  RetlStringPlace *place)
{
	ShortenedSearch search = {&symbols->table, constant, NULL, NULL, 0};
	FsstPiece	piece;
	const char *error;
	uint32_t	first;

	place->below = 0;
	place->equal = false;
	if (common->count == 0)
		return true;
	if (!OpenPiece(&piece, symbols, rests, restsSize, common->count, &error))
		return false;
	search.codes = piece.codes;
	search.codesEnd = piece.codes + piece.codesSize;
	for (first = 0; first < common->count; first += BLOCK_STRINGS)
	{
		uint32_t	rest = common->count - first;
		uint32_t	count = rest < BLOCK_STRINGS ? rest : BLOCK_STRINGS;
		uint32_t	shared[BLOCK_STRINGS];
		uint32_t	lengths[BLOCK_STRINGS];
		uint32_t	found = count;
		uint64_t	size;

		RetlPackedRead(common, first, count, shared);
		RetlPackedRead(&piece.lengths, first, count, lengths);
		if (first == 0 && shared[0] != 0)
			return false;
		if (!NeedsLook(&search, shared, lengths, count, &size))
		{
			if (size > (uint64_t) (search.codesEnd - search.codes))
				return false;
			search.codes += size;
		}
		else if (size > (uint64_t) (search.codesEnd - search.codes) ||
				 !SearchBlock(&search, shared, lengths, count, &found, &place->equal))
			return false;
		place->below += found;
		if (found < count)
			break;
	}
	return true;
}

/*
 * See descriptors.h.  What a string shares with the one before is either that
 * one's own rest, or what it shares with the one before it, and so on.
 */
bool
RetlFsstFetchShortened(const RetlEncodingState *symbols, const uint8_t *rests, size_t restsSize,
					   const RetlPacked *common, uint32_t index, RetlDecoded *result,
					   const RetlArena *arena, const char **error)
{
	static const char *const damaged = "shortened dictionary is damaged";
	FsstPiece	piece;
	uint64_t	start;
	uint32_t	size;
	uint32_t	missing;		/* bytes of the string before those that are known */
	uint32_t	length;
	uint8_t    *rest;
	uint8_t    *bytes;

	if (!OpenPiece(&piece, symbols, rests, restsSize, common->count, error))
		return false;
	start = RetlPackedSum(&piece.lengths, index);
	size = RetlPackedFetch(&piece.lengths, index);
	missing = RetlPackedFetch(common, index);
	rest = ExpandOne(&piece, &symbols->table, start, size, &length, arena);
	if (rest == NULL || missing > piece.rawSize)
		return RetlDamaged(error, damaged);
	bytes = RetlArenaAlloc(arena, (size_t) missing + length + 1);
	memcpy(bytes + missing, rest, length);
	result->bytes = bytes;
	result->starts[0] = 0;
	result->lengths[0] = missing + length;
	while (missing > 0)
	{
		uint32_t	shared;

		if (index-- == 0)
			return RetlDamaged(error, damaged);
		size = RetlPackedFetch(&piece.lengths, index);
		start -= size;
		shared = RetlPackedFetch(common, index);
		if (shared >= missing)
			continue;
		rest = ExpandOne(&piece, &symbols->table, start, size, &length, arena);
		if (rest == NULL || length < missing - shared)
			return RetlDamaged(error, damaged);
		memcpy(bytes + shared, rest, missing - shared);
		missing = shared;
	}
	return true;
}

const RetlEncoding RetlFsstEncoding = {
	.id = RETL_ENCODING_FSST,
	.name = "fsst",
	.applies = FsstApplies,
	.analyse = FsstAnalyse,
	.prepare = FsstPrepare,
	.encode = FsstEncode,
	.open = FsstOpen,
	.decode = FsstDecode,
	.fetch = FsstFetch,
	.needs = FsstNeeds,
	.filter = FsstFilter,
};
