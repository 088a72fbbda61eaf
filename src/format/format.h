/*-------------------------------------------------------------------------
 *
 * format.h
 *	  On-disk structures of the retldb format, version 1.
 *
 * Everything that reaches the disk is declared here and nowhere else; the
 * prose that goes with it, complete enough to write a second reader from, is
 * docs/format.md.  All integers are stored in little-endian byte order, all
 * structs have their natural alignment and no hidden padding (checked by the
 * static assertions at the end).
 *
 * This header belongs to the pure C layers: it includes nothing of
 * PostgreSQL, so that unit tests, fuzzers and other readers can use it.
 *
 * The levels, from the outside in:
 *
 *	page		8 kB of the table's main fork.  A "column page" looks to heap
 *				code like an empty heap page: the whole page after PostgreSQL's
 *				24-byte page header is special space, and begins with
 *				RetlPageHeader.
 *	row group	its bytes form one logical byte string, cut over the payloads
 *				of its data pages in run order.  At the end: the footer.
 *	chunk		one column of a row group: chunk header, then units.
 *	unit		the smallest thing read, check-summed and decompressed on its
 *				own: one or more pieces.
 *	piece		the smallest thing decoded: min(unitRows, vectorRows) rows.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_FORMAT_H
#define RETLDB_FORMAT_H

#include <stddef.h>
#include <stdint.h>

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "retldb stores its data in little-endian byte order and runs on such machines only"
#endif

#define RETLDB_MAGIC			"RETLDB\0\0"	/* 8 bytes */
#define RETLDB_MAGIC_LENGTH		8
#define RETLDB_FORMAT_VERSION	1
#define RETLDB_BYTE_ORDER_MARK	0x01020304

/* Blocks numbers and lengths of "nothing". */
#define RETLDB_NO_BLOCK			UINT32_MAX

/* Hard limits of the format.  Readers refuse what is beyond them. */
#define RETLDB_MIN_VECTOR_ROWS		64
#define RETLDB_MAX_VECTOR_ROWS		4096
#define RETLDB_DEFAULT_VECTOR_ROWS	2048
#define RETLDB_MAX_GROUP_ROWS		(1 << 20)
#define RETLDB_MAX_COLUMNS			1664	/* MaxTupleAttributeNumber */
#define RETLDB_UNIT_RAW_TARGET		65536	/* raw bytes a unit should not exceed */
#define RETLDB_UNIT_RAW_MAX			(128 * 1024 * 1024) /* no reader allocates more */
#define RETLDB_MIN_UNIT_ROWS		4
#define RETLDB_OVERFLOW_THRESHOLD	16000	/* longer values go to overflow runs */
#define RETLDB_OVERFLOW_FRAME		262144	/* raw bytes of a frame of an overflow value */
#define RETLDB_KEY_LENGTH			16		/* bytes of a zone map key */

/* Row numbers: 256 to a (virtual) block of the upper half of the block space. */
#define RETLDB_ROWS_PER_BLOCK		256
#define RETLDB_FIRST_ROW_BLOCK		0x80000000U
#define RETLDB_MAX_ROW_NUMBER		((UINT64_C(1) << 31) * RETLDB_ROWS_PER_BLOCK - 2 * RETLDB_ROWS_PER_BLOCK)

/* ---------------------------------------------------------------------
 * Pages
 * ---------------------------------------------------------------------
 */

typedef enum RetlPageKind
{
	RETL_PAGE_HEADER = 1,		/* block 0: RetlFileHeader */
	RETL_PAGE_DIRECTORY = 2,	/* RetlDirectoryPage */
	RETL_PAGE_ZONE_MAP = 3,		/* arrays of RetlZoneEntry, column-major */
	RETL_PAGE_DATA = 4,			/* a stretch of a row group's byte string */
	RETL_PAGE_RUN_LIST = 5,		/* RetlRunListPage: page runs of a row group */
	RETL_PAGE_STUB_MAP = 6,		/* RetlStubMapPage: rows that were touched */
	RETL_PAGE_DELETE_VERSION = 7,	/* reserved: versions of deletions */
	RETL_PAGE_LINKS = 8,		/* RetlLinkPage: where the rows of a group have gone */
	RETL_PAGE_STUB_NUMBERS = 9	/* RetlStubNumberPage: what shared stubs carry */
} RetlPageKind;

