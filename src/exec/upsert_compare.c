/*-------------------------------------------------------------------------
 *
 * upsert_compare.c
 *	  Rows that an INSERT ... ON CONFLICT DO UPDATE would leave as they are.
 *
 * With the option suppress_noop (am/am_noop.c) an update that changes nothing
 * leaves the row as it is.  The executor would have locked it by then, so
 * it is found out here, for many rows of row groups at once: what SET and WHERE say
 * is computed from the proposed row and the one that is there, and compared with the
 * columns of the latter.
 *
 * To everybody else it is as if this had happened when we saw that nobody is
 * changing the row.  To the command it is an update: when it is its turn, the proposed
 * row is checked as one to be inserted is, and counted, unless WHERE turns it away.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/sysattr.h"
#include "access/tupconvert.h"
#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "executor/nodeModifyTable.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "storage/bufmgr.h"
#include "storage/predicate.h"
#include "utils/datum.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "am/retldb_am.h"
#include "base/compat.h"
#include "base/settings.h"
#include "exec/upsert.h"
#include "storage/table_header.h"
#include "visibility/anchor.h"
#include "visibility/row_fetch.h"
#include "visibility/row_free.h"

/* So many rows of a vector are read as single ones. */
#define SINGLE_ROWS		4

/* A column of the row that is there. */
typedef struct NeededColumn
{
	AttrNumber	inTarget;
	AttrNumber	inRoot;			/* as expressions refer to it */
} NeededColumn;

struct RetlUpsertCompare
{
	RetlUpsertState *state;
	Relation	rel;
	ResultRelInfo *resultRelInfo;
	TupleDesc	tupdesc;		/* as expressions see rows: that of the root */
	EState	   *estate;
	ExprContext *econtext;
	ExprState  *where;			/* NULL: none */
	ProjectionInfo *set;
	TupleTableSlot *existing;	/* the row that is there: needed columns only */
	TupleTableSlot *proposed;	/* a row of the source */
	AttrMap    *fromRoot;		/* see RetlUpsertTarget */
	TupleTableSlot *converted;	/* the proposed row as the target has it; NULL: as it is */
	int			setCount;
	AttrNumber *setColumns;
	int			neededCount;
	NeededColumn *needed;
	const RetlVector **vectors; /* of these */
	RetlGroupReader *reader;
	uint64		openGroup;		/* id; 0: none */
	bool		setTag;
};

/* ---------------------------------------------------------------------
 * Beginning
 * ---------------------------------------------------------------------
 */

/*
 * The columns of a relation of the range table that expressions need, offset by
 * FirstLowInvalidHeapAttributeNumber.
 */
static Bitmapset *
ColumnsOf(List *set, List *where, int varno)
{
	Bitmapset  *columns = NULL;

	pull_varattnos((Node *) set, varno, &columns);
	pull_varattnos((Node *) where, varno, &columns);
	return columns;
}

/*
 * Is there a system column among these?
 */
static bool
HasSystemColumn(const Bitmapset *columns)
{
	int			first = bms_next_member(columns, -1);

	return first >= 0 && first + FirstLowInvalidHeapAttributeNumber < 0;
}

/*
 * Does an expression ask for the result of a subquery?  One that depends on nothing else
 * is a parameter by now.
 */
static bool
HasSubquery(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, SubPlan) || IsA(node, AlternativeSubPlan) ||
		(IsA(node, Param) && ((Param *) node)->paramkind == PARAM_EXEC))
		return true;
	return expression_tree_walker(node, HasSubquery, context);
}

/*
 * Can it be told beforehand what the command would do?
 */
static bool
IsComputable(List *set, List *where, Index relid)
{
	return !HasSubquery((Node *) set, NULL) && !HasSubquery((Node *) where, NULL) &&
		!contain_volatile_functions((Node *) set) &&
		!contain_volatile_functions((Node *) where) &&
		!HasSystemColumn(ColumnsOf(set, where, relid)) &&
		!HasSystemColumn(ColumnsOf(set, where, INNER_VAR));
}

