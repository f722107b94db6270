/* SPDX-License-Identifier: MIT */
#include "vdev.h"

#include <base/memory.h>

#define VENDOR 0x4c4f5841U /* "AXOL" */

/* ---- Registers ------------------------------------------------------------------------------- */

static bool has_status(const struct vdev *vdev, uint32_t bit) {
    return (atomic_load(&vdev->status) & bit) != 0;
}

static void interrupt_raise(struct vdev *vdev, uint32_t why) {
    atomic_fetch_or(&vdev->interrupts, why);
    vdev->interrupt(vdev);
}

void vdev_break(struct vdev *vdev) {
    atomic_fetch_or(&vdev->status, VIRTIO_STATUS_NEEDS_RESET);
    interrupt_raise(vdev, VIRTIO_INTERRUPT_CONFIG);
}

void vdev_config_changed(struct vdev *vdev) {
    if (has_status(vdev, VIRTIO_STATUS_DRIVER_OK))
        interrupt_raise(vdev, VIRTIO_INTERRUPT_CONFIG);
}

static uint32_t config_read(const struct vdev *vdev, uint32_t offset, uint32_t width_bytes) {
    uint32_t value = UINT32_MAX >> (32 - 8 * width_bytes);
    if (offset < vdev->config_bytes && width_bytes <= vdev->config_bytes - offset) {
        value = 0;
        memcpy(&value, (const uint8_t *)vdev->config + offset, width_bytes);
    }
    return value;
}

static const struct vdev_queue *queue_selected(const struct vdev *vdev) {
    static const struct vdev_queue none;
    return vdev->queue_select < vdev->queue_count ? &vdev->queues[vdev->queue_select] : &none;
}

/* Zero only when a reset is over. */
static uint32_t status_read(const struct vdev *vdev) {
    uint32_t status = atomic_load(&vdev->status);
    return atomic_load(&vdev->is_reset_wanted) ? status | VIRTIO_STATUS_NEEDS_RESET : status;
}

uint32_t vdev_read(const struct vdev *vdev, uint32_t offset, uint32_t width_bytes) {
    if (offset >= VIRTIO_CONFIG)
        return config_read(vdev, offset - VIRTIO_CONFIG, width_bytes);
    if (width_bytes != 4)
        return UINT32_MAX >> (32 - 8 * width_bytes);
    switch (offset) {
    case VIRTIO_MAGIC: return VIRTIO_MAGIC_VALUE;
    case VIRTIO_VERSION: return VIRTIO_VERSION_VALUE;
    case VIRTIO_DEVICE_ID: return vdev->id;
    case VIRTIO_VENDOR_ID: return VENDOR;
    case VIRTIO_DEVICE_FEATURES:
        return vdev->feature_select < 2 ? (uint32_t)(vdev->features >> 32 * vdev->feature_select)
                                        : 0;
    case VIRTIO_QUEUE_SIZE_MAX:
        return vdev->queue_select < vdev->queue_count ? VIRTIO_QUEUE_SIZE_LIMIT : 0;
    case VIRTIO_QUEUE_READY: return queue_selected(vdev)->is_ready;
    case VIRTIO_INTERRUPT_STATUS: return atomic_load(&vdev->interrupts);
    case VIRTIO_STATUS: return status_read(vdev);
    case VIRTIO_CONFIG_GENERATION: return 0; /* no field of a configuration is in two parts */
    default: return UINT32_MAX;
    }
}

static void half_set(uint64_t *address, bool is_high, uint32_t value) {
    unsigned shift = is_high ? 32 : 0;
    *address = (*address & ~((uint64_t)UINT32_MAX << shift)) | (uint64_t)value << shift;
}

/* A part of a queue in guest memory, which is aligned; NULL: it is not. */
static void *part_find(const struct vdev *vdev, uint64_t address, uint64_t size_bytes,
                       uint64_t alignment) {
    return address % alignment == 0 ? vdev->memory(address, size_bytes) : NULL;
}

static void queue_ready(struct vdev *vdev, struct vdev_queue *queue) {
    uint32_t size = queue->size;
    queue->table = part_find(vdev, queue->table_address, VIRTIO_TABLE_BYTES(size), 16);
    queue->available = part_find(vdev, queue->available_address, VIRTIO_AVAILABLE_BYTES(size), 2);
    queue->used = part_find(vdev, queue->used_address, VIRTIO_USED_BYTES(size), 4);
    if (size == 0 || queue->table == NULL || queue->available == NULL || queue->used == NULL)
        vdev_break(vdev);
    else
        queue->is_ready = true;
}

