/* SPDX-License-Identifier: MIT */
/* Who the process is: there is one user, and one process that it knows of, until servers tell of
 * more. */
#include "access.h"
#include "task.h"

int64_t linux_getpid(struct thread *thread, const uint64_t a[6]) {
    (void)a;
    return thread->task->pid;
}

int64_t linux_getppid(struct thread *thread, const uint64_t a[6]) {
    (void)a;
    return thread->task->parent;
}

int64_t linux_getuid(struct thread *thread, const uint64_t a[6]) {
    (void)thread;
    (void)a;
    return 0;
}

int64_t linux_geteuid(struct thread *thread, const uint64_t a[6]) {
    return linux_getuid(thread, a);
}

int64_t linux_getgid(struct thread *thread, const uint64_t a[6]) {
    return linux_getuid(thread, a);
}

int64_t linux_getegid(struct thread *thread, const uint64_t a[6]) {
    return linux_getuid(thread, a);
}

/* Three ids, all the same. */
int64_t linux_getresuid(struct thread *thread, const uint64_t a[6]) {
    static const uint32_t id;
    (void)thread;
    for (int i = 0; i < 3; i++) {
        if (user_put(a[i], &id) != 0)
            return -L_EFAULT;
    }
    return 0;
}

int64_t linux_getresgid(struct thread *thread, const uint64_t a[6]) {
    return linux_getresuid(thread, a);
}

int64_t linux_getgroups(struct thread *thread, const uint64_t a[6]) {
    (void)thread;
    return (int32_t)a[0] < 0 ? -L_EINVAL : 0;
}

/* The process leads a group and a session of its own. */
static int64_t own_id(const struct thread *thread, int32_t pid) {
    const struct task *task = thread->task;
    return pid == 0 || pid == (int32_t)task->pid ? (int64_t)task->pid : -L_ESRCH;
}

int64_t linux_getpgrp(struct thread *thread, const uint64_t a[6]) {
    (void)a;
    return own_id(thread, 0);
}

int64_t linux_getpgid(struct thread *thread, const uint64_t a[6]) {
    return own_id(thread, (int32_t)a[0]);
}

int64_t linux_getsid(struct thread *thread, const uint64_t a[6]) {
    return own_id(thread, (int32_t)a[0]);
}

/* Kept for the files that are made once there are any. */
int64_t linux_umask(struct thread *thread, const uint64_t a[6]) {
    return __atomic_exchange_n(&thread->task->umask, (uint32_t)a[0] & 0777, __ATOMIC_RELAXED);
}
