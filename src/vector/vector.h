/*-------------------------------------------------------------------------
 *
 * vector.h
 *	  A decoded vector: up to RETLDB_MAX_VECTOR_ROWS values of one column.
 *
 * Values are spread over row positions, so that row i of the vector is entry i
 * whether or not rows before it are null.  Fixed-width values stand in "fixed"
 * in the width of the type; variable-length ones are complete PostgreSQL
 * values that "pointers" points to: with a short header, or aligned with a long
 * one.  Rows with the same value may point to the same place.  All memory
 * belongs to whoever made the vector and lives until it makes the next one.
 *
 * A large value of some types stands there as a pointer to a read-only expanded
 * object (VARATT_IS_EXTERNAL), which reads the value when it is detoasted: as
 * with values of the row store, look at the bytes only after
 * PG_DETOAST_DATUM_PACKED or the like.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_VECTOR_H
#define RETLDB_VECTOR_H

#include "postgres.h"

#include "access/tupmacs.h"

typedef struct RetlVector
{
	uint32		firstRow;		/* of the row group */
	uint32		rowCount;
	int16		typeLength;		/* pg_attribute.attlen: > 0, -1 or -2 */
	bool		byValue;		/* pg_attribute.attbyval */
	bool	   *nulls;			/* [rowCount], or NULL if there is none */
	char	   *fixed;			/* typeLength > 0, and pointers is NULL: [rowCount *
								 * typeLength], MAXALIGNed start */
	char	  **pointers;		/* [rowCount] if typeLength < 0, and for by-reference
								 * types whose length is no multiple of their
								 * alignment (timetz, macaddr); else NULL */
} RetlVector;

/* The value of a row of the vector; by-reference values point into the vector. */
static inline Datum
RetlVectorGetDatum(const RetlVector *vector, uint32 row, bool *isnull)
{
	Assert(row < vector->rowCount);

	if (vector->nulls != NULL && vector->nulls[row])
	{
		*isnull = true;
		return (Datum) 0;
	}
	*isnull = false;
	if (vector->pointers != NULL)
		return PointerGetDatum(vector->pointers[row]);
	return fetch_att(vector->fixed + (size_t) row * vector->typeLength,
					 vector->byValue, vector->typeLength);
}

#endif							/* RETLDB_VECTOR_H */