#define RETLDB_PAGE_MAGIC		0x4C52	/* "RL" */
#define RETLDB_PAGE_VERSION		1

/*
 * First bytes of the special space of every column page.
 *
 * The checksum is CRC-32C over, in this order: the block number (4 bytes), the
 * page header below with the checksum field taken as zero, and the whole
 * payload.  PostgreSQL's own page header is not part of it, for vacuum changes
 * flags there.
 */
typedef struct RetlPageHeader
{
	uint16_t	magic;			/* RETLDB_PAGE_MAGIC */
	uint8_t		kind;			/* RetlPageKind */
	uint8_t		version;		/* RETLDB_PAGE_VERSION */
	uint32_t	checksum;
	uint64_t	groupId;		/* owner; 0 on header, directory and zone pages */
	uint32_t	sequence;		/* DATA, RUN_LIST, LINKS, STUB_NUMBERS: position in the group;
								 * DIRECTORY: index of the directory page;
								 * ZONE_MAP: directory page index << 16 | zone
								 * page index; else 0 */
	uint32_t	used;			/* payload bytes in use, the rest is zero */
} RetlPageHeader;

/* PostgreSQL's page size and page header; asserted where postgres.h is known. */
#define RETLDB_PAGE_SIZE		8192
#define RETLDB_PG_HEADER_SIZE	24
#define RETLDB_PAYLOAD_OFFSET	(RETLDB_PG_HEADER_SIZE + sizeof(RetlPageHeader))
#define RETLDB_PAYLOAD_SIZE		(RETLDB_PAGE_SIZE - RETLDB_PAYLOAD_OFFSET)	/* 8144 */

/* A run of consecutive blocks. */
typedef struct RetlRun
{
	uint32_t	start;			/* first block */
	uint32_t	length;			/* blocks; > 0 */
} RetlRun;

/* ---------------------------------------------------------------------
 * Header page (block 0)
 * ---------------------------------------------------------------------
 */

#define RETLDB_MAX_DIRECTORY_PAGES	1900

typedef enum RetlIncompatFlags
{
	RETL_INCOMPAT_SHARED_STUBS = 0x0001,	/* stub maps may have entries with RETL_STUB_SHARED */
	RETL_INCOMPAT_BARE_RUNS = 0x0002,	/* "bare" may not be empty: VACUUM must know of it */
	RETL_INCOMPAT_RETIRED_STUBS = 0x0004	/* there may be RETL_STUB_RETIRED, and such stubs */
} RetlIncompatFlags;

#define RETLDB_BARE_RUNS	7

/*
 * Where the row store has pages without rows.  It counts for pages in a run that have no
 * owner and whose bit in the visibility map (all-visible) is set, and only as long as
 * the version stays: see docs/internals/storage.md.
 */
typedef struct RetlBareRuns
{
	uint64_t	version;		/* grows with every change of the runs */
	RetlRun		runs[RETLDB_BARE_RUNS]; /* in order; length 0: not used */
} RetlBareRuns;

