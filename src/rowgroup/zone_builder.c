/*-------------------------------------------------------------------------
 *
 * zone_builder.c
 *	  Computes the statistics (RetlZone) of values.
 *
 * Numbers are compared as numbers, and only the least and the greatest of each
 * batch are turned into keys; all else is compared by its keys.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "rowgroup/key_bytes.h"
#include "rowgroup/zone_builder.h"

/* See zone_builder.h. */
void
RetlZoneBuilderInit(RetlZoneBuilder *builder, RetlKeyKind kind,
					RetlPhysType physType, uint16 width)
{
	memset(builder, 0, sizeof(*builder));
	builder->kind = kind;
	builder->physType = physType;
	builder->width = width;
	builder->exact = true;
}

/* See zone_builder.h. */
void
RetlZoneBuilderAddKey(RetlZoneBuilder *builder, const uint8 key[RETLDB_KEY_LENGTH], bool exact)
{
	if (!builder->hasRange)
	{
		memcpy(builder->min, key, RETLDB_KEY_LENGTH);
		memcpy(builder->max, key, RETLDB_KEY_LENGTH);
		builder->hasRange = true;
	}
	else if (memcmp(key, builder->min, RETLDB_KEY_LENGTH) < 0)
		memcpy(builder->min, key, RETLDB_KEY_LENGTH);
	else if (memcmp(key, builder->max, RETLDB_KEY_LENGTH) > 0)
		memcpy(builder->max, key, RETLDB_KEY_LENGTH);
	builder->exact &= exact;
}

/* See zone_builder.h. */
void
RetlZoneBuilderAddValue(RetlZoneBuilder *builder, const void *data, Size length)
{
	uint8		key[RETLDB_KEY_LENGTH];
	bool		exact;

	if (builder->kind == RETL_KEY_NONE)
		return;
	exact = RetlZoneKeyFromBytes(builder->kind, builder->physType, builder->width,
								 data, length, key);
	RetlZoneBuilderAddKey(builder, key, exact);
}

/*
 * Find the least and greatest of an array of a C type.  A macro, for there is
 * one loop for each type, and the compiler vectorises it.
 */
#define ADD_EXTREMES(type) \
	do { \
		type		least; \
		type		greatest; \
		memcpy(&least, values->fixed, sizeof(type)); \
		greatest = least; \
		for (uint32 i = 1; i < values->count; i++) \
		{ \
			type		value; \
			memcpy(&value, values->fixed + (Size) i * sizeof(type), sizeof(type)); \
			least = Min(least, value); \
			greatest = Max(greatest, value); \
		} \
		RetlZoneBuilderAddValue(builder, &least, sizeof(type)); \
		RetlZoneBuilderAddValue(builder, &greatest, sizeof(type)); \
	} while (0)

/* Take in the extremes of integers with a signed order. */
static void
AddSigned(RetlZoneBuilder *builder, const RetlValues *values)
{
	switch (values->width)
	{
		case 1:
			ADD_EXTREMES(int8);
			break;
		case 2:
			ADD_EXTREMES(int16);
			break;
		case 4:
			ADD_EXTREMES(int32);
			break;
		default:
			ADD_EXTREMES(int64);
			break;
	}
}

/* Take in the extremes of integers with an unsigned order. */
static void
AddUnsigned(RetlZoneBuilder *builder, const RetlValues *values)
{
	switch (values->width)
	{
		case 1:
			ADD_EXTREMES(uint8);
			break;
		case 2:
			ADD_EXTREMES(uint16);
			break;
		case 4:
			ADD_EXTREMES(uint32);
			break;
		default:
			ADD_EXTREMES(uint64);
			break;
	}
}

