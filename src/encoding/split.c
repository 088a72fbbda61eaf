/*-------------------------------------------------------------------------
 *
 * split.c
 *	  SPLIT: byte strings of one length, cut into columns of bytes.  Pure C.
 *
 * Serves RETL_PHYS_FIXED of 2 to 64 bytes, and RETL_PHYS_BYTES where the values
 * of a piece all have the same length of at most 64.  The bytes of a value are
 * cut into groups of neighbours, each at most 8 bytes long, the same for all
 * values of the piece; a group is taken as an integer, little-endian or
 * big-endian, and packed as BITPACK does it.  Bytes that are the same in all
 * values take no space then.
 *
 * Payload, empty if there are no values:
 *
 *	OFFSET	SIZE	DESCRIPTION
 *	0		1		kind: 0 plain, 1 groups
 *
 *	kind 0: values of other lengths
 *	1		...		a PLAIN payload (plain.c)
 *
 *	kind 1:
 *	1		1		length of a value, 1 to 64
 *	2		1		g, the number of groups, at least 1
 *	3		n		g descriptions of groups, which together have that length:
 *						1	bytes of the group, 1 to 8; plus 0x80 if big-endian
 *						1	b, the bits of a difference, at most 8 for each byte
 *						...	the smallest integer, little-endian, as many bytes
 *	3 + n	...		for each group, count differences from the smallest of b
 *					bits (bitpacking.h, "Bits")
 *
 * Example: the byte strings 02 20 0A 01, 02 20 0A 05 are 01 | 04 01 | 84 03 01
 * 0A 20 02 | 20: one group of four bytes, big-endian; 3 bits, smallest
 * 0x02200A01, differences 0 and 4.
 *
 *-------------------------------------------------------------------------
 */
#include "encoding/bitpacking.h"
#include "encoding/descriptors.h"
#include "encoding/filtering.h"
#include "encoding/valueops.h"

#define MIN_LENGTH			2
#define MAX_LENGTH			64
#define MAX_GROUP			8

#define KIND_SIZE			1
#define KIND_PLAIN			0
#define KIND_GROUPS			1
#define GROUPS_HEADER		3
#define GROUP_HEADER		2
#define GROUP_BIG_ENDIAN	0x80

/* Values looked at to find the groups of a piece; lengths looked at by analyse. */
#define GROUP_SAMPLE		16
#define LENGTH_SAMPLE		32

/* Values handled at a time; a multiple of 64. */
#define BLOCK_VALUES		512

/* Some neighbouring bytes of all values. */
typedef struct Group
{
	uint8_t		offset;			/* in a value */
	uint8_t		size;			/* 1 to MAX_GROUP */
	bool		bigEndian;
	uint8_t		bitWidth;
	uint64_t	smallest;
	const uint8_t *bits;		/* of a reader */
	size_t		bitsSize;
} Group;

/* The payload of a piece with at least one value, or what will be one. */
typedef struct SplitPiece
{
	uint32_t	length;			/* of a value; 0: a PLAIN payload */
	uint32_t	groupCount;
	Group		groups[MAX_LENGTH];
} SplitPiece;

/* Short fixed lengths, and byte strings of any length. */
static bool
SplitApplies(RetlPhysType type, uint16_t width)
{
	if (type == RETL_PHYS_BYTES)
		return width == 0;
	return type == RETL_PHYS_FIXED && width >= MIN_LENGTH && width <= MAX_LENGTH;
}

/* The bytes of a group as an integer; "size" is best a constant. */
static inline uint64_t
LoadGroup(const uint8_t *src, unsigned size, bool bigEndian)
{
	uint64_t	number = 0;

	memcpy(&number, src, size);
	return bigEndian ? __builtin_bswap64(number) >> (64 - 8 * size) : number;
}

/* ---------------------------------------------------------------------
 * Writing
 * ---------------------------------------------------------------------
 */

