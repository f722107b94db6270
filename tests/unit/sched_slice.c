/* SPDX-License-Identifier: MIT */
/* Slices exist only while somebody waits for the CPU; time is accounted. */
#include "cpu_world.h"

START_TEST(no_deadline_when_alone) {
    machine_start(1);
    ck_assert_uint_eq(model_deadline(0), UINT64_MAX); /* idle */
    struct process *process = driver_process();
    struct thread *a = driver_thread(process);
    ck_assert(runs(a));
    ck_assert_uint_eq(model_deadline(0), UINT64_MAX);
    driver_thread_with(process, 5, 0); /* a lower one is nobody to share with */
    ck_assert_uint_eq(model_deadline(0), UINT64_MAX);
    machine_stop();
}
END_TEST

START_TEST(equals_take_turns) {
    machine_start(1);
    struct process *process = driver_process();
    struct thread *threads[3];
    for (unsigned i = 0; i < 3; i++)
        threads[i] = driver_thread(process);
    for (unsigned turn = 0; turn < 9; turn++) {
        ck_assert(runs(threads[turn % 3]));
        ck_assert_uint_eq(model_deadline(0), hal_time_ns() + SLICE_NS);
        driver_advance(SLICE_NS - 1);
        ck_assert(runs(threads[turn % 3]));
        driver_advance(1);
    }
    machine_stop();
}
END_TEST

START_TEST(slice_begins_when_an_equal_comes) {
    machine_start(2); /* the equal is made ready by the other CPU */
    struct process *process = driver_process();
    struct thread *a = driver_thread(process);
    pin(a, 1);
    ck_assert(runs_on(a, 0));
    ck_assert_uint_eq(model_deadline(0), UINT64_MAX);
    model_cpu_set(1);
    struct thread *b = driver_thread(process);
    model_cpu_set(0);
    ck_assert(runs_on(b, 1));
    sleep_for_ever(b);
    pin(b, 1);
    model_cpu_set(1);
    with_lock(thread_interrupt, b);
    driver_settle();
    model_cpu_set(0);
    ck_assert(runs_on(a, 0) && !runs(b));
    ck_assert_uint_le(model_deadline(0), hal_time_ns() + SLICE_NS);
    driver_advance(SLICE_NS);
    ck_assert(runs_on(b, 0));
    machine_stop();
}
END_TEST

START_TEST(preempted_slice_goes_on) {
    machine_start(1);
    struct process *process = driver_process();
    struct thread *a = driver_thread_with(process, 10, 0);
    driver_thread_with(process, 10, 0);
    driver_advance(SLICE_NS / 4);
    struct thread *high = driver_thread_with(process, 20, 0);
    driver_advance(SLICE_NS / 2); /* not a's time */
    sleep_for_ever(high);
    ck_assert(runs(a));
    ck_assert_uint_eq(model_deadline(0), hal_time_ns() + SLICE_NS - SLICE_NS / 4);
    machine_stop();
}
END_TEST

START_TEST(time_goes_to_thread_and_process) {
    machine_start(1);
    struct process *process = driver_process();
    struct thread *a = driver_thread(process);
    struct thread *b = driver_thread(process);
    driver_advance(3000);
    sleep_for_ever(a);
    ck_assert(runs(b));
    driver_advance(500);
    sleep_for_ever(b);
    ck_assert_uint_eq(a->cpu_ns, 3000);
    ck_assert_uint_eq(b->cpu_ns, 500);
    ck_assert_uint_eq(process->cpu_ns, 3500);
    driver_advance(10000); /* idle */
    ck_assert_uint_eq(process->cpu_ns, 3500);
    ck_assert_uint_eq(info_of(process).process.cpu_ns, 3500);
    machine_stop();
}
END_TEST

