/*-------------------------------------------------------------------------
 *
 * runtime_filter.c
 *	  Keys of hash joins become conditions of the scans below.
 *
 * A row on the outer side of an inner, right or semi hash join is of no use
 * unless its key is among those of the hash table.  When the table is there,
 * the scan that the key comes from takes a copy of its keys: their range for
 * zone maps, and a set to test values against on vectors, before the other
 * columns are read.  The join still checks all that gets through, so the filter
 * may err on that side (a Bloom filter does, and keys of other clauses do not
 * count).  It must never turn away a row that the join would find a partner
 * for; so
 *
 *	- the operator is the equality that the column's zone maps and hashes follow,
 *	  and strict (see RetlEqualityKeyKind());
 *	- only nodes lie between that hand on rows of their outer side, one by one,
 *	  as long as they come: what is turned away would have been dropped above.
 *	  Nodes that keep rows for later (sorts, hashed inner sides) might use them
 *	  again with another hash table;
 *	- none of these has volatile functions or subplans, which would be run less
 *	  often, nor has the inner side of a join among them, which is run for each row, or
 *	  once if there is a row; nor does that lock rows;
 *	- the whole inner side is in the hash table, that is, there is one batch;
 *	- a rescan forgets the filter and looks at the hash table again: it cannot
 *	  be replaced while rows are asked for without a rescan of its outer side.
 *
 * A hash join asks its outer side for a first row before it builds its table
 * only while there is no table (hj_HashTable is NULL), and never while it
 * builds it.  So a scan that is asked for a row and finds the table there finds
 * it complete.  Which joins concern a scan is found out when a query starts, by
 * a walk through the tree of its nodes, in parallel workers too.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/execdesc.h"
#include "executor/executor.h"
#include "executor/hashjoin.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "port/pg_bitutils.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "base/settings.h"
#include "exec/exec.h"
#include "exec/retldb_exec.h"
#include "rowgroup/column_type.h"
#include "rowgroup/value_hash.h"

/* A filter is made if a join is expected to keep less than this share of rows. */
#define MAX_KEPT_SHARE			0.75

/*
 * Reading a key of the hash table takes most of the time that a row takes to get
 * from the scan to the join, so there must be at least so many rows to be turned
 * away for each key.  Some keys are always few enough, others always too many.
 */
#define MIN_ROWS_PER_KEY		2
#define MIN_MAX_KEYS			1000
#define MAX_KEYS				(16 * 1024 * 1024)

/* Integers have a bit for each possible key if that takes at most so many bits a key. */
#define MAX_BITS_PER_KEY		64
#define MIN_MAX_BITS			65536

/* Others share bits: at least so many for a key. */
#define BLOOM_BITS_PER_KEY		16

/* Up to so many different keys are looked for in zone maps one by one. */
#define MAX_SINGLE_KEYS			16

/* A column of the scan that is compared with a column of a hash table. */
typedef struct JoinKey
{
	HashJoinState *join;
	AttrNumber	attnum;
	RetlColumnType type;		/* of the column; its key kind is the comparison's */
	AttrNumber	innerAttnum;	/* in the hash table's tuples */
	Oid			innerType;		/* domains resolved */
	bool		innerIsVarlena;
	double		rowsRemoved;	/* rows of the scan that the join is expected to drop */
	bool		done;			/* nothing more to be had from this join */
} JoinKey;

/* The keys of a hash table. */
typedef struct KeySet
{
	const JoinKey *key;
	uint64		tupleCount;		/* of the hash table */
	uint64		count;			/* of keys, equal ones included, null ones not */
	uint64	   *values;			/* of keys: places of integers in their order,
								 * hashes of others */
	uint8		least[RETLDB_KEY_LENGTH];
	uint8		greatest[RETLDB_KEY_LENGTH];
	int			singleCount;	/* different keys; more than MAX_SINGLE_KEYS: many */
	RetlZoneFilter singles[MAX_SINGLE_KEYS];

	uint64	   *words;			/* bits */
	bool		ofIntegers;		/* a bit for each of "first" to first + span */
	uint64		first;
	uint64		span;
	uint64		wordMask;		/* else of hashes; number of words, a power of 2,
								 * minus 1 */
} KeySet;

