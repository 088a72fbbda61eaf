/*-------------------------------------------------------------------------
 *
 * settings.h
 *	  The retldb.* configuration parameters.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_SETTINGS_H
#define RETLDB_SETTINGS_H

#include "postgres.h"

/* Bounds of settings, and of the options of tables that replace them. */
#define RETLDB_MIN_SETTING_GROUP_ROWS	64
#define RETLDB_MIN_SETTING_GROUP_SIZE	64	/* kB */
#define RETLDB_MAX_SETTING_GROUP_SIZE	(1024 * 1024)	/* kB */

/* More workers of automatic compaction than these there are never. */
#define RETLDB_MAX_AUTOCOMPACT_WORKERS	64

/* Do standbys have logical slots whose plugins need not know publications? */
typedef enum RetlStandbyDecoding
{
	RETL_STANDBY_DECODING_AUTO, /* if physical slots say that there are logical ones */
	RETL_STANDBY_DECODING_ON,
	RETL_STANDBY_DECODING_OFF
} RetlStandbyDecoding;

extern int	retldb_compression; /* RetlCompressionId */
extern int	retldb_compression_level;	/* 0 = the codec's default */
extern int	retldb_row_group_rows;
extern int	retldb_row_group_size;	/* kB of raw data */
extern int	retldb_vector_rows; /* power of two */
extern int	retldb_write_memory;	/* kB, all buffers of a backend */
extern int	retldb_row_store_rows;	/* rows of a command that stay in the row store */
extern int	retldb_standby_decoding;	/* RetlStandbyDecoding */
extern bool retldb_enable_columnar_scan;
extern bool retldb_enable_skipping;
extern bool retldb_enable_vector_filter;
extern bool retldb_enable_runtime_filters;
extern bool retldb_enable_upsert_batches;
extern bool retldb_skip_damaged_groups;
extern int	retldb_cache_size;	/* kB; 0: no cache */
extern bool retldb_cache_vectors;
extern bool retldb_suppress_noop;
extern bool retldb_compact_read_rows;
extern bool retldb_autocompact;
extern int	retldb_autocompact_max_workers; /* RETLDB_MAX_AUTOCOMPACT_WORKERS at most */
extern int	retldb_autocompact_naptime; /* s */
extern int	retldb_autocompact_threshold;	/* rows */
extern double retldb_autocompact_scale_factor;
extern int	retldb_autocompact_overlap;
extern int	retldb_autocompact_delay;	/* ms */
extern int	retldb_log_autocompact_min_duration;	/* ms, -1: never */
extern int	retldb_force_encoding;	/* RetlEncodingId or -1 */
extern int	retldb_retire_stubs;	/* of a group, or -1 */

/* Define them; called once when the library is loaded. */
extern void RetlDefineSettings(void);

#endif							/* RETLDB_SETTINGS_H */
