/*-------------------------------------------------------------------------
 *
 * skip_tests.c
 *	  From the conditions of a scan to trees of tests.
 *
 * A test is a comparison of a column with a key, or a null test.  Zone maps can
 * answer it for many rows at once, or it can be evaluated on vectors, or both.
 * A condition is testable if it is
 *
 *	- column op key, or key op column, where op is a btree operator of the
 *	  column's default operator family (or of the pattern families), or its
 *	  negator, or is on the list of safe functions (see SafeFunction());
 *	- column op ANY (array key), column op ALL (array key);
 *	- column IS [NOT] DISTINCT FROM a constant;
 *	- column IS [NOT] NULL, a boolean column, and boolean tests of one;
 *	- AND with a testable argument, or OR with testable arguments only.
 *
 * NOT has been pushed down by the planner before, into operators' negators.
 *
 * The tree is exact, that is, stands for the condition on vectors, if every
 * test of it does and no argument of an AND was left out.
 *
 * A key is any expression without columns of the table, subplans and volatile
 * functions, those of subqueries that are parameters by now included (init_plans.c); it
 * is evaluated once for each (re)scan, which may be before the conditions of the first
 * row are.  It therefore must not give away what a
 * security barrier hides: above the lowest security level only constants,
 * parameters and columns of other tables are taken.
 *
 * Zone maps hold text in byte order, so ranges of text are tested only where
 * the collation is that order, and equality where it is that of bytes.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/stratnum.h"
#include "access/transam.h"
#include "catalog/pg_opfamily.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/pg_locale.h"
#include "utils/typcache.h"

#include "base/compat.h"
#include "exec/exec.h"
#include "rowgroup/column_type.h"

typedef struct MatchContext
{
	PlannerInfo *root;
	Index		relid;			/* the table that is scanned */
	bool		plainKeysOnly;	/* nothing that could raise an error */
	List	   *keys;			/* found so far */

	/* of the clause at hand */
	bool		leftOut;		/* an argument of an AND */
	bool		mayFail;		/* some test could raise an error */
	const char *reason;			/* the first one why a test is not exact */
} MatchContext;

/* A comparison that is being matched. */
typedef struct Match
{
	Oid			function;
	Oid			collation;
	Node	   *left;			/* the column, maybe */
	Node	   *key;
	Oid			keyType;		/* of its elements if it is an array */
	RetlArrayUse array;
} Match;

static List *MatchClause(MatchContext *context, Expr *clause, Expr **condition);

/*
 * The column of the table an expression stands for, or NULL.  Relabelling does
 * not change values; whether the operator then still fits is checked with the
 * operator.
 */
static Var *
ColumnOf(MatchContext *context, Node *node)
{
	Var		   *var;

	while (node != NULL && IsA(node, RelabelType))
		node = (Node *) ((RelabelType *) node)->arg;

	if (node == NULL || !IsA(node, Var))
		return NULL;
	var = (Var *) node;
	if (var->varno != (int) context->relid || var->varlevelsup != 0 || var->varattno <= 0)
		return NULL;
	return var;
}

/* Can the expression be evaluated once for the whole scan? */
static bool
IsKey(MatchContext *context, Node *node)
{
	Node	   *stripped = node;

	while (IsA(stripped, RelabelType))
		stripped = (Node *) ((RelabelType *) stripped)->arg;

	if (RetlAsksNoticedQuery(context->root, node))
		return false;
	if (IsA(stripped, Const) || IsA(stripped, Param))
		return true;
	if (bms_is_member(context->relid, pull_varnos(context->root, node)))
		return false;
	if (IsA(stripped, Var))
		return true;
	if (context->plainKeysOnly)
		return false;
	return !contain_subplans(node) && !contain_volatile_functions(node);
}

/* Note why a test is not exact; the first reason counts. */
static void
GiveReason(MatchContext *context, const char *reason)
{
	if (context->reason == NULL)
		context->reason = reason;
}

