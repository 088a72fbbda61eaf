/*-------------------------------------------------------------------------
 *
 * chunk_packer.c
 *	  In which order the chunks of a row group are written.
 *
 * A chunk that begins anywhere is on half a page more than one that begins where a page
 * does, on average, and a query that needs few columns reads all pages of their chunks.
 * But the pages that chunks fill in part only would make the table larger if nothing else
 * was there.  So chunks are ordered: what they have beyond whole pages (their "rest") is
 * put together so that the rests of several fill a page.  The next chunk is always the one
 * with the largest rest that still fits the page; if there is none, it begins on a new
 * page, as long as little has been lost that way.
 *
 * The footer's page is read with every column, so the smallest chunks go there, and the
 * rest of a large one.
 *
 * Chunks wait in memory for that, but not too many bytes of them.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "format/checksum.h"
#include "rowgroup/chunk_packer.h"

/* What waits takes no more memory than this. */
#define BUFFER_MAX		(8 * 1024 * 1024)
#define BUFFER_MIN		(512 * 1024)

/* At most this part of a group is lost at the ends of pages. */
#define GAP_PART		128

/* A chunk that waits. */
typedef struct WaitingChunk
{
	RetlFooterColumn *column;
	Size		start;			/* in the buffer */
	Size		length;
	uint32		rest;			/* bytes on its last page, if it begins on a new one */
} WaitingChunk;

struct RetlChunkPacker
{
	MemoryContext context;		/* of the buffer */
	char	   *buffer;
	Size		capacity;
	Size		used;

	/* of the group */
	RetlBytesWriter *bytes;
	uint64		footerLength;
	uint64		gaps;			/* bytes lost so far */
	uint64		waiting;		/* bytes of the chunks that wait */
	WaitingChunk *chunks;		/* [chunkCount given at begin] */
	int			count;
};

/* See chunk_packer.h. */
RetlChunkPacker *
RetlChunkPackerCreate(MemoryContext context)
{
	RetlChunkPacker *packer = MemoryContextAllocZero(context, sizeof(RetlChunkPacker));

	packer->context = context;
	return packer;
}

/* See chunk_packer.h. */
void
RetlChunkPackerBegin(RetlChunkPacker *packer, RetlBytesWriter *bytes, int chunkCount,
					 uint64 footerLength)
{
	packer->used = 0;
	packer->bytes = bytes;
	packer->footerLength = footerLength;
	packer->gaps = 0;
	packer->waiting = 0;
	packer->chunks = palloc(Max(chunkCount, 1) * sizeof(WaitingChunk));
	packer->count = 0;
}

/* Bytes on the last of the pages that something has if it begins on a new page. */
static uint32
RestOf(uint64 length)
{
	return length == 0 ? 0 : (uint32) ((length - 1) % RETLDB_PAYLOAD_SIZE) + 1;
}

/* Room on the page that is being written, a whole page if that is the next one. */
static uint32
Room(const RetlChunkPacker *packer)
{
	return RETLDB_PAYLOAD_SIZE -
		(uint32) (RetlBytesWriterPosition(packer->bytes) % RETLDB_PAYLOAD_SIZE);
}

/*
 * Go on to a new page, unless too much has been lost so far for what the group has.
 */
static bool
BeginPage(RetlChunkPacker *packer)
{
	uint64		gap = Room(packer);
	uint64		group = RetlBytesWriterPosition(packer->bytes) + packer->waiting +
		packer->footerLength;

	if (gap == RETLDB_PAYLOAD_SIZE)
		return true;
	if ((packer->gaps + gap) * GAP_PART > group)
		return false;
	RetlBytesWriterFit(packer->bytes, RETLDB_PAYLOAD_SIZE, gap);
	packer->gaps += gap;
	return true;
}

/* Write a chunk, and complete its footer entry. */
static void
Write(RetlChunkPacker *packer, RetlFooterColumn *column, const void *header, Size headerLength,
	  const void *units, Size unitsLength)
{
	column->chunkOffset = RetlBytesWriterAppend(packer->bytes, header, headerLength);
	if (unitsLength > 0)
		RetlBytesWriterAppend(packer->bytes, units, unitsLength);
	column->checksum = RetlCrc32cWithout(0, column, sizeof(*column),
										 offsetof(RetlFooterColumn, checksum));
}

/* Write one of those that wait. */
static void
WriteWaiting(RetlChunkPacker *packer, int i)
{
	const WaitingChunk *chunk = &packer->chunks[i];

	Write(packer, chunk->column, packer->buffer + chunk->start, chunk->length, NULL, 0);
	packer->waiting -= chunk->length;
	packer->chunks[i] = packer->chunks[--packer->count];
}

