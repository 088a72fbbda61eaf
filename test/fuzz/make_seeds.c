/*-------------------------------------------------------------------------
 *
 * make_seeds.c
 *	  Write the seed corpus: small well-formed inputs for every target.
 *
 * make_seeds CORPUS_DIRECTORY
 *
 * The sub-directories decode, roundtrip and decompress exist already.
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "testlib.h"

#include "compress/compress.h"

#define SEED_VALUES		21

/* Write one seed. */
static void
WriteSeed(const char *directory, const char *target, const char *name, const RetlBytes *bytes)
{
	char		path[1000];
	FILE	   *file;

	snprintf(path, sizeof(path), "%s/%s/seed-%s", directory, target, name);
	file = fopen(path, "wb");
	if (file == NULL || fwrite(bytes->data, 1, bytes->length, file) != bytes->length ||
		fclose(file) != 0)
	{
		perror(path);
		exit(1);
	}
}

/* Index of a pattern. */
static int
PatternByName(const char *name)
{
	int			pattern;

	for (pattern = 0; pattern < testPatternCount; pattern++)
		if (strcmp(TestPatternName(pattern), name) == 0)
			return pattern;
	abort();
}

/* A dictionary and a piece, see fuzz_decode.c. */
static void
DecodeSeed(const char *directory, int id, int type, const char *patternName,
		   const RetlArena *arena)
{
	const RetlEncoding *encoding = RetlEncodingById(id);
	const TestType *t = &testTypes[type];
	RetlEncodingState *state = NULL;
	RetlValues	values;
	RetlBytes	dictionary;
	RetlBytes	seed;
	uint8_t		header[8] = {0};
	char		name[100];
	size_t		constantLength;
	const uint8_t *constant;

	if (encoding == NULL || !encoding->applies(t->type, t->width) || t->width > 16 ||
		!TestMakeValues(&values, PatternByName(patternName), t, SEED_VALUES, arena))
		return;
	if (id == RETL_ENCODING_CONSTANT && encoding->analyse(&values, 64, arena) == RETLDB_NEVER)
		return;
	RetlBytesInit(&dictionary, arena, 0);
	RetlBytesInit(&seed, arena, 0);
	if (encoding->prepare != NULL)
		state = encoding->prepare(&values, arena, &dictionary);
	constant = TestValueAt(&values, 3, &constantLength);
	header[0] = (uint8_t) id;
	header[1] = (uint8_t) type;
	header[2] = SEED_VALUES;
	header[4] = (uint8_t) dictionary.length;
	header[5] = (uint8_t) (dictionary.length >> 8);
	header[6] = (uint8_t) (type % 6);
	header[7] = (uint8_t) constantLength;
	RetlBytesAppend(&seed, header, sizeof(header));
	RetlBytesAppend(&seed, constant, constantLength);
	RetlBytesAppend(&seed, dictionary.data, dictionary.length);
	encoding->encode(state, &values, 0, &seed);
	snprintf(name, sizeof(name), "%s-%s-%c", encoding->name, t->name, patternName[0]);
	WriteSeed(directory, "decode", name, &seed);
}

/* Some values, see fuzz_roundtrip.c. */
static void
RoundTripSeed(const char *directory, int type, const char *patternName, uint8_t mode,
			  const RetlArena *arena)
{
	const TestType *t = &testTypes[type];
	RetlValues	values;
	RetlBytes	seed;
	uint8_t		header[4] = {(uint8_t) type, 9, 0, mode};
	char		name[100];
	uint32_t	i;

	if (t->width > 64 ||
		!TestMakeValues(&values, PatternByName(patternName), t, SEED_VALUES, arena))
		return;
	RetlBytesInit(&seed, arena, 0);
	RetlBytesAppend(&seed, header, sizeof(header));
	for (i = 0; i < values.count; i++)
	{
		size_t		length;
		const uint8_t *value = TestValueAt(&values, i, &length);
		uint8_t		prefix = (uint8_t) length;

		if (t->type == RETL_PHYS_BYTES)
			RetlBytesAppend(&seed, &prefix, 1);
		RetlBytesAppend(&seed, value, length);
	}
	snprintf(name, sizeof(name), "%s-%c-%u", t->name, patternName[0], mode);
	WriteSeed(directory, "roundtrip", name, &seed);
}

/* Compressed text, see fuzz_decompress.c. */
static void
DecompressSeed(const char *directory, RetlCompressionId id, size_t rawSize, const RetlArena *arena)
{
	uint8_t    *raw = RetlArenaAlloc(arena, rawSize);
	size_t		bound = RetlCompressBound(id, rawSize);
	uint8_t    *stored = RetlArenaAlloc(arena, bound);
	uint8_t		header[4] = {(uint8_t) id, (uint8_t) rawSize, (uint8_t) (rawSize >> 8), 0};
	uint64_t	random = rawSize;
	RetlBytes	seed;
	char		name[100];
	size_t		i;
	size_t		size;

	for (i = 0; i < rawSize; i++)
		raw[i] = i % 17 < 12 ? (uint8_t) "account_usage"[i % 13] : (uint8_t) (TestRandom(&random) % 16);
	size = RetlCompress(id, 3, stored, bound, raw, rawSize);
	RetlBytesInit(&seed, arena, 0);
	RetlBytesAppend(&seed, header, sizeof(header));
	RetlBytesAppend(&seed, size > 0 ? stored : raw, size > 0 ? size : rawSize);
	snprintf(name, sizeof(name), "%s-%zu", RetlCompressionName(id), rawSize);
	WriteSeed(directory, "decompress", name, &seed);
}

int
main(int argc, char **argv)
{
	static const char *const patternNames[] = {"equal", "few values", "runs", "magnitudes", "squares"};
	TestArena	arena;
	int			type;
	int			id;
	int			p;

	if (argc != 2)
	{
		fprintf(stderr, "usage: make_seeds CORPUS_DIRECTORY\n");
		return 1;
	}
	TestArenaInit(&arena);
	for (p = 0; p < 5; p++)
		for (type = 0; type < testTypeCount; type++)
		{
			for (id = 0; id < RETL_ENCODING_COUNT; id++)
				DecodeSeed(argv[1], id, type, patternNames[p], &arena.arena);
			RoundTripSeed(argv[1], type, patternNames[p], (uint8_t) (p % 4), &arena.arena);
		}
	for (id = RETL_COMPRESSION_NONE; id < RETL_COMPRESSION_COUNT; id++)
	{
		DecompressSeed(argv[1], (RetlCompressionId) id, 40, &arena.arena);
		DecompressSeed(argv[1], (RetlCompressionId) id, 600, &arena.arena);
		DecompressSeed(argv[1], (RetlCompressionId) id, 5000, &arena.arena);
	}
	TestArenaReset(&arena);
	return 0;
}