/*
 * Do keys of these two types (not domains) compare like the types do?  The
 * pairs are those of different types with operators in one family.
 */
static bool
KeyTypesAgree(Oid columnType, Oid keyType)
{
	if (columnType == keyType)
		return true;

	switch (columnType)
	{
		case INT2OID:
		case INT4OID:
		case INT8OID:
			return keyType == INT2OID || keyType == INT4OID || keyType == INT8OID;
		case FLOAT4OID:
		case FLOAT8OID:
			return keyType == FLOAT4OID || keyType == FLOAT8OID;
		case TEXTOID:
		case VARCHAROID:
		case NAMEOID:
			return keyType == TEXTOID || keyType == VARCHAROID || keyType == NAMEOID;
		default:
			return RetlAreTimeTypes(columnType, keyType);
	}
}

/*
 * Strategy number of an operator in a family; -1 if it is the negator of the
 * one for equality, 0 if it is not in the family.
 */
static int
StrategyInFamily(Oid opno, Oid family)
{
	int			strategy = get_op_opfamily_strategy(opno, family);
	Oid			negator;

	if (strategy != 0)
		return strategy;
	negator = get_negator(opno);
	if (OidIsValid(negator) && get_op_opfamily_strategy(negator, family) == BTEqualStrategyNumber)
		return -1;
	return 0;
}

/* Strategy number of an operator for keys of a column; 0 = not testable. */
static int
KeyStrategy(Oid opno, Oid collation, Oid columnType, RetlKeyKind keyKind)
{
	Oid			family = lookup_type_cache(columnType, TYPECACHE_BTREE_OPFAMILY)->btree_opf;
	int			strategy = 0;

	if (OidIsValid(family))
		strategy = StrategyInFamily(opno, family);

	if (keyKind != RETL_KEY_TEXT && keyKind != RETL_KEY_BPCHAR)
		return strategy;

	/* operators that always compare bytes */
	if (strategy == 0)
		return get_op_opfamily_strategy(opno,
										keyKind == RETL_KEY_TEXT ?
										TEXT_PATTERN_BTREE_FAM_OID :
										BPCHAR_PATTERN_BTREE_FAM_OID);

	if (!OidIsValid(collation))
		return 0;
	if (strategy == BTEqualStrategyNumber || strategy == -1)
		return get_collation_isdeterministic(collation) ? strategy : 0;
	return RetlCollatesAsC(collation) ? strategy : 0;
}

/* See exec.h. */
RetlKeyKind
RetlEqualityKeyKind(Oid opno, Oid collation, Oid columnType, Oid keyType)
{
	RetlKeyKind keyKind = RetlKeyKindOfType(columnType);

	columnType = getBaseType(columnType);
	keyType = getBaseType(keyType);
	if (keyKind == RETL_KEY_NONE || !KeyTypesAgree(columnType, keyType) ||
		RetlKeyKindOfType(keyType) != keyKind || RetlAreTimeTypes(columnType, keyType) ||
		KeyStrategy(opno, collation, columnType, keyKind) != BTEqualStrategyNumber)
		return RETL_KEY_NONE;
	return keyKind;
}

/* The test that a strategy is, and the comparison. */
static RetlZoneTestKind
TestKindOfStrategy(int strategy, RetlFilterOp *op)
{
	switch (strategy)
	{
		case BTLessStrategyNumber:
			*op = RETL_LT;
			return RETL_TEST_LT;
		case BTLessEqualStrategyNumber:
			*op = RETL_LE;
			return RETL_TEST_LE;
		case BTEqualStrategyNumber:
			*op = RETL_EQ;
			return RETL_TEST_EQ;
		case BTGreaterEqualStrategyNumber:
			*op = RETL_GE;
			return RETL_TEST_GE;
		case BTGreaterStrategyNumber:
			*op = RETL_GT;
			return RETL_TEST_GT;
		case -1:
			*op = RETL_NE;
			return RETL_TEST_NE;
		default:
			*op = RETL_PREDICATE;
			return RETL_TEST_ALWAYS;
	}
}

