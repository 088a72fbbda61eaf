/*-------------------------------------------------------------------------
 *
 * key_bytes.h
 *	  Zone map keys from plain values.  Pure C.
 *
 * A key is RETLDB_KEY_LENGTH bytes, compared as unsigned bytes; a <= b implies
 * key(a) <= key(b).  Functions that return bool tell whether the key is exact:
 * values with equal exact keys are equal.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_KEY_BYTES_H
#define RETLDB_KEY_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format/format.h"

extern void RetlKeyFromInt(int64_t value, uint8_t key[RETLDB_KEY_LENGTH]);
extern void RetlKeyFromUint(uint64_t value, uint8_t key[RETLDB_KEY_LENGTH]);
extern void RetlKeyFromFloat(double value, uint8_t key[RETLDB_KEY_LENGTH]);

/* A byte string, in byte order. */
extern bool RetlKeyFromBytes(const uint8_t *data, size_t length,
							 uint8_t key[RETLDB_KEY_LENGTH]);

/* A byte string whose trailing blanks do not count. */
extern bool RetlKeyFromPadded(const uint8_t *data, size_t length,
							  uint8_t key[RETLDB_KEY_LENGTH]);

/* A numeric as PostgreSQL stores it, without its varlena header. */
extern bool RetlKeyFromNumeric(const uint8_t *data, size_t length,
							   uint8_t key[RETLDB_KEY_LENGTH]);

#endif							/* RETLDB_KEY_BYTES_H */
