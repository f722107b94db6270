/* SPDX-License-Identifier: MIT */
#include "sys_tests.h"

#include <stdlib.h>

int main(void) {
    Suite *suite = suite_create("sys");
    suite_add_tcase(suite, sys_calls_tests());
    suite_add_tcase(suite, sys_memory_tests());
    suite_add_tcase(suite, sys_message_tests());

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
