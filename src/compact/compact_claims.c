/*-------------------------------------------------------------------------
 *
 * compact_claims.c
 *	  The workers of automatic compaction, and the tables that they are at.
 *
 * They stand in shared memory.  Locks would not do: a worker has none of its table
 * between two steps, and another one must not go on there.
 *
 * A worker that ends, however, gives back what it has.  One that is killed takes all
 * of shared memory with it.  A claim outlives neither its worker nor, by more than a step,
 * its table: should a new one get the same OID in between, it is passed over once.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"

#include "base/settings.h"
#include "compact/compact_claims.h"

#define TRANCHE "retldb compaction workers"

typedef struct WorkerSlot
{
	pid_t		pid;			/* 0: free */
	pid_t		launcher;
	Oid			database;
	Oid			relid;			/* the table that it has claimed, or InvalidOid */
} WorkerSlot;

static WorkerSlot *slots = NULL;	/* RETLDB_MAX_AUTOCOMPACT_WORKERS, in shared memory */
static LWLock *slotsLock = NULL;
static WorkerSlot *mySlot = NULL;
static shmem_request_hook_type prevShmemRequest = NULL;
static shmem_startup_hook_type prevShmemStartup = NULL;

#define SLOTS_SIZE	(sizeof(WorkerSlot) * RETLDB_MAX_AUTOCOMPACT_WORKERS)

static void
ShmemRequest(void)
{
	if (prevShmemRequest)
		prevShmemRequest();
	RequestAddinShmemSpace(SLOTS_SIZE);
	RequestNamedLWLockTranche(TRANCHE, 1);
}

static void
ShmemStartup(void)
{
	bool		found;

	if (prevShmemStartup)
		prevShmemStartup();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	slots = ShmemInitStruct(TRANCHE, SLOTS_SIZE, &found);
	if (!found)
		memset(slots, 0, SLOTS_SIZE);
	slotsLock = &GetNamedLWLockTranche(TRANCHE)->lock;
	LWLockRelease(AddinShmemInitLock);
}

/* See compact_claims.h. */
void
RetlCompactClaimsInstall(void)
{
	prevShmemRequest = shmem_request_hook;
	shmem_request_hook = ShmemRequest;
	prevShmemStartup = shmem_startup_hook;
	shmem_startup_hook = ShmemStartup;
}

/* Callback: the worker ends. */
static void
Leave(int code, Datum arg)
{
	(void) code;
	(void) arg;
	LWLockAcquire(slotsLock, LW_EXCLUSIVE);
	memset(mySlot, 0, sizeof(*mySlot));
	LWLockRelease(slotsLock);
	mySlot = NULL;
}

/* See compact_claims.h. */
bool
RetlCompactWorkerEnter(Oid database, pid_t launcher)
{
	WorkerSlot *unused = NULL;
	int			others = 0;

	Assert(mySlot == NULL);
	LWLockAcquire(slotsLock, LW_EXCLUSIVE);
	for (int i = 0; i < RETLDB_MAX_AUTOCOMPACT_WORKERS; i++)
	{
		if (slots[i].pid != 0)
			others++;
		else if (unused == NULL)
			unused = &slots[i];
	}
	if (others < retldb_autocompact_max_workers)
	{
		Assert(unused != NULL);
		unused->pid = MyProcPid;
		unused->launcher = launcher;
		unused->database = database;
		unused->relid = InvalidOid;
		mySlot = unused;
	}
	LWLockRelease(slotsLock);
	/* after its transaction was rolled back, and its locks were released */
	if (mySlot != NULL)
		on_shmem_exit(Leave, (Datum) 0);
	return mySlot != NULL;
}

/* See compact_claims.h. */
int
RetlCompactWorkersLeftBehind(pid_t launcher)
{
	int			count = 0;

	LWLockAcquire(slotsLock, LW_SHARED);
	for (int i = 0; i < RETLDB_MAX_AUTOCOMPACT_WORKERS; i++)
	{
		if (slots[i].pid != 0 && slots[i].launcher != launcher)
			count++;
	}
	LWLockRelease(slotsLock);
	return count;
}

/* See compact_claims.h. */
bool
RetlCompactClaim(Oid relid)
{
	bool		claimed = false;

	Assert(mySlot != NULL && !OidIsValid(mySlot->relid));
	LWLockAcquire(slotsLock, LW_EXCLUSIVE);
	for (int i = 0; !claimed && i < RETLDB_MAX_AUTOCOMPACT_WORKERS; i++)
		claimed = slots[i].pid != 0 && slots[i].database == mySlot->database &&
			slots[i].relid == relid;
	if (!claimed)
		mySlot->relid = relid;
	LWLockRelease(slotsLock);
	return !claimed;
}

/* See compact_claims.h. */
void
RetlCompactUnclaim(void)
{
	LWLockAcquire(slotsLock, LW_EXCLUSIVE);
	mySlot->relid = InvalidOid;
	LWLockRelease(slotsLock);
}
