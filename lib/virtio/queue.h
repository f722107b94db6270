/* SPDX-License-Identifier: MIT */
/*
 * A split queue, the driver's side, for drivers whose requests are done in any order. What the
 * device writes is checked; it can give wrong answers but not make the driver touch what it should
 * not. For streams of bytes that outlive their driver see lane.h.
 */
#pragma once

#include <stddef.h>

#include "transport.h"

/* A queue's three parts in one piece of memory, in this order. */
#define VIRTIO_RING_USED(size) \
    ((VIRTIO_TABLE_BYTES(size) + VIRTIO_AVAILABLE_BYTES(size) + 3) & ~UINT64_C(3))
#define VIRTIO_RING_BYTES(size) \
    ((VIRTIO_RING_USED(size) + VIRTIO_USED_BYTES(size) + 15) & ~UINT64_C(15))

struct virtio_ring {
    volatile struct virtio_descriptor *table;
    volatile struct virtio_available *available;
    const volatile struct virtio_used *used;
    uint32_t size; /* a power of two, up to VIRTIO_QUEUE_SIZE_LIMIT */
};

/* The ring in VIRTIO_RING_BYTES(size) of memory at a multiple of 16; nothing is written. */
struct virtio_ring virtio_ring_at(void *memory, uint32_t size);
struct virtio_queue_place virtio_ring_place(uint64_t physical, uint32_t size);
void virtio_ring_clear(const struct virtio_ring *ring);
/* Says whether interrupts for it are wanted. True: only from now on, so look at the used part once
 * more. */
bool virtio_ring_interrupts(const struct virtio_ring *ring, bool are_wanted);
/* The device's and the driver's count, modulo 2^16. */
uint16_t virtio_ring_used(const struct virtio_ring *ring);
void virtio_ring_publish(const struct virtio_ring *ring, uint16_t index);

struct virtio_part {
    uint64_t physical;
    uint32_t size_bytes;
    bool is_written; /* by the device; those come last */
};

struct virtio_slot {
    uint16_t next;  /* free: the next free one; else of the chain */
    uint16_t count; /* of a chain that begins here and is with the device; else 0 */
};

struct virtio_queue {
    struct virtio_ring ring;
    uint16_t seen, given; /* counts, modulo 2^16 */
    uint16_t free_first, free_count;
    struct virtio_slot slots[VIRTIO_QUEUE_SIZE_LIMIT];
};

/* An empty queue in the memory of a ring. */
void virtio_queue_begin(struct virtio_queue *queue, const struct virtio_ring *ring);

/* Gives the device a chain of parts, at least one, and tells its head. VIRTIO_FULL. The device sees
 * it with virtio_queue_publish, and is to be notified after that. */
[[gnu::warn_unused_result]] enum virtio_result virtio_queue_add(struct virtio_queue *queue,
                                                                const struct virtio_part *parts,
                                                                unsigned count, uint16_t *head);
void virtio_queue_publish(struct virtio_queue *queue);

/* 1: the chain is done, with so many bytes written as the device says; 0: none is. VIRTIO_BROKEN:
 * do not go on. */
int virtio_queue_take(struct virtio_queue *queue, uint16_t *head, uint32_t *size_bytes);
