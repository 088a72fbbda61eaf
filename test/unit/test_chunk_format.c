/*-------------------------------------------------------------------------
 *
 * test_chunk_format.c
 *	  Parsing of chunk headers, pieces and footers: what is right is accepted,
 *	  and every kind of damage is refused with the text that names it.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>
#include <string.h>

#include "testlib.h"

#include "format/checksum.h"
#include "rowgroup/chunk_format.h"
#include "rowgroup/footer_format.h"

#include <cmocka.h>

#define MAX_CHUNK	4096

/* A chunk header in memory, and what the footer would say of it. */
typedef struct Chunk
{
	_Alignas(8) uint8_t bytes[MAX_CHUNK];
	RetlChunkExpect expect;
} Chunk;

static RetlChunkHeader *
Header(Chunk *chunk)
{
	return (RetlChunkHeader *) (void *) chunk->bytes;
}

static RetlUnit *
Units(Chunk *chunk)
{
	return (RetlUnit *) (void *) (chunk->bytes + sizeof(RetlChunkHeader));
}

/* Make the header's checksum right again. */
static void
Seal(Chunk *chunk)
{
	Header(chunk)->checksum = RetlCrc32cWithout(0, chunk->bytes, chunk->expect.chunkHeaderLength,
												offsetof(RetlChunkHeader, checksum));
}

/* A chunk of rowCount rows in vectors of 64, with a dictionary and zones if asked for. */
static void
MakeChunk(Chunk *chunk, uint32_t rowCount, uint32_t unitRows, uint8_t flags)
{
	RetlChunkHeader *header = Header(chunk);
	uint32_t	unitCount = (rowCount + unitRows - 1) / unitRows;
	uint32_t	zones = (flags & RETL_CHUNK_VECTOR_ZONES) ? (rowCount + 63) / 64 : 0;
	uint32_t	position;

	if (flags & RETL_CHUNK_DICTIONARY)
		unitCount++;
	memset(chunk, 0, sizeof(*chunk));
	header->magic = RETLDB_CHUNK_MAGIC;
	header->version = RETLDB_FORMAT_VERSION;
	header->flags = flags;
	header->groupId = 77;
	header->columnId = 5;
	header->rowCount = rowCount;
	header->vectorRows = 64;
	header->unitRows = unitRows;
	header->unitCount = unitCount;
	chunk->expect.groupId = 77;
	chunk->expect.columnId = 5;
	chunk->expect.rowCount = rowCount;
	chunk->expect.vectorRows = 64;
	chunk->expect.chunkHeaderLength = (uint32_t) RetlChunkHeaderLength(unitCount, zones, false);
	assert_true(chunk->expect.chunkHeaderLength <= MAX_CHUNK);

	position = chunk->expect.chunkHeaderLength;
	for (uint32_t i = 0; i < unitCount; i++)
	{
		Units(chunk)[i].offset = position;
		Units(chunk)[i].storedLength = 10 + i;
		Units(chunk)[i].rawLength = 10 + 2 * i;
		position += 10 + i;
	}
	chunk->expect.chunkLength = position;
	Seal(chunk);
}

static const char *
Parse(const Chunk *chunk)
{
	RetlChunkView view;

	return RetlChunkParse(chunk->bytes, &chunk->expect, &view);
}

