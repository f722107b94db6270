/* SPDX-License-Identifier: MIT */
#include "regress_tests.h"

#include <stdlib.h>

int main(void) {
    Suite *suite = suite_create("regress");
    suite_add_tcase(suite, regress_model_tests());
    suite_add_tcase(suite, regress_loan_tests());
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
