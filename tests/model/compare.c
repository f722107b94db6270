/* SPDX-License-Identifier: MIT */
/* Where the kernel and the reference must be alike. */
#include <base/format.h>
#include <string.h>

#include "account.h"
#include "endpoint.h"
#include "frame.h"
#include "memory.h"
#include "space.h"
#include "world.h"

/* How many handles each object has, counted once a comparison. */
static unsigned handle_counts[OBJECTS];

static void count_handles(void) {
    memset(handle_counts, 0, sizeof(handle_counts));
    for (int p = 0; p < PROCESSES; p++) {
        for (int i = 0; ref.processes[p].exists && i < ref.processes[p].handle_end; i++) {
            const struct ref_handle *handle = &ref.processes[p].handles[i];
            if (handle->used && handle->object >= 0)
                handle_counts[handle->object]++;
        }
    }
    for (int t = 0; t < THREADS; t++) {
        const struct ref_call *call = &ref.threads[t].call;
        for (unsigned i = 0; (call->queued || call->received) && i < call->message.handle_count;
             i++)
            handle_counts[call->handles[i].object]++;
    }
}

/* ---- Processes ------------------------------------------------------------------------------- */

static const struct ax_message *message_of(const struct ref_thread *thread) {
    return &((struct thread *)thread->core)->page->ipc.message;
}

/* Handles that came with messages get the values that the kernel told. */
static void bind_handles(int process) {
    struct ref_process *it = &ref.processes[process];
    for (int i = 0; i < it->handle_end; i++) {
        struct ref_handle *handle = &it->handles[i];
        if (!handle->used || handle->value != 0)
            continue;
        const struct ref_thread *to = &ref.threads[handle->to_thread];
        if (to->state != REF_RUNS) { /* it is gone already, and nobody can tell */
            ref.unpredictable = true;
            return;
        }
        const struct ax_message *message = message_of(to);
        handle->value =
            handle->to_index < 0 ? message->reply : message->handles[handle->to_index].handle;
        if (handle->value == 0)
            driver_fail("a message to thread %d lacks a handle", handle->to_thread);
    }
}

static const void *core_of(const struct ref_handle *handle) {
    if (handle->object >= 0)
        return ref.objects[handle->object].core;
    const struct ref_thread *caller = &ref.threads[-1 - handle->object];
    return caller->state == REF_GONE ? NULL
                                     : (const void *)((struct thread *)caller->core)->call.reply;
}

static void compare_handles(int index, const struct process *process) {
    uint32_t used = 0;
    for (int i = 0; i < ref.processes[index].handle_end; i++) {
        const struct ref_handle *handle = &ref.processes[index].handles[i];
        if (!handle->used)
            continue;
        used++;
        const struct slot *slot =
            handle_slot(&process->handles, handle->value & AX_HANDLE_INDEX_MASK);
        const void *core = core_of(handle);
        if (slot == NULL || slot->object == NULL || (core != NULL && slot->object != core) ||
            slot->rights != handle->rights ||
            slot->generation != handle->value >> AX_HANDLE_INDEX_BITS)
            driver_fail("process %d: handle %x is not what it should be", index, handle->value);
    }
    if (used != process->handles.used)
        driver_fail("process %d has %u handles, not %u", index, process->handles.used, used);
}

static void compare_process(int index) {
    const struct ref_process *it = &ref.processes[index];
    const struct process *process = it->core;
    uint32_t live = 0;
    if (!it->open) {
        if (handle_counts[it->object] > 0 && process->state != PROCESS_CORPSE)
            driver_fail("process %d is no corpse", index);
        if (handle_counts[it->object] > 0 && it->is_released &&
            (process->space.region_count != 0 || !list_is_empty(&process->threads)))
            driver_fail("process %d has not given its memory back", index);
        return;
    }
    if (process->state != PROCESS_OPEN)
        driver_fail("process %d is not open", index);
    compare_handles(index, process);
    for (int t = 0; t < THREADS; t++)
        live += ref.threads[t].process == index && ref_is_live(t);
    if (live != process->live_threads)
        driver_fail("process %d has %u threads, not %u", index, process->live_threads, live);
    if (it->suspended != process->suspended)
        driver_fail("process %d is suspended %u times", index, process->suspended);
}

/* ---- Pages ----------------------------------------------------------------------------------- */

