/*-------------------------------------------------------------------------
 *
 * skip_keys.c
 *	  From trees of tests to filters with their keys.
 *
 * A tree becomes a zone filter, and where the condition is pushed, a tree of
 * column tests for vectors as well.  Both are built once for a scan node and
 * live as long as the node.  Their keys are computed before each scan and put
 * into them in place.  A key that is null makes its test one that no row
 * matches, for the operators are strict.
 *
 * column op ANY (array) becomes an OR of one test for each element, and ALL an
 * AND; where there are many elements, the least and the greatest stand for all
 * in zone filters.  On vectors, "= ANY" and "<> ALL" are single tests.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/int.h"
#include "executor/executor.h"
#include "utils/array.h"
#include "utils/date.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "exec/exec.h"
#include "rowgroup/column_type.h"

/* Arrays with more elements than this are tested by their range. */
#define MAX_ARRAY_TESTS		64

/* A test whose key is to be computed. */
typedef struct KeyedTest
{
	RetlZoneFilter *filter;		/* where the test stands in the zone filter, NULL:
								 * it does not */
	RetlZoneFilter *condition;	/* same in a condition on vectors */
	RetlZoneTestKind kind;
	RetlKeyKind keyKind;
	ExprState  *key;
	bool		isVarlena;		/* the key's type is of variable length */
	RetlArrayUse array;
	Oid			functionOid;
	RetlComparison comparison;
	RetlColumnTest columnTest;
} KeyedTest;

struct RetlSkipKeys
{
	TupleDesc	tupdesc;
	PlanState  *parent;
	RetlZoneFilter *filter;		/* NULL: none */
	RetlScanConditions conditions;
	bool		mayChange;		/* some key is not a constant */
	bool		mayCompute;		/* ... nor a parameter */
	List	   *params;			/* those that are parameters */
	int			testCount;
	KeyedTest  *tests;
	MemoryContext arrayContext; /* constants, and tests of array elements; reset
								 * each time */
};

/* ---------------------------------------------------------------------
 * Building
 * ---------------------------------------------------------------------
 */

/* Number of tests with a key in a tree. */
static int
CountKeyedTests(List *tree)
{
	int			count = list_nth_int((List *) linitial(tree), RETL_SKIP_KEY_INDEX) >= 0;
	ListCell   *lc;

	for_each_from(lc, tree, 1)
		count += CountKeyedTests((List *) lfirst(lc));
	return count;
}

/* Note what is needed to evaluate a test on vectors. */
static void
SetComparisonOf(const RetlSkipKeys *keys, RetlComparison *comparison, List *fields)
{
	Form_pg_attribute attribute;

	comparison->attnum = (AttrNumber) list_nth_int(fields, RETL_SKIP_ATTNUM);
	comparison->class = (RetlTestClass) list_nth_int(fields, RETL_SKIP_CLASS);
	comparison->op = (RetlFilterOp) list_nth_int(fields, RETL_SKIP_OP);
	comparison->keyType = (Oid) list_nth_int(fields, RETL_SKIP_KEY_TYPE);
	comparison->collation = (Oid) list_nth_int(fields, RETL_SKIP_COLLATION);
	comparison->context = CurrentMemoryContext;

	attribute = TupleDescAttr(keys->tupdesc, comparison->attnum - 1);
	comparison->columnType = getBaseType(attribute->atttypid);
	comparison->columnLength = attribute->attlen;
	comparison->columnByValue = attribute->attbyval;
}

/* Note what is needed to compute the key of a test. */
static KeyedTest *
AddKeyedTest(RetlSkipKeys *keys, List *fields, List *keyExprs)
{
	Expr	   *expr = (Expr *) list_nth(keyExprs, list_nth_int(fields, RETL_SKIP_KEY_INDEX));
	KeyedTest  *test = &keys->tests[keys->testCount++];

	test->kind = (RetlZoneTestKind) list_nth_int(fields, RETL_SKIP_KIND);
	test->keyKind = (RetlKeyKind) list_nth_int(fields, RETL_SKIP_KEY_KIND);
	test->array = (RetlArrayUse) list_nth_int(fields, RETL_SKIP_ARRAY);
	test->functionOid = (Oid) list_nth_int(fields, RETL_SKIP_FUNCTION);
	SetComparisonOf(keys, &test->comparison, fields);
	if (test->comparison.class == RETL_CLASS_FUNCTION)
		fmgr_info(test->functionOid, &test->comparison.function);
	test->isVarlena = get_typlen(test->comparison.keyType) == -1;
	test->key = ExecInitExpr(expr, keys->parent);

	if (!IsA(expr, Const))
		keys->mayChange = true;
	if (IsA(expr, Param))
		keys->params = lappend(keys->params, expr);
	else if (!IsA(expr, Const))
		keys->mayCompute = true;
	return test;
}

