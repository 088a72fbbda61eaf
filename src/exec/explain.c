/*-------------------------------------------------------------------------
 *
 * explain.c
 *	  What EXPLAIN shows of a columnar scan.
 *
 *	Columns: a, b (2 of 39)			read, of those the table has
 *	Skip Cond: (a > 10)				what zone maps are asked
 *
 * and with ANALYZE, added up over all loops and workers,
 *
 *	Row Groups: 25 total, 22 skipped, 3 read
 *	Vectors: 1600 total, 1500 skipped, 100 read
 *	Row Store Rows: 12
 *	Bytes Read: 345 kB
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

#include "exec/exec.h"

/* Names of the columns that are read, in the table's order. */
static List *
ColumnNames(RetlScanState *state, TupleDesc tupdesc)
{
	List	   *names = NIL;
	int			attnum = -1;

	while ((attnum = bms_next_member(state->attnums, attnum)) >= 0)
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

/* "Columns": a list of names, which in text is cut short where it is all. */
static void
ShowColumns(RetlScanState *state, ExplainState *es)
{
	TupleDesc	tupdesc = RelationGetDescr(state->css.ss.ss_currentRelation);
	List	   *names = ColumnNames(state, tupdesc);
	int			total = CountColumns(tupdesc);
	StringInfoData text;
	ListCell   *lc;

	if (es->format != EXPLAIN_FORMAT_TEXT)
	{
		ExplainPropertyList("Columns", names, es);
		ExplainPropertyInteger("Table Columns", NULL, total, es);
		return;
	}

	initStringInfo(&text);
	if (names == NIL)
		appendStringInfoString(&text, "none");
	else if (list_length(names) == total && total > 1)
		appendStringInfoString(&text, "all");
	else
	{
		foreach(lc, names)
			appendStringInfo(&text, "%s%s", text.len > 0 ? ", " : "",
							 quote_identifier(lfirst(lc)));
	}
	appendStringInfo(&text, " (%d of %d)", list_length(names), total);
	ExplainPropertyText("Columns", text.data, es);
}

/* "Skip Cond": the conditions that the skip tests stand for. */
static void
ShowSkipCondition(RetlScanState *state, List *ancestors, ExplainState *es)
{
	CustomScan *plan = (CustomScan *) state->css.ss.ps.plan;
	int			keyCount = intVal(list_nth(plan->custom_private, RETL_PRIVATE_KEY_COUNT));
	List	   *conditions = list_copy_tail(plan->custom_exprs, keyCount);
	List	   *context;
	char	   *text;

	if (conditions == NIL)
		return;

	context = set_deparse_context_plan(es->deparse_cxt, &plan->scan.plan, ancestors);
	text = deparse_expression((Node *) make_ands_explicit(conditions), context,
							  es->verbose, false);
	ExplainPropertyText("Skip Cond", text, es);
}

/* Row groups that were read, at least in part. */
static uint64
GroupsRead(const RetlScanStats *stats)
{
	return stats->groupsTotal - stats->groupsSkipped - stats->groupsDamaged;
}

/* Counters in text format. */
static void
ShowCountersAsText(const RetlScanStats *stats, ExplainState *es)
{
	char	   *text;

	text = psprintf(UINT64_FORMAT " total, " UINT64_FORMAT " skipped, " UINT64_FORMAT " read",
					stats->groupsTotal, stats->groupsSkipped, GroupsRead(stats));
	if (stats->groupsDamaged > 0)
		text = psprintf("%s, " UINT64_FORMAT " damaged", text, stats->groupsDamaged);
	ExplainPropertyText("Row Groups", text, es);

	text = psprintf(UINT64_FORMAT " total, " UINT64_FORMAT " skipped, " UINT64_FORMAT " read",
					stats->vectorsTotal, stats->vectorsSkipped, stats->vectorsRead);
	ExplainPropertyText("Vectors", text, es);

	ExplainPropertyUInteger("Row Store Rows", NULL, stats->rowStoreRows, es);
	ExplainPropertyUInteger("Bytes Read", "kB", (stats->read.bytesRead + 1023) / 1024, es);
}

/* Counters in the other formats. */
static void
ShowCounters(const RetlScanStats *stats, ExplainState *es)
{
	ExplainPropertyUInteger("Row Groups Total", NULL, stats->groupsTotal, es);
	ExplainPropertyUInteger("Row Groups Skipped", NULL, stats->groupsSkipped, es);
	ExplainPropertyUInteger("Row Groups Damaged", NULL, stats->groupsDamaged, es);
	ExplainPropertyUInteger("Row Groups Read", NULL, GroupsRead(stats), es);
	ExplainPropertyUInteger("Vectors Total", NULL, stats->vectorsTotal, es);
	ExplainPropertyUInteger("Vectors Skipped", NULL, stats->vectorsSkipped, es);
	ExplainPropertyUInteger("Vectors Read", NULL, stats->vectorsRead, es);
	ExplainPropertyUInteger("Vectors Decoded", NULL, stats->read.vectorsDecoded, es);
	ExplainPropertyUInteger("Row Store Rows", NULL, stats->rowStoreRows, es);
	ExplainPropertyUInteger("Bytes Read", "kB", (stats->read.bytesRead + 1023) / 1024, es);
}

/* Show a columnar scan's own properties. */
void
RetlScanExplain(CustomScanState *node, List *ancestors, ExplainState *es)
{
	RetlScanState *state = (RetlScanState *) node;
	RetlScanStats stats = state->pastStats;

	ShowColumns(state, es);
	ShowSkipCondition(state, ancestors, es);

	if (!es->analyze)
		return;
	if (state->scan != NULL)
		RetlScanStatsAdd(&stats, RetlTableScanGetStats(state->scan));
	if (es->format == EXPLAIN_FORMAT_TEXT)
		ShowCountersAsText(&stats, es);
	else
		ShowCounters(&stats, es);
}
