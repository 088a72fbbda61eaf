/*-------------------------------------------------------------------------
 *
 * errors.c
 *	  Errors that many places raise, said the same way everywhere.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/rel.h"

#include "base/errors.h"

/*
 * A page of the table is not what it should be.
 */
void
RetlReportDamagedPage(Relation rel, BlockNumber blkno, const char *problem)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("invalid page in block %u of retldb table \"%s\"",
					blkno, RelationGetRelationName(rel)),
			 errdetail("The page has %s.", problem),
			 errhint("Function retldb.verify() lists all that is damaged in a table.")));
	pg_unreachable();
}

/*
 * Something in a row group is not what it should be.
 */
void
RetlReportDamagedGroup(Relation rel, uint64 groupId, const char *columnName,
					   const char *problem)
{
	if (columnName != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("column \"%s\" of row group %llu of table \"%s\" is damaged",
						columnName, (unsigned long long) groupId,
						RelationGetRelationName(rel)),
				 errdetail("Found: %s.", problem),
				 errhint("Set retldb.skip_damaged_groups to read the other row groups.")));
	else
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("row group %llu of table \"%s\" is damaged",
						(unsigned long long) groupId, RelationGetRelationName(rel)),
				 errdetail("Found: %s.", problem),
				 errhint("Set retldb.skip_damaged_groups to read the other row groups.")));
	pg_unreachable();
}
