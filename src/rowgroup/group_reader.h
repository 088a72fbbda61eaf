/*-------------------------------------------------------------------------
 *
 * group_reader.h
 *	  Random access to the vectors of a row group, column by column.
 *
 * A column's chunk is not looked at before the first call that names it, so
 * columns nobody asks for are never read.  Damage raises
 * ERRCODE_DATA_CORRUPTED with relation, row group and column in the message or
 * its context.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_GROUP_READER_H
#define RETLDB_GROUP_READER_H

#include "postgres.h"

#include "access/attnum.h"
#include "nodes/bitmapset.h"

#include "rowgroup/column_test.h"
#include "rowgroup/zone_filter.h"
#include "storage/directory.h"
#include "vector/selection.h"
#include "vector/vector.h"

typedef struct RetlGroupReader RetlGroupReader;

/* What reading cost so far; kept by the caller, one for a scan. */
typedef struct RetlReadStats
{
	uint64		chunksOpened;
	uint64		unitsRead;
	uint64		vectorsDecoded; /* columns x vectors */
	uint64		vectorsFiltered;	/* column tests x vectors, on encoded data */
	uint64		valuesFetched;	/* each by itself */
	uint64		cacheHits;		/* units found in the cache */
	uint64		cachedVectors;	/* vectors found there */
	uint64		bytesRead;		/* of compressed data */
} RetlReadStats;

/*
 * A reader in a memory context of its own below CurrentMemoryContext, to be
 * used for any number of groups of this table, one after the other.  stats may
 * be NULL.
 */
extern RetlGroupReader *RetlGroupReaderCreate(Relation rel, BufferAccessStrategy strategy,
											  RetlReadStats *stats);

/*
 * The relcache entry of the table has moved: a reader that is kept while the
 * table is closed must be told before it is used again.
 */
extern void RetlGroupReaderSetRelation(RetlGroupReader *reader, Relation rel);

/*
 * Before anything is read: see rows through another descriptor than the
 * table's.  It must live as long as the reader.
 */
extern void RetlGroupReaderSetDescriptor(RetlGroupReader *reader, TupleDesc tupdesc);

/*
 * Use the cache of what was read before (read_cache.h) for the groups of this
 * incarnation of the table.  "admit" says whether to add to it: what is read
 * only once should not.
 */
extern void RetlGroupReaderUseCache(RetlGroupReader *reader, const uint8 incarnation[16],
									bool admit);

/*
 * From now on, or no longer, single rows are wanted of one vector after another,
 * so less is read at once.  What the cache says was checked before is then not
 * checked as a whole again.
 */
extern void RetlGroupReaderSetSingle(RetlGroupReader *reader, bool single);

/*
 * Of the group that is open, these columns of a single row will be asked for: have the
 * processor bring what is in memory of them.
 */
#define RETLDB_ANTICIPATED_MAX	32
extern void RetlGroupReaderAnticipate(RetlGroupReader *reader, const AttrNumber *attnums,
									  int count, uint32 row);

/*
 * From now on, or no longer, columns that are read one vector after the other may
 * come from streams (page_stream.h), which hold pins between calls.  So the reader
 * must be freed, or told to stop, by the resource owner that it is used with.  After
 * an error that was caught it must not be used at all.
 */
extern void RetlGroupReaderUseStreams(RetlGroupReader *reader, bool use);

/* Turn to a COMPLETE group: reads and checks its footer (header part only). */
extern void RetlGroupReaderOpen(RetlGroupReader *reader, const RetlGroupEntry *entry);

/* Give up the group that is open, if one is, and the memory that it takes. */
extern void RetlGroupReaderClose(RetlGroupReader *reader);

/*
 * Bytes that the reader's columns take, the room included that stays when it turns to
 * another group; and close the reader and give all of it up, to be made anew when it is
 * used again.  To find out takes a look at each column.
 */
extern Size RetlGroupReaderRoom(const RetlGroupReader *reader);
extern void RetlGroupReaderFreeRoom(RetlGroupReader *reader);

/*
 * Of the group that is open, start reading a column's first bytes in the
 * background, as many as are prefetched at once.  Nothing if it is open already.
 */
