/*-------------------------------------------------------------------------
 *
 * group_bytes.c
 *	  A row group's byte string over its data pages.
 *
 * Byte b of the string is byte b % RETLDB_PAYLOAD_SIZE of the payload of the
 * group's page number b / RETLDB_PAYLOAD_SIZE, counting through its runs.
 *
 * The writer collects pages in memory.  It writes them to free pages, if there are
 * some, else it appends: many pages under one hold of the extension lock, so that
 * concurrent loaders get long runs.  Each run is entered in the directory before it is
 * written, or as soon as it exists.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "utils/spccache.h"
#include "utils/rel.h"

#include "base/errors.h"
#include "storage/column_page.h"
#include "storage/group_bytes.h"
#include "storage/page_alloc.h"
#include "storage/recent_pages.h"

/* Pages collected before they are written: 2 MB. */
#define WRITER_PAGES	256

/* Pages that are appended before their run is entered in the directory. */
#define APPEND_PAGES	32

/*
 * Pages that are prefetched for each of the concurrent requests that
 * effective_io_concurrency allows (PostgreSQL 17 joins as many in one), and at
 * most in all.
 */
#define PREFETCH_PAGES		16
#define PREFETCH_PAGES_MAX	256

struct RetlBytesWriter
{
	Relation	rel;
	RetlGroup  *group;
	BufferAccessStrategy strategy;
	uint32		writtenPages;
	uint64		position;
	char	   *images;			/* [WRITER_PAGES] */
	uint32		imageCount;		/* full ones, and perhaps a part */
	uint32		lastUsed;		/* payload bytes in the last image */
};

/*
 * Start writing the byte string of a LOADING group.
 */
RetlBytesWriter *
RetlBytesWriterBegin(Relation rel, RetlGroup *group)
{
	RetlBytesWriter *writer = palloc0(sizeof(RetlBytesWriter));

	writer->rel = rel;
	writer->group = group;
	writer->strategy = GetAccessStrategy(BAS_BULKWRITE);
	writer->images = palloc((Size) WRITER_PAGES * BLCKSZ);
	return writer;
}

/*
 * Write images to pages that the group has and that are not written yet, as far as
 * there are any; returns how many that were.
 */
static uint32
WriteTaken(RetlBytesWriter *writer)
{
	uint32		done = 0;
	uint32		before = 0;		/* pages of the runs before this one */
	int			count;
	RetlRun    *runs;

	if (writer->writtenPages >= writer->group->entry.pageCount)
		return 0;
	runs = RetlGroupGetRuns(writer->rel, &writer->group->entry, &count);
	for (int i = 0; i < count && done < writer->imageCount; i++)
	{
		uint32		page = writer->writtenPages + done;

		if (page < before + runs[i].length)
		{
			uint32		skip = page - before;
			uint32		n = Min(runs[i].length - skip, writer->imageCount - done);

			RetlPagesOverwrite(writer->rel, runs[i].start + skip,
							   writer->images + (Size) done * BLCKSZ, n, writer->strategy);
			done += n;
		}
		before += runs[i].length;
	}
	pfree(runs);
	return done;
}

/*
 * Append images from number "done" on.  The extension lock is kept meanwhile,
 * so that the runs join; each run is entered as soon as it is there, so that an
 * error or a cancel leaves no pages that nobody knows of.
 */
static void
AppendImages(RetlBytesWriter *writer, uint32 done)
{
	Relation	rel = writer->rel;
	bool		needLock = !RELATION_IS_LOCAL(rel);

	if (needLock)
		LockRelationForExtension(rel, ExclusiveLock);
	while (done < writer->imageCount)
	{
		uint32		count = Min(writer->imageCount - done, APPEND_PAGES);

		CHECK_FOR_INTERRUPTS();
		RetlDirectoryAddRun(rel, writer->group,
							RetlPagesAppend(rel, writer->images + (Size) done * BLCKSZ,
											count, writer->strategy));
		done += count;
	}
	if (needLock)
		UnlockRelationForExtension(rel, ExclusiveLock);
}

/*
 * Write all collected images.
 */
