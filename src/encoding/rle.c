/*-------------------------------------------------------------------------
 *
 * rle.c
 *	  RLE: run lengths and one value for each run.  Pure C.
 *
 * Serves every type.  A run is a stretch of values with the same bytes; it ends
 * with the piece.
 *
 * Payload, empty if there are no values:
 *
 *	OFFSET	SIZE	DESCRIPTION
 *	0		4		r, the number of runs, 1 to count
 *	4		n		the lengths of the runs, each at least 1, together count: a
 *					packed array (bitpacking.h) of r numbers
 *	4 + n	...		the r values: a BITPACK payload (bitpack.c) for RETL_PHYS_INT,
 *					a PLAIN payload (plain.c) for other types
 *
 * Example: the "char" values 7, 7, 7, 9 are 02 00 00 00 | 02 01 00 00 00 02 |
 * 02 07 08 - two runs; lengths 3 and 1 with base 1 in two bits each; values 7
 * and 9 with smallest 7 in two bits each.
 *
 *-------------------------------------------------------------------------
 */
#include "encoding/bitpacking.h"
#include "encoding/descriptors.h"
#include "encoding/filtering.h"
#include "encoding/valueops.h"

/* Bytes before the run lengths. */
#define RLE_HEADER		4

/* The payload of a piece with at least one value. */
typedef struct RlePiece
{
	uint32_t	runCount;
	RetlPacked	lengths;
	const uint8_t *values;		/* payload of the run values */
	size_t		valuesSize;
} RlePiece;

/* What the runs of some values look like. */
typedef struct RunSummary
{
	uint32_t	runCount;
	uint32_t	shortest;
	uint32_t	longest;
} RunSummary;

/* How the run values are encoded. */
static const RetlEncoding *
RunValueEncoding(RetlPhysType type)
{
	return type == RETL_PHYS_INT ? &RetlBitpackEncoding : &RetlPlainEncoding;
}

/* Any type whose run values can be encoded. */
static bool
RleApplies(RetlPhysType type, uint16_t width)
{
	return RunValueEncoding(type)->applies(type, width);
}

/* RunEnd for one width, which is a constant. */
#define RUN_END(W) \
	while (i < values->count && \
		   memcmp(values->fixed + (size_t) (i - 1) * (W), values->fixed + (size_t) i * (W), (W)) == 0) \
		i++; \
	return i

/* First value at or after "from" that differs from the one before it, or count. */
static uint32_t
RunEnd(const RetlValues *values, uint32_t from)
{
	uint32_t	i = from;

	switch (values->width)
	{
		case 1:
			RUN_END(1);
		case 2:
			RUN_END(2);
		case 4:
			RUN_END(4);
		case 8:
			RUN_END(8);
		default:
			while (i < values->count && RetlValuesSame(values, i - 1, i))
				i++;
			return i;
	}
}

/* Look at the runs of at least one value. */
static RunSummary
SummariseRuns(const RetlValues *values)
{
	RunSummary	runs = {0, UINT32_MAX, 0};
	uint32_t	start;
	uint32_t	end;

	for (start = 0; start < values->count; start = end)
	{
		uint32_t	length;

		end = RunEnd(values, start + 1);
		length = end - start;
		runs.runCount++;
		runs.shortest = length < runs.shortest ? length : runs.shortest;
		runs.longest = length > runs.longest ? length : runs.longest;
	}
	return runs;
}

/*
 * The value of each run, as an array of its own, and the lengths of the runs.
 * All of it is in memory of the arena, for which runCount says how much.
 */
static RetlValues
CollectRuns(const RetlValues *values, uint32_t runCount, uint32_t *lengths,
			const RetlArena *arena)
{
	RetlValues	result = *values;
	uint32_t   *firsts = RetlArenaAlloc(arena, sizeof(uint32_t) * runCount);
	size_t		size = 0;
	uint8_t    *bytes;
	uint32_t   *offsets = NULL;
	uint32_t	length;
	uint32_t	start;
	uint32_t	end;
	uint32_t	run = 0;

	for (start = 0; start < values->count; start = end)
	{
		end = RunEnd(values, start + 1);
		(void) RetlValueAt(values, start, &length);
		size += length;
		firsts[run] = start;
		lengths[run++] = end - start;
	}
	bytes = RetlArenaAlloc(arena, size > 0 ? size : 1);
	if (values->type == RETL_PHYS_BYTES)
		offsets = RetlArenaAlloc(arena, sizeof(uint32_t) * ((size_t) runCount + 1));
	size = 0;
	for (run = 0; run < runCount; run++)
	{
		const uint8_t *value = RetlValueAt(values, firsts[run], &length);

		if (offsets != NULL)
			offsets[run] = (uint32_t) size;
		if (length > 0)
			memcpy(bytes + size, value, length);
		size += length;
	}
	if (offsets != NULL)
		offsets[runCount] = (uint32_t) size;
	result.count = runCount;
	result.fixed = offsets == NULL ? bytes : NULL;
	result.offsets = offsets;
	result.bytes = offsets != NULL ? bytes : NULL;
	return result;
}

