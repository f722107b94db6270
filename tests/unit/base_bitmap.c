/* SPDX-License-Identifier: MIT */
#include "base_tests.h"

#include <signal.h>
#include <string.h>

#include <base/bitmap.h>
#include <base/random.h>

#define BITS_MAX 200

START_TEST(lowest_and_highest_bit_of_a_word) {
    for (unsigned high = 0; high < 64; high++) {
        for (unsigned low = 0; low <= high; low++) {
            uint64_t word = UINT64_C(1) << high | UINT64_C(1) << low;
            ck_assert_uint_eq(bits_lowest(word), low);
            ck_assert_uint_eq(bits_highest(word), high);
        }
    }
    ck_assert_uint_eq(bits_lowest(UINT64_MAX), 0);
    ck_assert_uint_eq(bits_highest(UINT64_MAX), 63);
}
END_TEST

START_TEST(lowest_bit_of_nothing_is_refused) {
    bits_lowest(0);
}
END_TEST

START_TEST(highest_bit_of_nothing_is_refused) {
    bits_highest(0);
}
END_TEST

START_TEST(words_are_rounded_up) {
    ck_assert_uint_eq(BITMAP_WORDS(0), 0);
    ck_assert_uint_eq(BITMAP_WORDS(1), 1);
    ck_assert_uint_eq(BITMAP_WORDS(64), 1);
    ck_assert_uint_eq(BITMAP_WORDS(65), 2);
    ck_assert_uint_eq(BITMAP_WORDS(128), 2);
}
END_TEST

static size_t naive_first(const bool *bits, size_t bit_count, size_t from, bool wanted) {
    for (size_t index = from; index < bit_count; index++) {
        if (bits[index] == wanted)
            return index;
    }
    return bit_count;
}

static void compare_with_naive(const uint64_t *words, const bool *bits, size_t bit_count) {
    for (size_t index = 0; index < bit_count; index++) {
        ck_assert_int_eq(bitmap_test(words, index), bits[index]);
        ck_assert_uint_eq(bitmap_first_set(words, bit_count, index),
                          naive_first(bits, bit_count, index, true));
        ck_assert_uint_eq(bitmap_first_clear(words, bit_count, index),
                          naive_first(bits, bit_count, index, false));
    }
}

/* From sparse to dense, with lengths on both sides of the ends of words. */
START_TEST(searches_agree_with_an_array_of_bools) {
    static const size_t lengths[] = {1, 2, 63, 64, 65, 127, 128, 129, BITS_MAX};
    struct random random;
    random_seed(&random, 2);
    for (size_t which = 0; which < sizeof(lengths) / sizeof(lengths[0]); which++) {
        for (uint64_t density = 0; density <= 16; density++) {
            uint64_t words[BITMAP_WORDS(BITS_MAX)] = {0};
            bool bits[BITS_MAX] = {false};
            for (size_t step = 0; step < 2 * lengths[which]; step++) {
                size_t index = random_below(&random, lengths[which]);
                bits[index] = random_below(&random, 16) < density;
                if (bits[index])
                    bitmap_set(words, index);
                else
                    bitmap_clear(words, index);
            }
            compare_with_naive(words, bits, lengths[which]);
        }
    }
}
END_TEST

START_TEST(bits_beyond_the_end_are_not_found) {
    uint64_t words[2] = {0, UINT64_MAX << 6}; /* bits 70 to 127 */
    ck_assert_uint_eq(bitmap_first_set(words, 66, 0), 66);
    ck_assert_uint_eq(bitmap_first_set(words, 70, 0), 70);
    ck_assert_uint_eq(bitmap_first_set(words, 128, 0), 70);
    words[0] = UINT64_MAX;
    words[1] = UINT64_MAX >> 58; /* all but these */
    ck_assert_uint_eq(bitmap_first_clear(words, 66, 0), 66);
    ck_assert_uint_eq(bitmap_first_clear(words, 70, 0), 70);
    ck_assert_uint_eq(bitmap_first_clear(words, 128, 0), 70);
}
END_TEST

START_TEST(searches_from_the_end_find_nothing) {
    uint64_t words[1] = {UINT64_MAX};
    ck_assert_uint_eq(bitmap_first_set(words, 64, 64), 64);
    ck_assert_uint_eq(bitmap_first_set(words, 64, SIZE_MAX), 64);
    ck_assert_uint_eq(bitmap_first_set(words, 0, 0), 0);
    ck_assert_uint_eq(bitmap_first_set(words, 64, 63), 63);
}
END_TEST

START_TEST(changing_a_bit_leaves_its_neighbours) {
    uint64_t words[3];
    memset(words, 0, sizeof(words));
    bitmap_set(words, 63);
    bitmap_set(words, 64);
    bitmap_set(words, 64);
    ck_assert_uint_eq(words[0], UINT64_C(1) << 63);
    ck_assert_uint_eq(words[1], 1);
    bitmap_clear(words, 63);
    bitmap_clear(words, 63);
    ck_assert_uint_eq(words[0], 0);
    ck_assert_uint_eq(words[1], 1);
    ck_assert_uint_eq(words[2], 0);
}
END_TEST

TCase *base_bitmap_tests(void) {
    TCase *tests = tcase_create("bitmap");
    tcase_add_test(tests, lowest_and_highest_bit_of_a_word);
    tcase_add_test_raise_signal(tests, lowest_bit_of_nothing_is_refused, SIGABRT);
    tcase_add_test_raise_signal(tests, highest_bit_of_nothing_is_refused, SIGABRT);
    tcase_add_test(tests, words_are_rounded_up);
    tcase_add_test(tests, searches_agree_with_an_array_of_bools);
    tcase_add_test(tests, bits_beyond_the_end_are_not_found);
    tcase_add_test(tests, searches_from_the_end_find_nothing);
    tcase_add_test(tests, changing_a_bit_leaves_its_neighbours);
    return tests;
}