/* Shapes of chunks: the numbers that follow from rows, unit size and flags. */
static void
test_chunk_shapes(void **state)
{
	static const uint32_t rowCounts[] = {1, 3, 4, 63, 64, 65, 128, 500};
	static const uint32_t unitRows[] = {4, 16, 64, 128, 1024};
	Chunk		chunk;
	RetlChunkView view;

	(void) state;
	for (size_t i = 0; i < sizeof(rowCounts) / sizeof(rowCounts[0]); i++)
		for (size_t j = 0; j < sizeof(unitRows) / sizeof(unitRows[0]); j++)
			for (uint8_t flags = 0; flags < 4; flags++)
			{
				uint32_t	rows = 0;
				uint32_t	pieces = 0;

				MakeChunk(&chunk, rowCounts[i], unitRows[j], flags);
				assert_null(RetlChunkParse(chunk.bytes, &chunk.expect, &view));
				assert_true(chunk.expect.chunkHeaderLength <=
							RetlChunkHeaderMaxLength(rowCounts[i], 64));
				assert_int_equal(view.pieceRows, unitRows[j] < 64 ? unitRows[j] : 64);
				assert_int_equal(view.zones != NULL, (flags & RETL_CHUNK_VECTOR_ZONES) != 0);
				assert_int_equal(view.dictionaryUnits, (flags & RETL_CHUNK_DICTIONARY) != 0);
				for (uint32_t k = 0; k < view.pieceCount; k++)
					rows += RetlPieceRowCount(&view, k);
				assert_int_equal(rows, rowCounts[i]);
				for (uint32_t k = 0; k < view.unitCount; k++)
					pieces += RetlUnitPieceCount(&view, k);
				assert_int_equal(pieces, view.pieceCount);
			}
}

/* Give a chunk of 200 rows a Bloom filter of one partition of two blocks. */
static RetlBloomHeader *
MakeBloomChunk(Chunk *chunk)
{
	uint32_t	units = 4;
	uint32_t	zones = 4;
	RetlBloomHeader *bloom;
	uint64_t	position;

	MakeChunk(chunk, 200, 64, RETL_CHUNK_VECTOR_ZONES);
	memmove(Units(chunk) + units + 1, Units(chunk) + units, zones * sizeof(RetlZone));
	Header(chunk)->flags |= RETL_CHUNK_BLOOM;
	Header(chunk)->unitCount = units + 1;
	chunk->expect.chunkHeaderLength = (uint32_t) RetlChunkHeaderLength(units + 1, zones, true);
	position = chunk->expect.chunkHeaderLength;
	for (uint32_t i = 0; i <= units; i++)
	{
		if (i == units)
			Units(chunk)[i].storedLength = Units(chunk)[i].rawLength = 64;
		Units(chunk)[i].offset = (uint32_t) position;
		position += Units(chunk)[i].storedLength;
	}
	chunk->expect.chunkLength = position;
	bloom = (RetlBloomHeader *) (void *) (chunk->bytes + chunk->expect.chunkHeaderLength - sizeof(*bloom));
	memset(bloom, 0, sizeof(*bloom));
	bloom->hashVersion = RETLDB_BLOOM_HASH;
	bloom->partitionBlocks = 2;
	bloom->partitionCount = 1;
	Seal(chunk);
	return bloom;
}

/* Bloom filters are found, and damaged ones refused. */
static void
test_chunk_bloom(void **state)
{
	Chunk		chunk;
	RetlChunkView view;
	RetlBloomHeader *bloom = MakeBloomChunk(&chunk);

	(void) state;
	assert_null(RetlChunkParse(chunk.bytes, &chunk.expect, &view));
	assert_int_equal(view.bloomUnits, 1);
	assert_int_equal(view.unitCount, 4);
	assert_int_equal(view.bloom.partitionBlocks, 2);
	bloom->hashVersion = 2;
	Seal(&chunk);
	assert_string_equal(Parse(&chunk), "Bloom filter has an unknown hash");
	bloom = MakeBloomChunk(&chunk);
	bloom->partitionBlocks = 3;
	Seal(&chunk);
	assert_string_equal(Parse(&chunk), "Bloom filter has a wrong length");
	bloom = MakeBloomChunk(&chunk);
	bloom->partitionCount = 2;
	Seal(&chunk);
	assert_string_equal(Parse(&chunk), "Bloom filter has an impossible size");
	(void) MakeBloomChunk(&chunk);
	Header(&chunk)->unitCount--;
	Seal(&chunk);
	assert_string_equal(Parse(&chunk), "chunk header has a wrong number of units");
	(void) MakeBloomChunk(&chunk);
	Header(&chunk)->flags &= (uint8_t) ~RETL_CHUNK_BLOOM;
	Seal(&chunk);
	assert_string_equal(Parse(&chunk), "chunk header has a wrong number of units");
}

