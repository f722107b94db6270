/* SPDX-License-Identifier: MIT */
/* Objects, handles, rights and signals: what a program can hold and what it may do with it. */
#pragma once

#include <stdint.h>

enum ax_type {
    AX_TYPE_NONE = 0,
    AX_TYPE_PROCESS,
    AX_TYPE_ACCOUNT,
    AX_TYPE_THREAD,
    AX_TYPE_ENDPOINT,
    AX_TYPE_SESSION,
    AX_TYPE_REPLY,
    AX_TYPE_MEMORY,
    AX_TYPE_EVENT,
    AX_TYPE_TIMER,
    AX_TYPE_IRQ,
    AX_TYPE_QUEUE,
    AX_TYPE_DEVICE,
    AX_TYPE_COUNT,
};

/*
 * A handle names a slot of the process's handle table: the index in the low 17 bits, the slot's
 * generation in the high 15. Generations start at 0, grow each time the slot is emptied, and wrap.
 * Index 0 is never used, so the value 0 names nothing; where a call documents it, it means
 * "the calling process" (or its account).
 */
typedef uint32_t ax_handle;

#define AX_HANDLE_INDEX_BITS      17
#define AX_HANDLE_INDEX_MASK      ((UINT32_C(1) << AX_HANDLE_INDEX_BITS) - 1)
#define AX_HANDLE_GENERATION_MASK (UINT32_C(0xffffffff) >> AX_HANDLE_INDEX_BITS)
#define AX_HANDLE_NONE            UINT32_C(0)

/*
 * Where a call that makes a handle puts it: the table of `process` (AX_HANDLE_NONE: the caller's
 * own; else a process handle with AX_RIGHT_HANDLES), at `slot`, or at any free slot if slot is 0.
 * A taken slot fails the call with AX_ERR_EXISTS before it has any effect, so that a repeated
 * request is recognised.
 */
typedef uint64_t ax_place;
#define AX_PLACE(process, slot) ((uint64_t)(process) | ((uint64_t)(slot) << 32))
#define AX_PLACE_ANY            UINT64_C(0)

/* Rights. They only ever shrink when a handle is copied or sent. */
enum ax_right {
    AX_RIGHT_COPY = 1U << 0,       /* copy the handle, send copies of it */
    AX_RIGHT_MOVE = 1U << 1,       /* move the handle to another table, or send it away */
    AX_RIGHT_WAIT = 1U << 2,       /* wait for its signals, put it into a queue */
    AX_RIGHT_SIGNAL = 1U << 3,     /* event: set and clear bits */
    AX_RIGHT_READ = 1U << 4,       /* memory, device, queue: read, map readable, take */
    AX_RIGHT_WRITE = 1U << 5,      /* memory, device, queue, timer: write, map writable, change */
    AX_RIGHT_EXECUTE = 1U << 6,    /* memory: map executable */
    AX_RIGHT_RESIZE = 1U << 7,     /* memory: grow and shrink */
    AX_RIGHT_CALL = 1U << 8,       /* session: call */
    AX_RIGHT_RECEIVE = 1U << 9,    /* endpoint: receive, and keep it alive */
    AX_RIGHT_SESSIONS = 1U << 10,  /* endpoint: make, list, signal, identify, retire sessions */
    AX_RIGHT_HANDLES = 1U << 11,   /* process: put, list, copy, move, take its handles */
    AX_RIGHT_SPACE = 1U << 12,     /* process: map, unmap, protect in its address space */
    AX_RIGHT_THREADS = 1U << 13,   /* process: create threads in it, set its personality */
    AX_RIGHT_CONTROL = 1U << 14,   /* process, thread: end, suspend, resume, interrupt, schedule */
    AX_RIGHT_INSPECT = 1U << 15,   /* process, thread: read registers, memory, cause of end */
    AX_RIGHT_CHANGE = 1U << 16,    /* process, thread: write registers and memory */
    AX_RIGHT_SET_LABEL = 1U << 17, /* system device: set labels (process_control) */
    AX_RIGHT_CHARGE = 1U << 18,    /* account: make processes and accounts that it pays for */
    AX_RIGHT_ACK = 1U << 19,       /* irq: acknowledge */
    AX_RIGHT_ALL = (1U << 20) - 1,
    AX_RIGHT_PROCESS = AX_RIGHT_ALL & ~AX_RIGHT_SET_LABEL, /* of a new process's handle */
};

/* Not a right but a mark on a handle: process_clone does not copy it. */
#define AX_HANDLE_NOT_CLONED (1U << 30)
/* In a message: the handle leaves the sender when the call is answered, or the reply delivered. */
#define AX_HANDLE_MOVE (1U << 31)

/*
 * Signals: 32 bits an object carries. The low 24 are set and cleared by whoever serves the object
 * (events: anyone with AX_RIGHT_SIGNAL; sessions: the server). The high 8 are the kernel's own.
 * Setting a bit that is set already is a new edge for queues.
 */
enum ax_signal {
    AX_SIGNAL_READABLE = 1U << 0, /* conventional on sessions; queue: a member is ready */
    AX_SIGNAL_WRITABLE = 1U << 1,
    AX_SIGNAL_ERROR = 1U << 2,
    AX_SIGNAL_HANGUP = 1U << 3,
    AX_SIGNAL_SERVED = (1U << 24) - 1, /* mask of the bits that calls may change */
    AX_SIGNAL_ENDED = 1U << 24,        /* process, thread: it ended; its calls, handles are gone */
    AX_SIGNAL_PEER_CLOSED = 1U << 25,  /* session: its endpoint is gone, or the server ended it */
    AX_SIGNAL_FIRED = 1U << 26,        /* timer: the deadline passed; irq: raised, not acked */
    AX_SIGNAL_SUSPENDED = 1U << 27,    /* process: suspended, no thread of it runs any more */
    AX_SIGNAL_PENDING = 1U << 28,      /* endpoint: something to receive */
    AX_SIGNAL_LIMIT = 1U << 29,        /* account: a charge was refused */
};

/* What an ended process or thread ended of; also what process_end takes. */
enum ax_cause {
    AX_CAUSE_NONE = 0, /* it has not ended */
    AX_CAUSE_EXIT,     /* by itself; the code is what it gave */
    AX_CAUSE_KILLED,   /* from outside: not the doing of a call it served */
    AX_CAUSE_FAULT,    /* a fault nobody handled: counts against the calls being served */
    AX_CAUSE_HUNG,     /* ended from outside for hanging: counts like a fault */
    AX_CAUSE_BOUNCE,   /* a bounce without a personality; counts like a fault */
    AX_CAUSE_MACHINE,  /* the machine lost it (a hosted stub that died or cheated) */
};

/* Protection of a mapping. Write together with execute is refused everywhere. */
enum ax_prot {
    AX_PROT_NONE = 0,
    AX_PROT_READ = 1U << 0,
    AX_PROT_WRITE = 1U << 1,
    AX_PROT_EXECUTE = 1U << 2,
    AX_PROT_ALL = 7,
};
