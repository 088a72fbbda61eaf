/*-------------------------------------------------------------------------
 *
 * simd.h
 *	  The loops that scans spend their time in, for processors with AVX2.
 *	  Pure C.
 *
 * Each has a plain counterpart (bitpacking.c, filtering.c) with the same result,
 * which serves other processors and what is left over at the end of an array.
 * The choice is made when the program runs.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RETLDB_SIMD_H
#define RETLDB_SIMD_H

#include <stdbool.h>
#include <stdint.h>

/* Tests and benchmarks clear it to have the plain loops run. */
extern bool RetlSimdAllowed;

/* May the functions below be called on this processor? */
extern bool RetlSimdAvailable(void);

/* Bytes that they may read past the last group of packed numbers. */
#define RETLDB_SIMD_SLACK	16

/* Is there a function for packed numbers of this width? */
extern bool RetlSimdUnpacks(unsigned width, unsigned dstWidth);

/*
 * Unpack "groups" times 8 numbers of "width" bits, add "base", and store them as
 * integers of dstWidth bytes (4 or 8).  RetlSimdUnpacks holds.
 */
extern void RetlSimdUnpack(const uint8_t *src, unsigned width, uint32_t groups,
						   uint64_t base, uint8_t *dst, unsigned dstWidth);

/*
 * For each of "words" times 64 packed numbers: clear its bit unless
 * (low <= number <= low + span) != negate.  RetlSimdUnpacks holds for 4 bytes if
 * width is at most 32, else for 8.
 */
extern void RetlSimdSelectPacked(const uint8_t *src, unsigned width, uint32_t words,
								 uint64_t low, uint64_t span, bool negate,
								 uint64_t *selected);

/*
 * The same for unpacked, unaligned numbers of 1, 2, 4 or 8 bytes; number - low
 * wraps around.  With isFloat, 4 or 8 bytes are turned into the keys of
 * filtering.h first.
 */
extern void RetlSimdSelect(const uint8_t *numbers, unsigned numberWidth, bool isFloat,
						   uint32_t words, uint64_t low, uint64_t span, bool negate,
						   uint64_t *selected);

/*
 * For each of "words" times 64 packed numbers of at most 8 bits: clear its bit unless
 * the number is in a set: bit n % 32 of word n / 32 stands for n.
 */
extern void RetlSimdLookUpPacked(const uint8_t *src, unsigned width, uint32_t words,
								 const uint32_t *set, uint64_t *selected);

/* How many bits of so many words are set? */
extern uint32_t RetlSimdCountBits(const uint64_t *words, uint32_t wordCount);

#endif							/* RETLDB_SIMD_H */
