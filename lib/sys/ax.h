/* SPDX-License-Identifier: MIT */
/*
 * The native interface: a function a kernel call, as <abi/call.h> documents them. What a call takes
 * or gives in the thread page's buffer is copied from and to plain structures here; calls that send
 * and receive messages are in <sys/message.h>.
 *
 * Freestanding, without state and without a library: for the first program of a machine, for the
 * personality, and for programs with a C library alike. The thread page is one a thread: a signal
 * handler that makes kernel calls must not interrupt one being prepared by the same thread.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <abi/abi.h>
#include <base/memory.h>
#include <sys/kernel.h>

#define AX_CHECKED [[gnu::warn_unused_result]] static inline

/* ---- The buffer ------------------------------------------------------------------------------ */

static inline void ax_buffer_put(const void *from, size_t size_bytes) {
    memcpy(ax_thread_page()->buffer, from, size_bytes);
}

static inline void ax_buffer_get(void *to, size_t size_bytes) {
    memcpy(to, ax_thread_page()->buffer, size_bytes);
}

/* What a call listed, as far as there is room for it; how many entries were taken over. */
static inline ax_result ax_buffer_get_list(ax_result count, void *to, size_t entry_bytes,
                                           size_t room) {
    if (count <= 0)
        return count;
    if ((size_t)count > room)
        count = (ax_result)room;
    ax_buffer_get(to, (size_t)count * entry_bytes);
    return count;
}

/* ---- Handles and signals --------------------------------------------------------------------- */

static inline ax_result ax_handle_close(ax_handle handle) {
    return ax_kernel(AX_CALL_HANDLE_CLOSE, handle, 0, 0, 0, 0);
}

/* `handle` is one of the source's, or with AX_TRANSFER_SLOT a slot of it. */
AX_CHECKED ax_result ax_handle_transfer(ax_handle source, ax_handle handle, ax_place place,
                                        uint32_t rights, uint32_t flags) {
    return ax_kernel(AX_CALL_HANDLE_TRANSFER, source, handle, place, rights, flags);
}

/* How many entries were filled in; 0: none are left. Go on after the last one's slot. */
AX_CHECKED ax_result ax_handle_list(ax_handle process, uint32_t first_slot,
                                    struct ax_handle_info *infos, size_t room) {
    ax_result count = ax_kernel(AX_CALL_HANDLE_LIST, process, first_slot, 0, 0, 0);
    return ax_buffer_get_list(count, infos, sizeof(*infos), room);
}

AX_CHECKED ax_result ax_object_info(ax_handle handle, struct ax_object_info *info) {
    ax_result result = ax_kernel(AX_CALL_OBJECT_INFO, handle, 0, 0, 0, 0);
    if (result >= 0)
        ax_buffer_get(info, sizeof(*info));
    return result;
}

AX_CHECKED ax_result ax_object_create(enum ax_type type, uint64_t argument, ax_place place) {
    return ax_kernel(AX_CALL_OBJECT_CREATE, type, argument, place, 0, 0);
}

AX_CHECKED ax_result ax_object_wait(ax_handle handle, uint32_t mask, uint64_t deadline_ns) {
    return ax_kernel(AX_CALL_OBJECT_WAIT, handle, mask, deadline_ns, 0, 0);
}

/* Up to AX_WAIT_MAX items, whose `seen` is filled in on success. */
AX_CHECKED ax_result ax_object_wait_many(struct ax_wait_item *items, size_t count,
                                         uint64_t deadline_ns) {
    if (count > AX_WAIT_MAX)
        return AX_ERR_ARGUMENT;
    ax_buffer_put(items, count * sizeof(*items));
    ax_result result = ax_kernel(AX_CALL_OBJECT_WAIT_MANY, count, deadline_ns, 0, 0, 0);
    if (result >= 0)
        ax_buffer_get(items, count * sizeof(*items));
    return result;
}

/* Waits for nothing but the time. */
static inline ax_result ax_sleep_until(uint64_t deadline_ns) {
    return ax_kernel(AX_CALL_OBJECT_WAIT_MANY, 0, deadline_ns, 0, 0, 0);
}

static inline ax_result ax_object_signal(ax_handle handle, uint32_t clear, uint32_t set) {
    return ax_kernel(AX_CALL_OBJECT_SIGNAL, handle, clear, set, 0, 0);
}

