/*-------------------------------------------------------------------------
 *
 * row_size.c
 *	  Would heap take this row?
 *
 * Heap compresses values and moves them to the TOAST table until the tuple is
 * small enough.  Left in place are values that are no larger than
 * MAXALIGN(TOAST_POINTER_SIZE), compressed or not, and those of attributes with
 * plain storage; of all others 18 bytes remain.  A row is too big if even then
 * it does not fit a page.
 *
 * Compressing is expensive, so the size is first computed as if each value that
 * can be moved took as much as it possibly can; hardly a row comes further.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/detoast.h"
#include "access/heaptoast.h"
#include "access/htup_details.h"
#include "access/toast_internals.h"
#include "access/tupmacs.h"

#include "rowgroup/row_size.h"

/* Largest value that heap never moves. */
#define KEPT_MAX		MAXALIGN(TOAST_POINTER_SIZE)

/* How to count values that heap can move or compress. */
typedef enum CountMode
{
	COUNT_MOST,					/* what they may take at most */
	COUNT_EXACT					/* what they take after compression */
} CountMode;

/* Are values of the attribute stored without padding when they are short? */
static bool
IsPackable(Form_pg_attribute att)
{
	return att->attlen == -1 && att->attstorage != TYPSTORAGE_PLAIN;
}

/* See row_size.h. */
bool
RetlRowSizeMatters(TupleDesc tupdesc)
{
	Size		size = 0;

	for (int i = 0; i < tupdesc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(tupdesc, i);

		if (att->attisdropped)
			continue;
		if (att->attlen < 0 && !IsPackable(att))
			return true;
		size = att_align_nominal(size, att->attalign);
		size += att->attlen < 0 ? KEPT_MAX : att->attlen;
	}
	size += MAXALIGN(SizeofHeapTupleHeader + BITMAPLEN(tupdesc->natts));
	return MAXALIGN(size) > MaxHeapTupleSize;
}

/* Add a value that may be compressed or moved, to a tuple of "size" bytes. */
static Size
AddMovable(Size size, Form_pg_attribute att, Datum value, CountMode mode)
{
	Size		payload = VARSIZE_ANY_EXHDR(DatumGetPointer(value));

	/* As it is, with a short header. */
	if (payload + VARHDRSZ_SHORT <= KEPT_MAX)
		return size + payload + VARHDRSZ_SHORT;

	if (mode == COUNT_MOST)
		return att_align_nominal(size, att->attalign) + KEPT_MAX;

	if (att->attstorage != TYPSTORAGE_EXTERNAL)
	{
		Datum		compressed = toast_compress_datum(value, att->attcompression);

		if (DatumGetPointer(compressed) != NULL)
		{
			Size		compressedSize = VARSIZE_ANY(DatumGetPointer(compressed));

			pfree(DatumGetPointer(compressed));
			if (compressedSize <= KEPT_MAX)
				return att_align_nominal(size, att->attalign) + compressedSize;
		}
	}
	return size + TOAST_POINTER_SIZE;
}

/* Size of the row as a heap tuple. */
static Size
RowSize(TupleDesc tupdesc, const Datum *values, const bool *nulls, CountMode mode)
{
	Size		size = 0;
	bool		hasNulls = false;

	for (int i = 0; i < tupdesc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(tupdesc, i);

		if (nulls[i] || att->attisdropped)
			hasNulls = true;
		else if (IsPackable(att))
			size = AddMovable(size, att, values[i], mode);
		else if (att->attlen == -1)
			size = att_align_nominal(size, att->attalign) + VARHDRSZ +
				VARSIZE_ANY_EXHDR(DatumGetPointer(values[i]));
		else
		{
			size = att_align_nominal(size, att->attalign);
			size = att_addlength_datum(size, att->attlen, values[i]);
		}
	}
	size += MAXALIGN(SizeofHeapTupleHeader + (hasNulls ? BITMAPLEN(tupdesc->natts) : 0));
	return MAXALIGN(size);
}

/* See row_size.h. */
void
RetlRowSizeCheck(TupleDesc tupdesc, const Datum *values, const bool *nulls)
{
	Size		size = RowSize(tupdesc, values, nulls, COUNT_MOST);

	if (size > MaxHeapTupleSize)
		size = RowSize(tupdesc, values, nulls, COUNT_EXACT);
	if (size > MaxHeapTupleSize)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("row is too big: size %zu, maximum size %zu",
						size, MaxHeapTupleSize)));
}

/* See row_size.h. */
void
RetlRowSizeCheckWhole(TupleDesc tupdesc, const Datum *values, const bool *nulls)
{
	Size		limit = MaxAllocSize - HEAPTUPLESIZE - MAXALIGN(SizeofHeapTupleHeader +
																BITMAPLEN(tupdesc->natts));
	Size		size = 0;

	for (int i = 0; i < tupdesc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(tupdesc, i);

		if (nulls[i] || att->attisdropped)
			continue;
		size = att_align_nominal(size, att->attalign);
		size = att_addlength_datum(size, att->attlen, values[i]);
	}
	if (size > limit)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("row is too big: size %zu, maximum size %zu", size, limit)));
}
