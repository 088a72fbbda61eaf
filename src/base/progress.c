/*-------------------------------------------------------------------------
 *
 * progress.c
 *	  How far our commands are, in PostgreSQL's progress reporting.
 *
 * Commands report with pgstat_progress_update_param, under a command of ours that
 * PostgreSQL's own views do not ask for; what stands behind ours is here.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_authid.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "utils/acl.h"
#include "utils/backend_status.h"
#include "utils/builtins.h"

#include "base/compat.h"
#include "base/progress.h"

/* Columns that every row has, and those before the first that not everybody may read. */
#define COMMON_COLUMNS	4
#define OPEN_COLUMNS	2

/*
 * Is what a backend does to be told to the current user?
 */
static bool
MayRead(const PgBackendStatus *backend)
{
	return has_privs_of_role(GetUserId(), ROLE_PG_READ_ALL_STATS) ||
		has_privs_of_role(GetUserId(), backend->st_userid);
}

/* See progress.h. */
void
RetlProgressRows(FunctionCallInfo fcinfo, const RetlProgressLayout *layout)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	int			count = pgstat_fetch_stat_numbackends();

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 1; i <= count; i++)
	{
		PgBackendStatus *backend = &RetlGetBackendEntry(i)->backendStatus;
		const int64 *parameters = backend->st_progress_param;
		Datum		values[COMMON_COLUMNS + PGSTAT_NUM_PROGRESS_PARAM];
		bool		nulls[COMMON_COLUMNS + PGSTAT_NUM_PROGRESS_PARAM] = {false};
		int			n = 0;

		if (backend->st_progress_command != layout->command)
			continue;
		values[n++] = Int32GetDatum(backend->st_procpid);
		values[n++] = ObjectIdGetDatum(backend->st_databaseid);
		Assert(n == OPEN_COLUMNS);
		if (MayRead(backend))
		{
			values[n++] = ObjectIdGetDatum(backend->st_progress_command_target);
			values[n++] = CStringGetTextDatum(layout->phaseName(parameters[layout->phase]));
			for (int j = 0; j < layout->counterCount; j++)
				values[n++] = Int64GetDatum(parameters[layout->counters[j]]);
		}
		else
			memset(nulls + OPEN_COLUMNS, true, sizeof(nulls) - OPEN_COLUMNS);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
}
