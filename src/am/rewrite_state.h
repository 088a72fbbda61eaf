/*-------------------------------------------------------------------------
 *
 * rewrite_state.h
 *	  What the files share that make a table anew (am_rewrite.c).
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_REWRITE_STATE_H
#define RETLDB_REWRITE_STATE_H

#include "postgres.h"

#include "access/htup_details.h"
#include "access/rewriteheap.h"
#include "access/tableam.h"
#include "access/transam.h"
#include "executor/tuptable.h"
#include "storage/bufmgr.h"
#include "utils/relcache.h"
#include "utils/tuplesort.h"

#include "rowgroup/group_reader.h"
#include "rowgroup/group_writer.h"
#include "rowgroup/write_options.h"
#include "storage/directory.h"
#include "visibility/stub.h"

/* What becomes of a tuple of the row store. */
typedef enum RetlTupleFate
{
	RETL_TUPLE_NONE,					/* no tuple, or no row */
	RETL_TUPLE_DEAD,
	RETL_TUPLE_KEEP,					/* somebody may not see it, or may see what it replaced */
	RETL_TUPLE_SETTLED				/* everybody sees it, and nobody has to do with it */
} RetlTupleFate;

/* What becomes of a row group. */
typedef enum RetlGroupFate
{
	RETL_GROUP_NONE,					/* no complete group */
	RETL_GROUP_DEAD,
	RETL_GROUP_KEEP,					/* not everybody sees it, or will */
	RETL_GROUP_SETTLED
} RetlGroupFate;

/* A group whose rows are fetched one by one. */
typedef struct RetlFetchedGroup
{
	bool		known;
	RetlGroupFate	fate;
	RetlHiddenRows notLive;		/* if it is settled */
} RetlFetchedGroup;

/* A tuple that was moved: its copy, and the row that it has become. */
typedef struct RetlMovedTuple
{
	ItemPointerData copy;
	uint64		rowNumber;		/* in the old table, at the end in the new one */
} RetlMovedTuple;

/* A group that not everybody sees, of which rows were moved, or to which. */
typedef struct RetlKeptGroup
{
	RetlGroup	group;			/* its copy; without rows if there is none */
	BlockNumber links;			/* where its rows were moved to, or RETLDB_NO_BLOCK */
	RetlHiddenRows notLive;		/* rows that are copied as tuples, or not at all */
	uint32	   *places;			/* of each of its rows in the copy, or RETLDB_NO_LINK */
} RetlKeptGroup;

typedef struct RetlRewrite
{
	Relation	old;
	Relation	new;
	Relation	index;			/* whose order is wanted, or NULL */
	Tuplesortstate *sort;		/* by which rows are put in order, or NULL */
	RetlFetchedGroup *fetched;		/* for each group of the directory, or NULL */
	TransactionId oldestXmin;
	BufferAccessStrategy strategy;
	RetlDirectory *directory;	/* the old table's */
	RetlRun    *runs;			/* its row store */
	int			runCount;
	RewriteState heap;
	bool		keysGone;		/* of a tuple that it has got (rewrite_tuples.c) */
	bool		moveRows;		/* settled rows of the row store go to row groups */
	Datum	   *values;
	bool	   *isnull;
	RetlTupleFate	fates[MaxHeapTuplesPerPage + 1];	/* of the current page, by offset */
	RetlHiddenRows notLive;		/* rows of the current group */

	/* row groups of the new table */
	RetlWriteOptions options;
	RetlGroupWriter *writer;
	RetlWriteMemory memory;
	MemoryContext context;		/* of the rewrite */
	MemoryContext rowContext;
	FullTransactionId newestXid;	/* of those that inserted the settled rows so far */

	/* where moved rows have gone (rewrite_links.c) */
	RetlMovedTuple *moved;
	Size		movedCount;
	Size		movedCapacity;
	RetlKeptGroup **kept;		/* for each group of the directory, or NULL */
	RetlKeptGroup *current;		/* that which is being copied, or NULL */
	uint32	   *taken;			/* which rows of it the writer has, in this order */

	double		rows;			/* copied */
	double		dead;
	double		recentlyDead;
} RetlRewrite;

/* ---- am_rewrite.c ---- */

/* Take the row in values and isnull, one that everybody sees. */
extern void RetlRewriteAddSettled(RetlRewrite *rewrite);

/* Note who inserted settled rows. */
extern void RetlRewriteNoteWriter(RetlRewrite *rewrite, FullTransactionId xid);