/*
 * Bytes of the values of all runs of a piece: exact but for the widths of
 * packed numbers, which are taken from all values of the piece.
 */
static uint64_t
RunValuesSize(const RetlValues *piece, uint32_t runCount, const RetlArena *arena)
{
	uint64_t	whole = RunValueEncoding(piece->type)->analyse(piece, piece->count, arena);
	uint64_t	size = 0;
	uint32_t	start;

	if (piece->type != RETL_PHYS_BYTES)
		return whole / piece->count * runCount + whole % piece->count * runCount / piece->count;

	/* The text of each run's value, and its share of the packed lengths. */
	for (start = 0; start < piece->count; start = RunEnd(piece, start + 1))
		size += piece->offsets[start + 1] - piece->offsets[start];
	whole -= RetlValuesRawSize(piece);
	return size + whole * runCount / piece->count + RETLDB_PACKED_HEADER;
}

/*
 * RetlEncoding.analyse: close to exact.  Gives up where most values begin a
 * run; a quarter of them is enough to see that.
 */
static uint64_t
RleAnalyse(const RetlValues *values, uint32_t pieceRows, const RetlArena *arena)
{
	uint64_t	size = 0;
	uint64_t	runCount = 0;
	uint32_t	first;
	uint32_t	part;

	for (first = 0; first < values->count; first += part)
	{
		RetlValues	piece;
		RunSummary	runs;

		part = values->count - first < pieceRows ? values->count - first : pieceRows;
		piece = RetlValuesSlice(values, first, part);
		runs = SummariseRuns(&piece);
		runCount += runs.runCount;
		if (first > 0 && first + part > values->count / 4 && runCount > (first + part) / 8 * 7)
			return RETLDB_NEVER;
		size += RLE_HEADER + RetlPackedSize(runs.runCount, runs.shortest, runs.longest) +
			RunValuesSize(&piece, runs.runCount, arena);
	}
	return size;
}

/* RetlEncoding.encode. */
static void
RleEncode(RetlEncodingState *state, const RetlValues *values, uint32_t first,
		  RetlBytes *out)
{
	RunSummary	runs;
	RetlValues	runValues;
	uint32_t   *lengths;

	(void) state;
	(void) first;
	if (values->count == 0)
		return;
	runs = SummariseRuns(values);
	lengths = RetlArenaAlloc(out->arena, sizeof(uint32_t) * runs.runCount);
	runValues = CollectRuns(values, runs.runCount, lengths, out->arena);
	RetlBytesAppend(out, &runs.runCount, RLE_HEADER);
	RetlPackedAppend(out, lengths, runs.runCount);
	RunValueEncoding(values->type)->encode(NULL, &runValues, 0, out);
}

/* Understand a payload; count is not 0.  The lengths are not looked at yet. */
static bool
OpenPiece(RlePiece *piece, const uint8_t *src, size_t srcSize, uint32_t count,
		  const char **error)
{
	if (srcSize < RLE_HEADER)
		return RetlDamaged(error, "run-length piece is truncated");
	piece->runCount = RetlLoad32(src);
	if (piece->runCount == 0 || piece->runCount > count)
		return RetlDamaged(error, "run-length piece has an impossible number of runs");
	src += RLE_HEADER;
	srcSize -= RLE_HEADER;
	if (!RetlPackedOpen(&piece->lengths, src, srcSize, piece->runCount, error))
		return false;
	piece->values = src + piece->lengths.size;
	piece->valuesSize = srcSize - piece->lengths.size;
	return true;
}

