/* SPDX-License-Identifier: MIT */
/* Queues: ready members of many watched objects. Members know their object weakly. */
#pragma once

#include <base/tree.h>

#include "object.h"
#include "watch.h"

struct member {
    struct tree_node node; /* in queue->members, by cookie */
    struct list ready;     /* in queue->ready when it may have something to report */
    struct queue *queue;
    uint64_t cookie;
    uint32_t mode;           /* enum ax_queue_mode */
    uint32_t edge;           /* edges not reported yet */
    struct watch watch;      /* mask and object */
    struct account *account; /* pays: the queue's */
};

struct queue {
    struct object object; /* AX_SIGNAL_READABLE while `ready` is not empty */
    struct tree members;
    struct list ready;
    struct list waiters; /* struct thread.wait_link */
    uint64_t member_count, ready_count;
};

/* An edge of a member's object. */
void member_notify(struct member *member, uint32_t edge);
/* The member's object is being freed. */
void member_drop(struct member *member);
/* A waiting thread gives up (interrupt, deadline, death). */
void queue_wait_cancel(struct thread *thread);