/* One more row has been copied. */
extern void RetlRewriteCountRow(RetlRewrite *rewrite);

/*
 * What becomes of a group.  If it lives on, also its state and a copy of its
 * anchor's header.
 */
extern RetlGroupFate RetlRewriteDecideGroup(RetlRewrite *rewrite, const RetlGroup *group,
											HTSV_Result *state, HeapTupleHeader anchor);

/* ---- rewrite_tuples.c ---- */

/* What becomes of a tuple, on a page that is locked. */
extern RetlTupleFate RetlRewriteDecideTuple(RetlRewrite *rewrite, HeapTuple tuple, Buffer buffer);

/* Copy a tuple of a pinned page: as a tuple, or if it goes to a row group. */
extern void RetlRewriteCopyTuple(RetlRewrite *rewrite, HeapTuple tuple, RetlTupleFate fate,
								 bool tuples);

/* Copy the row store: tuples only, or only rows that go to row groups. */
extern void RetlRewriteCopyRowStore(RetlRewrite *rewrite, bool tuples);

/* Copy a tuple with its transaction ids. */
extern void RetlRewriteKeepTuple(RetlRewrite *rewrite, HeapTuple tuple);

/*
 * heap's rewrite module has written all tuples, and nothing was added yet: mend those
 * whose keys have gone.
 */
extern void RetlRewriteRestoreKeysGone(RetlRewrite *rewrite);

/* Copy touched rows of groups that are dead, but not for everybody. */
extern void RetlRewriteKeepTouchedRows(RetlRewrite *rewrite);

/* Has the row store more settled rows than a command would leave in it? */
extern bool RetlRewriteRowStoreIsLarge(RetlRewrite *rewrite);

/* Put a tuple, or a row of a reader's group, into values and isnull. */
extern void RetlRewriteDeformTuple(RetlRewrite *rewrite, HeapTuple tuple);
extern void RetlRewriteReadGroupRow(RetlRewrite *rewrite, RetlGroupReader *reader, uint32 row);

/* ---- rewrite_links.c ---- */

/* Look for groups that not everybody sees and of which rows were moved, or to which. */
extern void RetlRewriteFindMoves(RetlRewrite *rewrite);

/* Has a tuple that is to be copied been moved? */
extern bool RetlRewriteIsMoved(HeapTuple tuple);

/* Has it been moved, and deleted or updated where it is now, so that it is copied from there? */
extern bool RetlRewriteIsCopiedWhereMoved(RetlRewrite *rewrite, HeapTuple tuple);

/* Copy such a tuple, and note where it has gone. */
extern void RetlRewriteMovedTuple(RetlRewrite *rewrite, HeapTuple tuple, HeapTuple copy);

/*
 * A group that not everybody sees is to be copied: begin to note which of its rows go
 * where, if that may be asked for.  Then it is the current one.
 */
extern void RetlRewriteBeginGroup(RetlRewrite *rewrite, const RetlGroup *group);

/* The writer is about to get this row of it. */
extern void RetlRewriteNoteRow(RetlRewrite *rewrite, uint32 row);

/* The rows that the writer has got were written, in this order (RetlGroupWriterSort). */
extern void RetlRewriteNoteGroup(RetlRewrite *rewrite, const RetlGroup *group,
								 const uint32 *order);

/* The group was copied, if it had any row. */
extern void RetlRewriteEndGroup(RetlRewrite *rewrite);

/* Everything was copied: let the copies of moved rows lead to those of their new places. */
extern void RetlRewriteWriteLinks(RetlRewrite *rewrite);

/* ---- rewrite_order.c ---- */

/* From now on rows, or tuples, are put in order if that can be done by sorting. */
extern void RetlRewriteSortBegin(RetlRewrite *rewrite);

/*
 * Give the row in values and isnull to the sort, with its number in its group, which the
 * tuple then has in t_self as a row number.
 */
extern void RetlRewriteSortRow(RetlRewrite *rewrite, uint32 row);

/* Hand everything that was given to the sort over, in order. */
extern void RetlRewriteSortEnd(RetlRewrite *rewrite, void (*take) (RetlRewrite *, HeapTuple));

/* Is the order that in which an index has the rows? */
extern bool RetlRewriteMustFetch(const RetlRewrite *rewrite);

/* Copy what the index leads to, in its order; as RetlRewriteCopyRowStore. */
extern void RetlRewriteCopyInIndexOrder(RetlRewrite *rewrite, bool tuples);

#endif							/* RETLDB_REWRITE_STATE_H */