struct RetlRuntimeFilter
{
	List	   *keys;			/* of JoinKeys */
	bool		pending;		/* some hash table was not there yet */
	MemoryContext context;		/* of what is made of hash tables */
	RetlRuntimeConditions conditions;
};

/* A clause of a hash join whose outer side is being followed down. */
typedef struct JoinClause
{
	HashJoinState *join;
	double		keptShare;		/* of the outer side's rows, as the planner expects */
	OpExpr	   *expr;
	Var		   *inner;
} JoinClause;

static ExecutorStart_hook_type previousExecutorStart = NULL;

/* ---------------------------------------------------------------------
 * Finding scans below hash joins
 * ---------------------------------------------------------------------
 */

/* The column that an expression hands on, or NULL. */
static Var *
PlainVar(Expr *expr)
{
	while (IsA(expr, RelabelType))
		expr = ((RelabelType *) expr)->arg;
	return IsA(expr, Var) && ((Var *) expr)->varattno > 0 ? (Var *) expr : NULL;
}

/* Would it be noticed if these expressions were evaluated for fewer rows? */
static bool
IsNoticed(List *exprs)
{
	return contain_volatile_functions((Node *) exprs) || contain_subplans((Node *) exprs);
}

/* Add a key to a scan that a clause's outer side leads to. */
static void
AddKey(RetlScanState *state, AttrNumber attnum, const JoinClause *clause)
{
	Relation	rel = state->css.ss.ss_currentRelation;
	Oid			innerType = exprType((Node *) clause->inner);
	JoinKey    *key = palloc0(sizeof(JoinKey));

	RetlColumnTypeInit(&key->type, TupleDescAttr(RelationGetDescr(rel), attnum - 1));
	if (key->type.keyKind == RETL_KEY_NONE ||
		key->type.keyKind != RetlEqualityKeyKind(clause->expr->opno, clause->expr->inputcollid,
												 key->type.baseType, innerType))
		return;
	key->join = clause->join;
	key->attnum = attnum;
	key->innerAttnum = clause->inner->varattno;
	key->innerType = getBaseType(innerType);
	key->innerIsVarlena = get_typlen(key->innerType) == -1;
	key->rowsRemoved = state->css.ss.ps.plan->plan_rows * (1 - clause->keptShare);

	if (state->runtimeFilter == NULL)
	{
		state->runtimeFilter = palloc0(sizeof(RetlRuntimeFilter));
		state->runtimeFilter->pending = true;
		state->runtimeFilter->context = AllocSetContextCreate(CurrentMemoryContext,
															  "retldb runtime filter",
															  ALLOCSET_SMALL_SIZES);
	}
	state->runtimeFilter->keys = lappend(state->runtimeFilter->keys, key);
}

/* Does a join hand on rows of its outer side and drop nothing else with them? */
static bool
FollowsOuterRows(JoinState *join)
{
	switch (join->jointype)
	{
		case JOIN_INNER:
		case JOIN_LEFT:
		case JOIN_SEMI:
		case JOIN_ANTI:
			return !IsNoticed(((Join *) join->ps.plan)->joinqual);
		default:
			return false;
	}
}

static bool IsNoticedBelow(PlanState *node, void *context);

/*
 * IsNoticedBelow of a CTE.  "ctes" is the list of those that were looked at: there may be no end
 * of ways to one by others that use it more than once.
 */
static bool
IsNoticedInCte(PlanState *cte, List **ctes)
{
	if (list_member_ptr(*ctes, cte))
		return false;
	*ctes = lappend(*ctes, cte);
	return IsNoticedBelow(cte, ctes);
}

/*
 * Would it be noticed if this node, or one below, were run less often?  Also a
 * planstate_tree_walker() callback; "context" is for IsNoticedInCte.
 */
