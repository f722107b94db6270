/* SPDX-License-Identifier: MIT */
/* New threads, and the end of one. New processes are not there yet: clone without CLONE_VM, and
 * with CLONE_VFORK, are unknown calls. */
#include <base/memory.h>
#include <sys/ax.h>

#include "access.h"
#include "deliver.h"
#include "threads.h"

#define THREAD_FLAGS (L_CLONE_VM | L_CLONE_SIGHAND | L_CLONE_THREAD)
#define KNOWN_FLAGS                                                                            \
    ((uint64_t)(THREAD_FLAGS | L_CLONE_FS | L_CLONE_FILES | L_CLONE_SYSVSEM | L_CLONE_SETTLS | \
                L_CLONE_PARENT_SETTID | L_CLONE_CHILD_CLEARTID | L_CLONE_CHILD_SETTID |        \
                L_CLONE_DETACHED))
/* All threads share these: Linux would let a thread do without. */
#define SHARED_FLAGS (L_CLONE_FS | L_CLONE_FILES)

/* The image's place where threads start: struct ax_personality_image, first thing in it. */
[[gnu::visibility("hidden")]] extern const struct ax_personality_image image_start;

/* As the program asked for it, by clone or clone3. */
struct clone_wish {
    uint64_t flags; /* without the signal */
    uint64_t exit_signal;
    uint64_t stack; /* the first stack pointer; 0: the caller's */
    uint64_t parent_tid, child_tid, tls;
};

static int64_t wish_check(struct thread *thread, const struct clone_wish *wish) {
    uint64_t flags = wish->flags;
    if ((flags & L_CLONE_THREAD) != 0 && (flags & L_CLONE_SIGHAND) == 0)
        return -L_EINVAL;
    if ((flags & L_CLONE_SIGHAND) != 0 && (flags & L_CLONE_VM) == 0)
        return -L_EINVAL;
    if ((flags & THREAD_FLAGS) != THREAD_FLAGS || (flags & ~KNOWN_FLAGS) != 0 ||
        (flags & SHARED_FLAGS) != SHARED_FLAGS) {
        return call_unknown(thread);
    }
    if ((flags & L_CLONE_SETTLS) != 0 && wish->tls >= AX_USER_END)
        return -L_EPERM;
    return wish->exit_signal > L_SIGNAL_MAX ? -L_EINVAL : 0;
}

/* What the new thread has of its maker. */
static void child_inherit(const struct thread *thread, struct thread *child,
                          const struct clone_wish *wish) {
    child->first_regs = thread->page->program.regs;
    child->first_regs.rax = 0;
    if (wish->stack != 0)
        child->first_regs.rsp = wish->stack;
    if ((wish->flags & L_CLONE_SETTLS) != 0)
        child->first_regs.fs_base = wish->tls;
    if ((wish->flags & L_CLONE_CHILD_CLEARTID) != 0)
        child->clear_tid = wish->child_tid;
    child->blocked = thread->blocked;
    memcpy(child->name, thread->name, sizeof(child->name));
    (void)!access_save_vector(thread_vector(child), thread->task->vector_mask);
}

/* As Linux does, without telling of an address where that cannot be written. */
static void child_tell_tid(const struct thread *child, const struct clone_wish *wish) {
    if ((wish->flags & L_CLONE_PARENT_SETTID) != 0)
        (void)!user_put(wish->parent_tid, &child->tid);
    if ((wish->flags & L_CLONE_CHILD_SETTID) != 0)
        (void)!user_put(wish->child_tid, &child->tid);
}

ax_result thread_launch(struct thread *thread) {
    return ax_thread_create(AX_HANDLE_NONE, image_start.start, thread_stack(thread),
                            (uintptr_t)thread, AX_PLACE_ANY);
}

/* Who sends signals takes both locks, and so finds it only when it has its handle. */
static int64_t child_start(struct thread *child) {
    struct task *task = child->task;
    lock_take(&task->signals_lock);
    ax_result handle = thread_launch(child);
    if (handle > 0)
        thread_join(child, (ax_handle)handle);
    lock_give(&task->signals_lock);
    return handle > 0 ? 0 : -L_EAGAIN;
}

