/* SPDX-License-Identifier: MIT */
/* Numbers, results, restarts. */
#include "cpu_world.h"

START_TEST(unknown_numbers_are_refused) {
    const uint64_t numbers[] = {AX_CALL_COUNT, AX_CALL_COUNT + 1, UINT32_MAX,
                                UINT64_C(1) << 32 | AX_CALL_OBJECT_CREATE, UINT64_MAX};
    machine_start(1);
    struct thread *thread = driver_thread(driver_process());
    expect(kcall(thread, numbers[_i], AX_TYPE_EVENT), AX_ERR_NO_CALL);
    machine_stop();
}
END_TEST

/* Every call exists, and none is upset by arguments that are all wrong. */
START_TEST(every_call_survives_bad_arguments) {
    const uint64_t values[] = {0, 1, UINT32_MAX, UINT64_C(1) << 63, UINT64_MAX, 0x7777777777777777};
    machine_start(1);
    for (uint64_t number = 0; number < AX_CALL_COUNT; number++) {
        uint64_t value = values[_i];
        struct thread *thread = driver_thread(driver_process());
        memset(&thread->page->ipc, (int)value, sizeof(thread->page->ipc));
        memset(thread->page->buffer, (int)value, sizeof(thread->page->buffer));
        ax_result result = kcall(thread, number, value, value, value, value, value);
        if (result != DRIVER_BLOCKED && result != DRIVER_ENDED && number != AX_CALL_RESUME)
            ck_assert_int_ne(result, AX_ERR_NO_CALL);
        driver_check_invariants();
        if (result != DRIVER_ENDED) {
            kernel_lock();
            process_end(thread->process, AX_CAUSE_KILLED, 0, 0, 0);
            kernel_unlock();
            driver_settle();
        }
    }
    machine_stop();
}
END_TEST

START_TEST(calls_and_entries_are_counted) {
    machine_start(1);
    struct thread *thread = driver_thread(driver_process());
    uint64_t calls = kernel->counters.kernel_calls, entries = kernel->counters.kernel_entries;
    kcall(thread, AX_CALL_OBJECT_CREATE, AX_TYPE_EVENT);
    ck_assert_uint_eq(kernel->counters.kernel_calls, calls + 1);
    driver_step(0); /* a kick */
    ck_assert_uint_eq(kernel->counters.kernel_calls, calls + 1);
    ck_assert_uint_ge(kernel->counters.kernel_entries, entries + 2);
    machine_stop();
}
END_TEST

static struct ax_trace_entry trace_last(enum ax_trace kind) {
    const struct trace *trace = &kernel->trace;
    for (uint64_t i = trace->written; i-- > 0;) {
        if (trace->entries[i & (trace->size - 1)].kind == kind)
            return trace->entries[i & (trace->size - 1)];
    }
    ck_abort_msg("no entry of kind %d", kind);
}

START_TEST(trace_tells_calls_and_results) {
    machine_start(1);
    struct thread *thread = driver_thread(driver_process());
    uint64_t written = kernel->trace.written;
    kcall(thread, AX_CALL_OBJECT_CREATE, AX_TYPE_EVENT);
    ck_assert_uint_eq(kernel->trace.written, written); /* off */
    kernel->trace.mask = 1U << AX_TRACE_ENTRY | 1U << AX_TRACE_RESULT;
    ax_result handle = kcall(thread, AX_CALL_OBJECT_CREATE, AX_TYPE_EVENT);
    struct ax_trace_entry result = trace_last(AX_TRACE_RESULT);
    ck_assert_uint_eq(result.a, AX_CALL_OBJECT_CREATE);
    ck_assert_uint_eq(result.b, (uint64_t)handle);
    ck_assert_uint_eq(result.thread, thread->object.id);
    ck_assert_uint_eq(result.cpu, 0);
    expect(kcall(thread, AX_CALL_OBJECT_WAIT_MANY, 99), AX_ERR_ARGUMENT);
    ck_assert_int_eq((int64_t)trace_last(AX_TRACE_RESULT).b, AX_ERR_ARGUMENT);
    machine_stop();
}
END_TEST

START_TEST(trace_tells_entries_and_switches) {
    machine_start(1);
    struct process *process = driver_process();
    struct thread *thread = driver_thread(process), *other = driver_thread(process);
    kernel->trace.mask = UINT64_MAX;
    sleep_for_ever(thread);
    ck_assert_uint_eq(trace_last(AX_TRACE_SWITCH).b, other->object.id);
    struct hal_event event = {.kind = HAL_EVENT_FAULT};
    event.fault.fault = AX_FAULT_DIVIDE;
    event.fault.address = 0x1234;
    driver_event(other, &event);
    bool found = false;
    for (uint64_t i = 0; i < kernel->trace.size; i++) {
        const struct ax_trace_entry *entry = &kernel->trace.entries[i];
        found = found || (entry->kind == AX_TRACE_ENTRY && entry->a == HAL_EVENT_FAULT &&
                          entry->b == 0x1234);
    }
    ck_assert(found);
    ck_assert_uint_eq(trace_last(AX_TRACE_END).a, process->object.id);
    ck_assert_uint_eq(trace_last(AX_TRACE_END).b, AX_CAUSE_FAULT);
    machine_stop();
}
END_TEST

