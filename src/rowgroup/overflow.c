/*-------------------------------------------------------------------------
 *
 * overflow.c
 *	  Large values: compressed frame by frame, kept outside of the chunks.
 *
 * A value is a sequence of frames of RETLDB_OVERFLOW_FRAME raw bytes, the last
 * one shorter.  The writer compresses a value at once when its row arrives, so
 * that a row group of large values needs memory for their compressed form
 * only.
 *
 * The reader must not hold all large values of a vector in memory, which may be
 * far more than there is.  For types whose functions know nothing of expanded
 * objects (PostgreSQL's interface for in-memory forms of varlena values, see
 * utils/expandeddatum.h) a large value is therefore handed out as a read-only
 * expanded object of our own.  Whoever needs the bytes detoasts it, and reads
 * them at that moment.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/expandeddatum.h"
#include "utils/memutils.h"

#include "base/errors.h"
#include "compress/compress.h"
#include "format/checksum.h"
#include "rowgroup/overflow.h"
#include "rowgroup/read_context.h"

/* A frame in memory. */
typedef struct RetlOverflowNode
{
	struct RetlOverflowNode *next;
	RetlOverflowFrame frame;
	uint8		data[FLEXIBLE_ARRAY_MEMBER];	/* frame.storedLength bytes */
} RetlOverflowNode;

/* A large value that was not read yet. */
typedef struct LazyValue
{
	ExpandedObjectHeader header;
	const RetlOverflowArea *area;
	uint64		groupId;		/* to notice use after the reader moved on */
	RetlOverflowRef ref;
} LazyValue;

static Size LazyGetFlatSize(ExpandedObjectHeader *object);
static void LazyFlattenInto(ExpandedObjectHeader *object, void *result, Size allocatedSize);

static const ExpandedObjectMethods LazyMethods = {
	LazyGetFlatSize,
	LazyFlattenInto
};

/* Append a frame of these bytes, stored as is if "packedLength" is 0. */
static void
AppendFrame(RetlOverflowList *list, const void *raw, uint32 rawLength,
			const void *packed, uint32 packedLength,
			RetlCompressionId compression, MemoryContext context)
{
	uint32		storedLength = packedLength > 0 ? packedLength : rawLength;
	RetlOverflowNode *node;

	node = MemoryContextAlloc(context, offsetof(RetlOverflowNode, data) + storedLength);
	node->next = NULL;
	memset(&node->frame, 0, sizeof(node->frame));
	node->frame.storedLength = storedLength;
	node->frame.rawLength = rawLength;
	node->frame.compression = (uint8) (packedLength > 0 ? compression : RETL_COMPRESSION_NONE);
	memcpy(node->data, packedLength > 0 ? packed : raw, storedLength);
	node->frame.checksum = RetlCrc32c(0, node->data, storedLength);

	if (list->last != NULL)
		list->last->next = node;
	else
		list->first = node;
	list->last = node;
	list->length += sizeof(RetlOverflowFrame) + storedLength;
}

/* See overflow.h. */
void
RetlOverflowPack(RetlOverflowList *list, const void *data, uint32 length,
				 RetlCompressionId compression, int level, MemoryContext context)
{
	Size		capacity = RetlCompressBound(compression, RETLDB_OVERFLOW_FRAME);
	void	   *packed = palloc(Max(capacity, 1));

	for (uint32 done = 0; done < length;)
	{
		const uint8 *raw = (const uint8 *) data + done;
		uint32		rawLength = Min(length - done, RETLDB_OVERFLOW_FRAME);
		Size		packedLength;

		CHECK_FOR_INTERRUPTS();
		packedLength = RetlCompress(compression, level, packed, capacity, raw, rawLength);
		AppendFrame(list, raw, rawLength, packed, (uint32) packedLength, compression, context);
		done += rawLength;
	}
	pfree(packed);
}

/* See overflow.h. */
void
RetlOverflowMove(RetlOverflowList *into, RetlOverflowList *from)
{
	if (from->first == NULL)
		return;
	if (into->last != NULL)
		into->last->next = from->first;
	else
		into->first = from->first;
	into->last = from->last;
	into->length += from->length;
	memset(from, 0, sizeof(*from));
}

