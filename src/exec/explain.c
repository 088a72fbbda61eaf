/*-------------------------------------------------------------------------
 *
 * explain.c
 *	  What EXPLAIN shows of a columnar scan.
 *
 *	Vector Filter: (a > 10)			pushed conditions (exec.h)
 *	Columns: a, b (2 of 39)			read, of those the table has
 *	Runtime Filter: b				compared with keys of hash joins above, once
 *									these are known
 *	Skip Cond: (a > 10)				what zone maps are asked
 *	Not Pushed: (b + 1 > a): why	with VERBOSE: why a condition is in "Filter"
 *
 * and with ANALYZE, added up over all loops and workers,
 *
 *	Row Groups: 25 total, 22 skipped, 3 read
 *	Vectors: 1600 total, 1500 skipped, 60 filtered empty, 40 read
 *	Rows Removed by Runtime Filter: 7
 *	Encoded Filters: 100			column tests x vectors on encoded data
 *	Values Fetched: 12				taken one by one
 *	Row Store Rows: 12
 *	Cache Hits: 3					vectors
 *	Bytes Read: 345 kB
 *
 * where what is zero and says nothing new is left out.
 *
 * Other formats have a property for each number.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "commands/explain.h"
#include "lib/stringinfo.h"
#include "nodes/makefuncs.h"
#include "utils/builtins.h"
#include "utils/rel.h"
#include "utils/ruleutils.h"

#include "base/compat.h"
#include "exec/exec.h"

/* Names of columns, in the table's order. */
static List *
ColumnNames(Bitmapset *attnums, TupleDesc tupdesc)
{
	List	   *names = NIL;
	int			attnum = -1;

	while ((attnum = bms_next_member(attnums, attnum)) >= 0)
		names = lappend(names, NameStr(TupleDescAttr(tupdesc, attnum - 1)->attname));
	return names;
}

/* Number of columns of a table. */
static int
CountColumns(TupleDesc tupdesc)
{
	int			count = 0;
	int			i;

	for (i = 0; i < tupdesc->natts; i++)
	{
		if (!TupleDescAttr(tupdesc, i)->attisdropped)
			count++;
	}
	return count;
}

/* A list of names in text format. */
static char *
NamesAsText(List *names)
{
	StringInfoData text;
	ListCell   *lc;

	initStringInfo(&text);
	foreach(lc, names)
		appendStringInfo(&text, "%s%s", text.len > 0 ? ", " : "", quote_identifier(lfirst(lc)));
	return text.data;
}

/* "Columns": a list of names, which in text is cut short where it is all. */
static void
ShowColumns(RetlScanState *state, ExplainState *es)
{
	TupleDesc	tupdesc = RelationGetDescr(state->css.ss.ss_currentRelation);
	List	   *names = ColumnNames(state->attnums, tupdesc);
	int			total = CountColumns(tupdesc);
	const char *text;

	if (es->format != EXPLAIN_FORMAT_TEXT)
	{
		ExplainPropertyList("Columns", names, es);
		ExplainPropertyInteger("Table Columns", NULL, total, es);
		return;
	}

	if (names == NIL)
		text = "none";
	else if (list_length(names) == total && total > 1)
		text = "all";
	else
		text = NamesAsText(names);
	ExplainPropertyText("Columns", psprintf("%s (%d of %d)", text, list_length(names), total), es);
}

/* "Runtime Filter": columns whose values hash joins may turn away. */
static void
ShowRuntimeFilter(RetlScanState *state, ExplainState *es)
{
	TupleDesc	tupdesc = RelationGetDescr(state->css.ss.ss_currentRelation);
	List	   *names;

	if (state->runtimeFilter == NULL)
		return;
	names = ColumnNames(RetlRuntimeFilterColumns(state->runtimeFilter), tupdesc);
	if (es->format == EXPLAIN_FORMAT_TEXT)
		ExplainPropertyText("Runtime Filter", NamesAsText(names), es);
	else
		ExplainPropertyList("Runtime Filter", names, es);
}

/* Conditions of the plan as text. */
static char *
ConditionText(RetlScanState *state, Node *condition, List *ancestors, ExplainState *es)
{
	List	   *context = set_deparse_context_plan(es->deparse_cxt, state->css.ss.ps.plan,
												   ancestors);

	return deparse_expression(condition, context, es->verbose, false);
}

/* A property with conditions that are implicitly ANDed; none if there is none. */
static void
ShowConditions(const char *name, RetlScanState *state, List *conditions, List *ancestors,
			   ExplainState *es)
{
	if (conditions != NIL)
		ExplainPropertyText(name, ConditionText(state, (Node *) make_ands_explicit(conditions),
												ancestors, es), es);
}

