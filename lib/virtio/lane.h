/* SPDX-License-Identifier: MIT */
/*
 * A lane: a queue that carries a stream of bytes in buffers of one size, one way, each used in the
 * order in which it was given. It outlives its driver. docs/virtio.md tells how.
 *
 * Ring and buffers lie in DMA memory that is kept when the driver dies, and so does what the device
 * has done meanwhile. Beside it the driver keeps `struct virtio_lane_kept`, which it changes in the
 * same transaction in which it answers whoever it works for: the functions below tell the new state
 * and act by the state that is kept. So a death costs nothing: the successor finds in the rings
 * what the device did, in the kept state what was made of it, and goes on (virtio_lane_resume)
 * without the device noticing.
 *
 * A device that had to be reset begins its rings anew. What it had done is harvested first, after
 * the reset: bytes that came and were not consumed stay in their buffers, `held`; chains that had
 * not gone are given again.
 */
#pragma once

#include "queue.h"

#define VIRTIO_LANE_BUFFERS 16U

/* Zero: a lane that never was. Kept as it stands. */
struct virtio_lane_kept {
    /* In: how many used entries were consumed; out: how many were given. Since the rings began. */
    uint32_t position;
    uint32_t offset; /* in: bytes consumed of the first that is not */
    uint32_t shift;  /* buffer of entry 0 */
    /* In: buffers before entry 0 that are full and not consumed; out: given again from entry 0. */
    uint32_t held;
    /* Their bytes; in: the last one's first, so that the first of n is at n - 1. */
    uint32_t sizes[VIRTIO_LANE_BUFFERS];
};

/* Where a lane's memory is, and how much: the ring, then at a page the buffers. */
struct virtio_lane {
    struct virtio_ring ring;
    uint8_t *buffers;
    uint64_t physical;     /* of the buffers */
    uint32_t buffer_bytes; /* of each */
    bool is_in;
    const struct virtio_lane_kept *kept;
};

#define VIRTIO_LANE_RING_BYTES 4096U

struct virtio_lane virtio_lane_at(void *memory, uint64_t physical, uint32_t buffer_bytes,
                                  bool is_in, const struct virtio_lane_kept *kept);

/* Begins the rings as the kept state says; the device has been reset and does not run. */
void virtio_lane_begin(const struct virtio_lane *lane);
/* Makes known to the device whatever the kept state has given it and it may not know. True: it
 * should be notified. After each change of the kept state, and in a new instance. */
bool virtio_lane_publish(const struct virtio_lane *lane);
/* The state with which to begin anew; the device has been reset. VIRTIO_BROKEN: what it left makes
 * no sense, and nothing can be saved. */
[[gnu::warn_unused_result]] enum virtio_result virtio_lane_harvest(const struct virtio_lane *lane,
                                                                   struct virtio_lane_kept *kept);

/* In: how many buffers have bytes; or out: how many are free. VIRTIO_BROKEN. */
int virtio_lane_ready(const struct virtio_lane *lane);
/* In: the bytes not consumed of the nth that is ready. False: the device lies about its size. */
bool virtio_lane_bytes(const struct virtio_lane *lane, unsigned n, const uint8_t **bytes,
                       uint32_t *size_bytes);
/* Out: the nth that is free; set its size when it is filled. */
uint8_t *virtio_lane_buffer(const struct virtio_lane *lane, unsigned n);
void virtio_lane_fill(const struct virtio_lane *lane, unsigned n, uint32_t size_bytes);

/* The state after `count` buffers, ready ones, were consumed or filled; in: and a part of another,
 * of which `offset` bytes are consumed then. */
void virtio_lane_advance(struct virtio_lane_kept *kept, bool is_in, unsigned count,
                         uint32_t offset);
