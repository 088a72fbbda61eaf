/*-------------------------------------------------------------------------
 *
 * retldb_exec.h
 *	  What the rest of the extension needs to know of the executor layer.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_RETLDB_EXEC_H
#define RETLDB_RETLDB_EXEC_H

/* Install hooks and custom scan methods; called once at load time. */
extern void RetlInstallExecHooks(void);

#endif							/* RETLDB_RETLDB_EXEC_H */
