/* SPDX-License-Identifier: MIT */
#include <base/memory.h>

#include "account.h"
#include "calls.h"
#include "device.h"
#include "kernel.h"
#include "process.h"
#include "thread.h"

ax_result sys_process_create(struct thread *thread, const uint64_t arguments[5]) {
    struct account *account;
    struct place place;
    struct process *process = NULL;
    TRY(account_lookup(thread, arguments[0], &account));
    TRY(place_decode(thread, arguments[1], &place));
    ax_result result = process_make(account, &process);
    return place_made(&place, result, process, AX_RIGHT_PROCESS);
}

ax_result sys_process_end(struct thread *thread, const uint64_t arguments[5]) {
    struct process *process;
    TRY(process_lookup(thread, (ax_handle)arguments[0], AX_RIGHT_CONTROL, &process));
    if (arguments[1] < AX_CAUSE_EXIT || arguments[1] > AX_CAUSE_HUNG)
        return AX_ERR_ARGUMENT;
    if (process->state != PROCESS_OPEN)
        return AX_ERR_ENDED;
    process_end(process, (enum ax_cause)arguments[1], AX_FAULT_NONE, (int64_t)arguments[2], 0);
    return process == thread->process ? RESULT_NONE : AX_OK;
}

/* ---- Control --------------------------------------------------------------------------------- */

/* A process has at most AX_THREAD_MAX threads, and each costs a few steps: one portion. */
static ax_result process_suspend(struct process *process) {
    struct thread *thread;
    if (process->suspended == UINT32_MAX)
        return AX_ERR_LIMIT;
    if (process->suspended++ != 0)
        return AX_OK;
    list_for_each (thread, &process->threads, in_process)
        sched_hold(thread);
    if (process->running == 0)
        object_signal(&process->object, 0, AX_SIGNAL_SUSPENDED);
    return AX_OK;
}

static ax_result process_resume(struct process *process) {
    struct thread *thread;
    if (process->suspended == 0)
        return AX_ERR_STATE;
    if (--process->suspended != 0)
        return AX_OK;
    object_signal(&process->object, AX_SIGNAL_SUSPENDED, 0);
    list_for_each (thread, &process->threads, in_process)
        sched_release(thread);
    return AX_OK;
}

static ax_result process_label(struct process *process, uint64_t slot, uint64_t label) {
    struct thread *thread;
    bool found = slot == AX_ALL_THREADS;
    list_for_each (thread, &process->threads, in_process) {
        if (slot != AX_ALL_THREADS && slot != thread->slot)
            continue;
        thread->label = label;
        found = true;
    }
    return found ? AX_OK : AX_ERR_NOT_FOUND;
}

static ax_result process_personality(const struct thread *caller, struct process *process) {
    struct ax_personality wanted;
    struct thread *thread;
    memcpy(&wanted, caller->page->buffer, sizeof(wanted));
    if (wanted.entry >= AX_USER_END || wanted.recovery >= AX_USER_END ||
        wanted.range_restart >= AX_USER_END || wanted.range_start > wanted.range_end ||
        wanted.range_end > AX_USER_END)
        return AX_ERR_ARGUMENT;
    process->personality = wanted;
    list_for_each (thread, &process->threads, in_process)
        thread->page->personality = wanted;
    return AX_OK;
}

static ax_result process_thread(struct thread *caller, struct process *process, uint32_t rights,
                                uint64_t slot, uint64_t where) {
    struct thread *thread;
    list_for_each (thread, &process->threads, in_process) {
        if (thread->slot != slot)
            continue;
        struct place place;
        TRY(place_decode(caller, where, &place));
        return place_put(&place, &thread->object, rights);
    }
    return AX_ERR_NOT_FOUND;
}

static const uint32_t control_rights[] = {
    [AX_PROCESS_SUSPEND] = AX_RIGHT_CONTROL, [AX_PROCESS_RESUME] = AX_RIGHT_CONTROL,
    [AX_PROCESS_LABEL] = AX_RIGHT_CONTROL,   [AX_PROCESS_PERSONALITY] = AX_RIGHT_THREADS,
    [AX_PROCESS_THREAD] = AX_RIGHT_INSPECT,  [AX_PROCESS_RELEASE] = AX_RIGHT_CONTROL,
};

/* Needs a real handle for what a process may not do to itself: label and suspend; for a label also
 * the authority, which is of the whole system. */
