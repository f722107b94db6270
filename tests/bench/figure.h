/* SPDX-License-Identifier: MIT */
/* What a yardstick and a benchmark have in common: lines "bench NAME VALUE UNIT" on stdout. */
#pragma once

#include <stdint.h>
#include <stdio.h>

#define FRESH_BYTES  ((size_t)16 << 20)
#define LOAN_BYTES   ((size_t)64 << 10)
#define PAGE_BYTES   ((size_t)4096)
#define THREADS_MADE 24 /* how many threads are made in slots that had none */

static inline void figure(const char *name, double value, const char *unit) {
    printf("bench %s %.3f %s\n", name, value, unit);
    fflush(stdout);
}

/* Of `count` operations in so many nanoseconds. */
static inline void figure_time(const char *name, uint64_t total_ns, unsigned count) {
    figure(name, (double)total_ns / 1000 / count, "us");
}
