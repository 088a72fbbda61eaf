/*-------------------------------------------------------------------------
 *
 * verify_group.c
 *	  Second phase of retldb.verify: the row groups.
 *
 * A group that is COMPLETE and whose anchor is not dead is somebody's data:
 * each of its pages, its footer, its stub map, where its rows have gone, and, in a deep
 * verification, each of its columns is checked.  Other groups are being loaded, were aborted, or were
 * released; their pages need only be column pages, for what an aborted
 * transaction wrote may even have other columns than the table.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/procarray.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "rowgroup/group_reader.h"
#include "sql/verify_internal.h"
#include "storage/move_links.h"
#include "storage/stub_map.h"
#include "visibility/anchor.h"

/* A group under verification. */
typedef struct GroupCheck
{
	const RetlGroup *group;
	bool		anchored;		/* COMPLETE, and its anchor is not dead */
	RetlRun    *runs;
	int			runCount;
	uint32		usedPages;		/* pages that hold its byte string */

	/* progress through the pages, kept over steps that end in errors */
	uint32		pageIndex;
	uint32		pageEnd;

	/* the content */
	RetlGroupReader *reader;
	uint32		columnIndex;
	uint32		columnCount;
	const char *text;			/* what a check found */
} GroupCheck;

/*
 * Step: get the runs of the group and see whether it is somebody's data.
 */
static void
Prepare(RetlVerifyState *state, void *argument)
{
	GroupCheck *check = argument;
	const RetlGroupEntry *entry = &check->group->entry;
	bool		own;

	check->runs = RetlGroupGetRuns(state->rel, entry, &check->runCount);
	check->anchored = entry->state == RETL_GROUP_COMPLETE &&
		RetlAnchorVacuumState(state->rel, entry,
							  GetOldestNonRemovableTransactionId(state->rel),
							  &own) != HEAPTUPLE_DEAD;
	check->usedPages = check->anchored
		? (entry->dataLength + RETLDB_PAYLOAD_SIZE - 1) / RETLDB_PAYLOAD_SIZE : 0;
	for (int i = 0; i < check->runCount; i++)
		check->pageEnd += check->runs[i].length;
}

/* ---------------------------------------------------------------------
 * Pages
 * ---------------------------------------------------------------------
 */

/*
 * Block of a page of the group, which has it.
 */
static BlockNumber
BlockOfPage(const GroupCheck *check, uint32 index)
{
	int			i = 0;

	while (index >= check->runs[i].length)
		index -= check->runs[i++].length;
	Assert(i < check->runCount);
	return check->runs[i].start + index;
}

/*
 * Check one page of the group.
 */
static void
CheckPage(RetlVerifyState *state, const GroupCheck *check, Buffer *mapBuffer)
{
	const RetlGroupEntry *entry = &check->group->entry;
	uint32		index = check->pageIndex;
	uint64		offset = (uint64) index * RETLDB_PAYLOAD_SIZE;
	Buffer		buffer;

	RetlVerifyAt(state, BlockOfPage(check, index), entry->groupId, 0);
	buffer = ReadBufferExtended(state->rel, MAIN_FORKNUM, state->block, RBM_NORMAL,
								state->strategy);
	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	if (index < check->usedPages)
		(void) RetlVerifyPage(state, buffer, RETL_PAGE_DATA, entry->groupId, index,
							  Min(RETLDB_PAYLOAD_SIZE, entry->dataLength - offset), mapBuffer);
	else
		RetlVerifyAnyPage(state, buffer, mapBuffer);
	UnlockReleaseBuffer(buffer);
}

/*
 * Step: check the pages that have not been checked.
 */
static void
CheckRemainingPages(RetlVerifyState *state, void *argument)
{
	GroupCheck *check = argument;
	Buffer		mapBuffer = InvalidBuffer;

	for (; check->pageIndex < check->pageEnd; check->pageIndex++)
	{
		CHECK_FOR_INTERRUPTS();
		CheckPage(state, check, &mapBuffer);
	}
	if (BufferIsValid(mapBuffer))
		ReleaseBuffer(mapBuffer);
}

/*
 * Check all pages of the group, going on after each one that cannot be read.
 */
static void
CheckPages(RetlVerifyState *state, GroupCheck *check)
{
	check->pageIndex = 0;
	while (check->pageIndex < check->pageEnd)
	{
		if (!RetlVerifyStep(state, CheckRemainingPages, check))
			check->pageIndex++;
	}
}

/* ---------------------------------------------------------------------
 * Content
 * ---------------------------------------------------------------------
 */

/*
 * Step: open the group and check its footer, and the zone maps against it.
 */
static void
CheckFooter(RetlVerifyState *state, void *argument)
{
	GroupCheck *check = argument;

	RetlGroupReaderOpen(check->reader, &check->group->entry);
	check->text = RetlGroupReaderVerifyFooter(check->reader, &state->directory->view,
											  check->group);
	if (check->text == NULL)
		check->columnCount = RetlGroupReaderColumnCount(check->reader);
}

/*
 * Step: check a column.
 */