/* What is set of a queue, as long as the device does not work on it. */
static void queue_write(struct vdev *vdev, uint32_t offset, uint32_t value) {
    if (vdev->queue_select >= vdev->queue_count || has_status(vdev, VIRTIO_STATUS_DRIVER_OK))
        return;
    struct vdev_queue *queue = &vdev->queues[vdev->queue_select];
    bool is_high = (offset & 4) != 0;
    switch (offset) {
    case VIRTIO_QUEUE_SIZE:
        queue->size = value <= VIRTIO_QUEUE_SIZE_LIMIT && (value & (value - 1)) == 0 ? value : 0;
        break;
    case VIRTIO_QUEUE_TABLE:
    case VIRTIO_QUEUE_TABLE + 4: half_set(&queue->table_address, is_high, value); break;
    case VIRTIO_QUEUE_AVAILABLE:
    case VIRTIO_QUEUE_AVAILABLE + 4: half_set(&queue->available_address, is_high, value); break;
    case VIRTIO_QUEUE_USED:
    case VIRTIO_QUEUE_USED + 4: half_set(&queue->used_address, is_high, value); break;
    case VIRTIO_QUEUE_READY:
        queue->is_ready = false;
        if (value == 1)
            queue_ready(vdev, queue);
        break;
    default: break;
    }
}

/* Bits are only ever added but by a reset; features are what the device has, or not OK. */
static void status_write(struct vdev *vdev, uint32_t value) {
    if (value == 0) {
        atomic_store(&vdev->is_reset_wanted, true);
        vdev->wake(vdev);
        return;
    }
    if ((vdev->driver_features & ~vdev->features) != 0 ||
        (vdev->driver_features & VIRTIO_FEATURE_VERSION_1) == 0)
        value &= ~(uint32_t)VIRTIO_STATUS_FEATURES_OK;
    if (((atomic_load(&vdev->status) | value) & VIRTIO_STATUS_FEATURES_OK) == 0)
        value &= ~(uint32_t)VIRTIO_STATUS_DRIVER_OK;
    value &= ~(uint32_t)VIRTIO_STATUS_NEEDS_RESET & 0xff;
    atomic_fetch_or(&vdev->status, value);
    vdev->wake(vdev);
}

void vdev_write(struct vdev *vdev, uint32_t offset, uint32_t width_bytes, uint32_t value) {
    if (width_bytes != 4 || atomic_load(&vdev->is_reset_wanted))
        return;
    switch (offset) {
    case VIRTIO_DEVICE_FEATURES_SELECT: vdev->feature_select = value; break;
    case VIRTIO_DRIVER_FEATURES_SELECT: vdev->driver_feature_select = value; break;
    case VIRTIO_DRIVER_FEATURES:
        if (vdev->driver_feature_select < 2 && !has_status(vdev, VIRTIO_STATUS_FEATURES_OK))
            half_set(&vdev->driver_features, vdev->driver_feature_select == 1, value);
        break;
    case VIRTIO_QUEUE_SELECT: vdev->queue_select = value; break;
    case VIRTIO_QUEUE_NOTIFY: vdev->wake(vdev); break;
    case VIRTIO_INTERRUPT_ACK: atomic_fetch_and(&vdev->interrupts, ~value); break;
    case VIRTIO_STATUS: status_write(vdev, value); break;
    default: queue_write(vdev, offset, value); break;
    }
}

/* ---- The device's thread --------------------------------------------------------------------- */

/* The device looks at its queues once more, also after a broken rule. */
static void reset(struct vdev *vdev) {
    atomic_fetch_and(&vdev->status, ~(uint32_t)VIRTIO_STATUS_NEEDS_RESET);
    vdev->reset(vdev);
    memset(vdev->queues, 0, sizeof(vdev->queues));
    vdev->feature_select = vdev->driver_feature_select = vdev->queue_select = 0;
    vdev->driver_features = 0;
    atomic_store(&vdev->interrupts, 0);
    atomic_store(&vdev->is_reset_wanted, false);
    atomic_store(&vdev->status, 0); /* what the driver waits for */
}

bool vdev_begin(struct vdev *vdev) {
    if (atomic_load(&vdev->is_reset_wanted))
        reset(vdev);
    uint32_t status = atomic_load(&vdev->status);
    return (status & (VIRTIO_STATUS_DRIVER_OK | VIRTIO_STATUS_NEEDS_RESET)) ==
           VIRTIO_STATUS_DRIVER_OK;
}

