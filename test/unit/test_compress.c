/*-------------------------------------------------------------------------
 *
 * test_compress.c
 *	  Compression: round trips of all codecs and levels, refusal of what does
 *	  not pay or is not what a compressor made.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>
#include <string.h>

#include "testlib.h"

#include "compress/compress.h"

#include <cmocka.h>

#define LENGTH(array) ((int) (sizeof(array) / sizeof((array)[0])))

static const size_t sizes[] = {1, 2, 15, 64, 1000, 65536, 70001, 262144};

/* Bytes that compress somewhat: words repeated with noise between them. */
static uint8_t *
MakeText(size_t size, const RetlArena *arena)
{
	static const char *const words[] = {"account", "customer", "usage", "audience", "2024-01-", "\0\0\0"};
	uint8_t    *text = RetlArenaAlloc(arena, size);
	uint64_t	seed = size;
	size_t		done = 0;

	while (done < size)
	{
		uint64_t	k = TestRandom(&seed) % 8;
		const char *word = k < 6 ? words[k] : "?";
		size_t		length = k == 5 ? 3 : strlen(word);

		if (length > size - done)
			length = size - done;
		memcpy(text + done, word, length);
		if (k >= 6)
			text[done] = (uint8_t) TestRandom(&seed);
		done += length;
	}
	return text;
}

/* Compress into memory of exactly the bound; 0 if it does not pay. */
static size_t
Compress(RetlCompressionId id, int level, const uint8_t *src, size_t srcSize, uint8_t **dst,
		 const RetlArena *arena)
{
	size_t		bound = RetlCompressBound(id, srcSize);

	*dst = RetlArenaAlloc(arena, bound);
	return RetlCompress(id, level, *dst, bound, src, srcSize);
}

static void
CheckRoundTrip(RetlCompressionId id, int level, size_t rawSize, const RetlArena *arena)
{
	uint8_t    *raw = MakeText(rawSize, arena);
	uint8_t    *stored;
	uint8_t    *again = RetlArenaAlloc(arena, rawSize);
	size_t		storedSize = Compress(id, level, raw, rawSize, &stored, arena);

	assert_true(storedSize < rawSize);
	if (storedSize == 0)
	{
		assert_true(rawSize <= 64);
		return;
	}
	stored = TestCopy(stored, storedSize, arena);
	assert_true(RetlDecompress(id, again, rawSize, stored, storedSize));
	assert_memory_equal(again, raw, rawSize);

	/* Only the beginning. */
	for (size_t wanted = 1; wanted <= rawSize; wanted = wanted * 3 + 1)
	{
		memset(again, 0, rawSize);
		assert_true(RetlDecompressBeginning(id, again, rawSize, wanted, stored, storedSize));
		assert_memory_equal(again, raw, wanted);
	}
	assert_false(RetlDecompressBeginning(id, again, rawSize, rawSize / 2 + 1, stored, storedSize / 4));

	/* Neither more nor fewer bytes than it is. */
	assert_false(RetlDecompress(id, RetlArenaAlloc(arena, rawSize - 1), rawSize - 1, stored, storedSize));
	assert_false(RetlDecompress(id, RetlArenaAlloc(arena, rawSize + 1), rawSize + 1, stored, storedSize));
	assert_false(RetlDecompress(id, again, 0, stored, storedSize));
	assert_false(RetlDecompress(id, again, rawSize, stored, 0));
}

static void
test_round_trips(void **state)
{
	RetlCompressionId id;
	int			level;
	int			s;

	(void) state;
	for (id = RETL_COMPRESSION_LZ4; id < RETL_COMPRESSION_COUNT; id++)
		for (level = -1; level <= RETLDB_MAX_COMPRESSION_LEVEL + 1; level += getenv("RETLDB_TEST_QUICK") ? 4 : 1)
			for (s = 0; s < LENGTH(sizes); s++)
			{
				TestArena	arena;

				if (level > 12 && sizes[s] > 70001)
					continue;
				TestArenaInit(&arena);
				CheckRoundTrip(id, level, sizes[s], &arena.arena);
				TestArenaReset(&arena);
			}
}

/* Higher levels of LZ4 and zstd are for smaller results. */
static void
test_levels(void **state)
{
	TestArena	arena;
	uint8_t    *raw;
	uint8_t    *stored;

	(void) state;
	TestArenaInit(&arena);
	raw = MakeText(65536, &arena.arena);
	assert_true(Compress(RETL_COMPRESSION_LZ4, 9, raw, 65536, &stored, &arena.arena) <
				Compress(RETL_COMPRESSION_LZ4, 0, raw, 65536, &stored, &arena.arena));
	assert_int_equal(Compress(RETL_COMPRESSION_LZ4, 0, raw, 65536, &stored, &arena.arena),
					 Compress(RETL_COMPRESSION_LZ4, 1, raw, 65536, &stored, &arena.arena));
	assert_int_equal(Compress(RETL_COMPRESSION_ZSTD, 0, raw, 65536, &stored, &arena.arena),
					 Compress(RETL_COMPRESSION_ZSTD, 3, raw, 65536, &stored, &arena.arena));
	assert_true(Compress(RETL_COMPRESSION_ZSTD, 19, raw, 65536, &stored, &arena.arena) <
				Compress(RETL_COMPRESSION_ZSTD, 1, raw, 65536, &stored, &arena.arena));
	TestArenaReset(&arena);
}

