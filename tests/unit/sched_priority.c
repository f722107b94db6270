/* SPDX-License-Identifier: MIT */
/* Who runs first. */
#include "cpu_world.h"

START_TEST(higher_priority_preempts) {
    machine_start(1);
    struct process *process = driver_process();
    struct thread *low = driver_thread_with(process, 10, 0);
    ck_assert(runs(low));
    struct thread *high = driver_thread_with(process, 11, 0);
    ck_assert(runs(high));
    ck_assert(!runs(low));
    sleep_for_ever(high);
    ck_assert(runs(low));
    machine_stop();
}
END_TEST

START_TEST(lower_and_equal_priority_wait) {
    machine_start(1);
    struct process *process = driver_process();
    struct thread *first = driver_thread_with(process, 10, 0);
    struct thread *equal = driver_thread_with(process, 10, 0);
    struct thread *low = driver_thread_with(process, 9, 0);
    ck_assert(runs(first));
    sleep_for_ever(first);
    ck_assert(runs(equal));
    sleep_for_ever(equal);
    ck_assert(runs(low));
    machine_stop();
}
END_TEST

START_TEST(all_priorities_run_in_order) {
    machine_start(1);
    struct process *process = driver_process();
    struct thread *threads[AX_PRIORITY_COUNT];
    for (unsigned i = 0; i < AX_PRIORITY_COUNT; i++) /* in no order: 37 has no factor of 64 */
        threads[i * 37 % AX_PRIORITY_COUNT] =
            driver_thread_with(process, (uint8_t)(i * 37 % AX_PRIORITY_COUNT), 0);
    for (unsigned i = AX_PRIORITY_COUNT; i-- > 0;) {
        ck_assert_msg(runs(threads[i]), "priority %u does not run", i);
        sleep_for_ever(threads[i]);
    }
    machine_stop();
}
END_TEST

START_TEST(preempted_thread_is_first_among_equals) {
    machine_start(1);
    struct process *process = driver_process();
    struct thread *a = driver_thread_with(process, 10, 0);
    struct thread *b = driver_thread_with(process, 10, 0);
    ck_assert(runs(a));
    struct thread *high = driver_thread_with(process, 20, 0);
    ck_assert(runs(high));
    sleep_for_ever(high);
    ck_assert(runs(a)); /* goes on with what is left of its slice */
    ck_assert(!runs(b));
    machine_stop();
}
END_TEST

START_TEST(yield_lets_equals_run) {
    machine_start(1);
    struct process *process = driver_process();
    struct thread *a = driver_thread_with(process, 10, 0);
    struct thread *b = driver_thread_with(process, 10, 0);
    struct thread *low = driver_thread_with(process, 5, 0);
    for (unsigned i = 0; i < 3; i++) {
        ck_assert(runs(a));
        expect(kcall(a, AX_CALL_OBJECT_WAIT_MANY, 0, 0), AX_ERR_TIMEOUT);
        ck_assert(runs(b));
        expect(kcall(b, AX_CALL_OBJECT_WAIT_MANY, 0, 0), AX_ERR_TIMEOUT);
    }
    ck_assert(!runs(low));
    machine_stop();
}
END_TEST

START_TEST(yield_alone_goes_on) {
    machine_start(1);
    struct thread *a = driver_thread(driver_process());
    expect(kcall(a, AX_CALL_OBJECT_WAIT_MANY, 0, 0), AX_ERR_TIMEOUT);
    ck_assert(runs(a));
    machine_stop();
}
END_TEST

START_TEST(raised_thread_runs) {
    machine_start(1);
    struct process *process = driver_process();
    struct thread *a = driver_thread_with(process, 10, 0);
    struct thread *b = driver_thread_with(process, 5, 0);
    set_priority(b, 11);
    driver_step(0);
    ck_assert(runs(b));
    set_priority(b, 5);
    driver_step(0);
    ck_assert(runs(a));
    machine_stop();
}
END_TEST

START_TEST(raised_thread_preempts_another_cpu) {
    machine_start(2);
    struct process *process = driver_process();
    struct thread *a = driver_thread_with(process, 10, 0);
    struct thread *b = driver_thread_with(process, 10, 0);
    struct thread *c = driver_thread_with(process, 5, 0);
    ck_assert(runs(a) && runs(b));
    pin(c, 2);
    uint64_t kicks = kernel->counters.kicks;
    set_priority(c, 20);
    ck_assert(runs_on(c, 1));
    ck_assert_uint_gt(kernel->counters.kicks, kicks);
    machine_stop();
}
END_TEST

START_TEST(lowered_thread_on_another_cpu_gives_way) {
    machine_start(2);
    struct process *process = driver_process();
    struct thread *a = driver_thread_with(process, 10, 0);
    struct thread *b = driver_thread_with(process, 10, 0);
    struct thread *c = driver_thread_with(process, 5, 0);
    struct thread *on_second = runs_on(a, 1) ? a : b;
    pin(on_second, 2);
    pin(c, 2);
    ck_assert(!runs(c));
    set_priority(on_second, 1);
    ck_assert(runs_on(c, 1));
    machine_stop();
}
END_TEST

START_TEST(priority_of_blocked_thread_counts_when_it_wakes) {
    machine_start(1);
    struct process *process = driver_process();
    struct thread *a = driver_thread_with(process, 10, 0);
    struct thread *b = driver_thread_with(process, 10, 0);
    sleep_for_ever(a);
    set_priority(a, 20);
    ck_assert(runs(b));
    with_lock(thread_interrupt, a);
    driver_step(0);
    ck_assert(runs(a));
    expect(driver_answer(a), AX_ERR_INTERRUPTED);
    machine_stop();
}
END_TEST

TCase *sched_priority_tests(void) {
    TCase *tcase = tcase_create("sched_priority");
    tcase_add_test(tcase, higher_priority_preempts);
    tcase_add_test(tcase, lower_and_equal_priority_wait);
    tcase_add_test(tcase, all_priorities_run_in_order);
    tcase_add_test(tcase, preempted_thread_is_first_among_equals);
    tcase_add_test(tcase, yield_lets_equals_run);
    tcase_add_test(tcase, yield_alone_goes_on);
    tcase_add_test(tcase, raised_thread_runs);
    tcase_add_test(tcase, raised_thread_preempts_another_cpu);
    tcase_add_test(tcase, lowered_thread_on_another_cpu_gives_way);
    tcase_add_test(tcase, priority_of_blocked_thread_counts_when_it_wakes);
    return tcase;
}
