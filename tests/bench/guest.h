/* SPDX-License-Identifier: MIT */
#pragma once

#include <sys/ax.h>

#include "figure.h"

/* Says what failed and ends the machine with a failure. */
_Noreturn void die(const char *what, long long result);

/* Counts kernel calls and page faults between begin and end, its own left out. */
struct count {
    struct ax_counters start;
};
void count_begin(struct count *count);
/* Prints NAME.calls and, if there can be any, NAME.faults, for each of `operations`. */
void count_end(const struct count *count, const char *name, unsigned operations);

/* Groups of benchmarks; each prints its lines. */
void bench_calls(void);
void bench_ipc(void);
void bench_apart(void);
void bench_loan(void);
void bench_memory(void);
void bench_threads(void);
void bench_program(void);
void bench_restart(void);