static void
FlushImages(RetlBytesWriter *writer)
{
	uint32		done;

	if (writer->imageCount == 0)
		return;
	RetlPageGetHeader((Page) (writer->images + (Size) (writer->imageCount - 1) * BLCKSZ))->used =
		writer->lastUsed;

	(void) RetlDirectoryTakeFree(writer->rel, writer->group, writer->imageCount);
	done = WriteTaken(writer);
	if (done < writer->imageCount)
		AppendImages(writer, done);
	writer->writtenPages += writer->imageCount;
	writer->imageCount = 0;
	writer->lastUsed = 0;
}

/*
 * Begin another page image.
 */
static void
AddImage(RetlBytesWriter *writer)
{
	if (writer->imageCount == WRITER_PAGES)
		FlushImages(writer);
	else if (writer->imageCount > 0)
		RetlPageGetHeader((Page) (writer->images + (Size) (writer->imageCount - 1) * BLCKSZ))->used =
			writer->lastUsed;
	RetlPageInit((Page) (writer->images + (Size) writer->imageCount * BLCKSZ),
				 RETL_PAGE_DATA, writer->group->entry.groupId,
				 writer->writtenPages + writer->imageCount);
	writer->imageCount++;
	writer->lastUsed = 0;
}

/*
 * Append; returns the offset where the data begin.
 */
uint64
RetlBytesWriterAppend(RetlBytesWriter *writer, const void *data, Size length)
{
	uint64		start = writer->position;
	const char *from = data;

	while (length > 0)
	{
		Size		n;

		if (writer->imageCount == 0 || writer->lastUsed == RETLDB_PAYLOAD_SIZE)
			AddImage(writer);
		n = Min(length, RETLDB_PAYLOAD_SIZE - writer->lastUsed);
		memcpy(RetlPageGetPayload((Page) (writer->images + (Size) (writer->imageCount - 1) * BLCKSZ)) +
			   writer->lastUsed, from, n);
		writer->lastUsed += n;
		writer->position += n;
		from += n;
		length -= n;
	}
	return start;
}

/*
 * See group_bytes.h.
 */
void
RetlBytesWriterFit(RetlBytesWriter *writer, uint64 length, uint64 maxGap)
{
	uint64		used = writer->position % RETLDB_PAYLOAD_SIZE;
	uint64		gap = RETLDB_PAYLOAD_SIZE - used;
	char	   *zeroes;

	if (used == 0 || length == 0 || gap > maxGap ||
		(used + length - 1) / RETLDB_PAYLOAD_SIZE == (length - 1) / RETLDB_PAYLOAD_SIZE)
		return;
	zeroes = palloc0(gap);
	RetlBytesWriterAppend(writer, zeroes, gap);
	pfree(zeroes);
}

/*
 * Offset of the next byte.
 */
uint64
RetlBytesWriterPosition(const RetlBytesWriter *writer)
{
	return writer->position;
}

/*
 * Write what is left.
 */
void
RetlBytesWriterEnd(RetlBytesWriter *writer)
{
	FlushImages(writer);
	Assert(writer->group->entry.pageCount == writer->writtenPages);
	FreeAccessStrategy(writer->strategy);
	pfree(writer->images);
	pfree(writer);
}

/*
 * Make ready to read a group's bytes.
 */
void
RetlBytesReaderInit(RetlBytesReader *reader, Relation rel, const RetlGroupEntry *entry,
					BufferAccessStrategy strategy)
{
	uint64		pages = 0;

	reader->rel = rel;
	reader->strategy = strategy;
	reader->groupId = entry->groupId;
	reader->dataLength = entry->dataLength;
	reader->distanceKnown = false;
	reader->aheads = 0;
	reader->runs = RetlGroupGetDataRuns(rel, entry, &reader->runCount);
	for (int i = 0; i < reader->runCount; i++)
		pages += reader->runs[i].length;
	if (reader->dataLength > pages * RETLDB_PAYLOAD_SIZE)
		RetlReportDamagedGroup(rel, entry->groupId, NULL, "fewer pages than its length needs");
}

/*
 * Block that holds page "index" of the group, which must have it.
 */
