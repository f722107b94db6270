/* SPDX-License-Identifier: MIT */
/* From a kernel call's number to its handler, and from the handler's result to the caller. */
#include "calls.h"

#include "kernel.h"
#include "process.h"
#include "thread.h"

typedef ax_result call_handler(struct thread *thread, const uint64_t arguments[5]);

#define X(upper, lower) [AX_CALL_##upper] = sys_##lower,
static call_handler *const handlers[AX_CALL_COUNT] = {AX_CALL_LIST(X)};
#undef X

bool memory_try(void) {
    kernel->refused = NULL;
    return !list_is_empty(&kernel->work) || kernel->frames.waiting_count != 0;
}

/* LIMIT is for want of memory only where an account refused: other limits are fixed. */
bool memory_may_come(struct thread *thread, ax_result result, bool was_coming) {
    const struct account *refused = kernel->refused;
    if (thread->patience == 0 ||
        (result != AX_ERR_MEMORY && (result != AX_ERR_LIMIT || refused == NULL)) ||
        (!was_coming && !process_reclaim(refused)))
        return false;
    thread->patience--;
    return true;
}

/*
 * The call failed for want of memory. What it gave back itself when it failed is no reason to make
 * it again, so it waits until all that was on its way has come, and then has one more try.
 */
static bool call_waits(struct thread *thread, ax_result result, bool was_coming) {
    if (!memory_may_come(thread, result, was_coming))
        return false;
    thread->waits_for_memory = true;
    thread->progress[0] = 0;
    thread->progress[1] = 0;
    return true;
}

/* Still waiting for memory; each time some of the work that brings it has been done. */
static bool call_waits_on(struct thread *thread) {
    if (thread->waits_for_memory && thread->patience > 0 && memory_try()) {
        thread->patience--;
        return true;
    }
    thread->waits_for_memory = false;
    return false;
}

void call_dispatch(struct thread *thread) {
    uint32_t number = thread->call_number;
    bool was_coming = memory_try();
    thread->restarting = true;
    if (call_waits_on(thread))
        return;
    thread->restarting = false;
    ax_result result = number < AX_CALL_COUNT ? handlers[number](thread, thread->arguments)
                                              : (ax_result)AX_ERR_NO_CALL;
    if (result == RESULT_BLOCKED || result == RESULT_NONE)
        return;
    ASSERT(thread->state != THREAD_ENDED && thread->state != THREAD_BLOCKED);
    if (result == RESULT_RESTART || call_waits(thread, result, was_coming)) {
        kernel->counters.restarts++;
        thread->restarting = true;
        return;
    }
    ASSERT(result >= AX_ERR_LAST);
    ax_regs_set_result(&thread->user.regs, result);
    TRACE(AX_TRACE_RESULT, number, (uint64_t)result);
}