static uint64_t told_count, told_first;

static void trace_hook(void *context, const struct ax_trace_entry *entry) {
    (void)context;
    const struct trace *trace = &kernel->trace;
    if (told_count == 0)
        told_first = entry->kind;
    told_count++;
    ck_assert_mem_eq(entry, &trace->entries[(trace->written - 1) & (trace->size - 1)],
                     sizeof(*entry));
}

/* The ring keeps the end of it only; the machine gets all of it. */
START_TEST(trace_reaches_a_machine_that_wants_it_from_the_first_moment) {
    struct driver_config config = {
        .model = {.hooks.trace = trace_hook, .trace_mask = 1U << AX_TRACE_SWITCH}};
    told_count = 0;
    driver_start(&config);
    ck_assert_uint_eq(told_first, AX_TRACE_SWITCH);
    ck_assert_uint_eq(told_count, kernel->trace.written);
    sleep_for_ever(driver_root_thread());
    kernel->trace.mask = UINT64_MAX;
    struct thread *thread = driver_thread(driver_process());
    while (kernel->trace.written <= 2 * kernel->trace.size)
        kcall(thread, AX_CALL_OBJECT_WAIT_MANY, 99);
    ck_assert_uint_eq(told_count, kernel->trace.written);
    machine_stop();
}
END_TEST

/* ---- Restarts -------------------------------------------------------------------------------- */

#define LONG_PAGES UINT64_C(500)

/* The arguments of a call that takes many portions: mapping and making all these pages. */
static struct hal_event long_call(struct thread *thread) {
    struct ax_map_request request = {.size_bytes = LONG_PAGES * AX_PAGE_SIZE,
                                     .prot = AX_PROT_READ | AX_PROT_WRITE,
                                     .flags = AX_MAP_POPULATE | AX_MAP_PRIVATE};
    memcpy(thread->page->buffer, &request, sizeof(request));
    return (struct hal_event){.kind = HAL_EVENT_CALL, .call = {.number = AX_CALL_MEMORY_MAP}};
}

static void big_machine_start_manual(uint32_t cpu_count) {
    struct driver_config config = {
        .model = {.cpu_count = cpu_count, .memory_bytes = UINT64_C(16) << 20, .irq_count = 4},
        .manual = true};
    driver_start(&config);
    sleep_for_ever(driver_root_thread());
}

START_TEST(long_call_is_made_in_portions) {
    big_machine_start_manual(1);
    struct thread *thread = driver_thread(driver_process());
    driver_settle();
    struct hal_event event = long_call(thread);
    uint64_t before = kernel->counters.restarts;
    driver_event(thread, &event);
    expect(driver_answer(thread), DRIVER_RESTART);
    unsigned steps = 0;
    while (driver_answer(thread) == DRIVER_RESTART) {
        driver_check_invariants();
        driver_step(0);
        steps++;
    }
    ck_assert_int_gt(driver_answer(thread), 0);
    ck_assert_uint_ge(steps, LONG_PAGES / (4 * WORK_PORTION));
    ck_assert_uint_ge(kernel->counters.restarts, before + steps);
    ck_assert_uint_eq(kernel->counters.kernel_calls, 1 + 1); /* root's sleep, and this: one call */
    machine_stop();
}
END_TEST

START_TEST(better_thread_runs_between_portions) {
    big_machine_start_manual(1);
    struct process *process = driver_process();
    struct thread *thread = driver_thread_with(process, 10, 0);
    driver_settle();
    struct hal_event event = long_call(thread);
    driver_event(thread, &event);
    expect(driver_answer(thread), DRIVER_RESTART);
    struct thread *better = driver_thread_with(driver_process(), 20, 0);
    driver_step(0);
    ck_assert(runs(better));
    expect(kcall(better, AX_CALL_OBJECT_CREATE, AX_TYPE_EVENT), 1);
    expect(driver_answer(thread), DRIVER_RESTART);
    sleep_for_ever(better);
    driver_settle();
    ck_assert_int_gt(driver_answer(thread), 0);
    machine_stop();
}
END_TEST

START_TEST(interrupts_and_timers_come_between_portions) {
    big_machine_start_manual(1);
    struct process *process = driver_process();
    struct thread *sleeper = driver_thread_with(process, 20, 0);
    struct thread *thread = driver_thread_with(process, 10, 0);
    expect(kcall(sleeper, AX_CALL_OBJECT_WAIT_MANY, 0, hal_time_ns() + 1000), DRIVER_BLOCKED);
    struct hal_event event = long_call(thread);
    driver_event(thread, &event);
    expect(driver_answer(thread), DRIVER_RESTART);
    hal_irq_unmask(2);
    model_irq_raise(2, 0);
    model_time_advance(1000);
    uint64_t interrupts = kernel->counters.interrupts;
    driver_step(0);
    driver_step(0);
    driver_step(0);
    ck_assert_uint_eq(kernel->counters.interrupts, interrupts + 1);
    ck_assert(runs(sleeper));
    expect(driver_answer(sleeper), AX_ERR_TIMEOUT);
    expect(driver_answer(thread), DRIVER_RESTART);
    sleep_for_ever(sleeper);
    driver_settle();
    ck_assert_int_gt(driver_answer(thread), 0);
    machine_stop();
}
END_TEST

