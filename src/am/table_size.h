/*-------------------------------------------------------------------------
 *
 * table_size.h
 *	  How large a table is, for the planner.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_TABLE_SIZE_H
#define RETLDB_TABLE_SIZE_H

#include "postgres.h"

#include "storage/block.h"
#include "utils/relcache.h"

/* What a table consists of; its rows in the row store are not known exactly. */
typedef struct RetlTableSize
{
	BlockNumber pages;			/* of all kinds */
	BlockNumber rowStorePages;
	double		groups;			/* complete row groups, visible to anybody or not */
	double		groupRows;		/* rows in them */
} RetlTableSize;

/* Look at the table's header page; the caller has some lock on the table. */
extern void RetlGetTableSize(Relation rel, RetlTableSize *size);

#endif							/* RETLDB_TABLE_SIZE_H */
