/*-------------------------------------------------------------------------
 *
 * filter.h
 *	  What the filters of encodings look for, and selections.  Pure C.
 *
 * A filter is a condition on one non-null value.  Its constants are values as
 * they are stored in the column, so nothing needs converting when pieces are
 * filtered.  A selection is an array of 64-bit words, bit i % 64 of word i / 64
 * for value (or row) i; filters only ever clear bits.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_FILTER_H
#define RETLDB_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where encodings get memory from. */
typedef struct RetlArena
{
	void	   *(*allocate) (void *context, size_t size);
	void	   *context;
} RetlArena;

static inline void *
RetlArenaAlloc(const RetlArena *arena, size_t size)
{
	return arena->allocate(arena->context, size);
}

/* Words of a selection. */
static inline uint32_t
RetlSelectionWords(uint32_t count)
{
	return (count + 63) / 64;
}

static inline bool
RetlIsSelected(const uint64_t *selected, uint32_t i)
{
	return (selected[i / 64] >> (i % 64) & 1) != 0;
}

/* How values compare. */
typedef enum RetlOrder
{
	RETL_ORDER_NONE,			/* only the predicate knows */
	RETL_ORDER_SIGNED,			/* RETL_PHYS_INT */
	RETL_ORDER_UNSIGNED,		/* RETL_PHYS_INT: bool, "char", oid */
	RETL_ORDER_FLOAT,			/* RETL_PHYS_FLOAT; -0 equals 0; NaN equals NaN and
								 * is above all, as PostgreSQL has it */
	RETL_ORDER_BYTES,			/* bytewise, the shorter one first when one begins
								 * with the other; FIXED and BYTES */
	RETL_ORDER_NUMERIC			/* RETL_PHYS_BYTES: PostgreSQL's numeric */
} RetlOrder;

typedef enum RetlFilterOp
{
	RETL_LT, RETL_LE, RETL_EQ, RETL_GE, RETL_GT, RETL_NE,	/* value op constant */
	RETL_BETWEEN,				/* constants[0] <= value <= constants[1] */
	RETL_IN,					/* value is among the constants */
	RETL_PREDICATE				/* the predicate says so */
} RetlFilterOp;

typedef struct RetlFilterConstant
{
	const uint8_t *data;		/* not aligned */
	uint32_t	length;			/* for INT, FLOAT and FIXED the width of the type */
} RetlFilterConstant;

typedef struct RetlFilter
{
	RetlFilterOp op;
	RetlOrder	order;
	uint32_t	constantCount;	/* 1; 2 for BETWEEN; any for IN; 0 for PREDICATE */
	const RetlFilterConstant *constants;	/* for IN rising and all different, in
											 * the filter's order */

	/*
	 * Says whether a value passes, whatever the op: always there for encodings
	 * that cannot compare (numeric, say) but have few different values.  NULL
	 * if there is none.  May be called for any value that was selected on
	 * entry, once or several times; may raise a PostgreSQL error.
	 */
	bool		(*predicate) (void *context, const uint8_t *value, size_t length);
	void	   *predicateContext;
} RetlFilter;

/*
 * What an encoding keeps between the pieces of one chunk for one filter: which
 * codes of a dictionary pass, for instance.  Zeroed by the caller for each
 * chunk and each change of the filter's constants, but for the arena, whose
 * memory lives as long as the memo does.
 */
typedef struct RetlFilterMemo
{
	void	   *data;			/* the encoding's own */
	const RetlArena *arena;
} RetlFilterMemo;

#endif							/* RETLDB_FILTER_H */
