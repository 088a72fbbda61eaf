/*-------------------------------------------------------------------------
 *
 * chunk_packer.h
 *	  In which order the chunks of a row group are written.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_CHUNK_PACKER_H
#define RETLDB_CHUNK_PACKER_H

#include "postgres.h"

#include "rowgroup/chunk_writer.h"
#include "storage/group_bytes.h"

typedef struct RetlChunkPacker RetlChunkPacker;

/* Make one, in a context; what it needs is kept from group to group. */
extern RetlChunkPacker *RetlChunkPackerCreate(MemoryContext context);

/*
 * Begin with the chunks of a group, so many at most, behind which a footer of so many
 * bytes comes.  An earlier group may have ended in an error.
 */
extern void RetlChunkPackerBegin(RetlChunkPacker *packer, RetlBytesWriter *bytes,
								 int chunkCount, uint64 footerLength);

/*
 * Add a chunk, whose bytes are copied, or written.  *column is its footer entry, complete
 * but for offset and checksum, which it gets by the time of RetlChunkPackerEnd.
 */
extern void RetlChunkPackerAdd(RetlChunkPacker *packer, const RetlEncodedChunk *chunk,
							   RetlFooterColumn *column);

/* Write what is left; the footer is next. */
extern void RetlChunkPackerEnd(RetlChunkPacker *packer);

#endif							/* RETLDB_CHUNK_PACKER_H */
