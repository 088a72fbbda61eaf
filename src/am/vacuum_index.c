/*-------------------------------------------------------------------------
 *
 * vacuum_index.c
 *	  VACUUM of row groups: index entries, stub maps, pages.
 *
 * Heap's part of VACUUM has removed anchors and stubs that are dead for everybody,
 * or others did before.  A row is dead then, if its group's anchor is gone, or if
 * it was touched and its stub is gone.  As in heap, the order is: find out which
 * rows are dead; remove their index entries; make it known that they are dead and
 * have no entries.  That is what "dead" in a stub map says, and what a group that
 * is FREE says, so whatever comes between, the next VACUUM finds the same rows
 * again.  It comes to that by intention if index cleanup is off, or if wraparound
 * is near, or if only few rows are dead.
 *
 * Only rows that were found dead lose their entries, never TIDs that no group
 * seems to have: they may be those of a group that is just being made.
 *
 * Memory is bounded by maintenance_work_mem (of autovacuum, autovacuum_work_mem): if there are more dead rows, indexes
 * are scanned several times.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/multixact.h"
#include "catalog/index.h"
#include "commands/progress.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/autovacuum.h"
#include "storage/procarray.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "am/vacuum_index.h"
#include "base/compat.h"
#include "storage/directory.h"
#include "visibility/anchor.h"
#include "visibility/row_fetch.h"
#include "visibility/stub.h"
#include "visibility/stub_retire.h"

/* Less than this share of the rows need not be cleaned from indexes yet. */
#define BYPASS_SHARE		0.02

/* ... nor more than so many rows be left. */
#define BYPASS_MAX_ROWS		1000000

/* A group with dead rows. */
typedef struct DeadGroup
{
	RetlGroup  *group;
	bool		all;			/* its anchor is gone */
	uint32		endRow;			/* rows from 0 on that may have entries */
	uint64	   *words;			/* else: a bit for each dead row */
	RetlStubEntry *gone;		/* their entries in the map */
	int			goneCount;
} DeadGroup;

/* Those that are dealt with together, by row number. */
typedef struct DeadGroups
{
	MemoryContext context;		/* of everything but the struct */
	Size		size;			/* of what is in it, roughly */
	DeadGroup  *groups;
	int			count;
	int			capacity;
	double		rows;
} DeadGroups;

/* One VACUUM of a table's row groups. */
typedef struct GroupsVacuum
{
	Relation	rel;
	const VacuumParams *params;
	BufferAccessStrategy strategy;
	double		rowStoreRows;
	double		liveRows;		/* of row groups */
	double		dyingRows;		/* of groups that were deleted, but not for everybody */
	DeadGroups	dead;

	int			indexCount;
	Relation   *indexes;
	IndexBulkDeleteResult **results;	/* [indexCount] */
	int			indexScans;
	bool		gaveUp;			/* indexes are not to be scanned (any more) */
} GroupsVacuum;

/* ---------------------------------------------------------------------
 * Finding dead rows
 * ---------------------------------------------------------------------
 */

/*
 * Add a group to those with dead rows.
 */
static DeadGroup *
AddDeadGroup(DeadGroups *dead, RetlGroup *group)
{
	DeadGroup  *added;

	if (dead->count == dead->capacity)
	{
		dead->capacity = Max(dead->capacity * 2, 64);
		if (dead->groups == NULL)
			dead->groups = MemoryContextAlloc(dead->context, sizeof(DeadGroup) * dead->capacity);
		else
			dead->groups = repalloc_huge(dead->groups, sizeof(DeadGroup) * dead->capacity);
	}
	added = &dead->groups[dead->count++];
	memset(added, 0, sizeof(*added));
	added->group = group;
	dead->size += sizeof(DeadGroup);
	return added;
}

/*
 * The anchor of a group is gone.  A group that was never completed may have had
 * rows with any of its numbers.
 */
static void
AddLostGroup(DeadGroups *dead, RetlGroup *group)
{
	DeadGroup  *added = AddDeadGroup(dead, group);

	added->all = true;
	added->endRow = group->entry.state == RETL_GROUP_COMPLETE ?
		group->entry.rowCount : group->entry.rowCapacity;
	dead->rows += added->endRow;
}

