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

/* A call, or a fault, of the thread failed: may it succeed when it is made again, because memory
 * was or will be given back? Does a portion of that. */
bool call_may_retry(struct thread *thread, ax_result result);