typedef struct RetlFileHeader
{
	char		magic[RETLDB_MAGIC_LENGTH];
	uint32_t	formatVersion;	/* RETLDB_FORMAT_VERSION */
	uint32_t	headerLength;	/* offsetof(RetlFileHeader, directoryBlocks) */
	uint32_t	byteOrder;		/* RETLDB_BYTE_ORDER_MARK */
	uint32_t	pageSize;		/* RETLDB_PAGE_SIZE */
	uint32_t	incompatFlags;	/* RetlIncompatFlags; a reader refuses bits it does not know */
	uint32_t	compatFlags;	/* a reader ignores bits it does not know */
	int64_t		createdAt;		/* microseconds since 2000-01-01 00:00 UTC */
	uint8_t		incarnation[16];	/* random; new after each truncation or rewrite */
	uint64_t	schemaFingerprint;	/* of the columns at creation; informational */
	uint64_t	generation;		/* grows with every change of the directory */
	uint64_t	nextGroupId;	/* group ids start at 1 and are never reused */
	uint64_t	nextRowNumber;	/* row numbers are never reused; multiple of 256 */
	uint64_t	completeRows;	/* rows and number of groups in state COMPLETE, */
	uint64_t	completeGroups; /* visible to anybody or not; for estimates */
	uint64_t	ownedPages;		/* of the directory, zone maps and runs of all
								 * entries; what is left is row store */
	uint8_t		directoryLevels;	/* 1: directoryBlocks names directory pages */
	uint8_t		reserved1[3];
	uint32_t	directoryPageCount;
	RetlBareRuns bare;
	uint32_t	directoryBlocks[RETLDB_MAX_DIRECTORY_PAGES];
} RetlFileHeader;

/* ---------------------------------------------------------------------
 * Directory
 * ---------------------------------------------------------------------
 */

typedef enum RetlGroupState
{
	RETL_GROUP_UNUSED = 0,		/* slot never used, or empty */
	RETL_GROUP_LOADING = 1,		/* reserved by a loader; may own pages already */
	RETL_GROUP_COMPLETE = 2,	/* all of it is written */
	RETL_GROUP_FREE = 3			/* its pages may be used for other groups */
} RetlGroupState;

typedef enum RetlLocation
{
	RETL_LOCATION_FORK = 0,		/* pages of this fork */
	RETL_LOCATION_ARCHIVE = 1	/* reserved: an archive file */
} RetlLocation;

#define RETLDB_INLINE_RUNS		4

/*
 * One row group.  Its rows are visible when the anchor is: a heap tuple of the
 * same fork at (anchorBlock, anchorOffset) that carries this groupId.
 */
typedef struct RetlGroupEntry
{
	uint64_t	groupId;
	uint64_t	rowBase;		/* row number of its first row; multiple of 256 */
	uint64_t	writerXid;		/* top-level 64-bit transaction id of the writer */
	uint64_t	commitVersion;	/* reserved: commit version, 0 = not known */
	uint64_t	dataLength;		/* bytes of the group's byte string */
	uint64_t	footerOffset;	/* in that byte string */
	uint32_t	footerLength;
	uint32_t	rowCount;		/* 0 until COMPLETE */
	uint32_t	rowCapacity;	/* row numbers reserved from rowBase on */
	uint32_t	pageCount;		/* pages in its runs */
	uint32_t	anchorBlock;
	uint16_t	anchorOffset;
	uint8_t		state;			/* RetlGroupState */
	uint8_t		location;		/* RetlLocation */
	uint32_t	stubMapRoot;	/* RETLDB_NO_BLOCK = no row was touched */
	uint32_t	deleteVersionRoot;	/* reserved: RETLDB_NO_BLOCK */
	uint32_t	runListBlock;	/* page with the runs past the inline ones */
	uint16_t	runCount;		/* of all runs */
	uint16_t	vectorRows;		/* as in the footer; 0 until COMPLETE */
	RetlRun		runs[RETLDB_INLINE_RUNS];	/* the first ones */
} RetlGroupEntry;

/*
 * Slots of a directory page, and the zone map pages that go with them: for
 * each column an array of slotCapacity RetlZoneEntry, zoneColumnsPerPage such
 * arrays to a page, zonePageCount consecutive pages from zoneStart on.
 * Column id c (from 1) is on page (c - 1) / zoneColumnsPerPage.
 */
#define RETLDB_FIRST_DIRECTORY_SLOTS	8
#define RETLDB_DIRECTORY_SLOTS			56

typedef struct RetlDirectoryPage
{
	uint32_t	zoneStart;
	uint32_t	zonePageCount;
	uint16_t	zoneColumns;	/* columns there is room for */
	uint16_t	zoneColumnsPerPage;
	uint16_t	slotCapacity;	/* RETLDB_FIRST_DIRECTORY_SLOTS on the first page */
	uint16_t	reserved1;		/* zero */
	uint64_t	reserved2[2];	/* zero */
	RetlGroupEntry slots[RETLDB_DIRECTORY_SLOTS];
} RetlDirectoryPage;

