/* SPDX-License-Identifier: MIT */
/*
 * Watches: who wants to know of an object's signals. A thread's watch wakes it; a queue's makes the
 * member ready; a binding makes a message for an endpoint. At most WATCH_MAX on an object, so that
 * telling them all stays bounded.
 */
#pragma once

#include <base/list.h>

#include "types.h"

#define WATCH_MAX 1024

enum watch_kind { WATCH_THREAD = 0, WATCH_QUEUE, WATCH_BINDING };

struct watch {
    struct list in_object;
    struct object *object; /* NULL: not watching. Threads, bindings hold a ref; queues do not */
    uint32_t mask;
    uint8_t kind;
    bool exclusive; /* set by the owner before it starts: see watch_notify */
    void *owner;    /* struct thread, struct member, struct binding */
};

/* Has the object room for so many watches more? LIMIT: no. */
MUST_USE ax_result watch_check(const struct object *object, unsigned count);
/* Starts watching; there is room. A thread's or a binding's watch holds a ref until it stops. */
void watch_start(struct watch *watch, struct object *object, uint32_t mask, enum watch_kind kind,
                 void *owner);
void watch_stop(struct watch *watch);

/*
 * Tells the watches whose mask meets the bits of this edge: all, but of the exclusive ones none
 * after the first whose owner took it (a queue that had a thread waiting for it).
 */
void watch_notify(struct object *object, uint32_t edge);

/* Programs cannot reach the object any more: queue members that watch it are taken out. True when
 * none is left. */
bool watch_drop_all(struct object *object, unsigned *portion);

/* ---- Waiting threads (wait.c) ---------------------------------------------------------------- */

/* May a thread begin to wait? INTERRUPTED, TIMEOUT: no. */
MUST_USE ax_result wait_check(const struct thread *thread, uint64_t deadline_ns);

/* A signal a waiting thread asked for is there: ends its wait. */
void wait_signalled(struct thread *thread, struct watch *watch);
/* Takes a thread that waits for signals or time out of whatever it waits in. */
void wait_cancel(struct thread *thread);
