/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "tests.h"

int main(void) {
    Suite *suite = suite_create("virtio");
    suite_add_tcase(suite, tcase_device());
    suite_add_tcase(suite, tcase_queue());
    suite_add_tcase(suite, tcase_port());
    suite_add_tcase(suite, tcase_console());
    suite_add_tcase(suite, tcase_restart());
    suite_add_tcase(suite, tcase_transfer());
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