static void
CheckColumn(RetlVerifyState *state, void *argument)
{
	GroupCheck *check = argument;
	RetlChunkInfo info;

	RetlGroupReaderGetChunkInfo(check->reader, check->columnIndex, &info);
	state->column = info.column.columnId;
	check->text = RetlGroupReaderVerifyColumn(check->reader, info.column.columnId);
}

/*
 * Run a step over the reader and note what it found.  A reader that raised an
 * error is in no state to be used again.
 */
static bool
CheckContent(RetlVerifyState *state, GroupCheck *check, RetlVerifyFunction function)
{
	bool		ended;

	check->text = NULL;
	ended = RetlVerifyStep(state, function, check);
	if (check->text != NULL)
		RetlVerifyFault(state, "%s", check->text);
	if (!ended)
	{
		RetlGroupReaderFree(check->reader);
		check->reader = RetlGroupReaderCreate(state->rel, state->strategy, NULL);
	}
	return ended;
}

/*
 * Step: open the group again after an error.
 */
static void
Reopen(RetlVerifyState *state, void *argument)
{
	GroupCheck *check = argument;

	RetlGroupReaderOpen(check->reader, &check->group->entry);
}

/*
 * Check what the group's pages contain.  Columns that the table has dropped
 * are checked like others: their bytes are still there.
 */
static void
CheckContents(RetlVerifyState *state, GroupCheck *check)
{
	uint64		groupId = check->group->entry.groupId;

	check->reader = RetlGroupReaderCreate(state->rel, state->strategy, NULL);
	RetlVerifyAt(state, InvalidBlockNumber, groupId, 0);
	if (CheckContent(state, check, CheckFooter) && state->deep)
	{
		for (; check->columnIndex < check->columnCount; check->columnIndex++)
		{
			RetlVerifyAt(state, InvalidBlockNumber, groupId, 0);
			if (!CheckContent(state, check, CheckColumn) &&
				!RetlVerifyStep(state, Reopen, check))
				break;
		}
	}
	RetlGroupReaderFree(check->reader);
}

/*
 * Step: check the stub map, of the state it has now.
 */
static void
CheckStubMap(RetlVerifyState *state, void *argument)
{
	GroupCheck *check = argument;
	RetlGroup	group = *check->group;

	if (RetlDirectoryReadStubMapRoot(state->rel, &group) &&
		group.entry.stubMapRoot != RETLDB_NO_BLOCK)
		check->text = RetlStubMapProblem(state->rel, &group.entry);
}

/*
 * Is a block one of the group's pages past its byte string?
 */
static bool
IsFurtherPage(const GroupCheck *check, BlockNumber block)
{
	uint32		before = 0;

	for (int i = 0; i < check->runCount; i++)
	{
		if (block >= check->runs[i].start && block - check->runs[i].start < check->runs[i].length)
			return before + (block - check->runs[i].start) >= check->usedPages;
		before += check->runs[i].length;
	}
	return false;
}

/*
 * Step: check where the group's rows have gone, if they have.  Links that an aborted
 * move has left count for nothing.
 */
static void
CheckLinks(RetlVerifyState *state, void *argument)
{
	GroupCheck *check = argument;
	const RetlGroupEntry *entry = &check->group->entry;
	BlockNumber links;

	if (!RetlAnchorHasLeft(state->rel, entry, &links) || links == RETLDB_NO_BLOCK)
		return;
	state->block = links;
	check->text = IsFurtherPage(check, links) ?
		RetlLinksProblem(state->rel, entry, links, state->directory->header.nextRowNumber) :
		"anchor leads to links that are not on a page of the row group";
}

/*
 * Run a step that leaves what it found in check->text, which may be static.
 */
static void
CheckText(RetlVerifyState *state, GroupCheck *check, RetlVerifyFunction function)
{
	RetlVerifyAt(state, InvalidBlockNumber, check->group->entry.groupId, 0);
	check->text = NULL;
	(void) RetlVerifyStep(state, function, check);
	if (check->text != NULL)
		RetlVerifyFault(state, "%s", check->text);
}

/*
 * Check one group.
 */
static void
CheckGroup(RetlVerifyState *state, const RetlGroup *group)
{
	GroupCheck	check = {.group = group};

	RetlVerifyAt(state, group->slot.block, group->entry.groupId, 0);
	if (RetlVerifyStep(state, Prepare, &check))
	{
		CheckPages(state, &check);
		if (check.anchored)
		{
			CheckContents(state, &check);
			CheckText(state, &check, CheckStubMap);
			CheckText(state, &check, CheckLinks);
		}
	}
	if (state->faults != NIL && !RetlVerifyGroupUnchanged(state, group))
		RetlVerifyForget(state);
	RetlVerifyReport(state);
}

/*
 * Verify all row groups.  What the directory phase has reported of an entry or
 * its runs is reported no second time: such groups are passed over.
 */
void
RetlVerifyGroupPhase(RetlVerifyState *state)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "retldb verify group",
												  ALLOCSET_DEFAULT_SIZES);

	for (int i = 0; i < state->directory->groupCount; i++)
	{
		MemoryContext oldContext = MemoryContextSwitchTo(context);

		if (state->directory->groupSound[i])
			CheckGroup(state, &state->directory->groups[i]);
		MemoryContextSwitchTo(oldContext);
		MemoryContextReset(context);
	}
	MemoryContextDelete(context);
}