/*
 * May somebody still come for rows of a group whose anchor is gone?  Who has deleted
 * or updated a row before compaction moved it has triggers' events that name it by its
 * old place, until he ends.  Others have snapshots, for which the anchor would stand.
 */
static bool
IsWanted(Relation rel, const RetlGroup *group)
{
	return group->entry.state == RETL_GROUP_COMPLETE &&
		group->entry.stubMapRoot != RETLDB_NO_BLOCK &&
		RetlStubsAreInUse(rel, &group->entry, GetOldestNonRemovableTransactionId(rel));
}

/*
 * Find the rows of a live group whose stubs are gone.  Returns the number of its
 * rows that are dead for everybody, those that were known to be included.
 */
static uint32
AddGoneRows(Relation rel, DeadGroups *dead, RetlGroup *group)
{
	MemoryContext oldContext = MemoryContextSwitchTo(dead->context);
	uint32		known;
	int			count;
	RetlStubEntry *gone = RetlStubsFindGone(rel, &group->entry, &count, &known);

	if (count > 0)
	{
		DeadGroup  *added = AddDeadGroup(dead, group);
		Size		words = (group->entry.rowCount + 63) / 64;

		added->endRow = group->entry.rowCount;
		added->gone = gone;
		added->goneCount = count;
		added->words = palloc0(words * sizeof(uint64));
		for (int i = 0; i < count; i++)
			added->words[gone[i].row / 64] |= UINT64CONST(1) << (gone[i].row % 64);
		dead->rows += count;
		dead->size += words * sizeof(uint64) + count * sizeof(RetlStubEntry);
	}
	MemoryContextSwitchTo(oldContext);
	return known + count;
}

/*
 * Look at a group whose anchor stands.  Rows that were moved are counted where they are
 * now.
 */
static void
AddStandingGroup(GroupsVacuum *vacuum, RetlGroup *group)
{
	uint32		gone = AddGoneRows(vacuum->rel, &vacuum->dead, group);
	bool		deleted;

	RetlStubsForgetRetired(vacuum->rel, &group->entry);
	if (!RetlAnchorIsDying(vacuum->rel, &group->entry,
						   GetOldestNonRemovableTransactionId(vacuum->rel), &deleted))
		vacuum->liveRows += group->entry.rowCount - gone;
	else if (deleted)
		vacuum->dyingRows += group->entry.rowCount;
}

/*
 * IndexBulkDeleteCallback: does an entry lead to one of the dead rows?
 */
static bool
EntryIsDead(ItemPointer tid, void *state)
{
	const DeadGroups *dead = state;
	uint64		rowNumber;
	int			low = 0;
	int			high = dead->count;
	const DeadGroup *found;
	uint64		row;

	if (!RetlTidIsColumnar(tid))
		return false;
	rowNumber = RetlTidGetRowNumber(tid);
	/* the last one that begins at or before the row */
	while (low < high)
	{
		int			middle = (low + high) / 2;

		if (dead->groups[middle].group->entry.rowBase <= rowNumber)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0)
		return false;
	found = &dead->groups[low - 1];
	row = rowNumber - found->group->entry.rowBase;
	return row < found->endRow &&
		(found->all || ((found->words[row / 64] >> (row % 64)) & 1) != 0);
}

/* ---------------------------------------------------------------------
 * Indexes
 * ---------------------------------------------------------------------
 */

/*
 * Report how much is done, in VACUUM's own way.
 */
static void
ReportPhase(int64 phase)
{
	pgstat_progress_update_param(PROGRESS_VACUUM_PHASE, phase);
}

/*
 * What index methods are told.
 */
