/* SPDX-License-Identifier: MIT */
#include "event.h"

#include "calls.h"
#include "endpoint.h"
#include "handle.h"
#include "heap.h"
#include "irq.h"
#include "process.h"
#include "queue.h"
#include "thread.h"
#include "timer.h"

static ax_result event_make(struct account *account, uint32_t signals, struct event **event) {
    void *memory;
    TRY(heap_alloc(account, sizeof(**event), &memory));
    *event = memory;
    object_init(&(*event)->object, AX_TYPE_EVENT, account);
    (*event)->object.signals = signals;
    return AX_OK;
}

bool event_work(struct event *event, unsigned *portion) {
    (void)portion;
    object_free(&event->object, sizeof(*event));
    return true;
}

static ax_result object_create(struct account *account, uint64_t type, uint32_t signals,
                               struct object **object) {
    ax_result result;
    if (type == AX_TYPE_EVENT) {
        struct event *event;
        result = event_make(account, signals, &event);
        *object = result == AX_OK ? &event->object : NULL;
    } else if (type == AX_TYPE_ENDPOINT) {
        struct endpoint *endpoint;
        result = endpoint_make(account, &endpoint);
        *object = result == AX_OK ? &endpoint->object : NULL;
    } else if (type == AX_TYPE_TIMER) {
        struct timer *timer;
        result = timer_make(account, &timer);
        *object = result == AX_OK ? &timer->object : NULL;
    } else {
        struct queue *queue;
        result = queue_make(account, &queue);
        *object = result == AX_OK ? &queue->object : NULL;
    }
    return result;
}

ax_result sys_object_create(struct thread *thread, const uint64_t arguments[5]) {
    uint64_t type = arguments[0], argument = arguments[1];
    if (type != AX_TYPE_EVENT && type != AX_TYPE_ENDPOINT && type != AX_TYPE_TIMER &&
        type != AX_TYPE_QUEUE)
        return AX_ERR_ARGUMENT;
    uint64_t allowed = type == AX_TYPE_EVENT ? AX_SIGNAL_SERVED : 0;
    if ((argument & ~allowed) != 0)
        return AX_ERR_ARGUMENT;
    struct place place;
    TRY(place_decode(thread, arguments[2], &place));
    struct object *object;
    ax_result result = object_create(thread->process->account, type, (uint32_t)argument, &object);
    if (result != AX_OK) {
        place_cancel(&place);
        return result;
    }
    return place_new(&place, object, AX_RIGHT_ALL);
}

/* What signalling an object of this type needs, and which bits may be changed. */
static ax_result signal_rule(uint8_t type, uint32_t *right, uint64_t *clear, uint64_t *set) {
    *clear = type == AX_TYPE_EVENT ? AX_SIGNAL_SERVED : AX_SIGNAL_FIRED;
    *set = type == AX_TYPE_EVENT ? AX_SIGNAL_SERVED : 0;
    switch (type) {
    case AX_TYPE_EVENT: *right = AX_RIGHT_SIGNAL; return AX_OK;
    case AX_TYPE_TIMER: *right = AX_RIGHT_WRITE; return AX_OK;
    case AX_TYPE_IRQ: *right = AX_RIGHT_ACK; return AX_OK;
    default: return AX_ERR_TYPE;
    }
}

ax_result sys_object_signal(struct thread *thread, const uint64_t arguments[5]) {
    struct object *object;
    uint32_t held, right;
    uint64_t may_clear, may_set;
    TRY(handle_lookup_rights(thread->process, (ax_handle)arguments[0], AX_TYPE_NONE, 0, &object,
                             &held));
    TRY(signal_rule(object->type, &right, &may_clear, &may_set));
    if ((held & right) == 0)
        return AX_ERR_RIGHTS;
    if ((arguments[1] & ~may_clear) != 0 || (arguments[2] & ~may_set) != 0)
        return AX_ERR_ARGUMENT;
    if (object->type != AX_TYPE_IRQ)
        object_signal(object, (uint32_t)arguments[1], (uint32_t)arguments[2]);
    else if (arguments[1] != 0)
        irq_ack(container_of(object, struct irq, object));
    return AX_OK;
}
