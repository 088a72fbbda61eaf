/*-------------------------------------------------------------------------
 *
 * zone_filter.h
 *	  Can a row group or vector with these statistics hold a matching row?
 *
 * A filter is a tree of AND, OR and tests of one column each.  It is made by
 * the planner side, its keys are filled in before each (re)scan, and it is
 * evaluated here on zones.  The answer is one-sided: "no" is certain, "maybe"
 * is not.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_ZONE_FILTER_H
#define RETLDB_ZONE_FILTER_H

#include "postgres.h"

#include "access/attnum.h"

#include "format/format.h"

typedef enum RetlZoneTestKind
{
	RETL_TEST_ALWAYS,			/* nothing known: maybe */
	RETL_TEST_NEVER,			/* comparison with null: no row matches */
	RETL_TEST_LT,
	RETL_TEST_LE,
	RETL_TEST_EQ,
	RETL_TEST_GE,
	RETL_TEST_GT,
	RETL_TEST_NE,				/* by zones: not all values are this one */
	RETL_TEST_PREFIX,			/* text or bytea that begins with the key */
	RETL_TEST_IS_NULL,
	RETL_TEST_IS_NOT_NULL,
	RETL_TEST_AND,
	RETL_TEST_OR
} RetlZoneTestKind;

typedef struct RetlZoneFilter
{
	RetlZoneTestKind kind;
	/* tests */
	AttrNumber	attnum;
	RetlKeyKind keyKind;		/* zones of another kind answer "maybe" */
	bool		keyExact;		/* key was made of the whole constant */
	uint8		keyLength;		/* PREFIX: bytes of it */
	uint8		key[RETLDB_KEY_LENGTH];
	bool		hasHash;		/* EQ: hash of the value, for blooms */
	uint64		hash;
	struct RetlColumnTest *test;	/* the same on vectors, exactly; NULL: none */
	/* AND, OR */
	int			argCount;
	struct RetlZoneFilter **args;
} RetlZoneFilter;

/* Where the evaluation gets zones from; false = nothing known of this column. */
typedef bool (*RetlZoneSource) (void *context, AttrNumber attnum, RetlZone *zone, uint32 *rowCount);

/* Where it asks for a value by its hash: may there be a row that has it? */
typedef bool (*RetlBloomSource) (void *context, AttrNumber attnum, RetlKeyKind keyKind,
								 uint64 hash);

/* May a row match?  A NULL filter always may. */
extern bool RetlZoneFilterMayMatch(const RetlZoneFilter *filter, RetlZoneSource source, void *context);

/* Same, with Bloom filters for equality that zones do not rule out. */
extern bool RetlZoneFilterMayMatchBloom(const RetlZoneFilter *filter, RetlZoneSource source,
										RetlBloomSource bloom, void *context);

/* Is there anything in it to ask Bloom filters for? */
extern bool RetlZoneFilterHasHash(const RetlZoneFilter *filter);

/* Test of one column against one zone. */
extern bool RetlZoneTestMayMatch(const RetlZoneFilter *test, const RetlZone *zone, uint32 rowCount);

#endif							/* RETLDB_ZONE_FILTER_H */
