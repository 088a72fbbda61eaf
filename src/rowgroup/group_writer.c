/*-------------------------------------------------------------------------
 *
 * group_writer.c
 *	  Collects rows in memory and writes them as a row group.
 *
 * A row is added in two phases.  The first may fail: values are detoasted, the
 * row's size is checked, large values are compressed, and every column makes
 * room.  The second cannot fail and copies the values.  So a writer is never
 * left with half a row.  Rows that come in batches are added in the same two
 * phases column by column, which is kinder to caches; a batch with a value that
 * needs more than copying is added row by row.
 *
 * What goes to disk, in this order: overflow values, the chunks (chunk_packer.c), the
 * footer.  Then the zone maps, and last the directory's entry, which makes the
 * group COMPLETE.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "format/checksum.h"
#include "rowgroup/chunk_packer.h"
#include "rowgroup/column_buffer.h"
#include "rowgroup/group_sort.h"
#include "rowgroup/group_writer.h"
#include "rowgroup/overflow.h"
#include "rowgroup/row_batch.h"
#include "rowgroup/row_size.h"
#include "storage/group_bytes.h"
#include "storage/table_header.h"

/* Fewer rows are added one by one. */
#define MIN_BATCH_ROWS	2

/* Memory kept from write to write; larger pieces than it are had and freed. */
#define GROUP_MEMORY	(4 * 1024 * 1024)
#define COLUMN_MEMORY	(8 * 1024 * 1024)
/* A generation context takes no piece above this part of its largest block. */
#define BLOCK_PARTS		8

/* A variable-length value of the row being added. */
typedef struct RowValue
{
	const char *data;			/* without varlena header */
	Size		length;
	bool		overflowed;
	RetlOverflowValue overflow; /* if so */
} RowValue;

struct RetlGroupWriter
{
	/* fixed at creation */
	MemoryContext context;		/* everything but the following */
	MemoryContext rowContext;	/* of the row being added */
	MemoryContext overflowContext;	/* overflow frames */
	TupleDesc	tupdesc;
	RetlWriteOptions options;
	bool		rowSizeMatters;
	RetlColumnBuffer *columns;	/* [natts]; zero for dropped ones */
	RetlChoiceMemory *choices;	/* [natts], of the groups written so far */

	/* the row being added */
	Datum	   *datums;			/* [natts], detoasted */
	RowValue   *row;			/* [natts], variable-length columns only */
	RetlOverflowList pending;	/* its overflow frames */

	RetlRowBatch *batch;		/* the rows being added, if they are several */

	/* all rows added */
	uint32		rowCount;
	Size		rawBytes;
	Size		largestArena;	/* of any column */
	RetlOverflowList overflow;
};

/* Copy options into the current context. */
static RetlWriteOptions
CopyOptions(const RetlWriteOptions *options, int natts)
{
	RetlWriteOptions copy = *options;

	if (options->columns != NULL)
	{
		RetlColumnOptions *columns = palloc(Max(natts, 1) * sizeof(RetlColumnOptions));

		memcpy(columns, options->columns, natts * sizeof(RetlColumnOptions));
		copy.columns = columns;
	}
	if (options->sortKeyCount > 0)
	{
		RetlSortKey *keys = palloc(options->sortKeyCount * sizeof(RetlSortKey));

		memcpy(keys, options->sortKeys, options->sortKeyCount * sizeof(RetlSortKey));
		copy.sortKeys = keys;
	}
	return copy;
}

/*
 * The options for a column: the group's, but for what the column has of its
 * own.  A level belongs to the compression that is set together with it.
 */
static RetlWriteOptions
OptionsOfColumn(const RetlWriteOptions *options, int columnIndex)
{
	RetlWriteOptions result = *options;
	const RetlColumnOptions *column;

	if (options->columns == NULL)
		return result;
	column = &options->columns[columnIndex];
	if (column->compression != RETLDB_UNSET)
	{
		result.compression = column->compression;
		result.compressionLevel = 0;
	}
	if (column->compressionLevel != RETLDB_UNSET)
		result.compressionLevel = column->compressionLevel;
	if (column->encoding != RETLDB_UNSET)
	{
		result.forcedEncoding = column->encoding;
		result.onlyForced = false;
	}
	if (column->bloom != RETLDB_UNSET)
		result.bloom = column->bloom;
	return result;
}

