/* SPDX-License-Identifier: MIT */
/*
 * Time: things that are due (a thread's deadline, a timer object), in one tree a CPU, whose first
 * deadline, or the end of the slice, is what the CPU's hardware timer is set to.
 */
#pragma once

#include <base/tree.h>

#include "object.h"

struct due {
    struct tree_node node; /* in cpu->due, by deadline and sequence */
    struct cpu *cpu;       /* whose tree; NULL: not armed */
    uint64_t deadline_ns;
    uint64_t sequence;
    bool is_timer; /* container: struct timer, else struct thread */
};

struct timer {
    struct object object;
    struct due due;
};

/* Arms on this CPU (the one that runs the kernel now); AX_TIME_NEVER: not at all. */
void due_arm(struct due *due, uint64_t deadline_ns);
void due_disarm(struct due *due);

/* Fires up to WORK_PORTION of what is due on this CPU (watches that are told count); true if more
 * is. */
bool due_fire(struct cpu *cpu);
/* The first deadline of the CPU, or UINT64_MAX. */
uint64_t due_next(const struct cpu *cpu);

MUST_USE ax_result timer_make(struct account *account, struct object **made);
