/*-------------------------------------------------------------------------
 *
 * test_bloom.c
 *	  Bloom filters: the hash against known values, no value ever missed, few
 *	  others found; hashes of equal values; damaged headers.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>
#include <string.h>

#include "testlib.h"

#include "format/bloom.h"
#include "rowgroup/value_hash.h"

#include <cmocka.h>

static void
test_hash(void **state)
{
	const char *text = "Nobody inspects the spammish repetition";

	(void) state;
	assert_true(RetlHash64("", 0) == UINT64_C(0xEF46DB3751D8E999));
	assert_true(RetlHash64("a", 1) == UINT64_C(0xD24EC4F1A98C6E5B));
	assert_true(RetlHash64("abc", 3) == UINT64_C(0x44BC2CF5AD770999));
	assert_true(RetlHash64(text, strlen(text)) == UINT64_C(0xFBCEA83C8A378BF1));
}

/* A filter of "count" values has them all, and few others. */
static void
CheckFilter(uint32_t count, unsigned bits)
{
	RetlBloomHeader header;
	uint8_t    *filter;
	uint64_t	seed = count;
	uint32_t	wrong = 0;
	uint32_t	i;

	RetlBloomHeaderInit(&header, count, bits);
	assert_null(RetlBloomHeaderProblem(&header));
	assert_true(RetlBloomPartitionSize(&header) <= 8128);
	assert_true(RetlBloomSize(&header) >= (uint64_t) count * bits / 8);
	filter = calloc(1, RetlBloomSize(&header));
	for (i = 0; i < count; i++)
		RetlBloomAdd(&header, filter, RetlHashInt((int64_t) TestRandom(&seed)));
	seed = count;
	for (i = 0; i < 2 * count; i++)
	{
		uint64_t	hash = RetlHashInt((int64_t) TestRandom(&seed));
		uint32_t	partition = RetlBloomPartition(&header, hash);
		bool		found;

		assert_true(partition < header.partitionCount);
		found = RetlBloomMayContain(&header, filter + (size_t) partition *
									RetlBloomPartitionSize(&header), hash);
		if (i < count)
			assert_true(found);
		else
			wrong += found;
	}
	if (bits >= 8)
		assert_true(wrong <= count / 20 + 5);
	free(filter);
}