static bool
IsNoticedBelow(PlanState *node, void *context)
{
	Plan	   *plan = node->plan;
	List	   *exprs = NIL;

	switch (nodeTag(node))
	{
		case T_LockRowsState:
			return true;
		case T_CteScanState:
			if (IsNoticedInCte(((CteScanState *) node)->cteplanstate, context))
				return true;
			break;
		case T_FunctionScanState:
			exprs = ((FunctionScan *) plan)->functions;
			break;
		case T_TableFuncScanState:
			exprs = list_make1(((TableFuncScan *) plan)->tablefunc);
			break;
		case T_ValuesScanState:
			exprs = ((ValuesScan *) plan)->values_lists;
			break;
		case T_ResultState:
			exprs = (List *) ((Result *) plan)->resconstantqual;
			break;
		case T_NestLoopState:
		case T_MergeJoinState:
		case T_HashJoinState:
			exprs = ((Join *) plan)->joinqual;
			break;
		default:
			break;
	}
	return IsNoticed(exprs) || IsNoticed(plan->targetlist) || IsNoticed(plan->qual) ||
		planstate_tree_walker(node, IsNoticedBelow, context);
}

/* IsNoticedBelow of the inner side of a join. */
static bool
IsNoticedInside(PlanState *join)
{
	List	   *ctes = NIL;
	bool		noticed = IsNoticedBelow(innerPlanState(join), &ctes);

	list_free(ctes);
	return noticed;
}

/*
 * Follow a column of a node's result to the scans it comes from.
 */
static void
FollowColumn(PlanState *node, AttrNumber resno, const JoinClause *clause)
{
	TargetEntry *entry = list_nth_node(TargetEntry, node->plan->targetlist, resno - 1);
	Var		   *var = PlainVar(entry->expr);

	if (var == NULL || IsNoticed(node->plan->targetlist) || IsNoticed(node->plan->qual))
		return;
	check_stack_depth();

	switch (nodeTag(node))
	{
		case T_CustomScanState:
			if (RetlIsScanState(node) && ((RetlScanState *) node)->qualInAnyOrder &&
				var->varno == (int) ((Scan *) node->plan)->scanrelid)
				AddKey((RetlScanState *) node, var->varattno, clause);
			break;
		case T_NestLoopState:
		case T_HashJoinState:
			if (var->varno == OUTER_VAR && FollowsOuterRows((JoinState *) node) &&
				!IsNoticedInside(node))
				FollowColumn(outerPlanState(node), var->varattno, clause);
			break;
		case T_AppendState:
			for (int i = 0; i < ((AppendState *) node)->as_nplans; i++)
				FollowColumn(((AppendState *) node)->appendplans[i], resno, clause);
			break;
		default:
			break;
	}
}

/* See which scans can do something with the clauses of a hash join. */
static void
LinkJoin(HashJoinState *join)
{
	HashJoin   *plan = (HashJoin *) join->js.ps.plan;
	double		keptShare = plan->join.plan.plan_rows / Max(outerPlan(plan)->plan_rows, 1);
	ListCell   *lc;

	if (join->js.jointype != JOIN_INNER && join->js.jointype != JOIN_RIGHT &&
		join->js.jointype != JOIN_SEMI)
		return;
	if (keptShare > MAX_KEPT_SHARE)
		return;

	foreach(lc, plan->hashclauses)
	{
		JoinClause	clause = {.join = join,.keptShare = keptShare,.expr = (OpExpr *) lfirst(lc)};
		Var		   *outer;

		if (!IsA(clause.expr, OpExpr) || list_length(clause.expr->args) != 2 ||
			!op_strict(clause.expr->opno))
			continue;
		outer = PlainVar(linitial(clause.expr->args));
		clause.inner = PlainVar(lsecond(clause.expr->args));
		if (outer != NULL && outer->varno == OUTER_VAR &&
			clause.inner != NULL && clause.inner->varno == INNER_VAR)
			FollowColumn(outerPlanState(join), outer->varattno, &clause);
	}
}

