/*-------------------------------------------------------------------------
 *
 * footer_format.h
 *	  Checks of a row group's footer.  Pure C.
 *
 * As with chunk_format.h: the bytes are not trusted, and the answer is NULL or
 * a static text that says what is wrong.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_FOOTER_FORMAT_H
#define RETLDB_FOOTER_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format/format.h"

/*
 * Check the footer header against the directory's entry of the group.
 * *unsupported tells that the problem is a version or a flag of a newer
 * release, not damage.
 */
extern const char *RetlFooterHeaderProblem(const RetlFooterHeader *header,
										   const RetlGroupEntry *entry, bool *unsupported);

/* Check a column's entry; a chunk has to end before the footer begins. */
extern const char *RetlFooterColumnProblem(const RetlFooterColumn *column,
										   const RetlFooterHeader *header,
										   uint64_t footerOffset, bool *unsupported);

/* Is there something wrong with a zone of this many rows, as far as can be told? */
extern const char *RetlZoneProblem(const RetlZone *zone, uint32_t rowCount);

/* Can values of this physical type have keys of this kind? */
extern bool RetlKeyKindFits(int keyKind, int physType, uint32_t width);

#endif							/* RETLDB_FOOTER_FORMAT_H */