/* Runs of a group past its inline ones, in order. */
#define RETLDB_RUN_LIST_CAPACITY	1000

typedef struct RetlRunListPage
{
	uint32_t	next;			/* reserved for a further page: RETLDB_NO_BLOCK */
	uint32_t	count;
	RetlRun		runs[RETLDB_RUN_LIST_CAPACITY];
} RetlRunListPage;

/* ---------------------------------------------------------------------
 * Stub map: which rows of a group were locked, updated or deleted, and where
 * the stubs are that stand for them.  Its pages are among the group's runs,
 * past those of the byte string.
 *
 * A page is a leaf, with entries in no order for the rows of a range of
 * segments, or the root, which names for each segment the leaf it belongs to.
 * A map that fits a leaf has no other page: its root is that leaf.
 * ---------------------------------------------------------------------
 */
typedef enum RetlStubMapKind
{
	RETL_STUB_MAP_LEAF = 1,
	RETL_STUB_MAP_ROOT = 2
} RetlStubMapKind;

#define RETLDB_STUB_SEGMENT_ROWS	1000	/* what a leaf always has room for */
#define RETLDB_STUB_MAX_SEGMENTS	1049	/* of RETLDB_MAX_GROUP_ROWS rows */
#define RETLDB_STUB_LEAF_CAPACITY	1016

/*
 * An entry of a leaf: bits 0 to 19 the row within the group, 20 to 50 the block
 * and 51 to 59 the line pointer of its stub.  With RETL_STUB_DEAD the row is
 * dead for everybody and has no stub (block and line pointer are 0).
 */
#define RETL_STUB_ROW_BITS			20
#define RETL_STUB_BLOCK_BITS		31
#define RETL_STUB_OFFSET_BITS		9
#define RETL_STUB_DEAD				(UINT64_C(1) << 60)

/*
 * The stub was made when the row was in another group, which compaction has
 * written anew: it carries the row's number there, which the group's stub number
 * pages tell.
 */
#define RETL_STUB_SHARED			(UINT64_C(1) << 61)

/*
 * The row is untouched, as without an entry: its stub has been retired.  Block and line
 * pointer say where that stands, until VACUUM has found it gone and made them 0.
 */
#define RETL_STUB_RETIRED			(UINT64_C(1) << 62)

typedef struct RetlStubMapPage
{
	uint8_t		kind;			/* RetlStubMapKind */
	uint8_t		reserved;		/* zero */
	uint16_t	count;			/* leaf: entries */
	uint16_t	firstSegment;	/* leaf: whose rows it has entries for; */
	uint16_t	segmentCount;	/* root: 0 and the number of all segments */
	uint32_t	spareBlock;		/* root: pages of the map that are not in use yet; */
	uint32_t	spareCount;		/* leaf: the group's stub number pages; 0, 0: none */
	union
	{
		uint64_t	entries[RETLDB_STUB_LEAF_CAPACITY];
		uint32_t	leaves[RETLDB_STUB_MAX_SEGMENTS];	/* by segment; never NO_BLOCK */
	}			u;
} RetlStubMapPage;

/*
 * Stub number pages: consecutive ones, with an entry for each row whose stub is
 * shared, rising by row: bits 0 to 19 are the row, 20 to 59 the row number that
 * the stub carries.  All but the last page are full.
 */
#define RETLDB_STUB_NUMBERS_CAPACITY	1017

typedef struct RetlStubNumberPage
{
	uint32_t	count;			/* entries */
	uint32_t	reserved;		/* zero */
	uint64_t	entries[RETLDB_STUB_NUMBERS_CAPACITY];
} RetlStubNumberPage;

/* ---------------------------------------------------------------------
 * Link pages of a group that compaction has written anew: where its rows are now.
 * Consecutive ones, the first of which the anchor's t_ctid names, among the
 * group's runs.  A place is a row number less "base".
 * ---------------------------------------------------------------------
 */
