/*-------------------------------------------------------------------------
 *
 * chunk_format.c
 *	  Parsing of chunk headers and pieces.  Pure C.
 *
 * The checks leave the rest of the reader with these certainties: the units
 * tile the chunk from its header to its end; their number is what row count
 * and unitRows demand; a piece has the rows asked for, as many nulls as its
 * bitmap has bits, overflow references in rising order within the group's
 * overflow area, and a payload within the bytes it was parsed from.
 *
 *-------------------------------------------------------------------------
 */
#include "rowgroup/chunk_format.h"

#include <string.h>

#include "encoding/filtering.h"
#include "format/bloom.h"
#include "format/checksum.h"

#define IS_POWER_OF_TWO(n)	((n) != 0 && ((n) & ((n) - 1)) == 0)

/* Quotient, rounded up. */
static uint32_t
CeilDivide(uint32_t dividend, uint32_t divisor)
{
	return dividend / divisor + (dividend % divisor != 0);
}

/* See chunk_format.h. */
uint64_t
RetlChunkHeaderLength(uint64_t unitCount, uint64_t zoneCount, bool hasBloom)
{
	return sizeof(RetlChunkHeader) + unitCount * sizeof(RetlUnit) +
		zoneCount * sizeof(RetlZone) + (hasBloom ? sizeof(RetlBloomHeader) : 0);
}

/* See chunk_format.h. */
uint32_t
RetlVectorCount(uint32_t rowCount, uint32_t vectorRows)
{
	return CeilDivide(rowCount, vectorRows);
}

/* See chunk_format.h. */
uint64_t
RetlChunkHeaderMaxLength(uint32_t rowCount, uint32_t vectorRows)
{
	return RetlChunkHeaderLength((uint64_t) CeilDivide(rowCount, RETLDB_MIN_UNIT_ROWS) + 1 +
								 1 + rowCount / RETLDB_BLOOM_PARTITION_ROWS,
								 RetlVectorCount(rowCount, vectorRows), true);
}

/* Does the fixed part say what the footer says? */
static const char *
CheckIdentity(const RetlChunkHeader *header, const RetlChunkExpect *expect)
{
	if (header->magic != RETLDB_CHUNK_MAGIC)
		return "chunk header has a wrong magic number";
	if (header->version != RETLDB_FORMAT_VERSION)
		return "chunk header has an unknown version";
	if ((header->flags & ~(RETL_CHUNK_VECTOR_ZONES | RETL_CHUNK_DICTIONARY | RETL_CHUNK_BLOOM)) != 0 ||
		header->reserved != 0)
		return "chunk header has unknown flags";
	if (header->groupId != expect->groupId)
		return "chunk header names another row group";
	if (header->columnId != expect->columnId)
		return "chunk header names another column";
	if (header->rowCount != expect->rowCount)
		return "chunk header has a wrong row count";
	if (header->vectorRows != expect->vectorRows)
		return "chunk header has a wrong vector size";
	if (!IS_POWER_OF_TWO(header->unitRows) || header->unitRows < RETLDB_MIN_UNIT_ROWS ||
		header->unitRows > RETLDB_MAX_GROUP_ROWS)
		return "chunk header has a wrong unit size";
	return NULL;
}

/* Do the units follow each other up to the end of the chunk? */
static const char *
CheckUnits(const RetlUnit *units, uint32_t count, const RetlChunkExpect *expect)
{
	uint64_t	position = expect->chunkHeaderLength;

	for (uint32_t i = 0; i < count; i++)
	{
		if (units[i].offset != position)
			return "units do not follow each other";
		if (units[i].storedLength > units[i].rawLength)
			return "unit is longer than its raw length";
		if (units[i].rawLength == 0 || units[i].storedLength == 0)
			return "unit is empty";
		if (units[i].rawLength > RETLDB_UNIT_RAW_MAX)
			return "unit is too long";
		position += units[i].storedLength;
	}
	if (position != expect->chunkLength)
		return "units do not end where the chunk ends";
	return NULL;
}

/* Find the header of the Bloom filter, the last bytes of the chunk header. */
static const char *
FindBloom(const uint8_t *src, const RetlChunkExpect *expect, RetlChunkView *view)
{
	if (expect->chunkHeaderLength < sizeof(RetlChunkHeader) + sizeof(RetlBloomHeader))
		return "chunk header has a wrong length";
	memcpy(&view->bloom, src + expect->chunkHeaderLength - sizeof(RetlBloomHeader),
		   sizeof(RetlBloomHeader));
	view->bloomUnits = view->bloom.partitionCount;
	if (view->bloomUnits > 1 + expect->rowCount / RETLDB_BLOOM_PARTITION_ROWS)
		return "Bloom filter has an impossible size";
	return RetlBloomHeaderProblem(&view->bloom);
}