/* planstate_tree_walker() callback. */
static bool
LinkJoins(PlanState *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, HashJoinState))
		LinkJoin((HashJoinState *) node);
	return planstate_tree_walker(node, LinkJoins, context);
}

/* ExecutorStart_hook: the tree of nodes is there, tell scans of hash joins. */
static void
StartExecutor(QueryDesc *queryDesc, int eflags)
{
	uint64		scansBefore = RetlScansBegun();

	if (previousExecutorStart)
		previousExecutorStart(queryDesc, eflags);
	else
		standard_ExecutorStart(queryDesc, eflags);

	if (retldb_enable_runtime_filters && RetlScansBegun() != scansBefore)
	{
		MemoryContext oldContext = MemoryContextSwitchTo(queryDesc->estate->es_query_cxt);

		(void) LinkJoins(queryDesc->planstate, NULL);
		MemoryContextSwitchTo(oldContext);
	}
}

/* ---------------------------------------------------------------------
 * Sets of keys
 * ---------------------------------------------------------------------
 */

/* What the sign of an integer becomes in its place in the order of integers. */
#define ORDINAL_SIGN			(UINT64CONST(1) << 63)

/* An integer's place in the order of integers, from its zone map key. */
static uint64
OrdinalOfKey(const uint8 key[RETLDB_KEY_LENGTH])
{
	uint64		ordinal = 0;

	for (int i = 0; i < sizeof(ordinal); i++)
		ordinal = ordinal << 8 | key[i];
	return ordinal;
}

/* The same of a stored value. */
static inline uint64
OrdinalOfValue(const uint8 *value, size_t length)
{
	int16		value2;
	int32		value4;
	int64		value8;

	if (length == sizeof(value4))
	{
		memcpy(&value4, value, sizeof(value4));
		value8 = value4;
	}
	else if (length == sizeof(value8))
		memcpy(&value8, value, sizeof(value8));
	else
	{
		memcpy(&value2, value, sizeof(value2));
		value8 = value2;
	}
	return (uint64) value8 ^ ORDINAL_SIGN;
}

/* Predicate: is this integer a key? */
static bool
IsKeyInteger(void *context, const uint8 *value, size_t length)
{
	const KeySet *set = context;
	uint64		place = OrdinalOfValue(value, length) - set->first;

	return place <= set->span && (set->words[place / 64] >> place % 64 & 1) != 0;
}

/* The bits of a hash in its word. */
static inline uint64
BitsOfHash(uint64 hash)
{
	return UINT64CONST(1) << (hash & 63) | UINT64CONST(1) << (hash >> 6 & 63) |
		UINT64CONST(1) << (hash >> 12 & 63);
}

/* Predicate: may this value be a key? */
static bool
MayBeKey(void *context, const uint8 *value, size_t length)
{
	const KeySet *set = context;
	const RetlColumnType *type = &set->key->type;
	uint64		hash = RetlHashStored(type->keyKind, type->physType, type->width, value, length);
	uint64		bits = BitsOfHash(hash);

	return (set->words[hash >> 32 & set->wordMask] & bits) == bits;
}

/* Note a key among those that zone maps are asked for one by one. */
static void
NoteSingle(KeySet *set, const uint8 key[RETLDB_KEY_LENGTH], bool exact, Datum value)
{
	RetlZoneFilter *single = set->singles;

	for (; single < set->singles + set->singleCount; single++)
	{
		/* keys that are not exact may stand for different values */
		if (exact && single->keyExact && memcmp(single->key, key, RETLDB_KEY_LENGTH) == 0)
			return;
	}
	if (set->singleCount++ == MAX_SINGLE_KEYS)
		return;
	single->kind = RETL_TEST_EQ;
	single->attnum = set->key->attnum;
	single->keyKind = set->key->type.keyKind;
	single->keyExact = exact;
	memcpy(single->key, key, RETLDB_KEY_LENGTH);
	single->hasHash = true;
	single->hash = RetlHashFromDatum(single->keyKind, set->key->innerType, value);
}

