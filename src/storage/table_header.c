/*-------------------------------------------------------------------------
 *
 * table_header.c
 *	  The header page, block 0 of every retldb table.
 *
 * It is written together with the relation file and exists as long as that
 * does; there is no moment at which another backend could find the file
 * without it.  For unlogged tables the init fork has one, too.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/generic_xlog.h"
#include "access/xlog.h"
#include "access/xloginsert.h"
#include "catalog/storage.h"
#include "catalog/storage_xlog.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "storage/proc.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "base/compat.h"
#include "base/errors.h"
#include "base/settings.h"
#include "storage/column_page.h"
#include "storage/table_header.h"

/* Features of the format that this library knows. */
#define KNOWN_FEATURES	\
	(RETL_INCOMPAT_SHARED_STUBS | RETL_INCOMPAT_BARE_RUNS | RETL_INCOMPAT_RETIRED_STUBS)

/*
 * Fingerprint of names and types of the columns.  It only informs: ALTER TABLE
 * does not rewrite the header.
 */
uint64
RetlSchemaFingerprint(TupleDesc tupdesc)
{
	uint64		hash = 0;

	for (int i = 0; i < tupdesc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(tupdesc, i);

		if (attribute->attisdropped)
			continue;
		hash = hash_combine64(hash, hash_bytes_extended((unsigned char *) NameStr(attribute->attname),
														strlen(NameStr(attribute->attname)), i + 1));
		hash = hash_combine64(hash, hash_bytes_uint32_extended(attribute->atttypid, attribute->atttypmod));
	}
	return hash;
}

/*
 * Fill a header page in local memory as that of an empty table.
 */
static void
InitHeaderPage(Page page, TupleDesc tupdesc)
{
	RetlFileHeader *header;

	RetlPageInit(page, RETL_PAGE_HEADER, 0, 0);
	header = (RetlFileHeader *) RetlPageGetPayload(page);
	memcpy(header->magic, RETLDB_MAGIC, RETLDB_MAGIC_LENGTH);
	header->formatVersion = RETLDB_FORMAT_VERSION;
	header->headerLength = offsetof(RetlFileHeader, directoryBlocks);
	header->byteOrder = RETLDB_BYTE_ORDER_MARK;
	header->pageSize = RETLDB_PAGE_SIZE;
	header->createdAt = GetCurrentTimestamp();
	if (!pg_strong_random(header->incarnation, sizeof(header->incarnation)))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not generate random values")));
	header->schemaFingerprint = RetlSchemaFingerprint(tupdesc);
	header->generation = 1;
	header->nextGroupId = 1;
	header->nextRowNumber = 0;
	header->directoryLevels = 1;
	RetlPageGetHeader(page)->used = sizeof(RetlFileHeader);
	RetlPageSetChecksum(page, RETLDB_HEADER_BLOCK);
}

/*
 * Write block 0 of a fork that was just created and is empty.
 *
 * No checkpoint may take its redo point between our record and our write and
 * then finish without having synced the write: hence DELAY_CHKPT_START.  With
 * wal_level = minimal the file is synced at commit and must not be logged.
 */
void
RetlHeaderCreate(SMgrRelation smgr, ForkNumber fork, char persistence, TupleDesc tupdesc)
{
	RetlIOBlock block;
	Page		page = (Page) block.data;
	bool		log = fork == INIT_FORKNUM ||
		(persistence == RELPERSISTENCE_PERMANENT && XLogIsNeeded());

	InitHeaderPage(page, tupdesc);

	if (log)
	{
		Assert((MyProc->delayChkptFlags & DELAY_CHKPT_START) == 0);
		MyProc->delayChkptFlags |= DELAY_CHKPT_START;
		log_newpage(RetlSmgrLocator(smgr), fork, RETLDB_HEADER_BLOCK, page, true);
	}
	PageSetChecksumInplace(page, RETLDB_HEADER_BLOCK);
	smgrextend(smgr, fork, RETLDB_HEADER_BLOCK, (char *) page, false);
	if (log)
		MyProc->delayChkptFlags &= ~DELAY_CHKPT_START;
}

/*
 * Make a table empty in place: only a fresh header page is left.
 */
void
RetlHeaderReset(Relation rel)
{
	PGAlignedBlock fresh;
	Buffer		buffer;
	GenericXLogState *state;
	Page		page;

	RelationTruncate(rel, RETLDB_HEADER_BLOCK + 1);

	InitHeaderPage((Page) fresh.data, RelationGetDescr(rel));
	buffer = RetlPageRead(rel, RETLDB_HEADER_BLOCK, RETL_PAGE_HEADER, 0, 0,
						  BUFFER_LOCK_EXCLUSIVE, NULL);
	state = GenericXLogStart(rel);
	page = GenericXLogRegisterBuffer(state, buffer, 0);
	memcpy(RetlPageGetHeader(page), RetlPageGetHeader((Page) fresh.data),
		   BLCKSZ - RETLDB_PG_HEADER_SIZE);
	GenericXLogFinish(state);
	UnlockReleaseBuffer(buffer);
}

/*
 * Why a header cannot be used, or NULL.  *unsupported tells a file of another
 * version from a damaged one.
 */