/* Change one thing, seal, and expect this answer. */
#define REFUSED(change, answer) \
	do { \
		MakeChunk(&chunk, 200, 64, RETL_CHUNK_VECTOR_ZONES | RETL_CHUNK_DICTIONARY); \
		change; \
		Seal(&chunk); \
		assert_string_equal(Parse(&chunk), answer); \
	} while (0)

static void
test_chunk_damage(void **state)
{
	Chunk		chunk;

	(void) state;
	REFUSED(Header(&chunk)->magic++, "chunk header has a wrong magic number");
	REFUSED(Header(&chunk)->version++, "chunk header has an unknown version");
	REFUSED(Header(&chunk)->flags |= 8, "chunk header has unknown flags");
	REFUSED(Header(&chunk)->reserved = 1, "chunk header has unknown flags");
	REFUSED(Header(&chunk)->groupId++, "chunk header names another row group");
	REFUSED(Header(&chunk)->columnId++, "chunk header names another column");
	REFUSED(Header(&chunk)->rowCount++, "chunk header has a wrong row count");
	REFUSED(Header(&chunk)->vectorRows = 128, "chunk header has a wrong vector size");
	REFUSED(Header(&chunk)->unitRows = 2, "chunk header has a wrong unit size");
	REFUSED(Header(&chunk)->unitRows = 65, "chunk header has a wrong unit size");
	REFUSED(Header(&chunk)->unitRows = 0, "chunk header has a wrong unit size");
	REFUSED(Header(&chunk)->unitRows = 1U << 31, "chunk header has a wrong unit size");
	REFUSED(Header(&chunk)->unitRows = 128, "chunk header has a wrong number of units");
	REFUSED(Header(&chunk)->unitCount--, "chunk header has a wrong number of units");
	REFUSED(Header(&chunk)->flags = 0, "chunk header has a wrong number of units");
	REFUSED(Header(&chunk)->flags = RETL_CHUNK_DICTIONARY, "chunk header has a wrong length");
	REFUSED(chunk.expect.chunkHeaderLength = 39, "chunk header has a wrong length");
	REFUSED(chunk.expect.chunkHeaderLength += 8, "chunk header has a wrong length");
	REFUSED(chunk.expect.chunkLength = 50, "chunk header has a wrong length");
	REFUSED(chunk.expect.chunkLength++, "units do not end where the chunk ends");
	REFUSED(Units(&chunk)[1].offset++, "units do not follow each other");
	REFUSED(Units(&chunk)[0].offset = 0, "units do not follow each other");
	REFUSED(Units(&chunk)[1].storedLength++, "units do not follow each other");
	REFUSED(Units(&chunk)[1].rawLength = 3, "unit is longer than its raw length");
	REFUSED(Units(&chunk)[1].storedLength = 0, "unit is empty");
	REFUSED(Units(&chunk)[1].rawLength = UINT32_MAX, "unit is too long");

	/* and any bit at all, if nobody seals it */
	MakeChunk(&chunk, 200, 64, RETL_CHUNK_VECTOR_ZONES | RETL_CHUNK_DICTIONARY);
	for (uint32_t i = 0; i < chunk.expect.chunkHeaderLength * 8; i++)
	{
		chunk.bytes[i / 8] ^= (uint8_t) (1 << (i % 8));
		assert_non_null(Parse(&chunk));
		chunk.bytes[i / 8] ^= (uint8_t) (1 << (i % 8));
	}
	assert_null(Parse(&chunk));
}