typedef enum RetlLinkKind
{
	RETL_LINKS_RUNS = 1,		/* one page: rows that have stayed together */
	RETL_LINKS_ROWS = 2			/* a place for each row */
} RetlLinkKind;

#define RETLDB_LINK_RUNS_CAPACITY	677
#define RETLDB_LINK_ROWS_CAPACITY	2032
#define RETLDB_NO_LINK				UINT32_C(0xFFFFFFFF)	/* the row was dead */

typedef struct RetlLinkRun
{
	uint32_t	row;			/* the first one, rising */
	uint32_t	length;			/* rows, > 0 */
	uint32_t	place;			/* of the first one */
} RetlLinkRun;

typedef struct RetlLinkPage
{
	uint8_t		kind;			/* RetlLinkKind */
	uint8_t		reserved[3];	/* zero */
	uint32_t	count;			/* runs, or rows, of this page */
	uint64_t	base;
	union
	{
		RetlLinkRun runs[RETLDB_LINK_RUNS_CAPACITY];
		uint32_t	places[RETLDB_LINK_ROWS_CAPACITY];	/* all pages but the last are full */
	}			u;
} RetlLinkPage;

/* ---------------------------------------------------------------------
 * Zone maps
 * ---------------------------------------------------------------------
 */

/*
 * How values of a type are turned into zone map keys.  Keys are compared as
 * unsigned bytes; the mapping is monotone: a <= b implies key(a) <= key(b).
 * See docs/format.md, "Zone map keys".  Keys of different kinds never compare.
 */
typedef enum RetlKeyKind
{
	RETL_KEY_NONE = 0,			/* no minimum and maximum */
	RETL_KEY_INT = 1,			/* signed 64 bits, sign flipped, big-endian */
	RETL_KEY_UINT = 2,			/* unsigned 64 bits, big-endian */
	RETL_KEY_FLOAT = 3,			/* double; -0 = 0; NaN above all */
	RETL_KEY_TEXT = 4,			/* first 16 bytes, zero-padded */
	RETL_KEY_BPCHAR = 5,		/* as TEXT after removal of trailing blanks */
	RETL_KEY_BYTEA = 6,			/* first 16 bytes, zero-padded */
	RETL_KEY_UUID = 7,			/* 16 bytes */
	RETL_KEY_NUMERIC = 8		/* order-preserving prefix of a numeric */
} RetlKeyKind;

#define RETL_ZONE_HAS_RANGE		0x01	/* min and max are set */
#define RETL_ZONE_EXACT			0x02	/* equal keys mean equal values */

/* Statistics of a chunk (directory, footer) or of a vector (chunk header). */
typedef struct RetlZone
{
	uint8_t		keyKind;		/* RetlKeyKind */
	uint8_t		flags;			/* RETL_ZONE_... */
	uint16_t	reserved;
	uint32_t	nullCount;
	uint8_t		min[RETLDB_KEY_LENGTH];
	uint8_t		max[RETLDB_KEY_LENGTH];
} RetlZone;

/* Entry of a zone map page. */
typedef struct RetlZoneEntry
{
	uint32_t	groupIdLow;		/* low half of the owner's id, to tell stale entries */
	uint32_t	rowCount;		/* 0: this group has no such column */
	RetlZone	zone;
} RetlZoneEntry;

/* ---------------------------------------------------------------------
 * Footer of a row group
 * ---------------------------------------------------------------------
 */

#define RETLDB_FOOTER_MAGIC		0x46474C52	/* "RLGF" */

#define RETL_FOOTER_ROW_VERSIONS	0x0001	/* reserved: has a per-row version column */
#define RETL_FOOTER_COMPACTED		0x0002	/* its rows were inserted by others than the
											 * anchor's xmin, by writerXid at the latest */

