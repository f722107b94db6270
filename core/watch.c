/* SPDX-License-Identifier: MIT */
#include "watch.h"

#include "endpoint.h"
#include "queue.h"

ax_result watch_check(const struct object *object, unsigned count) {
    return object->watch_count + count > WATCH_MAX ? AX_ERR_LIMIT : AX_OK;
}

void watch_start(struct watch *watch, struct object *object, uint32_t mask, enum watch_kind kind,
                 void *owner) {
    ASSERT(watch->object == NULL && object->watch_count < WATCH_MAX);
    watch->object = object;
    watch->mask = mask;
    watch->kind = (uint8_t)kind;
    watch->owner = owner;
    list_init(&watch->in_object);
    list_append(&object->watches, &watch->in_object);
    object->watch_count++;
    if (kind != WATCH_QUEUE)
        object_ref(object);
}

void watch_stop(struct watch *watch) {
    struct object *object = watch->object;
    if (object == NULL)
        return;
    list_remove(&watch->in_object);
    object->watch_count--;
    watch->object = NULL;
    if (watch->kind != WATCH_QUEUE)
        object_unref(object);
}

/* True: the owner took the edge, so that no other need be told. The watch may be gone then. */
static bool watch_tell(struct watch *watch) {
    switch ((enum watch_kind)watch->kind) {
    case WATCH_THREAD: wait_signalled(watch->owner, watch); return true;
    case WATCH_QUEUE: return member_notify(watch->owner);
    case WATCH_BINDING: binding_notify(watch->owner); return true;
    }
    return false;
}

void watch_notify(struct object *object, uint32_t edge) {
    /* Whoever is told may take any watch out of either list, so each round looks at the first. */
    struct list rest;
    list_init(&rest);
    list_splice(&rest, &object->watches);
    bool taken = false;
    struct list *first;
    while ((first = list_take(&rest)) != NULL) {
        struct watch *watch = list_entry(first, struct watch, in_object);
        list_append(&object->watches, first);
        bool exclusive = watch->exclusive;
        /* A binding that was told takes bits: for who comes after it they were not set. */
        if ((watch->mask & edge & object->signals) == 0 || (exclusive && taken))
            continue;
        if (watch_tell(watch) && exclusive)
            taken = true;
    }
}

bool watch_drop_all(struct object *object, unsigned *portion) {
    struct watch *watch;
    list_for_each_safe (watch, &object->watches, in_object) {
        if (watch->kind != WATCH_QUEUE)
            continue; /* holds a ref: it may go on */
        if (!portion_take(portion))
            return false;
        member_drop(watch->owner);
    }
    return true;
}