/* How keys of a kind are compared on vectors. */
static RetlTestClass
ClassOfKeys(Oid columnType, Oid keyType, RetlKeyKind keyKind)
{
	if (RetlAreTimeTypes(columnType, keyType) && !RetlTimeKeyIsExact(columnType, keyType))
		return RETL_CLASS_NONE;

	switch (keyKind)
	{
		case RETL_KEY_INT:
			return RETL_CLASS_SIGNED;
		case RETL_KEY_UINT:
			return RETL_CLASS_UNSIGNED;
		case RETL_KEY_FLOAT:
			return RETL_CLASS_FLOAT;
		case RETL_KEY_TEXT:
			/* what stands behind the end of a name is not said */
			return columnType == NAMEOID ? RETL_CLASS_FUNCTION : RETL_CLASS_BYTES;
		case RETL_KEY_BYTEA:
		case RETL_KEY_UUID:
			return RETL_CLASS_BYTES;
		case RETL_KEY_BPCHAR:
			return RETL_CLASS_PADDED;
		case RETL_KEY_NUMERIC:
			return RETL_CLASS_NUMERIC;
		case RETL_KEY_NONE:
			break;
	}
	return RETL_CLASS_NONE;
}

/* The fields of a test. */
static List *
MakeFields(RetlZoneTestKind kind, AttrNumber attnum, RetlTestClass class)
{
	List	   *fields = list_make5_int(kind, attnum, RETL_KEY_NONE, -1, InvalidOid);

	fields = lappend_int(fields, RETL_ARRAY_NONE);
	fields = lappend_int(fields, class);
	fields = lappend_int(fields, RETL_PREDICATE);
	fields = lappend_int(fields, InvalidOid);
	return lappend_int(fields, InvalidOid);
}

/* A tree of a single test without key, or the root of a tree of several. */
static List *
MakeNode(RetlZoneTestKind kind, AttrNumber attnum)
{
	return list_make1(MakeFields(kind, attnum, RETL_CLASS_NULL_TEST));
}

/* The root of a tree of tests, an AND, without arguments. */
List *
RetlMakeAndNode(void)
{
	return MakeNode(RETL_TEST_AND, InvalidAttrNumber);
}

/* A tree of a single test with a key, which is added to those of the scan. */
static List *
MakeKeyTest(MatchContext *context, RetlZoneTestKind kind, AttrNumber attnum,
			RetlKeyKind keyKind, RetlTestClass class, RetlFilterOp op, const Match *match)
{
	List	   *fields = MakeFields(kind, attnum, class);

	list_nth_cell(fields, RETL_SKIP_KEY_KIND)->int_value = keyKind;
	list_nth_cell(fields, RETL_SKIP_KEY_INDEX)->int_value = list_length(context->keys);
	list_nth_cell(fields, RETL_SKIP_KEY_TYPE)->int_value = (int) getBaseType(match->keyType);
	list_nth_cell(fields, RETL_SKIP_ARRAY)->int_value = match->array;
	list_nth_cell(fields, RETL_SKIP_OP)->int_value = op;
	list_nth_cell(fields, RETL_SKIP_FUNCTION)->int_value = (int) match->function;
	list_nth_cell(fields, RETL_SKIP_COLLATION)->int_value = (int) match->collation;
	context->keys = lappend(context->keys, match->key);
	return list_make1(fields);
}

/*
 * Is this a comparison of keys, which zone maps and vectors know by its order?
 * NIL if not.
 */
