/*-------------------------------------------------------------------------
 *
 * compact.h
 *	  Compaction: rows of the row store to row groups, small groups to larger
 *	  ones, overlapping groups of a table with an order into disjoint ones.
 *
 * Compaction of a table is a sequence of steps, each a transaction of its own:
 * compact_plan.c says what a step is about, compact_step.c does it, and
 * compact_table.c runs the steps of a table.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_COMPACT_H
#define RETLDB_COMPACT_H

#include "postgres.h"

#include "storage/block.h"
#include "utils/relcache.h"

#include "compact/compact_reads.h"
#include "rowgroup/group_writer.h"
#include "storage/directory.h"
#include "visibility/group_move.h"
#include "visibility/row_move.h"

/*
 * The lock that a step holds on a table.  Rows are moved next to readers and writers,
 * who follow the links that moved rows leave.
 */
#define RETLDB_COMPACT_LOCK		ShareUpdateExclusiveLock

/* Compaction of one table, over all its steps. */
typedef struct RetlCompaction
{
	/* set by the caller */
	Oid			relid;
	bool		full;			/* whatever can be merged is; else what pays */
	bool		wait;			/* for the lock; else the table is passed over */
	uint64		minRows;		/* of the row store, to be moved at all: so many, */
	double		scaleFactor;	/* and this share of the rows in row groups; those of a
								 * full group always */
	uint64		quietRows;		/* fewer are worth it, too, if the table is quiet: so many; */
	bool		(*isQuiet) (Relation rel);	/* NULL: nobody knows */
	bool		holdClustering; /* pages of rewritten groups wait for VACUUM: no more of them */
	int			maxOverlap;		/* groups that may overlap at a point, of a table
								 * with an order */
	bool		moveRead;		/* rows that serializable transactions have read, too: at once, */
	bool		moveReadAtLast; /* or when nothing else is left to do */

	/* of the current step */
	TransactionId oldestXmin;	/* what is older is visible to everybody */

	/* between steps */
	BlockNumber nextBlock;		/* of the row store: those before are done, */
	BlockNumber endBlock;		/* and those from this one on are for another time */
	uint64		endGroupId;		/* so are groups from this id on, but for those that we have */
	int			ownCount;		/* written */
	uint64	   *ownGroups;		/* [ownCount] */
	int			readCount;		/* groups of which rows were read while they were written anew: */
	uint64	   *readGroups;		/* [readCount], unless "moveRead" */
	bool		left;			/* rows stay where they are that were read, of any step */
	MemoryContext context;		/* lives as long as the compaction */
	bool		mayYield;		/* give up a step for those who wait */
	bool		noClustering;	/* it does not get better */
	uint64		nextRetired;	/* stubs of groups with lower ids were looked at for retiring */
	bool		unfinished;		/* other tables' turn, unless "full" */

	/* what was done */
	TransactionId lastXid;		/* of the last step */
	uint64		steps;
	uint64		yields;
	uint64		rowsMoved;		/* from the row store */
	uint64		rowsRewritten;	/* from row groups */
	uint64		groupsMerged;	/* taken away */
	uint64		groupsWritten;
	uint64		groupsAbandoned;	/* written, and rolled back */
} RetlCompaction;

/* What a step is about; in the step's memory context. */
typedef struct RetlCompactPlan
{
	const struct RetlCompaction *compaction;
	TransactionId oldestXmin;	/* what is older is visible to everybody */
	RetlWriteOptions options;
	const RetlGroup *firstGroup;	/* of the directory, */
	int64	   *deadRows;		/* and what compact_plan.c knows of each of its groups */
	RetlReadPlaces reads;		/* rows that stay, none if "moveRead"; */
	bool		left;			/* some were met */
	int			groupCount;		/* groups to be rewritten, in order */
	RetlGroup **groups;
	int			pageCount;		/* row store pages, with the rows to be moved */
	RetlPageRows **pages;
	uint64		rowStoreRows;	/* in them */
	bool		clustering;		/* the groups overlap */
	int			otherPageCount; /* of these pages, if they are not worth a group by themselves */
	BlockNumber anchorBlock;	/* where anchors go, if they can */
	bool		makeAnchorPage; /* it is a free page yet */
	bool		relocating;		/* each of the groups stays one, in free pages */
	RetlGroup  *retiring;		/* the group whose stubs are to be retired, and nothing else */
	uint32		retireAge;		/* those that were left alone for so many transactions */
	RetlMove	move;			/* what has become of the groups' rows */
	BlockNumber nextBlock;		/* where to go on */
} RetlCompactPlan;

/* How a step has ended. */
typedef enum RetlStepResult
{
	RETL_STEP_DONE,				/* to be committed */
	RETL_STEP_NOTHING,			/* nothing is left to do */
	RETL_STEP_YIELDED,			/* to be rolled back: somebody waits for the table, or most
								 * of its rows, or all of a group, were changed meanwhile */
	RETL_STEP_READ				/* to be rolled back: a serializable transaction has read rows of
								 * its groups meanwhile, which are left alone from now on */
} RetlStepResult;

/* How transactions are ended, and others begun. */
typedef struct RetlCompactTransactions
{
	void		(*commit) (void);
	void		(*rollback) (void);
} RetlCompactTransactions;

/* compact_plan.c: false if there is nothing to do */
extern bool RetlCompactMakePlan(RetlCompaction *compaction, Relation rel, RetlCompactPlan *plan);

/* compact_entries.c: enter the rows of a group in the indexes of its table */
extern void RetlCompactMakeEntries(Relation rel, RetlGroup *group);

/* compact_step.c: the table is locked, oldestXmin known, and a snapshot active */
extern RetlStepResult RetlCompactStep(RetlCompaction *compaction, Relation rel);

/*
 * compact_table.c: run steps until nothing is left; in a transaction at begin
 * and end, which has done nothing.  False if the table was passed over: it is
 * gone, or locked, or none that can be compacted.
 */
extern bool RetlCompactTable(RetlCompaction *compaction,
							 const RetlCompactTransactions *transactions);

#endif							/* RETLDB_COMPACT_H */
