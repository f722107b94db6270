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

struct cpu {
    uint32_t id;
    bool online;
    bool idle;       /* in hal_cpu_wait, or about to be */
    bool reschedule; /* somebody better than `current` may be ready */
    bool kicked;     /* a kick is under way that the CPU has not answered yet */
    struct thread *current;
    struct thread *next; /* direct switch: runs before the queues, if still the best */
    uint64_t ready_bits; /* queues that are not empty */
    uint32_t ready_count;
    struct list queues[AX_PRIORITY_COUNT]; /* struct thread.in_queue */
    struct tree due;                       /* struct due.node */
    uint64_t due_sequence;
    uint64_t deadline_ns; /* what the hardware timer is set to */
    uint64_t locked_ns;   /* when it took the kernel lock */
};

/* A new or blocked thread can run: queues it, prods a CPU if that one should look. */
void sched_ready(struct thread *thread);
/* Takes a READY thread out of its queue (ended, suspended). */
void sched_remove(struct thread *thread);
/* The running thread goes on to be READY (yield, end of slice, preempted). `to_end`: behind its
 * equals. */
void sched_requeue(struct thread *thread, bool to_end);
/* The best thread for this CPU becomes current (its own, or stolen); NULL: idle. */
struct thread *sched_pick(struct cpu *cpu);
/* A direct switch: the thread, READY in no queue, runs next here if nothing better is ready. */
void sched_switch_to(struct thread *thread);
/* The effective priority changed: requeues a READY thread, makes CPUs look. */
void sched_set_priority(struct thread *thread, uint8_t priority);
/* A READY or RUNNING thread may no longer be where it is. */
void sched_set_affinity(struct thread *thread, uint64_t affinity);
/* Threads of the process that are READY are held, or let go; running ones are kicked. */
void sched_hold(struct thread *thread);
void sched_release(struct thread *thread);
/* When the current thread's slice ends: UINT64_MAX if nobody waits for its CPU. */
uint64_t sched_slice_end(struct cpu *cpu);
/* The running thread's time: accounts it and, at the end of its slice, requeues it. */
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
