/*-------------------------------------------------------------------------
 *
 * bloom_builder.c
 *	  Makes the Bloom filter of a chunk, if it is worth having one.
 *
 * A filter spares the reading of row groups that cannot have a value, so it
 * pays where most row groups do not have it, and zone maps cannot tell: there
 * are many different values, and the ranges of vectors overlap, as they do when
 * the rows come in no order of this column.  It must not be large compared with
 * the chunk: a look-up reads one partition of it, but all of it is stored.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "format/bloom.h"
#include "rowgroup/bloom_builder.h"
#include "rowgroup/value_hash.h"

/* Fewer different values than this, or than a part of the rows, need none. */
#define MIN_DISTINCT			4096
#define MIN_DISTINCT_PART		64

/* One part in so many of the chunk, for text and numeric, and for other types. */
#define MAX_PART_VARIABLE		16
#define MAX_PART_FIXED			8

/* Bits for each different value: the first that fits; false hits 1 % and 3 %. */
#define BITS_WANTED				10
#define BITS_LEAST				8

/*
 * Are the values near each other in the order of rows?  The range of a vector
 * then overlaps few others: less than one in eight.
 */
static bool
IsClustered(const RetlBloomSubject *subject)
{
	const RetlZone *zones = subject->zones;
	uint64		overlaps = 0;

	for (uint32 i = 0; i < subject->zoneCount; i++)
		for (uint32 j = 0; j < subject->zoneCount; j++)
			overlaps += (zones[i].flags & zones[j].flags & RETL_ZONE_HAS_RANGE) != 0 &&
				memcmp(zones[j].min, zones[i].min, RETLDB_KEY_LENGTH) <= 0 &&
				memcmp(zones[i].min, zones[j].max, RETLDB_KEY_LENGTH) <= 0;
	return overlaps < (uint64) subject->zoneCount * subject->zoneCount / 8;
}

/* Bits for each value, or 0 if no filter would pay. */
static unsigned
ChooseBits(const RetlBloomSubject *subject)
{
	Size		limit = subject->storedLength /
	(subject->values->type == RETL_PHYS_BYTES ? MAX_PART_VARIABLE : MAX_PART_FIXED);

	if (subject->choice == RETL_BLOOM_ON)
		return BITS_WANTED;
	if (subject->distinct < MIN_DISTINCT ||
		subject->distinct < subject->rowCount / MIN_DISTINCT_PART)
		return 0;
	for (unsigned bits = BITS_WANTED; bits >= BITS_LEAST; bits--)
		if ((uint64) subject->distinct * bits / 8 <= limit)
			return IsClustered(subject) ? 0 : bits;
	return 0;
}

/* See bloom_builder.h. */
uint8 *
RetlBloomBuild(const RetlBloomSubject *subject, RetlBloomHeader *header)
{
	const RetlValues *values = subject->values;
	unsigned	bits;
	uint8	   *filter;

	if (subject->choice == RETL_BLOOM_OFF || subject->keyKind == RETL_KEY_NONE ||
		values->count == 0)
		return NULL;
	bits = ChooseBits(subject);
	if (bits == 0)
		return NULL;
	RetlBloomHeaderInit(header, subject->distinct, bits);
	filter = palloc0(RetlBloomSize(header));
	for (uint32 i = 0; i < values->count; i++)
	{
		const uint8 *data;
		Size		length = values->width;

		if (values->type == RETL_PHYS_BYTES)
		{
			data = values->bytes + values->offsets[i];
			length = values->offsets[i + 1] - values->offsets[i];
		}
		else
			data = values->fixed + (Size) i * values->width;
		RetlBloomAdd(header, filter, RetlHashStored(subject->keyKind, values->type,
													values->width, data, length));
	}
	return filter;
}