/* Programs touch pages near their ends; the rest is looked at in turn. */
static void compare_frame(int process, int page, const struct frame *frame, int wanted) {
    static const unsigned char zero[AX_PAGE_SIZE];
    const size_t part = 128;
    const unsigned char *content = wanted >= 0 ? ref.frames[wanted] : zero;
    const unsigned char *there = frame != NULL ? frame_window(frame) : zero;
    bool is_turn = world_call_count % (4 * PROCESSES) == (unsigned)process;
    if (memcmp(there, content, is_turn ? AX_PAGE_SIZE : part) != 0 ||
        memcmp(there + AX_PAGE_SIZE - part, content + AX_PAGE_SIZE - part, part) != 0)
        driver_fail("page %d of process %d holds something else", page, process);
}

static void compare_page(int process, int index) {
    const struct ref_page *page = &ref.processes[process].pages[index];
    const struct region *region = space_find(ref.processes[process].core, PAGE_AT(index));
    if ((region != NULL) != page->is_mapped)
        driver_fail("page %d of process %d is%s mapped", index, process,
                    page->is_mapped ? " not" : "");
    if (region == NULL)
        return;
    uint64_t at = (PAGE_AT(index) - region->start) / AX_PAGE_SIZE;
    const void *memory = page->memory >= 0 ? ref.objects[page->memory].core : NULL;
    if (region->prot != page->prot || region->is_private != page->is_private ||
        region->memory != memory || (memory != NULL && region->offset + at != page->index))
        driver_fail("page %d of process %d is mapped otherwise", index, process);
    const struct frame *frame = NULL;
    if (region->overlay != NULL)
        frame = memory_find(region->overlay, PAGE_AT(index) / AX_PAGE_SIZE);
    if ((frame != NULL) != (page->is_private && page->frame >= 0))
        driver_fail("page %d of process %d has %s frame of its own", index, process,
                    frame != NULL ? "a" : "no");
    int wanted = page->frame;
    if (frame == NULL && memory != NULL) {
        frame = memory_find(region->memory, page->index);
        wanted = page->index < MEMORY_PAGES ? ref.objects[page->memory].frames[page->index] : -1;
    }
    compare_frame(process, index, frame, wanted);
}

/* A mapped loan shows the lender's frames, whatever the lender has done. */
static void compare_map(const struct ref_map *map) {
    const struct process *process = ref.processes[map->process].core;
    const struct region *region = space_find((struct process *)(uintptr_t)process, map->address);
    if (region == NULL || region->reply == NULL || region->page_count != map->count ||
        ((region->prot & AX_PROT_WRITE) != 0) != map->is_writable)
        driver_fail("the loan mapped at %#llx of process %d is mapped otherwise",
                    (unsigned long long)map->address, map->process);
    for (unsigned i = 0; i < map->count; i++)
        compare_frame(map->process, (int)(PAGES + i), memory_find(region->memory, i),
                      map->frames[i]);
}

/* ---- Threads --------------------------------------------------------------------------------- */

static void message_fail(int index, const char *what) {
    const struct ref_message *wanted = &ref.threads[index].message;
    const struct ax_message *message = message_of(&ref.threads[index]);
    driver_fail(
        "thread %d got another message (%s): kind %u, operation %llu, badge %llu, flags %x; "
        "not %u, %llu, %llu, %x",
        index, what, message->kind, (unsigned long long)message->operation,
        (unsigned long long)message->badge, message->flags, wanted->kind,
        (unsigned long long)wanted->operation, (unsigned long long)wanted->badge, wanted->flags);
}

static void compare_message(int index) {
    const struct ref_message *wanted = &ref.threads[index].message;
    const struct ax_message *message = message_of(&ref.threads[index]);
    uint64_t caller = wanted->caller >= 0 ? ref.objects[wanted->caller].id : 0;
    if (message->kind != wanted->kind || message->flags != wanted->flags)
        message_fail(index, "kind");
    if (message->operation != wanted->operation || message->word_count != wanted->word_count ||
        memcmp(message->words, wanted->words, sizeof(wanted->words)) != 0)
        message_fail(index, "words");
    if (message->badge != wanted->badge || message->label != wanted->label ||
        message->id.sequence != wanted->sequence || message->id.caller != caller)
        message_fail(index, "identity");
    if (message->handle_count != wanted->handle_count || (message->reply != 0) != wanted->has_reply)
        message_fail(index, "handles");
    if (message->loan_count != wanted->loan_count || message->inline_bytes != wanted->inline_bytes)
        message_fail(index, "loans");
    for (unsigned i = 0; i < wanted->loan_count; i++) {
        if (message->loans[i].size_bytes != wanted->loans[i].size ||
            message->loans[i].address != 0 || message->loan_access[i] != wanted->loans[i].access)
            message_fail(index, "loan");
    }
}