static List *
MatchKeyComparison(MatchContext *context, Var *var, Oid opno, const Match *match)
{
	RetlKeyKind keyKind = RetlKeyKindOfType(var->vartype);
	Oid			columnType = getBaseType(var->vartype);
	Oid			keyType = getBaseType(match->keyType);
	RetlZoneTestKind kind;
	RetlTestClass class;
	RetlFilterOp op;

	if (keyKind == RETL_KEY_NONE || !OidIsValid(opno))
		return NIL;
	if (!KeyTypesAgree(columnType, keyType) || RetlKeyKindOfType(keyType) != keyKind)
		return NIL;

	kind = TestKindOfStrategy(KeyStrategy(opno, match->collation, columnType, keyKind), &op);
	if (kind == RETL_TEST_ALWAYS)
		return NIL;

	class = ClassOfKeys(columnType, keyType, keyKind);
	if (class == RETL_CLASS_NONE)
		GiveReason(context, "local time is compared with universal time");
	if (class == RETL_CLASS_FUNCTION && match->array != RETL_ARRAY_NONE)
		class = RETL_CLASS_NONE;
	return MakeKeyTest(context, kind, var->varattno, keyKind, class, op, match);
}

/*
 * Can a function be called for values of rows that the scan would perhaps not
 * have come to?  It must be built in, and what it does must depend on nothing
 * but its arguments.  Leakproof functions raise no errors; neither do some
 * others, which are not marked, for their authors were not sure that they give
 * nothing away.
 */
static bool
SafeFunction(MatchContext *context, const Match *match)
{
	Oid			function = match->function;

	if (function >= FirstNormalObjectId || !func_strict(function) ||
		func_volatile(function) != PROVOLATILE_IMMUTABLE)
		return false;
	if (RetlIsPatternFunction(function))
	{
		context->mayFail |= match->array != RETL_ARRAY_NONE ||
			RetlPatternMayFail(function, match->key);
		return true;
	}
	switch (function)
	{
		case F_ENUM_EQ:
		case F_ENUM_NE:
		case F_ENUM_LT:
		case F_ENUM_LE:
		case F_ENUM_GT:
		case F_ENUM_GE:
			return true;
		default:
			return get_func_leakproof(function);
	}
}

/* Functions of text that cannot do with such a collation. */
static bool
CollationIsFit(const Match *match)
{
	if (!RetlIsPatternFunction(match->function) || exprType(match->left) == BYTEAOID)
		return true;
	return OidIsValid(match->collation) && get_collation_isdeterministic(match->collation);
}

/*
 * Can the operator's function be called on vectors?  NIL if not.  Zone maps may
 * know a prefix.
 */
static List *
MatchFunction(MatchContext *context, Var *var, const Match *match)
{
	RetlKeyKind keyKind = RetlKeyKindOfType(var->vartype);
	RetlZoneTestKind kind = RETL_TEST_ALWAYS;
	RetlTestClass class = RETL_CLASS_FUNCTION;

	if (!CollationIsFit(match))
	{
		GiveReason(context, "the collation is not deterministic");
		return NIL;
	}
	if (!SafeFunction(context, match))
	{
		GiveReason(context, "the operator is not known to be safe on all rows");
		return NIL;
	}
	if (RetlHasPrefix(match->function, match->key) &&
		(keyKind == RETL_KEY_TEXT || keyKind == RETL_KEY_BPCHAR || keyKind == RETL_KEY_BYTEA))
		kind = RETL_TEST_PREFIX;

	if (get_typlen(getBaseType(var->vartype)) == -2)
		class = RETL_CLASS_NONE;
	if (match->array != RETL_ARRAY_NONE && !IsA(match->key, Const))
	{
		GiveReason(context, "an array that is not a constant");
		class = RETL_CLASS_NONE;
	}
	if (kind == RETL_TEST_ALWAYS && class == RETL_CLASS_NONE)
		return NIL;
	return MakeKeyTest(context, kind, var->varattno, keyKind, class, RETL_PREDICATE, match);
}

/* column op key, or column op ANY or ALL (key): NIL if that is not testable. */
static List *
MatchComparison(MatchContext *context, Oid opno, const Match *match)
{
	Var		   *var = ColumnOf(context, match->left);
	List	   *tree;

	if (var == NULL)
		return NIL;
	if (!IsKey(context, match->key))
	{
		GiveReason(context, RetlAsksNoticedQuery(context->root, match->key) ?
				   "compared with a subquery of which it is noticed when it runs" :
				   "compared with something that may change from row to row");
		return NIL;
	}
	tree = MatchKeyComparison(context, var, opno, match);
	if (tree == NIL && OidIsValid(match->function))
		tree = MatchFunction(context, var, match);
	return tree;
}