static ax_result control_lookup(struct thread *thread, const uint64_t arguments[5],
                                struct process **process, uint32_t *rights) {
    uint64_t op = arguments[1];
    if (op >= sizeof(control_rights) / sizeof(control_rights[0]))
        return AX_ERR_ARGUMENT;
    if (arguments[0] == AX_HANDLE_NONE) {
        *process = thread->process;
        *rights = AX_RIGHT_ALL;
        return op == AX_PROCESS_PERSONALITY || op == AX_PROCESS_THREAD ? AX_OK : AX_ERR_HANDLE;
    }
    struct object *object;
    struct device *system;
    TRY(handle_lookup_rights(thread->process, (ax_handle)arguments[0], AX_TYPE_PROCESS,
                             control_rights[op], &object, rights));
    *process = (struct process *)object;
    if (op == AX_PROCESS_LABEL)
        TRY(device_lookup(thread, arguments[4], AX_DEVICE_SYSTEM, AX_RIGHT_SET_LABEL, &system));
    return AX_OK;
}

ax_result sys_process_control(struct thread *thread, const uint64_t arguments[5]) {
    struct process *process;
    uint32_t rights;
    TRY(control_lookup(thread, arguments, &process, &rights));
    if (arguments[1] == AX_PROCESS_THREAD)
        return process_thread(thread, process, rights, arguments[2], arguments[3]);
    if (arguments[1] == AX_PROCESS_RELEASE) {
        if (process->state != PROCESS_CORPSE)
            return AX_ERR_STATE;
        process->released = true;
        object_work(&process->object);
        return AX_OK;
    }
    if (process->state != PROCESS_OPEN)
        return AX_ERR_ENDED;
    switch (arguments[1]) {
    case AX_PROCESS_SUSPEND: return process_suspend(process);
    case AX_PROCESS_RESUME: return process_resume(process);
    case AX_PROCESS_LABEL: return process_label(process, arguments[2], arguments[3]);
    default: return process_personality(thread, process);
    }
}

/* ---- Copies ---------------------------------------------------------------------------------- */

ax_result sys_process_copy(struct thread *thread, const uint64_t arguments[5]) {
    struct process *process;
    bool writes = arguments[4] == 1, is_others;
    if (arguments[4] > 1)
        return AX_ERR_ARGUMENT;
    TRY(process_lookup(thread, (ax_handle)arguments[0], writes ? AX_RIGHT_CHANGE : AX_RIGHT_INSPECT,
                       &process));
    if (process->released)
        return AX_ERR_ENDED;
    if (arguments[3] > INT64_MAX)
        return AX_ERR_ARGUMENT;
    return user_copy_portion(thread, arguments[2], process, arguments[1], arguments[3], writes,
                             writes, &is_others);
}

/* ---- Clone ----------------------------------------------------------------------------------- */

static ax_result clone_thread(struct thread *thread, const uint64_t arguments[5],
                              struct place *place) {
    struct thread *first;
    struct process *child = thread->clone;
    TRY(thread_make(child, thread->slot, thread->label, thread->base_priority, &first));
    first->affinity = thread->affinity;
    ax_regs_start(&first->user.regs, arguments[0], arguments[1], arguments[2]);
    first->user.regs.fs_base = thread->user.regs.fs_base;
    memcpy(first->page->user, thread->page->user, sizeof(first->page->user));
    first->page->personality_stack = thread->page->personality_stack;
    first->page->inside = thread->page->inside;
    thread->clone = NULL;
    sched_ready(first);
    return place_made(place, AX_OK, child, AX_RIGHT_PROCESS);
}

static ax_result clone_portion(struct thread *thread, const uint64_t arguments[5],
                               struct place *place) {
    struct process *parent = thread->process;
    if (thread->clone == NULL) {
        TRY(process_make(parent->account, &thread->clone));
        thread->clone->personality = parent->personality;
    }
    unsigned portion = WORK_PORTION;
    TRY(handle_table_clone(parent, thread->clone, &thread->progress[0], &portion));
    TRY(space_clone(parent, thread->clone, &thread->progress[1], &portion));
    return clone_thread(thread, arguments, place);
}

ax_result sys_process_clone(struct thread *thread, const uint64_t arguments[5]) {
    struct place place;
    if (arguments[0] >= AX_USER_END)
        return AX_ERR_ARGUMENT;
    ax_result result = place_decode(thread, arguments[3], &place);
    if (result == AX_OK) {
        result = clone_portion(thread, arguments, &place);
        if (result < 0)
            place_cancel(&place);
    }
    if (result < 0 && result != RESULT_RESTART && thread->clone != NULL) {
        object_unref(&thread->clone->object);
        thread->clone = NULL;
    }
    return result;
}
