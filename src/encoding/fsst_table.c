/*-------------------------------------------------------------------------
 *
 * fsst_table.c
 *	  Finds good tables of substrings, and writes byte strings with them.
 *	  Pure C.
 *
 * A table grows in rounds over a sample.  Each round writes the sample (the
 * early ones a part of it) with the table of the round before, and counts which
 * codes are used and which follow each other.  The symbols in use, and what two
 * neighbours make together, are the candidates for the next table; those that
 * save the most bytes are taken.  The last round only weeds out.
 *
 * A matcher has two tables.  One says, for the first two bytes, which symbol of
 * one or two bytes they begin with, or that the first one is to be escaped.  The
 * other is a hash table by the first three bytes, with four symbols in each slot,
 * the longer ones first.  A symbol for which its slot has no room is never found,
 * so the next round drops it.  This way a step has no branch that depends on the
 * text.
 *
 *-------------------------------------------------------------------------
 */
#include "encoding/fsst_table.h"
#include "encoding/valueops.h"

/* Bytes of a sample, and of one string in it. */
#define SAMPLE_BYTES		16384
#define SAMPLE_STRING		512

#define ROUNDS				5

/* Entries: the symbols by their codes, then the bytes to be escaped. */
#define FIRST_ESCAPED		256
#define ENTRIES				512

#define SLOT_BITS			10
#define SLOTS				(1 << SLOT_BITS)
#define WAYS				4

/* Pairs seen less often are no candidates. */
#define MIN_PAIR_COUNT		3

/* A byte without symbol costs two: what a symbol of one byte is worth. */
#define SINGLE_BYTE_WEIGHT	8

#define CANDIDATE_SLOTS		16384
#define MAX_CANDIDATES		12000

/* What a matcher finds: an entry, and how many bytes it stands for. */
typedef uint16_t Found;

#define FOUND(entry, length)	((Found) ((entry) << 4 | (length)))
#define FOUND_ENTRY(found)		((uint32_t) (found) >> 4)
#define FOUND_LENGTH(found)		((uint32_t) (found) & 15)

/* Bytes that an entry takes: two with the escape. */
#define CODE_LENGTH(entry)		(1 + (entry) / FIRST_ESCAPED)

typedef struct Way
{
	uint64_t	symbol;
	uint8_t		shift;			/* bits of a word past the symbol */
	Found		found;
} Way;

struct RetlFsstMatcher
{
	RetlFsstTable table;
	Way			slots[SLOTS][WAYS]; /* symbols of three bytes or more */
	Found		shorter[65536]; /* by the first two bytes: the others */
};

/* What a round counted. */
typedef struct Counts
{
	uint16_t	single[ENTRIES];
	uint16_t	pair[ENTRIES][ENTRIES];
	uint32_t	pairCount;
	uint32_t	pairs[2 * SAMPLE_BYTES];	/* those that are not zero */
} Counts;

typedef struct Candidate
{
	uint64_t	symbol;
	uint32_t	gain;
	uint32_t	length;
} Candidate;

typedef struct Candidates
{
	Candidate	list[MAX_CANDIDATES];
	uint32_t	count;
	uint16_t	slots[CANDIDATE_SLOTS]; /* hash table: index + 1 */
} Candidates;

/* ---------------------------------------------------------------------
 * Sample
 * ---------------------------------------------------------------------
 */

/* The value that byte "position" of the values' bytes belongs to. */
static uint32_t
ValueOfByte(const RetlValues *values, uint64_t position)
{
	uint32_t	low = 0;
	uint32_t	high = values->count;

	while (high - low > 1)
	{
		uint32_t	middle = low + (high - low) / 2;

		if (values->offsets[middle] - values->offsets[0] <= position)
			low = middle;
		else
			high = middle;
	}
	return low;
}

/*
 * See fsst_table.h.  The bytes are looked at in even steps, the second sample
 * between those of the first, so that long values count for what they are.  Of
 * each value found, its first bytes are taken, or those from there on.
 */
void
RetlFsstSampleTake(RetlFsstSample *sample, const RetlValues *values, bool second,
				   const RetlArena *arena)
{
	uint64_t	rawSize = RetlValuesRawSize(values);
	uint64_t	average = rawSize / (values->count > 0 ? values->count : 1) + 1;
	uint64_t	wanted = SAMPLE_BYTES / (average < SAMPLE_STRING ? average : SAMPLE_STRING) + 1;
	uint32_t	used = 0;
	uint64_t	i;

	sample->bytes = RetlArenaAlloc(arena, SAMPLE_BYTES);
	sample->ends = RetlArenaAlloc(arena, sizeof(uint32_t) * (size_t) wanted);
	sample->count = 0;
	for (i = 0; i < wanted && used < SAMPLE_BYTES && rawSize > 0; i++)
	{
		uint64_t	position = (2 * i + second) * rawSize / (2 * wanted);
		uint32_t	index = ValueOfByte(values, position);
		uint32_t	length;
		const uint8_t *value = RetlValueAt(values, index, &length);

		if (length > SAMPLE_STRING)
		{
			uint64_t	skip = position - (values->offsets[index] - values->offsets[0]);

			value += skip < length - SAMPLE_STRING ? skip : length - SAMPLE_STRING;
			length = SAMPLE_STRING;
		}
		if (length > SAMPLE_BYTES - used)
			length = SAMPLE_BYTES - used;
		memcpy(sample->bytes + used, value, length);
		used += length;
		sample->ends[sample->count++] = used;
	}
}