typedef struct RetlFooterHeader
{
	uint32_t	magic;
	uint16_t	version;		/* RETLDB_FORMAT_VERSION */
	uint16_t	flags;			/* RETL_FOOTER_... ; unknown bits are refused */
	uint64_t	groupId;
	uint64_t	rowBase;
	uint32_t	rowCount;
	uint32_t	vectorRows;		/* power of two; the same for all columns */
	uint32_t	columnCount;	/* RetlFooterColumn entries that follow */
	uint32_t	checksum;		/* CRC-32C of this struct, checksum taken as 0 */
	uint64_t	writerXid;
	uint64_t	schemaFingerprint;	/* of the columns when it was written */
	uint64_t	overflowOffset; /* byte string [overflowOffset, + overflowLength) */
	uint64_t	overflowLength; /* holds the overflow values */
} RetlFooterHeader;

/* How a type's values look to the encodings. */
typedef enum RetlPhysType
{
	RETL_PHYS_INT = 1,			/* width 1, 2, 4 or 8, little-endian, signed */
	RETL_PHYS_FLOAT = 2,		/* width 4 or 8, IEEE 754 */
	RETL_PHYS_FIXED = 3,		/* any other fixed width (1..65535 bytes) */
	RETL_PHYS_BYTES = 4			/* variable length */
} RetlPhysType;

typedef enum RetlEncodingId
{
	RETL_ENCODING_PLAIN = 0,
	RETL_ENCODING_CONSTANT = 1,
	RETL_ENCODING_RLE = 2,
	RETL_ENCODING_BITPACK = 3,	/* frame of reference + bit packing */
	RETL_ENCODING_DICT = 4,
	RETL_ENCODING_DELTA = 5,	/* differences of neighbours */
	RETL_ENCODING_ALP = 6,		/* floats as decimal integers */
	RETL_ENCODING_DECIMAL = 7,	/* numeric as scaled integers */
	RETL_ENCODING_FSST = 8,		/* strings by a table of substrings */
	RETL_ENCODING_SPLIT = 9,	/* byte strings of one length, by byte position */
	RETL_ENCODING_COUNT
} RetlEncodingId;

/* In the number of entries of a dictionary: they are shortened. */
#define RETLDB_DICTIONARY_SHORT		0x80000000

typedef enum RetlCompressionId
{
	RETL_COMPRESSION_NONE = 0,
	RETL_COMPRESSION_LZ4 = 1,
	RETL_COMPRESSION_SNAPPY = 2,
	RETL_COMPRESSION_ZSTD = 3,
	RETL_COMPRESSION_COUNT
} RetlCompressionId;

typedef struct RetlFooterColumn
{
	uint32_t	columnId;		/* the attribute number when it was written */
	uint32_t	checksum;		/* CRC-32C of this struct, checksum taken as 0 */
	uint32_t	typeOid;		/* informational */
	int32_t		typmod;			/* informational */
	uint8_t		physType;		/* RetlPhysType */
	uint8_t		encoding;		/* RetlEncodingId its pieces were meant to have */
	uint8_t		compression;	/* RetlCompressionId of its units */
	uint8_t		flags;			/* zero */
	uint16_t	width;			/* of a value; 0 for RETL_PHYS_BYTES */
	uint16_t	reserved;
	uint64_t	chunkOffset;	/* in the group's byte string */
	uint64_t	chunkLength;
	uint32_t	chunkHeaderLength;
	uint32_t	chunkChecksum;	/* CRC-32C of the whole chunk */
	uint64_t	rawLength;		/* bytes of its values before encoding */
	uint32_t	distinctEstimate;	/* distinct non-null values, about; 0 = unknown */
	uint32_t	reserved2;
	RetlZone	zone;
} RetlFooterColumn;

/* ---------------------------------------------------------------------
 * Chunk
 * ---------------------------------------------------------------------
 */

#define RETLDB_CHUNK_MAGIC		0x4B434C52	/* "RLCK" */

#define RETL_CHUNK_VECTOR_ZONES	0x01	/* the header has a zone for each vector */
#define RETL_CHUNK_DICTIONARY	0x02	/* unit 0 is the dictionary */
#define RETL_CHUNK_BLOOM		0x04	/* the header ends with a RetlBloomHeader, the
										 * last units are the Bloom filter's partitions */

