/*-------------------------------------------------------------------------
 *
 * skip_keys.c
 *	  From a tree of skip tests to a zone filter with its keys.
 *
 * The filter is built once for a scan node and lives as long as the node.  Its
 * keys are computed before each scan and put into it in place.  A key that is
 * null makes its test one that no row matches, for the operators are strict.
 *
 * column op ANY (array) becomes an OR of one test for each element; where there
 * are many elements, the least and the greatest stand for all.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "utils/array.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "exec/exec.h"
#include "rowgroup/column_type.h"

/* Arrays with more elements than this are tested by their range. */
#define MAX_ARRAY_TESTS		64

/* A test whose key is to be computed. */
typedef struct KeyedTest
{
	RetlZoneFilter *filter;		/* where the test stands in the filter */
	RetlZoneTestKind kind;
	AttrNumber	attnum;
	RetlKeyKind keyKind;
	ExprState  *key;
	Oid			keyType;
	bool		isVarlena;		/* keyType is of variable length */
	bool		isArray;
} KeyedTest;

struct RetlSkipKeys
{
	RetlZoneFilter *filter;
	bool		mayChange;		/* some key is not a constant */
	int			testCount;
	KeyedTest  *tests;
	MemoryContext arrayContext; /* tests of array elements; reset each time */
};

/* Number of tests with a key in a tree. */
static int
CountKeyedTests(List *tree)
{
	int			count = 0;
	ListCell   *lc;

	if (list_nth_int((List *) linitial(tree), RETL_SKIP_KEY_KIND) != RETL_KEY_NONE)
		return 1;
	for_each_from(lc, tree, 1)
		count += CountKeyedTests((List *) lfirst(lc));
	return count;
}

/* Note what is needed to compute the key of a test. */
static void
AddKeyedTest(RetlSkipKeys *keys, List *fields, List *keyExprs, PlanState *parent,
			 RetlZoneFilter *filter)
{
	Expr	   *expr = (Expr *) list_nth(keyExprs, list_nth_int(fields, RETL_SKIP_KEY_INDEX));
	KeyedTest  *test = &keys->tests[keys->testCount++];

	test->filter = filter;
	test->kind = (RetlZoneTestKind) list_nth_int(fields, RETL_SKIP_KIND);
	test->attnum = (AttrNumber) list_nth_int(fields, RETL_SKIP_ATTNUM);
	test->keyKind = (RetlKeyKind) list_nth_int(fields, RETL_SKIP_KEY_KIND);
	test->keyType = (Oid) list_nth_int(fields, RETL_SKIP_KEY_TYPE);
	test->isVarlena = get_typlen(test->keyType) == -1;
	test->isArray = list_nth_int(fields, RETL_SKIP_KEY_IS_ARRAY) != 0;
	test->key = ExecInitExpr(expr, parent);

	if (!IsA(expr, Const))
		keys->mayChange = true;
}

/* Build the filter for a tree of tests. */
static RetlZoneFilter *
BuildFilter(RetlSkipKeys *keys, List *tree, List *keyExprs, PlanState *parent)
{
	RetlZoneFilter *filter = palloc0(sizeof(RetlZoneFilter));
	List	   *fields = (List *) linitial(tree);
	ListCell   *lc;

	filter->kind = (RetlZoneTestKind) list_nth_int(fields, RETL_SKIP_KIND);
	filter->attnum = (AttrNumber) list_nth_int(fields, RETL_SKIP_ATTNUM);

	if (list_nth_int(fields, RETL_SKIP_KEY_KIND) != RETL_KEY_NONE)
		AddKeyedTest(keys, fields, keyExprs, parent, filter);
	else if (list_length(tree) > 1)
	{
		filter->args = palloc(sizeof(RetlZoneFilter *) * (list_length(tree) - 1));
		for_each_from(lc, tree, 1)
			filter->args[filter->argCount++] =
				BuildFilter(keys, (List *) lfirst(lc), keyExprs, parent);
	}
	return filter;
}

/*
 * Build the filter for a tree of tests in the current memory context, which
 * must live as long as the node; its keys are not there yet.
 */
RetlSkipKeys *
RetlSkipKeysCreate(List *tree, List *keyExprs, PlanState *parent)
{
	RetlSkipKeys *keys = palloc0(sizeof(RetlSkipKeys));

	keys->tests = palloc0(sizeof(KeyedTest) * Max(CountKeyedTests(tree), 1));
	keys->filter = BuildFilter(keys, tree, keyExprs, parent);
	keys->arrayContext = AllocSetContextCreate(CurrentMemoryContext,
											   "retldb skip keys",
											   ALLOCSET_SMALL_SIZES);
	return keys;
}

/* Make a filter node a comparison with a value. */
static void
SetComparison(const KeyedTest *test, RetlZoneFilter *filter, Datum value)
{
	if (test->isVarlena)
		value = PointerGetDatum(PG_DETOAST_DATUM(value));

	filter->kind = test->kind;
	filter->attnum = test->attnum;
	filter->keyKind = test->keyKind;
	filter->keyExact = RetlZoneKeyFromDatum(test->keyKind, test->keyType, value, filter->key);
	filter->argCount = 0;
}

