/*-------------------------------------------------------------------------
 *
 * chunk_writer.c
 *	  Encodes a column buffer as a chunk.
 *
 * The steps: choose an encoding for all values; encode them piece by piece,
 * with smaller pieces again if one comes out too large; put as many pieces
 * together to a unit as fit; compress each unit; compute statistics.
 *
 * Besides the chunk's encoding, a piece may have two others: CONSTANT if all
 * its values are the same, and PLAIN if the chunk's encoding makes it larger
 * than that.  An encoding forced for tests is not replaced that way.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/hyperloglog.h"
#include "miscadmin.h"
#include "port/pg_bitutils.h"
#include "utils/memutils.h"

#include "compress/compress.h"
#include "encoding/distinct.h"
#include "format/bloom.h"
#include "format/checksum.h"
#include "rowgroup/bloom_builder.h"
#include "rowgroup/chunk_format.h"
#include "rowgroup/chunk_reader.h"
#include "rowgroup/chunk_writer.h"
#include "rowgroup/zone_builder.h"

/*
 * A unit is stored compressed if that saves one part in so many at least: what is
 * not compressed is read, and filtered, at the speed of memory.  zstd is asked
 * for when size matters more.
 */
#define WORTHWHILE_PART			10
#define WORTHWHILE_PART_ZSTD	20

/* After so many units of a chunk in a row that did not shrink ... */
#define FAILURES_MAX			3
/* ... only one in so many is tried. */
#define PROBE_INTERVAL			8

/*
 * Pieces are put together to a unit up to so many bytes before compression.  A
 * single row costs half of a unit for each column, so where decompression is
 * meant to be fast, units are small: of 16 kB instead of 64 they make files of real
 * data 0.5 to 1.4 % larger.  zstd is asked for when size matters more.
 */
#define UNIT_TARGET				16384

/* Registers of the distinct estimate: 2^10, about 3 % error. */
#define DISTINCT_BITS		10

typedef struct ChunkWriter
{
	/* what is encoded; never changes */
	const RetlColumnBuffer *buffer;
	const RetlWriteOptions *options;
	RetlValues	values;
	uint32		rowCount;
	bool		mayMix;			/* pieces may have other encodings */

	/* how; set by ChooseEncoding */
	const RetlEncoding *encoding;
	RetlEncodingState *state;
	RetlBytes	dictionary;
	RetlArena	arena;			/* for the chunk */

	/* keys of a dictionary's entries, unless numbers; set by BuildZones */
	RetlKeyNumbers *entryKeys;
	uint32		entryCount;		/* of them */
	const uint32 *codes;

	/* for one piece */
	MemoryContext pieceContext;
	RetlArena	pieceArena;

	/* all pieces, uncompressed; set by EncodePieces */
	uint32		pieceRows;
	uint32		pieceCount;
	uint8	   *raw;
	Size		rawLength;
	Size		rawCapacity;
	Size	   *pieceEnds;		/* [pieceCount] */
	uint32		pieceEndsCapacity;

	/* all units, compressed; set by BuildUnits */
	uint32		unitRows;
	uint32		unitCount;		/* with the dictionary */
	RetlUnit   *units;
	uint8	   *stored;
	Size		storedLength;
	Size		storedCapacity;
	uint32		failures;		/* units in a row that did not shrink enough */

	/* of all values */
	uint32		distinct;
	bool		hasBloom;
	RetlBloomHeader bloom;
} ChunkWriter;

/* Make room for more bytes at the end of a growing array; returns where they go. */
static uint8 *
ReserveBytes(uint8 **array, Size length, Size *capacity, Size extra)
{
	if (length + extra > *capacity)
	{
		Size		wanted = Max(*capacity * 2, length + extra);

		wanted = Max(wanted, 1024);
		if (*array == NULL)
			*array = MemoryContextAllocHuge(CurrentMemoryContext, wanted);
		else
			*array = repalloc_huge(*array, wanted);
		*capacity = wanted;
	}
	return *array + length;
}

