/* SPDX-License-Identifier: MIT */
/*
 * The device, on the hosted machine at I/O ports. Its memory and its interrupt lie in the stash
 * process: they outlive the driver.
 */
#include "console.h"

#include <base/align.h>
#include <sys/start.h>

#define PORTS VIRTIO_HOSTED_PORT(VIRTIO_HOSTED_CONSOLE)
#define LINE  VIRTIO_HOSTED_IRQ(VIRTIO_HOSTED_CONSOLE)

enum device_slot { SLOT_LINE = SERVER_SLOT_PROGRAM, SLOT_MEMORY };

static ax_handle registers, line;

static uint32_t register_read(void *context, uint32_t offset, uint32_t width_bytes) {
    (void)context;
    ax_result value = ax_device_port_read(registers, PORTS + offset, width_bytes);
    return value < 0 ? UINT32_MAX : (uint32_t)value;
}

static void register_write(void *context, uint32_t offset, uint32_t width_bytes, uint32_t value) {
    (void)context;
    (void)ax_device_port_write(registers, PORTS + offset, width_bytes, value);
}

static void queue_notify(void *context, uint32_t queue) {
    register_write(context, VIRTIO_QUEUE_NOTIFY, 4, queue);
}

static void moment_pause(void *context) {
    (void)context;
    (void)ax_sleep_until(ax_clock_ns() + 100000);
}

/* What is in a slot of the stash process, as a handle of our own. */
static ax_result slot_copy(ax_handle stash, uint32_t slot) {
    return ax_handle_transfer(stash, slot, AX_PLACE_ANY, AX_RIGHT_ALL, AX_TRANSFER_SLOT);
}

/* A predecessor may have bound it already. */
static bool line_open(struct server *server, ax_handle stash) {
    ax_result result = ax_irq_create(ax_start_handle("interrupt"), LINE, AX_IRQ_DEFAULT,
                                     AX_PLACE(stash, SLOT_LINE));
    if (result < 0 && result != AX_ERR_EXISTS)
        return false;
    result = slot_copy(stash, SLOT_LINE);
    if (result < 0)
        return false;
    line = (ax_handle)result;
    result = server_bind(server, line, AX_SIGNAL_FIRED, LINE);
    return result == AX_OK || result == AX_ERR_EXISTS;
}

/* A predecessor may have had it already. */
static void *memory_open(ax_handle stash, uint64_t *physical) {
    const uint64_t size_bytes = align_up(CONSOLE_MEMORY_BYTES, AX_PAGE_SIZE);
    struct ax_object_info info = {0};
    struct ax_map_request request = {
        .size_bytes = size_bytes, .prot = AX_PROT_READ | AX_PROT_WRITE, .flags = AX_MAP_POPULATE};
    ax_result result = ax_device_memory(registers, size_bytes / AX_PAGE_SIZE, AX_DEVICE_DMA,
                                        AX_PLACE(stash, SLOT_MEMORY));
    if (result >= 0 || result == AX_ERR_EXISTS)
        result = slot_copy(stash, SLOT_MEMORY);
    ax_handle memory = result > 0 ? (ax_handle)result : AX_HANDLE_NONE;
    if (memory != AX_HANDLE_NONE)
        result = ax_object_info(memory, &info);
    if (result >= 0)
        result = ax_memory_map(AX_HANDLE_NONE, memory, &request);
    *physical = info.memory.physical;
    return result < 0 ? NULL : (void *)(uintptr_t)result; /* NOLINT(performance-no-int-to-ptr) */
}

void *device_open(struct console *console, uint64_t *physical) {
    ax_handle stash = ax_start_handle("stash");
    registers = ax_start_handle("registers");
    console->transport =
        (struct virtio_transport){register_read, register_write, queue_notify, moment_pause, NULL};
    if (!line_open(console->server, stash)) {
        server_log(console->server, "its interrupt cannot be had");
        return NULL;
    }
    void *memory = memory_open(stash, physical);
    if (memory == NULL)
        server_log(console->server, "memory for its device cannot be had");
    return memory;
}

void device_acknowledge(const struct console *console) {
    (void)console;
    (void)ax_object_signal(line, AX_SIGNAL_FIRED, 0);
}
