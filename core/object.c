/* SPDX-License-Identifier: MIT */
#include "object.h"

#include <base/memory.h>

#include "endpoint.h"
#include "kernel.h"
#include "queue.h"

ax_result object_make(enum ax_type type, struct account *account, size_t size_bytes, void *made) {
    struct object *object;
    TRY(heap_alloc(account, size_bytes, &object));
    object->type = (uint8_t)type;
    object->refs = 1;
    object->id = ++kernel->next_id;
    object->account = account;
    list_init(&object->watches);
    list_init(&object->work);
    list_init(&object->all);
    list_append(&kernel->objects, &object->all);
    /* Whatever kind of pointer it is. NOLINTNEXTLINE(bugprone-sizeof-expression) */
    memcpy(made, &object, sizeof(object));
    return AX_OK;
}

void object_free(struct object *object, size_t size_bytes) {
    ASSERT(object->refs == 0 && object->handles == 0);
    ASSERT(!object->work_queued && object->watch_count == 0 && object->binding == NULL);
    list_remove(&object->all);
    heap_free(object->account, object, size_bytes);
}

void object_discard(struct object *object, size_t size_bytes) {
    ASSERT(object->refs == 1);
    object->refs = 0;
    object_free(object, size_bytes);
}

void object_ref(struct object *object) {
    ASSERT(object->refs > 0 && object->refs < UINT32_MAX);
    object->refs++;
}

void object_unref(struct object *object) {
    ASSERT(object->refs > object->handles);
    if (--object->refs == 0)
        object_work(object);
}

void object_handle_ref(struct object *object, uint32_t rights) {
    object_ref(object);
    object->handles++;
    if (object->type == AX_TYPE_ENDPOINT)
        endpoint_handles_changed((struct endpoint *)object, rights, 1);
}

void object_handle_unref(struct object *object, uint32_t rights) {
    ASSERT(object->handles > 0 && object->refs >= object->handles);
    object->handles--;
    if (object->type == AX_TYPE_ENDPOINT)
        endpoint_handles_changed((struct endpoint *)object, rights, -1);
    if (object->handles == 0) {
        if (object->type == AX_TYPE_SESSION)
            session_check_closed((struct session *)object);
        else if (object->type == AX_TYPE_PROCESS)
            process_unhandled((struct process *)object);
        else if (object->type == AX_TYPE_REPLY)
            reply_unhandled((struct reply *)object);
        if (object->watch_count > 0)
            object_work(object); /* queue members go */
    }
    object_unref(object);
}

void object_signal(struct object *object, uint32_t clear, uint32_t set) {
    object->signals = (object->signals & ~clear) | set;
    TRACE(AX_TRACE_SIGNAL, object->id, object->signals);
    kernel->notify_budget = WATCH_MAX;
    if (set != 0)
        watch_notify(object, set);
}

uint32_t object_signals(struct object *object, unsigned *portion) {
    if (object->type == AX_TYPE_QUEUE)
        queue_refresh((struct queue *)object, portion);
    return object->signals;
}
