/* SPDX-License-Identifier: MIT */
#include "object_world.h"

#include <stdlib.h>

int main(void) {
    Suite *suite = suite_create("object");
    suite_add_tcase(suite, object_create_tests());
    suite_add_tcase(suite, object_signal_tests());
    suite_add_tcase(suite, handle_close_tests());
    suite_add_tcase(suite, handle_transfer_tests());
    suite_add_tcase(suite, handle_list_tests());
    suite_add_tcase(suite, handle_reply_tests());
    suite_add_tcase(suite, handle_table_tests());
    suite_add_tcase(suite, wait_object_tests());
    suite_add_tcase(suite, wait_many_tests());
    suite_add_tcase(suite, timer_set_tests());
    suite_add_tcase(suite, queue_control_tests());
    suite_add_tcase(suite, queue_wait_tests());
    suite_add_tcase(suite, queue_nested_tests());
    suite_add_tcase(suite, object_binding_tests());
    suite_add_tcase(suite, irq_create_tests());
    suite_add_tcase(suite, device_calls_tests());
    suite_add_tcase(suite, device_memory_tests());
    suite_add_tcase(suite, system_control_tests());
    suite_add_tcase(suite, system_halt_tests());
    suite_add_tcase(suite, info_object_tests());

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