/* Do the lengths of the runs add up to count, and is none 0? */
static bool
CheckLengths(const uint32_t *lengths, uint32_t runCount, uint32_t count, const char **error)
{
	uint32_t	sum = 0;
	uint32_t	zeros = 0;
	uint32_t	any = 0;
	uint64_t	longSum = 0;
	uint32_t	i;

	/* A loop that every processor can vectorise; good for lengths below 2^16. */
	for (i = 0; i < runCount; i++)
	{
		sum += lengths[i];
		zeros |= lengths[i] == 0;
		any |= lengths[i];
	}
	if (any >> 16 == 0 && runCount <= UINT16_MAX)
		longSum = sum;
	else
		for (i = 0; i < runCount; i++)
			longSum += lengths[i];
	if (zeros != 0 || longSum != count)
		return RetlDamaged(error, "run lengths do not add up");
	return true;
}

/* Open a piece and read the lengths of its runs; NULL if they are damaged. */
static uint32_t *
OpenRuns(RlePiece *piece, const uint8_t *src, size_t srcSize, uint32_t count,
		 const RetlArena *arena, const char **error)
{
	uint32_t   *lengths;

	if (!OpenPiece(piece, src, srcSize, count, error))
		return NULL;
	lengths = RetlArenaAlloc(arena, sizeof(uint32_t) * piece->runCount);
	RetlPackedRead(&piece->lengths, 0, piece->runCount, lengths);
	return CheckLengths(lengths, piece->runCount, count, error) ? lengths : NULL;
}

/* Write each run's value as often as its length says; W is a constant. */
#define EXPAND_LOOP(W) \
	for (; run < runCount; run++, values += (W)) \
	{ \
		uint32_t	left; \
		for (left = lengths[run]; left > 0; left--, dst += (W)) \
			memcpy(dst, values, (W)); \
	}

/* Values written at once: most runs are no longer, and need no loop of their own. */
#define STRETCH		8

/*
 * The same for integers of type T, as long as a stretch of them does not reach
 * past the end: what is too much, the next run writes over.
 */
#define EXPAND_STRETCHES(T) \
	for (; run < runCount && dst + STRETCH * sizeof(T) <= end; run++, values += sizeof(T)) \
	{ \
		uint8_t    *next = dst + lengths[run] * sizeof(T); \
		T			stretch[STRETCH]; \
		T			value; \
		int			i; \
\
		memcpy(&value, values, sizeof(T)); \
		for (i = 0; i < STRETCH; i++) \
			stretch[i] = value; \
		memcpy(dst, stretch, sizeof(stretch)); \
		for (dst += sizeof(stretch); dst < next; dst += sizeof(T)) \
			memcpy(dst, &value, sizeof(T)); \
		dst = next; \
	}

/* Expand runs of fixed-width values, "count" together. */
static void
ExpandFixed(uint8_t *restrict dst, const uint8_t *restrict values, uint16_t width,
			const uint32_t *restrict lengths, uint32_t runCount, uint32_t count)
{
	const uint8_t *end = dst + (size_t) count * width;
	uint32_t	run = 0;

	switch (width)
	{
		case 1:
			for (; run < runCount; dst += lengths[run++])
				memset(dst, values[run], lengths[run]);
			break;
		case 2:
			EXPAND_STRETCHES(uint16_t);
			EXPAND_LOOP(2);
			break;
		case 4:
			EXPAND_STRETCHES(uint32_t);
			EXPAND_LOOP(4);
			break;
		case 8:
			EXPAND_STRETCHES(uint64_t);
			EXPAND_LOOP(8);
			break;
		default:
			EXPAND_LOOP(width);
			break;
	}
}

/* Expand runs of byte strings; their bytes stay where they are. */
static void
ExpandBytes(RetlDecoded *result, const RetlDecoded *values, const uint32_t *lengths,
			uint32_t runCount)
{
	uint32_t   *starts = result->starts;
	uint32_t   *valueLengths = result->lengths;
	uint32_t	run;

	for (run = 0; run < runCount; run++)
	{
		uint32_t	left;

		for (left = lengths[run]; left > 0; left--)
		{
			*starts++ = values->starts[run];
			*valueLengths++ = values->lengths[run];
		}
	}
	result->bytes = values->bytes;
}

/* A walk over the runs. */
typedef struct RunWalk
{
	const uint32_t *lengths;
	uint32_t	runCount;
	uint32_t	run;			/* the current one */
	uint32_t	end;			/* its end */
} RunWalk;

