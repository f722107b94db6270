/* SPDX-License-Identifier: MIT */
/* Futexes: threads that wait for a word in memory, in one tree by key and order of arrival. */
#pragma once

#include "types.h"

/* Takes a waiting thread out. */
void futex_cancel(struct thread *thread);

/* Wakes up to `count` waiters at the process's address of which a bit matches; how many. For
 * thread_exit, and futex_wake. Errors: ADDRESS. */
MUST_USE ax_result futex_wake_at(struct process *process, uint64_t address, uint32_t count,
                                 uint32_t bits);
