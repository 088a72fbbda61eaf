/*-------------------------------------------------------------------------
 *
 * page_patch.h
 *	  Small changes of column pages, logged as what they change.
 *
 * GenericXLogFinish compares whole pages to find out what has changed, and has
 * to look at all of a column page, which costs more than the change.  Whoever
 * knows what he changes says so here; the WAL record is the same generic one.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_PAGE_PATCH_H
#define RETLDB_PAGE_PATCH_H

#include "postgres.h"

#include "access/generic_xlog.h"
#include "lib/stringinfo.h"
#include "storage/bufmgr.h"
#include "utils/relcache.h"

typedef struct RetlPatch
{
	Relation	rel;
	int			count;
	Buffer		buffers[MAX_GENERIC_XLOG_PAGES];
	StringInfoData deltas[MAX_GENERIC_XLOG_PAGES];	/* as generic_xlog.c has them */
} RetlPatch;

extern void RetlPatchBegin(RetlPatch *patch, Relation rel);

/* Add a column page, which the caller has locked exclusively; returns its index. */
extern int	RetlPatchAddPage(RetlPatch *patch, Buffer buffer);

/*
 * Bytes that are to stand at an offset of the page's payload.  Nothing is
 * changed yet.
 */
extern void RetlPatchWrite(RetlPatch *patch, int page, uint32 payloadOffset,
						   const void *data, uint32 length);

/* Make the changes, set the checksums, log all of it in one record. */
extern void RetlPatchFinish(RetlPatch *patch);

#endif							/* RETLDB_PAGE_PATCH_H */
