/*-------------------------------------------------------------------------
 *
 * footer_format.c
 *	  Checks of a row group's footer.  Pure C.
 *
 *-------------------------------------------------------------------------
 */
#include "rowgroup/footer_format.h"

#include <string.h>

#include "format/checksum.h"
#include "rowgroup/chunk_format.h"

#define IS_POWER_OF_TWO(n)	((n) != 0 && ((n) & ((n) - 1)) == 0)

/* See footer_format.h. */
const char *
RetlFooterHeaderProblem(const RetlFooterHeader *header, const RetlGroupEntry *entry,
						bool *unsupported)
{
	*unsupported = false;
	if (header->magic != RETLDB_FOOTER_MAGIC)
		return "footer has a wrong magic number";
	if (RetlCrc32cWithout(0, header, sizeof(*header),
						  offsetof(RetlFooterHeader, checksum)) != header->checksum)
		return "footer has a wrong checksum";

	*unsupported = true;
	if (header->version != RETLDB_FORMAT_VERSION)
		return "footer has an unsupported version";
	if ((header->flags & ~RETL_FOOTER_COMPACTED) != 0)
		return "footer has unsupported flags";

	*unsupported = false;
	if (header->groupId != entry->groupId)
		return "footer names another row group";
	if (header->rowBase != entry->rowBase)
		return "footer has a wrong first row number";
	if (header->rowCount != entry->rowCount || header->rowCount == 0 ||
		header->rowCount > RETLDB_MAX_GROUP_ROWS)
		return "footer has a wrong row count";
	if (header->writerXid != entry->writerXid)
		return "footer names another writer";
	if (!IS_POWER_OF_TWO(header->vectorRows) || header->vectorRows < RETLDB_MIN_VECTOR_ROWS ||
		header->vectorRows > RETLDB_MAX_VECTOR_ROWS || header->vectorRows != entry->vectorRows)
		return "footer has a wrong vector size";
	if (header->columnCount > RETLDB_MAX_COLUMNS)
		return "footer has too many columns";
	if (entry->footerLength !=
		sizeof(RetlFooterHeader) + (uint64_t) header->columnCount * sizeof(RetlFooterColumn))
		return "footer has a wrong length";
	if (header->overflowLength > entry->footerOffset ||
		header->overflowOffset > entry->footerOffset - header->overflowLength)
		return "overflow area is outside the row group";
	return NULL;
}

/* See footer_format.h. */
bool
RetlKeyKindFits(int keyKind, int physType, uint32_t width)
{
	switch (keyKind)
	{
		case RETL_KEY_NONE:
			return true;
		case RETL_KEY_INT:
		case RETL_KEY_UINT:
			return physType == RETL_PHYS_INT;
		case RETL_KEY_FLOAT:
			return physType == RETL_PHYS_FLOAT;
		case RETL_KEY_TEXT:
			return physType == RETL_PHYS_BYTES || physType == RETL_PHYS_FIXED;
		case RETL_KEY_BPCHAR:
		case RETL_KEY_BYTEA:
		case RETL_KEY_NUMERIC:
			return physType == RETL_PHYS_BYTES;
		case RETL_KEY_UUID:
			return physType == RETL_PHYS_FIXED && width == RETLDB_KEY_LENGTH;
		default:
			return false;
	}
}

/* See footer_format.h. */
const char *
RetlZoneProblem(const RetlZone *zone, uint32_t rowCount)
{
	if ((zone->flags & ~(RETL_ZONE_HAS_RANGE | RETL_ZONE_EXACT)) != 0 || zone->reserved != 0)
		return "statistics have unknown flags";
	if (zone->nullCount > rowCount)
		return "statistics have too many nulls";
	if ((zone->flags & RETL_ZONE_HAS_RANGE) != 0)
	{
		if (zone->keyKind == RETL_KEY_NONE || zone->nullCount == rowCount)
			return "statistics have an unexpected range";
		if (memcmp(zone->min, zone->max, RETLDB_KEY_LENGTH) > 0)
			return "statistics have a minimum above the maximum";
	}
	return NULL;
}

/* Is the width one that values of the physical type can have? */
static bool
WidthFits(int physType, uint32_t width)
{
	switch (physType)
	{
		case RETL_PHYS_INT:
			return width == 1 || width == 2 || width == 4 || width == 8;
		case RETL_PHYS_FLOAT:
			return width == 4 || width == 8;
		case RETL_PHYS_FIXED:
			return width > 0;
		case RETL_PHYS_BYTES:
			return width == 0;
		default:
			return false;
	}
}

/* See footer_format.h. */
const char *
RetlFooterColumnProblem(const RetlFooterColumn *column, const RetlFooterHeader *header,
						uint64_t footerOffset, bool *unsupported)
{
	*unsupported = false;
	if (RetlCrc32cWithout(0, column, sizeof(*column),
						  offsetof(RetlFooterColumn, checksum)) != column->checksum)
		return "column entry of the footer has a wrong checksum";

	*unsupported = true;
	if (column->encoding >= RETL_ENCODING_COUNT)
		return "column has an unsupported encoding";
	if (column->compression >= RETL_COMPRESSION_COUNT)
		return "column has an unsupported compression";
	if (column->flags != 0)
		return "column entry of the footer has unsupported flags";

	*unsupported = false;
	if (column->columnId == 0 || column->columnId > RETLDB_MAX_COLUMNS)
		return "column entry of the footer has a wrong column number";
	if (!WidthFits(column->physType, column->width))
		return "column entry of the footer has a wrong physical type";
	if (column->chunkLength > footerOffset ||
		column->chunkOffset > footerOffset - column->chunkLength)
		return "chunk is outside the row group";
	if (column->chunkHeaderLength > column->chunkLength ||
		column->chunkHeaderLength > RetlChunkHeaderMaxLength(header->rowCount,
															 header->vectorRows))
		return "column entry of the footer has a wrong header length";
	if (!RetlKeyKindFits(column->zone.keyKind, column->physType, column->width))
		return "statistics do not fit the physical type";
	return RetlZoneProblem(&column->zone, header->rowCount);
}