/* See group_writer.h. */
RetlGroupWriter *
RetlGroupWriterCreate(TupleDesc tupdesc, const RetlWriteOptions *options, MemoryContext parent)
{
	MemoryContext context = AllocSetContextCreate(parent, "retldb row group writer",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext oldContext = MemoryContextSwitchTo(context);
	RetlGroupWriter *writer = palloc0(sizeof(RetlGroupWriter));

	Assert(options->groupRows > 0 && options->groupRows <= RETLDB_MAX_GROUP_ROWS);
	Assert(options->vectorRows >= RETLDB_MIN_VECTOR_ROWS &&
		   options->vectorRows <= RETLDB_MAX_VECTOR_ROWS &&
		   (options->vectorRows & (options->vectorRows - 1)) == 0);

	writer->context = context;
	writer->rowContext = AllocSetContextCreate(context, "retldb row",
											   ALLOCSET_DEFAULT_SIZES);
	writer->overflowContext = AllocSetContextCreate(context, "retldb overflow values",
													ALLOCSET_DEFAULT_SIZES);
	writer->tupdesc = CreateTupleDescCopy(tupdesc);
	writer->options = CopyOptions(options, tupdesc->natts);
	writer->rowSizeMatters = RetlRowSizeMatters(tupdesc);
	writer->columns = palloc0(Max(tupdesc->natts, 1) * sizeof(RetlColumnBuffer));
	writer->choices = palloc0(Max(tupdesc->natts, 1) * sizeof(RetlChoiceMemory));
	writer->datums = palloc0(Max(tupdesc->natts, 1) * sizeof(Datum));
	writer->row = palloc0(Max(tupdesc->natts, 1) * sizeof(RowValue));
	writer->batch = RetlRowBatchCreate(tupdesc->natts);
	for (int i = 0; i < tupdesc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(writer->tupdesc, i);
		RetlColumnType type;

		if (att->attisdropped)
			continue;
		RetlColumnTypeInit(&type, att);
		RetlColumnBufferInit(&writer->columns[i], &type, context);
	}
	MemoryContextSwitchTo(oldContext);
	return writer;
}

/* Compress a large value; it is in the pending list then. */
static void
PackValue(RetlGroupWriter *writer, RetlColumnBuffer *column, RowValue *value)
{
	RetlOverflowValue *overflow = &value->overflow;
	uint64		before = writer->pending.length;
	RetlWriteOptions options = OptionsOfColumn(&writer->options, (int) (column - writer->columns));

	memset(overflow, 0, sizeof(*overflow));
	if (column->type.keyKind != RETL_KEY_NONE)
		overflow->keyExact = RetlZoneKeyFromBytes(column->type.keyKind, column->type.physType,
												  column->type.width, value->data,
												  value->length, overflow->key);
	RetlOverflowPack(&writer->pending, value->data, (uint32) value->length,
					 options.compression, options.compressionLevel, writer->overflowContext);
	overflow->ref.rawLength = (uint32) value->length;
	overflow->ref.storedLength = writer->pending.length - before;
	overflow->ref.offset = writer->overflow.length + before;
}

/* Find the bytes of a variable-length value, detoasted. */
static void
PrepareVariable(RetlGroupWriter *writer, int columnIndex, Datum datum)
{
	RetlColumnBuffer *column = &writer->columns[columnIndex];
	RowValue   *value = &writer->row[columnIndex];

	if (column->type.typeLength == -1)
	{
		struct varlena *flat = (struct varlena *) DatumGetPointer(datum);

		if (VARATT_IS_COMPRESSED(flat) || VARATT_IS_EXTERNAL(flat))
			flat = PG_DETOAST_DATUM_PACKED(datum);
		writer->datums[columnIndex] = PointerGetDatum(flat);
		value->data = VARDATA_ANY(flat);
		value->length = VARSIZE_ANY_EXHDR(flat);
	}
	else
	{
		value->data = DatumGetCString(datum);
		value->length = strlen(value->data);
	}
	value->overflowed = value->length > RETLDB_OVERFLOW_THRESHOLD;
	if (value->overflowed)
		PackValue(writer, column, value);
}

/* Detoast the row's values, and make room for it in every column. */
static void
PrepareRow(RetlGroupWriter *writer, const Datum *values, const bool *nulls)
{
	Size		large = 0;

	for (int i = 0; i < writer->tupdesc->natts; i++)
	{
		RetlColumnBuffer *column = &writer->columns[i];

		if (column->context == NULL)
			continue;			/* dropped */
		if (nulls[i])
			RetlColumnBufferReserveNull(column, writer->rowCount);
		else
		{
			writer->datums[i] = values[i];
			if (column->type.typeLength < 0)
				PrepareVariable(writer, i, values[i]);
			if (writer->row[i].overflowed)
				large += writer->row[i].length;
			RetlColumnBufferReserve(column, writer->row[i].length, writer->row[i].overflowed);
		}
	}
	if (large > RETL_ROW_SIZE_LARGE)
		RetlRowSizeCheckWhole(writer->tupdesc, writer->datums, nulls);
}

/* Copy a variable-length value into its column. */
static inline void
StoreVariable(RetlGroupWriter *writer, RetlColumnBuffer *column, const RowValue *value)
{
	if (value->overflowed)
	{
		RetlColumnBufferAddOverflow(column, &value->overflow);
		writer->rawBytes += (Size) value->overflow.ref.storedLength;
	}
	else
	{
		RetlColumnBufferAddBytes(column, value->data, value->length);
		writer->rawBytes += value->length;
		writer->largestArena = Max(writer->largestArena, column->bytesLength);
	}
}

/* Copy the row into the columns.  Cannot fail. */
static void
StoreRow(RetlGroupWriter *writer, const bool *nulls)
{
	for (int i = 0; i < writer->tupdesc->natts; i++)
	{
		RetlColumnBuffer *column = &writer->columns[i];

		if (column->context == NULL)
			continue;			/* dropped */
		if (nulls[i])
			RetlColumnBufferAddNull(column, writer->rowCount);
		else if (column->type.typeLength < 0)
			StoreVariable(writer, column, &writer->row[i]);
		else
		{
			/* a by-value Datum holds its value in the low bytes */
			RetlColumnBufferAddFixed(column, column->type.byValue ?
									 (const void *) &writer->datums[i] :
									 DatumGetPointer(writer->datums[i]));
			writer->rawBytes += column->type.width;
		}
	}
	RetlOverflowMove(&writer->overflow, &writer->pending);
	writer->rowCount++;
}

/* See group_writer.h. */
void
RetlGroupWriterAppend(RetlGroupWriter *writer, const Datum *values, const bool *nulls)
{
	MemoryContext oldContext;

	Assert(writer->rowCount < RETLDB_MAX_GROUP_ROWS);

	/* what a row that failed has left behind */
	RetlOverflowDiscard(&writer->pending);

	MemoryContextReset(writer->rowContext);
	oldContext = MemoryContextSwitchTo(writer->rowContext);
	PrepareRow(writer, values, nulls);
	if (writer->rowSizeMatters)
		RetlRowSizeCheck(writer->tupdesc, writer->datums, nulls);
	MemoryContextSwitchTo(oldContext);

	StoreRow(writer, nulls);
}

/* See group_writer.h.  Rows of a batch are about as large as those before. */
uint32
RetlGroupWriterRoom(const RetlGroupWriter *writer, uint32 count)
{
	/* the group may exceed its size by the rows of one batch */
	return Min(Min(count, RETLDB_BATCH_ROWS), writer->options.groupRows - writer->rowCount);
}

/* See group_writer.h. */
void
RetlGroupWriterAppendMany(RetlGroupWriter *writer, TupleTableSlot **slots, uint32 count,
						  bool padded)
{
	Assert(writer->rowCount + count <= writer->options.groupRows);

	for (uint32 i = 0; i < count; i++)
		slot_getallattrs(slots[i]);
	if (count < MIN_BATCH_ROWS ||
		!RetlRowBatchStage(writer->batch, writer->columns, slots, count, writer->rowCount,
							padded))
	{
		for (uint32 i = 0; i < count; i++)
			RetlGroupWriterAppend(writer, slots[i]->tts_values, slots[i]->tts_isnull);
		return;
	}
	for (uint32 i = 0; writer->rowSizeMatters && i < count; i++)
		RetlRowSizeCheck(writer->tupdesc, slots[i]->tts_values, slots[i]->tts_isnull);

	/* from here on nothing can fail */
	writer->rawBytes += RetlRowBatchCommit(writer->batch, writer->columns);
	writer->rowCount += count;
	for (int i = 0; i < writer->tupdesc->natts; i++)
		writer->largestArena = Max(writer->largestArena, writer->columns[i].bytesLength);
}

/* See group_writer.h. */
void
RetlGroupWriterReset(RetlGroupWriter *writer)
{
	for (int i = 0; i < writer->tupdesc->natts; i++)
		RetlColumnBufferReset(&writer->columns[i]);
	memset(&writer->overflow, 0, sizeof(writer->overflow));
	memset(&writer->pending, 0, sizeof(writer->pending));
	MemoryContextReset(writer->overflowContext);
	MemoryContextReset(writer->rowContext);
	writer->rowCount = 0;
	writer->rawBytes = 0;
	writer->largestArena = 0;
}

/* See group_writer.h. */
uint32
RetlGroupWriterRowCount(const RetlGroupWriter *writer)
{
	return writer->rowCount;
}

Size
RetlGroupWriterMemory(const RetlGroupWriter *writer)
{
	return MemoryContextMemAllocated(writer->context, true);
}

/* See group_writer.h. */
bool
RetlGroupWriterIsFull(const RetlGroupWriter *writer)
{
	return writer->rowCount >= writer->options.groupRows ||
		writer->rawBytes >= writer->options.groupBytes ||
		writer->largestArena >= RETLDB_COLUMN_BYTES_MAX;
}

/* See group_writer.h. */
void
RetlGroupWriterSetCompacted(RetlGroupWriter *writer, bool compacted)
{
	writer->options.compacted = compacted;
}

/*
 * Bring the overflow values into the order in which the columns refer to them:
 * so they are read, and verified.
 */
static void
SortOverflow(RetlGroupWriter *writer)
{
	uint32		count = 0;
	RetlOverflowRef **refs;

	for (int i = 0; i < writer->tupdesc->natts; i++)
		count += writer->columns[i].overflowCount;
	refs = palloc_extended(Max(count, 1) * sizeof(RetlOverflowRef *), MCXT_ALLOC_HUGE);
	count = 0;
	for (int i = 0; i < writer->tupdesc->natts; i++)
		for (uint32 j = 0; j < writer->columns[i].overflowCount; j++)
			refs[count++] = &writer->columns[i].overflow[j].ref;
	RetlOverflowReorder(&writer->overflow, refs, count);
	pfree(refs);
}

/* See group_writer.h. */
void
RetlGroupWriterSort(RetlGroupWriter *writer, uint32 **order)
{
	uint32	   *moved = RetlGroupSort(writer->columns, writer->tupdesc, writer->rowCount,
									  writer->options.sortKeys, writer->options.sortKeyCount);

	if (moved != NULL)
		SortOverflow(writer);
	if (order != NULL)
		*order = moved;
	else if (moved != NULL)
		pfree(moved);
}

/*
 * Encode one column and have it written; its zone entry is filled in, its footer entry by
 * the time of RetlChunkPackerEnd.
 */
static void
WriteColumn(RetlGroupWriter *writer, RetlChunkPacker *packer, const RetlGroupEntry *entry,
			int columnIndex, RetlFooterColumn *column, RetlZoneEntry *zoneEntry)
{
	Form_pg_attribute att = TupleDescAttr(writer->tupdesc, columnIndex);
	RetlWriteOptions options = OptionsOfColumn(&writer->options, columnIndex);
	RetlEncodedChunk chunk;

	RetlChunkEncode(&writer->columns[columnIndex], writer->rowCount, entry->groupId,
					(uint32) att->attnum, &options, &writer->choices[columnIndex], &chunk);
	*column = chunk.column;
	column->columnId = (uint32) att->attnum;
	column->typeOid = att->atttypid;
	column->typmod = att->atttypmod;
	RetlChunkPackerAdd(packer, &chunk, column);

	zoneEntry->groupIdLow = (uint32) entry->groupId;
	zoneEntry->rowCount = writer->rowCount;
	zoneEntry->zone = column->zone;
}

/* Write the columns; returns how many there are. */
static uint32
WriteColumns(RetlGroupWriter *writer, RetlChunkPacker *packer, const RetlGroupEntry *entry,
			 RetlFooterColumn *columns, RetlZoneEntry *zoneEntries, MemoryContext columnContext)
{
	uint32		columnCount = 0;

	for (int i = 0; i < writer->tupdesc->natts; i++)
	{
		MemoryContext oldContext;

		CHECK_FOR_INTERRUPTS();
		if (TupleDescAttr(writer->tupdesc, i)->attisdropped)
		{
			zoneEntries[i].groupIdLow = (uint32) entry->groupId;
			continue;
		}
		oldContext = MemoryContextSwitchTo(columnContext);
		WriteColumn(writer, packer, entry, i, &columns[columnCount++], &zoneEntries[i]);
		MemoryContextSwitchTo(oldContext);
		MemoryContextReset(columnContext);
	}
	return columnCount;
}

/* How many bytes the footer is going to have. */
static uint64
FooterLength(const RetlGroupWriter *writer)
{
	uint64		length = sizeof(RetlFooterHeader);

	for (int i = 0; i < writer->tupdesc->natts; i++)
	{
		if (!TupleDescAttr(writer->tupdesc, i)->attisdropped)
			length += sizeof(RetlFooterColumn);
	}
	return length;
}

/* Write the footer. */
static void
WriteFooter(const RetlGroupWriter *writer, RetlBytesWriter *bytes, RetlGroupEntry *entry,
			uint64 overflowOffset, const RetlFooterColumn *columns, uint32 columnCount)
{
	RetlFooterHeader header;

	memset(&header, 0, sizeof(header));
	header.magic = RETLDB_FOOTER_MAGIC;
	header.version = RETLDB_FORMAT_VERSION;
	header.flags = writer->options.compacted ? RETL_FOOTER_COMPACTED : 0;
	header.groupId = entry->groupId;
	header.rowBase = entry->rowBase;
	header.rowCount = writer->rowCount;
	header.vectorRows = writer->options.vectorRows;
	header.columnCount = columnCount;
	header.writerXid = entry->writerXid;
	header.schemaFingerprint = RetlSchemaFingerprint(writer->tupdesc);
	header.overflowOffset = overflowOffset;
	header.overflowLength = writer->overflow.length;
	header.checksum = RetlCrc32cWithout(0, &header, sizeof(header),
										offsetof(RetlFooterHeader, checksum));

	entry->rowCount = writer->rowCount;
	entry->vectorRows = writer->options.vectorRows;
	entry->footerOffset = RetlBytesWriterAppend(bytes, &header, sizeof(header));
	if (columnCount > 0)
		RetlBytesWriterAppend(bytes, columns, columnCount * sizeof(RetlFooterColumn));
	entry->dataLength = RetlBytesWriterPosition(bytes);
	entry->footerLength = (uint32) (entry->dataLength - entry->footerOffset);
}

/*
 * See group_writer.h.  A generation context keeps its first block when it is
 * reset, and hands out pieces of it one after the other.
 */
void
RetlWriteMemoryInit(RetlWriteMemory *memory, MemoryContext parent)
{
	memory->group = GenerationContextCreate(parent, "retldb group write", 0,
											GROUP_MEMORY, GROUP_MEMORY * BLOCK_PARTS);
	memory->column = GenerationContextCreate(parent, "retldb column encoding", 0,
											 COLUMN_MEMORY, COLUMN_MEMORY * BLOCK_PARTS);
	memory->packer = RetlChunkPackerCreate(parent);
}

/* See group_writer.h. */
void
RetlGroupWriterWrite(RetlGroupWriter *writer, Relation rel, RetlGroup *group,
					 RetlWriteMemory *memory)
{
	MemoryContext oldContext = MemoryContextSwitchTo(memory->group);
	int			natts = writer->tupdesc->natts;
	RetlFooterColumn *columns = palloc0(Max(natts, 1) * sizeof(RetlFooterColumn));
	RetlZoneEntry *zoneEntries = palloc0(Max(natts, 1) * sizeof(RetlZoneEntry));
	RetlBytesWriter *bytes;
	uint64		overflowOffset;
	uint32		columnCount;

	/* an error may have left something there */
	MemoryContextReset(memory->column);

	Assert(writer->rowCount > 0 && writer->rowCount <= group->entry.rowCapacity);

	bytes = RetlBytesWriterBegin(rel, group);
	overflowOffset = RetlOverflowWrite(&writer->overflow, bytes);
	RetlChunkPackerBegin(memory->packer, bytes, natts, FooterLength(writer));
	columnCount = WriteColumns(writer, memory->packer, &group->entry, columns, zoneEntries,
							   memory->column);
	RetlChunkPackerEnd(memory->packer);
	WriteFooter(writer, bytes, &group->entry, overflowOffset, columns, columnCount);
	RetlBytesWriterEnd(bytes);
	RetlZoneMapWrite(rel, group, zoneEntries, natts);
	RetlDirectoryComplete(rel, group);

	MemoryContextSwitchTo(oldContext);
	MemoryContextReset(memory->group);
}

/* See group_writer.h. */
void
RetlGroupWriterFree(RetlGroupWriter *writer)
{
	MemoryContextDelete(writer->context);
}
