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

#include "encoding/encoding.h"

/* What remains of text after block compression, about: one part in so many. */
#define RETLDB_TEXT_COMPRESSION		2

extern const RetlEncoding RetlPlainEncoding;
extern const RetlEncoding RetlConstantEncoding;
extern const RetlEncoding RetlRleEncoding;
extern const RetlEncoding RetlBitpackEncoding;
extern const RetlEncoding RetlDictEncoding;
extern const RetlEncoding RetlDeltaEncoding;

#endif							/* RETLDB_DESCRIPTORS_H */
