/*-------------------------------------------------------------------------
 *
 * group_verify.c
 *	  Checks all there is of a row group: footer, chunks, statistics.
 *
 * Reading checks what it needs to be safe, and what checksums tell.  Here
 * everything else is checked: that the parts lie side by side,
 * that every piece decodes, and that statistics are those of the values.
 *
 * Faults are answered as texts.  Only page reads raise errors.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "base/compat.h"
#include "format/checksum.h"
#include "format/bloom.h"
#include "rowgroup/footer_format.h"
#include "rowgroup/group_reader_state.h"
#include "rowgroup/read_context.h"
#include "rowgroup/value_hash.h"
#include "rowgroup/zone_builder.h"

/* Bytes read at once for the checksum of a chunk. */
#define VERIFY_BUFFER	65536

/* What goes through the check of a column. */
typedef struct ColumnCheck
{
	RetlChunkReader chunk;
	RetlKeyKind keyKind;		/* of its statistics */
	MemoryContext pieceContext; /* reset for each piece */
	uint8	   *fixed;			/* buffers for a piece */
	uint32	   *starts;
	uint32	   *lengths;
	RetlZone	zone;			/* of the vectors so far */
	uint64		rawLength;		/* of the values so far */
	uint64		overflowEnd;	/* no overflow value may begin before */
	uint8	   *bloom;			/* all its partitions, or NULL */
} ColumnCheck;

/* Is the checksum over the whole chunk right? */
static const char *
CheckChunkChecksum(RetlGroupReader *reader, const RetlFooterColumn *column)
{
	uint8	   *buffer = palloc(VERIFY_BUFFER);
	uint32		checksum = 0;

	for (uint64 done = 0; done < column->chunkLength;)
	{
		Size		length = Min(column->chunkLength - done, VERIFY_BUFFER);

		CHECK_FOR_INTERRUPTS();
		RetlBytesReaderRead(&reader->bytes, column->chunkOffset + done, length, buffer);
		checksum = RetlCrc32c(checksum, buffer, length);
		done += length;
	}
	pfree(buffer);
	return checksum == column->chunkChecksum ? NULL : "chunk has a wrong checksum";
}

/* Check an overflow value, and take it into the statistics. */
static const char *
CheckOverflowValue(ColumnCheck *check, const RetlOverflowRef *ref, RetlZoneBuilder *builder)
{
	const char *problem;
	uint8	   *value;

	if (ref->rawLength > MaxAllocSize - VARHDRSZ)
		return "overflow value is too long";
	if (ref->rawLength <= RETLDB_OVERFLOW_THRESHOLD)
		return "overflow value is too short";
	if (ref->offset < check->overflowEnd)
		return "overflow values are not in order";
	check->overflowEnd = ref->offset + ref->storedLength;

	value = palloc(ref->rawLength);
	problem = RetlOverflowRead(&check->chunk.overflow, ref, value);
	if (problem == NULL)
		RetlZoneBuilderAddValue(builder, value, ref->rawLength);
	pfree(value);
	check->rawLength += ref->rawLength;
	return problem;
}

/* Check the decoded values of a variable-length column. */
static const char *
CheckVariable(ColumnCheck *check, const RetlPieceView *piece, const RetlDecoded *decoded,
			  RetlZoneBuilder *builder)
{
	uint32		overflow = 0;

	for (uint32 i = 0; i < piece->valueCount; i++)
	{
		uint32		length = decoded->lengths[i];

		if (overflow < piece->overflowCount)
		{
			RetlOverflowRef ref = RetlPieceOverflow(piece, overflow);

			if (ref.valueIndex == i)
			{
				const char *problem = CheckOverflowValue(check, &ref, builder);

				if (problem == NULL && length != 0)
					problem = "overflow reference has another value in its place";
				if (problem != NULL)
					return problem;
				overflow++;
				continue;
			}
		}
		if (length > RETLDB_OVERFLOW_THRESHOLD)
			return "value is too long";
		check->rawLength += length;
		RetlZoneBuilderAddValue(builder, decoded->bytes + decoded->starts[i], length);
	}
	return NULL;
}

/* Read the whole Bloom filter of a chunk, if it has one. */
static const char *
LoadBloom(ColumnCheck *check)
{
	const RetlBloomHeader *bloom = &check->chunk.view.bloom;
	const char *problem = NULL;

	if (check->chunk.view.bloomUnits == 0)
		return NULL;
	if (check->keyKind == RETL_KEY_NONE)
		return "Bloom filter of a type that has none";
	check->bloom = palloc(RetlBloomSize(bloom));
	for (uint32 i = 0; i < bloom->partitionCount && problem == NULL; i++)
		problem = RetlChunkReadBloom(&check->chunk, i,
									 check->bloom + (Size) i * RetlBloomPartitionSize(bloom));
	return problem;
}

