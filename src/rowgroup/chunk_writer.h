/*-------------------------------------------------------------------------
 *
 * chunk_writer.h
 *	  Encodes a column buffer as a chunk.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_CHUNK_WRITER_H
#define RETLDB_CHUNK_WRITER_H

#include "postgres.h"

#include "rowgroup/column_buffer.h"
#include "rowgroup/group_writer.h"

/* A chunk ready to be written: header, then units. */
typedef struct RetlEncodedChunk
{
	uint8	   *header;
	Size		headerLength;
	uint8	   *units;
	Size		unitsLength;
	RetlFooterColumn column;	/* all but columnId, typeOid, typmod, chunkOffset
								 * and checksum */
} RetlEncodedChunk;

/*
 * Encode the buffer's rowCount rows.  Everything is allocated in the current
 * context, which the caller resets when the chunk is written.  The memory goes
 * from chunk to chunk of the same column.
 */
extern void RetlChunkEncode(const RetlColumnBuffer *buffer, uint32 rowCount,
							uint64 groupId, uint32 columnId,
							const RetlWriteOptions *options, RetlChoiceMemory *memory,
							RetlEncodedChunk *chunk);

#endif							/* RETLDB_CHUNK_WRITER_H */
