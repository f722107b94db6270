/* SPDX-License-Identifier: MIT */
/*
 * Everything core knows is reachable from here, and all of it lies in the machine's RAM: this
 * structure at its beginning, the rest in frames. A copy of the RAM is a copy of the kernel.
 */
#pragma once

#include <stdatomic.h>

#include <hal/hal.h>

#include "frame.h"
#include "heap.h"
#include "irq.h"
#include "log.h"
#include "root.h"
#include "sched.h"

struct kernel {
    _Atomic uint32_t lock; /* the kernel lock: the CPU's id plus one, or 0 */
    bool fast_ipc;         /* the short path is tried first */
    uint32_t cpu_count;
    struct cpu *cpus; /* cpu_count of them */

    struct frames frames;
    struct heap heap;
    struct list work;    /* struct object.work */
    struct list corpses; /* struct process.in_corpses */
    struct list objects; /* struct object.all: every object there is, oldest first */
    uint64_t next_id;    /* object ids; never reused */
    struct account *root_account;
    /* Whose corpses alone could help the call or fault being handled: it refused a charge, or free
     * frames are too scattered for it; NULL: nobody. */
    const struct account *refused;
    struct root root;
    uint64_t physical_kernel_page;
    struct tree futexes; /* struct thread.futex_node */
    uint64_t futex_sequence;
    struct irq *irqs[IRQ_MAX];
    unsigned notify_budget;  /* watches of queues that this edge may still tell (queue.c) */
    uint64_t fail_countdown; /* tests: the allocation that counts it down to 0 fails; 0: off */

    struct ax_counters counters;
    struct log log;
    struct trace trace;
};

/* Set at boot to the same place every time; the only variable core has. */
extern struct kernel *kernel;

/* Asked first by frame_alloc and heap_alloc: true if this allocation is to fail. */
static inline bool alloc_fails(void) {
    return kernel->fail_countdown != 0 && --kernel->fail_countdown == 0;
}

void kernel_lock(void);
void kernel_unlock(void);

/* The CPU that runs this. */
static inline struct cpu *cpu_this(void) {
    return &kernel->cpus[hal_cpu_id()];
}