/* Are all values of a piece in the Bloom filter? */
static const char *
CheckBloom(ColumnCheck *check, const RetlPieceView *piece, const RetlDecoded *decoded)
{
	const RetlFooterColumn *column = &check->chunk.column;
	const RetlBloomHeader *bloom = &check->chunk.view.bloom;

	if (check->bloom == NULL)
		return NULL;
	if (piece->overflowCount > 0)
		return "Bloom filter does not have the overflow values";
	for (uint32 i = 0; i < piece->valueCount; i++)
	{
		bool		isBytes = column->physType == RETL_PHYS_BYTES;
		uint64		hash = RetlHashStored(check->keyKind, (RetlPhysType) column->physType,
										  column->width,
										  isBytes ? decoded->bytes + decoded->starts[i] :
										  decoded->fixed + (Size) i * column->width,
										  isBytes ? decoded->lengths[i] : column->width);

		if (!RetlBloomMayContain(bloom, check->bloom + (Size) RetlBloomPartition(bloom, hash) *
								 RetlBloomPartitionSize(bloom), hash))
			return "Bloom filter does not have a value";
	}
	return NULL;
}

/* Check a piece, and take it into the statistics of its vector. */
static const char *
CheckPiece(ColumnCheck *check, uint32 pieceIndex, RetlZoneBuilder *builder, uint32 *nullCount)
{
	RetlArena	arena = RetlMemoryContextArena(check->pieceContext);
	RetlPieceView piece;
	RetlDecoded decoded;
	const char *problem;

	problem = RetlChunkGetPiece(&check->chunk, pieceIndex, &piece);
	if (problem != NULL)
		return problem;
	memset(&decoded, 0, sizeof(decoded));
	decoded.fixed = check->fixed;
	decoded.starts = check->starts;
	decoded.lengths = check->lengths;
	problem = RetlChunkDecodePiece(&check->chunk, &piece, &decoded, &arena);
	if (problem != NULL)
		return problem;

	problem = CheckBloom(check, &piece, &decoded);
	if (problem != NULL)
		return problem;
	*nullCount += piece.rowCount - piece.valueCount;
	if (check->chunk.column.physType == RETL_PHYS_BYTES)
		problem = CheckVariable(check, &piece, &decoded, builder);
	else
	{
		RetlValues	values;

		memset(&values, 0, sizeof(values));
		values.type = check->chunk.column.physType;
		values.width = check->chunk.column.width;
		values.count = piece.valueCount;
		values.fixed = check->fixed;
		RetlZoneBuilderAddValues(builder, &values);
		check->rawLength += (uint64) piece.valueCount * values.width;
	}
	MemoryContextReset(check->pieceContext);
	return problem;
}

/* Check a vector and its statistics. */
static const char *
CheckVector(ColumnCheck *check, uint32 index)
{
	const RetlChunkView *view = &check->chunk.view;
	uint32		pieces = view->vectorRows / view->pieceRows;
	uint32		end = Min((index + 1) * pieces, view->pieceCount);
	uint32		nullCount = 0;
	RetlZoneBuilder builder;
	RetlZone	zone;

	RetlZoneBuilderInit(&builder, check->keyKind, check->chunk.column.physType,
						check->chunk.column.width);
	for (uint32 i = index * pieces; i < end; i++)
	{
		const char *problem;

		CHECK_FOR_INTERRUPTS();
		problem = CheckPiece(check, i, &builder, &nullCount);
		if (problem != NULL)
			return problem;
	}
	RetlZoneBuilderFinish(&builder, nullCount, &zone);
	RetlZoneMerge(&check->zone, &zone);
	if (view->zones != NULL && memcmp(&zone, &view->zones[index], sizeof(zone)) != 0)
		return "statistics of a vector are not those of its values";
	return NULL;
}

/* Check all vectors of a column, then what is said of the whole chunk. */
static const char *
CheckVectors(ColumnCheck *check)
{
	const RetlFooterColumn *column = &check->chunk.column;
	const char *problem;

	RetlZoneInit(&check->zone, check->keyKind);
	problem = RetlChunkOpenDictionary(&check->chunk);
	for (uint32 i = 0; i < check->chunk.view.vectorCount && problem == NULL; i++)
		problem = CheckVector(check, i);
	if (problem != NULL)
		return problem;
	if (memcmp(&check->zone, &column->zone, sizeof(RetlZone)) != 0)
		return "statistics of the chunk are not those of its values";
	if (check->rawLength != column->rawLength)
		return "chunk has a wrong raw length";
	if (column->distinctEstimate > check->chunk.view.rowCount - column->zone.nullCount)
		return "chunk has too many distinct values";
	return NULL;
}

