/*-------------------------------------------------------------------------
 *
 * checksum.h
 *	  CRC-32C (Castagnoli) as the format uses it.  Pure C.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_CHECKSUM_H
#define RETLDB_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/*
 * CRC-32C of "length" bytes, continuing from "crc"; start with 0.  The usual
 * inversion before and after is included, so that
 * RetlCrc32c(RetlCrc32c(0, a), b) is the checksum of a followed by b.
 */
extern uint32_t RetlCrc32c(uint32_t crc, const void *data, size_t length);

/*
 * Checksum of a struct that contains its own checksum field: as RetlCrc32c,
 * but the 4 bytes at "fieldOffset" count as zero.
 */
extern uint32_t RetlCrc32cWithout(uint32_t crc, const void *data, size_t length,
								  size_t fieldOffset);

#endif							/* RETLDB_CHECKSUM_H */
