/*-------------------------------------------------------------------------
 *
 * zone_builder.c
 *	  Computes the statistics (RetlZone) of values.
 *
 * Numbers are compared as numbers, and only the least and the greatest of each
 * batch are turned into keys.  All else is compared by its keys, as pairs of
 * numbers of 64 bits: a comparison costs less than a call of memcmp.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "port/pg_bswap.h"

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

/* Is key a below key b? */
static inline bool
KeyIsBelow(const RetlKeyNumbers *a, const RetlKeyNumbers *b)
{
	return a->high < b->high || (a->high == b->high && a->low < b->low);
}

/* The first 16 bytes of a string that lies before "end", zeros behind it. */
static inline RetlKeyNumbers
KeyOfString(const uint8 *data, uint32 length, const uint8 *end)
{
	uint64		words[2] = {0, 0};
	RetlKeyNumbers key;

	if (length >= RETLDB_KEY_LENGTH || end - data >= RETLDB_KEY_LENGTH)
		memcpy(words, data, RETLDB_KEY_LENGTH);
	else if (length > 0)
		memcpy(words, data, length);
	if (length < 8)
	{
		words[0] &= (UINT64CONST(1) << (8 * length)) - 1;
		words[1] = 0;
	}
	else if (length < 16)
		words[1] &= (UINT64CONST(1) << (8 * (length - 8))) - 1;
	key.high = pg_hton64(words[0]);
	key.low = pg_hton64(words[1]);
	key.exact = length <= RETLDB_KEY_LENGTH && (length == 0 || data[length - 1] != 0);
	return key;
}

/* Key of value "index"; it is neither an integer nor a floating-point number. */
static inline RetlKeyNumbers
KeyOfValue(RetlKeyKind kind, const RetlValues *values, uint32 index)
{
	uint8		bytes[RETLDB_KEY_LENGTH];
	uint64		words[2];
	RetlKeyNumbers key;
	const uint8 *data = values->fixed + (Size) index * values->width;
	uint32		length = values->width;

	if (values->type == RETL_PHYS_BYTES)
	{
		data = values->bytes + values->offsets[index];
		length = values->offsets[index + 1] - values->offsets[index];
		if (kind == RETL_KEY_TEXT || kind == RETL_KEY_BYTEA)
			return KeyOfString(data, length, values->bytes + values->offsets[values->count]);
	}
	key.exact = RetlZoneKeyFromBytes(kind, values->type, values->width, data, length, bytes);
	memcpy(words, bytes, sizeof(words));
	key.high = pg_hton64(words[0]);
	key.low = pg_hton64(words[1]);
	return key;
}

/* See zone_builder.h. */
void
RetlZoneKeysOfValues(RetlKeyKind kind, const RetlValues *values, RetlKeyNumbers *keys)
{
	Assert(kind != RETL_KEY_NONE);
	for (uint32 i = 0; i < values->count; i++)
		keys[i] = KeyOfValue(kind, values, i);
}

/* Take in a range of keys. */
static void
AddRange(RetlZoneBuilder *builder, const RetlKeyNumbers *least, const RetlKeyNumbers *greatest,
		 bool exact)
{
	uint64		words[2];

	words[0] = pg_ntoh64(least->high);
	words[1] = pg_ntoh64(least->low);
	RetlZoneBuilderAddKey(builder, (const uint8 *) words, exact);
	words[0] = pg_ntoh64(greatest->high);
	words[1] = pg_ntoh64(greatest->low);
	RetlZoneBuilderAddKey(builder, (const uint8 *) words, exact);
}

/* Entries of a dictionary that are marked, rather than looked at for each value. */
#define MARKED_ENTRIES		256
#define VALUES_PER_ENTRY	4

/* The codes that occur among some, at least one, each once; returns their number. */
static uint32
ListCodes(const uint32 *codes, uint32 count, uint32 entryCount, uint32 *list)
{
	bool		occurs[MARKED_ENTRIES] = {false};
	uint32		listed = 0;

	list[0] = codes[0];
	for (uint32 i = 0; i < count; i++)
		occurs[codes[i]] = true;
	for (uint32 i = 0; i < entryCount; i++)
	{
		list[listed] = i;
		listed += occurs[i];
	}
	return listed;
}

/* See zone_builder.h. */
void
RetlZoneBuilderAddCodes(RetlZoneBuilder *builder, const RetlKeyNumbers *keys, uint32 keyCount,
						const uint32 *codes, uint32 count)
{
	uint32		list[MARKED_ENTRIES + 1];
	const RetlKeyNumbers *least;
	const RetlKeyNumbers *greatest;
	bool		exact = true;

	if (count == 0)
		return;
	if (keyCount <= MARKED_ENTRIES && count / VALUES_PER_ENTRY >= keyCount)
	{
		count = ListCodes(codes, count, keyCount, list);
		codes = list;
	}
	least = greatest = &keys[codes[0]];
	for (uint32 i = 0; i < count; i++)
	{
		const RetlKeyNumbers *key = &keys[codes[i]];

		if (KeyIsBelow(key, least))
			least = key;
		if (KeyIsBelow(greatest, key))
			greatest = key;
		exact &= key->exact;
	}
	AddRange(builder, least, greatest, exact);
}

/* Take in the extremes of values that are no numbers. */
static void
AddKeyed(RetlZoneBuilder *builder, const RetlValues *values)
{
	RetlKeyNumbers least = KeyOfValue(builder->kind, values, 0);
	RetlKeyNumbers greatest = least;
	bool		exact = least.exact;

	for (uint32 i = 1; i < values->count; i++)
	{
		RetlKeyNumbers key = KeyOfValue(builder->kind, values, i);

		if (KeyIsBelow(&key, &least))
			least = key;
		if (KeyIsBelow(&greatest, &key))
			greatest = key;
		exact &= key.exact;
	}
	AddRange(builder, &least, &greatest, exact);
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
			AddKeyed(builder, values);
			return;
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
