/* SPDX-License-Identifier: MIT */
#include "timers.h"

#include <abi/message.h>
#include <base/assert.h>
#include <base/memory.h>

#include "structures.h"

void timers_begin(struct timers *timers) {
    memset(timers, 0, sizeof(*timers));
    for (unsigned i = 0; i < TIMER_COUNT; i++)
        timers->all[i].deadline_ns = AX_TIME_NEVER;
    timers->all[TIMER_INTERVAL].is_used = true;
    timers->all[TIMER_INTERVAL].signal = L_SIGALRM;
}

uint64_t timers_next(const struct timers *timers) {
    uint64_t next_ns = AX_TIME_NEVER;
    for (unsigned i = 0; i < TIMER_COUNT; i++) {
        if (timers->all[i].deadline_ns < next_ns)
            next_ns = timers->all[i].deadline_ns;
    }
    return next_ns;
}

uint64_t timer_left(const struct timer *timer, uint64_t now_ns) {
    if (timer->deadline_ns == AX_TIME_NEVER)
        return 0;
    return timer->deadline_ns > now_ns ? timer->deadline_ns - now_ns : 1;
}

uint64_t timer_advance(struct timer *timer, uint64_t now_ns) {
    ASSERT(timer->deadline_ns <= now_ns);
    if (timer->interval_ns == 0) {
        timer->deadline_ns = AX_TIME_NEVER;
        return 0;
    }
    uint64_t missed = (now_ns - timer->deadline_ns) / timer->interval_ns, step_ns;
    if (__builtin_mul_overflow(missed + 1, timer->interval_ns, &step_ns) ||
        __builtin_add_overflow(timer->deadline_ns, step_ns, &timer->deadline_ns))
        timer->deadline_ns = AX_TIME_NEVER;
    return missed;
}
