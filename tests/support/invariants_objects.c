/* SPDX-License-Identifier: MIT */
/* What each object refers to, and pays for. */
#include "census.h"

#include "device.h"
#include "endpoint.h"
#include "event.h"
#include "memory.h"
#include "queue.h"

static const size_t type_bytes[AX_TYPE_COUNT] = {
    [AX_TYPE_PROCESS] = sizeof(struct process), [AX_TYPE_ACCOUNT] = sizeof(struct account),
    [AX_TYPE_THREAD] = sizeof(struct thread),   [AX_TYPE_ENDPOINT] = sizeof(struct endpoint),
    [AX_TYPE_SESSION] = sizeof(struct session), [AX_TYPE_REPLY] = sizeof(struct reply),
    [AX_TYPE_MEMORY] = sizeof(struct memory),   [AX_TYPE_EVENT] = sizeof(struct object),
    [AX_TYPE_TIMER] = sizeof(struct timer),     [AX_TYPE_IRQ] = sizeof(struct irq),
    [AX_TYPE_QUEUE] = sizeof(struct queue),     [AX_TYPE_DEVICE] = sizeof(struct device),
};

/* ---- Processes ------------------------------------------------------------------------------- */

static void table_count(const struct process *process) {
    const struct handle_table *table = &process->handles;
    uint32_t used = 0, slot_count = 0;
    if (table->leaf_capacity > 0)
        census_heap(process->account, table->leaves, table->leaf_capacity * sizeof(struct leaf));
    for (uint32_t leaf = 0; leaf < table->leaf_capacity; leaf++) {
        const struct slot *slots = table->leaves[leaf].slots;
        uint32_t leaf_used = 0;
        if (slots == NULL)
            continue;
        census_frame(frame_of_window(slots), 0);
        slot_count += leaf == 0 ? SLOTS_PER_LEAF - 1 : SLOTS_PER_LEAF;
        for (uint32_t i = 0; i < SLOTS_PER_LEAF; i++) {
            if (slots[i].object == NULL)
                continue;
            INVARIANT_OF(&process->object, leaf > 0 || i > 0);
            census_handle(slots[i].object, slots[i].rights);
            leaf_used++;
        }
        INVARIANT_OF(&process->object, leaf_used == table->leaves[leaf].used);
        used += leaf_used;
    }
    INVARIANT_OF(&process->object, used == table->used);
    INVARIANT_OF(&process->object, slot_count == table->slot_count);
    INVARIANT_OF(&process->object, used + table->promised <= slot_count);
}

static void space_count(const struct process *process) {
    uint64_t count = 0, end = 0;
    for (const struct tree_node *node = tree_first(&process->space.regions); node != NULL;
         node = tree_next(node)) {
        const struct region *region = container_of(node, const struct region, node);
        INVARIANT_OF(&process->object, region->process == process && region->page_count > 0);
        INVARIANT_OF(&process->object, region->start >= end);
        end = region->start + region->page_count * AX_PAGE_SIZE;
        census_heap(process->account, region, sizeof(*region));
        census_ref(region->memory != NULL ? &region->memory->object : NULL);
        census_ref(region->overlay != NULL ? &region->overlay->object : NULL);
        INVARIANT_OF(&process->object, (region->prot & ~region->allowed) == 0);
        INVARIANT_OF(&process->object, region->memory != NULL || region->is_private);
        count++;
    }
    INVARIANT_OF(&process->object, count == process->space.region_count);
    if (list_is_linked(&process->space.dirty))
        census_ref(&process->object);
}

/* Thread pages that no thread has: each of a slot that is free. */
static void pages_count(const struct process *process) {
    for (struct frame *frame = process->space.pages; frame != NULL; frame = frame->next) {
        uint32_t slot = frame->pins;
        INVARIANT_OF(&process->object, slot < AX_THREAD_MAX && process->space.created);
        INVARIANT_OF(&process->object, (process->slots[slot / 64] >> slot % 64 & 1) == 0);
        INVARIANT_OF(&process->object, frame->account == process->account);
        census_frame(frame, slot);
    }
}

static void received_count(const struct process *process) {
    for (const struct tree_node *node = tree_first(&process->received); node != NULL;
         node = tree_next(node)) {
        const struct reply *reply = container_of(node, const struct reply, in_holder);
        INVARIANT_OF(&reply->object, reply->holder == process);
        INVARIANT_OF(&reply->object,
                     reply->caller == NULL || reply->caller->call.order == reply->order);
    }
}