const char *
RetlHeaderProblem(const RetlFileHeader *header, bool *unsupported)
{
	*unsupported = false;
	if (memcmp(header->magic, RETLDB_MAGIC, RETLDB_MAGIC_LENGTH) != 0)
		return "no RETLDB magic";
	if (header->byteOrder != RETLDB_BYTE_ORDER_MARK)
		return "an unexpected byte order";
	*unsupported = true;
	if (header->formatVersion != RETLDB_FORMAT_VERSION)
		return "an unsupported format version";
	if ((header->incompatFlags & ~(uint32) KNOWN_FEATURES) != 0)
		return "unsupported incompatible features";
	if (header->directoryLevels != 1)
		return "an unsupported directory depth";
	*unsupported = false;
	if (header->pageSize != RETLDB_PAGE_SIZE)
		return "an unexpected page size";
	if (header->headerLength != offsetof(RetlFileHeader, directoryBlocks))
		return "an invalid header length";
	if (header->directoryPageCount > RETLDB_MAX_DIRECTORY_PAGES)
		return "an invalid number of directory pages";
	if (header->nextGroupId == 0 ||
		header->nextRowNumber > RETLDB_MAX_ROW_NUMBER ||
		header->nextRowNumber % RETLDB_ROWS_PER_BLOCK != 0)
		return "invalid counters";
	return NULL;
}

/*
 * Check the header of a table; raises an error that tells damage from a newer
 * version.
 */
static void
CheckHeader(Relation rel, const RetlFileHeader *header)
{
	bool		unsupported;
	const char *problem = RetlHeaderProblem(header, &unsupported);

	if (problem == NULL)
		return;
	if (unsupported)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("table \"%s\" has %s", RelationGetRelationName(rel), problem),
				 errdetail("Its format version is %u with incompatible features 0x%08x; this library reads version %u.",
						   header->formatVersion, header->incompatFlags,
						   RETLDB_FORMAT_VERSION),
				 errhint("Install a newer version of the retldb library.")));
	RetlReportDamagedPage(rel, RETLDB_HEADER_BLOCK, problem);
}

/*
 * A checked copy of the header.
 */
void
RetlHeaderRead(Relation rel, RetlFileHeader *header)
{
	Buffer		buffer;

	if (RelationGetNumberOfBlocks(rel) == 0)
		RetlReportDamagedPage(rel, RETLDB_HEADER_BLOCK, "been lost: the file is empty");

	buffer = RetlPageRead(rel, RETLDB_HEADER_BLOCK, RETL_PAGE_HEADER, 0, 0,
						  BUFFER_LOCK_SHARE, NULL);
	memcpy(header, RetlPageGetPayload(BufferGetPage(buffer)), sizeof(RetlFileHeader));
	UnlockReleaseBuffer(buffer);
	CheckHeader(rel, header);
}

/*
 * Pin and lock the header page for a look at some of its fields, which is too short for
 * its checksum.
 */
static Buffer
LockForGlance(Relation rel, const RetlFileHeader **header)
{
	Buffer		buffer = ReadBuffer(rel, RETLDB_HEADER_BLOCK);
	Page		page = BufferGetPage(buffer);
	const char *problem;

	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	problem = RetlPageProblem(page, RETLDB_HEADER_BLOCK, RETL_PAGE_HEADER, 0, 0, false);
	if (problem != NULL)
		RetlReportDamagedPage(rel, RETLDB_HEADER_BLOCK, problem);
	*header = (RetlFileHeader *) RetlPageGetPayload(page);
	return buffer;
}

/* See table_header.h. */
bool
RetlHeaderBareIs(Relation rel, const RetlBareRuns *bare)
{
	const RetlFileHeader *header;
	Buffer		buffer = LockForGlance(rel, &header);
	bool		same = memcmp(&header->bare, bare, sizeof(RetlBareRuns)) == 0;

	UnlockReleaseBuffer(buffer);
	return same;
}

/*
 * What tells whether the directory has changed.  Of the header no more is looked
 * at.
 */
void
RetlHeaderReadState(Relation rel, RetlHeaderState *state)
{
	const RetlFileHeader *header;
	Buffer		buffer = LockForGlance(rel, &header);

	state->generation = header->generation;
	memcpy(state->incarnation, header->incarnation, sizeof(state->incarnation));
	UnlockReleaseBuffer(buffer);
}

/*
 * Read the header, if it is sound or damage may not be passed over.
 */
bool
RetlHeaderTryRead(Relation rel, RetlFileHeader *header)
{
	Buffer		buffer;
	const char *problem;
	bool		unsupported = false;

	if (!retldb_skip_damaged_groups || RelationGetNumberOfBlocks(rel) == 0)
	{
		RetlHeaderRead(rel, header);
		return true;
	}

	buffer = ReadBuffer(rel, RETLDB_HEADER_BLOCK);
	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	memcpy(header, RetlPageGetPayload(BufferGetPage(buffer)), sizeof(RetlFileHeader));
	problem = RetlPageProblem(BufferGetPage(buffer), RETLDB_HEADER_BLOCK, RETL_PAGE_HEADER, 0, 0, true);
	UnlockReleaseBuffer(buffer);

	if (problem == NULL)
		problem = RetlHeaderProblem(header, &unsupported);
	if (problem == NULL)
		return true;
	if (unsupported)
		CheckHeader(rel, header);
	ereport(WARNING,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("skipping damaged header of table \"%s\"", RelationGetRelationName(rel)),
			 errdetail("The page has %s.", problem)));
	return false;
}
