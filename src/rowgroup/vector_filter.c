/*-------------------------------------------------------------------------
 *
 * vector_filter.c
 *	  Conditions on columns, evaluated on vectors.
 *
 * A selection of rows goes in, and bits of rows that do not pass are cleared.
 * Pieces of which no row is selected are not even read.  The encoding of a
 * piece is asked first; where it cannot answer, the values that count are
 * decoded and compared.
 *
 * Encodings know neither nulls nor overflow values.  A test is strict, so rows
 * that are null drop out when the selection of rows becomes one of values.
 * Overflow values stand in a piece as empty ones: they are kept away from the
 * encoding, and tested one by one on what they really are.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/tupmacs.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "base/compat.h"
#include "base/settings.h"
#include "encoding/filtering.h"
#include "rowgroup/group_reader_state.h"
#include "rowgroup/read_context.h"

#define MAX_WORDS	(RETLDB_MAX_VECTOR_ROWS / 64)

/* What an encoding keeps from piece to piece of the open chunk for one test. */
typedef struct RetlColumnMemo
{
	struct RetlColumnMemo *next;
	const RetlColumnTest *test;
	uint64		generation;
	MemoryContext parent;		/* of the column */
	MemoryContext context;		/* NULL: nothing is kept yet */
	RetlArena	arena;
	RetlFilterMemo memo;
	bool		asked;			/* does the dictionary exclude the chunk? */
	bool		excluded;		/* it does: no value passes */
} RetlColumnMemo;

/* A test that is being evaluated on a vector. */
typedef struct FilterRun
{
	RetlChunkReader *chunk;
	const RetlFilter *filter;
	RetlFilterMemo *memo;
	RetlArena	arena;			/* scratch memory */
	bool		onEncoded;		/* no piece had to be decoded so far */
} FilterRun;

/* ---------------------------------------------------------------------
 * Memos
 * ---------------------------------------------------------------------
 */

/* Arena callback: the memo's context is made when something is to be kept. */
static void *
AllocateInMemo(void *context, size_t size)
{
	RetlColumnMemo *memo = context;

	if (memo->context == NULL)
		memo->context = AllocSetContextCreate(memo->parent, "retldb filter memo",
											  ALLOCSET_SMALL_SIZES);
	return MemoryContextAllocHuge(memo->context, Max(size, 1));
}

/* The memo of a test for the open chunk, empty if its constants have changed. */
static RetlColumnMemo *
GetMemo(RetlColumnReader *column, const RetlColumnTest *test)
{
	RetlColumnMemo *memo = column->memos;

	while (memo != NULL && memo->test != test)
		memo = memo->next;
	if (memo == NULL)
	{
		memo = MemoryContextAllocZero(column->context, sizeof(RetlColumnMemo));
		memo->test = test;
		memo->parent = column->context;
		memo->arena.allocate = AllocateInMemo;
		memo->arena.context = memo;
		memo->memo.arena = &memo->arena;
		memo->generation = test->generation;
		memo->next = column->memos;
		column->memos = memo;
	}
	if (memo->generation != test->generation)
	{
		memo->generation = test->generation;
		memo->asked = memo->excluded = false;
		memo->memo.data = NULL;
		if (memo->context != NULL)
			MemoryContextReset(memo->context);
	}
	return memo;
}

/* ---------------------------------------------------------------------
 * Values of a piece
 * ---------------------------------------------------------------------
 */

/* Decode the selected values of a piece, and compare them. */
static const char *
FilterDecoded(FilterRun *run, const RetlPieceView *piece, uint64 *values)
{
	const RetlFooterColumn *column = &run->chunk->column;
	RetlDecoded decoded;
	const char *problem;

	if (!RetlFilterCanTest(run->filter, column->physType, column->width))
		return "condition cannot be evaluated on values of this type";
	memset(&decoded, 0, sizeof(decoded));
	decoded.wanted = values;
	if (column->physType == RETL_PHYS_BYTES)
	{
		decoded.starts = RetlArenaAlloc(&run->arena, piece->valueCount * sizeof(uint32));
		decoded.lengths = RetlArenaAlloc(&run->arena, piece->valueCount * sizeof(uint32));
	}
	else
		decoded.fixed = RetlArenaAlloc(&run->arena, (Size) piece->valueCount * column->width);
	problem = RetlChunkDecodePiece(run->chunk, piece, &decoded, &run->arena);
	if (problem == NULL)
		RetlFilterDecoded(run->filter, column->physType, column->width, piece->valueCount,
						  &decoded, values);
	return problem;
}

