/* SPDX-License-Identifier: MIT */
/* The calls about descriptors themselves. */
#include <base/memory.h>
#include <sys/ax.h>

#include "access.h"
#include "streams.h"

/* ---- Closing and sharing --------------------------------------------------------------------- */

/* With files_lock; the handle is closed by the caller, without it. AX_HANDLE_NONE: none is. */
static ax_handle close_locked(struct task *task, int fd) {
    struct open_file file;
    if (!descriptor_close(&task->files, fd, &file) || file.kind != FILE_STREAM)
        return AX_HANDLE_NONE;
    return file.handle;
}

static void handle_release(ax_handle handle) {
    if (handle != AX_HANDLE_NONE)
        (void)ax_handle_close(handle);
}

int64_t linux_close_range(struct thread *thread, const uint64_t a[6]) {
    struct task *task = thread->task;
    uint64_t first = (uint32_t)a[0], last = (uint32_t)a[1], flags = (uint32_t)a[2];
    if (first > last || (flags & ~(uint64_t)(L_CLOSE_RANGE_UNSHARE | L_CLOSE_RANGE_CLOEXEC)) != 0)
        return -L_EINVAL;
    for (uint64_t fd = first; fd <= last && fd < DESCRIPTOR_MAX; fd++) {
        if ((flags & L_CLOSE_RANGE_CLOEXEC) == 0) {
            (void)linux_close(thread, (const uint64_t[6]){fd});
            continue;
        }
        lock_take(&task->files_lock);
        task->files.table[fd].close_on_exec = 1;
        lock_give(&task->files_lock);
    }
    return 0;
}

int64_t linux_close(struct thread *thread, const uint64_t a[6]) {
    struct task *task = thread->task;
    ax_handle handle = AX_HANDLE_NONE;
    lock_take(&task->files_lock);
    bool is_open = descriptor_file(&task->files, (int32_t)a[0]) != NULL;
    if (is_open)
        handle = close_locked(task, (int32_t)a[0]);
    lock_give(&task->files_lock);
    handle_release(handle);
    return is_open ? 0 : -L_EBADF;
}

static uint64_t files_limit(struct task *task) {
    lock_take(&task->limits_lock);
    uint64_t limit = task->limits[L_RLIMIT_NOFILE].current;
    lock_give(&task->limits_lock);
    return limit < DESCRIPTOR_MAX ? limit : DESCRIPTOR_MAX;
}

static int64_t dup_from(struct thread *thread, int64_t fd, int64_t first, bool close_on_exec) {
    struct task *task = thread->task;
    uint64_t limit = files_limit(task);
    int64_t result = -L_EBADF;
    lock_take(&task->files_lock);
    if (descriptor_file(&task->files, fd) != NULL) {
        int to = descriptor_free(&task->files, first, limit);
        result = to < 0 ? -L_EMFILE : to;
        if (to >= 0)
            descriptor_share(&task->files, (int)fd, to, close_on_exec);
    }
    lock_give(&task->files_lock);
    return result;
}

int64_t linux_dup(struct thread *thread, const uint64_t a[6]) {
    return dup_from(thread, (int32_t)a[0], 0, false);
}

static int64_t dup_to(struct thread *thread, int64_t from, int64_t to, bool close_on_exec) {
    struct task *task = thread->task;
    ax_handle handle = AX_HANDLE_NONE;
    if (to < 0 || (uint64_t)to >= files_limit(task))
        return -L_EBADF;
    lock_take(&task->files_lock);
    bool is_open = descriptor_file(&task->files, from) != NULL;
    if (is_open && from != to) {
        if (descriptor_file(&task->files, to) != NULL)
            handle = close_locked(task, (int)to);
        descriptor_share(&task->files, (int)from, (int)to, close_on_exec);
    }
    lock_give(&task->files_lock);
    handle_release(handle);
    return is_open ? to : -L_EBADF;
}

int64_t linux_dup2(struct thread *thread, const uint64_t a[6]) {
    return dup_to(thread, (int32_t)a[0], (int32_t)a[1], false);
}

