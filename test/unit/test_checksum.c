/*-------------------------------------------------------------------------
 *
 * test_checksum.c
 *	  CRC-32C: known answers, all lengths and alignments, and the portable
 *	  implementation against the one this processor gets.
 *
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "testlib.h"

#include "format/checksum.h"
#include "format/checksum_internal.h"

#include <cmocka.h>

/* By the definition, bit by bit. */
static uint32_t
NaiveCrc(uint32_t crc, const uint8_t *data, size_t length)
{
	crc = ~crc;
	while (length-- > 0)
	{
		int			bit;

		crc ^= *data++;
		for (bit = 0; bit < 8; bit++)
			crc = (crc >> 1) ^ ((crc & 1) ? 0x82F63B78U : 0);
	}
	return ~crc;
}

/* The check value, and the vectors of RFC 3720, B.4. */
static void
test_known_answers(void **state)
{
	uint8_t		data[32];
	int			i;

	(void) state;
	assert_int_equal(RetlCrc32c(0, "123456789", 9), 0xE3069283U);
	assert_int_equal(RetlCrc32cPortable(0, "123456789", 9), 0xE3069283U);
	assert_int_equal(RetlCrc32c(0, "", 0), 0);
	memset(data, 0, sizeof(data));
	assert_int_equal(RetlCrc32c(0, data, 32), 0x8A9136AAU);
	memset(data, 0xFF, sizeof(data));
	assert_int_equal(RetlCrc32c(0, data, 32), 0x62A8AB43U);
	for (i = 0; i < 32; i++)
		data[i] = (uint8_t) i;
	assert_int_equal(RetlCrc32c(0, data, 32), 0x46DD794EU);
	for (i = 0; i < 32; i++)
		data[i] = (uint8_t) (31 - i);
	assert_int_equal(RetlCrc32c(0, data, 32), 0x113FDB5CU);
}

static void
test_lengths_and_alignments(void **state)
{
	static uint8_t data[9000];
	uint64_t	seed = 3;
	size_t		length;
	size_t		start;

	(void) state;
	for (length = 0; length < sizeof(data); length++)
		data[length] = (uint8_t) TestRandom(&seed);
	for (start = 0; start < 9; start++)
		for (length = 0; length < sizeof(data) - start; length += length < 70 ? 1 : 503)
		{
			uint32_t	expected = NaiveCrc((uint32_t) length, data + start, length);

			assert_int_equal(RetlCrc32c((uint32_t) length, data + start, length), expected);
			assert_int_equal(RetlCrc32cPortable((uint32_t) length, data + start, length), expected);
		}
}

/* In parts it is the same as in one go. */
static void
test_continued(void **state)
{
	uint8_t		data[4000];
	uint64_t	seed = 4;
	uint32_t	whole;
	size_t		cut;

	(void) state;
	for (cut = 0; cut < sizeof(data); cut++)
		data[cut] = (uint8_t) TestRandom(&seed);
	whole = RetlCrc32c(0, data, sizeof(data));
	for (cut = 0; cut <= sizeof(data); cut += 125)
		assert_int_equal(RetlCrc32c(RetlCrc32c(0, data, cut), data + cut, sizeof(data) - cut), whole);
}

/* A struct's own field counts as zero, wherever it is. */
static void
test_without_field(void **state)
{
	uint8_t		data[64];
	uint8_t		zeroed[64];
	uint64_t	seed = 5;
	size_t		i;

	(void) state;
	for (i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t) TestRandom(&seed);
	for (i = 0; i + 4 <= sizeof(data); i++)
	{
		memcpy(zeroed, data, sizeof(data));
		memset(zeroed + i, 0, 4);
		assert_int_equal(RetlCrc32cWithout(7, data, sizeof(data), i),
						 RetlCrc32c(7, zeroed, sizeof(zeroed)));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known_answers),
		cmocka_unit_test(test_lengths_and_alignments),
		cmocka_unit_test(test_continued),
		cmocka_unit_test(test_without_field),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