/* Deselect values of a piece; overflow values are not selected. */
static const char *
FilterInline(FilterRun *run, const RetlPieceView *piece, uint64 *values)
{
	bool		answered;
	const char *problem;

	if (!RetlSelectionAny(values, 0, piece->valueCount))
		return NULL;
	problem = RetlChunkFilterPiece(run->chunk, piece, run->filter, run->memo,
								   values, &answered, &run->arena);
	if (problem != NULL || answered)
		return problem;
	run->onEncoded = false;
	return FilterDecoded(run, piece, values);
}

/* Does an overflow value pass? */
static const char *
TestOverflow(FilterRun *run, const RetlOverflowRef *ref, bool *passes)
{
	const RetlFooterColumn *column = &run->chunk->column;
	const char *problem;
	uint8	   *value;

	if (ref->rawLength > MaxAllocSize - VARHDRSZ)
		return "overflow value is too long";
	if (!RetlFilterCanTest(run->filter, column->physType, column->width))
		return "condition cannot be evaluated on values of this type";
	value = MemoryContextAllocHuge(CurrentMemoryContext, Max(ref->rawLength, 1));
	problem = RetlOverflowRead(&run->chunk->overflow, ref, value);
	if (problem == NULL)
		*passes = RetlFilterTest(run->filter, column->physType, column->width,
								 value, ref->rawLength);
	pfree(value);
	return problem;
}

/* Deselect values of a piece that has overflow values. */
static const char *
FilterWithOverflow(FilterRun *run, const RetlPieceView *piece, uint64 *values)
{
	uint64		before[MAX_WORDS];
	const char *problem;

	memcpy(before, values, RetlSelectionWords(piece->valueCount) * sizeof(uint64));
	for (uint32 i = 0; i < piece->overflowCount; i++)
		RetlSelectionClear(values, RetlPieceOverflow(piece, i).valueIndex, 1);
	problem = FilterInline(run, piece, values);

	for (uint32 i = 0; i < piece->overflowCount && problem == NULL; i++)
	{
		RetlOverflowRef ref = RetlPieceOverflow(piece, i);
		bool		passes = false;

		if (!RetlIsSelected(before, ref.valueIndex))
			continue;
		problem = TestOverflow(run, &ref, &passes);
		if (passes)
			values[ref.valueIndex / 64] |= UINT64CONST(1) << (ref.valueIndex % 64);
	}
	return problem;
}

/* Deselect non-null values of a piece. */
static const char *
FilterValues(FilterRun *run, const RetlPieceView *piece, uint64 *values)
{
	if (piece->overflowCount > 0)
		return FilterWithOverflow(run, piece, values);
	return FilterInline(run, piece, values);
}

/* ---------------------------------------------------------------------
 * Rows of a piece and of a vector
 * ---------------------------------------------------------------------
 */

/* Deselect rows of a piece by a test; "rows" has a bit for each row of the piece. */
static const char *
FilterRows(FilterRun *run, const RetlPieceView *piece, RetlColumnTestKind kind, uint64 *rows)
{
	uint32		words = RetlSelectionWords(piece->rowCount);
	uint64		present[MAX_WORDS];
	uint64		values[MAX_WORDS];
	const char *problem;

	if (piece->nulls == NULL)
	{
		if (kind == RETL_COLUMN_FILTER)
			return FilterValues(run, piece, rows);
		if (kind == RETL_COLUMN_IS_NULL)
			memset(rows, 0, words * sizeof(uint64));
		return NULL;
	}

	RetlPiecePresent(piece, present);
	if (kind != RETL_COLUMN_FILTER)
	{
		for (uint32 i = 0; i < words; i++)
			rows[i] &= kind == RETL_COLUMN_IS_NULL ? ~present[i] : present[i];
		return NULL;
	}
	RetlSelectionCompress(rows, present, words, values);
	problem = FilterValues(run, piece, values);
	RetlSelectionExpand(values, present, words, rows);
	return problem;
}

/*
 * Deselect rows of a piece that is a part of one word of the vector's
 * selection: such pieces never cross the border of a word.
 */