/* column op key or key op column */
static List *
MatchOpExpr(MatchContext *context, OpExpr *expr)
{
	Match		match = {.collation = expr->inputcollid};
	Oid			opno = expr->opno;

	if (list_length(expr->args) != 2)
		return NIL;
	match.left = (Node *) linitial(expr->args);
	match.key = (Node *) lsecond(expr->args);
	if (ColumnOf(context, match.left) == NULL)
	{
		opno = get_commutator(opno);
		match.left = (Node *) lsecond(expr->args);
		match.key = (Node *) linitial(expr->args);
		if (!OidIsValid(opno))
			return NIL;
	}
	match.function = get_opcode(opno);
	match.keyType = exprType(match.key);
	return MatchComparison(context, opno, &match);
}

/* column op ANY (array), column op ALL (array) */
static List *
MatchArrayExpr(MatchContext *context, ScalarArrayOpExpr *expr)
{
	Match		match = {
		.function = get_opcode(expr->opno),
		.collation = expr->inputcollid,
		.left = (Node *) linitial(expr->args),
		.key = (Node *) lsecond(expr->args),
		.array = expr->useOr ? RETL_ARRAY_ANY : RETL_ARRAY_ALL
	};

	match.keyType = get_base_element_type(exprType(match.key));
	if (!OidIsValid(match.keyType))
		return NIL;
	return MatchComparison(context, expr->opno, &match);
}

/* starts_with(column, key) */
static List *
MatchFuncExpr(MatchContext *context, FuncExpr *expr)
{
	Match		match = {.function = expr->funcid,.collation = expr->inputcollid};

	if (expr->funcid != F_STARTS_WITH)
		return NIL;
	match.left = (Node *) linitial(expr->args);
	match.key = (Node *) lsecond(expr->args);
	match.keyType = exprType(match.key);
	return MatchComparison(context, InvalidOid, &match);
}

/*
 * column IS [NOT] DISTINCT FROM constant: differs from it or is null.  With
 * other keys it is not known whether they are null.
 */
static List *
MatchDistinct(MatchContext *context, OpExpr *expr, bool distinct)
{
	OpExpr		comparison = *expr;
	Var		   *var = ColumnOf(context, linitial(expr->args));
	Node	   *key = (Node *) lsecond(expr->args);
	List	   *tree;

	if (var == NULL || !IsA(key, Const) || ((Const *) key)->constisnull)
		return NIL;
	comparison.xpr.type = T_OpExpr;
	if (!distinct)
		return MatchOpExpr(context, &comparison);

	comparison.opno = get_negator(expr->opno);
	if (!OidIsValid(comparison.opno))
		return NIL;
	tree = MatchOpExpr(context, &comparison);
	if (tree == NIL)
		return NIL;
	return lappend(lappend(MakeNode(RETL_TEST_OR, InvalidAttrNumber), tree),
				   MakeNode(RETL_TEST_IS_NULL, var->varattno));
}

/* Test of a boolean column for a value; NIL if the expression is none. */
static List *
MatchBoolean(MatchContext *context, Node *node, bool value)
{
	Var		   *var = ColumnOf(context, node);
	RetlKeyKind keyKind = RetlKeyKindOfType(BOOLOID);
	Match		match = {.function = F_BOOLEQ,.left = node,.keyType = BOOLOID};

	if (var == NULL || getBaseType(var->vartype) != BOOLOID || keyKind == RETL_KEY_NONE)
		return NIL;
	match.key = makeBoolConst(value, false);
	return MakeKeyTest(context, RETL_TEST_EQ, var->varattno, keyKind, RETL_CLASS_UNSIGNED,
					   RETL_EQ, &match);
}

