/*-------------------------------------------------------------------------
 *
 * zone_key.c
 *	  Zone map keys of PostgreSQL's values and of stored values, and hashes of
 *	  the former for Bloom filters.
 *
 * The keys themselves are made in key_bytes.c.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/cash.h"
#include "utils/uuid.h"

#include "base/compat.h"
#include "rowgroup/column_type.h"
#include "rowgroup/key_bytes.h"
#include "rowgroup/value_hash.h"

/* A by-value integer type as int64. */
static int64
IntFromDatum(Oid baseType, Datum value)
{
	switch (baseType)
	{
		case INT2OID:
			return DatumGetInt16(value);
		case INT4OID:
		case DATEOID:
			return DatumGetInt32(value);
		case INT8OID:
		case TIMEOID:
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:
		case MONEYOID:
			return DatumGetInt64(value);
		default:
			elog(ERROR, "type %u has no integer key", baseType);
			return 0;
	}
}

/* A by-value unsigned type as uint64. */
static uint64
UintFromDatum(Oid baseType, Datum value)
{
	switch (baseType)
	{
		case BOOLOID:
			return DatumGetBool(value) ? 1 : 0;
		case CHAROID:
			return (uint8) DatumGetChar(value);
		case OIDOID:
			return DatumGetObjectId(value);
		default:
			elog(ERROR, "type %u has no unsigned key", baseType);
			return 0;
	}
}

/* See column_type.h. */
bool
RetlZoneKeyFromDatum(RetlKeyKind kind, Oid baseType, Datum value,
					 uint8 key[RETLDB_KEY_LENGTH])
{
	const uint8 *data;
	Size		length;

	switch (kind)
	{
		case RETL_KEY_INT:
			RetlKeyFromInt(IntFromDatum(baseType, value), key);
			return true;
		case RETL_KEY_UINT:
			RetlKeyFromUint(UintFromDatum(baseType, value), key);
			return true;
		case RETL_KEY_FLOAT:
			RetlKeyFromFloat(baseType == FLOAT4OID ? (double) DatumGetFloat4(value) :
							 DatumGetFloat8(value), key);
			return true;
		case RETL_KEY_UUID:
			memcpy(key, DatumGetUUIDP(value)->data, UUID_LEN);
			return true;
		case RETL_KEY_TEXT:
			if (baseType == NAMEOID)
			{
				data = (const uint8 *) NameStr(*DatumGetName(value));
				return RetlKeyFromBytes(data, strnlen((const char *) data, NAMEDATALEN), key);
			}
			break;
		default:
			break;
	}

	/* What is left are the variable-length types. */
	data = (const uint8 *) VARDATA_ANY(DatumGetPointer(value));
	length = VARSIZE_ANY_EXHDR(DatumGetPointer(value));
	return RetlZoneKeyFromBytes(kind, RETL_PHYS_BYTES, 0, data, length, key);
}

/* A stored integer, sign-extended. */
static int64
IntFromBytes(const void *data, uint16 width)
{
	switch (width)
	{
		case 1:
			return *(const int8 *) data;
		case 2:
			{
				int16		value;

				memcpy(&value, data, sizeof(value));
				return value;
			}
		case 4:
			{
				int32		value;

				memcpy(&value, data, sizeof(value));
				return value;
			}
		default:
			{
				int64		value;

				Assert(width == 8);
				memcpy(&value, data, sizeof(value));
				return value;
			}
	}
}

/* A stored integer, zero-extended. */
static uint64
UintFromBytes(const void *data, uint16 width)
{
	uint64		value = (uint64) IntFromBytes(data, width);

	return width < 8 ? value & ((UINT64CONST(1) << (8 * width)) - 1) : value;
}

/* A stored floating-point number. */
static double
FloatFromBytes(const void *data, uint16 width)
{
	float		value4;
	double		value8;

	if (width == 4)
	{
		memcpy(&value4, data, sizeof(value4));
		return value4;
	}
	memcpy(&value8, data, sizeof(value8));
	return value8;
}

/* See column_type.h. */
bool
RetlZoneKeyFromBytes(RetlKeyKind kind, RetlPhysType physType, uint16 width,
					 const void *data, Size length, uint8 key[RETLDB_KEY_LENGTH])
{
	switch (kind)
	{
		case RETL_KEY_INT:
			RetlKeyFromInt(IntFromBytes(data, width), key);
			return true;
		case RETL_KEY_UINT:
			RetlKeyFromUint(UintFromBytes(data, width), key);
			return true;
		case RETL_KEY_FLOAT:
			RetlKeyFromFloat(FloatFromBytes(data, width), key);
			return true;
		case RETL_KEY_UUID:
			memcpy(key, data, RETLDB_KEY_LENGTH);
			return true;
		case RETL_KEY_TEXT:
			/* a fixed-width text is a name, which ends at its first zero */
			if (physType == RETL_PHYS_FIXED)
				length = strnlen(data, width);
			return RetlKeyFromBytes(data, length, key);
		case RETL_KEY_BPCHAR:
			return RetlKeyFromPadded(data, length, key);
		case RETL_KEY_BYTEA:
			return RetlKeyFromBytes(data, length, key);
		case RETL_KEY_NUMERIC:
			return RetlKeyFromNumeric(data, length, key);
		case RETL_KEY_NONE:
			break;
	}
	memset(key, 0, RETLDB_KEY_LENGTH);
	return false;
}

/* See column_type.h. */
uint64
RetlHashFromDatum(RetlKeyKind kind, Oid baseType, Datum value)
{
	switch (kind)
	{
		case RETL_KEY_INT:
			return RetlHashInt(IntFromDatum(baseType, value));
		case RETL_KEY_UINT:
			return RetlHashInt((int64) UintFromDatum(baseType, value));
		case RETL_KEY_FLOAT:
			return RetlHashFloat(baseType == FLOAT4OID ? (double) DatumGetFloat4(value) :
								 DatumGetFloat8(value));
		case RETL_KEY_UUID:
			return RetlHashBytes(DatumGetUUIDP(value)->data, UUID_LEN);
		case RETL_KEY_TEXT:
			if (baseType == NAMEOID)
				return RetlHashName((const uint8 *) NameStr(*DatumGetName(value)), NAMEDATALEN);
			break;
		default:
			break;
	}

	/* What is left are the variable-length types. */
	return RetlHashStored(kind, RETL_PHYS_BYTES, 0,
						  (const uint8 *) VARDATA_ANY(DatumGetPointer(value)),
						  VARSIZE_ANY_EXHDR(DatumGetPointer(value)));
}
