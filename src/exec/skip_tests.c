/*-------------------------------------------------------------------------
 *
 * skip_tests.c
 *	  From the conditions of a scan to a tree of skip tests.
 *
 * A skip test is a comparison of a column with a key, or a null test, that
 * zone maps can answer.  A condition is testable if it is
 *
 *	- column op key, or key op column, where op is a btree operator of the
 *	  column's default operator family (or of the pattern families);
 *	- column op ANY (array key);
 *	- column IS [NOT] NULL, a boolean column, and boolean tests of one;
 *	- AND with a testable argument (the others are left out), or OR with
 *	  testable arguments only.
 *
 * A key is any expression without columns of the table, subplans and volatile
 * functions; it is evaluated once for each (re)scan, which may be before the
 * conditions of the first row are.  It therefore must not give away what a
 * security barrier hides: above the lowest security level only constants,
 * parameters and columns of other tables are taken.
 *
 * Zone maps hold text in byte order, so ranges of text are tested only where
 * the collation is that order, and equality where it is that of bytes.
 *
 * None of this replaces a condition: the scan still checks every row.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/stratnum.h"
#include "catalog/pg_opfamily.h"
#include "catalog/pg_type.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "utils/lsyscache.h"
#include "utils/pg_locale.h"
#include "utils/typcache.h"

#include "exec/exec.h"
#include "rowgroup/column_type.h"

typedef struct MatchContext
{
	PlannerInfo *root;
	Index		relid;			/* the table that is scanned */
	bool		plainKeysOnly;	/* nothing that could raise an error */
	List	   *keys;			/* found so far */
} MatchContext;

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
			return false;
	}
}

/* Strategy number of an operator for keys of a column; 0 = not testable. */
static int
KeyStrategy(Oid opno, Oid collation, Oid columnType, RetlKeyKind keyKind)
{
	Oid			family = lookup_type_cache(columnType, TYPECACHE_BTREE_OPFAMILY)->btree_opf;
	int			strategy = 0;

	if (OidIsValid(family))
		strategy = get_op_opfamily_strategy(opno, family);

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
	if (strategy == BTEqualStrategyNumber)
		return get_collation_isdeterministic(collation) ? strategy : 0;
	return lc_collate_is_c(collation) ? strategy : 0;
}

/* The test that a btree strategy is. */
static RetlZoneTestKind
TestKindOfStrategy(int strategy)
{
	switch (strategy)
	{
		case BTLessStrategyNumber:
			return RETL_TEST_LT;
		case BTLessEqualStrategyNumber:
			return RETL_TEST_LE;
		case BTEqualStrategyNumber:
			return RETL_TEST_EQ;
		case BTGreaterEqualStrategyNumber:
			return RETL_TEST_GE;
		case BTGreaterStrategyNumber:
			return RETL_TEST_GT;
		default:
			return RETL_TEST_ALWAYS;
	}
}

/* A tree of a single test without key, or the root of a tree of several. */
static List *
MakeNode(RetlZoneTestKind kind, AttrNumber attnum)
{
	List	   *fields = list_make5_int(kind, attnum, RETL_KEY_NONE, -1, InvalidOid);

	return list_make1(lappend_int(fields, false));
}

/* A tree of a single test with a key, which is added to those of the scan. */
static List *
MakeKeyTest(MatchContext *context, RetlZoneTestKind kind, AttrNumber attnum,
			RetlKeyKind keyKind, Node *key, Oid keyType, bool isArray)
{
	List	   *fields = list_make5_int(kind, attnum, keyKind, list_length(context->keys),
										(int) keyType);

	context->keys = lappend(context->keys, key);
	return list_make1(lappend_int(fields, isArray));
}

/*
 * column op key, or column op ANY (key): NIL if that is not testable.  keyType
 * is the type of the key, or of its elements.
 */
static List *
MatchComparison(MatchContext *context, Oid opno, Oid collation, Node *left, Node *key,
				Oid keyType, bool isArray)
{
	Var		   *var = ColumnOf(context, left);
	Oid			columnType;
	RetlKeyKind keyKind;
	RetlZoneTestKind kind;

	if (var == NULL || !OidIsValid(opno))
		return NIL;

	keyKind = RetlKeyKindOfType(var->vartype);
	if (keyKind == RETL_KEY_NONE)
		return NIL;

	columnType = getBaseType(var->vartype);
	keyType = getBaseType(keyType);
	if (!KeyTypesAgree(columnType, keyType) || RetlKeyKindOfType(keyType) != keyKind)
		return NIL;

	kind = TestKindOfStrategy(KeyStrategy(opno, collation, columnType, keyKind));
	if (kind == RETL_TEST_ALWAYS || !IsKey(context, key))
		return NIL;

	return MakeKeyTest(context, kind, var->varattno, keyKind, key, keyType, isArray);
}

