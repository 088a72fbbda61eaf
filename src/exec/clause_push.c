/*-------------------------------------------------------------------------
 *
 * clause_push.c
 *	  Which conditions of a scan are evaluated on vectors, and in which order.
 *
 * On vectors a condition is evaluated for all rows that the conditions before
 * it have left, and before those that stay behind in the plan's qual.  So
 *
 *	- a condition that is not leakproof is pushed only if none of a lower
 *	  security level stays behind, and the levels are kept in order;
 *	- one that might raise an error is pushed only if all that the plan has
 *	  before it are pushed, and comes after the others of its level.
 *
 * Otherwise those come first that turn away many rows for little work.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "optimizer/optimizer.h"

#include "base/settings.h"
#include "exec/exec.h"

/* A condition that is to be pushed. */
typedef struct PushedClause
{
	int			index;
	Index		level;
	bool		mayFail;
	double		rank;			/* work for each row that is turned away */
} PushedClause;

/* What evaluating a test on a value costs, against a comparison of integers. */
double
RetlTestClassCost(int class)
{
	switch (class)
	{
		case RETL_CLASS_NULL_TEST:
			return 0.2;
		case RETL_CLASS_SIGNED:
		case RETL_CLASS_UNSIGNED:
			return 1;
		case RETL_CLASS_FLOAT:
			return 1.5;
		case RETL_CLASS_BYTES:
			return 3;
		case RETL_CLASS_PADDED:
		case RETL_CLASS_NUMERIC:
			return 6;
		default:
			return 15;
	}
}

/* Why must a testable condition stay behind?  NULL if it need not. */
static const char *
WhyNotPushed(const RetlClauseTest *test, Index lowestBehind, bool anyBehind)
{
	if (!retldb_enable_vector_filter)
		return "retldb.enable_vector_filter is off";
	if (test->rinfo->security_level > lowestBehind && !test->rinfo->leakproof)
		return "security barrier";
	if (test->mayFail && anyBehind)
		return "it might raise an error, and comes after a condition that is not pushed";
	return NULL;
}

/* Lowest security level of the conditions that are not testable. */
static Index
LowestLevelBehind(const RetlClauseTest *tests, int count)
{
	Index		lowest = UINT_MAX;

	for (int i = 0; i < count; i++)
	{
		if (!tests[i].exact && !tests[i].rinfo->pseudoconstant)
			lowest = Min(lowest, tests[i].rinfo->security_level);
	}
	return lowest;
}

/* Order of evaluation, for qsort(). */
static int
ComparePushed(const void *a, const void *b)
{
	const PushedClause *left = a;
	const PushedClause *right = b;

	if (left->level != right->level)
		return left->level < right->level ? -1 : 1;
	if (left->mayFail != right->mayFail)
		return left->mayFail ? 1 : -1;
	if (!left->mayFail && left->rank != right->rank)
		return left->rank < right->rank ? -1 : 1;
	return left->index - right->index;
}

/*
 * Which of these conditions, which are in the order of the plan, are evaluated
 * on vectors?  Returns their indexes in the order of evaluation; the others get
 * a reason and are no longer exact.
 */
List *
RetlChoosePushed(PlannerInfo *root, RelOptInfo *rel, RetlClauseTest *tests, int count)
{
	PushedClause *pushed = palloc(sizeof(PushedClause) * Max(count, 1));
	Index		lowestBehind = LowestLevelBehind(tests, count);
	bool		anyBehind = false;
	int			pushedCount = 0;
	List	   *indexes = NIL;

	for (int i = 0; i < count; i++)
	{
		RetlClauseTest *test = &tests[i];

		if (test->rinfo->pseudoconstant)
			continue;
		if (test->exact)
		{
			test->reason = WhyNotPushed(test, lowestBehind, anyBehind);
			test->exact = test->reason == NULL;
		}
		if (test->exact)
		{
			double		selectivity = clause_selectivity(root, (Node *) test->rinfo, rel->relid,
														 JOIN_INNER, NULL);

			pushed[pushedCount].index = i;
			pushed[pushedCount].level = test->rinfo->security_level;
			pushed[pushedCount].mayFail = test->mayFail;
			pushed[pushedCount++].rank = RetlTestClassCost(test->costClass) /
				(1.001 - selectivity);
		}
		else
		{
			anyBehind = true;
			lowestBehind = Min(lowestBehind, test->rinfo->security_level);
		}
	}

	qsort(pushed, pushedCount, sizeof(PushedClause), ComparePushed);
	for (int i = 0; i < pushedCount; i++)
		indexes = lappend_int(indexes, pushed[i].index);
	return indexes;
}