int64_t linux_dup3(struct thread *thread, const uint64_t a[6]) {
    if ((a[2] & ~(uint64_t)L_O_CLOEXEC) != 0 || (int32_t)a[0] == (int32_t)a[1])
        return -L_EINVAL;
    return dup_to(thread, (int32_t)a[0], (int32_t)a[1], (a[2] & L_O_CLOEXEC) != 0);
}

/* ---- fcntl ----------------------------------------------------------------------------------- */

#define FLAGS_CHANGEABLE ((uint32_t)(L_O_APPEND | L_O_NONBLOCK))

/* What concerns one descriptor or its file, with files_lock. */
static int64_t control_locked(struct task *task, int fd, uint64_t command, uint64_t argument) {
    struct descriptor *descriptor = &task->files.table[fd];
    struct open_file *file = descriptor_file(&task->files, fd);
    switch (command) {
    case L_F_GETFD: return descriptor->close_on_exec != 0 ? L_FD_CLOEXEC : 0;
    case L_F_SETFD: descriptor->close_on_exec = (argument & L_FD_CLOEXEC) != 0; return 0;
    case L_F_GETFL: return file->flags;
    case L_F_SETFL:
        file->flags = (file->flags & ~FLAGS_CHANGEABLE) | ((uint32_t)argument & FLAGS_CHANGEABLE);
        return 0;
    default: return -L_EINVAL;
    }
}

static int64_t control(struct thread *thread, int64_t fd, uint64_t command, uint64_t argument) {
    struct task *task = thread->task;
    lock_take(&task->files_lock);
    int64_t result = descriptor_file(&task->files, fd) == NULL
                         ? -L_EBADF
                         : control_locked(task, (int)fd, command, argument);
    lock_give(&task->files_lock);
    return result;
}

int64_t linux_fcntl(struct thread *thread, const uint64_t a[6]) {
    uint32_t command = (uint32_t)a[1];
    if (command != L_F_DUPFD && command != L_F_DUPFD_CLOEXEC)
        return control(thread, (int32_t)a[0], command, a[2]);
    if ((int32_t)a[2] < 0 || a[2] >= files_limit(thread->task))
        return -L_EINVAL;
    return dup_from(thread, (int32_t)a[0], (int64_t)a[2], command == L_F_DUPFD_CLOEXEC);
}

/* ---- ioctl and lseek ------------------------------------------------------------------------- */

/* A terminal as it is after a reset; its server has no more to tell yet. */
static void termios_fill(struct linux_termios *termios) {
    static const uint8_t characters[19] = {3,  28, 127, 21, 4,  0,  1, 0, 17, 19,
                                           26, 0,  18,  15, 23, 22, 0, 0, 0};
    *termios =
        (struct linux_termios){.input = 0x500, .output = 0x5, .control = 0xbf, .local = 0x8a3b};
    memcpy(termios->characters, characters, sizeof(characters));
}

static int64_t terminal_ask(const struct file_description *description, uint32_t request,
                            uint64_t address) {
    if (request == L_TIOCGWINSZ) {
        struct linux_winsize size = {.rows = description->rows, .columns = description->columns};
        return user_put(address, &size);
    }
    struct linux_termios termios;
    termios_fill(&termios);
    return user_put(address, &termios);
}

int64_t linux_ioctl(struct thread *thread, const uint64_t a[6]) {
    struct open_file file;
    struct file_description description;
    uint32_t request = (uint32_t)a[1];
    int32_t value;
    int64_t error = file_get(thread, a[0], &file);
    if (error != 0)
        return error;
    switch (request) {
    case L_FIOCLEX: return control(thread, (int32_t)a[0], L_F_SETFD, L_FD_CLOEXEC);
    case L_FIONCLEX: return control(thread, (int32_t)a[0], L_F_SETFD, 0);
    case L_FIONBIO:
        error = user_get(&value, a[2]);
        if (error != 0)
            return error;
        return control(thread, (int32_t)a[0], L_F_SETFL,
                       (file.flags & L_O_APPEND) | (value != 0 ? L_O_NONBLOCK : 0));
    case L_TCGETS:
    case L_TIOCGWINSZ: break;
    default: return -L_ENOTTY;
    }
    error = file_describe(thread, &file, &description);
    if (error != 0)
        return error;
    return description.is_terminal ? terminal_ask(&description, request, a[2]) : -L_ENOTTY;
}

