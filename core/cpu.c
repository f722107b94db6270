/* SPDX-License-Identifier: MIT */
#include "cpu.h"

#include <base/memory.h>

#include "calls.h"
#include "kernel.h"
#include "process.h"
#include "thread.h"
#include "upcall.h"

void kernel_lock(void) {
    uint32_t own = hal_cpu_id() + 1;
    uint32_t holder = 0;
    while (!atomic_compare_exchange_strong_explicit(&kernel->lock, &holder, own,
                                                    memory_order_acquire, memory_order_relaxed)) {
        ASSERT(holder != own);
        do
            hal_cpu_pause();
        while (atomic_load_explicit(&kernel->lock, memory_order_relaxed) != 0);
        holder = 0;
    }
    cpu_this()->locked_ns = hal_time_ns();
}

void kernel_unlock(void) {
    struct ax_counters *counters = &kernel->counters;
    uint64_t held_ns = hal_time_ns() - cpu_this()->locked_ns;
    counters->lock_held_ns += held_ns;
    if (held_ns > counters->lock_held_max_ns)
        counters->lock_held_max_ns = held_ns;
    ASSERT(atomic_load_explicit(&kernel->lock, memory_order_relaxed) == hal_cpu_id() + 1);
    atomic_store_explicit(&kernel->lock, 0, memory_order_release);
}

/* ---- Prepare --------------------------------------------------------------------------------- */

/*
 * Brings every change of a space made so far into force (space.h). The lock is released meanwhile,
 * so afterwards everything may be different.
 */
static void sync_spaces(void) {
    uint64_t until = kernel->frames.changes;
    uint64_t change;
    struct process *process;
    while ((process = space_sync_begin(until, &change)) != NULL) {
        kernel_unlock();
        hal_space_sync(&process->space.hal);
        kernel_lock();
        kernel->counters.space_syncs++;
        space_sync_end(process, change);
    }
    frame_reclaim();
}

/* What the picked thread has to do before it enters user mode. False: it cannot enter it now. */
static bool thread_is_prepared(struct thread *thread) {
    if (thread->restarting) {
        call_dispatch(thread);
        return false; /* though it may be done: whom it woke may be better */
    }
    if (thread->interrupted)
        upcall_interrupt(thread);
    return thread->state == THREAD_RUNNING;
}

/* The deadline: this one, or whatever comes before it. */
static void deadline_update(struct cpu *cpu, uint64_t deadline_ns) {
    if (due_next(cpu) < deadline_ns)
        deadline_ns = due_next(cpu);
    if (sched_slice_end(cpu) < deadline_ns)
        deadline_ns = sched_slice_end(cpu);
    if (deadline_ns != cpu->deadline_ns)
        hal_deadline_set(deadline_ns);
    cpu->deadline_ns = deadline_ns;
}

static void enter_user(struct cpu *cpu) {
    struct thread *thread = cpu->current;
    ASSERT(thread->state == THREAD_RUNNING && thread->on_cpu && thread->user_created);
    if (thread != cpu->last) {
        cpu->last = thread;
        kernel->counters.switches++;
        TRACE(AX_TRACE_SWITCH, 0, thread->object.id);
    }
    thread->page->cpu = cpu->id;
}

void cpu_prepare(struct cpu *cpu) {
    cpu->kicked = false;
    log_show();
    work_run(WORK_PORTION);
    bool more_is_due = due_fire(cpu);
    sync_spaces();
    struct thread *thread = sched_pick(cpu);
    cpu->poll = thread == NULL ? work_is_pending() : !thread_is_prepared(thread);
    /* A call made again, or another CPU while the lock was free, may have changed spaces. */
    if (more_is_due || !space_is_synced(kernel->frames.changes))
        cpu->poll = true;
    sched_leave(cpu);
    bool shares = cpu->current != NULL && work_is_pending();
    if (shares)
        sched_kick_idle();
    deadline_update(cpu, shares ? hal_time_ns() + WORK_GAP_NS : UINT64_MAX);
    if (cpu->current != NULL)
        enter_user(cpu);
}

