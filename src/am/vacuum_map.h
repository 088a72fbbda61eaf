/*-------------------------------------------------------------------------
 *
 * vacuum_map.h
 *	  VACUUM sets bits of the visibility map that column pages have lost.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_VACUUM_MAP_H
#define RETLDB_VACUUM_MAP_H

#include "postgres.h"

#include "storage/bufmgr.h"
#include "utils/relcache.h"

/*
 * See that all column pages that somebody owns are all-visible and all-frozen in the
 * visibility map.  The caller holds VACUUM's lock, and heap's VACUUM has been there.
 */
extern void RetlVacuumMap(Relation rel, BufferAccessStrategy strategy);

#endif							/* RETLDB_VACUUM_MAP_H */
