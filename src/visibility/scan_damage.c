/*-------------------------------------------------------------------------
 *
 * scan_damage.c
 *	  Passing over damaged row groups, for retldb.skip_damaged_groups.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

#include "visibility/anchor.h"
#include "visibility/table_scan_state.h"

/*
 * See whether the current group is visible, and if so check all that the caller
 * may ask of it; NULL or what is wrong.
 */
static char *
CheckGroup(RetlTableScan *scan, bool *visible)
{
	TupleDesc	tupdesc = RelationGetDescr(scan->rel);

	*visible = RetlAnchorIsVisible(scan->rel, &scan->group->entry, scan->snapshot, scan->anchor);
	if (!*visible)
		return NULL;
	RetlGroupReaderOpen(scan->reader, &scan->group->entry);
	for (AttrNumber attnum = 1; attnum <= tupdesc->natts; attnum++)
	{
		char	   *problem;

		if (TupleDescAttr(tupdesc, attnum - 1)->attisdropped ||
			(scan->columns != NULL && !bms_is_member(attnum, scan->columns)))
			continue;
		problem = RetlGroupReaderVerifyColumn(scan->reader, attnum);
		if (problem != NULL)
			return psprintf("column \"%s\": %s",
							NameStr(TupleDescAttr(tupdesc, attnum - 1)->attname), problem);
	}
	return NULL;
}

/*
 * Give up the reader: one that has raised an error cannot be used again.
 */
static void
RenewReader(RetlTableScan *scan)
{
	MemoryContext oldContext = MemoryContextSwitchTo(scan->context);

	RetlGroupReaderFree(scan->reader);
	scan->reader = RetlGroupReaderCreate(scan->rel, scan->strategy, &scan->stats.read);
	MemoryContextSwitchTo(oldContext);
}

/*
 * For retldb.skip_damaged_groups: is the current group sound, and visible?
 * Errors that are raised by damage count, too, and are caught in a
 * subtransaction.
 */
bool
RetlScanGroupIsSound(RetlTableScan *scan, bool *visible)
{
	MemoryContext oldContext = CurrentMemoryContext;
	ResourceOwner oldOwner = CurrentResourceOwner;
	char	   *problem = NULL;

	/* the subtransaction's resource owner does not know the pins of streams */
	RetlGroupReaderUseStreams(scan->reader, false);
	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(oldContext);
	PG_TRY();
	{
		problem = CheckGroup(scan, visible);
		ReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(oldContext);
		CurrentResourceOwner = oldOwner;
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(oldContext);
		error = CopyErrorData();
		if (error->sqlerrcode != ERRCODE_DATA_CORRUPTED)
			PG_RE_THROW();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(oldContext);
		CurrentResourceOwner = oldOwner;
		problem = error->message;
		RenewReader(scan);
	}
	PG_END_TRY();

	if (problem == NULL)
		return true;
	ereport(WARNING,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("skipping damaged row group %llu of table \"%s\"",
					(unsigned long long) scan->group->entry.groupId,
					RelationGetRelationName(scan->rel)),
			 errdetail("Found: %s.", problem)));
	scan->stats.groupsDamaged++;
	return false;
}
