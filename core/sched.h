/* SPDX-License-Identifier: MIT */
/*
 * Scheduling: run queues a CPU, 64 priorities, round robin among equals by slices that only exist
 * while there is somebody to share with; threads are stolen by idle CPUs.
 */
#pragma once

#include <abi/info.h>
#include <base/list.h>
#include <base/tree.h>

#include "types.h"

#define SLICE_NS UINT64_C(10000000)

/* A CPU with work to share with user mode looks at it again after this time. */
#define WORK_GAP_NS UINT64_C(100000)

struct cpu {
    uint32_t id;
    bool online;
    bool poll;   /* does not wait or enter user mode: takes what is pending and prepares again */
    bool kicked; /* a kick is under way that the CPU has not answered yet */
    struct thread *current; /* has `on_cpu`; stays until sched_leave or sched_pick, though ENDED */
    struct thread *next;    /* direct switch: READY in no queue, before its equals in the queues */
    struct thread *last;    /* ran here before; only compared, never followed */
    uint64_t ready_bits;    /* queues that are not empty */
    struct list queues[AX_PRIORITY_COUNT]; /* struct thread.in_queue */
    struct tree due;                       /* struct due.node */
    uint64_t due_sequence;
    uint64_t deadline_ns; /* what the hardware timer is set to */
    uint64_t locked_ns;   /* when it took the kernel lock */
};

/* A new or blocked thread can run, or a running one gives way to its equals: queues it where it
 * runs soonest, and tells that CPU. Held if its process is suspended. */
void sched_ready(struct thread *thread);
/* Takes a READY thread out of wherever it waits to run (it ended). */
void sched_remove(struct thread *thread);
/* A direct switch: the blocked thread becomes READY and runs next here, if it may run here and
 * nothing better is ready. */
void sched_switch_to(struct thread *thread);
/*
 * The best thread for this CPU becomes current and RUNNING (its own, or stolen); NULL: idle. A
 * current thread goes on unless something better is ready, or its slice is over and an equal waits.
 */
struct thread *sched_pick(struct cpu *cpu);
/* The current thread goes, unless it is RUNNING still: before the lock is released for user mode or
 * a wait. What had to wait until it was off its CPU is done (thread_left, process_thread_left). */
void sched_leave(struct cpu *cpu);
/* The effective priority changed, whatever the thread does. */
void sched_set_priority(struct thread *thread, uint8_t priority);
/* The CPUs it may run on changed, whatever the thread does. Not empty. */
void sched_set_affinity(struct thread *thread, uint64_t affinity);
/* Its process was suspended: a READY thread is held, a running one's CPU is told (then it is held
 * when it enters the kernel). */
void sched_hold(struct thread *thread);
/* Its process was resumed: lets a held thread go. */
void sched_release(struct thread *thread);
/* Kicks the CPU unless it is this one, or has been kicked and has not answered. */
void sched_kick(struct cpu *cpu);
/* Kicks a CPU that has nothing to run, if there is one. */
void sched_kick_idle(void);
/* When the current thread's slice ends: UINT64_MAX if no equal waits for its CPU. */
uint64_t sched_slice_end(const struct cpu *cpu);
/* Counts the time that the current thread has had since this was last called, wherever. */
void sched_account(struct cpu *cpu);

/* ---- Inheritance (priority.c) ---------------------------------------------------------------- */

#define INHERIT_DEPTH 16

/* Something the thread inherits from may have changed: recomputes, and follows the chain. */
void priority_update(struct thread *thread);
/* The calls waiting at an endpoint, or its receivers, changed: recomputes its members. */
void priority_update_members(struct endpoint *endpoint);
/* Would a call of this thread to the endpoint close a cycle: can none of its members answer before
 * this thread does? */
bool priority_would_deadlock(struct thread *thread, struct endpoint *endpoint);