/*
 * "Vector Filter" and "Skip Cond".  Core shows rows removed by the filter only
 * with a filter of its own.
 */
static void
ShowPushedConditions(RetlScanState *state, List *ancestors, ExplainState *es)
{
	CustomScan *plan = (CustomScan *) state->css.ss.ps.plan;
	int			keyCount = intVal(list_nth(plan->custom_private, RETL_PRIVATE_KEY_COUNT));
	int			pushedCount = intVal(list_nth(plan->custom_private, RETL_PRIVATE_PUSHED_COUNT));
	List	   *pushed = list_truncate(list_copy_tail(plan->custom_exprs, keyCount), pushedCount);
	Instrumentation *instrument = state->css.ss.ps.instrument;

	ShowConditions("Vector Filter", state, pushed, ancestors, es);
	if (es->analyze && instrument != NULL && pushed != NIL && plan->scan.plan.qual == NIL)
	{
		double		removed = instrument->nloops > 0 ?
			instrument->nfiltered1 / instrument->nloops : 0.0;

		if (removed > 0 || es->format != EXPLAIN_FORMAT_TEXT)
			ExplainPropertyFloat("Rows Removed by Filter", NULL, removed, 0, es);
	}
}

/* "Skip Cond": the conditions that zone maps are asked. */
static void
ShowSkipCondition(RetlScanState *state, List *ancestors, ExplainState *es)
{
	CustomScan *plan = (CustomScan *) state->css.ss.ps.plan;
	int			keyCount = intVal(list_nth(plan->custom_private, RETL_PRIVATE_KEY_COUNT));
	int			pushedCount = intVal(list_nth(plan->custom_private, RETL_PRIVATE_PUSHED_COUNT));

	ShowConditions("Skip Cond", state, list_copy_tail(plan->custom_exprs, keyCount + pushedCount),
				   ancestors, es);
}

/* "Not Pushed": each condition of the plan's qual, and why it is there. */
static void
ShowNotPushed(RetlScanState *state, List *ancestors, ExplainState *es)
{
	CustomScan *plan = (CustomScan *) state->css.ss.ps.plan;
	List	   *reasons = (List *) list_nth(plan->custom_private, RETL_PRIVATE_REASONS);
	List	   *texts = NIL;
	ListCell   *condition;
	ListCell   *reason;

	forboth(condition, plan->scan.plan.qual, reason, reasons)
	{
		char	   *text = psprintf("%s: %s", ConditionText(state, lfirst(condition), ancestors, es),
									strVal(lfirst(reason)));

		if (es->format == EXPLAIN_FORMAT_TEXT)
			ExplainPropertyText("Not Pushed", text, es);
		else
			texts = lappend(texts, text);
	}
	if (texts != NIL)
		ExplainPropertyList("Not Pushed", texts, es);
}

/* Row groups that were read, at least in part. */
static uint64
GroupsRead(const RetlScanStats *stats)
{
	return stats->groupsTotal - stats->groupsSkipped - stats->groupsDamaged;
}

/* Row groups in text format. */
static void
ShowGroupsAsText(const RetlScanStats *stats, ExplainState *es)
{
	StringInfoData text;

	initStringInfo(&text);
	appendStringInfo(&text, UINT64_FORMAT " total, " UINT64_FORMAT " skipped",
					 stats->groupsTotal, stats->groupsSkipped);
	if (stats->bloomGroups > 0)
		appendStringInfo(&text, " (" UINT64_FORMAT " by blooms)", stats->bloomGroups);
	appendStringInfo(&text, ", " UINT64_FORMAT " read", GroupsRead(stats));
	if (stats->groupsDamaged > 0)
		appendStringInfo(&text, ", " UINT64_FORMAT " damaged", stats->groupsDamaged);
	if (stats->groupsDeleted > 0)
		appendStringInfo(&text, ", " UINT64_FORMAT " deleted", stats->groupsDeleted);
	ExplainPropertyText("Row Groups", text.data, es);
}

/* Vectors in text format. */
static void
ShowVectorsAsText(const RetlScanStats *stats, ExplainState *es)
{
	StringInfoData text;

	initStringInfo(&text);
	appendStringInfo(&text, UINT64_FORMAT " total, " UINT64_FORMAT " skipped",
					 stats->vectorsTotal, stats->vectorsSkipped);
	if (stats->vectorsEmptied > 0)
		appendStringInfo(&text, ", " UINT64_FORMAT " filtered empty", stats->vectorsEmptied);
	appendStringInfo(&text, ", " UINT64_FORMAT " read",
					 stats->vectorsRead - stats->vectorsEmptied);
	ExplainPropertyText("Vectors", text.data, es);
}

