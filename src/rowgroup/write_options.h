/*-------------------------------------------------------------------------
 *
 * write_options.h
 *	  How new row groups of a table are to be written.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_WRITE_OPTIONS_H
#define RETLDB_WRITE_OPTIONS_H

#include "postgres.h"

#include "utils/relcache.h"

#include "rowgroup/group_writer.h"

/*
 * Fill in the write options of a table: as its options say, else as the settings
 * say.  What it allocates belongs to the current context; a writer copies it.
 */
extern void RetlWriteOptionsFill(Relation rel, RetlWriteOptions *write);

#endif							/* RETLDB_WRITE_OPTIONS_H */
