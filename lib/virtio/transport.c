/* SPDX-License-Identifier: MIT */
#include "transport.h"

#define RESET_PATIENCE 100000 /* pauses */

static uint32_t get(const struct virtio_transport *transport, enum virtio_register offset) {
    return transport->read(transport->context, offset, 4);
}

static void put(const struct virtio_transport *transport, uint32_t offset, uint32_t value) {
    transport->write(transport->context, offset, 4, value);
}

const char *virtio_result_text(enum virtio_result result) {
    switch (result) {
    case VIRTIO_OK: return "success";
    case VIRTIO_ABSENT: return "there is no such device";
    case VIRTIO_STUCK: return "the device does not come back from a reset";
    case VIRTIO_FEATURES: return "the device lacks a feature that is needed";
    case VIRTIO_REFUSED: return "the device does not take a queue";
    case VIRTIO_BROKEN: return "the device breaks the rules";
    case VIRTIO_FULL: return "the queue is full";
    }
    return "an unknown result";
}

enum virtio_result virtio_find(const struct virtio_transport *transport, enum virtio_device_id id) {
    return get(transport, VIRTIO_MAGIC) == VIRTIO_MAGIC_VALUE &&
                   get(transport, VIRTIO_VERSION) == VIRTIO_VERSION_VALUE &&
                   get(transport, VIRTIO_DEVICE_ID) == (uint32_t)id
               ? VIRTIO_OK
               : VIRTIO_ABSENT;
}

bool virtio_is_running(const struct virtio_transport *transport) {
    uint32_t mask = VIRTIO_STATUS_DRIVER_OK | VIRTIO_STATUS_NEEDS_RESET | VIRTIO_STATUS_FAILED;
    return (get(transport, VIRTIO_STATUS) & mask) == VIRTIO_STATUS_DRIVER_OK;
}

enum virtio_result virtio_reset(const struct virtio_transport *transport) {
    put(transport, VIRTIO_STATUS, 0);
    for (unsigned i = 0; i < RESET_PATIENCE; i++) {
        if (get(transport, VIRTIO_STATUS) == 0)
            return VIRTIO_OK;
        transport->pause(transport->context);
    }
    return VIRTIO_STUCK;
}

static uint64_t features_get(const struct virtio_transport *transport) {
    put(transport, VIRTIO_DEVICE_FEATURES_SELECT, 0);
    uint64_t low = get(transport, VIRTIO_DEVICE_FEATURES);
    put(transport, VIRTIO_DEVICE_FEATURES_SELECT, 1);
    return low | (uint64_t)get(transport, VIRTIO_DEVICE_FEATURES) << 32;
}

static void features_put(const struct virtio_transport *transport, uint64_t features) {
    put(transport, VIRTIO_DRIVER_FEATURES_SELECT, 0);
    put(transport, VIRTIO_DRIVER_FEATURES, (uint32_t)features);
    put(transport, VIRTIO_DRIVER_FEATURES_SELECT, 1);
    put(transport, VIRTIO_DRIVER_FEATURES, (uint32_t)(features >> 32));
}

/* The steps of section 3.1.1 that come before the queues. */
enum virtio_result virtio_start(const struct virtio_transport *transport, uint64_t wanted,
                                uint64_t needed, uint64_t *features) {
    uint32_t status = VIRTIO_STATUS_ACKNOWLEDGE;
    put(transport, VIRTIO_STATUS, status);
    status |= VIRTIO_STATUS_DRIVER;
    put(transport, VIRTIO_STATUS, status);
    needed |= VIRTIO_FEATURE_VERSION_1;
    *features = features_get(transport) & (wanted | needed);
    if ((*features & needed) != needed)
        return VIRTIO_FEATURES;
    features_put(transport, *features);
    put(transport, VIRTIO_STATUS, status | VIRTIO_STATUS_FEATURES_OK);
    return (get(transport, VIRTIO_STATUS) & VIRTIO_STATUS_FEATURES_OK) != 0 ? VIRTIO_OK
                                                                            : VIRTIO_FEATURES;
}

static void address_put(const struct virtio_transport *transport, enum virtio_register offset,
                        uint64_t address) {
    put(transport, offset, (uint32_t)address);
    put(transport, offset + 4U, (uint32_t)(address >> 32));
}

enum virtio_result virtio_queue_set(const struct virtio_transport *transport, uint32_t queue,
                                    uint32_t size, const struct virtio_queue_place *place) {
    put(transport, VIRTIO_QUEUE_SELECT, queue);
    if (get(transport, VIRTIO_QUEUE_READY) != 0 || get(transport, VIRTIO_QUEUE_SIZE_MAX) < size)
        return VIRTIO_REFUSED;
    put(transport, VIRTIO_QUEUE_SIZE, size);
    address_put(transport, VIRTIO_QUEUE_TABLE, place->table);
    address_put(transport, VIRTIO_QUEUE_AVAILABLE, place->available);
    address_put(transport, VIRTIO_QUEUE_USED, place->used);
    put(transport, VIRTIO_QUEUE_READY, 1);
    return get(transport, VIRTIO_QUEUE_READY) == 1 ? VIRTIO_OK : VIRTIO_REFUSED;
}

void virtio_run(const struct virtio_transport *transport) {
    put(transport, VIRTIO_STATUS, get(transport, VIRTIO_STATUS) | VIRTIO_STATUS_DRIVER_OK);
}

void virtio_fail(const struct virtio_transport *transport) {
    put(transport, VIRTIO_STATUS, get(transport, VIRTIO_STATUS) | VIRTIO_STATUS_FAILED);
}

uint32_t virtio_interrupts_take(const struct virtio_transport *transport) {
    uint32_t why = get(transport, VIRTIO_INTERRUPT_STATUS);
    if (why != 0)
        put(transport, VIRTIO_INTERRUPT_ACK, why);
    return why;
}