/* Make a filter node an AND or OR with room for arguments. */
static void
SetArguments(RetlSkipKeys *keys, RetlZoneFilter *filter, RetlZoneTestKind kind, int argCount)
{
	Size		count = Max(argCount, 1);
	RetlZoneFilter *args = MemoryContextAllocZero(keys->arrayContext,
												  sizeof(RetlZoneFilter) * count);
	int			i;

	filter->kind = kind;
	filter->argCount = argCount;
	filter->args = MemoryContextAlloc(keys->arrayContext, sizeof(RetlZoneFilter *) * count);
	for (i = 0; i < argCount; i++)
		filter->args[i] = &args[i];
}

/*
 * Make *extreme the lesser (direction < 0) or the greater (direction > 0) of
 * two comparisons' keys.  Of two values with equal keys that are not both
 * exact, nobody knows which is the extreme, so the key counts as not exact.
 */
static void
TakeExtreme(RetlZoneFilter *extreme, const RetlZoneFilter *other, int direction)
{
	int			order = memcmp(other->key, extreme->key, RETLDB_KEY_LENGTH);

	if (order * direction > 0)
		*extreme = *other;
	else if (order == 0)
		extreme->keyExact = extreme->keyExact && other->keyExact;
}

/*
 * Comparison with any of many values: less than one of them is less than the
 * greatest, equal to one of them is within their range.  There is at least one
 * value, and none of them is null.
 */
static void
SetRange(RetlSkipKeys *keys, const KeyedTest *test, const Datum *values, int count)
{
	RetlZoneFilter *filter = test->filter;
	RetlZoneFilter least = {0};
	RetlZoneFilter greatest;
	int			i;

	Assert(count > 0);
	SetComparison(test, &least, values[0]);
	greatest = least;
	for (i = 1; i < count; i++)
	{
		RetlZoneFilter comparison = {0};

		SetComparison(test, &comparison, values[i]);
		TakeExtreme(&least, &comparison, -1);
		TakeExtreme(&greatest, &comparison, 1);
	}

	if (test->kind == RETL_TEST_LT || test->kind == RETL_TEST_LE)
		*filter = greatest;
	else if (test->kind == RETL_TEST_GT || test->kind == RETL_TEST_GE)
		*filter = least;
	else
	{
		SetArguments(keys, filter, RETL_TEST_AND, 2);
		*filter->args[0] = least;
		filter->args[0]->kind = RETL_TEST_GE;
		*filter->args[1] = greatest;
		filter->args[1]->kind = RETL_TEST_LE;
	}
}

/* column op ANY (array) */
static void
SetArray(RetlSkipKeys *keys, const KeyedTest *test, Datum value)
{
	RetlZoneFilter *filter = test->filter;
	ArrayType  *array = DatumGetArrayTypeP(value);
	int16		length;
	bool		byValue;
	char		align;
	Datum	   *elements;
	bool	   *nulls;
	int			elementCount;
	int			count = 0;
	int			i;

	get_typlenbyvalalign(ARR_ELEMTYPE(array), &length, &byValue, &align);
	deconstruct_array(array, ARR_ELEMTYPE(array), length, byValue, align,
					  &elements, &nulls, &elementCount);

	/* a null element never makes a row match */
	for (i = 0; i < elementCount; i++)
	{
		if (!nulls[i])
			elements[count++] = elements[i];
	}

	if (count <= MAX_ARRAY_TESTS)
	{
		SetArguments(keys, filter, RETL_TEST_OR, count);
		for (i = 0; i < count; i++)
			SetComparison(test, filter->args[i], elements[i]);
	}
	else
		SetRange(keys, test, elements, count);
}

/*
 * Compute the keys and put them into the filter.  All temporary memory is the
 * expression context's per-tuple memory, which is reset.
 */
void
RetlSkipKeysEvaluate(RetlSkipKeys *keys, ExprContext *econtext)
{
	int			i;

	MemoryContextReset(keys->arrayContext);

	for (i = 0; i < keys->testCount; i++)
	{
		KeyedTest  *test = &keys->tests[i];
		MemoryContext oldContext;
		Datum		value;
		bool		isnull;

		value = ExecEvalExprSwitchContext(test->key, econtext, &isnull);
		oldContext = MemoryContextSwitchTo(econtext->ecxt_per_tuple_memory);
		if (isnull)
			test->filter->kind = RETL_TEST_NEVER;
		else if (test->isArray)
			SetArray(keys, test, value);
		else
			SetComparison(test, test->filter, value);
		MemoryContextSwitchTo(oldContext);
	}
	ResetExprContext(econtext);
}

/* May the keys differ from one rescan to the next? */
bool
RetlSkipKeysMayChange(const RetlSkipKeys *keys)
{
	return keys->mayChange;
}

/* The filter, the same one at any time. */
const RetlZoneFilter *
RetlSkipKeysGetFilter(const RetlSkipKeys *keys)
{
	return keys->filter;
}
