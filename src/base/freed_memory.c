/*-------------------------------------------------------------------------
 *
 * freed_memory.c
 *	  Memory that a query frees and the next one allocates.
 *
 * A scan takes some hundred kB to a few MB for vectors, units and dictionaries, and frees
 * them at its end.  When the end of the heap is free, glibc gives back to the system what
 * is more than a limit, at first 128 kB, and the next scan gets it page by page: a page
 * fault each.  Whether that happens depends on what else stands there: of two like
 * tables a query had no page faults or 1,700, a quarter of its time.
 *
 * glibc raises that limit by itself to twice the size of a block that it has got from
 * the system for its own and that is freed: programs that use such blocks will do so
 * again.  So one is allocated and freed, without being touched.  Other allocators do as
 * they like.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "base/freed_memory.h"

/* Twice as much of what is free remains with a session. */
#define BLOCK_SIZE	(4 * 1024 * 1024)

/* See freed_memory.h. */
void
RetlKeepFreedMemory(void)
{
	static bool done = false;
	void	   *block;

	if (done)
		return;
	done = true;
	block = MemoryContextAllocExtended(CurrentMemoryContext, BLOCK_SIZE, MCXT_ALLOC_NO_OOM);
	if (block != NULL)
		pfree(block);
}
