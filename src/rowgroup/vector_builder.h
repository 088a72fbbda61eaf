/*-------------------------------------------------------------------------
 *
 * vector_builder.h
 *	  Turns the pieces of a chunk into vectors.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_VECTOR_BUILDER_H
#define RETLDB_VECTOR_BUILDER_H

#include "postgres.h"

#include "rowgroup/chunk_reader.h"
#include "rowgroup/column_type.h"
#include "vector/selection.h"
#include "vector/vector.h"

/*
 * What all builders of a reader share, of which one builds at a time: lists that are
 * needed while a piece is built, and memory.  So they stay in the processor's cache, and
 * whoever fetches one row of many columns does not touch new memory for each of them.
 */
typedef struct RetlBuilderRoom
{
	MemoryContext context;		/* for buffers; lives as long as the builders */
	MemoryContext scratchContext;	/* nothing in it outlives building a vector */

	/* lists for "capacity" rows, made when first needed */
	uint32		capacity;
	uint32	   *rows;			/* rows of a piece, */
	uint32	   *values;			/* and their values' indexes */
	uint32	   *starts;			/* values of variable length, as they are decoded */
	uint32	   *lengths;
} RetlBuilderRoom;

typedef struct RetlVectorBuilder
{
	/* fixed */
	RetlColumnType type;
	Size		alignment;		/* of values of variable length */
	uint32		stride;			/* of by-reference values of fixed width, aligned */
	MemoryContext context;		/* lives as long as the chunk is open */
	MemoryContext dataContext;	/* reset for each vector */
	RetlBuilderRoom *room;

	/* buffers for "capacity" rows, which serve one chunk after the other */
	uint32		capacity;		/* 0: there are none */
	char	   *buffers;		/* all of them */
	RetlVector	vector;			/* the vector built last */
	bool	   *nulls;
	char	   *fixed;			/* fixed width */
	char	   *strided;		/* fixed width, where stride is not width */
	char	  **pointers;		/* variable length, or strided */

	/* entries of the chunk's dictionary as values, made when first used */
	RetlDictEntries dictionary;
	char	  **entries;		/* [dictionary.count], or NULL: none was used */
	char	   *entryPlace;		/* where the next one goes */
	char	   *entryEnd;

	/* which rows of the vector are there */
	uint64		built[RETLDB_MAX_VECTOR_ROWS / 64];
	bool		isFresh;		/* none is, in no piece */
	bool		isComplete;		/* it is known that all are */
	bool		isCostly;		/* values of variable length had to be made, most for
								 * one row each, and are all in memory: */
	Size		placedBytes;	/* so much at most, with what alignment takes */
} RetlVectorBuilder;

/*
 * Prepare a builder, which is zero the first time, for vectors of a chunk of up to
 * vectorRows rows.  Buffers are in the room's context and are used again for the next
 * chunk, whose type must be the same.  Values of variable length are in a context of the
 * builder's own and go with the next vector; those of a dictionary are in "context", which
 * lives as long as the chunk is open.
 */
extern void RetlVectorBuilderBegin(RetlVectorBuilder *builder, const RetlColumnType *type,
								   uint32 vectorRows, RetlBuilderRoom *room,
								   MemoryContext context);

/* The vector built last is no longer needed. */
extern void RetlVectorBuilderForget(RetlVectorBuilder *builder);

/*
 * Build vector "index" of a chunk in builder->vector, or only selected rows of
 * it if selection is not NULL.  NULL or what is wrong.
 */
extern const char *RetlVectorBuild(RetlVectorBuilder *builder, RetlChunkReader *chunk,
								   uint32 index, const RetlSelection *selection);

/* Are all selected rows (NULL: all rows) of the vector there? */
extern bool RetlVectorHasRows(RetlVectorBuilder *builder, const RetlSelection *selection);

/* Build these, too; values that are there stay where they are. */
extern const char *RetlVectorBuildMore(RetlVectorBuilder *builder, RetlChunkReader *chunk,
									   const RetlSelection *selection);

/* Build a vector all of whose rows have this value. */
extern void RetlVectorBuildConstant(RetlVectorBuilder *builder, Datum value, bool isnull,
									uint32 firstRow, uint32 rowCount);

#endif							/* RETLDB_VECTOR_BUILDER_H */
