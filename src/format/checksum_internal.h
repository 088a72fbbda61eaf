/*-------------------------------------------------------------------------
 *
 * checksum_internal.h
 *	  What only the tests of checksum.c need.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_CHECKSUM_INTERNAL_H
#define RETLDB_CHECKSUM_INTERNAL_H

#include <stddef.h>
#include <stdint.h>

/* As RetlCrc32c, but never with processor instructions for it. */
extern uint32_t RetlCrc32cPortable(uint32_t crc, const void *data, size_t length);

#endif							/* RETLDB_CHECKSUM_INTERNAL_H */
