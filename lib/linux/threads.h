/* SPDX-License-Identifier: MIT */
/* Threads of the process: their blocks and areas, and who is who. */
#pragma once

#include "task.h"

/* Where its slot begins; layout.h has what is in it. */
static inline uint64_t thread_slot(const struct thread *thread) {
    return (uintptr_t)thread - THREAD_BLOCK_AT;
}

/* Room for a vector state, task->vector_room bytes. */
static inline void *thread_vector(struct thread *thread) {
    return (char *)thread - thread->task->vector_room;
}

/* The top of its stack for upcalls. */
static inline uint64_t thread_stack(const struct thread *thread) {
    return (uintptr_t)thread - thread->task->vector_room;
}

/* Maps the area of a slot, for threads with so much room for a vector state. */
bool thread_area_map(uint32_t index, uint64_t vector_room);

/* A block with an area and an id, in no list. NULL: no memory, or too many. */
struct thread *thread_make(struct task *task);
/* Has an area ready for the next thread that needs a new one, as there will be one if there was one
 * before. It is not touched: how it is mapped is left to the start of the thread that was made just
 * now, which costs nothing more. */
void thread_prepare(struct task *task);
/* One that never ran. */
void thread_unmake(struct thread *thread);

/* Room for a list that is too long for the stack, zeroes; the thread can have one at a time. NULL:
 * no memory. */
void *thread_list(const struct thread *thread, size_t size_bytes);
void thread_list_drop(const struct thread *thread, size_t size_bytes);

/* It is one of the task's from now on, known by the kernel's handle. */
void thread_join(struct thread *thread, ax_handle handle);

/* Says in a thread page whose it is. By the thread itself. */
void thread_attach(struct thread *thread, struct ax_thread_page *page);

/* With task->threads_lock held. NULL: no such thread. */
struct thread *thread_find(struct task *task, int64_t tid);

/* The life of the thread that sends the signals of timers; it runs nothing of the program. */
_Noreturn void timekeeper_run(struct thread *thread);

/* Makes the kernel's thread for a block: it begins in thread_begin. Its handle, or an error. */
ax_result thread_launch(struct thread *thread);

/* Marks the words of robust mutexes that it holds, and wakes who waits. */
void robust_list_end(struct thread *thread);
