/* SPDX-License-Identifier: MIT */
/* Futexes: threads that wait for a word in memory, in one tree by key and order of arrival. */
#pragma once

#include "types.h"

/* Takes a waiting thread out. */
void futex_cancel(struct thread *thread);

/* Clears the word at the process's address, if it can be written, and wakes the first waiter there
 * (thread_exit). */
void futex_clear(struct process *process, uint64_t address);
