/* SPDX-License-Identifier: MIT */
#include <base/memory.h>

#include "calls.h"
#include "kernel.h"
#include "process.h"
#include "thread.h"

void wait_cancel(struct thread *thread) {
    unsigned count = thread->wait_count > 0 ? thread->wait_count : 1;
    struct watch *watches = thread->wait_count > 0 ? thread->watches : &thread->watch;
    for (unsigned i = 0; i < count; i++)
        watch_stop(&watches[i]);
    heap_free(thread->process->account, thread->watches, thread->wait_count * sizeof(struct watch));
    thread->watches = NULL;
    thread->wait_count = 0;
}

static void wait_write_seen(struct thread *thread, unsigned index, uint32_t seen) {
    memcpy(thread->page->buffer + index * sizeof(struct ax_wait_item) +
               offsetof(struct ax_wait_item, seen),
           &seen, sizeof(seen));
}

void wait_signalled(struct thread *thread, struct watch *watch) {
    ax_result result = watch->object->signals & watch->mask;
    if (thread->wait_count > 0) {
        result = watch - thread->watches;
        for (unsigned i = 0; i < thread->wait_count; i++) {
            const struct watch *each = &thread->watches[i];
            wait_write_seen(thread, i, each->object->signals & each->mask);
        }
    }
    wait_cancel(thread);
    thread_wake(thread, result);
}

ax_result wait_check(const struct thread *thread, uint64_t deadline_ns) {
    if (thread->interrupted)
        return AX_ERR_INTERRUPTED;
    return deadline_ns <= hal_time_ns() ? AX_ERR_TIMEOUT : AX_OK;
}

ax_result sys_object_wait(struct thread *thread, const uint64_t arguments[5]) {
    uint64_t mask = arguments[1], deadline_ns = arguments[2];
    struct object *object;
    TRY(handle_get(thread, arguments[0], AX_TYPE_NONE, AX_RIGHT_WAIT, &object));
    if (mask == 0 || mask > UINT32_MAX)
        return AX_ERR_ARGUMENT;
    unsigned portion = WORK_PORTION;
    uint32_t seen = object_signals(object, &portion) & (uint32_t)mask;
    if (seen != 0)
        return seen;
    TRY(wait_check(thread, deadline_ns));
    TRY(watch_check(object, 1));
    watch_start(&thread->watch, object, (uint32_t)mask, WATCH_THREAD, thread);
    return thread_block(thread, BLOCK_WAIT, deadline_ns);
}

/* ---- Several objects ------------------------------------------------------------------------- */

struct wait_set {
    unsigned count;
    struct object *objects[AX_WAIT_MAX];
    uint32_t masks[AX_WAIT_MAX];
};

static ax_result wait_decode(struct thread *thread, uint64_t count, struct wait_set *set) {
    if (count > AX_WAIT_MAX)
        return AX_ERR_ARGUMENT;
    set->count = (unsigned)count;
    for (unsigned i = 0; i < set->count; i++) {
        struct ax_wait_item item;
        memcpy(&item, thread->page->buffer + i * sizeof(item), sizeof(item));
        TRY(handle_get(thread, item.handle, AX_TYPE_NONE, AX_RIGHT_WAIT, &set->objects[i]));
        if (item.mask == 0 || item.reserved != 0)
            return AX_ERR_ARGUMENT;
        set->masks[i] = item.mask;
    }
    return AX_OK;
}

/* The first that is ready, with all that are seen; set->count: none is. */
static unsigned wait_find(struct thread *thread, const struct wait_set *set) {
    unsigned portion = WORK_PORTION;
    unsigned found = set->count;
    uint32_t seen[AX_WAIT_MAX];
    for (unsigned i = set->count; i-- > 0;) {
        seen[i] = object_signals(set->objects[i], &portion) & set->masks[i];
        if (seen[i] != 0)
            found = i;
    }
    for (unsigned i = 0; found < set->count && i < set->count; i++)
        wait_write_seen(thread, i, seen[i]);
    return found;
}

static ax_result wait_start_all(struct thread *thread, const struct wait_set *set) {
    for (unsigned i = 0; i < set->count; i++)
        TRY(watch_check(set->objects[i], set->count)); /* it may be there more than once */
    size_t size_bytes = set->count * sizeof(struct watch);
    TRY(heap_alloc(thread->process->account, size_bytes, &thread->watches));
    thread->wait_count = set->count;
    for (unsigned i = 0; i < set->count; i++)
        watch_start(&thread->watches[i], set->objects[i], set->masks[i], WATCH_THREAD, thread);
    return AX_OK;
}

ax_result sys_object_wait_many(struct thread *thread, const uint64_t arguments[5]) {
    uint64_t deadline_ns = arguments[1];
    struct wait_set set;
    TRY(wait_decode(thread, arguments[0], &set));
    unsigned found = wait_find(thread, &set);
    if (found < set.count)
        return found;
    ax_result result = wait_check(thread, deadline_ns);
    if (result == AX_ERR_TIMEOUT && set.count == 0) {
        ax_regs_set_result(&thread->user.regs, AX_ERR_TIMEOUT);
        sched_ready(thread);
        return RESULT_NONE;
    }
    TRY(result);
    if (set.count > 0)
        TRY(wait_start_all(thread, &set));
    return thread_block(thread, BLOCK_WAIT, deadline_ns);
}
