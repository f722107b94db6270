/* SPDX-License-Identifier: MIT */
#include "base_tests.h"

#include <signal.h>

#include <base/random.h>

/* The published first values of splitmix64 for this seed: a changed sequence would silently
 * change the meaning of every seed written down anywhere. */
START_TEST(the_sequence_stays_what_it_is) {
    struct random random;
    random_seed(&random, 1234567);
    ck_assert_uint_eq(random_next(&random), UINT64_C(6457827717110365317));
    ck_assert_uint_eq(random_next(&random), UINT64_C(3203168211198807973));
    ck_assert_uint_eq(random_next(&random), UINT64_C(9817491932198370423));
}
END_TEST

START_TEST(same_seed_same_numbers) {
    struct random a, b;
    random_seed(&a, 42);
    random_seed(&b, 42);
    for (int round = 0; round < 1000; round++)
        ck_assert_uint_eq(random_next(&a), random_next(&b));
}
END_TEST

START_TEST(below_stays_below) {
    static const uint64_t bounds[] = {1, 2, 3, 10, 64, UINT64_C(1) << 63, UINT64_MAX};
    struct random random;
    random_seed(&random, 3);
    for (size_t which = 0; which < sizeof(bounds) / sizeof(bounds[0]); which++) {
        for (int round = 0; round < 1000; round++)
            ck_assert_uint_lt(random_below(&random, bounds[which]), bounds[which]);
    }
}
END_TEST

START_TEST(below_is_even) {
    int seen[7] = {0};
    struct random random;
    random_seed(&random, 4);
    for (int round = 0; round < 7000; round++)
        seen[random_below(&random, 7)]++;
    for (int value = 0; value < 7; value++) {
        ck_assert_int_gt(seen[value], 850);
        ck_assert_int_lt(seen[value], 1150);
    }
}
END_TEST

/* With a bound of 3/4 of the range, a plain remainder would favour the lower third two to one. */
START_TEST(below_is_even_for_large_bounds) {
    uint64_t third = UINT64_C(1) << 62;
    int seen[3] = {0};
    struct random random;
    random_seed(&random, 5);
    for (int round = 0; round < 3000; round++)
        seen[random_below(&random, 3 * third) / third]++;
    for (int value = 0; value < 3; value++) {
        ck_assert_int_gt(seen[value], 850);
        ck_assert_int_lt(seen[value], 1150);
    }
}
END_TEST

START_TEST(below_nothing_is_refused) {
    struct random random;
    random_seed(&random, 6);
    random_below(&random, random_below(&random, 1));
}
END_TEST

TCase *base_random_tests(void) {
    TCase *tests = tcase_create("random");
    tcase_add_test(tests, the_sequence_stays_what_it_is);
    tcase_add_test(tests, same_seed_same_numbers);
    tcase_add_test(tests, below_stays_below);
    tcase_add_test(tests, below_is_even);
    tcase_add_test(tests, below_is_even_for_large_bounds);
    tcase_add_test_raise_signal(tests, below_nothing_is_refused, SIGABRT);
    return tests;
}
