/* SPDX-License-Identifier: MIT */
/* The kernel and the reference side by side, doing the same things. */
#pragma once

#include "driver.h"
#include "reference.h"

/* One thing that happens; what exactly depends on the state it meets. */
struct op {
    uint8_t kind; /* enum op_kind */
    uint8_t cpu;
    uint16_t a, b, c, d;
};

enum op_kind {
    OP_ENDPOINT,
    OP_EVENT,
    OP_SESSION,
    OP_CLOSE,
    OP_TRANSFER,
    OP_CALL,
    OP_RECEIVE,
    OP_REPLY,
    OP_REPLY_RECEIVE,
    OP_FORWARD,
    OP_SERVE,
    OP_RETIRE,
    OP_SESSION_SIGNAL,
    OP_IDENTIFY,
    OP_SIGNAL,
    OP_WAIT,
    OP_INTERRUPT,
    OP_TAKE,
    OP_PRIORITY,
    OP_END,
    OP_EXIT,
    OP_THREAD,
    OP_CLONE,
    OP_WRITE,
    OP_READ,
    OP_MAP,
    OP_UNMAP,
    OP_FUTEX_WAIT,
    OP_FUTEX_WAKE,
    OP_TIME,
    OP_SLICE,
    OP_KINDS,
};

extern bool world_is_verbose;

/* Boots and makes the first moment, once for each number of CPUs and path; then puts it back. */
void world_start(unsigned cpus, bool slow_ipc);
/* The op happens in both; then they are compared. False: the world has become too small. */
bool world_step(const struct op *op);

/* Compares (compare.c): ends the program with a message where they differ. */
void world_compare(void);
int world_thread(const struct thread *thread); /* the reference's index, or -1 */
