/*-------------------------------------------------------------------------
 *
 * pause.c
 *	  Places at which a session stops until a test lets it go on; of a build for
 *	  test/pauses only.
 *
 * The test shares a file of the data directory with the sessions.  Each has a part of it,
 * which it names by a setting, and there the number of places that it may still pass.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "miscadmin.h"
#include "storage/lwlock.h"
#include "storage/pmsignal.h"
#include "utils/guc.h"

/* A session's part of the file; see class Gate in pauses.py. */
typedef struct PauseGate
{
	volatile int32 waits;
	volatile int32 passes;		/* places to pass; -1: all */
	volatile int32 stops;		/* so far */
	char		place[52];
} PauseGate;

#define GATES 16

extern void RetlPause(const char *place);

/* This session's gate, or NULL. */
static PauseGate *
FindGate(void)
{
	static PauseGate *gates = NULL;
	const char *number = GetConfigOption("pauses.gate", true, false);

	if (number == NULL || number[0] == '\0')
		return NULL;
	if (gates == NULL)
	{
		int			file = open("pauses", O_RDWR);

		if (file < 0)
			elog(ERROR, "could not open file \"pauses\": %m");
		gates = mmap(NULL, sizeof(PauseGate) * GATES, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
		close(file);
	}
	return &gates[atoi(number) % GATES];
}

/* Callback of ForEachLWLockHeldByMe. */
static void
NoteLock(LWLock *lock, LWLockMode mode, void *held)
{
	*(bool *) held = true;
}

/* Others would wait for a session that stops with a lightweight lock without being seen to. */
static bool
HoldsLock(void)
{
	bool		held = false;

	ForEachLWLockHeldByMe(NoteLock, &held);
	return held;
}

/* Stop here, if the test wants it. */
void
RetlPause(const char *place)
{
	PauseGate  *gate;

	if (CritSectionCount > 0 || HoldsLock() || (gate = FindGate()) == NULL || gate->passes < 0)
		return;
	if (gate->passes == 0)
	{
		strlcpy(gate->place, place, sizeof(gate->place));
		gate->stops++;
		pg_memory_barrier();
		gate->waits = 1;
		while (gate->passes == 0)
		{
			if (!PostmasterIsAlive())
				_exit(1);
			pg_usleep(300);
		}
		gate->waits = 0;
	}
	if (gate->passes > 0)
		gate->passes--;
}