/* Time in the kernel counts as well: a call made again and again gives way to equals. */
START_TEST(a_long_call_uses_up_its_slice) {
    machine_start_manual(1);
    struct process *process = driver_process(), *other = driver_process();
    struct thread *copies = driver_thread(process), *equal = driver_thread(other);
    uint64_t from = driver_map(process, 0, 1000, AX_PROT_READ | AX_PROT_WRITE);
    ax_handle self = driver_handle(process, &process->object, AX_RIGHT_ALL);
    driver_settle();
    driver_run(copies);
    struct cpu *cpu = &kernel->cpus[0];
    struct hal_event event = {
        .kind = HAL_EVENT_CALL,
        .call = {.number = AX_CALL_PROCESS_COPY,
                 .arguments = {self, from, from, 1000 * AX_PAGE_SIZE, 0}},
    };
    unsigned portions = 0;
    kernel_lock();
    cpu_handle(cpu, &event);
    while (copies->restarting && cpu->current != equal && portions < 100) {
        portions++;
        model_time_advance(1000000);
        cpu_prepare(cpu);
        kernel_unlock();
        cpu_run(cpu, &event);
        kernel_lock();
        cpu_handle(cpu, &event);
    }
    kernel_unlock();
    ck_assert(cpu->current == equal && copies->restarting);
    ck_assert_uint_le(portions, 12);
    ck_assert_uint_ge(copies->cpu_ns, 9000000);
    machine_stop();
}
END_TEST

START_TEST(time_before_a_switch_counts) {
    machine_start_manual(1);
    struct thread *low = driver_thread_with(driver_process(), 10, 0);
    driver_run(low);
    struct thread *high = driver_thread_with(driver_process(), 20, 0);
    struct cpu *cpu = &kernel->cpus[0];
    kernel_lock();
    cpu_handle(cpu, &(struct hal_event){.kind = HAL_EVENT_KICK});
    model_time_advance(5000);
    cpu_prepare(cpu);
    kernel_unlock();
    ck_assert(runs(high));
    ck_assert_uint_eq(low->cpu_ns, 5000);
    ck_assert_uint_eq(high->cpu_ns, 0);
    machine_stop();
}
END_TEST

START_TEST(deadline_is_first_of_slice_and_timer) {
    machine_start(1);
    struct process *process = driver_process();
    struct thread *sleeper = driver_thread_with(process, 20, 0);
    struct thread *a = driver_thread_with(process, 10, 0);
    driver_thread_with(process, 10, 0);
    uint64_t wake_ns = hal_time_ns() + SLICE_NS / 2;
    expect(kcall(sleeper, AX_CALL_OBJECT_WAIT_MANY, 0, wake_ns), DRIVER_BLOCKED);
    ck_assert(runs(a));
    ck_assert_uint_eq(model_deadline(0), wake_ns);
    driver_advance(SLICE_NS / 2);
    ck_assert(runs(sleeper));
    expect(driver_answer(sleeper), AX_ERR_TIMEOUT);
    machine_stop();
}
END_TEST

START_TEST(deadline_is_set_only_when_it_changes) {
    machine_start(1);
    struct thread *a = driver_thread(driver_process());
    expect(kcall(a, AX_CALL_OBJECT_CREATE, AX_TYPE_EVENT), 1);
    hal_deadline_set(UINT64_MAX - 1); /* the loop does not know: it would have to set it again */
    kcall(a, AX_CALL_OBJECT_SIGNAL, 1, 0, 1);
    ck_assert_uint_eq(model_deadline(0), UINT64_MAX - 1);
    machine_stop();
}
END_TEST

TCase *sched_slice_tests(void) {
    TCase *tcase = tcase_create("sched_slice");
    tcase_add_test(tcase, no_deadline_when_alone);
    tcase_add_test(tcase, equals_take_turns);
    tcase_add_test(tcase, slice_begins_when_an_equal_comes);
    tcase_add_test(tcase, preempted_slice_goes_on);
    tcase_add_test(tcase, time_goes_to_thread_and_process);
    tcase_add_test(tcase, a_long_call_uses_up_its_slice);
    tcase_add_test(tcase, time_before_a_switch_counts);
    tcase_add_test(tcase, deadline_is_first_of_slice_and_timer);
    tcase_add_test(tcase, deadline_is_set_only_when_it_changes);
    return tcase;
}
