/* SPDX-License-Identifier: MIT */
#include <base/memory.h>

#include "calls.h"
#include "kernel.h"
#include "process.h"
#include "thread.h"

ax_result sys_thread_create(struct thread *thread, const uint64_t arguments[5]) {
    struct process *process;
    struct place place;
    struct thread *made;
    TRY(process_lookup(thread, (ax_handle)arguments[0], AX_RIGHT_THREADS, &process));
    if (arguments[1] >= AX_USER_END)
        return AX_ERR_ARGUMENT;
    TRY(place_decode(thread, arguments[4], &place));
    ax_result result =
        thread_make(process, UINT32_MAX, thread->label, thread->base_priority, &made);
    if (result != AX_OK) {
        place_cancel(&place);
        return result;
    }
    ax_regs_start(&made->user.regs, arguments[1], arguments[2], arguments[3]);
    sched_ready(made);
    return place_put(&place, &made->object, AX_RIGHT_ALL);
}

ax_result sys_thread_exit(struct thread *thread, const uint64_t arguments[5]) {
    uint64_t address = arguments[0];
    if (address % sizeof(uint32_t) != 0)
        return AX_ERR_ARGUMENT;
    /* A page that must be copied or made for the word is got now, when that can still fail. */
    if (address != 0) {
        struct frame *frame;
        ax_result result = page_resolve(thread->process, address, AX_PROT_WRITE, false, &frame);
        if (result == AX_ERR_MEMORY || result == AX_ERR_LIMIT || result == RESULT_RESTART)
            return result;
    }
    if ((ax_handle)arguments[2] != AX_HANDLE_NONE)
        TRY(handle_close(thread->process, (ax_handle)arguments[2]));
    thread->clear_address = address;
    thread_end(thread, AX_CAUSE_EXIT, (int64_t)arguments[1]);
    return RESULT_NONE;
}

/* ---- Control --------------------------------------------------------------------------------- */

static ax_result thread_set_regs(struct thread *caller, struct thread *thread) {
    struct ax_regs regs;
    if (thread->state != THREAD_READY || thread->on_cpu || thread->restarting)
        return AX_ERR_STATE;
    memcpy(&regs, caller->page->buffer, sizeof(regs));
    ax_regs_sanitize(&regs);
    if (!ax_regs_are_valid(&regs))
        return AX_ERR_ARGUMENT;
    thread->user.regs = regs;
    return AX_OK;
}

static ax_result thread_set_priority(struct thread *caller, struct thread *thread, uint64_t value) {
    if (value >= AX_PRIORITY_COUNT)
        return AX_ERR_ARGUMENT;
    if (value > caller->base_priority)
        return AX_ERR_RIGHTS;
    thread->base_priority = (uint8_t)value;
    priority_update(thread);
    return AX_OK;
}

static ax_result thread_set_affinity(struct thread *thread, uint64_t mask) {
    uint64_t cpus =
        kernel->cpu_count == AX_CPU_MAX ? UINT64_MAX : (UINT64_C(1) << kernel->cpu_count) - 1;
    if ((mask & cpus) == 0)
        return AX_ERR_ARGUMENT;
    sched_set_affinity(thread, mask);
    return AX_OK;
}

static ax_result thread_take(struct thread *thread) {
    bool pending = thread->interrupted;
    thread->interrupted = false;
    thread->page->pending = 0;
    return pending;
}

static const uint32_t control_rights[] = {
    [AX_THREAD_INTERRUPT] = AX_RIGHT_CONTROL, [AX_THREAD_TAKE] = AX_RIGHT_CONTROL,
    [AX_THREAD_PRIORITY] = AX_RIGHT_CONTROL,  [AX_THREAD_AFFINITY] = AX_RIGHT_CONTROL,
    [AX_THREAD_GET_REGS] = AX_RIGHT_INSPECT,  [AX_THREAD_SET_REGS] = AX_RIGHT_CHANGE,
};

ax_result sys_thread_control(struct thread *caller, const uint64_t arguments[5]) {
    struct thread *thread = caller;
    uint64_t op = arguments[1];
    if (op >= sizeof(control_rights) / sizeof(control_rights[0]))
        return AX_ERR_ARGUMENT;
    if (arguments[0] != AX_HANDLE_NONE)
        TRY(handle_get(caller, arguments[0], AX_TYPE_THREAD, control_rights[op], &thread));
    if (op == AX_THREAD_GET_REGS)
        memcpy(caller->page->buffer, &thread->user.regs, sizeof(thread->user.regs));
    if (op == AX_THREAD_GET_REGS || thread->state == THREAD_ENDED)
        return op == AX_THREAD_GET_REGS ? AX_OK : AX_ERR_ENDED;
    switch (op) {
    case AX_THREAD_INTERRUPT: thread_interrupt(thread); return AX_OK;
    case AX_THREAD_TAKE: return thread == caller ? thread_take(thread) : AX_ERR_ARGUMENT;
    case AX_THREAD_PRIORITY: return thread_set_priority(caller, thread, arguments[2]);
    case AX_THREAD_AFFINITY: return thread_set_affinity(thread, arguments[2]);
    default: return thread_set_regs(caller, thread);
    }
}