/* Runs that are passed over at once, and how far away a value must be for it. */
#define STRIDE_RUNS		8
#define STRIDE_VALUES	32

/* Before the first run of some that have checked lengths. */
static inline RunWalk
StartWalk(const uint32_t *lengths, uint32_t runCount)
{
	return (RunWalk) {lengths, runCount, 0, lengths[0]};
}

/* Walk on to the run that has value i, which is there. */
static inline uint32_t
WalkTo(RunWalk *walk, uint32_t i)
{
	while (walk->end + STRIDE_VALUES <= i && walk->run + STRIDE_RUNS < walk->runCount)
	{
		const uint32_t *next = walk->lengths + walk->run + 1;
		uint32_t	sum = ((next[0] + next[1]) + (next[2] + next[3])) +
			((next[4] + next[5]) + (next[6] + next[7]));

		if (sum > i - walk->end)
			break;
		walk->end += sum;
		walk->run += STRIDE_RUNS;
	}
	while (walk->end <= i)
		walk->end += walk->lengths[++walk->run];
	return walk->run;
}

/*
 * Which runs have a selected value?  The runs are "count" values together.
 */
static void
SelectRuns(const uint32_t *lengths, uint32_t runCount, const uint64_t *selected, uint32_t count,
		   uint64_t *runs)
{
	RunWalk		walk = StartWalk(lengths, runCount);
	uint32_t	i;

	memset(runs, 0, sizeof(uint64_t) * RetlSelectionWords(runCount));
	for (i = RetlNextSelected(selected, 0, count); i < count;
		 i = RetlNextSelected(selected, walk.end, count))
	{
		uint32_t	run = WalkTo(&walk, i);

		runs[run / 64] |= UINT64_C(1) << (run % 64);
	}
}

/*
 * The run that has value i: the first one whose end is beyond it, of those from the
 * first on.  Where a value is among runs of all lengths nobody can predict, so there is
 * no branch that asks; and searches do not wait for each other.
 */
static inline uint32_t
FindRun(const uint32_t *ends, uint32_t runCount, uint32_t i)
{
	const uint32_t *first = ends;

	while (runCount > 1)
	{
		uint32_t	half = runCount / 2;

		first += half & (0 - (uint32_t) (first[half - 1] <= i));
		runCount -= half;
	}
	return (uint32_t) (first - ends);
}

/* The runs of some values, given by their indexes; checked lengths become the runs' ends. */
static void
FindRuns(uint32_t *lengths, uint32_t runCount, const uint32_t *indexes, uint32_t count,
		 uint32_t *runs)
{
	uint32_t	end = 0;
	uint32_t	i;

	for (i = 0; i < runCount; i++)
		lengths[i] = end += lengths[i];
	for (i = 0; i < count; i++)
		runs[i] = FindRun(lengths, runCount, indexes[i]);
}

/* Give the wanted values, which are few, those of their runs. */
static void
TakeFew(RetlDecoded *result, const RetlDecoded *values, RetlPhysType type, uint16_t width)
{
	uint32_t	which;

	for (which = 0; which < result->fewCount; which++)
	{
		uint32_t	i = result->few[which];
		uint32_t	run = values->few[which];

		if (type == RETL_PHYS_BYTES)
		{
			result->starts[i] = values->starts[run];
			result->lengths[i] = values->lengths[run];
		}
		else if (width == 4)
			memcpy(result->fixed + (size_t) i * 4, values->fixed + (size_t) run * 4, 4);
		else if (width == 8)
			memcpy(result->fixed + (size_t) i * 8, values->fixed + (size_t) run * 8, 8);
		else
			memcpy(result->fixed + (size_t) i * width, values->fixed + (size_t) run * width, width);
	}
	result->bytes = values->bytes;
}

/*
 * RetlEncoding.decode: allocates for the runs, of which there are at most count.
 * If few values are wanted only their runs are looked at.
 */