static void
test_filter(void **state)
{
	static const uint32_t counts[] = {0, 1, 2, 100, 6500, 6503, 6600, 131072};
	size_t		i;

	(void) state;
	for (i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
	{
		CheckFilter(counts[i], 10);
		CheckFilter(counts[i], 8);
	}
	CheckFilter(100000, 1);
}

static void
test_header(void **state)
{
	RetlBloomHeader good;
	RetlBloomHeader bad;

	(void) state;
	RetlBloomHeaderInit(&good, UINT32_MAX, 16);
	assert_null(RetlBloomHeaderProblem(&good));
	assert_int_equal(good.partitionCount, RETLDB_BLOOM_MAX_PARTITIONS);
	bad = good;
	bad.hashVersion = 2;
	assert_non_null(RetlBloomHeaderProblem(&bad));
	bad = good;
	bad.partitionCount = 0;
	assert_non_null(RetlBloomHeaderProblem(&bad));
	bad.partitionCount = RETLDB_BLOOM_MAX_PARTITIONS + 1;
	assert_non_null(RetlBloomHeaderProblem(&bad));
	bad = good;
	bad.partitionBlocks = 0;
	assert_non_null(RetlBloomHeaderProblem(&bad));
	bad.partitionBlocks = RETLDB_BLOOM_PARTITION_BLOCKS + 1;
	assert_non_null(RetlBloomHeaderProblem(&bad));
	bad = good;
	bad.reserved = 1;
	assert_non_null(RetlBloomHeaderProblem(&bad));
}

/* A stored value's hash. */
static uint64_t
Stored(RetlKeyKind kind, RetlPhysType type, const void *data, size_t length)
{
	return RetlHashStored(kind, type, type == RETL_PHYS_BYTES ? 0 : (uint16_t) length, data, length);
}

/* Values that are equal have equal hashes, whatever their representation. */
static void
test_equal_values(void **state)
{
	const int16_t int2 = -7;
	const int32_t int4 = -7;
	const int64_t int8 = -7;
	const uint8_t byte = 0xF9;
	const double zeros[2] = {0.0, -0.0};
	const float narrow = 1.5f;
	const double wide = 1.5;
	const uint64_t nans[2] = {UINT64_C(0x7FF8000000000000), UINT64_C(0xFFF0000000000001)};
	static const uint8_t short1[] = {0x80, 0x80, 12, 0, 0x88, 0x13};	/* 12.5 */
	static const uint8_t short2[] = {0x00, 0x82, 12, 0, 0x88, 0x13};	/* 12.5000 */
	static const uint8_t long1[] = {0x03, 0x00, 0, 0, 12, 0, 0x88, 0x13, 0, 0};	/* 12.5 */
	static const uint8_t negative[] = {0x80, 0xA0, 12, 0, 0x88, 0x13};	/* -12.5 */
	static const uint8_t other[] = {0x81, 0x80, 12, 0, 0x88, 0x13}; /* 125000 and some */
	static const uint8_t zero1[] = {0x00, 0x80};
	static const uint8_t zero2[] = {0x00, 0x81};
	char		name[64] = "abc";

	(void) state;
	assert_true(Stored(RETL_KEY_INT, RETL_PHYS_INT, &int2, 2) == RetlHashInt(-7));
	assert_true(Stored(RETL_KEY_INT, RETL_PHYS_INT, &int4, 4) == RetlHashInt(-7));
	assert_true(Stored(RETL_KEY_INT, RETL_PHYS_INT, &int8, 8) == RetlHashInt(-7));
	assert_true(Stored(RETL_KEY_UINT, RETL_PHYS_INT, &byte, 1) == RetlHashInt(0xF9));
	assert_true(Stored(RETL_KEY_FLOAT, RETL_PHYS_FLOAT, &zeros[0], 8) ==
				Stored(RETL_KEY_FLOAT, RETL_PHYS_FLOAT, &zeros[1], 8));
	assert_true(Stored(RETL_KEY_FLOAT, RETL_PHYS_FLOAT, &nans[0], 8) ==
				Stored(RETL_KEY_FLOAT, RETL_PHYS_FLOAT, &nans[1], 8));
	assert_true(Stored(RETL_KEY_FLOAT, RETL_PHYS_FLOAT, &narrow, 4) ==
				Stored(RETL_KEY_FLOAT, RETL_PHYS_FLOAT, &wide, 8));
	assert_true(Stored(RETL_KEY_TEXT, RETL_PHYS_FIXED, name, 64) ==
				Stored(RETL_KEY_TEXT, RETL_PHYS_BYTES, "abc", 3));
	assert_true(Stored(RETL_KEY_BPCHAR, RETL_PHYS_BYTES, "abc  ", 5) ==
				Stored(RETL_KEY_BPCHAR, RETL_PHYS_BYTES, "abc", 3));
	assert_true(Stored(RETL_KEY_BYTEA, RETL_PHYS_BYTES, "abc ", 4) !=
				Stored(RETL_KEY_BYTEA, RETL_PHYS_BYTES, "abc", 3));
	assert_true(RetlHashNumeric(short1, sizeof(short1)) == RetlHashNumeric(short2, sizeof(short2)));
	assert_true(RetlHashNumeric(short1, sizeof(short1)) == RetlHashNumeric(long1, sizeof(long1)));
	assert_true(RetlHashNumeric(short1, sizeof(short1)) != RetlHashNumeric(negative, sizeof(negative)));
	assert_true(RetlHashNumeric(short1, sizeof(short1)) != RetlHashNumeric(other, sizeof(other)));
	assert_true(RetlHashNumeric(zero1, sizeof(zero1)) == RetlHashNumeric(zero2, sizeof(zero2)));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hash),
		cmocka_unit_test(test_filter),
		cmocka_unit_test(test_header),
		cmocka_unit_test(test_equal_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