/* ---------------------------------------------------------------------
 * Matcher
 * ---------------------------------------------------------------------
 */

/* The bytes of a word that a string of this length has, 1 to 8. */
static inline uint64_t
SymbolMask(uint32_t length)
{
	return UINT64_MAX >> (64 - 8 * length);
}

/* The slot of the symbols that begin with the lowest three bytes of a word. */
static inline uint32_t
SlotOf(uint64_t word)
{
	return (uint32_t) (word & 0xFFFFFF) * UINT32_C(0x9E3779B1) >> (32 - SLOT_BITS);
}

/* Put a symbol of three bytes or more into its slot, if it has room. */
static void
AddLong(RetlFsstMatcher *matcher, uint32_t code)
{
	Way		   *ways = matcher->slots[SlotOf(matcher->table.symbols[code])];
	Way			way;
	int			i;

	way.symbol = matcher->table.symbols[code];
	way.shift = (uint8_t) (64 - 8 * matcher->table.lengths[code]);
	way.found = FOUND(code, matcher->table.lengths[code]);
	for (i = 0; i < WAYS; i++)
		if (way.shift < ways[i].shift || ways[i].found == 0)
		{
			Way			moved = ways[i];

			ways[i] = way;
			way = moved;
			if (way.found == 0)
				break;
		}
}

/* Set up the matcher for its table. */
static void
FillMatcher(RetlFsstMatcher *matcher)
{
	const RetlFsstTable *table = &matcher->table;

	/* An empty one compares with a whole word, one that belongs to another slot. */
	const Way	empty = {0, 0, 0};
	Found		singles[256];
	uint32_t	i;

	for (i = 0; i < SLOTS * WAYS; i++)
	{
		Way		   *way = &matcher->slots[i / WAYS][i % WAYS];

		*way = empty;
		way->symbol = i / WAYS == SlotOf(0) ? 1 : 0;
	}
	for (i = 0; i < 256; i++)
		singles[i] = FOUND(FIRST_ESCAPED + i, 1);
	for (i = 0; i < table->count; i++)
		if (table->lengths[i] == 1)
			singles[table->symbols[i]] = FOUND(i, 1);
	for (i = 0; i < 65536; i += 256)
		memcpy(matcher->shorter + i, singles, sizeof(singles));
	for (i = 0; i < table->count; i++)
		if (table->lengths[i] == 2)
			matcher->shorter[table->symbols[i]] = FOUND(i, 2);
		else if (table->lengths[i] > 2)
			AddLong(matcher, i);
}

/* The symbol that a string of "rest" bytes at src begins with, or an escape. */
static inline Found
Match(const RetlFsstMatcher *matcher, const uint8_t *src, size_t rest,
	  const uint8_t *readable, uint64_t *word)
{
	const Way  *ways;
	Found		found;
	int			i;

	*word = 0;
	if (readable - src >= 8)
		*word = RetlLoad64(src);
	else
		memcpy(word, src, (size_t) (readable - src));
	if (rest < 8)
		*word &= SymbolMask((uint32_t) rest);
	ways = matcher->slots[SlotOf(*word)];
	found = matcher->shorter[*word & 0xFFFF];
	for (i = WAYS - 1; i >= 0; i--)
		found = (*word ^ ways[i].symbol) << ways[i].shift == 0 ? ways[i].found : found;

	/* A symbol with zero bytes may go past the end, where the word has some. */
	if (FOUND_LENGTH(found) > rest)
		found = FOUND(FIRST_ESCAPED + (*word & 0xFF), 1);
	return found;
}

/* See fsst_table.h. */
size_t
RetlFsstCompress(const RetlFsstMatcher *matcher, const uint8_t *src, size_t length,
				 const uint8_t *readable, uint8_t *dst)
{
	const uint8_t *end = src + length;
	uint8_t    *start = dst;

	while (src < end)
	{
		uint64_t	word;
		Found		found = Match(matcher, src, (size_t) (end - src), readable, &word);
		uint32_t	entry = FOUND_ENTRY(found);

		dst[0] = (uint8_t) (entry < FIRST_ESCAPED ? entry : RETLDB_FSST_ESCAPE);
		dst[1] = (uint8_t) word;
		dst += CODE_LENGTH(entry);
		src += FOUND_LENGTH(found);
	}
	return (size_t) (dst - start);
}

