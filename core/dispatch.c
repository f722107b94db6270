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

/*
 * Memory that is on its way back counts as memory: queued work, frames that wait for a sync, and
 * corpses, which give theirs back as soon as it is wanted.
 */
bool call_may_retry(struct thread *thread, ax_result result)
{
    if (result != AX_ERR_MEMORY && result != AX_ERR_LIMIT)
        return false;
    if (work_is_pending()) {
        work_run(WORK_PORTION);
        return true;
    }
    if (result == AX_ERR_MEMORY && kernel->frames.waiting_count != 0)
        return true;
    return process_reclaim(result == AX_ERR_MEMORY ? NULL : thread->process->account);
}

void call_dispatch(struct thread *thread)
{
    uint32_t number = thread->call_number;
    ax_result result = number < AX_CALL_COUNT ? handlers[number](thread, thread->arguments)
                                              : (ax_result)AX_ERR_NO_CALL;
    if (result == RESULT_BLOCKED || result == RESULT_NONE)
        return;
    if (result != RESULT_RESTART && call_may_retry(thread, result)) {
        thread->progress[0] = 0;
        thread->progress[1] = 0;
        result = RESULT_RESTART;
    }
    ASSERT(thread->state != THREAD_ENDED && thread->state != THREAD_BLOCKED);
    if (result == RESULT_RESTART) {
        kernel->counters.restarts++;
        thread->restarting = true;
        return;
    }
    ASSERT(result >= AX_ERR_LAST);
    ax_regs_set_result(&thread->user.regs, result);
    TRACE(AX_TRACE_RESULT, number, (uint64_t)result);
}
