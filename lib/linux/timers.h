/* SPDX-License-Identifier: MIT */
/* Timers that send signals, as data with rules: when they are due, and what is left. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define TIMER_COUNT    33
#define TIMER_INTERVAL 0 /* the one of setitimer and alarm; the others are timer_create's */

struct timer {
    bool is_used;
    bool is_silent;       /* sends nothing */
    int32_t clock;        /* L_CLOCK_* by which it is set */
    uint64_t deadline_ns; /* on the machine's clock; AX_TIME_NEVER: it does not run */
    uint64_t interval_ns; /* 0: once */
    int32_t signal;
    uint32_t tid; /* the thread that gets it; 0: the process */
    uint64_t value;
    uint32_t late;    /* expiries since the last signal that was not taken yet */
    uint32_t overrun; /* what the last signal told */
};

struct timers {
    struct timer all[TIMER_COUNT];
    uint32_t change; /* grows when a deadline may be nearer than the timekeeper knows */
};

void timers_begin(struct timers *timers);

/* The nearest deadline; AX_TIME_NEVER: nothing runs. */
uint64_t timers_next(const struct timers *timers);

/* How long until it is due; 0: it does not run. A running timer that is due has 1 ns left. */
uint64_t timer_left(const struct timer *timer, uint64_t now_ns);

/* It is due: sets the next deadline and answers how many it missed on the way. */
uint64_t timer_advance(struct timer *timer, uint64_t now_ns);
