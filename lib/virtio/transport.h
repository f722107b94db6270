/* SPDX-License-Identifier: MIT */
/*
 * The driver's side of a virtio device's registers. How they are reached is the transport's: ports
 * on the hosted machine, PCI elsewhere; offsets are those of proto/virtio.h on each.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <proto/virtio.h>

struct virtio_transport {
    uint32_t (*read)(void *context, uint32_t offset, uint32_t width_bytes);
    void (*write)(void *context, uint32_t offset, uint32_t width_bytes, uint32_t value);
    void (*notify)(void *context, uint32_t queue);
    void (*pause)(void *context); /* waits a moment for the device */
    void *context;
};

enum virtio_result {
    VIRTIO_OK = 0,
    VIRTIO_ABSENT = -1,   /* there is no such device, or not of this version */
    VIRTIO_STUCK = -2,    /* it does not come back from a reset */
    VIRTIO_FEATURES = -3, /* it lacks one that is needed */
    VIRTIO_REFUSED = -4,  /* it does not take a queue */
    VIRTIO_BROKEN = -5,   /* it breaks the rules */
    VIRTIO_FULL = -6,     /* the queue has no room now */
};

const char *virtio_result_text(enum virtio_result result);

/* Whether such a device is there. */
[[gnu::warn_unused_result]] enum virtio_result virtio_find(const struct virtio_transport *transport,
                                                           enum virtio_device_id id);

/* Whether the device works for a driver that has set it up and may have died since. */
bool virtio_is_running(const struct virtio_transport *transport);

/* Afterwards the device touches no memory. */
[[gnu::warn_unused_result]] enum virtio_result virtio_reset(
    const struct virtio_transport *transport);

/* After a reset: agrees on features; `needed` is a part of `wanted`. */
[[gnu::warn_unused_result]] enum virtio_result virtio_start(
    const struct virtio_transport *transport, uint64_t wanted, uint64_t needed, uint64_t *features);

/* Physical addresses of a queue's parts. */
struct virtio_queue_place {
    uint64_t table, available, used;
};

/* Between virtio_start and virtio_run. */
[[gnu::warn_unused_result]] enum virtio_result virtio_queue_set(
    const struct virtio_transport *transport, uint32_t queue, uint32_t size,
    const struct virtio_queue_place *place);
void virtio_run(const struct virtio_transport *transport);

/* Gives up on the device. */
void virtio_fail(const struct virtio_transport *transport);

/* Why the device interrupted (enum virtio_interrupt); acknowledged. */
uint32_t virtio_interrupts_take(const struct virtio_transport *transport);