/* The length that all values have, 0 if they differ or it is none for us. */
static uint32_t
CommonLength(const RetlValues *values)
{
	uint32_t	length;
	uint32_t	i;

	if (values->type != RETL_PHYS_BYTES)
		return values->width;
	length = values->offsets[1] - values->offsets[0];
	if (length > MAX_LENGTH)
		return 0;
	for (i = 1; i < values->count; i++)
		if (values->offsets[i + 1] - values->offsets[i] != length)
			return 0;
	return length;
}

/* Where the values of one length begin. */
static const uint8_t *
ValuesStart(const RetlValues *values)
{
	return values->type == RETL_PHYS_BYTES ? values->bytes + values->offsets[0] : values->fixed;
}

/* Smallest and largest byte at each position. */
static void
ByteRanges(const uint8_t *src, uint32_t count, uint32_t length,
		   uint8_t *restrict low, uint8_t *restrict high)
{
	uint32_t	i;
	uint32_t	k;

	memset(low, 0xFF, length);
	memset(high, 0, length);
	for (i = 0; i < count; i++, src += length)
		for (k = 0; k < length; k++)
		{
			low[k] = src[k] < low[k] ? src[k] : low[k];
			high[k] = src[k] > high[k] ? src[k] : high[k];
		}
}

/* Load the integers of a group, "stride" bytes apart. */
#define GATHER(size) \
	for (i = 0; i < count; i++, src += stride) \
		numbers[i] = LoadGroup(src, (size), bigEndian); \
	break

/* Take the same group out of "count" values. */
static void
GatherGroup(const uint8_t *src, uint32_t count, unsigned size, bool bigEndian,
			uint32_t stride, uint64_t *numbers)
{
	uint32_t	i;

	switch (size)
	{
		case 1:
			GATHER(1);
		case 2:
			GATHER(2);
		case 3:
			GATHER(3);
		case 4:
			GATHER(4);
		case 5:
			GATHER(5);
		case 6:
			GATHER(6);
		case 7:
			GATHER(7);
		default:
			GATHER(8);
	}
}

/* Smallest and largest integer of a group. */
static void
GroupRange(const uint8_t *src, uint32_t count, uint32_t length, const Group *group,
		   uint64_t *low, uint64_t *high)
{
	uint64_t	block[BLOCK_VALUES];
	uint32_t	first;
	uint32_t	part;
	uint32_t	i;

	*low = UINT64_MAX;
	*high = 0;
	for (first = 0; first < count; first += part)
	{
		part = count - first < BLOCK_VALUES ? count - first : BLOCK_VALUES;
		GatherGroup(src + (size_t) first * length + group->offset, part, group->size,
					group->bigEndian, length, block);
		for (i = 0; i < part; i++)
		{
			*low = block[i] < *low ? block[i] : *low;
			*high = block[i] > *high ? block[i] : *high;
		}
	}
}

/* What is known of the bytes of a piece when its groups are chosen. */
typedef struct ByteStatistics
{
	uint32_t	count;			/* values of the piece */
	uint32_t	length;
	uint8_t		low[MAX_LENGTH];	/* of all values */
	uint8_t		high[MAX_LENGTH];
	bool		rare[MAX_LENGTH];	/* varies, but not in the sample */
	uint32_t	sampleCount;
	uint8_t		sample[GROUP_SAMPLE * MAX_LENGTH];
} ByteStatistics;

/* Look at the values. */
static void
CollectStatistics(ByteStatistics *statistics, const uint8_t *src, uint32_t count, uint32_t length)
{
	uint8_t		low[MAX_LENGTH];
	uint8_t		high[MAX_LENGTH];
	uint32_t	i;

	statistics->count = count;
	statistics->length = length;
	ByteRanges(src, count, length, statistics->low, statistics->high);
	statistics->sampleCount = count < GROUP_SAMPLE ? count : GROUP_SAMPLE;
	for (i = 0; i < statistics->sampleCount; i++)
	{
		size_t		at = RetlSamplePosition(i, statistics->sampleCount, count);

		memcpy(statistics->sample + (size_t) i * length, src + at * length, length);
	}
	ByteRanges(statistics->sample, statistics->sampleCount, length, low, high);
	for (i = 0; i < length; i++)
		statistics->rare[i] = low[i] == high[i] && statistics->low[i] != statistics->high[i];
}

