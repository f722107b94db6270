/* SPDX-License-Identifier: MIT */
#include "base_tests.h"

#include <stdint.h>

#include <base/align.h>
#include <base/random.h>

START_TEST(powers_of_two_have_one_bit) {
    ck_assert(!is_power_of_two(0));
    for (unsigned shift = 0; shift < 64; shift++)
        ck_assert(is_power_of_two(UINT64_C(1) << shift));
    for (unsigned high = 1; high < 64; high++) {
        for (unsigned low = 0; low < high; low++)
            ck_assert(!is_power_of_two(UINT64_C(1) << high | UINT64_C(1) << low));
    }
}
END_TEST

START_TEST(alignment_agrees_with_division) {
    struct random random;
    random_seed(&random, 1);
    for (int round = 0; round < 10000; round++) {
        uint64_t alignment = UINT64_C(1) << random_below(&random, 21);
        uint64_t value = random_next(&random) >> (1 + random_below(&random, 63));
        uint64_t down = value / alignment * alignment;
        uint64_t up = down == value ? value : down + alignment;
        ck_assert_uint_eq(align_down(value, alignment), down);
        ck_assert_uint_eq(align_up(value, alignment), up);
        ck_assert_int_eq(is_aligned(value, alignment), down == value);
        size_t checked;
        ck_assert(size_align_up(value, alignment, &checked));
        ck_assert_uint_eq(checked, up);
    }
}
END_TEST

START_TEST(aligning_up_at_the_end_of_the_range) {
    size_t result;
    ck_assert_uint_eq(align_up(UINT64_MAX, 4096), 0);
    ck_assert(!size_align_up(SIZE_MAX, 4096, &result));
    ck_assert(!size_align_up(SIZE_MAX - 4094, 4096, &result));
    ck_assert(size_align_up(SIZE_MAX - 4095, 4096, &result));
    ck_assert_uint_eq(result, SIZE_MAX - 4095);
    ck_assert(size_align_up(SIZE_MAX, 1, &result));
    ck_assert_uint_eq(result, SIZE_MAX);
    ck_assert(size_align_up(0, 4096, &result));
    ck_assert_uint_eq(result, 0);
}
END_TEST

START_TEST(sums_and_products_that_do_not_fit_are_refused) {
    size_t result;
    ck_assert(size_add(SIZE_MAX - 1, 1, &result));
    ck_assert_uint_eq(result, SIZE_MAX);
    ck_assert(!size_add(SIZE_MAX, 1, &result));
    ck_assert(!size_add(SIZE_MAX, SIZE_MAX, &result));
    ck_assert(size_mul(UINT64_C(1) << 32, UINT64_C(1) << 31, &result));
    ck_assert_uint_eq(result, UINT64_C(1) << 63);
    ck_assert(!size_mul(UINT64_C(1) << 32, UINT64_C(1) << 32, &result));
    ck_assert(!size_mul(SIZE_MAX, 2, &result));
    ck_assert(size_mul(SIZE_MAX, 0, &result));
    ck_assert_uint_eq(result, 0);
}
END_TEST

TCase *base_align_tests(void) {
    TCase *tests = tcase_create("align");
    tcase_add_test(tests, powers_of_two_have_one_bit);
    tcase_add_test(tests, alignment_agrees_with_division);
    tcase_add_test(tests, aligning_up_at_the_end_of_the_range);
    tcase_add_test(tests, sums_and_products_that_do_not_fit_are_refused);
    return tests;
}
