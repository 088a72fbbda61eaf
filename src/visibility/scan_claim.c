/*-------------------------------------------------------------------------
 *
 * scan_claim.c
 *	  What the processes of a parallel scan claim: stretches of the row store, then
 *	  row groups, or parts of them.
 *
 * The groups' vectors, in the order of the directory's slots, are a queue.  Its head
 * is in shared memory: a slot, and a vector of that slot's group.  A process moves it
 * on, and has claimed what lies between.  Groups are claimed as a whole while there
 * are many, since each process that turns to a group opens its columns, and units that
 * two parts cut are read twice.  Then a process takes a share of what is left, so that
 * all come to the end at about the same time, however few groups there are and however
 * much is done with a row.
 *
 * Each process has read the directory for itself.  Of groups that the snapshot sees
 * all have read the same: they were complete before, and stay as long as somebody
 * sees them.  Of others it does not matter who passes over which part.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "storage/bufmgr.h"
#include "utils/rel.h"

#include "storage/group_bytes.h"
#include "visibility/table_scan_state.h"

/* Blocks of the row store that a process claims at once. */
#define STRETCH_BLOCKS	32

/*
 * A process claims this part of what one process of all would have to do; less than
 * all of it, for vectors are not alike and processes not equally fast.
 */
#define SHARES_OF_PROCESS	2

/* Processes there are if nobody knows. */
#define PROCESSES_UNKNOWN	8

/*
 * A group is cut at multiples of this part of its vectors only: units have several
 * vectors, often two.
 */
#define GROUP_STEPS		32

/* The head of the queue. */
#define HEAD(slot, vector)	((uint64) (slot) << 32 | (vector))
#define HEAD_SLOT(head)		((head) >> 32)
#define HEAD_VECTOR(head)	((uint32) (head))

/* ---------------------------------------------------------------------
 * Shared state
 * ---------------------------------------------------------------------
 */

/* See table_scan.h. */
void
RetlParallelScanInit(RetlParallelScan *parallel, Relation rel, int processes)
{
	RetlDirectory *directory = RetlDirectoryRead(rel);

	parallel->slotCount = directory->pageCount * RETLDB_DIRECTORY_SLOTS;
	parallel->maxGroupId = directory->header->nextGroupId - 1;
	parallel->nblocks = RelationGetNumberOfBlocks(rel);
	parallel->shares = (processes > 0 ? processes : PROCESSES_UNKNOWN) * SHARES_OF_PROCESS;
	pg_atomic_init_u64(&parallel->nextBlock, 0);
	pg_atomic_init_u64(&parallel->nextVector, HEAD(0, 0));
}

/* See table_scan.h. */
void
RetlParallelScanReinit(RetlParallelScan *parallel)
{
	pg_atomic_write_u64(&parallel->nextBlock, 0);
	pg_atomic_write_u64(&parallel->nextVector, HEAD(0, 0));
}

/* See table_scan.h. */
uint64
RetlParallelScanSlot(RetlParallelScan *parallel)
{
	return HEAD_SLOT(pg_atomic_read_u64(&parallel->nextVector));
}

/*
 * Order the groups by their position in the directory, which is the same for
 * all processes of a parallel scan, and count the vectors from each on.
 */
void
RetlScanArrangeSlots(RetlTableScan *scan)
{
	uint32		count = scan->parallel->slotCount;

	scan->groupOfSlot = palloc0(sizeof(RetlGroup *) * Max(count, 1));
	for (int i = 0; i < scan->directory->groupCount; i++)
	{
		RetlGroup  *group = &scan->directory->groups[i];
		uint32		position = group->slot.pageIndex * RETLDB_DIRECTORY_SLOTS + group->slot.slot;

		if (position < count && group->entry.state == RETL_GROUP_COMPLETE &&
			group->entry.groupId <= scan->parallel->maxGroupId)
			scan->groupOfSlot[position] = group;
	}

	scan->vectorsFrom = palloc(sizeof(uint64) * ((Size) count + 1));
	scan->vectorsFrom[count] = 0;
	for (uint32 i = count; i > 0; i--)
	{
		const RetlGroup *group = scan->groupOfSlot[i - 1];

		scan->vectorsFrom[i - 1] = scan->vectorsFrom[i] +
			(group != NULL ? RetlScanGroupVectors(group) : 0);
	}
}

/* ---------------------------------------------------------------------
 * The row store
 * ---------------------------------------------------------------------
 */

/*
 * The first of the row store's runs that ends after a block; runCount if none does.
 * There may be many, for each page without rows can end one.
 */
