/*-------------------------------------------------------------------------
 *
 * testlib.h
 *	  What the unit tests, the fuzzers and the benchmark share: an arena, random
 *	  numbers, and arrays of values made from named patterns.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_TESTLIB_H
#define RETLDB_TESTLIB_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "encoding/encoding.h"

/* An arena whose pieces come from malloc one by one, so that ASan sees their ends. */
typedef struct TestArena
{
	RetlArena	arena;
	void	  **blocks;
	size_t		blockCount;
	size_t		blockCapacity;
	size_t		totalBytes;
	size_t		limitBytes;		/* abort beyond this; 0 = no limit */
} TestArena;

extern void TestArenaInit(TestArena *arena);
extern void TestArenaReset(TestArena *arena);	/* frees everything */

/* Random numbers; any seed will do. */
extern uint64_t TestRandom(uint64_t *seed);

/* A physical type with its width, and a name for messages. */
typedef struct TestType
{
	const char *name;
	RetlPhysType type;
	uint16_t	width;
} TestType;

extern const TestType testTypes[];
extern const int testTypeCount;

/* A named way to fill arrays. */
typedef struct TestPattern TestPattern;

extern const int testPatternCount;
extern const char *TestPatternName(int pattern);

/* "count" values of a type, made from a pattern; false if it has none of this type. */
extern bool TestMakeValues(RetlValues *values, int pattern, const TestType *type,
						   uint32_t count, const RetlArena *arena);

/*
 * number / 10^scale as PostgreSQL's numeric of this display scale; returns its
 * length, at most 32.
 */
extern size_t TestMakeNumeric(uint8_t *dst, int64_t number, unsigned scale,
							  unsigned displayScale);

/* Value "index", and its length. */
extern const uint8_t *TestValueAt(const RetlValues *values, uint32_t index, size_t *length);

/*
 * Does a value pass a filter?  Written without looking at how the encodings do
 * it.
 */
extern bool TestFilterPasses(const RetlFilter *filter, RetlPhysType type, uint16_t width,
							 const uint8_t *value, size_t length);

/* An encoded piece that is to be filtered, or decoded in part. */
typedef struct TestFilterSubject
{
	const RetlEncoding *encoding;
	const RetlEncodingState *state;
	const RetlValues *piece;
	const uint8_t *src;
	size_t		srcSize;
	const RetlArena *arena;
	const RetlValues *chunk;	/* of which the piece is a part; NULL: not known */
	const uint8_t *dictionary;	/* the state's bytes */
	size_t		dictionarySize;
} TestFilterSubject;

/*
 * Filter the piece by every operation and order with these two constants, on
 * several selections, and compare with brute force.  Returns what is wrong, or
 * NULL.
 */
extern const char *TestFilters(const TestFilterSubject *subject,
							   const uint8_t *a, size_t aLength,
							   const uint8_t *b, size_t bLength);

/*
 * Decode the piece with several choices of wanted values, few and many, and
 * compare these.  Returns what is wrong, or NULL.
 */
extern const char *TestWanted(const TestFilterSubject *subject);

/* Room for a decoded piece of exactly so many values. */
extern void TestDecodedInit(RetlDecoded *decoded, RetlPhysType type, uint16_t width,
							uint32_t count, const RetlArena *arena);

/* Value "index" of a decoded piece, and its length. */
extern const uint8_t *TestDecodedAt(const RetlDecoded *decoded, RetlPhysType type,
									uint16_t width, uint32_t index, size_t *length);

/* A copy in memory of exactly that size. */
extern uint8_t *TestCopy(const void *data, size_t length, const RetlArena *arena);

#endif							/* RETLDB_TESTLIB_H */