extern void RetlGroupReaderPrefetch(RetlGroupReader *reader, AttrNumber attnum);

/*
 * Vector "index" of these columns (attribute numbers; NULL: not known) is going to be
 * read.  If what was read last had to come from disk, have all of them begin to
 * come, instead of one after the other.
 */
extern void RetlGroupReaderExpect(RetlGroupReader *reader, const Bitmapset *columns,
								  uint32 index);

extern void RetlGroupReaderFree(RetlGroupReader *reader);

extern uint32 RetlGroupReaderRowCount(const RetlGroupReader *reader);

/* Were the rows inserted by other transactions than the anchor's? */
extern bool RetlGroupReaderIsCompacted(const RetlGroupReader *reader);
extern uint32 RetlGroupReaderVectorRows(const RetlGroupReader *reader);
extern uint32 RetlGroupReaderVectorCount(const RetlGroupReader *reader);

/*
 * Vector "index" of a column.  Valid until the next call for this column, or
 * the next Open.  Asking again for the same vector costs nothing.  Columns added
 * after the group was written yield their missing value.
 */
extern const RetlVector *RetlGroupReaderGetVector(RetlGroupReader *reader,
												  AttrNumber attnum, uint32 index);

/*
 * Same, for selected rows only: the values of others may be left undefined.
 * Few rows are fetched one by one, where the encoding does that well.
 */
extern const RetlVector *RetlGroupReaderGetSelected(RetlGroupReader *reader, AttrNumber attnum,
													uint32 index,
													const RetlSelection *selection);

/*
 * Deselect the rows of vector "index" that do not pass the test.  Evaluated on
 * encoded data where that is possible, which stats tell; rows not selected are
 * not looked at by the test's predicate.  The test must stay where it is as
 * long as the group is open (its memo is found by its address), and give
 * itself another generation when its constants change.
 */
extern void RetlGroupReaderFilter(RetlGroupReader *reader, const RetlColumnTest *test,
								  uint32 index, RetlSelection *selection);

/*
 * Same for a tree of AND, OR and tests all of which have a column test.
 */
extern void RetlGroupReaderFilterTree(RetlGroupReader *reader, const RetlZoneFilter *tree,
									  uint32 index, RetlSelection *selection);

/*
 * Statistics of a vector of a column; false if none are known.  zone->nullCount
 * is exact, *rowCount is the vector's.
 */
extern bool RetlGroupReaderGetVectorZone(RetlGroupReader *reader, AttrNumber attnum,
										 uint32 index, RetlZone *zone, uint32 *rowCount);

/*
 * May a row of the group have a value with this hash (value_hash.h) in the
 * column?  True if there is no Bloom filter to ask.
 */
extern bool RetlGroupReaderBloomMayContain(RetlGroupReader *reader, AttrNumber attnum,
										   RetlKeyKind keyKind, uint64 hash);

/*
 * Check a column's chunk completely: checksums, structure, every piece decodes,
 * statistics agree with the values.  Returns NULL or a palloc'd text of what is
 * wrong; errors of page reads are still raised.  attnum may name a column that
 * the footer has and the table has dropped.
 */
extern char *RetlGroupReaderVerifyColumn(RetlGroupReader *reader, AttrNumber attnum);

/*
 * Check the footer itself (all column entries, overlaps, order, lengths
 * against the entry), and that the directory's zone entries of this group equal
 * the footer's; directory may be NULL, then the zone entries are not looked at.
 * NULL or a palloc'd text.
 */
extern char *RetlGroupReaderVerifyFooter(RetlGroupReader *reader,
										 const RetlDirectory *directory,
										 const RetlGroup *group);

/* Description of one column's chunk, for inspection functions. */
typedef struct RetlChunkInfo
{
	RetlFooterColumn column;	/* the footer's entry */
} RetlChunkInfo;

/* Number of columns in the footer, and the i-th (from 0). */
extern uint32 RetlGroupReaderColumnCount(const RetlGroupReader *reader);
extern void RetlGroupReaderGetChunkInfo(RetlGroupReader *reader, uint32 i, RetlChunkInfo *info);

#endif							/* RETLDB_GROUP_READER_H */
