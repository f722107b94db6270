/* SPDX-License-Identifier: MIT */
#include "process.h"

#include "account.h"
#include "calls.h"
#include "kernel.h"
#include "thread.h"

ax_result process_make(struct account *account, struct process **made) {
    struct process *process;
    TRY(object_make(AX_TYPE_PROCESS, account, sizeof(*process), &process));
    process->account = account;
    process->instance = process->object.id;
    object_ref(&account->object);
    list_init(&process->threads);
    list_init(&process->interrupts);
    list_init(&process->in_corpses);
    list_init(&process->in_account);
    space_init(process);
    kernel->counters.processes++;
    *made = process;
    return AX_OK;
}

ax_result process_lookup(struct thread *thread, ax_handle handle, uint32_t rights,
                         struct process **process) {
    *process = thread->process;
    if (handle == AX_HANDLE_NONE)
        return AX_OK;
    return handle_get(thread, handle, AX_TYPE_PROCESS, rights, process);
}

/* ---- The end --------------------------------------------------------------------------------- */

/* The process ends of something that its threads did: the call this one serves counts it. */
static void process_count_death(const struct thread *thread) {
    uint32_t cause = thread->process->cause;
    if (cause != AX_CAUSE_FAULT && cause != AX_CAUSE_HUNG && cause != AX_CAUSE_BOUNCE)
        return;
    const struct reply *reply = thread->serving;
    if (reply != NULL && reply->caller != NULL)
        reply->caller->call.deaths++;
}

void process_end(struct process *process, enum ax_cause cause, uint32_t fault, int64_t code,
                 uint64_t address) {
    if (process->state != PROCESS_OPEN)
        return;
    TRACE(AX_TRACE_END, process->object.id, cause);
    process->cause = cause;
    if (process->is_root) {
        root_restart(process, fault, address);
    } else {
        process->state = PROCESS_ENDING;
        process->fault = fault;
        process->code = code;
        process->fault_address = address;
    }
    struct thread *current = cpu_this()->current;
    if (current != NULL && current->process == process) {
        process_count_death(current);
        thread_end(current, cause, code); /* it must not go on; others may for a moment */
    }
    object_work(&process->object);
}

bool process_end_threads(struct process *process, enum ax_cause cause, unsigned *portion) {
    struct thread *thread;
    list_for_each_safe (thread, &process->threads, in_process) {
        if (thread->state == THREAD_ENDED)
            continue;
        if (!portion_take(portion))
            return false;
        process_count_death(thread);
        thread_end(thread, cause, process->code);
    }
    return true;
}

void process_thread_left(struct process *process) {
    ASSERT(process->running == 0);
    if (process->suspended != 0 && process->state == PROCESS_OPEN)
        object_signal(&process->object, 0, AX_SIGNAL_SUSPENDED);
    if (process->state == PROCESS_ENDING || root_is_restarting(process))
        object_work(&process->object);
}

bool process_give_back_calls(struct process *process, unsigned *portion) {
    struct tree_node *first;
    while ((first = tree_first(&process->received)) != NULL) {
        struct reply *reply = container_of(first, struct reply, in_holder);
        if (!portion_take(portion))
            return false;
        if (reply->map_count > 0 || (reply->caller != NULL && reply->caller->call.loan_count > 0))
            *portion = 0; /* its pages, or those that come with it to who waits, are enough */
        reply_give_back(reply, true);
    }
    return true;
}

/* What the end takes, in order; true: done, or waiting for threads to leave their CPUs. */
static bool process_ending(struct process *process, unsigned *portion) {
    if (process->live_threads != 0 &&
        !process_end_threads(process, (enum ax_cause)process->cause, portion))
        return false;
    if (process->running != 0)
        return true;
    if (!process_give_back_calls(process, portion) || !handle_table_clear(process, portion))
        return false;
    process->state = PROCESS_CORPSE;
    list_append(&kernel->corpses, &process->in_corpses);
    list_append(&process->account->corpses, &process->in_account);
    object_signal(&process->object, AX_SIGNAL_SUSPENDED, AX_SIGNAL_ENDED);
    return true;
}

/* Gives back a corpse's memory and threads. */
static bool process_release(struct process *process, unsigned *portion) {
    struct list *first;
    process->released = true;
    list_remove(&process->in_corpses);
    list_remove(&process->in_account);
    while ((first = list_first(&process->threads)) != NULL) {
        if (!portion_take(portion))
            return false;
        thread_release(list_entry(first, struct thread, in_process));
    }
    return space_clear(process, portion) && space_destroy(process, portion);
}

bool process_work(struct process *process, unsigned *portion) {
    if (process->is_root && process->state == PROCESS_OPEN)
        return root_work(process, portion);
    if (process->state == PROCESS_ENDING && !process_ending(process, portion))
        return false;
    if (process->state == PROCESS_CORPSE && (process->released || process->object.handles == 0) &&
        !process_release(process, portion))
        return false;
    if (process->object.refs != 0)
        return true;
    /* Nobody ended it: it never had a handle or a thread (a clone that failed, an empty process).
     */
    if (process->state == PROCESS_OPEN &&
        (!handle_table_clear(process, portion) || !space_clear(process, portion) ||
         !space_destroy(process, portion)))
        return false;
    struct account *account = process->account;
    kernel->counters.processes--;
    object_free(&process->object, sizeof(*process));
    object_unref(&account->object);
    return true;
}

void process_unhandled(struct process *process) {
    if (process->state == PROCESS_CORPSE)
        object_work(&process->object);
    else if (process->live_threads == 0 && process->state == PROCESS_OPEN && !process->is_root)
        process_end(process, AX_CAUSE_KILLED, AX_FAULT_NONE, 0, 0);
}

bool process_reclaim(const struct account *account) {
    struct list *first = list_first(account != NULL ? &account->corpses : &kernel->corpses);
    if (first == NULL)
        return false;
    struct process *process = account != NULL ? list_entry(first, struct process, in_account)
                                              : list_entry(first, struct process, in_corpses);
    process->released = true;
    object_work(&process->object);
    return true;
}
