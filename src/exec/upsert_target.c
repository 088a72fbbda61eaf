/*-------------------------------------------------------------------------
 *
 * upsert_target.c
 *	  The tables that the rows of an upsert go to.
 *
 * The command names one table.  If that is partitioned, rows are routed as
 * ModifyTable will do it, by a ModifyTableState that does nothing else (COPY has such
 * a one): what is found of a partition is kept until the node ends.  Partitions of
 * other access methods have no arbiter here, and their rows are not looked up.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/tupconvert.h"
#include "catalog/partition.h"
#include "catalog/pg_am.h"
#include "executor/execPartition.h"
#include "executor/executor.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "am/retldb_am.h"
#include "base/compat.h"
#include "exec/upsert.h"

/* Begin with so many places for targets. */
#define TARGETS		16

/* ---------------------------------------------------------------------
 * Making targets
 * ---------------------------------------------------------------------
 */

/*
 * The index of a table that is, or belongs to, the arbiter.
 */
static Oid
FindArbiter(const RetlUpsertState *state, Relation rel)
{
	List	   *indexes;
	Oid			arbiter = InvalidOid;
	ListCell   *lc;

	if (state->routing == NULL)
		return state->arbiter;
	indexes = RelationGetIndexList(rel);
	foreach(lc, indexes)
	{
		List	   *ancestors;

		if (!get_rel_relispartition(lfirst_oid(lc)))
			continue;
		ancestors = get_partition_ancestors(lfirst_oid(lc));
		if (list_member_oid(ancestors, state->arbiter))
			arbiter = lfirst_oid(lc);
		list_free(ancestors);
	}
	list_free(indexes);
	return arbiter;
}

/*
 * Prepare to compare keys as the index does, and to look for them.
 */
static void
InitKeys(RetlUpsertTarget *target, int keyCount)
{
	Relation	index = target->arbiter;

	target->keyColumns = palloc(sizeof(AttrNumber) * keyCount);
	target->sortKeys = palloc0(sizeof(SortSupportData) * keyCount);
	target->scanKeys = palloc(sizeof(ScanKeyData) * keyCount);
	for (int i = 0; i < keyCount; i++)
	{
		SortSupport key = &target->sortKeys[i];
		AttrNumber	attnum = index->rd_index->indkey.values[i];
		Oid			less = get_opfamily_member(index->rd_opfamily[i], index->rd_opcintype[i],
											   index->rd_opcintype[i], BTLessStrategyNumber);
		Oid			equal = get_opfamily_member(index->rd_opfamily[i], index->rd_opcintype[i],
												index->rd_opcintype[i], BTEqualStrategyNumber);

		if (!OidIsValid(less) || !OidIsValid(equal))
			elog(ERROR, "missing operator of index \"%s\"", RelationGetRelationName(index));
		target->keyColumns[i] =
			target->fromRoot != NULL ? target->fromRoot->attnums[attnum - 1] : attnum;
		key->ssup_cxt = CurrentMemoryContext;
		key->ssup_collation = index->rd_indcollation[i];
		key->ssup_attno = i + 1;
		PrepareSortSupportFromOrderingOp(less, key);
		ScanKeyEntryInitialize(&target->scanKeys[i], 0, i + 1, BTEqualStrategyNumber, InvalidOid,
							   index->rd_indcollation[i], get_opcode(equal), (Datum) 0);
	}
}

/*
 * Prepare to look rows of a target up, if that can be done.
 */
static void
InitLookUp(RetlUpsertState *state, RetlUpsertTarget *target)
{
	Oid			arbiter;

	if (!RetlIsRetldbTable(target->rel))
		return;
	arbiter = FindArbiter(state, target->rel);
	if (!OidIsValid(arbiter))
		return;
	target->arbiter = index_open(arbiter, RowExclusiveLock);
	InitKeys(target, state->keyCount);
	target->touched.relid = target->relid;
	target->touched.locator = RetlRelationLocator(target->rel);
	target->touched.cid = state->css.ss.ps.state->es_output_cid;
	if (RetlSuppressesNoop(target->rel))
		target->compare = RetlUpsertCompareCreate(state, target);
	state->leavesRows |= target->compare != NULL;
}

/*
 * The target that a table is.  It lives as long as the query.
 */
