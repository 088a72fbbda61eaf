/*-------------------------------------------------------------------------
 *
 * zone_builder.h
 *	  Computes the statistics (RetlZone) of values.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_ZONE_BUILDER_H
#define RETLDB_ZONE_BUILDER_H

#include "postgres.h"

#include "encoding/encoding.h"
#include "rowgroup/column_type.h"

typedef struct RetlZoneBuilder
{
	RetlKeyKind kind;
	RetlPhysType physType;
	uint16		width;
	bool		hasRange;
	bool		exact;			/* all keys so far were */
	uint8		min[RETLDB_KEY_LENGTH];
	uint8		max[RETLDB_KEY_LENGTH];
} RetlZoneBuilder;

/* A key as two numbers in the order of its bytes, for quick comparison. */
typedef struct RetlKeyNumbers
{
	uint64		high;
	uint64		low;
	bool		exact;
} RetlKeyNumbers;

extern void RetlZoneBuilderInit(RetlZoneBuilder *builder, RetlKeyKind kind,
								RetlPhysType physType, uint16 width);

/* Take in one key. */
extern void RetlZoneBuilderAddKey(RetlZoneBuilder *builder,
								  const uint8 key[RETLDB_KEY_LENGTH], bool exact);

/* Take in one stored value. */
extern void RetlZoneBuilderAddValue(RetlZoneBuilder *builder, const void *data, Size length);

/* Take in all these values. */
extern void RetlZoneBuilderAddValues(RetlZoneBuilder *builder, const RetlValues *values);

/* The keys of these values, for RetlZoneBuilderAddCodes; kind is not NONE. */
extern void RetlZoneKeysOfValues(RetlKeyKind kind, const RetlValues *values,
								 RetlKeyNumbers *keys);

/* Take in values of which there are few different ones: value i has keys[codes[i]], one of keyCount. */
extern void RetlZoneBuilderAddCodes(RetlZoneBuilder *builder, const RetlKeyNumbers *keys,
									uint32 keyCount, const uint32 *codes, uint32 count);

/* The statistics of what was taken in. */
extern void RetlZoneBuilderFinish(const RetlZoneBuilder *builder, uint32 nullCount,
								  RetlZone *zone);

/* An empty zone, to merge others into. */
extern void RetlZoneInit(RetlZone *zone, RetlKeyKind kind);
extern void RetlZoneMerge(RetlZone *into, const RetlZone *zone);

#endif							/* RETLDB_ZONE_BUILDER_H */
