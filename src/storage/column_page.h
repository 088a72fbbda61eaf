/*-------------------------------------------------------------------------
 *
 * column_page.h
 *	  Column pages: pages of a table's main fork that are not heap pages.
 *
 * To heap code a column page is an empty heap page without free space: scans,
 * pruning and vacuum pass over it.  Everything after PostgreSQL's page header
 * is special space and begins with RetlPageHeader (format/format.h).
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_COLUMN_PAGE_H
#define RETLDB_COLUMN_PAGE_H

#include "postgres.h"

#include "storage/bufmgr.h"
#include "storage/bufpage.h"
#include "utils/relcache.h"

#include "format/format.h"

#define RETLDB_HEADER_BLOCK		((BlockNumber) 0)

static inline RetlPageHeader *
RetlPageGetHeader(Page page)
{
	return (RetlPageHeader *) ((char *) page + RETLDB_PG_HEADER_SIZE);
}

static inline char *
RetlPageGetPayload(Page page)
{
	return (char *) page + RETLDB_PAYLOAD_OFFSET;
}

/* Does the page have the outer form of a column page (magic included)? */
extern bool RetlPageIsColumnPage(Page page);

/* Make an empty column page, payload zero, checksum not set. */
extern void RetlPageInit(Page page, RetlPageKind kind, uint64 groupId, uint32 sequence);

/* Set the checksum; the last step before a changed page is logged. */
extern void RetlPageSetChecksum(Page page, BlockNumber blkno);

/*
 * What is wrong with this page, or NULL.  Checks form, magic, version, kind,
 * owner, sequence, and (if asked) the checksum.  The text is a static string.
 */
extern const char *RetlPageProblem(Page page, BlockNumber blkno, RetlPageKind kind,
								   uint64 groupId, uint32 sequence,
								   bool checkChecksum);

/*
 * Of a page that passed RetlPageProblem without it: compare the checksum, unless that
 * was done since the page was read into its buffer, by whatever backend.  Caller holds
 * the buffer's content lock; a shared one will do.
 */
extern const char *RetlPageProblemOnce(Buffer buffer);

/* ReadBufferExtended for a page that is read by itself, in no sequence. */
extern Buffer RetlReadSinglePage(Relation rel, BlockNumber blkno, BufferAccessStrategy strategy);

/*
 * Read, lock and check a page that is known to be within the fork.  Release
 * with UnlockReleaseBuffer.
 */
extern Buffer RetlPageRead(Relation rel, BlockNumber blkno, RetlPageKind kind,
						   uint64 groupId, uint32 sequence, int lockMode,
						   BufferAccessStrategy strategy);

/*
 * The same for a page that a row group's own data name ("its links"), so that the block may
 * be anywhere; checksum if asked.  Caller checks the content.
 */
extern Buffer RetlPageReadNamed(Relation rel, BlockNumber blkno, RetlPageKind kind,
								uint64 groupId, uint32 sequence, int lockMode,
								bool checkChecksum, const char *what);

#endif							/* RETLDB_COLUMN_PAGE_H */
