/* SPDX-License-Identifier: MIT */
/* Futexes: threads that wait for a word in memory, in one tree by key and order of arrival. */
#pragma once

#include "types.h"

/* Takes a waiting thread out. */
void futex_cancel(struct thread *thread);

/* Wakes the first waiter at the process's address, if there is one (thread_exit). */
void futex_wake_one(struct process *process, uint64_t address);
