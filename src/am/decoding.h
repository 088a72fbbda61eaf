/*-------------------------------------------------------------------------
 *
 * decoding.h
 *	  Logical decoding of inserted rows: row groups are not decoded.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_DECODING_H
#define RETLDB_DECODING_H

#include "postgres.h"

#include "utils/relcache.h"

/*
 * Must rows that are inserted into a table now be decodable from WAL, that is, go to the
 * row store?  Assigns a transaction id if it looks for those who decode.
 */
extern bool RetlInsertsAreDecoded(Relation rel);

/*
 * A command of which RetlInsertsAreDecoded() is false begins its first row group: let
 * those who decode it all the same know.  They get an error, if they load this library.
 */
extern void RetlLogUndecodedLoad(Relation rel);

/* Called once at library load. */
extern void RetlInstallDecoding(void);

#endif							/* RETLDB_DECODING_H */