/* ---- IPC: what needs no message -------------------------------------------------------------- */

static inline ax_result ax_reply_control(ax_handle reply, enum ax_reply_op op, uint64_t loan,
                                         uint64_t offset) {
    return ax_kernel(AX_CALL_REPLY_CONTROL, reply, op, loan, offset, 0);
}

AX_CHECKED ax_result ax_loan_read(ax_handle reply, uint64_t loan, uint64_t offset, void *to,
                                  size_t size_bytes) {
    return ax_kernel(AX_CALL_LOAN_READ, reply, loan, offset, (uintptr_t)to, size_bytes);
}

AX_CHECKED ax_result ax_loan_write(ax_handle reply, uint64_t loan, uint64_t offset,
                                   const void *from, size_t size_bytes) {
    return ax_kernel(AX_CALL_LOAN_WRITE, reply, loan, offset, (uintptr_t)from, size_bytes);
}

AX_CHECKED ax_result ax_loan_map(ax_handle reply, uint64_t loan, uint64_t offset,
                                 size_t size_bytes) {
    return ax_kernel(AX_CALL_LOAN_MAP, reply, loan, offset, size_bytes, 0);
}

AX_CHECKED ax_result ax_endpoint_list(ax_handle endpoint, enum ax_list_kind kind, uint64_t cursor,
                                      struct ax_session_info *infos, size_t room) {
    ax_result count = ax_kernel(AX_CALL_ENDPOINT_LIST, endpoint, kind, cursor, 0, 0);
    return ax_buffer_get_list(count, infos, sizeof(*infos), room);
}

AX_CHECKED ax_result ax_endpoint_bind(ax_handle endpoint, ax_handle object, uint32_t mask,
                                      uint64_t cookie) {
    return ax_kernel(AX_CALL_ENDPOINT_BIND, endpoint, object, mask, cookie, 0);
}

AX_CHECKED ax_result ax_session_create(ax_handle endpoint, uint64_t badge, uint32_t signals,
                                       ax_place place) {
    return ax_kernel(AX_CALL_SESSION_CREATE, endpoint, badge, signals, place, 0);
}

static inline ax_result ax_session_retire(ax_handle endpoint, uint64_t badge, uint32_t flags) {
    return ax_kernel(AX_CALL_SESSION_RETIRE, endpoint, badge, flags, 0, 0);
}

static inline ax_result ax_session_signal(ax_handle endpoint, uint64_t badge, uint32_t clear,
                                          uint32_t set) {
    return ax_kernel(AX_CALL_SESSION_SIGNAL, endpoint, badge, clear, set, 0);
}

AX_CHECKED ax_result ax_session_identify(ax_handle endpoint, ax_handle handle, uint64_t *badge) {
    ax_result result = ax_kernel(AX_CALL_SESSION_IDENTIFY, endpoint, handle, 0, 0, 0);
    if (result >= 0)
        *badge = ax_thread_page()->ipc.message.badge;
    return result;
}

/* ---- Memory ---------------------------------------------------------------------------------- */

AX_CHECKED ax_result ax_memory_create(uint64_t page_count, uint32_t flags, ax_place place) {
    return ax_kernel(AX_CALL_MEMORY_CREATE, page_count, flags, place, 0, 0);
}

AX_CHECKED ax_result ax_memory_resize(ax_handle memory, uint64_t page_count) {
    return ax_kernel(AX_CALL_MEMORY_RESIZE, memory, page_count, 0, 0, 0);
}

/* Answers the address. */
AX_CHECKED ax_result ax_memory_map(ax_handle process, ax_handle memory,
                                   const struct ax_map_request *request) {
    ax_buffer_put(request, sizeof(*request));
    return ax_kernel(AX_CALL_MEMORY_MAP, process, memory, 0, 0, 0);
}

static inline ax_result ax_memory_unmap(ax_handle process, uint64_t address, uint64_t size_bytes) {
    return ax_kernel(AX_CALL_MEMORY_UNMAP, process, address, size_bytes, 0, 0);
}

AX_CHECKED ax_result ax_memory_protect(ax_handle process, uint64_t address, uint64_t size_bytes,
                                       uint32_t prot) {
    return ax_kernel(AX_CALL_MEMORY_PROTECT, process, address, size_bytes, prot, 0);
}

