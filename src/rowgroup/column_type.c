/*-------------------------------------------------------------------------
 *
 * column_type.c
 *	  From PostgreSQL's types to physical types and zone map keys.
 *
 * The physical type follows from length and by-value-ness alone, but for
 * float4 and float8.  So a type's values can be read back whatever becomes of
 * the type, as long as the attribute keeps its length.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/transam.h"
#include "catalog/pg_type.h"
#include "utils/lsyscache.h"

#include "rowgroup/column_type.h"

/* Key kind of a type that is no domain. */
static RetlKeyKind
KeyKindOfBaseType(Oid baseType)
{
	switch (baseType)
	{
		case INT2OID:
		case INT4OID:
		case INT8OID:
		case DATEOID:
		case TIMEOID:
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:
		case MONEYOID:
			return RETL_KEY_INT;
		case BOOLOID:
		case CHAROID:
		case OIDOID:
			return RETL_KEY_UINT;
		case FLOAT4OID:
		case FLOAT8OID:
			return RETL_KEY_FLOAT;
		case TEXTOID:
		case VARCHAROID:
		case NAMEOID:
			return RETL_KEY_TEXT;
		case BPCHAROID:
			return RETL_KEY_BPCHAR;
		case BYTEAOID:
			return RETL_KEY_BYTEA;
		case UUIDOID:
			return RETL_KEY_UUID;
		case NUMERICOID:
			return RETL_KEY_NUMERIC;
		default:
			return RETL_KEY_NONE;
	}
}

/* Physical type of an attribute; baseType is InvalidOid for a dropped one. */
static RetlPhysType
PhysTypeOf(int16 typeLength, bool byValue, Oid baseType)
{
	if (typeLength < 0)
		return RETL_PHYS_BYTES;
	if (baseType == FLOAT4OID || baseType == FLOAT8OID)
		return RETL_PHYS_FLOAT;
	if (byValue)
		return RETL_PHYS_INT;
	return RETL_PHYS_FIXED;
}

/*
 * Do the functions of a type take values with short headers as they are?  Those
 * of other types, numeric first of all, make a copy with a long one.
 */
static bool
TakesShortHeaders(Oid baseType)
{
	switch (baseType)
	{
		case TEXTOID:
		case VARCHAROID:
		case BPCHAROID:
		case BYTEAOID:
		case JSONOID:
		case XMLOID:
			return true;
		default:
			return false;
	}
}

/*
 * A type with domains resolved.  None of the types that PostgreSQL's own OIDs are
 * given to is a domain, so these need not be looked up: readers are made anew
 * whenever a table's columns may have changed, for single rows, too.
 */
static Oid
BaseTypeOf(Oid typeOid)
{
	return typeOid < FirstGenbkiObjectId ? typeOid : getBaseType(typeOid);
}

/*
 * Describe an attribute.  Of a dropped one the type is no longer known; its
 * description serves to skip over it only.
 */
void
RetlColumnTypeInit(RetlColumnType *type, Form_pg_attribute attribute)
{
	memset(type, 0, sizeof(*type));
	type->baseType = attribute->attisdropped ? InvalidOid : BaseTypeOf(attribute->atttypid);
	type->typeLength = attribute->attlen;
	type->byValue = attribute->attbyval;
	type->align = attribute->attalign;
	type->shortHeader = TakesShortHeaders(type->baseType);
	type->physType = PhysTypeOf(attribute->attlen, attribute->attbyval, type->baseType);
	type->width = attribute->attlen > 0 ? (uint16) attribute->attlen : 0;
	type->keyKind = KeyKindOfBaseType(type->baseType);
}

/* See column_type.h. */
RetlKeyKind
RetlKeyKindOfType(Oid typeOid)
{
	return KeyKindOfBaseType(BaseTypeOf(typeOid));
}