/* A value whose frames are being moved. */
typedef struct MovedValue
{
	RetlOverflowRef *ref;
	uint32		place;			/* it is going to have */
	RetlOverflowNode *first;
	RetlOverflowNode *last;
} MovedValue;

/* By where they are now. */
static int
CompareOffsets(const void *left, const void *right)
{
	uint64		one = ((const MovedValue *) left)->ref->offset;
	uint64		other = ((const MovedValue *) right)->ref->offset;

	return one < other ? -1 : one > other;
}

/* By where they are going to be. */
static int
ComparePlaces(const void *left, const void *right)
{
	uint32		one = ((const MovedValue *) left)->place;
	uint32		other = ((const MovedValue *) right)->place;

	return one < other ? -1 : one > other;
}

/* See overflow.h. */
void
RetlOverflowReorder(RetlOverflowList *list, RetlOverflowRef **refs, uint32 count)
{
	MovedValue *values = palloc(Max(count, 1) * sizeof(MovedValue));
	RetlOverflowNode *node = list->first;
	uint64		offset = 0;

	for (uint32 i = 0; i < count; i++)
	{
		values[i].ref = refs[i];
		values[i].place = i;
	}
	qsort(values, count, sizeof(MovedValue), CompareOffsets);
	for (uint32 i = 0; i < count; i++)
	{
		uint64		end = offset + values[i].ref->storedLength;

		Assert(values[i].ref->offset == offset);
		values[i].first = node;
		for (; offset < end; node = node->next)
		{
			offset += sizeof(RetlOverflowFrame) + node->frame.storedLength;
			values[i].last = node;
		}
	}
	Assert(node == NULL && offset == list->length);

	qsort(values, count, sizeof(MovedValue), ComparePlaces);
	offset = 0;
	for (uint32 i = 0; i < count; i++)
	{
		values[i].ref->offset = offset;
		offset += values[i].ref->storedLength;
		values[i].last->next = i + 1 < count ? values[i + 1].first : NULL;
	}
	if (count > 0)
	{
		list->first = values[0].first;
		list->last = values[count - 1].last;
	}
	pfree(values);
}

/* See overflow.h. */
void
RetlOverflowDiscard(RetlOverflowList *list)
{
	RetlOverflowNode *node = list->first;

	memset(list, 0, sizeof(*list));
	while (node != NULL)
	{
		RetlOverflowNode *next = node->next;

		pfree(node);
		node = next;
	}
}

/* See overflow.h. */
uint64
RetlOverflowWrite(const RetlOverflowList *list, RetlBytesWriter *writer)
{
	uint64		start = RetlBytesWriterPosition(writer);

	for (const RetlOverflowNode *node = list->first; node != NULL; node = node->next)
	{
		CHECK_FOR_INTERRUPTS();
		RetlBytesWriterAppend(writer, &node->frame, sizeof(node->frame));
		RetlBytesWriterAppend(writer, node->data, node->frame.storedLength);
	}
	Assert(RetlBytesWriterPosition(writer) == start + list->length);
	return start;
}

/*
 * Read one frame of rawLength bytes at *offset, of which "left" bytes may be
 * used.  "packed" has room for a frame.
 */
