/* SPDX-License-Identifier: MIT */
#include "stash_tests.h"

#include <stdio.h>
#include <stdlib.h>

#include <base/assert.h>

void assert_failed(const char *expression, const char *file, int line) {
    fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, expression);
    abort();
}

int main(void) {
    Suite *suite = suite_create("stash");
    suite_add_tcase(suite, stash_adopt_tests());
    suite_add_tcase(suite, stash_crash_tests());
    suite_add_tcase(suite, stash_heap_tests());
    suite_add_tcase(suite, stash_tables_tests());
    suite_add_tcase(suite, stash_transaction_tests());

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
