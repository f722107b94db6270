/* SPDX-License-Identifier: MIT */
#include <base/memory.h>

#include "calls.h"
#include "device.h"
#include "kernel.h"
#include "thread.h"

/*
 * Entries of a ring from the position on, as many as fit the buffer. Positions are absolute; a
 * reader that fell behind goes on with the oldest there is.
 */
static ax_result ring_read(struct thread *thread, uint64_t position, const void *entries,
                           uint64_t entry_bytes, uint64_t size, uint64_t written) {
    if (position > written)
        return AX_ERR_ARGUMENT;
    if (written - position > size)
        position = written - size;
    unsigned count = 0;
    for (; position < written && count < AX_BUFFER_BYTES / entry_bytes; position++)
        memcpy(thread->page->buffer + count++ * entry_bytes,
               (const char *)entries + (position & (size - 1)) * entry_bytes, entry_bytes);
    thread->page->ipc.message.badge = position;
    return count;
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
    const struct log *log = &kernel->log;
    struct trace *trace = &kernel->trace;
    uint8_t *buffer = thread->page->buffer;
    if (trace->size == 0 && (op == AX_SYSTEM_TRACE || op == AX_SYSTEM_TRACE_READ))
        return AX_ERR_STATE;
    if (a > AX_BUFFER_BYTES && (op == AX_SYSTEM_LOG_WRITE || op == AX_SYSTEM_ENTROPY))
        return AX_ERR_ARGUMENT;
    if (op == AX_SYSTEM_TRACE && a >= UINT64_C(1) << AX_TRACE_COUNT)
        return AX_ERR_ARGUMENT;
    switch (op) {
    case AX_SYSTEM_LOG_WRITE: log_write((const char *)buffer, a); return AX_OK;
    case AX_SYSTEM_LOG_READ: return ring_read(thread, a, log->bytes, 1, log->size, log->written);
    case AX_SYSTEM_COUNTERS: return counters_read(thread);
    case AX_SYSTEM_TRACE: trace->mask = a; return AX_OK;
    case AX_SYSTEM_TRACE_READ:
        return ring_read(thread, a, trace->entries, sizeof(struct ax_trace_entry), trace->size,
                         trace->written);
    case AX_SYSTEM_HALT: core_log_show(); hal_halt((int)a);
    case AX_SYSTEM_ENTROPY: hal_entropy(buffer, a); return AX_OK;
    default: return AX_ERR_ARGUMENT;
    }
}