/* column op key or key op column */
static List *
MatchOpExpr(MatchContext *context, OpExpr *expr)
{
	Node	   *left;
	Node	   *right;
	List	   *tree;

	if (list_length(expr->args) != 2)
		return NIL;
	left = (Node *) linitial(expr->args);
	right = (Node *) lsecond(expr->args);

	tree = MatchComparison(context, expr->opno, expr->inputcollid, left, right,
						   exprType(right), false);
	if (tree == NIL && ColumnOf(context, right) != NULL)
		tree = MatchComparison(context, get_commutator(expr->opno), expr->inputcollid,
							   right, left, exprType(left), false);
	return tree;
}

/* column op ANY (array) */
static List *
MatchArrayExpr(MatchContext *context, ScalarArrayOpExpr *expr)
{
	Node	   *left = (Node *) linitial(expr->args);
	Node	   *array = (Node *) lsecond(expr->args);
	Oid			elementType = get_base_element_type(exprType(array));

	if (!expr->useOr || !OidIsValid(elementType))
		return NIL;
	return MatchComparison(context, expr->opno, expr->inputcollid, left, array,
						   elementType, true);
}

/* Test of a boolean column for a value; NIL if the expression is none. */
static List *
MatchBoolean(MatchContext *context, Node *node, bool value)
{
	Var		   *var = ColumnOf(context, node);
	RetlKeyKind keyKind = RetlKeyKindOfType(BOOLOID);

	if (var == NULL || getBaseType(var->vartype) != BOOLOID || keyKind == RETL_KEY_NONE)
		return NIL;
	return MakeKeyTest(context, RETL_TEST_EQ, var->varattno, keyKind,
					   makeBoolConst(value, false), BOOLOID, false);
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

/*
 * AND and OR.  An untestable argument is left out of AND and spoils OR; keys
 * that were found before it are forgotten.
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
			conditions = lappend(conditions, argCondition);
		}
		else if (!isAnd)
		{
			context->keys = list_truncate(context->keys, keyCount);
			return NIL;
		}
	}

	if (conditions == NIL)
		return NIL;
	if (list_length(conditions) == 1)
		*condition = (Expr *) linitial(conditions);
	else
		*condition = isAnd ? make_andclause(conditions) : make_orclause(conditions);
	return tree;
}

/*
 * Make a tree of tests of a clause; NIL if nothing of it can be tested.
 * *condition is set to what the tree tests, which the clause implies.
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
		case T_NullTest:
			return MatchNullTest(context, (NullTest *) clause);
		case T_BooleanTest:
			return MatchBooleanTest(context, (BooleanTest *) clause);
		case T_Var:
		case T_RelabelType:
			return MatchBoolean(context, (Node *) clause, true);
		case T_BoolExpr:
			if (((BoolExpr *) clause)->boolop == NOT_EXPR)
				return MatchBoolean(context, linitial(((BoolExpr *) clause)->args), false);
			return MatchArguments(context, (BoolExpr *) clause, condition);
		default:
			return NIL;
	}
}

/* Same for a RestrictInfo, with regard to security barriers. */
static List *
MatchRestrictInfo(MatchContext *context, RelOptInfo *rel, RestrictInfo *rinfo, Expr **condition)
{
	if (rinfo->pseudoconstant)
		return NIL;
	context->plainKeysOnly = rinfo->security_level > rel->baserestrict_min_security;
	return MatchClause(context, rinfo->clause, condition);
}

/*
 * Make skip tests of a scan's clauses (RestrictInfos, implicitly ANDed); those
 * that no test can be made of are passed over.
 */
void
RetlMakeSkipTests(PlannerInfo *root, RelOptInfo *rel, List *clauses, RetlSkipTests *tests)
{
	MatchContext context = {.root = root,.relid = rel->relid};
	List	   *tree = MakeNode(RETL_TEST_AND, InvalidAttrNumber);
	List	   *conditions = NIL;
	ListCell   *lc;

	foreach(lc, clauses)
	{
		Expr	   *condition;
		List	   *arg = MatchRestrictInfo(&context, rel, lfirst_node(RestrictInfo, lc),
											&condition);

		if (arg != NIL)
		{
			tree = lappend(tree, arg);
			conditions = lappend(conditions, condition);
		}
	}

	tests->tree = conditions == NIL ? NIL : tree;
	tests->keys = context.keys;
	tests->conditions = conditions;
}

/*
 * The column a clause can be tested on, if that is a single one; else
 * InvalidAttrNumber.
 */
AttrNumber
RetlSkipTestColumn(PlannerInfo *root, RelOptInfo *rel, RestrictInfo *rinfo)
{
	MatchContext context = {.root = root,.relid = rel->relid};
	Expr	   *condition;
	List	   *tree = MatchRestrictInfo(&context, rel, rinfo, &condition);

	if (tree == NIL)
		return InvalidAttrNumber;
	return (AttrNumber) list_nth_int((List *) linitial(tree), RETL_SKIP_ATTNUM);
}