static const char *
ReadFrame(const RetlOverflowArea *area, uint64 *offset, uint64 *left,
		  uint32 rawLength, void *dst, void *packed)
{
	RetlOverflowFrame frame;
	void	   *stored;

	if (*left < sizeof(frame))
		return "overflow value is cut short";
	RetlBytesReaderRead(area->bytes, *offset, sizeof(frame), &frame);
	*offset += sizeof(frame);
	*left -= sizeof(frame);
	if (frame.rawLength != rawLength || frame.storedLength == 0 ||
		frame.storedLength > rawLength || frame.storedLength > *left)
		return "overflow frame has a wrong length";
	if (frame.compression >= RETL_COMPRESSION_COUNT)
		return "overflow frame has an unsupported compression";
	if (frame.reserved[0] != 0 || frame.reserved[1] != 0 || frame.reserved[2] != 0)
		return "overflow frame has unknown flags";

	stored = frame.storedLength == rawLength ? dst : packed;
	RetlBytesReaderRead(area->bytes, *offset, frame.storedLength, stored);
	*offset += frame.storedLength;
	*left -= frame.storedLength;
	if (RetlCrc32c(0, stored, frame.storedLength) != frame.checksum)
		return "overflow frame has a wrong checksum";
	if (stored != dst &&
		!RetlDecompress(frame.compression, dst, rawLength, stored, frame.storedLength))
		return "overflow frame cannot be decompressed";
	if (area->bytesRead != NULL)
		*area->bytesRead += sizeof(frame) + frame.storedLength;
	return NULL;
}

/* See overflow.h. */
const char *
RetlOverflowRead(const RetlOverflowArea *area, const RetlOverflowRef *ref, void *dst)
{
	uint64		offset = area->offset + ref->offset;
	uint64		left = ref->storedLength;
	void	   *packed = palloc(Min(left, RETLDB_OVERFLOW_FRAME));
	const char *problem = NULL;

	for (uint32 done = 0; done < ref->rawLength && problem == NULL;)
	{
		uint32		rawLength = Min(ref->rawLength - done, RETLDB_OVERFLOW_FRAME);

		CHECK_FOR_INTERRUPTS();
		problem = ReadFrame(area, &offset, &left, rawLength, (uint8 *) dst + done, packed);
		done += rawLength;
	}
	pfree(packed);
	if (problem == NULL && left > 0)
		problem = "overflow value is longer than its frames";
	return problem;
}

/*
 * The list is deliberately short: built-in types with large values whose
 * functions detoast their arguments without looking for expanded objects.
 * Arrays and composites would take ours for their own.
 */
bool
RetlOverflowTypeIsLazy(Oid baseType)
{
	switch (baseType)
	{
		case TEXTOID:
		case VARCHAROID:
		case BPCHAROID:
		case BYTEAOID:
		case JSONOID:
		case JSONBOID:
		case XMLOID:
		case TSVECTOROID:
			return true;
		default:
			return false;
	}
}

/* See overflow.h. */
char *
RetlOverflowMakeLazy(const RetlOverflowArea *area, const RetlOverflowRef *ref,
					 MemoryContext context)
{
	LazyValue  *value = MemoryContextAllocZero(context, sizeof(LazyValue));

	EOH_init_header(&value->header, &LazyMethods, context);
	value->area = area;
	value->groupId = area->bytes->groupId;
	value->ref = *ref;
	return DatumGetPointer(EOHPGetRODatum(&value->header));
}

/* Size of the value with its header; told without reading it. */
static Size
LazyGetFlatSize(ExpandedObjectHeader *object)
{
	LazyValue  *value = (LazyValue *) object;

	return VARHDRSZ + (Size) value->ref.rawLength;
}

/*
 * Read the value.  Whoever wants it may be in a context of which nothing can be
 * freed (from 17 on, that of a sort's tuples), so this goes to the object's.
 */
static void
LazyFlattenInto(ExpandedObjectHeader *object, void *result, Size allocatedSize)
{
	LazyValue  *value = (LazyValue *) object;
	const RetlOverflowArea *area = value->area;
	MemoryContext oldContext = MemoryContextSwitchTo(object->eoh_context);
	RetlReadContext readContext;
	const char *problem;

	Assert(allocatedSize == VARHDRSZ + (Size) value->ref.rawLength);
	Assert(area->bytes->groupId == value->groupId);

	SET_VARSIZE(result, allocatedSize);
	RetlReadContextPush(&readContext, area->bytes->rel, value->groupId, area->columnName);
	problem = RetlOverflowRead(area, &value->ref, VARDATA(result));
	RetlReadContextPop(&readContext);
	MemoryContextSwitchTo(oldContext);
	if (problem != NULL)
		RetlReportDamagedGroup(area->bytes->rel, value->groupId, area->columnName, problem);
}
