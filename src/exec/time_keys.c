/*-------------------------------------------------------------------------
 *
 * time_keys.c
 *	  Keys of another date or time type than their column.
 *
 * PostgreSQL compares a date with a timestamp by making the date a timestamp,
 * and either with a timestamptz by making it one in the session's time zone.
 * What the column is converted to rises with the column in the first case, so
 * the key can be converted in the other direction.  If the column is the
 * timestamptz, it is the key that is converted anyway.  But where the column is
 * local time and the key is not, there are hours that the one counts twice or
 * leaves out: such a key is the universal time, which is only so many days off
 * (ZoneDays).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "datatype/timestamp.h"
#include "utils/date.h"
#include "utils/timestamp.h"

#include "exec/exec.h"

/* Above every finite value and below infinity. */
#define BEYOND_FINITE	(PG_INT64_MAX - 1)
#define BELOW_FINITE	(PG_INT64_MIN + 1)

/* Is this date, timestamp or timestamptz? */
static bool
IsTimeType(Oid type)
{
	return type == DATEOID || type == TIMESTAMPOID || type == TIMESTAMPTZOID;
}

/* Are these two of date, timestamp and timestamptz, and different ones? */
bool
RetlAreTimeTypes(Oid columnType, Oid keyType)
{
	return columnType != keyType && IsTimeType(columnType) && IsTimeType(keyType);
}

/* Is "column op key" decided by the converted key exactly? */
bool
RetlTimeKeyIsExact(Oid columnType, Oid keyType)
{
	return columnType == TIMESTAMPTZOID || keyType != TIMESTAMPTZOID;
}

/* A date or timestamp as what a timestamp or timestamptz is compared with. */
static int64
KeyAsTimestamp(Oid columnType, Oid keyType, Datum value)
{
	int			overflow = 0;
	int64		result;

	if (columnType == TIMESTAMPOID)
		result = date2timestamp_opt_overflow(DatumGetDateADT(value), &overflow);
	else if (keyType == DATEOID)
		result = date2timestamptz_opt_overflow(DatumGetDateADT(value), &overflow);
	else
		result = timestamp2timestamptz_opt_overflow(DatumGetTimestamp(value), &overflow);

	if (overflow != 0)
		return overflow > 0 ? BEYOND_FINITE : BELOW_FINITE;
	return result;
}

/* The day a timestamp is in; infinity stays infinity. */
static DateADT
DayOfTimestamp(Timestamp timestamp)
{
	int64		day;

	if (TIMESTAMP_IS_NOBEGIN(timestamp))
		return DATEVAL_NOBEGIN;
	if (TIMESTAMP_IS_NOEND(timestamp))
		return DATEVAL_NOEND;
	day = timestamp / USECS_PER_DAY;
	if (timestamp % USECS_PER_DAY < 0)
		day--;
	return (DateADT) day;
}

/*
 * Compare dates with a timestamp: one that is not midnight is after its day and
 * before the next.
 */
static void
CompareWithDay(Timestamp timestamp, RetlTimeKey *key)
{
	bool		isDay = TIMESTAMP_NOT_FINITE(timestamp) || timestamp % USECS_PER_DAY == 0;

	key->value = DateADTGetDatum(DayOfTimestamp(timestamp));
	if (isDay)
		return;
	switch (key->op)
	{
		case RETL_LT:
		case RETL_LE:
			key->op = RETL_LE;
			break;
		case RETL_GT:
		case RETL_GE:
			key->op = RETL_GT;
			break;
		case RETL_EQ:
			key->never = true;
			break;
		default:
			key->always = true;
			break;
	}
}

/*
 * How many days may the session's local time be off?  No zone of the time zone database
 * is a day away, while "SET timezone = 167" is taken, and daylight saving comes to that.
 * Only the names of zones that are made up in such ways must have digits.
 */
static int
ZoneDays(void)
{
	return strpbrk(pg_get_timezone_name(session_timezone), "0123456789") == NULL ? 1 : 8;
}

/* Make a key one of the column's type; the types are time types. */
void
RetlConvertTimeKey(Oid columnType, Oid keyType, RetlFilterOp op, Datum value, RetlTimeKey *key)
{
	memset(key, 0, sizeof(*key));
	key->op = op;

	if (!RetlTimeKeyIsExact(columnType, keyType))
	{
		TimestampTz time = DatumGetTimestampTz(value);

		if (columnType == DATEOID)
		{
			key->value = DateADTGetDatum(DayOfTimestamp(time));
			key->widen = ZoneDays() + 1;
		}
		else
		{
			key->value = TimestampGetDatum(time);
			key->widen = ZoneDays() * USECS_PER_DAY;
		}
	}
	else if (columnType == DATEOID)
		CompareWithDay(DatumGetTimestamp(value), key);
	else
		key->value = Int64GetDatum(KeyAsTimestamp(columnType, keyType, value));
}