static const char *
FilterPartOfWord(FilterRun *run, const RetlPieceView *piece, RetlColumnTestKind kind,
				 uint64 *word, uint32 shift)
{
	uint64		mask = RetlRowsMask(piece->rowCount) << shift;
	uint64		rows = (*word & mask) >> shift;
	const char *problem = FilterRows(run, piece, kind, &rows);

	*word = (*word & ~mask) | (rows << shift);
	return problem;
}

/* Deselect rows of a vector of a column that the group has. */
static const char *
FilterVector(FilterRun *run, RetlColumnTestKind kind, uint32 index, RetlSelection *selection)
{
	const RetlChunkView *view = &run->chunk->view;
	uint32		firstRow = index * view->vectorRows;

	for (uint32 row = 0; row < selection->rowCount; row += view->pieceRows)
	{
		uint32		pieceIndex = (firstRow + row) / view->pieceRows;
		uint64	   *word = &selection->words[row / 64];
		RetlPieceView piece;
		const char *problem;

		if (!RetlSelectionAny(selection->words, row, RetlPieceRowCount(view, pieceIndex)))
			continue;
		problem = RetlChunkGetPiece(run->chunk, pieceIndex, &piece);
		if (problem == NULL)
			problem = view->pieceRows < 64 ?
				FilterPartOfWord(run, &piece, kind, word, row % 64) :
				FilterRows(run, &piece, kind, word);
		if (problem != NULL)
			return problem;
	}
	return NULL;
}

/* Does the value of all rows of a column that the group has not pass? */
static bool
TestMissing(const RetlColumnReader *column, const RetlColumnTest *test)
{
	const RetlColumnType *type = &column->type;
	char		fixed[sizeof(Datum)];
	const char *value = fixed;
	Size		length = type->width;

	if (column->missingIsNull || test->kind != RETL_COLUMN_FILTER)
		return column->missingIsNull == (test->kind == RETL_COLUMN_IS_NULL);

	if (type->byValue)
		store_att_byval(fixed, column->missing, type->typeLength);
	else if (type->typeLength == -1)
	{
		struct varlena *varlena = PG_DETOAST_DATUM_PACKED(column->missing);

		value = VARDATA_ANY(varlena);
		length = VARSIZE_ANY_EXHDR(varlena);
	}
	else
	{
		value = DatumGetPointer(column->missing);
		if (type->typeLength == -2)
			length = strlen(value);
	}
	return test->filter.predicate != NULL
		? test->filter.predicate(test->filter.predicateContext, (const uint8 *) value, length)
		: RetlFilterTest(&test->filter, type->physType, type->width, (const uint8 *) value, length);
}

/*
 * Do the statistics of the vector say how many rows are null: all, or none?
 * Then a test for null needs no look at them.
 */
static bool
AnswerByStatistics(RetlGroupReader *reader, const RetlColumnTest *test, uint32 index,
				   RetlSelection *selection)
{
	RetlZone	zone;
	uint32		rowCount;

	if (test->kind == RETL_COLUMN_FILTER || !retldb_enable_skipping ||
		!RetlGroupReaderGetVectorZone(reader, test->attnum, index, &zone, &rowCount) ||
		(zone.nullCount > 0 && zone.nullCount < rowCount))
		return false;
	if ((zone.nullCount > 0) != (test->kind == RETL_COLUMN_IS_NULL))
		memset(selection->words, 0, RetlSelectionWords(selection->rowCount) * sizeof(uint64));
	return true;
}

/*
 * Does the chunk's dictionary say that none of its values passes?  The answer is
 * kept for the vectors to come.
 */
static const char *
FindExcluded(FilterRun *run, RetlColumnMemo *memo)
{
	const char *problem = NULL;

	if (!memo->asked)
		problem = RetlChunkExcludes(run->chunk, run->filter, &memo->memo, &memo->excluded);
	memo->asked = problem == NULL;
	return problem;
}

