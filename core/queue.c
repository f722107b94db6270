/* SPDX-License-Identifier: MIT */
#include "queue.h"

#include <base/memory.h>

#include "calls.h"
#include "handle.h"
#include "kernel.h"
#include "thread.h"

ax_result queue_make(struct account *account, struct object **made) {
    struct queue *queue;
    TRY(object_make(AX_TYPE_QUEUE, account, sizeof(*queue), &queue));
    list_init(&queue->ready);
    list_init(&queue->nested);
    list_init(&queue->waiters);
    *made = &queue->object;
    return AX_OK;
}

/* ---- Members --------------------------------------------------------------------------------- */

static int member_compare(const void *wanted, const struct tree_node *node) {
    uint64_t key = *(const uint64_t *)wanted;
    const struct member *member = container_of(node, const struct member, node);
    return key < member->key ? -1 : key > member->key;
}

static void member_set_ready(struct member *member) {
    struct queue *queue = member->queue;
    if (list_is_linked(&member->ready))
        return;
    list_append(&queue->ready, &member->ready);
    queue->ready_count++;
    queue->object.signals |= AX_SIGNAL_READABLE;
}

static void member_unready(struct member *member) {
    struct queue *queue = member->queue;
    if (!list_is_linked(&member->ready))
        return;
    list_remove(&member->ready);
    ASSERT(queue->ready_count > 0);
    if (--queue->ready_count == 0)
        queue->object.signals &= ~(uint32_t)AX_SIGNAL_READABLE;
}

void member_drop(struct member *member) {
    struct queue *queue = member->queue;
    member_unready(member);
    list_remove(&member->nested);
    tree_remove(&queue->members, &member->node);
    queue->member_count--;
    watch_stop(&member->watch);
    heap_free(queue->object.account, member, sizeof(*member));
}

/* What it has to report now. */
static uint32_t member_signals(const struct member *member, unsigned *portion) {
    struct object *object = member->watch.object;
    if (member->silent || object->handles == 0)
        return 0;
    return object_signals(object, portion) & member->watch.mask;
}

/* One whose object is out of reach is as good as gone. */
static struct member *member_find(struct queue *queue, uint64_t key) {
    struct tree_node *node = tree_find(&queue->members, &key, member_compare);
    if (node == NULL)
        return NULL;
    struct member *member = container_of(node, struct member, node);
    if (member->watch.object->handles > 0)
        return member;
    member_drop(member);
    return NULL;
}

/* ---- Reporting ------------------------------------------------------------------------------- */

/* Recurses into members that are queues: at most AX_QUEUE_NESTING_MAX deep. */
void queue_refresh(struct queue *queue, unsigned *portion) {
    struct list *first;
    while ((first = list_first(&queue->ready)) != NULL && portion_take(portion)) {
        struct member *member = list_entry(first, struct member, ready);
        if (member_signals(member, portion) != 0)
            return;
        member_unready(member);
    }
}

/* Takes up to `max` events into the page's buffer; how many. */
static unsigned queue_collect(struct queue *queue, struct ax_thread_page *page, unsigned max,
                              unsigned *portion) {
    unsigned count = 0;
    for (uint64_t left = queue->ready_count; left > 0 && count < max; left--) {
        if (!portion_take(portion))
            break;
        struct member *member = list_entry(list_first(&queue->ready), struct member, ready);
        struct ax_queue_event event = {
            .key = member->key, .data = member->data, .signals = member_signals(member, portion)};
        if (event.signals == 0) {
            member_unready(member);
            continue;
        }
        memcpy(page->buffer + count++ * sizeof(event), &event, sizeof(event));
        if ((member->mode & (AX_QUEUE_EDGE | AX_QUEUE_ONCE)) != 0) {
            member->silent = (member->mode & AX_QUEUE_ONCE) != 0;
            member_unready(member);
        } else { /* a level: behind all others */
            list_remove(&member->ready);
            list_append(&queue->ready, &member->ready);
        }
    }
    return count;
}