/* See upsert.h. */
bool
RetlUpsertHasRowTriggers(Relation rel)
{
	const TriggerDesc *triggers = rel->trigdesc;

	if (triggers == NULL)
		return false;
	for (int i = 0; i < triggers->numtriggers; i++)
	{
		const Trigger *trigger = &triggers->triggers[i];

		if (!TRIGGER_FOR_INSERT(trigger->tgtype) && !TRIGGER_FOR_UPDATE(trigger->tgtype))
			continue;
		if (trigger->tgoldtable != NULL || trigger->tgnewtable != NULL)
			return true;
		if (TRIGGER_FOR_ROW(trigger->tgtype) &&
			!(trigger->tgisinternal && RI_FKey_trigger_type(trigger->tgfoid) != RI_TRIGGER_NONE))
			return true;
	}
	return false;
}

/*
 * Does a table have columns that are computed and stored?
 */
static bool
HasStoredColumns(Relation rel)
{
	const TupleConstr *constr = RelationGetDescr(rel)->constr;

	return constr != NULL && constr->has_generated_stored;
}

/*
 * Do all rows that are there satisfy the table's constraints?  An update checks the
 * new row, also if it changes nothing.
 */
static bool
RowsAreValid(TupleDesc tupdesc)
{
	const TupleConstr *constr = tupdesc->constr;

	if (constr == NULL)
		return true;
	for (int i = 0; i < constr->num_check; i++)
	{
		if (!constr->check[i].ccvalid ||
			contain_mutable_functions(stringToNode(constr->check[i].ccbin)))
			return false;
	}
	for (int i = 0; i < tupdesc->natts; i++)
	{
		if (RetlNotNullIsInvalid(tupdesc, i))
			return false;
	}
	return true;
}

/*
 * Set which columns are needed of the row that is there: those that expressions
 * refer to, and those that are set.
 */
static void
SetNeededColumns(RetlUpsertCompare *compare, const Bitmapset *inExpressions)
{
	TupleDesc	tupdesc = RelationGetDescr(compare->rel);
	bool		all = bms_is_member(0 - FirstLowInvalidHeapAttributeNumber, inExpressions);

	compare->needed = palloc(sizeof(NeededColumn) * Max(tupdesc->natts, 1));
	compare->vectors = palloc0(sizeof(RetlVector *) * Max(tupdesc->natts, 1));
	for (AttrNumber attnum = 1; attnum <= tupdesc->natts; attnum++)
	{
		AttrNumber	inRoot = compare->fromRoot != NULL ?
			compare->fromRoot->attnums[attnum - 1] : attnum;
		bool		isNeeded = all ||
			bms_is_member(inRoot - FirstLowInvalidHeapAttributeNumber, inExpressions);

		for (int i = 0; i < compare->setCount; i++)
			isNeeded |= compare->setColumns[i] == inRoot;
		if (isNeeded && !TupleDescAttr(tupdesc, attnum - 1)->attisdropped)
			compare->needed[compare->neededCount++] = (NeededColumn) {attnum, inRoot};
	}
}

/*
 * Make the slot for the row that is there; columns that are not needed are null.
 */
static TupleTableSlot *
MakeExistingSlot(EState *estate, TupleDesc tupdesc)
{
	TupleTableSlot *slot = ExecInitExtraTupleSlot(estate, tupdesc, &TTSOpsVirtual);

	memset(slot->tts_values, 0, sizeof(Datum) * tupdesc->natts);
	memset(slot->tts_isnull, true, sizeof(bool) * tupdesc->natts);
	return slot;
}

/*
 * Prepare to compute what the command says, which it does of rows of the root.
 */
static void
InitExpressions(RetlUpsertCompare *compare, List *set, List *where, List *setColumns)
{
	ListCell   *lc;

	/* without a parent: these expressions are not ones of the node's own slots */
	compare->where = ExecInitQual(where, NULL);
	compare->set =
		ExecBuildProjectionInfo(set, compare->econtext,
								ExecInitExtraTupleSlot(compare->estate, ExecTypeFromTL(set),
													   &TTSOpsVirtual),
								NULL, NULL);
	compare->setColumns = palloc(sizeof(AttrNumber) * Max(list_length(setColumns), 1));
	foreach(lc, setColumns)
		compare->setColumns[compare->setCount++] = lfirst_int(lc);
}