/* A column test for one without a key. */
static RetlColumnTest *
MakeNullTest(RetlZoneTestKind kind, AttrNumber attnum)
{
	RetlColumnTest *test = palloc(sizeof(RetlColumnTest));

	RetlColumnTestSetKind(test, kind == RETL_TEST_IS_NULL ? RETL_COLUMN_IS_NULL :
						  RETL_COLUMN_IS_NOT_NULL, attnum);
	return test;
}

/*
 * Build the filters for a tree of tests: the one for zones is returned in
 * *filter and the condition on vectors in *condition, if wanted.
 */
static void
BuildFilters(RetlSkipKeys *keys, List *tree, List *keyExprs, RetlZoneFilter **filter,
			 RetlZoneFilter **condition)
{
	List	   *fields = (List *) linitial(tree);
	RetlZoneFilter **nodes[2] = {filter, condition};
	KeyedTest  *test = NULL;

	if (list_nth_int(fields, RETL_SKIP_KEY_INDEX) >= 0)
		test = AddKeyedTest(keys, fields, keyExprs);

	for (int i = 0; i < 2; i++)
	{
		RetlZoneFilter *node;

		if (nodes[i] == NULL)
			continue;
		*nodes[i] = node = palloc0(sizeof(RetlZoneFilter));
		node->kind = (RetlZoneTestKind) list_nth_int(fields, RETL_SKIP_KIND);
		node->attnum = (AttrNumber) list_nth_int(fields, RETL_SKIP_ATTNUM);
		node->argCount = list_length(tree) - 1;
		node->args = palloc(sizeof(RetlZoneFilter *) * (node->argCount + 1));
		if (test != NULL && i == 0)
			test->filter = node;
		else if (test != NULL)
			test->condition = node;
		else if (i == 1 && node->kind != RETL_TEST_AND && node->kind != RETL_TEST_OR)
			node->test = MakeNullTest(node->kind, node->attnum);
	}
	for (int i = 1; i < list_length(tree); i++)
		BuildFilters(keys, (List *) list_nth(tree, i), keyExprs,
					 filter != NULL ? &(*filter)->args[i - 1] : NULL,
					 condition != NULL ? &(*condition)->args[i - 1] : NULL);
}

/* Build the filters of the plan's tests; see exec.h for the plan. */
static void
BuildAll(RetlSkipKeys *keys, CustomScan *plan, bool skipping, bool filtering)
{
	List	   *tree = (List *) list_nth(plan->custom_private, RETL_PRIVATE_TESTS);
	List	   *pushed = (List *) list_nth(plan->custom_private, RETL_PRIVATE_PUSHED);
	RetlZoneFilter **conditions = palloc0(sizeof(RetlZoneFilter *) * list_length(tree));
	const RetlZoneFilter **trees = palloc(sizeof(RetlZoneFilter *) * (list_length(pushed) + 1));
	ListCell   *lc;

	if (skipping)
	{
		keys->filter = palloc0(sizeof(RetlZoneFilter));
		keys->filter->kind = RETL_TEST_AND;
		keys->filter->argCount = list_length(tree) - 1;
		keys->filter->args = palloc(sizeof(RetlZoneFilter *) * list_length(tree));
	}
	for (int i = 1; i < list_length(tree); i++)
	{
		bool		isPushed = filtering && list_member_int(pushed, i - 1);

		if (skipping || isPushed)
			BuildFilters(keys, (List *) list_nth(tree, i), plan->custom_exprs,
						 skipping ? &keys->filter->args[i - 1] : NULL,
						 isPushed ? &conditions[i - 1] : NULL);
	}

	if (filtering)
	{
		foreach(lc, pushed)
			trees[keys->conditions.count++] = conditions[lfirst_int(lc)];
	}
	keys->conditions.trees = trees;
}