AX_CHECKED ax_result ax_memory_list(ax_handle process, uint64_t address,
                                    struct ax_region_info *infos, size_t room) {
    ax_result count = ax_kernel(AX_CALL_MEMORY_LIST, process, address, 0, 0, 0);
    return ax_buffer_get_list(count, infos, sizeof(*infos), room);
}

AX_CHECKED ax_result ax_futex_wait(uint64_t address, uint32_t value, uint32_t bits,
                                   uint64_t deadline_ns) {
    return ax_kernel(AX_CALL_FUTEX_WAIT, address, value, bits, deadline_ns, 0);
}

static inline ax_result ax_futex_wake(uint64_t address, uint32_t count, uint32_t bits) {
    return ax_kernel(AX_CALL_FUTEX_WAKE, address, count, bits, 0, 0);
}

AX_CHECKED ax_result ax_futex_requeue(uint64_t address, uint32_t wake_count, uint64_t target,
                                      uint32_t move_count, uint32_t value) {
    return ax_kernel(AX_CALL_FUTEX_REQUEUE, address, wake_count, target, move_count, value);
}

/* ---- Processes and threads ------------------------------------------------------------------- */

AX_CHECKED ax_result ax_account_create(ax_handle account, uint64_t bytes, uint64_t objects,
                                       ax_place place) {
    return ax_kernel(AX_CALL_ACCOUNT_CREATE, account, bytes, objects, place, 0);
}

AX_CHECKED ax_result ax_account_transfer(ax_handle from, ax_handle to, uint64_t bytes,
                                         uint64_t objects) {
    return ax_kernel(AX_CALL_ACCOUNT_TRANSFER, from, to, bytes, objects, 0);
}

AX_CHECKED ax_result ax_process_create(ax_handle account, ax_place place) {
    return ax_kernel(AX_CALL_PROCESS_CREATE, account, place, 0, 0, 0);
}

/* The child's thread begins at `entry`; the caller goes on with the child's process handle. */
AX_CHECKED ax_result ax_process_clone(uint64_t entry, uint64_t stack, uint64_t argument,
                                      ax_place place) {
    return ax_kernel(AX_CALL_PROCESS_CLONE, entry, stack, argument, place, 0);
}

static inline ax_result ax_process_end(ax_handle process, enum ax_cause cause, int64_t code) {
    return ax_kernel(AX_CALL_PROCESS_END, process, cause, (uint64_t)code, 0, 0);
}

AX_CHECKED ax_result ax_process_suspend(ax_handle process) {
    return ax_kernel(AX_CALL_PROCESS_CONTROL, process, AX_PROCESS_SUSPEND, 0, 0, 0);
}

AX_CHECKED ax_result ax_process_resume(ax_handle process) {
    return ax_kernel(AX_CALL_PROCESS_CONTROL, process, AX_PROCESS_RESUME, 0, 0, 0);
}

/* `slot` of a thread, or AX_ALL_THREADS; `authority`: the system device with SET_LABEL. */
AX_CHECKED ax_result ax_process_label(ax_handle process, uint64_t slot, uint64_t label,
                                      ax_handle authority) {
    return ax_kernel(AX_CALL_PROCESS_CONTROL, process, AX_PROCESS_LABEL, slot, label, authority);
}

AX_CHECKED ax_result ax_process_personality(ax_handle process,
                                            const struct ax_personality *personality) {
    ax_buffer_put(personality, sizeof(*personality));
    return ax_kernel(AX_CALL_PROCESS_CONTROL, process, AX_PROCESS_PERSONALITY, 0, 0, 0);
}

/* Answers a handle to the thread of that slot. */
AX_CHECKED ax_result ax_process_thread(ax_handle process, uint64_t slot, ax_place place) {
    return ax_kernel(AX_CALL_PROCESS_CONTROL, process, AX_PROCESS_THREAD, slot, place, 0);
}

static inline ax_result ax_process_release(ax_handle process) {
    return ax_kernel(AX_CALL_PROCESS_CONTROL, process, AX_PROCESS_RELEASE, 0, 0, 0);
}

/* Bytes copied from the process's memory, and to it. */
AX_CHECKED ax_result ax_process_read(ax_handle process, uint64_t address, void *to,
                                     size_t size_bytes) {
    return ax_kernel(AX_CALL_PROCESS_COPY, process, address, (uintptr_t)to, size_bytes, 0);
}