/*
 * See upsert.h.
 */
RetlUpsertCompare *
RetlUpsertCompareCreate(RetlUpsertState *state, const RetlUpsertTarget *target)
{
	CustomScan *plan = (CustomScan *) state->css.ss.ps.plan;
	List	   *numbers = list_nth(plan->custom_private, RETL_UPSERT_NUMBERS);
	List	   *set = list_nth(plan->custom_private, RETL_UPSERT_SET);
	List	   *where = list_nth(plan->custom_private, RETL_UPSERT_WHERE);
	Index		relid = list_nth_int(numbers, RETL_UPSERT_RELID);
	RetlUpsertCompare *compare;

	if (list_nth_int(numbers, RETL_UPSERT_MAY_LEAVE) == 0 ||
		!IsComputable(set, where, relid) || !RowsAreValid(RelationGetDescr(target->rel)) ||
		RetlUpsertHasRowTriggers(state->root->ri_RelationDesc) ||
		RetlUpsertHasRowTriggers(target->rel) ||
		(HasStoredColumns(target->rel) && target->fromRoot != NULL))
		return NULL;
	compare = palloc0(sizeof(RetlUpsertCompare));
	compare->state = state;
	compare->rel = target->rel;
	compare->resultRelInfo = target->resultRelInfo;
	compare->tupdesc = RelationGetDescr(state->root->ri_RelationDesc);
	compare->estate = state->css.ss.ps.state;
	compare->econtext = state->css.ss.ps.ps_ExprContext;
	compare->setTag = list_nth_int(numbers, RETL_UPSERT_SET_TAG) != 0;
	compare->existing = MakeExistingSlot(compare->estate, compare->tupdesc);
	compare->proposed = ExecInitExtraTupleSlot(compare->estate, compare->tupdesc,
											   &TTSOpsMinimalTuple);
	compare->fromRoot = target->fromRoot;
	if (compare->fromRoot != NULL)
		compare->converted = ExecInitExtraTupleSlot(compare->estate,
													RelationGetDescr(compare->rel), &TTSOpsVirtual);
	InitExpressions(compare, set, where, list_nth(plan->custom_private, RETL_UPSERT_SET_COLUMNS));
	SetNeededColumns(compare, ColumnsOf(set, where, relid));

	compare->reader = RetlGroupReaderCreate(compare->rel, NULL, NULL);
	if (!retldb_skip_damaged_groups)
	{
		RetlHeaderState header;

		RetlHeaderReadState(compare->rel, &header);
		RetlGroupReaderUseCache(compare->reader, header.incarnation, true);
	}
	return compare;
}

/*
 * See upsert.h.
 */
void
RetlUpsertCompareFree(RetlUpsertCompare *compare)
{
	RetlGroupReaderFree(compare->reader);
}

/* ---------------------------------------------------------------------
 * Rows
 * ---------------------------------------------------------------------
 */

/*
 * Let a proposed row be in its slots.  Returns it as the target has it.
 */
static TupleTableSlot *
StoreProposed(RetlUpsertCompare *compare, MinimalTuple proposed)
{
	TupleTableSlot *slot = compare->proposed;

	ExecStoreMinimalTuple(proposed, slot, false);
	if (compare->converted != NULL)
		slot = execute_attr_map_slot(compare->fromRoot, slot, compare->converted);
	slot->tts_tableOid = RelationGetRelid(compare->rel);
	if (HasStoredColumns(compare->rel))
		ExecComputeStoredGenerated(compare->resultRelInfo, compare->estate, slot, CMD_INSERT);
	return slot;
}

/*
 * See upsert.h.  The executor checks a row to be inserted before it looks for a conflict.
 */
