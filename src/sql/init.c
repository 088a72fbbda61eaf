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

#include "fmgr.h"

#include "am/write_buffer.h"
#include "base/settings.h"
#include "compact/compact_worker.h"
#include "exec/retldb_exec.h"
#include "sql/utility_hook.h"

PG_MODULE_MAGIC;

extern PGDLLEXPORT void _PG_init(void);

void
_PG_init(void)
{
	RetlDefineSettings();
	RetlInstallExecHooks();
	RetlInstallWriteHooks();
	RetlInstallUtilityHook();
	RetlInstallCompaction();
}
