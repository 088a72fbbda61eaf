/*-------------------------------------------------------------------------
 *
 * inspect.c
 *	  Functions that show how a table is stored.
 *
 * They take AccessShareLock and believe what they read: damage raises an
 * error here, and retldb.verify is the function to find it.  Of a row group
 * that is not visible only the directory entry is shown, for its pages may be
 * given to another at any time.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"
#include "utils/xid8.h"

#include "compress/compress.h"
#include "encoding/encoding.h"
#include "rowgroup/group_reader.h"
#include "sql/table_access.h"
#include "storage/directory.h"
#include "visibility/anchor.h"

PG_FUNCTION_INFO_V1(retldb_version);
PG_FUNCTION_INFO_V1(retldb_table_info);
PG_FUNCTION_INFO_V1(retldb_row_groups);
PG_FUNCTION_INFO_V1(retldb_column_chunks);

#define RETLDB_EXTENSION_VERSION	"0.2"

/* A row of a result under construction. */
#define MAX_RESULT_COLUMNS	16

typedef struct ResultRow
{
	int			count;
	Datum		values[MAX_RESULT_COLUMNS];
	bool		nulls[MAX_RESULT_COLUMNS];
} ResultRow;

/* The next column of a row. */
static void
AddValue(ResultRow *row, Datum value)
{
	Assert(row->count < MAX_RESULT_COLUMNS);
	row->values[row->count] = value;
	row->nulls[row->count++] = false;
}

/* The same, null. */
static void
AddNull(ResultRow *row)
{
	Assert(row->count < MAX_RESULT_COLUMNS);
	row->values[row->count] = (Datum) 0;
	row->nulls[row->count++] = true;
}

/* Numbers of the format are unsigned, those of SQL are not. */
static void
AddNumber(ResultRow *row, uint64 value)
{
	AddValue(row, Int64GetDatum((int64) Min(value, (uint64) PG_INT64_MAX)));
}

/* A text, or null for NULL. */
static void
AddText(ResultRow *row, const char *text)
{
	if (text != NULL)
		AddValue(row, CStringGetTextDatum(text));
	else
		AddNull(row);
}

/* What the set-returning functions have in common. */
typedef struct Inspection
{
	Relation	rel;
	RetlDirectory *directory;	/* NULL if the table has no contents now */
	Snapshot	snapshot;
	ReturnSetInfo *result;
	MemoryContext rowContext;	/* reset after each row */
} Inspection;

/*
 * Begin a set-returning function whose first argument is a table: open that, and
 * read its directory, which is NULL where there is nothing to be read.
 */
static void
BeginInspection(Inspection *inspection, FunctionCallInfo fcinfo)
{
	InitMaterializedSRF(fcinfo, 0);
	inspection->result = (ReturnSetInfo *) fcinfo->resultinfo;
	inspection->rel = RetlTableOpen(PG_GETARG_OID(0));
	/* the snapshot comes before the directory, which then has all it can see */
	inspection->snapshot = RegisterSnapshot(GetActiveSnapshot());
	inspection->directory = RetlTableIsReadable(inspection->rel)
		? RetlDirectoryRead(inspection->rel) : NULL;
	inspection->rowContext = AllocSetContextCreate(CurrentMemoryContext, "retldb inspection row",
												   ALLOCSET_DEFAULT_SIZES);
}

/*
 * End what BeginInspection has begun; the lock stays to the end of the transaction.
 */
static void
EndInspection(Inspection *inspection)
{
	MemoryContextDelete(inspection->rowContext);
	UnregisterSnapshot(inspection->snapshot);
	table_close(inspection->rel, NoLock);
}

/* Give out a row, which has a value or null for each column of the result. */
static void
PutRow(Inspection *inspection, ResultRow *row)
{
	Assert(row->count == inspection->result->setDesc->natts);
	tuplestore_putvalues(inspection->result->setResult, inspection->result->setDesc,
						 row->values, row->nulls);
}

/* Does the snapshot see the rows of a group? */
static bool
GroupIsVisible(const Inspection *inspection, const RetlGroupEntry *entry)
{
	return entry->state == RETL_GROUP_COMPLETE &&
		RetlAnchorIsVisible(inspection->rel, entry, inspection->snapshot, NULL);
}

/* ---------------------------------------------------------------------
 * retldb.version()
 * ---------------------------------------------------------------------
 */

/* Versions of extension and format. */
Datum
retldb_version(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(psprintf("retldb %s, format version %d",
											  RETLDB_EXTENSION_VERSION,
											  RETLDB_FORMAT_VERSION)));
}

/* ---------------------------------------------------------------------
 * retldb.table_info(rel)
 * ---------------------------------------------------------------------
 */

/* Blocks by what they hold. */
typedef struct BlockTotals
{
	uint64		all;
	uint64		directory;		/* header and zone maps included */
	uint64		groups;			/* COMPLETE ones */
	uint64		loading;
	uint64		free;
} BlockTotals;

