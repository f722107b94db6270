/* SPDX-License-Identifier: MIT */
/* Waiting for descriptors: what poll and select share. */
#pragma once

#include "task.h"

/* So many have room on a thread's stack; for more there is thread_list. */
#define POLL_FEW 32

/* Waits until one of them is ready, and fills in `seen` of all. How many are; 0: the deadline. */
int64_t descriptors_wait(struct thread *thread, struct linux_pollfd *polls, unsigned count,
                         uint64_t deadline_ns);