/* Make a piece; every third row null, every fifth value overflowed, if asked for. */
static size_t
MakePiece(uint8_t *dst, uint16_t rowCount, bool nulls, bool overflow, uint32_t payloadLength)
{
	uint8_t    *start = dst;
	RetlPieceHeader header;
	uint32_t	count = 0;

	memset(&header, 0, sizeof(header));
	header.encoding = RETL_ENCODING_PLAIN;
	header.rowCount = rowCount;
	header.valueCount = rowCount;
	header.payloadLength = payloadLength;
	dst += sizeof(header);
	if (nulls)
	{
		header.flags |= RETL_PIECE_NULLS;
		memset(dst, 0, (rowCount + 7) / 8);
		for (uint32_t i = 0; i < rowCount; i += 3)
		{
			dst[i / 8] |= (uint8_t) (1 << (i % 8));
			header.valueCount--;
		}
		dst += (rowCount + 7) / 8;
	}
	if (overflow)
	{
		uint8_t    *countAt = dst;

		header.flags |= RETL_PIECE_OVERFLOW;
		dst += sizeof(count);
		for (uint32_t i = 0; i < header.valueCount; i += 5)
		{
			RetlOverflowRef ref = {i, 20000 + 300000 * (i % 2), 100 * i, 100};

			memcpy(dst, &ref, sizeof(ref));
			dst += sizeof(ref);
			count++;
		}
		memcpy(countAt, &count, sizeof(count));
	}
	memset(dst, 0xAA, payloadLength);
	memcpy(start, &header, sizeof(header));
	return (size_t) (dst - start) + payloadLength;
}

/* Does the bitmap of rows that are not null say the same as looking at them one by one? */
static void
CheckPresent(const RetlPieceView *piece)
{
	uint32_t	words = (piece->rowCount + 63) / 64;
	uint64_t   *present = malloc(words * sizeof(uint64_t));

	RetlPiecePresent(piece, present);
	for (uint32_t i = 0; i < words * 64; i++)
		assert_int_equal(present[i / 64] >> (i % 64) & 1,
						 i < piece->rowCount && !RetlPieceIsNull(piece, i));
	free(present);
}

/* Parse a copy of exactly this size, so that ASan sees where it ends. */
static const char *
ParsePiece(const uint8_t *bytes, size_t size, uint32_t rowCount, uint64_t overflowLength,
		   RetlPieceView *piece)
{
	uint8_t    *copy = malloc(size > 0 ? size : 1);
	const char *problem;

	memcpy(copy, bytes, size);
	problem = RetlPieceParse(copy, size, rowCount, overflowLength, piece);
	if (problem == NULL)
	{
		uint32_t	nulls = 0;

		for (uint32_t i = 0; i < rowCount; i++)
			nulls += RetlPieceIsNull(piece, i);
		assert_int_equal(nulls, rowCount - piece->valueCount);
		if (piece->nulls != NULL)
			CheckPresent(piece);
		for (uint32_t i = 0; i < piece->overflowCount; i++)
			assert_true(RetlPieceOverflow(piece, i).valueIndex < piece->valueCount);
		assert_true(piece->length <= size);
		assert_true(piece->payload >= copy &&
					piece->payload + piece->payloadLength <= copy + size);
	}
	free(copy);
	return problem;
}

static void
test_piece_shapes(void **state)
{
	static const uint16_t rowCounts[] = {1, 4, 7, 8, 9, 64, 1000, 4096};
	static uint8_t bytes[65536];
	RetlPieceView piece;

	(void) state;
	for (size_t i = 0; i < sizeof(rowCounts) / sizeof(rowCounts[0]); i++)
		for (int variant = 0; variant < 8; variant++)
		{
			uint16_t	rowCount = rowCounts[i];
			bool		nulls = (variant & 1) != 0;
			bool		overflow = (variant & 2) != 0 && rowCount > 1;
			uint32_t	payload = (variant & 4) != 0 && rowCount > 1 ? 33 : 0;
			size_t		length = MakePiece(bytes, rowCount, nulls, overflow, payload);

			assert_null(ParsePiece(bytes, length, rowCount, 1000000, &piece));
			assert_int_equal(piece.length, length);
			assert_int_equal(piece.payloadLength, payload);
			assert_null(ParsePiece(bytes, length + 5, rowCount, 1000000, &piece));
			assert_int_equal(piece.length, length);
			assert_non_null(ParsePiece(bytes, length, rowCount + 1, 1000000, &piece));
			for (size_t cut = 0; cut < length; cut += 1 + cut / 100)
				assert_string_equal(ParsePiece(bytes, cut, rowCount, 1000000, &piece),
									"piece is cut short");
			if (overflow)
				assert_string_equal(ParsePiece(bytes, length, rowCount, 0, &piece),
									"overflow reference is outside the overflow area");
		}
}