/* Choose the encoding and make its chunk-wide state. */
static void
ChooseEncoding(ChunkWriter *writer, RetlChoiceMemory *memory)
{
	RetlBytesInit(&writer->dictionary, &writer->arena, 64);
	writer->state = NULL;
	if (writer->values.count == 0)
	{
		writer->encoding = RetlEncodingById(RETL_ENCODING_PLAIN);
		return;
	}
	writer->encoding = RetlEncodingChooseAndPrepare(&writer->values,
													writer->options->vectorRows,
													writer->options->forcedEncoding, memory,
													&writer->pieceArena, &writer->arena,
													&writer->state, &writer->dictionary);
	MemoryContextReset(writer->pieceContext);
	if (writer->dictionary.length > RETLDB_UNIT_RAW_MAX)
	{
		writer->encoding = RetlEncodingById(RETL_ENCODING_PLAIN);
		writer->state = NULL;
		RetlBytesReset(&writer->dictionary);
	}
	writer->mayMix = !writer->options->onlyForced ||
		writer->options->forcedEncoding != (int) writer->encoding->id;
}

/* Do all values have the same bytes? */
static bool
AllSame(const RetlValues *values)
{
	if (values->type == RETL_PHYS_BYTES)
	{
		const uint32 *offsets = values->offsets;
		uint32		length = offsets[1] - offsets[0];

		for (uint32 i = 1; i < values->count; i++)
			if (offsets[i + 1] - offsets[i] != length ||
				memcmp(values->bytes + offsets[0], values->bytes + offsets[i], length) != 0)
				return false;
		return true;
	}

	/* Each equals its neighbour if the array equals itself shifted by one. */
	return memcmp(values->fixed, values->fixed + values->width,
				  (Size) (values->count - 1) * values->width) == 0;
}

/* Encode the values of a piece; returns the encoding it got. */
static const RetlEncoding *
EncodeValues(ChunkWriter *writer, const RetlValues *values, uint32 first, RetlBytes *out)
{
	const RetlEncoding *plain = RetlEncodingById(RETL_ENCODING_PLAIN);
	const RetlEncoding *encoding = writer->encoding;
	uint64		plainSize;

	if (values->count == 0)
		return plain;
	if (writer->mayMix && values->count > 1 && AllSame(values))
		encoding = RetlEncodingById(RETL_ENCODING_CONSTANT);
	encoding->encode(encoding == writer->encoding ? writer->state : NULL, values, first, out);

	plainSize = RetlValuesRawSize(values);
	if (values->type == RETL_PHYS_BYTES)
		plainSize += 4 * (uint64) values->count + 16;
	if (encoding != plain && writer->mayMix && out->length > plainSize)
	{
		RetlBytesReset(out);
		plain->encode(NULL, values, first, out);
		encoding = plain;
	}
	return encoding;
}

/*
 * Copy the null bits of rows [row, row + count), shifted to begin with bit 0.
 * Only the smallest pieces begin in the middle of a byte.
 */
static void
CopyNullBits(const RetlColumnBuffer *buffer, uint32 row, uint32 count, uint8 *bitmap)
{
	uint32		done = 0;

	memset(bitmap, 0, (count + 7) / 8);
	if (row % 8 == 0 && row < buffer->nullCapacity)
	{
		done = Min(count, buffer->nullCapacity - row) / 8 * 8;
		memcpy(bitmap, buffer->nulls + row / 8, done / 8);
	}
	for (uint32 i = done; i < count; i++)
		if (RetlColumnBufferIsNull(buffer, row + i))
			bitmap[i / 8] |= (uint8) (1 << (i % 8));
}

/* Number of nulls among rows [row, row + count). */
static uint32
CountNulls(const RetlColumnBuffer *buffer, uint32 row, uint32 count)
{
	uint32		nulls = 0;
	uint32		end = Min(row + count, buffer->nullCapacity);

	if (buffer->nullCount == 0)
		return 0;
	if (row % 8 == 0 && end > row)
	{
		nulls = (uint32) pg_popcount((const char *) buffer->nulls + row / 8, (int) ((end - row) / 8));
		row = end - (end - row) % 8;
	}
	for (; row < end; row++)
		nulls += RetlColumnBufferIsNull(buffer, row) ? 1 : 0;
	return nulls;
}