/* column IS [NOT] NULL; of a row type its fields count, which we do not know */
static List *
MatchNullTest(MatchContext *context, NullTest *test)
{
	Var		   *var = ColumnOf(context, (Node *) test->arg);

	if (var == NULL || test->argisrow)
		return NIL;
	return MakeNode(test->nulltesttype == IS_NULL ? RETL_TEST_IS_NULL : RETL_TEST_IS_NOT_NULL,
					var->varattno);
}

/* column IS [NOT] TRUE, FALSE, UNKNOWN */
static List *
MatchBooleanTest(MatchContext *context, BooleanTest *test)
{
	Node	   *arg = (Node *) test->arg;
	Var		   *var = ColumnOf(context, arg);
	List	   *equal;

	if (var == NULL)
		return NIL;

	switch (test->booltesttype)
	{
		case IS_TRUE:
			return MatchBoolean(context, arg, true);
		case IS_FALSE:
			return MatchBoolean(context, arg, false);
		case IS_UNKNOWN:
			return MakeNode(RETL_TEST_IS_NULL, var->varattno);
		case IS_NOT_UNKNOWN:
			return MakeNode(RETL_TEST_IS_NOT_NULL, var->varattno);
		case IS_NOT_TRUE:
		case IS_NOT_FALSE:
			break;
	}

	/* IS NOT TRUE: false or null */
	equal = MatchBoolean(context, arg, test->booltesttype == IS_NOT_FALSE);
	if (equal == NIL)
		return NIL;
	return lappend(lappend(MakeNode(RETL_TEST_OR, InvalidAttrNumber), equal),
				   MakeNode(RETL_TEST_IS_NULL, var->varattno));
}

/* Do zone maps help with a tree?  With OR only if they do with every argument. */
static bool
ZonesHelp(List *tree)
{
	int			kind = list_nth_int((List *) linitial(tree), RETL_SKIP_KIND);
	ListCell   *lc;

	if (kind != RETL_TEST_AND && kind != RETL_TEST_OR)
		return kind != RETL_TEST_ALWAYS;
	for_each_from(lc, tree, 1)
	{
		if (ZonesHelp((List *) lfirst(lc)) == (kind == RETL_TEST_AND))
			return kind == RETL_TEST_AND;
	}
	return kind == RETL_TEST_OR;
}

/*
 * AND and OR.  An untestable argument is left out of AND and spoils OR; keys
 * that were found before it are forgotten.  The condition is made of what zone
 * maps help with.
 */
static List *
MatchArguments(MatchContext *context, BoolExpr *expr, Expr **condition)
{
	bool		isAnd = expr->boolop == AND_EXPR;
	int			keyCount = list_length(context->keys);
	List	   *tree = MakeNode(isAnd ? RETL_TEST_AND : RETL_TEST_OR, InvalidAttrNumber);
	List	   *conditions = NIL;
	ListCell   *lc;

	foreach(lc, expr->args)
	{
		Expr	   *argCondition;
		List	   *arg = MatchClause(context, (Expr *) lfirst(lc), &argCondition);

		if (arg != NIL)
		{
			tree = lappend(tree, arg);
			if (!isAnd || ZonesHelp(arg))
				conditions = lappend(conditions, argCondition);
		}
		else if (isAnd)
			context->leftOut = true;
		else
		{
			context->keys = list_truncate(context->keys, keyCount);
			return NIL;
		}
	}

	if (list_length(tree) == 1)
		return NIL;
	if (list_length(conditions) == 1)
		*condition = (Expr *) linitial(conditions);
	else if (conditions != NIL)
		*condition = isAnd ? make_andclause(conditions) : make_orclause(conditions);
	return tree;
}

/* NOT that the planner could not push down. */
static List *
MatchNot(MatchContext *context, Node *arg)
{
	if (IsA(arg, DistinctExpr))
		return MatchDistinct(context, (OpExpr *) arg, false);
	return MatchBoolean(context, arg, false);
}