/*
 * Bits that a group would take for each value, about; more than 64 if it should
 * not be one.  Bytes that vary rarely stand alone: what they would do to a
 * larger group the sample does not show.
 */
static unsigned
GroupBits(const ByteStatistics *statistics, const Group *group)
{
	bool		varies = false;
	uint64_t	low;
	uint64_t	high;
	unsigned	k;

	for (k = group->offset; k < (unsigned) group->offset + group->size; k++)
	{
		if (statistics->rare[k] && group->size > 1)
			return 65;
		varies = varies || statistics->low[k] != statistics->high[k];
	}
	if (!varies)
		return 0;
	if (group->size == 1)
		return RetlBitWidth((uint64_t) statistics->high[group->offset] -
							statistics->low[group->offset]);
	GroupRange(statistics->sample, statistics->sampleCount, statistics->length, group, &low, &high);
	return RetlBitWidth(high - low);
}

/*
 * The groups that take the fewest bits: best[i] is the cheapest way to cut the
 * first i bytes, lastGroup[i] the last group of it.
 */
static void
ChooseGroups(SplitPiece *piece, const ByteStatistics *statistics)
{
	uint64_t	best[MAX_LENGTH + 1] = {0};
	Group		lastGroup[MAX_LENGTH + 1];
	uint32_t	length = statistics->length;
	uint32_t	end;
	uint32_t	k;

	memset(lastGroup, 0, sizeof(lastGroup));
	for (end = 1; end <= length; end++)
	{
		best[end] = UINT64_MAX;
		for (k = 0; k < 2 * MAX_GROUP; k++)
		{
			Group		group = {.size = (uint8_t) (k / 2 + 1), .bigEndian = k % 2 != 0};
			unsigned	bits;
			uint64_t	cost;

			if (group.size > end || (group.size == 1 && group.bigEndian))
				continue;
			group.offset = (uint8_t) (end - group.size);
			bits = GroupBits(statistics, &group);
			if (bits > 64)
				break;
			cost = best[group.offset] + (uint64_t) bits * statistics->count +
				8 * (GROUP_HEADER + (uint64_t) group.size);
			if (cost < best[end])
			{
				best[end] = cost;
				lastGroup[end] = group;
			}
		}
	}
	piece->length = length;
	piece->groupCount = 0;
	for (end = length; end > 0; end -= lastGroup[end].size)
		piece->groupCount++;
	k = piece->groupCount;
	for (end = length; end > 0; end -= lastGroup[end].size)
		piece->groups[--k] = lastGroup[end];
}

/* Append the differences of one group. */
static void
AppendDifferences(RetlBytes *out, const uint8_t *src, uint32_t count, uint32_t length,
				  const Group *group)
{
	size_t		size = (size_t) RetlBitsSize(count, group->bitWidth);
	uint8_t    *dst = RetlBytesReserve(out, size);
	uint64_t	block[BLOCK_VALUES];
	uint32_t	first;
	uint32_t	part;
	uint32_t	i;

	out->length += size;
	for (first = 0; first < count && group->bitWidth > 0; first += part)
	{
		part = count - first < BLOCK_VALUES ? count - first : BLOCK_VALUES;
		GatherGroup(src + (size_t) first * length + group->offset, part, group->size,
					group->bigEndian, length, block);
		for (i = 0; i < part; i++)
			block[i] -= group->smallest;
		RetlBitsPack(dst, block, part, group->bitWidth);
		dst += RetlBitsSize(part, group->bitWidth);
	}
}

/* Append a piece of groups. */
static void
AppendGroups(RetlBytes *out, SplitPiece *piece, const uint8_t *src, uint32_t count)
{
	uint8_t		header[GROUPS_HEADER] = {KIND_GROUPS, (uint8_t) piece->length,
	(uint8_t) piece->groupCount};
	uint32_t	g;

	RetlBytesAppend(out, header, GROUPS_HEADER);
	for (g = 0; g < piece->groupCount; g++)
	{
		Group	   *group = &piece->groups[g];
		uint8_t		description[GROUP_HEADER];
		uint64_t	high;

		GroupRange(src, count, piece->length, group, &group->smallest, &high);
		group->bitWidth = (uint8_t) RetlBitWidth(high - group->smallest);
		description[0] = (uint8_t) (group->size | (group->bigEndian ? GROUP_BIG_ENDIAN : 0));
		description[1] = group->bitWidth;
		RetlBytesAppend(out, description, GROUP_HEADER);
		RetlBytesAppend(out, &group->smallest, group->size);
	}
	for (g = 0; g < piece->groupCount; g++)
		AppendDifferences(out, src, count, piece->length, &piece->groups[g]);
}