/* Are the partitions of the Bloom filter there, as they are and of one length? */
static const char *
CheckBloomUnits(const RetlChunkView *view)
{
	const RetlUnit *units = view->units + view->dictionaryUnits + view->unitCount;

	for (uint32_t i = 0; i < view->bloomUnits; i++)
		if (units[i].rawLength != RetlBloomPartitionSize(&view->bloom) ||
			units[i].storedLength != units[i].rawLength)
			return "Bloom filter has a wrong length";
	return NULL;
}

/* See chunk_format.h. */
const char *
RetlChunkParse(const uint8_t *src, const RetlChunkExpect *expect, RetlChunkView *view)
{
	RetlChunkHeader header;
	uint32_t	zoneCount;
	uint32_t	unitCount;
	bool		hasBloom;
	const char *problem;

	memset(view, 0, sizeof(*view));
	if (expect->chunkHeaderLength < sizeof(header) ||
		expect->chunkHeaderLength > expect->chunkLength)
		return "chunk header has a wrong length";
	memcpy(&header, src, sizeof(header));
	problem = CheckIdentity(&header, expect);
	if (problem != NULL)
		return problem;
	if (RetlCrc32cWithout(0, src, expect->chunkHeaderLength,
						  offsetof(RetlChunkHeader, checksum)) != header.checksum)
		return "chunk header has a wrong checksum";

	hasBloom = (header.flags & RETL_CHUNK_BLOOM) != 0;
	view->rowCount = header.rowCount;
	view->vectorRows = header.vectorRows;
	view->unitRows = header.unitRows;
	view->pieceRows = header.unitRows < header.vectorRows ? header.unitRows : header.vectorRows;
	view->piecesPerUnit = header.unitRows / view->pieceRows;
	view->pieceCount = CeilDivide(header.rowCount, view->pieceRows);
	view->vectorCount = RetlVectorCount(header.rowCount, header.vectorRows);
	view->dictionaryUnits = (header.flags & RETL_CHUNK_DICTIONARY) != 0 ? 1 : 0;
	unitCount = CeilDivide(header.rowCount, header.unitRows);
	view->unitCount = unitCount;
	unitCount += view->dictionaryUnits;
	if (hasBloom)
	{
		problem = FindBloom(src, expect, view);
		if (problem != NULL)
			return problem;
		unitCount += view->bloomUnits;
	}
	if (header.unitCount != unitCount)
		return "chunk header has a wrong number of units";

	zoneCount = (header.flags & RETL_CHUNK_VECTOR_ZONES) != 0 ? view->vectorCount : 0;
	if (RetlChunkHeaderLength(unitCount, zoneCount, hasBloom) != expect->chunkHeaderLength)
		return "chunk header has a wrong length";
	view->units = (const RetlUnit *) (const void *) (src + sizeof(header));
	if (zoneCount > 0)
		view->zones = (const RetlZone *) (const void *)
			(src + sizeof(header) + unitCount * sizeof(RetlUnit));

	problem = CheckUnits(view->units, unitCount, expect);
	return problem != NULL ? problem : CheckBloomUnits(view);
}

/* See chunk_format.h. */
uint32_t
RetlPieceRowCount(const RetlChunkView *view, uint32_t pieceIndex)
{
	uint32_t	first = pieceIndex * view->pieceRows;
	uint32_t	rest = view->rowCount - first;

	return rest < view->pieceRows ? rest : view->pieceRows;
}

/* See chunk_format.h. */
uint32_t
RetlUnitPieceCount(const RetlChunkView *view, uint32_t unitIndex)
{
	uint32_t	rest = view->pieceCount - unitIndex * view->piecesPerUnit;

	return rest < view->piecesPerUnit ? rest : view->piecesPerUnit;
}

/* Bits that are counted at a time. */
#define COUNTED_BITS	4096

/* Are there exactly nullCount bits set in the bitmap, none of them past its rows? */
static bool
BitmapHas(const uint8_t *bitmap, uint32_t rowCount, uint32_t nullCount)
{
	uint32_t	found = 0;
	uint32_t	bytes = (rowCount + 7) / 8;

	for (uint32_t first = 0; first < bytes; first += COUNTED_BITS / 8)
	{
		uint32_t	part = bytes - first < COUNTED_BITS / 8 ? bytes - first : COUNTED_BITS / 8;
		uint64_t	words[COUNTED_BITS / 64];

		words[(part - 1) / 8] = 0;
		memcpy(words, bitmap + first, part);
		found += RetlSelectionCount(words, part * 8);
	}
	if (rowCount % 8 != 0 && (bitmap[bytes - 1] >> (rowCount % 8)) != 0)
		return false;
	return found == nullCount;
}

