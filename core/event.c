/* SPDX-License-Identifier: MIT */
#include "event.h"

#include "calls.h"
#include "endpoint.h"
#include "irq.h"
#include "process.h"
#include "queue.h"
#include "thread.h"

static ax_result object_create(struct account *account, uint64_t type, uint32_t signals,
                               struct object **object) {
    switch (type) {
    case AX_TYPE_EVENT:
        TRY(object_make(AX_TYPE_EVENT, account, sizeof(**object), object));
        (*object)->signals = signals;
        return AX_OK;
    case AX_TYPE_ENDPOINT: return endpoint_make(account, object);
    case AX_TYPE_TIMER: return timer_make(account, object);
    case AX_TYPE_QUEUE: return queue_make(account, object);
    default: return AX_ERR_ARGUMENT;
    }
}

ax_result sys_object_create(struct thread *thread, const uint64_t arguments[5]) {
    uint64_t type = arguments[0], argument = arguments[1];
    uint64_t allowed = type == AX_TYPE_EVENT ? AX_SIGNAL_SERVED : 0;
    if ((argument & ~allowed) != 0)
        return AX_ERR_ARGUMENT;
    struct place place;
    TRY(place_decode(thread, arguments[2], &place));
    struct object *object = NULL;
    ax_result result = object_create(thread->process->account, type, (uint32_t)argument, &object);
    return place_made(&place, result, object, AX_RIGHT_ALL);
}

/* What signalling an object of this type needs; 0: it cannot be signalled. */
static uint32_t signal_right(uint8_t type) {
    switch (type) {
    case AX_TYPE_EVENT: return AX_RIGHT_SIGNAL;
    case AX_TYPE_TIMER: return AX_RIGHT_WRITE;
    case AX_TYPE_IRQ: return AX_RIGHT_ACK;
    default: return 0;
    }
}

ax_result sys_object_signal(struct thread *thread, const uint64_t arguments[5]) {
    struct object *object;
    uint32_t held;
    TRY(handle_lookup_rights(thread->process, (ax_handle)arguments[0], AX_TYPE_NONE, 0, &object,
                             &held));
    uint32_t right = signal_right(object->type);
    if (right == 0)
        return AX_ERR_TYPE;
    if ((held & right) == 0)
        return AX_ERR_RIGHTS;
    uint64_t may_set = object->type == AX_TYPE_EVENT ? AX_SIGNAL_SERVED : 0;
    uint64_t may_clear = object->type == AX_TYPE_EVENT ? AX_SIGNAL_SERVED : AX_SIGNAL_FIRED;
    if ((arguments[1] & ~may_clear) != 0 || (arguments[2] & ~may_set) != 0)
        return AX_ERR_ARGUMENT;
    if (object->type != AX_TYPE_IRQ)
        object_signal(object, (uint32_t)arguments[1], (uint32_t)arguments[2]);
    else if (arguments[1] != 0)
        irq_ack((struct irq *)object);
    return AX_OK;
}
