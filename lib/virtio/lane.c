/* SPDX-License-Identifier: MIT */
/*
 * Entry p of the rings, counted from when they began, has buffer (shift + p) modulo the number of
 * buffers; table and available part never change but for sizes going out. In: buffers held from
 * before are entries -held to -1, which the device never sees; each that is consumed is given back
 * in the same order, so position - held + VIRTIO_LANE_BUFFERS are given.
 */
#include "lane.h"

#include <base/assert.h>
#include <base/memory.h>

#define COUNT VIRTIO_LANE_BUFFERS

_Static_assert(VIRTIO_RING_BYTES(COUNT) <= VIRTIO_LANE_RING_BYTES, "the ring fits before them");

struct virtio_lane virtio_lane_at(void *memory, uint64_t physical, uint32_t buffer_bytes,
                                  bool is_in, const struct virtio_lane_kept *kept) {
    return (struct virtio_lane){
        .ring = virtio_ring_at(memory, COUNT),
        .buffers = (uint8_t *)memory + VIRTIO_LANE_RING_BYTES,
        .physical = physical + VIRTIO_LANE_RING_BYTES,
        .buffer_bytes = buffer_bytes,
        .is_in = is_in,
        .kept = kept,
    };
}

/* The buffer of an entry, which may be a held one before the first. */
static uint32_t buffer_of(const struct virtio_lane *lane, uint32_t entry) {
    return (lane->kept->shift + entry) % COUNT;
}

/* How many entries the device may work on, since the rings began. */
static uint32_t given(const struct virtio_lane *lane) {
    const struct virtio_lane_kept *kept = lane->kept;
    return lane->is_in ? kept->position + COUNT - kept->held : kept->position;
}

void virtio_lane_begin(const struct virtio_lane *lane) {
    const struct virtio_lane_kept *kept = lane->kept;
    virtio_ring_clear(&lane->ring);
    for (uint32_t i = 0; i < COUNT; i++) {
        uint32_t size = lane->is_in ? lane->buffer_bytes : i < kept->held ? kept->sizes[i] : 0;
        lane->ring.table[i] = (struct virtio_descriptor){
            .address = lane->physical + (uint64_t)buffer_of(lane, i) * lane->buffer_bytes,
            .size_bytes = size,
            .flags = lane->is_in ? VIRTIO_DESCRIPTOR_WRITE : 0};
        lane->ring.available->entries[i] = (uint16_t)i;
    }
    virtio_ring_publish(&lane->ring, (uint16_t)given(lane));
}

bool virtio_lane_publish(const struct virtio_lane *lane) {
    uint16_t index = (uint16_t)given(lane);
    if (lane->ring.available->index == index)
        return false;
    virtio_ring_publish(&lane->ring, index);
    return true;
}

/* Entries that the device has done and the kept state has not seen consumed (in), or that it has
 * not done (out). */
static int entries_open(const struct virtio_lane *lane) {
    uint16_t used = virtio_ring_used(&lane->ring);
    uint16_t position = (uint16_t)lane->kept->position;
    uint16_t open = (uint16_t)(lane->is_in ? used - position : position - used);
    uint32_t most = lane->is_in ? COUNT - lane->kept->held : COUNT;
    return open <= most ? open : VIRTIO_BROKEN;
}

int virtio_lane_ready(const struct virtio_lane *lane) {
    int open = entries_open(lane);
    if (open < 0)
        return open;
    return lane->is_in ? open + (int)lane->kept->held : (int)COUNT - open;
}

/* The whole of the nth buffer that is ready. False: the device says what cannot be. */
static bool buffer_find(const struct virtio_lane *lane, unsigned n, const uint8_t **bytes,
                        uint32_t *size_bytes) {
    const struct virtio_lane_kept *kept = lane->kept;
    uint32_t entry = kept->position + n - kept->held; /* before the first: below zero */
    *bytes = lane->buffers + (size_t)buffer_of(lane, entry) * lane->buffer_bytes;
    if (n < kept->held) {
        *size_bytes = kept->sizes[kept->held - n - 1];
        return true;
    }
    struct virtio_used_entry used = lane->ring.used->entries[entry % COUNT];
    *size_bytes = used.size_bytes;
    return used.head == entry % COUNT && used.size_bytes <= lane->buffer_bytes;
}

bool virtio_lane_bytes(const struct virtio_lane *lane, unsigned n, const uint8_t **bytes,
                       uint32_t *size_bytes) {
    ASSERT(lane->is_in);
    uint32_t offset = n == 0 ? lane->kept->offset : 0;
    if (!buffer_find(lane, n, bytes, size_bytes) || *size_bytes < offset)
        return false;
    *bytes += offset;
    *size_bytes -= offset;
    return true;
}

uint8_t *virtio_lane_buffer(const struct virtio_lane *lane, unsigned n) {
    ASSERT(!lane->is_in);
    return lane->buffers + (size_t)buffer_of(lane, lane->kept->position + n) * lane->buffer_bytes;
}

void virtio_lane_fill(const struct virtio_lane *lane, unsigned n, uint32_t size_bytes) {
    ASSERT(!lane->is_in && size_bytes != 0 && size_bytes <= lane->buffer_bytes);
    lane->ring.table[(lane->kept->position + n) % COUNT].size_bytes = size_bytes;
}

void virtio_lane_advance(struct virtio_lane_kept *kept, bool is_in, unsigned count,
                         uint32_t offset) {
    unsigned of_held = is_in && count > kept->held ? kept->held : count;
    if (is_in)
        kept->held -= of_held;
    else
        of_held = 0;
    kept->position += count - of_held;
    kept->offset = offset;
}

/* ---- Beginning anew -------------------------------------------------------------------------- */

static enum virtio_result harvest_in(const struct virtio_lane *lane,
                                     struct virtio_lane_kept *kept) {
    int count = virtio_lane_ready(lane);
    if (count < 0)
        return VIRTIO_BROKEN;
    /* The buffer after the last full one is entry 0's. */
    kept->shift = buffer_of(lane, lane->kept->position + (uint32_t)count - lane->kept->held);
    kept->held = (uint32_t)count;
    kept->offset = lane->kept->offset;
    for (unsigned n = 0; n < (unsigned)count; n++) {
        const uint8_t *bytes;
        if (!buffer_find(lane, n, &bytes, &kept->sizes[(unsigned)count - n - 1]))
            return VIRTIO_BROKEN;
    }
    return VIRTIO_OK;
}

static enum virtio_result harvest_out(const struct virtio_lane *lane,
                                      struct virtio_lane_kept *kept) {
    int count = entries_open(lane);
    if (count < 0)
        return VIRTIO_BROKEN;
    uint32_t first = lane->kept->position - (uint32_t)count;
    kept->shift = buffer_of(lane, first);
    kept->held = kept->position = (uint32_t)count;
    for (uint32_t i = 0; i < (uint32_t)count; i++) {
        kept->sizes[i] = lane->ring.table[(first + i) % COUNT].size_bytes;
        if (kept->sizes[i] > lane->buffer_bytes)
            return VIRTIO_BROKEN;
    }
    return VIRTIO_OK;
}

enum virtio_result virtio_lane_harvest(const struct virtio_lane *lane,
                                       struct virtio_lane_kept *kept) {
    *kept = (struct virtio_lane_kept){0};
    return lane->is_in ? harvest_in(lane, kept) : harvest_out(lane, kept);
}
