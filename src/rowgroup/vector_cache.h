/*-------------------------------------------------------------------------
 *
 * vector_cache.h
 *	  Decoded vectors in the cache of what was read.
 *
 * Only vectors of variable length whose values had to be made one by one: to decode
 * others takes hardly longer than to read them from memory.  They are entries of
 * their own, which a chunk's header in the cache points to (group_cache.h).
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_VECTOR_CACHE_H
#define RETLDB_VECTOR_CACHE_H

#include "postgres.h"

#include "rowgroup/chunk_reader.h"
#include "rowgroup/vector_builder.h"

/*
 * The vector from the cache, complete, for an attribute of this type, or NULL.  It is
 * good until another vector of the chunk is looked for, or the chunk's pins are released.
 */
extern const RetlVector *RetlCachedVectorFind(RetlChunkReader *chunk, const RetlColumnType *type,
											  uint32 index);

/*
 * A vector was built, all rows at once: copy it to the cache if it is worth it and has
 * been built often enough.  "group" is the entry of the chunk's group, or NULL.
 */
extern void RetlCachedVectorOffer(RetlChunkReader *chunk, RetlCacheEntry *group,
								  const RetlVectorBuilder *builder, uint32 index);

#endif							/* RETLDB_VECTOR_CACHE_H */
