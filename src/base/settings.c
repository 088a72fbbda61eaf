/*-------------------------------------------------------------------------
 *
 * settings.c
 *	  The retldb.* configuration parameters.
 *
 * README.md has the same list for users; keep both together.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <limits.h>

#include "utils/guc.h"

#include "base/settings.h"
#include "compress/compress.h"
#include "format/format.h"

int			retldb_compression = RETL_COMPRESSION_LZ4;
int			retldb_compression_level = 0;
int			retldb_row_group_rows = 131072;
int			retldb_row_group_size = 64 * 1024;
int			retldb_vector_rows = RETLDB_DEFAULT_VECTOR_ROWS;
int			retldb_write_memory = 256 * 1024;
int			retldb_row_store_rows = 1000;
bool		retldb_enable_columnar_scan = true;
bool		retldb_enable_skipping = true;
int			retldb_cache_size = 32 * 1024;
bool		retldb_enable_vector_filter = true;
bool		retldb_skip_damaged_groups = false;
int			retldb_force_encoding = -1;

static const struct config_enum_entry compression_options[] = {
	{"none", RETL_COMPRESSION_NONE, false},
	{"lz4", RETL_COMPRESSION_LZ4, false},
	{"snappy", RETL_COMPRESSION_SNAPPY, false},
	{"zstd", RETL_COMPRESSION_ZSTD, false},
	{NULL, 0, false}
};

static const struct config_enum_entry encoding_options[] = {
	{"auto", -1, false},
	{"plain", RETL_ENCODING_PLAIN, false},
	{"constant", RETL_ENCODING_CONSTANT, false},
	{"rle", RETL_ENCODING_RLE, false},
	{"bitpack", RETL_ENCODING_BITPACK, false},
	{"dict", RETL_ENCODING_DICT, false},
	{"delta", RETL_ENCODING_DELTA, false},
	{NULL, 0, false}
};

/*
 * Vectors have a power of two of rows.
 */
static bool
CheckVectorRows(int *newval, void **extra, GucSource source)
{
	(void) extra;
	(void) source;

	if ((*newval & (*newval - 1)) != 0)
	{
		GUC_check_errdetail("The value must be a power of two.");
		return false;
	}
	return true;
}

/*
 * Settings of how row groups are written.
 */
static void
DefineWriteSettings(void)
{
	DefineCustomEnumVariable("retldb.compression",
							 "Compression of new row groups.",
							 NULL, &retldb_compression, RETL_COMPRESSION_LZ4,
							 compression_options, PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("retldb.compression_level",
							"Compression level of new row groups.",
							"Zero means the default of the compression method.",
							&retldb_compression_level, 0,
							RETLDB_MIN_COMPRESSION_LEVEL, RETLDB_MAX_COMPRESSION_LEVEL,
							PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("retldb.row_group_rows",
							"Rows after which a row group is full.",
							NULL, &retldb_row_group_rows, 131072,
							64, RETLDB_MAX_GROUP_ROWS,
							PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("retldb.row_group_size",
							"Size of uncompressed data after which a row group is full.",
							NULL, &retldb_row_group_size, 64 * 1024,
							64, 1024 * 1024,
							PGC_USERSET, GUC_UNIT_KB, NULL, NULL, NULL);
	DefineCustomIntVariable("retldb.vector_rows",
							"Rows of a vector, the smallest unit of decoding.",
							"Must be a power of two.",
							&retldb_vector_rows, RETLDB_DEFAULT_VECTOR_ROWS,
							RETLDB_MIN_VECTOR_ROWS, RETLDB_MAX_VECTOR_ROWS,
							PGC_USERSET, 0, CheckVectorRows, NULL, NULL);
	DefineCustomIntVariable("retldb.write_memory",
							"Memory for rows of unfinished row groups, all tables of a session together.",
							"When it is exceeded, the largest row group is written.",
							&retldb_write_memory, 256 * 1024,
							1024, INT_MAX / 1024,
							PGC_USERSET, GUC_UNIT_KB, NULL, NULL, NULL);
	DefineCustomIntVariable("retldb.row_store_rows",
							"Rows of a command that are stored by row before the rest goes to row groups.",
							NULL, &retldb_row_store_rows, 1000,
							0, INT_MAX,
							PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomEnumVariable("retldb.force_encoding",
							 "Encoding of new row groups, where it is applicable; for tests.",
							 NULL, &retldb_force_encoding, -1,
							 encoding_options, PGC_USERSET, GUC_NOT_IN_SAMPLE,
							 NULL, NULL, NULL);
}

/*
 * Settings of how tables are read.
 */
static void
DefineReadSettings(void)
{
	DefineCustomBoolVariable("retldb.enable_columnar_scan",
							 "Enables the planner's use of columnar scans.",
							 NULL, &retldb_enable_columnar_scan, true,
							 PGC_USERSET, GUC_EXPLAIN, NULL, NULL, NULL);
	DefineCustomBoolVariable("retldb.enable_skipping",
							 "Enables skipping of row groups and vectors by their statistics.",
							 NULL, &retldb_enable_skipping, true,
							 PGC_USERSET, GUC_EXPLAIN, NULL, NULL, NULL);
	DefineCustomIntVariable("retldb.cache_size",
							"Memory of a session for what it has read of row groups more than once.",
							"Zero turns the cache off.",
							&retldb_cache_size, 32 * 1024,
							0, INT_MAX / 1024,
							PGC_USERSET, GUC_UNIT_KB, NULL, NULL, NULL);
	DefineCustomBoolVariable("retldb.enable_vector_filter",
							 "Enables the evaluation of conditions on vectors.",
							 "It acts on plans that are made while it is set.",
							 &retldb_enable_vector_filter, true,
							 PGC_USERSET, GUC_EXPLAIN, NULL, NULL, NULL);
	DefineCustomBoolVariable("retldb.skip_damaged_groups",
							 "Passes over damaged row groups with a warning instead of an error.",
							 "For rescuing data: queries then answer without the rows of damaged row groups.",
							 &retldb_skip_damaged_groups, false,
							 PGC_SUSET, GUC_NOT_IN_SAMPLE, NULL, NULL, NULL);
}

void
RetlDefineSettings(void)
{
	DefineWriteSettings();
	DefineReadSettings();
	MarkGUCPrefixReserved("retldb");
}
