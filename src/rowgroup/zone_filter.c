/*-------------------------------------------------------------------------
 *
 * zone_filter.c
 *	  Can a row group or vector with these statistics hold a matching row?
 *
 * The answer is one-sided.  "No" means that the condition is false or null for
 * every row the zone describes; everything that is not known for certain
 * answers "maybe".  Three things make that sound:
 *
 * - comparisons are strict, so null rows never match one;
 * - keys are a monotone mapping, possibly of a prefix only: from
 *	 key(a) > key(b) follows a > b, but from key(a) = key(b) follows a = b only
 *	 if both keys are exact;
 * - keys of different kinds are not comparable and are never compared.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "rowgroup/zone_filter.h"

/*
 * Test of a comparison against the range of the non-null values, which is
 * known and in keys of the same kind.
 */
static bool
RangeMayMatch(const RetlZoneFilter *test, const RetlZone *zone)
{
	int			minOrder = memcmp(zone->min, test->key, RETLDB_KEY_LENGTH);
	int			maxOrder = memcmp(zone->max, test->key, RETLDB_KEY_LENGTH);
	bool		exact = test->keyExact && (zone->flags & RETL_ZONE_EXACT) != 0;

	switch (test->kind)
	{
		case RETL_TEST_LT:
			return minOrder < 0 || (minOrder == 0 && !exact);
		case RETL_TEST_LE:
			return minOrder <= 0;
		case RETL_TEST_EQ:
			return minOrder <= 0 && maxOrder >= 0;
		case RETL_TEST_GE:
			return maxOrder >= 0;
		case RETL_TEST_GT:
			return maxOrder > 0 || (maxOrder == 0 && !exact);
		case RETL_TEST_NE:
			return minOrder != 0 || maxOrder != 0 || !exact;
		case RETL_TEST_PREFIX:
			return memcmp(zone->min, test->key, test->keyLength) <= 0 &&
				memcmp(zone->max, test->key, test->keyLength) >= 0;
		default:
			return true;
	}
}

/*
 * May a row of a zone match the test?  rowCount is the number of rows the zone
 * describes, null ones included.
 */
bool
RetlZoneTestMayMatch(const RetlZoneFilter *test, const RetlZone *zone, uint32 rowCount)
{
	switch (test->kind)
	{
		case RETL_TEST_ALWAYS:
			return true;
		case RETL_TEST_NEVER:
			return false;
		case RETL_TEST_IS_NULL:
			return zone->nullCount > 0;
		case RETL_TEST_IS_NOT_NULL:
			return zone->nullCount < rowCount;
		case RETL_TEST_LT:
		case RETL_TEST_LE:
		case RETL_TEST_EQ:
		case RETL_TEST_GE:
		case RETL_TEST_GT:
		case RETL_TEST_NE:
		case RETL_TEST_PREFIX:
			if (zone->nullCount >= rowCount)
				return false;
			if ((zone->flags & RETL_ZONE_HAS_RANGE) == 0 ||
				zone->keyKind != test->keyKind)
				return true;
			return RangeMayMatch(test, zone);
		case RETL_TEST_AND:
		case RETL_TEST_OR:
			break;
	}

	/* not tests of one column */
	Assert(false);
	return true;
}

/* Test of one column; the zone comes from the source. */
static bool
TestMayMatch(const RetlZoneFilter *test, RetlZoneSource source, RetlBloomSource bloom,
			 void *context)
{
	RetlZone	zone;
	uint32		rowCount;

	if (source(context, test->attnum, &zone, &rowCount) &&
		!RetlZoneTestMayMatch(test, &zone, rowCount))
		return false;
	if (bloom == NULL || test->kind != RETL_TEST_EQ || !test->hasHash)
		return true;
	return bloom(context, test->attnum, test->keyKind, test->hash);
}

/*
 * May a row match?  A NULL filter always may.  Columns are asked for one by
 * one in the order of the tree, and no more than are needed for the answer.
 */
bool
RetlZoneFilterMayMatchBloom(const RetlZoneFilter *filter, RetlZoneSource source,
							RetlBloomSource bloom, void *context)
{
	int			i;

	if (filter == NULL)
		return true;

	switch (filter->kind)
	{
		case RETL_TEST_ALWAYS:
			return true;
		case RETL_TEST_NEVER:
			return false;
		case RETL_TEST_AND:
			for (i = 0; i < filter->argCount; i++)
			{
				if (!RetlZoneFilterMayMatchBloom(filter->args[i], source, bloom, context))
					return false;
			}
			return true;
		case RETL_TEST_OR:
			for (i = 0; i < filter->argCount; i++)
			{
				if (RetlZoneFilterMayMatchBloom(filter->args[i], source, bloom, context))
					return true;
			}
			return false;
		default:
			return TestMayMatch(filter, source, bloom, context);
	}
}

/* See zone_filter.h. */
bool
RetlZoneFilterMayMatch(const RetlZoneFilter *filter, RetlZoneSource source, void *context)
{
	return RetlZoneFilterMayMatchBloom(filter, source, NULL, context);
}

/* See zone_filter.h. */
bool
RetlZoneFilterHasHash(const RetlZoneFilter *filter)
{
	if (filter->kind == RETL_TEST_AND || filter->kind == RETL_TEST_OR)
	{
		for (int i = 0; i < filter->argCount; i++)
			if (RetlZoneFilterHasHash(filter->args[i]))
				return true;
		return false;
	}
	return filter->kind == RETL_TEST_EQ && filter->hasHash;
}
