/* SPDX-License-Identifier: MIT */
/* All of it twice: with the short path, and without. */
#include "ipc_tests.h"

#include <stdlib.h>

static int run(const char *name, bool slow) {
    Suite *suite = suite_create(name);
    ipc_set_slow(slow);
    ipc_call_tests(suite);
    ipc_handles_tests(suite);
    ipc_reply_tests(suite);
    ipc_interrupt_tests(suite);
    ipc_death_tests(suite);
    ipc_forward_tests(suite);
    ipc_deadlock_tests(suite);
    ipc_order_tests(suite);
    session_create_tests(suite);
    session_close_tests(suite);
    endpoint_list_tests(suite);
    priority_inherit_tests(suite);
    ipc_charge_tests(suite);
    ipc_race_tests(suite);
    ipc_fault_tests(suite);
    if (!slow)
        ipc_same_tests(suite); /* compares both itself */
    ipc_memory_tests(suite);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed;
}

int main(void) {
    int failed = run("ipc, short path on", false);
    failed += run("ipc, short path off", true);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
