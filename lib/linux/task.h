/* SPDX-License-Identifier: MIT */
/*
 * All that the personality knows of its process and of each thread. It has no variables: a thread
 * finds its block, and through it the task, by its thread page.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <abi/abi.h>
#include <base/list.h>
#include <proto/start.h>

#include "cipher.h"
#include "descriptors.h"
#include "errors.h"
#include "layout.h"
#include "numbers.h"
#include "patch.h"
#include "signals.h"
#include "structures.h"
#include "timers.h"

/* Which word of thread_page.user is what. */
enum user_word {
    USER_TASK = 0,
    USER_THREAD = 1,
};

/* 0 free, 1 taken, 2 taken and others wait. Where it is several: timers, signals, threads. None is
 * held while a call may block, and only that of memory while the program's is touched. */
typedef uint32_t task_lock;

struct task {
    struct ax_linux_state state; /* what others read of it: first */

    const struct ax_start *start;
    uint32_t pid, parent;
    uint64_t vector_mask; /* XSAVE's components; 0: FXSAVE */
    uint64_t vector_bytes;
    uint64_t vector_room; /* what each thread has for one */

    task_lock memory_lock; /* the break, and changes of mappings, patches */
    uint64_t break_now;
    struct patches patches;

    task_lock threads_lock; /* the list, areas, next_tid */
    struct list threads;
    struct list left; /* blocks of threads that have ended or are about to */
    uint32_t thread_count;
    uint32_t next_tid;
    uint32_t area_count; /* used at any time, from the first on */
    uint32_t areas_mapped;
    int32_t leader_code; /* what the first thread gave to exit */

    task_lock signals_lock; /* actions, and every queue and mask of pending signals */
    struct linux_sigaction actions[L_SIGNAL_MAX]; /* by number - 1 */
    struct signal_queue queue;                    /* pending for the process */
    struct signal_pool pool;

    task_lock files_lock;
    struct descriptors files;

    task_lock cipher_lock;
    struct cipher cipher;

    task_lock limits_lock;
    struct linux_rlimit limits[L_RLIMIT_COUNT];
    uint32_t umask;

    task_lock timers_lock;
    struct timers timers;
    bool has_timekeeper; /* a thread of the personality's own sends their signals */
};

/* What a call that is made again, because a signal ended it that had no handler, goes on with. */
struct again {
    bool is_set;
    uint64_t deadline_ns;
};

struct thread {
    struct task *task;
    struct ax_thread_page *page;
    struct list link; /* in task->threads, or task->left */
    ax_handle handle;
    uint32_t tid;
    bool is_leader;
    bool is_timekeeper;
    struct ax_regs first_regs; /* with which the program's part of it begins */
    uint64_t clear_tid;        /* set_tid_address: zeroed and woken at the end; 0: none */
    uint64_t robust;           /* set_robust_list; 0: none */
    char name[16];

    /* Written by others under signals_lock; looked at by itself at the end of each upcall. */
    uint32_t attention; /* a signal may have to be taken */
    signal_set blocked;
    struct signal_queue queue;
    bool has_saved; /* `saved` is the mask to go back to: a call waits with another one */
    signal_set saved;
    struct linux_stack altstack;

    /* Of the upcall that is being served. */
    uint64_t number;  /* of the call */
    bool must_resume; /* the registers can only be loaded by the kernel */
    struct again again;
};

/* A call that is not there, or not in the way it was made, is counted and fails. */
int64_t call_unknown(struct thread *thread);

/* Whose upcall, call or start this is. */
struct thread *thread_self(void);

/* Ends in the kernel, with what the program's wait will tell. */
_Noreturn void task_exit(int code);
_Noreturn void task_end_by_signal(struct thread *thread, int signal, bool is_fault);

/* ---- Locks ----------------------------------------------------------------------------------- */

/* A signal that comes meanwhile waits until the upcall ends. */
void lock_take(task_lock *lock);
void lock_give(task_lock *lock);

/* A kernel call was interrupted: the interrupt is taken note of, so that the next call waits
 * again. */
void thread_take_interrupt(struct thread *thread);

/* ---- Calls ----------------------------------------------------------------------------------- */

/* A Linux call: its arguments, and the answer: a value or a negative error number. */
typedef int64_t linux_call(struct thread *thread, const uint64_t a[6]);

#define X(number, name) linux_call linux_##name;
LINUX_CALL_LIST(X)
#undef X

_Static_assert(sizeof(struct task) <= THREAD_AREAS_OFFSET - 0x2000000, "ends before the areas");
_Static_assert(sizeof(struct thread) <= THREAD_AREA_BYTES - THREAD_BLOCK_AT, "ends with its area");
