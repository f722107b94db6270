/* SPDX-License-Identifier: MIT */
#include "private.h"

#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

void host_wait(const uint32_t *word, uint32_t value, uint64_t deadline_ns) {
    struct timespec until = {.tv_sec = (time_t)(deadline_ns / 1000000000U),
                             .tv_nsec = (long)(deadline_ns % 1000000000U)};
    syscall(SYS_futex, word, FUTEX_WAIT_BITSET, value, deadline_ns == HOST_NEVER ? NULL : &until,
            NULL, FUTEX_BITSET_MATCH_ANY);
}

void host_wake(const uint32_t *word) {
    syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

void host_yield(void) {
    sched_yield();
}