/* Change one thing of a piece of 64 rows, and expect this answer. */
#define PIECE_REFUSED(change, answer) \
	do { \
		length = MakePiece(bytes, 64, true, true, 8); \
		change; \
		assert_string_equal(ParsePiece(bytes, length, 64, 10000, &piece), answer); \
	} while (0)

static void
test_piece_damage(void **state)
{
	static uint8_t bytes[65536];
	RetlPieceHeader *header = (RetlPieceHeader *) (void *) bytes;
	uint8_t    *nulls = bytes + sizeof(RetlPieceHeader);
	uint8_t    *count = nulls + 8;
	uint8_t    *refs = count + 4;
	RetlPieceView piece;
	RetlOverflowRef ref;
	size_t		length;

	(void) state;
	PIECE_REFUSED(header->flags |= 4, "piece has unknown flags");
	PIECE_REFUSED(header->reserved = 1, "piece has unknown flags");
	PIECE_REFUSED(header->rowCount = 63, "piece has a wrong number of rows");
	PIECE_REFUSED(header->valueCount = 65, "piece has a wrong number of rows");
	PIECE_REFUSED(header->valueCount = 64, "piece has a wrong number of nulls");
	PIECE_REFUSED(header->valueCount--, "piece has a wrong number of nulls");
	PIECE_REFUSED(nulls[0] ^= 1, "piece has a wrong number of nulls");
	PIECE_REFUSED(header->payloadLength = UINT32_MAX, "piece is cut short");
	PIECE_REFUSED(memset(count, 0, 4), "piece has a wrong number of overflow references");
	PIECE_REFUSED(memset(count, 0xFF, 4), "piece has a wrong number of overflow references");

#define REF_REFUSED(change, answer) \
	PIECE_REFUSED((memcpy(&ref, refs + sizeof(ref), sizeof(ref)), change, \
				   memcpy(refs + sizeof(ref), &ref, sizeof(ref))), answer)

	REF_REFUSED(ref.valueIndex = 0, "overflow references are not in order");
	REF_REFUSED(ref.valueIndex = 63, "overflow references are not in order");
	REF_REFUSED(ref.offset = 9901, "overflow reference is outside the overflow area");
	REF_REFUSED(ref.offset = UINT64_MAX, "overflow reference is outside the overflow area");
	REF_REFUSED(ref.storedLength = UINT64_MAX, "overflow reference is outside the overflow area");
	REF_REFUSED(ref.storedLength = 16, "overflow reference has a wrong length");
	REF_REFUSED(ref.rawLength = 0, "overflow reference has a wrong length");
	REF_REFUSED(ref.rawLength = UINT32_MAX, "overflow reference has a wrong length");

	/* bits past the last row; and values that are not there */
	length = MakePiece(bytes, 7, true, false, 8);
	nulls[0] ^= 0x81;
	assert_string_equal(ParsePiece(bytes, length, 7, 0, &piece),
						"piece has a wrong number of nulls");
	length = MakePiece(bytes, 1, true, false, 8);
	assert_string_equal(ParsePiece(bytes, length, 1, 0, &piece),
						"piece without values has a payload");
}

/* Footers, and the directory's entry that goes with them. */
static void
MakeFooter(RetlFooterHeader *header, RetlGroupEntry *entry)
{
	memset(header, 0, sizeof(*header));
	memset(entry, 0, sizeof(*entry));
	header->magic = RETLDB_FOOTER_MAGIC;
	header->version = RETLDB_FORMAT_VERSION;
	header->groupId = entry->groupId = 12;
	header->rowBase = entry->rowBase = 2560;
	header->rowCount = entry->rowCount = 1000;
	header->vectorRows = entry->vectorRows = 256;
	header->writerXid = entry->writerXid = 4711;
	header->columnCount = 2;
	header->overflowLength = 5000;
	entry->footerOffset = 100000;
	entry->footerLength = sizeof(RetlFooterHeader) + 2 * sizeof(RetlFooterColumn);
	entry->dataLength = entry->footerOffset + entry->footerLength;
}

