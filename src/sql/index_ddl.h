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

/* Refuse the utility command if it is such a one. */
extern void RetlRefuseIndexes(Node *statement);

#endif							/* RETLDB_INDEX_DDL_H */