/* What a wait for many objects tells of each. */
static void compare_seen(int index) {
    const struct ref_thread *it = &ref.threads[index];
    struct ax_wait_item items[3];
    memcpy(items, ((struct thread *)it->core)->page->buffer, sizeof(items));
    for (unsigned i = 0; i < it->wait_count; i++) {
        if (items[i].seen != it->waits[i].seen)
            driver_fail("thread %d saw %x of item %u, not %x", index, items[i].seen, i,
                        it->waits[i].seen);
    }
}

static void compare_events(int index) {
    const struct ref_thread *it = &ref.threads[index];
    struct ax_queue_event events[QUEUE_MAX];
    memcpy(events, ((struct thread *)it->core)->page->buffer, sizeof(events));
    for (unsigned i = 0; i < it->event_count; i++) {
        if (events[i].key != it->events[i].key || events[i].signals != it->events[i].signals)
            driver_fail("thread %d: event %u of a queue is of %llu, signals %x; not of %llu, %x",
                        index, i, (unsigned long long)events[i].key, events[i].signals,
                        (unsigned long long)it->events[i].key, it->events[i].signals);
        if (events[i].data != it->events[i].data)
            driver_fail("thread %d: event %u of a queue brings other data", index, i);
    }
}

/* Who waits for whom, in the reference. */
static const char *describe(void) {
    static char text[4096];
    size_t used = 0;
    for (int t = 0; t < THREADS; t++) {
        const struct ref_thread *it = &ref.threads[t];
        if (!ref_is_live(t))
            continue;
        const struct thread *thread = it->core;
        used += format(text + used, sizeof(text) - used,
                       "\n  thread %d: priority %u (%d), state %u, receives from %d, serves %d", t,
                       thread->priority, it->priority, it->state, it->endpoint, it->serving);
        if (it->state == REF_CALLS)
            used += format(text + used, sizeof(text) - used, "; its call is %s at %d, server %d",
                           it->call.queued ? "queued" : "received",
                           ref.objects[it->call.session].of, it->call.server);
    }
    return text;
}

static const char *core_state(const struct thread *thread) {
    static const char *const blocks[] = {
        [BLOCK_NONE] = "blocked in nothing",     [BLOCK_CALL] = "blocked in call",
        [BLOCK_RECEIVE] = "blocked in receive",  [BLOCK_WAIT] = "blocked in wait",
        [BLOCK_QUEUE] = "blocked in queue_wait", [BLOCK_FUTEX] = "blocked in futex_wait"};
    switch ((enum thread_state)thread->state) {
    case THREAD_READY: return "ready";
    case THREAD_RUNNING: return "running";
    case THREAD_ENDED: return "ended";
    default: return blocks[thread->block];
    }
}

