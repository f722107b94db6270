/* SPDX-License-Identifier: MIT */
#include "memory_tests.h"

#include <stdlib.h>

int main(void) {
    TCase *(*const cases[])(void) = {
        account_calls_tests, frame_alloc_tests,   frame_wait_tests,    heap_alloc_tests,
        memory_tree_tests,   memory_create_tests, memory_resize_tests, space_map_tests,
        space_unmap_tests,   space_protect_tests, space_fault_tests,   space_ahead_tests,
        space_clone_tests,   space_copy_tests,    space_random_tests,  loan_copy_tests,
        loan_map_tests,      futex_wait_tests,    futex_requeue_tests,
    };
    Suite *suite = suite_create("memory");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        suite_add_tcase(suite, cases[i]());
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