bool vdev_has(struct vdev *vdev, uint32_t index, unsigned skip) {
    struct vdev_queue *queue = &vdev->queues[index];
    if (!queue->is_ready || has_status(vdev, VIRTIO_STATUS_NEEDS_RESET))
        return false;
    uint16_t count =
        (uint16_t)(__atomic_load_n(&queue->available->index, __ATOMIC_ACQUIRE) - queue->next);
    if (count > queue->size)
        vdev_break(vdev);
    return count <= queue->size && count > skip;
}

/* One descriptor of a chain. False: it breaks a rule. */
static bool chain_add(const struct vdev *vdev, struct vdev_chain *chain,
                      const struct virtio_descriptor *descriptor) {
    bool is_in = (descriptor->flags & VIRTIO_DESCRIPTOR_WRITE) != 0;
    unsigned count = chain->out_count + chain->in_count;
    if (count == VDEV_PARTS || (descriptor->flags & VIRTIO_DESCRIPTOR_INDIRECT) != 0 ||
        (!is_in && chain->in_count != 0) || descriptor->size_bytes == 0)
        return false;
    void *base = vdev->memory(descriptor->address, descriptor->size_bytes);
    if (base == NULL)
        return false;
    chain->parts[count] = (struct host_vector){base, descriptor->size_bytes};
    if (is_in) {
        chain->in_count++;
        chain->in_bytes += descriptor->size_bytes;
    } else {
        chain->out_count++;
        chain->out_bytes += descriptor->size_bytes;
    }
    return true;
}

/* The parts' number is bounded, so a chain that has no end has too many. */
static bool chain_read(const struct vdev *vdev, const struct vdev_queue *queue,
                       struct vdev_chain *chain) {
    uint16_t at = chain->head;
    for (;;) {
        if (at >= queue->size)
            return false;
        struct virtio_descriptor descriptor = queue->table[at];
        if (!chain_add(vdev, chain, &descriptor))
            return false;
        if ((descriptor.flags & VIRTIO_DESCRIPTOR_NEXT) == 0)
            return true;
        at = descriptor.next;
    }
}

bool vdev_peek(struct vdev *vdev, uint32_t index, unsigned skip, struct vdev_chain *chain) {
    struct vdev_queue *queue = &vdev->queues[index];
    if (!vdev_has(vdev, index, skip))
        return false;
    chain->head = queue->available->entries[(queue->next + skip) % queue->size];
    chain->out_count = chain->in_count = 0;
    chain->out_bytes = chain->in_bytes = 0;
    if (chain_read(vdev, queue, chain))
        return true;
    vdev_break(vdev);
    return false;
}

void vdev_done(struct vdev *vdev, uint32_t index, uint16_t head, uint32_t size_bytes) {
    struct vdev_queue *queue = &vdev->queues[index];
    volatile struct virtio_used_entry *entry = &queue->used->entries[queue->next % queue->size];
    entry->head = head;
    entry->size_bytes = size_bytes;
    queue->next++;
    queue->has_posted = true;
    __atomic_store_n(&queue->used->index, queue->next, __ATOMIC_RELEASE);
}

/* The driver says that it wants to know, then looks once more; here it is the other way round. */
void vdev_tell(struct vdev *vdev, uint32_t index) {
    struct vdev_queue *queue = &vdev->queues[index];
    if (!queue->has_posted)
        return;
    queue->has_posted = false;
    atomic_thread_fence(memory_order_seq_cst);
    uint16_t flags = __atomic_load_n(&queue->available->flags, __ATOMIC_RELAXED);
    if ((flags & VIRTIO_AVAILABLE_NO_INTERRUPT) == 0)
        interrupt_raise(vdev, VIRTIO_INTERRUPT_QUEUE);
}

/* ---- Copies ---------------------------------------------------------------------------------- */

size_t vdev_copy_out(const struct vdev_chain *chain, void *to, size_t size_bytes) {
    size_t done = 0;
    for (unsigned i = 0; i < chain->out_count && done < size_bytes; i++) {
        size_t part = chain->parts[i].size_bytes;
        if (part > size_bytes - done)
            part = size_bytes - done;
        memcpy((uint8_t *)to + done, chain->parts[i].base, part);
        done += part;
    }
    return done;
}

size_t vdev_copy_in(const struct vdev_chain *chain, const void *from, size_t size_bytes) {
    size_t done = 0;
    const struct host_vector *parts = chain->parts + chain->out_count;
    for (unsigned i = 0; i < chain->in_count && done < size_bytes; i++) {
        size_t part = parts[i].size_bytes;
        if (part > size_bytes - done)
            part = size_bytes - done;
        memcpy(parts[i].base, (const uint8_t *)from + done, part);
        done += part;
    }
    return done;
}