/* Is what the footer says of the type what the table says? */
static const char *
CheckType(RetlGroupReader *reader, const RetlFooterColumn *column)
{
	RetlColumnType type;
	Form_pg_attribute att;

	if (column->columnId > (uint32) RelationGetNumberOfAttributes(reader->rel))
		return "column does not exist";
	att = TupleDescAttr(RelationGetDescr(reader->rel), column->columnId - 1);
	if (att->attisdropped || RetlIsVirtual(att))
		return NULL;
	RetlColumnTypeInit(&type, att);
	if (column->physType != type.physType || column->width != type.width)
		return "stored type does not match the column's type";
	return NULL;
}

/* All checks of a column; memory is the current context's. */
static const char *
CheckColumn(RetlGroupReader *reader, AttrNumber attnum)
{
	RetlFooterColumn column;
	ColumnCheck check;
	uint32		pieceRows;
	bool		unsupported;
	const char *problem = NULL;

	if (!RetlGroupReaderFindColumn(reader, (uint32) attnum, &column, &problem, &unsupported))
		return problem;			/* or it was added later */
	problem = CheckType(reader, &column);
	if (problem == NULL)
		problem = CheckChunkChecksum(reader, &column);
	if (problem != NULL)
		return problem;

	memset(&check, 0, sizeof(check));
	problem = RetlChunkOpen(&check.chunk, &reader->bytes, &reader->footer, &column, "",
							reader->stats, CurrentMemoryContext);
	if (problem != NULL)
		return problem;
	check.keyKind = (RetlKeyKind) column.zone.keyKind;
	check.pieceContext = AllocSetContextCreate(CurrentMemoryContext, "retldb piece",
											   ALLOCSET_DEFAULT_SIZES);
	pieceRows = Min(check.chunk.view.pieceRows, check.chunk.view.rowCount);
	check.fixed = palloc((Size) pieceRows * Max(column.width, 1));
	check.starts = palloc(pieceRows * sizeof(uint32));
	check.lengths = palloc(pieceRows * sizeof(uint32));
	problem = LoadBloom(&check);
	return problem != NULL ? problem : CheckVectors(&check);
}

/* Name of a column in contexts; there may be none for this id. */
static const char *
NameOfColumn(RetlGroupReader *reader, AttrNumber attnum)
{
	if (attnum < 1 || attnum > RelationGetNumberOfAttributes(reader->rel))
		return "?";
	return NameStr(TupleDescAttr(RelationGetDescr(reader->rel), attnum - 1)->attname);
}

/* See group_reader.h. */
char *
RetlGroupReaderVerifyColumn(RetlGroupReader *reader, AttrNumber attnum)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "retldb verification",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext oldContext = MemoryContextSwitchTo(context);
	RetlReadContext readContext;
	const char *problem;
	char	   *result;

	Assert(reader->open);

	RetlReadContextPush(&readContext, reader->rel, reader->entry.groupId,
						NameOfColumn(reader, attnum));
	problem = CheckColumn(reader, attnum);
	RetlReadContextPop(&readContext);
	MemoryContextSwitchTo(oldContext);
	result = problem != NULL ? pstrdup(problem) : NULL;
	MemoryContextDelete(context);
	return result;
}

/* Does the directory's zone entry say what the footer says?  column is NULL if it has none. */
static const char *
CheckZoneEntry(RetlGroupReader *reader, const RetlDirectory *directory, const RetlGroup *group,
			   uint32 columnId, const RetlFooterColumn *column)
{
	RetlZoneEntry entries[RETLDB_DIRECTORY_SLOTS];
	const RetlZoneEntry *entry;

	if (group->slot.slot >= RETLDB_DIRECTORY_SLOTS ||
		!RetlZoneMapRead(reader->rel, directory, group->slot.pageIndex, columnId, entries))
		return NULL;
	entry = &entries[group->slot.slot];
	if (column == NULL)
	{
		if (entry->groupIdLow == (uint32) group->entry.groupId && entry->rowCount != 0)
			return "zone map has an entry for a column that the row group has not";
		return NULL;
	}
	if (entry->groupIdLow != (uint32) group->entry.groupId)
		return "zone map has no entry of this row group";
	if (entry->rowCount != reader->footer.rowCount ||
		memcmp(&entry->zone, &column->zone, sizeof(RetlZone)) != 0)
		return "zone map is not what the footer says";
	return NULL;
}