/* First overflow value whose index is not below "valueIndex". */
static uint32
FindOverflow(const RetlColumnBuffer *buffer, uint32 valueIndex)
{
	uint32		low = 0;
	uint32		high = buffer->overflowCount;

	while (low < high)
	{
		uint32		middle = low + (high - low) / 2;

		if (buffer->overflow[middle].ref.valueIndex < valueIndex)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/*
 * Append a piece: rows [row, row + count), whose values begin at "first".
 * *valueCount tells how many they are.  Returns the piece's length.
 */
static Size
AppendPiece(ChunkWriter *writer, uint32 row, uint32 count, uint32 first, uint32 *valueCount)
{
	const RetlColumnBuffer *buffer = writer->buffer;
	uint32		nulls = CountNulls(buffer, row, count);
	uint32		overflowStart = FindOverflow(buffer, first);
	uint32		overflowCount = FindOverflow(buffer, first + count - nulls) - overflowStart;
	Size		before = writer->rawLength;
	RetlPieceHeader header;
	RetlValues	values;
	RetlBytes	payload;
	uint8	   *dst;

	values = RetlValuesSlice(&writer->values, first, count - nulls);
	*valueCount = values.count;
	RetlBytesInit(&payload, &writer->pieceArena, RetlValuesRawSize(&values) + values.count + 64);

	memset(&header, 0, sizeof(header));
	header.encoding = (uint8) EncodeValues(writer, &values, first, &payload)->id;
	header.flags = (nulls > 0 ? RETL_PIECE_NULLS : 0) |
		(overflowCount > 0 ? RETL_PIECE_OVERFLOW : 0);
	header.rowCount = (uint16) count;
	header.valueCount = (uint16) values.count;
	header.payloadLength = (uint32) payload.length;

	dst = ReserveBytes(&writer->raw, before, &writer->rawCapacity,
					   sizeof(header) + (count + 7) / 8 + sizeof(uint32) +
					   overflowCount * sizeof(RetlOverflowRef) + payload.length);
	memcpy(dst, &header, sizeof(header));
	dst += sizeof(header);
	if (nulls > 0)
	{
		CopyNullBits(buffer, row, count, dst);
		dst += (count + 7) / 8;
	}
	if (overflowCount > 0)
	{
		memcpy(dst, &overflowCount, sizeof(overflowCount));
		dst += sizeof(overflowCount);
		for (uint32 i = 0; i < overflowCount; i++)
		{
			RetlOverflowRef ref = buffer->overflow[overflowStart + i].ref;

			ref.valueIndex -= first;
			memcpy(dst, &ref, sizeof(ref));
			dst += sizeof(ref);
		}
	}
	memcpy(dst, payload.data, payload.length);
	dst += payload.length;
	writer->rawLength = (Size) (dst - writer->raw);
	MemoryContextReset(writer->pieceContext);
	return writer->rawLength - before;
}

/*
 * Encode all pieces with this many rows.  Stops at the first one that is too
 * long although it could be shorter, and returns its length, else 0.
 */
static Size
EncodePiecesOf(ChunkWriter *writer, uint32 pieceRows)
{
	uint32		first = 0;

	writer->pieceRows = pieceRows;
	writer->pieceCount = 0;
	writer->rawLength = 0;

	/* as a rule a value takes a byte */
	(void) ReserveBytes(&writer->raw, 0, &writer->rawCapacity, writer->values.count);
	for (uint32 row = 0; row < writer->rowCount; row += pieceRows)
	{
		uint32		valueCount;
		Size		length;

		CHECK_FOR_INTERRUPTS();
		length = AppendPiece(writer, row, Min(pieceRows, writer->rowCount - row), first,
							 &valueCount);
		first += valueCount;
		if (length > RETLDB_UNIT_RAW_TARGET && pieceRows > RETLDB_MIN_UNIT_ROWS)
			return length;
		if (length > RETLDB_UNIT_RAW_MAX)
			ereport(ERROR,
					(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					 errmsg("values of a column are too large to be stored together")));
		if (writer->pieceCount >= writer->pieceEndsCapacity)
		{
			writer->pieceEndsCapacity = Max(writer->pieceEndsCapacity * 2, 64);
			if (writer->pieceEnds == NULL)
				writer->pieceEnds = palloc(writer->pieceEndsCapacity * sizeof(Size));
			else
				writer->pieceEnds = repalloc(writer->pieceEnds,
											 writer->pieceEndsCapacity * sizeof(Size));
		}
		writer->pieceEnds[writer->pieceCount++] = writer->rawLength;
	}
	Assert(first == writer->values.count);
	return 0;
}

/* Encode all pieces, as large as may be. */
static void
EncodePieces(ChunkWriter *writer)
{
	uint32		pieceRows = Min(writer->options->vectorRows,
								pg_nextpower2_32(writer->rowCount));
	Size		length;

	pieceRows = Max(pieceRows, RETLDB_MIN_UNIT_ROWS);
	while ((length = EncodePiecesOf(writer, pieceRows)) > 0)
	{
		do
		{
			pieceRows /= 2;
			length /= 2;
		} while (length > RETLDB_UNIT_RAW_TARGET && pieceRows > RETLDB_MIN_UNIT_ROWS);
	}
}

/* Where the pieces before "pieceIndex" end. */
static Size
PieceStart(const ChunkWriter *writer, uint32 pieceIndex)
{
	return pieceIndex == 0 ? 0 : writer->pieceEnds[pieceIndex - 1];
}

/* Bytes up to which pieces are put together. */
static Size
UnitTarget(RetlCompressionId compression)
{
	bool		fast = compression == RETL_COMPRESSION_LZ4 || compression == RETL_COMPRESSION_SNAPPY;

	return fast ? UNIT_TARGET : RETLDB_UNIT_RAW_TARGET;
}

/* Would units of this many pieces all be small enough? */
static bool
UnitsFit(const ChunkWriter *writer, uint32 pieces)
{
	Size		target = UnitTarget(writer->options->compression);

	for (uint32 i = 0; i < writer->pieceCount; i += pieces)
	{
		uint32		next = Min(i + pieces, writer->pieceCount);

		if (PieceStart(writer, next) - PieceStart(writer, i) > target)
			return false;
	}
	return true;
}

/*
 * Compress a unit to dst, unless it is not worth it: then it is copied.  Returns
 * the length.
 */
static Size
StoreUnit(ChunkWriter *writer, uint8 *dst, Size capacity, const uint8 *raw, Size rawLength)
{
	RetlCompressionId compression = writer->options->compression;
	uint32		part = compression == RETL_COMPRESSION_ZSTD ? WORTHWHILE_PART_ZSTD :
		WORTHWHILE_PART;
	Size		length;

	if (writer->failures < FAILURES_MAX ||
		writer->failures % PROBE_INTERVAL == 0)
	{
		length = RetlCompress(compression, writer->options->compressionLevel, dst, capacity,
							  raw, rawLength);
		if (length > 0 && length <= rawLength - rawLength / part)
		{
			writer->failures = 0;
			return length;
		}
	}
	writer->failures++;
	memcpy(dst, raw, rawLength);
	return rawLength;
}

/* Compress and append one unit. */
static void
AppendUnit(ChunkWriter *writer, const uint8 *raw, Size rawLength)
{
	Size		bound = Max(RetlCompressBound(writer->options->compression, rawLength), rawLength);
	RetlUnit   *unit = &writer->units[writer->unitCount++];
	uint8	   *dst;
	Size		length;

	dst = ReserveBytes(&writer->stored, writer->storedLength, &writer->storedCapacity, bound);
	length = StoreUnit(writer, dst, bound, raw, rawLength);

	/* The header's length is added to the offset when it is known. */
	if (writer->storedLength > PG_UINT32_MAX / 2)
		elog(ERROR, "chunk is too large");
	unit->offset = (uint32) writer->storedLength;
	unit->storedLength = (uint32) length;
	unit->rawLength = (uint32) rawLength;
	unit->checksum = RetlCrc32c(0, dst, length);
	writer->storedLength += length;
}

/* Put pieces together to units and compress those. */
static void
BuildUnits(ChunkWriter *writer)
{
	uint32		pieces = 1;		/* of a unit */

	if (writer->pieceRows == writer->options->vectorRows)
		while (pieces < writer->pieceCount && UnitsFit(writer, pieces * 2))
			pieces *= 2;
	writer->unitRows = writer->pieceRows * pieces;

	writer->units = palloc0((writer->pieceCount / pieces + 2) * sizeof(RetlUnit));

	/* room for all units as they are, and for what the last one takes meanwhile */
	(void) ReserveBytes(&writer->stored, 0, &writer->storedCapacity,
						writer->dictionary.length + writer->rawLength +
						RetlCompressBound(writer->options->compression, RETLDB_UNIT_RAW_TARGET));
	if (writer->dictionary.length > 0)
	{
		AppendUnit(writer, writer->dictionary.data, writer->dictionary.length);
		writer->failures = 0;	/* it says nothing of the codes */
	}
	for (uint32 i = 0; i < writer->pieceCount; i += pieces)
	{
		Size		start = PieceStart(writer, i);
		Size		end = PieceStart(writer, Min(i + pieces, writer->pieceCount));

		CHECK_FOR_INTERRUPTS();
		AppendUnit(writer, writer->raw + start, end - start);
	}
}

/* Statistics of the vector of rows [row, row + count) with these values. */
static void
BuildZone(const ChunkWriter *writer, uint32 first, uint32 valueCount, uint32 nulls,
		  RetlZone *zone)
{
	const RetlColumnBuffer *buffer = writer->buffer;
	uint32		overflow = FindOverflow(buffer, first);
	uint32		end = first + valueCount;
	RetlZoneBuilder builder;

	RetlZoneBuilderInit(&builder, buffer->type.keyKind, buffer->type.physType,
						buffer->type.width);
	while (first < end)
	{
		uint32		stop = end;
		RetlValues	values;

		/* the values up to the next one that overflowed, then that one */
		if (overflow < buffer->overflowCount)
			stop = Min(end, buffer->overflow[overflow].ref.valueIndex);
		values = RetlValuesSlice(&writer->values, first, stop - first);
		if (writer->entryKeys != NULL)
			RetlZoneBuilderAddCodes(&builder, writer->entryKeys, writer->entryCount,
									writer->codes + first, stop - first);
		else
			RetlZoneBuilderAddValues(&builder, &values);
		if (stop < end)
		{
			if (buffer->type.keyKind != RETL_KEY_NONE)
				RetlZoneBuilderAddKey(&builder, buffer->overflow[overflow].key,
									  buffer->overflow[overflow].keyExact);
			overflow++;
			stop++;
		}
		first = stop;
	}
	RetlZoneBuilderFinish(&builder, nulls, zone);
}

/*
 * If there is a dictionary, compute the keys of its entries, once for all
 * vectors.  Numbers need no keys, see zone_builder.c.
 */
static void
PrepareEntryKeys(ChunkWriter *writer)
{
	RetlKeyKind kind = writer->buffer->type.keyKind;
	RetlValues	entries;

	if (writer->encoding->id != RETL_ENCODING_DICT || writer->state == NULL ||
		kind == RETL_KEY_NONE || kind == RETL_KEY_INT || kind == RETL_KEY_UINT ||
		kind == RETL_KEY_FLOAT)
		return;
	RetlDictGetWritten(writer->state, &entries, &writer->codes);
	writer->entryCount = entries.count;
	writer->entryKeys = palloc(Max(entries.count, 1) * sizeof(RetlKeyNumbers));
	RetlZoneKeysOfValues(kind, &entries, writer->entryKeys);
}

/* Statistics of all vectors, palloc'd, and of the chunk. */
static RetlZone *
BuildZones(ChunkWriter *writer, RetlZone *chunkZone)
{
	uint32		vectorRows = writer->options->vectorRows;
	uint32		vectorCount = RetlVectorCount(writer->rowCount, vectorRows);
	RetlZone   *zones = palloc(vectorCount * sizeof(RetlZone));
	uint32		first = 0;

	PrepareEntryKeys(writer);
	RetlZoneInit(chunkZone, writer->buffer->type.keyKind);
	for (uint32 i = 0; i < vectorCount; i++)
	{
		uint32		row = i * vectorRows;
		uint32		count = Min(vectorRows, writer->rowCount - row);
		uint32		nulls = CountNulls(writer->buffer, row, count);

		BuildZone(writer, first, count - nulls, nulls, &zones[i]);
		RetlZoneMerge(chunkZone, &zones[i]);
		first += count - nulls;
	}
	return zones;
}

/* Do the vectors' statistics say more than the chunk's? */
static bool
ZonesMatter(const ChunkWriter *writer, const RetlZone *chunkZone)
{
	if (writer->rowCount <= writer->options->vectorRows)
		return false;
	if (chunkZone->nullCount == writer->rowCount)
		return false;
	if (chunkZone->nullCount > 0)
		return true;
	return (chunkZone->flags & RETL_ZONE_HAS_RANGE) != 0 &&
		memcmp(chunkZone->min, chunkZone->max, RETLDB_KEY_LENGTH) != 0;
}

/*
 * Distinct non-null values: exact if there is a dictionary, which begins with
 * their number, else an estimate.  Every overflow value counts as another.
 */
static uint32
CountDistinct(const ChunkWriter *writer)
{
	uint32		inBuffer = writer->values.count - writer->buffer->overflowCount;
	uint32		distinct;

	if (inBuffer == 0)
		distinct = 0;
	else if (writer->dictionary.length >= sizeof(distinct) &&
			 writer->encoding->id == RETL_ENCODING_DICT)
	{
		memcpy(&distinct, writer->dictionary.data, sizeof(distinct));
		distinct &= ~RETLDB_DICTIONARY_SHORT;
	}
	else if (writer->encoding->id == RETL_ENCODING_CONSTANT)
		distinct = 1;
	else
	{
		hyperLogLogState state;

		initHyperLogLog(&state, DISTINCT_BITS);
		RetlDistinctSketch(&writer->values, state.hashesArr, DISTINCT_BITS);
		distinct = (uint32) (estimateHyperLogLog(&state) + 0.5);
		freeHyperLogLog(&state);
		distinct = Max(Min(distinct, inBuffer), 1);
	}
	return Min(distinct + writer->buffer->overflowCount, writer->values.count);
}

/*
 * Append the partitions of a Bloom filter as units, as they are, if the chunk is
 * to have one.  Values in the overflow area would not be found in it.
 */
static void
AppendBloom(ChunkWriter *writer, const RetlZone *zones)
{
	RetlBloomSubject subject = {
		.choice = writer->options->bloom,
		.keyKind = writer->buffer->type.keyKind,
		.values = &writer->values,
		.distinct = writer->distinct,
		.rowCount = writer->rowCount,
		.storedLength = writer->storedLength,
		.zones = zones,
		.zoneCount = RetlVectorCount(writer->rowCount, writer->options->vectorRows)
	};
	RetlValues	entries;
	uint8	   *filter;
	Size		size;

	if (writer->buffer->overflowCount > 0)
		return;
	if (writer->encoding->id == RETL_ENCODING_DICT && writer->state != NULL)
	{
		/* each value once is enough */
		RetlDictGetWritten(writer->state, &entries, &writer->codes);
		subject.values = &entries;
	}
	filter = RetlBloomBuild(&subject, &writer->bloom);
	if (filter == NULL)
		return;
	writer->hasBloom = true;
	size = RetlBloomPartitionSize(&writer->bloom);
	writer->units = repalloc(writer->units, (writer->unitCount + writer->bloom.partitionCount) *
							 sizeof(RetlUnit));
	for (uint32 i = 0; i < writer->bloom.partitionCount; i++)
	{
		RetlUnit   *unit = &writer->units[writer->unitCount++];
		uint8	   *dst = ReserveBytes(&writer->stored, writer->storedLength,
									   &writer->storedCapacity, size);

		memcpy(dst, filter + i * size, size);
		unit->offset = (uint32) writer->storedLength;
		unit->storedLength = unit->rawLength = (uint32) size;
		unit->checksum = RetlCrc32c(0, dst, size);
		writer->storedLength += size;
	}
	pfree(filter);
}

/* Put the chunk header together. */
static void
BuildHeader(ChunkWriter *writer, uint64 groupId, uint32 columnId,
			const RetlZone *zones, uint32 zoneCount, RetlEncodedChunk *chunk)
{
	RetlChunkHeader header;
	Size		length = RetlChunkHeaderLength(writer->unitCount, zoneCount, writer->hasBloom);

	for (uint32 i = 0; i < writer->unitCount; i++)
		writer->units[i].offset += (uint32) length;

	memset(&header, 0, sizeof(header));
	header.magic = RETLDB_CHUNK_MAGIC;
	header.version = RETLDB_FORMAT_VERSION;
	header.flags = (zoneCount > 0 ? RETL_CHUNK_VECTOR_ZONES : 0) |
		(writer->dictionary.length > 0 ? RETL_CHUNK_DICTIONARY : 0) |
		(writer->hasBloom ? RETL_CHUNK_BLOOM : 0);
	header.groupId = groupId;
	header.columnId = columnId;
	header.rowCount = writer->rowCount;
	header.vectorRows = writer->options->vectorRows;
	header.unitRows = writer->unitRows;
	header.unitCount = writer->unitCount;

	chunk->headerLength = length;
	chunk->header = palloc(length);
	memcpy(chunk->header, &header, sizeof(header));
	memcpy(chunk->header + sizeof(header), writer->units, writer->unitCount * sizeof(RetlUnit));
	if (zoneCount > 0)
		memcpy(chunk->header + sizeof(header) + writer->unitCount * sizeof(RetlUnit),
			   zones, zoneCount * sizeof(RetlZone));
	if (writer->hasBloom)
		memcpy(chunk->header + length - sizeof(RetlBloomHeader), &writer->bloom,
			   sizeof(RetlBloomHeader));
	header.checksum = RetlCrc32cWithout(0, chunk->header, length,
										offsetof(RetlChunkHeader, checksum));
	memcpy(chunk->header, &header, sizeof(header));
}

/* Fill in what the footer says of the chunk. */
static void
DescribeChunk(const ChunkWriter *writer, RetlEncodedChunk *chunk)
{
	RetlFooterColumn *column = &chunk->column;
	uint32		checksum;

	column->physType = (uint8) writer->buffer->type.physType;
	column->encoding = (uint8) writer->encoding->id;
	column->compression = (uint8) writer->options->compression;
	column->width = writer->buffer->type.width;
	column->chunkLength = chunk->headerLength + chunk->unitsLength;
	column->chunkHeaderLength = (uint32) chunk->headerLength;
	checksum = RetlCrc32c(0, chunk->header, chunk->headerLength);
	column->chunkChecksum = RetlCrc32c(checksum, chunk->units, chunk->unitsLength);
	column->rawLength = RetlValuesRawSize(&writer->values);
	for (uint32 i = 0; i < writer->buffer->overflowCount; i++)
		column->rawLength += writer->buffer->overflow[i].ref.rawLength;
	column->distinctEstimate = writer->distinct;
}

/* See chunk_writer.h. */
void
RetlChunkEncode(const RetlColumnBuffer *buffer, uint32 rowCount,
				uint64 groupId, uint32 columnId,
				const RetlWriteOptions *options, RetlChoiceMemory *memory,
				RetlEncodedChunk *chunk)
{
	ChunkWriter writer;
	RetlZone   *zones;

	Assert(rowCount > 0 && rowCount == buffer->valueCount + buffer->nullCount);

	memset(chunk, 0, sizeof(*chunk));
	memset(&writer, 0, sizeof(writer));
	writer.buffer = buffer;
	writer.options = options;
	writer.values = RetlColumnBufferGetValues(buffer);
	writer.values.compression = options->compression;
	writer.rowCount = rowCount;
	writer.arena = RetlMemoryContextArena(CurrentMemoryContext);
	writer.pieceContext = AllocSetContextCreate(CurrentMemoryContext, "retldb piece",
												ALLOCSET_DEFAULT_SIZES);
	writer.pieceArena = RetlMemoryContextArena(writer.pieceContext);

	ChooseEncoding(&writer, memory);
	EncodePieces(&writer);
	BuildUnits(&writer);
	zones = BuildZones(&writer, &chunk->column.zone);
	writer.distinct = CountDistinct(&writer);
	AppendBloom(&writer, zones);
	BuildHeader(&writer, groupId, columnId, zones,
				ZonesMatter(&writer, &chunk->column.zone) ?
				RetlVectorCount(rowCount, options->vectorRows) : 0, chunk);
	chunk->units = writer.stored;
	chunk->unitsLength = writer.storedLength;
	DescribeChunk(&writer, chunk);

	MemoryContextDelete(writer.pieceContext);
}