/*
 * Chunk header: this struct, RetlUnit[unitCount], then, if flagged,
 * RetlZone[vectorCount] and RetlBloomHeader.  Without vector zones every vector has the chunk's
 * (its null count is then not known, unless the chunk's is 0 or all rows).
 *
 * unitRows is a power of two; a unit holds max(1, unitRows / vectorRows)
 * pieces of pieceRows = min(unitRows, vectorRows) rows each, the last one of
 * the chunk fewer.
 */
typedef struct RetlChunkHeader
{
	uint32_t	magic;
	uint16_t	version;		/* RETLDB_FORMAT_VERSION */
	uint8_t		flags;			/* RETL_CHUNK_... ; unknown bits are refused */
	uint8_t		reserved;
	uint64_t	groupId;
	uint32_t	columnId;
	uint32_t	checksum;		/* CRC-32C of the whole chunk header, this as 0 */
	uint32_t	rowCount;
	uint32_t	vectorRows;
	uint32_t	unitRows;
	uint32_t	unitCount;		/* with the dictionary and the Bloom filter */
} RetlChunkHeader;

#define RETLDB_BLOOM_HASH		1	/* XXH64 of the values' canonical bytes */

/* The Bloom filter of a chunk's values: partitionCount units of equal length. */
typedef struct RetlBloomHeader
{
	uint16_t	hashVersion;	/* RETLDB_BLOOM_HASH */
	uint16_t	partitionBlocks;	/* blocks of 32 bytes in a partition */
	uint32_t	partitionCount;
	uint32_t	valueCount;		/* different values it was made for; informational */
	uint32_t	reserved;
} RetlBloomHeader;

typedef struct RetlUnit
{
	uint32_t	offset;			/* from the start of the chunk */
	uint32_t	storedLength;	/* bytes there */
	uint32_t	rawLength;		/* after decompression; equal: stored as is */
	uint32_t	checksum;		/* CRC-32C of the stored bytes */
} RetlUnit;

/* ---------------------------------------------------------------------
 * Piece: this struct, then in this order, each present only if flagged
 *
 *	NULLS		null bitmap, (rowCount + 7) / 8 bytes, bit set = null
 *	OVERFLOW	uint32 count, then count RetlOverflowRef in rising valueIndex
 *
 * and then payloadLength bytes of the encoding with valueCount non-null
 * values.  A value that overflowed takes part there as an empty value.
 * ---------------------------------------------------------------------
 */

#define RETL_PIECE_NULLS		0x01
#define RETL_PIECE_OVERFLOW		0x02

typedef struct RetlPieceHeader
{
	uint8_t		encoding;		/* RetlEncodingId */
	uint8_t		flags;			/* RETL_PIECE_... ; unknown bits are refused */
	uint16_t	rowCount;
	uint16_t	valueCount;		/* non-null values */
	uint16_t	reserved;
	uint32_t	payloadLength;
} RetlPieceHeader;

/* Where a large value lies. */
typedef struct RetlOverflowRef
{
	uint32_t	valueIndex;		/* among the piece's non-null values */
	uint32_t	rawLength;
	uint64_t	offset;			/* from the start of the group's overflow area */
	uint64_t	storedLength;	/* of all its frames */
} RetlOverflowRef;

/* An overflow value is a sequence of frames of RETLDB_OVERFLOW_FRAME raw bytes. */
typedef struct RetlOverflowFrame
{
	uint32_t	storedLength;	/* bytes that follow */
	uint32_t	rawLength;		/* equal: stored as is */
	uint32_t	checksum;		/* CRC-32C of the stored bytes */
	uint8_t		compression;	/* RetlCompressionId */
	uint8_t		reserved[3];
} RetlOverflowFrame;

/* ---------------------------------------------------------------------
 * Anchor: a heap tuple without attributes.  HeapTupleHeader of 23 bytes,
 * t_hoff = 40, no null bitmap; at offset 24 this payload.  Marked by a bit of
 * t_infomask2 that PostgreSQL does not use.
 * ---------------------------------------------------------------------
 */
