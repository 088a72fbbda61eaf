/*-------------------------------------------------------------------------
 *
 * write_options.c
 *	  How new row groups of a table are to be written.
 *
 * Loading and compaction ask here, so that both write the same.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/rel.h"

#include "base/options.h"
#include "base/order_by.h"
#include "base/settings.h"
#include "rowgroup/write_options.h"

/* An option if it is set, else the setting. */
static inline int
OptionOr(int option, int setting)
{
	return option != RETLDB_UNSET ? option : setting;
}

/*
 * See write_options.h.  A level belongs to the compression that is set together
 * with it.
 */
void
RetlWriteOptionsFill(Relation rel, RetlWriteOptions *write)
{
	RetlTableOptions options;
	List	   *order = NIL;
	const char *problem;

	memset(write, 0, sizeof(*write));
	RetlTableOptionsRead(rel, &options, WARNING);
	write->compression = OptionOr(options.compression, retldb_compression);
	write->compressionLevel =
		OptionOr(options.compressionLevel,
				 options.compression != RETLDB_UNSET ? 0 : retldb_compression_level);
	write->groupRows = OptionOr(options.groupRows, retldb_row_group_rows);
	write->groupBytes = (Size) OptionOr(options.groupSize, retldb_row_group_size) * 1024;
	write->vectorRows = OptionOr(options.vectorRows, retldb_vector_rows);
	write->forcedEncoding = retldb_force_encoding;
	write->onlyForced = retldb_force_encoding >= 0;
	write->bloom = OptionOr(options.bloom, RETL_BLOOM_AUTO);
	write->columns = RetlColumnOptionsRead(rel, WARNING);
	if (options.orderBy != NULL && RetlOrderByParse(options.orderBy, &order, &problem))
		write->sortKeys = RetlOrderByResolve(order, RelationGetDescr(rel), WARNING,
											 &write->sortKeyCount);
}
