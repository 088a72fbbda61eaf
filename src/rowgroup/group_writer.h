/*-------------------------------------------------------------------------
 *
 * group_writer.h
 *	  Collects rows in memory and writes them as a row group.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_GROUP_WRITER_H
#define RETLDB_GROUP_WRITER_H

#include "postgres.h"

#include "access/tupdesc.h"
#include "executor/tuptable.h"

#include "base/options.h"
#include "base/order_by.h"
#include "storage/directory.h"

/* How a group is written; fixed when it is begun. */
typedef struct RetlWriteOptions
{
	RetlCompressionId compression;
	int			compressionLevel;	/* 0 = the codec's default */
	uint32		groupRows;		/* rows after which a group is full */
	Size		groupBytes;		/* raw bytes after which it is full */
	uint32		vectorRows;		/* power of two */
	int			forcedEncoding; /* RetlEncodingId, or -1: chosen by size */
	bool		onlyForced;		/* no piece may have another (tests) */
	RetlBloomChoice bloom;
	bool		compacted;		/* rows that were in the table before */
	const RetlColumnOptions *columns;	/* [natts], what columns have of their own;
										 * or NULL */
	const RetlSortKey *sortKeys;	/* order of the rows, if they may move */
	int			sortKeyCount;
} RetlWriteOptions;

typedef struct RetlGroupWriter RetlGroupWriter;

/*
 * A writer for rows of this descriptor, in a memory context of its own below
 * "parent".  The descriptor and the options are copied.
 */
extern RetlGroupWriter *RetlGroupWriterCreate(TupleDesc tupdesc, const RetlWriteOptions *options,
											  MemoryContext parent);

/*
 * Add a row.  Values are copied (and detoasted).  Raises
 * ERRCODE_PROGRAM_LIMIT_EXCEEDED for a row that heap would refuse as too big;
 * the writer is then as before the call.
 */
extern void RetlGroupWriterAppend(RetlGroupWriter *writer, const Datum *values, const bool *nulls);

/*
 * Add several rows, for which there must be room; faster than one by one.  On
 * error some may have been added, whole ones.  "padded" is as in row_batch.h.
 */
extern void RetlGroupWriterAppendMany(RetlGroupWriter *writer, TupleTableSlot **slots,
									  uint32 count, bool padded);

/*
 * How many rows of a batch of "count" to add before asking IsFull again, at
 * least one.
 */
extern uint32 RetlGroupWriterRoom(const RetlGroupWriter *writer, uint32 count);

extern uint32 RetlGroupWriterRowCount(const RetlGroupWriter *writer);
extern Size RetlGroupWriterMemory(const RetlGroupWriter *writer);	/* bytes it holds now */
extern bool RetlGroupWriterIsFull(const RetlGroupWriter *writer);

/* For the groups written from now on, whatever the options say. */
extern void RetlGroupWriterSetCompacted(RetlGroupWriter *writer, bool compacted);

/*
 * Bring the rows into the order of the sort keys, those with equal keys in the
 * order in which they came.  Not for rows whose TIDs somebody has kept.  *order,
 * if wanted: NULL if no row moved, else which row has come to each place.
 */
extern void RetlGroupWriterSort(RetlGroupWriter *writer, uint32 **order);

/*
 * Memory that writing a group takes for a while.  It is kept from group to
 * group, for having it anew costs time; it serves one write at a time.
 */
typedef struct RetlWriteMemory
{
	MemoryContext group;
	MemoryContext column;
	struct RetlChunkPacker *packer;
} RetlWriteMemory;

extern void RetlWriteMemoryInit(RetlWriteMemory *memory, MemoryContext parent);

/*
 * Encode and write everything as the given LOADING group, and publish it.  The
 * rows stay in memory until RetlGroupWriterFree: a failed write can be reported
 * again but not be lost silently.
 */
extern void RetlGroupWriterWrite(RetlGroupWriter *writer, Relation rel, RetlGroup *group,
								 RetlWriteMemory *memory);

/*
 * Forget all rows, to begin another group.  Memory is kept: the next group
 * will need about as much, and growing anew costs time.
 */
extern void RetlGroupWriterReset(RetlGroupWriter *writer);

extern void RetlGroupWriterFree(RetlGroupWriter *writer);

#endif							/* RETLDB_GROUP_WRITER_H */
