/* SPDX-License-Identifier: MIT */
#include "process_tests.h"

#include <stdlib.h>

int main(void) {
    Suite *suite = suite_create("process");
    process_create_tests(suite);
    process_control_tests(suite);
    process_clone_tests(suite);
    thread_create_tests(suite);
    thread_control_tests(suite);
    process_large_tests(suite);
    place_errors_tests(suite);
    call_failures_tests(suite);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