/* Hands what is ready to the first thread that waits. False: there is none, or nothing. */
static bool queue_serve(struct queue *queue, unsigned *portion) {
    struct list *first = list_first(&queue->waiters);
    if (first == NULL)
        return false;
    struct thread *thread = list_entry(first, struct thread, wait_link);
    unsigned count = queue_collect(queue, thread->page, thread->queue_max, portion);
    if (count == 0)
        return false;
    queue_wait_cancel(thread);
    thread_wake(thread, count);
    return true;
}

/* An edge of the queue's own READABLE. */
static void queue_tell(struct queue *queue) {
    queue->untold = kernel->notify_budget < queue->object.watch_count;
    if (queue->untold) {
        object_work(&queue->object);
        return;
    }
    kernel->notify_budget -= queue->object.watch_count;
    watch_notify(&queue->object, AX_SIGNAL_READABLE);
}

bool member_notify(struct member *member) {
    struct queue *queue = member->queue;
    unsigned portion = WORK_PORTION;
    if (member->silent || member->watch.object->handles == 0)
        return false;
    member_set_ready(member);
    bool taken = queue_serve(queue, &portion);
    if (list_is_empty(&queue->ready))
        return taken;
    /* A level that still holds is told to each thread that waits. */
    if (!list_is_empty(&queue->waiters))
        object_work(&queue->object);
    queue_tell(queue);
    return taken;
}

bool queue_work(struct queue *queue, unsigned *portion) {
    struct tree_node *first;
    while (queue->object.refs == 0 && (first = tree_first(&queue->members)) != NULL) {
        if (!portion_take(portion))
            return false;
        member_drop(container_of(first, struct member, node));
    }
    if (queue->object.refs == 0) {
        object_free(&queue->object, sizeof(*queue));
        return true;
    }
    if (queue->untold && !list_is_empty(&queue->ready)) {
        kernel->notify_budget = WATCH_MAX;
        queue_tell(queue);
    }
    queue->untold = false;
    while (!list_is_empty(&queue->waiters) && !list_is_empty(&queue->ready)) {
        if (!portion_take(portion))
            return false;
        (void)queue_serve(queue, portion);
    }
    return true;
}

/* ---- queue_control --------------------------------------------------------------------------- */

/*
 * The longest chain of queues downwards from this one, itself counted; notes whether it meets
 * `wanted`. Each member looked at takes one of *budget. Recurses as deep as queues are nested, at
 * most AX_QUEUE_NESTING_MAX.
 */
/* NOLINTNEXTLINE(misc-no-recursion) */
static unsigned queue_depth(const struct queue *queue, const struct queue *wanted, bool *met,
                            unsigned *budget) {
    unsigned deepest = 0;
    if (queue == wanted)
        *met = true;
    const struct member *member;
    list_for_each (member, &queue->nested, nested) {
        if (!portion_take(budget))
            break;
        unsigned depth = queue_depth((struct queue *)member->watch.object, wanted, met, budget);
        deepest = depth > deepest ? depth : deepest;
    }
    return deepest + 1;
}

/* The same upwards. */
/* NOLINTNEXTLINE(misc-no-recursion) */
static unsigned queue_height(const struct queue *queue, unsigned *budget) {
    unsigned highest = 0;
    const struct watch *watch;
    list_for_each (watch, &queue->object.watches, in_object) {
        if (!portion_take(budget))
            break;
        if (watch->kind != WATCH_QUEUE)
            continue;
        unsigned height = queue_height(((struct member *)watch->owner)->queue, budget);
        highest = height > highest ? height : highest;
    }
    return highest + 1;
}

static ax_result queue_check_nesting(const struct queue *queue, const struct queue *member) {
    unsigned budget = NESTING_SEARCH_MAX;
    bool cycle = false;
    unsigned deep = queue_depth(member, queue, &cycle, &budget) + queue_height(queue, &budget);
    if (cycle)
        return AX_ERR_DEADLOCK;
    return budget == 0 || deep > AX_QUEUE_NESTING_MAX ? AX_ERR_LIMIT : AX_OK;
}