/* RetlEncoding.encode. */
static void
SplitEncode(RetlEncodingState *state, const RetlValues *values, uint32_t first,
			RetlBytes *out)
{
	const uint8_t kind = KIND_PLAIN;
	ByteStatistics statistics;
	SplitPiece	piece;
	uint32_t	length;

	(void) state;
	(void) first;
	if (values->count == 0)
		return;
	length = CommonLength(values);
	if (length == 0)
	{
		RetlBytesAppend(out, &kind, KIND_SIZE);
		RetlPlainEncoding.encode(NULL, values, 0, out);
		return;
	}
	CollectStatistics(&statistics, ValuesStart(values), values->count, length);
	ChooseGroups(&piece, &statistics);
	AppendGroups(out, &piece, ValuesStart(values), values->count);
}

/* Have some of the values different lengths, or none for us? */
static bool
LengthsDiffer(const RetlValues *values)
{
	uint32_t	count = values->count < LENGTH_SAMPLE ? values->count : LENGTH_SAMPLE;
	uint32_t	length = 0;
	uint32_t	i;

	if (values->type != RETL_PHYS_BYTES)
		return false;
	for (i = 0; i < count; i++)
	{
		uint32_t	at = RetlSamplePosition(i, count, values->count);
		uint32_t	this = values->offsets[at + 1] - values->offsets[at];

		if (this < MIN_LENGTH || this > MAX_LENGTH || (i > 0 && this != length))
			return true;
		length = this;
	}
	return false;
}

/* RetlEncoding.analyse: from some of the pieces. */
static uint64_t
SplitAnalyse(const RetlValues *values, uint32_t pieceRows, const RetlArena *arena)
{
	uint64_t	size;

	if (values->isNumeric || LengthsDiffer(values))
		return RETLDB_NEVER;
	size = RetlEstimateBySample(&RetlSplitEncoding, values, pieceRows, arena);

	/* Little gain, as with random UUIDs, is not worth the time. */
	return size > RetlValuesRawSize(values) / 16 * 15 ? RETLDB_NEVER : size;
}

/* ---------------------------------------------------------------------
 * Reading
 * ---------------------------------------------------------------------
 */

/* Understand the description of a group; returns where the next one begins, or NULL. */
static const uint8_t *
OpenGroup(Group *group, uint32_t offset, uint32_t length, const uint8_t *src,
		  const uint8_t *end, const char **error)
{
	memset(group, 0, sizeof(*group));
	if (end - src < GROUP_HEADER)
	{
		*error = "groups of bytes are truncated";
		return NULL;
	}
	group->offset = (uint8_t) offset;
	group->size = src[0] & (uint8_t) ~GROUP_BIG_ENDIAN;
	group->bigEndian = (src[0] & GROUP_BIG_ENDIAN) != 0;
	group->bitWidth = src[1];
	src += GROUP_HEADER;
	if (group->size < 1 || group->size > MAX_GROUP || group->size > length - offset ||
		group->bitWidth > 8 * group->size)
	{
		*error = "group of bytes is impossible";
		return NULL;
	}
	if (end - src < group->size)
	{
		*error = "groups of bytes are truncated";
		return NULL;
	}
	group->smallest = LoadGroup(src, group->size, false);
	return src + group->size;
}

