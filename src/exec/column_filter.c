/*-------------------------------------------------------------------------
 *
 * column_filter.c
 *	  From comparisons and their keys to column tests.
 *
 * The constants of a test are values as they are stored in the column.  A key
 * of another width is converted, and where the column's type has no such value,
 * the comparison becomes another one that is equal to it for all the values
 * the column can have.
 *
 * Each test has a predicate that says the same about one value; row group
 * readers use it where an encoding does not compare, so it is what defines the
 * meaning of the test.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/float.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"

#include "exec/exec.h"

/* What a predicate needs to know. */
typedef struct FilterState
{
	RetlComparison *comparison;
	RetlFilterOp op;			/* IN with "negated" is NOT IN */
	bool		negated;
	uint32		count;
	RetlFilterConstant *constants;
	Datum		key;			/* FUNCTION */
} FilterState;

/* What became of a key. */
typedef enum KeyState
{
	KEY_COMPARES,				/* op and constant say it */
	KEY_NEVER,					/* no value passes */
	KEY_ALWAYS					/* all values do */
} KeyState;

/* The generation of the test that was made last. */
static uint64 lastGeneration = 0;

/* ---------------------------------------------------------------------
 * Values as they are stored
 * ---------------------------------------------------------------------
 */

/* A stored integer. */
static int64
ReadSigned(const uint8 *data, Size width)
{
	int16		value2;
	int32		value4;
	int64		value8;

	switch (width)
	{
		case 1:
			return (int8) data[0];
		case 2:
			memcpy(&value2, data, sizeof(value2));
			return value2;
		case 4:
			memcpy(&value4, data, sizeof(value4));
			return value4;
		default:
			memcpy(&value8, data, sizeof(value8));
			return value8;
	}
}

/* A stored unsigned integer, of at most four bytes. */
static int64
ReadUnsigned(const uint8 *data, Size width)
{
	uint32		value;

	if (width == 1)
		return data[0];
	memcpy(&value, data, sizeof(value));
	return value;
}

/* A stored floating-point number. */
static double
ReadFloat(const uint8 *data, Size width)
{
	float		value4;
	double		value8;

	if (width == sizeof(value4))
	{
		memcpy(&value4, data, sizeof(value4));
		return value4;
	}
	memcpy(&value8, data, sizeof(value8));
	return value8;
}

/* Room for a value of this size, kept from one to the next. */
static char *
ScratchRoom(RetlComparison *comparison, Size size)
{
	if (size > comparison->scratchSize)
	{
		Size		newSize = Max(size, 2 * comparison->scratchSize);

		if (comparison->scratch != NULL)
			pfree(comparison->scratch);
		comparison->scratch = NULL;
		comparison->scratchSize = 0;
		comparison->scratch = MemoryContextAlloc(comparison->context, newSize);
		comparison->scratchSize = newSize;
	}
	return comparison->scratch;
}

/* A stored variable-length value with its header, in room for it. */
static Datum
PutVarlena(char *room, const uint8 *value, Size length)
{
	SET_VARSIZE(room, VARHDRSZ + length);
	memcpy(VARDATA(room), value, length);
	return PointerGetDatum(room);
}

/* A stored value as PostgreSQL has it; valid until the next one. */
static Datum
ValueAsDatum(FilterState *state, const uint8 *value, Size length)
{
	const RetlComparison *comparison = state->comparison;
	char	   *room;

	if (comparison->columnByValue)
	{
		switch (comparison->columnLength)
		{
			case 1:
				return CharGetDatum(*(const char *) value);
			case 2:
				return Int16GetDatum((int16) ReadSigned(value, 2));
			case 4:
				return Int32GetDatum((int32) ReadSigned(value, 4));
			default:
				return Int64GetDatum(ReadSigned(value, 8));
		}
	}

	room = ScratchRoom(state->comparison, VARHDRSZ + length);
	if (comparison->columnLength < 0)
		return PutVarlena(room, value, length);
	memcpy(room, value, length);
	return PointerGetDatum(room);
}

/* ---------------------------------------------------------------------
 * Comparing
 * ---------------------------------------------------------------------
 */

/* Length of a string without its trailing blanks. */
static Size
TrimmedLength(const uint8 *data, Size length)
{
	while (length > 0 && data[length - 1] == ' ')
		length--;
	return length;
}

