/*-------------------------------------------------------------------------
 *
 * index_ddl.h
 *	  Commands that would give a retldb table an index it cannot have.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_INDEX_DDL_H
#define RETLDB_INDEX_DDL_H

#include "postgres.h"

#include "nodes/nodes.h"
#include "utils/rel.h"

/* Refuse the utility command if it is such a one. */
extern void RetlRefuseIndexes(Node *statement);

/* Refuse a table, of any kind, that has such an index. */
extern void RetlRefuseBlockIndexesOf(Relation rel);

#endif							/* RETLDB_INDEX_DDL_H */