/* Take in the extremes of floating-point numbers; NaN is above all. */
static void
AddFloats(RetlZoneBuilder *builder, const RetlValues *values)
{
	double		least = 0;
	double		greatest = 0;
	bool		any = false;
	bool		nan = false;
	uint8		key[RETLDB_KEY_LENGTH];

	for (uint32 i = 0; i < values->count; i++)
	{
		double		value;

		if (values->width == 4)
		{
			float		value4;

			memcpy(&value4, values->fixed + (Size) i * 4, 4);
			value = value4;
		}
		else
			memcpy(&value, values->fixed + (Size) i * 8, 8);

		if (isnan(value))
			nan = true;
		else if (!any)
		{
			least = greatest = value;
			any = true;
		}
		else
		{
			least = Min(least, value);
			greatest = Max(greatest, value);
		}
	}
	if (any)
	{
		RetlKeyFromFloat(least, key);
		RetlZoneBuilderAddKey(builder, key, true);
		RetlKeyFromFloat(greatest, key);
		RetlZoneBuilderAddKey(builder, key, true);
	}
	if (nan)
	{
		RetlKeyFromFloat(NAN, key);
		RetlZoneBuilderAddKey(builder, key, true);
	}
}

/* See zone_builder.h. */
void
RetlZoneBuilderAddValues(RetlZoneBuilder *builder, const RetlValues *values)
{
	if (values->count == 0)
		return;
	switch (builder->kind)
	{
		case RETL_KEY_NONE:
			return;
		case RETL_KEY_INT:
			AddSigned(builder, values);
			return;
		case RETL_KEY_UINT:
			AddUnsigned(builder, values);
			return;
		case RETL_KEY_FLOAT:
			AddFloats(builder, values);
			return;
		default:
			break;
	}
	for (uint32 i = 0; i < values->count; i++)
	{
		if (values->type == RETL_PHYS_BYTES)
			RetlZoneBuilderAddValue(builder, values->bytes + values->offsets[i],
									values->offsets[i + 1] - values->offsets[i]);
		else
			RetlZoneBuilderAddValue(builder, values->fixed + (Size) i * values->width,
									values->width);
	}
}

/* See zone_builder.h. */
void
RetlZoneBuilderFinish(const RetlZoneBuilder *builder, uint32 nullCount, RetlZone *zone)
{
	RetlZoneInit(zone, builder->kind);
	zone->nullCount = nullCount;
	if (builder->hasRange)
	{
		zone->flags = RETL_ZONE_HAS_RANGE | (builder->exact ? RETL_ZONE_EXACT : 0);
		memcpy(zone->min, builder->min, RETLDB_KEY_LENGTH);
		memcpy(zone->max, builder->max, RETLDB_KEY_LENGTH);
	}
}

/* See zone_builder.h. */
void
RetlZoneInit(RetlZone *zone, RetlKeyKind kind)
{
	memset(zone, 0, sizeof(*zone));
	zone->keyKind = (uint8) kind;
}

/* See zone_builder.h. */
void
RetlZoneMerge(RetlZone *into, const RetlZone *zone)
{
	Assert(into->keyKind == zone->keyKind);

	into->nullCount += zone->nullCount;
	if ((zone->flags & RETL_ZONE_HAS_RANGE) == 0)
		return;
	if ((into->flags & RETL_ZONE_HAS_RANGE) == 0)
	{
		into->flags = zone->flags;
		memcpy(into->min, zone->min, RETLDB_KEY_LENGTH);
		memcpy(into->max, zone->max, RETLDB_KEY_LENGTH);
		return;
	}
	if ((zone->flags & RETL_ZONE_EXACT) == 0)
		into->flags &= (uint8) ~RETL_ZONE_EXACT;
	if (memcmp(zone->min, into->min, RETLDB_KEY_LENGTH) < 0)
		memcpy(into->min, zone->min, RETLDB_KEY_LENGTH);
	if (memcmp(zone->max, into->max, RETLDB_KEY_LENGTH) > 0)
		memcpy(into->max, zone->max, RETLDB_KEY_LENGTH);
}