START_TEST(restarting_call_waits_while_suspended) {
    big_machine_start_manual(1);
    struct process *process = driver_process();
    struct thread *thread = driver_thread(process);
    struct hal_event event = long_call(thread);
    driver_event(thread, &event);
    process->suspended++;
    with_lock(sched_hold, thread);
    driver_settle();
    expect(driver_answer(thread), DRIVER_RESTART);
    ck_assert(thread->held);
    process->suspended--;
    with_lock(sched_release, thread);
    driver_settle();
    ck_assert_int_gt(driver_answer(thread), 0);
    machine_stop();
}
END_TEST

START_TEST(memory_comes_back_when_killed_between_portions) {
    big_machine_start_manual(1);
    struct account *account = driver_account(UINT64_C(4) << 20, 1000);
    struct process *process = driver_process_of(account);
    struct thread *thread = driver_thread(process);
    struct hal_event event = long_call(thread);
    driver_event(thread, &event);
    for (int i = 0; i < _i; i++)
        driver_step(0);
    expect(driver_answer(thread), DRIVER_RESTART);
    struct thread *root = driver_root_thread();
    ax_handle handle = driver_process_handle(process);
    with_lock(thread_interrupt, root);
    driver_run(root);
    expect(kcall(root, AX_CALL_PROCESS_END, handle, AX_CAUSE_KILLED), AX_OK);
    driver_check_invariants();
    expect(kcall(root, AX_CALL_HANDLE_CLOSE, handle), AX_OK);
    driver_settle();
    ck_assert_uint_eq(account->used_bytes, 0);
    ck_assert_uint_eq(account->used_objects, 0);
    machine_stop();
}
END_TEST

/* What a call wakes when it is made again may be better than its caller. */
START_TEST(restarted_call_wakes_a_better_thread) {
    machine_start_manual(1);
    struct process *process = driver_process();
    struct thread *better = driver_thread_with(process, 20, 0);
    struct thread *thread = driver_thread_with(process, 10, 0);
    ax_result event = kcall(better, AX_CALL_OBJECT_CREATE, AX_TYPE_EVENT);
    expect(kcall(better, AX_CALL_OBJECT_WAIT, (uint64_t)event, 1, AX_TIME_NEVER), DRIVER_BLOCKED);
    ck_assert(runs(thread));
    thread->call_number = AX_CALL_OBJECT_SIGNAL;
    thread->arguments[0] = (uint64_t)event;
    thread->arguments[1] = 0;
    thread->arguments[2] = 1;
    thread->restarting = true;
    driver_step(0);
    driver_check_invariants();
    driver_step(0);
    ck_assert(runs(better));
    expect(driver_answer(thread), AX_OK);
    machine_stop();
}
END_TEST

/* Another thread of the process may be at it at the same time. */
START_TEST(two_long_calls_share_a_cpu) {
    big_machine_start_manual(1);
    struct process *process = driver_process();
    struct thread *a = driver_thread(process), *b = driver_thread(process);
    struct hal_event event = long_call(a);
    (void)long_call(b);
    driver_event(a, &event);
    driver_slice_end(0);
    driver_event(b, &event);
    driver_settle();
    driver_run(a);
    driver_settle();
    ck_assert_int_gt(driver_answer(a), 0);
    ck_assert_int_gt(driver_answer(b), 0);
    ck_assert_int_ne(driver_answer(a), driver_answer(b));
    machine_stop();
}
END_TEST

TCase *dispatch_tests(void) {
    TCase *tcase = tcase_create("dispatch_calls");
    tcase_add_loop_test(tcase, unknown_numbers_are_refused, 0, 5);
    tcase_add_loop_test(tcase, every_call_survives_bad_arguments, 0, 6);
    tcase_add_test(tcase, calls_and_entries_are_counted);
    tcase_add_test(tcase, trace_tells_calls_and_results);
    tcase_add_test(tcase, trace_tells_entries_and_switches);
    tcase_add_test(tcase, trace_reaches_a_machine_that_wants_it_from_the_first_moment);
    tcase_add_test(tcase, long_call_is_made_in_portions);
    tcase_add_test(tcase, better_thread_runs_between_portions);
    tcase_add_test(tcase, interrupts_and_timers_come_between_portions);
    tcase_add_test(tcase, restarting_call_waits_while_suspended);
    tcase_add_loop_test(tcase, memory_comes_back_when_killed_between_portions, 0, 3);
    tcase_add_test(tcase, restarted_call_wakes_a_better_thread);
    tcase_add_test(tcase, two_long_calls_share_a_cpu);
    return tcase;
}