static int64_t clone_thread(struct thread *thread, const struct clone_wish *wish) {
    int64_t error = wish_check(thread, wish);
    if (error != 0)
        return error;
    struct thread *child = thread_make(thread->task);
    if (child == NULL)
        return -L_EAGAIN;
    uint32_t tid = child->tid;
    child_inherit(thread, child, wish);
    child_tell_tid(child, wish);
    error = child_start(child);
    if (error != 0) {
        thread_unmake(child);
        return error;
    }
    thread_prepare(thread->task);
    return tid;
}

int64_t linux_clone(struct thread *thread, const uint64_t a[6]) {
    struct clone_wish wish = {.flags = a[0] & ~(uint64_t)L_CLONE_EXIT_SIGNAL,
                              .exit_signal = a[0] & L_CLONE_EXIT_SIGNAL,
                              .stack = a[1],
                              .parent_tid = a[2],
                              .child_tid = a[3],
                              .tls = a[4]};
    wish.flags &= UINT32_MAX;
    return clone_thread(thread, &wish);
}

int64_t linux_clone3(struct thread *thread, const uint64_t a[6]) {
    struct linux_clone_args args = {0};
    size_t size = a[1];
    if (size < L_CLONE_ARGS_FIRST)
        return -L_EINVAL;
    if (size > AX_PAGE_SIZE)
        return -L_E2BIG;
    int64_t error = user_read(&args, a[0], size < sizeof(args) ? size : sizeof(args));
    if (error != 0)
        return error;
    if (args.set_tid != 0 || args.set_tid_size != 0 || (args.flags & L_CLONE_EXIT_SIGNAL) != 0 ||
        (args.stack == 0) != (args.stack_size == 0) ||
        ((args.flags & L_CLONE_THREAD) != 0 && args.exit_signal != 0))
        return -L_EINVAL;
    struct clone_wish wish = {.flags = args.flags,
                              .exit_signal = args.exit_signal,
                              .stack = args.stack + args.stack_size,
                              .parent_tid = args.parent_tid,
                              .child_tid = args.child_tid,
                              .tls = args.tls};
    return clone_thread(thread, &wish);
}

/* ---- The end of a thread --------------------------------------------------------------------- */

/* Takes it out of the task; false: it is the last. */
static bool thread_part(struct thread *thread, int code) {
    struct task *task = thread->task;
    lock_take(&task->threads_lock);
    if (thread->is_leader)
        task->leader_code = code;
    bool is_last = task->thread_count == 1;
    if (!is_last) {
        list_remove(&thread->link);
        task->thread_count--;
        list_append(&task->left, &thread->link);
    }
    lock_give(&task->threads_lock);
    return !is_last;
}

/* What was sent to it alone is forgotten. */
static void thread_forget_signals(struct thread *thread) {
    struct task *task = thread->task;
    lock_take(&task->signals_lock);
    signal_queue_drop(&thread->queue, &task->pool, ~(signal_set)0);
    lock_give(&task->signals_lock);
}

int64_t linux_exit(struct thread *thread, const uint64_t a[6]) {
    int code = (int)a[0];
    robust_list_end(thread);
    uint64_t clear = thread->clear_tid;
    if (clear % sizeof(uint32_t) != 0 || clear >= AX_USER_END) {
        (void)!user_zero(clear, sizeof(uint32_t)); /* where nobody can wait */
        clear = 0;
    }
    thread_forget_signals(thread);
    if (!thread_part(thread, code))
        task_exit(thread->is_leader ? code : thread->task->leader_code);
    /* The block may be another thread's as soon as this one has ended. */
    (void)ax_thread_exit(clear, code & 255, thread->handle);
    /* Without memory for the word's page it cannot be written. */
    (void)ax_thread_exit(0, code & 255, thread->handle);
    for (;;)
        (void)ax_thread_exit(0, code & 255, AX_HANDLE_NONE);
}

int64_t linux_exit_group(struct thread *thread, const uint64_t a[6]) {
    (void)thread;
    task_exit((int)a[0]);
}
