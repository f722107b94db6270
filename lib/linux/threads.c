/* SPDX-License-Identifier: MIT */
#include "threads.h"

#include <base/align.h>
#include <base/memory.h>
#include <sys/ax.h>

/* Ids are given in turn, up to Linux's limit, and not to two at a time. */
#define TID_MAX UINT32_C(0x400000)

/* ---- Areas ----------------------------------------------------------------------------------- */

static uint64_t area_slot(uint32_t index) {
    return AX_PERSONALITY_START + THREAD_AREAS_OFFSET + (uint64_t)index * THREAD_AREA_BYTES;
}

/* Every thread uses all of its area but for some of the stack: it is made at once, which saves the
 * faults. */
bool thread_area_map(uint32_t index, uint64_t vector_room) {
    uint64_t slot = area_slot(index), end = slot + THREAD_AREA_BYTES;
    uint64_t top = slot + THREAD_BLOCK_AT - vector_room;
    uint64_t first = align_down(top - THREAD_STACK_BYTES, AX_PAGE_SIZE);
    struct ax_map_request request = {.address = first,
                                     .size_bytes = end - first,
                                     .prot = AX_PROT_READ | AX_PROT_WRITE,
                                     .flags = AX_MAP_FIXED | AX_MAP_POPULATE};
    return ax_memory_map(AX_HANDLE_NONE, AX_HANDLE_NONE, &request) >= 0;
}

/* One more; with threads_lock held. False: there is no memory, or too many threads. */
static bool area_map(struct task *task) {
    if (task->areas_mapped >= AX_THREAD_MAX ||
        !thread_area_map(task->areas_mapped, task->vector_room))
        return false;
    task->areas_mapped++;
    return true;
}

/* One that was never used. NULL: there is no memory, or too many threads. */
static struct thread *area_fresh(struct task *task) {
    if (task->area_count == task->areas_mapped && !area_map(task))
        return NULL;
    /* NOLINTNEXTLINE(performance-no-int-to-ptr): areas lie at fixed places */
    return (struct thread *)(area_slot(task->area_count++) + THREAD_BLOCK_AT);
}

void thread_prepare(struct task *task) {
    lock_take(&task->threads_lock);
    if (task->area_count == task->areas_mapped)
        (void)area_map(task);
    lock_give(&task->threads_lock);
}

void *thread_list(const struct thread *thread, size_t size_bytes) {
    struct ax_map_request request = {.address = thread_slot(thread) + THREAD_LIST_AT,
                                     .size_bytes = size_bytes,
                                     .prot = AX_PROT_READ | AX_PROT_WRITE,
                                     .flags = AX_MAP_FIXED | AX_MAP_REPLACE | AX_MAP_POPULATE};
    ax_result result = ax_memory_map(AX_HANDLE_NONE, AX_HANDLE_NONE, &request);
    /* NOLINTNEXTLINE(performance-no-int-to-ptr): it lies at a fixed place */
    return result < 0 ? NULL : (void *)result;
}

void thread_list_drop(const struct thread *thread, size_t size_bytes) {
    (void)ax_memory_unmap(AX_HANDLE_NONE, thread_slot(thread) + THREAD_LIST_AT, size_bytes);
}

/* Its page is zero by then, or another's. One that never ran never had one. */
static bool thread_is_gone(const struct thread *thread) {
    const volatile struct ax_thread_page *page = thread->page;
    return page == NULL || page->user[USER_THREAD] != (uintptr_t)thread;
}

/* The block of a thread that is gone, off its stack; NULL: there is none. */
static struct thread *area_reuse(struct task *task) {
    struct thread *thread;
    list_for_each (thread, &task->left, link) {
        if (!thread_is_gone(thread))
            continue;
        list_remove(&thread->link);
        return thread;
    }
    return NULL;
}

/* ---- Blocks ---------------------------------------------------------------------------------- */

struct thread *thread_find(struct task *task, int64_t tid) {
    struct thread *thread;
    list_for_each (thread, &task->threads, link) {
        if (thread->tid == tid)
            return thread;
    }
    return NULL;
}

static uint32_t tid_next(struct task *task) {
    do {
        uint32_t tid = task->next_tid;
        task->next_tid = tid >= TID_MAX ? 2 : tid + 1;
        if (thread_find(task, tid) == NULL && (tid != task->pid || task->thread_count == 0))
            return tid;
    } while (true);
}

struct thread *thread_make(struct task *task) {
    lock_take(&task->threads_lock);
    struct thread *thread = area_reuse(task);
    if (thread == NULL)
        thread = area_fresh(task);
    if (thread != NULL) {
        memset(thread, 0, sizeof(*thread));
        thread->task = task;
        thread->tid = tid_next(task);
        list_init(&thread->link);
        thread->altstack.flags = L_SS_DISABLE;
    }
    lock_give(&task->threads_lock);
    return thread;
}

void thread_unmake(struct thread *thread) {
    struct task *task = thread->task;
    lock_take(&task->threads_lock);
    list_append(&task->left, &thread->link);
    lock_give(&task->threads_lock);
}

void thread_join(struct thread *thread, ax_handle handle) {
    struct task *task = thread->task;
    lock_take(&task->threads_lock);
    thread->handle = handle;
    thread->is_leader = task->thread_count == 0 && list_is_empty(&task->left);
    list_append(&task->threads, &thread->link);
    task->thread_count++;
    lock_give(&task->threads_lock);
}

int64_t linux_gettid(struct thread *thread, const uint64_t a[6]) {
    (void)a;
    return thread->tid;
}

int64_t linux_set_tid_address(struct thread *thread, const uint64_t a[6]) {
    thread->clear_tid = a[0];
    return thread->tid;
}
