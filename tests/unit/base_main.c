/* SPDX-License-Identifier: MIT */
#include "base_tests.h"

#include <stdio.h>
#include <stdlib.h>

#include <base/assert.h>

void assert_failed(const char *expression, const char *file, int line) {
    fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, expression);
    abort();
}

int main(void) {
    Suite *suite = suite_create("base");
    suite_add_tcase(suite, base_align_tests());
    suite_add_tcase(suite, base_assert_tests());
    suite_add_tcase(suite, base_bitmap_tests());
    suite_add_tcase(suite, base_format_tests());
    suite_add_tcase(suite, base_hash_tests());
    suite_add_tcase(suite, base_list_tests());
    suite_add_tcase(suite, base_random_tests());
    suite_add_tcase(suite, base_tree_tests());

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
