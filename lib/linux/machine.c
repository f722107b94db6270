/* SPDX-License-Identifier: MIT */
/* The machine, as a program sees it: its name, its CPUs, registers, random numbers. */
#include <base/memory.h>
#include <sys/ax.h>

#include "access.h"
#include "threads.h"
#include "upcall.h"

int64_t linux_uname(struct thread *thread, const uint64_t a[6]) {
    static const struct linux_utsname name = {
        .system = "Linux", /* programs look at it to know which interface this is */
        .node = "axolotl",
        .release = "6.1.0-axolotl",
        .version = "#1 SMP Axolotl",
        .machine = "x86_64",
        .domain = "(none)",
    };
    (void)thread;
    return user_put(a[0], &name);
}

int64_t linux_arch_prctl(struct thread *thread, const uint64_t a[6]) {
    struct ax_regs *regs = &thread->page->program.regs;
    switch ((uint32_t)a[0]) {
    case L_ARCH_SET_FS:
        if (a[1] >= AX_USER_END)
            return -L_EPERM;
        regs->fs_base = a[1];
        fs_base_load(regs);
        return 0;
    case L_ARCH_GET_FS: return user_put(a[1], &regs->fs_base);
    case L_ARCH_SET_GS: return -L_EPERM; /* it is the machine's */
    default: return -L_EINVAL;
    }
}

/* ---- CPUs ------------------------------------------------------------------------------------ */

static uint64_t cpus_of(const struct task *task) {
    uint32_t count = task->start->cpu_count;
    count = count == 0 ? 1 : count;
    return count >= AX_CPU_MAX ? UINT64_MAX : (UINT64_C(1) << count) - 1;
}

/* The handle of a thread by its id, 0: the caller's. */
static int64_t handle_find(struct thread *thread, int32_t tid, ax_handle *handle) {
    struct task *task = thread->task;
    lock_take(&task->threads_lock);
    const struct thread *found = tid == 0 ? thread : thread_find(task, tid);
    if (found != NULL)
        *handle = found->handle;
    lock_give(&task->threads_lock);
    return found != NULL ? 0 : -L_ESRCH;
}

int64_t linux_sched_getaffinity(struct thread *thread, const uint64_t a[6]) {
    ax_handle handle;
    struct ax_object_info info;
    if ((uint32_t)a[1] < sizeof(uint64_t) || (uint32_t)a[1] % sizeof(uint64_t) != 0)
        return -L_EINVAL;
    int64_t error = handle_find(thread, (int32_t)a[0], &handle);
    if (error != 0)
        return error;
    if (ax_object_info(handle, &info) < 0)
        return -L_ESRCH; /* it ends just now */
    uint64_t mask = info.thread.affinity & cpus_of(thread->task);
    error = user_put(a[2], &mask);
    return error != 0 ? error : (int64_t)sizeof(mask);
}

int64_t linux_sched_setaffinity(struct thread *thread, const uint64_t a[6]) {
    ax_handle handle;
    uint64_t mask = 0;
    size_t size = (uint32_t)a[1] < sizeof(mask) ? (uint32_t)a[1] : sizeof(mask);
    int64_t error = user_read(&mask, a[2], size);
    if (error == 0)
        error = handle_find(thread, (int32_t)a[0], &handle);
    if (error != 0)
        return error;
    mask &= cpus_of(thread->task);
    return mask == 0 ? -L_EINVAL : error_or_zero(ax_thread_affinity(handle, mask));
}

int64_t linux_getcpu(struct thread *thread, const uint64_t a[6]) {
    uint32_t cpu = thread->page->cpu, node = 0;
    int64_t error = a[0] != 0 ? user_put(a[0], &cpu) : 0;
    return error == 0 && a[1] != 0 ? user_put(a[1], &node) : error;
}

/* ---- Names and other attributes -------------------------------------------------------------- */

static int64_t name_set(struct thread *thread, uint64_t address) {
    char name[16] = {0};
    for (unsigned i = 0; i < sizeof(name) - 1; i++) {
        int64_t error = user_get(&name[i], address + i);
        if (error != 0)
            return error;
        if (name[i] == '\0')
            break;
    }
    memcpy(thread->name, name, sizeof(name));
    return 0;
}

int64_t linux_prctl(struct thread *thread, const uint64_t a[6]) {
    switch ((uint32_t)a[0]) {
    case L_PR_SET_NAME: return name_set(thread, a[1]);
    case L_PR_GET_NAME: return user_put(a[1], &thread->name);
    case L_PR_GET_DUMPABLE: return 1;
    /* Nothing that a program could start has more rights than it has itself. */
    case L_PR_SET_NO_NEW_PRIVS: return a[1] == 1 && (a[2] | a[3] | a[4]) == 0 ? 0 : -L_EINVAL;
    case L_PR_GET_NO_NEW_PRIVS: return 1;
    default: (void)call_unknown(thread); return -L_EINVAL;
    }
}

/* ---- Random numbers -------------------------------------------------------------------------- */

int64_t linux_getrandom(struct thread *thread, const uint64_t a[6]) {
    struct task *task = thread->task;
    uint64_t done = 0, size_bytes = a[1] < L_RW_MAX ? a[1] : L_RW_MAX;
    if ((a[2] & ~(uint64_t)L_GRND_KNOWN) != 0)
        return -L_EINVAL;
    while (done < size_bytes) {
        uint8_t part[CIPHER_DRAW_BYTES];
        size_t size = size_bytes - done < sizeof(part) ? size_bytes - done : sizeof(part);
        lock_take(&task->cipher_lock);
        cipher_draw(&task->cipher, part, size);
        lock_give(&task->cipher_lock);
        if (user_write(a[0] + done, part, size) != 0)
            return done > 0 ? (int64_t)done : -L_EFAULT;
        done += size;
    }
    return (int64_t)done;
}
