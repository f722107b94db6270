/* SPDX-License-Identifier: MIT */
/* The handlers of the kernel calls, one each, and the dispatcher. Called with the kernel lock held.
 */
#pragma once

#include <abi/call.h>

#include "types.h"

/* Each takes the calling thread and its five arguments, and answers the result (types.h). */
#define X(upper, lower) ax_result sys_##lower(struct thread *thread, const uint64_t arguments[5]);
AX_CALL_LIST(X)
#undef X

/* Makes the thread's kernel call (thread->call_number, thread->arguments), sets its result. */
void call_dispatch(struct thread *thread);

/* Before something that may need memory: nobody has refused any yet. True: queued work, or frames
 * that wait for a sync, will give some back. */
bool memory_try(void);

/* A call, or a fault, of the thread failed with this result: may it be for want of memory that will
 * be there later? Memory was coming before it was tried, or a corpse can be made to give its own.
 * Each time costs the thread some patience. */
bool memory_may_come(struct thread *thread, ax_result result, bool was_coming);
