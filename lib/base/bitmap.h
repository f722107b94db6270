/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <base/assert.h>

/*
 * Sets of small numbers: one 64-bit word, or an array of words of which bit 0 is the lowest bit
 * of the first. Not atomic; whoever owns the words locks them.
 */

static inline unsigned bits_lowest(uint64_t word) {
    ASSERT(word != 0);
    return (unsigned)__builtin_ctzll(word);
}

static inline unsigned bits_highest(uint64_t word) {
    ASSERT(word != 0);
    return 63U - (unsigned)__builtin_clzll(word);
}

#define BITMAP_WORD_BITS 64

/* How many words hold this many bits; usable as the length of an array. */
#define BITMAP_WORDS(bit_count) (((bit_count) + BITMAP_WORD_BITS - 1) / BITMAP_WORD_BITS)

static inline uint64_t bitmap_mask(size_t index) {
    return UINT64_C(1) << (index % BITMAP_WORD_BITS);
}

static inline void bitmap_set(uint64_t *words, size_t index) {
    words[index / BITMAP_WORD_BITS] |= bitmap_mask(index);
}

static inline void bitmap_clear(uint64_t *words, size_t index) {
    words[index / BITMAP_WORD_BITS] &= ~bitmap_mask(index);
}

static inline bool bitmap_test(const uint64_t *words, size_t index) {
    return (words[index / BITMAP_WORD_BITS] & bitmap_mask(index)) != 0;
}

/* The first bit at or after `from` that is set in words ^ flip, or bit_count when there is none. */
static inline size_t bitmap_scan(const uint64_t *words, size_t bit_count, size_t from,
                                 uint64_t flip) {
    if (from >= bit_count)
        return bit_count;
    size_t word = from / BITMAP_WORD_BITS;
    uint64_t bits = (words[word] ^ flip) & ~(bitmap_mask(from) - 1);
    while (bits == 0) {
        if (++word == BITMAP_WORDS(bit_count))
            return bit_count;
        bits = words[word] ^ flip;
    }
    size_t index = word * BITMAP_WORD_BITS + bits_lowest(bits);
    return index < bit_count ? index : bit_count;
}

/* The first set bit at or after `from`, or bit_count when there is none. */
static inline size_t bitmap_first_set(const uint64_t *words, size_t bit_count, size_t from) {
    return bitmap_scan(words, bit_count, from, 0);
}

/* The first clear bit at or after `from`, or bit_count when there is none. */
static inline size_t bitmap_first_clear(const uint64_t *words, size_t bit_count, size_t from) {
    return bitmap_scan(words, bit_count, from, ~UINT64_C(0));
}
