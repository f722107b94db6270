/* SPDX-License-Identifier: MIT */
#include "thread.h"

#include <base/bitmap.h>
#include <base/memory.h>

#include "futex.h"
#include "ipc.h"
#include "kernel.h"
#include "process.h"
#include "queue.h"

/* ---- Making ---------------------------------------------------------------------------------- */

/* A slot and its page: a new one only where no thread has left one. */
static ax_result thread_page(struct thread *thread, uint32_t slot) {
    struct process *process = thread->process;
    struct frame *frame = space_take_page(process, &slot);
    if (slot == UINT32_MAX)
        slot = (uint32_t)bitmap_first_clear(process->slots, AX_THREAD_MAX, 0);
    if (slot >= AX_THREAD_MAX)
        return AX_ERR_LIMIT;
    ASSERT(!bitmap_test(process->slots, slot));
    uint64_t address = AX_THREAD_PAGES + slot * AX_PAGE_SIZE;
    if (frame == NULL) {
        TRY(frame_alloc(process->account, 0, &frame));
        ax_result result =
            space_show(process, address, frame_physical(frame), 1, HAL_READ | HAL_WRITE);
        if (result != AX_OK) {
            frame_unref(frame);
            return result;
        }
    }
    thread->slot = slot;
    thread->page_frame = frame;
    thread->page = frame_window(frame);
    thread->page->self = address;
    thread->page->thread_id = thread->object.id;
    thread->page->slot = slot;
    thread->page->personality = process->personality;
    thread->user.page = frame_physical(frame);
    thread->user.page_address = address;
    return AX_OK;
}

static void thread_page_leave(struct thread *thread) {
    memset(thread->page, 0, sizeof(*thread->page));
    space_keep_page(thread->process, thread->page_frame, thread->slot);
    thread->page_frame = NULL;
    thread->page = NULL;
}

static ax_result thread_reply(struct thread *thread) {
    struct reply *reply;
    TRY(object_make(AX_TYPE_REPLY, thread->process->account, sizeof(*reply), &reply));
    reply->caller = thread;
    list_init(&reply->maps);
    list_init(&reply->in_interrupts);
    thread->call.reply = reply;
    return AX_OK;
}

static void thread_init(struct thread *thread, struct process *process, uint64_t label,
                        uint8_t priority) {
    thread->process = process;
    thread->label = label;
    thread->patience = MEMORY_PATIENCE;
    thread->base_priority = thread->priority = priority;
    thread->affinity = UINT64_MAX;
    thread->state = THREAD_BLOCKED;
    list_init(&thread->in_process);
    list_init(&thread->in_queue);
    list_init(&thread->wait_link);
    list_init(&thread->in_members);
    list_init(&thread->in_receivers);
    list_init(&thread->call.in_session);
}

static void thread_join(struct thread *thread) {
    struct process *process = thread->process;
    object_ref(&process->object);
    bitmap_set(process->slots, thread->slot);
    list_append(&process->threads, &thread->in_process);
    process->live_threads++;
    kernel->counters.threads++;
}

/* One that could not be made, as far as it came. */
static void thread_discard(struct thread *thread) {
    struct account *account = thread->object.account;
    if (thread->page != NULL)
        thread_page_leave(thread);
    heap_free(account, thread->user.vector, hal_boot()->vector_bytes);
    if (thread->call.reply != NULL)
        object_discard(&thread->call.reply->object, sizeof(struct reply));
    object_discard(&thread->object, sizeof(*thread));
}

ax_result thread_make(struct process *process, uint32_t slot, uint64_t label, uint8_t priority,
                      struct thread **made) {
    struct thread *thread;
    size_t vector_bytes = hal_boot()->vector_bytes;
    if (process->state != PROCESS_OPEN)
        return AX_ERR_ENDED;
    TRY(space_create(process));
    TRY(object_make(AX_TYPE_THREAD, process->account, sizeof(*thread), &thread));
    thread_init(thread, process, label, priority);
    ax_result result = thread_reply(thread);
    if (result == AX_OK && vector_bytes > 0)
        result = heap_alloc(process->account, vector_bytes, &thread->user.vector);
    if (result == AX_OK)
        result = thread_page(thread, slot);
    if (result == AX_OK && !hal_user_create(&thread->user, &process->space.hal))
        result = AX_ERR_MEMORY;
    if (result != AX_OK) {
        thread_discard(thread);
        return result;
    }
    thread->user_created = true;
    thread_join(thread);
    *made = thread;
    return AX_OK;
}

/* ---- Blocking and waking ----------------------------------------------------------------------
 */