/* What the pages of the fork are used for, as the directory has it. */
static void
CountBlocks(Relation rel, const RetlDirectory *directory, BlockTotals *totals)
{
	memset(totals, 0, sizeof(BlockTotals));
	totals->directory = 1;
	for (int i = 0; i < directory->pageCount; i++)
		totals->directory += 1 + directory->pages[i].zonePageCount;
	for (int i = 0; i < directory->groupCount; i++)
	{
		const RetlGroupEntry *entry = &directory->groups[i].entry;
		uint64		pages = entry->pageCount + (entry->runListBlock != RETLDB_NO_BLOCK ? 1 : 0);

		if (entry->state == RETL_GROUP_COMPLETE)
			totals->groups += pages;
		else if (entry->state == RETL_GROUP_LOADING)
			totals->loading += pages;
		else
			totals->free += pages;
	}
	/* after the directory, so that it cannot be too short */
	totals->all = RelationGetNumberOfBlocks(rel);
}

/*
 * One row: the header page, and what the blocks are used for.
 */
Datum
retldb_table_info(PG_FUNCTION_ARGS)
{
	Inspection	inspection;
	ResultRow	row = {0};

	BeginInspection(&inspection, fcinfo);
	if (inspection.directory != NULL)
	{
		RetlFileHeader *header = inspection.directory->header;
		BlockTotals blocks;
		pg_uuid_t  *incarnation = palloc(sizeof(pg_uuid_t));

		StaticAssertStmt(sizeof(header->incarnation) == UUID_LEN, "incarnation fits uuid");
		memcpy(incarnation->data, header->incarnation, UUID_LEN);
		CountBlocks(inspection.rel, inspection.directory, &blocks);

		AddValue(&row, Int32GetDatum((int32) header->formatVersion));
		AddValue(&row, TimestampTzGetDatum(header->createdAt));
		AddValue(&row, UUIDPGetDatum(incarnation));
		AddNumber(&row, header->generation);
		AddNumber(&row, header->completeGroups);
		AddNumber(&row, header->completeRows);
		AddNumber(&row, blocks.all);
		AddNumber(&row, blocks.all - Min(blocks.all, blocks.directory + blocks.groups +
										 blocks.loading + blocks.free));
		AddNumber(&row, blocks.directory);
		AddNumber(&row, blocks.groups);
		AddNumber(&row, blocks.loading);
		AddNumber(&row, blocks.free);
		PutRow(&inspection, &row);
	}
	EndInspection(&inspection);
	return (Datum) 0;
}

/* ---------------------------------------------------------------------
 * retldb.row_groups(rel)
 * ---------------------------------------------------------------------
 */

/* Name of the state of a directory entry. */
static const char *
StateName(uint8 state)
{
	switch (state)
	{
		case RETL_GROUP_LOADING:
			return "loading";
		case RETL_GROUP_COMPLETE:
			return "complete";
		case RETL_GROUP_FREE:
			return "free";
		default:
			return "unused";
	}
}

/*
 * Values of the footer of a visible group; nulls else.
 */
static void
AddFooterValues(ResultRow *row, RetlGroupReader *reader, const RetlGroupEntry *entry, bool visible)
{
	if (visible)
	{
		RetlGroupReaderOpen(reader, entry);
		AddValue(row, Int32GetDatum((int32) RetlGroupReaderColumnCount(reader)));
		AddValue(row, Int32GetDatum((int32) RetlGroupReaderVectorRows(reader)));
	}
	else
	{
		AddNull(row);
		AddNull(row);
	}
}

/*
 * Released pages have no rows, no writer and no anchor.
 */
static void
AddGroupValues(ResultRow *row, const RetlGroupEntry *entry, bool visible)
{
	bool		isFree = entry->state == RETL_GROUP_FREE;
	ItemPointer anchor = palloc(sizeof(ItemPointerData));

	ItemPointerSet(anchor, entry->anchorBlock, entry->anchorOffset);
	AddNumber(row, entry->groupId);
	AddText(row, StateName(entry->state));
	AddValue(row, BoolGetDatum(visible));
	if (isFree)
		AddNull(row);
	else
		AddNumber(row, entry->rowBase);
	AddNumber(row, isFree ? 0 : entry->rowCount);
	AddNumber(row, isFree ? 0 : entry->dataLength);
	AddNumber(row, entry->pageCount);
	AddNumber(row, entry->runCount);
	if (isFree)
	{
		AddNull(row);
		AddNull(row);
	}
	else
	{
		AddValue(row, FullTransactionIdGetDatum(FullTransactionIdFromU64(entry->writerXid)));
		AddValue(row, PointerGetDatum(anchor));
	}
}

/*
 * One row for each entry of the directory.
 */