static int
RunFrom(const RetlTableScan *scan, BlockNumber block)
{
	int			low = 0;
	int			high = scan->runCount;

	while (low < high)
	{
		int			middle = (low + high) / 2;

		if (scan->runs[middle].start + scan->runs[middle].length <= block)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/*
 * Is this block among those that the row store may have?
 */
static bool
InRowStore(const RetlTableScan *scan, BlockNumber block)
{
	int			run = RunFrom(scan, block);

	return run < scan->runCount && scan->runs[run].start <= block;
}

/*
 * Have the blocks of a claimed stretch begin to come that the row store has.
 */
static void
PrefetchStretch(RetlTableScan *scan)
{
	for (int i = RunFrom(scan, scan->stretchNext);
		 i < scan->runCount && scan->runs[i].start < scan->stretchEnd; i++)
	{
		const RetlRun *run = &scan->runs[i];

		RetlScanPrefetchBlocks(scan, Max(run->start, scan->stretchNext),
							   Min(run->start + run->length, scan->stretchEnd));
	}
}

/*
 * Open the next block of the row store, of the stretch that is claimed or of another.
 * False if none is left.
 */
static bool
ClaimBlock(RetlTableScan *scan)
{
	RetlParallelScan *parallel = scan->parallel;

	for (;;)
	{
		uint64		claimed;

		while (scan->stretchNext < scan->stretchEnd)
		{
			BlockNumber block = scan->stretchNext++;

			if (InRowStore(scan, block) && RetlScanOpenBlock(scan, block) > 0)
				return true;
		}
		claimed = pg_atomic_read_u64(&parallel->nextBlock);
		if (claimed < parallel->nblocks)
			claimed = pg_atomic_fetch_add_u64(&parallel->nextBlock, STRETCH_BLOCKS);
		if (claimed >= parallel->nblocks)
			return false;
		scan->stretchNext = claimed;
		scan->stretchEnd = Min(claimed + STRETCH_BLOCKS, parallel->nblocks);
		PrefetchStretch(scan);
	}
}

/* ---------------------------------------------------------------------
 * Row groups
 * ---------------------------------------------------------------------
 */

/*
 * See table_scan_state.h.  It may still be any process's.
 */
RetlGroup *
RetlScanUnclaimedGroup(const RetlTableScan *scan)
{
	uint64		head = pg_atomic_read_u64(&scan->parallel->nextVector);
	uint64		slot = HEAD_SLOT(head) + (HEAD_VECTOR(head) > 0 ? 1 : 0);

	for (; slot < scan->parallel->slotCount; slot++)
	{
		if (scan->groupOfSlot[slot] != NULL)
			return scan->groupOfSlot[slot];
	}
	return NULL;
}

/*
 * Where a claim ends that begins with a vector of a slot's group.
 */
static uint32
EndOfClaim(const RetlTableScan *scan, uint64 slot, uint32 vector, uint32 vectors)
{
	uint64		share = (scan->vectorsFrom[slot] - vector) / scan->parallel->shares;
	uint32		step = Max(vectors / GROUP_STEPS, 1);
	uint64		end = vector + Max(share, 1);

	end = (end + step - 1) / step * step;
	return (uint32) Min(end, (uint64) vectors);
}

/*
 * Claim vectors of a group, all of it or a part: sets which.  False if none is left.
 */
static bool
ClaimVectors(RetlTableScan *scan, uint64 *claimedSlot, uint32 *first, uint32 *end)
{
	RetlParallelScan *parallel = scan->parallel;
	uint64		head = pg_atomic_read_u64(&parallel->nextVector);
	uint64		next;

	do
	{
		uint64		slot = HEAD_SLOT(head);
		uint32		vector = HEAD_VECTOR(head);
		uint32		vectors = 0;

		/* slots without a group, or of which others know more than we, are passed over */
		for (; slot < parallel->slotCount; slot++, vector = 0)
		{
			RetlGroup  *group = scan->groupOfSlot[slot];

			vectors = group != NULL ? RetlScanGroupVectors(group) : 0;
			if (vector < vectors)
				break;
		}
		if (slot >= parallel->slotCount)
			return false;
		*claimedSlot = slot;
		*first = vector;
		*end = EndOfClaim(scan, slot, vector, vectors);
		next = *end < vectors ? HEAD(slot, *end) : HEAD(slot + 1, 0);
	} while (!pg_atomic_compare_exchange_u64(&parallel->nextVector, &head, next));
	return true;
}

/*
 * Nothing of a slot's group is to be read: claim what is left of it.  Returns how many
 * vectors that was.
 */
static uint32
ClaimRest(RetlTableScan *scan, uint64 slot)
{
	RetlParallelScan *parallel = scan->parallel;
	uint64		head = pg_atomic_read_u64(&parallel->nextVector);

	while (HEAD_SLOT(head) == slot)
	{
		if (pg_atomic_compare_exchange_u64(&parallel->nextVector, &head, HEAD(slot + 1, 0)))
			return RetlScanGroupVectors(scan->groupOfSlot[slot]) - HEAD_VECTOR(head);
	}
	return 0;
}

/*
 * Open a claimed part of a group.  False if nothing of the group is to be read.
 */
static bool
OpenClaimed(RetlTableScan *scan, uint64 slot, uint32 first, uint32 end)
{
	RetlGroup  *group = scan->groupOfSlot[slot];
	uint64		total = scan->stats.vectorsTotal;
	uint32		rest;

	/* where it had no rows to be read, we have claimed the rest */
	if (scan->state == CURSOR_IN_GROUP && scan->group == group)
	{
		RetlScanContinuePart(scan, first, end);
		return true;
	}
	if (RetlScanOpenPart(scan, group, first, end) > 0)
		return true;
	rest = ClaimRest(scan, slot);
	if (scan->stats.vectorsTotal > total)
	{
		/* the snapshot sees it: it was skipped */
		scan->stats.vectorsTotal += rest;
		scan->stats.vectorsSkipped += rest;
	}
	return false;
}

/*
 * See table_scan_state.h.
 */
bool
RetlScanClaimItem(RetlTableScan *scan)
{
	uint64		slot;
	uint32		first;
	uint32		end;

	scan->rowInItem = -1;
	if (ClaimBlock(scan))
		return true;

	RetlRowStorePageRelease(&scan->page);
	while (ClaimVectors(scan, &slot, &first, &end))
	{
		if (OpenClaimed(scan, slot, first, end))
		{
			scan->rowInItem = scan->firstRow - 1;
			return true;
		}
	}
	scan->state = CURSOR_AFTER;
	return false;
}
