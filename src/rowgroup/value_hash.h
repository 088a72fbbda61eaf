/*-------------------------------------------------------------------------
 *
 * value_hash.h
 *	  Hashes of values for Bloom filters.  Pure C.
 *
 * Values that are equal under the equality of their key kind have the same
 * hash: it is that of their canonical bytes (docs/format.md, "Bloom filters").
 * None of these functions fails; anything is hashed somehow.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_VALUE_HASH_H
#define RETLDB_VALUE_HASH_H

#include <stddef.h>
#include <stdint.h>

#include "format/format.h"

extern uint64_t RetlHashInt(int64_t value); /* signed, or unsigned as it is */
extern uint64_t RetlHashFloat(double value);

/* A byte string; a name of so many bytes. */
extern uint64_t RetlHashBytes(const uint8_t *data, size_t length);
extern uint64_t RetlHashName(const uint8_t *data, size_t length);

/* A numeric as PostgreSQL stores it, without its varlena header. */
extern uint64_t RetlHashNumeric(const uint8_t *data, size_t length);

/* A value as it is stored; the key kind is not RETL_KEY_NONE. */
extern uint64_t RetlHashStored(RetlKeyKind kind, RetlPhysType physType, uint16_t width,
							   const uint8_t *data, size_t length);

#endif							/* RETLDB_VALUE_HASH_H */
