/* SPDX-License-Identifier: MIT */
/* Where the kernel and the reference must be alike. */
#include <base/format.h>

#include "endpoint.h"
#include "world.h"

static void bind_handles(int process) {
    struct ref_process *it = &ref.processes[process];
    for (int i = 0; i < HANDLES; i++) {
        struct ref_handle *handle = &it->handles[i];
        if (!handle->used || handle->value != 0)
            continue;
        const struct ref_thread *to = &ref.threads[handle->to_thread];
        if (to->state != REF_RUNS) { /* it is gone already, and nobody can tell */
            ref.unpredictable = true;
            return;
        }
        const struct ax_message *message = &((struct thread *)to->core)->page->ipc.message;
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

static unsigned handle_counts[OBJECTS];

static void compare_process(int index) {
    const struct ref_process *it = &ref.processes[index];
    const struct process *process = it->core;
    if (!it->open) {
        if (handle_counts[it->object] > 0 && process->state != PROCESS_CORPSE)
            driver_fail("process %d is no corpse", index);
        return;
    }
    uint32_t used = 0, live = 0;
    if (process->state != PROCESS_OPEN)
        driver_fail("process %d is not open", index);
    for (int i = 0; i < HANDLES; i++) {
        const struct ref_handle *handle = &it->handles[i];
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
    for (int t = 0; t < THREADS; t++)
        live += ref.threads[t].process == index && ref.threads[t].state != REF_NONE &&
                ref.threads[t].state != REF_GONE;
    if (live != process->live_threads)
        driver_fail("process %d has %u threads, not %u", index, process->live_threads, live);
}

static void compare_message(int index) {
    struct ref_thread *it = &ref.threads[index];
    const struct ax_message *message = &((struct thread *)it->core)->page->ipc.message;
    const struct ref_message *wanted = &it->message;
    if (!it->fresh || it->state != REF_RUNS || it->result != AX_OK) {
        it->fresh = false;
        return;
    }
    it->fresh = false;
    if (message->kind != wanted->kind || message->operation != wanted->operation ||
        message->words[0] != wanted->word || message->handle_count != wanted->handle_count ||
        message->badge != wanted->badge || message->label != wanted->label ||
        message->flags != wanted->flags || message->id.sequence != wanted->sequence ||
        (message->reply != 0) != wanted->has_reply)
        driver_fail("thread %d got another message: kind %u, operation %llu, badge %llu, flags %x; "
                    "not %u, %llu, %llu, %x",
                    index, message->kind, (unsigned long long)message->operation,
                    (unsigned long long)message->badge, message->flags, wanted->kind,
                    (unsigned long long)wanted->operation, (unsigned long long)wanted->badge,
                    wanted->flags);
}

/* Who waits for whom, in the reference. */
static const char *describe(void) {
    static char text[4096];
    size_t used = 0;
    for (int t = 0; t < THREADS; t++) {
        const struct ref_thread *it = &ref.threads[t];
        if (it->state == REF_NONE || it->state == REF_GONE)
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

static void compare_thread(int index) {
    static const uint8_t blocks[] = {[REF_CALLS] = BLOCK_CALL,
                                     [REF_RECEIVES] = BLOCK_RECEIVE,
                                     [REF_WAITS] = BLOCK_WAIT,
                                     [REF_FUTEX] = BLOCK_FUTEX};
    const struct ref_thread *it = &ref.threads[index];
    const struct thread *thread = it->core;
    if (it->state == REF_NONE || it->state == REF_GONE)
        return;
    if (it->state == REF_RUNS) {
        if (thread->state != THREAD_READY && thread->state != THREAD_RUNNING)
            driver_fail("thread %d does not run: state %u, block %u", index, thread->state,
                        thread->block);
        if (it->has_result && (ax_result)thread->user.regs.rax != it->result)
            driver_fail("thread %d came back with %lld, not %lld", index,
                        (long long)thread->user.regs.rax, (long long)it->result);
    } else if (thread->state != THREAD_BLOCKED || thread->block != blocks[it->state]) {
        driver_fail("thread %d is not blocked as %u: state %u, block %u", index, it->state,
                    thread->state, thread->block);
    }
    if (thread->priority != it->priority)
        driver_fail("thread %d has priority %u, not %d%s", index, thread->priority, it->priority,
                    describe());
    if (thread->interrupted != it->interrupted)
        driver_fail("thread %d: interrupted is %d", index, thread->interrupted);
    compare_message(index);
}

static void compare_object(int index) {
    const struct ref_object *it = &ref.objects[index];
    if (handle_counts[index] == 0)
        return;
    const struct object *object = it->core;
    uint32_t signals = object->signals & ~(uint32_t)AX_SIGNAL_PENDING;
    if (signals != it->signals)
        driver_fail("object %d has signals %x, not %x", index, signals, it->signals);
    if (it->type != AX_TYPE_SESSION)
        return;
    static const uint8_t states[] = {SESSION_OPEN, SESSION_CLOSED, SESSION_ANNOUNCED,
                                     SESSION_ENDED};
    if (((const struct session *)(const void *)object)->state != states[it->state])
        driver_fail("session %d is not in state %u", index, it->state);
}

void world_compare(void) {
    for (int p = 0; p < PROCESSES; p++) {
        if (ref.processes[p].exists && ref.processes[p].open)
            bind_handles(p);
    }
    if (ref.unpredictable)
        return;
    ref_handle_counts(handle_counts);
    for (int p = 0; p < PROCESSES; p++) {
        if (ref.processes[p].exists)
            compare_process(p);
    }
    for (int t = 0; t < THREADS; t++)
        compare_thread(t);
    for (int o = 0; o < ref.object_count; o++)
        compare_object(o);
    driver_check_invariants();
}
