/* SPDX-License-Identifier: MIT */
#include "base_tests.h"

#include <signal.h>

#include <base/assert.h>

START_TEST(evaluates_its_expression_once) {
    int count = 0;
    ASSERT(++count == 1);
    ck_assert_int_eq(count, 1);
}
END_TEST

START_TEST(takes_a_pointer_as_a_truth) {
    int object = 0;
    int *pointer = &object;
    ASSERT(pointer);
}
END_TEST

START_TEST(reports_what_is_false) {
    volatile int zero = 0;
    ASSERT(zero == 1);
}
END_TEST

TCase *base_assert_tests(void) {
    TCase *tests = tcase_create("assert");
    tcase_add_test(tests, evaluates_its_expression_once);
    tcase_add_test(tests, takes_a_pointer_as_a_truth);
    tcase_add_test_raise_signal(tests, reports_what_is_false, SIGABRT);
    return tests;
}
