/* SPDX-License-Identifier: MIT */
#include "queue.h"

#include <base/assert.h>
#include <base/memory.h>

/* ---- Rings ----------------------------------------------------------------------------------- */

struct virtio_ring virtio_ring_at(void *memory, uint32_t size) {
    uint8_t *bytes = memory;
    void *available = bytes + VIRTIO_TABLE_BYTES(size), *used = bytes + VIRTIO_RING_USED(size);
    ASSERT(size != 0 && size <= VIRTIO_QUEUE_SIZE_LIMIT && (size & (size - 1)) == 0);
    return (struct virtio_ring){memory, available, used, size};
}

struct virtio_queue_place virtio_ring_place(uint64_t physical, uint32_t size) {
    return (struct virtio_queue_place){
        .table = physical,
        .available = physical + VIRTIO_TABLE_BYTES(size),
        .used = physical + VIRTIO_RING_USED(size),
    };
}

void virtio_ring_clear(const struct virtio_ring *ring) {
    memset((void *)ring->table, 0, VIRTIO_RING_BYTES(ring->size));
}

/* Stored before what follows is looked at. */
bool virtio_ring_interrupts(const struct virtio_ring *ring, bool are_wanted) {
    uint16_t flags = are_wanted ? 0 : VIRTIO_AVAILABLE_NO_INTERRUPT;
    if (ring->available->flags == flags)
        return false;
    __atomic_store_n(&ring->available->flags, flags, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return are_wanted;
}

uint16_t virtio_ring_used(const struct virtio_ring *ring) {
    return __atomic_load_n(&ring->used->index, __ATOMIC_ACQUIRE);
}

void virtio_ring_publish(const struct virtio_ring *ring, uint16_t index) {
    __atomic_store_n(&ring->available->index, index, __ATOMIC_RELEASE);
}

/* ---- Queues ---------------------------------------------------------------------------------- */

void virtio_queue_begin(struct virtio_queue *queue, const struct virtio_ring *ring) {
    *queue = (struct virtio_queue){.ring = *ring, .free_count = (uint16_t)ring->size};
    for (uint32_t i = 0; i < ring->size; i++)
        queue->slots[i].next = (uint16_t)(i + 1);
    virtio_ring_clear(ring);
}

enum virtio_result virtio_queue_add(struct virtio_queue *queue, const struct virtio_part *parts,
                                    unsigned count, uint16_t *head) {
    ASSERT(count > 0);
    if (count > queue->free_count)
        return VIRTIO_FULL;
    uint16_t at = queue->free_first;
    *head = at;
    for (unsigned i = 0; i < count; i++) {
        uint16_t next = queue->slots[at].next;
        unsigned flags = (parts[i].is_written ? VIRTIO_DESCRIPTOR_WRITE : 0U) |
                         (i + 1 < count ? VIRTIO_DESCRIPTOR_NEXT : 0U);
        queue->ring.table[at] = (struct virtio_descriptor){parts[i].physical, parts[i].size_bytes,
                                                           (uint16_t)flags, next};
        at = next;
    }
    queue->free_first = at;
    queue->free_count = (uint16_t)(queue->free_count - count);
    queue->slots[*head].count = (uint16_t)count;
    queue->ring.available->entries[queue->given++ % queue->ring.size] = *head;
    return VIRTIO_OK;
}

void virtio_queue_publish(struct virtio_queue *queue) {
    virtio_ring_publish(&queue->ring, queue->given);
}

/* The chain's slots are free again; links are the driver's own, never read back from the table. */
static void chain_free(struct virtio_queue *queue, uint16_t head) {
    uint16_t last = head, count = queue->slots[head].count;
    for (uint16_t i = 1; i < count; i++)
        last = queue->slots[last].next;
    queue->slots[last].next = queue->free_first;
    queue->slots[head].count = 0;
    queue->free_first = head;
    queue->free_count = (uint16_t)(queue->free_count + count);
}

int virtio_queue_take(struct virtio_queue *queue, uint16_t *head, uint32_t *size_bytes) {
    uint16_t ready = (uint16_t)(virtio_ring_used(&queue->ring) - queue->seen);
    if (ready == 0)
        return 0;
    struct virtio_used_entry entry = queue->ring.used->entries[queue->seen % queue->ring.size];
    if (ready > (uint16_t)(queue->given - queue->seen) || entry.head >= queue->ring.size ||
        queue->slots[entry.head].count == 0)
        return VIRTIO_BROKEN;
    queue->seen++;
    *head = (uint16_t)entry.head;
    *size_bytes = entry.size_bytes;
    chain_free(queue, *head);
    return 1;
}
