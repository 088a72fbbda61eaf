/*-------------------------------------------------------------------------
 *
 * cache_stats.c
 *	  What the cache of this session holds, and how it was used.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "fmgr.h"
#include "funcapi.h"

#include "base/settings.h"
#include "rowgroup/read_cache.h"

PG_FUNCTION_INFO_V1(retldb_cache_stats);

/* SQL function cache_stats(): one row of counters, see read_cache.h. */
Datum
retldb_cache_stats(PG_FUNCTION_ARGS)
{
	RetlCacheStats stats;
	TupleDesc	tupdesc;
	Datum		values[7];
	bool		nulls[7] = {false};

	if (get_call_result_type(fcinfo, NULL, &tupdesc) != TYPEFUNC_COMPOSITE)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("function returning record called in context that cannot accept type record")));

	RetlCacheGetStats(&stats);
	values[0] = Int64GetDatum((int64) stats.hits);
	values[1] = Int64GetDatum((int64) stats.misses);
	values[2] = Int64GetDatum((int64) stats.admissions);
	values[3] = Int64GetDatum((int64) stats.evictions);
	values[4] = Int64GetDatum((int64) stats.entries);
	values[5] = Int64GetDatum((int64) stats.bytes);
	values[6] = Int64GetDatum((int64) retldb_cache_size * 1024);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(tupdesc, values, nulls)));
}
