/*-------------------------------------------------------------------------
 *
 * compact_entries.c
 *	  Index entries of rows that compaction has moved.
 *
 * The rows have new TIDs, so every index gets new entries; VACUUM removes those of
 * the old ones.  Uniqueness is not checked: the rows were in the table before.
 * Until the transaction has committed, a unique check of others finds the row in
 * its old place, and in its new place one that is being inserted, and waits.  The
 * entries are made before the old row is marked, so there is no moment at which
 * it would find neither.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "catalog/index.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "am/retldb_am.h"
#include "compact/compact.h"
#include "rowgroup/group_reader.h"
#include "visibility/row_fetch.h"

/*
 * The columns that all indexes need.
 */
static Bitmapset *
NeededColumns(Relation rel, ResultRelInfo *info)
{
	Bitmapset  *columns = NULL;

	for (int i = 0; i < info->ri_NumIndices; i++)
		if (info->ri_IndexRelationInfo[i]->ii_ReadyForInserts)
			columns = bms_join(columns, RetlIndexColumns(rel, info->ri_IndexRelationInfo[i]));
	return columns;
}

/*
 * Enter the row in the slot in an index, unless the index's predicate excludes it.
 */
static void
MakeEntry(Relation rel, Relation index, IndexInfo *info, EState *estate, TupleTableSlot *slot)
{
	Datum		values[INDEX_MAX_KEYS];
	bool		isnull[INDEX_MAX_KEYS];

	if (info->ii_Predicate != NIL)
	{
		if (info->ii_PredicateState == NULL)
			info->ii_PredicateState = ExecPrepareQual(info->ii_Predicate, estate);
		if (!ExecQual(info->ii_PredicateState, GetPerTupleExprContext(estate)))
			return;
	}
	FormIndexDatum(info, slot, estate, values, isnull);
	index_insert(index, values, isnull, &slot->tts_tid, rel, UNIQUE_CHECK_NO, false, info);
}

/*
 * Enter the row in the slot in all indexes.
 */
static void
MakeEntries(Relation rel, ResultRelInfo *info, EState *estate, TupleTableSlot *slot)
{
	MemoryContext oldContext;

	ResetPerTupleExprContext(estate);
	GetPerTupleExprContext(estate)->ecxt_scantuple = slot;
	oldContext = MemoryContextSwitchTo(GetPerTupleMemoryContext(estate));
	for (int i = 0; i < info->ri_NumIndices; i++)
		if (info->ri_IndexRelationInfo[i]->ii_ReadyForInserts)
			MakeEntry(rel, info->ri_IndexRelationDescs[i], info->ri_IndexRelationInfo[i], estate,
					  slot);
	MemoryContextSwitchTo(oldContext);
}

/*
 * Enter the rows of a vector.
 */
static void
EnterVector(Relation rel, ResultRelInfo *info, EState *estate, TupleTableSlot *slot,
			RetlGroupReader *reader, const Bitmapset *columns, const RetlGroupEntry *entry,
			uint32 index)
{
	const RetlVector **vectors = palloc0(sizeof(RetlVector *) * RelationGetDescr(rel)->natts);
	uint32		vectorRows = RetlGroupReaderVectorRows(reader);
	uint32		firstRow = index * vectorRows;
	uint32		rows = Min(vectorRows, RetlGroupReaderRowCount(reader) - firstRow);
	int			attnum = -1;

	while ((attnum = bms_next_member(columns, attnum)) >= 0)
		vectors[attnum - 1] = RetlGroupReaderGetVector(reader, attnum, index);
	for (uint32 row = 0; row < rows; row++)
	{
		CHECK_FOR_INTERRUPTS();
		ExecClearTuple(slot);
		memset(slot->tts_isnull, true, sizeof(bool) * RelationGetDescr(rel)->natts);
		attnum = -1;
		while ((attnum = bms_next_member(columns, attnum)) >= 0)
			slot->tts_values[attnum - 1] = RetlVectorGetDatum(vectors[attnum - 1], row,
															  &slot->tts_isnull[attnum - 1]);
		ExecStoreVirtualTuple(slot);
		RetlTidFromRowNumber(&slot->tts_tid, entry->rowBase + firstRow + row);
		MakeEntries(rel, info, estate, slot);
	}
	pfree(vectors);
}

/*
 * Enter the rows of a group, which is COMPLETE, in the indexes of its table.
 */
void
RetlCompactMakeEntries(Relation rel, RetlGroup *group)
{
	EState	   *estate;
	ResultRelInfo *info;
	TupleTableSlot *slot;
	RetlGroupReader *reader;
	Bitmapset  *columns;

	if (!rel->rd_rel->relhasindex)
		return;
	estate = CreateExecutorState();
	info = makeNode(ResultRelInfo);
	InitResultRelInfo(info, rel, 0, NULL, 0);
	ExecOpenIndices(info, false);
	columns = NeededColumns(rel, info);
	slot = MakeSingleTupleTableSlot(RelationGetDescr(rel), &TTSOpsVirtual);
	slot->tts_tableOid = RelationGetRelid(rel);

	RetlDirectoryRefresh(rel, group);
	reader = RetlGroupReaderCreate(rel, NULL, NULL);
	RetlGroupReaderOpen(reader, &group->entry);
	for (uint32 i = 0; i < RetlGroupReaderVectorCount(reader); i++)
		EnterVector(rel, info, estate, slot, reader, columns, &group->entry, i);
	RetlGroupReaderFree(reader);

	ExecDropSingleTupleTableSlot(slot);
	ExecCloseIndices(info);
	FreeExecutorState(estate);
	pfree(info);
}
