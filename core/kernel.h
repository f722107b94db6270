/* SPDX-License-Identifier: MIT */
/*
 * Everything core knows is reachable from here, and all of it lies in the machine's RAM: this
 * structure at its beginning, the rest in frames. A copy of the RAM is a copy of the kernel.
 */
#pragma once

#include <stdatomic.h>

#include <abi/info.h>
#include <hal/hal.h>

#include "frame.h"
#include "heap.h"
#include "irq.h"
#include "log.h"
#include "sched.h"
#include "types.h"

struct kernel {
    _Atomic uint32_t lock; /* the kernel lock: the CPU's id plus one, or 0 */
    bool fast_ipc;         /* the short path is tried first */
    bool halting;
    uint32_t cpu_count;
    struct cpu cpus[AX_CPU_MAX];

    struct frames frames;
    struct heap heap;
    struct list work; /* struct object.work */
    uint64_t next_id; /* object ids; never reused */
    struct account *root_account;
    struct process *root;
    uint64_t root_died_ns; /* when the root task last died; 0: never */
    uint64_t physical_kernel_page;
    struct tree futexes; /* struct thread.futex_node */
    uint64_t futex_sequence;
    struct irq *irqs[IRQ_MAX];

    struct ax_counters counters;
    struct log log;
    struct trace trace;
};

/* Set at boot to the same place every time; the only variable core has. */
extern struct kernel *kernel;

void kernel_lock(void);
void kernel_unlock(void);

/* The CPU that runs this. */
struct cpu *cpu_this(void);
