/* SPDX-License-Identifier: MIT */
#include "tests.h"

#include <stdlib.h>

int main(void) {
    Suite *suite = suite_create("server");
    suite_add_tcase(suite, server_counter_tests());
    suite_add_tcase(suite, server_loop_tests());
    suite_add_tcase(suite, server_pipe_tests());
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