/*
 * Build filters for the tests of a plan in the current memory context, which
 * must live as long as the node; their keys are not there yet.  The zone filter
 * is made if "skipping", the conditions on vectors if "filtering".
 */
RetlSkipKeys *
RetlSkipKeysCreate(CustomScan *plan, TupleDesc tupdesc, PlanState *parent, bool skipping,
				   bool filtering)
{
	List	   *tree = (List *) list_nth(plan->custom_private, RETL_PRIVATE_TESTS);
	RetlSkipKeys *keys = palloc0(sizeof(RetlSkipKeys));

	keys->tupdesc = tupdesc;
	keys->parent = parent;
	keys->tests = palloc0(sizeof(KeyedTest) * Max(CountKeyedTests(tree), 1));
	BuildAll(keys, plan, skipping, filtering);
	keys->arrayContext = AllocSetContextCreate(CurrentMemoryContext,
											   "retldb skip keys",
											   ALLOCSET_SMALL_SIZES);
	return keys;
}

/* ---------------------------------------------------------------------
 * Keys of zone filters
 * ---------------------------------------------------------------------
 */

/* Make a filter node a test for a prefix that a pattern tells. */
static void
SetPrefix(const KeyedTest *test, RetlZoneFilter *filter, Datum pattern)
{
	uint8	   *prefix;
	Size		length;

	filter->kind = RETL_TEST_ALWAYS;
	if (!RetlPatternPrefix(test->functionOid, test->comparison.collation, pattern,
						   &prefix, &length))
		return;

	/* keys of padded strings are without their trailing blanks */
	while (test->keyKind == RETL_KEY_BPCHAR && length > 0 && prefix[length - 1] == ' ')
		length--;
	if (length == 0)
		return;

	filter->kind = RETL_TEST_PREFIX;
	filter->keyLength = (uint8) Min(length, RETLDB_KEY_LENGTH);
	memset(filter->key, 0, RETLDB_KEY_LENGTH);
	memcpy(filter->key, prefix, filter->keyLength);
}

/* The zone test that is a comparison. */
static RetlZoneTestKind
KindOfOp(RetlFilterOp op)
{
	switch (op)
	{
		case RETL_LT:
			return RETL_TEST_LT;
		case RETL_LE:
			return RETL_TEST_LE;
		case RETL_EQ:
			return RETL_TEST_EQ;
		case RETL_GE:
			return RETL_TEST_GE;
		case RETL_GT:
			return RETL_TEST_GT;
		case RETL_NE:
			return RETL_TEST_NE;
		default:
			return RETL_TEST_ALWAYS;
	}
}

/* Make a filter node a comparison with a value of the given type. */
static void
SetValue(const KeyedTest *test, RetlZoneFilter *filter, RetlZoneTestKind kind, Oid type,
		 Datum value)
{
	filter->kind = kind;
	filter->attnum = test->comparison.attnum;
	filter->keyKind = test->keyKind;
	filter->keyExact = RetlZoneKeyFromDatum(test->keyKind, type, value, filter->key);
	filter->argCount = 0;
	filter->hasHash = kind == RETL_TEST_EQ;
	if (filter->hasHash)
		filter->hash = RetlHashFromDatum(test->keyKind, type, value);
}

