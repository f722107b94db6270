/* SPDX-License-Identifier: MIT */
/* The work list: objects whose memory is to be given back, or that have more to do than one step.
 */

#include "kernel.h"
#include "watch.h"

void object_work(struct object *object) {
    if (object->work_queued)
        return;
    object->work_queued = true;
    if (object->refs != 0)
        object_ref(object);
    list_append(&kernel->work, &object->work);
}

bool work_is_pending(void) {
    return !list_is_empty(&kernel->work) || kernel->log.shown != kernel->log.written;
}

static bool work_call(struct object *object, unsigned *portion) {
    switch ((enum ax_type)object->type) {
    case AX_TYPE_PROCESS: return process_work((struct process *)object, portion);
    case AX_TYPE_ACCOUNT: account_free((struct account *)object); break;
    case AX_TYPE_THREAD: thread_free((struct thread *)object); break;
    case AX_TYPE_ENDPOINT: return endpoint_work((struct endpoint *)object, portion);
    case AX_TYPE_SESSION: session_free((struct session *)object); break;
    case AX_TYPE_REPLY: reply_free((struct reply *)object); break;
    case AX_TYPE_MEMORY: return memory_work((struct memory *)object, portion);
    case AX_TYPE_EVENT: object_free(object, sizeof(*object)); break;
    case AX_TYPE_TIMER: timer_free((struct timer *)object); break;
    case AX_TYPE_IRQ: irq_free((struct irq *)object); break;
    case AX_TYPE_QUEUE: return queue_work((struct queue *)object, portion);
    case AX_TYPE_DEVICE: device_free((struct device *)object); break;
    case AX_TYPE_NONE:
    case AX_TYPE_COUNT: ASSERT(false);
    }
    return true;
}

/* It is off the list: work that comes up meanwhile puts the object back on it. */
static void work_step(struct object *object, unsigned *portion) {
    object->work_queued = false;
    bool dying = object->refs == 0;
    bool done = object->handles != 0 || watch_drop_all(object, portion);
    if (done && (dying || object->type == AX_TYPE_PROCESS || object->type == AX_TYPE_ENDPOINT ||
                 object->type == AX_TYPE_QUEUE))
        done = work_call(object, portion);
    if (!done)
        object_work(object);
    if (!dying)
        object_unref(object); /* the list's */
}

void work_run(unsigned portion) {
    struct list *first;
    while (portion > 0 && (first = list_take(&kernel->work)) != NULL) {
        unsigned before = portion;
        work_step(list_entry(first, struct object, work), &portion);
        if (portion == before)
            portion--;
    }
}
