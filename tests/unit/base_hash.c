/* SPDX-License-Identifier: MIT */
#include "base_tests.h"

#include <stdlib.h>
#include <string.h>

#include <base/hash.h>

static int compare_words(const void *a, const void *b) {
    uint64_t left = *(const uint64_t *)a;
    uint64_t right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

static void assert_all_different(uint64_t *words, size_t count) {
    qsort(words, count, sizeof(words[0]), compare_words);
    for (size_t index = 1; index < count; index++)
        ck_assert_uint_ne(words[index - 1], words[index]);
}

/* Each single input bit must change about half of the output, over many inputs. */
START_TEST(mixing_spreads_each_bit) {
    for (unsigned bit = 0; bit < 64; bit++) {
        int changed = 0;
        for (uint64_t value = 0; value < 256; value++) {
            uint64_t difference = hash_mix(value) ^ hash_mix(value ^ UINT64_C(1) << bit);
            changed += __builtin_popcountll(difference);
        }
        ck_assert(changed > 256 * 28 && changed < 256 * 36);
    }
}
END_TEST

START_TEST(zero_is_mixed_too) {
    ck_assert_uint_ne(hash_mix(0), 0);
}
END_TEST

START_TEST(every_bit_of_the_input_counts) {
    unsigned char bytes[40] = {0};
    uint64_t hashes[sizeof(bytes) * 8];
    for (size_t bit = 0; bit < sizeof(bytes) * 8; bit++) {
        bytes[bit / 8] = (unsigned char)(1U << bit % 8);
        hashes[bit] = hash_bytes(bytes, sizeof(bytes), 0);
        bytes[bit / 8] = 0;
    }
    assert_all_different(hashes, sizeof(bytes) * 8);
}
END_TEST

START_TEST(size_and_seed_count) {
    unsigned char bytes[64] = {0};
    uint64_t hashes[2 * (sizeof(bytes) + 1)];
    for (size_t size = 0; size <= sizeof(bytes); size++) {
        hashes[2 * size] = hash_bytes(bytes, size, 0);
        hashes[2 * size + 1] = hash_bytes(bytes, size, 1);
    }
    assert_all_different(hashes, sizeof(hashes) / sizeof(hashes[0]));
}
END_TEST

START_TEST(order_counts) {
    uint64_t ab[2] = {1, 2};
    uint64_t ba[2] = {2, 1};
    ck_assert_uint_ne(hash_bytes(ab, sizeof(ab), 0), hash_bytes(ba, sizeof(ba), 0));
}
END_TEST

START_TEST(place_in_memory_does_not_count) {
    unsigned char bytes[32 + 8];
    static const char text[] = "a text of several words";
    uint64_t expected = hash_bytes(text, sizeof(text), 7);
    for (size_t offset = 0; offset < 8; offset++) {
        memset(bytes, (int)offset, sizeof(bytes));
        memcpy(bytes + offset, text, sizeof(text));
        ck_assert_uint_eq(hash_bytes(bytes + offset, sizeof(text), 7), expected);
    }
}
END_TEST

/* As a table would use it: counters as keys, low bits as the place. */
START_TEST(counters_fill_a_table_evenly) {
    int buckets[64] = {0};
    for (uint64_t key = 0; key < 6400; key++)
        buckets[hash_bytes(&key, sizeof(key), 0) % 64]++;
    for (int bucket = 0; bucket < 64; bucket++) {
        ck_assert_int_gt(buckets[bucket], 50);
        ck_assert_int_lt(buckets[bucket], 150);
    }
}
END_TEST

TCase *base_hash_tests(void) {
    TCase *tests = tcase_create("hash");
    tcase_add_test(tests, mixing_spreads_each_bit);
    tcase_add_test(tests, zero_is_mixed_too);
    tcase_add_test(tests, every_bit_of_the_input_counts);
    tcase_add_test(tests, size_and_seed_count);
    tcase_add_test(tests, order_counts);
    tcase_add_test(tests, place_in_memory_does_not_count);
    tcase_add_test(tests, counters_fill_a_table_evenly);
    return tests;
}
