/*-------------------------------------------------------------------------
 *
 * options.h
 *	  Options of tables and columns: WITH (...), ALTER COLUMN ... SET (...).
 *
 * Options are kept where PostgreSQL keeps its own, in pg_class.reloptions and
 * pg_attribute.attoptions, as "name=value".  Here is what the names and values
 * mean; src/sql/options_ddl.c gets them there.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_OPTIONS_H
#define RETLDB_OPTIONS_H

#include "postgres.h"

#include "nodes/parsenodes.h"
#include "utils/relcache.h"

#include "base/compat.h"

/* An option that is not set: a column's is then the table's, a table's the setting. */
#define RETLDB_UNSET	(-2)

typedef enum RetlBloomChoice
{
	RETL_BLOOM_AUTO,			/* where it is likely to pay */
	RETL_BLOOM_OFF,
	RETL_BLOOM_ON
} RetlBloomChoice;

typedef struct RetlTableOptions
{
	int			compression;	/* RetlCompressionId */
	int			compressionLevel;
	int			groupRows;
	int			groupSize;		/* kB */
	int			vectorRows;
	int			rowStoreRows;
	int			bloom;			/* RetlBloomChoice */
	int			suppressNoop;	/* 0 or 1 */
	int			autocompact;	/* 0 or 1 */
	int			autocompactThreshold;	/* rows */
	const char *orderBy;		/* or NULL */
	const char *accessMethod;	/* of future partitions, or NULL */
} RetlTableOptions;

typedef struct RetlColumnOptions
{
	int			compression;	/* RetlCompressionId */
	int			compressionLevel;
	int			encoding;		/* RetlEncodingId, or -1: chosen by size */
	int			bloom;			/* RetlBloomChoice */
} RetlColumnOptions;

/* What an option may belong to. */
typedef enum RetlOptionTarget
{
	RETL_OPTION_TABLE = 1,
	RETL_OPTION_COLUMN = 2,
	RETL_OPTION_PARTITIONED = 4 /* partitioned tables; those of tables as well */
} RetlOptionTarget;

/* Name of the option that holds the access method of future partitions. */
#define RETLDB_OPTION_ACCESS_METHOD	"access_method"
#define RETLDB_OPTION_ORDER_BY		"order_by"

/* Is an option of this name ours?  Those in a catalog that nobody knows are. */
extern bool RetlOptionIsOurs(const char *name, RetlOptionTarget target);
extern bool RetlStoredOptionIsOurs(const char *name, RetlOptionTarget target);

/* Does PostgreSQL have an option of this name, for whatever kind of relation? */
extern bool RetlOptionIsCore(const char *name);

/* Raise PostgreSQL's error for an option nobody knows, with a hint. */
pg_noreturn extern void RetlReportUnknownOption(const char *name, RetlOptionTarget target);

/* Raise an error unless this is a value for an option of ours. */
extern void RetlOptionCheck(const char *name, const char *value, RetlOptionTarget target);

/*
 * The options of a table, and those of its columns, by attnum - 1 (NULL if no
 * column has any).  A table that is being rewritten has those of the table it
 * is going to replace.  Stored options that this version does not understand
 * are passed over, with a message of level "elevel" unless that is 0.
 */
extern void RetlTableOptionsRead(Relation rel, RetlTableOptions *options, int elevel);
extern RetlColumnOptions *RetlColumnOptionsRead(Relation rel, int elevel);

#endif							/* RETLDB_OPTIONS_H */
