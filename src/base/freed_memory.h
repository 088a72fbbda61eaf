/*-------------------------------------------------------------------------
 *
 * freed_memory.h
 *	  Memory that a query frees and the next one allocates.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_FREED_MEMORY_H
#define RETLDB_FREED_MEMORY_H

/* Once in a session, before memory is used that queries allocate again and again. */
extern void RetlKeepFreedMemory(void);

#endif							/* RETLDB_FREED_MEMORY_H */