ax_result thread_block(struct thread *thread, enum block_kind kind, uint64_t deadline_ns) {
    ASSERT(thread->state == THREAD_RUNNING && thread->block == BLOCK_NONE);
    thread->state = THREAD_BLOCKED;
    thread->block = (uint8_t)kind;
    due_arm(&thread->due, deadline_ns);
    return RESULT_BLOCKED;
}

static void thread_unblock(struct thread *thread, ax_result result) {
    ASSERT(thread->state == THREAD_BLOCKED && thread->block != BLOCK_NONE);
    due_disarm(&thread->due);
    thread->block = BLOCK_NONE;
    ax_regs_set_result(&thread->user.regs, result);
    TRACE(AX_TRACE_RESULT, thread->call_number, (uint64_t)result);
}

void thread_wake(struct thread *thread, ax_result result) {
    thread_unblock(thread, result);
    sched_ready(thread);
}

void thread_wake_direct(struct thread *thread, ax_result result) {
    thread_unblock(thread, result);
    sched_switch_to(thread);
}

/* Takes it out of what it waits in; not for calls, which end in their own ways. */
static void thread_cancel(struct thread *thread) {
    switch (thread->block) {
    case BLOCK_WAIT: wait_cancel(thread); break;
    case BLOCK_QUEUE: queue_wait_cancel(thread); break;
    case BLOCK_FUTEX: futex_cancel(thread); break;
    case BLOCK_RECEIVE: endpoint_receive_cancel(thread); break;
    default: break;
    }
}

static void thread_cut_short(struct thread *thread, enum ax_error error) {
    if (thread->state != THREAD_BLOCKED)
        return;
    if (thread->block == BLOCK_CALL) {
        call_ask_early(thread, error);
        return;
    }
    thread_cancel(thread);
    thread_wake(thread, error);
}

void thread_interrupt(struct thread *thread) {
    if (thread->state == THREAD_ENDED)
        return;
    thread->interrupted = true;
    thread->page->pending = 1;
    if (thread->state == THREAD_RUNNING)
        sched_kick(thread->cpu);
    thread_cut_short(thread, AX_ERR_INTERRUPTED);
}

void thread_timeout(struct thread *thread) {
    thread_cut_short(thread, AX_ERR_TIMEOUT);
}

/* ---- Ending -----------------------------------------------------------------------------------
 */

/* What it was doing, undone as far as it concerns others. */
static void thread_let_go(struct thread *thread) {
    if (thread->state == THREAD_BLOCKED) {
        if (thread->block == BLOCK_CALL)
            call_abandon(thread);
        else
            thread_cancel(thread);
        thread->block = BLOCK_NONE;
    } else if (thread->state == THREAD_READY) {
        sched_remove(thread);
    }
    due_disarm(&thread->due);
    if (thread->serving != NULL)
        reply_park(thread);
    endpoint_leave(thread);
    if (thread->clone != NULL)
        object_unref(&thread->clone->object);
    thread->clone = NULL;
}

void thread_end(struct thread *thread, enum ax_cause cause, int64_t code) {
    if (thread->state == THREAD_ENDED)
        return;
    thread_let_go(thread);
    thread->state = THREAD_ENDED;
    thread->restarting = false;
    thread->cause = cause;
    thread->code = code;
    thread->process->live_threads--;
    if (thread->on_cpu)
        sched_kick(thread->cpu); /* thread_left follows when it is off it */
    else
        thread_left(thread);
}

void thread_left(struct thread *thread) {
    struct process *process = thread->process;
    ASSERT(thread->state == THREAD_ENDED && !thread->on_cpu && thread->user_created);
    hal_user_destroy(&thread->user);
    thread->user_created = false;
    /* The program's own threads tell that they are gone by a word they named. */
    if (thread->clear_address != 0 && process->state == PROCESS_OPEN)
        futex_clear(process, thread->clear_address);
    object_signal(&thread->object, 0, AX_SIGNAL_ENDED);
    if (process->state == PROCESS_OPEN && process->live_threads == 0 &&
        !root_is_restarting(process))
        process_end(process, thread->cause, AX_FAULT_NONE, thread->code, 0);
    if (process->state == PROCESS_OPEN) /* the root task stays open */
        thread_release(thread);
}

void thread_release(struct thread *thread) {
    ASSERT(thread->state == THREAD_ENDED && !thread->user_created);
    thread_page_leave(thread);
    bitmap_clear(thread->process->slots, thread->slot);
    list_remove(&thread->in_process);
    object_unref(&thread->object);
}

void thread_free(struct thread *thread) {
    struct process *process = thread->process;
    ASSERT(thread->state == THREAD_ENDED && thread->page == NULL);
    kernel->counters.threads--;
    object_unref(&thread->call.reply->object);
    heap_free(thread->object.account, thread->user.vector, hal_boot()->vector_bytes);
    object_free(&thread->object, sizeof(*thread));
    object_unref(&process->object);
}