static void compare_thread(int index) {
    static const uint8_t blocks[] = {[REF_CALLS] = BLOCK_CALL,
                                     [REF_RECEIVES] = BLOCK_RECEIVE,
                                     [REF_WAITS] = BLOCK_WAIT,
                                     [REF_FUTEX] = BLOCK_FUTEX,
                                     [REF_QUEUES] = BLOCK_QUEUE};
    static const char *const states[] = {[REF_CALLS] = "call",
                                         [REF_RECEIVES] = "receive",
                                         [REF_WAITS] = "wait",
                                         [REF_FUTEX] = "futex_wait",
                                         [REF_QUEUES] = "queue_wait"};
    struct ref_thread *it = &ref.threads[index];
    const struct thread *thread = it->core;
    if (it->state == REF_RUNS && it->before != REF_RUNS)
        world_count_end(it->before, it->result);
    it->before = it->state;
    bool fresh = it->fresh, tells_seen = it->tells_seen, tells_events = it->tells_events;
    if (!ref_is_live(index))
        return;
    it->fresh = it->tells_seen = it->tells_events = false;
    if (it->state != REF_RUNS) {
        if (thread->state != THREAD_BLOCKED || thread->block != blocks[it->state])
            driver_fail("thread %d is %s, not blocked in %s", index, core_state(thread),
                        states[it->state]);
    } else if (thread->state != THREAD_READY && thread->state != THREAD_RUNNING) {
        driver_fail("thread %d is %s, though it could run", index, core_state(thread));
    } else if (it->has_result && (ax_result)thread->user.regs.rax != it->result) {
        driver_fail("thread %d came back with %s, not %s", index,
                    world_error_name((ax_result)thread->user.regs.rax),
                    world_error_name(it->result));
    } else if (fresh && it->result == AX_OK) {
        compare_message(index);
    } else if (tells_seen) {
        compare_seen(index);
    } else if (tells_events) {
        compare_events(index);
    }
    if (thread->priority != it->priority)
        driver_fail("thread %d has priority %u, not %d%s", index, thread->priority, it->priority,
                    describe());
    if (thread->interrupted != it->interrupted)
        driver_fail("thread %d: interrupted is %d", index, thread->interrupted);
}

/* ---- Objects --------------------------------------------------------------------------------- */

/* Is there something to receive? */
static bool is_pending(int endpoint) {
    bool pending = false;
    for (int o = 0; o < ref.object_count && !pending; o++) {
        const struct ref_object *it = &ref.objects[o];
        pending = (it->type == AX_TYPE_SESSION && it->of == endpoint && it->state == REF_CLOSED) ||
                  (it->bound_to == endpoint && it->ready_at != 0);
    }
    for (int t = 0; t < THREADS && !pending; t++) {
        const struct ref_call *call = &ref.threads[t].call;
        pending = call->queued && ref.objects[call->session].of == endpoint;
    }
    for (int p = 0; p < PROCESSES && !pending; p++) {
        const struct ref_process *it = &ref.processes[p];
        for (int i = 0; it->exists && i < it->interrupt_count; i++)
            pending |= ref.objects[ref.threads[it->interrupts[i]].call.session].of == endpoint;
    }
    return pending;
}

static void compare_object(int index) {
    const struct ref_object *it = &ref.objects[index];
    if (handle_counts[index] == 0)
        return;
    const struct object *object = it->core;
    uint32_t wanted = it->signals;
    if (it->type == AX_TYPE_ENDPOINT && is_pending(index))
        wanted |= AX_SIGNAL_PENDING;
    if (object->signals != wanted)
        driver_fail("object %d has signals %x, not %x", index, object->signals, wanted);
    if (object->account != ref.objects[it->account].core)
        driver_fail("object %d is paid for by another account", index);
    if (it->type == AX_TYPE_ACCOUNT && !it->has_parts &&
        ((const struct account *)(const void *)object)->limit_objects != it->limit_objects)
        driver_fail(
            "account %d allows %llu objects", index,
            (unsigned long long)((const struct account *)(const void *)object)->limit_objects);
    static const uint8_t states[] = {SESSION_OPEN, SESSION_CLOSED, SESSION_ANNOUNCED,
                                     SESSION_ENDED};
    if (it->type == AX_TYPE_SESSION &&
        ((const struct session *)(const void *)object)->state != states[it->state])
        driver_fail("session %d is not in state %u", index, it->state);
}

void world_compare(void) {
    for (int p = 0; p < PROCESSES; p++) {
        const struct ref_process *process = &ref.processes[p];
        if (!process->exists || !process->open)
            continue;
        ref.objects[process->object].id = ((const struct object *)process->core)->id;
        bind_handles(p);
    }
    if (ref.unpredictable)
        return;
    count_handles();
    for (int p = 0; p < PROCESSES; p++) {
        if (ref.processes[p].exists)
            compare_process(p);
        for (int i = 0; ref.processes[p].exists && ref.processes[p].open && i < PAGES; i++)
            compare_page(p, i);
    }
    for (int m = 0; m < MAPS; m++) {
        if (ref.maps[m].used)
            compare_map(&ref.maps[m]);
    }
    for (int t = 0; t < THREADS; t++)
        compare_thread(t);
    for (int o = 0; o < ref.object_count; o++)
        compare_object(o);
    driver_check_invariants();
}
