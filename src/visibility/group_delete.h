/*-------------------------------------------------------------------------
 *
 * group_delete.h
 *	  Deleting all rows of a row group at once.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_GROUP_DELETE_H
#define RETLDB_GROUP_DELETE_H

#include "postgres.h"

#include "utils/relcache.h"

#include "storage/directory.h"

/*
 * Delete all rows of a group by its anchor, as the command that has this id.  The
 * caller's snapshot sees all of them, and nobody has to be told of each.  False, and
 * nothing is done, if rows were touched, or somebody is, or was, at work on the group:
 * then they have to be deleted one by one.
 */
extern bool RetlGroupDelete(Relation rel, const RetlGroup *group, CommandId cid);

#endif							/* RETLDB_GROUP_DELETE_H */