#define RETLDB_ANCHOR_BIT		0x1000	/* in t_infomask2 */
#define RETLDB_STUB_BIT			0x0800	/* stubs, likewise */
#define RETLDB_MARK_BITS		(RETLDB_ANCHOR_BIT | RETLDB_STUB_BIT)
#define RETLDB_ANCHOR_MAGIC		0x41544C52	/* "RLTA" */

typedef struct RetlAnchorPayload
{
	uint32_t	magic;			/* RETLDB_ANCHOR_MAGIC */
	uint32_t	checksum;		/* CRC-32C of this struct, checksum taken as 0 */
	uint64_t	groupId;
} RetlAnchorPayload;

#define RETLDB_ANCHOR_PAYLOAD_OFFSET	24
#define RETLDB_ANCHOR_LENGTH			40

/* ---------------------------------------------------------------------
 * Stub: a heap tuple without attributes that stands for one row of a group.
 * t_hoff = 32, no null bitmap; at offset 24 a u64: the row number, and above it
 * 24 bits of the CRC-32C of the row number (as a u64).
 * ---------------------------------------------------------------------
 */
#define RETLDB_STUB_PAYLOAD_OFFSET		24
#define RETLDB_STUB_LENGTH				32
#define RETL_STUB_ROW_NUMBER_BITS		40

/* ---------------------------------------------------------------------
 * No padding anywhere, and everything fits.
 * ---------------------------------------------------------------------
 */
#define RETLDB_ASSERT_SIZE(type, size) \
	_Static_assert(sizeof(type) == (size), "on-disk size of " #type)

RETLDB_ASSERT_SIZE(RetlPageHeader, 24);
RETLDB_ASSERT_SIZE(RetlRun, 8);
RETLDB_ASSERT_SIZE(RetlGroupEntry, 120);
RETLDB_ASSERT_SIZE(RetlZone, 40);
RETLDB_ASSERT_SIZE(RetlZoneEntry, 48);
RETLDB_ASSERT_SIZE(RetlFooterHeader, 72);
RETLDB_ASSERT_SIZE(RetlFooterColumn, 104);
RETLDB_ASSERT_SIZE(RetlChunkHeader, 40);
RETLDB_ASSERT_SIZE(RetlUnit, 16);
RETLDB_ASSERT_SIZE(RetlBloomHeader, 16);
RETLDB_ASSERT_SIZE(RetlPieceHeader, 12);
RETLDB_ASSERT_SIZE(RetlOverflowRef, 24);
RETLDB_ASSERT_SIZE(RetlOverflowFrame, 16);
RETLDB_ASSERT_SIZE(RetlAnchorPayload, 16);
RETLDB_ASSERT_SIZE(RetlStubMapPage, RETLDB_PAYLOAD_SIZE);
RETLDB_ASSERT_SIZE(RetlStubNumberPage, RETLDB_PAYLOAD_SIZE);
RETLDB_ASSERT_SIZE(RetlLinkRun, 12);
RETLDB_ASSERT_SIZE(RetlLinkPage, RETLDB_PAYLOAD_SIZE);
_Static_assert(RETLDB_STUB_MAX_SEGMENTS * RETLDB_STUB_SEGMENT_ROWS >= RETLDB_MAX_GROUP_ROWS,
			   "segments cover all rows");
_Static_assert(RETLDB_MAX_GROUP_ROWS <= 1 << RETL_STUB_ROW_BITS, "rows fit stub map entries");
_Static_assert(offsetof(RetlFileHeader, directoryBlocks) == 184, "on-disk layout of RetlFileHeader");
_Static_assert(sizeof(RetlFileHeader) <= RETLDB_PAYLOAD_SIZE, "header fits its page");
_Static_assert(offsetof(RetlDirectoryPage, slots) == 32, "on-disk layout of RetlDirectoryPage");
_Static_assert(sizeof(RetlDirectoryPage) <= RETLDB_PAYLOAD_SIZE, "directory fits its page");
_Static_assert(sizeof(RetlRunListPage) <= RETLDB_PAYLOAD_SIZE, "run list fits its page");

#endif							/* RETLDB_FORMAT_H */