/* Evaluate a test that is not NEVER on a vector; memory comes from the current context. */
static void
RunTest(RetlGroupReader *reader, RetlColumnReader *column, const RetlColumnTest *test,
		uint32 index, RetlSelection *selection)
{
	RetlReadContext readContext;
	FilterRun	run;
	RetlColumnMemo *memo;
	const char *problem = NULL;

	if (!column->present)
	{
		if (!TestMissing(column, test))
			memset(selection->words, 0,
				   RetlSelectionWords(selection->rowCount) * sizeof(uint64));
		return;
	}
	if (AnswerByStatistics(reader, test, index, selection))
		return;
	run.chunk = &column->chunk;
	run.filter = &test->filter;
	memo = GetMemo(column, test);
	run.memo = &memo->memo;
	run.arena = RetlMemoryContextArena(CurrentMemoryContext);
	run.onEncoded = true;

	RetlReadContextPush(&readContext, reader->rel, reader->entry.groupId,
						column->chunk.overflow.columnName);
	if (test->kind == RETL_COLUMN_FILTER)
		problem = FindExcluded(&run, memo);
	if (problem == NULL && memo->excluded)
		memset(selection->words, 0, RetlSelectionWords(selection->rowCount) * sizeof(uint64));
	else if (problem == NULL)
		problem = FilterVector(&run, test->kind, index, selection);
	if (problem != NULL)
		RetlGroupReaderReportColumn(reader, test->attnum, problem);
	RetlReadContextPop(&readContext);
	if (run.onEncoded)
		reader->stats->vectorsFiltered++;
}

/* See group_reader.h. */
void
RetlGroupReaderFilter(RetlGroupReader *reader, const RetlColumnTest *test,
					  uint32 index, RetlSelection *selection)
{
	Assert(index < RetlGroupReaderVectorCount(reader));

	if (selection->count == 0)
		return;
	if (test->kind == RETL_COLUMN_NEVER)
		memset(selection->words, 0, RetlSelectionWords(selection->rowCount) * sizeof(uint64));
	else
	{
		RetlColumnReader *column = RetlGroupReaderUseColumn(reader, test->attnum);
		MemoryContext oldContext = MemoryContextSwitchTo(reader->scratchContext);

		RunTest(reader, column, test, index, selection);
		MemoryContextSwitchTo(oldContext);
		MemoryContextReset(reader->scratchContext);
	}
	RetlSelectionRecount(selection);
}

/* ---------------------------------------------------------------------
 * Trees
 * ---------------------------------------------------------------------
 */

/* Can no row of the vector pass this test, by its statistics? */
static bool
ZoneExcludes(RetlGroupReader *reader, const RetlZoneFilter *test, uint32 index)
{
	RetlZone	zone;
	uint32		rowCount;

	return retldb_enable_skipping &&
		RetlGroupReaderGetVectorZone(reader, test->attnum, index, &zone, &rowCount) &&
		!RetlZoneTestMayMatch(test, &zone, rowCount);
}

/*
 * A row passes an OR when it passes one of its branches; each is evaluated on
 * the rows that none before it took.
 */
static void
FilterAny(RetlGroupReader *reader, const RetlZoneFilter *tree, uint32 index,
		  RetlSelection *selection)
{
	uint32		words = RetlSelectionWords(selection->rowCount);
	RetlSelection left = *selection;

	/* a level of ORs has two selections here, more than anybody else needs for it */
	check_stack_depth();
	memset(selection->words, 0, words * sizeof(uint64));
	for (int i = 0; i < tree->argCount && left.count > 0; i++)
	{
		const RetlZoneFilter *branch = tree->args[i];
		RetlSelection passed;

		if (branch->test != NULL && ZoneExcludes(reader, branch, index))
			continue;
		passed = left;
		RetlGroupReaderFilterTree(reader, branch, index, &passed);
		for (uint32 word = 0; word < words; word++)
		{
			selection->words[word] |= passed.words[word];
			left.words[word] &= ~passed.words[word];
		}
		left.count -= passed.count;
	}
	RetlSelectionRecount(selection);
}

/* See group_reader.h. */
void
RetlGroupReaderFilterTree(RetlGroupReader *reader, const RetlZoneFilter *tree,
						  uint32 index, RetlSelection *selection)
{
	if (tree->kind == RETL_TEST_OR)
		FilterAny(reader, tree, index, selection);
	else if (tree->kind == RETL_TEST_AND)
	{
		for (int i = 0; i < tree->argCount && selection->count > 0; i++)
			RetlGroupReaderFilterTree(reader, tree->args[i], index, selection);
	}
	else
	{
		Assert(tree->test != NULL);
		RetlGroupReaderFilter(reader, tree->test, index, selection);
	}
}
