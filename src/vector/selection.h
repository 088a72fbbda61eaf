/*-------------------------------------------------------------------------
 *
 * selection.h
 *	  Which rows of a vector are of interest.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_SELECTION_H
#define RETLDB_SELECTION_H

#include "postgres.h"

#include "port/pg_bitutils.h"

#include "encoding/filter.h"
#include "format/format.h"

typedef struct RetlSelection
{
	uint32		rowCount;		/* rows of the vector */
	uint32		count;			/* of them selected */
	uint64		words[RETLDB_MAX_VECTOR_ROWS / 64]; /* bits past rowCount are clear */
} RetlSelection;

/* Select all rows. */
static inline void
RetlSelectAll(RetlSelection *selection, uint32 rowCount)
{
	uint32		words = RetlSelectionWords(rowCount);

	selection->rowCount = rowCount;
	selection->count = rowCount;
	memset(selection->words, 0xFF, words * sizeof(uint64));
	if (rowCount % 64 != 0)
		selection->words[words - 1] = (UINT64CONST(1) << (rowCount % 64)) - 1;
}

/* Count the selected rows anew. */
static inline void
RetlSelectionRecount(RetlSelection *selection)
{
	uint32		count = 0;

	for (uint32 i = 0; i < RetlSelectionWords(selection->rowCount); i++)
		count += (uint32) pg_popcount64(selection->words[i]);
	selection->count = count;
}

/* The first selected row at or after "row", or rowCount. */
static inline uint32
RetlSelectionNext(const RetlSelection *selection, uint32 row)
{
	while (row < selection->rowCount)
	{
		uint64		word = selection->words[row / 64] >> (row % 64);

		if (word != 0)
			return row + (uint32) pg_rightmost_one_pos64(word);
		row = (row / 64 + 1) * 64;
	}
	return selection->rowCount;
}

/* The last selected row at or before "row", or -1. */
static inline int32
RetlSelectionPrevious(const RetlSelection *selection, int32 row)
{
	while (row >= 0)
	{
		uint64		word = selection->words[row / 64] << (63 - row % 64);

		if (word != 0)
			return row - (63 - pg_leftmost_one_pos64(word));
		row = row / 64 * 64 - 1;
	}
	return -1;
}

/*
 * A selection of rows as one of the non-null values among them: "present" has
 * the bits of the rows that are not null.  All arrays have this many words.
 */
extern void RetlSelectionCompress(const uint64 *rows, const uint64 *present, uint32 words,
								  uint64 *values);

/* And back: rows that are null are not selected. */
extern void RetlSelectionExpand(const uint64 *values, const uint64 *present, uint32 words,
								uint64 *rows);

#endif							/* RETLDB_SELECTION_H */