/* Add a key, for whose value there is room. */
static void
AddValue(KeySet *set, Datum value)
{
	RetlKeyKind kind = set->key->type.keyKind;
	uint8		key[RETLDB_KEY_LENGTH];
	bool		exact = RetlZoneKeyFromDatum(kind, set->key->innerType, value, key);

	if (set->count == 0 || memcmp(key, set->least, sizeof(key)) < 0)
		memcpy(set->least, key, sizeof(key));
	if (set->count == 0 || memcmp(key, set->greatest, sizeof(key)) > 0)
		memcpy(set->greatest, key, sizeof(key));
	if (set->singleCount <= MAX_SINGLE_KEYS)
		NoteSingle(set, key, exact, value);
	set->values[set->count++] = kind == RETL_KEY_INT ? OrdinalOfKey(key) :
		RetlHashFromDatum(kind, set->key->innerType, value);
}

/* Make the bits, when all keys are there. */
static void
MakeBits(KeySet *set)
{
	bool		integers = set->key->type.keyKind == RETL_KEY_INT;
	uint64		wordCount;

	set->first = OrdinalOfKey(set->least);
	set->span = OrdinalOfKey(set->greatest) - set->first;
	set->ofIntegers = integers && set->span < Max(set->count * MAX_BITS_PER_KEY, MIN_MAX_BITS);
	wordCount = set->ofIntegers ? set->span / 64 + 1 :
		pg_nextpower2_64(set->count * BLOOM_BITS_PER_KEY / 64 + 1);
	set->wordMask = wordCount - 1;
	set->words = MemoryContextAllocExtended(CurrentMemoryContext, wordCount * sizeof(uint64),
											MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);

	for (uint64 i = 0; i < set->count; i++)
	{
		uint64		value = set->values[i];

		if (set->ofIntegers)
		{
			value -= set->first;
			set->words[value / 64] |= UINT64CONST(1) << value % 64;
			continue;
		}
		if (integers)
			value = RetlHashInt((int64) (value ^ ORDINAL_SIGN));
		set->words[value >> 32 & set->wordMask] |= BitsOfHash(value);
	}
}

/* ---------------------------------------------------------------------
 * Reading a hash table
 * ---------------------------------------------------------------------
 */

/* The first chunk of a hash table's tuples; they may be in shared memory. */
static HashMemoryChunk
FirstChunk(HashJoinTable table)
{
	dsa_pointer shared;

	if (table->parallel_state == NULL)
		return table->chunks;
	shared = table->batches[0].shared->chunks;
	return DsaPointerIsValid(shared) ? dsa_get_address(table->area, shared) : NULL;
}

/* The chunk after a chunk. */
static HashMemoryChunk
NextChunk(HashJoinTable table, HashMemoryChunk chunk)
{
	if (table->parallel_state == NULL)
		return chunk->next.unshared;
	return DsaPointerIsValid(chunk->next.shared) ?
		dsa_get_address(table->area, chunk->next.shared) : NULL;
}

/* Add the keys of a chunk, as long as there are no more tuples than expected. */
static void
AddChunk(KeySet *set, HashMemoryChunk chunk, double tupleCount, TupleTableSlot *slot,
		 MemoryContext scratch)
{
	size_t		offset = 0;

	while (offset < chunk->used && set->tupleCount++ < tupleCount)
	{
		HashJoinTuple entry = (HashJoinTuple) (HASH_CHUNK_DATA(chunk) + offset);
		MinimalTuple tuple = HJTUPLE_MINTUPLE(entry);
		bool		isnull;
		Datum		value;

		offset += MAXALIGN(HJTUPLE_OVERHEAD + tuple->t_len);
		ExecStoreMinimalTuple(tuple, slot, false);
		value = slot_getattr(slot, set->key->innerAttnum, &isnull);
		if (isnull)
			continue;
		if (set->key->innerIsVarlena)
		{
			MemoryContext oldContext = MemoryContextSwitchTo(scratch);

			AddValue(set, PointerGetDatum(PG_DETOAST_DATUM_PACKED(value)));
			MemoryContextSwitchTo(oldContext);
			MemoryContextReset(scratch);
		}
		else
			AddValue(set, value);
	}
}

