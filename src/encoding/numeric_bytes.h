/*-------------------------------------------------------------------------
 *
 * numeric_bytes.h
 *	  PostgreSQL's numeric as it is stored: understanding and comparing the
 *	  bytes.  Pure C.
 *
 * The bytes are those of docs/format.md, "numeric", without varlena header.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_NUMERIC_BYTES_H
#define RETLDB_NUMERIC_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Digits are to this base. */
#define RETLDB_NUMERIC_BASE		10000

/* Of the head: special values, and the parts of the short form. */
#define RETLDB_NUMERIC_SPECIAL			0xC000
#define RETLDB_NUMERIC_NAN				0xC000
#define RETLDB_NUMERIC_INFINITY			0xD000
#define RETLDB_NUMERIC_MINUS_INFINITY	0xF000
#define RETLDB_NUMERIC_SHORT			0x8000
#define RETLDB_NUMERIC_SHORT_NEGATIVE	0x2000
#define RETLDB_NUMERIC_SCALE_SHIFT		7
#define RETLDB_NUMERIC_SHORT_SCALE		0x3F	/* largest scale of the short form */

typedef enum RetlNumericClass
{
	RETL_NUMERIC_BROKEN,		/* no numeric; ordered first, to have an order */
	RETL_NUMERIC_MINUS_INFINITY,
	RETL_NUMERIC_FINITE,
	RETL_NUMERIC_INFINITY,
	RETL_NUMERIC_NAN
} RetlNumericClass;

/* The parts of a numeric. */
typedef struct RetlNumeric
{
	RetlNumericClass class;

	/* of finite ones: digit i counts 10000 ^ (weight - i) */
	bool		negative;
	bool		shortForm;
	int			scale;			/* decimal places shown */
	int			weight;
	uint32_t	digitCount;		/* as stored */
	const uint8_t *digits;		/* u16 each, not aligned */
} RetlNumeric;

/* Understand the bytes; those that are no numeric are RETL_NUMERIC_BROKEN. */
extern void RetlNumericParse(RetlNumeric *numeric, const uint8_t *bytes, size_t length);

/*
 * Negative, 0 or positive, as PostgreSQL compares numerics: -infinity, numbers,
 * infinity, NaN, which equals itself; display scales do not count.
 */
extern int	RetlCompareNumeric(const uint8_t *a, size_t aLength,
							   const uint8_t *b, size_t bLength);

/*
 * The largest integer n that is not above numeric * 10^scale, in INT64_MIN to
 * INT64_MAX; *exact says whether it equals it.  Returns -1 if all such integers
 * are above it, 1 if all are below it, else 0.
 */
extern int	RetlNumericFloor(const uint8_t *bytes, size_t length, unsigned scale,
							 int64_t *floor, bool *exact);

#endif							/* RETLDB_NUMERIC_BYTES_H */
