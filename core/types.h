/* SPDX-License-Identifier: MIT */
/* Names that every file of core uses. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <abi/error.h>
#include <abi/object.h>

#define MUST_USE [[gnu::warn_unused_result]]

/* Goes on if the result is AX_OK, else answers it: for steps that leave nothing to undo. */
#define TRY(expression)                      \
    do {                                     \
        ax_result try_result = (expression); \
        if (try_result != AX_OK)             \
            return try_result;               \
    } while (0)

struct account;
struct binding;
struct call;
struct cpu;
struct device;
struct endpoint;
struct frame;
struct irq;
struct memory;
struct object;
struct process;
struct queue;
struct region;
struct reply;
struct session;
struct thread;
struct timer;

/*
 * Results of a kernel call's handler beside those programs see (never stored in a register).
 * BLOCKED: the thread waits; whoever wakes it sets its result. RESTART: the call did a bounded part
 * of its work and is made again, after others had their turn. NO_RESULT: registers were loaded
 * or the thread is gone; leave them alone.
 */
#define RESULT_BLOCKED INT64_MIN
#define RESULT_RESTART (INT64_MIN + 1)
#define RESULT_NONE    (INT64_MIN + 2)

/*
 * The unit of long work: pages zeroed or copied, slots looked at, objects freed. Between two
 * such portions the kernel lock is released.
 */
#define WORK_PORTION 64

/* Takes one unit of a portion; false: it is used up. */
static inline bool portion_take(unsigned *portion) {
    if (*portion == 0)
        return false;
    --*portion;
    return true;
}
