/* SPDX-License-Identifier: MIT */
#include "cpu_world.h"

int main(void) {
    Suite *suite = suite_create("cpu");
    suite_add_tcase(suite, cpu_loop_tests());
    suite_add_tcase(suite, cpu_lock_tests());
    suite_add_tcase(suite, cpu_log_tests());
    suite_add_tcase(suite, cpu_sync_tests());
    suite_add_tcase(suite, cpu_snapshot_tests());
    suite_add_tcase(suite, sched_priority_tests());
    suite_add_tcase(suite, sched_slice_tests());
    suite_add_tcase(suite, sched_place_tests());
    suite_add_tcase(suite, sched_suspend_tests());
    suite_add_tcase(suite, upcall_bounce_tests());
    suite_add_tcase(suite, upcall_fault_tests());
    suite_add_tcase(suite, upcall_interrupt_tests());
    suite_add_tcase(suite, upcall_resume_tests());
    suite_add_tcase(suite, dispatch_tests());
    suite_add_tcase(suite, dispatch_retry_tests());
    suite_add_tcase(suite, boot_init_tests());
    suite_add_tcase(suite, boot_image_tests());
    suite_add_tcase(suite, boot_restart_tests());

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