static const char *
FooterProblem(RetlFooterHeader *header, const RetlGroupEntry *entry, bool *unsupported)
{
	header->checksum = RetlCrc32cWithout(0, header, sizeof(*header),
										 offsetof(RetlFooterHeader, checksum));
	return RetlFooterHeaderProblem(header, entry, unsupported);
}

#define FOOTER_REFUSED(change, answer, newer) \
	do { \
		MakeFooter(&header, &entry); \
		change; \
		assert_string_equal(FooterProblem(&header, &entry, &unsupported), answer); \
		assert_int_equal(unsupported, newer); \
	} while (0)

static void
test_footer(void **state)
{
	RetlFooterHeader header;
	RetlGroupEntry entry;
	bool		unsupported;

	(void) state;
	MakeFooter(&header, &entry);
	assert_null(FooterProblem(&header, &entry, &unsupported));
	header.checksum++;
	assert_string_equal(RetlFooterHeaderProblem(&header, &entry, &unsupported),
						"footer has a wrong checksum");
	FOOTER_REFUSED(header.magic++, "footer has a wrong magic number", false);
	FOOTER_REFUSED(header.version++, "footer has an unsupported version", true);
	FOOTER_REFUSED(header.flags = 1, "footer has unsupported flags", true);
	FOOTER_REFUSED(header.groupId++, "footer names another row group", false);
	FOOTER_REFUSED(header.rowBase++, "footer has a wrong first row number", false);
	FOOTER_REFUSED(header.rowCount++, "footer has a wrong row count", false);
	FOOTER_REFUSED(header.rowCount = entry.rowCount = 0, "footer has a wrong row count", false);
	FOOTER_REFUSED(header.writerXid++, "footer names another writer", false);
	FOOTER_REFUSED(header.vectorRows = 0, "footer has a wrong vector size", false);
	FOOTER_REFUSED(header.vectorRows = 100, "footer has a wrong vector size", false);
	FOOTER_REFUSED(header.vectorRows = 512, "footer has a wrong vector size", false);
	FOOTER_REFUSED(header.vectorRows = 1U << 31, "footer has a wrong vector size", false);
	FOOTER_REFUSED(header.columnCount = UINT32_MAX, "footer has too many columns", false);
	FOOTER_REFUSED(header.columnCount = 3, "footer has a wrong length", false);
	FOOTER_REFUSED(header.overflowOffset = UINT64_MAX, "overflow area is outside the row group",
				   false);
	FOOTER_REFUSED(header.overflowLength = 100001, "overflow area is outside the row group",
				   false);
}

static void
MakeColumn(RetlFooterColumn *column)
{
	memset(column, 0, sizeof(*column));
	column->columnId = 3;
	column->physType = RETL_PHYS_INT;
	column->width = 4;
	column->encoding = RETL_ENCODING_BITPACK;
	column->compression = RETL_COMPRESSION_LZ4;
	column->chunkOffset = 5000;
	column->chunkLength = 20000;
	column->chunkHeaderLength = 200;
	column->zone.keyKind = RETL_KEY_INT;
	column->zone.flags = RETL_ZONE_HAS_RANGE | RETL_ZONE_EXACT;
	column->zone.nullCount = 5;
	column->zone.max[0] = 1;
}

static const char *
ColumnProblem(RetlFooterColumn *column, const RetlFooterHeader *header, bool *unsupported)
{
	column->checksum = RetlCrc32cWithout(0, column, sizeof(*column),
										 offsetof(RetlFooterColumn, checksum));
	return RetlFooterColumnProblem(column, header, 100000, unsupported);
}

#define COLUMN_REFUSED(change, answer, newer) \
	do { \
		MakeColumn(&column); \
		change; \
		assert_string_equal(ColumnProblem(&column, &header, &unsupported), answer); \
		assert_int_equal(unsupported, newer); \
	} while (0)

