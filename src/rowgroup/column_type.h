/*-------------------------------------------------------------------------
 *
 * column_type.h
 *	  From PostgreSQL's types to physical types and zone map keys.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_COLUMN_TYPE_H
#define RETLDB_COLUMN_TYPE_H

#include "postgres.h"

#include "catalog/pg_attribute.h"

#include "format/format.h"

/* How values of an attribute are stored. */
typedef struct RetlColumnType
{
	RetlPhysType physType;
	uint16		width;			/* 0 for RETL_PHYS_BYTES */
	RetlKeyKind keyKind;
	Oid			baseType;		/* domains resolved */
	int16		typeLength;		/* attlen */
	bool		byValue;
	char		align;			/* attalign */
	bool		shortHeader;	/* values are handed out with short varlena headers
								 * where they are short enough */
} RetlColumnType;

/* Describe an attribute (dropped ones included: they look at attlen only). */
extern void RetlColumnTypeInit(RetlColumnType *type, Form_pg_attribute attribute);

/* Key kind of a type by its OID (domains are resolved), RETL_KEY_NONE if it has none. */
extern RetlKeyKind RetlKeyKindOfType(Oid typeOid);

/*
 * Zone map key of a value.  Returns whether it is exact: values with equal
 * exact keys are equal.  "value" must be detoasted for variable-length types.
 */
extern bool RetlZoneKeyFromDatum(RetlKeyKind kind, Oid baseType, Datum value,
								 uint8 key[RETLDB_KEY_LENGTH]);

/* Same for a value as it is stored (no varlena header), for the writer. */
extern bool RetlZoneKeyFromBytes(RetlKeyKind kind, RetlPhysType physType, uint16 width,
								 const void *data, Size length,
								 uint8 key[RETLDB_KEY_LENGTH]);

/* Hash of a value for Bloom filters (value_hash.h); the kind is not NONE. */
extern uint64 RetlHashFromDatum(RetlKeyKind kind, Oid baseType, Datum value);

#endif							/* RETLDB_COLUMN_TYPE_H */