static void process_count(const struct process *process) {
    uint32_t live = 0, running = 0, promised = 0, slots = 0;
    const struct thread *thread;
    census_ref(&process->account->object);
    table_count(process);
    space_count(process);
    pages_count(process);
    received_count(process);
    list_for_each (thread, &process->threads, in_process) {
        INVARIANT_OF(&thread->object, thread->process == process);
        census_ref(&thread->object);
        live += thread->state != THREAD_ENDED;
        running += thread->on_cpu;
        slots++;
        INVARIANT_OF(&thread->object,
                     (process->slots[thread->slot / 64] >> thread->slot % 64 & 1) != 0);
        if (thread->state == THREAD_BLOCKED && thread->block == BLOCK_RECEIVE)
            promised += thread->accept + 1;
        if (thread->call.state != CALL_IDLE)
            promised += thread->call.accept;
    }
    for (unsigned i = 0; i < AX_THREAD_MAX / 64; i++)
        slots -= (uint32_t)__builtin_popcountll(process->slots[i]);
    INVARIANT_OF(&process->object, slots == 0);
    INVARIANT_OF(&process->object, live == process->live_threads);
    INVARIANT_OF(&process->object, running == process->running);
    if (process->state == PROCESS_OPEN)
        INVARIANT_OF(&process->object, promised == process->handles.promised);
    if (process->is_root)
        census_ref(&process->object);
    INVARIANT_OF(&process->object, (process->state == PROCESS_CORPSE) ==
                                       ((process->object.signals & AX_SIGNAL_ENDED) != 0));
}

/* ---- Threads --------------------------------------------------------------------------------- */

static void call_count(const struct thread *thread) {
    const struct call *call = &thread->call;
    const struct object *of = &thread->object;
    INVARIANT_OF(of, (call->state == CALL_IDLE) == (call->session == NULL));
    if (call->state == CALL_IDLE) {
        INVARIANT_OF(of, thread->block != BLOCK_CALL && call->handle_count == 0);
        return;
    }
    INVARIANT_OF(of, thread->state == THREAD_BLOCKED && thread->block == BLOCK_CALL);
    census_ref(&call->session->object);
    census_of(&call->session->object)->calls++;
    for (unsigned i = 0; i < call->handle_count; i++)
        census_handle(call->handles[i].object, call->handles[i].rights & AX_RIGHT_ALL);
    const struct reply *reply = call->reply;
    INVARIANT_OF(of, (call->state == CALL_RECEIVED) == (reply->holder != NULL));
    INVARIANT_OF(of, (call->state == CALL_QUEUED) == tree_node_is_linked(&call->node));
}

static void watches_count(const struct thread *thread) {
    if (thread->block != BLOCK_WAIT) {
        INVARIANT_OF(&thread->object, thread->wait_count == 0 && thread->watch.object == NULL);
        return;
    }
    if (thread->wait_count == 0) {
        census_ref(thread->watch.object);
        return;
    }
    census_heap(thread->process->account, thread->watches,
                thread->wait_count * sizeof(struct watch));
    for (unsigned i = 0; i < thread->wait_count; i++)
        census_ref(thread->watches[i].object);
}

static void thread_count(const struct thread *thread) {
    census_ref(&thread->process->object);
    census_ref(&thread->call.reply->object);
    if (thread->user.vector != NULL)
        census_heap(thread->object.account, thread->user.vector, hal_boot()->vector_bytes);
    if (thread->page_frame != NULL)
        census_frame(thread->page_frame, 0);
    call_count(thread);
    watches_count(thread);
    INVARIANT_OF(&thread->object, (thread->queue != NULL) == (thread->block == BLOCK_QUEUE));
    census_ref(thread->queue != NULL ? &thread->queue->object : NULL);
    census_ref(thread->endpoint != NULL ? &thread->endpoint->object : NULL);
    census_ref(thread->clone != NULL ? &thread->clone->object : NULL);
    INVARIANT_OF(&thread->object,
                 list_is_linked(&thread->in_receivers) == (thread->block == BLOCK_RECEIVE));
    if (thread->serving != NULL)
        INVARIANT_OF(&thread->object, thread->serving->server == thread &&
                                          thread->serving->holder == thread->process);
}

static void reply_count(const struct reply *reply) {
    uint32_t maps = 0;
    const struct region *region;
    list_for_each (region, &reply->maps, in_reply) {
        INVARIANT_OF(&reply->object, region->reply == reply);
        maps++;
    }
    INVARIANT_OF(&reply->object, maps == reply->map_count);
    INVARIANT_OF(&reply->object, maps == 0 || reply->holder != NULL);
    INVARIANT_OF(&reply->object, tree_node_is_linked(&reply->in_holder) == (reply->holder != NULL));
    INVARIANT_OF(&reply->object, reply->server == NULL || reply->server->serving == reply);
    INVARIANT_OF(&reply->object, reply->object.handles == (reply->holder != NULL));
    if (list_is_linked(&reply->in_interrupts)) {
        INVARIANT_OF(&reply->object, reply->holder != NULL);
        census_ref(&reply->session->object);
    }
}

