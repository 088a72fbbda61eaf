/*-------------------------------------------------------------------------
 *
 * bloom_builder.h
 *	  Makes the Bloom filter of a chunk, if it is worth having one.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_BLOOM_BUILDER_H
#define RETLDB_BLOOM_BUILDER_H

#include "postgres.h"

#include "base/options.h"
#include "encoding/encoding.h"

/* What is known of the chunk. */
typedef struct RetlBloomSubject
{
	RetlBloomChoice choice;
	RetlKeyKind keyKind;
	const RetlValues *values;	/* none of them in the overflow area; each once will do */
	uint32		distinct;		/* of them, about */
	uint32		rowCount;
	Size		storedLength;	/* of the units */
	const RetlZone *zones;		/* of the vectors */
	uint32		zoneCount;
} RetlBloomSubject;

/*
 * Make the filter: sets *header and returns its bits, palloc'd, or NULL if the
 * chunk is to have none.
 */
extern uint8 *RetlBloomBuild(const RetlBloomSubject *subject, RetlBloomHeader *header);

#endif							/* RETLDB_BLOOM_BUILDER_H */
