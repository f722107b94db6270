/* SPDX-License-Identifier: MIT */
/* Linux's clocks and times, and the machine's. */
#pragma once

#include "task.h"

#define NS_PER_SECOND UINT64_C(1000000000)

/* Nanoseconds; what is too far in the future is AX_TIME_NEVER. EINVAL: it is no time. */
[[gnu::warn_unused_result]] int64_t timespec_to_ns(const struct linux_timespec *time, uint64_t *ns);
struct linux_timespec timespec_from_ns(uint64_t ns);

/* The sum, or AX_TIME_NEVER. */
static inline uint64_t ns_add(uint64_t a, uint64_t b) {
    uint64_t sum;
    return __builtin_add_overflow(a, b, &sum) ? AX_TIME_NEVER : sum;
}

/* An absolute time of CLOCK_REALTIME on the machine's clock; what was before its start is 0. */
uint64_t ns_from_realtime(uint64_t ns, int64_t realtime_ns);

enum deadline_kind {
    DEADLINE_RELATIVE,
    DEADLINE_ABSOLUTE,
};

/*
 * Until when a call waits that was given a time by address. A call that is made again waits until
 * the same moment as before.
 */
[[gnu::warn_unused_result]] int64_t deadline_read(struct thread *thread, uint64_t address,
                                                  enum deadline_kind kind, int32_t clock,
                                                  uint64_t *deadline_ns);

/* The same for a time in hand. */
uint64_t deadline_after(struct thread *thread, uint64_t wait_ns);

/* What is left until then; and tells the program at that address, if it can be told. */
struct linux_timespec deadline_rest(uint64_t deadline_ns);
void deadline_tell_rest(uint64_t address, uint64_t deadline_ns);

/* CPU time of the process, or of the thread; 0 where the kernel does not tell. */
uint64_t cpu_time_ns(const struct task *task, ax_handle thread);
