/*-------------------------------------------------------------------------
 *
 * init.c
 *	  Loading of the library.
 *
 * Everything that has to exist before the first command is installed here, and
 * nothing else is: settings, planner hooks, and the callbacks that write
 * buffered rows in time.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "commands/defrem.h"
#include "fmgr.h"
#include "miscadmin.h"

#include "am/decoding.h"
#include "am/write_buffer.h"
#include "base/settings.h"
#include "compact/compact_worker.h"
#include "exec/retldb_exec.h"
#include "sql/utility_hook.h"

PG_MODULE_MAGIC;

extern PGDLLEXPORT void _PG_init(void);

/*
 * Raise an error if pg_upgrade looks for the library in a new cluster that does
 * not preload it.  The hooks would be there too late for CREATE TABLE with our
 * options, so that the upgrade would fail half-way.  Old clusters may load the
 * library when a table is first opened: they have the access method already.
 */
static void
CheckUpgrade(void)
{
	if (!IsBinaryUpgrade || process_shared_preload_libraries_in_progress ||
		!IsTransactionState() || OidIsValid(get_am_oid("retldb", true)))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("retldb must be preloaded in the new cluster before it is upgraded to"),
			 errhint("Add \"retldb\" to shared_preload_libraries in its postgresql.conf.")));
}

/* The library has been loaded, by the postmaster or by a session. */
void
_PG_init(void)
{
	CheckUpgrade();
	RetlDefineSettings();
	RetlInstallExecHooks();
	RetlInstallWriteHooks();
	RetlInstallDecoding();
	RetlInstallUtilityHook();
	RetlInstallCompaction();
}