int64_t linux_lseek(struct thread *thread, const uint64_t a[6]) {
    struct open_file file;
    int64_t error = file_get(thread, a[0], &file);
    return error != 0 ? error : -L_ESPIPE;
}

/* A stream has no places: what is read or written somewhere in it. */
int64_t linux_pread64(struct thread *thread, const uint64_t a[6]) {
    return (int64_t)a[3] < 0 ? -L_EINVAL : linux_lseek(thread, a);
}

int64_t linux_pwrite64(struct thread *thread, const uint64_t a[6]) {
    return linux_pread64(thread, a);
}

int64_t linux_preadv(struct thread *thread, const uint64_t a[6]) {
    return linux_pread64(thread, a);
}

int64_t linux_pwritev(struct thread *thread, const uint64_t a[6]) {
    return linux_pread64(thread, a);
}

/* ---- What it is ------------------------------------------------------------------------------ */

#define TERMINAL_MAJOR 136
#define LOG_MAJOR      1
#define LOG_MINOR      11 /* as /dev/kmsg */

/* Enough to tell descriptors apart, and what they are. */
static int64_t file_stat(struct thread *thread, uint64_t fd, struct linux_stat *stat) {
    struct open_file file;
    struct file_description description = {0};
    int64_t error = file_get(thread, fd, &file);
    if (error == 0)
        error = file_describe(thread, &file, &description);
    if (error != 0)
        return error;
    *stat = (struct linux_stat){
        .device = 1, .inode = 1 + (uint64_t)file.handle, .links = 1, .block_bytes = 4096};
    if (file.kind == FILE_LOG) {
        stat->mode = L_S_IFCHR | 0600;
        stat->special = LOG_MAJOR << 8 | LOG_MINOR;
    } else if (description.is_terminal) {
        stat->mode = L_S_IFCHR | 0620;
        stat->special = TERMINAL_MAJOR << 8;
        stat->block_bytes = 1024;
    } else {
        stat->mode = L_S_IFIFO | 0600;
    }
    return 0;
}

int64_t linux_fstat(struct thread *thread, const uint64_t a[6]) {
    struct linux_stat stat;
    int64_t error = file_stat(thread, a[0], &stat);
    return error != 0 ? error : user_put(a[1], &stat);
}

/* Only descriptors can be asked about: there are no paths yet. 0: it is the empty path. */
static int64_t path_is_empty(struct thread *thread, uint64_t address, uint64_t flags) {
    char first = '\0';
    int64_t error = address == 0 ? 0 : user_get(&first, address);
    if (error != 0)
        return error;
    if (first == '\0' && (flags & L_AT_EMPTY_PATH) != 0)
        return 0;
    if (first == '\0')
        return -L_ENOENT;
    return call_unknown(thread);
}

int64_t linux_newfstatat(struct thread *thread, const uint64_t a[6]) {
    struct linux_stat stat;
    int64_t error = path_is_empty(thread, a[1], a[3]);
    if (error == 0)
        error = file_stat(thread, a[0], &stat);
    return error != 0 ? error : user_put(a[2], &stat);
}

int64_t linux_statx(struct thread *thread, const uint64_t a[6]) {
    struct linux_stat stat;
    int64_t error = path_is_empty(thread, a[1], a[2]);
    if (error == 0)
        error = file_stat(thread, a[0], &stat);
    if (error != 0)
        return error;
    struct linux_statx statx = {.mask = L_STATX_BASIC,
                                .block_bytes = (uint32_t)stat.block_bytes,
                                .links = 1,
                                .mode = (uint16_t)stat.mode,
                                .inode = stat.inode,
                                .special_major = (uint32_t)(stat.special >> 8),
                                .special_minor = (uint32_t)(stat.special & 0xff),
                                .device_minor = 1};
    return user_put(a[4], &statx);
}