/* See fsst_table.h. */
const RetlFsstTable *
RetlFsstTableOf(const RetlFsstMatcher *matcher)
{
	return &matcher->table;
}

/* See fsst_table.h. */
uint64_t
RetlFsstSampleSize(const RetlFsstMatcher *matcher, const RetlFsstSample *sample,
				   uint64_t *rawSize)
{
	const uint8_t *readable;
	uint64_t	size = 0;
	uint32_t	start = 0;
	uint32_t	i;

	*rawSize = sample->count > 0 ? sample->ends[sample->count - 1] : 0;
	readable = sample->bytes + *rawSize;
	for (i = 0; i < sample->count; start = sample->ends[i++])
	{
		const uint8_t *src = sample->bytes + start;
		const uint8_t *end = sample->bytes + sample->ends[i];

		while (src < end)
		{
			uint64_t	word;
			Found		found = Match(matcher, src, (size_t) (end - src), readable, &word);

			size += CODE_LENGTH(FOUND_ENTRY(found));
			src += FOUND_LENGTH(found);
		}
	}
	return size;
}

/* ---------------------------------------------------------------------
 * Rounds
 * ---------------------------------------------------------------------
 */

/* Count a pair of neighbours. */
static inline void
CountPair(Counts *counts, uint32_t before, uint32_t entry)
{
	if (counts->pair[before][entry]++ == 0)
		counts->pairs[counts->pairCount++] = before * ENTRIES + entry;
}

/* Write the strings of a sample up to "limit" bytes, and count. */
static void
CountRound(Counts *counts, const RetlFsstMatcher *matcher, const RetlFsstSample *sample,
		   uint32_t limit)
{
	const uint8_t *readable = sample->bytes + sample->ends[sample->count - 1];
	uint32_t	start = 0;
	uint32_t	i;

	for (i = 0; i < sample->count && start < limit; start = sample->ends[i++])
	{
		const uint8_t *src = sample->bytes + start;
		const uint8_t *end = sample->bytes + sample->ends[i];
		uint32_t	before = ENTRIES;

		while (src < end)
		{
			uint64_t	word;
			Found		found = Match(matcher, src, (size_t) (end - src), readable, &word);
			uint32_t	entry = FOUND_ENTRY(found);

			counts->single[entry]++;
			if (before != ENTRIES)
			{
				/* The next byte alone may be the better end of a symbol. */
				CountPair(counts, before, entry);
				if (FOUND_LENGTH(found) > 1)
					CountPair(counts, before, FIRST_ESCAPED + (uint32_t) (word & 0xFF));
			}
			before = entry;
			src += FOUND_LENGTH(found);
		}
	}
}

/* Add to what a candidate gains; the list takes no more than it has room for. */
static void
AddCandidate(Candidates *candidates, uint64_t symbol, uint32_t length, uint32_t gain)
{
	uint64_t	hash = (symbol ^ (uint64_t) length << 56) * UINT64_C(0x9E3779B97F4A7C15);
	uint32_t	at = (uint32_t) (hash >> 32) % CANDIDATE_SLOTS;
	Candidate  *candidate;

	for (; candidates->slots[at] != 0; at = (at + 1) % CANDIDATE_SLOTS)
	{
		candidate = &candidates->list[candidates->slots[at] - 1];
		if (candidate->symbol == symbol && candidate->length == length)
		{
			candidate->gain += gain;
			return;
		}
	}
	if (candidates->count == MAX_CANDIDATES)
		return;
	candidate = &candidates->list[candidates->count++];
	candidates->slots[at] = (uint16_t) candidates->count;
	candidate->symbol = symbol;
	candidate->length = length;
	candidate->gain = gain;
}

/* The bytes that an entry stands for, and how many they are. */
static uint64_t
EntryBytes(const RetlFsstTable *table, uint32_t entry, uint32_t *length)
{
	if (entry >= FIRST_ESCAPED)
	{
		*length = 1;
		return entry - FIRST_ESCAPED;
	}
	*length = table->lengths[entry];
	return table->symbols[entry];
}

/* Add what two neighbours, seen so often, make together. */
static void
AddPair(Candidates *candidates, const RetlFsstTable *table, uint32_t before,
		uint32_t entry, uint32_t count)
{
	uint32_t	length;
	uint32_t	nextLength;
	uint64_t	symbol = EntryBytes(table, before, &length);
	uint64_t	next = EntryBytes(table, entry, &nextLength);

	if (length == RETLDB_FSST_SYMBOL_LENGTH)
		return;
	symbol |= next << (8 * length);
	length += nextLength;
	if (length > RETLDB_FSST_SYMBOL_LENGTH)
		length = RETLDB_FSST_SYMBOL_LENGTH;
	AddCandidate(candidates, symbol & SymbolMask(length), length, count * length);
}

