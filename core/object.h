/* SPDX-License-Identifier: MIT */
/*
 * What all kernel objects have in common. Everything here is called with the kernel lock held.
 *
 * Two counts: `refs` keeps the memory alive, `handles` (each also a ref) tells whether programs can
 * still reach it: handles in tables and in call records. When the last handle goes the object does
 * what its type does then (a session announces its close, an endpoint without a receiver dies) and
 * leaves the queues that watch it;
 * when the last ref goes it is put on the work list, where its memory is given back in portions.
 */
#pragma once

#include <base/list.h>

#include "types.h"

struct object {
    uint8_t type;     /* enum ax_type */
    bool work_queued; /* on the work list; if refs is not 0 the list holds one of them */
    uint32_t refs;
    uint32_t handles;
    uint32_t signals;
    uint32_t watch_count;
    uint64_t id;             /* unique for ever; what programs, logs and traces see */
    struct account *account; /* pays for the object; NULL only for the root account */
    struct list watches;     /* struct watch.in_object */
    struct list work;        /* in kernel->work */
    struct list all;         /* in kernel->objects, until freed */
    struct binding *binding; /* event, timer, irq bound to an endpoint */
};

/*
 * Makes an object: `made` points to the pointer to its structure, which begins with its struct
 * object and is zeroed otherwise. It has one ref, its maker's, and no handle. Errors: LIMIT,
 * MEMORY.
 */
MUST_USE ax_result object_make(enum ax_type type, struct account *account, size_t size_bytes,
                               void *made);

/* Gives back the memory of an object with refs 0: the last thing its work function does. */
void object_free(struct object *object, size_t size_bytes);

/* Gives back at once an object that was just made and that nobody knows yet: a call that failed
 * leaves no queued work, which would make it look worth trying again. */
void object_discard(struct object *object, size_t size_bytes);

void object_ref(struct object *object);
void object_unref(struct object *object);

/*
 * A handle comes into being, or goes. Both count the ref as well. `rights` are the handle's: an
 * endpoint counts those with AX_RIGHT_RECEIVE.
 */
void object_handle_ref(struct object *object, uint32_t rights);
void object_handle_unref(struct object *object, uint32_t rights);

/*
 * Clears, then sets signals; each bit set, also one that was set before, is an edge that watches
 * are told of.
 */
void object_signal(struct object *object, uint32_t clear, uint32_t set);

/* Its signals now. A queue looks for one of its members that really is ready, and each member it
 * looks at costs one of *portion (when that is used up, the answer may be READABLE too much). */
uint32_t object_signals(struct object *object, unsigned *portion);

/*
 * Puts the object on the work list: its type's work function (work.c) will be called until it
 * says that it is done. Takes a ref for the time, unless refs is 0 (then it is being freed).
 */
void object_work(struct object *object);

/* Works off up to `portion` units of queued work. (work.c) */
void work_run(unsigned portion);
/* There is more, or some of the log is still to be shown. */
bool work_is_pending(void);

/*
 * The work function of a type with much to give back: does up to *portion units, takes them off,
 * and answers whether it is done. Called with refs 0 when the object is to be freed: then the
 * function, when done, has given back the object's memory as well. Those of processes, endpoints
 * and queues are also called while refs is not 0, whenever the object was put on the work list.
 */
bool process_work(struct process *process, unsigned *portion);
bool endpoint_work(struct endpoint *endpoint, unsigned *portion);
bool memory_work(struct memory *memory, unsigned *portion);
bool queue_work(struct queue *queue, unsigned *portion);

/* Frees, refs being 0, an object that is given back in one step. */
void thread_free(struct thread *thread);
void session_free(struct session *session);
void reply_free(struct reply *reply);
void timer_free(struct timer *timer);
void irq_free(struct irq *irq);
/* Or leaves it as it is: a device made at boot whose quarantine nobody can empty; an account until
 * its last charge is gone (then it is put on the work list once more). */
void device_free(struct device *device);
void account_free(struct account *account);

/* What a type does when its last handle, or last handle with a right that counts, is gone. */
void endpoint_handles_changed(struct endpoint *endpoint, uint32_t rights, int change);
void process_unhandled(struct process *process);
void reply_unhandled(struct reply *reply);
