/* SPDX-License-Identifier: MIT */
#include "streams.h"

#include <proto/stream.h>
#include <sys/message.h>

#include "access.h"
#include "deliver.h"

int64_t file_get(struct thread *thread, uint64_t fd, struct open_file *file) {
    struct task *task = thread->task;
    lock_take(&task->files_lock);
    const struct open_file *found = descriptor_file(&task->files, (int32_t)fd);
    if (found != NULL)
        *file = *found;
    lock_give(&task->files_lock);
    return found != NULL ? 0 : -L_EBADF;
}

/* ---- Calls to a stream's server -------------------------------------------------------------- */

static int64_t status_error(int64_t status) {
    switch (status) {
    case AX_STREAM_BROKEN: return -L_EPIPE;
    case AX_STREAM_IO: return -L_EIO;
    case AX_STREAM_WAY: return -L_EBADF;
    default: return error_of(status);
    }
}

struct transfer {
    uint64_t operation, flags;
    uint64_t address, size_bytes;
    bool is_patient; /* signals wait until it is answered */
};

static void transfer_make(const struct transfer *transfer, struct ax_message *message) {
    /* NOLINTNEXTLINE(performance-no-int-to-ptr): the program's numbers are addresses */
    const void *bytes = (const void *)transfer->address;
    ax_message_init(message, transfer->operation);
    ax_message_word(message, transfer->flags);
    if (transfer->operation == AX_STREAM_READ) {
        ax_message_lend(message, NULL, 0, AX_LOAN_READ);
        ax_message_lend(message, bytes, transfer->size_bytes, AX_LOAN_WRITE);
    } else if (transfer->operation == AX_STREAM_WRITE) {
        ax_message_lend(message, bytes, transfer->size_bytes, AX_LOAN_READ);
    }
}

/* Sends it until it is answered by more than an interruption that no signal is behind. */
static int64_t transfer_do(struct thread *thread, ax_handle session,
                           const struct transfer *transfer, struct ax_message *answer) {
    while (transfer->is_patient || signals_due(thread) == 0) {
        transfer_make(transfer, answer);
        ax_result result = ax_call(session, answer, NULL);
        int64_t status = result == AX_OK ? (int64_t)answer->operation : result;
        if (status != AX_ERR_INTERRUPTED)
            return status >= 0 ? status : status_error(status);
        thread_take_interrupt(thread);
    }
    return -L_RESTARTSYS;
}

static int64_t broken_pipe(struct thread *thread) {
    struct signal_info info = {.signal = L_SIGPIPE, .code = L_SI_USER, .pid = thread->task->pid};
    (void)signal_send_thread(thread, &info);
    return -L_EPIPE;
}

/* ---- Bytes ----------------------------------------------------------------------------------- */

/* Through memory of our own, as the kernel takes it from the thread page alone. */
static int64_t log_write(const struct open_file *file, uint64_t address, uint64_t size_bytes) {
    uint64_t done = 0;
    char part[512];
    while (done < size_bytes) {
        size_t size = size_bytes - done < sizeof(part) ? size_bytes - done : sizeof(part);
        int64_t error = user_read(part, address + done, size);
        if (error == 0 && file->handle != AX_HANDLE_NONE)
            error = error_or_zero(ax_log_write(file->handle, part, size));
        if (error != 0)
            return done > 0 ? (int64_t)done : error;
        done += size;
    }
    return (int64_t)done;
}

static uint64_t flags_of(const struct open_file *file) {
    return (file->flags & L_O_NONBLOCK) != 0 ? AX_STREAM_NOWAIT : 0;
}

int64_t file_read(struct thread *thread, const struct open_file *file, uint64_t address,
                  uint64_t size_bytes) {
    struct ax_message answer;
    if ((file->flags & (L_O_WRONLY | L_O_RDWR)) == L_O_WRONLY)
        return -L_EBADF;
    if (size_bytes == 0 || file->kind == FILE_LOG)
        return 0;
    struct transfer transfer = {AX_STREAM_READ, flags_of(file), address,
                                size_bytes < L_RW_MAX ? size_bytes : L_RW_MAX, false};
    return transfer_do(thread, file->handle, &transfer, &answer);
}