/*
 * Tuples of a join's hash table if a filter can be made of it, else -1.  They
 * must all be in memory, and few against the rows that the filter is for.
 */
static double
CountTuples(const JoinKey *key)
{
	HashJoinTable table = key->join->hj_HashTable;
	HashState  *hash = (HashState *) innerPlanState(key->join);
	double		count = table->totalTuples;

	if (table->nbatch != 1 || table->curbatch != 0)
		return -1;
	if (hash->parallel_state != NULL)
	{
		/* it has been shared, but is it still? */
		if (table->parallel_state == NULL)
			return -1;
		count = table->batches[0].shared->ntuples;
	}
	if (count > MAX_KEYS || count > Max(key->rowsRemoved / MIN_ROWS_PER_KEY, MIN_MAX_KEYS))
		return -1;
	return count;
}

/*
 * Read the keys of a join's hash table, into the current memory context.  NULL
 * if there are not as many tuples as there should be: then we have not
 * understood the table.
 */
static KeySet *
ReadKeys(const JoinKey *key, double tupleCount)
{
	HashJoinTable table = key->join->hj_HashTable;
	KeySet	   *set = palloc0(sizeof(KeySet));
	TupleTableSlot *slot = MakeSingleTupleTableSlot(ExecGetResultType(innerPlanState(key->join)),
													&TTSOpsMinimalTuple);
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "retldb join key",
												  ALLOCSET_SMALL_SIZES);

	set->key = key;
	set->values = MemoryContextAllocHuge(CurrentMemoryContext,
										 Max(tupleCount, 1) * sizeof(uint64));
	for (HashMemoryChunk chunk = FirstChunk(table); chunk != NULL; chunk = NextChunk(table, chunk))
	{
		CHECK_FOR_INTERRUPTS();
		AddChunk(set, chunk, tupleCount, slot, scratch);
	}
	if (set->tupleCount == tupleCount && set->count > 0)
		MakeBits(set);
	pfree(set->values);
	set->values = NULL;
	MemoryContextDelete(scratch);
	ExecDropSingleTupleTableSlot(slot);
	return set->tupleCount == tupleCount ? set : NULL;
}

/* ---------------------------------------------------------------------
 * Conditions
 * ---------------------------------------------------------------------
 */

/* A test of the range of keys. */
static RetlZoneFilter *
MakeBound(const KeySet *set, RetlZoneTestKind kind, const uint8 key[RETLDB_KEY_LENGTH])
{
	RetlZoneFilter *test = palloc0(sizeof(RetlZoneFilter));

	test->kind = kind;
	test->attnum = set->key->attnum;
	test->keyKind = set->key->type.keyKind;
	memcpy(test->key, key, RETLDB_KEY_LENGTH);
	return test;
}

/* Add what zone maps are to be asked, to an AND that has room for it. */
static void
AddZoneTests(RetlZoneFilter *and, KeySet *set)
{
	if (set->count == 0)
	{
		and->args[and->argCount++] = MakeBound(set, RETL_TEST_NEVER, set->least);
		return;
	}
	and->args[and->argCount++] = MakeBound(set, RETL_TEST_GE, set->least);
	and->args[and->argCount++] = MakeBound(set, RETL_TEST_LE, set->greatest);
	if (set->singleCount <= MAX_SINGLE_KEYS)
	{
		RetlZoneFilter *or = palloc0(sizeof(RetlZoneFilter));

		or->kind = RETL_TEST_OR;
		or->argCount = set->singleCount;
		or->args = palloc(sizeof(RetlZoneFilter *) * set->singleCount);
		for (int i = 0; i < set->singleCount; i++)
			or->args[i] = &set->singles[i];
		and->args[and->argCount++] = or;
	}
}