/* Understand the groups and find their bits. */
static bool
OpenGroups(SplitPiece *piece, const uint8_t *src, const uint8_t *end, uint32_t count,
		   const char **error)
{
	uint32_t	offset = 0;
	uint32_t	g;

	for (g = 0; g < piece->groupCount; g++)
	{
		src = OpenGroup(&piece->groups[g], offset, piece->length, src, end, error);
		if (src == NULL)
			return false;
		offset += piece->groups[g].size;
	}
	if (offset != piece->length)
		return RetlDamaged(error, "groups of bytes have the wrong length");
	for (g = 0; g < piece->groupCount; g++)
	{
		Group	   *group = &piece->groups[g];
		uint64_t	size = RetlBitsSize(count, group->bitWidth);

		if (size > (size_t) (end - src))
			return RetlDamaged(error, "groups of bytes are truncated");
		group->bits = src;
		group->bitsSize = (size_t) size;
		src += size;
	}
	if (src != end)
		return RetlDamaged(error, "groups of bytes have the wrong length");
	return true;
}

/* Understand and check a payload; count is not 0.  A PLAIN payload is not looked at. */
static bool
OpenPiece(SplitPiece *piece, const uint8_t *src, size_t srcSize, RetlPhysType type,
		  uint16_t width, uint32_t count, const char **error)
{
	piece->length = 0;
	piece->groupCount = 0;
	if (count > RETLDB_MAX_PACKED)
		return RetlDamaged(error, "piece has too many values");
	if (srcSize < KIND_SIZE)
		return RetlDamaged(error, "split piece is truncated");
	if (src[0] == KIND_PLAIN)
		return true;
	if (src[0] != KIND_GROUPS)
		return RetlDamaged(error, "split piece is of an unknown kind");
	if (srcSize < GROUPS_HEADER)
		return RetlDamaged(error, "split piece is truncated");
	piece->length = src[1];
	piece->groupCount = src[2];
	if (piece->length < 1 || piece->length > MAX_LENGTH || piece->groupCount > MAX_LENGTH ||
		(type != RETL_PHYS_BYTES && piece->length != width))
		return RetlDamaged(error, "split piece has values of an impossible length");
	return OpenGroups(piece, src + GROUPS_HEADER, src + srcSize, count, error);
}

/* Bytes of an integer, as they stand in memory, for storing "size" of them. */
static inline uint64_t
StoredGroup(uint64_t number, unsigned size, bool bigEndian)
{
	return bigEndian ? __builtin_bswap64(number << (64 - 8 * size)) : number;
}

/* Store the integers of a group, "stride" bytes apart. */
#define SCATTER(size) \
	for (i = 0; i < count; i++, dst += stride) \
	{ \
		uint64_t	stored = StoredGroup(numbers[i], (size), bigEndian); \
		memcpy(dst, &stored, (size)); \
	} \
	break

/* Put numbers back into the places of a group. */
static void
ScatterGroup(const uint64_t *numbers, uint32_t count, unsigned size, bool bigEndian,
			 uint8_t *dst, uint32_t stride)
{
	uint32_t	i;

	switch (size)
	{
		case 1:
			SCATTER(1);
		case 2:
			SCATTER(2);
		case 3:
			SCATTER(3);
		case 4:
			SCATTER(4);
		case 5:
			SCATTER(5);
		case 6:
			SCATTER(6);
		case 7:
			SCATTER(7);
		default:
			SCATTER(8);
	}
}

/* The smallest integers of all groups: right where they do not vary. */
static void
MakeTemplate(const SplitPiece *piece, uint8_t *bytes)
{
	uint32_t	g;

	for (g = 0; g < piece->groupCount; g++)
	{
		const Group *group = &piece->groups[g];
		uint64_t	stored = StoredGroup(group->smallest, group->size, group->bigEndian);

		memcpy(bytes + group->offset, &stored, group->size);
	}
}

/* Build values [first, first + count), first being a multiple of 8. */
static void
BuildBlock(const SplitPiece *piece, uint32_t first, uint32_t count, const uint8_t *template,
		   uint8_t *dst)
{
	uint64_t	numbers[BLOCK_VALUES];
	size_t		size = (size_t) count * piece->length;
	size_t		filled = piece->length;
	uint32_t	g;

	memcpy(dst, template, filled);
	for (; filled < size; filled *= 2)
		memcpy(dst + filled, dst, filled < size - filled ? filled : size - filled);
	for (g = 0; g < piece->groupCount; g++)
	{
		const Group *group = &piece->groups[g];

		if (group->bitWidth == 0)
			continue;
		RetlBitsUnpack(group->bits, group->bitsSize, first, count, group->bitWidth,
					   group->smallest, numbers, sizeof(numbers[0]));
		ScatterGroup(numbers, count, group->size, group->bigEndian, dst + group->offset,
					 piece->length);
	}
}

