/*-------------------------------------------------------------------------
 *
 * fsst_table.h
 *	  Tables of substrings, to write byte strings with one byte for each
 *	  substring.  Pure C.
 *
 * The idea is that of Boncz, Neumann and Leis, "FSST: Fast Random Access String
 * Compression", VLDB 2020.  A table has up to 255 symbols of 1 to 8 bytes, found
 * in a sample; code c stands for symbol c, and the code 255, the escape, for the
 * byte that follows it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_FSST_TABLE_H
#define RETLDB_FSST_TABLE_H

#include "encoding/encoding.h"

#define RETLDB_FSST_SYMBOLS			255
#define RETLDB_FSST_ESCAPE			255
#define RETLDB_FSST_SYMBOL_LENGTH	8

/* Symbols by code.  Codes that have none have the length 0. */
typedef struct RetlFsstTable
{
	uint64_t	symbols[RETLDB_FSST_SYMBOLS + 1];	/* little-endian, zero after the
													 * last byte */
	uint8_t		lengths[RETLDB_FSST_SYMBOLS + 1];
	uint32_t	count;
} RetlFsstTable;

/* A table with what finds the symbol that a byte string begins with. */
typedef struct RetlFsstMatcher RetlFsstMatcher;

/* Strings of which tables are made: a sample of an array. */
typedef struct RetlFsstSample
{
	uint8_t    *bytes;
	uint32_t   *ends;			/* of each string */
	uint32_t	count;
} RetlFsstSample;

/*
 * Take a sample of byte strings; the same values give the same sample.  The
 * second one has other values than the first, where there are enough.
 */
extern void RetlFsstSampleTake(RetlFsstSample *sample, const RetlValues *values,
							   bool second, const RetlArena *arena);

/* Make a table that suits the sample, in its matcher. */
extern RetlFsstMatcher *RetlFsstBuild(const RetlFsstSample *sample, const RetlArena *arena);

/* The table of a matcher. */
extern const RetlFsstTable *RetlFsstTableOf(const RetlFsstMatcher *matcher);

/* Bytes of a sample, and those it takes by the table of the matcher. */
extern uint64_t RetlFsstSampleSize(const RetlFsstMatcher *matcher, const RetlFsstSample *sample,
								   uint64_t *rawSize);

/*
 * Write src[0 .. length) as codes to dst, which has room for twice the length and a byte;
 * returns how many bytes they are.  Bytes up to "readable" may be read.
 */
extern size_t RetlFsstCompress(const RetlFsstMatcher *matcher, const uint8_t *src,
							   size_t length, const uint8_t *readable, uint8_t *dst);

#endif							/* RETLDB_FSST_TABLE_H */