/* Order of two strings of bytes. */
static int
CompareBytes(const uint8 *a, Size aLength, const uint8 *b, Size bLength)
{
	int			order = memcmp(a, b, Min(aLength, bLength));

	if (order != 0)
		return order;
	return aLength < bLength ? -1 : aLength > bLength;
}

/* Order of two numerics. */
static int
CompareNumerics(FilterState *state, const uint8 *a, Size aLength, const uint8 *b, Size bLength)
{
	Size		aRoom = MAXALIGN(VARHDRSZ + aLength);
	char	   *room = ScratchRoom(state->comparison, aRoom + VARHDRSZ + bLength);

	return DatumGetInt32(DirectFunctionCall2(numeric_cmp, PutVarlena(room, a, aLength),
											 PutVarlena(room + aRoom, b, bLength)));
}

/* Order of two stored values; not for class FUNCTION. */
static int
CompareStored(FilterState *state, const uint8 *a, Size aLength, const uint8 *b, Size bLength)
{
	int64		aInt;
	int64		bInt;

	switch (state->comparison->class)
	{
		case RETL_CLASS_SIGNED:
			aInt = ReadSigned(a, aLength);
			bInt = ReadSigned(b, bLength);
			return aInt < bInt ? -1 : aInt > bInt;
		case RETL_CLASS_UNSIGNED:
			aInt = ReadUnsigned(a, aLength);
			bInt = ReadUnsigned(b, bLength);
			return aInt < bInt ? -1 : aInt > bInt;
		case RETL_CLASS_FLOAT:
			return float8_cmp_internal(ReadFloat(a, aLength), ReadFloat(b, bLength));
		case RETL_CLASS_BYTES:
			return CompareBytes(a, aLength, b, bLength);
		case RETL_CLASS_PADDED:
			return CompareBytes(a, TrimmedLength(a, aLength), b, TrimmedLength(b, bLength));
		case RETL_CLASS_NUMERIC:
			return CompareNumerics(state, a, aLength, b, bLength);
		default:
			elog(ERROR, "values of class %d do not compare", (int) state->comparison->class);
			return 0;
	}
}

/* Order of a value and one of the constants. */
static int
CompareWithConstant(FilterState *state, const uint8 *value, Size length, uint32 i)
{
	return CompareStored(state, value, length,
						 state->constants[i].data, state->constants[i].length);
}