void
RetlUpsertPassRow(RetlUpsertCompare *compare, const RetlUpsertRow *row)
{
	ResultRelInfo *resultRelInfo = compare->resultRelInfo;
	TupleTableSlot *slot;

	ResetPerTupleExprContext(compare->estate);
	slot = StoreProposed(compare, row->tuple);
	if (RelationGetDescr(compare->rel)->constr != NULL)
		ExecConstraints(resultRelInfo, slot, compare->estate);
	if (compare->rel->rd_rel->relispartition && resultRelInfo->ri_RootResultRelInfo == NULL)
		(void) ExecPartitionCheck(resultRelInfo, slot, compare->estate, true);
	ExecClearTuple(compare->proposed);
	if (row->counts && compare->setTag)
		compare->estate->es_processed++;
	compare->state->left++;
}

/*
 * Put the columns of a row of the vectors into the slot.
 */
static void
StoreColumnarRow(RetlUpsertCompare *compare, uint64 rowNumber, uint32 vectorRow)
{
	TupleTableSlot *slot = compare->existing;

	ExecClearTuple(slot);
	for (int i = 0; i < compare->neededCount; i++)
	{
		int			index = compare->needed[i].inRoot - 1;

		slot->tts_values[index] = RetlVectorGetDatum(compare->vectors[i], vectorRow,
													 &slot->tts_isnull[index]);
	}
	ExecStoreVirtualTuple(slot);
	RetlTidFromRowNumber(&slot->tts_tid, rowNumber);
	slot->tts_tableOid = RelationGetRelid(compare->rel);
}

/*
 * Does SET leave all columns as they are, byte for byte?
 */
static bool
SetsNothing(RetlUpsertCompare *compare)
{
	TupleTableSlot *new = ExecProject(compare->set);

	for (int i = 0; i < compare->setCount; i++)
	{
		int			index = compare->setColumns[i] - 1;
		Form_pg_attribute attribute = TupleDescAttr(compare->tupdesc, index);
		bool		isnull = compare->existing->tts_isnull[index];

		if (isnull != new->tts_isnull[i])
			return false;
		if (!isnull && !datum_image_eq(compare->existing->tts_values[index], new->tts_values[i],
									   attribute->attbyval, attribute->attlen))
			return false;
	}
	return true;
}

/*
 * Find out whether a proposed row would change nothing.  The row that is there stands in
 * its slot.
 */
static void
CompareRow(RetlUpsertCompare *compare, RetlUpsertRow *row)
{
	ExprContext *econtext = compare->econtext;
	MemoryContext oldContext;

	ResetExprContext(econtext);
	ResetPerTupleExprContext(compare->estate);
	(void) StoreProposed(compare, row->tuple);
	econtext->ecxt_scantuple = compare->existing;
	econtext->ecxt_innertuple = compare->proposed;
	oldContext = MemoryContextSwitchTo(econtext->ecxt_per_tuple_memory);
	row->counts = ExecQual(compare->where, econtext);
	row->stays = !row->counts || SetsNothing(compare);
	MemoryContextSwitchTo(oldContext);
}

/*
 * The rows of places that are in a vector.
 */
static void
SelectRows(RetlSelection *selection, uint64 firstRowNumber, uint32 rowCount,
		   const RetlUpsertPlace *places, int count)
{
	selection->rowCount = rowCount;
	memset(selection->words, 0, RetlSelectionWords(rowCount) * sizeof(uint64));
	for (int i = 0; i < count; i++)
	{
		uint32		row = places[i].rowNumber - firstRowNumber;

		selection->words[row / 64] |= UINT64CONST(1) << (row % 64);
	}
	RetlSelectionRecount(selection);
}

/*
 * Compare the rows of a vector.
 */
static void
CompareVector(RetlUpsertCompare *compare, uint64 firstRowNumber, uint32 vector, uint32 rowCount,
			  RetlUpsertRow *rows, const RetlUpsertPlace *places, int count)
{
	RetlSelection selection;

	CHECK_FOR_INTERRUPTS();
	SelectRows(&selection, firstRowNumber, rowCount, places, count);
	RetlGroupReaderSetSingle(compare->reader, count <= SINGLE_ROWS);
	for (int i = 0; i < compare->neededCount; i++)
		compare->vectors[i] = RetlGroupReaderGetSelected(compare->reader,
														 compare->needed[i].inTarget, vector,
														 &selection);
	for (int i = 0; i < count; i++)
	{
		StoreColumnarRow(compare, places[i].rowNumber, places[i].rowNumber - firstRowNumber);
		CompareRow(compare, &rows[places[i].index]);
	}
	ExecClearTuple(compare->existing);
	ExecClearTuple(compare->proposed);
}