/*
 * Make a tree of tests of a clause; NIL if nothing of it can be tested.
 * *condition is set to what the tree asks of zone maps, which the clause
 * implies.
 */
static List *
MatchClause(MatchContext *context, Expr *clause, Expr **condition)
{
	*condition = clause;

	switch (nodeTag(clause))
	{
		case T_OpExpr:
			return MatchOpExpr(context, (OpExpr *) clause);
		case T_ScalarArrayOpExpr:
			return MatchArrayExpr(context, (ScalarArrayOpExpr *) clause);
		case T_FuncExpr:
			return MatchFuncExpr(context, (FuncExpr *) clause);
		case T_DistinctExpr:
			return MatchDistinct(context, (OpExpr *) clause, true);
		case T_NullTest:
			return MatchNullTest(context, (NullTest *) clause);
		case T_BooleanTest:
			return MatchBooleanTest(context, (BooleanTest *) clause);
		case T_Var:
		case T_RelabelType:
			return MatchBoolean(context, (Node *) clause, true);
		case T_BoolExpr:
			if (((BoolExpr *) clause)->boolop == NOT_EXPR)
				return MatchNot(context, linitial(((BoolExpr *) clause)->args));
			return MatchArguments(context, (BoolExpr *) clause, condition);
		default:
			return NIL;
	}
}

/* The dearest class of a tree's tests; NONE if one cannot be evaluated on vectors. */
static RetlTestClass
ClassOfTree(List *tree)
{
	RetlTestClass class = (RetlTestClass) list_nth_int((List *) linitial(tree), RETL_SKIP_CLASS);
	ListCell   *lc;

	for_each_from(lc, tree, 1)
	{
		RetlTestClass argClass = ClassOfTree((List *) lfirst(lc));

		if (argClass == RETL_CLASS_NONE)
			return RETL_CLASS_NONE;
		class = Max(class, argClass);
	}
	return class;
}

/* Match a clause, with regard to security barriers. */
static void
MatchRestrictInfo(MatchContext *context, RelOptInfo *rel, RetlClauseTest *test)
{
	RestrictInfo *rinfo = test->rinfo;

	test->reason = "not a comparison of a column with a key";
	if (rinfo->pseudoconstant)
		return;

	context->plainKeysOnly = rinfo->security_level > rel->baserestrict_min_security;
	context->leftOut = false;
	context->mayFail = false;
	context->reason = NULL;
	test->tree = MatchClause(context, rinfo->clause, &test->skipCondition);
	test->mayFail = context->mayFail;
	if (context->reason != NULL)
		test->reason = context->reason;

	if (test->tree == NIL || !ZonesHelp(test->tree))
		test->skipCondition = NULL;
	if (test->tree == NIL)
		return;
	test->costClass = ClassOfTree(test->tree);
	test->exact = test->costClass != RETL_CLASS_NONE && !context->leftOut;
	if (test->skipCondition != NULL)
		test->attnum = (AttrNumber) list_nth_int((List *) linitial(test->tree), RETL_SKIP_ATTNUM);
}

/*
 * Make tests of a scan's clauses (RestrictInfos, implicitly ANDed), one entry
 * for each.  Keys are appended to *keys, which may be NULL if the trees are not
 * to be kept.
 */
RetlClauseTest *
RetlMakeClauseTests(PlannerInfo *root, RelOptInfo *rel, List *clauses, List **keys)
{
	MatchContext context = {.root = root,.relid = rel->relid};
	RetlClauseTest *tests = palloc0(sizeof(RetlClauseTest) * Max(list_length(clauses), 1));
	ListCell   *lc;

	foreach(lc, clauses)
	{
		RetlClauseTest *test = &tests[foreach_current_index(lc)];

		test->rinfo = lfirst_node(RestrictInfo, lc);
		MatchRestrictInfo(&context, rel, test);
	}
	if (keys != NULL)
		*keys = context.keys;
	return tests;
}
