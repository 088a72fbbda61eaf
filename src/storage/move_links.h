/*-------------------------------------------------------------------------
 *
 * move_links.h
 *	  Where the rows of a row group have gone.
 *
 * Compaction writes the rows of a group to others.  It leaves links with the old
 * group: pages of it, which go with it.  They are written before the anchor
 * names them, and never changed.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_MOVE_LINKS_H
#define RETLDB_MOVE_LINKS_H

#include "postgres.h"

#include "storage/block.h"
#include "utils/relcache.h"

#include "storage/directory.h"

/*
 * Write the links of a group: row i has gone to row number base + places[i], or, if
 * that is RETLDB_NO_LINK, nowhere.  Returns the block of the first page.
 */
extern BlockNumber RetlLinksWrite(Relation rel, RetlGroup *group, const uint32 *places,
								  uint64 base);

/*
 * Where a row of a group has gone, by the links from this block on.  False if
 * nowhere.
 */
extern bool RetlLinksFind(Relation rel, const RetlGroupEntry *entry, BlockNumber links,
						  uint32 row, uint64 *rowNumber);

/*
 * Where all rows of a group have gone, palloc'd: to row number *base + place, or, of
 * RETLDB_NO_LINK, nowhere.
 */
extern uint32 *RetlLinksRead(Relation rel, const RetlGroupEntry *entry, BlockNumber links,
							 uint64 *base);

/*
 * What is wrong with the links of a group, of which those pages that can be read are
 * sound, or NULL: rows that lead to places that there are not, to the group itself or
 * one before it, or to one place (verification).
 */
extern char *RetlLinksProblem(Relation rel, const RetlGroupEntry *entry, BlockNumber links,
							  uint64 nextRowNumber);

#endif							/* RETLDB_MOVE_LINKS_H */