/* The chunk with the largest rest up to this, of those from the first on; -1: none. */
static int
LargestRest(const RetlChunkPacker *packer, int first, uint32 room)
{
	int			best = -1;

	for (int i = first; i < packer->count; i++)
	{
		if (packer->chunks[i].rest <= room &&
			(best < 0 || packer->chunks[i].rest > packer->chunks[best].rest))
			best = i;
	}
	return best;
}

/* The longest chunk, for which one page more is the least. */
static int
Longest(const RetlChunkPacker *packer, int first)
{
	int			best = first;

	for (int i = first + 1; i < packer->count; i++)
	{
		if (packer->chunks[i].length > packer->chunks[best].length)
			best = i;
	}
	return best;
}

/* Write all that wait, but for the first "kept". */
static void
WriteFrom(RetlChunkPacker *packer, int kept)
{
	while (packer->count > kept)
	{
		int			next = LargestRest(packer, kept, Room(packer));

		if (next < 0)
			next = BeginPage(packer) ? LargestRest(packer, kept, RETLDB_PAYLOAD_SIZE) :
				Longest(packer, kept);
		WriteWaiting(packer, next);
	}
}

/* Make room for a chunk in the buffer; false if it may not become so large. */
static bool
MakeRoom(RetlChunkPacker *packer, Size length)
{
	Size		wanted = packer->used + length;

	if (wanted > BUFFER_MAX)
	{
		WriteFrom(packer, 0);
		packer->used = 0;
		wanted = length;
	}
	if (wanted > BUFFER_MAX)
		return false;
	if (wanted > packer->capacity)
	{
		Size		capacity = Max(packer->capacity, BUFFER_MIN);

		while (capacity < wanted)
			capacity *= 2;
		packer->buffer = packer->buffer == NULL ? MemoryContextAlloc(packer->context, capacity) :
			repalloc(packer->buffer, capacity);
		packer->capacity = capacity;
	}
	return true;
}

/* See chunk_packer.h. */
void
RetlChunkPackerAdd(RetlChunkPacker *packer, const RetlEncodedChunk *chunk,
				   RetlFooterColumn *column)
{
	Size		length = chunk->headerLength + chunk->unitsLength;
	WaitingChunk *waiting;

	if (!MakeRoom(packer, length))
	{
		if (RestOf(length) > Room(packer))
			(void) BeginPage(packer);
		Write(packer, column, chunk->header, chunk->headerLength, chunk->units,
			  chunk->unitsLength);
		return;
	}
	waiting = &packer->chunks[packer->count++];
	waiting->column = column;
	waiting->start = packer->used;
	waiting->length = length;
	waiting->rest = RestOf(length);
	memcpy(packer->buffer + packer->used, chunk->header, chunk->headerLength);
	memcpy(packer->buffer + packer->used + chunk->headerLength, chunk->units, chunk->unitsLength);
	packer->used += length;
	packer->waiting += length;
}

static int
CompareLengths(const void *one, const void *other)
{
	Size		left = ((const WaitingChunk *) one)->length;
	Size		right = ((const WaitingChunk *) other)->length;

	return left < right ? -1 : left > right;
}

/*
 * Bring to the front the chunks that go on the footer's page, or pages: the smallest, and
 * then one of whose rest there is room.  Returns how many there are, and sets *needed to
 * what they and the footer have on the page where they begin.
 */
static int
ChooseLast(RetlChunkPacker *packer, uint32 *needed)
{
	int			count = 0;
	int			large;
	WaitingChunk swapped;

	*needed = RestOf(packer->footerLength);
	qsort(packer->chunks, packer->count, sizeof(WaitingChunk), CompareLengths);
	while (count < packer->count &&
		   packer->chunks[count].length <= RETLDB_PAYLOAD_SIZE - *needed)
		*needed += packer->chunks[count++].length;
	large = LargestRest(packer, count, RETLDB_PAYLOAD_SIZE - *needed);
	if (large < 0)
		return count;
	*needed += packer->chunks[large].rest;
	swapped = packer->chunks[large];
	packer->chunks[large] = packer->chunks[count];
	packer->chunks[count] = swapped;
	return count + 1;
}

/* See chunk_packer.h. */
void
RetlChunkPackerEnd(RetlChunkPacker *packer)
{
	uint32		needed;
	int			last = ChooseLast(packer, &needed);

	WriteFrom(packer, last);
	if (needed > Room(packer))
		(void) BeginPage(packer);
	/* the large one is the last of them, and is written first */
	while (packer->count > 0)
		WriteWaiting(packer, packer->count - 1);
	if (RestOf(packer->footerLength) > Room(packer))
		(void) BeginPage(packer);
}