/* It may have something to report from the start. */
static void member_begin(struct member *member) {
    unsigned portion = WORK_PORTION;
    member->silent = false;
    kernel->notify_budget = WATCH_MAX;
    if (member_signals(member, &portion) != 0)
        (void)member_notify(member);
}

static ax_result queue_add(struct queue *queue, struct object *object,
                           const struct ax_queue_request *request) {
    bool is_queue = object->type == AX_TYPE_QUEUE;
    bool exclusive = (request->mode & AX_QUEUE_EXCLUSIVE) != 0;
    if (exclusive && (is_queue || (request->mode & AX_QUEUE_ONCE) != 0))
        return AX_ERR_ARGUMENT;
    if (member_find(queue, request->key) != NULL)
        return AX_ERR_EXISTS;
    if (is_queue)
        TRY(queue_check_nesting(queue, (struct queue *)object));
    TRY(watch_check(object, 1));
    struct member *member;
    TRY(heap_alloc(queue->object.account, sizeof(*member), &member));
    member->watch.exclusive = exclusive;
    watch_start(&member->watch, object, request->mask, WATCH_QUEUE, member);
    member->queue = queue;
    member->key = request->key;
    member->data = request->data;
    member->mode = request->mode;
    list_init(&member->ready);
    list_init(&member->nested);
    if (is_queue)
        list_append(&queue->nested, &member->nested);
    tree_insert(&queue->members, &member->node, &member->key, member_compare);
    queue->member_count++;
    member_begin(member);
    return AX_OK;
}

ax_result sys_queue_control(struct thread *thread, const uint64_t arguments[5]) {
    uint64_t op = arguments[1];
    struct ax_queue_request request;
    struct queue *queue;
    TRY(handle_get(thread, arguments[0], AX_TYPE_QUEUE, AX_RIGHT_WRITE, &queue));
    memcpy(&request, thread->page->buffer, sizeof(request));
    if (op > AX_QUEUE_REMOVE || request.mode > (AX_QUEUE_EDGE | AX_QUEUE_ONCE | AX_QUEUE_EXCLUSIVE))
        return AX_ERR_ARGUMENT;
    if (op == AX_QUEUE_ADD) {
        struct object *object;
        TRY(handle_get(thread, arguments[2], AX_TYPE_NONE, AX_RIGHT_WAIT, &object));
        return queue_add(queue, object, &request);
    }
    struct member *member = member_find(queue, request.key);
    if (member == NULL)
        return AX_ERR_NOT_FOUND;
    if (op == AX_QUEUE_REMOVE) {
        member_drop(member);
        return AX_OK;
    }
    if (((request.mode | member->mode) & AX_QUEUE_EXCLUSIVE) != 0)
        return AX_ERR_ARGUMENT;
    member->data = request.data;
    member->mode = request.mode;
    member->watch.mask = request.mask;
    member_begin(member);
    return AX_OK;
}

/* ---- queue_wait ------------------------------------------------------------------------------ */

ax_result sys_queue_wait(struct thread *thread, const uint64_t arguments[5]) {
    struct queue *queue;
    TRY(handle_get(thread, arguments[0], AX_TYPE_QUEUE, AX_RIGHT_READ, &queue));
    uint64_t max = arguments[1], deadline_ns = arguments[2];
    if (max == 0 || max > AX_QUEUE_MAX)
        return AX_ERR_ARGUMENT;
    unsigned portion = WORK_PORTION;
    unsigned count = queue_collect(queue, thread->page, (unsigned)max, &portion);
    if (count > 0)
        return count;
    if (!list_is_empty(&queue->ready))
        return RESULT_RESTART;
    TRY(wait_check(thread, deadline_ns));
    object_ref(&queue->object);
    thread->queue = queue;
    thread->queue_max = (uint32_t)max;
    list_append(&queue->waiters, &thread->wait_link);
    return thread_block(thread, BLOCK_QUEUE, deadline_ns);
}

void queue_wait_cancel(struct thread *thread) {
    struct queue *queue = thread->queue;
    list_remove(&thread->wait_link);
    thread->queue = NULL;
    object_unref(&queue->object);
}