/* RetlEncoding.decode. */
static bool
SplitDecode(const RetlEncodingState *state, const uint8_t *src, size_t srcSize,
			RetlPhysType type, uint16_t width, uint32_t count,
			RetlDecoded *result, const RetlArena *arena, const char **error)
{
	SplitPiece	piece;
	uint8_t		template[MAX_LENGTH];
	uint8_t    *buffer = result->fixed;
	uint32_t	first;
	uint32_t	part;
	uint32_t	i;

	(void) state;
	if (count == 0)
	{
		result->bytes = src;
		return srcSize == 0 || RetlDamaged(error, "split piece has the wrong length");
	}
	if (!OpenPiece(&piece, src, srcSize, type, width, count, error))
		return false;
	if (piece.length == 0)
		return RetlPlainEncoding.decode(NULL, src + KIND_SIZE, srcSize - KIND_SIZE, type, width,
										count, result, arena, error);
	if (type == RETL_PHYS_BYTES)
	{
		buffer = RetlArenaAlloc(arena, (size_t) count * piece.length);
		result->bytes = buffer;
		for (i = 0; i < count; i++)
		{
			result->starts[i] = i * piece.length;
			result->lengths[i] = piece.length;
		}
	}
	MakeTemplate(&piece, template);
	for (first = 0; first < count; first += part)
	{
		part = count - first < BLOCK_VALUES ? count - first : BLOCK_VALUES;
		if (result->wanted == NULL || RetlSelectionAny(result->wanted, first, part))
			BuildBlock(&piece, first, part, template, buffer + (size_t) first * piece.length);
	}
	return true;
}

/* RetlEncoding.fetch. */
static bool
SplitFetch(const RetlEncodingState *state, const uint8_t *src, size_t srcSize,
		   RetlPhysType type, uint16_t width, uint32_t count, uint32_t index,
		   RetlDecoded *result, const RetlArena *arena, const char **error)
{
	SplitPiece	piece;
	uint8_t    *buffer = result->fixed;
	uint32_t	g;

	(void) state;
	if (index >= count)
		return RetlDamaged(error, "value index is out of range");
	if (!OpenPiece(&piece, src, srcSize, type, width, count, error))
		return false;
	if (piece.length == 0)
		return RetlPlainEncoding.fetch(NULL, src + KIND_SIZE, srcSize - KIND_SIZE, type, width,
									   count, index, result, arena, error);
	if (type == RETL_PHYS_BYTES)
	{
		buffer = RetlArenaAlloc(arena, piece.length);
		result->bytes = buffer;
		result->starts[0] = 0;
		result->lengths[0] = piece.length;
	}
	for (g = 0; g < piece.groupCount; g++)
	{
		const Group *group = &piece.groups[g];
		uint64_t	number = group->smallest + RetlBitsFetch(group->bits, index, group->bitWidth);
		uint64_t	stored = StoredGroup(number, group->size, group->bigEndian);

		memcpy(buffer + group->offset, &stored, group->size);
	}
	return true;
}

/* ---------------------------------------------------------------------
 * Filtering
 * ---------------------------------------------------------------------
 */

/* Clear the bits of values whose group has another difference. */
static void
SelectGroup(const Group *group, uint32_t count, uint64_t difference, uint64_t *selected)
{
	const RetlRange range = {difference, difference, false};
	uint64_t	block[BLOCK_VALUES];
	uint32_t	first;
	uint32_t	part;

	for (first = 0; first < count; first += part)
	{
		part = count - first < BLOCK_VALUES ? count - first : BLOCK_VALUES;
		if (!RetlSelectionAny(selected, first, part))
			continue;
		RetlBitsUnpack(group->bits, group->bitsSize, first, part, group->bitWidth, 0, block,
					   group->bitWidth <= 32 ? sizeof(uint32_t) : sizeof(uint64_t));
		if (group->bitWidth <= 32)
			RetlSelectRange32((const uint32_t *) block, part, &range, selected + first / 64);
		else
			RetlSelectRange64(block, part, &range, selected + first / 64);
	}
}

