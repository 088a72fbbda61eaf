/*-------------------------------------------------------------------------
 *
 * verify_claims.c
 *	  Who owns which blocks: nobody shares a block with another.
 *
 * Everything that owns blocks claims them as runs; sorted by their start, runs
 * overlap only with neighbours.  What no claim covers is the row store.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "sql/verify_internal.h"

#define FIRST_CAPACITY	64

/*
 * Note who owns a run.  Runs outside the fork are noted as faults and claim
 * only what is inside.
 */
void
RetlVerifyClaim(RetlVerifyState *state, RetlCopiedDirectory *directory,
				BlockNumber start, uint32 length, RetlOwnerKind kind, uint64 number)
{
	uint64		end = (uint64) start + length;
	RetlClaim  *claim;

	if (length == 0 || end > directory->blockCount)
	{
		RetlVerifyFault(state, "run of %u blocks from block %u is empty or ends past the end of the file, which has %u blocks",
						length, start, directory->blockCount);
		end = Min(end, directory->blockCount);
		if (start >= end)
			return;
	}

	if (directory->claimCount == directory->claimCapacity)
	{
		Size		capacity = Max(FIRST_CAPACITY, (Size) directory->claimCapacity * 2);

		if (directory->claims == NULL)
			directory->claims = MemoryContextAllocHuge(directory->context,
													   capacity * sizeof(RetlClaim));
		else
			directory->claims = repalloc_huge(directory->claims, capacity * sizeof(RetlClaim));
		directory->claimCapacity = capacity;
	}
	claim = &directory->claims[directory->claimCount++];
	claim->start = start;
	claim->end = end;
	claim->kind = kind;
	claim->number = number;
}

/* qsort() callback: by first block, then by what claims it. */
static int
CompareClaims(const void *a, const void *b)
{
	const RetlClaim *left = a;
	const RetlClaim *right = b;

	if (left->start != right->start)
		return left->start < right->start ? -1 : 1;
	if (left->kind != right->kind)
		return left->kind < right->kind ? -1 : 1;
	if (left->number != right->number)
		return left->number < right->number ? -1 : 1;
	return 0;
}

/*
 * The owner in words, palloc'd.
 */
static char *
DescribeOwner(const RetlClaim *claim)
{
	unsigned long long number = claim->number;

	switch (claim->kind)
	{
		case RETL_OWNER_HEADER:
			return pstrdup("the header page");
		case RETL_OWNER_DIRECTORY:
			return psprintf("directory page %llu", number);
		case RETL_OWNER_ZONE_MAP:
			return psprintf("the zone maps of directory page %llu", number);
		case RETL_OWNER_GROUP:
			return psprintf("row group %llu", number);
		case RETL_OWNER_RUN_LIST:
			return psprintf("the run list of row group %llu", number);
	}
	pg_unreachable();
}

/*
 * Sort the claims and note those that overlap.
 */
void
RetlVerifyClaims(RetlVerifyState *state, RetlCopiedDirectory *directory)
{
	RetlClaim  *widest;

	if (directory->claimCount == 0)
		return;
	qsort(directory->claims, directory->claimCount, sizeof(RetlClaim), CompareClaims);

	/* the claim among those before that reaches farthest */
	widest = &directory->claims[0];
	for (int i = 1; i < directory->claimCount; i++)
	{
		RetlClaim  *claim = &directory->claims[i];

		if (claim->start < widest->end)
		{
			RetlVerifyAt(state, claim->start,
						 claim->kind >= RETL_OWNER_GROUP ? claim->number : 0, 0);
			RetlVerifyFault(state, "%u blocks belong to both %s and %s",
							Min(claim->end, widest->end) - claim->start,
							DescribeOwner(widest), DescribeOwner(claim));
		}
		if (claim->end > widest->end)
			widest = claim;
	}
}