static IndexVacuumInfo
VacuumInfo(const GroupsVacuum *vacuum, Relation index, bool estimated)
{
	IndexVacuumInfo info;

	memset(&info, 0, sizeof(info));
	info.index = index;
	RetlVacuumInfoSetTable(&info, vacuum->rel);
	info.estimated_count = estimated;
	info.message_level = DEBUG2;
	info.num_heap_tuples = estimated ? Max(vacuum->rel->rd_rel->reltuples, 0) :
		vacuum->liveRows + vacuum->rowStoreRows;
	info.strategy = vacuum->strategy;
	return info;
}

/*
 * Remove the entries of the dead rows from all indexes.  False if wraparound is
 * so near that there is no time for that.
 */
static bool
RemoveEntries(GroupsVacuum *vacuum)
{
	ReportPhase(PROGRESS_VACUUM_PHASE_VACUUM_INDEX);
	for (int i = 0; i < vacuum->indexCount; i++)
	{
		IndexVacuumInfo info = VacuumInfo(vacuum, vacuum->indexes[i], true);

		if (RetlVacuumIsUrgent(vacuum->rel))
			return false;
		vacuum->results[i] = index_bulk_delete(&info, vacuum->results[i], EntryIsDead,
											   &vacuum->dead);
	}
	vacuum->indexScans++;
	pgstat_progress_update_param(PROGRESS_VACUUM_NUM_INDEX_VACUUMS, vacuum->indexScans);
	return true;
}

/*
 * Let indexes that were scanned finish, and tell the planner of their sizes.
 */
static void
FinishIndexes(GroupsVacuum *vacuum)
{
	ReportPhase(PROGRESS_VACUUM_PHASE_INDEX_CLEANUP);
	for (int i = 0; i < vacuum->indexCount; i++)
	{
		IndexVacuumInfo info = VacuumInfo(vacuum, vacuum->indexes[i], false);
		IndexBulkDeleteResult *result;

		if (vacuum->results[i] == NULL)
			continue;
		result = index_vacuum_cleanup(&info, vacuum->results[i]);
		if (result != NULL && !result->estimated_count)
			RetlUpdateRelstats(vacuum->indexes[i], result->num_pages, result->num_index_tuples, 0, 0);
	}
}

/*
 * Are so few rows dead that their entries may stay for now?
 */
static bool
MayBypass(const GroupsVacuum *vacuum)
{
	if (vacuum->params->index_cleanup != VACOPTVALUE_AUTO || vacuum->indexScans > 0)
		return false;
	for (int i = 0; i < vacuum->dead.count; i++)
	{
		if (vacuum->dead.groups[i].all)
			return false;
	}
	return vacuum->dead.rows < BYPASS_MAX_ROWS &&
		vacuum->dead.rows < BYPASS_SHARE * (vacuum->liveRows + vacuum->dead.rows);
}

/*
 * No index has an entry of the dead rows any more: maps and directory may forget
 * them.  Whoever removed stubs and anchors has logged that with its conflict
 * horizon: a standby cancels queries that could see the rows before it learns this.
 */
static void
ForgetDead(GroupsVacuum *vacuum)
{
	DeadGroups *dead = &vacuum->dead;
	int			freed = 0;

	for (int i = 0; i < dead->count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (dead->groups[i].all)
		{
			RetlDirectoryFree(vacuum->rel, dead->groups[i].group);
			freed++;
		}
		else
			RetlStubMapSetDead(vacuum->rel, &dead->groups[i].group->entry, dead->groups[i].gone,
							   dead->groups[i].goneCount);
	}
	if (freed > 0)
		ereport(DEBUG1,
				(errmsg_internal("table \"%s\": pages of %d dead row groups can be reused",
								 RelationGetRelationName(vacuum->rel), freed)));
}

/*
 * Deal with the dead rows that were found so far.
 */
static void
ProcessDead(GroupsVacuum *vacuum, bool last)
{
	DeadGroups *dead = &vacuum->dead;

	if (dead->count > 0 && !vacuum->gaveUp)
	{
		if (vacuum->indexCount == 0)
			ForgetDead(vacuum);
		else if ((last && MayBypass(vacuum)) || !RemoveEntries(vacuum))
			vacuum->gaveUp = true;
		else
			ForgetDead(vacuum);
	}
	MemoryContextReset(dead->context);
	dead->groups = NULL;
	dead->count = dead->capacity = 0;
	dead->size = 0;
	dead->rows = 0;
}