int64_t file_write(struct thread *thread, const struct open_file *file, uint64_t address,
                   uint64_t size_bytes) {
    struct ax_message answer;
    if ((file->flags & (L_O_WRONLY | L_O_RDWR)) == 0)
        return -L_EBADF;
    size_bytes = size_bytes < L_RW_MAX ? size_bytes : L_RW_MAX;
    if (file->kind == FILE_LOG)
        return log_write(file, address, size_bytes);
    if (size_bytes == 0)
        return 0;
    struct transfer transfer = {AX_STREAM_WRITE, flags_of(file), address, size_bytes, false};
    int64_t result = transfer_do(thread, file->handle, &transfer, &answer);
    return result == -L_EPIPE ? broken_pipe(thread) : result;
}

int64_t file_describe(struct thread *thread, const struct open_file *file,
                      struct file_description *description) {
    struct ax_message answer;
    *description = (struct file_description){0};
    if (file->kind == FILE_LOG)
        return 0;
    struct transfer transfer = {.operation = AX_STREAM_DESCRIBE, .is_patient = true};
    int64_t status = transfer_do(thread, file->handle, &transfer, &answer);
    if (status != 0)
        return status < 0 ? status : -L_EIO;
    description->is_terminal = answer.words[0] == AX_STREAM_TERMINAL;
    description->columns = (uint16_t)answer.words[1];
    description->rows = (uint16_t)answer.words[2];
    return 0;
}

/* ---- The calls ------------------------------------------------------------------------------- */

typedef int64_t file_transfer(struct thread *thread, const struct open_file *file, uint64_t address,
                              uint64_t size_bytes);

int64_t linux_read(struct thread *thread, const uint64_t a[6]) {
    struct open_file file;
    int64_t error = file_get(thread, a[0], &file);
    return error != 0 ? error : file_read(thread, &file, a[1], a[2]);
}

int64_t linux_write(struct thread *thread, const uint64_t a[6]) {
    struct open_file file;
    int64_t error = file_get(thread, a[0], &file);
    return error != 0 ? error : file_write(thread, &file, a[1], a[2]);
}

/* All of it is checked before the first byte. */
static int64_t vector_check(uint64_t address, uint64_t count) {
    uint64_t total = 0;
    if (count > L_IOV_MAX)
        return -L_EINVAL;
    for (uint64_t i = 0; i < count; i++) {
        struct linux_iovec part;
        if (user_get(&part, address + i * sizeof(part)) != 0)
            return -L_EFAULT;
        if (__builtin_add_overflow(total, part.size_bytes, &total) || total > INT64_MAX)
            return -L_EINVAL;
    }
    return 0;
}

/* Part by part, until one is not done as a whole. */
static int64_t vector_transfer(struct thread *thread, const uint64_t a[6], file_transfer *one) {
    struct open_file file;
    int64_t error = file_get(thread, a[0], &file), done = 0;
    if (error == 0)
        error = vector_check(a[1], a[2]);
    if (error != 0)
        return error;
    for (uint64_t i = 0; i < a[2]; i++) {
        struct linux_iovec part;
        int64_t result = user_get(&part, a[1] + i * sizeof(part));
        if (result == 0 && part.size_bytes == 0)
            continue;
        if (result == 0)
            result = one(thread, &file, part.address, part.size_bytes);
        if (result < 0)
            return done > 0 ? done : result;
        done += result;
        if ((uint64_t)result < part.size_bytes)
            break;
    }
    return done;
}

int64_t linux_readv(struct thread *thread, const uint64_t a[6]) {
    return vector_transfer(thread, a, file_read);
}

int64_t linux_writev(struct thread *thread, const uint64_t a[6]) {
    return vector_transfer(thread, a, file_write);
}
