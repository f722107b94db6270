/* SPDX-License-Identifier: MIT */
/* The log ring, the counters' home and the trace ring. */
#pragma once

#include <abi/info.h>
#include <hal/core.h>

#include "types.h"

struct log {
    char *bytes;
    uint64_t size;    /* a power of two */
    uint64_t written; /* position after the last byte ever written */
    uint64_t shown;   /* what lies before was given to the console */
    bool is_shown;    /* a CPU is at it, without the lock */
};

struct trace {
    struct ax_trace_entry *entries;
    uint64_t size; /* a power of two */
    uint64_t written;
    uint64_t mask; /* bit of enum ax_trace: recorded; 0: off */
};

/* Writes one line, formatted, to the ring; the machine's console gets it later. */
__attribute__((format(printf, 1, 2))) void log_line(const char *pattern, ...);
void log_write(const char *text, size_t size_bytes);
/* Gives a few bytes to the console, unless another CPU does; releases the lock meanwhile. */
void log_show(void);

void trace_record(enum ax_trace kind, uint64_t a, uint64_t b);
uint64_t trace_hash(const struct call *call);
uint64_t trace_hash_message(const struct ax_message *message);

#define TRACE(kind, a, b)                                                   \
    do {                                                                    \
        if (__builtin_expect(((kernel->trace.mask >> (kind)) & 1) != 0, 0)) \
            trace_record(kind, a, b);                                       \
    } while (0)