/* ---------------------------------------------------------------------
 * All of it
 * ---------------------------------------------------------------------
 */

/*
 * Tell those who asked for it what was done.
 */
static void
ReportVacuum(const GroupsVacuum *vacuum, double deadRows)
{
	if (deadRows == 0)
		return;
	ereport((vacuum->params->options & VACOPT_VERBOSE) != 0 ? INFO : DEBUG2,
			(errmsg("table \"%s\": %.0f rows of row groups are dead for everybody, index scans: %d",
					RelationGetRelationName(vacuum->rel), deadRows, vacuum->indexScans),
			 vacuum->gaveUp ? errdetail("Their index entries stay for a later VACUUM.") : 0));
}

/*
 * Memory for dead rows, in bytes, as heap's VACUUM has it for its dead tuples.
 */
static Size
MemoryLimit(void)
{
	int			kilobytes = maintenance_work_mem;

	if (RetlIsAutovacuumWorker() && autovacuum_work_mem != -1)
		kilobytes = autovacuum_work_mem;
	return (Size) kilobytes * 1024;
}

/* See vacuum_index.h. */
double
RetlVacuumRowGroups(Relation rel, const VacuumParams *params, BufferAccessStrategy strategy,
					double rowStoreRows, double *dyingRows)
{
	GroupsVacuum vacuum = {.rel = rel,.params = params,.strategy = strategy,
	.rowStoreRows = rowStoreRows};
	RetlDirectory *directory = RetlDirectoryRead(rel);
	double		deadRows = 0;

	vacuum.dead.context = AllocSetContextCreate(CurrentMemoryContext, "retldb dead rows",
												ALLOCSET_DEFAULT_SIZES);
	pgstat_progress_start_command(PROGRESS_COMMAND_VACUUM, RelationGetRelid(rel));
	vac_open_indexes(rel, RowExclusiveLock, &vacuum.indexCount, &vacuum.indexes);
	vacuum.results = palloc0(sizeof(IndexBulkDeleteResult *) * Max(vacuum.indexCount, 1));
	vacuum.gaveUp = vacuum.indexCount > 0 && params->index_cleanup == VACOPTVALUE_DISABLED;

	for (int i = 0; i < directory->groupCount; i++)
	{
		RetlGroup  *group = &directory->groups[i];
		double		before = vacuum.dead.rows;

		CHECK_FOR_INTERRUPTS();
		if (group->entry.state == RETL_GROUP_FREE)
			continue;
		if (!RetlAnchorExists(rel, &group->entry))
		{
			if (IsWanted(rel, group))
				continue;
			AddLostGroup(&vacuum.dead, group);
		}
		else if (group->entry.state == RETL_GROUP_COMPLETE)
			AddStandingGroup(&vacuum, group);
		deadRows += vacuum.dead.rows - before;
		if (vacuum.dead.size >= MemoryLimit())
			ProcessDead(&vacuum, false);
	}
	ProcessDead(&vacuum, true);
	FinishIndexes(&vacuum);
	ReportVacuum(&vacuum, deadRows);

	vac_close_indexes(vacuum.indexCount, vacuum.indexes, NoLock);
	pgstat_progress_end_command();
	MemoryContextDelete(vacuum.dead.context);
	*dyingRows = vacuum.dyingRows;
	return vacuum.liveRows;
}

/* See vacuum_index.h. */
void
RetlVacuumIndexStatistics(Relation rel, double tuples)
{
	int			count;
	Relation   *indexes;

	vac_open_indexes(rel, RowExclusiveLock, &count, &indexes);
	for (int i = 0; i < count; i++)
	{
		/* that of a partial index is between the limits that it had */
		if (RelationGetIndexPredicate(indexes[i]) == NIL)
			RetlUpdateRelstats(indexes[i], RelationGetNumberOfBlocks(indexes[i]), tuples, 0, 0);
	}
	vac_close_indexes(count, indexes, NoLock);
}
