/*-------------------------------------------------------------------------
 *
 * verify_page.c
 *	  Checks of single column pages.
 *
 * The checksum of a column page covers all of it but PostgreSQL's page header,
 * which vacuum may change and data checksums may or may not protect.  What can
 * be said about that header is checked here: it is as RetlPageInit makes it,
 * with PD_ALL_VISIBLE and the mark of RetlPageProblemOnce set or not, and agrees with
 * the visibility map.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/visibilitymap.h"
#include "access/xlog.h"
#include "access/xlogrecovery.h"
#include "utils/rel.h"

#include "sql/verify_internal.h"
#include "storage/column_page.h"

/*
 * The WAL position that no page can be ahead of.
 */
static XLogRecPtr
NewestPossibleLsn(void)
{
	return RecoveryInProgress() ? GetCurrentReplayRecPtr(NULL) : GetXLogInsertRecPtr();
}

/*
 * Does the page header differ from the one that RetlPageInit makes?
 */
static bool
FrameDiffers(Page page)
{
	PGAlignedBlock fresh;
	PageHeader	expected = (PageHeader) fresh.data;
	PageHeader	header = (PageHeader) page;

	RetlPageInit((Page) fresh.data, RETL_PAGE_DATA, 0, 0);
	return header->pd_lower != expected->pd_lower ||
		header->pd_upper != expected->pd_upper ||
		header->pd_special != expected->pd_special ||
		header->pd_pagesize_version != expected->pd_pagesize_version ||
		header->pd_prune_xid != expected->pd_prune_xid ||
		(header->pd_flags & ~(PD_ALL_VISIBLE | PD_PAGE_FULL)) != expected->pd_flags;
}

/*
 * Is the PostgreSQL part of a column page as we write it?  *mapBuffer is
 * InvalidBuffer or what an earlier call left there, and is the caller's to
 * release.  Caller holds the buffer's content lock, under which page and
 * visibility map change together.
 */
static void
VerifyFrame(RetlVerifyState *state, Buffer buffer, Buffer *mapBuffer)
{
	Page		page = BufferGetPage(buffer);

	if (FrameDiffers(page))
		RetlVerifyFault(state, "page has an unexpected PostgreSQL page header");
	if (RelationNeedsWAL(state->rel) && PageGetLSN(page) > NewestPossibleLsn())
		RetlVerifyFault(state, "page has a WAL position in the future");
	if (!PageIsAllVisible(page) &&
		visibilitymap_get_status(state->rel, BufferGetBlockNumber(buffer), mapBuffer) != 0)
		RetlVerifyFault(state, "page is not marked all-visible but its visibility map bits are set");
}

/*
 * Is everything past the payload's used part zero?
 */
static bool
TailIsZero(Page page)
{
	const char *payload = RetlPageGetPayload(page);

	for (Size i = RetlPageGetHeader(page)->used; i < RETLDB_PAYLOAD_SIZE; i++)
	{
		if (payload[i] != 0)
			return false;
	}
	return true;
}

/*
 * Check a column page completely.  "used" is the expected length of the
 * payload.  Caller holds the buffer's content lock.
 */
bool
RetlVerifyPage(RetlVerifyState *state, Buffer buffer, RetlPageKind kind,
			   uint64 groupId, uint32 sequence, uint32 used, Buffer *mapBuffer)
{
	Page		page = BufferGetPage(buffer);
	const char *problem = RetlPageProblem(page, BufferGetBlockNumber(buffer), kind,
										  groupId, sequence, true);

	if (problem != NULL)
	{
		RetlVerifyFault(state, "page has %s", problem);
		return false;
	}
	VerifyFrame(state, buffer, mapBuffer);
	if (RetlPageGetHeader(page)->used != used)
		RetlVerifyFault(state, "page holds %u bytes instead of %u",
						RetlPageGetHeader(page)->used, used);
	if (!TailIsZero(page))
		RetlVerifyFault(state, "page has data past its used part");
	return true;
}

/*
 * Check that a page which may be anybody's is a column page and undamaged.
 * This is all that can be asked of the pages of unfinished and released
 * groups.  Caller holds the buffer's content lock.
 */
void
RetlVerifyAnyPage(RetlVerifyState *state, Buffer buffer, Buffer *mapBuffer)
{
	Page		page = BufferGetPage(buffer);
	RetlPageHeader *header = RetlPageGetHeader(page);
	const char *problem;

	if (!PageIsNew(page) && !RetlPageIsColumnPage(page))
	{
		RetlVerifyFault(state, "block belongs to a row group but is not a column page");
		return;
	}
	problem = RetlPageProblem(page, BufferGetBlockNumber(buffer), header->kind,
							  header->groupId, header->sequence, true);
	if (problem != NULL)
		RetlVerifyFault(state, "page has %s", problem);
	else
		VerifyFrame(state, buffer, mapBuffer);
}
