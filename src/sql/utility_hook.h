/*-------------------------------------------------------------------------
 *
 * utility_hook.h
 *	  The one hook around utility commands; it calls those who have a say.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_UTILITY_HOOK_H
#define RETLDB_UTILITY_HOOK_H

/* Called once at library load. */
extern void RetlInstallUtilityHook(void);

#endif							/* RETLDB_UTILITY_HOOK_H */