void cpu_run(struct cpu *cpu, struct hal_event *event) {
    if (cpu->poll)
        hal_cpu_kick(cpu->id); /* so that the wait returns at once, with whatever is pending */
    if (cpu->current == NULL || cpu->poll)
        hal_cpu_wait(event);
    else
        hal_user_run(&cpu->current->user, &cpu->current->process->space.hal, event);
}

/* ---- Handle ---------------------------------------------------------------------------------- */

static void handle_call(struct thread *thread, const struct hal_event *event) {
    uint64_t number = event->call.number;
    thread->call_number = number < AX_CALL_COUNT ? (uint32_t)number : AX_CALL_COUNT;
    memcpy(thread->arguments, event->call.arguments, sizeof(thread->arguments));
    thread->progress[0] = 0;
    thread->progress[1] = 0;
    thread->waits_for_memory = false;
    thread->patience = MEMORY_PATIENCE;
    kernel->counters.kernel_calls++;
    call_dispatch(thread);
}

/* A page fault that memory might resolve a little later is simply met again. */
static void handle_fault(struct thread *thread, const struct hal_event *event) {
    uint32_t fault = event->fault.fault;
    if (fault == AX_FAULT_UNMAPPED) {
        bool was_coming = memory_try();
        kernel->counters.page_faults++;
        thread->process->page_faults++;
        ax_result result =
            page_fault(thread->process, event->fault.address, event->fault.access, &fault);
        if (result == RESULT_RESTART || memory_may_come(thread, result, was_coming))
            return;
        thread->patience = MEMORY_PATIENCE; /* for the next */
        if (result >= 0)
            return;
    }
    upcall_fault(thread, fault, event->fault.address, event->fault.access);
}

/* What the current thread brought from user mode. */
static void handle_thread_event(struct thread *thread, const struct hal_event *event) {
    ASSERT(thread != NULL);
    if (thread->state != THREAD_RUNNING)
        return; /* it was ended while it was there: this comes too late */
    switch (event->kind) {
    case HAL_EVENT_CALL: handle_call(thread, event); break;
    case HAL_EVENT_BOUNCE: upcall_bounce(thread); break;
    case HAL_EVENT_FAULT: handle_fault(thread, event); break;
    default: process_end(thread->process, AX_CAUSE_MACHINE, AX_FAULT_NONE, 0, 0); break;
    }
}

void cpu_handle(struct cpu *cpu, const struct hal_event *event) {
    kernel->counters.kernel_entries++;
    TRACE(AX_TRACE_ENTRY, event->kind,
          event->kind == HAL_EVENT_CALL        ? event->call.number
          : event->kind == HAL_EVENT_FAULT     ? event->fault.address
          : event->kind == HAL_EVENT_INTERRUPT ? event->irq
                                               : 0);
    if (cpu->current != NULL)
        sched_account(cpu);
    switch (event->kind) {
    case HAL_EVENT_INTERRUPT:
        kernel->counters.interrupts++;
        irq_raise(event->irq);
        break;
    case HAL_EVENT_TIMER: cpu->deadline_ns = UINT64_MAX; break; /* prepare sees what is due */
    case HAL_EVENT_KICK: break;
    default: handle_thread_event(cpu->current, event); break;
    }
    sched_leave(cpu);
}

/* ---- The loop -------------------------------------------------------------------------------- */

void core_cpu_main(void) {
    struct cpu *cpu = cpu_this();
    kernel_lock();
    cpu->online = true;
    for (;;) {
        struct hal_event event;
        cpu_prepare(cpu);
        kernel_unlock();
        cpu_run(cpu, &event);
        kernel_lock();
        cpu_handle(cpu, &event);
    }
}

void core_start(void) {
    core_init();
    for (uint32_t id = 1; id < kernel->cpu_count; id++) {
        if (hal_cpu_start(id))
            continue;
        kernel_lock();
        log_line("CPU %u does not start", id);
        kernel_unlock();
    }
    core_cpu_main();
}