/* Check the overflow references of a piece. */
static const char *
CheckOverflow(const RetlPieceView *piece, uint64_t overflowLength)
{
	uint32_t	next = 0;

	for (uint32_t i = 0; i < piece->overflowCount; i++)
	{
		RetlOverflowRef ref = RetlPieceOverflow(piece, i);
		uint64_t	frames;

		if (ref.valueIndex < next || ref.valueIndex >= piece->valueCount)
			return "overflow references are not in order";
		next = ref.valueIndex + 1;
		if (ref.storedLength > overflowLength ||
			ref.offset > overflowLength - ref.storedLength)
			return "overflow reference is outside the overflow area";

		/* Every frame has a header and at least one byte. */
		frames = ((uint64_t) ref.rawLength + RETLDB_OVERFLOW_FRAME - 1) / RETLDB_OVERFLOW_FRAME;
		if (frames == 0 || ref.storedLength < frames * (sizeof(RetlOverflowFrame) + 1))
			return "overflow reference has a wrong length";
	}
	return NULL;
}

/* Take "length" bytes off the front of what is left of the source, or NULL. */
static const uint8_t *
Take(const uint8_t **src, size_t *srcSize, size_t length)
{
	const uint8_t *start = *src;

	if (length > *srcSize)
		return NULL;
	*src += length;
	*srcSize -= length;
	return start;
}

/* See chunk_format.h. */
const char *
RetlPieceParse(const uint8_t *src, size_t srcSize, uint32_t rowCount,
			   uint64_t overflowLength, RetlPieceView *piece)
{
	size_t		fullSize = srcSize;
	const uint8_t *start;
	RetlPieceHeader header;

	memset(piece, 0, sizeof(*piece));
	start = Take(&src, &srcSize, sizeof(header));
	if (start == NULL)
		return "piece is cut short";
	memcpy(&header, start, sizeof(header));
	if ((header.flags & ~(RETL_PIECE_NULLS | RETL_PIECE_OVERFLOW)) != 0 || header.reserved != 0)
		return "piece has unknown flags";
	if (header.rowCount != rowCount || header.valueCount > rowCount)
		return "piece has a wrong number of rows";
	if (((header.flags & RETL_PIECE_NULLS) != 0) != (header.valueCount < rowCount))
		return "piece has a wrong number of nulls";
	piece->encoding = header.encoding;
	piece->rowCount = rowCount;
	piece->valueCount = header.valueCount;

	if ((header.flags & RETL_PIECE_NULLS) != 0)
	{
		piece->nulls = Take(&src, &srcSize, (rowCount + 7) / 8);
		if (piece->nulls == NULL)
			return "piece is cut short";
		if (!BitmapHas(piece->nulls, rowCount, rowCount - header.valueCount))
			return "piece has a wrong number of nulls";
	}
	if ((header.flags & RETL_PIECE_OVERFLOW) != 0)
	{
		start = Take(&src, &srcSize, sizeof(uint32_t));
		if (start == NULL)
			return "piece is cut short";
		memcpy(&piece->overflowCount, start, sizeof(uint32_t));
		if (piece->overflowCount == 0 || piece->overflowCount > piece->valueCount)
			return "piece has a wrong number of overflow references";
		piece->overflow = Take(&src, &srcSize, piece->overflowCount * sizeof(RetlOverflowRef));
		if (piece->overflow == NULL)
			return "piece is cut short";
	}

	piece->payloadLength = header.payloadLength;
	piece->payload = Take(&src, &srcSize, header.payloadLength);
	if (piece->payload == NULL)
		return "piece is cut short";
	if (piece->valueCount == 0 && piece->payloadLength != 0)
		return "piece without values has a payload";
	piece->length = fullSize - srcSize;
	return CheckOverflow(piece, overflowLength);
}

/* See chunk_format.h. */
RetlOverflowRef
RetlPieceOverflow(const RetlPieceView *piece, uint32_t i)
{
	RetlOverflowRef ref;

	memcpy(&ref, piece->overflow + i * sizeof(ref), sizeof(ref));
	return ref;
}

/* See chunk_format.h. */
void
RetlPiecePresent(const RetlPieceView *piece, uint64_t *present)
{
	uint32_t	words = (piece->rowCount + 63) / 64;

	present[words - 1] = 0;
	memcpy(present, piece->nulls, (piece->rowCount + 7) / 8);
	for (uint32_t i = 0; i < words; i++)
		present[i] = ~present[i];
	if (piece->rowCount % 64 != 0)
		present[words - 1] &= RetlRowsMask(piece->rowCount % 64);
}