static void
test_footer_column(void **state)
{
	static const char *const badType = "column entry of the footer has a wrong physical type";
	static const char *const outside = "chunk is outside the row group";
	static const char *const badHeader = "column entry of the footer has a wrong header length";
	RetlFooterColumn column;
	RetlFooterHeader header;
	RetlGroupEntry entry;
	bool		unsupported;

	(void) state;
	MakeFooter(&header, &entry);
	MakeColumn(&column);
	assert_null(ColumnProblem(&column, &header, &unsupported));
	column.checksum++;
	assert_string_equal(RetlFooterColumnProblem(&column, &header, 100000, &unsupported),
						"column entry of the footer has a wrong checksum");
	COLUMN_REFUSED(column.encoding = RETL_ENCODING_COUNT, "column has an unsupported encoding",
				   true);
	COLUMN_REFUSED(column.compression = RETL_COMPRESSION_COUNT,
				   "column has an unsupported compression", true);
	COLUMN_REFUSED(column.flags = 1, "column entry of the footer has unsupported flags", true);
	COLUMN_REFUSED(column.columnId = 0, "column entry of the footer has a wrong column number",
				   false);
	COLUMN_REFUSED(column.physType = 0, badType, false);
	COLUMN_REFUSED(column.physType = 9, badType, false);
	COLUMN_REFUSED(column.width = 3, badType, false);
	COLUMN_REFUSED((column.physType = RETL_PHYS_FLOAT, column.width = 2), badType, false);
	COLUMN_REFUSED((column.physType = RETL_PHYS_FIXED, column.width = 0), badType, false);
	COLUMN_REFUSED(column.physType = RETL_PHYS_BYTES, badType, false);
	COLUMN_REFUSED(column.chunkOffset = UINT64_MAX - 10, outside, false);
	COLUMN_REFUSED(column.chunkLength = 95001, outside, false);
	COLUMN_REFUSED(column.chunkHeaderLength = 20001, badHeader, false);
	COLUMN_REFUSED(column.chunkHeaderLength = 4500, badHeader, false);
	COLUMN_REFUSED(column.zone.keyKind = RETL_KEY_TEXT,
				   "statistics do not fit the physical type", false);
	COLUMN_REFUSED(column.zone.keyKind = 200, "statistics do not fit the physical type", false);
	COLUMN_REFUSED(column.zone.flags |= 4, "statistics have unknown flags", false);
	COLUMN_REFUSED(column.zone.nullCount = 1001, "statistics have too many nulls", false);
	COLUMN_REFUSED(column.zone.nullCount = 1000, "statistics have an unexpected range", false);
	COLUMN_REFUSED(column.zone.keyKind = RETL_KEY_NONE, "statistics have an unexpected range",
				   false);
	COLUMN_REFUSED(column.zone.min[0] = 2, "statistics have a minimum above the maximum", false);
}

/* Kinds of keys and the physical types they are for. */
static void
test_key_kinds(void **state)
{
	(void) state;
	assert_true(RetlKeyKindFits(RETL_KEY_NONE, RETL_PHYS_BYTES, 0));
	assert_true(RetlKeyKindFits(RETL_KEY_UINT, RETL_PHYS_INT, 1));
	assert_true(RetlKeyKindFits(RETL_KEY_FLOAT, RETL_PHYS_FLOAT, 4));
	assert_false(RetlKeyKindFits(RETL_KEY_FLOAT, RETL_PHYS_INT, 4));
	assert_true(RetlKeyKindFits(RETL_KEY_TEXT, RETL_PHYS_FIXED, 64));
	assert_true(RetlKeyKindFits(RETL_KEY_UUID, RETL_PHYS_FIXED, 16));
	assert_false(RetlKeyKindFits(RETL_KEY_UUID, RETL_PHYS_FIXED, 12));
	assert_true(RetlKeyKindFits(RETL_KEY_NUMERIC, RETL_PHYS_BYTES, 0));
	assert_false(RetlKeyKindFits(RETL_KEY_NUMERIC, RETL_PHYS_FIXED, 16));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_chunk_shapes),
		cmocka_unit_test(test_chunk_damage),
		cmocka_unit_test(test_chunk_bloom),
		cmocka_unit_test(test_piece_shapes),
		cmocka_unit_test(test_piece_damage),
		cmocka_unit_test(test_footer),
		cmocka_unit_test(test_footer_column),
		cmocka_unit_test(test_key_kinds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