/* Check the entries for columns with ids from "from" to before "to", which the footer has not. */
static char *
CheckAbsent(RetlGroupReader *reader, const RetlDirectory *directory, const RetlGroup *group,
			uint32 from, uint32 to)
{
	if (directory == NULL)
		return NULL;
	for (uint32 id = from; id < to; id++)
	{
		const char *problem = CheckZoneEntry(reader, directory, group, id, NULL);

		if (problem != NULL)
			return psprintf("column %u: %s", id, problem);
	}
	return NULL;
}

/*
 * Does a part of the group begin where the one before ends, or else on the next
 * page?
 */
static bool
IsNextPart(uint64 offset, uint64 position)
{
	return offset == position ||
		(offset > position && offset - position < RETLDB_PAYLOAD_SIZE &&
		 offset % RETLDB_PAYLOAD_SIZE == 0);
}

/* A chunk's place in the byte string. */
typedef struct ChunkPlace
{
	uint64		offset;
	uint64		length;
	uint32		entry;			/* of the footer */
} ChunkPlace;

static int
ComparePlaces(const void *one, const void *other)
{
	uint64		left = ((const ChunkPlace *) one)->offset;
	uint64		right = ((const ChunkPlace *) other)->offset;

	return left < right ? -1 : left > right;
}

/*
 * Chunks may be in any order: do they, and the footer, take up the byte string, with
 * nothing lost but at the ends of pages?
 */
static char *
CheckPlaces(const RetlGroupReader *reader, ChunkPlace *places)
{
	uint32		count = reader->footer.columnCount;
	uint64		position = reader->footer.overflowLength;

	qsort(places, count, sizeof(ChunkPlace), ComparePlaces);
	for (uint32 i = 0; i < count; i++)
	{
		if (!IsNextPart(places[i].offset, position))
			return psprintf("entry %u of the footer: chunk does not begin where the one before ends",
							places[i].entry);
		position = places[i].offset + places[i].length;
	}
	if (!IsNextPart(reader->entry.footerOffset, position))
		return pstrdup("footer does not begin where the last chunk ends");
	return NULL;
}

/* Check the footer's entries one after the other, and then where their chunks are. */
static char *
CheckFooter(RetlGroupReader *reader, const RetlDirectory *directory, const RetlGroup *group)
{
	uint32		previousId = 0;
	ChunkPlace *places = palloc(Max(reader->footer.columnCount, 1) * sizeof(ChunkPlace));
	char	   *misplaced;

	if (reader->footer.overflowOffset != 0)
		return pstrdup("overflow area does not begin the row group");

	for (uint32 i = 0; i < reader->footer.columnCount; i++)
	{
		RetlFooterColumn column = *RetlGroupReaderRawColumn(reader, i);
		const char *problem;
		char	   *absent;
		bool		unsupported;

		CHECK_FOR_INTERRUPTS();
		problem = RetlFooterColumnProblem(&column, &reader->footer,
										  reader->entry.footerOffset, &unsupported);
		if (problem == NULL && column.columnId <= previousId)
			problem = "column entries of the footer are not in order";
		if (problem == NULL)
			problem = CheckType(reader, &column);
		if (problem == NULL && directory != NULL)
			problem = CheckZoneEntry(reader, directory, group, column.columnId, &column);
		if (problem != NULL)
			return psprintf("entry %u of the footer: %s", i, problem);
		absent = CheckAbsent(reader, directory, group, previousId + 1, column.columnId);
		if (absent != NULL)
			return absent;
		places[i] = (ChunkPlace) {column.chunkOffset, column.chunkLength, i};
		previousId = column.columnId;
	}
	misplaced = CheckPlaces(reader, places);
	if (misplaced != NULL)
		return misplaced;
	return CheckAbsent(reader, directory, group, previousId + 1,
					   (uint32) RelationGetNumberOfAttributes(reader->rel) + 1);
}

/* See group_reader.h. */
char *
RetlGroupReaderVerifyFooter(RetlGroupReader *reader, const RetlDirectory *directory,
							const RetlGroup *group)
{
	RetlReadContext readContext;
	char	   *result;

	Assert(reader->open);
	Assert(group->entry.groupId == reader->entry.groupId);

	RetlReadContextPush(&readContext, reader->rel, reader->entry.groupId, NULL);
	result = CheckFooter(reader, directory, group);
	RetlReadContextPop(&readContext);
	return result;
}