static RetlUpsertTarget *
TargetOf(RetlUpsertState *state, ResultRelInfo *resultRelInfo)
{
	Oid			relid = RelationGetRelid(resultRelInfo->ri_RelationDesc);
	bool		found;
	RetlUpsertTarget *target = hash_search(state->targets, &relid, HASH_ENTER, &found);
	MemoryContext oldContext;
	TupleConversionMap *map;

	if (found)
		return target;
	memset(target, 0, sizeof(*target));
	target->relid = relid;
	target->number = state->targetCount++;
	target->resultRelInfo = resultRelInfo;
	target->rel = resultRelInfo->ri_RelationDesc;
	oldContext = MemoryContextSwitchTo(state->css.ss.ps.state->es_query_cxt);
	map = convert_tuples_by_name(RelationGetDescr(state->root->ri_RelationDesc),
								 RelationGetDescr(target->rel));
	target->fromRoot = map != NULL ? map->attrMap : NULL;
	/* a trigger may ask for the last number of a sequence, which is to be that of its row */
	target->endsBatch = state->takesNumbers && RetlUpsertHasRowTriggers(target->rel);
	InitLookUp(state, target);
	MemoryContextSwitchTo(oldContext);
	return target;
}

/* ---------------------------------------------------------------------
 * The node's targets
 * ---------------------------------------------------------------------
 */

/*
 * See upsert.h.
 */
void
RetlUpsertBeginTargets(RetlUpsertState *state)
{
	CustomScan *plan = (CustomScan *) state->css.ss.ps.plan;
	EState	   *estate = state->css.ss.ps.state;
	List	   *numbers = list_nth(plan->custom_private, RETL_UPSERT_NUMBERS);
	Index		relid = list_nth_int(numbers, RETL_UPSERT_RELID);
	HASHCTL		control = {.keysize = sizeof(Oid), .entrysize = sizeof(RetlUpsertTarget),
	.hcxt = CurrentMemoryContext};
	Relation	arbiter;

	state->root = estate->es_result_relations[relid - 1];
	state->takesNumbers = list_nth_int(numbers, RETL_UPSERT_NEXTVAL) != 0;
	state->arbiter = linitial_oid(list_nth(plan->custom_private, RETL_UPSERT_ARBITER));
	arbiter = index_open(state->arbiter, RowExclusiveLock);
	state->keyCount = IndexRelationGetNumberOfKeyAttributes(arbiter);
	index_close(arbiter, NoLock);
	state->targets = hash_create("retldb upsert targets", TARGETS, &control,
								 HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	if (state->root->ri_RelationDesc->rd_rel->relkind == RELKIND_PARTITIONED_TABLE)
	{
		state->routingState = makeNode(ModifyTableState);
		state->routingState->ps.state = estate;
		state->routingState->operation = CMD_INSERT;
		state->routingState->resultRelInfo = state->root;
		state->routing = ExecSetupPartitionTupleRouting(estate, state->root->ri_RelationDesc);
	}
	else
		state->lastTarget = TargetOf(state, state->root);
}

/*
 * See upsert.h.
 */
RetlUpsertTarget *
RetlUpsertFindTarget(RetlUpsertState *state, TupleTableSlot *slot)
{
	EState	   *estate = state->css.ss.ps.state;
	ResultRelInfo *partition;

	if (state->routing == NULL)
		return state->lastTarget;
	ResetPerTupleExprContext(estate);
	partition = ExecFindPartition(state->routingState, state->root, state->routing, slot, estate);
	if (state->lastTarget == NULL || state->lastTarget->resultRelInfo != partition)
		state->lastTarget = TargetOf(state, partition);
	return state->lastTarget;
}

/*
 * See upsert.h.
 */
void
RetlUpsertEndTargets(RetlUpsertState *state)
{
	HASH_SEQ_STATUS status;
	RetlUpsertTarget *target;

	if (state->targets == NULL)
		return;
	hash_seq_init(&status, state->targets);
	while ((target = hash_seq_search(&status)) != NULL)
	{
		if (target->scan != NULL)
			index_endscan(target->scan);
		if (target->arbiter != NULL)
			index_close(target->arbiter, NoLock);
		if (target->compare != NULL)
			RetlUpsertCompareFree(target->compare);
	}
	if (state->routing != NULL)
		ExecCleanupTupleRouting(state->routingState, state->routing);
}