/* A counter that says something only if it is not zero. */
static void
ShowCounterAsText(const char *name, uint64 value, ExplainState *es)
{
	if (value > 0)
		ExplainPropertyUInteger(name, NULL, value, es);
}

/* Counters in text format. */
static void
ShowCountersAsText(const RetlScanStats *stats, ExplainState *es)
{
	ShowGroupsAsText(stats, es);
	ShowVectorsAsText(stats, es);
	ShowCounterAsText("Rows Removed by Runtime Filter", stats->rowsRuntimeFiltered, es);
	ShowCounterAsText("Encoded Filters", stats->read.vectorsFiltered, es);
	ShowCounterAsText("Values Fetched", stats->read.valuesFetched, es);
	ExplainPropertyUInteger("Row Store Rows", NULL, stats->rowStoreRows, es);
	ShowCounterAsText("Cache Hits", stats->read.cacheHits, es);
	ShowCounterAsText("Vectors from Cache", stats->read.cachedVectors, es);
	ExplainPropertyUInteger("Bytes Read", "kB", (stats->read.bytesRead + 1023) / 1024, es);
}

/* Counters in the other formats. */
static void
ShowCounters(const RetlScanStats *stats, ExplainState *es)
{
	const RetlReadStats *read = &stats->read;

	ExplainPropertyUInteger("Row Groups Total", NULL, stats->groupsTotal, es);
	ExplainPropertyUInteger("Row Groups Skipped", NULL, stats->groupsSkipped, es);
	ExplainPropertyUInteger("Row Groups Skipped by Blooms", NULL, stats->bloomGroups, es);
	ExplainPropertyUInteger("Row Groups Damaged", NULL, stats->groupsDamaged, es);
	ExplainPropertyUInteger("Row Groups Deleted", NULL, stats->groupsDeleted, es);
	ExplainPropertyUInteger("Row Groups Read", NULL, GroupsRead(stats), es);
	ExplainPropertyUInteger("Vectors Total", NULL, stats->vectorsTotal, es);
	ExplainPropertyUInteger("Vectors Skipped", NULL, stats->vectorsSkipped, es);
	ExplainPropertyUInteger("Vectors Filtered Empty", NULL, stats->vectorsEmptied, es);
	ExplainPropertyUInteger("Vectors Read", NULL, stats->vectorsRead - stats->vectorsEmptied, es);
	ExplainPropertyUInteger("Vectors Decoded", NULL, read->vectorsDecoded, es);
	ExplainPropertyUInteger("Encoded Filters", NULL, read->vectorsFiltered, es);
	ExplainPropertyUInteger("Rows Filtered on Vectors", NULL, stats->rowsFiltered, es);
	ExplainPropertyUInteger("Rows Removed by Runtime Filter", NULL, stats->rowsRuntimeFiltered, es);
	ExplainPropertyUInteger("Values Fetched", NULL, read->valuesFetched, es);
	ExplainPropertyUInteger("Row Store Rows", NULL, stats->rowStoreRows, es);
	ExplainPropertyUInteger("Row Store Rows Filtered", NULL, stats->storeRowsFiltered, es);
	ExplainPropertyUInteger("Cache Hits", NULL, read->cacheHits, es);
	ExplainPropertyUInteger("Vectors from Cache", NULL, read->cachedVectors, es);
	ExplainPropertyUInteger("Bytes Read", "kB", (read->bytesRead + 1023) / 1024, es);
}

/* Show a columnar scan's own properties. */
void
RetlScanExplain(CustomScanState *node, List *ancestors, ExplainState *es)
{
	RetlScanState *state = (RetlScanState *) node;
	RetlScanStats stats = state->pastStats;

	ShowPushedConditions(state, ancestors, es);
	ShowColumns(state, es);
	ShowSkipCondition(state, ancestors, es);
	ShowRuntimeFilter(state, es);
	if (es->verbose || es->format != EXPLAIN_FORMAT_TEXT)
		ShowNotPushed(state, ancestors, es);

	if (!es->analyze)
		return;
	if (state->scan != NULL)
		RetlScanStatsAdd(&stats, RetlTableScanGetStats(state->scan));
	if (es->format == EXPLAIN_FORMAT_TEXT)
		ShowCountersAsText(&stats, es);
	else
		ShowCounters(&stats, es);
}