/* Make room for the conditions of all keys. */
static void
PrepareConditions(RetlRuntimeFilter *filter)
{
	RetlRuntimeConditions *conditions = &filter->conditions;
	int			count = list_length(filter->keys);

	if (conditions->tests != NULL)
		return;
	conditions->tests = palloc0(sizeof(RetlRuntimeTest) * count);
	if (retldb_enable_skipping)
	{
		conditions->zones = palloc0(sizeof(RetlZoneFilter));
		conditions->zones->kind = RETL_TEST_AND;
		conditions->zones->args = palloc(sizeof(RetlZoneFilter *) * 3 * count);
	}
}

/* Add the condition that a column is among the keys. */
static void
AddCondition(RetlRuntimeFilter *filter, KeySet *set)
{
	RetlRuntimeConditions *conditions = &filter->conditions;
	RetlColumnTest *test;

	PrepareConditions(filter);
	test = &conditions->tests[conditions->count++].test;
	if (set->count == 0)
		RetlColumnTestSetKind(test, RETL_COLUMN_NEVER, set->key->attnum);
	else
		RetlColumnTestSetPredicate(test, set->key->attnum,
								   set->ofIntegers ? IsKeyInteger : MayBeKey, set);
	if (conditions->zones != NULL)
		AddZoneTests(conditions->zones, set);
}

/*
 * Look at hash tables that were not there yet, and let the scan, which has begun,
 * know what is new.
 */
void
RetlRuntimeFilterLook(RetlScanState *state)
{
	RetlRuntimeFilter *filter = state->runtimeFilter;
	MemoryContext oldContext = NULL;
	ListCell   *lc;

	filter->pending = false;
	foreach(lc, filter->keys)
	{
		JoinKey    *key = lfirst(lc);
		double		tupleCount;
		KeySet	   *set;

		if (key->done)
			continue;
		if (key->join->hj_HashTable == NULL)
		{
			filter->pending = true;
			continue;
		}
		key->done = true;
		tupleCount = CountTuples(key);
		if (tupleCount < 0)
			continue;
		if (oldContext == NULL)
			oldContext = MemoryContextSwitchTo(filter->context);
		set = ReadKeys(key, tupleCount);
		if (set != NULL)
			AddCondition(filter, set);
	}
	if (oldContext == NULL)
		return;
	MemoryContextSwitchTo(oldContext);
	RetlTableScanSetRuntimeConditions(state->scan, &filter->conditions);
}

/* Are there hash tables to be looked at again? */
bool
RetlRuntimeFilterIsPending(const RetlRuntimeFilter *filter)
{
	return filter->pending;
}

/* Forget all that came from hash tables: the scan starts over. */
void
RetlRuntimeFilterForget(RetlScanState *state)
{
	RetlRuntimeFilter *filter = state->runtimeFilter;
	ListCell   *lc;

	if (state->scan != NULL)
		RetlTableScanSetRuntimeConditions(state->scan, NULL);
	foreach(lc, filter->keys)
		((JoinKey *) lfirst(lc))->done = false;
	filter->pending = true;
	memset(&filter->conditions, 0, sizeof(filter->conditions));
	MemoryContextReset(filter->context);
}

/* Columns that may get conditions, for EXPLAIN. */
Bitmapset *
RetlRuntimeFilterColumns(const RetlRuntimeFilter *filter)
{
	Bitmapset  *attnums = NULL;
	ListCell   *lc;

	foreach(lc, filter->keys)
		attnums = bms_add_member(attnums, ((JoinKey *) lfirst(lc))->attnum);
	return attnums;
}

/* Called once at load time. */
void
RetlInstallRuntimeFilters(void)
{
	previousExecutorStart = ExecutorStart_hook;
	ExecutorStart_hook = StartExecutor;
}