AX_CHECKED ax_result ax_process_write(ax_handle process, uint64_t address, const void *from,
                                      size_t size_bytes) {
    return ax_kernel(AX_CALL_PROCESS_COPY, process, address, (uintptr_t)from, size_bytes, 1);
}

AX_CHECKED ax_result ax_thread_create(ax_handle process, uint64_t entry, uint64_t stack,
                                      uint64_t argument, ax_place place) {
    return ax_kernel(AX_CALL_THREAD_CREATE, process, entry, stack, argument, place);
}

/* Returns only where it fails. */
static inline ax_result ax_thread_exit(uint64_t clear_address, int64_t code, ax_handle handle) {
    return ax_kernel(AX_CALL_THREAD_EXIT, clear_address, (uint64_t)code, handle, 0, 0);
}

AX_CHECKED ax_result ax_thread_interrupt(ax_handle thread) {
    return ax_kernel(AX_CALL_THREAD_CONTROL, thread, AX_THREAD_INTERRUPT, 0, 0, 0);
}

/* 1: an interrupt was pending for the calling thread; it is forgotten. */
static inline ax_result ax_thread_take(void) {
    return ax_kernel(AX_CALL_THREAD_CONTROL, AX_HANDLE_NONE, AX_THREAD_TAKE, 0, 0, 0);
}

AX_CHECKED ax_result ax_thread_priority(ax_handle thread, uint64_t priority) {
    return ax_kernel(AX_CALL_THREAD_CONTROL, thread, AX_THREAD_PRIORITY, priority, 0, 0);
}

AX_CHECKED ax_result ax_thread_affinity(ax_handle thread, uint64_t cpus) {
    return ax_kernel(AX_CALL_THREAD_CONTROL, thread, AX_THREAD_AFFINITY, cpus, 0, 0);
}

AX_CHECKED ax_result ax_thread_get_regs(ax_handle thread, struct ax_regs *regs) {
    ax_result result = ax_kernel(AX_CALL_THREAD_CONTROL, thread, AX_THREAD_GET_REGS, 0, 0, 0);
    if (result >= 0)
        ax_buffer_get(regs, sizeof(*regs));
    return result;
}

AX_CHECKED ax_result ax_thread_set_regs(ax_handle thread, const struct ax_regs *regs) {
    ax_buffer_put(regs, sizeof(*regs));
    return ax_kernel(AX_CALL_THREAD_CONTROL, thread, AX_THREAD_SET_REGS, 0, 0, 0);
}

/* Goes on in frame 0 (program) or 1 (recovery); returns only where that has bad registers. */
static inline ax_result ax_resume(uint64_t frame) {
    return ax_kernel(AX_CALL_RESUME, frame, 0, 0, 0, 0);
}

/* ---- Timers, queues, devices, the machine ---------------------------------------------------- */

static inline ax_result ax_timer_set(ax_handle timer, uint64_t deadline_ns) {
    return ax_kernel(AX_CALL_TIMER_SET, timer, deadline_ns, 0, 0, 0);
}

AX_CHECKED ax_result ax_queue_control(ax_handle queue, enum ax_queue_op op, ax_handle member,
                                      const struct ax_queue_request *request) {
    ax_buffer_put(request, sizeof(*request));
    return ax_kernel(AX_CALL_QUEUE_CONTROL, queue, op, member, 0, 0);
}

/* Up to AX_QUEUE_MAX events; answers how many. */
AX_CHECKED ax_result ax_queue_wait(ax_handle queue, struct ax_queue_event *events, size_t max,
                                   uint64_t deadline_ns) {
    ax_result count = ax_kernel(AX_CALL_QUEUE_WAIT, queue, max, deadline_ns, 0, 0);
    return ax_buffer_get_list(count, events, sizeof(*events), max);
}

AX_CHECKED ax_result ax_device_create(ax_handle device, enum ax_device_kind kind, uint64_t base,
                                      uint64_t size, ax_place place) {
    return ax_kernel(AX_CALL_DEVICE_CREATE, device, kind, base, size, place);
}