/* ---- IPC ------------------------------------------------------------------------------------- */

static void endpoint_count(const struct endpoint *endpoint) {
    const struct object *of = &endpoint->object;
    uint64_t sessions = 0, open = 0, queued = 0, members = 0;
    const struct tree_node *node;
    for (node = tree_first(&endpoint->sessions); node != NULL; node = tree_next(node)) {
        const struct session *session = container_of(node, const struct session, node);
        INVARIANT_OF(of, session->endpoint == endpoint && session->state != SESSION_ENDED);
        INVARIANT_OF(of, list_is_linked(&session->in_closed) == (session->state == SESSION_CLOSED));
        census_ref(&session->object);
        sessions++;
        open += session->state == SESSION_OPEN;
    }
    INVARIANT_OF(of, open == endpoint->session_count);
    INVARIANT_OF(of, sessions - open == endpoint->closed_count);
    for (node = tree_first(&endpoint->calls); node != NULL; node = tree_next(node)) {
        const struct call *call = container_of(node, const struct call, node);
        INVARIANT_OF(of, call->state == CALL_QUEUED && call->session->endpoint == endpoint);
        queued++;
    }
    INVARIANT_OF(of, queued == endpoint->queued_count);
    const struct thread *thread;
    list_for_each (thread, &endpoint->members, in_members) {
        INVARIANT_OF(of, thread->endpoint == endpoint);
        members++;
    }
    INVARIANT_OF(of, members == endpoint->member_count);
    const struct binding *binding;
    list_for_each (binding, &endpoint->bindings, in_endpoint) {
        INVARIANT_OF(of, binding->watch.object->binding == binding);
        census_heap(binding->account, binding, sizeof(*binding));
        census_ref(binding->watch.object);
    }
    bool has_something = queued > 0 || !list_is_empty(&endpoint->closed) ||
                         !list_is_empty(&endpoint->ready_bindings);
    list_for_each (thread, &endpoint->receivers, in_receivers) {
        bool is_ending = thread->process->state != PROCESS_OPEN;
        INVARIANT_OF(of, !has_something || is_ending || of->work_queued);
    }
    INVARIANT_OF(of, ((of->signals & AX_SIGNAL_PENDING) != 0) ==
                             (has_something || endpoint->interrupt_count > 0) ||
                         of->work_queued);
}

/* ---- Memory, queues, devices ----------------------------------------------------------------- */

/* Counts a memory object's leaves and frames; how many frames. */
static uint64_t leaves_count(const struct memory *memory, bool pinned) {
    uint64_t frames = 0;
    for (struct tree_node *node = tree_first(&memory->leaves); node != NULL;
         node = tree_next(node)) {
        const struct memory_leaf *leaf = container_of(node, struct memory_leaf, node);
        census_heap(memory->object.account, leaf, sizeof(*leaf));
        uint64_t used = 0;
        for (unsigned i = 0; i < MEMORY_LEAF_PAGES; i++) {
            if (leaf->frames[i] == NULL)
                continue;
            census_frame(leaf->frames[i], pinned);
            used++;
        }
        INVARIANT_OF(&memory->object, used > 0 && used == leaf->used);
        frames += used;
    }
    return frames;
}

static void memory_count(const struct memory *memory) {
    uint64_t regions = 0;
    bool pinned = false;
    const struct region *region;
    list_for_each (region, &memory->regions, in_memory) {
        INVARIANT_OF(&memory->object, region->memory == memory);
        pinned = pinned || region->reply != NULL;
        regions++;
    }
    INVARIANT_OF(&memory->object, regions == memory->region_count);
    INVARIANT_OF(&memory->object, leaves_count(memory, pinned) == memory->present);
    census_ref(memory->device != NULL ? &memory->device->object : NULL);
}

static void queue_count(const struct queue *queue) {
    uint64_t members = 0, ready = 0;
    for (const struct tree_node *node = tree_first(&queue->members); node != NULL;
         node = tree_next(node)) {
        const struct member *member = container_of(node, const struct member, node);
        INVARIANT_OF(&queue->object, member->queue == queue);
        (void)census_of(member->watch.object);
        census_heap(queue->object.account, member, sizeof(*member));
        members++;
        ready += list_is_linked(&member->ready);
    }
    INVARIANT_OF(&queue->object, members == queue->member_count);
    INVARIANT_OF(&queue->object, ready == queue->ready_count);
    INVARIANT_OF(&queue->object,
                 ((queue->object.signals & AX_SIGNAL_READABLE) != 0) == (ready > 0));
}