static bool
RleDecode(const RetlEncodingState *state, const uint8_t *src, size_t srcSize,
		  RetlPhysType type, uint16_t width, uint32_t count,
		  RetlDecoded *result, const RetlArena *arena, const char **error)
{
	RlePiece	piece;
	RetlDecoded values;
	uint32_t   *lengths;

	(void) state;
	if (count == 0)
		return srcSize == 0 || RetlDamaged(error, "run-length piece has the wrong length");
	lengths = OpenRuns(&piece, src, srcSize, count, arena, error);
	if (lengths == NULL)
		return false;

	memset(&values, 0, sizeof(values));
	if (RetlDecodedIsFew(result, count, arena))
	{
		uint32_t   *runs = RetlArenaAlloc(arena, sizeof(uint32_t) * (result->fewCount + 1));

		FindRuns(lengths, piece.runCount, result->few, result->fewCount, runs);
		values.few = runs;
		values.fewCount = result->fewCount;
	}
	if (type == RETL_PHYS_BYTES)
	{
		values.starts = RetlArenaAlloc(arena, sizeof(uint32_t) * piece.runCount);
		values.lengths = RetlArenaAlloc(arena, sizeof(uint32_t) * piece.runCount);
	}
	else
		values.fixed = RetlArenaAlloc(arena, (size_t) piece.runCount * width);
	if (!RunValueEncoding(type)->decode(NULL, piece.values, piece.valuesSize, type, width,
										piece.runCount, &values, arena, error))
		return false;
	if (values.few != NULL)
		TakeFew(result, &values, type, width);
	else if (type == RETL_PHYS_BYTES)
		ExpandBytes(result, &values, lengths, piece.runCount);
	else
		ExpandFixed(result->fixed, values.fixed, width, lengths, piece.runCount, count);
	return true;
}

/* RetlEncoding.fetch: find the run, then its value. */
static bool
RleFetch(const RetlEncodingState *state, const uint8_t *src, size_t srcSize,
		 RetlPhysType type, uint16_t width, uint32_t count, uint32_t index,
		 RetlDecoded *result, const RetlArena *arena, const char **error)
{
	RlePiece	piece;
	uint32_t	run;

	(void) state;
	if (index >= count)
		return RetlDamaged(error, "value index is out of range");
	if (!OpenPiece(&piece, src, srcSize, count, error))
		return false;
	if (!RetlPackedFindRun(&piece.lengths, index, &run))
		return RetlDamaged(error, "run lengths do not add up");
	return RunValueEncoding(type)->fetch(NULL, piece.values, piece.valuesSize, type, width,
										 piece.runCount, run, result, arena, error);
}

/* Clear the values of all runs but the selected; neighbours among them at once. */
static void
ClearRuns(const uint32_t *lengths, uint32_t runCount, const uint64_t *runs,
		  uint64_t *selected)
{
	uint32_t	start = 0;
	uint32_t	end = 0;
	uint32_t	run;

	for (run = 0; run < runCount; run++)
	{
		if (RetlIsSelected(runs, run))
		{
			RetlSelectionClear(selected, start, end - start);
			start = end + lengths[run];
		}
		end += lengths[run];
	}
	RetlSelectionClear(selected, start, end - start);
}

/* RetlEncoding.filter: the run values are filtered as their encoding does it. */
static bool
RleFilter(const RetlEncodingState *state, const uint8_t *src, size_t srcSize,
		  RetlPhysType type, uint16_t width, uint32_t count,
		  const RetlFilter *filter, RetlFilterMemo *memo,
		  uint64_t *selected, bool *answered,
		  const RetlArena *arena, const char **error)
{
	RlePiece	piece;
	uint32_t   *lengths;
	uint64_t   *runs;

	(void) state;
	*answered = RetlFilterCanTest(filter, type, width);	/* as of the run values */
	if (!*answered)
		return true;
	if (count == 0)
		return srcSize == 0 || RetlDamaged(error, "run-length piece has the wrong length");
	lengths = OpenRuns(&piece, src, srcSize, count, arena, error);
	if (lengths == NULL)
		return false;
	runs = RetlArenaAlloc(arena, sizeof(uint64_t) * RetlSelectionWords(piece.runCount));
	SelectRuns(lengths, piece.runCount, selected, count, runs);
	if (!RunValueEncoding(type)->filter(NULL, piece.values, piece.valuesSize, type, width,
										piece.runCount, filter, memo, runs, answered,
										arena, error))
		return false;
	ClearRuns(lengths, piece.runCount, runs, selected);
	return true;
}

const RetlEncoding RetlRleEncoding = {
	.id = RETL_ENCODING_RLE,
	.name = "rle",
	.applies = RleApplies,
	.analyse = RleAnalyse,
	.encode = RleEncode,
	.decode = RleDecode,
	.takesFew = true,
	.fetch = RleFetch,
	.filter = RleFilter,
};