/* A date or timestamp some units away; infinity stays where it is. */
static Datum
MoveTime(Oid type, Datum value, int64 distance)
{
	int64		moved;

	if (type == DATEOID)
	{
		if (DATE_NOT_FINITE(DatumGetDateADT(value)))
			return value;
		return DateADTGetDatum((DateADT) (DatumGetDateADT(value) + distance));
	}
	if (TIMESTAMP_NOT_FINITE(DatumGetTimestamp(value)) ||
		pg_add_s64_overflow(DatumGetTimestamp(value), distance, &moved))
		return value;
	return TimestampGetDatum(moved);
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

/* Make a filter node a comparison with a key of another time type. */
static void
SetTime(RetlSkipKeys *keys, const KeyedTest *test, RetlZoneFilter *filter, Datum value)
{
	Oid			type = test->comparison.columnType;
	RetlTimeKey key;

	RetlConvertTimeKey(type, test->comparison.keyType, test->comparison.op, value, &key);
	if (key.never || key.always)
		filter->kind = key.never ? RETL_TEST_NEVER : RETL_TEST_IS_NOT_NULL;
	else if (key.widen == 0)
		SetValue(test, filter, KindOfOp(key.op), type, key.value);
	else if (key.op == RETL_LT || key.op == RETL_LE)
		SetValue(test, filter, RETL_TEST_LE, type, MoveTime(type, key.value, key.widen));
	else if (key.op == RETL_GT || key.op == RETL_GE)
		SetValue(test, filter, RETL_TEST_GE, type, MoveTime(type, key.value, -key.widen));
	else if (key.op == RETL_EQ)
	{
		SetArguments(keys, filter, RETL_TEST_AND, 2);
		SetValue(test, filter->args[0], RETL_TEST_GE, type,
				 MoveTime(type, key.value, -key.widen));
		SetValue(test, filter->args[1], RETL_TEST_LE, type,
				 MoveTime(type, key.value, key.widen));
	}
	else
		filter->kind = RETL_TEST_ALWAYS;
}

/* Make a node of the zone filter a comparison with a value, which is detoasted. */
static void
SetComparison(RetlSkipKeys *keys, const KeyedTest *test, RetlZoneFilter *filter, Datum value)
{
	filter->attnum = test->comparison.attnum;
	filter->keyKind = test->keyKind;
	filter->argCount = 0;
	if (test->kind == RETL_TEST_ALWAYS)
		filter->kind = RETL_TEST_ALWAYS;
	else if (test->kind == RETL_TEST_PREFIX)
		SetPrefix(test, filter, value);
	else if (RetlAreTimeTypes(test->comparison.columnType, test->comparison.keyType))
		SetTime(keys, test, filter, value);
	else
		SetValue(test, filter, test->kind, test->comparison.keyType, value);
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
 * Comparison with any or all of many values: less than one of them is less than
 * the greatest, equal to one of them is within their range.  There is at least
 * one value.
 */
static void
SetRange(RetlSkipKeys *keys, const KeyedTest *test, const Datum *values, int count)
{
	RetlZoneFilter *filter = test->filter;
	RetlZoneFilter least = {0};
	RetlZoneFilter greatest;
	bool		isLess = test->kind == RETL_TEST_LT || test->kind == RETL_TEST_LE;
	bool		isGreater = test->kind == RETL_TEST_GT || test->kind == RETL_TEST_GE;

	if ((!isLess && !isGreater && (test->kind != RETL_TEST_EQ || test->array != RETL_ARRAY_ANY)) ||
		RetlAreTimeTypes(test->comparison.columnType, test->comparison.keyType))
	{
		filter->kind = RETL_TEST_ALWAYS;
		return;
	}

	SetComparison(keys, test, &least, values[0]);
	greatest = least;
	for (int i = 1; i < count; i++)
	{
		RetlZoneFilter comparison = {0};

		SetComparison(keys, test, &comparison, values[i]);
		TakeExtreme(&least, &comparison, -1);
		TakeExtreme(&greatest, &comparison, 1);
	}

	if (isLess || isGreater)
		*filter = isLess == (test->array == RETL_ARRAY_ANY) ? greatest : least;
	else
	{
		SetArguments(keys, filter, RETL_TEST_AND, 2);
		*filter->args[0] = least;
		filter->args[0]->kind = RETL_TEST_GE;
		*filter->args[1] = greatest;
		filter->args[1]->kind = RETL_TEST_LE;
	}
}

/* column op ANY or ALL (array) in the zone filter; no value is null. */
static void
SetArrayInFilter(RetlSkipKeys *keys, const KeyedTest *test, const Datum *values, int count)
{
	RetlZoneFilter *filter = test->filter;

	if (count > MAX_ARRAY_TESTS)
	{
		SetRange(keys, test, values, count);
		return;
	}
	SetArguments(keys, filter, test->array == RETL_ARRAY_ANY ? RETL_TEST_OR : RETL_TEST_AND,
				 count);
	for (int i = 0; i < count; i++)
		SetComparison(keys, test, filter->args[i], values[i]);
}

/* ---------------------------------------------------------------------
 * Keys of conditions on vectors
 * ---------------------------------------------------------------------
 */

/*
 * Make a node of a condition a comparison with a value, which is detoasted;
 * constants go to the current memory context.
 */
static void
SetCondition(RetlSkipKeys *keys, KeyedTest *test, RetlZoneFilter *node,
			 RetlColumnTest *columnTest, Datum value)
{
	RetlComparison *comparison = &test->comparison;
	RetlFilterOp op = comparison->op;

	/* zones decide about branches of OR */
	SetComparison(keys, test, node, value);
	node->test = columnTest;
	if (!RetlAreTimeTypes(comparison->columnType, comparison->keyType))
		RetlColumnTestSet(columnTest, comparison, value);
	else
	{
		Oid			keyType = comparison->keyType;
		RetlTimeKey key;

		RetlConvertTimeKey(comparison->columnType, keyType, op, value, &key);
		Assert(key.widen == 0);
		comparison->op = key.op;
		comparison->keyType = comparison->columnType;
		if (key.never || key.always)
			RetlColumnTestSetKind(columnTest, key.never ? RETL_COLUMN_NEVER :
								  RETL_COLUMN_IS_NOT_NULL, comparison->attnum);
		else
			RetlColumnTestSet(columnTest, comparison, key.value);
		comparison->op = op;
		comparison->keyType = keyType;
	}
}

/* Can an array be a single test? */
static bool
IsListTest(const KeyedTest *test)
{
	const RetlComparison *comparison = &test->comparison;

	if (comparison->class == RETL_CLASS_FUNCTION ||
		RetlAreTimeTypes(comparison->columnType, comparison->keyType))
		return false;
	return comparison->op == (test->array == RETL_ARRAY_ANY ? RETL_EQ : RETL_NE);
}

/* column op ANY or ALL (array) on vectors; no value is null. */
static void
SetArrayInCondition(RetlSkipKeys *keys, KeyedTest *test, const Datum *values, int count)
{
	RetlZoneFilter *node = test->condition;
	bool		isAny = test->array == RETL_ARRAY_ANY;

	if (count > 0 && IsListTest(test))
	{
		node->kind = RETL_TEST_ALWAYS;
		node->argCount = 0;
		node->test = &test->columnTest;
		RetlColumnTestSetList(node->test, &test->comparison, values, count, isAny);
		return;
	}

	node->test = NULL;
	SetArguments(keys, node, isAny ? RETL_TEST_OR : RETL_TEST_AND, count);
	for (int i = 0; i < count; i++)
		SetCondition(keys, test, node->args[i], palloc0(sizeof(RetlColumnTest)), values[i]);
}

/* Two conditions that together are a range of a column become one. */
static void
FuseConditions(RetlSkipKeys *keys)
{
	for (int i = 0; i < keys->conditions.count; i++)
	{
		RetlZoneFilter *first = unconstify(RetlZoneFilter *, keys->conditions.trees[i]);

		for (int j = i + 1; j < keys->conditions.count && first->test != NULL; j++)
		{
			RetlZoneFilter *second = unconstify(RetlZoneFilter *, keys->conditions.trees[j]);

			if (second->test == NULL || !RetlColumnTestFuse(first->test, second->test))
				continue;
			/* an AND of nothing holds for all rows */
			second->test = NULL;
			second->kind = RETL_TEST_AND;
			second->argCount = 0;
			break;
		}
	}
}

/* ---------------------------------------------------------------------
 * Evaluation
 * ---------------------------------------------------------------------
 */

/* A comparison that no row meets, for the key is null. */
static void
SetNever(KeyedTest *test)
{
	if (test->filter != NULL)
		test->filter->kind = RETL_TEST_NEVER;
	if (test->condition != NULL)
	{
		test->condition->kind = RETL_TEST_NEVER;
		test->condition->argCount = 0;
		test->condition->test = &test->columnTest;
		RetlColumnTestSetKind(&test->columnTest, RETL_COLUMN_NEVER, test->comparison.attnum);
	}
}

/* column op key */
static void
SetScalar(RetlSkipKeys *keys, KeyedTest *test, Datum value)
{
	if (test->isVarlena)
		value = PointerGetDatum(PG_DETOAST_DATUM(value));
	if (test->filter != NULL)
		SetComparison(keys, test, test->filter, value);
	if (test->condition != NULL)
		SetCondition(keys, test, test->condition, &test->columnTest, value);
}

/* column op ANY or ALL (array) */
static void
SetArray(RetlSkipKeys *keys, KeyedTest *test, Datum value)
{
	ArrayType  *array = DatumGetArrayTypeP(value);
	int16		length;
	bool		byValue;
	char		align;
	Datum	   *elements;
	bool	   *nulls;
	int			elementCount;
	int			count = 0;

	get_typlenbyvalalign(ARR_ELEMTYPE(array), &length, &byValue, &align);
	deconstruct_array(array, ARR_ELEMTYPE(array), length, byValue, align,
					  &elements, &nulls, &elementCount);

	/* a null element never makes a row match, nor does it let ALL hold */
	for (int i = 0; i < elementCount; i++)
	{
		if (nulls[i])
			continue;
		elements[count] = elements[i];
		if (test->isVarlena)
			elements[count] = PointerGetDatum(PG_DETOAST_DATUM(elements[i]));
		count++;
	}
	if (count < elementCount && test->array == RETL_ARRAY_ALL)
	{
		SetNever(test);
		return;
	}

	if (test->filter != NULL)
		SetArrayInFilter(keys, test, elements, count);
	if (test->condition != NULL)
		SetArrayInCondition(keys, test, elements, count);
}

/*
 * Compute the keys and put them into the filters.  What the filters point to is
 * allocated anew; it is needed for as long as the scan runs.
 */
void
RetlSkipKeysEvaluate(RetlSkipKeys *keys, ExprContext *econtext)
{
	MemoryContextReset(keys->arrayContext);

	for (int i = 0; i < keys->testCount; i++)
	{
		KeyedTest  *test = &keys->tests[i];
		MemoryContext oldContext;
		Datum		value;
		bool		isnull;

		value = ExecEvalExprSwitchContext(test->key, econtext, &isnull);
		oldContext = MemoryContextSwitchTo(keys->arrayContext);
		if (isnull)
			SetNever(test);
		else if (test->array != RETL_ARRAY_NONE)
			SetArray(keys, test, value);
		else
			SetScalar(keys, test, value);
		MemoryContextSwitchTo(oldContext);
	}
	FuseConditions(keys);
	ResetExprContext(econtext);
}

/*
 * Is the value of a parameter there?  The result of a subquery may still have to be
 * computed, and that of a variable of PL/pgSQL may turn out not to exist.
 */
static bool
ParamIsKnown(const Param *param, ExprContext *econtext)
{
	if (param->paramkind == PARAM_EXEC)
		return econtext->ecxt_param_exec_vals[param->paramid].execPlan == NULL;
	return param->paramkind == PARAM_EXTERN && econtext->ecxt_param_list_info != NULL &&
		econtext->ecxt_param_list_info->paramFetch == NULL;
}

/* See exec.h. */
bool
RetlSkipKeysAreKnown(const RetlSkipKeys *keys, ExprContext *econtext)
{
	ListCell   *lc;

	if (keys->mayCompute)
		return false;
	foreach(lc, keys->params)
	{
		if (!ParamIsKnown(lfirst_node(Param, lc), econtext))
			return false;
	}
	return true;
}

/* May the keys differ from one rescan to the next? */
bool
RetlSkipKeysMayChange(const RetlSkipKeys *keys)
{
	return keys->mayChange;
}

/* The zone filter, the same one at any time; NULL if there is none. */
const RetlZoneFilter *
RetlSkipKeysGetFilter(const RetlSkipKeys *keys)
{
	return keys->filter;
}

/* The conditions on vectors, the same ones at any time. */
const RetlScanConditions *
RetlSkipKeysGetConditions(const RetlSkipKeys *keys)
{
	return &keys->conditions;
}
