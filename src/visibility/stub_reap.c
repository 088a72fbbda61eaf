/*-------------------------------------------------------------------------
 *
 * stub_reap.c
 *	  Removing stubs that are dead for everybody, line pointers included.
 *
 * Pruning leaves the line pointers of dead tuples behind, for index entries may
 * lead to them; VACUUM scans all indexes before it makes them unused.  No entry
 * leads to a stub, but heap does not know which line pointers were stubs'.  So we
 * remove dead stubs ourselves, before heap prunes a page, and make their line
 * pointers unused at once.
 *
 * This is logged as heap logs it: first the removal, with its conflict horizon,
 * then, as VACUUM does, that the line pointers are not used.  Whoever has a stub's
 * place from a map looks whether the stub is there (stub.c), and whoever is about to
 * change it has its page pinned.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/heapam_xlog.h"
#include "access/xlog.h"
#include "access/xloginsert.h"
#include "commands/vacuum.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/compat.h"
#include "visibility/anchor.h"
#include "visibility/row_store.h"
#include "visibility/stub.h"

/*
 * Find the stubs on a locked page that are dead for everybody.
 */
static int
FindDeadStubs(Relation rel, Buffer buffer, OffsetNumber *dead, TransactionId *horizon)
{
	Page		page = BufferGetPage(buffer);
	BlockNumber block = BufferGetBlockNumber(buffer);
	OffsetNumber max = PageIsNew(page) ? 0 : PageGetMaxOffsetNumber(page);
	SnapshotData nonVacuumable;
	int			count = 0;

	InitNonVacuumableSnapshot(nonVacuumable, GlobalVisTestFor(rel));
	for (OffsetNumber offset = FirstOffsetNumber; offset <= max; offset++)
	{
		ItemId		lp = PageGetItemId(page, offset);
		HeapTupleData tuple;

		if (!ItemIdIsNormal(lp) || !RetlLinePointerIsSound(lp))
			continue;
		RetlPageSetTuple(rel, page, block, offset, &tuple);
		if (!RetlTupleIsMarked(tuple.t_data) || !RetlStubIsSound(&tuple) ||
			HeapTupleSatisfiesVisibility(&tuple, &nonVacuumable, buffer))
			continue;
		RetlAdvanceConflictHorizon(tuple.t_data, horizon);
		dead[count++] = offset;
	}
	return count;
}

/*
 * Remove tuples and line pointers from a page that is locked for cleanup.
 */
static void
RemoveItems(Relation rel, Buffer buffer, OffsetNumber *items, int count, TransactionId horizon)
{
	Page		page = BufferGetPage(buffer);

	START_CRIT_SECTION();
	for (int i = 0; i < count; i++)
		ItemIdSetDead(PageGetItemId(page, items[i]));
	PageRepairFragmentation(page);
	MarkBufferDirty(buffer);
	if (RelationNeedsWAL(rel))
		RetlLogDeadItems(rel, buffer, horizon, items, count);

	for (int i = 0; i < count; i++)
		ItemIdSetUnused(PageGetItemId(page, items[i]));
	PageTruncateLinePointerArray(page);
	if (RelationNeedsWAL(rel))
		RetlLogUnusedItems(rel, buffer, items, count);
	END_CRIT_SECTION();
}

/*
 * Remove the dead stubs of a pinned page, if nobody else has it pinned.
 */
static void
ReapPage(Relation rel, Buffer buffer)
{
	OffsetNumber dead[MaxHeapTuplesPerPage];
	TransactionId horizon = InvalidTransactionId;
	int			count;

	if (!ConditionalLockBufferForCleanup(buffer))
		return;
	count = FindDeadStubs(rel, buffer, dead, &horizon);
	if (count > 0)
		RemoveItems(rel, buffer, dead, count, horizon);
	LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
}

/*
 * Prune a pinned page of the row store if that is worth it; by the same rules as
 * heap_page_prune_opt.
 */
void
RetlPagePruneOpt(Relation rel, Buffer buffer)
{
	Page		page = BufferGetPage(buffer);
	TransactionId pruneXid = ((PageHeader) page)->pd_prune_xid;
	Size		minFree;

	if (!TransactionIdIsValid(pruneXid) || RecoveryInProgress())
		return;
	minFree = Max(RelationGetTargetPageFreeSpace(rel, HEAP_DEFAULT_FILLFACTOR), BLCKSZ / 10);
	if (rel->rd_rel->relhasindex && (PageIsFull(page) || PageGetHeapFreeSpace(page) < minFree) &&
		GlobalVisTestIsRemovableXid(GlobalVisTestFor(rel), pruneXid))
		ReapPage(rel, buffer);
	heap_page_prune_opt(rel, buffer);
}

/* qsort() callback. */
static int
CompareBlocks(const void *a, const void *b)
{
	BlockNumber left = *(const BlockNumber *) a;
	BlockNumber right = *(const BlockNumber *) b;

	return left < right ? -1 : left > right;
}

/*
 * Add the blocks of stubs.
 */
static void
AddBlocks(Relation rel, const RetlStubEntry *stubs, int count, BlockNumber *blocks,
		  int *blockCount)
{
	BlockNumber end = RelationGetNumberOfBlocks(rel);

	for (int i = 0; i < count; i++)
		if (!stubs[i].dead && ItemPointerGetBlockNumberNoCheck(&stubs[i].stub) < end)
			blocks[(*blockCount)++] = ItemPointerGetBlockNumberNoCheck(&stubs[i].stub);
}

/*
 * Remove the dead stubs of a group; those that are retired are dead as well when
 * everybody sees the transaction that has retired them.
 */
static void
ReapGroup(Relation rel, const RetlGroupEntry *entry, BufferAccessStrategy strategy)
{
	int			count;
	int			retiredCount;
	RetlStubEntry *stubs = RetlStubMapRead(rel, entry, &count);
	RetlStubEntry *retired = RetlStubMapReadRetired(rel, entry, &retiredCount);
	BlockNumber *blocks;
	int			blockCount = 0;

	if (count + retiredCount == 0)
		return;
	blocks = palloc_extended(sizeof(BlockNumber) * (count + retiredCount), MCXT_ALLOC_HUGE);
	AddBlocks(rel, stubs, count, blocks, &blockCount);
	AddBlocks(rel, retired, retiredCount, blocks, &blockCount);
	qsort(blocks, blockCount, sizeof(BlockNumber), CompareBlocks);
	for (int i = 0; i < blockCount; i++)
	{
		Buffer		buffer;

		if (i > 0 && blocks[i] == blocks[i - 1])
			continue;
		RetlVacuumDelay();
		buffer = ReadBufferExtended(rel, MAIN_FORKNUM, blocks[i], RBM_NORMAL, strategy);
		ReapPage(rel, buffer);
		ReleaseBuffer(buffer);
	}
	pfree(blocks);
	pfree(stubs);
	pfree(retired);
}

/*
 * Remove the dead stubs of a table, before heap's VACUUM comes upon them.
 */
void
RetlStubsReap(Relation rel, const RetlDirectory *directory, BufferAccessStrategy strategy)
{
	for (int i = 0; i < directory->groupCount; i++)
	{
		const RetlGroupEntry *entry = &directory->groups[i].entry;

		CHECK_FOR_INTERRUPTS();
		if (entry->state == RETL_GROUP_COMPLETE && entry->stubMapRoot != RETLDB_NO_BLOCK)
			ReapGroup(rel, entry, strategy);
	}
}
