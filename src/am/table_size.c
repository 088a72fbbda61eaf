/*-------------------------------------------------------------------------
 *
 * table_size.c
 *	  How large a table is, for the planner.
 *
 * The header page knows the rows of all row groups.  Those of the row store are
 * what VACUUM or ANALYZE counted beyond them, or guessed from its pages.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "access/htup_details.h"
#include "optimizer/plancat.h"
#include "storage/bufmgr.h"
#include "utils/rel.h"

#include "am/retldb_am.h"
#include "am/table_size.h"
#include "storage/table_header.h"

/* Pages that a table is taken to have at least, unless VACUUM knows better. */
#define NEW_TABLE_PAGES		10

/* See table_size.h. */
void
RetlGetTableSize(Relation rel, RetlTableSize *size)
{
	RetlFileHeader header;
	double		otherPages;

	if (!RetlHeaderTryRead(rel, &header))
		memset(&header, 0, sizeof(header));
	otherPages = 1.0 + header.ownedPages;

	size->pages = RelationGetNumberOfBlocks(rel);
	size->rowStorePages = (BlockNumber) Max(size->pages - otherPages, 0);
	size->groups = header.completeGroups;
	size->groupRows = header.completeRows;

	/* as for heap: do not believe that a new table will stay empty */
	if (header.completeGroups == 0 && size->rowStorePages < NEW_TABLE_PAGES &&
		rel->rd_rel->reltuples < 0 && !rel->rd_rel->relhassubclass)
	{
		size->rowStorePages = NEW_TABLE_PAGES;
		size->pages = Max(size->pages, NEW_TABLE_PAGES + 1);
	}
}

/*
 * Rows of the row store.
 *
 * What VACUUM or ANALYZE last counted is what the row store and the row groups
 * had together, so it tells the row store's rows as long as the table has the
 * same blocks.  Later its density still does if there are no row groups; else it
 * is guessed from the width of a row, as heap does for tables nothing is known
 * of.
 */
static double
RowStoreRows(Relation rel, const RetlTableSize *size, int32 *attr_widths)
{
	double		relpages = rel->rd_rel->relpages;
	double		reltuples = rel->rd_rel->reltuples;
	double		otherPages = size->pages - size->rowStorePages;
	double		density;

	if (size->rowStorePages == 0)
		return 0;
	if (reltuples >= 0 && relpages == size->pages)
		return Min(Max(reltuples - size->groupRows, 0),
				   (double) size->rowStorePages * MaxHeapTuplesPerPage);

	if (reltuples >= 0 && size->groups == 0 && relpages > otherPages)
		density = reltuples / (relpages - otherPages);
	else
	{
		int32		width = get_rel_data_width(rel, attr_widths) +
			MAXALIGN(SizeofHeapTupleHeader) + sizeof(ItemIdData);

		/* of integers, as in heap */
		density = (BLCKSZ - SizeOfPageHeaderData) / width;
	}
	return rint(density * size->rowStorePages);
}

/* Table access method: pages and rows of a table. */
void
retldb_relation_estimate_size(Relation rel, int32 *attr_widths, BlockNumber *pages,
							  double *tuples, double *allvisfrac)
{
	RetlTableSize size;

	RetlGetTableSize(rel, &size);
	*pages = size.pages;
	*tuples = size.groupRows + RowStoreRows(rel, &size, attr_widths);
	*allvisfrac = 0;
}
