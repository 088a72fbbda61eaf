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
 * changing the row.  To the command it is an update: the proposed row is checked as
 * one to be inserted is, and counted, unless WHERE turns it away.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/sysattr.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/nodes.h"
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
 * Can it be told beforehand what the command would do?
 */
static bool
IsComputable(List *set, List *where, Index relid)
{
	return !contain_subplans((Node *) set) && !contain_subplans((Node *) where) &&
		!HasSystemColumn(ColumnsOf(set, where, relid)) &&
		!HasSystemColumn(ColumnsOf(set, where, INNER_VAR));
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

	compare->needed = palloc(sizeof(AttrNumber) * Max(tupdesc->natts, 1));
	compare->vectors = palloc0(sizeof(RetlVector *) * Max(tupdesc->natts, 1));
	for (AttrNumber attnum = 1; attnum <= tupdesc->natts; attnum++)
	{
		bool		isNeeded = all ||
			bms_is_member(attnum - FirstLowInvalidHeapAttributeNumber, inExpressions);

		for (int i = 0; i < compare->setCount; i++)
			isNeeded |= compare->setColumns[i] == attnum;
		if (isNeeded && !TupleDescAttr(tupdesc, attnum - 1)->attisdropped)
			compare->needed[compare->neededCount++] = attnum;
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
 * See upsert.h.
 */
RetlUpsertCompare *
RetlUpsertCompareCreate(Relation rel, CustomScan *plan, EState *estate, ExprContext *econtext)
{
	List	   *numbers = list_nth(plan->custom_private, RETL_UPSERT_NUMBERS);
	List	   *set = list_nth(plan->custom_private, RETL_UPSERT_SET);
	List	   *where = list_nth(plan->custom_private, RETL_UPSERT_WHERE);
	List	   *setColumns = list_nth(plan->custom_private, RETL_UPSERT_SET_COLUMNS);
	Index		relid = list_nth_int(numbers, RETL_UPSERT_RELID);
	TupleDesc	tupdesc = RelationGetDescr(rel);
	RetlUpsertCompare *compare;
	ListCell   *lc;

	if (!IsComputable(set, where, relid) || !RowsAreValid(tupdesc))
		return NULL;
	compare = palloc0(sizeof(RetlUpsertCompare));
	compare->rel = rel;
	compare->estate = estate;
	compare->resultRelInfo = estate->es_result_relations[relid - 1];
	compare->econtext = econtext;
	compare->setTag = list_nth_int(numbers, RETL_UPSERT_SET_TAG) != 0;
	compare->existing = MakeExistingSlot(estate, tupdesc);
	compare->proposed = ExecInitExtraTupleSlot(estate, tupdesc, &TTSOpsMinimalTuple);

	/* without a parent: these expressions are not ones of the node's own slots */
	compare->where = ExecInitQual(where, NULL);
	compare->set =
		ExecBuildProjectionInfo(set, econtext,
								ExecInitExtraTupleSlot(estate, ExecTypeFromTL(set), &TTSOpsVirtual),
								NULL, NULL);
	compare->setColumns = palloc(sizeof(AttrNumber) * Max(list_length(setColumns), 1));
	foreach(lc, setColumns)
		compare->setColumns[compare->setCount++] = lfirst_int(lc);
	SetNeededColumns(compare, ColumnsOf(set, where, relid));

	compare->reader = RetlGroupReaderCreate(rel, NULL, NULL);
	if (!retldb_skip_damaged_groups)
	{
		RetlHeaderState state;

		RetlHeaderReadState(rel, &state);
		RetlGroupReaderUseCache(compare->reader, state.incarnation, true);
	}
	return compare;
}

/* ---------------------------------------------------------------------
 * Rows
 * ---------------------------------------------------------------------
 */

/*
 * Check a proposed row as the executor checks one that is to be inserted, before it
 * looks for a conflict.
 */
static void
CheckConstraints(RetlUpsertCompare *compare)
{
	TupleTableSlot *slot = compare->proposed;

	slot->tts_tableOid = RelationGetRelid(compare->rel);
	if (RelationGetDescr(compare->rel)->constr != NULL)
		ExecConstraints(compare->resultRelInfo, slot, compare->estate);
	if (compare->rel->rd_rel->relispartition)
		(void) ExecPartitionCheck(compare->resultRelInfo, slot, compare->estate, true);
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
		int			index = compare->needed[i] - 1;

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
	TupleDesc	tupdesc = RelationGetDescr(compare->rel);
	TupleTableSlot *new = ExecProject(compare->set);

	for (int i = 0; i < compare->setCount; i++)
	{
		int			index = compare->setColumns[i] - 1;
		Form_pg_attribute attribute = TupleDescAttr(tupdesc, index);
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
 * Would a proposed row change nothing?  The row that is there stands in its slot.
 */
static bool
ChangesNothing(RetlUpsertCompare *compare, MinimalTuple proposed)
{
	ExprContext *econtext = compare->econtext;
	MemoryContext oldContext;
	bool		counts;
	bool		nothing;

	ResetExprContext(econtext);
	ResetPerTupleExprContext(compare->estate);
	ExecStoreMinimalTuple(proposed, compare->proposed, false);
	CheckConstraints(compare);

	econtext->ecxt_scantuple = compare->existing;
	econtext->ecxt_innertuple = compare->proposed;
	oldContext = MemoryContextSwitchTo(econtext->ecxt_per_tuple_memory);
	counts = ExecQual(compare->where, econtext);
	nothing = !counts || SetsNothing(compare);
	MemoryContextSwitchTo(oldContext);
	if (nothing)
	{
		compare->left++;
		if (counts && compare->setTag)
			compare->estate->es_processed++;
	}
	return nothing;
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
		compare->vectors[i] = RetlGroupReaderGetSelected(compare->reader, compare->needed[i],
														 vector, &selection);
	for (int i = 0; i < count; i++)
	{
		StoreColumnarRow(compare, places[i].rowNumber, places[i].rowNumber - firstRowNumber);
		rows[places[i].index].stays = ChangesNothing(compare, rows[places[i].index].tuple);
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
		AttrNumber	attnum = compare->needed[i];

		slot->tts_values[attnum - 1] = heap_getattr(tuple, attnum, RelationGetDescr(compare->rel),
													&slot->tts_isnull[attnum - 1]);
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
		row->stays = ChangesNothing(compare, row->tuple);
		ExecClearTuple(compare->existing);
		ExecClearTuple(compare->proposed);
	}
	ReleaseBuffer(buffer);
}