BlockNumber
RetlBytesReaderBlock(const RetlBytesReader *reader, uint32 index)
{
	for (int i = 0; i < reader->runCount; i++)
	{
		if (index < reader->runs[i].length)
			return reader->runs[i].start + index;
		index -= reader->runs[i].length;
	}
	elog(ERROR, "page index is out of range");
}

/*
 * Raise an error if [offset, offset + length) is not in the byte string.
 */
static void
CheckRange(const RetlBytesReader *reader, uint64 offset, uint64 length)
{
	if (offset > reader->dataLength || length > reader->dataLength - offset)
		RetlReportDamagedGroup(reader->rel, reader->groupId, NULL, "an offset beyond its end");
}

/*
 * Start reading pages in the background.  Tables are mostly in memory or mostly
 * not: if a page is, those after it are taken to be.  The first one does not
 * tell, for what was read before often ends on it.
 */
bool
RetlBytesReaderPrefetch(RetlBytesReader *reader, uint64 offset, uint64 length)
{
	uint64		first = offset / RETLDB_PAYLOAD_SIZE;
	uint64		end = Min(offset + length, reader->dataLength);
	bool		missing = false;

	for (uint64 index = first; index * RETLDB_PAYLOAD_SIZE < end; index++)
	{
		BlockNumber block = RetlBytesReaderBlock(reader, (uint32) index);
		bool		isThere = RetlRecentBufferIsLikely(reader->rel, block);

		if (!isThere)
		{
			PrefetchBufferResult result = PrefetchBuffer(reader->rel, MAIN_FORKNUM, block);

			missing |= !BufferIsValid(result.recent_buffer);
			isThere = !result.initiated_io;
		}
		if (isThere && index > first)
			break;
	}
	reader->missing = missing;
	return missing;
}

/*
 * How many bytes ahead to prefetch; 0: not at all.
 */
uint64
RetlPrefetchDistance(Relation rel)
{
	int			requests = get_tablespace_io_concurrency(rel->rd_rel->reltablespace);

	return (uint64) Min(requests * PREFETCH_PAGES, PREFETCH_PAGES_MAX) * RETLDB_PAYLOAD_SIZE;
}

/*
 * Same for an open group.  The options of the tablespace may have to be read, so
 * those who find everything in memory do without.
 */
uint64
RetlBytesReaderDistance(RetlBytesReader *reader)
{
	if (!reader->distanceKnown)
	{
		reader->prefetchDistance = RetlPrefetchDistance(reader->rel);
		reader->distanceKnown = true;
	}
	return reader->prefetchDistance;
}

/*
 * Start reading the first page of a group's footer, unless its run is not among
 * those in the entry.
 */
void
RetlGroupPrefetchFooter(Relation rel, const RetlGroupEntry *entry)
{
	uint32		index = (uint32) (entry->footerOffset / RETLDB_PAYLOAD_SIZE);

	for (int i = 0; i < Min(entry->runCount, RETLDB_INLINE_RUNS); i++)
	{
		if (index < entry->runs[i].length)
		{
			(void) PrefetchBuffer(rel, MAIN_FORKNUM, entry->runs[i].start + index);
			return;
		}
		index -= entry->runs[i].length;
	}
}

/*
 * The page that has some bytes, pinned; "rest" more bytes will be wanted, counted from
 * these.  Pages that are not where they were last time are asked for by name first,
 * if *ask says so and prefetching is wanted: the kernel would take a read of pages one
 * after the other, or of one after others that it has, for the beginning of a longer one,
 * and read on far into the next column.
 */
static Buffer
PinPage(RetlBytesReader *reader, BlockNumber block, uint64 offset, Size rest, bool *ask)
{
	bool		recent = reader->strategy == NULL;
	Buffer		buffer = recent ? RetlRecentBuffer(reader->rel, block) : InvalidBuffer;

	if (BufferIsValid(buffer))
	{
		RetlPrefetchRecentPage(reader->rel, block, offset % RETLDB_PAYLOAD_SIZE);
		if (RetlPinRecentBuffer(reader->rel, block, buffer))
			return buffer;
	}
	if (*ask && RetlBytesReaderDistance(reader) > 0)
		RetlBytesReaderPrefetch(reader, offset, rest);
	*ask = false;
	buffer = ReadBufferExtended(reader->rel, MAIN_FORKNUM, block, RBM_NORMAL, reader->strategy);
	if (recent)
		RetlRememberBuffer(reader->rel, block, buffer);
	return buffer;
}

