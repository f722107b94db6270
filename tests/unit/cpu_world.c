/* SPDX-License-Identifier: MIT */
#include "cpu_world.h"

static void start(uint32_t cpu_count, bool manual) {
    struct driver_config config = {
        .model = {.cpu_count = cpu_count, .table_frames = true, .irq_count = 16}};
    config.manual = manual;
    driver_start(&config);
}

void machine_start(uint32_t cpu_count) {
    start(cpu_count, false);
    sleep_for_ever(driver_root_thread());
}

void machine_start_manual(uint32_t cpu_count) {
    start(cpu_count, true);
    sleep_for_ever(driver_root_thread());
}

void machine_stop(void) {
    driver_check_invariants();
    driver_settle();
    driver_check_invariants();
    driver_stop();
}

void sleep_for_ever(struct thread *thread) {
    if (thread->interrupted)
        expect(kcall(thread, AX_CALL_THREAD_CONTROL, AX_HANDLE_NONE, AX_THREAD_TAKE), 1);
    expect(kcall(thread, AX_CALL_OBJECT_WAIT_MANY, 0, AX_TIME_NEVER), DRIVER_BLOCKED);
}

void with_lock(void (*function)(struct thread *thread), struct thread *thread) {
    kernel_lock();
    function(thread);
    kernel_unlock();
}

void pin(struct thread *thread, uint64_t cpus) {
    kernel_lock();
    sched_set_affinity(thread, cpus);
    kernel_unlock();
    driver_settle();
}

void set_priority(struct thread *thread, uint8_t priority) {
    kernel_lock();
    thread->base_priority = priority;
    sched_set_priority(thread, priority);
    kernel_unlock();
    driver_settle();
}

bool runs(const struct thread *thread) {
    return thread->state == THREAD_RUNNING;
}

bool runs_on(const struct thread *thread, uint32_t cpu) {
    return runs(thread) && thread->cpu->id == cpu && kernel->cpus[cpu].current == thread;
}

/* Root's thread sleeps; it is interrupted, makes the call, and sleeps again. */
static ax_result by_root(enum ax_call number, const uint64_t arguments[5]) {
    struct thread *root = driver_root_thread();
    with_lock(thread_interrupt, root);
    driver_settle();
    ax_result result = kcall_array(root, number, arguments);
    sleep_for_ever(root);
    return result;
}

ax_result control(const struct process *process, enum ax_process_op op) {
    const uint64_t arguments[5] = {driver_process_handle(process), op};
    return by_root(AX_CALL_PROCESS_CONTROL, arguments);
}

void kill(const struct process *process, enum ax_cause cause) {
    const uint64_t arguments[5] = {driver_process_handle(process), cause, 9};
    expect(by_root(AX_CALL_PROCESS_END, arguments), AX_OK);
}

struct ax_object_info info_of(const struct process *process) {
    struct ax_object_info info;
    const uint64_t arguments[5] = {driver_process_handle(process)};
    expect(by_root(AX_CALL_OBJECT_INFO, arguments), AX_OK);
    memcpy(&info, driver_root_thread()->page->buffer, sizeof(info));
    return info;
}
