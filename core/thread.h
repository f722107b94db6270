/* SPDX-License-Identifier: MIT */
/*
 * Threads. A thread is READY (in a run queue), RUNNING (a CPU's current), BLOCKED in one kernel
 * call, or ENDED. Suspension is the process's: a READY thread of a suspended process is in no run
 * queue (PARKED) until it is resumed; blocked calls of it go on.
 */
#pragma once

#include <abi/thread_page.h>
#include <hal/hal.h>

#include "call.h"
#include "object.h"
#include "timer.h"
#include "watch.h"

enum thread_state {
    THREAD_READY = 0, /* in a run queue, or `held` because its process is suspended */
    THREAD_RUNNING,
    THREAD_BLOCKED,
    THREAD_ENDED,
};

enum block_kind {
    BLOCK_NONE = 0,
    BLOCK_WAIT,    /* object_wait, object_wait_many, sleep */
    BLOCK_QUEUE,   /* queue_wait */
    BLOCK_FUTEX,   /* futex_wait */
    BLOCK_CALL,    /* call: queued or received */
    BLOCK_RECEIVE, /* reply_receive */
};

/* Portions of work that a kernel call waits for at most before it answers MEMORY or LIMIT. */
#define MEMORY_PATIENCE 16384

struct futex_key {
    uint64_t object;   /* id of the shared memory object, or of the process */
    uint64_t offset;   /* in bytes, or the address */
    uint64_t sequence; /* a waiter's, of its arrival */
};

struct thread {
    struct object object;
    struct process *process; /* holds a ref */
    struct list in_process;
    struct hal_user user;
    struct ax_thread_page *page; /* core's window on it */
    struct frame *page_frame;
    uint32_t slot;
    bool user_created; /* hal_user_create was done */

    /* Scheduling (sched.c, priority.c). */
    uint8_t state; /* enum thread_state */
    uint8_t block; /* enum block_kind */
    bool on_cpu;   /* a CPU's current: in user mode or in its kernel entry, also when ENDED */
    bool held;     /* READY, but its process is suspended */
    uint8_t base_priority;
    uint8_t priority; /* effective: with what it inherits */
    struct cpu *cpu;  /* whose queue, or where it last ran */
    uint64_t affinity;
    struct list in_queue; /* cpu->queues[priority] */
    uint64_t slice_left_ns;
    uint64_t started_ns; /* when it last got its CPU */
    uint64_t cpu_ns;

    uint64_t label;
    bool interrupted;      /* sticky: a blocking call answers so; mirrored in page->pending */
    bool restarting;       /* the kernel call below is made again when it is picked */
    bool waits_for_memory; /* restarting, once what gives memory back has been done ... */
    uint32_t patience;     /* ... for at most so many portions */
    uint32_t call_number;  /* of the call being made or blocked in */
    uint64_t arguments[5];
    uint64_t progress[2];  /* of a call that restarts; 0 when it begins */
    struct process *clone; /* process_clone's child while it is being filled: holds a ref */

    /* Waiting (wait.c, queue.c, futex.c). */
    struct due due; /* the deadline of what it is blocked in */
    struct watch watch;
    struct watch *watches; /* object_wait_many: a heap array of wait_count */
    uint32_t wait_count;
    struct list wait_link; /* queue->waiters */
    struct queue *queue;   /* queue_wait: holds a ref */
    uint32_t queue_max;
    struct tree_node futex_node; /* in kernel->futexes by key */
    struct futex_key futex_key;
    uint32_t futex_bits;

    /* IPC (call.c, endpoint.c, reply.c). */
    struct call call;          /* its own outgoing call */
    struct reply *serving;     /* the received call it works on; NULL: none, or parked */
    struct endpoint *endpoint; /* from which it last received (member): holds a ref */
    struct list in_members;    /* endpoint->members */
    struct list in_receivers;  /* endpoint->receivers while BLOCK_RECEIVE */
    uint32_t accept;           /* reply_receive: handles accepted; accept + 1 slots promised */
    uint64_t buffer;           /* reply_receive: where inline bytes go */
    uint32_t buffer_bytes;

    uint32_t cause; /* enum ax_cause, once ENDED */
    int64_t code;
    uint64_t clear_address; /* thread_exit: cleared and woken when it is off its CPU */
};

/*
 * A ready-to-start thread of the process: page, call record and reply object allocated and
 * charged to it. `slot`: of its thread page, or UINT32_MAX for any. Not READY yet: sched_ready. One
 * ref, held by the process until the thread is freed.
 */
MUST_USE ax_result thread_make(struct process *process, uint32_t slot, uint64_t label,
                               uint8_t priority, struct thread **made);

/*
 * Ends a thread whatever it does: its wait is cancelled, its call withdrawn or abandoned, what it
 * serves parked. If it is on another CPU, that CPU is kicked and the rest follows when it leaves
 * (thread_left).
 */
void thread_end(struct thread *thread, enum ax_cause cause, int64_t code);

/* An ended thread is off its CPU: clear address, HAL state. */
void thread_left(struct thread *thread);

/* An ended, left thread's page and slot go, and the process's ref. */
void thread_release(struct thread *thread);

/* Ends a block, from any cause: sets the call's result and makes it READY. The waiter has already
 * been taken out of what it waited in. */
void thread_wake(struct thread *thread, ax_result result);

/* The same, and the thread runs next on this CPU if it may and nothing better is ready: the other
 * end of a call. */
void thread_wake_direct(struct thread *thread, ax_result result);

/* Marks the thread interrupted and ends or asks to end what it is blocked in. */
void thread_interrupt(struct thread *thread);

/* The deadline of a blocked thread passed. */
void thread_timeout(struct thread *thread);

/* Blocks the running thread. The deadline: AX_TIME_NEVER for none. Answers RESULT_BLOCKED. */
MUST_USE ax_result thread_block(struct thread *thread, enum block_kind kind, uint64_t deadline_ns);