/* RetlPageBlock: the block of a page of a group. */
static BlockNumber
BlockOfPage(void *source, uint64 page)
{
	return RetlBytesReaderBlock(source, (uint32) page);
}

/*
 * Begin a stream of the pages that a range is on.
 */
RetlPageStream *
RetlBytesReaderBeginStream(RetlBytesReader *reader, uint64 offset, uint64 length)
{
	CheckRange(reader, offset, length);
	Assert(length > 0);
	return RetlPageStreamBegin(reader->rel, reader->strategy, BlockOfPage, reader,
							   offset / RETLDB_PAYLOAD_SIZE,
							   (offset + length - 1) / RETLDB_PAYLOAD_SIZE + 1, true);
}

/*
 * Is the stream at the page of this offset, or at the one after it?  Then the page
 * was read just now, for what was before ended on it.
 */
bool
RetlBytesStreamIsNear(const RetlPageStream *stream, uint64 offset)
{
	uint64		page = offset / RETLDB_PAYLOAD_SIZE;

	return RetlPageStreamIsAt(stream, page) || RetlPageStreamIsAt(stream, page + 1);
}

/*
 * Copy bytes [offset, offset + length) to dst.  Pages come from the stream, which may be
 * NULL, as far as it has them; "ask": PinPage has to ask for the others; "check": the
 * pages' checksums are what vouches for the bytes.
 */
static void
ReadBytes(RetlBytesReader *reader, RetlPageStream *stream, uint64 offset, Size length, void *dst,
		  bool ask, bool check)
{
	char	   *to = dst;

	CheckRange(reader, offset, length);
	while (length > 0)
	{
		uint32		index = offset / RETLDB_PAYLOAD_SIZE;
		uint32		within = offset % RETLDB_PAYLOAD_SIZE;
		Size		n = Min(length, RETLDB_PAYLOAD_SIZE - within);
		BlockNumber block = RetlBytesReaderBlock(reader, index);
		Buffer		buffer = RetlPageStreamIsAt(stream, index) ? RetlPageStreamNext(stream) :
			PinPage(reader, block, offset, length, &ask);
		Page		page;
		const char *problem;

		LockBuffer(buffer, BUFFER_LOCK_SHARE);
		page = BufferGetPage(buffer);
		problem = RetlPageProblem(page, block, RETL_PAGE_DATA, reader->groupId, index, false);
		if (problem == NULL && within + n > RetlPageGetHeader(page)->used)
			problem = "fewer bytes than expected";
		if (problem == NULL && check)
			problem = RetlPageProblemOnce(buffer);
		if (problem != NULL)
			RetlReportDamagedGroup(reader->rel, reader->groupId, NULL,
								   psprintf("block %u has %s", block, problem));
		memcpy(to, RetlPageGetPayload(page) + within, n);
		UnlockReleaseBuffer(buffer);

		to += n;
		offset += n;
		length -= n;
	}
}

/*
 * Copy bytes [offset, offset + length) to dst.
 */
void
RetlBytesReaderRead(RetlBytesReader *reader, uint64 offset, Size length, void *dst)
{
	ReadBytes(reader, NULL, offset, length, dst, true, false);
}

/*
 * Same, and the pages are verified.
 */
void
RetlBytesReaderReadVerified(RetlBytesReader *reader, uint64 offset, Size length, void *dst)
{
	ReadBytes(reader, NULL, offset, length, dst, true, true);
}

/*
 * Same, from a stream.
 */
void
RetlBytesReaderReadStream(RetlBytesReader *reader, RetlPageStream *stream, uint64 offset,
						  Size length, void *dst)
{
	ReadBytes(reader, stream, offset, length, dst, false, false);
}
