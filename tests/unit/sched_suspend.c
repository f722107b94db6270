/* SPDX-License-Identifier: MIT */
/* Whole processes stopped and let go; threads that end where they are. */
#include "cpu_world.h"

static bool is_suspended(const struct process *process) {
    return (process->object.signals & AX_SIGNAL_SUSPENDED) != 0;
}

START_TEST(suspend_stops_running_and_ready_threads) {
    machine_start(2);
    struct process *process = driver_process();
    struct thread *threads[3];
    for (unsigned i = 0; i < 3; i++)
        threads[i] = driver_thread_with(process, 10, 0);
    expect(control(process, AX_PROCESS_SUSPEND), AX_OK);
    ck_assert(is_suspended(process));
    for (unsigned i = 0; i < 3; i++)
        ck_assert(threads[i]->state == THREAD_READY && threads[i]->held);
    ck_assert_ptr_null(kernel->cpus[0].current);
    ck_assert_ptr_null(kernel->cpus[1].current);
    expect(control(process, AX_PROCESS_RESUME), AX_OK);
    ck_assert(!is_suspended(process));
    ck_assert_int_eq(runs(threads[0]) + runs(threads[1]) + runs(threads[2]), 2);
    machine_stop();
}
END_TEST

START_TEST(suspends_are_counted) {
    machine_start(1);
    struct process *process = driver_process();
    struct thread *thread = driver_thread(process);
    expect(control(process, AX_PROCESS_SUSPEND), AX_OK);
    expect(control(process, AX_PROCESS_SUSPEND), AX_OK);
    expect(control(process, AX_PROCESS_RESUME), AX_OK);
    ck_assert(!runs(thread) && is_suspended(process));
    expect(control(process, AX_PROCESS_RESUME), AX_OK);
    ck_assert(runs(thread));
    expect(control(process, AX_PROCESS_RESUME), AX_ERR_STATE);
    machine_stop();
}
END_TEST

/* The thread of another process, on the second CPU, which does not yet know that it is suspended.
 */
static struct thread *suspend_from_afar(ax_handle *handle) {
    struct process *process = driver_process();
    struct thread *thread = driver_thread(process);
    pin(thread, 2);
    driver_settle();
    ck_assert(runs_on(thread, 1));
    struct thread *root = driver_root_thread();
    with_lock(thread_interrupt, root);
    *handle = driver_process_handle(process);
    pin(root, 1);
    kernel->cpus[1].kicked = false;
    driver_run(root);
    expect(kcall(root, AX_CALL_PROCESS_CONTROL, *handle, AX_PROCESS_SUSPEND), AX_OK);
    ck_assert(!is_suspended(process));
    ck_assert(model_cpu_is_pending(1)); /* it was kicked */
    return thread;
}

static void resume(ax_handle handle) {
    expect(kcall(driver_root_thread(), AX_CALL_PROCESS_CONTROL, handle, AX_PROCESS_RESUME), AX_OK);
}

/* The signal comes when the last thread has left its CPU, not before. */
START_TEST(suspended_is_told_when_it_is_true) {
    ax_handle handle;
    machine_start_manual(2);
    struct thread *thread = suspend_from_afar(&handle);
    driver_step(1);
    ck_assert(thread->held && is_suspended(thread->process));
    resume(handle);
    machine_stop();
}
END_TEST

/* A thread that gives way while the word of its suspension is still on its way to its CPU. */
START_TEST(a_thread_that_gives_way_is_stopped_too) {
    ax_handle handle;
    machine_start_manual(2);
    struct thread *thread = suspend_from_afar(&handle);
    driver_yield_late(thread);
    ck_assert(thread->held && is_suspended(thread->process));
    resume(handle);
    driver_step(1);
    ck_assert(runs_on(thread, 1));
    machine_stop();
}
END_TEST

/* What a blocked thread waits for goes on; its thread does not. */
START_TEST(blocked_call_ends_while_suspended) {
    machine_start(2);
    struct process *process = driver_process(), *other = driver_process();
    struct thread *waiter = driver_thread(process), *signaller = driver_thread(other);
    ax_result event = kcall(waiter, AX_CALL_OBJECT_CREATE, AX_TYPE_EVENT);
    ax_handle there = driver_copy(process, (ax_handle)event, other, AX_RIGHT_ALL);
    expect(kcall(waiter, AX_CALL_OBJECT_WAIT, (uint64_t)event, 1, AX_TIME_NEVER), DRIVER_BLOCKED);
    expect(control(process, AX_PROCESS_SUSPEND), AX_OK);
    ck_assert(is_suspended(process));
    expect(kcall(signaller, AX_CALL_OBJECT_SIGNAL, there, 0, 1), AX_OK);
    ck_assert(waiter->state == THREAD_READY && waiter->held);
    expect(control(process, AX_PROCESS_RESUME), AX_OK);
    ck_assert(runs(waiter));
    expect(driver_answer(waiter), 1);
    machine_stop();
}
END_TEST

