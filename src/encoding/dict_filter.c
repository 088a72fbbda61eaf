/*-------------------------------------------------------------------------
 *
 * dict_filter.c
 *	  DICT: filters, and excluding chunks.  Pure C.
 *
 * A comparison becomes a range of codes, once for each chunk; pieces are then
 * asked for codes of this range.  The dictionary need not be open for it: constants
 * are looked for among shortened entries as they are.
 *
 *-------------------------------------------------------------------------
 */
#include "encoding/descriptors.h"
#include "encoding/dict_state.h"
#include "encoding/filtering.h"
#include "encoding/valueops.h"

/* More constants of IN than this are not looked for among shortened entries. */
#define MAX_SEARCHED	16

/* What is known of an entry. */
typedef enum DictVerdict
{
	VERDICT_UNKNOWN,
	VERDICT_FAIL,
	VERDICT_PASS
} DictVerdict;

/*
 * What a filter's memo holds: which codes pass, as a range or as a verdict for
 * each.  Verdicts are found when a selected value needs them; but if entries are
 * few and there is nothing that might raise an error, all at once, and then they
 * are a set, too.
 */
typedef struct DictMemo
{
	RetlRange	range;
	uint8_t    *verdicts;		/* NULL: the range says it all */
	bool		hasSet;
	RetlNumberSet set;
} DictMemo;

/*
 * The number of entries that compare lower than the constant, or, if
 * "orEqual", lower or equal.
 */
