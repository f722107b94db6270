/* SPDX-License-Identifier: MIT */
/*
 * A virtio device as its driver sees it: registers and queues (proto/virtio.h), whatever it does.
 *
 * Two sides meet here. CPUs read and write registers, one at a time (the kernel lock); the device's
 * own thread does its work and a reset, which therefore never comes in the middle of something. The
 * driver owns the queues' addresses until it has set DRIVER_OK, from then on nobody changes them
 * until the device has been reset. All that lies in guest memory is hostile: copied once, then
 * checked. A driver that breaks the rules finds NEEDS_RESET, and a device that does no more.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <proto/virtio.h>

#include "host/host.h"

#define VDEV_QUEUES 18
#define VDEV_PARTS  32 /* most of a chain; longer ones break a rule */

struct vdev_queue {
    /* As the driver wrote them. */
    uint64_t table_address, available_address, used_address;
    uint32_t size; /* a power of two; 0: it cannot be */
    bool is_ready;
    /* From is_ready on: where they are. */
    const volatile struct virtio_descriptor *table;
    volatile struct virtio_available *available;
    volatile struct virtio_used *used;
    /* The device's thread. */
    uint16_t next;   /* how many chains were done */
    bool has_posted; /* since the driver was last interrupted for it */
};

struct vdev {
    /* Constant. */
    uint32_t id; /* enum virtio_device_id */
    uint64_t features;
    uint32_t queue_count;
    const void *config; /* may change at any time */
    uint32_t config_bytes;
    /* A part of guest memory; NULL: it is not. Any thread. */
    void *(*memory)(uint64_t address, uint64_t size_bytes);
    void (*interrupt)(struct vdev *vdev); /* any thread */
    void (*wake)(struct vdev *vdev);      /* tells the device's thread; does not block */
    void (*reset)(struct vdev *vdev);     /* the driver is gone; the device's thread */

    /* Registers. */
    _Atomic uint32_t status, interrupts;
    _Atomic bool is_reset_wanted;
    uint32_t feature_select, driver_feature_select, queue_select;
    uint64_t driver_features;
    struct vdev_queue queues[VDEV_QUEUES];
};

/* A chain of descriptors as it was found; its parts lie in guest memory. */
struct vdev_chain {
    uint16_t head;
    unsigned out_count, in_count; /* parts that the device reads, then those that it writes */
    uint64_t out_bytes, in_bytes;
    struct host_vector parts[VDEV_PARTS];
};

/* ---- Registers: CPUs, one at a time ---------------------------------------------------------- */

/* A register by its offset; what there is not reads as ones. */
uint32_t vdev_read(const struct vdev *vdev, uint32_t offset, uint32_t width_bytes);
void vdev_write(struct vdev *vdev, uint32_t offset, uint32_t width_bytes, uint32_t value);

/* ---- Queues: the device's thread ------------------------------------------------------------- */

/* Begins a round of work, with a reset if one is wanted. False: there is nothing to do now. */
bool vdev_begin(struct vdev *vdev);
/* Whether the driver has given more than `skip` chains. */
bool vdev_has(struct vdev *vdev, uint32_t index, unsigned skip);
/* The chain after `skip` others, which stays where it is. False: there is none, or a rule was
 * broken. */
bool vdev_peek(struct vdev *vdev, uint32_t index, unsigned skip, struct vdev_chain *chain);
/* The first chain is done; so many bytes were written into it. */
void vdev_done(struct vdev *vdev, uint32_t index, uint16_t head, uint32_t size_bytes);
/* Tells the driver of what is done, if it wants to know. */
void vdev_tell(struct vdev *vdev, uint32_t index);
/* The driver broke a rule. */
void vdev_break(struct vdev *vdev);
/* The configuration has changed. */
void vdev_config_changed(struct vdev *vdev);

/* Copies out of the parts that the device reads, or into those that it writes; how much. */
size_t vdev_copy_out(const struct vdev_chain *chain, void *to, size_t size_bytes);
size_t vdev_copy_in(const struct vdev_chain *chain, const void *from, size_t size_bytes);
