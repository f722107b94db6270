/* SPDX-License-Identifier: MIT */
/*
 * Queues: ready members of many watched objects. `ready` holds the members that may have something
 * to report; each is looked at again when it is taken. One that reports a level goes behind the
 * others and stays as long as the level holds.
 *
 * Members know their object weakly: they go when its last handle is closed, as a program expects
 * of a descriptor that it closed, even if something else keeps the object alive.
 *
 * An edge is handed at once to one thread that waits for the queue. Telling those who watch the
 * queue itself is bounded by kernel->notify_budget (WATCH_MAX an edge); beyond it, it goes through
 * the work list.
 */
#pragma once

#include <base/tree.h>

#include "object.h"
#include "watch.h"

struct member {
    struct tree_node node; /* in queue->members, by key */
    struct list ready;     /* in queue->ready */
    struct list nested;    /* in queue->nested: its object is a queue */
    struct queue *queue;
    uint64_t key, data;
    uint32_t mode; /* enum ax_queue_mode */
    bool silent;   /* ONCE, and reported: until it is changed */
    struct watch watch;
};

struct queue {
    struct object object; /* AX_SIGNAL_READABLE while `ready` is not empty */
    struct tree members;
    struct list ready;
    struct list nested;
    struct list waiters; /* struct thread.wait_link; none for long while `ready` is not empty */
    uint64_t member_count, ready_count;
    bool untold; /* those who watch the queue are still to be told that it is readable */
};

/* Most queues that are looked at for a cycle, or how deep they are nested. */
#define NESTING_SEARCH_MAX 256

MUST_USE ax_result queue_make(struct account *account, struct object **made);

/* An edge of a member's object. True: a thread that waited for the queue took it. */
bool member_notify(struct member *member);
/* Its object is out of reach. */
void member_drop(struct member *member);
/* Drops ready members that have nothing to report any more, until one has. */
void queue_refresh(struct queue *queue, unsigned *portion);
/* A waiting thread gives up (interrupt, deadline, death). */
void queue_wait_cancel(struct thread *thread);