/*
 * See upsert.h.
 */
void
RetlUpsertCompareRows(RetlUpsertCompare *compare, const RetlGroup *group, RetlUpsertRow *rows,
					  const RetlUpsertPlace *places, int count)
{
	const RetlGroupEntry *entry = &group->entry;
	uint32		vectorRows;

	if (compare->openGroup != entry->groupId)
	{
		compare->openGroup = 0;
		RetlGroupReaderOpen(compare->reader, entry);
		compare->openGroup = entry->groupId;
	}
	vectorRows = RetlGroupReaderVectorRows(compare->reader);
	for (int i = 0; i < count;)
	{
		uint32		vector = (places[i].rowNumber - entry->rowBase) / vectorRows;
		uint64		firstRowNumber = entry->rowBase + (uint64) vector * vectorRows;
		uint32		rowCount = Min(vectorRows, entry->rowCount - vector * vectorRows);
		int			inVector = 1;

		while (i + inVector < count && places[i + inVector].rowNumber < firstRowNumber + rowCount)
			inVector++;
		CompareVector(compare, firstRowNumber, vector, rowCount, rows, places + i, inVector);
		i += inVector;
	}
}

/* ---------------------------------------------------------------------
 * Rows of the row store
 * ---------------------------------------------------------------------
 */

/*
 * May a row of the row store, whose page is locked, be left as it is?  It must be
 * there, changed by nobody, and seen by the command where that matters.
 */
static bool
StoreRowIsFree(RetlUpsertCompare *compare, HeapTuple tuple, Buffer buffer)
{
	Snapshot	snapshot = compare->estate->es_snapshot;
	bool		visible;

	if (RetlTupleIsMarked(tuple->t_data) ||
		!RetlTupleIsFree(tuple, compare->estate->es_output_cid, buffer))
		return false;
	if (!IsolationUsesXactSnapshot())
		return true;
	PredicateLockTID(compare->rel, &tuple->t_self, snapshot, HeapTupleHeaderGetXmin(tuple->t_data));
	visible = HeapTupleSatisfiesVisibility(tuple, snapshot, buffer);
	HeapCheckForSerializableConflictOut(visible, compare->rel, tuple, buffer, snapshot);
	return visible;
}

/*
 * Put the columns of a row of the row store, whose page is pinned, into the slot.
 */
static void
StoreHeapRow(RetlUpsertCompare *compare, HeapTuple tuple)
{
	TupleTableSlot *slot = compare->existing;

	ExecClearTuple(slot);
	for (int i = 0; i < compare->neededCount; i++)
	{
		int			index = compare->needed[i].inRoot - 1;

		slot->tts_values[index] = heap_getattr(tuple, compare->needed[i].inTarget,
											   RelationGetDescr(compare->rel),
											   &slot->tts_isnull[index]);
	}
	ExecStoreVirtualTuple(slot);
	slot->tts_tid = tuple->t_self;
	slot->tts_tableOid = RelationGetRelid(compare->rel);
}

/*
 * See upsert.h.
 */
void
RetlUpsertCompareStoreRow(RetlUpsertCompare *compare, const ItemPointerData *tid,
						  RetlUpsertRow *row)
{
	ItemPointerData current = *tid;
	Buffer		buffer = ReadBuffer(compare->rel, ItemPointerGetBlockNumber(tid));
	HeapTupleData tuple;
	bool		isFree;

	/* the index names the first version of a HOT chain */
	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	isFree = heap_hot_search_buffer(&current, compare->rel, buffer, SnapshotSelf, &tuple, NULL,
									true) &&
		StoreRowIsFree(compare, &tuple, buffer);
	LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
	if (isFree)
	{
		StoreHeapRow(compare, &tuple);
		CompareRow(compare, row);
		ExecClearTuple(compare->existing);
		ExecClearTuple(compare->proposed);
	}
	ReleaseBuffer(buffer);
}
