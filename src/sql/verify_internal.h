/*-------------------------------------------------------------------------
 *
 * verify_internal.h
 *	  What the phases of retldb.verify share.
 *
 * The phases, in order: the directory (header page, directory pages, entries,
 * zone map pages, and who owns which blocks), the row groups (their pages,
 * footers, columns), and the row store (anchors).
 *
 * Whatever reads blocks runs as a step: a function called by RetlVerifyStep
 * inside a subtransaction, so that an error about damaged data becomes a fault
 * and the verification goes on.  Steps must not leave buffers pinned.
 *
 * Tables change while they are verified: groups are loaded, and vacuum gives
 * pages of aborted loads back.  Faults are therefore collected per subject and
 * reported only when the directory still says the same about the subject.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_VERIFY_INTERNAL_H
#define RETLDB_VERIFY_INTERNAL_H

#include "postgres.h"

#include "access/attnum.h"
#include "nodes/pg_list.h"
#include "storage/bufmgr.h"
#include "storage/bufpage.h"
#include "utils/relcache.h"
#include "utils/tuplestore.h"

#include "storage/directory.h"

/* What owns blocks. */
typedef enum RetlOwnerKind
{
	RETL_OWNER_HEADER,
	RETL_OWNER_DIRECTORY,		/* number: index of the directory page */
	RETL_OWNER_ZONE_MAP,		/* number: index of its directory page */
	RETL_OWNER_GROUP,			/* number: group id */
	RETL_OWNER_RUN_LIST			/* number: group id */
} RetlOwnerKind;

/* A run of blocks and its owner. */
typedef struct RetlClaim
{
	BlockNumber start;
	BlockNumber end;			/* first block after it */
	RetlOwnerKind kind;
	uint64		number;
} RetlClaim;

/* A directory page as it was copied. */
typedef struct RetlCopiedPage
{
	BlockNumber block;
	bool		valid;			/* content is there and passed its checks */
	RetlDirectoryPage *content;
} RetlCopiedPage;

/* The directory as it was at one moment. */
typedef struct RetlCopiedDirectory
{
	MemoryContext context;		/* holds all of it */
	bool		headerValid;
	RetlFileHeader header;
	BlockNumber blockCount;		/* of the fork, determined afterwards */
	uint32		pageCount;
	RetlCopiedPage *pages;
	int			groupCount;
	RetlGroup  *groups;			/* LOADING, COMPLETE and FREE ones of valid pages */
	bool	   *groupSound;		/* [groupCount] entry and runs can be followed */
	RetlDirectory view;			/* the same for other modules; zone maps only
								 * where they are sound */
	int			claimCount;
	int			claimCapacity;
	RetlClaim  *claims;			/* sorted by start once all are there */
} RetlCopiedDirectory;

typedef struct RetlVerifyState
{
	/* what is verified and how; fixed */
	Relation	rel;
	bool		deep;
	BufferAccessStrategy strategy;
	Tuplestorestate *tupstore;
	TupleDesc	tupdesc;

	/* set by the first phase */
	RetlCopiedDirectory *directory;

	/* where the verification stands, for faults and errors */
	BlockNumber block;			/* InvalidBlockNumber = none */
	uint64		groupId;		/* 0 = none */
	AttrNumber	column;			/* 0 = none */

	/* faults found and not yet reported */
	MemoryContext faultContext;
	List	   *faults;

	/* column pages that nobody owns */
	uint64		orphanCount;
} RetlVerifyState;

typedef void (*RetlVerifyFunction) (RetlVerifyState *state, void *argument);

/* ---- verify_step.c ---- */

/* Say where the verification stands. */
extern void RetlVerifyAt(RetlVerifyState *state, BlockNumber block, uint64 groupId,
						 AttrNumber column);

/* Note a fault there. */
extern void RetlVerifyFault(RetlVerifyState *state, const char *format,...) pg_attribute_printf(2, 3);

/* Return the noted faults as rows, or forget them. */
extern void RetlVerifyReport(RetlVerifyState *state);
extern void RetlVerifyForget(RetlVerifyState *state);

/* Run a step; false if it ended in an error, which was noted as a fault. */
extern bool RetlVerifyStep(RetlVerifyState *state, RetlVerifyFunction function, void *argument);

/* ---- verify_page.c ---- */

/* Check a column page completely, frame included; false if its content is no good. */
extern bool RetlVerifyPage(RetlVerifyState *state, Buffer buffer, RetlPageKind kind,
						   uint64 groupId, uint32 sequence, uint32 used, Buffer *mapBuffer);

/* Check that a page which may be anybody's is a sound column page. */
extern void RetlVerifyAnyPage(RetlVerifyState *state, Buffer buffer, Buffer *mapBuffer);

/* ---- verify_visible.c ---- */

/*
 * Check a page of the row store against its bits of the visibility map.  *mapBuffer is as
 * above.  Caller holds the buffer's content lock.
 */
extern void RetlVerifyVisible(RetlVerifyState *state, Buffer buffer, Buffer *mapBuffer);

/* ---- verify_directory.c ---- */

/*
 * Verify the directory and leave a copy of it in state->directory.  False if
 * nothing else can be verified.
 */
extern bool RetlVerifyDirectoryPhase(RetlVerifyState *state);

/* A fresh copy of the directory, without any checks but those of its pages. */
extern RetlCopiedDirectory *RetlVerifyDirectoryCopy(RetlVerifyState *state);
extern void RetlVerifyDirectoryDrop(RetlCopiedDirectory *directory);

/* Does the directory still say the same about a group? */
extern bool RetlVerifyGroupUnchanged(RetlVerifyState *state, const RetlGroup *group);

/* ---- verify_claims.c ---- */

extern void RetlVerifyClaim(RetlVerifyState *state, RetlCopiedDirectory *directory,
							BlockNumber start, uint32 length,
							RetlOwnerKind kind, uint64 number);

/* Sort the claims and note those that overlap. */
extern void RetlVerifyClaims(RetlVerifyState *state, RetlCopiedDirectory *directory);

/* ---- verify_group.c ---- */

extern void RetlVerifyGroupPhase(RetlVerifyState *state);

/* ---- verify_anchor.c ---- */

extern void RetlVerifyAnchorPhase(RetlVerifyState *state);

#endif							/* RETLDB_VERIFY_INTERNAL_H */