static uint32_t
EntriesBelow(const RetlEncodingState *state, RetlPhysType type, uint16_t width,
			 const RetlFilterConstant *constant, bool orEqual)
{
	uint32_t	low = 0;
	uint32_t	high = state->entryCount;

	while (low < high)
	{
		uint32_t	middle = low + (high - low) / 2;
		uint32_t	length;
		const uint8_t *entry = RetlDictEntryAt(state, width, middle, &length);
		int			cmp = RetlCompareValues(type, width, entry, length,
											constant->data, constant->length);

		if (cmp < 0 || (orEqual && cmp == 0))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/*
 * The codes of entries that equal the constant are those from *from on and below
 * *to; where there is none, both say where it would stand.  False if the
 * dictionary is damaged.
 */
static bool
FindEqual(const RetlEncodingState *state, RetlPhysType type, uint16_t width,
		  const RetlFilterConstant *constant, uint32_t *from, uint32_t *to)
{
	const RetlDictShortened *shortened = state->shortened;
	RetlStringPlace place;

	if (shortened == NULL)
	{
		*from = EntriesBelow(state, type, width, constant, false);
		*to = EntriesBelow(state, type, width, constant, true);
		return true;
	}
	if (!RetlFsstFindShortened(shortened->symbols, shortened->rests, shortened->restsSize,
							   &shortened->common, constant, &place))
		return false;
	*from = place.below;
	*to = place.below + (place.equal ? 1 : 0);
	return true;
}

/*
 * The codes that pass a comparison: equal values are neighbours, so they are a
 * range.  False if the dictionary is damaged.
 */
static bool
RangeOfCodes(const RetlEncodingState *state, RetlPhysType type, uint16_t width,
			 const RetlFilter *filter, RetlRange *range)
{
	RetlFilterOp op = filter->op;
	uint32_t	equalFrom;
	uint32_t	equalTo;
	uint32_t	from = 0;
	uint32_t	to = state->entryCount; /* from <= code < to */

	*range = (RetlRange) {1, 0, op == RETL_NE};
	if (!FindEqual(state, type, width, &filter->constants[0], &equalFrom, &equalTo))
		return false;
	if (op != RETL_LT && op != RETL_LE)
		from = op == RETL_GT ? equalTo : equalFrom;
	if (op == RETL_BETWEEN &&
		!FindEqual(state, type, width, &filter->constants[1], &equalFrom, &equalTo))
		return false;
	if (op != RETL_GE && op != RETL_GT)
		to = op == RETL_LT ? equalFrom : equalTo;
	if (from < to)
	{
		range->low = from;
		range->high = to - 1;
	}
	return true;
}

/*
 * Give each code its verdict: does the constant it equals exist?  False if the
 * dictionary is damaged.
 */
static bool
MarkAmong(const RetlEncodingState *state, RetlPhysType type, uint16_t width,
		  const RetlFilter *filter, uint8_t *verdicts)
{
	uint32_t	i;

	memset(verdicts, VERDICT_FAIL, state->entryCount);
	for (i = 0; i < filter->constantCount; i++)
	{
		uint32_t	from;
		uint32_t	to;

		if (!FindEqual(state, type, width, &filter->constants[i], &from, &to))
			return false;
		if (from < to)
			memset(verdicts + from, VERDICT_PASS, to - from);
	}
	return true;
}

/* The verdicts as a range, if they are one. */
static void
FindRange(DictMemo *memo, uint32_t entryCount)
{
	uint32_t	from = 0;
	uint32_t	to = entryCount;
	uint32_t	i;

	while (from < to && memo->verdicts[from] == VERDICT_FAIL)
		from++;
	while (from < to && memo->verdicts[to - 1] == VERDICT_FAIL)
		to--;
	for (i = from; i < to; i++)
		if (memo->verdicts[i] == VERDICT_FAIL)
			return;
	memo->verdicts = NULL;
	if (from < to)
	{
		memo->range.low = from;
		memo->range.high = to - 1;
	}
}

/*
 * Give each code its verdict that has none yet, and note them in the set, if codes are
 * few.  Not if a predicate would be asked: it may raise an error for a value that no
 * selected row has.
 */
static void
FindSet(DictMemo *memo, const RetlEncodingState *state, RetlPhysType type, uint16_t width,
		const RetlFilter *filter)
{
	uint32_t	i;

	if (state->entryCount > RETLDB_SET_NUMBERS || !RetlFilterCanCompare(filter, type, width))
		return;
	for (i = 0; i < state->entryCount; i++)
	{
		if (memo->verdicts[i] == VERDICT_UNKNOWN)
		{
			uint32_t	length;
			const uint8_t *entry = RetlDictEntryAt(state, width, i, &length);

			memo->verdicts[i] = RetlFilterTest(filter, type, width, entry, length)
				? VERDICT_PASS : VERDICT_FAIL;
		}
		if (memo->verdicts[i] == VERDICT_PASS)
			memo->set.words[i / 32] |= UINT32_C(1) << (i % 32);
	}
	memo->hasSet = true;
}

/* Does the order of the dictionary tell which entries pass? */
static bool
IsInOrder(const RetlFilter *filter, RetlPhysType type, uint16_t width)
{
	bool		equality = filter->op == RETL_EQ || filter->op == RETL_NE ||
		filter->op == RETL_IN;

	/* It is in signed order, which equality does not mind. */
	return RetlFilterCanCompare(filter, type, width) &&
		filter->order != RETL_ORDER_NUMERIC &&
		(equality || filter->order != RETL_ORDER_UNSIGNED);
}

/* Can the filter be answered by looking for its constants among shortened entries? */
static bool
CanSearch(const RetlFilter *filter, RetlPhysType type, uint16_t width)
{
	return IsInOrder(filter, type, width) &&
		(filter->op != RETL_IN || filter->constantCount <= MAX_SEARCHED);
}

/*
 * The memo for the filter, made if it is not there yet.  NULL if the dictionary
 * would have to be open for it, or is damaged, which happens only if it is not.
 */
static DictMemo *
GetMemo(const RetlEncodingState *state, RetlPhysType type, uint16_t width,
		const RetlFilter *filter, RetlFilterMemo *kept)
{
	bool		inOrder = IsInOrder(filter, type, width);
	DictMemo   *memo;

	if (kept->data != NULL)
		return kept->data;
	if (state->shortened != NULL && !CanSearch(filter, type, width))
		return NULL;
	memo = RetlArenaAlloc(kept->arena, sizeof(DictMemo));
	memset(memo, 0, sizeof(*memo));
	memo->range.low = 1;
	if (inOrder && filter->op != RETL_IN)
	{
		if (!RangeOfCodes(state, type, width, filter, &memo->range))
			return NULL;
	}
	else
	{
		memo->verdicts = RetlArenaAlloc(kept->arena, (size_t) state->entryCount + 1);
		memset(memo->verdicts, VERDICT_UNKNOWN, state->entryCount);
		if (inOrder && !MarkAmong(state, type, width, filter, memo->verdicts))
			return NULL;
		if (inOrder)
			FindRange(memo, state->entryCount);
		if (memo->verdicts != NULL)
			FindSet(memo, state, type, width, filter);
	}
	kept->data = memo;
	return memo;
}

/* A filter at work on a piece. */
typedef struct DictTest
{
	const RetlEncodingState *state;
	const RetlFilter *filter;
	RetlPhysType type;
	uint16_t	width;
	const DictMemo *memo;
} DictTest;

/* Does a valid code pass?  Its verdict is found if it is not known yet. */
static inline bool
CodePasses(const DictTest *test, uint32_t code)
{
	uint8_t    *verdict = &test->memo->verdicts[code];

	if (*verdict == VERDICT_UNKNOWN)
	{
		uint32_t	length;
		const uint8_t *entry = RetlDictEntryAt(test->state, test->width, code, &length);

		*verdict = RetlFilterTest(test->filter, test->type, test->width, entry, length)
			? VERDICT_PASS : VERDICT_FAIL;
	}
	return *verdict == VERDICT_PASS;
}

/* Up to so many of 64 codes are taken one by one, rather than all unpacked. */
#define FEW_OF_WORD		12

/* Filter the values of one word of a selection; some are selected. */
static bool
FilterWord(const DictTest *test, const RetlPacked *packed, uint32_t first, uint64_t *selected,
		   const char **error)
{
	uint32_t	rest = packed->count - first;
	uint32_t	count = rest < 64 ? rest : 64;
	bool		few = RetlCountBits(*selected) <= FEW_OF_WORD;
	uint32_t	codes[64];
	uint64_t	left;

	if (!few)
	{
		RetlPackedRead(packed, first, count, codes);
		if (!RetlDictCheckCodes(test->state, codes, count, error))
			return false;
	}
	for (left = *selected; left != 0; left &= left - 1)
	{
		unsigned	bit = (unsigned) __builtin_ctzll(left);
		uint32_t	code = few ? RetlPackedFetch(packed, first + bit) : codes[bit];

		if (code >= test->state->entryCount)
			return RetlDamaged(error, "dictionary code is out of range");
		/* whether it passes is hard to predict: no branch */
		*selected &= ~((uint64_t) !CodePasses(test, code) << bit);
	}
	return true;
}

/* Codes of so many bytes are few enough to be fetched into the cache all at once. */
#define PREFETCHED_BYTES	4096
#define CACHE_LINE			64

/* Have the codes come: what is done with each cannot be predicted, and so waits for it. */
static inline void
PrefetchCodes(const RetlPacked *codes)
{
	size_t		at;

	for (at = 0; at < codes->bitsSize && at < PREFETCHED_BYTES; at += CACHE_LINE)
		__builtin_prefetch(codes->bits + at);
}

/* Filter a piece with a code for each value. */
static bool
FilterCodes(const DictTest *test, const RetlDictPiece *piece, uint32_t count,
			uint64_t *selected, const char **error)
{
	uint32_t	word;

	/* With a range or a set, a code beyond the dictionary does no harm; decode finds it. */
	if (test->memo->verdicts == NULL)
	{
		RetlPackedSelect(&piece->codes, &test->memo->range, selected);
		return true;
	}
	if (test->memo->hasSet)
	{
		RetlPackedLookUp(&piece->codes, &test->memo->set, selected);
		return true;
	}
	PrefetchCodes(&piece->codes);
	for (word = 0; word < RetlSelectionWords(count); word++)
		if (selected[word] != 0 &&
			!FilterWord(test, &piece->codes, word * 64, &selected[word], error))
			return false;
	return true;
}

/* Does a valid code pass, by whatever the memo has? */
static bool
RunPasses(const DictTest *test, uint32_t code)
{
	const RetlRange *range = &test->memo->range;

	if (test->memo->verdicts != NULL)
		return CodePasses(test, code);
	return (code >= range->low && code <= range->high) != range->negate;
}

/* Filter a piece of runs: once for each run with selected values. */
static bool
FilterRuns(const DictTest *test, const RetlDictPiece *piece, uint32_t count,
		   uint64_t *selected, const RetlArena *arena, const char **error)
{
	uint32_t   *lengths = RetlArenaAlloc(arena, sizeof(uint32_t) * piece->runCount);
	uint32_t   *codes = RetlArenaAlloc(arena, sizeof(uint32_t) * piece->runCount);
	uint32_t	start = 0;
	uint32_t	run;

	RetlPackedRead(&piece->lengths, 0, piece->runCount, lengths);
	RetlPackedRead(&piece->codes, 0, piece->runCount, codes);
	if (!RetlDictCheckCodes(test->state, codes, piece->runCount, error))
		return false;
	for (run = 0; run < piece->runCount; run++)
	{
		if (lengths[run] == 0 || lengths[run] > count - start)
			return RetlDamaged(error, "lengths of code runs do not add up");
		if (RetlSelectionAny(selected, start, lengths[run]) && !RunPasses(test, codes[run]))
			RetlSelectionClear(selected, start, lengths[run]);
		start += lengths[run];
	}
	if (start != count)
		return RetlDamaged(error, "lengths of code runs do not add up");
	return true;
}

/*
 * RetlEncoding.filter: codes are compared, not values.  Verdicts that are not
 * known yet are there only if the dictionary is open.
 */
bool
RetlDictFilter(const RetlEncodingState *state, const uint8_t *src, size_t srcSize,
			   RetlPhysType type, uint16_t width, uint32_t count,
			   const RetlFilter *filter, RetlFilterMemo *memo,
			   uint64_t *selected, bool *answered,
			   const RetlArena *arena, const char **error)
{
	RetlDictPiece piece;
	DictTest	test = {state, filter, type, width, NULL};

	if (!RetlDictCheckCall(state, srcSize, count, error))
		return false;
	*answered = RetlFilterCanTest(filter, type, width);
	if (!*answered || count == 0)
		return true;
	if (!RetlDictOpenPiece(&piece, src, srcSize, count, error))
		return false;
	test.memo = GetMemo(state, type, width, filter, memo);
	*answered = test.memo != NULL;
	if (!*answered)
		return true;
	if (piece.runCount > 0)
		return FilterRuns(&test, &piece, count, selected, arena, error);
	return FilterCodes(&test, &piece, count, selected, error);
}

/* RetlEncoding.excludes: the memo's range is empty. */
bool
RetlDictExcludes(const RetlEncodingState *state, RetlPhysType type, uint16_t width,
				 const RetlFilter *filter, RetlFilterMemo *kept)
{
	const DictMemo *memo;

	if (!IsInOrder(filter, type, width) || filter->op == RETL_NE)
		return false;
	memo = GetMemo(state, type, width, filter, kept);
	return memo != NULL && memo->verdicts == NULL && RetlRangeIsTrivial(&memo->range);
}
