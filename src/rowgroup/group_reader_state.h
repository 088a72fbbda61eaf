/*-------------------------------------------------------------------------
 *
 * group_reader_state.h
 *	  The inside of a row group reader, for group_reader.c and group_verify.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_GROUP_READER_STATE_H
#define RETLDB_GROUP_READER_STATE_H

#include "postgres.h"

#include "rowgroup/chunk_reader.h"
#include "rowgroup/column_type.h"
#include "rowgroup/group_reader.h"
#include "rowgroup/vector_builder.h"

/* Footer entries read at once. */
#define RETLDB_FOOTER_BLOCK		32

/* A column of the group the reader is at. */
typedef struct RetlColumnReader
{
	/* fixed */
	RetlColumnType type;
	const char *name;
	MemoryContext context;		/* reset when the group changes */
	RetlCachePins *pins;		/* of the current group; NULL: there were none yet */

	/* room that serves one group after the other */
	RetlChunkBuffers buffers;
	RetlVectorBuilder builder;

	/* of the current group */
	bool		opened;			/* the rest is valid */
	bool		present;		/* the group has this column */
	RetlChunkReader chunk;		/* if so */
	Datum		missing;		/* if not: its value */
	bool		missingIsNull;
	bool		builderReady;
	uint32		vectorIndex;	/* of the current vector; UINT32_MAX: none */
	const RetlVector *cachedVector; /* it is this one, of the cache; NULL: builder.vector */
	struct RetlColumnMemo *memos;	/* of tests, see vector_filter.c */
} RetlColumnReader;

struct RetlGroupReader
{
	/* fixed */
	Relation	rel;
	TupleDesc	tupdesc;		/* what its columns are taken for */
	BufferAccessStrategy strategy;
	RetlReadStats *stats;		/* the caller's, or ownStats */
	RetlReadStats ownStats;
	MemoryContext context;
	MemoryContext groupContext; /* reset when the group changes */
	MemoryContext columnsContext;	/* of the columns, and of theirs */
	MemoryContext scratchContext;	/* nothing in it outlives a filter, or building a vector */
	int			columnCapacity;
	RetlColumnReader **columns; /* [attnum - 1]; NULL until asked for */
	RetlRoom	stored;			/* for units as they are read, of all columns */
	RetlBuilderRoom room;		/* for vectors that are being built, of all columns */

	/* the cache */
	bool		cached;			/* is it used? */
	bool		admit;			/* may we add to it? */
	RetlCacheKey cacheKey;		/* all but group, column and part */
	RetlCachePins *pins;		/* of the group; if cached */
	bool		single;			/* see RetlGroupReaderSetSingle */
	bool		streams;		/* see RetlGroupReaderUseStreams */

	/* the group */
	bool		open;
	RetlGroupEntry entry;
	RetlFooterHeader footer;
	RetlBytesReader bytes;

	/* footer entries [blockFirst, blockFirst + blockCount), not checked yet */
	uint32		blockFirst;
	uint32		blockCount;
	RetlFooterColumn block[RETLDB_FOOTER_BLOCK];
};

/* Entry i of the footer, as it was read. */
extern const RetlFooterColumn *RetlGroupReaderRawColumn(RetlGroupReader *reader, uint32 i);

/*
 * Find a column's entry in the footer, checked; false if it has none.  Damage on
 * the way is answered in *problem.
 */
extern bool RetlGroupReaderFindColumn(RetlGroupReader *reader, uint32 columnId,
									  RetlFooterColumn *column, const char **problem,
									  bool *unsupported);

/* The reader of a column, which is opened if it is not yet. */
extern RetlColumnReader *RetlGroupReaderUseColumn(RetlGroupReader *reader, AttrNumber attnum);

/* Raise what is wrong with a column's chunk. */
pg_noreturn extern void RetlGroupReaderReportColumn(RetlGroupReader *reader, AttrNumber attnum,
													const char *problem);

#endif							/* RETLDB_GROUP_READER_STATE_H */