/* Is a value among the constants, which rise? */
static bool
IsAmongConstants(FilterState *state, const uint8 *value, Size length)
{
	uint32		low = 0;
	uint32		high = state->count;

	while (low < high)
	{
		uint32		middle = low + (high - low) / 2;
		int			order = CompareWithConstant(state, value, length, middle);

		if (order == 0)
			return true;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return false;
}

/* The predicate of comparisons. */
static bool
ComparisonPasses(void *context, const uint8_t *value, size_t length)
{
	FilterState *state = context;

	switch (state->op)
	{
		case RETL_LT:
			return CompareWithConstant(state, value, length, 0) < 0;
		case RETL_LE:
			return CompareWithConstant(state, value, length, 0) <= 0;
		case RETL_EQ:
			return CompareWithConstant(state, value, length, 0) == 0;
		case RETL_GE:
			return CompareWithConstant(state, value, length, 0) >= 0;
		case RETL_GT:
			return CompareWithConstant(state, value, length, 0) > 0;
		case RETL_NE:
			return CompareWithConstant(state, value, length, 0) != 0;
		case RETL_BETWEEN:
			return CompareWithConstant(state, value, length, 0) >= 0 &&
				CompareWithConstant(state, value, length, 1) <= 0;
		case RETL_IN:
			return IsAmongConstants(state, value, length) != state->negated;
		case RETL_PREDICATE:
			break;
	}
	elog(ERROR, "unexpected comparison %d", (int) state->op);
	return false;
}

/* The predicate that calls the operator's function. */
static bool
FunctionPasses(void *context, const uint8_t *value, size_t length)
{
	FilterState *state = context;
	RetlComparison *comparison = state->comparison;

	return DatumGetBool(FunctionCall2Coll(&comparison->function, comparison->collation,
										  ValueAsDatum(state, value, length), state->key));
}

/* ---------------------------------------------------------------------
 * Keys
 * ---------------------------------------------------------------------
 */

/* Give a constant its bytes. */
static void
PutConstant(RetlFilterConstant *constant, const void *data, Size length)
{
	uint8	   *copy = palloc(length + 1);

	memcpy(copy, data, length);
	constant->data = copy;
	constant->length = (uint32) length;
}

/* A key that is an integer. */
static int64
KeyAsSigned(Oid keyType, Datum key)
{
	switch (keyType)
	{
		case INT2OID:
			return DatumGetInt16(key);
		case INT4OID:
		case DATEOID:
			return DatumGetInt32(key);
		default:
			return DatumGetInt64(key);
	}
}

/* An integer key; one that the column cannot have is beyond all it has. */
static KeyState
ConvertSigned(const RetlComparison *comparison, RetlFilterOp op, Datum key,
			  RetlFilterConstant *constant)
{
	int64		value = KeyAsSigned(comparison->keyType, key);
	int			bits = comparison->columnLength * 8;
	int64		max = (int64) (~UINT64CONST(0) >> (65 - bits));
	bool		above = value > max;

	if (!above && value >= -max - 1)
	{
		/* little-endian: the first bytes are the lowest */
		PutConstant(constant, &value, comparison->columnLength);
		return KEY_COMPARES;
	}
	if (op == RETL_EQ)
		return KEY_NEVER;
	if (op == RETL_NE)
		return KEY_ALWAYS;
	return above == (op == RETL_LT || op == RETL_LE) ? KEY_ALWAYS : KEY_NEVER;
}

/* A key of an unsigned type, which is the column's. */
static KeyState
ConvertUnsigned(const RetlComparison *comparison, Datum key, RetlFilterConstant *constant)
{
	uint32		value = comparison->keyType == OIDOID ? DatumGetObjectId(key) :
		(uint8) DatumGetChar(key);

	PutConstant(constant, &value, comparison->columnLength);
	return KEY_COMPARES;
}

/*
 * A floating-point key.  One between two float4 values is replaced by the one
 * nearest to it, with an operator that puts the same values on either side.
 */
static KeyState
ConvertFloat(const RetlComparison *comparison, RetlFilterOp *op, Datum key,
			 RetlFilterConstant *constant)
{
	double		value = comparison->keyType == FLOAT4OID ? DatumGetFloat4(key) :
		DatumGetFloat8(key);
	float		narrow;
	bool		isAbove;

	if (comparison->columnLength == sizeof(double))
	{
		PutConstant(constant, &value, sizeof(value));
		return KEY_COMPARES;
	}

	narrow = (float) value;
	PutConstant(constant, &narrow, sizeof(narrow));
	if (isnan(value) || (double) narrow == value)
		return KEY_COMPARES;

	isAbove = (double) narrow > value;
	switch (*op)
	{
		case RETL_LT:
		case RETL_LE:
			*op = isAbove ? RETL_LT : RETL_LE;
			return KEY_COMPARES;
		case RETL_GT:
		case RETL_GE:
			*op = isAbove ? RETL_GE : RETL_GT;
			return KEY_COMPARES;
		case RETL_EQ:
			return KEY_NEVER;
		default:
			return KEY_ALWAYS;
	}
}

/* A key of bytes. */
static KeyState
ConvertBytes(const RetlComparison *comparison, Datum key, RetlFilterConstant *constant)
{
	if (comparison->keyType == NAMEOID)
		PutConstant(constant, NameStr(*DatumGetName(key)),
					strnlen(NameStr(*DatumGetName(key)), NAMEDATALEN));
	else if (comparison->columnLength > 0)
		PutConstant(constant, DatumGetPointer(key), comparison->columnLength);
	else
		PutConstant(constant, VARDATA_ANY(DatumGetPointer(key)),
					VARSIZE_ANY_EXHDR(DatumGetPointer(key)));
	return KEY_COMPARES;
}

/* Convert a key of any class that compares. */
static KeyState
ConvertKey(const RetlComparison *comparison, RetlFilterOp *op, Datum key,
		   RetlFilterConstant *constant)
{
	switch (comparison->class)
	{
		case RETL_CLASS_SIGNED:
			return ConvertSigned(comparison, *op, key, constant);
		case RETL_CLASS_UNSIGNED:
			return ConvertUnsigned(comparison, key, constant);
		case RETL_CLASS_FLOAT:
			return ConvertFloat(comparison, op, key, constant);
		default:
			return ConvertBytes(comparison, key, constant);
	}
}

/* ---------------------------------------------------------------------
 * Tests
 * ---------------------------------------------------------------------
 */

/* The order of a class as encodings know it. */
static RetlOrder
OrderOfClass(RetlTestClass class)
{
	switch (class)
	{
		case RETL_CLASS_SIGNED:
			return RETL_ORDER_SIGNED;
		case RETL_CLASS_UNSIGNED:
			return RETL_ORDER_UNSIGNED;
		case RETL_CLASS_FLOAT:
			return RETL_ORDER_FLOAT;
		case RETL_CLASS_BYTES:
			return RETL_ORDER_BYTES;
		case RETL_CLASS_NUMERIC:
			return RETL_ORDER_NUMERIC;
		default:
			return RETL_ORDER_NONE;
	}
}

/* Make a test that does not depend on a key. */
void
RetlColumnTestSetKind(RetlColumnTest *test, RetlColumnTestKind kind, AttrNumber attnum)
{
	memset(test, 0, sizeof(*test));
	test->kind = kind;
	test->attnum = attnum;
	test->generation = ++lastGeneration;
}

/* State of a predicate, with room for constants. */
static FilterState *
MakeState(RetlComparison *comparison, RetlFilterOp op, int count)
{
	FilterState *state = palloc0(sizeof(FilterState));

	state->comparison = comparison;
	state->op = op;
	state->constants = palloc0(sizeof(RetlFilterConstant) * Max(count, 1));
	return state;
}

/* Make a test of what its predicate's state says. */
static void
SetFilter(RetlColumnTest *test, FilterState *state)
{
	RetlOrder	order = OrderOfClass(state->comparison->class);
	RetlFilter *filter = &test->filter;

	RetlColumnTestSetKind(test, RETL_COLUMN_FILTER, state->comparison->attnum);
	filter->order = order;
	filter->predicate = state->op == RETL_PREDICATE ? FunctionPasses : ComparisonPasses;
	filter->predicateContext = state;
	if (order == RETL_ORDER_NONE || state->negated)
		filter->op = RETL_PREDICATE;
	else
	{
		filter->op = state->op;
		filter->constantCount = state->count;
		filter->constants = state->constants;
	}
}

/* Make a test that a key has turned out to decide for all values. */
static void
SetDecided(RetlColumnTest *test, const RetlComparison *comparison, bool always)
{
	RetlColumnTestSetKind(test, always ? RETL_COLUMN_IS_NOT_NULL : RETL_COLUMN_NEVER,
						  comparison->attnum);
}

/*
 * Make a column test of a comparison with a key (not null, detoasted), in the
 * current memory context, which must live as long as the test is used.
 */
void
RetlColumnTestSet(RetlColumnTest *test, RetlComparison *comparison, Datum key)
{
	FilterState *state = MakeState(comparison, comparison->op, 2);

	if (comparison->class == RETL_CLASS_FUNCTION)
	{
		bool		byValue;
		int16		length;

		get_typlenbyval(comparison->keyType, &length, &byValue);
		state->op = RETL_PREDICATE;
		state->key = datumCopy(key, byValue, length);
		SetFilter(test, state);
		return;
	}

	switch (ConvertKey(comparison, &state->op, key, &state->constants[0]))
	{
		case KEY_COMPARES:
			state->count = 1;
			SetFilter(test, state);
			break;
		case KEY_NEVER:
			SetDecided(test, comparison, false);
			break;
		case KEY_ALWAYS:
			SetDecided(test, comparison, true);
			break;
	}
}

/* Order of two constants, for qsort_arg(). */
static int
CompareConstants(const void *a, const void *b, void *arg)
{
	const RetlFilterConstant *left = a;
	const RetlFilterConstant *right = b;

	return CompareStored(arg, left->data, left->length, right->data, right->length);
}

/* Sort the constants and leave each out but once. */
static void
SortConstants(FilterState *state)
{
	uint32		kept = 0;

	qsort_arg(state->constants, state->count, sizeof(RetlFilterConstant), CompareConstants,
			  state);
	for (uint32 i = 0; i < state->count; i++)
	{
		if (kept == 0 || CompareConstants(&state->constants[kept - 1], &state->constants[i],
										  state) != 0)
			state->constants[kept++] = state->constants[i];
	}
	state->count = kept;
}

/*
 * Make a test of "= ANY" (anyOf) or "<> ALL" (!anyOf) with any number of keys,
 * none of them null.  As above; not for class FUNCTION.
 */
void
RetlColumnTestSetList(RetlColumnTest *test, RetlComparison *comparison, const Datum *keys,
					  int count, bool anyOf)
{
	FilterState *state = MakeState(comparison, RETL_IN, count);

	for (int i = 0; i < count; i++)
	{
		RetlFilterOp op = RETL_EQ;

		/* what the column cannot have does not matter */
		if (ConvertKey(comparison, &op, keys[i], &state->constants[state->count]) == KEY_COMPARES)
			state->count++;
	}
	SortConstants(state);

	if (state->count == 0)
	{
		SetDecided(test, comparison, !anyOf);
		return;
	}
	if (state->count == 1)
		state->op = anyOf ? RETL_EQ : RETL_NE;
	else
		state->negated = !anyOf;
	SetFilter(test, state);
}

/* The state of a test that is a plain comparison, or NULL. */
static FilterState *
ComparisonState(const RetlColumnTest *test)
{
	if (test->kind != RETL_COLUMN_FILTER || test->filter.predicate != ComparisonPasses)
		return NULL;
	return test->filter.predicateContext;
}

/*
 * Make a comparison of integers one that includes its bound.  False if there
 * is no such bound.
 */
static bool
IncludeBound(FilterState *state, RetlFilterOp *op, RetlFilterConstant *constant)
{
	Size		width = state->comparison->columnLength;
	bool		isSigned = state->comparison->class == RETL_CLASS_SIGNED;
	int			step = *op == RETL_LT ? -1 : 1;
	int64		value;
	int64		bound;

	*constant = state->constants[0];
	if (*op == RETL_LE || *op == RETL_GE)
		return true;
	if (state->comparison->class != RETL_CLASS_SIGNED &&
		state->comparison->class != RETL_CLASS_UNSIGNED)
		return false;

	value = isSigned ? ReadSigned(constant->data, width) : ReadUnsigned(constant->data, width);
	if (isSigned)
	{
		bound = (int64) (~UINT64CONST(0) >> (65 - width * 8));
		if (step < 0)
			bound = -bound - 1;
	}
	else
		bound = step < 0 ? 0 : (int64) ((UINT64CONST(1) << (width * 8)) - 1);
	if (value == bound)
		return false;
	value += step;
	PutConstant(constant, &value, width);
	*op = *op == RETL_LT ? RETL_LE : RETL_GE;
	return true;
}

/*
 * Make the first test the AND of both, if together they are a range of one
 * column.  False if they are not; then nothing has changed.
 */
bool
RetlColumnTestFuse(RetlColumnTest *test, const RetlColumnTest *other)
{
	FilterState *states[2] = {ComparisonState(test), ComparisonState(other)};
	FilterState *lower;
	FilterState *upper;
	FilterState *state;
	RetlFilterOp lowerOp;
	RetlFilterOp upperOp;

	if (states[0] == NULL || states[1] == NULL || test->attnum != other->attnum ||
		states[0]->comparison->class != states[1]->comparison->class ||
		states[0]->comparison->class == RETL_CLASS_PADDED)
		return false;

	lower = states[0]->op == RETL_GE || states[0]->op == RETL_GT ? states[0] : states[1];
	upper = lower == states[0] ? states[1] : states[0];
	lowerOp = lower->op;
	upperOp = upper->op;
	if ((lowerOp != RETL_GE && lowerOp != RETL_GT) || (upperOp != RETL_LE && upperOp != RETL_LT))
		return false;

	state = MakeState(states[0]->comparison, RETL_BETWEEN, 2);
	if (!IncludeBound(lower, &lowerOp, &state->constants[0]) ||
		!IncludeBound(upper, &upperOp, &state->constants[1]))
		return false;
	state->count = 2;
	if (CompareConstants(&state->constants[0], &state->constants[1], state) > 0)
		SetDecided(test, state->comparison, false);
	else
		SetFilter(test, state);
	return true;
}

/* See exec.h. */
void
RetlColumnTestSetPredicate(RetlColumnTest *test, AttrNumber attnum,
						   bool (*predicate) (void *context, const uint8 *value, size_t length),
						   void *context)
{
	memset(test, 0, sizeof(*test));
	test->kind = RETL_COLUMN_FILTER;
	test->attnum = attnum;
	test->filter.op = RETL_PREDICATE;
	test->filter.order = RETL_ORDER_NONE;
	test->filter.predicate = predicate;
	test->filter.predicateContext = context;
	test->generation = ++lastGeneration;
}
