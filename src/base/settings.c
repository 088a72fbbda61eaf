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
int			retldb_standby_decoding = RETL_STANDBY_DECODING_AUTO;
bool		retldb_enable_columnar_scan = true;
bool		retldb_enable_skipping = true;
int			retldb_cache_size = 32 * 1024;
bool		retldb_cache_vectors = true;
bool		retldb_enable_vector_filter = true;
bool		retldb_enable_runtime_filters = true;
bool		retldb_enable_upsert_batches = true;
bool		retldb_skip_damaged_groups = false;
int			retldb_force_encoding = -1;
int			retldb_retire_stubs = -1;
bool		retldb_suppress_noop = false;
bool		retldb_compact_read_rows = false;
bool		retldb_autocompact = true;
int			retldb_autocompact_max_workers = 2;
int			retldb_autocompact_naptime = 60;
int			retldb_autocompact_threshold = 5000;
double		retldb_autocompact_scale_factor = 0.01;
int			retldb_autocompact_overlap = 4;
int			retldb_autocompact_delay = 20;
int			retldb_log_autocompact_min_duration = 600000;

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
	{"fsst", RETL_ENCODING_FSST, false},
	{"delta", RETL_ENCODING_DELTA, false},
	{"alp", RETL_ENCODING_ALP, false},
	{"decimal", RETL_ENCODING_DECIMAL, false},
	{"split", RETL_ENCODING_SPLIT, false},
	{NULL, 0, false}
};

static const struct config_enum_entry standby_decoding_options[] = {
	{"auto", RETL_STANDBY_DECODING_AUTO, false},
	{"on", RETL_STANDBY_DECODING_ON, false},
	{"off", RETL_STANDBY_DECODING_OFF, false},
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
							RETLDB_MIN_SETTING_GROUP_ROWS, RETLDB_MAX_GROUP_ROWS,
							PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("retldb.row_group_size",
							"Size of uncompressed data after which a row group is full.",
							NULL, &retldb_row_group_size, 64 * 1024,
							RETLDB_MIN_SETTING_GROUP_SIZE, RETLDB_MAX_SETTING_GROUP_SIZE,
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
	DefineCustomEnumVariable("retldb.standby_decoding",
							 "Whether standbys decode insertions into all tables, which then are stored by row.",
							 "With auto, if a standby's feedback says that it has logical replication slots.",
							 &retldb_standby_decoding, RETL_STANDBY_DECODING_AUTO,
							 standby_decoding_options, PGC_SUSET, 0, NULL, NULL, NULL);
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
	DefineCustomBoolVariable("retldb.cache_vectors",
							 "Lets decoded values of texts and numerics that are scanned again and again enter the cache.",
							 NULL, &retldb_cache_vectors, true,
							 PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomBoolVariable("retldb.enable_vector_filter",
							 "Enables the evaluation of conditions on vectors.",
							 "It acts on plans that are made while it is set.",
							 &retldb_enable_vector_filter, true,
							 PGC_USERSET, GUC_EXPLAIN, NULL, NULL, NULL);
	DefineCustomBoolVariable("retldb.enable_runtime_filters",
							 "Lets scans below hash joins pass over rows whose keys the hash table does not have.",
							 "It acts on queries that start while it is set.",
							 &retldb_enable_runtime_filters, true,
							 PGC_USERSET, GUC_EXPLAIN, NULL, NULL, NULL);
	DefineCustomBoolVariable("retldb.enable_upsert_batches",
							 "Lets INSERT ... ON CONFLICT DO UPDATE look many rows up at once.",
							 "It acts on plans that are made while it is set.",
							 &retldb_enable_upsert_batches, true,
							 PGC_USERSET, GUC_EXPLAIN, NULL, NULL, NULL);
	DefineCustomBoolVariable("retldb.skip_damaged_groups",
							 "Passes over damaged row groups with a warning instead of an error.",
							 "For rescuing data: queries then answer without the rows of damaged row groups.",
							 &retldb_skip_damaged_groups, false,
							 PGC_SUSET, GUC_NOT_IN_SAMPLE, NULL, NULL, NULL);
}

/*
 * Settings of changes of rows.
 */
static void
DefineChangeSettings(void)
{
	DefineCustomBoolVariable("retldb.suppress_noop",
							 "Leaves rows as they are when an update changes nothing.",
							 "Of tables that do not have the option of this name.",
							 &retldb_suppress_noop, false,
							 PGC_USERSET, 0, NULL, NULL, NULL);
}

/*
 * Settings of compaction, most of them of that which runs by itself.
 */
static void
DefineCompactionSettings(void)
{
	DefineCustomBoolVariable("retldb.compact_read_rows",
							 "Compaction moves rows that serializable transactions have read by an index, too.",
							 "Such transactions then conflict with all changes of the table.",
							 &retldb_compact_read_rows, false,
							 PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomBoolVariable("retldb.autocompact",
							 "Starts compaction of tables by itself.",
							 "Only if the library is in shared_preload_libraries.",
							 &retldb_autocompact, true,
							 PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("retldb.autocompact_max_workers",
							"Workers of automatic compaction that there may be at a time, of all databases.",
							"Each takes one of max_worker_processes.",
							&retldb_autocompact_max_workers, 2,
							1, RETLDB_MAX_AUTOCOMPACT_WORKERS,
							PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("retldb.autocompact_naptime",
							"Time between looks at a database for tables to compact.",
							NULL, &retldb_autocompact_naptime, 60,
							1, INT_MAX / 1000,
							PGC_SIGHUP, GUC_UNIT_S, NULL, NULL, NULL);
	DefineCustomIntVariable("retldb.autocompact_threshold",
							"Rows of the row store that are worth a compaction.",
							NULL, &retldb_autocompact_threshold, 5000,
							1, INT_MAX,
							PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomRealVariable("retldb.autocompact_scale_factor",
							 "Rows of the row store that are worth a compaction, in addition, as a share of those in row groups.",
							 "The rows of a full row group always are.",
							 &retldb_autocompact_scale_factor, 0.01,
							 0.0, 100.0,
							 PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("retldb.autocompact_overlap",
							"Row groups that may overlap, of a table with an order, before they are rewritten.",
							NULL, &retldb_autocompact_overlap, 4,
							1, INT_MAX,
							PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("retldb.autocompact_delay",
							"Pause of a worker of automatic compaction after each step.",
							NULL, &retldb_autocompact_delay, 20,
							0, 10000,
							PGC_SIGHUP, GUC_UNIT_MS, NULL, NULL, NULL);
	DefineCustomIntVariable("retldb.log_autocompact_min_duration",
							"Time after which an automatic compaction is logged.",
							"Zero logs all, -1 none.",
							&retldb_log_autocompact_min_duration, 600000,
							-1, INT_MAX,
							PGC_SIGHUP, GUC_UNIT_MS, NULL, NULL, NULL);
	DefineCustomIntVariable("retldb.retire_stubs",
							"Unneeded stubs of a row group that are worth retiring, however young; for tests.",
							"With -1 that is for compaction to say.",
							&retldb_retire_stubs, -1,
							-1, INT_MAX,
							PGC_USERSET, GUC_NOT_IN_SAMPLE, NULL, NULL, NULL);
}

/* See settings.h. */
void
RetlDefineSettings(void)
{
	DefineWriteSettings();
	DefineReadSettings();
	DefineChangeSettings();
	DefineCompactionSettings();
	MarkGUCPrefixReserved("retldb");
}