/* Clear the bits of values that are not the constant. */
static void
SelectEqual(const SplitPiece *piece, uint32_t count, const RetlFilterConstant *constant,
			uint64_t *selected)
{
	uint64_t	differences[MAX_LENGTH];
	uint32_t	g;

	if (constant->length != piece->length)
	{
		RetlSelectionClear(selected, 0, count);
		return;
	}

	/* Most often one look at the groups tells that it is not there. */
	for (g = 0; g < piece->groupCount; g++)
	{
		const Group *group = &piece->groups[g];
		uint64_t	number = LoadGroup(constant->data + group->offset, group->size,
									   group->bigEndian);

		differences[g] = (number - group->smallest) & RetlBitMask(8 * group->size);
		if (differences[g] > RetlBitMask(group->bitWidth))
		{
			RetlSelectionClear(selected, 0, count);
			return;
		}
	}
	for (g = 0; g < piece->groupCount; g++)
		if (piece->groups[g].bitWidth > 0)
			SelectGroup(&piece->groups[g], count, differences[g], selected);
}

/* Clear the bits of values that are none of the constants, or, if negated, are one. */
static void
SelectAmong(const SplitPiece *piece, uint32_t count, const RetlFilter *filter,
			uint64_t *selected, const RetlArena *arena)
{
	uint32_t	words = RetlSelectionWords(count);
	uint64_t   *found = RetlArenaAlloc(arena, sizeof(uint64_t) * words);
	uint64_t   *some = RetlArenaAlloc(arena, sizeof(uint64_t) * words);
	uint32_t	c;
	uint32_t	i;

	memset(found, 0, sizeof(uint64_t) * words);
	for (c = 0; c < filter->constantCount; c++)
	{
		for (i = 0; i < words; i++)
			some[i] = selected[i] & ~found[i];
		SelectEqual(piece, count, &filter->constants[c], some);
		for (i = 0; i < words; i++)
			found[i] |= some[i];
	}
	for (i = 0; i < words; i++)
		selected[i] &= filter->op == RETL_NE ? ~found[i] : found[i];
}

/* RetlEncoding.filter: only asks whether values are equal. */
static bool
SplitFilter(const RetlEncodingState *state, const uint8_t *src, size_t srcSize,
			RetlPhysType type, uint16_t width, uint32_t count,
			const RetlFilter *filter, RetlFilterMemo *memo,
			uint64_t *selected, bool *answered,
			const RetlArena *arena, const char **error)
{
	SplitPiece	piece;

	(void) state;
	*answered = false;
	if (count == 0)
		return srcSize == 0 || RetlDamaged(error, "split piece has the wrong length");
	if (!OpenPiece(&piece, src, srcSize, type, width, count, error))
		return false;
	if (piece.length == 0)
		return RetlPlainEncoding.filter(NULL, src + KIND_SIZE, srcSize - KIND_SIZE, type, width,
										count, filter, memo, selected, answered, arena, error);
	*answered = filter->order == RETL_ORDER_BYTES &&
		RetlFilterCanCompare(filter, type, width) &&
		(filter->op == RETL_EQ || filter->op == RETL_NE || filter->op == RETL_IN);
	if (!*answered)
		return true;
	if (filter->op == RETL_EQ)
		SelectEqual(&piece, count, &filter->constants[0], selected);
	else
		SelectAmong(&piece, count, filter, selected, arena);
	return true;
}

const RetlEncoding RetlSplitEncoding = {
	.id = RETL_ENCODING_SPLIT,
	.name = "split",
	.applies = SplitApplies,
	.analyse = SplitAnalyse,
	.encode = SplitEncode,
	.decode = SplitDecode,
	.fetch = SplitFetch,
	.filter = SplitFilter,
};