/* ---- All ------------------------------------------------------------------------------------- */

static void watchers_check(const struct object *object) {
    uint32_t watches = 0;
    const struct watch *watch;
    list_for_each (watch, &object->watches, in_object) {
        INVARIANT_OF(object, watch->object == object);
        watches++;
    }
    INVARIANT_OF(object, watches == object->watch_count);
    INVARIANT_OF(object, object->work_queued == list_is_linked(&object->work));
}

static void object_count(const struct object *object) {
    census_heap(object->account, object, type_bytes[object->type]);
    watchers_check(object);
    if (object->work_queued && object->refs != 0)
        census_ref(object);
    switch ((enum ax_type)object->type) {
    case AX_TYPE_PROCESS: process_count((const struct process *)object); break;
    case AX_TYPE_THREAD: thread_count((const struct thread *)object); break;
    case AX_TYPE_ENDPOINT: endpoint_count((const struct endpoint *)object); break;
    case AX_TYPE_SESSION: census_ref(&((const struct session *)object)->endpoint->object); break;
    case AX_TYPE_REPLY: reply_count((const struct reply *)object); break;
    case AX_TYPE_MEMORY: memory_count((const struct memory *)object); break;
    case AX_TYPE_QUEUE: queue_count((const struct queue *)object); break;
    case AX_TYPE_DEVICE: {
        const struct device *parent = ((const struct device *)object)->parent;
        census_ref(parent != NULL ? &parent->object : NULL);
        break;
    }
    case AX_TYPE_IRQ:
        INVARIANT_OF(object, kernel->irqs[((const struct irq *)object)->line] ==
                                 (const struct irq *)object);
        break;
    default: break;
    }
}

void census_count_objects(void) {
    const struct object *object;
    uint64_t last_id = 0;
    list_for_each (object, &kernel->objects, all) {
        INVARIANT_OF(object, object->type > AX_TYPE_NONE && object->type < AX_TYPE_COUNT);
        INVARIANT_OF(object, object->id > last_id);
        last_id = object->id;
        census_enter(object);
    }
    list_for_each (object, &kernel->objects, all)
        object_count(object);
    census_ref(&kernel->root_account->object);
    census_ref(&kernel->root.memory->object);
    census_frame(frame_at(kernel->physical_kernel_page), 0);
    for (unsigned i = 0; i < driver.account_count; i++)
        census_ref(&driver.accounts[i]->object);
}

static void account_check(const struct account *account, const struct found *at) {
    INVARIANT_OF(&account->object, account->used_bytes == at->bytes);
    INVARIANT_OF(&account->object, account->used_objects == at->objects);
    INVARIANT_OF(&account->object, account->used_bytes <= account->limit_bytes);
    INVARIANT_OF(&account->object, account->used_objects <= account->limit_objects);
}

/* DMA memory, or a device made at boot, that waits for a reset. */
static bool is_quarantined(const struct object *object) {
    if (object->type == AX_TYPE_MEMORY)
        return list_is_linked(&((const struct memory *)object)->quarantine);
    return object->type == AX_TYPE_DEVICE &&
           !list_is_empty(&((const struct device *)object)->quarantine);
}

void census_check_objects(void) {
    const struct object *object;
    uint64_t limit_bytes = 0;
    list_for_each (object, &kernel->objects, all) {
        const struct found *at = census_of(object);
        if (object->refs != at->refs)
            driver_fail("object %llu of type %u has %u refs, %u were found",
                        (unsigned long long)object->id, object->type, object->refs, at->refs);
        INVARIANT_OF(object, object->handles == at->handles);
        INVARIANT_OF(object, object->refs != 0 || object->work_queued ||
                                 object->type == AX_TYPE_ACCOUNT || is_quarantined(object));
        if (object->type == AX_TYPE_ENDPOINT)
            INVARIANT_OF(object,
                         ((const struct endpoint *)object)->receive_handles == at->receivers);
        if (object->type == AX_TYPE_SESSION)
            INVARIANT_OF(object, ((const struct session *)object)->calls == at->calls);
        if (object->type == AX_TYPE_ACCOUNT) {
            account_check((const struct account *)object, at);
            limit_bytes += ((const struct account *)object)->limit_bytes;
        }
    }
    INVARIANT(limit_bytes == driver.limit_bytes);
}
