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

/* Copy touched rows of groups that are dead, but not for everybody. */
extern void RetlRewriteKeepTouchedRows(RetlRewrite *rewrite);

/* Has the row store more settled rows than a command would leave in it? */
extern bool RetlRewriteRowStoreIsLarge(RetlRewrite *rewrite);

/* Put a tuple, or a row of a reader's group, into values and isnull. */
extern void RetlRewriteDeformTuple(RetlRewrite *rewrite, HeapTuple tuple);
extern void RetlRewriteReadGroupRow(RetlRewrite *rewrite, RetlGroupReader *reader, uint32 row);

/* ---- rewrite_order.c ---- */

/* From now on rows, or tuples, are put in order if that can be done by sorting. */
extern void RetlRewriteSortBegin(RetlRewrite *rewrite);

/* Give the row in values and isnull to the sort. */
extern void RetlRewriteSortRow(RetlRewrite *rewrite);

/* Hand everything that was given to the sort over, in order. */
extern void RetlRewriteSortEnd(RetlRewrite *rewrite, void (*take) (RetlRewrite *, HeapTuple));

/* Is the order that in which an index has the rows? */
extern bool RetlRewriteMustFetch(const RetlRewrite *rewrite);

/* Copy what the index leads to, in its order; as RetlRewriteCopyRowStore. */
extern void RetlRewriteCopyInIndexOrder(RetlRewrite *rewrite, bool tuples);

#endif							/* RETLDB_REWRITE_STATE_H */