/* What does not get smaller, or does not fit, is not compressed. */
static void
test_incompressible(void **state)
{
	TestArena	arena;
	uint8_t    *raw;
	uint8_t    *stored;
	uint64_t	seed = 9;
	size_t		i;
	RetlCompressionId id;

	(void) state;
	TestArenaInit(&arena);
	raw = RetlArenaAlloc(&arena.arena, 10000);
	for (i = 0; i < 10000; i++)
		raw[i] = (uint8_t) TestRandom(&seed);
	for (id = RETL_COMPRESSION_NONE; id < RETL_COMPRESSION_COUNT; id++)
	{
		assert_int_equal(Compress(id, 0, raw, 10000, &stored, &arena.arena), 0);
		assert_int_equal(Compress(id, 0, raw, 0, &stored, &arena.arena), 0);
	}
	memset(raw, 'x', 10000);
	for (id = RETL_COMPRESSION_LZ4; id < RETL_COMPRESSION_COUNT; id++)
		assert_int_equal(RetlCompress(id, 0, RetlArenaAlloc(&arena.arena, 3), 3, raw, 10000), 0);
	TestArenaReset(&arena);
}

static void
test_none(void **state)
{
	uint8_t		dst[4];

	(void) state;
	assert_true(RetlDecompress(RETL_COMPRESSION_NONE, dst, 4, "abcd", 4));
	assert_memory_equal(dst, "abcd", 4);
	assert_false(RetlDecompress(RETL_COMPRESSION_NONE, dst, 4, "abc", 3));
	assert_true(RetlDecompress(RETL_COMPRESSION_NONE, NULL, 0, NULL, 0));
	assert_int_equal(RetlCompressBound(RETL_COMPRESSION_NONE, 77), 77);
}

static void
test_names(void **state)
{
	uint8_t		dst[4];

	(void) state;
	assert_string_equal(RetlCompressionName(RETL_COMPRESSION_NONE), "none");
	assert_string_equal(RetlCompressionName(RETL_COMPRESSION_LZ4), "lz4");
	assert_string_equal(RetlCompressionName(RETL_COMPRESSION_SNAPPY), "snappy");
	assert_string_equal(RetlCompressionName(RETL_COMPRESSION_ZSTD), "zstd");
	assert_null(RetlCompressionName(-1));
	assert_null(RetlCompressionName(RETL_COMPRESSION_COUNT));
	assert_false(RetlDecompress(-1, dst, 4, "abcd", 4));
	assert_false(RetlDecompress(RETL_COMPRESSION_COUNT, dst, 4, "abcd", 4));
	assert_int_equal(RetlCompress((RetlCompressionId) 99, 0, dst, 4, "abcd", 4), 0);
}

/* Truncated and damaged input: false, or other bytes, but nothing worse. */
static void
test_damaged(void **state)
{
	TestArena	arena;
	RetlCompressionId id;

	(void) state;
	for (id = RETL_COMPRESSION_LZ4; id < RETL_COMPRESSION_COUNT; id++)
	{
		const size_t rawSize = 600;
		uint8_t    *raw;
		uint8_t    *stored;
		size_t		storedSize;
		size_t		i;
		int			k;

		TestArenaInit(&arena);
		raw = MakeText(rawSize, &arena.arena);
		storedSize = Compress(id, 0, raw, rawSize, &stored, &arena.arena);
		assert_true(storedSize > 0);
		for (i = 0; i < storedSize; i++)
			assert_false(RetlDecompress(id, RetlArenaAlloc(&arena.arena, rawSize), rawSize,
										TestCopy(stored, i, &arena.arena), i));
		for (i = 0; i < storedSize; i++)
			for (k = 0; k < 8; k++)
			{
				uint8_t    *damaged = TestCopy(stored, storedSize, &arena.arena);

				damaged[i] ^= (uint8_t) (1 << k);
				(void) RetlDecompress(id, RetlArenaAlloc(&arena.arena, rawSize), rawSize,
									  damaged, storedSize);
			}
		TestArenaReset(&arena);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_none),
		cmocka_unit_test(test_round_trips),
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_incompressible),
		cmocka_unit_test(test_damaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
