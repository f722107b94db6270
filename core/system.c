/* SPDX-License-Identifier: MIT */
#include <base/memory.h>

#include "calls.h"
#include "device.h"
#include "kernel.h"
#include "thread.h"

/* Positions in a ring are absolute; a reader that fell behind goes on with the oldest there is. */
static bool ring_start(uint64_t written, uint64_t size, uint64_t *position) {
    if (*position > written)
        return false;
    if (written - *position > size)
        *position = written - size;
    return true;
}

static ax_result log_read(struct thread *thread, uint64_t position) {
    const struct log *log = &kernel->log;
    if (!ring_start(log->written, log->size, &position))
        return AX_ERR_ARGUMENT;
    unsigned count = 0;
    for (; position < log->written && count < AX_BUFFER_BYTES; position++)
        thread->page->buffer[count++] = (uint8_t)log->bytes[position & (log->size - 1)];
    thread->page->ipc.message.badge = position;
    return count;
}

static ax_result trace_read(struct thread *thread, uint64_t position) {
    const struct trace *trace = &kernel->trace;
    const size_t entry_bytes = sizeof(struct ax_trace_entry);
    if (!ring_start(trace->written, trace->size, &position))
        return AX_ERR_ARGUMENT;
    unsigned count = 0;
    for (; position < trace->written && count < AX_BUFFER_BYTES / entry_bytes; position++)
        memcpy(thread->page->buffer + count++ * entry_bytes,
               &trace->entries[position & (trace->size - 1)], entry_bytes);
    thread->page->ipc.message.badge = position;
    return count;
}

static ax_result trace_set(uint64_t mask) {
    if (mask >= UINT64_C(1) << AX_TRACE_COUNT)
        return AX_ERR_ARGUMENT;
    if (kernel->trace.size == 0)
        return AX_ERR_STATE;
    kernel->trace.mask = mask;
    return AX_OK;
}

static ax_result counters_read(struct thread *thread) {
    struct ax_counters counters = kernel->counters;
    counters.frames_total = kernel->frames.total_count;
    counters.frames_free = kernel->frames.free_count;
    counters.frames_waiting = kernel->frames.waiting_count;
    counters.heap_bytes = kernel->heap.used_bytes;
    memcpy(thread->page->buffer, &counters, sizeof(counters));
    return AX_OK;
}

static ax_result entropy_read(struct thread *thread, uint64_t size_bytes) {
    if (size_bytes > AX_BUFFER_BYTES)
        return AX_ERR_ARGUMENT;
    hal_entropy(thread->page->buffer, size_bytes);
    return AX_OK;
}

static ax_result log_write_buffer(struct thread *thread, uint64_t size_bytes) {
    if (size_bytes > AX_BUFFER_BYTES)
        return AX_ERR_ARGUMENT;
    log_write((const char *)thread->page->buffer, size_bytes);
    return AX_OK;
}

static uint32_t system_right(uint64_t op) {
    switch (op) {
    case AX_SYSTEM_LOG_WRITE: return AX_RIGHT_WRITE;
    case AX_SYSTEM_TRACE:
    case AX_SYSTEM_HALT: return AX_RIGHT_CONTROL;
    default: return AX_RIGHT_READ;
    }
}

ax_result sys_system_control(struct thread *thread, const uint64_t arguments[5]) {
    struct device *device;
    uint64_t op = arguments[1], a = arguments[2];
    TRY(device_lookup(thread, arguments[0], AX_DEVICE_SYSTEM, system_right(op), &device));
    switch (op) {
    case AX_SYSTEM_LOG_WRITE: return log_write_buffer(thread, a);
    case AX_SYSTEM_LOG_READ: return log_read(thread, a);
    case AX_SYSTEM_COUNTERS: return counters_read(thread);
    case AX_SYSTEM_TRACE: return trace_set(a);
    case AX_SYSTEM_TRACE_READ: return trace_read(thread, a);
    case AX_SYSTEM_HALT: hal_halt((int)a);
    case AX_SYSTEM_ENTROPY: return entropy_read(thread, a);
    default: return AX_ERR_ARGUMENT;
    }
}