START_TEST(thread_made_while_suspended_waits) {
    machine_start(1);
    struct process *process = driver_process();
    expect(control(process, AX_PROCESS_SUSPEND), AX_OK);
    struct thread *thread = driver_thread(process);
    ck_assert(thread->held && !runs(thread));
    with_lock(sched_hold, thread); /* once more makes no difference */
    set_priority(thread, 30);
    pin(thread, 1);
    ck_assert(thread->held);
    expect(control(process, AX_PROCESS_RESUME), AX_OK);
    ck_assert(runs(thread));
    machine_stop();
}
END_TEST

START_TEST(suspended_process_can_be_ended) {
    machine_start(2);
    struct process *process = driver_process();
    driver_thread(process);
    struct thread *blocked = driver_thread(process);
    sleep_for_ever(blocked);
    expect(control(process, AX_PROCESS_SUSPEND), AX_OK);
    kill(process, AX_CAUSE_KILLED);
    ck_assert_int_eq(process->state, PROCESS_CORPSE);
    ck_assert(!is_suspended(process));
    ck_assert_uint_eq(process->live_threads, 0);
    machine_stop();
}
END_TEST

START_TEST(thread_ends_on_another_cpu) {
    machine_start_manual(2);
    struct process *process = driver_process();
    struct thread *thread = driver_thread(process);
    pin(thread, 2);
    driver_settle();
    struct thread *root = driver_root_thread();
    with_lock(thread_interrupt, root);
    pin(root, 1);
    driver_run(root);
    expect(kcall(root, AX_CALL_PROCESS_END, driver_process_handle(process), AX_CAUSE_KILLED, 0),
           AX_OK);
    for (unsigned i = 0; i < 10; i++)
        driver_step(0);
    ck_assert_int_eq(process->state, PROCESS_ENDING); /* waits for the other CPU */
    ck_assert_int_eq(thread->state, THREAD_ENDED);
    ck_assert(thread->on_cpu && thread->user_created);
    driver_check_invariants();
    driver_step(1);
    driver_settle();
    ck_assert_int_eq(process->state, PROCESS_CORPSE);
    machine_stop();
}
END_TEST

/* It was ended while in user mode: what it brings comes too late. */
START_TEST(event_of_an_ended_thread_is_dropped) {
    machine_start_manual(2);
    struct process *process = driver_process();
    struct thread *thread = driver_thread(process);
    pin(thread, 2);
    driver_settle();
    ax_result event = kcall(thread, AX_CALL_OBJECT_CREATE, AX_TYPE_EVENT);
    ck_assert_int_gt(event, 0);
    struct object *object = driver_object(process, (ax_handle)event);
    struct thread *root = driver_root_thread();
    with_lock(thread_interrupt, root);
    pin(root, 1);
    driver_run(root);
    expect(kcall(root, AX_CALL_PROCESS_END, driver_process_handle(process), AX_CAUSE_KILLED, 0),
           AX_OK);
    struct hal_event call = {
        .kind = HAL_EVENT_CALL,
        .call = {.number = AX_CALL_OBJECT_SIGNAL, .arguments = {(uint64_t)event, 0, 1}}};
    ck_assert_uint_eq(object->signals, 0);
    model_cpu_set(1);
    uint64_t calls = kernel->counters.kernel_calls;
    kernel_lock();
    cpu_handle(&kernel->cpus[1], &call);
    kernel_unlock();
    ck_assert_uint_eq(kernel->counters.kernel_calls, calls);
    kernel_lock();
    cpu_prepare(&kernel->cpus[1]);
    kernel_unlock();
    model_cpu_set(0);
    machine_stop();
}
END_TEST

START_TEST(exit_clears_its_word_and_wakes) {
    machine_start(2);
    struct process *process = driver_process();
    struct thread *waiter = driver_thread(process), *leaver = driver_thread(process);
    uint64_t address = driver_map(process, 0x500000, 1, AX_PROT_READ | AX_PROT_WRITE);
    uint32_t word = 77;
    driver_write(process, address + 8, &word, sizeof(word));
    expect(kcall(waiter, AX_CALL_FUTEX_WAIT, address + 8, 77, UINT32_MAX, AX_TIME_NEVER),
           DRIVER_BLOCKED);
    expect(kcall(leaver, AX_CALL_THREAD_EXIT, address + 8, 0), DRIVER_ENDED);
    expect(driver_answer(waiter), AX_OK);
    driver_read(process, address + 8, &word, sizeof(word));
    ck_assert_uint_eq(word, 0);
    ck_assert_int_eq(process->state, PROCESS_OPEN);
    machine_stop();
}
END_TEST

TCase *sched_suspend_tests(void) {
    TCase *tcase = tcase_create("sched_suspend");
    tcase_add_test(tcase, suspend_stops_running_and_ready_threads);
    tcase_add_test(tcase, suspends_are_counted);
    tcase_add_test(tcase, suspended_is_told_when_it_is_true);
    tcase_add_test(tcase, a_thread_that_gives_way_is_stopped_too);
    tcase_add_test(tcase, blocked_call_ends_while_suspended);
    tcase_add_test(tcase, thread_made_while_suspended_waits);
    tcase_add_test(tcase, suspended_process_can_be_ended);
    tcase_add_test(tcase, thread_ends_on_another_cpu);
    tcase_add_test(tcase, event_of_an_ended_thread_is_dropped);
    tcase_add_test(tcase, exit_clears_its_word_and_wakes);
    return tcase;
}