Datum
retldb_row_groups(PG_FUNCTION_ARGS)
{
	Inspection	inspection;
	RetlGroupReader *reader;

	BeginInspection(&inspection, fcinfo);
	reader = RetlGroupReaderCreate(inspection.rel, NULL, NULL);
	for (int i = 0; inspection.directory != NULL && i < inspection.directory->groupCount; i++)
	{
		const RetlGroupEntry *entry = &inspection.directory->groups[i].entry;
		MemoryContext oldContext = MemoryContextSwitchTo(inspection.rowContext);
		bool		visible = GroupIsVisible(&inspection, entry);
		ResultRow	row = {0};

		CHECK_FOR_INTERRUPTS();
		AddGroupValues(&row, entry, visible);
		AddFooterValues(&row, reader, entry, visible);
		PutRow(&inspection, &row);
		MemoryContextSwitchTo(oldContext);
		MemoryContextReset(inspection.rowContext);
	}
	RetlGroupReaderFree(reader);
	EndInspection(&inspection);
	return (Datum) 0;
}

/* ---------------------------------------------------------------------
 * retldb.column_chunks(rel)
 * ---------------------------------------------------------------------
 */

/*
 * Name of a column, NULL if it was dropped.
 */
static const char *
ColumnName(Relation rel, uint32 columnId)
{
	TupleDesc	columns = RelationGetDescr(rel);

	if (columnId == 0 || columnId > (uint32) columns->natts ||
		TupleDescAttr(columns, columnId - 1)->attisdropped)
		return NULL;
	return NameStr(TupleDescAttr(columns, columnId - 1)->attname);
}

/* Name of an encoding; NULL if there is none of this id. */
static const char *
EncodingName(uint8 encodingId)
{
	const RetlEncoding *encoding = RetlEncodingById(encodingId);

	return encoding == NULL ? NULL : encoding->name;
}

/* The smallest or largest key of a zone, as bytes; null unless it is known. */
static void
AddKey(ResultRow *row, const uint8 *key, bool known)
{
	bytea	   *value;

	if (!known)
	{
		AddNull(row);
		return;
	}
	value = palloc(VARHDRSZ + RETLDB_KEY_LENGTH);
	SET_VARSIZE(value, VARHDRSZ + RETLDB_KEY_LENGTH);
	memcpy(VARDATA(value), key, RETLDB_KEY_LENGTH);
	AddValue(row, PointerGetDatum(value));
}

/* One row of retldb.column_chunks; keys only for those who may see values. */
static void
PutChunk(Inspection *inspection, const RetlGroupEntry *entry, const RetlFooterColumn *column,
		 bool showValues)
{
	ResultRow	row = {0};
	bool		showKeys = showValues && (column->zone.flags & RETL_ZONE_HAS_RANGE) != 0;

	AddNumber(&row, entry->groupId);
	AddText(&row, ColumnName(inspection->rel, column->columnId));
	AddValue(&row, Int32GetDatum((int32) column->columnId));
	AddValue(&row, ObjectIdGetDatum(column->typeOid));
	AddText(&row, EncodingName(column->encoding));
	AddText(&row, RetlCompressionName(column->compression));
	AddNumber(&row, entry->rowCount);
	AddNumber(&row, column->zone.nullCount);
	if (column->distinctEstimate == 0)
		AddNull(&row);
	else
		AddNumber(&row, column->distinctEstimate);
	AddNumber(&row, column->rawLength);
	AddNumber(&row, column->chunkLength);
	AddKey(&row, column->zone.min, showKeys);
	AddKey(&row, column->zone.max, showKeys);
	PutRow(inspection, &row);
}

/* The rows of a group, one for each column. */
static void
PutChunks(Inspection *inspection, RetlGroupReader *reader, const RetlGroupEntry *entry,
		  bool showValues)
{
	RetlGroupReaderOpen(reader, entry);
	for (uint32 i = 0; i < RetlGroupReaderColumnCount(reader); i++)
	{
		MemoryContext oldContext = MemoryContextSwitchTo(inspection->rowContext);
		RetlChunkInfo info;

		CHECK_FOR_INTERRUPTS();
		RetlGroupReaderGetChunkInfo(reader, i, &info);
		PutChunk(inspection, entry, &info.column, showValues);
		MemoryContextSwitchTo(oldContext);
		MemoryContextReset(inspection->rowContext);
	}
}

/*
 * One row for each column of each visible row group.
 */
Datum
retldb_column_chunks(PG_FUNCTION_ARGS)
{
	Inspection	inspection;
	RetlGroupReader *reader;
	bool		showValues;

	BeginInspection(&inspection, fcinfo);
	showValues = RetlTableShowsValues(inspection.rel);
	reader = RetlGroupReaderCreate(inspection.rel, NULL, NULL);
	for (int i = 0; inspection.directory != NULL && i < inspection.directory->groupCount; i++)
	{
		const RetlGroupEntry *entry = &inspection.directory->groups[i].entry;

		if (GroupIsVisible(&inspection, entry))
			PutChunks(&inspection, reader, entry, showValues);
	}
	RetlGroupReaderFree(reader);
	EndInspection(&inspection);
	return (Datum) 0;
}
