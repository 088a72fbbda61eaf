/*-------------------------------------------------------------------------
 *
 * column_page.c
 *	  Column pages: pages of a table's main fork that are not heap pages.
 *
 * This file knows the form of a column page and nothing of what is in it.
 * Callers may assume that a page in which RetlPageProblem finds nothing is byte for byte
 * what was written there last, except for what vacuum changes in PostgreSQL's
 * page header.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "storage/buf_internals.h"
#include "storage/bufmgr.h"
#include "utils/rel.h"

#include "base/errors.h"
#include "format/checksum.h"
#include "storage/column_page.h"

StaticAssertDecl(BLCKSZ == RETLDB_PAGE_SIZE, "retldb needs pages of 8 kB");
StaticAssertDecl(SizeOfPageHeaderData == RETLDB_PG_HEADER_SIZE, "size of PostgreSQL's page header");

/*
 * Does the page have the outer form of a column page?  Heap pages never have:
 * they have no special space.
 */
bool
RetlPageIsColumnPage(Page page)
{
	PageHeader	header = (PageHeader) page;

	return header->pd_lower == SizeOfPageHeaderData &&
		header->pd_upper == SizeOfPageHeaderData &&
		header->pd_special == SizeOfPageHeaderData &&
		RetlPageGetHeader(page)->magic == RETLDB_PAGE_MAGIC;
}

/*
 * Make an empty column page in memory of a page's size.
 */
void
RetlPageInit(Page page, RetlPageKind kind, uint64 groupId, uint32 sequence)
{
	RetlPageHeader *header;

	/* PageInit asserts room for line pointers, and here is none */
	PageInit(page, BLCKSZ, 0);
	((PageHeader) page)->pd_upper = SizeOfPageHeaderData;
	((PageHeader) page)->pd_special = SizeOfPageHeaderData;
	header = RetlPageGetHeader(page);
	header->magic = RETLDB_PAGE_MAGIC;
	header->version = RETLDB_PAGE_VERSION;
	header->kind = kind;
	header->groupId = groupId;
	header->sequence = sequence;
}

/*
 * Checksum of a column page that stands at a block.
 */
static uint32
PageChecksum(Page page, BlockNumber blkno)
{
	uint32		crc = RetlCrc32c(0, &blkno, sizeof(blkno));

	return RetlCrc32cWithout(crc, RetlPageGetHeader(page),
							 BLCKSZ - RETLDB_PG_HEADER_SIZE,
							 offsetof(RetlPageHeader, checksum));
}

/*
 * Set the checksum; the last step before a changed page is logged.
 */
void
RetlPageSetChecksum(Page page, BlockNumber blkno)
{
	RetlPageGetHeader(page)->checksum = PageChecksum(page, blkno);
}

/*
 * What is wrong with this page, or NULL; continues "The page has ...".
 */
const char *
RetlPageProblem(Page page, BlockNumber blkno, RetlPageKind kind, uint64 groupId,
				uint32 sequence, bool checkChecksum)
{
	RetlPageHeader *header = RetlPageGetHeader(page);

	if (PageIsNew(page))
		return "nothing but zeroes";
	if (!RetlPageIsColumnPage(page))
		return "not the form of a column page";
	if (header->version != RETLDB_PAGE_VERSION)
		return "an unsupported page version";
	if (header->kind != kind)
		return "an unexpected kind";
	if (header->groupId != groupId)
		return "an unexpected owner";
	if (header->sequence != sequence)
		return "an unexpected sequence number";
	if (header->used > RETLDB_PAYLOAD_SIZE)
		return "an invalid length";
	if (checkChecksum && header->checksum != PageChecksum(page, blkno))
		return "a wrong checksum";
	return NULL;
}

/*
 * Was a page changed in its buffer, and not written since?
 */
static bool
IsDirty(Buffer buffer)
{
	BufferDesc *descriptor = BufferIsLocal(buffer) ? GetLocalBufferDescriptor(-buffer - 1) :
		GetBufferDescriptor(buffer - 1);

	return (pg_atomic_read_u32(&descriptor->state) & BM_DIRTY) != 0;
}

/*
 * See column_page.h.  What a backend has found must not outlive the page's stay in its
 * buffer, and nothing of the buffer tells whether the page was read again.  So the page
 * itself is marked, in memory only: by heap's hint that a page is full, which means
 * nothing here and everybody passes over.  A page that will be written gets no mark, for
 * it must not come back from disk with one.  Nor need it be looked at: a data page is
 * changed only by writing it anew, so it did not come from disk.  (VACUUM may set a page
 * that is marked all-visible.  It is then written with its mark, and not looked at any more.)
 */
const char *
RetlPageProblemOnce(Buffer buffer)
{
	Page		page = BufferGetPage(buffer);

	if (PageIsFull(page) || IsDirty(buffer))
		return NULL;
	if (RetlPageGetHeader(page)->checksum != PageChecksum(page, BufferGetBlockNumber(buffer)))
		return "a wrong checksum";
	PageSetFull(page);
	return NULL;
}

/*
 * Check a page; raises ERRCODE_DATA_CORRUPTED.
 */
static void
PageCheck(Relation rel, Page page, BlockNumber blkno, RetlPageKind kind,
		  uint64 groupId, uint32 sequence)
{
	const char *problem = RetlPageProblem(page, blkno, kind, groupId, sequence, true);

	if (problem != NULL)
		RetlReportDamagedPage(rel, blkno, problem);
}

/*
 * ReadBufferExtended for a page that is read by itself, in no sequence.  It is
 * asked for by PrefetchBuffer first: so the kernel reads no more than this page,
 * even if it has those before it, and nobody goes on reading where it ends.
 */
Buffer
RetlReadSinglePage(Relation rel, BlockNumber blkno, BufferAccessStrategy strategy)
{
	(void) PrefetchBuffer(rel, MAIN_FORKNUM, blkno);
	return ReadBufferExtended(rel, MAIN_FORKNUM, blkno, RBM_NORMAL, strategy);
}

/*
 * Read, lock and check a page.  The block must be within the fork.
 */
Buffer
RetlPageRead(Relation rel, BlockNumber blkno, RetlPageKind kind, uint64 groupId,
			 uint32 sequence, int lockMode, BufferAccessStrategy strategy)
{
	Buffer		buffer = RetlReadSinglePage(rel, blkno, strategy);

	LockBuffer(buffer, lockMode);
	PageCheck(rel, BufferGetPage(buffer), blkno, kind, groupId, sequence);
	return buffer;
}

/* See column_page.h. */
Buffer
RetlPageReadNamed(Relation rel, BlockNumber blkno, RetlPageKind kind, uint64 groupId,
				  uint32 sequence, int lockMode, bool checkChecksum, const char *what)
{
	Buffer		buffer;
	const char *problem;

	if (blkno == RETLDB_HEADER_BLOCK || blkno >= RETLDB_FIRST_ROW_BLOCK)
		RetlReportDamagedGroup(rel, groupId, NULL,
							   psprintf("a page of %s is outside the table", what));
	buffer = checkChecksum ? RetlReadSinglePage(rel, blkno, NULL) : ReadBuffer(rel, blkno);
	LockBuffer(buffer, lockMode);
	problem = RetlPageProblem(BufferGetPage(buffer), blkno, kind, groupId, sequence,
							  checkChecksum);
	if (problem != NULL)
		RetlReportDamagedPage(rel, blkno, problem);
	return buffer;
}
