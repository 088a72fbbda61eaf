/*-------------------------------------------------------------------------
 *
 * descriptors.h
 *	  The descriptors of all encodings, for the table in encoding.c and for
 *	  encodings that build on others.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_DESCRIPTORS_H
#define RETLDB_DESCRIPTORS_H

#include "encoding/bitpacking.h"
#include "encoding/encoding.h"

/* What remains of text after block compression, about: one part in so many. */
#define RETLDB_TEXT_COMPRESSION		2

extern const RetlEncoding RetlPlainEncoding;
extern const RetlEncoding RetlConstantEncoding;
extern const RetlEncoding RetlRleEncoding;
extern const RetlEncoding RetlBitpackEncoding;
extern const RetlEncoding RetlDictEncoding;
extern const RetlEncoding RetlFsstEncoding;
extern const RetlEncoding RetlDeltaEncoding;
extern const RetlEncoding RetlAlpEncoding;
extern const RetlEncoding RetlDecimalEncoding;
extern const RetlEncoding RetlSplitEncoding;

/*
 * What RetlEncoding.analyse may answer for an encoding without chunk-wide state:
 * encodes some of the pieces and concludes from them.  Exact if they are few.
 */
extern uint64_t RetlEstimateBySample(const RetlEncoding *encoding, const RetlValues *values,
									 uint32_t pieceRows, const RetlArena *arena);

/*
 * Where a constant stands among strings in rising order.
 */
typedef struct RetlStringPlace
{
	uint32_t	below;			/* so many are below it, */
	bool		equal;			/* and the next one is equal */
} RetlStringPlace;

/*
 * The place of a constant among the strings of a shortened dictionary (dict.c),
 * found without putting them together.  symbols: chunk-wide state of FSST; rests:
 * a payload of FSST with what is left of each string; common: how many bytes each
 * one has in common with the one before.  False if something is damaged.
 */
extern bool RetlFsstFindShortened(const RetlEncodingState *symbols,
								  const uint8_t *rests, size_t restsSize,
								  const RetlPacked *common,
								  const RetlFilterConstant *constant, RetlStringPlace *place);

/*
 * String "index" of such a dictionary, as result's entry 0, put together from the
 * strings before it that it shares bytes with.
 */
extern bool RetlFsstFetchShortened(const RetlEncodingState *symbols,
								   const uint8_t *rests, size_t restsSize,
								   const RetlPacked *common, uint32_t index,
								   RetlDecoded *result, const RetlArena *arena,
								   const char **error);

#endif							/* RETLDB_DESCRIPTORS_H */