AX_CHECKED ax_result ax_device_port_read(ax_handle device, uint64_t port, uint32_t width_bytes) {
    return ax_kernel(AX_CALL_DEVICE_PORT, device, port, width_bytes, 0, 0);
}

static inline ax_result ax_device_port_write(ax_handle device, uint64_t port, uint32_t width_bytes,
                                             uint32_t value) {
    return ax_kernel(AX_CALL_DEVICE_PORT, device, port, width_bytes | AX_PORT_WRITE, value, 0);
}

/* `size`: the offset of registers, or the page count of memory for DMA. */
AX_CHECKED ax_result ax_device_memory(ax_handle device, uint64_t size, uint32_t flags,
                                      ax_place place) {
    return ax_kernel(AX_CALL_DEVICE_MEMORY, device, size, flags, place, 0);
}

static inline ax_result ax_device_reset(ax_handle device) {
    return ax_kernel(AX_CALL_DEVICE_RESET, device, 0, 0, 0, 0);
}

AX_CHECKED ax_result ax_irq_create(ax_handle device, uint64_t line, enum ax_irq_mode mode,
                                   ax_place place) {
    return ax_kernel(AX_CALL_IRQ_CREATE, device, line, mode, place, 0);
}

/* Any length; the log takes it in pieces of AX_BUFFER_BYTES. */
static inline ax_result ax_log_write(ax_handle system, const char *text, size_t size_bytes) {
    while (size_bytes > 0) {
        size_t part = size_bytes < AX_BUFFER_BYTES ? size_bytes : AX_BUFFER_BYTES;
        ax_buffer_put(text, part);
        ax_result result =
            ax_kernel(AX_CALL_SYSTEM_CONTROL, system, AX_SYSTEM_LOG_WRITE, part, 0, 0);
        if (result < 0)
            return result;
        text += part;
        size_bytes -= part;
    }
    return AX_OK;
}

/* Reads from *position on, which moves to where to read on; answers bytes. */
AX_CHECKED ax_result ax_log_read(ax_handle system, uint64_t *position, char text[AX_BUFFER_BYTES]) {
    ax_result count =
        ax_kernel(AX_CALL_SYSTEM_CONTROL, system, AX_SYSTEM_LOG_READ, *position, 0, 0);
    if (count >= 0)
        *position = ax_thread_page()->ipc.message.badge;
    return ax_buffer_get_list(count, text, 1, AX_BUFFER_BYTES);
}

#define AX_TRACE_ENTRIES (AX_BUFFER_BYTES / sizeof(struct ax_trace_entry))

AX_CHECKED ax_result ax_trace_read(ax_handle system, uint64_t *position,
                                   struct ax_trace_entry entries[AX_TRACE_ENTRIES]) {
    ax_result count =
        ax_kernel(AX_CALL_SYSTEM_CONTROL, system, AX_SYSTEM_TRACE_READ, *position, 0, 0);
    if (count >= 0)
        *position = ax_thread_page()->ipc.message.badge;
    return ax_buffer_get_list(count, entries, sizeof(entries[0]), AX_TRACE_ENTRIES);
}

AX_CHECKED ax_result ax_trace_set(ax_handle system, uint64_t mask) {
    return ax_kernel(AX_CALL_SYSTEM_CONTROL, system, AX_SYSTEM_TRACE, mask, 0, 0);
}

AX_CHECKED ax_result ax_system_counters(ax_handle system, struct ax_counters *counters) {
    ax_result result = ax_kernel(AX_CALL_SYSTEM_CONTROL, system, AX_SYSTEM_COUNTERS, 0, 0, 0);
    if (result >= 0)
        ax_buffer_get(counters, sizeof(*counters));
    return result;
}

/* Up to AX_BUFFER_BYTES of randomness. */
AX_CHECKED ax_result ax_system_entropy(ax_handle system, void *to, size_t size_bytes) {
    ax_result result =
        ax_kernel(AX_CALL_SYSTEM_CONTROL, system, AX_SYSTEM_ENTROPY, size_bytes, 0, 0);
    if (result >= 0)
        ax_buffer_get(to, size_bytes);
    return result;
}

/* Ends the machine; returns only where it may not. */
static inline ax_result ax_system_halt(ax_handle system, uint64_t code) {
    return ax_kernel(AX_CALL_SYSTEM_CONTROL, system, AX_SYSTEM_HALT, code, 0, 0);
}
