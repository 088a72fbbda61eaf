/*-------------------------------------------------------------------------
 *
 * row_batch.h
 *	  Rows of several slots into columns, column by column.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_ROW_BATCH_H
#define RETLDB_ROW_BATCH_H

#include "postgres.h"

#include "executor/tuptable.h"

#include "rowgroup/column_buffer.h"

/* Rows of a batch, at most: as many as a word has bits. */
#define RETLDB_BATCH_ROWS	64

/* Bytes that may be read behind each value of padded rows. */
#define RETLDB_VALUE_PADDING	32

typedef struct RetlRowBatch RetlRowBatch;

/* A batch for rows of so many columns, in the current context; it can be used again. */
extern RetlRowBatch *RetlRowBatchCreate(int columnCount);

/*
 * Copy the values of 1 to RETLDB_BATCH_ROWS slots, all attributes of which are
 * there, behind those of the columns, where they do not count yet.  The first of
 * them becomes row number "firstRow".  Columns without a context are passed over.
 * "padded" says that RETLDB_VALUE_PADDING bytes can be read behind each value.
 *
 * Returns false if a value needs more than copying: it is compressed, out of line
 * or large.  Then, and after an error, the columns are as before.
 */
extern bool RetlRowBatchStage(RetlRowBatch *batch, RetlColumnBuffer *columns,
							  TupleTableSlot **slots, uint32 count, uint32 firstRow,
							  bool padded);

/* Make the staged values count; cannot fail.  Returns their bytes. */
extern Size RetlRowBatchCommit(RetlRowBatch *batch, RetlColumnBuffer *columns);

#endif							/* RETLDB_ROW_BATCH_H */
