/* SPDX-License-Identifier: MIT */
/*
 * Time as far as this program was running. While it is stopped, with the machine or because the
 * host sleeps, a time-out does not come nearer: whoever waits looks at this clock at least every
 * CLOCK_TICK_NS, and of a longer pause only that much counts.
 */
#pragma once

#include <stdint.h>

#define CLOCK_NEVER   UINT64_MAX
#define CLOCK_TICK_NS UINT64_C(100000000)

uint64_t clock_now(void);
/* For poll: until the deadline, but at most a tick; -1 for CLOCK_NEVER. */
int clock_wait_ms(uint64_t deadline_ns);
