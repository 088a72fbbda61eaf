/*-------------------------------------------------------------------------
 *
 * page_patch.c
 *	  Small changes of column pages, logged as what they change.
 *
 * A generic WAL record has for each page a series of (offset, length, bytes),
 * both numbers 16 bits wide; replay locks all pages, applies them and unlocks.
 * So readers see all pages of a patch before or after it, on a standby as well.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xloginsert.h"
#include "miscadmin.h"
#include "utils/rel.h"

#include "storage/column_page.h"
#include "storage/page_patch.h"

/* Begin a change of pages of a table; none is registered yet. */
void
RetlPatchBegin(RetlPatch *patch, Relation rel)
{
	patch->rel = rel;
	patch->count = 0;
}

/*
 * Add a page that the caller has locked exclusively.
 */
int
RetlPatchAddPage(RetlPatch *patch, Buffer buffer)
{
	int			i = patch->count++;

	Assert(i < MAX_GENERIC_XLOG_PAGES);
	Assert(RetlPageIsColumnPage(BufferGetPage(buffer)));
	patch->buffers[i] = buffer;
	initStringInfo(&patch->deltas[i]);
	return i;
}

/*
 * Append one piece to the delta of a page.
 */
static void
AppendPiece(StringInfo delta, uint32 pageOffset, const void *data, uint32 length)
{
	OffsetNumber offset = pageOffset;
	OffsetNumber pieceLength = length;

	Assert(length > 0 && pageOffset + length <= BLCKSZ);
	appendBinaryStringInfo(delta, (char *) &offset, sizeof(offset));
	appendBinaryStringInfo(delta, (char *) &pieceLength, sizeof(pieceLength));
	appendBinaryStringInfo(delta, data, length);
}

/*
 * Note bytes that are to stand at an offset of the payload.
 */
void
RetlPatchWrite(RetlPatch *patch, int page, uint32 payloadOffset, const void *data, uint32 length)
{
	AppendPiece(&patch->deltas[page], RETLDB_PAYLOAD_OFFSET + payloadOffset, data, length);
}

/*
 * Do to a page what replay will do to it.
 */
static void
ApplyDelta(Page page, const StringInfoData *delta)
{
	const char *ptr = delta->data;
	const char *end = delta->data + delta->len;

	while (ptr < end)
	{
		OffsetNumber offset;
		OffsetNumber length;

		memcpy(&offset, ptr, sizeof(offset));
		memcpy(&length, ptr + sizeof(offset), sizeof(length));
		ptr += sizeof(offset) + sizeof(length);
		memcpy((char *) page + offset, ptr, length);
		ptr += length;
	}
}

/*
 * Make the changes and log them.  The place of the checksum is part of each
 * delta from the start, so that nothing is allocated in the critical section.
 */
void
RetlPatchFinish(RetlPatch *patch)
{
	const uint32 checksumOffset = RETLDB_PG_HEADER_SIZE + offsetof(RetlPageHeader, checksum);
	bool		needsWal = RelationNeedsWAL(patch->rel);

	for (int i = 0; i < patch->count; i++)
		AppendPiece(&patch->deltas[i], checksumOffset,
					(char *) BufferGetPage(patch->buffers[i]) + checksumOffset, sizeof(uint32));

	START_CRIT_SECTION();
	for (int i = 0; i < patch->count; i++)
	{
		Page		page = BufferGetPage(patch->buffers[i]);
		StringInfo	delta = &patch->deltas[i];

		ApplyDelta(page, delta);
		RetlPageSetChecksum(page, BufferGetBlockNumber(patch->buffers[i]));
		memcpy(delta->data + delta->len - sizeof(uint32), (char *) page + checksumOffset,
			   sizeof(uint32));
		MarkBufferDirty(patch->buffers[i]);
	}
	if (needsWal)
	{
		XLogRecPtr	lsn;

		XLogBeginInsert();
		for (int i = 0; i < patch->count; i++)
		{
			XLogRegisterBuffer(i, patch->buffers[i], REGBUF_STANDARD);
			XLogRegisterBufData(i, patch->deltas[i].data, patch->deltas[i].len);
		}
		lsn = XLogInsert(RM_GENERIC_ID, 0);
		for (int i = 0; i < patch->count; i++)
			PageSetLSN(BufferGetPage(patch->buffers[i]), lsn);
	}
	END_CRIT_SECTION();

	for (int i = 0; i < patch->count; i++)
		pfree(patch->deltas[i].data);
}
