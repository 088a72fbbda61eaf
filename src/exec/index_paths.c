/*-------------------------------------------------------------------------
 *
 * index_paths.c
 *	  Index and bitmap scans of retldb tables, as far as the planner goes.
 *
 * They are core's own; here they are put right.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "optimizer/plancat.h"
#include "utils/rel.h"

#include "am/retldb_am.h"
#include "exec/exec.h"

static get_relation_info_hook_type previousRelationInfo = NULL;

/*
 * Core lets scans hand on all columns where that saves a projection.  To us each
 * column is one more to be read.  It does not so where the whole row is asked for
 * by name, which we therefore pretend; nothing else looks at that from now on.
 */
static void
ForbidPhysicalTargetList(RelOptInfo *rel)
{
	Relids	   *wholeRow;

	if (rel->reloptkind != RELOPT_BASEREL || rel->attr_needed == NULL)
		return;
	wholeRow = &rel->attr_needed[InvalidAttrNumber - rel->min_attr];
	if (bms_is_empty(*wholeRow))
		*wholeRow = bms_make_singleton(0);
}

/*
 * Could a query at this level be a subquery of one that checks rows again
 * (EvalPlanQual)?  Then it would be run by nodes that no hook has seen.
 */
static bool
MayBeRunByRecheck(const PlannerInfo *root)
{
	for (root = root->parent_root; root != NULL; root = root->parent_root)
	{
		CmdType		command = root->parse->commandType;

		if (command == CMD_UPDATE || command == CMD_DELETE || command == CMD_MERGE ||
			root->parse->rowMarks != NIL)
			return true;
	}
	return false;
}

/*
 * get_relation_info_hook: up to version 17 such subqueries have no bitmap scans,
 * see scan_nodes.c.
 */
static void
AdjustRelationInfo(PlannerInfo *root, Oid relid, bool inhparent, RelOptInfo *rel)
{
	Relation	relation;

	if (previousRelationInfo)
		previousRelationInfo(root, relid, inhparent, rel);

	if (rel->indexlist == NIL || !MayBeRunByRecheck(root))
		return;
	relation = table_open(relid, NoLock);
	if (RetlIsRetldbTable(relation))
	{
		ListCell   *lc;

		foreach(lc, rel->indexlist)
			lfirst_node(IndexOptInfo, lc)->amhasgetbitmap = false;
	}
	table_close(relation, NoLock);
}

/* See exec.h. */
void
RetlAdjustIndexPaths(PlannerInfo *root, RelOptInfo *rel)
{
	ForbidPhysicalTargetList(rel);
}

/* Called once at load time. */
void
RetlInstallIndexPaths(void)
{
#if PG_VERSION_NUM < 180000
	previousRelationInfo = get_relation_info_hook;
	get_relation_info_hook = AdjustRelationInfo;
#else
	(void) AdjustRelationInfo;
#endif
}
