/* SPDX-License-Identifier: MIT */
#include "clock.h"

#include <time.h>

static uint64_t last_ns, elapsed_ns;

uint64_t clock_now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    uint64_t now_ns = (uint64_t)time.tv_sec * 1000000000U + (uint64_t)time.tv_nsec;
    uint64_t pause_ns = last_ns == 0 ? 0 : now_ns - last_ns;
    last_ns = now_ns;
    elapsed_ns += pause_ns < 2 * CLOCK_TICK_NS ? pause_ns : CLOCK_TICK_NS;
    return elapsed_ns;
}

int clock_wait_ms(uint64_t deadline_ns) {
    if (deadline_ns == CLOCK_NEVER)
        return -1;
    uint64_t now_ns = clock_now();
    if (deadline_ns <= now_ns)
        return 0;
    uint64_t left_ns = deadline_ns - now_ns;
    return (int)(((left_ns < CLOCK_TICK_NS ? left_ns : CLOCK_TICK_NS) + 999999) / 1000000);
}
