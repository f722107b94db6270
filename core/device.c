/* SPDX-License-Identifier: MIT */
#include "device.h"

#include <base/align.h>

#include "calls.h"
#include "memory.h"
#include "process.h"
#include "thread.h"

ax_result device_make(struct account *account, struct device *parent, enum ax_device_kind kind,
                      uint64_t base, uint64_t size, struct device **device) {
    struct device *made;
    TRY(object_make(AX_TYPE_DEVICE, account, sizeof(*made), &made));
    list_init(&made->quarantine);
    if (parent != NULL)
        object_ref(&parent->object);
    made->parent = parent;
    made->kind = kind;
    made->base = base;
    made->size = size;
    *device = made;
    return AX_OK;
}

bool device_has(const struct device *device, uint64_t base, uint64_t size) {
    return size > 0 && base >= device->base && base - device->base < device->size &&
           size <= device->size - (base - device->base);
}

void device_quarantine(struct device *device, struct memory *memory) {
    ASSERT(memory->device == device && memory->object.refs == 0);
    memory->device = NULL;
    list_append(&device->quarantine, &memory->quarantine);
    device->quarantined_pages += memory->page_count;
    object_unref(&device->object);
}

void device_free(struct device *device) {
    struct device *parent = device->parent;
    if (!list_is_empty(&device->quarantine)) {
        if (parent == NULL)
            return;
        list_splice(&parent->quarantine, &device->quarantine);
        parent->quarantined_pages += device->quarantined_pages;
    }
    if (parent != NULL)
        object_unref(&parent->object);
    object_free(&device->object, sizeof(*device));
}

ax_result device_lookup(struct thread *thread, uint64_t handle, enum ax_device_kind kind,
                        uint32_t rights, struct device **device) {
    TRY(handle_get(thread, handle, AX_TYPE_DEVICE, 0, device));
    if ((*device)->kind != kind)
        return AX_ERR_TYPE;
    return handle_get(thread, handle, AX_TYPE_DEVICE, rights, device);
}

ax_result sys_device_create(struct thread *thread, const uint64_t arguments[5]) {
    struct device *parent;
    TRY(handle_get(thread, arguments[0], AX_TYPE_DEVICE, AX_RIGHT_WRITE, &parent));
    uint64_t base = arguments[2], size = arguments[3];
    uint64_t unit = parent->kind == AX_DEVICE_MEMORY ? AX_PAGE_SIZE : 1;
    if (arguments[1] != parent->kind || !device_has(parent, base, size) ||
        !is_aligned(base | size, unit))
        return AX_ERR_ARGUMENT;
    struct place place;
    TRY(place_decode(thread, arguments[4], &place));
    struct device *device = NULL;
    ax_result result =
        device_make(thread->process->account, parent, parent->kind, base, size, &device);
    return place_made(&place, result, device, AX_RIGHT_ALL);
}

ax_result sys_device_port(struct thread *thread, const uint64_t arguments[5]) {
    uint64_t port = arguments[1], value = arguments[3];
    bool write = (arguments[2] & AX_PORT_WRITE) != 0;
    uint64_t width = arguments[2] & ~(uint64_t)AX_PORT_WRITE;
    struct device *device;
    TRY(device_lookup(thread, arguments[0], AX_DEVICE_PORTS, write ? AX_RIGHT_WRITE : AX_RIGHT_READ,
                      &device));
    bool is_width = width == 1 || width == 2 || width == 4;
    if (!is_width || !device_has(device, port, width) || (write && value >> (8 * width) != 0))
        return AX_ERR_ARGUMENT;
    if (!write)
        return hal_port_read((uint32_t)port, (uint32_t)width);
    hal_port_write((uint32_t)port, (uint32_t)width, (uint32_t)value);
    return AX_OK;
}

/* ---- Memory ---------------------------------------------------------------------------------- */

static bool ranges_meet(const struct hal_range *ranges, uint32_t count, uint64_t base,
                        uint64_t size) {
    bool meet = false;
    for (uint32_t i = 0; i < count; i++)
        meet |= base - ranges[i].base < ranges[i].size_bytes || ranges[i].base - base < size;
    return meet;
}

/* Memory is never a device's, whatever a driver believes. */
static bool range_is_memory(uint64_t base, uint64_t size) {
    const struct hal_boot *boot = hal_boot();
    return ranges_meet(&boot->kernel, boot->kernel.size_bytes != 0, base, size) ||
           ranges_meet(boot->memory, boot->memory_count, base, size) ||
           ranges_meet(boot->modules, boot->module_count, base, size);
}

/* Registers from an offset to the device's end, or RAM for the device. */
ax_result sys_device_memory(struct thread *thread, const uint64_t arguments[5]) {
    struct device *device;
    uint64_t value = arguments[1];
    TRY(handle_get(thread, arguments[0], AX_TYPE_DEVICE, AX_RIGHT_WRITE, &device));
    bool is_dma = arguments[2] == AX_DEVICE_DMA;
    if (!is_dma && arguments[2] != AX_DEVICE_REGISTERS)
        return AX_ERR_ARGUMENT;
    if (is_dma ? device->kind == AX_DEVICE_SYSTEM : device->kind != AX_DEVICE_MEMORY)
        return AX_ERR_TYPE;
    if (is_dma ? value == 0
               : value >= device->size || !is_aligned(value, AX_PAGE_SIZE) ||
                     range_is_memory(device->base + value, device->size - value))
        return AX_ERR_ARGUMENT;
    struct place place;
    TRY(place_decode(thread, arguments[3], &place));
    struct memory *memory = NULL;
    unsigned portion = WORK_PORTION;
    struct account *account = thread->process->account;
    ax_result result = is_dma
                           ? memory_make_contiguous(account, value, &portion, &memory)
                           : memory_make(account, (device->size - value) / AX_PAGE_SIZE, &memory);
    if (result == AX_OK) {
        memory->registers = !is_dma;
        memory->physical = is_dma ? 0 : device->base + value;
        memory->device = device;
        object_ref(&device->object);
    }
    return place_made(&place, result, memory,
                      AX_RIGHT_COPY | AX_RIGHT_MOVE | AX_RIGHT_WAIT | AX_RIGHT_READ |
                          AX_RIGHT_WRITE);
}

/* Releases what was in quarantine when the call began: progress[0] is how much is left, [1] that it
 * began. */
ax_result sys_device_reset(struct thread *thread, const uint64_t arguments[5]) {
    struct device *device;
    TRY(handle_get(thread, arguments[0], AX_TYPE_DEVICE, AX_RIGHT_WRITE, &device));
    if (thread->progress[1] == 0) {
        thread->progress[0] = device->quarantined_pages;
        thread->progress[1] = 1;
    }
    for (unsigned i = 0; i < WORK_PORTION; i++) {
        struct list *first = thread->progress[0] != 0 ? list_take(&device->quarantine) : NULL;
        if (first == NULL)
            return AX_OK;
        struct memory *memory = list_entry(first, struct memory, quarantine);
        uint64_t pages = memory->page_count;
        device->quarantined_pages -= pages;
        thread->progress[0] -= pages < thread->progress[0] ? pages : thread->progress[0];
        object_work(&memory->object);
    }
    return RESULT_RESTART;
}