/* Candidates of the counts, which are zeroed. */
static void
CollectCandidates(Candidates *candidates, Counts *counts, const RetlFsstTable *table,
				  bool withPairs)
{
	uint32_t	i;

	candidates->count = 0;
	memset(candidates->slots, 0, sizeof(candidates->slots));
	for (i = 0; i < ENTRIES; i++)
		if (counts->single[i] > 0)
		{
			uint32_t	length;
			uint64_t	symbol = EntryBytes(table, i, &length);

			AddCandidate(candidates, symbol, length,
						 counts->single[i] * (length == 1 ? SINGLE_BYTE_WEIGHT : length));
			counts->single[i] = 0;
		}
	for (i = 0; i < counts->pairCount; i++)
	{
		uint32_t	before = counts->pairs[i] / ENTRIES;
		uint32_t	entry = counts->pairs[i] % ENTRIES;

		if (withPairs && counts->pair[before][entry] >= MIN_PAIR_COUNT)
			AddPair(candidates, table, before, entry, counts->pair[before][entry]);
		counts->pair[before][entry] = 0;
	}
	counts->pairCount = 0;
}

/* Is a better than b?  No two candidates are equal. */
static inline bool
IsBetter(const Candidate *a, const Candidate *b)
{
	if (a->gain != b->gain)
		return a->gain > b->gain;
	if (a->length != b->length)
		return a->length > b->length;
	return a->symbol < b->symbol;
}

/* Restore the heap (the worst on top) of "count" candidates after a new top. */
static void
SiftDown(Candidate *heap, uint32_t count)
{
	Candidate	moved = heap[0];
	uint32_t	hole = 0;
	uint32_t	child;

	while ((child = 2 * hole + 1) < count)
	{
		if (child + 1 < count && IsBetter(&heap[child], &heap[child + 1]))
			child++;
		if (!IsBetter(&moved, &heap[child]))
			break;
		heap[hole] = heap[child];
		hole = child;
	}
	heap[hole] = moved;
}

/* Restore the heap after its last one of "count" was added. */
static void
SiftUp(Candidate *heap, uint32_t count)
{
	uint32_t	hole = count - 1;
	Candidate	moved = heap[hole];

	while (hole > 0 && IsBetter(&heap[(hole - 1) / 2], &moved))
	{
		heap[hole] = heap[(hole - 1) / 2];
		hole = (hole - 1) / 2;
	}
	heap[hole] = moved;
}

/* The table of the best candidates. */
static void
FillTable(RetlFsstTable *table, const Candidates *candidates)
{
	Candidate	heap[RETLDB_FSST_SYMBOLS];
	uint32_t	count = 0;
	uint32_t	i;

	for (i = 0; i < candidates->count; i++)
	{
		if (count < RETLDB_FSST_SYMBOLS)
		{
			heap[count++] = candidates->list[i];
			SiftUp(heap, count);
		}
		else if (IsBetter(&candidates->list[i], &heap[0]))
		{
			heap[0] = candidates->list[i];
			SiftDown(heap, count);
		}
	}
	memset(table, 0, sizeof(*table));
	table->count = count;
	for (i = 0; i < count; i++)
	{
		table->symbols[i] = heap[i].symbol;
		table->lengths[i] = (uint8_t) heap[i].length;
	}
}

/* See fsst_table.h. */
RetlFsstMatcher *
RetlFsstBuild(const RetlFsstSample *sample, const RetlArena *arena)
{
	RetlFsstMatcher *matcher = RetlArenaAlloc(arena, sizeof(RetlFsstMatcher));
	Counts	   *counts = RetlArenaAlloc(arena, sizeof(Counts));
	Candidates *candidates = RetlArenaAlloc(arena, sizeof(Candidates));
	uint32_t	size = sample->count > 0 ? sample->ends[sample->count - 1] : 0;
	uint32_t	round;

	memset(&matcher->table, 0, sizeof(matcher->table));
	memset(counts->single, 0, sizeof(counts->single));
	memset(counts->pair, 0, sizeof(counts->pair));
	counts->pairCount = 0;
	FillMatcher(matcher);
	for (round = 0; round < ROUNDS && size > 0; round++)
	{
		CountRound(counts, matcher, sample, (uint32_t) ((uint64_t) size * (round + 1) / ROUNDS));
		CollectCandidates(candidates, counts, &matcher->table, round + 1 < ROUNDS);
		FillTable(&matcher->table, candidates);
		FillMatcher(matcher);
	}
	return matcher;
}
